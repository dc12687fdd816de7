// logmill/sdk/arrays.hpp -- memory behind exported Arrow arrays. Used by the column builders and by whoever makes arrays by hand; not meant for parsers.
//
// All arrays of a batch share one ArrayArena. Each of them holds a reference on it, so that a consumer may move any child out of its parent and keep it, as
// the Arrow C data interface allows; the arena goes with the last of them. Building is one thread's; releasing may happen on any.
#pragma once

#include <logmill/arrow.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <new>
#include <vector>

namespace lm::detail {

struct Free {
  void operator()(void* p) const { std::free(p); }
};
using Memory = std::unique_ptr<std::byte, Free>;

// Zeroed, with 8 bytes to spare behind `bytes`, so that bitmaps can be read a word at a time.
inline Memory allocate_zeroed(std::size_t bytes) {
  auto* p = static_cast<std::byte*>(std::calloc(bytes + 8, 1));
  if (!p) throw std::bad_alloc();
  return Memory(p);
}

// Not zeroed; else the same.
inline Memory allocate(std::size_t bytes) {
  auto* p = static_cast<std::byte*>(std::malloc(bytes + 8));
  if (!p) throw std::bad_alloc();
  return Memory(p);
}

// Whole 64-bit words.
constexpr std::size_t bitmap_bytes(std::size_t rows) { return (rows + 63) / 64 * 8; }

template <class T>
T* slots(const Memory& memory) {
  return reinterpret_cast<T*>(memory.get());
}

class ArrayArena {
 public:
  // An arena under construction; finish() hands it over to its arrays.
  static std::unique_ptr<ArrayArena> make() { return std::unique_ptr<ArrayArena>(new ArrayArena); }
  ~ArrayArena() {
    for (ArrowArray& held : held_) {
      if (held.release) held.release(&held);
    }
  }
  ArrayArena(const ArrayArena&) = delete;
  ArrayArena& operator=(const ArrayArena&) = delete;

  // A new array without buffers or children; its address is stable.
  ArrowArray& add(std::int64_t length, std::int64_t n_buffers) {
    ArrowArray& a = arrays_.emplace_back();
    auto& buffers = buffers_.emplace_back();
    buffers = {nullptr, nullptr, nullptr};
    a = ArrowArray{};
    a.length = length;
    a.n_buffers = n_buffers;
    a.buffers = buffers.data();
    a.release = release;
    a.private_data = this;
    references_.fetch_add(1, std::memory_order_relaxed);
    return a;
  }

  void set_children(ArrowArray& array, std::vector<ArrowArray*> children) {
    children_.push_back(std::move(children));
    array.n_children = static_cast<std::int64_t>(children_.back().size());
    array.children = children_.back().data();
  }

  // Takes memory over; `bytes` is what it counts for.
  const std::byte* keep(Memory&& memory, std::size_t bytes) {
    bytes_ += bytes;
    memory_.push_back(std::move(memory));
    return memory_.back().get();
  }
  void keep(std::shared_ptr<const void> shared) { shared_.push_back(std::move(shared)); }
  // Takes an array of somebody else over: its buffers may be pointed at.
  const ArrowArray& hold(ArrowArray* array) {
    held_.push_back(*array);
    array->release = nullptr;
    return held_.back();
  }

  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t id() const { return id_; }  // never 0, and no other arena's

  // Moves `root`, an array of this arena, out; the arena lives until all of its arrays are released.
  static void finish(std::unique_ptr<ArrayArena> arena, ArrowArray& root, ArrowArray* out) {
    *out = root;
    arena.release()->drop();  // the builder's own reference
  }

 private:
  ArrayArena() = default;
  void drop() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  static void release(ArrowArray* array) {
    for (std::int64_t i = 0; i < array->n_children; ++i) {
      if (array->children[i]->release) array->children[i]->release(array->children[i]);
    }
    if (array->dictionary && array->dictionary->release) array->dictionary->release(array->dictionary);
    array->release = nullptr;
    static_cast<ArrayArena*>(array->private_data)->drop();
  }

  static std::uint64_t next_id() {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
  }

  const std::uint64_t id_ = next_id();
  std::atomic<std::int64_t> references_{1};
  std::deque<ArrowArray> arrays_;
  std::deque<std::array<const void*, 3>> buffers_;
  std::deque<std::vector<ArrowArray*>> children_;
  std::vector<Memory> memory_;
  std::vector<std::shared_ptr<const void>> shared_;
  std::deque<ArrowArray> held_;
  std::uint64_t bytes_ = 0;
};

// The buffers of what is absent: one stretch of zeroes for all of them. One thread's, as building is.
class Zeroes {
 public:
  // At least `bytes` of them, which live as long as `arena`.
  const void* get(ArrayArena& arena, std::size_t bytes) {
    if (bytes > size_) {
      size_ = bytes * 2 > 65536 ? bytes * 2 : 65536;
      memory_ = std::shared_ptr<std::byte>(allocate_zeroed(size_).release(), Free{});
      held_ = 0;
    }
    if (held_ != arena.id()) {
      arena.keep(memory_);
      held_ = arena.id();
    }
    return memory_.get();
  }

 private:
  std::shared_ptr<std::byte> memory_;
  std::size_t size_ = 0;
  std::uint64_t held_ = 0;
};

}  // namespace lm::detail
