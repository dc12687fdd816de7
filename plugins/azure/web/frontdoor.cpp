// Front Door, classic and Standard or Premium: requests (access log), what its web application firewall made of them, and probes of origins.
// Source: Microsoft, "Monitoring data reference for Azure Front Door"; "Azure Web Application Firewall monitoring and logging".
//
// Members wait until it is known which log they are of; requests.hpp makes the row. Nearly all numbers are texts.
#include "requests.hpp"

using namespace azure_web;

namespace {

constexpr auto kRequest = table(lm::columns({lm::constant("metadata.product.name", "Azure Front Door")}));
using Row = lm::Row<kRequest>;
constexpr auto kOther = other("Azure Front Door");

enum class Kind { none, access, firewall, probe };

Kind kind_of(Text category) {
  static constexpr auto kCategories = azure::keys("FrontDoorAccessLog", "FrontDoorWebApplicationFirewallLog", "FrontDoorHealthProbeLog");
  switch (category ? kCategories.find(*category) : -1) {
    case kCategories.at("FrontDoorAccessLog"): return Kind::access;
    case kCategories.at("FrontDoorWebApplicationFirewallLog"): return Kind::firewall;
    case kCategories.at("FrontDoorHealthProbeLog"): return Kind::probe;
    default: return Kind::none;
  }
}

// A policy in detection mode only says what it would have done.
Verdict verdict_of(Text action, Text mode) {
  static constexpr auto kActions = azure::keys("Allow", "Block", "Log", "AnomalyScoring", "LogAndScore", "JSChallengeIssued",
                                               "JSChallengePass", "JSChallengeValid", "JSChallengeBlock", "JSChallenge");
  if (!action) return {};
  const bool detection = mode && lm::equals_ignoring_case(*mode, "detection");
  const auto stop = [&](int disposition) { return detection ? Verdict{3, 15, 0, 3} : Verdict{2, disposition, 2, 3}; };
  switch (kActions.find(*action)) {
    case kActions.at("Allow"):
    case kActions.at("JSChallengePass"):
    case kActions.at("JSChallengeValid"): return {1, 1, 1, 1};  // Allowed; Success
    case kActions.at("Block"):
    case kActions.at("JSChallengeBlock"): return stop(2);  // Denied, Blocked; Failure; Medium
    case kActions.at("JSChallenge"):
    case kActions.at("JSChallengeIssued"): return stop(23);  // Denied, Challenge
    case kActions.at("Log"):
    case kActions.at("AnomalyScoring"):
    case kActions.at("LogAndScore"): return {3, 17, 0, 2};  // Observed, Logged; Low
    default: return {99, 99, 0, 1};
  }
}

bool is_own(Text category) { return kind_of(category) != Kind::none; }

}  // namespace

