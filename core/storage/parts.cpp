#include "storage/parts.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace lm {
namespace {

constexpr std::size_t kSmallest = std::size_t{16} << 10, kLargest = std::size_t{256} << 10;  // of what is asked of memory at once

}  // namespace

Spool::~Spool() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> Spool::open() {
  if (fd_ >= 0) return {};
  std::error_code failed;
  const std::string folder = std::filesystem::temp_directory_path(failed).string();
  if (failed) return fail(Errc::io, "there is no folder for temporary files (TMPDIR names one): " + failed.message());
  fd_ = ::open(folder.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
  if (fd_ < 0) {  // not every file system has files without a name
    std::string name = folder + "/logmill-parts-XXXXXX";
    fd_ = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd_ >= 0) ::unlink(name.c_str());
  }
  if (fd_ < 0)
    return fail(Errc::io, fmt::format("cannot make a temporary file in {} (TMPDIR names the folder): {}", folder, std::strerror(errno)));
  return {};
}

Result<std::uint64_t> Spool::reserve(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (auto ok = open(); !ok) return tl::unexpected(ok.error());
  live_ += bytes;
  return std::exchange(end_, end_ + bytes);
}

Result<void> Spool::write(std::uint64_t at, std::string_view bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(at + done));
    if (n > 0) {
      done += static_cast<std::size_t>(n);
    } else if (n == 0 || errno != EINTR) {
      return fail(Errc::io, fmt::format("cannot write the temporary file for what waits to be sent (TMPDIR names its folder): {}",
                                        std::strerror(n == 0 ? EIO : errno)));
    }
  }
  return {};
}

bool Spool::read(std::uint64_t at, std::span<char> out) const {
  for (std::size_t done = 0; done < out.size();) {
    const ssize_t n = ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(at + done));
    if (n > 0) {
      done += static_cast<std::size_t>(n);
    } else if (n == 0 || errno != EINTR) {
      return false;
    }
  }
  return true;
}

void Spool::release(std::uint64_t at, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  live_ -= bytes;
  if (live_ == 0) {  // nobody reads or writes it
    if (::ftruncate(fd_, 0) == 0) end_ = 0;
    return;
  }
  // A hint: where a file system cannot, the space comes back when nothing is live.
  static_cast<void>(::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(at), static_cast<off_t>(bytes)));
}

Part::~Part() {
  for (const Stretch& s : stretches_) {
    if (s.spooled) {
      room_.spool.release(s.spool, s.room);
    } else {
      room_.held -= s.room;
    }
  }
}

Result<void> Part::append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (stretches_.empty() || stretches_.back().size == stretches_.back().room) {
      if (auto ok = add_stretch(std::clamp<std::size_t>(std::max<std::size_t>(bytes.size(), size_), kSmallest, kLargest)); !ok) return ok;
    }
    Stretch& last = stretches_.back();
    const std::string_view some = bytes.substr(0, last.room - last.size);
    if (!last.spooled) {
      last.memory.append(some);
    } else if (auto ok = room_.spool.write(last.spool + last.size, some); !ok) {
      return ok;
    }
    last.size += some.size(), size_ += some.size();
    bytes.remove_prefix(some.size());
  }
  return {};
}

Result<void> Part::add_stretch(std::size_t wanted) {
  Stretch fresh;
  if (room_.held.fetch_add(wanted) + wanted <= room_.most) {
    fresh.memory.reserve(wanted);
    fresh.room = fresh.memory.capacity();
    room_.held += fresh.room - wanted;
  } else {
    room_.held -= wanted;
    auto at = room_.spool.reserve(wanted);
    if (!at) return tl::unexpected(at.error());
    fresh.spool = *at, fresh.room = wanted, fresh.spooled = true;
  }
  stretches_.push_back(std::move(fresh));
  return {};
}

std::size_t Part::read(std::uint64_t at, std::span<char> out) const {
  std::size_t done = 0;
  for (const Stretch& s : stretches_) {
    if (done == out.size()) break;
    if (at >= s.size) {
      at -= s.size;
      continue;
    }
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(out.size() - done, s.size - at));
    if (!s.spooled) {
      std::memcpy(out.data() + done, s.memory.data() + at, n);
    } else if (!room_.spool.read(s.spool + at, out.subspan(done, n))) {
      return 0;
    }
    done += n;
    at = 0;
  }
  return done;
}

}  // namespace lm
