#include "isolate/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <future>
#include <mutex>
#include <set>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace lm::isolate {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kOwn = 10;                                         // our descriptors begin here, so that none is one that the worker gets
constexpr auto kLook = std::chrono::milliseconds(20);            // how often the memory of workers is looked at
constexpr std::uint64_t kQuestionRoom = std::uint64_t{4} << 30;  // more than a call can have: a block is below 1 GiB
constexpr std::uint64_t kLeastAnswer = std::uint64_t{64} << 20;  // an answer may be so long,
constexpr std::uint64_t kAnswerToQuestion = 32;                  // and so many times its question more
constexpr std::uint64_t kRoomKept = std::uint64_t{8} << 20;      // shared memory that is not given back
constexpr auto kLastMoments = std::chrono::milliseconds(2000);   // for a process that has let go of its socket to be gone
constexpr auto kAskStop = std::chrono::milliseconds(100);

std::string why(int error) { return std::error_code(error, std::generic_category()).message(); }

void close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

// Takes the descriptor to a number that no worker's has.
int out_of_the_way(int fd) {
  if (fd < 0 || fd >= kOwn) return fd;
  const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, kOwn);
  ::close(fd);
  return moved;
}

// What a worker has of our environment. Credentials have too many names to know them all (IDENTITY_HEADER, a proxy's address), so what is not named here stays here.
bool is_harmless(std::string_view variable) {
  const std::string_view name = variable.substr(0, variable.find('='));
  static constexpr std::array<std::string_view, 7> kNames{"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TZDIR", "TMPDIR"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end() || name.starts_with("LC_") || name.starts_with("LD_") ||
         name.ends_with("SAN_OPTIONS");  // of sanitizers
}

// Shared memory stays for the next message, unless it was an uncommonly long one.
void give_back(int memory, std::uint64_t used) {
  if (used > kRoomKept)
    ::fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(kRoomKept), static_cast<off_t>(used - kRoomKept));
}

std::string size_text(std::uint64_t bytes) {
  return bytes >> 30 << 30 == bytes ? fmt::format("{} GiB", bytes >> 30) : fmt::format("{:.0f} MiB", static_cast<double>(bytes) / 1048576);
}

}  // namespace

// ---- The supervisor ----

struct Supervisor::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> jobs;
  std::set<Process*> live;
  bool stop = false;
  std::thread thread;

  void run(std::function<void()> job) {
    std::packaged_task<void()> task(std::move(job));
    auto done = task.get_future();
    {
      const std::lock_guard lock(mutex);
      jobs.emplace_back([&task] { task(); });
    }
    changed.notify_one();
    done.get();
  }

  void work() {
    std::unique_lock lock(mutex);
    while (!stop) {
      if (live.empty()) {
        changed.wait(lock, [&] { return stop || !jobs.empty() || !live.empty(); });
      } else {
        changed.wait_for(lock, kLook, [&] { return stop || !jobs.empty(); });
      }
      while (!jobs.empty()) {
        const auto job = std::move(jobs.front());
        jobs.pop_front();
        lock.unlock();
        job();
        lock.lock();
      }
      // Idle ones too: a plugin has threads of its own.
      for (Process* p : live) {
        if (!p->too_large_ && resident(p->pid_) > p->limits_.memory) {
          p->too_large_ = true;
          p->kill();
        }
      }
    }
  }

  static std::uint64_t resident(int pid) {
    std::array<char, 128> text{};
    const int fd = ::open(fmt::format("/proc/{}/statm", pid).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    const ssize_t n = ::read(fd, text.data(), text.size() - 1);
    ::close(fd);
    if (n <= 0) return 0;
    const char* const second = std::strchr(text.data(), ' ');
    return second ? std::strtoull(second, nullptr, 10) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
  }
};

Supervisor::Supervisor() : state_(std::make_unique<State>()) {
  state_->thread = std::thread([this] { state_->work(); });
}

Supervisor::~Supervisor() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
  }
  state_->changed.notify_all();
  state_->thread.join();
}

std::shared_ptr<Supervisor> Supervisor::get() {
  static std::mutex mutex;
  static std::weak_ptr<Supervisor> known;
  const std::lock_guard lock(mutex);
  auto out = known.lock();
  if (!out) known = out = std::shared_ptr<Supervisor>(new Supervisor);
  return out;
}

