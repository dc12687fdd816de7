// logmill/sdk/net.hpp -- is this text an address? Pure, no allocation, never throws.
//   lm::net::is_ipv4("192.0.2.1") -> true     "192.0.2.01" -> false (leading zeros are read as octal by some; nothing is guessed)
//   lm::net::is_ipv6("2001:db8::1") -> true   also with an embedded IPv4 tail; without zone or brackets
//   lm::net::version("192.0.2.1") -> 4
#pragma once

#include <logmill/sdk/text.hpp>

#include <cstddef>
#include <string_view>
#include <type_traits>

namespace lm::net {

constexpr bool is_ipv4(std::string_view text) {
  if (text.size() < 7 || text.size() > 15) return false;
#if defined(__SSE2__)
  if (!std::is_constant_evaluated()) {
    const detail::Words words = detail::short_words(text);
    const __m128i v = _mm_set_epi64x(static_cast<long long>(words.middle), static_cast<long long>(words.low));
    const auto dots = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('.'))));
    // Bytes outside '0' to '9': moved so that the digits are the ten lowest signed values.
    const __m128i moved = _mm_add_epi8(v, _mm_set1_epi8(static_cast<char>(-128 - '0')));
    const auto others = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpgt_epi8(moved, _mm_set1_epi8(-128 + 9))));
    const unsigned end = 1u << text.size();
    if ((others & (end - 1)) != dots) return false;
    unsigned rest = dots | end;
    std::size_t begin = 0;
    for (int octet = 0; octet < 4; ++octet) {
      if (rest == 0) return false;
      const auto stop = static_cast<std::size_t>(__builtin_ctz(rest));
      rest &= rest - 1;
      const std::size_t n = stop - begin;
      if (n < 1 || n > 3) return false;
      if (n > 1 && text[begin] == '0') return false;
      if (n == 3 &&
          (text[begin] > '2' || (text[begin] == '2' && (text[begin + 1] > '5' || (text[begin + 1] == '5' && text[begin + 2] > '5')))))
        return false;
      begin = stop + 1;
    }
    return rest == 0;
  }
#endif
  unsigned octets = 0, value = 0, digits = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : '.';
    if (c == '.') {
      if (digits == 0 || value > 255 || ++octets > 4) return false;
      value = digits = 0;
    } else if (c >= '0' && c <= '9') {
      if (digits != 0 && value == 0) return false;
      value = value * 10 + static_cast<unsigned>(c - '0');
      if (++digits > 3) return false;
    } else {
      return false;
    }
  }
  return octets == 4;
}

constexpr bool is_ipv6(std::string_view text) {
  if (text.size() < 2 || text.size() > 45) return false;
  unsigned groups = 0, digits = 0;
  bool compressed = false;
  std::size_t i = 0, group_begin = 0;
  if (text[0] == ':') {
    if (text[1] != ':') return false;
    compressed = true;
    i = group_begin = 2;
  }
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ':') {
      if (digits == 0) {
        if (compressed || i == 0 || text[i - 1] != ':') return false;
        compressed = true;
      } else {
        ++groups;
        if (i + 1 == text.size()) return false;
      }
      digits = 0;
      group_begin = i + 1;
    } else if (c == '.') {
      if (!is_ipv4(text.substr(group_begin))) return false;
      groups += 2, digits = 0, i = text.size();
      return compressed ? groups < 8 : groups == 8;
    } else if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
      if (++digits > 4) return false;
    } else {
      return false;
    }
  }
  if (digits != 0) ++groups;
  return compressed ? groups < 8 : groups == 8;
}

constexpr bool is_ip(std::string_view text) { return is_ipv4(text) || is_ipv6(text); }

// 4 or 6, of what is_ip() accepts: an IPv4 address has a point behind its first one to three digits, an IPv6 address none so early but behind "::".
constexpr int version(std::string_view address) {
  return address[0] != ':' && (address[1] == '.' || address[2] == '.' || address[3] == '.') ? 4 : 6;
}

}  // namespace lm::net
