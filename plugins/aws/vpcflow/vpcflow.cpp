// Amazon VPC flow logs, versions 2 to 11, and Transit Gateway flow logs.
// Source: AWS, "Amazon VPC User Guide", "Flow log records"; "Amazon VPC Transit Gateways", "Transit Gateway Flow Log records".
//
// A record is a line of fields in the order of the header above it; without a header, of the default format or of the configured one. The same fields come as JSON objects
// with the column names of the Parquet form. Both end in one array of values by field, which map() turns into rows.
#include <logmill/sdk.hpp>
#include <logmill/sdk/aws.hpp>
#include <logmill/sdk/fields.hpp>

#include <map>

namespace ocsf = lm::ocsf::v1_8;

namespace {

constexpr auto kFields = lm::keys(
    // version 2, in the default order
    "version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "start", "end",
    "action", "log-status",
    // 3 to 5
    "vpc-id", "subnet-id", "instance-id", "tcp-flags", "type", "pkt-srcaddr", "pkt-dstaddr", "region", "az-id", "sublocation-type",
    "sublocation-id", "pkt-src-aws-service", "pkt-dst-aws-service", "flow-direction", "traffic-path",
    // 7 to 11
    "ecs-cluster-arn", "ecs-cluster-name", "ecs-container-instance-arn", "ecs-container-instance-id", "ecs-container-id",
    "ecs-second-container-id", "ecs-service-name", "ecs-task-definition-arn", "ecs-task-arn", "ecs-task-id", "reject-reason", "resource-id",
    "encryption-status", "instance-tag", "instance-tag-2", "interface-tag", "interface-tag-2", "asg-tag", "asg-tag-2", "interface-type",
    "next-hop-interface-id", "next-hop-subnet-id", "next-hop-az-id", "next-hop-vpc-id", "next-hop-interface-type",
    // transit gateways
    "resource-type", "tgw-id", "tgw-attachment-id", "tgw-src-vpc-account-id", "tgw-dst-vpc-account-id", "tgw-src-vpc-id", "tgw-dst-vpc-id",
    "tgw-src-subnet-id", "tgw-dst-subnet-id", "tgw-src-eni", "tgw-dst-eni", "tgw-src-az-id", "tgw-dst-az-id", "tgw-pair-attachment-id",
    "packets-lost-no-route", "packets-lost-blackhole", "packets-lost-mtu-exceeded", "packets-lost-ttl-expired");
constexpr std::size_t kFieldCount = kFields.names.size();
constexpr std::size_t kDefaultCount = 14;  // the first of kFields

constexpr std::string_view kTransitGatewayDefault =
    "version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-account-id tgw-dst-vpc-account-id tgw-src-vpc-id tgw-dst-vpc-id "
    "tgw-src-subnet-id "
    "tgw-dst-subnet-id tgw-src-eni tgw-dst-eni tgw-src-az-id tgw-dst-az-id tgw-pair-attachment-id srcaddr dstaddr srcport dstport protocol "
    "packets bytes start end "
    "log-status type packets-lost-no-route packets-lost-blackhole packets-lost-mtu-exceeded packets-lost-ttl-expired tcp-flags region "
    "flow-direction "
    "pkt-src-aws-service pkt-dst-aws-service";

std::string_view unquoted(std::string_view word) {
  const bool quoted = word.size() >= 2 && word.front() == '"' && word.back() == '"';
  return quoted ? word.substr(1, word.size() - 2) : word;
}

// A field's number from a header word or a column name: "srcaddr", "pkt_srcaddr", "${pkt-srcaddr}"; -1 if there is no such field.
int field_of(std::string_view word) {
  if (const int field = kFields.find(word); field >= 0) return field;
  if (word.starts_with("${") && word.ends_with("}")) word = word.substr(2, word.size() - 3);
  word = unquoted(word);
  std::array<char, 40> name{};
  if (word.size() > name.size()) return -1;
  for (std::size_t i = 0; i < word.size(); ++i) name[i] = word[i] == '_' ? '-' : word[i];
  return kFields.find({name.data(), word.size()});
}

// The order of the fields in a line.
struct Layout {
  static constexpr std::size_t kMost = 128;
  char separator = ' ';
  std::vector<int> fields;           // numbers, -1 for words that are no field
  bool quoted = false;               // the values of query engines stand in quotes
  bool straight = true;              // the fields are 0, 1, 2, ..., as they stand
  std::vector<std::string> unknown;  // their names, in the order of the -1s
  bool beyond_default = false;       // has more than the fields of version 2