// ---- A worker ----

Result<std::unique_ptr<Process>> Process::start(std::shared_ptr<Supervisor> supervisor, const std::filesystem::path& program,
                                                const std::filesystem::path& library, const Limits& limits) {
  auto out = std::unique_ptr<Process>(new Process(std::move(supervisor), limits));
  Supervisor::State& state = *out->supervisor_->state_;
  Result<void> spawned;
  state.run([&] { spawned = out->spawn(program, library); });
  if (!spawned) return tl::unexpected(spawned.error());
  {
    const std::lock_guard lock(state.mutex);
    state.live.insert(out.get());
  }
  state.changed.notify_one();
  return out;
}

Result<void> Process::spawn(const std::filesystem::path& program, const std::filesystem::path& library) {
  const auto failed = [&](std::string_view what, int error) {
    return fail(Errc::io, fmt::format("a worker process cannot be started: {}: {}", what, why(error)));
  };
  std::array<int, 2> pair{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) return failed("socketpair", errno);
  socket_ = out_of_the_way(pair[0]);
  int theirs = out_of_the_way(pair[1]);
  requests_ = out_of_the_way(::memfd_create("logmill-requests", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  replies_ = out_of_the_way(::memfd_create("logmill-replies", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  // Of all this room none is there before it is written to. Its size is sealed: nobody can take away what the other side looks at.
  for (const auto& [memory, size] : {std::pair{requests_, kQuestionRoom}, std::pair{replies_, limits_.memory}}) {
    if (socket_ < 0 || theirs < 0 || memory < 0 || ::ftruncate(memory, static_cast<off_t>(size)) != 0 ||
        ::fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
      const int error = errno;
      close_fd(theirs);
      return failed("shared memory", error);
    }
  }
  void* const room = ::mmap(nullptr, kQuestionRoom, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, requests_, 0);
  if (room == MAP_FAILED) {
    const int error = errno;
    close_fd(theirs);
    return failed("shared memory", error);
  }
  room_ = {static_cast<std::byte*>(room), kQuestionRoom};
  message_.emplace(room_);

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);  // ours may be where the events go
  posix_spawn_file_actions_adddup2(&actions, theirs, kSocket);
  posix_spawn_file_actions_adddup2(&actions, requests_, kRequests);
  posix_spawn_file_actions_adddup2(&actions, replies_, kReplies);
  posix_spawn_file_actions_addclosefrom_np(&actions, kReplies + 1);
  // A session of its own: what the terminal sends (Ctrl-C) is for the host. Signals are as they are for a program that somebody just starts.
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);

  std::vector<std::string> words{program.string(), library.string(), std::to_string(::getpid()), std::to_string(limits_.memory)};
  std::vector<char*> arguments, environment;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  for (char** variable = environ; variable && *variable; ++variable) {
    if (is_harmless(*variable)) environment.push_back(*variable);
  }
  environment.push_back(nullptr);
  int pid = -1;
  const int error = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close_fd(theirs);
  if (error != 0) return failed(program.string(), error);
  pid_ = pid;
  pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));  // -1 where there is none: then its socket tells
  return {};
}

Process::~Process() {
  end();
  if (!room_.empty()) ::munmap(room_.data(), room_.size());
  close_fd(pidfd_);
  close_fd(requests_);
  close_fd(replies_);
}

bool Process::alive() const {
  if (socket_ < 0 || too_large_) return false;
  pollfd gone{pidfd_, POLLIN, 0};
  return ::poll(&gone, 1, 0) <= 0;
}

void Process::kill() const {
  if (pidfd_ >= 0) {
    ::syscall(SYS_pidfd_send_signal, pidfd_, SIGKILL, nullptr, 0);
  } else if (const int pid = pid_; pid > 0) {
    ::kill(pid, SIGKILL);
  }
}

std::string Process::end() {
  close_fd(socket_);
  {
    const std::lock_guard lock(supervisor_->state_->mutex);
    supervisor_->state_->live.erase(this);  // its number may be another process's soon
  }
  const int pid = pid_;
  if (pid <= 0) return ended_;
  kill();
  ::kill(-pid, SIGKILL);  // and what it has started: it leads a session of its own, and has its number until it is waited for
  siginfo_t how{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &how, WEXITED) != 0 && errno == EINTR) {}
  pid_ = -1;
  if (too_large_) {
    ended_ = fmt::format("memory limit: it held more than {}", size_text(limits_.memory));
  } else if (how.si_code == CLD_EXITED) {
    ended_ = fmt::format("it ended by itself, with exit code {}", how.si_status);
  } else {
    const char* const name = ::sigabbrev_np(how.si_status);
    ended_ = name ? fmt::format("killed by SIG{}", name) : fmt::format("killed by signal {}", how.si_status);
  }
  return ended_;
}

