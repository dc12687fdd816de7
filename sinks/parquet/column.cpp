#include "parquet/column.hpp"

#include "parquet/bloom.hpp"
#include "parquet/dictionary.hpp"
#include "parquet/scratch.hpp"

#include <isa-l/crc.h>
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <new>
#include <optional>
#include <string>
#include <string_view>

namespace lm::sink::parquet {
namespace {

constexpr std::size_t kMaxSlots = std::size_t{1} << 24;  // in a page

std::string_view text_at(const ArrowArray& array, std::int64_t slot) {
  const auto* offsets = static_cast<const std::int32_t*>(array.buffers[1]) + slot;
  if (offsets[0] < 0 || offsets[1] < offsets[0]) throw BadColumn("text offsets are out of range");
  const auto n = static_cast<std::size_t>(offsets[1] - offsets[0]);
  if (n != 0 && !array.buffers[2]) throw BadColumn("a text lacks its bytes");
  return n == 0 ? std::string_view() : std::string_view(static_cast<const char*>(array.buffers[2]) + offsets[0], n);
}

}  // namespace

// What a column has only if it has values.
struct Column::Live {
  // Values that wait.
  Runs<std::uint32_t> ids;
  Runs<std::int32_t> int32s;  // or the lengths of texts
  Runs<std::int64_t> int64s;
  Pod<double> float64s;
  Levels booleans;
  Bytes text;
  // Codes are spelt out, because the dictionary has grown too large or does not pay.
  bool spelt = false;
  // Numbers that are few are stored by number, too; not any more.
  bool many = false;
  TextDictionary texts;
  NumberDictionary numbers;
  std::vector<CodeMap> maps;
  std::size_t known = 0;  // of the values of `texts`, when the last page was made
  std::size_t coded_pages = 0;
  BloomBuilder bloom;  // of values that were spelt out; those of a dictionary are added at the end
  std::optional<Encoding> text_encoding, float_encoding;
  // Bounds of the finished pages, plain-encoded; of a text so much that it can be told to be too long.
  bool bounded = false;
  std::string smallest, largest;
  // Of times, so far.
  bool ascending = true;
  std::int64_t last_time = std::numeric_limits<std::int64_t>::min();

  std::size_t waiting() const {
    return ids.held() + int32s.held() + int64s.held() + float64s.capacity() * 8 + booleans.held() + text.capacity();
  }
  std::size_t kept() const {
    std::size_t sum = sizeof(Live) + texts.held() + numbers.held() + bloom.held();
    for (const CodeMap& map : maps) sum += map.held();
    return sum;
  }
  void clear() { ids.clear(), int32s.clear(), int64s.clear(), float64s.clear(), booleans.clear(), text.clear(); }
  void release() { ids.release(), int32s.release(), int64s.release(), float64s.release(), booleans.release(), text.release(); }
};

// What has become of it.
struct Column::Made {
  std::vector<Bytes> pages;
  // Pages in front of the first that has values; their headers wait for its encoding.
  std::vector<DataPage> leading;
  std::size_t page_bytes = 0;
  ChunkInfo info;

  std::size_t kept() const { return sizeof(Made) + page_bytes + leading.capacity() * sizeof(DataPage) + info.index.held(); }
};

Column::Column() = default;
Column::Column(Column&&) noexcept = default;
Column& Column::operator=(Column&&) noexcept = default;
Column::~Column() = default;
Column::Column(const Column& from)
    : definition_(from.definition_),
      repetition_(from.repetition_),
      live_(from.live_ ? std::make_unique<Live>(*from.live_) : nullptr),
      made_(from.made_ ? std::make_unique<Made>(*from.made_) : nullptr) {}

Column::Live& Column::live() {
  if (!live_) live_ = std::make_unique<Live>();
  return *live_;
}

std::size_t Column::waiting() const { return definition_.held() + repetition_.held() + (live_ ? live_->waiting() : 0); }
std::size_t Column::kept() const { return (made_ ? made_->kept() : 0) + (live_ ? live_->kept() : 0); }

// ---- Levels and values of a batch ----

namespace {

// Gathers the values of one column from one batch. L: Column::Live, which is private to the column.
template <class L>
class Gatherer {
 public:
  Gatherer(const ColumnUse& use, const BatchView& view, const LeafView& leaf, L& to, Scratch& scratch)
      : kind_(use.leaf.kind), leaf_(leaf), path_(leaf.path), to_(to), s_(scratch) {
    if (kind_ != LeafKind::coded) return;
    source_ = path_.last->dictionary;
    if (to_.spelt) return;
    auto found = std::find_if(to_.maps.begin(), to_.maps.end(), [&](const CodeMap& m) { return m.instance() == view.instance(); });
    if (found == to_.maps.end()) found = to_.maps.insert(found, CodeMap(view.instance(), view.epoch()));
    map_ = &*found;
    map_->begin(view.epoch(), static_cast<std::size_t>(leaf.dictionary_n));
  }

