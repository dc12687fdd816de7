// The Parquet sink: splits batches into partitions, gathers rows until they make a row group worth writing, and keeps what it holds below its budget.
//
// A batch stays whole behind a shared reference; a partition holds ranges of its rows. The thread whose write() fills a partition takes its rows out
// under the lock, encodes them outside of it, while others go on writing, and appends to the partition's file under the file's own lock.
//
// When a batch would exceed the budget, the writing thread flushes partitions, those with the oldest rows first: a batch is released only when the last
// partition that refers to it was flushed, and small partitions would pin large batches otherwise. It flushes down to half of the budget at once, so that
// the next flush finds row groups of some size again.
#pragma once

#include "common/error.hpp"
#include "common/output_file.hpp"
#include "common/sink_glue.hpp"
#include "parquet/part_file.hpp"
#include "parquet/row_group.hpp"
#include "parquet/schema.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace lm::sink::parquet {

class ParquetSink {
 public:
  static const lm_sink_descriptor& descriptor();
  static Result<std::unique_ptr<ParquetSink>> create(const lm_sink_config& config);
  ~ParquetSink();

  Result<std::uint32_t> open(const lm_table& table);
  Result<void> write(Batch batch);
  Result<void> seal(const Report& report);
  Result<void> publish(std::string_view token) { return target_.publish(token); }
  Result<void> discard(std::string_view token) { return target_.discard(token); }

 private:
  struct Options {
    bool lake = true;
    EncodeOptions encode;
    std::int64_t row_group_rows = 0;
    std::uint64_t row_group_bytes = 0, file_bytes = 0, memory_bytes = 0;
  };
  struct Held;       // a batch
  struct Slice;      // rows of a batch
  struct Partition;  // of a table: rows that wait, and the file that they go to
  struct Table;
  struct Flush;   // rows that were taken out of a partition
  struct Placed;  // rows of a batch, and the partition that they belong to

  ParquetSink(Target target, std::string run_id, const Options& options);
  std::vector<Placed> place(Table& table, const ArrowArray& rows);
  Partition& partition(Table& table, const std::string& folder);
  Flush take(Partition& partition, std::int64_t rows);
  Flush take_oldest();
  Result<void> make_room(std::uint64_t bytes);
  Result<void> flush(Flush rows);
  Result<void> append(Partition& partition, EncodedRowGroup group);
  Result<void> remember(Result<void> result);

  const Target target_;
  const std::string run_id_;
  const Options options_;
  ScratchPool scratch_;
  std::atomic<std::uint64_t> held_{0};      // bytes of batches that are referred to, and of encodings
  std::atomic<std::uint64_t> flushing_{0};  // bytes of the rows that are being encoded
  std::mutex mutex_;                        // guards what follows, and what waits in partitions
  std::condition_variable released_;
  std::vector<std::unique_ptr<Table>> tables_;
  std::uint64_t batches_ = 0;
  std::optional<Error> failed_;
  std::vector<std::pair<std::uint32_t, PartFile>> full_;  // finished before seal
};

}  // namespace lm::sink::parquet
