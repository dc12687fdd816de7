// The table that says what becomes of an event in a document of another schema: to which data set it belongs, and where each field has its value from. It is
// YAML that users may write; ecs.yaml is the one that is built in, and says at its top how it is read. Nothing here knows any table's columns.
#pragma once

#include "common/error.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lm::sink {

// Of fields in index templates; also what a value must be to be written. inner: it is within a flattened field.
enum class FieldType : std::uint8_t { keyword, wildcard, text, ip, date, integer, number, boolean, flattened, point, unindexed, inner };

// One step of a path through an event: `a`, `[2]`, `[]`, `[type_id=2]`.
struct Step {
  enum class Kind : std::uint8_t { member, index, each, where };
  Kind kind = Kind::member;
  std::string name;  // member; where: the member that is compared
  std::string value;
  std::size_t index = 0;
  bool operator==(const Step&) const = default;
};
using Path = std::vector<Step>;

// Those from `before` on take a text.
struct Verb {
  enum class Kind : std::uint8_t { java, json, lower, upper, before, after, split, starting };
  Kind kind = Kind::java;
  std::string argument;
};

// What is not read from the event. May have {dataset}, {module}, {namespace} and {table} in it.
struct Constant {
  std::vector<std::string> texts;
};

struct Condition {
  enum class Kind : std::uint8_t { one_of, present, absent };
  Kind kind = Kind::present;
  std::vector<Path> paths;  // the first that is there is looked at
  std::vector<std::string> values;
};

// One place where a field may have its value from.
struct Alternative {
  std::vector<std::vector<Path>> from;  // of each the first that is there; more than one are joined, if all are there
  std::string join;
  std::optional<Constant> constant;  // instead of `from`
  std::vector<Verb> verbs;
  std::map<std::string, Constant, std::less<>> map;  // of the value's text; what is not in it is no value
  std::vector<Condition> when;
};

struct Rule {
  std::string field;
  FieldType type = FieldType::keyword;
  std::vector<Alternative> alternatives;  // the first that gives a value, or, of `all`, every one
  bool all = false;
};

struct Dataset {
  std::string name;
  std::vector<Condition> when;  // all hold; of the last data set there are none
  std::vector<Rule> rules;      // by field
};

struct Mapping {
  std::string event = "ocsf";     // the field that holds the event as it is; empty: none does
  std::vector<Dataset> datasets;  // the first whose conditions hold
  std::map<std::string, FieldType> types;
  std::map<std::string, FieldType> others;  // that index templates have, too: ingest pipelines may fill them

  // LM_INVALID says what is wrong and in which line.
  static Result<Mapping> parse(std::string_view yaml);
  // The one that is built in, for Elastic Common Schema.
  static std::string_view ecs();
};

// "resources[].uid", "unmapped.\"a.b\".c", "observables[type_id=2].value"; what is wrong is in the error.
Result<Path> parse_path(std::string_view text);

}  // namespace lm::sink
