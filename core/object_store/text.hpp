// Small texts of HTTP and its services: encodings, numbers and times in headers, addresses, what a server says as people are shown it. Pure, but for the
// environment and files.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lm::store {

using Pairs = std::vector<std::pair<std::string, std::string>>;  // of a query, or of headers

// Every byte but A-Z a-z 0-9 - . _ ~ as %XX; '/' stays if `slash` says so.
std::string percent_encode(std::string_view, bool slash = false);
// "%2B" -> "+"; '+' -> " " if `plus` says so. What is no encoding stays.
std::string percent_decode(std::string_view, bool plus);
// application/x-www-form-urlencoded
std::string form(const Pairs&);

std::string hmac_sha256(std::string_view key, std::string_view text);  // 32 bytes

std::string_view trimmed(std::string_view);
std::string_view without_quotes(std::string_view etag);
std::optional<std::uint64_t> number(std::string_view);
// "Fri, 24 May 2013 00:00:00 GMT" -> milliseconds since 1970-01-01 UTC; 0 if it is none.
std::int64_t http_date_ms(const std::string&);
std::string first_of(std::initializer_list<std::string>);  // that is not empty

// What a server says, for people: one line, and not a long one.
std::string shown(std::string_view);

// The variable, or "".
std::string environment(const char* name);
// At most 1 MiB of it; "" if it cannot be read.
std::string read_file(const std::string& path);

struct Endpoint {
  std::string scheme, host, path;  // host with its port; path "" or "/base"
};
std::optional<Endpoint> parse_endpoint(std::string_view url);
// The host of an http:// address, without its port; "" if the address is another, or names a user.
std::string_view http_host(std::string_view url);
bool is_loopback(std::string_view host);

}  // namespace lm::store
