// logmill/sdk/ocsf_json.hpp -- records that are OCSF events already, as JSON, into the columns of a table: each attribute that the table has a column for goes there, everything
// else to what is left.
//
//   static constexpr lm::ocsf_json::Renamed kRenamed[] = {{"metadata.version", "metadata.log_version"}};   // which the host fills itself
//   auto event = lm::ocsf_json::Event::of<kTable>(kRenamed);   // keep one: it owns scratch memory
//   if (!event.check(json, record.text(), [](auto, auto&) {})) return record.reject(lm::malformed, json.error());
//   auto row = rows.begin(record);
//   event.fill(json, record.text(), rows, rest, [&](std::string_view key, lm::json::Value& value) { return false; });   // true: this member was taken
//
// What goes there is valid: check() looks at the whole event first, and fill() passes over objects that lack what OCSF requires of them, values of another type, numbers beyond
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

class Event {
 public:
  template <const auto& Table>
  static Event of(std::span<const Renamed> renamed = {}) {
    const auto& layout = detail::kLayout<Table>;
    return Event(Table.class_id.uid, layout.columns, layout.levels, layout.n_levels, Table.profiles, renamed);
  }

  Event(Event&&) = default;  // its nodes point at each other
  Event& operator=(Event&&) = default;

  // Looks at the whole record. False: it is not one JSON object, as the reader says. see(key, value) sees the members that the table has no columns for.
  template <class See>
  bool check(json::Reader& reader, std::string_view text, See&& see) {
    verdicts_.clear();
    const Node* previous = nullptr;
    return reader.read(text, [&](std::string_view key, json::Value& value) {
      if (const Node* const node = root_.find(key, previous)) {
        previous = node;
        if (node->is_object()) acceptable(*node, value);
      } else {
        see(key, value);
      }
    });
  }

