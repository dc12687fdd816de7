// Framing: every byte of a record is in exactly one block or one reject, whatever the stream looks like and however it is cut.
#include "frame/frame.hpp"
#include "frame/json_scan.hpp"

#include "feed.hpp"

#include <gtest/gtest.h>
#include <random>
#include <set>

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
  lm::testing::feed(*framer, input, chunk, drain, torn);
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

class JsonForms : public ::testing::TestWithParam<Case> {};

TEST_P(JsonForms, GiveTheSameRecordsHoweverTheStreamIsCut) {
  for (const std::size_t chunk : {1ul, 2ul, 3ul, 7ul, 64ul, 1ul << 20}) {
    for (const std::size_t block : {1ul, 100ul, 1ul << 20})
      EXPECT_EQ(texts(frame(json(), GetParam().input, chunk, {block, 16 << 20})), GetParam().wanted) << chunk;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Frame, JsonForms,
    ::testing::Values(
        Case{"envelope",
             R"({"Records":[{"a":1},{"a":"}{\"x"},{"a":[1,{"b":2}]}]})",
             {R"({"a":1})", R"({"a":"}{\"x"})", R"({"a":[1,{"b":2}]})"}},
        Case{"envelope_not_first", R"({"NextToken":"x]}","n":{"a":[1]},"Records":[{"a":1}],"z":{"a":1}})", {R"({"a":1})"}},
        Case{"envelope_in_small_letters", R"({"NextToken":null,"records":[{"a":1},{"a":2}]})", {R"({"a":1})", R"({"a":2})"}},
        Case{"envelope_in_other_letters", R"({"recOrds":[{"a":1}]}{"RECORDS":[1]})", {R"({"recOrds":[{"a":1}]})", R"({"RECORDS":[1]})"}},
        Case{"envelope_empty", R"({"Records":[]} {"Records":null})", {}},
        Case{"array", "[\n {\"a\":1},\n {\"a\":2}\n]\n", {R"({"a":1})", R"({"a":2})"}},
        Case{"json_lines", "{\"a\":1}\r\n\r\n{\"a\":2}\n", {R"({"a":1})", R"({"a":2})"}},
        Case{"concatenated", R"({"a":1}{"a":2}{"b":{"Records":[]}})", {R"({"a":1})", R"({"a":2})", R"({"b":{"Records":[]}})"}},
        Case{"pretty", "{\n  \"a\": {\n    \"b\": \"c\"\n  }\n}\n", {"{\n  \"a\": {\n    \"b\": \"c\"\n  }\n}"}},
        Case{"bom", "\xef\xbb\xbf{\"a\":1}", {R"({"a":1})"}},
        Case{"scalars_are_not_lost", R"([{"a":1}, 5, "x,y" , {"a":2}])", {R"({"a":1})", "5", R"("x,y")", R"({"a":2})"}},
        Case{"text_is_not_lost", "hello\n{\"a\":1}\nmore {\"a\":2}", {"hello", R"({"a":1})", "more", R"({"a":2})"}},
        Case{"unbalanced_quote_in_a_line", "{\"a\":1}\n{\"a\":\"bro\n{\"a\":3}\n", {R"({"a":1})", R"({"a":"bro)", R"({"a":3})"}},
        Case{"unbalanced_quote_in_an_array",
             R"({"Records":[{"a":1},{"a":"broken},{"a":2},{"a":3}]})",
             {R"({"a":1})", R"({"a":"broken})", R"({"a":2})", R"({"a":3})"}},
        Case{"missing_brace",
             R"({"Records":[{"a":1},{"a":{"b":1},{"a":2},{"a":3}]})",
             {R"({"a":1})", R"({"a":{"b":1})", R"({"a":2})", R"({"a":3})"}},
        Case{"unbalanced_quote_in_the_first_record",
             R"({"Records":[{"a":"broken},{"a":2},{"a":3}]})",
             {R"({"a":"broken})", R"({"a":2})", R"({"a":3})"}},
        Case{"unbalanced_quote_in_the_last_record",
             R"({"Records":[{"a":1},{"a":"broken}]})",
             {R"({"a":1})", R"(reject 3: {"a":"broken}]})"}},
        Case{"missing_brace_in_the_last_record", R"({"Records":[{"a":1},{"a":{"b":1}]})", {R"({"a":1})", R"({"a":{"b":1})"}},
        Case{"missing_bracket", R"([{"a":1},{"a":[1},{"a":2},{"a":3}])", {R"({"a":1})", R"({"a":[1})", R"({"a":2})", R"({"a":3})"}},
        Case{"lines_cut_off_outside_of_strings",
             "{\"a\":{\"b\":1\n{\"a\":2,\n{\"a\":3}\n{\"a\":[{\"x\":1}\n{\"a\":5}\n",
             {R"({"a":{"b":1)", R"({"a":2)", R"({"a":3})", R"({"a":[{"x":1})", R"({"a":5})"}},
        Case{"lines_cut_off_of_several_kinds",
             "{\"b\":{\"a\":1}}\n{\"c\":tru\n{\"d\":\"x\n\n{\"a\":4}\n",
             {R"({"b":{"a":1}})", R"({"c":tru)", R"({"d":"x)", R"({"a":4})"}},
        Case{"broken_envelope_in_lines",
             "{\"Records\":[{\"a\":1},{\"a\":\"x}]}\n{\"Records\":[{\"a\":2}]}\n",
             {R"({"a":1})", R"({"a":"x}]})", R"({"a":2})"}},
        Case{"records_that_begin_lines",
             "{\"Records\":[\n{\"a\":[\n{\"b\":1},\n{\"b\":2}\n]},\n{\"a\":2}\n]}\n",
             {"{\"a\":[\n{\"b\":1},\n{\"b\":2}\n]}", R"({"a":2})"}},
        Case{"nested_objects_are_no_records",
             R"([{"a":[{"a":1},{"a":2}]},{"a":"{\"a\":1},{\"a\":2}"}])",
             {R"({"a":[{"a":1},{"a":2}]})", R"({"a":"{\"a\":1},{\"a\":2}"})"}},
        Case{"missing_comma", R"([{"a":1} {"a":2}{"a":3}])", {R"({"a":1})", R"({"a":2})", R"({"a":3})"}},
        Case{"stray_brace_is_not_lost", R"({"Records":[{"a":1},{"a":2}},{"a":3}]})", {R"({"a":1})", R"({"a":2})", "}", R"({"a":3})"}},
        Case{"two_envelopes", R"({"Records":[{"a":1}],"x":1,"Records":[{"a":2}]})", {R"({"a":1})", R"({"a":2})"}},
        Case{"envelope_of_another_kind", R"({"Records":{"a":1}}{"Records":"x"})", {R"({"Records":{"a":1}})", R"({"Records":"x"})"}},
        Case{"name_in_a_string",
             R"({"a":"\"Records\":[{"}{"\"Records":[{"a":2}]})",
             {R"({"a":"\"Records\":[{"})", R"({"\"Records":[{"a":2}]})"}},
        Case{"batches_in_an_array",
             R"([{"Records":[{"a":1}]}, {"records" : [ {"a":2},{"a":3}],"x":[1]},{"a":4},{"Records":[]}]{"a":5})",
             {R"({"a":1})", R"({"a":2})", R"({"a":3})", R"({"a":4})", R"({"a":5})"}},
        Case{"batches_in_batches",
             R"({"Records":[{"Records":[{"a":1},{"Records":[{"a":2}]}]},{"a":3}],"x":{}}{"a":4})",
             {R"({"a":1})", R"({"a":2})", R"({"a":3})", R"({"a":4})"}},
        Case{"only_what_begins_as_a_batch_is_one",
             R"([{"b":1,"Records":[{"a":1}]},{"Records":{"a":1}},{"RecordsOf":[1]}])",
             {R"({"b":1,"Records":[{"a":1}]})", R"({"Records":{"a":1}})", R"({"RecordsOf":[1]})"}},
        Case{"out_of_the_midst", R"(,{"a":1},{"a":2})", {R"({"a":1})", R"({"a":2})"}},
        Case{"out_of_the_midst_to_the_end", ",{\"a\":1},{\"a\":2} ] }\n", {R"({"a":1})", R"({"a":2})"}},
        Case{"to_the_end_of_a_page", "{\"a\":1}]", {R"({"a":1})"}},
        Case{"stray_bracket_is_not_lost", R"({"a":1}]{"a":2})", {R"({"a":1})", "]", R"({"a":2})"}},
        Case{"batch_cut_off_in_a_line",
             "{\"Records\":[{\"a\":1},{\"a\":\"cu\n{\"Records\":[{\"a\":2}]}\n",
             {R"({"a":1})", R"(reject 3: {"a":"cu)", R"({"a":2})"}},
        Case{"batch_cut_off_between_records",
             "{\"Records\":[{\"a\":1},\n{\"Records\":[{\"a\":2}]}\n",
             {R"({"a":1})", R"({"a":2})", "reject 3: "}},
        Case{"batch_in_a_batch_cut_off", R"({"Records":[{"Records":[{"a":1}])", {R"({"a":1})", "reject 3: "}},
        Case{"unclosed_array_is_said", R"({"Records":[{"a":1})", {R"({"a":1})", "reject 3: "}},
        Case{"unclosed_record_is_said", R"({"a":1}{"b":{"c":2})", {R"({"a":1})", R"(reject 3: {"b":{"c":2})"}}, Case{"empty", "", {}},
        Case{"blank", " \n\t ", {}}),
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

