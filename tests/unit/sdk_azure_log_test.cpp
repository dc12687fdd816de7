// Members that wait: what an attribute took is nowhere else, and everything else is where it stood.
#include <logmill/sdk/azure_log.hpp>

#include <gtest/gtest.h>
#include <string>
#include <string_view>

namespace {

enum At : std::uint8_t { name, port, inner, kFields };

struct Read {
  lm::azure::Log<At, kFields> log;

  explicit Read(std::string_view text) { again(text); }
  void again(std::string_view text) {
    static constexpr auto kKeys = lm::azure::keys("name", "port", "within");
    EXPECT_TRUE(log.read(
        text,
        [&](const lm::json::Field& f) {
          switch (kKeys.find(lm::azure::member(f.key))) {
            case kKeys.at("name"): log.wait(name, f); break;
            case kKeys.at("port"): log.wait(port, f); break;
            case kKeys.at("within"):
              log.within(f, [&](const lm::json::Field& m) { m.key == "inner" ? log.wait(inner, m) : m.keep(); });
              break;
            default: log.unknown(f);
          }
        },
        [](lm::Text category) { return category != lm::Text("another's"); }));
  }
  std::string left() {
    log.settle();
    return std::string(log.rest.finish());
  }
};

TEST(AzureLog, KeepsWhereItStoodWhatNoAttributeTook) {
  constexpr std::string_view kRecord =
      R"({"time":"2026-03-02T10:00:00Z","name":"outer","properties":{"port":443,"within":{"inner":true,"other":1},"odd":[1]}})";
  Read all(kRecord);
  EXPECT_EQ(all.log[name], lm::Text("outer"));
  EXPECT_EQ(all.left(), R"({"name":"outer","properties":{"odd":[1],"port":443,"within":{"other":1,"inner":true}}})");
  all.again(kRecord);
  for (const At at : {name, port, inner}) all.log.take(at);
  EXPECT_EQ(all.left(), R"({"properties":{"odd":[1],"within":{"other":1}}})");
  all.again(R"({"name":"-","properties":{"port":""}})");
  EXPECT_FALSE(all.log[name] || all.log[port] || all.log[inner]);
  EXPECT_EQ(all.left(), "");
}

TEST(AzureLog, OfTwoOfANameKeepsBoth) {
  Read read(R"({"name":"a","properties":{"name":"b","within":{"inner":"1"},"Within":{"inner":"2"}}})");
  EXPECT_EQ(read.log[name], lm::Text("b"));
  read.log.take(name), read.log.take(inner);
  EXPECT_EQ(read.left(), R"({"name":"a","properties":{"Within":{"inner":"2"}}})");
  Read found(R"({"name":"a"})");
  found.log.wait(name, "b", "msg");
  EXPECT_EQ(found.left(), R"({"name":"a","msg":"b"})");
}

TEST(AzureLog, ReadsFlatRowsAndWhatHadNoPlaceInThem) {
  Read read(
      R"({"TimeGenerated":"2026-03-02T10:00:00Z","Type":"AzureDiagnostics","name_s":"n","port_d":443.0,"AdditionalFields":"{\"odd\":1}"})");
  EXPECT_EQ(read.log.number(port), 443);
  EXPECT_EQ(read.left(), R"({"name_s":"n","port_d":443.0,"AdditionalFields":{"odd":1}})");
}

TEST(AzureLog, LeavesEachMemberWhereItStoodAndNoKeyTwice) {
  Read both(R"({"properties":{"odd":1,"port":443},"AdditionalFields":"{\"odder\":2,\"name\":\"n\"}"})");
  both.log.own().add("said", "0");
  EXPECT_EQ(both.left(), R"({"properties":{"odd":1,"said":0,"port":443},"AdditionalFields":{"odder":2,"name":"n"}})");
  Read other(R"({"AdditionalFields":{"port":1},"Properties":{"odd":1}})");
  EXPECT_EQ(other.left(), R"({"Properties":{"odd":1},"AdditionalFields":{"port":1}})");
  Read two(R"({"properties":{"odd":1},"a":0,"Properties":{"odder":2,"name":"n"}})");
  EXPECT_EQ(two.left(), R"({"a":0,"properties":{"odd":1,"odder":2,"name":"n"}})");
}

TEST(AzureLog, NumbersAreWholeAndTimesAtLeastAMillisecond) {
  const auto number = [](std::string_view json) { return Read("{\"port\":" + std::string(json) + "}").log.number(port); };
  EXPECT_EQ(number("0"), 0);
  EXPECT_EQ(number("\"8080\""), 8080);
  EXPECT_EQ(number("8080.00"), 8080);
  for (const char* json : {"8080.5", "-1", "\"x\"", "\"80.\"", "\".0\"", "true"}) EXPECT_FALSE(number(json)) << json;
  const auto time = [](std::string_view json, double unit) {
    return Read("{\"port\":" + std::string(json) + "}").log.milliseconds(port, unit);
  };
  EXPECT_EQ(time("0.034", 1000), 34);
  EXPECT_EQ(time("\"1.5\"", 1000), 1500);
  EXPECT_EQ(time("2.5e-3", 1000), 2);
  EXPECT_EQ(time("205", 1), 205);
  for (const char* json : {"0", "0.0000286", "-1", "\"x\"", "1e300", "\"nan\"", "\"inf\""}) EXPECT_FALSE(time(json, 1000)) << json;
}

TEST(AzureLog, DoesNotReadWhatIsAnothers) {
  Read read(R"({"category":"another's","name":"a","odd":1,"properties":{"port":1}})");
  EXPECT_EQ(read.log.envelope.category, lm::Text("another's"));
  EXPECT_FALSE(read.log[name]);
  EXPECT_EQ(read.left(), "");
}

TEST(AzureLog, MovesAndReplacesWhatWaits) {
  Read read(R"({"name":"a","properties":{"port":1}})");
  read.log.move(inner, name);
  read.log.replace(port, lm::Text());
  EXPECT_FALSE(read.log[name]);
  EXPECT_EQ(read.log[inner], lm::Text("a"));
  EXPECT_EQ(read.left(), R"({"name":"a"})");
}

}  // namespace
