// Files that appear whole or not at all: the --stats file.
#pragma once

#include <logmill/core.hpp>

#include <filesystem>
#include <string_view>

namespace lm::cli {

// Whether write_whole() could work, asked before a run and not after it. Leaves nothing behind: the folder may be one that the run reads.
Result<void> check_writable(const std::filesystem::path&);

// Writes under a temporary name beside `path`, then renames. On error `path` is as it was.
Result<void> write_whole(const std::filesystem::path& path, std::string_view text);

}  // namespace lm::cli
