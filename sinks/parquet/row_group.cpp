#include "parquet/row_group.hpp"

#include "common/parallel.hpp"
#include "parquet/chain.hpp"
#include "parquet/column_dictionary.hpp"

#include <isa-l/crc.h>
#include <zstd.h>
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <tuple>

namespace lm::sink::parquet {
namespace {

struct TooLarge : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Values that are mostly one and the same. As long as they are, only their number is kept.
template <class T>
class Runs {
 public:
  std::size_t size() const { return values_.size() + count_; }
  bool constant() const { return values_.empty(); }
  T value() const { return value_; }  // of a constant one
  const Pod<T>& values() const { return values_; }

  void clear() { values_.clear(), count_ = 0; }
  void add(T value, std::size_t n) {
    if (n == 0) return;
    if (values_.empty() && (count_ == 0 || value == value_)) {
      value_ = value;
      count_ += n;
    } else {
      std::fill_n(extend(n), n, value);
    }
  }
  // n values that the caller writes.
  T* extend(std::size_t n) {
    if (count_ != 0) {
      const std::size_t n_before = std::exchange(count_, 0);
      std::fill_n(values_.extend(n_before), n_before, value_);
    }
    return values_.extend(n);
  }
  void cut(std::size_t size) { values_.cut(size); }
  void trim(std::size_t largest) {
    if (values_.capacity() * sizeof(T) > largest) values_.release();
  }

 private:
  Pod<T> values_;
  std::size_t count_ = 0;
  T value_{};
};
using Levels = Runs<std::uint8_t>;

// Bit i of a byte as byte i of a word.
constexpr std::array<std::uint64_t, 256> kExpand = [] {
  std::array<std::uint64_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    for (unsigned bit = 0; bit < 8; ++bit) table[byte] |= static_cast<std::uint64_t>(byte >> bit & 1) << (8 * bit);
  }
  return table;
}();

// The levels of some slots, and which of them have the last node. `words` is empty if all or none have it, as the chain says.
template <class Slots>
void put_levels(const Chain& chain, const Slots& slots, Levels& levels, Pod<std::uint64_t>& words) {
  words.clear();
  const std::size_t n = slots.n;
  if (chain.count == 0) return levels.add(static_cast<std::uint8_t>(chain.lead), n);
  std::uint64_t* word = words.extend((n + 63) / 64);
  unsigned full = chain.lead;
  for (unsigned c = 0; c < chain.count; ++c) full += chain.nodes[c].weight;
  std::uint8_t* out = levels.extend(n);
  for (std::size_t i = 0; i < n; i += 64) {
    const auto m = static_cast<unsigned>(std::min<std::size_t>(64, n - i));
    const std::uint64_t all = m == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << m) - 1;
    std::uint64_t alive = all;
    std::uint64_t sums[8];
    bool mixed = false;
    for (unsigned c = 0; c < chain.count; ++c) {
      const Chain::Node& node = chain.nodes[c];
      alive &= slots.bits(node.bits, node.base, i, m);
      if (alive == all) continue;
      if (!mixed) {
        unsigned before = chain.lead;
        for (unsigned p = 0; p < c; ++p) before += chain.nodes[p].weight;
        std::fill_n(sums, 8, 0x0101010101010101u * before);
        mixed = true;
      }
      for (unsigned b = 0; b < 8; ++b) sums[b] += kExpand[alive >> (8 * b) & 0xff] * node.weight;
    }
    word[i / 64] = alive;
    if (!mixed) {
      std::memset(out + i, static_cast<int>(full), m);
    } else {
      std::memcpy(out + i, sums, m);
    }
  }
}

std::size_t count_bits(const Pod<std::uint64_t>& words) {
  std::size_t sum = 0;
  for (const std::uint64_t word : words.span()) sum += static_cast<std::size_t>(std::popcount(word));
  return sum;
}

// The values whose bit is set, back to back; `to` may be `from`. Every slot is read and written, only the place moves on: no branch a value.
template <class T>
std::size_t compact(const T* from, std::size_t n, const Pod<std::uint64_t>& words, T* to) {
  std::size_t k = 0;
  for (std::size_t i = 0; i < n; i += 64) {
    std::uint64_t word = words[i / 64];
    const std::size_t m = std::min<std::size_t>(64, n - i);
    if (word == ~std::uint64_t{0}) {
      std::memmove(to + k, from + i, 64 * sizeof(T));
      k += 64;
    } else if (word != 0) {
      for (std::size_t j = 0; j < m; ++j, word >>= 1) {
        to[k] = from[i + j];
        k += word & 1;
      }
    }
  }
  return k;
}

// The slots of one list column over the row group.
struct Shape {
  struct Piece {
    const ArrowArray* element = nullptr;  // null: no slot has an element
    std::size_t slots = 0;
    std::vector<Range> dense;  // the elements, in order
    std::int64_t dense_end = 0;
    bool all_full = false;  // every slot has an element
    Selection elements;     // those of `dense`
  };
  Levels repetition, definition;
  std::vector<Piece> pieces;  // one a slice
};

class ShapeMaker {
 public:
  ShapeMaker(std::span<const Rows> slices, std::span<const Selection> selections) : slices_(slices), selections_(selections) {}

  void make(const Anchor& anchor, const Anchor* parent_anchor, const Shape* parent, Shape& out) {
    out.pieces.resize(slices_.size());
    std::size_t cursor = 0;  // in the parent's slots
    for (std::size_t s = 0; s < slices_.size(); ++s) {
      Shape::Piece& piece = out.pieces[s];
      const std::size_t before = out.definition.size();
      if (!parent) {
        rows(anchor, slices_[s], selections_[s], piece, out);
      } else {
        nested(anchor, *parent_anchor, *parent, parent->pieces[s], cursor, piece, out);
        cursor += parent->pieces[s].slots;
      }
      piece.slots = out.definition.size() - before;
      piece.elements = Selection(piece.dense);
      std::size_t elements = 0;
      for (const Range& range : piece.dense) {
        piece.dense_end = std::max(piece.dense_end, range.end);
        elements += static_cast<std::size_t>(range.end - range.begin);
      }
      piece.all_full = elements == piece.slots;
    }
  }

