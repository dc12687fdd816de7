// AWS Security Hub: findings that are OCSF already, as the Security Hub of 2025 and later tells them ("Findings Imported V2", GetFindingsV2).
// Source: AWS, "AWS Security Hub User Guide": "OCSF findings in Security Hub"; OCSF 1.8.0.
//
// An attribute that OCSF 1.8.0 has for the class, and the table a column, goes there unchanged; everything else to `unmapped`. The tables are what matters here.
#include <logmill/sdk.hpp>
#include <logmill/sdk/aws.hpp>
#include <logmill/sdk/ocsf_json.hpp>

namespace ocsf = lm::ocsf::v1_8;

namespace securityhub_ocsf {

using lm::Text;
using lm::json::Type;
using lm::json::Value;

constexpr auto kEvery = lm::columns({{"activity_id"},
                                     {"activity_name"},
                                     {"time"},
                                     {"start_time"},
                                     {"end_time"},
                                     {"duration"},
                                     {"timezone_offset"},
                                     {"severity_id"},
                                     {"severity"},
                                     {"status_id"},
                                     {"status"},
                                     {"status_code"},
                                     {"status_detail"},
                                     {"confidence_id"},
                                     {"confidence"},
                                     {"confidence_score"},
                                     {"count"},
                                     {"comment"},
                                     {"message"},
                                     {"vendor_attributes.severity_id"},
                                     {"vendor_attributes.severity"},
                                     {"unmapped"},
                                     {"cloud.account.uid"},
                                     {"cloud.account.name"},
                                     {"cloud.account.type_id"},
                                     {"cloud.account.type"},
                                     {"cloud.cloud_partition"},
                                     {"cloud.org.uid"},
                                     {"cloud.org.name"},
                                     {"cloud.org.ou_uid"},
                                     {"cloud.org.ou_name"},
                                     {"cloud.provider"},
                                     {"cloud.region"},
                                     {"cloud.zone"},
                                     {"metadata.correlation_uid"},
                                     {"metadata.event_code"},
                                     {"metadata.labels[]"},
                                     {"metadata.log_provider"},
                                     {"metadata.log_version"},
                                     {"metadata.logged_time"},
                                     {"metadata.modified_time"},
                                     lm::plain("metadata.original_event_uid"),
                                     lm::plain("metadata.original_time"),
                                     {"metadata.processed_time"},
                                     {"metadata.tenant_uid"},
                                     {"metadata.product.feature.name"},
                                     {"metadata.product.feature.uid"},
                                     {"metadata.product.feature.version"},
                                     {"metadata.product.name"},
                                     {"metadata.product.uid"},
                                     {"metadata.product.vendor_name"},
                                     {"metadata.product.version"},
                                     {"finding_info.analytic.category"},
                                     {"finding_info.analytic.desc"},
                                     {"finding_info.analytic.name"},
                                     {"finding_info.analytic.type"},
                                     {"finding_info.analytic.type_id"},
                                     {"finding_info.analytic.uid"},
                                     {"finding_info.analytic.version"},
                                     {"finding_info.attacks[].sub_technique.name"},
                                     {"finding_info.attacks[].sub_technique.uid"},
                                     {"finding_info.attacks[].tactic.name"},
                                     {"finding_info.attacks[].tactic.uid"},
                                     {"finding_info.attacks[].technique.name"},
                                     {"finding_info.attacks[].technique.uid"},
                                     {"finding_info.attacks[].version"},
                                     {"finding_info.created_time"},
                                     {"finding_info.data_sources[]"},
                                     {"finding_info.desc"},
                                     {"finding_info.first_seen_time"},
                                     {"finding_info.last_seen_time"},
                                     {"finding_info.modified_time"},
                                     {"finding_info.product.name"},
                                     {"finding_info.product.uid"},
                                     {"finding_info.product.vendor_name"},
                                     lm::plain("finding_info.related_events[].uid"),
                                     {"finding_info.related_events[].title"},
                                     {"finding_info.related_events[].type"},
                                     {"finding_info.related_events[].created_time"},
                                     {"finding_info.related_events[].first_seen_time"},
                                     {"finding_info.related_events[].last_seen_time"},
                                     {"finding_info.related_events[].severity_id"},
                                     {"finding_info.related_events[].severity"},
                                     {"finding_info.related_events[].product.name"},
                                     {"finding_info.related_events[].product.uid"},
                                     {"finding_info.related_events[].product.vendor_name"},
                                     {"finding_info.related_events[].tags[].name"},
                                     {"finding_info.related_events[].tags[].value"},
                                     {"finding_info.related_events[].tags[].values[]"},
                                     {"finding_info.related_events_count"},
                                     lm::plain("finding_info.src_url"),
                                     {"finding_info.tags[].name"},
                                     {"finding_info.tags[].value"},
                                     {"finding_info.tags[].values[]"},
                                     {"finding_info.title"},
                                     {"finding_info.traits[].category"},
                                     {"finding_info.traits[].name"},
                                     {"finding_info.traits[].type"},
                                     {"finding_info.traits[].uid"},
                                     {"finding_info.traits[].values[]"},
                                     {"finding_info.types[]"},
                                     lm::plain("finding_info.uid"),
                                     lm::plain("finding_info.uid_alt"),
                                     {"resources[].cloud_partition"},
                                     {"resources[].created_time"},
                                     {"resources[].criticality"},
                                     {"resources[].data"},
                                     {"resources[].group.name"},
                                     {"resources[].group.uid"},
                                     {"resources[].hostname"},
                                     {"resources[].ip"},
                                     {"resources[].labels[]"},
                                     {"resources[].modified_time"},
                                     {"resources[].name"},
                                     {"resources[].namespace"},
                                     {"resources[].owner.account.name"},
                                     {"resources[].owner.account.type_id"},
                                     {"resources[].owner.account.type"},
                                     {"resources[].owner.account.uid"},
                                     {"resources[].owner.name"},
                                     {"resources[].owner.uid"},
                                     {"resources[].provider"},
                                     {"resources[].region"},
                                     {"resources[].role_id"},
                                     {"resources[].role"},
                                     {"resources[].tags[].name"},
                                     {"resources[].tags[].value"},
                                     {"resources[].tags[].values[]"},
                                     {"resources[].type"},
                                     {"resources[].uid"},
                                     {"resources[].uid_alt"},
                                     {"resources[].version"},
                                     {"resources[].zone"}});

constexpr auto kRemediation = lm::columns({{"remediation.desc"}, {"remediation.references[]"}});

constexpr auto kVulnerabilities = lm::columns({{"vulnerabilities[].advisory.created_time"},
                                               {"vulnerabilities[].advisory.desc"},
                                               {"vulnerabilities[].advisory.modified_time"},
                                               {"vulnerabilities[].advisory.references[]"},
                                               {"vulnerabilities[].advisory.src_url"},
                                               {"vulnerabilities[].advisory.title"},
                                               {"vulnerabilities[].advisory.uid"},
                                               {"vulnerabilities[].affected_code[].end_line"},
                                               {"vulnerabilities[].affected_code[].file.name"},
                                               {"vulnerabilities[].affected_code[].file.path"},
                                               {"vulnerabilities[].affected_code[].file.type"},
                                               {"vulnerabilities[].affected_code[].file.type_id"},
                                               {"vulnerabilities[].affected_code[].start_line"},
                                               {"vulnerabilities[].affected_packages[].architecture"},
                                               {"vulnerabilities[].affected_packages[].epoch"},
                                               {"vulnerabilities[].affected_packages[].fixed_in_version"},
                                               {"vulnerabilities[].affected_packages[].name"},
                                               {"vulnerabilities[].affected_packages[].package_manager"},
                                               {"vulnerabilities[].affected_packages[].path"},
                                               {"vulnerabilities[].affected_packages[].purl"},
                                               {"vulnerabilities[].affected_packages[].release"},
                                               {"vulnerabilities[].affected_packages[].remediation.desc"},
                                               {"vulnerabilities[].affected_packages[].vendor_name"},
                                               {"vulnerabilities[].affected_packages[].version"},
                                               {"vulnerabilities[].cve.created_time"},
                                               {"vulnerabilities[].cve.cvss[].base_score"},
                                               {"vulnerabilities[].cve.cvss[].overall_score"},
                                               {"vulnerabilities[].cve.cvss[].severity"},
                                               {"vulnerabilities[].cve.cvss[].src_url"},
                                               {"vulnerabilities[].cve.cvss[].vector_string"},
                                               {"vulnerabilities[].cve.cvss[].vendor_name"},
                                               {"vulnerabilities[].cve.cvss[].version"},
                                               {"vulnerabilities[].cve.desc"},
                                               {"vulnerabilities[].cve.epss.created_time"},
                                               {"vulnerabilities[].cve.epss.percentile"},
                                               {"vulnerabilities[].cve.epss.score"},
                                               {"vulnerabilities[].cve.epss.version"},
                                               {"vulnerabilities[].cve.modified_time"},
                                               {"vulnerabilities[].cve.references[]"},
                                               {"vulnerabilities[].cve.related_cwes[].caption"},
                                               {"vulnerabilities[].cve.related_cwes[].src_url"},
                                               {"vulnerabilities[].cve.related_cwes[].uid"},
                                               {"vulnerabilities[].cve.title"},
                                               {"vulnerabilities[].cve.type"},
                                               {"vulnerabilities[].cve.uid"},
                                               {"vulnerabilities[].cwe.caption"},
                                               {"vulnerabilities[].cwe.src_url"},
                                               {"vulnerabilities[].cwe.uid"},
                                               {"vulnerabilities[].desc"},
                                               {"vulnerabilities[].exploit_last_seen_time"},
                                               {"vulnerabilities[].first_seen_time"},
                                               {"vulnerabilities[].fix_coverage_id"},
                                               {"vulnerabilities[].fix_coverage"},
                                               {"vulnerabilities[].is_exploit_available"},
                                               {"vulnerabilities[].is_fix_available"},
                                               {"vulnerabilities[].last_seen_time"},
                                               {"vulnerabilities[].references[]"},
                                               {"vulnerabilities[].related_vulnerabilities[]"},
                                               {"vulnerabilities[].remediation.desc"},
                                               {"vulnerabilities[].remediation.references[]"},
                                               {"vulnerabilities[].severity"},
                                               {"vulnerabilities[].title"},
                                               {"vulnerabilities[].vendor_name"}});

constexpr auto kEvidences = lm::columns({{"evidences[].actor.app_name"},
                                         {"evidences[].actor.session.issuer"},
                                         {"evidences[].actor.session.uid"},
                                         {"evidences[].actor.user.account.name"},
                                         {"evidences[].actor.user.account.uid"},
                                         {"evidences[].actor.user.name"},
                                         {"evidences[].actor.user.type_id"},
                                         {"evidences[].actor.user.type"},
                                         {"evidences[].actor.user.uid"},
                                         {"evidences[].actor.user.uid_alt"},
                                         {"evidences[].api.operation"},
                                         {"evidences[].api.response.code"},
                                         {"evidences[].api.response.error"},
                                         {"evidences[].api.response.error_message"},
                                         {"evidences[].api.service.name"},
                                         {"evidences[].connection_info.direction_id"},
                                         {"evidences[].connection_info.direction"},
                                         {"evidences[].connection_info.protocol_name"},
                                         {"evidences[].connection_info.protocol_num"},
                                         {"evidences[].container.image.name"},
                                         {"evidences[].container.image.uid"},
                                         {"evidences[].container.name"},
                                         {"evidences[].container.runtime"},
                                         {"evidences[].container.uid"},
                                         {"evidences[].data"},
                                         {"evidences[].dst_endpoint.autonomous_system.name"},
                                         {"evidences[].dst_endpoint.autonomous_system.number"},
                                         {"evidences[].dst_endpoint.domain"},
                                         {"evidences[].dst_endpoint.hostname"},
                                         {"evidences[].dst_endpoint.instance_uid"},
                                         {"evidences[].dst_endpoint.interface_uid"},
                                         {"evidences[].dst_endpoint.ip"},
                                         {"evidences[].dst_endpoint.location.city"},
                                         {"evidences[].dst_endpoint.location.country"},
                                         {"evidences[].dst_endpoint.name"},
                                         {"evidences[].dst_endpoint.port"},
                                         {"evidences[].dst_endpoint.svc_name"},
                                         {"evidences[].dst_endpoint.uid"},
                                         {"evidences[].file.name"},
                                         {"evidences[].file.path"},
                                         {"evidences[].file.size"},
                                         {"evidences[].file.type_id"},
                                         {"evidences[].file.type"},
                                         {"evidences[].file.hashes[].algorithm_id"},
                                         {"evidences[].file.hashes[].algorithm"},
                                         {"evidences[].file.hashes[].value"},
                                         {"evidences[].http_request.url.path"},
                                         {"evidences[].http_request.url.url_string"},
                                         {"evidences[].http_request.user_agent"},
                                         {"evidences[].http_response.code"},
                                         {"evidences[].process.cmd_line"},
                                         {"evidences[].process.created_time"},
                                         {"evidences[].process.name"},
                                         {"evidences[].process.path"},
                                         {"evidences[].process.pid"},
                                         {"evidences[].process.uid"},
                                         {"evidences[].process.user.name"},
                                         {"evidences[].process.user.uid"},
                                         {"evidences[].query.hostname"},
                                         {"evidences[].resources[].name"},
                                         {"evidences[].resources[].type"},
                                         {"evidences[].resources[].uid"},
                                         {"evidences[].src_endpoint.autonomous_system.name"},
                                         {"evidences[].src_endpoint.autonomous_system.number"},
                                         {"evidences[].src_endpoint.domain"},
                                         {"evidences[].src_endpoint.hostname"},
                                         {"evidences[].src_endpoint.instance_uid"},
                                         {"evidences[].src_endpoint.interface_uid"},
                                         {"evidences[].src_endpoint.ip"},
                                         {"evidences[].src_endpoint.location.city"},
                                         {"evidences[].src_endpoint.location.country"},
                                         {"evidences[].src_endpoint.location.lat"},
                                         {"evidences[].src_endpoint.location.long"},
                                         {"evidences[].src_endpoint.name"},
                                         {"evidences[].src_endpoint.port"},
                                         {"evidences[].src_endpoint.svc_name"},
                                         {"evidences[].src_endpoint.uid"},
                                         {"evidences[].url.hostname"},
                                         {"evidences[].url.path"},
                                         {"evidences[].url.url_string"},
                                         {"evidences[].user.name"},
                                         {"evidences[].user.uid"}});

constexpr auto kImpact = lm::columns(
    {{"impact_id"}, {"impact"}, {"impact_score"}, {"is_alert"}, {"risk_details"}, {"risk_level_id"}, {"risk_level"}, {"risk_score"}});

constexpr auto kCompliance = lm::table(ocsf::compliance_finding, lm::profiles("cloud"),
                                       kEvery + kRemediation +
                                           lm::columns({{"compliance.category"},
                                                        {"compliance.control"},
                                                        {"compliance.control_parameters[].name"},
                                                        {"compliance.control_parameters[].value"},
                                                        {"compliance.control_parameters[].values[]"},
                                                        {"compliance.desc"},
                                                        {"compliance.requirements[]"},
                                                        {"compliance.standards[]"},
                                                        {"compliance.status_code"},
                                                        {"compliance.status_details[]"},
                                                        {"compliance.status_id"},
                                                        {"compliance.status"},
                                                        {"compliance.assessments[].category"},
                                                        {"compliance.assessments[].desc"},
                                                        {"compliance.assessments[].meets_criteria"},
                                                        {"compliance.assessments[].name"},
                                                        {"compliance.assessments[].uid"}}));

constexpr auto kVulnerability = lm::table(ocsf::vulnerability_finding, lm::profiles("cloud"), kEvery + kVulnerabilities);

constexpr auto kDetection = lm::table(ocsf::detection_finding, lm::profiles("cloud"),
                                      kEvery + kRemediation + kEvidences + kImpact +
                                          lm::columns({{"malware[].classification_ids[]"},
                                                       {"malware[].classifications[]"},
                                                       {"malware[].name"},
                                                       {"malware[].files[].name"},
                                                       {"malware[].files[].path"},
                                                       {"malware[].files[].type_id"},
                                                       {"malware[].files[].type"},
                                                       {"malware[].files[].hashes[].algorithm_id"},
                                                       {"malware[].files[].hashes[].algorithm"},
                                                       {"malware[].files[].hashes[].value"},
                                                       {"malware[].provider"},
                                                       {"malware[].uid"}}));

constexpr auto kDataSecurity = lm::table(ocsf::data_security_finding, lm::profiles("cloud", "data_classification"),
                                         kEvery + kImpact +
                                             lm::columns({{"actor.user.name"},
                                                          {"actor.user.uid"},
                                                          {"data_security.category_id"},
                                                          {"data_security.category"},
                                                          {"data_security.data_lifecycle_state_id"},
                                                          {"data_security.data_lifecycle_state"},
                                                          {"data_security.detection_pattern"},
                                                          {"data_security.detection_system_id"},
                                                          {"data_security.detection_system"},
                                                          {"databucket.created_time"},
                                                          {"databucket.is_encrypted"},
                                                          {"databucket.is_public"},
                                                          {"databucket.modified_time"},
                                                          {"databucket.name"},
                                                          {"databucket.owner.account.uid"},
                                                          {"databucket.owner.name"},
                                                          {"databucket.owner.uid"},
                                                          {"databucket.region"},
                                                          {"databucket.size"},
                                                          {"databucket.tags[].name"},
                                                          {"databucket.tags[].value"},
                                                          {"databucket.tags[].values[]"},
                                                          {"databucket.type_id"},
                                                          {"databucket.type"},
                                                          {"databucket.uid"},
                                                          {"databucket.file.modified_time"},
                                                          {"databucket.file.name"},
                                                          {"databucket.file.path"},
                                                          {"databucket.file.size"},
                                                          {"databucket.file.type_id"},
                                                          {"databucket.file.type"},
                                                          {"databucket.file.uid"},
                                                          {"databucket.file.version"},
                                                          {"databucket.file.data_classifications[].category_id"},
                                                          {"databucket.file.data_classifications[].category"},
                                                          {"databucket.file.data_classifications[].confidentiality_id"},
                                                          {"databucket.file.data_classifications[].confidentiality"},
                                                          {"databucket.file.data_classifications[].discovery_details[].count"},
                                                          {"databucket.file.data_classifications[].discovery_details[].type"},
                                                          {"databucket.file.data_classifications[].discovery_details[].value"},
                                                          {"databucket.file.data_classifications[].size"},
                                                          {"databucket.file.data_classifications[].src_url"},
                                                          {"databucket.file.data_classifications[].status_id"},
                                                          {"databucket.file.data_classifications[].status"},
                                                          {"databucket.file.data_classifications[].total"},
                                                          {"databucket.file.data_classifications[].uid"},
                                                          {"databucket.data_classifications[].category_id"},
                                                          {"databucket.data_classifications[].category"},
                                                          {"databucket.data_classifications[].confidentiality_id"},
                                                          {"databucket.data_classifications[].confidentiality"},
                                                          {"databucket.data_classifications[].discovery_details[].count"},
                                                          {"databucket.data_classifications[].discovery_details[].type"},
                                                          {"databucket.data_classifications[].discovery_details[].value"},
                                                          {"databucket.data_classifications[].status_id"},
                                                          {"databucket.data_classifications[].status"},
                                                          {"databucket.data_classifications[].total"}}));

// The host writes these two itself: the version is 1.8.0 now, and the event's id its own.
constexpr lm::ocsf_json::Renamed kRenamed[] = {{"metadata.version", "metadata.log_version"},
                                               {"metadata.uid", "metadata.original_event_uid"}};

// A text without escapes, of its raw JSON.
constexpr std::string_view plain_text(std::string_view raw) {
  return raw.size() > 2 && raw.front() == '"' && raw.find('\\') == std::string_view::npos ? raw.substr(1, raw.size() - 2)
                                                                                          : std::string_view();
}

}  // namespace securityhub_ocsf

