#include "elastic/document.hpp"

#include <logmill/sdk/net.hpp>
#include <logmill/sdk/text.hpp>
#include <logmill/sdk/time.hpp>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif
#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

namespace lm::sink {
namespace {

// Within flattened fields. A value and the keys above it are one term of Lucene, which takes 32,766 bytes.
constexpr unsigned kDeepest = 13;  // engines stop at 20, and JSON is up to 6 deep in an event
constexpr std::size_t kLongestKey = 512, kLongestLeaf = 20'000;

constexpr std::int64_t kEarliest = -62'135'596'800'000, kLatest = 253'402'300'799'999;  // the years 1 to 9999: what engines read as dates

constexpr std::string_view kSpace = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// Line breaks stand between JSON tokens only, where a space says the same; a document is one line.
void append_in_one_line(std::string_view json, std::string& out) {
  const std::size_t begin = out.size();
  out.append(json);
  for (std::size_t i = begin; i < out.size(); ++i) {
    if (out[i] == '\n' || out[i] == '\r') out[i] = ' ';
  }
}

Found found_of(json::Value& value) {
  switch (value.type()) {
    case json::Type::object: return {Found::Kind::object, value.raw()};
    case json::Type::array: return {Found::Kind::array, value.raw()};
    case json::Type::number: return {Found::Kind::number, value.raw()};
    case json::Type::boolean: return {Found::Kind::boolean, value.raw()};
    case json::Type::string: return {Found::Kind::text, value.text().value_or(std::string_view())};
    case json::Type::null: break;
  }
  return {Found::Kind::text, {}};
}

// JSON text in a column.
Found found_of(std::string_view text) {
  text = trimmed(text);
  const char first = text.empty() ? '\0' : text.front();
  return {first == '{' ? Found::Kind::object : first == '[' ? Found::Kind::array : Found::Kind::text, text};
}

void java_value(json::Value& value, std::string& out) {
  switch (value.type()) {
    case json::Type::object: {
      out += '{';
      bool first = true;
      value.object([&](std::string_view key, json::Value& member) {
        if (!std::exchange(first, false)) out += ", ";
        out.append(key) += '=';
        java_value(member, out);
      });
      out += '}';
      return;
    }
    case json::Type::array: {
      out += '[';
      bool first = true;
      value.array([&](json::Value& element) {
        if (!std::exchange(first, false)) out += ", ";
        java_value(element, out);
      });
      out += ']';
      return;
    }
    case json::Type::string: out.append(value.text().value_or(std::string_view())); return;
    default: out.append(value.raw());
  }
}

bool append_date(const Found& found, std::string& out) {
  Maybe<std::int64_t> time;
  if (found.kind == Found::Kind::number) time = integer<std::int64_t>(found.text);
  if (found.kind == Found::Kind::text) time = time::rfc3339(found.text, true);
  if (!time || *time < kEarliest || *time > kLatest) return false;
  out.append(std::to_string(*time));
  return true;
}

bool append_number(const Found& found, std::string& out) {
  const Maybe<double> value = found.kind == Found::Kind::number || found.kind == Found::Kind::text ? number(found.text) : std::nullopt;
  if (!value || !std::isfinite(*value)) return false;
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, *value);
  out.append(text, end.ptr);
  return true;
}

bool append_boolean(const Found& found, std::string& out) {
  if (found.kind != Found::Kind::boolean && found.kind != Found::Kind::text) return false;
  for (const std::string_view word : {"true", "false"}) {
    if (!equals_ignoring_case(found.text, word)) continue;
    out.append(word);
    return true;
  }
  return false;
}

// "52.09,5.12"
bool append_point(const Found& found, std::string& out) {
  const std::size_t comma = found.text.find(',');
  if (found.kind != Found::Kind::text || comma == std::string_view::npos) return false;
  const auto latitude = number(found.text.substr(0, comma)), longitude = number(found.text.substr(comma + 1));
  if (!latitude || !longitude || !(std::abs(*latitude) <= 90) || !(std::abs(*longitude) <= 180)) return false;
  json::append_quoted(out, found.text);
  return true;
}

}  // namespace

void append_java(std::string_view json, std::string& out) {
  json::Reader reader;
  bool first = true;
  json = trimmed(json);
  if (json.starts_with('{')) {
    out += '{';
    reader.read(json, [&](std::string_view key, json::Value& value) {
      if (!std::exchange(first, false)) out += ", ";
      out.append(key) += '=';
      java_value(value, out);
    });
    out += '}';
  } else if (json.starts_with('[')) {
    out += '[';
    reader.read_array(json, [&](json::Value& value) {
      if (!std::exchange(first, false)) out += ", ";
      java_value(value, out);
    });
    out += ']';
  } else {
    out.append(json);
  }
}

