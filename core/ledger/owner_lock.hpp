// One owner at a time. The lock is the operating system's (flock on a file of its own), so it ends with its owner, however that ends; what stands in the file is for
// people only. The file stays: removing it would let two owners in.
#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <string>
#include <utility>

namespace lm {

class OwnerLock {
 public:
  // Errc::io: somebody has it; the message says who and since when.
  static Result<OwnerLock> take(const std::filesystem::path& file, const std::string& what);
  OwnerLock() = default;
  OwnerLock(OwnerLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnerLock& operator=(OwnerLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OwnerLock();

 private:
  int fd_ = -1;
};

// "process 4711 on ir-box, since 2026-03-01T09:30:00Z": this process, as others will read it.
std::string describe_owner();

}  // namespace lm
