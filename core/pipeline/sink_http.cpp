#include "pipeline/sink_http.hpp"

#include "object_store/credentials.hpp"
#include "object_store/http.hpp"
#include "object_store/sigv4.hpp"
#include "plugin_host/plugin_host.hpp"

#include <logmill/sdk/error.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>
#include <memory>
#include <new>
#include <optional>

namespace lm {
namespace {

using detail::tell;

constexpr std::chrono::seconds kPatienceOfStops{10};

struct SinkClient {
  SinkClient(std::string ca_file, std::string_view service) : http(std::move(ca_file)), aws_service(service) {}
  http::Client http;
  std::string aws_service, aws_region;
  aws::Profiles profiles;
  std::unique_ptr<aws::CredentialChain> chain;
};

SinkClient& client_of(lm_http_client* client) { return *reinterpret_cast<SinkClient*>(client); }

template <class Call>
lm_status guarded_http(lm_error* error, Call&& call) noexcept {
  try {
    const Result<void> done = call();
    if (done) return LM_OK;
    const Errc code = done.error().code;
    return tell(error, code == Errc::invalid || code == Errc::not_found ? LM_INVALID : LM_IO, done.error().what);
  } catch (const std::bad_alloc&) {
    return tell(error, LM_NO_MEMORY, "out of memory");
  } catch (const std::exception& e) {
    return tell(error, LM_INTERNAL, e.what());
  }
}

lm_status open_http(void*, const lm_http_settings* settings, lm_http_client** out, lm_error* error) {
  return guarded_http(error, [&]() -> Result<void> {
    const bool signs = settings->aws_service.size != 0;
    std::string ca(view(settings->ca_file));
    if (ca.empty() && signs) ca = aws::environment("AWS_CA_BUNDLE");
    auto client = std::make_unique<SinkClient>(std::move(ca), view(settings->aws_service));
    if (signs) {
      client->profiles = aws::Profiles::load();
      const std::string name = store::first_of({aws::environment("AWS_PROFILE"), "default"});
      const aws::Profile* const profile = client->profiles.find(name);
      const auto of_profile = profile ? profile->find("region") : aws::Profile::const_iterator();
      client->aws_region =
          store::first_of({std::string(view(settings->aws_region)), aws::environment("AWS_REGION"), aws::environment("AWS_DEFAULT_REGION"),
                           profile && of_profile != profile->end() ? of_profile->second : std::string()});
      if (client->aws_region.empty()) return fail(Errc::invalid, "no AWS region is known to sign for: set AWS_REGION");
      client->chain = std::make_unique<aws::CredentialChain>(client->http, client->profiles,
                                                             aws::CredentialSettings{name, false, client->aws_region}, nullptr);
    }
    *out = reinterpret_cast<lm_http_client*>(client.release());
    return {};
  });
}

Result<void> sign_for(SinkClient& client, const lm_http_request& from, http::Request& to) {
  const auto keys = client.chain->get();
  if (!keys) return tl::unexpected(keys.error());
  const std::size_t question = to.url.find('?');
  const auto address = store::parse_endpoint(std::string_view(to.url).substr(0, question));
  if (!address) return fail(Errc::invalid, "an address that cannot be signed");
  aws::SigningRequest signing;
  signing.method = to.method, signing.host = address->host;
  signing.path = store::percent_decode(address->path.empty() ? "/" : address->path, false);
  for (std::string_view rest = question == std::string::npos ? std::string_view() : std::string_view(to.url).substr(question + 1);
       !rest.empty();) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    const std::size_t equals = pair.find('=');
    signing.query.emplace_back(store::percent_decode(pair.substr(0, equals), false),
                               equals == std::string_view::npos ? "" : store::percent_decode(pair.substr(equals + 1), false));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
  }
  signing.body_sha256 = aws::sha256_hex(view(from.body));
  aws::sign(signing, keys->keys, client.aws_region, client.aws_service, std::time(nullptr));
  to.url = aws::url_of(address->scheme, signing);
  for (const auto& [name, value] : signing.headers) to.headers.push_back(fmt::format("{}: {}", name, value));
  return {};
}

lm_status send_http(void* self, lm_http_client* handle, const lm_http_request* from, void* ctx, void (*take)(void*, const lm_http_answer*),
                    lm_error* error) {
  return guarded_http(error, [&]() -> Result<void> {
    SinkClient& client = client_of(handle);
    http::Request request;
    request.method = view(from->method), request.url = view(from->url);
    for (std::uint64_t i = 0; i < from->n_headers; ++i) request.headers.emplace_back(view(from->headers[i]));
    if (from->idle_seconds != 0) request.idle_timeout = std::chrono::seconds(from->idle_seconds);
    if (client.chain) {
      if (auto ok = sign_for(client, *from, request); !ok) return ok;
    }
    // Read where it stands, and not copied.
    if (const std::string_view body = view(from->body); !body.empty()) {
      request.upload = http::Upload{body.size(), [body](std::uint64_t at, std::span<char> out) {
                                      const std::string_view rest = body.substr(std::min<std::uint64_t>(at, body.size()));
                                      const std::size_t n = std::min(rest.size(), out.size());
                                      std::memcpy(out.data(), rest.data(), n);
                                      return n;
                                    }};
    }
    // What a server works at is waited for a while, for then it is done.
    const auto& cancelled = *static_cast<const std::atomic<bool>*>(self);
    std::optional<std::chrono::steady_clock::time_point> since;
    const auto stop = [&] {
      if (!cancelled.load(std::memory_order_relaxed)) return false;
      const auto now = std::chrono::steady_clock::now();
      if (!since) since = now;
      return now - *since >= kPatienceOfStops;
    };
    const http::Answer got = client.http.fetch(request, static_cast<std::size_t>(from->most), stop);
    const lm_http_answer answer{sizeof(lm_http_answer), got.failure.empty() ? got.status : 0, got.hopeless ? 1u : 0u, 0, str(got.body),
                                str(got.failure),       str(got.header("retry-after"))};
    take(ctx, &answer);
    return {};
  });
}

void close_http(void*, lm_http_client* client) { delete &client_of(client); }

std::uint32_t stopping(void* self) { return static_cast<const std::atomic<bool>*>(self)->load(std::memory_order_relaxed) ? 1 : 0; }

}  // namespace

SinkHttp::SinkHttp(const std::atomic<bool>& cancelled)
    // The flag is only read: the C border has no const for what `self` is.
    : face_{sizeof(lm_http), 0, const_cast<std::atomic<bool>*>(&cancelled), open_http, send_http, close_http, stopping} {}

}  // namespace lm
