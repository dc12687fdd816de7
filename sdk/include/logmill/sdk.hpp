// logmill/sdk.hpp -- write a source for logmill in C++20. Header-only; it stands on the C ABI of logmill/plugin.h and on nothing else of logmill.
//
//   struct Haproxy {
//     static constexpr auto http = lm::table(lm::ocsf::v1_8::http_activity, lm::profiles(), {
//         {"time"}, {"src_endpoint.ip"}, {"http_response.code"},
//         lm::constant("metadata.product.name", "HAProxy"),
//         lm::plain("http_request.uid"),
//         lm::same("start_time", "time"),                               // nothing to set: it has what the other one has
//         {"http_request.http_headers[].name"}, {"http_request.http_headers[].value"}});
//     static constexpr lm::Descriptor descriptor{.id = "web.haproxy", .title = "HAProxy HTTP log", .vendor = "HAProxy", .version = "1.0.0",
//                                                .reads = "HTTP log lines", .framing = lm::Framing::lines};
//     static int score(lm::Sample s) { return s.first_line().find(" haproxy[") != s.npos ? 80 : 0; }   // 0 never, 100 certain
//     void parse(lm::Record record, lm::Rows<http>& rows) {
//       if (...) return record.reject(lm::malformed, "fewer than 17 fields");
//       auto row = rows.begin(record);
//       row.set<"time">(lm::time::rfc3339(f[6]));                         // an optional that is empty leaves the attribute out
//       auto header = row.push<"http_request.http_headers">();            // one element of a list
//       header.set<"name">("Host");
//     }
//   };
//   LOGMILL_PARSERS(Haproxy)
//
// What a parser has:
//   tables       static constexpr lm::table(class, profiles, columns): every OCSF path that it fills, "[]" behind arrays. Their types come from the OCSF
//                catalogue; a path that OCSF does not know does not compile, nor does a table without what OCSF requires of the class and of the objects
//                that it fills, nor a set<> of a path that is not in the table.
//   descriptor   static constexpr lm::Descriptor.
//   score        static int score(lm::Sample): 0 to 100, by names of members (lm::json::Outline) or by the first lines (Sample::find_line).
//   parse        void parse(lm::Record, lm::Rows<table>&...): once a record, in the order of the records; begins at least one row, or rejects it.
//   optional     static bool prologue(std::string_view line): this line is a header for the lines below, not a record (Framing::lines).
//                static constexpr auto keys / lm::strings("AWSLogs/{account}/x/**"): patterns of object keys (plugin.h).
//                a constructor from lm::Config: takes the parser's configuration, a JSON object; std::invalid_argument says what is wrong.
// What the host adds, so that no parser does: class_uid, class_name, category_*, type_uid, type_name, the captions of *_id attributes (activity_name,
// severity, ...; where a parser sets one itself, its text stands), metadata.version, .profiles, .uid, .log_source,
// .log_name of records that came out of CloudWatch (unless the parser declares it), observables, lineage.
//
// An object of a parser class is one instance: it belongs to one thread at a time and may keep what it likes between records. What parse() throws
// fails the objects of the blocks at hand, with the parser's id in the message; it never leaves the library.
#pragma once

#include <logmill/plugin.h>
#include <logmill/ocsf/v1_8_0.hpp>
#include <logmill/sdk/columns.hpp>
#include <logmill/sdk/json.hpp>
#include <logmill/sdk/net.hpp>
#include <logmill/sdk/outline.hpp>
#include <logmill/sdk/sample.hpp>
#include <logmill/sdk/text.hpp>
#include <logmill/sdk/time.hpp>

#include <array>
#include <concepts>
#include <cstdio>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lm {

// ---- What a parser declares ----

enum class Framing : std::uint32_t { lines = LM_FRAMING_LINES, json = LM_FRAMING_JSON };
enum class Kind : std::uint32_t { events = LM_KIND_EVENTS, set_aside = LM_KIND_SET_ASIDE };

struct Descriptor {
  std::string_view id, title, vendor, version, reads;
  Framing framing = Framing::lines;
  std::string_view envelope = {};  // Framing::json: the member whose array holds the records; "Records" is also "records"
  Kind kind = Kind::events;
};

enum class Encoding : std::uint8_t {
  automatic,  // text that repeats: a dictionary; JSON text: as it stands
  plain,      // text that seldom repeats: ids, messages
};

struct Column {
  std::string_view path;
  Encoding encoding = Encoding::automatic;
  std::string_view constant = {};
  std::string_view same_as = {};
};

constexpr Column plain(std::string_view path) { return {path, Encoding::plain}; }
constexpr Column constant(std::string_view path, std::string_view value) { return {path, Encoding::automatic, value}; }
// Has what the column `other` has, in every row: it is not set, not stored and not encoded twice.
constexpr Column same(std::string_view path, std::string_view other) { return {path, Encoding::automatic, {}, other}; }

template <std::size_t N>
struct Strings {
  std::array<std::string_view, N> values{};
};
template <class... T>
consteval auto strings(T... values) {
  return Strings<sizeof...(T)>{{std::string_view(values)...}};
}
template <class... T>
consteval auto profiles(T... values) {
  return strings(values...);
}

