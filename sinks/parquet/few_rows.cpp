#include "parquet/few_rows.hpp"

#include <algorithm>
#include <span>
#include <tuple>
#include <utility>

namespace lm::sink::parquet {
namespace {

constexpr std::size_t kMostWaiting = 8192;  // rows

}  // namespace

FewRows::~FewRows() {
  std::uint64_t bytes = waiting_.bytes;
  for (const std::uint64_t of_shelf : bytes_) bytes += of_shelf;
  change(-static_cast<std::int64_t>(bytes));
}

void FewRows::add(const Batch& from, const std::vector<Of>& rows, std::uint64_t most) {
  std::vector<RowRef> taken, kept;
  for (const Of& of : rows) {
    for (const Range& range : of.ranges) {
      for (std::int64_t row = range.begin; row < range.end; ++row) {
        kept.push_back({of.partition, 0, static_cast<std::uint32_t>(taken.size())});
        taken.push_back({of.partition, 0, static_cast<std::uint32_t>(row)});
      }
    }
  }
  Batch own = gather(table_, {&from, 1}, taken);
  const std::uint64_t bytes = own.bytes() + kept.size() * sizeof(RowRef);
  Waiting full;
  {
    const std::lock_guard lock(mutex_);
    for (RowRef& row : kept) row.batch = static_cast<std::uint32_t>(waiting_.batches.size());
    waiting_.batches.push_back(std::move(own));
    waiting_.rows.insert(waiting_.rows.end(), kept.begin(), kept.end());
    waiting_.bytes += bytes;
    change(static_cast<std::int64_t>(bytes));
    if (waiting_.rows.size() >= kMostWaiting || waiting_.bytes >= most) full = std::exchange(waiting_, {});
  }
  pack(std::move(full));
}

void FewRows::pack_rest() {
  Waiting rest;
  {
    const std::lock_guard lock(mutex_);
    rest = std::exchange(waiting_, {});
  }
  pack(std::move(rest));
}

void FewRows::pack(Waiting waiting) {
  if (waiting.rows.empty()) return;
  const auto shelf_of = [](const RowRef& row) { return static_cast<std::size_t>(row.key) % kShelves; };
  std::stable_sort(waiting.rows.begin(), waiting.rows.end(),
                   [&](const RowRef& a, const RowRef& b) { return std::tuple(shelf_of(a), a.key) < std::tuple(shelf_of(b), b.key); });
  for (std::size_t begin = 0; begin < waiting.rows.size();) {
    const std::size_t shelf = shelf_of(waiting.rows[begin]);
    Piece piece;
    std::size_t end = begin;
    for (; end < waiting.rows.size() && shelf_of(waiting.rows[end]) == shelf; ++end) {
      const auto partition = static_cast<std::uint32_t>(waiting.rows[end].key);
      if (piece.parts.empty() || piece.parts.back().partition != partition) piece.parts.push_back({partition, 0});
      ++piece.parts.back().rows;
    }
    piece.parts.shrink_to_fit();
    piece.packed = parquet::pack(table_, gather(table_, waiting.batches, std::span(waiting.rows).subspan(begin, end - begin)));
    begin = end;
    const std::uint64_t bytes = piece.held();
    const std::lock_guard lock(mutex_);
    shelves_[shelf].push_back(std::move(piece));
    bytes_[shelf] += bytes;
    change(static_cast<std::int64_t>(bytes));
  }
  change(-static_cast<std::int64_t>(waiting.bytes));
}

std::size_t FewRows::find_fullest() const { return static_cast<std::size_t>(std::max_element(bytes_, bytes_ + kShelves) - bytes_); }

std::uint64_t FewRows::fullest() const {
  const std::lock_guard lock(mutex_);
  return bytes_[find_fullest()];
}

FewRows::Shelf FewRows::take_fullest() {
  const std::lock_guard lock(mutex_);
  const std::size_t shelf = find_fullest();
  bytes_[shelf] = 0;
  return std::exchange(shelves_[shelf], {});
}

void FewRows::give_back(const Shelf& shelf) {
  std::uint64_t bytes = 0;
  for (const Piece& piece : shelf) bytes += piece.held();
  change(-static_cast<std::int64_t>(bytes));
}

}  // namespace lm::sink::parquet
