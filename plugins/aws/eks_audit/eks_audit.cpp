// Amazon EKS control plane logs: audit events of the Kubernetes API server.
// Source: Kubernetes, "kube-apiserver Audit Configuration (v1)", type Event of audit.k8s.io/v1; AWS, "Amazon EKS User Guide", "Send control plane logs to CloudWatch Logs".
//
// A record is one JSON object. What any cluster's events have is lm::kubernetes' to read and set; here is who AWS says that the caller is, and where the cluster runs.
#include <logmill/sdk.hpp>
#include <logmill/sdk/aws.hpp>
#include <logmill/sdk/fields.hpp>
#include <logmill/sdk/kubernetes.hpp>

namespace ocsf = lm::ocsf::v1_8;

namespace {

using lm::Text;
using lm::json::Field;
using lm::json::Value;

constexpr auto kApi = lm::table(ocsf::api_activity, lm::profiles("cloud"),
                                lm::kubernetes::kAudit + lm::columns({{"activity_id"},
                                                                      {"time"},
                                                                      lm::constant("severity_id", "1"),
                                                                      {"actor.session.credential_uid"},
                                                                      {"actor.session.uid"},
                                                                      {"actor.session.issuer"},
                                                                      {"src_endpoint.hostname"},
                                                                      {"src_endpoint.name"},
                                                                      {"cloud.account.uid"},
                                                                      {"cloud.account.type_id"},
                                                                      lm::constant("cloud.provider", "AWS"),
                                                                      {"cloud.region"},
                                                                      {"cloud.org.uid"},
                                                                      {"cloud.cloud_partition"},
                                                                      {"metadata.log_level"},
                                                                      {"metadata.log_version"},
                                                                      lm::plain("metadata.original_event_uid"),
                                                                      lm::plain("metadata.original_time"),
                                                                      lm::constant("metadata.log_provider", "Amazon EKS"),
                                                                      lm::constant("metadata.product.name", "Amazon EKS"),
                                                                      lm::constant("metadata.product.vendor_name", "AWS"),
                                                                      lm::constant("metadata.product.feature.name", "Audit"),
                                                                      {"unmapped"}}));

using ApiRow = lm::Row<kApi>;

// Of user.extra; the lists as they stand where they may be kept after all.
struct Caller {
  Text principal, access_key, session, arn, canonical_arn;
  std::string_view principal_raw, arn_raw;
};

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
    const lm::json::Outline outline(s);
    const Text version = outline.record_text("apiVersion");
    if (!version || !version->starts_with("audit.k8s.io/")) return 0;
    return outline.record_text("kind") == "Event" || outline.record("auditID") ? (outline.clean() ? 95 : 85) : 0;
  }

  void parse(lm::Record record, lm::Rows<kApi>& rows) {
    if (record.starts_block()) place_ = lm::aws::Place::of(record), cluster_ = cluster_of(place_.log_group);
    Caller caller;
    event_.clear(), rest_.clear();
    const bool read = json_.read(record.text(), [&](std::string_view key, Value& value) {
      event_.member(record, Field{rest_, key, value}, [&](const Field& m) { extra(caller, m); });
    });
    if (!read) return record.reject(json_);
    if (!event_.is_event()) return record.reject(lm::foreign, "'kind' is not Event of 'apiVersion' audit.k8s.io: not an audit event");
    // Kubernetes writes RFC 3339 in UTC; what took the events in and out of a table may have left out the zone.
    const auto staged = lm::time::of_event(event_.staged, true), received = lm::time::of_event(event_.received, true);
    if (!staged && !received) return record.reject(lm::malformed, "neither 'stageTimestamp' nor 'requestReceivedTimestamp' is a time");

    auto row = rows.begin(record);
    event_.times(row, staged, received, rest_);
    row.set<"metadata.log_level">(event_.level);
    row.set<"metadata.log_version">(event_.version);
    cloud(row, caller);
    actor(row, caller);
    row.set<"api.operation">(event_.verb.value_or("unknown"));
    event_.call(row, lm::kubernetes::activity_id(event_.verb), rest_);
    if (event_.addresses.empty() || !lm::aws::source_endpoint(row, *event_.addresses.front()))
      row.set<"src_endpoint.svc_name">("eks.amazonaws.com");  // the class wants an endpoint
    event_.proxies(row, rest_);
    event_.object(row, cluster_);
    event_.url(row, rest_);
    event_.close(rest_);
    if (const auto rest = rest_.finish(); !rest.empty()) row.set<"unmapped">(rest);
  }

 private:
  // Each is a list; whatever authenticated the caller may add others.
  static void extra(Caller& c, const Field& m) {
    static constexpr auto kKeys = lm::keys("accessKeyId", "arn", "canonicalArn", "sessionName", "principalId");
    using lm::kubernetes::AuditEvent;
    switch (kKeys.find(m.key)) {
      case kKeys.at("accessKeyId"): AuditEvent::first(m, c.access_key); break;
      case kKeys.at("arn"):
        AuditEvent::first(m, c.arn);
        c.arn_raw = m.value.raw();
        break;
      case kKeys.at("canonicalArn"): AuditEvent::first(m, c.canonical_arn); break;
      case kKeys.at("sessionName"): AuditEvent::first(m, c.session); break;
      case kKeys.at("principalId"):
        AuditEvent::first(m, c.principal);
        c.principal_raw = m.value.raw();
        break;
      default: m.keep();
    }
  }

  void cloud(ApiRow& row, const Caller& c) const {
    const std::string_view arn = c.arn ? *c.arn : c.canonical_arn.value_or("");
    // The cluster's account: who called may be of another one.
    const std::string_view caller = lm::aws::arn_part(arn, 4);
    place_.set(row, place_.account.empty() && lm::aws::is_account(caller) ? Text(caller) : Text(), {});
    if (const auto partition = lm::aws::arn_part(arn, 1); !partition.empty()) row.set<"cloud.cloud_partition">(partition);
  }

  void actor(ApiRow& row, const Caller& c) {
    if (event_.actor(row)) {
      row.set<"actor.user.uid_alt">(c.principal);
    } else {
      if (c.principal) event_.extra_rest.add("principalId", c.principal_raw);
      // The class wants an actor; of a caller who was not authenticated there is the program at most.
      row.set<"actor.app_name">(event_.agent ? *event_.agent : "unknown");
    }
    row.set<"actor.session.credential_uid">(c.access_key);
    row.set<"actor.session.uid">(c.session);
    row.set<"actor.session.issuer">(c.canonical_arn ? c.canonical_arn : c.arn);
    if (c.canonical_arn && c.arn) event_.extra_rest.add("arn", c.arn_raw);
    event_.authorization(row);
  }

  lm::json::Reader json_;
  lm::kubernetes::AuditEvent event_;
  lm::json::ObjectWriter rest_;
  lm::aws::Place place_;
  std::string_view cluster_;
};

LOGMILL_PARSERS(EksAudit)