template <std::size_t N, std::size_t P>
struct TableSpec {
  ocsf::ClassId class_id;
  std::array<std::string_view, P> profiles{};
  std::array<Column, N> columns{};
};

namespace detail {
constexpr Store store_of(const Column& column, ocsf::Kind kind) {
  switch (kind) {
    case ocsf::Kind::integer: return Store::int32;
    case ocsf::Kind::long_integer: return Store::int64;
    case ocsf::Kind::floating: return Store::float64;
    case ocsf::Kind::boolean: return Store::boolean;
    case ocsf::Kind::json: return Store::text;
    default: return column.encoding == Encoding::plain ? Store::text : Store::code;
  }
}
}  // namespace detail

// A list of columns, for those that several tables share: lm::table(class, profiles, kCommon + lm::columns({{"api.operation"}})).
template <std::size_t N>
struct Columns {
  std::array<Column, N> values{};
};
template <std::size_t N>
consteval Columns<N> columns(const Column (&list)[N]) {
  Columns<N> out;
  for (std::size_t i = 0; i < N; ++i) out.values[i] = list[i];
  return out;
}
template <std::size_t A, std::size_t B>
consteval Columns<A + B> operator+(const Columns<A>& a, const Columns<B>& b) {
  Columns<A + B> out;
  for (std::size_t i = 0; i < A; ++i) out.values[i] = a.values[i];
  for (std::size_t i = 0; i < B; ++i) out.values[A + i] = b.values[i];
  return out;
}

template <std::size_t N, std::size_t P>
consteval TableSpec<N, P> table(ocsf::ClassId class_id, const Strings<P>& profile_names, const Columns<N>& list) {
  TableSpec<N, P> out{class_id, profile_names.values, {}};
  const auto& columns = list.values;
  for (std::size_t i = 0; i < N; ++i) {
    const auto resolved = ocsf::v1_8::catalogue.resolve(class_id.uid, columns[i].path);
    if (!resolved.ok()) throw "a column is not an OCSF path of this class";
    for (std::size_t j = 0; j < i; ++j) {
      if (columns[j].path == columns[i].path) throw "a column is declared twice";
    }
    const std::string_view constant = columns[i].constant;
    if (!constant.empty() && columns[i].path.find("[]") != std::string_view::npos) throw "a column in a list cannot be constant";
    if (!constant.empty() && !detail::constant_fits(constant, resolved.datetime ? ocsf::Kind::text : resolved.leaf->kind))
      throw "a constant is not of its column's type";
    out.columns[i] = columns[i];
  }
  return out;
}
template <std::size_t N, std::size_t P>
consteval TableSpec<N, P> table(ocsf::ClassId class_id, const Strings<P>& profile_names, const Column (&list)[N]) {
  return table(class_id, profile_names, columns(list));
}

namespace detail {

template <std::size_t N>
struct FixedString {
  char text[N]{};
  consteval FixedString(const char (&from)[N]) {  // NOLINT(google-explicit-constructor): written as row.set<"path">
    for (std::size_t i = 0; i < N; ++i) text[i] = from[i];
  }
  constexpr std::string_view view() const { return {text, N - 1}; }
};

inline constexpr std::size_t kMaxLevels = 32;

// The levels of a table and each column's place in them, worked out at compile time.
template <std::size_t N>
struct TableLayout {
  std::array<ColumnSpec, N> columns{};
  std::array<LevelSpec, kMaxLevels> levels{};
  std::size_t n_levels = 1;

