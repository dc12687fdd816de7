// Azure Firewall: rules that were met, NAT, threat intelligence, intrusion detection, queries to its DNS proxy, flows; structured logs and the older texts.
// Source: Microsoft, "Azure Firewall monitoring data reference"; "Azure structured firewall logs"; Azure Monitor tables AZFW*.
//
// A record is read into texts by field (Fields), from members or from the line that the older logs have (lines.hpp); what it is about decides the class. A field that a row did not
// take stays in `unmapped` under its own name.
#include "lines.hpp"

#include <logmill/sdk.hpp>
#include <logmill/sdk/azure.hpp>
#include <logmill/sdk/azure_log.hpp>

namespace ocsf = lm::ocsf::v1_8;
namespace azure = lm::azure;

namespace {

using namespace azure_firewall;
using lm::json::Field;

constexpr auto kCommon = azure::kEvery + lm::columns({lm::constant("metadata.product.name", "Azure Firewall"),
                                                      {"cloud.region"},
                                                      {"duration"},
                                                      {"message"},
                                                      {"status_detail"},
                                                      {"count"}});
constexpr auto kConnection = kCommon + lm::columns({{"activity_name"},
                                                    {"status_id"},
                                                    {"src_endpoint.ip"},
                                                    {"src_endpoint.port"},
                                                    {"connection_info.direction_id"},
                                                    {"connection_info.protocol_name"},
                                                    {"connection_info.protocol_num"},
                                                    {"network_observation_point.name"},
                                                    {"network_observation_point.uid"}});
constexpr auto kDecision = lm::columns({{"action_id"}, {"action"}, {"disposition_id"}, {"disposition"}});
constexpr auto kRule = kConnection + kDecision +
                       lm::columns({{"firewall_rule.name"},
                                    {"firewall_rule.category"},
                                    {"firewall_rule.type"},
                                    {"policy.name"},
                                    {"app_protocol_name"},
                                    {"dst_endpoint.ip"},
                                    {"dst_endpoint.port"},
                                    {"dst_endpoint.hostname"}});

constexpr auto kNetwork = lm::table(
    ocsf::network_activity, lm::profiles("cloud", "security_control"),
    kRule + lm::columns({{"dst_endpoint.proxy_endpoint.ip"}, {"dst_endpoint.proxy_endpoint.port"}, {"connection_info.tcp_flags"}}));
constexpr auto kHttp = lm::table(ocsf::http_activity, lm::profiles("cloud", "security_control"),
                                 kRule + lm::columns({lm::plain("http_request.url.url_string"),
                                                      {"http_request.url.scheme"},
                                                      {"http_request.url.hostname"},
                                                      {"http_request.url.port"},
                                                      lm::plain("http_request.url.path"),
                                                      lm::plain("http_request.url.query_string"),
                                                      {"http_request.url.categories[]"}}));
constexpr auto kDns = lm::table(ocsf::dns_activity, lm::profiles("cloud"),
                                kConnection + lm::columns({{"query.hostname"},
                                                           {"query.type"},
                                                           {"query.class"},
                                                           {"query.packet_uid"},
                                                           {"rcode_id"},
                                                           {"rcode"},
                                                           {"traffic.bytes_out"},
                                                           {"traffic.bytes_in"},
                                                           {"dst_endpoint.ip"},
                                                           {"dst_endpoint.port"}}));
constexpr auto kFinding = lm::table(ocsf::detection_finding, lm::profiles("cloud", "security_control"),
                                    kCommon + kDecision +
                                        lm::columns({lm::constant("is_alert", "true"),
                                                     lm::plain("finding_info.uid"),
                                                     {"finding_info.title"},
                                                     {"finding_info.types[]"},
                                                     {"finding_info.analytic.uid"},
                                                     {"finding_info.analytic.type_id"},
                                                     {"firewall_rule.name"},
                                                     {"firewall_rule.category"},
                                                     {"firewall_rule.type"},
                                                     {"policy.name"},
                                                     {"evidences[].src_endpoint.ip"},
                                                     {"evidences[].src_endpoint.port"},
                                                     {"evidences[].dst_endpoint.ip"},
                                                     {"evidences[].dst_endpoint.port"},
                                                     {"evidences[].dst_endpoint.hostname"},
                                                     {"evidences[].connection_info.direction_id"},
                                                     {"evidences[].connection_info.protocol_name"},
                                                     {"evidences[].connection_info.protocol_num"},
                                                     lm::plain("evidences[].url.url_string"),
                                                     {"resources[].uid"},
                                                     {"resources[].uid_alt"},
                                                     {"resources[].name"},
                                                     {"resources[].type"}}));

enum class Kind { none, network, application, nat, threat, intrusion, dns, fat_flow, flow_trace, unresolved };

// What Microsoft adds of those names later is a network's, until it is known better.
Kind kind_of(Text category) {
  static constexpr auto kCategories =
      azure::keys("AzureFirewallNetworkRule", "AzureFirewallApplicationRule", "AzureFirewallDnsProxy", "AZFWNetworkRule",
                  "AZFWNetworkRuleAggregation", "AZFWApplicationRule", "AZFWApplicationRuleAggregation", "AZFWNatRule",
                  "AZFWNatRuleAggregation", "AZFWThreatIntel", "AZFWIdpsSignature", "AZFWDnsQuery", "AZFWDnsAdditional", "AZFWFatFlow",
                  "AZFWFlowTrace", "AZFWFqdnResolveFailure", "AZFWInternalFqdnResolutionFailure");
  if (!category) return Kind::none;
  switch (kCategories.find(*category)) {
    case kCategories.at("AzureFirewallNetworkRule"):
    case kCategories.at("AZFWNetworkRule"):
    case kCategories.at("AZFWNetworkRuleAggregation"): return Kind::network;
    case kCategories.at("AzureFirewallApplicationRule"):
    case kCategories.at("AZFWApplicationRule"):
    case kCategories.at("AZFWApplicationRuleAggregation"): return Kind::application;
    case kCategories.at("AZFWNatRule"):
    case kCategories.at("AZFWNatRuleAggregation"): return Kind::nat;
    case kCategories.at("AZFWThreatIntel"): return Kind::threat;
    case kCategories.at("AZFWIdpsSignature"): return Kind::intrusion;
    case kCategories.at("AzureFirewallDnsProxy"):
    case kCategories.at("AZFWDnsQuery"):
    case kCategories.at("AZFWDnsAdditional"): return Kind::dns;
    case kCategories.at("AZFWFatFlow"): return Kind::fat_flow;
    case kCategories.at("AZFWFlowTrace"): return Kind::flow_trace;
    case kCategories.at("AZFWFqdnResolveFailure"):
    case kCategories.at("AZFWInternalFqdnResolutionFailure"): return Kind::unresolved;
    default:
      return lm::equals_ignoring_case(category->substr(0, 4), "AZFW") || lm::equals_ignoring_case(category->substr(0, 13), "AzureFirewall")
                 ? Kind::network
                 : Kind::none;
  }
}

bool is_own(Text category) { return kind_of(category) != Kind::none; }

}  // namespace

