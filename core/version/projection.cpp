#include "version/projection.hpp"

#include "conform/arrays.hpp"

#include <logmill/sdk/arrays.hpp>
#include <logmill/sdk/json.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>

namespace lm {
namespace {

using detail::allocate;
using detail::allocate_zeroed;
using detail::ArrayArena;
using detail::bitmap_bytes;
using detail::Memory;
using detail::slots;
using detail::Zeroes;
using Kind = TableNode::Kind;
using Attributes = std::span<const ocsf::Attribute>;
using Types = std::vector<std::string_view>;  // of the objects above, the outermost first
using Profiles = std::set<std::string, std::less<>>;

// OCSF's own word for what is not known.
constexpr std::string_view kUnknown = "Unknown";
constexpr std::int32_t kOther = 99;

// Attributes that took another's place in a later version: older readers look for them there. (OCSF 1.2 deprecates actor.invoked_by in favour of app_name.)
struct Successor {
  std::string_view object, now, before;
};
constexpr Successor kSuccessors[] = {{"actor", "app_name", "invoked_by"}};

const TableNode& element_of(const TableNode& node) { return node.kind == Kind::list ? *node.children[0] : node; }
TableNode& element_of(TableNode& node) { return node.kind == Kind::list ? *node.children[0] : node; }

TableNode* child_named(const std::vector<std::unique_ptr<TableNode>>& children, std::string_view name) {
  const auto at = std::find_if(children.begin(), children.end(), [&](const auto& c) { return c->name == name; });
  return at == children.end() ? nullptr : at->get();
}

bool is_text(LeafType type) { return type == LeafType::text || type == LeafType::dictionary; }

LeafType leaf_type(ocsf::Kind kind) {
  switch (kind) {
    case ocsf::Kind::integer: return LeafType::int32;
    case ocsf::Kind::long_integer: return LeafType::int64;
    case ocsf::Kind::floating: return LeafType::float64;
    case ocsf::Kind::boolean: return LeafType::boolean;
    case ocsf::Kind::json: return LeafType::json;
    default: return LeafType::text;
  }
}

// The numbers of an enum that mean the same in both versions, and what stands for the others.
struct Rule {
  std::vector<std::int32_t> kept;  // in order
  std::optional<std::int32_t> other;

  bool keeps(std::int32_t value) const { return std::binary_search(kept.begin(), kept.end(), value); }
};

// What a version makes of a column.
struct Fit {
  enum class How : std::uint8_t { moved, leaf, record, json_text };
  How how = How::moved;
  const ocsf::Attribute* attribute = nullptr;  // the version's
  LeafType type = LeafType::text;
  std::string_view ocsf_type;
};

// The way from the rows to a value. Behind a list it goes on in the list's elements.
struct Step {
  std::size_t child = 0;
  bool list = false;
};
using Way = std::vector<Step>;

// A value that becomes a member of `unmapped`.
struct Move {
  enum class When : std::uint8_t { there, replaced, too_large, beside };
  std::string path, key;  // key: with quotes and a colon
  Way way;
  const TableNode* node = nullptr;  // of the value
  When when = When::there;
  Way judged;                  // replaced, too_large: of the number that decides; beside: of the value that must be there, too
  std::optional<Rule> rule{};  // replaced
};

// A node of the version's table, and how its array is made.
struct Node {
  enum class Make : std::uint8_t {
    absent,
    same,
    structure,
    list,
    integer,
    narrow,
    widen,
    plain,
    json_text,
    either,
    text,
    number,
    type_uid,
    type_name,
    profiles,
    stamp,
    unmapped
  };
  Make make = Make::absent;
  const TableNode* to = nullptr;
  const TableNode* from = nullptr;
  int in = -1;           // of the parent's children, in the source
  int second = -1;       // either: the other one; stamp: `time`
  int beside = -1;       // type_uid, type_name: activity_id among this parent's children
  bool lost = false;     // some member went away: what is left may be nothing
  bool element = false;  // of a list
  std::optional<Rule> rule{};
  std::int64_t number = 0;         // a constant; what stands for a number that is not known
  std::vector<std::string> texts;  // a dictionary
  std::vector<std::int32_t> ids;   // type_name: of each text
  std::vector<Node> children;

  struct Required {
    std::size_t child;
    std::string_view profile;
  };
  std::vector<Required> required;
  std::vector<std::size_t> among;  // at least one of these; else the filler is filled
  std::optional<std::size_t> filler{};
};

}  // namespace

class Projection {
 public:
  ArrowSchema schema{};  // of the source, for splitting
  const Table* table = nullptr;
  const TableNode* from = nullptr;
  Node root;
  std::vector<Move> moves;
  std::unordered_set<std::string_view> paths;
  Profiles profiles;  // that the version's class has
  bool adds_datetime = false;

  Projection() = default;
  ~Projection() {
    if (schema.release) schema.release(&schema);
  }
  Projection(const Projection&) = delete;
  Projection& operator=(const Projection&) = delete;
};

namespace {

// ---- Planning ----

class Planner {
 public:
  Planner(const ocsf::Catalogue& version, TableColumns columns) : version_(version), all_(columns == TableColumns::all) {}

  // The class of the version that events of this class become: the same, or else Base Event. Whatever class a version lacks has no ancestor there but Base
  // Event and categories' own bases, which no event is of.
  const ocsf::Class& class_of(const Table& made) const {
    const ocsf::Class* same = version_.find_class(made.class_uid);
    return same ? *same : *version_.find_class(0u);
  }

  // Makes room for what a table holds.
  void extend(Table& target, const Table& source) {
    Types above;
    for (const std::string& profile : source.profiles) target.profiles.insert(profile);
    made_of_[&target.root] = at_least_one(*source.ocsf_class);
    extend(target.root, source.root, version_.attributes_of(*target.ocsf_class), catalogue().attributes_of(*source.ocsf_class), above);
  }

  // After the last of extend().
  void complete(Table& target) {
    Types above;
    const Attributes owner = version_.attributes_of(*target.ocsf_class);
    if (all_) {
      add_all(target.root, owner, target.profiles, above);
      TableNode& stamp = *child_named(target.root.children, "time_dt");
      stamp.type = LeafType::int64;
    }
    require(target.root, owner, version_.at_least_one(*target.ocsf_class), target.profiles, above, false);
  }

  void plan(Projection& out, const Table& source, const Table& target) {
    out_ = &out;
    source.export_schema(&out.schema);
    out.table = &target, out.from = &source.root;
    Types above;
    Way way;
    const Attributes owner = version_.attributes_of(*target.ocsf_class);
    out.root.to = &target.root, out.root.from = &source.root;
    out.root.make = Node::Make::structure;
    members(out.root, &source.root, owner, version_.at_least_one(*target.ocsf_class), above, way);
    find_profiles(owner, above, out.profiles);
    out.profiles.insert("datetime");
    out.adds_datetime = all_;
    derived(out.root, source, target);
    for (Move& move : out.moves) {
      json::append_quoted(move.key, move.path);
      move.key += ':';
    }
    std::stable_sort(out.moves.begin(), out.moves.end(), [](const Move& a, const Move& b) { return a.path < b.path; });
    for (const Move& move : out.moves) out.paths.insert(move.path);
  }

 private:
  using Names = std::span<const std::string_view>;

  static Names at_least_one(const ocsf::Class& c) { return catalogue().at_least_one(c); }
  bool within_itself(const ocsf::Attribute& a, const Types& above) const {
    return all_ && std::find(above.begin(), above.end(), a.type.view()) != above.end();
  }
  const ocsf::Object& object_of(const ocsf::Attribute& a) const { return *version_.object(a.object); }