  // The values of the slots that have one, as s_.words says.
  template <class Slots>
  void gather(const Slots& slots) {
    const std::size_t n = slots.n;
    if (leaf_.constant && kind_ != LeafKind::coded) return constant(n);
    if (leaf_.constant && !to_.spelt) return to_.ids.add(id_of(static_cast<std::int32_t>(leaf_.value)), n);
    const std::size_t present = s_.words.empty() ? n : count_bits(s_.words);
    if (present == 0) return;
    const bool all = present == n;
    const void* buffer = path_.last->buffers[1];
    const auto values = [&]<class T>(const T* first) { return slots.values(first + path_.base, std::get<Pod<T>>(s_.picked)); };
    const auto fixed = [&](const auto* from, auto& out) {
      if (all) return out.append(from, n);
      const std::size_t before = out.size();
      auto* to = out.extend(present + 64);
      compact(from, n, s_.words, to);
      out.cut(before + present);
    };
    switch (kind_) {
      case LeafKind::int32: return fixed(values(static_cast<const std::int32_t*>(buffer)), to_.int32s);
      case LeafKind::int64:
      case LeafKind::timestamp: return fixed(values(static_cast<const std::int64_t*>(buffer)), to_.int64s);
      case LeafKind::float64: return fixed(values(static_cast<const double*>(buffer)), to_.float64s);
      case LeafKind::boolean: return booleans(static_cast<const std::uint8_t*>(buffer), slots, present);
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
      case LeafKind::json: return text(slots, present);
    }
  }

 private:
  void constant(std::size_t n) {
    if (kind_ == LeafKind::int32) {
      to_.int32s.add(static_cast<std::int32_t>(leaf_.value), n);
    } else {
      to_.int64s.add(leaf_.value, n);
    }
  }

  template <class Slots>
  void booleans(const std::uint8_t* bits, const Slots& slots, std::size_t present) {
    const std::size_t before = to_.booleans.size();
    std::uint8_t* to = to_.booleans.extend(present + 64);
    std::size_t k = 0;
    for (std::size_t i = 0; i < slots.n; i += 64) {
      const auto m = static_cast<unsigned>(std::min<std::size_t>(64, slots.n - i));
      std::uint64_t values = slots.bits(bits, path_.base, i, m);
      std::uint64_t valid = s_.words.empty() ? ~std::uint64_t{0} : s_.words[i / 64];
      for (unsigned j = 0; j < m; ++j, values >>= 1, valid >>= 1) {
        to[k] = static_cast<std::uint8_t>(values & 1);
        k += valid & 1;
      }
    }
    to_.booleans.cut(before + present);
  }

  std::uint32_t add_code(std::int32_t code) {
    const std::uint32_t id = to_.texts.intern(text_at(*source_, source_->offset + code));
    map_->add(code, static_cast<std::int32_t>(id));
    return id;
  }
  std::uint32_t id_of(std::int32_t code) {
    const std::int32_t id = map_->find(code);
    return id >= 0 ? static_cast<std::uint32_t>(id) : add_code(code);
  }

  void map_codes(const std::int32_t* codes, std::size_t n) {
    const auto [smallest, largest] = min_max(std::span(codes, n));
    if (smallest < 0 || largest >= source_->length) throw BadColumn("a code is not in its dictionary");
    if (to_.spelt) return spell(codes, n);
    if (smallest == largest) return to_.ids.add(id_of(smallest), n);
    std::uint32_t* to = to_.ids.extend(n);
    if (const std::int32_t* places = map_->places()) {
      if (replace_codes(places, std::span(codes, n), to)) return;
    } else {
      for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<std::uint32_t>(map_->find(codes[i]));
    }
    add_missing(codes, n, to);
  }

  // Codes that were not met yet, a group of them at a time: each look-up is a chain of places far apart in memory, and those of a group are fetched
  // together.
  void add_missing(const std::int32_t* codes, std::size_t n, std::uint32_t* to) {
    constexpr std::size_t kGroup = 32;
    constexpr auto kMissing = static_cast<std::uint32_t>(-1);
    std::size_t at[kGroup];
    std::string_view texts[kGroup];
    std::uint64_t hashes[kGroup];
    const auto* offsets = static_cast<const std::int32_t*>(source_->buffers[1]) + source_->offset;
    for (std::size_t i = 0; i < n;) {
      std::size_t k = 0;
      for (; i < n && k < kGroup; ++i) {
        if (to[i] != kMissing) continue;
        __builtin_prefetch(offsets + codes[i]);
        at[k++] = i;
      }
      for (std::size_t j = 0; j < k; ++j) {
        texts[j] = text_at(*source_, source_->offset + codes[at[j]]);
        __builtin_prefetch(texts[j].data());
      }
      for (std::size_t j = 0; j < k; ++j) to_.texts.expect(hashes[j] = to_.texts.hash_of(texts[j]));
      for (std::size_t j = 0; j < k; ++j) to_.texts.expect_value(hashes[j]);
      for (std::size_t j = 0; j < k; ++j) {
        const std::int32_t code = codes[at[j]];
        std::int32_t id = map_->find(code);  // a code may come twice in a group
        if (id < 0) map_->add(code, id = static_cast<std::int32_t>(to_.texts.intern(texts[j], hashes[j])));
        to[at[j]] = static_cast<std::uint32_t>(id);
      }
    }
  }