TEST(Framer, ARecordThatBeginsWithAnEmptyListOfTheEnvelopesNameIsARecord) {
  const std::string input = R"({"Records":[{"a":1},{"Records":[ ],"b":2},{"Records":[]},{"Records":[{"c":3}]},{"Records": [] }]})";
  for (const std::size_t chunk : {1ul, 7ul, 4096ul}) {
    EXPECT_EQ(texts(frame(json(), input, chunk)), (std::vector<std::string>{R"({"a":1})", R"({"Records":[ ],"b":2})", R"({"c":3})"}))
        << chunk;
  }
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

// What surrounds a broken record stays, each cut off on its own.
TEST(Framer, BrokenRecordsCostOnlyThemselves) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    const bool in_lines = random() % 2;
    std::string input = in_lines ? "" : "{\"Records\":[";
    Strings good;
    std::size_t broken = 0;
    for (int i = 0; i < 40; ++i) {
      std::string record = "{\"eventVersion\":\"1.08\",\"who\":{\"name\":\"n" + std::to_string(i) +
                           "\",\"list\":[{\"k\":1},{\"k\":2}]},\"n\":" + std::to_string(i) + "}";
      // A quote is lost; in lines, the rest of the record may be.
      if (i != 0 && random() % 4 == 0) {
        if (in_lines && random() % 2) {
          record.resize(20 + random() % (record.size() - 21));
        } else {
          std::vector<std::size_t> quotes;
          for (std::size_t q = 0; q < record.size(); ++q) {
            if (record[q] == '"' && q > 15) quotes.push_back(q);
          }
          record.erase(quotes[random() % quotes.size()], 1);
        }
        ++broken;
      } else {
        good.push_back(record);
      }
      input += record + (in_lines ? "\n" : i == 39 ? "" : ",");
    }
    if (!in_lines) input += "]}";
    const auto pieces = frame(json(), input, 1 + random() % 5000, {1 + random() % 5000, 16 << 20});
    std::size_t found = 0;
    for (const std::string& text : texts(pieces)) found += found < good.size() && text == good[found];
    ASSERT_EQ(found, good.size()) << input;
    ASSERT_LE(pieces.size(), good.size() + 2 * broken) << input;
  }
}

