// Finds where a JSON value ends: brackets are counted outside of strings, little else is looked at. Resumable at any byte.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lm {

struct JsonScan {
  std::uint64_t depth = 0;  // of brackets of either kind
  std::int64_t braces = 0;  // '{' less '}': not 0 at the end if a ']' closed a '{' or a '}' a '['
  bool in_string = false;
  bool escaped = false;  // the next byte is
  bool closed = false;   // the last byte was the quote that closes a string
};

// Scans `size` bytes; LM_PADDING more are readable behind them, and `before` bytes of the same value in front. The value begins with its opening bracket, at
// depth 0. Answers the index behind the bracket that closes it, or `size` + 1 if it is still open, with `scan` ready for the bytes that follow.
//
// *broken: what was met is in no JSON, and shows that a quote or a bracket is missing; the answer is the index at which a scan that does not care may go on:
//   - a line feed inside a string,
//   - something else than white space and , : ] } behind the end of a string: what was taken for text was structure and the other way round,
//   - an object that begins a line where none can be: the record of the line before was cut off.
std::size_t scan_json(JsonScan& scan, const std::uint8_t* data, std::size_t size, std::size_t before, bool* broken);

// The same, a byte at a time: the reference, and what runs where there is no AVX2.
std::size_t scan_json_scalar(JsonScan& scan, const std::uint8_t* data, std::size_t size, std::size_t before, bool* broken);

}  // namespace lm
