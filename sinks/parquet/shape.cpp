#include "parquet/shape.hpp"

#include <cstring>

namespace lm::sink::parquet {
namespace {

void clear(Shape& out) { out.repetition.clear(), out.definition.clear(), out.dense.clear(); }

void reserve(Shape& out, std::size_t slots) {
  out.repetition.extend(slots * 2), out.repetition.cut(0);
  out.definition.extend(slots * 2), out.definition.cut(0);
}

void add_dense(Shape& out, std::int64_t begin, std::int64_t end) {
  if (!out.dense.empty() && out.dense.back().end == begin) {
    out.dense.back().end = end;
  } else {
    out.dense.push_back({begin, end});
  }
}

}  // namespace

struct ShapeMaker::Lists {
  Lists(const Anchor& of, const ListView& list)
      : anchor(of),
        present(static_cast<std::uint8_t>(of.full - 1)),
        offsets(list.offsets),
        length(list.element ? list.element->length : 0) {}
  const Anchor& anchor;
  std::uint8_t present;  // the level of a list that is there
  const std::int32_t* offsets;
  std::int64_t length;  // of the elements' array
};

void ShapeMaker::rows(const Anchor& anchor, const ListView& list, const Selection& rows, Shape& out) {
  clear(out);
  levels_.clear();
  rows.each_part([&](const auto& slots) { put_levels(list.path, slots, levels_, words_); });
  if (list.path.dead && levels_.constant()) {
    out.repetition.add(0, levels_.size());
    out.definition.add(levels_.value(), levels_.size());
    return finish(out);
  }
  const std::size_t n = levels_.size();
  const Lists lists(anchor, list);
  if (levels_.constant() && lists.offsets && !rows.scattered()) {
    for (const Range& range : rows.ranges()) all_there(lists, range, out);
    return finish(out);
  }
  levels_.extend(0);
  std::size_t k = 0;
  reserve(out, n);
  rows.each_part([&](const auto& slots) {
    for (std::size_t i = 0; i < slots.n; ++i) slot(lists, 0, levels_.values()[k++], slots[i], out);
  });
  finish(out);
}

void ShapeMaker::nested(const Anchor& anchor, const ListView& list, const Anchor& parent_anchor, const Shape& parent, Shape& out) {
  clear(out);
  const std::size_t n = parent.slots();
  if (parent.definition.constant() && parent.dense.empty()) {
    out.repetition.add(0, n);
    out.definition.add(parent.definition.value(), n);
    return finish(out);
  }
  levels_.clear();
  parent.elements.each_part([&](const auto& slots) { put_levels(list.path, slots, levels_, words_); });
  levels_.extend(0);
  const Lists lists(anchor, list);
  reserve(out, n);
  std::size_t k = 0, range = 0;
  std::int64_t i = parent.dense.empty() ? 0 : parent.dense[0].begin;
  for (std::size_t e = 0; e < n; ++e) {
    const std::uint8_t level = parent.definition.constant() ? parent.definition.value() : parent.definition.values()[e];
    // Lists that are null everywhere, at different levels, have many definition levels and one repetition level.
    const std::uint8_t repetition = parent.repetition.constant() ? parent.repetition.value() : parent.repetition.values()[e];
    if (level != parent_anchor.full) {
      *out.repetition.extend(1) = repetition;
      *out.definition.extend(1) = level;
      continue;
    }
    if (i == parent.dense[range].end) i = parent.dense[++range].begin;
    slot(lists, repetition, static_cast<std::uint8_t>(parent_anchor.full + levels_.values()[k++]), i++, out);
  }
  finish(out);
}

// The common case: no list of the range is null.
void ShapeMaker::all_there(const Lists& lists, Range range, Shape& out) {
  const std::int32_t* offsets = lists.offsets + range.begin;
  const auto n = static_cast<std::size_t>(range.end - range.begin);
  std::int32_t sign = offsets[0] | offsets[n];
  for (std::size_t i = 0; i < n; ++i) sign |= offsets[i + 1] - offsets[i];
  if (sign < 0 || offsets[n] > lists.length) throw BadColumn("list offsets are out of range");
  const auto elements = static_cast<std::size_t>(offsets[n] - offsets[0]);
  const std::size_t before = out.definition.size();
  std::uint8_t* r = out.repetition.extend(n + elements);
  std::uint8_t* d = out.definition.extend(n + elements);
  std::memset(r, lists.anchor.repetition, n + elements);
  std::memset(d, lists.anchor.full, n + elements);
  std::size_t k = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::int32_t length = offsets[i + 1] - offsets[i];
    r[k] = 0;
    if (length == 0) d[k] = lists.present;
    k += length == 0 ? 1 : static_cast<std::size_t>(length);
  }
  out.repetition.cut(before + k);
  out.definition.cut(before + k);
  if (elements != 0) add_dense(out, offsets[0], offsets[n]);
}

void ShapeMaker::slot(const Lists& lists, std::uint8_t repetition, std::uint8_t level, std::int64_t i, Shape& out) {
  std::int64_t begin = 0, end = 0;
  if (level == lists.present && lists.offsets) {
    begin = lists.offsets[i], end = lists.offsets[i + 1];
    if (begin < 0 || end < begin || end > lists.length) throw BadColumn("list offsets are out of range");
  }
  if (begin == end) {
    *out.repetition.extend(1) = repetition;
    *out.definition.extend(1) = level;
    return;
  }
  const auto n = static_cast<std::size_t>(end - begin);
  std::uint8_t* r = out.repetition.extend(n);
  std::uint8_t* d = out.definition.extend(n);
  for (std::size_t j = 0; j < n; ++j) r[j] = lists.anchor.repetition, d[j] = lists.anchor.full;
  r[0] = repetition;
  add_dense(out, begin, end);
}

void ShapeMaker::finish(Shape& out) {
  out.elements = Selection(out.dense);
  std::size_t elements = 0;
  for (const Range& range : out.dense) elements += static_cast<std::size_t>(range.end - range.begin);
  out.all_full = elements == out.slots();
}

}  // namespace lm::sink::parquet
