// logmill/sdk/azure.hpp -- what Azure's logs have in common: the envelope of resource logs, resource ids, levels, times, addresses of callers.
//   lm::azure::time("3/2/2026 1:04:58 PM")                  -> 1772456698000    beside RFC 3339 what portals, PowerShell and older services write; without a zone in UTC
//   lm::azure::present("00000000-0000-0000-0000-000000000000") -> absent        as are "", "-", "N/A" and "?"
//   lm::azure::column("TimeGenerated [UTC]")                -> "TimeGenerated"  as CSV exports name it
//   lm::azure::member("httpStatusCode_d")                   -> "httpStatusCode" as the table AzureDiagnostics names it; within("identity_claim_oid_g", "identity_claim") -> "oid"
//   lm::azure::severity_id("Warning")                       -> 3                of a level, by name or number; 99 for a word that is none
//   lm::azure::region("West Europe", scratch)               -> "westeurope"     as resources name it
//   lm::azure::address("[2001:db8::1]:443")                 -> 2001:db8::1, 443; host("[evil.example]x:443") -> "", for something is left
//   lm::azure::source_endpoint(row, "[2001:db8::1]:443")    sets src_endpoint's ip, port, intermediate_ips; answers whether nothing of the text is left
//   lm::azure::ResourceId id; id.read("/SUBSCRIPTIONS/...") -> id.subscription(), group(), provider(), type(), name(), tenant(), lower()
//   lm::azure::keys("operationName", ...)                   as lm::keys, but its find() does not regard case, for the same price
//   lm::azure::Envelope                                     the members of resource logs and the standard columns of Log Analytics, and the attributes that they give every row
//   lm::azure::Inner                                        readers for objects that a text holds: `properties` and dynamic columns
//   lm::azure::kEvery                                       the columns of every table
//
// A parser reads a record so (no envelope, as from Microsoft Graph, and flat rows of Log Analytics are its own members beside those of Envelope):
//   json_.read(record.text(), [&](std::string_view key, lm::json::Value& value) {
//     const lm::json::Field f{rest_, key, value};
//     if (key is "properties") return lm::azure::object(f, inner_, properties_rest_, [&](const lm::json::Field& m) { own_member(m); });
//     if (!envelope_.take(f)) own_member(f);
//   });
//   if (envelope_.source() is absent or another source's) return record.reject(lm::foreign, "...");
//   envelope_.finish(rest_);
// Rows of the table AzureDiagnostics are resource logs whose `properties` lie flat: columns say their types, and objects are part of their names. A parser whose source is
// found there
//   - looks its own members up as kKeys.find(azure::member(f.key)), where there is no harm in it for the other forms, and asks azure::within() for what is nested in them;
//   - reads whole numbers with azure::whole(), for the table's are all fractions;
//   - gives own_member() the members of the column AdditionalFields, as those of `properties`: what is there had no place in the table;
//   - asks envelope_.source(), whose row it is by the category, and calls envelope_.keep_table(rest_), for `Type` is then no name of the log.
// Source of the forms: Microsoft, "Common and service-specific schemas for Azure resource logs", "Standard columns in Azure Monitor Logs". Allocates what its classes keep for
// the next record; never throws but std::bad_alloc.
#pragma once

#include <logmill/sdk.hpp>
#include <logmill/sdk/fields.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace lm::azure {

constexpr int kSubscriptionType = 13;  // OCSF account.type_id: Azure Subscription

// ---- Values ----

// Of texts that say that there is none.
constexpr Text present(Text text) {
  if (!text || text->empty() || *text == "-" || *text == "?" || equals_ignoring_case(*text, "N/A") ||
      *text == "00000000-0000-0000-0000-000000000000")
    return std::nullopt;
  return text;
}
// The same of fields where the word is one of those texts, in any case: "none", "hidden", "Unknown".
template <class... Words>
constexpr Text present_but(Text text, Words... words) {
  const Text there = present(text);
  return there && (equals_ignoring_case(*there, words) || ...) ? Text() : there;
}

// The name of a column without what CSV exports put behind it: "TimeGenerated [UTC]" is TimeGenerated, and some portals' headers end in a space.
constexpr std::string_view column(std::string_view name) {
  while (name.ends_with(' ')) name.remove_suffix(1);
  if (name.ends_with(" [UTC]")) name.remove_suffix(6);
  return name;
}

