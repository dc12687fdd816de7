// Logs of Elastic Load Balancing: access and connection logs of Application Load Balancers, access logs of Network and of Classic Load Balancers.
// Source: AWS, "User Guide for Application Load Balancers", "Access log entries", "Connection log entries", "Health check log entries"; "User Guide for Network Load
// Balancers", "Access log entries"; "User Guide for Classic Load Balancers", "Access log entries".
//
// A record is a line of fields in an order that AWS extends at the end. The fields of all but the NLB's may stand in quotes; access_line.hpp reads the lines in which a
// client may have written some.
#include "access_line.hpp"

#include <logmill/sdk.hpp>
#include <logmill/sdk/aws.hpp>
#include <logmill/sdk/fields.hpp>
#include <logmill/sdk/http.hpp>
#include <logmill/sdk/quoted.hpp>

namespace ocsf = lm::ocsf::v1_8;

namespace {

constexpr auto kAlbFields = lm::keys(
    "type", "time", "elb", "client:port", "target:port", "request_processing_time", "target_processing_time", "response_processing_time",
    "elb_status_code", "target_status_code", "received_bytes", "sent_bytes", "request", "user_agent", "ssl_cipher", "ssl_protocol",
    "target_group_arn", "trace_id", "domain_name", "chosen_cert_arn", "matched_rule_priority", "request_creation_time", "actions_executed",
    "redirect_url", "error_reason", "target:port_list", "target_status_code_list", "classification", "classification_reason",
    "conn_trace_id", "transformed_host", "transformed_uri", "request_transform_status", "ip_address");
constexpr auto kClbFields = lm::keys("timestamp", "elb", "client:port", "backend:port", "request_processing_time",
                                     "backend_processing_time", "response_processing_time", "elb_status_code", "backend_status_code",
                                     "received_bytes", "sent_bytes", "request", "user_agent", "ssl_cipher", "ssl_protocol");
constexpr auto kConnectionFields =
    lm::keys("timestamp", "client_ip", "client_port", "listener_port", "tls_protocol", "tls_cipher", "tls_handshake_latency",
             "leaf_client_cert_subject", "leaf_client_cert_validity", "leaf_client_cert_serial_number", "tls_verify_status",
             "conn_trace_id", "tls_keyexchange", "elb", "ip_address");
constexpr auto kNlbFields = lm::keys("type", "version", "time", "elb", "listener", "client:port", "destination:port", "connection_time",
                                     "tls_handshake_time", "received_bytes", "sent_bytes", "incoming_tls_alert", "chosen_cert_arn",
                                     "chosen_cert_serial", "tls_cipher", "tls_protocol_version", "tls_keyexchange", "domain_name",
                                     "alpn_fe_protocol", "alpn_be_protocol", "alpn_client_preference_list", "tls_connection_creation_time");

template <const auto& Fields>
consteval std::size_t column(std::string_view name) {
  return static_cast<std::size_t>(Fields.at(name));
}
consteval std::size_t alb(std::string_view name) { return column<kAlbFields>(name); }
consteval std::size_t clb(std::string_view name) { return column<kClbFields>(name); }
consteval std::size_t conn(std::string_view name) { return column<kConnectionFields>(name); }
consteval std::size_t nlb(std::string_view name) { return column<kNlbFields>(name); }

// ---- Forms of fields ----

bool is_absent(std::string_view text) { return lm::is(text, "-"); }
constexpr auto kOfCiphers = [] {
  std::array<bool, 256> of{};
  for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"))
    of[static_cast<unsigned char>(c)] = true;
  return of;
}();
bool is_cipher(std::string_view text) {
  bool all = !text.empty();
  for (const char c : text) all &= kOfCiphers[static_cast<unsigned char>(c)];
  return all;
}
bool is_protocol(std::string_view text) { return is_absent(text) || text.starts_with("TLS") || text.starts_with("SSL"); }
bool is_decimal(std::string_view text) { return lm::fixed(text, 0).has_value(); }
// An address and a port, or none.
bool is_place(std::string_view text) { return is_absent(text) || lm::net::is_ip(lm::net::host_port(text).host); }
bool is_count(std::string_view text) { return is_absent(text) || lm::integer(text).has_value(); }

struct AlbFormat {
  static constexpr std::size_t request = alb("request"), known = kAlbFields.names.size();
  static constexpr std::uint64_t quoted = [] {
    std::uint64_t bits = 0;
    for (const std::size_t i :
         {alb("request"), alb("user_agent"), alb("trace_id"), alb("domain_name"), alb("chosen_cert_arn"), alb("actions_executed"),
          alb("redirect_url"), alb("error_reason"), alb("target:port_list"), alb("target_status_code_list"), alb("classification"),
          alb("classification_reason"), alb("transformed_host"), alb("transformed_uri"), alb("request_transform_status")}) {
      bits |= std::uint64_t{1} << i;
    }
    return bits;
  }();
  static bool fits(std::size_t i, std::string_view text) {
    switch (i) {
      case alb("ssl_cipher"): return is_cipher(text);
      case alb("ssl_protocol"): return is_protocol(text);
      case alb("target_group_arn"): return is_absent(text) || text.starts_with("arn:");
      case alb("matched_rule_priority"): return is_count(text);
      case alb("request_creation_time"): return is_absent(text) || is_moment(text);
      case alb("conn_trace_id"):
      case alb("ip_address"): return !is_moment(text);
      default: return true;
    }
  }
  static elb::Tail tail(std::size_t n) {
    return n > request_creation_time ? elb::Tail::usual : n >= 2 ? elb::Tail::possible : elb::Tail::none;
  }

