#include "parquet/gather.hpp"

#include <logmill/sdk/arrays.hpp>
#include <logmill/sdk/intern.hpp>

#include <zstd.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <stdexcept>
#include <utility>

namespace lm::sink::parquet {
namespace {

using lm::detail::allocate;
using lm::detail::allocate_zeroed;
using lm::detail::ArrayArena;
using lm::detail::bitmap_bytes;
using lm::detail::Interner;
using lm::detail::Memory;
using lm::detail::slots;
using lm::detail::Zeroes;

// A slot of one of the arrays that are put together; -1: null.
struct Slot {
  std::uint32_t source = 0;
  std::int64_t at = -1;
};
using Slots = std::vector<Slot>;
using Views = std::vector<ArrowView>;

ArrowArray& nulls(ArrayArena& arena, Zeroes& zeroes, const Field& field, std::size_t n) {
  ArrowArray& a = arena.add(static_cast<std::int64_t>(n), field.type == Type::structure ? 1 : field.type == Type::text ? 3 : 2);
  const void* zero = zeroes.get(arena, (n + 1) * 8);
  a.null_count = static_cast<std::int64_t>(n);
  for (std::int64_t b = 0; b < a.n_buffers; ++b) a.buffers[b] = zero;
  if (field.type == Type::coded) {
    ArrowArray& dictionary = arena.add(0, 3);
    dictionary.buffers[1] = dictionary.buffers[2] = zero;
    a.dictionary = &dictionary;
  }
  std::vector<ArrowArray*> children;
  for (const Field& child : field.children) children.push_back(&nulls(arena, zeroes, child, field.type == Type::list ? 0 : n));
  if (!children.empty()) arena.set_children(a, std::move(children));
  return a;
}

class RowGatherer {
 public:
  RowGatherer(ArrayArena& arena, Zeroes& zeroes) : arena_(arena), zeroes_(zeroes) {}

  ArrowArray& array(const Field& field, const Views& views, const Slots& from) {
    const auto n = from.size();
    const bool nothing = std::all_of(views.begin(), views.end(), [](const ArrowView& v) { return v.length() == 0 || v.all_null(); });
    if (nothing) return nulls(arena_, zeroes_, field, n);
    ArrowArray& a = arena_.add(static_cast<std::int64_t>(n), field.type == Type::structure ? 1 : field.type == Type::text ? 3 : 2);
    // Most columns have no nulls but those of what they lie in.
    Slots fewer;
    if (std::any_of(views.begin(), views.end(), [](const ArrowView& v) { return v.validity() != nullptr; })) {
      fewer = from;
      for (Slot& slot : fewer) {
        if (slot.at >= 0 && !views[slot.source].valid(slot.at)) slot.at = -1;
      }
    }
    const Slots& there = fewer.empty() ? from : fewer;
    put_validity(a, there);
    switch (field.type) {
      case Type::structure: {
        std::vector<ArrowArray*> children;
        for (std::size_t c = 0; c < field.children.size(); ++c) {
          Views below;
          below.reserve(views.size());
          for (const ArrowView& v : views) below.push_back(v.child(c));
          children.push_back(&array(field.children[c], below, there));
        }
        arena_.set_children(a, std::move(children));
        break;
      }
      case Type::list: list(field, views, there, a); break;
      case Type::text: text(views, there, a); break;
      case Type::coded: coded(views, there, a); break;
      case Type::int32: values<std::int32_t>(a, there, [&](const Slot& s) { return views[s.source].int32(s.at); }); break;
      case Type::int64: values<std::int64_t>(a, there, [&](const Slot& s) { return views[s.source].int64(s.at); }); break;
      case Type::float64: values<double>(a, there, [&](const Slot& s) { return views[s.source].float64(s.at); }); break;
      case Type::boolean: {
        Memory bits = allocate_zeroed(bitmap_bytes(n));
        for (std::size_t i = 0; i < n; ++i) {
          if (there[i].at >= 0 && views[there[i].source].boolean(there[i].at)) set(bits, i);
        }
        a.buffers[1] = arena_.keep(std::move(bits), bitmap_bytes(n));
        break;
      }
    }
    return a;
  }

