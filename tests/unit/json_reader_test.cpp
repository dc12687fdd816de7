// The JSON reader of the SDK: accepts what RFC 8259 accepts and nothing else, and gives values as they are. simdjson's DOM parser is the oracle.
#include <logmill/sdk/json.hpp>
#include <logmill/sdk/outline.hpp>

#include <gtest/gtest.h>
#include <simdjson.h>
#include <random>
#include <set>

namespace {

bool oracle_accepts(const std::string& text) {
  simdjson::dom::parser parser(1 << 24);
  return parser.parse(text).error() == simdjson::SUCCESS;
}

// Every document of a small grammar, with defects sprinkled in.
std::string random_json(std::mt19937& random, int depth) {
  static const char* const kScalars[] = {
      "0",  "-1", "12.5e+3", "true",    "false",       "null", "\"\"", "\"a\\u00e9\\n\"", "\"\\ud83d\\ude00\"",    "01",
      "1.", "+1", "tru",     "\"\\x\"", "\"\\ud800\"", "-",    "1e",   "\"a\nb\"",        "9999999999999999999999"};
  const auto pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  if (depth == 0 || pick(3) == 0) return kScalars[pick(20) == 0 ? pick(19) : pick(9)];
  std::string out = pick(2) ? "{" : "[";
  const bool object = out == "{";
  for (unsigned i = 0, n = pick(4); i < n; ++i) {
    if (i) out += pick(50) == 0 ? "" : ",";
    if (pick(3) == 0) out += " \n";
    if (object) out += "\"k" + std::to_string(i) + "\"" + (pick(50) == 0 ? "" : ":");
    out += random_json(random, depth - 1);
  }
  return out + (pick(50) == 0 ? "" : object ? "}" : "]");
}

TEST(JsonReader, AcceptsWhatTheOracleAcceptsAndNothingElse) {
  std::mt19937 random(1);
  lm::json::Reader reader;
  unsigned accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = "{\"x\":" + random_json(random, 4) + "}";
    // simdjson refuses integers beyond 64 bits and lone surrogates, which RFC 8259's grammar allows and which pass through here; everything else must agree.
    const bool mine = reader.read(text, [](std::string_view, lm::json::Value&) {});
    if (text.find("9999999999999999999999") == std::string::npos && text.find("\"\\ud800\"") == std::string::npos) {
      ASSERT_EQ(mine, oracle_accepts(text)) << text;
    }
    accepted += mine;
  }
  EXPECT_GT(accepted, 5'000u);
}

TEST(JsonReader, NeverReadsPastItsTextNorAcceptsACutDocument) {
  const std::string whole = R"({"a":{"b":[1,2,{"c":"d\u00e9"}],"e":-1.5e3},"f":[true,false,null],"g":"\"\\"})";
  lm::json::Reader reader;
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    const std::vector<char> exact(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut));  // the sanitizer guards its end
    EXPECT_FALSE(reader.read({exact.data(), exact.size()}, [](std::string_view, lm::json::Value& v) {
      v.object([](std::string_view, lm::json::Value& inner) { (void)inner.raw(); });
    })) << cut;
  }
  EXPECT_TRUE(reader.valid(whole));
}

TEST(JsonReader, UnescapesTextLikeTheOracle) {
  for (const std::string text : {R"("plain")", R"("\u0041\u00e9\u20ac\ud83d\ude00")", R"("\b\f\n\r\t\/\\\"")", R"("a\u0000b")"}) {
    simdjson::dom::parser parser;
    const std::string document = "{\"v\":" + text + "}";
    const std::string wanted(std::string_view(parser.parse(document)["v"]));
    lm::json::Reader reader;
    std::string got;
    ASSERT_TRUE(reader.read(document, [&](std::string_view, lm::json::Value& v) { got = v.text().value_or("?"); }));
    EXPECT_EQ(got, wanted);
  }
}

TEST(JsonReader, UnescapesAnEscapeWhereverItIs) {
  static constexpr std::pair<const char*, const char*> kEscapes[] = {
      {"\\\"", "\""}, {"\\\\", "\\"}, {"\\n", "\n"}, {"\\u00e9", "\u00e9"}, {"\\ud83d\\ude00", "\U0001f600"}};
  lm::json::Reader reader;
  for (const auto& [escape, text] : kEscapes) {
    for (std::size_t before = 0; before < 40; ++before) {
      for (std::size_t behind = 0; behind < 40; ++behind) {
        const std::string head(before, 'a'), tail(behind, 'b');
        const std::string json = "{\"k\":\"" + head + escape + tail + escape + "\"}";
        lm::Text read;
        ASSERT_TRUE(reader.read(json, [&](std::string_view, lm::json::Value& v) { read = v.text(); }));
        ASSERT_EQ(read, lm::Text(head + text + tail + text)) << json;
      }
    }
  }
}

