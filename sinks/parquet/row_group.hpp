// A row group while it is built. Knows nothing of partitions and files.
//
// The order of work of the whole sink:
//   1. the Arrow schema becomes schema elements, leaves and anchors (schema.hpp; once a table);
//   2. a batch is looked at: the way to every column's values, columns that are the same arrays (batch_view.hpp; once a batch);
//   3. per column: its rows are gathered, and a page is encoded and compressed when enough of them wait (column.hpp, shape.hpp for lists);
//   4. a row group that is full gets its dictionaries and is placed in a file, and the footer is written (part_file.hpp, footer.hpp).
//
// 3 is shared among threads without one waiting for another: batches stand in a queue, and each *unit*, some columns, goes through the queue by itself. A
// thread that brings a batch goes from unit to unit and takes what is there for it; where another is at work, it leaves the batch to that one.
#pragma once

#include "common/error.hpp"
#include "parquet/batch_view.hpp"
#include "parquet/column.hpp"
#include "parquet/footer.hpp"
#include "parquet/schema.hpp"
#include "parquet/slots.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace lm::sink::parquet {

struct EncodedRowGroup {
  RowGroupInfo info;                  // positions relative to each chunk
  std::vector<Chunk> chunks;          // one a leaf
  std::vector<std::int32_t> same_as;  // the leaf whose chunk is this one's, too; -1: has its own
};

// Bytes that are held, and the most that ever were.
class Account {
 public:
  void change(std::int64_t by) {
    const std::uint64_t now = held_ += static_cast<std::uint64_t>(by);
    std::uint64_t most = most_.load(std::memory_order_relaxed);
    while (by >= 0 && now > most && !most_.compare_exchange_weak(most, now, std::memory_order_relaxed)) {}
  }
  // Adds `bytes` if not more than `limit` are held then.
  bool reserve(std::uint64_t bytes, std::uint64_t limit) {
    std::uint64_t held = held_;
    do {
      if (held + bytes > limit) return false;
    } while (!held_.compare_exchange_weak(held, held + bytes));
    change(0);
    return true;
  }
  std::uint64_t held() const { return held_; }
  std::uint64_t most() const { return most_; }

 private:
  std::atomic<std::uint64_t> held_{0}, most_{0};
};

// How the columns of a table are built, for all its row groups. Thread-safe.
class RowGroupPlans {
 public:
  struct Unit {
    std::vector<std::uint32_t> lists, leaves;  // anchors and leaves by number; what lies in a list is in the list's unit
  };
  struct Plan {
    std::vector<Unit> units;
    std::vector<std::int32_t> same_as;  // of the batch that it was made for
    std::vector<bool> bloom;            // leaves whose chunk gets a bloom filter: of their own, or of one that is the same
  };

  // Both outlive it.
  RowGroupPlans(const TableSchema& schema, const EncodeOptions& options);
  const TableSchema& schema() const { return schema_; }
  ColumnUse use(std::size_t leaf, const Plan& plan) const { return {schema_.leaves[leaf], options_, worth_[leaf], plan.bloom[leaf]}; }
  bool has_bloom(std::size_t leaf) const { return options_.bloom.has(schema_.leaves[leaf]); }
  // For a row group that begins with this batch: columns that are the same there are in one unit.
  std::shared_ptr<const Plan> plan(const BatchView& first);

 private:
  std::shared_ptr<const Plan> make(const BatchView& first) const;

  const TableSchema& schema_;
  const EncodeOptions& options_;
  std::unique_ptr<Worth[]> worth_;
  std::mutex mutex_;
  std::shared_ptr<const Plan> last_;
};

class RowGroup {
 public:
  // Both outlive it.
  RowGroup(RowGroupPlans& plans, const BatchView& first, Account& account);
  ~RowGroup();
  RowGroup(const RowGroup&) = delete;
  RowGroup& operator=(const RowGroup&) = delete;

  // ---- One caller at a time ----
  // Rows of a batch: ascending ranges that are not empty.
  void push(std::shared_ptr<const BatchView> view, std::vector<Range> ranges, std::int64_t rows);
  // What waits for pages becomes pages.
  void push_squeeze();
  // Nothing comes any more.
  void push_end();
  std::int64_t rows() const { return rows_; }

  // ---- Any number of callers ----
  // Does what is there to be done and not being done already. True for the one call that did the last of it, the end included.
  bool work(Scratch& scratch);
  bool work(std::size_t unit, Scratch& scratch) { return work(*units_[unit], scratch); }
  std::size_t units() const { return units_.size(); }
  std::uint64_t held() const { return static_cast<std::uint64_t>(held_.load(std::memory_order_relaxed)); }
  std::uint64_t waiting() const { return static_cast<std::uint64_t>(waiting_.load(std::memory_order_relaxed)); }

  // After the end, once. LM_INVALID if an array contradicts itself; LM_UNSUPPORTED if a value is too large for a page; LM_NO_MEMORY.
  Result<EncodedRowGroup> take();
  // What went wrong so far.
  std::optional<Error> error() const;

 private:
  struct Work;
  struct Unit;
  void push(Work& work);
  bool work(Unit& unit, Scratch& scratch);
  void process(Unit& unit, Work& work, Scratch& scratch);
  void add_rows(Unit& unit, const Work& work, Scratch& scratch);
  void count(Unit& unit, bool ended);
  void fail_with(lm_status code, std::string message);

  RowGroupPlans& plans_;
  Account& account_;
  const std::shared_ptr<const RowGroupPlans::Plan> plan_;
  std::vector<Column> columns_;
  std::vector<std::int32_t> follows_;  // the column that this one has been the same as so far; -1: goes by itself
  std::vector<std::unique_ptr<Unit>> units_;
  std::deque<Work> queue_;  // entries are found by their links
  std::atomic<std::uint64_t> pushed_{0};
  std::int64_t rows_ = 0;
  std::atomic<std::size_t> open_units_;
  std::atomic<std::int64_t> held_{0}, waiting_{0};
  std::atomic<bool> failed_{false};
  mutable std::mutex error_mutex_;
  std::optional<Error> error_;
  EncodedRowGroup out_;
};

}  // namespace lm::sink::parquet
