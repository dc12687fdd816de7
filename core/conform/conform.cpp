#include "conform/conform.hpp"

#include "base/passes.hpp"
#include "conform/arrays.hpp"
#include "conform/json_text.hpp"

#include <logmill/sdk/arrays.hpp>
#include <logmill/sdk/intern.hpp>
#include <logmill/sdk/json.hpp>

#include <fmt/format.h>
#include <xxhash.h>
#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <stdexcept>
#include <unordered_map>

namespace lm {
namespace {

using detail::allocate_zeroed;
using detail::ArrayArena;
using detail::bitmap_bytes;
using detail::Interner;
using detail::Memory;
using detail::slots;
using detail::Zeroes;

bool valid_at(const ArrowArray& a, std::size_t i) {
  return a.null_count == 0 || !a.buffers[0] || (static_cast<const std::uint8_t*>(a.buffers[0])[i >> 3] >> (i & 7) & 1);
}
bool all_null(const ArrowArray& a) { return a.length != 0 && a.null_count == a.length; }

// What the host makes for a node of the table.
enum class Derived : std::uint8_t {
  none,
  class_uid,
  class_name,
  category_uid,
  category_name,
  type_uid,
  type_name,
  caption,
  metadata_version,
  metadata_profiles,
  metadata_uid,
  log_source,
  log_name,
  lineage_uri,
  lineage_etag,
  lineage_parser,
  lineage_offset,
  lineage_length,
  lineage_record,
  lineage_item,
  raw_data,
  observables,
};

constexpr std::pair<std::string_view, Derived> kDerived[] = {
    {"category_name", Derived::category_name},
    {"category_uid", Derived::category_uid},
    {"class_name", Derived::class_name},
    {"class_uid", Derived::class_uid},
    {"type_name", Derived::type_name},
    {"type_uid", Derived::type_uid},
    {"metadata.version", Derived::metadata_version},
    {"metadata.profiles[]", Derived::metadata_profiles},
    {"metadata.uid", Derived::metadata_uid},
    {"metadata.log_source", Derived::log_source},
    {"metadata.log_name", Derived::log_name},
    {"lineage.uri", Derived::lineage_uri},
    {"lineage.etag", Derived::lineage_etag},
    {"lineage.parser", Derived::lineage_parser},
    {"lineage.offset", Derived::lineage_offset},
    {"lineage.length", Derived::lineage_length},
    {"lineage.record", Derived::lineage_record},
    {"lineage.item", Derived::lineage_item},
    {"raw_data", Derived::raw_data},
    {"observables[]", Derived::observables},
};

Derived derived_by_path(std::string_view path) {
  for (const auto& [name, what] : kDerived) {
    if (name == path) return what;
  }
  return Derived::none;
}

// Captions of an enum: a fixed dictionary, and the code of each id.
struct Captions {
  static constexpr std::int32_t kSmall = 128;
  Interner dictionary;
  std::unordered_map<std::int32_t, std::int32_t> codes;
  std::array<std::int32_t, kSmall> small{};  // codes of ids below kSmall; -1: no caption

  Captions() { small.fill(-1); }
  void add(std::int32_t id, std::string_view text) {
    const std::int32_t code = dictionary.intern(text);
    codes[id] = code;
    if (id >= 0 && id < kSmall) small[static_cast<std::size_t>(id)] = code;
  }
  std::int32_t code(std::int32_t id) const {
    if (id >= 0 && id < kSmall) return small[static_cast<std::size_t>(id)];
    const auto found = codes.find(id);
    return found == codes.end() ? -1 : found->second;
  }
  // All ids from `least` to `most` are small and have a caption.
  bool has_all(const passes::Range& ids) const {
    return ids.least >= 0 && ids.most < kSmall &&
           std::all_of(small.begin() + ids.least, small.begin() + ids.most + 1, [](std::int32_t code) { return code >= 0; });
  }
};

// Codes of several dictionaries folded into one.
struct MergedDictionary {
  Interner values;
  std::vector<std::vector<std::int32_t>> maps;  // source -> its code -> ours, -1 where not yet seen

  // Room for every code of the dictionary.
  static void fit(std::vector<std::int32_t>& map, const ArrowArray& dictionary) {
    if (map.size() < static_cast<std::size_t>(dictionary.length)) map.resize(static_cast<std::size_t>(dictionary.length), -1);
  }
  std::int32_t map(std::vector<std::int32_t>& map, std::int32_t code, const ArrowArray& dictionary) {
    std::int32_t& mine = map[static_cast<std::size_t>(code)];
    if (mine < 0) mine = values.intern(text_at(dictionary, static_cast<std::size_t>(code)));
    return mine;
  }
  static std::string_view text_at(const ArrowArray& a, std::size_t i) {
    const auto* offsets = static_cast<const std::int32_t*>(a.buffers[1]);
    return {static_cast<const char*>(a.buffers[2]) + offsets[i], static_cast<std::size_t>(offsets[i + 1] - offsets[i])};
  }
  void forget_sources() {
    for (auto& m : maps) m.clear();
  }
};

// One number in every row: a buffer for all batches, as long as the longest of them.
template <class T>
struct Repeated {
  std::shared_ptr<std::vector<T>> values;

  const T* get(ArrayArena& arena, T value, std::size_t rows) {
    if (!values || values->size() < rows || values->front() != value) values = std::make_shared<std::vector<T>>(rows + rows / 2 + 1, value);
    arena.keep(values);
    return values->data();
  }
};

struct PlanNode {
  const TableNode* node = nullptr;
  int in = -1;  // index among the parser's children of the same parent; -1: the parser has none
  Derived derived = Derived::none;
  int id_in = -1;                            // caption, type_*: the id's index among the parser's children
  std::shared_ptr<Captions> captions;        // shared by all columns of the same enum
  std::unique_ptr<MergedDictionary> merged;  // caption where the parser sets the text itself too: source 0 is the parser's
  Interner constants;                        // of host-made constant text
  Repeated<std::int32_t> same;               // of what is the same in every row
  Repeated<std::int64_t> same_long;
  std::shared_ptr<std::vector<std::int32_t>> repeated;  // of a list that is
  std::size_t repeated_rows = 0;
  std::vector<PlanNode> children;
};

struct ObservableSource {
  std::vector<int> steps;  // children to go down from the parser's root; a list's element is step 0
  std::vector<bool> list;  // per step: the array that we leave is a list
  bool dictionary = false;
  std::int32_t type_id = 0, name_code = 0, type_code = 0;
};

std::string to_string(const ArrowSchema& s) { return s.format ? s.format : ""; }

class ConformImpl final : public Conform {
 public:
  ConformImpl(const Table& table, std::string_view parser_label, const ConformOptions& options)
      : table_(table), options_(options), parser_label_(parser_label), instance_(next_instance()) {}

