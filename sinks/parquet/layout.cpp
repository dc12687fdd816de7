#include "parquet/layout.hpp"

#include "common/output_file.hpp"

#include <algorithm>

namespace lm::sink::parquet {
namespace {

constexpr std::int64_t kHour = 3600000, kDay = 24 * kHour;
constexpr std::string_view kLake = "{table}/region={cloud.region}/accountId={cloud.account.uid}/eventDay={time:%Y%m%d}";
constexpr std::string_view kUnknown = "unknown";
constexpr std::size_t kMostText = 48;  // of a part, beside its value

bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '=';
}

// Rounds down, also before 1970.
std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

struct Date {
  std::int64_t year = 0, month = 0, day = 0;
};

// Of days since 1970-01-01, in the proleptic Gregorian calendar. Howard Hinnant's idea: years that begin in March, in eras of 400 years.
Date date_of(std::int64_t day) {
  const std::int64_t shifted = day + 719468;
  const std::int64_t era = floor_div(shifted, 146097);
  const std::int64_t of_era = shifted - era * 146097;
  const std::int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const std::int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_index = (5 * of_year + 2) / 153;
  const std::int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, of_year - (153 * month_index + 2) / 5 + 1};
}

void append_padded(std::string& out, std::int64_t number, std::size_t width) {
  if (number < 0) out.push_back('-');
  const std::string digits = std::to_string(number < 0 ? -number : number);
  for (std::size_t i = digits.size(); i < width; ++i) out.push_back('0');
  out += digits;
}

std::string time_text(std::int64_t ms, std::string_view format) {
  const std::int64_t day = floor_div(ms, kDay);
  const Date date = date_of(day);
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out.push_back(format[i]);
      continue;
    }
    switch (format[++i]) {
      case 'Y': append_padded(out, date.year, 4); break;
      case 'm': append_padded(out, date.month, 2); break;
      case 'd': append_padded(out, date.day, 2); break;
      default: append_padded(out, (ms - day * kDay) / kHour, 2); break;
    }
  }
  return out;
}

std::string_view text_in(const ArrowArray& array, std::int64_t at) {
  const auto* offsets = static_cast<const std::int32_t*>(array.buffers[1]) + at;
  if (offsets[0] < 0 || offsets[1] < offsets[0]) throw BadColumn("text offsets are out of range");
  const auto n = static_cast<std::size_t>(offsets[1] - offsets[0]);
  return n == 0 ? std::string_view() : std::string_view(static_cast<const char*>(array.buffers[2]) + offsets[0], n);
}

}  // namespace

// ---- Templates ----

Result<Layout::Part> Layout::part(std::string_view text, std::string_view whole) {
  const auto bad = [&](std::string why) { return fail(LM_INVALID, "option layout=" + std::string(whole) + ": " + std::move(why)); };
  Part out;
  const std::size_t open = text.find('{'), close = text.find('}');
  if (text.empty()) return bad("a part between slashes is empty");
  if ((open == std::string_view::npos) != (close == std::string_view::npos) || (open != std::string_view::npos && close < open))
    return bad("a brace has no other one");
  out.before = text.substr(0, open);
  if (open != std::string_view::npos) {
    out.after = text.substr(close + 1);
    const std::string_view value = text.substr(open + 1, close - open - 1);
    const std::size_t colon = value.find(':');
    out.column = value.substr(0, colon);
    if (out.after.find_first_of("{}") != std::string::npos || value.find('{') != std::string_view::npos)
      return bad("a part between slashes has one value at most");
    if (out.column.empty() || !std::all_of(out.column.begin(), out.column.end(), [](char c) { return plain(c) && c != '=' && c != '-'; }))
      return bad("'{" + std::string(value) + "}' is no column: write {table} or a path such as {cloud.region}");
    out.value = out.column == "table" ? Value::table : Value::column;
    if (colon != std::string_view::npos) {
      out.format = value.substr(colon + 1);
      out.value = Value::time;
      bool some = false;
      for (std::size_t i = 0; i < out.format.size(); ++i) {
        const bool field = out.format[i] == '%';
        if (field && (++i == out.format.size() || std::string_view("YmdH").find(out.format[i]) == std::string_view::npos))
          return bad("'" + out.format + "' is no format: %Y, %m, %d and %H are");
        if (!field && (!plain(out.format[i]) || out.format[i] == '='))
          return bad("a format has letters, digits, '-', '_' and '.' beside its fields");
        some = some || field;
      }
      if (!some || out.column == "table") return bad("'" + out.format + "' is no format: %Y, %m, %d and %H are");
    }
  }
  for (const std::string& around : {out.before, out.after}) {
    if (!std::all_of(around.begin(), around.end(), plain)) return bad("folders have letters, digits, '-', '_', '.' and '=' in their names");
  }
  if (out.before.size() + out.after.size() + out.format.size() > kMostText)
    return bad("a part has more than " + std::to_string(kMostText) + " characters");
  if (out.before.starts_with('.') || out.before.starts_with('_')) return bad("readers pass over folders that begin with '.' or '_'");
  return out;
}

