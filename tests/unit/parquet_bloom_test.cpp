// Bloom filters by themselves, and which chunks get one. That other readers find in them what is there: tests/integration/test_parquet_readers.py.
#include "parquet/bloom.hpp"

#include "parquet_encode_all.hpp"
#include "sink_arrow.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace lm::sink::parquet {
namespace {

std::string value(std::size_t i) { return "192.0." + std::to_string(i); }

std::string plain_of(std::size_t from, std::size_t n) {
  std::string out;
  for (std::size_t i = from; i < from + n; ++i) {
    const auto length = static_cast<std::uint32_t>(value(i).size());
    out.append(reinterpret_cast<const char*>(&length), 4).append(value(i));
  }
  return out;
}

double share_found(const BloomBits& bits, std::size_t from, std::size_t n) {
  std::size_t found = 0;
  for (std::size_t i = from; i < from + n; ++i) found += bits.may_hold(bloom_hash(value(i))) ? 1 : 0;
  return static_cast<double>(found) / static_cast<double>(n);
}

// The published test vectors of XXH64, seed 0.
TEST(Bloom, HashesByXxh64) {
  EXPECT_EQ(bloom_hash(""), 0xef46db3751d8e999u);
  EXPECT_EQ(bloom_hash("a"), 0xd24ec4f1a98c6e5bu);
  EXPECT_EQ(bloom_hash("abc"), 0x44bc2cf5ad770999u);
}

TEST(Bloom, FindsWhatIsThereAndSeldomWhatIsNot) {
  constexpr std::size_t kMost = std::size_t{1} << 20;
  for (const std::size_t n : {1u, 2u, 7u, 100u, 5000u, 100000u, 400000u}) {
    BloomBuilder builder;
    builder.add_plain(plain_of(0, n), kMost);
    const BloomBits bits = builder.finish();
    ASSERT_FALSE(bits.empty()) << n;
    EXPECT_EQ(share_found(bits, 0, n), 1) << n;
    EXPECT_LE(share_found(bits, 1000000, 20000), 0.02) << n;
    EXPECT_LE(bits.bytes().size(), std::max<std::size_t>(BloomBits::kBlock, n * 3)) << "no larger than it must be";
  }
}

TEST(Bloom, AFoldedFilterIsTheOneOfThatSize) {
  BloomBits large(64 * 1024), small(1024);
  for (std::size_t i = 0; i < 700; ++i) large.add(bloom_hash(value(i))), small.add(bloom_hash(value(i)));
  while (large.bytes().size() > small.bytes().size()) large.fold();
  EXPECT_TRUE(std::ranges::equal(large.bytes().span(), small.bytes().span()));
}

TEST(Bloom, ValuesThatRepeatTakeNoRoom) {
  BloomBuilder builder;
  std::vector<std::int32_t> lengths;
  std::string text;
  for (std::size_t i = 0; i < 300000; ++i) {
    text += value(i % 500);
    lengths.push_back(static_cast<std::int32_t>(value(i % 500).size()));
  }
  builder.add(lengths, text, std::size_t{1} << 20);
  EXPECT_LE(builder.held(), std::size_t{4} << 20);
  const BloomBits bits = builder.finish();
  EXPECT_EQ(share_found(bits, 0, 500), 1);
  EXPECT_LE(bits.bytes().size(), 1024u);
}

TEST(Bloom, AFilterThatWouldSayYesToEverythingIsNone) {
  BloomBuilder builder;
  builder.add_plain(plain_of(0, 50000), 4096);
  EXPECT_LE(builder.held(), 3 * 4096u) << "memory is bounded";
  EXPECT_TRUE(builder.finish().empty());
}

EncodedRowGroup row_group(const test::ColumnPtr& root, const BloomColumns& bloom, TableSchema& schema) {
  root->wire();
  EncodeOptions options;
  options.bloom = bloom;
  schema = *TableSchema::make(root->schema);
  RowGroupPlans plans(schema, options);
  const Range all{0, root->array.length};
  Rows rows{&root->array, 1, 0, {&all, 1}};
  Scratch scratch;
  return std::move(*encode_all(plans, {&rows, 1}, scratch));
}

std::vector<std::string> with_bloom(const EncodedRowGroup& group, const TableSchema& schema) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < schema.leaves.size(); ++i) {
    if (group.info.chunks[i].bloom_bytes != 0) out.push_back(schema.leaves[i].name);
  }
  return out;
}

test::ColumnPtr table() {
  const std::vector<std::optional<std::int32_t>> codes{0, 1, 1, std::nullopt}, same{1, 1, 1, 1}, nulls(4);
  const auto text = [&](const char* name, const auto& of) { return test::coded(name, {"one", "two"}, of); };
  auto user = test::structure("user", {text("uid", codes), text("uid_alt", same), text("type", codes), text("credential_uid", nulls)});
  auto number = test::int64s("count", {1, 2, 3, 4});
  return test::structure("", {user, text("status", codes), number});
}

TEST(BloomColumns, AreThoseThatAreLookedUp) {
  TableSchema schema;
  const auto looked_up = row_group(table(), {}, schema);
  // Of one value, and of none, the statistics say as much.
  EXPECT_EQ(with_bloom(looked_up, schema), std::vector<std::string>{"user.uid"});
  const auto none = row_group(table(), {.looked_up = false, .all = false, .names = {}}, schema);
  EXPECT_EQ(with_bloom(none, schema), std::vector<std::string>{});
  const auto all = row_group(table(), {.looked_up = false, .all = true, .names = {}}, schema);
  EXPECT_EQ(with_bloom(all, schema), (std::vector<std::string>{"user.uid", "user.type", "status"}));
  const auto named = row_group(table(), {.looked_up = false, .all = false, .names = {"status"}}, schema);
  EXPECT_EQ(with_bloom(named, schema), std::vector<std::string>{"status"});
}

// status is the very arrays of user.uid, and only one of the two is looked up.
TEST(BloomColumns, AColumnThatSharesItsChunkHasItsOwnAnswer) {
  for (const bool first : {true, false}) {
    const std::vector<std::optional<std::int32_t>> codes{0, 1, 1, 0};
    auto a = test::coded("a", {"one", "two"}, codes), b = test::coded("b", {"one", "two"}, codes);
    auto root = test::structure("", {a, b});
    root->wire();
    b->array = a->array;
    TableSchema schema = *TableSchema::make(root->schema);
    EncodeOptions options;
    options.bloom = {.looked_up = false, .all = false, .names = {first ? "a" : "b"}};
    RowGroupPlans plans(schema, options);
    const Range all{0, 4};
    Rows rows{&root->array, 1, 0, {&all, 1}};
    Scratch scratch;
    const auto group = encode_all(plans, {&rows, 1}, scratch);
    ASSERT_TRUE(group);
    EXPECT_EQ(group->same_as[1], 0) << "the test is of no use otherwise";
    EXPECT_EQ(group->info.chunks[0].bloom_bytes != 0, first);
    EXPECT_EQ(group->info.chunks[1].bloom_bytes != 0, !first);
    EXPECT_FALSE(group->chunks[0].bloom.empty());
  }
}

}  // namespace
}  // namespace lm::sink::parquet
