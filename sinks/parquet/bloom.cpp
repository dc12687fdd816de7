#include "parquet/bloom.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace lm::sink::parquet {
namespace {

constexpr std::size_t kWords = 8;  // of 32 bits, in a block
constexpr std::uint32_t kSalt[kWords] = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
                                         0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};
constexpr double kWrong = 0.01;
constexpr double kUseless = 0.1;

// One bit in each of the words of a block.
void mask_of(std::uint32_t key, std::uint32_t (&mask)[kWords]) {
  for (std::size_t i = 0; i < kWords; ++i) mask[i] = std::uint32_t{1} << (key * kSalt[i] >> 27);
}

std::size_t block_of(std::uint64_t hash, std::size_t blocks) { return static_cast<std::size_t>((hash >> 32) * blocks >> 32); }

}  // namespace

std::uint64_t bloom_hash(std::string_view value) { return XXH64(value.data(), value.size(), 0); }

BloomBits::BloomBits(std::size_t bytes) { std::memset(bytes_.extend(bytes), 0, bytes); }

std::size_t BloomBits::size_for(std::size_t distinct) {
  // Each value sets one bit of a word, eight times: wrong = (1 - e^(-8 n / bits))^8.
  static const double bits_each = -8 / std::log(1 - std::pow(kWrong, 1.0 / 8));
  const auto bytes = static_cast<std::size_t>(std::ceil(static_cast<double>(distinct) * bits_each / 8));
  return std::max(kBlock, std::bit_ceil(bytes));
}

void BloomBits::add(std::uint64_t hash) {
  std::uint32_t mask[kWords], block[kWords];
  mask_of(static_cast<std::uint32_t>(hash), mask);
  std::uint8_t* at = bytes_.data() + block_of(hash, bytes_.size() / kBlock) * kBlock;
  std::memcpy(block, at, kBlock);
  for (std::size_t i = 0; i < kWords; ++i) block[i] |= mask[i];
  std::memcpy(at, block, kBlock);
}

bool BloomBits::may_hold(std::uint64_t hash) const {
  std::uint32_t mask[kWords], block[kWords];
  mask_of(static_cast<std::uint32_t>(hash), mask);
  std::memcpy(block, bytes_.data() + block_of(hash, bytes_.size() / kBlock) * kBlock, kBlock);
  return std::equal(mask, mask + kWords, block, [](std::uint32_t m, std::uint32_t b) { return (b & m) != 0; });
}

void BloomBits::fold() {
  const std::size_t half = bytes_.size() / 2;
  if (half < kBlock) return;
  for (std::size_t to = 0; to < half; to += kBlock) {
    for (std::size_t i = 0; i < kBlock; ++i) bytes_[to + i] = static_cast<std::uint8_t>(bytes_[2 * to + i] | bytes_[2 * to + kBlock + i]);
  }
  bytes_.cut(half);
}

std::size_t BloomBits::set_bits() const {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < bytes_.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes_.data() + i, 8);
    sum += static_cast<std::size_t>(std::popcount(word));
  }
  return sum;
}

std::size_t BloomBits::distinct() const {
  const double bits = static_cast<double>(bytes_.size()) * 8;
  const double clear = bits - static_cast<double>(set_bits());
  return static_cast<std::size_t>(std::ceil(-bits / 8 * std::log(std::max(clear, 1.0) / bits)));
}

double BloomBits::wrong() const { return std::pow(static_cast<double>(set_bits()) / (static_cast<double>(bytes_.size()) * 8), 8); }

void BloomBuilder::add(std::uint64_t hash, std::size_t most_bytes) {
  if (!bits_.empty()) return bits_.add(hash);
  hashes_.push(hash);
  if (hashes_.size() * 8 < most_bytes) return;
  bits_ = BloomBits(most_bytes);
  for (const std::uint64_t each : hashes_.span()) bits_.add(each);
  hashes_.release();
}

void BloomBuilder::add(std::span<const std::int32_t> lengths, std::string_view text, std::size_t most_bytes) {
  std::size_t at = 0;
  for (const std::int32_t length : lengths) {
    add(bloom_hash(text.substr(at, static_cast<std::size_t>(length))), most_bytes);
    at += static_cast<std::size_t>(length);
  }
}

void BloomBuilder::add_plain(std::string_view plain, std::size_t most_bytes) {
  for (std::size_t at = 0; at + 4 <= plain.size();) {
    std::uint32_t length = 0;
    std::memcpy(&length, plain.data() + at, 4);
    add(bloom_hash(plain.substr(at + 4, length)), most_bytes);
    at += 4 + std::size_t{length};
  }
}

BloomBits BloomBuilder::finish() {
  if (bits_.empty()) {
    if (hashes_.empty()) return {};
    bits_ = BloomBits(BloomBits::size_for(hashes_.size()));
    for (const std::uint64_t hash : hashes_.span()) bits_.add(hash);
    hashes_.release();
  }
  if (bits_.wrong() > kUseless) return {};
  for (const std::size_t wanted = BloomBits::size_for(bits_.distinct()); bits_.bytes().size() > wanted;) bits_.fold();
  return std::move(bits_);
}

}  // namespace lm::sink::parquet
