// What sinks share: views over arrays, JSON lines, options, files that appear whole, and the C++ face of the border.
#include "common/arrow_view.hpp"
#include "common/json_writer.hpp"
#include "common/options.hpp"
#include "common/output_file.hpp"
#include "common/sink_glue.hpp"
#include "sink_arrow.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <simdjson.h>
#include <unistd.h>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <span>
#include <sstream>

namespace lm::sink {
namespace {

using namespace lm::test;

Field field_of(const ColumnPtr& root) {
  root->wire();
  auto field = Field::parse(root->schema);
  EXPECT_TRUE(field) << field.error().message;
  return *field;
}

std::string lines(JsonWriter& writer, const ColumnPtr& root, std::uint64_t instance = 1, std::uint64_t epoch = 1,
                  std::size_t stop = 1 << 20) {
  root->wire();
  TextBuffer out;
  std::string all;
  writer.begin(root->array, instance, epoch);
  for (std::int64_t row = 0; row < writer.rows();) {
    row = writer.render(row, out, stop);
    all += out.view();
    out.clear();
  }
  writer.end();
  return all;
}

// What a recipe says, carried out.
std::string carried_out(const Recipe& recipe) {
  std::string out;
  std::string_view left = recipe.literals();
  for (const Recipe::Step& step : recipe.steps()) {
    out += left.substr(0, step.literals);
    left.remove_prefix(std::min<std::size_t>(left.size(), step.literals));
    if (step.distance == 0 || step.distance > out.size()) return "a match from before the text";
    for (std::uint32_t i = 0; i < step.length; ++i) out += out[out.size() - step.distance];
  }
  return out.append(left);
}

// The same lines, made from the lines before them.
std::string lines_by_recipe(JsonWriter& writer, const ColumnPtr& root, std::size_t stop = 1 << 20, std::size_t* copied = nullptr) {
  root->wire();
  TextBuffer out;
  Recipe recipe;
  std::string all;
  const auto flush = [&] {
    EXPECT_EQ(carried_out(recipe), out.view());
    if (copied) *copied += recipe.copied();
    all += out.view();
    out.clear(), recipe.clear();
  };
  // Twice: the second batch stands behind the first one in the text.
  for (int batch = 0; batch < 2; ++batch) {
    writer.begin(root->array, 1, 1);
    for (std::int64_t row = 0; row < writer.rows();) {
      row = writer.render(row, out, stop, recipe);
      if (out.size() >= stop) flush();
    }
    writer.end();
  }
  flush();
  return all;
}

std::string lines(const ColumnPtr& root) {
  JsonWriter writer(field_of(root), 1 << 20);
  return lines(writer, root);
}

// ---- The view ----

TEST(ArrowView, AddsTheOffsetsOfArrayAndParents) {
  const auto inner = from(1, int64s("n", {90, 1, 2, 3, std::nullopt}));
  const auto root = structure("", {from(1, structure("s", {inner}, {true, false, true, true}))}, {}, 0);
  root->length = 3;
  const Field field = field_of(root);
  const ArrowView view(field, root->array);
  const ArrowView s = view.child("s"), n = s.child("n");
  ASSERT_EQ(n.length(), 3);
  EXPECT_FALSE(s.valid(0));
  EXPECT_TRUE(s.valid(1));
  EXPECT_EQ(s.null_count(), 1);
  EXPECT_EQ(n.int64(0), 2);
  EXPECT_EQ(n.int64(1), 3);
  EXPECT_FALSE(n.valid(2));
  EXPECT_EQ(n.null_count(), 1);
}

TEST(ArrowView, CountsNullsWhereTheArrayDoesNotSay) {
  std::vector<std::optional<std::int32_t>> values;
  for (int i = 0; i < 300; ++i) values.push_back(i % 3 == 0 ? std::nullopt : std::optional(i));
  auto column = int32s("n", values);
  column->null_count = -1;
  const auto root = structure("", {column});
  const Field field = field_of(root);
  EXPECT_EQ(ArrowView(field, root->array).child(0).null_count(), 100);
  EXPECT_EQ(ArrowView(field, root->array).child(0).slice(5, 295).null_count(), 97);
}

TEST(ArrowView, RefusesWhatAnArrayContradicts) {
  auto root = structure("", {coded("c", {"a"}, {0, 1})});
  Field field = field_of(root);
  EXPECT_EQ(ArrowView(field, root->array).child(0).code(0), 0);
  EXPECT_THROW(ArrowView(field, root->array).child(0).code(1), BadArray);
  EXPECT_THROW(ArrowView(field, root->array).child(0).code(2), BadArray);
  EXPECT_THROW(ArrowView(field, root->array).child("d"), BadArray);
  root = structure("", {int32s("n", {1, 2})});
  field = field_of(root);
  root->children[0]->array.length = 1;
  EXPECT_THROW(ArrowView(field, root->array).child(0), BadArray);
  root->children[0]->array.n_buffers = 1;
  EXPECT_THROW(ArrowView(field, root->array).child(0), BadArray);
  root = structure("", {list("l", {1, 2}, int32s("item", {1, 2}))});
  field = field_of(root);
  EXPECT_THROW(ArrowView(field, root->array).child(0).range(1), BadArray);
}

TEST(Field, NamesTheColumnThatHasAnUnsupportedType) {
  const auto root = structure("", {list("resources", {1}, structure("item", {numbers<std::int16_t>("s", "n", {1})}))});
  root->wire();
  const auto field = Field::parse(root->schema);
  ASSERT_FALSE(field);
  EXPECT_EQ(field.error().code, LM_UNSUPPORTED);
  EXPECT_EQ(field.error().message, "column 'resources[].n' has the Arrow type 's'");
}

// ---- JSON ----

TEST(JsonWriter, LeavesOutWhatIsAbsent) {
  const auto empty = structure("empty", {int32s("n", {std::nullopt, std::nullopt, std::nullopt})});
  const auto some = structure("some", {int32s("n", {std::nullopt, 2, 3}), structure("in", {texts("t", {std::nullopt, "x", std::nullopt})})},
                              {true, true, false});
  const auto root =
      structure("", {empty, some, doubles("d", {std::numeric_limits<double>::quiet_NaN(), 0.1, std::numeric_limits<double>::infinity()}),
                     booleans("b", {true, std::nullopt, false})});
  EXPECT_EQ(lines(root),
            "{\"b\":true}\n"
            "{\"some\":{\"n\":2,\"in\":{\"t\":\"x\"}},\"d\":0.1}\n"
            "{\"b\":false}\n");
}

TEST(JsonWriter, WritesARowWithNothingInItAsAnEmptyObject) {
  EXPECT_EQ(lines(structure("", {int32s("n", {std::nullopt, 1})})), "{}\n{\"n\":1}\n");
  EXPECT_EQ(lines(structure("", {int32s("n", {std::nullopt})})), "{}\n");
  EXPECT_EQ(lines(structure("", {int32s("n", {})})), "");
}

TEST(JsonWriter, KeepsEmptyListsAndThePlacesOfElements) {
  const auto root =
      structure("", {list("l", {0, std::nullopt, 3}, int32s("item", {1, std::nullopt, 3})),
                     list("s", {2, 0, 1}, structure("item", {texts("t", {"a", std::nullopt, std::nullopt})}, {true, true, false})),
                     list("e", {0, 0, 0}, texts("item", {}))});
  EXPECT_EQ(lines(root),
            "{\"l\":[],\"s\":[{\"t\":\"a\"},{}],\"e\":[]}\n"
            "{\"s\":[],\"e\":[]}\n"
            "{\"l\":[1,null,3],\"s\":[null],\"e\":[]}\n");
}

TEST(JsonWriter, NestsListsOfStructsOfLists) {
  const auto inner = list("ports", {2, 0, std::nullopt, 1}, int32s("item", {1, 2, 3}));
  const auto root = structure("", {list("hosts", {3, 1}, structure("item", {texts("name", {"a", "b", "c", "d"}), inner}))});
  EXPECT_EQ(lines(root),
            "{\"hosts\":[{\"name\":\"a\",\"ports\":[1,2]},{\"name\":\"b\",\"ports\":[]},{\"name\":\"c\"}]}\n"
            "{\"hosts\":[{\"name\":\"d\",\"ports\":[3]}]}\n");
}

TEST(JsonWriter, InlinesJsonTextOnOneLine) {
  const auto root = structure("", {as_json(texts("u", {"{\"a\":\r\n [1,\n2]}", "\"x\\ny\"", std::nullopt, "", "[\t1]"}))});
  EXPECT_EQ(lines(root), "{\"u\":{\"a\":   [1, 2]}}\n{\"u\":\"x\\ny\"}\n{}\n{}\n{\"u\":[\t1]}\n");
}

TEST(JsonWriter, WritesNumbersThatReadBackAsTheSame) {
  const std::vector<std::optional<double>> values{0.1, 1e300, 5e-324, -0.0, 1.0 / 3, 9007199254740993.0, 1e21, 123456.0};
  std::vector<std::optional<std::int64_t>> integers{
      std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(), 0, -1, 1, 10, 99, 100};
  const std::string text = lines(structure("", {doubles("d", values), int64s("i", integers)}));
  simdjson::dom::parser parser;
  std::istringstream in(text);
  std::string line;
  for (std::size_t row = 0; std::getline(in, line); ++row) {
    const simdjson::dom::element event = parser.parse(line);
    const double back = double(event["d"]);
    EXPECT_EQ(back, *values[row]);
    EXPECT_EQ(std::signbit(back), std::signbit(*values[row])) << line;
    EXPECT_EQ(std::int64_t(event["i"]), *integers[row]);
  }
}

TEST(JsonWriter, EscapesSoThatEveryTextReadsBack) {
  std::vector<std::optional<std::string>> values;
  for (int c = 0; c < 128; ++c) {
    for (const std::size_t before : {0u, 1u, 14u, 15u, 16u, 17u, 31u, 100u}) {
      values.push_back(std::string(before, 'x') + static_cast<char>(c) + "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
    }
  }
  values.push_back(std::string(20000, '"'));
  values.push_back(std::string(5000, '\x01') + "end");
  values.push_back("");
  std::vector<std::string> dictionary;
  std::vector<std::optional<std::int32_t>> codes;
  for (const auto& v : values) dictionary.push_back(*v), codes.push_back(static_cast<std::int32_t>(codes.size()));
  const std::string text = lines(structure("", {texts("plain", values), coded("co\"ded", dictionary, codes)}));
  simdjson::dom::parser parser;
  std::istringstream in(text);
  std::string line;
  std::size_t row = 0;
  for (; std::getline(in, line); ++row) {
    const simdjson::dom::element event = parser.parse(line);
    EXPECT_EQ(std::string_view(event["plain"]), *values[row]);
    EXPECT_EQ(std::string_view(event["co\"ded"]), *values[row]);
  }
  EXPECT_EQ(row, values.size());
  EXPECT_EQ(lines(structure("", {texts("t", {"\x1f\x7f/\b\f\n\r\t\"\\"})})), "{\"t\":\"\\u001f\x7f/\\b\\f\\n\\r\\t\\\"\\\\\"}\n");
}

TEST(JsonWriter, GivesCodesTheMeaningOfTheirInstanceAndEpoch) {
  const auto batch = [](std::vector<std::string> words) {
    return structure("", {coded("c", words, {0, 1, 0}), coded("d", words, {1, 1, 1})});
  };
  JsonWriter writer(field_of(batch({"a", "b"})), 1 << 20);
  EXPECT_EQ(lines(writer, batch({"a", "b"}), 1, 1), "{\"c\":\"a\",\"d\":\"b\"}\n{\"c\":\"b\",\"d\":\"b\"}\n{\"c\":\"a\",\"d\":\"b\"}\n");
  EXPECT_EQ(lines(writer, batch({"x", "y"}), 2, 1), "{\"c\":\"x\",\"d\":\"y\"}\n{\"c\":\"y\",\"d\":\"y\"}\n{\"c\":\"x\",\"d\":\"y\"}\n");
  EXPECT_EQ(lines(writer, batch({"a", "b", "c"}), 1, 1),
            "{\"c\":\"a\",\"d\":\"b\"}\n{\"c\":\"b\",\"d\":\"b\"}\n{\"c\":\"a\",\"d\":\"b\"}\n");
  EXPECT_EQ(lines(writer, batch({"p", "q"}), 1, 2), "{\"c\":\"p\",\"d\":\"q\"}\n{\"c\":\"q\",\"d\":\"q\"}\n{\"c\":\"p\",\"d\":\"q\"}\n");
}

TEST(JsonWriter, KeepsItsCacheBounded) {
  constexpr std::size_t kBound = 64 << 10;
  std::vector<std::string> words;
  std::vector<std::optional<std::int32_t>> codes;
  for (int i = 0; i < 5000; ++i) words.push_back(std::string(100, 'w') + std::to_string(i)), codes.push_back(i);
  const auto root = structure("", {coded("c", words, codes), coded("d", {"x"}, std::vector<std::optional<std::int32_t>>(5000, 0))});
  JsonWriter writer(field_of(root), kBound);
  std::string first;
  for (std::uint64_t instance = 1; instance < 40; ++instance) {
    const std::string text = lines(writer, root, instance, instance % 3);
    if (first.empty()) first = text;
    ASSERT_EQ(text, first);
    ASSERT_LE(writer.cached_bytes(), kBound);
  }
}

// A table that has the sink to itself may use all that there is for dictionaries, and no table is left without its part because another came first.
TEST(JsonWriter, SharesWhatIsForDictionariesAmongTables) {
  constexpr std::size_t kBytes = std::size_t{1} << 20;
  std::vector<std::string> words;
  std::vector<std::optional<std::int32_t>> codes;
  for (int i = 0; i < 5000; ++i) words.push_back(std::string(100, 'w') + std::to_string(i)), codes.push_back(i);
  const auto root = structure("", {coded("c", words, codes)});
  struct Holder {
    explicit Holder(Field field) : writer(std::move(field), 0) {}
    JsonWriter writer;
  };
  std::vector<std::unique_ptr<Holder>> all(4);
  const auto render = [&](std::size_t at) {
    if (!all[at]) all[at] = std::make_unique<Holder>(field_of(root));
    const std::size_t share = cache_share(all, at, kBytes);
    EXPECT_GE(share, kBytes / 4);
    all[at]->writer.set_cache_bytes(share);
    EXPECT_FALSE(lines(all[at]->writer, root, at).empty());
    std::size_t held = 0;
    for (const auto& holder : all) held += holder ? holder->writer.cached_bytes() : 0;
    EXPECT_LE(held, kBytes);
    return share;
  };
  EXPECT_EQ(render(0), kBytes);
  EXPECT_GT(all[0]->writer.cached_bytes(), kBytes / 2);
  for (int round = 0; round < 3; ++round) {
    for (const std::size_t at : {1, 2, 3, 0}) render(at);
  }
  // A table of few values takes from a full one once, not with every batch.
  all.clear(), all.resize(4);
  const auto few = structure("", {coded("c", {"a", "b"}, {0, 1})});
  for (int round = 0; round < 5; ++round) {
    const std::size_t before = all[0] ? all[0]->writer.cached_bytes() : 0;
    render(0);
    if (round > 1) EXPECT_EQ(all[0]->writer.cached_bytes(), before);
    if (!all[1]) all[1] = std::make_unique<Holder>(field_of(few));
    all[1]->writer.set_cache_bytes(cache_share(all, 1, kBytes));
    EXPECT_FALSE(lines(all[1]->writer, few).empty());
    if (round > 0) EXPECT_GT(all[0]->writer.cached_bytes(), kBytes / 4);
  }
  all[0]->writer.forget();
  EXPECT_EQ(all[0]->writer.cached_bytes(), 0u);
  all[1] = std::make_unique<Holder>(field_of(root));
  EXPECT_EQ(lines(all[0]->writer, root), lines(all[1]->writer, root));
}

// What is fetched ahead belongs to rows that may have no value: nothing of it is judged.
TEST(JsonWriter, FetchesAheadWithoutJudgingWhatNobodyReads) {
  std::vector<std::string> words;
  for (int i = 0; i < 3000; ++i) words.push_back("word " + std::to_string(i));
  std::vector<std::optional<std::int32_t>> codes;
  for (int i = 0; i < 64; ++i) codes.push_back(i * 7);
  codes[20] = std::nullopt;
  const auto root = structure("", {coded("c", words, codes)});
  JsonWriter plain(field_of(root), 1 << 20), writer(field_of(root), 1 << 20);
  const std::string expected = lines(plain, root);
  const ArrowArray& column = *root->array.children[0];
  const_cast<std::int32_t*>(static_cast<const std::int32_t*>(column.buffers[1]))[20] = 2500;
  const_cast<std::int32_t*>(static_cast<const std::int32_t*>(column.dictionary->buffers[1]))[2500] = -7;
  EXPECT_EQ(lines(writer, root), expected);
}

// A slow and obvious renderer, to compare with.
void reference(const ArrowView& view, std::int64_t row, bool element, std::string& out, bool& present) {
  const Field& field = view.field();
  present = view.valid(row);
  if (field.type == Type::float64 && present) present = std::isfinite(view.float64(row));
  if (field.type == Type::coded && present) present = view.dictionary_valid(view.code(row));
  if (present && field.json && view.text(row).empty()) present = false;
  if (!present) {
    if (element) out += "null";
    return;
  }
  const auto quoted = [&](std::string_view text) {
    out += '"';
    for (const char c : text) {
      char hex[8];
      if (c == '"' || c == '\\') {
        (out += '\\') += c;
      } else if (c == '\n') {
        out += "\\n";
      } else if (static_cast<unsigned char>(c) < 0x20) {
        std::snprintf(hex, sizeof hex, "\\u%04x", static_cast<unsigned>(c));
        out += hex;
      } else {
        out += c;
      }
    }
    out += '"';
  };
  switch (field.type) {
    case Type::structure: {
      std::string members;
      for (std::size_t i = 0; i < field.children.size(); ++i) {
        std::string value;
        bool there = false;
        reference(view.child(i), row, false, value, there);
        if (!there) continue;
        members.append(members.empty() ? "\"" : ",\"").append(field.children[i].name).append("\":").append(value);
      }
      present = element || !members.empty();
      if (present) out.append("{").append(members).append("}");
      break;
    }
    case Type::list: {
      out += '[';
      const auto range = view.range(row);
      for (std::int64_t i = range.begin; i < range.end; ++i) {
        if (i != range.begin) out += ',';
        bool there = false;
        reference(view.items(), i, true, out, there);
      }
      out += ']';
      break;
    }
    case Type::text:
      if (field.json) {
        out += view.text(row);
      } else {
        quoted(view.text(row));
      }
      break;
    case Type::coded: quoted(view.dictionary_text(view.code(row))); break;
    case Type::int32: out += std::to_string(view.int32(row)); break;
    case Type::int64: out += std::to_string(view.int64(row)); break;
    case Type::boolean: out += view.boolean(row) ? "true" : "false"; break;
    case Type::float64: {
      char number[40];
      const std::string text(number, std::to_chars(number, number + sizeof number, view.float64(row)).ptr);
      out += text;
      if (text.find_first_of(".e") == std::string::npos) out += ".0";
      break;
    }
  }
}

class RandomColumns {
 public:
  explicit RandomColumns(unsigned seed) : random_(seed) {}
  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }

  ColumnPtr make(std::string name, std::size_t rows, int depth, std::size_t kind) {
    // All absent, none absent, some absent; all the same or not.
    const std::size_t absence = below(4), sameness = below(3);
    const auto present = [&] { return absence == 0 ? false : absence < 3 || below(3) != 0; };
    const auto pick = [&](std::size_t n) { return sameness == 0 ? 1 : below(n); };
    const std::size_t offset = below(3) == 0 ? below(10) : 0, slots = rows + offset;
    ColumnPtr out;
    static const std::vector<std::string> kWords{"", "eu-west-1", "a \"quoted\" word", "two\nlines", "\x01", std::string(40, 'l')};
    const auto values = [&]<class T>(auto one, T) {
      std::vector<std::optional<T>> v(slots);
      for (auto& x : v) {
        if (present()) x = static_cast<T>(one());
      }
      return v;
    };
    if (kind == 0) out = int32s(name, values([&] { return pick(5); }, std::int32_t{}));
    if (kind == 1) out = int64s(name, values([&] { return static_cast<std::int64_t>(pick(5)) * -1234567890123; }, std::int64_t{}));
    if (kind == 2)
      out = doubles(name, values(
                              [&] {
                                const double n = static_cast<double>(pick(4));
                                return n == 3 ? std::nan("") : n / 3;
                              },
                              double{}));
    if (kind == 3) out = booleans(name, values([&] { return pick(2) == 1; }, bool{}));
    if (kind == 4) out = texts(name, values([&] { return kWords[pick(kWords.size())]; }, std::string{}));
    if (kind == 5) out = coded(name, kWords, values([&] { return pick(kWords.size()); }, std::int32_t{}));
    if (kind == 6)
      out = as_json(texts(name, values([&] { return pick(2) == 1 ? std::string("[1, {\"a\":null}]") : std::string(); }, std::string{})));
    if (kind == 7) {
      std::vector<ColumnPtr> children;
      const std::size_t n = 1 + below(4);
      for (std::size_t i = 0; i < n; ++i)
        children.push_back(make(std::string(1, static_cast<char>('a' + i)), slots, depth - 1, below(depth > 1 ? 9 : 7)));
      out = structure(name, std::move(children), validity_of(values([] { return true; }, bool{})));
      out->length = static_cast<std::int64_t>(slots);
    }
    if (kind == 8) {
      const auto lengths = values([&] { return pick(4); }, int{});
      std::size_t items = 0;
      for (const auto& l : lengths) items += static_cast<std::size_t>(l.value_or(0));
      out = list(name, lengths, make("item", items, depth - 1, below(depth > 1 ? 9 : 7)));
    }
    return offset != 0 ? from(static_cast<std::int64_t>(offset), out) : out;
  }

 private:
  std::mt19937 random_;
};

TEST(JsonWriter, EqualsTheObviousRenderingOnRandomBatches) {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    RandomColumns columns(seed);
    const std::size_t rows = 1 + columns.below(20);
    std::vector<ColumnPtr> children;
    for (int i = 0; i < 5; ++i) children.push_back(columns.make(std::string(1, static_cast<char>('p' + i)), rows, 4, columns.below(9)));
    const auto root = structure("", std::move(children));
    root->length = static_cast<std::int64_t>(rows);
    const Field field = field_of(root);
    const ArrowView view(field, root->array);
    std::string expected;
    for (std::int64_t row = 0; row < view.length(); ++row) {
      bool present = false;
      reference(view, row, true, expected, present);
      expected += '\n';
    }
    JsonWriter writer(field, seed % 2 == 0 ? 1 << 20 : 500);
    ASSERT_EQ(lines(writer, root, 1, 1, 1 + seed % 300), expected) << seed;
    ASSERT_EQ(lines(writer, root), expected) << seed;
    ASSERT_EQ(lines_by_recipe(writer, root, seed % 5 == 0 ? 1 + seed % 300 : 1 << 20), expected + expected) << seed;
  }
}

TEST(JsonWriter, SaysWhatARowHasInCommonWithTheRowBefore) {
  constexpr int kRows = 200;
  std::vector<std::optional<std::int64_t>> times, bytes;
  std::vector<std::optional<std::int32_t>> codes, names, ports;
  std::vector<std::optional<int>> lengths;
  for (int i = 0; i < kRows; ++i) {
    times.push_back(1772352000000 + i * 1000), bytes.push_back(i % 7 == 0 ? std::nullopt : std::optional<std::int64_t>(1 << (i % 20)));
    codes.push_back(i / 50), ports.push_back(i % 3 == 0 ? std::nullopt : std::optional(i));
    lengths.push_back(i % 11 == 0 ? 0 : 1 + i % 3);
    for (int k = 0; k < lengths.back(); ++k) names.push_back((i + k) % 4);
  }
  const std::string fixed(100, 'f');
  const auto observables =
      list("observables", lengths,
           structure("item", {coded("name", {"src_endpoint.ip", "dst_endpoint.ip", "a\"b", ""}, names),
                              coded("type", {"IP Address"}, std::vector<std::optional<std::int32_t>>(names.size(), 0))}));
  const auto root = structure(
      "", {int32s("absent_first", ports), coded("region", {"eu-west-1", "eu-west-2", "x", "us-east-1"}, codes),
           structure("cloud", {coded("provider", {fixed}, std::vector<std::optional<std::int32_t>>(kRows, 0)), int64s("bytes", bytes)}),
           structure("loose", {int32s("port", ports)}), observables, int64s("time", times)});
  JsonWriter writer(field_of(root), 1 << 20);
  const std::string expected = lines(root);
  std::size_t copied = 0;
  EXPECT_EQ(lines_by_recipe(writer, root, 1 << 20, &copied), expected + expected);
  EXPECT_GT(copied, expected.size() * 2 * 7 / 10);
}

TEST(JsonWriter, MakesNumbersOfEveryLengthFromOthers) {
  std::vector<std::optional<std::int64_t>> numbers;
  for (std::int64_t power = 1, i = 0; i < 19; ++i, power *= i < 19 ? 10 : 1) {
    for (const std::int64_t n : {power - 1, power, power + 1, power * 9 / 10 + 7, -power, power / 7 * 3}) numbers.push_back(n);
    numbers.push_back(std::nullopt);
  }
  numbers.push_back(std::numeric_limits<std::int64_t>::min()), numbers.push_back(std::numeric_limits<std::int64_t>::max());
  std::mt19937_64 random(1);
  for (int i = 0; i < 4000; ++i) {
    const std::optional<std::int64_t> n = numbers[random() % numbers.size()];
    numbers.push_back(n && random() % 2 == 0 ? std::optional(static_cast<std::int64_t>(static_cast<std::uint64_t>(*n) + random() % 20))
                                             : n);
  }
  std::vector<std::optional<std::int32_t>> small;
  for (const auto& n : numbers) small.push_back(n ? std::optional(static_cast<std::int32_t>(*n)) : std::nullopt);
  const auto root = structure("", {texts("t", std::vector<std::optional<std::string>>(numbers.size(), "t")), int64s("a", numbers),
                                   int32s("b", small), int64s("", numbers)});
  std::string expected;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    expected += "{\"t\":\"t\"";
    if (numbers[i]) {
      expected.append(",\"a\":").append(std::to_string(*numbers[i])).append(",\"b\":").append(std::to_string(*small[i]));
      expected.append(",\"\":").append(std::to_string(*numbers[i]));
    }
    expected += "}\n";
  }
  JsonWriter writer(field_of(root), 1 << 20);
  EXPECT_TRUE(lines(writer, root, 1, 1, 8 << 20) == expected);
  EXPECT_TRUE(lines_by_recipe(writer, root) == expected + expected);
}

