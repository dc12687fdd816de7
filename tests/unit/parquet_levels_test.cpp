// What ends up in the pages of a nested column, against a shredder that walks the rows one by one.
#include "parquet_batches.hpp"
#include "parquet_encode_all.hpp"

#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <vector>

namespace lm::sink::parquet {
namespace {

struct Counts {
  std::int64_t slots = 0, nulls = 0;
};

bool valid(const ArrowArray& array, std::int64_t physical) {
  if (array.null_count == 0 || !array.buffers[0]) return true;
  return static_cast<const std::uint8_t*>(array.buffers[0])[physical / 8] >> (physical % 8) & 1;
}

// Adds what one slot of an array gives to each of the leaves below it.
void shred(const ArrowArray& array, const ArrowSchema& schema, std::int64_t slot, bool there, std::vector<Counts>& leaves,
           std::size_t& leaf) {
  const std::int64_t at = array.offset + slot;
  there = there && valid(array, at);
  const std::string format = schema.format;
  if (format == "+s") {
    for (std::int64_t c = 0; c < schema.n_children; ++c) shred(*array.children[c], *schema.children[c], at, there, leaves, leaf);
  } else if (format == "+l") {
    const auto* offsets = static_cast<const std::int32_t*>(array.buffers[1]);
    const std::size_t first = leaf;
    if (!there || offsets[at] == offsets[at + 1]) {
      shred(*array.children[0], *schema.children[0], 0, false, leaves, leaf);
      return;
    }
    for (std::int32_t i = offsets[at]; i < offsets[at + 1]; ++i) {
      leaf = first;
      shred(*array.children[0], *schema.children[0], i, true, leaves, leaf);
    }
  } else {
    ++leaves[leaf].slots;
    leaves[leaf].nulls += !there;
    ++leaf;
  }
}

// The slots and nulls of every leaf, as the row group's metadata tells them.
TEST(Levels, CountWhatAShredderCounts) {
  const test::Column column = test::sample_table();
  const test::Schema schema(column);
  const auto table = TableSchema::make(*schema.get());
  ASSERT_TRUE(table);
  const EncodeOptions options;
  RowGroupPlans plans(*table, options);
  Scratch scratch;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    test::BatchMaker maker(column, seed);
    std::vector<std::string> json;
    std::vector<ArrowArray> batches;
    for (std::uint64_t b = 0; b < 4; ++b) batches.push_back(maker.make(1 + seed * 5, b % 2, json));
    std::vector<Counts> expected(table->leaves.size());
    std::vector<Rows> slices;
    std::vector<std::vector<Range>> ranges;
    for (const ArrowArray& batch : batches) {
      // Everything, or every third row, or a stretch in the middle.
      auto& mine = ranges.emplace_back();
      if (seed % 3 == 0) {
        mine = {{0, batch.length}};
      } else if (seed % 3 == 1) {
        for (std::int64_t i = 0; i < batch.length; i += 3) mine.push_back({i, i + 1});
      } else {
        mine = {{batch.length / 3, batch.length - batch.length / 4}};
      }
      for (const Range& range : mine) {
        for (std::int64_t row = range.begin; row < range.end; ++row) {
          std::size_t leaf = 0;
          for (std::int64_t c = 0; c < schema.get()->n_children; ++c) {
            shred(*batch.children[c], *schema.get()->children[c], batch.offset + row, true, expected, leaf);
          }
        }
      }
    }
    for (std::size_t b = 0; b < batches.size(); ++b) slices.push_back({&batches[b], b % 2, 0, ranges[b]});
    const auto group = encode_all(plans, slices, scratch);
    ASSERT_TRUE(group) << group.error().message;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const ChunkInfo& chunk = group->info.chunks[i];
      EXPECT_EQ(chunk.slots, expected[i].slots) << "seed " << seed << ", leaf " << i << " " << table->leaves[i].path.back();
      EXPECT_EQ(chunk.nulls, expected[i].nulls) << "seed " << seed << ", leaf " << i << " " << table->leaves[i].path.back();
    }
    for (ArrowArray& batch : batches) batch.release(&batch);
  }
}

