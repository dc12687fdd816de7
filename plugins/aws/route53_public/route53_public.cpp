// Amazon Route 53 public DNS query logs.
// Source: AWS, "Amazon Route 53 Developer Guide", "Public DNS query logging", "Values that appear in DNS query logs".
//
// A line is a query that reached an edge location: ten words, the last of which may be a dash.
#include <logmill/sdk.hpp>
#include <logmill/sdk/aws.hpp>
#include <logmill/sdk/dns.hpp>
#include <logmill/sdk/fields.hpp>

namespace ocsf = lm::ocsf::v1_8;

namespace {

constexpr auto kQuery = lm::table(ocsf::dns_activity, lm::profiles("cloud"),
                                  {lm::constant("activity_id", "6"),  // Traffic
                                   {"time"},
                                   lm::same("response_time", "time"),
                                   lm::constant("severity_id", "1"),
                                   {"status_id"},
                                   {"status_code"},
                                   {"query.hostname"},
                                   {"query.type"},
                                   {"rcode_id"},
                                   {"rcode"},
                                   {"connection_info.protocol_name"},
                                   {"connection_info.protocol_num"},
                                   lm::constant("connection_info.direction_id", "1"),  // Inbound
                                   {"src_endpoint.ip"},
                                   {"dst_endpoint.name"},
                                   lm::constant("dst_endpoint.svc_name", "route53.amazonaws.com"),
                                   {"cloud.account.uid"},
                                   {"cloud.account.type_id"},
                                   lm::constant("cloud.provider", "AWS"),
                                   {"cloud.region"},
                                   {"metadata.log_version"},
                                   lm::plain("metadata.original_time"),
                                   {"metadata.product.feature.uid"},
                                   lm::constant("metadata.product.feature.name", "Public DNS Query Logs"),
                                   lm::constant("metadata.product.name", "Route 53"),
                                   lm::constant("metadata.product.vendor_name", "AWS"),
                                   lm::constant("metadata.log_provider", "Route 53"),
                                   {"unmapped"}});

enum Column : std::size_t { version, timestamp, zone, name, type, rcode, protocol, edge, resolver, subnet, columns };
using Words = std::array<std::string_view, columns + 1>;

// "1.0"
bool is_version(std::string_view word) {
  const std::size_t point = word.find('.');
  return point != word.npos && lm::integer(word.substr(0, point)) && lm::integer(word.substr(point + 1)) && word[0] != '-';
}

bool is_zone(std::string_view word) {
  return word.size() > 1 && word[0] == 'Z' &&
         std::all_of(word.begin(), word.end(), [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); });
}

bool is_line(std::string_view line) {
  Words w;
  return lm::split(line, ' ', w) >= columns && is_version(w[version]) && lm::time::rfc3339(w[timestamp]) && is_zone(w[zone]) &&
         lm::net::is_ip(w[resolver]);
}

}  // namespace

struct Route53Public {
  static constexpr lm::Descriptor descriptor{.id = "aws.route53_public",
                                             .title = "Amazon Route 53 public DNS query logs",
                                             .vendor = "AWS",
                                             .version = "1.0.0",
                                             .reads = "Query log lines of public hosted zones",
                                             .framing = lm::Framing::lines};

  static int score(lm::Sample s) { return s.line_score(is_line); }

  void parse(lm::Record record, lm::Rows<kQuery>& rows) {
    if (record.starts_block()) {
      place_ = lm::aws::Place::of(record);
      if (!lm::aws::is_account(place_.account)) place_.account = {};
    }
    Words& w = words_;
    const std::size_t n = lm::split(record.text(), ' ', w);
    if (n < columns) return record.reject(lm::malformed, "fewer than ten columns");
    if (!is_version(w[version])) return record.reject(lm::foreign, "the line does not begin with a format version");
    const auto time = lm::time::rfc3339(w[timestamp]);
    if (!time || !lm::time::plausible(*time)) return record.reject(lm::malformed, "the second column is not a time");

    auto row = rows.begin(record);
    row.expect<"query.hostname">(lm::dns::hostname(w[name]));
    row.expect<"src_endpoint.ip">(w[resolver]);
    unmapped_.clear();
    row.set<"time">(time);
    row.set<"metadata.original_time">(w[timestamp]);
    row.set<"metadata.log_version">(w[version]);
    if (const auto id = lm::present(w[zone])) {
      row.set<"metadata.product.feature.uid">(id);
      unmapped_.add_text("hosted_zone_id", *id);
    }
    if (const auto query = lm::present(w[name])) {
      row.set<"query.hostname">(lm::dns::hostname(*query));
      row.set<"query.type">(lm::present(w[type]));
    } else {
      lm::keep(unmapped_, "query_type", w[type]);
    }
    if (const auto code = lm::present(w[rcode])) {
      const int id = lm::dns::rcode_id(*code);
      row.set<"rcode_id">(id);
      if (id == 99) row.set<"rcode">(code);
      row.set<"status_code">(code);
      row.set<"status_id">(id == 0 ? 1 : 2);
    } else {
      row.set<"status_id">(0);
    }
    if (const auto transport = lm::present(w[protocol])) {
      const auto number = lm::net::protocol_number(*transport);
      row.set<"connection_info.protocol_num">(number);
      row.set<"connection_info.protocol_name">(number ? lm::net::protocol_name(*number) : lowered(*transport));
    }
    row.set<"dst_endpoint.name">(lm::present(w[edge]));
    if (const auto ip = lm::present(w[resolver]); ip && !row.set<"src_endpoint.ip">(*ip)) unmapped_.add_text("resolver_ip", *ip);
    lm::keep(unmapped_, "edns_client_subnet", w[subnet]);
    if (n > columns) {
      record.drift("column_11");
      const std::size_t from = static_cast<std::size_t>(w[columns].data() - record.text().data());
      lm::keep(unmapped_, "column_11", lm::trim(record.text().substr(from)));
    }
    place_.set(row);
    if (const auto rest = unmapped_.finish(); !rest.empty()) row.set<"unmapped">(rest);
  }

 private:
  std::string_view lowered(std::string_view text) {
    lower_.assign(text);
    for (char& c : lower_) c = lm::lower(c);
    return lower_;
  }

  Words words_;
  lm::json::ObjectWriter unmapped_;
  lm::aws::Place place_;
  std::string lower_;
};

LOGMILL_PARSERS(Route53Public)
