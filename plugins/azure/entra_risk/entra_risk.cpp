// Microsoft Entra ID Protection: risk detections, and users and service principals at risk.
// Source: Microsoft, "Investigate risk with Microsoft Entra ID Protection"; Microsoft Graph, resource types riskDetection, riskyUser, servicePrincipalRiskDetection and
// riskyServicePrincipal; Azure Monitor tables AADUserRiskEvents, AADRiskyUsers, AADServicePrincipalRiskEvents and AADRiskyServicePrincipals.
//
// One pass reads a record into views (Risk). A member is the same one in any case, in `properties`, in a row of Log Analytics, or in an object of Microsoft Graph; what has no
// place in OCSF goes to `unmapped` where it stood.
#include <logmill/sdk.hpp>
#include <logmill/sdk/azure.hpp>
#include <logmill/sdk/fields.hpp>

namespace ocsf = lm::ocsf::v1_8;
namespace azure = lm::azure;

namespace {

using lm::Text;
using lm::azure::Named;
using lm::json::Field;
using lm::json::Type;
using lm::json::Value;

constexpr auto kFinding = lm::table(ocsf::detection_finding, lm::profiles("cloud"),
                                    azure::kEvery + lm::columns({lm::constant("metadata.product.name", "Microsoft Entra ID"),
                                                                 lm::constant("metadata.product.feature.name", "ID Protection"),
                                                                 {"severity"},
                                                                 {"status"},
                                                                 {"status_id"},
                                                                 {"status_detail"},
                                                                 {"is_alert"},
                                                                 lm::plain("finding_info.uid"),
                                                                 {"finding_info.title"},
                                                                 {"finding_info.types[]"},
                                                                 {"finding_info.data_sources[]"},
                                                                 {"finding_info.first_seen_time"},
                                                                 {"finding_info.modified_time"},
                                                                 {"risk_level"},
                                                                 {"risk_level_id"},
                                                                 {"risk_details"},
                                                                 {"evidences[].user.uid"},
                                                                 {"evidences[].user.name"},
                                                                 {"evidences[].user.display_name"},
                                                                 {"evidences[].user.email_addr"},
                                                                 {"evidences[].user.type_id"},
                                                                 {"evidences[].src_endpoint.ip"},
                                                                 {"evidences[].src_endpoint.port"},
                                                                 {"evidences[].src_endpoint.location.city"},
                                                                 {"evidences[].src_endpoint.location.region"},
                                                                 {"evidences[].src_endpoint.location.country"},
                                                                 {"evidences[].http_request.user_agent"}}));

using FindingRow = lm::Row<kFinding>;

constexpr bool is_risk(std::string_view category) {
  constexpr std::string_view kCategories[] = {"RiskyUsers", "UserRiskEvents", "RiskyServicePrincipals", "ServicePrincipalRiskEvents"};
  for (const std::string_view known : kCategories) {
    if (azure::ends_ignoring_case(category, known)) return true;
  }
  return false;
}

struct Risk {
  Named id, detected, risky_since, activity_at, updated, correlation, tenant, address, location, outer_location, principal;
  Named user_name, display_name, event_type, risk_type;
  Text user, level, state, detail, source, agent, principal_name;
  Named city, region, country;
  bool info = false;
};

}  // namespace

struct EntraRisk {
  static constexpr lm::Descriptor descriptor{
      .id = "azure.entra_risk",
      .title = "Microsoft Entra ID Protection logs",
      .vendor = "Microsoft",
      .version = "1.0.0",
      .reads =
          "Risk detections and risky users and service principals as resource logs, rows of Log Analytics, or objects of Microsoft Graph",
      .framing = lm::Framing::json,
      .envelope = "records"};

