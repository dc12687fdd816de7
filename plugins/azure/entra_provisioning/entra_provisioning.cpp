// Microsoft Entra provisioning logs: what the provisioning service changed in which system.
// Source: Microsoft, "Analyze the Microsoft Entra provisioning logs"; Microsoft Graph, resource type provisioningObjectSummary; Azure Monitor table AADProvisioningLogs.
//
// One pass reads a record into views (Step). A member is the same one in any case, in `properties`, in a row of Log Analytics, or in an object of Microsoft Graph; what has no
// place in OCSF goes to `unmapped` where it stood. Both identities go there whole besides: a row is of one of them.
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

constexpr auto kCommon = azure::kEvery + lm::columns({lm::constant("metadata.product.name", "Microsoft Entra ID"),
                                                      lm::constant("metadata.product.feature.name", "Provisioning"),
                                                      {"activity_name"},
                                                      {"duration"},
                                                      {"message"},
                                                      {"status"},
                                                      {"status_id"},
                                                      {"status_code"},
                                                      {"status_detail"},
                                                      {"actor.app_name"},
                                                      {"actor.app_uid"},
                                                      {"actor.user.name"},
                                                      {"actor.user.uid"},
                                                      {"actor.user.type_id"}});

constexpr auto kAccount =
    lm::table(ocsf::account_change, lm::profiles("cloud"),
              kCommon + lm::columns({{"user.uid"}, {"user.name"}, {"user.display_name"}, {"user.email_addr"}, {"user.domain"}}));
constexpr auto kGroup = lm::table(ocsf::group_management, lm::profiles("cloud"), kCommon + lm::columns({{"group.uid"}, {"group.name"}}));
constexpr auto kEntity =
    lm::table(ocsf::entity_management, lm::profiles("cloud"), kCommon + lm::columns({{"entity.uid"}, {"entity.name"}, {"entity.type"}}));

struct Identity {
  Text id, name, type, principal;
  bool there() const { return id || name; }
};

struct Step {
  Named at, id, change, correlation, tenant, verb;
  Text action;
  lm::Maybe<std::int64_t> duration;
  Text initiator_type, initiator_id, initiator_name;
  Text status, error, reason, last_step;
  Identity source, target;
};

enum class Kind { user, group, other };

// "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
Kind kind_of(Text type) {
  if (type && azure::ends_ignoring_case(*type, "User")) return Kind::user;
  if (type && azure::ends_ignoring_case(*type, "Group")) return Kind::group;
  return Kind::other;
}

int activity_id(Kind kind, Text action) {
  static constexpr auto kActions = azure::keys("create", "update", "delete", "stagedDelete", "disable");
  if (!action) return 0;
  const int at = kActions.find(*action);
  const bool deleted = at == kActions.at("delete") || (kind == Kind::user && at == kActions.at("stagedDelete"));
  switch (kind) {
    case Kind::user: return at == kActions.at("create") ? 1 : at == kActions.at("disable") ? 5 : deleted ? 6 : 99;
    case Kind::group: return at == kActions.at("create") ? 6 : deleted ? 5 : 99;
    default: return at == kActions.at("create") ? 1 : at == kActions.at("update") ? 3 : deleted ? 4 : at == kActions.at("disable") ? 9 : 99;
  }
}

}  // namespace

struct EntraProvisioning {
  static constexpr lm::Descriptor descriptor{
      .id = "azure.entra_provisioning",
      .title = "Microsoft Entra provisioning logs",
      .vendor = "Microsoft",
      .version = "1.0.0",
      .reads = "Provisioning as resource logs (JSON lines, records), rows of Log Analytics, or objects of Microsoft Graph",
      .framing = lm::Framing::json,
      .envelope = "records"};

