// Files that readers see whole or not at all, by the host's storage (logmill/storage.h): in a folder or in a bucket, as the target says.
//
//   auto target = Target::open(config);
//   auto file = OutputFile::create(*target, "api_activity/part-RUN-0.parquet");
//   file->append(bytes);
//   file->finish();
//   auto token = file->seal();                   // durable
//   file->keep();                                // once the host knows of it
//   target->publish(*token);                     // visible; possible in a later process too
//
// A file that is not to be kept is removed when its OutputFile goes.
#pragma once

#include "common/error.hpp"

#include <logmill/sink.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace lm::sink {

// A path component that stands for any text, hostile or not: letters, digits, '-', '_' and '.' (not in front) stay, other bytes become %XX.
// Different values give different names; what would be longer than 200 bytes is cut and told apart by a hash. An empty value gives "%".
std::string safe_component(std::string_view value);

// The place to which a sink writes. Copyable; functions may be called from any thread.
class Target {
 public:
  // LM_UNSUPPORTED if the host is older than its storage; LM_INVALID for "-".
  static Result<Target> open(const lm_sink_config&);

  Result<void> publish(std::string_view token) const;
  Result<void> discard(std::string_view token) const;
  Result<void> sweep(std::string_view run) const;

 private:
  friend class OutputFile;
  explicit Target(const lm_storage& storage) : storage_(&storage) {}
  const lm_storage* storage_;
};

// Belongs to one thread at a time. After a failure it can only be dropped.
class OutputFile {
 public:
  // `name` is relative to the target. LM_INVALID if it is not safe; LM_IO if it is there already.
  static Result<OutputFile> create(const Target&, std::string_view name);

  OutputFile() = default;
  OutputFile(OutputFile&& other) noexcept { swap(other); }
  OutputFile& operator=(OutputFile&& other) noexcept {
    OutputFile moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~OutputFile();

  // Writes all of it or fails.
  Result<void> append(std::span<const lm_str> pieces);
  Result<void> append(std::string_view text) {
    const lm_str piece{text.data(), text.size()};
    return append({&piece, 1});
  }
  // Nothing comes any more. What is left to do may go on behind it.
  Result<void> finish();
  // The token: text for publish and discard.
  Result<std::string> seal();
  void keep() { keep_ = true; }

  explicit operator bool() const { return output_ != nullptr; }
  const std::string& name() const { return name_; }
  std::uint64_t size() const { return size_; }

 private:
  void swap(OutputFile& other) noexcept {
    std::swap(storage_, other.storage_), std::swap(output_, other.output_), std::swap(name_, other.name_), std::swap(size_, other.size_);
    std::swap(keep_, other.keep_);
  }

  const lm_storage* storage_ = nullptr;
  lm_storage_output* output_ = nullptr;
  std::string name_;
  std::uint64_t size_ = 0;
  bool keep_ = false;
};

// Writes all of it to a descriptor, whatever the signals and however short the writes; waits where the descriptor is non-blocking. Answers
// an errno or 0. A reader that has gone is EPIPE, never the signal.
int write_fully(int fd, std::span<const std::byte> bytes);

}  // namespace lm::sink
