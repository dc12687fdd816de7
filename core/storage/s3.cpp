// s3://BUCKET/PREFIX. Every output is a multipart upload, also one of a few bytes: S3 shows nothing of it before it is completed, and completing is what publish does.
//
//   append                  fills a part; a full one is queued, and a few threads send what is queued
//   finish                  queues the last part
//   seal                    waits until all parts are there: the token has their ETags
//   publish, discard, ~     are queued too: of a thousand partitions many are completed at once. settle waits for them.
#include "storage/s3.hpp"

#include "object_store/s3.hpp"
#include "object_store/sigv4.hpp"
#include "storage/parts.hpp"
#include "storage/storage.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <deque>
#include <map>
#include <thread>
#include <utility>

namespace lm {
namespace {

constexpr std::size_t kThreads = 16;            // requests in flight, at most
constexpr std::size_t kWaiting = 2 * kThreads;  // parts that are queued; who has one more waits
constexpr unsigned kMostParts = 10'000;
constexpr std::string_view kTokenKind = "s3-upload";

// Runs jobs in the order in which they come, on threads that are made when they are needed.
class Jobs {
 public:
  explicit Jobs(std::function<void(Error)> failed) : failed_(std::move(failed)) {}
  ~Jobs() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  void add(std::function<void()> job) {
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
      try {
        if (idle_ < jobs_.size() && threads_.size() < kThreads) threads_.emplace_back([this] { work(); });
      } catch (const std::exception&) {
        // Fewer threads do it as well; without one nobody would.
        if (threads_.empty()) {
          jobs_.pop_back();
          throw;
        }
      }
    }
    changed_.notify_all();
  }
  // Until as few are queued or at work.
  void wait(std::size_t most) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return jobs_.size() + busy_ <= most; });
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      changed_.wait(lock, [&] { return !jobs_.empty() || ending_; });
      --idle_;
      if (jobs_.empty()) return;
      auto job = std::move(jobs_.front());
      jobs_.pop_front();
      ++busy_;
      lock.unlock();
      try {
        job();
      } catch (const std::exception& e) {
        failed_({Errc::internal, e.what()});
      }
      job = nullptr;  // and what it holds
      lock.lock();
      --busy_;
      changed_.notify_all();
    }
  }

  const std::function<void(Error)> failed_;
  std::mutex mutex_;  // guards:
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  std::size_t idle_ = 0, busy_ = 0;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

class Sha256 {
 public:
  Sha256() { reset(); }
  ~Sha256() { ::EVP_MD_CTX_free(context_); }
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(std::string_view bytes) { ::EVP_DigestUpdate(context_, bytes.data(), bytes.size()); }
  std::string take() {  // in hexadecimal; then it begins again
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    ::EVP_DigestFinal_ex(context_, digest, &size);
    std::string out;
    for (unsigned i = 0; i < size; ++i) out += fmt::format("{:02x}", digest[i]);
    reset();
    return out;
  }

 private:
  void reset() {
    if (::EVP_DigestInit_ex(context_, ::EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
  }
  EVP_MD_CTX* context_ = ::EVP_MD_CTX_new();
};

s3::Content content_of(const std::shared_ptr<Part>& part, std::string sha256) {
  return {{part->size(), [part](std::uint64_t at, std::span<char> out) { return part->read(at, out); }}, std::move(sha256)};
}

std::string_view last_component(std::string_view name) { return name.substr(name.rfind('/') + 1); }

// One upload, as its output and the jobs that send its parts see it.
struct Sending {
  std::string key;
  std::mutex begin_mutex;  // guards the beginning of the upload
  std::string upload;      // its id; "" before
  std::atomic<bool> dropped{false};

  std::mutex mutex;  // guards:
  std::condition_variable changed;
  std::size_t pending = 0;
  std::vector<std::string> etags;
  std::optional<Error> error;

  void fail(Error why) {
    const std::lock_guard lock(mutex);
    if (!error) error = std::move(why);
  }
  bool failed() {
    const std::lock_guard lock(mutex);
    return error.has_value();
  }
  void ended() {
    const std::lock_guard lock(mutex);
    --pending;
    changed.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return pending == 0; });
  }
};

