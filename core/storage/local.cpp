// A folder. The temporary of "a/part-0.parquet" is "a/.part-0.parquet.unpublished": the final name is the token. A file is open only while something is
// written to it, so that thousands of partitions cost no file descriptors.
#include "storage/storage.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <utility>
#include <vector>

namespace lm {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemporarySuffix = ".unpublished";
constexpr std::size_t kWorthAHint = std::size_t{4} << 20;
constexpr std::size_t kBuffered = std::size_t{64} << 10;

// "cannot write lake/api_activity/x: No space left on device"
tl::unexpected<Error> fail_io(std::string_view what, std::string_view path, int system_error) {
  return fail(Errc::io, fmt::format("cannot {} {}: {}", what, path, std::strerror(system_error)));
}
tl::unexpected<Error> bad_name(std::string_view name) {
  return fail(Errc::invalid, fmt::format("not the name of an output: {}", name.substr(0, 200)));
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// On Linux the descriptor is gone whatever close answers, but some file systems report a lost write only here.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int close() {  // an errno or 0
    const int fd = std::exchange(fd_, -1);
    return fd >= 0 && ::close(fd) != 0 && errno != EINTR ? errno : 0;
  }

 private:
  int fd_;
};

// A name is durable only when its folder is.
Result<void> sync_folder(const std::string& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) return fail_io("open folder", path, errno);
  // Some file systems cannot sync folders and say so with EINVAL; their renames are as durable as they will ever be.
  if (::fsync(folder.get()) != 0 && errno != EINVAL) return fail_io("sync folder", path, errno);
  return {};
}

// Calls `made` with the parent of every folder that was not there.
Result<void> make_folder(const std::string& path, const std::function<Result<void>(const std::string&)>& made) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return {};
    return fail(Errc::invalid, path + " exists and is not a folder");
  }
  if (errno == ENOTDIR) return fail(Errc::invalid, "a part of the path " + path + " exists and is not a folder");
  if (errno != ENOENT) return fail_io("look at", path, errno);
  const std::string parent = parent_of(path);
  if (parent != path) {
    if (auto ok = make_folder(parent, made); !ok) return ok;
  }
  if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) return fail_io("make folder", path, errno);
  if (::stat(path.c_str(), &info) != 0) return fail_io("look at", path, errno);
  if (!S_ISDIR(info.st_mode)) return fail(Errc::invalid, path + " exists and is not a folder");
  return made(parent);
}

// All of it from `at` on, or an errno.
int write_at(int fd, Pieces pieces, std::uint64_t at) {
  constexpr std::size_t kParts = 256;  // below every system's IOV_MAX
  std::vector<iovec> parts;
  for (const std::string_view piece : pieces) parts.push_back({const_cast<char*>(piece.data()), piece.size()});
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
    if (written == 0) return EIO;  // a write of some bytes that writes none and says nothing would loop for ever
    at += static_cast<std::uint64_t>(written);
    for (auto left = static_cast<std::size_t>(written); left > 0;) {
      const std::size_t n = std::min(left, parts[i].iov_len);
      parts[i].iov_base = static_cast<char*>(parts[i].iov_base) + n;
      parts[i].iov_len -= n;
      left -= n;
      if (parts[i].iov_len == 0) ++i;
    }
  }
  return 0;
}

bool exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

// Folders whose new names are not durable yet. Files share most of their folders: each is synced once for all that are made in it before.
class Folders {
 public:
  void changed(const std::string& path) {
    const std::lock_guard lock(mutex_);
    auto& folder = known_[path];
    if (!folder) folder = std::make_shared<Folder>();
    ++folder->changes;
  }
  Result<void> sync(const std::string& path) {
    std::shared_ptr<Folder> folder;
    {
      const std::lock_guard lock(mutex_);
      const auto found = known_.find(path);
      if (found == known_.end()) return {};
      folder = found->second;
    }
    const std::lock_guard lock(folder->mutex);  // who comes while it is synced waits for the end of it
    const std::uint64_t changes = folder->changes;
    if (folder->synced == changes) return {};
    auto ok = sync_folder(path);
    if (ok) folder->synced = changes;
    return ok;
  }

