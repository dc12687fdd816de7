#include "object_store/sigv4.hpp"

#include <fmt/format.h>
#include <openssl/sha.h>
#include <algorithm>
#include <array>
#include <ctime>

namespace lm::aws {
namespace {

using store::hmac_sha256;

constexpr std::string_view kHex = "0123456789abcdef";

std::string hex(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto b = static_cast<unsigned char>(c);
    out += kHex[b >> 4];
    out += kHex[b & 15];
  }
  return out;
}

std::string query_of(const SigningRequest& r) {
  std::vector<std::pair<std::string, std::string>> encoded;
  for (const auto& [name, value] : r.query) encoded.emplace_back(percent_encode(name), percent_encode(value));
  std::sort(encoded.begin(), encoded.end());
  std::string out;
  for (const auto& [name, value] : encoded) {
    if (!out.empty()) out += '&';
    out += name;
    out += '=';
    out += value;
  }
  return out;
}

// The same all day, and most of the cost of a signature: each thread keeps its last.
const std::string& signing_key(const std::string& secret, const std::string& day, std::string_view region, std::string_view service) {
  thread_local std::string made_of, key;
  std::string wanted = fmt::format("{}\n{}/{}/{}", secret, day, region, service);
  if (key.empty() || wanted != made_of) {
    key = hmac_sha256(hmac_sha256(hmac_sha256(hmac_sha256("AWS4" + secret, day), region), service), "aws4_request");
    made_of = std::move(wanted);
  }
  return key;
}

}  // namespace

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> out{};
  ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data());
  return hex({reinterpret_cast<const char*>(out.data()), out.size()});
}

void sign(SigningRequest& r, const Keys& keys, std::string_view region, std::string_view service, std::int64_t now) {
  const std::time_t seconds = now;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  const std::string date =
      fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
  const std::string day = date.substr(0, 8);
  const std::string body_hash = r.body_sha256.empty() ? sha256_hex(r.body) : r.body_sha256;
  r.headers.emplace_back("host", r.host);
  r.headers.emplace_back("x-amz-date", date);
  if (service == "s3") r.headers.emplace_back("x-amz-content-sha256", body_hash);
  if (!keys.session_token.empty()) r.headers.emplace_back("x-amz-security-token", keys.session_token);
  std::sort(r.headers.begin(), r.headers.end());

  std::string names, lines;
  for (const auto& [name, value] : r.headers) {
    names += (names.empty() ? "" : ";") + name;
    lines += fmt::format("{}:{}\n", name, value);
  }
  const std::string canonical =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", r.method, percent_encode(r.path, true), query_of(r), lines, names, body_hash);
  const std::string scope = fmt::format("{}/{}/{}/aws4_request", day, region, service);
  const std::string to_sign = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", date, scope, sha256_hex(canonical));
  const std::string& key = signing_key(keys.secret_key, day, region, service);
  r.headers.emplace_back("authorization", fmt::format("AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={}", keys.access_key,
                                                      scope, names, hex(hmac_sha256(key, to_sign))));
}

std::string url_of(std::string_view scheme, const SigningRequest& r) {
  std::string url = fmt::format("{}://{}{}", scheme, r.host, percent_encode(r.path, true));
  if (const std::string query = query_of(r); !query.empty()) url += '?' + query;
  return url;
}

}  // namespace lm::aws
