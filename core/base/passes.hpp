// Passes over a whole column that every batch pays for every column: with AVX2 where the machine has it, 32 numbers a step.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#if defined(__x86_64__)
#include <immintrin.h>
#define LM_AVX2_PASS __attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt")))
#endif

namespace lm::passes {

namespace detail {
inline bool is_surrogate_escape(const char* three) { return three[0] == '\\' && three[1] == 'u' && (three[2] | 0x20) == 'd'; }
}  // namespace detail

struct Range {
  std::int32_t least = std::numeric_limits<std::int32_t>::max(), most = std::numeric_limits<std::int32_t>::min();
  void add(std::int32_t value) { least = std::min(least, value), most = std::max(most, value); }
};

#if defined(__x86_64__)
inline bool avx2() {
  static const bool there = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
  return there;
}

namespace detail {

LM_AVX2_PASS inline __m256i load(const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); }

LM_AVX2_PASS inline std::uint32_t most_avx2(const std::uint32_t* values, std::size_t size) {
  __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
  std::size_t i = 0;
  for (; i + 32 <= size; i += 32) {
    a = _mm256_max_epu32(a, load(values + i)), b = _mm256_max_epu32(b, load(values + i + 8));
    c = _mm256_max_epu32(c, load(values + i + 16)), d = _mm256_max_epu32(d, load(values + i + 24));
  }
  alignas(32) std::uint32_t lanes[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), _mm256_max_epu32(_mm256_max_epu32(a, b), _mm256_max_epu32(c, d)));
  std::uint32_t most = *std::max_element(lanes, lanes + 8);
  for (; i < size; ++i) most = std::max(most, values[i]);
  return most;
}

LM_AVX2_PASS inline Range range_avx2(const std::int32_t* values, std::size_t size) {
  Range out;
  __m256i least = _mm256_set1_epi32(out.least), most = _mm256_set1_epi32(out.most), least_too = least, most_too = most;
  std::size_t i = 0;
  for (; i + 16 <= size; i += 16) {
    const __m256i v = load(values + i), w = load(values + i + 8);
    least = _mm256_min_epi32(least, v), most = _mm256_max_epi32(most, v);
    least_too = _mm256_min_epi32(least_too, w), most_too = _mm256_max_epi32(most_too, w);
  }
  alignas(32) std::int32_t lanes[16];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), _mm256_min_epi32(least, least_too));
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes + 8), _mm256_max_epi32(most, most_too));
  out.least = *std::min_element(lanes, lanes + 8), out.most = *std::max_element(lanes + 8, lanes + 16);
  for (; i < size; ++i) out.add(values[i]);
  return out;
}

LM_AVX2_PASS inline bool ascending_avx2(const std::int32_t* values, std::size_t size) {
  __m256i a = _mm256_setzero_si256(), b = a;
  std::size_t i = 0;
  for (; i + 17 <= size; i += 16) {
    a = _mm256_or_si256(a, _mm256_cmpgt_epi32(load(values + i), load(values + i + 1)));
    b = _mm256_or_si256(b, _mm256_cmpgt_epi32(load(values + i + 8), load(values + i + 9)));
  }
  a = _mm256_or_si256(a, b);
  bool backwards = _mm256_testz_si256(a, a) == 0;
  for (; i + 1 < size; ++i) backwards |= values[i + 1] < values[i];
  return !backwards;
}

LM_AVX2_PASS inline void look_up_avx2(const std::int32_t* values, std::size_t size, const std::int32_t* table, std::int32_t* out) {
  std::size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    const __m256i found = _mm256_i32gather_epi32(table, load(values + i), 4);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), found);
  }
  for (; i < size; ++i) out[i] = table[values[i]];
}

LM_AVX2_PASS inline bool has_surrogate_escape_avx2(const char* text, std::size_t size) {
  const __m256i backslash = _mm256_set1_epi8('\\'), u = _mm256_set1_epi8('u'), d = _mm256_set1_epi8('d'), small = _mm256_set1_epi8(0x20);
  std::size_t i = 0;
  for (; i + 34 <= size; i += 32) {
    const __m256i begin = _mm256_and_si256(_mm256_cmpeq_epi8(load(text + i), backslash), _mm256_cmpeq_epi8(load(text + i + 1), u));
    if (_mm256_testz_si256(begin, begin) == 0 &&
        _mm256_testz_si256(begin, _mm256_cmpeq_epi8(_mm256_or_si256(load(text + i + 2), small), d)) == 0)
      return true;
  }
  for (; i + 3 <= size; ++i) {
    if (is_surrogate_escape(text + i)) return true;
  }
  return false;
}

}  // namespace detail
#endif

// The largest of `values`; 0 of none.
inline std::uint32_t most(const std::uint32_t* values, std::size_t size) {
#if defined(__x86_64__)
  if (avx2()) return detail::most_avx2(values, size);
#endif
  std::uint32_t out = 0;
  for (std::size_t i = 0; i < size; ++i) out = std::max(out, values[i]);
  return out;
}

inline Range range(const std::int32_t* values, std::size_t size) {
#if defined(__x86_64__)
  if (avx2()) return detail::range_avx2(values, size);
#endif
  Range out;
  for (std::size_t i = 0; i < size; ++i) out.add(values[i]);
  return out;
}

// None of `values` is less than the one before it.
inline bool ascending(const std::int32_t* values, std::size_t size) {
#if defined(__x86_64__)
  if (avx2()) return detail::ascending_avx2(values, size);
#endif
  std::uint32_t backwards = 0;
  for (std::size_t i = 1; i < size; ++i) backwards |= static_cast<std::uint32_t>(values[i] < values[i - 1]);
  return backwards == 0;
}

// out[i] = table[values[i]]. The caller knows that the table has them all.
inline void look_up(const std::int32_t* values, std::size_t size, const std::int32_t* table, std::int32_t* out) {
#if defined(__x86_64__)
  if (avx2()) return detail::look_up_avx2(values, size, table, out);
#endif
  for (std::size_t i = 0; i < size; ++i) out[i] = table[values[i]];
}

// Whether JSON text may have an escape of half a character, "\ud..": half of a pair, or behind another backslash none at all.
inline bool has_surrogate_escape(const char* text, std::size_t size) {
#if defined(__x86_64__)
  if (avx2()) return detail::has_surrogate_escape_avx2(text, size);
#endif
  for (std::size_t i = 2; i < size; ++i) {
    if (detail::is_surrogate_escape(text + i - 2)) return true;
  }
  return false;
}

// How many of the first `size` bits are set. Reads no byte behind the one with the last of them.
inline std::size_t bits_set(const std::uint8_t* bitmap, std::size_t size) {
  std::size_t out = 0, i = 0;
  for (; i + 64 <= size; i += 64) {
    std::uint64_t word = 0;
    std::memcpy(&word, bitmap + i / 8, 8);
    out += static_cast<std::size_t>(std::popcount(word));
  }
  for (; i < size; ++i) out += bitmap[i >> 3] >> (i & 7) & 1;
  return out;
}

}  // namespace lm::passes