namespace {

// The quote that ends the text which begins at `at`; json.size() if there is none.
std::size_t end_of_text(std::string_view json, std::size_t at) {
  for (;;) {
#if defined(__SSE2__)
    for (; at + 16 <= json.size(); at += 16) {
      const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(json.data() + at));
      const auto marks = static_cast<unsigned>(
          _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')))));
      if (marks == 0) continue;
      at += static_cast<std::size_t>(std::countr_zero(marks));
      break;
    }
#endif
    while (at < json.size() && json[at] != '"' && json[at] != '\\') ++at;
    if (at >= json.size()) return json.size();
    if (json[at] == '"') return at;
    at += 2;
  }
}

}  // namespace

bool is_within_limits(std::string_view json) {
  unsigned depth = 0;
  std::uint32_t objects = 0;  // a bit a level
  bool key = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    switch (json[i]) {
      case '"': {
        const std::size_t begin = i + 1;
        i = end_of_text(json, begin);
        if (i == json.size()) return false;
        const std::string_view text = json.substr(begin, i - begin);
        if (text.size() > (key ? kLongestKey : kLongestLeaf)) return false;
        if (key && (text.empty() || text.find("\\u0000") != std::string_view::npos)) return false;
        key = false;
        break;
      }
      case '{':
      case '[':
        if (++depth > kDeepest) return false;
        objects = (objects & ~(1u << depth)) | ((json[i] == '{' ? 1u : 0u) << depth);
        key = json[i] == '{';
        break;
      case '}':
      case ']':
        if (depth-- == 0) return false;
        key = false;
        break;
      case ',': key = (objects >> depth & 1) != 0; break;
      default: break;
    }
  }
  return depth == 0;
}

bool is_tame(std::string_view json) {
  json = trimmed(json);
  if (!is_within_limits(json)) return false;
  if (json.starts_with('{')) return true;
  json::Reader reader;
  bool objects = true;
  return reader.read_array(json, [&](json::Value& value) { objects &= value.type() == json::Type::object; }) && objects;
}

namespace {

// What of an event may not stand in a document goes from `out` to `rest`, by its path.
class Tamer {
 public:
  Tamer(bool flattened, std::string& out, std::string& rest) : flattened_(flattened), out_(out), rest_(rest) {}

  bool event(const Field& root, std::string_view json) {
    out_ += '{';
    json::Reader reader;
    bool first = true;
    const bool ok = reader.read(json, [&](std::string_view key, json::Value& member) { add(root, "", key, member, first); });
    out_ += '}';
    return ok;
  }

 private:
  void add(const Field& of, const std::string& path, std::string_view key, json::Value& value, bool& first) {
    const auto child = std::find_if(of.children.begin(), of.children.end(), [&](const Field& f) { return f.name == key; });
    const std::string own = path.empty() ? std::string(key) : path + "." + std::string(key);
    const std::size_t begin = out_.size();
    if (!first) out_ += ',';
    json::append_quoted(out_, key);
    out_ += ':';
    if (child != of.children.end() && put(*child, own, value)) {
      first = false;
    } else {
      out_.resize(begin);
    }
  }

  // False: it is in `rest`, and what was written of it counts for nothing.
  bool put(const Field& field, const std::string& path, json::Value& value) {
    const json::Type type = value.type();
    if (field.type == Type::structure && type == json::Type::object) {
      out_ += '{';
      bool first = true;
      value.object([&](std::string_view key, json::Value& member) { add(field, path, key, member, first); });
      out_ += '}';
      return true;
    }
    if (field.type == Type::list && type == json::Type::array) {
      out_ += '[';
      std::size_t index = 0;
      value.array([&](json::Value& element) {
        if (index != 0) out_ += ',';
        if (!put(field.children[0], path + "[" + std::to_string(index) + "]", element)) out_.append("null");
        ++index;
      });
      out_ += ']';
      return true;
    }
    const std::string_view raw = value.raw();
    if (field.json ? !is_within_limits(raw) : flattened_ && raw.size() > kLongestLeaf) {
      if (!rest_.empty()) rest_ += ',';
      json::append_quoted(rest_, path);
      rest_ += ':';
      rest_.append(raw);
      return false;
    }
    out_.append(raw);
    return true;
  }

  const bool flattened_;
  std::string &out_, &rest_;
};

// Adds the paths of columns that are JSON, whatever lists they are in.
void add_json_columns(const Field& field, Path& path, Sources& sources, std::vector<std::size_t>& out) {
  if (field.json) {
    if (const auto found = sources.add(path)) out.push_back(*found);
    return;
  }
  for (const Field& child : field.children) {
    const bool member = field.type == Type::structure;
    if (member) path.emplace_back().name = child.name;
    add_json_columns(child, path, sources, out);
    if (member) path.pop_back();
  }
}

}  // namespace

