// logmill/sdk/fields.hpp -- the members of a JSON record on their way to attributes, so that nothing is lost on it.
//
//   json.read(record.text(), [&](std::string_view key, lm::json::Value& value) {
//     const lm::json::Field f{rest, key, value};
//     switch (kKeys.find(key)) {
//       case kKeys.at("region"):  f.text(region); break;          // null, "" and "-" say that there is none
//       case kKeys.at("srcport"): f.integer(port); break;         // a number, or its digits as text
//       case kKeys.at("http"):                                    // an object whose members go where they belong, and what is left of it to `rest` under its own name
//         f.object(http_rest, [&](const lm::json::Field& m) { m.key == "host" ? m.text(host) : m.keep(); });
//         f.close(http_rest);
//         break;
//       case kKeys.at("service"):                                 // the same, where nothing is added to what is left of it later
//         f.object([&](const lm::json::Field& m) { m.key == "count" ? m.integer(count) : m.keep(); });
//         break;
//       default: f.keep();                                        // as it stands
//     }
//   });
//
// Of records that are the columns of a format by their names, lm::json::read_values fills the values by number, as a line of the format would; lm::keep and lm::integer_or_keep
// do with such a value what Field does with a member.
//
// What an attribute cannot take, because it is of another type than expected, goes to `rest` as it stands. Of a key that occurs twice the last value holds and the earlier one
// goes to `rest`; of an address, a fraction, a boolean and a time the first one holds, for how it was spelled is not known when the second one comes. Allocates nothing but
// what the writers hold; never throws but std::bad_alloc.
#pragma once

#include <logmill/sdk/json.hpp>
#include <logmill/sdk/net.hpp>
#include <logmill/sdk/text.hpp>
#include <logmill/sdk/time.hpp>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>

namespace lm::json {

// Whether JSON text says that there is nothing: null, "", "-", and objects and arrays without members.
constexpr bool says_nothing(std::string_view raw) {
  if (raw.empty()) return true;
  switch (raw.front()) {
    case 'n': return true;
    case '"': return raw.size() == 2 || (raw.size() == 3 && raw[1] == '-');
    case '{':
    case '[': return raw.find_first_not_of(" \t\r\n", 1) == raw.size() - 1;
    default: return false;
  }
}

template <class Number>
void add_number(ObjectWriter& to, std::string_view key, Number value) {
  char digits[32];
  to.add(key, {digits, static_cast<std::size_t>(std::to_chars(digits, digits + sizeof digits, value).ptr - digits)});
}

struct Field {
  ObjectWriter& rest;
  std::string_view key;
  Value& value;

  void text(Text& out) const {
    if (const Text v = value.text()) {
      if (present(*v)) take(out, v);
    } else {
      keep();
    }
  }
  // Text, or a number or boolean as it is spelled.
  void scalar(Text& out) const {
    switch (value.type()) {
      case Type::number:
      case Type::boolean: return take(out, value.raw());
      default: return text(out);
    }
  }
  void integer(Maybe<std::int64_t>& out, std::int64_t least = 0, std::int64_t most = INT64_MAX) const {
    Maybe<std::int64_t> n;
    if (value.type() == Type::number) {
      n = value.integer();
    } else if (const Text v = value.text()) {
      n = lm::integer(*v);
    }
    if (!n || *n < least || *n > most) return keep();
    if (out) [[unlikely]]
      add_number(rest, key, *out);
    out = n;
  }
  // A number that may have a fraction, or its digits as text.
  void number(Maybe<double>& out) const {
    const Text v = value.text();
    const auto n = lm::number(v ? *v : value.raw());
    first(out, n && std::isfinite(*n) ? n : std::nullopt);
  }
  // A boolean, or its name as text.
  void boolean(Maybe<bool>& out) const {
    const std::string_view raw = value.raw();
    const bool yes = raw == "true" || raw == "\"true\"", no = raw == "false" || raw == "\"false\"";
    first(out, yes || no ? Maybe<bool>(yes) : std::nullopt);
  }
  void address(Text& out) const {
    const Text v = value.text();
    first(out, v && net::is_ip(*v) ? v : Text());
  }
  // RFC 3339, without a zone in UTC.
  void time(Maybe<std::int64_t>& out) const { first(out, lm::time::of_event(value.text(), true)); }
  // JSON text that passes as it stands.
  void json(Text& out) const {
    const std::string_view raw = value.raw();
    if (says_nothing(raw)) return;
    if (out) rest.add(key, *out);
    out = raw;
  }
  // The same, if it is of that type.
  void json(Text& out, Type wanted) const { value.type() == wanted ? json(out) : keep(); }
  void keep() const {
    if (!says_nothing(value.raw())) rest.keep(value);
  }