// What is no record, though it has quotes without their others, ends before the next record.
TEST(Framer, StrayTextBetweenRecordsCostsNoOtherRecord) {
  const auto record = [](int i) { return "{\"eventVersion\":\"1.08\",\"agent\":\"a, b {c\",\"n\":" + std::to_string(i) + "}"; };
  for (const std::string junk : {"garbage\"", "\"unclosed", "08\",\"x\":1}", "tru\"e", "\"a\" b", "\"", "\\\"", "\"a\":", "\"\\\", x\""}) {
    for (const std::string open : {"{\"Records\":[", "["}) {
      for (const int at : {0, 5, 30}) {
        std::string input = open;
        Strings good;
        for (int i = 0; i < 31; ++i) {
          if (i == at) input += junk + ",";
          input += record(i) + (i == 30 ? "" : ",");
          good.push_back(record(i));
        }
        input += open == "[" ? "]" : "]}";
        for (const std::size_t piece : {std::size_t{1}, std::size_t{37}, input.size()}) {
          const auto pieces = frame(json(), input, piece, {1 + piece * 3, 16 << 20});
          std::size_t found = 0;
          for (const std::string& text : texts(pieces)) found += found < good.size() && text == good[found];
          EXPECT_EQ(found, good.size()) << junk << " before record " << at << " of " << open;
          EXPECT_GT(pieces.size(), good.size()) << junk;
          EXPECT_LE(pieces.size(), good.size() + 3) << junk;
        }
      }
    }
  }
  // Documents without a line's end between them.
  const auto pieces = frame(json(), record(1) + "garbage\"" + record(2) + record(3), 7, {100, 1 << 20});
  EXPECT_EQ(texts(pieces), (Strings{record(1), "garbage\"", record(2), record(3)}));
}

