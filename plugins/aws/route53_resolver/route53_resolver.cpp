// Amazon Route 53 Resolver query logs, with the fields of Resolver DNS Firewall.
// Source: AWS, "Amazon Route 53 Developer Guide", "Resolver query logging" and "Values that appear in VPC Resolver query logs".
//
// A record is one JSON object a query. One pass reads it into views (Query), and the row is filled from those: an endpoint is one in OCSF only with something that names it, and
// a query only with a name.
#include <logmill/sdk.hpp>
#include <logmill/sdk/aws.hpp>
#include <logmill/sdk/dns.hpp>
#include <logmill/sdk/fields.hpp>

#include <algorithm>

namespace ocsf = lm::ocsf::v1_8;

namespace {

using lm::Text;
using lm::json::Field;
using lm::json::Value;

constexpr auto kDns = lm::table(ocsf::dns_activity, lm::profiles("cloud", "security_control"),
                                {lm::constant("activity_id", "6"),  // Traffic
                                 {"time"},
                                 lm::same("query_time", "time"),
                                 lm::constant("severity_id", "1"),
                                 {"status_id"},
                                 {"status_code"},
                                 {"rcode_id"},
                                 {"rcode"},
                                 {"query.hostname"},
                                 {"query.type"},
                                 {"query.class"},
                                 {"answers[].rdata"},
                                 {"answers[].type"},
                                 {"answers[].class"},
                                 {"src_endpoint.ip"},
                                 {"src_endpoint.port"},
                                 {"src_endpoint.vpc_uid"},
                                 {"src_endpoint.instance_uid"},
                                 lm::constant("dst_endpoint.svc_name", "route53resolver.amazonaws.com"),
                                 {"dst_endpoint.uid"},
                                 {"dst_endpoint.interface_uid"},
                                 lm::constant("connection_info.direction_id", "2"),  // Outbound
                                 {"connection_info.protocol_name"},
                                 {"connection_info.protocol_num"},
                                 {"action_id"},
                                 {"action"},
                                 {"disposition_id"},
                                 {"disposition"},
                                 {"is_alert"},
                                 {"firewall_rule.uid"},
                                 {"cloud.account.uid"},
                                 {"cloud.account.type_id"},
                                 lm::constant("cloud.provider", "AWS"),
                                 {"cloud.region"},
                                 {"cloud.org.uid"},
                                 {"metadata.log_version"},
                                 lm::plain("metadata.original_time"),
                                 lm::constant("metadata.log_provider", "Route 53 Resolver"),
                                 lm::constant("metadata.product.name", "Route 53"),
                                 lm::constant("metadata.product.vendor_name", "AWS"),
                                 lm::constant("metadata.product.feature.name", "Resolver Query Logs"),
                                 {"unmapped"}});

using DnsRow = lm::Row<kDns>;
using AnswerRow = decltype(std::declval<DnsRow&>().push<"answers">());

struct Query {
  Text version, account, region, vpc, time, name, type, klass, rcode, source, transport, firewall_action, firewall_group;
  Text instance, endpoint, interface;  // of srcids
  lm::Maybe<std::int64_t> port;
  bool answers = false;
};

struct Answer {
  Text rdata, type, klass;
};

}  // namespace