// The member that a column of AzureDiagnostics was made of, less what says its type: "httpStatusCode_d" and "event_time_t [UTC]" are httpStatusCode and event_time. What has
// no such end is as column() has it.
constexpr std::string_view member(std::string_view name) {
  name = column(name);
  if (name.size() < 3 || name[name.size() - 2] != '_') return name;
  switch (name.back()) {
    case 'b':
    case 'd':
    case 'g':
    case 's':
    case 't': return name.substr(0, name.size() - 2);
    default: return name;
  }
}

// The member of that object, itself a flat name if there are more: within("identity_claim_oid_g", "identity_claim") is "oid". "" of a column that is none.
constexpr std::string_view within(std::string_view name, std::string_view object) {
  if (name.size() <= object.size() + 1 || name[object.size()] != '_' || !equals_ignoring_case(name.substr(0, object.size()), object))
    return {};
  return member(name.substr(object.size() + 1));
}

// As Field::text, without the texts that say that there is none.
inline void text(const json::Field& f, Text& out) {
  Text read;
  f.text(read);
  read = present(read);
  if (!read) return;
  if (out) f.rest.add_text(f.key, *out);
  out = read;
}
// The same of text, or a number or boolean as it is spelled.
inline void scalar(const json::Field& f, Text& out) {
  Text read;
  f.scalar(read);
  read = present(read);
  if (!read) return;
  if (out) f.rest.add_text(f.key, *out);
  out = read;
}

// Of a number that is whole but written as a fraction, its digits: "200.0" is "200". Any other text as it stands.
constexpr Text whole(Text text) {
  const std::size_t point = text ? text->find('.') : std::string_view::npos;
  if (point == std::string_view::npos || point + 1 == text->size() || text->find_first_not_of('0', point + 1) != std::string_view::npos)
    return text;
  const std::string_view digits = text->substr(0, point);
  return lm::integer(digits) ? Text(digits) : text;
}

// As Field::integer, also of such a number, or of a text of it.
inline void whole(const json::Field& f, Maybe<std::int64_t>& out, std::int64_t least = 0, std::int64_t most = INT64_MAX) {
  std::string_view digits = f.value.raw();
  if (digits.size() > 2 && digits.front() == '"') digits = digits.substr(1, digits.size() - 2);
  const auto n = lm::integer(*whole(Text(digits)));
  if (!n || *n < least || *n > most) return f.keep();
  if (out) json::add_number(f.rest, f.key, *out);
  out = n;
}

// A text with its name in the record, for what is known only later to have a place or none.
struct Named {
  Text value;
  std::string_view key;

  void read(const json::Field& f) { text(f, value), key = f.key; }
  void read_scalar(const json::Field& f) { scalar(f, value), key = f.key; }
  void keep(json::ObjectWriter& rest) const {
    if (value) rest.add_text(key, *value);
  }
  // Unless it says what is said elsewhere.
  void keep_unless(json::ObjectWriter& rest, Text said) const {
    if (value && !(said && equals_ignoring_case(*value, *said))) rest.add_text(key, *value);
  }
};

// "joe@example.com" -> "example.com"; "" of what is no e-mail address: user names may be anything.
constexpr std::string_view email_domain(std::string_view name) {
  const std::size_t at = name.find('@');
  if (at == 0 || at == std::string_view::npos || at + 1 == name.size() || at != name.rfind('@')) return {};
  return name.find_first_of(" \t\"<>,;") == std::string_view::npos ? name.substr(at + 1) : std::string_view();
}

constexpr bool ends_ignoring_case(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && equals_ignoring_case(text.substr(text.size() - end.size()), end);
}
constexpr bool contains_ignoring_case(std::string_view text, std::string_view part) {
  for (std::size_t i = 0; i + part.size() <= text.size(); ++i) {
    if (equals_ignoring_case(text.substr(i, part.size()), part)) return true;
  }
  return false;
}

// The view lies in `scratch` unless there is nothing to do.
inline std::string_view lower_case(std::string_view text, std::string& scratch) {
  std::size_t upper = 0;
  while (upper < text.size() && lower(text[upper]) == text[upper]) ++upper;
  if (upper == text.size()) return text;
  scratch.assign(text);
  for (char& c : scratch) c = lower(c);
  return scratch;
}

