// Application Gateway: requests (access log), what its web application firewall found in them (firewall log), and the counters of its instances (performance log).
// Source: Microsoft, "Azure Application Gateway monitoring data reference", "Resource logs for Azure Web Application Firewall"; Azure Monitor tables AGWAccessLogs, AGWFirewallLogs,
// AGWPerformanceLogs.
//
// Members wait until it is known which log they are of; requests.hpp makes the row. The first version of the gateway counts the time in milliseconds and hides in `requestQuery` what
// the second one has members for.
#include "requests.hpp"

using namespace azure_web;

namespace {

constexpr auto kRequest = table(lm::columns({lm::constant("metadata.product.name", "Azure Application Gateway")}));
using Row = lm::Row<kRequest>;

constexpr auto kOther = other("Azure Application Gateway");

enum class Kind { none, access, firewall, performance };

Kind kind_of(Text category) {
  static constexpr auto kCategories =
      azure::keys("ApplicationGatewayAccessLog", "ApplicationGatewayFirewallLog", "ApplicationGatewayPerformanceLog", "AGWAccessLogs",
                  "AGWFirewallLogs", "AGWPerformanceLogs");
  switch (category ? kCategories.find(*category) : -1) {
    case kCategories.at("ApplicationGatewayAccessLog"):
    case kCategories.at("AGWAccessLogs"): return Kind::access;
    case kCategories.at("ApplicationGatewayFirewallLog"):
    case kCategories.at("AGWFirewallLogs"): return Kind::firewall;
    case kCategories.at("ApplicationGatewayPerformanceLog"):
    case kCategories.at("AGWPerformanceLogs"): return Kind::performance;
    default: return Kind::none;
  }
}

Verdict verdict_of(Text action) {
  static constexpr auto kActions = azure::keys("Blocked", "Block", "Allowed", "Allow", "Detected", "Matched", "Log");
  if (!action) return {};
  switch (kActions.find(*action)) {
    case kActions.at("Blocked"):
    case kActions.at("Block"): return {2, 2, 2, 3};  // Denied, Blocked; Failure; Medium
    case kActions.at("Allowed"):
    case kActions.at("Allow"): return {1, 1, 1, 1};      // Allowed; Success
    case kActions.at("Detected"): return {3, 15, 0, 3};  // Observed, Detected; Medium
    case kActions.at("Matched"):
    case kActions.at("Log"): return {3, 17, 0, 2};  // Observed, Logged; Low
    default: return {99, 99, 0, 1};
  }
}

bool is_own(Text category) { return kind_of(category) != Kind::none; }

}  // namespace

