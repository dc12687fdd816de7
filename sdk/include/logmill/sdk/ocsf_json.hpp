// logmill/sdk/ocsf_json.hpp -- records that are OCSF events already, as JSON, into the columns of a table: each attribute that the table has a column for goes there, everything
// else to what is left.
//
//   static constexpr lm::ocsf_json::Renamed kRenamed[] = {{"metadata.version", "metadata.log_version"}};   // which the host fills itself
//   auto event = lm::ocsf_json::Event::of<kTable>(kRenamed);   // keep one: it owns scratch memory
//   if (!event.check(json, record.text(), [](auto, auto&) {})) return record.reject(lm::malformed, json.error());
//   auto row = rows.begin(record);
//   event.fill(rows, rest, [&](std::string_view key, const lm::ocsf_json::Seen& value) { return false; });   // true: this member was taken
//
// What goes there is valid: check() reads the whole event and notes what it found, and fill() passes over objects that lack what OCSF requires of them, values of another type, numbers beyond
// the type and texts that are no address. Those are left, as they stand; a list of which any part is left, is left whole beside what was taken from it. A member of an enum that OCSF
// does not name becomes 99 and is left too. Of an attribute that comes twice the first value holds. A "_dt" text stands for its timestamp; it is left only where the timestamp does not
// say the same. Columns that are constant or the same as another take nothing. Throws std::bad_alloc alone. One thread at a time.
#pragma once

#include <logmill/sdk.hpp>

#include <algorithm>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace lm::ocsf_json {

// An attribute of the record that goes to a column of another name.
struct Renamed {
  std::string_view from, to;
};

// A member without a column: its value, and key and value together as ObjectWriter::keep takes them.
struct Seen {
  std::string_view raw, member;
};

class Event {
 public:
  template <const auto& Table>
  static Event of(std::span<const Renamed> renamed = {}) {
    const auto& layout = detail::kLayout<Table>;
    return Event(Table.class_id.uid, layout.columns, layout.levels, layout.n_levels, Table.profiles, renamed);
  }

  Event(Event&&) = default;  // its nodes point at each other
  Event& operator=(Event&&) = default;

  // Looks at the whole record. False: it is not one JSON object, as the reader says. see(key, value) sees the members that the table has no columns for; of the value
  // it may ask the type, the number and raw(). Until it is filled, the event has views into `text` and into what the reader holds.
  template <class See>
  bool check(json::Reader& reader, std::string_view text, See&& see) {
    constexpr std::size_t kMostKept = 1 << 16;
    if (notes_.capacity() > kMostKept) std::vector<Note>().swap(notes_);
    notes_.clear();
    text_ = text;
    return reader.read(text, [&](std::string_view key, json::Value& value) {
      if (const Node* const node = root_.find(key)) {
        look(*node, value);
      } else {
        const Node* const stamp = of_datetime(root_, key);
        if (!stamp || !look_at_datetime(*stamp, value)) look_at_unknown(value).set_text(key);
        see(key, value);
      }
    });
  }

  // Fills the row that was begun last with the record that was checked last. take(key, seen) sees the members that see() saw, but for datetimes of the table's columns, and
  // answers true for those that shall not be left.
  template <const auto& Table, class Take>
  void fill(Rows<Table>& rows, json::ObjectWriter& rest, Take&& take) {
    ++serial_;
    columns_ = &rows.columns();
    const std::uint32_t row = columns_->rows() - 1;
    for (std::size_t at = 0; at < notes_.size(); at = notes_[at].next) {
      const Note& note = notes_[at];
      if (note.found == Found::unknown && take(note.get_text(), Seen{raw(note), as_it_stands(note)})) continue;
      member(at, row, &rest);
    }
  }
  // Whether a list of objects of the event has elements in the row.
  bool has(std::string_view name) const {
    const Node* const node = root_.find(name);
    return node && node->filled == serial_;
  }

 private:
  static constexpr int kNone = -1;

