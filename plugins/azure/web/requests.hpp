// What the logs of Application Gateway and Front Door have in common: requests, and what a web application firewall made of them. Both plugins read their members into the same
// fields (At); Requests makes rows of them, so that the same thing stands in the same attribute.
#pragma once

#include <logmill/sdk.hpp>
#include <logmill/sdk/azure.hpp>
#include <logmill/sdk/azure_log.hpp>
#include <logmill/sdk/http.hpp>

namespace azure_web {

namespace ocsf = lm::ocsf::v1_8;
namespace azure = lm::azure;
using lm::Text;
using lm::json::Field;
using lm::json::Value;

enum At : std::uint8_t {
  client,
  client_port,
  peer,  // of the connection, where the client is another
  country,
  method,
  version,
  agent,
  referrer,
  request_id,
  host,
  uri,
  query,
  received,
  sent,
  took,
  status,
  first_byte,
  content_type,
  backend_ip,
  backend_host,
  tls_version,
  tls_cipher,
  sni,
  ja4,
  error,
  outcome,  // of a probe
  latency,
  // of the firewall
  action,
  mode,
  rule_id,
  rule_name,
  rule_group,
  rule_set,
  rule_set_version,
  rule_text,
  condition,
  matched,
  policy_id,
  policy,
  // Where more than one field says a thing: what is said less well.
  other_host,
  other_uri,
  scheme,
  other_backend,
  instance,
  client_time,
  kFields
};

template <std::size_t N>
consteval auto table(const lm::Columns<N>& more) {
  return lm::table(ocsf::http_activity, lm::profiles("cloud", "security_control"),
                   azure::kEvery +
                       lm::columns({{"activity_name"},
                                    {"status_id"},
                                    {"status_detail"},
                                    {"duration"},
                                    {"cloud.region"},
                                    {"action_id"},
                                    {"action"},
                                    {"disposition_id"},
                                    {"disposition"},
                                    {"firewall_rule.uid"},
                                    {"firewall_rule.name"},
                                    {"firewall_rule.desc"},
                                    {"firewall_rule.category"},
                                    {"firewall_rule.type"},
                                    {"firewall_rule.version"},
                                    {"firewall_rule.condition"},
                                    {"firewall_rule.match_location"},
                                    {"firewall_rule.match_details[]"},
                                    {"policy.uid"},
                                    {"policy.name"},
                                    {"src_endpoint.ip"},
                                    {"src_endpoint.port"},
                                    {"src_endpoint.uid"},
                                    {"src_endpoint.svc_name"},
                                    {"src_endpoint.location.country"},
                                    {"dst_endpoint.ip"},
                                    {"dst_endpoint.port"},
                                    {"dst_endpoint.uid"},
                                    {"dst_endpoint.hostname"},
                                    {"dst_endpoint.proxy_endpoint.ip"},
                                    {"dst_endpoint.proxy_endpoint.port"},
                                    {"dst_endpoint.proxy_endpoint.hostname"},
                                    {"connection_info.direction_id"},
                                    {"http_request.http_method"},
                                    {"http_request.version"},
                                    lm::plain("http_request.uid"),
                                    {"http_request.length"},
                                    {"http_request.user_agent"},
                                    {"http_request.referrer"},
                                    {"http_request.x_forwarded_for[]"},
                                    lm::plain("http_request.url.url_string"),
                                    {"http_request.url.scheme"},
                                    {"http_request.url.hostname"},
                                    {"http_request.url.port"},
                                    {"http_request.url.path"},
                                    lm::plain("http_request.url.query_string"),
                                    {"http_response.code"},
                                    {"http_response.length"},
                                    {"http_response.latency"},
                                    {"http_response.content_type"},
                                    {"traffic.bytes_out"},
                                    {"traffic.bytes_in"},
                                    {"tls.version"},
                                    {"tls.cipher"},
                                    {"tls.sni"},
                                    {"ja4_fingerprint_list[].type_id"},
                                    {"ja4_fingerprint_list[].value"}}) +
                       more);
}

// Of what is no request.
consteval auto other(std::string_view product) {
  return lm::table(
      ocsf::base_event, lm::profiles("cloud"),
      azure::kEvery +
          lm::columns(
              {lm::constant("metadata.product.name", product), {"activity_name"}, {"status_detail"}, {"duration"}, {"cloud.region"}}));
}

// What a firewall did, as OCSF has it; status 0: the request goes on.
struct Verdict {
  int action = 0, disposition = 0, status = 0, severity = 1;
};

class Requests {
 public:
  azure::Log<At, kFields> log;

