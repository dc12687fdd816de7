#include "unwrap/unwrap.hpp"

#include "unwrap/lines.hpp"

#include <logmill/sdk/json.hpp>
#include <logmill/sdk/outline.hpp>
#include <logmill/sdk/time.hpp>

#include <fmt/format.h>
#include <algorithm>

namespace lm {

std::uint32_t Unwrapped::context(const WrappingContext& wanted) {
  // Mostly the one that was wanted last; but the records say how many there are.
  if (!contexts.empty() && contexts.back() == wanted) return static_cast<std::uint32_t>(contexts.size() - 1);
  std::string key;
  for (const std::string* part : {&wanted.account, &wanted.region, &wanted.log_group, &wanted.log_stream, &wanted.kind, &wanted.likeness}) {
    key.append(*part).push_back('\0');
  }
  key.push_back(wanted.documents ? 'd' : 'r');
  const auto [known, added] = context_of_.try_emplace(std::move(key), static_cast<std::uint32_t>(contexts.size()));
  if (added) contexts.push_back(wanted);
  return known->second;
}

namespace {

// The place in a JSON string, as it is written, of the byte at `at` of the text that it says.
std::size_t behind_escapes(std::string_view raw, std::size_t at, Unwrapped::Passed& passed) {
  if (at < passed.asked) passed = {};
  passed.asked = at;
  std::size_t& i = passed.raw;
  std::size_t& said = passed.said;
  while (said < at && i < raw.size()) {
    if (raw[i] != '\\') {
      ++i, ++said;
    } else if (i + 1 < raw.size() && raw[i + 1] == 'u') {
      const std::string_view digits = raw.substr(i + 2, 4);
      i += 6;
      if (digits < std::string_view("0080")) {
        said += 1;
      } else if (digits < std::string_view("0800")) {
        said += 2;
      } else {
        said += 3;  // half of a pair is two of four bytes: what falls between is not asked for
      }
    } else {
      i += 2, ++said;
    }
  }
  return std::min(i, raw.size());
}

// Where records of a wrapping come from, and go to.
class Taker {
 public:
  Taker(const Unwrapped* from, std::uint32_t parent, std::string_view whole, std::uint64_t offset, Unwrapped& out)
      : from_(from), parent_(parent), whole_(whole), offset_(offset), out_(out) {}

  // `raw` lies in the record at hand; `text` is what it says, or the same.
  void take(const WrappingContext& context, std::string_view text, std::string_view raw) {
    Unwrapped::Record r;
    r.context = out_.context(context);
    r.offset = out_.bytes.size(), r.length = text.size();
    r.raw = raw;
    r.parent = parent_;
    r.place = place_of(raw);
    out_.bytes.append(std::as_bytes(std::span(text)));
    out_.records.push_back(r);
  }
  void reject(std::uint32_t code, std::string why) { reject(code, std::move(why), whole_); }
  void reject(std::uint32_t code, std::string why, std::string_view raw) {
    const Place place = place_of(raw);
    out_.rejects.push_back({place.offset, place.length, 0, code, std::move(why), std::string(raw)});
  }
  void control_message() { ++out_.control_messages; }
  std::size_t taken() const { return out_.bytes.size(); }
  std::string_view whole() const { return whole_; }
  // What the wrapping around this one says.
  WrappingContext outer() const {
    WrappingContext context = from_ ? from_->contexts[from_->records[parent_].context] : WrappingContext();
    context.documents = false;
    return context;
  }

 private:
  Place place_of(std::string_view raw) {
    if (!from_) return {offset_ + static_cast<std::size_t>(raw.data() - whole_.data()), raw.size()};
    const Unwrapped::Record& r = from_->records[parent_];
    // `whole_` may be an element of an envelope in the record.
    const auto at = static_cast<std::size_t>(raw.data() - from_->text(r).data());
    const std::uint64_t begin = from_->locate(r, at, passed_);
    return {begin, from_->locate(r, at + raw.size(), passed_) - begin};
  }