struct Firewall {
  static constexpr lm::Descriptor descriptor{.id = "azure.firewall",
                                             .title = "Azure Firewall logs",
                                             .vendor = "Microsoft",
                                             .version = "1.0.0",
                                             .reads =
                                                 "Rules, NAT, threats, intrusions, DNS and flows as resource logs (JSON lines, records), "
                                                 "structured or as texts, or rows of Log Analytics",
                                             .framing = lm::Framing::json,
                                             .envelope = "records"};
  static constexpr auto keys = lm::strings(
      "insights-logs-azurefirewallnetworkrule/**", "insights-logs-azurefirewallapplicationrule/**",
      "insights-logs-azurefirewalldnsproxy/**", "insights-logs-azfwnetworkrule/**", "insights-logs-azfwnetworkruleaggregation/**",
      "insights-logs-azfwapplicationrule/**", "insights-logs-azfwapplicationruleaggregation/**", "insights-logs-azfwnatrule/**",
      "insights-logs-azfwnatruleaggregation/**", "insights-logs-azfwthreatintel/**", "insights-logs-azfwidpssignature/**",
      "insights-logs-azfwdnsquery/**", "insights-logs-azfwdnsadditional/**", "insights-logs-azfwfatflow/**",
      "insights-logs-azfwflowtrace/**", "insights-logs-azfwfqdnresolvefailure/**", "am-azfwnetworkrule/**",
      "am-azfwnetworkruleaggregation/**", "am-azfwapplicationrule/**", "am-azfwapplicationruleaggregation/**", "am-azfwnatrule/**",
      "am-azfwnatruleaggregation/**", "am-azfwthreatintel/**", "am-azfwidpssignature/**", "am-azfwdnsquery/**", "am-azfwfatflow/**",
      "am-azfwflowtrace/**", "am-azfwinternalfqdnresolutionfailure/**");

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "records");
    for (const std::string_view name : {"Type", "category", "Category", "CATEGORY"}) {
      if (is_own(outline.record_text(name))) return outline.clean() ? 95 : 85;
    }
    return 0;
  }

  void parse(lm::Record record, lm::Rows<kNetwork>& network, lm::Rows<kHttp>& http, lm::Rows<kDns>& dns, lm::Rows<kFinding>& findings) {
    msg_ = {}, message_ = {};
    if (!log_.read(
            record.text(), [&](const Field& f) { member(f); }, is_own))
      return log_.reject(record);
    azure::Envelope& envelope = log_.envelope;
    Kind kind = envelope.is_row() ? kind_of(envelope.table) : Kind::none;
    const Text name = kind != Kind::none ? envelope.table : envelope.category;
    if (kind == Kind::none) {
      kind = kind_of(name);
    } else if (kind == Kind::intrusion && envelope.category && kind_of(envelope.category) == Kind::none) {
      log_.wait(category, *envelope.category, "Category");  // the table of intrusions has their category in a column of that name
      envelope.category = {};
    }
    if (kind == Kind::none) return record.reject(lm::foreign, "'category' is none of Azure Firewall's: AZFW*, AzureFirewall*");
    const auto time = azure::time(envelope.time);
    if (!time) return record.reject(lm::malformed, "'time' is not a time");
    log_.known(record);
    if (msg_) kind = line(kind);

    switch (kind) {
      case Kind::threat:
      case Kind::intrusion: {
        auto row = begin(findings, record, *time, name);
        finding(row, *time);
        break;
      }
      case Kind::dns:
      case Kind::unresolved: {
        auto row = begin(dns, record, *time, name);
        query(row, kind);
        break;
      }
      case Kind::application:
        if (is_http()) {
          auto row = begin(http, record, *time, name);
          request(row);
          break;
        }
        [[fallthrough]];
      default: {
        auto row = begin(network, record, *time, name);
        connection(row, kind);
      }
    }
  }

 private:
  // ---- Reading ----

  void member(const Field& f) {
    static constexpr auto kKeys = azure::keys(
        "Protocol", "SourceIp", "SourcePort", "DestinationIp", "DestinationPort", "TranslatedIp", "TranslatedPort", "Fqdn", "TargetUrl",
        "WebCategory", "Action", "ActionReason", "Policy", "RuleCollectionGroup", "RuleCollection", "Rule", "ThreatDescription",
        "SignatureId", "Category", "Description", "Severity", "Flag", "EventCount", "QueryId", "QueryName", "QueryType", "QueryClass",
        "RequestSize", "ResponseSize", "ResponseCode", "RequestDurationSecs", "ErrorNumber", "ErrorMessage", "ServerIp", "ServerPort",
        // As others, under another name.
        "Url", "Error", "msg", "ApplicationRuleCount", "NetworkRuleCount", "NatRuleCount",
        // Known, and without a place.
        "IsTlsInspected", "IsExplicitProxyRequest", "DnssecOkBit", "EDNS0BufferSize", "ResponseFlags", "FlowRate", "IsDefaultRule");
    static_assert(std::equal(kNames.begin(), kNames.begin() + server_port + 1, kKeys.names.begin()), "keys are in the order of the fields");
    const int key = kKeys.find(azure::member(f.key));
    if (key >= 0 && key <= server_port) return log_.wait(static_cast<At>(key), f);
    switch (key) {
      case kKeys.at("Url"): log_.wait(url, f); break;
      case kKeys.at("Error"): log_.wait(error_message, f); break;
      case kKeys.at("ApplicationRuleCount"):
      case kKeys.at("NetworkRuleCount"):
      case kKeys.at("NatRuleCount"): log_.wait(count, f); break;
      case kKeys.at("msg"): azure::text(f, msg_); break;
      case -1: log_.unknown(f); break;
      default: f.keep();
    }
  }

  // What the older logs' line is about. A line that cannot be read is the row's message, and its parts are not guessed.
  Kind line(Kind kind) {
    Fields read;
    if (!(kind == Kind::dns ? dns_line(read, *msg_) : rule_line(read, *msg_))) {
      message_ = msg_;
      return kind;
    }
    for (std::size_t i = 0; i < kFields; ++i) {
      const At at = static_cast<At>(i);
      if (read[at]) log_.wait(at, *read[at], kNames[at]);
    }
    if (kind == Kind::dns) return kind;
    return read[signature] || read[description] ? Kind::intrusion : read[threat] ? Kind::threat : read[translated] ? Kind::nat : kind;
  }

  // ---- The row ----

  template <const auto& Table>
  lm::Row<Table> begin(lm::Rows<Table>& rows, lm::Record record, std::int64_t time, Text name) {
    auto row = rows.begin(record);
    log_.begin(row, time, name);
    row.template set<"severity_id">(1);
    row.template set<"message">(message_);
    const At detail = log_[reason] ? reason : error_message;
    log_.set_detail(row, log_[detail]);
    log_.take(detail);
    log_.set_number<"count">(row, count);
    return row;
  }

  // The firewall saw it.
  template <class Row>
  void observer(Row& row) {
    const azure::ResourceId& firewall = log_.envelope.resource;
    if (firewall.empty()) return;
    row.template set<"network_observation_point.uid">(log_.resource());
    if (!firewall.name().empty()) row.template set<"network_observation_point.name">(firewall.name());
  }

  // A port makes no endpoint, nor does what is behind one. An address may have its port in it; a member of its own comes first.
  template <lm::detail::FixedString Ip, lm::detail::FixedString Port, class Row>
  bool endpoint(Row& row, At at, At port) {
    const azure::Address place = azure::address(log_[at].value_or(""));
    azure::AddressText lowered{};
    if (place.ip.empty() || !row.template set<Ip>(azure::lower_ip(place.ip, lowered))) return false;
    bool whole = place.whole;
    if (log_.set_number<Port>(row, port)) {
      whole = whole && (!place.port || place.port == log_.number(port));
    } else if (place.port) {
      whole = row.template set<Port>(*place.port) && whole;
    }
    log_.take(at, whole);
    return true;
  }
  template <class Row>
  void source_endpoint(Row& row) {
    endpoint<"src_endpoint.ip", "src_endpoint.port">(row, source, source_port);
  }
  template <class Row>
  bool destination_endpoint(Row& row) {
    bool there = endpoint<"dst_endpoint.ip", "dst_endpoint.port">(row, destination, destination_port);
    const bool has_port = there && (log_.number(destination_port) || azure::address(*log_[destination]).port);
    lm::net::HostPort host{log_[fqdn].value_or(""), {}};
    if (host.host.find_first_of(":[]") != std::string_view::npos) host = azure::host(host.host);
    if (!host.host.empty() && row.template set<"dst_endpoint.hostname">(host.host)) {
      there = true;
      if (!host.port || host.port == log_.number(destination_port)) {
        log_.take(fqdn);
      } else if (!log_[destination_port] && !has_port) {
        log_.take(fqdn, row.template set<"dst_endpoint.port">(host.port));
      }
    }
    if (there && !has_port) log_.set_number<"dst_endpoint.port">(row, destination_port);
    return there;
  }

  // The protocols of applications are carried by TCP.
  std::string_view small(std::string_view text) {
    std::size_t n = 0;
    for (; n < text.size() && n < small_.size(); ++n) small_[n] = lm::lower(text[n]);
    return {small_.data(), n};
  }
  std::string_view capital(std::string_view text) {
    std::size_t n = 0;
    for (; n < text.size() && n < small_.size(); ++n)
      small_[n] = text[n] >= 'a' && text[n] <= 'z' ? static_cast<char>(text[n] - 32) : text[n];
    return {small_.data(), n};
  }
  bool is_application() const {
    static constexpr auto kApplications = azure::keys("HTTP", "HTTPS", "MSSQL");
    return log_[protocol] && kApplications.find(*log_[protocol]) >= 0;
  }
  template <class Row>
  void transport(Row& row, int direction) {
    row.template set<"connection_info.direction_id">(direction);
    const Text name = log_[protocol];
    if (!name || name->size() > small_.size()) return;
    if (is_application()) {
      if constexpr (Row::template has<"app_protocol_name">) log_.take(protocol, row.template set<"app_protocol_name">(small(*name)));
      row.template set<"connection_info.protocol_name">("tcp");
      row.template set<"connection_info.protocol_num">(6);
      return;
    }
    log_.take(protocol);
    const auto written = log_.number(protocol);
    const auto known = written && *written <= 255 ? written : lm::net::protocol_number(*name);
    row.template set<"connection_info.protocol_num">(known);
    const std::string_view usual = lm::net::protocol_name(known.value_or(-1));
    row.template set<"connection_info.protocol_name">(usual.empty() ? small(*name) : usual);
  }

  template <class Row>
  void firewall_rule(Row& row) {
    log_.set<"firewall_rule.name">(row, rule);
    log_.set<"firewall_rule.category">(row, collection);
    log_.set<"firewall_rule.type">(row, group);
    log_.set<"policy.name">(row, policy);
  }

  enum class Verdict { none, allow, deny, drop, alert, log, other };
  template <class Row>
  Verdict decision(Row& row) {
    static constexpr auto kActions = azure::keys("Allow", "Deny", "Drop", "Alert", "Log");
    if (!log_[action]) return Verdict::none;
    log_.take(action);
    const auto decide = [&](Verdict verdict, int id, int disposition, int status) {
      row.template set<"action_id">(id);
      row.template set<"disposition_id">(disposition);
      if constexpr (Row::template has<"status_id">) {
        if (status != 0) row.template set<"status_id">(status);
      }
      return verdict;
    };
    switch (kActions.find(*log_[action])) {
      case kActions.at("Allow"): return decide(Verdict::allow, 1, 1, 1);   // Allowed; Success
      case kActions.at("Deny"): return decide(Verdict::deny, 2, 2, 2);     // Denied, Blocked; Failure
      case kActions.at("Drop"): return decide(Verdict::drop, 2, 6, 2);     // Denied, Dropped; Failure
      case kActions.at("Alert"): return decide(Verdict::alert, 3, 19, 0);  // Observed, Alert
      case kActions.at("Log"): return decide(Verdict::log, 3, 17, 0);      // Observed, Logged
      default:
        row.template set<"action">(log_[action]), row.template set<"disposition">(log_[action]);
        return decide(Verdict::other, 99, 99, 0);
    }
  }

  void connection(lm::Row<kNetwork>& row, Kind kind) {
    observer(row);
    source_endpoint(row);
    if (destination_endpoint(row))
      endpoint<"dst_endpoint.proxy_endpoint.ip", "dst_endpoint.proxy_endpoint.port">(row, translated, translated_port);
    transport(row, kind == Kind::nat ? 1 : 0);  // Inbound
    firewall_rule(row);
    const Verdict verdict = decision(row);
    if (kind == Kind::flow_trace) {
      trace(row);
    } else if (kind == Kind::fat_flow) {
      row.set<"activity_id">(6);  // Traffic
    } else {
      switch (verdict) {
        case Verdict::allow: row.set<"activity_id">(1); break;  // Open
        case Verdict::deny:
        case Verdict::drop: row.set<"activity_id">(5); break;  // Refuse
        case Verdict::alert:
        case Verdict::log: row.set<"activity_id">(6); break;
        case Verdict::other: row.set<"activity_id">(99), row.set<"activity_name">(log_[action]); break;
        case Verdict::none: {
          const bool any = log_[source] || log_[destination] || log_[protocol] || log_[count];
          row.set<"activity_id">(kind == Kind::nat && log_[translated] ? 1 : any ? 6 : 0);
        }
      }
    }
    log_.end(row);
  }

  void trace(lm::Row<kNetwork>& row) {
    struct Known {
      std::string_view name;
      int activity, bits;
    };
    static constexpr Known kFlags[] = {{"SYN-ACK", 1, 0x12}, {"FIN", 2, 0x01}, {"FIN-ACK", 2, 0x11}, {"RST", 3, 0x04}};
    if (!log_[flag]) return void(row.set<"activity_id">(0));
    for (const Known& known : kFlags) {
      if (!lm::equals_ignoring_case(*log_[flag], known.name)) continue;
      row.set<"activity_id">(known.activity);  // Open, Close, Close, Reset
      log_.take(flag, row.set<"connection_info.tcp_flags">(known.bits));
      return;
    }
    if (lm::equals_ignoring_case(*log_[flag], "INVALID")) return void(row.set<"activity_id">(4));  // Fail
    row.set<"activity_id">(99);
    log_.take(flag, row.set<"activity_name">(log_[flag]));
  }

  // ---- Requests ----

  bool is_http() const {
    if (!log_[url] && !log_[fqdn]) return false;
    return !log_[protocol] ? bool(log_[url]) : azure::contains_ignoring_case(*log_[protocol], "http");
  }

  void request(lm::Row<kHttp>& row) {
    observer(row);
    source_endpoint(row);
    destination_endpoint(row);
    transport(row, 0);
    firewall_rule(row);
    decision(row);
    row.set<"activity_id">(99);  // the method is not logged
    row.set<"activity_name">("Request");
    if (log_[web_category]) log_.take(web_category, row.push<"http_request.url.categories">(*log_[web_category]));

    // "www.example.com/path" has no scheme, and a host is no URL yet.
    const bool plain = log_[protocol] && lm::equals_ignoring_case(*log_[protocol], "HTTP");
    const std::string_view scheme = plain ? "http" : "https";
    const auto port = log_.number(destination_port);
    std::string_view target;
    if (log_[url] && log_[url]->find("://") != std::string_view::npos) {
      target = *log_[url];
    } else {
      url_.assign(scheme).append("://");
      if (log_[url]) {
        url_.append(*log_[url]);
      } else {
        url_.append(*log_[fqdn]);
        if (port && *port != (plain ? 80 : 443) && log_[fqdn]->find(':') == std::string_view::npos) {
          const auto end = std::to_chars(digits_.data(), digits_.data() + digits_.size(), *port).ptr;
          url_.append(":").append(digits_.data(), static_cast<std::size_t>(end - digits_.data()));
        }
      }
      target = url_;
    }
    const lm::http::Url parts = lm::http::url(target);
    if (log_[protocol] || target.data() != url_.data()) row.set<"http_request.url.scheme">(parts.scheme);  // else nobody says it
    row.set<"http_request.url.hostname">(parts.hostname ? parts.hostname : log_[fqdn]);
    row.set<"http_request.url.port">(parts.port ? parts.port : port);
    row.set<"http_request.url.path">(parts.path);
    row.set<"http_request.url.query_string">(parts.query_string);
    if (!log_.set<"http_request.url.url_string">(row, url)) row.set<"http_request.url.url_string">(target);
    log_.end(row);
  }

  // ---- Queries ----

  void query(lm::Row<kDns>& row, Kind kind) {
    observer(row);
    source_endpoint(row);
    transport(row, 2);  // Outbound
    // A name that a rule has, which the firewall itself asked for.
    const At name = kind == Kind::unresolved ? fqdn : query_name;
    if (log_[name]) {
      log_.take(name, row.set<"query.hostname">(lm::dns::hostname(*log_[name])));
      log_.set<"query.type">(row, query_type);
      log_.set<"query.class">(row, query_class);
      log_.set_number<"query.packet_uid">(row, query_id);
    }
    endpoint<"dst_endpoint.ip", "dst_endpoint.port">(row, server, server_port);
    if (log_[response_code]) {
      const int id = lm::dns::rcode_id(capital(*log_[response_code]));
      log_.take(response_code, row.set<"rcode_id">(id));
      row.set<"rcode">(log_[response_code]);
    }
    log_.set_number<"traffic.bytes_out">(row, request_size);
    log_.set_number<"traffic.bytes_in">(row, response_size);
    log_.set_duration(row, took, 1000);
    const bool error =
        kind == Kind::unresolved || log_[error_message] || (log_[error_number] && log_.number(error_number) != lm::Maybe<std::int64_t>(0));
    const bool failed = error || (log_[response_code] && !lm::equals_ignoring_case(*log_[response_code], "NOERROR"));
    row.set<"activity_id">(message_ ? 0 : error ? 6 : 2);  // Traffic, Response
    row.set<"status_id">(failed ? 2 : log_[response_code] ? 1 : 0);
    log_.end(row);
  }

  // ---- Findings ----

  void finding(lm::Row<kFinding>& row, std::int64_t time) {
    row.set<"activity_id">(1);                          // Create
    static constexpr int kSeverities[] = {3, 4, 3, 2};  // of 1, 2 and 3: High, Medium, Low
    const auto level = log_.number(severity);
    const bool known = level && *level >= 1 && *level <= 3;
    row.set<"severity_id">(kSeverities[known ? *level : 0]);
    if (known) log_.take(severity);
    decision(row);
    firewall_rule(row);

    uid_.assign(log_[signature].value_or(""));
    if (!uid_.empty()) uid_.push_back('-');
    append_hash(time);
    row.set<"finding_info.uid">(uid_);
    const At title = log_[description] ? description : threat;
    log_.set<"finding_info.title">(row, title);
    if (log_.set<"finding_info.analytic.uid">(row, signature)) row.set<"finding_info.analytic.type_id">(1);  // Rule
    if (log_[category]) log_.take(category, row.push<"finding_info.types">(*log_[category]));

    if (log_[source] || log_[destination] || log_[fqdn] || log_[url] || log_[protocol]) {
      auto evidence = row.push<"evidences">();
      source_endpoint(evidence);
      destination_endpoint(evidence);
      transport(evidence, 0);
      log_.set<"url.url_string">(evidence, url);
    }
    const azure::ResourceId& firewall = log_.envelope.resource;
    if (!firewall.empty()) {
      auto resource = row.push<"resources">();
      resource.set<"uid">(firewall.text());
      resource.set<"uid_alt">(firewall.lower());
      if (!firewall.name().empty()) resource.set<"name">(firewall.name());
      if (!firewall.type().empty()) resource.set<"type">(firewall.type());
    }
    log_.end(row);
  }

  // Of the time and the five that make a connection; the same of every delivery.
  void append_hash(std::int64_t time) {
    std::uint64_t hash = 0xcbf29ce484222325u;
    const auto add = [&](std::string_view text) {
      for (const char c : text) hash = (hash ^ static_cast<unsigned char>(lm::lower(c))) * 0x100000001b3u;
      hash = (hash ^ 0xff) * 0x100000001b3u;
    };
    for (const At part : {protocol, source, source_port, destination, destination_port, fqdn}) add(log_[part].value_or(""));
    const auto end = std::to_chars(digits_.data(), digits_.data() + digits_.size(), time).ptr;
    add({digits_.data(), static_cast<std::size_t>(end - digits_.data())});
    for (int shift = 60; shift >= 0; shift -= 4) uid_.push_back("0123456789abcdef"[hash >> shift & 15]);
  }

  azure::Log<At, kFields> log_;
  Text msg_, message_;
  std::string url_, uid_;
  std::array<char, 32> small_{};
  std::array<char, 24> digits_{};
};

LOGMILL_PARSERS(Firewall)
