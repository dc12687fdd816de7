// The column indexes and offset indexes of files of random rows against the pages themselves, and how texts are cut for them.
#include "parquet_batches.hpp"
#include "parquet_encode_all.hpp"
#include "parquet_read_file.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace lm::sink::parquet {
namespace {

// Every type, lists in lists, pages that end anywhere, dictionaries that are given up, columns that share their arrays for a while.
TEST(PageIndexes, SaysWhatIsInEveryPage) {
  const test::Column column = test::sample_table();
  const test::Schema schema(column);
  const auto table = TableSchema::make(*schema.get());
  ASSERT_TRUE(table);
  Seen seen;
  for (std::uint64_t seed = 1; seed <= 9; ++seed) {
    EncodeOptions options;
    options.codec = Codec::none;
    options.page_bytes = seed % 2 ? 300 : 4000;
    options.dictionary_bytes = seed % 3 == 0 ? 100 : 3000;
    RowGroupPlans plans(*table, options);
    Scratch scratch;
    test::BatchMaker maker(column, seed);
    std::vector<EncodedRowGroup> groups;
    for (int g = 0; g < 2; ++g) {
      std::vector<std::string> json;
      std::vector<ArrowArray> batches;
      std::vector<Range> all;
      std::vector<Rows> rows;
      all.reserve(10);
      batches.reserve(10);
      for (std::uint64_t b = 0; b < 10; ++b) {
        batches.push_back(maker.make(b == 5 ? 1 : 60 + 7 * seed, b % 2, json));
        all.push_back({0, batches.back().length});
        rows.push_back({&batches.back(), b % 2, 0, {&all.back(), 1}});
      }
      auto group = encode_all(plans, rows, scratch);
      ASSERT_TRUE(group) << group.error().message;
      groups.push_back(std::move(*group));
      for (ArrowArray& batch : batches) batch.release(&batch);
    }
    ReadFile read(file_of(*table, std::move(groups)), *table);
    ASSERT_EQ(read.meta.row_groups.size(), 2u);
    for (std::size_t g = 0; g < 2; ++g) {
      for (std::size_t leaf = 0; leaf < table->leaves.size(); ++leaf) {
        SCOPED_TRACE("seed " + std::to_string(seed) + ", row group " + std::to_string(g) + ", " + table->leaves[leaf].name);
        check_chunk(read, g, leaf, seen);
      }
    }
    if (HasFailure()) break;
  }
  // Everything that a check above is about was met.
  EXPECT_GT(seen.column_indexes, seen.chunks / 2);
  for (const std::size_t count : {seen.null_pages, seen.cut_bounds, seen.ascending, seen.coded_then_spelt, seen.leading_nulls})
    EXPECT_GT(count, 0u);
}

TEST(Rounding, IsToWholeCharactersOnEitherSide) {
  EXPECT_EQ(round_down("abc", 3), "abc");
  EXPECT_EQ(round_down("abcd", 3), "abc");
  EXPECT_EQ(round_down("日本", 5), "日");
  EXPECT_EQ(round_down("日本", 2), "");
  EXPECT_EQ(round_up("abc", 3), "abc");
  EXPECT_EQ(round_up("abcd", 3), "abd");
  EXPECT_EQ(round_up("ab\x7fz", 3), "ac") << "U+0080 has two bytes, for which there is no room";
  EXPECT_EQ(round_up("\xed\x9f\xbf!", 3), "\xee\x80\x80") << "behind the last character before the surrogates";
  EXPECT_EQ(round_up("a\xf4\x8f\xbf\xbfz", 5), "b") << "nothing is greater than U+10FFFF";
  EXPECT_EQ(round_up("\xf4\x8f\xbf\xbf!", 4), std::nullopt);
  EXPECT_EQ(round_up("\xff\xff!", 2), std::nullopt) << "no UTF-8";
}

// Each is on its side of the text, whole characters and no longer than it may be. (They need not be in the order of the texts: one that is not cut may come
// behind one that is.)
TEST(Rounding, IsOnItsSide) {
  std::mt19937_64 random(21);
  static const char* const kCharacters[] = {
      "a", "b", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
  const auto before = [](std::string_view a, std::string_view b) { return less(LeafKind::text, std::string(a), std::string(b)); };
  std::size_t up = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (std::size_t n = random() % 7; n > 0; --n) text += kCharacters[random() % std::size(kCharacters)];
    const std::string_view low = round_down(text, 6);
    EXPECT_TRUE(text.starts_with(low) && low.size() <= 6 && is_utf8(low)) << text;
    EXPECT_EQ(low.size() == text.size(), text.size() <= 6);
    const auto high = round_up(text, 6);
    if (!high) continue;
    EXPECT_TRUE(!before(*high, text) && high->size() <= 6 && is_utf8(*high)) << text;
    up += *high != text;
  }
  EXPECT_GT(up, 1000u);
}

}  // namespace
}  // namespace lm::sink::parquet