// Portals spell a region with blanks and capitals. The view lies in `scratch`.
inline std::string_view region(std::string_view text, std::string& scratch) {
  scratch.clear();
  for (const char c : text) {
    if (c != ' ') scratch.push_back(lower(c));
  }
  return scratch;
}

// 99: the level is a word that is none of those.
constexpr int severity_id(Text level) {
  struct Level {
    std::string_view name;
    int severity;
  };
  constexpr Level kLevels[] = {
      {"4", 1}, {"Informational", 1}, {"Information", 1}, {"Info", 1},     {"Verbose", 1}, {"5", 1}, {"Warning", 3},
      {"3", 3}, {"Error", 4},         {"2", 4},           {"Critical", 5}, {"1", 5}};
  if (!level || level->empty()) return 1;
  for (const Level& known : kLevels) {
    if (equals_ignoring_case(*level, known.name)) return known.severity;
  }
  return 99;
}

// ---- Times ----

namespace detail {

// "3/2/2026 1:04:58 PM", "03/02/2026 13:04:58 +00:00": the month first; without AM and PM of 24 hours; fractions as elsewhere.
constexpr Maybe<std::int64_t> us_time(std::string_view text) {
  std::size_t at = 0;
  const auto number = [&](std::size_t most) -> Maybe<unsigned> {
    unsigned value = 0;
    const std::size_t first = at;
    for (; at < text.size() && at - first < most && text[at] >= '0' && text[at] <= '9'; ++at)
      value = value * 10 + static_cast<unsigned>(text[at] - '0');
    return at == first ? Maybe<unsigned>() : Maybe<unsigned>(value);
  };
  const auto sign = [&](char c) { return at < text.size() && text[at] == c && (++at, true); };
  const auto month = number(2);
  if (!month || !sign('/')) return std::nullopt;
  const auto day = number(2);
  if (!day || !sign('/')) return std::nullopt;
  const auto year = number(4);
  if (!year || *year < 1000 || (!sign(',') && at == text.size()) || !sign(' ')) return std::nullopt;
  const auto hour = number(2);
  if (!hour || !sign(':')) return std::nullopt;
  const auto minute = number(2);
  if (!minute) return std::nullopt;
  Maybe<unsigned> second = 0u;
  unsigned millisecond = 0;
  if (sign(':')) {
    second = number(2);
    if (second && sign('.')) {
      unsigned scale = 100;
      const std::size_t first = at;
      for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10)
        millisecond += static_cast<unsigned>(text[at] - '0') * scale;
      if (at == first) return std::nullopt;
    }
  }
  if (!second) return std::nullopt;
  unsigned hours = *hour;
  std::string_view rest = text.substr(at);
  if (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  if (rest.size() >= 2 && lower(rest[1]) == 'm' && (lower(rest[0]) == 'a' || lower(rest[0]) == 'p')) {
    if (hours == 0 || hours > 12) return std::nullopt;
    hours = hours % 12 + (lower(rest[0]) == 'p' ? 12u : 0u);
    rest.remove_prefix(2);
    if (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  }
  std::int64_t offset = 0;
  if (rest.size() == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':') {
    const auto zone_hours = lm::time::digits(rest, 1, 2), zone_minutes = lm::time::digits(rest, 4, 2);
    if (!zone_hours || !zone_minutes || *zone_hours > 23 || *zone_minutes > 59) return std::nullopt;
    offset = static_cast<std::int64_t>(*zone_hours * 60 + *zone_minutes) * (rest[0] == '-' ? -60'000 : 60'000);
  } else if (!rest.empty() && rest != "Z" && rest != "UTC") {
    return std::nullopt;
  }
  const auto utc = lm::time::moment(*year, *month, *day, hours, *minute, *second, millisecond);
  return utc ? Maybe<std::int64_t>(*utc - offset) : std::nullopt;
}

// Digits of an epoch: their number tells the unit.
constexpr Maybe<std::int64_t> epoch(std::string_view text) {
  const auto n = integer(text);
  if (!n || *n < 0) return std::nullopt;
  switch (text.size()) {
    case 10: return *n * 1000;
    case 13: return *n;
    case 16: return *n / 1000;
    case 19: return *n / 1'000'000;
    default: return std::nullopt;
  }
}

constexpr Maybe<std::int64_t> other_time(std::string_view text) {
  text = trim(text);
  if (text.starts_with("/Date(") && text.ends_with(")/")) return integer(text.substr(6, text.size() - 8));
  if (text.size() < 10) return std::nullopt;
  // "2018/11/08 21:09:36.69" and "2022-09-09T8:48:50Z", made what RFC 3339 has.
  if ((text[4] == '/' || text[4] == '-') && text[7] == text[4] && text.size() > 12 && text.size() < 40) {
    char plain[48]{};
    std::size_t size = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (i == 11 && text[12] == ':') plain[size++] = '0';
      plain[size++] = i == 4 || i == 7 ? '-' : text[i];
    }
    return lm::time::rfc3339({plain, size}, true);
  }
  if (text.find('/') < 3) return us_time(text);
  return epoch(text);
}

}  // namespace detail

