// Framing: every byte of a record is in exactly one block or one reject, whatever the stream looks like and however it is cut.
#include "frame/frame.hpp"
#include "frame/json_scan.hpp"

#include <gtest/gtest.h>
#include <random>

namespace {

using namespace lm;

struct Piece {
  std::uint64_t ordinal, offset, length;
  std::uint32_t reject;  // 0: a record
  std::string text, prologue;
  bool operator==(const Piece&) const = default;
};

// Frames `input`, given in chunks; checks that ordinals are consecutive and that every record stands where it says.
std::vector<Piece> frame(const FrameSpec& spec, std::string_view input, std::size_t chunk, FrameLimits limits = {},
                         std::string_view torn = "") {
  auto framer = make_framer(spec, limits);
  std::vector<Piece> out;
  const auto drain = [&] {
    while (auto block = framer->next()) {
      for (std::size_t i = 0; i < block->records.size(); ++i) {
        const lm_record r = block->records[i];
        const std::string text(reinterpret_cast<const char*>(block->data.data()) + r.offset, r.length);
        EXPECT_EQ(input.substr(block->offset + r.offset, r.length), text);
        out.push_back({block->first_record + i, block->offset + r.offset, r.length, 0, text, block->prologue ? *block->prologue : ""});
      }
    }
    for (FrameReject& r : framer->take_rejects()) out.push_back({r.record, r.offset, r.length, r.code, r.bytes, ""});
  };
  for (std::size_t at = 0; at < input.size();) {
    const auto space = framer->space();
    const std::size_t n = std::min({chunk, space.size(), input.size() - at});
    std::memcpy(space.data(), input.data() + at, n);
    framer->commit(n);
    at += n;
    drain();
  }
  framer->finish(torn);
  drain();
  std::sort(out.begin(), out.end(), [](const Piece& a, const Piece& b) { return a.ordinal < b.ordinal; });
  for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i].ordinal, i);
  for (std::size_t i = 1; i < out.size(); ++i) EXPECT_GE(out[i].offset, out[i - 1].offset + out[i - 1].length) << "pieces overlap";
  return out;
}

std::vector<std::string> texts(const std::vector<Piece>& pieces) {
  std::vector<std::string> out;
  for (const Piece& p : pieces) out.push_back(p.reject ? "reject " + std::to_string(p.reject) + ": " + p.text : p.text);
  return out;
}

FrameSpec json(std::string envelope = "Records") { return {LM_FRAMING_JSON, std::move(envelope), {}}; }
FrameSpec lines() {
  return {LM_FRAMING_LINES, "", [](std::string_view line) { return line.starts_with('#'); }};
}

using Strings = std::vector<std::string>;

struct Case {
  const char* name;
  std::string input;
  Strings wanted;
};

class JsonForms : public testing::TestWithParam<Case> {};