  Result<void> plan(const lm_class& declared, const ArrowSchema& schema) {
    for (std::uint64_t i = 0; i < declared.n_profiles; ++i) profiles_.emplace_back(view(declared.profiles[i]));
    for (const std::string& profile : profiles_) profile_dictionary_.intern(profile);
    schema_ = &schema;
    root_.node = &table_.root;
    std::size_t leaves = 0;
    if (auto ok = plan_structure(root_, &schema, "", leaves); !ok) return ok;
    if (leaves != declared.n_columns) {
      return fail(Errc::plugin, fmt::format("the schema of table {} has {} columns, the descriptor declares {}", table_.name, leaves,
                                            declared.n_columns));
    }
    for (std::uint64_t i = 0; i < declared.n_columns; ++i) {
      const std::string_view path = view(declared.columns[i].path);
      if (!seen_.contains(std::string(path))) {
        return fail(Errc::plugin, fmt::format("the schema of table {} lacks the declared column '{}'", table_.name, path));
      }
    }
    return {};
  }

  const Table& table() const override { return table_; }

  Result<ConformedBatch> run(lm_batch& batch, std::span<const BlockOrigin> blocks) override {
    ConformedBatch out;
    out.instance = instance_;
    origins_ = {batch.origins, static_cast<std::size_t>(batch.array.length)};
    ArrowArray taken{};
    if (options_.since_ms || options_.until_ms) {
      select(batch.array);
      if (selected_.size() != origins_.size()) {
        out.rows_filtered = origins_.size() - selected_.size();
        if (selected_.empty()) {
          batch.array.release(&batch.array);
          return out;
        }
        kept_origins_.clear();
        for (const std::uint32_t row : selected_) kept_origins_.push_back(origins_[row]);
        origins_ = kept_origins_;
        take_rows(*schema_, &batch.array, selected_, &taken, &batch.bytes);
      }
    }
    if (!taken.release) {
      taken = batch.array;
      batch.array.release = nullptr;
    }

    if (batch.dictionary_epoch != parser_epoch_) {
      parser_epoch_ = batch.dictionary_epoch;
      ++epoch_;
      forget(root_);
      observables_.forget_sources();
    }
    if (observables_.values.bytes() > kMostObservables || uris_.bytes() + etags_.bytes() + log_names_.bytes() > kMostOfObjects) {
      ++epoch_;
      observables_.values.clear();
      observables_.forget_sources();
      uris_.clear(), etags_.clear(), log_names_.clear();
    }
    blocks_ = blocks;
    block_uris_.clear(), block_etags_.clear(), block_log_names_.clear();
    for (const BlockOrigin& b : blocks) {
      block_uris_.push_back(uris_.intern(view(b.block->object->uri)));
      const std::string_view etag = view(b.block->object->etag);
      block_etags_.push_back(etag.empty() ? -1 : etags_.intern(etag));
      const std::string_view log = capture(*b.block->object, "log_group");
      block_log_names_.push_back(log.empty() ? -1 : log_names_.intern(log));
    }

    try {
      complete(taken, batch.bytes, out);
    } catch (const std::length_error&) {
      out.too_large = true;
      batch.array = taken;
      batch.origins = origins_.data();
    } catch (...) {
      batch.array = taken;
      throw;
    }
    return out;
  }

  std::string not_json(const ArrowArray& rows) override { return not_json(root_, rows); }

 private:
  std::string not_json(const PlanNode& plan, const ArrowArray& in) {
    const TableNode& node = *plan.node;
    if (node.kind == TableNode::Kind::leaf) {
      if (node.type != LeafType::json || plan.derived != Derived::none) return {};
      for (std::size_t i = 0; i < static_cast<std::size_t>(in.length); ++i) {
        if (valid_at(in, i) && !json_.valid(MergedDictionary::text_at(in, i))) return node.path;
      }
      return {};
    }
    for (const PlanNode& child : plan.children) {
      const bool item = node.kind == TableNode::Kind::list;
      if (!item && child.in < 0) continue;
      if (std::string path = not_json(child, *in.children[item ? 0 : child.in]); !path.empty()) return path;
    }
    return {};
  }

  // Takes `taken` over, unless it throws. std::length_error: a column would be too large.
  void complete(ArrowArray& taken, std::uint64_t bytes, ConformedBatch& out) {
    auto arena = ArrayArena::make();
    in_root_ = &taken;
    rows_ = static_cast<std::size_t>(taken.length);
    made_.clear();
    trace(*arena, rows_);
    ArrowArray& root = structure(*arena, root_, &taken, rows_);
    root.null_count = 0, root.buffers[0] = nullptr;
    arena->hold(&taken);
    out.bytes = arena->bytes() + bytes;
    out.epoch = epoch_;
    ArrayArena::finish(std::move(arena), root, &out.array);
  }

  // Of a column of the batch at hand, before room is made for it.
  void check_size(std::size_t bytes) const {
    if (bytes > (rows_ == 1 ? static_cast<std::size_t>(INT32_MAX) : options_.most_bytes))
      throw std::length_error("a column has more than 2 GiB in one row");
  }

  static std::string_view capture(const lm_object& object, std::string_view name) {
    for (std::uint64_t i = 0; i < object.n_captures; ++i) {
      if (view(object.captures[i].name) == name) return view(object.captures[i].value);
    }
    return {};
  }

  // Captions that this batch has already.
  struct Made {
    const Captions* captions;
    const ArrowArray *ids, *of;

    bool is_of(const Captions& wanted, const ArrowArray& a, std::size_t rows) const {
      return captions == &wanted && ids->buffers[0] == a.buffers[0] && ids->buffers[1] == a.buffers[1] && ids->null_count == a.null_count &&
             ids->length == a.length && of->length == static_cast<std::int64_t>(rows);
    }
  };

  // Bytes of dictionaries: a run has some dozens of instances, and objects do not come twice.
  static constexpr std::size_t kMostObservables = 6 << 20, kMostOfObjects = 1 << 20;

  static std::uint64_t next_instance() {
    static std::atomic<std::uint64_t> counter{0};
    return ++counter;
  }

  // ---- Planning ----

  static int child_index(const ArrowSchema* schema, std::string_view name) {
    if (!schema) return -1;
    for (std::int64_t i = 0; i < schema->n_children; ++i) {
      if (schema->children[i]->name && name == schema->children[i]->name) return static_cast<int>(i);
    }
    return -1;
  }

  Result<void> check_leaf(const ArrowSchema& schema, const TableNode& node) {
    const std::string format = to_string(schema);
    const bool text = node.type == LeafType::dictionary || node.type == LeafType::text || node.type == LeafType::json;
    static constexpr std::string_view kFormats[] = {"u", "u", "u", "i", "l", "g", "b"};
    const std::string_view wanted = kFormats[static_cast<std::size_t>(node.type)];
    const bool coded = text && format == "i" && schema.dictionary && to_string(*schema.dictionary) == "u" && node.type != LeafType::json;
    if (!coded && (format != wanted || schema.dictionary)) {
      return fail(Errc::plugin, fmt::format("column '{}' of table {} has Arrow format '{}'{}, wanted '{}'", node.path, table_.name, format,
                                            schema.dictionary ? " with a dictionary" : "", wanted));
    }
    if (!coded && node.type == LeafType::dictionary) {
      return fail(Errc::plugin,
                  fmt::format("column '{}' of table {} was declared LM_TEXT_DICTIONARY and has none", node.path, table_.name));
    }
    return {};
  }

