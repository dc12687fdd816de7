// How a row group comes about from page to page: what the footer and the indexes say of it. What is in the pages is for other readers to say:
// tests/integration/parquet_page_samples.cpp.
#include "parquet_encode_all.hpp"
#include "parquet_read_file.hpp"
#include "sink_arrow.hpp"

#include <gtest/gtest.h>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace lm::sink::parquet {
namespace {

using test::ColumnPtr;
using Codes = std::vector<std::optional<std::int32_t>>;
using Numbers = std::vector<std::optional<std::int64_t>>;

// Keeps batches, and makes one row group of them.
class Maker {
 public:
  explicit Maker(EncodeOptions options = {}) : options_(options) {}
  void add(ColumnPtr root, std::uint64_t instance = 1, std::uint64_t epoch = 0) {
    root->wire();
    batches_.push_back(std::move(root));
    rows_.push_back({&batches_.back()->array, instance, epoch, {}});
  }
  Result<EncodedRowGroup> make() {
    schema_ = *TableSchema::make(batches_.front()->schema);
    RowGroupPlans plans(schema_, options_);
    std::vector<Range> all(rows_.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      all[i] = {0, rows_[i].array->length};
      rows_[i].ranges = {&all[i], 1};
    }
    Scratch scratch;
    return encode_all(plans, rows_, scratch);
  }
  const TableSchema& schema() const { return schema_; }  // once it is made