  Fit fit(const TableNode& source, Attributes owner, const Types& above) const {
    const TableNode& value = element_of(source);
    const ocsf::Attribute* a = version_.find(owner, source.name);
    if (!a) {
      if (value.ocsf_type != "datetime_t" || (all_ && above.empty() && source.name == "time_dt")) return {};
      const ocsf::Attribute* stamp = version_.find(owner, std::string_view(source.name).substr(0, source.name.size() - 3));
      if (!stamp || stamp->type != "timestamp_t" || stamp->array != (source.kind == Kind::list)) return {};
      return {Fit::How::leaf, stamp, value.type, "datetime_t"};
    }
    if (a->array != (source.kind == Kind::list)) return {};
    if (value.kind == Kind::structure) {
      if (a->kind != ocsf::Kind::object) return {};
      if (within_itself(*a, above)) return {Fit::How::json_text, a, LeafType::json, "json_t"};
      Types inner = above;
      inner.push_back(a->type);
      const Attributes members = version_.attributes_of(object_of(*a));
      const bool some = std::any_of(value.children.begin(), value.children.end(),
                                    [&](const auto& c) { return fit(*c, members, inner).how != Fit::How::moved; });
      return some ? Fit{Fit::How::record, a, {}, {}} : Fit{};
    }
    const Fit leaf{Fit::How::leaf, a, a->kind == ocsf::Kind::text && is_text(value.type) ? value.type : leaf_type(a->kind), a->type};
    const bool same = leaf.type == value.type;
    const bool text_of_json = leaf.type == LeafType::text && value.type == LeafType::json;
    const bool number =
        (leaf.type == LeafType::int32 || leaf.type == LeafType::int64) && (value.type == LeafType::int32 || value.type == LeafType::int64);
    // A list's numbers have no place of their own in `unmapped` if one does not fit.
    return a->kind != ocsf::Kind::object && (same || text_of_json || (number && !a->array)) ? leaf : Fit{};
  }

  // ---- The version's table ----

  static TableNode& place(TableNode& parent, std::string_view name, const ocsf::Attribute& a, Kind kind, LeafType type,
                          std::string_view ocsf_type) {
    const auto make = [](std::vector<std::unique_ptr<TableNode>>& among, std::string_view named, const std::string& path,
                         Kind of) -> TableNode& {
      auto at = std::lower_bound(among.begin(), among.end(), named,
                                 [](const auto& node, std::string_view n) { return std::string_view(node->name) < n; });
      if (at == among.end() || (*at)->name != named) {
        auto node = std::make_unique<TableNode>();
        node->kind = of, node->name = named, node->path = path;
        at = among.insert(at, std::move(node));
      }
      return **at;
    };
    std::string path = parent.path.empty() ? std::string(name) : fmt::format("{}.{}", parent.path, name);
    if (a.array) path += "[]";
    TableNode* node = &make(parent.children, name, path, a.array ? Kind::list : kind);
    if (a.array) {
      node->attribute = &a;
      node = &make(node->children, "item", path, kind);
    }
    if (kind == Kind::leaf) {
      // Where one table has a dictionary and another has not, the column is plain for both.
      node->type = node->attribute && node->type != type ? LeafType::text : type;
      node->ocsf_type = ocsf_type;
    }
    node->attribute = &a;
    return *node;
  }

  // `made`: the attributes of the same object in what is made. Answers whether there is something left of an
  // object wherever there was one.
  bool extend(TableNode& target, const TableNode& source, Attributes owner, Attributes made, Types& above) {
    bool whole = true, some = false;
    for (const auto& child : source.children) {
      const Fit f = fit(*child, owner, above);
      whole = whole && f.how != Fit::How::moved;
      if (f.how == Fit::How::moved) continue;
      TableNode& node =
          place(target, child->name, *f.attribute, f.how == Fit::How::record ? Kind::structure : Kind::leaf, f.type, f.ocsf_type);
      const TableNode& value = element_of(*child);
      const ocsf::Attribute* from = catalogue().find(made, child->name);
      const bool sure = from && from->requirement == ocsf::Requirement::required;
      const auto [at, fresh] = sure_.try_emplace(&node, sure);
      if (!fresh) at->second = at->second && sure;
      if (f.how != Fit::How::record) {
        some = some || sure;
        continue;
      }
      const ocsf::Object& object = *catalogue().object(from->object);
      made_of_[&node] = catalogue().at_least_one(object);
      above.push_back(f.attribute->type);
      const bool left = extend(node, value, version_.attributes_of(object_of(*f.attribute)), catalogue().attributes_of(object), above);
      above.pop_back();
      some = some || (sure && left);
      if (!left) whole = sure_[&node] = false;
    }
    if (const Successor* s = successor(owner, above); s && child_named(source.children, s->now)) {
      const ocsf::Attribute& a = *version_.find(owner, s->before);
      place(target, s->before, a, Kind::leaf, LeafType::text, a.type).type = LeafType::text;
    }
    return whole || some;
  }

  const Successor* successor(Attributes owner, const Types& above) const {
    for (const Successor& s : kSuccessors) {
      if (!above.empty() && above.back() == s.object && !version_.find(owner, s.now) && version_.find(owner, s.before)) return &s;
    }
    return nullptr;
  }

  void add_all(TableNode& target, Attributes owner, const Profiles& profiles, Types& above) {
    for (const ocsf::Attribute& a : owner) {
      // A parser may fill an attribute of a profile that it does not name.
      if (!a.profile.empty() && !profiles.contains(a.profile.view()) && !child_named(target.children, a.name)) continue;
      const bool record = a.kind == ocsf::Kind::object && !within_itself(a, above);
      if (record) {
        TableNode& node = place(target, a.name, a, Kind::structure, {}, {});
        above.push_back(a.type);
        add_all(node, version_.attributes_of(object_of(a)), profiles, above);
        above.pop_back();
        continue;
      }
      const TableNode* there = child_named(target.children, a.name);
      const LeafType type = a.kind == ocsf::Kind::object ? LeafType::json : leaf_type(a.kind);
      if (!there) place(target, a.name, a, Kind::leaf, type, a.kind == ocsf::Kind::object ? std::string_view("json_t") : a.type.view());
      const std::string stamp = fmt::format("{}_dt", a.name.view());
      if (a.type == "timestamp_t" && !child_named(target.children, stamp))
        place(target, stamp, a, Kind::leaf, LeafType::text, "datetime_t");
    }
  }

  static bool can_fill(const ocsf::Attribute& a) { return !a.array || a.kind == ocsf::Kind::text; }

  // The attribute that is the easiest to be filled where none of those is there.
  const ocsf::Attribute* filler_of(Attributes owner, Names names) const {
    const auto first = [&](auto&& wanted) -> const ocsf::Attribute* {
      for (const std::string_view name : names) {
        const ocsf::Attribute* a = version_.find(owner, name);
        if (a && wanted(*a)) return a;
      }
      return nullptr;
    };
    if (const auto* a = first([](const auto& x) { return x.name == "name" && x.type == "string_t" && !x.array; })) return a;
    if (const auto* a = first([](const auto& x) { return x.type == "string_t" && !x.array; })) return a;
    if (const auto* a = first([](const auto& x) { return (x.kind == ocsf::Kind::json || x.kind == ocsf::Kind::integer) && !x.array; }))
      return a;
    if (const auto* a = first([](const auto& x) { return x.kind == ocsf::Kind::object && !x.array; })) return a;
    return first([](const auto& x) { return x.type == "string_t"; });
  }