  Result<void> plan_structure(PlanNode& plan, const ArrowSchema* schema, const std::string& name_in_error, std::size_t& leaves) {
    if (schema) {
      if (to_string(*schema) != "+s")
        return fail(Errc::plugin, fmt::format("'{}' of table {} is not a struct", plan.node->path, table_.name));
      for (std::int64_t i = 0; i < schema->n_children; ++i) {
        const std::string_view name = schema->children[i]->name ? schema->children[i]->name : "";
        const auto known =
            std::any_of(plan.node->children.begin(), plan.node->children.end(), [&](const auto& c) { return c->name == name; });
        if (!known || child_index(schema, name) != i) {
          return fail(Errc::plugin, fmt::format("the schema of table {} has '{}{}', which the descriptor does not declare", table_.name,
                                                name_in_error, name));
        }
      }
    }
    plan.children.resize(plan.node->children.size());
    for (std::size_t i = 0; i < plan.children.size(); ++i) {
      PlanNode& child = plan.children[i];
      child.node = plan.node->children[i].get();
      child.in = child_index(schema, child.node->name);
      child.derived = derived_by_path(child.node->path);
      const ArrowSchema* below = child.in >= 0 ? schema->children[child.in] : nullptr;
      if (auto ok = plan_node(child, below, plan, schema, leaves); !ok) return ok;
    }
    return {};
  }

  Result<void> plan_node(PlanNode& plan, const ArrowSchema* schema, const PlanNode& parent, const ArrowSchema* parent_schema,
                         std::size_t& leaves) {
    const TableNode& node = *plan.node;
    switch (node.kind) {
      case TableNode::Kind::structure: {
        steps_.push_back(plan.in), lists_.push_back(false);
        auto ok = plan_structure(plan, schema, node.path + ".", leaves);
        steps_.pop_back(), lists_.pop_back();
        return ok;
      }
      case TableNode::Kind::list: {
        if (schema && (to_string(*schema) != "+l" || schema->n_children != 1)) {
          return fail(Errc::plugin, fmt::format("'{}' of table {} is not a list", node.path, table_.name));
        }
        plan.children.resize(1);
        plan.children[0].node = node.children[0].get();
        plan.children[0].in = schema ? 0 : -1;
        steps_.push_back(plan.in), lists_.push_back(false);
        const ArrowSchema* item = schema ? schema->children[0] : nullptr;
        Result<void> ok;
        if (plan.derived == Derived::observables || plan.derived == Derived::metadata_profiles) {
          plan_generated(plan.children[0]);
        } else if (plan.children[0].node->kind == TableNode::Kind::structure) {
          steps_.push_back(0), lists_.push_back(true);
          ok = plan_structure(plan.children[0], item, node.path + ".", leaves);
          steps_.pop_back(), lists_.pop_back();
        } else {
          step_list_ = true;
          ok = plan_node(plan.children[0], item, plan, nullptr, leaves);
        }
        steps_.pop_back(), lists_.pop_back();
        return ok;
      }
      case TableNode::Kind::leaf: break;
    }
    const bool in_list = std::exchange(step_list_, false);
    if (schema) {
      ++leaves;
      seen_.insert(node.path);
      if (auto ok = check_leaf(*schema, node); !ok) return ok;
      if (node.attribute->observable != 0) {
        ObservableSource source;
        source.steps = steps_, source.list = lists_;
        source.steps.push_back(plan.in), source.list.push_back(in_list);
        source.dictionary = schema->dictionary != nullptr;
        source.type_id = node.attribute->observable;
        source.name_code = observable_names_.intern(node.path);
        source.type_code = observable_types_.intern(observable_caption(source.type_id));
        sources_.push_back(std::move(source));
        observables_.maps.emplace_back();
      }
    }
    if (plan.derived == Derived::type_uid || plan.derived == Derived::type_name) {
      plan.id_in = child_index(parent_schema, "activity_id");
      if (plan.id_in < 0) return fail(Errc::plugin, fmt::format("table {} has no activity_id, which every OCSF event needs", table_.name));
      if (plan.derived == Derived::type_name) {
        plan.captions = std::make_shared<Captions>();
        const auto* activity = catalogue().find(catalogue().attributes_of(*table_.ocsf_class), "activity_id");
        for (const auto& member : catalogue().members_of(*activity)) {
          plan.captions->add(member.value, fmt::format("{}: {}", table_.ocsf_class->caption, member.caption));
        }
      }
    } else if (plan.derived == Derived::none && !plan_caption(plan, parent, parent_schema)) {
      // A plain column of the parser, or absent.
    }
    // Of a record that it could not make out for certain, a parser keeps the text; of all records, whoever runs the program.
    if (plan.derived == Derived::raw_data && schema && !options_.raw_data) plan.derived = Derived::none;
    // What a parser says of its log is nearer than what the wrapping says.
    if (plan.derived == Derived::log_name && schema) plan.derived = Derived::none;
    if (plan.derived == Derived::class_name) plan.constants.intern(table_.ocsf_class->caption);
    if (plan.derived == Derived::category_name) plan.constants.intern(table_.ocsf_class->category_name);
    if (plan.derived == Derived::metadata_version) plan.constants.intern(catalogue().version);
    if (plan.derived == Derived::lineage_parser) plan.constants.intern(parser_label_);
    return {};
  }

  static void plan_generated(PlanNode& plan) {
    plan.children.resize(plan.node->children.size());
    for (std::size_t i = 0; i < plan.children.size(); ++i) plan.children[i].node = plan.node->children[i].get();
  }

  // True if some "_id" attribute beside this one, which the parser sets, has its captions here.
  bool plan_caption(PlanNode& plan, const PlanNode& parent, const ArrowSchema* parent_schema) {
    if (!plan.node->attribute) return false;
    for (const auto& other : parent.node->children) {
      if (!other->attribute || other->kind != TableNode::Kind::leaf || other->type != LeafType::int32) continue;
      const ocsf::Attribute* sibling = catalogue().sibling_of(*other->attribute);
      if (sibling != plan.node->attribute) continue;
      const int id_in = child_index(parent_schema, other->name);
      if (id_in < 0) continue;
      plan.derived = Derived::caption;
      plan.id_in = id_in;
      plan.captions = captions_of(*other->attribute);
      if (plan.in >= 0) {
        plan.merged = std::make_unique<MergedDictionary>();
        plan.merged->maps.resize(2);
      }
      return true;
    }
    return false;
  }

  std::shared_ptr<Captions> captions_of(const ocsf::Attribute& id) {
    auto& out = captions_[&id];
    if (!out) {
      out = std::make_shared<Captions>();
      for (const auto& member : catalogue().members_of(id)) out->add(member.value, member.caption);
    }
    return out;
  }

  static std::string_view observable_caption(std::int32_t type_id) {
    const auto* object = catalogue().find_object("observable");
    return catalogue().caption(*catalogue().find(catalogue().attributes_of(*object), "type_id"), type_id);
  }

  void forget(PlanNode& plan) {
    if (plan.merged) plan.merged->values.clear(), plan.merged->forget_sources();
    for (PlanNode& child : plan.children) forget(child);
  }

  // ---- Running ----

  void select(const ArrowArray& in) {
    selected_.clear();
    const int time = child_index(schema_, "time");
    const auto& a = *in.children[time];
    const auto* times = static_cast<const std::int64_t*>(a.buffers[1]);
    for (std::size_t i = 0; i < origins_.size(); ++i) {
      const bool known = valid_at(a, i);
      if (known && options_.since_ms && times[i] < *options_.since_ms) continue;
      if (known && options_.until_ms && times[i] >= *options_.until_ms) continue;
      selected_.push_back(static_cast<std::uint32_t>(i));  // an event without a time is kept: nobody can say that it is outside
    }
  }

