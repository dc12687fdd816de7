// AWS Network Firewall logs: alerts, flows, and errors of TLS inspection.
// Source: AWS, "AWS Network Firewall Developer Guide", "Contents of a AWS Network Firewall log"; Suricata, "EVE JSON Output", whose events they carry.
//
// A record is one JSON object: the firewall, and in `event` what its engine saw. One pass reads it into views (Event). Objects within the event give their attributes and leave the
// rest beside, each in a writer of its own, which join the event's and with it `unmapped` last.
#include <logmill/sdk.hpp>
#include <logmill/sdk/aws.hpp>
#include <logmill/sdk/fields.hpp>
#include <logmill/sdk/http.hpp>

#include <algorithm>

namespace ocsf = lm::ocsf::v1_8;

namespace {

using lm::Text;
using lm::json::Field;
using lm::json::Type;
using lm::json::Value;

constexpr auto kNetwork = lm::table(ocsf::network_activity, lm::profiles("cloud", "security_control"),
                                    {{"activity_id"},
                                     {"activity_name"},
                                     {"time"},
                                     {"start_time"},
                                     {"end_time"},
                                     {"duration"},
                                     {"severity_id"},
                                     {"status_id"},
                                     {"status_detail"},
                                     {"is_alert"},
                                     {"action_id"},
                                     {"action"},
                                     {"disposition_id"},
                                     {"disposition"},
                                     {"firewall_rule.uid"},
                                     {"firewall_rule.name"},
                                     {"firewall_rule.category"},
                                     {"firewall_rule.version"},
                                     {"policy.uid"},
                                     {"app_protocol_name"},
                                     {"src_endpoint.ip"},
                                     {"src_endpoint.port"},
                                     {"dst_endpoint.ip"},
                                     {"dst_endpoint.port"},
                                     lm::plain("connection_info.uid"),
                                     lm::constant("connection_info.direction_id", "0"),  // the engine's is relative to the flow
                                     {"connection_info.protocol_name"},
                                     {"connection_info.protocol_num"},
                                     {"connection_info.tcp_flags"},
                                     {"traffic.bytes"},
                                     lm::same("traffic.bytes_out", "traffic.bytes"),  // a flow record is of one direction
                                     {"traffic.packets"},
                                     lm::same("traffic.packets_out", "traffic.packets"),
                                     {"network_observation_point.name"},
                                     lm::plain("url.url_string"),
                                     {"url.hostname"},
                                     {"url.path"},
                                     lm::plain("url.query_string"),
                                     {"tls.version"},
                                     {"tls.sni"},
                                     {"cloud.account.uid"},
                                     {"cloud.account.type_id"},
                                     lm::constant("cloud.provider", "AWS"),
                                     {"cloud.region"},
                                     {"cloud.zone"},
                                     {"cloud.org.uid"},
                                     {"cloud.cloud_partition"},
                                     lm::plain("metadata.original_time"),
                                     lm::constant("metadata.log_provider", "Network Firewall"),
                                     lm::constant("metadata.product.name", "AWS Network Firewall"),
                                     lm::constant("metadata.product.vendor_name", "AWS"),
                                     {"metadata.product.feature.name"},
                                     {"unmapped"}});

using NetworkRow = lm::Row<kNetwork>;

struct Event {
  bool there = false;
  Text firewall, zone, delivered, delivered_raw;
  Text time, flow, type, source, destination, protocol, application, sni;
  lm::Maybe<std::int64_t> source_port, destination_port;
  // of alert and verdict
  bool alert = false;
  Text action, signature_id, revision, signature, category, verdict;
  lm::Maybe<std::int64_t> severity;
  // of netflow and tcp
  Text start, end, tcp_flags;
  lm::Maybe<std::int64_t> packets, bytes;
  // of http, tls, aws_metadata, tls_error and revocation_check
  Text host, url, tls_version, tls_sni, resource, error, revocation;
  bool tls_failed = false;
};

// Epoch seconds, perhaps with a fraction.
lm::Maybe<std::int64_t> delivery_time(Text text) {
  const auto t = text ? lm::time::seconds(lm::before(*text, '.')) : std::nullopt;
  return t && lm::time::plausible(*t) ? t : std::nullopt;
}

lm::Maybe<std::int64_t> hexadecimal(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size() || value > 0xfff) return std::nullopt;
  return value;
}

}  // namespace

