// logmill/sdk/quoted.hpp -- lines of fields of which some stand in double quotes, as access logs have them. Pure, no allocation, never throws.
//   lm::split_quoted("a \"b c\" \"\" -", fields)     -> 4 fields: a, b c, the empty one, -      runs of spaces count as one; .quoted says which stood in quotes
//   lm::split_quoted("\"a\"b\" \"c\\\" d\"", fields) -> a"b, c\" d     a field ends at a quote behind which a space or the end is, and before which no odd run of '\'
//   lm::ends_quoted(text, at)                        -> whether the quote at text[at] is such a one
//   lm::unquoted("say \\\"hi\\\"", buffer)           -> say "hi"       of \" and \x22 alone: every other backslash may be the writer's own
// Whoever wrote the quoted text may have written quotes that a log did not escape. Nothing here decides which is which: a caller looks whether the fields are what its
// columns have, and uses ends_quoted to look for other readings of the line.
#pragma once

#include <logmill/sdk/text.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace lm {

struct QuotedFields {
  std::size_t count = 0;     // which may be more than there was room for
  std::uint64_t quoted = 0;  // a bit for each of the first 64 fields
  bool closed = true;        // false: the last field has no quote at its end
};

constexpr bool ends_quoted(std::string_view text, std::size_t at) {
  if (at + 1 < text.size() && text[at + 1] != ' ') return false;
  std::size_t first = at;
  while (first > 0 && text[first - 1] == '\\') --first;
  return (at - first) % 2 == 0;
}

namespace detail {

// Of the 64 bytes from data[block] on, or what there is of them, a bit for each space and each quote.
struct QuoteMasks {
  std::uint64_t spaces = 0, quotes = 0;
};
[[gnu::noinline]] inline QuoteMasks quote_masks(const char* data, std::size_t size, std::size_t block) {
  QuoteMasks out;
  const std::size_t n = size - block;
#if defined(__SSE2__)
  const __m128i space = _mm_set1_epi8(' '), quote = _mm_set1_epi8('"');
  const auto take = [&](std::size_t from, unsigned bits_up, unsigned bits_down) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + from));
    const auto bits = [&](__m128i wanted) {
      return static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, wanted)))) << bits_up >> bits_down;
    };
    out.spaces |= bits(space), out.quotes |= bits(quote);
  };
  if (n >= 64) {
    take(block, 0, 0), take(block + 16, 16, 0), take(block + 32, 32, 0), take(block + 48, 48, 0);
    return out;
  }
  // What does not fill a vector is the end of one that begins before.
  if (size >= 16) {
    if (n != 0) take(size - 16, 48, static_cast<unsigned>(64 - n));
    for (unsigned i = 0; i + 16 < n; i += 16) take(block + i, i, 0);
    return out;
  }
#endif
  for (std::size_t i = 0; i < n && i < 64; ++i) {
    out.spaces |= std::uint64_t{data[block + i] == ' '} << i;
    out.quotes |= std::uint64_t{data[block + i] == '"'} << i;
  }
  return out;
}

// Where the next space or quote is. Asked for ascending places.
class QuoteScan {
 public:
  explicit QuoteScan(std::string_view text) : data_(text.data()), size_(text.size()), masks_(quote_masks(data_, size_, 0)) {}
  [[gnu::always_inline]] std::size_t space(std::size_t from) { return next<&QuoteMasks::spaces>(from); }
  [[gnu::always_inline]] std::size_t quote(std::size_t from) { return next<&QuoteMasks::quotes>(from); }

 private:
  template <std::uint64_t QuoteMasks::*Bits>
  [[gnu::always_inline]] std::size_t next(std::size_t from) {
    if (from >= size_) return size_;
    if (from - block_ >= 64) load(from & ~std::size_t{63});
    std::uint64_t bits = masks_.*Bits & ~std::uint64_t{0} << (from & 63);
    while (bits == 0) {
      if (size_ - block_ <= 64) return size_;
      load(block_ + 64);
      bits = masks_.*Bits;
    }
    return block_ + static_cast<std::size_t>(__builtin_ctzll(bits));
  }
  [[gnu::always_inline]] void load(std::size_t block) {
    block_ = block;
    masks_ = quote_masks(data_, size_, block);
  }

  const char* data_;
  std::size_t size_, block_ = 0;
  QuoteMasks masks_;
};

}  // namespace detail

// Answers how many fields there are; the first out.size() of them are in `out`, without their quotes.
inline QuotedFields split_quoted(std::string_view text, std::span<std::string_view> out) {
  QuotedFields fields;
  detail::QuoteScan scan(text);
  const char* const data = text.data();
  const std::size_t size = text.size();
  for (std::size_t at = 0;;) {
    while (at < size && data[at] == ' ') ++at;
    if (at == size) return fields;
    std::size_t begin = at, end;
    if (data[at] == '"') {
      end = scan.quote(++begin);
      while (end < size && !ends_quoted(text.substr(begin), end - begin)) end = scan.quote(end + 1);
      fields.closed = end < size;
      if (fields.count < 64) fields.quoted |= std::uint64_t{1} << fields.count;
      at = end + (end < size);
    } else {
      end = at = scan.space(at);
    }
    if (fields.count < out.size()) [[likely]]
      detail::store_view(out[fields.count], data + begin, end - begin);
    ++fields.count;
  }
}

// `text` itself if there is nothing to take away; otherwise what is in `buffer` then.
inline std::string_view unquoted(std::string_view text, std::string& buffer) {
  std::size_t at = text.find('\\');
  if (at == std::string_view::npos) return text;
  buffer.clear();
  std::size_t clean = 0;
  for (; at != std::string_view::npos; at = text.find('\\', at)) {
    const std::string_view rest = text.substr(at + 1);
    const std::size_t escape = rest.starts_with('"') ? 2 : rest.starts_with("x22") ? 4 : 0;
    if (escape == 0) {
      at += rest.starts_with('\\') ? 2 : 1;  // "\\" is a backslash, and no escape of what follows
      if (at > text.size()) break;
      continue;
    }
    buffer.append(text.data() + clean, at - clean).push_back('"');
    clean = at += escape;
  }
  if (clean == 0) return text;
  return buffer.append(text.data() + clean, text.size() - clean);
}

}  // namespace lm