  consteval std::size_t level(std::string_view path) const {
    for (std::size_t i = 0; i < n_levels; ++i) {
      if (levels[i].path == path) return i;
    }
    throw "no column of the table lies in this list";
  }
};

template <std::size_t N, std::size_t P>
consteval TableLayout<N> layout_of(const TableSpec<N, P>& spec) {
  TableLayout<N> out;
  for (std::size_t i = 0; i < N; ++i) {
    const std::string_view path = spec.columns[i].path;
    std::size_t current = 0, from = 0;
    for (;;) {
      const std::size_t at = path.find("[]", from);
      if (at == std::string_view::npos) break;
      const std::string_view prefix = path.substr(0, at + 2);
      std::size_t found = 0;
      for (std::size_t l = 1; l < out.n_levels && !found; ++l) {
        if (out.levels[l].path == prefix) found = l;
      }
      if (!found) {
        if (out.n_levels == kMaxLevels) throw "a table has too many lists";
        out.levels[out.n_levels] = {prefix, static_cast<std::uint16_t>(current)};
        found = out.n_levels++;
      }
      current = found;
      from = at + 2;
    }
    const auto resolved = ocsf::v1_8::catalogue.resolve(spec.class_id.uid, path);
    const Check check = resolved.datetime                 ? Check::none
                        : resolved.leaf->type == "ip_t"   ? Check::address
                        : resolved.leaf->type == "port_t" ? Check::port
                                                          : Check::none;
    out.columns[i] = {path, store_of(spec.columns[i], resolved.datetime ? ocsf::Kind::text : resolved.leaf->kind),
                      static_cast<std::uint16_t>(current), spec.columns[i].constant, check};
  }
  for (std::size_t i = 0; i < N; ++i) {
    if (spec.columns[i].same_as.empty()) continue;
    std::size_t other = 0;
    while (other < N && spec.columns[other].path != spec.columns[i].same_as) ++other;
    if (other == N || !spec.columns[other].same_as.empty() || !spec.columns[other].constant.empty())
      throw "a column can be the same only as another one of the table that is set";
    const auto kind = [&](std::size_t at) { return ocsf::v1_8::catalogue.resolve(spec.class_id.uid, spec.columns[at].path).leaf->kind; };
    if (kind(i) != kind(other) || out.columns[i].level != out.columns[other].level)
      throw "columns that are the same have one type and lie in one list";
    out.columns[i].store = out.columns[other].store;
    out.columns[i].same_as = static_cast<std::uint16_t>(other);
  }
  return out;
}

template <const auto& Table>
inline constexpr auto kLayout = layout_of(Table);

// The full path of `name` inside the list element `prefix`, compared without building it.
consteval bool is_path(std::string_view whole, std::string_view prefix, std::string_view name, std::string_view suffix = "") {
  if (!prefix.empty()) {
    if (whole.substr(0, prefix.size()) != prefix) return false;
    whole.remove_prefix(prefix.size());
    if (!name.empty()) {
      if (whole.empty() || whole[0] != '.') return false;
      whole.remove_prefix(1);
    }
  }
  return whole.size() == name.size() + suffix.size() && whole.substr(0, name.size()) == name && whole.substr(name.size()) == suffix;
}

template <const auto& Table>
consteval std::size_t column_index(std::size_t level, std::string_view name) {
  const std::string_view prefix = kLayout<Table>.levels[level].path;
  for (std::size_t i = 0; i < Table.columns.size(); ++i) {
    if (is_path(Table.columns[i].path, prefix, name)) {
      if (!Table.columns[i].constant.empty()) throw "this column is constant";
      if (!Table.columns[i].same_as.empty()) throw "this column is the same as another one: set that";
      if (kLayout<Table>.columns[i].level != level) throw "this column lies in a list: push an element first";
      return i;
    }
  }
  throw "this path is not a column of the table";
}

template <const auto& Table>
consteval bool has_column(std::size_t level, std::string_view name) {
  for (const Column& column : Table.columns) {
    if (is_path(column.path, kLayout<Table>.levels[level].path, name)) return true;
  }
  return false;
}

template <const auto& Table>
consteval bool has_list(std::size_t level, std::string_view name) {
  for (std::size_t i = 1; i < kLayout<Table>.n_levels; ++i) {
    if (kLayout<Table>.levels[i].parent == level && is_path(kLayout<Table>.levels[i].path, kLayout<Table>.levels[level].path, name, "[]"))
      return true;
  }
  return false;
}

template <const auto& Table>
consteval std::size_t list_index(std::size_t level, std::string_view name) {
  for (std::size_t i = 1; i < kLayout<Table>.n_levels; ++i) {
    if (kLayout<Table>.levels[i].parent == level && is_path(kLayout<Table>.levels[i].path, kLayout<Table>.levels[level].path, name, "[]"))
      return i;
  }
  throw "this path is not a list of the table";
}

// What OCSF requires and the host does not derive: of the class, and of every object that has a column.
struct MissingColumn {
  char path[120]{};
  std::size_t size = 0;

  constexpr std::string_view view() const { return {path, size}; }
  constexpr void append(std::string_view text) {
    if (size + text.size() >= sizeof path) throw "a path is too long";
    for (const char c : text) path[size++] = c;
  }
  constexpr void cut(std::size_t to) {
    while (size > to) path[--size] = 0;
  }
};

consteval bool is_derived(std::string_view path) {
  return path == "category_uid" || path == "class_uid" || path == "type_uid" || path == "metadata.version";
}

// The columns of a table that lie within one of its objects.
template <std::size_t N>
struct ColumnsWithin {
  std::array<std::uint16_t, N> columns{};
  std::size_t size = 0;
};

// Whether something required is missing among `owner`'s attributes and below, of which the columns `within` are; then `at` is its path. Otherwise `at` is as it was.
// Each column is looked up once a level: compilers count what they evaluate, and a table may have hundreds.
template <std::size_t N, std::size_t P>
consteval bool find_missing(const TableSpec<N, P>& spec, std::span<const ocsf::Attribute> owner, const ColumnsWithin<N>& within,
                            MissingColumn& at) {
  constexpr std::size_t kMost = 256;
  if (owner.size() > kMost) throw "an object has too many attributes";
  const std::size_t size = at.size;
  std::array<bool, kMost> present{};
  std::array<std::size_t, N> attribute{};  // of each column within
  for (std::size_t i = 0; i < within.size; ++i) {
    std::string_view name = spec.columns[within.columns[i]].path.substr(size == 0 ? 0 : size + 1);
    name = name.substr(0, name.find_first_of(".["));
    attribute[i] = ocsf::Catalogue::index_of(owner, name);
    if (attribute[i] != owner.size()) present[attribute[i]] = true;
  }
  for (std::size_t n = 0; n < owner.size(); ++n) {
    const ocsf::Attribute& a = owner[n];
    const bool object = a.kind == ocsf::Kind::object;
    if (present[n] ? !object : a.requirement != ocsf::Requirement::required) continue;
    if (size != 0) at.append(".");
    at.append(a.name.view());
    if (a.array) at.append("[]");
    if (present[n]) {
      ColumnsWithin<N> inner;
      for (std::size_t i = 0; i < within.size; ++i) {
        if (attribute[i] == n) inner.columns[inner.size++] = within.columns[i];
      }
      const auto& of = ocsf::v1_8::catalogue.objects[static_cast<std::size_t>(a.object)];
      if (find_missing(spec, ocsf::v1_8::catalogue.attributes_of(of), inner, at)) return true;
    } else {
      bool profile = a.profile.empty();
      for (std::size_t i = 0; i < P; ++i) profile = profile || a.profile == spec.profiles[i];
      if (profile && !is_derived(at.view())) return true;
    }
    at.cut(size);
  }
  return false;
}

template <const auto& Table>
consteval MissingColumn missing_column() {
  MissingColumn out;
  ColumnsWithin<Table.columns.size()> all;
  for (; all.size < all.columns.size(); ++all.size) all.columns[all.size] = static_cast<std::uint16_t>(all.size);
  find_missing(Table, ocsf::v1_8::catalogue.attributes_of(*ocsf::v1_8::catalogue.find_class(Table.class_id.uid)), all, out);
  return out;
}

// The compiler's message spells the path: compilers do not agree on how to print a text that is an argument, but they do of characters.
template <char... Path>
struct RequiredByOcsf {
  static_assert(sizeof...(Path) == 0, "the table lacks a column that OCSF requires: RequiredByOcsf<...> spells its path");
};
template <const auto& Table>
struct RequiredColumns {
  static constexpr MissingColumn missing = missing_column<Table>();
  template <std::size_t... I>
  static RequiredByOcsf<missing.path[I]...> spell(std::index_sequence<I...>);
  static constexpr bool there = sizeof(spell(std::make_index_sequence<missing.size>())) != 0;
};

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsOptional<Maybe<T>> : std::true_type {};
template <>
struct IsOptional<Text> : std::true_type {};

}  // namespace detail

