// The dictionaries of one column chunk: values by number, in the order in which they are met, as the dictionary page wants them.
#pragma once

#include "parquet/encode.hpp"

#include <logmill/sdk/intern.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace lm::sink::parquet {

// Of text. A few values, which is what most columns have, are compared one by one and cost no table.
class TextDictionary {
 public:
  std::size_t size() const { return starts_.size(); }
  std::size_t held() const { return plain_.capacity() + starts_.capacity() * 4 + slots_.capacity() * sizeof(Slot); }
  // The page: every value behind its length.
  const Bytes& plain() const { return plain_; }
  std::span<const std::uint32_t> starts() const { return starts_.span(); }  // of the values in it
  std::string_view at(std::size_t id) const { return at_start(starts_[id]); }
  std::uint64_t hash_of(std::string_view text) const { return lm::detail::hash_text(text, seed_); }
  std::uint32_t intern(std::string_view text) { return intern(text, hash_of(text)); }
  std::uint32_t intern(std::string_view text, std::uint64_t hash) {
    if (size() <= kFew) {
      for (std::uint32_t id = 0; id < size(); ++id) {
        if (lm::detail::same_text(at(id), text)) return id;
      }
      if (size() < kFew) return add(text);
      rehash(4 * kFew);
    }
    std::size_t slot = hash & (slots_.size() - 1);
    for (; slots_[slot].number != 0; slot = (slot + 1) & (slots_.size() - 1)) {
      const Slot& s = slots_[slot];
      if (s.hash == high(hash) && lm::detail::same_text(at_start(s.start), text)) return s.number - 1;
    }
    const std::uint32_t id = add(text);
    slots_[slot] = {high(hash), id + 1, starts_[id]};
    if (size() * 2 > slots_.size()) rehash(slots_.size() * 2);
    return id;
  }
  // Says that a text will be looked up soon: first its slot is fetched meanwhile, then, from the slot, the value that it may be.
  void expect(std::uint64_t hash) const {
    if (!slots_.empty()) __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]);
  }
  void expect_value(std::uint64_t hash) const {
    if (!slots_.empty()) __builtin_prefetch(plain_.data() + slots_[hash & (slots_.size() - 1)].start);
  }
  void release() { plain_.release(), starts_.release(), slots_.release(); }

 private:
  static constexpr std::size_t kFew = 8;
  struct Slot {
    std::uint32_t hash = 0;    // its upper half
    std::uint32_t number = 0;  // plus one; 0: free
    std::uint32_t start = 0;
  };

  static std::uint32_t high(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
  std::string_view at_start(std::uint32_t start) const {
    std::uint32_t n = 0;
    const std::uint8_t* from = plain_.data() + start;
    std::memcpy(&n, from, 4);
    return {reinterpret_cast<const char*>(from) + 4, n};
  }
  std::uint32_t add(std::string_view text) {
    const auto id = static_cast<std::uint32_t>(size());
    const auto n = static_cast<std::uint32_t>(text.size());
    // Pages are below 2 GiB, and what comes of one batch is, too.
    starts_.push(static_cast<std::uint32_t>(plain_.size()));
    std::uint8_t* to = plain_.extend(4 + text.size());
    std::memcpy(to, &n, 4);
    if (n) std::memcpy(to + 4, text.data(), n);
    return id;
  }
  void rehash(std::size_t slots) {
    slots_.clear();
    std::fill_n(slots_.extend(slots), slots, Slot{});
    for (std::uint32_t id = 0; id < size(); ++id) {
      const std::uint64_t hash = hash_of(at(id));
      std::size_t slot = hash & (slots - 1);
      while (slots_[slot].number != 0) slot = (slot + 1) & (slots - 1);
      slots_[slot] = {high(hash), id + 1, starts_[id]};
    }
  }

  Bytes plain_;
  Pod<std::uint32_t> starts_;
  Pod<Slot> slots_;
  std::uint64_t seed_ = lm::detail::hash_seed();
};

// Of numbers of which there are few, and which lie close together.
class NumberDictionary {
 public:
  static constexpr std::size_t kMost = 255, kSpan = 1024;

  std::size_t size() const { return values_.size(); }
  std::size_t held() const { return values_.capacity() * 8; }
  const Pod<std::int64_t>& values() const { return values_; }

