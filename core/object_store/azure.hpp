// Azure Blob Storage as a store: addresses, authorised requests, what its answers mean.
// (Azure Storage REST API, "Authorize with Shared Key", "List Blobs", "Get Blob", "Blob service error codes".)
//
//   auto service = azure::Service::make("acmelogs", options, stop);
//   azure::Container container(*service, "insights-logs-auditlogs");
#pragma once

#include "object_store/azure_credentials.hpp"
#include "object_store/store.hpp"

#include <memory>

namespace lm::azure {

struct Address {
  std::string account, container, key;
};
// "az://account/container/key"; the key may be empty. Absent: it is none, or a name is none that Azure allows.
std::optional<Address> parse_uri(std::string_view uri);

// A request as it is signed with an account's key.
struct SigningRequest {
  std::string method = "GET";
  std::string path;             // encoded, as it is sent
  store::Pairs query, headers;  // decoded; names of headers in lower case
};
std::string string_to_sign(const SigningRequest&, std::string_view account);
// What `Authorization` says. `key`: decoded.
std::string authorization(const SigningRequest&, std::string_view account, std::string_view key);

// What all containers of an account share.
class Service : public store::Service {
 public:
  // `stop` is asked now and then while something waits.
  static Result<std::shared_ptr<Service>> make(const std::string& account, const AzureOptions&, std::function<bool()> stop);

 private:
  friend class Container;
  Service(std::string account, std::function<bool()> stop);
  // Without what is secret, wherever it may have come from.
  std::string hidden(std::string) const;

  std::string account_;
  store::Endpoint endpoint_;
  // One of them, or none: not authorised.
  std::string key_, sas_;
  std::unique_ptr<TokenChain> tokens_;
  std::string passed_over_;  // what is set up, but for another account
};

class Container final : public store::Bucket {
 public:
  Container(std::shared_ptr<Service>, const std::string& account, std::string name);
  Result<store::ListPage> list(const store::ListRequest&) override;

 protected:
  Result<http::Request> prepare(const Call&, std::string& token) override;
  store::Verdict judge(const http::Answer&, const std::string& token, store::Attempts&) override;
  bool growing(const http::Answer&) const override;

 private:
  std::shared_ptr<Service> service_;
  std::string name_;
};

}  // namespace lm::azure
