// Sign-ins to Microsoft Entra ID: of users, interactive or not, of applications, of managed identities, and through federation servers.
// Source: Microsoft, "Interpret the Microsoft Entra sign-in logs schema in Azure Monitor"; Microsoft Graph, resource type signIn; Azure Monitor tables SigninLogs,
// AADNonInteractiveUserSignInLogs, AADServicePrincipalSignInLogs, AADManagedIdentitySignInLogs and ADFSSignInLogs.
//
// One pass reads a record into views (SignIn). A member is the same one in any case, in `properties`, in a row of Log Analytics, or in an object of Microsoft Graph; what has no
// place in OCSF goes to `unmapped` where it stood.
#include <logmill/sdk.hpp>
#include <logmill/sdk/azure.hpp>
#include <logmill/sdk/fields.hpp>

#include <algorithm>
#include <vector>

namespace ocsf = lm::ocsf::v1_8;
namespace azure = lm::azure;

namespace {

using lm::Text;
using lm::azure::Named;
using lm::json::Field;
using lm::json::Type;
using lm::json::Value;

constexpr auto kSignIn = lm::table(ocsf::authentication, lm::profiles("cloud", "security_control"),
                                   azure::kEvery + lm::columns({lm::constant("metadata.product.name", "Microsoft Entra ID"),
                                                                {"duration"},
                                                                {"status"},
                                                                {"status_id"},
                                                                {"status_code"},
                                                                {"status_detail"},
                                                                {"user.uid"},
                                                                {"user.name"},
                                                                {"user.display_name"},
                                                                {"user.email_addr"},
                                                                {"user.domain"},
                                                                {"user.programmatic_credentials[].type"},
                                                                {"user.programmatic_credentials[].uid"},
                                                                {"user.type"},
                                                                {"user.type_id"},
                                                                {"user.org.uid"},
                                                                lm::same("actor.user.uid", "user.uid"),
                                                                lm::same("actor.user.name", "user.name"),
                                                                {"actor.app_name"},
                                                                {"actor.app_uid"},
                                                                {"actor.idp.name"},
                                                                {"actor.idp.issuer"},
                                                                lm::same("actor.idp.tenant_uid", "metadata.tenant_uid"),
                                                                {"service.name"},
                                                                {"service.uid"},
                                                                {"src_endpoint.ip"},
                                                                {"src_endpoint.port"},
                                                                {"src_endpoint.intermediate_ips[]"},
                                                                {"src_endpoint.uid"},
                                                                {"src_endpoint.name"},
                                                                {"src_endpoint.autonomous_system.number"},
                                                                {"src_endpoint.location.city"},
                                                                {"src_endpoint.location.region"},
                                                                {"src_endpoint.location.country"},
                                                                {"src_endpoint.location.lat"},
                                                                {"src_endpoint.location.long"},
                                                                {"src_endpoint.os.name"},
                                                                {"src_endpoint.os.type_id"},
                                                                {"http_request.user_agent"},
                                                                {"auth_protocol"},
                                                                {"auth_protocol_id"},
                                                                {"auth_factors[].factor_type"},
                                                                {"auth_factors[].factor_type_id"},
                                                                {"authentication_token.type"},
                                                                {"authentication_token.type_id"},
                                                                {"is_mfa"},
                                                                lm::constant("is_remote", "true"),
                                                                {"logon_type"},
                                                                {"logon_type_id"},
                                                                lm::plain("session.uid"),
                                                                lm::plain("session.uid_alt"),
                                                                lm::same("session.issuer", "actor.idp.name"),
                                                                {"action_id"},
                                                                {"disposition_id"},
                                                                {"authorizations[].decision"},
                                                                {"authorizations[].policy.uid"},
                                                                {"authorizations[].policy.name"},
                                                                {"risk_level"},
                                                                {"risk_level_id"},
                                                                {"risk_details"}}));

using SignInRow = lm::Row<kSignIn>;

// Who signs in. Categories that are none of these yet end in "SignInLogs" too.
enum class Who { user, application, managed_identity };

constexpr bool is_sign_in(std::string_view category) { return azure::ends_ignoring_case(category, "SignInLogs"); }

struct SignIn {
  Named created, id, correlation, tenant, outcome;
  Named user_id, user_name, display_name, user_type, sign_in_identifier, alternate_name, home_tenant;
  Named principal_id, principal_name, credential, credential_type;
  Text app, app_id, service, service_id, agent, protocol, session, token, issuer_name, issuer_type, event_type;
  Named address, requirement, access, token_type, risk_level;
  Text risk_detail, risk_state;
  lm::Maybe<std::int64_t> system_number;
  // of status
  Text error, reason, additional;
  // of location, which makes an endpoint only beside an address or a device
  Named city, state, country;
  lm::Maybe<double> latitude, longitude;
  // of deviceDetail
  Text device, device_name;
  Named system;
  bool events = false, factors = false, policies = false, risks = false;
};

// The flow goes on after these: the user is asked for more, or for it once again.
bool is_interrupt(std::int64_t code) {
  constexpr std::int64_t kCodes[] = {16000, 50058, 50072, 50074, 50076, 50079, 50097, 50125, 50127, 50129, 50140, 50199, 65001};
  return std::binary_search(std::begin(kCodes), std::end(kCodes), code);
}

int factor_type_id(std::string_view method) {
  struct Factor {
    std::string_view word;
    int id;
  };
  constexpr Factor kFactors[] = {{"passwordless", 99},     {"password", 11},     {"text message", 1}, {"sms", 1},     {"phone call", 3},
                                 {"phonecall", 3},         {"voice", 3},         {"notification", 5}, {"push", 5},    {"email", 8},
                                 {"verification code", 7}, {"oath", 7},          {"otp", 7},          {"fido", 10},   {"passkey", 10},
                                 {"webauthn", 10},         {"windows hello", 4}, {"biometric", 4},    {"hardware", 6}};
  for (const Factor& f : kFactors) {
    if (azure::contains_ignoring_case(method, f.word)) return f.id;
  }
  return 99;
}

int os_type_id(std::string_view name) {
  struct System {
    std::string_view prefix;
    int id;
  };
  constexpr System kSystems[] = {{"windows", 100}, {"android", 201}, {"ios", 301}, {"ipados", 302}, {"mac", 300}, {"linux", 200}};
  for (const System& s : kSystems) {
    if (lm::equals_ignoring_case(name.substr(0, s.prefix.size()), s.prefix)) return s.id;
  }
  return 0;
}

int protocol_id(std::string_view protocol) {
  static constexpr auto kProtocols = azure::keys("oAuth2", "ropc", "deviceCode", "saml20");
  switch (kProtocols.find(protocol)) {
    case kProtocols.at("saml20"): return 5;
    case -1: return 99;
    default: return 6;  // OAUTH 2.0
  }
}

int token_type_id(std::string_view type) {
  if (azure::ends_ignoring_case(type, "refreshToken")) return 4;
  return lm::equals_ignoring_case(type.substr(0, 4), "saml") ? 5 : 99;
}

}  // namespace

