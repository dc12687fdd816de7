// Characters of JSON text that came as escapes. Half a surrogate pair, "\ud83d" alone, is JSON by the grammar of RFC 8259 but no character, and readers (DuckDB, simdjson, jq) refuse
// a whole file for one of them: whoever can write one into a log could hide all others. It becomes "\ufffd", U+FFFD REPLACEMENT CHARACTER; lineage has the bytes as they were.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace lm::json_text {

// The code unit of the escape that begins at text[at]; 0 if there is none. (No escape of U+0000 is half a pair.)
inline std::uint32_t code_unit(std::span<const char> text, std::size_t at) {
  if (text.size() - at < 6 || text[at] != '\\' || text[at + 1] != 'u') return 0;
  std::uint32_t out = 0;
  for (const char c : text.subspan(at + 2, 4)) {
    const bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'f';
    if (!letter && (c < '0' || c > '9')) return 0;
    out = out << 4 | static_cast<std::uint32_t>(letter ? (c | 0x20) - 'a' + 10 : c - '0');
  }
  return out;
}

// Of one JSON text. Its length stays.
inline void replace_halves(std::span<char> text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto* const found = static_cast<const char*>(std::memchr(text.data() + at, '\\', text.size() - at));
    if (!found) return;
    at = static_cast<std::size_t>(found - text.data());
    const std::uint32_t unit = code_unit(text, at);
    if (unit < 0xd800 || unit > 0xdfff) {
      at += 2;  // what stands behind a backslash begins no escape
      continue;
    }
    const std::uint32_t low = unit < 0xdc00 ? code_unit(text, at + 6) : 0;
    if (low >= 0xdc00 && low <= 0xdfff) {
      at += 12;
      continue;
    }
    std::memcpy(text.data() + at + 2, "fffd", 4);
    at += 6;
  }
}

}  // namespace lm::json_text
