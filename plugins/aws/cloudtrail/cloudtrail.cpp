// AWS CloudTrail: management, data, network activity, Insights and aggregated events.
// Source: AWS, "AWS CloudTrail User Guide": "CloudTrail record contents", "userIdentity element", "CloudTrail Insights events", "Aggregated events".
//
// One pass reads a record into views (Event); what has no place in OCSF is written to `unmapped` on the way, under its own name and nesting. Then the event's name
// chooses the class, and the row is filled. Requests and responses pass as JSON text; only classes that need a value from inside look into them.
#include "names.hpp"

#include <logmill/sdk.hpp>
#include <logmill/sdk/aws.hpp>
#include <logmill/sdk/http.hpp>

#include <unordered_map>

namespace ocsf = lm::ocsf::v1_8;

namespace cloudtrail {

using lm::Text;
using lm::json::Type;
using lm::json::Value;

// ---- Tables ----

constexpr auto kEvery = lm::columns({{"activity_id"},
                                     {"activity_name"},
                                     {"time"},
                                     {"severity_id"},
                                     {"status_id"},
                                     {"unmapped"},
                                     {"cloud.account.uid"},
                                     {"cloud.account.type_id"},
                                     {"cloud.region"},
                                     {"cloud.org.uid"},
                                     {"cloud.cloud_partition"},
                                     lm::constant("cloud.provider", "AWS"),
                                     {"metadata.log_version"},
                                     lm::plain("metadata.original_event_uid"),
                                     lm::plain("metadata.correlation_uid"),
                                     lm::plain("metadata.original_time"),
                                     {"metadata.type"},
                                     {"metadata.product.feature.name"},
                                     lm::constant("metadata.product.name", "CloudTrail"),
                                     lm::constant("metadata.product.vendor_name", "AWS"),
                                     lm::constant("metadata.log_provider", "CloudTrail")});

constexpr auto kActor = lm::columns({{"actor.app_name"},
                                     {"actor.idp.name"},
                                     {"actor.idp.uid"},
                                     {"actor.session.created_time"},
                                     {"actor.session.credential_uid"},
                                     {"actor.session.is_mfa"},
                                     {"actor.session.issuer"},
                                     {"actor.session.uid"},
                                     {"actor.user.account.type_id"},
                                     {"actor.user.account.uid"},
                                     {"actor.user.name"},
                                     {"actor.user.type"},
                                     {"actor.user.type_id"},
                                     {"actor.user.uid"},
                                     {"actor.user.uid_alt"},
                                     {"actor.user.programmatic_credentials[].type"},
                                     {"actor.user.programmatic_credentials[].uid"}});

constexpr auto kCall = lm::columns({{"api.operation"},
                                    lm::same("metadata.event_code", "api.operation"),
                                    {"api.service.name"},
                                    {"api.version"},
                                    lm::plain("api.request.uid"),
                                    {"api.request.data"},
                                    {"api.response.data"},
                                    {"api.response.error"},
                                    {"api.response.error_message"},
                                    lm::same("status_code", "api.response.error"),
                                    lm::same("status_detail", "api.response.error_message"),
                                    {"http_request.user_agent"},
                                    {"src_endpoint.ip"},
                                    {"src_endpoint.svc_name"},
                                    {"src_endpoint.hostname"},
                                    {"src_endpoint.name"},
                                    {"src_endpoint.uid"}});

constexpr auto kApi = lm::table(ocsf::api_activity, lm::profiles("cloud"),
                                kEvery + kActor + kCall +
                                    lm::columns({lm::same("dst_endpoint.svc_name", "api.service.name"),
                                                 {"dst_endpoint.hostname"},
                                                 {"resources[].uid"},
                                                 {"resources[].name"},
                                                 {"resources[].type"},
                                                 {"resources[].region"},
                                                 {"resources[].owner.account.uid"}}));

constexpr auto kAuthentication = lm::table(ocsf::authentication, lm::profiles("cloud"),
                                           kEvery + kActor + kCall +
                                               lm::columns({lm::same("dst_endpoint.svc_name", "api.service.name"),
                                                            {"dst_endpoint.hostname"},
                                                            lm::same("service.name", "api.service.name"),
                                                            lm::constant("is_remote", "true"),
                                                            {"is_mfa"},
                                                            {"logon_type_id"},
                                                            {"auth_protocol_id"},
                                                            {"account_switch_type_id"},
                                                            {"auth_factors[].factor_type_id"},
                                                            {"auth_factors[].factor_type"},
                                                            {"auth_factors[].device.uid"},
                                                            {"auth_factors[].device.type_id"},
                                                            {"user.uid"},
                                                            {"user.name"},
                                                            {"user.uid_alt"},
                                                            {"user.type"},
                                                            {"user.type_id"},
                                                            {"user.account.uid"},
                                                            {"user.account.type_id"},
                                                            {"session.created_time"},
                                                            {"session.is_mfa"},
                                                            {"session.credential_uid"},
                                                            {"session.uid"},
                                                            {"session.uid_alt"},
                                                            {"session.issuer"},
                                                            {"session.expiration_time"}}));

constexpr auto kAccount = lm::table(ocsf::account_change, lm::profiles("cloud"),
                                    kEvery + kActor + kCall +
                                        lm::columns({{"user.uid"},
                                                     {"user.name"},
                                                     {"user.uid_alt"},
                                                     {"user.type"},
                                                     {"user.type_id"},
                                                     {"user.account.uid"},
                                                     {"user.account.type_id"},
                                                     {"user.programmatic_credentials[].type"},
                                                     {"user.programmatic_credentials[].uid"},
                                                     {"user_result.name"},
                                                     {"policies[].uid"},
                                                     {"policies[].name"},
                                                     {"policies[].data"},
                                                     {"auth_factors[].factor_type_id"},
                                                     {"auth_factors[].device.uid"},
                                                     {"auth_factors[].device.type_id"}}));

constexpr auto kGroup = lm::table(ocsf::group_management, lm::profiles("cloud"),
                                  kEvery + kActor + kCall + lm::columns({{"group.name"}, {"group.uid"}, {"user.name"}, {"privileges[]"}}));

constexpr auto kFinding = lm::table(ocsf::detection_finding, lm::profiles("cloud"),
                                    kEvery + lm::columns({{"metadata.event_code"},
                                                          {"is_alert"},
                                                          lm::plain("finding_info.uid"),
                                                          {"finding_info.title"},
                                                          {"finding_info.types[]"},
                                                          {"finding_info.analytic.name"},
                                                          {"finding_info.analytic.type_id"},
                                                          {"finding_info.first_seen_time"},
                                                          {"anomaly_analyses[].analysis_targets[].name"},
                                                          {"anomaly_analyses[].analysis_targets[].type"},
                                                          {"anomaly_analyses[].anomalies[].observation_parameter"},
                                                          {"anomaly_analyses[].anomalies[].observations[].value"},
                                                          {"anomaly_analyses[].baselines[].observation_parameter"},
                                                          {"anomaly_analyses[].baselines[].observations[].value"},
                                                          {"evidences[].api.operation"},
                                                          {"evidences[].api.service.name"},
                                                          {"evidences[].actor.user.uid"},
                                                          {"resources[].uid"}}));

constexpr auto kBase =
    lm::table(ocsf::base_event, lm::profiles("cloud"), kEvery + lm::columns({{"start_time"}, {"end_time"}, {"count"}, {"message"}}));

// ---- A record as views ----

struct Identity {
  Text type, name, principal, arn, account, access_key, invoked_by, credential, provider, on_behalf_user, on_behalf_store;
  Text session_created, session_mfa, issuer_arn, session_arn, federated_provider;
  std::string_view raw;   // the whole, as it stands; "" if there is none
  std::string_view rest;  // what has no attribute, as a JSON object; may be empty
};

constexpr Identity kNobody{};

struct Event {
  Text version, time, source, name, region, address, agent, error, error_message, request_id, event_id, type, api_version, recipient,
      shared_id, endpoint, category;
  lm::Maybe<bool> read_only;
  Text host_header, tls, addendum_original, request, response, additional, service_details, resources, insight;
  Text account, window_start, window_end, summary;  // of aggregated events
  bool addendum_updated = false;
  const Identity* user = &kNobody;
};

struct Resource {
  Text arn, prefix, account, type;
};

// Query engines write names in lower case.
constexpr bool is(std::string_view key, std::string_view name) {
  return key.size() == name.size() && (key == name || lm::equals_ignoring_case(key, name));
}
template <std::size_t N>
int member_of(const lm::Keys<N>& keys, std::string_view key) {
  const int member = keys.find(key);
  return member >= 0 ? member : keys.find_ignoring_case(key);
}

// As lm::json::Field, but CloudTrail does not say "-" or [] for "there is none": the one is a text, and the other stays. Absent where the value is null or empty; any other
// type than text is kept as it stands. Of a key that occurs twice the last value holds, and the earlier one is kept.
struct Reading {
  lm::json::ObjectWriter& rest;
  std::string_view key;
  Value& value;