  void spell(const std::int32_t* codes, std::size_t n) {
    std::int32_t* lengths = to_.int32s.extend(n);
    for (std::size_t i = 0; i < n; ++i) {
      const std::string_view value = text_at(*source_, source_->offset + codes[i]);
      lengths[i] = static_cast<std::int32_t>(value.size());
      to_.text.append(reinterpret_cast<const std::uint8_t*>(value.data()), value.size());
    }
  }

  template <class Slots>
  void text(const Slots& slots, std::size_t present) {
    const ArrowArray& array = *path_.last;
    const std::size_t n = slots.n;
    const std::int32_t* offsets = static_cast<const std::int32_t*>(array.buffers[1]) + path_.base;
    const auto* bytes = static_cast<const std::uint8_t*>(array.buffers[2]);
    const std::int32_t first = offsets[slots[0]], last = offsets[slots[n - 1] + 1];
    if (first < 0 || last < first || (last > first && !bytes)) throw BadColumn("text offsets are out of range");
    const std::size_t before = to_.int32s.size();
    std::int32_t* lengths = to_.int32s.extend(n + 64);
    std::int32_t sign = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const std::int64_t at = slots[i];
      lengths[i] = offsets[at + 1] - offsets[at];
      // Slots ascend: what begins at or behind the first and ends at or before the last is in the buffer.
      sign |= lengths[i] | (offsets[at] - first) | (last - offsets[at + 1]);
    }
    if (sign < 0) throw BadColumn("text offsets do not ascend");
    if (present != n) compact(lengths, n, s_.words, lengths);
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < present; ++i) total += static_cast<std::uint64_t>(lengths[i]);
    to_.int32s.cut(before + present);
    if (total == static_cast<std::uint64_t>(last - first)) return to_.text.append(bytes + first, static_cast<std::size_t>(total));
    // Slots that are null, or not meant, have bytes all the same, which must not come along.
    to_.text.reserve(to_.text.size() + total);
    for (std::size_t i = 0; i < n; ++i) {
      const std::int64_t at = slots[i];
      if (s_.words.empty() || (s_.words[i / 64] >> (i % 64) & 1) != 0)
        to_.text.append(bytes + offsets[at], static_cast<std::size_t>(offsets[at + 1] - offsets[at]));
    }
  }

  const LeafKind kind_;
  const LeafView& leaf_;
  const Path& path_;
  L& to_;
  Scratch& s_;
  const ArrowArray* source_ = nullptr;  // of codes
  CodeMap* map_ = nullptr;
};

}  // namespace

void Column::add(const ColumnUse& use, const BatchView& view, const LeafView& leaf, const Selection& rows, Scratch& scratch) {
  if (leaf.path.dead) {
    rows.each_part([&](const auto& slots) { put_levels(leaf.path, slots, definition_, scratch.words); });
    return;
  }
  Gatherer gatherer(use, view, leaf, live(), scratch);
  rows.each_part([&](const auto& slots) {
    put_levels(leaf.path, slots, definition_, scratch.words);
    gatherer.gather(slots);
  });
}

void Column::add_elements(const ColumnUse& use, const BatchView& view, const LeafView& leaf, const Shape& shape, std::uint8_t full,
                          Scratch& scratch) {
  const std::size_t n = shape.slots();
  repetition_.append(shape.repetition);
  if (shape.dense.empty()) return definition_.append(shape.definition);
  Levels& dense = scratch.dense;
  dense.clear();
  if (leaf.path.dead) {
    shape.elements.each_part([&](const auto& slots) { put_levels(leaf.path, slots, dense, scratch.words); });
  } else {
    Gatherer gatherer(use, view, leaf, live(), scratch);
    shape.elements.each_part([&](const auto& slots) {
      put_levels(leaf.path, slots, dense, scratch.words);
      gatherer.gather(slots);
    });
  }
  if (dense.constant() && shape.all_full) return definition_.add(static_cast<std::uint8_t>(full + dense.value()), n);
  // Where there are elements, levels are not constant: each has one of its own.
  const std::uint8_t* levels = shape.definition.values().data();
  std::uint8_t* to = definition_.extend(n);
  if (dense.constant()) {
    const std::uint8_t more = dense.value();
    for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<std::uint8_t>(levels[i] + (levels[i] == full ? more : 0));
  } else {
    // One entry more than there are elements, so that the place behind the last may be read.
    *dense.extend(1) = 0;
    const std::uint8_t* more = dense.values().data();
    for (std::size_t i = 0; i < n; ++i) {
      const bool has = levels[i] == full;
      to[i] = static_cast<std::uint8_t>(levels[i] + (has ? *more : 0));
      more += has;
    }
  }
}

// ---- Pages ----

class PageMaker {
 public:
  PageMaker(const ColumnUse& use, Column& column, Scratch& scratch)
      : leaf_(use.leaf), options_(use.options), worth_(use.worth), bloom_(use.bloom), c_(column), live_(column.live_.get()), s_(scratch) {}

  bool is_due() const {
    std::size_t bytes = c_.definition_.constant() ? 0 : c_.definition_.size();
    bytes += c_.repetition_.constant() ? 0 : c_.repetition_.size();
    // Text gains by larger pages, because the compressor sees more of it at once.
    if (live_)
      bytes += live_->ids.values().size() * 4 + live_->int32s.values().size() * 4 + live_->int64s.values().size() * 8 +
               live_->float64s.size() * 8 + live_->booleans.values().size() + live_->text.size() / kTextPages;
    if (bytes >= options_.page_bytes || c_.definition_.size() >= kMaxSlots) return true;
    return leaf_.kind == LeafKind::coded && live_ && !live_->spelt && live_->texts.plain().size() > options_.dictionary_bytes;
  }

