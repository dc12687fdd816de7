#include "catalog/lake.hpp"

#include "plugin_host/library.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

namespace lm::catalog {
namespace {

namespace fs = std::filesystem;
using Kind = Type::Kind;

constexpr int kMaxDepth = 64;

std::string_view extension_of(const ArrowSchema& schema) {
  // Arrow's encoding has no total length; the library that made it is trusted as its code is.
  const char* at = schema.metadata;
  if (!at) return {};
  const auto number = [&at] {
    std::int32_t n = 0;
    std::memcpy(&n, at, sizeof n);
    at += sizeof n;
    return std::max(n, 0);
  };
  const auto text = [&] {
    const auto n = static_cast<std::size_t>(number());
    return std::string_view(std::exchange(at, at + n), n);
  };
  for (std::int32_t left = number(); left > 0; --left) {
    const std::string_view key = text(), value = text();
    if (key == "ARROW:extension:name") return value;
  }
  return {};
}

Result<Type> type_of(const ArrowSchema& schema, int depth) {
  static const std::map<std::string_view, Kind> kLeaves = {{"u", Kind::text},    {"i", Kind::int32},   {"l", Kind::int64},
                                                           {"g", Kind::float64}, {"b", Kind::boolean}, {"tsm:UTC", Kind::timestamp}};
  const std::string_view format = schema.format ? schema.format : "";
  Type out;
  if (const auto leaf = kLeaves.find(format); leaf != kLeaves.end()) {
    out.kind = leaf->second == Kind::text && extension_of(schema) == "arrow.json" ? Kind::json : leaf->second;
    return out;
  }
  const bool list = format == "+l";
  if (depth > kMaxDepth || (!list && format != "+s") || schema.n_children < 1 || (list && schema.n_children != 1))
    return fail(Errc::unsupported, fmt::format("a column has the Arrow type '{}'", format));
  out.kind = list ? Kind::list : Kind::record;
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    const ArrowSchema& child = *schema.children[i];
    auto type = type_of(child, depth + 1);
    if (!type) return type;
    out.fields.push_back({list ? "element" : child.name ? child.name : "", {*std::move(type)}});
  }
  return out;
}

// Adds the fields that `into` lacks. Answers whether there were any; `path` is that of a field which has two types.
Result<bool> unite(std::vector<Field>& into, const std::vector<Field>& more, const std::string& path) {
  bool grown = false;
  for (std::size_t i = 0; i < more.size(); ++i) {
    const Field& field = more[i];
    auto at = i < into.size() && into[i].name == field.name
                  ? into.begin() + static_cast<std::ptrdiff_t>(i)
                  : std::find_if(into.begin(), into.end(), [&](const Field& f) { return f.name == field.name; });
    if (at == into.end()) {
      into.push_back(field);
      grown = true;
      continue;
    }
    const std::string name = path.empty() ? field.name : fmt::format("{}.{}", path, field.name);
    if (at->of().kind != field.of().kind) return fail(Errc::invalid, fmt::format("the column '{}' has another type", name));
    auto below = unite(at->type.front().fields, field.of().fields, name);
    if (!below) return below;
    grown = grown || *below;
  }
  return grown;
}

std::size_t leaves_of(const std::vector<Field>& fields) {
  std::size_t out = 0;
  for (const Field& field : fields) out += field.of().fields.empty() ? 1 : leaves_of(field.of().fields);
  return out;
}

struct Described {
  std::vector<Field> columns;
  std::uint64_t rows = 0;
};

Result<Described> describe(const SinkPlugin& sink, const std::string& path) {
  lm_file_info info{};
  info.struct_size = sizeof info;
  lm_error error = empty_error();
  if (const lm_status status = sink.describe->describe(sink.index, str(path), &info, &error); status != LM_OK)
    return fail(status == LM_IO ? Errc::io : Errc::invalid, fmt::format("{}: {}", path, message_of(error)));
  auto type = type_of(info.schema, 0);
  if (info.schema.release) info.schema.release(&info.schema);
  if (!type) return fail(type.error().code, fmt::format("{}: {}", path, type.error().what));
  if (type->kind != Type::Kind::record) return fail(Errc::plugin, fmt::format("{}: its schema is not a struct", path));
  return Described{std::move(type->fields), info.rows};
}

// Where a file is: "ext/web/region=eu/day=1/x.parquet" lies in the table "ext/web", whose keys are "region" and "day".
struct Place {
  std::string folder;
  std::vector<std::string> keys, values;
};

Place place_of(const fs::path& name) {
  Place out;
  std::vector<std::string> parts;
  for (const fs::path& part : name.parent_path()) parts.push_back(part.string());
  std::size_t first = parts.size();
  while (first > 0) {
    const std::size_t at = parts[first - 1].find('=');
    if (at == 0 || at == std::string::npos) break;
    --first;
  }
  for (std::size_t i = 0; i < first; ++i) out.folder.append(i == 0 ? "" : "/").append(parts[i]);
  for (std::size_t i = first; i < parts.size(); ++i) {
    const std::size_t at = parts[i].find('=');
    out.keys.push_back(parts[i].substr(0, at));
    out.values.push_back(parts[i].substr(at + 1));
  }
  return out;
}

// Hidden names and those that begin with '_' are not data, by a convention that query engines share.
Result<std::vector<File>> walk(const fs::path& directory) {
  std::vector<File> out;
  std::error_code failed;
  fs::recursive_directory_iterator at(directory, failed);
  for (; !failed && at != fs::recursive_directory_iterator(); at.increment(failed)) {
    const std::string name = at->path().filename().string();
    const bool hidden = name[0] == '.' || name[0] == '_';
    std::error_code unknown;
    if (at->is_directory(unknown)) {
      if (hidden) at.disable_recursion_pending();
      continue;
    }
    if (hidden || at->path().extension() != ".parquet" || !at->is_regular_file(unknown)) continue;
    File file;
    file.name = at->path().lexically_relative(directory).string();
    file.bytes = at->file_size(failed);
    if (!failed) out.push_back(std::move(file));
  }
  if (failed) return fail(Errc::not_found, fmt::format("{} cannot be listed: {}", directory.string(), failed.message()));
  std::sort(out.begin(), out.end(), [](const File& a, const File& b) { return a.name < b.name; });
  return out;
}

Result<void> add(Table& table, File file, Place place, Described described, const fs::path& directory) {
  const auto refuse = [&](const std::string& why) {
    return fail(Errc::invalid, fmt::format("{}: {} than in {}", (directory / file.name).string(), why, table.files.front().name));
  };
  if (table.files.empty()) {
    table.keys = place.keys;
    table.columns = std::move(described.columns);
  } else {
    if (table.keys != place.keys) return refuse("the folders it lies in have other keys");
    const std::size_t leaves = leaves_of(described.columns);
    auto grown = unite(table.columns, described.columns, {});
    if (!grown) return refuse(grown.error().what);
    // Some of it is new, or some of it is missing.
    table.uniform = table.uniform && !*grown && leaves == leaves_of(table.columns);
  }
  file.values = std::move(place.values);
  file.rows = described.rows;
  table.files.push_back(std::move(file));
  return {};
}

}  // namespace

