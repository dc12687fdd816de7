#include "parquet/encode.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <type_traits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// The same code once more, compiled for AVX2, and which of the two this machine runs.
#if defined(__x86_64__)
#define LM_AVX2 __attribute__((target("avx2,bmi,bmi2")))
#define LM_DISPATCH(name, ...) return has_avx2() ? name##_avx2(__VA_ARGS__) : name(__VA_ARGS__)
#else
#define LM_AVX2
#define LM_DISPATCH(name, ...) return name(__VA_ARGS__)
#endif

namespace lm::sink::parquet {
namespace {

#if defined(__x86_64__)
bool has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
  return has;
}
#endif

// 32 values of W bits each into 4 * W bytes. With W known and the loop unrolled, every shift is a constant.
template <unsigned W, class T>
void pack32(const T* in, std::uint8_t* out) {
  if constexpr (W == 0) {
    return;
  } else if constexpr (W == 8 * sizeof(T)) {
    std::memcpy(out, in, 32 * sizeof(T));
  } else if constexpr (W <= 32) {
    std::uint64_t word = 0;
    unsigned fill = 0;
#pragma GCC unroll 32
    for (unsigned i = 0; i < 32; ++i) {
      word |= static_cast<std::uint64_t>(in[i]) << fill;
      fill += W;
      if (fill >= 32) {
        const auto low = static_cast<std::uint32_t>(word);
        std::memcpy(out, &low, 4);
        out += 4;
        word >>= 32;
        fill -= 32;
      }
    }
  } else {
    std::uint64_t word = 0;
    unsigned fill = 0;
#pragma GCC unroll 32
    for (unsigned i = 0; i < 32; ++i) {
      word |= static_cast<std::uint64_t>(in[i]) << fill;
      if (fill + W >= 64) {
        std::memcpy(out, &word, 8);
        out += 8;
        word = fill == 0 ? 0 : static_cast<std::uint64_t>(in[i]) >> (64 - fill);
        fill = fill + W - 64;
      } else {
        fill += W;
      }
    }
    if constexpr (W % 2 == 1) std::memcpy(out, &word, 4);
  }
}

// Bytes are packed eight at a time: neighbours move together within ever larger lanes of one word.
template <unsigned W>
void pack32_bytes(const std::uint8_t* in, std::uint8_t* out) {
  constexpr std::uint64_t even8 = 0x00ff00ff00ff00ffu, even16 = 0x0000ffff0000ffffu, even32 = 0x00000000ffffffffu;
  for (unsigned i = 0; i < 4; ++i, in += 8, out += W) {
    std::uint64_t word;
    std::memcpy(&word, in, 8);
    word = (word & even8) | (word & ~even8) >> (8 - W);
    word = (word & even16) | (word & ~even16) >> (16 - 2 * W);
    word = (word & even32) | (word & ~even32) >> (32 - 4 * W);
    std::memcpy(out, &word, W);
  }
}

template <class T>
using Pack = void (*)(const T*, std::uint8_t*);

template <class T, unsigned... W>
constexpr auto packers(std::integer_sequence<unsigned, W...>) {
  if constexpr (sizeof(T) == 1) return std::array<Pack<T>, sizeof...(W)>{(W == 0 || W == 8 ? pack32<W, T> : pack32_bytes<W>)...};
  return std::array<Pack<T>, sizeof...(W)>{pack32<W, T>...};
}
template <class T>
constexpr auto kPack = packers<T>(std::make_integer_sequence<unsigned, 8 * sizeof(T) + 1>());

// `n` values, a multiple of 8 after padding with zeroes, into ceil(n / 8) * width bytes.
template <class T>
void pack(const T* in, std::size_t n, unsigned width, Bytes& out) {
  const auto pack_block = kPack<T>[width];
  // A block may write past what remains of it; the excess is cut off.
  const std::size_t bytes = (n + 7) / 8 * width, before = out.size();
  std::uint8_t* to = out.extend((n + 31) / 32 * 4 * width);
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32, to += std::size_t{4} * width) pack_block(in + i, to);
  if (i < n) {
    T rest[32] = {};
    std::copy_n(in + i, n - i, rest);
    pack_block(rest, to);
  }
  out.cut(before + bytes);
}

