// logmill/sdk/azure_log.hpp -- a resource log whose members wait as texts until it is known which attribute takes them; what none took goes to `unmapped` where it stood.
//
//   enum At : std::uint8_t { client, port, action, kFields };
//   lm::azure::Log<At, kFields> log_;
//
//   if (!log_.read(record.text(), [&](const lm::json::Field& f) {                 // members of `properties`, of AdditionalFields, and those of a flat row
//         switch (kKeys.find(lm::azure::member(f.key))) {
//           case kKeys.at("clientIp"): log_.wait(client, f); break;
//           case -1: log_.unknown(f); break;                                // drift, once the record is known to be this parser's
//           default: f.keep();
//         }
//       }, [](lm::Text category) { return is_mine(category); })) return log_.reject(record);
//   if (log_.envelope.source() is another's) return record.reject(lm::foreign, "...");
//   log_.known(record);
//   auto row = rows.begin(record);
//   log_.begin(row, time, log_name);                                        // what the envelope gives
//   if (log_.set<"src_endpoint.ip">(row, client)) log_.set_number<"src_endpoint.port">(row, port);
//   log_.end(row);                                                          // all that waits still, and `unmapped`
// Views hold until the next record. Allocates what it keeps for the next record; never throws but std::bad_alloc.
#pragma once

#include <logmill/sdk/azure.hpp>

#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lm::azure {

template <class At, std::size_t N>
class Log {
  static_assert(N <= 64);

 public:
  Envelope envelope;
  Inner inner;
  json::ObjectWriter rest;  // of the record's own members

  // False: it is no JSON; reject() says so. Of a resource log whose `category` is_own(Text) does not know, nothing else is read.
  template <class OnMember, class IsOwn>
  bool read(std::string_view record, OnMember&& on_member, IsOwn&& is_own) {
    texts_ = {}, waiting_ = 0, foreign_ = false, within_ = nullptr;
    properties_.clear(), additional_.clear();
    envelope.clear(), inner.clear(), unknown_.clear(), rest.clear(), within_rest_.clear();
    const bool read = json_.read(record, [&](std::string_view key, json::Value& value) {
      if (foreign_) return;
      const json::Field f{rest, key, value};
      const bool properties = equals_ignoring_case(key, "properties");
      if (properties || equals_ignoring_case(key, "AdditionalFields")) {
        return part(f, properties ? properties_ : additional_, on_member);
      }
      if (!envelope.take(f)) return on_member(f);
      if (key == "category" && envelope.category) foreign_ = !is_own(envelope.category);
    });
    // What is broken may be another's all the same; of a row that has not come to its table's name nobody knows.
    if (!read && !foreign_ && !(envelope.is_row() && !envelope.table)) {
      const Text source = envelope.source();
      foreign_ = source && !is_own(source) && !(envelope.table && is_own(envelope.table));
    }
    return read;
  }
  void reject(Record record) const { foreign_ ? record.reject(lm::foreign, "'category' is none of this source's") : record.reject(json_); }

  // ---- Members ----

  // Text, or a number or boolean as it is spelled. Of two of a name the first one goes to `unmapped`.
  void wait(At at, const json::Field& f) {
    std::string_view text;
    bool spelled = false;
    switch (f.value.type()) {
      case json::Type::string: text = f.value.text().value_or(""); break;
      case json::Type::number:
      case json::Type::boolean: text = f.value.raw(), spelled = true; break;
      default: return f.keep();
    }
    if (is_absent(text)) return;
    if (texts_[at]) [[unlikely]]
      leave(at);
    texts_[at] = text, origins_[at] = {&f.rest, f.key, spelled};
    waiting_ |= bit(at);
  }
  // The same of a text that a parser found elsewhere; what waited there goes to `unmapped`.
  void wait(At at, std::string_view text, std::string_view key) {
    if (texts_[at]) leave(at);
    texts_[at] = text, origins_[at] = {&own(), key, false};
    waiting_ |= bit(at);
  }
  // Another text instead of the one that waits, or none.
  void replace(At at, Text text) {
    texts_[at] = text;
    if (!text) waiting_ &= ~bit(at);
  }
  // It waits in the place of another one.
  void move(At to, At from) {
    texts_[to] = texts_[from], origins_[to] = origins_[from];
    texts_[from] = {};
    waiting_ = (waiting_ | bit(to)) & ~bit(from);
  }
  // The members of one object within may wait too.
  template <class OnMember>
  void within(const json::Field& f, OnMember&& on_member) {
    if (within_) return f.keep();
    within_ = &f.rest, within_key_ = f.key;
    object(f, inner, within_rest_, on_member);
  }
  void unknown(const json::Field& f) {
    unknown_.push_back(f.key);
    f.keep();
  }
  // The record is this parser's.
  void known(Record record) const {
    for (const std::string_view key : unknown_) record.drift(key);
  }

  Text operator[](At at) const { return texts_[at]; }
  // Also of a number that is whole but written as a fraction, as all of AzureDiagnostics are.
  Maybe<std::int64_t> number(At at) const {
    if (!texts_[at]) return std::nullopt;
    const auto n = integer(*whole(texts_[at]));
    return n && *n >= 0 ? n : std::nullopt;
  }
  // Milliseconds of a number that is so many of them; absent for less than one.
  Maybe<std::int64_t> milliseconds(At at, double unit) const {
    const auto n = texts_[at] ? lm::number(*texts_[at]) : std::nullopt;
    if (!n || !(*n * unit >= 1) || *n * unit > 1e12) return std::nullopt;
    return static_cast<std::int64_t>(*n * unit + 1e-6);
  }

