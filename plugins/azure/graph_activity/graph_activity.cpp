// Microsoft Graph activity logs: every request that the tenant's Graph answered.
// Source: Microsoft, "Access Microsoft Graph activity logs"; Azure Monitor tables MicrosoftGraphActivityLogs and AADGraphActivityLogs.
//
// One pass reads a record into views (Request). A member is the same one in any case, in `properties` or in a row of Log Analytics; what has no place in OCSF goes to `unmapped`
// where it stood.
#include <logmill/sdk.hpp>
#include <logmill/sdk/azure.hpp>
#include <logmill/sdk/fields.hpp>
#include <logmill/sdk/http.hpp>

namespace ocsf = lm::ocsf::v1_8;
namespace azure = lm::azure;

namespace {

using lm::Text;
using lm::azure::Named;
using lm::json::Field;
using lm::json::Value;

constexpr auto kApi = lm::table(ocsf::api_activity, lm::profiles("cloud"),
                                azure::kEvery + lm::columns({lm::constant("metadata.product.name", "Microsoft Graph"),
                                                             {"activity_name"},
                                                             {"status_id"},
                                                             {"status_code"},
                                                             {"status_detail"},
                                                             {"api.operation"},
                                                             {"api.version"},
                                                             {"api.service.name"},
                                                             lm::same("api.request.uid", "metadata.original_event_uid"),
                                                             {"api.response.code"},
                                                             lm::same("http_response.code", "api.response.code"),
                                                             {"http_response.length"},
                                                             {"http_request.http_method"},
                                                             lm::plain("http_request.uid"),
                                                             {"http_request.user_agent"},
                                                             lm::plain("http_request.url.url_string"),
                                                             {"http_request.url.hostname"},
                                                             {"http_request.url.path"},
                                                             lm::plain("http_request.url.query_string"),
                                                             {"actor.user.uid"},
                                                             {"actor.user.type_id"},
                                                             {"actor.app_uid"},
                                                             {"actor.app_name"},
                                                             {"actor.idp.issuer"},
                                                             {"actor.session.uid"},
                                                             {"actor.session.uid_alt"},
                                                             {"actor.session.created_time"},
                                                             {"src_endpoint.ip"},
                                                             {"src_endpoint.port"},
                                                             {"src_endpoint.uid"},
                                                             {"src_endpoint.svc_name"},
                                                             {"src_endpoint.intermediate_ips[]"}}));

using ApiRow = lm::Row<kApi>;

constexpr bool is_graph(std::string_view category) { return azure::ends_ignoring_case(category, "GraphActivityLogs"); }

struct Request {
  Named at, tenant, location, address, principal, issued, method, uri;
  Text id, client_id, version, agent, app, user, issuer, session, sign_in, device;
  Text outer_duration, duration;  // as they stand
  lm::Maybe<std::int64_t> code, size;
  std::string_view duration_key, size_key;
};

// "https://host/a?b\u0026c": some characters stand as JSON escapes still, once too often. What is none stays.
std::string_view unescaped(std::string_view text, std::string& scratch) {
  std::size_t at = text.find("\\u00");
  if (at == std::string_view::npos) return text;
  scratch.clear();
  std::size_t clean = 0;
  for (; at != std::string_view::npos; at = text.find("\\u00", at + 1)) {
    if (at < clean || at + 6 > text.size()) continue;
    const int high = lm::http::detail::hex_digit(text[at + 4]), low = lm::http::detail::hex_digit(text[at + 5]);
    const int c = high * 16 + low;
    if (high < 0 || low < 0 || c < 0x20 || c > 0x7e) continue;
    scratch.append(text.substr(clean, at - clean)).push_back(static_cast<char>(c));
    clean = at + 6;
  }
  scratch.append(text.substr(clean));
  return scratch;
}

int activity_id(std::string_view method, std::string_view path) {
  static constexpr auto kMethods = lm::keys("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE");
  switch (kMethods.find(method)) {
    case kMethods.at("GET"):
    case kMethods.at("HEAD"): return 2;
    case kMethods.at("POST"): return path.ends_with("/$batch") ? 99 : 1;  // a batch hides what is asked for
    case kMethods.at("PUT"):
    case kMethods.at("PATCH"): return 3;
    case kMethods.at("DELETE"): return 4;
    default: return 99;
  }
}

}  // namespace