 private:
  static constexpr std::size_t request_creation_time = alb("request_creation_time") - alb("ssl_cipher");
  static bool is_moment(std::string_view text) { return text.size() > 19 && text[4] == '-' && text[7] == '-' && text[10] == 'T'; }
};

// Nothing was added to it since 2014.
struct ClbFormat {
  static constexpr std::size_t request = clb("request"), known = kClbFields.names.size();
  static constexpr std::uint64_t quoted = std::uint64_t{1} << clb("request") | std::uint64_t{1} << clb("user_agent");
  static bool fits(std::size_t i, std::string_view text) {
    return i == clb("ssl_cipher") ? is_cipher(text) : i == clb("ssl_protocol") ? is_protocol(text) : true;
  }
  static elb::Tail tail(std::size_t n) { return n == 2 ? elb::Tail::usual : n == 1 ? elb::Tail::none : elb::Tail::possible; }
};

// ---- Tables ----

constexpr auto kCommon = lm::columns({{"activity_id"},
                                      {"time"},
                                      lm::constant("severity_id", "1"),
                                      {"src_endpoint.ip"},
                                      {"src_endpoint.port"},
                                      {"traffic.bytes"},
                                      {"traffic.bytes_in"},
                                      {"traffic.bytes_out"},
                                      {"tls.version"},
                                      {"tls.cipher"},
                                      lm::constant("connection_info.direction_id", "1"),  // Inbound
                                      lm::constant("connection_info.protocol_num", "6"),
                                      {"cloud.account.uid"},
                                      {"cloud.account.type_id"},
                                      lm::constant("cloud.provider", "AWS"),
                                      {"cloud.region"},
                                      {"cloud.org.uid"},
                                      lm::plain("metadata.original_time"),
                                      {"metadata.log_name"},
                                      lm::constant("metadata.log_provider", "Elastic Load Balancing"),
                                      lm::constant("metadata.product.name", "Elastic Load Balancing"),
                                      lm::constant("metadata.product.vendor_name", "AWS"),
                                      {"unmapped"}});

// Of a line of which there are two readings.
constexpr auto kDoubt = lm::columns({{"metadata.debug[]"}, lm::plain("raw_data")});

constexpr auto kHttp = lm::columns({{"activity_name"},
                                    {"start_time"},
                                    {"duration"},
                                    {"status_id"},
                                    {"status_code"},
                                    {"load_balancer.dst_endpoint.ip"},
                                    {"load_balancer.dst_endpoint.port"},
                                    {"load_balancer.endpoint_connections[].network_endpoint.ip"},
                                    {"load_balancer.endpoint_connections[].network_endpoint.port"},
                                    {"load_balancer.endpoint_connections[].code"},
                                    {"load_balancer.code"},
                                    {"dst_endpoint.ip"},
                                    lm::same("load_balancer.ip", "dst_endpoint.ip"),
                                    {"dst_endpoint.port"},
                                    {"http_response.code"},
                                    {"http_response.length"},
                                    {"http_response.latency"},
                                    {"http_request.http_method"},
                                    {"http_request.version"},
                                    lm::plain("http_request.url.url_string"),
                                    {"http_request.url.scheme"},
                                    {"http_request.url.hostname"},
                                    {"http_request.url.port"},
                                    lm::plain("http_request.url.path"),
                                    lm::plain("http_request.url.query_string"),
                                    {"http_request.user_agent"},
                                    {"http_request.length"}});

constexpr auto kAlb = lm::table(ocsf::http_activity, lm::profiles("cloud", "load_balancer", "security_control"),
                                kCommon + kDoubt + kHttp +
                                    lm::columns({{"end_time"},
                                                 {"app_protocol_name"},
                                                 {"action_id"},
                                                 lm::same("disposition_id", "action_id"),  // Denied, Blocked
                                                 {"dst_endpoint.uid"},
                                                 lm::same("load_balancer.uid", "dst_endpoint.uid"),
                                                 {"load_balancer.name"},
                                                 {"load_balancer.dst_endpoint.uid"},
                                                 {"load_balancer.classification"},
                                                 {"load_balancer.status_detail"},
                                                 {"load_balancer.error_message"},
                                                 lm::same("status_detail", "load_balancer.error_message"),
                                                 lm::plain("http_request.uid"),
                                                 {"tls.sni"},
                                                 lm::plain("connection_info.uid"),
                                                 {"cloud.cloud_partition"},
                                                 lm::constant("metadata.product.feature.name", "ALB Access Logs")}));

constexpr auto kConnection = lm::table(ocsf::network_activity, lm::profiles("cloud", "load_balancer"),
                                       kCommon + kDoubt +
                                           lm::columns({{"status_id"},
                                                        {"status"},
                                                        {"status_code"},
                                                        {"dst_endpoint.uid"},
                                                        lm::same("load_balancer.uid", "dst_endpoint.uid"),
                                                        {"dst_endpoint.ip"},
                                                        lm::same("load_balancer.ip", "dst_endpoint.ip"),
                                                        {"dst_endpoint.port"},
                                                        {"load_balancer.name"},
                                                        {"tls.handshake_dur"},
                                                        lm::plain("connection_info.uid"),
                                                        lm::constant("metadata.product.feature.name", "ALB Connection Logs")}));

constexpr auto kNlb = lm::table(ocsf::network_activity, lm::profiles("cloud", "load_balancer"),
                                kCommon + lm::columns({{"start_time"},
                                                       {"end_time"},
                                                       {"duration"},
                                                       {"status_id"},
                                                       {"app_protocol_name"},
                                                       {"dst_endpoint.uid"},
                                                       lm::same("load_balancer.uid", "dst_endpoint.uid"),
                                                       {"dst_endpoint.ip"},
                                                       {"dst_endpoint.port"},
                                                       {"load_balancer.name"},
                                                       {"tls.sni"},
                                                       {"tls.handshake_dur"},
                                                       {"tls.alert"},
                                                       {"cloud.cloud_partition"},
                                                       {"metadata.log_version"},
                                                       lm::constant("metadata.product.feature.name", "NLB Access Logs")}));

constexpr auto kClbName = lm::columns({{"dst_endpoint.name"},
                                       lm::same("load_balancer.name", "dst_endpoint.name"),
                                       lm::constant("metadata.product.feature.name", "CLB Access Logs")});
constexpr auto kClbHttp = lm::table(ocsf::http_activity, lm::profiles("cloud", "load_balancer"), kCommon + kDoubt + kHttp + kClbName);
constexpr auto kClbTcp = lm::table(ocsf::network_activity, lm::profiles("cloud", "load_balancer"),
                                   kCommon + kDoubt + kClbName +
                                       lm::columns({{"start_time"},
                                                    {"duration"},
                                                    {"load_balancer.dst_endpoint.ip"},
                                                    {"load_balancer.dst_endpoint.port"},
                                                    {"dst_endpoint.ip"},
                                                    lm::same("load_balancer.ip", "dst_endpoint.ip")}));

// ---- Mapping ----

constexpr std::int64_t kMostBytes = INT64_MAX / 2;  // two of them have a sum

// The parts of an ARN that say where it is. Most records name the one that the record before them named.
class Arn {
 public:
  bool read(std::string_view arn) {
    if (!arn.starts_with("arn:")) return false;
    if (lm::detail::same_text(arn, text_)) return true;
    text_ = arn;
    partition = lm::aws::arn_part(text_, 1), region = lm::aws::arn_part(text_, 3), account = lm::aws::arn_part(text_, 4);
    if (!lm::aws::is_account(account)) account = {};
    return true;
  }
  std::string_view partition, region, account;