// Of any of the forms, as milliseconds; absent also for what is no time of an event.
constexpr Maybe<std::int64_t> time(Text text) {
  if (!text) return std::nullopt;
  auto t = lm::time::rfc3339(*text, true);
  if (!t) [[unlikely]]
    t = detail::other_time(*text);
  return t && lm::time::plausible(*t) ? t : std::nullopt;
}

// ---- Addresses ----

struct Address {
  std::string_view ip;  // "" if the text is none
  Maybe<std::int64_t> port;
  bool whole = false;  // nothing of the text is left: no zone, no port that is none
};

// "192.0.2.1", "192.0.2.1:443", "2001:db8::1", "[2001:db8::1]:443", "fe80::1%eth0".
constexpr Address address(std::string_view text) {
  text = trim(text);
  net::HostPort place{text, {}};
  if (!net::is_ip(text)) {
    // Without brackets a port stands behind IPv4 alone: "2001:db8::1:443" is an address.
    if (text.starts_with('[') || text.find(':') == text.rfind(':')) place = net::host_port(text);
  }
  bool whole = true;
  if (text.starts_with('[')) {
    const std::string_view behind = text.substr(std::min(text.size(), text.find(']')));
    whole = behind == "]" || place.port;
  }
  if (const std::size_t zone = place.host.find('%'); zone != std::string_view::npos) place.host = place.host.substr(0, zone), whole = false;
  if (!net::is_ip(place.host)) return {};
  return {place.host, place.port, whole};
}

// As net::host_port, but there is no host where a bracket is followed by something that is no port: nothing of the text may be lost.
constexpr net::HostPort host(std::string_view text) {
  const net::HostPort place = net::host_port(text);
  if (text.starts_with('[') && !place.port && text.find(']') + 1 != text.size()) return {};
  return place.host.find_first_of("[]") == std::string_view::npos ? place : net::HostPort{};
}

// Addresses in lower case, so that they are the same whoever wrote them. The view lies in `scratch`.
using AddressText = std::array<char, 48>;
constexpr std::string_view lower_ip(std::string_view ip, AddressText& scratch) {
  ip = ip.substr(0, scratch.size());
  for (std::size_t i = 0; i < ip.size(); ++i) scratch[i] = lower(ip[i]);
  return {scratch.data(), ip.size()};
}

