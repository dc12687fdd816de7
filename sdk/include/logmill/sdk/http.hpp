// logmill/sdk/http.hpp -- HTTP and TLS as access logs write them. All functions are pure and allocate nothing (but percent_decoded, when its scratch must grow); what is
// unreadable is absent.
//   lm::http::activity_id("GET")                                 -> 3       of OCSF's HTTP Activity: 0 without a method, 99 for one that it does not name
//   lm::http::status_id(404)                                     -> 2       OCSF: 1 Success below 400, 2 Failure from there on, 0 where it is no status
//   lm::http::request_line("GET /a b HTTP/1.1")                  -> GET, "/a b", HTTP/1.1      the target is all between the first and the last space
//   lm::http::url("https://[2001:db8::1]:8443/a?b=c")            -> https, 2001:db8::1, 8443, /a, b=c
//   lm::http::url("/a?b=c")                                      -> path and query string alone
//   lm::http::tls_version("tlsv12")                              -> TLSv1.2   the spelling of most logs; others stand as they are
//   lm::http::percent_decoded("a%20b", scratch)                  -> "a b"   once; as it stands where there is nothing to decode or what comes out is no UTF-8
#pragma once

#include <logmill/sdk/net.hpp>
#include <logmill/sdk/text.hpp>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace lm::http {

constexpr int activity_id(std::string_view method) {
  if (method.empty() || method == "-") return 0;
  constexpr std::string_view kMethods[] = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE", "PATCH"};
  int id = 0;
  for (const std::string_view known : kMethods) {
    ++id;
    if (lm::detail::equal(method, known)) return id;
  }
  return 99;
}

constexpr int status_id(Maybe<std::int64_t> code) {
  if (!code || *code < 100 || *code > 599) return 0;
  return *code < 400 ? 1 : 2;
}

struct RequestLine {
  Text method, target, version;
};

// "-" for any of the three is absent. A target may have spaces and quotes in it, as clients sent them; the version is the last word if it begins with "HTTP/".
constexpr RequestLine request_line(std::string_view line) {
  RequestLine out;
  const std::size_t method = line.find(' ');
  out.method = present(line.substr(0, method));
  if (method == std::string_view::npos) return out;
  std::string_view rest = line.substr(method + 1);
  while (!rest.empty()) {
    const std::size_t space = rest.rfind(' ');
    const std::string_view last = rest.substr(space + 1);  // all of it without a space
    const bool version = last.starts_with("HTTP/");
    if (!version && !(space != std::string_view::npos && (last.empty() || last == "-"))) break;
    out.version = version ? Text(last) : Text();
    rest = rest.substr(0, space == std::string_view::npos ? 0 : space);
    if (version) break;
  }
  out.target = present(rest);
  return out;
}

struct Url {
  Text scheme, hostname;
  Maybe<std::int64_t> port;
  Text path, query_string;  // neither with its '?'
};

namespace detail {
// The first of four characters that end a part of a URL. They stand within a few bytes: asking the library for any of a set takes a call for each of those.
constexpr std::size_t find_end(std::string_view text, char last) {
  std::size_t at = 0;
#if defined(__SSE2__)
  if (!std::is_constant_evaluated()) {
    for (; text.size() - at >= 16; at += 16) {
      const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
      const __m128i ends = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('/')), _mm_cmpeq_epi8(v, _mm_set1_epi8('?'))),
                                        _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('#')), _mm_cmpeq_epi8(v, _mm_set1_epi8(last))));
      if (const auto bits = static_cast<unsigned>(_mm_movemask_epi8(ends)); bits != 0)
        return at + static_cast<std::size_t>(__builtin_ctz(bits));
    }
  }
#endif
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '/' || c == '?' || c == '#' || c == last) break;
  }
  return at;
}
}  // namespace detail

