// The bytes of an upload that are not on their way yet. S3 takes no part of less than 5 MiB but the last: of each output that is being written, up to a part waits here.
// In memory, while there is room; then in one file without a name, of which what was sent is given back to the disk.
#pragma once

#include "base/result.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lm {

// 8 MiB, and twice as much after each thousand parts: 10,000 parts, which are the most, are enough for 5 TiB, which are too.
constexpr std::uint64_t part_bytes(unsigned number) { return std::uint64_t{8} << (20 + (number - 1) / 1000); }

// [any]
class Spool {
 public:
  Spool() = default;
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // Room for so many bytes that nobody else writes to; answers where. It takes no space on the disk before it is written to.
  Result<std::uint64_t> reserve(std::uint64_t bytes);
  // Within what is reserved. So are the others.
  Result<void> write(std::uint64_t at, std::string_view bytes);
  bool read(std::uint64_t at, std::span<char> out) const;
  void release(std::uint64_t at, std::uint64_t bytes);  // what was reserved at once

 private:
  Result<void> open();
  std::mutex mutex_;  // guards all but reading and writing
  int fd_ = -1;
  std::uint64_t end_ = 0, live_ = 0;
};

// What the parts of a storage share.
struct PartRoom {
  explicit PartRoom(std::uint64_t memory) : most(memory) {}
  const std::uint64_t most;
  std::atomic<std::uint64_t> held{0};
  Spool spool;
};

// One part. Written by one thread, then read by others.
class Part {
 public:
  explicit Part(PartRoom& room) : room_(room) {}
  ~Part();
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  Result<void> append(std::string_view bytes);
  std::uint64_t size() const { return size_; }
  // As many bytes as there are from `at` on, and room for; 0: they cannot be read.
  std::size_t read(std::uint64_t at, std::span<char> out) const;
  // How many stretches it is made of: few, however small the pieces are that it was appended, and however many parts are written side by side.
  std::size_t stretches() const { return stretches_.size(); }

 private:
  struct Stretch {
    std::string memory;       // its capacity is held, or
    std::uint64_t spool = 0;  // it is there;
    std::uint64_t size = 0;   // so long,
    std::uint64_t room = 0;   // with room for so much
    bool spooled = false;
  };
  Result<void> add_stretch(std::size_t wanted);
  PartRoom& room_;
  std::vector<Stretch> stretches_;
  std::uint64_t size_ = 0;
};

}  // namespace lm