  // Makes room for what the version requires of an object, and remembers where it may have to be filled. `filled`: the object itself may be.
  void require(TableNode& target, Attributes owner, Names names, const Profiles& profiles, Types& above, bool filled) {
    constexpr std::size_t kDeepest = 32;
    if (above.size() > kDeepest) return;
    std::set<const TableNode*> fills;
    const auto wanted = [&](const ocsf::Attribute& a) {
      if (!can_fill(a)) return;
      TableNode* there = child_named(target.children, a.name);
      // The attributes of a profile that no parser fills are not worth an object of nothing.
      if (!there && !a.profile.empty() && a.kind == ocsf::Kind::object) return;
      TableNode& node =
          there ? element_of(*there)
                : place(target, a.name, a, a.kind == ocsf::Kind::object ? Kind::structure : Kind::leaf, leaf_type(a.kind), a.type);
      if (node.kind == Kind::leaf && node.type == LeafType::dictionary) node.type = LeafType::text;
      fills.insert(&node);
    };
    for (const ocsf::Attribute& a : owner) {
      if (a.requirement != ocsf::Requirement::required || (!a.profile.empty() && !profiles.contains(a.profile.view()))) continue;
      TableNode* there = child_named(target.children, a.name);
      const auto sure = there ? sure_.find(&element_of(*there)) : sure_.end();
      if (filled || sure == sure_.end() || !sure->second) wanted(a);
    }
    const auto made = made_of_.find(&target);
    const bool weaker = made == made_of_.end() || made->second.empty() ||
                        std::any_of(made->second.begin(), made->second.end(),
                                    [&](std::string_view n) { return std::find(names.begin(), names.end(), n) == names.end(); });
    if (!names.empty() && (filled || weaker)) {
      if (const ocsf::Attribute* a = filler_of(owner, names)) {
        wanted(*a);
        if (const TableNode* node = child_named(target.children, a->name)) fillers_[&target] = node;
      }
    }
    for (const auto& child : target.children) {
      TableNode& node = element_of(*child);
      const ocsf::Attribute* a = version_.find(owner, child->name);
      if (node.kind != Kind::structure || !a) continue;
      above.push_back(a->type);
      const ocsf::Object& object = object_of(*a);
      const bool may_be = fills.contains(&node);
      if (may_be) filled_.insert(&node);
      require(node, version_.attributes_of(object), version_.at_least_one(object), profiles, above, may_be);
      above.pop_back();
      if (!node.children.empty()) continue;
      for (const ocsf::Attribute& any : version_.attributes_of(object)) {
        if (any.type == "string_t" && !any.array) place(node, any.name, any, Kind::leaf, LeafType::text, any.type);
      }
    }
    for (const TableNode* node : fills) filled_.insert(node);
  }

  // ---- The way from one to the other ----

  // `source` is null for an object that no parser has and that is filled.
  void members(Node& plan, const TableNode* source, Attributes owner, Names names, Types& above, Way& way) {
    static const std::vector<std::unique_ptr<TableNode>> kNone;
    const auto& sources = source ? source->children : kNone;
    const TableNode& target = *plan.to;
    std::set<const TableNode*> used;
    plan.children.resize(target.children.size());
    for (std::size_t i = 0; i < target.children.size(); ++i) {
      Node& child = plan.children[i];
      child.to = target.children[i].get();
      const auto at = std::find_if(sources.begin(), sources.end(), [&](const auto& s) { return s->name == child.to->name; });
      const ocsf::Attribute* a = version_.find(owner, child.to->name);
      if (at != sources.end()) {
        const Fit f = fit(**at, owner, above);
        if (f.how != Fit::How::moved) {
          used.insert(at->get());
          child.in = static_cast<int>(at - sources.begin());
          child.from = at->get();
          way.push_back({static_cast<std::size_t>(child.in), child.from->kind == Kind::list});
          value(child, f, above, way);
          way.pop_back();
        }
      }
      if (child.in < 0 && child.to->kind == Kind::structure && filled_.contains(child.to) && a) {
        const ocsf::Object& object = object_of(*a);
        above.push_back(a->type);
        members(child, nullptr, version_.attributes_of(object), version_.at_least_one(object), above, way);
        above.pop_back();
      }
      const bool may_be_filled = filled_.contains(&element_of(*child.to));
      if (may_be_filled && a) child.number = unknown_number(*a);
      if (a && a->requirement == ocsf::Requirement::required && may_be_filled) plan.required.push_back({i, a->profile.view()});
    }
    if (const auto filler = fillers_.find(&target); filler != fillers_.end()) {
      for (std::size_t i = 0; i < target.children.size(); ++i) {
        if (std::find(names.begin(), names.end(), target.children[i]->name) != names.end()) plan.among.push_back(i);
        if (target.children[i].get() == filler->second) plan.filler = i;
      }
    }
    const Successor* s = successor(owner, above);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const TableNode& gone = *sources[i];
      if (used.contains(&gone)) continue;
      plan.lost = true;
      way.push_back({i, false});
      Move& move = add_move(gone.path, way, gone);
      way.pop_back();
      if (!s || gone.name != s->now) continue;
      Node& before = *std::find_if(plan.children.begin(), plan.children.end(), [&](const Node& c) { return c.to->name == s->before; });
      before.make = Node::Make::either;
      before.second = static_cast<int>(i);
      move.when = Move::When::beside;
      move.judged = way;
      if (before.in >= 0) {
        move.judged.push_back({static_cast<std::size_t>(before.in), false});
      } else {
        out_->moves.pop_back();
      }
    }
  }

  std::int64_t unknown_number(const ocsf::Attribute& a) const {
    return a.enum_count != 0 && version_.caption(a, 0).empty() && !version_.caption(a, kOther).empty() ? kOther : 0;
  }

  Move& add_move(const std::string& path, const Way& way, const TableNode& node) {
    Move& move = out_->moves.emplace_back();
    move.path = path;
    // A list that goes as a whole says by its value that it is one.
    if (node.kind == Kind::list) move.path.resize(move.path.size() - 2);
    move.way = way;
    move.node = &node;
    return move;
  }

  void value(Node& plan, const Fit& f, Types& above, Way& way) {
    if (plan.to->kind == Kind::list) {
      plan.make = Node::Make::list;
      Node& item = plan.children.emplace_back();
      item.to = plan.to->children[0].get(), item.from = plan.from->children[0].get(), item.in = 0;
      item.element = true;
      if (f.how != Fit::How::record) way.back().list = false;
      element(item, f, above, way, *plan.from);
      if (f.how != Fit::How::record) way.back().list = true;
      if (item.make == Node::Make::same) plan.make = Node::Make::same;
      return;
    }
    element(plan, f, above, way, *plan.from);
  }

  // `whole` is what the way ends at: the list, where this is the element of one.
  void element(Node& plan, const Fit& f, Types& above, Way& way, const TableNode& whole) {
    const TableNode &from = *plan.from, &to = *plan.to;
    plan.make = Node::Make::same;
    if (f.how == Fit::How::json_text) {
      plan.make = Node::Make::json_text;
    } else if (f.how == Fit::How::record) {
      const ocsf::Object& object = object_of(*f.attribute);
      plan.make = Node::Make::structure;
      above.push_back(f.attribute->type);
      members(plan, &from, version_.attributes_of(object), version_.at_least_one(object), above, way);
      above.pop_back();
      const bool all_same =
          !plan.lost && plan.required.empty() && !plan.filler && plan.children.size() == from.children.size() &&
          std::all_of(plan.children.begin(), plan.children.end(), [](const Node& c) { return c.make == Node::Make::same; });
      if (all_same) plan.make = Node::Make::same;
    } else if (from.type == LeafType::dictionary && to.type == LeafType::text) {
      plan.make = Node::Make::plain;
    } else if (from.type == LeafType::int64 && to.type == LeafType::int32) {
      plan.make = Node::Make::narrow;
      Move& move = add_move(from.path, way, whole);
      move.when = Move::When::too_large, move.judged = way;
    } else if (from.type == LeafType::int32 && to.type == LeafType::int64) {
      plan.make = Node::Make::widen;
    } else if (from.type == LeafType::int32 && from.attribute) {
      if (auto rule = rule_of(*from.attribute, *f.attribute)) {
        plan.make = Node::Make::integer;
        Move& move = add_move(from.path, way, whole);
        move.when = Move::When::replaced, move.judged = way, move.rule = rule;
        plan.rule = std::move(rule);
      }
    }
  }

