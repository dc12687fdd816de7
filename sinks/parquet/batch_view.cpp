#include "parquet/batch_view.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace lm::sink::parquet {
namespace {

// True if all values are the first one. Looks at a block at a time, so that columns of many values cost one block.
template <class T>
bool all_equal(const T* values, std::size_t n) {
  constexpr std::size_t kBlock = 64;
  for (std::size_t i = 0; i < n; i += kBlock) {
    const std::size_t end = std::min(n, i + kBlock);
    T differs = 0;
    for (std::size_t j = i; j < end; ++j) differs |= values[j] ^ values[0];
    if (differs != 0) return false;
  }
  return true;
}

// Timestamps are numbers as they are stored.
LeafKind stored_kind(LeafKind kind) { return kind == LeafKind::timestamp ? LeafKind::int64 : kind; }

bool same_dictionary(const ArrowArray* a, const ArrowArray* b) {
  if (a == b) return true;
  return a && b && a->buffers[1] == b->buffers[1] && a->buffers[2] == b->buffers[2] && a->offset == b->offset && a->length == b->length;
}

}  // namespace

BatchView::BatchView(const TableSchema& schema, Batch batch)
    : batch_(std::move(batch)), instance_(batch_.instance()), epoch_(batch_.epoch()) {
  look(schema, batch_.array());
}

BatchView::BatchView(const TableSchema& schema, const ArrowArray& array, std::uint64_t instance, std::uint64_t epoch)
    : instance_(instance), epoch_(epoch) {
  look(schema, array);
}

Path BatchView::keep(const Chain& chain) {
  nodes_.insert(nodes_.end(), chain.nodes.begin(), chain.nodes.begin() + chain.count);
  return {nullptr, chain.count, chain.lead, chain.dead, chain.last, chain.base};
}

void BatchView::look(const TableSchema& schema, const ArrowArray& array) {
  rows_ = array.length;
  leaves_.resize(schema.leaves.size());
  lists_.resize(schema.anchors.size());
  nodes_.reserve(schema.leaves.size());
  const Path nothing{nullptr, 0, 0, true, nullptr, 0};
  for (std::size_t i = 0; i < lists_.size(); ++i) {
    const Anchor& anchor = schema.anchors[i];
    ListView& out = lists_[i];
    const ArrowArray* from = anchor.parent < 0 ? &array : lists_[static_cast<std::size_t>(anchor.parent)].element;
    out.path = from ? keep(resolve(*from, anchor.parent >= 0, anchor.steps, from->length)) : nothing;
    if (out.path.dead) continue;
    const ArrowArray& list = *out.path.last;
    if (list.n_buffers < 2 || list.n_children != 1 || (list.length > 0 && !list.buffers[1]))
      throw BadColumn("a list lacks its offsets or its child");
    // An empty list array may come without offsets; nobody looks at them then.
    out.offsets = list.buffers[1] ? static_cast<const std::int32_t*>(list.buffers[1]) + out.path.base : nullptr;
    out.element = list.children[0];
  }
  for (std::size_t i = 0; i < leaves_.size(); ++i) {
    const Leaf& leaf = schema.leaves[i];
    LeafView& out = leaves_[i];
    const ArrowArray* from = leaf.anchor < 0 ? &array : lists_[static_cast<std::size_t>(leaf.anchor)].element;
    out.path = from ? keep(resolve(*from, leaf.anchor >= 0, leaf.steps, from->length)) : nothing;
    out.same_as = static_cast<std::int32_t>(i);
    if (!out.path.dead) look_at_values(leaf, from->length, out);
  }
  // In the order in which they were kept.
  const Chain::Node* node = nodes_.data();
  for (ListView& list : lists_) list.path.nodes = node, node += list.path.count;
  for (LeafView& leaf : leaves_) leaf.path.nodes = node, node += leaf.path.count;
  find_same(schema);
}

