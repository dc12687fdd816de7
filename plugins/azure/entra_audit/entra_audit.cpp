// Directory audit logs of Microsoft Entra ID: who changed which user, group, role, application or policy.
// Source: Microsoft, "Microsoft Entra audit log categories and activities", "Interpret the Microsoft Entra audit log schema in Azure Monitor"; Microsoft Graph, resource type
// directoryAudit; Azure Monitor table AuditLogs.
//
// One pass reads a record into views (Audit); what has no place in OCSF goes to `unmapped` where it stood. The activity's name chooses the class, unless the record lacks what
// that class needs: then it is entity_management. Targets are written anew on the way (targets_), with the values of modified properties as the JSON that their texts hold.
#include <logmill/sdk.hpp>
#include <logmill/sdk/azure.hpp>
#include <logmill/sdk/fields.hpp>

#include <deque>
#include <vector>

namespace ocsf = lm::ocsf::v1_8;
namespace azure = lm::azure;

namespace {

using lm::Text;
using lm::azure::Named;
using lm::json::Field;
using lm::json::Type;
using lm::json::Value;

constexpr auto kCommon = azure::kEvery + lm::columns({lm::constant("metadata.product.name", "Microsoft Entra ID"),
                                                      {"activity_name"},
                                                      {"metadata.source"},
                                                      {"message"},
                                                      {"duration"},
                                                      {"status"},
                                                      {"status_id"},
                                                      {"status_code"},
                                                      {"status_detail"},
                                                      {"actor.user.uid"},
                                                      {"actor.user.name"},
                                                      {"actor.user.display_name"},
                                                      {"actor.user.email_addr"},
                                                      {"actor.user.type_id"},
                                                      {"actor.app_name"},
                                                      {"actor.app_uid"},
                                                      {"actor.idp.tenant_uid"},
                                                      {"src_endpoint.ip"},
                                                      {"src_endpoint.port"},
                                                      {"src_endpoint.intermediate_ips[]"},
                                                      {"http_request.user_agent"}});
constexpr auto kUser =
    lm::columns({{"user.uid"}, {"user.name"}, {"user.display_name"}, {"user.email_addr"}, {"user.domain"}, {"user.type_id"}});

constexpr auto kAccount = lm::table(ocsf::account_change, lm::profiles("cloud"), kCommon + kUser);
constexpr auto kGroup =
    lm::table(ocsf::group_management, lm::profiles("cloud"), kCommon + kUser + lm::columns({{"group.uid"}, {"group.name"}}));
constexpr auto kAccess =
    lm::table(ocsf::user_access, lm::profiles("cloud"),
              kCommon + kUser + lm::columns({{"privileges[]"}, {"resources[].uid"}, {"resources[].name"}, {"resources[].type"}}));
constexpr auto kEntity = lm::table(ocsf::entity_management, lm::profiles("cloud"),
                                   kCommon + lm::columns({{"entity.uid"}, {"entity.name"}, {"entity.type"}, {"entity.type_id"}}));

enum class Class { account, group, access, entity };

struct Choice {
  Class of;
  int activity;
};

// By the activity's name; entity 0: the rest of the record decides.
Choice choose(std::string_view name) {
  static constexpr auto kNames =
      azure::keys("Add user", "Invite external user", "Create user", "Enable account", "Change user password",
                  "Change password (self-service)", "Reset user password", "Reset password (by admin)", "Reset password (self-service)",
                  "Disable account", "Block user from sign-in", "Delete user", "Hard Delete user", "User registered security info",
                  "Admin registered security info", "User registered all required security info", "User deleted security info",
                  "Admin deleted security info", "Unlock user account (self-service)", "Update user", "Restore user", "Add member to group",
                  "Remove member from group", "Add group", "Delete group", "Hard Delete group", "Update group", "Add owner to group");
  switch (kNames.find(name)) {
    case kNames.at("Add user"):
    case kNames.at("Invite external user"):
    case kNames.at("Create user"): return {Class::account, 1};
    case kNames.at("Enable account"): return {Class::account, 2};
    case kNames.at("Change user password"):
    case kNames.at("Change password (self-service)"): return {Class::account, 3};
    case kNames.at("Reset user password"):
    case kNames.at("Reset password (by admin)"):
    case kNames.at("Reset password (self-service)"): return {Class::account, 4};
    case kNames.at("Disable account"):
    case kNames.at("Block user from sign-in"): return {Class::account, 5};
    case kNames.at("Delete user"):
    case kNames.at("Hard Delete user"): return {Class::account, 6};
    case kNames.at("User registered security info"):
    case kNames.at("Admin registered security info"):
    case kNames.at("User registered all required security info"): return {Class::account, 10};
    case kNames.at("User deleted security info"):
    case kNames.at("Admin deleted security info"): return {Class::account, 11};
    case kNames.at("Unlock user account (self-service)"): return {Class::account, 12};
    case kNames.at("Update user"):
    case kNames.at("Restore user"): return {Class::account, 99};
    case kNames.at("Add member to group"): return {Class::group, 3};
    case kNames.at("Remove member from group"): return {Class::group, 4};
    case kNames.at("Add group"): return {Class::group, 6};
    case kNames.at("Delete group"):
    case kNames.at("Hard Delete group"): return {Class::group, 5};
    case kNames.at("Update group"):
    case kNames.at("Add owner to group"): return {Class::group, 99};
    default: break;
  }
  // Names of role and permission grants end in how they came about. What is asked for, denied or taken back before it was granted gives no access.
  for (const std::string_view word : {"request", "approv", "denied", "cancel"}) {
    if (azure::contains_ignoring_case(name, word)) return {Class::entity, 0};
  }
  const auto begins = [&](std::string_view with) { return lm::equals_ignoring_case(name.substr(0, with.size()), with); };
  for (const std::string_view with : {"Add member to role", "Add eligible member to role", "Add app role assignment",
                                      "Add delegated permission grant", "Consent to application"}) {
    if (begins(with)) return {Class::access, 1};
  }
  for (const std::string_view with : {"Remove member from role", "Remove eligible member from role", "Remove app role assignment",
                                      "Remove delegated permission grant", "Revoke consent"}) {
    if (begins(with)) return {Class::access, 2};
  }
  return {Class::entity, 0};
}

int entity_activity(Text operation, std::string_view name) {
  static constexpr auto kOperations = azure::keys("Add", "Assign", "Update", "Delete", "Unassign");
  if (operation) {
    switch (kOperations.find(*operation)) {
      case kOperations.at("Add"):
      case kOperations.at("Assign"): return 1;
      case kOperations.at("Update"): return 3;
      case kOperations.at("Delete"):
      case kOperations.at("Unassign"): return 4;
      default: break;
    }
  }
  static constexpr auto kVerbs =
      azure::keys("Add", "Create", "Get", "Read", "Download", "Export", "Update", "Set", "Delete", "Remove", "Hard", "Enable", "Disable");
  switch (kVerbs.find(lm::before(name, ' '))) {
    case kVerbs.at("Add"):
    case kVerbs.at("Create"): return 1;
    case kVerbs.at("Get"):
    case kVerbs.at("Read"):
    case kVerbs.at("Download"):
    case kVerbs.at("Export"): return 2;
    case kVerbs.at("Update"):
    case kVerbs.at("Set"): return 3;
    case kVerbs.at("Delete"):
    case kVerbs.at("Remove"):
    case kVerbs.at("Hard"): return 4;
    case kVerbs.at("Enable"): return 8;
    case kVerbs.at("Disable"): return 9;
    default: return 99;
  }
}

int entity_type_id(std::string_view type) {
  static constexpr auto kTypes = azure::keys("Device", "User", "Group", "Directory", "Policy");
  const int type_id = kTypes.find(type);
  return type_id < 0 ? 99 : type_id + 1;
}

bool is_delicate(std::string_view name) {
  for (const std::string_view word : {"credentials", "federation", "consent", "owner", "conditional access policy"}) {
    if (azure::contains_ignoring_case(name, word)) return true;
  }
  return false;
}

struct Target {
  Text id, name, type, principal;
  bool is(std::string_view what) const { return type && lm::equals_ignoring_case(*type, what); }
};

// Whom a row's `user` is.
struct Subject {
  Text id, name, display_name;
  int type_id = 1;
  bool known() const { return id || name; }
};

// Of a modified property, un-quoted.
struct Change {
  Text before, after;
  Text value(bool removed) const { return removed && before ? before : after; }
};

struct Audit {
  Text activity, id, operation_type, result, reason, service, agent;
  Named at, correlation, tenant, category, operation, identity, result_type, result_description;
  // of initiatedBy
  Text user_id, user_name, display_name;
  Named address, app_id, app, principal_id, principal_name;
  // of modified properties
  Change role, role_id, app_role, app_role_name, scope, permissions, group, group_id, user, user_object, principal, principal_object;
  // of the portal's CSV
  Named target_type, target_name, target_id, target_principal;
  bool initiator = false, targets = false, details = false;
};

// Of those that Entra's other logs have: sign-ins, Microsoft Graph's activities, risks, provisioning.
bool is_other(Text category) {
  if (!category) return false;
  for (const std::string_view end :
       {"SignInLogs", "ActivityLogs", "ProvisioningLogs", "RiskEvents", "RiskyUsers", "RiskyServicePrincipals"}) {
    if (azure::ends_ignoring_case(*category, end)) return true;
  }
  return false;
}

// Other providers have a category AuditLogs too.
bool is_audit(Text category) { return category && lm::equals_ignoring_case(*category, "AuditLogs"); }

}  // namespace