// Bytes that are missing cost the records that they belonged to.
TEST(Framer, AGapCostsNoOtherRecord) {
  std::string sound = "{\"Records\":[";
  Strings records;
  for (int i = 0; i < 20; ++i) {
    records.push_back("{\"eventVersion\":\"1.08\",\"who\":{\"name\":\"n\",\"list\":[{\"k\":1}]},\"n\":" + std::to_string(i) + "}");
    sound += (i == 0 ? "" : ",") + records.back();
  }
  sound += "]}";
  const std::size_t one = records.back().size(), begin = sound.find(records[8]);
  for (std::size_t at = begin; at < begin + 2 * one; ++at) {
    for (const std::size_t length : {std::size_t{1}, std::size_t{20}, one}) {
      std::string input = sound;
      input.erase(at, length);
      std::set<std::string> found;
      for (const std::string& text : texts(frame(json(), input, 50, {200, 1 << 20}))) found.insert(text);
      std::size_t lost = 0;
      for (const std::string& record : records) lost += !found.contains(record);
      EXPECT_LE(lost, 3u) << input;
    }
  }
}

TEST(Framer, BytesChangedAtRandomNeverCostTheCount) {
  std::mt19937 random(4);
  std::string sound = "{\"Records\":[";
  for (int i = 0; i < 30; ++i) sound += "{\"eventVersion\":\"1\",\"a\":{\"b\":[1,\"x\\\"y\"]},\"n\":" + std::to_string(i) + "},\n";
  sound.replace(sound.size() - 2, 2, "]}");
  for (int i = 0; i < 2000; ++i) {
    std::string input = sound;
    for (unsigned n = 1 + random() % 3; n; --n) input[random() % input.size()] = static_cast<char>(random());
    for (const FrameSpec& spec : {json(), json(""), lines()}) {
      const auto whole = frame(spec, input, input.size(), {200, 1 << 20});
      ASSERT_EQ(whole, frame(spec, input, 1 + random() % 50, {1 + random() % 500, 1 << 20})) << input;
    }
  }
}

// Each of these would take minutes if the same bytes were looked at again and again.
TEST(Framer, AFirstRecordThatIsUnlikeTheOthersCostsNoneOrOneOfThem) {
  Strings others;
  for (int i = 1; i < 8; ++i)
    others.push_back(R"({"eventVersion":"1.08","userIdentity":{"type":"Root"},"resources":[{"ARN":"a"},{"ARN":"b"}],"eventID":")" +
                     std::to_string(i) + "\"}");
  std::string rest;
  for (const std::string& record : others) rest += "," + record;
  for (const std::string bad : {R"({"a":[1,2})", R"({"a":{"b":1})", R"({"a":{"b":[1}})", R"({"a":1,"b":{"c":2})", "{", "[",
                                R"({"eventVersion")", R"({"eventVersion":"1.08")", R"({"x":"y)", "garbage"}) {
    for (const std::string before : {R"({"Records":[)", "["}) {
      const Strings found = texts(frame(json(), before + bad + rest + (before == "[" ? "]" : "]}"), 1 << 20));
      std::size_t left = 0;
      for (const std::string& record : others) left += static_cast<std::size_t>(std::count(found.begin(), found.end(), record));
      EXPECT_GE(left + 1, others.size()) << before << bad;
      EXPECT_GT(found.size(), left) << before << bad;
    }
  }
}

