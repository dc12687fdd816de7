// logmill/sdk/handover.hpp -- tells ThreadSanitizer that a library which it does not see into (Debian's TBB) hands work from thread to thread.
//   handover.give() before the work is handed out, and when a thread is done with it; handover.take() where it begins, and behind the wait for all of it.
// Costs nothing in other builds, and orders nothing in any: that is the library's promise. Thread-safe.
#pragma once

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace lm {

class Handover {
 public:
#if defined(__SANITIZE_THREAD__)
  void give() { __tsan_release(this); }
  void take() { __tsan_acquire(this); }

 private:
  char address_ = 0;
#else
  void give() {}
  void take() {}
#endif
};

}  // namespace lm