 private:
  static constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());

  static void set(Memory& bits, std::size_t i) {
    auto& byte = slots<std::uint8_t>(bits)[i >> 3];
    byte = static_cast<std::uint8_t>(byte | (1u << (i & 7)));
  }

  void put_validity(ArrowArray& a, const Slots& there) {
    const auto nulls = std::count_if(there.begin(), there.end(), [](const Slot& s) { return s.at < 0; });
    a.null_count = nulls;
    if (nulls == 0) return;
    Memory valid = allocate_zeroed(bitmap_bytes(there.size()));
    for (std::size_t i = 0; i < there.size(); ++i) {
      if (there[i].at >= 0) set(valid, i);
    }
    a.buffers[0] = arena_.keep(std::move(valid), bitmap_bytes(there.size()));
  }

  template <class T, class Get>
  void values(ArrowArray& a, const Slots& there, Get&& get) {
    Memory out = allocate_zeroed(there.size() * sizeof(T));
    for (std::size_t i = 0; i < there.size(); ++i) {
      if (there[i].at >= 0) slots<T>(out)[i] = get(there[i]);
    }
    a.buffers[1] = arena_.keep(std::move(out), there.size() * sizeof(T));
  }

  void list(const Field& field, const Views& views, const Slots& there, ArrowArray& a) {
    Views items;
    items.reserve(views.size());
    for (const ArrowView& v : views) items.push_back(v.items());
    Memory offsets = allocate_zeroed((there.size() + 1) * 4);
    Slots elements;
    for (std::size_t i = 0; i < there.size(); ++i) {
      if (there[i].at >= 0) {
        const ArrowView::Range r = views[there[i].source].range(there[i].at);
        for (std::int64_t e = r.begin; e < r.end; ++e) elements.push_back({there[i].source, e});
      }
      if (elements.size() > kMost) throw std::length_error("a list column has more than 2^31 elements");
      slots<std::int32_t>(offsets)[i + 1] = static_cast<std::int32_t>(elements.size());
    }
    a.buffers[1] = arena_.keep(std::move(offsets), (there.size() + 1) * 4);
    arena_.set_children(a, {&array(field.children[0], items, elements)});
  }

  void text(const Views& views, const Slots& there, ArrowArray& a) {
    std::size_t size = 0;
    for (const Slot& s : there) size += s.at < 0 ? 0 : views[s.source].text(s.at).size();
    if (size > kMost) throw std::length_error("a text column has more than 2 GiB");
    Memory offsets = allocate_zeroed((there.size() + 1) * 4), bytes = allocate(size);
    std::size_t at = 0;
    for (std::size_t i = 0; i < there.size(); ++i) {
      if (there[i].at >= 0) {
        const std::string_view value = views[there[i].source].text(there[i].at);
        if (!value.empty()) std::memcpy(bytes.get() + at, value.data(), value.size());
        at += value.size();
      }
      slots<std::int32_t>(offsets)[i + 1] = static_cast<std::int32_t>(at);
    }
    a.buffers[1] = arena_.keep(std::move(offsets), (there.size() + 1) * 4);
    a.buffers[2] = arena_.keep(std::move(bytes), size);
  }

  void coded(const Views& views, const Slots& there, ArrowArray& a) {
    Interner dictionary;
    std::vector<std::vector<std::int32_t>> maps(views.size());
    for (std::size_t v = 0; v < views.size(); ++v) maps[v].resize(static_cast<std::size_t>(views[v].dictionary_length()), -1);
    values<std::int32_t>(a, there, [&](const Slot& s) {
      const std::int64_t code = views[s.source].code(s.at);
      std::int32_t& mine = maps[s.source][static_cast<std::size_t>(code)];
      if (mine < 0) mine = dictionary.intern(views[s.source].dictionary_text(code));
      return mine;
    });
    a.dictionary = &dictionary.export_dictionary(arena_);
    extra_ += dictionary.storage()->entries * sizeof(std::int32_t) + dictionary.storage()->capacity;
  }