  static Layout parse(std::string_view header) {
    Layout out;
    if (header.find(' ') == std::string_view::npos && header.find(',') != std::string_view::npos) out.separator = ',';
    std::array<std::string_view, kMost> words;
    const std::size_t n = std::min(lm::split(header, out.separator, words), kMost);
    for (std::size_t i = 0; i < n; ++i) {
      int field = field_of(words[i]);
      // A field that is named twice: the second value must not hide the first one.
      if (std::find(out.fields.begin(), out.fields.end(), field) != out.fields.end()) field = -1;
      out.fields.push_back(field);
      out.straight = out.straight && field == static_cast<int>(i);
      if (field < 0) out.unknown.emplace_back(unquoted(words[i]));
      out.beyond_default = out.beyond_default || field < 0 || static_cast<std::size_t>(field) >= kDefaultCount;
    }
    out.quoted = header.find('"') != std::string_view::npos;
    out.straight = out.straight && !out.quoted;
    return out;
  }
};

using Values = std::array<std::string_view, kFieldCount>;

consteval std::size_t at(std::string_view name) { return static_cast<std::size_t>(kFields.at(name)); }

constexpr auto kFlow = lm::table(ocsf::network_activity, lm::profiles("cloud", "security_control"),
                                 {{"activity_id"},
                                  {"time"},
                                  lm::same("start_time", "time"),
                                  {"end_time"},
                                  {"duration"},
                                  lm::constant("severity_id", "1"),
                                  lm::constant("is_src_dst_assignment_known", "false"),
                                  {"action_id"},
                                  lm::same("disposition_id", "action_id"),  // Allowed, Blocked
                                  lm::same("status_id", "action_id"),       // Success, Failure
                                  {"status_code"},
                                  {"status_detail"},
                                  {"observation_point_id"},
                                  {"src_endpoint.ip"},
                                  {"src_endpoint.port"},
                                  {"src_endpoint.svc_name"},
                                  {"src_endpoint.intermediate_ips[]"},
                                  {"src_endpoint.interface_uid"},
                                  {"src_endpoint.vpc_uid"},
                                  {"src_endpoint.subnet_uid"},
                                  {"src_endpoint.instance_uid"},
                                  {"src_endpoint.zone"},
                                  {"src_endpoint.owner.account.uid"},
                                  {"dst_endpoint.ip"},
                                  {"dst_endpoint.port"},
                                  {"dst_endpoint.svc_name"},
                                  {"dst_endpoint.intermediate_ips[]"},
                                  {"dst_endpoint.interface_uid"},
                                  {"dst_endpoint.vpc_uid"},
                                  {"dst_endpoint.subnet_uid"},
                                  {"dst_endpoint.instance_uid"},
                                  {"dst_endpoint.zone"},
                                  {"dst_endpoint.owner.account.uid"},
                                  {"network_observation_point.interface_uid"},
                                  {"network_observation_point.uid"},
                                  {"network_observation_point.vpc_uid"},
                                  {"network_observation_point.subnet_uid"},
                                  {"network_observation_point.instance_uid"},
                                  {"network_observation_point.zone"},
                                  {"connection_info.direction_id"},
                                  {"connection_info.protocol_num"},
                                  {"connection_info.protocol_name"},
                                  {"connection_info.protocol_ver_id"},
                                  {"connection_info.tcp_flags"},
                                  {"connection_info.boundary_id"},
                                  {"traffic.bytes"},
                                  lm::same("traffic.bytes_out", "traffic.bytes"),
                                  {"traffic.packets"},
                                  lm::same("traffic.packets_out", "traffic.packets"),
                                  {"cloud.account.uid"},
                                  {"cloud.account.type_id"},
                                  lm::constant("cloud.provider", "AWS"),
                                  {"cloud.region"},
                                  {"cloud.zone"},
                                  {"cloud.org.uid"},
                                  {"metadata.log_version"},
                                  {"metadata.logged_time"},
                                  {"metadata.product.name"},
                                  {"metadata.log_provider"},
                                  lm::constant("metadata.product.feature.name", "Flowlogs"),
                                  lm::constant("metadata.product.vendor_name", "AWS"),
                                  {"unmapped"}});

// NODATA and SKIPDATA: a window without flow records. They prove, or break, coverage.
constexpr auto kWindow = lm::table(ocsf::base_event, lm::profiles("cloud"),
                                   {{"activity_id"},
                                    {"activity_name"},
                                    {"time"},
                                    lm::same("start_time", "time"),
                                    {"end_time"},
                                    {"duration"},
                                    lm::constant("severity_id", "1"),
                                    {"status_code"},
                                    {"message"},
                                    {"cloud.account.uid"},
                                    {"cloud.account.type_id"},
                                    lm::constant("cloud.provider", "AWS"),
                                    {"cloud.region"},
                                    {"cloud.zone"},
                                    {"cloud.org.uid"},
                                    {"metadata.log_version"},
                                    {"metadata.logged_time"},
                                    {"metadata.product.name"},
                                    {"metadata.log_provider"},
                                    lm::constant("metadata.product.feature.name", "Flowlogs"),
                                    lm::constant("metadata.product.vendor_name", "AWS"),
                                    {"unmapped"}});

using Flows = lm::Rows<kFlow>;
using Windows = lm::Rows<kWindow>;

// The dictionary entries of a record that will be mapped a little later.
void expect_addresses(const Values& values, const Flows& flows) {
  flows.expect<"src_endpoint.ip">(values[at("srcaddr")]);
  flows.expect<"dst_endpoint.ip">(values[at("dstaddr")]);
}

class Mapper {
 public:
  Values values{};
  lm::Maybe<std::int64_t> logged;                                      // the time in front of a line that was exported from CloudWatch
  std::vector<std::pair<std::string_view, std::string_view>> unknown;  // words of the header that are no field, with their values