// Of a list, whose first is the caller's, all are `intermediate_ips`. False: something of the text has no attribute, and the caller keeps the text.
template <class Row>
bool source_endpoint(Row& row, std::string_view text) {
  text = trim(text);
  if (text.empty()) return true;
  const std::size_t comma = text.find(',');
  const Address first = address(text.substr(0, comma));
  if (first.ip.empty()) return false;
  AddressText lowered{};
  bool whole = row.template set<"src_endpoint.ip">(lower_ip(first.ip, lowered)) && first.whole;
  if (first.port) {
    if constexpr (Row::template has<"src_endpoint.port">) {
      row.template set<"src_endpoint.port">(*first.port);
    } else {
      whole = false;
    }
  }
  if (comma == std::string_view::npos) return whole;
  if constexpr (Row::template has_list<"src_endpoint.intermediate_ips">) {
    for (std::string_view rest = text; !rest.empty();) {
      const Address next = address(before(rest, ','));
      whole = !next.ip.empty() && row.template push<"src_endpoint.intermediate_ips">(lower_ip(next.ip, lowered)) && next.whole && whole;
      const std::size_t end = rest.find(',');
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return whole;
  }
  return false;
}

// ---- Resource ids ----

// "/subscriptions/SUB/resourceGroups/RG/providers/NAMESPACE/TYPE/NAME/SUBTYPE/SUBNAME", a tenant's, or a scope behind another one, of which the last counts.
class ResourceId {
 public:
  // The same id as the time before costs a comparison. "" has no parts.
  void read(std::string_view text) {
    if (text == text_) return;
    text_.assign(text), lower_.assign(text);
    for (char& c : lower_) c = lm::lower(c);
    subscription_ = tenant_ = group_ = provider_ = {};
    type_.clear(), name_.clear();
    const auto behind = [&](std::string_view key, const std::string& in) {
      const std::size_t at = lower_.find(key);
      return at == std::string::npos ? std::string_view() : before(std::string_view(in).substr(at + key.size()), '/');
    };
    if (lower_.starts_with("/subscriptions/")) subscription_ = behind("/subscriptions/", lower_);
    if (lower_.starts_with("/tenants/")) tenant_ = behind("/tenants/", lower_);
    group_ = behind("/resourcegroups/", text_);
    constexpr std::string_view kProviders = "/providers/";
    const std::size_t at = lower_.rfind(kProviders);
    if (at == std::string::npos) return;
    std::string_view rest = std::string_view(text_).substr(at + kProviders.size());
    provider_ = before(rest, '/');
    type_.assign(provider_);
    rest.remove_prefix(provider_.size());
    for (bool is_type = true; !rest.empty(); is_type = !is_type) {
      rest.remove_prefix(1);
      const std::string_view part = before(rest, '/');
      rest.remove_prefix(part.size());
      if (part.empty()) continue;
      std::string& to = is_type ? type_ : name_;
      if (!to.empty()) to.push_back('/');
      to.append(part);
    }
  }

  bool empty() const { return text_.empty(); }
  std::string_view text() const { return text_; }                  // as written
  std::string_view lower() const { return lower_; }                // the form that logs join by
  std::string_view subscription() const { return subscription_; }  // in lower case
  std::string_view tenant() const { return tenant_; }              // in lower case
  std::string_view group() const { return group_; }
  std::string_view provider() const { return provider_; }  // "Microsoft.KeyVault"
  std::string_view type() const { return type_; }          // "Microsoft.Sql/servers/databases"
  std::string_view name() const { return name_; }          // "server/database"

 private:
  std::string text_, lower_, type_, name_;
  std::string_view subscription_, tenant_, group_, provider_;
};

// ---- Members without regard to case ----

template <std::size_t N>
struct Keys {
  using Exact = lm::Keys<N>;
  std::array<std::string_view, N> names{};
  std::array<std::int16_t, Exact::kSlots> table{};
  std::uint32_t seed = 1;

  // As lm::Keys::slot, of words in which letters of either case are the same.
  static constexpr std::size_t slot(std::string_view key, std::uint32_t seed) {
    constexpr std::uint64_t kFold = 0x2020202020202020u;
    const std::size_t n = key.size();
    const std::uint64_t head = Exact::load(key.data(), n < 8 ? n : 8) | kFold,
                        tail = n < 8 ? 0 : Exact::load(key.data() + n - 8, 8) | kFold;
    std::uint64_t h = (head ^ (tail * 0x9e3779b97f4a7c15u) ^ n) * (2 * std::uint64_t{seed} + 1);
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return (h >> 40) & (Exact::kSlots - 1);
  }
  constexpr int find(std::string_view key) const {
    const int index = table[slot(key, seed)];
    if (index < 0) return -1;
    const std::string_view name = names[static_cast<std::size_t>(index)];
    return lm::detail::equal(name, key) || equals_ignoring_case(name, key) ? index : -1;
  }
  consteval int at(std::string_view key) const {
    const int index = find(key);
    if (index < 0) throw "no such key in this set";
    return index;
  }
};

template <class... Names>
consteval auto keys(Names... names) {
  Keys<sizeof...(Names)> out;
  out.names = {std::string_view(names)...};
  for (std::size_t i = 0; i < sizeof...(Names); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (equals_ignoring_case(out.names[i], out.names[j])) throw "a key is named twice";
    }
  }
  out.table.fill(-1);
  for (out.seed = 1; out.seed < 100'000; ++out.seed) {
    std::size_t placed = 0;
    for (; placed < sizeof...(Names); ++placed) {
      auto& place = out.table[out.slot(out.names[placed], out.seed)];
      if (place >= 0) break;
      place = static_cast<std::int16_t>(placed);
    }
    if (placed == sizeof...(Names)) return out;
    for (std::size_t i = 0; i < placed; ++i) out.table[out.slot(out.names[i], out.seed)] = -1;
  }
  throw "no table without collisions: two keys are too alike";
}

