// What the flow logs of network security groups and of virtual networks have in common: records of a minute or so, in which rules have tuples of text, one a flow. Both kinds of
// tuples agree in the meaning of their fields but for two, which `Format` reads.
//
// A record is read in two steps. The first takes the record's members and finds the lists of tuples (Group) wherever they lie, so that nothing depends on the order of members;
// the second makes a row of each tuple. Nothing within a record costs more than itself: a tuple that cannot be read is a row that says so and has its text.
#pragma once

#include <logmill/sdk.hpp>
#include <logmill/sdk/azure.hpp>
#include <logmill/sdk/fields.hpp>

#include <string>
#include <vector>

namespace azure_flows {

namespace ocsf = lm::ocsf::v1_8;
using lm::Text;
using lm::json::Field;
using lm::json::Type;
using lm::json::Value;

constexpr auto kCommon = lm::columns({{"activity_id"},
                                      {"activity_name"},
                                      {"time"},
                                      lm::constant("severity_id", "1"),
                                      {"cloud.account.uid"},
                                      {"cloud.account.type_id"},
                                      lm::constant("cloud.provider", "Azure"),
                                      {"cloud.region"},
                                      {"metadata.logged_time"},
                                      lm::plain("metadata.original_time"),
                                      {"metadata.log_name"},
                                      {"metadata.log_version"},
                                      {"metadata.event_code"},
                                      lm::constant("metadata.log_provider", "Microsoft.Network"),
                                      lm::constant("metadata.product.name", "Azure Network Watcher"),
                                      lm::constant("metadata.product.vendor_name", "Microsoft"),
                                      {"unmapped"}});

constexpr auto kFlow = lm::table(ocsf::network_activity, lm::profiles("cloud", "security_control"),
                                 kCommon + lm::columns({lm::constant("is_src_dst_assignment_known", "true"),
                                                        {"action_id"},
                                                        {"action"},
                                                        {"disposition_id"},
                                                        {"status_id"},
                                                        {"firewall_rule.uid"},
                                                        {"firewall_rule.name"},
                                                        {"firewall_rule.type"},
                                                        {"src_endpoint.ip"},
                                                        {"src_endpoint.port"},
                                                        {"src_endpoint.mac"},
                                                        {"src_endpoint.vpc_uid"},
                                                        {"src_endpoint.subnet_uid"},
                                                        {"src_endpoint.interface_uid"},
                                                        {"dst_endpoint.ip"},
                                                        {"dst_endpoint.port"},
                                                        {"dst_endpoint.mac"},
                                                        {"dst_endpoint.vpc_uid"},
                                                        {"dst_endpoint.subnet_uid"},
                                                        {"dst_endpoint.interface_uid"},
                                                        {"connection_info.direction_id"},
                                                        {"connection_info.direction"},
                                                        {"connection_info.protocol_num"},
                                                        {"connection_info.protocol_name"},
                                                        {"connection_info.protocol_ver_id"},
                                                        {"traffic.packets"},
                                                        {"traffic.bytes"},
                                                        {"traffic.packets_out"},
                                                        {"traffic.bytes_out"},
                                                        {"traffic.packets_in"},
                                                        {"traffic.bytes_in"}}));

// A record without any flow proves coverage; a tuple that cannot be read is no flow that OCSF could name.
constexpr auto kOther = lm::table(ocsf::base_event, lm::profiles("cloud"), kCommon + lm::columns({{"message"}}));

using Flows = lm::Rows<kFlow>;
using Others = lm::Rows<kOther>;
using FlowRow = lm::Row<kFlow>;

// The fields of a tuple, by their place in it.
enum At : std::size_t {
  time,
  source,
  destination,
  source_port,
  destination_port,
  protocol,
  direction,
  verdict,
  detail,
  packets_out,
  bytes_out,
  packets_in,
  bytes_in
};
constexpr std::size_t kLeast = 8, kMost = 13;
constexpr std::string_view kNames[] = {"time", "sourceIP", "destinationIP", "sourcePort", "destinationPort", "protocol",     "direction",
                                       "",     "",         "packetsSent",   "bytesSent",  "packetsReceived", "bytesReceived"};

// Those that the two formats name differently are in Format::kVerdict and Format::kDetail.
struct Tuple {
  std::array<std::string_view, kMost> fields{};
  std::size_t size = 0;   // as written, perhaps more than kMost
  std::string_view more;  // what is behind the last one

