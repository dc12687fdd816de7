// Parquet's encodings of levels and values, each as one function from plain memory to bytes. Pages, headers and compression are elsewhere.
//
// Sources of the formats: Apache Parquet, "Encodings". Every function appends to its output; none throws but std::bad_alloc; all are pure
// otherwise. Bits are packed from the least significant one on; the machine is little-endian.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <utility>

namespace lm::sink::parquet {

static_assert(std::endian::native == std::endian::little, "numbers are stored as they lie in memory");

// A growing array of plain values that leaves new elements uninitialised: they are about to be written.
template <class T>
class Pod {
 public:
  Pod() = default;
  Pod(Pod&& other) noexcept { swap(other); }
  Pod& operator=(Pod&& other) noexcept {
    Pod moved(std::move(other));
    swap(moved);
    return *this;
  }
  Pod(const Pod& from) { append(from.data(), from.size()); }
  Pod& operator=(const Pod& from) {
    if (this != &from) clear(), append(from.data(), from.size());
    return *this;
  }
  ~Pod() = default;

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  std::span<const T> span() const { return {data_.get(), size_}; }

  void clear() { size_ = 0; }
  // Back to `size` elements, which are there.
  void cut(std::size_t size) { size_ = size; }
  void reserve(std::size_t wanted) {
    if (wanted <= capacity_) return;
    const std::size_t capacity = wanted > capacity_ * 2 ? wanted : capacity_ * 2;
    std::unique_ptr<T[]> fresh(new T[capacity]);
    if (size_) std::memcpy(fresh.get(), data_.get(), size_ * sizeof(T));
    data_ = std::move(fresh);
    capacity_ = capacity;
  }
  // Adds n elements and answers the first. Valid until the next call that grows.
  T* extend(std::size_t n) {
    reserve(size_ + n);
    T* first = data_.get() + size_;
    size_ += n;
    return first;
  }
  void push(T value) { *extend(1) = value; }
  void append(const T* from, std::size_t n) {
    if (n) std::memcpy(extend(n), from, n * sizeof(T));
  }
  void release() { data_.reset(), size_ = capacity_ = 0; }

 private:
  void swap(Pod& other) noexcept { std::swap(data_, other.data_), std::swap(size_, other.size_), std::swap(capacity_, other.capacity_); }
  std::unique_ptr<T[]> data_;
  std::size_t size_ = 0, capacity_ = 0;
};

using Bytes = Pod<std::uint8_t>;

inline unsigned bit_width(std::uint64_t largest) { return static_cast<unsigned>(std::bit_width(largest)); }

void put_varint(std::uint64_t value, Bytes& out);
void put_zigzag(std::int64_t value, Bytes& out);

// The RLE/bit-packed hybrid, without the length in front. Values are below 2^width; width is 1 to 8 for bytes and 1 to 32 for words.
void put_hybrid(std::span<const std::uint8_t> values, unsigned width, Bytes& out);
void put_hybrid(std::span<const std::uint32_t> values, unsigned width, Bytes& out);
// The same for `count` times one value.
void put_run(std::uint32_t value, std::uint64_t count, unsigned width, Bytes& out);

// DELTA_BINARY_PACKED: blocks of 128 values, miniblocks of 32.
void put_delta(std::span<const std::int32_t> values, Bytes& out);
void put_delta(std::span<const std::int64_t> values, Bytes& out);
// The same for `count` times one value.
void put_delta_run(std::int64_t value, std::size_t count, Bytes& out);

// BYTE_STREAM_SPLIT: the first bytes of all values, then the second ones.
void put_split(std::span<const double> values, Bytes& out);

// DELTA_LENGTH_BYTE_ARRAY: `text` is the values back to back.
void put_delta_length(std::span<const std::int32_t> lengths, std::string_view text, Bytes& out);

// DELTA_BYTE_ARRAY: what each value shares with the one before is stored as a length. The scratch is the caller's so that it is reused; `prefixes` tells
// afterwards what was shared.
void put_delta_text(std::span<const std::int32_t> lengths, std::string_view text, Pod<std::int32_t>& prefixes, Pod<std::int32_t>& suffixes,
                    Bytes& out);

// The smallest and the largest of some numbers, of which there is at least one.
std::pair<std::uint8_t, std::uint8_t> min_max(std::span<const std::uint8_t> values);
std::pair<std::int32_t, std::int32_t> min_max(std::span<const std::int32_t> values);
std::pair<std::int64_t, std::int64_t> min_max(std::span<const std::int64_t> values);

// to[i] = places[codes[i]], where every code is a place. False if one of them is negative, which the caller makes good.
bool replace_codes(const std::int32_t* places, std::span<const std::int32_t> codes, std::uint32_t* to);

// The smallest and the largest of some values, in plain encoding; a text without its length.
struct Bounds {
  std::string_view smallest, largest;
};
// Those of some texts, of which there is at least one, as bytes compare.
Bounds bounds_of(std::span<const std::int32_t> lengths, std::string_view text);
// The same of a plain-encoded dictionary: each text behind its length of four bytes.
Bounds bounds_of_plain(std::string_view plain);
// Of those of its texts that are wanted, of which there is at least one; `wanted` is filled up to a multiple of eight with zeroes.
Bounds bounds_of_plain(std::string_view plain, std::span<const std::uint32_t> starts, std::span<const std::uint8_t> wanted);
// The same where it is known how many bytes each shares with the one before: where values ascend or descend, only the turns are compared.
Bounds bounds_of(std::span<const std::int32_t> lengths, std::string_view text, std::span<const std::int32_t> prefixes);

// The number of bytes that both begin with.
std::size_t common_prefix(std::string_view a, std::string_view b);

}  // namespace lm::sink::parquet
