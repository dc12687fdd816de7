// AWS Security Hub: findings in the AWS Security Finding Format.
// Source: AWS, "AWS Security Hub User Guide": "AWS Security Finding Format (ASFF)"; "AWS Security Hub API Reference": AwsSecurityFinding.
//
// One pass reads a finding into views (Finding); what has no place in OCSF is written to `unmapped` on the way. What a finding has chooses its class, and only then are its lists
// read: compliance, vulnerabilities, resources.
#include "findings.hpp"

#include <logmill/sdk.hpp>

namespace ocsf = lm::ocsf::v1_8;

namespace securityhub {

using namespace findings;

constexpr auto kEvery = lm::columns({{"activity_id"},
                                     {"time"},
                                     {"severity_id"},
                                     {"severity"},
                                     {"status_id"},
                                     {"status"},
                                     {"confidence_score"},
                                     {"comment"},
                                     lm::same("message", "finding_info.title"),
                                     {"unmapped"},
                                     {"cloud.account.uid"},
                                     {"cloud.account.name"},
                                     {"cloud.account.type_id"},
                                     {"cloud.region"},
                                     {"cloud.org.uid"},
                                     {"cloud.cloud_partition"},
                                     lm::constant("cloud.provider", "AWS"),
                                     {"metadata.log_version"},
                                     lm::same("metadata.original_event_uid", "finding_info.uid"),
                                     lm::plain("metadata.original_time"),
                                     {"metadata.processed_time"},
                                     {"metadata.product.feature.name"},
                                     lm::constant("metadata.product.name", "Security Hub"),
                                     lm::constant("metadata.product.vendor_name", "AWS"),
                                     lm::constant("metadata.log_provider", "Security Hub"),
                                     lm::plain("finding_info.uid"),
                                     {"finding_info.title"},
                                     {"finding_info.desc"},
                                     {"finding_info.types[]"},
                                     {"finding_info.created_time"},
                                     {"finding_info.modified_time"},
                                     {"finding_info.first_seen_time"},
                                     {"finding_info.last_seen_time"},
                                     lm::plain("finding_info.src_url"),
                                     {"finding_info.analytic.uid"},
                                     {"finding_info.analytic.type_id"},
                                     {"finding_info.product.uid"},
                                     {"finding_info.product.name"},
                                     {"finding_info.product.vendor_name"},
                                     lm::plain("finding_info.related_events[].uid"),
                                     {"finding_info.related_events[].product.uid"},
                                     {"resources[].uid"},
                                     {"resources[].type"},
                                     {"resources[].region"},
                                     {"resources[].cloud_partition"},
                                     {"resources[].role_id"},
                                     {"resources[].role"},
                                     {"resources[].group.name"},
                                     {"resources[].group.uid"},
                                     {"resources[].tags[].name"},
                                     {"resources[].tags[].value"},
                                     {"resources[].tags[].values[]"},
                                     {"resources[].data"}});

constexpr auto kRemediation = lm::columns({{"remediation.desc"}, {"remediation.references[]"}});

constexpr auto kComplianceTable = lm::table(ocsf::compliance_finding, lm::profiles("cloud"),
                                            kEvery + kRemediation +
                                                lm::columns({{"compliance.status_id"},
                                                             {"compliance.status"},
                                                             {"compliance.control"},
                                                             {"compliance.standards[]"},
                                                             {"compliance.requirements[]"},
                                                             {"compliance.status_details[]"},
                                                             {"compliance.control_parameters[].name"},
                                                             {"compliance.control_parameters[].values[]"}}));

constexpr auto kVulnerabilityTable = lm::table(ocsf::vulnerability_finding, lm::profiles("cloud"),
                                               kEvery + lm::columns({{"vulnerabilities[].cve.uid"},
                                                                     {"vulnerabilities[].cve.created_time"},
                                                                     {"vulnerabilities[].cve.modified_time"},
                                                                     {"vulnerabilities[].cve.references[]"},
                                                                     {"vulnerabilities[].cve.epss.score"},
                                                                     {"vulnerabilities[].cve.cvss[].base_score"},
                                                                     {"vulnerabilities[].cve.cvss[].version"},
                                                                     {"vulnerabilities[].cve.cvss[].vector_string"},
                                                                     {"vulnerabilities[].cve.cvss[].vendor_name"},
                                                                     {"vulnerabilities[].advisory.uid"},
                                                                     {"vulnerabilities[].advisory.src_url"},
                                                                     {"vulnerabilities[].advisory.created_time"},
                                                                     {"vulnerabilities[].advisory.modified_time"},
                                                                     {"vulnerabilities[].affected_packages[].name"},
                                                                     {"vulnerabilities[].affected_packages[].version"},
                                                                     {"vulnerabilities[].affected_packages[].epoch"},
                                                                     {"vulnerabilities[].affected_packages[].release"},
                                                                     {"vulnerabilities[].affected_packages[].architecture"},
                                                                     {"vulnerabilities[].affected_packages[].package_manager"},
                                                                     {"vulnerabilities[].affected_packages[].fixed_in_version"},
                                                                     {"vulnerabilities[].affected_packages[].path"},
                                                                     {"vulnerabilities[].affected_packages[].remediation.desc"},
                                                                     {"vulnerabilities[].is_fix_available"},
                                                                     {"vulnerabilities[].fix_coverage_id"},
                                                                     {"vulnerabilities[].is_exploit_available"},
                                                                     {"vulnerabilities[].exploit_last_seen_time"},
                                                                     {"vulnerabilities[].references[]"},
                                                                     {"vulnerabilities[].related_vulnerabilities[]"},
                                                                     {"vulnerabilities[].remediation.desc"},
                                                                     {"vulnerabilities[].remediation.references[]"},
                                                                     {"vulnerabilities[].severity"},
                                                                     {"vulnerabilities[].vendor_name"}}));

constexpr auto kDetectionTable = lm::table(ocsf::detection_finding, lm::profiles("cloud"),
                                           kEvery + kRemediation + kEvidences +
                                               lm::columns({lm::constant("is_alert", "true"),
                                                            {"malware[].name"},
                                                            {"malware[].files[].name"},
                                                            {"malware[].files[].path"},
                                                            {"malware[].files[].type_id"},
                                                            {"malware[].classification_ids[]"},
                                                            {"malware[].classifications[]"},
                                                            {"evidences[].process.pid"},
                                                            {"evidences[].process.name"},
                                                            {"evidences[].process.path"},
                                                            {"evidences[].process.created_time"},
                                                            {"evidences[].process.terminated_time"},
                                                            {"evidences[].process.parent_process.pid"}}));

// The texts and, as they stand, the objects and lists of a finding.
struct Finding {
  Text schema, id, product_arn, product_name, company, generator, account, account_name, region, created, updated, title, description, url;
  Text severity, normalized, workflow, record_state, comment, advice, advice_url;
  lm::Maybe<std::int64_t> confidence, first_seen, last_seen, processed;
  Text compliance, vulnerabilities, resources, related, malware, network, action, process, remediation, findings;
};

struct Vulnerability {
  Text id, fix, exploit, vendor, vendor_url, vendor_severity;
  Text epss, cvss, packages, references, related;
  lm::Maybe<std::int64_t> created, modified, exploited;
};

// "CVE-2026-12345" in a text; "" if there is none.
constexpr std::string_view find_cve(std::string_view text) {
  const auto digits = [&](std::size_t at) {
    std::size_t n = 0;
    while (at + n < text.size() && text[at + n] >= '0' && text[at + n] <= '9') ++n;
    return n;
  };
  for (std::size_t at = text.find("CVE-"); at != std::string_view::npos; at = text.find("CVE-", at + 1)) {
    if (digits(at + 4) != 4 || at + 8 >= text.size() || text[at + 8] != '-') continue;
    if (const std::size_t n = digits(at + 9); n >= 4) return text.substr(at, 9 + n);
  }
  return {};
}

}  // namespace securityhub