// ---- Rows ----

// A text in the dictionary of a column. It holds for one column and the record at hand.
struct Code {
  std::int32_t value = -1;
};

// A row, or an element of one of its lists, while its record is parsed. Set what the record has; what is not set is absent.
template <const auto& Table, std::size_t Level = 0>
class Row {
 public:
  Row(detail::Columns& columns, std::uint32_t row) : columns_(&columns), row_(row) {}

  // Text takes what converts to std::string_view, integers take integers, booleans bool; any of them as lm::Maybe, lm::Text or std::optional, where none
  // leaves the attribute absent. Answers whether the row has the value: false for none, for what is no address where OCSF wants one (ip_t; an address is
  // looked at once, not each time that it comes), for what is no port (port_t), and for what 32 bits cannot hold. Keep the text of those in `unmapped`.
  template <detail::FixedString Path, class Value>
  [[gnu::always_inline]] bool set(const Value& value) {
    constexpr std::size_t column = detail::column_index<Table>(Level, Path.view());
    return put<column>(value);
  }

  // Text of many values that will be set a little later, addresses for one: its dictionary entry is fetched meanwhile.
  template <detail::FixedString Path>
  void expect(std::string_view text) const {
    constexpr std::size_t column = detail::column_index<Table>(Level, Path.view());
    static_assert(detail::kLayout<Table>.columns[column].store == detail::Store::code, "only text that repeats is looked up");
    columns_->expect_code(column, text);
  }

  // The same of text that Rows::code looked up before. False: it is that of an absent text.
  template <detail::FixedString Path>
  bool set(Code code) {
    constexpr std::size_t column = detail::column_index<Table>(Level, Path.view());
    static_assert(detail::kLayout<Table>.columns[column].store == detail::Store::code, "only text that repeats has codes");
    if (code.value < 0) return false;
    columns_->put(column, row_, code.value);
    return true;
  }

  template <detail::FixedString Path>
  bool is_set() const {
    return columns_->is_set(detail::column_index<Table>(Level, Path.view()), row_);
  }

  // A new element at the end of a list of objects.
  template <detail::FixedString Path>
  auto push() {
    constexpr std::size_t level = detail::list_index<Table>(Level, Path.view());
    return Row<Table, level>(*columns_, columns_->push(level, row_));
  }

  // A new value at the end of a list of scalars. Answers as set does; what is not taken is no element.
  template <detail::FixedString Path, class Value>
  bool push(const Value& value) {
    if constexpr (detail::IsOptional<Value>::value) {
      return value ? push<Path>(*value) : false;
    } else {
      constexpr std::size_t level = detail::list_index<Table>(Level, Path.view());
      constexpr std::size_t column = detail::column_index<Table>(level, "");
      if constexpr (detail::kLayout<Table>.columns[column].check == detail::Check::address) {
        if (!net::is_ip(std::string_view(value))) return false;
      }
      return push<Path>().template set<"">(value);
    }
  }

  // The list is there, without elements.
  template <detail::FixedString Path>
  void empty() {
    columns_->mark_list(detail::list_index<Table>(Level, Path.view()), row_);
  }

  // For code that serves several tables.
  template <detail::FixedString Path>
  static constexpr bool has = detail::has_column<Table>(Level, Path.view());
  template <detail::FixedString Path>
  static constexpr bool has_list = detail::has_list<Table>(Level, Path.view());

