// The --stats file. It appears whole or not at all, and a path that cannot be written is noticed before the run and not after it.
#pragma once

#include <logmill/core.hpp>

#include <filesystem>
#include <string_view>

namespace lm::cli {

class StatsFile {
 public:
  // Opens a temporary file beside `path`.
  static Result<StatsFile> open(std::filesystem::path path);
  ~StatsFile();  // removes the temporary file if nothing was written
  StatsFile(StatsFile&&) noexcept;
  StatsFile& operator=(StatsFile&&) = delete;

  Result<void> write(std::string_view text);  // once; adds a line end and gives the file its name

 private:
  StatsFile() = default;
  std::filesystem::path path_, temporary_;
  int file_ = -1;
};

}  // namespace lm::cli
