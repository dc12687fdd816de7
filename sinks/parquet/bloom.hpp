// Split-block bloom filters: whether a column chunk may hold a value (Apache Parquet, "Parquet Bloom Filter"; values are hashed by XXH64).
//
// A filter of 2^k blocks is, block by block, the union of the two halves of one of 2^(k+1) blocks, because a block's number is the upper bits of the hash.
// So a filter may begin large, when nobody knows how many distinct values will come, and be folded to the size that they need.
#pragma once

#include "parquet/encode.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace lm::sink::parquet {

std::uint64_t bloom_hash(std::string_view value);

// The bits alone: 2^k blocks of 32 bytes.
class BloomBits {
 public:
  static constexpr std::size_t kBlock = 32;

  BloomBits() = default;
  // A power of two, at least one block.
  explicit BloomBits(std::size_t bytes);
  // So many bytes for so many distinct values: one look-up in a hundred for a value that is not there finds it all the same, or fewer.
  static std::size_t size_for(std::size_t distinct);

  void add(std::uint64_t hash);
  bool may_hold(std::uint64_t hash) const;
  void fold();  // to half the size, where there is more than one block
  // How many values are in it, as its bits tell.
  std::size_t distinct() const;
  // The share of look-ups for what is not there that find it.
  double wrong() const;

  const Bytes& bytes() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  std::size_t held() const { return bytes_.capacity(); }

 private:
  std::size_t set_bits() const;
  Bytes bytes_;
};

// What becomes the filter of a chunk: the hashes of its values, and from so many on a filter of the largest size.
class BloomBuilder {
 public:
  // Values back to back.
  void add(std::span<const std::int32_t> lengths, std::string_view text, std::size_t most_bytes);
  // A dictionary: each value behind its length of four bytes, none of them twice.
  void add_plain(std::string_view plain, std::size_t most_bytes);
  // The filter, as small as it may be; empty if one of `most_bytes`, a power of two, would be wrong too often to be of use.
  BloomBits finish();
  std::size_t held() const { return hashes_.capacity() * 8 + bits_.held(); }

 private:
  void add(std::uint64_t hash, std::size_t most_bytes);
  Pod<std::uint64_t> hashes_;
  BloomBits bits_;
};

}  // namespace lm::sink::parquet
