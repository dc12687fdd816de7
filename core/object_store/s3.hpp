// S3 as a store: addresses, signed requests in the bucket's own region, what its answers mean, and multipart uploads.
// (Amazon S3 API Reference, "ListObjectsV2", "GetObject", "CreateMultipartUpload" and its kin, "Error responses".)
//
//   auto service = s3::Service::make(options, stop);
//   s3::Bucket bucket(*service, "acme-trail");
//
//   auto upload = bucket.create_upload("lake/a.parquet");              // nobody sees anything until
//   auto etag = bucket.put_part("lake/a.parquet", *upload, 1, body);
//   bucket.complete_upload("lake/a.parquet", *upload, {*etag}, body.upload.size);
#pragma once

#include "object_store/credentials.hpp"
#include "object_store/store.hpp"
#include "object_store/xml.hpp"

#include <memory>

namespace lm::s3 {

using store::Content;

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

  // [any] Block. `stop` is asked now and then, besides the service's; what it ends is Errc::cancelled.
  // The upload's id. `repeated` is set if it was asked for more than once: then there may be one that nobody knows.
  Result<std::string> create_upload(const std::string& key, bool* repeated = nullptr);
  Result<std::string> put_part(const std::string& key, const std::string& upload, unsigned number, const Content&,
                               const Stop& stop);  // its ETag
  // Succeeds as well if it was done before: the upload is not there any more, and the object is, and has that size, and another ETag than `before`, which is that of
  // what it replaces, or "". Errc::not_found: neither is there; Errc::invalid: that may not be asked.
  Result<void> complete_upload(const std::string& key, const std::string& upload, const std::vector<std::string>& etags, std::uint64_t size,
                               const std::string& before = {});
  Result<bool> abort_upload(const std::string& key, const std::string& upload);  // whether it was there; a few attempts
  Result<aws::UploadPage> list_uploads(const std::string& prefix, const aws::UploadPage& after);
  Result<void> put(const std::string& key, const Content&);
  Result<void> remove(const std::string& key);  // succeeds if it is not there
  const std::string& name() const { return name_; }

 protected:
  Result<http::Request> prepare(const Call&, std::string& access_key) override;
  store::Verdict judge(const http::Answer&, const std::string& access_key, store::Attempts&) override;

 private:
  store::Pairs encryption() const;
  Result<store::Head> look_up(const std::string& key, std::uint64_t size);
  std::string region();

  std::shared_ptr<Service> service_;
  std::string name_;
  std::mutex mutex_;
  std::string region_;
};

}  // namespace lm::s3