  // Of all that waits.
  void make() {
    slots_ = c_.definition_.size();
    if (slots_ == 0) return;
    values_ = live_ ? value_count() : 0;
    made().info.slots += static_cast<std::int64_t>(slots_);
    made().info.nulls += static_cast<std::int64_t>(slots_ - values_);
    encoding_ = in_dictionary() ? Encoding::rle_dictionary : Encoding::plain;
    text_ = false;
    if (values_ != 0) choose();
    put_pages();
    if (live_ && encoding_ == Encoding::rle_dictionary) ++live_->coded_pages;
    c_.definition_.clear(), c_.repetition_.clear();
    if (live_) live_->clear();
  }

  void finish(ChunkInfo& info, Chunk& out) {
    make();
    put_leading(Encoding::plain);
    ChunkInfo& mine = made().info;
    if (live_ && live_->coded_pages != 0) {
      Bytes& page = out.parts.emplace_back();
      mine.dictionary_at = 0;
      put_dictionary(page);
      mine.data_at = static_cast<std::int64_t>(page.size());
      mine.stored_bytes += mine.data_at;
    }
    if (live_) put_bounds();
    mine.ascending = live_ && leaf_.kind == LeafKind::timestamp && leaf_.max_repetition == 0 && live_->ascending && mine.nulls == 0;
    if (live_ && bloom_) put_bloom(out);
    if (out.parts.empty()) {
      out.parts = std::move(made().pages);
    } else {
      out.parts.insert(out.parts.end(), std::make_move_iterator(made().pages.begin()), std::make_move_iterator(made().pages.end()));
    }
    info = std::move(mine);
  }

 private:
  static constexpr std::size_t kTextPages = 4;

  Column::Made& made() {
    if (!c_.made_) c_.made_ = std::make_unique<Column::Made>();
    return *c_.made_;
  }

  std::size_t value_count() const {
    switch (leaf_.kind) {
      case LeafKind::coded: return live_->spelt ? live_->int32s.size() : live_->ids.size();
      case LeafKind::int32:
      case LeafKind::text:
      case LeafKind::json: return live_->int32s.size();
      case LeafKind::int64:
      case LeafKind::timestamp: return live_->int64s.size();
      case LeafKind::float64: return live_->float64s.size();
      case LeafKind::boolean: return live_->booleans.size();
    }
    return 0;
  }

  // Readers that keep a dictionary for several pages at once (Spark's vectorized one) expect that it is given up once and for all: a chunk begins with pages
  // that are stored by number, or has none. Those without values go along.
  bool in_dictionary() const { return live_ && live_->coded_pages != 0 && !(leaf_.kind == LeafKind::coded ? live_->spelt : live_->many); }

  // The encoding of what waits.
  void choose() {
    switch (leaf_.kind) {
      case LeafKind::int32: return choose_number(live_->int32s);
      case LeafKind::timestamp: look_at_order(live_->int64s); return choose_number(live_->int64s);
      case LeafKind::int64: return choose_number(live_->int64s);
      case LeafKind::float64: return choose_float();
      case LeafKind::boolean: encoding_ = Encoding::rle; return;
      case LeafKind::coded:
        if (!live_->spelt) {
          choose_coded();
          if (!text_) return;
        }
        break;
      case LeafKind::text:
      case LeafKind::json: break;
    }
    choose_text();
  }

  void look_at_order(const Runs<std::int64_t>& times) {
    if (!live_->ascending) return;
    const auto values = times.values().span();
    const std::int64_t first = times.constant() ? times.value() : values.front();
    live_->ascending = live_->last_time <= first && (times.constant() || std::is_sorted(values.begin(), values.end()));
    live_->last_time = times.constant() ? first : values.back();
  }

  void choose_coded() {
    TextDictionary& texts = live_->texts;
    const std::size_t fresh = texts.size() - std::exchange(live_->known, texts.size());
    const bool first = live_->coded_pages == 0;
    const bool pays = fresh * 2 <= values_ || live_->ids.constant() || dictionary_pays(fresh);
    if (pays || !first) {
      encoding_ = Encoding::rle_dictionary;
      width_ = std::max(1u, bit_width(texts.size() - 1));
    }
    if (pays && texts.plain().size() <= options_.dictionary_bytes) return;
    // From here on values are spelt out: this page, too, if no other has needed the dictionary.
    live_->spelt = true;
    live_->maps.clear(), live_->maps.shrink_to_fit();
    if (encoding_ == Encoding::rle_dictionary) return;
    spell_out();
    texts.release();
    text_ = true;
  }

  // What the page adds to the dictionary, and its numbers, against its texts.
  bool dictionary_pays(std::size_t fresh) const {
    const TextDictionary& texts = live_->texts;
    std::size_t plain = 0, added = 0;
    for (const std::uint32_t id : live_->ids.values().span()) plain += 4 + texts.at(id).size();
    for (std::size_t id = texts.size() - fresh; id < texts.size(); ++id) added += 4 + texts.at(id).size();
    return added + values_ * bit_width(texts.size()) / 8 < plain - plain / 3;
  }