// ---- Objects in texts ----

// A reader for each text of a record that holds JSON, so that what was read of one is still there when the next one is read.
class Inner {
 public:
  static constexpr std::size_t kMost = 64;  // of a record: a reader is some hundred bytes, and a hostile record has texts without end

  void clear() { used_ = 0; }
  // A reader that found the text valid, if it begins with that bracket; none also when the record has had its share: the text stays one.
  json::Reader* open(std::string_view text, char bracket) {
    if (used_ >= kMost || !trim(text).starts_with(bracket)) return nullptr;
    if (used_ == readers_.size()) readers_.emplace_back();
    json::Reader& reader = readers_[used_];
    if (!reader.valid(text)) return nullptr;
    ++used_;
    return &reader;
  }
  json::Reader& next() {
    if (used_ == readers_.size()) readers_.emplace_back();
    return readers_[used_++];
  }

 private:
  std::deque<json::Reader> readers_;  // a deque, for views into them must stay
  std::size_t used_ = 0;
};

// Gives on_member(std::string_view key, Value&) the members of an object, or of a text that holds one, after begin(). False: it is neither, and nothing was done.
template <class Begin, class OnMember>
bool members(const json::Field& f, Inner& inner, Begin&& begin, OnMember&& on_member) {
  if (f.value.type() == json::Type::object) return begin(), f.value.object(on_member), true;
  const Text text = f.value.type() == json::Type::string ? f.value.text() : Text();
  json::Reader* const reader = text ? inner.open(*text, '{') : nullptr;
  if (reader) begin(), reader->read(*text, on_member);
  return reader;
}

// As Field::object with `inner_rest`, also of a text that holds an object; what is neither is kept.
template <class OnMember>
void object(const json::Field& f, Inner& inner, json::ObjectWriter& inner_rest, OnMember&& on_member) {
  if (f.value.type() != json::Type::string) return f.object(inner_rest, on_member);
  const Text text = f.value.text();
  if (!text) return;
  json::Reader* const reader = inner.open(*text, '{');
  if (!reader) return f.keep();
  f.close(inner_rest);
  reader->read(*text, [&](std::string_view member, json::Value& v) { on_member(json::Field{inner_rest, member, v}); });
}
// The same with what members keep in `f.rest`, in an object of this name if there is any.
template <class OnMember>
void object(const json::Field& f, Inner& inner, OnMember&& on_member) {
  if (f.value.type() != json::Type::string) return f.object(on_member);
  const Text text = f.value.text();
  if (!text) return;
  json::Reader* const reader = inner.open(*text, '{');
  if (!reader) return f.keep();
  f.rest.enter(f.key);
  reader->read(*text, [&](std::string_view member, json::Value& v) { on_member(json::Field{f.rest, member, v}); });
  f.rest.leave();
}
// Gives on_element(Value&) the elements of an array, or of a text that holds one. False: it is neither, and nothing was done.
template <class OnElement>
bool array(const json::Field& f, Inner& inner, OnElement&& on_element) {
  if (f.value.type() == json::Type::array) return f.value.array(on_element), true;
  const Text text = f.value.text();
  json::Reader* const reader = text ? inner.open(*text, '[') : nullptr;
  return reader && reader->read_array(*text, on_element);
}

// ---- The envelope ----

// Every table has them. The product's name is the table's own, as are activity_name, status_* and what the class asks for.
inline constexpr auto kEvery = columns({{"activity_id"},
                                        {"time"},
                                        {"severity_id"},
                                        {"unmapped"},
                                        {"cloud.account.uid"},
                                        {"cloud.account.type_id"},
                                        {"cloud.org.uid"},
                                        constant("cloud.provider", "Azure"),
                                        {"metadata.log_name"},
                                        {"metadata.log_provider"},
                                        {"metadata.log_level"},
                                        {"metadata.log_version"},
                                        {"metadata.logged_time"},
                                        plain("metadata.original_time"),
                                        plain("metadata.original_event_uid"),
                                        plain("metadata.correlation_uid"),
                                        {"metadata.tenant_uid"},
                                        {"metadata.event_code"},
                                        constant("metadata.product.vendor_name", "Microsoft")});

