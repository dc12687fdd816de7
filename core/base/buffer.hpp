// A growable run of bytes, 64-byte aligned, that always has LM_PADDING readable bytes behind its end. Not zeroed, move-only.
#pragma once

#include <logmill/plugin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <utility>

namespace lm {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t capacity) { reserve(capacity); }
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_), std::swap(size_, other.size_), std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~Buffer() {
    if (data_) ::operator delete (data_, std::align_val_t{64});
  }

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  const std::uint8_t* bytes() const { return reinterpret_cast<const std::uint8_t*>(data_); }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  std::span<std::byte> free_space() { return {data_ + size_, capacity_ - size_}; }
  std::span<const std::byte> contents() const { return {data_, size_}; }

  // Keeps what is there. Throws std::bad_alloc.
  void reserve(std::size_t capacity) {
    if (capacity <= capacity_) return;
    auto* fresh = static_cast<std::byte*>(::operator new (capacity + LM_PADDING, std::align_val_t{64}));
    if (size_) std::memcpy(fresh, data_, size_);
    std::memset(fresh + capacity, 0, LM_PADDING);
    if (data_) ::operator delete (data_, std::align_val_t{64});
    data_ = fresh, capacity_ = capacity;
  }
  // `size` at most capacity(). Clears the padding behind it, so that what is read there does not depend on what stood there before.
  void resize(std::size_t size) {
    size_ = size;
    if (data_) std::memset(data_ + size_, 0, LM_PADDING);
  }
  void append(std::span<const std::byte> more) {
    if (more.size() > capacity_ - size_) reserve(std::max(size_ + more.size(), capacity_ * 2));
    if (!more.empty()) std::memcpy(data_ + size_, more.data(), more.size());
    resize(size_ + more.size());
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace lm