  void spell_out() {
    std::int32_t* length = live_->int32s.extend(values_);
    live_->ids.extend(0);
    for (std::size_t i = 0; i < values_; ++i) {
      const std::string_view value = live_->texts.at(live_->ids.values()[i]);
      length[i] = static_cast<std::int32_t>(value.size());
      live_->text.append(reinterpret_cast<const std::uint8_t*>(value.data()), value.size());
    }
    live_->ids.clear();
  }

  template <class T>
  void choose_number(const Runs<T>& values) {
    const std::pair<T, T> bounds = values.constant() ? std::pair(values.value(), values.value()) : min_max(values.values().span());
    whole_ = plain_bounds(bounds.first, bounds.second);
    encoding_ = Encoding::delta_binary_packed;
    if (live_->many) return;
    NumberDictionary& numbers = live_->numbers;
    s_.ids.clear();
    bool few = false;
    if (values.constant()) {
      const T value = values.value();
      std::uint8_t id = 0;
      few = numbers.number(&value, 1, value, value, &id);
      s_.ids.add(id, values_);
    } else {
      few = numbers.number(values.values().data(), values_, bounds.first, bounds.second, s_.ids.extend(values_));
    }
    if (few && (live_->coded_pages != 0 || numbers.size() * 4 <= values_ || values.constant())) {
      encoding_ = Encoding::rle_dictionary;
      width_ = std::max(1u, bit_width(numbers.size() - 1));
    } else {
      live_->many = true;
    }
  }

  // Doubles that hardly repeat have in common how they begin, which compressors find where it lies together; those that do are found whole. The first
  // thousands tell.
  void choose_float() {
    if (!live_->float_encoding) {
      live_->float_encoding = Encoding::plain;
      const auto sample = live_->float64s.span().first(std::min<std::size_t>(values_, 4096));
      const auto packed_size = [&](const std::uint8_t* from) {
        s_.compressor.run(options_.codec, options_.zstd_level, from, sample.size_bytes(), s_.packed);
        return s_.packed.size();
      };
      if (options_.codec != Codec::none) {
        s_.page.clear();
        put_split(sample, s_.page);
        const std::size_t split = packed_size(s_.page.data());
        const std::size_t plain = packed_size(reinterpret_cast<const std::uint8_t*>(sample.data()));
        if (split < plain - plain / 10) live_->float_encoding = Encoding::byte_stream_split;
      }
    }
    encoding_ = *live_->float_encoding;
  }

  // Values that begin as their predecessors do, such as metadata.uid, are stored as what differs. The first thousand tell.
  void choose_text() {
    text_ = true;
    if (live_->int32s.constant()) {
      s_.lengths.clear();
      std::fill_n(s_.lengths.extend(values_), values_, live_->int32s.value());
      lengths_ = s_.lengths.span();
    } else {
      lengths_ = live_->int32s.values().span();
    }
    if (!live_->text_encoding) {
      live_->text_encoding = Encoding::delta_length_byte_array;
      if (leaf_.kind != LeafKind::json && values_ >= 2) {
        const std::size_t sample = std::min<std::size_t>(values_, 1000);
        std::size_t at = 0, shared = 0;
        std::string_view before;
        for (std::size_t i = 0; i < sample; ++i) {
          const std::string_view value = all_text().substr(at, static_cast<std::size_t>(lengths_[i]));
          shared += common_prefix(before, value);
          at += value.size();
          before = value;
        }
        if (shared * 3 > at && shared > 4 * sample) live_->text_encoding = Encoding::delta_byte_array;
      }
    }
    encoding_ = *live_->text_encoding;
    if (bloom_) live_->bloom.add(lengths_, all_text(), options_.bloom_bytes);
  }

  std::string_view all_text() const { return {reinterpret_cast<const char*>(live_->text.data()), live_->text.size()}; }

  // What becomes a page.
  struct Part {
    std::size_t slot, slot_end, value, value_end, byte, byte_end;
  };
  bool is_whole(const Part& part) const { return part.slot_end - part.slot == slots_; }

  template <class T>
  static std::span<const T> span_of(std::span<const T> values, const Part& part) {
    return values.subspan(part.value, part.value_end - part.value);
  }

  // ---- Bounds ----

  // Valid until the next ones.
  template <class T>
  Bounds plain_bounds(T smallest, T largest) {
    static_assert(sizeof(T) <= sizeof(std::int64_t));
    std::memcpy(plain_[0], &smallest, sizeof smallest);
    std::memcpy(plain_[1], &largest, sizeof largest);
    return {{plain_[0], sizeof smallest}, {plain_[1], sizeof largest}};
  }

  std::optional<Bounds> float_bounds(std::span<const double> values) {
    std::optional<std::pair<double, double>> out;
    for (const double value : values) {
      // NaN has no place in the order.
      if (std::isnan(value)) continue;
      out = out ? std::pair(std::min(out->first, value), std::max(out->second, value)) : std::pair(value, value);
    }
    if (!out) return std::nullopt;
    // A zero's sign must not hide the other zero.
    return plain_bounds(out->first == 0 ? -0.0 : out->first, out->second == 0 ? 0.0 : out->second);
  }

