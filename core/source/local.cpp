#include "source/source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

namespace lm {
namespace {

namespace fs = std::filesystem;

class FileStream final : public ByteStream {
 public:
  FileStream(int fd, bool owned) : fd_(fd), owned_(owned) {}
  ~FileStream() override {
    if (owned_) ::close(fd_);
  }
  Result<std::size_t> read(std::span<std::byte> out) override {
    for (;;) {
      const ssize_t n = ::read(fd_, out.data(), out.size());
      if (n >= 0) return static_cast<std::size_t>(n);
      if (errno != EINTR) return fail(Errc::io, fmt::format("cannot be read: {}", std::strerror(errno)));
    }
  }

 private:
  int fd_;
  bool owned_;
};

ObjectRef object_of(const fs::path& path, const struct stat& s) {
  const auto nanoseconds = static_cast<std::int64_t>(s.st_mtim.tv_sec) * 1'000'000'000 + s.st_mtim.tv_nsec;
  return {path.string(), path.string(), S_ISREG(s.st_mode) ? fmt::format("{:x}-{:x}", s.st_size, nanoseconds) : std::string(),
          S_ISREG(s.st_mode) ? static_cast<std::uint64_t>(s.st_size) : 0, nanoseconds / 1'000'000};
}

Result<std::unique_ptr<ByteStream>> open_file(const ObjectRef& object, std::uint64_t from) {
  const int fd = ::open(object.uri.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(Errc::io, fmt::format("cannot be opened: {}", std::strerror(errno)));
  auto stream = std::make_unique<FileStream>(fd, true);
  struct stat s {};
  if (::fstat(fd, &s) == 0 && S_ISDIR(s.st_mode)) return fail(Errc::io, "is a directory");
  if (S_ISREG(s.st_mode)) ::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  if (from != 0 && ::lseek(fd, static_cast<off_t>(from), SEEK_SET) < 0)
    return fail(Errc::io, fmt::format("cannot be read from {}: {}", from, std::strerror(errno)));
  return stream;
}

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

// A tree of files. The walk is depth-first with each directory's entries in order; it is kept between pages, so that a page costs what it shows.
class TreeSource final : public Source {
 public:
  // `pattern` empty: every regular file below `root`; else those whose path matches it.
  TreeSource(fs::path root, std::string pattern) : root_(std::move(root)), pattern_(std::move(pattern)) {}

  Result<ObjectPage> list(std::string_view after, std::size_t limit) override {
    if (after.empty() || after != last_) {
      stack_.clear(), inside_.clear();
      if (auto ok = enter(root_); !ok) return tl::unexpected(ok.error());
      // Resumed elsewhere: walk up to there again.
      while (!after.empty()) {
        auto object = next();
        if (!object) return tl::unexpected(object.error());
        if (object->uri.empty() || object->uri == after) break;
      }
    }
    ObjectPage page;
    while (page.objects.size() < limit) {
      auto object = next();
      if (!object) return tl::unexpected(object.error());
      if (object->uri.empty()) {
        page.last = true;
        return page;
      }
      last_ = object->uri;
      page.objects.push_back(std::move(*object));
    }
    page.last = false;
    return page;
  }

  Result<std::unique_ptr<ByteStream>> open(const ObjectRef& object, std::uint64_t from) override { return open_file(object, from); }

 private:
  struct Level {
    std::vector<std::string> names;
    std::size_t next = 0;
    fs::path path;
    std::pair<dev_t, ino_t> id;
  };

  Result<void> enter(const fs::path& directory) {
    struct stat s {};
    if (::stat(directory.c_str(), &s) != 0)
      return fail(Errc::io, fmt::format("directory {}: {}", directory.string(), std::strerror(errno)));
    // A link that leads back up would never end.
    if (!inside_.insert({s.st_dev, s.st_ino}).second) return {};
    Level level;
    level.path = directory;
    level.id = {s.st_dev, s.st_ino};
    std::error_code error;
    for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error))
      level.names.push_back(it->path().filename().string());
    if (error) return fail(Errc::io, fmt::format("directory {}: {}", directory.string(), error.message()));
    std::sort(level.names.begin(), level.names.end());
    stack_.push_back(std::move(level));
    return {};
  }

  // The next object; an empty uri at the end.
  Result<ObjectRef> next() {
    while (!stack_.empty()) {
      Level& level = stack_.back();
      if (level.next == level.names.size()) {
        inside_.erase(level.id);
        stack_.pop_back();
        continue;
      }
      const fs::path path = level.path / level.names[level.next++];
      struct stat s {};
      if (::stat(path.c_str(), &s) != 0) {
        if (errno == ENOENT || errno == ELOOP) continue;  // a link that leads nowhere
        return fail(Errc::io, fmt::format("{}: {}", path.string(), std::strerror(errno)));
      }
      if (S_ISDIR(s.st_mode)) {
        if (auto ok = enter(path); !ok) return tl::unexpected(ok.error());
        continue;
      }
      if (!S_ISREG(s.st_mode)) continue;
      if (!pattern_.empty() && !matches(pattern_, path.string())) continue;
      return object_of(path, s);
    }
    return ObjectRef{};
  }

 public:
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
    if (::fnmatch(std::string(head).c_str(), std::string(path.substr(0, path_slash)).c_str(), 0) != 0) return false;
    return slash == std::string_view::npos || matches(pattern.substr(slash + 1), path.substr(path_slash + 1));
  }

 private:
  fs::path root_;
  std::string pattern_, last_;
  std::vector<Level> stack_;
  std::set<std::pair<dev_t, ino_t>> inside_;
};

}  // namespace

Result<std::unique_ptr<Source>> open_source(std::string_view input) {
  if (input == "-") return std::make_unique<StdinSource>();
  if (input.empty()) return fail(Errc::invalid, "an empty input");
  const std::string name(input);
  struct stat s {};
  if (::stat(name.c_str(), &s) == 0) {
    if (S_ISDIR(s.st_mode)) return std::make_unique<TreeSource>(name, "");
    return std::make_unique<FileSource>(object_of(name, s));
  }
  const int error = errno;
  if (name.find_first_of("*?[") == std::string::npos) return fail(Errc::not_found, fmt::format("{}: {}", name, std::strerror(error)));
  // The walk begins at the part before the first wildcard.
  const std::size_t wild = name.find_first_of("*?[");
  const std::size_t slash = name.rfind('/', wild);
  const fs::path root = slash == std::string::npos ? "." : slash == 0 ? "/" : name.substr(0, slash);
  std::string pattern = name;
  if (slash == std::string::npos) pattern = "./" + name;
  auto source = std::make_unique<TreeSource>(root, pattern);
  auto page = source->list("", 1);
  if (!page || page->objects.empty()) return fail(Errc::not_found, fmt::format("{}: nothing matches", name));
  return std::make_unique<TreeSource>(root, pattern);
}

}  // namespace lm