using namespace securityhub_ocsf;

struct SecurityHubOcsf {
  static constexpr lm::Descriptor descriptor{
      .id = "aws.securityhub_ocsf",
      .title = "AWS Security Hub findings (OCSF)",
      .vendor = "AWS",
      .version = "1.0.0",
      .reads = "Findings that are OCSF already: {\"findings\":[...]}, {\"Findings\":[...]}, arrays, one a line",
      .framing = lm::Framing::json,
      .envelope = "findings"};

  // Whether the product is Security Hub, or one that tells its findings through it: those have an id under Security Hub's name.
  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "findings");
    if (!outline.record("class_uid") || !outline.record("finding_info")) return 0;
    const std::string_view metadata = outline.record_raw("metadata");
    const lm::json::Outline inner(metadata);
    if (!inner.record("version")) return 0;
    const lm::json::Outline product(inner.record_raw("product"));
    const Text name = product.record_text("name"), uid = product.record_text("uid");
    const bool is_hub = name && name->starts_with("Security Hub");
    const bool by_hub = uid && lm::aws::arn_part(*uid, 2) == "securityhub" && uid->find("::productv2/") != s.npos;
    return !is_hub && !by_hub ? 0 : outline.clean() ? 95 : 85;
  }

  void parse(lm::Record record, lm::Rows<kCompliance>& compliance, lm::Rows<kVulnerability>& vulnerability, lm::Rows<kDetection>& detection,
             lm::Rows<kDataSecurity>& data_security) {
    if (record.starts_block()) place_ = lm::aws::Place::of(record);
    const auto finding = [&](std::string_view text) {
      const auto read_as = [&](std::int64_t& uid) {
        switch (uid) {
          case 2002: return one(record, text, vulnerability, vulnerability_, uid);
          case 2003: return one(record, text, compliance, compliance_, uid);
          case 2006: return one(record, text, data_security, data_security_, uid);
          default: return one(record, text, detection, detection_, uid);
        }
      };
      std::int64_t uid = class_of(text);
      if (!known(uid)) uid = 2004;
      if (read_as(uid) || !list_.empty()) return;
      // The text that looked like the class was not the record's own member; now it is known.
      if (!known(uid)) return record.reject(lm::foreign, "the class is none that Security Hub has findings of: 2002, 2003, 2004, 2006");
      read_as(uid);
    };
    list_ = {};
    finding(record.text());
    if (list_.empty()) return;
    event_.read_array(list_, [&](Value& item) {
      list_ = {};
      finding(item.raw());
      if (!list_.empty()) record.reject(lm::malformed, "findings within findings");
    });
  }

 private:
  static constexpr bool known(std::int64_t uid) { return uid == 2002 || uid == 2003 || uid == 2004 || uid == 2006; }

  static std::int64_t class_of(std::string_view text) {
    static constexpr std::string_view kName = "class_uid\"";  // without the quote in front: every other name has one, too
    std::size_t at = text.find(kName);
    while (at != std::string_view::npos && (at == 0 || text[at - 1] != '"')) at = text.find(kName, at + 1);
    if (at == std::string_view::npos) return 0;
    text.remove_prefix(at + kName.size());
    const std::size_t digit = text.find_first_not_of(" \t\r\n:");
    if (digit == std::string_view::npos) return 0;
    text.remove_prefix(digit);
    return lm::integer(text.substr(0, text.find_first_of(" \t\r\n,}"))).value_or(0);
  }

  // False: the record is of another class, which `uid` is now, or an event of findings, which are `list_`.
  template <const auto& Table>
  bool one(lm::Record record, std::string_view text, lm::Rows<Table>& rows, lm::ocsf_json::Event& event, std::int64_t& uid) {
    lm::Maybe<std::int64_t> class_uid;
    std::string_view time_text, findings;
    const bool read = event.check(json_, text, [&](std::string_view key, Value& value) {
      if (key == "class_uid") class_uid = value.integer();
      if (lm::equals_but_first_case(key, "findings") && value.type() == Type::array) findings = value.raw();
      if (key == "time_dt") time_text = plain_text(value.raw());
    });
    if (!read) return record.reject(json_), true;
    if (class_uid != uid) {
      if (!class_uid) list_ = findings;
      uid = class_uid.value_or(0);
      return false;
    }
    rest_.clear();
    auto row = rows.begin(record);
    lm::Maybe<std::int64_t> type_uid;
    event.fill(rows, rest_, [&](std::string_view key, const lm::ocsf_json::Seen& value) { return derived(uid, type_uid, key, value); });
    if (!row.template is_set<"time">()) return record.reject(lm::malformed, "no 'time' and no 'time_dt'"), true;
    if (!row.template is_set<"finding_info.uid">()) return record.reject(lm::malformed, "no 'finding_info' with a 'uid'"), true;
    if constexpr (lm::Row<Table>::template has<"compliance.status_id">) {
      if (!row.template is_set<"compliance.status_id">()) row.template set<"compliance.status_id">(0);
    } else if constexpr (!lm::Row<Table>::template has<"is_alert">) {
      if (!event.has("vulnerabilities")) return record.reject(lm::malformed, "no vulnerability with an advisory, a CVE or a CWE"), true;
    }
    if (!row.template is_set<"activity_id">()) row.template set<"activity_id">(activity_of(type_uid));
    if (!row.template is_set<"severity_id">()) row.template set<"severity_id">(0);
    if (!row.template is_set<"cloud.provider">()) row.template set<"cloud.provider">("AWS");
    if (!row.template is_set<"cloud.account.uid">() && !place_.account.empty()) row.template set<"cloud.account.uid">(place_.account);
    if (!row.template is_set<"cloud.region">() && !place_.region.empty()) row.template set<"cloud.region">(place_.region);
    if (row.template is_set<"cloud.account.uid">() && !row.template is_set<"cloud.account.type_id">() &&
        !row.template is_set<"cloud.account.type">())
      row.template set<"cloud.account.type_id">(lm::aws::kAccountType);
    if (!row.template is_set<"metadata.product.name">() && !row.template is_set<"metadata.product.uid">())
      row.template set<"metadata.product.name">("Security Hub");
    if (!row.template is_set<"metadata.log_provider">()) row.template set<"metadata.log_provider">("Security Hub");
    if (!time_text.empty() && !row.template is_set<"metadata.original_time">()) row.template set<"metadata.original_time">(time_text);
    if (const auto rest = rest_.finish(); !rest.empty()) row.template set<"unmapped">(rest);
    return true;
  }

  static int activity_of(lm::Maybe<std::int64_t> type_uid) {
    const auto n = type_uid ? *type_uid % 100 : 0;
    return n >= 0 && n <= 3 ? static_cast<int>(n) : 99;
  }

  // What the host derives from the class and the activity: of the record's own, what differs is left.
  bool derived(std::int64_t uid, lm::Maybe<std::int64_t>& type_uid, std::string_view key, const lm::ocsf_json::Seen& value) {
    static constexpr auto kKeys = lm::keys("class_uid", "class_name", "category_uid", "category_name", "type_uid", "type_name");
    const int n = kKeys.find(key);
    if (n < 0) return false;
    const lm::ocsf::Class& of = *ocsf::catalogue.find_class(static_cast<std::uint32_t>(uid));
    const std::string_view raw = value.raw, text = plain_text(raw);
    const auto number = lm::integer(raw);
    bool same = n == kKeys.at("class_uid");
    if (n == kKeys.at("class_name")) same = text == of.caption;
    if (n == kKeys.at("category_uid")) same = number == std::int64_t{of.category_uid};
    if (n == kKeys.at("category_name")) same = text == of.category_name;
    if (n == kKeys.at("type_name")) same = text.starts_with(of.caption) && text.substr(of.caption.size()).starts_with(": ");
    if (n == kKeys.at("type_uid") && number && *number / 100 == uid) {
      type_uid = number;
      same = true;
    }
    if (!same && raw != "null") rest_.keep(value.member);
    return true;
  }

  lm::json::Reader json_, event_;
  std::string_view list_;
  lm::json::ObjectWriter rest_;
  lm::ocsf_json::Event compliance_ = lm::ocsf_json::Event::of<kCompliance>(kRenamed);
  lm::ocsf_json::Event vulnerability_ = lm::ocsf_json::Event::of<kVulnerability>(kRenamed);
  lm::ocsf_json::Event detection_ = lm::ocsf_json::Event::of<kDetection>(kRenamed);
  lm::ocsf_json::Event data_security_ = lm::ocsf_json::Event::of<kDataSecurity>(kRenamed);
  lm::aws::Place place_;
};

LOGMILL_PARSERS(SecurityHubOcsf)
