// logmill/sdk/json.hpp -- one strict pass over a JSON record, in document order, without building anything.
//
//   lm::json::Reader json;                                  // keep one: it owns the scratch memory for unescaped text
//   static constexpr auto kKeys = lm::keys("eventName", "readOnly");
//   bool ok = json.read(record.text(), [&](std::string_view key, lm::json::Value& value) {
//     switch (kKeys.find(key)) {
//       case kKeys.at("eventName"): name = value.text(); break;        // absent if it is no string
//       case kKeys.at("readOnly"):  read_only = value.boolean(); break;
//       default: unmapped.add(key, value.raw());                       // the text as it stands, proven to be valid JSON
//     }
//   });
//   if (!ok) return record.reject(json);
//
// Everything that is passed over is checked against RFC 8259: what read() accepts is valid JSON, raw() included. A value that the callback does
// not take is checked and passed over. Keys and text are unescaped only where there is a backslash; a lone surrogate becomes U+FFFD in
// text(), and stays as it was written in raw(). Views are valid until the next read(). UTF-8 is the host's promise (plugin.h).
// Nesting deeper than kMaxDepth is an error of its own. Never throws but std::bad_alloc. One thread at a time.
#pragma once

#include <logmill/plugin.h>
#include <logmill/sdk/text.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace lm::json {

inline constexpr unsigned kMaxDepth = 512;

enum class Type : std::uint8_t { object, array, string, number, boolean, null };

class Value;

namespace detail {

// Text under construction, as std::string but with everything inlined: `unmapped` is written in many short pieces.
class TextBuffer {
 public:
  void clear() { size_ = 0; }
  bool empty() const { return size_ == 0; }
  char back() const { return data_[size_ - 1]; }  // not of an empty one
  std::string_view view() const { return {data_.get(), size_}; }
  void push_back(char c) {
    if (size_ == capacity_) [[unlikely]]
      grow(1);
    data_[size_++] = c;
  }
  void append(const char* text, std::size_t n) {
    if (n > capacity_ - size_) [[unlikely]]
      grow(n);
    copy(data_.get() + size_, text, n);
    size_ += n;
  }
  void append(std::string_view text) { append(text.data(), text.size()); }

  // Text in quotes, if nothing in it needs an escape. False: nothing was appended.
  bool append_quoted_plain(std::string_view text) {
    const std::size_t n = text.size();
    if (n + 2 > capacity_ - size_) [[unlikely]]
      grow(n + 2);
    char* const to = data_.get() + size_;
    if (!copy_plain(to + 1, text.data(), n)) return false;
    to[0] = to[n + 1] = '"';
    size_ += n + 2;
    return true;
  }

 private:
  // As memcpy does, without a call for short text.
  static void copy(char* to, const char* from, std::size_t n) {
    if (n > 32) {
      copy_long(to, from, n);
    } else if (n >= 16) {
      std::memcpy(to, from, 16), std::memcpy(to + n - 16, from + n - 16, 16);
    } else if (n >= 8) {
      std::memcpy(to, from, 8), std::memcpy(to + n - 8, from + n - 8, 8);
    } else if (n >= 4) {
      std::memcpy(to, from, 4), std::memcpy(to + n - 4, from + n - 4, 4);
    } else if (n != 0) {
      to[0] = from[0], to[n / 2] = from[n / 2], to[n - 1] = from[n - 1];
    }
  }

  // Not inlined: into a caller with a small array compilers see a copy beyond it.
  [[gnu::noinline]] static void copy_long(char* to, const char* from, std::size_t n) { std::memcpy(to, from, n); }

  // A high bit for each byte that a JSON string must escape, and maybe for bytes above one.
  static std::uint64_t specials(std::uint64_t v) {
    constexpr std::uint64_t ones = 0x0101010101010101u;
    const auto zero = [](std::uint64_t x) { return (x - ones) & ~x; };
    return (((v - ones * 0x20) & ~v) | zero(v ^ ones * '"') | zero(v ^ ones * '\\')) & ones * 0x80;
  }