  void text(Text& out) const {
    if (const auto v = value.text()) {
      if (v->empty()) return;
      if (out) rest.add_text(key, *out);
      out = v;
    } else if (!value.is_null()) {
      rest.keep(value);
    }
  }
  // JSON that passes as it stands. False: there is none.
  bool json(Text& out) const {
    const std::string_view raw = value.raw();
    if (value.is_null() || raw == "{}" || raw == "\"\"") return false;
    if (out) rest.add(key, *out);
    out = raw;
    return true;
  }
  // An object, of which on_member(Reading) leaves in `inside` what stays.
  template <class OnMember>
  void object(lm::json::ObjectWriter& inside, OnMember&& on_member) const {
    if (value.type() != Type::object) return keep();
    inside.clear();
    value.object([&](std::string_view name, Value& member) { on_member(Reading{inside, name, member}); });
    if (const auto left = inside.finish(); !left.empty()) rest.add(key, left);
  }
  void keep() const {
    const std::string_view raw = value.raw();
    if (!value.is_null() && raw != "{}" && raw != "\"\"") rest.keep(value);
  }
};

constexpr bool hidden(std::string_view text) { return text == "HIDDEN_DUE_TO_SECURITY_REASONS"; }

int user_type_id(const Identity& user) {
  static constexpr auto kTypes = lm::keys("Root", "IAMUser", "AssumedRole", "Role", "FederatedUser", "SAMLUser", "WebIdentityUser",
                                          "IdentityCenterUser", "Directory", "AWSAccount", "AWSService");
  if (!user.type) return user.invoked_by ? 4 : 0;
  switch (kTypes.find(*user.type)) {
    case kTypes.at("Root"): return 2;  // Admin
    case kTypes.at("IAMUser"):
    case kTypes.at("FederatedUser"):
    case kTypes.at("SAMLUser"):
    case kTypes.at("WebIdentityUser"):
    case kTypes.at("IdentityCenterUser"):
    case kTypes.at("Directory"): return 1;   // User
    case kTypes.at("AWSService"): return 4;  // Service
    case kTypes.at("AssumedRole"):
    case kTypes.at("Role"):
    case kTypes.at("AWSAccount"): return 99;  // Other
    default: return *user.type == "Unknown" ? 0 : 99;
  }
}

Text user_name(const Identity& user) {
  if (user.name) return hidden(*user.name) ? std::nullopt : user.name;
  if (!user.type) return std::nullopt;
  if (*user.type == "Root") return "root";
  if (*user.type == "AWSService") return user.invoked_by;
  if (*user.type == "AssumedRole" || *user.type == "FederatedUser") {
    if (user.principal) {
      if (const std::size_t colon = user.principal->find(':'); colon != std::string_view::npos && colon + 1 < user.principal->size())
        return user.principal->substr(colon + 1);
    }
    if (user.arn) return lm::aws::arn_name(*user.arn);
  }
  if (*user.type == "Role" && user.arn) return lm::aws::arn_name(*user.arn);
  return std::nullopt;
}

Text user_uid(const Identity& user) { return user.arn ? user.arn : user.on_behalf_user ? user.on_behalf_user : user.principal; }

bool is_known(const Identity& user) { return user_name(user) || user_uid(user) || user.account; }

lm::Maybe<std::int64_t> any_time(std::string_view text) {
  auto t = lm::time::rfc3339(text, true);
  if (!t) t = lm::time::iso_basic(text);
  return t && lm::time::plausible(*t) ? t : std::nullopt;
}

// The name of what an ARN stands for, without the version, stream or key of it that is meant: of a function, a table, a log group, an object in a bucket.
std::string_view resource_name(std::string_view arn) {
  std::string_view rest = arn;
  for (int i = 0; i < 5; ++i) {
    const std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos) return lm::aws::arn_name(arn);
    rest.remove_prefix(colon + 1);
  }
  const std::string_view service = lm::aws::arn_part(arn, 2);
  const auto behind = [&](std::string_view kind, char end) {
    if (rest.size() <= kind.size() || !rest.starts_with(kind)) return std::string_view();
    return lm::before(rest.substr(kind.size()), end);
  };
  std::string_view name;
  if (service == "lambda") name = behind("function:", ':');
  if (service == "logs") name = behind("log-group:", ':');
  if (service == "dynamodb") name = behind("table/", '/');
  if (service == "s3") {
    const std::size_t slash = rest.find('/');
    name = slash == std::string_view::npos || slash + 1 == rest.size() ? lm::before(rest, '/') : rest.substr(slash + 1);
  }
  return name.empty() ? lm::aws::arn_name(arn) : name;
}

// What a denied call was meant for, where only the message says so: "... is not authorized to perform: iam:DeleteUser on resource: user alice because ...", or with an ARN.
struct Denied {
  Text arn, name;
  std::string_view kind;  // "user", "role", "group"; "" if it does not say

  static Denied of(const Text& message) {
    static constexpr std::string_view kMark = "on resource: ";
    Denied out;
    const std::size_t at = message ? message->find(kMark) : std::string_view::npos;
    if (at == std::string_view::npos) return out;
    const std::string_view rest = message->substr(at + kMark.size());
    const std::string_view word = rest.substr(0, rest.find_first_of(" \"'"));
    if (word.starts_with("arn:")) {
      out.arn = word;
      out.kind = lm::before(lm::aws::arn_part(word, 5), '/');
      out.name = lm::aws::arn_name(word);
    } else if ((word == "user" || word == "role" || word == "group") && rest.size() > word.size() + 1) {
      const std::string_view name = rest.substr(word.size() + 1);
      out.kind = word;
      out.name = name.substr(0, name.find(' '));
    }
    // A pattern is nobody.
    if (out.name && (out.name->empty() || out.name->find('*') != std::string_view::npos)) out.name = {}, out.kind = {};
    return out;
  }
};

// "Mar 1, 2026, 1:28:26 PM" (STS) and "Mar 1, 2026 12:23:05 PM" (IAM); the space before AM or PM may be U+202F.
lm::Maybe<std::int64_t> us_time(std::string_view text) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() < 3) return std::nullopt;
  const std::size_t month = kMonths.find(text.substr(0, 3));
  if (month == std::string_view::npos || month % 3 != 0) return std::nullopt;
  std::array<unsigned, 5> n{};  // day, year, hour, minute, second
  std::size_t count = 0;
  bool digit = false;
  for (const char c : text.substr(3)) {
    const bool d = c >= '0' && c <= '9';
    if (d) {
      if (!digit && count++ == n.size()) return std::nullopt;
      n[count - 1] = n[count - 1] * 10 + static_cast<unsigned>(c - '0');
      if (n[count - 1] > 9999) return std::nullopt;
    }
    digit = d;
  }
  const bool pm = text.ends_with("PM"), am = text.ends_with("AM");
  if (count != n.size() || (!am && !pm) || n[2] < 1 || n[2] > 12) return std::nullopt;
  const auto t = lm::time::moment(n[1], static_cast<unsigned>(month / 3 + 1), n[0], n[2] % 12 + (pm ? 12 : 0), n[3], n[4]);
  return t && lm::time::plausible(*t) ? t : std::nullopt;
}

}  // namespace cloudtrail

using namespace cloudtrail;

struct CloudTrail {
  static constexpr lm::Descriptor descriptor{
      .id = "aws.cloudtrail",
      .title = "AWS CloudTrail",
      .vendor = "AWS",
      .version = "1.0.0",
      .reads = "Management, data, network activity, Insights and aggregated events: {\"Records\":[...]}, arrays, one a line, single",
      .framing = lm::Framing::json,
      .envelope = "Records"};
  static constexpr auto keys = lm::strings(
      "AWSLogs/{account}/CloudTrail/{region}/**", "AWSLogs/{org}/{account}/CloudTrail/{region}/**",
      "AWSLogs/{account}/CloudTrail-Insight/{region}/**", "AWSLogs/{org}/{account}/CloudTrail-Insight/{region}/**",
      "AWSLogs/{account}/CloudTrail-NetworkActivity/{region}/**", "AWSLogs/{org}/{account}/CloudTrail-NetworkActivity/{region}/**",
      "AWSLogs/{account}/CloudTrail-Aggregated/{region}/**", "AWSLogs/{org}/{account}/CloudTrail-Aggregated/{region}/**");

