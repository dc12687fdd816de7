#include "object_store/azure_credentials.hpp"

#include "object_store/text.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <simdjson.h>
#include <algorithm>
#include <ctime>

namespace lm::azure {
namespace {

using std::chrono::milliseconds;
using store::environment, store::first_of, store::number, store::percent_encode;

constexpr std::string_view kResource = "https://storage.azure.com/";

// What all of Microsoft's services of tokens answer: {"access_token":"...","expires_on":"1772352000"} or "expires_in":3599, as numbers or as text.
Result<Token> from_json(std::string_view text, std::string_view of) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  if (parser.parse(text.data(), text.size()).get(document) != simdjson::SUCCESS)
    return fail(Errc::invalid, fmt::format("the token of {}: the answer is no JSON", of));
  const auto seconds = [&](std::string_view name) -> std::optional<std::int64_t> {
    std::string_view written;
    if (document[name].get(written) == simdjson::SUCCESS) return number(written);
    std::int64_t value = 0;
    if (document[name].get(value) == simdjson::SUCCESS && value > 0) return value;
    return std::nullopt;
  };
  std::string_view token;
  // It goes into a header.
  if (document["access_token"].get(token) != simdjson::SUCCESS || token.empty() || token.find_first_of("\r\n") != std::string_view::npos)
    return fail(Errc::invalid, fmt::format("the token of {}: the answer has no access_token", of));
  Token out{std::string(token), seconds("expires_on")};
  if (const auto left = seconds("expires_in"); !out.expires && left) out.expires = std::time(nullptr) + *left;
  return out;
}

// {"error":"invalid_client","error_description":"..."}: what went wrong, without what was sent.
std::string refusal(const http::Answer& answer) {
  if (answer.status == 0) return answer.failure;
  simdjson::dom::parser parser;
  const auto document = parser.parse(answer.body.data(), answer.body.size());
  const auto get = [&](std::string_view name) {
    std::string_view found;
    return document[name].get(found) == simdjson::SUCCESS ? found : std::string_view();
  };
  const std::string_view code = get("error"), text = get("error_description");
  return store::shown(fmt::format("the answer is {} {}{}{}", answer.status, code, text.empty() ? "" : ": ", text));
}

bool header_text(std::string_view text) { return text.find_first_of("\r\n") == std::string_view::npos; }

}  // namespace

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0 || text.size() > (1U << 20)) return std::nullopt;
  std::string out(text.size() / 4 * 3, '\0');
  const int n = ::EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(text.data()),
                                  static_cast<int>(text.size()));
  if (n < 0) return std::nullopt;
  // Padding comes out as zeros.
  out.resize(static_cast<std::size_t>(n) - (text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0));
  return out;
}

std::string base64_encode(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');  // it writes a NUL behind
  const int n = ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                                  static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(std::max(n, 0)));
  return out;
}

Result<std::string> parse_sas(std::string_view text) {
  text = store::trimmed(text);
  if (text.starts_with('?')) text.remove_prefix(1);
  const bool legal = std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '#' && c != '"'; });
  if (!legal || (!text.starts_with("sig=") && text.find("&sig=") == std::string_view::npos))
    return fail(Errc::invalid, "the SAS of Azure Storage is none: it reads sv=...&sig=...");
  return std::string(text);
}

Result<ConnectionString> parse_connection_string(std::string_view text) {
  const auto wrong = [](std::string_view why) {
    return fail(Errc::invalid, fmt::format("the connection string of Azure Storage: {}", why));
  };
  ConnectionString out;
  std::string scheme = "https", suffix = "core.windows.net";
  bool development = false;
  while (!text.empty()) {
    const std::string_view part = store::trimmed(text.substr(0, text.find(';')));
    text.remove_prefix(std::min(text.find(';'), text.size() - 1) + 1);
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) return wrong("a part of it is no NAME=VALUE");
    std::string name(part.substr(0, equals));
    std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const std::string_view value = part.substr(equals + 1);
    if (name == "accountname") out.account = value;
    if (name == "blobendpoint") out.endpoint = value;
    if (name == "defaultendpointsprotocol") scheme = value;
    if (name == "endpointsuffix") suffix = value;
    if (name == "usedevelopmentstorage") development = value == "true";
    if (name == "accountkey") {
      auto key = base64_decode(value);
      if (!key) return wrong("its AccountKey is no Base64");
      out.key = std::move(*key);
    }
    if (name == "sharedaccesssignature") {
      auto sas = parse_sas(value);
      if (!sas) return wrong("its SharedAccessSignature is none");
      out.sas = std::move(*sas);
    }
  }
  if (development) {
    // The emulator's, which everybody knows.
    out.account = "devstoreaccount1";
    out.key = base64_decode("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==").value_or("");
    if (out.endpoint.empty()) out.endpoint = "http://127.0.0.1:10000/devstoreaccount1";
  }
  if (out.key.empty() && out.sas.empty()) return wrong("it has neither AccountKey nor SharedAccessSignature");
  if (out.account.empty() && (out.endpoint.empty() || !out.key.empty())) return wrong("it has no AccountName");
  if (scheme != "http" && scheme != "https") return wrong("its DefaultEndpointsProtocol is neither https nor http");
  if (out.endpoint.empty()) out.endpoint = fmt::format("{}://{}.blob.{}", scheme, out.account, suffix);
  return out;
}

TokenChain::TokenChain(http::Client& client, std::function<bool()> stop) : client_(client), stop_(std::move(stop)) {}

Result<Token> TokenChain::get() {
  return current_.get([this] { return find(); });
}

