#include "elastic/sender.hpp"

#include "common/sink_glue.hpp"

#include <zlib.h>
#include <zstd.h>
#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <numeric>
#include <random>

namespace lm::sink {
namespace {

constexpr std::size_t kSmallestRequest = std::size_t{16} << 10;
constexpr std::chrono::milliseconds kFirstPause{200}, kLongestPause{30'000};
constexpr std::chrono::milliseconds kPatienceOfStops{5'000}, kLook{200};

struct FreeDeflate {
  void operator()(z_stream* stream) const {
    deflateEnd(stream);
    delete stream;
  }
};
struct FreeZstd {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

std::string seconds_text(std::chrono::seconds seconds) { return std::to_string(seconds.count()) + " s"; }

// Whether the same request may go better another time.
bool may_pass(int status) { return status == 429 || status == 408 || status >= 500; }

}  // namespace

struct Sender::Worker {
  std::unique_ptr<z_stream, FreeDeflate> gzip;
  std::unique_ptr<ZSTD_CCtx, FreeZstd> zstd;
  std::string body, compressed;
  std::minstd_rand random{std::random_device{}()};

  Result<std::string_view> encode(Encoding encoding, std::string_view text) {
    switch (encoding) {
      case Encoding::none: return text;
      case Encoding::gzip: return run_gzip(text);
      case Encoding::zstd: return run_zstd(text);
    }
    return text;
  }

 private:
  Result<std::string_view> run_gzip(std::string_view text) {
    constexpr int kGzip = 15 + 16, kLevel = 1;
    if (!gzip) {
      auto fresh = std::make_unique<z_stream>();
      if (deflateInit2(fresh.get(), kLevel, Z_DEFLATED, kGzip, 9, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
      gzip.reset(fresh.release());
    }
    deflateReset(gzip.get());
    compressed.resize(deflateBound(gzip.get(), text.size()));
    gzip->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    gzip->avail_in = static_cast<uInt>(text.size());
    gzip->next_out = reinterpret_cast<Bytef*>(compressed.data());
    gzip->avail_out = static_cast<uInt>(compressed.size());
    if (deflate(gzip.get(), Z_FINISH) != Z_STREAM_END) return fail(LM_INTERNAL, "gzip: a request could not be compressed");
    return std::string_view(compressed).substr(0, compressed.size() - gzip->avail_out);
  }
  Result<std::string_view> run_zstd(std::string_view text) {
    if (!zstd) zstd.reset(ZSTD_createCCtx());
    if (!zstd) throw std::bad_alloc();
    compressed.resize(ZSTD_compressBound(text.size()));
    const std::size_t size = ZSTD_compressCCtx(zstd.get(), compressed.data(), compressed.size(), text.data(), text.size(), 1);
    if (ZSTD_isError(size)) return fail(LM_INTERNAL, std::string("zstd: ") + ZSTD_getErrorName(size));
    return std::string_view(compressed).substr(0, size);
  }
};

Sender::Sender(const Client& client, SenderSettings settings, PathOf path_of, Refuse refuse)
    : client_(client),
      settings_(settings),
      path_of_(std::move(path_of)),
      refuse_(std::move(refuse)),
      size_(settings.request_bytes),
      most_(settings.request_bytes) {
  for (unsigned i = 0; i < settings_.in_flight; ++i) threads_.emplace_back([this] { run(); });
}

Sender::~Sender() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Result<void> Sender::check() {
  if (!failed_.load(std::memory_order_acquire)) return {};
  const std::lock_guard lock(mutex_);
  return tl::make_unexpected(error_);
}

void Sender::fail_with(Error error) {
  {
    const std::lock_guard lock(mutex_);
    if (failed_.load(std::memory_order_relaxed)) return;
    error_ = std::move(error);
    failed_.store(true, std::memory_order_release);
  }
  changed_.notify_all();
}

Result<void> Sender::put(Chunk chunk) {
  if (chunk.items() == 0) return {};
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return failed_ || waiting_bytes_ == 0 || waiting_bytes_ + chunk.held() <= settings_.queue_bytes; });
    if (failed_) return tl::make_unexpected(error_);
    waiting_bytes_ += chunk.held();
    queue_.push_back(std::move(chunk));
  }
  changed_.notify_all();
  return {};
}

Result<void> Sender::drain() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failed_ || (queue_.empty() && busy_ == 0); });
  if (failed_) return tl::make_unexpected(error_);
  return {};
}

void Sender::run() {
  Worker worker;
  for (;;) {
    Chunk chunk;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stop_ || failed_ || !queue_.empty(); });
      if (stop_ || failed_) return;
      chunk = std::move(queue_.front());
      queue_.pop_front();
      ++busy_;
    }
    const std::size_t held = chunk.held();
    try {
      if (auto ok = deliver(worker, chunk); !ok) fail_with(ok.error());
    } catch (const std::bad_alloc&) {
      fail_with({LM_NO_MEMORY, "out of memory", {}, 0});
    } catch (const std::exception& e) {
      fail_with({LM_INTERNAL, e.what(), {}, 0});
    }
    {
      const std::lock_guard lock(mutex_);
      --busy_, waiting_bytes_ -= held;
    }
    changed_.notify_all();
  }
}

void Sender::shrink(std::size_t sent) {
  std::size_t now = size_.load();
  while (!size_.compare_exchange_weak(now, std::max(kSmallestRequest, std::min(now, sent) / 2))) {}
}