  struct Node {
    std::string_view name;
    std::vector<Node> children;  // by name
    const ocsf::Attribute* attribute = nullptr;
    int column = kNone;
    std::size_t level = 0;  // of a list: its elements'
    bool list = false, timestamp = false, renamed = false;
    std::uint64_t bit = 0;                                  // in its parent's masks
    std::uint64_t required = 0, at_least = 0, exactly = 0;  // of its children
    mutable std::uint64_t filled = 0;
    std::vector<std::int16_t> places;  // a hash table of the children's numbers, a quarter full

    static std::uint64_t hash(std::string_view name) {
      const std::size_t n = name.size();
      const std::uint64_t head = n < 8 ? detail::short_words(name).low : detail::load64(name.data());
      const std::uint64_t tail = n < 8 ? 0 : detail::load64(name.data() + n - 8);
      return detail::mix(head ^ n, tail ^ 0x9e3779b97f4a7c15u);
    }
    void index_children() {
      std::size_t size = 4;
      while (size < children.size() * 4) size *= 2;
      places.assign(size, -1);
      for (std::size_t i = 0; i < children.size(); ++i) {
        std::size_t place = hash(children[i].name) & (size - 1);
        while (places[place] >= 0) place = (place + 1) & (size - 1);
        places[place] = static_cast<std::int16_t>(i);
        children[i].index_children();
      }
    }
    const Node* find(std::string_view wanted) const {
      const std::size_t mask = places.size() - 1;
      for (std::size_t place = hash(wanted) & mask; places[place] >= 0; place = (place + 1) & mask) {
        const Node& child = children[static_cast<std::size_t>(places[place])];
        if (detail::same_text(child.name, wanted)) return &child;
      }
      return nullptr;
    }
    bool is_object() const { return column == kNone; }
  };

  // What a member or an element of a list is.
  enum class Found : std::uint8_t {
    unknown,   // without a column
    misfit,    // nothing that its column or object may have
    value,     // what its column stores: text, number or boolean
    object,    // one that may stand in a row; its members follow
    list,      // its elements follow
    datetime,  // for the timestamp that the node is
  };
  // There may be one for every few bytes of the record.
  struct Note {
    const Node* node = nullptr;
    union {
      const char* text = nullptr;  // of `size`: the value, or the key of a member without a column
      std::int64_t integer;        // also of a boolean
      double number;
    };
    std::uint32_t size = 0;
    std::uint32_t begin = 0, first = 0, end = 0;  // in the record: of the member or element, of its value
    std::uint32_t next = 0;                       // the note behind it and what it holds
    Found found = Found::unknown;
    bool whole = true;  // false: a datetime that says more than its timestamp, a list with elements that are left

    void set_text(std::string_view value) { text = value.data(), size = static_cast<std::uint32_t>(value.size()); }
    std::string_view get_text() const { return {text, size}; }
  };

  struct Moment {
    std::uint32_t row = 0;
    std::int64_t value = 0;
  };

  Event(std::uint32_t class_uid, std::span<const detail::ColumnSpec> specs, std::span<const detail::LevelSpec> levels, std::size_t n_levels,
        std::span<const std::string_view> profiles, std::span<const Renamed> renamed)
      : specs_(specs), moments_(specs.size()) {
    for (std::size_t i = 0; i < specs.size(); ++i) {
      const auto& spec = specs[i];
      if (!spec.constant.empty() || spec.same_as != detail::kItself || spec.path == "unmapped") continue;
      const auto resolved = ocsf::v1_8::catalogue.resolve(class_uid, spec.path);
      if (!resolved.datetime) add(spec.path, i, *resolved.leaf, levels.first(n_levels), false);
    }
    for (const Renamed& name : renamed) {
      for (std::size_t i = 0; i < specs.size(); ++i) {
        if (specs[i].path == name.to)
          add(name.from, i, *ocsf::v1_8::catalogue.resolve(class_uid, name.to).leaf, levels.first(n_levels), true);
      }
    }
    const ocsf::Class& c = *ocsf::v1_8::catalogue.find_class(class_uid);
    demand(root_, ocsf::v1_8::catalogue.attributes_of(c), c, profiles);
    root_.index_children();
  }

