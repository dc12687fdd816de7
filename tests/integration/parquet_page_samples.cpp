// usage: parquet_page_samples FOLDER SEED   Writes FOLDER/lake/*.parquet, row groups of pages and dictionaries that are far smaller than the sink would make
// them, and FOLDER/expected.ndjson: pages that end within batches and between list rows, dictionaries that are given up in the middle of a chunk, columns that
// are the same arrays for some batches, owners of dictionaries that begin anew.
#include "parquet/part_file.hpp"
#include "parquet/row_group.hpp"
#include "parquet/scratch.hpp"

#include "parquet_batches.hpp"
#include "sink_storage.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace {

using namespace lm::sink;
using namespace lm::sink::parquet;

int fail(const std::string& message) {
  std::cerr << message << "\n";
  return 1;
}

// The batch's view, which takes the array along.
Batch batch_of(ArrowArray array, std::uint64_t instance, std::uint64_t epoch) {
  lm_batch out{};
  out.struct_size = sizeof out;
  out.array = array;
  out.instance = instance;
  out.dictionary_epoch = epoch;
  return Batch(out);
}

int run(const std::string& folder, std::uint64_t seed) {
  const lm::test::Column table = lm::test::sample_table();
  const lm::test::Schema schema(table);
  const auto columns = TableSchema::make(*schema.get());
  if (!columns) return fail(columns.error().message);
  std::filesystem::create_directories(folder);
  const lm::test::SinkConfig config(folder + "/lake", "{}", 1, 0, "00ff");
  auto target = Target::open(config.get());
  if (!target) return fail(target.error().message);

  EncodeOptions options;
  constexpr Codec kCodecs[] = {Codec::none, Codec::zstd, Codec::snappy, Codec::gzip, Codec::lz4_raw};
  options.codec = kCodecs[seed % std::size(kCodecs)];
  options.page_bytes = seed % 2 ? 500 : 20000;
  options.dictionary_bytes = seed % 3 == 0 ? 100 : 5000;
  RowGroupPlans plans(*columns, options);
  Scratch scratch;
  Account account;
  auto file = PartFile::create(*target, "part-" + std::to_string(seed) + ".parquet", *columns, options.codec);
  if (!file) return fail(file.error().message);
  lm::test::BatchMaker maker(table, seed);
  std::vector<std::string> expected;
  std::vector<std::uint64_t> epochs(3);
  for (std::uint64_t g = 0; g < 3; ++g) {
    std::unique_ptr<RowGroup> group;
    for (std::uint64_t b = 0; b < 12; ++b) {
      const std::uint64_t instance = b % 3;
      if (b % 7 == 6) maker.forget(instance), ++epochs[instance];
      std::vector<std::string> json;
      auto array = maker.make(b == 5 ? 1 : 150 + b, instance, json);
      const auto rows = static_cast<std::int64_t>(json.size());
      auto view = std::make_shared<const BatchView>(*columns, batch_of(array, instance, epochs[instance]));
      if (!group) group = std::make_unique<RowGroup>(plans, *view, account);
      // All rows, or first those of one partition and then those of the other.
      if (b % 2) {
        group->push(view, {{0, rows}}, rows);
        expected.insert(expected.end(), json.begin(), json.end());
      } else {
        for (const std::int64_t odd : {0, 1}) {
          std::vector<Range> ranges;
          for (std::int64_t i = odd; i < rows; i += 2) {
            ranges.push_back({i, i + 1});
            expected.push_back(json[static_cast<std::size_t>(i)]);
          }
          const auto n = static_cast<std::int64_t>(ranges.size());
          if (n != 0) group->push(view, std::move(ranges), n);
        }
      }
      if (b == 8) group->push_squeeze();
      view.reset();
      group->work(scratch);
    }
    group->push_end();
    if (!group->work(scratch)) return fail("the end was not reached");
    auto encoded = group->take();
    if (!encoded) return fail(encoded.error().message);
    if (auto ok = file->append(std::move(*encoded)); !ok) return fail(ok.error().message);
  }
  if (account.held() != 0) return fail("bytes are held by nobody");
  if (auto ok = file->finish(); !ok) return fail(ok.error().message);
  if (auto ok = file->seal(); !ok) return fail(ok.error().message);
  file->keep();
  if (auto ok = target->publish(file->token()); !ok) return fail(ok.error().message);
  std::ofstream out(folder + "/expected.ndjson");
  for (const std::string& row : expected) out << row << "\n";
  return out.good() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return fail("usage: parquet_page_samples FOLDER SEED");
  return run(argv[1], std::strtoull(argv[2], nullptr, 10));
}
