#include "object_store/s3.hpp"

#include "object_store/xml.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>

namespace lm::s3 {
namespace {

using store::first_of, store::number, store::shown, store::Then, store::Verdict;

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

bool region_name(std::string_view text) {
  return !text.empty() && text.size() < 64 && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
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

Service::Service(const S3Options& options, std::function<bool()> stop)
    : store::Service(std::move(stop), aws::environment("AWS_CA_BUNDLE")), options_(options), profiles_(aws::Profiles::load()) {}

Result<std::shared_ptr<Service>> Service::make(const S3Options& options, std::function<bool()> stop) {
  auto out = std::shared_ptr<Service>(new Service(options, std::move(stop)));
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
    out->endpoint_ = store::parse_endpoint(endpoint);
    if (!out->endpoint_)
      return fail(Errc::invalid,
                  fmt::format("the S3 endpoint '{}' is no URL: say https://HOST[:PORT], or http:// if that is meant", shown(endpoint)));
  }
  if (const auto attempts = number(aws::environment("AWS_MAX_ATTEMPTS")); attempts && *attempts >= 1)
    out->set_max_attempts(static_cast<unsigned>(std::min<std::uint64_t>(*attempts, 100)));
  if (!options.no_sign) {
    out->chain_ = std::make_unique<aws::CredentialChain>(
        out->http(), out->profiles_, aws::CredentialSettings{name, !options.profile.empty(), out->region_}, out->stop());
  }
  if (out->region_.empty()) out->region_ = "us-east-1";
  return out;
}

Bucket::Bucket(std::shared_ptr<Service> service, std::string name)
    : store::Bucket(service, fmt::format("s3://{}/", name), ""),
      service_(std::move(service)),
      name_(std::move(name)),
      region_(service_->region_) {}

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
  std::string scheme = "https";
  if (service_->endpoint_) {
    scheme = service_->endpoint_->scheme;
    r.host = service_->endpoint_->host;
    r.path = fmt::format("{}/{}/{}", service_->endpoint_->path, name_, call.key);
  } else if (dns_label(name_)) {
    r.host = fmt::format("{}.s3.{}.{}", name_, where, domain_of(where));
    r.path = fmt::format("/{}", call.key);
  } else {
    r.host = fmt::format("s3.{}.{}", where, domain_of(where));
    r.path = fmt::format("/{}/{}", name_, call.key);
  }
  if (service_->options_.requester_pays) r.headers.emplace_back("x-amz-request-payer", "requester");
  if (service_->chain_) {
    const auto credentials = service_->chain_->get();
    if (!credentials) return tl::unexpected(credentials.error());
    access_key = credentials->keys.access_key;
    aws::sign(r, credentials->keys, where, "s3", service_->now());
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

Verdict Bucket::judge(const http::Answer& answer, const std::string& access_key, store::Attempts& attempts) {
  const store::ServiceError said = answer.status == 0 ? store::ServiceError{} : store::parse_error(answer.body);
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
  if (said.code == "RequestTimeTooSkewed" && service_->set_clock(answer, attempts, 0)) return {Then::at_once, {}};
  const bool passes =
      said.code == "RequestTimeout" || said.code == "SlowDown" || said.code == "IncompleteBody" || said.code == "OperationAborted";
  Verdict verdict = service_->judge(answer, said.code, said.message, passes, attempts);
  if (verdict.then != Then::give_up) return verdict;
  std::string& what = verdict.error.what;
  if (said.code == "InvalidObjectState") what = "it is archived and must be restored before it can be read (" + what + ")";
  if (said.code == "SignatureDoesNotMatch") what += " (the secret key does not belong to this access key)";
  if (said.code == "AccessDenied" && !service_->chain_) what += " (the request was not signed)";
  return verdict;
}

Result<store::ListPage> Bucket::list(const store::ListRequest& request) {
  aws::Pairs query{
      {"list-type", "2"}, {"encoding-type", "url"}, {"max-keys", std::to_string(request.max_keys)}, {"prefix", request.prefix}};
  if (!request.delimiter.empty()) query.emplace_back("delimiter", request.delimiter);
  if (!request.continuation.empty()) {
    query.emplace_back("continuation-token", request.continuation);
  } else if (!request.start_after.empty()) {
    query.emplace_back("start-after", request.start_after);
  }
  store::ListPage page;
  const auto answer = ask({"GET", "", query}, [&](const http::Answer& a) -> Result<void> {
    auto read = aws::parse_list(a.body);
    if (!read) return tl::unexpected(read.error());
    page = std::move(*read);
    return {};
  });
  if (!answer) return tl::unexpected(answer.error());
  return page;
}

}  // namespace lm::s3
