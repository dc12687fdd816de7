#include "ndjson/frame.hpp"

#include <xxhash.h>
#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <utility>

namespace lm::sink {
namespace {

// RFC 8878, sections 3.1.1 and 4.
constexpr std::size_t kBlock = std::size_t{128} << 10;
constexpr std::uint32_t kMinMatch = 3;
constexpr std::uint32_t kLiteralsLog = 9, kMatchLog = 9, kOffsetLog = 8, kMinLog = 5, kHuffmanLog = 11;
constexpr std::size_t kFewLiterals = 64;  // so few are not worth a table

constexpr std::uint8_t kLiteralsExtra[36] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  0,  0,  0,  0,  1,  1,
                                             1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
constexpr std::uint8_t kMatchExtra[53] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  0,  0,  0,  0,  0,  0, 0,
                                          0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

// The code of a value is the last one whose base is not above it. Small values are looked up, of others the highest bit gives the code.
struct Code {
  std::uint8_t code, extra, value;
};
template <std::size_t n, std::size_t codes>
constexpr std::array<Code, n> code_table(const std::uint8_t (&extra)[codes]) {
  std::array<Code, n> out{};
  std::size_t at = 0;
  for (std::size_t code = 0; code < codes && at < n; ++code) {
    for (std::size_t i = 0; i < (std::size_t{1} << extra[code]) && at < n; ++i) {
      out[at++] = {static_cast<std::uint8_t>(code), extra[code], static_cast<std::uint8_t>(i)};
    }
  }
  return out;
}
constexpr auto kLiteralsCodes = code_table<64>(kLiteralsExtra);
constexpr auto kMatchCodes = code_table<128>(kMatchExtra);

inline std::uint32_t highest_bit(std::uint32_t n) { return static_cast<std::uint32_t>(std::bit_width(n) - 1); }
inline char* little_endian(char* out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) *out++ = static_cast<char>(value >> (8 * i));
  return out;
}

// Bits into bytes, the lowest first. Up to 56 bits may be added before they are flushed; eight bytes are written at each flush.
class Bits {
 public:
  explicit Bits(char* out) : out_(out) {}
  // `value` has no bits above `n`.
  void add(std::uint64_t value, std::uint32_t n) { word_ |= value << n_, n_ += n; }
  void add_low(std::uint64_t value, std::uint32_t n) { add(value & ((std::uint64_t{1} << n) - 1), n); }
  void flush() {
    std::memcpy(out_, &word_, 8);
    out_ += n_ >> 3;
    word_ >>= n_ & ~7U;
    n_ &= 7;
  }
  char* end() {
    flush();
    return out_ + (n_ != 0 ? 1 : 0);
  }

 private:
  char* out_;
  std::uint64_t word_ = 0;
  std::uint32_t n_ = 0;
};
static_assert(std::endian::native == std::endian::little);

}  // namespace

// ---- From steps to blocks of sequences ----

// What cut() knows while it goes: not in the members, which every sequence that is written might be thought to change.
struct FrameWriter::Cut {
  std::uint32_t near = 1, second = 4, third = 8;  // the distances that are coded as repeats
  Block block;
  Sequence* to = nullptr;
  std::array<std::uint32_t, 64> literals_counts{}, match_counts{}, offset_counts{};

  void add(std::uint32_t literals, std::uint32_t length, std::uint32_t distance) {
    const bool none = literals == 0;  // then the nearest repeat is no use, and the numbers of the others are one less
    std::uint32_t offset = distance + 3;
    if (distance == near && !none) {
      offset = 1;
    } else if (distance == second) {
      offset = none ? 1 : 2;
      std::swap(near, second);
    } else {
      if (distance == third) offset = none ? 2 : 3;
      third = second, second = near, near = distance;
    }
    Sequence s{};
    std::uint32_t bits = 0;
    const auto value = [&](const auto& codes, std::uint32_t n, std::uint32_t above) {
      if (n < codes.size()) {
        s.extra |= static_cast<std::uint64_t>(codes[n].value) << bits, bits += codes[n].extra;
        return codes[n].code;
      }
      const std::uint32_t highest = highest_bit(n);
      s.extra |= static_cast<std::uint64_t>(n ^ 1U << highest) << bits, bits += highest;
      return static_cast<std::uint8_t>(highest + above);
    };
    s.literals = value(kLiteralsCodes, literals, 19);
    s.match = value(kMatchCodes, length - kMinMatch, 36);
    const std::uint32_t highest = highest_bit(offset);
    s.offset = static_cast<std::uint8_t>(highest);
    s.extra |= static_cast<std::uint64_t>(offset ^ 1U << highest) << bits;
    s.n_extra = static_cast<std::uint8_t>(bits + highest);
    ++literals_counts[s.literals], ++match_counts[s.match], ++offset_counts[s.offset];
    *to++ = s;
    ++block.sequences;
    block.text += length;
  }
};