  const Unwrapped* from_;
  std::uint32_t parent_;
  std::string_view whole_;
  std::uint64_t offset_;
  Unwrapped& out_;
  std::vector<Unwrapped::Passed> passed_;
};

std::string_view content(std::string_view quoted) { return quoted.size() >= 2 ? quoted.substr(1, quoted.size() - 2) : quoted; }

void set(std::string& out, Text text) {
  if (text) out = *text;
}

// False: it is no JSON object. Its category may be told all the same: what some services write in single quotes is read by the parser that knows them.
bool tell_kind(json::Reader& reader, std::string_view record, WrappingContext& context) {
  static constexpr std::size_t kLongest = 128, kNames = 3;
  static constexpr std::string_view kProviders = "/providers/";
  const auto lowered = [](std::string_view text) {
    std::string out(text.substr(0, kLongest));
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
  };
  context.kind.clear(), context.likeness.clear();
  if (record.find_first_not_of(" \t\r\n") == std::string_view::npos) return false;
  std::string type, provider;
  bool generated = false;
  std::size_t names = 0;
  const bool json = reader.read(record, [&](std::string_view key, json::Value& value) {
    if (names < kNames) ++names, (context.likeness += key.substr(0, kLongest)) += ' ';
    if (key.size() < 4 || key.size() > 13) return;
    if (equals_ignoring_case(key, "category")) {
      if (const auto text = value.text()) context.kind = lowered(*text);
    } else if (key == "Type") {
      if (const auto text = value.text()) type = lowered(*text);
    } else if (key == "TimeGenerated") {
      generated = true;
    } else if (equals_ignoring_case(key, "resourceid") || equals_ignoring_case(key, "_resourceid")) {
      const auto text = value.text();
      if (!text) return;
      // All ids are read whole: those of resources within others name two providers, and the one in front is the service.
      const std::string id = [&] {
        std::string all(*text);
        std::transform(all.begin(), all.end(), all.begin(), lower);
        return all;
      }();
      if (const std::size_t at = id.find(kProviders); at != std::string::npos)
        provider = before(std::string_view(id).substr(at + kProviders.size()), '/').substr(0, kLongest);
    }
  });
  if (json || (!context.kind.empty() && record.find("{'") != std::string_view::npos)) {
    if (context.kind.empty() && generated) context.kind = std::move(type);
    if (!context.kind.empty()) context.likeness = std::move(provider);
  } else {
    // A line: what stands between its spaces is of another log if there is more or less of it.
    context.kind.clear();
    context.likeness = std::to_string(std::count(record.begin(), record.end(), ' '));
  }
  return json;
}

constexpr std::string_view kMixed = "azure.records", kTable = "loganalytics.result";

// How a kind of wrapping in JSON is recognised, and opened record by record. open() answers false if the record is none of its kind.
struct Kind {
  std::string_view id, title, envelope;
  bool (*is)(const json::Outline&, std::string_view head);
  bool (*open)(json::Reader&, Taker&);
};

struct Message {
  std::string_view text, raw;
};

bool open_subscription(json::Reader& reader, Taker& taker) {
  WrappingContext context = taker.outer();
  std::vector<Message> messages;
  bool events = false, control = false;
  const bool ok = reader.read(taker.whole(), [&](std::string_view key, json::Value& value) {
    if (key == "owner") {
      set(context.account, value.text());
    } else if (key == "logGroup") {
      set(context.log_group, value.text());
    } else if (key == "logStream") {
      set(context.log_stream, value.text());
    } else if (key == "messageType") {
      control = value.text() == Text("CONTROL_MESSAGE");
    } else if (key == "logEvents") {
      events = value.type() == json::Type::array;
      value.array([&](json::Value& event) {
        event.object([&](std::string_view name, json::Value& member) {
          if (name != "message") return;
          if (const auto text = member.text()) messages.push_back({*text, content(member.raw())});
        });
      });
    }
  });
  if (!ok || !events) return false;
  if (control) return taker.control_message(), true;
  for (const Message& m : messages) taker.take(context, m.text, m.raw);
  return true;
}

bool open_event(json::Reader& reader, Taker& taker) {
  WrappingContext context = taker.outer();
  std::string_view detail;
  const bool ok = reader.read(taker.whole(), [&](std::string_view key, json::Value& value) {
    if (key == "account") {
      set(context.account, value.text());
    } else if (key == "region") {
      set(context.region, value.text());
    } else if (key == "detail-type") {
      set(context.kind, value.text());
    } else if (key == "detail" && value.type() == json::Type::object) {
      detail = value.raw();
    }
  });
  if (!ok || detail.empty()) return false;
  taker.take(context, detail, detail);
  return true;
}

constexpr std::string_view kMessage[] = {"message"}, kBody[] = {"Message", "body", "Body"};

// A member that holds a record as text: of a CloudTrail lookup, of a queue, of CloudWatch's own answers.
template <const auto& Names>
bool open_text(json::Reader& reader, Taker& taker) {
  WrappingContext context = taker.outer();
  Text text;
  std::string_view raw;
  const bool ok = reader.read(taker.whole(), [&](std::string_view key, json::Value& value) {
    if (key == "logStreamName") {
      set(context.log_stream, value.text());
    } else if (!text && std::find(std::begin(Names), std::end(Names), key) != std::end(Names)) {
      text = value.text();
      raw = content(value.raw());
    }
  });
  if (!ok || !text) return false;
  // A queue may hold anything: messages that begin alike are taken for one kind.
  context.documents = Names[0] == kBody[0];
  if (context.documents && text->starts_with('{')) context.kind = text->substr(0, text->find(':'));
  taker.take(context, *text, raw);
  return true;
}

// "1772366400.0" as "2026-03-01T12:00:00Z"; what is no such number stays as it is.
std::string iso(std::string_view seconds) {
  const auto whole = time::seconds(seconds.substr(0, seconds.find('.')));
  if (!whole || *whole < 0) return std::string(seconds);
  const std::int64_t of_day = *whole / 1000 % 86400;
  const time::Date date = time::civil_from_days(*whole / 86'400'000);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", date.year, date.month, date.day, of_day / 3600, of_day / 60 % 60, of_day % 60);
}

// What a lookup says of an event that it does not have whole, in CloudTrail's own words.
bool open_lookup(json::Reader& reader, Taker& taker) {
  static constexpr struct {
    std::string_view lookup, record;
  } kNames[] = {{"EventId", "eventID"}, {"EventName", "eventName"}, {"EventSource", "eventSource"}, {"ReadOnly", "readOnly"}};
  json::ObjectWriter minimal, user;
  Text text;
  std::string_view raw;
  const bool ok = reader.read(taker.whole(), [&](std::string_view key, json::Value& value) {
    if (value.is_null()) return;
    if (key == "CloudTrailEvent") {
      text = value.text();
      raw = content(value.raw());
    } else if (key == "EventTime") {
      minimal.add_text("eventTime", value.type() == json::Type::number ? iso(value.raw()) : value.text().value_or(""));
    } else if (key == "Username") {
      user.add("userName", value.raw());
    } else if (key == "AccessKeyId") {
      user.add("accessKeyId", value.raw());
    } else {
      const auto known = std::find_if(std::begin(kNames), std::end(kNames), [&](const auto& n) { return n.lookup == key; });
      minimal.add(known == std::end(kNames) ? key : known->record, value.raw());
    }
  });
  if (!ok) return false;
  if (text && text->starts_with('{')) {
    taker.take(taker.outer(), *text, raw);
  } else {
    minimal.add("userIdentity", user.empty() ? "{}" : user.finish());
    taker.take(taker.outer(), minimal.finish(), taker.whole());
  }
  return true;
}

// CloudWatch Logs Insights: a row is an array of {"field": ..., "value": ...}.
bool open_result(json::Reader& reader, Taker& taker) {
  WrappingContext context = taker.outer();
  std::vector<Message> messages;
  const bool ok = reader.read_array(taker.whole(), [&](json::Value& element) {
    Text field, text;
    std::string_view raw;
    element.object([&](std::string_view key, json::Value& value) {
      if (key == "field") field = value.text();
      if (key == "value") text = value.text(), raw = content(value.raw());
    });
    if (!field || !text) return;
    if (*field == "@message") messages.push_back({*text, raw});
    if (*field == "@logStream") context.log_stream = *text;
    if (*field == "@log") context.log_group = *text;
  });
  if (!ok || messages.size() != 1) return false;
  taker.take(context, messages[0].text, messages[0].raw);
  return true;
}

// Azure's resource logs and rows of Log Analytics: each by itself, told apart by what it is.
bool open_resource_log(json::Reader& reader, Taker& taker) {
  WrappingContext context = taker.outer();
  if (!tell_kind(reader, taker.whole(), context) && context.kind.empty()) return false;
  taker.take(context, taker.whole(), taker.whole());
  return true;
}

// An element of a page of Microsoft Graph, or of Azure's management API; or such a page, where pages were put into an array.
bool open_page(json::Reader& reader, Taker& taker) {
  std::vector<std::string_view> elements;
  bool page = false, values = false;
  const bool ok = reader.read(taker.whole(), [&](std::string_view key, json::Value& value) {
    page |= key.starts_with("@odata.context") || key.starts_with("@odata.nextLink");
    if (key != "value" || value.type() != json::Type::array) return;
    values = true;
    value.array([&](json::Value& element) {
      if (const std::string_view raw = element.raw(); !raw.empty()) elements.push_back(raw);
    });
  });
  if (!ok) return false;
  if (!page || !values) elements.assign(1, taker.whole());
  json::Reader kinds;
  for (const std::string_view element : elements) {
    WrappingContext context = taker.outer();
    tell_kind(kinds, element, context);
    taker.take(context, element, element);
  }
  return true;
}

// A table that Log Analytics or Data Explorer answers with: names of columns, then rows of values. A row becomes an object; what is null is left out.
bool open_table(json::Reader& reader, Taker& taker) {
  constexpr std::size_t kMostColumns = 4096, kLongestName = 1024;
  // Names are had once and written in every row: what is made of a table must be in proportion to it.
  const std::size_t most = taker.taken() + 8 * taker.whole().size() + (std::size_t{1} << 20);
  std::vector<std::string> names;
  json::Reader cells, kinds;
  json::ObjectWriter object;
  WrappingContext context = taker.outer();
  bool rows = false, sound = true;
  const auto name_of = [&](json::Value& column) {
    std::string name;
    column.object([&](std::string_view key, json::Value& value) {
      if (key == "name" || key == "ColumnName") set(name, value.text());
    });
    sound = sound && names.size() < kMostColumns && !name.empty() && name.size() <= kLongestName;
    if (sound) names.push_back(std::move(name));
  };
  const auto take_row = [&](std::string_view row) {
    if (row.empty()) return;  // the table is cut off in it
    if (taker.taken() > most) return taker.reject(LM_REJECT_OVERSIZE, "a row that is too small for the names of its columns", row);
    object.clear();
    std::size_t n = 0;
    const bool read = cells.read_array(row, [&](json::Value& value) {
      if (n++ < names.size() && !value.is_null()) object.add(names[n - 1], value.raw());
    });
    if (!read) return taker.reject(LM_REJECT_MALFORMED, std::string("a row of a table: ") + cells.error(), row);
    if (n != names.size()) return taker.reject(LM_REJECT_MALFORMED, "the row does not have as many values as the table has columns", row);
    const std::string_view text = object.empty() ? std::string_view("{}") : object.finish();
    tell_kind(kinds, text, context);
    taker.take(context, text, row);
  };
  const bool ok = reader.read(taker.whole(), [&](std::string_view key, json::Value& value) {
    if (value.type() != json::Type::array) return;
    if (equals_but_first_case(key, "columns")) {
      value.array(name_of);
    } else if (equals_but_first_case(key, "rows") && sound && !names.empty()) {
      rows = true;
      value.array([&](json::Value& row) { take_row(row.raw()); });
    }
  });
  return ok && rows;
}

constexpr Kind kKinds[] = {
    {"cloudwatch.subscription", "CloudWatch Logs subscription", "",
     [](const json::Outline& o, std::string_view) { return o.record("messageType") && o.record("logEvents"); }, open_subscription},
    {"eventbridge", "EventBridge events", "",
     [](const json::Outline& o, std::string_view) { return o.record("detail-type") && o.record("detail"); }, open_event},
    {"cloudtrail.lookup", "CloudTrail lookup-events", "Events",
     [](const json::Outline& o, std::string_view) { return o.record("CloudTrailEvent"); }, open_lookup},
    {"cloudtrail.lookup", "CloudTrail lookup-events", "",
     [](const json::Outline& o, std::string_view) { return o.record("CloudTrailEvent"); }, open_lookup},
    {"cloudwatch.events", "CloudWatch Logs get-log-events", "events",
     [](const json::Outline& o, std::string_view) { return o.document("events") && o.record("timestamp") && o.record("message"); },
     open_text<kMessage>},
    // The same without what is around them, as jq and collectors leave them; many logs have a time and a message, only CloudWatch says when it took them in.
    {"cloudwatch.events", "CloudWatch Logs filter-log-events", "",
     [](const json::Outline& o, std::string_view) {
       return o.record("timestamp") && o.record_text("message") && (o.record("ingestionTime") || o.record("logStreamName"));
     },
     open_text<kMessage>},
    {"cloudwatch.results", "CloudWatch Logs Insights results", "results",
     [](const json::Outline& o, std::string_view head) {
       return o.document("results") && head.find("\"@message\"") != std::string_view::npos;
     },
     open_result},
    {"queue", "SQS messages", "Messages",
     [](const json::Outline& o, std::string_view) { return o.record("Body") && o.record("MessageId"); }, open_text<kBody>},
    {"queue", "SQS messages", "Records", [](const json::Outline& o, std::string_view) { return o.record("body") && o.record("messageId"); },
     open_text<kBody>},
    {"queue", "SNS notifications", "",
     [](const json::Outline& o, std::string_view) {
       return (o.record("Message") && o.record("MessageId")) || (o.record("body") && o.record("messageId")) ||
              (o.record("Body") && o.record("MessageId"));
     },
     open_text<kBody>},
    {kMixed, "Azure resource logs", "records",
     [](const json::Outline& o, std::string_view) {
       return (o.record_like("category") && (o.record_like("time") || o.record_like("timestamp") || o.record_like("resourceid"))) ||
              (o.record_text("Type") && o.record("TimeGenerated"));
     },
     open_resource_log},
    {kTable, "Log Analytics query result", "tables",
     [](const json::Outline& o, std::string_view) {
       return (o.document("tables") || o.document("Tables")) && (o.record("columns") || o.record("Columns"));
     },
     open_table},
    {"graph.page", "Microsoft Graph response", "value",
     [](const json::Outline& o, std::string_view) {
       return (o.document("value") && (o.document("@odata.context") || (o.record_members() != 0 && !o.record("value")))) ||
              (o.record("value") && (o.record("@odata.context") || o.record("@odata.nextLink")));
     },
     open_page},
};

class JsonWrapping final : public Wrapping {
 public:
  explicit JsonWrapping(const Kind& kind) : kind_(kind) {}
  std::string_view id() const override { return kind_.id; }
  std::string_view title() const override { return kind_.title; }
  FrameSpec framing() const override { return {LM_FRAMING_JSON, std::string(kind_.envelope), {}, nullptr, kind_.id == kTable}; }
  bool mixes() const override { return kind_.id == kMixed; }

