// Audit logs of key vaults and managed HSMs: who asked for which key, secret or certificate, and whether it was given.
// Source: Microsoft, "Azure Key Vault logging"; Azure Monitor tables AZKVAuditLogs and AzureDiagnostics.
//
// One pass reads a record into views (Access). A member is the same one in any case, in `properties`, in a row of its own table, or flat in AzureDiagnostics.
#include <logmill/sdk.hpp>
#include <logmill/sdk/azure.hpp>
#include <logmill/sdk/fields.hpp>
#include <logmill/sdk/http.hpp>

#include <vector>

namespace ocsf = lm::ocsf::v1_8;
namespace azure = lm::azure;

namespace {

using lm::Text;
using lm::azure::Named;
using lm::json::Field;
using lm::json::Value;

constexpr auto kApi = lm::table(ocsf::api_activity, lm::profiles("cloud"),
                                azure::kEvery + lm::columns({lm::constant("metadata.product.name", "Azure Key Vault"),
                                                             {"activity_name"},
                                                             {"duration"},
                                                             {"status"},
                                                             {"status_id"},
                                                             {"status_code"},
                                                             {"status_detail"},
                                                             {"cloud.region"},
                                                             {"api.operation"},
                                                             {"api.version"},
                                                             lm::constant("api.service.name", "Azure Key Vault"),
                                                             {"api.response.code"},
                                                             lm::same("http_response.code", "api.response.code"),
                                                             {"http_request.user_agent"},
                                                             {"http_request.url.url_string"},
                                                             {"http_request.url.hostname"},
                                                             {"http_request.url.path"},
                                                             {"http_request.url.query_string"},
                                                             {"actor.user.uid"},
                                                             {"actor.user.name"},
                                                             {"actor.user.email_addr"},
                                                             {"actor.user.type_id"},
                                                             {"actor.app_uid"},
                                                             {"actor.app_name"},
                                                             {"actor.idp.issuer"},
                                                             {"actor.idp.tenant_uid"},
                                                             {"actor.session.uid_alt"},
                                                             {"src_endpoint.ip"},
                                                             {"src_endpoint.port"},
                                                             {"src_endpoint.svc_name"},
                                                             {"src_endpoint.intermediate_ips[]"},
                                                             {"resources[].uid"},
                                                             {"resources[].uid_alt"},
                                                             {"resources[].name"},
                                                             {"resources[].type"},
                                                             {"resources[].version"},
                                                             {"resources[].group.name"},
                                                             {"resources[].role_id"}}));

using ApiRow = lm::Row<kApi>;

constexpr std::string_view kProvider = "Microsoft.KeyVault";

constexpr bool is_category(std::string_view source) {
  return lm::equals_ignoring_case(source, "AuditEvent") || lm::equals_ignoring_case(source, "AZKVAuditLogs");
}

struct Access {
  Text agent, uri, object, upn, oid, app, tenant, issuer, token;
  Named address, unique;
  lm::Maybe<std::int64_t> code;
  bool claims = false;                     // whether the caller had any
  bool named = false;                      // by a claim that is only for show
  bool is_app = false, has_proof = false;  // the token was given to an application; one that proved who it is asked for it
};

// ---- Operations ----

struct Verb {
  std::string_view word;
  int activity;
};
constexpr Verb kVerbs[] = {{"Get", 2},   {"List", 2},     {"Verify", 2},   {"Backup", 2},  {"Download", 2}, {"Create", 1},  {"Import", 1},
                           {"Set", 1},   {"Generate", 1}, {"Put", 3},      {"Patch", 3},   {"Update", 3},   {"Restore", 3}, {"Recover", 3},
                           {"Renew", 3}, {"Enroll", 3},   {"Rotate", 3},   {"Merge", 3},   {"Delete", 4},   {"Purge", 4},   {"Sign", 99},
                           {"Wrap", 99}, {"Unwrap", 99},  {"Encrypt", 99}, {"Decrypt", 99}};

// The object stands in front of the verb, and sometimes what is meant of it behind: "SecretGet", "KeyListVersions", "VaultGetDeleted", "KeyRotateIfDue". Of what has no
// verb that is known the last word.
constexpr Verb verb_of(std::string_view operation) {
  if (azure::ends_ignoring_case(operation, "EventGridNotification")) return {"Notification", 99};
  Verb out{operation, 99};
  std::size_t end = operation.size();
  for (std::size_t at = operation.size(); at-- > 0;) {
    if (operation[at] < 'A' || operation[at] > 'Z') continue;
    const std::string_view word = operation.substr(at, end - at);
    for (const Verb& v : kVerbs) {
      if (v.word == word) return v;
    }
    if (end == operation.size()) out.word = word;
    end = at;
  }
  return out;
}

static_assert(verb_of("SecretGet").activity == 2 && verb_of("VaultListDeleted").word == "List" &&
              verb_of("KeyRotateIfDue").word == "Rotate");
static_assert(verb_of("Authentication").word == "Authentication" && verb_of("SecretNearExpiryEventGridNotification").activity == 99);

// ---- Claims ----

// "http://schemas.microsoft.com/identity/claims/objectidentifier", of which a column has "http_schemas_microsoft_com_identity_claims_objectidentifier".
std::string_view short_claim(std::string_view name) {
  constexpr std::string_view kClaims = "_claims_";
  if (name.find("://") != std::string_view::npos) return lm::after_last(name, '/');
  const std::size_t at = name.starts_with("http") ? name.rfind(kClaims) : std::string_view::npos;
  return at == std::string_view::npos ? name : name.substr(at + kClaims.size());
}

// ---- Objects ----

// "https://vault.vault.azure.net/secrets/name/version"
struct Object {
  std::string_view type, name, version;
};

Object object_of(std::string_view uri) {
  std::string_view rest = lm::http::url(uri).path.value_or("");
  const auto next = [&] {
    if (rest.starts_with('/')) rest.remove_prefix(1);
    const std::string_view part = lm::before(rest, '/');
    rest.remove_prefix(part.size());
    return part;
  };
  static constexpr auto kTypes = azure::keys("keys", "secrets", "certificates", "deletedkeys", "deletedsecrets", "deletedcertificates");
  const int type = kTypes.find(next());
  if (type < 0) return {};
  constexpr std::string_view kNames[] = {"key", "secret", "certificate"};
  Object out{kNames[type % 3], next(), {}};
  out.version = next();
  if (out.name.empty()) return {};
  if (!rest.empty() || out.version == "pending" || out.version == "policy") out.version = {};  // of a path that leads further
  return out;
}

}  // namespace