 private:
  void rows(const Anchor& anchor, const Rows& slice, const Selection& selection, Shape::Piece& piece, Shape& out) {
    const Chain chain = resolve(*slice.array, false, anchor.steps, slice.ranges.back().end);
    levels_.clear();
    selection.each_part([&](const auto& slots) { put_levels(chain, slots, levels_, words_); });
    if (chain.dead && levels_.constant()) {
      out.repetition.add(0, levels_.size());
      out.definition.add(levels_.value(), levels_.size());
      return;
    }
    const std::size_t n = levels_.size();
    Lists lists(anchor, chain, piece);
    if (levels_.constant() && lists.offsets && !selection.scattered()) {
      for (const Range& range : selection.ranges()) all_there(anchor, lists, range, out);
      return;
    }
    levels_.extend(0);
    std::size_t k = 0;
    reserve(out, n);
    selection.each_part([&](const auto& slots) {
      for (std::size_t i = 0; i < slots.n; ++i) slot(anchor, lists, 0, levels_.values()[k++], slots[i], out);
    });
  }

  void nested(const Anchor& anchor, const Anchor& parent_anchor, const Shape& parent, const Shape::Piece& from, std::size_t cursor,
              Shape::Piece& piece, Shape& out) {
    if (parent.definition.constant()) {
      out.repetition.add(0, from.slots);
      out.definition.add(parent.definition.value(), from.slots);
      return;
    }
    const std::uint8_t* definition = parent.definition.values().data() + cursor;
    // Lists that are null everywhere, at different levels, have many definition levels and one repetition level.
    const std::uint8_t* repetition = parent.repetition.constant() ? nullptr : parent.repetition.values().data() + cursor;
    levels_.clear();
    std::optional<Chain> chain;
    if (from.element) {
      chain = resolve(*from.element, true, anchor.steps, from.dense_end);
      from.elements.each_part([&](const auto& slots) { put_levels(*chain, slots, levels_, words_); });
    }
    levels_.extend(0);
    std::optional<Lists> lists;
    if (chain) lists.emplace(anchor, *chain, piece);
    reserve(out, from.slots);
    std::size_t k = 0, range = 0;
    std::int64_t i = from.dense.empty() ? 0 : from.dense[0].begin;
    for (std::size_t e = 0; e < from.slots; ++e) {
      if (definition[e] != parent_anchor.full) {
        *out.repetition.extend(1) = repetition ? repetition[e] : std::uint8_t{0};
        *out.definition.extend(1) = definition[e];
        continue;
      }
      if (i == from.dense[range].end) i = from.dense[++range].begin;
      slot(anchor, *lists, repetition ? repetition[e] : std::uint8_t{0},
           static_cast<std::uint8_t>(parent_anchor.full + levels_.values()[k++]), i++, out);
    }
  }

  struct Lists {
    Lists(const Anchor& anchor, const Chain& chain, Shape::Piece& piece) : present(static_cast<std::uint8_t>(anchor.full - 1)), out(piece) {
      if (chain.dead) return;
      const ArrowArray& list = *chain.last;
      if (list.n_buffers < 2 || list.n_children != 1 || (list.length > 0 && !list.buffers[1]))
        throw BadColumn("a list lacks its offsets or its child");
      offsets = static_cast<const std::int32_t*>(list.buffers[1]) + chain.base;
      piece.element = list.children[0];
    }
    std::uint8_t present;  // the level of a list that is there
    Shape::Piece& out;
    const std::int32_t* offsets = nullptr;
  };

  // The common case: no list of the range is null.
  static void all_there(const Anchor& anchor, Lists& lists, Range range, Shape& out) {
    const std::int32_t* offsets = lists.offsets + range.begin;
    const auto n = static_cast<std::size_t>(range.end - range.begin);
    std::int32_t sign = offsets[0] | offsets[n];
    for (std::size_t i = 0; i < n; ++i) sign |= offsets[i + 1] - offsets[i];
    if (sign < 0 || offsets[n] > lists.out.element->length) throw BadColumn("list offsets are out of range");
    const auto elements = static_cast<std::size_t>(offsets[n] - offsets[0]);
    const std::size_t before = out.definition.size();
    std::uint8_t* r = out.repetition.extend(n + elements);
    std::uint8_t* d = out.definition.extend(n + elements);
    std::memset(r, anchor.repetition, n + elements);
    std::memset(d, anchor.full, n + elements);
    std::size_t k = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const std::int32_t length = offsets[i + 1] - offsets[i];
      r[k] = 0;
      if (length == 0) d[k] = lists.present;
      k += length == 0 ? 1 : static_cast<std::size_t>(length);
    }
    out.repetition.cut(before + k);
    out.definition.cut(before + k);
    if (elements == 0) return;
    auto& dense = lists.out.dense;
    if (!dense.empty() && dense.back().end == offsets[0]) {
      dense.back().end = offsets[n];
    } else {
      dense.push_back({offsets[0], offsets[n]});
    }
  }

  static void reserve(Shape& out, std::size_t slots) {
    const std::size_t before = out.definition.size();
    out.repetition.extend(slots * 2), out.repetition.cut(before);
    out.definition.extend(slots * 2), out.definition.cut(before);
  }

  static void slot(const Anchor& anchor, Lists& lists, std::uint8_t repetition, std::uint8_t level, std::int64_t i, Shape& out) {
    if (level != lists.present || !lists.offsets) {
      *out.repetition.extend(1) = repetition;
      *out.definition.extend(1) = level;
      return;
    }
    const std::int64_t begin = lists.offsets[i], end = lists.offsets[i + 1];
    if (begin < 0 || end < begin || end > lists.out.element->length) throw BadColumn("list offsets are out of range");
    if (begin == end) {
      *out.repetition.extend(1) = repetition;
      *out.definition.extend(1) = level;
      return;
    }
    const auto n = static_cast<std::size_t>(end - begin);
    std::uint8_t* r = out.repetition.extend(n);
    std::uint8_t* d = out.definition.extend(n);
    for (std::size_t j = 0; j < n; ++j) r[j] = anchor.repetition, d[j] = anchor.full;
    r[0] = repetition;
    auto& dense = lists.out.dense;
    if (!dense.empty() && dense.back().end == begin) {
      dense.back().end = end;
    } else {
      dense.push_back({begin, end});
    }
  }

  std::span<const Rows> slices_;
  std::span<const Selection> selections_;  // of the rows of each slice
  Levels levels_;
  Pod<std::uint64_t> words_;
};