EventTamer::EventTamer(const Field& field, bool flattened) : field_(field), flattened_(flattened), sources_(field) {
  Path path;
  add_json_columns(field, path, sources_, columns_);
  reader_.emplace(sources_);
}

void EventTamer::begin(const ArrowArray& array) { reader_->begin(ArrowView(field_, array)); }

bool EventTamer::may_stay(std::int64_t row, std::string_view event) {
  if (flattened_ && event.size() > kLongestLeaf) return is_within_limits(event);
  found_.clear();
  for (const std::size_t column : columns_) reader_->collect(column, row, *std::pmr::new_delete_resource(), found_);
  return std::all_of(found_.begin(), found_.end(), [](const Found& found) { return is_within_limits(found.text); });
}

bool EventTamer::tame(std::int64_t row, std::string_view event, std::string& out, std::string& rest) {
  if (may_stay(row, event)) return false;
  out.clear(), rest.clear();
  return Tamer(flattened_, out, rest).event(field_, event) && !rest.empty();
}

bool append_value(FieldType type, const Found& found, std::string& out) {
  switch (type) {
    case FieldType::keyword:
    case FieldType::wildcard:
    case FieldType::text:
    case FieldType::unindexed:
      if (found.kind == Found::Kind::array) return false;
      json::append_quoted(out, found.text);
      return true;
    case FieldType::ip:
      if (found.kind != Found::Kind::text || !net::is_ip(found.text)) return false;
      json::append_quoted(out, found.text);
      return true;
    case FieldType::date: return append_date(found, out);
    case FieldType::integer: {
      const bool may_be = found.kind == Found::Kind::number || found.kind == Found::Kind::text;
      const Maybe<std::int64_t> value = may_be ? integer<std::int64_t>(found.text) : std::nullopt;
      if (!value) return false;
      out.append(std::to_string(*value));
      return true;
    }
    case FieldType::number: return append_number(found, out);
    case FieldType::boolean: return append_boolean(found, out);
    case FieldType::point: return append_point(found, out);
    case FieldType::inner:
      if (found.kind == Found::Kind::object) return append_value(FieldType::flattened, found, out);
      if (found.kind == Found::Kind::array || found.text.size() > kLongestLeaf) return false;
      json::append_quoted(out, found.text);
      return true;
    case FieldType::flattened:
      if ((found.kind != Found::Kind::object && found.kind != Found::Kind::array) || found.text.size() >= kLongestTerm ||
          !is_tame(found.text))
        return false;
      append_in_one_line(found.text, out);
      return true;
  }
  return false;
}

// ---- Sources ----

std::optional<std::size_t> Sources::add(const Path& path) {
  for (std::size_t i = 0; i < accesses_.size(); ++i) {
    if (accesses_[i].path == path) return i;
  }
  Access access;
  access.path = path, access.place.field = root_;
  for (std::size_t at = 0; at < path.size(); ++at) {
    const Field& here = *access.place.field;
    if (here.type == Type::list) {
      access.kind = Kind::nested;
      if (!add_hops(access, path, at)) return std::nullopt;
      accesses_.push_back(std::move(access));
      return accesses_.size() - 1;
    }
    if (here.json) return add_json(std::move(access), path, at);
    if (here.type != Type::structure || path[at].kind != Step::Kind::member) return std::nullopt;
    const auto child = std::find_if(here.children.begin(), here.children.end(), [&](const Field& f) { return f.name == path[at].name; });
    if (child == here.children.end()) return std::nullopt;
    access.place.children.push_back(static_cast<std::size_t>(child - here.children.begin()));
    access.place.field = &*child;
  }
  if (access.place.field->type == Type::structure) return std::nullopt;
  if (access.place.field->type == Type::list) {
    access.kind = Kind::nested;
    if (!add_hops(access, path, path.size())) return std::nullopt;
  }
  accesses_.push_back(std::move(access));
  return accesses_.size() - 1;
}

bool Sources::add_hops(Access& access, const Path& path, std::size_t at) const {
  const Field* here = access.place.field;
  while (here->type == Type::list || here->type == Type::structure) {
    const Step* const step = at < path.size() ? &path[at] : nullptr;
    if (here->type == Type::list) {
      Hop& hop = access.hops.emplace_back();
      hop.kind = Hop::Kind::each;
      here = &here->children[0];
      if (!step || step->kind == Step::Kind::member) continue;  // of every item
      ++at;
      if (step->kind == Step::Kind::index) hop.kind = Hop::Kind::index, hop.number = step->index;
      if (step->kind != Step::Kind::where) continue;
      hop.kind = Hop::Kind::where, hop.value = step->value;
      const auto child = std::find_if(here->children.begin(), here->children.end(), [&](const Field& f) { return f.name == step->name; });
      if (here->type != Type::structure || child == here->children.end() || child->type == Type::list || child->type == Type::structure)
        return false;
      hop.number = static_cast<std::size_t>(child - here->children.begin());
      continue;
    }
    if (!step || step->kind != Step::Kind::member) return false;
    const auto child = std::find_if(here->children.begin(), here->children.end(), [&](const Field& f) { return f.name == step->name; });
    if (child == here->children.end()) return false;
    access.hops.push_back({Hop::Kind::child, static_cast<std::size_t>(child - here->children.begin()), {}});
    here = &*child, ++at;
  }
  return at == path.size();
}