  static std::size_t slot_size(LeafType type) { return type == LeafType::int64 || type == LeafType::float64 ? 8 : 4; }

  ArrowArray& absent(ArrayArena& arena, const TableNode& node, std::size_t rows) { return null_array(arena, zeroes_, node, rows); }

  ArrowArray& structure(ArrayArena& arena, PlanNode& plan, const ArrowArray* in, std::size_t rows) {
    ArrowArray& a = arena.add(static_cast<std::int64_t>(rows), 1);
    std::vector<ArrowArray*> children;
    children.reserve(plan.children.size());
    bool all_valid = rows == 0 || (in && in->null_count == 0), none = true;
    for (PlanNode& child : plan.children) {
      children.push_back(&build(arena, child, in, rows));
      all_valid = all_valid || children.back()->null_count == 0;
      none = none && all_null(*children.back());
    }
    if (!all_valid) {
      if (in) {
        // Captions are there only where their id is: the parser's own bitmap holds for them too.
        a.null_count = in->null_count;
        a.buffers[0] = in->buffers[0];
      } else if (none) {
        a.null_count = static_cast<std::int64_t>(rows);
        a.buffers[0] = zeroes_.get(arena, bitmap_bytes(rows));
      } else {
        Memory valid = allocate_zeroed(bitmap_bytes(rows));
        std::int64_t present = 0;
        for (const ArrowArray* child : children) {
          for (std::size_t w = 0; w < bitmap_bytes(rows) / 8; ++w) {
            slots<std::uint64_t>(valid)[w] |= static_cast<const std::uint64_t*>(child->buffers[0])[w];
          }
        }
        for (std::size_t w = 0; w < bitmap_bytes(rows) / 8; ++w) present += __builtin_popcountll(slots<std::uint64_t>(valid)[w]);
        a.null_count = static_cast<std::int64_t>(rows) - present;
        a.buffers[0] = arena.keep(std::move(valid), bitmap_bytes(rows));
      }
    }
    arena.set_children(a, std::move(children));
    return a;
  }

  // `parent` is the parser's array of the struct or list that the node lies in, or null.
  ArrowArray& build(ArrayArena& arena, PlanNode& plan, const ArrowArray* parent, std::size_t rows) {
    const TableNode& node = *plan.node;
    const ArrowArray* in = parent && plan.in >= 0 ? parent->children[plan.in] : nullptr;
    if (plan.derived != Derived::none) return derive(arena, plan, parent, in, rows);
    if (node.kind == TableNode::Kind::structure) {
      // A struct that neither the parser nor the host fills is one shared nothing.
      return in || has_derived(plan) ? structure(arena, plan, in, rows) : absent(arena, node, rows);
    }
    if (!in) return absent(arena, node, rows);
    if (node.kind == TableNode::Kind::list) {
      ArrowArray& a = alias(arena, *in);
      PlanNode& item = plan.children[0];
      const auto elements = static_cast<std::size_t>(in->children[0]->length);
      std::vector<ArrowArray*> children;
      if (item.node->kind == TableNode::Kind::structure) {
        children.push_back(&structure(arena, item, in->children[0], elements));
      } else {
        children.push_back(&build(arena, item, in, elements));
      }
      arena.set_children(a, std::move(children));
      return a;
    }
    return leaf(arena, node, *in);
  }

  static bool has_derived(const PlanNode& plan) {
    if (plan.derived != Derived::none && plan.derived != Derived::caption) return true;
    return std::any_of(plan.children.begin(), plan.children.end(), has_derived);
  }

  static ArrowArray& alias(ArrayArena& arena, const ArrowArray& in) {
    ArrowArray& a = arena.add(in.length, in.n_buffers);
    a.null_count = in.null_count;
    for (std::int64_t i = 0; i < in.n_buffers; ++i) a.buffers[i] = in.buffers[i];
    if (in.null_count == 0) a.buffers[0] = nullptr;
    return a;
  }

  ArrowArray& leaf(ArrayArena& arena, const TableNode& node, const ArrowArray& in) {
    if (in.dictionary && node.type == LeafType::text) return plain_text(arena, in);
    ArrowArray& a = alias(arena, in);
    if (in.dictionary) a.dictionary = &alias(arena, *in.dictionary);
    if (node.type == LeafType::json) replace_halves(arena, a);
    return a;
  }

  static void replace_halves(ArrayArena& arena, ArrowArray& a) {
    const auto* const offsets = static_cast<const std::int32_t*>(a.buffers[1]);
    if (!offsets || a.length == 0) return;
    const auto* const text = static_cast<const char*>(a.buffers[2]);
    const auto begin = static_cast<std::size_t>(offsets[0]), end = static_cast<std::size_t>(offsets[a.length]);
    if (begin == end || !passes::has_surrogate_escape(text + begin, end - begin)) return;
    Memory copy = detail::allocate(end);
    char* const to = slots<char>(copy);
    std::memcpy(to, text, end);
    for (std::int64_t i = 0; i < a.length; ++i)
      json_text::replace_halves({to + offsets[i], static_cast<std::size_t>(offsets[i + 1] - offsets[i])});
    a.buffers[2] = arena.keep(std::move(copy), end);
  }

  // Codes written out as text, where another parser declares the same column plain.
  ArrowArray& plain_text(ArrayArena& arena, const ArrowArray& in) {
    const auto rows = static_cast<std::size_t>(in.length);
    const auto* codes = static_cast<const std::int32_t*>(in.buffers[1]);
    ArrowArray& a = arena.add(in.length, 3);
    a.null_count = in.null_count;
    a.buffers[0] = in.null_count ? in.buffers[0] : nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      if (valid_at(in, i)) size += MergedDictionary::text_at(*in.dictionary, static_cast<std::size_t>(codes[i])).size();
    }
    check_size(size);
    Memory offsets = allocate_zeroed((rows + 1) * 4), text = allocate_zeroed(size);
    std::size_t at = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      if (valid_at(in, i)) {
        const auto value = MergedDictionary::text_at(*in.dictionary, static_cast<std::size_t>(codes[i]));
        if (!value.empty()) std::memcpy(text.get() + at, value.data(), value.size());
        at += value.size();
      }
      slots<std::int32_t>(offsets)[i + 1] = static_cast<std::int32_t>(at);
    }
    a.buffers[1] = arena.keep(std::move(offsets), (rows + 1) * 4);
    a.buffers[2] = arena.keep(std::move(text), size);
    return a;
  }

  ArrowArray& constant_text(ArrayArena& arena, const Interner& dictionary, std::size_t rows) {
    ArrowArray& a = arena.add(static_cast<std::int64_t>(rows), 2);
    a.buffers[1] = zeroes_.get(arena, (rows + 1) * 4);
    a.dictionary = &dictionary.export_dictionary(arena);
    return a;
  }