 private:
  EncodeOptions options_;
  TableSchema schema_;
  std::vector<ColumnPtr> batches_;
  std::vector<Rows> rows_;
};

EncodeOptions uncompressed(std::size_t page_bytes) {
  EncodeOptions options;
  options.codec = Codec::none;
  options.page_bytes = page_bytes;
  return options;
}

// What was made, as a file. The maker outlives it.
ReadFile written(Maker& maker) {
  auto group = maker.make();
  EXPECT_TRUE(group) << group.error().message;
  std::vector<EncodedRowGroup> groups;
  groups.push_back(std::move(*group));
  return {file_of(maker.schema(), std::move(groups)), maker.schema()};
}

std::int32_t pages(const ChunkInfo& chunk, Encoding encoding) {
  for (const ChunkInfo::Pages& of : chunk.pages) {
    if (of.encoding == encoding) return of.count;
  }
  return 0;
}

// n values that repeat, from a dictionary of so many with the text in front.
ColumnPtr coded(std::size_t n, std::size_t distinct, const std::string& text) {
  std::vector<std::string> dictionary;
  for (std::size_t i = 0; i < distinct; ++i) dictionary.push_back(text + std::to_string(i));
  Codes codes;
  for (std::size_t i = 0; i < n; ++i) codes.emplace_back(static_cast<std::int32_t>(i * 7 % distinct));
  return test::coded("name", dictionary, codes);
}

TEST(Pages, ADictionaryIsGivenUpInTheMiddleOfAChunk) {
  EncodeOptions options;
  options.page_bytes = 2000;
  options.dictionary_bytes = 4000;
  Maker maker(options);
  for (std::uint64_t i = 0; i < 20; ++i) maker.add(test::structure("", {coded(1000, 100, "batch" + std::to_string(i) + "-")}), i);
  const auto group = maker.make();
  ASSERT_TRUE(group) << group.error().message;
  const ChunkInfo& chunk = group->info.chunks[0];
  EXPECT_EQ(group->info.rows, 20000);
  EXPECT_EQ(chunk.slots, 20000);
  EXPECT_GE(chunk.dictionary_at, 0);
  EXPECT_GT(pages(chunk, Encoding::rle_dictionary), 0);
  EXPECT_GT(pages(chunk, Encoding::delta_length_byte_array) + pages(chunk, Encoding::delta_byte_array), 0);
  EXPECT_EQ(chunk.smallest, "batch0-0") << "of the dictionary and of the pages after it";
  EXPECT_EQ(chunk.largest, "batch9-99");
}

TEST(Pages, ADictionaryThatDoesNotPayIsNotWritten) {
  Maker maker;
  maker.add(test::structure("", {coded(5000, 5000, "value")}));
  const auto group = maker.make();
  ASSERT_TRUE(group);
  EXPECT_EQ(group->info.chunks[0].dictionary_at, -1);
  EXPECT_EQ(pages(group->info.chunks[0], Encoding::rle_dictionary), 0);
}

TEST(Pages, CodesOfAnotherEpochAreOtherValues) {
  Maker maker;
  maker.add(test::structure("", {test::coded("name", {"a", "b"}, Codes{0, 1, 0})}), 1, 0);
  maker.add(test::structure("", {test::coded("name", {"c", "a"}, Codes{0, 1, 0})}), 1, 1);
  maker.add(test::structure("", {test::coded("name", {"b", "d"}, Codes{0, 1, 0})}), 2, 1);
  const auto group = maker.make();
  ASSERT_TRUE(group);
  EXPECT_EQ(group->info.chunks[0].smallest, "a");
  EXPECT_EQ(group->info.chunks[0].largest, "d");
  // A page of the four values, each behind its length: 20 bytes.
  EXPECT_EQ(pages(group->info.chunks[0], Encoding::rle_dictionary), 1);
}

TEST(Pages, NumbersThatAreFewAreStoredByNumber) {
  Numbers few, many;
  for (std::int64_t i = 0; i < 4000; ++i) few.emplace_back(400101 + i % 3), many.emplace_back(i * i);
  Maker maker;
  maker.add(test::structure("", {test::int64s("few", few), test::int64s("many", many)}));
  const auto group = maker.make();
  ASSERT_TRUE(group);
  EXPECT_EQ(pages(group->info.chunks[0], Encoding::rle_dictionary), 1);
  EXPECT_EQ(pages(group->info.chunks[1], Encoding::delta_binary_packed), 1);
  EXPECT_EQ(group->info.chunks[1].dictionary_at, -1);
}

// Rows count as sorted only if every one of them is, across pages and batches, and none lacks its time.
TEST(Pages, TimesThatAscendAreSaidTo) {
  struct Case {
    std::vector<Numbers> batches;
    bool ascending;
  };
  Numbers ramp, again, constant(700, 5000);
  for (std::int64_t i = 0; i < 700; ++i) ramp.emplace_back(i * 3), again.emplace_back(2097 + i / 9);
  Numbers turned = again, hole = again, before = again;
  std::swap(turned[500], turned[600]);
  hole[350] = std::nullopt;
  before[0] = 2096;
  for (const Case& c :
       {Case{{ramp, again, constant}, true}, Case{{constant, constant}, true}, Case{{ramp, turned}, false}, Case{{ramp, hole}, false},
        Case{{ramp, before}, false}, Case{{constant, again}, false}, Case{{ramp, ramp}, false}}) {
    EncodeOptions options;
    options.page_bytes = 1000;
    Maker maker(options);
    for (const Numbers& batch : c.batches) {
      maker.add(test::structure("", {test::as_time(test::int64s("time", batch))}));
    }
    const auto group = maker.make();
    ASSERT_TRUE(group);
    EXPECT_EQ(group->info.chunks[0].ascending, c.ascending);
  }
}

TEST(Pages, ColumnsThatAreTheSameArraysShareAChunkUntilTheyPart) {
  const auto batch = [](bool same, std::int64_t from) {
    Numbers values, others;
    for (std::int64_t i = 0; i < 3000; ++i) values.emplace_back(from + i * i), others.emplace_back(-i * i);
    auto time = test::int64s("time", values);
    auto start = test::int64s("start_time", others);
    auto root = test::structure("", {time, start});
    root->wire();
    if (same) start->buffer_pointers = time->buffer_pointers;
    return root;
  };
  EncodeOptions options;
  options.page_bytes = 4000;
  for (const std::size_t parts_at : {std::size_t{99}, std::size_t{2}}) {
    const TableSchema schema = *TableSchema::make(batch(true, 0)->schema);
    RowGroupPlans plans(schema, options);
    Scratch scratch;
    std::vector<ColumnPtr> batches;
    std::vector<Rows> rows;
    const Range all{0, 3000};
    for (std::size_t b = 0; b < 4; ++b) {
      batches.push_back(batch(b != parts_at, static_cast<std::int64_t>(b) * 10000));
      rows.push_back({&batches.back()->array, 1, 0, {&all, 1}});
    }
    const auto group = encode_all(plans, rows, scratch);
    ASSERT_TRUE(group);
    const ChunkInfo &time = group->info.chunks[0], &start = group->info.chunks[1];
    EXPECT_EQ(start.slots, 12000);
    EXPECT_EQ(start.largest, time.largest);
    if (parts_at == 2) {
      EXPECT_EQ(group->same_as[1], -1);
      EXPECT_NE(start.smallest, time.smallest);
      EXPECT_NE(group->chunks[1].size(), 0u);
      EXPECT_EQ(time.pages[0].count, start.pages[0].count) << "what was finished before they parted is in both";
    } else {
      EXPECT_EQ(group->same_as[1], 0);
      EXPECT_EQ(start.smallest, time.smallest);
      EXPECT_EQ(start.stored_bytes, time.stored_bytes);
    }
  }
}

TEST(Pages, APageOfAListBeginsAtARow) {
  EncodeOptions options;
  options.page_bytes = 1000;
  std::vector<std::optional<int>> lengths;
  Numbers values;
  for (int i = 0; i < 3000; ++i) {
    lengths.emplace_back(i % 50);
    for (int j = 0; j < i % 50; ++j) values.emplace_back(i * 1000003LL + j * j);
  }
  Maker maker(options);
  maker.add(test::structure("", {test::list("numbers", lengths, test::int64s("item", values))}));
  const auto group = maker.make();
  ASSERT_TRUE(group);
  EXPECT_GT(pages(group->info.chunks[0], Encoding::delta_binary_packed), 10);
  EXPECT_EQ(group->info.chunks[0].slots, static_cast<std::int64_t>(values.size()) + 60) << "an empty list is a slot, too";
}

// Spark's vectorized reader keeps one dictionary for all pages that a batch of its rows comes from, and takes values that a page before it spelt out for numbers in it.
TEST(Pages, AChunkIsStoredByNumberFromItsFirstPageOnOrNever) {
  Maker maker(uncompressed(50));
  std::vector<std::optional<int>> elements(40, 10);
  for (int b = 0; b < 6; ++b) {
    // Ten values, as many of them distinct: too few to be stored by number, though later ones are not. And, of lists, first nothing but nulls.
    Numbers few, in_list;
    Codes codes;
    for (std::int64_t i = 0; i < 40; ++i) few.push_back(b == 0 && i >= 10 ? std::nullopt : std::optional(b == 0 ? i : i % 3));
    for (std::int64_t i = 0; i < 400; ++i) {
      in_list.push_back(b < 3 ? std::nullopt : std::optional(i % 5));
      codes.push_back(b < 3 ? std::nullopt : std::optional(static_cast<std::int32_t>(i % 5)));
    }
    auto item = test::structure("item", {test::int64s("number", in_list), test::coded("text", {"a", "b", "c", "d", "e"}, codes)},
                                std::vector<bool>(400, true));
    maker.add(test::structure("", {test::int64s("few", few), test::list("list", elements, item)}));
  }
  ReadFile read = written(maker);
  Seen seen;
  for (const std::size_t leaf : {0, 1, 2}) {
    SCOPED_TRACE(leaf);
    check_chunk(read, 0, leaf, seen);
  }
  const auto& columns = read.meta.row_groups[0].columns;
  EXPECT_FALSE(columns[0].meta_data.__isset.dictionary_page_offset);
  EXPECT_TRUE(columns[1].meta_data.__isset.dictionary_page_offset);
  EXPECT_EQ(seen.leading_nulls, 2u);
}

// Measurements gain by lying byte by byte, few scores do not; where nothing compresses, nothing gains.
TEST(Pages, DoublesAreSplitWhereThatIsSmaller) {
  std::vector<std::optional<double>> measured, scores;
  std::mt19937_64 random(5);
  double level = 20;
  for (int i = 0; i < 5000; ++i) {
    level += static_cast<double>(random() % 1000000) / 1e7 - 0.05;
    measured.emplace_back(level);
    scores.emplace_back(static_cast<double>(random() % 100) / 10);
  }
  for (const Codec codec : {Codec::zstd, Codec::none}) {
    EncodeOptions options;
    options.codec = codec;
    Maker maker(options);
    maker.add(test::structure("", {test::doubles("measured", measured), test::doubles("score", scores)}));
    const auto group = maker.make();
    ASSERT_TRUE(group);
    EXPECT_EQ(pages(group->info.chunks[0], Encoding::byte_stream_split), codec == Codec::zstd);
    EXPECT_EQ(pages(group->info.chunks[0], Encoding::plain), codec == Codec::none);
    EXPECT_EQ(pages(group->info.chunks[1], Encoding::plain), 1);
  }
}

TEST(PageIndexes, IsNotWrittenWhereEveryChunkHasOnePage) {
  Maker maker(uncompressed(1 << 20));
  maker.add(test::structure("", {test::int64s("a", {1, 2, 3}), test::texts("b", {"x", std::nullopt, "y"})}));
  const ReadFile read = written(maker);
  for (const format::ColumnChunk& chunk : read.meta.row_groups[0].columns) {
    EXPECT_FALSE(chunk.__isset.offset_index_offset);
    EXPECT_FALSE(chunk.__isset.column_index_offset);
  }
}

// Readers look for rows in all columns: one of several pages gives every chunk of the file its offset index.
TEST(PageIndexes, HasTheOffsetsOfEveryChunkAndTheBoundsOfThoseOfSeveralPages) {
  Maker maker(uncompressed(1000));
  for (int b = 0; b < 20; ++b) {
    std::vector<std::optional<std::int64_t>> numbers, nothing(100);
    std::vector<std::optional<double>> halves;
    for (int i = 0; i < 100; ++i) numbers.emplace_back((b * 100 + i) * 1000003LL), halves.emplace_back(b / 2 % 2 ? 0.5 : -0.5);
    maker.add(test::structure(
        "", {test::as_time(test::int64s("time", numbers)), test::int64s("nothing", nothing), test::doubles("half", halves)}));
  }
  ReadFile read = written(maker);
  Seen seen;
  for (const std::size_t leaf : {0, 1, 2}) check_chunk(read, 0, leaf, seen);
  EXPECT_EQ(seen.column_indexes, 2u) << "not of the column that is null";
  EXPECT_EQ(seen.ascending, 1u) << "the time";
}

// What has no place in the order gives no bounds, and where that leaves a page without any, there is no column index; zeroes have both signs.
TEST(PageIndexes, LeavesOutWhatHasNoOrder) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Maker maker(uncompressed(1000));
  for (int b = 0; b < 4; ++b) {
    std::vector<std::optional<double>> some(200), only(200, nan), zeroes(200, b % 2 ? 0.0 : -0.0);
    std::vector<std::optional<std::string>> json;
    for (std::size_t i = 0; i < some.size(); ++i) {
      some[i] = i % 3 ? static_cast<double>(i) : nan;
      json.emplace_back("{\"a\":" + std::to_string(i * i) + "}");
    }
    maker.add(test::structure("", {test::doubles("some", some), test::doubles("only", b == 2 ? only : some),
                                   test::doubles("zeroes", zeroes), test::as_json(test::texts("json", json))}));
  }
  ReadFile read = written(maker);
  Seen seen;
  for (std::size_t leaf = 0; leaf < 4; ++leaf) check_chunk(read, 0, leaf, seen);
  const auto& columns = read.meta.row_groups[0].columns;
  EXPECT_TRUE(columns[0].__isset.column_index_offset);
  EXPECT_FALSE(columns[1].__isset.column_index_offset) << "a page of nothing but NaN";
  EXPECT_FALSE(columns[3].__isset.column_index_offset);
  format::ColumnIndex index;
  read.read(static_cast<std::size_t>(columns[2].column_index_offset), index);
  for (std::size_t i = 0; i < index.min_values.size(); ++i) {
    double low = 1, high = 1;
    std::memcpy(&low, index.min_values[i].data(), 8), std::memcpy(&high, index.max_values[i].data(), 8);
    EXPECT_TRUE(low == 0 && std::signbit(low) && high == 0 && !std::signbit(high));
  }
}

