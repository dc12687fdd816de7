// The column builders: what was set is exported, what was not is null, and nothing of a row that was taken back is left.
#include <logmill/sdk/columns.hpp>

#include <gtest/gtest.h>
#include <array>
#include <memory>
#include <random>

namespace {

using namespace lm::detail;

const ColumnSpec kColumns[] = {
    {"time", Store::int64, 0, {}},         {"status", Store::code, 0, {}},    {"message", Store::text, 0, {}},
    {"is_alert", Store::boolean, 0, {}},   {"vendor", Store::code, 0, "AWS"}, {"severity_id", Store::int32, 0, "1"},
    {"user.name", Store::code, 0, {}},     {"user.uid", Store::text, 0, {}},  {"list[].id", Store::int32, 1, {}},
    {"list[].tags[]", Store::text, 2, {}}, {"labels[]", Store::code, 3, {}},
};
const LevelSpec kLevels[] = {{"", 0}, {"list[]", 0}, {"list[].tags[]", 1}, {"labels[]", 0}};

struct Owned {
  ArrowArray array{};
  std::uint64_t bytes = 0;
  explicit Owned(Columns& columns) { columns.export_rows(&array, &bytes); }
  ~Owned() {
    if (array.release) array.release(&array);
  }
};

bool valid(const ArrowArray& a, std::size_t i) {
  return a.null_count == 0 || (static_cast<const std::uint8_t*>(a.buffers[0])[i >> 3] >> (i & 7) & 1);
}
std::string text(const ArrowArray& a, std::size_t i) {
  if (!valid(a, i)) return "(null)";
  const ArrowArray& values = a.dictionary ? *a.dictionary : a;
  const std::size_t at = a.dictionary ? static_cast<std::size_t>(static_cast<const std::int32_t*>(a.buffers[1])[i]) : i;
  const auto* offsets = static_cast<const std::int32_t*>(values.buffers[1]);
  return {static_cast<const char*>(values.buffers[2]) + offsets[at], static_cast<std::size_t>(offsets[at + 1] - offsets[at])};
}
template <class T>
T number(const ArrowArray& a, std::size_t i) {
  return static_cast<const T*>(a.buffers[1])[i];
}

Columns make() { return Columns(kColumns, std::size(kColumns), kLevels, std::size(kLevels)); }

TEST(Columns, ExportWhatWasSetAndNothingElse) {
  Columns c = make();
  c.reserve(3);
  const auto a = c.add_row(0), b = c.add_row(0), d = c.add_row(0);
  c.put<std::int64_t>(0, a, 5), c.put<std::int64_t>(0, d, 7);
  c.put_code(1, b, "OK"), c.put_code(1, d, "OK");
  c.put_text(2, b, "hello"), c.put_text(2, d, "");
  c.put_boolean(3, d, false);
  c.put_code(6, b, "alice");
  Owned out(c);
  const ArrowArray& r = out.array;
  ASSERT_EQ(r.length, 3);
  EXPECT_EQ(r.children[0]->null_count, 1);
  EXPECT_EQ(number<std::int64_t>(*r.children[0], 2), 7);
  EXPECT_EQ(text(*r.children[1], 0), "(null)");
  EXPECT_EQ(text(*r.children[1], 2), "OK");
  EXPECT_EQ(r.children[1]->dictionary->length, 1);
  EXPECT_EQ(text(*r.children[2], 1), "hello");
  EXPECT_EQ(text(*r.children[2], 2), "");
  EXPECT_TRUE(valid(*r.children[3], 2));
  EXPECT_EQ(text(*r.children[4], 1), "AWS");
  EXPECT_EQ(number<std::int32_t>(*r.children[5], 1), 1);
  EXPECT_FALSE(valid(*r.children[6], 0));  // a struct is null where its children are
  EXPECT_TRUE(valid(*r.children[6], 1));
  EXPECT_EQ(text(*r.children[6]->children[1], 1), "(null)");
  EXPECT_EQ(c.rows(), 0u);
}

TEST(Columns, NestedListsKeepTheirShape) {
  Columns c = make();
  c.reserve(2);
  const auto a = c.add_row(0);
  for (int i = 0; i < 3; ++i) {
    const auto e = c.push(1, a);
    c.put<std::int32_t>(8, e, i);
    for (int t = 0; t < i; ++t) c.put_text(9, c.push(2, e), std::string(static_cast<std::size_t>(t) + 1, 'x'));
  }
  c.mark_list(3, a);
  const auto b = c.add_row(0);
  c.put_code(10, c.push(3, b), "l");
  Owned out(c);
  const ArrowArray& list = *out.array.children[7];
  EXPECT_EQ(number<std::int32_t>(list, 1), 3);
  EXPECT_EQ(number<std::int32_t>(list, 2), 3);
  EXPECT_FALSE(valid(list, 1));
  const ArrowArray& tags = *list.children[0]->children[1];
  EXPECT_EQ(number<std::int32_t>(tags, 3), 3);
  EXPECT_EQ(text(*tags.children[0], 2), "xx");
  EXPECT_TRUE(valid(*out.array.children[8], 0));  // empty, not absent
  EXPECT_EQ(number<std::int32_t>(*out.array.children[8], 1), 0);
}

TEST(Columns, TheLastValueOfARepeatedKeyStands) {
  Columns c = make();
  c.reserve(2);
  const auto a = c.add_row(0);
  c.put_text(2, a, "first, and long"), c.put_text(2, a, "2nd");
  c.put_code(1, a, "x"), c.put_code(1, a, "y");
  const auto b = c.add_row(0);
  c.put_text(2, b, "next");
  Owned out(c);
  EXPECT_EQ(text(*out.array.children[2], 0), "2nd");
  EXPECT_EQ(text(*out.array.children[2], 1), "next");
  EXPECT_EQ(text(*out.array.children[1], 0), "y");
  EXPECT_EQ(out.array.children[1]->null_count, 1);
}

TEST(Columns, LeaveNothingOfARowThatWasTakenBack) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    Columns mixed = make(), clean = make();
    mixed.reserve(4), clean.reserve(4);  // growing on the way
    const unsigned odds =
        std::array{1u << 31, 8u, 2u}[static_cast<std::size_t>(round % 3)];  // of a value being left out: none, some, half of them
    for (int i = 0; i < 40; ++i) {
      const bool keep = random() % 2;
      const std::uint32_t seed = random();
      const auto fill = [&](Columns& c) {
        std::mt19937 r(seed);
        const auto row = c.add_row(0);
        if (r() % odds) c.put<std::int64_t>(0, row, r());
        if (r() % odds) c.put_code(1, row, std::to_string(r() % 5));
        if (r() % odds) c.put_text(2, row, std::string(r() % 20, 'm'));
        if (r() % odds) c.put_boolean(3, row, r() % 2);
        if (r() % odds) c.put_text(7, row, "u");
        for (unsigned n = r() % 3; n; --n) {
          const auto e = c.push(1, row);
          if (r() % odds) c.put<std::int32_t>(8, e, static_cast<std::int32_t>(r()));
          for (unsigned t = r() % 3; t; --t) c.put_text(9, c.push(2, e), "t" + std::to_string(r() % 9));
        }
      };
      const auto before = mixed.rows();
      fill(mixed);
      if (keep) {
        fill(clean);
      } else {
        mixed.truncate(before);
      }
    }
    Owned a(mixed), b(clean);
    ASSERT_EQ(a.array.length, b.array.length);
    for (std::size_t row = 0; row < static_cast<std::size_t>(a.array.length); ++row) {
      for (const int text_column : {1, 2}) ASSERT_EQ(text(*a.array.children[text_column], row), text(*b.array.children[text_column], row));
      ASSERT_EQ(valid(*a.array.children[0], row), valid(*b.array.children[0], row));
      ASSERT_EQ(number<std::int64_t>(*a.array.children[0], row), number<std::int64_t>(*b.array.children[0], row));
      ASSERT_EQ(valid(*a.array.children[3], row), valid(*b.array.children[3], row));
      const ArrowArray &la = *a.array.children[7], &lb = *b.array.children[7];
      ASSERT_EQ(valid(la, row), valid(lb, row));
      ASSERT_EQ(number<std::int32_t>(la, row + 1), number<std::int32_t>(lb, row + 1));
    }
    const ArrowArray &ta = *a.array.children[7]->children[0]->children[1]->children[0],
                     &tb = *b.array.children[7]->children[0]->children[1]->children[0];
    ASSERT_EQ(ta.length, tb.length);
    for (std::size_t i = 0; i < static_cast<std::size_t>(ta.length); ++i) ASSERT_EQ(text(ta, i), text(tb, i));
  }
}

