#include "common/output_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>

namespace lm::sink {
namespace {

constexpr std::string_view kTemporarySuffix = ".unpublished";
constexpr std::size_t kMaxComponent = 200;
constexpr std::size_t kMaxWrite = std::size_t{64} << 20;

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A name is durable only when its folder is.
Result<void> sync_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail_io("open folder", path, errno);
  const int failed = ::fsync(fd) != 0 ? errno : 0;
  ::close(fd);
  // Some file systems cannot sync folders and say so with EINVAL; their renames are as durable as they will ever be.
  if (failed != 0 && failed != EINVAL) return fail_io("sync folder", path, failed);
  return {};
}

Result<void> make_folder(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return {};
    return fail(LM_INVALID, path + " exists and is not a folder");
  }
  if (errno == ENOTDIR) return fail(LM_INVALID, "a part of the path " + path + " exists and is not a folder");
  if (errno != ENOENT) return fail_io("look at", path, errno);
  const std::string parent = parent_of(path);
  if (parent != path) {
    if (auto ok = make_folder(parent); !ok) return ok;
  }
  if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) return fail_io("make folder", path, errno);
  if (::stat(path.c_str(), &info) != 0) return fail_io("look at", path, errno);
  if (!S_ISDIR(info.st_mode)) return fail(LM_INVALID, path + " exists and is not a folder");
  return sync_folder(parent);
}

// Blocks SIGPIPE for this thread and swallows the one that its own write raised, so that no handler of the process is touched.
class NoSigpipe {
 public:
  NoSigpipe() {
    sigemptyset(&pipe_), sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoSigpipe() {
    if (!was_pending_) {
      const timespec now{};
      while (sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {}
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;

 private:
  sigset_t pipe_{}, before_{};
  bool was_pending_ = false;
};

bool exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

}  // namespace

bool is_safe_relative(std::string_view name) {
  if (name.empty() || name.find('\0') != std::string_view::npos) return false;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view component = name.substr(begin, end - begin);
    if (component.empty() || component == "." || component == "..") return false;
    begin = end + 1;
  }
  return true;
}

std::string safe_component(std::string_view value) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  if (value.empty()) return "%";
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto c = static_cast<unsigned char>(value[i]);
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || (c == '.' && i != 0);
    if (plain) {
      out.push_back(value[i]);
    } else {
      out.push_back('%'), out.push_back(kHex[c >> 4]), out.push_back(kHex[c & 15]);
    }
  }
  if (out.size() <= kMaxComponent) return out;
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char c : value) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  char hex[20];
  std::snprintf(hex, sizeof hex, "%%~%016llx", static_cast<unsigned long long>(hash));  // "%~" stands in no encoded text
  out.resize(kMaxComponent - 18);
  return out + hex;
}

Result<Target> Target::create(std::string_view path) {
  if (path.empty()) return fail(LM_INVALID, "the target folder has no name");
  if (path.find('\0') != std::string_view::npos) return fail(LM_INVALID, "the target folder's name holds a NUL byte");
  std::string clean(path);
  while (clean.size() > 1 && clean.back() == '/') clean.pop_back();
  if (auto ok = make_folder(clean); !ok) return tl::make_unexpected(ok.error());
  return Target(std::move(clean));
}

std::string Target::temporary_path(std::string_view name) const {
  const std::size_t slash = name.rfind('/');
  const std::size_t base = slash == std::string_view::npos ? 0 : slash + 1;
  std::string out = path_ + "/";
  out.append(name.substr(0, base)).append(".").append(name.substr(base)).append(kTemporarySuffix);
  return out;
}

Result<void> Target::publish(std::string_view name) const {
  if (!is_safe_relative(name)) return fail(LM_INVALID, "not the name of an output: " + safe_component(name));
  const std::string from = temporary_path(name), to = final_path(name);
  int failed = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0 ? errno : 0;
  if (failed == EINVAL || failed == ENOSYS) {  // the file system cannot refuse by itself
    failed = exists(to) && exists(from) ? EEXIST : ::rename(from.c_str(), to.c_str()) != 0 ? errno : 0;
  }
  if (failed == ENOENT && exists(to)) failed = 0;
  if (failed != 0) return fail_io("publish", to, failed);
  return sync_folder(parent_of(to));
}

Result<void> Target::discard(std::string_view name) const {
  if (!is_safe_relative(name)) return fail(LM_INVALID, "not the name of an output: " + safe_component(name));
  for (const std::string& path : {temporary_path(name), final_path(name)}) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) return fail_io("remove", path, errno);
  }
  return {};
}

Result<void> Target::sweep(std::string_view run) const {
  namespace fs = std::filesystem;
  const std::string mark = std::string("-").append(run);
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

Result<OutputFile> OutputFile::create(const Target& target, std::string_view name) {
  if (!is_safe_relative(name)) return fail(LM_INVALID, "not a safe file name: " + safe_component(name));
  OutputFile file;
  std::string path = target.temporary_path(name);
  if (auto ok = make_folder(parent_of(path)); !ok) return tl::make_unexpected(ok.error());
  file.fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (file.fd_ < 0) return fail_io("create", path, errno);
  file.path_ = std::move(path);
  file.name_ = name;
  return file;
}

OutputFile::~OutputFile() {
  if (!path_.empty() && !keep_) remove();
}

Result<void> OutputFile::append(std::span<const std::byte> bytes) {
  if (fd_ < 0) return fail(LM_INTERNAL, "append to a file that is not open: " + path_);
  if (const int failed = write_fully(fd_, bytes); failed != 0) return fail_io("write", path_, failed);
  size_ += bytes.size();
  return {};
}

Result<void> OutputFile::finish() {
  if (fd_ < 0) return fail(LM_INTERNAL, "finish of a file that is not open: " + path_);
  if (::fsync(fd_) != 0) return fail_io("sync", path_, errno);
  // On Linux the descriptor is gone whatever close answers, but some file systems report a lost write only here.
  const int fd = std::exchange(fd_, -1);
  if (::close(fd) != 0 && errno != EINTR) return fail_io("close", path_, errno);
  if (auto ok = sync_folder(parent_of(path_)); !ok) return ok;
  keep_ = true;
  return {};
}

void OutputFile::remove() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  if (!path_.empty()) ::unlink(path_.c_str());
  path_.clear(), name_.clear();
}

int write_fully(int fd, std::span<const std::byte> bytes) {
  const NoSigpipe guard;
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), std::min(bytes.size(), kMaxWrite));
    if (written > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    } else if (written == 0) {
      return EIO;  // a write of some bytes that writes none and says nothing would loop for ever
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      pollfd wait{fd, POLLOUT, 0};
      if (::poll(&wait, 1, -1) < 0 && errno != EINTR) return errno;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

}  // namespace lm::sink
