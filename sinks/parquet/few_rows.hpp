// Rows of partitions that have few. A row group that grows costs a hundred kilobytes however few rows it has, and thousands of them would leave no room for the rows: where many
// partitions are open, rows of further ones wait here together, packed, until they are worth a row group each.
//
// Partitions are dealt out to *shelves* by their numbers. What waits is gathered and packed a piece for each shelf; a shelf is taken whole, the fullest first, so that its partitions get
// as many rows as there are of them, and no more than a shelf is ever unpacked at once.
#pragma once

#include "common/arrow_view.hpp"
#include "common/sink_glue.hpp"
#include "parquet/gather.hpp"
#include "parquet/row_group.hpp"
#include "parquet/slots.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace lm::sink::parquet {

// Of one table. Thread-safe. Functions throw BadArray and std::length_error, as gather() does.
class FewRows {
 public:
  static constexpr std::size_t kShelves = 32;
  // Rows of one partition, by its number: in a batch, or in a piece, where they are neighbours.
  struct Of {
    std::uint32_t partition = 0;
    std::vector<Range> ranges;
  };
  struct Piece {
    struct Part {
      std::uint32_t partition = 0, rows = 0;
    };
    std::string packed;
    std::vector<Part> parts;  // one behind the other
    std::uint64_t held() const { return packed.capacity() + parts.capacity() * sizeof(Part) + sizeof(Piece); }
  };
  using Shelf = std::vector<Piece>;

  // `held` counts what is held of all tables. All outlive it.
  FewRows(const Field& table, Account& account, std::atomic<std::uint64_t>& held) : table_(table), account_(account), held_(held) {}
  ~FewRows();
  FewRows(const FewRows&) = delete;
  FewRows& operator=(const FewRows&) = delete;

  // Takes these rows of a batch, which stays as it is. What waits is packed when it has `most` bytes.
  void add(const Batch& from, const std::vector<Of>& rows, std::uint64_t most);
  // What waits and is not packed.
  void pack_rest();
  // How much is on the fullest shelf.
  std::uint64_t fullest() const;
  // Empty if nothing is packed. The bytes are the caller's to give back: give_back().
  Shelf take_fullest();
  void give_back(const Shelf& shelf);

 private:
  struct Waiting {
    std::vector<Batch> batches;  // the rows that were taken, alone
    std::vector<RowRef> rows;    // key: the partition
    std::uint64_t bytes = 0;
  };
  void pack(Waiting waiting);
  void change(std::int64_t by) {
    account_.change(by);
    held_ += static_cast<std::uint64_t>(by);
  }
  std::size_t find_fullest() const;

  const Field& table_;
  Account& account_;
  std::atomic<std::uint64_t>& held_;
  mutable std::mutex mutex_;  // guards:
  Waiting waiting_;
  Shelf shelves_[kShelves];
  std::uint64_t bytes_[kShelves] = {};
};

}  // namespace lm::sink::parquet