  // What the object's key says holds for all records of a block.
  void begin_block(lm::Record record) { place_ = lm::aws::Place::of(record); }

  // One record. `beyond_default`: more than the fields of version 2 may be set.
  void map(lm::Record record, bool beyond_default, Flows& flows, Windows& windows) {
    const auto start = lm::time::seconds(values[at("start")], lm::in_record), end = lm::time::seconds(values[at("end")], lm::in_record);
    if (!start || !lm::time::plausible(*start)) return record.reject(lm::malformed, "'start' is not a time");
    if (!end || !lm::time::plausible(*end)) return record.reject(lm::malformed, "'end' is not a time");
    unmapped_.clear();
    for (const auto& [name, value] : unknown) lm::keep(unmapped_, name, value);
    const std::string_view status = values[at("log-status")];
    if (lm::is(status, "NODATA") || lm::is(status, "SKIPDATA")) {
      window(record, status, *start, *end, windows);
    } else {
      flow(record, beyond_default, *start, *end, flows);
    }
  }

 private:
  lm::Text text(std::size_t field) const { return lm::present(values[field]); }

  void keep(std::size_t field) { lm::keep(unmapped_, kFields.names[field], values[field]); }

  [[gnu::always_inline]] lm::Maybe<std::int64_t> number(std::size_t field, std::int64_t most = INT64_MAX) {
    return lm::integer_or_keep(unmapped_, kFields.names[field], values[field], most);
  }

  // What a flow and a window have in common.
  template <class Row>
  void common(Row& row, std::int64_t start, std::int64_t end, bool gateway) {
    row.template set<"time">(start);
    row.template set<"end_time">(end);
    if (end >= start) row.template set<"duration">(end - start);
    row.template set<"metadata.log_version">(text(at("version")));
    row.template set<"metadata.logged_time">(logged);
    if (gateway) {
      row.template set<"metadata.product.name">("AWS Transit Gateway");
      row.template set<"metadata.log_provider">("Transit Gateway Flow Logs");
    } else {
      row.template set<"metadata.product.name">("Amazon VPC");
      row.template set<"metadata.log_provider">("VPC Flow Logs");
    }
    row.template set<"status_code">(text(at("log-status")));
    lm::Text account = text(at("account-id"));
    if (account && lm::is(*account, "unknown")) {
      keep(at("account-id"));
      account = {};
    }
    place_.set(row, account, text(at("region")));
    row.template set<"cloud.zone">(text(at("az-id")));
  }

