// logmill/sdk/text.hpp -- text that may be absent; text into fields and numbers. All functions are pure, allocate nothing and never throw; what is unreadable is absent.
//   lm::integer("443")                     -> 443           the whole text, decimal, no sign but '-', no spaces; overflow is absent
//   lm::integer(field, lm::in_record)      -> the same, faster, of a field of the record at hand
//   lm::fixed("0.0105", 6)                 -> 10500         decimal text in units of a power of ten: microseconds of seconds
//   lm::split(line, ' ', fields)           -> fields used    runs of the separator count as one
//   lm::present("-")                       -> nullopt        "-" and "" mean absent in AWS's text formats
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace lm {

// A number that may be absent, used as std::optional<T> is. That one is a union, which compilers build in memory, part by part, and read back whole: the processor waits
// for it each time, and parsers do little else than pass such values on.
template <class T>
class Maybe {
 public:
  constexpr Maybe() = default;
  constexpr Maybe(std::nullopt_t) {}
  constexpr Maybe(T value) : value_(value), there_(true) {}

  constexpr bool has_value() const { return there_; }
  constexpr explicit operator bool() const { return there_; }
  constexpr T operator*() const { return value_; }
  constexpr T value_or(T other) const { return there_ ? value_ : other; }
  constexpr operator std::optional<T>() const { return there_ ? std::optional<T>(value_) : std::nullopt; }

  friend constexpr bool operator==(Maybe a, Maybe b) { return a.there_ == b.there_ && (!a.there_ || a.value_ == b.value_); }

 private:
  T value_{};
  bool there_ = false;
};

// Text that may be absent, likewise: two words instead of std::optional<std::string_view>.
class Text {
 public:
  constexpr Text() = default;
  constexpr Text(std::nullopt_t) {}
  // Present, also if it is empty.
  constexpr Text(std::string_view text) : text_(text.data() ? text : std::string_view("")) {}
  constexpr Text(const char* text) : text_(text) {}

  constexpr bool has_value() const { return text_.data() != nullptr; }
  constexpr explicit operator bool() const { return has_value(); }
  constexpr std::string_view operator*() const { return text_; }
  constexpr const std::string_view* operator->() const { return &text_; }
  constexpr std::string_view value_or(std::string_view other) const { return has_value() ? text_ : other; }
  constexpr operator std::optional<std::string_view>() const { return has_value() ? std::optional(text_) : std::nullopt; }

  friend constexpr bool operator==(Text a, Text b);

 private:
  std::string_view text_;
};

namespace detail {

inline std::uint64_t load64(const char* p) {
  std::uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

// Text of up to 24 bytes, zero-padded, the first byte lowest.
struct Words {
  std::uint64_t low = 0, middle = 0, high = 0;
  [[gnu::always_inline]] bool operator==(const Words& other) const {
    return ((low ^ other.low) | (middle ^ other.middle) | (high ^ other.high)) == 0;
  }
};

// Reads no byte outside the text.
[[gnu::always_inline]] inline Words short_words(std::string_view text) {
  const char* const p = text.data();
  const std::size_t n = text.size();
  if (n > 16) return {load64(p), load64(p + 8), load64(p + n - 8) >> (8 * (24 - n))};
  if (n > 8) return {load64(p), load64(p + n - 8) >> (8 * (16 - n)), 0};
  if (n == 8) return {load64(p), 0, 0};
  if (n >= 4) {
    std::uint32_t low, high;
    std::memcpy(&low, p, 4), std::memcpy(&high, p + n - 4, 4);
    return {low | (std::uint64_t{high} >> (8 * (8 - n))) << 32, 0, 0};
  }
  if (n == 0) return {};
  // First, middle and last of one to three.
  const auto byte = [p](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(p[i])}; };
  return {byte(0) | byte(n / 2) << (8 * (n / 2)) | byte(n - 1) << (8 * (n - 1)), 0, 0};
}

// Equality of texts that are mostly short: overlapping words instead of a call. Reads no byte outside the texts.
[[gnu::always_inline]] inline bool same_text(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const char *p = a.data(), *q = b.data();
  std::size_t n = a.size();
#if defined(__SSE2__)
  if (n >= 16) {
    const auto differ = [](const char* x, const char* y) {
      return _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)),
                                              _mm_loadu_si128(reinterpret_cast<const __m128i*>(y)))) != 0xffff;
    };
    for (; n > 16; p += 16, q += 16, n -= 16) {
      if (differ(p, q)) return false;
      if (n < 32) p -= 32 - n, q -= 32 - n, n = 32;  // the last step overlaps the one before
    }
    return !differ(p, q);
  }