 private:
  std::string text_;
};

// What the parsers have in common: the fields of the record at hand, what the object's key says, and what is left for `unmapped`.
template <const auto& Fields>
class Mapper {
 protected:
  // What the object's key says holds for all records of a block.
  void begin_block(lm::Record record) {
    place_ = lm::aws::Place::of(record), key_node_ = record.capture("node");
    key_elb_.clear();
    if (const std::string_view name = record.capture("elb"); !name.empty()) {
      key_elb_.append("app/").append(name);
      std::replace(key_elb_.begin(), key_elb_.end(), '.', '/');
    }
  }
  void begin_record(const std::string_view* values) {
    values_ = values;
    unmapped_.clear();
  }

  std::string_view raw(std::size_t i) const { return values_[i]; }
  lm::Text text(std::size_t i) const { return lm::present(values_[i]); }
  void keep(std::size_t i) { lm::keep(unmapped_, Fields.names[i], values_[i]); }

  lm::Maybe<std::int64_t> number(std::size_t i, std::int64_t most = kMostBytes) {
    return lm::integer_or_keep(unmapped_, Fields.names[i], values_[i], most);
  }
  // A time, or its text in `unmapped`.
  lm::Maybe<std::int64_t> moment(std::size_t i) {
    const auto time = lm::time::of_event(text(i), true);
    if (!time) keep(i);
    return time;
  }
  // "address:port"; what is none goes to `unmapped`.
  template <lm::detail::FixedString Ip, lm::detail::FixedString Port, class Row>
  void endpoint(Row& row, std::size_t i) {
    const auto value = text(i);
    if (!value) return;
    const lm::net::HostPort place = lm::net::host_port(*value);
    if (row.template set<Ip>(place.host)) {
      row.template set<Port>(place.port);
    } else {
      keep(i);
    }
  }

  // Clients are many: their dictionary entry is fetched while the rest of the row is made.
  template <class Row>
  void expect_client(Row& row, std::size_t i) {
    row.template expect<"src_endpoint.ip">(lm::net::host_port(raw(i)).host);
  }
  template <class Row>
  void client(Row& row, std::size_t i) {
    endpoint<"src_endpoint.ip", "src_endpoint.port">(row, i);
  }

  template <class Row>
  void common(Row& row, std::int64_t time, std::size_t time_field) {
    row.template set<"time">(time);
    row.template set<"metadata.original_time">(raw(time_field));
    if (!place_.log_group.empty()) row.template set<"metadata.log_name">(place_.log_group);
  }
  // Account and region are those of the ARN, else of the key.
  template <class Row>
  void cloud(Row& row, std::string_view arn = {}) {
    lm::Text account, region;
    if (arn_.read(arn)) {
      if (!arn_.account.empty()) account = arn_.account;
      if (!arn_.region.empty()) region = arn_.region;
      if constexpr (Row::template has<"cloud.cloud_partition">) {
        if (!arn_.partition.empty()) row.template set<"cloud.cloud_partition">(arn_.partition);
      }
    }
    place_.set(row, account, region);
  }

  // "app/name/id" is the load balancer's uid. False: neither the record nor the object's name has it.
  template <class Row>
  bool balancer(Row& row, std::size_t i) {
    std::string_view uid = text(i).value_or(key_elb_);
    if (uid.empty()) return false;
    row.template set<"dst_endpoint.uid">(uid);
    if (const std::size_t slash = uid.find('/'); slash != uid.npos) {
      const std::string_view name = lm::before(uid.substr(slash + 1), '/');
      if (!name.empty()) row.template set<"load_balancer.name">(name);
    }
    return true;
  }
  // The node's address stands in the record or in the object's name.
  template <class Row>
  bool node(Row& row, lm::Text logged = {}) {
    if (logged && row.template set<"dst_endpoint.ip">(*logged)) return true;
    if (logged) unmapped_.add_text("ip_address", *logged);
    return !key_node_.empty() && row.template set<"dst_endpoint.ip">(key_node_);
  }

