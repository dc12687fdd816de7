// What host and worker say to each other: numbers, texts and stretches of bytes in a row, all of them aligned to 8. The reader trusts nothing: it never looks behind
// what it was given, and once something does not fit, it answers zeroes and says so.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string_view>

namespace lm::isolate {

constexpr std::uint64_t padded(std::uint64_t size) { return (size + 7) & ~std::uint64_t{7}; }

// Writes into memory that grows, or into a stretch that does not: then std::length_error says that the message has no room.
class Writer {
 public:
  Writer() = default;
  explicit Writer(std::span<std::byte> fixed) : data_(fixed.data()), capacity_(fixed.size()), fixed_(true) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void clear() { size_ = 0; }
  std::size_t size() const { return size_; }
  std::span<const std::byte> contents() const { return {data_, size_}; }

  void number(std::uint64_t value) { std::memcpy(room(sizeof value), &value, sizeof value); }
  // Answers where it stands. `spare` more bytes may be read behind it.
  std::size_t raw(const void* data, std::size_t size, std::size_t spare = 0) {
    const std::size_t at = size_;
    std::byte* const to = room(padded(size) + spare);
    if (size) std::memcpy(to, data, size);
    std::memset(to + size, 0, padded(size) - size + spare);
    return at;
  }
  void text(std::string_view value) {
    number(value.size());
    raw(value.data(), value.size());
  }
  // A number that is not known yet: `patch` writes it.
  std::size_t later() {
    number(0);
    return size_ - sizeof(std::uint64_t);
  }
  void patch(std::size_t at, std::uint64_t value) { std::memcpy(data_ + at, &value, sizeof value); }

 private:
  std::byte* room(std::size_t size) {
    if (size > capacity_ - size_) grow(size);
    std::byte* const to = data_ + size_;
    size_ += size;
    return to;
  }
  void grow(std::size_t more) {
    if (fixed_) throw std::length_error("the answer has no room");
    const std::size_t capacity = (size_ + more) * 2;
    auto fresh = std::make_unique<std::byte[]>(capacity);
    if (size_) std::memcpy(fresh.get(), data_, size_);
    own_ = std::move(fresh);
    data_ = own_.get(), capacity_ = capacity;
  }

  std::unique_ptr<std::byte[]> own_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0, capacity_ = 0;
  bool fixed_ = false;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> all) : all_(all) {}

  bool failed() const { return failed_; }
  bool at_end() const { return failed_ || at_ == all_.size(); }
  std::size_t position() const { return at_; }

  std::uint64_t number() {
    std::uint64_t value = 0;
    if (const std::byte* const from = take(sizeof value)) std::memcpy(&value, from, sizeof value);
    return value;
  }
  // How many of something follow, each of which takes `least` bytes: what cannot be there fails now, before anything is made room for.
  std::uint64_t count(std::size_t least) {
    const std::uint64_t value = number();
    if (value <= (all_.size() - at_) / least) return value;
    failed_ = true;
    return 0;
  }
  // A value that must be below `limit`.
  std::uint64_t below(std::uint64_t limit) {
    const std::uint64_t value = number();
    if (value < limit) return value;
    failed_ = true;
    return 0;
  }
  const std::byte* raw(std::uint64_t size, std::size_t spare = 0) {
    if (size <= all_.size()) return take(padded(size) + spare);
    failed_ = true;
    return nullptr;
  }
  std::string_view text() {
    const std::uint64_t size = number();
    const std::byte* const from = raw(size);
    return from ? std::string_view(reinterpret_cast<const char*>(from), size) : std::string_view();
  }
  // What at() may give from here on: the bytes between two positions, which are not beyond this one.
  void only(std::size_t begin, std::size_t end) { begin_ = begin, end_ = end; }
  // Bytes that stand there. Null, and failed(), unless all of them do.
  const std::byte* at(std::uint64_t position, std::uint64_t size) {
    if (position % 8 == 0 && position >= begin_ && position <= end_ && size <= all_.size() && padded(size) <= end_ - position)
      return all_.data() + position;
    failed_ = true;
    return nullptr;
  }
  void fail() { failed_ = true; }

 private:
  const std::byte* take(std::size_t size) {
    if (failed_ || size > all_.size() - at_) {
      failed_ = true;
      return nullptr;
    }
    at_ += size;
    return all_.data() + at_ - size;
  }
  std::span<const std::byte> all_;
  std::size_t at_ = 0, begin_ = 0, end_ = all_.size();
  bool failed_ = false;
};

// ---- What may be asked ----

enum class Ask : std::uint32_t {
  library,    // -> what the library says of itself (transfer.hpp)
  scores,     // key, whole, head -> a score for each parser
  score,      // the same of one parser
  prologues,  // text, lines -> a byte for each of them
  create,     // configuration -> nothing
  schema,     // table -> schema
  parse,      // blocks -> what the parser emits
};

struct Request {
  Ask ask;
  std::uint32_t index;  // of the parser, or of the table
  std::uint64_t size;   // of what stands in the shared memory for requests
};

struct Reply {
  std::uint32_t status;  // lm_status; not LM_OK: the message is the reason, a text, behind whatever was emitted
  std::uint32_t reserved;
  std::uint64_t size;  // of what stands in the shared memory for replies
};

// What a reply to `parse` consists of, each with its kind in front.
enum class Emitted : std::uint64_t { batch, reject, drift, log, reason };

// The descriptors of a worker.
inline constexpr int kSocket = 3, kRequests = 4, kReplies = 5;

}  // namespace lm::isolate
