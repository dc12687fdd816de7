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
                                                            {"user.uid"},
                                                            {"user.name"},
                                                            {"user.uid_alt"},
                                                            {"user.type"},
                                                            {"user.type_id"},
                                                            {"user.account.uid"},
                                                            {"user.account.type_id"},
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
  Text host_header, addendum_original, request, response, additional, service_details, resources, insight;
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

lm::Maybe<std::int64_t> any_time(std::string_view text) {
  auto t = lm::time::rfc3339(text, true);
  if (!t) t = lm::time::iso_basic(text);
  return t && lm::time::plausible(*t) ? t : std::nullopt;
}

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
    rest_.clear();
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
        case kKeys.at("requestParameters"): r.json(e.request); break;
        case kKeys.at("responseElements"): r.json(e.response); break;
        case kKeys.at("additionalEventData"):
          r.json(e.additional);
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
          r.json(e.insight);
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
          r.json(e.service_details);
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
    whole.object(tls_rest_, [&](const Reading& r) {
      if (is(r.key, "clientProvidedHostHeader")) return r.text(e.host_header);
      if (!is(r.key, "tlsVersion") && !is(r.key, "cipherSuite")) record.drift("tlsDetails", r.key);
      r.keep();
    });
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
    if (!user.rest.empty()) rest_.add("userIdentity", user.rest);
    const Text name = user_name(user), uid = user_uid(user);
    row.template set<"actor.user.name">(name);
    row.template set<"actor.user.uid">(uid);
    if (name || uid || user.account) {
      row.template set<"actor.user.type">(user.type);
      row.template set<"actor.user.type_id">(user_type_id(user));
    } else if (user.type) {
      rest_.add_text("userIdentity.type", *user.type);  // a user of whom nothing else is known is none in OCSF
    }
    if (user.principal && uid != user.principal) {
      if (user.type == "IdentityCenterUser") {
        rest_.add_text("userIdentity.principalId", *user.principal);  // the directory's number for the user, which the uid already is
      } else {
        row.template set<"actor.user.uid_alt">(user.principal);
      }
    }
    if (user.account) {
      row.template set<"actor.user.account.uid">(user.account);
      row.template set<"actor.user.account.type_id">(lm::aws::kAccountType);
    }
    if (user.access_key && (name || uid || user.account)) {
      auto key = row.template push<"actor.user.programmatic_credentials">();
      key.template set<"uid">(user.access_key);
      key.template set<"type">("AWS access key");
    } else if (user.access_key) {
      rest_.add_text("userIdentity.accessKeyId", *user.access_key);
    }
    row.template set<"actor.session.credential_uid">(user.credential);
    if (user.session_created) row.template set<"actor.session.created_time">(any_time(*user.session_created));
    if (user.session_mfa == "true" || user.session_mfa == "false") row.template set<"actor.session.is_mfa">(*user.session_mfa == "true");
    row.template set<"actor.session.issuer">(user.issuer_arn);
    row.template set<"actor.session.uid">(user.session_arn);
    row.template set<"actor.idp.name">(user.provider ? user.provider : user.federated_provider);
    row.template set<"actor.idp.uid">(user.on_behalf_store);
    row.template set<"actor.app_name">(user.invoked_by);
    if (!user.invoked_by && !name && !uid && !user.account) row.template set<"actor.app_name">(e.source);
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
      rest_.add_text("tlsDetails.clientProvidedHostHeader", *e.host_header);
    }
  }

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
  void finish(Row& row) {
    if (const auto rest = rest_.finish(); !rest.empty()) row.template set<"unmapped">(rest);
  }

  void api_row(lm::Row<kApi> row, const Event& e, std::int64_t time, int activity) {
    if ((activity == 1 || activity == 3 || activity == 4 || activity == 99) && e.read_only == true) activity = 2;
    every(row, e, time);
    actor(row, e);
    call(row, e, activity);
    resources(row, e);
    finish(row);
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
        resource.set<"name">(lm::aws::arn_name(*uid));
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
    actor(row, e);
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
          if (e.host_header && *e.host_header != host) rest_.add_text("tlsDetails.clientProvidedHostHeader", *e.host_header);
          row.set<"dst_endpoint.hostname">(host);
        }
      }
    }
    const auto strong = [](std::string_view text) {
      return text.find("TOTP") != text.npos || text.find("WEBAUTHN") != text.npos || text.find("EMAIL_OTP") != text.npos;
    };
    if (mfa_used && (lm::equals_ignoring_case(*mfa_used, "yes") || lm::equals_ignoring_case(*mfa_used, "no"))) {
      row.set<"is_mfa">(lm::equals_ignoring_case(*mfa_used, "yes"));
    } else if (credential_type && (e.name == "UserAuthentication" || e.name == "CredentialVerification")) {
      row.set<"is_mfa">(strong(*credential_type));
    } else if (e.user->session_mfa == "true" || e.user->session_mfa == "false") {
      row.set<"is_mfa">(*e.user->session_mfa == "true");
    }
    for (const Text& factors : {credential_type, mfa_type, mfa_identifier}) {
      for (std::string_view rest = factors.value_or(""); !rest.empty();) {
        const std::string_view factor = lm::before(rest, ',');
        rest.remove_prefix(std::min(factor.size() + 1, rest.size()));
        if (factor.empty()) continue;
        auto f = row.push<"auth_factors">();
        f.set<"factor_type_id">(factor_type_id(factor));
        f.set<"factor_type">(factor);
      }
    }
    const std::string_view name = *e.name;
    if (e.source == kSts) {
      row.set<"logon_type_id">(3);  // Network
      if (name == "AssumeRoleWithSAML") row.set<"auth_protocol_id">(5);
      if (name == "AssumeRoleWithWebIdentity") row.set<"auth_protocol_id">(4);
    } else if (name == "ConsoleLogin" || name == "UserAuthentication") {
      row.set<"logon_type_id">(2);  // Interactive
    }
    if (activity == 7) row.set<"account_switch_type_id">(1);
    // The record's identity is the role that was switched to; the actor is who switched, of whom the ARN is all that is known.
    if (switch_from && activity == 7 && switch_from->starts_with("arn:")) switched_by(row, *switch_from);

    if (e.source == kSts && name != "GetSessionToken") {
      assumed_user(row, e);
    } else {
      caller_as_user(row, e, additional_name);
    }
    finish(row);
  }

  static void switched_by(lm::Row<kAuthentication>& row, std::string_view arn) {
    const std::string_view account = lm::aws::arn_part(arn, 4), path = lm::aws::arn_part(arn, 5);
    const bool role = path.starts_with("assumed-role/"), user = path.starts_with("user/");
    row.set<"actor.user.uid">(arn);
    row.set<"actor.user.name">(lm::aws::arn_name(arn));
    row.set<"actor.user.type">(role ? "AssumedRole" : user ? "IAMUser" : path == "root" ? "Root" : "Unknown");
    row.set<"actor.user.type_id">(role ? 99 : user ? 1 : path == "root" ? 2 : 0);
    row.set<"actor.user.uid_alt">(arn);
    if (!account.empty()) row.set<"actor.user.account.uid">(account), row.set<"actor.user.account.type_id">(lm::aws::kAccountType);
  }

  static int factor_type_id(std::string_view text) {
    if (text == "PASSWORD") return 11;
    if (text.find("EMAIL_OTP") != text.npos) return 8;
    if (text.find("TOTP") != text.npos || text == "Virtual MFA" || text.find(":mfa/") != text.npos) return 7;
    if (text.find("WEBAUTHN") != text.npos) return 10;
    if (text == "U2F MFA" || text.find(":u2f/") != text.npos) return 9;
    if (text == "Hardware MFA") return 6;
    return 99;
  }

  // The one who is logged on is the caller.
  template <class Row>
  void caller_as_user(Row& row, const Event& e, Text other_name) {
    const Text uid = user_uid(*e.user);
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

  // STS: the one who is logged on is who the caller becomes.
  void assumed_user(lm::Row<kAuthentication>& row, const Event& e) {
    Text role_arn, session_name, federated_name, target;
    if (e.request && e.request->front() == '{') {
      request_json_.read(*e.request, [&](std::string_view key, Value& value) {
        if (key == "roleArn") role_arn = value.text();
        if (key == "roleSessionName") session_name = value.text();
        if (key == "name") federated_name = value.text();
        if (key == "targetPrincipal") target = value.text();
      });
    }
    Text assumed_arn, assumed_id, access_key, expiration;
    if (e.response && e.response->front() == '{') {
      response_json_.read(*e.response, [&](std::string_view key, Value& value) {
        if (key == "assumedRoleUser" || key == "federatedUser") {
          value.object([&](std::string_view inner, Value& v) {
            if (inner == "arn") assumed_arn = v.text();
            if (inner == "assumedRoleId" || inner == "federatedUserId") assumed_id = v.text();
          });
        } else if (key == "credentials") {
          value.object([&](std::string_view inner, Value& v) {
            if (inner == "accessKeyId") access_key = v.text();
            if (inner == "expiration") expiration = v.text();
          });
        }
      });
    }
    Text uid = assumed_arn ? assumed_arn : role_arn ? role_arn : target;
    if (!uid && e.error_message) {
      static constexpr std::string_view kMark = "on resource: ";
      if (const std::size_t at = e.error_message->find(kMark); at != std::string_view::npos) {
        const std::string_view rest = e.error_message->substr(at + kMark.size());
        const std::string_view arn = rest.substr(0, rest.find_first_of(" \"'"));
        if (arn.starts_with("arn:")) uid = arn;
      }
    }
    const Text name = session_name ? session_name : federated_name;
    if (!uid && !name) return caller_as_user(row, e, std::nullopt);
    row.set<"user.uid">(uid);
    row.set<"user.name">(name);
    row.set<"user.uid_alt">(assumed_id);
    row.set<"user.type">(e.name == "GetFederationToken" ? "FederatedUser" : "AssumedRole");
    row.set<"user.type_id">(e.name == "GetFederationToken" ? 1 : 99);
    std::string_view account = uid ? lm::aws::arn_part(*uid, 4) : std::string_view();
    if (target && target->size() == 12 && lm::integer(*target)) account = *target;  // AssumeRoot into an account
    user_account(row, account.empty() ? account_of(e) : account);
    row.set<"session.credential_uid">(access_key);
    row.set<"session.uid">(assumed_arn);
    row.set<"session.uid_alt">(assumed_id);
    row.set<"session.issuer">(role_arn);
    if (expiration) {
      auto t = us_time(*expiration);
      row.set<"session.expiration_time">(t ? t : any_time(*expiration));
    }
  }

  void account_row(lm::Row<kAccount> row, const Event& e, std::int64_t time, int activity) {
    Text user, role, access_key, policy_arn, boundary, policy_name, document, new_name, serial, status;
    if (e.request && e.request->front() == '{') {
      request_json_.read(*e.request, [&](std::string_view key, Value& value) {
        static constexpr auto kKeys = lm::keys("userName", "roleName", "accessKeyId", "policyArn", "permissionsBoundary", "policyName",
                                               "policyDocument", "newUserName", "serialNumber", "status", "username");
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
          default: break;
        }
      });
    }
    Text uid, uid_alt;
    if (e.response && e.response->front() == '{') {
      response_json_.read(*e.response, [&](std::string_view key, Value& value) {
        if (key == "user" || key == "role") {
          value.object([&](std::string_view inner, Value& v) {
            if (inner == "userName") user = v.text();
            if (inner == "roleName") role = v.text();
            if (inner == "arn") uid = v.text();
            if (inner == "userId" || inner == "roleId") uid_alt = v.text();
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
    const bool on_self = name == "ChangePassword" || name == "PasswordUpdated";
    const bool is_role = role && !user;
    if (on_self || (!user && !role)) {
      caller_as_user(row, e, std::nullopt);
    } else {
      const Text target = is_role ? role : user;
      if (!hidden(*target)) row.set<"user.name">(target);
      row.set<"user.uid">(uid);
      row.set<"user.uid_alt">(uid_alt);
      row.set<"user.type">(is_role ? "Role" : "IAMUser");
      row.set<"user.type_id">(is_role ? 99 : 1);
      user_account(row, account_of(e));
      if (account_of(e).empty() && hidden(*target)) caller_as_user(row, e, std::nullopt);
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
      f.set<"factor_type_id">(serial->find(":mfa/") != std::string_view::npos ? 7 : 99);  // a virtual device has an ARN
      f.set<"device.uid">(serial);
      f.set<"device.type_id">(99);
    }
    finish(row);
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
    row.set<"group.name">(group.value_or("unknown"));  // the class needs a group; a denied call does not say which
    row.set<"group.uid">(uid);
    if (user && !hidden(*user)) row.set<"user.name">(user);
    if (policy_arn) row.push<"privileges">(*policy_arn);
    if (policy_name) row.push<"privileges">(*policy_name);
    finish(row);
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
    finish(row);
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
    keep("tlsDetails.clientProvidedHostHeader", e.host_header);
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
    finish(row);
  }

  lm::json::Reader json_, request_json_, response_json_, additional_json_, document_json_;
  lm::json::ObjectWriter rest_, identity_rest_, session_rest_, inner_, tls_rest_;
  std::string scratch_, document_, quoted_;
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