  struct Bytes {
    lm::Maybe<std::int64_t> received, sent;
  };
  // The client is the source: what the load balancer received from it went out.
  template <class Row>
  Bytes traffic(Row& row, std::size_t received, std::size_t sent) {
    const Bytes bytes{number(received), number(sent)};
    row.template set<"traffic.bytes_out">(bytes.received);
    row.template set<"traffic.bytes_in">(bytes.sent);
    if (bytes.received && bytes.sent) row.template set<"traffic.bytes">(*bytes.received + *bytes.sent);
    return bytes;
  }

  // False: there was no TLS.
  template <class Row>
  bool tls(Row& row, std::size_t protocol, std::size_t cipher) {
    const auto version = text(protocol);
    if (!version) {
      keep(cipher);
      return false;
    }
    row.template set<"tls.version">(lm::http::tls_version(*version));
    row.template set<"tls.cipher">(text(cipher));
    return true;
  }

  struct Times {
    lm::Maybe<std::int64_t> sum;  // of those that were measured, in milliseconds
    bool all = true;
  };
  // Seconds; -1 says that the request did not get that far. They are kept as they stand: the sum hides them.
  Times times(std::size_t first) {
    Times out;
    std::int64_t sum = 0;
    bool any = false;
    for (std::size_t i = first; i < first + 3; ++i) {
      const auto micros = lm::fixed(raw(i), 6);
      if (micros && *micros >= 0 && *micros <= kMostMicros) {
        sum += *micros, any = true;
      } else {
        out.all = false;
      }
      keep(i);
    }
    if (any) out.sum = (sum + 500) / 1000;
    return out;
  }

  // `placed`: the load balancer has a name or an address, so that its port may stand beside it.
  template <class Row>
  void request(Row& row, const lm::http::RequestLine& request, bool placed) {
    const int activity = lm::http::activity_id(request.method.value_or(""));
    row.template set<"activity_id">(activity);
    if (activity == 99) row.template set<"activity_name">(*request.method);
    row.template set<"http_request.http_method">(request.method);
    row.template set<"http_request.version">(request.version);
    if (!request.target) return;
    std::string_view target = *request.target;
    lm::http::Url url = lm::http::url(target);
    if (!request.method && !url.port && target.ends_with('-')) {
      // Of what was no HTTP the path is "-": "- http://www.example.com:80- ".
      const std::string_view without = target.substr(0, target.size() - 1);
      if (const lm::http::Url place = lm::http::url(without); place.port && !place.path) url = place, target = without;
    }
    row.template set<"http_request.url.url_string">(target);
    row.template set<"http_request.url.scheme">(url.scheme);
    row.template set<"http_request.url.hostname">(url.hostname);
    row.template set<"http_request.url.port">(url.port);
    row.template set<"http_request.url.path">(url.path);
    row.template set<"http_request.url.query_string">(url.query_string);
    if (placed) row.template set<"dst_endpoint.port">(url.port);
  }

  // Agent, sizes and status. False: there is nothing of a request nor of a response.
  template <class Row>
  bool exchange(Row& row, const lm::http::RequestLine& request, std::size_t agent, std::size_t status, const Bytes& bytes,
                const Times& times) {
    bool any = request.method || request.target || request.version;
    if (const auto value = text(agent)) any |= row.template set<"http_request.user_agent">(lm::unquoted(*value, buffer_));
    if (row.template set<"http_request.length">(bytes.received)) any = true;
    const auto code = number(status, 999);
    row.template set<"status_id">(lm::http::status_id(code));
    if (code) {
      row.template set<"status_code">(raw(status));
      row.template set<"load_balancer.code">(*code);
      row.template set<"http_response.code">(*code);
      row.template set<"http_response.length">(bytes.sent);
      if (times.all) row.template set<"http_response.latency">(times.sum);
      any = true;
    }
    row.template set<"duration">(times.sum);
    return any;
  }

  // Fields that are not known yet, and of what a client may have made two readings, the bytes.
  template <class Row>
  void rest(lm::Record record, Row& row, std::string_view surplus, std::string_view doubt = {}) {
    if (!surplus.empty() && !elb::are_placeholders(surplus)) {
      unmapped_.add_text("extra", surplus);
      record.drift("extra");
    }
    if constexpr (Row::template has<"raw_data">) {
      if (!doubt.empty()) {
        row.template push<"metadata.debug">(doubt);
        row.template set<"raw_data">(record.text());
      }
    }
    if (const auto rest = unmapped_.finish(); !rest.empty()) row.template set<"unmapped">(rest);
  }

  lm::json::ObjectWriter unmapped_;
  std::string buffer_;

 private:
  static constexpr std::int64_t kMostMicros = INT64_MAX / 8;

