#include "stop.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string_view>

namespace lm::cli {
namespace {

constexpr int kExitInterrupted = 130;  // what shells expect of a program that Ctrl-C ended

std::atomic<Run*> running{nullptr};
std::atomic<std::atomic<bool>*> listing{nullptr};
std::atomic<int> signals{0};
static_assert(std::atomic<Run*>::is_always_lock_free && std::atomic<int>::is_always_lock_free, "a signal handler can use nothing else");

void on_signal(int) {
  const int saved = errno;
  if (signals.fetch_add(1) > 0) _exit(kExitInterrupted);
  constexpr std::string_view kMessage = "\nstopping: what is finished is being sealed; once more stops at once\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kMessage.data(), kMessage.size());
  if (Run* run = running.load()) run->cancel();  // documented as callable from a signal handler
  if (std::atomic<bool>* cancelled = listing.load()) cancelled->store(true, std::memory_order_relaxed);
  errno = saved;
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  sigemptyset(&action.sa_mask);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

StopOnSignal::StopOnSignal(Run& run) {
  running = &run;
  if (signals > 0) run.cancel();
}

StopOnSignal::StopOnSignal(std::atomic<bool>& cancelled) {
  listing = &cancelled;
  if (signals > 0) cancelled = true;
}

StopOnSignal::~StopOnSignal() { running = nullptr, listing = nullptr; }

}  // namespace lm::cli