  static int score(lm::Sample s) {
    // Names of members, and where they stand: what wraps records or only looks alike has them elsewhere.
    const lm::json::Outline outline(s, "Records");
    const int sure = outline.clean() ? 95 : 85;
    if (outline.record("s3") || outline.record("class_uid")) return 0;
    if (outline.record("eventversion") && outline.record("eventsource") && outline.record("eventname"))
      return sure;  // as query engines write them
    if (outline.record("insightDetails") || outline.record_text("eventType") == "AwsAggregatedEvent") return sure;
    if (!outline.record("eventSource") || !outline.record("eventName")) return 0;
    if (outline.record("eventVersion")) return sure;
    return outline.record("userIdentity") && (outline.record("awsRegion") || outline.record("eventID")) ? sure - 10 : 0;
  }

  void parse(lm::Record record, lm::Rows<kApi>& api, lm::Rows<kAuthentication>& authentication, lm::Rows<kAccount>& account,
             lm::Rows<kGroup>& group, lm::Rows<kFinding>& finding, lm::Rows<kBase>& base) {
    if (record.starts_block()) place_ = lm::aws::Place::of(record), identity_holds_ = false;
    Event e;
    rest_.clear(), tls_rest_.clear();
    if (!read(record, e)) return record.reject(json_);
    const bool insight = e.insight || e.category == "Insight", aggregated = e.type == "AwsAggregatedEvent";
    if (!insight && !aggregated && (!e.name || !e.source))
      return record.reject(lm::foreign, "no eventName and eventSource: not a CloudTrail record");

    if (e.version && !e.version->starts_with("1.")) return record.reject(lm::foreign, "'eventVersion' is not 1.x");

    lm::Maybe<std::int64_t> time;
    if (aggregated && e.window_start) time = any_time(*e.window_start);
    if (!time && e.time) time = any_time(*e.time);
    if (!time) time = time_of_key(record.uri());
    if (!time) return record.reject(lm::malformed, "'eventTime' is not a time");

    if (insight) return insight_row(finding.begin(record), e, *time);
    if (aggregated) return aggregated_row(base.begin(record), e, *time);
    Choice choice = choose_cached(*e.source, *e.name);
    switch (choice.table) {
      case Table::api_activity: return api_row(api.begin(record), e, *time, choice.activity);
      case Table::authentication: return authentication_row(authentication.begin(record), e, *time, choice.activity);
      case Table::account_change: return account_row(account.begin(record), e, *time, choice.activity);
      case Table::group_management: return group_row(group.begin(record), e, *time, choice.activity);
    }
  }

 private:
  // ---- Reading ----

  bool read(lm::Record record, Event& e) {
    static constexpr auto kKeys = lm::keys(
        "eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent", "errorCode",
        "errorMessage", "requestParameters", "responseElements", "additionalEventData", "requestID", "eventID", "eventType", "apiVersion",
        "managementEvent", "readOnly", "resources", "recipientAccountId", "serviceEventDetails", "sharedEventID", "vpcEndpointId",
        "vpcEndpointAccountId", "eventCategory", "addendum", "sessionCredentialFromConsole", "edgeDeviceDetails", "tlsDetails",
        "eventContext", "annotation", "insightDetails", "@timestamp", "accountId", "eventId", "timeWindow", "summary");
    Text logged_time;
    const bool ok = json_.read(record.text(), [&](std::string_view key, Value& value) {
      const Reading r{rest_, key, value};
      switch (member_of(kKeys, key)) {
        case kKeys.at("eventVersion"): r.text(e.version); break;
        case kKeys.at("userIdentity"): identity(record, e, r); break;
        case kKeys.at("eventTime"): r.text(e.time); break;
        case kKeys.at("eventSource"): r.text(e.source); break;
        case kKeys.at("eventName"): r.text(e.name); break;
        case kKeys.at("awsRegion"): r.text(e.region); break;
        case kKeys.at("sourceIPAddress"): r.text(e.address); break;
        case kKeys.at("userAgent"): r.text(e.agent); break;
        case kKeys.at("errorCode"): r.text(e.error); break;
        case kKeys.at("errorMessage"): r.text(e.error_message); break;
        case kKeys.at("requestParameters"): json(r, e.request); break;
        case kKeys.at("responseElements"): json(r, e.response); break;
        case kKeys.at("additionalEventData"):
          json(r, e.additional);
          r.keep();
          break;
        case kKeys.at("requestID"): r.text(e.request_id); break;
        case kKeys.at("eventID"):
        case kKeys.at("eventId"): r.text(e.event_id); break;
        case kKeys.at("eventType"): r.text(e.type); break;
        case kKeys.at("apiVersion"): r.text(e.api_version); break;
        case kKeys.at("readOnly"):
          e.read_only = value.boolean();
          if (!e.read_only && value.raw() == "\"true\"") e.read_only = true;
          r.keep();
          break;
        case kKeys.at("resources"): resource_list(record, e, r); break;
        case kKeys.at("recipientAccountId"): r.text(e.recipient); break;
        case kKeys.at("sharedEventID"): r.text(e.shared_id); break;
        case kKeys.at("vpcEndpointId"): endpoint(e, r); break;
        case kKeys.at("eventCategory"): r.text(e.category); break;
        case kKeys.at("addendum"): addendum(e, r); break;
        case kKeys.at("tlsDetails"): tls(record, e, r); break;
        case kKeys.at("insightDetails"):
          json(r, e.insight);
          r.keep();
          break;
        case kKeys.at("@timestamp"): r.text(logged_time); break;
        case kKeys.at("accountId"): r.text(e.account); break;
        case kKeys.at("timeWindow"): window(e, r); break;
        case kKeys.at("summary"):
          r.json(e.summary);
          r.keep();
          break;
        case kKeys.at("serviceEventDetails"):
          json(r, e.service_details);
          r.keep();
          break;
        case kKeys.at("managementEvent"):
        case kKeys.at("vpcEndpointAccountId"):
        case kKeys.at("sessionCredentialFromConsole"):
        case kKeys.at("edgeDeviceDetails"):
        case kKeys.at("eventContext"):
        case kKeys.at("annotation"): r.keep(); break;
        default: record.drift(key); r.keep();
      }
    });
    if (logged_time) {
      if (e.time) {
        rest_.add_text("@timestamp", *logged_time);
      } else {
        e.time = logged_time;  // records that went through Logstash
      }
    }
    return ok;
  }

  // Query engines write objects as strings that hold them.
  void json(const Reading& r, Text& out) {
    const Text inside = r.value.type() == Type::string ? r.value.text() : Text();
    if (!inside || !inside->starts_with('{') || !document_json_.valid(*inside)) {
      r.json(out);
    } else if (inside != "{}") {
      if (out) rest_.add(r.key, *out);
      out = inside;
    }
  }

  void identity(lm::Record record, Event& e, const Reading& whole) {
    if (whole.value.type() != Type::object) return whole.keep();
    if (!e.user->raw.empty()) rest_.add(whole.key, e.user->raw);
    e.user = &identity_;
    // Records of one caller follow each other.
    if (identity_holds_ && whole.value.repeats(identity_.raw)) return;
    Identity& user = identity_;
    user = Identity{};
    identity_rest_.clear();
    identity_holds_ = true;
    static constexpr auto kKeys = lm::keys("type", "userName", "principalId", "arn", "accountId", "accessKeyId", "sessionContext",
                                           "invokedBy", "invokedByDelegate", "onBehalfOf", "inScopeOf", "credentialId", "identityProvider");
    whole.value.object([&](std::string_view key, Value& value) {
      const Reading r{identity_rest_, key, value};
      switch (member_of(kKeys, key)) {
        case kKeys.at("type"): r.text(user.type); break;
        case kKeys.at("userName"):
          r.text(user.name);
          if (user.name && hidden(*user.name)) r.keep();
          break;
        case kKeys.at("principalId"): r.text(user.principal); break;
        case kKeys.at("arn"): r.text(user.arn); break;
        case kKeys.at("accountId"): r.text(user.account); break;
        case kKeys.at("accessKeyId"): r.text(user.access_key); break;
        case kKeys.at("sessionContext"): session(record, user, r); break;
        case kKeys.at("invokedBy"): r.text(user.invoked_by); break;
        case kKeys.at("onBehalfOf"):
          r.object(inner_, [&](const Reading& i) {
            if (is(i.key, "userId")) return i.text(user.on_behalf_user);
            if (is(i.key, "identityStoreArn")) return i.text(user.on_behalf_store);
            identity_drift(record, "userIdentity.onBehalfOf", i.key);
            i.keep();
          });
          break;
        case kKeys.at("credentialId"): r.text(user.credential); break;
        case kKeys.at("identityProvider"): r.text(user.provider); break;
        case kKeys.at("invokedByDelegate"):
        case kKeys.at("inScopeOf"): r.keep(); break;
        default: identity_drift(record, "userIdentity", key); r.keep();
      }
    });
    // The principal is not part of the row where something else names the user and OCSF has one place only.
    if (user.on_behalf_user && user.arn) identity_rest_.add_text("onBehalfOf.userId", *user.on_behalf_user);
    // A user of whom nothing else is known is none in OCSF.
    if (!is_known(user)) {
      if (user.type) identity_rest_.add_text("type", *user.type);
      if (user.access_key) identity_rest_.add_text("accessKeyId", *user.access_key);
    }
    // The directory's number for the user, which the uid already is.
    if (user.type == "IdentityCenterUser" && user.principal && user_uid(user) != user.principal)
      identity_rest_.add_text("principalId", *user.principal);
    user.raw = whole.value.raw();
    user.rest = identity_rest_.finish();
    if (user.raw.find('\\') != std::string_view::npos) identity_holds_ = false;  // unescaped text is the reader's, for one record
  }

