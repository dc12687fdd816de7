#include "catalog/iceberg.hpp"

#include "object_store/text.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

namespace lm::catalog {
namespace {

namespace fs = std::filesystem;
using Kind = Type::Kind;

// ---- Avro ----

// Values of the binary encoding (Apache Avro 1.11, "Binary Encoding").
class Avro {
 public:
  void number(std::int64_t value) {
    auto rest = (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
    for (; rest >= 0x80; rest >>= 7) bytes_.push_back(static_cast<char>(rest | 0x80));
    bytes_.push_back(static_cast<char>(rest));
  }
  void text(std::string_view value) {
    number(static_cast<std::int64_t>(value.size()));
    bytes_ += value;
  }
  // The second branch of a union whose first one is null.
  void some() { number(1); }
  void none() { number(0); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

using Metadata = std::vector<std::pair<std::string, std::string>>;

// An object container of one block.
std::string container(const Metadata& metadata, const Avro& rows, std::size_t count) {
  constexpr std::string_view kSync = "logmill catalog\n";  // what it is does not matter, where nothing is searched for in a damaged file
  static_assert(kSync.size() == 16);
  Avro head;
  head.number(static_cast<std::int64_t>(metadata.size()));
  for (const auto& [key, value] : metadata) head.text(key), head.text(value);
  head.number(0);
  std::string out = std::string("Obj\x01") + head.bytes();
  out += kSync;
  if (count == 0) return out;
  Avro block;
  block.number(static_cast<std::int64_t>(count));
  block.text(rows.bytes());
  return out.append(block.bytes()).append(kSync);
}

// ---- The schema, with ids, and the mapping of names to them ----

struct Schema {
  int last_id = 0;

  std::string type(const Type& t, std::string& mapping) {
    switch (t.kind) {
      case Kind::text:
      case Kind::json: return "\"string\"";
      case Kind::int32: return "\"int\"";
      case Kind::int64: return "\"long\"";
      case Kind::float64: return "\"double\"";
      case Kind::boolean: return "\"boolean\"";
      case Kind::timestamp: return "\"timestamptz\"";
      case Kind::list: {
        const int id = ++last_id;
        std::string below;
        const std::string element = type(t.fields.front().of(), below);
        mapping = fmt::format(",\"fields\":[{{\"field-id\":{},\"names\":[\"element\"]{}}}]", id, below);
        return fmt::format("{{\"type\":\"list\",\"element-id\":{},\"element-required\":false,\"element\":{}}}", id, element);
      }
      case Kind::record: break;
    }
    std::string names;
    std::string out = "{\"type\":\"struct\",\"fields\":[" + fields(t.fields, names) + "]}";
    mapping = ",\"fields\":[" + names + "]";
    return out;
  }

  std::string fields(const std::vector<Field>& all, std::string& names) {
    std::string out;
    for (const Field& field : all) {
      const int id = ++last_id;
      std::string below;
      out += fmt::format("{}{{\"id\":{},\"name\":{},\"required\":false,\"type\":{}}}", out.empty() ? "" : ",", id, json_text(field.name),
                         type(field.of(), below));
      names += fmt::format("{}{{\"field-id\":{},\"names\":[{}]{}}}", names.empty() ? "" : ",", id, json_text(field.name), below);
    }
    return out;
  }
};

// A name as Avro allows it; of another one, every byte that is not allowed as "_xHH".
std::string avro_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool plain = letter || (c >= '0' && c <= '9' && !out.empty());
    out += plain ? std::string(1, c) : fmt::format("_x{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

// ---- Files ----

Result<void> write(const fs::path& path, std::string_view text) {
  const fs::path temporary = path.parent_path() / ("." + path.filename().string() + ".tmp");
  errno = 0;
  {
    std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
    file.write(text.data(), static_cast<std::streamsize>(text.size()));
    file.close();
    if (!file) return fail(Errc::io, fmt::format("{} cannot be written: {}", temporary.string(), std::strerror(errno)));
  }
  std::error_code failed;
  fs::rename(temporary, path, failed);
  if (failed) return fail(Errc::io, fmt::format("{} cannot be written: {}", path.string(), failed.message()));
  return {};
}

// The number of the version after those that are there.
Result<std::int64_t> next_version(const fs::path& folder) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  std::int64_t last = 0;
  for (fs::directory_iterator at(folder, failed); !failed && at != fs::directory_iterator(); at.increment(failed)) {
    const std::string name = at->path().filename().string();
    std::int64_t number = 0;
    const char* const end = name.data() + name.size();
    if (name.size() < 2 || name[0] != 'v') continue;
    const auto [rest, bad] = std::from_chars(name.data() + 1, end, number);
    if (bad == std::errc{} && std::string_view(rest, static_cast<std::size_t>(end - rest)) == ".metadata.json" && number < INT32_MAX)
      last = std::max(last, number);
  }
  if (failed) return fail(Errc::io, fmt::format("{} cannot be made or listed: {}", folder.string(), failed.message()));
  return last + 1;
}

// The same for the same table, so that a newer version is told from another table.
std::string uuid_of(std::string_view text) {
  std::uint64_t halves[2] = {14695981039346656037u, 1099511628211u};
  for (std::uint64_t& half : halves) {
    for (const char c : text) half = (half ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  const std::string hex = fmt::format("{:016x}{:016x}", halves[0], halves[1]);
  return fmt::format("{}-{}-8{}-8{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(13, 3), hex.substr(17, 3), hex.substr(20));
}

struct Writer {
  const Table& table;
  const std::string base;  // where readers find the table's own folder
  const std::string data;  // and the lake
  const fs::path folder;   // where its metadata is written
  const std::int64_t version, now, snapshot;

  static constexpr int kFirstPartition = 1000;  // of field ids, by the specification

  std::string path(const std::string& name) const { return base + "/metadata/" + name; }

  std::string entry_schema() const {
    std::string keys;
    for (std::size_t i = 0; i < table.keys.size(); ++i)
      keys += fmt::format(R"({}{{"name":"{}","type":["null","string"],"default":null,"field-id":{}}})", i == 0 ? "" : ",",
                          avro_name(table.keys[i]), kFirstPartition + static_cast<int>(i));
    return fmt::format(
        R"({{"type":"record","name":"manifest_entry","fields":[{{"name":"status","type":"int","field-id":0}},)"
        R"({{"name":"snapshot_id","type":["null","long"],"default":null,"field-id":1}},)"
        R"({{"name":"sequence_number","type":["null","long"],"default":null,"field-id":3}},)"
        R"({{"name":"file_sequence_number","type":["null","long"],"default":null,"field-id":4}},)"
        R"({{"name":"data_file","type":{{"type":"record","name":"r2","fields":[{{"name":"content","type":"int","field-id":134}},)"
        R"({{"name":"file_path","type":"string","field-id":100}},{{"name":"file_format","type":"string","field-id":101}},)"
        R"({{"name":"partition","type":{{"type":"record","name":"r102","fields":[{}]}},"field-id":102}},)"
        R"({{"name":"record_count","type":"long","field-id":103}},{{"name":"file_size_in_bytes","type":"long","field-id":104}}]}},"field-id":2}}]}})",
        keys);
  }

  std::string manifest(const std::string& schema, const std::string& spec) const {
    Avro rows;
    for (const File& file : table.files) {
      rows.number(1);  // added
      rows.some(), rows.number(snapshot);
      rows.some(), rows.number(version);
      rows.some(), rows.number(version);
      rows.number(0);  // data, not deletes
      rows.text(data + "/" + file.name);
      rows.text("PARQUET");
      for (const std::string& value : file.values) {
        const std::string text = store::percent_decode(value, false);  // as folders' names have it
        rows.some(), rows.text(simdjson::validate_utf8(text.data(), text.size()) ? text : value);
      }
      rows.number(static_cast<std::int64_t>(file.rows));
      rows.number(static_cast<std::int64_t>(file.bytes));
    }
    return container({{"avro.schema", entry_schema()},
                      {"avro.codec", "null"},
                      {"schema", schema},
                      {"schema-id", "0"},
                      {"partition-spec", spec},
                      {"partition-spec-id", "0"},
                      {"format-version", "2"},
                      {"content", "data"}},
                     rows, table.files.size());
  }

  std::uint64_t rows() const {
    std::uint64_t out = 0;
    for (const File& file : table.files) out += file.rows;
    return out;
  }

  std::string manifest_list(const std::string& manifest_path, std::size_t manifest_bytes) const {
    constexpr std::string_view kSchema =
        R"({"type":"record","name":"manifest_file","fields":[{"name":"manifest_path","type":"string","field-id":500},)"
        R"({"name":"manifest_length","type":"long","field-id":501},{"name":"partition_spec_id","type":"int","field-id":502},)"
        R"({"name":"content","type":"int","field-id":517},{"name":"sequence_number","type":"long","field-id":515},)"
        R"({"name":"min_sequence_number","type":"long","field-id":516},{"name":"added_snapshot_id","type":"long","field-id":503},)"
        R"({"name":"added_files_count","type":"int","field-id":504},{"name":"existing_files_count","type":"int","field-id":505},)"
        R"({"name":"deleted_files_count","type":"int","field-id":506},{"name":"added_rows_count","type":"long","field-id":512},)"
        R"({"name":"existing_rows_count","type":"long","field-id":513},{"name":"deleted_rows_count","type":"long","field-id":514}]})";
    Avro row;
    row.text(manifest_path);
    row.number(static_cast<std::int64_t>(manifest_bytes));
    row.number(0), row.number(0);
    row.number(version), row.number(version), row.number(snapshot);
    row.number(static_cast<std::int64_t>(table.files.size())), row.number(0), row.number(0);
    row.number(static_cast<std::int64_t>(rows())), row.number(0), row.number(0);
    return container({{"avro.schema", std::string(kSchema)},
                      {"avro.codec", "null"},
                      {"snapshot-id", std::to_string(snapshot)},
                      {"parent-snapshot-id", "null"},
                      {"sequence-number", std::to_string(version)},
                      {"format-version", "2"}},
                     row, 1);
  }

  // Answers where the metadata is.
  Result<std::string> write_all() const {
    Schema schema;
    std::string names, spec;
    std::string fields = schema.fields(table.columns, names);
    // The files do not have these columns: readers take their values from the manifest.
    for (std::size_t i = 0; i < table.keys.size(); ++i) {
      const int id = ++schema.last_id;
      fields += fmt::format(R"(,{{"id":{},"name":{},"required":false,"type":"string"}})", id, json_text(table.keys[i]));
      spec += fmt::format(R"({}{{"source-id":{},"field-id":{},"name":{},"transform":"identity"}})", i == 0 ? "" : ",", id,
                          kFirstPartition + static_cast<int>(i), json_text(table.keys[i]));
    }
    const std::string schema_text = fmt::format(R"({{"type":"struct","schema-id":0,"fields":[{}]}})", fields);
    const std::string manifest_name = fmt::format("{}-m0.avro", snapshot), list_name = fmt::format("snap-{}.avro", snapshot);
    const std::string metadata_name = fmt::format("v{}.metadata.json", version);
    const std::string entries = manifest(schema_text, "[" + spec + "]");
    if (auto ok = write(folder / manifest_name, entries); !ok) return tl::unexpected(ok.error());
    if (auto ok = write(folder / list_name, manifest_list(path(manifest_name), entries.size())); !ok) return tl::unexpected(ok.error());
    const std::string metadata = fmt::format(
        R"({{"format-version":2,"table-uuid":"{}","location":{},"last-sequence-number":{},"last-updated-ms":{},"last-column-id":{},)"
        R"("current-schema-id":0,"schemas":[{}],"default-spec-id":0,"partition-specs":[{{"spec-id":0,"fields":[{}]}}],"last-partition-id":{},)"
        R"("default-sort-order-id":0,"sort-orders":[{{"order-id":0,"fields":[]}}],"properties":{{"schema.name-mapping.default":{}}},)"
        R"("current-snapshot-id":{},"refs":{{"main":{{"snapshot-id":{},"type":"branch"}}}},)"
        R"("snapshots":[{{"snapshot-id":{},"sequence-number":{},"timestamp-ms":{},"schema-id":0,"manifest-list":{},)"
        R"("summary":{{"operation":"append","total-data-files":"{}","total-records":"{}"}}}}],)"
        R"("snapshot-log":[{{"snapshot-id":{},"timestamp-ms":{}}}],"metadata-log":[]}})"
        "\n",
        uuid_of(base), json_text(base), version, now, schema.last_id, schema_text, spec,
        kFirstPartition - 1 + static_cast<int>(table.keys.size()), json_text("[" + names + "]"), snapshot, snapshot, snapshot, version, now,
        json_text(path(list_name)), table.files.size(), rows(), snapshot, now);
    if (auto ok = write(folder / metadata_name, metadata); !ok) return tl::unexpected(ok.error());
    if (auto ok = write(folder / "version-hint.text", std::to_string(version)); !ok) return tl::unexpected(ok.error());
    return path(metadata_name);
  }
};

}  // namespace

Result<std::string> iceberg(std::span<const Table> tables, const Where& where, const fs::path& directory) {
  const std::int64_t now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  std::string out;
  for (const Table& table : tables) {
    for (const File& file : table.files) {
      if (!simdjson::validate_utf8(file.name.data(), file.name.size()))
        return fail(Errc::invalid, fmt::format("table {}: the name of a file is no text", table.name));
    }
    const fs::path folder = directory / "_iceberg" / table.name / "metadata";
    const auto version = next_version(folder);
    if (!version) return tl::unexpected(version.error());
    const std::string base = fmt::format("{}/_iceberg/{}", where.location, table.name);
    const std::int64_t snapshot = (now << 20) | (*version & 0xfffff);
    const auto written = Writer{table, base, where.location, folder, *version, now, snapshot}.write_all();
    if (!written) return tl::unexpected(written.error());
    out += fmt::format("{}\t{}\n", table.name, *written);
  }
  return out;
}

}  // namespace lm::catalog