// What begins as a record does is a record only where a record may begin: objects within it may have its first key, and members of the envelope, too.
TEST(Framer, WhatIsWithinARecordIsNotTakenForRecords) {
  const std::string inner = R"([{"id":"p-2","displayName":"a"},{"id":"p-3","displayName":"b"},{"id":"p-4","displayName":"c"}])";
  const auto record = [&](int n) {
    return R"({"id":")" + std::to_string(n) + R"(","time":"2026-03-01T00:00:00Z","policies":)" + inner + "}";
  };
  const std::string truncated = "reject " + std::to_string(LM_REJECT_TRUNCATED) + ": ";
  // An array, or an envelope, that ends behind a whole record.
  for (const std::string before : {"[", R"({"Records":[)"}) {
    EXPECT_EQ(texts(frame(json(), before + record(1), 1 << 20)), (Strings{record(1), truncated}));
    EXPECT_EQ(texts(frame(json(), before + record(1) + "," + record(2), 1 << 20)), (Strings{record(1), record(2), truncated}));
    EXPECT_EQ(texts(frame(json(), before + R"({"id":1,"items":[{"id":2},{"id":3}]})", 1 << 20)),
              (Strings{R"({"id":1,"items":[{"id":2},{"id":3}]})", truncated}));
  }
  // Cut off, or broken, it is one.
  const std::string cut = record(2).substr(0, record(2).size() - 20);
  EXPECT_EQ(texts(frame(json(), record(1) + "\n" + cut, 1 << 20)), (Strings{record(1), truncated + cut}));
  EXPECT_EQ(texts(frame(json(), "[" + cut, 1 << 20, {}, "torn")), (Strings{truncated + cut}));
  std::string broken = record(2);
  broken.erase(broken.rfind('"'), 1);
  EXPECT_EQ(texts(frame(json(), record(1) + "\n" + broken + "\n" + record(3) + "\n", 1 << 20)), (Strings{record(1), broken, record(3)}));
  // Too long, and sound.
  std::string large = record(2);
  large.insert(large.find(inner) + inner.size() - 1, [&] {
    std::string more;
    for (int i = 0; i < 400; ++i) more += R"(,{"id":"p-)" + std::to_string(i) + R"(","displayName":"d"})";
    return more;
  }());
  for (const std::size_t chunk : {1ul, 1000ul, 1ul << 20}) {
    const auto pieces = frame(json(), record(1) + "\n" + large + "\n" + record(3) + "\n", chunk, {1 << 20, 2000});
    ASSERT_EQ(pieces.size(), 3u) << chunk;
    EXPECT_EQ(pieces[1].reject, std::uint32_t{LM_REJECT_OVERSIZE});
    const auto first = frame(json(), "[" + large + "," + record(3) + "]", chunk, {1 << 20, 2000});
    ASSERT_EQ(first.size(), 2u) << chunk;
    EXPECT_EQ(first[0].reject, std::uint32_t{LM_REJECT_OVERSIZE});
  }
  // Members behind the records.
  const auto all = [](const std::string& text) { return texts(frame(json(), text, 1 << 20)); };
  EXPECT_EQ(all(R"({"Records":[{"v":1,"a":1},{"v":1,"a":2}],"v":"1.0"})"), (Strings{R"({"v":1,"a":1})", R"({"v":1,"a":2})"}));
  EXPECT_EQ(all(R"([{"Records":[{"v":1,"a":1}],"v":1},{"Records":[{"v":1,"a":2},{"v":1,"a":3}]}])"),
            (Strings{R"({"v":1,"a":1})", R"({"v":1,"a":2})", R"({"v":1,"a":3})"}));
  EXPECT_EQ(all(R"({"Records":[{"v":1,"a":1}],"v":1}{"Records":[{"v":1,"a":2}]})"), (Strings{R"({"v":1,"a":1})", R"({"v":1,"a":2})"}));
  EXPECT_EQ(all(R"({"id":9}{"Records":[{"time":1},{"time":2}],"id":"req-1"}{"Records":[{"time":3}]})"),
            (Strings{R"({"id":9})", R"({"time":1})", R"({"time":2})", R"({"time":3})"}));
}

