#include "catalog/catalog.hpp"

#include <logmill/sdk/json.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

namespace lm::catalog {
namespace {

using Kind = Type::Kind;

// `text` with `escape` in front of every character of `which`.
std::string escaped(std::string_view text, std::string_view which, char escape) {
  std::string out;
  for (const char c : text) {
    if (which.find(c) != std::string_view::npos) out.push_back(escape);
    out.push_back(c);
  }
  return out;
}

std::string quoted_twice(std::string_view text, char quote) { return quote + escaped(text, {&quote, 1}, quote) + quote; }
std::string backticked(std::string_view name) { return quoted_twice(name, '`'); }
std::string literal(std::string_view text) { return quoted_twice(text, '\''); }                          // of standard SQL
std::string slashed_literal(std::string_view text) { return '\'' + escaped(text, "\\'", '\\') + '\''; }  // where a backslash escapes

// `folder` below the lake.
std::string below(const Where& where, const std::string& folder) { return folder.empty() ? where.location : where.location + "/" + folder; }

std::string heading(std::string_view comment, std::span<const Table> tables, std::string_view more) {
  std::size_t files = 0;
  for (const Table& table : tables) files += table.files.size();
  return fmt::format("{} Made by logmill {} of {} tables in {} files. {}\n", comment, version(), tables.size(), files, more);
}

// ---- Athena and Glue: Hive's types and names ----

// Hive folds names to lower case, and Athena takes letters, digits and '_' for names of tables.
std::string hive_name(std::string_view name, bool column) {
  std::string out;
  for (char c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || column;
    out.push_back(plain ? c : '_');
  }
  return out;
}

struct HiveWriter {
  bool quote = false;  // fields of structs: DDL is parsed with its reserved words, what Glue keeps is not
  std::string bad;     // a name that the type's syntax cannot hold