  // Gives on_member(const Field&) the members of an object; what they keep gathers in `inner`, which close() then adds to `rest`, now or when the rest of the record is known.
  // `inner` is clear when the record begins.
  template <class OnMember>
  void object(ObjectWriter& inner, OnMember&& on_member) const {
    if (value.type() != Type::object) return keep();
    close(inner);
    value.object([&](std::string_view member, Value& v) { on_member(Field{inner, member, v}); });
  }
  // The same with what they keep in `rest`, in an object of this name if there is any.
  template <class OnMember>
  void object(OnMember&& on_member) const {
    if (value.type() != Type::object) return keep();
    rest.enter(key);
    value.object([&](std::string_view member, Value& v) { on_member(Field{rest, member, v}); });
    rest.leave();
  }

  // Adds what gathered in `inner`.
  void close(ObjectWriter& inner) const { close(rest, key, inner); }
  static void close(ObjectWriter& rest, std::string_view key, ObjectWriter& inner) {
    if (inner.empty()) return;
    rest.add(key, inner.finish());
    inner.clear();
  }

 private:
  template <class Out>
  void first(Out& out, Out read) const {
    if (!read || out) return keep();
    out = read;
  }
  void take(Text& out, Text v) const {
    if (out) [[unlikely]]
      rest.add_text(key, *out);
    out = v;
  }
};

// Texts, numbers as they are spelled, by what field_of(key) answers: less than 0 for what is no field, of which on_other(key) is told. What is no field, of another type, or
// the earlier of two values that share a number goes to `rest`.
template <class FieldOf, class OnOther>
bool read_values(Reader& reader, std::string_view record, std::span<std::string_view> values, ObjectWriter& rest, FieldOf&& field_of,
                 OnOther&& on_other) {
  return reader.read(record, [&](std::string_view key, Value& value) {
    const int field = field_of(key);
    if (field < 0) {
      on_other(key);
    } else if (const Text text = value.text(); text || value.type() == Type::number) {
      std::string_view& place = values[static_cast<std::size_t>(field)];
      if (present(place)) rest.add_text(key, place);
      place = text ? *text : value.raw();
      return;
    }
    const std::string_view raw = value.raw();
    if (!value.is_null() && raw != "\"\"" && raw != "\"-\"") rest.keep(value);
  });
}

}  // namespace lm::json

namespace lm {

// Whatever there is goes to `rest`.
inline void keep(json::ObjectWriter& rest, std::string_view name, std::string_view value) {
  if (const Text text = present(value)) rest.add_text(name, *text);
}

// The number that `value`, which is part of the record at hand, is, or else it goes to `rest`.
[[gnu::always_inline]] inline Maybe<std::int64_t> integer_or_keep(json::ObjectWriter& rest, std::string_view name, std::string_view value,
                                                                  std::int64_t most = INT64_MAX) {
  if (!present(value)) return std::nullopt;
  const auto n = integer(value, in_record);
  if (n && *n >= 0 && *n <= most) return n;
  rest.add_text(name, value);
  return std::nullopt;
}

}  // namespace lm