TEST_P(JsonForms, GiveTheSameRecordsHoweverTheStreamIsCut) {
  for (const std::size_t chunk : {1ul, 2ul, 3ul, 7ul, 64ul, 1ul << 20}) {
    for (const std::size_t block : {1ul, 100ul, 1ul << 20})
      EXPECT_EQ(texts(frame(json(), GetParam().input, chunk, {block, 16 << 20})), GetParam().wanted) << chunk;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Frame, JsonForms,
    testing::Values(Case{"envelope",
                         R"({"Records":[{"a":1},{"a":"}{\"x"},{"a":[1,{"b":2}]}]})",
                         {R"({"a":1})", R"({"a":"}{\"x"})", R"({"a":[1,{"b":2}]})"}},
                    Case{"envelope_not_first", R"({"NextToken":"x]}","n":{"a":[1]},"Records":[{"a":1}],"z":{"a":1}})", {R"({"a":1})"}},
                    Case{"envelope_empty", R"({"Records":[]} {"Records":null})", {}},
                    Case{"array", "[\n {\"a\":1},\n {\"a\":2}\n]\n", {R"({"a":1})", R"({"a":2})"}},
                    Case{"json_lines", "{\"a\":1}\r\n\r\n{\"a\":2}\n", {R"({"a":1})", R"({"a":2})"}},
                    Case{"concatenated", R"({"a":1}{"a":2}{"b":{"Records":[]}})", {R"({"a":1})", R"({"a":2})", R"({"b":{"Records":[]}})"}},
                    Case{"pretty", "{\n  \"a\": {\n    \"b\": \"c\"\n  }\n}\n", {"{\n  \"a\": {\n    \"b\": \"c\"\n  }\n}"}},
                    Case{"bom", "\xef\xbb\xbf{\"a\":1}", {R"({"a":1})"}},
                    Case{"scalars_are_not_lost", R"([{"a":1}, 5, "x,y" , {"a":2}])", {R"({"a":1})", "5", R"("x,y")", R"({"a":2})"}},
                    Case{"text_is_not_lost", "hello\n{\"a\":1}\nmore {\"a\":2}", {"hello", R"({"a":1})", "more", R"({"a":2})"}},
                    Case{
                        "unbalanced_quote_in_a_line", "{\"a\":1}\n{\"a\":\"bro\n{\"a\":3}\n", {R"({"a":1})", R"({"a":"bro)", R"({"a":3})"}},
                    Case{"unbalanced_quote_in_an_array",
                         R"({"Records":[{"a":1},{"a":"broken},{"a":2},{"a":3}]})",
                         {R"({"a":1})", R"({"a":"broken})", R"({"a":2})", R"({"a":3})"}},
                    Case{"missing_brace",
                         R"({"Records":[{"a":1},{"a":{"b":1},{"a":2},{"a":3}]})",
                         {R"({"a":1})", R"({"a":{"b":1})", R"({"a":2})", R"({"a":3})"}},
                    Case{"empty", "", {}}, Case{"blank", " \n\t ", {}}),
    [](const auto& param) { return param.param.name; });

TEST(Framer, ATornRecordIsARejectAndTheGoodOnesStay) {
  const std::string input = R"({"Records":[{"a":1},{"a":2)";
  const auto pieces = frame(json(), input, 5, {}, "gzip stream ends early");
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_EQ(pieces[1].reject, LM_REJECT_TRUNCATED);
  EXPECT_EQ(pieces[1].text, R"({"a":2)");
  EXPECT_EQ(texts(frame(lines(), "a\nb", 1, {}, "torn")), (Strings{"a", "reject 3: b"}));
}

TEST(Framer, LinesComeWithoutTheirEndsAndBlankOnesAreNoRecords) {
  for (const std::size_t chunk : {1ul, 2ul, 1000ul})
    EXPECT_EQ(texts(frame(lines(),
                          "\xef\xbb\xbf"
                          "a\r\nb\n\n \t\r\nc",
                          chunk)),
              (Strings{"a", "b", "c"}));
}

TEST(Framer, AHeaderHoldsForTheLinesBelowIt) {
  for (const std::size_t chunk : {1ul, 3ul, 1000ul}) {
    const auto pieces = frame(lines(), "x\n#h1\n#h2\na\nb\n#g\nc\n", chunk);
    ASSERT_EQ(pieces.size(), 4u);
    EXPECT_EQ(pieces[0].prologue, "");
    EXPECT_EQ(pieces[1].prologue, "#h1\n#h2");
    EXPECT_EQ(pieces[2].prologue, "#h1\n#h2");
    EXPECT_EQ(pieces[3].prologue, "#g");
  }
}