  Bounds coded_bounds(const Part& part) {
    const TextDictionary& texts = live_->texts;
    const std::string_view plain{reinterpret_cast<const char*>(texts.plain().data()), texts.plain().size()};
    if (live_->ids.constant()) return {texts.at(live_->ids.value()), texts.at(live_->ids.value())};
    // The first values brought all that is in the dictionary.
    if (live_->coded_pages == 0 && is_whole(part)) return bounds_of_plain(plain);
    Bytes& wanted = s_.wanted;
    wanted.clear();
    const std::size_t n = (texts.size() + 7) / 8 * 8;
    std::uint8_t* const is_wanted = wanted.extend(n);
    std::memset(is_wanted, 0, n);
    for (const std::uint32_t id : span_of(live_->ids.values().span(), part)) is_wanted[id] = 1;
    return bounds_of_plain(plain, texts.starts(), wanted.span());
  }

  // Of the values of a page, which has some and is in s_.page. The order of JSON means nothing to anybody.
  std::optional<Bounds> page_bounds(const Part& part) {
    const auto numbers = [&](const auto& values) {
      if (whole_ && is_whole(part)) return *whole_;
      if (values.constant()) return plain_bounds(values.value(), values.value());
      const auto [smallest, largest] = min_max(span_of(values.values().span(), part));
      return plain_bounds(smallest, largest);
    };
    switch (leaf_.kind) {
      case LeafKind::int32: return numbers(live_->int32s);
      case LeafKind::int64:
      case LeafKind::timestamp: return numbers(live_->int64s);
      case LeafKind::boolean: return numbers(live_->booleans);
      case LeafKind::float64: return float_bounds(span_of(live_->float64s.span(), part));
      case LeafKind::json: return std::nullopt;
      case LeafKind::coded:
        if (encoding_ == Encoding::rle_dictionary) return coded_bounds(part);
        break;
      case LeafKind::text: break;
    }
    const std::string_view text = all_text().substr(part.byte, part.byte_end - part.byte);
    // Of values that are stored by what differs, bounds come with that.
    if (encoding_ == Encoding::delta_byte_array) return bounds_of(span_of(lengths_, part), text, s_.prefixes.span());
    return bounds_of(span_of(lengths_, part), text);
  }

  void add_bounds(const Bounds& bounds) {
    const std::string_view smallest = bounds.smallest.substr(0, kLongestBound + 1), largest = bounds.largest.substr(0, kLongestBound + 1);
    if (!live_->bounded || compare(leaf_.kind, smallest, live_->smallest) < 0) live_->smallest = smallest;
    if (!live_->bounded || compare(leaf_.kind, largest, live_->largest) > 0) live_->largest = largest;
    live_->bounded = true;
  }

  // A cut bound would have to be marked as such, which older readers do not know: long ones are left out.
  void put_bounds() {
    if (!live_->bounded || live_->smallest.size() > kLongestBound || live_->largest.size() > kLongestBound) return;
    made().info.has_bounds = true;
    made().info.smallest = live_->smallest;
    made().info.largest = live_->largest;
  }

  void put_bloom(Chunk& out) {
    ChunkInfo& info = made().info;
    // Of one value the bounds say as much.
    if (info.has_bounds && info.smallest == info.largest) return;
    const Bytes& plain = live_->texts.plain();
    if (live_->coded_pages != 0) live_->bloom.add_plain({reinterpret_cast<const char*>(plain.data()), plain.size()}, options_.bloom_bytes);
    const BloomBits bits = live_->bloom.finish();
    if (bits.empty()) return;
    s_.headers.put_bloom(bits.bytes().size(), out.bloom);
    out.bloom.append(bits.bytes().data(), bits.bytes().size());
    info.bloom_bytes = static_cast<std::int32_t>(out.bloom.size());
  }

  // ---- Bytes ----

  // Compresses what `from` holds into s_.packed; false if there is too little to gain.
  bool pack(const std::uint8_t* from, std::size_t n, bool always) {
    if (options_.codec == Codec::none) return false;
    if (!always && !worth_.try_page()) return false;
    s_.compressor.run(options_.codec, options_.zstd_level, from, n, s_.packed);
    if (always) return true;
    const bool gained = s_.packed.size() + n / 20 < n;
    worth_.tell(gained);
    return gained;
  }

  static std::int32_t page_size(std::size_t bytes) {
    if (bytes > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) throw TooLarge("a page of more than 2 GiB");
    return static_cast<std::int32_t>(bytes);
  }
  static std::uint32_t crc(std::uint32_t seed, const std::uint8_t* data, std::size_t n) {
    return n ? crc32_gzip_refl(seed, data, n) : seed;
  }