bool FrameWriter::cut(std::size_t text_size, const Recipe& recipe) {
  // A step is cut where a block ends. No block but the last is shorter than this.
  constexpr std::size_t kShortBlock = kBlock - 2 * kMinMatch;
  const std::size_t most = recipe.steps().size() + text_size / kShortBlock + 2;
  if (sequences_.size() < most) sequences_.resize(most);
  Cut c;
  c.to = sequences_.data();
  std::size_t at = 0, literals_left = recipe.literals().size();
  const auto close_block = [&] { blocks_.push_back(std::exchange(c.block, Block())); };
  // The literals of a step go into as many blocks as they need; answers those that stand before the match in its block.
  const auto literals = [&](std::size_t n) {
    at += n;
    while (c.block.text + n > kBlock) {
      const std::size_t some = kBlock - c.block.text;
      c.block.literals += some, c.block.text += some, n -= some;
      close_block();
    }
    c.block.literals += n, c.block.text += n;
    return static_cast<std::uint32_t>(n);
  };
  for (const Recipe::Step step : recipe.steps()) {
    const std::size_t left = text_size - at;
    if (step.length < kMinMatch || step.literals > literals_left || step.literals > left || step.length > left - step.literals)
      return false;
    literals_left -= step.literals;
    std::uint32_t before = literals(step.literals), length = step.length;
    if (step.distance == 0 || step.distance > at) return false;
    while (c.block.text + length > kBlock) {
      std::size_t some = kBlock - c.block.text;
      if (length - some < kMinMatch) some -= std::min<std::size_t>(some, kMinMatch);
      if (some >= kMinMatch) {
        c.add(before, static_cast<std::uint32_t>(some), step.distance);
        at += some, length -= static_cast<std::uint32_t>(some);
      }
      before = 0;
      close_block();
    }
    c.add(before, length, step.distance);
    at += length;
  }
  if (text_size - at != literals_left) return false;
  literals(literals_left);
  close_block();
  literals_table_.make(c.literals_counts.data(), std::size(kLiteralsExtra), kLiteralsLog);
  match_table_.make(c.match_counts.data(), std::size(kMatchExtra), kMatchLog);
  offset_table_.make(c.offset_counts.data(), 32, kOffsetLog);
  n_sequences_ = static_cast<std::size_t>(c.to - sequences_.data());
  return true;
}

// ---- Tables ----

