// Finds where lines end, 64 bytes at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lm {

// Sets `ends` to the indices in [from, to) of line feeds, ascending. At most 4 GiB are looked at.
void find_line_ends(const std::uint8_t* data, std::size_t from, std::size_t to, std::vector<std::uint32_t>& ends);

}  // namespace lm