  // `text` is part of the record at hand. An empty field is one.
  void split(std::string_view text) {
    size = 0, more = {};
    std::size_t begin = 0;
    const auto end_field = [&](std::size_t end) {
      if (size < kMost) {
        lm::detail::store_view(fields[size], text.data() + begin, end - begin);
      } else if (size == kMost) {
        more = text.substr(begin);
      }
      ++size;
      begin = end + 1;
    };
#if defined(__SSE2__)
    static_assert(LM_PADDING >= 16);
    const __m128i comma = _mm_set1_epi8(',');
    for (std::size_t at = 0; at < text.size(); at += 16) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
      auto mask = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, comma)));
      if (text.size() - at < 16) mask &= (1u << (text.size() - at)) - 1;
      for (; mask != 0; mask &= mask - 1) end_field(at + static_cast<std::size_t>(__builtin_ctz(mask)));
    }
#else
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (text[at] == ',') end_field(at);
    }
#endif
    end_field(text.size());
    for (std::size_t i = size; i < kMost; ++i) fields[i] = {};
  }
};

// What a format makes of the fields `verdict` and `detail`. 99 stands with its word.
struct Verdict {
  int activity = 0;
  int action = 0;  // 1 Allowed, 2 Denied; 0: the tuple does not say
  int disposition = 0;
  std::string_view activity_word = {}, action_word = {};
};

// Of a record.
struct Event {
  Text time, category, operation, resource, flow_log, target, mac, version;
  bool lists = false;  // of flows, perhaps empty
};

// A list of tuples. Those of one rule follow each other.
struct Group {
  std::string_view acl, rule, mac;
  std::size_t first = 0, last = 0;  // of the record's tuples
};

// "000D3AF8801A" as OCSF writes it.
struct Mac {
  std::array<char, 17> text{};
  bool there = false;

  Mac() = default;
  explicit Mac(std::string_view from) {
    std::size_t n = 0;
    for (const char c : from) {
      const char low = lm::lower(c);
      if (low == ':' || low == '-') continue;
      if (n == 12 || !((low >= '0' && low <= '9') || (low >= 'a' && low <= 'f'))) return;
      text[n / 2 * 3 + n % 2] = low;
      if (n % 2 == 1 && n != 11) text[n / 2 * 3 + 2] = ':';
      ++n;
    }
    there = n == 12;
  }
  std::string_view view() const { return {text.data(), text.size()}; }
};

// Of the letter that says how far a flow is; 99 for one that is not known.
constexpr int activity_of(std::string_view state) {
  return lm::is(state, "B") ? 1 : lm::is(state, "C") ? 6 : lm::is(state, "E") ? 2 : 99;
}  // Open, Traffic, Close

