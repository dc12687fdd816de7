// Registers the files of a lake as Apache Iceberg tables (version 2 of the format), without touching them: metadata, a manifest list and a manifest a table.
// The files carry no field ids: a name mapping in the metadata says which column is which.
#pragma once

#include "catalog/catalog.hpp"

namespace lm::catalog {

// Writes below `directory`/_iceberg/TABLE/metadata, as the next version of each table, and answers a line a table: its name, a tab, and where its metadata is. What is
// there stays; a reader sees the old version or the new one.
Result<std::string> iceberg(std::span<const Table>, const Where&, const std::filesystem::path& directory);

}  // namespace lm::catalog