  template <class T, class Value>
  ArrowArray& numbers(ArrayArena& arena, std::size_t rows, Value&& value) {
    ArrowArray& a = arena.add(static_cast<std::int64_t>(rows), 2);
    Memory values = detail::allocate((rows + 1) * sizeof(T));
    for (std::size_t i = 0; i < rows; ++i) slots<T>(values)[i] = static_cast<T>(value(i));
    a.buffers[1] = arena.keep(std::move(values), rows * sizeof(T));
    return a;
  }

  static ArrowArray& constant_number(ArrayArena& arena, PlanNode& plan, std::int32_t value, std::size_t rows) {
    ArrowArray& a = arena.add(static_cast<std::int64_t>(rows), 2);
    a.buffers[1] = plan.same.get(arena, value, rows);
    return a;
  }

  // The same code, or null (-1), in every row.
  ArrowArray& constant_code(ArrayArena& arena, PlanNode& plan, std::int32_t code, std::size_t rows, const Interner& dictionary) {
    if (code > 0) {
      ArrowArray& a = constant_number(arena, plan, code, rows);
      a.dictionary = &dictionary.export_dictionary(arena);
      return a;
    }
    ArrowArray& a = constant_text(arena, dictionary, rows);
    if (code < 0 && rows != 0) {
      a.null_count = static_cast<std::int64_t>(rows);
      a.buffers[0] = a.buffers[1];
    }
    return a;
  }

  // The rows of the batch at hand whose origins lie in the same block; rows that follow each other mostly do.
  struct Stretch {
    std::uint32_t block;
    std::size_t begin, end;
  };

  // Goes over the origins, once for all columns that come from them.
  void trace(ArrayArena& arena, std::size_t rows) {
    stretches_.clear();
    const auto column = [&] {
      Memory memory = detail::allocate(rows * 8);
      auto* const out = slots<std::int64_t>(memory);
      arena.keep(std::move(memory), rows * 8);
      return out;
    };
    auto *const offset = column(), *const length = column(), *const ordinal = column();
    record_offsets_ = offset, record_lengths_ = length, ordinals_ = ordinal;
    std::uint32_t items = 0;
    for (std::size_t begin = 0, end = 0; begin < rows; begin = end) {
      const std::uint32_t at = origins_[begin].block;
      const lm_block& block = *blocks_[at].block;
      const auto first_byte = static_cast<std::int64_t>(block.offset), first_record = static_cast<std::int64_t>(block.first_record);
      for (end = begin; end < rows && origins_[end].block == at; ++end) {
        const lm_origin& o = origins_[end];
        const lm_record& record = block.records[o.record];
        offset[end] = first_byte + record.offset;
        length[end] = record.length;
        ordinal[end] = first_record + o.record;
        items |= o.item;
      }
      if (const auto* ordinals = blocks_[at].ordinals) {
        for (std::size_t i = begin; i < end; ++i) ordinal[i] = static_cast<std::int64_t>((*ordinals)[origins_[i].record]);
      }
      if (const auto* places = blocks_[at].places) {
        for (std::size_t i = begin; i < end; ++i) {
          const Place& place = (*places)[origins_[i].record];
          offset[i] = static_cast<std::int64_t>(place.offset), length[i] = static_cast<std::int64_t>(place.length);
        }
      }
      stretches_.push_back({at, begin, end});
    }
    items_ = items != 0;
  }

  static ArrowArray& traced(ArrayArena& arena, const std::int64_t* values, std::size_t rows) {
    ArrowArray& a = arena.add(static_cast<std::int64_t>(rows), 2);
    a.buffers[1] = values;
    return a;
  }