  static constexpr auto keys = lm::strings("insights-logs-provisioninglogs/**", "am-aadprovisioninglogs/**");

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "records");
    const int sure = outline.clean() ? 95 : 85;
    for (const std::string_view name : {"category", "Category", "CATEGORY", "Type", "type"}) {
      if (const Text category = outline.record_text(name); category && azure::ends_ignoring_case(*category, "ProvisioningLogs"))
        return sure;
    }
    if (outline.record("category") || outline.record("Category") || outline.record("Type")) return 0;
    // Microsoft Graph has no envelope.
    return outline.record("jobId") && outline.record("cycleId") && outline.record("provisioningAction") ? sure : 0;
  }

  void parse(lm::Record record, lm::Rows<kAccount>& accounts, lm::Rows<kGroup>& groups, lm::Rows<kEntity>& entities) {
    Step e;
    nested_ = foreign_ = graph_ = false;
    envelope_.clear(), inner_.clear();
    for (auto* writer : {&rest_, &properties_rest_}) writer->clear();
    const bool read = json_.read(record.text(), [&](std::string_view key, Value& value) {
      if (foreign_) return;
      const Field f{rest_, key, value};
      if (lm::equals_ignoring_case(key, "properties")) {
        nested_ = true;
        return azure::object(f, inner_, properties_rest_, [&](const Field& m) { member(record, e, m); });
      }
      if (!envelope_.take(f)) return member(record, e, f);
      const Text what = envelope_.category ? envelope_.category : envelope_.table;
      foreign_ = what && !azure::ends_ignoring_case(*what, "ProvisioningLogs") &&
                 !(envelope_.table && azure::ends_ignoring_case(*envelope_.table, "ProvisioningLogs"));
    });
    if (!read && !foreign_) return record.reject(json_);
    const Text category = envelope_.category ? envelope_.category : envelope_.table;
    if (foreign_ || (!category && !graph_))
      return record.reject(lm::foreign, "'category' is not ProvisioningLogs, nor has it 'jobId' and 'provisioningAction'");
    const azure::Times times(e.at.value, envelope_.time);
    if (!times.event) return record.reject(lm::malformed, "neither 'activityDateTime' nor 'time' is a time");
    envelope_.finish(rest_);
    if (times.own_unread) e.at.keep(own());
    if (times.envelope_unread) envelope_.keep(rest_, envelope_.is_row() ? "TimeGenerated" : "time", envelope_.time);

    // What was skipped before it came to be is known at its source alone.
    const Identity& of = e.target.there() ? e.target : e.source;
    Kind kind = kind_of(e.target.type ? e.target.type : e.source.type);
    const Text name = of.principal ? of.principal : of.name;
    if (!of.there()) kind = Kind::other;
    const Text action = e.action ? e.action : e.verb.value;
    const int activity = activity_id(kind, action);
    switch (kind) {
      case Kind::user: {
        auto row = accounts.begin(record);
        row.set<"user.uid">(of.id);
        row.set<"user.name">(name);
        if (of.principal && of.name && of.name != of.principal) row.set<"user.display_name">(of.name);
        if (name) {
          if (const auto domain = azure::email_domain(*name); !domain.empty()) {
            row.set<"user.email_addr">(name);
            row.set<"user.domain">(domain);
          }
        }
        return finish(row, e, times, activity, action, category);
      }
      case Kind::group: {
        auto row = groups.begin(record);
        row.set<"group.uid">(of.id);
        row.set<"group.name">(of.name);
        return finish(row, e, times, activity, action, category);
      }
      default: {
        auto row = entities.begin(record);
        row.set<"entity.uid">(of.id);
        row.set<"entity.name">(of.there() ? of.name : Text("unknown"));  // the class wants an entity
        row.set<"entity.type">(e.target.type ? e.target.type : e.source.type);
        return finish(row, e, times, activity, action, category);
      }
    }
  }

 private:
  // ---- Reading ----

  lm::json::ObjectWriter& own() { return nested_ ? properties_rest_ : rest_; }

  void member(lm::Record record, Step& e, const Field& f) {
    static constexpr auto kKeys =
        azure::keys("id", "activityDateTime", "tenantId", "changeId", "action", "provisioningAction", "durationInMilliseconds",
                    "initiatedBy", "sourceIdentity", "targetIdentity", "provisioningStatusInfo", "provisioningSteps", "correlationId",
                    // Known, and without a place.
                    "jobId", "cycleId", "servicePrincipal", "sourceSystem", "targetSystem", "statusInfo", "modifiedProperties",
                    "resultType", "operationName", "category", "activityDisplayName", "loggedByService", "result", "resultReason");
    const int key = kKeys.find(azure::column(f.key));
    switch (key) {
      case kKeys.at("id"): e.id.read(f); break;
      case kKeys.at("activityDateTime"): e.at.read_scalar(f); break;
      case kKeys.at("tenantId"): e.tenant.read(f); break;
      case kKeys.at("changeId"): e.change.read(f); break;
      case kKeys.at("correlationId"): e.correlation.read(f); break;
      case kKeys.at("action"): e.verb.read(f); break;
      case kKeys.at("provisioningAction"):
        azure::text(f, e.action), graph_ = true;
        if (e.action && lm::equals_ignoring_case(*e.action, "stagedDelete")) f.keep();  // a row's activity is that of delete
        break;
      case kKeys.at("durationInMilliseconds"): f.integer(e.duration); break;
      case kKeys.at("initiatedBy"): azure::object(f, inner_, [&](const Field& m) { initiator(e, m); }); break;
      case kKeys.at("sourceIdentity"): azure::object(f, inner_, [&](const Field& m) { identity(e.source, m); }); break;
      case kKeys.at("targetIdentity"): azure::object(f, inner_, [&](const Field& m) { identity(e.target, m); }); break;
      case kKeys.at("provisioningStatusInfo"): azure::object(f, inner_, [&](const Field& m) { status(e, m); }); break;
      case kKeys.at("provisioningSteps"):
        azure::array(f, inner_, [&](Value& step) {
          step.object([&](std::string_view name, Value& v) {
            if (!lm::equals_ignoring_case(name, "description")) return;
            if (const Text text = azure::present(v.text())) e.last_step = text;
          });
        });
        f.keep();
        break;
      case -1:
        record.drift(f.key);
        f.keep();
        break;
      default: f.keep();
    }
  }

  static void initiator(Step& e, const Field& f) {
    static constexpr auto kKeys = azure::keys("type", "initiatorType", "id", "name", "displayName");
    switch (kKeys.find(f.key)) {
      case kKeys.at("type"):
      case kKeys.at("initiatorType"): azure::text(f, e.initiator_type), f.keep(); break;
      case kKeys.at("id"): azure::text(f, e.initiator_id); break;
      case kKeys.at("name"):
      case kKeys.at("displayName"): azure::text(f, e.initiator_name); break;
      default: f.keep();
    }
  }

  static void identity(Identity& of, const Field& f) {
    static constexpr auto kKeys = azure::keys("id", "name", "displayName", "identityType", "details");
    switch (kKeys.find(f.key)) {
      case kKeys.at("id"): azure::text(f, of.id); break;
      case kKeys.at("name"):
      case kKeys.at("displayName"): azure::text(f, of.name); break;
      case kKeys.at("identityType"): azure::text(f, of.type); break;
      case kKeys.at("details"):
        if (f.value.type() == Type::object) {
          f.value.object([&](std::string_view name, Value& v) {
            if (lm::equals_ignoring_case(name, "UserPrincipalName")) of.principal = azure::present(v.text());
          });
        }
        break;
      default: break;
    }
    f.keep();
  }

  void status(Step& e, const Field& f) {
    if (lm::equals_ignoring_case(f.key, "status")) return azure::text(f, e.status);
    if (!lm::equals_ignoring_case(f.key, "errorInformation")) return f.keep();
    f.object([&](const Field& m) {
      static constexpr auto kKeys = azure::keys("errorCode", "reason");
      switch (kKeys.find(m.key)) {
        case kKeys.at("errorCode"): azure::scalar(m, e.error); break;
        case kKeys.at("reason"): azure::text(m, e.reason); break;
        default: m.keep();
      }
    });
  }

  // ---- The row ----

  template <class Row>
  void finish(Row& row, Step& e, const azure::Times& times, int activity, Text action, Text category) {
    times.set(row);
    row.template set<"activity_id">(activity);
    if (activity == 99) row.template set<"activity_name">(action);
    if (e.verb.value && !lm::equals_ignoring_case(*e.verb.value, *action)) e.verb.keep(own());
    row.template set<"message">(envelope_.operation);
    const auto duration = e.duration ? e.duration : envelope_.milliseconds();
    if (duration && *duration > 0) row.template set<"duration">(duration);
    if (envelope_.duration && *envelope_.duration != "0" && lm::integer(*envelope_.duration) != duration)
      envelope_.keep(rest_, "durationMs", envelope_.duration);

    envelope_.set(row, category);
    if (envelope_.category && envelope_.table && !lm::equals_ignoring_case(*envelope_.category, *envelope_.table))
      envelope_.keep(rest_, "Type", envelope_.table);
    row.template set<"metadata.original_event_uid">(e.id.value);
    // The change is what the steps of several systems have in common; the envelope's id is that of the cycle's request.
    const Text correlation = e.change.value ? e.change.value : envelope_.correlation ? envelope_.correlation : e.correlation.value;
    row.template set<"metadata.correlation_uid">(correlation);
    if (envelope_.correlation != correlation) envelope_.keep(rest_, "correlationId", envelope_.correlation);
    e.correlation.keep_unless(own(), correlation);
    e.tenant.keep_unless(own(), envelope_.tenant());
    envelope_.keep(rest_, "identity", envelope_.identity);
    envelope_.keep(rest_, "location", envelope_.location);
    envelope_.keep(rest_, "callerIpAddress", envelope_.caller);
    envelope_.keep(rest_, "resourceId", envelope_.other_resource);
    envelope_.keep_resource(rest_);
    envelope_.keep(rest_, "resultSignature", envelope_.result_signature);

    const Text result = e.status ? e.status : envelope_.result_type;
    int status = 0;
    if (result) {
      status = lm::equals_ignoring_case(*result, "success") ? 1 : lm::equals_ignoring_case(*result, "failure") ? 2 : 99;
      if (status == 99) row.template set<"status">(result);
    }
    row.template set<"status_id">(status);
    row.template set<"severity_id">(status == 2 ? 2 : 1);
    row.template set<"status_code">(e.error);
    row.template set<"status_detail">(e.reason ? e.reason : e.last_step ? e.last_step : envelope_.result_description);
    if (envelope_.result_type && !(result && lm::equals_ignoring_case(*envelope_.result_type, *result)))
      envelope_.keep(rest_, "resultType", envelope_.result_type);
    if ((e.reason || e.last_step) && envelope_.result_description != (e.reason ? e.reason : e.last_step))
      envelope_.keep(rest_, "resultDescription", envelope_.result_description);

    if (e.initiator_type && lm::equals_ignoring_case(*e.initiator_type, "user")) {
      row.template set<"actor.user.uid">(e.initiator_id);
      row.template set<"actor.user.name">(e.initiator_name);
      if (e.initiator_id || e.initiator_name) row.template set<"actor.user.type_id">(1);
    } else {
      row.template set<"actor.app_uid">(e.initiator_id);
      row.template set<"actor.app_name">(e.initiator_name);
    }
    Field::close(rest_, "properties", properties_rest_);
    if (const auto rest = rest_.finish(); !rest.empty()) row.template set<"unmapped">(rest);
  }

  lm::json::Reader json_;
  azure::Inner inner_;
  azure::Envelope envelope_;
  lm::json::ObjectWriter rest_, properties_rest_;
  bool nested_ = false, foreign_ = false, graph_ = false;
};

LOGMILL_PARSERS(EntraProvisioning)