TEST(Framer, ARecordThatIsTooLongIsOneRejectWithItsTrueLength) {
  const FrameLimits limits{64, 100};
  const std::string json_input = R"({"Records":[{"a":1},{"a":")" + std::string(500, 'x') + R"("},{"a":2}]})";
  const std::string line_input = "a\n" + std::string(500, 'y') + "\nb\n";
  for (const std::size_t chunk : {1ul, 7ul, 10'000ul}) {
    const auto from_json = frame(json(), json_input, chunk, limits);
    ASSERT_EQ(from_json.size(), 3u);
    EXPECT_EQ(from_json[1].reject, LM_REJECT_OVERSIZE);
    EXPECT_EQ(from_json[1].length, 508u);
    EXPECT_EQ(from_json[2].text, R"({"a":2})");
    const auto from_lines = frame(lines(), line_input, chunk, limits);
    ASSERT_EQ(from_lines.size(), 3u);
    EXPECT_EQ(from_lines[1].reject, LM_REJECT_OVERSIZE);
    EXPECT_EQ(from_lines[1].length, 500u);
    EXPECT_EQ(from_lines[1].text.size(), 100u);
    EXPECT_EQ(from_lines[2].text, "b");
  }
}

// One line, streamed: what is held at any time is a block, not the document.
TEST(Framer, ADocumentOf300MegabytesIsNeverHeldWhole) {
  auto framer = make_framer(json(), {});
  const std::string record = ",{\"eventVersion\":\"1.08\",\"text\":\"" + std::string(1000, 'x') + "\"}";
  std::uint64_t records = 0;
  std::size_t largest = 0;
  std::string pending = "{\"Records\":[{\"eventVersion\":\"1.08\"}";
  for (std::uint64_t fed = 0; fed < (300u << 20);) {
    while (pending.size() < (256 << 10)) pending += record;
    const auto space = framer->space();
    largest = std::max(largest, space.size());
    const std::size_t n = std::min(space.size(), pending.size());
    std::memcpy(space.data(), pending.data(), n);
    pending.erase(0, n);
    framer->commit(n);
    fed += n;
    while (auto block = framer->next()) {
      records += block->records.size();
      largest = std::max(largest, block->data.capacity());
    }
  }
  EXPECT_GT(records, 290'000u);
  EXPECT_LT(largest, std::size_t{4} << 20);
}

TEST(Framer, NestingIsOnlyCounted) {
  std::string deep = "{\"a\":" + std::string(10'000, '[') + std::string(10'000, ']') + "}";
  EXPECT_EQ(frame(json(), "{\"Records\":[" + deep + ",{\"a\":2}]}", 4096).size(), 2u);
}

TEST(Framer, HostileInputIsCutTheSameWayInAnyChunksWithoutLosingCount) {
  std::mt19937 random(1);
  static constexpr char kAlphabet[] = "{}[]\"\\,:\n a1#";
  for (int i = 0; i < 20'000; ++i) {
    std::string input = random() % 2 ? "{\"Records\":[" : "";
    for (unsigned n = random() % 80; n; --n) input += kAlphabet[random() % (sizeof kAlphabet - 1)];
    const std::string_view torn = random() % 2 ? "torn" : "";
    // Limits beyond the input: when a limit shows depends on how much is there, and so on the chunks.
    const FrameLimits limits{1 + random() % 64, 1 << 20};
    for (const FrameSpec& spec : {json(), json(""), lines()}) {
      ASSERT_EQ(frame(spec, input, 1, limits, torn), frame(spec, input, 1 + random() % 20, limits, torn)) << input;
      frame(spec, input, 1 + random() % 20, {1 + random() % 64, 20 + random() % 40}, torn);
    }
  }
}

TEST(JsonScan, TheFastScannerAgreesWithTheObviousOne) {
  std::mt19937 random(2);
  static constexpr char kAlphabet[] = "{}[]\"\\\\\n aaaa";
  for (int i = 0; i < 50'000; ++i) {
    std::string text;
    for (unsigned n = random() % 300; n; --n) text += kAlphabet[random() % (sizeof kAlphabet - 1)];
    const std::size_t size = text.size();
    text.append(LM_PADDING, '"');  // what stands behind the end must not matter
    JsonScan fast, obvious;
    fast.depth = obvious.depth = random() % 5;
    fast.in_string = obvious.in_string = random() % 2;
    fast.escaped = obvious.escaped = random() % 2;
    bool fast_line = false, obvious_line = false;
    const auto* data = reinterpret_cast<const std::uint8_t*>(text.data());
    ASSERT_EQ(scan_json(fast, data, size, &fast_line), scan_json_scalar(obvious, data, size, &obvious_line)) << text;
    ASSERT_EQ(fast_line, obvious_line);
    if (fast.depth != 0 || obvious.depth != 0) {
      ASSERT_EQ(fast.depth, obvious.depth);
      ASSERT_EQ(fast.braces, obvious.braces);
      ASSERT_EQ(fast.in_string, obvious.in_string);
      ASSERT_EQ(fast.escaped, obvious.escaped);
    }
  }
}

}  // namespace
