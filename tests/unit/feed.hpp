// Text for a framer, as a decoder gives it.
#pragma once

#include "frame/frame.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace lm::testing {

// In pieces of `chunk` bytes at most, and to the end, which is `torn` if it says why. take() is called behind each piece, and at the end.
template <class Take>
void feed(Framer& framer, std::string_view text, std::size_t chunk, Take&& take, std::string_view torn = "") {
  while (!text.empty()) {
    const auto space = framer.space();
    const std::size_t n = std::min({chunk, space.size(), text.size()});
    std::memcpy(space.data(), text.data(), n);
    framer.commit(n);
    text.remove_prefix(n);
    take();
  }
  framer.finish(torn);
  take();
}

}  // namespace lm::testing