void BatchView::look_at_values(const Leaf& leaf, std::int64_t slots, LeafView& out) {
  const ArrowArray& array = *out.path.last;
  const bool text = leaf.kind == LeafKind::text || leaf.kind == LeafKind::json;
  if (array.n_buffers < (text ? 3 : 2) || (array.length > 0 && !array.buffers[1])) throw BadColumn("an array lacks its values");
  if (leaf.kind == LeafKind::coded) {
    const ArrowArray* dictionary = array.dictionary;
    if (!dictionary || dictionary->n_buffers < 3 || dictionary->length < 0 || dictionary->offset < 0 ||
        (dictionary->length > 0 && !dictionary->buffers[1]))
      throw BadColumn("a dictionary is missing");
    out.dictionary_n = dictionary->length;
  }
  if (out.path.count != 0 || slots == 0) return;
  const auto n = static_cast<std::size_t>(slots);
  const auto look = [&]<class T>(const T* values) {
    out.constant = all_equal(values + out.path.base, n);
    out.value = static_cast<std::int64_t>(values[out.path.base]);
  };
  if (leaf.kind == LeafKind::coded || leaf.kind == LeafKind::int32) {
    look(static_cast<const std::int32_t*>(array.buffers[1]));
    // A code that is not in the dictionary is found where it is used: nobody may ever ask for these slots.
    if (leaf.kind == LeafKind::coded && (out.value < 0 || out.value >= out.dictionary_n)) out.constant = false;
  } else if (leaf.kind == LeafKind::int64 || leaf.kind == LeafKind::timestamp) {
    look(static_cast<const std::int64_t*>(array.buffers[1]));
  }
}

bool BatchView::same_arrays(const Leaf& a, const LeafView& x, const Leaf& b, const LeafView& y) {
  if (a.anchor != b.anchor || stored_kind(a.kind) != stored_kind(b.kind) || a.max_definition != b.max_definition) return false;
  if (x.path.dead != y.path.dead || x.path.lead != y.path.lead || x.path.count != y.path.count) return false;
  for (unsigned c = 0; c < x.path.count; ++c) {
    const Chain::Node &m = x.path.nodes[c], &n = y.path.nodes[c];
    if (m.bits != n.bits || m.base != n.base || m.weight != n.weight) return false;
  }
  if (x.path.dead) return true;
  const ArrowArray &m = *x.path.last, &n = *y.path.last;
  if (m.buffers[1] != n.buffers[1] || x.path.base != y.path.base) return false;
  if (a.kind == LeafKind::text || a.kind == LeafKind::json) return m.buffers[2] == n.buffers[2];
  return a.kind != LeafKind::coded || same_dictionary(m.dictionary, n.dictionary);
}

// By a table of the addresses of values. Columns without any value are the same where the bitmaps on their way are.
void BatchView::find_same(const TableSchema& schema) {
  const std::size_t size = std::bit_ceil(leaves_.size() * 2 + 1);
  std::vector<std::int32_t> table(size, -1);
  for (std::size_t i = 0; i < leaves_.size(); ++i) {
    LeafView& leaf = leaves_[i];
    if (leaf.path.same_level()) continue;
    const ArrowArray* last = leaf.path.last;
    const void* address = leaf.path.dead ? leaf.path.nodes[leaf.path.count - 1].bits : last->buffers[1];
    auto key = reinterpret_cast<std::uintptr_t>(address);
    if (!leaf.path.dead && last->dictionary) key ^= reinterpret_cast<std::uintptr_t>(last->dictionary->buffers[1]) << 1;
    std::size_t slot = (key * 0x9e3779b97f4a7c15u >> 32) & (size - 1);
    for (; table[slot] >= 0; slot = (slot + 1) & (size - 1)) {
      const auto first = static_cast<std::size_t>(table[slot]);
      if (same_arrays(schema.leaves[first], leaves_[first], schema.leaves[i], leaf)) break;
    }
    if (table[slot] >= 0) {
      leaf.same_as = table[slot];
    } else {
      table[slot] = static_cast<std::int32_t>(i);
    }
  }
}

}  // namespace lm::sink::parquet