std::optional<std::size_t> Sources::add_json(Access access, const Path& path, std::size_t at) {
  access.kind = Kind::json;
  const auto same = [&](const Document& d) { return d.place.field == access.place.field; };
  auto document = std::find_if(documents_.begin(), documents_.end(), same);
  if (document == documents_.end()) {
    documents_.emplace_back().place = access.place;
    document = documents_.end() - 1;
  }
  JsonNode* node = &document->root;
  for (; at < path.size(); ++at) {
    const Step& step = path[at];
    std::unique_ptr<JsonNode>* next = nullptr;
    switch (step.kind) {
      case Step::Kind::member: {
        const auto known = std::find_if(node->members.begin(), node->members.end(), [&](const auto& m) { return m->key == step.name; });
        next = known != node->members.end() ? &*known : &node->members.emplace_back();
        break;
      }
      case Step::Kind::index: {
        const auto known = std::find_if(node->elements.begin(), node->elements.end(), [&](const auto& e) { return e.first == step.index; });
        next = known != node->elements.end() ? &known->second : &node->elements.emplace_back(step.index, nullptr).second;
        break;
      }
      case Step::Kind::each: next = &node->every; break;
      case Step::Kind::where: return std::nullopt;  // of lists of the event only
    }
    if (!*next) {
      *next = std::make_unique<JsonNode>();
      (*next)->key = step.kind == Step::Kind::member ? step.name : std::string();
      (*next)->many = node->many || step.kind == Step::Kind::each;
    }
    node = next->get();
  }
  if (node->slot == kNone) node->slot = document->slots++;
  access.document = static_cast<std::size_t>(document - documents_.begin()), access.slot = node->slot;
  accesses_.push_back(std::move(access));
  return accesses_.size() - 1;
}

// ---- SourceReader ----

SourceReader::SourceReader(const Sources& sources)
    : sources_(sources), columns_(sources.accesses_.size()), documents_(sources.documents_.size()), parsed_(sources.documents_.size()) {
  for (std::size_t i = 0; i < parsed_.size(); ++i) parsed_[i].slots.resize(sources.documents_[i].slots);
}

SourceReader::Column SourceReader::bind(const Sources::Place& place, const ArrowView& rows) {
  Column out;
  ArrowView here = rows;
  for (const std::size_t child : place.children) {
    if (here.validity()) out.parents.push_back(here);
    here = here.child(child);
  }
  out.leaf = here;
  return out;
}

void SourceReader::begin(const ArrowView& rows) {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (sources_.accesses_[i].kind != Sources::Kind::json) columns_[i] = bind(sources_.accesses_[i].place, rows);
  }
  for (std::size_t i = 0; i < documents_.size(); ++i) {
    documents_[i] = bind(sources_.documents_[i].place, rows);
    parsed_[i].row = -1;
  }
}

bool SourceReader::valid(const Column& column, std::int64_t row) {
  return column.leaf.valid(row) &&
         std::all_of(column.parents.begin(), column.parents.end(), [&](const ArrowView& p) { return p.valid(row); });
}

std::string_view SourceReader::text_of(const ArrowView& view, std::int64_t row) {
  if (view.field().type != Type::coded) return view.text(row);
  const std::int64_t code = view.code(row);
  return view.dictionary_valid(code) ? view.dictionary_text(code) : std::string_view();
}

void SourceReader::put(const ArrowView& view, std::int64_t row, std::pmr::memory_resource& scratch, std::vector<Found>& out) {
  const auto number = [&](auto value) {
    constexpr std::size_t kNumber = 32;
    char* const text = static_cast<char*>(scratch.allocate(kNumber, 1));
    const auto end = std::to_chars(text, text + kNumber, value);
    out.push_back({Found::Kind::number, {text, static_cast<std::size_t>(end.ptr - text)}});
  };
  switch (view.field().type) {
    case Type::text:
    case Type::coded: {
      const std::string_view text = text_of(view, row);
      if (!text.empty()) out.push_back(view.field().json ? found_of(text) : Found{Found::Kind::text, text});
      return;
    }
    case Type::int32: return number(view.int32(row));
    case Type::int64: return number(view.int64(row));
    case Type::float64:
      if (std::isfinite(view.float64(row))) number(view.float64(row));
      return;
    case Type::boolean: out.push_back({Found::Kind::boolean, view.boolean(row) ? "true" : "false"}); return;
    case Type::structure:
    case Type::list: return;
  }
}

