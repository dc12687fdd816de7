#include "frame/line_scan.hpp"

#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lm {
namespace {

void find_by_memchr(const std::uint8_t* data, std::size_t from, std::size_t to, std::vector<std::uint32_t>& ends) {
  while (from < to) {
    const auto* found = static_cast<const std::uint8_t*>(std::memchr(data + from, '\n', to - from));
    if (!found) return;
    ends.push_back(static_cast<std::uint32_t>(found - data));
    from = static_cast<std::size_t>(found - data) + 1;
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt"))) void find_avx2(const std::uint8_t* data, std::size_t from, std::size_t to,
                                                                     std::vector<std::uint32_t>& ends) {
  const __m256i line_feed = _mm256_set1_epi8('\n');
  std::size_t used = 0;
  std::uint32_t* at = ends.data();
  for (; to - from >= 64; from += 64) {
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + from));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + from + 32));
    std::uint64_t found = static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, line_feed)))) |
                          static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, line_feed))))
                              << 32;
    if (found == 0) continue;
    // What lies behind `used` is room: kept, so that the vector is not cleared and grown again for every stretch.
    if (ends.size() < used + 64) {
      ends.resize(2 * (used + 64));
      at = ends.data();
    }
    do {
      at[used++] = static_cast<std::uint32_t>(from + static_cast<std::size_t>(std::countr_zero(found)));
      found &= found - 1;
    } while (found != 0);
  }
  ends.resize(used);
  find_by_memchr(data, from, to, ends);
}
#endif

}  // namespace

void find_line_ends(const std::uint8_t* data, std::size_t from, std::size_t to, std::vector<std::uint32_t>& ends) {
#if defined(__x86_64__)
  static const bool fast = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
  if (fast) return find_avx2(data, from, to, ends);
#endif
  ends.clear();
  find_by_memchr(data, from, to, ends);
}

}  // namespace lm
