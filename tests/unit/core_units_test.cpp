// Small parts of core: key patterns, sizes, times, sink specifications, the byte budget, passes over columns, what conform derives.
#include "base/passes.hpp"
#include "conform/conform.hpp"
#include "conform/json_text.hpp"
#include "pipeline/budget.hpp"
#include "plugin_host/key_pattern.hpp"
#include "plugin_host/later_records.hpp"
#include "plugin_host/shared_sample.hpp"
#include "plugin_host/validate.hpp"

#include <gtest/gtest.h>
#include <logmill/core.hpp>
#include <logmill/sdk/arrays.hpp>
#include <logmill/sdk/columns.hpp>
#include <logmill/sdk/intern.hpp>
#include <random>
#include <tuple>

namespace {

using namespace lm;

// Parsers that ask for the same outline get the same one, which is what each would have made by itself.
TEST(SharedSample, MakesAnOutlineOnceForAllWhoAsk) {
  const std::string head = R"({"Records":[{"a":"x","b":[1,{"c":2}]}],"after":1})";
  const lm_sample plain{sizeof(lm_sample), 1, {"k", 1}, reinterpret_cast<const std::uint8_t*>(head.data()), head.size(), nullptr};
  const SharedSample shared(plain);
  const lm_outline* const first = shared.outline(&shared, {"Records", 7});
  ASSERT_TRUE(first);
  EXPECT_EQ(shared.outline(&shared, {"records", 7}), first) << "the first letter may be either";
  EXPECT_NE(shared.outline(&shared, {nullptr, 0}), first);

  const auto score = [&](const lm_sample& given, std::string_view part, std::string_view envelope) {
    const json::Outline o(Sample{"k", part, true, &given}, envelope);
    return std::tuple(o.record("a"), o.document("Records"), o.document("after"), std::string(o.record_text("a").value_or("-")),
                      std::string(o.record_raw("b")), o.record_members(), o.clean());
  };
  lm_sample older = shared;  // of a host that knows no outlines; what lies behind its end is not looked at
  older.struct_size = offsetof(lm_sample, outline);
  older.outline = [](const lm_sample*, lm_str) -> const lm_outline* { throw std::logic_error("asked"); };
  for (const std::string_view part : {std::string_view(head), std::string_view(head).substr(0, 30), std::string_view(head).substr(11)}) {
    for (const std::string_view envelope : {"Records", "", "other"}) {
      const auto expected = score(plain, part, envelope);
      EXPECT_EQ(score(shared, part, envelope), expected) << part;
      EXPECT_EQ(score(older, part, envelope), expected) << part;
    }
  }
  std::size_t made = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "e" + std::to_string(i);
    made += shared.outline(&shared, {name.data(), name.size()}) != nullptr;
  }
  EXPECT_TRUE(made > 0 && made < 100) << made;
}

TEST(KeyPattern, MatchesTheEndOfAKeyAndCaptures) {
  const auto p = KeyPattern::compile("AWSLogs/{account}/CloudTrail/{region}/**");
  ASSERT_TRUE(p);
  KeyPattern::Captures captures;
  EXPECT_TRUE(p->matches("bucket/prefix/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/x.json.gz", &captures));
  EXPECT_EQ(captures, (KeyPattern::Captures{{"account", "111122223333"}, {"region", "eu-west-1"}}));
  EXPECT_FALSE(p->matches("AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/x"));
  EXPECT_FALSE(p->matches("myAWSLogs/1/CloudTrail/eu-west-1/x")) << "from a '/' on";
  EXPECT_FALSE(KeyPattern::compile("a/{b"));
  EXPECT_FALSE(KeyPattern::compile(""));
}

// What the pattern means, told plainly: every way to divide the key is tried.
bool means(std::string_view pattern, std::string_view key) {
  if (pattern.empty()) return key.empty();
  const bool deep = pattern.starts_with("**"), capture = pattern.front() == '{';
  if (!deep && !capture && pattern.front() != '*')
    return !key.empty() && key.front() == pattern.front() && means(pattern.substr(1), key.substr(1));
  const std::string_view behind = pattern.substr(deep ? 2 : capture ? pattern.find('}') + 1 : 1);
  for (std::size_t n = 0; n <= key.size(); ++n) {
    if (n != 0 && !deep && key[n - 1] == '/') return false;
    if ((n != 0 || !capture) && means(behind, key.substr(n))) return true;
  }
  return false;
}