  // Copies what has no such byte. False: it has one, and what is at `to` counts for nothing.
  static bool copy_plain(char* to, const char* from, std::size_t n) {
#if defined(__SSE2__)
    if (n >= 16) {
      const __m128i low = _mm_set1_epi8(0x1f), quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
      __m128i found = _mm_setzero_si128();
      const auto step = [&](std::size_t at) {
        const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + at));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to + at), v);
        found = _mm_or_si128(_mm_or_si128(found, _mm_cmpeq_epi8(_mm_max_epu8(v, low), low)),
                             _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)));
      };
      for (std::size_t at = 0; at + 16 < n; at += 16) step(at);
      step(n - 16);
      return _mm_movemask_epi8(found) == 0;
    }
#else
    if (n > 16) return false;
#endif
    if (n >= 8) {
      const std::uint64_t first = lm::detail::load64(from), last = lm::detail::load64(from + n - 8);
      std::memcpy(to, &first, 8), std::memcpy(to + n - 8, &last, 8);
      return (specials(first) | specials(last)) == 0;
    }
    copy(to, from, n);
    return (specials(lm::detail::short_words({from, n}).low) & ((std::uint64_t{1} << (8 * n)) - 1)) == 0;
  }

  [[gnu::noinline]] void grow(std::size_t more) {
    const std::size_t capacity = (size_ + more) * 2 + 256;
    std::unique_ptr<char[]> fresh(new char[capacity]);
    if (size_ != 0) std::memcpy(fresh.get(), data_.get(), size_);
    data_ = std::move(fresh), capacity_ = capacity;
  }
  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0, capacity_ = 0;
};

// Where the first byte is, from `at` on, that a JSON string must escape; text.size() if there is none.
inline std::size_t find_special(std::string_view text, std::size_t at) {
#if defined(__SSE2__)
  for (; at + 16 <= text.size(); at += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
    const __m128i low = _mm_set1_epi8(0x1f);
    const int mask =
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))),
                                       _mm_cmpeq_epi8(_mm_max_epu8(v, low), low)));
    if (mask != 0) return at + static_cast<std::size_t>(__builtin_ctz(static_cast<unsigned>(mask)));
  }
#endif
  for (; at < text.size(); ++at) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c < 0x20 || c == '"' || c == '\\') break;
  }
  return at;
}

}  // namespace detail

// Appends `text` as a JSON string, quotes included.
template <class Out>  // std::string, or what has append and push_back as it does
void append_quoted(Out& out, std::string_view text) {
  if constexpr (std::is_same_v<Out, detail::TextBuffer>) {
    if (out.append_quoted_plain(text)) [[likely]]
      return;
  }
  static constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  std::size_t clean = 0;
  for (std::size_t i = detail::find_special(text, 0); i < text.size(); i = detail::find_special(text, i + 1)) {
    const auto c = static_cast<unsigned char>(text[i]);
    out.append(text.data() + clean, i - clean);
    clean = i + 1;
    switch (c) {
      case '"': out.append("\\\""); break;
      case '\\': out.append("\\\\"); break;
      case '\n': out.append("\\n"); break;
      case '\r': out.append("\\r"); break;
      case '\t': out.append("\\t"); break;
      default:
        out.append("\\u00");
        out.push_back(kHex[c >> 4]);
        out.push_back(kHex[c & 15]);
    }
  }
  out.append(text.data() + clean, text.size() - clean);
  out.push_back('"');
}

// A JSON object that is written member by member, for `unmapped`. Members that share a parent must follow each other.
class ObjectWriter {
 public:
  void clear() { text_.clear(), depth_ = 0, waiting_ = 0; }
  bool empty() const { return text_.empty(); }
  // The member that a Reader stands on, key and value, as they stand in the record: the cheapest way.
  inline void keep(Value& value);
  // The same of its text, from the key's quote on.
  void keep(std::string_view member) {
    separate();
    text_.append(member);
  }
  void add(std::string_view key, std::string_view raw) {
    member(key);
    text_.append(raw.data(), raw.size());
  }
  void add_text(std::string_view key, std::string_view value) {
    member(key);
    append_quoted(text_, value);
  }
  void begin(std::string_view key) {
    member(key);
    text_.push_back('{');
    ++depth_;
  }
  void end() {
    text_.push_back('}');
    --depth_;
  }
  // As begin and end, but without a member in between there is no object either: what is left of an object whose members mostly have a place elsewhere. The key is
  // looked at when the first member comes.
  void enter(std::string_view key) {
    if (waiting_ == entered_.size()) open();
    entered_[waiting_++] = key;
  }
  void leave() {
    if (waiting_ != 0) {
      --waiting_;
    } else {
      end();
    }
  }
  // The object so far; empty if it has no member. Every begin has had its end.
  std::string_view finish() {
    if (!text_.empty() && depth_ == 0) text_.push_back('}'), depth_ = -1;
    return text_.view();
  }