// Epoch seconds, or milliseconds: by their number of digits.
inline lm::Maybe<std::int64_t> moment(std::string_view text) {
  auto t = lm::integer(text, lm::in_record);
  if (t && *t < 100'000'000'000) t = *t * 1000;
  return t && lm::time::plausible(*t) ? t : std::nullopt;
}

template <class Format>
class Parser {
 public:
  static int score(lm::Sample s) {
    // A block of the blob without the one before it begins with the comma between records.
    const lm::json::Outline outline(s, "records");
    Text category;
    for (const std::string_view name : {"category", "Category", "CATEGORY"}) {
      if (!category) category = outline.record_text(name);
    }
    return category && lm::equals_ignoring_case(*category, Format::kCategory) ? (outline.clean() ? 95 : 85) : 0;
  }

  void parse(lm::Record record, Flows& flows, Others& others) {
    Event e;
    rest_.clear(), lists_rest_.clear(), groups_.clear(), written_.clear(), left_.clear();
    if (!read(record, e)) return record.reject(json_);
    if (e.category && !lm::equals_ignoring_case(*e.category, Format::kCategory)) return record.reject(lm::foreign, Format::kForeign);
    if (!e.lists) return record.reject(e.category ? lm::malformed : lm::foreign, Format::kNoFlows);
    begin(e);
    codes(e, flows);
    bool ok = true;
    for (const Group& group : groups_) {
      begin(e, group, flows);
      for (std::size_t i = group.first; i < group.last && ok; ++i) {
        const Written& tuple = written_[i];
        if (tuple.text) tuple_.split(*tuple.text);
        ok = tuple.text && is_flow() ? flow(record, e, group, flows) : unreadable(record, e, group, tuple.raw, others);
      }
    }
    if (groups_.empty()) ok = window(record, e, others);
    if (!ok) record.reject(lm::malformed, "neither 'time' nor that of a flow is a time");
  }

 private:
  // ---- Reading ----

  bool read(lm::Record record, Event& e) {
    static constexpr auto kKeys = lm::azure::keys("time", "systemId", "macAddress", "category", "resourceId", "operationName", "properties",
                                                  "flowLogVersion", "flowLogGUID", "flowLogResourceID", "targetResourceID", "flowRecords");
    return json_.read(record.text(), [&](std::string_view key, Value& value) {
      const Field f{rest_, key, value};
      switch (kKeys.find(key)) {
        case kKeys.at("time"): lm::azure::scalar(f, e.time); break;
        case kKeys.at("macAddress"): lm::azure::text(f, e.mac); break;
        case kKeys.at("category"): lm::azure::text(f, e.category); break;
        case kKeys.at("resourceId"): lm::azure::text(f, e.resource); break;
        case kKeys.at("operationName"): lm::azure::text(f, e.operation); break;
        case kKeys.at("flowLogVersion"): lm::azure::scalar(f, e.version); break;
        case kKeys.at("flowLogResourceID"):
          lm::azure::text(f, e.flow_log);
          f.keep();
          break;
        case kKeys.at("targetResourceID"): lm::azure::text(f, e.target); break;
        case kKeys.at("properties"):
        case kKeys.at("flowRecords"): lists(record, e, f); break;
        case kKeys.at("systemId"):
        case kKeys.at("flowLogGUID"): f.keep(); break;
        default: record.drift(key); f.keep();
      }
    });
  }

  // The object with the lists, or its JSON as text.
  void lists(lm::Record record, Event& e, const Field& f) {
    const auto member = [&](const Field& m) {
      static constexpr auto kKeys = lm::azure::keys("Version", "flows");
      switch (kKeys.find(m.key)) {
        case kKeys.at("Version"):
          m.scalar(e.version);
          m.keep();
          break;
        case kKeys.at("flows"):
          if (m.value.type() != Type::array || e.lists) return m.keep();
          e.lists = true;
          m.value.array([&](Value& rule) { this->rule(record, rule); });
          break;
        default: record.drift(m.key); m.keep();
      }
    };
    if (e.lists) return f.keep();
    lists_key_ = f.key;
    if (f.value.type() == Type::object) {
      f.value.object([&](std::string_view key, Value& value) { member(Field{lists_rest_, key, value}); });
    } else if (const Text text = f.value.text(); !text || !inner_.read(*text, [&](std::string_view key, Value& value) {
                 member(Field{lists_rest_, key, value});
               })) {
      e.lists = false;
      groups_.clear(), written_.clear(), lists_rest_.clear(), left_.clear();
      f.keep();
    }
  }

  // {"rule":"..","flows":[{"mac":"..","flowTuples":[..]}]}, or {"aclID":"..","flowGroups":[{"rule":"..","flowTuples":[..]}]}.
  void rule(lm::Record record, Value& value) {
    const std::size_t first = groups_.size();
    Text name, acl;
    bool odd = false;
    value.object([&](std::string_view key, Value& member) {
      static constexpr auto kKeys = lm::azure::keys("rule", "aclID", "flows", "flowGroups");
      switch (kKeys.find(key)) {
        case kKeys.at("rule"): odd |= !(name = member.text()); break;
        case kKeys.at("aclID"): odd |= !(acl = member.text()); break;
        case kKeys.at("flows"):
        case kKeys.at("flowGroups"):
          odd |= member.type() != Type::array;
          member.array([&](Value& group) { odd |= !this->group(record, group); });
          break;
        default: record.drift("flows", key); odd = true;
      }
    });
    for (std::size_t i = first; i < groups_.size(); ++i) {
      if (name) groups_[i].rule = *name;
      if (acl) groups_[i].acl = *acl;
    }
    if (odd || groups_.size() == first) leave(value.raw());
  }

  // False: there is more to it than tuples of a known kind.
  bool group(lm::Record record, Value& value) {
    Group out;
    bool odd = value.type() != Type::object;
    out.first = out.last = written_.size();
    value.object([&](std::string_view key, Value& member) {
      static constexpr auto kKeys = lm::azure::keys("rule", "mac", "flowTuples");
      const auto text = [&](std::string_view& to) {
        const Text t = member.text();
        odd |= !t;
        to = t.value_or("");
      };
      switch (kKeys.find(key)) {
        case kKeys.at("rule"): text(out.rule); break;
        case kKeys.at("mac"): text(out.mac); break;
        case kKeys.at("flowTuples"):
          odd |= member.type() != Type::array || out.last != out.first;
          if (odd) break;
          member.array([&](Value& tuple) {
            const Text fields = tuple.text();
            if (!tuple.is_null()) written_.push_back({fields, tuple.raw()});
          });
          out.last = written_.size();
          break;
        default: record.drift("flowGroups", key); odd = true;
      }
    });
    if (out.last != out.first) groups_.push_back(out);
    return !odd;
  }

  // What stands in the lists besides flows, such as a rule without any, goes with the record's first row.
  void leave(std::string_view raw) { left_.append(left_.empty() ? "[" : ",").append(raw); }

  // ---- What rows have in common ----

  void begin(const Event& e) {
    logged_ = e.time ? lm::azure::time(*e.time) : std::nullopt;
    if (e.time && !logged_) rest_.add_text("time", *e.time);
    resource_.read((e.target ? e.target : e.resource ? e.resource : e.flow_log).value_or(""));
    flow_log_.read(e.flow_log.value_or(""));
    // A network watcher, and with it its flow logs and what they watch, is of one region, and named after it unless somebody wanted another name.
    constexpr std::string_view kWatcher = "/networkwatchers/networkwatcher_";
    const std::size_t at = flow_log_.lower().find(kWatcher);
    region_ = at == std::string_view::npos ? std::string_view() : lm::before(flow_log_.lower().substr(at + kWatcher.size()), '/');
    if (!Format::kRuleOfRecord && e.resource) rest_.add_text("resourceId", *e.resource);
    const std::string_view rest = rest_.finish(), lists = lists_rest_.finish();
    base_.assign(rest), first_.clear();
    if (!lists.empty()) add(base_, lists_key_, lists);
    if (left_.empty()) return;
    left_.push_back(']');
    line_.assign(lists);
    add(line_, "flows", left_);
    first_.assign(rest);
    add(first_, lists_key_, line_);
  }

  // What all rows of the record have is looked up once.
  void codes(const Event& e, Flows& flows) {
    log_name_ = flows.code<"metadata.log_name">(e.category);
    log_version_ = flows.code<"metadata.log_version">(e.version);
    event_code_ = flows.code<"metadata.event_code">(e.operation);
    account_ = flows.code<"cloud.account.uid">(lm::present(resource_.subscription()));
    region_code_ = flows.code<"cloud.region">(lm::present(region_));
    if constexpr (Format::kRuleOfRecord) rule_uid_ = flows.code<"firewall_rule.uid">(e.resource);
  }

  void begin(const Event& e, const Group& group, Flows& flows) {
    group_rest_.clear(), n_ready_ = 0;
    mac_ = Mac(group.mac.empty() ? e.mac.value_or("") : group.mac);
    if (e.mac && !group.mac.empty() && !lm::equals_ignoring_case(*e.mac, group.mac)) group_rest_.add_text("macAddress", *e.mac);
    if (!mac_.there) keep_mac(group_rest_, e, group);
    rule_ = named(group_rest_, "rule", group.rule);
    acl_ = named(group_rest_, "aclID", group.acl);
    // The word in front of '_' tells default rules from the user's.
    if constexpr (!Format::kRuleOfRecord) rule_uid_ = flows.code<"firewall_rule.uid">(acl_);
    rule_name_ = flows.code<"firewall_rule.name">(rule_);
    const std::size_t end = rule_ ? rule_->find("Rule_") : std::string_view::npos;
    rule_type_ = flows.code<"firewall_rule.type">(end == std::string_view::npos ? Text() : Text(rule_->substr(0, end + 4)));
    const Text mac = mac_.there ? Text(mac_.view()) : Text();
    source_mac_ = flows.code<"src_endpoint.mac">(mac), destination_mac_ = flows.code<"dst_endpoint.mac">(mac);
  }

  // What no rule decided has none.
  static Text named(lm::json::ObjectWriter& rest, std::string_view key, std::string_view text) {
    if (!lm::equals_ignoring_case(text, "unspecified")) return lm::present(text);
    rest.add_text(key, text);
    return {};
  }

  static void keep_mac(lm::json::ObjectWriter& rest, const Event& e, const Group& group) {
    if (!group.mac.empty()) {
      lm::keep(rest, "mac", group.mac);
    } else if (e.mac) {
      rest.add_text("macAddress", *e.mac);
    }
  }

  template <class Row>
  void times(Row& row, const Event& e, lm::Maybe<std::int64_t> own, Text text) {
    row.template set<"time">(own ? own : logged_);
    row.template set<"metadata.original_time">(own ? text : e.time);
    row.template set<"metadata.logged_time">(logged_);
  }

  // Of a row that is no flow.
  void other(lm::Row<kOther>& row, const Event& e, std::string_view activity, std::string_view message) {
    times(row, e, {}, {});
    row.set<"activity_id">(99);
    row.set<"activity_name">(activity);
    row.set<"message">(message);
    row.set<"metadata.log_name">(e.category);
    row.set<"metadata.log_version">(e.version);
    row.set<"metadata.event_code">(e.operation);
    if (!resource_.subscription().empty()) {
      row.set<"cloud.account.uid">(resource_.subscription());
      row.set<"cloud.account.type_id">(lm::azure::kSubscriptionType);
    }
    if (!region_.empty()) row.set<"cloud.region">(region_);
    own_.clear();
    if (Format::kRuleOfRecord && e.resource) own_.add_text("resourceId", *e.resource);
    if (e.target) own_.add_text("targetResourceID", *e.target);
  }

  // `unmapped`: the record's, the list's, then what only this row has.
  std::string_view line(lm::json::ObjectWriter& own, std::string_view key) {
    line_.assign(first_.empty() ? base_ : first_);
    first_.clear();
    if (const auto group = group_rest_.finish(); !group.empty()) join(line_, group);
    if (const auto rest = own.finish(); !rest.empty()) key.empty() ? join(line_, rest) : add(line_, key, rest);
    return line_;
  }

  static bool same_word(std::string_view a, std::string_view b) {
    return a.size() == b.size() && (a.empty() || (a.front() == b.front() && (a.size() == 1 || a == b)));
  }

  // Most tuples of a list leave nothing but one of a few words, so that what they leave was written before.
  std::string_view line_of_tuple() {
    const std::string_view word = tuple_.fields[Format::kState],
                           other = Format::kState == detail ? std::string_view() : tuple_.fields[detail];
    const bool usual = own_.empty() && first_.empty();
    if (usual) {
      for (std::size_t i = 0; i < n_ready_; ++i) {
        if (same_word(ready_[i].word, word) && same_word(ready_[i].other, other)) return ready_[i].line;
      }
    }
    lm::keep(own_, "state", word);
    lm::keep(own_, "encryption", other);
    const std::string_view out = line(own_, "flowTuple");
    if (!usual || n_ready_ == ready_.size()) return out;
    Ready& next = ready_[n_ready_++];
    next.word = word, next.other = other, next.line.assign(out);
    return next.line;
  }

  // Members of an object that is complete, or empty for one without members.
  static void join(std::string& object, std::string_view other) {
    if (object.empty()) {
      object.assign(other);
    } else {
      object.back() = ',';
      object.append(other.substr(1));
    }
  }
  static void add(std::string& object, std::string_view key, std::string_view raw) {
    if (object.empty()) {
      object.push_back('{');
    } else {
      object.back() = ',';
    }
    lm::json::append_quoted(object, key);
    object.append(":").append(raw).append("}");
  }

  // ---- Rows; false: there is no time that it could have ----

  bool window(lm::Record record, const Event& e, Others& others) {
    if (!logged_) return false;
    auto row = others.begin(record);
    other(row, e, "No flows", "no flows in this window");
    group_rest_.clear();
    if (e.mac) own_.add_text("macAddress", *e.mac);
    if (const auto rest = line(own_, ""); !rest.empty()) row.set<"unmapped">(rest);
    return true;
  }

  bool unreadable(lm::Record record, const Event& e, const Group& group, std::string_view raw, Others& others) {
    if (!logged_) return false;
    record.drift("flowTuples");
    auto row = others.begin(record);
    other(row, e, "Unreadable flow", "a flow tuple that is none: wanted 8 fields or more, and an address");
    if (acl_) own_.add_text("aclID", *acl_);
    if (rule_) own_.add_text("rule", *rule_);
    if (mac_.there) keep_mac(own_, e, group);
    own_.add("flowTuple", raw);
    if (const auto rest = line(own_, ""); !rest.empty()) row.set<"unmapped">(rest);
    return true;
  }

  // An address at either end at first sight; the row takes a closer look, which costs less for addresses that it has seen.
  bool is_flow() const {
    const auto may_be_ip = [](std::string_view text) {
      const char c = text.empty() ? ' ' : lm::lower(text.front());
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == ':';
    };
    return tuple_.size >= kLeast && (may_be_ip(tuple_.fields[source]) || may_be_ip(tuple_.fields[destination]));
  }

  bool flow(lm::Record record, const Event& e, const Group& group, Flows& flows) {
    const auto& f = tuple_.fields;
    const auto own = moment(f[time]);
    if (!own && !logged_) return false;
    auto row = flows.begin(record);
    row.expect<"src_endpoint.ip">(f[source]);
    row.expect<"dst_endpoint.ip">(f[destination]);
    own_.clear();
    if (!own) lm::keep(own_, "time", f[time]);
    times(row, e, own, f[time]);
    row.set<"metadata.log_name">(log_name_);
    row.set<"metadata.log_version">(log_version_);
    row.set<"metadata.event_code">(event_code_);
    if (row.set<"cloud.account.uid">(account_)) row.set<"cloud.account.type_id">(lm::azure::kSubscriptionType);
    row.set<"cloud.region">(region_code_);
    row.set<"firewall_rule.uid">(rule_uid_);
    row.set<"firewall_rule.name">(rule_name_);
    row.set<"firewall_rule.type">(rule_type_);
    const auto protocol = this->protocol(row);
    const bool from = endpoint<"src_endpoint.ip", "src_endpoint.port">(row, source, source_port, protocol);
    const bool to = endpoint<"dst_endpoint.ip", "dst_endpoint.port">(row, destination, destination_port, protocol);
    if (from || to) row.set<"connection_info.protocol_ver_id">(lm::net::version(f[from ? source : destination]));
    const int direction = this->direction(row);
    if (direction == 1 && to) {
      side<"dst_endpoint.mac", "dst_endpoint.vpc_uid", "dst_endpoint.subnet_uid", "dst_endpoint.interface_uid">(row, e, destination_mac_);
    } else if (direction == 2 && from) {
      side<"src_endpoint.mac", "src_endpoint.vpc_uid", "src_endpoint.subnet_uid", "src_endpoint.interface_uid">(row, e, source_mac_);
    } else {
      if (mac_.there) keep_mac(own_, e, group);
      if (e.target) own_.add_text("targetResourceID", *e.target);
    }
    decide(row);
    traffic(row);
    if (tuple_.size > kLeast && tuple_.size != kMost) record.drift("flowTuples");
    lm::keep(own_, "more", tuple_.more);
    if (const auto rest = line_of_tuple(); !rest.empty()) row.set<"unmapped">(rest);
    return true;
  }

  lm::Maybe<std::int64_t> protocol(FlowRow& row) {
    const std::string_view text = tuple_.fields[At::protocol];
    auto number = lm::is(text, "T") ? 6 : lm::is(text, "U") ? 17 : lm::integer(text, lm::in_record);
    if (!number || *number < 0 || *number > 255) {
      lm::keep(own_, "protocol", text);
      return std::nullopt;
    }
    row.set<"connection_info.protocol_num">(number);
    if (const auto name = lm::net::protocol_name(*number); !name.empty()) row.set<"connection_info.protocol_name">(name);
    return number;
  }

  // A port makes no endpoint, and what has no ports has ports of 0.
  template <lm::detail::FixedString Ip, lm::detail::FixedString Port>
  bool endpoint(FlowRow& row, std::size_t at, std::size_t port_at, lm::Maybe<std::int64_t> protocol) {
    const std::string_view ip = tuple_.fields[at];
    const bool there = row.set<Ip>(ip);
    if (!there) lm::keep(own_, kNames[at], ip);
    const auto port = lm::integer_or_keep(own_, kNames[port_at], tuple_.fields[port_at], 65535);
    const bool none = protocol && !lm::net::has_ports(*protocol);
    if (!port || (none && *port == 0)) return there;
    if (there && !none) {
      row.set<Port>(port);
    } else {
      lm::json::add_number(own_, kNames[port_at], *port);
    }
    return there;
  }

  int direction(FlowRow& row) {
    const std::string_view text = tuple_.fields[At::direction];
    const int id = lm::is(text, "I") ? 1 : lm::is(text, "O") ? 2 : text.empty() ? 0 : 99;
    row.set<"connection_info.direction_id">(id);
    if (id == 99) row.set<"connection_info.direction">(text);
    return id;
  }

  // The interface that saw the flow is the end of it that the direction points to.
  template <lm::detail::FixedString MacPath, lm::detail::FixedString Network, lm::detail::FixedString Subnet,
            lm::detail::FixedString Interface>
  void side(FlowRow& row, const Event& e, lm::Code mac) {
    row.set<MacPath>(mac);
    if (!e.target) return;
    if (lm::equals_ignoring_case(resource_.type(), "Microsoft.Network/networkInterfaces")) {
      row.set<Interface>(e.target);
    } else if (lm::equals_ignoring_case(resource_.type(), "Microsoft.Network/virtualNetworks")) {
      row.set<Network>(e.target);
    } else {
      row.set<Subnet>(e.target);
    }
  }

  void decide(FlowRow& row) {
    const Verdict v = Format::verdict(tuple_.fields[verdict], tuple_.fields[detail]);
    row.set<"activity_id">(v.activity);
    if (v.activity == 99) row.set<"activity_name">(v.activity_word);
    if (v.action == 0) return;
    row.set<"action_id">(v.action);
    if (v.action == 99) {
      row.set<"action">(v.action_word);
    } else {
      row.set<"disposition_id">(v.disposition);
      row.set<"status_id">(v.action);  // Success, Failure
    }
  }

  // Since the tuple before of the same flow, or none.
  void traffic(FlowRow& row) {
    if (tuple_.size <= kLeast) return;
    const auto number = [&](std::size_t at) __attribute__((always_inline)) {
      return lm::integer_or_keep(own_, kNames[at], tuple_.fields[at]);
    };
    const auto sent = number(packets_out), sent_bytes = number(bytes_out), got = number(packets_in), got_bytes = number(bytes_in);
    row.set<"traffic.packets_out">(sent);
    row.set<"traffic.bytes_out">(sent_bytes);
    row.set<"traffic.packets_in">(got);
    row.set<"traffic.bytes_in">(got_bytes);
    std::int64_t sum;
    if (sent && got && !__builtin_add_overflow(*sent, *got, &sum)) row.set<"traffic.packets">(sum);
    if (sent_bytes && got_bytes && !__builtin_add_overflow(*sent_bytes, *got_bytes, &sum)) row.set<"traffic.bytes">(sum);
  }

  lm::json::Reader json_, inner_;
  lm::json::ObjectWriter rest_, lists_rest_, group_rest_, own_;
  std::vector<Group> groups_;
  struct Written {
    Text text;
    std::string_view raw;
  };
  std::vector<Written> written_;  // the record's tuples
  Tuple tuple_;
  lm::Maybe<std::int64_t> logged_;
  Mac mac_;
  Text rule_, acl_;
  lm::Code log_name_, log_version_, event_code_, account_, region_code_, rule_uid_, rule_name_, rule_type_, source_mac_, destination_mac_;
  std::string_view lists_key_;  // "properties" or "flowRecords"
  lm::azure::ResourceId resource_, flow_log_;
  std::string_view region_;
  std::string left_;          // of the lists, a JSON array
  std::string base_, first_;  // JSON objects, or empty
  struct Ready {
    std::string_view word, other;  // of the record
    std::string line;
  };
  std::array<Ready, 16> ready_;  // of the list at hand
  std::size_t n_ready_ = 0;
  std::string line_;  // scratch
};

}  // namespace azure_flows