TEST(JsonReader, LoneSurrogatesBecomeReplacementCharactersInTextAndStayInRaw) {
  lm::json::Reader reader;
  std::string text, raw;
  ASSERT_TRUE(reader.read(R"({"v":"x\ud800y\udc00"})", [&](std::string_view, lm::json::Value& v) { text = *v.text(), raw = v.raw(); }));
  EXPECT_EQ(text, "x\xef\xbf\xbdy\xef\xbf\xbd");
  EXPECT_EQ(raw, R"("x\ud800y\udc00")");
}

TEST(JsonReader, ValuesOfAnotherTypeAreAbsentAndKeepTheirRawText) {
  lm::json::Reader reader;
  unsigned checked = 0;
  ASSERT_TRUE(reader.read(R"({"n":12,"big":123456789012345678901234567890,"f":1.5,"t":"x","o":{"a":[1]},"z":null})",
                          [&](std::string_view key, lm::json::Value& v) {
                            ++checked;
                            if (key == "n") {
                              EXPECT_EQ(v.integer(), 12);
                            }
                            if (key == "big") {
                              EXPECT_EQ(v.integer(), std::nullopt);
                              EXPECT_EQ(v.raw(), "123456789012345678901234567890");
                            }
                            if (key == "f") {
                              EXPECT_EQ(v.integer(), std::nullopt);
                            }
                            if (key == "t") {
                              EXPECT_EQ(v.boolean(), std::nullopt);
                            }
                            if (key == "o") {
                              EXPECT_EQ(v.text(), std::nullopt);
                              EXPECT_EQ(v.raw(), R"({"a":[1]})");
                            }
                            if (key == "z") {
                              EXPECT_TRUE(v.is_null());
                            }
                          }));
  EXPECT_EQ(checked, 6u);
}

// Only the whole value, byte by byte, is what it was; what stands behind it is read as ever.
TEST(JsonReader, AValueRepeatsIfItsTextDoes) {
  const std::string before = R"({"a":[1,"}"],"b":{}})";
  lm::json::Reader reader;
  const auto repeats = [&](const std::string& value, std::string_view behind = ",\"after\":7}") {
    const std::string text = "{\"of\":" + value + std::string(behind);
    bool answer = false, raw = true;
    lm::Maybe<std::int64_t> after;
    const bool ok = reader.read(text, [&](std::string_view key, lm::json::Value& v) {
      if (key == "after") after = v.integer();
      if (key != "of") return;
      answer = v.repeats(before);
      raw = v.raw() == value && !v.repeats(before);
    });
    EXPECT_EQ(ok, after == std::int64_t{7}) << text;
    EXPECT_TRUE(raw) << text;
    return answer;
  };
  EXPECT_TRUE(repeats(before));
  EXPECT_FALSE(repeats(R"({"a":[1,"}"],"b":{} })"));
  EXPECT_FALSE(repeats(R"({"a":[1,"}"]})"));
  EXPECT_FALSE(repeats("null"));
  EXPECT_FALSE(repeats("7"));
  EXPECT_TRUE(repeats(before, "")) << "at the very end of the text";
  EXPECT_TRUE(repeats(before, "x")) << "what is behind it is no JSON, which is found as ever";
}

TEST(JsonReader, DepthIsBoundedAndSaidSo) {
  lm::json::Reader reader;
  std::string deep = "{\"a\":";
  for (int i = 0; i < 10'000; ++i) deep += '[';
  EXPECT_FALSE(reader.read(deep, [](std::string_view, lm::json::Value&) {}));
  EXPECT_TRUE(reader.too_deep());
  std::string fits = "{\"a\":";
  for (unsigned i = 0; i + 1 < lm::json::kMaxDepth; ++i) fits += '[';
  for (unsigned i = 0; i + 1 < lm::json::kMaxDepth; ++i) fits += ']';
  EXPECT_TRUE(reader.read(fits + "}", [](std::string_view, lm::json::Value&) {})) << reader.error();
}

TEST(ObjectWriter, WritesWhatTheOracleReadsBack) {
  lm::json::ObjectWriter out;
  EXPECT_EQ(out.finish(), "");
  out.clear();
  out.begin("user");
  out.add_text("na\"me", "tab\there \x01");
  out.add("list", "[1,2]");
  out.end();
  out.add("n", "5");
  const std::string text(out.finish());
  EXPECT_EQ(text, R"({"user":{"na\"me":"tab\there \u0001","list":[1,2]},"n":5})");
  EXPECT_TRUE(oracle_accepts(text));
}

// Short text is copied in whole words: one byte that needs an escape, at each place of texts of each length, with what is above ASCII around it.
TEST(ObjectWriter, EscapesAByteWhereverItIs) {
  for (std::size_t size = 0; size < 70; ++size) {
    for (std::size_t at = 0; at <= size; ++at) {
      for (const char special : {'"', '\\', '\n', '\x1f', '\0', '!', '\x7f'}) {
        std::string text;
        while (text.size() + 1 < size) text += "\xc3\xa9";
        text.resize(size, 'a');
        if (at < size) text[at] = special;
        std::string expected = "{\"k\":";
        lm::json::append_quoted(expected, text);
        lm::json::ObjectWriter writer;
        writer.add_text("k", std::string_view(text));
        ASSERT_EQ(writer.finish(), expected + "}") << size << " " << at;
      }
    }
  }
}

