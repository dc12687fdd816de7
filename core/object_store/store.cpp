#include "object_store/store.hpp"

#include "object_store/renewed.hpp"
#include "object_store/xml.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <thread>

namespace lm::store {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kMoment{100};
constexpr std::size_t kMostListing = 16 << 20;  // 1,000 keys of 1,024 bytes, each as %XX, and what stands around them
constexpr std::size_t kMostError = 64 << 10;
constexpr double kBudget = 500;     // attempts that may fail in a burst
constexpr double kPerAnswer = 0.5;  // of one more, for each answer
constexpr milliseconds kFirstDelay{100}, kLongestDelay{20'000};

}  // namespace

Service::Service(std::function<bool()> stop, std::string ca_file)
    : stop_(std::move(stop)), http_(std::move(ca_file)), random_(std::random_device{}()), budget_(kBudget) {}

void Service::answered() {
  const std::lock_guard lock(mutex_);
  budget_ = std::min(kBudget, budget_ + kPerAnswer);
}

Verdict Service::judge(const http::Answer& answer, std::string_view code, std::string_view message, bool passes, Attempts& attempts) {
  const int status = answer.status;
  if (status == 0 && stopped()) return {Then::give_up, {Errc::cancelled, "the run was stopped"}};
  Error error{Errc::io,
              status == 0 ? shown(answer.failure)
                          : shown(fmt::format("{}{}{}{}{}", status, code.empty() ? "" : " ", code, message.empty() ? "" : ": ", message))};
  if (status == 0 ? !answer.hopeless : passes || status == 429 || status == 500 || (status >= 502 && status <= 504)) {
    if (++attempts.failures >= (attempts.most != 0 ? std::min(attempts.most, max_attempts_) : max_attempts_)) {
      error.what += fmt::format(" ({} attempts)", attempts.failures);
      return {Then::give_up, std::move(error)};
    }
    const std::lock_guard lock(mutex_);
    if (budget_ < 1) {
      error.what += " (so much fails that nothing is tried again)";
      return {Then::give_up, std::move(error)};
    }
    budget_ -= 1;
    return {Then::again, {}};
  }
  switch (status) {
    case 0:  // hopeless
    case 400:
    case 401:
    case 403: error.code = Errc::invalid; break;
    case 404: error.code = Errc::not_found; break;
    case 412: error = {Errc::changed, "it was changed since it was listed; another run reads it as it is then"}; break;
    default: break;
  }
  return {Then::give_up, std::move(error)};
}

milliseconds Service::delay(unsigned failures) {
  const std::int64_t most = std::min<std::int64_t>(kLongestDelay.count(), kFirstDelay.count() << std::min(failures, 16U));
  const std::lock_guard lock(mutex_);
  return milliseconds(std::uniform_int_distribution<std::int64_t>(0, most)(random_));
}

std::int64_t Service::now() const { return std::time(nullptr) + clock_offset_; }

bool Service::set_clock(const http::Answer& answer, Attempts& attempts, std::int64_t least) {
  const std::int64_t there = http_date_ms(std::string(answer.header("date"))) / 1000;
  if (there == 0 || std::abs(there - now()) < least || std::exchange(attempts.clock_set, true)) return false;
  clock_offset_ = there - std::time(nullptr);
  return true;
}

http::Answer ask_for_credentials(http::Client& client, const http::Request& request, unsigned attempts, const std::function<bool()>& stop,
                                 const std::function<bool(int status)>& passing) {
  constexpr std::size_t kMostAnswer = 256 << 10;
  for (unsigned attempt = 1;; ++attempt) {
    http::Answer answer = client.fetch(request, kMostAnswer, stop);
    const bool again =
        answer.status == 0 ? !answer.hopeless : answer.status == 429 || answer.status >= 500 || (passing && passing(answer.status));
    if (!again || attempt >= attempts) return answer;
    std::this_thread::sleep_for(milliseconds(100U << attempt));
  }
}

Bucket::Bucket(std::shared_ptr<Service> service, std::string base, std::string key_base)
    : service_(std::move(service)), base_(std::move(base)), key_base_(std::move(key_base)) {}

Result<Head> Bucket::head(const std::string& key) {
  const auto answer = ask({"HEAD", key}, [](const http::Answer&) -> Result<void> { return {}; });
  if (!answer) return tl::unexpected(answer.error());
  Head out;
  out.etag = without_quotes(answer->header("etag"));
  out.size = number(answer->header("content-length")).value_or(0);
  out.mtime_ms = http_date_ms(std::string(answer->header("last-modified")));
  out.growing = growing(*answer);
  return out;
}

Result<http::Answer> Bucket::ask(const Call& call, const std::function<Result<void>(const http::Answer&)>& read, unsigned* tries) {
  const auto stopped = [&] { return service_->stopped() || (call.stop && call.stop()); };
  Attempts attempts;
  attempts.most = call.most_attempts;
  for (unsigned n = 1;; ++n) {
    if (tries) *tries = n;
    std::string signer;
    const auto http = prepare(call, signer);
    if (!http) return tl::unexpected(http.error());
    http::Answer answer = service_->http().fetch(*http, kMostListing, stopped);
    if (answer.status >= 200 && answer.status < 300) {
      service_->answered();
      const auto good = read(answer);
      if (good) return answer;
      // An error may come with 200, where S3 began to answer before it knew; and an answer that was cut off is asked for again.
      if (const std::string code = parse_error(answer.body).code; !code.empty()) {
        answer.status = code == "NoSuchUpload" ? 404 : 500;
      } else {
        answer = {};
        answer.failure = good.error().what;
      }
    }
    if (answer.status == 0 && stopped()) return fail(Errc::cancelled, "the run was stopped");
    Verdict verdict = judge(answer, signer, attempts);
    if (verdict.then == Then::give_up) return tl::unexpected(std::move(verdict.error));
    if (verdict.then == Then::at_once) continue;
    const auto until = Clock::now() + service_->delay(attempts.failures);
    while (Clock::now() < until && !stopped())
      std::this_thread::sleep_for(std::min<Clock::duration>(kMoment, std::max<Clock::duration>(until - Clock::now(), milliseconds(0))));
  }
}

std::unique_ptr<Download> Bucket::get(GetRequest request) { return std::make_unique<Download>(*this, std::move(request)); }

Download::Download(Bucket& bucket, GetRequest wanted)
    : bucket_(bucket), wanted_(std::move(wanted)), sized_(wanted_.size != 0), offset_(wanted_.from) {}

void Download::begin() {
  Pairs headers;
  if (offset_ != 0) headers.emplace_back("range", fmt::format("bytes={}-", offset_));
  if (!wanted_.etag.empty()) headers.emplace_back("if-match", '"' + wanted_.etag + '"');
  accepted_ = refused_ = false;
  body_.clear();
  skip_ = 0;
  auto request = bucket_.prepare({"GET", wanted_.key, {}, headers}, signer_);
  if (!request) {
    error_ = request.error();
    state_ = State::failed;
    return;
  }
  transfer_ = bucket_.service_->http().start(*request);
  state_ = State::running;
}

void Download::judge(const http::Answer& answer) {
  transfer_.reset();
  Verdict verdict = bucket_.judge(answer, signer_, attempts_);
  switch (verdict.then) {
    case Then::at_once: state_ = State::idle; return;
    case Then::again:
      rest_until_ = Clock::now() + bucket_.service_->delay(attempts_.failures);
      state_ = State::resting;
      return;
    case Then::give_up:
      error_ = std::move(verdict.error);
      state_ = State::failed;
      return;
  }
}

void Download::again(std::string why) {
  http::Answer none;
  none.failure = std::move(why);
  judge(none);
}

bool Download::accept() {
  accepted_ = true;
  const int status = transfer_->status();
  const auto header = [&](std::string_view name) {
    const auto found = transfer_->headers().find(name);
    return found == transfer_->headers().end() ? std::string_view() : std::string_view(found->second);
  };
  if (status != 200 && status != 206) {
    refused_ = true;
    return true;
  }
  bucket_.service_->answered();
  std::uint64_t begins = 0;
  if (status == 206) {
    // "bytes 10-19/20"
    std::string_view range = header("content-range");
    const std::size_t dash = range.find('-');
    const auto first = range.starts_with("bytes ") && dash != std::string_view::npos ? number(range.substr(6, dash - 6)) : std::nullopt;
    if (!first || *first != offset_) {
      again("the answer is another part of the object than was asked for");
      return false;
    }
    begins = offset_;
  }
  skip_ = offset_ - begins;
  if (wanted_.etag.empty()) wanted_.etag = without_quotes(header("etag"));
  if (const auto length = number(header("content-length"))) {
    if (!sized_) {
      wanted_.size = begins + *length;
      sized_ = true;
    } else if (begins + *length != wanted_.size) {
      again(fmt::format("the answer has {} bytes where the listing says {}", begins + *length, wanted_.size));
      return false;
    }
  }
  return true;
}

bool Download::ready() {
  const auto deadline = Clock::now() + kMoment;
  for (;;) {
    const auto now = Clock::now();
    const auto rest = std::max(std::chrono::duration_cast<milliseconds>(deadline - now), milliseconds(0));
    switch (state_) {
      case State::ended:
      case State::failed: return true;
      case State::idle: begin(); continue;
      case State::resting:
        if (now >= rest_until_) {
          state_ = State::idle;
          continue;
        }
        std::this_thread::sleep_for(std::min<Clock::duration>(rest_until_ - now, rest));
        if (Clock::now() >= deadline) return false;
        continue;
      case State::running: break;
    }
    const auto got = transfer_->wait(rest);
    if (got == http::Transfer::State::waiting) return false;
    if (got == http::Transfer::State::failed) {
      http::Answer none;
      none.failure = transfer_->failure();
      none.hopeless = transfer_->hopeless();
      judge(none);
      continue;
    }
    if (!accepted_ && !accept()) continue;
    std::array<std::byte, 4096> scrap;
    if (got == http::Transfer::State::data) {
      if (!refused_ && skip_ == 0) return true;
      const std::size_t n = transfer_->take(std::span(scrap).first(refused_ ? scrap.size() : std::min<std::uint64_t>(scrap.size(), skip_)));
      if (refused_) {
        body_.append(reinterpret_cast<const char*>(scrap.data()), std::min(n, kMostError - body_.size()));
      } else {
        skip_ -= n;
      }
      continue;
    }
    if (refused_) {
      http::Answer answer;
      answer.status = transfer_->status();
      answer.headers = transfer_->headers();
      answer.body = std::move(body_);
      if (answer.status == 0) answer.failure = "the answer is no HTTP";
      judge(answer);
    } else if (sized_ && offset_ < wanted_.size) {
      again(fmt::format("the answer ends after {} of {} bytes", offset_, wanted_.size));
    } else {
      transfer_.reset();
      state_ = State::ended;
    }
  }
}

Result<std::size_t> Download::read(std::span<std::byte> out) {
  while (!ready()) {
    if (bucket_.service_->stopped()) return fail(Errc::cancelled, "the run was stopped");
  }
  if (state_ == State::failed) return tl::unexpected(error_);
  if (state_ == State::ended || out.empty()) return 0;
  const std::size_t n = transfer_->take(out);
  if (sized_ && n > wanted_.size - offset_)
    return fail(Errc::io, fmt::format("the answer is longer than the {} bytes of the object", wanted_.size));
  offset_ += n;
  attempts_ = {};  // it goes on: what failed before is over
  return n;
}

}  // namespace lm::store
