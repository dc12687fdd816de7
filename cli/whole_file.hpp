// Files that appear whole or not at all: what --stats and --out name.
#pragma once

#include <logmill/core.hpp>

#include <filesystem>
#include <string_view>

namespace lm::cli {

// Whether write_whole() could work, asked before the work and not after it: Errc::invalid. Leaves nothing behind: the folder may be one that a run reads.
Result<void> check_writable(const std::filesystem::path&);

// Writes under a temporary name beside `path`, then renames. On error `path` is as it was. A link stays: what it leads to is written. So do devices and pipes, and
// what standard output and standard error go to: these get the text itself. A pipe that nobody reads from is waited for some seconds.
Result<void> write_whole(const std::filesystem::path& path, std::string_view text);

// Whether it leads to the file or the pipe that standard output goes to; to one that is open here, and is not replaced.
bool is_standard_output(const std::filesystem::path&);
bool is_open(const std::filesystem::path&);

}  // namespace lm::cli