TEST(KeyPattern, GivesUpOnlyWhereNoWayIsLeft) {
  std::mt19937 random(20260301);
  const auto any = [&](std::initializer_list<const char*> of, std::size_t most) {
    std::string out;
    for (std::size_t n = 1 + random() % most; n != 0; --n) out += of.begin()[random() % of.size()];
    return out;
  };
  std::size_t matched = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string pattern = any({"a", "b", "/", "*", "**", "{x}"}, 7);
    while (pattern.find("***") != std::string::npos) pattern.erase(pattern.find("***"), 1);
    const std::string key = any({"a", "b", "/"}, 9);
    bool expected = means(pattern, key);
    for (std::size_t slash = key.find('/'); slash != std::string::npos && !expected; slash = key.find('/', slash + 1))
      expected = means(pattern, key.substr(slash + 1));
    ASSERT_EQ(KeyPattern::compile(pattern)->matches(key), expected) << pattern << " of " << key;
    matched += expected;
  }
  EXPECT_GT(matched, 20'000u);
  EXPECT_LT(matched, 180'000u);
}

TEST(KeyPattern, HostileKeysDoNotCostTheirPower) {
  const auto p = KeyPattern::compile("**a**a**a**a**b");
  EXPECT_FALSE(p->matches(std::string(100'000, 'a')));
}

// What a key holds is what a search for each word finds.
TEST(KeyWords, FindsEveryWordThatTheKeyHolds) {
  std::mt19937 random(7);
  const auto any = [&](std::size_t most) {
    std::string out(random() % (most + 1), 'a');
    for (char& c : out) c = "ab/"[random() % 3];
    return out;
  };
  std::size_t held = 0;
  for (int round = 0; round < 2'000; ++round) {
    std::vector<std::string> words(1 + random() % 12);
    KeyWords index;
    for (std::uint32_t i = 0; i < words.size(); ++i) {
      words[i] = any(7);
      index.add(words[i], i);
    }
    for (int k = 0; k < 20; ++k) {
      const std::string key = any(20);
      std::vector<std::uint32_t> expected;
      for (std::uint32_t i = 0; i < words.size(); ++i) {
        if (key.find(words[i]) != std::string::npos) expected.push_back(i);
      }
      ASSERT_EQ(index.in(key), expected) << key;
      held += expected.size();
    }
  }
  EXPECT_GT(held, 10'000u);
}

TEST(LaterRecords, AreElementsDocumentsAndLinesBehindTheFirst) {
  const auto found = [](std::string_view sample) {
    std::vector<std::pair<std::string, std::string>> out;
    for (const LaterRecord& r : later_records(sample)) out.emplace_back(r.rest.substr(0, r.rest.find('}') + 1), r.envelope);
    return out;
  };
  using Found = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(found(R"({"Records":[{"a":[{"x":1},{"y":2}]},{"b":2},{"c":3}]})"),
            (Found{{R"({"b":2})", "Records"}, {R"({"c":3})", "Records"}, {R"({"y":2})", "Records"}}));
  EXPECT_EQ(found(R"({"v":1,"Records":[17,{"b":2}]})"), (Found{{R"({"b":2})", "Records"}}));
  EXPECT_EQ(found(R"([{"a":1}, {"b":2}])"), (Found{{R"({"b":2})", ""}}));
  EXPECT_EQ(found("{\"a\":1}\n{\"b\":2}{\"c\":3}"), (Found{{R"({"b":2})", ""}, {R"({"c":3})", ""}}));
  EXPECT_EQ(found("a line\n{\"b\":2}"), (Found{{R"({"b":2})", ""}}));
  // A quote is missing: by what stands around them.
  EXPECT_EQ(found(R"({"Records":[{"a":"x},{"b":"2"},{"c":3}]})"), (Found{{R"({"b":"2"})", "Records"}, {R"({"c":3})", "Records"}}));
  for (const char* const sample : {"", " ", "{", "[", "{}", "[\"", "{\"a", "{\"a\\", "x", "\n", "]]]}}}"})
    EXPECT_TRUE(later_records(sample).empty()) << sample;
  // Of hostile input few are looked at.
  std::string many = "[0";
  for (int i = 0; i < 1000; ++i) many += ",{\"a\":1}";
  EXPECT_LE(later_records(many).size(), 8u);
  std::mt19937 random(6);
  for (int round = 0; round < 20'000; ++round) {
    std::string sample(random() % 40, ' ');
    for (char& c : sample) c = "{}[]\",:\\\n a"[random() % 11];
    for (const LaterRecord& r : later_records(sample)) {
      ASSERT_GE(r.rest.data(), sample.data()) << sample;
      ASSERT_EQ(r.rest.data() + r.rest.size(), sample.data() + sample.size()) << sample;
      ASSERT_FALSE(r.rest.empty()) << sample;
    }
  }
}

TEST(JsonText, HalfACharacterBecomesTheReplacementCharacterAndNothingElseChanges) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {R"("\\ud83d\\ude00")", R"("\\ud83d\\ude00")"},          // a backslash, and text
      {R"("\ud83d\ude00")", R"("\ud83d\ude00")"},              // a pair
      {R"("\uD83D\uDE00")", R"("\uD83D\uDE00")"},              // of capitals
      {R"("\ud83d")", R"("\ufffd")"},                          // no second half
      {R"("\ude00 x")", R"("\ufffd x")"},                      // no first half
      {R"("\ud83d\ud83d\ude00")", R"("\ufffd\ud83d\ude00")"},  // the first of three is alone
      {R"("\ud83d\\ude00")", R"("\ufffd\\ude00")"},            // what follows is no escape
      {R"("\\\ud83d\n")", R"("\\\ufffd\n")"},                  // an escape behind a backslash
      {R"({"\uDBFF": "\uDFFF\u0041"})", R"({"\ufffd": "\ufffd\u0041"})"},
      {R"("\ud83d\u00e9\u0000")", R"("\ufffd\u00e9\u0000")"},
      {R"("\ud8)", R"("\ud8)"},  // no JSON: left to who judges it
      {R"("\ud83d\)", R"("\ufffd\)"},
      {R"("\)", R"("\)"},
      {"", ""},
  };
  for (const auto& [from, to] : cases) {
    std::string text(from);
    json_text::replace_halves(text);
    EXPECT_EQ(text, to) << from;
  }
}

TEST(Passes, FindTheEscapeWhereverItIs) {
  for (std::size_t size = 0; size < 150; ++size) {
    const std::string text(size, '\\');
    EXPECT_FALSE(passes::has_surrogate_escape(text.data(), size));
    for (std::size_t at = 0; at + 3 <= size; ++at) {
      for (const std::string_view escape : {"\\ud", "\\uD"}) {
        std::string there = text;
        there.replace(at, 3, escape);
        EXPECT_TRUE(passes::has_surrogate_escape(there.data(), size)) << at << " of " << size;
        EXPECT_FALSE(passes::has_surrogate_escape(there.data(), at + 2)) << "cut";
      }
      for (const std::string_view other : {"\\ue", "\\Ud", "xud"}) {
        std::string there = text;
        there.replace(at, 3, other);
        EXPECT_FALSE(passes::has_surrogate_escape(there.data(), size)) << other;
      }
    }
  }
}

TEST(Config, SizesAndTimesAreReadAsPeopleWriteThem) {
  EXPECT_EQ(parse_size("512M"), 512u << 20);
  EXPECT_EQ(parse_size("2GiB"), std::uint64_t{2} << 30);
  EXPECT_EQ(parse_size("100"), 100u);
  for (const char* bad : {"", "M", "-1", "1.5G", "99999999999G", "1Q"}) EXPECT_FALSE(parse_size(bad)) << bad;
  EXPECT_EQ(parse_time("2026-03-01"), 1772323200000);
  EXPECT_EQ(parse_time("2026-03-01T12:00:00+01:00"), 1772362800000);
  for (const char* bad : {"", "yesterday", "2026-02-30", "2026-3-1"}) EXPECT_FALSE(parse_time(bad)) << bad;
}

TEST(Config, ASinkIsKindTargetAndOptions) {
  const auto s = parse_sink("parquet:out,dir,zstd_level=3,layout=flat");
  ASSERT_TRUE(s);
  EXPECT_EQ(s->id, "parquet");
  EXPECT_EQ(s->target, "out,dir") << "a comma without name=value belongs to the target";
  EXPECT_EQ(s->options, (std::map<std::string, std::string>{{"zstd_level", "3"}, {"layout", "flat"}}));
  for (const char* bad : {"parquet", ":x", "parquet:", "parquet:x,a=1,a=2"}) EXPECT_FALSE(parse_sink(bad)) << bad;
}

TEST(Budget, WhoGetsNothingIsCalledWhenSomethingIsGivenBack) {
  Budget budget(100);
  int called = 0;
  EXPECT_TRUE(budget.take(1000, [] {})) << "something passes when nothing is out, or nothing ever would";
  EXPECT_FALSE(budget.take(1, [&] { ++called; }));
  budget.give(1000);
  EXPECT_EQ(called, 1);
  EXPECT_TRUE(budget.take(60, [] {}));
  EXPECT_FALSE(budget.take(60, [&] { ++called; }));
  budget.give(60);
  EXPECT_EQ(called, 2);
}

TEST(Passes, AgreeWithALoop) {
  std::mt19937 random(3);
  for (std::size_t size = 0; size < 200; ++size) {
    std::vector<std::int32_t> values(size), table(64), looked_up(size);
    for (auto& t : table) t = static_cast<std::int32_t>(random());
    for (auto& v : values) v = static_cast<std::int32_t>(random() % 64);
    passes::look_up(values.data(), size, table.data(), looked_up.data());
    for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(looked_up[i], table[static_cast<std::size_t>(values[i])]);

    for (auto& v : values) v = static_cast<std::int32_t>(random());
    std::vector<std::uint32_t> codes(values.begin(), values.end());
    ASSERT_EQ(passes::most(codes.data(), size), size ? *std::max_element(codes.begin(), codes.end()) : 0);
    const passes::Range range = passes::range(values.data(), size);
    if (size) {
      ASSERT_EQ(range.least, *std::min_element(values.begin(), values.end()));
      ASSERT_EQ(range.most, *std::max_element(values.begin(), values.end()));
    }
    std::sort(values.begin(), values.end());
    ASSERT_TRUE(passes::ascending(values.data(), size));
    for (std::size_t i = 1; i < size; ++i) {  // wherever it goes backwards
      std::vector<std::int32_t> wrong = values;
      wrong[i] = wrong[i - 1] - 1;
      ASSERT_FALSE(passes::ascending(wrong.data(), size)) << size << " " << i;
    }
    std::vector<std::uint8_t> bits((size + 7) / 8);
    std::size_t set = 0;
    for (auto& b : bits) b = static_cast<std::uint8_t>(random());
    for (std::size_t i = 0; i < size; ++i) set += bits[i >> 3] >> (i & 7) & 1;
    ASSERT_EQ(passes::bits_set(bits.data(), size), set);
  }
}

// A table with two addresses, two ids of one enum and a status, and batches for it.
class ConformTest : public testing::Test {
 protected:
  ConformTest() {
    for (std::size_t i = 0; i < std::size(columns_); ++i) {
      columns_[i] = {sizeof(lm_column), i == 3 || i == 4 ? std::uint32_t{LM_TEXT_DICTIONARY} : 0, text(kPaths[i]), {}};
    }
    class_ = {sizeof(lm_class), 4001, columns_, std::size(columns_), nullptr, 0};
    EXPECT_TRUE(tables_.add(class_));
    const auto endpoint = [](const char* name) {
      std::vector<ArrowSchema> children(2);
      detail::SchemaOwner::make(&children[0], "i", "ip", {}, true);
      detail::SchemaOwner::make(&children[1], "i", "type_id");
      ArrowSchema out{};
      detail::SchemaOwner::make(&out, "+s", name, std::move(children));
      return out;
    };
    std::vector<ArrowSchema> children(5);
    detail::SchemaOwner::make(&children[0], "i", "activity_id");
    detail::SchemaOwner::make(&children[1], "l", "time");
    detail::SchemaOwner::make(&children[2], "i", "status_id");
    children[3] = endpoint("src_endpoint"), children[4] = endpoint("dst_endpoint");
    detail::SchemaOwner::make(&schema_, "+s", "", std::move(children));
    auto conform = Conform::create(*tables_.find(4001), class_, schema_, "test 1", {});
    EXPECT_TRUE(conform) << conform.error().what;
    conform_ = std::move(*conform);
    tables_.find(4001)->export_schema(&whole_);
  }
  ~ConformTest() override { schema_.release(&schema_), whole_.release(&whole_); }

  static lm_str text(std::string_view s) { return {s.data(), s.size()}; }

  struct In {
    std::vector<std::int32_t> activity, status, src_type, dst_type;
    std::vector<const char*> src, dst;  // null: absent
    std::vector<lm_origin> origins;
    std::vector<std::int64_t> times{};  // empty: the same in every row
    bool same_types = false;            // the two type columns are one
  };

  static const void* numbers(detail::ArrayArena& arena, const void* from, std::size_t bytes) {
    detail::Memory memory = detail::allocate(bytes);
    if (bytes) std::memcpy(memory.get(), from, bytes);
    return arena.keep(std::move(memory), bytes);
  }

  // Ids below 0 are absent.
  static ArrowArray& ids(detail::ArrayArena& arena, std::vector<std::int32_t> values) {
    const std::size_t rows = values.size();
    ArrowArray& a = arena.add(static_cast<std::int64_t>(rows), 2);
    detail::Memory valid = detail::allocate_zeroed(detail::bitmap_bytes(rows));
    for (std::size_t i = 0; i < rows; ++i) {
      if (values[i] >= 0) {
        detail::slots<std::uint8_t>(valid)[i >> 3] |= static_cast<std::uint8_t>(1u << (i & 7));
      } else {
        values[i] = 0, ++a.null_count;
      }
    }
    if (a.null_count) a.buffers[0] = arena.keep(std::move(valid), detail::bitmap_bytes(rows));
    a.buffers[1] = numbers(arena, values.data(), rows * 4);
    return a;
  }

  static ArrowArray& texts(detail::ArrayArena& arena, const std::vector<const char*>& values, detail::Interner& dictionary) {
    std::vector<std::int32_t> codes;
    for (const char* v : values) codes.push_back(v ? dictionary.intern(v) : -1);
    ArrowArray& a = ids(arena, codes);
    a.dictionary = &dictionary.export_dictionary(arena);
    return a;
  }

  ConformedBatch run(In& in, std::span<const BlockOrigin> blocks) {
    lm_batch batch = make(in);
    auto out = conform_->run(batch, blocks);
    EXPECT_TRUE(out);
    EXPECT_TRUE(validate(whole_, out->array, Validation::full));
    return *out;
  }

  lm_batch make(In& in) {
    auto arena = detail::ArrayArena::make();
    const std::size_t rows = in.activity.size();
    const std::vector<std::int64_t> times = in.times.empty() ? std::vector<std::int64_t>(rows, 1'772'352'000'000) : in.times;
    ArrowArray& time = arena->add(static_cast<std::int64_t>(rows), 2);
    time.buffers[1] = numbers(*arena, times.data(), rows * 8);
    const auto endpoint = [&](ArrowArray& ip, ArrowArray& type) -> ArrowArray& {
      ArrowArray& a = arena->add(static_cast<std::int64_t>(rows), 1);
      arena->set_children(a, {&ip, &type});
      return a;
    };
    ArrowArray &src_type = ids(*arena, in.src_type), &dst_type = ids(*arena, in.dst_type);
    if (in.same_types) dst_type.null_count = src_type.null_count, std::copy_n(src_type.buffers, 2, dst_type.buffers);
    ArrowArray& root = arena->add(static_cast<std::int64_t>(rows), 1);
    arena->set_children(root,
                        {&ids(*arena, in.activity), &time, &ids(*arena, in.status), &endpoint(texts(*arena, in.src, dictionary_), src_type),
                         &endpoint(texts(*arena, in.dst, dictionary_), dst_type)});
    lm_batch batch{};
    batch.struct_size = sizeof batch;
    batch.dictionary_epoch = 1;
    batch.origins = in.origins.data();
    detail::ArrayArena::finish(std::move(arena), root, &batch.array);
    EXPECT_TRUE(validate(schema_, batch.array, Validation::full));
    return batch;
  }

  // The array at a path, "src_endpoint.ip"; "[]" is a list's element.
  const ArrowArray& at(const ConformedBatch& batch, std::string_view path) const {
    const ArrowArray* a = &batch.array;
    const ArrowSchema* s = &whole_;
    while (!path.empty()) {
      const std::string_view name = path.substr(0, path.find('.'));
      path.remove_prefix(std::min(path.size(), name.size() + 1));
      std::int64_t i = 0;
      while (i < s->n_children && name != s->children[i]->name && name != "[]") ++i;
      EXPECT_LT(i, s->n_children) << name;
      a = a->children[i], s = s->children[i];
    }
    return *a;
  }
  static std::string value(const ArrowArray& a, std::size_t i) {
    if (a.null_count != 0 && !(static_cast<const std::uint8_t*>(a.buffers[0])[i >> 3] >> (i & 7) & 1)) return "null";
    if (a.dictionary) return string(*a.dictionary, static_cast<std::size_t>(static_cast<const std::int32_t*>(a.buffers[1])[i]));
    return string(a, i);
  }
  static std::string string(const ArrowArray& a, std::size_t i) {
    const auto* offsets = static_cast<const std::int32_t*>(a.buffers[1]);
    return {static_cast<const char*>(a.buffers[2]) + offsets[i], static_cast<std::size_t>(offsets[i + 1] - offsets[i])};
  }
  std::vector<std::string> values(const ConformedBatch& batch, std::string_view path) const {
    const ArrowArray& a = at(batch, path);
    std::vector<std::string> out;
    for (std::size_t i = 0; i < static_cast<std::size_t>(a.length); ++i) out.push_back(value(a, i));
    return out;
  }
  template <class T>
  std::vector<T> numbers(const ConformedBatch& batch, std::string_view path) const {
    const ArrowArray& a = at(batch, path);
    const auto* first = static_cast<const T*>(a.buffers[1]);
    return {first, first + a.length};
  }
  // "name=value" of the observables of a row.
  std::vector<std::string> observables(const ConformedBatch& batch, std::size_t row) const {
    const auto* offsets = static_cast<const std::int32_t*>(at(batch, "observables").buffers[1]);
    std::vector<std::string> out;
    for (auto i = static_cast<std::size_t>(offsets[row]); i < static_cast<std::size_t>(offsets[row + 1]); ++i) {
      EXPECT_EQ(value(at(batch, "observables.[].type"), i), "IP Address");
      EXPECT_EQ(static_cast<const std::int32_t*>(at(batch, "observables.[].type_id").buffers[1])[i], 2);
      out.push_back(value(at(batch, "observables.[].name"), i) + "=" + value(at(batch, "observables.[].value"), i));
    }
    return out;
  }

  static constexpr std::string_view kPaths[] = {
      "activity_id", "time", "status_id", "src_endpoint.ip", "dst_endpoint.ip", "src_endpoint.type_id", "dst_endpoint.type_id"};
  lm_column columns_[7]{};
  lm_class class_{};
  TableSet tables_;
  ArrowSchema schema_{}, whole_{};
  std::unique_ptr<Conform> conform_;
  detail::Interner dictionary_;
  lm_object one_{sizeof(lm_object), 0, text("one"), text("e1"), 0, 0, nullptr, 0},
      two_{sizeof(lm_object), 0, text("two"), {}, 0, 0, nullptr, 0};
  std::string hash_one_ = std::string(32, '1'), hash_two_ = std::string(32, '2');
};

TEST_F(ConformTest, WhatComesFromTheOriginIsTheRecords) {
  // Offsets with 1 to 16 digits; a record with two rows; a block whose records were thinned out.
  const std::vector<lm_record> records{{0, 5}, {15, 1}, {16, 7}, {0xfffffffe, 1}};
  const std::vector<std::uint64_t> ordinals{7, 9, 11, 500};
  const lm_block low{sizeof(lm_block), 0, nullptr, 0, records.data(), 4, 0, 100, nullptr, 0, &one_};
  const lm_block high{sizeof(lm_block), 0, nullptr, 0, records.data(), 4, 0xfedcba9876543210, 0, nullptr, 0, &two_};
  const lm_block edge{sizeof(lm_block), 0, nullptr, 0, records.data(), 4, 0xfffffff0, 0, nullptr, 0, &two_};
  const BlockOrigin blocks[] = {{&low, nullptr, hash_one_}, {&high, &ordinals, hash_two_}, {&edge, nullptr, hash_two_}};
  In in{{6, 6, 6, 6, 6, 6, 6, 6}, {1, 1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1}, {}, {}, {}};
  in.src = in.dst = std::vector<const char*>(8, "192.0.2.1");
  in.origins = {{0, 0, 0, 0}, {0, 1, 0, 0}, {0, 2, 0, 0}, {0, 2, 26, 0}, {0, 3, 0, 0}, {1, 0, 0, 0}, {1, 3, 0xffffffff, 0}, {2, 2, 0, 0}};
  ConformedBatch out = run(in, blocks);
  EXPECT_EQ(
      values(out, "metadata.uid"),
      (std::vector<std::string>{hash_one_ + "-0", hash_one_ + "-f", hash_one_ + "-10", hash_one_ + "-10-1a", hash_one_ + "-fffffffe",
                                hash_two_ + "-fedcba9876543210", hash_two_ + "-fedcba997654320e-ffffffff", hash_two_ + "-100000000"}));
  EXPECT_EQ(numbers<std::int64_t>(out, "lineage.length"), (std::vector<std::int64_t>{5, 1, 7, 7, 1, 5, 1, 7}));
  EXPECT_EQ(numbers<std::int64_t>(out, "lineage.record"), (std::vector<std::int64_t>{100, 101, 102, 102, 103, 7, 500, 2}));
  EXPECT_EQ(numbers<std::int32_t>(out, "lineage.item"), (std::vector<std::int32_t>{0, 0, 0, 26, 0, 0, -1, 0}));
  EXPECT_EQ(values(out, "lineage.uri"), (std::vector<std::string>{"one", "one", "one", "one", "one", "two", "two", "two"}));
  EXPECT_EQ(values(out, "lineage.etag"), (std::vector<std::string>{"e1", "e1", "e1", "e1", "e1", "null", "null", "null"}));
  out.array.release(&out.array);
  // All from one object, which has no etag; then from the other.
  for (auto& o : in.origins) o = {2, 0, 0, 0};
  out = run(in, blocks);
  EXPECT_EQ(values(out, "lineage.uri"), std::vector<std::string>(8, "two"));
  EXPECT_EQ(values(out, "lineage.etag"), std::vector<std::string>(8, "null"));
  EXPECT_EQ(values(out, "metadata.log_source"), std::vector<std::string>(8, "two"));
  EXPECT_EQ(numbers<std::int32_t>(out, "lineage.item"), std::vector<std::int32_t>(8, 0));
  out.array.release(&out.array);
  for (auto& o : in.origins) o = {0, 0, 0, 0};
  out = run(in, blocks);
  EXPECT_EQ(values(out, "lineage.uri"), std::vector<std::string>(8, "one"));
  EXPECT_EQ(values(out, "lineage.etag"), std::vector<std::string>(8, "e1"));
  out.array.release(&out.array);
}

// Of 8 rows a filter leaves 6, of 50 bytes each, where a column may have 120 (metadata.uid has room for 58 a row), or one row.
TEST_F(ConformTest, WhatIsTooLargeForABatchIsMadeInPieces) {
  const std::string data(400, 'x');
  std::vector<lm_record> records;
  for (std::uint32_t i = 0; i < 8; ++i) records.push_back({i * 50, 50});
  const lm_block block{
      sizeof(lm_block), 0, reinterpret_cast<const std::uint8_t*>(data.data()), data.size(), records.data(), 8, 0, 0, nullptr, 0, &one_};
  const BlockOrigin blocks[] = {{&block, nullptr, hash_one_}};
  In in{{6, 6, 6, 6, 6, 6, 6, 6}, {1, 1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1}, {}, {}, {}};
  in.src = in.dst = std::vector<const char*>(8, "192.0.2.1");
  for (std::uint32_t i = 0; i < 8; ++i) in.origins.push_back({0, i, 0, 0}), in.times.push_back(i % 4 == 1 ? 0 : 1000 + i);
  for (const std::size_t most : {std::size_t{120}, std::size_t{1}}) {
    conform_ = *Conform::create(*tables_.find(4001), class_, schema_, "test 1", {1000, {}, true, most});
    std::vector<std::int64_t> seen;
    std::uint64_t filtered = 0, batches = 0;
    const std::function<void(lm_batch)> give = [&](lm_batch batch) {
      const auto out = conform_->run(batch, blocks);
      ASSERT_TRUE(out);
      filtered += out->rows_filtered;
      if (out->too_large) {
        ASSERT_GT(batch.array.length, 1);
        lm_batch first = batch, second = batch;
        const auto half = batch.array.length / 2;
        second.origins += half;
        split_rows(schema_, &batch.array, static_cast<std::size_t>(half), &first.array, &second.array);
        give(first);
        give(second);
        return;
      }
      ++batches;
      ASSERT_TRUE(validate(whole_, const_cast<ArrowArray&>(out->array), Validation::full));
      for (const std::int64_t record : numbers<std::int64_t>(*out, "lineage.record")) seen.push_back(record);
      for (const std::string& raw : values(*out, "raw_data")) EXPECT_EQ(raw, data.substr(0, 50));
      const_cast<ArrowArray&>(out->array).release(&const_cast<ArrowArray&>(out->array));
    };
    give(make(in));
    EXPECT_EQ(seen, (std::vector<std::int64_t>{0, 2, 3, 4, 6, 7}));
    EXPECT_EQ(filtered, 2u);
    EXPECT_EQ(batches, most == 1 ? 6u : 4u);
  }
}

TEST_F(ConformTest, CaptionsFollowTheirIds) {
  const std::vector<lm_record> records{{0, 5}};
  const lm_block block{sizeof(lm_block), 0, nullptr, 0, records.data(), 1, 0, 0, nullptr, 0, &one_};
  const BlockOrigin blocks[] = {{&block, nullptr, hash_one_}};
  const auto caption = [](std::int32_t id) -> std::string {
    return id == 0 ? "Unknown" : id == 1 ? "Success" : id == 2 ? "Failure" : id == 99 ? "Other" : "null";
  };
  std::mt19937 random(4);
  // One id in every row; several; some absent; some without a caption; all absent.
  const std::vector<std::int32_t> choices[] = {{1}, {0}, {99}, {0, 1, 2}, {1, 2, -1}, {-1}, {1, 1'000'000}, {55}, {2, 99, 127, 128, -1}};
  for (int round = 0; round < 3; ++round) {
    for (const auto& choice : choices) {
      for (const std::size_t rows : {1, 7, 64, 130}) {
        In in;
        in.activity.assign(rows, 6), in.src.assign(rows, "192.0.2.1"), in.dst = in.src, in.origins.assign(rows, {});
        for (std::size_t i = 0; i < rows; ++i) in.status.push_back(choice[random() % choice.size()]);
        in.src_type = in.dst_type = in.status;
        in.same_types = round == 1;
        if (round == 2) std::reverse(in.dst_type.begin(), in.dst_type.end());
        ConformedBatch out = run(in, blocks);
        const auto status = values(out, "status"), src = values(out, "src_endpoint.type"), dst = values(out, "dst_endpoint.type");
        for (std::size_t i = 0; i < rows; ++i) {
          ASSERT_EQ(status[i], caption(in.status[i]));
          ASSERT_EQ(src[i] == "null", in.src_type[i] < 0 || in.src_type[i] == 1'000'000 || in.src_type[i] == 55 || in.src_type[i] > 126)
              << in.src_type[i];
        }
        if (round == 1) {
          ASSERT_EQ(src, dst);
        } else if (round == 2) {
          ASSERT_EQ(src, std::vector<std::string>(dst.rbegin(), dst.rend()));
        }
        out.array.release(&out.array);
      }
    }
  }
}

TEST_F(ConformTest, TypesFollowTheActivity) {
  const std::vector<lm_record> records{{0, 5}};
  const lm_block block{sizeof(lm_block), 0, nullptr, 0, records.data(), 1, 0, 0, nullptr, 0, &one_};
  const BlockOrigin blocks[] = {{&block, nullptr, hash_one_}};
  for (const std::vector<std::int32_t>& activity : {std::vector<std::int32_t>{6, 6, 6}, {1, 2, 6}, {2, 2, 2}, {6, 6, 6}}) {
    In in{activity,    {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {"192.0.2.1", "192.0.2.1", "192.0.2.1"}, {"192.0.2.1", "192.0.2.1", "192.0.2.1"},
          {{}, {}, {}}};
    ConformedBatch out = run(in, blocks);
    const auto uids = numbers<std::int64_t>(out, "type_uid");
    const auto names = values(out, "type_name");
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(uids[i], 400100 + activity[i]);
      EXPECT_EQ(names[i], activity[i] == 6   ? "Network Activity: Traffic"
                          : activity[i] == 1 ? "Network Activity: Open"
                                             : "Network Activity: Close");
    }
    out.array.release(&out.array);
  }
}

TEST_F(ConformTest, ObservablesAreTheValuesOfTheirColumns) {
  const std::vector<lm_record> records{{0, 5}};
  const lm_block block{sizeof(lm_block), 0, nullptr, 0, records.data(), 1, 0, 0, nullptr, 0, &one_};
  const BlockOrigin blocks[] = {{&block, nullptr, hash_one_}};
  std::mt19937 random(5);
  static constexpr const char* kAddresses[] = {"192.0.2.1", "192.0.2.2", "198.51.100.7", "2001:db8::1"};
  // Which of the two are there: both, one in every row, one in some, none; and from batch to batch all of it changes.
  for (int round = 0; round < 100; ++round) {
    const std::size_t rows = random() % 150 + 1;
    const auto kinds = random() % 9;
    In in;
    in.activity.assign(rows, 6), in.status.assign(rows, 1), in.src_type = in.dst_type = in.status, in.origins.assign(rows, {});
    const auto address = [&](unsigned kind) { return kind == 0 || (kind == 1 && random() % 2) ? kAddresses[random() % 4] : nullptr; };
    for (std::size_t i = 0; i < rows; ++i)
      in.src.push_back(address(kinds % 3)), in.dst.push_back(address(static_cast<unsigned>(kinds / 3)));
    ConformedBatch out = run(in, blocks);
    for (std::size_t i = 0; i < rows; ++i) {
      std::vector<std::string> wanted;
      if (in.src[i]) wanted.push_back(std::string("src_endpoint.ip=") + in.src[i]);
      if (in.dst[i]) wanted.push_back(std::string("dst_endpoint.ip=") + in.dst[i]);
      auto got = observables(out, i);
      std::sort(got.rbegin(), got.rend());
      ASSERT_EQ(got, wanted) << round << " " << i;
    }
    out.array.release(&out.array);
  }
}

}  // namespace
