#include "catalog/catalog.hpp"

#include "catalog/iceberg.hpp"

#include <logmill/core.hpp>

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <fstream>
#include <system_error>

namespace lm {
namespace {

namespace fs = std::filesystem;

// What is quoted must be text, and of one line: what an engine's tools make of anything else is not known.
bool sayable(std::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size()) &&
         std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

Result<void> check(const std::vector<catalog::Field>& fields, const std::string& table) {
  for (const catalog::Field& field : fields) {
    if (field.name.empty() || !sayable(field.name)) return fail(Errc::invalid, fmt::format("table {}: a column's name is no text", table));
    if (auto ok = check(field.of().fields, table); !ok) return ok;
  }
  return {};
}

Result<void> check(const std::vector<catalog::Table>& tables) {
  for (const catalog::Table& table : tables) {
    const auto bad = [&](const std::string& text) { return !sayable(text); };
    if (bad(table.folder) || std::any_of(table.keys.begin(), table.keys.end(), bad))
      return fail(Errc::invalid, "a folder has a name that is not text of one line: no engine could be told of it");
    if (auto ok = check(table.columns, table.name); !ok) return ok;
  }
  return {};
}

// Of manifests by which rows are superseded: their list, at the end, is not empty.
std::vector<std::string> superseding(const fs::path& directory) {
  constexpr std::string_view kNone = "\"superseded\":[\n]}\n";
  std::vector<std::string> out;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(directory, failed)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind("_manifest", 0) != 0 || entry.path().extension() != ".json") continue;
    std::ifstream file(entry.path(), std::ios::binary | std::ios::ate);
    const std::streamoff size = file ? std::streamoff{file.tellg()} : 0;
    std::string tail(kNone.size(), '\0');
    const bool none =
        size >= static_cast<std::streamoff>(tail.size()) &&
        file.seekg(size - static_cast<std::streamoff>(tail.size())).read(tail.data(), static_cast<std::streamsize>(tail.size())) &&
        tail == kNone;
    if (!none) out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

Result<Catalog> make_catalog(const Registry& registry, const CatalogOptions& options) {
  const SinkPlugin* sink = registry.impl().sink("parquet");
  if (!sink || !sink->describe) return fail(Errc::not_found, "no sink is installed that can tell what is in Parquet files");
  std::error_code failed;
  if (!fs::is_directory(options.directory, failed))
    return fail(Errc::not_found, fmt::format("{} is no folder on this machine", options.directory.string()));
  catalog::Where where{options.location, options.database};
  const bool remote = options.engine == CatalogEngine::athena || options.engine == CatalogEngine::glue;
  if (remote && where.location.rfind("s3://", 0) != 0)
    return fail(Errc::invalid, "Athena and Glue read from S3: say where the folder is there, as in --location s3://acme-lake/ocsf");
  if (where.location.empty()) where.location = fs::canonical(options.directory, failed).string();
  while (where.location.size() > 1 && where.location.back() == '/') where.location.pop_back();
  if (!sayable(where.location) || !sayable(where.database))
    return fail(Errc::invalid, "the location and the database must be text of one line");
  auto tables = catalog::read_lake(*sink, options.directory);
  if (!tables) return tl::unexpected(tables.error());
  if (auto ok = check(*tables); !ok) return tl::unexpected(ok.error());

  Result<std::string> text;
  switch (options.engine) {
    case CatalogEngine::athena: text = catalog::athena(*tables, where); break;
    case CatalogEngine::glue: text = catalog::glue(*tables, where); break;
    case CatalogEngine::duckdb: text = catalog::duckdb(*tables, where); break;
    case CatalogEngine::spark: text = catalog::spark(*tables, where); break;
    case CatalogEngine::iceberg: text = catalog::iceberg(*tables, where, options.directory); break;
    case CatalogEngine::clickhouse: text = catalog::clickhouse(*tables, where); break;
  }
  if (!text) return tl::unexpected(text.error());
  Catalog out{*std::move(text), {}};
  for (const std::string& manifest : superseding(options.directory))
    out.warnings.push_back(fmt::format(
        "{} has superseded objects, whose rows are still in the files and in these tables: docs/reliability.md has the query without them",
        manifest));
  return out;
}

}  // namespace lm