  const std::string_view* values_ = nullptr;
  lm::aws::Place place_;
  std::string_view key_node_;
  std::string key_elb_;  // "app/name/id", of the object's name, which has "app.name.id"
  Arn arn_;
};

using Words = std::array<std::string_view, 12>;

bool is_alb_line(std::string_view line) {
  Words f;
  return lm::split(line, ' ', f) >= f.size() && lm::time::rfc3339(f[1]) && f[2].starts_with("app/") && is_place(f[3]) && is_place(f[4]);
}

bool is_health_check_line(std::string_view line) {
  Words f;
  const std::size_t n = lm::split(line, ' ', f);
  return n >= 8 && lm::time::rfc3339(f[1]) && is_decimal(f[2]) && (lm::is(f[5], "PASS") || lm::is(f[5], "FAIL"));
}

bool is_connection_line(std::string_view line) {
  Words f;
  if (lm::split(line, ' ', f) < 11 || !lm::time::rfc3339(f[0]) || !lm::net::is_ip(f[1])) return false;
  return lm::integer<std::uint16_t>(f[2]) && lm::integer<std::uint16_t>(f[3]) && is_protocol(f[4]) && is_cipher(f[5]);
}

bool is_nlb_line(std::string_view line) {
  Words f;
  return lm::split(line, ' ', f) >= 16 && lm::is(f[0], "tls") && is_decimal(f[1]) && lm::time::rfc3339(f[2], true) &&
         f[3].starts_with("net/");
}

bool is_clb_line(std::string_view line) {
  Words f;
  if (lm::split(line, ' ', f) < f.size() || !lm::time::rfc3339(f[0]) || !is_cipher(f[1]) || !f[11].starts_with('"')) return false;
  for (const std::size_t i : {4, 5, 6}) {
    if (!is_decimal(f[i])) return false;
  }
  for (const std::size_t i : {7, 8, 9, 10}) {
    if (!is_count(f[i])) return false;
  }
  return is_place(f[2]) && is_place(f[3]);
}

}  // namespace

struct Alb : private Mapper<kAlbFields> {
  static constexpr lm::Descriptor descriptor{.id = "aws.alb",
                                             .title = "Application Load Balancer access logs",
                                             .vendor = "AWS",
                                             .version = "1.0.0",
                                             .reads = "Access log lines of 12 to 34 fields, and of those that AWS will append",
                                             .framing = lm::Framing::lines};
  static constexpr auto keys =
      lm::strings("AWSLogs/{account}/elasticloadbalancing/{region}/**_app.{elb}_20*Z_{node}_*",
                  "AWSLogs/{org}/{account}/elasticloadbalancing/{region}/**_app.{elb}_20*Z_{node}_*",
                  "AWSLogs/{account}/elasticloadbalancing/{region}/**", "AWSLogs/{org}/{account}/elasticloadbalancing/{region}/**");
  static int score(lm::Sample s) { return s.line_score(is_alb_line); }

  void parse(lm::Record record, lm::Rows<kAlb>& rows) {
    if (record.starts_block()) begin_block(record);
    if (!line_.read(record.text())) return record.reject(lm::malformed, "fewer than 12 fields");
    begin_record(line_.data());
    const auto created = moment(alb("request_creation_time")), ended = moment(alb("time"));
    if (!created && !ended) return record.reject(lm::malformed, "neither 'time' nor 'request_creation_time' is a time");

    auto row = rows.begin(record);
    expect_client(row, alb("client:port"));
    common(row, created ? *created : *ended, created ? alb("request_creation_time") : alb("time"));
    row.set<"start_time">(created);
    row.set<"end_time">(ended);
    if (created && ended && is_finer(raw(alb("time")))) keep(alb("time"));
    row.set<"app_protocol_name">(text(alb("type")));
    cloud(row, text(alb("target_group_arn")) ? raw(alb("target_group_arn")) : raw(alb("chosen_cert_arn")));
    const bool balanced = balancer(row, alb("elb")), placed = node(row, text(alb("ip_address"))) || balanced;

    const Times took = times(alb("request_processing_time"));
    keep(alb("target_status_code"));
    const Bytes bytes = traffic(row, alb("received_bytes"), alb("sent_bytes"));
    const lm::http::RequestLine asked = lm::http::request_line(raw(alb("request")));
    request(row, asked, placed);
    const bool traced = row.set<"http_request.uid">(text(alb("trace_id")));
    if (!exchange(row, asked, alb("user_agent"), alb("elb_status_code"), bytes, took) && !traced)
      return record.reject(lm::malformed, "neither a request nor a status");

    client(row, alb("client:port"));
    endpoint<"load_balancer.dst_endpoint.ip", "load_balancer.dst_endpoint.port">(row, alb("target:port"));
    row.set<"load_balancer.dst_endpoint.uid">(text(alb("target_group_arn")));
    targets(row);
    row.set<"load_balancer.classification">(text(alb("classification")));
    row.set<"load_balancer.status_detail">(text(alb("classification_reason")));
    row.set<"load_balancer.error_message">(text(alb("error_reason")));
    if (tls(row, alb("ssl_protocol"), alb("ssl_cipher"))) {
      row.set<"tls.sni">(text(alb("domain_name")));
    } else {
      keep(alb("domain_name"));
    }
    row.set<"connection_info.uid">(text(alb("conn_trace_id")));
    if (lm::is(lm::after_last(raw(alb("actions_executed")), ','), "waf")) row.set<"action_id">(2);
    for (const std::size_t i : {alb("chosen_cert_arn"), alb("matched_rule_priority"), alb("actions_executed"), alb("redirect_url"),
                                alb("transformed_host"), alb("transformed_uri"), alb("request_transform_status")}) {
      keep(i);
    }
    rest(record, row, line_.surplus(), line_.doubt());
  }

 private:
  // Whether a time has digits beyond its milliseconds.
  static bool is_finer(std::string_view time) {
    constexpr std::size_t kMilliseconds = 23;  // 2026-03-01T12:00:00.186
    return time.size() > kMilliseconds && time.find_first_of("123456789", kMilliseconds) != time.npos;
  }