struct Frontdoor {
  static constexpr lm::Descriptor descriptor{
      .id = "azure.frontdoor",
      .title = "Azure Front Door and its web application firewall",
      .vendor = "Microsoft",
      .version = "1.0.0",
      .reads = "Access, firewall and health probe logs as resource logs (JSON lines, records), or rows of Log Analytics",
      .framing = lm::Framing::json,
      .envelope = "records"};
  static constexpr auto keys = lm::strings("insights-logs-frontdooraccesslog/**", "insights-logs-frontdoorwebapplicationfirewalllog/**",
                                           "insights-logs-frontdoorhealthprobelog/**");

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "records");
    for (const std::string_view name : {"category", "Category", "CATEGORY"}) {
      if (is_own(outline.record_text(name))) return outline.clean() ? 95 : 85;
    }
    return 0;
  }

  void parse(lm::Record record, lm::Rows<kRequest>& requests, lm::Rows<kOther>& others) {
    matches_.clear(), matches_text_ = {}, matches_rest_ = nullptr;
    auto& log = requests_.log;
    if (!log.read(
            record.text(), [&](const Field& f) { member(f); }, is_own))
      return log.reject(record);
    const Text name = log.envelope.source();
    const Kind kind = kind_of(name);
    if (kind == Kind::none) return record.reject(lm::foreign, "'category' is none of Front Door's: FrontDoor*Log");
    const auto time = azure::time(log.envelope.time);
    if (!time) return record.reject(lm::malformed, "'time' is not a time");
    log.known(record);

    if (kind == Kind::firewall && log[action] && !requests_.has_request()) {
      auto row = others.begin(record);
      if (matches_rest_) matches_rest_->keep(matches_text_);
      return requests_.verdict(row, *time, name, verdict_of(log[action], log[mode]));
    }
    auto row = requests.begin(record);
    requests_.begin(row, *time, name);
    switch (kind) {
      case Kind::firewall: firewall(row); break;
      case Kind::probe: probe(row); break;
      default: access(row);
    }
    if (!requests_.any()) return record.reject(lm::malformed, "no member says what was asked or answered");
    log.end(row);
  }

 private:
  void member(const Field& f) {
    static constexpr auto kKeys = azure::keys(
        "trackingReference", "httpMethod", "httpVersion", "requestUri", "requestBytes", "responseBytes", "userAgent", "clientIp",
        "clientPort", "socketIp", "timeTaken", "timeToFirstByte", "requestProtocol", "securityProtocol", "securityCipher", "httpStatusCode",
        "errorInfo", "backendHostname", "originIp", "originName", "hostName", "host", "sni", "referer", "referrer", "clientCountry",
        "clientJA4FingerPrint", "action", "policy", "policyMode", "ruleName", "details", "details_msg", "details_data", "details_matches",
        // of probes
        "healthProbeId", "httpVerb", "probeUrl", "totalLatencyMilliseconds", "result",
        // Known, and without a place.
        "securityCurves", "httpStatusDetails", "pop", "cacheStatus", "originUrl", "originStatusCode", "endpoint", "routingRuleName",
        "rulesEngineMatchNames", "matchedRulesSetName", "isReceivedFromClient", "originCryptProtocol", "originCryptCipher",
        "connectionLatencyMilliseconds", "connectionLatency", "DNSLatencyMicroseconds", "domain");
    auto& log = requests_.log;
    switch (kKeys.find(azure::member(f.key))) {
      case kKeys.at("trackingReference"):
      case kKeys.at("healthProbeId"): log.wait(request_id, f); break;
      case kKeys.at("httpMethod"):
      case kKeys.at("httpVerb"): log.wait(method, f); break;
      case kKeys.at("httpVersion"): log.wait(version, f); break;
      case kKeys.at("requestUri"):
      case kKeys.at("probeUrl"): log.wait(uri, f); break;
      case kKeys.at("requestBytes"): log.wait(received, f); break;
      case kKeys.at("responseBytes"): log.wait(sent, f); break;
      case kKeys.at("userAgent"): log.wait(agent, f); break;
      case kKeys.at("clientIp"): log.wait(client, f); break;
      case kKeys.at("clientPort"): log.wait(client_port, f); break;
      case kKeys.at("socketIp"): log.wait(peer, f); break;
      case kKeys.at("timeTaken"): log.wait(took, f); break;
      case kKeys.at("totalLatencyMilliseconds"): log.wait(latency, f); break;
      case kKeys.at("timeToFirstByte"): log.wait(first_byte, f); break;
      case kKeys.at("requestProtocol"): log.wait(scheme, f); break;
      case kKeys.at("securityProtocol"): log.wait(tls_version, f); break;
      case kKeys.at("securityCipher"): log.wait(tls_cipher, f); break;
      case kKeys.at("httpStatusCode"): log.wait(status, f); break;
      case kKeys.at("errorInfo"): log.wait(error, f); break;
      case kKeys.at("backendHostname"): log.wait(backend_host, f); break;
      case kKeys.at("originName"): log.wait(other_backend, f); break;
      case kKeys.at("originIp"): log.wait(backend_ip, f); break;
      case kKeys.at("hostName"):
      case kKeys.at("host"): log.wait(host, f); break;
      case kKeys.at("sni"): log.wait(sni, f); break;
      case kKeys.at("referer"):
      case kKeys.at("referrer"): log.wait(referrer, f); break;
      case kKeys.at("clientCountry"): log.wait(country, f); break;
      case kKeys.at("clientJA4FingerPrint"): log.wait(ja4, f); break;
      case kKeys.at("action"): log.wait(action, f); break;
      case kKeys.at("policy"): log.wait(policy, f); break;
      case kKeys.at("policyMode"): log.wait(mode, f); break;
      case kKeys.at("ruleName"): log.wait(rule_name, f); break;
      case kKeys.at("result"): log.wait(outcome, f); break;
      case kKeys.at("details"):
        log.within(f, [&](const Field& m) {
          static constexpr auto kDetails = azure::keys("msg", "matches");
          switch (kDetails.find(m.key)) {
            case kDetails.at("msg"): log.wait(rule_text, m); break;
            case kDetails.at("matches"): matches(m); break;
            default: m.keep();
          }
        });
        break;
      case kKeys.at("details_msg"): log.wait(rule_text, f); break;
      case kKeys.at("details_matches"): matches(f); break;
      case kKeys.at("details_data"): f.keep(); break;
      case -1: log.unknown(f); break;
      default: f.keep();
    }
  }

  // [{"matchVariableName": "CookieValue:x", "matchVariableValue": "..."}]. A list that has more than the row takes of it stays whole besides.
  void matches(const Field& f) {
    if (!matches_.empty()) return f.keep();
    bool whole = true;
    const bool list = azure::array(f, requests_.log.inner, [&](Value& item) {
      Match match;
      whole = whole && item.type() == lm::json::Type::object && matches_.empty();
      item.object([&](std::string_view key, Value& value) {
        Text* const to = lm::equals_ignoring_case(key, "matchVariableName")    ? &match.name
                         : lm::equals_ignoring_case(key, "matchVariableValue") ? &match.value
                                                                               : nullptr;
        const Text text = value.text();
        if (to && text) {
          if (!lm::present(*text)) return;
          if (*to) whole = false;
          *to = text;
        } else {
          whole = whole && lm::json::says_nothing(value.raw());
        }
      });
      if (match.name || match.value) matches_.push_back(match);
    });
    if (!list || !whole) return f.keep();
    if (!matches_.empty()) matches_text_ = f.value.member(), matches_rest_ = &f.rest;
  }

  // The host that the URL has, where no member says it.
  void endpoints(Row& row) {
    requests_.endpoints(row);
    const auto& log = requests_.log;
    if (log[host] || !log[uri]) return;
    const lm::http::Url parts = lm::http::url(*log[uri]);
    if (row.set<"dst_endpoint.hostname">(parts.hostname)) row.set<"dst_endpoint.port">(parts.port);
  }
  void address(Row& row) {
    auto& log = requests_.log;
    requests_.url(row, log[uri], {}, {});
    if (!row.is_set<"http_request.url.path">() && !row.is_set<"http_request.url.url_string">()) return;
    log.take(uri);
    if (log[scheme] && log[uri]->size() > log[scheme]->size() + 2 &&
        lm::equals_ignoring_case(log[uri]->substr(0, log[scheme]->size()), *log[scheme]) && (*log[uri])[log[scheme]->size()] == ':')
      log.take(scheme);
  }

  void access(Row& row) {
    auto& log = requests_.log;
    row.set<"severity_id">(1);
    log.set_duration(row, took, 1000);
    endpoints(row);
    if (!log[backend_host] && log[other_backend]) log.move(backend_host, other_backend);
    requests_.backend(row);
    requests_.request(row);
    address(row);
    requests_.response(row);
    requests_.tls(row);
    requests_.detail(row, "NoError");
  }

  void firewall(Row& row) {
    auto& log = requests_.log;
    endpoints(row);
    requests_.request(row);
    address(row);
    requests_.decision(row, verdict_of(log[action], log[mode]));
    requests_.rule(row);
    if (!matches_.empty()) row.set<"firewall_rule.match_location">(matches_.front().name);
    for (const Match& match : matches_) row.push<"firewall_rule.match_details">(match.value ? match.value : match.name);
    requests_.detail(row, "NoError");
  }

  // Front Door asks an origin.
  void probe(Row& row) {
    auto& log = requests_.log;
    row.set<"severity_id">(1);
    row.set<"connection_info.direction_id">(2);  // Outbound
    row.set<"src_endpoint.svc_name">("Azure Front Door");
    if (!log.envelope.resource.empty()) row.set<"src_endpoint.uid">(log.resource());
    if (log[backend_ip]) {
      const azure::Address place = azure::address(*log[backend_ip]);
      azure::AddressText lowered{};
      const bool there = !place.ip.empty() && row.set<"dst_endpoint.ip">(azure::lower_ip(place.ip, lowered));
      if (there) row.set<"dst_endpoint.port">(place.port);
      log.take(backend_ip, there && place.whole);
    }
    log.set<"dst_endpoint.hostname">(row, other_backend);
    log.set_duration(row, latency, 1);
    requests_.request(row);
    address(row);
    requests_.response(row);
    // What it found, where the code alone does not tell.
    if (const Text result = log[outcome]) {
      const bool success = lm::equals_ignoring_case(*result, "Success");
      row.set<"status_id">(success ? 1 : 2);
      log.set_detail(row, success ? Text() : result);
      log.take(outcome);
    } else {
      log.set_detail(row, {});
    }
  }

  struct Match {
    Text name, value;
  };
  Requests requests_;
  std::vector<Match> matches_;
  std::string_view matches_text_;  // of a list that the row takes whole, and where it stood
  lm::json::ObjectWriter* matches_rest_ = nullptr;
};

LOGMILL_PARSERS(Frontdoor)