// Whatever becomes of one byte, between the first record's brace and the last one's: the records that it is not in stay, and of its own something is left that a parser will reject.
TEST(Framer, AByteThatIsChangedCostsItsRecordAndNothingInSilence) {
  Strings wanted;
  for (int i = 0; i < 5; ++i)
    wanted.push_back(R"({"eventVersion":"1.11","userIdentity":{"type":"Root"},"resources":[{"ARN":"a,{b"},{"n":)" + std::to_string(i) +
                     R"(}],"eventID":")" + std::to_string(i) + "\"}");
  Strings pretty;
  for (const std::string& record : wanted) {
    std::string& text = pretty.emplace_back();
    bool quoted = false;
    for (const char c : record) {
      text += c;
      quoted ^= c == '"';
      if (!quoted && (c == '{' || c == ',')) text += "\n  ";
    }
  }
  const auto joined = [](const Strings& records, const std::string& between) {
    std::string out;
    for (const std::string& record : records) out += (out.empty() ? "" : between) + record;
    return out;
  };
  struct Form {
    const char* name;
    const Strings& records;
    std::string before, between, behind;
  };
  for (const Form& form : {Form{"envelope", wanted, R"({"Records":[)", ",", "]}"},
                           Form{"pretty envelope", pretty, "{\n \"Records\": [\n  ", ",\n  ", "\n ]\n}\n"},
                           Form{"array", wanted, "[", ",", "]"}, Form{"lines", wanted, "", "\n", "\n"}}) {
    const std::string body = joined(form.records, form.between), input = form.before + body + form.behind;
    for (std::size_t at = form.before.size(); at < form.before.size() + body.size(); ++at) {
      for (const char c : {'{', '}', '[', ']', ',', ':', '"', '\\', 'x', '\n', '\0'}) {  // '\0': it is gone
        std::string changed = input;
        if (c == '\0') {
          changed.erase(at, 1);
        } else {
          changed[at] = c;
        }
        const Strings found = texts(frame(json(), changed, 1 << 20));
        std::size_t left = 0;
        for (const std::string& record : form.records) left += static_cast<std::size_t>(std::count(found.begin(), found.end(), record) > 0);
        const auto where = [&] {
          return ::testing::Message() << form.name << " " << at << " " << c << "\n" << changed << "\n" << joined(found, "\n--\n");
        };
        // Where the first one's own beginning is hit, nobody may know how the others begin.
        const std::size_t beginning = form.records.front().find(':', form.records.front().find(':') + 1);  // two keys
        if (at >= form.before.size() + beginning) EXPECT_GE(left + 1, form.records.size()) << where();
        EXPECT_TRUE(left == form.records.size() || found.size() > left) << where() << "\nnothing is left of a record";
      }
    }
  }
}