void put_repeated(std::uint32_t value, std::uint64_t count, unsigned width, Bytes& out) {
  put_varint(count << 1, out);
  std::memcpy(out.extend((width + 7) / 8), &value, (width + 7) / 8);
}

[[gnu::always_inline]] inline bool equal8(const std::uint8_t* v) {
  std::uint64_t word;
  std::memcpy(&word, v, 8);
  return word == 0x0101010101010101u * v[0];
}
[[gnu::always_inline]] inline bool equal8(const std::uint32_t* v) {
  std::uint32_t differs = 0;
  for (int i = 1; i < 8; ++i) differs |= v[i] ^ v[0];
  return differs == 0;
}

// Runs are found by groups of eight, so that there is one decision a group: a run begins where a group holds one value only, and what lies between runs
// is bit-packed, which wants multiples of eight anyway. A single such group is a run only where that does not break up a bit-packed stretch.
template <class T>
[[gnu::always_inline]] inline void hybrid(std::span<const T> values, unsigned width, Bytes& out) {
  const T* v = values.data();
  const std::size_t n = values.size(), groups = n / 8;
  std::size_t literal = 0;  // where the open stretch begins, in groups
  const auto close = [&](std::size_t end) {
    if (end == literal) return;
    put_varint((end - literal) << 1 | 1, out);
    pack(v + literal * 8, (end - literal) * 8, width, out);
  };
  std::size_t g = 0;
  while (g < groups) {
    if (!equal8(v + g * 8)) {
      ++g;
      continue;
    }
    const T value = v[g * 8];
    std::size_t end = g + 1;
    while (end < groups && v[end * 8] == value && equal8(v + end * 8)) ++end;
    if (end - g == 1 && literal != g) {
      ++g;
      continue;
    }
    close(g);
    std::size_t count = (end - g) * 8;
    // The tail belongs to the run if it goes on to the end.
    if (end == groups && std::all_of(v + end * 8, v + n, [&](T tail) { return tail == value; })) {
      put_repeated(value, n - g * 8, width, out);
      return;
    }
    put_repeated(value, count, width, out);
    g = literal = end;
  }
  if (n % 8 == 0) {
    close(groups);
  } else {
    put_varint((groups + 1 - literal) << 1 | 1, out);
    pack(v + literal * 8, n - literal * 8, width, out);
  }
}

template <class T>
[[gnu::always_inline]] inline void delta(std::span<const T> values, Bytes& out) {
  using U = std::make_unsigned_t<T>;
  constexpr std::size_t kBlock = 128, kMini = 32;
  put_varint(kBlock, out);
  put_varint(kBlock / kMini, out);
  put_varint(values.size(), out);
  put_zigzag(values.empty() ? 0 : values[0], out);
  U deltas[kBlock];
  for (std::size_t at = 1; at < values.size(); at += kBlock) {
    const std::size_t n = std::min(kBlock, values.size() - at);
    const T* v = values.data() + at;
    // Differences wrap around, as the format wants it: the reader's sum wraps back.
    T smallest = static_cast<T>(static_cast<U>(v[0]) - static_cast<U>(v[-1]));
    for (std::size_t i = 0; i < n; ++i) {
      deltas[i] = static_cast<U>(v[i]) - static_cast<U>(v[static_cast<std::ptrdiff_t>(i) - 1]);
      smallest = std::min(smallest, static_cast<T>(deltas[i]));
    }
    put_zigzag(smallest, out);
    std::uint8_t widths[kBlock / kMini] = {};
    for (std::size_t m = 0; m * kMini < n; ++m) {
      U all = 0;
      const std::size_t end = std::min(n, (m + 1) * kMini);
      for (std::size_t i = m * kMini; i < end; ++i) {
        deltas[i] -= static_cast<U>(smallest);
        all |= deltas[i];
      }
      widths[m] = static_cast<std::uint8_t>(bit_width(all));
    }
    std::fill(deltas + n, deltas + kBlock, U{0});
    out.append(widths, sizeof widths);
    for (std::size_t m = 0; m * kMini < n; ++m) kPack<U>[widths[m]](deltas + m * kMini, out.extend(std::size_t{4} * widths[m]));
  }
}

}  // namespace

