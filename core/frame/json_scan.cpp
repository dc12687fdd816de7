#include "frame/json_scan.hpp"

#include <algorithm>
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

// Those bytes that stand in the table at the place of their own low half: a look at sixteen different bytes for the price of one.
LM_AVX2 inline std::uint64_t in_table(__m256i low, __m256i high, __m128i table) {
  const __m256i both = _mm256_broadcastsi128_si256(table);
  return bits(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(both, low), low), _mm256_cmpeq_epi8(_mm256_shuffle_epi8(both, high), high));
}

// White space and , : ] }, less what shares its low half with another of them: what mostly stands behind a string.
LM_AVX2 inline std::uint64_t mostly_follows_string(__m256i low, __m256i high) {
  return in_table(low, high, _mm_setr_epi8(' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', ':', 0, ',', '}', 0, 0));
}
LM_AVX2 inline std::uint64_t may_follow_string(__m256i low, __m256i high) {
  return mostly_follows_string(low, high) | in_table(low, high, _mm_setr_epi8(' ', 0, 0, 0, 0, 0, 0, 0, 0, 0, '\n', 0, 0, '\r', 0, 0)) |
         equal(low, high, ']');
}

// Where a scan stands between two stretches of 64 bytes.
struct Standing {
  std::uint64_t depth;
  std::int64_t braces;
  std::uint64_t in_string;   // all ones, or 0
  std::uint64_t escaped;     // bit 0: the first byte of the next 64 is escaped
  std::uint64_t closed;      // bit 0: it stands behind the end of a string
  std::uint64_t after_line;  // bit 0: it stands behind a line feed
};

// The bytes that a backslash before them escapes, of which bit 0 of `escaped` is one; leaves there what this says of the next 64. A backslash that is escaped
// escapes nothing: of a run of them every second counts, from where the run begins. Those runs that begin at an odd place are added to, so that the
// carry runs through them and turns over which places count.
inline std::uint64_t escapes_of(std::uint64_t slashes, std::uint64_t& escaped) {
  constexpr std::uint64_t kEven = 0x5555555555555555u;
  slashes &= ~escaped;
  const std::uint64_t follows = slashes << 1 | escaped;
  const std::uint64_t odd_starts = slashes & ~kEven & ~follows;
  std::uint64_t sum = 0;
  escaped = __builtin_add_overflow(odd_starts, slashes, &sum) ? 1 : 0;
  return (kEven ^ sum << 1) & follows;
}

LM_AVX2 inline std::uint64_t inside_strings(std::uint64_t quotes, std::uint64_t in_string) {
  const __m128i ones = _mm_set1_epi8(static_cast<char>(0xff));
  return static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(quotes)), ones, 0))) ^
         in_string;
}

