// Audit logs of Azure SQL: databases, managed instances and pools.
// Source: Microsoft, "SQL Database audit log format"; SQL Server, "SQL Server audit action groups and actions", "sys.fn_get_audit_file".
//
// One pass reads a record into views (Audit), from `properties`, from columns of AzureDiagnostics, or from a row of sys.fn_get_audit_file, which has no envelope. Logins are authentication, all else is
// what was done to a database.
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
using lm::json::Value;

constexpr std::string_view kProduct = "Azure SQL";

constexpr auto kCommon = azure::kEvery + lm::columns({lm::constant("metadata.product.name", kProduct),
                                                      {"duration"},
                                                      {"status_id"},
                                                      {"status_detail"},
                                                      {"cloud.region"},
                                                      {"api.operation"},
                                                      {"actor.app_name"},
                                                      {"src_endpoint.ip"},
                                                      {"src_endpoint.port"},
                                                      {"src_endpoint.hostname"},
                                                      {"src_endpoint.svc_name"},
                                                      {"src_endpoint.intermediate_ips[]"},
                                                      {"dst_endpoint.hostname"}});

constexpr auto kActivity = lm::table(ocsf::datastore_activity, lm::profiles("cloud"),
                                     kCommon + lm::columns({{"activity_name"},
                                                            lm::constant("type_id", "1"),           // Database
                                                            lm::constant("database.type_id", "1"),  // Relational
                                                            {"database.name"},
                                                            {"database.uid"},
                                                            {"table.name"},
                                                            lm::plain("query_info.query_string"),
                                                            {"actor.user.name"},
                                                            {"actor.user.uid"},
                                                            {"actor.user.email_addr"},
                                                            {"actor.session.uid"},
                                                            {"actor.session.uid_alt"}}));

constexpr auto kLogon = lm::table(
    ocsf::authentication, lm::profiles("cloud"),
    kCommon +
        lm::columns(
            {{"user.name"}, {"user.uid"}, {"user.email_addr"}, {"service.name"}, {"service.uid"}, {"session.uid"}, {"session.uid_alt"}}));

constexpr auto kSources = azure::keys("SQLSecurityAuditEvents", "DevOpsOperationsAudit");
constexpr bool is_own(std::string_view source) { return kSources.find(source) >= 0; }

enum class Kind { logon, logoff, activity };

struct Action {
  std::string_view name, id;
  Kind kind;
  int activity;  // of Datastore Activity, or of Authentication
};
constexpr Action kActions[] = {{"SELECT", "SL", Kind::activity, 1},
                               {"UPDATE", "UP", Kind::activity, 2},
                               {"ALTER", "AL", Kind::activity, 2},
                               {"BATCH COMPLETED", "BCM", Kind::activity, 4},
                               {"RPC COMPLETED", "RCM", Kind::activity, 4},
                               {"BATCH STARTED", "BST", Kind::activity, 4},
                               {"RPC STARTED", "RST", Kind::activity, 4},
                               {"EXECUTE", "EX", Kind::activity, 4},
                               {"INSERT", "IN", Kind::activity, 5},
                               {"CREATE", "CR", Kind::activity, 6},
                               {"DELETE", "DL", Kind::activity, 7},
                               {"DROP", "DR", Kind::activity, 7},
                               {"DATABASE AUTHENTICATION SUCCEEDED", "DBAS", Kind::logon, 1},
                               {"DATABASE AUTHENTICATION FAILED", "DBAF", Kind::logon, 1},
                               {"LOGIN SUCCEEDED", "LGIS", Kind::logon, 1},
                               {"LOGIN FAILED", "LGIF", Kind::logon, 1},
                               {"LOGOUT", "LGO", Kind::logoff, 2},
                               {"DATABASE LOGOUT", "DAGL", Kind::logoff, 2}};

