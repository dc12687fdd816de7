#include "whole_file.hpp"

#include "text.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace lm::cli {
namespace {

class Temporary {
 public:
  explicit Temporary(const std::filesystem::path& path) : path_(path) {
    name_ = path_.parent_path() / fmt::format(".{}.tmp-{}", path_.filename().string(), getpid());
    file_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file_ < 0) error_ = errno;
  }
  ~Temporary() {
    if (file_ >= 0) ::close(file_);
    if (file_ >= 0 && !published_) ::unlink(name_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  void write(std::string_view text) {
    while (error_ == 0 && !text.empty()) {
      const ssize_t written = ::write(file_, text.data(), text.size());
      if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
      if (written <= 0 && errno != EINTR) error_ = errno;
    }
  }
  void publish() {
    if (error_ == 0 && (::fsync(file_) != 0 || ::rename(name_.c_str(), path_.c_str()) != 0)) error_ = errno;
    published_ = error_ == 0;
  }
  Result<void> result() const {
    if (error_ == 0) return {};
    return fail(Errc::io, fmt::format("{}: cannot be written: {}", printable(path_.string()), std::generic_category().message(error_)));
  }

 private:
  std::filesystem::path path_, name_;
  int file_ = -1, error_ = 0;
  bool published_ = false;
};

}  // namespace

Result<void> check_writable(const std::filesystem::path& path) { return Temporary(path).result(); }

Result<void> write_whole(const std::filesystem::path& path, std::string_view text) {
  Temporary file(path);
  file.write(text);
  file.publish();
  return file.result();
}

}  // namespace lm::cli