// Lengths by Huffman's method; where one would be too long the counts are flattened until none is.
bool FrameWriter::make_huffman(std::string_view literals) {
  std::array<std::array<std::uint32_t, 256>, 4> counts{};
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(literals.data());
  const std::size_t n = literals.size();
  for (std::size_t i = 0; i + 4 <= n; i += 4)
    ++counts[0][bytes[i]], ++counts[1][bytes[i + 1]], ++counts[2][bytes[i + 2]], ++counts[3][bytes[i + 3]];
  for (std::size_t i = n & ~std::size_t{3}; i < n; ++i) ++counts[0][bytes[i]];
  struct Leaf {
    std::uint32_t count;
    std::uint8_t symbol;
  };
  std::array<Leaf, 128> leaves{};
  std::size_t used = 0;
  for (std::size_t c = 0; c < 256; ++c) {
    const std::uint32_t count = counts[0][c] + counts[1][c] + counts[2][c] + counts[3][c];
    if (count == 0) continue;
    if (c >= 128) return false;
    leaves[used++] = {count, static_cast<std::uint8_t>(c)};
  }
  codes_ = {};
  huffman_ = used >= 2 && n >= kFewLiterals;
  if (!huffman_) return true;
  std::sort(leaves.begin(), leaves.begin() + static_cast<std::ptrdiff_t>(used),
            [](const Leaf& a, const Leaf& b) { return a.count < b.count; });
  std::uint32_t longest = 0;
  for (;;) {
    // The nodes come in the order of their counts, so that two queues are enough: leaves, and nodes made of two.
    std::array<std::uint32_t, 128> made{};
    std::array<std::uint8_t, 256> parent{}, depth{};  // leaves first, then the nodes
    std::size_t leaf = 0, node = 0;
    const auto least = [&](std::size_t end) {
      return leaf < used && (node == end || leaves[leaf].count <= made[node]) ? leaf++ : used + node++;
    };
    const auto count_of = [&](std::size_t i) { return i < used ? leaves[i].count : made[i - used]; };
    for (std::size_t end = 0; end + 1 < used; ++end) {
      const std::size_t a = least(end), b = least(end);
      made[end] = count_of(a) + count_of(b);
      parent[a] = parent[b] = static_cast<std::uint8_t>(used + end);
    }
    longest = 0;
    for (std::size_t i = 2 * used - 2; i-- > 0;) {
      depth[i] = static_cast<std::uint8_t>(depth[parent[i]] + 1);
      if (i < used) longest = std::max<std::uint32_t>(longest, codes_[leaves[i].symbol].length = depth[i]);
    }
    if (longest <= kHuffmanLog) break;
    for (std::size_t i = 0; i < used; ++i) leaves[i].count = (leaves[i].count + 1) / 2;
  }
  // The longest codes are the smallest numbers; among codes of one length the order is that of the symbols.
  std::array<std::uint16_t, kHuffmanLog + 2> next{};
  for (const HuffmanCode& code : codes_) next[code.length] = static_cast<std::uint16_t>(next[code.length] + (code.length != 0 ? 1 : 0));
  std::uint32_t from = 0;
  for (std::uint32_t length = longest; length > 0; --length) {
    const std::uint32_t here = next[length];
    next[length] = static_cast<std::uint16_t>(from);
    from = (from + here) / 2;
  }
  std::size_t last = 0;
  for (std::size_t c = 0; c < codes_.size(); ++c) {
    if (codes_[c].length == 0) continue;
    codes_[c].bits = next[codes_[c].length]++;
    last = c;
  }
  // The weight of the last symbol follows from the others.
  weights_ = {};
  weights_[0] = static_cast<std::uint8_t>(127 + last);
  for (std::size_t c = 0; c < last; ++c) {
    const std::uint32_t weight = codes_[c].length != 0 ? longest + 1 - codes_[c].length : 0;
    weights_[1 + c / 2] = static_cast<std::uint8_t>(weights_[1 + c / 2] | weight << (c % 2 == 0 ? 4 : 0));
  }
  weights_size_ = 1 + (last + 1) / 2;
  return true;
}

void FrameWriter::FseTable::make(const std::uint32_t* counts, std::size_t n, std::uint32_t max_log) {
  std::uint64_t total = 0;
  std::uint32_t used = 0;
  std::size_t last = 0;
  for (std::size_t s = 0; s < n; ++s) {
    if (counts[s] != 0) ++used, last = s, total += counts[s];
  }
  if (used <= 1) {
    log = 0;
    symbols[last] = {-1, 0};
    states[0] = 1;
    description[0] = static_cast<std::uint8_t>(last);
    description_size = 1;
    return;
  }
  log = max_log;
  const auto size = static_cast<std::int32_t>(1U << log);
  std::array<std::int32_t, 64> share{};
  std::int32_t left = size;
  for (std::size_t s = 0; s <= last; ++s) {
    if (counts[s] == 0) continue;
    share[s] = std::max(1, static_cast<std::int32_t>((counts[s] * static_cast<std::uint64_t>(size) + total / 2) / total));
    left -= share[s];
  }
  while (left != 0) {
    std::int32_t& largest = *std::max_element(share.begin(), share.end());
    const std::int32_t change = left > 0 ? left : std::max(left, -std::max(1, largest / 4));
    largest += change, left -= change;
  }

  std::array<std::uint8_t, 512> symbol_at{};
  std::size_t place = 0;
  const std::size_t step = (static_cast<std::size_t>(size) >> 1) + (static_cast<std::size_t>(size) >> 3) + 3,
                    mask = static_cast<std::size_t>(size) - 1;
  std::array<std::uint32_t, 65> begin{};
  for (std::size_t s = 0; s <= last; ++s) {
    begin[s + 1] = begin[s] + static_cast<std::uint32_t>(share[s]);
    for (std::int32_t i = 0; i < share[s]; ++i) symbol_at[place] = static_cast<std::uint8_t>(s), place = (place + step) & mask;
  }
  std::array<std::uint32_t, 65> next = begin;
  for (std::size_t i = 0; i <= mask; ++i) states[next[symbol_at[i]]++] = static_cast<std::uint16_t>(static_cast<std::size_t>(size) + i);
  for (std::size_t s = 0; s <= last; ++s) {
    if (share[s] == 0) continue;
    const auto wanted = static_cast<std::uint32_t>(share[s]);
    const std::uint32_t most = share[s] == 1 ? log : log - highest_bit(wanted - 1);
    symbols[s] = {static_cast<std::int32_t>(begin[s]) - share[s], (most << 16) - (wanted << most)};
  }

  // The description: each share in as few bits as what is left allows, and runs of absent symbols as their length.
  description = {};
  std::size_t bit = 0;
  const auto put = [&](std::uint32_t value, std::uint32_t bits) {
    for (std::uint32_t i = 0; i < bits; ++i, ++bit)
      description[bit / 8] = static_cast<std::uint8_t>(description[bit / 8] | (value >> i & 1) << (bit % 8));
  };
  put(log - kMinLog, 4);
  std::int32_t remaining = size + 1, threshold = size;
  std::uint32_t bits = log + 1;
  for (std::size_t s = 0; remaining > 1;) {
    std::int32_t value = share[s++];
    const std::int32_t spare = 2 * threshold - 1 - remaining;
    remaining -= value++;
    const bool absent = value == 1;
    if (value >= threshold) value += spare;
    put(static_cast<std::uint32_t>(value), bits - (value < spare ? 1 : 0));
    while (remaining < threshold) --bits, threshold >>= 1;
    if (!absent) continue;
    std::size_t run = 0;
    while (share[s] == 0) ++s, ++run;
    for (; run >= 3; run -= 3) put(3, 2);
    put(static_cast<std::uint32_t>(run), 2);
  }
  description_size = (bit + 7) / 8;
}