  // None: every number that there may be means the same in the version.
  std::optional<Rule> rule_of(const ocsf::Attribute& made, const ocsf::Attribute& wanted) const {
    const auto members = version_.members_of(wanted);
    if (members.empty()) return {};
    Rule out;
    bool whole = !catalogue().members_of(made).empty();
    for (const ocsf::EnumMember& m : catalogue().members_of(made)) whole = whole && version_.caption(wanted, m.value) == m.caption;
    if (whole) return {};
    for (const ocsf::EnumMember& m : members) {
      const std::string_view caption = catalogue().caption(made, m.value);
      if (caption.empty() || caption == m.caption) out.kept.push_back(m.value);
      if (m.value == kOther || (m.value == 0 && !out.other)) out.other = m.value;
    }
    std::sort(out.kept.begin(), out.kept.end());
    return out;
  }

  void find_profiles(Attributes owner, Types& above, Profiles& out) const {
    for (const ocsf::Attribute& a : owner) {
      if (!a.profile.empty()) out.emplace(a.profile.view());
      if (a.kind != ocsf::Kind::object || std::find(above.begin(), above.end(), a.type.view()) != above.end()) continue;
      above.push_back(a.type);  // and stays: each type once
      find_profiles(version_.attributes_of(object_of(a)), above, out);
    }
  }

  static Node& child_of(Node& plan, std::string_view name) {
    return *std::find_if(plan.children.begin(), plan.children.end(), [&](const Node& c) { return c.to->name == name; });
  }

  // What says of an event which class and version it is of.
  void derived(Node& root, const Table& source, const Table& target) {
    const auto text = [](Node& plan, std::string_view value) {
      plan.make = Node::Make::text;
      plan.texts = {std::string(value)};
    };
    const auto number = [](Node& plan, std::int64_t value) { plan.make = Node::Make::number, plan.number = value; };
    const auto keep = [&](std::string_view name) -> Move& {
      const auto at =
          std::find_if(source.root.children.begin(), source.root.children.end(), [&](const auto& c) { return c->name == name; });
      return add_move(std::string(name), {{static_cast<std::size_t>(at - source.root.children.begin()), false}}, **at);
    };
    const ocsf::Class& to = *target.ocsf_class;
    const ocsf::Class& from = *source.ocsf_class;
    Node& metadata = child_of(root, "metadata");
    metadata.make = Node::Make::structure;
    if (metadata.children.empty()) throw std::logic_error("metadata has no members");
    text(child_of(metadata, "version"), version_.version);
    child_of(root, "unmapped").make = Node::Make::unmapped;
    if (all_) {
      Node& stamp = child_of(root, "time_dt");
      stamp.make = Node::Make::stamp;
      stamp.second = child_of(root, "time").in;
    }
    child_of(metadata, "profiles").make = Node::Make::profiles;
    const bool other_class = to.uid != from.uid;
    if (other_class) {
      number(child_of(root, "class_uid"), to.uid), keep("class_uid");
      number(child_of(root, "category_uid"), to.category_uid), keep("category_uid");
    }
    if (to.caption != from.caption) text(child_of(root, "class_name"), to.caption), keep("class_name");
    if (to.category_name != from.category_name) text(child_of(root, "category_name"), to.category_name), keep("category_name");
    const Node& activity = child_of(root, "activity_id");
    if (!other_class && !activity.rule && to.caption == from.caption) return;
    const auto beside = static_cast<int>(&activity - root.children.data());
    for (const std::string_view name : {"type_uid", "type_name"}) {
      Node& plan = child_of(root, name);
      plan.make = name == "type_uid" ? Node::Make::type_uid : Node::Make::type_name;
      plan.number = to.uid;
      plan.beside = beside;
      Move& move = keep(name);
      if (other_class || to.caption != from.caption) continue;
      move.when = Move::When::replaced, move.rule = activity.rule;
      move.judged = {{static_cast<std::size_t>(activity.in), false}};
    }
    Node& name = child_of(root, "type_name");
    for (const auto& member : version_.members_of(*version_.find(version_.attributes_of(to), "activity_id"))) {
      name.texts.push_back(fmt::format("{}: {}", to.caption, member.caption));
      name.ids.push_back(member.value);
    }
  }

  const ocsf::Catalogue& version_;
  const bool all_;
  Projection* out_ = nullptr;
  std::map<const TableNode*, bool> sure_;                 // whether what is made has the value wherever the object is
  std::map<const TableNode*, Names> made_of_;             // what is made has at least one of these
  std::set<const TableNode*> filled_;                     // that may have to be filled
  std::map<const TableNode*, const TableNode*> fillers_;  // an object, and which member is filled if none of a constraint's is there
};

// ---- Running ----

struct TooLarge {};

// Which slots of an array are there.
class Bits {
 public:
  Bits(std::size_t n, bool value) : words_((n + 63) / 64, value ? ~std::uint64_t{0} : 0), n_(n) { cut(); }
  static Bits of(const ArrowArray& a) {
    const auto n = static_cast<std::size_t>(a.length);
    if (a.null_count == 0 || !a.buffers[0] || n == 0) return {n, true};
    Bits out(n, false);
    std::memcpy(out.words_.data(), a.buffers[0], (n + 7) / 8);
    out.cut();
    return out;
  }
  Bits& operator|=(const Bits& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
    return *this;
  }
  Bits& operator&=(const Bits& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= other.words_[i];
    return *this;
  }
  Bits& operator-=(const Bits& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= ~other.words_[i];
    return *this;
  }
  bool at(std::size_t i) const { return (words_[i >> 6] >> (i & 63) & 1) != 0; }
  void set(std::size_t i) { words_[i >> 6] |= std::uint64_t{1} << (i & 63); }
  void clear(std::size_t i) { words_[i >> 6] &= ~(std::uint64_t{1} << (i & 63)); }
  std::size_t count() const {
    std::size_t out = 0;
    for (const std::uint64_t w : words_) out += static_cast<std::size_t>(std::popcount(w));
    return out;
  }
  bool none() const {
    return std::all_of(words_.begin(), words_.end(), [](std::uint64_t w) { return w == 0; });
  }
  void put(ArrayArena& arena, ArrowArray& a) const {
    const std::size_t present = count();
    a.null_count = static_cast<std::int64_t>(n_ - present);
    a.buffers[0] = nullptr;
    if (present == n_) return;
    Memory bitmap = allocate_zeroed(bitmap_bytes(n_));
    std::memcpy(bitmap.get(), words_.data(), words_.size() * 8);
    a.buffers[0] = arena.keep(std::move(bitmap), bitmap_bytes(n_));
  }

