#include "parquet/few_rows.hpp"

#include <algorithm>
#include <iterator>
#include <span>
#include <tuple>
#include <utility>

namespace lm::sink::parquet {
namespace {

constexpr std::size_t kMostWaiting = 8192;  // rows
constexpr std::size_t kSmall = 32;          // so many batches that were merged as often are one

std::size_t shelf_of(const RowRef& row) { return static_cast<std::uint32_t>(row.key) * 0x9E3779B1U >> 26; }
static_assert(FewRows::kShelves == 1U << (32 - 26));

}  // namespace

FewRows::~FewRows() {
  std::uint64_t bytes = waiting_.bytes;
  for (const Shelf& shelf : shelves_) bytes += shelf.held;
  change(-static_cast<std::int64_t>(bytes));
}

void FewRows::add(const Batch& from, const std::vector<Of>& rows, std::uint64_t most, Zeroes& zeroes) {
  std::vector<RowRef> taken, kept;
  for (const Of& of : rows) {
    for (const Range& range : of.ranges) {
      for (std::int64_t row = range.begin; row < range.end; ++row) {
        kept.push_back({of.partition, 0, static_cast<std::uint32_t>(taken.size())});
        taken.push_back({of.partition, 0, static_cast<std::uint32_t>(row)});
      }
    }
  }
  Batch own = gather(table_, {&from, 1}, taken, zeroes);
  const std::uint64_t bytes = own.bytes() + kept.size() * sizeof(RowRef);
  Waiting full;
  {
    const std::lock_guard lock(mutex_);
    for (RowRef& row : kept) row.batch = static_cast<std::uint32_t>(waiting_.batches.size());
    waiting_.batches.push_back(std::move(own));
    waiting_.taken.push_back({kept.size(), 0});
    waiting_.rows.insert(waiting_.rows.end(), kept.begin(), kept.end());
    waiting_.bytes += bytes;
    change(static_cast<std::int64_t>(bytes));
    merge_small(zeroes);
    if (waiting_.rows.size() >= kMostWaiting || waiting_.bytes >= most) full = std::exchange(waiting_, {});
  }
  pack(std::move(full), zeroes);
}

// A batch of a row costs what its arrays do. With the mutex.
void FewRows::merge_small(Zeroes& zeroes) {
  std::vector<Batch>& batches = waiting_.batches;
  std::vector<Waiting::Taken>& taken = waiting_.taken;
  while (batches.size() >= kSmall && taken[taken.size() - kSmall].merged == taken.back().merged) {
    const std::size_t first = batches.size() - kSmall;
    std::size_t n = 0;
    std::uint64_t bytes = 0;
    for (std::size_t i = first; i < batches.size(); ++i) n += taken[i].rows, bytes += batches[i].bytes();
    const std::span<RowRef> rows = std::span(waiting_.rows).last(n);
    for (RowRef& row : rows) row.batch -= static_cast<std::uint32_t>(first);
    Batch merged = gather(table_, std::span(batches).subspan(first), rows, zeroes);
    for (std::size_t i = 0; i < n; ++i) rows[i].batch = static_cast<std::uint32_t>(first), rows[i].row = static_cast<std::uint32_t>(i);
    const std::int64_t more = static_cast<std::int64_t>(merged.bytes()) - static_cast<std::int64_t>(bytes);
    waiting_.bytes += static_cast<std::uint64_t>(more);
    change(more);
    const std::uint32_t times = taken.back().merged + 1;
    batches.resize(first), taken.resize(first);
    batches.push_back(std::move(merged));
    taken.push_back({n, times});
  }
}

void FewRows::pack_rest(Zeroes& zeroes) {
  Waiting rest;
  {
    const std::lock_guard lock(mutex_);
    rest = std::exchange(waiting_, {});
  }
  pack(std::move(rest), zeroes);
}

void FewRows::pack(Waiting waiting, Zeroes& zeroes) {
  if (waiting.rows.empty()) return;
  std::stable_sort(waiting.rows.begin(), waiting.rows.end(),
                   [](const RowRef& a, const RowRef& b) { return std::tuple(shelf_of(a), a.key) < std::tuple(shelf_of(b), b.key); });
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
    const Batch rows = gather(table_, waiting.batches, std::span(waiting.rows).subspan(begin, end - begin), zeroes);
    piece.unpacked = rows.bytes();
    piece.packed = parquet::pack(table_, rows);
    begin = end;
    const std::uint64_t bytes = piece.held();
    const std::lock_guard lock(mutex_);
    Shelf& to = shelves_[shelf];
    to.held += bytes, to.unpacked += piece.unpacked;
    to.pieces.push_back(std::move(piece));
    change(static_cast<std::int64_t>(bytes));
  }
  change(-static_cast<std::int64_t>(waiting.bytes));
}

std::size_t FewRows::find_fullest() const {
  const auto less = [](const Shelf& a, const Shelf& b) { return a.unpacked < b.unpacked; };
  return static_cast<std::size_t>(std::max_element(std::begin(shelves_), std::end(shelves_), less) - std::begin(shelves_));
}

std::uint64_t FewRows::fullest() const {
  const std::lock_guard lock(mutex_);
  return shelves_[find_fullest()].unpacked;
}

FewRows::Shelf FewRows::take_fullest() {
  const std::lock_guard lock(mutex_);
  Shelf& shelf = shelves_[find_fullest()];
  held_ -= shelf.held;
  return std::exchange(shelf, {});
}

}  // namespace lm::sink::parquet