class S3Storage final : public Storage {
 public:
  S3Storage(std::string target, S3Options options, GetService service, std::string run_id, std::uint64_t memory)
      : target_(std::move(target)),
        options_(std::move(options)),
        get_service_(std::move(service)),
        run_id_(std::move(run_id)),
        room_(memory) {}

  // Where a request was repeated, there may be an upload that nobody knows. It is looked for only under the id of outputs that were made here, and only if all of
  // them are through: what is sealed and not published is the ledger's.
  ~S3Storage() override {
    jobs_.wait(0);
    try {
      if (lost_uploads_ && created_ && !gone_ && kept_.empty() && !run_id_.empty()) static_cast<void>(sweep_now(run_id_));
    } catch (const std::exception&) {  // the next run sweeps, or the bucket's own rules
    }
  }
  S3Storage(const S3Storage&) = delete;
  S3Storage& operator=(const S3Storage&) = delete;

  // What a run does at its end is tried at its beginning: an upload is begun, and aborted.
  Result<void> open() override {
    if (opened_) return {};
    if (auto ok = reach(); !ok) return ok;
    const std::string key = key_of(".logmill-" + run_id_);
    bool repeated = false;
    const auto upload = bucket_->create_upload(key, &repeated);
    const auto aborted = upload ? bucket_->abort_upload(key, *upload) : Result<bool>(tl::unexpected(upload.error()));
    if (!aborted) {
      const Errc code = aborted.error().code == Errc::not_found ? Errc::invalid : aborted.error().code;
      return fail(code, fmt::format("{} cannot be written to: {}", target_, aborted.error().what));
    }
    opened_ = true;
    // Another one that nobody knows is of no harm: whoever may not list uploads may write all the same.
    if (repeated) static_cast<void>(abort_all(key, [&](std::string_view open) { return open == key; }));
    return {};
  }

  Result<std::unique_ptr<StorageOutput>> create(std::string_view name) override;

  Result<void> publish(std::string_view text) override {
    auto token = token_of(text);
    if (!token) return tl::unexpected(token.error());
    if (auto ok = reach(); !ok) return ok;
    jobs_.add([this, token = std::move(*token)] {
      // Where the server is gone a thousand others would only wait for it, too: they are as they were, and not published.
      if (gone_) return remember({Errc::io, fmt::format("cannot publish s3://{}/{}: the server did not answer", token.bucket, token.key)});
      const auto ok = bucket_->complete_upload(token.key, token.upload, token.etags, token.size);
      if (ok) return settled(token.upload);
      if (ok.error().code == Errc::io) gone_ = true;
      remember({Errc::io, fmt::format("cannot publish s3://{}/{}: {}", token.bucket, token.key, ok.error().what)});
    });
    return {};
  }

  Result<void> discard(std::string_view text) override {
    auto token = token_of(text);
    if (!token) return tl::unexpected(token.error());
    if (auto ok = reach(); !ok) return ok;
    jobs_.add([this, token = std::move(*token)] {
      const auto there = bucket_->abort_upload(token.key, token.upload);
      // An upload that is not there any more may have become an object.
      const auto ok = there && !*there ? bucket_->remove(token.key) : Result<void>{};
      if (there && ok) return settled(token.upload);
      remember(
          {Errc::io, fmt::format("cannot discard s3://{}/{}: {}", token.bucket, token.key, there ? ok.error().what : there.error().what)});
    });
    return {};
  }

  // What was published before is not to be found as an open upload.
  Result<void> sweep(std::string_view run_id) override {
    if (auto ok = settle(); !ok) return ok;
    if (auto ok = reach(); !ok) return ok;
    return sweep_now(run_id);
  }

  Result<void> settle() override {
    jobs_.wait(0);
    const std::lock_guard lock(mutex_);
    if (error_) return tl::unexpected(*std::exchange(error_, std::nullopt));
    return {};
  }

  void abandon() override {
    jobs_.wait(0);
    for (const auto& [upload, key] : std::exchange(kept_, {})) drop(key, upload);
  }

  Result<void> replace(std::string_view name, const std::function<Result<void>(const Put&)>& write) override;