  // Of the identity, which is read again in the next record, for each of them is counted.
  void identity_drift(lm::Record record, std::string_view object, std::string_view key) {
    record.drift(object, key);
    identity_holds_ = false;
  }

  void session(lm::Record record, Identity& user, const Reading& whole) {
    static constexpr auto kKeys = lm::keys("attributes", "sessionIssuer", "signInSessionArn", "webIdFederationData", "sourceIdentity",
                                           "ec2RoleDelivery", "assumedRoot");
    whole.object(session_rest_, [&](const Reading& r) {
      switch (member_of(kKeys, r.key)) {
        case kKeys.at("attributes"):
          r.object(inner_, [&](const Reading& i) {
            if (is(i.key, "creationDate")) {
              i.text(user.session_created);
              if (user.session_created && !any_time(*user.session_created)) i.keep();
            } else if (is(i.key, "mfaAuthenticated")) {
              i.text(user.session_mfa);
              if (user.session_mfa && *user.session_mfa != "true" && *user.session_mfa != "false") i.keep();
            } else {
              identity_drift(record, "userIdentity.sessionContext.attributes", i.key);
              i.keep();
            }
          });
          break;
        case kKeys.at("sessionIssuer"):
          r.object(inner_, [&](const Reading& i) {
            if (is(i.key, "arn")) return i.text(user.issuer_arn);
            if (!is(i.key, "type") && !is(i.key, "principalId") && !is(i.key, "accountId") && !is(i.key, "userName"))
              identity_drift(record, "userIdentity.sessionContext.sessionIssuer", i.key);
            i.keep();
          });
          break;
        case kKeys.at("signInSessionArn"): r.text(user.session_arn); break;
        case kKeys.at("webIdFederationData"):
          r.object(inner_, [&](const Reading& i) {
            if (is(i.key, "federatedProvider")) {
              i.text(user.federated_provider);
            } else if (!is(i.key, "attributes")) {
              identity_drift(record, "userIdentity.sessionContext.webIdFederationData", i.key);
            }
            i.keep();
          });
          break;
        case kKeys.at("sourceIdentity"):
        case kKeys.at("ec2RoleDelivery"):
        case kKeys.at("assumedRoot"): r.keep(); break;
        default: identity_drift(record, "userIdentity.sessionContext", r.key); r.keep();
      }
    });
  }

  // Only endpoints of VPCs are endpoints; the field also holds names of services.
  static void endpoint(Event& e, const Reading& r) {
    r.text(e.endpoint);
    if (e.endpoint && !e.endpoint->starts_with("vpce-")) {
      r.keep();
      e.endpoint = {};
    }
  }

  static void addendum(Event& e, const Reading& r) {
    r.value.object([&](std::string_view key, Value& value) {
      const auto text = value.text();
      if (is(key, "reason")) e.addendum_updated = text == "UPDATED_DATA";
      if (is(key, "originalEventID")) e.addendum_original = text;
    });
    r.keep();
  }

  void tls(lm::Record record, Event& e, const Reading& whole) {
    if (whole.value.type() != Type::object) return whole.keep();
    keep_tls(e);
    e.tls = whole.key;
    whole.value.object([&](std::string_view key, Value& value) {
      const Reading r{tls_rest_, key, value};
      if (is(key, "clientProvidedHostHeader")) return r.text(e.host_header);
      if (!is(key, "tlsVersion") && !is(key, "cipherSuite")) record.drift("tlsDetails", key);
      r.keep();
    });
  }

  // Some classes have no attribute for the host that is in there.
  void keep_tls(const Event& e) {
    if (const auto rest = tls_rest_.finish(); !rest.empty()) rest_.add(*e.tls, rest);
    tls_rest_.clear();
  }

  void resource_list(lm::Record record, Event& e, const Reading& whole) {
    if (whole.value.type() != Type::array) {
      if (whole.json(e.resources)) resources_.clear(), resources_odd_ = true;
      return;
    }
    if (resources_.capacity() > 4096) resources_ = {};  // one long list must not hold its memory for good
    resources_.clear(), resources_odd_ = false;
    whole.value.array([&](Value& item) {
      Resource resource;
      const auto set = [&](Text& out, Value& value) {
        const Text text = value.text();
        resources_odd_ |= out || (!text && !value.is_null());
        if (text) out = text;
      };
      item.object([&](std::string_view key, Value& value) {
        static constexpr auto kKeys = lm::keys("ARN", "arn", "ARNPrefix", "accountId", "accountID", "type");
        switch (member_of(kKeys, key)) {
          case kKeys.at("ARN"):
          case kKeys.at("arn"): set(resource.arn, value); break;
          case kKeys.at("ARNPrefix"): set(resource.prefix, value); break;
          case kKeys.at("accountId"):
          case kKeys.at("accountID"): set(resource.account, value); break;
          case kKeys.at("type"): set(resource.type, value); break;
          default: record.drift("resources", key); resources_odd_ = true;
        }
      });
      if (resource.arn && resource.prefix) resources_odd_ = true;
      if (resource.arn || resource.prefix || resource.account || resource.type) {
        resources_.push_back(resource);
      } else {
        resources_odd_ = true;
      }
    });
    whole.json(e.resources);
  }

  static void window(Event& e, const Reading& r) {
    r.value.object([&](std::string_view key, Value& value) {
      if (is(key, "windowStart")) e.window_start = value.text();
      if (is(key, "windowEnd")) e.window_end = value.text();
    });
    r.keep();
  }

  // The minute of delivery in the file's name, "..._20260301T1205Z_...": the last resort for a record without a readable time.
  static lm::Maybe<std::int64_t> time_of_key(std::string_view key) {
    for (std::size_t at = key.find('T'); at != std::string_view::npos; at = key.find('T', at + 1)) {
      if (at < 8 || at + 5 >= key.size() || key[at + 5] != 'Z') continue;
      const auto year = lm::time::digits(key, at - 8, 4), month = lm::time::digits(key, at - 4, 2), day = lm::time::digits(key, at - 2, 2),
                 hour = lm::time::digits(key, at + 1, 2), minute = lm::time::digits(key, at + 3, 2);
      if (!year || !month || !day || !hour || !minute) continue;
      const auto t = lm::time::moment(*year, *month, *day, *hour, *minute, 0);
      if (t && lm::time::plausible(*t)) return t;
    }
    return std::nullopt;
  }

