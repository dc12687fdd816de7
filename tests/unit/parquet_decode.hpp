// Decoders of Parquet's encodings that are as plain as the format's text: a bit at a time, a value at a time.
#pragma once

#include "parquet/encode.hpp"

#include <gtest/gtest.h>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace lm::sink::parquet {

struct Reader {
  std::span<const std::uint8_t> bytes;
  std::size_t at = 0;

  explicit Reader(std::span<const std::uint8_t> from) : bytes(from) {}
  explicit Reader(const Bytes& from) : bytes(from.span()) {}

  std::uint8_t byte() {
    if (at >= bytes.size()) throw std::out_of_range("past the end");
    return bytes[at++];
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const std::uint8_t b = byte();
      value |= static_cast<std::uint64_t>(b & 0x7f) << shift;
      if ((b & 0x80) == 0) return value;
    }
  }
  std::int64_t zigzag() {
    const std::uint64_t v = varint();
    return static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1);
  }
  // `n` values, packed from the lowest bit on; whole bytes are consumed.
  std::vector<std::uint64_t> packed(std::size_t n, unsigned width) {
    std::vector<std::uint64_t> out(n, 0);
    for (std::size_t bit = 0; bit < n * width; ++bit) {
      if (at + bit / 8 >= bytes.size()) throw std::out_of_range("past the end");
      out[bit / width] |= static_cast<std::uint64_t>(bytes[at + bit / 8] >> (bit % 8) & 1) << (bit % width);
    }
    at += (n * width + 7) / 8;
    return out;
  }
};

inline std::vector<std::uint64_t> read_hybrid(std::span<const std::uint8_t> bytes, std::size_t n, unsigned width) {
  Reader in{bytes};
  std::vector<std::uint64_t> out;
  while (in.at < bytes.size()) {
    const std::uint64_t header = in.varint();
    if (header & 1) {
      for (const std::uint64_t v : in.packed((header >> 1) * 8, width)) out.push_back(v);
    } else {
      std::uint64_t value = 0;
      for (unsigned i = 0; i < (width + 7) / 8; ++i) value |= static_cast<std::uint64_t>(in.byte()) << (8 * i);
      out.insert(out.end(), header >> 1, value);
    }
  }
  // Only the last group may be filled up, with zeroes.
  EXPECT_LT(out.size() - n, 8u);
  for (std::size_t i = n; i < out.size(); ++i) EXPECT_EQ(out[i], 0u);
  out.resize(n);
  return out;
}

template <class T>
std::vector<T> read_delta(Reader& in) {
  using U = std::make_unsigned_t<T>;
  const std::uint64_t block = in.varint(), minis = in.varint(), total = in.varint();
  EXPECT_EQ(block, 128u);
  EXPECT_EQ(minis, 4u);
  std::vector<T> out;
  T value = static_cast<T>(in.zigzag());
  if (total > 0) out.push_back(value);
  while (out.size() < total) {
    const auto smallest = static_cast<U>(in.zigzag());
    std::uint8_t widths[4];
    for (auto& width : widths) {
      width = in.byte();
      EXPECT_LE(width, 8 * sizeof(T));
    }
    for (std::size_t m = 0; m < 4 && out.size() < total; ++m) {
      for (const std::uint64_t delta : in.packed(32, widths[m])) {
        if (out.size() == total) break;
        value = static_cast<T>(static_cast<U>(value) + smallest + static_cast<U>(delta));
        out.push_back(value);
      }
    }
  }
  return out;
}

inline std::vector<std::string> read_delta_length(Reader& in) {
  std::vector<std::string> out;
  for (const std::int32_t length : read_delta<std::int32_t>(in)) {
    std::string value;
    for (std::int32_t i = 0; i < length; ++i) value += static_cast<char>(in.byte());
    out.push_back(value);
  }
  return out;
}

inline std::vector<std::string> read_delta_text(Reader& in) {
  const auto shared = read_delta<std::int32_t>(in);
  std::vector<std::string> out = read_delta_length(in);
  EXPECT_EQ(shared.size(), out.size());
  for (std::size_t i = 1; i < out.size(); ++i) out[i].insert(0, out[i - 1].substr(0, static_cast<std::size_t>(shared[i])));
  return out;
}

inline std::vector<double> read_split(Reader& in, std::size_t n) {
  std::vector<double> out(n);
  for (std::size_t byte = 0; byte < sizeof(double); ++byte) {
    for (double& value : out) reinterpret_cast<std::uint8_t*>(&value)[byte] = in.byte();
  }
  return out;
}

}  // namespace lm::sink::parquet