constexpr Url url(std::string_view text) {
  Url out;
  const std::size_t scheme = detail::find_end(text, ':');
  if (scheme != 0 && text.substr(scheme).starts_with("://") && text.substr(0, scheme).find(' ') == std::string_view::npos) {
    out.scheme = text.substr(0, scheme);
    text.remove_prefix(scheme + 3);
    const std::size_t end = detail::find_end(text, '/');
    std::string_view authority = text.substr(0, end);
    text.remove_prefix(end);
    if (const std::size_t user = authority.rfind('@'); user != std::string_view::npos) authority.remove_prefix(user + 1);
    const net::HostPort place = net::host_port(authority);
    out.hostname = present(place.host), out.port = place.port;
  }
  if (text.empty()) return out;
  const std::size_t question = text.find('?');
  out.path = text.substr(0, question).empty() ? Text() : Text(text.substr(0, question));
  if (question != std::string_view::npos && question + 1 < text.size()) out.query_string = text.substr(question + 1);
  return out;
}

constexpr std::string_view tls_version(std::string_view text) {
  if (text.size() == 7 && text.starts_with("TLSv1.") && text[6] != '0') return text;  // what nearly all logs have
  constexpr struct {
    std::string_view logged, usual;
  } kVersions[] = {{"tlsv10", "TLSv1"},    {"tlsv11", "TLSv1.1"},  {"tlsv12", "TLSv1.2"},  {"tlsv13", "TLSv1.3"},  {"TLSv1.0", "TLSv1"},
                   {"TLSV1", "TLSv1"},     {"TLSV1.1", "TLSv1.1"}, {"TLSV1.2", "TLSv1.2"}, {"TLSV1.3", "TLSv1.3"}, {"TLS 1.0", "TLSv1"},
                   {"TLS 1.1", "TLSv1.1"}, {"TLS 1.2", "TLSv1.2"}, {"TLS 1.3", "TLSv1.3"}};
  for (const auto& v : kVersions) {
    if (lm::detail::equal(text, v.logged)) return v.usual;
  }
  return text;
}

namespace detail {

// RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF.
constexpr bool is_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned c = byte(i);
    if (c < 0x80) {
      ++i;
      continue;
    }
    const std::size_t n = c >= 0xc2 && c <= 0xdf ? 2 : c >= 0xe0 && c <= 0xef ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
    if (n == 0) return false;
    const unsigned least = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80, most = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (byte(i + 1) < least || byte(i + 1) > most) return false;
    for (std::size_t k = 2; k < n; ++k) {
      if (byte(i + k) < 0x80 || byte(i + k) > 0xbf) return false;
    }
    i += n;
  }
  return true;
}

constexpr int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1; }

}  // namespace detail

// "%41" becomes "A"; a '%' without two digits behind it stands for itself. The view is `text` or lies in `scratch`.
inline std::string_view percent_decoded(std::string_view text, std::string& scratch) {
  std::size_t percent = text.find('%');
  if (percent == std::string_view::npos) return text;
  if (scratch.size() < text.size()) scratch.resize(text.size());
  char* out = scratch.data();
  std::size_t clean = 0;
  bool beyond_ascii = false;
  for (; percent != std::string_view::npos; percent = text.find('%', percent + 1)) {
    const int high = percent + 2 < text.size() ? detail::hex_digit(text[percent + 1]) : -1;
    const int low = high >= 0 ? detail::hex_digit(text[percent + 2]) : -1;
    if (low < 0) continue;
    std::memcpy(out, text.data() + clean, percent - clean);
    out += percent - clean;
    *out++ = static_cast<char>(high << 4 | low);
    beyond_ascii = beyond_ascii || high >= 8;
    clean = percent + 3;
    percent += 2;
  }
  std::memcpy(out, text.data() + clean, text.size() - clean);
  out += text.size() - clean;
  const std::string_view decoded(scratch.data(), static_cast<std::size_t>(out - scratch.data()));
  return beyond_ascii && !detail::is_utf8(decoded) ? text : decoded;
}

}  // namespace lm::http
