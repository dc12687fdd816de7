#include "elastic/client.hpp"

#include "common/sink_glue.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace lm::sink {
namespace {

constexpr std::uint64_t kLongestAnswer = std::uint64_t{64} << 20;
constexpr std::uint32_t kIdleSeconds = 90;  // a bulk request may be worked at for longer than a store takes to answer

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUnreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

std::string base64(std::string_view bytes) {
  std::string out;
  const auto at = [&](std::size_t i) { return i < bytes.size() ? static_cast<unsigned>(static_cast<unsigned char>(bytes[i])) : 0u; };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const unsigned word = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    out += kDigits[word >> 18];
    out += kDigits[word >> 12 & 63];
    out += i + 1 < bytes.size() ? kDigits[word >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? kDigits[word & 63] : '=';
  }
  return out;
}

std::string environment(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing of ours changes the environment
  return value ? value : "";
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// The first line of a file, which is all that a secret is. Its text is in no message.
Result<std::string> secret_file(std::string_view option, const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), [](std::FILE* f) { return std::fclose(f); });
  if (!file) return fail_io("read the " + std::string(option), path, errno);
  std::string out(8192, '\0');
  out.resize(std::fread(out.data(), 1, out.size(), file.get()));
  out.resize(std::min(out.find_first_of("\r\n"), out.size()));
  if (out.empty()) return fail(LM_INVALID, std::string(option) + " " + path + " begins with an empty line");
  return out;
}

// From the file that the option names, or else from the environment; may be empty.
Result<std::string> secret(const Options& options, std::string_view option, const char* variable) {
  const std::string path = options.text(option, "");
  Result<std::string> out = path.empty() ? environment(variable) : secret_file(option, path);
  if (out && has_control(*out))
    return fail(LM_INVALID, "what " + std::string(path.empty() ? variable : path) + " holds has control characters in it");
  return out;
}

struct Url {
  std::string text;  // without '/' at its end
  bool encrypted = false, here = false;
};

Result<Url> parse_url(std::string_view text) {
  const auto bad = [&](std::string_view why) { return fail(LM_INVALID, "the address is not https://HOST[:PORT]: " + std::string(why)); };
  Url out;
  out.encrypted = text.starts_with("https://");
  if (!out.encrypted && !text.starts_with("http://")) return bad("it begins with neither https:// nor http://");
  std::string_view rest = text.substr(text.find("//") + 2);
  const std::string_view host = rest.substr(0, rest.find('/'));
  if (host.find('@') != std::string_view::npos)
    return bad("it names a user; passwords belong into LOGMILL_ELASTIC_PASSWORD or password_file=");
  if (host.empty() ||
      host.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.:[]") != std::string_view::npos)
    return bad("the host is no name");
  rest.remove_prefix(host.size());
  if (rest.find_first_not_of(std::string(kUnreserved) + "/") != std::string_view::npos)
    return bad("the path has characters that it may not have");
  const std::string_view name = host.starts_with('[') ? host.substr(0, host.find(']') + 1) : host.substr(0, host.find(':'));
  out.here = name == "localhost" || name == "[::1]" || name.starts_with("127.");
  out.text = text;
  while (out.text.ends_with('/')) out.text.pop_back();
  return out;
}

}  // namespace

