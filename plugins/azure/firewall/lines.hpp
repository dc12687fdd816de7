// The texts of Azure Firewall's older logs (`msg`), taken apart into the fields that its structured logs have.
// Source: Microsoft, "Azure Firewall legacy diagnostic logs": application, network and NAT rules, intrusion detection, threat intelligence; the log of CoreDNS for its proxy.
//
// A line on a rule has a head, which says who asked for what, and clauses of a fixed set of names, in which only those names end a value: names of rules may have points and commas.
// What follows a verdict without a name is its reason. No text is copied; what cannot be read is false, and the caller keeps the line.
#pragma once

#include <logmill/sdk/dns.hpp>
#include <logmill/sdk/http.hpp>
#include <logmill/sdk/text.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <tuple>

namespace azure_firewall {

using lm::Text;

// The fields of a firewall's record; kNames are the names of the structured logs.
enum At : std::uint8_t {
  protocol,
  source,
  source_port,
  destination,
  destination_port,
  translated,
  translated_port,
  fqdn,
  url,
  web_category,
  action,
  reason,
  policy,
  group,
  collection,
  rule,
  threat,
  signature,
  category,
  description,
  severity,
  flag,
  count,
  query_id,
  query_name,
  query_type,
  query_class,
  request_size,
  response_size,
  response_code,
  took,
  error_number,
  error_message,
  server,
  server_port,
  // of lines alone
  icmp_type,
  dnssec,
  buffer_size,
  response_flags,
  kFields
};
constexpr std::array<std::string_view, kFields> kNames{"Protocol",
                                                       "SourceIp",
                                                       "SourcePort",
                                                       "DestinationIp",
                                                       "DestinationPort",
                                                       "TranslatedIp",
                                                       "TranslatedPort",
                                                       "Fqdn",
                                                       "TargetUrl",
                                                       "WebCategory",
                                                       "Action",
                                                       "ActionReason",
                                                       "Policy",
                                                       "RuleCollectionGroup",
                                                       "RuleCollection",
                                                       "Rule",
                                                       "ThreatDescription",
                                                       "SignatureId",
                                                       "Category",
                                                       "Description",
                                                       "Severity",
                                                       "Flag",
                                                       "EventCount",
                                                       "QueryId",
                                                       "QueryName",
                                                       "QueryType",
                                                       "QueryClass",
                                                       "RequestSize",
                                                       "ResponseSize",
                                                       "ResponseCode",
                                                       "RequestDurationSecs",
                                                       "ErrorNumber",
                                                       "ErrorMessage",
                                                       "ServerIp",
                                                       "ServerPort",
                                                       "Type",
                                                       "DnssecOkBit",
                                                       "EDNS0BufferSize",
                                                       "ResponseFlags"};

struct Fields {
  std::array<Text, kFields> of{};