using namespace securityhub;

struct SecurityHub {
  static constexpr lm::Descriptor descriptor{.id = "aws.securityhub",
                                             .title = "AWS Security Hub findings (ASFF)",
                                             .vendor = "AWS",
                                             .version = "1.0.0",
                                             .reads = "ASFF findings: {\"Findings\":[...]}, {\"findings\":[...]}, arrays, one a line",
                                             .framing = lm::Framing::json,
                                             .envelope = "Findings"};

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "Findings");
    if (outline.record("class_uid")) return 0;
    // Names that every finding has, in the order of the alphabet and in that of the documentation: one too long for the sample has the first of them.
    const bool all = outline.record("SchemaVersion") && outline.record("ProductArn") && outline.record("AwsAccountId");
    const Text arn = outline.record_text("ProductArn");
    const bool named = arn && lm::aws::arn_part(*arn, 2) == "securityhub" && outline.record("GeneratorId");
    return !all && !named ? 0 : outline.clean() ? 95 : 85;
  }

  void parse(lm::Record record, lm::Rows<kComplianceTable>& compliance, lm::Rows<kVulnerabilityTable>& vulnerability,
             lm::Rows<kDetectionTable>& detection) {
    if (record.starts_block()) place_ = lm::aws::Place::of(record);
    around_.clear();
    const std::string_view list = finding(record, record.text(), compliance, vulnerability, detection);
    if (list.empty()) return;
    // What an event tells of its findings beside them, such as the action that a person chose, is said of each.
    around_.assign(rest_.finish());
    event_.read_array(list, [&](Value& item) {
      if (!finding(record, item.raw(), compliance, vulnerability, detection).empty())
        record.reject(lm::malformed, "findings within findings");
    });
  }

 private:
  // The record is a finding, or an event of one or several: then it answers their list.
  std::string_view finding(lm::Record record, std::string_view text, lm::Rows<kComplianceTable>& compliance,
                           lm::Rows<kVulnerabilityTable>& vulnerability, lm::Rows<kDetectionTable>& detection) {
    Finding f;
    rest_.clear(), types_.clear();
    if (!around_.empty()) rest_.add("detail", around_);
    if (!read(record, text, f)) return record.reject(json_), "";
    if (!f.id && f.findings) return *f.findings;
    finding_row(record, f, compliance, vulnerability, detection);
    return "";
  }

  void finding_row(lm::Record record, Finding& f, lm::Rows<kComplianceTable>& compliance, lm::Rows<kVulnerabilityTable>& vulnerability,
                   lm::Rows<kDetectionTable>& detection) {
    if (!f.id || !f.product_arn) return record.reject(lm::foreign, "no Id and ProductArn: not a finding in ASFF");
    const auto modified = time_of("UpdatedAt", f.updated, false), created = time_of("CreatedAt", f.created, true);
    const auto time = modified ? modified : created ? created : f.last_seen;
    if (!time) return record.reject(lm::malformed, "'UpdatedAt' is not a time");

    const auto common = [&](auto& row) {
      row.template set<"time">(*time);
      row.template set<"finding_info.modified_time">(modified);
      row.template set<"finding_info.created_time">(created);
      what(row, f);
      where(row, f);
      if (f.resources) resources(row, f);
      if (f.related) related(row, f);
    };
    const auto finish = [&](auto& row) {
      if (const auto rest = rest_.finish(); !rest.empty()) row.template set<"unmapped">(rest);
    };
    if (f.compliance) {
      auto row = compliance.begin(record);
      common(row);
      compliance_of(row, f);
      remediation(row, f);
      keep_raw("Vulnerabilities", f.vulnerabilities), keep_happened(f);
      return finish(row);
    }
    const std::string_view cve = named_vulnerability(f);
    if (!cve.empty() || has_vulnerability(f)) {
      auto row = vulnerability.begin(record);
      common(row);
      vulnerabilities(row, f, cve);
      keep_happened(f);
      return finish(row);
    }
    auto row = detection.begin(record);
    common(row);
    remediation(row, f);
    keep_raw("Vulnerabilities", f.vulnerabilities);
    happened(row, f);
    finish(row);
  }

  // ---- Reading ----

  bool read(lm::Record record, std::string_view text, Finding& f) {
    static constexpr auto kKeys = lm::keys(
        "SchemaVersion", "Id", "ProductArn", "ProductName", "CompanyName", "Region", "GeneratorId", "AwsAccountId", "AwsAccountName",
        "Types", "FirstObservedAt", "LastObservedAt", "CreatedAt", "UpdatedAt", "ProcessedAt", "Severity", "Confidence", "Criticality",
        "Title", "Description", "Remediation", "SourceUrl", "ProductFields", "UserDefinedFields", "Malware", "Network", "NetworkPath",
        "Process", "Threats", "ThreatIntelIndicators", "Resources", "Compliance", "VerificationState", "WorkflowState", "Workflow",
        "RecordState", "RelatedFindings", "Note", "Vulnerabilities", "PatchSummary", "Action", "FindingProviderFields", "Sample",
        "GeneratorDetails", "Detection", "findings", "Findings", "actionName", "actionDescription");
    return json_.read(text, [&](std::string_view key, Value& value) {
      const Field r{rest_, key, value};
      switch (kKeys.find(key)) {
        case kKeys.at("SchemaVersion"): r.text(f.schema); break;
        case kKeys.at("Id"): r.text(f.id); break;
        case kKeys.at("ProductArn"): r.text(f.product_arn); break;
        case kKeys.at("ProductName"): r.text(f.product_name); break;
        case kKeys.at("CompanyName"): r.text(f.company); break;
        case kKeys.at("Region"): r.text(f.region); break;
        case kKeys.at("GeneratorId"): r.text(f.generator); break;
        case kKeys.at("AwsAccountId"): r.text(f.account); break;
        case kKeys.at("AwsAccountName"): r.text(f.account_name); break;
        case kKeys.at("Types"): texts(r, types_); break;
        case kKeys.at("FirstObservedAt"): r.time(f.first_seen); break;
        case kKeys.at("LastObservedAt"): r.time(f.last_seen); break;
        case kKeys.at("CreatedAt"): r.text(f.created); break;
        case kKeys.at("UpdatedAt"): r.text(f.updated); break;
        case kKeys.at("ProcessedAt"): r.time(f.processed); break;
        case kKeys.at("Severity"): severity(f, r); break;
        case kKeys.at("Confidence"): r.integer(f.confidence, 0, INT32_MAX); break;
        case kKeys.at("Title"): r.text(f.title); break;
        case kKeys.at("Description"): r.text(f.description); break;
        case kKeys.at("Remediation"): r.json(f.remediation, Type::object); break;
        case kKeys.at("SourceUrl"): r.text(f.url); break;
        case kKeys.at("Malware"): r.json(f.malware, Type::array); break;
        case kKeys.at("Network"): r.json(f.network, Type::object); break;
        case kKeys.at("Process"): r.json(f.process, Type::object); break;
        case kKeys.at("Resources"): r.json(f.resources, Type::array); break;
        case kKeys.at("Compliance"): r.json(f.compliance, Type::object); break;
        case kKeys.at("Workflow"): member(r, "Status", f.workflow); break;
        case kKeys.at("RecordState"): r.text(f.record_state); break;
        case kKeys.at("RelatedFindings"): r.json(f.related, Type::array); break;
        case kKeys.at("Note"): member(r, "Text", f.comment); break;
        case kKeys.at("Vulnerabilities"): r.json(f.vulnerabilities, Type::array); break;
        case kKeys.at("Action"): r.json(f.action, Type::object); break;
        case kKeys.at("Criticality"):
        case kKeys.at("ProductFields"):
        case kKeys.at("UserDefinedFields"):
        case kKeys.at("NetworkPath"):
        case kKeys.at("Threats"):
        case kKeys.at("ThreatIntelIndicators"):
        case kKeys.at("VerificationState"):
        case kKeys.at("WorkflowState"):
        case kKeys.at("PatchSummary"):
        case kKeys.at("FindingProviderFields"):
        case kKeys.at("GeneratorDetails"):
        case kKeys.at("Detection"):
        case kKeys.at("actionName"):
        case kKeys.at("actionDescription"):
        case kKeys.at("Sample"): r.keep(); break;
        case kKeys.at("findings"):
        case kKeys.at("Findings"): r.json(f.findings, Type::array); break;
        default: record.drift(key); r.keep();
      }
    });
  }

  // One member of an object has a place, the others stay.
  static void member(const Field& whole, std::string_view name, Text& out) {
    whole.object([&](const Field& r) {
      if (r.key == name) return r.text(out);
      r.keep();
    });
  }

  // A list of texts; with anything else in it, it is kept whole.
  static void texts(const Field& r, std::vector<std::string_view>& out) {
    bool unknown = r.value.type() != Type::array;
    r.value.array([&](Value& item) {
      const auto text = item.text();
      if (text && !text->empty()) {
        out.push_back(*text);
      } else if (!text && !item.is_null()) {
        unknown = true;
      }
    });
    if (unknown) r.keep();
  }

  void severity(Finding& f, const Field& whole) {
    whole.object([&](const Field& r) {
      if (r.key == "Label") return r.text(f.severity);
      if (r.key == "Normalized" && r.value.type() == Type::number) f.normalized = r.value.raw();
      r.keep();
    });
  }

  lm::Maybe<std::int64_t> time_of(std::string_view key, Text text, bool keep) {
    const auto t = lm::time::of_event(text, true);
    if (text && !t && keep) rest_.add_text(key, *text);
    return t;
  }

  void keep_raw(std::string_view key, Text raw) {
    if (raw) rest_.add(key, *raw);
  }

  // ---- What every class has ----

  template <class Row>
  void what(Row& row, const Finding& f) {
    const bool archived = f.record_state == "ARCHIVED";
    row.template set<"activity_id">(archived || f.workflow == "RESOLVED"  ? 3
                                    : f.updated && f.updated == f.created ? 1
                                                                          : 2);  // Close, Create, Update
    status(row, f, archived);
    severity_of(row, f);
    row.template set<"confidence_score">(f.confidence);
    row.template set<"comment">(f.comment);
    row.template set<"metadata.original_time">(f.updated ? f.updated : f.created);
    row.template set<"metadata.log_version">(f.schema);
    row.template set<"metadata.processed_time">(f.processed);
    row.template set<"metadata.product.feature.name">(f.product_name);
    row.template set<"finding_info.uid">(f.id);
    row.template set<"finding_info.title">(f.title);
    row.template set<"finding_info.desc">(f.description);
    for (const std::string_view type : types_) row.template push<"finding_info.types">(type);
    row.template set<"finding_info.first_seen_time">(f.first_seen);
    row.template set<"finding_info.last_seen_time">(f.last_seen);
    row.template set<"finding_info.src_url">(f.url);
    if (f.generator) {
      row.template set<"finding_info.analytic.uid">(f.generator);
      row.template set<"finding_info.analytic.type_id">(1);  // Rule
    }
    row.template set<"finding_info.product.uid">(f.product_arn);
    row.template set<"finding_info.product.name">(f.product_name);
    row.template set<"finding_info.product.vendor_name">(f.company);
  }

  template <class Row>
  void status(Row& row, const Finding& f, bool archived) {
    static constexpr auto kStates = lm::keys("NEW", "NOTIFIED", "SUPPRESSED", "RESOLVED");
    if (!archived && f.record_state) rest_.add_text("RecordState", *f.record_state);
    if (archived) {
      row.template set<"status_id">(5);
      if (f.workflow) rest_.add_text("Workflow.Status", *f.workflow);
    } else if (f.workflow) {
      const int state = kStates.find(*f.workflow);
      row.template set<"status_id">(state < 0 ? 99 : state + 1);
      if (state < 0) row.template set<"status">(f.workflow);
    }
  }

  template <class Row>
  void severity_of(Row& row, const Finding& f) {
    static constexpr auto kLabels = lm::keys("INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL");
    if (f.severity) {
      const int label = kLabels.find(*f.severity);
      row.template set<"severity_id">(label < 0 ? 99 : label + 1);
      if (label < 0) row.template set<"severity">(f.severity);
      return;
    }
    const auto n = f.normalized ? lm::number(*f.normalized) : std::nullopt;
    row.template set<"severity_id">(!n || *n < 0 || *n > 100 ? 0 : *n < 1 ? 1 : *n < 40 ? 2 : *n < 70 ? 3 : *n < 90 ? 4 : 5);
  }

  template <class Row>
  void where(Row& row, const Finding& f) const {
    place_.set(row, f.account, f.region ? f.region : lm::present(lm::aws::arn_part(*f.product_arn, 3)));
    row.template set<"cloud.account.name">(f.account_name);
    if (const std::string_view partition = lm::aws::arn_part(*f.product_arn, 1); !partition.empty())
      row.template set<"cloud.cloud_partition">(partition);
  }

  template <class Row>
  void resources(Row& row, const Finding& f) {
    static constexpr auto kKeys =
        lm::keys("Id", "Type", "Region", "Partition", "Tags", "Details", "ResourceRole", "ApplicationName", "ApplicationArn");
    bool unknown = false;
    inner_.read_array(*f.resources, [&](Value& value) {
      Text id, type, region, partition, application, application_arn, role, details, tags_of;
      scratch_.clear();
      if (value.type() != Type::object) unknown = true;
      value.object([&](std::string_view key, Value& v) {
        const Field r{scratch_, key, v};
        switch (kKeys.find(key)) {
          case kKeys.at("Id"): r.text(id); break;
          case kKeys.at("Type"): r.text(type); break;
          case kKeys.at("Region"): r.text(region); break;
          case kKeys.at("Partition"): r.text(partition); break;
          case kKeys.at("ApplicationName"): r.text(application); break;
          case kKeys.at("ApplicationArn"): r.text(application_arn); break;
          case kKeys.at("ResourceRole"): r.text(role); break;
          case kKeys.at("Details"): r.json(details, Type::object); break;
          case kKeys.at("Tags"): r.json(tags_of, Type::object); break;
          default: r.keep();
        }
      });
      unknown |= !scratch_.empty();
      if (!id && !type && !region && !partition && !application && !application_arn && !role && !details && !tags_of) return;
      auto item = row.template push<"resources">();
      item.template set<"uid">(id);
      item.template set<"type">(type);
      item.template set<"region">(region);
      item.template set<"cloud_partition">(partition);
      item.template set<"group.name">(application);
      item.template set<"group.uid">(application_arn);
      if (role) {
        const int role_id = lm::equals_ignoring_case(*role, "target") ? 1 : lm::equals_ignoring_case(*role, "actor") ? 2 : 99;
        item.template set<"role_id">(role_id);
        if (role_id == 99) item.template set<"role">(role);
      }
      item.template set<"data">(details);
      if (tags_of) unknown |= !tags(item, *tags_of);
    });
    if (unknown) rest_.add("Resources", *f.resources);  // what the list has beyond OCSF's attributes is kept with it, whole
  }

  // {"name": "value"}. False: something else is among them.
  template <class Item>
  bool tags(Item& item, std::string_view raw) {
    bool whole = true;
    list_.read(raw, [&](std::string_view name, Value& value) {
      const auto text = value.text();
      if (name.empty() || (!text && !value.is_null())) {
        whole = false;
        return;
      }
      put_tag(item, name, text);
    });
    return whole;
  }

  template <class Row>
  void related(Row& row, const Finding& f) {
    bool unknown = false;
    inner_.read_array(*f.related, [&](Value& value) {
      Text id, product;
      if (value.type() != Type::object) unknown = true;
      value.object([&](std::string_view key, Value& v) {
        const auto text = v.text();
        if (key == "Id") id = text;
        if (key == "ProductArn") product = text;
        unknown |= !text || (key != "Id" && key != "ProductArn");
      });
      if (!id || id->empty()) {
        unknown = true;
        return;
      }
      auto event = row.template push<"finding_info.related_events">();
      event.template set<"uid">(id);
      if (product && !product->empty()) event.template set<"product.uid">(product);
    });
    if (unknown) rest_.add("RelatedFindings", *f.related);
  }

  // {"Recommendation": {"Text": ..., "Url": ...}}: OCSF wants the text.
  bool read_remediation(Finding& f) {
    if (!f.remediation) return false;
    rest_.enter("Remediation");
    inner_.read(*f.remediation, [&](std::string_view key, Value& value) {
      const Field r{rest_, key, value};
      if (key != "Recommendation") return r.keep();
      r.object([&](const Field& i) {
        if (i.key == "Text") return i.text(f.advice);
        if (i.key == "Url") return i.text(f.advice_url);
        i.keep();
      });
    });
    if (!f.advice && f.advice_url) rest_.add_text("Recommendation.Url", *f.advice_url);
    rest_.leave();
    return f.advice.has_value();
  }

  template <class Row>
  void remediation(Row& row, Finding& f) {
    if (!read_remediation(f)) return;
    row.template set<"remediation.desc">(f.advice);
    if (f.advice_url) row.template push<"remediation.references">(*f.advice_url);
  }

  // ---- Compliance ----

  void compliance_of(lm::Row<kComplianceTable>& row, const Finding& f) {
    static constexpr auto kKeys =
        lm::keys("Status", "SecurityControlId", "AssociatedStandards", "RelatedRequirements", "StatusReasons", "SecurityControlParameters");
    Text status;
    rest_.enter("Compliance");
    inner_.read(*f.compliance, [&](std::string_view key, Value& value) {
      const Field r{rest_, key, value};
      Text text;
      switch (kKeys.find(key)) {
        case kKeys.at("Status"): r.text(status); break;
        case kKeys.at("SecurityControlId"):
          r.text(text);
          row.set<"compliance.control">(text);
          break;
        case kKeys.at("AssociatedStandards"):
          named(r, "StandardsId", [&](std::string_view name) { row.push<"compliance.standards">(name); });
          break;
        case kKeys.at("RelatedRequirements"):
          list_texts_.clear();
          texts(r, list_texts_);
          for (const std::string_view requirement : list_texts_) row.push<"compliance.requirements">(requirement);
          break;
        case kKeys.at("StatusReasons"):
          named(r, "ReasonCode", [&](std::string_view reason) { row.push<"compliance.status_details">(reason); });
          break;
        case kKeys.at("SecurityControlParameters"): parameters(row, r); break;
        default: r.keep();
      }
    });
    rest_.leave();
    const std::string_view said = status.value_or("");
    const int id = said == "PASSED" ? 1 : said == "WARNING" ? 2 : said == "FAILED" ? 3 : said.empty() || said == "NOT_AVAILABLE" ? 0 : 99;
    row.set<"compliance.status_id">(id);
    if (id == 0 || id == 99) row.set<"compliance.status">(status);  // which OCSF has no name for
  }

  // A list of objects of which one member has a place.
  template <class Take>
  static void named(const Field& r, std::string_view name, Take&& take) {
    bool unknown = r.value.type() != Type::array;
    r.value.array([&](Value& item) {
      if (item.type() != Type::object) unknown = true;
      item.object([&](std::string_view key, Value& value) {
        if (key != name) {
          unknown |= !lm::json::says_nothing(value.raw());
          return;
        }
        const auto text = value.text();
        if (text && !text->empty()) {
          take(*text);
        } else {
          unknown |= !text && !value.is_null();
        }
      });
    });
    if (unknown) r.keep();
  }

  // [{"Name": "days", "Value": ["90"]}]
  void parameters(lm::Row<kComplianceTable>& row, const Field& r) {
    bool unknown = r.value.type() != Type::array;
    r.value.array([&](Value& item) {
      Text name;
      list_texts_.clear();
      scratch_.clear();
      if (item.type() != Type::object) unknown = true;
      item.object([&](std::string_view key, Value& value) {
        const Field i{scratch_, key, value};
        if (key == "Name") return i.text(name);
        if (key == "Value") return texts(i, list_texts_);
        i.keep();
      });
      unknown |= !scratch_.empty() || !name;
      if (!name) return;
      auto parameter = row.push<"compliance.control_parameters">();
      parameter.set<"name">(name);
      parameter.empty<"values">();
      for (const std::string_view value : list_texts_) parameter.push<"values">(value);
    });
    if (unknown) r.keep();
  }

  // ---- Vulnerabilities ----

  // A finding whose type says that it is about a vulnerability, but which has none: the CVE that its title or id names, for OCSF wants one.
  std::string_view named_vulnerability(const Finding& f) const {
    constexpr std::string_view kType = "Software and Configuration Checks/Vulnerabilities";
    if (std::none_of(types_.begin(), types_.end(), [&](std::string_view type) { return type.starts_with(kType); })) return {};
    for (const Text& text : {f.title, f.id, f.generator}) {
      if (const std::string_view cve = find_cve(text.value_or("")); !cve.empty()) return cve;
    }
    return {};
  }

  // Whether one of the vulnerabilities has an id.
  bool has_vulnerability(const Finding& f) {
    bool has = false;
    if (!f.vulnerabilities) return false;
    inner_.read_array(*f.vulnerabilities, [&](Value& item) {
      item.object([&](std::string_view key, Value& value) {
        if (key != "Id") return;
        const auto text = value.text();
        has |= text && lm::present(*text);
      });
    });
    return has;
  }

  void vulnerabilities(lm::Row<kVulnerabilityTable>& row, Finding& f, std::string_view cve) {
    read_remediation(f);
    bool unknown = false, any = false;
    if (f.vulnerabilities) {
      // The advice is a view of the reader that is used next.
      advice_.assign(f.advice.value_or("")), advice_url_.assign(f.advice_url.value_or(""));
      if (f.advice) f.advice = std::string_view(advice_);
      if (f.advice_url) f.advice_url = std::string_view(advice_url_);
      inner_.read_array(*f.vulnerabilities, [&](Value& item) {
        Vulnerability v;
        scratch_.clear();
        if (item.type() != Type::object) unknown = true;
        item.object([&](std::string_view key, Value& value) { read_vulnerability(v, {scratch_, key, value}); });
        unknown |= !scratch_.empty() || !v.id;
        if (!v.id) return;
        any = true;
        unknown |= !vulnerability(row, f, v);
      });
    }
    if (!any) {
      auto item = row.push<"vulnerabilities">();
      item.set<"cve.uid">(cve);
      advise(item, f);
    }
    if (unknown) rest_.add("Vulnerabilities", *f.vulnerabilities);
  }

  static void read_vulnerability(Vulnerability& v, const Field& r) {
    static constexpr auto kKeys = lm::keys("Id", "Cvss", "EpssScore", "VulnerablePackages", "FixAvailable", "ExploitAvailable",
                                           "ReferenceUrls", "RelatedVulnerabilities", "Vendor", "LastKnownExploitAt");
    switch (kKeys.find(r.key)) {
      case kKeys.at("Id"): r.text(v.id); break;
      case kKeys.at("Cvss"): r.json(v.cvss, Type::array); break;
      case kKeys.at("EpssScore"): r.json(v.epss, Type::number); break;
      case kKeys.at("VulnerablePackages"): r.json(v.packages, Type::array); break;
      case kKeys.at("FixAvailable"): r.text(v.fix); break;
      case kKeys.at("ExploitAvailable"): r.text(v.exploit); break;
      case kKeys.at("ReferenceUrls"): r.json(v.references, Type::array); break;
      case kKeys.at("RelatedVulnerabilities"): r.json(v.related, Type::array); break;
      case kKeys.at("LastKnownExploitAt"): r.time(v.exploited); break;
      case kKeys.at("Vendor"):
        r.object([&](const Field& i) {
          if (i.key == "Name") return i.text(v.vendor);
          if (i.key == "Url") return i.text(v.vendor_url);
          if (i.key == "VendorSeverity") return i.text(v.vendor_severity);
          if (i.key == "VendorCreatedAt") return i.time(v.created);
          if (i.key == "VendorUpdatedAt") return i.time(v.modified);
          i.keep();
        });
        break;
      default: r.keep();
    }
  }

  template <class Item>
  static void advise(Item& item, const Finding& f) {
    if (!f.advice) return;
    item.template set<"remediation.desc">(f.advice);
    if (f.advice_url) item.template push<"remediation.references">(*f.advice_url);
  }

  // False: there is more to it than OCSF has attributes for.
  bool vulnerability(lm::Row<kVulnerabilityTable>& row, const Finding& f, const Vulnerability& v) {
    bool whole = true;
    auto item = row.push<"vulnerabilities">();
    item.set<"vendor_name">(v.vendor);
    item.set<"severity">(v.vendor_severity);
    item.set<"exploit_last_seen_time">(v.exploited);
    if (v.fix) {
      if (v.fix == "YES" || v.fix == "NO") {
        item.set<"is_fix_available">(v.fix == "YES");
      } else if (v.fix == "PARTIAL") {
        item.set<"is_fix_available">(true);
        item.set<"fix_coverage_id">(2);  // Partial
      } else {
        whole = false;
      }
    }
    if (v.exploit) {
      if (v.exploit == "YES" || v.exploit == "NO") {
        item.set<"is_exploit_available">(v.exploit == "YES");
      } else {
        whole = false;
      }
    }
    whole &= each_text(v.references, [&](std::string_view url) { item.push<"references">(url); });
    whole &= each_text(v.related, [&](std::string_view id) { item.push<"related_vulnerabilities">(id); });
    if (v.id->starts_with("CVE-")) {
      item.set<"cve.uid">(v.id);
      item.set<"cve.created_time">(v.created);
      item.set<"cve.modified_time">(v.modified);
      if (v.vendor_url) item.push<"cve.references">(*v.vendor_url);
      item.set<"cve.epss.score">(v.epss);
      whole &= !v.cvss || scores(item, *v.cvss);
    } else {  // an advisory has no scores in OCSF
      item.set<"advisory.uid">(v.id);
      item.set<"advisory.src_url">(v.vendor_url);
      item.set<"advisory.created_time">(v.created);
      item.set<"advisory.modified_time">(v.modified);
      whole &= !v.epss && !v.cvss;
    }
    whole &= !v.packages || packages(item, *v.packages);
    advise(item, f);
    return whole;
  }

  template <class Take>
  bool each_text(Text raw, Take&& take) {
    bool whole = true;
    if (!raw) return true;
    list_.read_array(*raw, [&](Value& value) {
      const auto text = value.text();
      if (text && !text->empty()) {
        take(*text);
      } else {
        whole &= text || value.is_null();
      }
    });
    return whole;
  }

  template <class Item>
  bool scores(Item& item, std::string_view raw) {
    static constexpr auto kKeys = lm::keys("BaseScore", "BaseVector", "Version", "Source");
    bool whole = true;
    list_.read_array(raw, [&](Value& value) {
      lm::Maybe<double> score;
      Text vector, version, source;
      scratch_.clear();
      value.object([&](std::string_view key, Value& v) {
        const Field r{scratch_, key, v};
        switch (kKeys.find(key)) {
          case kKeys.at("BaseScore"): r.number(score); break;
          case kKeys.at("BaseVector"): r.text(vector); break;
          case kKeys.at("Version"): r.text(version); break;
          case kKeys.at("Source"): r.text(source); break;
          default: r.keep();
        }
      });
      whole &= scratch_.empty() && score && version;
      if (!score || !version) return;
      auto cvss = item.template push<"cve.cvss">();
      cvss.template set<"base_score">(*score);
      cvss.template set<"version">(version);
      cvss.template set<"vector_string">(vector);
      cvss.template set<"vendor_name">(source);
    });
    return whole;
  }

  template <class Item>
  bool packages(Item& item, std::string_view raw) {
    static constexpr auto kKeys =
        lm::keys("Name", "Version", "Epoch", "Release", "Architecture", "PackageManager", "FixedInVersion", "FilePath", "Remediation");
    bool whole = true;
    list_.read_array(raw, [&](Value& value) {
      Text name, version, release, architecture, manager, fixed, path, remediation;
      lm::Maybe<std::int64_t> epoch;
      scratch_.clear();
      value.object([&](std::string_view key, Value& v) {
        const Field r{scratch_, key, v};
        switch (kKeys.find(key)) {
          case kKeys.at("Name"): r.text(name); break;
          case kKeys.at("Version"): r.text(version); break;
          case kKeys.at("Epoch"): r.integer(epoch, 0, INT32_MAX); break;
          case kKeys.at("Release"): r.text(release); break;
          case kKeys.at("Architecture"): r.text(architecture); break;
          case kKeys.at("PackageManager"): r.text(manager); break;
          case kKeys.at("FixedInVersion"): r.text(fixed); break;
          case kKeys.at("FilePath"): r.text(path); break;
          case kKeys.at("Remediation"): r.text(remediation); break;
          default: r.keep();
        }
      });
      whole &= scratch_.empty() && name && version;
      if (!name || !version) return;
      auto package = item.template push<"affected_packages">();
      package.template set<"name">(name);
      package.template set<"version">(version);
      package.template set<"epoch">(epoch);
      package.template set<"release">(release);
      package.template set<"architecture">(architecture);
      package.template set<"package_manager">(manager);
      package.template set<"fixed_in_version">(fixed);
      package.template set<"path">(path);
      package.template set<"remediation.desc">(remediation);
    });
    return whole;
  }

  // ---- Detections ----

  // What happened has a place among detections only.
  void keep_happened(const Finding& f) {
    keep_raw("Malware", f.malware), keep_raw("Network", f.network), keep_raw("Action", f.action), keep_raw("Process", f.process);
  }

  void happened(lm::Row<kDetectionTable>& row, const Finding& f) {
    if (f.malware) malware(row, f);
    if (f.network) network(row, f);
    action_.clear();
    if (f.action) {
      rest_.enter("Action");
      inner_.read(*f.action, [&](std::string_view key, Value& value) {
        const Field r{rest_, key, value};
        if (value.type() == Type::object) return read_action(r, action_, scratch_);
        r.keep();
      });
      rest_.leave();
    }
    lm::Maybe<std::int64_t> pid, parent, started, ended;
    Text name, path;
    if (f.process) {
      static constexpr auto kKeys = lm::keys("Name", "Path", "Pid", "ParentPid", "LaunchedAt", "TerminatedAt");
      scratch_.clear();
      list_.read(*f.process, [&](std::string_view key, Value& value) {
        const Field r{scratch_, key, value};
        switch (kKeys.find(key)) {
          case kKeys.at("Name"): r.text(name); break;
          case kKeys.at("Path"): r.text(path); break;
          case kKeys.at("Pid"): r.integer(pid, 0, INT32_MAX); break;
          case kKeys.at("ParentPid"): r.integer(parent, 0, INT32_MAX); break;
          case kKeys.at("LaunchedAt"): r.time(started); break;
          case kKeys.at("TerminatedAt"): r.time(ended); break;
          default: r.keep();
        }
      });
      if (!pid || !scratch_.empty()) rest_.add("Process", *f.process);  // a process is known by its number
    }
    const bool placed = put_evidences(row, action_, Local{}, pid.has_value(), [&](auto& item) {
      if (!pid) return;
      item.template set<"process.pid">(pid);
      item.template set<"process.name">(name);
      item.template set<"process.path">(path);
      item.template set<"process.created_time">(started);
      item.template set<"process.terminated_time">(ended);
      item.template set<"process.parent_process.pid">(parent);
    });
    if (!placed && action_.probes.empty())
      lm::json::add_number(rest_, "Action.NetworkConnectionAction.LocalPortDetails.Port", *action_.ends.local_port);
  }

  void malware(lm::Row<kDetectionTable>& row, const Finding& f) {
    struct Kind {
      std::string_view name;
      int id;
    };
    static constexpr Kind kKinds[] = {{"ADWARE", 1},      {"BOTNET_AGENT", 3}, {"EXPLOIT_KIT", 8}, {"KEYLOGGER", 9},
                                      {"RANSOMWARE", 10}, {"COIN_MINER", 13},  {"ROOTKIT", 15},    {"REMOTE_ACCESS", 11},
                                      {"SPYWARE", 17},    {"TROJAN", 18},      {"VIRUS", 19},      {"WORM", 22}};
    bool unknown = false;
    inner_.read_array(*f.malware, [&](Value& value) {
      Text name, path, type;
      scratch_.clear();
      if (value.type() != Type::object) unknown = true;
      value.object([&](std::string_view key, Value& v) {
        const Field r{scratch_, key, v};
        if (key == "Name") return r.text(name);
        if (key == "Path") return r.text(path);
        if (key == "Type") return r.text(type);
        r.keep();
      });
      unknown |= !scratch_.empty();
      if (!name && !path && !type) return;
      auto item = row.push<"malware">();
      item.set<"name">(name);
      if (path) {
        auto file = item.push<"files">();
        file.set<"name">(lm::after_last(*path, '/'));
        file.set<"path">(path);
        file.set<"type_id">(0);
      }
      int id = type ? 99 : 0;
      for (const Kind& kind : kKinds) id = type == kind.name ? kind.id : id;
      item.push<"classification_ids">(id);
      if (type) item.push<"classifications">(*type);
    });
    if (unknown) rest_.add("Malware", *f.malware);
  }

  void network(lm::Row<kDetectionTable>& row, const Finding& f) {
    static constexpr auto kKeys = lm::keys("Direction", "Protocol", "SourceIpV4", "SourceIpV6", "SourcePort", "SourceDomain", "SourceMac",
                                           "DestinationIpV4", "DestinationIpV6", "DestinationPort", "DestinationDomain");
    Text direction, protocol, src4, src6, src_domain, src_mac, dst4, dst6, dst_domain;
    lm::Maybe<std::int64_t> src_port, dst_port;
    scratch_.clear();
    list_.read(*f.network, [&](std::string_view key, Value& value) {
      const Field r{scratch_, key, value};
      switch (kKeys.find(key)) {
        case kKeys.at("Direction"): r.text(direction); break;
        case kKeys.at("Protocol"): r.text(protocol); break;
        case kKeys.at("SourceIpV4"): r.address(src4); break;
        case kKeys.at("SourceIpV6"): r.address(src6); break;
        case kKeys.at("SourcePort"): r.integer(src_port, 0, 65535); break;
        case kKeys.at("SourceDomain"): r.text(src_domain); break;
        case kKeys.at("SourceMac"): r.text(src_mac); break;
        case kKeys.at("DestinationIpV4"): r.address(dst4); break;
        case kKeys.at("DestinationIpV6"): r.address(dst6); break;
        case kKeys.at("DestinationPort"): r.integer(dst_port, 0, 65535); break;
        case kKeys.at("DestinationDomain"): r.text(dst_domain); break;
        default: r.keep();
      }
    });
    const Text src = src4 ? src4 : src6, dst = dst4 ? dst4 : dst6;
    const bool has_src = src || src_domain, has_dst = dst || dst_domain;
    // An end needs an address or a name in OCSF, and has one address.
    if (!scratch_.empty() || (src4 && src6) || (dst4 && dst6) || (!has_src && (src_port || src_mac)) || (!has_dst && dst_port))
      rest_.add("Network", *f.network);
    if (!has_src && !has_dst && !direction && !protocol) return;
    auto item = row.push<"evidences">();
    if (has_src) {
      item.set<"src_endpoint.ip">(src);
      item.set<"src_endpoint.hostname">(src_domain);
      item.set<"src_endpoint.port">(src_port);
      item.set<"src_endpoint.mac">(src_mac);
    }
    if (has_dst) {
      item.set<"dst_endpoint.ip">(dst);
      item.set<"dst_endpoint.hostname">(dst_domain);
      item.set<"dst_endpoint.port">(dst_port);
    }
    if (direction || protocol) {
      const int id = direction == "IN" ? 1 : direction == "OUT" ? 2 : direction ? 99 : 0;
      item.set<"connection_info.direction_id">(id);
      if (id == 99) item.set<"connection_info.direction">(direction);
      item.set<"connection_info.protocol_name">(protocol);
    }
  }

  lm::json::Reader json_, inner_, list_, event_;
  lm::json::ObjectWriter rest_, scratch_;
  Action action_;
  std::vector<std::string_view> types_, list_texts_;
  std::string advice_, advice_url_, around_;
  lm::aws::Place place_;
};

