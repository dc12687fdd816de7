// Where a record stands in the decoded stream of its object, with the wrapping and the escapes that it has there.
#pragma once

#include <cstdint>

namespace lm {

struct Place {
  std::uint64_t offset = 0, length = 0;
};

}  // namespace lm