  Text& operator[](At at) { return of[at]; }
  void set(At at, std::string_view text) {
    if (!text.empty()) of[at] = text;
  }
};

namespace detail {

constexpr std::string_view word(std::string_view& rest) {
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  const std::string_view found = rest.substr(0, rest.find(' '));
  rest.remove_prefix(found.size());
  return found;
}

// "192.0.2.1:443", "www.example.com:443", "192.0.2.1:" of protocols without ports. A name goes to `name`.
inline bool place(Fields& to, std::string_view text, At ip, At port, At name) {
  if (text.ends_with(':') && text.find(':') == text.size() - 1) text.remove_suffix(1);
  const bool whole = lm::net::is_ip(text);
  const lm::net::HostPort parts = whole ? lm::net::HostPort{text, {}} : lm::net::host_port(text);
  if (parts.host.empty()) return false;
  if (lm::net::is_ip(parts.host)) {
    to.set(ip, parts.host);
  } else if (name != kFields && parts.host.find_first_of(" :[]") == std::string_view::npos) {
    to.set(name, parts.host);
  } else {
    return false;
  }
  if (parts.port) to.set(port, text.substr(text.rfind(':') + 1));
  return true;
}

struct Clause {
  std::string_view name;
  At at;
};
constexpr Clause kClauses[] = {{"Url", url},
                               {"Action", action},
                               {"Policy", policy},
                               {"Rule Collection Group", group},
                               {"Rule Collection", collection},
                               {"Rule", rule},
                               {"Web Category", web_category},
                               {"Reason", reason},
                               {"Signature", signature},
                               {"IDS", description},
                               {"Priority", severity},
                               {"Classification", category},
                               {"ThreatIntel", threat}};

// The clause that `text` begins with: its name and ": ".
constexpr const Clause* clause(std::string_view text) {
  for (const Clause& known : kClauses) {
    if (text.starts_with(known.name) && text.substr(known.name.size()).starts_with(": ")) return &known;
  }
  return nullptr;
}
// Where the next clause's ". " begins; npos if there is none.
constexpr std::size_t next_clause(std::string_view text) {
  for (std::size_t at = text.find(". "); at != std::string_view::npos; at = text.find(". ", at + 1)) {
    if (clause(text.substr(at + 2))) return at;
  }
  return std::string_view::npos;
}

// "Deny", "Allow.", "Deny. No rule matched. Proceeding with default action"
inline void verdict(Fields& to, std::string_view text) {
  const std::size_t point = text.find('.');
  to.set(action, lm::trim(text.substr(0, point)));
  if (point == std::string_view::npos) return;
  text.remove_prefix(point);
  while (text.starts_with('.') || text.starts_with(' ')) text.remove_prefix(1);
  to.set(reason, lm::trim(text));
}

}  // namespace detail

// "HTTPS request from 192.0.2.1:50000 to www.example.com:443. Action: Allow. Rule Collection: c. Rule: r"
inline bool rule_line(Fields& to, std::string_view text) {
  text = lm::trim(text);
  std::string_view rest = text;
  to.set(protocol, detail::word(rest));
  std::string_view next = detail::word(rest);
  if (next.starts_with("Type=")) to.set(icmp_type, next.substr(5)), next = detail::word(rest);
  if (next != "request" || detail::word(rest) != "from") return false;
  const auto address = [&](At ip, At port, At name) {
    std::string_view found = detail::word(rest);
    const bool end = found.ends_with('.');
    if (end) found.remove_suffix(1);
    return std::pair(detail::place(to, found, ip, port, name), end);
  };
  auto [good, end] = address(source, source_port, kFields);
  if (!good) return false;
  if (!end && rest.starts_with(" to ")) {
    rest.remove_prefix(3);
    std::tie(good, end) = address(destination, destination_port, fqdn);
    if (!good) return false;
  }
  constexpr std::string_view kNat = " was DNAT'ed to ";
  if (!end && rest.starts_with(kNat)) {
    rest.remove_prefix(kNat.size() - 1);
    std::tie(good, end) = address(translated, translated_port, kFields);
    if (!good) return false;
  }
  rest = lm::trim(rest);
  if (rest.empty()) return true;
  if (!end) return false;
  while (const detail::Clause* const known = detail::clause(rest)) {
    rest.remove_prefix(known->name.size() + 2);
    // The client wrote the URL: only the last verdict is the firewall's.
    const std::size_t stop = known->at == url ? rest.rfind(". Action: ") : detail::next_clause(rest);
    const std::string_view value = lm::trim(rest.substr(0, stop));
    if (to[known->at] && !value.empty()) return false;
    known->at == action ? detail::verdict(to, value) : to.set(known->at, value);
    if (stop == std::string_view::npos) return true;
    rest.remove_prefix(stop + 2);
  }
  return false;
}

// "DNS Request: 192.0.2.1:61248 - 6513 A IN example.com. udp 43 false 512 NXDOMAIN qr,rd,ra 145 0.002846368s", or " Error: 2 example.com. A: read udp ...: i/o timeout".
inline bool dns_line(Fields& to, std::string_view text) {
  text = lm::trim(text);
  constexpr std::string_view kRequest = "DNS Request: ", kError = "Error: ";
  if (text.starts_with(kError)) {
    text.remove_prefix(kError.size());
    to.set(error_number, detail::word(text));
    to.set(query_name, detail::word(text));
    const std::string_view type = detail::word(text);
    if (!to[error_number] || !lm::integer(*to[error_number]) || !type.ends_with(':')) return false;
    to.set(query_type, type.substr(0, type.size() - 1));
    to.set(error_message, lm::trim(text));
    return true;
  }
  if (!text.starts_with(kRequest)) return false;
  text.remove_prefix(kRequest.size());
  if (!detail::place(to, detail::word(text), source, source_port, kFields)) return false;
  if (const std::string_view dash = detail::word(text); dash != "-" && dash != "\u2013") return false;
  for (const At at : {query_id, query_type, query_class, query_name, protocol, request_size, dnssec, buffer_size, response_code,
                      response_flags, response_size, took}) {
    const std::string_view found = detail::word(text);
    if (found.empty()) return false;
    if (lm::present(found)) to.set(at, found);
  }
  if (!lm::trim(text).empty() || !to[took] || !to[took]->ends_with('s')) return false;
  to[took] = to[took]->substr(0, to[took]->size() - 1);
  return true;
}

}  // namespace azure_firewall