void SourceReader::walk(const ArrowView& view, std::int64_t row, const std::vector<Sources::Hop>& hops, std::size_t at,
                        std::pmr::memory_resource& scratch, std::vector<Found>& out) {
  if (!view.valid(row)) return;
  if (at == hops.size()) return put(view, row, scratch, out);
  const Sources::Hop& hop = hops[at];
  if (hop.kind == Sources::Hop::Kind::child) return walk(view.child(hop.number), row, hops, at + 1, scratch, out);
  const ArrowView::Range range = view.range(row);
  const ArrowView items = view.items();
  if (hop.kind == Sources::Hop::Kind::index) {
    if (hop.number < static_cast<std::size_t>(range.end - range.begin))
      walk(items, range.begin + static_cast<std::int64_t>(hop.number), hops, at + 1, scratch, out);
    return;
  }
  std::vector<Found> compared;
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    if (hop.kind == Sources::Hop::Kind::where) {
      compared.clear();
      if (!items.valid(i)) continue;
      const ArrowView child = items.child(hop.number);
      if (child.valid(i)) put(child, i, scratch, compared);
      if (compared.empty() || compared[0].text != hop.value) continue;
    }
    walk(items, i, hops, at + 1, scratch, out);
  }
}

void SourceReader::collect(std::size_t access, std::int64_t row, std::pmr::memory_resource& scratch, std::vector<Found>& out) {
  const Sources::Access& from = sources_.accesses_[access];
  switch (from.kind) {
    case Sources::Kind::column:
      if (valid(columns_[access], row)) put(columns_[access].leaf, row, scratch, out);
      return;
    case Sources::Kind::nested:
      if (valid(columns_[access], row)) walk(columns_[access].leaf, row, from.hops, 0, scratch, out);
      return;
    case Sources::Kind::json: {
      Parsed& parsed = parsed_[from.document];
      if (parsed.row != row) parse(from.document, row);
      const std::vector<Found>& found = parsed.slots[from.slot].found;
      out.insert(out.end(), found.begin(), found.end());
      return;
    }
  }
}

void SourceReader::parse(std::size_t document, std::int64_t row) {
  Parsed& parsed = parsed_[document];
  parsed.row = row, parsed.used = 0;
  for (Slot& slot : parsed.slots) slot.found.clear(), slot.exact = false;
  if (valid(documents_[document], row)) read(parsed, sources_.documents_[document].root, text_of(documents_[document].leaf, row));
}

void SourceReader::read(Parsed& parsed, const Sources::JsonNode& node, std::string_view text, Asked asked) {
  constexpr std::size_t kMostReaders = 64;  // of texts that are JSON again, in a row
  text = trimmed(text);
  if (text.empty() || (text[0] != '{' && text[0] != '[') || parsed.used == kMostReaders) return;
  if (text[0] == '[' && asked == Asked::all && asks_twice(node)) {
    read(parsed, node, text, Asked::every);
    return read(parsed, node, text, Asked::numbered);
  }
  if (parsed.used == parsed.readers.size()) parsed.readers.emplace_back();
  json::Reader& reader = parsed.readers[parsed.used++];
  if (text[0] == '{') {
    reader.read(text, [&](std::string_view key, json::Value& value) { visit_member(parsed, node, key, value); });
  } else {
    std::size_t index = 0;
    reader.read_array(text, [&](json::Value& value) { visit_element(parsed, node, index++, value, asked); });
  }
}

void SourceReader::visit_member(Parsed& parsed, const Sources::JsonNode& node, std::string_view key, json::Value& value) {
  for (const auto& member : node.members) {
    if (member->key.size() == key.size() && equals_ignoring_case(member->key, key))
      return visit(parsed, *member, member->key == key, value);
  }
}

void SourceReader::visit_element(Parsed& parsed, const Sources::JsonNode& node, std::size_t index, json::Value& value, Asked asked) {
  if (node.every && asked != Asked::numbered) return visit(parsed, *node.every, true, value);
  for (const auto& [number, element] : node.elements) {
    if (number == index) return visit(parsed, *element, true, value);
  }
}