void put_varint(std::uint64_t value, Bytes& out) {
  while (value >= 0x80) {
    out.push(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  out.push(static_cast<std::uint8_t>(value));
}

void put_zigzag(std::int64_t value, Bytes& out) {
  put_varint((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63), out);
}

namespace {

LM_AVX2 void hybrid_avx2(std::span<const std::uint8_t> values, unsigned width, Bytes& out) { hybrid(values, width, out); }
LM_AVX2 void hybrid_avx2(std::span<const std::uint32_t> values, unsigned width, Bytes& out) { hybrid(values, width, out); }
LM_AVX2 void delta_avx2(std::span<const std::int32_t> values, Bytes& out) { delta(values, out); }
LM_AVX2 void delta_avx2(std::span<const std::int64_t> values, Bytes& out) { delta(values, out); }

template <class T>
[[gnu::always_inline]] inline std::pair<T, T> bounds(std::span<const T> values) {
  T smallest = values[0], largest = values[0];
  for (const T value : values) {
    smallest = value < smallest ? value : smallest;
    largest = value > largest ? value : largest;
  }
  return {smallest, largest};
}
LM_AVX2 std::pair<std::uint8_t, std::uint8_t> bounds_avx2(std::span<const std::uint8_t> values) { return bounds(values); }
LM_AVX2 std::pair<std::int32_t, std::int32_t> bounds_avx2(std::span<const std::int32_t> values) { return bounds(values); }
LM_AVX2 std::pair<std::int64_t, std::int64_t> bounds_avx2(std::span<const std::int64_t> values) { return bounds(values); }

bool replace(const std::int32_t* places, std::span<const std::int32_t> codes, std::uint32_t* to) {
  std::int32_t sign = 0;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::int32_t id = places[codes[i]];
    sign |= id;
    to[i] = static_cast<std::uint32_t>(id);
  }
  return sign >= 0;
}
#if defined(__x86_64__)
LM_AVX2 bool replace_avx2(const std::int32_t* places, std::span<const std::int32_t> codes, std::uint32_t* to) {
  const std::size_t n = codes.size();
  __m256i sign = _mm256_setzero_si256();
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256i at = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes.data() + i));
    const __m256i ids = _mm256_i32gather_epi32(places, at, 4);
    sign = _mm256_or_si256(sign, ids);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), ids);
  }
  return replace(places, codes.subspan(i), to + i) && _mm256_movemask_ps(_mm256_castsi256_ps(sign)) == 0;
}
#endif

}  // namespace

void put_hybrid(std::span<const std::uint8_t> values, unsigned width, Bytes& out) { LM_DISPATCH(hybrid, values, width, out); }
void put_hybrid(std::span<const std::uint32_t> values, unsigned width, Bytes& out) { LM_DISPATCH(hybrid, values, width, out); }
std::pair<std::uint8_t, std::uint8_t> min_max(std::span<const std::uint8_t> values) { LM_DISPATCH(bounds, values); }
std::pair<std::int32_t, std::int32_t> min_max(std::span<const std::int32_t> values) { LM_DISPATCH(bounds, values); }
std::pair<std::int64_t, std::int64_t> min_max(std::span<const std::int64_t> values) { LM_DISPATCH(bounds, values); }
bool replace_codes(const std::int32_t* places, std::span<const std::int32_t> codes, std::uint32_t* to) {
  LM_DISPATCH(replace, places, codes, to);
}
void put_run(std::uint32_t value, std::uint64_t count, unsigned width, Bytes& out) {
  if (count) put_repeated(value, count, width, out);
}

