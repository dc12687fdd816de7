// Wrappings and kinds of records, without a run around them.
#include "unwrap/unwrap.hpp"

#include "feed.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace {

lm::WrappingContext kind_of(std::string_view record) {
  lm::KindTeller teller;
  lm::WrappingContext context;
  teller.tell(record, context);
  return context;
}

TEST(KindTeller, ARecordOfAzureIsOfItsCategoryAndProvider) {
  const auto vault = kind_of(
      R"({"time":"2026-03-01T12:00:00Z","category":"AuditEvent","resourceId":"/SUBSCRIPTIONS/1/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/V"})");
  EXPECT_EQ(vault.kind, "auditevent");
  EXPECT_EQ(vault.likeness, "microsoft.keyvault");
  EXPECT_EQ(kind_of(R"({"ResourceId":"/subscriptions/1/resourcegroups/r/providers/microsoft.keyvault/vaults/v","Category":"AUDITEVENT"})"),
            vault);
  EXPECT_EQ(kind_of(R"({"TimeGenerated":"2026-03-01T12:00:00Z","Type":"SigninLogs","UserId":"u"})").kind, "signinlogs");
  EXPECT_EQ(kind_of(R"({"TimeGenerated":"2026-03-01T12:00:00Z","Type":"AzureDiagnostics","Category":"kube-audit"})").kind, "kube-audit");
}

TEST(KindTeller, OthersAreAsTheyBegin) {
  EXPECT_EQ(kind_of(R"({"eventVersion":"1.08","eventTime":"x","eventName":"y","more":1})").kind, "");
  EXPECT_EQ(kind_of(R"({"eventVersion":"1.08","eventTime":"x","eventName":"y","more":1})"),
            kind_of(R"({"eventVersion":"1.09","eventTime":"z","eventName":"y","other":{"category":"no"}})"));
  EXPECT_NE(kind_of(R"({"a":1,"b":2})"), kind_of(R"({"a":1,"c":2})"));
  EXPECT_NE(kind_of("2 111122223333 eni"), kind_of("hello"));
  EXPECT_EQ(kind_of(R"({"category":"Cut","time")").kind, "");
  EXPECT_EQ(kind_of(""), lm::WrappingContext());
  EXPECT_EQ(kind_of(R"({"category":5,"Type":"x"})").kind, "");
}

struct Opened {
  std::vector<lm::Block> blocks;  // which records have views into
  lm::Unwrapped out;
  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (const auto& r : out.records) all.emplace_back(out.text(r));
    return all;
  }
  std::vector<std::string> kinds() const {
    std::vector<std::string> all;
    for (const auto& r : out.records) all.push_back(out.contexts[r.context].kind);
    return all;
  }
};

// As a run opens an object.
Opened open(std::string_view text, std::string_view id) {
  Opened opened;
  const auto wrapping = lm::Wrapping::recognise(text);
  if (!wrapping) {
    ADD_FAILURE() << "not recognised: " << text;
    return opened;
  }
  EXPECT_EQ(wrapping->id(), id);
  const auto framer = lm::make_framer(wrapping->framing(), {});
  lm::testing::feed(*framer, text, text.size(), [&] {
    while (auto block = framer->next()) {
      opened.blocks.push_back(std::move(*block));
      wrapping->unwrap(opened.blocks.back(), opened.out);
    }
  });
  for (const auto& r : framer->take_rejects()) {
    wrapping->unwrap_cut(r, opened.out);
    opened.out.rejects.push_back(r);
  }
  for (const auto& r : opened.out.records) EXPECT_LE(r.place.offset + r.place.length, text.size());
  return opened;
}

using Strings = std::vector<std::string>;

TEST(Wrapping, RecordsOfAzureThatNobodyKnowsAreToldApartByTheirCategories) {
  const auto o = open(R"({"records":[{"time":"t","category":"A"},{"records":[{"time":"t","Category":"b"}]},{"time":"t","category":"A"}]})",
                      "azure.records");
  EXPECT_EQ(o.kinds(), (Strings{"a", "b", "a"}));
  EXPECT_EQ(o.out.contexts.size(), 2u);
  EXPECT_EQ(o.texts()[1], R"({"time":"t","Category":"b"})");
  EXPECT_EQ(open(R"({"TimeGenerated":"t","Type":"Heartbeat"})", "azure.records").kinds(), Strings{"heartbeat"});
  // In single quotes it is no JSON, but whoever knows the category may read it.
  EXPECT_EQ(open(R"({"time":"t","category":"F","properties":{'a':'b'}})", "azure.records").kinds(), Strings{"f"});
  EXPECT_TRUE(open(R"({"time":"t","category":"F","properties":{a:1}})", "azure.records").kinds().empty());
  EXPECT_EQ(open(R"(,{"time":"t","category":"A"},{"time":"t","category":"B"}]})", "azure.records").kinds(), (Strings{"a", "b"}));
}