// The codes of one source's dictionary in the row group's own dictionary; -1: not met yet.
struct CodeMap {
  std::uint64_t instance = 0, epoch = 0;
  std::vector<std::int32_t> ids;
};

// The row group's own dictionary: values by their numbers in the column's, in the order in which they are met.
class GroupDictionary {
 public:
  void clear() { order_.clear(), ids_.clear(), texts_.reset(), bytes_ = 0; }
  std::size_t size() const { return order_.size(); }
  std::size_t bytes() const { return bytes_; }

  std::int32_t id(std::int32_t number, const ColumnDictionary& column) {
    if (ids_.size() < column.size()) ids_.resize(std::max(column.size(), ids_.size() * 2), -1);
    std::int32_t& id = ids_[static_cast<std::size_t>(number)];
    if (id < 0) {
      id = static_cast<std::int32_t>(order_.size());
      order_.push_back(number);
    }
    return id;
  }
  // All values are there: they can be read without the column's mutex.
  void finish(const ColumnDictionary& column) {
    texts_ = column.texts();
    for (const std::int32_t number : order_) bytes_ += texts_->at(number).size();
  }
  std::string_view at(std::size_t id) const { return texts_->at(order_[id]); }

 private:
  std::vector<std::int32_t> order_, ids_;
  ColumnDictionary::Texts texts_;
  std::size_t bytes_ = 0;
};

constexpr std::size_t kKeepBytes = std::size_t{4} << 20;  // a larger buffer is not kept for the next column
constexpr std::size_t kLongestBound = 64;                 // of a text in the statistics
constexpr std::size_t kMaxSlots = std::size_t{1} << 24;   // in a page

std::string_view text_at(const ArrowArray& array, std::int64_t slot) {
  const auto* offsets = static_cast<const std::int32_t*>(array.buffers[1]) + slot;
  if (offsets[0] < 0 || offsets[1] < offsets[0]) throw BadColumn("text offsets are out of range");
  const auto n = static_cast<std::size_t>(offsets[1] - offsets[0]);
  return n == 0 ? std::string_view() : std::string_view(static_cast<const char*>(array.buffers[2]) + offsets[0], n);
}

}  // namespace

// One column's way through steps 2 and 3.
struct ScratchPool::Scratch {
  Levels definition, dense;
  Pod<std::uint64_t> words;
  Pod<std::int32_t> codes;
  std::tuple<Pod<std::int32_t>, Pod<std::int64_t>, Pod<double>> picked;
  Runs<std::uint32_t> ids;
  Pod<std::int32_t> int32s;  // values, or the lengths of texts
  Pod<std::int64_t> int64s;
  Pod<double> float64s;
  Pod<std::uint8_t> booleans;
  Bytes text;
  Pod<std::int32_t> prefixes, suffixes;
  Bytes page, packed;
  GroupDictionary dictionary;
  std::vector<CodeMap> maps;
  PageHeaders headers;
  ZSTD_CCtx* zstd = nullptr;
  int zstd_level = 0;

  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { ZSTD_freeCCtx(zstd); }

  void clear() {
    definition.clear(), dense.clear(), ids.clear();
    int32s.clear(), int64s.clear(), float64s.clear(), booleans.clear(), text.clear();
    dictionary.clear();
    maps.clear();
  }
  void trim() {
    const auto trim_one = [](auto& pod) {
      if (pod.capacity() * sizeof(pod[0]) > kKeepBytes) pod.release();
    };
    definition.trim(kKeepBytes), dense.trim(kKeepBytes), ids.trim(kKeepBytes);
    std::apply([&](auto&... pods) { (trim_one(pods), ...); }, picked);
    trim_one(codes), trim_one(int32s), trim_one(int64s), trim_one(float64s), trim_one(booleans);
    if (text.capacity() > 4 * kKeepBytes) text.release();
    trim_one(prefixes), trim_one(suffixes), trim_one(page), trim_one(packed);
    dictionary.clear();
    maps.clear();
  }
};

namespace {

using Scratch = ScratchPool::Scratch;

class ColumnEncoder {
 public:
  ColumnEncoder(const Leaf& leaf, const EncodeOptions& options, std::span<const Rows> slices, std::span<const Selection> selections,
                const Shape* shape, std::uint8_t anchor_full, ColumnDictionary* dictionary, Scratch& scratch)
      : leaf_(leaf),
        options_(options),
        slices_(slices),
        selections_(selections),
        shape_(shape),
        full_(anchor_full),
        dictionary_(dictionary),
        s_(scratch) {}

  void run(ChunkInfo& info, Bytes& out) {
    s_.clear();
    if (dictionary_) {
      const std::lock_guard lock(dictionary_->mutex);
      shape_ ? gather_elements() : gather_rows();
      s_.dictionary.finish(*dictionary_);
      dictionary_->end_row_group(options_.dictionary_bytes);
    } else {
      shape_ ? gather_elements() : gather_rows();
    }
    encode(info, out);
  }

 private:
  // ---- Step 2: levels and values. ----

  void gather_rows() {
    for (std::size_t i = 0; i < slices_.size(); ++i) {
      const Rows& slice = slices_[i];
      const Chain chain = resolve(*slice.array, false, leaf_.steps, slice.ranges.back().end);
      begin_slice(chain, slice);
      selections_[i].each_part([&](const auto& slots) {
        put_levels(chain, slots, s_.definition, s_.words);
        if (!chain.dead) gather(chain, slots);
      });
    }
  }

