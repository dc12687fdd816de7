// A worker process: started, asked, watched and ended by the host. What it answers is copied out of the memory that is shared with it before anybody looks at it,
// and by pread, not through a mapping: a worker can neither change what was checked nor make the host fault. Questions are written straight into memory that the
// worker sees too, and never read back.
#pragma once

#include "isolate/message.hpp"

#include <logmill/plugin.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace lm::isolate {

struct Limits {
  std::uint64_t memory = 0;  // bytes that a worker may hold
  double seconds = 0;        // for one answer
};

// Bytes that came from a worker, as nobody else can change them. 64 more may be read behind them.
struct Answer {
  lm_status status = LM_OK;
  std::shared_ptr<const std::byte> bytes;
  std::size_t size = 0;
  std::span<const std::byte> contents() const { return {bytes.get(), size}; }
};

// Starts workers and watches them, in a thread of its own: a worker ends with the thread that has started it, and threads of a pool come and go.
class Supervisor {
 public:
  // The supervisor of this process; it lives as long as somebody holds it.
  static std::shared_ptr<Supervisor> get();
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

 private:
  friend class Process;
  Supervisor();
  struct State;
  std::unique_ptr<State> state_;
};

class Process {
 public:
  // `program` is logmill-worker, `library` what it is to load.
  static Result<std::unique_ptr<Process>> start(std::shared_ptr<Supervisor>, const std::filesystem::path& program,
                                                const std::filesystem::path& library, const Limits&);
  ~Process();  // ends it, whatever it does
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // The message of the next question, empty.
  Writer& message() {
    message_->clear();
    return *message_;
  }
  // Asks with that message. One thread at a time. Errc::plugin: it has died, or was ended, and the message says how ("killed by SIGSEGV"); Errc::cancelled: `stop` answered true; Errc::io: the
  // environment failed. After an error nothing more can be asked.
  Result<Answer> ask(Ask, std::uint32_t index, const std::function<bool()>& stop = {});

  // It has said what cannot be: it is ended, and nothing more can be asked.
  tl::unexpected<Error> distrust(std::string_view what);
  // Whether it may be asked: it has not ended, be it by itself between two questions, nor was it ended because it held too much.
  bool alive() const;

 private:
  friend class Supervisor;
  Process(std::shared_ptr<Supervisor> supervisor, const Limits& limits) : supervisor_(std::move(supervisor)), limits_(limits) {}
  Result<void> spawn(const std::filesystem::path& program, const std::filesystem::path& library);
  Result<Answer> take(const Reply&, std::size_t asked);
  Result<Reply> wait(const std::function<bool()>& stop);
  std::string end();  // answers how it ended
  void kill() const;

  std::shared_ptr<Supervisor> supervisor_;
  Limits limits_;
  std::atomic<int> pid_{-1};
  int pidfd_ = -1, socket_ = -1, requests_ = -1, replies_ = -1;
  std::span<std::byte> room_;  // for questions
  std::optional<Writer> message_;
  std::atomic<bool> too_large_{false};
  std::string ended_;
};

}  // namespace lm::isolate
