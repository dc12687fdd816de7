#include "parquet/schema.hpp"

#include <cstring>
#include <string_view>

namespace lm::sink::parquet {
namespace {

constexpr int kMaxDepth = 64;

bool ends_with_path(std::string_view name, std::string_view end) {
  return name.ends_with(end) && (name.size() == end.size() || name[name.size() - end.size() - 1] == '.');
}

bool is_looked_up(std::string_view type, std::string_view name) {
  for (const std::string_view of : {"ip_t", "mac_t", "hostname_t", "username_t", "email_t", "file_hash_t", "resource_uid_t"}) {
    if (type == of) return true;
  }
  // OCSF has plain strings for these: ids of users and of what acts for them (ARNs, access keys), domains, fingerprints, instances.
  for (const std::string_view end :
       {"observables.value", "user.uid", "user.uid_alt", "user_result.uid", "owner.uid", "user.credential_uid",
        "programmatic_credentials.uid", "session.credential_uid", "session.uid", "session.uid_alt", "session.issuer", "domain",
        "hashes.value", "fingerprint.value", "fingerprints.value", "ja4_fingerprint_list.value", "instance_uid", "device.uid"}) {
    if (ends_with_path(name, end)) return true;
  }
  return false;
}

struct Maker {
  TableSchema out;
  std::vector<std::string> path;
  std::vector<std::string> names;  // the same without what only Parquet has: the levels of lists
  std::string_view stamp;          // the OCSF type that is written as a timestamp
  bool json = true;
  std::string bad;  // the first column that cannot be had

  // `anchor` and `steps` lead to this node; `definition` is the level of a slot that is there down to its parent.
  bool node(const ArrowSchema& schema, const std::string& name, std::int32_t anchor, std::vector<std::int32_t> steps, int definition,
            int depth) {
    path.push_back(name);
    const bool ok = depth <= kMaxDepth && inside(schema, name, anchor, std::move(steps), definition, depth);
    if (!ok && bad.empty()) {
      for (const std::string& part : path) {
        if (!bad.empty()) bad += '.';
        bad += part;
      }
      const std::string format = schema.format ? schema.format : "";
      bad.insert(0, "column '");
      bad.append("' has the Arrow type '").append(format).append(depth > kMaxDepth ? "', nested too deep" : "'");
    }
    path.pop_back();
    return ok;
  }

  bool inside(const ArrowSchema& schema, const std::string& name, std::int32_t anchor, std::vector<std::int32_t> steps, int definition,
              int depth) {
    const std::string_view format = schema.format ? schema.format : "";
    if (format == "+s") {
      if (schema.n_children == 0) return false;
      out.elements.push_back({ElementKind::group, {}, name, static_cast<std::int32_t>(schema.n_children)});
      return children(schema, anchor, steps, definition + 1, depth);
    }
    if (format == "+l") {
      if (schema.n_children != 1) return false;
      out.elements.push_back({ElementKind::list, {}, name, 1});
      out.elements.push_back({ElementKind::repeated, {}, "list", 1});
      Anchor list;
      list.parent = anchor;
      list.steps = std::move(steps);
      list.full = static_cast<std::uint8_t>(definition + 2);
      list.repetition = static_cast<std::uint8_t>((anchor < 0 ? 0 : out.anchors[static_cast<std::size_t>(anchor)].repetition) + 1);
      out.anchors.push_back(std::move(list));
      path.emplace_back("list");
      const bool ok =
          node(*schema.children[0], "element", static_cast<std::int32_t>(out.anchors.size()) - 1, {}, definition + 2, depth + 1);
      path.pop_back();
      return ok;
    }
    Leaf leaf;
    if (schema.dictionary) {
      const std::string_view values = schema.dictionary->format ? schema.dictionary->format : "";
      if (format != "i" || values != "u") return false;
      leaf.kind = LeafKind::coded;
    } else if (format == "u") {
      leaf.kind = json && schema_metadata(schema, "ARROW:extension:name") == "arrow.json" ? LeafKind::json : LeafKind::text;
    } else if (format == "l") {
      leaf.kind = schema_metadata(schema, "ocsf.type") == stamp ? LeafKind::timestamp : LeafKind::int64;
    } else if (format == "i") {
      leaf.kind = LeafKind::int32;
    } else if (format == "b") {
      leaf.kind = LeafKind::boolean;
    } else if (format == "g") {
      leaf.kind = LeafKind::float64;
    } else {
      return false;
    }
    leaf.path = path;
    for (const std::string& part : names) leaf.name.append(leaf.name.empty() ? "" : ".").append(part);
    if (leaf.kind == LeafKind::coded || leaf.kind == LeafKind::text)
      leaf.looked_up = is_looked_up(schema_metadata(schema, "ocsf.type"), leaf.name);
    leaf.anchor = anchor;
    leaf.steps = std::move(steps);
    leaf.max_definition = static_cast<std::uint8_t>(definition + 1);
    leaf.max_repetition = anchor < 0 ? std::uint8_t{0} : out.anchors[static_cast<std::size_t>(anchor)].repetition;
    out.elements.push_back({ElementKind::leaf, leaf.kind, name, 0});
    out.leaves.push_back(std::move(leaf));
    return true;
  }

  bool children(const ArrowSchema& schema, std::int32_t anchor, const std::vector<std::int32_t>& steps, int definition, int depth) {
    for (std::int64_t i = 0; i < schema.n_children; ++i) {
      auto below = steps;
      below.push_back(static_cast<std::int32_t>(i));
      const ArrowSchema& child = *schema.children[i];
      names.emplace_back(child.name ? child.name : "");
      if (!node(child, names.back(), anchor, std::move(below), definition, depth + 1)) return false;
      names.pop_back();
    }
    return true;
  }
};

}  // namespace

Result<TableSchema> TableSchema::make(const ArrowSchema& schema, Annotations annotations) {
  if (std::string_view(schema.format ? schema.format : "") != "+s" || schema.n_children == 0)
    return fail(LM_INVALID, "a table's schema is not a struct");
  Maker maker;
  maker.stamp = annotations == Annotations::all ? "timestamp_t" : "datetime_t";
  maker.json = annotations == Annotations::all;
  maker.out.elements.push_back({ElementKind::root, {}, "schema", static_cast<std::int32_t>(schema.n_children)});
  if (!maker.children(schema, -1, {}, 0, 0)) return fail(LM_UNSUPPORTED, maker.bad);
  return std::move(maker.out);
}

std::string_view schema_metadata(const ArrowSchema& schema, std::string_view wanted) {
  const char* at = schema.metadata;
  if (!at) return {};
  const auto number = [&at] {
    std::int32_t n = 0;
    std::memcpy(&n, at, sizeof n);
    at += sizeof n;
    return n < 0 ? 0 : n;
  };
  const auto text = [&] {
    const auto n = static_cast<std::size_t>(number());
    const std::string_view out(at, n);
    at += n;
    return out;
  };
  // The encoding has no total length: the counts in it are the only bound there is, and the host made them.
  for (std::int32_t left = number(); left > 0; --left) {
    const std::string_view key = text(), value = text();
    if (key == wanted) return value;
  }
  return {};
}

}  // namespace lm::sink::parquet
