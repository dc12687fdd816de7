// From a table's Arrow schema to Parquet's: the schema elements, and for every leaf column the way to it and its levels.
//
// Every column is optional, structs too; a list is the standard three levels: an optional group (LIST) of a repeated group `list` of an optional
// `element`. A definition level is then the number of nodes on the way that are there, where an empty list counts as one less than one with elements.
#pragma once

#include "common/error.hpp"

#include <logmill/arrow.h>

#include <cstdint>
#include <string>
#include <vector>

namespace lm::sink::parquet {

enum class LeafKind : std::uint8_t { coded, text, json, int32, int64, timestamp, float64, boolean };

// What a schema element is; the numbers and names that Parquet has for it are in footer.cpp.
enum class ElementKind : std::uint8_t { root, group, list, repeated, leaf };

struct Element {
  ElementKind kind = ElementKind::leaf;
  LeafKind leaf = LeafKind::text;
  std::string name;
  std::int32_t children = 0;
};

// A list, seen from the elements that it lies in: the rows, or the elements of another list.
struct Anchor {
  std::int32_t parent = -1;         // another anchor; -1: the rows
  std::vector<std::int32_t> steps;  // child indices from the parent's element (or the row) to the list
  std::uint8_t full = 0;            // the definition level of a slot that has an element, before the element's own validity
  std::uint8_t repetition = 0;      // the repetition level of the second and later elements
};

struct Leaf {
  LeafKind kind = LeafKind::text;
  std::vector<std::string> path;
  std::int32_t anchor = -1;
  std::vector<std::int32_t> steps;
  std::uint8_t max_definition = 0, max_repetition = 0;
  std::string name;        // as OCSF and users write it: "observables.value"
  bool looked_up = false;  // holds what an investigator has in hand and looks for: addresses, users, ARNs, access keys, hosts, hashes
};

// Whether columns say more of their values than OCSF's types do: that milliseconds are timestamps, and which text is JSON. Plain: only what has the type datetime_t is a timestamp.
enum class Annotations : std::uint8_t { all, plain };

struct TableSchema {
  std::vector<Element> elements;  // depth first, as the footer wants them
  std::vector<Anchor> anchors;    // a parent stands before its children
  std::vector<Leaf> leaves;

  // LM_UNSUPPORTED, with the column's path, for a type that tables do not have.
  static Result<TableSchema> make(const ArrowSchema& schema, Annotations annotations = Annotations::all);
};

// The value of a key in a schema's metadata; empty if there is none.
std::string_view schema_metadata(const ArrowSchema& schema, std::string_view key);

}  // namespace lm::sink::parquet