TEST(JsonWriter, RendersWithoutARecipeInBetween) {
  const auto root = structure("", {int32s("n", {1, 2, 3, 4, 5, 6}), texts("t", {"same", "same", "same", "same", "same", "same"})});
  root->wire();
  JsonWriter writer(field_of(root), 1 << 20);
  TextBuffer out;
  Recipe recipe;
  writer.begin(root->array, 1, 1);
  std::int64_t row = writer.render(0, out, 1, recipe);
  row = writer.render(row, out, 1, recipe);
  EXPECT_NE(recipe.copied(), 0u);
  EXPECT_EQ(carried_out(recipe), out.view());
  out.clear(), recipe.clear();
  row = writer.render(row, out, 1);
  out.clear();
  while (row < writer.rows()) row = writer.render(row, out, 1, recipe);
  EXPECT_EQ(carried_out(recipe), out.view());
  EXPECT_EQ(out.view(), "{\"n\":4,\"t\":\"same\"}\n{\"n\":5,\"t\":\"same\"}\n{\"n\":6,\"t\":\"same\"}\n");
  writer.end();
}

// ---- Options ----

TEST(Options, ReadsWhatTheHostGives) {
  const auto options = Options::parse(R"({"compression":"gzip","zstd_level":3,"file_size":"64M","flag":true,"bytes":4096})",
                                      {"compression", "zstd_level", "file_size", "flag", "bytes"});
  ASSERT_TRUE(options);
  EXPECT_EQ(*options->choice("compression", {"none", "gzip"}, "none"), "gzip");
  EXPECT_EQ(*options->integer("zstd_level", 1, 22, 1), 3);
  EXPECT_EQ(*options->integer("absent", 1, 22, 9), 9);
  EXPECT_EQ(*options->size("file_size", 1, 0), 64u << 20);
  EXPECT_EQ(*options->size("bytes", 1, 0), 4096u);
  EXPECT_TRUE(*options->boolean("flag", false));
  EXPECT_TRUE(Options::parse("", {}));
  EXPECT_TRUE(Options::parse("{}", {}));
}

