// Files that readers see whole or not at all: written under a temporary name, made durable, and renamed to the final one when they are
// published.
//
//   auto target = Target::create("lake");                                       // makes the folder
//   auto file = OutputFile::create(*target, "api_activity/part-0.parquet");     // makes lake/api_activity
//   file->append(bytes);
//   file->finish();                                                             // durable under its temporary name, and kept from now on
//   target->publish("api_activity/part-0.parquet");                             // visible; possible in a later process too
//
// The temporary of "a/part-0.parquet" is "a/.part-0.parquet.unpublished": the final name alone is enough to publish or to discard. A file
// that was not finished is removed when its OutputFile goes.
#pragma once

#include "common/error.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lm::sink {

// True for a path below a folder that cannot leave it: no empty, "." or ".." component, no leading '/', no NUL.
bool is_safe_relative(std::string_view name);

// A path component that stands for any text, hostile or not: letters, digits, '-', '_' and '.' (not in front) stay, other bytes become %XX.
// Different values give different names; what would be longer than 200 bytes is cut and told apart by a hash. An empty value gives "%".
std::string safe_component(std::string_view value);

// The folder below which a sink writes. Copyable; functions may be called from any thread.
class Target {
 public:
  // Makes the folder and its parents. LM_INVALID if something that is not a folder stands there or on the way; LM_IO otherwise.
  static Result<Target> create(std::string_view path);

  const std::string& path() const { return path_; }
  std::string final_path(std::string_view name) const { return path_ + "/" + std::string(name); }
  std::string temporary_path(std::string_view name) const;

  // Gives a finished file its final name, durably. Succeeds if that was done before. Never replaces a file.
  Result<void> publish(std::string_view name) const;
  // Removes the file, whatever name it has now. Succeeds if there is none.
  Result<void> discard(std::string_view name) const;
  // Removes every temporary file, in any folder below, whose name holds "-RUN": what a run that was killed has left.
  Result<void> sweep(std::string_view run) const;

 private:
  explicit Target(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Belongs to one thread at a time.
class OutputFile {
 public:
  // `name` is relative to the target. LM_INVALID if it is not safe; LM_IO if its temporary exists already.
  static Result<OutputFile> create(const Target&, std::string_view name);

  OutputFile() = default;
  OutputFile(OutputFile&& other) noexcept { swap(other); }
  OutputFile& operator=(OutputFile&& other) noexcept {
    OutputFile moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~OutputFile();

  // Writes all of it or fails. After a failure the file can only be dropped.
  Result<void> append(std::span<const std::byte> bytes);
  Result<void> append(std::string_view text) { return append(std::as_bytes(std::span(text.data(), text.size()))); }
  // fsync of the file and of its folder, and close. The file then stays when this object goes.
  Result<void> finish();
  // Removes a file also after finish().
  void remove();

  explicit operator bool() const { return !name_.empty(); }
  const std::string& name() const { return name_; }
  std::uint64_t size() const { return size_; }

 private:
  void swap(OutputFile& other) noexcept {
    std::swap(name_, other.name_), std::swap(path_, other.path_), std::swap(fd_, other.fd_), std::swap(size_, other.size_);
    std::swap(keep_, other.keep_);
  }

  std::string name_, path_;  // path_: the temporary's
  int fd_ = -1;
  std::uint64_t size_ = 0;
  bool keep_ = false;
};

// Writes all of it to a descriptor, whatever the signals and however short the writes; waits where the descriptor is non-blocking. Answers
// an errno or 0. A reader that has gone is EPIPE, never the signal.
int write_fully(int fd, std::span<const std::byte> bytes);

}  // namespace lm::sink
