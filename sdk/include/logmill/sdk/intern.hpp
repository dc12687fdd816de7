// logmill/sdk/intern.hpp -- text that repeats becomes a code while it is parsed. Used by the column builders; not meant for plugin code.
//
// A code is the value's place in an append-only table that lives as long as the parser instance. An Arrow dictionary array borrows the table's
// storage: entries behind the exported length may be added meanwhile, and growing copies, so what was exported never changes.
#pragma once

#include <logmill/sdk/arrays.hpp>
#include <logmill/sdk/text.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace lm::detail {

// A seed a process, so that nobody can prepare input whose values all collide.
inline std::uint64_t hash_seed() {
  static const std::uint64_t seed = (std::uint64_t{std::random_device{}()} << 32) ^ std::random_device{}();
  return seed;
}

__extension__ typedef unsigned __int128 Wide;  // 64 x 64 bits; no other spelling passes -Wpedantic

inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t hash_text(std::string_view text, std::uint64_t seed) {
  constexpr std::uint64_t k0 = 0x9e3779b97f4a7c15u, k1 = 0xd6e8feb86659fd93u;
  const char* p = text.data();
  std::size_t n = text.size();
  std::uint64_t h = seed ^ (n * k1);
  if (n >= 96) {  // three chains, each of which waits for itself alone
    std::uint64_t g = h ^ k0, f = h ^ k1;
    for (; n >= 48; p += 48, n -= 48) {
      h = mix(load64(p) ^ h ^ k0, load64(p + 8) ^ k1);
      g = mix(load64(p + 16) ^ g ^ k0, load64(p + 24) ^ k1);
      f = mix(load64(p + 32) ^ f ^ k0, load64(p + 40) ^ k1);
    }
    h = mix(h ^ g ^ k0, f ^ k1);
  }
  for (; n >= 16; p += 16, n -= 16) h = mix(load64(p) ^ h ^ k0, load64(p + 8) ^ k1);
  std::uint64_t a = 0, b = 0;
  if (n >= 8) {
    a = load64(p), b = load64(p + n - 8);
  } else if (n > 0) {
    std::memcpy(&a, p, n);
  }
  return mix(a ^ h ^ k0, b ^ h ^ k1);
}

class Interner {
 public:
  // utf8 with int32 offsets, as Arrow's "u" wants it. Shared with exported dictionaries.
  struct Storage {
    explicit Storage(std::size_t entries_capacity, std::size_t bytes_capacity)
        : offsets(new std::int32_t[entries_capacity + 1]),
          bytes(new char[bytes_capacity]),
          entries(entries_capacity),
          capacity(bytes_capacity) {
      offsets[0] = 0;
    }
    std::string_view at(std::int32_t code) const {
      const std::int32_t* const offset = offsets.get() + code;
      return {bytes.get() + offset[0], static_cast<std::size_t>(offset[1] - offset[0])};
    }
    std::unique_ptr<std::int32_t[]> offsets;
    std::unique_ptr<char[]> bytes;
    std::size_t entries, capacity;
  };

  // Small, for a table has hundreds of columns of which most stay empty.
  Interner() : storage_(std::make_shared<Storage>(8, 128)), slots_(16), seed_(hash_seed()) {}

  static constexpr std::int32_t kRefused = -1;

  // A text that is not known yet is added if `may` accepts it; else the answer is kRefused, and it will be asked again.
  // Up to 24 bytes stand in the slot itself, which is half a cache line: a look-up touches one.
  template <class May>
  [[gnu::always_inline]] std::int32_t intern(std::string_view text, May&& may) {
    if (text.size() > kShort) return intern_long(text, may);
    const Words words = short_words(text);
    if (words == last_words_ && text.size() == last_size_) return last_;
    return intern_short(text, words, may);
  }
  [[gnu::always_inline]] std::int32_t intern(std::string_view text) { return intern(text, kAny); }

  // Says that `text` will be looked up soon: its slot is fetched meanwhile.
  [[gnu::always_inline]] void expect(std::string_view text) const {
    if (text.size() <= kShort) __builtin_prefetch(&slots_[hash_of(short_words(text), text.size()) & (slots_.size() - 1)]);
  }

  std::string_view at(std::int32_t code) const { return storage_->at(code); }

  std::size_t size() const { return size_; }
  // What it takes for its values, about: their text, and two slots for each.
  std::size_t bytes() const { return used_ + size_ * 2 * sizeof(Slot); }
  const std::shared_ptr<Storage>& storage() const { return storage_; }

  // The values so far as an array of `arena`, which shares the storage.
  ArrowArray& export_dictionary(ArrayArena& arena) const {
    ArrowArray& a = arena.add(static_cast<std::int64_t>(size_), 3);
    a.buffers[1] = storage_->offsets.get();
    a.buffers[2] = storage_->bytes.get();
    arena.keep(storage_);
    return a;
  }

