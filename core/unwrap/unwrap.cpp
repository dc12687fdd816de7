#include "unwrap/unwrap.hpp"

#include "unwrap/lines.hpp"

#include <logmill/sdk/json.hpp>
#include <logmill/sdk/outline.hpp>
#include <logmill/sdk/time.hpp>

#include <fmt/format.h>
#include <algorithm>

namespace lm {

std::uint32_t Unwrapped::context(const WrappingContext& wanted) {
  // Mostly the one that was wanted before.
  for (std::size_t i = contexts.size(); i-- != 0;) {
    if (contexts[i] == wanted) return static_cast<std::uint32_t>(i);
  }
  contexts.push_back(wanted);
  return static_cast<std::uint32_t>(contexts.size() - 1);
}

namespace {

// The place in a JSON string, as it is written, of the byte at `at` of the text that it says.
std::size_t behind_escapes(std::string_view raw, std::size_t at) {
  std::size_t i = 0;
  for (std::size_t said = 0; said < at && i < raw.size();) {
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
  void reject(std::uint32_t code, std::string why) {
    const Place place = place_of(whole_);
    out_.rejects.push_back({place.offset, place.length, 0, code, std::move(why), std::string(whole_)});
  }
  void control_message() { ++out_.control_messages; }
  std::string_view whole() const { return whole_; }
  // What the wrapping around this one says.
  WrappingContext outer() const {
    WrappingContext context = from_ ? from_->contexts[from_->records[parent_].context] : WrappingContext();
    context.documents = false;
    return context;
  }

 private:
  Place place_of(std::string_view raw) const {
    const auto at = static_cast<std::size_t>(raw.data() - whole_.data());
    if (!from_) return {offset_ + at, raw.size()};
    const Unwrapped::Record& r = from_->records[parent_];
    const std::uint64_t begin = from_->locate(r, at);
    return {begin, from_->locate(r, at + raw.size()) - begin};
  }

  const Unwrapped* from_;
  std::uint32_t parent_;
  std::string_view whole_;
  std::uint64_t offset_;
  Unwrapped& out_;
};

std::string_view content(std::string_view quoted) { return quoted.size() >= 2 ? quoted.substr(1, quoted.size() - 2) : quoted; }

void set(std::string& out, Text text) {
  if (text) out = *text;
}

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
};

class JsonWrapping final : public Wrapping {
 public:
  explicit JsonWrapping(const Kind& kind) : kind_(kind) {}
  std::string_view id() const override { return kind_.id; }
  std::string_view title() const override { return kind_.title; }
  FrameSpec framing() const override { return {LM_FRAMING_JSON, std::string(kind_.envelope), {}}; }

  void unwrap(const Block& block, Unwrapped& out) override {
    const std::string_view data(reinterpret_cast<const char*>(block.data.data()), block.data.size());
    for (const lm_record& r : block.records) {
      Taker taker(nullptr, 0, data.substr(r.offset, r.length), block.offset + r.offset, out);
      open(taker);
    }
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

std::uint64_t Unwrapped::locate(const Record& r, std::size_t at) const {
  // Of lines the text itself is not at hand any more; it stands there as it is, or nearly.
  if (!r.raw.data()) return r.place.offset + std::min<std::uint64_t>(at, r.place.length);
  const std::size_t in_raw = r.length == r.raw.size() ? std::min(at, r.length) : behind_escapes(r.raw, at);
  if (!below) return r.place.offset + in_raw;
  const Record& parent = below->records[r.parent];
  return below->locate(parent, static_cast<std::size_t>(r.raw.data() - below->text(parent).data()) + in_raw);
}

void KindTeller::tell(std::string_view record, WrappingContext& context) {
  static constexpr std::size_t kLongest = 128, kNames = 3;
  static constexpr std::string_view kProviders = "/providers/";
  const auto lowered = [](std::string_view text) {
    std::string out(text.substr(0, kLongest));
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
  };
  context.kind.clear(), context.likeness.clear();
  if (record.find_first_not_of(" \t\r\n") == std::string_view::npos) return;
  std::string type, provider;
  bool generated = false;
  std::size_t names = 0;
  const bool json = reader_.read(record, [&](std::string_view key, json::Value& value) {
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
  if (json) {
    if (context.kind.empty() && generated) context.kind = std::move(type);
    if (!context.kind.empty()) context.likeness = std::move(provider);
  } else {
    // A line: what stands between its spaces is of another log if there is more or less of it.
    context.kind.clear();
    context.likeness = std::to_string(std::count(record.begin(), record.end(), ' '));
  }
}

bool open_envelope(const Unwrapped& from, std::uint32_t record, std::string_view envelope, Unwrapped& out) {
  const Unwrapped::Record& r = from.records[record];
  const std::string_view text = from.text(r);
  Taker taker(&from, record, text, 0, out);
  json::Reader reader;
  bool found = false;
  const WrappingContext context = from.contexts[r.context];
  const bool ok = reader.read(text, [&](std::string_view key, json::Value& value) {
    if (!equals_but_first_case(key, envelope) || value.type() != json::Type::array) return;
    found = true;
    value.array([&](json::Value& element) { taker.take(context, element.raw(), element.raw()); });
  });
  return ok && found;
}

std::unique_ptr<Wrapping> Wrapping::recognise(std::string_view head) {
  const std::size_t begin = head.find_first_not_of(" \t\r\n");
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
