// What object stores have in common, as logmill needs them: requests that are tried again where another attempt may go better, listings by the page, reads
// that go on where they broke. What is a store's own (addresses, signatures, what its answers mean) is in s3.hpp and azure.hpp; a further one is another
// Bucket, and a row in stores.cpp.
//
//   store::Bucket& bucket = ...;
//   auto page = bucket.list({.prefix = "AWSLogs/"});
//   auto download = bucket.get({.key = page->objects[0].key, .etag = page->objects[0].etag});
//
// Attempts: connections that fail, answers 429 and 5xx and bodies that end early are tried again after a random part of a time that doubles (full
// jitter). A body goes on where it broke, of the same ETag or not at all. An attempt too many, or too many in the whole service, ends it.
#pragma once

#include "base/result.hpp"
#include "object_store/http.hpp"
#include "object_store/listing.hpp"
#include "object_store/text.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <random>

namespace lm::store {

struct ListRequest {
  std::string prefix, delimiter;
  std::string start_after;  // a store that has no such thing lists from the beginning
  std::string continuation;
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
  bool growing = false;
};

// What is sent: its bytes can be read as often as attempts are made.
struct Content {
  http::Upload upload;
  std::string sha256;  // in hexadecimal
};

// What one request has been through.
struct Attempts {
  unsigned failures = 0, regions = 0;
  unsigned most = 0;  // 0: as many as the service allows
  bool refreshed = false, clock_set = false;
};
enum class Then { again, at_once, give_up };
struct Verdict {
  Then then = Then::give_up;
  Error error;
};

// What all buckets of one store share in a run: connections, the budget of attempts, the server's clock.
class Service {
 public:
  // `stop` is asked now and then while something waits; may be empty.
  Service(std::function<bool()> stop, std::string ca_file);
  http::Client& http() { return http_; }
  const std::function<bool()>& stop() const { return stop_; }
  bool stopped() const { return stop_ && stop_(); }
  void set_max_attempts(unsigned most) { max_attempts_ = most; }

  // [any] It was answered: that pays for a part of a further attempt.
  void answered();
  // [any] What an answer that is none, or no success, means in every store. `code`, `message`: what is said in it. `passes`: that code is one that may go
  // better another time, whatever the status.
  Verdict judge(const http::Answer&, std::string_view code, std::string_view message, bool passes, Attempts&);
  std::chrono::milliseconds delay(unsigned failures);

  std::int64_t now() const;  // seconds since 1970-01-01 UTC, as the server's clock says
  // [any] Sets that clock by an answer, once a request; false: it was set before, or the answer does not say, or is less than `least` seconds away.
  bool set_clock(const http::Answer&, Attempts&, std::int64_t least);

 private:
  std::function<bool()> stop_;
  http::Client http_;
  unsigned max_attempts_ = 8;
  std::atomic<std::int64_t> clock_offset_{0};  // seconds that the server is ahead
  std::mutex mutex_;
  std::minstd_rand random_;
  double budget_;
};

class Download;

// A bucket, or a container: what has objects.
class Bucket {
 public:
  // `base`: what stands before a key in an object's uri, "s3://bucket/"; `key_base`: what stands before it where keys are matched, "" or "container/".
  Bucket(std::shared_ptr<Service>, std::string base, std::string key_base);
  virtual ~Bucket() = default;
  Bucket(const Bucket&) = delete;
  Bucket& operator=(const Bucket&) = delete;
  // [any] Blocks.
  virtual Result<ListPage> list(const ListRequest&) = 0;
  Result<Head> head(const std::string& key);
  // [any] Asks nothing yet. The download must not outlive the bucket.
  std::unique_ptr<Download> get(GetRequest);
  using Stop = std::function<bool()>;
  const std::string& base() const { return base_; }
  const std::string& key_base() const { return key_base_; }

 protected:
  // What is asked of a store.
  struct Call {
    std::string_view method;
    std::string_view key;
    Pairs query{}, headers{};
    std::string body{};
    const Content* content = nullptr;  // instead of `body`
    Stop stop{};                       // asked besides the service's
    unsigned most_attempts = 0;
    std::chrono::milliseconds idle_timeout{30'000};
  };
  // A request, authorised. `signer`: by what, to be told to judge().
  virtual Result<http::Request> prepare(const Call&, std::string& signer) = 0;
  // Of an answer that is none, or that is no success.
  virtual Verdict judge(const http::Answer&, const std::string& signer, Attempts&) = 0;
  virtual bool growing(const http::Answer&) const { return false; }
  // Asks until it is answered, or gives up. `read` answers whether a success is one. `attempts`: how many it took.
  Result<http::Answer> ask(const Call&, const std::function<Result<void>(const http::Answer&)>& read, unsigned* attempts = nullptr);

 private:
  friend class Download;
  std::shared_ptr<Service> service_;
  std::string base_, key_base_;
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
  std::string signer_;
  Attempts attempts_;
  std::chrono::steady_clock::time_point rest_until_;
  Error error_;
};

}  // namespace lm::store
