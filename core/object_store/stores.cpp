#include "object_store/stores.hpp"

#include "object_store/azure.hpp"
#include "object_store/s3.hpp"

#include <fmt/format.h>
#include <map>

namespace lm::store {

namespace {

// What follows '?' may be a secret that was pasted with the rest.
tl::unexpected<Error> no_address(std::string_view uri, std::string_view why) {
  return fail(Errc::invalid, fmt::format("{}: {}", shown(uri.substr(0, uri.find('?'))), why));
}

}  // namespace

struct Stores::Services {
  S3Options s3_options;
  AzureOptions azure_options;
  std::function<bool()> stop;
  std::shared_ptr<s3::Service> s3;
  std::map<std::string, std::shared_ptr<azure::Service>> azure;  // by account
  std::map<std::string, std::shared_ptr<Bucket>> buckets;        // by address

  Result<Place> find_s3(std::string_view uri) {
    auto address = s3::parse_uri(uri);
    if (!address) return no_address(uri, "an S3 address is s3://BUCKET/PREFIX");
    auto& bucket = buckets["s3://" + address->bucket];
    if (!bucket) {
      if (!s3) {
        auto service = s3::Service::make(s3_options, stop);
        if (!service) return tl::unexpected(service.error());
        s3 = std::move(*service);
      }
      bucket = std::make_shared<s3::Bucket>(s3, address->bucket);
    }
    return Place{bucket, std::move(address->key)};
  }

  Result<Place> find_azure(std::string_view uri) {
    auto address = azure::parse_uri(uri);
    if (!address) return no_address(uri, "an Azure address is az://ACCOUNT/CONTAINER/PREFIX");
    if (const std::size_t query = address->key.find('?');
        query != std::string::npos && address->key.find("sig=", query) != std::string::npos)
      return no_address(uri, "a SAS is no part of an address: give it as AZURE_STORAGE_SAS_TOKEN");
    auto& bucket = buckets[fmt::format("az://{}/{}", address->account, address->container)];
    if (!bucket) {
      auto& account = azure[address->account];
      if (!account) {
        auto service = azure::Service::make(address->account, azure_options, stop);
        if (!service) return tl::unexpected(service.error());
        account = std::move(*service);
      }
      bucket = std::make_shared<azure::Container>(account, address->account, address->container);
    }
    return Place{bucket, std::move(address->key)};
  }
};

Stores::Stores(S3Options s3, AzureOptions azure, std::function<bool()> stop)
    : services_(new Services{std::move(s3), std::move(azure), std::move(stop), {}, {}, {}}) {}
Stores::~Stores() = default;

bool Stores::names_one(std::string_view uri) { return uri.starts_with("s3:/") || uri.starts_with("az:/"); }

Result<Place> Stores::find(std::string_view uri) {
  const std::lock_guard lock(mutex_);
  return uri.starts_with("az:") ? services_->find_azure(uri) : services_->find_s3(uri);
}

}  // namespace lm::store
