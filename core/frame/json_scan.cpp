#include "frame/json_scan.hpp"

#include <bit>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lm {

std::size_t scan_json_scalar(JsonScan& scan, const std::uint8_t* data, std::size_t size, bool* line_in_string) {
  *line_in_string = false;
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint8_t c = data[i];
    if (scan.escaped) {
      scan.escaped = false;
      continue;
    }
    if (c == '\\') {
      scan.escaped = true;
    } else if (c == '"') {
      scan.in_string = !scan.in_string;
    } else if (scan.in_string) {
      if (c == '\n') {
        *line_in_string = true;
        return i;
      }
    } else if (c == '{' || c == '[') {
      ++scan.depth;
      scan.braces += c == '{';
    } else if (c == '}' || c == ']') {
      scan.braces -= c == '}';
      if (scan.depth <= 1) {
        scan.depth = 0;
        return i + 1;
      }
      --scan.depth;
    }
  }
  return size + 1;
}

#if defined(__x86_64__)
namespace {

__attribute__((target("avx2,pclmul,bmi,bmi2,popcnt,lzcnt"))) std::size_t scan_json_avx2(JsonScan& scan, const std::uint8_t* data,
                                                                                        std::size_t size, bool* line_in_string) {
  *line_in_string = false;
  std::uint64_t depth = scan.depth;
  std::int64_t braces = scan.braces;
  std::uint64_t in_string = scan.in_string ? ~std::uint64_t{0} : 0;
  std::uint64_t escaped = scan.escaped ? 1 : 0;  // bit 0: the first byte of the next 64 is escaped
  for (std::size_t at = 0; at < size; at += 64) {
    const std::size_t n = size - at < 64 ? size - at : 64;
    const std::uint64_t inside = n == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + at));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + at + 32));
    const auto equal = [&](const __m256i a, const __m256i b, char c) __attribute__((target("avx2"))) {
      const __m256i v = _mm256_set1_epi8(c);
      return static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, v)))) |
             static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, v)))) << 32;
    };
    std::uint64_t slashes = equal(low, high, '\\') & inside;
    std::uint64_t escapes = escaped;
    escaped = 0;
    while (slashes != 0) {
      const int i = std::countr_zero(slashes);
      slashes &= slashes - 1;
      if (escapes >> i & 1) continue;
      if (i == 63) {
        escaped = 1;
      } else {
        escapes |= std::uint64_t{1} << (i + 1);
      }
    }
    if (n < 64) escaped = escapes >> n & 1;
    const std::uint64_t quotes = equal(low, high, '"') & ~escapes & inside;
    const __m128i ones = _mm_set1_epi8(static_cast<char>(0xff));
    const std::uint64_t strings =
        static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_set_epi64x(0, static_cast<long long>(quotes)), ones, 0))) ^
        in_string;
    // '[' and ']' differ from '{' and '}' in one bit.
    const __m256i bit = _mm256_set1_epi8(0x20);
    const __m256i low_folded = _mm256_or_si256(low, bit), high_folded = _mm256_or_si256(high, bit);
    const std::uint64_t outside = ~strings & inside & ~escapes;
    std::uint64_t open = equal(low_folded, high_folded, '{') & outside, close = equal(low_folded, high_folded, '}') & outside;
    const std::uint64_t lines = equal(low, high, '\n') & strings & inside & ~escapes;
    std::uint64_t until = inside;  // what counts before the first line feed in a string
    if (lines != 0) until = (lines & (~lines + 1)) - 1;
    open &= until, close &= until;
    const std::uint64_t brace_open = equal(low, high, '{') & open, brace_close = equal(low, high, '}') & close;
    const auto opens = static_cast<std::uint64_t>(std::popcount(open)), closes = static_cast<std::uint64_t>(std::popcount(close));
    if (closes < depth) {
      depth += opens - closes;
      braces += std::popcount(brace_open) - std::popcount(brace_close);
    } else {
      for (std::uint64_t both = open | close; both != 0; both &= both - 1) {
        const std::uint64_t one = both & (~both + 1);
        braces += ((brace_open & one) != 0) - ((brace_close & one) != 0);
        if (open & one) {
          ++depth;
        } else if (depth <= 1) {
          scan = {0, braces, false, false};
          return at + static_cast<std::size_t>(std::countr_zero(both)) + 1;
        } else {
          --depth;
        }
      }
    }
    if (lines != 0) {
      scan = {depth, braces, true, false};
      *line_in_string = true;
      return at + static_cast<std::size_t>(std::countr_zero(lines));
    }
    if (std::popcount(quotes) & 1) in_string = ~in_string;
  }
  scan = {depth, braces, in_string != 0, escaped != 0};
  return size + 1;
}

}  // namespace
#endif

std::size_t scan_json(JsonScan& scan, const std::uint8_t* data, std::size_t size, bool* line_in_string) {
#if defined(__x86_64__)
  static const bool fast = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("bmi2");
  if (fast) return scan_json_avx2(scan, data, size, line_in_string);
#endif
  return scan_json_scalar(scan, data, size, line_in_string);
}

}  // namespace lm