  static constexpr auto keys =
      lm::strings("insights-logs-riskyusers/**", "insights-logs-userriskevents/**", "insights-logs-riskyserviceprincipals/**",
                  "insights-logs-serviceprincipalriskevents/**", "am-aadriskyusers/**", "am-aaduserriskevents/**",
                  "am-aadriskyserviceprincipals/**", "am-aadserviceprincipalriskevents/**");

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "records");
    const int sure = outline.clean() ? 95 : 85;
    for (const std::string_view name : {"category", "Category", "CATEGORY", "Type", "type"}) {
      if (const Text category = outline.record_text(name); category && is_risk(*category)) return sure;
    }
    if (outline.record("category") || outline.record("Category") || outline.record("Type")) return 0;
    // Microsoft Graph has no envelope.
    return outline.record("riskState") && outline.record("riskLevel") &&
                   (outline.record("detectedDateTime") || outline.record("riskLastUpdatedDateTime"))
               ? sure
               : 0;
  }

  void parse(lm::Record record, lm::Rows<kFinding>& rows) {
    Risk e;
    nested_ = foreign_ = false;
    envelope_.clear(), inner_.clear();
    rest_.clear(), properties_rest_.clear(), location_rest_.clear();
    const bool read = json_.read(record.text(), [&](std::string_view key, Value& value) {
      if (foreign_) return;
      const Field f{rest_, key, value};
      if (lm::equals_ignoring_case(key, "properties")) {
        nested_ = true;
        return azure::object(f, inner_, properties_rest_, [&](const Field& m) { member(record, e, m, e.location); });
      }
      if (!lm::equals_ignoring_case(key, "location") && envelope_.take(f)) {
        const Text what = envelope_.category ? envelope_.category : envelope_.table;
        foreign_ = what && !is_risk(*what) && !(envelope_.table && is_risk(*envelope_.table));
        return;
      }
      member(record, e, f, e.outer_location);
    });
    if (!read && !foreign_) return record.reject(json_);
    const Text category = envelope_.category ? envelope_.category : envelope_.table;
    if (foreign_ || (!category && !(e.state && (e.detected.value || e.risky_since.value))))
      return record.reject(lm::foreign, "'category' is none of ID Protection, nor has it 'riskState' and 'detectedDateTime'");
    const bool detection = category ? azure::ends_ignoring_case(*category, "RiskEvents") : bool(e.detected.value);
    const Named& own_time = detection || !e.risky_since.value ? e.detected : e.risky_since;
    const azure::Times times(own_time.value, envelope_.time);
    if (!times.event) return record.reject(lm::malformed, "neither 'detectedDateTime', 'riskLastUpdatedDateTime' nor 'time' is a time");
    envelope_.finish(rest_);

    auto row = rows.begin(record);
    times.set(row);
    if (times.own_unread) own_time.keep(own());
    if (&own_time != &e.detected) e.detected.keep(own());
    if (&own_time != &e.risky_since) e.risky_since.keep(own());
    if (times.envelope_unread) envelope_.keep(rest_, envelope_.is_row() ? "TimeGenerated" : "time", envelope_.time);
    envelope(row, e, category);

    const bool principal = category ? azure::contains_ignoring_case(*category, "ServicePrincipal") : !e.user && bool(e.principal.value);
    finding(row, e, detection, principal);
    risk(row, e, detection);
    evidence(row, e, detection, principal);

    Field::close(own(), location_key_, location_rest_);
    Field::close(rest_, "properties", properties_rest_);
    if (const auto rest = rest_.finish(); !rest.empty()) row.set<"unmapped">(rest);
  }

 private:
  lm::json::ObjectWriter& own() { return nested_ ? properties_rest_ : rest_; }

  void member(lm::Record record, Risk& e, const Field& f, Named& location) {
    static constexpr auto kKeys = azure::keys(
        "id", "detectedDateTime", "riskLastUpdatedDateTime", "activityDateTime", "lastUpdatedDateTime", "correlationId", "tenantId",
        "ipAddress", "location", "userId", "userPrincipalName", "userDisplayName", "servicePrincipalId", "servicePrincipalDisplayName",
        "displayName", "riskEventType", "riskType", "riskLevel", "riskState", "riskDetail", "source", "additionalInfo",
        // Known, and without a place.
        "@odata.type", "accountEnabled", "activity", "appId", "callerIpAddress", "detectionTimingType", "homeTenantId", "isDeleted",
        "isEnabled", "isGuest", "isProcessing", "keyIds", "mitreTechniqueId", "requestId", "riskReason", "riskReasons",
        "servicePrincipalType", "tokenIssuerType", "userType", "uniqueTokenIdentifier", "crossTenantAccessType");
    switch (kKeys.find(azure::column(f.key))) {
      case kKeys.at("id"): e.id.read(f); break;
      case kKeys.at("detectedDateTime"): e.detected.read_scalar(f); break;
      case kKeys.at("riskLastUpdatedDateTime"): e.risky_since.read_scalar(f); break;
      case kKeys.at("activityDateTime"): e.activity_at.read_scalar(f); break;
      case kKeys.at("lastUpdatedDateTime"): e.updated.read_scalar(f); break;
      case kKeys.at("correlationId"): e.correlation.read(f); break;
      case kKeys.at("tenantId"): e.tenant.read(f); break;
      case kKeys.at("ipAddress"): e.address.read(f); break;
      case kKeys.at("location"): place(record, e, f, location); break;
      case kKeys.at("userId"): azure::text(f, e.user); break;
      case kKeys.at("userPrincipalName"): e.user_name.read(f); break;
      case kKeys.at("userDisplayName"): e.display_name.read(f); break;
      case kKeys.at("servicePrincipalId"): e.principal.read(f); break;
      case kKeys.at("servicePrincipalDisplayName"):
      case kKeys.at("displayName"): azure::text(f, e.principal_name); break;
      case kKeys.at("riskEventType"): e.event_type.read(f); break;
      case kKeys.at("riskType"): e.risk_type.read(f); break;
      case kKeys.at("riskLevel"): azure::text(f, e.level); break;
      case kKeys.at("riskState"): azure::text(f, e.state); break;
      case kKeys.at("riskDetail"): azure::text(f, e.detail), e.detail = azure::present_but(e.detail, "none", "hidden"); break;
      case kKeys.at("source"): azure::text(f, e.source); break;
      case kKeys.at("additionalInfo"): info(e, f); break;
      case -1:
        record.drift(f.key);
        f.keep();
        break;
      default: f.keep();
    }
  }

  // An object, or a country's code.
  void place(lm::Record record, Risk& e, const Field& f, Named& code) {
    const auto inner = [&](const Field& m) {
      static constexpr auto kKeys = azure::keys("city", "state", "countryOrRegion", "geoCoordinates");
      switch (kKeys.find(m.key)) {
        case kKeys.at("city"): e.city.read(m); break;
        case kKeys.at("state"): e.region.read(m); break;
        case kKeys.at("countryOrRegion"): e.country.read(m); break;
        case -1:
          record.drift("location", m.key);
          m.keep();
          break;
        default: m.keep();
      }
    };
    location_key_ = f.key;
    if (f.value.type() != Type::string) return azure::object(f, inner_, location_rest_, inner);
    const Text text = azure::present(f.value.text());
    if (!text) return;
    if (lm::json::Reader* const reader = inner_.open(*text, '{')) {
      reader->read(*text, [&](std::string_view key, Value& v) { inner(Field{location_rest_, key, v}); });
    } else {
      code = {text, f.key};
    }
  }

  // [{"Key": "userAgent", "Value": "Mozilla/5.0"}] as text; all are kept if there are others.
  void info(Risk& e, const Field& f) {
    bool whole = true;
    const bool list = !e.info && azure::array(f, inner_, [&](Value& detail) {
      Text key, value;
      detail.object([&](std::string_view member, Value& v) {
        if (lm::equals_ignoring_case(member, "Key")) key = v.text();
        if (lm::equals_ignoring_case(member, "Value")) value = azure::present(v.text());
      });
      const bool agent = key && lm::equals_ignoring_case(*key, "userAgent");
      if (agent && value && !e.agent) e.agent = value;
      whole = whole && agent && value == e.agent;
    });
    e.info = true;
    if (!list || !whole) f.keep();
  }

  // ---- The row ----

  void envelope(FindingRow& row, const Risk& e, Text category) {
    envelope_.set(row, category);
    if (envelope_.category && envelope_.table && !lm::equals_ignoring_case(*envelope_.category, *envelope_.table))
      envelope_.keep(rest_, "Type", envelope_.table);
    if (!envelope_.correlation) {
      row.set<"metadata.correlation_uid">(e.correlation.value);
    } else {
      e.correlation.keep_unless(own(), envelope_.correlation);
    }
    e.tenant.keep_unless(own(), envelope_.tenant());
    if (envelope_.duration && *envelope_.duration != "0") envelope_.keep(rest_, "durationMs", envelope_.duration);
    envelope_.keep(rest_, "resourceId", envelope_.other_resource);
    envelope_.keep_resource(rest_);
    envelope_.keep(rest_, "resultType", envelope_.result_type);
    envelope_.keep(rest_, "resultSignature", envelope_.result_signature);
    row.set<"status_detail">(envelope_.result_description);
  }

  void finding(FindingRow& row, const Risk& e, bool detection, bool principal) {
    const Text kind = e.event_type.value ? e.event_type.value : e.risk_type.value;
    row.set<"metadata.original_event_uid">(e.id.value);
    row.set<"finding_info.uid">(e.id.value ? *e.id.value : e.user ? *e.user : e.principal.value.value_or("unknown"));
    row.set<"finding_info.title">(!detection ? Text(principal ? "Risky service principal" : "Risky user")
                                  : kind     ? kind
                                             : Text("Risk detection"));
    if (kind) row.push<"finding_info.types">(*kind);
    if (kind != e.risk_type.value) e.risk_type.keep(own());
    if (e.source) row.push<"finding_info.data_sources">(*e.source);
    const auto moment = [&](const Named& text) {
      const auto time = azure::time(text.value);
      if (!time) text.keep(own());
      return time;
    };
    row.set<"finding_info.first_seen_time">(moment(e.activity_at));
    row.set<"finding_info.modified_time">(moment(e.updated));
  }

  void risk(FindingRow& row, const Risk& e, bool detection) {
    int status = 0, activity = detection ? 1 : 2;  // Create, Update
    if (const Text state = azure::present_but(e.state, "none", "hidden")) {
      static constexpr auto kStates = azure::keys("atRisk", "confirmedCompromised", "dismissed", "remediated", "confirmedSafe");
      const int at = kStates.find(*state);
      status = at < 0 ? 99 : at < 3 ? at + 1 : 4;  // New, In Progress, Suppressed, Resolved
      if (at < 0) row.set<"status">(state);
      if (at == kStates.at("dismissed") || at == kStates.at("remediated")) activity = 3;  // Close
    }
    row.set<"activity_id">(activity);
    row.set<"status_id">(status);
    int severity = 0;
    if (e.level) {
      static constexpr auto kLevels = azure::keys("none", "low", "medium", "high", "hidden");
      const int at = kLevels.find(*e.level);
      severity = at < 0 ? 99 : at == kLevels.at("hidden") ? 0 : at + 1;
      if (at < 0) row.set<"severity">(e.level), row.set<"risk_level">(e.level);
      if (at != kLevels.at("hidden")) row.set<"risk_level_id">(at < 0 ? 99 : at);
    }
    row.set<"severity_id">(severity);
    row.set<"risk_details">(e.detail);
    if (detection) row.set<"is_alert">(true);
  }

  void evidence(FindingRow& row, const Risk& e, bool detection, bool principal) {
    // Of users and principals at risk the id is their own.
    const Text id = principal ? (e.principal.value ? e.principal.value
                                 : detection       ? Text()
                                                   : e.id.value)
                              : (e.user      ? e.user
                                 : detection ? Text()
                                             : e.id.value);
    const Text name = principal ? e.principal_name : e.user_name.value;
    const Text caller = envelope_.caller;
    const Text address = e.address.value ? e.address.value : caller;
    const bool endpoint = address && !azure::address(lm::before(*address, ',')).ip.empty();
    const Text outer = e.outer_location.value, code = e.location.value ? e.location.value : outer;
    const Text country = e.country.value ? e.country.value : code;
    if (!principal && e.principal_name) own().add_text("displayName", *e.principal_name);
    if (principal) e.user_name.keep(own()), e.display_name.keep(own());
    if (!principal) e.principal.keep(own());
    if (id || name || endpoint) {
      auto evidence = row.push<"evidences">();
      if (id || name) {
        evidence.set<"user.uid">(id);
        evidence.set<"user.name">(name);
        evidence.set<"user.type_id">(principal ? 4 : 1);  // Service, User
        const Text display = e.display_name.value ? e.display_name.value : envelope_.identity;
        if (!principal) evidence.set<"user.display_name">(display);
        if (principal || envelope_.identity != display) envelope_.keep(rest_, "identity", envelope_.identity);
        if (name && !azure::email_domain(*name).empty()) evidence.set<"user.email_addr">(name);
      }
      evidence.set<"http_request.user_agent">(e.agent);
      if (address && !azure::source_endpoint(evidence, *address)) {
        e.address.value ? e.address.keep(own()) : envelope_.keep(rest_, "callerIpAddress", caller);
      }
      if (endpoint) {
        evidence.set<"src_endpoint.location.city">(e.city.value);
        evidence.set<"src_endpoint.location.region">(e.region.value);
        if (country) {
          // Codes of two letters are capitals, here as in sign-ins.
          scratch_.assign(*country);
          if (scratch_.size() == 2) {
            for (char& c : scratch_) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
          }
          evidence.set<"src_endpoint.location.country">(std::string_view(scratch_));
        }
      }
    } else {
      if (e.agent) own().add_text("userAgent", *e.agent);  // which is none by itself
      e.address.value ? e.address.keep(own()) : envelope_.keep(rest_, "callerIpAddress", caller);
    }
    if (!id && !name) {
      e.display_name.keep(own());
      envelope_.keep(rest_, "identity", envelope_.identity);
    }
    if (e.address.value && caller != e.address.value) envelope_.keep(rest_, "callerIpAddress", caller);
    // A place is no endpoint by itself.
    if (!endpoint) e.city.keep(location_rest_), e.region.keep(location_rest_), e.country.keep(location_rest_);
    for (const Named* text : {&e.location, &e.outer_location}) {
      auto& to = text == &e.location ? own() : rest_;
      if (!endpoint) {
        text->keep(to);
      } else {
        text->keep_unless(to, country);
      }
    }
  }

  lm::json::Reader json_;
  azure::Inner inner_;
  azure::Envelope envelope_;
  lm::json::ObjectWriter rest_, properties_rest_, location_rest_;
  std::string scratch_;
  std::string_view location_key_;
  bool nested_ = false, foreign_ = false;
};

LOGMILL_PARSERS(EntraRisk)