  Result<std::optional<std::string>> head(std::string_view name, std::size_t bytes) override {
    if (auto ok = reach(); !ok) return tl::unexpected(ok.error());
    const auto download = bucket_->get({key_of(name), {}, 0, 0});
    std::string text(bytes, '\0');
    for (std::size_t at = 0; at < bytes;) {
      const auto n = download->read(std::as_writable_bytes(std::span(text)).subspan(at));
      if (!n && n.error().code == Errc::not_found && at == 0) return std::optional<std::string>();
      if (!n) return fail(n.error().code, fmt::format("s3://{}/{}: {}", bucket_->name(), key_of(name), n.error().what));
      if (*n == 0) text.resize(at);
      at = *n == 0 ? bytes : at + *n;
    }
    return std::optional(std::move(text));
  }

 private:
  friend class S3Output;

  // Connects nothing yet.
  Result<void> reach() {
    const std::lock_guard lock(mutex_);
    if (bucket_) return {};
    auto address = s3::parse_uri(target_);
    if (!address) return fail(Errc::invalid, fmt::format("{}: an S3 address is s3://BUCKET/PREFIX", target_));
    while (address->key.ends_with('/')) address->key.pop_back();
    // Some tools take ".." in a key for a step up, and "//" for "/": none of ours is to stand elsewhere by their reading.
    if (!address->key.empty() && !is_safe_relative(address->key))
      return fail(Errc::invalid,
                  fmt::format("{}: '.', '..', nothing between two '/', and control characters do not make a prefix to write to", target_));
    if (!options_.sse_kms_key_id.empty() && !options_.sse.starts_with("aws:kms"))
      return fail(Errc::invalid, "a KMS key is named, and --s3-sse does not say aws:kms");
    auto service = get_service_();
    if (!service) return tl::unexpected(service.error());
    prefix_ = address->key.empty() ? std::string() : address->key + '/';
    bucket_ = std::make_unique<s3::Bucket>(std::move(*service), std::move(address->bucket));
    return {};
  }

  std::string key_of(std::string_view name) const { return fmt::format("{}{}", prefix_, name); }

  // Tokens come from ledgers, which are files: they lead nowhere but below the target.
  Result<UploadToken> token_of(std::string_view text) {
    if (auto ok = reach(); !ok) return tl::unexpected(ok.error());
    auto token = UploadToken::parse(text);
    if (!token || token->bucket != bucket_->name() || !token->key.starts_with(prefix_) ||
        !is_safe_relative(std::string_view(token->key).substr(prefix_.size())))
      return fail(Errc::invalid, fmt::format("not the token of an output below {}", target_));
    return std::move(*token);
  }

  void remember(Error error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
  }
  void kept(const Sending& sending) {
    const std::lock_guard lock(mutex_);
    kept_.emplace(sending.upload, sending.key);
  }
  void settled(const std::string& upload) {
    const std::lock_guard lock(mutex_);
    kept_.erase(upload);
  }

  void send(const std::shared_ptr<Sending>& to, unsigned number, const std::shared_ptr<Part>& part, const std::string& sha256) {
    if (to->dropped || to->failed()) return;
    {
      const std::lock_guard lock(to->begin_mutex);
      if (to->upload.empty()) {
        bool repeated = false;
        auto upload = bucket_->create_upload(to->key, &repeated);
        if (repeated) lost_uploads_ = true;
        if (!upload) return to->fail(cannot_write(to->key, upload.error()));
        to->upload = std::move(*upload);
      }
    }
    auto etag = bucket_->put_part(to->key, to->upload, number, content_of(part, sha256), [to] { return to->dropped.load(); });
    if (!etag) return to->fail(cannot_write(to->key, etag.error()));
    const std::lock_guard lock(to->mutex);
    to->etags[number - 1] = std::move(*etag);
  }

  Error cannot_write(const std::string& key, const Error& why) const {
    return {why.code == Errc::cancelled ? why.code : Errc::io, fmt::format("cannot write s3://{}/{}: {}", bucket_->name(), key, why.what)};
  }

  // Where it cannot be aborted now, whoever sweeps does it.
  void drop(const std::string& key, const std::string& upload) noexcept {
    try {
      jobs_.add([this, key, upload] {
        if (gone_) return;
        const auto aborted = bucket_->abort_upload(key, upload);
        if (aborted) return;
        lost_uploads_ = true;
        if (aborted.error().code == Errc::io) gone_ = true;
      });
    } catch (const std::exception&) {
      lost_uploads_ = true;
    }
  }

