// S3 as logmill needs it: listings, reads and multipart uploads, signed, in the bucket's own region, tried again where another attempt may go better.
// (Amazon S3 API Reference, "ListObjectsV2", "GetObject", "CreateMultipartUpload" and its kin, "Error responses".)
//
//   auto service = s3::Service::make(options, stop);
//   s3::Bucket bucket(*service, "acme-trail");
//   auto page = bucket.list({.prefix = "AWSLogs/"});
//   auto download = bucket.get({.key = page->objects[0].key, .etag = page->objects[0].etag});
//
//   auto upload = bucket.create_upload("lake/a.parquet");              // nobody sees anything until
//   auto etag = bucket.put_part("lake/a.parquet", *upload, 1, body);
//   bucket.complete_upload("lake/a.parquet", *upload, {*etag}, body.upload.size);
//
// Attempts: connections that fail, answers 429 and 5xx and bodies that end early are tried again after a random part of a time that doubles (full
// jitter). A body goes on where it broke, of the same ETag or not at all. An attempt too many, or too many in the whole service, ends it.
#pragma once

#include "object_store/credentials.hpp"
#include "object_store/http.hpp"
#include "object_store/xml.hpp"

#include <atomic>
#include <memory>
#include <random>

namespace lm::s3 {

struct Address {
  std::string bucket, key;
};
// "s3://bucket/key"; the key may be empty. Absent: it is none, or the bucket's name is none that S3 allows.
std::optional<Address> parse_uri(std::string_view uri);

struct Endpoint {
  std::string scheme, host, path;  // host with its port; path "" or "/base"
};
std::optional<Endpoint> parse_endpoint(std::string_view url);

// What all buckets of a run share: connections, credentials, the budget of attempts.
class Service {
 public:
  // `stop` is asked now and then while something waits.
  static Result<std::shared_ptr<Service>> make(const S3Options&, std::function<bool()> stop);

 private:
  friend class Bucket;
  friend class Download;
  Service(const S3Options&, std::function<bool()> stop, std::string ca_file);

  // Takes an attempt from the budget, which every answer fills up a little.
  bool may_try_again();
  void answered();
  std::chrono::milliseconds delay(unsigned failures);
  bool stopped() const { return stop_ && stop_(); }

  S3Options options_;
  std::function<bool()> stop_;
  http::Client http_;
  aws::Profiles profiles_;
  std::unique_ptr<aws::CredentialChain> chain_;  // null: requests are not signed
  std::optional<Endpoint> endpoint_;
  std::string region_;
  unsigned max_attempts_ = 8;
  std::atomic<std::int64_t> clock_offset_{0};  // seconds that the server is ahead
  std::mutex mutex_;
  std::minstd_rand random_;
  double budget_ = 0;
};

struct ListRequest {
  std::string prefix, delimiter, start_after, continuation;
  std::size_t max_keys = 1000;
};

struct GetRequest {
  std::string key;
  std::string etag;        // "": of whatever is there at the first answer
  std::uint64_t size = 0;  // 0: as the first answer says
  std::uint64_t from = 0;
};

struct Head {
  std::string etag;  // without its quotes
  std::uint64_t size = 0;
  std::int64_t mtime_ms = 0;
};

// What is sent: its bytes can be read as often as attempts are made.
struct Content {
  http::Upload upload;
  std::string sha256;  // in hexadecimal
};

class Download;

class Bucket {
 public:
  Bucket(std::shared_ptr<Service>, std::string name);
  // [any] Blocks.
  Result<aws::ListPage> list(const ListRequest&);
  Result<Head> head(const std::string& key);
  // [any] Asks nothing yet. The download must not outlive the bucket.
  std::unique_ptr<Download> get(GetRequest);

  // [any] Block. `stop` is asked now and then, besides the service's; what it ends is Errc::cancelled.
  using Stop = std::function<bool()>;
  // The upload's id. `repeated` is set if it was asked for more than once: then there may be one that nobody knows.
  Result<std::string> create_upload(const std::string& key, bool* repeated = nullptr);
  Result<std::string> put_part(const std::string& key, const std::string& upload, unsigned number, const Content&,
                               const Stop& stop);  // its ETag
  // Succeeds as well if it was done before: the upload is not there any more, and the object is, and has that size. Errc::not_found: neither is there.
  Result<void> complete_upload(const std::string& key, const std::string& upload, const std::vector<std::string>& etags,
                               std::uint64_t size);
  Result<bool> abort_upload(const std::string& key, const std::string& upload);  // whether it was there; a few attempts
  Result<aws::UploadPage> list_uploads(const std::string& prefix, const aws::UploadPage& after);
  Result<void> put(const std::string& key, const Content&);
  Result<void> remove(const std::string& key);  // succeeds if it is not there
  const std::string& name() const { return name_; }

 private:
  friend class Download;
  struct Attempts {
    unsigned failures = 0, regions = 0;
    unsigned most = 0;  // 0: as many as the service allows
    bool refreshed = false, clock_set = false;
  };
  enum class Then { again, at_once, give_up };
  struct Verdict {
    Then then;
    Error error;
  };
  struct Call {
    std::string_view method;
    std::string_view key;
    aws::Pairs query{}, headers{};
    std::string body{};
    const Content* content = nullptr;  // instead of `body`
    Stop stop{};
    unsigned most_attempts = 0;
    std::chrono::milliseconds idle_timeout{30'000};
  };
  Result<http::Request> prepare(const Call&, std::string& access_key);
  // Asks until it is answered, or gives up. `read` answers whether a success is one. `attempts`: how many it took.
  Result<http::Answer> ask(const Call&, const std::function<Result<void>(const http::Answer&)>& read, unsigned* attempts = nullptr);
  aws::Pairs encryption() const;
  // Of an answer that is none, or that is no success.
  Verdict judge(const http::Answer&, const std::string& access_key, Attempts&);
  std::string region();

  std::shared_ptr<Service> service_;
  std::string name_;
  std::mutex mutex_;
  std::string region_;
};

// One object's bytes. Used by one thread at a time.
class Download {
 public:
  Download(Bucket&, GetRequest);
  // Waits a moment for something to read, or for the end, or an error.
  bool ready();
  // Blocks. 0 at the end.
  Result<std::size_t> read(std::span<std::byte> out);

 private:
  enum class State { idle, resting, running, ended, failed };
  void begin();
  void judge(const http::Answer&);
  void again(std::string why);
  bool accept();  // the head of an answer; false: it was judged

  Bucket& bucket_;
  GetRequest wanted_;
  State state_ = State::idle;
  bool sized_ = false;        // wanted_.size is known, be it 0
  std::uint64_t offset_ = 0;  // of the next byte to hand out
  std::uint64_t skip_ = 0;    // bytes of this answer that were handed out before
  bool accepted_ = false, refused_ = false;
  std::string body_;  // of an answer that is no success
  std::unique_ptr<http::Transfer> transfer_;
  std::string access_key_;
  Bucket::Attempts attempts_;
  std::chrono::steady_clock::time_point rest_until_;
  Error error_;
};

}  // namespace lm::s3
