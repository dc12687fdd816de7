// logmill/ocsf/catalogue.hpp -- what OCSF says: classes, objects, attributes, enums, captions, constraints, observables. Facts of one
// version are tables made at build time (logmill/ocsf/v1_8_0.hpp, from sdk/ocsf/ocsf-1.8.0.txt); this is how to look into them. Everything
// but Resolution::message() works at compile time and at run time, allocates nothing and never throws; all of it is constant, so any
// thread may use it.
//
//   constexpr auto r = lm::ocsf::v1_8::catalogue.resolve(6003, "resources[].owner.account.uid");
//   r.ok();  r.leaf->type == "string_t";
//   lm::ocsf::v1_8::catalogue.resolve(6003, "resources.uid").message() == "'resources' is an array: write 'resources[]'"
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lm::ocsf {

// How a value is held: every text type of OCSF is text; integer has 32 bits, long_integer 64; timestamp_t is a long integer of
// milliseconds; json_t, and the bare `object` of `unmapped`, are JSON text.
enum class Kind : std::uint8_t { text, integer, long_integer, floating, boolean, json, object };
enum class Requirement : std::uint8_t { optional, recommended, required };

struct EnumMember {
  std::int32_t value;
  std::string_view caption;
};

// A string literal that is used as a std::string_view. The attribute table has some twenty thousand texts: as an aggregate each costs the
// compiler a fraction of what a std::string_view's constructor does, which would be a second for every file that includes the table.
struct Literal {
  const char* chars;
  std::uint32_t length;

  constexpr std::string_view view() const { return {chars, length}; }
  constexpr operator std::string_view() const { return view(); }
  constexpr bool empty() const { return length == 0; }
  friend constexpr bool operator==(Literal a, Literal b) { return a.view() == b.view(); }
  friend constexpr bool operator==(Literal a, std::string_view b) { return a.view() == b; }
};

struct Attribute {
  Literal name;
  Literal type;  // "ip_t", "timestamp_t"; an object's name for Kind::object
  Literal profile;
  std::int32_t enum_first;
  std::uint16_t enum_count;
  std::int16_t object;      // index of the object, -1 for scalars
  std::int16_t sibling;     // index, in the catalogue's attributes, of the one that holds this id's caption; -1: none. Use sibling_of().
  std::uint8_t observable;  // observable.type_id; 0: none
  Kind kind;
  Requirement requirement;
  bool array, deprecated;
};

struct Object {
  std::string_view name;
  std::uint16_t first, count;  // attributes
  // Constraints: where in the catalogue's names, and how many of each kind. Use at_least_one() and just_one().
  std::uint16_t names, at_least_one, just_one;
  bool deprecated;
};

struct Class {
  std::string_view name, caption, category_name;
  std::uint32_t uid, category_uid;
  std::uint16_t first, count;                   // attributes
  std::uint16_t names, at_least_one, just_one;  // as in Object
  bool deprecated;
};

struct ClassId {
  std::uint32_t uid;
};

// Where a path may end.
enum class PathEnd : std::uint8_t { scalar, anywhere };

// What a path leads to, or why it leads nowhere.
struct Resolution {
  enum class Problem : std::uint8_t { none, no_class, unknown, is_array, is_no_array, is_object, is_no_object, empty };
  const Attribute* leaf = nullptr;
  bool datetime = false;  // the "_dt" sibling that every timestamp has: RFC 3339 text
  Problem problem = Problem::none;
  std::string_view segment;  // where the problem is

  constexpr bool ok() const { return problem == Problem::none; }
  std::string message() const {
    std::string quoted("'");  // built by append: g++ 12 warns of an overlap that is not there where a literal is added in front
    quoted.append(segment).append("'");
    switch (problem) {
      case Problem::none: return "";
      case Problem::no_class: return "no such class";
      case Problem::unknown: return quoted + " is no attribute there";
      case Problem::is_array: return quoted.append(" is an array: write '").append(segment).append("[]'");
      case Problem::is_no_array: return quoted + " is no array";
      case Problem::is_object: return quoted + " is an object: name one of its attributes";
      case Problem::is_no_object: return quoted + " is no object";
      case Problem::empty: return "an empty segment";
    }
    return "";
  }
};

struct Catalogue {
  std::string_view version;
  std::span<const Class> classes;         // by uid
  std::span<const Object> objects;        // by name
  std::span<const Attribute> attributes;  // each owner's own, by name: OCSF's order
  std::span<const EnumMember> members;
  std::span<const std::string_view> names;  // of the constraints

  constexpr const Class* find_class(std::uint32_t uid) const {
    for (const Class& c : classes) {
      if (c.uid == uid) return &c;
    }
    return nullptr;
  }
  constexpr const Class* find_class(std::string_view name) const {
    for (const Class& c : classes) {
      if (c.name == name) return &c;
    }
    return nullptr;
  }
  constexpr const Object* find_object(std::string_view name) const {
    for (const Object& o : objects) {
      if (o.name == name) return &o;
    }
    return nullptr;
  }
  constexpr std::span<const Attribute> attributes_of(const Class& c) const { return attributes.subspan(c.first, c.count); }
  constexpr std::span<const Attribute> attributes_of(const Object& o) const { return attributes.subspan(o.first, o.count); }
  constexpr const Object* object(std::int16_t index) const {
    return index < 0 || static_cast<std::size_t>(index) >= objects.size() ? nullptr : &objects[static_cast<std::size_t>(index)];
  }
  // OCSF's constraints: of these attributes (names, or paths such as "device.os.version") at least one, or exactly one, must be there.
  // Empty: no such constraint.
  template <class Owner>
  constexpr std::span<const std::string_view> at_least_one(const Owner& o) const {
    return names.subspan(o.names, o.at_least_one);
  }
  template <class Owner>
  constexpr std::span<const std::string_view> just_one(const Owner& o) const {
    return names.subspan(static_cast<std::size_t>(o.names) + o.at_least_one, o.just_one);
  }
  constexpr std::span<const EnumMember> members_of(const Attribute& a) const {
    return members.subspan(static_cast<std::size_t>(a.enum_first), a.enum_count);
  }
  // The attribute that holds the caption of this id (`status` of `status_id`), or null.
  constexpr const Attribute* sibling_of(const Attribute& a) const {
    return a.sibling < 0 ? nullptr : &attributes[static_cast<std::size_t>(a.sibling)];
  }

  constexpr const Attribute* find(std::span<const Attribute> owner, std::string_view name) const {
    const std::size_t at = index_of(owner, name);
    return at == owner.size() ? nullptr : &owner[at];
  }

  constexpr std::string_view caption(const Attribute& a, std::int32_t value) const {
    for (const EnumMember& m : members_of(a)) {
      if (m.value == value) return m.caption;
    }
    return {};
  }

  // Where the attribute stands in its owner, or the owner's size. (Indices, not pointers: comparing a pointer with null is no constant
  // expression for g++ under -fsanitize=undefined.)
  static constexpr std::size_t index_of(std::span<const Attribute> owner, std::string_view name) {
    std::size_t low = 0, high = owner.size();
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      const int order = owner[middle].name.view().compare(name);
      if (order == 0) return middle;
      (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
    }
    return owner.size();
  }

  // A dotted path with "[]" behind every array, to a scalar attribute; with PathEnd::anywhere also to an object.
  constexpr Resolution resolve(std::uint32_t class_uid, std::string_view path, PathEnd end_at = PathEnd::scalar) const {
    using Problem = Resolution::Problem;
    std::size_t c = 0;
    while (c < classes.size() && classes[c].uid != class_uid) ++c;
    if (c == classes.size()) return {nullptr, false, Problem::no_class, {}};
    std::span<const Attribute> owner = attributes_of(classes[c]);
    for (std::size_t begin = 0;;) {
      std::size_t end = begin;
      while (end < path.size() && path[end] != '.') ++end;
      std::string_view name = path.substr(begin, end - begin);
      const std::string_view written = name;
      const bool list = name.size() > 2 && name[name.size() - 1] == ']' && name[name.size() - 2] == '[';
      if (list) name = name.substr(0, name.size() - 2);
      if (name.empty()) return {nullptr, false, Problem::empty, written};
      const bool last = end == path.size();
      const std::size_t at = index_of(owner, name);
      if (at == owner.size()) {
        if (last && name.size() > 3 && name.substr(name.size() - 3) == "_dt") {
          const std::size_t stamp = index_of(owner, name.substr(0, name.size() - 3));
          if (stamp != owner.size() && owner[stamp].type == "timestamp_t" && owner[stamp].array == list) {
            return {&owner[stamp], true, Problem::none, {}};
          }
        }
        return {nullptr, false, Problem::unknown, written};
      }
      const Attribute& a = owner[at];
      if (a.array != list) return {nullptr, false, a.array ? Problem::is_array : Problem::is_no_array, name};
      if (last) {
        if (a.kind == Kind::object && end_at == PathEnd::scalar) return {nullptr, false, Problem::is_object, written};
        return {&a, false, Problem::none, {}};
      }
      if (a.kind != Kind::object) return {nullptr, false, Problem::is_no_object, written};
      owner = attributes_of(objects[static_cast<std::size_t>(a.object)]);
      begin = end + 1;
    }
  }
};

}  // namespace lm::ocsf