#endif
  if (n >= 8) {
    for (; n > 8; p += 8, q += 8, n -= 8) {
      if (load64(p) != load64(q)) return false;
      if (n < 16) p -= 16 - n, q -= 16 - n, n = 16;
    }
    return load64(p) == load64(q);
  }
  const Words x = short_words(a), y = short_words(b);
  return x.low == y.low;
}

// Written in one piece: what is written in two words and read back as one vector, as copies of views are, stalls the processor.
[[gnu::always_inline]] inline void store_view(std::string_view& out, const char* data, std::size_t size) {
#if defined(__SSE2__) && defined(__GLIBCXX__)
  static_assert(sizeof(std::string_view) == sizeof(__m128i));  // the size comes first in libstdc++
  const __m128i both = _mm_set_epi64x(static_cast<long long>(reinterpret_cast<std::uintptr_t>(data)), static_cast<long long>(size));
  std::memcpy(static_cast<void*>(&out), &both, sizeof both);
#else
  out = {data, size};
#endif
}

constexpr bool equal(std::string_view a, std::string_view b) { return std::is_constant_evaluated() ? a == b : same_text(a, b); }

constexpr std::uint32_t kNoDigits = 0xffffffff;

// The number that 1 to 8 decimal digits say, the first digit in the lowest byte and nothing above the last; kNoDigits if one of them is none.
[[gnu::always_inline]] inline std::uint32_t eight_digits(std::uint64_t digits, std::size_t n) {
  // Zeroes in front: the digits move up, '0' fills in below.
  const std::size_t shift = 8 * (8 - n);
  const std::uint64_t v = digits << shift | (0x3030303030303030u & ((std::uint64_t{1} << shift) - 1));
  const std::uint64_t value = v - 0x3030303030303030u;
  if (((v + 0x4646464646464646u) | value) & 0x8080808080808080u) return kNoDigits;
  const std::uint64_t pairs = value * 10 + (value >> 8);
  constexpr std::uint64_t mask = 0x000000ff000000ffu;
  return static_cast<std::uint32_t>(((pairs & mask) * 0x000f424000000064u + (pairs >> 16 & mask) * 0x0000271000000001u) >> 32);
}

// What fixed() makes of up to eight characters without a sign, or kNoDigits: that there is none, or that it takes a closer look.
inline std::uint64_t short_fixed(std::string_view text, unsigned places) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u;
  if (text.empty() || text.size() > 8) return kNoDigits;
  const std::uint64_t word = short_words(text).low, other = word ^ kOnes * '.';
  const std::uint64_t points = (other - kOnes) & ~other & kOnes * 0x80;
  if (points == 0) return kNoDigits;
  const auto point = static_cast<std::size_t>(__builtin_ctzll(points)) / 8, fraction = text.size() - 1 - point;
  if (point == 0 || fraction == 0 || fraction > places) return kNoDigits;
  const std::uint64_t whole = (std::uint64_t{1} << 8 * point) - 1;  // the bytes in front of the point; those behind it move down over it
  const std::uint32_t digits = eight_digits((word & whole) | (word >> 8 & ~whole), text.size() - 1);
  constexpr std::array<std::uint64_t, 9> kScale{1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
  return digits == kNoDigits ? kNoDigits : digits * kScale[places - fraction];
}