 private:
  void open() {
    const std::size_t n = waiting_;
    waiting_ = 0;
    for (std::size_t i = 0; i < n; ++i) begin(entered_[i]);
  }
  void separate() {
    if (waiting_ != 0) open();
    if (text_.empty()) {
      text_.push_back('{');
    } else if (text_.back() != '{') {
      text_.push_back(',');
    }
  }
  void member(std::string_view key) {
    separate();
    append_quoted(text_, key);
    text_.push_back(':');
  }
  detail::TextBuffer text_;
  int depth_ = 0;
  std::array<std::string_view, 16> entered_;  // keys of objects without a member yet
  std::size_t waiting_ = 0;                   // how many of them
};

class Reader {
 public:
  // Calls on_member(std::string_view key, Value& value) for every member of the object that `text` is. False: `text` is not one valid JSON
  // object; members before the defect were given.
  template <class OnMember>
  bool read(std::string_view text, OnMember&& on_member) {
    start(text);
    skip_space();
    if (at_ == end_ || *at_ != '{') return fail("not a JSON object");
    if (!object(on_member)) return false;
    skip_space();
    return at_ == end_ || fail("text behind the end of the object");
  }

  // The same of an array: on_element(Value&).
  template <class OnElement>
  bool read_array(std::string_view text, OnElement&& on_element) {
    start(text);
    skip_space();
    if (at_ == end_ || *at_ != '[') return fail("not a JSON array");
    if (!array(on_element)) return false;
    skip_space();
    return at_ == end_ || fail("text behind the end of the array");
  }

  // True if `text` is one valid JSON value.
  bool valid(std::string_view text) {
    start(text);
    skip_space();
    if (!skip_value()) return false;
    skip_space();
    return at_ == end_ || fail("text behind the end of the value");
  }

  const char* error() const { return error_ ? error_ : ""; }
  bool too_deep() const { return too_deep_; }
  std::size_t error_offset() const { return error_offset_; }

 private:
  friend class Value;

  void start(std::string_view text) {
    begin_ = at_ = text.data();
    end_ = at_ + text.size();
    error_ = nullptr, error_offset_ = 0, too_deep_ = false, depth_ = 0;
    for (std::size_t i = 0; i < scratch_used_; ++i) {
      if (scratch_[i].capacity() > 65536) std::string().swap(scratch_[i]);
    }
    scratch_used_ = 0;
  }

  bool fail(const char* why) {
    if (!error_) error_ = why, error_offset_ = static_cast<std::size_t>(at_ - begin_);
    return false;
  }

  [[gnu::always_inline]] void skip_space() {
    if (at_ != end_ && static_cast<unsigned char>(*at_) <= ' ') [[unlikely]]
      skip_spaces();
  }
  [[gnu::noinline]] void skip_spaces() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  // at_ stands on '{'. Afterwards behind '}'.
  template <class OnMember>
  bool object(OnMember&& on_member);
  template <class OnElement>
  bool array(OnElement&& on_element);

  bool enter() {
    if (++depth_ > kMaxDepth) {
      too_deep_ = true;
      return fail("nested too deep");
    }
    return true;
  }

#if defined(__SSE2__)
  // A bit for each of 16 bytes that ends a stretch of plain text in a string. The bytes are there.
  static unsigned string_marks(const char* p) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    const __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
    const __m128i control = _mm_cmpeq_epi8(_mm_max_epu8(v, _mm_set1_epi8(0x1f)), _mm_set1_epi8(0x1f));
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), control)));
  }