  // It has its place, or what it says is said.
  bool take(At at, bool is = true) {
    if (is) waiting_ &= ~bit(at);
    return is;
  }
  template <lm::detail::FixedString Path, class Row>
  bool set(Row& row, At at) {
    return take(at, row.template set<Path>(texts_[at]));
  }
  template <lm::detail::FixedString Path, class Row>
  bool set_number(Row& row, At at) {
    return take(at, row.template set<Path>(number(at)));
  }

  // Where what is left of members goes.
  json::ObjectWriter& own() { return properties_.there ? properties_.rest : additional_.there ? additional_.rest : rest; }

  // ---- The row ----

  // What every record may have. `log_name`: the category or the table.
  template <class Row>
  void begin(Row& row, std::int64_t time, Text log_name) {
    envelope.finish(rest);
    row.template set<"time">(time);
    row.template set<"metadata.original_time">(envelope.time);
    envelope.set(row, log_name);
    if (envelope.category && envelope.category != log_name) envelope.keep(rest, "category", envelope.category);
    if (envelope.table && envelope.table != log_name) rest.add_text(envelope.is_row() ? "Type" : "type", *envelope.table);
    envelope.keep(rest, "resultType", envelope.result_type);
    envelope.keep(rest, "resultSignature", envelope.result_signature);
    envelope.keep(rest, "callerIpAddress", envelope.caller);
    envelope.keep(rest, "identity", envelope.identity);
    envelope.keep(rest, "resourceId", envelope.other_resource);
    if (!row.template set<"duration">(envelope.milliseconds())) envelope.keep(rest, "durationMs", envelope.duration);
    if (envelope.location) row.template set<"cloud.region">(region(*envelope.location, region_));
  }
  // Of a member that is so many milliseconds; the envelope's own comes first.
  template <class Row>
  void set_duration(Row& row, At at, double unit) {
    if (!row.template is_set<"duration">()) take(at, row.template set<"duration">(milliseconds(at, unit)));
  }
  // The reason that a member says, else that of the envelope.
  template <class Row>
  void set_detail(Row& row, Text detail) {
    row.template set<"status_detail">(detail ? detail : envelope.result_description);
    if (detail) envelope.keep(rest, "resultDescription", envelope.result_description);
  }
  // The id of the resource in lower case, for logs write it in any; the other form stays in `unmapped`.
  std::string_view resource() {
    const ResourceId& id = envelope.resource;
    if (id.lower() != id.text()) envelope.keep_resource(rest);
    return id.lower();
  }
  // All that waits still goes to `rest`, and nothing is added to it after that.
  void settle() {
    for (; waiting_ != 0; waiting_ &= waiting_ - 1) leave(static_cast<At>(__builtin_ctzll(waiting_)));
    if (within_) json::Field::close(*within_, within_key_, within_rest_);
    properties_.close(rest), additional_.close(rest);
  }
  template <class Row>
  void end(Row& row) {
    settle();
    if (const auto left = rest.finish(); !left.empty()) row.template set<"unmapped">(left);
  }

 private:
  static constexpr std::uint64_t bit(At at) { return std::uint64_t{1} << at; }
  // As present(): nearly every text is known to be something by its length.
  static bool is_absent(std::string_view text) {
    switch (text.size()) {
      case 0: return true;
      case 1:
      case 3:
      case 36: return !present(text);
      default: return false;
    }
  }
  void leave(At at) {
    const Origin& from = origins_[at];
    from.number ? from.rest->add(from.key, *texts_[at]) : from.rest->add_text(from.key, *texts_[at]);
  }

  // What is left of `properties` or of AdditionalFields. A second one of the name adds to the first, for `unmapped` has a key once.
  struct Part {
    json::ObjectWriter rest;
    std::string_view key;
    bool there = false;

    void clear() { rest.clear(), there = false; }
    void close(json::ObjectWriter& outer) { json::Field::close(outer, key, rest); }
  };
  template <class OnMember>
  void part(const json::Field& f, Part& to, OnMember& on_member) {
    const bool is = members(
        f, inner, [&] { to.key = to.there ? to.key : f.key, to.there = true; },
        [&](std::string_view key, json::Value& value) {
          on_member(json::Field{to.rest, key, value});
        });
    if (!is) f.keep();
  }

  struct Origin {
    json::ObjectWriter* rest = nullptr;
    std::string_view key;
    bool number = false;  // or a boolean: it goes back without quotes
  };

  json::Reader json_;
  Part properties_, additional_;
  json::ObjectWriter within_rest_;
  json::ObjectWriter* within_ = nullptr;
  std::string_view within_key_;
  std::array<Text, N> texts_{};
  std::array<Origin, N> origins_{};
  std::uint64_t waiting_ = 0;  // a bit a member that is there and was not taken
  std::vector<std::string_view> unknown_;
  std::string region_;
  bool foreign_ = false;
};

}  // namespace lm::azure