TEST(Framer, HostileInputCostsItsLengthAndNotItsSquare) {
  const auto repeat = [](std::string_view what, std::size_t size) {
    std::string out;
    while (out.size() < size) out += what;
    return out;
  };
  const std::size_t size = 4 << 20;
  const FrameLimits limits{1 << 20, 1 << 20};
  for (const std::string& input :
       {repeat("{\"a\":[{},", size), repeat("{\"Records\":[{\"a\":{\"b\":1},", size), repeat("{\"a\":\"", size), repeat("{\"a\":\n", size),
        "{\"Records\":[" + repeat("{\"a\":{\"b\":1},", size), "[" + repeat("{\"a\":\"x},", size), "{\"" + std::string(size, 'k'),
        "{\"k\"" + std::string(size, ' '), "{\"a\":1}]" + std::string(size, ' '), "[{\"a\":1}" + std::string(size, ' '),
        std::string(size, '{'), std::string(size, '"'), std::string(size, '\\'), repeat("}{", size),
        "[{\"a\":1},{\"a\":\"x" + repeat("{\n", size), "[{\"a\":1},{\"a\":[" + repeat("{\"a\":[{},", size)}) {
    for (const FrameSpec& spec : {json(), json("")}) {
      auto framer = make_framer(spec, limits);
      for (std::size_t at = 0; at < input.size();) {
        const auto space = framer->space();
        ASSERT_LT(space.size(), std::size_t{8} << 20);
        const std::size_t n = std::min({space.size(), input.size() - at, std::size_t{16} << 10});
        std::memcpy(space.data(), input.data() + at, n);
        framer->commit(n);
        at += n;
        while (framer->next()) {}
        framer->take_rejects();
      }
      framer->finish("");
    }
  }
}

