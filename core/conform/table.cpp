#include "conform/table.hpp"

#include <logmill/sdk/columns.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <set>

namespace lm {
namespace {

// What the host fills in every event: a parser that declares one of them would be overruled in silence.
constexpr std::string_view kHostColumns[] = {
    "category_name",         "category_uid",        "class_name",          "class_uid",      "type_name",          "type_uid",
    "metadata.version",      "metadata.profiles[]", "metadata.log_source", "lineage.etag",   "lineage.uri",        "lineage.parser",
    "lineage.item",          "lineage.length",      "lineage.offset",      "lineage.record", "observables[].name", "observables[].type",
    "observables[].type_id", "observables[].value"};

bool host_fills(std::string_view path) {
  return path == "metadata.uid" || path.starts_with("observables[]") || path.starts_with("lineage.") ||
         std::find(std::begin(kHostColumns), std::end(kHostColumns), path) != std::end(kHostColumns);
}

LeafType leaf_type(const ocsf::Resolution& resolved, bool dictionary) {
  if (resolved.datetime) return LeafType::text;
  switch (resolved.leaf->kind) {
    case ocsf::Kind::integer: return LeafType::int32;
    case ocsf::Kind::long_integer: return LeafType::int64;
    case ocsf::Kind::floating: return LeafType::float64;
    case ocsf::Kind::boolean: return LeafType::boolean;
    case ocsf::Kind::json: return LeafType::json;
    default: return dictionary ? LeafType::dictionary : LeafType::text;
  }
}

TableNode& child(TableNode& parent, std::string_view name, const std::string& path, TableNode::Kind kind) {
  auto at = std::lower_bound(parent.children.begin(), parent.children.end(), name,
                             [](const auto& node, std::string_view n) { return std::string_view(node->name) < n; });
  if (at == parent.children.end() || (*at)->name != name) {
    auto node = std::make_unique<TableNode>();
    node->kind = kind;
    node->name = name;
    node->path = path;
    at = parent.children.insert(at, std::move(node));
  }
  return **at;
}

// Adds one leaf column. The path was resolved before, so that every segment exists.
void add_column(Table& table, std::string_view path, bool dictionary) {
  TableNode* node = &table.root;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    std::string_view name = path.substr(begin, end - begin);
    const std::string prefix(path.substr(0, end));
    const bool last = end == path.size();
    const auto leaf_or_struct = last ? TableNode::Kind::leaf : TableNode::Kind::structure;
    if (name.ends_with("[]")) {
      name.remove_suffix(2);
      node = &child(*node, name, prefix, TableNode::Kind::list);
      node = &child(*node, "item", prefix, leaf_or_struct);
    } else {
      node = &child(*node, name, prefix, leaf_or_struct);
    }
    begin = end + 1;
  }
  const auto resolved = catalogue().resolve(table.class_uid, path);
  const LeafType type = leaf_type(resolved, dictionary);
  // Where one parser's text repeats and another's does not, the column is plain for both.
  node->type = node->attribute && node->type == LeafType::text ? LeafType::text : type;
  node->attribute = resolved.leaf;
  node->ocsf_type = resolved.datetime ? "datetime_t" : std::string(resolved.leaf->type);
}

// The caption that belongs to an "_id" column: "status_id" -> "status"; empty if there is none.
std::string sibling_path(std::uint32_t class_uid, std::string_view path) {
  const auto resolved = catalogue().resolve(class_uid, path);
  if (!resolved.ok() || resolved.leaf->sibling < 0) return {};
  const auto& sibling = catalogue().attributes[static_cast<std::size_t>(resolved.leaf->sibling)];
  const std::size_t dot = path.rfind('.');
  return std::string(dot == std::string_view::npos ? std::string_view() : path.substr(0, dot + 1)) + std::string(sibling.name);
}

}  // namespace