TEST(Columns, HoldTheValuesOfEveryRowWhereverOneIsLeftOut) {
  for (std::uint32_t rows = 1; rows < 70; ++rows) {
    for (std::uint32_t hole = 0; hole <= rows; ++hole) {  // the last of them: no hole
      Columns c = make();
      c.reserve(8);
      for (std::uint32_t row = 0; row < rows; ++row) {
        c.add_row(0);
        if (row == hole) continue;
        c.put<std::int64_t>(0, row, row + 100);
        c.put_text(2, row, std::to_string(row));
        if (row % 3 == 0) c.put<std::int64_t>(0, row, row + 200), c.put_text(2, row, "again" + std::to_string(row));
        c.put_boolean(3, row, row % 2 == 1);
      }
      Owned out(c);
      for (std::uint32_t row = 0; row < rows; ++row) {
        const ArrowArray& times = *out.array.children[0];
        ASSERT_EQ(times.null_count, hole < rows);
        ASSERT_EQ(valid(times, row), row != hole);
        ASSERT_EQ(valid(*out.array.children[3], row), row != hole);
        if (row == hole) continue;
        ASSERT_EQ(number<std::int64_t>(times, row), row + (row % 3 == 0 ? 200 : 100));
        ASSERT_EQ(text(*out.array.children[1 + 1], row), (row % 3 == 0 ? "again" : "") + std::to_string(row));
        ASSERT_EQ((static_cast<const std::uint8_t*>(out.array.children[3]->buffers[1])[row >> 3] >> (row & 7) & 1) != 0, row % 2 == 1);
      }
    }
  }
}

