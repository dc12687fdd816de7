#include "parquet/part_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <utility>

namespace lm::sink::parquet {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  // An errno or 0. On Linux the descriptor is gone whatever close answers, but some file systems report a lost write only here.
  int close() {
    const int fd = std::exchange(fd_, -1);
    return fd >= 0 && ::close(fd) != 0 && errno != EINTR ? errno : 0;
  }

 private:
  int fd_;
};

// All of it from `at` on, or an errno.
int write_at(int fd, std::vector<iovec> parts, std::uint64_t at) {
  constexpr std::size_t kParts = 256;  // below every system's IOV_MAX
  std::size_t i = 0;
  while (i < parts.size()) {
    if (parts[i].iov_len == 0) {
      ++i;
      continue;
    }
    const ssize_t written = ::pwritev(fd, parts.data() + i, static_cast<int>(std::min(kParts, parts.size() - i)), static_cast<off_t>(at));
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    if (written == 0) return EIO;
    at += static_cast<std::uint64_t>(written);
    for (auto left = static_cast<std::size_t>(written); left > 0;) {
      const std::size_t n = std::min(left, parts[i].iov_len);
      parts[i].iov_base = static_cast<std::uint8_t*>(parts[i].iov_base) + n;
      parts[i].iov_len -= n;
      left -= n;
      if (parts[i].iov_len == 0) ++i;
    }
  }
  return 0;
}

iovec part_of(Bytes& bytes) { return {bytes.data(), bytes.size()}; }

}  // namespace

Result<void> sync_folder(const std::string& path) {
  Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) return fail_io("open folder", path, errno);
  // Some file systems cannot sync folders and say so with EINVAL; their renames are as durable as they will ever be.
  if (::fsync(folder.get()) != 0 && errno != EINVAL) return fail_io("sync folder", path, errno);
  return {};
}

Result<PartFile> PartFile::create(const Target& target, std::string name) {
  PartFile file;
  std::string path = target.temporary_path(name);
  const std::string folder = std::filesystem::path(path).parent_path().string();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail_io("make folder", folder, error.value());
  Descriptor made(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (made.get() < 0) return fail_io("create", path, errno);
  file.path_ = std::move(path);
  file.name_ = std::move(name);
  static constexpr char kMagic[] = "PAR1";
  if (const int failed = write_at(made.get(), {{const_cast<char*>(kMagic), 4}}, 0); failed != 0)
    return fail_io("write", file.path_, failed);
  if (const int failed = made.close(); failed != 0) return fail_io("close", file.path_, failed);
  file.size_ = 4;
  return file;
}

PartFile::~PartFile() {
  if (path_.empty() || keep_) return;
  ::unlink(path_.c_str());
  // The folders of the partition and the table, if nothing else is in them; rmdir refuses otherwise.
  std::filesystem::path folder = std::filesystem::path(path_).parent_path();
  for (auto depth = std::count(name_.begin(), name_.end(), '/'); depth > 0 && ::rmdir(folder.c_str()) == 0; --depth)
    folder = folder.parent_path();
}

Result<void> PartFile::append(EncodedRowGroup group) {
  Descriptor file(::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0) return fail_io("open", path_, errno);
  std::vector<iovec> parts;
  std::uint64_t at = size_;
  for (std::size_t i = 0; i < group.chunks.size(); ++i) {
    ChunkInfo& info = group.info.chunks[i];
    if (info.dictionary_at >= 0) info.dictionary_at += static_cast<std::int64_t>(at);
    info.data_at += static_cast<std::int64_t>(at);
    // A chunk that is the same as another one's is written once more: readers expect that no two share their bytes.
    Chunk& chunk = group.chunks[group.same_as[i] >= 0 ? static_cast<std::size_t>(group.same_as[i]) : i];
    at += chunk.size();
    for (Bytes& part : chunk.parts) parts.push_back(part_of(part));
  }
  if (const int failed = write_at(file.get(), std::move(parts), size_); failed != 0) return fail_io("write", path_, failed);
  // On its way to the disk while the next rows are encoded, so that finish() finds little to wait for. A hint: where it fails, finish() waits, or says why.
  ::sync_file_range(file.get(), static_cast<off_t>(size_), static_cast<off_t>(at - size_), SYNC_FILE_RANGE_WRITE);
  if (const int failed = file.close(); failed != 0) return fail_io("close", path_, failed);
  size_ = at;
  rows_ += static_cast<std::uint64_t>(group.info.rows);
  groups_.push_back(std::move(group.info));
  return {};
}

Result<void> PartFile::finish(const TableSchema& schema, bool zstd) {
  Bytes footer;
  put_footer(schema, zstd, groups_, footer);
  Descriptor file(::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0) return fail_io("open", path_, errno);
  if (const int failed = write_at(file.get(), {part_of(footer)}, size_); failed != 0) return fail_io("write", path_, failed);
  if (::fsync(file.get()) != 0) return fail_io("sync", path_, errno);
  if (const int failed = file.close(); failed != 0) return fail_io("close", path_, failed);
  size_ += footer.size();
  groups_ = {};
  return {};
}

std::vector<std::string> PartFile::folders() const {
  std::vector<std::string> out;
  std::filesystem::path folder = std::filesystem::path(path_).parent_path();
  for (auto depth = std::count(name_.begin(), name_.end(), '/') + 1; depth > 0; --depth, folder = folder.parent_path())
    out.push_back(folder.empty() ? "." : folder.string());
  return out;
}

}  // namespace lm::sink::parquet