 private:
  void cut() {
    if (n_ % 64 != 0 && !words_.empty()) words_.back() &= (std::uint64_t{1} << (n_ % 64)) - 1;
  }
  std::vector<std::uint64_t> words_;
  std::size_t n_;
};

bool valid_at(const ArrowArray& a, std::size_t i) {
  return a.null_count == 0 || !a.buffers[0] || (static_cast<const std::uint8_t*>(a.buffers[0])[i >> 3] >> (i & 7) & 1) != 0;
}
bool all_null(const ArrowArray& a) { return a.length == a.null_count; }

std::string_view plain_at(const ArrowArray& a, std::size_t i) {
  const auto* offsets = static_cast<const std::int32_t*>(a.buffers[1]);
  const auto n = static_cast<std::size_t>(offsets[i + 1] - offsets[i]);
  return n == 0 ? std::string_view() : std::string_view(static_cast<const char*>(a.buffers[2]) + offsets[i], n);
}
// Of a valid slot.
std::string_view text_at(const ArrowArray& a, std::size_t i) {
  return a.dictionary ? plain_at(*a.dictionary, static_cast<std::size_t>(static_cast<const std::int32_t*>(a.buffers[1])[i]))
                      : plain_at(a, i);
}

template <class T>
const T* numbers(const ArrowArray& a) {
  return static_cast<const T*>(a.buffers[1]);
}

// A valid slot as JSON. False: there is nothing in it, and nothing was appended.
bool append_json(std::string& out, const TableNode& node, const ArrowArray& a, std::size_t i) {
  switch (node.kind) {
    case Kind::structure: {
      const std::size_t mark = out.size();
      for (std::size_t c = 0; c < node.children.size(); ++c) {
        const ArrowArray& child = *a.children[c];
        if (!valid_at(child, i)) continue;
        const std::size_t before = out.size();
        out += before == mark ? '{' : ',';
        json::append_quoted(out, node.children[c]->name);
        out += ':';
        if (!append_json(out, *node.children[c], child, i)) out.resize(before);
      }
      if (out.size() == mark) return false;
      out += '}';
      return true;
    }
    case Kind::list: {
      const auto* offsets = numbers<std::int32_t>(a);
      out += '[';
      for (std::int32_t e = offsets[i]; e < offsets[i + 1]; ++e) {
        if (e != offsets[i]) out += ',';
        const auto slot = static_cast<std::size_t>(e);
        if (!valid_at(*a.children[0], slot)) {
          out += "null";
        } else if (!append_json(out, *node.children[0], *a.children[0], slot)) {
          out += "{}";
        }
      }
      out += ']';
      return true;
    }
    case Kind::leaf: break;
  }
  switch (node.type) {
    case LeafType::int32: fmt::format_to(std::back_inserter(out), "{}", numbers<std::int32_t>(a)[i]); break;
    case LeafType::int64: fmt::format_to(std::back_inserter(out), "{}", numbers<std::int64_t>(a)[i]); break;
    case LeafType::float64:
      if (!std::isfinite(numbers<double>(a)[i])) return false;  // JSON has no word for it
      fmt::format_to(std::back_inserter(out), "{}", numbers<double>(a)[i]);
      break;
    case LeafType::boolean: out += (numbers<std::uint8_t>(a)[i >> 3] >> (i & 7) & 1) != 0 ? "true" : "false"; break;
    case LeafType::json: {
      const std::string_view text = text_at(a, i);
      if (text.empty()) return false;
      out += text;
      break;
    }
    default: json::append_quoted(out, text_at(a, i));
  }
  return true;
}

// One batch of one table.
class Runner {
 public:
  Runner(const Projection& plan, ArrayArena& arena, const ArrowArray& in, std::size_t most_bytes)
      : plan_(plan),
        arena_(arena),
        in_(in),
        rows_(static_cast<std::size_t>(in.length)),
        most_(in.length == 1 ? kLargest : std::min(most_bytes, kLargest)) {
    read_profiles();
  }

  ArrowArray& run() {
    ArrowArray& root = structure(plan_.root, &in_, rows_);
    root.null_count = 0, root.buffers[0] = nullptr;
    return root;
  }

 private:
  static constexpr auto kLargest = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());

  void check_size(std::size_t bytes) const {
    if (bytes > most_) throw TooLarge{};
  }

  // The profiles of the batch: the same in every row, because a parser declares them.
  void read_profiles() {
    const TableNode& from = *plan_.from;
    for (std::size_t m = 0; m < from.children.size(); ++m) {
      if (from.children[m]->name != "metadata") continue;
      for (std::size_t p = 0; p < from.children[m]->children.size(); ++p) {
        if (from.children[m]->children[p]->name != "profiles") continue;
        const ArrowArray& list = *in_.children[m]->children[p];
        if (rows_ == 0 || !valid_at(list, 0)) return;
        for (std::int32_t e = numbers<std::int32_t>(list)[0]; e < numbers<std::int32_t>(list)[1]; ++e) {
          const std::string_view name = text_at(*list.children[0], static_cast<std::size_t>(e));
          (plan_.profiles.contains(name) ? profiles_ : strange_).emplace_back(name);
        }
      }
    }
  }

  // ---- Columns ----

  // `parent` is the source's array of the struct that the node lies in, or null.
  ArrowArray& build(const Node& plan, const ArrowArray* parent, std::size_t rows, const std::vector<ArrowArray*>& before) {
    const ArrowArray* in = parent && plan.in >= 0 ? parent->children[plan.in] : nullptr;
    using Make = Node::Make;
    switch (plan.make) {
      case Make::text:
        return constant(plan.texts, rows, [](std::size_t) { return 0; });  // never one of those that are filled, which are plain
      case Make::number: return constant_number(plan, rows);
      case Make::type_uid: return type_uid(plan, *before[static_cast<std::size_t>(plan.beside)], rows);
      case Make::type_name: return type_name(plan, *before[static_cast<std::size_t>(plan.beside)], rows);
      case Make::profiles: return profiles(plan, rows);
      case Make::either: return either(in, parent ? parent->children[plan.second] : nullptr, *plan.to, rows);
      case Make::stamp: return share_array(arena_, *parent->children[plan.second]);
      default: break;
    }
    if (plan.make == Make::unmapped) return unmapped(*in);
    if (!in || all_null(*in)) return null_array(arena_, zeroes_, *plan.to, rows);
    switch (plan.make) {
      case Make::structure: return structure(plan, in, rows);
      case Make::list: return list(plan, *in);
      case Make::integer: return integer(plan, *in);
      case Make::narrow: return narrow(*in);
      case Make::widen: return widen(*in);
      case Make::plain: return plain(*in, nullptr, nullptr);
      case Make::json_text: return json_text(*plan.from, *in);
      default: return share_array(arena_, *in);
    }
  }

  ArrowArray& structure(const Node& plan, const ArrowArray* in, std::size_t rows) {
    ArrowArray& a = arena_.add(static_cast<std::int64_t>(rows), 1);
    std::vector<ArrowArray*> children;
    children.reserve(plan.children.size());
    for (const Node& child : plan.children) children.push_back(&build(child, in, rows, children));
    a.null_count = in->null_count;
    if (in->null_count != 0) a.buffers[0] = in->buffers[0];
    arena_.set_children(a, std::move(children));
    if (plan.lost && !plan.element && &plan != &plan_.root) {
      Bits some(rows, false);
      for (std::size_t c = 0; c < plan.children.size(); ++c) some |= Bits::of(*a.children[c]);
      some &= Bits::of(a);
      some.put(arena_, a);
    }
    if (!plan.required.empty() || plan.filler) complete(plan, a, Bits::of(a));
    return a;
  }

  ArrowArray& list(const Node& plan, const ArrowArray& in) {
    ArrowArray& a = arena_.add(in.length, 2);
    a.null_count = in.null_count;
    a.buffers[0] = in.null_count ? in.buffers[0] : nullptr, a.buffers[1] = in.buffers[1];
    arena_.set_children(a, {&build(plan.children[0], &in, static_cast<std::size_t>(in.children[0]->length), {})});
    return a;
  }