 private:
  template <std::size_t Column, class Value>
  [[gnu::always_inline]] bool put(const Value& value) {
    constexpr detail::Store store = detail::kLayout<Table>.columns[Column].store;
    constexpr detail::Check check = detail::kLayout<Table>.columns[Column].check;
    if constexpr (detail::IsOptional<Value>::value) {
      return value ? put<Column>(*value) : false;
    } else if constexpr (store == detail::Store::code) {
      static_assert(std::convertible_to<Value, std::string_view>, "a text attribute takes text");
      if constexpr (check == detail::Check::address) return columns_->put_checked(Column, row_, std::string_view(value), net::is_ip);
      columns_->put_code(Column, row_, std::string_view(value));
    } else if constexpr (store == detail::Store::text) {
      static_assert(std::convertible_to<Value, std::string_view>, "a text attribute takes text");
      if (check == detail::Check::address && !net::is_ip(std::string_view(value))) return false;
      columns_->put_text(Column, row_, std::string_view(value));
    } else if constexpr (store == detail::Store::boolean) {
      static_assert(std::same_as<Value, bool>, "a boolean attribute takes bool");
      columns_->put_boolean(Column, row_, value);
    } else if constexpr (store == detail::Store::float64) {
      columns_->put(Column, row_, static_cast<double>(value));
    } else if constexpr (store == detail::Store::int64) {
      static_assert(std::integral<Value> && !std::same_as<Value, bool>, "an integer attribute takes an integer");
      if (!std::in_range<std::int64_t>(value)) return false;
      columns_->put(Column, row_, static_cast<std::int64_t>(value));
    } else {
      static_assert(std::integral<Value> && !std::same_as<Value, bool>, "an integer attribute takes an integer");
      if (check == detail::Check::port ? !std::in_range<std::uint16_t>(value) : !std::in_range<std::int32_t>(value)) return false;
      columns_->put(Column, row_, static_cast<std::int32_t>(value));
    }
    return true;
  }
  detail::Columns* columns_;
  std::uint32_t row_;
};

// ---- Records ----

enum Reject : std::uint32_t {
  malformed = LM_REJECT_MALFORMED,
  foreign = LM_REJECT_FOREIGN,
  nested_too_deep = LM_REJECT_DEPTH,
};

namespace detail {
inline std::string_view view(lm_str text) { return {text.data, static_cast<std::size_t>(text.size)}; }
constexpr lm_str str(std::string_view text) { return {text.data(), text.size()}; }

struct ParseState {
  const lm_emit* emit = nullptr;
  std::uint32_t block = 0, record = 0, item = 0;
  bool rejected = false;
  struct Drift {
    std::uint64_t records = 0;
    std::uint32_t block = 0, record = 0;  // the last that was counted
  };
  std::unordered_map<std::string, Drift> drift;
  std::string drift_name;  // scratch
};
}  // namespace detail

// The record at hand. A small handle: pass it by value.
class Record {
 public:
  Record(const lm_block& block, detail::ParseState& state) : block_(&block), state_(&state) {}

  // Without its line end; UTF-8 (the host checked it). Bytes behind it may be read (LM_PADDING), not trusted.
  std::string_view text() const { return text_of(state_->record); }
  // The text of the record behind it in the block, which comes next; "" if there is none. For Rows::expect: it may be of any form, and be rejected when it comes.
  std::string_view next_text() const { return state_->record + 1 < block_->n_records ? text_of(state_->record + 1) : std::string_view(); }
  // The header lines that hold for it; "" if there are none.
  std::string_view prologue() const {
    return {reinterpret_cast<const char*>(block_->prologue), static_cast<std::size_t>(block_->prologue_size)};
  }
  std::string_view uri() const { return detail::view(block_->object->uri); }
  // What the object's key says of the record: capture("account"). "" if the pattern has no such name or none matched.
  std::string_view capture(std::string_view name) const {
    for (std::uint64_t i = 0; i < block_->object->n_captures; ++i) {
      if (detail::view(block_->object->captures[i].name) == name) return detail::view(block_->object->captures[i].value);
    }
    return {};
  }
  // True for the first record of a block: what depends on the prologue or the object may be worked out then.
  bool starts_block() const { return state_->record == 0; }

  // It gives no row: rows that were begun for it are taken back. `why` is for people.
  void reject(Reject code, std::string_view why) const {
    if (state_->rejected) return;
    state_->rejected = true;
    state_->emit->reject(state_->emit->ctx, state_->block, state_->record, code, detail::str(why));
  }
  // It is not the JSON that the reader was to read.
  void reject(const json::Reader& reader) const { reject(reader.too_deep() ? nested_too_deep : malformed, reader.error()); }
  // It has a field that the parser does not know; the field's content goes to `unmapped`. The run's summary counts by name how many records had it: a record that has it
  // several times is one.
  void drift(std::string_view field) const { drift({}, field); }
  // The same of a member of an object within the record: drift("userIdentity", key) counts "userIdentity.KEY".
  [[gnu::noinline]] void drift(std::string_view within, std::string_view member) const {
    constexpr std::size_t kMost = 1000, kLongest = 200;  // names come from the input
    std::string& name = state_->drift_name;
    name.assign(within);
    if (!within.empty()) name.push_back('.');
    std::size_t n = std::min(member.size(), kLongest - std::min(kLongest, name.size()));
    while (n != 0 && n != member.size() && (static_cast<unsigned char>(member[n]) & 0xc0) == 0x80) --n;  // no character is cut
    name.append(member.substr(0, n));
    auto& counts = state_->drift;
    auto found = counts.find(name);
    if (found == counts.end()) found = counts.try_emplace(counts.size() < kMost ? name : "(others)").first;
    detail::ParseState::Drift& count = found->second;
    if (count.records != 0 && count.block == state_->block && count.record == state_->record) return;
    ++count.records;
    count.block = state_->block, count.record = state_->record;
  }

