#include "object_store/s3.hpp"

#include <curl/curl.h>
#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <thread>

namespace lm::s3 {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kMoment{100};
constexpr std::size_t kMostListing = 16 << 20;  // 1,000 keys of 1,024 bytes, each as %XX, and what stands around them
constexpr std::size_t kMostError = 64 << 10;
constexpr double kBudget = 500;     // attempts that may fail in a burst
constexpr double kPerAnswer = 0.5;  // of one more, for each answer
constexpr milliseconds kFirstDelay{100}, kLongestDelay{20'000};

// What a server says is shown to people: one line, and not a long one.
std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 300)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  return out;
}

bool dns_label(std::string_view name) {
  return name.size() <= 63 && name.front() != '-' && name.back() != '-' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

std::string_view domain_of(std::string_view region) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kDomains{
      {{"cn-", "amazonaws.com.cn"}, {"us-iso-", "c2s.ic.gov"}, {"us-isob-", "sc2s.sgov.gov"}}};
  for (const auto& [prefix, domain] : kDomains) {
    if (region.starts_with(prefix)) return domain;
  }
  return "amazonaws.com";
}

std::string first_of(std::initializer_list<std::string> texts) {
  for (const std::string& text : texts) {
    if (!text.empty()) return text;
  }
  return {};
}

bool region_name(std::string_view text) {
  return !text.empty() && text.size() < 64 && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view without_quotes(std::string_view etag) {
  return etag.size() >= 2 && etag.front() == '"' && etag.back() == '"' ? etag.substr(1, etag.size() - 2) : etag;
}

}  // namespace

