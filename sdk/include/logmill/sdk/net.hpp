// logmill/sdk/net.hpp -- addresses, ports, hosts and protocols. Pure, no allocation, never throws.
//   lm::net::is_ipv4("192.0.2.1") -> true     "192.0.2.01" -> false (leading zeros are read as octal by some; nothing is guessed)
//   lm::net::is_ipv6("2001:db8::1") -> true   also with an embedded IPv4 tail; without zone or brackets
//   lm::net::version("192.0.2.1") -> 4
//   lm::net::host_port("[2001:db8::1]:443") -> 2001:db8::1, 443     brackets or none; the port is what follows the last ':', if what is before is a whole address
//   lm::net::is_hostname("api.example.com") -> true                 letters, digits, '-' and '_' in parts, at least two of them
//   lm::net::protocol_name(6) -> "tcp"    protocol_number("TCP") -> 6     IANA's, of the protocols that logs have; "" and absent for others
#pragma once

#include <logmill/sdk/text.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace lm::net {

constexpr bool is_ipv4(std::string_view text) {
  if (text.size() < 7 || text.size() > 15) return false;
#if defined(__SSE2__)
  if (!std::is_constant_evaluated()) {
    const lm::detail::Words words = lm::detail::short_words(text);
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

struct HostPort {
  std::string_view host;  // without brackets; "" if there is none
  Maybe<std::int64_t> port;
};

constexpr HostPort host_port(std::string_view text) {
  const auto port_of = [](std::string_view digits) -> Maybe<std::int64_t> {
    const auto n = integer(digits);
    return n && *n >= 0 && *n <= 65535 ? n : std::nullopt;
  };
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return {text, {}};
    const std::string_view rest = text.substr(close + 1);
    return {text.substr(1, close - 1), rest.starts_with(':') ? port_of(rest.substr(1)) : std::nullopt};
  }
  // A port has five digits at most: what stands in front of them is looked at first.
  std::size_t colon = text.size();
  while (colon != 0 && text.size() - colon < 6 && text[colon - 1] != ':') --colon;
  colon = colon != 0 && text[colon - 1] == ':' ? colon - 1 : text.rfind(':');
  if (colon == std::string_view::npos) return {text, {}};
  const std::string_view host = text.substr(0, colon);
  // An address without brackets: "2001:db8::1" has no port, for "2001:db8:" is no address.
  if (host.find(':') != std::string_view::npos && !is_ipv6(host)) return {text, {}};
  const auto port = port_of(text.substr(colon + 1));
  return port ? HostPort{host, port} : HostPort{text, {}};
}

constexpr bool is_hostname(std::string_view text) {
  if (text.size() > 253 || text.find('.') == std::string_view::npos) return false;
  for (const char c : text) {
    const char low = lower(c);
    if (!((low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_')) return false;
  }
  return true;
}

namespace detail {
struct Protocol {
  std::int64_t number;
  std::string_view name;
};
inline constexpr Protocol kProtocols[] = {{1, "icmp"},  {2, "igmp"},   {4, "ipv4"},   {6, "tcp"},    {17, "udp"},       {33, "dccp"},
                                          {41, "ipv6"}, {47, "gre"},   {50, "esp"},   {51, "ah"},    {58, "ipv6-icmp"}, {89, "ospf"},
                                          {103, "pim"}, {112, "vrrp"}, {115, "l2tp"}, {132, "sctp"}, {136, "udplite"}};
inline constexpr auto kProtocolNames = [] {
  std::array<std::string_view, 256> names{};
  for (const Protocol& p : kProtocols) names[static_cast<std::size_t>(p.number)] = p.name;
  return names;
}();
}  // namespace detail

constexpr std::string_view protocol_name(std::int64_t number) {
  return number >= 0 && number < 256 ? detail::kProtocolNames[static_cast<std::size_t>(number)] : std::string_view();
}

constexpr Maybe<std::int64_t> protocol_number(std::string_view name) {
  for (const auto& p : detail::kProtocols) {
    if (equals_ignoring_case(name, p.name)) return p.number;
  }
  return std::nullopt;
}

// Whether packets of the protocol have ports: TCP, UDP, DCCP, SCTP, UDP-Lite.
constexpr bool has_ports(std::int64_t protocol) {
  return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 || protocol == 136;
}

}  // namespace lm::net