  // The targets that were tried and what they answered, one each.
  template <class Row>
  void targets(Row& row) {
    std::array<std::string_view, 16> places, codes;
    const std::size_t n = split_list(raw(alb("target:port_list")), places), m = split_list(raw(alb("target_status_code_list")), codes);
    const auto is_code = [](std::string_view code) {
      const auto value = lm::integer(code);
      return is_absent(code) || (value && *value >= 0 && *value <= 999);
    };
    if (n > places.size() || m > codes.size() || !std::all_of(places.begin(), places.begin() + static_cast<std::ptrdiff_t>(n), is_place) ||
        !std::all_of(codes.begin(), codes.begin() + static_cast<std::ptrdiff_t>(m), is_code)) {
      keep(alb("target:port_list"));
      keep(alb("target_status_code_list"));
      return;
    }
    for (std::size_t i = 0; i < std::max(n, m); ++i) {
      const lm::Text place = i < n ? lm::present(places[i]) : lm::Text(), code = i < m ? lm::present(codes[i]) : lm::Text();
      if (!place && !code) continue;
      auto connection = row.template push<"load_balancer.endpoint_connections">();
      if (place) {
        const lm::net::HostPort target = lm::net::host_port(*place);
        connection.template set<"network_endpoint.ip">(target.host);
        connection.template set<"network_endpoint.port">(target.port);
      }
      if (code) connection.template set<"code">(lm::integer(*code));
    }
  }
  static std::size_t split_list(std::string_view list, std::span<std::string_view> out) {
    return lm::present(list) ? lm::split(list, ' ', out) : 0;
  }

  elb::AccessLine<AlbFormat> line_;
};

// A line for each connection that a client attempted.
struct AlbConnection : private Mapper<kConnectionFields> {
  static constexpr lm::Descriptor descriptor{.id = "aws.alb_connection",
                                             .title = "Application Load Balancer connection logs",
                                             .vendor = "AWS",
                                             .version = "1.0.0",
                                             .reads = "Connection log lines of 11 to 15 fields, and of those that AWS will append",
                                             .framing = lm::Framing::lines};
  static constexpr auto keys =
      lm::strings("AWSLogs/{account}/elasticloadbalancing/{region}/**/conn_log*_app.{elb}_20*Z_{node}_*",
                  "AWSLogs/{org}/{account}/elasticloadbalancing/{region}/**/conn_log*_app.{elb}_20*Z_{node}_*",
                  "AWSLogs/{account}/elasticloadbalancing/{region}/**", "AWSLogs/{org}/{account}/elasticloadbalancing/{region}/**");
  static int score(lm::Sample s) { return s.line_score(is_connection_line); }

  void parse(lm::Record record, lm::Rows<kConnection>& rows) {
    if (record.starts_block()) begin_block(record);
    if (!read(record.text()))
      return record.reject(lm::malformed, "fewer than 7 fields in front of the certificate's subject, or 11 in all");
    begin_record(fields_.data());
    const auto time = moment(conn("timestamp"));
    if (!time) return record.reject(lm::malformed, "'timestamp' is not a time");

    auto row = rows.begin(record);
    common(row, *time, conn("timestamp"));
    cloud(row);
    if (row.set<"src_endpoint.ip">(text(conn("client_ip")))) {
      row.set<"src_endpoint.port">(number(conn("client_port"), 65535));
    } else {
      keep(conn("client_ip"));
      keep(conn("client_port"));
    }
    const bool balanced = balancer(row, conn("elb"));
    if (node(row, text(conn("ip_address"))) || balanced) {
      row.set<"dst_endpoint.port">(number(conn("listener_port"), 65535));
    } else {
      keep(conn("listener_port"));  // OCSF has no endpoint that is a port alone
    }

    if (tls(row, conn("tls_protocol"), conn("tls_cipher"))) {
      // Seconds, as documented.
      const auto latency = lm::fixed(raw(conn("tls_handshake_latency")), 3);
      if (!latency || *latency < 0 || !row.set<"tls.handshake_dur">(*latency)) keep(conn("tls_handshake_latency"));
    } else {
      keep(conn("tls_handshake_latency"));
    }
    verified(row);
    row.set<"connection_info.uid">(text(conn("conn_trace_id")));
    // A certificate has an issuer in OCSF, which is not logged.
    for (const std::size_t i : {conn("leaf_client_cert_subject"), conn("leaf_client_cert_validity"), conn("leaf_client_cert_serial_number"),
                                conn("tls_keyexchange")}) {
      keep(i);
    }
    rest(record, row, surplus_, doubt_);
  }

 private:
  static constexpr std::size_t kSubject = conn("leaf_client_cert_subject"), kLeast = conn("tls_verify_status") + 1;

  // Whether the client's certificate was accepted; where none was asked for, the field is "-".
  template <class Row>
  void verified(Row& row) {
    const std::string_view status = raw(conn("tls_verify_status"));
    if (status.starts_with("Failed")) {
      row.template set<"activity_id">(4);  // Fail
      row.template set<"status_id">(2);
      const std::size_t colon = status.find(':');
      if (colon != status.npos && colon + 1 < status.size()) row.template set<"status_code">(status.substr(colon + 1));
      return;
    }
    row.template set<"activity_id">(1);  // Open
    if (status.empty()) {
      row.template set<"status_id">(0);  // the line was cut off
    } else if (is_absent(status) || lm::is(status, "Success")) {
      row.template set<"status_id">(1);
      keep(conn("tls_verify_status"));  // that there was a certificate
    } else {
      row.template set<"status_id">(99);
      row.template set<"status">(status);
    }
  }