// An answer of the API, or an event, without findings: of whose they would have been it does not tell.
struct NoFindings {
  static constexpr lm::Descriptor descriptor{.id = "aws.no_findings",
                                             .title = "Answer without findings",
                                             .vendor = "AWS",
                                             .version = "1.0.0",
                                             .reads = "GuardDuty or Security Hub had no findings to tell",
                                             .framing = lm::Framing::json,
                                             .envelope = "Findings",
                                             .kind = lm::Kind::set_aside};
  static int score(lm::Sample s) {
    if (!s.whole || s.head.size() > 4096) return 0;
    const lm::json::Outline outline(s, "Findings");
    const std::string_view name = outline.document("findings") ? "findings" : "Findings";
    if (!outline.clean() || outline.record_members() != 0 || !outline.document(name)) return 0;
    lm::json::Reader reader;
    bool none = false, other = false;
    const bool read = reader.read(s.head, [&](std::string_view key, Value& value) {
      if (key == name) {
        none = lm::trim(value.raw()).find_first_not_of(" \t\r\n[]") == s.npos;
      } else {
        other |= !lm::equals_ignoring_case(key, "nexttoken");
      }
    });
    return read && none && !other ? 90 : 0;
  }
};

LOGMILL_PARSERS(SecurityHub, NoFindings)
