// Events in an older version of OCSF. They are made in one version (conform/table.hpp); a sink may be given tables and batches of another.
//
//   auto tables = VersionedTables::make(made, "1.1.0", TableColumns::filled);
//   const Table& table = (*tables)->of(*made.find(6003));          // what the sink sees; classes that the version lacks share a table
//   auto batches = (*tables)->project(*made.find(6003), batch);    // the same rows
//
// What the version has stays as it is, pointed at and not copied. What it lacks, at whatever depth, becomes a member of `unmapped` with its OCSF path as the key:
// {"actor.app_name":"kubectl"}; below a list it is an array with a place for every element: {"resources[].role":["Target",null]}. docs/adr/0022 has the rules.
#pragma once

#include "base/result.hpp"
#include "conform/conform.hpp"
#include "conform/table.hpp"

#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace lm {

// The versions that events can be had in, the one that they are made in first.
std::span<const std::string_view> ocsf_versions();
// Null: it is none of those.
const ocsf::Catalogue* ocsf_catalogue(std::string_view version);

// Which columns a table has: those that some parser fills, or all that the class has in the profiles of its parsers, time_dt among them, so that the schema
// is the same whatever parsers there are. An object within an object of its own type is JSON text then: OCSF's objects nest without end.
enum class TableColumns : std::uint8_t { filled, all };

class Projection;

// Immutable: any thread may use it. The tables that it was made of must outlive it.
class VersionedTables {
 public:
  // Errc::invalid: no such version.
  static Result<std::unique_ptr<VersionedTables>> make(const TableSet& made, std::string_view version, TableColumns);
  ~VersionedTables();

  const Table& of(const Table& made) const;
  // Takes the batch's array, whatever it answers. Several batches where text would outgrow `most_bytes` of a column. Errc::unsupported: one row does outgrow Arrow's 2 GiB.
  Result<std::vector<ConformedBatch>> project(const Table& made, ConformedBatch&, std::size_t most_bytes = std::size_t{256} << 20) const;

 private:
  VersionedTables();
  std::map<std::uint32_t, std::unique_ptr<Table>> tables_;  // by class_uid of the version
  std::map<const Table*, std::unique_ptr<Projection>> projections_;
};

}  // namespace lm