 private:
  template <const auto& Table>
  friend class Rows;
  std::string_view text_of(std::uint32_t record) const {
    const lm_record& r = block_->records[record];
    return {reinterpret_cast<const char*>(block_->data) + r.offset, r.length};
  }
  const lm_block* block_;
  detail::ParseState* state_;
};

// The rows of one table.
template <const auto& Table>
class Rows {
 public:
  static constexpr const auto& spec = Table;
  static_assert(detail::RequiredColumns<Table>::there);
  Rows()
      : columns_(detail::kLayout<Table>.columns.data(), detail::kLayout<Table>.columns.size(), detail::kLayout<Table>.levels.data(),
                 detail::kLayout<Table>.n_levels) {}

  // A new row from `record`. A record may give several rows, in one table or in several.
  Row<Table> begin(Record record) {
    origins_.push_back({record.state_->block, record.state_->record, record.state_->item++, 0});
    return Row<Table>(columns_, columns_.add_row(0));
  }

  // Text of many values that a later row will have: as Row::expect, for rows that are not begun.
  template <detail::FixedString Path>
  void expect(std::string_view text) const {
    constexpr std::size_t column = detail::column_index<Table>(0, Path.view());
    static_assert(detail::kLayout<Table>.columns[column].store == detail::Store::code, "only text that repeats is looked up");
    columns_.expect_code(column, text);
  }

  // Looks up what many rows of the record will have, once for all of them.
  template <detail::FixedString Path>
  Code code(Text text) {
    constexpr std::size_t column = detail::column_index<Table>(0, Path.view());
    constexpr auto layout = detail::kLayout<Table>.columns[column];
    static_assert(layout.store == detail::Store::code && layout.check == detail::Check::none,
                  "only text that repeats has codes, and what is any text");
    return text ? Code{columns_.code(column, *text)} : Code{};
  }

  // The host's side.
  detail::Columns& columns() { return columns_; }
  std::vector<lm_origin>& origins() { return origins_; }
  std::uint64_t epoch = 0;
  std::uint32_t last_rows = 0, last_records = 0;

 private:
  detail::Columns columns_;
  std::vector<lm_origin> origins_;
};

// The parser's configuration: a JSON object.
struct Config {
  std::string_view json;
};

// ---- The C table ----

namespace detail {

inline void set_error(lm_error* error, lm_status code, const char* what) {
  if (!error) return;
  error->code = code;
  std::snprintf(error->message, sizeof error->message, "%s", what);
}

template <class Function>
lm_status guarded(lm_error* error, Function&& function) noexcept {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    set_error(error, LM_NO_MEMORY, "out of memory");
    return LM_NO_MEMORY;
  } catch (const std::invalid_argument& e) {
    set_error(error, LM_INVALID, e.what());
    return LM_INVALID;
  } catch (const std::exception& e) {
    set_error(error, LM_INTERNAL, e.what());
    return LM_INTERNAL;
  } catch (...) {
    set_error(error, LM_INTERNAL, "an exception that is no std::exception");
    return LM_INTERNAL;
  }
}

// The tables of a parser, taken from the signature of its parse().
template <class Parse>
struct ParseTables {
  static_assert(sizeof(Parse) == 0, "a parser has: void parse(lm::Record, lm::Rows<table>&...)");
};
template <class P, const auto&... Table>
struct ParseTables<void (P::*)(Record, Rows<Table>&...)> {
  using Tuple = std::tuple<Rows<Table>...>;
  static constexpr std::size_t count = sizeof...(Table);
};

template <class P>
concept HasParse = requires {
  &P::parse;
};
template <class P>
concept SetsAside = P::descriptor.kind == Kind::set_aside;
template <class P>
concept Parser = requires(Sample s) {
  { P::descriptor } -> std::convertible_to<Descriptor>;
  { P::score(s) } -> std::convertible_to<int>;
}
&&(HasParse<P> || SetsAside<P>);

template <class P>
struct RowsOf {
  using Tuple = std::tuple<>;
};
template <HasParse P>
struct RowsOf<P> {
  using Tuple = typename ParseTables<decltype(&P::parse)>::Tuple;
};

template <class P>
struct Instance {
  P parser;
  typename RowsOf<P>::Tuple rows;
  ParseState state;

  explicit Instance(std::string_view config) : parser(make(config)) {}

  static P make(std::string_view config) {
    if constexpr (std::constructible_from<P, Config>) {
      return P(Config{config});
    } else {
      json::Reader reader;
      std::string unknown;
      if (!reader.read(config, [&](std::string_view key, json::Value&) { unknown = key; }))
        throw std::invalid_argument("the configuration is not a JSON object");
      if (!unknown.empty()) throw std::invalid_argument("unknown setting: " + unknown);
      return P();
    }
  }