#endif

  // at_ stands behind the opening quote. Answers the raw content, at_ behind the closing quote. Escapes are checked.
  [[gnu::always_inline]] bool string(std::string_view& raw, bool& escaped) {
#if defined(__SSE2__)
    // Most strings end within 32 bytes and have no escape.
    const char* p = at_;
    for (int step = 0; step < 2 && end_ - p >= 16; ++step, p += 16) {
      const unsigned marks = string_marks(p);
      if (marks == 0) continue;
      p += __builtin_ctz(marks);
      if (*p != '"') break;
      raw = {at_, static_cast<std::size_t>(p - at_)};
      escaped = false;
      at_ = p + 1;
      return true;
    }
#endif
    return long_string(raw, escaped);
  }
  [[gnu::noinline]] bool long_string(std::string_view& raw, bool& escaped) {
    const char* const first = at_;
    escaped = false;
    for (;;) {
#if defined(__SSE2__)
      while (end_ - at_ >= 16) {
        const unsigned marks = string_marks(at_);
        if (marks != 0) {
          at_ += __builtin_ctz(marks);
          break;
        }
        at_ += 16;
      }
#endif
      while (at_ != end_ && *at_ != '"' && *at_ != '\\' && static_cast<unsigned char>(*at_) >= 0x20) ++at_;
      if (at_ == end_) return fail("a string has no end");
      if (*at_ == '"') break;
      if (*at_ != '\\') return fail("a control character in a string");
      escaped = true;
      if (++at_ == end_) return fail("a string has no end");
      switch (*at_) {
        case '"':
        case '\\':
        case '/':
        case 'b':
        case 'f':
        case 'n':
        case 'r':
        case 't': ++at_; break;
        case 'u':
          if (end_ - at_ < 5) return fail("an escape is cut off");
          for (int i = 1; i <= 4; ++i) {
            if (hex(at_[i]) < 0) return fail("an escape is not hexadecimal");
          }
          at_ += 5;
          break;
        default: return fail("an unknown escape");
      }
    }
    raw = {first, static_cast<std::size_t>(at_ - first)};
    ++at_;
    return true;
  }

  bool number() {
    if (at_ != end_ && *at_ == '-') ++at_;
    const auto digit = [&] { return at_ != end_ && *at_ >= '0' && *at_ <= '9'; };
    if (!digit()) return fail("not a JSON value");
    if (*at_ == '0') {
      ++at_;
    } else {
      while (digit()) ++at_;
    }
    if (at_ != end_ && *at_ == '.') {
      ++at_;
      if (!digit()) return fail("a number ends in a point");
      while (digit()) ++at_;
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (!digit()) return fail("a number ends in its exponent");
      while (digit()) ++at_;
    }
    return true;
  }

  bool literal(std::string_view word) {
    if (static_cast<std::size_t>(end_ - at_) < word.size() || std::memcmp(at_, word.data(), word.size()) != 0)
      return fail("not a JSON value");
    at_ += word.size();
    return true;
  }

  // Passes over one value, checking it. No recursion: depth is the input's to choose.
  bool skip_value() {
    const unsigned base = depth_;
    for (;;) {
      skip_space();
      if (at_ == end_) return fail("the JSON ends too early");
      switch (*at_) {
        case '{':
          if (!enter()) return false;
          is_object_[depth_] = true;
          ++at_;
          skip_space();
          if (at_ != end_ && *at_ == '}') {
            ++at_;
            --depth_;
            break;
          }
          if (!skip_key()) return false;
          continue;
        case '[':
          if (!enter()) return false;
          is_object_[depth_] = false;
          ++at_;
          skip_space();
          if (at_ != end_ && *at_ == ']') {
            ++at_;
            --depth_;
            break;
          }
          continue;
        case '"': {
          ++at_;
          std::string_view raw;
          bool escaped;
          if (!string(raw, escaped)) return false;
          break;
        }
        case 't':
          if (!literal("true")) return false;
          break;
        case 'f':
          if (!literal("false")) return false;
          break;
        case 'n':
          if (!literal("null")) return false;
          break;
        default:
          if (!number()) return false;
      }
      // A value ended: close what ends with it.
      for (;;) {
        if (depth_ == base) return true;
        skip_space();
        if (at_ == end_) return fail("the JSON ends too early");
        if (*at_ == ',') {
          ++at_;
          if (is_object_[depth_]) {
            skip_space();
            if (!skip_key()) return false;
          }
          break;
        }
        if (*at_ != (is_object_[depth_] ? '}' : ']')) return fail(is_object_[depth_] ? "',' or '}' is missing" : "',' or ']' is missing");
        ++at_;
        --depth_;
      }
    }
  }

  bool skip_key() {
    std::string_view key;
    bool escaped;
    return key_text(key, escaped);
  }

  // A key and its colon.
  bool key_text(std::string_view& raw, bool& escaped) {
    if (at_ == end_ || *at_ != '"') return fail("a key is missing");
    ++at_;
    if (!string(raw, escaped)) return false;
    skip_space();
    if (at_ == end_ || *at_ != ':') return fail("':' is missing");
    ++at_;
    return true;
  }

  static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  }

  static char* put_utf8(char* to, std::uint32_t c) {
    if (c < 0x80) {
      *to++ = static_cast<char>(c);
    } else if (c < 0x800) {
      *to++ = static_cast<char>(0xc0 | (c >> 6));
      *to++ = static_cast<char>(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
      *to++ = static_cast<char>(0xe0 | (c >> 12));
      *to++ = static_cast<char>(0x80 | ((c >> 6) & 0x3f));
      *to++ = static_cast<char>(0x80 | (c & 0x3f));
    } else {
      *to++ = static_cast<char>(0xf0 | (c >> 18));
      *to++ = static_cast<char>(0x80 | ((c >> 12) & 0x3f));
      *to++ = static_cast<char>(0x80 | ((c >> 6) & 0x3f));
      *to++ = static_cast<char>(0x80 | (c & 0x3f));
    }
    return to;
  }

  // `raw` is the content of a string that string() accepted: escapes are whole. What comes out is never longer.
  std::string_view unescape(std::string_view raw) {
    if (scratch_used_ == scratch_.size()) scratch_.emplace_back();
    std::string& out = scratch_[scratch_used_++];
    if (out.size() < raw.size() + LM_PADDING) out.resize(raw.size() + LM_PADDING);  // as behind text that stands in the record
    char* to = out.data();
    const auto unit = [&](std::size_t at) {
      return static_cast<std::uint32_t>((hex(raw[at]) << 12) | (hex(raw[at + 1]) << 8) | (hex(raw[at + 2]) << 4) | hex(raw[at + 3]));
    };
    for (std::size_t i = 0; i < raw.size(); ++i) {
#if defined(__SSE2__)
      // Up to the next escape, 16 bytes at a time; those behind it are written over.
      for (; raw.size() - i >= 16; i += 16, to += 16) {
        const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(raw.data() + i));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), v);
        const auto marks = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
        if (marks == 0) continue;
        const int plain = __builtin_ctz(marks);
        i += static_cast<std::size_t>(plain), to += plain;
        break;
      }
      if (i == raw.size()) break;