  void add(std::string_view path, std::size_t column, const ocsf::Attribute& leaf, std::span<const detail::LevelSpec> levels,
           bool renamed) {
    Node* node = &root_;
    for (std::size_t begin = 0; begin <= path.size();) {
      const std::size_t end = std::min(path.find('.', begin), path.size());
      std::string_view name = path.substr(begin, end - begin);
      const bool list = name.ends_with("[]");
      if (list) name.remove_suffix(2);
      auto& children = node->children;
      auto at =
          std::lower_bound(children.begin(), children.end(), name, [](const Node& n, std::string_view wanted) { return n.name < wanted; });
      if (at == children.end() || at->name != name) at = children.insert(at, Node()), at->name = name;
      node = &*at;
      node->list = list;
      for (std::size_t l = 1; list && l < levels.size(); ++l) {
        if (levels[l].path == path.substr(0, end)) node->level = l;
      }
      begin = end + 1;
    }
    node->column = static_cast<int>(column);
    node->attribute = &leaf;
    node->renamed = renamed;
    node->timestamp = leaf.type == "timestamp_t" && !node->list;
  }

  // What OCSF requires of an object, as masks over its children.
  template <class Owner>
  static void demand(Node& node, std::span<const ocsf::Attribute> attributes, const Owner& owner,
                     std::span<const std::string_view> profiles) {
    const auto& catalogue = ocsf::v1_8::catalogue;
    std::uint64_t next = 1;
    const auto bit_of = [&](Node& child) {
      if (child.bit == 0) child.bit = next, next <<= 1;
      return child.bit;
    };
    const auto named = [](std::span<const std::string_view> names, std::string_view name) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    for (Node& child : node.children) {
      const ocsf::Attribute* const a = catalogue.find(attributes, child.name);
      if (!a || child.renamed) continue;
      const bool applies = a->profile.empty() || named(profiles, a->profile);
      if (a->requirement == ocsf::Requirement::required && applies) node.required |= bit_of(child);
      if (named(catalogue.at_least_one(owner), child.name)) node.at_least |= bit_of(child);
      if (named(catalogue.just_one(owner), child.name)) node.exactly |= bit_of(child);
      if (const ocsf::Object* const object = child.is_object() ? catalogue.object(a->object) : nullptr)
        demand(child, catalogue.attributes_of(*object), *object, profiles);
    }
  }

  // ---- Looking ----

  static const Node* of_datetime(const Node& parent, std::string_view key) {
    if (!key.ends_with("_dt")) return nullptr;
    const Node* const node = parent.find(key.substr(0, key.size() - 3));
    return node && node->timestamp ? node : nullptr;
  }

  std::string_view raw(const Note& note) const { return text_.substr(note.first, note.end - note.first); }
  std::string_view as_it_stands(const Note& note) const { return text_.substr(note.begin, note.end - note.begin); }

  void end_note(std::size_t at, json::Value& value) {
    const std::string_view raw = value.raw(), member = value.member();
    if (raw.data() == nullptr) return;  // the record is broken
    Note& note = notes_[at];
    note.first = static_cast<std::uint32_t>(raw.data() - text_.data());
    note.end = note.first + static_cast<std::uint32_t>(raw.size());
    if (member.data()) note.begin = static_cast<std::uint32_t>(member.data() - text_.data());
    note.next = static_cast<std::uint32_t>(notes_.size());
  }

  // Notes the value of an attribute. Answers whether any of it may stand in a row.
  bool look(const Node& node, json::Value& value) {
    if (!node.list) return node.is_object() ? look_at_object(node, value) : look_at_scalar(node, value);
    const std::size_t at = notes_.size();
    notes_.emplace_back().node = &node;
    notes_[at].found = value.type() == json::Type::array ? Found::list : Found::misfit;
    bool any = false;
    value.array([&](json::Value& item) {
      const std::size_t before = notes_.size();
      if (node.is_object() ? look_at_object(node, item) : look_at_scalar(node, item)) {
        any = true;
      } else {
        notes_.resize(before);
        notes_[at].whole &= says_nothing(item.raw());
      }
    });
    end_note(at, value);
    return any;
  }