  template <class RowsT>
  static void take_back(RowsT& r, const ParseState& s) {
    auto& origins = r.origins();
    while (!origins.empty() && origins.back().block == s.block && origins.back().record == s.record) origins.pop_back();
    r.columns().truncate(static_cast<std::uint32_t>(origins.size()));
  }

  lm_status parse(const lm_block* const* blocks, std::uint64_t n_blocks, const lm_emit* emit) {
    std::uint64_t records = 0;
    for (std::uint64_t b = 0; b < n_blocks; ++b) records += blocks[b]->n_records;
    if (records > INT32_MAX) throw std::length_error("too many records in one call");
    return std::apply(
        [&](auto&... r) {
          // Dictionaries are kept from call to call, as long as they are small enough to be near.
          constexpr std::size_t kMostDictionaries = 12 << 20;
          if ((std::size_t{0} + ... + r.columns().dictionary_bytes()) > kMostDictionaries)
            ((r.columns().clear_dictionaries(), ++r.epoch), ...);
          ((r.columns().reset(), r.origins().clear(), begin(r, static_cast<std::uint32_t>(records))), ...);
          state.emit = emit;
          for (std::uint64_t b = 0; b < n_blocks; ++b) {
            state.block = static_cast<std::uint32_t>(b);
            const Record record(*blocks[b], state);
            for (state.record = 0; state.record < blocks[b]->n_records; ++state.record) {
              state.item = 0, state.rejected = false;
              if constexpr (HasParse<P>) parse_one(record, r...);
              if (state.rejected) [[unlikely]]
                (take_back(r, state), ...);
            }
          }
          for (const auto& [field, count] : state.drift) emit->drift(emit->ctx, str(field), count.records);
          state.drift.clear();
          lm_status status = LM_OK;
          std::uint32_t index = 0;
          ((status = status == LM_OK ? flush(r, index++, emit) : status), ...);
          return status;
        },
        rows);
  }

  // What it throws costs the record.
  template <class... RowsT>
  [[gnu::always_inline]] void parse_one(Record record, RowsT&... r) {
    try {
      parser.parse(record, r...);
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& e) {
      threw(record, e);
    }
  }
  [[gnu::cold, gnu::noinline]] static void threw(Record record, const std::exception& e) {
    record.reject(malformed, std::string("the parser threw an exception: ") + e.what());
  }

  template <class RowsT>
  static void begin(RowsT& r, std::uint32_t records) {
    // Most tables get few of a call's records: what the last call needed is a better guess than all of them. Where records give several rows, it is the only one, of
    // which one long record must not make too much.
    constexpr std::uint32_t kMost = 1 << 16;
    const std::uint32_t last = r.last_rows + r.last_rows / 8 + 64;
    r.columns().reserve(std::min(last, r.last_rows > r.last_records ? std::max(records, kMost) : records));
    r.last_records = records;
  }

  template <class RowsT>
  static lm_status flush(RowsT& r, std::uint32_t index, const lm_emit* emit) {
    r.last_rows = r.columns().rows();
    if (r.last_rows == 0) return LM_OK;
    lm_batch batch{};
    batch.struct_size = sizeof batch;
    batch.table = index;
    batch.dictionary_epoch = r.epoch;
    batch.origins = r.origins().data();
    r.columns().export_rows(&batch.array, &batch.bytes);
    return emit->batch(emit->ctx, &batch);
  }
};

template <class P>
struct ParserTable {
  static_assert(Parser<P>,
                "a parser has: static constexpr lm::Descriptor descriptor, static int score(lm::Sample), void parse(lm::Record, "
                "lm::Rows<table>&...)");

  template <const auto& Table>
  struct ClassData {
    static constexpr auto columns = [] {
      std::array<lm_column, Table.columns.size()> out{};
      for (std::size_t i = 0; i < out.size(); ++i) {
        const bool code = kLayout<Table>.columns[i].store == Store::code;
        out[i] = {sizeof(lm_column), code ? std::uint32_t{LM_TEXT_DICTIONARY} : 0u, str(Table.columns[i].path),
                  str(Table.columns[i].constant)};
      }
      return out;
    }();
    static constexpr auto profiles = [] {
      std::array<lm_str, Table.profiles.size() + 1> out{};
      for (std::size_t i = 0; i < Table.profiles.size(); ++i) out[i] = str(Table.profiles[i]);
      return out;
    }();
    static constexpr lm_class value{sizeof(lm_class), Table.class_id.uid, columns.data(),
                                    columns.size(),   profiles.data(),    Table.profiles.size()};
  };

  template <class Tuple>
  struct Classes;
  template <const auto&... Table>
  struct Classes<std::tuple<Rows<Table>...>> {
    static constexpr std::array<lm_class, sizeof...(Table) + 1> value{ClassData<Table>::value..., lm_class{}};
    static constexpr std::size_t count = sizeof...(Table);
  };
  using ClassesOf = Classes<typename RowsOf<P>::Tuple>;

