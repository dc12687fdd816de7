#include "frame/json_scan.hpp"

#include <bit>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lm {
namespace {

bool is_space(std::uint8_t c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool may_follow_string(std::uint8_t c) { return is_space(c) || c == ',' || c == ':' || c == ']' || c == '}'; }

// data[i] is a '{' behind a line feed, at `depth`: can a value be there? `before` bytes in front of data[i] belong to the record.
bool misplaced(const std::uint8_t* data, std::size_t i, std::size_t before, std::uint64_t depth, std::int64_t braces) {
  if (depth == 0) return false;
  for (std::size_t back = 1; back <= before + i; ++back) {
    const std::uint8_t c = *(data + i - back);
    if (is_space(c)) continue;
    if (c == ',') return depth == 1 && braces == 1;  // a member of the record itself has a name
    return c != '[' && c != ':';
  }
  return false;
}

}  // namespace

std::size_t scan_json_scalar(JsonScan& scan, const std::uint8_t* data, std::size_t size, std::size_t before, bool* broken) {
  *broken = false;
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint8_t c = data[i];
    if (scan.closed) {
      scan.closed = false;
      if (!may_follow_string(c)) {
        *broken = true;
        return i;
      }
    }
    if (scan.escaped) {
      scan.escaped = false;
      continue;
    }
    if (c == '\\') {
      scan.escaped = true;
    } else if (c == '"') {
      scan.closed = scan.in_string;
      scan.in_string = !scan.in_string;
    } else if (scan.in_string) {
      if (c == '\n') {
        *broken = true;
        return i + 1;
      }
    } else if (c == '{' || c == '[') {
      const bool wrong = c == '{' && before + i > 0 && *(data + i - 1) == '\n' && misplaced(data, i, before, scan.depth, scan.braces);
      ++scan.depth;
      scan.braces += c == '{';
      if (wrong) {
        *broken = true;
        return i + 1;
      }
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

#define LM_AVX2 __attribute__((target("avx2,pclmul,bmi,bmi2,popcnt,lzcnt")))

LM_AVX2 inline std::uint64_t bits(__m256i low, __m256i high) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm256_movemask_epi8(low))) |
         static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm256_movemask_epi8(high))) << 32;
}
LM_AVX2 inline std::uint64_t equal(__m256i low, __m256i high, char c) {
  const __m256i v = _mm256_set1_epi8(c);
  return bits(_mm256_cmpeq_epi8(low, v), _mm256_cmpeq_epi8(high, v));
}

// White space and , : ] }, by two tables that the low half of a byte chooses from: an entry is the byte itself, the second table's with bit 5 set,
// in which ']' and '}' differ.
LM_AVX2 inline std::uint64_t may_follow_string(__m256i low, __m256i high) {
  const __m256i spaces = _mm256_setr_epi8(' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', 0, 0, '\r', 0, 0,  //
                                          ' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', 0, 0, '\r', 0, 0);
  const __m256i marks = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ':', 0, ',', '}', 0, 0,  //
                                         0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ':', 0, ',', '}', 0, 0);
  const __m256i bit = _mm256_set1_epi8(0x20);
  const __m256i in_low = _mm256_or_si256(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(spaces, low), low),
                                         _mm256_cmpeq_epi8(_mm256_shuffle_epi8(marks, low), _mm256_or_si256(low, bit)));
  const __m256i in_high = _mm256_or_si256(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(spaces, high), high),
                                          _mm256_cmpeq_epi8(_mm256_shuffle_epi8(marks, high), _mm256_or_si256(high, bit)));
  return bits(in_low, in_high);
}

LM_AVX2 std::size_t scan_json_avx2(JsonScan& scan, const std::uint8_t* data, std::size_t size, std::size_t before, bool* broken) {
  *broken = false;
  std::uint64_t depth = scan.depth;
  std::int64_t braces = scan.braces;
  std::uint64_t in_string = scan.in_string ? ~std::uint64_t{0} : 0;
  std::uint64_t escaped = scan.escaped ? 1 : 0;  // bit 0: the first byte of the next 64 is escaped
  std::uint64_t closed = scan.closed ? 1 : 0;    // bit 0: it stands behind the end of a string
  std::uint64_t after_line = before > 0 && *(data - 1) == '\n' ? 1 : 0;
  for (std::size_t at = 0; at < size; at += 64) {
    const std::size_t n = size - at < 64 ? size - at : 64;
    const std::uint64_t inside = n == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + at));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + at + 32));
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
    std::uint64_t brace_open = equal(low, high, '{') & open, brace_close = equal(low, high, '}') & close;

    // What no JSON has; only the first of it counts, and what stands before.
    const std::uint64_t closing = quotes & ~strings, line_feeds = equal(low, high, '\n');
    const std::uint64_t follow = (closing << 1 | closed) & inside;
    const std::uint64_t bad_follow = follow & ~may_follow_string(low, high);
    const std::uint64_t lines = line_feeds & strings & inside & ~escapes;
    std::uint64_t first_brace = 0;
    for (std::uint64_t candidates = brace_open & (line_feeds << 1 | after_line); candidates != 0; candidates &= candidates - 1) {
      const std::uint64_t one = candidates & (~candidates + 1), below = one - 1;
      const std::uint64_t depth_there =
          depth + static_cast<std::uint64_t>(std::popcount(open & below)) - static_cast<std::uint64_t>(std::popcount(close & below));
      const std::int64_t braces_there = braces + std::popcount(brace_open & below) - std::popcount(brace_close & below);
      if (misplaced(data, at + static_cast<std::size_t>(std::countr_zero(one)), before, depth_there, braces_there)) {
        first_brace = one;
        break;
      }
    }
    const std::uint64_t wrong = bad_follow | lines | first_brace;
    if (wrong != 0) {
      const std::uint64_t until = (wrong & (~wrong + 1)) - 1;
      open &= until, close &= until, brace_open &= until, brace_close &= until;
    }
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
          scan = {0, braces, false, false, false};
          return at + static_cast<std::size_t>(std::countr_zero(both)) + 1;
        } else {
          --depth;
        }
      }
    }
    if (wrong != 0) {
      const std::uint64_t one = wrong & (~wrong + 1);
      const std::size_t index = at + static_cast<std::size_t>(std::countr_zero(wrong));
      *broken = true;
      if (bad_follow & one) {
        scan = {depth, braces, false, false, false};
        return index;
      }
      if (lines & one) {
        scan = {depth, braces, true, false, false};
        return index + 1;
      }
      scan = {depth + 1, braces + 1, false, false, false};
      return index + 1;
    }
    closed = closing >> (n - 1) & 1;
    after_line = line_feeds >> 63;
    if (std::popcount(quotes) & 1) in_string = ~in_string;
  }
  scan = {depth, braces, in_string != 0, escaped != 0, closed != 0};
  return size + 1;
}

#undef LM_AVX2

}  // namespace
#endif

std::size_t scan_json(JsonScan& scan, const std::uint8_t* data, std::size_t size, std::size_t before, bool* broken) {
#if defined(__x86_64__)
  static const bool fast = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("bmi2");
  if (fast) return scan_json_avx2(scan, data, size, before, broken);
#endif
  return scan_json_scalar(scan, data, size, before, broken);
}

}  // namespace lm