  // The numbers of `n` values, all of them between the two bounds, or false if there are too many, or too many at the beginning for the whole to be few.
  template <class T>
  bool number(const T* from, std::size_t n, T smallest, T largest, std::uint8_t* to) {
    if (static_cast<std::uint64_t>(largest) - static_cast<std::uint64_t>(smallest) >= kSpan) return false;
    std::uint16_t places[kSpan] = {};  // a number plus one; 0: not met
    for (std::size_t id = 0; id < size(); ++id) {
      if (values_[id] >= smallest && values_[id] <= largest)
        places[static_cast<std::uint64_t>(values_[id]) - static_cast<std::uint64_t>(smallest)] = static_cast<std::uint16_t>(id + 1);
    }
    constexpr std::size_t kSample = 256;
    const std::size_t before = size();
    for (std::size_t i = 0; i < n; ++i) {
      std::uint16_t& place = places[static_cast<std::uint64_t>(from[i]) - static_cast<std::uint64_t>(smallest)];
      if (place == 0) {
        if (size() == kMost || (i < kSample && size() - before > kSample / 2)) return false;
        values_.push(from[i]);
        place = static_cast<std::uint16_t>(size());
      }
      to[i] = static_cast<std::uint8_t>(place - 1);
    }
    return true;
  }

 private:
  Pod<std::int64_t> values_;
};

// From the codes of one owner's dictionary to numbers in the chunk's; -1 where a code was not met yet. Codes of a small dictionary, or of one that is used for
// the most part, are places; those of a large one of which the partition has little go through a table.
class CodeMap {
 public:
  CodeMap(std::uint64_t instance, std::uint64_t epoch) : instance_(instance), epoch_(epoch) {}
  std::uint64_t instance() const { return instance_; }
  std::size_t held() const { return dense_.capacity() * 4 + sparse_.capacity() * sizeof(Entry); }

  // There are `codes` codes now; those of another epoch mean nothing any more.
  void begin(std::uint64_t epoch, std::size_t codes) {
    if (epoch != epoch_) epoch_ = epoch, seen_ = 0, is_dense_ = false, dense_.clear(), sparse_.clear();
    if (!is_dense_ && (codes <= kSmall || seen_ * 8 >= codes)) become_dense();
    if (is_dense_ && dense_.size() < codes) {
      const std::size_t more = codes - dense_.size();
      std::fill_n(dense_.extend(more), more, -1);
    }
  }
  // Null if the codes are not places.
  const std::int32_t* places() const { return is_dense_ ? dense_.data() : nullptr; }
  std::int32_t find(std::int32_t code) const {
    if (is_dense_) return dense_[static_cast<std::size_t>(code)];
    if (sparse_.empty()) return -1;
    std::size_t slot = place(code);
    for (; sparse_[slot].id >= 0; slot = (slot + 1) & (sparse_.size() - 1)) {
      if (sparse_[slot].code == code) return sparse_[slot].id;
    }
    return -1;
  }
  void add(std::int32_t code, std::int32_t id) {
    ++seen_;
    if (is_dense_) {
      dense_[static_cast<std::size_t>(code)] = id;
      return;
    }
    if (seen_ * 2 > sparse_.size()) grow();
    put({code, id});
  }

 private:
  struct Entry {
    std::int32_t code, id;
  };
  static constexpr std::size_t kSmall = 64;

  std::size_t place(std::int32_t code) const { return (static_cast<std::uint32_t>(code) * 0x9e3779b1u >> 7) & (sparse_.size() - 1); }
  void put(Entry entry) {
    std::size_t slot = place(entry.code);
    while (sparse_[slot].id >= 0) slot = (slot + 1) & (sparse_.size() - 1);
    sparse_[slot] = entry;
  }
  void grow() {
    Pod<Entry> before = std::move(sparse_);
    sparse_ = {};
    const std::size_t n = before.size() ? before.size() * 2 : 16;
    std::fill_n(sparse_.extend(n), n, Entry{0, -1});
    for (const Entry& entry : before.span()) {
      if (entry.id >= 0) put(entry);
    }
  }
  void become_dense() {
    is_dense_ = true;
    std::int32_t largest = -1;
    for (const Entry& entry : sparse_.span()) largest = entry.id >= 0 && entry.code > largest ? entry.code : largest;
    const std::size_t n = static_cast<std::size_t>(largest) + 1;  // none: 0
    std::fill_n(dense_.extend(n), n, -1);
    for (const Entry& entry : sparse_.span()) {
      if (entry.id >= 0) dense_[static_cast<std::size_t>(entry.code)] = entry.id;
    }
    sparse_.release();
  }

  std::uint64_t instance_, epoch_;
  Pod<std::int32_t> dense_;
  Pod<Entry> sparse_;
  std::size_t seen_ = 0;
  bool is_dense_ = false;
};

}  // namespace lm::sink::parquet
