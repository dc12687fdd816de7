// Logs of Elastic Load Balancing: access and connection logs of Application Load Balancers, access logs of Network and of Classic Load Balancers.
// Source: AWS, "User Guide for Application Load Balancers", "Access log entries", "Connection log entries", "Health check log entries"; "User Guide for Network Load
// Balancers", "Access log entries"; "User Guide for Classic Load Balancers", "Access log entries".
//
// A record is a line of fields in an order that AWS extends at the end. The fields of all but the NLB's may stand in quotes; access_line.hpp reads the lines in which a
// client may have written some.
#include "access_line.hpp"

#include <logmill/sdk.hpp>
#include <logmill/sdk/aws.hpp>
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
bool is_cipher(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const char low = lm::lower(c);
    return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}
bool is_protocol(std::string_view text) { return is_absent(text) || text.starts_with("TLS") || text.starts_with("SSL"); }
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
                                      {"metadata.debug[]"},
                                      lm::constant("metadata.log_provider", "Elastic Load Balancing"),
                                      lm::constant("metadata.product.name", "Elastic Load Balancing"),
                                      lm::constant("metadata.product.vendor_name", "AWS"),
                                      lm::plain("raw_data"),
                                      {"unmapped"}});

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
                                kCommon + kHttp +
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
                                       kCommon + lm::columns({{"status_id"},
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
constexpr auto kClbHttp = lm::table(ocsf::http_activity, lm::profiles("cloud", "load_balancer"), kCommon + kHttp + kClbName);
constexpr auto kClbTcp = lm::table(ocsf::network_activity, lm::profiles("cloud", "load_balancer"),
                                   kCommon + kClbName +
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
    key_account_ = record.capture("account"), key_region_ = record.capture("region"), key_org_ = record.capture("org");
    log_group_ = record.capture("log_group"), key_node_ = record.capture("node");
    key_elb_ = record.capture("elb");
    std::replace(key_elb_.begin(), key_elb_.end(), '.', '/');
  }
  void begin_record(const std::string_view* values) {
    values_ = values;
    unmapped_.clear();
  }

  std::string_view raw(std::size_t i) const { return values_[i]; }
  lm::Text text(std::size_t i) const { return lm::present(values_[i]); }
  void keep(std::size_t i) {
    if (const auto value = text(i)) unmapped_.add_text(Fields.names[i], *value);
  }

  // A number, or its text in `unmapped`.
  lm::Maybe<std::int64_t> number(std::size_t i, std::int64_t most = kMostBytes) {
    const auto value = text(i);
    if (!value) return std::nullopt;
    const auto n = lm::integer(*value, lm::in_record);
    if (n && *n >= 0 && *n <= most) return n;
    keep(i);
    return std::nullopt;
  }
  // A time, or its text in `unmapped`.
  lm::Maybe<std::int64_t> moment(std::size_t i) {
    const auto value = text(i);
    if (!value) return std::nullopt;
    const auto time = lm::time::rfc3339(*value, true);
    if (time && lm::time::plausible(*time)) return time;
    keep(i);
    return std::nullopt;
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

  template <class Row>
  void common(Row& row, std::int64_t time, std::size_t time_field) {
    row.template set<"time">(time);
    row.template set<"metadata.original_time">(raw(time_field));
    if (!log_group_.empty()) row.template set<"metadata.log_name">(log_group_);
    if (!key_org_.empty()) row.template set<"cloud.org.uid">(key_org_);
  }
  // Account and region are those of the ARN, else of the key.
  template <class Row>
  void cloud(Row& row, std::string_view arn = {}) {
    std::string_view account = key_account_, region = key_region_;
    if (arn_.read(arn)) {
      if (!arn_.account.empty()) account = arn_.account;
      if (!arn_.region.empty()) region = arn_.region;
      if constexpr (Row::template has<"cloud.cloud_partition">) {
        if (!arn_.partition.empty()) row.template set<"cloud.cloud_partition">(arn_.partition);
      }
    }
    if (!account.empty()) {
      row.template set<"cloud.account.uid">(account);
      row.template set<"cloud.account.type_id">(lm::aws::kAccountType);
    }
    if (!region.empty()) row.template set<"cloud.region">(region);
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

  // Answers the activity. `line`: "GET https://www.example.com:443/a?b=c HTTP/1.1"
  template <class Row>
  lm::http::RequestLine request(Row& row, std::string_view line) {
    lm::http::RequestLine request = lm::http::request_line(line);
    const int activity = lm::http::activity_id(request.method.value_or(""));
    row.template set<"activity_id">(activity);
    if (activity == 99) row.template set<"activity_name">(*request.method);
    row.template set<"http_request.http_method">(request.method);
    row.template set<"http_request.version">(request.version);
    if (!request.target) return request;
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
    row.template set<"dst_endpoint.port">(url.port);
    return request;
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
    if (!surplus.empty() && !is_placeholder(surplus)) {
      unmapped_.add_text("extra", surplus);
      record.drift("extra");
    }
    if (!doubt.empty()) {
      row.template push<"metadata.debug">(doubt);
      row.template set<"raw_data">(record.text());
    }
    if (const auto rest = unmapped_.finish(); !rest.empty()) row.template set<"unmapped">(rest);
  }

  std::string_view key_elb() const { return key_elb_; }

  lm::json::ObjectWriter unmapped_;
  std::string buffer_;

 private:
  static constexpr std::int64_t kMostMicros = INT64_MAX / 8;

  // Fields that AWS announces: `-` or `"-"`.
  static bool is_placeholder(std::string_view surplus) {
    std::array<std::string_view, 8> words;
    const std::size_t n = lm::split(surplus, ' ', words);
    return n <= words.size() && std::all_of(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(n),
                                            [](std::string_view word) { return word == "-" || word == "\"-\""; });
  }

  const std::string_view* values_ = nullptr;
  std::string_view key_account_, key_region_, key_org_, key_node_, log_group_;
  std::string key_elb_;  // "app/name/id", of "app.name.id" in the object's name
  Arn arn_;
};

// A line that is_it() is sure of, best at the top of the object.
template <class IsIt>
int line_score(lm::Sample s, IsIt&& is_it) {
  const int line = s.find_line(is_it);
  return line < 0 ? 0 : line == 0 ? 95 : 85;
}

using Words = std::array<std::string_view, 12>;

bool is_alb_line(std::string_view line) {
  Words f;
  return lm::split(line, ' ', f) >= f.size() && lm::time::rfc3339(f[1]) && f[2].starts_with("app/") && is_place(f[3]) && is_place(f[4]);
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
  static int score(lm::Sample s) { return line_score(s, is_alb_line); }

  void parse(lm::Record record, lm::Rows<kAlb>& rows) {
    if (record.starts_block()) begin_block(record);
    if (!line_.read(record.text())) return record.reject(lm::malformed, "fewer than 12 fields");
    begin_record(line_.data());
    const auto created = moment(alb("request_creation_time")), ended = moment(alb("time"));
    if (!created && !ended) return record.reject(lm::malformed, "neither 'time' nor 'request_creation_time' is a time");

    auto row = rows.begin(record);
    common(row, created ? *created : *ended, created ? alb("request_creation_time") : alb("time"));
    row.set<"start_time">(created);
    row.set<"end_time">(ended);
    if (created && ended && is_finer(raw(alb("time")))) keep(alb("time"));
    row.set<"app_protocol_name">(text(alb("type")));
    cloud(row, text(alb("target_group_arn")) ? raw(alb("target_group_arn")) : raw(alb("chosen_cert_arn")));
    endpoint<"src_endpoint.ip", "src_endpoint.port">(row, alb("client:port"));
    balancer(row, alb("elb"));
    node(row, text(alb("ip_address")));

    const Times took = times(alb("request_processing_time"));
    keep(alb("target_status_code"));
    const Bytes bytes = traffic(row, alb("received_bytes"), alb("sent_bytes"));
    const auto asked = request(row, raw(alb("request")));
    const bool traced = row.set<"http_request.uid">(text(alb("trace_id")));
    if (!exchange(row, asked, alb("user_agent"), alb("elb_status_code"), bytes, took) && !traced)
      return record.reject(lm::malformed, "neither a request nor a status");

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

LOGMILL_PARSERS(Alb)
