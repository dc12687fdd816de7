// Amazon EKS control plane logs: audit events of the Kubernetes API server.
// Source: Kubernetes, "kube-apiserver Audit Configuration (v1)", type Event of audit.k8s.io/v1; AWS, "Amazon EKS User Guide", "Send control plane logs to CloudWatch Logs".
//
// A record is one JSON object. One pass reads it into views (Event); requests and responses pass as JSON text. What is left of an object within gathers beside, each in a writer of
// its own, and joins `unmapped` last.
#include <logmill/sdk.hpp>
#include <logmill/sdk/aws.hpp>
#include <logmill/sdk/fields.hpp>
#include <logmill/sdk/http.hpp>

namespace ocsf = lm::ocsf::v1_8;

namespace {

using lm::Text;
using lm::json::Field;
using lm::json::Type;
using lm::json::Value;

constexpr auto kApi = lm::table(ocsf::api_activity, lm::profiles("cloud"),
                                {{"activity_id"},
                                 {"activity_name"},
                                 {"time"},
                                 {"start_time"},
                                 lm::constant("severity_id", "1"),
                                 {"status_id"},
                                 {"status_code"},
                                 {"api.operation"},
                                 {"api.group.name"},
                                 {"api.version"},
                                 lm::plain("api.request.uid"),
                                 {"api.request.data"},
                                 {"api.response.data"},
                                 {"api.response.code"},
                                 {"api.response.error"},
                                 {"api.response.error_message"},
                                 lm::same("status_detail", "api.response.error_message"),
                                 {"actor.app_name"},
                                 {"actor.user.name"},
                                 {"actor.user.uid"},
                                 {"actor.user.uid_alt"},
                                 {"actor.user.type_id"},
                                 {"actor.user.groups[].name"},
                                 {"actor.session.credential_uid"},
                                 {"actor.session.uid"},
                                 {"actor.session.issuer"},
                                 {"actor.authorizations[].decision"},
                                 {"actor.authorizations[].policy.name"},
                                 {"src_endpoint.ip"},
                                 {"src_endpoint.svc_name"},
                                 {"src_endpoint.hostname"},
                                 {"src_endpoint.name"},
                                 {"src_endpoint.intermediate_ips[]"},
                                 {"http_request.user_agent"},
                                 {"http_request.url.path"},
                                 lm::plain("http_request.url.query_string"),
                                 {"resources[].name"},
                                 {"resources[].namespace"},
                                 {"resources[].uid"},
                                 {"resources[].version"},
                                 {"resources[].type"},
                                 {"resources[].group.name"},
                                 {"cloud.account.uid"},
                                 {"cloud.account.type_id"},
                                 lm::constant("cloud.provider", "AWS"),
                                 {"cloud.region"},
                                 {"cloud.org.uid"},
                                 {"cloud.cloud_partition"},
                                 {"metadata.log_level"},
                                 {"metadata.log_version"},
                                 lm::same("metadata.original_event_uid", "api.request.uid"),
                                 lm::plain("metadata.original_time"),
                                 lm::constant("metadata.log_provider", "Amazon EKS"),
                                 lm::constant("metadata.product.name", "Amazon EKS"),
                                 lm::constant("metadata.product.vendor_name", "AWS"),
                                 lm::constant("metadata.product.feature.name", "Audit"),
                                 {"unmapped"}});

using ApiRow = lm::Row<kApi>;

struct Event {
  Text kind, version, level, id, uri, verb, agent, received, staged, request, response;
  // of user
  Text user, user_id, principal, access_key, session, arn, canonical_arn;
  std::string_view principal_raw, arn_raw;  // the lists as they stand
  bool groups = false, addresses = false;
  // of objectRef
  Text resource, subresource, space, name, uid, api_group, api_version, resource_version;
  // of responseStatus and annotations
  lm::Maybe<std::int64_t> code;
  Text reason, message, decision, decision_reason;
};

int activity_id(std::string_view verb) {
  static constexpr auto kVerbs =
      lm::keys("create", "connect", "get", "list", "watch", "head", "update", "patch", "delete", "deletecollection");
  switch (kVerbs.find(verb)) {
    case kVerbs.at("create"):
    case kVerbs.at("connect"): return 1;
    case kVerbs.at("get"):
    case kVerbs.at("list"):
    case kVerbs.at("watch"):
    case kVerbs.at("head"): return 2;  // Read
    case kVerbs.at("update"):
    case kVerbs.at("patch"): return 3;
    case kVerbs.at("delete"):
    case kVerbs.at("deletecollection"): return 4;
    default: return 99;
  }
}

// "/aws/eks/NAME/cluster"; "" for a log group of another form.
std::string_view cluster_of(std::string_view log_group) {
  constexpr std::string_view kBefore = "/aws/eks/", kBehind = "/cluster";
  if (!log_group.starts_with(kBefore) || !log_group.ends_with(kBehind) || log_group.size() <= kBefore.size() + kBehind.size()) return {};
  return log_group.substr(kBefore.size(), log_group.size() - kBefore.size() - kBehind.size());
}

}  // namespace

