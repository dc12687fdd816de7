// S3 as a store: addresses, signed requests in the bucket's own region, what its answers mean.
// (Amazon S3 API Reference, "ListObjectsV2", "GetObject", "Error responses".)
//
//   auto service = s3::Service::make(options, stop);
//   s3::Bucket bucket(*service, "acme-trail");
#pragma once

#include "object_store/credentials.hpp"
#include "object_store/store.hpp"

#include <memory>

namespace lm::s3 {

struct Address {
  std::string bucket, key;
};
// "s3://bucket/key"; the key may be empty. Absent: it is none, or the bucket's name is none that S3 allows.
std::optional<Address> parse_uri(std::string_view uri);

// What all buckets of a run share.
class Service : public store::Service {
 public:
  // `stop` is asked now and then while something waits.
  static Result<std::shared_ptr<Service>> make(const S3Options&, std::function<bool()> stop);

 private:
  friend class Bucket;
  Service(const S3Options&, std::function<bool()> stop);

  S3Options options_;
  aws::Profiles profiles_;
  std::unique_ptr<aws::CredentialChain> chain_;  // null: requests are not signed
  std::optional<store::Endpoint> endpoint_;
  std::string region_;
};

class Bucket final : public store::Bucket {
 public:
  Bucket(std::shared_ptr<Service>, std::string name);
  Result<store::ListPage> list(const store::ListRequest&) override;

 protected:
  Result<http::Request> prepare(const Call&, std::string& access_key) override;
  store::Verdict judge(const http::Answer&, const std::string& access_key, store::Attempts&) override;

 private:
  std::string region();

  std::shared_ptr<Service> service_;
  std::string name_;
  std::mutex mutex_;
  std::string region_;
};

}  // namespace lm::s3