  bool look_at_object(const Node& node, json::Value& value) {
    const std::size_t at = notes_.size();
    notes_.emplace_back().node = &node;
    std::uint64_t seen = 0;
    bool any = false;
    const bool object = value.type() == json::Type::object;
    value.object([&](std::string_view key, json::Value& v) {
      if (const Node* const child = node.find(key)) {
        if (look(*child, v)) seen |= child->bit, any = true;
      } else if (const Node* const stamp = of_datetime(node, key)) {
        if (look_at_datetime(*stamp, v)) {
          seen |= stamp->bit, any = true;
        } else {
          look_at_unknown(v);
        }
      } else {
        look_at_unknown(v);
      }
    });
    const std::uint64_t exactly = seen & node.exactly;
    const bool valid = object && any && (seen & node.required) == node.required && (node.at_least == 0 || (seen & node.at_least) != 0) &&
                       (node.exactly == 0 || (exactly != 0 && (exactly & (exactly - 1)) == 0));
    if (!valid) notes_.resize(at + 1);
    notes_[at].found = valid ? Found::object : Found::misfit;
    end_note(at, value);
    return valid;
  }

  // False: it is none, and no note is made.
  bool look_at_datetime(const Node& node, json::Value& value) {
    const Text text = value.text();
    const auto t = time::of_event(text, true);
    if (!t) return false;
    Note& note = notes_.emplace_back();
    note.node = &node, note.found = Found::datetime, note.integer = *t;
    note.whole = text->ends_with('Z') && text->size() <= std::string_view("2026-03-01T08:00:00.000Z").size();
    end_note(notes_.size() - 1, value);
    return true;
  }

  Note& look_at_unknown(json::Value& value) {
    notes_.emplace_back();
    end_note(notes_.size() - 1, value);
    return notes_.back();
  }

  bool look_at_scalar(const Node& node, json::Value& value) {
    Note& note = notes_.emplace_back();
    note.node = &node;
    const bool fits = scalar_fits(node, value, note);
    note.found = fits ? Found::value : Found::misfit;
    end_note(notes_.size() - 1, value);
    return fits;
  }

  bool scalar_fits(const Node& node, json::Value& value, Note& note) const {
    const detail::ColumnSpec& spec = specs_[static_cast<std::size_t>(node.column)];
    switch (spec.store) {
      case detail::Store::code:
      case detail::Store::text: {
        if (node.attribute->kind == ocsf::Kind::json) {
          note.set_text(value.raw());
          return !says_nothing(value.raw());
        }
        const Text text = value.text();
        if (text) note.set_text(*text);
        return text && !text->empty() && (spec.check != detail::Check::address || net::is_ip(*text));
      }
      case detail::Store::int32:
      case detail::Store::int64: {
        const auto n = integer_of(node, value);
        note.integer = n.value_or(0);
        return n.has_value();
      }
      case detail::Store::float64: {
        const auto n = value.number();
        note.number = n.value_or(0);
        return n.has_value();
      }
      case detail::Store::boolean: {
        const auto b = value.boolean();
        note.integer = b.value_or(false);
        return b.has_value();
      }
    }
    return false;
  }

  Maybe<std::int64_t> integer_of(const Node& node, json::Value& value) const {
    const detail::ColumnSpec& spec = specs_[static_cast<std::size_t>(node.column)];
    const auto n = value.integer();
    if (!n) return std::nullopt;
    if (spec.store == detail::Store::int32 && !std::in_range<std::int32_t>(*n)) return std::nullopt;
    if (spec.check == detail::Check::port && !std::in_range<std::uint16_t>(*n)) return std::nullopt;
    if (node.attribute->type == "timestamp_t" && !time::plausible(*n)) return std::nullopt;
    return n;
  }

  static bool says_nothing(std::string_view raw) { return raw == "null" || raw == "\"\"" || raw == "{}" || raw == "[]" || raw.empty(); }

  // ---- Filling ----

  // A member goes to its column; what does not is kept in `rest`, or, where there is none, makes the answer false.
  bool member(std::size_t at, std::uint32_t row, json::ObjectWriter* rest) {
    const Note& note = notes_[at];
    bool whole = false;
    switch (note.found) {
      case Found::object: {
        if (rest) rest->enter(note.node->name);
        const bool all = members(at, row, rest);
        if (rest) rest->leave();
        return all;
      }
      case Found::list: whole = elements(at, row); break;
      case Found::value: whole = scalar(note, row); break;
      case Found::datetime: whole = put_moment(static_cast<std::size_t>(note.node->column), row, note.integer) && note.whole; break;
      case Found::unknown:
      case Found::misfit: break;
    }
    if (whole || says_nothing(raw(note))) return true;
    if (!rest) return false;
    rest->keep(as_it_stands(note));
    return true;
  }