  void window(lm::Record record, std::string_view status, std::int64_t start, std::int64_t end, Windows& windows) {
    auto row = windows.begin(record);
    row.set<"activity_id">(99);
    row.set<"activity_name">(status);
    row.set<"message">(lm::is(status, "NODATA") ? "no traffic in this window" : "records of this window were skipped");
    common(row, start, end, text(at("tgw-id")).has_value());
    for (std::size_t field = 0; field < kFieldCount; ++field) {
      switch (field) {
        case at("version"):
        case at("account-id"):
        case at("start"):
        case at("end"):
        case at("log-status"):
        case at("region"):
        case at("az-id"): break;
        default: keep(field);
      }
    }
    if (const auto rest = unmapped_.finish(); !rest.empty()) row.set<"unmapped">(rest);
  }

  void flow(lm::Record record, bool beyond_default, std::int64_t start, std::int64_t end, Flows& flows) {
    auto row = flows.begin(record);
    const bool gateway = beyond_default && text(at("tgw-id")).has_value();
    common(row, start, end, gateway);

    const auto packets = number(at("packets")), bytes = number(at("bytes"));
    const std::string_view action = values[at("action")];
    if (lm::is(action, "ACCEPT") || lm::is(action, "REJECT")) {
      const bool accepted = lm::is(action, "ACCEPT");
      row.set<"activity_id">(accepted ? 6 : 5);  // Traffic, Refuse
      row.set<"action_id">(accepted ? 1 : 2);
    } else {
      keep(at("action"));
      row.set<"activity_id">(gateway && lost() && packets == 0 ? 4 : 6);  // Fail, Traffic
    }

    const auto protocol = number(at("protocol"), 255);
    if (protocol) {
      row.set<"connection_info.protocol_num">(*protocol);
      if (const auto name = lm::net::protocol_name(*protocol); !name.empty()) row.set<"connection_info.protocol_name">(name);
    }
    const lm::Text source_ip =
        endpoint<"src_endpoint.ip", "src_endpoint.intermediate_ips">(row, at("srcaddr"), at("pkt-srcaddr"), beyond_default);
    const lm::Text destination_ip =
        endpoint<"dst_endpoint.ip", "dst_endpoint.intermediate_ips">(row, at("dstaddr"), at("pkt-dstaddr"), beyond_default);
    if (protocol && lm::net::has_ports(*protocol)) {
      if (source_ip) {
        row.set<"src_endpoint.port">(number(at("srcport"), 65535));
      } else {
        keep(at("srcport"));
      }
      if (destination_ip) {
        row.set<"dst_endpoint.port">(number(at("dstport"), 65535));
      } else {
        keep(at("dstport"));
      }
    } else {
      // No port of this protocol: the field says 0. Anything else is kept.
      if (!lm::is(values[at("srcport")], "0")) keep(at("srcport"));
      if (!lm::is(values[at("dstport")], "0")) keep(at("dstport"));
    }
    row.set<"traffic.bytes">(bytes);
    row.set<"traffic.packets">(packets);

    int version = 0;
    const std::string_view type = values[at("type")];
    if (lm::is(type, "IPv4")) {
      version = 4;
    } else if (lm::is(type, "IPv6")) {
      version = 6;
    } else if (lm::is(type, "EFA")) {
      version = 99;
    } else {
      keep(at("type"));
      if (source_ip) version = lm::net::version(*source_ip);
    }
    if (version != 0) row.set<"connection_info.protocol_ver_id">(version);

    const auto interface = text(at("interface-id"));
    row.set<"network_observation_point.interface_uid">(interface);
    int direction = 0;
    if (beyond_default) direction = extended(row, gateway, interface);
    row.set<"connection_info.direction_id">(direction);
    if (const auto rest = unmapped_.finish(); !rest.empty()) row.set<"unmapped">(rest);
  }