  ArrayArena& arena_;
  Zeroes& zeroes_;
  std::uint64_t extra_ = 0;  // of dictionaries

 public:
  std::uint64_t bytes() const { return arena_.bytes() + extra_; }
};

// The host's own instances count from 1.
std::uint64_t next_instance() {
  static std::atomic<std::uint64_t> last{0};
  return std::uint64_t{1} << 63 | ++last;
}

// ---- Packed rows: buffers one behind the other, each at a multiple of 8, and compressed ----

enum class Nulls : std::uint64_t { all, none, some };

class Packer {
 public:
  void array(const Field& field, const ArrowArray& a) {
    const auto n = static_cast<std::size_t>(a.length);
    const Nulls nulls = a.null_count == a.length ? Nulls::all : a.null_count == 0 || !a.buffers[0] ? Nulls::none : Nulls::some;
    put(&nulls, sizeof nulls);
    if (nulls == Nulls::all) return;
    if (nulls == Nulls::some) put(a.buffers[0], (n + 7) / 8);
    switch (field.type) {
      case Type::structure: break;
      case Type::list: put(a.buffers[1], (n + 1) * 4); break;
      case Type::text: put_text(a); break;
      case Type::coded:
        put(a.buffers[1], n * 4);
        put(&a.dictionary->length, 8);
        put_text(*a.dictionary);
        break;
      case Type::int32: put(a.buffers[1], n * 4); break;
      case Type::int64:
      case Type::float64: put(a.buffers[1], n * 8); break;
      case Type::boolean: put(a.buffers[1], (n + 7) / 8); break;
    }
    for (std::size_t c = 0; c < field.children.size(); ++c) array(field.children[c], *a.children[c]);
  }
  std::string out;

 private:
  void put(const void* from, std::size_t n) {
    if (n != 0) out.append(static_cast<const char*>(from), n);
    out.resize((out.size() + 7) / 8 * 8);
  }
  void put_text(const ArrowArray& a) {
    const auto* offsets = static_cast<const std::int32_t*>(a.buffers[1]);
    put(offsets, (static_cast<std::size_t>(a.length) + 1) * 4);
    put(a.buffers[2], static_cast<std::size_t>(offsets[a.length]));
  }
};

class Unpacker {
 public:
  Unpacker(ArrayArena& arena, Zeroes& zeroes, std::string_view in) : arena_(arena), zeroes_(zeroes), in_(in) {}

  ArrowArray& array(const Field& field, std::size_t n) {
    const auto nulls = static_cast<Nulls>(*static_cast<const std::uint64_t*>(take(8)));
    if (nulls == Nulls::all) return parquet::nulls(arena_, zeroes_, field, n);
    ArrowArray& a = arena_.add(static_cast<std::int64_t>(n), field.type == Type::structure ? 1 : field.type == Type::text ? 3 : 2);
    if (nulls == Nulls::some) {
      a.buffers[0] = take((n + 7) / 8);
      a.null_count = -1;
    }
    std::size_t below = n;
    switch (field.type) {
      case Type::structure: break;
      case Type::list:
        a.buffers[1] = take((n + 1) * 4);
        below = static_cast<std::size_t>(static_cast<const std::int32_t*>(a.buffers[1])[n]);
        break;
      case Type::text: take_text(a); break;
      case Type::coded: {
        a.buffers[1] = take(n * 4);
        ArrowArray& dictionary = arena_.add(*static_cast<const std::int64_t*>(take(8)), 3);
        take_text(dictionary);
        a.dictionary = &dictionary;
        break;
      }
      case Type::int32: a.buffers[1] = take(n * 4); break;
      case Type::int64:
      case Type::float64: a.buffers[1] = take(n * 8); break;
      case Type::boolean: a.buffers[1] = take((n + 7) / 8); break;
    }
    std::vector<ArrowArray*> children;
    for (const Field& child : field.children) children.push_back(&array(child, below));
    if (!children.empty()) arena_.set_children(a, std::move(children));
    return a;
  }