struct EksAudit {
  static constexpr lm::Descriptor descriptor{
      .id = "aws.eks_audit",
      .title = "Amazon EKS audit logs",
      .vendor = "AWS",
      .version = "1.0.0",
      .reads = "Audit events of the Kubernetes API server as JSON objects, one a line, back to back, as array",
      .framing = lm::Framing::json};

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s.head);
    const Text version = outline.record_text("apiVersion");
    if (!version || !version->starts_with("audit.k8s.io/")) return 0;
    return outline.record_text("kind") == "Event" || outline.record("auditID") ? (outline.clean() ? 95 : 85) : 0;
  }

  void parse(lm::Record record, lm::Rows<kApi>& rows) {
    if (record.starts_block()) place_ = lm::aws::Place::of(record), cluster_ = cluster_of(place_.log_group);
    Event e;
    for (auto* writer : {&rest_, &user_rest_, &extra_rest_, &object_rest_, &status_rest_, &annotations_rest_}) writer->clear();
    groups_.clear(), addresses_.clear();
    if (!read(record, e)) return record.reject(json_);
    if ((e.version && !e.version->starts_with("audit.k8s.io/")) || (e.kind && *e.kind != "Event") || (!e.version && !e.verb))
      return record.reject(lm::foreign, "'kind' is not Event of 'apiVersion' audit.k8s.io: not an audit event");
    // Kubernetes writes RFC 3339 in UTC; what took the events in and out of a table may have left out the zone.
    const auto staged = lm::time::of_event(e.staged, true), received = lm::time::of_event(e.received, true);
    if (!staged && !received) return record.reject(lm::malformed, "neither 'stageTimestamp' nor 'requestReceivedTimestamp' is a time");

    auto row = rows.begin(record);
    row.set<"time">(staged ? staged : received);
    row.set<"start_time">(received);
    row.set<"metadata.original_time">(staged ? e.staged : e.received);
    if (e.staged && !staged) rest_.add_text("stageTimestamp", *e.staged);
    if (e.received && !received) rest_.add_text("requestReceivedTimestamp", *e.received);
    row.set<"metadata.log_level">(e.level);
    row.set<"metadata.log_version">(e.version);
    cloud(row, e);
    actor(row, e);
    api(row, e);
    source(row);
    resource(row, e);
    if (e.agent) row.set<"http_request.user_agent">(e.agent);
    if (e.uri) {
      const lm::http::Url url = lm::http::url(*e.uri);
      row.set<"http_request.url.path">(url.path);
      if (url.path) {
        row.set<"http_request.url.query_string">(url.query_string);
      } else {
        rest_.add_text("requestURI", *e.uri);
      }
    }

    Field::close(user_rest_, "extra", extra_rest_);
    Field::close(rest_, "user", user_rest_);
    Field::close(rest_, "objectRef", object_rest_);
    Field::close(rest_, "responseStatus", status_rest_);
    Field::close(rest_, "annotations", annotations_rest_);
    if (const auto rest = rest_.finish(); !rest.empty()) row.set<"unmapped">(rest);
  }

 private:
  // ---- Reading ----

  bool read(lm::Record record, Event& e) {
    static constexpr auto kKeys = lm::keys("kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "user",
                                           "impersonatedUser", "sourceIPs", "userAgent", "objectRef", "responseStatus", "requestObject",
                                           "responseObject", "requestReceivedTimestamp", "stageTimestamp", "annotations");
    return json_.read(record.text(), [&](std::string_view key, Value& value) {
      const Field f{rest_, key, value};
      switch (kKeys.find(key)) {
        case kKeys.at("kind"): f.text(e.kind); break;
        case kKeys.at("apiVersion"): f.text(e.version); break;
        case kKeys.at("level"): f.text(e.level); break;
        case kKeys.at("auditID"): f.text(e.id); break;
        case kKeys.at("requestURI"): f.text(e.uri); break;
        case kKeys.at("verb"): f.text(e.verb); break;
        case kKeys.at("user"): f.object(user_rest_, [&](const Field& m) { user(record, e, m); }); break;
        case kKeys.at("sourceIPs"): e.addresses = texts(f, addresses_, e.addresses); break;
        case kKeys.at("userAgent"): f.text(e.agent); break;
        case kKeys.at("objectRef"): f.object(object_rest_, [&](const Field& m) { object(record, e, m); }); break;
        case kKeys.at("responseStatus"): f.object(status_rest_, [&](const Field& m) { status(record, e, m); }); break;
        case kKeys.at("requestObject"): f.json(e.request); break;
        case kKeys.at("responseObject"): f.json(e.response); break;
        case kKeys.at("requestReceivedTimestamp"): f.text(e.received); break;
        case kKeys.at("stageTimestamp"): f.text(e.staged); break;
        case kKeys.at("annotations"): f.object(annotations_rest_, [&](const Field& m) { annotation(e, m); }); break;
        case kKeys.at("stage"):
        case kKeys.at("impersonatedUser"): f.keep(); break;
        default: record.drift(key); f.keep();
      }
    });
  }

  // A list of texts; anything else in it, and a second list of the same name, stays as it stands. Answers that the list was read.
  static bool texts(const Field& f, std::vector<Text>& out, bool read_before) {
    if (f.value.type() != Type::array || read_before) {
      f.keep();
      return read_before;
    }
    bool whole = true;
    f.value.array([&](Value& item) {
      if (const Text text = item.text(); text && lm::present(*text)) {
        out.push_back(text);
      } else {
        whole = whole && lm::json::says_nothing(item.raw());
      }
    });
    if (!whole) f.keep();
    return true;
  }

  void user(lm::Record record, Event& e, const Field& f) {
    static constexpr auto kKeys = lm::keys("username", "uid", "groups", "extra");
    switch (kKeys.find(f.key)) {
      case kKeys.at("username"): f.text(e.user); break;
      case kKeys.at("uid"): f.text(e.user_id); break;
      case kKeys.at("groups"): e.groups = texts(f, groups_, e.groups); break;
      case kKeys.at("extra"): f.object(extra_rest_, [&](const Field& m) { extra(e, m); }); break;
      default: record.drift("user"); f.keep();
    }
  }

  // Each is a list; whatever authenticated the caller may add others.
  static void extra(Event& e, const Field& m) {
    static constexpr auto kKeys = lm::keys("accessKeyId", "arn", "canonicalArn", "sessionName", "principalId");
    switch (kKeys.find(m.key)) {
      case kKeys.at("accessKeyId"): first(m, e.access_key); break;
      case kKeys.at("arn"):
        first(m, e.arn);
        e.arn_raw = m.value.raw();
        break;
      case kKeys.at("canonicalArn"): first(m, e.canonical_arn); break;
      case kKeys.at("sessionName"): first(m, e.session); break;
      case kKeys.at("principalId"):
        first(m, e.principal);
        e.principal_raw = m.value.raw();
        break;
      default: m.keep();
    }
  }

  // The one text of a list; of a list that has more, the first, and the whole is kept besides.
  static void first(const Field& m, Text& out) {
    if (m.value.type() != Type::array || out) return m.keep();
    bool whole = true;
    m.value.array([&](Value& item) {
      const Text text = item.text();
      if (!out && text && lm::present(*text)) {
        out = text;
      } else {
        whole = whole && lm::json::says_nothing(item.raw());
      }
    });
    if (!whole) m.keep();
  }

  void object(lm::Record record, Event& e, const Field& f) {
    static constexpr auto kKeys =
        lm::keys("resource", "subresource", "namespace", "name", "uid", "apiGroup", "apiVersion", "resourceVersion");
    switch (kKeys.find(f.key)) {
      case kKeys.at("resource"): f.text(e.resource); break;
      case kKeys.at("subresource"): f.text(e.subresource); break;
      case kKeys.at("namespace"): f.text(e.space); break;
      case kKeys.at("name"): f.text(e.name); break;
      case kKeys.at("uid"): f.text(e.uid); break;
      case kKeys.at("apiGroup"): f.text(e.api_group); break;
      case kKeys.at("apiVersion"): f.text(e.api_version); break;
      case kKeys.at("resourceVersion"): f.text(e.resource_version); break;
      default: record.drift("objectRef"); f.keep();
    }
  }

  void status(lm::Record record, Event& e, const Field& f) {
    static constexpr auto kKeys = lm::keys("code", "reason", "message", "status", "details", "metadata", "kind", "apiVersion");
    switch (kKeys.find(f.key)) {
      case kKeys.at("code"): f.integer(e.code, 0, INT32_MAX); break;
      case kKeys.at("reason"): f.text(e.reason); break;
      case kKeys.at("message"): f.text(e.message); break;
      default:
        if (kKeys.find(f.key) < 0) record.drift("responseStatus");
        f.keep();
    }
  }

  static void annotation(Event& e, const Field& f) {
    if (f.key == "authorization.k8s.io/decision") return f.text(e.decision);
    if (f.key == "authorization.k8s.io/reason") return f.text(e.decision_reason);
    f.keep();
  }

  // ---- The row ----

  void cloud(ApiRow& row, const Event& e) const {
    const std::string_view arn = e.arn ? *e.arn : e.canonical_arn.value_or("");
    // The cluster's account: who called may be of another one.
    const std::string_view caller = lm::aws::arn_part(arn, 4);
    place_.set(row, place_.account.empty() && lm::aws::is_account(caller) ? Text(caller) : Text(), {});
    if (const auto partition = lm::aws::arn_part(arn, 1); !partition.empty()) row.set<"cloud.cloud_partition">(partition);
  }

  void actor(ApiRow& row, const Event& e) {
    row.set<"actor.user.name">(e.user);
    row.set<"actor.user.uid">(e.user_id);
    if (e.user || e.user_id) {
      const std::string_view name = e.user.value_or("");
      const bool service = name.starts_with("system:serviceaccount:");
      row.set<"actor.user.type_id">(service ? 4 : name.starts_with("system:") ? 3 : 1);  // Service, System, User
      row.set<"actor.user.uid_alt">(e.principal);
      for (const Text& group : groups_) row.push<"actor.user.groups">().set<"name">(*group);
    } else {
      keep_user(e);
      // The class wants an actor; of a caller who was not authenticated there is the program at most.
      row.set<"actor.app_name">(e.agent ? *e.agent : "unknown");
    }
    row.set<"actor.session.credential_uid">(e.access_key);
    row.set<"actor.session.uid">(e.session);
    row.set<"actor.session.issuer">(e.canonical_arn ? e.canonical_arn : e.arn);
    if (e.canonical_arn && e.arn) extra_rest_.add("arn", e.arn_raw);
    if (e.decision || e.decision_reason) {
      auto authorization = row.push<"actor.authorizations">();
      authorization.set<"decision">(e.decision);
      authorization.set<"policy.name">(e.decision_reason);
    }
  }

  // Groups and ids do not make a user without a name.
  void keep_user(const Event& e) {
    if (e.principal) extra_rest_.add("principalId", e.principal_raw);
    if (groups_.empty()) return;
    scratch_.assign("[");
    for (const Text& group : groups_) {
      if (scratch_.size() > 1) scratch_.push_back(',');
      lm::json::append_quoted(scratch_, *group);
    }
    scratch_.push_back(']');
    user_rest_.add("groups", scratch_);
  }

  void api(ApiRow& row, const Event& e) {
    const int activity = e.verb ? activity_id(*e.verb) : 0;
    row.set<"activity_id">(activity);
    if (activity == 99) row.set<"activity_name">(e.verb);
    row.set<"api.operation">(e.verb.value_or("unknown"));
    row.set<"api.group.name">(e.api_group);
    row.set<"api.version">(e.api_version);
    row.set<"api.request.uid">(e.id);
    if (e.id) {
      row.set<"api.request.data">(e.request);
    } else if (e.request) {
      rest_.add("requestObject", *e.request);  // a request needs an id in OCSF
    }
    row.set<"api.response.data">(e.response);
    const bool failed = e.code && *e.code >= 400;
    row.set<"status_id">(e.code ? (failed ? 2 : 1) : 0);  // Failure, Success, Unknown
    if (e.code) {
      row.set<"api.response.code">(*e.code);
      const auto end = std::to_chars(digits_.data(), digits_.data() + digits_.size(), *e.code).ptr;
      row.set<"status_code">(std::string_view(digits_.data(), static_cast<std::size_t>(end - digits_.data())));
    }
    if (failed) {
      row.set<"api.response.error">(e.reason);
    } else if (e.reason) {
      status_rest_.add_text("reason", *e.reason);
    }
    row.set<"api.response.error_message">(e.message);
  }

  // The first is the caller's; those behind it are the proxies' that it came through.
  void source(ApiRow& row) {
    if (addresses_.empty() || !lm::aws::source_endpoint(row, *addresses_.front()))
      row.set<"src_endpoint.svc_name">("eks.amazonaws.com");  // the class wants an endpoint
    bool whole = true;
    for (std::size_t i = 1; i < addresses_.size(); ++i) whole &= row.push<"src_endpoint.intermediate_ips">(addresses_[i]);
    if (whole) return;
    scratch_.assign("[");
    for (std::size_t i = 1; i < addresses_.size(); ++i) {
      if (i > 1) scratch_.push_back(',');
      lm::json::append_quoted(scratch_, *addresses_[i]);
    }
    scratch_.push_back(']');
    rest_.add("sourceIPs", scratch_);
  }

  void resource(ApiRow& row, const Event& e) {
    if (!e.resource && !e.name && !e.space && !e.uid && !e.resource_version) {
      if (e.subresource) object_rest_.add_text("subresource", *e.subresource);
      return;
    }
    auto resource = row.push<"resources">();
    resource.set<"name">(e.name);
    resource.set<"namespace">(e.space);
    resource.set<"uid">(e.uid);
    resource.set<"version">(e.resource_version);
    if (e.resource && e.subresource) {
      scratch_.assign(*e.resource).append("/").append(*e.subresource);
      resource.set<"type">(scratch_);
    } else {
      resource.set<"type">(e.resource);
      if (e.subresource) object_rest_.add_text("subresource", *e.subresource);
    }
    if (!cluster_.empty()) resource.set<"group.name">(cluster_);
  }

  lm::json::Reader json_;
  lm::json::ObjectWriter rest_, user_rest_, extra_rest_, object_rest_, status_rest_, annotations_rest_;
  std::vector<Text> groups_, addresses_;
  std::string scratch_;
  std::array<char, 16> digits_{};
  lm::aws::Place place_;
  std::string_view cluster_;
};

LOGMILL_PARSERS(EksAudit)