  // The subject, which is what a client sent, is the only field in quotes: it begins at the first quote of the line and ends at the last one. Should AWS append a field in
  // quotes, a line is read from the left.
  bool read(std::string_view line) {
    surplus_ = doubt_ = {};
    const std::size_t first = line.find('"'), last = line.rfind('"');
    std::size_t count = 0;
    if (first < last && last != line.npos && lm::split(line.substr(0, first), ' ', std::span(fields_).first(kSubject)) == kSubject) {
      const std::span<std::string_view> behind(fields_.begin() + kSubject + 1, fields_.end());
      const std::size_t n = lm::split(line.substr(last + 1), ' ', behind);
      if (n + kSubject + 1 >= kLeast && fits(fields_[kSubject + 1])) {
        fields_[kSubject] = line.substr(first + 1, last - first - 1);
        count = kSubject + 1 + n;
        if (n > behind.size()) set_surplus(line);
      }
    }
    if (count == 0) {
      const lm::QuotedFields got = lm::split_quoted(line, fields_);
      count = got.count;
      if (!got.closed) {
        if (count <= kSubject) return false;
        doubt_ = "truncated: the line ends within quotes";
      } else {
        if (count < kLeast) return false;
        if (count > fields_.size()) set_surplus(line);
        constexpr std::uint64_t kOthers = ((std::uint64_t{1} << kConnectionFields.names.size()) - 1) & ~(std::uint64_t{1} << kSubject);
        if ((got.quoted & kOthers) != 0 || !fits(fields_[kSubject + 1]))
          doubt_ = "ambiguous: the fields do not fit the columns of this log";
      }
    }
    for (std::size_t i = count; i < fields_.size(); ++i) fields_[i] = {};
    return true;
  }
  // Whether it can be what stands behind the subject, the validity.
  static bool fits(std::string_view text) { return is_absent(text) || text.starts_with("NotBefore="); }
  void set_surplus(std::string_view line) {
    const std::string_view last = fields_.back();
    surplus_ = line.substr(static_cast<std::size_t>(last.data() + last.size() - line.data()));
    if (surplus_.starts_with('"')) surplus_.remove_prefix(1);
    surplus_ = lm::trim(surplus_);
  }

  std::array<std::string_view, kConnectionFields.names.size()> fields_;
  std::string_view surplus_, doubt_;
};

// What a load balancer found when it asked its targets for their health; operations, no events.
struct AlbHealthCheck {
  static constexpr lm::Descriptor descriptor{.id = "aws.alb_health_check",
                                             .title = "Application Load Balancer health check logs",
                                             .vendor = "AWS",
                                             .version = "1.0.0",
                                             .reads = "health of targets, no events",
                                             .framing = lm::Framing::lines,
                                             .kind = lm::Kind::set_aside};
  static constexpr auto keys = lm::strings("AWSLogs/{account}/elasticloadbalancing/{region}/**/health_check_log*",
                                           "AWSLogs/{org}/{account}/elasticloadbalancing/{region}/**/health_check_log*");
  static int score(lm::Sample s) { return s.line_score(is_health_check_line); }
};

// A line for each TLS connection, when it has ended. Nothing stands in quotes: those of the ALPN list belong to it.
struct Nlb : private Mapper<kNlbFields> {
  static constexpr lm::Descriptor descriptor{
      .id = "aws.nlb",
      .title = "Network Load Balancer access logs",
      .vendor = "AWS",
      .version = "1.0.0",
      .reads = "Access log lines of TLS listeners, versions 1.0 and 2.0, and of fields that AWS will append",
      .framing = lm::Framing::lines};
  static constexpr auto keys =
      lm::strings("AWSLogs/{account}/elasticloadbalancing/{region}/**_net.*_20*Z_*",
                  "AWSLogs/{org}/{account}/elasticloadbalancing/{region}/**_net.*_20*Z_*",
                  "AWSLogs/{account}/elasticloadbalancing/{region}/**", "AWSLogs/{org}/{account}/elasticloadbalancing/{region}/**");
  static int score(lm::Sample s) { return s.line_score(is_nlb_line); }

  void parse(lm::Record record, lm::Rows<kNlb>& rows) {
    if (record.starts_block()) begin_block(record);
    if (!read(record.text())) return record.reject(lm::malformed, "fewer than 16 fields");
    begin_record(fields_.data());
    const auto ended = moment(nlb("time")), created = moment(nlb("tls_connection_creation_time"));
    if (!created && !ended) return record.reject(lm::malformed, "neither 'time' nor 'tls_connection_creation_time' is a time");

    auto row = rows.begin(record);
    common(row, created ? *created : *ended, created ? nlb("tls_connection_creation_time") : nlb("time"));
    row.set<"start_time">(created);
    row.set<"end_time">(ended);
    row.set<"duration">(number(nlb("connection_time")));
    row.set<"metadata.log_version">(text(nlb("version")));
    cloud(row, raw(nlb("chosen_cert_arn")));
    client(row, nlb("client:port"));
    endpoint<"dst_endpoint.ip", "dst_endpoint.port">(row, nlb("destination:port"));
    balancer(row, nlb("elb"));
    traffic(row, nlb("received_bytes"), nlb("sent_bytes"));

    const bool failed = !text(nlb("tls_cipher")) && !text(nlb("tls_protocol_version"));
    row.set<"activity_id">(failed ? 4 : 6);  // Fail, Traffic
    row.set<"status_id">(failed ? 2 : 1);
    if (tls(row, nlb("tls_protocol_version"), nlb("tls_cipher"))) {
      if (const auto name = text(nlb("domain_name"))) row.set<"tls.sni">(lm::http::percent_decoded(*name, buffer_));
      row.set<"tls.handshake_dur">(number(nlb("tls_handshake_time"), INT32_MAX));
      row.set<"tls.alert">(number(nlb("incoming_tls_alert"), INT32_MAX));
    } else {
      for (const std::size_t i : {nlb("domain_name"), nlb("tls_handshake_time"), nlb("incoming_tls_alert")}) keep(i);
    }
    row.set<"app_protocol_name">(text(nlb("alpn_fe_protocol")));
    for (const std::size_t i : {nlb("type"), nlb("listener"), nlb("chosen_cert_arn"), nlb("chosen_cert_serial"), nlb("tls_keyexchange"),
                                nlb("alpn_be_protocol"), nlb("alpn_client_preference_list")}) {
      keep(i);
    }
    rest(record, row, surplus_);
  }

