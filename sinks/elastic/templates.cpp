#include "elastic/templates.hpp"

#include "common/arrow_view.hpp"
#include "elastic/document.hpp"

#include <logmill/sdk/json.hpp>

#include <algorithm>

namespace lm::sink {
namespace {

constexpr std::size_t kLeastLimit = 1000, kRoom = 200;  // fields that a mapping may have: the engines' default; so many more than ours

// ignore_above: what is longer is kept and not indexed; so many characters are a term of Lucene, whatever they are. ignore_malformed: a document is not refused for a value.
std::string_view type_of(FieldType type, Engine engine) {
  switch (type) {
    case FieldType::keyword:
    case FieldType::inner: return R"({"type":"keyword","ignore_above":8191})";
    // OpenSearch's does not answer patterns in query strings.
    case FieldType::wildcard: return engine == Engine::opensearch ? R"({"type":"keyword","ignore_above":8191})" : R"({"type":"wildcard"})";
    case FieldType::text: return R"({"type":"text"})";
    case FieldType::ip: return R"({"type":"ip","ignore_malformed":true})";
    case FieldType::date: return R"({"type":"date","ignore_malformed":true})";
    case FieldType::integer: return R"({"type":"long","ignore_malformed":true})";
    case FieldType::number: return R"({"type":"double","ignore_malformed":true})";
    case FieldType::boolean: return R"({"type":"boolean"})";
    case FieldType::point: return R"({"type":"geo_point","ignore_malformed":true})";
    case FieldType::unindexed: return R"({"type":"keyword","index":false,"doc_values":false})";
    case FieldType::flattened:
      return engine == Engine::opensearch ? R"({"type":"flat_object"})" : R"({"type":"flattened","ignore_above":8191})";
  }
  return {};
}

FieldType of_column(const ArrowSchema& column, std::string_view format) {
  const std::string_view ocsf = metadata_value(column, "ocsf.type");
  if (metadata_value(column, "ARROW:extension:name") == "arrow.json") return FieldType::flattened;
  if (ocsf == "ip_t") return FieldType::ip;
  if (ocsf == "timestamp_t" || ocsf == "datetime_t") return FieldType::date;
  if (!column.dictionary) {
    if (format == "l" || format == "i") return FieldType::integer;
    if (format == "g") return FieldType::number;
    if (format == "b") return FieldType::boolean;
  }
  const std::string_view name = column.name ? column.name : "";
  if (name == "raw_data") return FieldType::unindexed;
  return name == "message" ? FieldType::text : FieldType::keyword;
}

void add_columns_of(const ArrowSchema& schema, Properties& to, Engine engine) {
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    const ArrowSchema* column = schema.children[i];
    Properties& property = to.children[column->name ? column->name : ""];
    std::string_view format = column->format ? column->format : "";
    // A list has the type of its elements.
    while (format == "+l" && column->n_children == 1) column = column->children[0], format = column->format ? column->format : "";
    if (format == "+s") {
      add_columns_of(*column, property, engine);
    } else {
      property.type = type_of(of_column(*column, format), engine);
    }
  }
}

void append_properties(const Properties& properties, std::string& out) {
  out += '{';
  bool first = true;
  for (const auto& [name, property] : properties.children) {
    if (!first) out += ',';
    first = false;
    json::append_quoted(out, name);
    out += ':';
    if (property.type.empty()) {
      out += "{\"properties\":";
      append_properties(property, out);
      out += '}';
    } else {
      out += property.type;
    }
  }
  out += '}';
}

}  // namespace

void Properties::add(std::string_view field, FieldType field_type, Engine engine) {
  Properties* at = this;
  for (;;) {
    const std::size_t dot = field.find('.');
    at = &at->children[std::string(field.substr(0, dot))];
    if (!at->type.empty()) return;
    if (dot == std::string_view::npos) break;
    field.remove_prefix(dot + 1);
  }
  at->type = type_of(field_type, engine);
  at->children.clear();
}

void Properties::add_columns(const ArrowSchema& schema, Engine engine) {
  add_columns_of(schema, *this, engine);
  add("ocsf_text", FieldType::unindexed, engine);
}

void Properties::merge(Properties from) {
  if (!from.type.empty()) {
    type = std::move(from.type);
    children.clear();
  } else if (type.empty()) {
    for (auto& [name, property] : from.children) children[name].merge(std::move(property));
  }
}

std::size_t Properties::count() const {
  std::size_t n = 0;
  for (const auto& [name, property] : children) n += 1 + property.count();
  return n;
}

Properties properties_of(const Mapping& mapping, const Dataset& dataset, Engine engine) {
  Properties out;
  // Parents first: what is within a flattened field is no field of its own.
  for (const auto& [field, type] : mapping.types) {
    const std::string below = field + ".";
    const auto within = [&](const Rule& rule) { return rule.field.starts_with(below); };
    if (type == FieldType::flattened && std::any_of(dataset.rules.begin(), dataset.rules.end(), within)) out.add(field, type, engine);
  }
  for (const Rule& rule : dataset.rules) out.add(rule.field, rule.type, engine);
  for (const auto& [field, type] : mapping.others) out.add(field, type, engine);
  if (!mapping.event.empty()) {
    out.add(mapping.event, FieldType::flattened, engine);
    out.add(mapping.event + std::string(kRest), FieldType::unindexed, engine);
  }
  return out;
}

std::string template_body(const std::string& pattern, unsigned priority, const Properties& properties, bool data_stream,
                          std::string_view what) {
  Properties all = properties;
  all.children["@timestamp"] = {R"({"type":"date"})", {}};  // data streams want no other
  std::string out = "{\"index_patterns\":[";
  json::append_quoted(out, pattern);
  out += "],\"priority\":" + std::to_string(priority);
  if (data_stream) out += ",\"data_stream\":{}";
  const std::size_t limit = std::max(kLeastLimit, (all.count() + kRoom + 99) / 100 * 100);
  out += ",\"template\":{\"settings\":{\"index.mapping.total_fields.limit\":" + std::to_string(limit);
  out += "},\"mappings\":{\"dynamic\":false,\"properties\":";
  append_properties(all, out);
  out += "}},\"_meta\":{\"description\":";
  json::append_quoted(out, what);
  return out + "}}";
}

}  // namespace lm::sink