  void put_dictionary(Bytes& out) {
    const Bytes* plain = &s_.page;
    std::size_t values = 0;
    s_.page.clear();
    if (leaf_.kind == LeafKind::coded) {
      plain = &live_->texts.plain();
      values = live_->texts.size();
    } else {
      values = live_->numbers.size();
      for (const std::int64_t value : live_->numbers.values().span()) {
        const std::size_t n = leaf_.kind == LeafKind::int32 ? 4 : 8;
        std::memcpy(s_.page.extend(n), &value, n);
      }
    }
    // A dictionary page has no mark that it is stored as it is: with a codec it is always compressed.
    const Bytes& stored = pack(plain->data(), plain->size(), true) ? s_.packed : *plain;
    DictionaryPage page;
    page.values = page_size(values);
    page.plain_bytes = page_size(plain->size());
    page.stored_bytes = page_size(stored.size());
    page.crc = crc(0, stored.data(), stored.size());
    s_.headers.put(page, out);
    made().info.plain_bytes += static_cast<std::int64_t>(out.size() + plain->size());
    out.append(stored.data(), stored.size());
  }

  bool row_begins(std::size_t slot) const { return c_.repetition_.constant() || c_.repetition_.values()[slot] == 0; }
  bool has_value(std::size_t slot) const {
    return (c_.definition_.constant() ? c_.definition_.value() : c_.definition_.values()[slot]) == leaf_.max_definition;
  }

  // One page mostly; more where a batch brought much.
  void put_pages() {
    std::size_t total = 0;  // bytes of values, about
    switch (encoding_) {
      case Encoding::rle_dictionary: total = values_ * width_ / 8; break;
      case Encoding::rle: total = values_ / 8; break;
      case Encoding::plain:
      case Encoding::byte_stream_split: total = values_ * 8; break;
      case Encoding::delta_binary_packed: total = values_ * (leaf_.kind == LeafKind::int32 ? 4 : 8); break;
      case Encoding::delta_length_byte_array:
      case Encoding::delta_byte_array: total = live_->text.size() / kTextPages + 4 * values_; break;
    }
    const std::size_t pages = total <= options_.page_bytes * 2 ? 1 : (total + options_.page_bytes - 1) / options_.page_bytes;
    const std::size_t slots_each = std::min(kMaxSlots, (slots_ + pages - 1) / pages);
    std::size_t slot = 0, value = 0, byte = 0;
    while (slot < slots_) {
      Part part{slot, slot, value, value, byte, byte};
      if (slots_each >= slots_) {
        part.slot_end = slots_, part.value_end = values_, part.byte_end = text_ ? live_->text.size() : 0;
      } else if (text_) {
        cut_text(part);
      } else {
        part.slot_end = std::min(slots_, slot + slots_each);
        while (part.slot_end < slots_ && !row_begins(part.slot_end)) ++part.slot_end;
        for (std::size_t i = slot; i < part.slot_end; ++i) part.value_end += has_value(i);
      }
      put_page(part);
      slot = part.slot_end, value = part.value_end, byte = part.byte_end;
    }
  }