void put_delta(std::span<const std::int32_t> values, Bytes& out) { LM_DISPATCH(delta, values, out); }
void put_delta(std::span<const std::int64_t> values, Bytes& out) { LM_DISPATCH(delta, values, out); }

void put_delta_run(std::int64_t value, std::size_t count, Bytes& out) {
  constexpr std::size_t kBlock = 128, kMinis = 4;
  put_varint(kBlock, out);
  put_varint(kMinis, out);
  put_varint(count, out);
  put_zigzag(count == 0 ? 0 : value, out);
  if (count < 2) return;
  // A block says that its smallest difference is 0 and that no miniblock has bits.
  const std::size_t n = (count - 1 + kBlock - 1) / kBlock * (1 + kMinis);
  std::memset(out.extend(n), 0, n);
}

void put_split(std::span<const double> values, Bytes& out) {
  const auto* from = reinterpret_cast<const std::uint8_t*>(values.data());
  std::uint8_t* to = out.extend(values.size_bytes());
  for (std::size_t byte = 0; byte < sizeof(double); ++byte) {
    for (std::size_t i = 0; i < values.size(); ++i) *to++ = from[i * sizeof(double) + byte];
  }
}

void put_delta_length(std::span<const std::int32_t> lengths, std::string_view text, Bytes& out) {
  put_delta(lengths, out);
  out.append(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const std::size_t n = std::min(a.size(), b.size());
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    std::uint64_t x, y;
    std::memcpy(&x, a.data() + i, 8);
    std::memcpy(&y, b.data() + i, 8);
    if (x != y) return i + static_cast<std::size_t>(std::countr_zero(x ^ y)) / 8;
  }
  while (i < n && a[i] == b[i]) ++i;
  return i;
}

void put_delta_text(std::span<const std::int32_t> lengths, std::string_view text, Pod<std::int32_t>& prefixes, Pod<std::int32_t>& suffixes,
                    Bytes& out) {
  prefixes.clear(), suffixes.clear();
  std::int32_t* prefix = prefixes.extend(lengths.size());
  std::int32_t* suffix = suffixes.extend(lengths.size());
  std::string_view before;
  std::size_t at = 0;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const std::string_view value = text.substr(at, static_cast<std::size_t>(lengths[i]));
    prefix[i] = static_cast<std::int32_t>(common_prefix(before, value));
    suffix[i] = lengths[i] - prefix[i];
    at += value.size();
    before = value;
  }
  put_delta(prefixes.span(), out);
  put_delta(suffixes.span(), out);
  // Suffixes are mostly short: where there is room on both sides, a copy of fixed size beats one that has to look at its length.
  constexpr std::size_t kShort = 16;
  const std::size_t start = out.size();
  std::uint8_t* const to = out.extend(text.size() + kShort);
  std::size_t written = 0;
  at = 0;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const auto n = static_cast<std::size_t>(suffix[i]);
    const std::size_t from = at + static_cast<std::size_t>(prefix[i]);
    if (n <= kShort && from + kShort <= text.size()) {
      std::memcpy(to + written, text.data() + from, kShort);
    } else if (n != 0) {
      std::memcpy(to + written, text.data() + from, n);
    }
    written += n;
    at += static_cast<std::size_t>(lengths[i]);
  }
  out.cut(start + written);
}

namespace {

// The first eight bytes as a number that compares as they do; zeroes where there are fewer. Bytes behind the text, which are not looked at, may be read.
std::uint64_t head_of(const char* at, std::size_t n, bool room) {
  std::uint64_t word = 0;
  if (n >= 8) {
    std::memcpy(&word, at, 8);
    return __builtin_bswap64(word);
  }
  if (n == 0) return 0;
  if (room) {
    std::memcpy(&word, at, 8);
    return __builtin_bswap64(word) & ~std::uint64_t{0} << (64 - 8 * n);
  }
  std::memcpy(&word, at, n);
  return __builtin_bswap64(word);
}

}  // namespace