namespace detail {
struct EnvelopeTexts {
  Text time, category, operation, operation_version, result_type, result_signature, result_description, duration, caller, correlation,
      level, location, identity;
  Text table;           // `Type`, of a row of Log Analytics
  Text other_resource;  // a `resourceId` that is none of Azure's: of what has no envelope it is the source's own field
};
struct EnvelopeOwn {
  Text tenant, directory, resource;
  std::string_view tenant_key;
  bool row = false;
};
}  // namespace detail

// Views into the record and what its reader unescaped. Members that are text here and of another type in a record are left to the parser: take() answers false.
struct Envelope : detail::EnvelopeTexts {
  ResourceId resource;  // empty if there is none

  void clear() {
    static_cast<detail::EnvelopeTexts&>(*this) = {};
    own_ = {};
  }

  // False: the member is none of the envelope's, or not of its type there.
  bool take(const json::Field& f) {
    static constexpr auto kKeys =
        keys("time", "timeStamp", "TimeGenerated", "category", "Type", "operationName", "operationVersion", "resultType", "resultSignature",
             "resultDescription", "durationMs", "callerIpAddress", "correlationId", "level", "location", "identity", "tenantId",
             "AADTenantId", "resourceId", "_ResourceId", "SourceSystem", "_ItemId", "_BilledSize", "_IsBillable", "_SubscriptionId",
             "_TimeReceived", "MG", "ManagementGroupName", "Resource", "ResourceGroup", "ResourceProvider");
    const int key = kKeys.find(column(f.key));
    if (key < 0) {
      if (!f.key.starts_with("_Internal_")) return false;
      return f.keep(), true;
    }
    const json::Type type = f.value.type();
    if (type == json::Type::object || type == json::Type::array) return false;
    switch (key) {
      case kKeys.at("TimeGenerated"): own_.row = true; [[fallthrough]];
      case kKeys.at("time"):
      case kKeys.at("timeStamp"): scalar(f, time); break;
      case kKeys.at("category"): text(f, category); break;
      case kKeys.at("Type"): text(f, table); break;
      case kKeys.at("operationName"): text(f, operation); break;
      case kKeys.at("operationVersion"): scalar(f, operation_version); break;
      case kKeys.at("resultType"): scalar(f, result_type); break;
      case kKeys.at("resultSignature"): scalar(f, result_signature), result_signature = present_but(result_signature, "None"); break;
      case kKeys.at("resultDescription"): text(f, result_description); break;
      case kKeys.at("durationMs"): scalar(f, duration); break;
      case kKeys.at("callerIpAddress"): text(f, caller); break;
      case kKeys.at("correlationId"): text(f, correlation); break;
      case kKeys.at("level"): scalar(f, level); break;
      case kKeys.at("location"): text(f, location); break;
      case kKeys.at("identity"): text(f, identity); break;
      case kKeys.at("tenantId"): text(f, own_.tenant), own_.tenant_key = f.key; break;
      case kKeys.at("AADTenantId"): text(f, own_.directory); break;
      case kKeys.at("resourceId"):
      case kKeys.at("_ResourceId"): {
        Text id;
        text(f, id);
        if (!id) break;
        Text& place = id->starts_with('/') ? own_.resource : other_resource;
        if (place && *place != *id) {
          if (!equals_ignoring_case(*place, *id)) f.rest.add_text(f.key, *id);  // Log Analytics has it in both, in lower case in one
        } else {
          place = id;
        }
        break;
      }
      default: f.keep();
    }
    return true;
  }

