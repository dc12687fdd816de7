// Control plane logs of Azure Kubernetes Service: audit events of the Kubernetes API server, and what guards it.
// Source: Microsoft, "Azure Kubernetes Service monitoring data reference", resource logs; Azure Monitor tables AKSAudit, AKSAuditAdmin, AKSControlPlane, AzureDiagnostics.
//
// A record of the categories kube-audit has the event as JSON in the text `properties.log`, in AzureDiagnostics in the column log_s; in a row of AKSAudit it is the columns themselves. Either is
// put aside, and read once it is known whose record it is. What any cluster's events have is lm::kubernetes' to read and set.
#include <logmill/sdk.hpp>
#include <logmill/sdk/azure.hpp>
#include <logmill/sdk/fields.hpp>
#include <logmill/sdk/kubernetes.hpp>

namespace ocsf = lm::ocsf::v1_8;
namespace azure = lm::azure;

namespace {

using lm::Text;
using lm::json::Field;
using lm::json::Type;
using lm::json::Value;

constexpr std::string_view kProduct = "Azure Kubernetes Service";

constexpr auto kApi = lm::table(ocsf::api_activity, lm::profiles("cloud"),
                                azure::kEvery + lm::kubernetes::kAudit +
                                    lm::columns({lm::constant("metadata.product.name", kProduct),
                                                 lm::same("api.response.message", "api.response.error_message"),
                                                 lm::same("http_response.code", "api.response.code"),
                                                 {"actor.user.email_addr"},
                                                 {"src_endpoint.port"},
                                                 {"resources[].uid_alt"},
                                                 {"cloud.region"}}));

// Of an event that was cut off there is what stands before; the profile host is the one that has an actor.
constexpr auto kBase = lm::table(ocsf::base_event, lm::profiles("cloud", "host"),
                                 azure::kEvery + lm::columns({lm::constant("metadata.product.name", kProduct),
                                                              {"metadata.is_truncated"},
                                                              {"activity_name"},
                                                              {"severity"},
                                                              lm::plain("message"),
                                                              {"cloud.region"},
                                                              {"api.operation"},
                                                              {"api.group.name"},
                                                              {"api.version"},
                                                              lm::same("api.request.uid", "metadata.original_event_uid"),
                                                              {"actor.user.name"},
                                                              {"actor.user.uid"},
                                                              {"actor.user.uid_alt"},
                                                              {"actor.user.email_addr"},
                                                              {"actor.user.type_id"},
                                                              {"actor.user.groups[].name"}}));

constexpr auto kSources = azure::keys("kube-audit", "kube-audit-admin", "guard", "AKSAudit", "AKSAuditAdmin");
constexpr bool is_own(std::string_view source) { return kSources.find(source) >= 0; }
constexpr bool is_guard(std::string_view source) { return kSources.find(source) == kSources.at("guard"); }
// Rows of several categories, which it names besides.
constexpr bool is_mixed(std::string_view table) { return lm::equals_ignoring_case(table, "AKSControlPlane"); }

// The columns of AKSAudit, and what Kubernetes calls them.
constexpr auto kColumns =
    azure::keys("AuditId", "RequestUri", "Verb", "User", "SourceIps", "UserAgent", "ObjectRef", "ResponseStatus", "RequestObject",
                "ResponseObject", "RequestReceivedTime", "StageReceivedTime", "Annotations", "Stage");
constexpr std::array<std::string_view, 14> kMembers{"auditID",
                                                    "requestURI",
                                                    "verb",
                                                    "user",
                                                    "sourceIPs",
                                                    "userAgent",
                                                    "objectRef",
                                                    "responseStatus",
                                                    "requestObject",
                                                    "responseObject",
                                                    "requestReceivedTimestamp",
                                                    "stageTimestamp",
                                                    "annotations",
                                                    "stage"};
constexpr lm::kubernetes::AuditNames kColumnNames{.staged = "StageReceivedTime",
                                                  .received = "RequestReceivedTime",
                                                  .request = "RequestObject",
                                                  .uri = "RequestUri",
                                                  .addresses = "SourceIps",
                                                  .user = "User",
                                                  .object = "ObjectRef",
                                                  .status = "ResponseStatus",
                                                  .annotations = "Annotations"};

// Of a line as Kubernetes' own programs write it: "E0302 21:00:00.000000       1 main.go:7] text".
constexpr int line_severity_id(std::string_view line) {
  if (line.size() < 6 || line[5] != ' ' || !lm::time::digits(line, 1, 4)) return 1;
  switch (line.front()) {
    case 'W': return 3;
    case 'E': return 4;
    case 'F': return 6;
    default: return 1;
  }
}

}  // namespace