  // Codes, -1 for null.
  template <class Code>
  ArrowArray& coded(ArrayArena& arena, std::size_t rows, const Interner& dictionary, Code&& code) {
    ArrowArray& a = arena.add(static_cast<std::int64_t>(rows), 2);
    Memory values = detail::allocate((rows + 1) * 4);
    auto* out = slots<std::int32_t>(values);
    std::int64_t nulls = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      out[i] = code(i);
      nulls += out[i] < 0;
    }
    return finish_codes(arena, a, std::move(values), nulls, rows, dictionary);
  }

  // A code a block.
  ArrowArray& coded_by_block(ArrayArena& arena, PlanNode& plan, std::size_t rows, const Interner& dictionary,
                             const std::vector<std::int32_t>& codes) {
    const auto same = [&](const Stretch& s) { return codes[s.block] == codes[stretches_.front().block]; };
    if (rows != 0 && std::all_of(stretches_.begin(), stretches_.end(), same))
      return constant_code(arena, plan, codes[stretches_.front().block], rows, dictionary);
    ArrowArray& a = arena.add(static_cast<std::int64_t>(rows), 2);
    Memory values = detail::allocate((rows + 1) * 4);
    auto* out = slots<std::int32_t>(values);
    std::int64_t nulls = 0;
    for (const Stretch& s : stretches_) {
      std::fill(out + s.begin, out + s.end, codes[s.block]);
      if (codes[s.block] < 0) nulls += static_cast<std::int64_t>(s.end - s.begin);
    }
    return finish_codes(arena, a, std::move(values), nulls, rows, dictionary);
  }

  ArrowArray& finish_codes(ArrayArena& arena, ArrowArray& a, Memory&& values, std::int64_t nulls, std::size_t rows,
                           const Interner& dictionary) {
    if (nulls) {
      auto* codes = slots<std::int32_t>(values);
      Memory valid = allocate_zeroed(bitmap_bytes(rows));
      for (std::size_t begin = 0; begin < rows; begin += 64) {
        std::uint64_t word = 0;
        const std::size_t n = std::min<std::size_t>(rows - begin, 64);
        for (std::size_t i = 0; i < n; ++i) {
          word |= std::uint64_t{codes[begin + i] >= 0} << i;
          codes[begin + i] = std::max(codes[begin + i], 0);
        }
        slots<std::uint64_t>(valid)[begin / 64] = word;
      }
      a.buffers[0] = arena.keep(std::move(valid), bitmap_bytes(rows));
    }
    a.null_count = nulls;
    a.buffers[1] = arena.keep(std::move(values), rows * 4);
    a.dictionary = &dictionary.export_dictionary(arena);
    return a;
  }

  ArrowArray& derive(ArrayArena& arena, PlanNode& plan, const ArrowArray* parent, const ArrowArray* in, std::size_t rows) {
    const auto ids = [&] { return parent && plan.id_in >= 0 ? parent->children[plan.id_in] : nullptr; };
    switch (plan.derived) {
      case Derived::class_uid: return constant_number(arena, plan, static_cast<std::int32_t>(table_.class_uid), rows);
      case Derived::category_uid: return constant_number(arena, plan, static_cast<std::int32_t>(table_.ocsf_class->category_uid), rows);
      case Derived::class_name:
      case Derived::category_name:
      case Derived::metadata_version:
      case Derived::lineage_parser: return constant_text(arena, plan.constants, rows);
      case Derived::type_uid: return type_uids(arena, plan, *ids(), rows);
      case Derived::type_name:
      case Derived::caption: return captions(arena, plan, *ids(), in, rows);
      case Derived::metadata_profiles: return profiles(arena, plan, rows);
      case Derived::metadata_uid: return uids(arena, rows);
      case Derived::log_source:
      case Derived::lineage_uri: return coded_by_block(arena, plan, rows, uris_, block_uris_);
      case Derived::lineage_etag: return coded_by_block(arena, plan, rows, etags_, block_etags_);
      case Derived::log_name:
        if (std::all_of(block_log_names_.begin(), block_log_names_.end(), [](std::int32_t code) { return code < 0; })) break;
        return coded_by_block(arena, plan, rows, log_names_, block_log_names_);
      case Derived::lineage_offset: return traced(arena, record_offsets_, rows);
      case Derived::lineage_length: return traced(arena, record_lengths_, rows);
      case Derived::lineage_record: return traced(arena, ordinals_, rows);
      case Derived::lineage_item: return items(arena, rows);
      case Derived::raw_data: return options_.raw_data ? raw(arena, rows) : absent(arena, *plan.node, rows);
      case Derived::observables: return observables(arena, plan, rows);
      case Derived::none: break;
    }
    return absent(arena, *plan.node, rows);
  }

  ArrowArray& type_uids(ArrayArena& arena, PlanNode& plan, const ArrowArray& ids, std::size_t rows) {
    const auto* activity = static_cast<const std::int32_t*>(ids.buffers[1]);
    const std::int64_t base = std::int64_t{table_.class_uid} * 100;
    if (const passes::Range range = passes::range(activity, rows); range.least == range.most) {
      ArrowArray& a = arena.add(static_cast<std::int64_t>(rows), 2);
      a.buffers[1] = plan.same_long.get(arena, base + range.least, rows);
      return a;
    }
    return numbers<std::int64_t>(arena, rows, [&](std::size_t i) { return base + activity[i]; });
  }

  ArrowArray& items(ArrayArena& arena, std::size_t rows) {
    if (items_) return numbers<std::int32_t>(arena, rows, [&](std::size_t i) { return origins_[i].item; });
    ArrowArray& a = arena.add(static_cast<std::int64_t>(rows), 2);
    a.buffers[1] = zeroes_.get(arena, (rows + 1) * 4);
    return a;
  }

  ArrowArray& captions(ArrayArena& arena, PlanNode& plan, const ArrowArray& ids, const ArrowArray* own, std::size_t rows) {
    const Captions& captions = *plan.captions;
    if (plan.merged) return merged_captions(arena, *plan.merged, captions, ids, own, rows);
    // Two id columns that are one have one column of captions.
    for (const Made& made : made_) {
      if (!made.is_of(captions, ids, rows)) continue;
      ArrowArray& a = alias(arena, *made.of);
      a.dictionary = &alias(arena, *made.of->dictionary);
      return a;
    }
    ArrowArray& a = plain_captions(arena, plan, captions, ids, rows);
    made_.push_back({&captions, &ids, &a});
    return a;
  }

  ArrowArray& plain_captions(ArrayArena& arena, PlanNode& plan, const Captions& captions, const ArrowArray& ids, std::size_t rows) {
    const auto* values = static_cast<const std::int32_t*>(ids.buffers[1]);
    if (all_null(ids)) return constant_code(arena, plan, -1, rows, captions.dictionary);
    const passes::Range range = rows != 0 ? passes::range(values, rows) : passes::Range{};
    if (rows == 0 || ids.length != static_cast<std::int64_t>(rows) || !captions.has_all(range)) {
      return coded(arena, rows, captions.dictionary, [&](std::size_t i) { return valid_at(ids, i) ? captions.code(values[i]) : -1; });
    }
    ArrowArray* a = nullptr;
    if (range.least == range.most) {
      a = &constant_code(arena, plan, captions.code(range.least), rows, captions.dictionary);
    } else {
      a = &arena.add(static_cast<std::int64_t>(rows), 2);
      Memory codes = detail::allocate((rows + 1) * 4);
      passes::look_up(values, rows, captions.small.data(), slots<std::int32_t>(codes));
      a->buffers[1] = arena.keep(std::move(codes), rows * 4);
      a->dictionary = &captions.dictionary.export_dictionary(arena);
    }
    // There is a caption wherever there is an id.
    a->null_count = ids.null_count;
    a->buffers[0] = ids.null_count != 0 ? ids.buffers[0] : nullptr;
    return *a;
  }

  // Where the parser sets the text itself too, its own stands.
  ArrowArray& merged_captions(ArrayArena& arena, MergedDictionary& merged, const Captions& captions, const ArrowArray& ids,
                              const ArrowArray* own, std::size_t rows) {
    if (own && all_null(*own)) own = nullptr;
    const auto* values = static_cast<const std::int32_t*>(ids.buffers[1]);
    const auto* codes = own ? static_cast<const std::int32_t*>(own->buffers[1]) : nullptr;
    if (own) MergedDictionary::fit(merged.maps[0], *own->dictionary);
    auto& caption_map = merged.maps[1];
    caption_map.resize(captions.dictionary.size(), -1);
    // Interned before the dictionary is exported, for the export shares storage that may move.
    merged_codes_.resize(rows);
    for (std::size_t i = 0; i < rows; ++i) {
      if (own && valid_at(*own, i)) {
        merged_codes_[i] = merged.map(merged.maps[0], codes[i], *own->dictionary);
        continue;
      }
      const std::int32_t code = valid_at(ids, i) ? captions.code(values[i]) : -1;
      if (code >= 0 && caption_map[static_cast<std::size_t>(code)] < 0) {
        caption_map[static_cast<std::size_t>(code)] = merged.values.intern(captions.dictionary.at(code));
      }
      merged_codes_[i] = code < 0 ? -1 : caption_map[static_cast<std::size_t>(code)];
    }
    return coded(arena, rows, merged.values, [&](std::size_t i) { return merged_codes_[i]; });
  }

  ArrowArray& profiles(ArrayArena& arena, PlanNode& plan, std::size_t rows) {
    const std::size_t n = profiles_.size();
    check_size(rows * n * sizeof(std::int32_t));
    ArrowArray& a = arena.add(static_cast<std::int64_t>(rows), 2);
    ArrowArray& item = arena.add(static_cast<std::int64_t>(rows * n), 2);
    // Offsets, and behind them the codes, of the longest batch so far.
    if (!plan.repeated || plan.repeated_rows < rows) {
      plan.repeated_rows = rows + rows / 2;
      plan.repeated = std::make_shared<std::vector<std::int32_t>>(plan.repeated_rows + 1 + plan.repeated_rows * n + 1);
      for (std::size_t i = 0; i <= plan.repeated_rows; ++i) (*plan.repeated)[i] = static_cast<std::int32_t>(i * n);
      for (std::size_t i = 0; i < plan.repeated_rows * n; ++i)
        (*plan.repeated)[plan.repeated_rows + 1 + i] = static_cast<std::int32_t>(i % n);
    }
    arena.keep(plan.repeated);
    a.buffers[1] = plan.repeated->data();
    if (n == 0 && rows != 0) {
      a.null_count = static_cast<std::int64_t>(rows);
      a.buffers[0] = zeroes_.get(arena, bitmap_bytes(rows));
    }
    item.buffers[1] = plan.repeated->data() + plan.repeated_rows + 1;
    item.dictionary = &profile_dictionary_.export_dictionary(arena);
    arena.set_children(a, {&item});
    return a;
  }

  // "<object hash>-<record offset, hexadecimal>", and "-<item>" where a record gives several rows: see docs/adr.
  [[gnu::noinline]] ArrowArray& uids(ArrayArena& arena, std::size_t rows) {
    constexpr std::size_t kMost = 32 + 1 + 16 + 1 + 8;
    check_size(rows * kMost);
    ArrowArray& a = arena.add(static_cast<std::int64_t>(rows), 3);
    Memory offsets = detail::allocate((rows + 1) * 4), text = detail::allocate(rows * kMost + 1);
    char* const first = slots<char>(text);
    char* at = first;
    auto* const offset = slots<std::int32_t>(offsets);
    offset[0] = 0;
    const std::int64_t* const bytes = record_offsets_;
    const bool items = items_;
    for (const Stretch& s : stretches_) {
      std::array<char, 33> prefix{};
      std::memcpy(prefix.data(), blocks_[s.block].object_hash.data(), 32);
      prefix[32] = '-';
      for (std::size_t i = s.begin; i < s.end; ++i) {  // each row has its share of the buffer, kMost bytes
        std::memcpy(at, prefix.data(), 33);
        at = put_hexadecimal(at + 33, static_cast<std::uint64_t>(bytes[i]));
        if (items && origins_[i].item != 0) {
          *at++ = '-';
          at = put_hexadecimal(at, origins_[i].item);
        }
        offset[i + 1] = static_cast<std::int32_t>(at - first);
      }
    }
    const auto size = static_cast<std::size_t>(at - first);
    a.buffers[1] = arena.keep(std::move(offsets), (rows + 1) * 4);
    a.buffers[2] = arena.keep(std::move(text), size);
    return a;
  }

  // At most 16 characters. Answers the end; up to 8 characters are written whatever the number.
  static char* put_hexadecimal(char* at, std::uint64_t value) {
    if (value >> 32) {
      at = put_digits(at, static_cast<std::uint32_t>(value >> 32));
      const std::uint64_t low = digits(static_cast<std::uint32_t>(value));
      std::memcpy(at, &low, 8);
      return at + 8;
    }
    return put_digits(at, static_cast<std::uint32_t>(value));
  }
  static char* put_digits(char* at, std::uint32_t value) {
    const int blank = __builtin_clz(value | 1) / 4;  // leading zeroes
    const std::uint64_t text = digits(value) >> (8 * blank);
    std::memcpy(at, &text, 8);
    return at + (8 - blank);
  }
  // Eight digits, the first of them in the lowest byte: the nibbles are spread over the bytes, and those above 9 become letters.
  static std::uint64_t digits(std::uint32_t value) {
    std::uint64_t x = value;
    x = (x | x << 16) & 0x0000ffff0000ffffu;
    x = (x | x << 8) & 0x00ff00ff00ff00ffu;
    x = (x | x << 4) & 0x0f0f0f0f0f0f0f0fu;
    x = __builtin_bswap64(x);
    const std::uint64_t letters = (x + 0x0606060606060606u) >> 4 & 0x0101010101010101u;
    return x + 0x3030303030303030u + letters * std::uint64_t{'a' - '9' - 1};
  }

  ArrowArray& raw(ArrayArena& arena, std::size_t rows) {
    ArrowArray& a = arena.add(static_cast<std::int64_t>(rows), 3);
    std::size_t size = 0;
    for (const lm_origin& o : origins_) size += blocks_[o.block].block->records[o.record].length;
    check_size(size);
    Memory offsets = allocate_zeroed((rows + 1) * 4), text = allocate_zeroed(size);
    std::size_t at = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      const lm_block& block = *blocks_[origins_[i].block].block;
      const lm_record& record = block.records[origins_[i].record];
      std::memcpy(text.get() + at, block.data + record.offset, record.length);
      at += record.length;
      slots<std::int32_t>(offsets)[i + 1] = static_cast<std::int32_t>(at);
    }
    a.buffers[1] = arena.keep(std::move(offsets), (rows + 1) * 4);
    a.buffers[2] = arena.keep(std::move(text), size);
    return a;
  }

  // A column in which observables are, of the batch at hand.
  struct Active {
    const ObservableSource* source;
    std::vector<std::int32_t>* map;
    const ArrowArray* leaf;
    const std::int32_t* codes;
    std::vector<const std::int32_t*> lists;

    bool plain() const { return source->dictionary && leaf->null_count == 0 && lists.empty(); }
  };

  // What every row of a batch has the same of, where each has one observable of each source: buffers for all batches with these sources, as long as the longest.
  struct Pattern {
    std::vector<const ObservableSource*> sources;
    std::size_t rows = 0;
    std::shared_ptr<std::vector<std::int32_t>> offsets, names, types, type_ids;
  };

  const Pattern& pattern(std::size_t rows) {
    const auto same = [](const Active& x, const ObservableSource* s) { return x.source == s; };
    if (rows <= pattern_.rows && std::equal(active_.begin(), active_.end(), pattern_.sources.begin(), pattern_.sources.end(), same))
      return pattern_;
    pattern_.rows = rows + rows / 2;
    pattern_.sources.clear();
    for (const Active& x : active_) pattern_.sources.push_back(x.source);
    const std::size_t n = active_.size();
    const auto repeat = [&](auto&& member) {
      auto out = std::make_shared<std::vector<std::int32_t>>(pattern_.rows * n);
      for (std::size_t i = 0; i < out->size(); i += n) {
        for (std::size_t s = 0; s < n; ++s) (*out)[i + s] = member(*pattern_.sources[s]);
      }
      return out;
    };
    pattern_.names = repeat([](const ObservableSource& s) { return s.name_code; });
    pattern_.types = repeat([](const ObservableSource& s) { return s.type_code; });
    pattern_.type_ids = repeat([](const ObservableSource& s) { return s.type_id; });
    pattern_.offsets = std::make_shared<std::vector<std::int32_t>>(pattern_.rows + 1);
    for (std::size_t i = 0; i <= pattern_.rows; ++i) (*pattern_.offsets)[i] = static_cast<std::int32_t>(i * n);
    return pattern_;
  }

  // From codes, not from text: a value is looked up once per dictionary, and a row only maps its codes.
  ArrowArray& observables(ArrayArena& arena, PlanNode& plan, std::size_t rows) {
    active_.clear();
    std::size_t most = 0;
    for (std::size_t s = 0; s < sources_.size(); ++s) {
      Active x{&sources_[s], &observables_.maps[s], in_root_, nullptr, {}};
      for (std::size_t step = 0; step < sources_[s].steps.size(); ++step) {
        if (sources_[s].list[step]) x.lists.push_back(static_cast<const std::int32_t*>(x.leaf->buffers[1]));
        x.leaf = x.leaf->children[sources_[s].steps[step]];
      }
      if (x.leaf->length == x.leaf->null_count) continue;
      x.codes = static_cast<const std::int32_t*>(x.leaf->buffers[1]);
      if (x.leaf->dictionary) MergedDictionary::fit(*x.map, *x.leaf->dictionary);
      most += static_cast<std::size_t>(x.leaf->length - x.leaf->null_count);
      active_.push_back(std::move(x));
    }
    check_size(most * sizeof(std::int32_t));
    ArrowArray& a = arena.add(static_cast<std::int64_t>(rows), 2);
    Memory values = detail::allocate(most * 4);
    if (!active_.empty() && std::all_of(active_.begin(), active_.end(), [](const Active& x) { return x.plain(); })) {
      const std::size_t step = active_.size();
      for (std::size_t s = 0; s < step; ++s) put_values(active_[s], rows, slots<std::int32_t>(values) + s, step);
      const Pattern& same = pattern(rows);
      for (const auto& shared : {same.offsets, same.names, same.types, same.type_ids}) arena.keep(shared);
      a.buffers[1] = same.offsets->data();
      const auto* const kept = arena.keep(std::move(values), rows * step * 4);
      set_observables(arena, plan, a, rows * step, {same.names->data(), same.types->data(), same.type_ids->data(), kept});
      return a;
    }
    Memory offsets = detail::allocate((rows + 1) * 4);
    Memory names = detail::allocate(most * 4), types = detail::allocate(most * 4), type_ids = detail::allocate(most * 4);
    auto *const name = slots<std::int32_t>(names), *const type = slots<std::int32_t>(types), *const type_id = slots<std::int32_t>(type_ids),
                *const value = slots<std::int32_t>(values);
    slots<std::int32_t>(offsets)[0] = 0;
    std::size_t n = 0;
    std::int64_t nulls = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      const std::size_t before = n;
      for (Active& x : active_) {
        std::size_t begin = row, end = row + 1;
        for (const std::int32_t* list : x.lists) {
          if (begin == end) break;  // and a list below of which there is nothing may have no offsets
          begin = static_cast<std::size_t>(list[begin]), end = static_cast<std::size_t>(list[end]);
        }
        for (std::size_t i = begin; i < end; ++i) {
          if (!valid_at(*x.leaf, i)) continue;
          value[n] = x.source->dictionary ? observables_.map(*x.map, x.codes[i], *x.leaf->dictionary)
                                          : observables_.values.intern(MergedDictionary::text_at(*x.leaf, i));
          name[n] = x.source->name_code;
          type[n] = x.source->type_code;
          type_id[n] = x.source->type_id;
          ++n;
        }
      }
      slots<std::int32_t>(offsets)[row + 1] = static_cast<std::int32_t>(n);
      nulls += n == before;
    }
    a.null_count = nulls;
    if (nulls) {
      Memory valid = allocate_zeroed(bitmap_bytes(rows));
      for (std::size_t row = 0; row < rows; ++row) {
        auto& byte = slots<std::uint8_t>(valid)[row >> 3];
        byte = static_cast<std::uint8_t>(byte | (slots<std::int32_t>(offsets)[row + 1] > slots<std::int32_t>(offsets)[row] ? 1u : 0u)
                                                    << (row & 7));
      }
      a.buffers[0] = arena.keep(std::move(valid), bitmap_bytes(rows));
    }
    a.buffers[1] = arena.keep(std::move(offsets), (rows + 1) * 4);
    set_observables(arena, plan, a, n,
                    {arena.keep(std::move(names), n * 4), arena.keep(std::move(types), n * 4), arena.keep(std::move(type_ids), n * 4),
                     arena.keep(std::move(values), n * 4)});
    return a;
  }

  // The values of a plain source, every `step`th of `out`.
  [[gnu::noinline]] void put_values(Active& x, std::size_t rows, std::int32_t* out, std::size_t step) {
    const std::int32_t *const map = x.map->data(), *const codes = x.codes;
    for (std::size_t i = 0; i < rows; ++i) {
      const std::int32_t mine = map[codes[i]];
      out[i * step] = mine >= 0 ? mine : observables_.map(*x.map, codes[i], *x.leaf->dictionary);
    }
  }

  struct ObservableColumns {
    const void *name, *type, *type_id, *value;
  };

  // The elements of the list `a`, `n` of them.
  void set_observables(ArrayArena& arena, const PlanNode& plan, ArrowArray& a, std::size_t n, const ObservableColumns& columns) {
    const auto column = [&](const void* buffer, const Interner* dictionary) {
      ArrowArray& c = arena.add(static_cast<std::int64_t>(n), 2);
      c.buffers[1] = buffer;
      if (dictionary) c.dictionary = &dictionary->export_dictionary(arena);
      return &c;
    };
    ArrowArray& item = arena.add(static_cast<std::int64_t>(n), 1);
    std::vector<ArrowArray*> children;
    for (const PlanNode& child : plan.children[0].children) {
      const std::string& attribute = child.node->name;
      if (attribute == "name") {
        children.push_back(column(columns.name, &observable_names_));
      } else if (attribute == "type") {
        children.push_back(column(columns.type, &observable_types_));
      } else if (attribute == "type_id") {
        children.push_back(column(columns.type_id, nullptr));
      } else {
        children.push_back(column(columns.value, &observables_.values));
      }
    }
    arena.set_children(item, std::move(children));
    arena.set_children(a, {&item});
  }

  const Table& table_;
  ConformOptions options_;
  std::string parser_label_;
  std::uint64_t instance_, epoch_ = 0, parser_epoch_ = 0;
  json::Reader json_;
  const ArrowSchema* schema_ = nullptr;
  PlanNode root_;
  std::set<std::string> seen_;
  std::vector<std::string> profiles_;
  Interner profile_dictionary_;

  std::vector<int> steps_;  // while planning: the way from the parser's root to the node at hand
  std::vector<bool> lists_;
  bool step_list_ = false;

  std::vector<ObservableSource> sources_;
  Interner observable_names_, observable_types_;
  MergedDictionary observables_;
  Interner uris_, etags_, log_names_;
  std::map<const ocsf::Attribute*, std::shared_ptr<Captions>> captions_;

  // Of the batch at hand.
  std::span<const BlockOrigin> blocks_;
  std::span<const lm_origin> origins_;
  std::vector<lm_origin> kept_origins_;
  std::vector<std::uint32_t> selected_;
  std::vector<std::int32_t> block_uris_, block_etags_, block_log_names_, merged_codes_;
  std::vector<Stretch> stretches_;
  const std::int64_t *record_offsets_ = nullptr, *record_lengths_ = nullptr, *ordinals_ = nullptr;  // a row each; the batch's
  bool items_ = false;  // some row is not the first of its record
  std::vector<Made> made_;
  std::vector<Active> active_;
  Pattern pattern_;
  const ArrowArray* in_root_ = nullptr;
  std::size_t rows_ = 0;

  Zeroes zeroes_;
};

}  // namespace

Result<std::unique_ptr<Conform>> Conform::create(const Table& table, const lm_class& declared, const ArrowSchema& schema,
                                                 std::string_view parser_label, const ConformOptions& options) {
  auto out = std::make_unique<ConformImpl>(table, parser_label, options);
  if (auto ok = out->plan(declared, schema); !ok) return tl::unexpected(ok.error());
  return out;
}

std::string object_hash(std::string_view uri, std::string_view etag) {
  XXH3_state_t* state = XXH3_createState();
  XXH3_128bits_reset(state);
  const std::uint64_t size = uri.size();  // so that no two pairs run together to the same bytes
  XXH3_128bits_update(state, &size, sizeof size);
  XXH3_128bits_update(state, uri.data(), uri.size());
  XXH3_128bits_update(state, etag.data(), etag.size());
  const XXH128_hash_t hash = XXH3_128bits_digest(state);
  XXH3_freeState(state);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace lm