  // Settles what hangs on other members, once the record is read.
  void finish(json::ObjectWriter& rest) {
    resource.read(own_.resource.value_or(""));
    if (own_.row && own_.tenant) rest.add_text(own_.tenant_key, *own_.tenant);  // the workspace
    const Text tenant = own_.directory ? own_.directory : own_.row ? Text() : own_.tenant;
    tenant_lower_.assign(tenant ? *tenant : resource.tenant());
    for (char& c : tenant_lower_) c = lower(c);
    if (own_.directory && own_.tenant && !own_.row && !equals_ignoring_case(*own_.directory, *own_.tenant))
      rest.add_text(own_.tenant_key, *own_.tenant);
    // A tenant's id says no more than what is set from it.
    if (of_tenant()) {
      if (resource.tenant() != tenant_lower_ || !resource.name().empty()) keep(rest, "resourceId", resource.text());
    }
  }

  // Whose record it is: by its category, else the table's name, but for AzureDiagnostics, which has the rows of every category. Absent as long as neither is read: what
  // is another's is known at once, and what is nobody's at the end.
  Text source() const { return category ? category : is_diagnostics() ? Text() : table; }
  // A row of AzureDiagnostics.
  bool is_diagnostics() const { return table && equals_ignoring_case(*table, "AzureDiagnostics"); }
  // The table's name, where that is not what source() says.
  void keep_table(json::ObjectWriter& rest) const {
    if (const Text from = source(); table && !(from && equals_ignoring_case(*from, *table))) keep(rest, own_.row ? "Type" : "type", table);
  }

  // The Entra tenant in lower case, "" if the record does not say it. After finish(), as all below.
  std::string_view tenant() const { return tenant_lower_; }
  bool is_row() const { return own_.row; }
  // Of a parser whose rows have no resources: an id that is no tenant's.
  void keep_resource(json::ObjectWriter& rest) const {
    if (!of_tenant()) keep(rest, "resourceId", present(resource.text()));
  }

  // What the members give every row, but for the time, the severity and the result. `log_name` is the category or the table.
  template <class Row>
  void set(Row& row, Text log_name) const {
    row.template set<"metadata.log_name">(log_name);
    row.template set<"metadata.log_level">(level);
    row.template set<"metadata.log_version">(operation_version);
    row.template set<"metadata.correlation_uid">(correlation);
    row.template set<"metadata.event_code">(operation);
    if (!resource.provider().empty()) row.template set<"metadata.log_provider">(resource.provider());
    if (!tenant_lower_.empty()) {
      row.template set<"metadata.tenant_uid">(tenant());
      row.template set<"cloud.org.uid">(tenant());
    }
    if (!resource.subscription().empty()) {
      row.template set<"cloud.account.uid">(resource.subscription());
      row.template set<"cloud.account.type_id">(kSubscriptionType);
    }
  }

  // A member that has no place after all, under the name that it has in the record's form.
  void keep(json::ObjectWriter& rest, std::string_view name, Text value) const {
    if (!value) return;
    std::array<char, 32> column{};
    if (own_.row && name == "callerIpAddress") {
      name = "CallerIPAddress";
    } else if (own_.row && name.size() <= column.size()) {
      std::copy(name.begin(), name.end(), column.begin());
      if (name.front() >= 'a' && name.front() <= 'z') column[0] = static_cast<char>(name.front() - 'a' + 'A');
      name = {column.data(), name.size()};
    }
    rest.add_text(name, *value);
  }

  // Milliseconds that it took; absent for none, 0 and what is no number.
  Maybe<std::int64_t> milliseconds() const {
    const auto n = duration ? fixed(*duration, 0) : Maybe<std::int64_t>();
    return n && *n > 0 ? n : std::nullopt;
  }

 private:
  bool of_tenant() const { return resource.lower().starts_with("/tenants/"); }

  detail::EnvelopeOwn own_;
  std::string tenant_lower_;
};

// The time of an event: its own, else that of the envelope, which is otherwise when the event was logged.
struct Times {
  Maybe<std::int64_t> event, logged;
  Text original;
  bool own_unread = false, envelope_unread = false;  // texts that are no times: keep them

  Times(Text own, Text envelope) {
    const auto first = azure::time(own), second = azure::time(envelope);
    own_unread = own && !first, envelope_unread = envelope && !second;
    event = first ? first : second;
    original = first ? own : second ? envelope : Text();
    if (first) logged = second;
  }
  // time, metadata.original_time, metadata.logged_time. Only with an event's time.
  template <class Row>
  void set(Row& row) const {
    row.template set<"time">(*event);
    row.template set<"metadata.original_time">(original);
    row.template set<"metadata.logged_time">(logged);
  }
};

}  // namespace lm::azure
