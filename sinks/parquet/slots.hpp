// Which slots of an array are meant: stretches of them, or, where stretches would be many and short, each by its place.
#pragma once

#include "parquet/chain.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lm::sink::parquet {

struct Range {
  std::int64_t begin = 0, end = 0;
};

struct Stretch {
  std::int64_t begin;
  std::size_t n;
  std::int64_t operator[](std::size_t i) const { return begin + static_cast<std::int64_t>(i); }
  // Bits i to i + m - 1 (m: 1 to 64) of a bitmap whose bit `base` belongs to slot 0.
  std::uint64_t bits(const std::uint8_t* bitmap, std::int64_t base, std::size_t i, unsigned m) const {
    return load_bits(bitmap, base + (*this)[i], m);
  }
  // The values of the slots; `picked` is for those that do not lie back to back.
  template <class T, class Buffer>
  const T* values(const T* slot0, Buffer&) const {
    return slot0 + begin;
  }
};

struct Scattered {
  const std::int32_t* at;
  std::size_t n;
  std::int64_t operator[](std::size_t i) const { return at[i]; }
  std::uint64_t bits(const std::uint8_t* bitmap, std::int64_t base, std::size_t i, unsigned m) const {
    std::uint64_t word = 0;
    for (unsigned j = 0; j < m; ++j) {
      const std::int64_t bit = base + at[i + j];
      word |= static_cast<std::uint64_t>(bitmap[bit >> 3] >> (bit & 7) & 1) << j;
    }
    return word;
  }
  template <class T, class Buffer>
  const T* values(const T* slot0, Buffer& picked) const {
    picked.clear();
    T* to = picked.extend(n);
    for (std::size_t i = 0; i < n; ++i) to[i] = slot0[at[i]];
    return to;
  }
};

// The slots of ascending ranges that are not empty. The ranges outlive it.
class Selection {
 public:
  Selection() = default;
  explicit Selection(std::span<const Range> ranges) : ranges_(ranges) {
    std::size_t n = 0;
    for (const Range& range : ranges) n += static_cast<std::size_t>(range.end - range.begin);
    constexpr std::size_t kShort = 32;  // slots; a stretch costs about as much as this many scattered ones
    if (ranges.size() < 8 || n > ranges.size() * kShort) return;
    at_.reserve(n);
    for (const Range& range : ranges) {
      for (std::int64_t i = range.begin; i < range.end; ++i) at_.push_back(static_cast<std::int32_t>(i));
    }
  }

  bool scattered() const { return !at_.empty(); }
  std::span<const Range> ranges() const { return ranges_; }

  // part(Stretch) or part(Scattered), in order.
  template <class Part>
  void each_part(Part&& part) const {
    if (scattered()) return part(Scattered{at_.data(), at_.size()});
    for (const Range& range : ranges_) part(Stretch{range.begin, static_cast<std::size_t>(range.end - range.begin)});
  }

 private:
  std::span<const Range> ranges_;
  std::vector<std::int32_t> at_;
};

}  // namespace lm::sink::parquet
