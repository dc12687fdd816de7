// Text for people and for JSON: numbers as a tired reader takes them in, and names that came from hostile archives made harmless.
// All functions are pure and never throw but for lack of memory.
//   count(1234567)          -> "1,234,567"
//   bytes(1234567)          -> "1.2 MB"             decimal units, as disks and networks are sold
//   rate(12300000.0)        -> "12.3 MB/s"
//   duration(3725)          -> "1 h 02 min"
//   printable("a\x1b[2Jb")  -> "a\\x1b[2Jb"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lm::cli {

std::string count(std::uint64_t);
std::string bytes(double);
std::string rate(double bytes_per_second);
std::string duration(double seconds);

// What a terminal can be sent: control characters, bytes that are not UTF-8, and the characters that reorder text are shown as \xNN.
std::string printable(std::string_view);

// A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD, because JSON cannot carry them.
std::string json_string(std::string_view);

// Breaks at spaces so that no line is longer than `width`; every line but the first is indented by `indent` spaces.
std::string wrap(std::string_view, std::size_t width, std::size_t indent);

}  // namespace lm::cli