// The name says more than the id, which some actions share.
constexpr Action action_of(Text name, Text id) {
  if (name) {
    for (const Action& known : kActions) {
      if (lm::equals_ignoring_case(*name, known.name)) return known;
    }
    const auto has = [&](std::string_view word) { return azure::contains_ignoring_case(*name, word); };
    if (has("LOGOUT")) return {*name, {}, Kind::logoff, 2};
    if (has("AUTHENTICATION") || (has("LOGIN") && (has("SUCCE") || has("FAIL")))) return {*name, {}, Kind::logon, 1};
  } else if (id) {
    for (const Action& known : kActions) {
      if (lm::equals_ignoring_case(*id, known.id)) return known;
    }
  }
  return {{}, {}, Kind::activity, 99};
}

struct Audit {
  Named at, action, action_id, succeeded, server, database, object, class_type, class_name, statement, information, address, app, host,
      principal, sid, session_principal, database_principal, session, connection, duration, id, version;
};

// Of a host, which has no domain for the most part.
constexpr bool is_name(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
  });
}

}  // namespace

struct SqlAudit {
  static constexpr lm::Descriptor descriptor{
      .id = "azure.sql_audit",
      .title = "Azure SQL audit logs",
      .vendor = "Microsoft",
      .version = "1.0.0",
      .reads =
          "SQLSecurityAuditEvents and DevOpsOperationsAudit as resource logs (JSON lines, records) or rows of Log "
          "Analytics, and rows of sys.fn_get_audit_file",
      .framing = lm::Framing::json,
      .envelope = "records"};
  static constexpr auto keys = lm::strings("insights-logs-sqlsecurityauditevents/**", "insights-logs-devopsoperationsaudit/**",
                                           "am-sqlsecurityauditevents/**", "am-devopsoperationsaudit/**");

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "records");
    const int sure = outline.clean() ? 95 : 85;
    bool named = false;
    for (const std::string_view name : {"category", "Category", "CATEGORY", "Type"}) {
      const Text source = outline.record_text(name);
      if (source && is_own(*source)) return sure;
      named = named || source;
    }
    return !named && outline.record_like("event_time") && outline.record_like("action_id") &&
                   (outline.record_like("server_principal_name") || outline.record_like("server_instance_name"))
               ? sure
               : 0;
  }

  void parse(lm::Record record, lm::Rows<kActivity>& activities, lm::Rows<kLogon>& logons) {
    Audit a;
    nested_ = foreign_ = false;
    envelope_.clear(), inner_.clear(), unknown_.clear();
    rest_.clear(), properties_rest_.clear();
    const bool read = json_.read(record.text(), [&](std::string_view key, Value& value) {
      if (foreign_) return;
      const Field f{rest_, key, value};
      if (lm::equals_ignoring_case(key, "properties")) {
        nested_ = true;
        return azure::object(f, inner_, properties_rest_, [&](const Field& m) { member(a, m); });
      }
      if (!envelope_.take(f)) return member(a, f);
      const Text source = envelope_.source();
      foreign_ = source && !is_own(*source);
    });
    if (!read && !foreign_) return record.reject(json_);  // what is broken may be another's all the same
    const Text source = envelope_.source();
    // A row of sys.fn_get_audit_file has no category.
    const bool bare = !source && !envelope_.table && a.at.value && (a.action_id.value || a.action.value);
    if (foreign_ || (!source && !bare))
      return record.reject(lm::foreign, "'category' is neither SQLSecurityAuditEvents nor DevOpsOperationsAudit");
    const azure::Times times(a.at.value, envelope_.time);
    if (!times.event) return record.reject(lm::malformed, "neither 'event_time' nor 'time' is a time");
    for (const std::string_view key : unknown_) record.drift(key);
    envelope_.finish(rest_);
    if (times.own_unread) a.at.keep(own());
    if (times.envelope_unread) envelope_.keep(rest_, envelope_.is_row() ? "TimeGenerated" : "time", envelope_.time);

    // Ids are filled up with blanks.
    if (a.action_id.value) a.action_id.value = azure::present(lm::trim(*a.action_id.value));
    const Action action = action_of(a.action.value, a.action_id.value);
    Named& user = a.principal.value ? a.principal : a.session_principal.value ? a.session_principal : a.database_principal;
    if (action.kind != Kind::activity && (user.value || a.sid.value)) {
      auto row = logons.begin(record);
      times.set(row);
      logon(row, a, action, user);
    } else {
      auto row = activities.begin(record);
      times.set(row);
      activity(row, a, action, user);
    }
  }

 private:
  lm::json::ObjectWriter& own() { return nested_ ? properties_rest_ : rest_; }

  // ---- Reading ----

  static constexpr auto kKeys = azure::keys(
      "event_time", "action_id", "action_name", "succeeded", "server_instance_name", "database_name", "object_name", "class_type",
      "class_type_desc", "class_type_description", "statement", "additional_information", "client_ip", "application_name", "host_name",
      "server_principal_name", "server_principal_sid", "session_server_principal_name", "database_principal_name", "session_id",
      "connection_id", "duration_milliseconds", "event_id", "audit_schema_version", "AdditionalFields",
      // Known, and without a place.
      "sequence_number", "sequence_group_id", "schema_name", "object_id", "securable_class_type", "affected_rows", "response_rows",
      "transaction_id", "database_transaction_id", "target_server_principal_name", "target_server_principal_sid",
      "target_database_principal_name", "target_server_principal_id", "target_database_principal_id", "server_principal_id",
      "database_principal_id", "is_server_level_audit", "permission_bitmask", "is_column_permission", "data_sensitivity_information",
      "user_defined_event_id", "user_defined_information", "file_name", "audit_file_offset", "client_tls_version",
      "client_tls_version_name", "ledger_start_sequence_number", "is_local_secondary_replica", "session_context",
      "external_policy_permissions_checked", "obo_middle_tier_app_id", "LogicalServerName", "SubscriptionId", "ResourceType",
      "ElasticPoolName", "DatabaseName", "originalEventTimestamp");

  // Of `properties`, or a column. Tables of their own write ServerPrincipalName for server_principal_name.
  void member(Audit& a, const Field& f) {
    int key = kKeys.find(azure::member(f.key));
    if (key < 0) [[unlikely]]
      key = kKeys.find(spelled_out(azure::column(f.key)));
    switch (key) {
      case kKeys.at("event_time"): a.at.read_scalar(f); break;
      case kKeys.at("action_id"): a.action_id.read(f); break;
      case kKeys.at("action_name"): a.action.read(f); break;
      case kKeys.at("succeeded"): a.succeeded.read_scalar(f); break;
      case kKeys.at("server_instance_name"): a.server.read(f); break;
      case kKeys.at("database_name"): a.database.read(f); break;
      case kKeys.at("object_name"): a.object.read(f); break;
      case kKeys.at("class_type"): a.class_type.read(f); break;
      case kKeys.at("class_type_desc"):
      case kKeys.at("class_type_description"): a.class_name.read(f); break;
      case kKeys.at("statement"): a.statement.read(f); break;
      case kKeys.at("additional_information"): a.information.read(f); break;
      case kKeys.at("client_ip"): a.address.read(f); break;
      case kKeys.at("application_name"): a.app.read(f); break;
      case kKeys.at("host_name"): a.host.read(f); break;
      case kKeys.at("server_principal_name"): a.principal.read(f); break;
      case kKeys.at("server_principal_sid"): a.sid.read(f); break;
      case kKeys.at("session_server_principal_name"): a.session_principal.read(f); break;
      case kKeys.at("database_principal_name"): a.database_principal.read(f); break;
      case kKeys.at("session_id"): a.session.read_scalar(f); break;
      case kKeys.at("connection_id"): a.connection.read_scalar(f); break;
      case kKeys.at("duration_milliseconds"): a.duration.read_scalar(f); break;
      case kKeys.at("event_id"): a.id.read_scalar(f); break;
      case kKeys.at("audit_schema_version"): a.version.read_scalar(f); break;
      case kKeys.at("AdditionalFields"): azure::object(f, inner_, [&](const Field& m) { member(a, m); }); break;
      case -1:
        unknown_.push_back(f.key);
        f.keep();
        break;
      default: f.keep();
    }
  }

  // "ServerPrincipalName" -> "Server_Principal_Name"
  std::string_view spelled_out(std::string_view name) {
    spelled_.clear();
    bool low = false;
    for (const char c : name) {
      const bool capital = c >= 'A' && c <= 'Z';
      if (capital && low) spelled_.push_back('_');
      spelled_.push_back(c);
      low = !capital && c != '_';
    }
    return spelled_;
  }

  // ---- The rows ----

  void activity(lm::Row<kActivity> row, Audit& a, const Action& action, Named& user) {
    // A login of nobody is a connection at least.
    const int id = action.kind == Kind::logon ? 3 : action.kind == Kind::logoff ? 99 : action.activity;
    row.set<"activity_id">(id);
    if (id == 99) row.set<"activity_name">(a.action.value ? a.action.value : a.action_id.value);
    row.set<"actor.user.uid">(a.sid.value);
    if (user.value) {
      row.set<"actor.user.name">(user.value);
      if (!azure::email_domain(*user.value).empty()) row.set<"actor.user.email_addr">(user.value);
    }
    if (!user.value && !a.sid.value && !a.app.value) row.set<"actor.app_name">(provider());  // the class wants an actor
    row.set<"actor.session.uid">(azure::whole(a.session.value));
    row.set<"actor.session.uid_alt">(a.connection.value);
    row.set<"database.name">(a.database.value);
    if (!envelope_.resource.empty()) row.set<"database.uid">(envelope_.resource.text());
    if (a.statement.value) row.set<"query_info.query_string">(*a.statement.value);
    const auto is = [](Text text, std::string_view wanted) { return text && lm::equals_ignoring_case(lm::trim(*text), wanted); };
    if (is(a.class_type.value, "U") || is(a.class_name.value, "TABLE")) {
      row.set<"table.name">(a.object.value);
    } else {
      a.object.keep(own());
    }
    const int status = common(row, a, user);
    row.set<"severity_id">(action.kind == Kind::logon && status == 2 ? 2 : 1);
    // And an endpoint.
    if (!row.is_set<"src_endpoint.ip">() && !row.is_set<"src_endpoint.hostname">()) row.set<"src_endpoint.svc_name">(provider());
    finish(row);
  }

  void logon(lm::Row<kLogon> row, Audit& a, const Action& action, Named& user) {
    row.set<"activity_id">(action.activity);
    row.set<"user.uid">(a.sid.value);
    if (user.value) {
      row.set<"user.name">(user.value);
      if (!azure::email_domain(*user.value).empty()) row.set<"user.email_addr">(user.value);
    }
    row.set<"session.uid">(azure::whole(a.session.value));
    row.set<"session.uid_alt">(a.connection.value);
    row.set<"service.name">(a.database.value);
    if (!envelope_.resource.empty()) row.set<"service.uid">(envelope_.resource.text());
    a.statement.keep(own());
    a.object.keep(own());
    const int status = common(row, a, user);
    row.set<"severity_id">(status == 2 ? 2 : 1);
    // The class wants to know where it was.
    if (!row.is_set<"service.name">() && !row.is_set<"service.uid">() && !row.is_set<"dst_endpoint.hostname">())
      row.set<"service.name">(kProduct);
    finish(row);
  }

  template <class Row>
  int common(Row& row, Audit& a, const Named& user) {
    const Text source = envelope_.source();
    if (!envelope_.operation_version) {
      envelope_.operation_version = azure::whole(a.version.value);
    } else {
      a.version.keep(own());
    }
    envelope_.set(row, source);
    envelope_.keep_table(rest_);
    row.template set<"metadata.original_event_uid">(a.id.value);
    row.template set<"api.operation">(a.action.value ? a.action.value : Text(a.action_id.value.value_or("unknown")));
    if (a.action.value) a.action_id.keep(own());
    if (a.app.value) row.template set<"actor.app_name">(a.app.value);
    a.class_type.keep(own());
    a.class_name.keep(own());
    for (const Named* name : {&a.principal, &a.session_principal, &a.database_principal}) {
      if (name != &user) name->keep_unless(own(), user.value);
    }

    const int status = status_id(a.succeeded.value);
    row.template set<"status_id">(status);
    if (status == 0) a.succeeded.keep(own());
    row.template set<"status_detail">(a.information.value ? a.information.value : envelope_.result_description);
    if (a.information.value) envelope_.keep(rest_, "resultDescription", envelope_.result_description);
    const Text took = azure::whole(a.duration.value);
    const auto milliseconds = took ? lm::integer(*took) : lm::Maybe<std::int64_t>();
    if (milliseconds && *milliseconds > 0) {
      row.template set<"duration">(*milliseconds);
    } else if (!milliseconds || *milliseconds < 0) {
      a.duration.keep(own());
    }

    // "local machine" and "Internal" are no addresses.
    if (a.address.value && !azure::source_endpoint(row, *a.address.value)) a.address.keep(own());
    if (!a.address.value && envelope_.caller) {
      if (!azure::source_endpoint(row, *envelope_.caller)) envelope_.keep(rest_, "callerIpAddress", envelope_.caller);
    } else if (envelope_.caller != a.address.value) {
      envelope_.keep(rest_, "callerIpAddress", envelope_.caller);
    }
    if (a.host.value && is_name(*a.host.value)) {
      row.template set<"src_endpoint.hostname">(a.host.value);
    } else {
      a.host.keep(own());
    }
    if (a.server.value && is_name(*a.server.value)) {
      row.template set<"dst_endpoint.hostname">(a.server.value);
    } else {
      a.server.keep(own());
    }
    if (envelope_.location) row.template set<"cloud.region">(azure::region(*envelope_.location, region_));
    envelope_.keep(rest_, "resultType", envelope_.result_type);
    envelope_.keep(rest_, "resultSignature", envelope_.result_signature);
    envelope_.keep(rest_, "durationMs", envelope_.duration);
    envelope_.keep(rest_, "identity", envelope_.identity);
    envelope_.keep(rest_, "resourceId", envelope_.other_resource);
    return status;
  }

  static int status_id(Text succeeded) {
    if (!succeeded) return 0;
    const Text text = azure::whole(succeeded);
    if (*text == "1" || lm::equals_ignoring_case(*text, "true")) return 1;
    return *text == "0" || lm::equals_ignoring_case(*text, "false") ? 2 : 0;
  }

  template <class Row>
  void finish(Row& row) {
    Field::close(rest_, "properties", properties_rest_);
    if (const auto rest = rest_.finish(); !rest.empty()) row.template set<"unmapped">(rest);
  }

  std::string_view provider() const { return envelope_.resource.provider().empty() ? kProduct : envelope_.resource.provider(); }

  lm::json::Reader json_;
  azure::Inner inner_;
  azure::Envelope envelope_;
  lm::json::ObjectWriter rest_, properties_rest_;
  std::vector<std::string_view> unknown_;  // members, until it is known whose record it is
  std::string spelled_, region_;
  bool nested_ = false, foreign_ = false;
};

// What SQL writes into a storage account is of a form that SQL alone reads. It does hold events: the run says how to get at them.
struct SqlAuditFile {
  static constexpr lm::Descriptor descriptor{
      .id = "azure.sql_audit_xel",
      .title = "Azure SQL audit file (.xel)",
      .vendor = "Microsoft",
      .version = "1.0.0",
      .reads =
          "binary Extended Events, which are not read: make JSON or CSV of them with sys.fn_get_audit_file, which azure.sql_audit reads",
      .framing = lm::Framing::lines,
      .kind = lm::Kind::set_aside};
  static constexpr auto keys = lm::strings("sqldbauditlogs/**", "*.xel");

  static int score(lm::Sample s) {
    const std::string_view name = lm::after_last(s.key, '/');
    const bool text = s.head.substr(0, 4096).find('\0') == s.npos && !s.head.empty();
    if (text) return 0;
    return azure::ends_ignoring_case(name, ".xel") || azure::contains_ignoring_case(name, ".xel.") ||
                   azure::contains_ignoring_case(s.key, "sqldbauditlogs/")
               ? 95
               : 0;
  }
};

LOGMILL_PARSERS(SqlAudit, SqlAuditFile)