Result<void> TableSet::add(const lm_class& declared) {
  const ocsf::Class* ocsf_class = catalogue().find_class(declared.class_uid);
  if (!ocsf_class) return fail(Errc::plugin, fmt::format("class {} is not an OCSF {} class", declared.class_uid, catalogue().version));
  // They become a dictionary, in which each stands once.
  std::set<std::string_view> profiles;
  for (std::uint64_t i = 0; i < declared.n_profiles; ++i) {
    if (const std::string_view profile = view(declared.profiles[i]); !profiles.insert(profile).second)
      return fail(Errc::plugin, fmt::format("the profile '{}' is named twice in {}", profile, ocsf_class->name));
  }
  auto& known = declared_[declared.class_uid];
  std::vector<std::pair<std::string, bool>> unknown;
  for (std::uint64_t i = 0; i < declared.n_columns; ++i) {
    std::pair<std::string, bool> column(view(declared.columns[i].path), (declared.columns[i].flags & LM_TEXT_DICTIONARY) != 0);
    const std::string_view constant = view(declared.columns[i].constant);
    if (constant.empty() && known.contains(column)) continue;
    const std::string_view path = column.first;
    const auto resolved = catalogue().resolve(declared.class_uid, path);
    if (!resolved.ok()) {
      return fail(Errc::plugin,
                  fmt::format("column '{}' is not OCSF {} {}: {}", path, catalogue().version, ocsf_class->name, resolved.message()));
    }
    if (!constant.empty() && !detail::constant_fits(constant, resolved.datetime ? ocsf::Kind::text : resolved.leaf->kind))
      return fail(Errc::plugin, fmt::format("the constant '{}' of column '{}' is no {}", constant, path, resolved.leaf->type));
    if (host_fills(path)) return fail(Errc::plugin, fmt::format("column '{}' of {} is the host's to fill", path, ocsf_class->name));
    if (!known.contains(column)) unknown.push_back(std::move(column));
  }
  auto& slot = tables_[declared.class_uid];
  if (!slot) {
    slot = std::make_unique<Table>();
    slot->name = ocsf_class->name;
    slot->class_uid = declared.class_uid;
    slot->ocsf_class = ocsf_class;
    for (const std::string_view path : kHostColumns) add_column(*slot, path, true);
    for (const char* path : {"metadata.uid", "raw_data", "unmapped", "time"}) add_column(*slot, path, false);
    add_column(*slot, "metadata.log_name", true);
  }
  slot->profiles.insert(profiles.begin(), profiles.end());
  for (auto& column : unknown) {
    const std::string& path = column.first;
    add_column(*slot, path, column.second);
    if (const std::string sibling = sibling_path(declared.class_uid, path); !sibling.empty()) add_column(*slot, sibling, true);
    known.insert(std::move(column));
  }
  return {};
}

const Table* TableSet::find(std::uint32_t class_uid) const {
  const auto found = tables_.find(class_uid);
  return found == tables_.end() ? nullptr : found->second.get();
}

std::vector<const Table*> TableSet::all() const {
  std::vector<const Table*> out;
  for (const auto& [uid, table] : tables_) out.push_back(table.get());
  std::sort(out.begin(), out.end(), [](const Table* a, const Table* b) { return a->name < b->name; });
  return out;
}

namespace {
void export_node(const TableNode& node, ArrowSchema* out) {
  using detail::SchemaOwner;
  if (node.kind == TableNode::Kind::leaf) {
    static constexpr const char* kFormats[] = {"i", "u", "u", "i", "l", "g", "b"};
    std::vector<std::pair<std::string_view, std::string_view>> metadata{{"ocsf.type", node.ocsf_type}};
    if (node.type == LeafType::json)
      metadata.insert(metadata.begin(), {{"ARROW:extension:name", "arrow.json"}, {"ARROW:extension:metadata", ""}});
    return SchemaOwner::make(out, kFormats[static_cast<std::size_t>(node.type)], node.name, {}, node.type == LeafType::dictionary,
                             SchemaOwner::encode_metadata(metadata));
  }
  std::vector<ArrowSchema> children(node.children.size());
  for (std::size_t i = 0; i < children.size(); ++i) export_node(*node.children[i], &children[i]);
  SchemaOwner::make(out, node.kind == TableNode::Kind::list ? "+l" : "+s", node.name, std::move(children));
}
}  // namespace

void Table::export_schema(ArrowSchema* out) const { export_node(root, out); }

}  // namespace lm