void SourceReader::visit(Parsed& parsed, const Sources::JsonNode& node, bool exact, json::Value& value) {
  const json::Type type = value.type();
  if (type == json::Type::null) return;
  if (type == json::Type::object && !node.members.empty())
    value.object([&](std::string_view key, json::Value& member) { visit_member(parsed, node, key, member); });
  if (type == json::Type::array && (node.every || !node.elements.empty())) {
    std::size_t index = 0;
    if (asks_twice(node)) {
      read(parsed, node, value.raw());
    } else {
      value.array([&](json::Value& element) { visit_element(parsed, node, index++, element, Asked::all); });
    }
  }
  const bool within = !node.members.empty() || node.every || !node.elements.empty();
  if (node.slot == Sources::kNone && !(within && type == json::Type::string)) return;
  const Found found = found_of(value);
  if (within && type == json::Type::string) read(parsed, node, found.text);  // JSON in a text
  if (node.slot == Sources::kNone) return;
  Slot& slot = parsed.slots[node.slot];
  if (slot.exact && !exact) return;
  // Of a key that comes twice the last value counts, as for whoever reads records into maps.
  if (!node.many) slot.found.clear();
  slot.exact = exact;
  if (!found.text.empty()) slot.found.push_back(found);
}

// ---- DocumentPlan ----

namespace {

// A column for each member of a path, so that fields that stand together share an object.
std::vector<std::string_view> members_of(std::string_view field) {
  std::vector<std::string_view> out;
  for (;;) {
    const std::size_t dot = field.find('.');
    out.push_back(field.substr(0, dot));
    if (dot == std::string_view::npos) return out;
    field.remove_prefix(dot + 1);
  }
}

std::string prefix_of(std::string_view member) {
  std::string out = ",";
  json::append_quoted(out, member);
  return out + ":";
}

}  // namespace

DocumentPlan::DocumentPlan(const Mapping& mapping, const Field& field, std::string table, std::string name_space)
    : mapping_(mapping), field_(field), table_(std::move(table)), name_space_(std::move(name_space)), choosing_(field) {
  for (const Dataset& dataset : mapping.datasets) {
    OfDataset& of = *datasets_.emplace_back(std::make_unique<OfDataset>());
    of.name = substituted(dataset.name, {});
    auto when = checks(dataset.when, choosing_);
    of.possible = when.has_value();
    if (when) of.when = *std::move(when);
  }
}

std::string DocumentPlan::substituted(std::string text, const std::string& dataset) const {
  const std::pair<std::string_view, std::string> all[] = {
      {"{table}", table_}, {"{namespace}", name_space_}, {"{dataset}", dataset}, {"{module}", dataset.substr(0, dataset.find('.'))}};
  for (const auto& [name, value] : all) {
    for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += value.size()) text.replace(at, name.size(), value);
  }
  return text;
}

std::optional<std::vector<DocumentPlan::Check>> DocumentPlan::checks(const std::vector<Condition>& conditions, Sources& sources) {
  std::vector<Check> out;
  for (const Condition& condition : conditions) {
    Check check{&condition, {}};
    for (const Path& path : condition.paths) {
      if (const auto found = sources.add(path)) check.paths.push_back(*found);
    }
    if (!check.paths.empty()) {
      out.push_back(std::move(check));
    } else if (condition.kind != Condition::Kind::absent) {
      return std::nullopt;
    }
  }
  return out;
}

const DocumentPlan::Compiled& DocumentPlan::compiled(std::size_t dataset) const {
  OfDataset& of = *datasets_.at(dataset);
  std::call_once(of.once, [&] {
    auto out = std::make_unique<Compiled>(field_);
    // Rules are in the order of their names, but a point sorts behind '-': fields that share an object are brought together.
    std::vector<std::pair<std::vector<std::string_view>, const Rule*>> rules;
    for (const Rule& rule : mapping_.datasets.at(dataset).rules) rules.emplace_back(members_of(rule.field), &rule);
    std::sort(rules.begin(), rules.end());
    std::vector<std::string_view> open;
    const auto close_to = [&](std::size_t depth) {
      for (; open.size() > depth; open.pop_back()) out->ops.emplace_back().kind = Op::Kind::close;
    };
    for (const auto& [members, rule] : rules) {
      Op op;
      op.rule = rule;
      for (const Alternative& alternative : rule->alternatives) {
        Way way{&alternative, {}, {}, {}};
        auto when = checks(alternative.when, out->sources);
        if (!when) continue;
        way.when = *std::move(when);
        bool possible = true;
        for (const std::vector<Path>& paths : alternative.from) {
          auto& ids = way.from.emplace_back();
          for (const Path& path : paths) {
            if (const auto found = out->sources.add(path)) ids.push_back(*found);
          }
          possible &= !ids.empty();
        }
        if (!possible) continue;
        if (alternative.constant) {
          for (const std::string& text : alternative.constant->texts) way.constant.push_back(substituted(text, of.name));
        }
        op.ways.push_back(std::move(way));
      }
      if (op.ways.empty()) continue;
      std::size_t same = 0;
      while (same < open.size() && same + 1 < members.size() && open[same] == members[same]) ++same;
      close_to(same);
      for (; open.size() + 1 < members.size(); open.push_back(members[open.size()])) {
        Op& opening = out->ops.emplace_back();
        opening.kind = Op::Kind::open, opening.prefix = prefix_of(members[open.size()]);
      }
      op.prefix = prefix_of(members.back());
      out->ops.push_back(std::move(op));
    }
    close_to(0);
    of.compiled = std::move(out);
  });
  return *of.compiled;
}