  std::string type(const Type& t) {
    switch (t.kind) {
      case Kind::text:
      case Kind::json: return "string";
      case Kind::int32: return "int";
      case Kind::int64: return "bigint";
      case Kind::float64: return "double";
      case Kind::boolean: return "boolean";
      case Kind::timestamp: return "timestamp";
      case Kind::list: return fmt::format("array<{}>", type(t.fields.front().of()));
      case Kind::record: break;
    }
    std::string out = "struct<";
    for (std::size_t i = 0; i < t.fields.size(); ++i) {
      const std::string name = hive_name(t.fields[i].name, true);
      if (name.find_first_of(":,<>`") != std::string::npos) bad = t.fields[i].name;
      out += fmt::format("{}{}:{}", i == 0 ? "" : ",", quote ? backticked(name) : name, type(t.fields[i].of()));
    }
    return out + ">";
  }
};

struct Property {
  std::string name, value;
};

bool is_day(const std::string& value) {
  if (value.size() != 8 || value.find_first_not_of("0123456789") != std::string::npos) return false;
  const std::string month = value.substr(4, 2), day = value.substr(6);
  return month >= "01" && month <= "12" && day >= "01" && day <= "31";
}

// How Athena finds the partitions by itself. A value stands here as the folder spells it, because the template puts it into the path.
void project(const Table& table, std::size_t key, std::vector<Property>& out) {
  constexpr std::size_t kMostText = 200'000;  // Glue keeps at most 512,000 bytes of a property
  std::set<std::string> values;
  for (const File& file : table.files) values.insert(file.values[key]);
  const std::string name = fmt::format("projection.{}.", hive_name(table.keys[key], true));
  if (std::all_of(values.begin(), values.end(), is_day)) {
    out.push_back({name + "type", "date"});
    out.push_back({name + "format", "yyyyMMdd"});
    out.push_back({name + "range", fmt::format("{},{}", *values.begin(), *values.rbegin())});
    out.push_back({name + "interval", "1"});
    out.push_back({name + "interval.unit", "DAYS"});
    return;
  }
  std::string list;
  bool plain = true;
  for (const std::string& value : values) {
    // A list is cut at commas and trimmed, and "${...}" is a reference.
    plain = plain && !value.empty() && value.find_first_of(",$\\'\" ") == std::string::npos &&
            std::none_of(value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    list.append(list.empty() ? "" : ",").append(value);
  }
  if (!plain || list.size() > kMostText) {
    out.push_back({name + "type", "injected"});
    return;
  }
  out.push_back({name + "type", "enum"});
  out.push_back({name + "values", list});
}

struct HiveTable {
  std::string name, location;
  std::vector<std::pair<std::string, std::string>> columns;
  std::vector<std::string> keys;
  std::vector<Property> properties;
};

Result<std::vector<HiveTable>> hive_tables(std::span<const Table> tables, const Where& where, bool quote) {
  std::vector<HiveTable> out;
  std::set<std::string> names;
  for (const Table& table : tables) {
    HiveTable& to = out.emplace_back();
    to.name = hive_name(table.name, false);
    if (!names.insert(to.name).second) return fail(Errc::invalid, fmt::format("two tables would have the name {}", to.name));
    to.location = below(where, table.folder) + "/";
    HiveWriter writer;
    writer.quote = quote;
    std::set<std::string> columns;
    const auto once = [&](const std::string& name) -> Result<void> {
      if (columns.insert(name).second) return {};
      return fail(Errc::invalid, fmt::format("table {}: two columns would have the name {}", to.name, name));
    };
    for (const Field& column : table.columns) {
      to.columns.emplace_back(hive_name(column.name, true), writer.type(column.of()));
      if (auto ok = once(to.columns.back().first); !ok) return tl::unexpected(ok.error());
    }
    if (!writer.bad.empty()) return fail(Errc::invalid, fmt::format("table {}: no struct can have the field '{}'", to.name, writer.bad));
    if (!table.keys.empty()) to.properties.push_back({"projection.enabled", "true"});
    std::string path = below(where, table.folder);
    if (path.find("${") != std::string::npos) return fail(Errc::invalid, fmt::format("{}: Athena reads ${{ as a reference", path));
    for (std::size_t i = 0; i < table.keys.size(); ++i) {
      const std::string key = hive_name(table.keys[i], true);
      if (table.keys[i].find_first_of("${}") != std::string::npos)
        return fail(Errc::invalid, fmt::format("table {}: Athena cannot project the key '{}'", to.name, table.keys[i]));
      if (auto ok = once(key); !ok) return tl::unexpected(ok.error());
      to.keys.push_back(key);
      project(table, i, to.properties);
      path += fmt::format("/{}=${{{}}}", table.keys[i], key);
    }
    if (!table.keys.empty()) to.properties.push_back({"storage.location.template", path + "/"});
  }
  return out;
}

std::string hive_database(const Where& where) { return where.database.empty() ? "logmill" : where.database; }

// ---- DuckDB ----

std::string glob_literal(std::string_view text) {
  std::string out;
  for (const char c : text) out += std::string_view("*?[").find(c) == std::string_view::npos ? std::string(1, c) : fmt::format("[{}]", c);
  return out;
}

std::string qualified(const Where& where, const std::string& name, std::string (*quote)(std::string_view)) {
  return where.database.empty() ? quote(name) : quote(where.database) + "." + quote(name);
}

std::string double_quoted(std::string_view name) { return quoted_twice(name, '"'); }

// ---- Spark ----

std::string spark_type(const Type& t) {
  switch (t.kind) {
    case Kind::text:
    case Kind::json: return "STRING";
    case Kind::int32: return "INT";
    case Kind::int64: return "BIGINT";
    case Kind::float64: return "DOUBLE";
    case Kind::boolean: return "BOOLEAN";
    case Kind::timestamp: return "TIMESTAMP";
    case Kind::list: return fmt::format("ARRAY<{}>", spark_type(t.fields.front().of()));
    case Kind::record: break;
  }
  std::string out = "STRUCT<";
  for (std::size_t i = 0; i < t.fields.size(); ++i)
    out += fmt::format("{}{}: {}", i == 0 ? "" : ", ", backticked(t.fields[i].name), spark_type(t.fields[i].of()));
  return out + ">";
}

// ---- ClickHouse ----

std::string clickhouse_name(std::string_view name) { return '`' + escaped(name, "\\`", '\\') + '`'; }

// A tuple cannot be null there: one that is has nulls in it.
std::string clickhouse_type(const Type& t) {
  switch (t.kind) {
    case Kind::text:
    case Kind::json: return "Nullable(String)";
    case Kind::int32: return "Nullable(Int32)";
    case Kind::int64: return "Nullable(Int64)";
    case Kind::float64: return "Nullable(Float64)";
    case Kind::boolean: return "Nullable(Bool)";
    case Kind::timestamp: return "Nullable(DateTime64(3, 'UTC'))";
    case Kind::list: return fmt::format("Array({})", clickhouse_type(t.fields.front().of()));
    case Kind::record: break;
  }
  std::string out = "Tuple(";
  for (std::size_t i = 0; i < t.fields.size(); ++i)
    out += fmt::format("{}{} {}", i == 0 ? "" : ", ", clickhouse_name(t.fields[i].name), clickhouse_type(t.fields[i].of()));
  return out + ")";
}

Result<void> refuse_patterns(const std::string& path, std::string_view characters, std::string_view engine) {
  if (path.find_first_of(characters) == std::string::npos) return {};
  return fail(Errc::invalid, fmt::format("{}: {} reads one of {} as a pattern", path, engine, characters));
}

}  // namespace

std::string json_text(std::string_view text) {
  std::string out;
  json::append_quoted(out, text);
  return out;
}

Result<std::string> athena(std::span<const Table> tables, const Where& where) {
  const auto hive = hive_tables(tables, where, true);
  if (!hive) return tl::unexpected(hive.error());
  std::string out = heading(
      "--", tables, "Partitions are projected as they are now: when runs have written others, drop the tables and make them again.");
  const std::string database = backticked(hive_database(where));
  out += fmt::format("CREATE DATABASE IF NOT EXISTS {};\n", database);
  for (const HiveTable& table : *hive) {
    out += fmt::format("\nCREATE EXTERNAL TABLE IF NOT EXISTS {}.{} (", database, backticked(table.name));
    for (std::size_t i = 0; i < table.columns.size(); ++i)
      out += fmt::format("{}\n  {} {}", i == 0 ? "" : ",", backticked(table.columns[i].first), table.columns[i].second);
    out += "\n)\n";
    for (std::size_t i = 0; i < table.keys.size(); ++i)
      out += fmt::format("{}{} string{}", i == 0 ? "PARTITIONED BY (" : ", ", backticked(table.keys[i]),
                         i + 1 == table.keys.size() ? ")\n" : "");
    out += fmt::format("STORED AS PARQUET\nLOCATION {}", slashed_literal(table.location));
    for (std::size_t i = 0; i < table.properties.size(); ++i)
      out += fmt::format("{}\n  {} = {}", i == 0 ? "\nTBLPROPERTIES (" : ",", slashed_literal(table.properties[i].name),
                         slashed_literal(table.properties[i].value));
    out += table.properties.empty() ? ";\n" : "\n);\n";
  }
  return out;
}

Result<std::string> glue(std::span<const Table> tables, const Where& where) {
  const auto hive = hive_tables(tables, where, false);
  if (!hive) return tl::unexpected(hive.error());
  std::string out;
  for (const HiveTable& table : *hive) {
    const auto columns = [](const auto& all, auto&& each) {
      std::string text;
      for (const auto& one : all) text += (text.empty() ? "" : ",") + each(one);
      return text;
    };
    out += fmt::format(
        R"({{"DatabaseName":{},"TableInput":{{"Name":{},"TableType":"EXTERNAL_TABLE","Parameters":{{"EXTERNAL":"TRUE","classification":"parquet")",
        json_text(hive_database(where)), json_text(table.name));
    for (const Property& p : table.properties) out += fmt::format(",{}:{}", json_text(p.name), json_text(p.value));
    out += fmt::format(
        R"(}},"PartitionKeys":[{}],"StorageDescriptor":{{"Location":{},"InputFormat":"org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",)"
        R"("OutputFormat":"org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",)"
        R"("SerdeInfo":{{"SerializationLibrary":"org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe","Parameters":{{"serialization.format":"1"}}}},"Columns":[{}]}}}}}})",
        columns(table.keys, [](const std::string& key) { return fmt::format(R"({{"Name":{},"Type":"string"}})", json_text(key)); }),
        json_text(table.location), columns(table.columns, [](const auto& column) {
          return fmt::format(R"({{"Name":{},"Type":{}}})", json_text(column.first), json_text(column.second));
        }));
    out += '\n';
  }
  return out;
}

Result<std::string> duckdb(std::span<const Table> tables, const Where& where) {
  std::string out = heading("--", tables, "The views see what runs write later.");
  if (!where.database.empty()) out += fmt::format("CREATE SCHEMA IF NOT EXISTS {};\n", double_quoted(where.database));
  for (const Table& table : tables) {
    std::string pattern = glob_literal(below(where, table.folder)), types;
    for (const std::string& key : table.keys) {
      pattern += fmt::format("/{}=*", glob_literal(key));
      types += fmt::format("{}{}: VARCHAR", types.empty() ? "" : ", ", literal(key));
    }
    out += fmt::format("\nCREATE OR REPLACE VIEW {} AS\nSELECT * FROM read_parquet({}, union_by_name = {}",
                       qualified(where, table.name, double_quoted), literal(pattern + "/*.parquet"), !table.uniform);
    out += table.keys.empty() ? ", hive_partitioning = false);\n"
                              : fmt::format(",\n  hive_partitioning = true, hive_types = {{{}}});\n", types);
  }
  return out;
}

Result<std::string> spark(std::span<const Table> tables, const Where& where) {
  std::string out = heading("--", tables, "The views see what runs write later, as far as it has the columns named here.");
  for (const Table& table : tables) {
    const std::string path = below(where, table.folder);
    if (auto ok = refuse_patterns(path, "*?[]{}\\", "Spark"); !ok) return tl::unexpected(ok.error());
    if (!where.database.empty()) return fail(Errc::invalid, "views of Spark that last for a session have no database");
    out += fmt::format("\nCREATE OR REPLACE TEMPORARY VIEW {} (", backticked(table.name));
    for (const Field& column : table.columns) out += fmt::format("\n  {} {},", backticked(column.name), spark_type(column.of()));
    for (const std::string& key : table.keys) out += fmt::format("\n  {} STRING,", backticked(key));
    out.back() = '\n';
    out += fmt::format(") USING parquet OPTIONS (path {});\n", slashed_literal(path));
  }
  return out;
}

Result<std::string> clickhouse(std::span<const Table> tables, const Where& where) {
  std::string out = heading("--", tables, "The views see what runs write later, as far as it has the columns named here.");
  if (!where.database.empty()) out += fmt::format("CREATE DATABASE IF NOT EXISTS {};\n", clickhouse_name(where.database));
  for (const Table& table : tables) {
    std::string pattern = below(where, table.folder), structure, columns;
    for (std::size_t i = 0; i < table.keys.size(); ++i) {
      pattern += fmt::format("/{}=*", table.keys[i]);
      std::string expression;
      for (std::size_t k = i; k < table.keys.size(); ++k)
        expression += fmt::format("/{}=({}[^/]*)", escaped(table.keys[k], "\\^$.|?*+()[]{}", '\\'), k == i ? "" : "?:");
      columns += fmt::format(",\n  decodeURLComponent(extract(_path, {})) AS {}", slashed_literal(expression + "/[^/]*$"),
                             clickhouse_name(table.keys[i]));
    }
    if (auto ok = refuse_patterns(pattern.substr(0, where.location.size()), "*?{}", "ClickHouse"); !ok) return tl::unexpected(ok.error());
    for (const Field& column : table.columns)
      structure += fmt::format("{}{} {}", structure.empty() ? "" : ", ", clickhouse_name(column.name), clickhouse_type(column.of()));
    // Said by the path itself, and not by its own reading of it, which differs by version.
    out += fmt::format("\nCREATE OR REPLACE VIEW {} AS\nSELECT *{}\nFROM {}({}, 'Parquet',\n  {})\nSETTINGS use_hive_partitioning = 0;\n",
                       qualified(where, table.name, clickhouse_name), columns, pattern.rfind("s3://", 0) == 0 ? "s3" : "file",
                       slashed_literal(pattern + "/*.parquet"), slashed_literal(structure));
  }
  return out;
}

}  // namespace lm::catalog
