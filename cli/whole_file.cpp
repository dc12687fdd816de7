#include "whole_file.hpp"

#include "text.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <optional>
#include <system_error>
#include <thread>

namespace lm::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kPatience = 5000;  // milliseconds that a pipe is waited for

tl::unexpected<Error> fail_writing(Errc code, const fs::path& path, int error) {
  return fail(code, fmt::format("{}: cannot be written: {}", printable(path.string()), std::generic_category().message(error)));
}

class Descriptor {
 public:
  explicit Descriptor(int file) : file_(file), error_(file < 0 ? errno : 0) {}
  ~Descriptor() {
    if (file_ >= 0) ::close(file_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  bool made() const { return file_ >= 0; }
  int error() const { return error_; }  // the first one; 0: none
  void write(std::string_view text) {
    while (error_ == 0 && !text.empty()) {
      const ssize_t written = ::write(file_, text.data(), text.size());
      if (written > 0) {
        text.remove_prefix(static_cast<std::size_t>(written));
      } else if (errno == EAGAIN) {
        pollfd ready{file_, POLLOUT, 0};
        if (::poll(&ready, 1, kPatience) == 0) error_ = ETIMEDOUT;
      } else if (errno != EINTR) {
        error_ = errno;
      }
    }
  }
  void sync() {
    if (error_ == 0 && ::fsync(file_) != 0) error_ = errno;
  }

 private:
  int file_, error_;
};

struct Place {
  fs::path path;
  bool stream = false;           // a device or a pipe
  std::optional<int> open = {};  // as what it is open already
};

bool same(const struct stat& a, int file) {
  struct stat b {};
  return ::fstat(file, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// "/dev/fd/3" -> 3
std::optional<int> descriptor_of(const fs::path& path) {
  std::error_code failed;
  const std::string folder = fs::canonical(path.parent_path(), failed).string();
  if (failed || folder != fmt::format("/proc/{}/fd", ::getpid())) return {};
  const std::string name = path.filename().string();
  int file = 0;
  const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), file);
  return wrong == std::errc() && end == name.data() + name.size() ? std::optional(file) : std::nullopt;
}

Result<Place> place_of(fs::path path) {
  struct stat info {};
  const bool there = ::stat(path.c_str(), &info) == 0;
  if (!there && errno != ENOENT) return fail_writing(Errc::invalid, path, errno);
  if (path.filename().empty() || (there && S_ISDIR(info.st_mode))) return fail_writing(Errc::invalid, path, EISDIR);
  if (there) {
    for (const int file : {STDOUT_FILENO, STDERR_FILENO}) {
      if (same(info, file)) return Place{path, false, file};
    }
    if (const auto file = descriptor_of(path)) return Place{path, false, file};
    if (!S_ISREG(info.st_mode)) return Place{path, true};
  }
  std::error_code failed;
  while (fs::is_symlink(path, failed)) path = path.parent_path() / fs::read_symlink(path, failed);
  return Place{path};
}

fs::path temporary_of(const fs::path& path) { return path.parent_path() / fmt::format(".{}.tmp-{}", path.filename().string(), ::getpid()); }
int create(const fs::path& path) { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); }

int open_stream(const fs::path& path) {
  constexpr int kStep = 50;
  for (int waited = 0;; waited += kStep) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    if (file >= 0 || errno != ENXIO || waited >= kPatience) return file;  // ENXIO: nobody reads
    std::this_thread::sleep_for(std::chrono::milliseconds(kStep));
  }
}

}  // namespace

Result<void> check_writable(const fs::path& path) {
  const auto place = place_of(path);
  if (!place) return tl::unexpected(place.error());
  if (place->open) {
    const int flags = ::fcntl(*place->open, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) return fail_writing(Errc::invalid, path, flags < 0 ? errno : EBADF);
    return {};
  }
  if (place->stream) {  // to open a pipe is to wait for its reader
    if (::access(path.c_str(), W_OK) != 0) return fail_writing(Errc::invalid, path, errno);
    return {};
  }
  const fs::path temporary = temporary_of(place->path);
  const Descriptor file(create(temporary));
  if (!file.made()) return fail_writing(Errc::invalid, path, file.error());
  ::unlink(temporary.c_str());
  return {};
}

Result<void> write_whole(const fs::path& path, std::string_view text) {
  const auto place = place_of(path);
  if (!place) return tl::unexpected(place.error());
  if (place->open || place->stream) {
    Descriptor stream(place->open ? ::fcntl(*place->open, F_DUPFD_CLOEXEC, 0) : open_stream(place->path));
    stream.write(text);
    if (stream.error() != 0) return fail_writing(Errc::io, path, stream.error());
    return {};
  }
  const fs::path temporary = temporary_of(place->path);
  Descriptor file(create(temporary));
  file.write(text);
  file.sync();
  int error = file.error();
  if (error == 0 && ::rename(temporary.c_str(), place->path.c_str()) != 0) error = errno;
  if (error == 0) return {};
  if (file.made()) ::unlink(temporary.c_str());
  return fail_writing(Errc::io, path, error);
}

bool is_standard_output(const fs::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && !S_ISCHR(info.st_mode) && same(info, STDOUT_FILENO);
}

bool is_open(const fs::path& path) {
  const auto place = place_of(path);
  return place && place->open;
}

}  // namespace lm::cli
