#include "stats_file.hpp"

#include "text.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace lm::cli {
namespace {

tl::unexpected<Error> cannot_write(const std::filesystem::path& path, int error) {
  return fail(Errc::io, fmt::format("--stats {}: cannot be written: {}", printable(path.string()), std::generic_category().message(error)));
}

}  // namespace

Result<StatsFile> StatsFile::open(std::filesystem::path path) {
  StatsFile stats;
  stats.path_ = std::move(path);
  stats.temporary_ = stats.path_;
  stats.temporary_ += fmt::format(".tmp-{}", getpid());
  stats.file_ = ::open(stats.temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (stats.file_ < 0) return cannot_write(stats.path_, errno);
  return stats;
}

StatsFile::StatsFile(StatsFile&& other) noexcept
    : path_(std::move(other.path_)), temporary_(std::move(other.temporary_)), file_(std::exchange(other.file_, -1)) {}

StatsFile::~StatsFile() {
  if (file_ < 0) return;
  ::close(file_);
  ::unlink(temporary_.c_str());
}

Result<void> StatsFile::write(std::string_view text) {
  const std::string line = std::string(text) + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(file_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return cannot_write(path_, errno);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file_) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) return cannot_write(path_, errno);
  ::close(std::exchange(file_, -1));
  return {};
}

}  // namespace lm::cli