  // The packet's own address is the endpoint's; where the interface's differs, the packet came by way of it. Answers the endpoint's.
  template <lm::detail::FixedString Ip, lm::detail::FixedString By, class Row>
  [[gnu::always_inline]] lm::Text endpoint(Row& row, std::size_t interface_field, std::size_t packet_field, bool beyond_default) {
    const lm::Text interface = text(interface_field), packet = beyond_default ? text(packet_field) : std::nullopt;
    if (packet) {
      if (row.template set<Ip>(packet)) {
        if (interface && interface != packet && !row.template push<By>(interface)) keep(interface_field);
        return packet;
      }
      keep(packet_field);
    }
    if (!interface || row.template set<Ip>(interface)) return interface;
    keep(interface_field);
    return std::nullopt;
  }

  bool lost() const {
    for (const std::size_t field :
         {at("packets-lost-no-route"), at("packets-lost-blackhole"), at("packets-lost-mtu-exceeded"), at("packets-lost-ttl-expired")}) {
      if (lm::integer(values[field]).value_or(0) > 0) return true;
    }
    return false;
  }

  bool is_interface(std::size_t interface_field, std::size_t packet_field) const {
    const lm::Text packet = text(packet_field);
    return !packet || packet == text(interface_field);
  }

  // The fields beyond version 2. Answers the direction.
  template <class Row>
  int extended(Row& row, bool gateway, lm::Text interface) {
    int direction = 0;
    const std::string_view way = values[at("flow-direction")];
    if (lm::is(way, "ingress") || lm::is(way, "egress")) {
      direction = lm::is(way, "ingress") ? 1 : 2;
    } else {
      keep(at("flow-direction"));
    }
    row.template set<"connection_info.tcp_flags">(number(at("tcp-flags"), 255));
    row.template set<"network_observation_point.zone">(text(at("az-id")));
    row.template set<"network_observation_point.vpc_uid">(text(at("vpc-id")));
    row.template set<"network_observation_point.subnet_uid">(text(at("subnet-id")));
    row.template set<"network_observation_point.instance_uid">(text(at("instance-id")));
    row.template set<"network_observation_point.uid">(gateway ? text(at("tgw-id")) : text(at("resource-id")));
    if (gateway) {
      keep(at("resource-id"));
      row.template set<"network_observation_point.interface_uid">(text(at("tgw-attachment-id")));
      if (interface) keep(at("interface-id"));
      row.template set<"src_endpoint.vpc_uid">(text(at("tgw-src-vpc-id"))),
          row.template set<"dst_endpoint.vpc_uid">(text(at("tgw-dst-vpc-id")));
      row.template set<"src_endpoint.subnet_uid">(text(at("tgw-src-subnet-id"))),
          row.template set<"dst_endpoint.subnet_uid">(text(at("tgw-dst-subnet-id")));
      row.template set<"src_endpoint.interface_uid">(text(at("tgw-src-eni"))),
          row.template set<"dst_endpoint.interface_uid">(text(at("tgw-dst-eni")));
      row.template set<"src_endpoint.zone">(text(at("tgw-src-az-id"))), row.template set<"dst_endpoint.zone">(text(at("tgw-dst-az-id")));
      row.template set<"src_endpoint.owner.account.uid">(text(at("tgw-src-vpc-account-id")));
      row.template set<"dst_endpoint.owner.account.uid">(text(at("tgw-dst-vpc-account-id")));
    } else {
      keep(at("tgw-attachment-id"));
      // The interface, the instance and where they lie are those of the interface's address. What goes through it (NAT, a firewall) has another one.
      if (direction == 2) row.template set<"observation_point_id">(1);  // Source
      if (direction == 1) row.template set<"observation_point_id">(2);  // Destination
      if (direction == 2 && is_interface(at("srcaddr"), at("pkt-srcaddr"))) {
        row.template set<"src_endpoint.interface_uid">(interface);
        row.template set<"src_endpoint.vpc_uid">(text(at("vpc-id"))), row.template set<"src_endpoint.subnet_uid">(text(at("subnet-id")));
        row.template set<"src_endpoint.instance_uid">(text(at("instance-id")));
      } else if (direction == 1 && is_interface(at("dstaddr"), at("pkt-dstaddr"))) {
        row.template set<"dst_endpoint.interface_uid">(interface);
        row.template set<"dst_endpoint.vpc_uid">(text(at("vpc-id"))), row.template set<"dst_endpoint.subnet_uid">(text(at("subnet-id")));
        row.template set<"dst_endpoint.instance_uid">(text(at("instance-id")));
      }
      for (const std::size_t field :
           {at("tgw-src-vpc-account-id"), at("tgw-dst-vpc-account-id"), at("tgw-src-vpc-id"), at("tgw-dst-vpc-id"), at("tgw-src-subnet-id"),
            at("tgw-dst-subnet-id"), at("tgw-src-eni"), at("tgw-dst-eni"), at("tgw-src-az-id"), at("tgw-dst-az-id")}) {
        keep(field);
      }
    }
    row.template set<"src_endpoint.svc_name">(text(at("pkt-src-aws-service")));
    row.template set<"dst_endpoint.svc_name">(text(at("pkt-dst-aws-service")));
    if (const auto path = number(at("traffic-path"), 8)) {
      if (*path >= 1) {
        row.template set<"connection_info.boundary_id">(static_cast<int>(*path) + 3);
      } else {
        keep(at("traffic-path"));
      }
    }
    row.template set<"status_detail">(text(at("reject-reason")));
    for (const std::size_t field :
         {at("sublocation-type"), at("sublocation-id"), at("encryption-status"), at("interface-type"), at("resource-type"),
          at("tgw-pair-attachment-id"), at("next-hop-interface-id"), at("next-hop-subnet-id"), at("next-hop-az-id"), at("next-hop-vpc-id"),
          at("next-hop-interface-type"), at("packets-lost-no-route"), at("packets-lost-blackhole"), at("packets-lost-mtu-exceeded"),
          at("packets-lost-ttl-expired")}) {
      keep(field);
    }
    for (std::size_t field = at("ecs-cluster-arn"); field <= at("ecs-task-id"); ++field) keep(field);
    for (std::size_t field = at("instance-tag"); field <= at("asg-tag-2"); ++field) keep(field);
    return direction;
  }