  void gather_elements() {
    std::size_t cursor = 0;
    for (std::size_t p = 0; p < slices_.size(); ++p) {
      const Shape::Piece& piece = shape_->pieces[p];
      const Levels& from = shape_->definition;
      if (from.constant()) {
        s_.definition.add(from.value(), piece.slots);
        continue;
      }
      const std::uint8_t* levels = from.values().data() + cursor;
      cursor += piece.slots;
      if (!piece.element || piece.dense.empty()) {
        if (piece.slots) std::memcpy(s_.definition.extend(piece.slots), levels, piece.slots);
        continue;
      }
      const Chain chain = resolve(*piece.element, true, leaf_.steps, piece.dense_end);
      begin_slice(chain, slices_[p]);
      s_.dense.clear();
      piece.elements.each_part([&](const auto& slots) {
        put_levels(chain, slots, s_.dense, s_.words);
        if (!chain.dead) gather(chain, slots);
      });
      if (s_.dense.constant() && piece.all_full) {
        s_.definition.add(static_cast<std::uint8_t>(full_ + s_.dense.value()), piece.slots);
        continue;
      }
      std::uint8_t* to = s_.definition.extend(piece.slots);
      if (s_.dense.constant()) {
        const std::uint8_t more = s_.dense.value();
        for (std::size_t i = 0; i < piece.slots; ++i) to[i] = static_cast<std::uint8_t>(levels[i] + (levels[i] == full_ ? more : 0));
      } else {
        // One entry more than there are elements, so that the place behind the last may be read.
        *s_.dense.extend(1) = 0;
        const std::uint8_t* more = s_.dense.values().data();
        for (std::size_t i = 0; i < piece.slots; ++i) {
          const bool has = levels[i] == full_;
          to[i] = static_cast<std::uint8_t>(levels[i] + (has ? *more : 0));
          more += has;
        }
      }
    }
  }

  void begin_slice(const Chain& chain, const Rows& slice) {
    if (chain.dead) return;
    const ArrowArray& array = *chain.last;
    const bool text = leaf_.kind == LeafKind::text || leaf_.kind == LeafKind::json;
    if (array.n_buffers < (text ? 3 : 2) || (array.length > 0 && !array.buffers[1])) throw BadColumn("an array lacks its values");
    if (leaf_.kind != LeafKind::coded) return;
    const ArrowArray* dictionary = array.dictionary;
    if (!dictionary || dictionary->n_buffers < 3 || (dictionary->length > 0 && !dictionary->buffers[1]))
      throw BadColumn("a dictionary is missing");
    source_ = dictionary;
    const auto found = std::find_if(s_.maps.begin(), s_.maps.end(),
                                    [&](const CodeMap& m) { return m.instance == slice.instance && m.epoch == slice.epoch; });
    map_ = found != s_.maps.end() ? &*found : &s_.maps.emplace_back(CodeMap{slice.instance, slice.epoch, {}});
    if (map_->ids.size() < static_cast<std::size_t>(dictionary->length)) map_->ids.resize(static_cast<std::size_t>(dictionary->length), -1);
    numbers_ = &dictionary_->numbers(slice.instance, slice.epoch, static_cast<std::size_t>(dictionary->length));
  }

  // The values of the slots that have one, as s_.words says.
  template <class Slots>
  void gather(const Chain& chain, const Slots& slots) {
    const std::size_t n = slots.n;
    const std::size_t present = s_.words.empty() ? n : count_bits(s_.words);
    if (present == 0) return;
    const bool all = present == n;
    const void* buffer = chain.last->buffers[1];
    const auto values = [&]<class T>(const T* first) { return slots.values(first + chain.base, std::get<Pod<T>>(s_.picked)); };
    const auto fixed = [&]<class T>(const T* from, Pod<T>& out) {
      if (all) return out.append(from, n);
      const std::size_t before = out.size();
      T* to = out.extend(present + 64);
      compact(from, n, s_.words, to);
      out.cut(before + present);
    };
    switch (leaf_.kind) {
      case LeafKind::int32: return fixed(values(static_cast<const std::int32_t*>(buffer)), s_.int32s);
      case LeafKind::int64:
      case LeafKind::timestamp: return fixed(values(static_cast<const std::int64_t*>(buffer)), s_.int64s);
      case LeafKind::float64: return fixed(values(static_cast<const double*>(buffer)), s_.float64s);
      case LeafKind::boolean: return gather_booleans(static_cast<const std::uint8_t*>(buffer), chain.base, slots, present);
      case LeafKind::coded: {
        const std::int32_t* codes = values(static_cast<const std::int32_t*>(buffer));
        if (!all) {
          s_.codes.clear();
          std::int32_t* to = s_.codes.extend(present + 64);
          compact(codes, n, s_.words, to);
          codes = to;
        }
        return map_codes(codes, present);
      }
      case LeafKind::text:
      case LeafKind::json: return gather_text(*chain.last, chain.base, slots, present);
    }
  }

  template <class Slots>
  void gather_booleans(const std::uint8_t* bits, std::int64_t base, const Slots& slots, std::size_t present) {
    const std::size_t before = s_.booleans.size();
    std::uint8_t* to = s_.booleans.extend(present + 64);
    std::size_t k = 0;
    for (std::size_t i = 0; i < slots.n; i += 64) {
      const auto m = static_cast<unsigned>(std::min<std::size_t>(64, slots.n - i));
      std::uint64_t values = slots.bits(bits, base, i, m);
      std::uint64_t valid = s_.words.empty() ? ~std::uint64_t{0} : s_.words[i / 64];
      for (unsigned j = 0; j < m; ++j, values >>= 1, valid >>= 1) {
        to[k] = static_cast<std::uint8_t>(values & 1);
        k += valid & 1;
      }
    }
    s_.booleans.cut(before + present);
  }

  std::int32_t add_code(std::int32_t code) {
    std::int32_t& number = (*numbers_)[static_cast<std::size_t>(code)];
    if (number < 0) number = dictionary_->number(text_at(*source_, source_->offset + code));
    const std::int32_t id = s_.dictionary.id(number, *dictionary_);
    map_->ids[static_cast<std::size_t>(code)] = id;
    return id;
  }
  std::uint32_t id_of(std::int32_t code) {
    const std::int32_t id = map_->ids[static_cast<std::size_t>(code)];
    return static_cast<std::uint32_t>(id >= 0 ? id : add_code(code));
  }