std::uint32_t FrameWriter::FseTable::first(std::uint8_t symbol) const {
  if (log == 0) return 1;
  const auto [find, bits] = symbols[symbol];
  const std::uint32_t n = (bits + (1U << 15)) >> 16;
  const std::int32_t at = static_cast<std::int32_t>(((n << 16) - bits) >> n) + find;
  return states[static_cast<std::uint32_t>(at)];
}

// ---- From sequences to bytes ----

// From the last literal to the first, as the decoder takes them from the end.
char* FrameWriter::huffman_stream(char* out, const char* begin, const char* end) const {
  Bits bits(out);
  const auto add = [&](char c) {
    const HuffmanCode code = codes_[static_cast<unsigned char>(c)];
    bits.add(code.bits, code.length);
  };
  while (end - begin >= 5) {
    add(end[-1]), add(end[-2]), add(end[-3]), add(end[-4]), add(end[-5]);
    bits.flush();
    end -= 5;
  }
  while (end != begin) add(*--end);
  bits.add(1, 1);
  return bits.end();
}

char* FrameWriter::write_literals(char* out, const char* literals, std::size_t n) {
  char* const header = out;
  if (huffman_ && n >= kFewLiterals) {
    // The table is that of the whole frame, so that the codes of one block may take more room than the text: both sizes must fit.
    const std::size_t bound = n * 3 / 2 + 128;
    const std::size_t bits = bound < 1024 ? 10 : bound < 16384 ? 14 : 18;
    const bool four = n >= 256;
    const std::uint64_t format = bits == 18 ? 3 : bits == 14 ? 2 : four ? 1 : 0;
    char* const begin = out += (4 + 2 * bits + 7) / 8;
    if (!huffman_sent_) std::memcpy(out, weights_.data(), weights_size_), out += weights_size_;
    if (four) {
      char* const jumps = out;
      out += 6;
      const std::size_t quarter = (n + 3) / 4;
      for (std::size_t i = 0; i < 4; ++i) {
        char* const from = out;
        out = huffman_stream(out, literals + i * quarter, i < 3 ? literals + (i + 1) * quarter : literals + n);
        if (i < 3) little_endian(jumps + 2 * i, static_cast<std::uint64_t>(out - from), 2);
      }
    } else {
      out = huffman_stream(out, literals, literals + n);
    }
    const auto size = static_cast<std::size_t>(out - begin);
    if (size < n) {
      const std::uint64_t kind = std::exchange(huffman_sent_, true) ? 3 : 2;
      little_endian(header, kind | format << 2 | n << 4 | size << (4 + bits), static_cast<std::size_t>(begin - header));
      return out;
    }
  }
  if (n < 32) {
    out = little_endian(header, n << 3, 1);
  } else if (n < 4096) {
    out = little_endian(header, n << 4 | 4, 2);
  } else {
    out = little_endian(header, n << 4 | 12, 3);
  }
  std::memcpy(out, literals, n);
  return out + n;
}