TEST(Options, NamesTheOptionThatIsWrong) {
  EXPECT_EQ(Options::parse(R"({"colour":1})", {"compression"}).error().message, "there is no option 'colour'");
  EXPECT_EQ(Options::parse("[]", {}).error().code, LM_INVALID);
  EXPECT_EQ(Options::parse("{", {}).error().code, LM_INVALID);
  EXPECT_EQ(Options::parse(R"({"a":[1]})", {"a"}).error().message, "option a is not a text, a number or a boolean");
  const auto options = Options::parse(R"({"level":"high","size":"64X","huge":"99999999T","flag":1})", {"level", "size", "huge", "flag"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->integer("level", 1, 9, 1).error().message, "option level: 'high' is not a number from 1 to 9");
  EXPECT_EQ(options->choice("level", {"low"}, "low").error().message, "option level: 'high' is not one of low");
  EXPECT_EQ(options->size("size", 1, 1).error().message, "option size: '64X' is not a size such as 64M");
  EXPECT_FALSE(options->size("huge", 1, 1));
  EXPECT_FALSE(options->boolean("flag", false));
}

// ---- Files ----

TEST(SafeComponent, MakesSafeNamesOfHostileValues) {
  EXPECT_EQ(safe_component("eu-west-1"), "eu-west-1");
  EXPECT_EQ(safe_component("../a b"), "%2E.%2Fa%20b");
  EXPECT_EQ(safe_component(".."), "%2E.");
  EXPECT_EQ(safe_component(std::string_view("\0", 1)), "%00");
  const std::string a = safe_component(std::string(5000, 'a') + "1"), b = safe_component(std::string(5000, 'a') + "2");
  EXPECT_LE(a.size(), 200u);
  EXPECT_NE(a, b);
  EXPECT_EQ(safe_component(""), "%");
}

TEST(Target, RefusesAHostThatOffersNoStorage) {
  lm_sink_config config{};
  config.struct_size = sizeof config;
  EXPECT_EQ(Target::open(config).error().code, LM_UNSUPPORTED);
  config.struct_size = offsetof(lm_sink_config, storage);
  EXPECT_EQ(Target::open(config).error().code, LM_UNSUPPORTED);
}

TEST(WriteFully, ReportsAFullDeviceAndAReaderThatHasGone) {
  const std::string text(1 << 16, 'x');
  const auto bytes = std::as_bytes(std::span(text));
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  EXPECT_EQ(write_fully(full, bytes), ENOSPC);
  ::close(full);
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  ::close(pipe[0]);
  EXPECT_EQ(write_fully(pipe[1], bytes), EPIPE);
  ::close(pipe[1]);
  EXPECT_EQ(write_fully(-1, bytes), EBADF);
}

// ---- The border ----

struct Thrower {
  static const lm_sink_descriptor& descriptor() {
    static const lm_sink_descriptor d{};
    return d;
  }
  static Result<std::unique_ptr<Thrower>> create(const lm_sink_config&) { return std::make_unique<Thrower>(); }
  Result<std::uint32_t> open(const lm_table&) { throw std::bad_alloc(); }
  Result<void> write(Batch) { throw std::runtime_error("broken"); }
  Result<void> seal(const Report&) { throw 1; }
  Result<void> publish(std::string_view) { return fail(LM_IO, std::string(5000, 'm')); }
  Result<void> discard(std::string_view) { return {}; }
};

TEST(SinkGlue, LetsNoExceptionOutAndTakesTheArrayAlways) {
  using Glue = detail::Glue<Thrower>;
  lm_sink sink{};
  lm_error error{sizeof(lm_error), 0, {}};
  const lm_sink_config config{};
  EXPECT_EQ(Glue::create(1, &config, &sink, &error), LM_INVALID);
  ASSERT_EQ(Glue::create(0, &config, &sink, &error), LM_OK);
  const lm_table table{};
  std::uint32_t handle = 0;
  EXPECT_EQ(sink.open(sink.self, &table, &handle, &error), LM_NO_MEMORY);
  lm_batch batch = batch_of(structure("", {int32s("n", {1})}), 0);
  EXPECT_EQ(sink.write(sink.self, &batch, &error), LM_INTERNAL);
  EXPECT_STREQ(error.message, "broken");
  EXPECT_EQ(batch.array.release, nullptr);
  EXPECT_EQ(sink.seal(sink.self, nullptr, nullptr, &error), LM_INTERNAL);
  EXPECT_EQ(sink.publish(sink.self, lm_str{}, &error), LM_IO);
  EXPECT_EQ(std::strlen(error.message), sizeof error.message - 1);
  EXPECT_EQ(sink.discard(sink.self, lm_str{}, nullptr), LM_OK);
  sink.destroy(sink.self);
}

}  // namespace
}  // namespace lm::sink