struct AppgwWaf {
  static constexpr lm::Descriptor descriptor{
      .id = "azure.appgw_waf",
      .title = "Application Gateway and its web application firewall",
      .vendor = "Microsoft",
      .version = "1.0.0",
      .reads = "Access, firewall and performance logs as resource logs (JSON lines, records), or rows of Log Analytics",
      .framing = lm::Framing::json,
      .envelope = "records"};
  static constexpr auto keys = lm::strings("insights-logs-applicationgatewayaccesslog/**", "insights-logs-applicationgatewayfirewalllog/**",
                                           "insights-logs-applicationgatewayperformancelog/**", "am-agwaccesslogs/**",
                                           "am-agwfirewalllogs/**", "am-agwperformancelogs/**");

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "records");
    for (const std::string_view name : {"category", "Category", "CATEGORY", "Type"}) {
      if (is_own(outline.record_text(name))) return outline.clean() ? 95 : 85;
    }
    return 0;
  }

  void parse(lm::Record record, lm::Rows<kRequest>& requests, lm::Rows<kOther>& others) {
    auto& log = requests_.log;
    if (!log.read(
            record.text(), [&](const Field& f) { member(f); }, is_own))
      return log.reject(record);
    const Text name = log.envelope.source();
    const Kind kind = kind_of(name);
    if (kind == Kind::none) return record.reject(lm::foreign, "'category' is none of Application Gateway's: ApplicationGateway*Log");
    const auto time = azure::time(log.envelope.time);
    if (!time) return record.reject(lm::malformed, "none of 'time' and 'timeStamp' is a time");
    log.known(record);
    if (kind == Kind::performance) {
      auto row = others.begin(record);
      log.begin(row, *time, name);
      log.set_detail(row, {});
      row.set<"severity_id">(1);
      row.set<"activity_id">(99);
      row.set<"activity_name">("Performance");
      log.envelope.keep_resource(log.rest);
      return log.end(row);
    }
    if (kind == Kind::firewall && log[action] && !requests_.has_request()) {
      auto row = others.begin(record);
      return requests_.verdict(row, *time, name, verdict_of(log[action]));
    }
    auto row = requests.begin(record);
    requests_.begin(row, *time, name);
    kind == Kind::access ? access(row) : firewall(row);
    if (!requests_.any()) return record.reject(lm::malformed, "no member says what was asked or answered");
    log.end(row);
  }

 private:
  void member(const Field& f) {
    static constexpr auto kKeys = azure::keys(
        "instanceId", "clientIP", "clientPort", "httpMethod", "requestUri", "originalRequestUriWithArgs", "requestQuery", "userAgent",
        "httpStatus", "httpVersion", "receivedBytes", "sentBytes", "clientResponseTime", "timeTaken", "transactionId", "sslEnabled",
        "sslCipher", "sslProtocol", "serverRouted", "originalHost", "host", "hostname", "error_info", "ErrorInfo", "contentType",
        "ruleSetType", "ruleSetVersion", "ruleId", "ruleGroup", "message", "action", "details", "policyId", "details_message",
        "details_data", "DetailedMessage", "DetailedData",
        // Known, and without a place.
        "WAFEvaluationTime", "WAFMode", "WAFPolicyID", "sslClientVerify", "sslClientCertificateFingerprint",
        "sslClientCertificateIssuerName", "serverStatus", "serverResponseLatency", "upstreamSourcePort", "listenerName", "ruleName",
        "backendPoolName", "backendSettingName", "site", "policyScope", "policyScopeName", "engine", "connectionSerialNumber",
        "noOfConnectionRequests", "details_file", "details_line", "FileDetails", "LineDetails", "healthyHostCount", "unHealthyHostCount",
        "requestCount", "latency", "failedRequestCount", "throughput", "EventStampType", "EventStampName", "ScaleUnit");
    auto& log = requests_.log;
    switch (kKeys.find(azure::member(f.key))) {
      case kKeys.at("instanceId"): log.wait(instance, f); break;
      case kKeys.at("clientIP"): log.wait(client, f); break;
      case kKeys.at("clientPort"): log.wait(client_port, f); break;
      case kKeys.at("httpMethod"): log.wait(method, f); break;
      case kKeys.at("requestUri"): log.wait(other_uri, f); break;
      case kKeys.at("originalRequestUriWithArgs"): log.wait(uri, f); break;
      case kKeys.at("requestQuery"): log.wait(query, f); break;
      case kKeys.at("userAgent"): log.wait(agent, f); break;
      case kKeys.at("httpStatus"): log.wait(status, f); break;
      case kKeys.at("httpVersion"): log.wait(version, f); break;
      case kKeys.at("receivedBytes"): log.wait(received, f); break;
      case kKeys.at("sentBytes"): log.wait(sent, f); break;
      case kKeys.at("clientResponseTime"): log.wait(client_time, f); break;
      case kKeys.at("timeTaken"): log.wait(took, f); break;
      case kKeys.at("transactionId"): log.wait(request_id, f); break;
      case kKeys.at("sslEnabled"): log.wait(scheme, f); break;
      case kKeys.at("sslCipher"): log.wait(tls_cipher, f); break;
      case kKeys.at("sslProtocol"): log.wait(tls_version, f); break;
      case kKeys.at("serverRouted"): log.wait(backend_ip, f); break;
      case kKeys.at("originalHost"): log.wait(host, f); break;
      case kKeys.at("host"):
      case kKeys.at("hostname"): log.wait(other_host, f); break;
      case kKeys.at("error_info"):
      case kKeys.at("ErrorInfo"): log.wait(error, f); break;
      case kKeys.at("contentType"): log.wait(content_type, f); break;
      case kKeys.at("ruleSetType"): log.wait(rule_set, f); break;
      case kKeys.at("ruleSetVersion"): log.wait(rule_set_version, f); break;
      case kKeys.at("ruleId"): log.wait(rule_id, f); break;
      case kKeys.at("ruleGroup"): log.wait(rule_group, f); break;
      case kKeys.at("message"): log.wait(rule_name, f); break;
      case kKeys.at("action"): log.wait(action, f); break;
      case kKeys.at("policyId"): log.wait(policy_id, f); break;
      case kKeys.at("details"):
        log.within(f, [&](const Field& m) {
          static constexpr auto kDetails = azure::keys("message", "data");
          switch (kDetails.find(m.key)) {
            case kDetails.at("message"): log.wait(condition, m); break;
            case kDetails.at("data"): log.wait(matched, m); break;
            default: m.keep();
          }
        });
        break;
      case kKeys.at("details_message"):
      case kKeys.at("DetailedMessage"): log.wait(condition, f); break;
      case kKeys.at("details_data"):
      case kKeys.at("DetailedData"): log.wait(matched, f); break;
      case -1: log.unknown(f); break;
      default: f.keep();
    }
  }

  // The second version of the gateway. AzureDiagnostics has the rows of both, the tables of the gateway's own only the second one's.
  bool is_v2() const {
    const auto& log = requests_.log;
    const Text table = log.envelope.table;
    return (table && lm::equals_ignoring_case(table->substr(0, 3), "AGW")) || log[request_id] || log[client_time] ||
           (log[instance] && log[instance]->starts_with("appgw_"));
  }

  void access(Row& row) {
    auto& log = requests_.log;
    row.set<"severity_id">(1);
    const bool v2 = is_v2();
    log.set_duration(row, took, v2 ? 1000 : 1);
    if (!log[host] && log[other_host]) log.move(host, other_host);
    if (!v2) hidden();
    requests_.endpoints(row);
    requests_.backend(row);
    requests_.request(row);
    address(row);
    requests_.response(row);
    requests_.tls(row);
    requests_.detail(row, "ERRORINFO_NO_ERROR");
  }

  // The URL before it was rewritten, else the one after; what only repeats it is not kept.
  void address(Row& row) {
    auto& log = requests_.log;
    const Text tls = log[scheme];
    const bool on = tls && lm::equals_ignoring_case(*tls, "on"), off = tls && lm::equals_ignoring_case(*tls, "off");
    const At used = log[uri] ? uri : other_uri;
    requests_.url(row, log[used], log[query], on ? Text("https") : off ? Text("http") : Text());
    if (!row.is_set<"http_request.url.path">()) return;
    log.take(used);
    if (on || off) log.take(scheme);
    const lm::http::Url parts = lm::http::url(*log[used]);
    if (used == uri && log[other_uri] == parts.path) log.take(other_uri);
    if (!parts.query_string || log[query] == parts.query_string) log.take(query);
  }

  // "client=query&X-AzureApplicationGateway-CACHE-HIT=0&SERVER-ROUTED=10.4.0.4&X-AzureApplicationGateway-LOG-ID=874f1f0f&SERVER-STATUS=404": what the gateway added is behind what
  // the client sent.
  void hidden() {
    auto& log = requests_.log;
    if (!log[query]) return;
    constexpr std::string_view kFirst = "X-AzureApplicationGateway-CACHE-HIT=";
    const std::string_view whole = *log[query];
    const std::size_t at = whole.rfind(kFirst);
    if (at == std::string_view::npos || (at != 0 && whole[at - 1] != '&')) return;
    const std::string_view sent = whole.substr(0, at == 0 ? 0 : at - 1);
    log.replace(query, lm::present(sent));
    lm::json::ObjectWriter& rest = log.own();
    for (std::string_view more = whole.substr(at); !more.empty();) {
      const std::string_view pair = lm::before(more, '&'), key = lm::before(pair, '=');
      const std::string_view value = pair.substr(std::min(pair.size(), key.size() + 1));
      more.remove_prefix(std::min(more.size(), pair.size() + 1));
      if (key == "SERVER-ROUTED" && !log[backend_ip] && azure::present(value)) {
        log.wait(backend_ip, value, key);
      } else if (key == "X-AzureApplicationGateway-LOG-ID" && !log[request_id] && azure::present(value)) {
        log.wait(request_id, value, key);
      } else if (azure::present(value)) {
        rest.add_text(key, value);
      }
    }
  }

  void firewall(Row& row) {
    auto& log = requests_.log;
    if (!log[host] && log[other_host]) log.move(host, other_host);
    requests_.endpoints(row);
    requests_.request(row);
    address(row);
    requests_.decision(row, verdict_of(log[action]));
    requests_.rule(row);
    requests_.detail(row, "ERRORINFO_NO_ERROR");
  }

  Requests requests_;
};

LOGMILL_PARSERS(AppgwWaf)