TEST(ObjectWriter, WhatIsEnteredIsThereOnlyWithAMember) {
  lm::json::ObjectWriter out;
  out.enter("a"), out.enter("b"), out.leave(), out.leave();
  EXPECT_EQ(out.finish(), "");
  out.clear();
  out.enter("a"), out.enter("b"), out.leave();
  out.enter("c"), out.enter("d"), out.add("n", "1"), out.leave(), out.add("m", "2"), out.enter("e"), out.leave(), out.leave();
  out.enter("f"), out.leave(), out.leave();
  out.add("z", "3");
  EXPECT_EQ(std::string(out.finish()), R"({"a":{"c":{"d":{"n":1},"m":2}},"z":3})");
  out.clear();
  for (int i = 0; i < 20; ++i) out.enter("k");
  out.add("n", "1");
  for (int i = 0; i < 20; ++i) out.leave();
  const std::string deep(out.finish());
  EXPECT_TRUE(oracle_accepts(deep)) << deep;
  out.clear();
  out.enter("left");
  out.clear();
  out.add("n", "1");
  EXPECT_EQ(std::string(out.finish()), R"({"n":1})");
}

TEST(JsonReader, ElementsAreThoseOfAnArray) {
  lm::json::Reader reader;
  std::string seen;
  EXPECT_TRUE(reader.read_array(R"( [1, "x", {"a":[2]}] )", [&](lm::json::Value& v) { seen += std::string(v.raw()) + ";"; }));
  EXPECT_EQ(seen, R"(1;"x";{"a":[2]};)");
  for (const std::string_view wrong : {"{}", "", "[1", "[1] 2", "[1,]"})
    EXPECT_FALSE(reader.read_array(wrong, [](lm::json::Value&) {})) << wrong;
}

TEST(JsonReader, NumbersMayHaveFractions) {
  lm::json::Reader reader;
  reader.read(R"({"a":5.5,"b":-1e3,"c":"5"})", [](std::string_view key, lm::json::Value& v) {
    const auto n = v.number();
    EXPECT_EQ(n.has_value(), key != "c");
    EXPECT_EQ(n.value_or(0), key == "a" ? 5.5 : key == "b" ? -1000 : 0);
  });
}

TEST(Outline, TellsTheTextOfAMemberOfTheRecord) {
  constexpr std::string_view kText = R"({"findings":[{"metadata":{"product":{"name":"x"}},"n":5,"more":[1,{"a")";
  for (const std::string_view envelope : {"findings", "Findings"}) {
    const lm::json::Outline outline(kText, envelope);
    EXPECT_EQ(outline.record_raw("metadata"), R"({"product":{"name":"x"}})");
    EXPECT_EQ(outline.record_raw("n"), "5");
    EXPECT_EQ(outline.record_raw("more"), R"([1,{"a")");
    EXPECT_EQ(outline.record_raw("none"), "");
  }
  EXPECT_EQ(lm::json::Outline(kText, "findingS").record_raw("n"), "");
}

TEST(Outline, FindsTheRecordInBatchesOfBatchesAndInBlocksOfThem) {
  for (const std::string_view text :
       {R"([{"records":[{"a":1}]}])", R"({"records":[{"Records":[{"records" : [ {"a":1)", R"(,{"a":1},{"b":2}]})", R"({"a":1}]})"}) {
    const lm::json::Outline outline(text, "Records");
    EXPECT_TRUE(outline.record("a")) << text;
    EXPECT_EQ(outline.record_members(), 1u) << text;
  }
  const lm::json::Outline own(R"([{"a":1,"records":[{"b":1}]}])", "records");
  EXPECT_TRUE(own.record("a") && own.record("records") && !own.record("b"));
  std::string deep;
  for (int i = 0; i < 10'000; ++i) deep += R"({"records":[)";
  EXPECT_FALSE(lm::json::Outline(deep, "records").record("a"));
}

TEST(Keys, FindEveryKeyAndNoOther) {
  static constexpr auto kKeys = lm::keys("eventName", "eventTime", "eventType", "readOnly", "a", "");
  EXPECT_EQ(kKeys.find("eventTime"), kKeys.at("eventTime"));
  EXPECT_EQ(kKeys.find("eventTimf"), -1);
  EXPECT_EQ(kKeys.find(""), kKeys.at(""));
  EXPECT_EQ(kKeys.find("eventnam"), -1);
  std::set<int> numbers;
  for (const std::string_view name : kKeys.names) numbers.insert(kKeys.find(name));
  EXPECT_EQ(numbers.size(), kKeys.names.size());
}

}  // namespace