struct KeyVault {
  static constexpr lm::Descriptor descriptor{.id = "azure.keyvault",
                                             .title = "Azure Key Vault audit logs",
                                             .vendor = "Microsoft",
                                             .version = "1.0.0",
                                             .reads =
                                                 "AuditEvent of vaults and managed HSMs as resource logs (JSON lines, records), or rows "
                                                 "of AZKVAuditLogs and AzureDiagnostics",
                                             .framing = lm::Framing::json,
                                             .envelope = "records"};
  static constexpr auto keys = lm::strings("insights-logs-auditevent/**", "am-azkvauditlogs/**");

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "records");
    const int sure = outline.clean() ? 95 : 85;
    if (const Text table = outline.record_text("Type"); table && lm::equals_ignoring_case(*table, "AZKVAuditLogs")) return sure;
    bool own = false;
    for (const std::string_view name : {"category", "Category", "CATEGORY"}) {
      if (const Text category = outline.record_text(name)) own = own || lm::equals_ignoring_case(*category, "AuditEvent");
    }
    if (!own) return 0;
    for (const std::string_view name : {"resourceId", "ResourceId", "RESOURCEID", "resourceID", "_ResourceId", "ResourceProvider"}) {
      if (const Text text = outline.record_text(name); text && azure::contains_ignoring_case(*text, kProvider)) return sure;
    }
    return 0;
  }

  void parse(lm::Record record, lm::Rows<kApi>& rows) {
    Access a;
    foreign_ = false;
    properties_key_ = identity_key_ = claim_key_ = {};
    envelope_.clear(), inner_.clear(), unknown_.clear();
    for (auto* writer : {&rest_, &properties_rest_, &identity_rest_, &claim_rest_}) writer->clear();
    const bool read = json_.read(record.text(), [&](std::string_view key, Value& value) {
      if (foreign_) return;
      const Field f{rest_, key, value};
      static constexpr auto kParts = azure::keys("properties", "AdditionalFields", "identity");
      switch (kParts.find(key)) {
        case kParts.at("properties"):
        case kParts.at("AdditionalFields"):
          if (!properties_key_.empty() && properties_key_ != key) Field::close(rest_, properties_key_, properties_rest_);
          properties_key_ = key;
          return azure::object(f, inner_, properties_rest_, [&](const Field& m) { member(a, m); });
        case kParts.at("identity"):
          identity_key_ = key;
          return azure::object(f, inner_, identity_rest_, [&](const Field& m) { identity(a, m); });
        default: break;
      }
      if (!envelope_.take(f)) return member(a, f);
      const Text source = envelope_.source();
      foreign_ = source && !is_category(*source);
    });
    if (!read && !foreign_) return record.reject(json_);
    if (!foreign_) envelope_.finish(rest_);
    if (foreign_ || !is_own(a)) return record.reject(lm::foreign, "not the category AuditEvent of a resource of Microsoft.KeyVault");
    for (const std::string_view key : unknown_) record.drift(key);
    const auto time = azure::time(envelope_.time);
    if (!time) return record.reject(lm::malformed, "'time' is not a time");

    auto row = rows.begin(record);
    row.set<"time">(*time);
    row.set<"metadata.original_time">(envelope_.time);
    envelope_.set(row, envelope_.source());
    envelope_.keep_table(rest_);
    envelope_.keep(rest_, "resourceId", envelope_.other_resource);
    const auto took = envelope_.milliseconds();
    row.set<"duration">(took);
    if (!took && envelope_.duration && lm::number(*envelope_.duration).value_or(1) != 0)
      envelope_.keep(rest_, "durationMs", envelope_.duration);
    if (envelope_.location) row.set<"cloud.region">(azure::region(*envelope_.location, region_));
    const Verb verb = operation(row, a);
    result(row, a, verb);
    actor(row, a);
    if (const Text caller = envelope_.caller; caller && !azure::source_endpoint(row, *caller))
      envelope_.keep(rest_, "callerIpAddress", caller);
    if (!row.is_set<"src_endpoint.ip">()) row.set<"src_endpoint.svc_name">(provider());  // the class wants an endpoint
    a.address.keep_unless(claim_key_.empty() ? rest_ : claim_rest_, envelope_.caller);
    resources(row, a);

    Field::close(identity_rest_, claim_key_, claim_rest_);
    Field::close(rest_, identity_key_, identity_rest_);
    Field::close(rest_, properties_key_, properties_rest_);
    if (const auto rest = rest_.finish(); !rest.empty()) row.set<"unmapped">(rest);
  }

 private:
  // Other services name a category of theirs AuditEvent too.
  bool is_own(const Access& a) const {
    const Text source = envelope_.source();
    if (!source) return false;
    if (lm::equals_ignoring_case(*source, "AZKVAuditLogs")) return true;
    if (!envelope_.resource.empty()) return lm::equals_ignoring_case(envelope_.resource.provider(), kProvider);
    return a.uri && (a.uri->find(".vault.") != std::string_view::npos || a.uri->find(".managedhsm.") != std::string_view::npos);
  }

  std::string_view provider() const { return lm::present(envelope_.resource.provider()).value_or(kProvider); }

  // ---- Reading ----

  // Resource logs have them in properties; rows have them at the top.
  void member(Access& a, const Field& f) {
    static constexpr auto kKeys = azure::keys(
        "clientInfo", "requestUri", "id", "httpStatusCode",
        // Known, and without a place.
        "hsmPoolResourceId", "subnetId", "isAddressAuthorized", "addrAuthType", "addressAuthorizationType", "isRbacAuthorized",
        "isAccessPolicyMatch", "appliedAssignmentId", "tlsVersion", "trustedService", "algorithm", "nsp", "networkSecurityPerimeterId",
        "ResourceType", "SubscriptionId", "ResourceGuid", "eventGridEventProperties", "operationId", "clientRequestId", "requestId");
    switch (kKeys.find(azure::member(f.key))) {
      case kKeys.at("clientInfo"): azure::text(f, a.agent); break;
      case kKeys.at("requestUri"): azure::text(f, a.uri); break;
      case kKeys.at("id"): azure::text(f, a.object); break;
      case kKeys.at("httpStatusCode"): azure::whole(f, a.code, 0, INT32_MAX); break;
      case -1:
        if (const std::string_view name = azure::within(f.key, "identity_claim"); !name.empty()) return claim(a, name, f);
        if (!is_description(f.key)) unknown_.push_back(f.key);
        f.keep();
        break;
      default: f.keep();
    }
  }

  // "certificatePolicyProperties" and its like say what was made of an object; a column of AzureDiagnostics has one of their members.
  static bool is_description(std::string_view name) {
    return azure::ends_ignoring_case(name, "Properties") || name.find("Properties_") != std::string_view::npos;
  }

  void identity(Access& a, const Field& f) {
    if (!lm::equals_ignoring_case(f.key, "claim") && !lm::equals_ignoring_case(f.key, "claims")) return f.keep();
    claim_key_ = f.key;
    azure::object(f, inner_, claim_rest_, [&](const Field& m) { claim(a, m.key, m); });
  }

  static void claim(Access& a, std::string_view name, const Field& f) {
    static constexpr auto kKeys = azure::keys("objectidentifier", "oid", "upn", "appid", "tid", "tenantid", "iss", "uti", "ipaddr",
                                              "unique_name", "name", "idtyp", "appidacr");
    // Of a claim that stands there twice, under its long name and its short one, one is enough.
    const auto first = [&](Text& out) {
      if (!out) return azure::scalar(f, out);
      const Text again = f.value.text();
      if (!(again && *again == *out)) f.keep();
    };
    switch (kKeys.find(short_claim(name))) {
      case kKeys.at("objectidentifier"):
      case kKeys.at("oid"): first(a.oid); break;
      case kKeys.at("upn"): first(a.upn); break;
      case kKeys.at("appid"): first(a.app); break;
      case kKeys.at("tid"):
      case kKeys.at("tenantid"): first(a.tenant); break;
      case kKeys.at("iss"): first(a.issuer); break;
      case kKeys.at("uti"): first(a.token); break;
      case kKeys.at("ipaddr"): a.address.read(f); break;
      case kKeys.at("unique_name"): a.unique.read(f); break;
      case kKeys.at("name"):
        a.named = a.named || !lm::json::says_nothing(f.value.raw());
        f.keep();
        break;
      case kKeys.at("idtyp"):
        a.is_app = a.is_app || lm::equals_ignoring_case(f.value.text().value_or(""), "app");
        f.keep();
        break;
      case kKeys.at("appidacr"): {
        const std::string_view how = f.value.type() == lm::json::Type::string ? f.value.text().value_or("") : f.value.raw();
        a.has_proof = a.has_proof || how == "1" || how == "2";
        f.keep();
        break;
      }
      default: f.keep();
    }
    a.claims = a.claims || !lm::json::says_nothing(f.value.raw());
  }

  // ---- Filling ----

  Verb operation(ApiRow& row, const Access& a) {
    const std::string_view name = envelope_.operation.value_or("");
    const Verb verb = verb_of(name);
    row.set<"activity_id">(name.empty() ? 0 : verb.activity);
    if (!name.empty() && verb.activity == 99) row.set<"activity_name">(verb.word);
    row.set<"api.operation">(name.empty() ? std::string_view("Unknown") : name);
    row.set<"api.version">(envelope_.operation_version);
    row.set<"http_request.user_agent">(a.agent);
    if (a.uri) {
      row.set<"http_request.url.url_string">(a.uri);
      const lm::http::Url url = lm::http::url(*a.uri);
      row.set<"http_request.url.hostname">(url.hostname);
      row.set<"http_request.url.path">(url.path);
      row.set<"http_request.url.query_string">(url.query_string);
    }
    return verb;
  }

  // The code is what came of it: `resultType` may say Success of what was forbidden.
  void result(ApiRow& row, const Access& a, const Verb& verb) {
    const Text word = envelope_.result_type;
    const auto is = [&](std::initializer_list<std::string_view> words) {
      return word && std::any_of(words.begin(), words.end(), [&](std::string_view w) { return lm::equals_ignoring_case(*word, w); });
    };
    const int told = is({"Success", "Succeeded"}) ? 1 : is({"Failure", "Failed", "Error"}) ? 2 : word ? 99 : 0;
    // A client that has no token yet asks without one, and is told where to get it.
    const bool challenge = a.code == 401 && !a.claims;
    const int status = challenge ? 99 : a.code && *a.code >= 100 && *a.code < 600 ? (*a.code < 400 ? 1 : 2) : told;
    row.set<"status_id">(status);
    if (challenge) {
      row.set<"status">("Challenge");
    } else if (status == 99) {
      row.set<"status">(word);
    }
    if (word && (challenge || status != told)) envelope_.keep(rest_, "resultType", word);
    row.set<"status_code">(envelope_.result_signature);
    row.set<"status_detail">(envelope_.result_description);
    row.set<"api.response.code">(a.code);
    const bool grave = verb.activity == 4 || verb.word == "Backup";
    row.set<"severity_id">(a.code == 403 ? 2 : status == 1 && grave ? 3 : 1);
  }

  void actor(ApiRow& row, const Access& a) {
    row.set<"actor.user.uid">(a.oid);
    const Text name = a.upn ? a.upn : a.unique.value;  // guests have no upn
    row.set<"actor.user.name">(name);
    if (a.upn) a.unique.keep_unless(claim_key_.empty() ? rest_ : claim_rest_, a.upn);
    // User, Service. That there is no name is not enough to say so.
    if (const int type = a.is_app ? 4 : name ? 1 : a.has_proof && !a.named ? 4 : 0; type != 0 && (a.oid || name))
      row.set<"actor.user.type_id">(type);
    constexpr std::string_view kPersonal = "live.com#";  // stands in front of the address of an account that no tenant has
    if (std::string_view mail = name.value_or(""); !azure::email_domain(mail).empty()) {
      if (mail.starts_with(kPersonal)) mail.remove_prefix(kPersonal.size());
      row.set<"actor.user.email_addr">(mail);
    }
    row.set<"actor.app_uid">(a.app);
    row.set<"actor.idp.tenant_uid">(a.tenant);
    row.set<"actor.idp.issuer">(a.issuer);
    row.set<"actor.session.uid_alt">(a.token);
    if (!a.oid && !name && !a.app && !a.token) row.set<"actor.app_name">(provider());  // the class wants an actor
  }

  void resources(ApiRow& row, const Access& a) {
    const azure::ResourceId& vault = envelope_.resource;
    if (!vault.empty()) {
      auto resource = row.push<"resources">();
      resource.set<"uid">(vault.text());
      resource.set<"uid_alt">(vault.lower());
      resource.set<"name">(lm::present(vault.name()));
      resource.set<"type">(lm::present(vault.type()));
      resource.set<"group.name">(lm::present(vault.group()));
      resource.set<"role_id">(1);  // Target
    }
    if (!a.object || lm::equals_ignoring_case(*a.object, vault.text())) return;
    const Object object = object_of(*a.object);
    auto resource = row.push<"resources">();
    resource.set<"uid">(a.object);
    resource.set<"name">(lm::present(object.name));
    resource.set<"type">(lm::present(object.type));
    resource.set<"version">(lm::present(object.version));
    resource.set<"role_id">(1);
  }

  lm::json::Reader json_;
  azure::Inner inner_;
  azure::Envelope envelope_;
  lm::json::ObjectWriter rest_, properties_rest_, identity_rest_, claim_rest_;
  std::vector<std::string_view> unknown_;  // members, until it is known whose record it is
  std::string_view properties_key_, identity_key_, claim_key_;
  std::string region_;
  bool foreign_ = false;
};

LOGMILL_PARSERS(KeyVault)