struct NetworkFirewall {
  static constexpr lm::Descriptor descriptor{.id = "aws.network_firewall",
                                             .title = "AWS Network Firewall logs",
                                             .vendor = "AWS",
                                             .version = "1.0.0",
                                             .reads = "Alert, flow and TLS records as JSON objects, one a line, back to back, as array",
                                             .framing = lm::Framing::json};
  static constexpr auto keys =
      lm::strings("AWSLogs/{account}/network-firewall/{log}/{region}/**", "AWSLogs/{org}/{account}/network-firewall/{log}/{region}/**");

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s);
    return outline.record("firewall_name") && outline.record("event") && !outline.record("class_uid") ? (outline.clean() ? 95 : 85) : 0;
  }

  void parse(lm::Record record, lm::Rows<kNetwork>& rows) {
    if (record.starts_block()) place_ = lm::aws::Place::of(record), key_log_ = record.capture("log");
    Event e;
    for (auto* writer :
         {&rest_, &event_rest_, &alert_rest_, &verdict_rest_, &flow_rest_, &tcp_rest_, &http_rest_, &tls_rest_, &metadata_rest_})
      writer->clear();
    if (!read(record, e)) return record.reject(json_);
    if (!e.there) return record.reject(lm::foreign, "no 'event' object: not a Network Firewall record");
    const auto seen = lm::time::of_event(e.time), time = seen ? seen : delivery_time(e.delivered);
    if (!time) return record.reject(lm::malformed, "neither 'event.timestamp' nor 'event_timestamp' is a time");

    auto row = rows.begin(record);
    if (e.source) row.expect<"src_endpoint.ip">(*e.source);
    if (e.destination) row.expect<"dst_endpoint.ip">(*e.destination);
    row.set<"time">(*time);
    if (seen) {
      row.set<"metadata.original_time">(e.time);
      if (e.delivered) rest_.add("event_timestamp", *e.delivered_raw);
    } else {
      row.set<"metadata.original_time">(e.delivered);
      if (e.time) event_rest_.add_text("timestamp", *e.time);
    }
    row.set<"network_observation_point.name">(e.firewall);
    cloud(row, e);
    kind(row, e);
    connection(row, e);
    if (e.alert || e.type == "alert") row.set<"is_alert">(true);
    if (e.alert) alert(row, e);
    disposition(row, e);
    flow(row, e);
    url(row, e);
    tls(row, e);
    row.set<"policy.uid">(e.resource);

    Field::close(event_rest_, "alert", alert_rest_);
    Field::close(event_rest_, "verdict", verdict_rest_);
    Field::close(event_rest_, "netflow", flow_rest_);
    Field::close(event_rest_, "tcp", tcp_rest_);
    Field::close(event_rest_, "http", http_rest_);
    Field::close(event_rest_, "tls", tls_rest_);
    Field::close(event_rest_, "aws_metadata", metadata_rest_);
    Field::close(rest_, "event", event_rest_);
    if (const auto rest = rest_.finish(); !rest.empty()) row.set<"unmapped">(rest);
  }

 private:
  // ---- Reading ----

  bool read(lm::Record record, Event& e) {
    static constexpr auto kKeys = lm::keys("firewall_name", "availability_zone", "event_timestamp", "event", "aws_category");
    return json_.read(record.text(), [&](std::string_view key, Value& value) {
      const Field f{rest_, key, value};
      switch (kKeys.find(key)) {
        case kKeys.at("firewall_name"): f.text(e.firewall); break;
        case kKeys.at("availability_zone"): f.text(e.zone); break;
        case kKeys.at("event_timestamp"):
          f.scalar(e.delivered);
          e.delivered_raw = value.raw();
          break;
        case kKeys.at("event"):
          e.there = e.there || value.type() == Type::object;
          f.object(event_rest_, [&](const Field& m) { event(record, e, m); });
          break;
        case kKeys.at("aws_category"): f.keep(); break;
        default: record.drift(key); f.keep();
      }
    });
  }

  // Of the many members that the engine may write, by the rules and the protocol, those that have no attribute are no news.
  void event(lm::Record record, Event& e, const Field& f) {
    static constexpr auto kKeys = lm::keys(
        "timestamp", "flow_id", "event_type", "src_ip", "src_port", "dest_ip", "dest_port", "proto", "app_proto", "icmp_type", "icmp_code",
        "tx_id", "direction", "pkt_src", "tls_inspected", "alert", "verdict", "netflow", "tcp", "http", "tls", "dns", "aws_metadata", "sni",
        "tls_error", "revocation_check", "aws_category", "metadata", "files", "app_proto_tc", "app_proto_ts", "response_icmp_type",
        "response_icmp_code", "flow", "packet", "packet_info", "payload", "payload_printable", "stream", "vlan", "community_id", "smtp",
        "ssh", "smb", "ftp", "krb5", "quic", "ether", "in_iface", "leaf_cert_fpr");
    switch (kKeys.find(f.key)) {
      case kKeys.at("timestamp"): f.text(e.time); break;
      case kKeys.at("flow_id"): f.scalar(e.flow); break;
      case kKeys.at("event_type"): f.text(e.type); break;
      case kKeys.at("src_ip"): f.text(e.source); break;
      case kKeys.at("src_port"): f.integer(e.source_port, 0, 65535); break;
      case kKeys.at("dest_ip"): f.text(e.destination); break;
      case kKeys.at("dest_port"): f.integer(e.destination_port, 0, 65535); break;
      case kKeys.at("proto"): f.scalar(e.protocol); break;
      case kKeys.at("app_proto"): f.text(e.application); break;
      case kKeys.at("sni"): f.text(e.sni); break;
      case kKeys.at("alert"):
        e.alert = e.alert || f.value.type() == Type::object;
        f.object(alert_rest_, [&](const Field& m) { alert_member(e, m); });
        break;
      case kKeys.at("verdict"): f.object(verdict_rest_, [&](const Field& m) { m.key == "action" ? m.text(e.verdict) : m.keep(); }); break;
      case kKeys.at("netflow"): f.object(flow_rest_, [&](const Field& m) { flow_member(e, m); }); break;
      case kKeys.at("tcp"): f.object(tcp_rest_, [&](const Field& m) { m.key == "tcp_flags" ? m.text(e.tcp_flags) : m.keep(); }); break;
      case kKeys.at("http"):
        f.object(http_rest_, [&](const Field& m) { m.key == "hostname" ? m.text(e.host) : m.key == "url" ? m.text(e.url) : m.keep(); });
        break;
      case kKeys.at("tls"):
        f.object(tls_rest_, [&](const Field& m) {
          m.key == "version" ? m.text(e.tls_version) : m.key == "sni" ? m.text(e.tls_sni) : m.keep();
        });
        break;
      case kKeys.at("aws_metadata"):
        f.object(metadata_rest_, [&](const Field& m) { m.key == "resource_arn" ? m.text(e.resource) : m.keep(); });
        break;
      case kKeys.at("tls_error"): failure(e, f, "error_message", e.error); break;
      case kKeys.at("revocation_check"): failure(e, f, "status", e.revocation); break;
      default:
        if (kKeys.find(f.key) < 0) record.drift(f.key);
        f.keep();
    }
  }

  static void alert_member(Event& e, const Field& m) {
    static constexpr auto kKeys = lm::keys("action", "signature_id", "rev", "signature", "category", "severity");
    switch (kKeys.find(m.key)) {
      case kKeys.at("action"): m.text(e.action); break;
      case kKeys.at("signature_id"): m.scalar(e.signature_id); break;
      case kKeys.at("rev"): m.scalar(e.revision); break;
      case kKeys.at("signature"): m.text(e.signature); break;
      case kKeys.at("category"): m.text(e.category); break;
      case kKeys.at("severity"): m.integer(e.severity); break;
      default: m.keep();  // gid, metadata, and whatever a rule brings along
    }
  }

  static void flow_member(Event& e, const Field& m) {
    static constexpr auto kKeys = lm::keys("pkts", "bytes", "start", "end");
    switch (kKeys.find(m.key)) {
      case kKeys.at("pkts"): m.integer(e.packets); break;
      case kKeys.at("bytes"): m.integer(e.bytes); break;
      case kKeys.at("start"): m.text(e.start); break;
      case kKeys.at("end"): m.text(e.end); break;
      default: m.keep();  // age, min_ttl, max_ttl
    }
  }

  // What went wrong in TLS inspection: its gist, and the whole in `unmapped`.
  static void failure(Event& e, const Field& f, std::string_view member, Text& gist) {
    if (f.value.is_null()) return;
    e.tls_failed = true;
    if (f.value.type() == Type::object) {
      f.value.object([&](std::string_view key, Value& value) {
        const Text text = value.text();
        if (key == member && text && lm::present(*text)) gist = text;
      });
    } else if (const Text text = f.value.text(); text && lm::present(*text)) {
      gist = text;
    }
    f.keep();
  }

  // ---- The row ----

  // The resource of an alert is a group of rules, which may be shared by another account: the key of the object knows better whose the firewall is.
  void cloud(NetworkRow& row, const Event& e) const {
    const std::string_view arn = e.resource.value_or("");
    const std::string_view account = lm::aws::arn_part(arn, 4);
    std::string_view region = place_.region.empty() ? lm::aws::arn_part(arn, 3) : place_.region;
    if (region.empty()) region = lm::aws::region_of_zone(e.zone.value_or(""));
    const bool own = place_.account.empty() && lm::aws::is_account(account);
    place_.set(row, own ? Text(account) : Text(), region.empty() ? Text() : Text(region));
    row.set<"cloud.zone">(e.zone);
    if (const auto partition = lm::aws::arn_part(arn, 1); !partition.empty()) row.set<"cloud.cloud_partition">(partition);
  }

  // Which of the three logs, and what happened.
  void kind(NetworkRow& row, const Event& e) {
    if (e.tls_failed || (!e.type && key_log_ == "tls")) {
      row.set<"metadata.product.feature.name">("tls");
      row.set<"activity_id">(4);  // Fail
      row.set<"status_id">(2);    // Failure
      row.set<"status_detail">(e.error ? e.error : e.revocation);
      if (e.type) event_rest_.add_text("event_type", *e.type);
    } else if (e.type == "alert" || (!e.type && e.alert)) {
      row.set<"metadata.product.feature.name">("alert");
      row.set<"activity_id">(e.action == "blocked" ? 5 : 6);  // Refuse, Traffic
    } else if (e.type == "netflow") {
      row.set<"metadata.product.feature.name">("flow");
      row.set<"activity_id">(6);
    } else {
      const Text name = e.type ? e.type : key_log_.empty() ? Text() : Text(key_log_);
      row.set<"metadata.product.feature.name">(name);
      row.set<"activity_id">(e.type ? 99 : 0);
      row.set<"activity_name">(e.type);
    }
  }

  void connection(NetworkRow& row, const Event& e) {
    lm::Maybe<std::int64_t> protocol;
    if (e.protocol) {
      protocol = lm::net::protocol_number(*e.protocol);
      const auto number = lm::integer(*e.protocol);
      if (number && *number >= 0 && *number <= 255) protocol = number;
      row.set<"connection_info.protocol_num">(protocol);
      if (const auto name = lm::net::protocol_name(protocol.value_or(-1)); !name.empty()) {
        row.set<"connection_info.protocol_name">(name);
      } else if (!number && e.protocol->size() <= small_.size()) {
        std::transform(e.protocol->begin(), e.protocol->end(), small_.begin(), lm::lower);
        row.set<"connection_info.protocol_name">(std::string_view(small_.data(), e.protocol->size()));
      } else if (!protocol) {
        event_rest_.add_text("proto", *e.protocol);
      }
    }
    row.set<"connection_info.uid">(e.flow);
    endpoint<"src_endpoint.ip", "src_endpoint.port">(row, "src_ip", e.source, "src_port", e.source_port, protocol);
    endpoint<"dst_endpoint.ip", "dst_endpoint.port">(row, "dest_ip", e.destination, "dest_port", e.destination_port, protocol);
    if (e.tcp_flags) {
      const auto flags = hexadecimal(*e.tcp_flags);
      row.set<"connection_info.tcp_flags">(flags);
      if (!flags) tcp_rest_.add_text("tcp_flags", *e.tcp_flags);
    }
    if (!e.application) return;
    if (*e.application == "failed" || *e.application == "unknown") {
      event_rest_.add_text("app_proto", *e.application);
    } else {
      row.set<"app_protocol_name">(e.application);
    }
  }

  // A port makes no endpoint, and ICMP's events have ports of 0.
  template <lm::detail::FixedString Ip, lm::detail::FixedString Port>
  void endpoint(NetworkRow& row, std::string_view ip_name, Text ip, std::string_view port_name, lm::Maybe<std::int64_t> port,
                lm::Maybe<std::int64_t> protocol) {
    const bool there = row.set<Ip>(ip);
    if (ip && !there) event_rest_.add_text(ip_name, *ip);
    if (!port) return;
    const bool none = protocol && !lm::net::has_ports(*protocol);
    if (there && !none) {
      row.set<Port>(port);
    } else if (!none || *port != 0) {
      lm::json::add_number(event_rest_, port_name, *port);
    }
  }

  void alert(NetworkRow& row, const Event& e) {
    row.set<"firewall_rule.uid">(e.signature_id);
    row.set<"firewall_rule.name">(e.signature);
    row.set<"firewall_rule.category">(e.category);
    row.set<"firewall_rule.version">(e.revision);
    if (e.action == "allowed" || e.action == "blocked") {
      row.set<"action_id">(e.action == "allowed" ? 1 : 2);
    } else if (e.action) {
      row.set<"action_id">(99), row.set<"action">(e.action);
    }
  }

  // What became of the packet: the verdict, where there is one, is more exact than the alert's action. A severity beyond the documented ones is kept as a number besides.
  void disposition(NetworkRow& row, const Event& e) {
    const auto severity = e.severity.value_or(0);
    row.set<"severity_id">(severity == 1 ? 4 : severity == 2 ? 3 : severity == 3 ? 2 : 1);  // High, Medium, Low, else Informational
    if (e.severity && (severity < 1 || severity > 4)) lm::json::add_number(alert_rest_, "severity", severity);
    const auto known = [](Text action) {
      if (action == "blocked" || action == "drop") return 6;    // Dropped
      if (action == "reject") return 21;                        // Reset
      if (action == "allowed" || action == "alert") return 19;  // Alert
      return action == "pass" ? 1 : 0;                          // Allowed
    };
    const int verdict = known(e.verdict), action = known(e.action);
    if (verdict != 0 || action != 0) {
      row.set<"disposition_id">(verdict != 0 ? verdict : action);
      if (e.verdict && verdict == 0) verdict_rest_.add_text("action", *e.verdict);
    } else if (const Text other = e.verdict ? e.verdict : e.action) {
      row.set<"disposition_id">(99), row.set<"disposition">(other);
    }
  }

  void flow(NetworkRow& row, const Event& e) {
    const auto start = lm::time::of_event(e.start), end = lm::time::of_event(e.end);
    row.set<"start_time">(start);
    row.set<"end_time">(end);
    if (start && end && *end >= *start) row.set<"duration">(*end - *start);
    if (e.start && !start) flow_rest_.add_text("start", *e.start);
    if (e.end && !end) flow_rest_.add_text("end", *e.end);
    row.set<"traffic.bytes">(e.bytes);
    row.set<"traffic.packets">(e.packets);
  }

  // The host of the request and its target; a proxy is asked for a whole URL.
  void url(NetworkRow& row, const Event& e) {
    if (!e.host && !e.url) return;
    const lm::http::Url parts = lm::http::url(e.url.value_or(""));
    row.set<"url.hostname">(e.host ? e.host : parts.hostname);
    row.set<"url.path">(parts.path);
    row.set<"url.query_string">(parts.query_string);
    if (parts.scheme || !e.host) {
      row.set<"url.url_string">(e.url);
    } else {
      url_.assign(*e.host).append(e.url.value_or(""));
      row.set<"url.url_string">(url_);
    }
  }

  // OCSF wants a version: "unknown" stands for it where at least the name of the server is known.
  void tls(NetworkRow& row, const Event& e) {
    const Text sni = e.tls_sni ? e.tls_sni : e.sni;
    if (e.tls_sni && e.sni && e.tls_sni != e.sni) event_rest_.add_text("sni", *e.sni);
    const bool undetermined = e.tls_version == "UNDETERMINED";
    if (undetermined) tls_rest_.add_text("version", *e.tls_version);
    if (e.tls_version && !undetermined) {
      row.set<"tls.version">(lm::http::tls_version(*e.tls_version));
    } else if (sni) {
      row.set<"tls.version">("unknown");
    }
    row.set<"tls.sni">(sni);
  }

  lm::json::Reader json_;
  lm::json::ObjectWriter rest_, event_rest_, alert_rest_, verdict_rest_, flow_rest_, tcp_rest_, http_rest_, tls_rest_, metadata_rest_;
  std::array<char, 32> small_{};
  std::string url_;
  lm::aws::Place place_;
  std::string_view key_log_;
};

LOGMILL_PARSERS(NetworkFirewall)