  void map_codes(const std::int32_t* codes, std::size_t n) {
    std::int32_t smallest = codes[0], largest = codes[0];
    for (std::size_t i = 1; i < n; ++i) {
      smallest = std::min(smallest, codes[i]);
      largest = std::max(largest, codes[i]);
    }
    if (smallest < 0 || largest >= source_->length) throw BadColumn("a code is not in its dictionary");
    if (smallest == largest) return s_.ids.add(id_of(smallest), n);
    std::uint32_t* to = s_.ids.extend(n);
    const std::int32_t* ids = map_->ids.data();
    for (std::size_t i = 0; i < n; ++i) {
      std::int32_t id = ids[codes[i]];
      if (id < 0) [[unlikely]]
        id = add_code(codes[i]);
      to[i] = static_cast<std::uint32_t>(id);
    }
  }

  template <class Slots>
  void gather_text(const ArrowArray& array, std::int64_t base, const Slots& slots, std::size_t present) {
    const std::size_t n = slots.n;
    const std::int32_t* offsets = static_cast<const std::int32_t*>(array.buffers[1]) + base;
    const auto* bytes = static_cast<const std::uint8_t*>(array.buffers[2]);
    const std::int32_t first = offsets[slots[0]], last = offsets[slots[n - 1] + 1];
    if (first < 0 || last < first || (last > first && !bytes)) throw BadColumn("text offsets are out of range");
    const std::size_t before = s_.int32s.size();
    if (before == 0) {
      // Batches are much alike: the first tells how much there will be, so that nothing is moved while it grows.
      constexpr std::size_t kMost = std::size_t{64} << 20;
      s_.int32s.reserve(std::min(kMost / 4, n * slices_.size() + 64));
      s_.text.reserve(std::min(kMost, static_cast<std::size_t>(last - first) * slices_.size()));
    }
    std::int32_t* lengths = s_.int32s.extend(n + 64);
    std::int32_t sign = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const std::int64_t at = slots[i];
      lengths[i] = offsets[at + 1] - offsets[at];
      // Slots ascend: what begins at or behind the first and ends at or before the last is in the buffer.
      sign |= lengths[i] | (offsets[at] - first) | (last - offsets[at + 1]);
    }
    if (sign < 0) throw BadColumn("text offsets do not ascend");
    if (present != n) compact_lengths(lengths, n);
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < present; ++i) total += static_cast<std::uint64_t>(lengths[i]);
    s_.int32s.cut(before + present);
    if (total == static_cast<std::uint64_t>(last - first)) return s_.text.append(bytes + first, static_cast<std::size_t>(total));
    // Slots that are null, or not meant, have bytes all the same, which must not come along.
    s_.text.reserve(s_.text.size() + total);
    for (std::size_t i = 0; i < n; ++i) {
      const std::int64_t at = slots[i];
      if (s_.words.empty() || (s_.words[i / 64] >> (i % 64) & 1) != 0)
        s_.text.append(bytes + offsets[at], static_cast<std::size_t>(offsets[at + 1] - offsets[at]));
    }
  }

  // In place: what is written never overtakes what is read.
  void compact_lengths(std::int32_t* lengths, std::size_t n) const {
    std::size_t k = 0;
    for (std::size_t i = 0; i < n; ++i) {
      lengths[k] = lengths[i];
      k += s_.words[i / 64] >> (i % 64) & 1;
    }
  }

  // ---- Step 3: pages. ----

  void encode(ChunkInfo& info, Bytes& out) {
    slots_ = s_.definition.size();
    values_ = value_count();
    info.slots = static_cast<std::int64_t>(slots_);
    info.nulls = static_cast<std::int64_t>(slots_ - values_);
    choose(info);
    put_bounds(info);
    if (encoding_ == Encoding::rle_dictionary) {
      info.dictionary_at = static_cast<std::int64_t>(out.size());
      put_dictionary(info, out);
    }
    info.encoding = encoding_;
    info.data_at = static_cast<std::int64_t>(out.size());
    put_pages(info, out);
    info.stored_bytes = static_cast<std::int64_t>(out.size());
  }

  std::size_t value_count() const {
    switch (leaf_.kind) {
      case LeafKind::coded: return s_.ids.size();
      case LeafKind::int32:
      case LeafKind::text:
      case LeafKind::json: return s_.int32s.size();
      case LeafKind::int64:
      case LeafKind::timestamp: return s_.int64s.size();
      case LeafKind::float64: return s_.float64s.size();
      case LeafKind::boolean: return s_.booleans.size();
    }
    return 0;
  }

  void choose(const ChunkInfo&) {
    encoding_ = Encoding::plain;
    text_ = false;
    if (values_ == 0) return;
    switch (leaf_.kind) {
      case LeafKind::int32:
      case LeafKind::int64:
      case LeafKind::timestamp: encoding_ = Encoding::delta_binary_packed; break;
      case LeafKind::float64: break;
      case LeafKind::boolean: encoding_ = Encoding::rle; break;
      case LeafKind::coded:
        if (dictionary_pays()) {
          encoding_ = Encoding::rle_dictionary;
          width_ = std::max(1u, bit_width(s_.dictionary.size() - 1));
        } else {
          spell_out();
          choose_text();
        }
        break;
      case LeafKind::text:
      case LeafKind::json: choose_text(); break;
    }
  }

  bool dictionary_pays() const {
    const GroupDictionary& dictionary = s_.dictionary;
    const std::size_t bytes = dictionary.bytes() + 4 * dictionary.size();
    if (bytes > options_.dictionary_bytes) return false;
    if (dictionary.size() * 2 <= values_ || s_.ids.constant()) return true;
    std::size_t plain = 4 * values_;
    for (const std::uint32_t id : s_.ids.values().span()) plain += dictionary.at(id).size();
    return bytes + values_ * bit_width(dictionary.size()) / 8 < plain;
  }

  // Ids back to text, where the dictionary is given up.
  void spell_out() {
    std::int32_t* length = s_.int32s.extend(values_);
    s_.ids.extend(0);
    std::size_t total = 0;
    for (std::size_t i = 0; i < values_; ++i) {
      length[i] = static_cast<std::int32_t>(s_.dictionary.at(s_.ids.values()[i]).size());
      total += static_cast<std::size_t>(length[i]);
    }
    s_.text.reserve(s_.text.size() + total);
    for (std::size_t i = 0; i < values_; ++i) {
      const std::string_view value = s_.dictionary.at(s_.ids.values()[i]);
      s_.text.append(reinterpret_cast<const std::uint8_t*>(value.data()), value.size());
    }
  }

  // Values that begin as their predecessors do, such as metadata.uid, are stored as what differs. The first thousand tell.
  void choose_text() {
    text_ = true;
    encoding_ = Encoding::delta_length_byte_array;
    if (leaf_.kind == LeafKind::json || values_ < 2) return;
    const std::size_t sample = std::min<std::size_t>(values_, 1000);
    std::size_t at = 0, shared = 0;
    std::string_view before;
    for (std::size_t i = 0; i < sample; ++i) {
      const std::string_view value = text_value(at, i);
      shared += common_prefix(before, value);
      at += value.size();
      before = value;
    }
    if (shared * 3 > at && shared > 4 * sample) encoding_ = Encoding::delta_byte_array;
  }

  std::string_view text_value(std::size_t at, std::size_t i) const {
    return {reinterpret_cast<const char*>(s_.text.data()) + at, static_cast<std::size_t>(s_.int32s[i])};
  }

  template <class T>
  void set_bounds(ChunkInfo& info, T smallest, T largest) {
    info.has_bounds = true;
    info.smallest = std::string(reinterpret_cast<const char*>(&smallest), sizeof smallest);
    info.largest = std::string(reinterpret_cast<const char*>(&largest), sizeof largest);
  }
  template <class T>
  void number_bounds(ChunkInfo& info, const Pod<T>& values) {
    T smallest = values[0], largest = values[0];
    for (const T value : values.span()) {
      smallest = std::min(smallest, value);
      largest = std::max(largest, value);
    }
    set_bounds(info, smallest, largest);
  }
  void text_bounds(ChunkInfo& info, std::string_view smallest, std::string_view largest) {
    // A cut bound would have to be marked as such, which older readers do not know: long ones are left out.
    if (smallest.size() > kLongestBound || largest.size() > kLongestBound) return;
    info.has_bounds = true;
    info.smallest = smallest;
    info.largest = largest;
  }

  void put_bounds(ChunkInfo& info) {
    if (values_ == 0) return;
    switch (leaf_.kind) {
      case LeafKind::int32: return number_bounds(info, s_.int32s);
      case LeafKind::int64:
      case LeafKind::timestamp: return number_bounds(info, s_.int64s);
      case LeafKind::boolean: return number_bounds(info, s_.booleans);
      case LeafKind::float64: {
        // NaN has no place in the order; a zero's sign must not hide the other zero.
        double smallest = std::numeric_limits<double>::infinity(), largest = -smallest;
        bool any = false;
        for (const double value : s_.float64s.span()) {
          if (std::isnan(value)) continue;
          any = true;
          smallest = std::min(smallest, value);
          largest = std::max(largest, value);
        }
        if (any) set_bounds(info, smallest == 0 ? -0.0 : smallest, largest == 0 ? 0.0 : largest);
        return;
      }
      case LeafKind::coded: {
        std::string_view smallest = s_.dictionary.at(0), largest = smallest;
        for (std::size_t i = 1; i < s_.dictionary.size(); ++i) {
          const std::string_view value = s_.dictionary.at(i);
          if (value < smallest) smallest = value;
          if (value > largest) largest = value;
        }
        return text_bounds(info, smallest, largest);
      }
      case LeafKind::text: {
        std::string_view smallest = text_value(0, 0), largest = smallest;
        std::size_t at = 0;
        for (std::size_t i = 0; i < values_; ++i) {
          const std::string_view value = text_value(at, i);
          at += value.size();
          if (value > largest) {
            largest = value;
          } else if (value < smallest) {
            smallest = value;
          }
        }
        return text_bounds(info, smallest, largest);
      }
      case LeafKind::json: return;  // its order means nothing to anybody
    }
  }

  // Compresses what `from` holds into s_.packed; false if there is nothing to gain.
  bool squeeze(const std::uint8_t* from, std::size_t n, bool always) {
    if (!options_.zstd) return false;
    if (!s_.zstd) {
      s_.zstd = ZSTD_createCCtx();
      if (!s_.zstd) throw std::bad_alloc();
    }
    if (s_.zstd_level != options_.zstd_level) {
      ZSTD_CCtx_setParameter(s_.zstd, ZSTD_c_compressionLevel, options_.zstd_level);
      s_.zstd_level = options_.zstd_level;
    }
    s_.packed.clear();
    const std::size_t room = ZSTD_compressBound(n);
    std::uint8_t* to = s_.packed.extend(room);
    const std::size_t written = ZSTD_compress2(s_.zstd, to, room, from, n);
    if (ZSTD_isError(written)) throw std::runtime_error(std::string("zstd: ") + ZSTD_getErrorName(written));
    s_.packed.cut(written);
    return always || written < n;
  }

  static std::int32_t page_size(std::size_t bytes) {
    if (bytes > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) throw TooLarge("a page of more than 2 GiB");
    return static_cast<std::int32_t>(bytes);
  }
  static std::uint32_t crc(std::uint32_t seed, const std::uint8_t* data, std::size_t n) {
    return n ? crc32_gzip_refl(seed, data, n) : seed;
  }

  void put_dictionary(ChunkInfo& info, Bytes& out) {
    const GroupDictionary& dictionary = s_.dictionary;
    s_.page.clear();
    s_.page.reserve(dictionary.bytes() + 4 * dictionary.size());
    for (std::size_t i = 0; i < dictionary.size(); ++i) {
      const std::string_view value = dictionary.at(i);
      const auto n = static_cast<std::uint32_t>(value.size());
      std::uint8_t* to = s_.page.extend(4 + value.size());
      std::memcpy(to, &n, 4);
      if (n) std::memcpy(to + 4, value.data(), n);
    }
    // A dictionary page has no mark that it is stored as it is: with a codec it is always compressed.
    const bool packed = squeeze(s_.page.data(), s_.page.size(), true);
    const Bytes& stored = packed ? s_.packed : s_.page;
    DictionaryPage page;
    page.values = static_cast<std::int32_t>(dictionary.size());
    page.plain_bytes = page_size(s_.page.size());
    page.stored_bytes = page_size(stored.size());
    page.crc = crc(0, stored.data(), stored.size());
    const std::size_t before = out.size();
    s_.headers.put(page, out);
    info.plain_bytes += static_cast<std::int64_t>(out.size() - before + s_.page.size());
    out.append(stored.data(), stored.size());
  }

  bool row_begins(std::size_t slot) const { return !shape_ || shape_->repetition.constant() || shape_->repetition.values()[slot] == 0; }
  bool has_value(std::size_t slot) const {
    return (s_.definition.constant() ? s_.definition.value() : s_.definition.values()[slot]) == leaf_.max_definition;
  }

  void put_pages(ChunkInfo& info, Bytes& out) {
    std::size_t total = 0;  // bytes of values, about
    switch (encoding_) {
      case Encoding::rle_dictionary: total = values_ * width_ / 8; break;
      case Encoding::rle: total = values_ / 8; break;
      case Encoding::plain: total = values_ * 8; break;
      case Encoding::delta_binary_packed: total = values_ * (leaf_.kind == LeafKind::int32 ? 4 : 8); break;
      case Encoding::delta_length_byte_array:
      case Encoding::delta_byte_array: total = s_.text.size() + 4 * values_; break;
    }
    const std::size_t pages =
        total <= options_.page_bytes + options_.page_bytes / 4 ? 1 : (total + options_.page_bytes - 1) / options_.page_bytes;
    const std::size_t slots_each = std::min(kMaxSlots, (slots_ + pages - 1) / pages);
    std::size_t slot = 0, value = 0, byte = 0;
    while (slot < slots_) {
      Part part{slot, slot, value, value, byte, byte};
      if (slots_each >= slots_) {
        part.slot_end = slots_, part.value_end = values_, part.byte_end = s_.text.size();
      } else if (text_) {
        cut_text(part);
      } else {
        part.slot_end = std::min(slots_, slot + slots_each);
        while (part.slot_end < slots_ && !row_begins(part.slot_end)) ++part.slot_end;
        for (std::size_t i = slot; i < part.slot_end; ++i) part.value_end += has_value(i);
      }
      put_page(part, info, out);
      slot = part.slot_end, value = part.value_end, byte = part.byte_end;
    }
  }

  struct Part {
    std::size_t slot, slot_end, value, value_end, byte, byte_end;
  };

  void cut_text(Part& part) const {
    while (part.slot_end < slots_) {
      const std::size_t bytes = part.byte_end - part.byte + 4 * (part.value_end - part.value);
      if ((bytes >= options_.page_bytes || part.slot_end - part.slot >= kMaxSlots) && row_begins(part.slot_end)) break;
      if (has_value(part.slot_end)) part.byte_end += static_cast<std::size_t>(s_.int32s[part.value_end++]);
      ++part.slot_end;
    }
  }

  void put_levels_of(const Levels& levels, std::uint8_t largest, const Part& part) {
    if (largest == 0) return;
    if (levels.constant()) {
      put_run(levels.value(), part.slot_end - part.slot, bit_width(largest), s_.page);
    } else {
      put_hybrid(levels.values().span().subspan(part.slot, part.slot_end - part.slot), bit_width(largest), s_.page);
    }
  }

  template <class T>
  static std::span<const T> span_of(const Pod<T>& values, const Part& part) {
    return values.span().subspan(part.value, part.value_end - part.value);
  }

  void put_values(const Part& part) {
    const std::size_t n = part.value_end - part.value;
    const auto text = [&] {
      return std::string_view(reinterpret_cast<const char*>(s_.text.data()) + part.byte, part.byte_end - part.byte);
    };
    switch (encoding_) {
      case Encoding::rle_dictionary:
        s_.page.push(static_cast<std::uint8_t>(width_));
        if (s_.ids.constant()) {
          put_run(s_.ids.value(), n, width_, s_.page);
        } else {
          put_hybrid(span_of(s_.ids.values(), part), width_, s_.page);
        }
        break;
      case Encoding::delta_binary_packed:
        if (leaf_.kind == LeafKind::int32) {
          put_delta(span_of(s_.int32s, part), s_.page);
        } else {
          put_delta(span_of(s_.int64s, part), s_.page);
        }
        break;
      case Encoding::delta_length_byte_array: put_delta_length(span_of(s_.int32s, part), text(), s_.page); break;
      case Encoding::delta_byte_array: put_delta_text(span_of(s_.int32s, part), text(), s_.prefixes, s_.suffixes, s_.page); break;
      case Encoding::rle: {
        const std::size_t at = s_.page.size();
        s_.page.extend(4);  // booleans, unlike levels, have their length in front
        put_hybrid(span_of(s_.booleans, part), 1, s_.page);
        const auto length = static_cast<std::uint32_t>(s_.page.size() - at - 4);
        std::memcpy(s_.page.data() + at, &length, 4);
        break;
      }
      case Encoding::plain: {
        const auto values = span_of(s_.float64s, part);
        s_.page.append(reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes());
        break;
      }
    }
  }

  void put_page(const Part& part, ChunkInfo& info, Bytes& out) {
    const std::size_t slots = part.slot_end - part.slot;
    s_.page.clear();
    DataPage page;
    if (shape_) put_levels_of(shape_->repetition, leaf_.max_repetition, part);
    page.repetition_bytes = page_size(s_.page.size());
    put_levels_of(s_.definition, leaf_.max_definition, part);
    const std::size_t levels = s_.page.size();
    page.definition_bytes = page_size(levels) - page.repetition_bytes;
    if (values_ != 0) put_values(part);
    const std::size_t plain = s_.page.size() - levels;
    page.plain_bytes = page_size(s_.page.size());
    constexpr std::size_t kWorthwhile = 64;  // bytes; less than this only costs the reader time
    page.compressed = plain >= kWorthwhile && squeeze(s_.page.data() + levels, plain, false);
    const std::uint8_t* stored = page.compressed ? s_.packed.data() : s_.page.data() + levels;
    const std::size_t stored_size = page.compressed ? s_.packed.size() : plain;
    page.stored_bytes = page_size(levels + stored_size);
    page.crc = crc(crc(0, s_.page.data(), levels), stored, stored_size);
    page.slots = page_size(slots);
    page.nulls = page.slots - page_size(part.value_end - part.value);
    page.rows = page.slots;
    if (shape_ && !shape_->repetition.constant()) {
      const auto repetition = shape_->repetition.values().span().subspan(part.slot, slots);
      page.rows = static_cast<std::int32_t>(std::count(repetition.begin(), repetition.end(), std::uint8_t{0}));
    }
    page.encoding = encoding_;
    const std::size_t before = out.size();
    s_.headers.put(page, out);
    info.plain_bytes += static_cast<std::int64_t>(out.size() - before) + page.plain_bytes;
    out.append(s_.page.data(), levels);
    out.append(stored, stored_size);
    ++info.data_pages;
  }

  const Leaf& leaf_;
  const EncodeOptions& options_;
  std::span<const Rows> slices_;
  std::span<const Selection> selections_;  // of the rows of each slice
  const Shape* shape_;
  std::uint8_t full_;
  ColumnDictionary* dictionary_;
  Scratch& s_;
  // Of the slice at hand, for codes.
  const ArrowArray* source_ = nullptr;
  CodeMap* map_ = nullptr;
  std::vector<std::int32_t>* numbers_ = nullptr;
  Encoding encoding_ = Encoding::plain;
  bool text_ = false;  // the values are s_.int32s lengths and s_.text
  unsigned width_ = 1;
  std::size_t slots_ = 0, values_ = 0;
};

}  // namespace