 private:
  struct Folder {
    std::mutex mutex;
    std::atomic<std::uint64_t> changes{0};
    std::uint64_t synced = 0;  // as many of them
  };
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Folder>> known_;
};

class LocalOutput final : public StorageOutput {
 public:
  LocalOutput(Folders& folders, std::string path, std::string name)
      : folders_(folders), path_(std::move(path)), name_(std::move(name)), folder_(parent_of(path_)) {}
  ~LocalOutput() override {
    if (!made_ || kept_) return;
    ::unlink(path_.c_str());
    // The folders of the partition and the table, if nothing else is in them; rmdir refuses otherwise.
    std::string folder = folder_;
    for (auto depth = std::count(name_.begin(), name_.end(), '/'); depth > 0 && ::rmdir(folder.c_str()) == 0; --depth)
      folder = parent_of(folder);
  }
  LocalOutput(const LocalOutput&) = delete;
  LocalOutput& operator=(const LocalOutput&) = delete;

  Result<void> make() {
    const auto changed = [&](const std::string& folder) -> Result<void> {
      folders_.changed(folder);
      return {};
    };
    if (auto ok = make_folder(folder_, changed); !ok) return ok;
    Descriptor file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (file.get() < 0) return fail_io("create", path_, errno);
    made_ = true;
    folders_.changed(folder_);
    return {};
  }

  Result<void> append(Pieces pieces) override {
    Descriptor file(::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file.get() < 0) return fail_io("open", path_, errno);
    if (const int failed = write_at(file.get(), pieces, size_); failed != 0) return fail_io("write", path_, failed);
    std::uint64_t n = 0;
    for (const std::string_view piece : pieces) n += piece.size();
    // On its way to the disk while the next rows are encoded, so that finish() finds little to wait for. A hint: where it fails, finish() waits, or says why.
    if (n >= kWorthAHint) ::sync_file_range(file.get(), static_cast<off_t>(size_), static_cast<off_t>(n), SYNC_FILE_RANGE_WRITE);
    if (const int failed = file.close(); failed != 0) return fail_io("close", path_, failed);
    size_ += n;
    return {};
  }

  Result<void> finish() override {
    Descriptor file(::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file.get() < 0) return fail_io("open", path_, errno);
    if (::fsync(file.get()) != 0) return fail_io("sync", path_, errno);
    if (const int failed = file.close(); failed != 0) return fail_io("close", path_, failed);
    return {};
  }

  Result<std::string> seal() override {
    std::string folder = folder_;
    for (auto depth = std::count(name_.begin(), name_.end(), '/') + 1; depth > 0; --depth, folder = parent_of(folder)) {
      if (auto ok = folders_.sync(folder); !ok) return tl::unexpected(ok.error());
    }
    return name_;
  }
  void keep() override { kept_ = true; }

 private:
  Folders& folders_;
  const std::string path_, name_, folder_;  // path_: the temporary's
  std::uint64_t size_ = 0;
  bool made_ = false, kept_ = false;
};

class LocalStorage final : public Storage {
 public:
  explicit LocalStorage(std::string target) : path_(std::move(target)) {
    while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
  }

  Result<void> open() override {
    if (path_.empty()) return fail(Errc::invalid, "the target folder has no name");
    if (path_.find('\0') != std::string::npos) return fail(Errc::invalid, "the target folder's name holds a NUL byte");
    if (auto ok = Storages::check_folder(path_); !ok) return ok;
    auto ok = make_folder(path_, sync_folder);
    if (ok && ::access(path_.c_str(), W_OK | X_OK) != 0) ok = fail_io("write to", path_, errno);
    // Nothing was read yet: whoever named the place can name another one.
    if (!ok) return fail(Errc::invalid, ok.error().what);
    return ok;
  }

  Result<std::unique_ptr<StorageOutput>> create(std::string_view name) override {
    if (!is_safe_relative(name)) return bad_name(name);
    auto output = std::make_unique<LocalOutput>(folders_, temporary_path(name), std::string(name));
    if (auto ok = output->make(); !ok) return tl::unexpected(ok.error());
    return output;
  }

