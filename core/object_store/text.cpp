#include "object_store/text.hpp"

#include "object_store/curl.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <fstream>

namespace lm::store {
namespace {

constexpr std::string_view kUpperHex = "0123456789ABCDEF";

bool unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string percent_encode(std::string_view text, bool slash) {
  std::string out;
  out.reserve(text.size() + text.size() / 4);
  for (const char c : text) {
    if (unreserved(c) || (slash && c == '/')) {
      out += c;
    } else {
      const auto b = static_cast<unsigned char>(c);
      out += '%';
      out += kUpperHex[b >> 4];
      out += kUpperHex[b & 15];
    }
  }
  return out;
}

std::string percent_decode(std::string_view text, bool plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && text.size() - i > 2 && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += plus && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string form(const Pairs& fields) {
  std::string out;
  for (const auto& [name, text] : fields) out += fmt::format("{}{}={}", out.empty() ? "" : "&", percent_encode(name), percent_encode(text));
  return out;
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> out{};
  unsigned size = 0;
  ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         out.data(), &size);
  return {reinterpret_cast<const char*>(out.data()), size};
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string_view without_quotes(std::string_view etag) {
  return etag.size() >= 2 && etag.front() == '"' && etag.back() == '"' ? etag.substr(1, etag.size() - 2) : etag;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::int64_t http_date_ms(const std::string& text) {
  const std::time_t at = http::curl().getdate ? http::curl().getdate(text.c_str(), nullptr) : 0;
  return at > 0 ? at * std::int64_t{1000} : 0;
}

std::string first_of(std::initializer_list<std::string> texts) {
  for (const std::string& text : texts) {
    if (!text.empty()) return text;
  }
  return {};
}

std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 300)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  return out;
}

std::string environment(const char* name) {
  const char* const found = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing of ours changes the environment
  return found ? found : "";
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(std::size_t{1} << 20, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file.gcount())));
  return text;
}

std::optional<Endpoint> parse_endpoint(std::string_view url) {
  Endpoint out;
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return std::nullopt;
  out.scheme = url.substr(0, scheme);
  if (out.scheme != "http" && out.scheme != "https") return std::nullopt;
  url.remove_prefix(scheme + 3);
  const std::size_t slash = url.find('/');
  out.host = url.substr(0, slash);
  if (slash != std::string_view::npos) out.path = url.substr(slash);
  while (out.path.ends_with('/')) out.path.pop_back();
  if (out.host.empty() || out.host.find_first_of("@?# \\%") != std::string::npos || out.path.find_first_of("?#") != std::string::npos)
    return std::nullopt;
  // curl leaves the scheme's own port out of the Host that it sends, and so must the signature.
  const std::string_view own = out.scheme == "http" ? ":80" : ":443";
  if (out.host.ends_with(own)) out.host.erase(out.host.size() - own.size());
  return out;
}

std::string_view http_host(std::string_view url) {
  constexpr std::string_view kHttp = "http://";
  if (!url.starts_with(kHttp)) return {};
  std::string_view host = url.substr(kHttp.size());
  host = host.substr(0, host.find_first_of("/?#"));
  if (host.find('@') != std::string_view::npos) return {};
  if (host.starts_with('[')) return host.substr(0, std::min(host.find(']'), host.size() - 1) + 1);
  return host.substr(0, host.find(':'));
}

bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "[::1]") return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace lm::store