  // Forgets every value: codes from before mean nothing afterwards. Exported dictionaries keep theirs. What comes will be as much as what went.
  void clear() {
    storage_ = std::make_shared<Storage>(size_ + size_ / 8 + 8, used_ + used_ / 8 + 128);
    std::fill(slots_.begin(), slots_.end(), Slot{});
    size_ = used_ = 0, last_ = 0, last_size_ = static_cast<std::size_t>(-1);
  }

 private:
  static constexpr std::size_t kShort = sizeof(Words);
  static constexpr std::uint32_t kLong = kShort + 1;

  struct alignas(32) Slot {
    Words words;  // a short text itself, zero-padded; of a long one its hash
    std::uint32_t size = 0;
    std::int32_t code = -1;
  };

  std::uint64_t hash_of(const Words& words, std::size_t size) const {
    return mix(words.low ^ seed_ ^ size, words.middle ^ words.high * 0xd6e8feb86659fd93u ^ 0x9e3779b97f4a7c15u);
  }

  static constexpr auto kAny = [](std::string_view) { return true; };

  template <class May>
  [[gnu::noinline]] std::int32_t intern_short(std::string_view text, const Words& words, May&& may) {
    std::size_t slot = hash_of(words, text.size()) & (slots_.size() - 1);
    for (; slots_[slot].code >= 0; slot = (slot + 1) & (slots_.size() - 1)) {
      const Slot& s = slots_[slot];
      if (s.words == words && s.size == text.size()) return remember(s.code, words, text.size());
    }
    if (!may(text)) return kRefused;
    return remember(add(text, {words, static_cast<std::uint32_t>(text.size()), 0}, slot), words, text.size());
  }

  template <class May>
  [[gnu::noinline]] std::int32_t intern_long(std::string_view text, May&& may) {
    if (last_size_ == kLong && same_text(at(last_), text)) return last_;
    const std::uint64_t hash = hash_text(text, seed_);
    const Words words{hash, 0, 0};
    std::size_t slot = hash & (slots_.size() - 1);
    for (; slots_[slot].code >= 0; slot = (slot + 1) & (slots_.size() - 1)) {
      const Slot& s = slots_[slot];
      if (s.words == words && s.size == kLong && same_text(at(s.code), text)) return remember(s.code, words, kLong);
    }
    if (!may(text)) return kRefused;
    return remember(add(text, {words, kLong, 0}, slot), words, kLong);
  }

  std::int32_t remember(std::int32_t code, const Words& words, std::size_t size) {
    last_words_ = words, last_size_ = size;
    return last_ = code;
  }

  std::int32_t add(std::string_view text, const Slot& made, std::size_t slot) {
    if (used_ + text.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
      throw std::length_error("a dictionary outgrew 2 GiB");
    if (size_ == storage_->entries || used_ + text.size() > storage_->capacity) grow(text.size());
    if (!text.empty()) std::memcpy(storage_->bytes.get() + used_, text.data(), text.size());
    used_ += text.size();
    Slot entry = made;
    entry.code = static_cast<std::int32_t>(size_++);
    storage_->offsets[size_] = static_cast<std::int32_t>(used_);
    slots_[slot] = entry;
    if (size_ * 2 > slots_.size()) rehash();
    return entry.code;
  }

  void grow(std::size_t more) {
    const std::size_t entries = size_ == storage_->entries ? storage_->entries * 2 : storage_->entries;
    const std::size_t capacity = used_ + more > storage_->capacity ? (used_ + more) * 2 : storage_->capacity;
    auto fresh = std::make_shared<Storage>(entries, capacity);
    std::memcpy(fresh->offsets.get(), storage_->offsets.get(), (size_ + 1) * sizeof(std::int32_t));
    std::memcpy(fresh->bytes.get(), storage_->bytes.get(), used_);
    storage_ = std::move(fresh);
  }

  void rehash() {
    std::vector<Slot> fresh(slots_.size() * 2);
    for (const Slot& s : slots_) {
      if (s.code < 0) continue;
      const std::uint64_t hash = s.size == kLong ? s.words.low : hash_of(s.words, s.size);
      std::size_t slot = hash & (fresh.size() - 1);
      while (fresh[slot].code >= 0) slot = (slot + 1) & (fresh.size() - 1);
      fresh[slot] = s;
    }
    slots_ = std::move(fresh);
  }

  std::shared_ptr<Storage> storage_;
  std::vector<Slot> slots_;
  std::uint64_t seed_;
  std::size_t size_ = 0, used_ = 0;
  std::int32_t last_ = 0;  // the value that was looked up last, for runs of it
  Words last_words_;
  std::size_t last_size_ = static_cast<std::size_t>(-1);
};

}  // namespace lm::detail