// 64 bytes in which nothing ends and nothing is broken, as nearly all are. False: they must be looked at closely, and `standing` is as it was.
LM_AVX2 inline bool pass(Standing& standing, const std::uint8_t* data) {
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data));
  const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + 32));
  std::uint64_t quotes = equal(low, high, '"'), escaped = standing.escaped, escapes = 0;
  if (const std::uint64_t slashes = equal(low, high, '\\'); (slashes | escaped) != 0) {
    escapes = escapes_of(slashes, escaped);
    quotes &= ~escapes;
  }
  const std::uint64_t strings = inside_strings(quotes, standing.in_string);
  // '[' and ']' differ from '{' and '}' in bit 5.
  const __m256i bit = _mm256_set1_epi8(0x20);
  const __m256i low_folded = _mm256_or_si256(low, bit), high_folded = _mm256_or_si256(high, bit);
  const std::uint64_t hidden = strings | escapes;
  const std::uint64_t open = equal(low_folded, high_folded, '{') & ~hidden, close = equal(low_folded, high_folded, '}') & ~hidden;
  const auto opens = static_cast<std::uint64_t>(std::popcount(open)), closes = static_cast<std::uint64_t>(std::popcount(close));
  if (closes >= standing.depth + (open & 1)) return false;  // at the beginning of a value the first byte opens it
  const std::uint64_t brace = bits(_mm256_slli_epi16(low, 2), _mm256_slli_epi16(high, 2));

  const std::uint64_t closing = quotes & ~strings, follow = closing << 1 | standing.closed;
  const std::uint64_t unusual = follow & ~mostly_follows_string(low, high);
  if (unusual != 0 && (unusual & ~may_follow_string(low, high)) != 0) return false;

  const __m256i line_feed = _mm256_set1_epi8('\n');
  const __m256i low_lines = _mm256_cmpeq_epi8(low, line_feed), high_lines = _mm256_cmpeq_epi8(high, line_feed);
  std::uint64_t line_feeds = 0;
  if ((static_cast<std::uint64_t>(_mm256_movemask_epi8(_mm256_or_si256(low_lines, high_lines))) | standing.after_line) != 0) {
    line_feeds = bits(low_lines, high_lines);
    if (((line_feeds & strings & ~escapes) | (open & brace & (line_feeds << 1 | standing.after_line))) != 0) return false;
  }
  standing.depth += opens - closes;
  standing.braces += std::popcount(open & brace) - std::popcount(close & brace);
  standing.in_string = static_cast<std::uint64_t>(static_cast<std::int64_t>(strings) >> 63);
  standing.escaped = escaped;
  standing.closed = closing >> 63;
  standing.after_line = line_feeds >> 63;
  return true;
}

// How far that goes, in stretches of 64 bytes. A function of its own, without calls, so that constants and what the scan stands by stay in registers.
[[gnu::noinline]] LM_AVX2 std::size_t pass_all(Standing& standing, const std::uint8_t* data, std::size_t size) {
  Standing here = standing;
  std::size_t at = 0;
  while (size - at >= 64 && pass(here, data + at)) at += 64;
  standing = here;
  return at;
}

constexpr std::size_t kOpen = static_cast<std::size_t>(-1);

// The `n` (at most 64) bytes at data[at], in which anything may be. Answers as scan_json where the scan ends in them, with `scan` and *broken set; else kOpen.
[[gnu::noinline]] LM_AVX2 std::size_t look(JsonScan& scan, Standing& standing, const std::uint8_t* data, std::size_t at, std::size_t n,
                                           std::size_t before, bool* broken) {
  auto& [depth, braces, in_string, escaped, closed, after_line] = standing;
  const std::uint64_t inside = n == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + at));
  const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + at + 32));
  const std::uint64_t escapes = escapes_of(equal(low, high, '\\') & inside, escaped);
  if (n < 64) escaped = escapes >> n & 1;
  const std::uint64_t quotes = equal(low, high, '"') & ~escapes & inside;
  const std::uint64_t strings = inside_strings(quotes, in_string);
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
  return kOpen;
}

LM_AVX2 std::size_t scan_json_avx2(JsonScan& scan, const std::uint8_t* data, std::size_t size, std::size_t before, bool* broken) {
  *broken = false;
  Standing standing{scan.depth,
                    scan.braces,
                    scan.in_string ? ~std::uint64_t{0} : 0,
                    scan.escaped ? std::uint64_t{1} : 0,
                    scan.closed ? std::uint64_t{1} : 0,
                    before > 0 && *(data - 1) == '\n' ? std::uint64_t{1} : 0};
  for (std::size_t at = 0;;) {
    at += pass_all(standing, data + at, size - at);
    if (at == size) break;
    const std::size_t n = std::min<std::size_t>(size - at, 64);
    const std::size_t end = look(scan, standing, data, at, n, before, broken);
    if (end != kOpen) return end;
    at += n;
  }
  scan = {standing.depth, standing.braces, standing.in_string != 0, standing.escaped != 0, standing.closed != 0};
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