void Sender::grow() {
  std::size_t now = size_.load();
  const std::size_t most = most_.load();
  while (now < most && !size_.compare_exchange_weak(now, std::min(most, now + now / 8))) {}
}

Result<void> Sender::pause(Worker& worker, unsigned attempt, std::uint32_t asked, Clock::time_point since, const std::string& why) {
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - since);
  if (waited >= settings_.patience)
    return fail(LM_IO, "the cluster has taken nothing for " + seconds_text(settings_.patience) + " (retry_time): " + why);
  auto wait = std::min(kLongestPause, kFirstPause * (1 << std::min(attempt, 8u)));
  wait -= wait * (worker.random() % 1000) / 2000;  // so that those who were sent away together do not come back together
  wait = std::max<std::chrono::milliseconds>(wait, std::chrono::seconds(std::min<std::uint32_t>(asked, 60)));
  wait = std::min<std::chrono::milliseconds>(wait, settings_.patience - waited + std::chrono::milliseconds(1));
  std::unique_lock lock(mutex_);
  if (attempt >= 2 && !std::exchange(warned_, true))
    log(LogLevel::warning,
        client_.url() + " does not take all rows; they are sent again for " + seconds_text(settings_.patience) + ": " + why);
  // A run that is being stopped does not wait for a cluster that is away: what is not there yet is sent by the next run.
  const auto until = Clock::now() + wait;
  while (!stop_ && !failed_ && Clock::now() < until) {
    if (client_.stopping() && Clock::now() - since >= kPatienceOfStops)
      return fail(LM_CANCELLED, "the run was stopped while the cluster took nothing: " + why);
    changed_.wait_until(lock, std::min(until, Clock::now() + kLook));
  }
  if (stop_) return fail(LM_CANCELLED, "the run was stopped");
  if (failed_) return tl::make_unexpected(error_);
  return {};
}

Result<void> Sender::deliver(Worker& worker, const Chunk& chunk) {
  constexpr std::string_view kEncodings[] = {"", "gzip", "zstd"};
  const std::string path = path_of_(chunk.stream());
  std::vector<std::uint32_t> left(chunk.items());
  std::iota(left.begin(), left.end(), 0u);
  unsigned attempt = 0;
  auto since = Clock::now();  // something was done, or the first request
  while (!left.empty()) {
    std::size_t n = 0, bytes = 0;
    const std::size_t limit = size_.load();
    while (n < left.size() && (n == 0 || bytes + chunk.bytes(left[n]) <= limit)) bytes += chunk.bytes(left[n++]);
    const auto body = worker.encode(settings_.encoding, chunk.body(left, n, worker.body));
    if (!body) return tl::make_unexpected(body.error());
    const auto reply = client_.send("POST", path, *body, kEncodings[static_cast<std::size_t>(settings_.encoding)]);
    if (!reply) return tl::make_unexpected(reply.error());

    const std::string about = std::to_string(n) + " rows to " + path.substr(0, path.find('?'));
    if (reply->status == 413) {
      if (n == 1) {
        refuse_(chunk, left[0], "413: the server takes no request of " + std::to_string(bytes) + " bytes");
        left.erase(left.begin());
        since = Clock::now();
        continue;
      }
      std::size_t most = most_.load();
      while (bytes / 2 < most && !most_.compare_exchange_weak(most, std::max<std::size_t>(1, bytes / 2))) {}
      std::size_t now = size_.load();
      while (bytes / 2 < now && !size_.compare_exchange_weak(now, std::max<std::size_t>(1, bytes / 2))) {}
      continue;
    }
    std::optional<std::vector<ItemAnswer>> answers;
    std::string why;
    if (reply->status == 0) {
      why = about + ": " + one_line(reply->failure);
      if (reply->hopeless) return fail(LM_IO, why);
    } else if (reply->status == 200 || reply->status == 201) {
      answers = parse_bulk_answer(reply->body, n);
      if (!answers) why = about + ": the answer is not whole";
    } else {
      why = about + ": status " + std::to_string(reply->status) + ": " + reason_of(reply->body);
      if (!may_pass(reply->status)) return fail(LM_IO, why);
      shrink(bytes);
    }
    if (!answers) {
      if (auto ok = pause(worker, attempt++, reply->retry_after, since, why); !ok) return ok;
      continue;
    }

    std::vector<std::uint32_t> again;
    for (std::size_t i = 0; i < n; ++i) {
      const ItemAnswer& answer = (*answers)[i];
      if (answer.status < 300 || answer.status == 409) continue;
      if (may_pass(answer.status)) {
        if (again.empty()) why = "status " + std::to_string(answer.status) + " for a row: " + answer.why;
        again.push_back(left[i]);
      } else if (answer.status == 400 || answer.status == 413) {
        refuse_(chunk, left[i], answer.why.empty() ? "status " + std::to_string(answer.status) : answer.why);
      } else {
        // Of the index, and not of the row: it is closed, read-only, or not to be written to by this user.
        return fail(LM_IO, about + ": status " + std::to_string(answer.status) + ": " + answer.why);
      }
    }
    const bool moved = again.size() < n, all = again.empty();
    again.insert(again.end(), left.begin() + static_cast<std::ptrdiff_t>(n), left.end());
    left = std::move(again);
    if (moved) attempt = 0, since = Clock::now();
    if (all) {
      grow();
      continue;
    }
    shrink(bytes);
    if (auto ok = pause(worker, attempt++, reply->retry_after, since, why); !ok) return ok;
  }
  return {};
}

}  // namespace lm::sink