namespace {

// Most texts are told by their heads.
class TextBounder {
 public:
  TextBounder(std::string_view first, bool room) : bounds_{first, first}, low_(head_of(first.data(), first.size(), room)), high_(low_) {}
  // `room`: eight bytes may be read.
  void add(std::string_view value, bool room) {
    const std::uint64_t head = head_of(value.data(), value.size(), room);
    if (head > low_ && head < high_) return;
    if (value < bounds_.smallest) bounds_.smallest = value, low_ = head;
    if (value > bounds_.largest) bounds_.largest = value, high_ = head;
  }
  const Bounds& bounds() const { return bounds_; }

 private:
  Bounds bounds_;
  std::uint64_t low_, high_;
};

}  // namespace

Bounds bounds_of(std::span<const std::int32_t> lengths, std::string_view text) {
  TextBounder out(text.substr(0, static_cast<std::size_t>(lengths[0])), text.size() >= 8);
  std::size_t at = 0;
  for (const std::int32_t length : lengths) {
    const auto n = static_cast<std::size_t>(length);
    out.add({text.data() + at, n}, at + 8 <= text.size());
    at += n;
  }
  return out.bounds();
}

Bounds bounds_of_plain(std::string_view plain) {
  std::size_t at = 0;
  const auto next = [&] {
    std::uint32_t n = 0;
    std::memcpy(&n, plain.data() + at, 4);
    const std::string_view value = plain.substr(at + 4, n);
    at += 4 + value.size();
    return value;
  };
  const auto room = [&](std::string_view value) { return at - value.size() + 8 <= plain.size(); };
  const std::string_view first = next();
  TextBounder out(first, room(first));
  while (at < plain.size()) {
    const std::string_view value = next();
    out.add(value, room(value));
  }
  return out.bounds();
}

Bounds bounds_of_plain(std::string_view plain, std::span<const std::uint32_t> starts, std::span<const std::uint8_t> wanted) {
  std::optional<TextBounder> out;
  for (std::size_t i = 0; i < wanted.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, wanted.data() + i, 8);
    for (; word != 0; word &= word - 1) {
      const std::size_t start = starts[i + static_cast<std::size_t>(std::countr_zero(word)) / 8];
      std::uint32_t n = 0;
      std::memcpy(&n, plain.data() + start, 4);
      const std::string_view value = plain.substr(start + 4, n);
      const bool room = start + 12 <= plain.size();
      if (out) {
        out->add(value, room);
      } else {
        out.emplace(value, room);
      }
    }
  }
  return out->bounds();
}

Bounds bounds_of(std::span<const std::int32_t> lengths, std::string_view text, std::span<const std::int32_t> prefixes) {
  std::string_view before = text.substr(0, static_cast<std::size_t>(lengths[0]));
  Bounds out{before, before};
  bool rising = true;
  const auto turn = [&] {
    if (rising ? before > out.largest : before < out.smallest) (rising ? out.largest : out.smallest) = before;
  };
  std::size_t at = before.size();
  for (std::size_t i = 1; i < lengths.size(); ++i) {
    const std::string_view value(text.data() + at, static_cast<std::size_t>(lengths[i]));
    const auto shared = static_cast<std::size_t>(prefixes[i]);
    at += value.size();
    const bool up = shared == value.size()
                        ? shared == before.size()
                        : shared == before.size() || static_cast<unsigned char>(value[shared]) > static_cast<unsigned char>(before[shared]);
    if (up != rising) {
      turn();
      rising = up;
    }
    before = value;
  }
  turn();
  return out;
}

}  // namespace lm::sink::parquet