 private:
  const void* take(std::size_t n) {
    const std::size_t whole = (n + 7) / 8 * 8;
    if (whole > in_.size()) throw BadArray("packed rows end early");
    const void* out = in_.data();
    in_.remove_prefix(whole);
    return out;
  }
  void take_text(ArrowArray& a) {
    a.buffers[1] = take((static_cast<std::size_t>(a.length) + 1) * 4);
    a.buffers[2] = take(static_cast<std::size_t>(static_cast<const std::int32_t*>(a.buffers[1])[a.length]));
  }
  ArrayArena& arena_;
  Zeroes& zeroes_;
  std::string_view in_;
};

// What the arrays of a batch take besides their buffers, which is most of it where the rows are few.
std::uint64_t arrays_bytes(const Field& field) {
  std::uint64_t arrays = field.type == Type::coded ? 2 : 1;
  std::uint64_t out = arrays * (sizeof(ArrowArray) + 4 * sizeof(void*));
  for (const Field& child : field.children) out += arrays_bytes(child);
  return out;
}

Batch finished(const Field& table, std::unique_ptr<ArrayArena> arena, ArrowArray& root, std::uint64_t bytes) {
  lm_batch out{};
  out.struct_size = sizeof out;
  out.bytes = bytes + arrays_bytes(table);
  out.instance = next_instance();
  ArrayArena::finish(std::move(arena), root, &out.array);
  return Batch(out);
}

}  // namespace

std::string pack(const Field& table, const Batch& rows) {
  Packer packer;
  packer.out.append(reinterpret_cast<const char*>(&rows.array().length), 8);
  packer.array(table, rows.array());
  std::string out(ZSTD_compressBound(packer.out.size()), '\0');
  const std::size_t n = ZSTD_compress(out.data(), out.size(), packer.out.data(), packer.out.size(), 1);
  if (ZSTD_isError(n) != 0) throw std::bad_alloc();  // nothing else can fail
  return out.substr(0, n);                           // a copy of the right size
}

Batch unpack(const Field& table, std::string_view packed, Zeroes& zeroes) {
  const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size < 8) throw BadArray("packed rows are damaged");
  // 64-bit words, so that the buffers lie as their values need it.
  const auto words = std::make_shared<std::vector<std::uint64_t>>((static_cast<std::size_t>(size) + 7) / 8 + 1);
  if (ZSTD_decompress(words->data(), words->size() * 8, packed.data(), packed.size()) != size) throw BadArray("packed rows are damaged");
  const std::string_view bytes(reinterpret_cast<const char*>(words->data()), static_cast<std::size_t>(size));
  auto arena = ArrayArena::make();
  arena->keep(words);
  ArrowArray& root = Unpacker(*arena, zeroes, bytes.substr(8)).array(table, static_cast<std::size_t>((*words)[0]));
  return finished(table, std::move(arena), root, words->size() * 8);
}

Batch gather(const Field& table, std::span<const Batch> batches, std::span<const RowRef> rows, Zeroes& zeroes) {
  Views views;
  for (const Batch& batch : batches) views.emplace_back(table, batch.array());
  Slots from;
  from.reserve(rows.size());
  for (const RowRef& r : rows) from.push_back({r.batch, r.row});
  auto arena = ArrayArena::make();
  RowGatherer gatherer(*arena, zeroes);
  ArrowArray& root = gatherer.array(table, views, from);
  return finished(table, std::move(arena), root, gatherer.bytes());
}

}  // namespace lm::sink::parquet
