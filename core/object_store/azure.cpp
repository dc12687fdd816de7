#include "object_store/azure.hpp"

#include "object_store/xml.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <ctime>

namespace lm::azure {
namespace {

using store::environment, store::first_of, store::shown, store::Then, store::Verdict;

constexpr std::string_view kVersion = "2021-12-02";
constexpr std::int64_t kSkew = 5 * 60;  // seconds; what is signed may be 15 minutes old

bool lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool account_name(std::string_view text) {
  return text.size() >= 3 && text.size() <= 24 && std::all_of(text.begin(), text.end(), lower_or_digit);
}

bool container_name(std::string_view text) {
  if (text == "$logs" || text == "$web" || text == "$root" || text == "$blobchangefeed") return true;
  return text.size() >= 3 && text.size() <= 63 && text.front() != '-' && text.back() != '-' && text.find("--") == std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [](char c) { return lower_or_digit(c) || c == '-'; });
}

// "Fri, 24 May 2013 00:00:00 GMT", whatever the locale.
std::string http_date(std::int64_t seconds) {
  constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t at = seconds;
  std::tm utc{};
  ::gmtime_r(&at, &utc);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays.at(static_cast<std::size_t>(utc.tm_wday)), utc.tm_mday,
                     kMonths.at(static_cast<std::size_t>(utc.tm_mon)), utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

void replace_all(std::string& text, const std::string& what, std::string_view by) {
  if (what.empty()) return;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) text.replace(at, what.size(), by);
}

}  // namespace

std::optional<Address> parse_uri(std::string_view uri) {
  constexpr std::string_view kScheme = "az://";
  if (!uri.starts_with(kScheme)) return std::nullopt;
  uri.remove_prefix(kScheme.size());
  const auto next = [&] {
    std::string part(uri.substr(0, uri.find('/')));
    uri.remove_prefix(std::min(part.size() + 1, uri.size()));
    return part;
  };
  Address out;
  out.account = next();
  out.container = next();
  out.key = uri;
  if (!account_name(out.account) || !container_name(out.container)) return std::nullopt;
  return out;
}

std::string string_to_sign(const SigningRequest& r, std::string_view account) {
  const auto header = [&](std::string_view name) -> std::string_view {
    for (const auto& [have, text] : r.headers) {
      if (have == name) return text;
    }
    return {};
  };
  std::string out = r.method + '\n';
  // Nothing is sent but what is asked for: the length of the content is 0, and that is written as nothing.
  for (const char* name : {"content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
                           "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"}) {
    out += header(name);
    out += '\n';
  }
  store::Pairs own;
  for (const auto& pair : r.headers) {
    if (pair.first.starts_with("x-ms-")) own.push_back(pair);
  }
  std::sort(own.begin(), own.end());
  for (const auto& [name, text] : own) out += fmt::format("{}:{}\n", name, text);
  out += fmt::format("/{}{}", account, r.path);
  store::Pairs query = r.query;
  std::sort(query.begin(), query.end());
  for (const auto& [name, text] : query) out += fmt::format("\n{}:{}", name, text);
  return out;
}

std::string authorization(const SigningRequest& r, std::string_view account, std::string_view key) {
  return fmt::format("SharedKey {}:{}", account, base64_encode(store::hmac_sha256(key, string_to_sign(r, account))));
}

Service::Service(std::string account, std::function<bool()> stop)
    : store::Service(std::move(stop), first_of({environment("SSL_CERT_FILE"), environment("REQUESTS_CA_BUNDLE")})),
      account_(std::move(account)) {}

Result<std::shared_ptr<Service>> Service::make(const std::string& account, const AzureOptions& options, std::function<bool()> stop) {
  auto out = std::shared_ptr<Service>(new Service(account, std::move(stop)));
  ConnectionString connection;
  bool by_connection = false;
  if (const std::string text = environment("AZURE_STORAGE_CONNECTION_STRING"); !text.empty()) {
    auto parsed = parse_connection_string(text);
    if (!parsed) return tl::unexpected(parsed.error());
    connection = std::move(*parsed);
    by_connection = connection.account.empty() || connection.account == account;
    if (!by_connection) out->passed_over_ += fmt::format("; the connection string is of the account '{}'", shown(connection.account));
  }
  const std::string named = environment("AZURE_STORAGE_ACCOUNT");
  const bool by_environment = named.empty() || named == account;
  if (!by_environment) out->passed_over_ += fmt::format("; AZURE_STORAGE_ACCOUNT is '{}'", shown(named));

  const std::string endpoint =
      first_of({options.endpoint, by_environment ? environment("AZURE_STORAGE_BLOB_ENDPOINT") : std::string(),
                by_connection ? connection.endpoint : std::string(), fmt::format("https://{}.blob.core.windows.net", account)});
  const auto parsed = store::parse_endpoint(endpoint);
  if (!parsed) {
    // What follows '?' may be a SAS, and what stands before '@' a password.
    const std::string told =
        endpoint.find('@') == std::string::npos ? shown(endpoint.substr(0, endpoint.find('?'))) : std::string("...@...");
    return fail(Errc::invalid,
                fmt::format("the Azure endpoint '{}' is no URL: say https://HOST[:PORT][/ACCOUNT], or http:// if that is meant", told));
  }
  out->endpoint_ = *parsed;

  const std::string key = by_environment ? environment("AZURE_STORAGE_KEY") : std::string();
  const std::string sas = by_environment ? environment("AZURE_STORAGE_SAS_TOKEN") : std::string();
  if (options.no_sign) return out;
  if (by_connection) {
    out->key_ = connection.key;
    if (out->key_.empty()) out->sas_ = connection.sas;
  } else if (!key.empty()) {
    auto decoded = base64_decode(key);
    if (!decoded) return fail(Errc::invalid, "AZURE_STORAGE_KEY is no Base64");
    out->key_ = std::move(*decoded);
  } else if (!sas.empty()) {
    auto good = parse_sas(sas);
    if (!good) return tl::unexpected(good.error());
    out->sas_ = std::move(*good);
  } else {
    if (out->endpoint_.scheme != "https" && !store::is_loopback(store::http_host(endpoint)))
      return fail(Errc::invalid, "a token is not sent over http://: give the account's key or a SAS, or an https:// endpoint");
    out->tokens_ = std::make_unique<TokenChain>(out->http(), out->stop());
  }
  return out;
}