// ---- DocumentMaker ----

DocumentMaker::DocumentMaker(const DocumentPlan& plan)
    : plan_(plan), choosing_(plan.choosing_), tamer_(plan.field_, true), datasets_(plan.datasets_.size()) {}

void DocumentMaker::begin(const ArrowArray& array) {
  array_ = &array;
  ++batch_;
  const ArrowView rows(plan_.field_, array);
  choosing_.begin(rows);
  tamer_.begin(array);
  times_ = rows.child("time");
}

std::size_t DocumentMaker::dataset(std::int64_t row) {
  for (std::size_t i = 0; i + 1 < plan_.datasets_.size(); ++i) {
    const DocumentPlan::OfDataset& of = *plan_.datasets_[i];
    if (!of.possible) continue;
    if (std::all_of(of.when.begin(), of.when.end(), [&](const DocumentPlan::Check& check) { return holds(check, choosing_, row); }))
      return i;
  }
  return plan_.datasets_.size() - 1;
}

void DocumentMaker::first_of(const std::vector<std::size_t>& paths, SourceReader& reader, std::int64_t row, std::vector<Found>& out) {
  for (const std::size_t path : paths) {
    reader.collect(path, row, scratch_, out);
    if (!out.empty()) return;
  }
}

bool DocumentMaker::holds(const DocumentPlan::Check& check, SourceReader& reader, std::int64_t row) {
  more_.clear();
  first_of(check.paths, reader, row, more_);
  switch (check.condition->kind) {
    case Condition::Kind::present: return !more_.empty();
    case Condition::Kind::absent: return more_.empty();
    case Condition::Kind::one_of: break;
  }
  const auto& values = check.condition->values;
  return std::any_of(more_.begin(), more_.end(),
                     [&](const Found& found) { return std::find(values.begin(), values.end(), found.text) != values.end(); });
}

std::string_view DocumentMaker::keep(std::string_view text) {
  if (text.empty()) return {};
  char* const out = static_cast<char*>(scratch_.allocate(text.size(), 1));
  std::memcpy(out, text.data(), text.size());
  return {out, text.size()};
}

void DocumentMaker::expand(std::string_view array, std::vector<Found>& out) {
  elements_.read_array(array, [&](json::Value& value) {
    if (value.is_null()) return;
    Found found = found_of(value);
    if (found.kind == Found::Kind::text) found.text = keep(found.text);
    if (!found.text.empty()) out.push_back(found);
  });
}