struct GraphActivity {
  static constexpr lm::Descriptor descriptor{.id = "azure.graph_activity",
                                             .title = "Microsoft Graph activity logs",
                                             .vendor = "Microsoft",
                                             .version = "1.0.0",
                                             .reads = "Requests as resource logs (JSON lines, records) or rows of Log Analytics",
                                             .framing = lm::Framing::json,
                                             .envelope = "records"};

  static constexpr auto keys = lm::strings("insights-logs-microsoftgraphactivitylogs/**", "insights-logs-aadgraphactivitylogs/**",
                                           "am-microsoftgraphactivitylogs/**", "am-aadgraphactivitylogs/**");

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "records");
    for (const std::string_view name : {"category", "Category", "CATEGORY", "Type", "type"}) {
      if (const Text category = outline.record_text(name); category && is_graph(*category)) return outline.clean() ? 95 : 85;
    }
    return 0;
  }

  void parse(lm::Record record, lm::Rows<kApi>& rows) {
    Request e;
    nested_ = foreign_ = false;
    envelope_.clear(), inner_.clear();
    rest_.clear(), properties_rest_.clear();
    const bool read = json_.read(record.text(), [&](std::string_view key, Value& value) {
      if (foreign_) return;
      const Field f{rest_, key, value};
      if (lm::equals_ignoring_case(key, "properties")) {
        nested_ = true;
        return azure::object(f, inner_, properties_rest_, [&](const Field& m) { member(record, e, m, e.duration); });
      }
      if (!lm::equals_ignoring_case(key, "durationMs") && envelope_.take(f)) {
        const Text what = envelope_.category ? envelope_.category : envelope_.table;
        foreign_ = what && !is_graph(*what);
        return;
      }
      member(record, e, f, e.outer_duration);
    });
    if (!read && !foreign_) return record.reject(json_);
    const Text category = envelope_.category ? envelope_.category : envelope_.table;
    if (foreign_ || !category) return record.reject(lm::foreign, "'category' is not MicrosoftGraphActivityLogs");
    const azure::Times times(e.at.value, envelope_.time);
    if (!times.event) return record.reject(lm::malformed, "neither 'timeGenerated' nor 'time' is a time");
    envelope_.finish(rest_);

    auto row = rows.begin(record);
    times.set(row);
    if (times.own_unread) e.at.keep(own());
    if (times.envelope_unread) envelope_.keep(rest_, envelope_.is_row() ? "TimeGenerated" : "time", envelope_.time);
    row.set<"severity_id">(1);
    envelope_.set(row, category);
    if (envelope_.category && envelope_.table && !lm::equals_ignoring_case(*envelope_.category, *envelope_.table))
      envelope_.keep(rest_, "Type", envelope_.table);
    e.tenant.keep_unless(own(), envelope_.tenant());
    envelope_.keep(rest_, "identity", envelope_.identity);
    envelope_.keep(rest_, "resourceId", envelope_.other_resource);
    envelope_.keep_resource(rest_);
    row.set<"api.service.name">(azure::contains_ignoring_case(*category, "AADGraph") ? "Azure AD Graph" : "Microsoft Graph");
    row.set<"api.version">(e.version);
    row.set<"metadata.original_event_uid">(e.id);
    row.set<"http_request.uid">(e.client_id);
    row.set<"http_request.user_agent">(e.agent);
    request(row, e);
    response(row, e);
    actor(row, e);
    source(row, e);

    // Not a duration: Microsoft calls it milliseconds, and writes something finer.
    if (e.duration) own().add(e.duration_key, *e.duration);
    if (e.outer_duration && e.outer_duration != e.duration) rest_.add(e.duration_key, *e.outer_duration);
    e.location.keep(own());
    if (envelope_.location != e.location.value) envelope_.keep(rest_, "location", envelope_.location);
    Field::close(rest_, "properties", properties_rest_);
    if (const auto rest = rest_.finish(); !rest.empty()) row.set<"unmapped">(rest);
  }

 private:
  lm::json::ObjectWriter& own() { return nested_ ? properties_rest_ : rest_; }

  void member(lm::Record record, Request& e, const Field& f, Text& duration) {
    static constexpr auto kKeys =
        azure::keys("timeGenerated", "requestId", "clientRequestId", "apiVersion", "requestMethod", "requestUri", "responseStatusCode",
                    "responseSizeBytes", "durationMs", "location", "ipAddress", "userAgent", "appId", "userId", "servicePrincipalId",
                    "identityProvider", "scopes", "roles", "signInActivityId", "tokenIssuedAt", "tenantId", "C_DeviceId", "deviceId",
                    "c_Sid", "sessionId", "operationId",
                    // Known, and without a place.
                    "clientAuthMethod", "wids", "atContent", "atContentH", "atContentP", "tokenId", "issuedAt", "callerIpAddress");
    switch (kKeys.find(azure::column(f.key))) {
      case kKeys.at("timeGenerated"): e.at.read_scalar(f); break;
      case kKeys.at("requestId"): azure::text(f, e.id); break;
      case kKeys.at("clientRequestId"): azure::text(f, e.client_id); break;
      case kKeys.at("apiVersion"): azure::text(f, e.version); break;
      case kKeys.at("requestMethod"): e.method.read(f); break;
      case kKeys.at("requestUri"): e.uri.read(f); break;
      case kKeys.at("responseStatusCode"): f.integer(e.code, 0, INT32_MAX); break;
      case kKeys.at("responseSizeBytes"): f.integer(e.size, 0, INT32_MAX), e.size_key = f.key; break;
      case kKeys.at("durationMs"): f.json(duration), e.duration_key = f.key; break;
      case kKeys.at("location"): e.location.read(f); break;
      case kKeys.at("ipAddress"): e.address.read(f); break;
      case kKeys.at("userAgent"): azure::text(f, e.agent); break;
      case kKeys.at("appId"): azure::text(f, e.app); break;
      case kKeys.at("userId"): azure::text(f, e.user); break;
      case kKeys.at("servicePrincipalId"): e.principal.read(f); break;
      case kKeys.at("identityProvider"): azure::text(f, e.issuer); break;
      case kKeys.at("scopes"):
      case kKeys.at("roles"): words(f); break;
      case kKeys.at("signInActivityId"): azure::text(f, e.sign_in); break;
      case kKeys.at("tokenIssuedAt"): e.issued.read_scalar(f); break;
      case kKeys.at("tenantId"): e.tenant.read(f); break;
      case kKeys.at("C_DeviceId"):
      case kKeys.at("deviceId"): azure::text(f, e.device); break;
      case kKeys.at("c_Sid"):
      case kKeys.at("sessionId"): azure::text(f, e.session); break;
      case -1:
        record.drift(f.key);
        f.keep();
        break;
      default: f.keep();
    }
  }

  // "Device.Read.All User.Read" -> ["Device.Read.All", "User.Read"]
  void words(const Field& f) {
    const Text text = f.value.text();
    if (!text) return f.keep();
    scratch_.assign("[");
    for (std::string_view rest = *text; !rest.empty();) {
      const std::string_view word = lm::before(rest, ' ');
      if (lm::present(word)) {
        if (scratch_.size() > 1) scratch_.push_back(',');
        lm::json::append_quoted(scratch_, word);
      }
      rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    }
    scratch_.push_back(']');
    if (scratch_.size() > 2) f.rest.add(f.key, scratch_);
  }

  void request(ApiRow& row, const Request& e) {
    method_.assign(e.method.value.value_or(""));
    for (char& c : method_) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    std::string_view path;
    if (e.uri.value) {
      const std::string_view uri = unescaped(*e.uri.value, scratch_);
      row.set<"http_request.url.url_string">(uri);
      const lm::http::Url url = lm::http::url(uri);
      row.set<"http_request.url.hostname">(url.hostname);
      row.set<"http_request.url.path">(url.path);
      row.set<"http_request.url.query_string">(url.query_string);
      path = url.path.value_or("");
    }
    if (!method_.empty()) row.set<"http_request.http_method">(std::string_view(method_));
    operation_.assign(method_);
    if (!operation_.empty() && !path.empty()) operation_.push_back(' ');
    for (std::size_t i = 0; i < path.size(); ++i) {
      if (path[i] != '/' || i == 0 || path[i - 1] != '/') operation_.push_back(path[i]);  // clients write two where one is meant
    }
    row.set<"api.operation">(operation_.empty() ? std::string_view("unknown") : std::string_view(operation_));
    const int activity = method_.empty() ? 0 : activity_id(method_, path);
    row.set<"activity_id">(activity);
    if (activity == 99) row.set<"activity_name">(path.ends_with("/$batch") ? std::string_view("$batch") : std::string_view(method_));
  }

  void response(ApiRow& row, Request& e) {
    const Text signature = envelope_.result_signature;
    if (!e.code && signature) {
      if (const auto code = lm::integer(*signature); code && *code >= 0 && *code <= INT32_MAX) e.code = code;
    }
    const auto end = std::to_chars(digits_.data(), digits_.data() + digits_.size(), e.code.value_or(0)).ptr;
    const std::string_view digits(digits_.data(), static_cast<std::size_t>(end - digits_.data()));
    row.set<"status_id">(e.code && *e.code >= 200 && *e.code < 600 ? (*e.code < 400 ? 1 : 2) : 0);
    row.set<"api.response.code">(e.code);
    if (e.code) {
      row.set<"status_code">(digits);
      row.set<"http_response.length">(e.size);
    } else if (e.size) {
      lm::json::add_number(own(), e.size_key, *e.size);
    }
    if (!e.code || signature != Text(digits)) envelope_.keep(rest_, "resultSignature", signature);
    envelope_.keep(rest_, "resultType", envelope_.result_type);
    row.set<"status_detail">(envelope_.result_description);
  }

  void actor(ApiRow& row, const Request& e) {
    bool there = false;
    if (e.user) {
      there = row.set<"actor.user.uid">(e.user);
      row.set<"actor.user.type_id">(1);
      e.principal.keep(own());
    } else if (e.principal.value) {
      there = row.set<"actor.user.uid">(e.principal.value);
      row.set<"actor.user.type_id">(4);  // Service
    }
    there = row.set<"actor.app_uid">(e.app) || there;
    row.set<"actor.idp.issuer">(e.issuer);
    there = row.set<"actor.session.uid">(e.session) || there;
    there = row.set<"actor.session.uid_alt">(e.sign_in) || there;
    if (const auto issued = azure::time(e.issued.value)) {
      there = row.set<"actor.session.created_time">(issued) || there;
    } else {
      e.issued.keep(own());
    }
    if (!there) row.set<"actor.app_name">(provider());  // the class wants an actor
  }

  void source(ApiRow& row, const Request& e) {
    const Text caller = envelope_.caller;
    if (e.address.value) {
      if (!azure::source_endpoint(row, *e.address.value)) e.address.keep(own());
      if (caller != e.address.value) envelope_.keep(rest_, "callerIpAddress", caller);
    } else if (caller && !azure::source_endpoint(row, *caller)) {
      envelope_.keep(rest_, "callerIpAddress", caller);
    }
    row.set<"src_endpoint.uid">(e.device);
    if (!row.is_set<"src_endpoint.ip">() && !e.device) row.set<"src_endpoint.svc_name">(provider());  // the class wants an endpoint
  }

  std::string_view provider() const {
    return envelope_.resource.provider().empty() ? std::string_view("Microsoft Graph") : envelope_.resource.provider();
  }

  lm::json::Reader json_;
  azure::Inner inner_;
  azure::Envelope envelope_;
  lm::json::ObjectWriter rest_, properties_rest_;
  std::string scratch_, method_, operation_;
  std::array<char, 16> digits_{};
  bool nested_ = false, foreign_ = false;
};

LOGMILL_PARSERS(GraphActivity)
