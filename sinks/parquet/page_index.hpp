// Where the pages of a chunk are, which rows they have, and between which bounds their values lie: what becomes the offset index and the column index of a
// file (Apache Parquet, "Page Index"; footer.hpp writes them), by which readers leave out pages as they leave out row groups.
#pragma once

#include "parquet/encode.hpp"
#include "parquet/schema.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lm::sink::parquet {

// Bytes of a text that stands as a bound.
inline constexpr std::size_t kLongestBound = 64;

// Which of two plain-encoded values comes first: below, at or above 0. Both zeroes of a double are the same; NaN is not asked for.
int compare(LeafKind kind, std::string_view a, std::string_view b);

// A text of at most `most` bytes, whole characters if it has them, that is not greater.
std::string_view round_down(std::string_view text, std::size_t most);
// The same that is not less; nullopt if there is none.
std::optional<std::string> round_up(std::string_view text, std::size_t most);

class PageIndex {
 public:
  enum class Order : std::uint8_t { none = 0, ascending = 1, descending = 2 };
  struct Page {
    std::int64_t at = 0;         // its header, from where the first data page begins
    std::int64_t first_row = 0;  // in the row group
    std::int32_t bytes = 0;      // stored, the header included
    std::int32_t nulls = 0;
    std::uint32_t bounds_at = 0;  // of the texts below, in bounds_
    std::uint16_t smallest_bytes = 0, largest_bytes = 0;
    bool has_values = false;
  };

  // The page behind the last one. `bounds`: of its values, if they have any; plain-encoded and of any length.
  void add(LeafKind kind, std::int32_t bytes, std::int32_t slots, std::int32_t nulls, std::int32_t rows,
           const std::optional<Bounds>& bounds);

  std::span<const Page> pages() const { return pages_.span(); }
  std::string_view smallest(const Page& page) const { return at(page.bounds_at, page.smallest_bytes); }
  std::string_view largest(const Page& page) const { return at(page.bounds_at + page.smallest_bytes, page.largest_bytes); }
  // Every page that has values has bounds, too: without, a column index must not be.
  bool bounded() const { return bounded_; }
  Order order() const { return ascending_ ? Order::ascending : descending_ ? Order::descending : Order::none; }
  std::size_t held() const { return pages_.capacity() * sizeof(Page) + bounds_.capacity(); }

 private:
  std::string_view at(std::size_t from, std::size_t n) const {
    return n == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char*>(bounds_.data()) + from, n);
  }
  void keep(LeafKind kind, const Bounds& bounds, Page& page);

  Pod<Page> pages_;
  Bytes bounds_;
  std::int64_t rows_ = 0, bytes_ = 0;
  std::optional<std::size_t> last_;  // page with values
  bool bounded_ = true, ascending_ = true, descending_ = true;
};

}  // namespace lm::sink::parquet