void DocumentMaker::apply(const Verb& verb, const Found& found, std::vector<Found>& out) {
  const auto changed = [&](auto&& change) {
    text_.assign(found.text);
    for (char& c : text_) c = change(c);
    out.push_back({Found::Kind::text, keep(text_)});
  };
  if (verb.kind == Verb::Kind::java) {
    if (found.kind != Found::Kind::object && found.kind != Found::Kind::array) return out.push_back(found);
    text_.clear();
    append_java(found.text, text_);
    return out.push_back({Found::Kind::text, keep(text_)});
  }
  if (verb.kind == Verb::Kind::json) {
    text_.clear();
    if (found.kind == Found::Kind::text) {
      json::append_quoted(text_, found.text);
    } else {
      append_in_one_line(found.text, text_);
    }
    return out.push_back({Found::Kind::text, keep(text_)});
  }
  if (found.kind == Found::Kind::object || found.kind == Found::Kind::array) return;  // no text
  const std::size_t at = verb.argument.empty() ? std::string_view::npos : found.text.find(verb.argument);
  switch (verb.kind) {
    case Verb::Kind::lower: return changed([](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
    case Verb::Kind::upper: return changed([](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c & ~0x20) : c; });
    case Verb::Kind::before: return out.push_back({Found::Kind::text, found.text.substr(0, at)});
    case Verb::Kind::after:
      if (at != std::string_view::npos) out.push_back({Found::Kind::text, found.text.substr(at + verb.argument.size())});
      return;
    case Verb::Kind::split:
      for (std::string_view rest = found.text;;) {
        const std::size_t end = rest.find(verb.argument);
        if (end != 0 && !rest.empty()) out.push_back({Found::Kind::text, rest.substr(0, end)});
        if (end == std::string_view::npos) return;
        rest.remove_prefix(end + verb.argument.size());
      }
    case Verb::Kind::starting:
      if (found.text.starts_with(verb.argument)) out.push_back(found);
      return;
    case Verb::Kind::java:
    case Verb::Kind::json: return;
  }
}

void DocumentMaker::values(const DocumentPlan::Way& way, const Rule& rule, SourceReader& reader, std::int64_t row) {
  found_.clear();
  const Alternative& alternative = *way.alternative;
  if (alternative.constant) {
    for (const std::string& text : way.constant) found_.push_back({Found::Kind::text, text});
    return;
  }
  if (way.from.size() == 1) {
    first_of(way.from[0], reader, row, found_);
  } else {
    std::string joined;
    for (const auto& paths : way.from) {
      more_.clear();
      first_of(paths, reader, row, more_);
      if (more_.empty()) return;
      if (&paths != &way.from.front()) joined += alternative.join;
      joined.append(more_[0].text);
    }
    found_.push_back({Found::Kind::text, keep(joined)});
  }
  // Lists in JSON are several values, as lists of the event are.
  const bool whole =
      rule.type == FieldType::flattened ||
      (!alternative.verbs.empty() && (alternative.verbs[0].kind == Verb::Kind::java || alternative.verbs[0].kind == Verb::Kind::json));
  if (!whole && std::any_of(found_.begin(), found_.end(), [](const Found& f) { return f.kind == Found::Kind::array; })) {
    more_.clear();
    for (const Found& found : found_) {
      if (found.kind == Found::Kind::array) {
        expand(found.text, more_);
      } else {
        more_.push_back(found);
      }
    }
    found_.swap(more_);
  }
  for (const Verb& verb : alternative.verbs) {
    more_.clear();
    for (const Found& found : found_) apply(verb, found, more_);
    found_.swap(more_);
  }
  if (alternative.map.empty()) return;
  more_.clear();
  for (const Found& found : found_) {
    const auto known = alternative.map.find(found.text);
    if (known == alternative.map.end()) continue;
    for (const std::string& text : known->second.texts) more_.push_back({Found::Kind::text, text});
  }
  found_.swap(more_);
}

void DocumentMaker::field(const DocumentPlan::Op& op, SourceReader& reader, std::int64_t row, std::string& out) {
  const std::size_t begin = out.size();
  out.append(op.prefix);
  const std::size_t first = out.size();
  written_.clear();
  for (const DocumentPlan::Way& way : op.ways) {
    if (!std::all_of(way.when.begin(), way.when.end(), [&](const DocumentPlan::Check& check) { return holds(check, reader, row); }))
      continue;
    values(way, *op.rule, reader, row);
    for (const Found& found : found_) {
      const std::size_t at = out.size();
      if (!written_.empty()) out += ',';
      const std::size_t value = out.size();
      if (!append_value(op.rule->type, found, out)) {
        out.resize(at);
        continue;
      }
      const std::string_view text = std::string_view(out).substr(value);
      const bool known = std::any_of(written_.begin(), written_.end(),
                                     [&](const auto& w) { return std::string_view(out).substr(w.first, w.second) == text; });
      if (known) {
        out.resize(at);
      } else {
        written_.emplace_back(value, text.size());
      }
    }
    if (!op.rule->all && !written_.empty()) break;
  }
  if (written_.empty()) {
    out.resize(begin);
  } else if (written_.size() > 1) {
    out.insert(first, 1, '[') += ']';
  }
}

void DocumentMaker::render(std::int64_t row, std::size_t dataset, std::string_view event, std::string& out) {
  OfDataset& of = datasets_.at(dataset);
  if (!of.reader) {
    of.compiled = &plan_.compiled(dataset);
    of.reader.emplace(of.compiled->sources);
  }
  if (of.batch != batch_) {
    of.reader->begin(ArrowView(plan_.field_, *array_));
    of.batch = batch_;
  }
  scratch_.release();
  out.append("{\"@timestamp\":").append(std::to_string(times_.int64(row)));
  // A comma stands in front of every member; an object's brace takes the place of its first one, and an object without members is taken back.
  open_.clear();
  for (const DocumentPlan::Op& op : of.compiled->ops) {
    switch (op.kind) {
      case DocumentPlan::Op::Kind::open: {
        const std::size_t begin = out.size();
        out.append(op.prefix);
        open_.emplace_back(begin, out.size());
        break;
      }
      case DocumentPlan::Op::Kind::close: {
        const auto [begin, first] = open_.back();
        open_.pop_back();
        if (out.size() == first) {
          out.resize(begin);
        } else {
          out[first] = '{';
          out += '}';
        }
        break;
      }
      case DocumentPlan::Op::Kind::field: field(op, *of.reader, row, out); break;
    }
  }
  if (!plan_.mapping_.event.empty()) {
    out.append(prefix_of(plan_.mapping_.event));
    const bool tamed = tamer_.tame(row, event, tamed_, rest_);
    out.append(tamed ? tamed_ : event);
    if (tamed) {
      out.append(prefix_of(plan_.mapping_.event + std::string(kRest)));
      json::append_quoted(out, rest_ = "{" + rest_ + "}");
    }
  }
  out += '}';
}

}  // namespace lm::sink
