// Ctrl-C and SIGTERM. The first asks the run to stop: it seals what is finished. The second leaves at once with exit code 130.
#pragma once

#include <logmill/core.hpp>

#include <atomic>

namespace lm::cli {

// Installs the handlers, and ignores SIGPIPE: a reader that goes away is an error of a write, not the end of the process. Call once, first.
void install_signal_handlers();

// From here to the destructor a signal cancels this run or listing; one that came before cancels it now.
class StopOnSignal {
 public:
  explicit StopOnSignal(Run&);
  explicit StopOnSignal(std::atomic<bool>& cancelled);
  ~StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;
};

}  // namespace lm::cli