std::optional<Address> parse_uri(std::string_view uri) {
  constexpr std::string_view kScheme = "s3://";
  if (!uri.starts_with(kScheme)) return std::nullopt;
  uri.remove_prefix(kScheme.size());
  const std::size_t slash = uri.find('/');
  Address out{std::string(uri.substr(0, slash)), slash == std::string_view::npos ? std::string() : std::string(uri.substr(slash + 1))};
  if (out.bucket.empty() || out.bucket.size() > 255 || out.bucket == "." || out.bucket == ".." ||
      out.bucket.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._") != std::string::npos)
    return std::nullopt;
  return out;
}

std::optional<Endpoint> parse_endpoint(std::string_view url) {
  Endpoint out;
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return std::nullopt;
  out.scheme = url.substr(0, scheme);
  if (out.scheme != "http" && out.scheme != "https") return std::nullopt;
  url.remove_prefix(scheme + 3);
  const std::size_t slash = url.find('/');
  out.host = url.substr(0, slash);
  if (slash != std::string_view::npos) out.path = url.substr(slash);
  while (out.path.ends_with('/')) out.path.pop_back();
  if (out.host.empty() || out.host.find_first_of("@?# \\%") != std::string::npos || out.path.find_first_of("?#") != std::string::npos)
    return std::nullopt;
  // curl leaves the scheme's own port out of the Host that it sends, and so must the signature.
  const std::string_view own = out.scheme == "http" ? ":80" : ":443";
  if (out.host.ends_with(own)) out.host.resize(out.host.size() - own.size());
  return out;
}

Service::Service(const S3Options& options, std::function<bool()> stop, std::string ca_file)
    : options_(options),
      stop_(std::move(stop)),
      http_(std::move(ca_file)),
      profiles_(aws::Profiles::load()),
      random_(std::random_device{}()),
      budget_(kBudget) {}

Result<std::shared_ptr<Service>> Service::make(const S3Options& options, std::function<bool()> stop) {
  auto out = std::shared_ptr<Service>(new Service(options, std::move(stop), aws::environment("AWS_CA_BUNDLE")));
  const std::string name = first_of({options.profile, aws::environment("AWS_PROFILE"), "default"});
  const aws::Profile* const profile = out->profiles_.find(name);
  const auto of_profile = [&](const std::string& key) {
    if (!profile) return std::string();
    const auto found = profile->find(key);
    return found == profile->end() ? std::string() : found->second;
  };
  out->region_ = first_of({options.region, aws::environment("AWS_REGION"), aws::environment("AWS_DEFAULT_REGION"), of_profile("region")});
  if (!out->region_.empty() && !region_name(out->region_))
    return fail(Errc::invalid, fmt::format("'{}' is no name of an AWS region", shown(out->region_)));
  std::string endpoint = options.endpoint;
  if (endpoint.empty() && aws::environment("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") != "true") {
    endpoint = first_of({aws::environment("AWS_ENDPOINT_URL_S3"), aws::environment("AWS_ENDPOINT_URL"),
                         profile ? out->profiles_.service_endpoint(*profile, "s3") : std::string(), of_profile("endpoint_url")});
  }
  if (!endpoint.empty()) {
    out->endpoint_ = parse_endpoint(endpoint);
    if (!out->endpoint_)
      return fail(Errc::invalid,
                  fmt::format("the S3 endpoint '{}' is no URL: say https://HOST[:PORT], or http:// if that is meant", shown(endpoint)));
  }
  if (const auto attempts = number(aws::environment("AWS_MAX_ATTEMPTS")); attempts && *attempts >= 1)
    out->max_attempts_ = static_cast<unsigned>(std::min<std::uint64_t>(*attempts, 100));
  if (!options.no_sign) {
    out->chain_ = std::make_unique<aws::CredentialChain>(out->http_, out->profiles_,
                                                         aws::CredentialSettings{name, !options.profile.empty(), out->region_}, out->stop_);
  }
  if (out->region_.empty()) out->region_ = "us-east-1";
  return out;
}

bool Service::may_try_again() {
  const std::lock_guard lock(mutex_);
  if (budget_ < 1) return false;
  budget_ -= 1;
  return true;
}

void Service::answered() {
  const std::lock_guard lock(mutex_);
  budget_ = std::min(kBudget, budget_ + kPerAnswer);
}

milliseconds Service::delay(unsigned failures) {
  const std::int64_t most = std::min<std::int64_t>(kLongestDelay.count(), kFirstDelay.count() << std::min(failures, 16U));
  const std::lock_guard lock(mutex_);
  return milliseconds(std::uniform_int_distribution<std::int64_t>(0, most)(random_));
}

Bucket::Bucket(std::shared_ptr<Service> service, std::string name)
    : service_(std::move(service)), name_(std::move(name)), region_(service_->region_) {}

std::string Bucket::region() {
  const std::lock_guard lock(mutex_);
  return region_;
}

Result<http::Request> Bucket::prepare(const Call& call, std::string& access_key) {
  const std::string where = region();
  aws::SigningRequest r;
  r.method = call.method;
  r.query = call.query;
  r.headers = call.headers;
  r.body = call.body;
  if (call.content) r.body_sha256 = call.content->sha256;
  const std::string_view key = call.key;
  std::string scheme = "https";
  if (service_->endpoint_) {
    scheme = service_->endpoint_->scheme;
    r.host = service_->endpoint_->host;
    r.path = fmt::format("{}/{}/{}", service_->endpoint_->path, name_, key);
  } else if (dns_label(name_)) {
    r.host = fmt::format("{}.s3.{}.{}", name_, where, domain_of(where));
    r.path = fmt::format("/{}", key);
  } else {
    r.host = fmt::format("s3.{}.{}", where, domain_of(where));
    r.path = fmt::format("/{}/{}", name_, key);
  }
  if (service_->options_.requester_pays) r.headers.emplace_back("x-amz-request-payer", "requester");
  if (service_->chain_) {
    const auto credentials = service_->chain_->get();
    if (!credentials) return tl::unexpected(credentials.error());
    access_key = credentials->keys.access_key;
    aws::sign(r, credentials->keys, where, "s3", std::time(nullptr) + service_->clock_offset_);
  }
  http::Request out;
  out.method = r.method;
  out.url = aws::url_of(scheme, r);
  out.body = std::move(r.body);
  if (call.content) out.upload = call.content->upload;
  out.idle_timeout = call.idle_timeout;
  for (const auto& [header, text] : r.headers) out.headers.push_back(fmt::format("{}: {}", header, text));
  return out;
}

Bucket::Verdict Bucket::judge(const http::Answer& answer, const std::string& access_key, Attempts& attempts) {
  if (answer.status == 0 && service_->stopped()) return {Then::give_up, {Errc::cancelled, "the run was stopped"}};
  const aws::ServiceError said = answer.status == 0 ? aws::ServiceError{} : aws::parse_error(answer.body);
  Error error{Errc::io, answer.status == 0 ? shown(answer.failure)
                                           : shown(fmt::format("{}{}{}{}{}", answer.status, said.code.empty() ? "" : " ", said.code,
                                                               said.message.empty() ? "" : ": ", said.message))};
  if (answer.status >= 300 && answer.status < 500 && attempts.regions < 3) {
    const std::string there = first_of({std::string(answer.header("x-amz-bucket-region")), said.region});
    if (region_name(there) && there != region()) {
      ++attempts.regions;
      const std::lock_guard lock(mutex_);
      region_ = there;
      return {Then::at_once, {}};
    }
  }
  if (said.code == "ExpiredToken" || said.code == "ExpiredTokenException" || said.code == "TokenRefreshRequired") {
    if (service_->chain_ && !std::exchange(attempts.refreshed, true)) {
      service_->chain_->expired(access_key);
      return {Then::at_once, {}};
    }
  }
  if (said.code == "RequestTimeTooSkewed" && !std::exchange(attempts.clock_set, true)) {
    if (const std::time_t there = ::curl_getdate(std::string(answer.header("date")).c_str(), nullptr); there > 0) {
      service_->clock_offset_ = there - std::time(nullptr);
      return {Then::at_once, {}};
    }
  }
  const bool passing = answer.status == 0 ? !answer.hopeless
                                          : answer.status == 429 || answer.status == 500 || answer.status == 502 || answer.status == 503 ||
                                                answer.status == 504 || said.code == "RequestTimeout" || said.code == "SlowDown" ||
                                                said.code == "IncompleteBody" || said.code == "OperationAborted";
  if (passing) {
    if (++attempts.failures >= (attempts.most != 0 ? std::min(attempts.most, service_->max_attempts_) : service_->max_attempts_)) {
      error.what += fmt::format(" ({} attempts)", attempts.failures);
    } else if (!service_->may_try_again()) {
      error.what += " (so much fails that nothing is tried again)";
    } else {
      return {Then::again, {}};
    }
    return {Then::give_up, std::move(error)};
  }
  if (answer.status == 404) error.code = Errc::not_found;
  if (answer.status == 400 || answer.status == 401 || answer.status == 403 || (answer.status == 0 && answer.hopeless))
    error.code = Errc::invalid;
  if (answer.status == 412) error.what = "it was changed since it was listed; another run reads it as it is then";
  if (said.code == "InvalidObjectState") error.what = "it is archived and must be restored before it can be read (" + error.what + ")";
  if (said.code == "SignatureDoesNotMatch") error.what += " (the secret key does not belong to this access key)";
  if (said.code == "AccessDenied" && !service_->chain_) error.what += " (the request was not signed)";
  return {Then::give_up, std::move(error)};
}

Result<aws::ListPage> Bucket::list(const ListRequest& request) {
  aws::Pairs query{
      {"list-type", "2"}, {"encoding-type", "url"}, {"max-keys", std::to_string(request.max_keys)}, {"prefix", request.prefix}};
  if (!request.delimiter.empty()) query.emplace_back("delimiter", request.delimiter);
  if (!request.continuation.empty()) {
    query.emplace_back("continuation-token", request.continuation);
  } else if (!request.start_after.empty()) {
    query.emplace_back("start-after", request.start_after);
  }
  aws::ListPage page;
  const auto answer = ask({"GET", {}, query}, [&](const http::Answer& a) -> Result<void> {
    auto read = aws::parse_list(a.body);
    if (!read) return tl::unexpected(read.error());
    page = std::move(*read);
    return {};
  });
  if (!answer) return tl::unexpected(answer.error());
  return page;
}

Result<Head> Bucket::head(const std::string& key) {
  const auto answer = ask({"HEAD", key}, [](const http::Answer&) -> Result<void> { return {}; });
  if (!answer) return tl::unexpected(answer.error());
  Head out;
  out.etag = without_quotes(answer->header("etag"));
  out.size = number(answer->header("content-length")).value_or(0);
  if (const std::time_t at = ::curl_getdate(std::string(answer->header("last-modified")).c_str(), nullptr); at > 0)
    out.mtime_ms = at * std::int64_t{1000};
  return out;
}

Result<http::Answer> Bucket::ask(const Call& call, const std::function<Result<void>(const http::Answer&)>& read, unsigned* tries) {
  const auto stopped = [&] { return service_->stopped() || (call.stop && call.stop()); };
  Attempts attempts;
  attempts.most = call.most_attempts;
  for (unsigned n = 1;; ++n) {
    if (tries) *tries = n;
    std::string access_key;
    const auto http = prepare(call, access_key);
    if (!http) return tl::unexpected(http.error());
    http::Answer answer = service_->http_.fetch(*http, kMostListing, stopped);
    if (answer.status >= 200 && answer.status < 300) {
      service_->answered();
      const auto good = read(answer);
      if (good) return answer;
      // An error may come with 200, where S3 began to answer before it knew; and an answer that was cut off is asked for again.
      if (const std::string code = aws::parse_error(answer.body).code; !code.empty()) {
        answer.status = code == "NoSuchUpload" ? 404 : 500;
      } else {
        answer = {};
        answer.failure = good.error().what;
      }
    }
    if (answer.status == 0 && stopped()) return fail(Errc::cancelled, "the run was stopped");
    Verdict verdict = judge(answer, access_key, attempts);
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
  aws::Pairs headers;
  if (offset_ != 0) headers.emplace_back("range", fmt::format("bytes={}-", offset_));
  if (!wanted_.etag.empty()) headers.emplace_back("if-match", '"' + wanted_.etag + '"');
  accepted_ = refused_ = false;
  body_.clear();
  skip_ = 0;
  auto request = bucket_.prepare({"GET", wanted_.key, {}, headers}, access_key_);
  if (!request) {
    error_ = request.error();
    state_ = State::failed;
    return;
  }
  transfer_ = bucket_.service_->http_.start(*request);
  state_ = State::running;
}

void Download::judge(const http::Answer& answer) {
  transfer_.reset();
  Bucket::Verdict verdict = bucket_.judge(answer, access_key_, attempts_);
  switch (verdict.then) {
    case Bucket::Then::at_once: state_ = State::idle; return;
    case Bucket::Then::again:
      rest_until_ = Clock::now() + bucket_.service_->delay(attempts_.failures);
      state_ = State::resting;
      return;
    case Bucket::Then::give_up:
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

}  // namespace lm::s3