tl::unexpected<Error> Process::distrust(std::string_view what) {
  end();
  ended_ = fmt::format("its answer cannot be: {}", what);
  return fail(Errc::plugin, ended_);
}

Result<Answer> Process::take(const Reply& reply, std::size_t asked) {
  const std::uint64_t most = std::min(limits_.memory, kLeastAnswer + kAnswerToQuestion * asked);
  if (reply.size > most) return distrust(fmt::format("it has {} bytes, at most {} are taken", reply.size, most));
  Answer out;
  out.status = static_cast<lm_status>(reply.status);
  out.size = reply.size;
  auto* const memory = static_cast<std::byte*>(std::malloc(reply.size + LM_PADDING));
  if (!memory) throw std::bad_alloc();
  out.bytes = std::shared_ptr<const std::byte>(memory, [](const std::byte* p) { std::free(const_cast<std::byte*>(p)); });
  std::memset(memory + reply.size, 0, LM_PADDING);
  for (std::size_t done = 0; done < reply.size;) {
    const ssize_t n = ::pread(replies_, memory + done, reply.size - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return distrust("it is not there");
    done += static_cast<std::size_t>(n);
  }
  give_back(replies_, reply.size);
  return out;
}

Result<Reply> Process::wait(const std::function<bool()>& stop) {
  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(limits_.seconds));
  for (;;) {
    std::array<pollfd, 2> fds{pollfd{socket_, POLLIN, 0}, pollfd{pidfd_, POLLIN, 0}};
    auto most = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (stop) most = std::min<std::chrono::milliseconds>(most, kAskStop);
    if (::poll(fds.data(), fds.size(), static_cast<int>(std::clamp<std::int64_t>(most.count(), 0, 60'000))) < 0 && errno != EINTR)
      return fail(Errc::io, fmt::format("a worker process cannot be waited for: {}", why(errno)));
    if (fds[0].revents & POLLIN) {
      Reply reply{};
      const ssize_t n = ::recv(socket_, &reply, sizeof reply, MSG_DONTWAIT | MSG_TRUNC);
      if (n == sizeof reply) return reply;
      if (n > 0) return distrust("it has another length than answers have");
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    }
    if (fds[0].revents != 0 || fds[1].revents != 0) {
      // How it ended is told by itself, if it is given the time to.
      pollfd gone{pidfd_, POLLIN, 0};
      ::poll(&gone, 1, pidfd_ >= 0 ? static_cast<int>(kLastMoments.count()) : 100);
      return fail(Errc::plugin, end());
    }
    if (stop && stop()) {
      end();
      return fail(Errc::cancelled, "the run is being stopped");
    }
    if (Clock::now() >= deadline) {
      end();
      if (!too_large_) ended_ = fmt::format("no answer within {:g} s", limits_.seconds);
      return fail(Errc::plugin, ended_);
    }
  }
}

Result<Answer> Process::ask(Ask what, std::uint32_t index, const std::function<bool()>& stop) {
  if (!alive()) {
    const std::string how = end();
    return fail(Errc::plugin, how.empty() ? "its process has ended" : how);
  }
  const std::size_t asked = message_->size();
  const Request request{what, index, asked};
  // A worker has one question at a time: whoever lets them pile up is not waited for.
  if (::send(socket_, &request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof request && errno != EPIPE && errno != ECONNRESET) {
    const int error = errno;
    end();
    if (error == EAGAIN || error == EWOULDBLOCK) return fail(Errc::plugin, ended_ = "it does not take what it is asked");
    return fail(Errc::io, fmt::format("a worker process cannot be asked: {}", why(error)));
  }
  auto reply = wait(stop);
  if (!reply) {
    end();
    return tl::unexpected(reply.error());
  }
  give_back(requests_, asked);
  return take(*reply, asked);
}

}  // namespace lm::isolate
