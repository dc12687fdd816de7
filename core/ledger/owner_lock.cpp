#include "ledger/owner_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace lm {
namespace {

std::string read_all(int fd) {
  std::string text(512, '\0');
  const ssize_t n = ::pread(fd, text.data(), text.size(), 0);
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

std::string describe_owner() {
  char host[256] = "this machine";
  if (::gethostname(host, sizeof host - 1) != 0) std::strcpy(host, "this machine");
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char since[32];
  std::strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return fmt::format("process {} on {}, since {}", ::getpid(), host, since);
}

Result<OwnerLock> OwnerLock::take(const std::filesystem::path& file, const std::string& what) {
  OwnerLock lock;
  lock.fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (lock.fd_ < 0) return fail(Errc::io, fmt::format("{}: {}", file.string(), std::strerror(errno)));
  while (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return fail(Errc::io, fmt::format("{} cannot be locked: {}", file.string(), std::strerror(errno)));
    const std::string owner = read_all(lock.fd_);
    return fail(Errc::io, fmt::format("{} is in use by another run ({}). Wait until it is over, or stop it; what it has finished is kept",
                                      what, owner.empty() ? "which has just begun" : owner));
  }
  const std::string owner = describe_owner() + "\n";
  // Nobody depends on it: a disk that is full does not keep anybody from locking.
  if (::ftruncate(lock.fd_, 0) == 0) [[maybe_unused]]
    const ssize_t written = ::pwrite(lock.fd_, owner.data(), owner.size(), 0);
  return lock;
}

OwnerLock::~OwnerLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace lm