struct AksAudit {
  static constexpr lm::Descriptor descriptor{
      .id = "azure.aks_audit",
      .title = "Azure Kubernetes Service audit logs",
      .vendor = "Microsoft",
      .version = "1.0.0",
      .reads = "kube-audit, kube-audit-admin and guard as resource logs (JSON lines, records) or rows of Log Analytics",
      .framing = lm::Framing::json,
      .envelope = "records"};

  static constexpr auto keys = lm::strings("insights-logs-kube-audit/**", "insights-logs-kube-audit-admin/**", "insights-logs-guard/**",
                                           "am-aksaudit/**", "am-aksauditadmin/**", "am-akscontrolplane/**");

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "records");
    for (const std::string_view name : {"category", "Category", "CATEGORY", "Type"}) {
      if (const Text source = outline.record_text(name); source && is_own(*source)) return outline.clean() ? 95 : 85;
    }
    return 0;
  }

  void parse(lm::Record record, lm::Rows<kApi>& calls, lm::Rows<kBase>& others) {
    foreign_ = false;
    log_ = {}, log_key_ = {};
    envelope_.clear(), inner_.clear(), unknown_.clear();
    for (auto* writer : {&rest_, &properties_rest_, &log_rest_, &columns_}) writer->clear();
    log_owner_ = left_ = &rest_;
    const bool read = json_.read(record.text(), [&](std::string_view key, Value& value) {
      if (foreign_) return;
      const Field f{rest_, key, value};
      if (lm::equals_ignoring_case(key, "properties")) {
        return azure::object(f, inner_, properties_rest_, [&](const Field& m) { member(m); });
      }
      if (!envelope_.take(f)) return member(f);
      const Text source = envelope_.source();
      foreign_ = source && !is_own(*source) && !is_mixed(*source);
    });
    if (!read && !foreign_) return record.reject(json_);  // what is broken may be another's all the same
    const Text source = envelope_.source();
    if (foreign_ || !source || !is_own(*source))
      return record.reject(lm::foreign, "'category' is none of kube-audit, kube-audit-admin, guard");
    const auto logged = azure::time(envelope_.time);
    const bool whole = event(record, *source);
    const auto staged = azure::time(event_.staged), received = azure::time(event_.received);
    if (!logged && !staged && !received)
      return record.reject(lm::malformed, "none of 'stageTimestamp', 'requestReceivedTimestamp' and 'time' is a time");
    for (const std::string_view key : unknown_) record.drift(key);
    envelope_.finish(rest_);

    if (!whole) {
      auto row = others.begin(record);
      other(row, *source, logged, staged ? staged : received);
      return finish(row);
    }
    auto row = calls.begin(record);
    if (event_.times(row, staged, received, *left_)) {
      row.set<"metadata.logged_time">(logged);
    } else {
      row.set<"time">(logged);
      row.set<"metadata.original_time">(envelope_.time);
    }
    envelope(row, *source, logged);
    if (!actor(row)) row.set<"actor.app_name">(event_.agent ? *event_.agent : provider());  // the class wants an actor
    event_.authorization(row);
    const int activity = activity_id();
    row.set<"api.operation">(operation());
    event_.call(row, activity, *left_);
    row.set<"severity_id">(severity_id(activity));
    const bool first = !event_.addresses.empty() && azure::source_endpoint(row, *event_.addresses.front());
    if (!row.is_set<"src_endpoint.ip">()) row.set<"src_endpoint.svc_name">(provider());  // and an endpoint
    event_.proxies(row, *left_, first);
    event_.object(row, envelope_.resource.name());
    cluster(row);
    event_.url(row, *left_);
    event_.close(*left_);
    finish(row);
  }

 private:
  // ---- Reading ----

  // Of `properties`, or a column.
  void member(const Field& f) {
    static constexpr auto kKeys = azure::keys("log", "Message", "AdditionalFields",
                                              // Known, and without a place.
                                              "stream", "pod", "containerID", "PodName", "Cloud", "Environment", "ccpNamespace",
                                              "UnderlayClass", "UnderlayName", "serviceBuild", "ResourceType", "SubscriptionId");
    switch (const int key = kKeys.find(azure::member(f.key))) {
      case kKeys.at("log"):
      case kKeys.at("Message"): log(f); break;
      case kKeys.at("AdditionalFields"): azure::object(f, inner_, [&](const Field& m) { member(m); }); break;
      default:
        if (const int column = kColumns.find(azure::column(f.key)); column >= 0) return this->column(f, column);
        if (key < 0) unknown_.push_back(f.key);
        f.keep();
    }
  }

  // A text that holds the event, or the event where something on the way has read it already.
  void log(const Field& f) {
    const Type type = f.value.type();
    if (log_ || (type != Type::string && type != Type::object)) return f.keep();
    std::string_view text = type == Type::string ? f.value.text().value_or("") : f.value.raw();
    const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
    while (!text.empty() && blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && blank(text.back())) text.remove_suffix(1);
    if (text.empty()) return;
    log_ = text, log_key_ = f.key, log_owner_ = &f.rest;
  }

  // Lists and objects may be texts that hold them.
  void column(const Field& f, int column) {
    if (f.value.type() == Type::string && column != kColumns.at("UserAgent") && column != kColumns.at("RequestUri")) {
      const Text text = f.value.text();
      if (text && (text->starts_with('{') || text->starts_with('[')) && log_json_.valid(*text)) return columns_.add(f.key, *text);
    }
    columns_.keep(f.value);
  }

  // Reads the event. False: there is none, or not all of it.
  bool event(lm::Record record, std::string_view source) {
    event_.clear(), object_id_ = {};
    const std::string_view columns = columns_.finish();
    const bool row = !log_ && !columns.empty();
    if (!row && !columns.empty()) {  // no columns of that table, but members that are called as they are
      inner_.next().read(columns, [&](std::string_view key, Value& value) { rest_.keep(value), unknown_.push_back(key); });
    }
    event_.names = row ? kColumnNames : lm::kubernetes::AuditNames();
    left_ = row ? &rest_ : &log_rest_;
    cut_ = log_ && !is_guard(source);
    if (!row && !(log_ && log_->starts_with('{'))) return false;
    const std::string_view text = row ? columns : *log_;
    const bool valid = log_json_.read(text, [&](std::string_view key, Value& value) {
      const int column = row ? kColumns.find(azure::column(key)) : -1;
      event_.member(record, Field{*left_, key, value}, column < 0 ? key : kMembers[static_cast<std::size_t>(column)],
                    [&](const Field& m) { extra(m); });
    });
    constexpr std::size_t kWord = 6;  // what is cut may be a word or an escape, whose beginning is where it is found
    cut_ = !valid && !log_json_.too_deep() && log_json_.error_offset() + kWord >= text.size();
    return valid && (row || event_.is_event());
  }

  // Microsoft Entra ID's authentication says the caller's object id.
  void extra(const Field& m) {
    if (m.key != "oid") return m.keep();
    lm::kubernetes::AuditEvent::first(m, object_id_);
  }

  // ---- The row ----

  template <class Row>
  bool actor(Row& row) {
    if (!event_.user_id) std::swap(event_.user_id, object_id_);
    if (!event_.actor(row)) return false;
    row.template set<"actor.user.uid_alt">(object_id_);
    if (event_.user && !azure::email_domain(*event_.user).empty()) row.template set<"actor.user.email_addr">(event_.user);
    return true;
  }

  // Requests that are none for a resource have the method as their verb.
  int activity_id() const {
    const int activity = lm::kubernetes::activity_id(event_.verb);
    return activity != 99 ? activity : *event_.verb == "post" ? 1 : *event_.verb == "put" ? 3 : 99;
  }

  // "create pods/exec"
  std::string_view operation() {
    if (!event_.verb) return "unknown";
    if (!event_.resource) return *event_.verb;
    return operation_.assign(*event_.verb).append(" ").append(event_.subresource ? event_.type() : *event_.resource);
  }

  // What gives a way into containers, reads secrets or hands out the cluster's roles deserves a look.
  int severity_id(int activity) const {
    if (event_.subresource == "exec" || event_.subresource == "attach") return 3;
    if (event_.resource == "secrets" && activity == 2) return 3;
    if (event_.resource == "clusterrolebindings" && (activity == 1 || activity == 3 || activity == 4)) return 3;
    return event_.decision == "forbid" ? 2 : 1;
  }

  void cluster(lm::Row<kApi>& row) {
    const azure::ResourceId& id = envelope_.resource;
    if (id.empty() || id.lower().starts_with("/tenants/")) return;
    constexpr std::string_view kType = "Microsoft.ContainerService/managedClusters";
    auto resource = row.push<"resources">();
    resource.set<"uid">(id.text());
    resource.set<"uid_alt">(id.lower());
    if (!id.name().empty()) resource.set<"name">(id.name());
    if (!id.type().empty()) resource.set<"type">(lm::equals_ignoring_case(id.type(), kType) ? kType : id.type());
    if (!id.group().empty()) resource.set<"group.name">(id.group());
  }

  // A text that is no event: guard's own lines, and what was cut off.
  void other(lm::Row<kBase>& row, std::string_view source, lm::Maybe<std::int64_t> logged, lm::Maybe<std::int64_t> at) {
    log_rest_.clear();  // the text has it all
    row.set<"time">(at ? at : logged);
    row.set<"metadata.original_time">(!at ? envelope_.time : azure::time(event_.staged) ? event_.staged : event_.received);
    if (at) row.set<"metadata.logged_time">(logged);
    row.set<"message">(log_);
    if (cut_) row.set<"metadata.is_truncated">(true);
    row.set<"activity_id">(99);
    row.set<"activity_name">(event_.verb ? operation() : source);
    if (event_.verb || event_.id) {
      row.set<"api.operation">(operation());
      row.set<"api.group.name">(event_.api_group);
      row.set<"api.version">(event_.api_version);
      row.set<"metadata.original_event_uid">(event_.id);
    }
    actor(row);
    const int severity = envelope_.level ? azure::severity_id(envelope_.level) : line_severity_id(log_.value_or(""));
    row.set<"severity_id">(severity);
    if (severity == 99) row.set<"severity">(envelope_.level);
    envelope(row, source, logged);
    envelope_.keep_resource(rest_);
  }

  template <class Row>
  void envelope(Row& row, std::string_view source, lm::Maybe<std::int64_t> time) {
    if (!time) envelope_.keep(rest_, envelope_.is_row() ? "TimeGenerated" : "time", envelope_.time);
    envelope_.set(row, source);
    // Level and version are the event's, if it says them.
    if (event_.level) {
      row.template set<"metadata.log_level">(event_.level);
      envelope_.keep(rest_, "level", envelope_.level);
    }
    if (event_.version) {
      row.template set<"metadata.log_version">(event_.version);
      envelope_.keep(rest_, "operationVersion", envelope_.operation_version);
    }
    envelope_.keep_table(rest_);
    envelope_.keep(rest_, "resultType", envelope_.result_type);
    envelope_.keep(rest_, "resultSignature", envelope_.result_signature);
    envelope_.keep(rest_, "resultDescription", envelope_.result_description);
    envelope_.keep(rest_, "durationMs", envelope_.duration);
    envelope_.keep(rest_, "callerIpAddress", envelope_.caller);
    envelope_.keep(rest_, "identity", envelope_.identity);
    envelope_.keep(rest_, "resourceId", envelope_.other_resource);
    if (envelope_.location) row.template set<"cloud.region">(azure::region(*envelope_.location, region_));
  }

  template <class Row>
  void finish(Row& row) {
    Field::close(*log_owner_, log_key_, log_rest_);
    Field::close(rest_, "properties", properties_rest_);
    if (const auto rest = rest_.finish(); !rest.empty()) row.template set<"unmapped">(rest);
  }

  std::string_view provider() const { return envelope_.resource.provider().empty() ? kProduct : envelope_.resource.provider(); }

  lm::json::Reader json_, log_json_;
  azure::Inner inner_;
  azure::Envelope envelope_;
  lm::kubernetes::AuditEvent event_;
  lm::json::ObjectWriter rest_, properties_rest_, log_rest_, columns_;
  lm::json::ObjectWriter *log_owner_ = nullptr, *left_ = nullptr;  // what has the log, and what keeps what is left of the event
  Text log_, object_id_;
  std::string_view log_key_;
  std::vector<std::string_view> unknown_;  // members, until it is known whose record it is
  std::string operation_, region_;
  bool foreign_ = false, cut_ = false;
};

LOGMILL_PARSERS(AksAudit)