  template <class Row>
  void begin(Row& row, std::int64_t time, Text name) {
    log.begin(row, time, name);
    asked_ = answered_ = false;
  }
  // Of the firewall's log: whether there is anything of a request, which OCSF wants. A verdict alone is no request.
  bool has_request() const {
    for (const At at : {method, agent, referrer, request_id, version, uri, other_uri}) {
      if (log[at]) return true;
    }
    const azure::Address asking = azure::address(log[client].value_or("")), nearest = azure::address(log[peer].value_or(""));
    return log.number(received) || (!asking.ip.empty() && !nearest.ip.empty() && !lm::equals_ignoring_case(asking.ip, nearest.ip));
  }
  // What the firewall says of no request: it stays as it is written.
  template <class Row>
  void verdict(Row& row, std::int64_t time, Text name, const Verdict& v) {
    log.begin(row, time, name);
    log.set_detail(row, {});
    row.template set<"severity_id">(v.severity);
    row.template set<"activity_id">(99);
    row.template set<"activity_name">("Firewall");
    log.envelope.keep_resource(log.rest);
    log.end(row);
  }
  // False: there is nothing of a request or of a response, and OCSF wants one.
  bool any() const { return asked_ || answered_; }

  // The client asked the resource. A client that a header names may be another than the one of the connection.
  template <class Row>
  void endpoints(Row& row) {
    row.template set<"connection_info.direction_id">(1);  // Inbound
    const azure::Address asking = azure::address(log[client].value_or("")), nearest = azure::address(log[peer].value_or(""));
    const bool through = !nearest.ip.empty();  // "unknown" hides no client
    const azure::Address& from = through ? nearest : asking;
    azure::AddressText lowered{};
    if (!from.ip.empty() && row.template set<"src_endpoint.ip">(azure::lower_ip(from.ip, lowered))) {
      bool whole = asking.whole;
      if (through) log.take(peer, nearest.whole && (!nearest.port || nearest.port == log.number(client_port)));
      if (!log[client] || lm::equals_ignoring_case(asking.ip, from.ip)) {
        const auto port = log.number(client_port);
        if (port.value_or(0) != 0) {
          log.template set_number<"src_endpoint.port">(row, client_port);
          whole = whole && (!asking.port || asking.port == port);
        } else if (asking.port) {
          row.template set<"src_endpoint.port">(*asking.port);
        }
        log.take(client, whole);
        if (log[country] && log[country]->size() == 2) log.template set<"src_endpoint.location.country">(row, country);
      } else if (!asking.ip.empty()) {
        asked_ = row.template push<"http_request.x_forwarded_for">(azure::lower_ip(asking.ip, lowered));
        log.take(client, asked_ && whole && !asking.port);
      }
    }
    if (!log.envelope.resource.empty()) row.template set<"dst_endpoint.uid">(log.resource());
    if (log[host]) {
      const lm::net::HostPort place = azure::host(*log[host]);
      if (log.take(host, row.template set<"dst_endpoint.hostname">(lm::present(place.host))))
        row.template set<"dst_endpoint.port">(place.port);
    }
  }

  // "10.2.0.4:443"; of a list the first one, and the whole in `unmapped`.
  template <class Row>
  void backend(Row& row) {
    if (!row.template is_set<"dst_endpoint.uid">() && !row.template is_set<"dst_endpoint.hostname">())
      return;  // behind nothing that has a name
    if (log[backend_ip]) {
      const std::string_view first = lm::trim(lm::before(*log[backend_ip], ','));
      const azure::Address place = azure::address(first);
      azure::AddressText lowered{};
      const bool there = !place.ip.empty() && row.template set<"dst_endpoint.proxy_endpoint.ip">(azure::lower_ip(place.ip, lowered));
      if (there) row.template set<"dst_endpoint.proxy_endpoint.port">(place.port);
      log.take(backend_ip, there && place.whole && first.size() == log[backend_ip]->size());
    }
    if (log[backend_host]) {
      const lm::net::HostPort place = azure::host(*log[backend_host]);
      if (log.take(backend_host, row.template set<"dst_endpoint.proxy_endpoint.hostname">(lm::present(place.host))) && place.port)
        row.template set<"dst_endpoint.proxy_endpoint.port">(place.port);
    }
  }