char* FrameWriter::write_sequences(char* out, const Sequence* sequences, std::size_t n) {
  if (n == 0) return little_endian(out, 0, 1);
  if (n < 128) {
    out = little_endian(out, n, 1);
  } else if (n < 0x7F00) {
    out = little_endian(little_endian(out, (n >> 8) + 128, 1), n & 255, 1);
  } else {
    out = little_endian(little_endian(out, 255, 1), n - 0x7F00, 2);
  }
  // A table that was sent is used again. One symbol alone is a byte: it is said each time.
  const auto mode = [&](const FseTable& t) { return t.log == 0 ? 1U : tables_sent_ ? 3U : 2U; };
  out = little_endian(out, mode(literals_table_) << 6 | mode(offset_table_) << 4 | mode(match_table_) << 2, 1);
  for (const FseTable* t : {&literals_table_, &offset_table_, &match_table_}) {
    if (mode(*t) == 3) continue;
    std::memcpy(out, t->description.data(), t->description_size);
    out += t->description_size;
  }
  tables_sent_ = true;

  Bits bits(out);
  const auto step = [&](const FseTable& t, std::uint32_t& state, std::uint8_t symbol) {
    const auto [find, delta] = t.symbols[symbol];
    const std::uint32_t some = (state + delta) >> 16;
    bits.add_low(state, some);
    const std::int32_t at = static_cast<std::int32_t>(state >> some) + find;
    state = t.states[static_cast<std::uint32_t>(at)];
  };
  // The states take 26 bits at most and may stand behind seven; the values of a sequence take 57, for a block has no two long ones.
  const auto extra = [&](const Sequence& s) {
    if (s.n_extra > 30) bits.flush();
    bits.add(s.extra, s.n_extra);
    bits.flush();
  };
  const Sequence* s = sequences + n - 1;
  std::uint32_t match = match_table_.first(s->match), offset = offset_table_.first(s->offset),
                literals = literals_table_.first(s->literals);
  extra(*s);
  while (s != sequences) {
    --s;
    step(offset_table_, offset, s->offset);
    step(match_table_, match, s->match);
    step(literals_table_, literals, s->literals);
    extra(*s);
  }
  bits.add_low(match, match_table_.log);
  bits.add_low(offset, offset_table_.log);
  bits.add_low(literals, literals_table_.log);
  bits.add(1, 1);
  return bits.end();
}

char* FrameWriter::write_block(char* out, const Block& block, const char* literals, const Sequence* sequences, bool last) {
  char* const header = out;
  out = write_literals(out + 3, literals, block.literals);
  out = write_sequences(out, sequences, block.sequences);
  little_endian(header, (last ? 1U : 0U) | 2U << 1 | static_cast<std::uint64_t>(out - header - 3) << 3, 3);
  return out;
}

bool FrameWriter::write(std::string_view text, const Recipe& recipe, TextBuffer& out) {
  if (text.empty() || text.size() > kMaxText) return false;
  if (recipe.copied() < text.size() / 2 || recipe.copied() > text.size()) return false;
  blocks_.clear();
  huffman_sent_ = tables_sent_ = false;
  if (!cut(text.size(), recipe) || !make_huffman(recipe.literals())) return false;

  // No literal has more than 11 bits, no sequence more than 26 bits of states and 16, 16 and 27 of values.
  out.clear();
  out.reserve(recipe.literals().size() * 3 / 2 + n_sequences_ * 12 + blocks_.size() * 1024 + 1024);
  const bool small = text.size() < 256, medium = text.size() < 65536 + 256;
  char* at = little_endian(out.data(), 0xFD2FB528, 4);
  *at++ = static_cast<char>((small ? 0 : medium ? 1 : 2) << 6 | 1 << 5 | 1 << 2);
  at = small ? little_endian(at, text.size(), 1) : medium ? little_endian(at, text.size() - 256, 2) : little_endian(at, text.size(), 4);
  const char *literals = recipe.literals().data(), *from = text.data();
  const Sequence* sequences = sequences_.data();
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const Block& block = blocks_[i];
    const bool last = i + 1 == blocks_.size();
    char* const begin = at;
    at = write_block(at, block, literals, sequences, last);
    // A compressed block must be smaller than its text. One that stands as it is would take tables and repeats from those behind it.
    if (static_cast<std::size_t>(at - begin - 3) >= block.text) {
      if (!last || block.text > kFewLiterals) return false;
      at = little_endian(begin, 1 | block.text << 3, 3);
      std::memcpy(at, from, block.text);
      at += block.text;
    }
    literals += block.literals, sequences += block.sequences, from += block.text;
  }
  at = little_endian(at, static_cast<std::uint32_t>(XXH64(text.data(), text.size(), 0)), 4);
  out.set_size(static_cast<std::size_t>(at - out.data()));
  return out.size() < text.size() / 2;
}

}  // namespace lm::sink