  ArrowArray& like(const ArrowArray& in) {
    ArrowArray& a = arena_.add(in.length, 2);
    a.null_count = in.null_count;
    a.buffers[0] = in.null_count ? in.buffers[0] : nullptr;
    return a;
  }

  ArrowArray& integer(const Node& plan, const ArrowArray& in) {
    const auto n = static_cast<std::size_t>(in.length);
    const auto* from = numbers<std::int32_t>(in);
    const auto strange = [&](std::size_t i) { return valid_at(in, i) && !plan.rule->keeps(from[i]); };
    std::size_t first = 0;
    while (first < n && !strange(first)) ++first;
    if (first == n) return share_array(arena_, in);
    ArrowArray& a = like(in);
    Memory values = allocate(n * 4);
    std::memcpy(values.get(), from, n * 4);
    Bits valid = Bits::of(in);
    for (std::size_t i = first; i < n; ++i) {
      if (!strange(i)) continue;
      if (plan.rule->other) {
        slots<std::int32_t>(values)[i] = *plan.rule->other;
      } else {
        valid.clear(i);
      }
    }
    valid.put(arena_, a);
    a.buffers[1] = arena_.keep(std::move(values), n * 4);
    return a;
  }

  static bool is_small(std::int64_t value) {
    return value >= std::numeric_limits<std::int32_t>::min() && value <= std::numeric_limits<std::int32_t>::max();
  }

  ArrowArray& narrow(const ArrowArray& in) {
    const auto n = static_cast<std::size_t>(in.length);
    ArrowArray& a = like(in);
    Memory values = allocate_zeroed(n * 4);
    Bits valid = Bits::of(in);
    for (std::size_t i = 0; i < n; ++i) {
      if (const std::int64_t value = numbers<std::int64_t>(in)[i]; is_small(value)) {
        slots<std::int32_t>(values)[i] = static_cast<std::int32_t>(value);
      } else {
        valid.clear(i);
      }
    }
    valid.put(arena_, a);
    a.buffers[1] = arena_.keep(std::move(values), n * 4);
    return a;
  }

  ArrowArray& widen(const ArrowArray& in) {
    const auto n = static_cast<std::size_t>(in.length);
    ArrowArray& a = like(in);
    Memory values = allocate(n * 8);
    for (std::size_t i = 0; i < n; ++i) slots<std::int64_t>(values)[i] = numbers<std::int32_t>(in)[i];
    a.buffers[1] = arena_.keep(std::move(values), n * 8);
    return a;
  }