struct EntraAudit {
  static constexpr lm::Descriptor descriptor{.id = "azure.entra_audit",
                                             .title = "Microsoft Entra audit logs",
                                             .vendor = "Microsoft",
                                             .version = "1.0.0",
                                             .reads =
                                                 "Directory audits as resource logs (JSON lines, records), rows of Log Analytics or of the "
                                                 "portal's CSV, or objects of Microsoft Graph",
                                             .framing = lm::Framing::json,
                                             .envelope = "records"};

  static constexpr auto keys = lm::strings("insights-logs-auditlogs/**", "am-auditlogs/**");

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "records");
    const int sure = outline.clean() ? 95 : 85;
    const auto text = [&](std::string_view a, std::string_view b, std::string_view c) {
      const Text first = outline.record_text(a), second = outline.record_text(b);
      return first ? first : second ? second : outline.record_text(c);
    };
    const Text category = text("category", "Category", "CATEGORY"), table = text("type", "Type", "TYPE");
    if (is_other(category) || is_other(table)) return 0;
    if (outline.record("activityDisplayName") || outline.record("ActivityDisplayName")) {
      const bool graph = outline.record("activityDateTime") && (outline.record("initiatedBy") || outline.record("targetResources"));
      const bool row = outline.record("ActivityDateTime") && (outline.record("InitiatedBy") || outline.record("TargetResources"));
      return graph || row ? sure : 0;
    }
    if (outline.record("Date (UTC)") && outline.record("Activity") && outline.record("Service")) return sure;
    const Text resource = text("resourceId", "ResourceId", "RESOURCEID");
    const bool of_entra = !azure::present(resource) || azure::ends_ignoring_case(*resource, "Microsoft.aadiam");
    if (!outline.record_like("properties")) return is_audit(table) && of_entra && outline.record_like("operationName") ? sure : 0;
    if (is_audit(category) && !of_entra) return 0;
    // As a text, the properties are looked at for the names alone.
    if (const Text properties = text("properties", "Properties", "PROPERTIES")) {
      return is_audit(category) && names_own(*properties) ? sure : 0;
    }
    std::string_view properties;
    for (const std::string_view name : {"properties", "Properties", "PROPERTIES"}) {
      if (properties.empty()) properties = outline.record_raw(name);
    }
    // A text that the sample ends in is not seen.
    if (properties.empty()) return is_audit(category) ? sure : 0;
    if (!properties.starts_with('{')) return 0;
    const lm::json::Outline inner(properties);
    if (is_audit(category)) {
      for (const std::string_view name : kOwn) {
        if (inner.record_like(name)) return sure;
      }
      return 0;
    }
    // Some exports write the activity's category in the envelope instead of AuditLogs.
    return inner.record("activityDisplayName") && inner.record("activityDateTime") ? sure : 0;
  }

  void parse(lm::Record record, lm::Rows<kAccount>& accounts, lm::Rows<kGroup>& groups, lm::Rows<kAccess>& access,
             lm::Rows<kEntity>& entities) {
    Audit e;
    nested_ = foreign_ = portal_ = false;
    initiator_key_ = "initiatedBy";
    envelope_.clear(), inner_.clear();
    for (auto* writer : {&rest_, &properties_rest_, &initiator_rest_, &user_rest_, &app_rest_}) writer->clear();
    found_.clear(), targets_.clear(), property_ = detail_key_ = Text(), targets_told_ = true, texts_used_ = 0;
    const bool read = json_.read(record.text(), [&](std::string_view key, Value& value) {
      if (foreign_) return;
      const Field f{rest_, key, value};
      if (lm::equals_ignoring_case(key, "properties")) {
        nested_ = true;
        return azure::object(f, inner_, properties_rest_, [&](const Field& m) { member(record, e, m); });
      }
      if (!envelope_.take(f)) return member(record, e, f);
      if (!nested_) foreign_ = is_other(envelope_.category);
    });
    constexpr std::string_view kForeign = "'category' is not AuditLogs, nor has it 'activityDisplayName' and 'activityDateTime'";
    if (!read && !foreign_) {
      const bool anothers = envelope_.category && !is_audit(envelope_.category) && !e.activity;
      return anothers ? record.reject(lm::foreign, kForeign) : record.reject(json_);
    }
    if (!is_mine(e)) return record.reject(lm::foreign, kForeign);
    const azure::Times times(e.at.value, envelope_.time);
    if (!times.event) return record.reject(lm::malformed, "neither 'activityDateTime' nor 'time' is a time");
    if (times.own_unread) e.at.keep(own());
    if (times.envelope_unread) envelope_.keep(rest_, envelope_.is_row() ? "TimeGenerated" : "time", envelope_.time);

    name_ = lm::trim(e.activity ? *e.activity : *envelope_.operation);
    Choice choice = choose(name_);
    const bool removed = choice.activity == 2 && choice.of == Class::access;
    const Target* const user = target("User");
    const Target* const group = target("Group");
    const bool user_told = user && (user->id || user->principal);
    const Text category = e.category.value ? e.category.value : envelope_.category;
    if (choice.of == Class::entity && category) {
      if (lm::equals_ignoring_case(*category, "UserManagement") && user) choice = {Class::account, 99};
      if (lm::equals_ignoring_case(*category, "GroupManagement")) choice = {Class::group, 99};
    }
    Subject subject;
    if (user) subject = {user->id, user->principal, user->name};
    switch (choice.of) {
      case Class::account: {
        // Who helps himself need not be named twice.
        const bool self = azure::contains_ignoring_case(name_, "self-service") || name_.starts_with("User ");
        if (!subject.known() && self) subject = {e.user_id, e.user_name, e.display_name};
        if (!subject.known()) break;
        auto row = accounts.begin(record);
        who(row, subject);
        return finish(row, e, times, choice, found_.size() > 1 || !user_told);
      }
      case Class::group: {
        const bool left = choice.activity == 4;
        const Text id = group ? group->id : e.group_id.value(left), name = group ? group->name : e.group.value(left);
        if (!id && !name) break;
        auto row = groups.begin(record);
        if (subject.known()) who(row, subject);
        row.set<"group.uid">(id);
        row.set<"group.name">(name);
        return finish(row, e, times, choice, found_.size() > 1 || (group ? group->principal.has_value() : !user_told));
      }
      case Class::access: {
        if (!subject.known()) subject = {e.user_object.value(removed), e.user.value(removed), {}};
        if (!subject.known()) subject = {e.principal_object.value(removed), e.principal.value(removed), {}, 4};
        const Target* const principal = target("ServicePrincipal");
        if (!subject.known() && principal &&
            (azure::contains_ignoring_case(name_, "consent") || azure::contains_ignoring_case(name_, "member")))
          subject = {principal->id, principal->name, {}, 4};
        privileges_.clear();
        privileges(e, removed);
        if (!subject.known() || privileges_.empty()) break;
        auto row = access.begin(record);
        who(row, subject);
        for (const std::string_view privilege : privileges_) row.push<"privileges">(privilege);
        resource(row, e, removed, subject);
        return finish(row, e, times, choice, found_.size() > 1 || !user_told);
      }
      case Class::entity: break;
    }
    auto row = entities.begin(record);
    const int activity = choice.of == Class::access ? 99 : entity_activity(e.operation_type, name_);
    bool untold = found_.size() > 1;
    if (found_.empty() || (!found_[0].id && !found_[0].name && !found_[0].principal)) {
      row.set<"entity.name">(name_);
    } else {
      const Target& first = found_[0];
      row.set<"entity.uid">(first.id);
      row.set<"entity.name">(first.name ? first.name : first.principal);
      untold = untold || (first.name && first.principal);
    }
    if (!found_.empty() && found_[0].type) {
      row.set<"entity.type">(found_[0].type);
      row.set<"entity.type_id">(entity_type_id(*found_[0].type));
    }
    finish(row, e, times, {Class::entity, activity}, untold);
  }

 private:
  // Members of properties, of which an audit has one at least.
  static constexpr std::string_view kOwn[] = {"activityDisplayName", "activityDateTime", "initiatedBy", "targetResources",
                                              "loggedByService"};

  static bool names_own(std::string_view text) {
    for (const std::string_view name : kOwn) {
      if (azure::contains_ignoring_case(text, name)) return true;
    }
    return false;
  }

  // Settles the envelope too, for the provider is known from then on.
  bool is_mine(const Audit& e) {
    if (foreign_ || is_other(envelope_.table) || (nested_ && is_other(envelope_.category))) return false;
    envelope_.finish(rest_);
    const bool audit = is_audit(envelope_.category), row = is_audit(envelope_.table) && !nested_;
    if ((audit || row) && !envelope_.resource.empty() && !lm::equals_ignoring_case(envelope_.resource.provider(), "Microsoft.aadiam"))
      return false;
    const bool own_members = e.at.value || e.service || e.targets || e.initiator;
    if (e.activity) return own_members || audit || row;
    return envelope_.operation && (row || (audit && nested_ && own_members));
  }

  // ---- Reading ----

  lm::json::ObjectWriter& own() { return nested_ ? properties_rest_ : rest_; }

  void member(lm::Record record, Audit& e, const Field& f) {
    static constexpr auto kKeys =
        azure::keys("id", "category", "correlationId", "result", "resultReason", "activityDisplayName", "activityDateTime",
                    "loggedByService", "operationType", "AADOperationType", "userAgent", "initiatedBy", "targetResources",
                    "additionalDetails", "tenantId", "operationName", "identity", "resultType", "resultDescription",
                    // Known, and without a place.
                    "tenantGeo", "durationMs", "operationVersion", "resultSignature", "callerIpAddress", "level");
    switch (kKeys.find(azure::column(f.key))) {
      case kKeys.at("id"): azure::text(f, e.id); break;
      case kKeys.at("category"): e.category.read(f); break;
      case kKeys.at("correlationId"): e.correlation.read(f); break;
      case kKeys.at("result"): azure::text(f, e.result); break;
      case kKeys.at("resultReason"): azure::text(f, e.reason); break;
      case kKeys.at("activityDisplayName"): azure::text(f, e.activity); break;
      case kKeys.at("activityDateTime"): e.at.read_scalar(f); break;
      case kKeys.at("loggedByService"): azure::text(f, e.service); break;
      case kKeys.at("operationType"):
      case kKeys.at("AADOperationType"): azure::text(f, e.operation_type), f.keep(); break;
      case kKeys.at("userAgent"): agent(e, f); break;
      case kKeys.at("initiatedBy"):
        initiator_key_ = f.key, e.initiator = true;
        azure::object(f, inner_, initiator_rest_, [&](const Field& m) { initiator(record, e, m); });
        break;
      case kKeys.at("targetResources"): targets(e, f); break;
      case kKeys.at("additionalDetails"): details(e, f); break;
      case kKeys.at("tenantId"): e.tenant.read(f); break;
      case kKeys.at("operationName"): e.operation.read(f); break;
      case kKeys.at("identity"): e.identity.read(f); break;
      case kKeys.at("resultType"): e.result_type.read_scalar(f); break;
      case kKeys.at("resultDescription"): e.result_description.read(f); break;
      case -1: portal(record, e, f); break;
      default: f.keep();
    }
  }

  // Columns of the portal's CSV. Of targets it has several, numbered, and so of their properties: "Target1ModifiedProperty2OldValue". They are kept too, but for
  // the first target where the row tells it.
  void portal(lm::Record record, Audit& e, const Field& f) {
    static constexpr auto kColumns = azure::keys(
        "Date (UTC)", "Service", "Activity", "ActorDisplayName", "ActorObjectId", "ActorUserPrincipalName", "ActorServicePrincipalId",
        "ActorServicePrincipalName", "IPAddress", "Target1Type", "Target1DisplayName", "Target1ObjectId", "Target1UserPrincipalName",
        // Known, and without a place.
        "ActorType", "ActorHomeTenantId", "ActorHomeTenantName");
    const std::string_view name = azure::column(f.key);
    const auto first = [&](Text Target::*member, Named& column) {
      if (found_.empty()) found_.emplace_back();
      column.read(f), found_[0].*member = column.value;
    };
    // It is the first column. Other sources have fields of such names too.
    if (!nested_ && name == "Date (UTC)") portal_ = true;
    if (nested_ || !portal_) {
      record.drift(f.key);
      return f.keep();
    }
    switch (kColumns.find(name)) {
      case kColumns.at("Date (UTC)"): e.at.read(f); break;
      case kColumns.at("Service"): azure::text(f, e.service); break;
      case kColumns.at("Activity"): azure::text(f, e.activity); break;
      case kColumns.at("ActorDisplayName"): azure::text(f, e.display_name); break;
      case kColumns.at("ActorObjectId"): azure::text(f, e.user_id); break;
      case kColumns.at("ActorUserPrincipalName"): azure::text(f, e.user_name); break;
      case kColumns.at("ActorServicePrincipalId"): e.principal_id.read(f); break;
      case kColumns.at("ActorServicePrincipalName"): e.principal_name.read(f); break;
      case kColumns.at("IPAddress"): e.address.read(f); break;
      case kColumns.at("Target1Type"): first(&Target::type, e.target_type); break;
      case kColumns.at("Target1DisplayName"): first(&Target::name, e.target_name); break;
      case kColumns.at("Target1ObjectId"): first(&Target::id, e.target_id); break;
      case kColumns.at("Target1UserPrincipalName"): first(&Target::principal, e.target_principal); break;
      case -1: numbered(record, e, f, name); break;
      default: f.keep();
    }
  }

  // The name of a modified property comes before its values.
  void numbered(lm::Record record, Audit& e, const Field& f, std::string_view name) {
    const bool detail = name.starts_with("AdditionalDetail"), target = name.starts_with("Target");
    if (!detail && !target) {
      record.drift(f.key);
      return f.keep();
    }
    const Text value = azure::present(f.value.text());
    if (detail && name.ends_with("Key")) detail_key_ = value;
    if (detail && name.ends_with("Value") && detail_key_ && lm::equals_ignoring_case(*detail_key_, "User-Agent") && !e.agent)
      e.agent = value;
    if (name.find("ModifiedProperty") != std::string_view::npos) {
      if (name.ends_with("Name")) property_ = value;
      if (name.ends_with("OldValue") && property_) changed(e, *property_, unquoted(value), {});
      if (name.ends_with("NewValue") && property_) changed(e, *property_, {}, unquoted(value));
    }
    f.keep();
  }

  // It is told in a member of its own, or among the details.
  static void agent(Audit& e, const Field& f) {
    Text agent;
    azure::text(f, agent);
    if (!e.agent) {
      e.agent = agent;
    } else if (agent && agent != e.agent) {
      f.rest.add_text(f.key, *agent);
    }
  }

  void initiator(lm::Record record, Audit& e, const Field& f) {
    if (lm::equals_ignoring_case(f.key, "user")) {
      f.object(user_rest_, [&](const Field& m) {
        static constexpr auto kKeys =
            azure::keys("id", "displayName", "userPrincipalName", "ipAddress", "roles", "userType", "homeTenantId", "homeTenantName");
        switch (kKeys.find(m.key)) {
          case kKeys.at("id"): azure::text(m, e.user_id); break;
          case kKeys.at("displayName"): azure::text(m, e.display_name); break;
          case kKeys.at("userPrincipalName"): azure::text(m, e.user_name); break;
          case kKeys.at("ipAddress"): e.address.read(m); break;
          case -1:
            record.drift("initiatedBy.user", m.key);
            m.keep();
            break;
          default: m.keep();
        }
      });
    } else if (lm::equals_ignoring_case(f.key, "app")) {
      f.object(app_rest_, [&](const Field& m) {
        static constexpr auto kKeys = azure::keys("appId", "displayName", "servicePrincipalId", "servicePrincipalName");
        switch (kKeys.find(m.key)) {
          case kKeys.at("appId"): e.app_id.read(m); break;
          case kKeys.at("displayName"): e.app.read(m); break;
          case kKeys.at("servicePrincipalId"): e.principal_id.read(m); break;
          case kKeys.at("servicePrincipalName"): e.principal_name.read(m); break;
          default: record.drift("initiatedBy.app", m.key); m.keep();
        }
      });
    } else {
      if (!lm::equals_ignoring_case(f.key, "@odata.type")) record.drift("initiatedBy", f.key);
      f.keep();
    }
  }

  // The user agent is one of them; all are kept if there are others.
  void details(Audit& e, const Field& f) {
    bool whole = true;
    const bool list = !e.details && azure::array(f, inner_, [&](Value& detail) {
      Text key, value;
      detail.object([&](std::string_view member, Value& v) {
        if (lm::equals_ignoring_case(member, "key")) key = v.text();
        if (lm::equals_ignoring_case(member, "value")) value = azure::present(v.text());
      });
      const bool agent = key && lm::equals_ignoring_case(*key, "User-Agent");
      if (agent && value && !e.agent) e.agent = value;
      whole = whole && agent && (!value || value == e.agent);
    });
    e.details = true;
    if (!list || !whole) f.keep();
  }

  const Target* target(std::string_view type) const {
    for (const Target& t : found_) {
      if (t.is(type)) return &t;
    }
    return nullptr;
  }

  // ---- Targets ----

  void targets(Audit& e, const Field& f) {
    if (e.targets) return f.keep();
    targets_.assign("[");
    if (!azure::array(f, inner_, [&](Value& item) { target(e, item); })) {
      targets_.clear();
      return f.keep();
    }
    targets_.push_back(']');
    targets_key_ = f.key;
    e.targets = true;
  }

  void begin_member(std::string_view key) {
    if (targets_.back() != '{') targets_.push_back(',');
    lm::json::append_quoted(targets_, key);
    targets_.push_back(':');
  }
  void next_element() {
    if (targets_.back() != '[') targets_.push_back(',');
  }

  void target(Audit& e, Value& item) {
    next_element();
    if (item.type() != Type::object) {
      targets_.append(item.raw());
      targets_told_ = false;
      return;
    }
    Target t;
    targets_.push_back('{');
    item.object([&](std::string_view key, Value& value) {
      static constexpr auto kKeys = azure::keys("id", "displayName", "type", "userPrincipalName", "modifiedProperties");
      const int member = kKeys.find(key);
      if (member == kKeys.at("modifiedProperties") && value.type() == Type::array) return properties(e, key, value);
      Text* const place = member == kKeys.at("id")                  ? &t.id
                          : member == kKeys.at("displayName")       ? &t.name
                          : member == kKeys.at("type")              ? &t.type
                          : member == kKeys.at("userPrincipalName") ? &t.principal
                                                                    : nullptr;
      if (place) *place = azure::present(value.text());
      const std::string_view raw = value.raw();
      if (lm::json::says_nothing(raw)) return;
      targets_told_ = targets_told_ && place && *place;
      begin_member(key);
      targets_.append(raw);
    });
    targets_.push_back('}');
    found_.push_back(t);
  }

  // [{"displayName": "Role.DisplayName", "oldValue": null, "newValue": "\"Global Administrator\""}]
  void properties(Audit& e, std::string_view key, Value& list) {
    const std::size_t before = targets_.size();
    begin_member(key);
    targets_.push_back('[');
    bool any = false;
    list.array([&](Value& item) {
      any = true;
      next_element();
      if (item.type() != Type::object) {
        targets_.append(item.raw());
        return;
      }
      Text name, old_value, new_value;
      targets_.push_back('{');
      item.object([&](std::string_view member, Value& value) {
        static constexpr auto kKeys = azure::keys("displayName", "oldValue", "newValue");
        const Text text = value.text();
        const std::string_view raw = value.raw();
        if (value.is_null()) return;
        begin_member(member);
        switch (kKeys.find(member)) {
          case kKeys.at("displayName"): name = text; break;
          case kKeys.at("oldValue"): old_value = text; break;
          case kKeys.at("newValue"): new_value = text; break;
          default: targets_.append(raw); return;
        }
        // What the text holds, if that is JSON and not so deep that the whole would be too deep.
        const bool json = text && is_shallow(*text) && value_json_.valid(*text);
        targets_.append(json ? *text : raw);
      });
      targets_.push_back('}');
      if (name) changed(e, *name, unquoted(old_value), unquoted(new_value));
    });
    targets_.push_back(']');
    if (any) {
      targets_told_ = false;
    } else {
      targets_.resize(before);
    }
  }

  // Whether a text begins as JSON that is worth opening, and is not so deep that the whole would be too deep. Brackets in strings are counted too.
  static bool is_shallow(std::string_view text) {
    if (text.empty() || (text.front() != '"' && text.front() != '[' && text.front() != '{')) return false;
    int depth = 0;
    for (const char c : text) {
      if (c == '[' || c == '{') ++depth;
      if (c == ']' || c == '}') --depth;
      if (depth > 64) return false;
    }
    return true;
  }

  // The text that a text holds as a JSON string, or as the only one of a list; else as it stands.
  Text unquoted(Text value) {
    if (!value || value->size() < 2) return azure::present(value);
    const char first = value->front();
    if (first != '"' && first != '[') return azure::present(value);
    if (first == '"' && value->back() == '"') {
      const std::string_view inner = value->substr(1, value->size() - 2);
      if (inner.find_first_of("\"\\") == std::string_view::npos) return azure::present(inner);
    }
    if (texts_used_ == texts_.size()) texts_.emplace_back();
    std::string& text = texts_[texts_used_++];
    if (first == '"') {
      text.assign("[").append(*value).append("]");
    } else {
      text.assign(*value);
    }
    Text only;
    int count = 0;
    if (!value_json_.read_array(text, [&](Value& v) { ++count, only = v.text(); }) || count != 1 || !only) return azure::present(value);
    unquoted_.assign(*only);
    text.swap(unquoted_);  // what it was read from goes with the next one
    return azure::present(Text(text));
  }

  static void changed(Audit& e, std::string_view name, Text before, Text after) {
    static constexpr auto kNames =
        azure::keys("Role.DisplayName", "Role.ObjectID", "AppRole.Value", "AppRole.DisplayName", "DelegatedPermissionGrant.Scope",
                    "ConsentAction.Permissions", "Group.DisplayName", "Group.ObjectID", "User.UPN", "User.ObjectID",
                    "ServicePrincipal.DisplayName", "ServicePrincipal.ObjectID");
    Change* const places[] = {&e.role,  &e.role_id,  &e.app_role, &e.app_role_name, &e.scope,     &e.permissions,
                              &e.group, &e.group_id, &e.user,     &e.user_object,   &e.principal, &e.principal_object};
    const int at = kNames.find(name);
    if (at < 0) return;
    Change& change = *places[at];
    if (!change.before) change.before = before;
    if (!change.after) change.after = after;
  }

  // ---- The row ----

  void privileges(const Audit& e, bool removed) {
    if (const Text scope = e.scope.value(removed)) {
      for (std::string_view rest = *scope; !rest.empty();) {
        const std::string_view word = lm::before(rest, ' ');
        if (!word.empty()) privileges_.push_back(word);
        rest.remove_prefix(std::min(rest.size(), word.size() + 1));
      }
      return;
    }
    for (const Change* change : {&e.role, &e.app_role, &e.app_role_name, &e.permissions}) {
      if (const Text value = change->value(removed)) return privileges_.push_back(*value);
    }
    // Privileged Identity Management has the role as a target.
    if (const Target* const role = target("Role"); role && role->name) privileges_.push_back(*role->name);
  }

  // The role, or the application whose permission it is.
  void resource(lm::Row<kAccess>& row, const Audit& e, bool removed, const Subject& subject) const {
    const Target* of = target("Role");
    for (const Target& t : found_) {
      if (!of && (t.is("ServicePrincipal") || t.is("Application")) && !(t.id && t.id == subject.id)) of = &t;
    }
    if (of) {
      auto resource = row.push<"resources">();
      resource.set<"uid">(of->id);
      resource.set<"name">(of->name ? of->name : e.role.value(removed));
      resource.set<"type">(of->type);
    } else if (e.role.value(removed) || e.role_id.value(removed)) {
      auto resource = row.push<"resources">();
      resource.set<"uid">(e.role_id.value(removed));
      resource.set<"name">(e.role.value(removed));
      resource.set<"type">("Role");
    }
  }

  template <class Row>
  static void who(Row& row, const Subject& subject) {
    row.template set<"user.uid">(subject.id);
    row.template set<"user.name">(subject.name);
    row.template set<"user.display_name">(subject.display_name);
    row.template set<"user.type_id">(subject.type_id);
    if (!subject.name) return;
    if (const auto domain = azure::email_domain(*subject.name); !domain.empty()) {
      row.template set<"user.email_addr">(subject.name);
      row.template set<"user.domain">(domain);
    }
  }

  template <class Row>
  void actor(Row& row, Audit& e) {
    bool there = e.user_id || e.user_name;
    if (there) {
      row.template set<"actor.user.uid">(e.user_id);
      row.template set<"actor.user.name">(e.user_name);
      row.template set<"actor.user.type_id">(1);
      if (!e.display_name) e.display_name = e.identity.value ? e.identity.value : envelope_.identity;
      row.template set<"actor.user.display_name">(e.display_name);
      if (e.user_name && !azure::email_domain(*e.user_name).empty()) row.template set<"actor.user.email_addr">(e.user_name);
      e.principal_id.keep(app_rest_), e.principal_name.keep(app_rest_);
    } else if (e.principal_id.value || e.principal_name.value) {
      row.template set<"actor.user.uid">(e.principal_id.value);
      row.template set<"actor.user.name">(e.principal_name.value);
      row.template set<"actor.user.type_id">(4);  // Service
      there = true;
    }
    if (e.display_name && !e.user_id && !e.user_name) user_rest_.add_text("displayName", *e.display_name);
    there = row.template set<"actor.app_name">(e.app.value) || there;
    there = row.template set<"actor.app_uid">(e.app_id.value) || there;
    if (there && !envelope_.tenant().empty()) row.template set<"actor.idp.tenant_uid">(envelope_.tenant());
    const auto told = [&](Text identity) { return !identity || identity == e.display_name || identity == e.app.value; };
    if (!told(e.identity.value)) e.identity.keep(own());
    if (!told(envelope_.identity)) envelope_.keep(rest_, "identity", envelope_.identity);
  }

  template <class Row>
  void source(Row& row, Audit& e) {
    const Text caller = envelope_.caller;
    if (e.address.value) {
      if (!azure::source_endpoint(row, *e.address.value)) e.address.keep(user_rest_);
      if (caller != e.address.value) envelope_.keep(rest_, "callerIpAddress", caller);
    } else if (caller && !azure::source_endpoint(row, *caller)) {
      envelope_.keep(rest_, "callerIpAddress", caller);
    }
    row.template set<"http_request.user_agent">(e.agent);
  }

  template <class Row>
  void result(Row& row, const Audit& e) {
    const Text type = e.result_type.value ? e.result_type.value : envelope_.result_type;
    const Text result = e.result ? e.result : type;
    int status = 0;
    if (result) {
      const auto is = [&](std::string_view word) { return lm::equals_ignoring_case(*result, word); };
      status = is("success") ? 1 : is("failure") || is("failed") || is("timeout") ? 2 : 0;
      if (status == 0 || is("timeout")) row.template set<"status">(result);
    }
    row.template set<"status_id">(status);
    if (e.result && type && !lm::equals_ignoring_case(*type, *e.result)) row.template set<"status_code">(type);
    e.result_type.keep_unless(own(), type);
    if (envelope_.result_type != type) envelope_.keep(rest_, "resultType", envelope_.result_type);
    envelope_.keep(rest_, "resultSignature", envelope_.result_signature);
    const Text description = e.result_description.value ? e.result_description.value : envelope_.result_description;
    const Text detail = e.reason ? e.reason : description;
    row.template set<"status_detail">(detail);
    e.result_description.keep_unless(own(), detail);
    if (envelope_.result_description != detail) envelope_.keep(rest_, "resultDescription", envelope_.result_description);
  }

  // What all classes have in common. `untold`: the targets say more than the row does.
  template <class Row>
  void finish(Row& row, Audit& e, const azure::Times& times, Choice choice, bool untold) {
    times.set(row);
    row.template set<"activity_id">(choice.activity);
    if (choice.activity == 99) row.template set<"activity_name">(name_);
    row.template set<"severity_id">(choice.of == Class::access || is_delicate(name_) ? 3 : 1);
    row.template set<"message">(e.activity ? e.activity : envelope_.operation);
    row.template set<"duration">(envelope_.milliseconds());
    if (!envelope_.milliseconds() && envelope_.duration && *envelope_.duration != "0")
      envelope_.keep(rest_, "durationMs", envelope_.duration);
    row.template set<"metadata.original_event_uid">(e.id);
    row.template set<"metadata.source">(e.service);

    // Without an envelope, and in rows, the category is the activity's.
    envelope_.set(row, nested_ ? envelope_.category : envelope_.table);
    if (!nested_) envelope_.keep(rest_, "category", envelope_.category);
    if (nested_ && envelope_.table) envelope_.keep(rest_, "Type", envelope_.table);
    if (!(nested_ && e.category.value == envelope_.category)) e.category.keep(own());
    if (!envelope_.correlation) {
      row.template set<"metadata.correlation_uid">(e.correlation.value);
    } else {
      e.correlation.keep_unless(own(), envelope_.correlation);
    }
    if (!envelope_.operation) {
      row.template set<"metadata.event_code">(e.operation.value);
    } else {
      e.operation.keep_unless(own(), envelope_.operation);
    }
    e.tenant.keep_unless(own(), envelope_.tenant());
    envelope_.keep(rest_, "location", envelope_.location);
    envelope_.keep(rest_, "resourceId", envelope_.other_resource);
    envelope_.keep_resource(rest_);

    actor(row, e);
    source(row, e);
    result(row, e);
    Field::close(initiator_rest_, "user", user_rest_);
    Field::close(initiator_rest_, "app", app_rest_);
    Field::close(own(), initiator_key_, initiator_rest_);
    if (e.targets && targets_.size() > 2 && (untold || !targets_told_)) own().add(targets_key_, targets_);
    if (untold) {
      for (const Named* column : {&e.target_type, &e.target_name, &e.target_id, &e.target_principal}) column->keep(rest_);
    }
    Field::close(rest_, "properties", properties_rest_);
    if (const auto rest = rest_.finish(); !rest.empty()) row.template set<"unmapped">(rest);
  }

  lm::json::Reader json_, value_json_;
  azure::Inner inner_;
  azure::Envelope envelope_;
  lm::json::ObjectWriter rest_, properties_rest_, initiator_rest_, user_rest_, app_rest_;
  std::vector<Target> found_;
  std::vector<std::string_view> privileges_;
  std::deque<std::string> texts_;  // a deque, for views into them must stay
  std::size_t texts_used_ = 0;
  std::string unquoted_;
  std::string targets_;
  std::string_view initiator_key_, targets_key_, name_;
  Text property_, detail_key_;  // of the portal's CSV, the last that was named
  bool nested_ = false, foreign_ = false, portal_ = false, targets_told_ = true;
};

LOGMILL_PARSERS(EntraAudit)
