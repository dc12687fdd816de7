// Who asks an account of Azure Storage, found where users of the Azure CLI and SDKs expect, in this order.
//   1. AZURE_STORAGE_CONNECTION_STRING: its key, or its SAS
//   2. AZURE_STORAGE_KEY
//   3. AZURE_STORAGE_SAS_TOKEN
//   4. an identity of Microsoft Entra by a token: a workload's (AZURE_FEDERATED_TOKEN_FILE, AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_AUTHORITY_HOST), or an
//      application's (AZURE_CLIENT_SECRET in place of the file)
//   5. the managed identity of App Service and Container Apps: IDENTITY_ENDPOINT, IDENTITY_HEADER
//   6. the managed identity of the machine, by IMDS (AZURE_POD_IDENTITY_AUTHORITY_HOST for another address); AZURE_CLIENT_ID names one of several
// 1 to 3 may name their account (AccountName, AZURE_STORAGE_ACCOUNT): for other accounts they are passed over. A place that is set up but does not answer is
// an error; the next one is not tried in its stead. What is secret is never part of an error.
#pragma once

#include "base/result.hpp"
#include "object_store/http.hpp"
#include "object_store/renewed.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace lm::azure {

struct ConnectionString {
  std::string account, key, sas, endpoint;  // the key decoded; the endpoint of the blobs
};
// (Azure Storage documentation, "Configure Azure Storage connection strings".)
Result<ConnectionString> parse_connection_string(std::string_view);

// "?sv=...&sig=..." -> "sv=...&sig=..."
Result<std::string> parse_sas(std::string_view);

// What an account's key is written as. Absent: it is no Base64.
std::optional<std::string> base64_decode(std::string_view);
std::string base64_encode(std::string_view);

struct Token {
  std::string text;
  std::optional<std::int64_t> expires;  // seconds since 1970-01-01 UTC
};

// 4 to 6.
class TokenChain {
 public:
  // The client must outlive the chain. `stop` is asked while it waits.
  TokenChain(http::Client&, std::function<bool()> stop);
  // [any] May block. There is none: Errc::not_found.
  Result<Token> get();
  // [any] The service refused it.
  void expired(const std::string& text);

 private:
  Result<Token> find();
  Result<Token> from_entra(const std::string& tenant, const std::string& client);
  Result<Token> from_endpoint(const std::string& endpoint);
  Result<Token> from_machine();

  http::Client& client_;
  std::function<bool()> stop_;
  store::Renewed<Token> current_;
};

}  // namespace lm::azure