  lm::json::ObjectWriter unmapped_;
  lm::aws::Place place_;
};

constexpr auto kKeys = lm::strings("AWSLogs/{account}/vpcflowlogs/{region}/**", "AWSLogs/{org}/{account}/vpcflowlogs/{region}/**",
                                   "AWSLogs/aws-account-id={account}/aws-service=vpcflowlogs/aws-region={region}/**",
                                   "AWSLogs/aws-account-id={account}/service=vpcflowlogs/aws-region={region}/**");

bool is_header(std::string_view line) {
  const bool comma = line.find(' ') == std::string_view::npos && line.find(',') != std::string_view::npos;
  std::array<std::string_view, Layout::kMost> words;
  const std::size_t n = std::min(lm::split(line, comma ? ',' : ' ', words), words.size());
  if (n < 3) return false;
  bool telling = false;
  std::size_t known = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const int field = field_of(words[i]);
    known += field >= 0;
    telling = telling || field == kFields.at("srcaddr") || field == kFields.at("tgw-id") || field == kFields.at("interface-id") ||
              field == kFields.at("log-status");
  }
  return telling && known * 2 > n;
}

// The default format without a header: 14 fields, or 36 of a transit gateway.
bool is_default_line(std::string_view line) {
  std::array<std::string_view, 37> f;
  std::size_t n = lm::split(line, ' ', f);
  std::size_t first = 0;
  if (n != 0 && n <= f.size() && lm::time::rfc3339(f[0])) first = 1, --n;  // the time column of a CloudWatch export
  const auto version = n > 2 ? lm::integer(f[first]) : std::nullopt;
  if (!version || *version < 2 || *version > 19) return false;
  if (n == 36) return f[first + 1] == "TransitGateway";
  if (n != 14) return false;
  const std::string_view account = f[first + 1], interface = f[first + 2], status = f[first + 13];
  const bool account_ok = account == "unknown" || (account.size() == 12 && lm::integer(account));
  return account_ok && (interface == "-" || interface.starts_with("eni-")) &&
         (status == "OK" || status == "NODATA" || status == "SKIPDATA");
}

