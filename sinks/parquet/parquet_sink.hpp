// The Parquet sink: splits batches into partitions, each of which has a row group that grows (row_group.hpp), and keeps what it holds below its budget.
//
// A batch is taken apart by the write() that brings it, or by another one that is at work on the same columns at that time, and released. What is held are
// pages that are not full, finished pages of row groups that are not, dictionaries, and what the footers of open files will say. When a batch would exceed the
// budget, the writing thread makes room first: it turns what waits for pages into pages where that is most of what is held, and else finishes the largest row
// group. Footers have an eighth of it: past that, the file whose footer is the largest is finished.
//
// Row groups that grow have a fourth of it by themselves, before their rows: where there are more partitions than that is enough for, rows of those that get few at a time wait packed
// (few_rows.hpp), with a third of it for all. Nothing looks at all
// partitions while batches come, but where rows are to be in order.
#pragma once

#include "common/error.hpp"
#include "common/output_file.hpp"
#include "common/sink_glue.hpp"
#include "parquet/few_rows.hpp"
#include "parquet/gather.hpp"
#include "parquet/layout.hpp"
#include "parquet/part_file.hpp"
#include "parquet/row_group.hpp"
#include "parquet/schema.hpp"

#include <logmill/sink_describe.h>
#include <logmill/sink_ocsf.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
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
  Result<void> sweep(std::string_view run_id) { return target_.sweep(run_id); }
  const lm_sink_ocsf* ocsf() const { return options_.security_lake ? &kSecurityLake : nullptr; }
  static Result<void> describe(std::string_view path, lm_file_info& out);  // describe.cpp

  // The most bytes that it ever held, and the most row groups that grew at once.
  std::uint64_t most_held() const { return account_.most(); }
  std::size_t most_open() const { return most_open_; }

 private:
  struct Options {
    Layout layout;
    bool lake = true;  // the default layout
    // Of a custom source of Amazon Security Lake: rows in the order of time, one class a source.
    bool security_lake = false, one_class = false;
    EncodeOptions encode;
    std::int64_t row_group_rows = 0;
    std::uint64_t row_group_bytes = 0, file_bytes = 0, memory_bytes = 0;
  };
  struct Held;       // a batch
  struct Partition;  // of a table: the row group that grows, and the file that it goes to
  struct Growing;    // a row group
  struct Table;
  struct Placed;  // rows of a batch, and the partition that they belong to
  struct Merge;   // of runs of rows in order
  struct Relief;  // what gives memory back

  static const lm_sink_ocsf kSecurityLake;

  ParquetSink(Target target, std::string run_id, const Options& options);
  std::vector<Placed> place(Table& table, const ArrowArray& rows);
  Partition& partition(Table& table, const std::string& folder);
  void push(Placed placed, const std::shared_ptr<const BatchView>& view, std::vector<std::shared_ptr<Growing>>& to);
  void set_growing(Partition& partition, std::shared_ptr<Growing> growing);
  void end(const std::shared_ptr<Growing>& growing);
  std::uint64_t most_unpacked() const;
  std::vector<FewRows::Of> take_few(const Table& table, const Batch& batch, std::vector<Placed>& places);
  Partition& numbered(std::uint32_t number);
  Result<void> drain(Table& table, FewRows::Shelf shelf, bool last, Scratch& scratch);
  Result<void> relieve_few(Scratch& scratch);
  template <class Do>
  Result<void> guarded(Do&& what);
  Result<void> work(Growing& growing, Scratch& scratch);
  Result<void> work(const std::vector<std::shared_ptr<Growing>>& all, Scratch& scratch);
  Result<void> append(Growing& growing);
  Result<void> finish_file(Partition& partition);
  void count_footer(Partition& partition, std::uint64_t bytes);
  Result<void> relieve_footers();
  Result<void> write_ordered(Table& table, Batch batch, Scratch& scratch);
  Result<void> put_in_order(Partition& partition, Scratch& scratch);
  Result<void> merge(Partition& partition, Scratch& scratch);
  Partition* has_most(std::uint64_t Partition::*bytes);
  Relief find_relief();
  Result<void> make_room(std::uint64_t bytes, Scratch& scratch);
  Result<void> write(Table& table, Batch batch, Scratch& scratch);
  Result<void> remember(Result<void> result);

  const Target target_;
  const std::string run_id_;
  const Options options_;
  ScratchPool scratch_;
  Account account_;                                    // of batches, row groups, footers and rows that wait
  std::atomic<std::uint64_t> waiting_{0}, packed_{0};  // bytes of rows that wait to be in order, and of those that are
  std::atomic<std::uint64_t> closing_{0};              // bytes of row groups that are being finished
  std::atomic<std::uint64_t> footers_{0};              // bytes of the footers of files that are not
  std::atomic<std::uint32_t> writing_{0};              // calls that hold a batch
  std::atomic<std::uint64_t> few_{0};                  // bytes of rows in FewRows
  std::atomic<std::uint64_t> unpacked_{0};             // bytes of shelves that are taken from there
  std::atomic<std::size_t> tables_n_{0};
  std::atomic<std::size_t> open_n_{0}, most_open_{0};
  std::mutex draining_mutex_;                                    // taken first, and held while a shelf becomes row groups
  std::mutex open_mutex_;                                        // taken after a partition's; guards:
  std::set<std::uint32_t> open_;                                 // partitions whose row groups grow
  std::mutex by_footer_mutex_;                                   // taken last; guards:
  std::set<std::pair<std::uint64_t, std::uint32_t>> by_footer_;  // partitions whose files are not finished, behind the bytes of the footer
  std::mutex mutex_;  // guards what follows; taken before a partition's, but after that of its file
  std::condition_variable released_;
  std::vector<std::unique_ptr<Table>> tables_;
  std::vector<Partition*> by_number_;
  std::optional<Error> failed_;
  std::vector<std::string> missing_keys_;                 // columns that folders are named after and no table has
  const Table* only_ = nullptr;                           // one_class: the one
  std::vector<std::string> missing_;                      // columns that a bloom filter is wanted for and no table has
  std::vector<std::pair<std::uint32_t, PartFile>> full_;  // finished before seal
};

}  // namespace lm::sink::parquet