  void unwrap(const Block& block, Unwrapped& out) override {
    const std::string_view data(reinterpret_cast<const char*>(block.data.data()), block.data.size());
    for (const lm_record& r : block.records) {
      Taker taker(nullptr, 0, data.substr(r.offset, r.length), block.offset + r.offset, out);
      open(taker);
    }
  }

  void unwrap_cut(const FrameReject& cut, Unwrapped& out) override {
    if (kind_.id != kTable || cut.bytes.size() != cut.length) return;
    Taker taker(nullptr, 0, cut.bytes, cut.offset, out);
    kind_.open(reader_, taker);
  }

  bool unwrap_again(const Unwrapped& from, std::uint32_t record, Unwrapped& out) override {
    Taker taker(&from, record, from.text(from.records[record]), 0, out);
    if (kind_.envelope.empty()) {
      open(taker);
      return true;
    }
    Unwrapped elements;
    if (!open_envelope(from, record, kind_.envelope, elements)) return open(taker), true;
    // An envelope is no level of its own: its elements lie in the record itself.
    for (const Unwrapped::Record& e : elements.records) {
      Taker element(&from, record, e.raw, 0, out);
      open(element);
    }
    return true;
  }

 private:
  void open(Taker& taker) {
    if (kind_.open(reader_, taker)) return;
    if (*reader_.error() == '\0') {
      taker.reject(LM_REJECT_FOREIGN, std::string("not a record of ") + std::string(kind_.title));
    } else {
      taker.reject(reader_.too_deep() ? LM_REJECT_DEPTH : LM_REJECT_MALFORMED, reader_.error());
    }
  }