// Lines into values, by the header above them, the configured format or the default one.
class LineReader {
 public:
  void configure(std::string_view format) { configured_ = Layout::parse(format); }

  void begin_block(std::string_view prologue) {
    last_ = nullptr;
    ahead_ = {}, ahead_of_ = nullptr;
    header_ = prologue.empty() ? nullptr : &layout(prologue.substr(prologue.rfind('\n') + 1));
  }

  // `record` may be more than the line.
  void read(lm::Record record, std::string_view line, Mapper& mapper, Flows& flows, Windows& windows) {
    auto& f = fields_;
    const Layout* layout = header_ ? header_ : configured_ ? &*configured_ : &default_;
    if (layout->straight && layout == last_) {
      // The common case: the fields are the values. Each line is split while the one before it is mapped: its addresses are on their way from memory meanwhile. A line that
      // turns out to have others leaves some in ahead_, which the next one overwrites.
      const bool split = line.data() == ahead_of_ || split_straight(*layout, line, ahead_);
      ahead_of_ = nullptr;
      if (split) {
        std::copy_n(ahead_.begin(), layout->fields.size(), mapper.values.begin());
        const std::string_view next = line.data() == record.text().data() ? record.next_text() : std::string_view();
        if (split_straight(*layout, next, ahead_)) {
          ahead_of_ = next.data();
          expect_addresses(ahead_, flows);
        }
        mapper.unknown.clear();
        mapper.logged = {};
        return mapper.map(record, layout->beyond_default, flows, windows);
      }
    }
    std::size_t n = lm::split(line, layout->separator, f);
    if (layout->quoted) std::transform(f.begin(), f.begin() + static_cast<std::ptrdiff_t>(std::min(n, f.size())), f.begin(), unquoted);
    std::size_t first = 0;
    mapper.logged = {};
    if (n == layout->fields.size() + 1) mapper.logged = lm::time::rfc3339(f[0]);
    if (mapper.logged) first = 1, --n;
    if (!header_ && !configured_ && n == gateway_.fields.size() && f[first + 1] == "TransitGateway") layout = &gateway_;
    if (n != layout->fields.size())  // nor more than `f` holds
      return record.reject(lm::malformed, "the line does not have as many fields as its format");
    if (layout != last_) {
      mapper.values = {};
      last_ = layout;
    }
    mapper.unknown.clear();
    for (std::size_t i = 0; i < n; ++i) {
      const int field = layout->fields[i];
      if (field >= 0) {
        mapper.values[static_cast<std::size_t>(field)] = f[first + i];
      } else {
        const std::string& name = layout->unknown[mapper.unknown.size()];
        mapper.unknown.emplace_back(name, f[first + i]);
        record.drift(name);
      }
    }
    expect_addresses(mapper.values, flows);
    mapper.map(record, layout->beyond_default, flows, windows);
  }

 private:
  static std::string default_header() {
    std::string out;
    for (std::size_t i = 0; i < kDefaultCount; ++i) out += std::string(kFields.names[i]) + ' ';
    return out;
  }

  static bool split_straight(const Layout& layout, std::string_view line, Values& values) {
    return lm::split(line, layout.separator, std::span(values).first(layout.fields.size())) == layout.fields.size();
  }

  const Layout& layout(std::string_view header) {
    if (layouts_.size() > 1000) layouts_.clear();
    const auto found = layouts_.find(header);
    return found != layouts_.end() ? found->second : layouts_.emplace(header, Layout::parse(header)).first->second;
  }

  Layout default_ = Layout::parse(default_header()), gateway_ = Layout::parse(kTransitGatewayDefault);
  std::optional<Layout> configured_;
  std::map<std::string, Layout, std::less<>> layouts_;
  const Layout* header_ = nullptr;
  const Layout* last_ = nullptr;  // by which the mapper's values were filled
  Values ahead_{};                // of the line that begins at `ahead_of_`
  const char* ahead_of_ = nullptr;
  std::array<std::string_view, Layout::kMost + 1> fields_;
};

}  // namespace