struct EntraSignIn {
  static constexpr lm::Descriptor descriptor{
      .id = "azure.entra_signin",
      .title = "Microsoft Entra sign-in logs",
      .vendor = "Microsoft",
      .version = "1.0.0",
      .reads =
          "Sign-ins as resource logs (JSON lines, records), rows of Log Analytics or of the portal's CSV, or objects of Microsoft Graph",
      .framing = lm::Framing::json,
      .envelope = "records"};

  static constexpr auto keys =
      lm::strings("insights-logs-signinlogs/**", "insights-logs-noninteractiveusersigninlogs/**",
                  "insights-logs-serviceprincipalsigninlogs/**", "insights-logs-managedidentitysigninlogs/**",
                  "insights-logs-adfssigninlogs/**", "am-signinlogs/**", "am-aadnoninteractiveusersigninlogs/**",
                  "am-aadserviceprincipalsigninlogs/**", "am-aadmanagedidentitysigninlogs/**", "am-adfssigninlogs/**");

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "records");
    const int sure = outline.clean() ? 95 : 85;
    for (const std::string_view name : {"category", "Category", "CATEGORY", "Type", "type"}) {
      if (const Text category = outline.record_text(name); category && is_sign_in(*category)) return sure;
    }
    for (const std::string_view name : {"category", "Category", "operationName"}) {
      if (outline.record(name)) return 0;
    }
    if (outline.record("Date (UTC)") && outline.record("Sign-in error code")) return sure;
    // Microsoft Graph has no envelope.
    return outline.record_text("createdDateTime") && outline.record("appId") && outline.record("status") &&
                   (outline.record("userPrincipalName") || outline.record("servicePrincipalId") || outline.record("resourceDisplayName"))
               ? sure
               : 0;
  }

  void parse(lm::Record record, lm::Rows<kSignIn>& rows) {
    SignIn e;
    foreign_ = nested_ = portal_ = false;
    location_key_ = "location", device_key_ = "deviceDetail";
    envelope_.clear(), inner_.clear();
    for (auto* writer : {&rest_, &properties_rest_, &location_rest_, &device_rest_}) writer->clear();
    factors_.clear(), policies_.clear(), risks_.clear();
    const bool read = json_.read(record.text(), [&](std::string_view key, Value& value) {
      if (foreign_) return;
      const Field f{rest_, key, value};
      if (lm::equals_ignoring_case(key, "properties")) {
        nested_ = true;
        return azure::object(f, inner_, properties_rest_, [&](const Field& m) { member(record, e, m); });
      }
      if (portal_ && key == "Resource") return azure::text(f, e.service);
      if (envelope_.take(f)) {
        const Text what = envelope_.category ? envelope_.category : envelope_.table;
        foreign_ = what && !is_sign_in(*what) && !(envelope_.table && is_sign_in(*envelope_.table));
        return;
      }
      member(record, e, f);
    });
    if (!read && !foreign_) return record.reject(json_);
    if (foreign_ || (!envelope_.category && !envelope_.table && !(e.created.value && (e.error || e.app_id || e.user_id.value))))
      return record.reject(lm::foreign, "'category' is none of sign-ins, nor has it 'createdDateTime', 'appId' and 'status'");
    const azure::Times times(e.created.value, envelope_.time);
    if (!times.event) return record.reject(lm::malformed, "neither 'createdDateTime' nor 'time' is a time");
    envelope_.finish(rest_);

    auto row = rows.begin(record);
    times.set(row);
    if (times.own_unread) e.created.keep(own());
    if (times.envelope_unread) envelope_.keep(rest_, envelope_.is_row() ? "TimeGenerated" : "time", envelope_.time);
    row.set<"activity_id">(1);  // Logon
    row.set<"duration">(envelope_.milliseconds());
    if (envelope_.duration && !envelope_.milliseconds() && *envelope_.duration != "0")
      envelope_.keep(rest_, "durationMs", envelope_.duration);
    row.set<"metadata.original_event_uid">(e.id.value);
    names(row, e);
    result(row, e);
    const Who who = user(row, e);
    service(row, e);
    source(row, e);
    how(row, e, who);
    access(row, e);
    risk(row, e);

    Field::close(own(), location_key_, location_rest_);
    Field::close(own(), device_key_, device_rest_);
    Field::close(rest_, "properties", properties_rest_);
    if (const auto rest = rest_.finish(); !rest.empty()) row.set<"unmapped">(rest);
  }

 private:
  // ---- Reading ----

  // Where members stood that turn out to have no place.
  lm::json::ObjectWriter& own() { return nested_ ? properties_rest_ : rest_; }

  void member(lm::Record record, SignIn& e, const Field& f) {
    static constexpr auto kKeys = azure::keys(
        "id", "createdDateTime", "userDisplayName", "userPrincipalName", "userId", "userType", "appId", "appDisplayName",
        "resourceDisplayName", "resourceId", "resourceIdentity", "homeTenantId", "ipAddress", "autonomousSystemNumber", "location",
        "locationDetails", "userAgent", "deviceDetail", "status", "mfaDetail", "authenticationRequirement", "authenticationDetails",
        "authenticationProtocol", "incomingTokenType", "conditionalAccessStatus", "appliedConditionalAccessPolicies",
        "conditionalAccessPolicies", "signInEventTypes", "riskLevelDuringSignIn", "riskLevelAggregated", "riskState", "riskDetail",
        "riskEventTypes_v2", "tokenIssuerName", "tokenIssuerType", "uniqueTokenIdentifier", "sessionId", "correlationId", "tenantId",
        "servicePrincipalId", "servicePrincipalName", "servicePrincipalCredentialKeyId", "signInIdentifier", "alternateSignInName",
        "clientAppUsed",
        // Known, and without a place.
        "agent", "appOwnerTenantId", "appServicePrincipalId", "authenticationAppDeviceDetails", "authenticationAppPolicyEvaluationDetails",
        "authenticationContextClassReferences", "authenticationMethodsUsed", "authenticationProcessingDetails",
        "authenticationRequirementPolicies", "clientCredentialType", "conditionalAccessAudiences", "crossTenantAccessType",
        "federatedCredentialId", "flaggedForReview", "globalSecureAccessIpAddress", "homeTenantName", "ipAddressFromResourceProvider",
        "isInteractive", "isRisky", "isTenantRestricted", "isThroughGlobalSecureAccess", "managedServiceIdentity", "networkLocationDetails",
        "originalRequestId", "originalTransferMethod", "privateLinkDetails", "processingTimeInMilliseconds", "redirectUrl",
        "resourceOwnerTenantId", "resourceServicePrincipalId", "resourceTenantId", "riskEventTypes", "riskLevel",
        "servicePrincipalCredentialThumbprint", "sessionLifetimePolicies", "signInIdentifierType", "ssoExtensionVersion",
        "tokenProtectionStatusDetails", "userDisplayNameAlternate", "appliedEventListeners", "createdDateTimeInMs", "rngcStatus",
        "tenantGeo", "sourceAppClientId");
    switch (kKeys.find(azure::column(f.key))) {
      case kKeys.at("id"): e.id.read(f); break;
      case kKeys.at("createdDateTime"): e.created.read_scalar(f); break;
      case kKeys.at("userDisplayName"): e.display_name.read(f); break;
      case kKeys.at("userPrincipalName"): e.user_name.read(f); break;
      case kKeys.at("userId"): e.user_id.read(f); break;
      case kKeys.at("userType"): e.user_type.read(f); break;
      case kKeys.at("appId"): azure::text(f, e.app_id); break;
      case kKeys.at("appDisplayName"): azure::text(f, e.app); break;
      case kKeys.at("resourceDisplayName"): azure::text(f, e.service); break;
      case kKeys.at("resourceId"):
      case kKeys.at("resourceIdentity"): azure::text(f, e.service_id); break;
      case kKeys.at("homeTenantId"): e.home_tenant.read(f); break;
      case kKeys.at("ipAddress"): e.address.read(f); break;
      case kKeys.at("autonomousSystemNumber"): f.integer(e.system_number, 1, INT32_MAX); break;
      case kKeys.at("location"):
      case kKeys.at("locationDetails"):
        location_key_ = f.key;
        azure::object(f, inner_, location_rest_, [&](const Field& m) { location(record, e, m); });
        break;
      case kKeys.at("userAgent"): azure::text(f, e.agent); break;
      case kKeys.at("deviceDetail"):
        device_key_ = f.key;
        azure::object(f, inner_, device_rest_, [&](const Field& m) { device(record, e, m); });
        break;
      case kKeys.at("status"):
        if (f.value.type() != Type::string) return azure::object(f, inner_, [&](const Field& m) { status(record, e, m); });
        status_text(record, e, f);
        break;
      case kKeys.at("mfaDetail"):
        azure::object(f, inner_, [&](const Field& m) {
          Text method;
          if (!lm::equals_ignoring_case(m.key, "authMethod")) return m.keep();
          azure::text(m, method);
          factor(method);
        });
        break;
      case kKeys.at("authenticationRequirement"): e.requirement.read(f); break;
      case kKeys.at("authenticationDetails"):
        azure::array(f, inner_, [&](Value& step) {
          step.object([&](std::string_view key, Value& v) {
            if (lm::equals_ignoring_case(key, "authenticationMethod")) factor(v.text());
          });
        });
        f.keep();
        break;
      case kKeys.at("authenticationProtocol"): azure::text(f, e.protocol), e.protocol = azure::present_but(e.protocol, "none"); break;
      case kKeys.at("incomingTokenType"): e.token_type.read(f); break;
      case kKeys.at("conditionalAccessStatus"): e.access.read(f); break;
      case kKeys.at("appliedConditionalAccessPolicies"):
      case kKeys.at("conditionalAccessPolicies"):
        if (!policies_.empty()) return f.keep();
        azure::array(f, inner_, [&](Value& policy) { applied(policy); });
        f.keep();
        break;
      case kKeys.at("signInEventTypes"):
        e.events = texts(f, e.events, [&](Text type) { return e.event_type ? false : (e.event_type = type, true); });
        break;
      case kKeys.at("riskLevelDuringSignIn"): e.risk_level.read(f); break;
      case kKeys.at("riskState"): azure::text(f, e.risk_state), e.risk_state = azure::present_but(e.risk_state, "none", "hidden"); break;
      case kKeys.at("riskDetail"):
        azure::text(f, e.risk_detail), e.risk_detail = azure::present_but(e.risk_detail, "none", "hidden");
        break;
      case kKeys.at("riskEventTypes_v2"): e.risks = texts(f, e.risks, [&](Text type) { return risks_.push_back(type), true; }); break;
      case kKeys.at("tokenIssuerName"): azure::text(f, e.issuer_name); break;
      case kKeys.at("tokenIssuerType"): azure::text(f, e.issuer_type); break;
      case kKeys.at("uniqueTokenIdentifier"): azure::text(f, e.token); break;
      case kKeys.at("sessionId"): azure::text(f, e.session); break;
      case kKeys.at("correlationId"): e.correlation.read(f); break;
      case kKeys.at("tenantId"): e.tenant.read(f); break;
      case kKeys.at("servicePrincipalId"): e.principal_id.read(f); break;
      case kKeys.at("servicePrincipalName"): e.principal_name.read(f); break;
      case kKeys.at("servicePrincipalCredentialKeyId"): e.credential.read(f); break;
      case kKeys.at("clientCredentialType"): e.credential_type.read(f); break;
      case kKeys.at("signInIdentifier"): e.sign_in_identifier.read(f); break;
      case kKeys.at("alternateSignInName"): e.alternate_name.read(f); break;
      case kKeys.at("clientAppUsed"): keep_but(f, "Unknown"); break;
      case kKeys.at("riskLevelAggregated"):
      case kKeys.at("riskLevel"): keep_but(f, "none", "hidden"); break;
      case -1: portal(record, e, f); break;
      default: f.keep();
    }
  }

  // Columns of the portal's CSV, which are named for people.
  void portal(lm::Record record, SignIn& e, const Field& f) {
    static constexpr auto kColumns = azure::keys(
        "Date (UTC)", "Request ID", "User agent", "Correlation ID", "User ID", "User", "Username", "User type", "Incoming token type",
        "Authentication Protocol", "Unique token identifier", "Application", "Application ID", "Resource ID", "Home tenant ID",
        "IP address", "Sign-in error code", "Failure reason", "Device ID", "Operating System", "Multifactor authentication auth method",
        "Authentication requirement", "Sign-in identifier", "Session ID", "Autonomous system number", "Autonomous system  number",
        "Token issuer type", "Token issuer name", "Conditional Access", "Service principal ID", "Service principal name",
        // Known, and without a place.
        "Browser", "Compliant", "Managed", "Join Type", "Client app", "Client credential type", "Cross tenant access type",
        "Original transfer method", "App owner tenant ID", "Resource tenant ID", "Resource owner tenant ID", "Home tenant name",
        "Multifactor authentication result", "Multifactor authentication auth detail", "IP address (seen by resource)",
        "Through Global Secure Access", "Global Secure Access IP address", "Flagged for review", "Latency");
    switch (kColumns.find(azure::column(f.key))) {
      case kColumns.at("Date (UTC)"): e.created.read(f), portal_ = true; break;
      case kColumns.at("Request ID"): e.id.read(f); break;
      case kColumns.at("User agent"): azure::text(f, e.agent); break;
      case kColumns.at("Correlation ID"): e.correlation.read(f); break;
      case kColumns.at("User ID"): e.user_id.read(f); break;
      case kColumns.at("User"): e.display_name.read(f); break;
      case kColumns.at("Username"): e.user_name.read(f); break;
      case kColumns.at("User type"): e.user_type.read(f); break;
      case kColumns.at("Incoming token type"): e.token_type.read(f); break;
      case kColumns.at("Authentication Protocol"): azure::text(f, e.protocol), e.protocol = azure::present_but(e.protocol, "none"); break;
      case kColumns.at("Unique token identifier"): azure::text(f, e.token); break;
      case kColumns.at("Application"): azure::text(f, e.app); break;
      case kColumns.at("Application ID"): azure::text(f, e.app_id); break;
      case kColumns.at("Resource ID"): azure::text(f, e.service_id); break;
      case kColumns.at("Home tenant ID"): e.home_tenant.read(f); break;
      case kColumns.at("IP address"): e.address.read(f); break;
      case kColumns.at("Sign-in error code"): azure::scalar(f, e.error); break;
      case kColumns.at("Failure reason"): azure::text(f, e.reason); break;
      case kColumns.at("Device ID"): azure::text(f, e.device); break;
      case kColumns.at("Operating System"): e.system.read(f); break;
      case kColumns.at("Multifactor authentication auth method"): factor(f.value.text()); break;
      case kColumns.at("Authentication requirement"): e.requirement.read(f); break;
      case kColumns.at("Sign-in identifier"): e.sign_in_identifier.read(f); break;
      case kColumns.at("Session ID"): azure::text(f, e.session); break;
      case kColumns.at("Autonomous system number"):
      case kColumns.at("Autonomous system  number"): f.integer(e.system_number, 1, INT32_MAX); break;
      case kColumns.at("Token issuer type"): azure::text(f, e.issuer_type); break;
      case kColumns.at("Token issuer name"): azure::text(f, e.issuer_name); break;
      case kColumns.at("Conditional Access"): e.access.read(f); break;
      case kColumns.at("Service principal ID"): e.principal_id.read(f); break;
      case kColumns.at("Service principal name"): e.principal_name.read(f); break;
      case -1:
        record.drift(f.key);
        f.keep();
        break;
      default: f.keep();
    }
  }

  // As it stands, unless it is one of those words.
  template <class... Words>
  static void keep_but(const Field& f, Words... words) {
    if (const Text text = f.value.text(); text && !azure::present_but(*text, words...)) return;
    f.keep();
  }

  // A list of texts; what take() does not want, or is no text, has the whole kept. Answers that a list was read.
  template <class Take>
  bool texts(const Field& f, bool read_before, Take&& take) {
    bool whole = !read_before;
    const bool list = !read_before && azure::array(f, inner_, [&](Value& item) {
      const Text text = azure::present(item.text());
      whole = (text ? take(text) : lm::json::says_nothing(item.raw())) && whole;
    });
    if (!list || !whole) f.keep();
    return true;
  }

  void location(lm::Record record, SignIn& e, const Field& f) {
    static constexpr auto kKeys = azure::keys("city", "state", "countryOrRegion", "geoCoordinates");
    switch (kKeys.find(f.key)) {
      case kKeys.at("city"): e.city.read(f); break;
      case kKeys.at("state"): e.state.read(f); break;
      case kKeys.at("countryOrRegion"): e.country.read(f); break;
      case kKeys.at("geoCoordinates"):
        f.object([&](const Field& m) {
          if (lm::equals_ignoring_case(m.key, "latitude")) return m.number(e.latitude);
          if (lm::equals_ignoring_case(m.key, "longitude")) return m.number(e.longitude);
          m.keep();  // altitude
        });
        break;
      default: record.drift("location", f.key); f.keep();
    }
  }

  void device(lm::Record record, SignIn& e, const Field& f) {
    static constexpr auto kKeys =
        azure::keys("deviceId", "displayName", "operatingSystem", "browser", "browserId", "isCompliant", "isManaged", "trustType");
    switch (kKeys.find(f.key)) {
      case kKeys.at("deviceId"): azure::text(f, e.device); break;
      case kKeys.at("displayName"): azure::text(f, e.device_name); break;
      case kKeys.at("operatingSystem"): e.system.read(f); break;
      case -1:
        record.drift("deviceDetail", f.key);
        f.keep();
        break;
      default: f.keep();
    }
  }

  // An object as text, or the portal's word.
  void status_text(lm::Record record, SignIn& e, const Field& f) {
    const Text text = azure::present(f.value.text());
    if (!text) return;
    if (lm::json::Reader* const reader = inner_.open(*text, '{')) {
      f.rest.enter(f.key);
      reader->read(*text, [&](std::string_view key, Value& v) { status(record, e, Field{f.rest, key, v}); });
      f.rest.leave();
    } else {
      e.outcome = {text, f.key};
    }
  }

  static void status(lm::Record record, SignIn& e, const Field& f) {
    static constexpr auto kKeys = azure::keys("errorCode", "failureReason", "additionalDetails");
    switch (kKeys.find(f.key)) {
      case kKeys.at("errorCode"): azure::scalar(f, e.error); break;
      case kKeys.at("failureReason"): azure::text(f, e.reason); break;
      case kKeys.at("additionalDetails"): azure::text(f, e.additional); break;
      default: record.drift("status", f.key); f.keep();
    }
  }

  // Each once; what was satisfied before was not used now.
  void factor(Text method) {
    method = azure::present_but(method, "none", "Previously satisfied");
    if (method && std::find(factors_.begin(), factors_.end(), method) == factors_.end()) factors_.push_back(method);
  }

  struct Policy {
    Text id, name, result;
  };
  // Of the policies those that were applied.
  void applied(Value& value) {
    Policy p;
    value.object([&](std::string_view key, Value& v) {
      if (lm::equals_ignoring_case(key, "id")) p.id = azure::present(v.text());
      if (lm::equals_ignoring_case(key, "displayName")) p.name = azure::present(v.text());
      if (lm::equals_ignoring_case(key, "result")) p.result = azure::present_but(v.text(), "notApplied", "notEnabled");
    });
    if (p.result) policies_.push_back(p);
  }

  // ---- The row ----

  void names(SignInRow& row, SignIn& e) {
    const Text correlation = envelope_.correlation ? envelope_.correlation : e.correlation.value;
    if (envelope_.correlation) e.correlation.keep_unless(own(), correlation);
    if (!e.service_id) {
      e.service_id = envelope_.other_resource;
    } else if (envelope_.other_resource && envelope_.other_resource != e.service_id) {
      envelope_.keep(rest_, "resourceId", envelope_.other_resource);
    }
    envelope_.keep_resource(rest_);
    envelope_.set(row, envelope_.category ? envelope_.category : envelope_.table);
    if (envelope_.category && envelope_.table && !lm::equals_ignoring_case(*envelope_.category, *envelope_.table))
      envelope_.keep(rest_, "Type", envelope_.table);
    row.set<"metadata.correlation_uid">(correlation);
    e.tenant.keep_unless(own(), envelope_.tenant());
  }

  void result(SignInRow& row, const SignIn& e) {
    const Text error = azure::present_but(e.error, "None");
    const Text code = error ? error : envelope_.result_type ? envelope_.result_type : e.outcome.value;
    int status = 0;
    if (code) {
      const auto number = lm::integer(*code);
      const auto is = [&](std::string_view word) { return lm::equals_ignoring_case(*code, word); };
      if (number) {
        status = is_interrupt(*number) ? 99 : *number == 0 ? 1 : 2;
      } else {
        status = is("Success") ? 1 : is("Failure") ? 2 : is("Interrupted") ? 99 : 0;
      }
      if (status == 99) row.set<"status">("Interrupted");
    }
    constexpr std::string_view kWords[] = {"", "Success", "Failure"};
    const std::string_view word = status == 99 ? std::string_view("Interrupted") : kWords[status];
    e.outcome.keep_unless(own(), code == e.outcome.value ? code : Text(word));
    row.set<"status_id">(status);
    row.set<"status_code">(code);
    if (envelope_.result_type && envelope_.result_type != code) envelope_.keep(rest_, "resultType", envelope_.result_type);
    envelope_.keep(rest_, "resultSignature", envelope_.result_signature);
    if (e.reason && e.additional) {
      row.set<"status_detail">(std::string_view(scratch_.assign(*e.reason).append(" / ").append(*e.additional)));
    } else {
      row.set<"status_detail">(e.reason ? e.reason : e.additional ? e.additional : envelope_.result_description);
    }
    if (envelope_.result_description && (e.reason || e.additional) && envelope_.result_description != e.reason)
      envelope_.keep(rest_, "resultDescription", envelope_.result_description);
    failed_ = status == 2;
  }

  Who user(SignInRow& row, const SignIn& e) {
    const std::string_view word = envelope_.category ? *envelope_.category : envelope_.table ? *envelope_.table : e.event_type.value_or("");
    Who who = Who::user;
    if (azure::contains_ignoring_case(word, "managedIdentity")) {
      who = Who::managed_identity;
    } else if (azure::contains_ignoring_case(word, "servicePrincipal") ||
               (word.empty() && e.principal_id.value && !e.user_id.value && !e.user_name.value)) {
      who = Who::application;
    }
    const auto& display = e.display_name.value ? e.display_name.value : envelope_.identity;
    bool identified = false;
    if (who == Who::user) {
      const bool known = row.set<"user.uid">(e.user_id.value);
      const Named* name = e.user_name.value ? &e.user_name : e.sign_in_identifier.value ? &e.sign_in_identifier : &e.alternate_name;
      const bool named = row.set<"user.name">(name->value);
      identified = known || named;
      if (name != &e.sign_in_identifier) e.sign_in_identifier.keep(own());
      if (name != &e.alternate_name) e.alternate_name.keep(own());
      if (name->value) {
        if (const auto domain = azure::email_domain(*name->value); !domain.empty()) {
          row.set<"user.email_addr">(name->value);
          row.set<"user.domain">(domain);
        }
      }
      row.set<"user.display_name">(display);
      row.set<"user.type_id">(1);
      row.set<"user.type">(e.user_type.value);
      e.principal_id.keep(own()), e.principal_name.keep(own());
    } else {
      const bool known = row.set<"user.uid">(e.principal_id.value);
      const bool named = row.set<"user.name">(e.principal_name.value);
      identified = known || named;
      row.set<"user.display_name">(display);
      row.set<"user.type_id">(4);  // Service
      row.set<"user.type">(who == Who::application ? "ServicePrincipal" : "ManagedIdentity");
      e.user_id.keep(own()), e.user_name.keep(own()), e.user_type.keep(own());
      e.sign_in_identifier.keep(own()), e.alternate_name.keep(own());
    }
    if (!identified) row.set<"user.name">("unknown");  // the class wants a user, and OCSF a name of it
    if (envelope_.identity && envelope_.identity != display) envelope_.keep(rest_, "identity", envelope_.identity);
    if (e.credential.value) {
      auto credential = row.push<"user.programmatic_credentials">();
      credential.set<"uid">(e.credential.value);
      credential.set<"type">(e.credential_type.value);
    } else {
      e.credential_type.keep(own());
    }
    row.set<"user.org.uid">(e.home_tenant.value);
    return who;
  }

  void service(SignInRow& row, const SignIn& e) {
    row.set<"actor.app_name">(e.app);
    row.set<"actor.app_uid">(e.app_id);
    row.set<"actor.idp.name">(e.issuer_type);
    row.set<"actor.idp.issuer">(e.issuer_name);
    row.set<"service.name">(e.service || e.service_id ? e.service : e.app ? e.app : Text("Microsoft Entra ID"));
    row.set<"service.uid">(e.service_id);
    row.set<"session.uid">(e.session);
    row.set<"session.uid_alt">(e.token);
    row.set<"http_request.user_agent">(e.agent);
  }

  void source(SignInRow& row, SignIn& e) {
    const Text caller = envelope_.caller;
    if (e.address.value) {
      if (!azure::source_endpoint(row, *e.address.value)) e.address.keep(own());
      if (caller && caller != e.address.value) envelope_.keep(rest_, "callerIpAddress", caller);
    } else if (caller && !azure::source_endpoint(row, *caller)) {
      envelope_.keep(rest_, "callerIpAddress", caller);
    }
    row.set<"src_endpoint.uid">(e.device);
    row.set<"src_endpoint.name">(e.device_name);
    Text code = azure::present(envelope_.location);
    const bool endpoint = row.is_set<"src_endpoint.ip">() || e.device || e.device_name;
    if (portal_ && endpoint && code && !e.country.value) {
      // "Utrecht, Utrecht (province), NL"
      const std::size_t last = code->rfind(", "), first = code->find(", ");
      if (last != std::string_view::npos) {
        if (first != last) e.state = {code->substr(first + 2, last - first - 2), "state"};
        e.city = {code->substr(0, first), "city"};
        code = code->substr(last + 2);
      }
    }
    const Text country = e.country.value ? e.country.value : code;
    if (envelope_.location && e.country.value && envelope_.location != country) envelope_.keep(rest_, "location", envelope_.location);
    // A place is both; that of nowhere is 0 and 0.
    const bool geo = e.latitude && e.longitude ? *e.latitude != 0 || *e.longitude != 0 : e.latitude || e.longitude;
    const bool place = e.city.value || e.state.value || country;
    // What describes an endpoint is none by itself.
    if (!endpoint) {
      e.city.keep(location_rest_), e.state.keep(location_rest_), e.country.keep(location_rest_);
      if (geo) keep_coordinates(e);
      if (country && !e.country.value) envelope_.keep(rest_, "location", country);
      if (e.system_number) lm::json::add_number(own(), "autonomousSystemNumber", *e.system_number);
      e.system.keep(device_rest_);
      return;
    }
    row.set<"src_endpoint.autonomous_system.number">(e.system_number);
    row.set<"src_endpoint.location.city">(e.city.value);
    row.set<"src_endpoint.location.region">(e.state.value);
    row.set<"src_endpoint.location.country">(country);
    if (geo && place && e.latitude && e.longitude) {
      row.set<"src_endpoint.location.lat">(e.latitude);
      row.set<"src_endpoint.location.long">(e.longitude);
    } else if (geo) {
      keep_coordinates(e);
    }
    if (e.system.value) {
      row.set<"src_endpoint.os.name">(e.system.value);
      row.set<"src_endpoint.os.type_id">(os_type_id(*e.system.value));
    }
  }

  void keep_coordinates(const SignIn& e) {
    location_rest_.begin("geoCoordinates");
    if (e.latitude) lm::json::add_number(location_rest_, "latitude", *e.latitude);
    if (e.longitude) lm::json::add_number(location_rest_, "longitude", *e.longitude);
    location_rest_.end();
  }

  void how(SignInRow& row, const SignIn& e, Who who) {
    if (e.protocol) {
      row.set<"auth_protocol">(e.protocol);
      row.set<"auth_protocol_id">(protocol_id(*e.protocol));
    }
    if (const Text requirement = e.requirement.value) {
      const auto is = [&](std::string_view word) { return lm::equals_ignoring_case(*requirement, word); };
      const bool multi = is("multiFactorAuthentication") || is("Multifactor authentication");
      if (multi || is("singleFactorAuthentication") || is("Single-factor authentication")) {
        row.set<"is_mfa">(multi);
      } else {
        e.requirement.keep(own());
      }
    }
    for (const Text& method : factors_) {
      auto factor = row.push<"auth_factors">();
      factor.set<"factor_type">(method);
      factor.set<"factor_type_id">(factor_type_id(*method));
    }
    if (const Text type = azure::present_but(e.token_type.value, "none")) {
      row.set<"authentication_token.type">(type);
      row.set<"authentication_token.type_id">(token_type_id(*type));
    }
    // OCSF's Interactive is a logon at a console.
    const Text logon = e.event_type ? e.event_type : envelope_.category ? envelope_.category : envelope_.table;
    row.set<"logon_type">(logon ? logon : who == Who::application ? Text("servicePrincipal") : Text());
    if (row.is_set<"logon_type">()) row.set<"logon_type_id">(99);
  }

  void access(SignInRow& row, const SignIn& e) {
    if (const Text access = e.access.value) {
      const bool passed = lm::equals_ignoring_case(*access, "success");
      if (passed || lm::equals_ignoring_case(*access, "failure")) {
        row.set<"action_id">(passed ? 1 : 2);       // Allowed, Denied
        row.set<"disposition_id">(passed ? 1 : 2);  // Allowed, Blocked
      } else {
        e.access.keep(own());
      }
    }
    for (const Policy& policy : policies_) {
      auto authorization = row.push<"authorizations">();
      authorization.set<"decision">(policy.result);
      authorization.set<"policy.uid">(policy.id);
      authorization.set<"policy.name">(policy.name);
    }
  }

  void risk(SignInRow& row, const SignIn& e) {
    static constexpr auto kLevels = azure::keys("none", "low", "medium", "high");
    int severity = failed_ ? 2 : 1;
    if (const Text level = azure::present_but(e.risk_level.value, "hidden")) {
      const int id = kLevels.find(*level);
      row.set<"risk_level_id">(id < 0 ? 99 : id);
      if (id < 0) row.set<"risk_level">(level);
      if (id == kLevels.at("medium")) severity = 3;
      if (id == kLevels.at("high")) severity = 4;
    }
    row.set<"severity_id">(severity);
    scratch_.clear();
    const auto add = [&](Text text) {
      if (!text) return;
      if (!scratch_.empty()) scratch_.append(", ");
      scratch_.append(*text);
    };
    add(e.risk_detail), add(e.risk_state);
    for (const Text& type : risks_) add(type);
    if (!scratch_.empty()) row.set<"risk_details">(std::string_view(scratch_));
  }

  lm::json::Reader json_;
  azure::Inner inner_;
  azure::Envelope envelope_;
  lm::json::ObjectWriter rest_, properties_rest_, location_rest_, device_rest_;
  std::vector<Text> factors_, risks_;
  std::vector<Policy> policies_;
  std::string scratch_;
  std::string_view location_key_, device_key_;  // as they were spelled
  bool foreign_ = false, nested_ = false, portal_ = false, failed_ = false;
};

LOGMILL_PARSERS(EntraSignIn)