  // Every upload below the target that is open and wanted.
  Result<void> abort_all(const std::string& prefix, const std::function<bool(std::string_view key)>& wanted) {
    aws::UploadPage page;
    do {
      auto next = bucket_->list_uploads(prefix, page);
      if (!next) return fail(Errc::io, fmt::format("cannot list the uploads below {}: {}", target_, next.error().what));
      if (next->truncated && next->next_key == page.next_key && next->next_id == page.next_id)
        return fail(Errc::io, fmt::format("the listing of uploads below {} does not go on", target_));
      page = std::move(*next);
      for (const aws::OpenUpload& open : page.uploads) {
        if (!open.key.starts_with(prefix) || !wanted(open.key)) continue;
        jobs_.add([this, open] {
          if (auto ok = bucket_->abort_upload(open.key, open.id); !ok)
            remember({Errc::io, fmt::format("cannot abort the upload of s3://{}/{}: {}", bucket_->name(), open.key, ok.error().what)});
        });
      }
    } while (page.truncated);
    return settle();
  }
  Result<void> sweep_now(std::string_view run_id) {
    const std::string mark = fmt::format("-{}", run_id);
    return abort_all(prefix_, [&](std::string_view key) { return last_component(key).find(mark) != std::string_view::npos; });
  }

  const std::string target_;
  const S3Options options_;
  const GetService get_service_;
  const std::string run_id_;
  std::string prefix_;  // "" or with '/' at its end
  std::unique_ptr<s3::Bucket> bucket_;
  std::atomic<bool> lost_uploads_{false}, created_{false};
  std::atomic<bool> gone_{false};  // the server does not answer, however often it is asked
  PartRoom room_;
  std::mutex mutex_;  // guards what follows, and how bucket_ comes to be
  std::optional<Error> error_;
  std::map<std::string, std::string> kept_;  // uploads and their keys, until they are published or discarded
  bool opened_ = false;
  Jobs jobs_{[this](Error error) { remember(std::move(error)); }};  // ends first
};

class S3Output final : public StorageOutput {
 public:
  S3Output(S3Storage& storage, std::string key) : storage_(storage), sending_(std::make_shared<Sending>()) {
    sending_->key = std::move(key);
  }
  ~S3Output() override {
    if (kept_) return;
    sending_->dropped = true;  // what is being sent ends with it
    sending_->wait();
    if (sending_->upload.empty()) return;
    storage_.drop(sending_->key, sending_->upload);
  }
  S3Output(const S3Output&) = delete;
  S3Output& operator=(const S3Output&) = delete;

  Result<void> append(Pieces pieces) override {
    for (std::string_view piece : pieces) {
      while (!piece.empty()) {
        if (!part_) part_ = std::make_shared<Part>(storage_.room_);
        const std::string_view some = piece.substr(0, part_bytes(number_) - part_->size());
        if (auto ok = part_->append(some); !ok) return ok;
        hash_.update(some);
        size_ += some.size();
        piece.remove_prefix(some.size());
        if (part_->size() == part_bytes(number_)) {
          if (auto ok = queue(); !ok) return ok;
        }
      }
    }
    return {};
  }

  Result<void> finish() override {
    if (!part_ && number_ > 1) return {};
    if (!part_) part_ = std::make_shared<Part>(storage_.room_);
    return queue();
  }

  Result<std::string> seal() override {
    sending_->wait();
    if (sending_->error) return tl::unexpected(*sending_->error);
    return UploadToken{storage_.bucket_->name(), sending_->key, sending_->upload, size_, sending_->etags}.text();
  }

  void keep() override {
    kept_ = true;
    storage_.kept(*sending_);
  }

  // The whole of it, if no part of it was queued.
  std::shared_ptr<Part> take_small() { return number_ == 1 ? std::exchange(part_, nullptr) : nullptr; }
  std::string hash() { return hash_.take(); }