  static constexpr auto keys = [] {
    if constexpr (requires { P::keys; }) {
      std::array<lm_str, P::keys.values.size() + 1> out{};
      for (std::size_t i = 0; i < P::keys.values.size(); ++i) out[i] = str(P::keys.values[i]);
      return out;
    } else {
      return std::array<lm_str, 1>{};
    }
  }();

  static constexpr lm_parser_descriptor descriptor{sizeof(lm_parser_descriptor),
                                                   static_cast<std::uint32_t>(P::descriptor.kind),
                                                   str(P::descriptor.id),
                                                   str(P::descriptor.title),
                                                   str(P::descriptor.vendor),
                                                   str(P::descriptor.version),
                                                   str(P::descriptor.reads),
                                                   static_cast<std::uint32_t>(P::descriptor.framing),
                                                   0,
                                                   str(P::descriptor.envelope),
                                                   keys.data(),
                                                   keys.size() - 1,
                                                   ClassesOf::value.data(),
                                                   ClassesOf::count};

  static std::int32_t score(const lm_sample* s) noexcept {
    try {
      const std::string_view head(reinterpret_cast<const char*>(s->head), static_cast<std::size_t>(s->head_size));
      return static_cast<std::int32_t>(P::score(Sample{view(s->key), head, s->whole != 0, s}));
    } catch (...) {
      return 0;
    }
  }

  static std::int32_t prologue([[maybe_unused]] lm_str line) noexcept {
    try {
      if constexpr (requires { P::prologue(std::string_view()); }) return P::prologue(view(line)) ? 1 : 0;
    } catch (...) {}
    return 0;
  }

  static lm_status create(lm_str config, lm_parser* out, lm_error* error) noexcept {
    return guarded(error, [&] {
      auto instance = std::make_unique<Instance<P>>(view(config));
      *out = lm_parser{};
      out->struct_size = sizeof *out;
      out->schema = [](void* self, std::uint32_t table, ArrowSchema* schema, lm_error* e) noexcept {
        return guarded(e, [&] {
          std::uint32_t index = 0;
          bool found = false;
          std::apply([&](auto&... r) { ((index++ == table ? (r.columns().export_schema(schema), found = true) : false), ...); },
                     static_cast<Instance<P>*>(self)->rows);
          if (!found) throw std::invalid_argument("no such table");
          return lm_status{LM_OK};
        });
      };
      out->parse = [](void* self, const lm_block* const* blocks, std::uint64_t n, const lm_emit* emit, lm_error* e) noexcept {
        return guarded(e, [&] { return static_cast<Instance<P>*>(self)->parse(blocks, n, emit); });
      };
      out->get_extension = [](void*, const char*) noexcept -> const void* { return nullptr; };
      out->destroy = [](void* self) noexcept { delete static_cast<Instance<P>*>(self); };
      out->self = instance.release();
      return lm_status{LM_OK};
    });
  }
};

template <class... P>
struct Library {
  static constexpr std::array<const lm_parser_descriptor*, sizeof...(P)> descriptors{&ParserTable<P>::descriptor...};
  static constexpr std::array<std::int32_t (*)(const lm_sample*), sizeof...(P)> scores{&ParserTable<P>::score...};
  static constexpr std::array<std::int32_t (*)(lm_str), sizeof...(P)> prologues{&ParserTable<P>::prologue...};
  static constexpr std::array<lm_status (*)(lm_str, lm_parser*, lm_error*), sizeof...(P)> creators{&ParserTable<P>::create...};

  static const lm_parser_descriptor* descriptor(std::uint32_t i) noexcept { return i < sizeof...(P) ? descriptors[i] : nullptr; }
  static std::int32_t score(std::uint32_t i, const lm_sample* s) noexcept { return i < sizeof...(P) ? scores[i](s) : 0; }
  static std::int32_t prologue(std::uint32_t i, lm_str line) noexcept { return i < sizeof...(P) ? prologues[i](line) : 0; }
  static lm_status create(std::uint32_t i, lm_str config, lm_parser* out, lm_error* error) noexcept {
    if (i < sizeof...(P)) return creators[i](config, out, error);
    set_error(error, LM_INVALID, "no such parser");
    return LM_INVALID;
  }
  static constexpr lm_parser_factory factory{sizeof(lm_parser_factory), sizeof...(P), &descriptor, &score, &prologue, &create};

  static lm_status init(const lm_host* host, lm_error* error) noexcept {
    if (host && (host->abi_version >> 16) == LM_ABI_MAJOR) return LM_OK;
    set_error(error, LM_UNSUPPORTED, "the host has another ABI");
    return LM_UNSUPPORTED;
  }
  static void deinit() noexcept {}
  static const void* get_factory(const char* id) noexcept { return std::string_view(id) == LM_PARSER_FACTORY ? &factory : nullptr; }
  static constexpr lm_entry entry{sizeof(lm_entry), LM_ABI_VERSION, &init, &deinit, &get_factory};
};

}  // namespace detail
}  // namespace lm

// The parsers of a library: exports logmill_entry. Once a library, in one source file, outside of namespaces.
#define LOGMILL_PARSERS(...)                         \
  extern "C" LM_EXPORT const lm_entry logmill_entry; \
  extern "C" LM_EXPORT const lm_entry logmill_entry = ::lm::detail::Library<__VA_ARGS__>::entry;
