// logmill/sdk/text.hpp -- text into fields and numbers. All functions are pure, allocate nothing and never throw; what is unreadable is absent.
//   lm::integer("443")                     -> 443           the whole text, decimal, no sign but '-', no spaces; overflow is absent
//   lm::split(line, ' ', fields)           -> fields used    runs of the separator count as one
//   lm::present("-")                       -> nullopt        "-" and "" mean absent in AWS's text formats
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace lm {

namespace detail {

inline std::uint64_t load64(const char* p) {
  std::uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

// Text of up to 24 bytes, zero-padded, the first byte lowest.
struct Words {
  std::uint64_t low = 0, middle = 0, high = 0;
  [[gnu::always_inline]] bool operator==(const Words& other) const {
    return ((low ^ other.low) | (middle ^ other.middle) | (high ^ other.high)) == 0;
  }
};

// Reads no byte outside the text.
[[gnu::always_inline]] inline Words short_words(std::string_view text) {
  const char* const p = text.data();
  const std::size_t n = text.size();
  if (n > 16) return {load64(p), load64(p + 8), load64(p + n - 8) >> (8 * (24 - n))};
  if (n > 8) return {load64(p), load64(p + n - 8) >> (8 * (16 - n)), 0};
  if (n == 8) return {load64(p), 0, 0};
  if (n >= 4) {
    std::uint32_t low, high;
    std::memcpy(&low, p, 4), std::memcpy(&high, p + n - 4, 4);
    return {low | (std::uint64_t{high} >> (8 * (8 - n))) << 32, 0, 0};
  }
  if (n == 0) return {};
  // First, middle and last of one to three.
  const auto byte = [p](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(p[i])}; };
  return {byte(0) | byte(n / 2) << (8 * (n / 2)) | byte(n - 1) << (8 * (n - 1)), 0, 0};
}

constexpr std::uint32_t kNoDigits = 0xffffffff;

// The number that 1 to 8 decimal digits say, the first digit in the lowest byte and nothing above the last; kNoDigits if one of them is none.
inline std::uint32_t eight_digits(std::uint64_t digits, std::size_t n) {
  // Zeroes in front: the digits move up, '0' fills in below.
  const std::size_t shift = 8 * (8 - n);
  const std::uint64_t v = digits << shift | (0x3030303030303030u & ((std::uint64_t{1} << shift) - 1));
  const std::uint64_t value = v - 0x3030303030303030u;
  if (((v + 0x4646464646464646u) | value) & 0x8080808080808080u) return kNoDigits;
  const std::uint64_t pairs = value * 10 + (value >> 8);
  constexpr std::uint64_t mask = 0x000000ff000000ffu;
  return static_cast<std::uint32_t>(((pairs & mask) * 0x000f424000000064u + (pairs >> 16 & mask) * 0x0000271000000001u) >> 32);
}

}  // namespace detail

namespace detail {
template <class Integer>
[[gnu::noinline]] constexpr std::optional<Integer> any_integer(std::string_view text) {
  Integer value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}
}  // namespace detail

// Inlined, because an optional that comes back from a call costs more than the digits do: it is put together in memory byte by byte.
template <class Integer = std::int64_t>
[[gnu::always_inline]] constexpr std::optional<Integer> integer(std::string_view text) {
  if constexpr (sizeof(Integer) >= 4) {
    if (!std::is_constant_evaluated() && !text.empty() && text.size() <= 16 && text[0] != '-') {
      const detail::Words words = detail::short_words(text);
      if (text.size() <= 8) {
        const std::uint32_t value = detail::eight_digits(words.low, text.size());
        if (value == detail::kNoDigits) return std::nullopt;
        return static_cast<Integer>(value);
      }
      if constexpr (sizeof(Integer) == 8) {
        const std::uint32_t high = detail::eight_digits(words.low, 8), low = detail::eight_digits(words.middle, text.size() - 8);
        if (high == detail::kNoDigits || low == detail::kNoDigits) return std::nullopt;
        constexpr std::array<std::uint32_t, 9> kScale{1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
        return static_cast<Integer>(std::int64_t{high} * kScale[text.size() - 8] + low);
      }
    }
  }
  return detail::any_integer<Integer>(text);
}

inline std::optional<double> number(std::string_view text) {
  double value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

constexpr std::optional<std::string_view> present(std::string_view text) {
  if (text.empty() || (text.size() == 1 && text[0] == '-')) return std::nullopt;
  return text;
}

// text == literal, compared in place.
template <std::size_t N>
constexpr bool is(std::string_view text, const char (&literal)[N]) {
  return text.size() == N - 1 && __builtin_memcmp(text.data(), literal, N - 1) == 0;
}

// Fields between runs of `separator`; leading and trailing runs give none. Answers how many there are, which may be more than `out`
// holds: the first out.size() of them are in `out`.
inline std::size_t split(std::string_view text, char separator, std::span<std::string_view> out) {
  const char* const data = text.data();
  const std::size_t size = text.size();
  std::size_t count = 0, begin = 0, at = 0;
  const auto end_field = [&](std::size_t end) {
    if (end > begin) {
      if (count < out.size()) out[count] = {data + begin, end - begin};
      ++count;
    }
    begin = end + 1;
  };
#if defined(__SSE2__)
  const __m128i wanted = _mm_set1_epi8(separator);
  for (; at + 16 <= size; at += 16) {
    auto mask =
        static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(data + at)), wanted)));
    for (; mask != 0; mask &= mask - 1) end_field(at + static_cast<std::size_t>(__builtin_ctz(mask)));
  }
#endif
  for (; at < size; ++at) {
    if (data[at] == separator) end_field(at);
  }
  end_field(size);
  return count;
}

constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

constexpr std::string_view before(std::string_view text, char separator) { return text.substr(0, text.find(separator)); }
constexpr std::string_view after_last(std::string_view text, char separator) {
  const std::size_t at = text.rfind(separator);
  return at == std::string_view::npos ? text : text.substr(at + 1);
}

}  // namespace lm
