// What runs have written into a folder, as tables: found by walking it, their columns by asking the sink of each file (logmill/sink_describe.h). Nothing is written here.
#pragma once

#include "base/result.hpp"
#include "plugin_host/plugin_host.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lm::catalog {

struct Type;

struct Field {
  std::string name;
  std::vector<Type> type;  // one; a vector because a type holds fields
  const Type& of() const { return type.front(); }
};

struct Type {
  enum class Kind : std::uint8_t { text, json, int32, int64, float64, boolean, timestamp, list, record } kind = Kind::text;
  std::vector<Field> fields;  // of a record; of a list its element, "element"
};

struct File {
  std::string name;                 // below the lake, as the file system has it
  std::vector<std::string> values;  // one a partition key, as the folders spell them
  std::uint64_t rows = 0, bytes = 0;
};

struct Table {
  std::string name;               // the last part of the folder; the whole, with '_' between, where two have the same
  std::string folder;             // below the lake; empty: the lake itself
  std::vector<std::string> keys;  // of its partitions, as the folders spell them
  std::vector<Field> columns;     // the union of what its files have
  bool uniform = true;            // all of its files have the same columns
  std::vector<File> files;        // by name
};

// Errc::invalid: files that cannot be tables of one kind, with the names; Errc::not_found: there are none.
Result<std::vector<Table>> read_lake(const SinkPlugin&, const std::filesystem::path& directory);

}  // namespace lm::catalog