  Choice choose_cached(std::string_view source, std::string_view name) {
    scratch_.assign(source);
    scratch_.push_back('\n');
    scratch_.append(name);
    const auto found = choices_.find(scratch_);
    if (found != choices_.end()) return found->second;
    const Choice choice = choose(source, name);
    if (choices_.size() < 50'000) choices_.emplace(scratch_, choice);
    return choice;
  }

  // ---- Rows ----

  template <class Row>
  void every(Row& row, const Event& e, std::int64_t time) {
    row.template set<"time">(time);
    row.template set<"metadata.original_time">(e.time);
    row.template set<"metadata.log_version">(e.version);
    row.template set<"metadata.type">(e.type);
    row.template set<"metadata.original_event_uid">(e.event_id);
    row.template set<"metadata.product.feature.name">(e.category.value_or(e.insight ? "Insight" : "Management"));
    const Text account = e.recipient ? e.recipient : e.account;
    place_.set(row, account || !place_.account.empty() ? account : e.user->account, e.region);
    if (e.recipient && e.account) rest_.add_text("accountId", *e.account);
    const std::string_view arn = e.user->arn ? *e.user->arn : e.user->issuer_arn.value_or("");
    if (const auto partition = lm::aws::arn_part(arn, 1); !partition.empty()) row.template set<"cloud.cloud_partition">(partition);
  }

  template <class Row>
  void actor(Row& row, const Event& e) {
    const Identity& user = *e.user;
    actor_user(row, user);
    row.template set<"actor.session.credential_uid">(user.credential);
    if (user.session_created) row.template set<"actor.session.created_time">(any_time(*user.session_created));
    if (user.session_mfa == "true" || user.session_mfa == "false") row.template set<"actor.session.is_mfa">(*user.session_mfa == "true");
    row.template set<"actor.session.issuer">(user.issuer_arn);
    row.template set<"actor.session.uid">(user.session_arn);
    caller(row, e);
  }

  template <class Row>
  static void actor_user(Row& row, const Identity& user) {
    if (!is_known(user)) return;
    const Text uid = user_uid(user);
    row.template set<"actor.user.name">(user_name(user));
    row.template set<"actor.user.uid">(uid);
    row.template set<"actor.user.type">(user.type);
    row.template set<"actor.user.type_id">(user_type_id(user));
    if (user.principal && uid != user.principal && user.type != "IdentityCenterUser")
      row.template set<"actor.user.uid_alt">(user.principal);
    if (user.account) {
      row.template set<"actor.user.account.uid">(user.account);
      row.template set<"actor.user.account.type_id">(lm::aws::kAccountType);
    }
    if (user.access_key) {
      auto key = row.template push<"actor.user.programmatic_credentials">();
      key.template set<"uid">(user.access_key);
      key.template set<"type">("AWS access key");
    }
  }

  // Of the actor, what is true whoever it is.
  template <class Row>
  void caller(Row& row, const Event& e) {
    const Identity& user = *e.user;
    if (!user.rest.empty()) rest_.add("userIdentity", user.rest);
    row.template set<"actor.idp.name">(user.provider ? user.provider : user.federated_provider);
    row.template set<"actor.idp.uid">(user.on_behalf_store);
    row.template set<"actor.app_name">(user.invoked_by);
    if (!user.invoked_by && !is_known(user)) row.template set<"actor.app_name">(e.source);
  }

  template <class Row>
  void call(Row& row, const Event& e, int activity) {
    row.template set<"activity_id">(activity);
    if (activity == 99) row.template set<"activity_name">(e.name);
    row.template set<"severity_id">(1);  // Informational
    row.template set<"metadata.correlation_uid">(e.shared_id ? e.shared_id : e.addendum_updated ? e.addendum_original : std::nullopt);
    row.template set<"api.operation">(e.name);
    row.template set<"api.service.name">(e.source);
    row.template set<"api.version">(e.api_version);
    if (const Text uid = e.request_id ? e.request_id : e.event_id) {
      row.template set<"api.request.uid">(uid);
      row.template set<"api.request.data">(e.request);
    } else if (e.request) {
      rest_.add("requestParameters", *e.request);  // a request needs an id in OCSF
    }
    row.template set<"api.response.data">(e.response);
    row.template set<"api.response.error">(e.error);
    row.template set<"api.response.error_message">(e.error_message);
    row.template set<"status_id">(succeeded(e) ? 1 : 2);
    row.template set<"http_request.user_agent">(e.agent);
    source_endpoint(row, e);
    if constexpr (Row::template has<"dst_endpoint.svc_name">) {
      row.template set<"dst_endpoint.hostname">(e.host_header);
    } else if (e.host_header) {
      keep_host(*e.host_header);
    }
  }

  void keep_host(std::string_view host) { tls_rest_.add_text("clientProvidedHostHeader", host); }

  // {"ConsoleLogin": "Failure"}: the result under the event's own name, of sign-ins and their steps.
  lm::Maybe<bool> result_in(const Text& json, const Event& e) {
    lm::Maybe<bool> said;
    if (!json || json->size() > 256 || json->front() != '{') return said;
    response_json_.read(*json, [&](std::string_view key, Value& value) {
      if (key != *e.name) return;
      const auto text = value.text();
      if (text == "Success") said = true;
      if (text == "Failure") said = false;
    });
    return said;
  }

  bool succeeded(const Event& e) {
    if (const auto said = result_in(e.response, e)) return *said;
    if (const auto said = result_in(e.service_details, e)) return *said;
    if (e.error == "Success") return true;
    return !e.error && !e.error_message;
  }

  template <class Row>
  static void source_endpoint(Row& row, const Event& e) {
    row.template set<"src_endpoint.uid">(e.endpoint);
    // The class needs an endpoint: the calling service if one is known, else the one that wrote the event.
    if (!lm::aws::source_endpoint(row, e.address.value_or("")))
      row.template set<"src_endpoint.svc_name">(e.user->invoked_by ? e.user->invoked_by : e.source);
  }

  // The last thing of a row: `unmapped` as it was gathered.
  template <class Row>
  void finish(Row& row, const Event& e) {
    keep_tls(e);
    if (const auto rest = rest_.finish(); !rest.empty()) row.template set<"unmapped">(rest);
  }

  void api_row(lm::Row<kApi> row, const Event& e, std::int64_t time, int activity) {
    if ((activity == 1 || activity == 3 || activity == 4 || activity == 99) && e.read_only == true) activity = 2;
    every(row, e, time);
    actor(row, e);
    call(row, e, activity);
    resources(row, e);
    finish(row, e);
  }

  void resources(lm::Row<kApi>& row, const Event& e) {
    if (!e.resources) {
      if (e.source == "s3.amazonaws.com" && e.category == "Data" && e.request) bucket_and_object(row, e);
      return;
    }
    for (const Resource& r : resources_) {
      const Text uid = r.arn ? r.arn : r.prefix;
      auto resource = row.push<"resources">();
      resource.set<"uid">(uid);
      resource.set<"type">(r.type);
      resource.set<"owner.account.uid">(r.account);
      if (uid && !uid->empty()) {
        resource.set<"name">(resource_name(*uid));
        if (const auto region = lm::aws::arn_part(*uid, 3); !region.empty()) resource.set<"region">(region);
      }
    }
    // What the list has beyond OCSF's attributes is kept with it, whole; so is one without entries.
    if (resources_odd_ || resources_.empty()) rest_.add("resources", *e.resources);
  }

  void bucket_and_object(lm::Row<kApi>& row, const Event& e) {
    Text bucket, key;
    if (e.request->front() == '{') {
      request_json_.read(*e.request, [&](std::string_view name, Value& value) {
        if (name == "bucketName") bucket = value.text();
        if (name == "key") key = value.text();
      });
    }
    if (!bucket || bucket->empty()) return;
    const std::string_view partition = lm::aws::arn_part(e.user->arn.value_or(""), 1);
    scratch_.assign("arn:").append(partition.empty() ? "aws" : partition).append(":s3:::").append(*bucket);
    const auto add = [&](std::string_view name, std::string_view type) {
      auto resource = row.push<"resources">();
      resource.set<"uid">(scratch_);
      resource.set<"name">(name);
      resource.set<"type">(type);
    };
    add(*bucket, "AWS::S3::Bucket");
    if (key && !key->empty()) {
      scratch_.append("/").append(*key);
      add(*key, "AWS::S3::Object");
    }
  }

  template <class Row>
  void keep_resources(Row&, const Event& e) {
    if (e.resources) rest_.add("resources", *e.resources);
  }

  void authentication_row(lm::Row<kAuthentication> row, const Event& e, std::int64_t time, int activity) {
    every(row, e, time);
    call(row, e, activity);
    keep_resources(row, e);

    Text login_to, mfa_used, credential_type, mfa_type, mfa_identifier, additional_name, switch_from;
    if (e.additional && e.additional->front() == '{') {
      additional_json_.read(*e.additional, [&](std::string_view key, Value& value) {
        static constexpr auto kKeys =
            lm::keys("LoginTo", "MFAUsed", "CredentialType", "MfaType", "MFAIdentifier", "UserName", "SwitchFrom");
        switch (kKeys.find(key)) {
          case kKeys.at("LoginTo"): login_to = value.text(); break;
          case kKeys.at("MFAUsed"): mfa_used = value.text(); break;
          case kKeys.at("CredentialType"): credential_type = value.text(); break;
          case kKeys.at("MfaType"): mfa_type = value.text(); break;
          case kKeys.at("MFAIdentifier"): mfa_identifier = value.text(); break;
          case kKeys.at("UserName"): additional_name = value.text(); break;
          case kKeys.at("SwitchFrom"): switch_from = value.text(); break;
          default: break;
        }
      });
    }
    if (login_to) {
      if (const std::size_t scheme = login_to->find("://"); scheme != std::string_view::npos) {
        const std::string_view rest = login_to->substr(scheme + 3), host = rest.substr(0, rest.find_first_of("/?#:"));
        if (!host.empty()) {
          if (e.host_header && *e.host_header != host) keep_host(*e.host_header);
          row.set<"dst_endpoint.hostname">(host);
        }
      }
    }
    // The record's identity is the role that was switched to; the actor is who switched, of whom the ARN is all that is known.
    const bool switched = switch_from && activity == 7 && switch_from->starts_with("arn:");
    if (switched) {
      switched_by(row, *switch_from);
      switched_to(row, *e.user);
      caller(row, e);
    } else {
      actor(row, e);
    }
    const auto strong = [](std::string_view text) {
      return text.find("TOTP") != text.npos || text.find("WEBAUTHN") != text.npos || text.find("EMAIL_OTP") != text.npos;
    };
    if (mfa_used && (lm::equals_ignoring_case(*mfa_used, "yes") || lm::equals_ignoring_case(*mfa_used, "no"))) {
      row.set<"is_mfa">(lm::equals_ignoring_case(*mfa_used, "yes"));
    } else if (credential_type && (e.name == "UserAuthentication" || e.name == "CredentialVerification")) {
      // Whether an external provider asked for a second factor, AWS does not know.
      if (strong(*credential_type)) {
        row.set<"is_mfa">(true);
      } else if (credential_type == "PASSWORD") {
        row.set<"is_mfa">(false);
      }
    } else if (e.user->session_mfa == "true" || e.user->session_mfa == "false") {
      row.set<"is_mfa">(*e.user->session_mfa == "true");
    }
    for (std::string_view rest = credential_type.value_or(""); !rest.empty();) {
      const std::string_view factor = lm::before(rest, ',');
      rest.remove_prefix(std::min(factor.size() + 1, rest.size()));
      if (!factor.empty()) authentication_factor(row, factor, {});
    }
    if (mfa_type || mfa_identifier) authentication_factor(row, mfa_type.value_or(""), mfa_identifier);
    const std::string_view name = *e.name;
    if (e.source == kSts) {
      row.set<"logon_type_id">(3);  // Network
      if (name == "AssumeRoleWithSAML") row.set<"auth_protocol_id">(5);
      if (name == "AssumeRoleWithWebIdentity") row.set<"auth_protocol_id">(4);
    } else if (name == "ConsoleLogin" || name == "UserAuthentication") {
      row.set<"logon_type_id">(2);  // Interactive
    }
    if (activity == 7) row.set<"account_switch_type_id">(1);
    if (e.source == kSts || e.source == kRolesAnywhere || e.source == kIdentityPools) {
      issued(row, e);
    } else {
      caller_as_user(row, e, additional_name);
    }
    finish(row, e);
  }

  static void switched_by(lm::Row<kAuthentication>& row, std::string_view arn) {
    const std::string_view account = lm::aws::arn_part(arn, 4), path = lm::aws::arn_part(arn, 5);
    const bool role = path.starts_with("assumed-role/"), user = path.starts_with("user/");
    row.set<"actor.user.uid">(arn);
    row.set<"actor.user.name">(lm::aws::arn_name(arn));
    row.set<"actor.user.type">(role ? "AssumedRole" : user ? "IAMUser" : path == "root" ? "Root" : "Unknown");
    row.set<"actor.user.type_id">(role ? 99 : user ? 1 : path == "root" ? 2 : 0);
    if (!account.empty()) row.set<"actor.user.account.uid">(account), row.set<"actor.user.account.type_id">(lm::aws::kAccountType);
  }

  // Keys and session of the record's identity are those of the role.
  static void switched_to(lm::Row<kAuthentication>& row, const Identity& user) {
    row.set<"session.credential_uid">(user.access_key ? user.access_key : user.credential);
    if (user.session_created) row.set<"session.created_time">(any_time(*user.session_created));
    if (user.session_mfa == "true" || user.session_mfa == "false") row.set<"session.is_mfa">(*user.session_mfa == "true");
    row.set<"session.issuer">(user.issuer_arn);
    row.set<"session.uid">(user.session_arn);
  }

  // What sort of factor, and the device, by its ARN or serial number.
  static void authentication_factor(lm::Row<kAuthentication>& row, std::string_view type, Text device) {
    int id = factor_type_id(type);
    if (type.empty() && device) id = device_factor_type_id(*device);
    auto factor = row.push<"auth_factors">();
    factor.set<"factor_type_id">(id);
    if (id == 99 && !type.empty()) factor.set<"factor_type">(type);
    if (device && !device->empty()) {
      factor.set<"device.uid">(device);
      factor.set<"device.type_id">(99);
    }
  }

  static int factor_type_id(std::string_view text) {
    if (text == "PASSWORD") return 11;
    if (text.find("EMAIL_OTP") != text.npos) return 8;
    if (text.find("TOTP") != text.npos || text == "Virtual MFA") return 7;
    if (text.find("WEBAUTHN") != text.npos) return 10;
    if (text == "U2F MFA") return 9;
    if (text == "Hardware MFA") return 6;
    return 99;
  }

  // A device without an ARN is one that is held in the hand.
  static int device_factor_type_id(std::string_view device) {
    if (device.find(":mfa/") != device.npos) return 7;
    if (device.find(":u2f/") != device.npos) return 9;
    return device.starts_with("arn:") ? 99 : 6;
  }

  // The one who is logged on is the caller.
  template <class Row>
  void caller_as_user(Row& row, const Event& e, Text other_name, Text other_uid = {}) {
    const Text uid = user_uid(*e.user) ? user_uid(*e.user) : other_uid;
    Text name = user_name(*e.user);
    if (!name && other_name && !hidden(*other_name)) name = other_name;
    const std::string_view account = e.user->account ? *e.user->account : account_of(e);
    if (!name && !uid && account.empty()) name = "unknown";  // the class needs a user
    row.template set<"user.name">(name);
    row.template set<"user.uid">(uid);
    if (e.user->principal && uid != e.user->principal) row.template set<"user.uid_alt">(e.user->principal);
    user_account(row, account);
    row.template set<"user.type">(e.user->type);
    row.template set<"user.type_id">(user_type_id(*e.user));
  }

  std::string_view account_of(const Event& e) const { return e.recipient.value_or(place_.account); }

  template <class Row>
  static void user_account(Row& row, std::string_view account) {
    if (account.empty()) return;
    row.template set<"user.account.uid">(account);
    row.template set<"user.account.type_id">(lm::aws::kAccountType);
  }

  // A session and its keys, as STS and the services before it hand them out.
  struct Issued {
    Text role_arn, session_name, federated_name, target, assumed_arn, assumed_id, access_key, expiration, identity;
    bool federated = false;

    void member(std::string_view key, Value& value) {
      if (key == "assumedRoleUser" || key == "federatedUser") {
        federated = key == "federatedUser";
        value.object([&](std::string_view inner, Value& v) {
          if (inner == "arn") assumed_arn = v.text();
          if (inner == "assumedRoleId" || inner == "federatedUserId") assumed_id = v.text();
        });
      } else if (key == "credentials") {
        value.object([&](std::string_view inner, Value& v) {
          if (inner == "accessKeyId") access_key = v.text();
          if (inner == "expiration") expiration = v.text();
        });
      } else if (key == "credentialSet") {  // of IAM Roles Anywhere; one as far as known
        value.array([&](Value& one) { one.object([&](std::string_view inner, Value& v) { member(inner, v); }); });
      } else if (key == "identityId") {
        identity = value.text();
      } else if (key == "roleArn" && !role_arn) {
        role_arn = value.text();
      }
    }
  };

  // The one who is logged on is who the caller becomes.
  void issued(lm::Row<kAuthentication>& row, const Event& e) {
    Issued i;
    if (e.request && e.request->front() == '{') {
      request_json_.read(*e.request, [&](std::string_view key, Value& value) {
        if (key == "roleArn") i.role_arn = value.text();
        if (key == "roleSessionName") i.session_name = value.text();
        if (key == "name") i.federated_name = value.text();
        if (key == "targetPrincipal") i.target = value.text();
        if (key == "identityId") i.identity = value.text();
      });
    }
    if (e.response && e.response->front() == '{')
      response_json_.read(*e.response, [&](std::string_view key, Value& value) { i.member(key, value); });

    // The ARN that the session has in what it does: a role's says so where the answer was left out.
    if (!i.assumed_arn && i.role_arn && i.session_name && succeeded(e)) i.assumed_arn = session_arn(*i.role_arn, *i.session_name);
    const std::string_view target = i.target.value_or("");
    const bool root = e.name == "AssumeRoot" && (lm::aws::is_account(target) || target.ends_with(":root"));
    if (root && lm::aws::is_account(target)) {
      const std::string_view partition = lm::aws::arn_part(e.user->arn.value_or(""), 1);
      scratch_.assign("arn:").append(partition.empty() ? "aws" : partition).append(":iam::").append(target).append(":root");
      i.target = std::string_view(scratch_);
    }
    const Text uid = i.assumed_arn ? i.assumed_arn : i.role_arn ? i.role_arn : i.target ? i.target : Denied::of(e.error_message).arn;
    const Text name = i.session_name ? i.session_name : i.federated_name;
    const bool federated = i.federated || e.name == "GetFederationToken";
    if (e.name == "GetSessionToken" || (!uid && !name)) {
      caller_as_user(row, e, std::nullopt, i.identity);
    } else {
      row.set<"user.uid">(uid);
      row.set<"user.name">(root ? Text("root") : name ? name : i.assumed_arn ? Text(lm::aws::arn_name(*i.assumed_arn)) : Text());
      row.set<"user.uid_alt">(i.assumed_id);
      row.set<"user.type">(root ? "Root" : federated ? "FederatedUser" : "AssumedRole");
      row.set<"user.type_id">(root ? 2 : federated ? 1 : 99);
      const std::string_view account = uid ? lm::aws::arn_part(*uid, 4) : std::string_view();
      user_account(row, account.empty() ? account_of(e) : account);
    }
    row.set<"session.credential_uid">(i.access_key);
    row.set<"session.uid">(i.assumed_arn);
    row.set<"session.uid_alt">(i.assumed_id);
    row.set<"session.issuer">(i.role_arn);
    if (i.expiration) {
      auto t = us_time(*i.expiration);
      row.set<"session.expiration_time">(t ? t : any_time(*i.expiration));
    }
  }

  // "arn:aws:iam::111122223333:role/path/Admin" and "me" -> "arn:aws:sts::111122223333:assumed-role/Admin/me".
  Text session_arn(std::string_view role, std::string_view session) {
    if (lm::aws::arn_part(role, 2) != "iam" || !lm::aws::arn_part(role, 5).starts_with("role/")) return std::nullopt;
    session_arn_.assign("arn:").append(lm::aws::arn_part(role, 1)).append(":sts::").append(lm::aws::arn_part(role, 4));
    session_arn_.append(":assumed-role/").append(lm::aws::arn_name(role)).append("/").append(session);
    return std::string_view(session_arn_);
  }

  void account_row(lm::Row<kAccount> row, const Event& e, std::int64_t time, int activity) {
    Text user, role, access_key, policy_arn, boundary, policy_name, document, new_name, serial, status, uid, uid_alt, principal_type,
        target;
    if (e.request && e.request->front() == '{') {
      request_json_.read(*e.request, [&](std::string_view key, Value& value) {
        static constexpr auto kKeys = lm::keys("userName", "roleName", "accessKeyId", "policyArn", "permissionsBoundary", "policyName",
                                               "policyDocument", "newUserName", "serialNumber", "status", "username", "userId",
                                               "principalId", "principalType", "permissionSetArn", "targetId");
        switch (kKeys.find(key)) {
          case kKeys.at("userName"):
          case kKeys.at("username"): user = value.text(); break;
          case kKeys.at("roleName"): role = value.text(); break;
          case kKeys.at("accessKeyId"): access_key = value.text(); break;
          case kKeys.at("policyArn"): policy_arn = value.text(); break;
          case kKeys.at("permissionsBoundary"): boundary = value.text(); break;
          case kKeys.at("policyName"): policy_name = value.text(); break;
          case kKeys.at("policyDocument"): document = value.text(); break;
          case kKeys.at("newUserName"): new_name = value.text(); break;
          case kKeys.at("serialNumber"): serial = value.text(); break;
          case kKeys.at("status"): status = value.text(); break;
          case kKeys.at("userId"):  // of IAM Identity Center
          case kKeys.at("principalId"): uid = value.text(); break;
          case kKeys.at("principalType"): principal_type = value.text(); break;
          case kKeys.at("permissionSetArn"): policy_arn = value.text(); break;
          case kKeys.at("targetId"): target = value.text(); break;
          default: break;
        }
      });
    }
    if (e.response && e.response->front() == '{') {
      response_json_.read(*e.response, [&](std::string_view key, Value& value) {
        if (key == "user" || key == "role") {
          value.object([&](std::string_view inner, Value& v) {
            if (inner == "userName") user = v.text();
            if (inner == "roleName") role = v.text();
            if (inner == "arn") uid = v.text();
            if (inner == "userId" || inner == "roleId") uid_alt = v.text();
          });
        } else if (key == "userId" && !uid) {
          uid = value.text();
        } else if (key == "virtualMFADevice") {
          value.object([&](std::string_view inner, Value& v) {
            if (inner == "serialNumber") serial = v.text();
          });
        } else if (key == "accessKey") {
          value.object([&](std::string_view inner, Value& v) {
            if (inner == "accessKeyId") access_key = v.text();
            if (inner == "userName" && !user) user = v.text();
          });
        }
      });
    }
    const std::string_view name = without_api_date(*e.name);
    if (activity == 2 && e.source == kIam) activity = status == "Inactive" ? 5 : status == "Active" ? 2 : 99;
    every(row, e, time);
    actor(row, e);
    call(row, e, activity);
    keep_resources(row, e);
    if (!user && !role && !uid) {
      const Denied denied = Denied::of(e.error_message);
      if (denied.kind == "user") user = denied.name, uid = denied.arn;
      if (denied.kind == "role") role = denied.name, uid = denied.arn;
    }
    if (!uid && e.source != kIam) uid = uid_alt, uid_alt = {};
    const Self self = acts_on_caller(*e.source, name);
    const bool known = user || role || uid;
    if (self == Self::always || (self == Self::unless_named && !known && succeeded(e))) {
      caller_as_user(row, e, std::nullopt);
    } else {
      const bool is_role = role && !user;
      const Text named = is_role ? role : user;
      const bool has_name = named && !hidden(*named);
      if (has_name) row.set<"user.name">(named);
      row.set<"user.uid">(uid);
      row.set<"user.uid_alt">(uid_alt);
      const std::string_view type = type_of_user(*e.source, principal_type.value_or(""), is_role);
      if (known) row.set<"user.type">(type), row.set<"user.type_id">(is_role || type == "Group" ? 99 : 1);
      const std::string_view account = target && lm::aws::is_account(*target) ? *target : account_of(e);
      user_account(row, account);
      if (account.empty() && !has_name && !uid) row.set<"user.name">("unknown");  // the class needs a user
    }
    if (access_key && !access_key->empty()) {
      auto key = row.push<"user.programmatic_credentials">();
      key.set<"uid">(access_key);
      key.set<"type">("AWS access key");
    }
    const Text policy = policy_arn ? policy_arn : boundary;
    if (policy || policy_name) {
      auto p = row.push<"policies">();
      p.set<"uid">(policy);
      p.set<"name">(policy_name);
      if (document) p.set<"data">(policy_document(*document));
    }
    row.set<"user_result.name">(new_name);
    if (serial && !serial->empty()) {
      auto f = row.push<"auth_factors">();
      f.set<"factor_type_id">(device_factor_type_id(*serial));
      f.set<"device.uid">(serial);
      f.set<"device.type_id">(99);
    }
    finish(row, e);
  }

  // What the accounts of a service are; `principal_type` is IAM Identity Center's.
  static std::string_view type_of_user(std::string_view source, std::string_view principal_type, bool is_role) {
    if (source == kIdp) return "Cognito";
    if (source == kStore || source == kDirectory || source == kSso) return principal_type == "GROUP" ? "Group" : "IdentityCenterUser";
    return is_role ? "Role" : "IAMUser";
  }

  // A string that holds JSON, sometimes percent-encoded; as JSON text. What is no JSON stays a string as it was written, and so does what was encoded beyond ASCII: it need not be
  // UTF-8.
  std::string_view policy_document(std::string_view text) {
    if (document_json_.valid(text)) return text;
    if (text.starts_with('%')) {
      const std::string_view decoded = lm::http::percent_decoded(text, document_);
      const bool ascii = std::all_of(decoded.begin(), decoded.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
      if (ascii && document_json_.valid(decoded)) return decoded;
    }
    quoted_.clear();
    lm::json::append_quoted(quoted_, text);
    return quoted_;
  }

  void group_row(lm::Row<kGroup> row, const Event& e, std::int64_t time, int activity) {
    Text group, user, policy_arn, policy_name, uid;
    if (e.request && e.request->front() == '{') {
      request_json_.read(*e.request, [&](std::string_view key, Value& value) {
        if (key == "groupName") group = value.text();
        if (key == "userName") user = value.text();
        if (key == "policyArn") policy_arn = value.text();
        if (key == "policyName") policy_name = value.text();
      });
    }
    if (e.response && e.response->front() == '{') {
      response_json_.read(*e.response, [&](std::string_view key, Value& value) {
        if (key != "group") return;
        value.object([&](std::string_view inner, Value& v) {
          if (inner == "groupName") group = v.text();
          if (inner == "arn") uid = v.text();
        });
      });
    }
    every(row, e, time);
    actor(row, e);
    call(row, e, activity);
    keep_resources(row, e);
    if (!group) {
      const Denied denied = Denied::of(e.error_message);
      if (denied.kind == "group") group = denied.name, uid = denied.arn;
    }
    row.set<"group.name">(group.value_or("unknown"));  // the class needs a group; a denied call need not say which
    row.set<"group.uid">(uid);
    if (user && !hidden(*user)) row.set<"user.name">(user);
    if (policy_arn) row.push<"privileges">(*policy_arn);
    if (policy_name) row.push<"privileges">(*policy_name);
    finish(row, e);
  }

  // Insights: one finding at the start of unusual activity, one at its end.
  void insight_row(lm::Row<kFinding> row, const Event& e, std::int64_t time) {
    Text state, source, name, type, insight_average, baseline_average;
    users_.clear(), targets_.clear();
    if (e.insight && e.insight->front() == '{') {
      request_json_.read(*e.insight, [&](std::string_view key, Value& value) {
        if (is(key, "state")) state = value.text();
        if (is(key, "eventSource")) source = value.text();
        if (is(key, "eventName")) name = value.text();
        if (is(key, "insightType")) type = value.text();
        if (!is(key, "insightContext")) return;
        value.object([&](std::string_view inner, Value& v) {
          if (inner == "statistics") {
            v.object([&](std::string_view which, Value& statistics) {
              if (which != "insight" && which != "baseline") return;
              statistics.object([&](std::string_view member, Value& number) {
                if (member == "average" && number.type() == Type::number)
                  (which == "insight" ? insight_average : baseline_average) = number.raw();
              });
            });
          } else if (inner == "attributions") {
            v.array([&](Value& attribution) { attributed(attribution); });
          }
        });
      });
    }
    every(row, e, time);
    row.set<"activity_id">(state == "End" ? 3 : 1);  // Close, Create
    row.set<"status_id">(state == "End" ? 4 : 1);    // Resolved, New
    row.set<"severity_id">(3);                       // Medium: the service gives none
    row.set<"is_alert">(true);
    row.set<"metadata.correlation_uid">(e.shared_id);
    row.set<"metadata.event_code">(name);
    row.set<"finding_info.uid">(e.shared_id ? *e.shared_id : e.event_id.value_or("unknown"));
    scratch_.assign(type.value_or("Insight"));
    if (name) scratch_.append(": ").append(*name);
    row.set<"finding_info.title">(scratch_);
    if (type) row.push<"finding_info.types">(*type);
    row.set<"finding_info.analytic.type_id">(3);  // Statistical
    row.set<"finding_info.analytic.name">(type);
    if (state != "End") row.set<"finding_info.first_seen_time">(time);
    // An analysis has a target and an anomaly in OCSF; what one without them says stays in `insightDetails`.
    if ((source || name) && insight_average) {
      auto analysis = row.push<"anomaly_analyses">();
      if (source) {
        auto target = analysis.push<"analysis_targets">();
        target.set<"name">(source), target.set<"type">("service");
      }
      if (name) {
        auto target = analysis.push<"analysis_targets">();
        target.set<"name">(name), target.set<"type">("api");
      }
      const std::string_view parameter = type == "ApiErrorRateInsight" ? "errors per minute" : "calls per minute";
      auto anomaly = analysis.push<"anomalies">();
      anomaly.set<"observation_parameter">(parameter);
      anomaly.push<"observations">().set<"value">(insight_average);
      if (baseline_average) {
        auto baseline = analysis.push<"baselines">();
        baseline.set<"observation_parameter">(parameter);
        baseline.push<"observations">().set<"value">(baseline_average);
      }
    }
    const auto evidence = [&](Text user) {
      auto item = row.push<"evidences">();
      item.set<"api.operation">(name);
      if (name) item.set<"api.service.name">(source);
      item.set<"actor.user.uid">(user);
    };
    for (const std::string& user : users_) evidence(std::string_view(user));
    if (users_.empty() && name) evidence(std::nullopt);
    for (const std::string& target : targets_) row.push<"resources">().set<"uid">(target);
    keep_call(e);
    finish(row, e);
  }

  // {"attribute": "userIdentityArn", "insight": [{"value": ..., "average": ...}], "baseline": [...]}
  void attributed(Value& attribution) {
    Text attribute;
    attribution.object([&](std::string_view key, Value& value) {
      if (key == "attribute") attribute = value.text();
      if (key != "insight") return;
      value.array([&](Value& item) {
        item.object([&](std::string_view member, Value& v) {
          const auto text = member == "value" ? v.text() : std::nullopt;
          if (!text || *text == "null" || text->empty()) return;
          if (attribute == "userIdentityArn") users_.emplace_back(*text);
          if (attribute == "resourceArn") targets_.emplace_back(*text);
        });
      });
    });
  }

  // Of events that are no calls, what they yet have of a call goes to `unmapped`.
  void keep_call(const Event& e) {
    const auto keep = [&](std::string_view key, const Text& value) {
      if (value) rest_.add_text(key, *value);
    };
    if (!e.user->raw.empty() && e.user->raw != "{}") rest_.add("userIdentity", e.user->raw);
    if (e.host_header) keep_host(*e.host_header);
    keep("eventName", e.name), keep("eventSource", e.source), keep("sourceIPAddress", e.address), keep("userAgent", e.agent),
        keep("errorCode", e.error);
    keep("errorMessage", e.error_message), keep("requestID", e.request_id), keep("apiVersion", e.api_version),
        keep("vpcEndpointId", e.endpoint);
    if (e.request) rest_.add("requestParameters", *e.request);
    if (e.response) rest_.add("responseElements", *e.response);
    if (e.resources) rest_.add("resources", *e.resources);
  }

  void aggregated_row(lm::Row<kBase> row, const Event& e, std::int64_t time) {
    std::int64_t count = 0;
    bool counted = false, counted_all = true;
    Text dimension;
    if (e.summary && e.summary->front() == '{') {
      request_json_.read(*e.summary, [&](std::string_view key, Value& value) {
        if (!is(key, "primaryDimension")) return;
        value.object([&](std::string_view inner, Value& v) {
          if (inner == "dimension") dimension = v.text();
          if (is(inner, "aggregationType")) counted = v.text() == "Count";
          if (inner != "statistics") return;
          v.array([&](Value& item) {
            item.object([&](std::string_view member, Value& number) {
              if (member != "value") return;
              const auto n = number.integer();
              counted_all = counted_all && n && *n >= 0 && *n <= INT32_MAX;
              count += counted_all ? *n : 0;
            });
          });
        });
      });
    }
    every(row, e, time);
    row.set<"activity_id">(99);
    row.set<"activity_name">("Aggregated");
    row.set<"severity_id">(1);
    row.set<"metadata.correlation_uid">(e.shared_id);
    row.set<"start_time">(time);
    if (e.window_end) row.set<"end_time">(any_time(*e.window_end));
    if (counted && counted_all) row.set<"count">(count);  // one that 32 bits cannot hold stays in `unmapped`
    scratch_.assign(e.source.value_or("unknown service"));
    if (dimension) scratch_.append(" by ").append(*dimension);
    row.set<"message">(scratch_);
    keep_call(e);
    finish(row, e);
  }

  lm::json::Reader json_, request_json_, response_json_, additional_json_, document_json_;
  lm::json::ObjectWriter rest_, identity_rest_, session_rest_, inner_, tls_rest_;
  std::string scratch_, session_arn_, document_, quoted_;
  Identity identity_;                // the last one that was read
  bool identity_holds_ = false;      // it may be that of the next record of this block
  std::vector<Resource> resources_;  // of the record at hand
  bool resources_odd_ = false;       // there is more to them
  std::vector<std::string> users_, targets_;
  std::unordered_map<std::string, Choice> choices_;
  lm::aws::Place place_;
};

// Digest files list the log files of an hour with their hashes; they hold no events.
struct CloudTrailDigest {
  static constexpr lm::Descriptor descriptor{.id = "aws.cloudtrail_digest",
                                             .title = "AWS CloudTrail digest",
                                             .vendor = "AWS",
                                             .version = "1.0.0",
                                             .reads = "a digest file: hashes of log files, no events",
                                             .framing = lm::Framing::json,
                                             .kind = lm::Kind::set_aside};
  static constexpr auto keys =
      lm::strings("AWSLogs/{account}/CloudTrail-Digest/{region}/**", "AWSLogs/{org}/{account}/CloudTrail-Digest/{region}/**");
  static int score(lm::Sample s) {
    const lm::json::Outline outline(s);
    return outline.document("digestStartTime") && outline.document("digestS3Object") ? 95 : 0;
  }
};

// Notices that an object was written, as queues deliver them; they hold no events.
struct S3Notification {
  static constexpr lm::Descriptor descriptor{.id = "aws.s3_notification",
                                             .title = "S3 event notification",
                                             .vendor = "AWS",
                                             .version = "1.0.0",
                                             .reads = "a notice that objects were written, no events",
                                             .framing = lm::Framing::json,
                                             .kind = lm::Kind::set_aside};
  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "Records");
    if (outline.record_text("eventSource") == "aws:s3" && outline.record("eventName") && outline.record("s3")) return 95;
    return outline.document("s3Bucket") && outline.document("s3ObjectKey") ? 90 : 0;
  }
};

LOGMILL_PARSERS(CloudTrail, CloudTrailDigest, S3Notification)
