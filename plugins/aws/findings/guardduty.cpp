// Amazon GuardDuty: findings, as they are exported and as the API answers them.
// Source: AWS, "Amazon GuardDuty User Guide": "GuardDuty finding format", "Exporting findings"; "Amazon GuardDuty API Reference": Finding.
//
// One pass reads a finding into views (Finding), `service` included; what has no place in OCSF is written to `unmapped` on the way, under its own name and nesting. `resource` is
// read last, when the role of what it names is known.
#include "findings.hpp"

#include <logmill/sdk.hpp>

#include <cmath>

namespace ocsf = lm::ocsf::v1_8;

namespace guardduty {

using namespace findings;

constexpr auto kTable = lm::table(ocsf::detection_finding, lm::profiles("cloud"),
                                  findings::kEvidences + lm::columns({{"activity_id"},
                                                                      {"time"},
                                                                      {"severity_id"},
                                                                      {"risk_score"},
                                                                      {"confidence_score"},
                                                                      {"status_id"},
                                                                      {"count"},
                                                                      lm::constant("is_alert", "true"),
                                                                      lm::same("message", "finding_info.title"),
                                                                      {"unmapped"},
                                                                      {"cloud.account.uid"},
                                                                      {"cloud.account.type_id"},
                                                                      {"cloud.region"},
                                                                      {"cloud.org.uid"},
                                                                      {"cloud.cloud_partition"},
                                                                      lm::constant("cloud.provider", "AWS"),
                                                                      {"metadata.log_version"},
                                                                      lm::same("metadata.original_event_uid", "finding_info.uid"),
                                                                      lm::plain("metadata.original_time"),
                                                                      {"metadata.product.feature.name"},
                                                                      lm::constant("metadata.product.name", "GuardDuty"),
                                                                      lm::constant("metadata.product.vendor_name", "AWS"),
                                                                      lm::constant("metadata.log_provider", "GuardDuty"),
                                                                      lm::plain("finding_info.uid"),
                                                                      lm::plain("finding_info.uid_alt"),
                                                                      lm::plain("finding_info.title"),
                                                                      lm::plain("finding_info.desc"),
                                                                      {"finding_info.types[]"},
                                                                      {"finding_info.created_time"},
                                                                      {"finding_info.modified_time"},
                                                                      {"finding_info.first_seen_time"},
                                                                      {"finding_info.last_seen_time"},
                                                                      {"finding_info.analytic.name"},
                                                                      {"finding_info.analytic.type_id"},
                                                                      {"finding_info.analytic.type"},
                                                                      {"finding_info.product.uid"},
                                                                      lm::constant("finding_info.product.name", "GuardDuty"),
                                                                      {"finding_info.attacks[].tactic.name"},
                                                                      {"finding_info.attacks[].tactic.uid"},
                                                                      {"device.uid"},
                                                                      lm::same("device.instance_uid", "device.uid"),
                                                                      {"device.type_id"},
                                                                      {"device.ip"},
                                                                      {"device.hostname"},
                                                                      {"device.interface_uid"},
                                                                      {"device.vpc_uid"},
                                                                      {"device.subnet_uid"},
                                                                      {"device.zone"},
                                                                      {"device.created_time"},
                                                                      {"device.image.uid"},
                                                                      {"resources[].uid"},
                                                                      {"resources[].name"},
                                                                      {"resources[].type"},
                                                                      {"resources[].version"},
                                                                      {"resources[].role_id"},
                                                                      {"resources[].role"},
                                                                      {"resources[].owner.uid"},
                                                                      {"resources[].created_time"},
                                                                      {"resources[].tags[].name"},
                                                                      {"resources[].tags[].value"},
                                                                      {"resources[].tags[].values[]"},
                                                                      {"evidences[].actor.user.name"},
                                                                      {"evidences[].actor.user.uid"},
                                                                      {"evidences[].actor.user.type"},
                                                                      {"evidences[].actor.user.type_id"},
                                                                      {"evidences[].actor.user.groups[].name"},
                                                                      {"evidences[].actor.user.programmatic_credentials[].uid"},
                                                                      {"evidences[].actor.user.programmatic_credentials[].type"},
                                                                      {"evidences[].http_request.url.path"},
                                                                      {"evidences[].http_response.code"},
                                                                      {"evidences[].process.pid"},
                                                                      lm::plain("evidences[].process.uid"),
                                                                      {"evidences[].process.name"},
                                                                      {"evidences[].process.path"},
                                                                      {"evidences[].process.created_time"},
                                                                      {"evidences[].process.working_directory"},
                                                                      {"evidences[].process.user.name"},
                                                                      {"evidences[].process.user.uid"},
                                                                      lm::plain("evidences[].process.parent_process.uid"),
                                                                      {"evidences[].process.file.name"},
                                                                      {"evidences[].process.file.path"},
                                                                      {"evidences[].process.file.type_id"},
                                                                      {"evidences[].process.file.hashes[].algorithm_id"},
                                                                      {"evidences[].process.file.hashes[].value"},
                                                                      {"evidences[].container.uid"},
                                                                      {"evidences[].container.name"},
                                                                      {"evidences[].container.runtime"},
                                                                      {"evidences[].container.image.name"},
                                                                      {"evidences[].container.image.uid"},
                                                                      {"evidences[].resources[].uid"},
                                                                      {"evidences[].resources[].name"},
                                                                      {"evidences[].resources[].type"}}));
using Row = lm::Row<kTable>;

struct Process {
  Text name, path, sha256, directory, uuid, parent, user, user_id;
  lm::Maybe<std::int64_t> pid, started;
};

struct Finding {
  Text schema, account, region, partition, id, arn, type, title, description, created, updated;
  Text detector, feature, role;
  Text user_name, principal, access_key, user_type;          // accessKeyDetails
  Text k8s_name, k8s_uid;                                    // kubernetesUserDetails
  Text container, container_name, container_image, runtime;  // containerDetails
  Text groups, resource;                                     // as they stand
  std::string_view resource_key;                             // "resource" or "Resource"
  lm::Maybe<double> severity;
  lm::Maybe<std::int64_t> confidence, count, first_seen, last_seen;
  lm::Maybe<bool> archived;
  Process process;
  Local local;
};

struct Tactic {
  std::string_view purpose, name, uid;
};
constexpr Tactic kTactics[] = {{"InitialAccess", "Initial Access", "TA0001"},
                               {"Execution", "Execution", "TA0002"},
                               {"Persistence", "Persistence", "TA0003"},
                               {"PrivilegeEscalation", "Privilege Escalation", "TA0004"},
                               {"DefenseEvasion", "Defense Evasion", "TA0005"},
                               {"CredentialAccess", "Credential Access", "TA0006"},
                               {"Discovery", "Discovery", "TA0007"},
                               {"LateralMovement", "Lateral Movement", "TA0008"},
                               {"Collection", "Collection", "TA0009"},
                               {"Exfiltration", "Exfiltration", "TA0010"},
                               {"CommandAndControl", "Command and Control", "TA0011"},
                               {"Impact", "Impact", "TA0040"},
                               {"ResourceDevelopment", "Resource Development", "TA0042"},
                               {"Reconnaissance", "Reconnaissance", "TA0043"}};

}  // namespace guardduty

