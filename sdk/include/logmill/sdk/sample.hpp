// logmill/sdk/sample.hpp -- what score() is given: the beginning of an object. Part of logmill/sdk.hpp.
//
// Views of the host's memory, good until score() returns; LM_PADDING bytes behind `head` may be read. Pure, no allocation, never throws. A copy may be cut down, as
// find_line does. Source: lm_sample in logmill/plugin.h.
#pragma once

#include <logmill/plugin.h>

#include <cstddef>
#include <string_view>

namespace lm {

struct Sample {
  static constexpr std::size_t npos = std::string_view::npos;
  std::string_view key;             // the object's key or path
  std::string_view head;            // up to 64 KiB of decoded bytes, without a byte order mark
  bool whole = false;               // head is the whole object
  const lm_sample* from = nullptr;  // what the host gave; lm::json::Outline asks it
  std::string_view first_line() const {
    std::string_view line = head.substr(0, head.find('\n'));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
  }
  // The number of the first line, of a few and not counting blank ones, that `is` answers true for; -1 if there is none. One line that is damaged must not cost
  // the object: score what is found further down a little lower.
  template <class Is>
  int find_line(Is&& is) const {
    constexpr int kMost = 8;
    Sample rest = *this;
    for (int n = 0; n < kMost && !rest.head.empty();) {
      const std::string_view line = rest.first_line();
      if (is(line)) return n;
      n += line.find_first_not_of(" \t") != npos;
      const std::size_t end = rest.head.find('\n');
      rest.head.remove_prefix(end == npos ? rest.head.size() : end + 1);
    }
    return -1;
  }
  // The score of lines that `is` is sure of.
  template <class Is>
  int line_score(Is&& is) const {
    const int line = find_line(is);
    return line < 0 ? 0 : line == 0 ? 95 : 85;
  }
};

}  // namespace lm