struct Route53Resolver {
  static constexpr lm::Descriptor descriptor{
      .id = "aws.route53_resolver",
      .title = "Route 53 Resolver query logs",
      .vendor = "AWS",
      .version = "1.0.0",
      .reads = "Queries of VPCs and DNS Firewall matches as JSON objects, one a line, back to back, as array",
      .framing = lm::Framing::json};
  static constexpr auto keys = lm::strings("AWSLogs/{account}/vpcdnsquerylogs/**", "AWSLogs/{org}/{account}/vpcdnsquerylogs/**");

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s);
    if (!outline.record("query_name") || !outline.record("query_timestamp")) return 0;
    const bool origin = outline.record("srcids") || outline.record("vpc_id") || outline.record("resource_id");
    return origin && !outline.record("class_uid") ? (outline.clean() ? 95 : 85) : 0;
  }

  void parse(lm::Record record, lm::Rows<kDns>& rows) {
    if (record.starts_block()) place_ = lm::aws::Place::of(record);
    Query q;
    rest_.clear(), ids_rest_.clear(), answers_.clear();
    if (!read(record, q)) return record.reject(json_);
    if (!q.time && !q.name) return record.reject(lm::foreign, "no query_name and query_timestamp: not a query of the resolver");
    const auto time = q.time ? lm::time::rfc3339(*q.time) : std::nullopt;
    if (!time || !lm::time::plausible(*time)) return record.reject(lm::malformed, "'query_timestamp' is not a time");

    auto row = rows.begin(record);
    fetch_ahead(row, q);
    row.set<"time">(time);
    row.set<"metadata.original_time">(q.time);
    row.set<"metadata.log_version">(q.version);
    place_.set(row, q.account, q.region);
    row.set<"dst_endpoint.uid">(q.endpoint);
    row.set<"dst_endpoint.interface_uid">(q.interface);
    if (q.transport) transport(row, *q.transport);
    source(row, q);
    question(row, q);
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      answer_rows_[i].set<"rdata">(answers_[i].rdata);
      answer_rows_[i].set<"type">(answers_[i].type);
      answer_rows_[i].set<"class">(answers_[i].klass);
    }
    firewall(row, q);
    if (const auto rest = rest_.finish(); !rest.empty()) row.set<"unmapped">(rest);
  }

 private:
  bool read(lm::Record record, Query& q) {
    static constexpr auto kKeys =
        lm::keys("version", "account_id", "region", "vpc_id", "query_timestamp", "query_name", "query_type", "query_class", "rcode",
                 "answers", "srcaddr", "srcport", "transport", "srcids", "firewall_rule_action", "firewall_rule_group_id",
                 "firewall_domain_list_id", "resource_id", "additional_properties");
    return json_.read(record.text(), [&](std::string_view key, Value& value) {
      const Field f{rest_, key, value};
      switch (kKeys.find(key)) {
        case kKeys.at("version"): f.scalar(q.version); break;
        case kKeys.at("account_id"): f.text(q.account); break;
        case kKeys.at("region"): f.text(q.region); break;
        case kKeys.at("vpc_id"): f.text(q.vpc); break;
        case kKeys.at("query_timestamp"): f.text(q.time); break;
        case kKeys.at("query_name"): f.text(q.name); break;
        case kKeys.at("query_type"): f.text(q.type); break;
        case kKeys.at("query_class"): f.text(q.klass); break;
        case kKeys.at("rcode"): f.text(q.rcode); break;
        case kKeys.at("answers"): answers(q, f); break;
        case kKeys.at("srcaddr"): f.text(q.source); break;
        case kKeys.at("srcport"): f.integer(q.port, 0, 65535); break;
        case kKeys.at("transport"): f.text(q.transport); break;
        case kKeys.at("srcids"): ids(record, q, f); break;
        case kKeys.at("firewall_rule_action"): f.text(q.firewall_action); break;
        case kKeys.at("firewall_rule_group_id"): f.text(q.firewall_group); break;
        case kKeys.at("firewall_domain_list_id"):
        case kKeys.at("resource_id"):
        case kKeys.at("additional_properties"): f.keep(); break;
        default: record.drift(key); f.keep();
      }
    });
  }

  // A list with anything but answers of the documented members is kept whole besides.
  void answers(Query& q, const Field& f) {
    static constexpr auto kKeys = lm::keys("Rdata", "rdata", "Type", "type", "answer_type", "Class", "class", "answer_class");
    if (f.value.type() != lm::json::Type::array || q.answers) return f.keep();
    q.answers = true;
    bool whole = true;
    f.value.array([&](Value& item) {
      Answer a;
      whole = whole && item.type() == lm::json::Type::object;
      item.object([&](std::string_view key, Value& value) {
        Text* out = nullptr;
        switch (kKeys.find(key)) {
          case kKeys.at("Rdata"):
          case kKeys.at("rdata"): out = &a.rdata; break;
          case kKeys.at("Type"):
          case kKeys.at("type"):
          case kKeys.at("answer_type"): out = &a.type; break;
          case kKeys.at("Class"):
          case kKeys.at("class"):
          case kKeys.at("answer_class"): out = &a.klass; break;
          default: break;
        }
        const Text text = value.text();
        if (out && !*out && text) {
          if (!text->empty()) *out = text;
        } else if (!value.is_null()) {
          whole = false;
        }
      });
      if (a.rdata) answers_.push_back(a);
      whole = whole && a.rdata;
    });
    if (!whole) f.keep();
  }

  void ids(lm::Record record, Query& q, const Field& f) {
    static constexpr auto kKeys = lm::keys("instance", "resolver_endpoint", "resolver_network_interface");
    f.object(ids_rest_, [&](const Field& m) {
      switch (kKeys.find(m.key)) {
        case kKeys.at("instance"): m.text(q.instance); break;
        case kKeys.at("resolver_endpoint"): m.text(q.endpoint); break;
        case kKeys.at("resolver_network_interface"): m.text(q.interface); break;
        default: record.drift("srcids", m.key); m.keep();
      }
    });
    f.close(ids_rest_);
  }

  // Has the dictionary entries of what has many values fetched while the rest of the row is set. The answers get their places for that.
  void fetch_ahead(DnsRow& row, const Query& q) {
    if (q.name) row.expect<"query.hostname">(lm::dns::hostname(*q.name));
    if (q.source) row.expect<"src_endpoint.ip">(*q.source);
    if (q.instance) row.expect<"src_endpoint.instance_uid">(*q.instance);
    answer_rows_.clear();
    for (const Answer& a : answers_) {
      answer_rows_.push_back(row.push<"answers">());
      answer_rows_.back().expect<"rdata">(*a.rdata);
    }
  }

  // Port and VPC alone make no endpoint.
  void source(DnsRow& row, const Query& q) {
    const bool address = row.set<"src_endpoint.ip">(q.source);
    if (q.source && !address) rest_.add_text("srcaddr", *q.source);
    row.set<"src_endpoint.instance_uid">(q.instance);
    if (address || q.instance) {
      row.set<"src_endpoint.port">(q.port);
      row.set<"src_endpoint.vpc_uid">(q.vpc);
    } else {
      if (q.port) lm::json::add_number(rest_, "srcport", *q.port);
      if (q.vpc) rest_.add_text("vpc_id", *q.vpc);
    }
  }

  static void transport(DnsRow& row, std::string_view name) {
    if (const auto number = lm::net::protocol_number(name)) {
      row.set<"connection_info.protocol_num">(*number);
      row.set<"connection_info.protocol_name">(lm::net::protocol_name(*number));
      return;
    }
    std::array<char, 16> small{};  // "DOH" is carried by a protocol, but none itself
    if (name.size() > small.size()) return void(row.set<"connection_info.protocol_name">(name));
    std::transform(name.begin(), name.end(), small.begin(), lm::lower);
    row.set<"connection_info.protocol_name">(std::string_view(small.data(), name.size()));
  }

  void question(DnsRow& row, const Query& q) {
    if (q.name) {
      row.set<"query.hostname">(lm::dns::hostname(*q.name));
      row.set<"query.type">(q.type);
      row.set<"query.class">(q.klass);
    } else {
      if (q.type) rest_.add_text("query_type", *q.type);
      if (q.klass) rest_.add_text("query_class", *q.klass);
    }
    if (!q.rcode) return;
    const int rcode = lm::dns::rcode_id(*q.rcode);
    row.set<"rcode_id">(rcode);
    if (rcode == 99) row.set<"rcode">(q.rcode);
    row.set<"status_code">(q.rcode);
    row.set<"status_id">(rcode == 0 ? 1 : 2);  // Success, Failure
  }

  static void firewall(DnsRow& row, const Query& q) {
    row.set<"firewall_rule.uid">(q.firewall_group);
    if (!q.firewall_action) return;
    const std::string_view action = *q.firewall_action;
    if (action == "ALERT") {
      row.set<"action_id">(3), row.set<"disposition_id">(19), row.set<"is_alert">(true);  // Observed, Alert
    } else if (action == "BLOCK") {
      row.set<"action_id">(2), row.set<"disposition_id">(2), row.set<"is_alert">(true);  // Denied, Blocked
    } else if (action == "ALLOW") {
      row.set<"action_id">(1), row.set<"disposition_id">(1);  // Allowed
    } else {
      row.set<"action_id">(99), row.set<"disposition_id">(99);
      row.set<"action">(action), row.set<"disposition">(action);
    }
  }

  lm::json::Reader json_;
  lm::json::ObjectWriter rest_, ids_rest_;
  std::vector<Answer> answers_;
  std::vector<AnswerRow> answer_rows_;
  lm::aws::Place place_;
};

LOGMILL_PARSERS(Route53Resolver)