using namespace guardduty;

struct GuardDuty {
  static constexpr lm::Descriptor descriptor{
      .id = "aws.guardduty",
      .title = "Amazon GuardDuty",
      .vendor = "AWS",
      .version = "1.0.0",
      .reads = "Findings: one a line as exported, arrays, {\"findings\":[...]} and {\"Findings\":[...]} of the API",
      .framing = lm::Framing::json,
      .envelope = "findings"};
  static constexpr auto keys = lm::strings("AWSLogs/{account}/GuardDuty/{region}/**", "AWSLogs/{org}/{account}/GuardDuty/{region}/**");

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "findings");
    if (outline.record("class_uid") || outline.record("ProductArn")) return 0;
    const auto has = [&](std::string_view small, std::string_view capital) { return outline.record(small) || outline.record(capital); };
    const bool all = has("schemaVersion", "SchemaVersion") && has("accountId", "AccountId") && has("type", "Type") &&
                     has("severity", "Severity") && has("resource", "Resource") && has("service", "Service");
    // Of a finding that is longer than the sample not all names are there, but what it calls itself is.
    const Text arn = outline.record_text("arn") ? outline.record_text("arn") : outline.record_text("Arn");
    const bool named = arn && lm::aws::arn_part(*arn, 2) == "guardduty" && arn->find("/finding/") != s.npos;
    if (!all && !named) return 0;
    return outline.clean() ? 95 : 85;
  }

  void parse(lm::Record record, lm::Rows<kTable>& rows) {
    if (record.starts_block()) place_ = lm::aws::Place::of(record);
    Finding f;
    action_.clear();
    rest_.clear();
    if (!read(record, f)) return record.reject(json_);
    if (!f.type || (!f.id && !f.arn)) return record.reject(lm::foreign, "no type and id: not a GuardDuty finding");

    const auto modified = time_of("updatedAt", f.updated, false), created = time_of("createdAt", f.created, true);
    const auto time = modified ? modified : created ? created : f.last_seen;
    if (!time) return record.reject(lm::malformed, "'updatedAt' is not a time");

    Row row = rows.begin(record);
    row.set<"time">(*time);
    row.set<"metadata.original_time">(f.updated ? f.updated : f.created);
    row.set<"finding_info.modified_time">(modified);
    row.set<"finding_info.created_time">(created);
    row.set<"finding_info.first_seen_time">(f.first_seen);
    row.set<"finding_info.last_seen_time">(f.last_seen);
    what(row, f);
    where(row, f);
    types_.clear();
    if (f.resource) resource(record, row, f);
    if (f.role && types_.empty()) rest_.add_text("service.resourceRole", *f.role);
    evidences(row, f);
    if (const auto rest = rest_.finish(); !rest.empty()) row.set<"unmapped">(rest);
  }

 private:
  // ---- Reading ----

  bool read(lm::Record record, Finding& f) {
    static constexpr auto kKeys =
        lm::keys("schemaVersion", "accountId", "region", "partition", "id", "arn", "type", "title", "description", "severity", "confidence",
                 "createdAt", "updatedAt", "resource", "service", "associatedAttackSequenceArn");
    return json_.read(record.text(), [&](std::string_view key, Value& value) {
      const Field r{rest_, key, value};
      switch (find_small(kKeys, key)) {
        case kKeys.at("schemaVersion"): r.text(f.schema); break;
        case kKeys.at("accountId"): r.text(f.account); break;
        case kKeys.at("region"): r.text(f.region); break;
        case kKeys.at("partition"): r.text(f.partition); break;
        case kKeys.at("id"): r.text(f.id); break;
        case kKeys.at("arn"): r.text(f.arn); break;
        case kKeys.at("type"): r.text(f.type); break;
        case kKeys.at("title"): r.text(f.title); break;
        case kKeys.at("description"): r.text(f.description); break;
        case kKeys.at("severity"): severity(f, r); break;
        case kKeys.at("confidence"): r.integer(f.confidence, 0, INT32_MAX); break;
        case kKeys.at("createdAt"): r.text(f.created); break;
        case kKeys.at("updatedAt"): r.text(f.updated); break;
        case kKeys.at("resource"):
          f.resource_key = key;
          r.json(f.resource, Type::object);
          break;
        case kKeys.at("service"): r.object([&](const Field& inner) { service(record, f, inner); }); break;
        case kKeys.at("associatedAttackSequenceArn"): r.keep(); break;
        default: record.drift(key); r.keep();
      }
    });
  }

  // Tenths are as fine as the score goes; what is finer stays as it was written, and so does what is no severity.
  void severity(Finding& f, const Field& r) const {
    const auto text = r.value.text();
    const auto n = lm::number(text ? *text : r.value.raw());
    if (!n || !(*n >= 0 && *n <= 10) || f.severity) return r.keep();
    f.severity = n;
    if (std::abs(*n * 10 - std::round(*n * 10)) > 1e-9) r.keep();
  }

  void service(lm::Record record, Finding& f, const Field& r) {
    static constexpr auto kKeys = lm::keys("serviceName", "detectorId", "action", "resourceRole", "additionalInfo", "evidence",
                                           "eventFirstSeen", "eventLastSeen", "archived", "count", "featureName", "runtimeDetails",
                                           "detection", "userFeedback", "ebsVolumeScanDetails", "malwareScanDetails");
    switch (find_small(kKeys, r.key)) {
      case kKeys.at("detectorId"): r.text(f.detector); break;
      case kKeys.at("featureName"): r.text(f.feature); break;
      case kKeys.at("resourceRole"): r.text(f.role); break;
      case kKeys.at("eventFirstSeen"): r.time(f.first_seen); break;
      case kKeys.at("eventLastSeen"): r.time(f.last_seen); break;
      case kKeys.at("archived"): r.boolean(f.archived); break;
      case kKeys.at("count"): r.integer(f.count, 0, INT32_MAX); break;
      case kKeys.at("action"): r.object([&](const Field& inner) { action(record, inner); }); break;
      case kKeys.at("runtimeDetails"):
        r.object([&](const Field& inner) {
          if (lm::equals_but_first_case(inner.key, "process")) return process(f, inner);
          inner.keep();
        });
        break;
      case kKeys.at("additionalInfo"):
        r.object([&](const Field& inner) {
          if (!lm::equals_but_first_case(inner.key, "value")) return inner.keep();
          const auto text = inner.value.text();
          // A text that holds JSON: as JSON it can be searched.
          if (text && text->starts_with('{') && inner_.valid(*text)) {
            if (!lm::json::says_nothing(*text)) rest_.add(inner.key, *text);
          } else {
            inner.keep();
          }
        });
        break;
      case kKeys.at("serviceName"):
        if (const auto text = r.value.text(); text != "guardduty") r.keep();
        break;
      case kKeys.at("evidence"):
      case kKeys.at("detection"):
      case kKeys.at("userFeedback"):
      case kKeys.at("ebsVolumeScanDetails"):
      case kKeys.at("malwareScanDetails"): r.keep(); break;
      default: record.drift("service", r.key); r.keep();
    }
  }

  void action(lm::Record record, const Field& r) {
    static constexpr auto kKeys = lm::keys("actionType", "networkConnectionAction", "portProbeAction", "dnsRequestAction",
                                           "awsApiCallAction", "kubernetesApiCallAction", "rdsLoginAttemptAction",
                                           "kubernetesPermissionCheckedDetails", "kubernetesRoleBindingDetails", "kubernetesRoleDetails");
    switch (find_small(kKeys, r.key)) {
      case kKeys.at("networkConnectionAction"):
      case kKeys.at("portProbeAction"):
      case kKeys.at("dnsRequestAction"):
      case kKeys.at("awsApiCallAction"):
      case kKeys.at("kubernetesApiCallAction"):
      case kKeys.at("rdsLoginAttemptAction"): read_action(r, action_, scratch_); break;
      case kKeys.at("actionType"):
      case kKeys.at("kubernetesPermissionCheckedDetails"):
      case kKeys.at("kubernetesRoleBindingDetails"):
      case kKeys.at("kubernetesRoleDetails"): r.keep(); break;
      default: record.drift("service.action", r.key); r.keep();
    }
  }

  void process(Finding& f, const Field& whole) const {
    static constexpr auto kKeys =
        lm::keys("name", "pid", "executablePath", "executableSha256", "pwd", "startTime", "uuid", "parentUuid", "user", "userId");
    if (whole.value.type() != Type::object) return whole.keep();
    Process& p = f.process;
    std::string_view started;
    whole.rest.enter(whole.key);
    whole.value.object([&](std::string_view key, Value& value) {
      const Field r{whole.rest, key, value};
      switch (find_small(kKeys, key)) {
        case kKeys.at("name"): r.text(p.name); break;
        case kKeys.at("pid"): r.integer(p.pid, 0, INT32_MAX); break;
        case kKeys.at("executablePath"): r.text(p.path); break;
        case kKeys.at("executableSha256"): r.text(p.sha256); break;
        case kKeys.at("pwd"): r.text(p.directory); break;
        case kKeys.at("startTime"):
          if (value.type() == Type::string) {
            r.time(p.started);
          } else {
            const auto seconds = value.number();
            const auto ms = seconds && *seconds > 0 && *seconds < 1e11 ? static_cast<std::int64_t>(std::floor(*seconds * 1000 + 0.5)) : 0;
            if (lm::time::plausible(ms)) {
              p.started = ms;
              started = value.raw();
            } else {
              r.keep();
            }
          }
          break;
        case kKeys.at("uuid"): r.text(p.uuid); break;
        case kKeys.at("parentUuid"): r.text(p.parent); break;
        case kKeys.at("user"): r.text(p.user); break;
        case kKeys.at("userId"):
          if (value.type() == Type::number) {
            p.user_id = value.raw();
          } else {
            r.text(p.user_id);
          }
          break;
        default: r.keep();
      }
    });
    const auto keep = [&](std::string_view key, Text& text) {
      if (text) whole.rest.add_text(key, *text);
      text = {};
    };
    if (!p.pid && !p.uuid) {  // no process in OCSF
      keep("name", p.name), keep("executablePath", p.path), keep("pwd", p.directory), keep("parentUuid", p.parent), keep("user", p.user);
      keep("userId", p.user_id);
      if (!started.empty()) whole.rest.add("startTime", started);
      p.started = {};
    }
    if (!p.path) keep("executableSha256", p.sha256);  // a hash is of a file
    whole.rest.leave();
  }

  // The text that cannot be read is kept, unless it has a place of its own anyway.
  lm::Maybe<std::int64_t> time_of(std::string_view key, Text text, bool keep) {
    const auto t = lm::time::of_event(text, true);
    if (text && !t && keep) rest_.add_text(key, *text);
    return t;
  }

  // ---- Rows ----

  static void what(Row& row, const Finding& f) {
    const bool archived = f.archived.value_or(false);
    row.set<"activity_id">(archived ? 3 : f.count == 1 || (f.updated && f.updated == f.created) ? 1 : 2);  // Close, Create, Update
    row.set<"status_id">(archived ? 5 : 1);                                                                // Archived, New
    row.set<"count">(f.count);
    row.set<"confidence_score">(f.confidence);
    if (f.severity) {
      const double s = *f.severity;
      row.set<"severity_id">(s < 4 ? 2 : s < 7 ? 3 : s < 9 ? 4 : 5);
      row.set<"risk_score">(std::lround(s * 10));
    } else {
      row.set<"severity_id">(0);
    }
    row.set<"finding_info.uid">(f.id ? f.id : f.arn);
    row.set<"finding_info.uid_alt">(f.arn);
    row.set<"finding_info.title">(f.title);
    row.set<"finding_info.desc">(f.description);
    row.set<"finding_info.product.uid">(f.detector);

    const std::string_view type = *f.type, purpose = lm::before(type, ':');
    row.push<"finding_info.types">(type);
    row.set<"finding_info.analytic.name">(type);
    const bool sequence = purpose == "AttackSequence";
    row.set<"finding_info.analytic.type_id">(sequence ? 99 : type.find("AnomalousBehavio") != type.npos ? 4 : 1);  // Other, Learning, Rule
    if (sequence) row.set<"finding_info.analytic.type">("Attack sequence");
    for (const Tactic& tactic : kTactics) {
      if (tactic.purpose != purpose) continue;
      auto attack = row.push<"finding_info.attacks">();
      attack.set<"tactic.name">(tactic.name);
      attack.set<"tactic.uid">(tactic.uid);
    }
  }

  void where(Row& row, const Finding& f) const {
    row.set<"metadata.log_version">(f.schema);
    row.set<"metadata.product.feature.name">(f.feature);
    place_.set(row, f.account, f.region);
    const std::string_view partition = f.partition ? *f.partition : lm::aws::arn_part(f.arn.value_or(""), 1);
    if (!partition.empty()) row.set<"cloud.cloud_partition">(partition);
  }

  auto new_resource(Row& row, const Finding& f, std::string_view type) {
    auto item = row.push<"resources">();
    item.template set<"type">(type);
    if (f.role) {
      const int id = f.role == "TARGET" ? 1 : f.role == "ACTOR" ? 2 : 99;
      item.template set<"role_id">(id);
      if (id == 99) item.template set<"role">(f.role);
    }
    types_.push_back(type);
    return item;
  }

  template <class Item>
  static void tags(Item& item, const Field& r) {
    bool unknown = r.value.type() != Type::array;
    r.value.array([&](Value& tag) {
      Text name, value;
      if (tag.type() != Type::object) unknown = true;
      tag.object([&](std::string_view key, Value& v) {
        const bool is_name = lm::equals_but_first_case(key, "key"), is_value = lm::equals_but_first_case(key, "value");
        const auto text = v.text();
        if (is_name) name = text;
        if (is_value) value = text;
        unknown |= (!is_name && !is_value) || (!text && !v.is_null());
      });
      if (!name || name->empty()) {
        unknown |= value.has_value();
        return;
      }
      put_tag(item, *name, value);
    });
    if (unknown) r.keep();
  }

  void resource(lm::Record record, Row& row, Finding& f) {
    static constexpr auto kKeys =
        lm::keys("resourceType", "instanceDetails", "accessKeyDetails", "s3BucketDetails", "eksClusterDetails", "kubernetesDetails",
                 "ecsClusterDetails", "containerDetails", "rdsDbInstanceDetails", "rdsDbUserDetails", "lambdaDetails", "ebsVolumeDetails",
                 "rdsLimitlessDbDetails", "ebsSnapshotDetails", "ec2ImageDetails", "recoveryPointDetails");
    Text type;
    rest_.enter(f.resource_key);
    inner_.read(*f.resource, [&](std::string_view key, Value& value) {
      const Field r{rest_, key, value};
      switch (find_small(kKeys, key)) {
        case kKeys.at("resourceType"): r.text(type); break;
        case kKeys.at("instanceDetails"): instance(row, f, r); break;
        case kKeys.at("accessKeyDetails"): access_key(row, f, r); break;
        case kKeys.at("s3BucketDetails"): buckets(row, f, r); break;
        case kKeys.at("eksClusterDetails"): named(row, f, r, "EKSCluster"); break;
        case kKeys.at("ecsClusterDetails"): named(row, f, r, "ECSCluster"); break;
        case kKeys.at("rdsDbInstanceDetails"): named(row, f, r, "RDSDBInstance"); break;
        case kKeys.at("lambdaDetails"): named(row, f, r, "Lambda"); break;
        case kKeys.at("containerDetails"): container(row, f, r); break;
        case kKeys.at("kubernetesDetails"):
          r.object([&](const Field& inner) {
            if (!lm::equals_but_first_case(inner.key, "kubernetesUserDetails")) return inner.keep();
            inner.object([&](const Field& user) {
              static constexpr auto kUser = lm::keys("username", "uid", "groups");
              switch (find_small(kUser, user.key)) {
                case kUser.at("username"): user.text(f.k8s_name); break;
                case kUser.at("uid"): user.text(f.k8s_uid); break;
                case kUser.at("groups"): user.json(f.groups, Type::array); break;
                default: user.keep();
              }
            });
          });
          break;
        case kKeys.at("rdsDbUserDetails"):
        case kKeys.at("ebsVolumeDetails"):
        case kKeys.at("rdsLimitlessDbDetails"):
        case kKeys.at("ebsSnapshotDetails"):
        case kKeys.at("ec2ImageDetails"):
        case kKeys.at("recoveryPointDetails"): r.keep(); break;
        default: record.drift("resource", r.key); r.keep();
      }
    });
    rest_.leave();
    // What the finding is about, where none of the details says it.
    if (type && std::find(types_.begin(), types_.end(), *type) == types_.end()) new_resource(row, f, *type);
  }

  void instance(Row& row, Finding& f, const Field& whole) {
    static constexpr auto kKeys = lm::keys("instanceId", "imageId", "launchTime", "availabilityZone", "networkInterfaces", "tags");
    if (whole.value.type() != Type::object) return whole.keep();
    auto item = new_resource(row, f, "Instance");
    whole.object([&](const Field& r) {
      Text text;
      lm::Maybe<std::int64_t> time;
      switch (find_small(kKeys, r.key)) {
        case kKeys.at("instanceId"):
          r.text(text);
          row.set<"device.uid">(text);
          item.set<"uid">(text);
          f.local.instance = text;
          break;
        case kKeys.at("imageId"):
          r.text(text);
          row.set<"device.image.uid">(text);
          break;
        case kKeys.at("launchTime"):
          r.time(time);
          row.set<"device.created_time">(time);
          break;
        case kKeys.at("availabilityZone"):
          r.text(text);
          row.set<"device.zone">(text);
          break;
        case kKeys.at("networkInterfaces"): interfaces(row, f, r); break;
        case kKeys.at("tags"): tags(item, r); break;
        default: r.keep();
      }
    });
    if (row.is_set<"device.uid">() || row.is_set<"device.interface_uid">() || row.is_set<"device.ip">() ||
        row.is_set<"device.image.uid">() || row.is_set<"device.created_time">() || row.is_set<"device.zone">() ||
        row.is_set<"device.hostname">() || row.is_set<"device.subnet_uid">() || row.is_set<"device.vpc_uid">())
      row.set<"device.type_id">(6);  // Virtual
  }

  // The first one is the device's; the list is kept with what more it has.
  static void interfaces(Row& row, Finding& f, const Field& r) {
    static constexpr auto kKeys = lm::keys("networkInterfaceId", "privateIpAddress", "privateDnsName", "subnetId", "vpcId");
    bool unknown = r.value.type() != Type::array, first = true;
    r.value.array([&](Value& interface) {
      if (interface.type() != Type::object) unknown = true;
      interface.object([&](std::string_view key, Value& value) {
        const int n = find_small(kKeys, key);
        if (!first || n < 0) {
          unknown |= !lm::json::says_nothing(value.raw());
          return;
        }
        const auto text = value.text();
        if (!text || text->empty()) {
          unknown |= !text && !value.is_null();
          return;
        }
        switch (n) {
          case kKeys.at("networkInterfaceId"): row.set<"device.interface_uid">(text); break;
          case kKeys.at("privateIpAddress"):
            if (row.set<"device.ip">(text)) {
              f.local.ip = text;
            } else {
              unknown = true;
            }
            break;
          case kKeys.at("privateDnsName"): row.set<"device.hostname">(text); break;
          case kKeys.at("subnetId"): row.set<"device.subnet_uid">(text); break;
          default: row.set<"device.vpc_uid">(text);
        }
      });
      first = false;
    });
    if (unknown) r.keep();
  }

  void access_key(Row& row, Finding& f, const Field& whole) {
    static constexpr auto kKeys = lm::keys("accessKeyId", "principalId", "userName", "userType");
    if (whole.value.type() != Type::object) return whole.keep();
    auto item = new_resource(row, f, "AccessKey");
    whole.object([&](const Field& r) {
      switch (find_small(kKeys, r.key)) {
        case kKeys.at("accessKeyId"):
          r.text(f.access_key);
          item.set<"uid">(f.access_key);
          break;
        case kKeys.at("principalId"): r.text(f.principal); break;
        case kKeys.at("userName"): r.text(f.user_name); break;
        case kKeys.at("userType"): r.text(f.user_type); break;
        default: r.keep();
      }
    });
  }

  void buckets(Row& row, const Finding& f, const Field& r) {
    static constexpr auto kKeys = lm::keys("arn", "name", "owner", "tags");
    bool unknown = r.value.type() != Type::array;
    r.value.array([&](Value& bucket) {
      if (bucket.type() != Type::object) {
        unknown = true;
        return;
      }
      auto item = new_resource(row, f, "S3Bucket");
      scratch_.clear();
      bucket.object([&](std::string_view key, Value& value) {
        const Field b{scratch_, key, value};
        Text text;
        switch (find_small(kKeys, key)) {
          case kKeys.at("arn"):
            b.text(text);
            item.set<"uid">(text);
            break;
          case kKeys.at("name"):
            b.text(text);
            item.set<"name">(text);
            break;
          case kKeys.at("owner"):
            b.object([&](const Field& owner) {
              if (!lm::equals_but_first_case(owner.key, "id")) return owner.keep();
              owner.text(text);
              item.set<"owner.uid">(text);
            });
            break;
          case kKeys.at("tags"): tags(item, b); break;
          default: b.keep();
        }
      });
      unknown |= !scratch_.empty();
    });
    if (unknown) r.keep();  // what the list has beyond OCSF's attributes is kept with it, whole
  }

  // Clusters, databases and functions: an ARN, a name, tags and more.
  void named(Row& row, const Finding& f, const Field& whole, std::string_view type) {
    static constexpr auto kKeys = lm::keys("arn", "name", "dbInstanceArn", "dbInstanceIdentifier", "functionArn", "functionName",
                                           "functionVersion", "createdAt", "tags");
    if (whole.value.type() != Type::object) return whole.keep();
    auto item = new_resource(row, f, type);
    whole.object([&](const Field& r) {
      Text text;
      lm::Maybe<std::int64_t> time;
      switch (find_small(kKeys, r.key)) {
        case kKeys.at("arn"):
        case kKeys.at("dbInstanceArn"):
        case kKeys.at("functionArn"):
          r.text(text);
          item.set<"uid">(text);
          break;
        case kKeys.at("name"):
        case kKeys.at("dbInstanceIdentifier"):
        case kKeys.at("functionName"):
          r.text(text);
          item.set<"name">(text);
          break;
        case kKeys.at("functionVersion"):
          r.text(text);
          item.set<"version">(text);
          break;
        case kKeys.at("createdAt"):
          r.time(time);  // one that is a number stays as it stands
          item.set<"created_time">(time);
          break;
        case kKeys.at("tags"): tags(item, r); break;
        default: r.keep();
      }
    });
  }

  void container(Row& row, Finding& f, const Field& whole) {
    static constexpr auto kKeys = lm::keys("id", "name", "image", "containerRuntime");
    if (whole.value.type() != Type::object) return whole.keep();
    auto item = new_resource(row, f, "Container");
    rest_.enter(whole.key);
    whole.value.object([&](std::string_view key, Value& value) {
      const Field r{rest_, key, value};
      switch (find_small(kKeys, key)) {
        case kKeys.at("id"): r.text(f.container); break;
        case kKeys.at("name"): r.text(f.container_name); break;
        case kKeys.at("image"): r.text(f.container_image); break;
        case kKeys.at("containerRuntime"): r.text(f.runtime); break;
        default: r.keep();
      }
    });
    item.set<"uid">(f.container);
    item.set<"name">(f.container_name);
    if (!f.container && !f.container_name) {  // no container in OCSF
      if (f.container_image) rest_.add_text("image", *f.container_image);
      if (f.runtime) rest_.add_text("containerRuntime", *f.runtime);
      f.container_image = f.runtime = {};
    }
    rest_.leave();
  }

  void evidences(Row& row, Finding& f) {
    const Process& p = f.process;
    const bool has_process = p.pid || p.uuid, has_container = f.container || f.container_name;
    const bool k8s = f.k8s_name || f.k8s_uid;
    const Text name = k8s ? f.k8s_name : f.user_name, uid = k8s ? f.k8s_uid : f.principal;
    const bool has_user = name || uid;
    const auto keep = [&](std::string_view key, const Text& text) {
      if (text) rest_.add_text(key, *text);
    };
    if (k8s) keep("resource.accessKeyDetails.userName", f.user_name), keep("resource.accessKeyDetails.principalId", f.principal);
    if (k8s || !has_user) keep("resource.accessKeyDetails.userType", f.user_type);
    if (!has_user && f.groups) rest_.add("resource.kubernetesDetails.kubernetesUserDetails.groups", *f.groups);
    bool odd_groups = false;
    const bool placed = put_evidences(row, action_, f.local, has_process || has_container || has_user, [&](auto& item) {
      if (has_user) {
        item.template set<"actor.user.name">(name);
        item.template set<"actor.user.uid">(uid);
        if (!k8s && f.user_type) {
          item.template set<"actor.user.type">(f.user_type);
          item.template set<"actor.user.type_id">(user_type_id(*f.user_type));
        }
        if (f.access_key) {
          auto key = item.template push<"actor.user.programmatic_credentials">();
          key.template set<"uid">(f.access_key);
          key.template set<"type">("AWS access key");
        }
        if (f.groups) {
          list_.read_array(*f.groups, [&](Value& group) {
            const auto text = group.text();
            if (text && !text->empty()) {
              item.template push<"actor.user.groups">().template set<"name">(text);
            } else {
              odd_groups = true;
            }
          });
        }
      }
      if (has_process) put_process(item, p);
      if (has_container) {
        item.template set<"container.uid">(f.container);
        item.template set<"container.name">(f.container_name);
        item.template set<"container.runtime">(f.runtime);
        item.template set<"container.image.name">(f.container_image);
        item.template set<"container.image.uid">(f.container_image);
        // A container alone is no evidence in OCSF.
        auto resource = item.template push<"resources">();
        resource.template set<"uid">(f.container);
        resource.template set<"name">(f.container_name);
        resource.template set<"type">("Container");
      }
    });
    if (odd_groups) rest_.add("resource.kubernetesDetails.kubernetesUserDetails.groups", *f.groups);
    if (!placed && action_.probes.empty())
      lm::json::add_number(rest_, "service.action.networkConnectionAction.localPortDetails.port", *action_.ends.local_port);
  }

  template <class Item>
  static void put_process(Item& item, const Process& p) {
    item.template set<"process.pid">(p.pid);
    item.template set<"process.uid">(p.uuid);
    item.template set<"process.name">(p.name);
    item.template set<"process.path">(p.path);
    item.template set<"process.created_time">(p.started);
    item.template set<"process.working_directory">(p.directory);
    item.template set<"process.user.name">(p.user);
    item.template set<"process.user.uid">(p.user_id);
    item.template set<"process.parent_process.uid">(p.parent);
    if (p.path) {
      item.template set<"process.file.name">(lm::after_last(*p.path, '/'));
      item.template set<"process.file.path">(p.path);
      item.template set<"process.file.type_id">(1);  // Regular File
      if (p.sha256) {
        auto hash = item.template push<"process.file.hashes">();
        hash.template set<"algorithm_id">(3);  // SHA-256
        hash.template set<"value">(p.sha256);
      }
    }
  }

  static int user_type_id(std::string_view type) {
    if (type == "Root") return 2;  // Admin
    if (type == "IAMUser" || type == "FederatedUser") return 1;
    if (type == "AWSService") return 4;
    return 99;
  }

  lm::json::Reader json_, inner_, list_;
  lm::json::ObjectWriter rest_, scratch_;
  Action action_;
  std::vector<std::string_view> types_;
  lm::aws::Place place_;
};

LOGMILL_PARSERS(GuardDuty)