#endif
      if (raw[i] != '\\') {
        *to++ = raw[i];
        continue;
      }
      switch (raw[++i]) {
        case 'b': *to++ = '\b'; break;
        case 'f': *to++ = '\f'; break;
        case 'n': *to++ = '\n'; break;
        case 'r': *to++ = '\r'; break;
        case 't': *to++ = '\t'; break;
        case 'u': {
          std::uint32_t c = unit(i + 1);
          i += 4;
          if (c >= 0xd800 && c < 0xdc00 && i + 6 < raw.size() && raw[i + 1] == '\\' && raw[i + 2] == 'u') {
            const std::uint32_t low = unit(i + 3);
            if (low >= 0xdc00 && low < 0xe000) {
              c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
              i += 6;
            }
          }
          to = put_utf8(to, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
          break;
        }
        default: *to++ = raw[i];
      }
    }
    return {out.data(), static_cast<std::size_t>(to - out.data())};
  }

  const char* begin_ = nullptr;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  const char* error_ = nullptr;
  std::size_t error_offset_ = 0;
  unsigned depth_ = 0;
  bool too_deep_ = false;
  std::array<bool, kMaxDepth + 1> is_object_{};
  std::deque<std::string> scratch_;  // unescaped text of this record; a deque, for views into it must stay
  std::size_t scratch_used_ = 0;
};