  template <class Row>
  void request(Row& row) {
    const Text verb = log[method];
    row.template set<"activity_id">(lm::http::activity_id(verb.value_or("")));
    if (verb && lm::http::activity_id(*verb) == 99) row.template set<"activity_name">(verb);
    asked_ |= log.template set<"http_request.http_method">(row, method);
    asked_ |= log.template set<"http_request.user_agent">(row, agent);
    asked_ |= log.template set<"http_request.referrer">(row, referrer);
    asked_ |= log.template set<"http_request.uid">(row, request_id);
    if (log[version]) log.take(version, asked_ |= row.template set<"http_request.version">(usual_version(*log[version])));
    if (log.template set_number<"traffic.bytes_out">(row, received))
      asked_ |= row.template set<"http_request.length">(log.number(received));
  }

  // A whole URL, or path and query; `default_host` is the one that was asked for.
  template <class Row>
  void url(Row& row, Text text, Text own_query, Text default_scheme) {
    if (!text) return;
    const lm::http::Url parts = lm::http::url(*text);
    const bool whole = parts.scheme && row.template set<"http_request.url.url_string">(text);
    if (!row.template set<"http_request.url.path">(parts.path) && !whole) return;
    asked_ = true;
    row.template set<"http_request.url.query_string">(parts.query_string ? parts.query_string : own_query);
    row.template set<"http_request.url.scheme">(parts.scheme ? parts.scheme : default_scheme);
    if (whole) {
      row.template set<"http_request.url.hostname">(parts.hostname);
      row.template set<"http_request.url.port">(parts.port);
    } else if (log[host]) {
      const lm::net::HostPort place = azure::host(*log[host]);
      row.template set<"http_request.url.hostname">(lm::present(place.host));
      row.template set<"http_request.url.port">(place.port);
    }
  }

  // A code of 0: the client went away before it was answered.
  template <class Row>
  void response(Row& row) {
    const auto code = log.number(status);
    row.template set<"status_id">(code && *code == 0 ? 2 : lm::http::status_id(code));
    const bool bytes = log.template set_number<"traffic.bytes_in">(row, sent);
    if (!code || *code == 0 || !log.template set_number<"http_response.code">(row, status)) return;
    answered_ = true;
    if (bytes) row.template set<"http_response.length">(log.number(sent));
    if (const auto n = log.milliseconds(first_byte, 1000)) log.take(first_byte, row.template set<"http_response.latency">(n));
    log.template set<"http_response.content_type">(row, content_type);
  }

  template <class Row>
  void tls(Row& row) {
    if (log[tls_version]) {
      log.take(tls_version, row.template set<"tls.version">(lm::http::tls_version(*log[tls_version])));
      log.template set<"tls.cipher">(row, tls_cipher);
      log.template set<"tls.sni">(row, sni);
    }
    if (!log[ja4]) return;
    auto fingerprint = row.template push<"ja4_fingerprint_list">();
    fingerprint.template set<"type_id">(1);  // JA4
    log.take(ja4, fingerprint.template set<"value">(log[ja4]));
  }

  template <class Row>
  void decision(Row& row, const Verdict& v) {
    row.template set<"severity_id">(v.severity);
    if (!log[action]) return;
    log.take(action);
    row.template set<"action_id">(v.action);
    row.template set<"disposition_id">(v.disposition);
    if (v.action == 99) row.template set<"action">(log[action]), row.template set<"disposition">(log[action]);
    if (v.status != 0) row.template set<"status_id">(v.status);
  }

  template <class Row>
  void rule(Row& row) {
    log.template set<"firewall_rule.uid">(row, rule_id);
    log.template set<"firewall_rule.name">(row, rule_name);
    log.template set<"firewall_rule.desc">(row, rule_text);
    log.template set<"firewall_rule.category">(row, rule_group);
    log.template set<"firewall_rule.type">(row, rule_set);
    log.template set<"firewall_rule.version">(row, rule_set_version);
    log.template set<"firewall_rule.condition">(row, condition);
    if (log[matched]) log.take(matched, row.template push<"firewall_rule.match_details">(*log[matched]));
    log.template set<"policy.uid">(row, policy_id);
    log.template set<"policy.name">(row, policy);
  }

  // What else says that there was no error goes without saying.
  template <class Row>
  void detail(Row& row, std::string_view none) {
    log.take(error);
    log.set_detail(row, log[error] && lm::equals_ignoring_case(*log[error], none) ? Text() : log[error]);
  }

 private:
  // "HTTP/1.1", "2.0.0.0" -> "1.1", "2.0"
  static std::string_view usual_version(std::string_view text) {
    if (lm::equals_ignoring_case(text.substr(0, 5), "HTTP/")) text.remove_prefix(5);
    if (text.size() == 7 && text.ends_with(".0.0")) text.remove_suffix(4);
    return text;
  }

  bool asked_ = false, answered_ = false;
};

}  // namespace azure_web