Result<std::vector<Table>> read_lake(const SinkPlugin& sink, const fs::path& directory) {
  auto files = walk(directory);
  if (!files) return tl::unexpected(files.error());
  std::map<std::string, Table> by_folder;
  for (File& file : *files) {
    auto described = describe(sink, (directory / file.name).string());
    if (!described) return tl::unexpected(described.error());
    Place place = place_of(file.name);
    Table& table = by_folder[place.folder];
    table.folder = place.folder;
    if (auto ok = add(table, std::move(file), std::move(place), *std::move(described), directory); !ok) return tl::unexpected(ok.error());
  }
  if (by_folder.empty()) return fail(Errc::not_found, fmt::format("{}: there is no file NAME.parquet in it", directory.string()));
  std::map<std::string, std::size_t> named;
  for (auto& [folder, table] : by_folder) {
    const fs::path path = folder.empty() ? fs::weakly_canonical(directory) : fs::path(folder);
    table.name = path.filename().empty() ? path.parent_path().filename().string() : path.filename().string();
    if (table.name.empty()) table.name = "lake";
    ++named[table.name];
    for (const std::string& key : table.keys) {
      if (std::count(table.keys.begin(), table.keys.end(), key) > 1 ||
          std::any_of(table.columns.begin(), table.columns.end(), [&](const Field& f) { return f.name == key; }))
        return fail(Errc::invalid,
                    fmt::format("{}: the partition key '{}' is the name of another column", (directory / folder).string(), key));
    }
  }
  std::vector<Table> out;
  for (auto& [folder, table] : by_folder) {
    if (named[table.name] > 1 && !folder.empty()) {
      table.name = folder;
      std::replace(table.name.begin(), table.name.end(), '/', '_');
    }
    out.push_back(std::move(table));
  }
  return out;
}

}  // namespace lm::catalog
