// Rejected records and unreadable objects, kept with their bytes, their place and the reason, as NDJSON.
#pragma once

#include "base/result.hpp"

#include <cstdio>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

namespace lm {

std::string_view reject_name(std::uint32_t code);  // LM_REJECT_MALFORMED -> "malformed"

struct RejectLine {
  std::string_view uri, etag, parser, code, message;
  bool record = true;  // false: the object as a whole; the fields below mean nothing
  std::uint64_t offset = 0, length = 0, ordinal = 0;
  std::string_view bytes{};  // what is kept of the record; shorter than `length` if it was too long to keep
  bool whole = false;        // it is all of it, whatever its length is: a record that was unwrapped is shorter than its text with escapes
};

// A row that a sink's target has refused for good.
struct RefusedRow {
  std::string_view sink, uid, message;
  std::string_view row;  // JSON as the sink says, which is checked
};

class RejectsWriter {
 public:
  // An empty directory name: nothing is kept, only counted by the caller.
  static Result<std::unique_ptr<RejectsWriter>> open(const std::filesystem::path& directory, std::string_view run_id);
  ~RejectsWriter();
  // [any] A write error is kept and comes back from finish().
  void add(const RejectLine&);
  void add(const RefusedRow&);
  // Durable, under its final name; no file if nothing was rejected. Answers the name, or "".
  Result<std::string> finish();
  // The first half of finish(): durable, under its temporary name. Answers whether there is a file.
  Result<bool> seal();
  std::uint64_t lines() const { return lines_; }  // after seal()
  std::uint64_t bytes() const { return bytes_; }

  // The other half, also in a later process; idempotent. Answers the final name.
  static Result<std::string> publish(const std::filesystem::path& directory, std::string_view run_id);
  static Result<void> discard(const std::filesystem::path& directory, std::string_view run_id);
  // Removes what runs whose ids begin so have left under temporary names.
  static Result<void> sweep(const std::filesystem::path& directory, std::string_view run_id);

 private:
  RejectsWriter() = default;
  void write(const std::string& line);
  std::mutex mutex_;
  std::filesystem::path directory_, final_, temporary_;
  std::string run_id_;
  std::FILE* file_ = nullptr;
  std::uint64_t lines_ = 0, bytes_ = 0;
  std::string error_;
};

}  // namespace lm
