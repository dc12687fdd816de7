#include "base/log.hpp"
#include "source/source.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

namespace lm {
namespace {

constexpr off_t kReadAhead = 128 << 10;  // what the kernel reads ahead without being told

class FileStream final : public ByteStream {
 public:
  FileStream(int fd, bool owned) : fd_(fd), owned_(owned) {
    struct stat s {};
    waits_ = ::fstat(fd_, &s) != 0 || !S_ISREG(s.st_mode);
  }
  ~FileStream() override {
    if (owned_) ::close(fd_);
  }
  bool ready() override {
    constexpr int kMoment = 100;  // milliseconds
    pollfd wanted{fd_, POLLIN, 0};
    return !waits_ || ::poll(&wanted, 1, kMoment) > 0;
  }
  Result<std::size_t> read(std::span<std::byte> out) override {
    for (;;) {
      while (!ready()) {}  // a pipe without a writer yet would seem to have ended
      const ssize_t n = ::read(fd_, out.data(), out.size());
      if (n >= 0) return static_cast<std::size_t>(n);
      if (errno != EINTR && errno != EAGAIN) return fail(Errc::io, fmt::format("cannot be read: {}", std::strerror(errno)));
    }
  }

 private:
  int fd_;
  bool owned_;
  bool waits_ = false;  // no regular file
};

ObjectRef object_of(const std::string& path, const struct stat& s) {
  const auto nanoseconds = static_cast<std::int64_t>(s.st_mtim.tv_sec) * 1'000'000'000 + s.st_mtim.tv_nsec;
  return {path, path, S_ISREG(s.st_mode) ? fmt::format("{:x}-{:x}", s.st_size, nanoseconds) : std::string(),
          S_ISREG(s.st_mode) ? static_cast<std::uint64_t>(s.st_size) : 0, nanoseconds / 1'000'000};
}

}  // namespace

Result<std::unique_ptr<ByteStream>> open_file(const ObjectRef& object, std::uint64_t from) {
  if (!object.trouble.empty()) return fail(Errc::io, object.trouble);
  int fd = -1;
  do {  // not waiting for a pipe's other end, which may be long in coming
    fd = ::open(object.uri.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return fail(Errc::io, fmt::format("cannot be opened: {}", std::strerror(errno)));
  auto stream = std::make_unique<FileStream>(fd, true);
  struct stat s {};
  if (::fstat(fd, &s) == 0 && S_ISDIR(s.st_mode)) return fail(Errc::io, "is a directory");
  // What is read in one go needs no advice.
  if (S_ISREG(s.st_mode) && s.st_size > kReadAhead) ::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  if (from != 0 && ::lseek(fd, static_cast<off_t>(from), SEEK_SET) < 0)
    return fail(Errc::io, fmt::format("cannot be read from {}: {}", from, std::strerror(errno)));
  return stream;
}

ObjectRef local_object(const std::string& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return {path, path, {}, 0, 0};
  return object_of(path, s);
}

namespace {

// One name that the user gave.
class FileSource final : public Source {
 public:
  explicit FileSource(ObjectRef object) : object_(std::move(object)) {}
  Result<ObjectPage> list(std::string_view after, std::size_t) override {
    ObjectPage page;
    if (after < object_.uri) page.objects.push_back(object_);
    return page;
  }
  Result<std::unique_ptr<ByteStream>> open(const ObjectRef& object, std::uint64_t from) override { return open_file(object, from); }

 private:
  ObjectRef object_;
};

class StdinSource final : public Source {
 public:
  Result<ObjectPage> list(std::string_view after, std::size_t) override {
    ObjectPage page;
    if (after.empty()) page.objects.push_back({"-", "-", "", 0, 0});
    return page;
  }
  Result<std::unique_ptr<ByteStream>> open(const ObjectRef&, std::uint64_t from) override {
    if (from != 0) return fail(Errc::unsupported, "standard input cannot be read from the middle");
    return std::make_unique<FileStream>(STDIN_FILENO, false);
  }
};

// A tree of files. The walk is depth-first in the order of the uris; it is kept between pages, so that a page costs what it shows, and only the names of
// the directories that are open are held.
class TreeSource final : public Source {
 public:
  // `root`: "" or what every uri begins with, up to a '/'. `pattern` empty: every regular file below `root`; else those whose path matches it.
  TreeSource(std::string root, std::string pattern, const SourceOptions& options)
      : root_(std::move(root)), pattern_(std::move(pattern)), filter_(options.filter), own_(options.own) {}

  Result<ObjectPage> list(std::string_view after, std::size_t limit) override {
    if (after.empty() || after != last_) {
      stack_.clear(), inside_.clear();
      after_ = last_ = after;
      troubled_ = enter(root_);
    }
    ObjectPage page;
    while (page.objects.size() < limit) {
      ObjectRef object = next();
      if (object.uri.empty()) return page;
      last_ = object.uri;
      page.objects.push_back(std::move(object));
    }
    page.last = false;
    return page;
  }

  Result<std::unique_ptr<ByteStream>> open(const ObjectRef& object, std::uint64_t from) override { return open_file(object, from); }
  bool has_links() const override { return true; }

 private:
  struct Level {
    std::vector<std::string> names;  // a directory's ends in '/', which is also what puts it in the order of the uris
    std::size_t next = 0;
    std::string prefix;
    std::pair<dev_t, ino_t> id;
  };

  // Answers the directory itself if not all that is in it could be listed: one that is shut costs what is in it, not what is beside it.
  std::optional<ObjectRef> enter(const std::string& prefix) {
    const std::string directory = prefix.empty() ? "." : prefix;
    const auto troubled = [&](int error) -> std::optional<ObjectRef> {
      const std::string uri = directory.back() == '/' ? directory : directory + '/';
      if (uri <= after_) return {};
      return ObjectRef{uri, uri, {}, 0, 0, false, fmt::format("the directory cannot be read: {}", std::strerror(error))};
    };
    struct stat s {};
    if (::stat(directory.c_str(), &s) != 0) return troubled(errno);
    if (!stack_.empty() && is_own(s)) {
      log(LogLevel::info, fmt::format("{}: this run writes there: what is in it is not read", directory));
      return {};
    }
    // A link that leads back up would never end.
    if (!inside_.insert({s.st_dev, s.st_ino}).second) return {};
    Level level;
    level.prefix = prefix;
    level.id = {s.st_dev, s.st_ino};
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), ::closedir);
    if (!open) {
      const int error = errno;
      inside_.erase(level.id);
      return troubled(error);
    }
    for (errno = 0; const dirent* entry = ::readdir(open.get()); errno = 0) {
      std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (is_directory(*entry, prefix + name)) name += '/';
      level.names.push_back(std::move(name));
    }
    const int error = errno;  // the names that came before it are good
    std::sort(level.names.begin(), level.names.end());
    stack_.push_back(std::move(level));
    if (error != 0) return troubled(error);
    return {};
  }

  // Looked at every time: sinks make their folders while the listing goes on.
  bool is_own(const struct stat& directory) const {
    return std::any_of(own_.begin(), own_.end(), [&](const std::string& path) {
      struct stat s {};
      return ::stat(path.c_str(), &s) == 0 && s.st_dev == directory.st_dev && s.st_ino == directory.st_ino;
    });
  }

  // Most file systems say what an entry is; a link is what it leads to.
  static bool is_directory(const dirent& entry, const std::string& path) {
    if (entry.d_type != DT_UNKNOWN && entry.d_type != DT_LNK) return entry.d_type == DT_DIR;
    struct stat s {};
    return ::stat(path.c_str(), &s) == 0 && S_ISDIR(s.st_mode);
  }

  // The next object; an empty uri at the end.
  ObjectRef next() {
    if (troubled_) return *std::exchange(troubled_, std::nullopt);
    while (!stack_.empty()) {
      Level& level = stack_.back();
      if (level.next == level.names.size()) {
        inside_.erase(level.id);
        stack_.pop_back();
        continue;
      }
      const std::string path = level.prefix + level.names[level.next++];
      if (path.back() == '/') {
        // All that is in it begins with its path.
        if (path < after_ && !after_.starts_with(path)) continue;
        if (!pattern_.empty() && !may_hold(pattern_, std::string_view(path).substr(0, path.size() - 1))) continue;
        if (!filter_.wants(path)) continue;
        if (auto troubled = enter(path); troubled && is_there(path.substr(0, path.size() - 1))) return std::move(*troubled);
        continue;
      }
      if (path <= after_ || (!pattern_.empty() && !matches(pattern_, path)) || !filter_.wants(path)) continue;
      struct stat s {};
      if (::stat(path.c_str(), &s) == 0) {
        if (S_ISREG(s.st_mode)) return object_of(path, s);
        log(LogLevel::warning, fmt::format("{}: neither a file nor a directory: not read", path));
        continue;
      }
      const int error = errno;
      const bool nowhere = error == ENOENT || error == ELOOP;
      if (nowhere && !is_there(path)) continue;
      return {path,
              path,
              {},
              0,
              0,
              false,
              fmt::format("{}: {}", nowhere ? "is a link that leads nowhere" : "cannot be opened", std::strerror(error))};
    }
    return {};
  }

  // What was removed since its directory was read is none of a listing's business.
  static bool is_there(const std::string& path) {
    struct stat s {};
    return ::lstat(path.c_str(), &s) == 0 || errno != ENOENT;
  }

  static bool component_matches(std::string_view pattern, std::string_view name) {
    return ::fnmatch(std::string(pattern).c_str(), std::string(name).c_str(), 0) == 0;
  }

  // '/' only matches itself, but "**" matches across it.
  static bool matches(std::string_view pattern, std::string_view path) {
    const std::size_t slash = pattern.find('/'), path_slash = path.find('/');
    const std::string_view head = pattern.substr(0, slash);
    if (head == "**") {
      if (slash == std::string_view::npos) return true;
      for (std::string_view rest = path;;) {
        if (matches(pattern.substr(slash + 1), rest)) return true;
        const std::size_t at = rest.find('/');
        if (at == std::string_view::npos) return false;
        rest.remove_prefix(at + 1);
      }
    }
    if ((slash == std::string_view::npos) != (path_slash == std::string_view::npos)) return false;
    if (!component_matches(head, path.substr(0, path_slash))) return false;
    return slash == std::string_view::npos || matches(pattern.substr(slash + 1), path.substr(path_slash + 1));
  }

  // Can something in this directory match? The others are not entered: that they cannot be read is not this pattern's business.
  static bool may_hold(std::string_view pattern, std::string_view directory) {
    for (;;) {
      const std::size_t slash = pattern.find('/'), directory_slash = directory.find('/');
      const std::string_view head = pattern.substr(0, slash);
      if (head == "**") return true;
      if (slash == std::string_view::npos || !component_matches(head, directory.substr(0, directory_slash))) return false;
      if (directory_slash == std::string_view::npos) return true;
      pattern.remove_prefix(slash + 1);
      directory.remove_prefix(directory_slash + 1);
    }
  }

  std::string root_, pattern_;
  KeyFilter filter_;
  std::vector<std::string> own_;
  std::string after_, last_;           // what the walk passes over; the last object that was shown
  std::optional<ObjectRef> troubled_;  // the root
  std::vector<Level> stack_;
  std::set<std::pair<dev_t, ino_t>> inside_;
};

}  // namespace

Result<std::unique_ptr<Source>> open_source(std::string_view input, const SourceOptions& options) {
  if (input == "-") return std::make_unique<StdinSource>();
  if (input.empty()) return fail(Errc::invalid, "an empty input");
  const std::string name(input);
  struct stat s {};
  if (input.starts_with("s3://") || input.starts_with("az://")) return open_remote(input, options);
  if (::stat(name.c_str(), &s) == 0) {
    if (S_ISDIR(s.st_mode)) return std::make_unique<TreeSource>(name.ends_with('/') ? name : name + '/', "", options);
    return std::make_unique<FileSource>(object_of(name, s));
  }
  const int error = errno;
  if (name.find_first_of("*?[") == std::string::npos) return fail(Errc::not_found, fmt::format("{}: {}", name, std::strerror(error)));
  // The walk begins at the part before the first wildcard.
  const std::size_t wild = name.find_first_of("*?[");
  const std::size_t slash = name.rfind('/', wild);
  const std::string root = slash == std::string::npos ? "" : name.substr(0, slash + 1);
  if (!root.empty() && ::stat(root.c_str(), &s) != 0)
    return fail(Errc::not_found, fmt::format("{}: {}: {}", name, root, std::strerror(errno)));
  auto source = std::make_unique<TreeSource>(root, name, options);
  auto page = source->list("", 1);
  if (!page) return tl::unexpected(page.error());
  if (page->objects.empty() && !options.filter.active()) return fail(Errc::not_found, fmt::format("{}: nothing matches", name));
  return source;
}

}  // namespace lm