  bool members(std::size_t at, std::uint32_t row, json::ObjectWriter* rest) {
    bool whole = true;
    for (std::size_t i = at + 1; i < notes_[at].next; i = notes_[i].next) whole &= member(i, row, rest);
    return whole;
  }

  bool elements(std::size_t at, std::uint32_t row) {
    const Node& node = *notes_[at].node;
    bool whole = notes_[at].whole;
    for (std::size_t i = at + 1; i < notes_[at].next; i = notes_[i].next) {
      const Note& note = notes_[i];
      if (note.found == Found::object) {
        node.filled = serial_;
        whole &= members(i, columns_->push(node.level, row), nullptr);
      } else {
        whole &= scalar_in_list(note, row);
      }
    }
    return whole;
  }

  bool scalar_in_list(const Note& note, std::uint32_t row) {
    const Node& node = *note.node;
    const auto column = static_cast<std::size_t>(node.column);
    switch (specs_[column].store) {
      case detail::Store::code:
      case detail::Store::text:
        if (node.attribute->kind == ocsf::Kind::json) return false;
        put_text(column, columns_->push(node.level, row), note.get_text());
        return true;
      case detail::Store::int32:
      case detail::Store::int64: return put_integer(node, columns_->push(node.level, row), note.integer);
      default: return false;
    }
  }

  bool scalar(const Note& note, std::uint32_t row) {
    const auto column = static_cast<std::size_t>(note.node->column);
    if (note.node->timestamp) return put_moment(column, row, note.integer);
    if (columns_->is_set(column, row)) return false;
    switch (specs_[column].store) {
      case detail::Store::code:
      case detail::Store::text:
        if (note.node->attribute->kind == ocsf::Kind::json) {
          columns_->put_text(column, row, note.get_text());
        } else {
          put_text(column, row, note.get_text());
        }
        return true;
      case detail::Store::int32:
      case detail::Store::int64: return put_integer(*note.node, row, note.integer);
      case detail::Store::float64: columns_->put(column, row, note.number); return true;
      case detail::Store::boolean: columns_->put_boolean(column, row, note.integer != 0); return true;
    }
    return false;
  }

  void put_text(std::size_t column, std::uint32_t row, std::string_view text) {
    if (specs_[column].store == detail::Store::code) {
      columns_->put_code(column, row, text);
    } else {
      columns_->put_text(column, row, text);
    }
  }

  // False: the number is no member of the enum, and 99, Other, stands for it.
  bool put_integer(const Node& node, std::uint32_t row, std::int64_t n) {
    const auto column = static_cast<std::size_t>(node.column);
    const auto members = ocsf::v1_8::catalogue.members_of(*node.attribute);
    const auto has = [&](std::int64_t value) {
      return std::any_of(members.begin(), members.end(), [&](const ocsf::EnumMember& m) { return m.value == value; });
    };
    const bool known = members.empty() || has(n);
    if (!known && !has(99)) return false;
    if (!known) n = 99;
    if (specs_[column].store == detail::Store::int64) {
      columns_->put(column, row, n);
    } else {
      columns_->put(column, row, static_cast<std::int32_t>(n));
    }
    return known;
  }

  // False: there is another one already.
  bool put_moment(std::size_t column, std::uint32_t row, std::int64_t value) {
    Moment& last = moments_[column];
    if (columns_->is_set(column, row)) return last.row == row && last.value == value;
    columns_->put(column, row, value);
    last = {row, value};
    return true;
  }

  Node root_;
  std::span<const detail::ColumnSpec> specs_;
  std::vector<Moment> moments_;  // by column
  std::string_view text_;
  std::vector<Note> notes_;  // of the record that was checked last, in the order of its text
  std::uint64_t serial_ = 0;
  detail::Columns* columns_ = nullptr;
};

}  // namespace lm::ocsf_json