ScratchPool::ScratchPool() = default;
ScratchPool::~ScratchPool() = default;

std::unique_ptr<Scratch> ScratchPool::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      auto scratch = std::move(free_.back());
      free_.pop_back();
      return scratch;
    }
  }
  return std::make_unique<Scratch>();
}

void ScratchPool::give(std::unique_ptr<Scratch> scratch) {
  scratch->trim();
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(scratch));
}

RowGroupEncoder::RowGroupEncoder(const TableSchema& schema, const EncodeOptions& options, ScratchPool& pool)
    : schema_(schema), options_(options), pool_(pool) {
  for (const Leaf& leaf : schema.leaves)
    dictionaries_.push_back(leaf.kind == LeafKind::coded ? std::make_unique<ColumnDictionary>() : nullptr);
}
RowGroupEncoder::~RowGroupEncoder() = default;

EncodedRowGroup RowGroupEncoder::encode_all(std::span<const Rows> slices) {
  EncodedRowGroup out;
  std::vector<Shape> shapes(schema_.anchors.size());
  out.info.chunks.resize(schema_.leaves.size());
  out.chunks.resize(schema_.leaves.size());
  std::vector<Selection> selections;
  selections.reserve(slices.size());
  for (const Rows& slice : slices) {
    selections.emplace_back(slice.ranges);
    for (const Range& range : slice.ranges) out.info.rows += range.end - range.begin;
  }
  const auto make_shapes = [&](std::size_t root) {
    if (schema_.anchors[root].parent >= 0) return;
    // A tree of lists lies back to back behind its root: the leaves between do not count.
    ShapeMaker maker(slices, selections);
    maker.make(schema_.anchors[root], nullptr, nullptr, shapes[root]);
    for (std::size_t a = root + 1; a < schema_.anchors.size() && schema_.anchors[a].parent >= 0; ++a) {
      const auto parent = static_cast<std::size_t>(schema_.anchors[a].parent);
      maker.make(schema_.anchors[a], &schema_.anchors[parent], &shapes[parent], shapes[a]);
    }
  };
  const auto encode_leaf = [&](std::size_t i) {
    const Leaf& leaf = schema_.leaves[i];
    const auto anchor = static_cast<std::size_t>(leaf.anchor);
    auto scratch = pool_.take();
    ColumnEncoder(leaf, options_, slices, selections, leaf.anchor < 0 ? nullptr : &shapes[anchor],
                  leaf.anchor < 0 ? std::uint8_t{0} : schema_.anchors[anchor].full, dictionaries_[i].get(), *scratch)
        .run(out.info.chunks[i], out.chunks[i]);
    pool_.give(std::move(scratch));
  };
  constexpr std::int64_t kWorthSharing = 20000;  // values; for fewer, handing out the work costs more than it saves
  if (out.info.rows * static_cast<std::int64_t>(schema_.leaves.size()) < kWorthSharing) {
    for (std::size_t a = 0; a < shapes.size(); ++a) make_shapes(a);
    for (std::size_t i = 0; i < schema_.leaves.size(); ++i) encode_leaf(i);
  } else {
    parallel(shapes.size(), make_shapes);
    parallel(schema_.leaves.size(), encode_leaf);
  }
  return out;
}

Result<EncodedRowGroup> RowGroupEncoder::encode(std::span<const Rows> slices) {
  try {
    return encode_all(slices);
  } catch (const BadColumn& e) {
    return fail(LM_INVALID, std::string("a batch contradicts itself: ") + e.what());
  } catch (const TooLarge& e) {
    return fail(LM_UNSUPPORTED, std::string("cannot store as Parquet: ") + e.what());
  } catch (const std::bad_alloc&) {
    return fail(LM_NO_MEMORY, "out of memory while encoding a row group");
  } catch (const std::exception& e) {
    return fail(LM_INTERNAL, e.what());
  }
}

}  // namespace lm::sink::parquet
