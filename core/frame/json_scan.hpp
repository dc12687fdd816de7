// Finds where a JSON value ends: brackets are counted outside of strings, nothing else is looked at. Resumable at any byte.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lm {

struct JsonScan {
  std::uint64_t depth = 0;  // of brackets of either kind
  std::int64_t braces = 0;  // '{' less '}': not 0 at the end if a ']' closed a '{' or a '}' a '['
  bool in_string = false;
  bool escaped = false;  // the next byte is
};

// Scans `size` bytes; LM_PADDING more are readable. The value begins with its opening bracket, at depth 0. Answers the index behind the bracket that closes
// it, or `size` + 1 if it is still open, with `scan` ready for the bytes that follow. *line_in_string: a line feed was met inside a string,
// which no JSON has: the answer is its index then.
std::size_t scan_json(JsonScan& scan, const std::uint8_t* data, std::size_t size, bool* line_in_string);

// The same, a byte at a time: the reference, and what runs where there is no AVX2.
std::size_t scan_json_scalar(JsonScan& scan, const std::uint8_t* data, std::size_t size, bool* line_in_string);

}  // namespace lm
