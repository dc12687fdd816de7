// logmill/sdk/text.hpp -- text into fields and numbers. All functions are pure, allocate nothing and never throw; what is unreadable is absent.
//   lm::integer("443")                     -> 443           the whole text, decimal, no sign but '-', no spaces; overflow is absent
//   lm::split(line, ' ', fields)           -> fields used    runs of the separator count as one
//   lm::present("-")                       -> nullopt        "-" and "" mean absent in AWS's text formats
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace lm {

template <class Integer = std::int64_t>
constexpr std::optional<Integer> integer(std::string_view text) {
  // Up to 9 digits fit whatever the type: no overflow to look for.
  if constexpr (sizeof(Integer) >= 4) {
    if (!text.empty() && text.size() <= 9 && text[0] != '-') {
      std::uint32_t small = 0;
      for (const char c : text) {
        const std::uint32_t digit = static_cast<unsigned char>(c) - std::uint32_t{'0'};
        if (digit > 9) return std::nullopt;
        small = small * 10 + digit;
      }
      return static_cast<Integer>(small);
    }
  }
  Integer value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

inline std::optional<double> number(std::string_view text) {
  double value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

constexpr std::optional<std::string_view> present(std::string_view text) {
  if (text.empty() || text == "-") return std::nullopt;
  return text;
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