  // Fills the row that was begun last with the record that was checked last. take(key, value) sees the same members as see(), and answers true for those that shall not
  // be left; it must not touch a value that it does not take.
  template <const auto& Table, class Take>
  void fill(json::Reader& reader, std::string_view text, Rows<Table>& rows, json::ObjectWriter& rest, Take&& take) {
    at_ = 0;
    ++serial_;
    columns_ = &rows.columns();
    const std::uint32_t row = columns_->rows() - 1;
    const Node* previous = nullptr;
    reader.read(text, [&](std::string_view key, json::Value& value) {
      const Node* const node = root_.find(key, previous);
      if (!node && take(key, value)) return;
      member(node, root_, previous, key, value, row, &rest);
      if (node) previous = node;
    });
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
    mutable const Node* first = nullptr;     // the child that an object began with last
    mutable const Node* follower = nullptr;  // the sibling that came behind this one last

    // The same, after `previous` in this object: events of one source have their members in one order.
    const Node* find(std::string_view wanted, const Node* previous) const {
      const Node*& guess = previous ? previous->follower : first;
      if (guess && detail::equal(guess->name, wanted)) return guess;
      const Node* const found = find(wanted);
      if (found) guess = found;
      return found;
    }
    const Node* find(std::string_view wanted) const {
      std::size_t low = 0, high = children.size();
      while (low < high) {
        const std::size_t middle = (low + high) / 2;
        const int order = children[middle].name.compare(wanted);
        if (order == 0) return &children[middle];
        (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
      }
      return nullptr;
    }
    bool is_object() const { return column == kNone; }
  };

  // Of an object of the record: whether it may stand in a row, and how many verdicts there are up to its end.
  struct Verdict {
    bool valid = false;
    std::size_t next = 0;
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

  static const Node* of_datetime(const Node& parent, std::string_view key, const Node* previous) {
    if (!key.ends_with("_dt")) return nullptr;
    key.remove_suffix(3);
    const Node* const node = previous && detail::equal(previous->name, key) ? previous : parent.find(key);
    return node && node->timestamp ? node : nullptr;
  }

  bool acceptable(const Node& node, json::Value& value) {
    if (!node.list) return node.is_object() ? object_acceptable(node, value) : scalar_acceptable(node, value);
    bool any = false;
    value.array([&](json::Value& item) { any |= node.is_object() ? object_acceptable(node, item) : scalar_acceptable(node, item); });
    return any;
  }

  bool object_acceptable(const Node& node, json::Value& value) {
    if (value.type() != json::Type::object) return false;
    const std::size_t at = verdicts_.size();
    verdicts_.push_back({});
    std::uint64_t seen = 0;
    bool any = false;
    const Node* previous = nullptr;
    value.object([&](std::string_view key, json::Value& v) {
      if (const Node* const child = node.find(key, previous)) {
        previous = child;
        if (any && child->bit == 0 && !child->is_object()) return;  // nothing depends on it
        if (acceptable(*child, v)) seen |= child->bit, any = true;
      } else if (const Node* const stamp = of_datetime(node, key, previous)) {
        if (any && stamp->bit == 0) return;
        if (time::of_event(v.text(), true)) seen |= stamp->bit, any = true;
      }
    });
    const std::uint64_t exactly = seen & node.exactly;
    verdicts_[at].valid = any && (seen & node.required) == node.required && (node.at_least == 0 || (seen & node.at_least) != 0) &&
                          (node.exactly == 0 || (exactly != 0 && (exactly & (exactly - 1)) == 0));
    verdicts_[at].next = verdicts_.size();
    return verdicts_[at].valid;
  }

  bool scalar_acceptable(const Node& node, json::Value& value) const {
    const detail::ColumnSpec& spec = specs_[static_cast<std::size_t>(node.column)];
    switch (spec.store) {
      case detail::Store::code:
      case detail::Store::text: {
        if (node.attribute->kind == ocsf::Kind::json) return !says_nothing(value.raw());
        const Text text = value.text();
        return text && !text->empty() && (spec.check != detail::Check::address || net::is_ip(*text));
      }
      case detail::Store::int32:
      case detail::Store::int64: return integer_of(node, value).has_value();
      case detail::Store::float64: return value.number().has_value();
      case detail::Store::boolean: return value.boolean().has_value();
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
  bool member(const Node* node, const Node& parent, const Node* previous, std::string_view key, json::Value& value, std::uint32_t row,
              json::ObjectWriter* rest) {
    bool whole;
    if (!node) {
      const Node* const stamp = of_datetime(parent, key, previous);
      whole = stamp && datetime(*stamp, value, row);
    } else if (node->list) {
      whole = list(*node, value, row);
    } else if (!node->is_object()) {
      whole = scalar(*node, value, row);
    } else if (value.type() == json::Type::object && may_enter()) {
      if (rest) rest->enter(key);
      const bool all = object(*node, value, row, rest);
      if (rest) rest->leave();
      return all;
    } else {
      whole = false;
    }
    if (whole || says_nothing(value.raw())) return true;
    if (!rest) return false;
    rest->keep(value);
    return true;
  }

  // The object at hand is the next one that was looked at. False: it may not stand in a row.
  bool may_enter() {
    const Verdict& verdict = verdicts_[at_];
    if (verdict.valid) {
      ++at_;
    } else {
      at_ = verdict.next;
    }
    return verdict.valid;
  }

  bool object(const Node& node, json::Value& value, std::uint32_t row, json::ObjectWriter* rest) {
    bool whole = true;
    const Node* previous = nullptr;
    value.object([&](std::string_view key, json::Value& v) {
      const Node* const child = node.find(key, previous);
      whole &= member(child, node, previous, key, v, row, rest);
      if (child) previous = child;
    });
    return whole;
  }

  bool list(const Node& node, json::Value& value, std::uint32_t row) {
    if (value.type() != json::Type::array) return false;
    bool whole = true;
    value.array([&](json::Value& item) {
      if (!node.is_object()) {
        if (scalar_in_list(node, item, row)) return;
      } else if (item.type() == json::Type::object && may_enter()) {
        node.filled = serial_;
        whole &= object(node, item, columns_->push(node.level, row), nullptr);
        return;
      }
      whole &= says_nothing(item.raw());
    });
    return whole;
  }

  bool scalar_in_list(const Node& node, json::Value& item, std::uint32_t row) {
    const auto column = static_cast<std::size_t>(node.column);
    const detail::ColumnSpec& spec = specs_[column];
    if (spec.store == detail::Store::code || spec.store == detail::Store::text) {
      if (node.attribute->kind == ocsf::Kind::json) return false;
      const Text text = item.text();
      if (!text || text->empty() || (spec.check == detail::Check::address && !net::is_ip(*text))) return false;
      put_text(column, columns_->push(node.level, row), *text);
      return true;
    }
    const auto n = spec.store == detail::Store::int32 || spec.store == detail::Store::int64 ? integer_of(node, item) : std::nullopt;
    if (!n) return false;
    const bool known = put_integer(node, columns_->push(node.level, row), *n);
    return known;
  }

  bool scalar(const Node& node, json::Value& value, std::uint32_t row) {
    const auto column = static_cast<std::size_t>(node.column);
    if (node.timestamp) {
      const auto n = integer_of(node, value);
      return n && put_moment(column, row, *n);
    }
    if (columns_->is_set(column, row)) return false;
    const detail::ColumnSpec& spec = specs_[column];
    switch (spec.store) {
      case detail::Store::code:
      case detail::Store::text: {
        if (node.attribute->kind == ocsf::Kind::json) {
          if (!says_nothing(value.raw())) columns_->put_text(column, row, value.raw());
          return true;
        }
        const Text text = value.text();
        if (!text || text->empty() || (spec.check == detail::Check::address && !net::is_ip(*text))) return false;
        put_text(column, row, *text);
        return true;
      }
      case detail::Store::int32:
      case detail::Store::int64: {
        const auto n = integer_of(node, value);
        return n && put_integer(node, row, *n);
      }
      case detail::Store::float64: {
        const auto n = value.number();
        if (n) columns_->put(column, row, *n);
        return n.has_value();
      }
      case detail::Store::boolean: {
        const auto b = value.boolean();
        if (b) columns_->put_boolean(column, row, *b);
        return b.has_value();
      }
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

  // Whole where the timestamp says the same: no offset, no more than milliseconds.
  bool datetime(const Node& node, json::Value& value, std::uint32_t row) {
    const Text text = value.text();
    const auto t = time::of_event(text, true);
    if (!t || !put_moment(static_cast<std::size_t>(node.column), row, *t)) return false;
    return text->ends_with('Z') && text->size() <= std::string_view("2026-03-01T08:00:00.000Z").size();
  }

  Node root_;
  std::span<const detail::ColumnSpec> specs_;
  std::vector<Moment> moments_;  // by column
  std::vector<Verdict> verdicts_;
  std::size_t at_ = 0;  // in the verdicts
  std::uint64_t serial_ = 0;
  detail::Columns* columns_ = nullptr;
};

}  // namespace lm::ocsf_json