// A text of any size is at most 64 bytes of an index.
TEST(PageIndexes, StaysSmallWhateverTheValues) {
  Maker maker(uncompressed(1000));
  for (int b = 0; b < 10; ++b) {
    std::vector<std::optional<std::string>> values;
    for (int i = 0; i < 10; ++i) values.emplace_back(std::string(100000, static_cast<char>('a' + b)) + std::to_string(i));
    maker.add(test::structure("", {test::texts("long", values)}));
  }
  const auto group = maker.make();
  ASSERT_TRUE(group);
  const PageIndex& index = group->info.chunks[0].index;
  EXPECT_GE(index.pages().size(), 10u);
  EXPECT_EQ(index.order(), PageIndex::Order::ascending);
  EXPECT_LT(index.held(), index.pages().size() * 2 * (sizeof(PageIndex::Page) + 2 * kLongestBound));
  for (const PageIndex::Page& page : index.pages()) {
    const std::string smallest(index.smallest(page)), largest(index.largest(page));
    EXPECT_EQ(smallest, std::string(64, smallest[0]));
    EXPECT_EQ(largest, std::string(63, smallest[0]) + static_cast<char>(smallest[0] + 1));
  }
}

// Many threads bring batches for one row group, none waits for another, and every row is there in every column.
TEST(RowGroups, TakeBatchesFromManyThreads) {
  Numbers values;
  for (std::int64_t i = 0; i < 500; ++i) values.emplace_back(i * 77 % 1000);
  const auto root = test::structure("", {test::int64s("a", values), test::int64s("b", values), coded(500, 40, "value")});
  root->wire();
  const TableSchema schema = *TableSchema::make(root->schema);
  const EncodeOptions options;
  RowGroupPlans plans(schema, options);
  Account account;
  {
    const BatchView first(schema, root->array, 1, 0);
    RowGroup group(plans, first, account);
    std::mutex pushing;
    std::atomic<int> ends{0};
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        Scratch scratch;
        for (int i = 0; i < 50; ++i) {
          {
            const std::lock_guard lock(pushing);
            group.push(std::make_shared<const BatchView>(schema, root->array, t, 0), {{0, 500}}, 500);
          }
          ends += group.work(scratch);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(ends, 0);
    Scratch scratch;
    group.push_end();
    EXPECT_TRUE(group.work(scratch));
    const auto encoded = group.take();
    ASSERT_TRUE(encoded);
    for (const ChunkInfo& chunk : encoded->info.chunks) EXPECT_EQ(chunk.slots, 100000);
  }
  EXPECT_EQ(account.held(), 0u);
}

}  // namespace
}  // namespace lm::sink::parquet