TEST(Wrapping, AnAnswerOfLogAnalyticsGivesAnObjectARow) {
  const auto o = open(R"({"tables":[{"name":"PrimaryResult","columns":[{"name":"Type","type":"string"},{"name":"n \"x\"","type":"int"},)"
                      R"({"name":"d","type":"dynamic"}],"rows":[["T",1,{"a":null}],[null,2.50,"x"],["T",1],7]}]})",
                      "loganalytics.result");
  EXPECT_EQ(o.texts(), (Strings{R"({"Type":"T","n \"x\"":1,"d":{"a":null}})", R"({"n \"x\"":2.50,"d":"x"})"}));
  ASSERT_EQ(o.out.rejects.size(), 2u);
  EXPECT_EQ(o.out.rejects[0].bytes, R"(["T",1])");
  EXPECT_EQ(o.out.rejects[1].bytes, "7");
}

TEST(Wrapping, ATableThatIsCutGivesItsWholeRows) {
  const auto o = open(R"({"tables":[{"name":"t","columns":[{"name":"a"}],"rows":[[1],[2],[3)", "loganalytics.result");
  EXPECT_EQ(o.texts(), (Strings{R"({"a":1})", R"({"a":2})"}));
  ASSERT_EQ(o.out.rejects.size(), 1u);
  EXPECT_EQ(o.out.rejects[0].code, std::uint32_t{LM_REJECT_TRUNCATED});
}

TEST(Wrapping, LogEventsOfCloudWatchAreOpenedWithAndWithoutWhatIsAroundThem) {
  const std::string a =
      R"({"logStreamName":"s","timestamp":1772366400000,"message":"2 \"a\"","ingestionTime":1772366400100,"eventId":"1"})";
  const std::string b = R"({"timestamp":1772366400000,"message":"b","ingestionTime":1772366400100})";
  const Strings wanted = {"2 \"a\"", "b"};
  for (const std::string& text : {"{\"events\":[" + a + "," + b + "]}", "[" + a + ",\n" + b + "]", a + "\n" + b + "\n"})
    EXPECT_EQ(open(text, "cloudwatch.events").texts(), wanted) << text;
  EXPECT_EQ(open(b + "\n" + a, "cloudwatch.events").out.contexts.size(), 2u);  // one for each stream
  // What else has a time and a message is a log of its own.
  EXPECT_EQ(lm::Wrapping::recognise(R"({"timestamp":"t","message":"m","level":"info"})"), nullptr);
  EXPECT_EQ(lm::Wrapping::recognise(R"({"timestamp":1,"message":{"a":1},"ingestionTime":2})"), nullptr);
}

TEST(Wrapping, APageOfGraphIsItsValue) {
  EXPECT_EQ(open(R"({"@odata.context":"c","value":[{"id":1},{"id":2}]}{"@odata.context":"c","value":[{"id":3}]})", "graph.page").texts(),
            (Strings{R"({"id":1})", R"({"id":2})", R"({"id":3})"}));
  EXPECT_EQ(open(R"([{"@odata.context":"c","value":[{"id":1},{"id":2}]}])", "graph.page").texts(), (Strings{R"({"id":1})", R"({"id":2})"}));
  EXPECT_EQ(open(R"({"value":[{"id":1,"v":[2]}],"nextLink":"n"})", "graph.page").texts(), Strings{R"({"id":1,"v":[2]})"});
  EXPECT_EQ(lm::Wrapping::recognise(R"({"value":[1,2]})"), nullptr);
}

// A message may be as large as a record, and all of it elements: where each stands is found on one way through it, not on one way each.
TEST(Wrapping, PlacesOfManyRecordsInOneMessageAreThoseOfTheirEscapedText) {
  constexpr int kMany = 200'000;
  std::string object = R"({"Records":[{"messageId":"m","body":"{\"Records\":[)";
  std::vector<std::string> escaped;
  for (int i = 0; i < kMany; ++i) {
    escaped.push_back("{\\\"n\\\":\\\"\\u00e9\\u20ac" + std::to_string(i) + "\\\"}");
    object += (i == 0 ? "" : ",") + escaped.back();
  }
  object += R"(]}"}]})";
  const Opened message = open(object, "queue");
  ASSERT_EQ(message.out.records.size(), 1u);
  lm::Unwrapped records;
  records.below = &message.out;
  ASSERT_TRUE(lm::open_envelope(message.out, 0, "Records", records));
  ASSERT_EQ(records.records.size(), escaped.size());
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    const lm::Place place = records.records[i].place;
    ASSERT_EQ(object.substr(place.offset, place.length), escaped[i]);
  }
}

}  // namespace