// One value while a Reader stands on it. Take it at most once, by one of the functions below; each of the typed ones checks and passes over a
// value of another type, or one that was taken, and answers that it is absent (the type and raw() are still there to be kept in `unmapped`).
class Value {
 public:
  // `member`: where its key begins, quote included; null for an element of an array.
  explicit Value(Reader& reader, const char* member = nullptr) : reader_(reader), first_(reader.at_), member_(member) {}

  Type type() const {
    if (first_ == reader_.end_) return Type::null;
    switch (*first_) {
      case '{': return Type::object;
      case '[': return Type::array;
      case '"': return Type::string;
      case 't':
      case 'f': return Type::boolean;
      case 'n': return Type::null;
      default: return Type::number;
    }
  }
  bool is_null() const { return type() == Type::null; }

  Text text() {
    if (taken_ || type() != Type::string) return skip(), std::nullopt;
    taken_ = true;
    ++reader_.at_;
    std::string_view raw;
    bool escaped;
    if (!(ok_ = reader_.string(raw, escaped))) return std::nullopt;
    last_ = reader_.at_;
    return escaped ? reader_.unescape(raw) : raw;
  }

  Maybe<bool> boolean() {
    if (type() != Type::boolean) return skip(), std::nullopt;
    const bool value = *first_ == 't';
    skip();
    return ok_ ? Maybe(value) : Maybe<bool>();
  }

  Maybe<double> number() {
    if (type() != Type::number) return skip(), std::nullopt;
    const std::string_view text = raw();
    return ok_ ? lm::number(text) : std::nullopt;
  }

  // Absent also for a number with a fraction or an exponent, or beyond 64 bits.
  Maybe<std::int64_t> integer() {
    if (type() != Type::number) return skip(), std::nullopt;
    const std::string_view number = raw();
    return ok_ ? lm::integer<std::int64_t>(number) : std::nullopt;
  }

  template <class OnMember>
  void object(OnMember&& on_member) {
    if (taken_ || type() != Type::object) return skip();
    taken_ = true;
    ok_ = reader_.object(on_member);
    last_ = reader_.at_;
  }

  template <class OnElement>  // on_element(Value&)
  void array(OnElement&& on_element) {
    if (taken_ || type() != Type::array) return skip();
    taken_ = true;
    ok_ = reader_.array(on_element);
    last_ = reader_.at_;
  }

  // True if the value is an object or array whose text was read before: `text`, which raw() gave. It is taken then, without being read once more. For what stands in one record
  // after the other.
  bool repeats(std::string_view text) {
    if (taken_ || text.empty() || static_cast<std::size_t>(reader_.end_ - first_) < text.size()) return false;
    if (std::memcmp(first_, text.data(), text.size()) != 0) return false;
    taken_ = true;
    last_ = reader_.at_ = first_ + text.size();
    return true;
  }

  // The value's text as it stands. May be called after another function took the value.
  std::string_view raw() {
    if (!taken_) skip();
    return ok_ ? std::string_view(first_, static_cast<std::size_t>(last_ - first_)) : std::string_view();
  }
  // The same from the quote of its key on; of an element of an array, which has none, nothing.
  std::string_view member() {
    if (!taken_) skip();
    return ok_ && member_ ? std::string_view(member_, static_cast<std::size_t>(last_ - member_)) : std::string_view();
  }

 private:
  friend class Reader;
  friend class ObjectWriter;
  void skip() {
    if (taken_) return;
    taken_ = true;
    ok_ = reader_.skip_value();
    last_ = reader_.at_;
  }
  Reader& reader_;
  const char* first_;
  const char* last_ = nullptr;
  const char* member_;
  bool taken_ = false, ok_ = true;
};

inline void ObjectWriter::keep(Value& value) {
  if (const std::string_view member = value.member(); !member.empty()) keep(member);
}