  // Text without a dictionary: `in`, where that is null `second`, and `text` where `missing` has a bit.
  struct Filled {
    const Bits* missing = nullptr;
    std::string_view text;
  };
  ArrowArray& plain(const ArrowArray& in, const ArrowArray* second, const Filled* filled) {
    const auto n = static_cast<std::size_t>(in.length);
    const auto value = [&](std::size_t i) -> std::optional<std::string_view> {
      if (filled && filled->missing->at(i)) return filled->text;
      if (valid_at(in, i)) return text_at(in, i);
      if (second && valid_at(*second, i)) return text_at(*second, i);
      return {};
    };
    std::size_t size = 0;
    for (std::size_t i = 0; i < n; ++i) size += value(i).value_or(std::string_view()).size();
    check_size(size);
    ArrowArray& a = arena_.add(in.length, 3);
    Memory offsets = allocate((n + 1) * 4), text = allocate(size);
    Bits valid(n, false);
    std::size_t at = 0;
    slots<std::int32_t>(offsets)[0] = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (const auto v = value(i)) {
        if (!v->empty()) std::memcpy(text.get() + at, v->data(), v->size());
        at += v->size();
        valid.set(i);
      }
      slots<std::int32_t>(offsets)[i + 1] = static_cast<std::int32_t>(at);
    }
    valid.put(arena_, a);
    a.buffers[1] = arena_.keep(std::move(offsets), (n + 1) * 4);
    a.buffers[2] = arena_.keep(std::move(text), size);
    return a;
  }

  ArrowArray& either(const ArrowArray* first, const ArrowArray* second, const TableNode& node, std::size_t rows) {
    if (!first && !second) return null_array(arena_, zeroes_, node, rows);
    return first ? plain(*first, second, nullptr) : plain(*second, nullptr, nullptr);
  }

  ArrowArray& texts(std::string&& all, const std::vector<std::int32_t>& ends, const Bits& valid) {
    const std::size_t n = ends.size();
    ArrowArray& a = arena_.add(static_cast<std::int64_t>(n), 3);
    Memory offsets = allocate((n + 1) * 4);
    slots<std::int32_t>(offsets)[0] = 0;
    if (n != 0) std::memcpy(offsets.get() + 4, ends.data(), n * 4);
    const auto kept = std::make_shared<const std::string>(std::move(all));
    arena_.keep(kept);
    valid.put(arena_, a);
    a.buffers[1] = arena_.keep(std::move(offsets), (n + 1) * 4 + kept->size());
    a.buffers[2] = kept->data();
    return a;
  }

  ArrowArray& json_text(const TableNode& from, const ArrowArray& in) {
    const auto n = static_cast<std::size_t>(in.length);
    std::string all;
    std::vector<std::int32_t> ends(n);
    Bits valid(n, false);
    for (std::size_t i = 0; i < n; ++i) {
      if (valid_at(in, i) && append_json(all, from, in, i)) valid.set(i);
      check_size(all.size());
      ends[i] = static_cast<std::int32_t>(all.size());
    }
    return texts(std::move(all), ends, valid);
  }

  // ---- What says which class and version an event is of ----

  template <class Code>
  ArrowArray& constant(const std::vector<std::string>& values, std::size_t rows, Code&& code) {
    ArrowArray& a = arena_.add(static_cast<std::int64_t>(rows), 2);
    Memory codes = allocate(rows * 4);
    for (std::size_t i = 0; i < rows; ++i) slots<std::int32_t>(codes)[i] = code(i);
    a.buffers[1] = arena_.keep(std::move(codes), rows * 4);
    std::string all;
    std::vector<std::int32_t> ends;
    for (const std::string& value : values) {
      all += value;
      ends.push_back(static_cast<std::int32_t>(all.size()));
    }
    a.dictionary = &texts(std::move(all), ends, Bits(values.size(), true));
    return a;
  }

  ArrowArray& constant_number(const Node& plan, std::size_t rows) {
    ArrowArray& a = arena_.add(static_cast<std::int64_t>(rows), 2);
    Memory values = allocate(rows * 4);
    for (std::size_t i = 0; i < rows; ++i) slots<std::int32_t>(values)[i] = static_cast<std::int32_t>(plan.number);
    a.buffers[1] = arena_.keep(std::move(values), rows * 4);
    return a;
  }

  ArrowArray& type_uid(const Node& plan, const ArrowArray& activity, std::size_t rows) {
    ArrowArray& a = arena_.add(static_cast<std::int64_t>(rows), 2);
    Memory values = allocate(rows * 8);
    for (std::size_t i = 0; i < rows; ++i) {
      slots<std::int64_t>(values)[i] = plan.number * 100 + (valid_at(activity, i) ? numbers<std::int32_t>(activity)[i] : 0);
    }
    a.buffers[1] = arena_.keep(std::move(values), rows * 8);
    return a;
  }

  ArrowArray& type_name(const Node& plan, const ArrowArray& activity, std::size_t rows) {
    Bits valid(rows, true);
    ArrowArray& a = constant(plan.texts, rows, [&](std::size_t i) {
      const std::int32_t id = valid_at(activity, i) ? numbers<std::int32_t>(activity)[i] : 0;
      const auto at = std::find(plan.ids.begin(), plan.ids.end(), id);
      if (at == plan.ids.end()) valid.clear(i);
      return at == plan.ids.end() ? 0 : static_cast<std::int32_t>(at - plan.ids.begin());
    });
    valid.put(arena_, a);
    return a;
  }

  ArrowArray& profiles(const Node& plan, std::size_t rows) {
    std::vector<std::string> names = profiles_;
    if (plan_.adds_datetime && std::find(names.begin(), names.end(), "datetime") == names.end()) names.emplace_back("datetime");
    if (names.empty()) return null_array(arena_, zeroes_, *plan.to, rows);
    check_size(rows * names.size() * 4);
    ArrowArray& a = arena_.add(static_cast<std::int64_t>(rows), 2);
    Memory offsets = allocate((rows + 1) * 4);
    for (std::size_t i = 0; i <= rows; ++i) slots<std::int32_t>(offsets)[i] = static_cast<std::int32_t>(i * names.size());
    a.buffers[1] = arena_.keep(std::move(offsets), (rows + 1) * 4);
    arena_.set_children(
        a, {&constant(names, rows * names.size(), [&](std::size_t i) { return static_cast<std::int32_t>(i % names.size()); })});
    return a;
  }

  // ---- What the version requires ----

  // Of the objects in `there`.
  void complete(const Node& plan, ArrowArray& a, const Bits& there) {
    const auto has = [&](std::string_view profile) {
      return profile.empty() || std::find(profiles_.begin(), profiles_.end(), profile) != profiles_.end();
    };
    for (const Node::Required& r : plan.required) {
      if (!has(r.profile)) continue;
      Bits missing = there;
      missing -= Bits::of(*a.children[r.child]);
      fill(plan.children[r.child], *a.children[r.child], missing);
    }
    if (!plan.filler) return;
    Bits missing = there;
    for (const std::size_t c : plan.among) missing -= Bits::of(*a.children[c]);
    fill(plan.children[*plan.filler], *a.children[*plan.filler], missing);
  }

  // Writes OCSF's words for the unknown where `missing` has a bit; `a` is null there.
  void fill(const Node& plan, ArrowArray& a, const Bits& missing) {
    if (missing.none()) return;
    const TableNode& node = *plan.to;
    const auto n = static_cast<std::size_t>(a.length);
    Bits valid = Bits::of(a);
    valid |= missing;
    if (node.kind == Kind::structure) {
      for (std::int64_t c = 0; c < a.n_children; ++c) {
        // What lies in a null struct does not count; now it would.
        Bits left = Bits::of(*a.children[c]);
        left -= missing;
        left.put(arena_, *a.children[c]);
      }
      valid.put(arena_, a);
      return complete(plan, a, missing);
    }
    if (node.kind == Kind::list) return fill_list(a, missing);
    switch (node.type) {
      case LeafType::dictionary: return;
      case LeafType::text:
      case LeafType::json: {
        const Filled with{&missing, node.type == LeafType::json ? std::string_view("{}") : kUnknown};
        ArrowArray& fresh = plain(a, nullptr, &with);
        a.null_count = fresh.null_count;
        std::copy(fresh.buffers, fresh.buffers + 3, a.buffers);
        fresh.release(&fresh);  // the memory is the arena's
        return;
      }
      case LeafType::boolean: {
        Memory values = allocate_zeroed(bitmap_bytes(n));
        std::memcpy(values.get(), a.buffers[1], (n + 7) / 8);
        for (std::size_t i = 0; i < n; ++i) {
          if (missing.at(i)) slots<std::uint8_t>(values)[i >> 3] &= static_cast<std::uint8_t>(~(1u << (i & 7)));
        }
        a.buffers[1] = arena_.keep(std::move(values), bitmap_bytes(n));
        break;
      }
      default: {
        const std::size_t width = node.type == LeafType::int32 ? 4 : 8;
        const std::int64_t unknown = node.type == LeafType::float64 ? 0 : plan.number;
        Memory values = allocate(n * width);
        std::memcpy(values.get(), a.buffers[1], n * width);
        for (std::size_t i = 0; i < n; ++i) {
          if (!missing.at(i)) continue;
          if (width == 4) {
            slots<std::int32_t>(values)[i] = static_cast<std::int32_t>(unknown);
          } else {
            slots<std::int64_t>(values)[i] = unknown;
          }
        }
        a.buffers[1] = arena_.keep(std::move(values), n * width);
      }
    }
    valid.put(arena_, a);
  }

  // A list of text gets one element.
  void fill_list(ArrowArray& a, const Bits& missing) {
    const auto n = static_cast<std::size_t>(a.length);
    const ArrowArray& items = *a.children[0];
    if (items.n_buffers != 3) return;
    std::string all;
    std::vector<std::int32_t> ends;
    std::vector<bool> there;
    Memory offsets = allocate((n + 1) * 4);
    slots<std::int32_t>(offsets)[0] = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (missing.at(i)) {
        all += kUnknown;
        ends.push_back(static_cast<std::int32_t>(all.size())), there.push_back(true);
      } else if (valid_at(a, i)) {
        for (std::int32_t e = numbers<std::int32_t>(a)[i]; e < numbers<std::int32_t>(a)[i + 1]; ++e) {
          const auto slot = static_cast<std::size_t>(e);
          there.push_back(valid_at(items, slot));
          if (there.back()) all += text_at(items, slot);
          check_size(all.size());
          ends.push_back(static_cast<std::int32_t>(all.size()));
        }
      }
      slots<std::int32_t>(offsets)[i + 1] = static_cast<std::int32_t>(ends.size());
    }
    Bits valid_items(there.size(), false);
    for (std::size_t i = 0; i < there.size(); ++i) {
      if (there[i]) valid_items.set(i);
    }
    Bits valid = Bits::of(a);
    valid |= missing;
    a.buffers[1] = arena_.keep(std::move(offsets), (n + 1) * 4);
    ArrowArray& fresh = texts(std::move(all), ends, valid_items);
    a.children[0]->release(a.children[0]);
    arena_.set_children(a, {&fresh});
    valid.put(arena_, a);
  }

  // ---- What the version lacks ----

  // Whether `decides` holds for some value at the end of the way.
  template <class Decides>
  static bool any(const Way& way, std::size_t at, const ArrowArray& parent, std::size_t i, Decides&& decides) {
    const ArrowArray& a = *parent.children[way[at].child];
    if (!valid_at(a, i)) return false;
    const bool last = at + 1 == way.size();
    if (last && a.n_children != 1) return decides(a, i);
    if (!last && !way[at].list) return any(way, at + 1, a, i, decides);
    for (std::int32_t e = numbers<std::int32_t>(a)[i]; e < numbers<std::int32_t>(a)[i + 1]; ++e) {
      const auto slot = static_cast<std::size_t>(e);
      if (!valid_at(*a.children[0], slot)) continue;
      if (last ? decides(*a.children[0], slot) : any(way, at + 1, *a.children[0], slot, decides)) return true;
    }
    return false;
  }

  bool holds(const Move& move, std::size_t row) const {
    switch (move.when) {
      case Move::When::there: return true;
      case Move::When::beside: return any(move.judged, 0, in_, row, [](const ArrowArray&, std::size_t) { return true; });
      case Move::When::too_large:
        return any(move.judged, 0, in_, row, [](const ArrowArray& a, std::size_t i) { return !is_small(numbers<std::int64_t>(a)[i]); });
      case Move::When::replaced: break;
    }
    return any(move.judged, 0, in_, row,
               [&](const ArrowArray& a, std::size_t i) { return !move.rule->keeps(numbers<std::int32_t>(a)[i]); });
  }

  // Whether there may be a value in some row.
  bool is_active(const Move& move) const {
    const ArrowArray* a = &in_;
    for (const Step& step : move.way) {
      a = a->children[step.child];
      if (all_null(*a)) return false;
      if (step.list) a = a->children[0];
    }
    return true;
  }

  // The value at the end of the way, with an array for every list on it. False: there is none, and nothing was appended.
  static bool append_moved(std::string& out, const Move& move, std::size_t at, const ArrowArray& parent, std::size_t i) {
    const ArrowArray& a = *parent.children[move.way[at].child];
    if (!valid_at(a, i)) return false;
    if (at + 1 == move.way.size()) return append_json(out, *move.node, a, i);
    if (!move.way[at].list) return append_moved(out, move, at + 1, a, i);
    const std::size_t mark = out.size();
    bool some = false;
    out += '[';
    for (std::int32_t e = numbers<std::int32_t>(a)[i]; e < numbers<std::int32_t>(a)[i + 1]; ++e) {
      const auto slot = static_cast<std::size_t>(e);
      if (out.size() != mark + 1) out += ',';
      if (valid_at(*a.children[0], slot) && append_moved(out, move, at + 1, *a.children[0], slot)) {
        some = true;
      } else {
        out += "null";
      }
    }
    out += ']';
    if (!some) out.resize(mark);
    return some;
  }

  // What a row has in `unmapped` already.
  struct Had {
    bool object = false;  // it is a JSON object
    std::size_t members = 0;
    std::set<std::string, std::less<>> taken;  // keys that a moved value would have
  };

  Had read_had(std::string_view text) {
    Had had;
    if (text.empty()) return had;
    had.object = reader_.read(text, [&](std::string_view key, json::Value&) {
      ++had.members;
      if (plan_.paths.contains(key) || key == kProfiles || key == kText || key.starts_with(catalogue().version)) had.taken.emplace(key);
    });
    return had;
  }

  // No two members have the same key: a source's own field that is called as the attribute keeps the name.
  static void append_key(std::string& out, const Had& had, std::string_view path, std::string_view key) {
    if (!had.taken.contains(path)) {
      if (key.empty()) {
        json::append_quoted(out, path);
        out += ':';
      } else {
        out += key;
      }
      return;
    }
    std::string other(path);
    while (had.taken.contains(other)) other = fmt::format("{}:{}", catalogue().version, other);
    json::append_quoted(out, other);
    out += ':';
  }

  ArrowArray& unmapped(const ArrowArray& in) {
    std::vector<const Move*> active;
    for (const Move& move : plan_.moves) {
      if (is_active(move)) active.push_back(&move);
    }
    if (active.empty() && strange_.empty()) return share_array(arena_, in);
    std::string all, more;
    std::vector<std::int32_t> ends(rows_);
    Bits valid(rows_, false);
    for (std::size_t row = 0; row < rows_; ++row) {
      const std::string_view text = valid_at(in, row) ? text_at(in, row) : std::string_view();
      const Had had = read_had(text);
      more.clear();
      const auto comma = [&] { more += ','; };
      for (const Move* move : active) {
        if (!holds(*move, row)) continue;
        const std::size_t mark = more.size();
        comma();
        append_key(more, had, move->path, move->key);
        if (!append_moved(more, *move, 0, in_, row)) more.resize(mark);
      }
      if (!strange_.empty()) {
        comma();
        append_key(more, had, kProfiles, {});
        for (std::size_t i = 0; i < strange_.size(); ++i) {
          more += i == 0 ? '[' : ',';
          json::append_quoted(more, strange_[i]);
        }
        more += ']';
      }
      if (!text.empty() && !had.object && !more.empty()) {
        // No parser should do that; its text is kept as such.
        comma();
        append_key(more, had, kText, {});
        json::append_quoted(more, text);
      }
      if (more.empty()) {
        all += text;
      } else {
        all += had.object ? text.substr(0, text.rfind('}')) : std::string_view("{");
        all += had.members == 0 ? std::string_view(more).substr(1) : std::string_view(more);
        all += '}';
      }
      check_size(all.size());
      if (valid_at(in, row) || !more.empty()) valid.set(row);
      ends[row] = static_cast<std::int32_t>(all.size());
    }
    return texts(std::move(all), ends, valid);
  }

  static constexpr std::string_view kProfiles = "metadata.profiles", kText = "unmapped";

  const Projection& plan_;
  ArrayArena& arena_;
  const ArrowArray& in_;
  const std::size_t rows_;
  const std::size_t most_;
  std::vector<std::string> profiles_, strange_;  // that the version's class has, and has not
  Zeroes zeroes_;
  json::Reader reader_;
};

}  // namespace

