// Runs of values that are mostly one and the same, and levels, which are such.
#pragma once

#include "parquet/encode.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace lm::sink::parquet {

// As long as all values are the same, only their number is kept.
template <class T>
class Runs {
 public:
  std::size_t size() const { return values_.size() + count_; }
  bool constant() const { return values_.empty(); }
  T value() const { return value_; }  // of a constant one
  const Pod<T>& values() const { return values_; }
  std::size_t held() const { return values_.capacity() * sizeof(T); }

  void clear() { values_.clear(), count_ = 0; }
  void release() { values_.release(), count_ = 0; }
  void add(T value, std::size_t n) {
    if (n == 0) return;
    if (values_.empty() && (count_ == 0 || value == value_)) {
      value_ = value;
      count_ += n;
    } else {
      std::fill_n(extend(n), n, value);
    }
  }
  // n values that the caller writes.
  T* extend(std::size_t n) {
    if (count_ != 0) {
      const std::size_t n_before = std::exchange(count_, 0);
      std::fill_n(values_.extend(n_before), n_before, value_);
    }
    return values_.extend(n);
  }
  void append(const T* from, std::size_t n) {
    if (n) std::memcpy(extend(n), from, n * sizeof(T));
  }
  // Takes what another one holds, behind what is here.
  void append(const Runs& from) { from.constant() ? add(from.value_, from.count_) : append(from.values_.data(), from.values_.size()); }
  void cut(std::size_t size) { values_.cut(size); }

 private:
  Pod<T> values_;
  std::size_t count_ = 0;
  T value_{};
};
using Levels = Runs<std::uint8_t>;

// Bit i of a byte as byte i of a word.
inline constexpr std::array<std::uint64_t, 256> kExpand = [] {
  std::array<std::uint64_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    for (unsigned bit = 0; bit < 8; ++bit) table[byte] |= static_cast<std::uint64_t>(byte >> bit & 1) << (8 * bit);
  }
  return table;
}();

// The levels of some slots, and which of them have the last node. `words` is empty if all or none have it, as the path says.
template <class Path, class Slots>
void put_levels(const Path& path, const Slots& slots, Levels& levels, Pod<std::uint64_t>& words) {
  words.clear();
  const std::size_t n = slots.n;
  if (path.count == 0) return levels.add(static_cast<std::uint8_t>(path.lead), n);
  std::uint64_t* word = words.extend((n + 63) / 64);
  unsigned full = path.lead;
  for (unsigned c = 0; c < path.count; ++c) full += path.nodes[c].weight;
  std::uint8_t* out = levels.extend(n);
  for (std::size_t i = 0; i < n; i += 64) {
    const auto m = static_cast<unsigned>(std::min<std::size_t>(64, n - i));
    const std::uint64_t all = m == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << m) - 1;
    std::uint64_t alive = all;
    std::uint64_t sums[8];
    bool mixed = false;
    for (unsigned c = 0; c < path.count; ++c) {
      const auto& node = path.nodes[c];
      alive &= slots.bits(node.bits, node.base, i, m);
      if (alive == all) continue;
      if (!mixed) {
        unsigned before = path.lead;
        for (unsigned p = 0; p < c; ++p) before += path.nodes[p].weight;
        std::fill_n(sums, 8, 0x0101010101010101u * before);
        mixed = true;
      }
      if (alive == 0) break;  // nothing opens any level from here on
      for (unsigned b = 0; b < 8; ++b) sums[b] += kExpand[alive >> (8 * b) & 0xff] * node.weight;
    }
    word[i / 64] = alive;
    if (!mixed) {
      std::memset(out + i, static_cast<int>(full), m);
    } else {
      std::memcpy(out + i, sums, m);
    }
  }
}

inline std::size_t count_bits(const Pod<std::uint64_t>& words) {
  std::size_t sum = 0;
  for (const std::uint64_t word : words.span()) sum += static_cast<std::size_t>(std::popcount(word));
  return sum;
}

// The values whose bit is set, back to back; `to` may be `from`. Every slot is read and written, only the place moves on: no branch a value.
template <class T>
std::size_t compact(const T* from, std::size_t n, const Pod<std::uint64_t>& words, T* to) {
  std::size_t k = 0;
  for (std::size_t i = 0; i < n; i += 64) {
    std::uint64_t word = words[i / 64];
    const std::size_t m = std::min<std::size_t>(64, n - i);
    if (word == ~std::uint64_t{0}) {
      std::memmove(to + k, from + i, 64 * sizeof(T));
      k += 64;
    } else if (word != 0) {
      for (std::size_t j = 0; j < m; ++j, word >>= 1) {
        to[k] = from[i + j];
        k += word & 1;
      }
    }
  }
  return k;
}

}  // namespace lm::sink::parquet