// A dictionary of what was looked at holds nothing else: a refused text is asked for each time and leaves no trace, an accepted one is asked for once.
TEST(Interner, AddsOnlyWhatMayStandThere) {
  lm::detail::Interner interner;
  const std::string long_yes(40, 'y'), long_no(40, 'n');
  int asked = 0;
  const auto may = [&](std::string_view text) { return ++asked, text.front() == 'y'; };
  for (int round = 0; round < 2; ++round) {
    asked = 0;
    for (const std::string_view no :
         {std::string_view("no"), std::string_view("no"), std::string_view(long_no), std::string_view(long_no)}) {
      EXPECT_EQ(interner.intern(no, may), lm::detail::Interner::kRefused);
    }
    EXPECT_EQ(interner.size(), 0u);
    EXPECT_EQ(asked, 4);
    const std::int32_t brief = interner.intern("yes", may);
    EXPECT_EQ(interner.intern("no", may), lm::detail::Interner::kRefused);
    EXPECT_EQ(interner.intern("yes", may), brief);
    const std::int32_t lengthy = interner.intern(long_yes, may);
    EXPECT_EQ(interner.intern(long_no, may), lm::detail::Interner::kRefused);
    EXPECT_EQ(interner.intern(long_yes, may), lengthy);
    EXPECT_EQ(interner.at(brief), "yes");
    EXPECT_EQ(interner.at(lengthy), long_yes);
    EXPECT_EQ(interner.size(), 2u);
    EXPECT_EQ(asked, 8);
    interner.clear();
  }
}

TEST(Columns, ABatchKeepsItsDictionaryWhileTheTableGrowsOn) {
  Columns c = make();
  c.reserve(1);
  c.put_code(1, c.add_row(0), "first");
  Owned batch(c);
  for (int i = 0; i < 5'000; ++i) {
    c.reserve(1);
    c.put_code(1, c.add_row(0), "value " + std::to_string(i));
    Owned more(c);
  }
  EXPECT_EQ(text(*batch.array.children[1], 0), "first");
  EXPECT_EQ(batch.array.children[1]->dictionary->length, 1);
}

TEST(Columns, ChildrenMayBeMovedOutAndOutliveTheBatch) {
  Columns c = make();
  c.reserve(1);
  c.put_text(2, c.add_row(0), "kept");
  ArrowArray child{};
  {
    Owned batch(c);
    child = *batch.array.children[2];
    batch.array.children[2]->release = nullptr;
  }
  EXPECT_EQ(text(child, 0), "kept");
  child.release(&child);
}

TEST(Columns, OutOfOrderWritesAreRefused) {
  Columns c = make();
  c.reserve(2);
  const auto a = c.add_row(0), b = c.add_row(0);
  c.put_text(2, b, "later");
  EXPECT_THROW(c.put_text(2, a, "earlier"), std::logic_error);
  EXPECT_THROW(c.push(1, a), std::logic_error);
}

}  // namespace