  Result<void> publish(std::string_view name) override {
    if (!is_safe_relative(name)) return bad_name(name);
    const std::string from = temporary_path(name), to = final_path(name);
    int failed = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0 ? errno : 0;
    if (failed == EINVAL || failed == ENOSYS) {  // the file system cannot refuse by itself
      failed = exists(to) && exists(from) ? EEXIST : ::rename(from.c_str(), to.c_str()) != 0 ? errno : 0;
    }
    if (failed == ENOENT && exists(to)) failed = 0;
    if (failed != 0) return fail_io("publish", to, failed);
    return sync_folder(parent_of(to));
  }

  Result<void> discard(std::string_view name) override {
    if (!is_safe_relative(name)) return bad_name(name);
    // A name is taken by renaming: where the temporary is still there, what has the final name is somebody else's.
    for (const std::string& path : {temporary_path(name), final_path(name)}) {
      if (::unlink(path.c_str()) == 0) return {};
      if (errno != ENOENT && errno != ENOTDIR) return fail_io("remove", path, errno);
    }
    return {};
  }

  Result<void> sweep(std::string_view run) override {
    const std::string mark = fmt::format("-{}", run);
    std::error_code failed;
    for (fs::recursive_directory_iterator at(path_, fs::directory_options::skip_permission_denied, failed), end; !failed && at != end;
         at.increment(failed)) {
      const std::string name = at->path().filename().string();
      if (!name.starts_with('.') || !name.ends_with(kTemporarySuffix) || name.find(mark) == std::string::npos) continue;
      if (::unlink(at->path().c_str()) != 0 && errno != ENOENT) return fail_io("remove", at->path().string(), errno);
    }
    if (failed) return fail_io("look into", path_, failed.value());
    return {};
  }

  Result<void> settle() override { return {}; }
  void abandon() override {}

  Result<void> replace(std::string_view name, const std::function<Result<void>(const Put&)>& write) override {
    if (!is_safe_relative(name)) return bad_name(name);
    const std::string path = final_path(name), temporary = hidden_path(name, ".tmp");
    Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (file.get() < 0) return fail_io("create", temporary, errno);
    std::string buffer;
    std::uint64_t at = 0;
    int failed = 0;
    const auto flush = [&] {
      const std::string_view piece = buffer;
      if (failed == 0) failed = write_at(file.get(), {&piece, 1}, at);
      at += buffer.size();
      buffer.clear();
    };
    auto ok = write([&](std::string_view text) {
      buffer += text;
      if (buffer.size() >= kBuffered) flush();
    });
    flush();
    if (failed == 0 && ::fsync(file.get()) != 0) failed = errno;
    if (const int lost = file.close(); failed == 0) failed = lost;
    if (failed == 0 && ok && ::rename(temporary.c_str(), path.c_str()) != 0) failed = errno;
    if (failed != 0 || !ok) ::unlink(temporary.c_str());
    if (!ok) return ok;
    if (failed != 0) return fail_io("write", path, failed);
    return sync_folder(parent_of(path));
  }

  Result<std::optional<std::string>> head(std::string_view name, std::size_t bytes) override {
    if (!is_safe_relative(name)) return bad_name(name);
    const Descriptor file(::open(final_path(name).c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) return std::optional<std::string>();
    std::string text(bytes, '\0');
    const ssize_t n = ::pread(file.get(), text.data(), text.size(), 0);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return std::optional(std::move(text));
  }

 private:
  std::string final_path(std::string_view name) const { return fmt::format("{}/{}", path_, name); }
  std::string hidden_path(std::string_view name, std::string_view suffix) const {
    const std::size_t base = name.rfind('/') + 1;  // npos + 1 is 0
    return fmt::format("{}/{}.{}{}", path_, name.substr(0, base), name.substr(base), suffix);
  }
  std::string temporary_path(std::string_view name) const { return hidden_path(name, kTemporarySuffix); }

  std::string path_;
  Folders folders_;
};

}  // namespace

std::unique_ptr<Storage> make_local_storage(std::string target) { return std::make_unique<LocalStorage>(std::move(target)); }

}  // namespace lm
