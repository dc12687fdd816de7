#include "whole_file.hpp"

#include "text.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace lm::cli {
namespace {

namespace fs = std::filesystem;

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
      if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
      if (written <= 0 && errno != EINTR) error_ = errno;
    }
  }
  void sync() {
    if (error_ == 0 && ::fsync(file_) != 0) error_ = errno;
  }

 private:
  int file_, error_;
};

// Where the file is or will be; what stands there already.
struct Place {
  fs::path path;
  fs::file_status status;
  bool is_file() const { return status.type() == fs::file_type::regular || status.type() == fs::file_type::not_found; }
};

Result<Place> place_of(fs::path path) {
  constexpr unsigned kMostLinks = 40;
  std::error_code failed;
  unsigned links = 0;
  for (; links < kMostLinks && fs::is_symlink(path, failed); ++links) path = path.parent_path() / fs::read_symlink(path, failed);
  const Place place{path, fs::status(path, failed)};
  if (links == kMostLinks) return fail_writing(Errc::invalid, path, ELOOP);
  if (place.status.type() == fs::file_type::directory || path.filename().empty()) return fail_writing(Errc::invalid, path, EISDIR);
  if (place.status.type() == fs::file_type::none) return fail_writing(Errc::invalid, path, failed.value());
  return place;
}

fs::path temporary_of(const fs::path& path) { return path.parent_path() / fmt::format(".{}.tmp-{}", path.filename().string(), ::getpid()); }
int create(const fs::path& path) { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); }

}  // namespace

Result<void> check_writable(const fs::path& path) {
  const auto place = place_of(path);
  if (!place) return tl::unexpected(place.error());
  if (!place->is_file()) {  // to open a pipe is to wait for its reader
    if (::access(place->path.c_str(), W_OK) != 0) return fail_writing(Errc::invalid, path, errno);
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
  if (!place->is_file()) {
    Descriptor stream(::open(place->path.c_str(), O_WRONLY | O_CLOEXEC));
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

}  // namespace lm::cli