void TokenChain::expired(const std::string& text) {
  current_.drop_if([&](const Token& t) { return t.text == text; });
}

Result<Token> TokenChain::find() {
  const std::string tenant = environment("AZURE_TENANT_ID"), client = environment("AZURE_CLIENT_ID");
  const bool entra = !environment("AZURE_FEDERATED_TOKEN_FILE").empty() || !environment("AZURE_CLIENT_SECRET").empty();
  if (entra && !tenant.empty() && !client.empty()) return from_entra(tenant, client);
  if (entra) return fail(Errc::invalid, "the Azure identity of the environment lacks AZURE_TENANT_ID or AZURE_CLIENT_ID");
  if (const std::string endpoint = environment("IDENTITY_ENDPOINT"); !endpoint.empty() && !environment("IDENTITY_HEADER").empty())
    return from_endpoint(endpoint);
  return from_machine();
}

Result<Token> TokenChain::from_entra(const std::string& tenant, const std::string& client) {
  constexpr std::string_view kOf = "the Azure identity of the environment";
  const std::string host = first_of({environment("AZURE_AUTHORITY_HOST"), "https://login.microsoftonline.com/"});
  if (!store::parse_endpoint(host) || (!host.starts_with("https://") && !store::is_loopback(store::http_host(host))))
    return fail(Errc::invalid, "AZURE_AUTHORITY_HOST is no https:// address");
  store::Pairs fields{{"grant_type", "client_credentials"}, {"scope", fmt::format("{}.default", kResource)}, {"client_id", client}};
  if (const std::string file = environment("AZURE_FEDERATED_TOKEN_FILE"); !file.empty()) {
    const std::string text = store::read_file(file);  // each time: it is renewed there
    const std::string_view assertion = store::trimmed(text);
    if (assertion.empty()) return fail(Errc::invalid, fmt::format("AZURE_FEDERATED_TOKEN_FILE: {} cannot be read", store::shown(file)));
    fields.emplace_back("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    fields.emplace_back("client_assertion", assertion);
  } else {
    fields.emplace_back("client_secret", environment("AZURE_CLIENT_SECRET"));
  }
  http::Request request;
  request.method = "POST";
  request.url = fmt::format("{}{}{}/oauth2/v2.0/token", host, host.ends_with('/') ? "" : "/", percent_encode(tenant));
  request.headers = {"content-type: application/x-www-form-urlencoded"};
  request.body = store::form(fields);
  const http::Answer answer = store::ask_for_credentials(client_, request, 4, stop_);
  if (answer.status != 200) return fail(Errc::invalid, fmt::format("the token of {}: {}", kOf, refusal(answer)));
  return from_json(answer.body, kOf);
}

// Of App Service and Container Apps. (Microsoft, "How to use managed identities for App Service and Azure Functions", "REST endpoint reference".)
Result<Token> TokenChain::from_endpoint(const std::string& endpoint) {
  constexpr std::string_view kOf = "the managed identity (IDENTITY_ENDPOINT)";
  const std::string_view host = store::http_host(endpoint);
  if (!endpoint.starts_with("https://") && !store::is_loopback(host) &&
      !(host.starts_with("169.254.") && host.find_first_not_of("0123456789.") == std::string_view::npos))
    return fail(Errc::invalid, "IDENTITY_ENDPOINT: http:// is for addresses of this machine and of its link alone");
  const std::string header = environment("IDENTITY_HEADER");
  if (!header_text(header)) return fail(Errc::invalid, "IDENTITY_HEADER has a line break in it");
  http::Request request;
  request.url = fmt::format("{}{}api-version=2019-08-01&resource={}", endpoint, endpoint.find('?') == std::string::npos ? "?" : "&",
                            percent_encode(kResource));
  if (const std::string client = environment("AZURE_CLIENT_ID"); !client.empty()) request.url += "&client_id=" + percent_encode(client);
  request.headers = {"X-IDENTITY-HEADER: " + header};
  request.proxy = false;
  request.connect_timeout = milliseconds(2000);
  const http::Answer answer = store::ask_for_credentials(client_, request, 4, stop_);
  if (answer.status != 200) return fail(Errc::invalid, fmt::format("the token of {}: {}", kOf, refusal(answer)));
  return from_json(answer.body, kOf);
}

// (Microsoft, "How to use managed identities for Azure resources on an Azure VM to acquire an access token".)
Result<Token> TokenChain::from_machine() {
  std::string base = first_of({environment("AZURE_POD_IDENTITY_AUTHORITY_HOST"), "http://169.254.169.254"});
  while (base.ends_with('/')) base.pop_back();
  http::Request request;
  request.url = fmt::format("{}/metadata/identity/oauth2/token?api-version=2018-02-01&resource={}", base, percent_encode(kResource));
  if (const std::string client = environment("AZURE_CLIENT_ID"); !client.empty()) request.url += "&client_id=" + percent_encode(client);
  request.headers = {"Metadata: true"};
  request.proxy = false;
  request.connect_timeout = milliseconds(1000);
  request.idle_timeout = milliseconds(10'000);
  // It says 404 and 410 while it is being set up. One that is not there at all is no cloud's, and not waited for long.
  http::Answer answer = store::ask_for_credentials(client_, request, 2, stop_);
  if (answer.status != 0 && answer.status != 200)
    answer = store::ask_for_credentials(client_, request, 4, stop_, [](int status) { return status == 404 || status == 410; });
  if (answer.status == 200) return from_json(answer.body, "this machine's managed identity");
  return fail(Errc::not_found, fmt::format("this machine has no managed identity (IMDS: {})", refusal(answer)));
}

}  // namespace lm::azure