 private:
  Result<void> queue() {
    if (number_ > kMostParts)
      return fail(Errc::io, fmt::format("s3://{}/{}: more than {} parts", storage_.bucket_->name(), sending_->key, kMostParts));
    {
      const std::lock_guard lock(sending_->mutex);
      if (sending_->error) return tl::unexpected(*sending_->error);
      ++sending_->pending;
      sending_->etags.resize(number_);
    }
    try {
      storage_.jobs_.wait(kWaiting);
      storage_.jobs_.add(
          [&storage = storage_, to = sending_, number = number_, part = std::exchange(part_, nullptr), sha256 = hash_.take()] {
            try {
              storage.send(to, number, part, sha256);
            } catch (const std::exception& e) {
              to->fail({Errc::internal, e.what()});
            }
            to->ended();
          });
    } catch (...) {
      sending_->ended();
      throw;
    }
    ++number_;
    return {};
  }

  S3Storage& storage_;
  std::shared_ptr<Sending> sending_;
  std::shared_ptr<Part> part_;
  unsigned number_ = 1;  // of the part that is being filled
  Sha256 hash_;          // of that part
  std::uint64_t size_ = 0;
  bool kept_ = false;
};

Result<std::unique_ptr<StorageOutput>> S3Storage::create(std::string_view name) {
  if (!is_safe_relative(name)) return fail(Errc::invalid, fmt::format("not the name of an output: {}", name.substr(0, 200)));
  if (auto ok = reach(); !ok) return tl::unexpected(ok.error());
  created_ = true;
  return std::make_unique<S3Output>(*this, key_of(name));
}

// Mostly a request. What is more than a part is an upload, whose key has no run's id: one that a killed run has left is aborted before.
Result<void> S3Storage::replace(std::string_view name, const std::function<Result<void>(const Put&)>& write) {
  if (auto ok = reach(); !ok) return ok;
  const std::string key = key_of(name);
  S3Output output(*this, key);
  Result<void> ok;
  std::uint64_t size = 0;
  auto written = write([&](std::string_view text) {
    if (ok && size < part_bytes(1) && size + text.size() >= part_bytes(1))
      ok = abort_all(key, [&](std::string_view open) { return open == key; });
    if (ok) ok = output.append({&text, 1});
    size += text.size();
  });
  if (!written) return written;
  if (!ok) return ok;
  if (const auto small = output.take_small()) {
    ok = bucket_->put(key, content_of(small, output.hash()));
  } else {
    ok = output.finish();
    const auto sealed = ok ? output.seal() : Result<std::string>(tl::unexpected(ok.error()));
    if (!sealed) return tl::unexpected(sealed.error());
    const auto token = token_of(*sealed);
    if (!token) return tl::unexpected(token.error());
    // What is replaced may have the same size, and must not be taken for what replaces it.
    const auto before = bucket_->head(key);
    ok = bucket_->complete_upload(key, token->upload, token->etags, token->size, before ? before->etag : std::string());
    if (ok) output.keep(), settled(token->upload);
  }
  return ok ? ok : tl::unexpected(cannot_write(key, ok.error()));
}

}  // namespace

std::string UploadToken::text() const {
  std::string out =
      fmt::format("{} {} {} {} {}", kTokenKind, aws::percent_encode(bucket), aws::percent_encode(key), aws::percent_encode(upload), size);
  for (const std::string& etag : etags) out += ' ' + aws::percent_encode(etag);
  return out;
}

std::optional<UploadToken> UploadToken::parse(std::string_view text) {
  std::vector<std::string> words;
  for (;;) {
    const std::size_t space = text.find(' ');
    words.push_back(aws::percent_decode(text.substr(0, space), false));
    if (words.back().empty()) return std::nullopt;
    if (space == std::string_view::npos) break;
    text.remove_prefix(space + 1);
  }
  constexpr std::size_t kBefore = 5;
  if (words.size() <= kBefore || words[0] != kTokenKind) return std::nullopt;
  UploadToken out{words[1], words[2], words[3], 0, {}};
  const auto [end, error] = std::from_chars(words[4].data(), words[4].data() + words[4].size(), out.size);
  if (error != std::errc{} || end != words[4].data() + words[4].size()) return std::nullopt;
  out.etags.assign(words.begin() + kBefore, words.end());
  return out;
}

std::unique_ptr<Storage> make_s3_storage(std::string target, S3Options options, GetService service, std::string run_id,
                                         std::uint64_t memory) {
  return std::make_unique<S3Storage>(std::move(target), std::move(options), std::move(service), std::move(run_id), memory);
}

}  // namespace lm
