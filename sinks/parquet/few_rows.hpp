// Rows of partitions that have few. A row group that grows costs some 500 bytes a column however few rows it has, and thousands of them would leave no room for the rows: where many
// partitions are open, rows of further ones wait here together, packed, until they are worth a row group each.
//
// Partitions are dealt out to *shelves*. What waits is gathered and packed a piece for each shelf; a shelf is taken whole, the one that has most first, so that its partitions get as many
// rows as there are of them. What a shelf has counts as it will be unpacked: repetitive text is packed a thousandfold.
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
  using Zeroes = lm::detail::Zeroes;
  static constexpr std::size_t kShelves = 64;
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
    std::vector<Part> parts;     // one behind the other
    std::uint64_t unpacked = 0;  // bytes
    std::uint64_t held() const { return packed.capacity() + parts.capacity() * sizeof(Part) + sizeof(Piece); }
  };
  struct Shelf {
    std::vector<Piece> pieces;
    std::uint64_t held = 0, unpacked = 0;  // of all pieces
  };

  // `held` counts what all tables have waiting, packed or not. All outlive it.
  FewRows(const Field& table, Account& account, std::atomic<std::uint64_t>& held) : table_(table), account_(account), held_(held) {}
  ~FewRows();
  FewRows(const FewRows&) = delete;
  FewRows& operator=(const FewRows&) = delete;

  // Takes these rows of a batch, which stays as it is. What waits is packed when it has `most` bytes.
  void add(const Batch& from, const std::vector<Of>& rows, std::uint64_t most, Zeroes& zeroes);
  // What waits and is not packed.
  void pack_rest(Zeroes& zeroes);
  // How much the fullest shelf has, unpacked.
  std::uint64_t fullest() const;
  // Empty if nothing is packed. What it holds stays on the account, which is the caller's business now.
  Shelf take_fullest();

 private:
  struct Waiting {
    struct Taken {
      std::size_t rows = 0;
      std::uint32_t merged = 0;  // how often
    };
    std::vector<Batch> batches;  // the rows that were taken, alone
    std::vector<Taken> taken;    // of each batch
    std::vector<RowRef> rows;    // in the order of the batches; key: the partition
    std::uint64_t bytes = 0;
  };
  void merge_small(Zeroes& zeroes);
  void pack(Waiting waiting, Zeroes& zeroes);
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
};

}  // namespace lm::sink::parquet