Result<Layout> Layout::parse(std::string_view value) {
  if (value == "lake") value = kLake;
  if (value == "flat") value = "{table}";
  if (value.find('{') == std::string_view::npos)
    return fail(LM_INVALID,
                "option layout=" + std::string(value) + ": wanted lake, flat or a template such as {table}/day={time:%Y-%m-%d}");
  Layout out;
  std::string_view rest = value;
  for (;;) {
    const std::size_t slash = rest.find('/');
    auto made = part(rest.substr(0, slash), value);
    if (!made) return tl::make_unexpected(made.error());
    out.parts_.push_back(std::move(*made));
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  const bool by_table = std::any_of(out.parts_.begin(), out.parts_.end(), [](const Part& p) {
    return p.value == Value::table || p.column == "class_name" || p.column == "class_uid";
  });
  if (!by_table)
    return fail(LM_INVALID, "option layout=" + std::string(value) +
                                ": it needs {table}, {class_name} or {class_uid}, because each table has columns of its own");
  return out;
}

Layout Layout::security_lake(std::string_view source, std::string_view region) {
  Layout out;
  out.parts_.push_back({"ext", "", Value::none, {}, {}});
  Part name{std::string(source), "", Value::none, {}, {}};
  if (const std::size_t at = source.find("{class_uid}"); at != std::string_view::npos) {
    name = {std::string(source.substr(0, at)),
            std::string(source.substr(at + std::string_view("{class_uid}").size())),
            Value::class_uid,
            {},
            {}};
  }
  out.parts_.push_back(std::move(name));
  if (region.empty()) {
    out.parts_.push_back({"region=", "", Value::column, "cloud.region", {}});
  } else {
    out.parts_.push_back({"region=" + std::string(region), "", Value::none, {}, {}});
  }
  out.parts_.push_back({"accountId=", "", Value::account, "cloud.account.uid", {}});
  out.parts_.push_back({"eventDay=", "", Value::time, "time", "%Y%m%d"});
  return out;
}

std::vector<std::string> Layout::columns() const {
  std::vector<std::string> out;
  for (const Part& p : parts_) {
    if (p.value == Value::column || p.value == Value::time || p.value == Value::account) out.push_back(p.column);
  }
  return out;
}

// ---- Of a table ----

Result<TableLayout::Column> TableLayout::find(const ArrowSchema& schema, std::string_view path, std::string_view format) {
  Column out;
  out.name = path;
  const auto bad = [&](const std::string& why) { return fail(LM_INVALID, "option layout: the column '" + std::string(path) + "' " + why); };
  const ArrowSchema* at = &schema;
  for (std::string_view rest = path; !rest.empty();) {
    const std::string_view name = rest.substr(0, rest.find('.'));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    if (std::string_view(at->format) == "+l") return bad("is below a list, which has many values");
    std::int64_t i = 0;
    while (i < at->n_children && name != (at->children[i]->name ? at->children[i]->name : "")) ++i;
    if (i == at->n_children) return out;
    out.steps.push_back(static_cast<std::int32_t>(i));
    at = at->children[i];
  }
  const std::string_view type = at->format;
  const bool time = !format.empty();
  out.coded = at->dictionary != nullptr;
  out.kind = out.coded || type == "u" ? Column::Kind::text
             : type == "i"            ? Column::Kind::int32
             : type == "l"            ? (time ? Column::Kind::time : Column::Kind::int64)
                                      : Column::Kind::absent;
  if (out.kind == Column::Kind::absent) return bad("is no text and no whole number");
  if (time && out.kind != Column::Kind::time) return bad("has a format and is no time");
  if (time) out.unit = format.find("%H") != std::string_view::npos ? kHour : kDay;
  return out;
}

Result<TableLayout> TableLayout::make(const Layout& layout, const ArrowSchema& schema, std::string_view table, std::uint32_t class_uid) {
  TableLayout out;
  const auto add = [&](std::string_view path, std::string_view format, std::optional<std::size_t>& to) -> Result<void> {
    auto column = find(schema, path, format);
    if (!column) return tl::make_unexpected(column.error());
    to = out.columns_.size();
    out.columns_.push_back(std::move(*column));
    return {};
  };
  for (const Layout::Part& spelt : layout.parts_) {
    Part& part = out.parts_.emplace_back();
    part.spelt = spelt;
    switch (spelt.value) {
      case Layout::Value::none: break;
      case Layout::Value::table: part.spelt.before += safe_component(table); break;
      case Layout::Value::class_uid: part.spelt.before += std::to_string(class_uid); break;
      case Layout::Value::account:
        if (auto ok = add("cloud.provider", {}, part.provider); !ok) return tl::make_unexpected(ok.error());
        [[fallthrough]];
      default:
        if (auto ok = add(spelt.column, spelt.format, part.column); !ok) return tl::make_unexpected(ok.error());
    }
  }
  return out;
}

bool TableLayout::has(std::string_view column) const {
  return std::any_of(columns_.begin(), columns_.end(), [&](const Column& c) { return c.name == column && c.kind != Column::Kind::absent; });
}

// ---- Of a batch ----

void Keys::Column::look(const TableLayout::Column& column, const ArrowArray& rows) {
  using Kind = TableLayout::Column::Kind;
  of = &column;
  if (column.kind == Kind::absent || rows.length == 0) return;
  chain = resolve(rows, false, column.steps, rows.length);
  if (chain.dead) return;
  const ArrowArray& array = *chain.last;
  if (array.n_buffers < 2 || !array.buffers[1]) throw BadColumn("a key column lacks its values");
  const auto n = static_cast<std::size_t>(rows.length);
  if (column.kind == Kind::text && !column.coded) {
    // Numbered here.
    for (std::size_t i = 0; i < n; ++i)
      interned.push_back(valid(i) ? interner.intern(text_in(array, chain.base + static_cast<std::int64_t>(i))) : -1);
    codes = interned.data();
  } else if (column.kind == Kind::text || column.kind == Kind::int32) {
    codes = static_cast<const std::int32_t*>(array.buffers[1]) + chain.base;
    dictionary = column.coded ? array.dictionary : nullptr;
  } else {
    longs = static_cast<const std::int64_t*>(array.buffers[1]) + chain.base;
  }
  constant = false;
  if (chain.count != 0) return;
  // Times of one unit are as good as one value.
  const auto same = [&](const auto* values) {
    const auto [least, most] = std::minmax_element(values, values + n);
    return column.kind == Kind::time ? floor_div(*least, column.unit) == floor_div(*most, column.unit) : *least == *most;
  };
  constant = codes ? same(codes) : same(longs);
  if (constant) value = one(0);
}

bool Keys::Column::valid(std::size_t row) const {
  for (unsigned c = 0; c < chain.count; ++c) {
    const auto bit = chain.nodes[c].base + static_cast<std::int64_t>(row);
    if ((chain.nodes[c].bits[bit >> 3] >> (bit & 7) & 1) == 0) return false;
  }
  return true;
}

std::int64_t Keys::Column::one(std::size_t row) const {
  if (!valid(row)) return kNull;
  if (codes) return codes[row] < 0 && of->kind == TableLayout::Column::Kind::text ? kNull : codes[row];
  return of->kind == TableLayout::Column::Kind::time ? floor_div(longs[row], of->unit) : longs[row];
}

std::string Keys::Column::text(std::int64_t key, std::string_view format) const {
  using Kind = TableLayout::Column::Kind;
  if (key == kNull) return {};
  if (of->kind == Kind::time) return time_text(key * of->unit, format);
  if (of->kind != Kind::text) return std::to_string(key);
  if (dictionary && key >= dictionary->length) throw BadColumn("a code is not in its dictionary");
  return std::string(dictionary ? text_in(*dictionary, dictionary->offset + key) : interner.at(static_cast<std::int32_t>(key)));
}

Keys::Keys(const TableLayout& layout, const ArrowArray& rows) : layout_(layout), columns_(layout.columns_.size()) {
  for (std::size_t i = 0; i < columns_.size(); ++i) columns_[i].look(layout.columns_[i], rows);
}

bool Keys::all_constant() const {
  return std::all_of(columns_.begin(), columns_.end(), [](const Column& c) { return c.constant; });
}

std::string Keys::folder(std::size_t row) const {
  std::string out;
  for (const TableLayout::Part& part : layout_.parts_) {
    if (!out.empty()) out += '/';
    const std::size_t begin = out.size();
    out += part.spelt.before;
    if (part.column) {
      std::string value = columns_[*part.column].text(at(*part.column, row), part.spelt.format);
      if (part.provider) {
        const bool aws = columns_[*part.provider].text(at(*part.provider, row), {}) == "AWS";
        if (!aws) value.insert(0, value.empty() ? "external" : "external_");
        if (value.empty()) value = "external";
      }
      std::string safe = value.empty() ? std::string(kUnknown) : safe_component(value);
      // Readers pass over folders that begin so.
      if (out.size() == begin && safe.starts_with('_')) safe.replace(0, 1, "%5F");
      out += safe;
    }
    out += part.spelt.after;
  }
  return out;
}

}  // namespace lm::sink::parquet