struct VpcFlow {
  static constexpr lm::Descriptor descriptor{
      .id = "aws.vpcflow",
      .title = "Amazon VPC flow logs",
      .vendor = "AWS",
      .version = "1.0.0",
      .reads = "Flow log lines, versions 2 to 11 in any field order, and Transit Gateway flow logs; with a header, without one, as CSV",
      .framing = lm::Framing::lines};
  static constexpr auto keys = kKeys;

  // {"format": "${version} ${account-id} ..."}: the fields of lines without a header.
  explicit VpcFlow(lm::Config config) {
    lm::json::Reader reader;
    const bool ok = reader.read(config.json, [&](std::string_view key, lm::json::Value& value) {
      if (key != "format") throw std::invalid_argument("unknown setting: " + std::string(key));
      const auto format = value.text();
      if (!format || !is_header(*format))
        throw std::invalid_argument("format: wanted the field names of a flow log, as in '${version} ${account-id} ${srcaddr}'");
      reader_.configure(*format);
    });
    if (!ok) throw std::invalid_argument("the configuration is not a JSON object");
  }

  static int score(lm::Sample s) {
    bool header = false;
    const int line = s.find_line([&](std::string_view l) { return (header = is_header(l)) || is_default_line(l); });
    if (line < 0) return 0;
    return (header ? 95 : 90) - (line == 0 ? 0 : 10);
  }

  static bool prologue(std::string_view line) {
    // Records begin with their version or a time: only what begins with a letter, '$' or a quote can be a header.
    const char c = line[0];
    return ((c >= 'a' && c <= 'z') || c == '$' || c == '"') && is_header(line);
  }

  void parse(lm::Record record, lm::Rows<kFlow>& flows, lm::Rows<kWindow>& windows) {
    if (record.starts_block()) {
      mapper_.begin_block(record);
      reader_.begin_block(record.prologue());
    }
    reader_.read(record, record.text(), mapper_, flows, windows);
  }

 private:
  LineReader reader_;
  Mapper mapper_;
};

// The same fields as JSON objects, named as the columns of the Parquet form; or as Firehose wraps lines: {"message": "2 111122223333 ..."}.
struct VpcFlowJson {
  static constexpr lm::Descriptor descriptor{
      .id = "aws.vpcflow_json",
      .title = "Amazon VPC flow logs as JSON",
      .vendor = "AWS",
      .version = "1.0.0",
      .reads = "Flow log records as JSON objects named as in the Parquet form, as array or one a line; lines in Firehose's message",
      .framing = lm::Framing::json};

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s);
    const int sure = outline.clean() ? 90 : 80;
    if (const auto line = outline.record_text("message"); line && outline.record_members() == 1 && is_default_line(*line)) return sure;
    return outline.record("srcaddr") && outline.record("dstaddr") && outline.record("start") &&
                   (outline.record("log_status") || outline.record("log-status"))
               ? sure
               : 0;
  }

  void parse(lm::Record record, lm::Rows<kFlow>& flows, lm::Rows<kWindow>& windows) {
    if (record.starts_block()) {
      mapper_.begin_block(record);
      reader_.begin_block({});
    }
    mapper_.values = {};
    mapper_.unknown.clear();
    lm::Text message;
    std::size_t members = 0;
    const bool ok = json_.read(record.text(), [&](std::string_view key, lm::json::Value& value) {
      const int field = field_of(key);
      const auto text = value.text();
      if (!value.is_null()) ++members;
      const std::string_view plain = text ? *text : value.raw();
      if (field >= 0 && (text || value.type() == lm::json::Type::number)) {
        mapper_.values[static_cast<std::size_t>(field)] = plain;
      } else if (!value.is_null()) {
        if (text && key == "message") message = text;
        mapper_.unknown.emplace_back(key, plain);
      }
    });
    if (!ok) return record.reject(json_);
    if (message && members == 1 && is_default_line(*message)) return reader_.read(record, *message, mapper_, flows, windows);
    for (const auto& [name, value] : mapper_.unknown) record.drift(name);
    expect_addresses(mapper_.values, flows);
    mapper_.map(record, true, flows, windows);
  }

 private:
  lm::json::Reader json_;
  LineReader reader_;
  Mapper mapper_;
};

LOGMILL_PARSERS(VpcFlow, VpcFlowJson)