template <class Integer>
[[gnu::noinline]] constexpr Maybe<Integer> any_integer(std::string_view text) {
  Integer value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}
}  // namespace detail

constexpr bool operator==(Text a, Text b) { return a.has_value() == b.has_value() && detail::equal(a.text_, b.text_); }

// Says of a text that it is part of the record at hand, as its fields are, or what json::Reader makes of it: behind it are bytes that may be read, if not trusted
// (LM_PADDING in plugin.h).
struct InRecord {};
constexpr InRecord in_record;

template <class Integer = std::int64_t>
[[gnu::always_inline]] constexpr Maybe<Integer> integer(std::string_view text) {
  if constexpr (sizeof(Integer) >= 4) {
    if (!std::is_constant_evaluated() && !text.empty() && text.size() <= 16 && text[0] != '-') {
      const detail::Words words = detail::short_words(text);
      if (text.size() <= 8) {
        const std::uint32_t value = detail::eight_digits(words.low, text.size());
        if (value == detail::kNoDigits) return std::nullopt;
        return static_cast<Integer>(value);
      }
      if constexpr (sizeof(Integer) == 8) {
        const std::uint32_t high = detail::eight_digits(words.low, 8), low = detail::eight_digits(words.middle, text.size() - 8);
        if (high == detail::kNoDigits || low == detail::kNoDigits) return std::nullopt;
        constexpr std::array<std::uint32_t, 9> kScale{1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
        return static_cast<Integer>(std::int64_t{high} * kScale[text.size() - 8] + low);
      }
    }
  }
  return detail::any_integer<Integer>(text);
}

// The same, without a look at each length.
[[gnu::always_inline]] inline Maybe<std::int64_t> integer(std::string_view text, InRecord) {
  if (text.empty() || text.size() > 16 || text[0] == '-') [[unlikely]]
    return detail::any_integer<std::int64_t>(text);
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  const std::uint64_t low = detail::load64(text.data());
  if (text.size() <= 8) {
    const std::uint32_t value = detail::eight_digits(low & kAll >> (64 - 8 * text.size()), text.size());
    if (value == detail::kNoDigits) return std::nullopt;
    return value;
  }
  const std::size_t rest = text.size() - 8;
  const std::uint32_t high = detail::eight_digits(low, 8);
  const std::uint32_t value = detail::eight_digits(detail::load64(text.data() + 8) & kAll >> (64 - 8 * rest), rest);
  if (high == detail::kNoDigits || value == detail::kNoDigits) return std::nullopt;
  constexpr std::array<std::uint32_t, 9> kScale{1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
  return std::int64_t{high} * kScale[rest] + value;
}

inline Maybe<double> number(std::string_view text) {
  double value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// Decimal text times ten to the power of `places`; digits beyond are cut off. No exponent; what is too large is absent.
constexpr Maybe<std::int64_t> fixed(std::string_view text, int places) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (!std::is_constant_evaluated() && text.size() <= 8 && places >= 0 && places <= 9) {
    if (const std::uint64_t n = detail::short_fixed(text, static_cast<unsigned>(places)); n != detail::kNoDigits)
      return negative ? -static_cast<std::int64_t>(n) : static_cast<std::int64_t>(n);
  }
  const std::size_t point = text.find('.');
  const std::string_view fraction = point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  if (text.empty() || point == 0 || point + 1 == text.size()) return std::nullopt;
  std::int64_t value = 0;
  if (places >= 0 && text.size() + static_cast<std::size_t>(places) <= 18) {  // cannot overflow
    std::uint64_t n = 0;
    bool digits = true;
    const auto append = [&](char digit) {
      const auto d = static_cast<unsigned char>(digit - '0');
      digits &= d <= 9;
      n = n * 10 + d;
    };
    for (const char digit : text.substr(0, point)) append(digit);
    std::size_t taken = 0;
    for (; taken < fraction.size() && places > 0; ++taken, --places) append(fraction[taken]);
    for (; taken < fraction.size(); ++taken) digits &= fraction[taken] >= '0' && fraction[taken] <= '9';
    for (; places > 0; --places) n *= 10;
    if (!digits) return std::nullopt;
    value = static_cast<std::int64_t>(n);
    return negative ? -value : value;
  }
  const auto append = [&](char digit) {
    return digit >= '0' && digit <= '9' && !__builtin_mul_overflow(value, std::int64_t{10}, &value) &&
           !__builtin_add_overflow(value, std::int64_t{digit - '0'}, &value);
  };
  for (const char digit : text.substr(0, point)) {
    if (!append(digit)) return std::nullopt;
  }
  for (const char digit : fraction) {
    if (digit < '0' || digit > '9') return std::nullopt;
    if (places > 0 && (--places, !append(digit))) return std::nullopt;
  }
  for (; places > 0; --places) {
    if (!append('0')) return std::nullopt;
  }
  return negative ? -value : value;
}

constexpr Text present(std::string_view text) {
  if (text.empty() || (text.size() == 1 && text[0] == '-')) return std::nullopt;
  return text;
}

// text == literal, compared in place.
template <std::size_t N>
constexpr bool is(std::string_view text, const char (&literal)[N]) {
  return text.size() == N - 1 && __builtin_memcmp(text.data(), literal, N - 1) == 0;
}

// Fields between runs of `separator`; leading and trailing runs give none. Answers how many there are, which may be more than `out`
// holds: the first out.size() of them are in `out`.
inline std::size_t split(std::string_view text, char separator, std::span<std::string_view> out) {
  const char* const data = text.data();
  const std::size_t size = text.size(), room = out.size();
  std::string_view* const fields = out.data();
  std::size_t count = 0, begin = 0, at = 0;
  const auto end_field = [&](std::size_t end) {
    if (end > begin) [[likely]] {
      if (count < room) [[likely]]
        detail::store_view(fields[count], data + begin, end - begin);
      ++count;
    }
    begin = end + 1;
  };
#if defined(__SSE2__)
  // A bit a byte, 64 at a time, so that the loop over the bits seldom ends: what does not fill a vector is the end of one that begins before.
  const __m128i wanted = _mm_set1_epi8(separator);
  const auto bits = [&](std::size_t from) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + from));
    return static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, wanted))));
  };
  if (size >= 16) {
    while (at < size) {
      const std::size_t n = size - at;
      std::uint64_t mask;
      if (n >= 64) {
        mask = bits(at) | bits(at + 16) << 16 | bits(at + 32) << 32 | bits(at + 48) << 48;
      } else {
        mask = bits(size - 16) << 48 >> (64 - n);
        for (std::size_t i = 0; i + 16 < n; i += 16) mask |= bits(at + i) << i;
      }
      for (; mask != 0; mask &= mask - 1) end_field(at + static_cast<std::size_t>(__builtin_ctzll(mask)));
      at += 64;
    }
    end_field(size);
    return count;
  }
#endif
  for (; at < size; ++at) {
    if (data[at] == separator) end_field(at);
  }
  end_field(size);
  return count;
}

constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// Names of fields, which some carriers spell otherwise: case does not count, and '-' is '_'.
constexpr bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const auto plain = [](char c) { return c == '-' ? '_' : lower(c); };
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (plain(a[i]) != plain(b[i])) return false;
  }
  return true;
}

// "findings" and "Findings": AWS's files and its API write the same names with a small and with a capital letter in front.
constexpr bool equals_but_first_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  return a.empty() || (lower(a[0]) == lower(b[0]) && a.substr(1) == b.substr(1));
}

constexpr std::string_view before(std::string_view text, char separator) { return text.substr(0, text.find(separator)); }
constexpr std::string_view after_last(std::string_view text, char separator) {
  const std::size_t at = text.rfind(separator);
  return at == std::string_view::npos ? text : text.substr(at + 1);
}

}  // namespace lm