Result<std::unique_ptr<Client>> Client::open(const lm_http& http, std::string_view address, const Options& options) {
  const auto url = parse_url(address);
  if (!url) return tl::make_unexpected(url.error());
  auto auth = options.choice("auth", {"auto", "none", "basic", "api_key", "sigv4"}, "auto");
  if (!auth) return tl::make_unexpected(auth.error());
  std::string key, password, user;
  if (*auth != "none" && *auth != "sigv4") {
    const auto found_key = secret(options, "api_key_file", "LOGMILL_ELASTIC_API_KEY");
    if (!found_key) return tl::make_unexpected(found_key.error());
    const auto found = secret(options, "password_file", "LOGMILL_ELASTIC_PASSWORD");
    if (!found) return tl::make_unexpected(found.error());
    key = *found_key, password = *found;
    user = options.text("username", "");
    if (user.empty()) user = environment("LOGMILL_ELASTIC_USERNAME");
  }
  if (*auth == "auto") {
    if (!key.empty() && !user.empty())
      return fail(LM_INVALID, "there are both an API key and a user's name: say auth=api_key or auth=basic");
    *auth = !key.empty() ? "api_key" : !user.empty() ? "basic" : "none";
  }
  auto out = std::unique_ptr<Client>(new Client(&http, url->text));
  if (*auth == "api_key") {
    if (key.empty()) return fail(LM_INVALID, "auth=api_key: there is none in LOGMILL_ELASTIC_API_KEY, and no api_key_file=");
    // As it is shown when it is made ("encoded"), or its id and itself.
    out->authorization_ = "Authorization: ApiKey " + (key.find(':') == std::string::npos ? key : base64(key));
  } else if (*auth == "basic") {
    if (user.empty() || password.empty())
      return fail(LM_INVALID, "auth=basic: username= and a password in LOGMILL_ELASTIC_PASSWORD or password_file= are wanted");
    if (user.find(':') != std::string::npos || has_control(user)) return fail(LM_INVALID, "username= is no name of a user");
    out->authorization_ = "Authorization: Basic " + base64(user + ":" + password);
  }
  if (*auth != "none" && !url->encrypted && !url->here)
    return fail(LM_INVALID, "credentials are not sent over http:// to another machine: say https://");
  const std::string ca_file = options.text("ca_file", ""), region = options.text("region", "");
  if (!ca_file.empty()) {
    // What curl says of a file that is not there names no file.
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(ca_file.c_str(), "rbe"),
                                                               [](std::FILE* f) { return std::fclose(f); });
    if (!file) return fail_io("read the ca_file", ca_file, errno);
  }
  const lm_http_settings settings{sizeof(lm_http_settings), 0, str(ca_file), str(*auth == "sigv4" ? "es" : ""), str(region)};
  lm_error error{};
  error.struct_size = sizeof error;
  if (const lm_status status = http.open(http.self, &settings, &out->handle_, &error); status != LM_OK) return fail(status, error.message);
  return out;
}

Client::~Client() {
  if (handle_) http_->close(http_->self, handle_);
}

Result<HttpReply> Client::send(std::string_view method, std::string_view path, std::string_view body, std::string_view encoding) const {
  const std::string url = url_ + std::string(path), encoded = "Content-Encoding: " + std::string(encoding);
  std::vector<lm_str> headers;
  if (!authorization_.empty()) headers.push_back(str(authorization_));
  if (!body.empty()) headers.push_back(str(method == "PUT" ? "Content-Type: application/json" : "Content-Type: application/x-ndjson"));
  if (!encoding.empty()) headers.push_back(str(encoded));
  const lm_http_request request{sizeof(lm_http_request), kIdleSeconds,   str(method), str(url),
                                headers.data(),          headers.size(), str(body),   kLongestAnswer};
  HttpReply reply;
  lm_error error{};
  error.struct_size = sizeof error;
  const auto take = [](void* ctx, const lm_http_answer* answer) {
    auto& to = *static_cast<HttpReply*>(ctx);
    to.status = answer->status, to.hopeless = answer->hopeless != 0;
    to.body = view(answer->body), to.failure = view(answer->failure);
    for (const char c : view(answer->retry_after)) {
      if (c < '0' || c > '9' || to.retry_after > 100'000) break;
      to.retry_after = to.retry_after * 10 + static_cast<std::uint32_t>(c - '0');
    }
  };
  if (const lm_status status = http_->send(http_->self, handle_, &request, &reply, take, &error); status != LM_OK)
    return fail(status, error.message);
  return reply;
}

}  // namespace lm::sink
