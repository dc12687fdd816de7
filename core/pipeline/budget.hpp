// The byte budget between reading and parsing: taken before a block is decoded, given back when its rows have been handed on. Tasks never wait for it: who gets
// nothing is parked and called again when something was given back.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace lm {

class Budget {
 public:
  explicit Budget(std::uint64_t bytes) : limit_(bytes) {}

  // True: taken. False: `resume` is called once, later, by whoever gives back. Something may always be taken when nothing is out, so that a budget that is
  // smaller than a block still lets one block through at a time.
  bool take(std::uint64_t bytes, std::function<void()> resume) {
    const std::lock_guard lock(mutex_);
    if (used_ != 0 && used_ + bytes > limit_) {
      parked_.push_back(std::move(resume));
      return false;
    }
    used_ += bytes;
    return true;
  }

  bool somebody_waits() {
    const std::lock_guard lock(mutex_);
    return !parked_.empty();
  }

  // What turned out to be larger or smaller than what was taken.
  void adjust(std::int64_t bytes) {
    if (bytes > 0) {
      const std::lock_guard lock(mutex_);
      used_ += static_cast<std::uint64_t>(bytes);
    } else if (bytes < 0) {
      give(static_cast<std::uint64_t>(-bytes));
    }
  }

  void give(std::uint64_t bytes) {
    std::vector<std::function<void()>> resume;
    {
      const std::lock_guard lock(mutex_);
      used_ -= bytes;
      if (used_ < limit_ || used_ == 0) resume.swap(parked_);
    }
    for (auto& call : resume) call();
  }

 private:
  std::mutex mutex_;
  std::uint64_t limit_, used_ = 0;
  std::vector<std::function<void()>> parked_;
};

}  // namespace lm