 private:
  static constexpr std::size_t kCreated = nlb("tls_connection_creation_time"), kLeast = nlb("tls_protocol_version") + 1;

  bool read(std::string_view line) {
    surplus_ = {};
    const std::size_t count = lm::split(line, ' ', fields_);
    if (count < kLeast) return false;
    for (std::size_t i = count; i < fields_.size(); ++i) fields_[i] = {};
    if (count <= kCreated && lm::time::rfc3339(fields_[count - 1], true)) std::swap(fields_[count - 1], fields_[kCreated]);
    if (count > fields_.size()) {
      const std::string_view last = fields_.back();
      surplus_ = lm::trim(line.substr(static_cast<std::size_t>(last.data() + last.size() - line.data())));
    }
    return true;
  }

  std::array<std::string_view, kNlbFields.names.size()> fields_;
  std::string_view surplus_;
};

// HTTP and HTTPS listeners log requests, TCP and SSL listeners connections.
struct Clb : private Mapper<kClbFields> {
  static constexpr lm::Descriptor descriptor{.id = "aws.clb",
                                             .title = "Classic Load Balancer access logs",
                                             .vendor = "AWS",
                                             .version = "1.0.0",
                                             .reads = "Access log lines of 12 or 15 fields, of HTTP and of TCP listeners",
                                             .framing = lm::Framing::lines};
  static constexpr auto keys =
      lm::strings("AWSLogs/{account}/elasticloadbalancing/{region}/**_20*Z_{node}_*",
                  "AWSLogs/{org}/{account}/elasticloadbalancing/{region}/**_20*Z_{node}_*",
                  "AWSLogs/{account}/elasticloadbalancing/{region}/**", "AWSLogs/{org}/{account}/elasticloadbalancing/{region}/**");
  static int score(lm::Sample s) { return s.line_score(is_clb_line); }

  void parse(lm::Record record, lm::Rows<kClbHttp>& requests, lm::Rows<kClbTcp>& connections) {
    if (record.starts_block()) begin_block(record);
    if (!line_.read(record.text())) return record.reject(lm::malformed, "fewer than 11 fields");
    begin_record(line_.data());
    const auto time = moment(clb("timestamp"));
    if (!time) return record.reject(lm::malformed, "'timestamp' is not a time");
    // Connections are logged as requests of which all is absent.
    const auto asked = lm::http::request_line(raw(clb("request")));
    if (!asked.method && !asked.target && !asked.version && !text(clb("elb_status_code"))) {
      auto row = connections.begin(record);
      row.set<"activity_id">(6);  // Traffic
      listener(row, *time);
      client(row, clb("client:port"));
      row.set<"duration">(times(clb("request_processing_time")).sum);
      traffic(row, clb("received_bytes"), clb("sent_bytes"));
      keep(clb("backend_status_code"));
      keep(clb("user_agent"));
      return rest(record, row, line_.surplus(), line_.doubt());
    }
    auto row = requests.begin(record);
    expect_client(row, clb("client:port"));
    const bool placed = listener(row, *time);
    const Times took = times(clb("request_processing_time"));
    const Bytes bytes = traffic(row, clb("received_bytes"), clb("sent_bytes"));
    request(row, asked, placed);
    if (!exchange(row, asked, clb("user_agent"), clb("elb_status_code"), bytes, took))
      return record.reject(lm::malformed, "neither a request nor a status");
    client(row, clb("client:port"));
    if (const auto code = number(clb("backend_status_code"), 999)) {
      auto connection = row.push<"load_balancer.endpoint_connections">();
      connection.set<"code">(*code);
      const lm::net::HostPort backend = lm::net::host_port(raw(clb("backend:port")));
      if (connection.set<"network_endpoint.ip">(backend.host)) connection.set<"network_endpoint.port">(backend.port);
    }
    rest(record, row, line_.surplus(), line_.doubt());
  }

 private:
  // What requests and connections have in common. Answers whether the load balancer has a name or an address.
  template <class Row>
  bool listener(Row& row, std::int64_t time) {
    common(row, time, clb("timestamp"));
    row.template set<"start_time">(time);
    cloud(row);
    const bool named = row.template set<"dst_endpoint.name">(text(clb("elb"))), placed = node(row) || named;
    endpoint<"load_balancer.dst_endpoint.ip", "load_balancer.dst_endpoint.port">(row, clb("backend:port"));
    tls(row, clb("ssl_protocol"), clb("ssl_cipher"));
    return placed;
  }

  elb::AccessLine<ClbFormat> line_;
};

LOGMILL_PARSERS(Alb, AlbConnection, AlbHealthCheck, Nlb, Clb)