  const Kind& kind_;
  json::Reader reader_;
};

}  // namespace

std::uint64_t Unwrapped::locate(const Record& r, std::size_t at, std::vector<Passed>& passed) const { return locate(r, at, passed, 0); }

std::uint64_t Unwrapped::locate(const Record& r, std::size_t at, std::vector<Passed>& passed, std::size_t level) const {
  // Of lines the text itself is not at hand any more; it stands there as it is, or nearly.
  if (!r.raw.data()) return r.place.offset + std::min<std::uint64_t>(at, r.place.length);
  if (passed.size() <= level) passed.emplace_back();
  const std::size_t in_raw = r.length == r.raw.size() ? std::min(at, r.length) : behind_escapes(r.raw, at, passed[level]);
  if (!below) return r.place.offset + in_raw;
  const Record& parent = below->records[r.parent];
  return below->locate(parent, static_cast<std::size_t>(r.raw.data() - below->text(parent).data()) + in_raw, passed, level + 1);
}

bool KindTeller::tell(std::string_view record, WrappingContext& context) { return tell_kind(reader_, record, context); }

namespace {

// As framing has it: what begins with the envelope's member is one.
bool begins_as_envelope(std::string_view object, std::string_view envelope) {
  const auto next = [&](std::size_t at) { return std::min(object.find_first_not_of(" \t\r\n", at), object.size()); };
  if (!object.starts_with('{')) return false;
  std::size_t at = next(1);
  if (at + envelope.size() + 2 > object.size() || object[at] != '"' || object[at + envelope.size() + 1] != '"' ||
      !equals_but_first_case(object.substr(at + 1, envelope.size()), envelope))
    return false;
  at = next(at + envelope.size() + 2);
  if (at == object.size() || object[at] != ':') return false;
  at = next(at + 1);
  if (at == object.size() || object[at] != '[') return false;
  at = next(at + 1);
  if (at == object.size() || object[at] != ']') return true;
  at = next(at + 1);
  return at == object.size() || object[at] == '}';
}

bool take_elements(std::string_view text, std::string_view envelope, const WrappingContext& context, Taker& taker, unsigned depth) {
  constexpr unsigned kDeepest = 8;
  json::Reader reader;
  bool found = false;
  const bool ok = reader.read(text, [&](std::string_view key, json::Value& value) {
    if (!equals_but_first_case(key, envelope) || value.type() != json::Type::array) return;
    found = true;
    value.array([&](json::Value& element) {
      const std::string_view raw = element.raw();
      if (raw.empty()) return;
      if (depth < kDeepest && begins_as_envelope(raw, envelope)) {
        take_elements(raw, envelope, context, taker, depth + 1);
      } else {
        taker.take(context, raw, raw);
      }
    });
  });
  return ok && found;
}

}  // namespace

bool open_envelope(const Unwrapped& from, std::uint32_t record, std::string_view envelope, Unwrapped& out) {
  const Unwrapped::Record& r = from.records[record];
  Taker taker(&from, record, from.text(r), 0, out);
  return take_elements(from.text(r), envelope, from.contexts[r.context], taker, 1);
}

std::unique_ptr<Wrapping> Wrapping::recognise(std::string_view head) {
  const std::size_t begin = head.find_first_not_of(" \t\r\n,");
  if (begin == std::string_view::npos) return nullptr;
  if (head[begin] == '{' || head[begin] == '[') {
    for (const Kind& kind : kKinds) {
      if (kind.is(json::Outline(head, kind.envelope), head)) return std::make_unique<JsonWrapping>(kind);
    }
    return nullptr;
  }
  return recognise_lines(head);
}

}  // namespace lm