template <class OnMember>
bool Reader::object(OnMember&& on_member) {
  if (!enter()) return false;
  ++at_;
  skip_space();
  if (at_ != end_ && *at_ == '}') {
    ++at_;
    --depth_;
    return true;
  }
  for (;;) {
    std::string_view key;
    bool escaped;
    const char* const member = at_;
    if (!key_text(key, escaped)) return false;
    if (escaped) [[unlikely]]
      key = unescape(key);
    skip_space();
    Value value(*this, member);
    on_member(key, value);
    value.skip();
    if (!value.ok_ || error_) return fail("not a JSON value");
    skip_space();
    if (at_ == end_) return fail("the JSON ends too early");
    if (*at_ == '}') break;
    if (*at_ != ',') return fail("',' or '}' is missing");
    ++at_;
    skip_space();
  }
  ++at_;
  --depth_;
  return true;
}

template <class OnElement>
bool Reader::array(OnElement&& on_element) {
  if (!enter()) return false;
  ++at_;
  skip_space();
  if (at_ != end_ && *at_ == ']') {
    ++at_;
    --depth_;
    return true;
  }
  for (;;) {
    skip_space();
    Value value(*this);
    on_element(value);
    value.skip();
    if (!value.ok_ || error_) return fail("not a JSON value");
    skip_space();
    if (at_ == end_) return fail("the JSON ends too early");
    if (*at_ == ']') break;
    if (*at_ != ',') return fail("',' or ']' is missing");
    ++at_;
  }
  ++at_;
  --depth_;
  return true;
}

}  // namespace lm::json

namespace lm {

// A set of keys known at compile time, found by a table without collisions among them: find() answers the key's number or -1, at() the same
// number at compile time, for a switch. A key that is not in the set fails to compile in at().
template <std::size_t N>
struct Keys {
  static constexpr std::size_t kSlots = [] {
    std::size_t slots = 8;
    while (slots < N * 8) slots *= 2;
    return slots;
  }();
  std::array<std::string_view, N> names{};
  std::array<std::int16_t, kSlots> table{};
  std::uint32_t seed = 1;

  // Up to 8 bytes, little-endian.
  static constexpr std::uint64_t load(const char* p, std::size_t n) {
    if (!std::is_constant_evaluated()) return detail::short_words({p, n}).low;
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < n; ++i) word |= std::uint64_t{static_cast<unsigned char>(p[i])} << (8 * i);
    return word;
  }

  // The first and the last 8 bytes and the length tell keys apart; a key that only looks like one is found out by comparing.
  static constexpr std::size_t slot(std::string_view key, std::uint32_t seed) {
    const std::size_t n = key.size();
    const std::uint64_t head = load(key.data(), n < 8 ? n : 8), tail = n < 8 ? 0 : load(key.data() + n - 8, 8);
    std::uint64_t h = (head ^ (tail * 0x9e3779b97f4a7c15u) ^ n) * (2 * std::uint64_t{seed} + 1);
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return (h >> 40) & (kSlots - 1);
  }

  constexpr int find(std::string_view key) const {
    const int index = table[slot(key, seed)];
    return index >= 0 && detail::equal(names[static_cast<std::size_t>(index)], key) ? index : -1;
  }
  // For sources that some exports write in lower case; slow. The first key that is the same.
  constexpr int find_ignoring_case(std::string_view key) const {
    for (std::size_t i = 0; i < N; ++i) {
      if (equals_ignoring_case(names[i], key)) return static_cast<int>(i);
    }
    return -1;
  }
  consteval int at(std::string_view key) const {
    const int index = find(key);
    if (index < 0) throw "no such key in this set";
    return index;
  }
};

template <class... Names>
consteval auto keys(Names... names) {
  Keys<sizeof...(Names)> out;
  out.names = {std::string_view(names)...};
  for (std::size_t i = 0; i < sizeof...(Names); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (out.names[i] == out.names[j]) throw "a key is named twice";
    }
  }
  out.table.fill(-1);
  for (out.seed = 1; out.seed < 100'000; ++out.seed) {
    std::size_t placed = 0;
    for (; placed < sizeof...(Names); ++placed) {
      auto& place = out.table[out.slot(out.names[placed], out.seed)];
      if (place >= 0) break;
      place = static_cast<std::int16_t>(placed);
    }
    if (placed == sizeof...(Names)) return out;
    for (std::size_t i = 0; i < placed; ++i) out.table[out.slot(out.names[i], out.seed)] = -1;
  }
  throw "no table without collisions: two keys are too alike";
}

}  // namespace lm