// A column in the C data interface's words, without owners.
struct Flat {
  std::vector<const void*> buffers;
  ArrowArray array{}, root{};
  ArrowArray* children[1] = {&array};
  const void* none[1] = {nullptr};
  Flat(std::int64_t rows, std::vector<const void*> from) : buffers(std::move(from)) {
    array.length = root.length = rows;
    array.n_buffers = static_cast<std::int64_t>(buffers.size());
    array.buffers = buffers.data();
    root.n_buffers = 1, root.buffers = none;
    root.n_children = 1, root.children = children;
  }
};

Result<EncodedRowGroup> encode_one(const test::Column& column, Flat& flat) {
  const test::Schema schema(test::Column{'s', "", {column}, 0, false});
  const auto table = TableSchema::make(*schema.get());
  const EncodeOptions options;
  RowGroupPlans plans(*table, options);
  Scratch scratch;
  const Range all{0, flat.root.length};
  const Rows rows{&flat.root, 1, 0, {&all, 1}};
  return encode_all(plans, {&rows, 1}, scratch);
}

TEST(Levels, AllNullColumnsCostAFewBytes) {
  const std::vector<std::uint8_t> zeroes(1000000);
  Flat flat(100000, {zeroes.data(), zeroes.data()});
  flat.array.null_count = 100000;
  const auto group = encode_one({'l', "nothing", {}, 0, false}, flat);
  ASSERT_TRUE(group);
  EXPECT_EQ(group->info.chunks[0].nulls, 100000);
  EXPECT_LT(group->chunks[0].size(), 60u);
}

TEST(Levels, ConstantColumnsCostAFewBytes) {
  const std::vector<std::int32_t> codes(100000, 0), offsets{0, 6};
  Flat flat(100000, {nullptr, codes.data()});
  std::vector<const void*> text{nullptr, offsets.data(), "Accept"};
  ArrowArray dictionary{};
  dictionary.length = 1, dictionary.n_buffers = 3, dictionary.buffers = text.data();
  flat.array.dictionary = &dictionary;
  const auto group = encode_one({'d', "same", {}, 0, false}, flat);
  ASSERT_TRUE(group);
  EXPECT_LT(group->chunks[0].size(), 120u);
  EXPECT_EQ(group->info.chunks[0].smallest, "Accept");
  EXPECT_EQ(group->info.chunks[0].largest, "Accept");
}

TEST(Levels, ContradictionsAreErrorsAndNotCrashes) {
  const std::vector<std::int32_t> codes{0, 1}, offsets{0, 6}, backwards{5, 3, 9};
  Flat flat(2, {nullptr, codes.data()});
  std::vector<const void*> text{nullptr, offsets.data(), "Accept"};
  ArrowArray dictionary{};
  dictionary.length = 1, dictionary.n_buffers = 3, dictionary.buffers = text.data();
  flat.array.dictionary = &dictionary;
  const auto outside = encode_one({'d', "same", {}, 0, false}, flat);
  ASSERT_FALSE(outside);
  EXPECT_EQ(outside.error().code, LM_INVALID);
  EXPECT_EQ(outside.error().message, "a batch contradicts itself: a code is not in its dictionary");
  Flat torn(2, {nullptr, backwards.data(), "Accepted."});
  const auto negative = encode_one({'u', "text", {}, 0, false}, torn);
  ASSERT_FALSE(negative);
  EXPECT_EQ(negative.error().message, "a batch contradicts itself: text offsets do not ascend");
  torn.array.length = 1;
  EXPECT_FALSE(encode_one({'u', "text", {}, 0, false}, torn));
}

TEST(Bounds, LeaveOutWhatHasNoOrder) {
  const double values[] = {std::numeric_limits<double>::quiet_NaN(), 0.0, 3.5};
  Flat flat(3, {nullptr, values});
  const auto group = encode_one({'g', "score", {}, 0, false}, flat);
  ASSERT_TRUE(group);
  const double low = -0.0, high = 3.5;
  EXPECT_EQ(group->info.chunks[0].smallest, std::string(reinterpret_cast<const char*>(&low), 8));
  EXPECT_EQ(group->info.chunks[0].largest, std::string(reinterpret_cast<const char*>(&high), 8));
  const std::int32_t offsets[] = {0, 65};
  const std::string text(65, 'x');
  Flat longer(1, {nullptr, offsets, text.data()});
  const auto long_text = encode_one({'u', "text", {}, 0, false}, longer);
  ASSERT_TRUE(long_text);
  EXPECT_FALSE(long_text->info.chunks[0].has_bounds);
}

}  // namespace
}  // namespace lm::sink::parquet