  void cut_text(Part& part) const {
    while (part.slot_end < slots_) {
      const std::size_t bytes = (part.byte_end - part.byte) / kTextPages + 4 * (part.value_end - part.value);
      if ((bytes >= options_.page_bytes || part.slot_end - part.slot >= kMaxSlots) && row_begins(part.slot_end)) break;
      if (has_value(part.slot_end)) part.byte_end += static_cast<std::size_t>(lengths_[part.value_end++]);
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
  void put_numbers(const Runs<T>& values, const Part& part) {
    if (values.constant()) {
      put_delta_run(values.value(), part.value_end - part.value, s_.page);
    } else {
      put_delta(span_of(values.values().span(), part), s_.page);
    }
  }

  void put_values(const Part& part) {
    const std::size_t n = part.value_end - part.value;
    const auto text = [&] { return all_text().substr(part.byte, part.byte_end - part.byte); };
    switch (encoding_) {
      case Encoding::rle_dictionary: {
        const auto put = [&](const auto& ids) {
          if (ids.constant()) return put_run(ids.value(), n, width_, s_.page);
          put_hybrid(span_of(ids.values().span(), part), width_, s_.page);
        };
        s_.page.push(static_cast<std::uint8_t>(width_));
        if (leaf_.kind == LeafKind::coded) {
          put(live_->ids);
        } else {
          put(s_.ids);
        }
        break;
      }
      case Encoding::delta_binary_packed:
        if (leaf_.kind == LeafKind::int32) {
          put_numbers(live_->int32s, part);
        } else {
          put_numbers(live_->int64s, part);
        }
        break;
      case Encoding::delta_length_byte_array:
        if (live_->int32s.constant()) {
          put_delta_run(live_->int32s.value(), n, s_.page);
          s_.page.append(live_->text.data() + part.byte, part.byte_end - part.byte);
        } else {
          put_delta_length(span_of(lengths_, part), text(), s_.page);
        }
        break;
      case Encoding::delta_byte_array: put_delta_text(span_of(lengths_, part), text(), s_.prefixes, s_.suffixes, s_.page); break;
      case Encoding::rle: {
        const std::size_t at = s_.page.size();
        s_.page.extend(4);  // booleans, unlike levels, have their length in front
        if (live_->booleans.constant()) {
          put_run(live_->booleans.value(), n, 1, s_.page);
        } else {
          put_hybrid(span_of(live_->booleans.values().span(), part), 1, s_.page);
        }
        const auto length = static_cast<std::uint32_t>(s_.page.size() - at - 4);
        std::memcpy(s_.page.data() + at, &length, 4);
        break;
      }
      case Encoding::byte_stream_split: put_split(span_of(live_->float64s.span(), part), s_.page); break;
      case Encoding::plain: {
        const auto values = span_of(live_->float64s.span(), part);
        s_.page.append(reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes());
        break;
      }
    }
  }

  void put_page(const Part& part) {
    const std::size_t slots = part.slot_end - part.slot, values = part.value_end - part.value;
    s_.page.clear();
    DataPage page;
    if (leaf_.max_repetition != 0) put_levels_of(c_.repetition_, leaf_.max_repetition, part);
    page.repetition_bytes = page_size(s_.page.size());
    put_levels_of(c_.definition_, leaf_.max_definition, part);
    const std::size_t levels = s_.page.size();
    page.definition_bytes = page_size(levels) - page.repetition_bytes;
    page.slots = page_size(slots);
    page.nulls = page.slots - page_size(values);
    page.rows = page.slots;
    if (!c_.repetition_.constant()) {
      const auto repetition = c_.repetition_.values().span().subspan(part.slot, slots);
      page.rows = static_cast<std::int32_t>(std::count(repetition.begin(), repetition.end(), std::uint8_t{0}));
    }
    if (values_ == 0 && made().pages.size() == made().leading.size()) {
      made().leading.push_back(page);
      made().pages.push_back(s_.page);
      made().page_bytes += levels + sizeof(Bytes);
      return;
    }
    put_leading(encoding_ == Encoding::rle_dictionary ? encoding_ : Encoding::plain);
    if (values_ != 0 || encoding_ == Encoding::rle_dictionary) put_values(part);
    page.encoding = encoding_;
    const auto bounds = values != 0 ? page_bounds(part) : std::nullopt;
    if (bounds) add_bounds(*bounds);
    const auto body = s_.page.span().subspan(levels);
    constexpr std::size_t kWorthwhile = 64;  // bytes; less than this only costs the reader time
    page.compressed = body.size() >= kWorthwhile && pack(body.data(), body.size(), false);
    page.plain_bytes = page_size(s_.page.size());
    store(page, s_.page.span().first(levels), page.compressed ? s_.packed.span() : body, bounds, made().pages.emplace_back());
  }

  void put_leading(Encoding encoding) {
    const auto width = static_cast<std::uint8_t>(width_);
    const std::span<const std::uint8_t> body(&width, encoding == Encoding::rle_dictionary ? 1 : 0);
    for (std::size_t i = 0; i < made().leading.size(); ++i) {
      DataPage& page = made().leading[i];
      const Bytes levels = std::move(made().pages[i]);
      made().page_bytes -= levels.size() + sizeof(Bytes);
      page.encoding = encoding;
      page.plain_bytes = page_size(levels.size() + body.size());
      store(page, levels.span(), body, std::nullopt, made().pages[i]);
    }
    made().leading.clear();
  }

  // Levels and values behind their header.
  void store(DataPage& page, std::span<const std::uint8_t> levels, std::span<const std::uint8_t> body, const std::optional<Bounds>& bounds,
             Bytes& out) {
    page.stored_bytes = page_size(levels.size() + body.size());
    page.crc = crc(crc(0, levels.data(), levels.size()), body.data(), body.size());
    Bytes header;
    s_.headers.put(page, header);
    out.reserve(header.size() + levels.size() + body.size());
    out.append(header.data(), header.size());
    out.append(levels.data(), levels.size());
    out.append(body.data(), body.size());
    made().page_bytes += out.capacity() + sizeof(Bytes);
    ChunkInfo& info = made().info;
    info.plain_bytes += static_cast<std::int64_t>(header.size()) + page.plain_bytes;
    info.stored_bytes += static_cast<std::int64_t>(out.size());
    info.index.add(leaf_.kind, page_size(out.size()), page.slots, page.nulls, page.rows, bounds);
    const auto of = std::find_if(info.pages.begin(), info.pages.end(), [&](const auto& p) { return p.encoding == page.encoding; });
    ++(of != info.pages.end() ? *of : info.pages.emplace_back(ChunkInfo::Pages{page.encoding, 0})).count;
  }

  const Leaf& leaf_;
  const EncodeOptions& options_;
  Worth& worth_;
  const bool bloom_;
  Column& c_;
  Column::Live* live_;
  Scratch& s_;
  Encoding encoding_ = Encoding::plain;
  bool text_ = false;  // the values are live_->text and
  std::span<const std::int32_t> lengths_;
  unsigned width_ = 1;
  char plain_[2][sizeof(std::int64_t)] = {};
  std::optional<Bounds> whole_;  // of the numbers that wait
  std::size_t slots_ = 0, values_ = 0;
};

void Column::settle(const ColumnUse& use, Scratch& scratch) {
  PageMaker maker(use, *this, scratch);
  if (maker.is_due()) maker.make();
}

void Column::squeeze(const ColumnUse& use, Scratch& scratch) {
  // A run costs nothing, and a page of it would.
  if (waiting() == 0) return;
  PageMaker(use, *this, scratch).make();
  definition_.release(), repetition_.release();
  if (live_) live_->release();
}

void Column::finish(const ColumnUse& use, Scratch& scratch, ChunkInfo& info, Chunk& out) {
  PageMaker(use, *this, scratch).finish(info, out);
  *this = Column();
}

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

}  // namespace lm::sink::parquet
