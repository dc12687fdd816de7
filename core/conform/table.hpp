// The tables that sinks see: for every OCSF class that some parser fills, the union of what parsers declare and what the host derives, in OCSF order. A table's
// schema depends on the installed parsers, never on the data of one run.
#pragma once

#include "base/result.hpp"

#include <logmill/plugin.h>
#include <logmill/ocsf/v1_8_0.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lm {

// The OCSF version that events are made in.
inline const ocsf::Catalogue& catalogue() { return ocsf::v1_8::catalogue; }
inline std::string_view view(lm_str s) { return {s.data, static_cast<std::size_t>(s.size)}; }

enum class LeafType : std::uint8_t { dictionary, text, json, int32, int64, float64, boolean };

struct TableNode {
  enum class Kind : std::uint8_t { structure, list, leaf };
  Kind kind = Kind::structure;
  std::string name;  // "item" for the element of a list
  std::string path;  // OCSF, "[]" behind arrays; a list and its element share it
  LeafType type = LeafType::text;
  std::string ocsf_type;                             // "timestamp_t"
  const ocsf::Attribute* attribute = nullptr;        // null for the root
  std::vector<std::unique_ptr<TableNode>> children;  // in OCSF order; one for a list
};

struct Table {
  std::string name;
  std::uint32_t class_uid = 0;
  const ocsf::Class* ocsf_class = nullptr;
  std::set<std::string, std::less<>> profiles;  // that some parser declares
  TableNode root;

  // A struct schema for sinks: JSON text is marked as arrow.json, and every leaf has its OCSF type under "ocsf.type".
  void export_schema(ArrowSchema* out) const;
};

// What one parser fills in one class: checked against OCSF.
struct DeclaredColumn {
  std::string path;
  bool dictionary = false;
  std::string constant;
};

class TableSet {
 public:
  // Adds a parser's class. Errc::plugin: a path is not OCSF; the message names it and says why.
  Result<void> add(const lm_class&);
  const Table* find(std::uint32_t class_uid) const;
  std::vector<const Table*> all() const;  // by name

 private:
  std::map<std::uint32_t, std::unique_ptr<Table>> tables_;
  // By class, what was declared: most parsers of a class declare what others did, and need not have it resolved again.
  std::map<std::uint32_t, std::set<std::pair<std::string, bool>>> declared_;  // path, and whether its text repeats
};

}  // namespace lm