TEST(Framer, HeadersWithoutEndAreNotHeldWhole) {
  std::string input;
  for (int i = 0; i < 200'000; ++i) input += "#h\nrecord\n";
  EXPECT_EQ(frame(lines(), input, 1 << 16).size(), 200'000u);
  input.clear();
  for (int i = 0; i < 500'000; ++i) input += "#a header line\n";
  const auto pieces = frame(lines(), input + "record\n", 1 << 16, {1 << 20, 1000});
  ASSERT_EQ(pieces.size(), 1u);
  EXPECT_EQ(pieces[0].prologue.size(), 1000u);
}

TEST(Framer, SmallObjectsGiveSmallBlocks) {
  for (const FrameSpec& spec : {json(), lines()}) {
    auto framer = make_framer(spec, {});
    const std::string_view input = "{\"a\":1}\n{\"a\":2}\n";
    std::memcpy(framer->space().data(), input.data(), input.size());
    framer->commit(input.size());
    framer->finish("");
    auto block = framer->next();
    ASSERT_TRUE(block);
    EXPECT_EQ(block->records.size(), 2u);
    EXPECT_LE(block->data.capacity(), 100u);
    EXPECT_EQ(framer->records(), 2u);
  }
}

// A record that is longer than what the buffer began with, at the size limit exactly, and one byte beyond.
TEST(Framer, TheSizeLimitIsExact) {
  const auto record = [](std::size_t size) { return "{\"a\":\"" + std::string(size - 8, 'x') + "\"}"; };
  const std::size_t most = 1 << 20;
  for (const std::size_t chunk : {1000ul, 1ul << 22}) {
    const auto pieces = frame(json(), "[" + record(most) + "," + record(most + 1) + ",{\"a\":3}]", chunk, {1 << 16, most});
    ASSERT_EQ(pieces.size(), 3u);
    EXPECT_EQ(pieces[0].reject, 0u);
    EXPECT_EQ(pieces[1].reject, LM_REJECT_OVERSIZE);
    EXPECT_EQ(pieces[1].length, most + 1);
    EXPECT_EQ(pieces[1].text.size(), most);
    EXPECT_EQ(pieces[2].text, "{\"a\":3}");
  }
}

TEST(JsonScan, WhatIsInNoJsonIsSeenAtOnce) {
  const auto broken_at = [](std::string text) -> long {
    JsonScan scan;
    bool broken = false;
    const std::size_t size = text.size();
    text.append(LM_PADDING, '\0');
    const std::size_t n = scan_json(scan, reinterpret_cast<const std::uint8_t*>(text.data()), size, 0, &broken);
    return broken ? static_cast<long>(n) : -1;
  };
  EXPECT_EQ(broken_at(R"({"a":"x","b" : "y" , "c":["z"],"d":"w"})"), -1);
  EXPECT_EQ(broken_at(R"({"a":"x},{"b":1})"), 11) << "behind the end of a string";
  EXPECT_EQ(broken_at("{\"a\":\"x\n"), 8) << "behind the line feed";
  EXPECT_EQ(broken_at("{\"a\":{\"b\":1\n{\"c\""), 13) << "behind the brace that cannot be there";
  EXPECT_EQ(broken_at("{\"a\":1,\n{\"c\""), 9) << "a member has a name";
  EXPECT_EQ(broken_at("{\"a\":[\n{\"b\":1},\n{\"c\":\n{"), -1) << "an array may be laid out so";
}

TEST(JsonScan, EveryByteBehindAStringIsJudgedAlike) {
  for (unsigned c = 0; c < 256; ++c) {
    for (const std::size_t at : {10u, 63u, 64u, 100u}) {
      std::string text = "{\"" + std::string(at - 3, 'x') + "\"";
      text += static_cast<char>(c);
      text.append(200, ' ');
      const std::size_t size = text.size();
      text.append(LM_PADDING, ' ');
      JsonScan fast, obvious;
      bool fast_broken = false, obvious_broken = false;
      const auto* data = reinterpret_cast<const std::uint8_t*>(text.data());
      ASSERT_EQ(scan_json(fast, data, size, 0, &fast_broken), scan_json_scalar(obvious, data, size, 0, &obvious_broken))
          << c << " at " << at;
      ASSERT_EQ(fast_broken, obvious_broken) << c << " at " << at;
    }
  }
}

TEST(JsonScan, TheFastScannerAgreesWithTheObviousOne) {
  std::mt19937 random(2);
  static constexpr char kAlphabet[] = "{{}}[]\"\"\\\\\n\n ,:aa\x1f\xdb";
  static constexpr const char* kSound[] = {
      "{\"a\":\"", "\",\"b\":", "[", "{", "}", "]", ",\n", "\\\"", "\\\\", "1", "\"k\":", "\"x\"", "xxxxxxxxxxxxx", "\n{"};
  for (int i = 0; i < 200'000; ++i) {
    std::string text;
    for (unsigned n = random() % 20; n; --n) text += "x\n, {:["[random() % 7];
    const std::size_t before = text.size();
    const bool noise = random() % 3 == 0;
    for (unsigned n = random() % (noise ? 300 : 60); n; --n) {
      if (noise) {
        text += kAlphabet[random() % (sizeof kAlphabet - 1)];
      } else {
        text += kSound[random() % std::size(kSound)];
      }
    }
    const std::size_t size = text.size() - before;
    text.append(LM_PADDING, "\"{\n"[random() % 3]);  // what stands behind the end must not matter
    JsonScan fast;
    fast.depth = random() % 5;
    fast.braces = static_cast<std::int64_t>(random() % 3);
    fast.in_string = random() % 2;
    fast.escaped = random() % 2;
    fast.closed = !fast.in_string && !fast.escaped && random() % 2;
    JsonScan obvious = fast, pieces = fast;
    bool fast_broken = false, obvious_broken = false;
    const auto* data = reinterpret_cast<const std::uint8_t*>(text.data()) + before;
    const std::size_t end = scan_json(fast, data, size, before, &fast_broken);
    ASSERT_EQ(end, scan_json_scalar(obvious, data, size, before, &obvious_broken)) << text;
    ASSERT_EQ(fast_broken, obvious_broken) << text;
    const auto same = [](const JsonScan& a, const JsonScan& b) {
      if (a.depth == 0 && b.depth == 0) return a.braces == b.braces;
      return a.depth == b.depth && a.braces == b.braces && a.in_string == b.in_string && a.escaped == b.escaped && a.closed == b.closed;
    };
    ASSERT_TRUE(same(fast, obvious)) << text;
    // In two pieces it is the same.
    const std::size_t cut = size == 0 ? 0 : random() % size;
    bool broken = false;
    std::size_t n = scan_json(pieces, data, cut, before, &broken);
    if (n > cut && !broken) n = cut + scan_json(pieces, data + cut, size - cut, before + cut, &broken);
    ASSERT_EQ(n, end) << text;
    ASSERT_EQ(broken, fast_broken) << text;
    ASSERT_TRUE(same(pieces, fast)) << text;
  }
}

}  // namespace