VersionedTables::VersionedTables() = default;
VersionedTables::~VersionedTables() = default;

Result<std::unique_ptr<VersionedTables>> VersionedTables::make(const TableSet& made, std::string_view version, TableColumns columns) {
  const ocsf::Catalogue* wanted = ocsf_catalogue(version);
  if (!wanted)
    return fail(Errc::invalid, fmt::format("there is no OCSF {} here; there are: {}", version, fmt::join(ocsf_versions(), ", ")));
  std::unique_ptr<VersionedTables> out(new VersionedTables);
  Planner planner(*wanted, columns);
  const std::vector<const Table*> sources = made.all();
  for (const Table* source : sources) {
    const ocsf::Class& to = planner.class_of(*source);
    auto& table = out->tables_[to.uid];
    if (!table) {
      table = std::make_unique<Table>();
      table->name = to.name;
      table->class_uid = to.uid;
      table->ocsf_class = &to;
    }
    planner.extend(*table, *source);
  }
  for (auto& [uid, table] : out->tables_) planner.complete(*table);
  for (const Table* source : sources) {
    auto& projection = out->projections_[source];
    projection = std::make_unique<Projection>();
    planner.plan(*projection, *source, *out->tables_.at(planner.class_of(*source).uid));
  }
  return out;
}

const Table& VersionedTables::of(const Table& made) const { return *projections_.at(&made)->table; }

Result<std::vector<ConformedBatch>> VersionedTables::project(const Table& made, ConformedBatch& batch, std::size_t most_bytes) const {
  const Projection& plan = *projections_.at(&made);
  std::vector<ConformedBatch> out;
  std::vector<ArrowArray> waiting{std::exchange(batch.array, ArrowArray{})};
  const auto give_up = [&] {
    for (ArrowArray& a : waiting) a.release(&a);
    for (ConformedBatch& b : out) b.array.release(&b.array);
  };
  while (!waiting.empty()) {
    auto arena = ArrayArena::make();
    try {
      ArrowArray& root = Runner(plan, *arena, waiting.back(), most_bytes).run();
      ConformedBatch& done = out.emplace_back();
      const ArrowArray& held = arena->hold(&waiting.back());
      waiting.pop_back();
      done.bytes = arena->bytes() + (held.length == 0 ? 0 : batch.bytes);
      done.instance = batch.instance, done.epoch = batch.epoch;
      ArrayArena::finish(std::move(arena), root, &done.array);
    } catch (const TooLarge&) {
      const auto rows = static_cast<std::size_t>(waiting.back().length);
      if (rows == 1) {
        give_up();
        return fail(Errc::unsupported, fmt::format("a row of {} would have more than 2 GiB in one column", made.name));
      }
      ArrowArray first{}, second{};
      split_rows(plan.schema, &waiting.back(), rows / 2, &first, &second);
      waiting.back() = second;
      waiting.push_back(first);
    } catch (...) {
      give_up();
      throw;
    }
  }
  return out;
}

}  // namespace lm