std::string Service::hidden(std::string text) const {
  if (sas_.empty()) return text;
  replace_all(text, sas_, "(the SAS)");
  const std::size_t at = sas_.starts_with("sig=") ? 4 : sas_.find("&sig=") + 5;
  const std::string signature = sas_.substr(at, sas_.find('&', at) - at);
  replace_all(text, signature, "(hidden)");
  replace_all(text, store::percent_decode(signature, false), "(hidden)");
  return text;
}

Container::Container(std::shared_ptr<Service> service, const std::string& account, std::string name)
    : store::Bucket(service, fmt::format("az://{}/{}/", account, name), name + '/'), service_(std::move(service)), name_(std::move(name)) {}

Result<http::Request> Container::prepare(const Call& call, std::string& token) {
  SigningRequest r;
  r.method = call.method;
  r.path = fmt::format("{}/{}", service_->endpoint_.path, name_);
  if (!call.key.empty()) r.path += '/' + store::percent_encode(call.key, true);
  r.query = call.query;
  r.headers = call.headers;
  r.headers.emplace_back("x-ms-date", http_date(service_->now()));
  r.headers.emplace_back("x-ms-version", kVersion);
  if (!service_->key_.empty()) {
    r.headers.emplace_back("authorization", authorization(r, service_->account_, service_->key_));
  } else if (service_->tokens_) {
    const auto found = service_->tokens_->get();
    if (!found)
      return fail(found.error().code,
                  found.error().code != Errc::not_found
                      ? found.error().what
                      : fmt::format("no Azure credentials: there is no key and no SAS in the environment{}, and {}; for a "
                                    "public container say --no-sign-request",
                                    service_->passed_over_, found.error().what));
    token = found->text;
    r.headers.emplace_back("authorization", "Bearer " + token);
  }
  http::Request out;
  out.method = r.method;
  out.url = fmt::format("{}://{}{}", service_->endpoint_.scheme, service_->endpoint_.host, r.path);
  const std::string text = store::form(call.query);
  if (!text.empty() || !service_->sas_.empty())
    out.url += fmt::format("?{}{}{}", text, text.empty() || service_->sas_.empty() ? "" : "&", service_->sas_);
  for (const auto& [name, value] : r.headers) out.headers.push_back(fmt::format("{}: {}", name, value));
  return out;
}

Verdict Container::judge(const http::Answer& answer, const std::string& token, store::Attempts& attempts) {
  const store::ServiceError said = answer.status == 0 ? store::ServiceError{} : store::parse_error(answer.body);
  const std::string code = first_of({std::string(answer.header("x-ms-error-code")), said.code});
  if (answer.status == 401 && service_->tokens_ && !std::exchange(attempts.refreshed, true)) {
    service_->tokens_->expired(token);
    return {Then::at_once, {}};
  }
  if (answer.status == 403 && code == "AuthenticationFailed" && !service_->key_.empty() && service_->set_clock(answer, attempts, kSkew))
    return {Then::at_once, {}};
  // Hidden before it is cut to what people are shown.
  Verdict verdict =
      service_->judge(answer, code, service_->hidden(said.message), code == "ServerBusy" || code == "OperationTimedOut", attempts);
  if (verdict.then != Then::give_up) return verdict;
  std::string& what = verdict.error.what;
  if (code == "BlobArchived") what = "it is archived and must be rehydrated before it can be read (" + what + ")";
  if (code == "AuthenticationFailed" && !service_->key_.empty()) what += " (the key does not belong to this account)";
  if (!service_->tokens_ && service_->key_.empty() && service_->sas_.empty() && answer.status >= 400 && answer.status < 500)
    what += " (the request was not signed)";
  what = service_->hidden(std::move(what));
  return verdict;
}

bool Container::growing(const http::Answer& answer) const {
  return answer.header("x-ms-blob-type") == "AppendBlob" && answer.header("x-ms-blob-sealed") != "true";
}

Result<store::ListPage> Container::list(const store::ListRequest& request) {
  store::Pairs query{{"comp", "list"}, {"restype", "container"}, {"maxresults", std::to_string(request.max_keys)}};
  if (!request.prefix.empty()) query.emplace_back("prefix", request.prefix);
  if (!request.delimiter.empty()) query.emplace_back("delimiter", request.delimiter);
  if (!request.continuation.empty()) query.emplace_back("marker", request.continuation);
  store::ListPage page;
  const auto answer = ask({"GET", "", query}, [&](const http::Answer& a) -> Result<void> {
    auto read = parse_list(a.body);
    if (!read) return tl::unexpected(read.error());
    page = std::move(*read);
    return {};
  });
  if (!answer) return tl::unexpected(answer.error());
  return page;
}

}  // namespace lm::azure
