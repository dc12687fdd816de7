#include "common/json_writer.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#if defined(__SSE4_1__)
#include <smmintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace lm::sink {
namespace {

constexpr std::int64_t kLargeDictionary = 2048;  // what is kept of so many values does not stay in the processor's cache
constexpr std::size_t kMaxCachedValue = std::size_t{64} << 10;
constexpr std::size_t kTextStep = 4096;  // texts are escaped so many bytes at a time: room is made for the worst case
constexpr std::size_t kNumber = 32;      // enough for any number

// With the slack behind it that copy() reads.
constexpr char kNullText[64] = ",null";
constexpr std::string_view kNull(kNullText, 5);

// Copies `size` bytes in whole vectors: up to 31 bytes more are read and written, which TextBuffer::kSlack allows on both sides. `from` may be
// a piece that ends before `out`: what is read beyond it is not used.
inline char* copy(char* out, const char* from, std::size_t size) {
  std::size_t at = 0;
  do {
    char piece[32];
    std::memcpy(piece, from + at, sizeof piece);
    std::memcpy(out + at, piece, sizeof piece);
    at += sizeof piece;
  } while (at < size);
  return out + size;
}

template <bool json>
inline bool special(unsigned char c) {
  return json ? c == '\n' || c == '\r' : c < 0x20 || c == '"' || c == '\\';
}

template <bool json>
inline char* escape_one(char* out, unsigned char c) {
  if constexpr (json) {
    *out = ' ';
    return out + 1;
  }
  static constexpr char kHex[] = "0123456789abcdef";
  char letter = 0;
  switch (c) {
    case '"': letter = '"'; break;
    case '\\': letter = '\\'; break;
    case '\b': letter = 'b'; break;
    case '\f': letter = 'f'; break;
    case '\n': letter = 'n'; break;
    case '\r': letter = 'r'; break;
    case '\t': letter = 't'; break;
    default: break;
  }
  *out++ = '\\';
  if (letter != 0) {
    *out = letter;
    return out + 1;
  }
  std::memcpy(out, "u00", 3);
  out[3] = kHex[c >> 4], out[4] = kHex[c & 15];
  return out + 5;
}

// Up to kTextStep bytes, with room for six times as many and TextBuffer::kSlack more. Sixteen bytes are stored before it is known how many
// of them were plain: the next store begins where the plain ones end.
template <bool json>
char* escape(char* out, const char* from, std::size_t size) {
  std::size_t i = 0;
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8(json ? '\n' : '"'), slash = _mm_set1_epi8(json ? '\r' : '\\'), low = _mm_set1_epi8(0x1F);
  while (i + 16 <= size) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    __m128i found = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash));
    if constexpr (!json) found = _mm_or_si128(found, _mm_cmpeq_epi8(_mm_min_epu8(bytes, low), bytes));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(found));
    if (mask == 0) {
      out += 16, i += 16;
      continue;
    }
    const auto plain = static_cast<std::size_t>(std::countr_zero(mask));
    out = escape_one<json>(out + plain, static_cast<unsigned char>(from[i + plain]));
    i += plain + 1;
  }
#endif
  for (; i < size; ++i) {
    const auto c = static_cast<unsigned char>(from[i]);
    if (special<json>(c)) {
      out = escape_one<json>(out, c);
    } else {
      *out++ = from[i];
    }
  }
  return out;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    char one[8];
    if (special<false>(static_cast<unsigned char>(c))) {
      out.append(one, escape_one<false>(one, static_cast<unsigned char>(c)));
    } else {
      out.push_back(c);
    }
  }
  return out;
}

constexpr std::uint64_t kSixteenDigits = 10'000'000'000'000'000;

// A number below kSixteenDigits in decimal, held in a register.
class SixteenDigits {
 public:
  explicit SixteenDigits(std::uint64_t number) {
    const std::uint64_t high = eight(static_cast<std::uint32_t>(number / 100'000'000)),
                        low = eight(static_cast<std::uint32_t>(number % 100'000'000));
    zeros_ = high != 0 ? static_cast<std::size_t>(std::countr_zero(high)) / 8
                       : 8 + static_cast<std::size_t>(std::countr_zero(low | std::uint64_t{1} << 56)) / 8;
    constexpr std::uint64_t kZeros = 0x3030303030303030;
#if defined(__SSE4_1__)
    digits_ = _mm_set_epi64x(static_cast<long long>(low | kZeros), static_cast<long long>(high | kZeros));
#else
    const std::uint64_t both[2] = {high | kZeros, low | kZeros};
    std::memcpy(digits_, both, 16);
#endif
  }
  std::size_t size() const { return 16 - zeros_; }

#if defined(__SSE4_1__)
  // Writes sixteen bytes: the digits from the one at `from` on, and more.
  void write(char* out, std::size_t from) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(out), shifted(from)); }
  // How many of the first digits stand at `text`; sixteen bytes are read.
  std::size_t same_front(const char* text) const {
    const unsigned other = ~equal(shifted(0), text) | 0x10000;
    return static_cast<std::size_t>(std::countr_zero(other));
  }
  // How many of the last digits stand before `end`.
  std::size_t same_back(const char* end) const {
    const unsigned other = ~equal(digits_, end - 16) << 16 | 0x8000;
    return static_cast<std::size_t>(std::countl_zero(other));
  }

 private:
  __m128i shifted(std::size_t from) const {
    alignas(16) static constexpr std::int8_t kShift[32] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                                           -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    return _mm_shuffle_epi8(digits_, _mm_loadu_si128(reinterpret_cast<const __m128i*>(kShift + std::min<std::size_t>(zeros_ + from, 16))));
  }
  static unsigned equal(__m128i digits, const char* text) {
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(digits, _mm_loadu_si128(reinterpret_cast<const __m128i*>(text)))));
  }
  __m128i digits_;
#else
  void write(char* out, std::size_t from) const {
    std::memcpy(out, digits_ + std::min<std::size_t>(zeros_ + from, 16), size() - std::min(from, size()));
  }
  std::size_t same_front(const char* text) const {
    std::size_t n = 0;
    while (n < size() && text[n] == digits_[zeros_ + n]) ++n;
    return n;
  }
  std::size_t same_back(const char* end) const {
    std::size_t n = 0;
    while (n < size() && end[-1 - static_cast<std::ptrdiff_t>(n)] == digits_[15 - n]) ++n;
    return n;
  }

 private:
  char digits_[16];
#endif
  // The digits of a number below 10^8, one a byte, the first in the lowest: halved and halved again.
  static std::uint64_t eight(std::uint32_t number) {
    std::uint64_t t = number / 10000 | static_cast<std::uint64_t>(number % 10000) << 32;
    std::uint64_t tens = (t * 10486 >> 20) & 0x0000007F0000007F;
    t = tens | (t - tens * 100) << 16;
    tens = (t * 103 >> 10) & 0x000F000F000F000F;
    return tens | (t - tens * 10) << 8;
  }
  std::size_t zeros_;
};

// With room for kNumber bytes.
inline char* integer(char* out, std::int64_t number) {
  if (static_cast<std::uint64_t>(number) >= kSixteenDigits) return std::to_chars(out, out + kNumber, number).ptr;
  const SixteenDigits digits(static_cast<std::uint64_t>(number));
  digits.write(out, 0);
  return out + digits.size();
}

template <class T>
bool all_equal(const ArrowView& view) {
  const auto n = static_cast<std::size_t>(view.length());
  const T* values = view.values<T>() + view.base();
  return n < 2 || std::memcmp(values, values + 1, (n - 1) * sizeof(T)) == 0;
}

}  // namespace

JsonWriter::JsonWriter(Field field, std::size_t cache_bytes)
    : cache_bytes_(cache_bytes), field_(std::move(field)), root_(make_node(field_, false)) {}

JsonWriter::Node JsonWriter::make_node(const Field& field, bool element) {
  Node node;
  node.field = &field;
  node.element = element;
  node.prefix.append(element ? std::string(",") : ",\"" + escaped(field.name) + "\":");
  if (field.type == Type::coded) node.cache = n_caches_++;
  for (const Field& child : field.children) node.children.push_back(make_node(child, field.type == Type::list));
  return node;
}

// ---- From a batch to operations ----

void JsonWriter::begin(const ArrowArray& array, std::uint64_t instance, std::uint64_t epoch) {
  end();
  const std::size_t own = n_caches_ * sizeof(ValueCache);
  if (cached_ + own > cache_bytes_ / 4 * 3 && !(cached_ <= cache_bytes_ && instances_.size() == 1 && instances_.contains(instance))) {
    instances_.clear(), cached_ = 0;
  }
  Instance& owner = instances_[instance];
  if (owner.columns.size() != n_caches_ || owner.epoch != epoch) {
    for (const ValueCache& c : owner.columns) cached_ -= sizeof c + c.slices.capacity() * sizeof(Slice) + c.text.capacity();
    owner.columns.clear();
    owner.columns.resize(n_caches_);
    cached_ += own;
    owner.epoch = epoch;
  }
  instance_ = &owner;
  ++batch_;
  const ArrowView view(field_, array);
  rows_ = view.length();
  if (rows_ == 0) return;
  for (std::size_t i = 0; i < root_.children.size(); ++i) compile(root_.children[i], view.child(i));
}

void JsonWriter::end() {
  ops_.clear(), pieces_.clear();
  slots_.clear(), inner_.clear(), fixed_.clear();
  lined_up_ = false;
  sibling_ = kNone;
  instance_ = nullptr;
  rows_ = 0;
}

bool JsonWriter::constant(const ArrowView& view) {
  switch (view.field().type) {
    case Type::coded: return all_equal<std::int32_t>(view) && view.dictionary_valid(view.code(0)) && !view.field().json;
    case Type::int32: return all_equal<std::int32_t>(view);
    case Type::int64: return all_equal<std::int64_t>(view);
    case Type::float64: return all_equal<double>(view) && std::isfinite(view.float64(0));
    case Type::boolean:
      for (std::int64_t row = 1; row < view.length(); ++row) {
        if (view.boolean(row) != view.boolean(0)) return false;
      }
      return true;
    case Type::text:
      for (std::int64_t row = 1; row < view.length(); ++row) {
        if (view.text(row) != view.text(0)) return false;
      }
      return !view.field().json || !view.text(0).empty();
    default: return false;
  }
}

std::size_t JsonWriter::add_op(Kind kind, const Node* node) {
  Op op;
  op.kind = kind, op.node = node;
  op.end = static_cast<std::uint32_t>(ops_.size() + 1);
  ops_.push_back(op);
  return ops_.size() - 1;
}

void JsonWriter::add_piece(std::string_view text) {
  if (sibling_ != kNone && ops_[sibling_].kind == Kind::piece) {
    Op& last = ops_[sibling_];
    if (last.piece + last.size != pieces_.size()) {  // something was compiled and dropped behind it
      const std::string before(pieces_.view().substr(last.piece, last.size));
      last.piece = pieces_.size();
      pieces_.append(before);
    }
    pieces_.append(text);
    last.size += text.size();
    return;
  }
  const std::size_t at = add_op(Kind::piece, nullptr);
  ops_[at].piece = pieces_.size(), ops_[at].size = text.size();
  pieces_.append(text);
  sibling_ = at;
}

std::string_view JsonWriter::single_piece(std::size_t begin) const {
  if (ops_.size() != begin + 1 || ops_[begin].kind != Kind::piece) return {};
  return pieces_.view().substr(ops_[begin].piece, ops_[begin].size);
}

void JsonWriter::compile(const Node& node, const ArrowView& view) {
  const std::int64_t nulls = view.null_count();
  if (nulls == view.length()) {
    if (node.element) add_piece(",null");
    return;
  }
  Kind kind = Kind::structure;
  switch (node.field->type) {
    case Type::structure: return compile_structure(node, view, nulls != 0);
    case Type::list: return compile_list(node, view, nulls != 0);
    case Type::coded: kind = Kind::coded; break;
    case Type::text: kind = node.field->json ? Kind::json : Kind::text; break;
    case Type::int32: kind = Kind::int32; break;
    case Type::int64: kind = Kind::int64; break;
    case Type::float64: kind = Kind::float64; break;
    case Type::boolean: kind = Kind::boolean; break;
  }
  const std::size_t at = add_op(kind, &node);
  ops_[at].view = view;
  ops_[at].validity = nulls != 0 ? view.validity() : nullptr;
  if (kind == Kind::coded) {
    ops_[at].cache = cache_for(node, view);
    ops_[at].fetch = view.dictionary_length() >= kLargeDictionary;
  }
  if (nulls == 0 && constant(view)) {
    scratch_.clear();
    TextBuffer* const out = std::exchange(out_, &scratch_);
    char* const first = start(0);
    scratch_.set_size(static_cast<std::size_t>(value(first, ops_[at], 0) - scratch_.data()));
    out_ = out;
    ops_.pop_back();
    add_piece(scratch_.view());
    return;
  }
  sibling_ = at;
}

void JsonWriter::compile_structure(const Node& node, const ArrowView& view, bool nulls) {
  const std::size_t at = add_op(Kind::structure, &node);
  ops_[at].view = view;
  ops_[at].validity = nulls ? view.validity() : nullptr;
  const std::size_t before = std::exchange(sibling_, kNone);
  for (std::size_t i = 0; i < node.children.size(); ++i) compile(node.children[i], view.child(i));
  sibling_ = before;
  ops_[at].end = static_cast<std::uint32_t>(ops_.size());
  const bool empty = ops_.size() == at + 1;
  const std::string_view members = single_piece(at + 1);
  if (empty && !node.element) {
    ops_.pop_back();
  } else if (!nulls && (empty || !members.empty())) {
    std::string text(node.prefix.view());
    text.append("{").append(empty ? members : members.substr(1)).append("}");
    ops_.resize(at);
    add_piece(text);
  } else {
    sibling_ = at;
  }
}

void JsonWriter::compile_list(const Node& node, const ArrowView& view, bool nulls) {
  constexpr std::int64_t kMaxConstant = 16;
  const auto [first, one_end] = view.range(0);
  const std::int64_t length = one_end - first;
  std::int64_t last = one_end;
  bool same = !nulls;
  for (std::int64_t row = 1; row < view.length(); ++row) {
    const auto [begin, end] = view.range(row);
    same = same && end - begin == length;
    last = end;
  }
  const ArrowView items = view.items().slice(first, last);
  const std::size_t at = add_op(Kind::list, &node);
  ops_[at].view = view;
  ops_[at].validity = nulls ? view.validity() : nullptr;
  ops_[at].first = first;
  const std::size_t before = std::exchange(sibling_, kNone);
  if (items.length() != 0) compile(node.children[0], items);
  sibling_ = before;
  ops_[at].end = static_cast<std::uint32_t>(ops_.size());
  const std::string_view item = single_piece(at + 1);
  if (same && (length == 0 || (!item.empty() && length <= kMaxConstant))) {
    std::string text(node.prefix.view());
    text.append("[");
    for (std::int64_t i = 0; i < length; ++i) text.append(i == 0 ? item.substr(1) : item);
    text.append("]");
    ops_.resize(at);
    add_piece(text);
  } else {
    sibling_ = at;
  }
}

JsonWriter::ValueCache* JsonWriter::cache_for(const Node& node, const ArrowView& view) {
  ValueCache& cache = instance_->columns[node.cache];
  const auto wanted = static_cast<std::size_t>(view.dictionary_length());
  if (wanted > cache.slices.size()) {
    const std::size_t before = cache.slices.capacity();
    if (wanted > before) {
      const std::size_t fresh = std::max(wanted, before + before / 2);
      if (cached_ + (fresh - before) * sizeof(Slice) > cache_bytes_) return nullptr;
      cache.slices.reserve(fresh);
      cached_ += (cache.slices.capacity() - before) * sizeof(Slice);
    }
    cache.slices.resize(wanted);
  }
  return &cache;
}

// ---- From operations to text ----

// What the next rows need of a large dictionary is fetched while this one is written.
// Always inlined: g++ takes a function that only fetches for one without effect, and drops its calls.
// `codes` are those from this row on, `left` of them.
[[gnu::always_inline]] inline void JsonWriter::fetch_ahead(const ValueCache& cache, const Op& op, const std::int32_t* codes,
                                                           std::int64_t left) {
  constexpr std::int64_t kSlice = 12, kText = 6, kFresh = 3;
  if (left <= kSlice) return;
  const std::vector<Slice>& slices = cache.slices;
  const auto far = static_cast<std::uint32_t>(codes[kSlice]), near = static_cast<std::uint32_t>(codes[kText]),
             next = static_cast<std::uint32_t>(codes[kFresh]);
  if (far < slices.size()) __builtin_prefetch(&slices[far]);
  if (near < slices.size()) {
    if (slices[near].size != 0) {
      const char* const text = cache.text.data() + slices[near].offset;
      __builtin_prefetch(text);
      __builtin_prefetch(text + slices[near].size);
    } else {
      op.view.fetch_dictionary_offset(near);
    }
  }
  if (next < slices.size() && slices[next].size == 0) op.view.fetch_dictionary_text(next);
}

std::int64_t JsonWriter::render(std::int64_t row, TextBuffer& out, std::size_t stop) {
  if (row < 0 || row >= rows_) throw BadArray("no such row");
  out_ = &out;
  char* at = start(out.size());
  const auto n_ops = static_cast<std::uint32_t>(ops_.size());
  do {
    const auto begin = static_cast<std::size_t>(at - out_->data());
    at = body(at, 0, n_ops, row);
    at = room(at, 3);
    if (at == out_->data() + begin) {
      *at++ = '{';
    } else {
      out_->data()[begin] = '{';
    }
    *at++ = '}', *at++ = '\n';
    ++row;
  } while (row < rows_ && static_cast<std::size_t>(at - out_->data()) < stop);
  out.set_size(static_cast<std::size_t>(at - out.data()));
  out_ = nullptr;
  return row;
}

char* JsonWriter::start(std::size_t size) {
  out_->reserve(std::max<std::size_t>(size + 4096, out_->capacity()));
  limit_ = out_->data() + out_->capacity();
  return out_->data() + size;
}

char* JsonWriter::grow(char* out, std::size_t bytes) {
  const auto size = static_cast<std::size_t>(out - out_->data());
  out_->set_size(size);
  out_->reserve(std::max(size + bytes, out_->capacity() + out_->capacity() / 2));
  limit_ = out_->data() + out_->capacity();
  return out_->data() + size;
}

char* JsonWriter::body(char* out, std::uint32_t begin, std::uint32_t end, std::int64_t row) {
  for (std::uint32_t i = begin; i < end; i = ops_[i].end) {
    const Op& op = ops_[i];
    if (op.kind == Kind::piece) {
      out = copy(room(out, op.size), pieces_.data() + op.piece, op.size);
    } else if (op.validity && !ArrowView::bit(op.validity, op.view.base() + row)) {
      if (op.node->element) out = copy(room(out, kNull.size()), kNull.data(), kNull.size());
    } else if (op.kind == Kind::structure) {
      out = structure(out, i, row);
    } else if (op.kind == Kind::list) {
      out = list(out, i, row);
    } else {
      out = value(out, op, row);
    }
  }
  return out;
}

char* JsonWriter::prefix(char* out, const Op& op, std::size_t more) {
  const TextBuffer& text = op.node->prefix;
  return copy(room(out, text.size() + more), text.data(), text.size());
}

char* JsonWriter::absent(char* out, const Op& op) {
  return op.node->element ? copy(room(out, kNull.size()), kNull.data(), kNull.size()) : out;
}

char* JsonWriter::value(char* out, const Op& op, std::int64_t row) {
  switch (op.kind) {
    case Kind::coded: return coded(out, op, row);
    case Kind::text: return quoted(out, op, op.view.text(row));
    case Kind::json: return inlined(out, op, op.view.text(row));
    case Kind::int32: return integer(prefix(out, op, kNumber), op.view.int32(row));
    case Kind::int64: return integer(prefix(out, op, kNumber), op.view.int64(row));
    case Kind::float64: {
      const double number = op.view.float64(row);
      if (!std::isfinite(number)) return absent(out, op);
      out = prefix(out, op, kNumber);
      char* const end = std::to_chars(out, out + kNumber, number).ptr;
      if (std::find_if(out, end, [](char c) { return c == '.' || c == 'e'; }) != end) return end;
      std::memcpy(end, ".0", 2);  // so that it reads back as a double, and -0 as itself
      return end + 2;
    }
    case Kind::boolean: {
      out = prefix(out, op, 8);
      const bool set = op.view.boolean(row);
      std::memcpy(out, set ? "true   " : "false  ", 8);
      return out + (set ? 4 : 5);
    }
    default: throw BadArray("an operation without a value");
  }
}

char* JsonWriter::coded(char* out, const Op& op, std::int64_t row) {
  const std::int64_t code = op.view.code(row);
  if (op.cache) {
    if (op.fetch) fetch_ahead(*op.cache, op, op.view.values<std::int32_t>() + op.view.base() + row, op.view.length() - row);
    const Slice slice = op.cache->slices[static_cast<std::size_t>(code)];
    if (slice.size != 0) return copy(room(out, slice.size), op.cache->text.data() + slice.offset, slice.size);
  }
  if (!op.view.dictionary_valid(code)) return absent(out, op);
  const auto begin = static_cast<std::size_t>(out - out_->data());
  const std::string_view from = op.view.dictionary_text(code);
  out = op.node->field->json ? inlined(out, op, from) : quoted(out, op, from);
  if (op.cache) {
    TextBuffer& kept = op.cache->text;
    const std::string_view rendered(out_->data() + begin, static_cast<std::size_t>(out - out_->data()) - begin);
    std::size_t more = 0;
    if (rendered.size() > kept.capacity() - kept.size())
      more = std::max(kept.size() + rendered.size(), kept.capacity() * 2) - kept.capacity();
    if (!rendered.empty() && rendered.size() <= kMaxCachedValue && cached_ + more <= cache_bytes_ &&
        kept.size() <= std::numeric_limits<std::uint32_t>::max() - kMaxCachedValue) {
      const Slice slice{static_cast<std::uint32_t>(kept.size()), static_cast<std::uint32_t>(rendered.size())};
      kept.append(rendered);
      cached_ += more;
      op.cache->slices[static_cast<std::size_t>(code)] = slice;
    }
  }
  return out;
}

char* JsonWriter::quoted(char* out, const Op& op, std::string_view from) {
  out = prefix(out, op, 1);
  *out++ = '"';
  out = text<false>(out, from);
  out = room(out, 1);
  *out++ = '"';
  return out;
}

char* JsonWriter::inlined(char* out, const Op& op, std::string_view from) {
  if (from.empty()) return absent(out, op);  // nothing is not JSON
  return text<true>(prefix(out, op, 0), from);
}

template <bool json>
char* JsonWriter::text(char* out, std::string_view from) {
  while (!from.empty()) {
    const std::size_t step = std::min(from.size(), kTextStep);
    out = escape<json>(room(out, step * 6), from.data(), step);
    from.remove_prefix(step);
  }
  return out;
}

char* JsonWriter::structure(char* out, std::uint32_t at, std::int64_t row) {
  const Op& op = ops_[at];
  const auto begin = static_cast<std::size_t>(out - out_->data());
  out = prefix(out, op, 0);
  const auto members = static_cast<std::size_t>(out - out_->data());
  out = room(body(out, at + 1, op.end, row), 2);
  char* const first = out_->data() + members;
  if (out != first) {
    *first = '{';
  } else if (op.node->element) {
    *out++ = '{';
  } else {
    return out_->data() + begin;
  }
  *out++ = '}';
  return out;
}

char* JsonWriter::list(char* out, std::uint32_t at, std::int64_t row) {
  const Op& op = ops_[at];
  const auto [begin, end] = op.view.range(row);
  out = prefix(out, op, 0);
  const auto items = static_cast<std::size_t>(out - out_->data());
  for (std::int64_t item = begin; item < end; ++item) out = body(out, at + 1, op.end, item - op.first);
  out = room(out, 2);
  char* const first = out_->data() + items;
  if (out == first) ++out;
  *first = '[';
  *out++ = ']';
  return out;
}

// ---- Rows from the rows before them ----

// Bytes that two texts have in common in front, of `size` at most, with TextBuffer::kSlack readable behind both.
static inline std::size_t same_front(const char* a, const char* b, std::size_t size) {
  for (std::size_t i = 0; i < size; i += 8) {
    std::uint64_t x = 0, y = 0;
    std::memcpy(&x, a + i, 8), std::memcpy(&y, b + i, 8);
    if (x != y) return std::min(size, i + static_cast<std::size_t>(std::countr_zero(x ^ y)) / 8);
  }
  return size;
}

// The same of their last bytes: eight at most, which are there to be read before both ends.
static inline std::size_t same_back(const char* a_end, const char* b_end, std::size_t size) {
  std::uint64_t x = 0, y = 0;
  std::memcpy(&x, a_end - 8, 8), std::memcpy(&y, b_end - 8, 8);
  const auto same = static_cast<std::size_t>(std::countl_zero(x ^ y)) / 8;
  return std::min(size, same);
}

std::int64_t JsonWriter::render(std::int64_t row, TextBuffer& out, std::size_t stop, Recipe& recipe) {
  if (row < 0 || row >= rows_) throw BadArray("no such row");
  if (!lined_up_) line_up();
  if (!has_slots_ || out.size() > Recipe::kLongestText) {
    const std::size_t before = out.size();
    const std::int64_t next = render(row, out, stop);
    recipe.literals(out.data() + before, out.size() - before);
    recipe.row_ = -1;
    return next;
  }
  out_ = &out, recipe_ = &recipe;
  char* at = start(out.size());
  bool follows = recipe.row_ == row - 1 && recipe.row_ >= 0 && recipe.batch_ == batch_;
  do {
    new_ = new_spans_.data();
    make_spans(slots_.size());
    at = follows ? next_row(at, row) : first_row(at, row);
    std::swap(old_spans_, new_spans_);
    follows = offset(at) <= Recipe::kLongestText;
    ++row;
  } while (row < rows_ && offset(at) < stop);
  recipe.row_ = follows ? row - 1 : -1, recipe.batch_ = batch_;
  out.set_size(offset(at));
  out_ = nullptr, recipe_ = nullptr;
  return row;
}

// Whether it gives a text in every row. What does can be trusted with its body's first comma.
bool JsonWriter::always(std::uint32_t at) const {
  const Op& op = ops_[at];
  if (op.validity) return false;
  switch (op.kind) {
    case Kind::piece:
    case Kind::int32:
    case Kind::int64:
    case Kind::boolean:
    case Kind::list:
    case Kind::text: return true;
    case Kind::coded:
      return !op.node->field->json && (op.view.array().dictionary->null_count == 0 || !op.view.array().dictionary->buffers[0]);
    case Kind::json:
    case Kind::float64: return false;
    case Kind::structure:
      for (std::uint32_t i = at + 1; i < op.end; i = ops_[i].end) {
        if (always(i)) return true;
      }
      return false;
  }
  return false;
}

std::size_t JsonWriter::keep_fixed(std::string_view text) {
  const std::size_t at = fixed_.size();
  fixed_.append(text);
  return at;
}

void JsonWriter::line_up() {
  lined_up_ = true;
  has_slots_ = false;
  block_ = -kBlockRows;
  const auto n_ops = static_cast<std::uint32_t>(ops_.size());
  for (std::uint32_t i = 0; i < n_ops; i = ops_[i].end) has_slots_ = has_slots_ || always(i);
  if (!has_slots_) return;
  fixed_.reserve(1);
  std::string fixed;
  line_up(0, n_ops, '{', slots_, fixed);
  fixed += "}\n";
  row_tail_ = keep_fixed(fixed), row_tail_size_ = fixed.size();
}

// `fixed` is the text since the last slot. The body has an operation that always gives text.
void JsonWriter::line_up(std::uint32_t begin, std::uint32_t end, char first, std::vector<Slot>& slots, std::string& fixed) {
  std::uint32_t i = begin;
  while (!always(i)) i = ops_[i].end;
  if (i != begin) {
    i = ops_[i].end;
    add_slot(begin, i, first, slots, fixed);
    first = ',';
  }
  for (; i < end; i = ops_[i].end) {
    const Op& op = ops_[i];
    if (op.kind == Kind::piece) {
      fixed.append(1, first).append(pieces_.view().substr(op.piece + 1, op.size - 1));
    } else if (op.kind == Kind::structure && always(i)) {
      fixed.append(1, first).append(op.node->prefix.view().substr(1));
      line_up(i + 1, op.end, '{', slots, fixed);
      fixed += '}';
    } else {
      add_slot(i, op.end, first, slots, fixed);
    }
    first = ',';
  }
}

void JsonWriter::add_slot(std::uint32_t begin, std::uint32_t end, char first, std::vector<Slot>& slots, std::string& fixed) {
  Slot slot;
  slot.begin = begin, slot.end = end, slot.first = first;
  const Op& op = ops_[begin];
  const bool of_structs = &slots == &slots_ && op.kind == Kind::list && !op.validity && op.end == end && begin + 1 < end &&
                          ops_[begin + 1].kind == Kind::structure && ops_[begin + 1].end == end && always(begin + 1);
  if (of_structs) {
    std::vector<Slot> inner;
    std::string text(ops_[begin + 1].node->prefix.view());
    line_up(begin + 2, end, '{', inner, text);
    text += '}';
    if (!inner.empty()) {
      fixed.append(1, first).append(op.node->prefix.view().substr(1));
      slot.inner = static_cast<std::uint32_t>(inner_.size()), slot.n_inner = static_cast<std::uint32_t>(inner.size());
      slot.tail = keep_fixed(text), slot.tail_size = text.size();
      inner_.insert(inner_.end(), inner.begin(), inner.end());
    }
  }
  slot.fixed = keep_fixed(fixed), slot.fixed_size = fixed.size();
  fixed.clear();
  const bool alone = op.end == end;
  slot.compared = alone && (op.kind == Kind::coded || op.kind == Kind::int32 || op.kind == Kind::int64);
  if (slot.compared) {
    slot.kind = op.kind, slot.validity = op.validity, slot.base = op.view.base(), slot.length = op.view.length();
    slot.known = op.node->prefix.size();
    if (op.kind == Kind::int64) {
      slot.large = op.view.values<std::int64_t>() + slot.base;
    } else {
      slot.small = op.view.values<std::int32_t>() + slot.base;
    }
    slot.cache = op.cache, slot.fetch = op.fetch;
    if (op.kind == Kind::coded && op.cache) {
      slot.n_codes =
          static_cast<std::uint32_t>(std::min<std::size_t>(static_cast<std::size_t>(op.view.dictionary_length()), op.cache->slices.size()));
    }
  }
  slots.push_back(slot);
}

// As the rows of the body's operations.
ArrowView::Range JsonWriter::items_of(const Slot& slot, std::int64_t row) const {
  const Op& op = ops_[slot.begin];
  const auto [begin, end] = op.view.range(row);
  if (begin < op.first || end - op.first > ops_[slot.begin + 1].view.length()) throw BadArray("list offsets are not in order");
  return {begin - op.first, end - op.first};
}

// Room for so many spans more; before the first of a row new_ is at none.
void JsonWriter::make_spans(std::size_t more) {
  const auto have = static_cast<std::size_t>(new_ - new_spans_.data());
  if (new_spans_.size() - have < more) new_spans_.resize((have + more) * 2);
  new_ = new_spans_.data() + have;
}

char* JsonWriter::first_row(char* out, std::int64_t row) {
  row_begin_ = offset(out);
  for (const Slot& slot : slots_) out = fresh_slot(out, slot, row);
  out = copy(room(out, row_tail_size_), fixed_.data() + row_tail_, row_tail_size_);
  recipe_->literals(out_->data() + row_begin_, offset(out) - row_begin_);
  return out;
}

char* JsonWriter::fresh_slot(char* out, const Slot& slot, std::int64_t row) {
  out = copy(room(out, slot.fixed_size), fixed_.data() + slot.fixed, slot.fixed_size);
  const std::size_t begin = offset(out);
  if (slot.n_inner != 0) {
    const auto [from, to] = items_of(slot, row);
    make_spans(static_cast<std::size_t>(to - from) * slot.n_inner + slots_.size());
    out = room(fresh_items(out, slot, from, from, to), 1);
    *new_++ = {begin, offset(out)};
    *out++ = ']';
    return out;
  }
  out = body(out, slot.begin, slot.end, row);
  if (offset(out) != begin) out_->data()[begin] = slot.first;
  *new_++ = {begin, offset(out)};
  return out;
}

// The items from `begin` to `end` of a list that begins with the item `from`, behind its bracket if there are any.
char* JsonWriter::fresh_items(char* out, const Slot& slot, std::int64_t from, std::int64_t begin, std::int64_t end) {
  if (begin == end) {
    out = room(out, 1);
    *out++ = '[';
  }
  for (std::int64_t item = begin; item < end; ++item) {
    const std::size_t at = offset(out);
    for (std::uint32_t i = 0; i < slot.n_inner; ++i) out = fresh_slot(out, inner_[slot.inner + i], item);
    out = copy(room(out, slot.tail_size), fixed_.data() + slot.tail, slot.tail_size);
    out_->data()[at] = item == from ? '[' : ',';
  }
  return out;
}

// `bit` is the row's in changes_; below 0: the rows were not compared. What is in both rows and often new has ways of its own, which compare
// before they write: bytes that were just written in other pieces are slow to read.
[[gnu::always_inline]] inline char* JsonWriter::next_slot(char* out, const Slot& slot, std::int64_t row, std::int64_t before,
                                                          std::int64_t bit) {
  if (!slot.compared || bit < 0) return next_other(out, slot, row, before, bit);
  const Span old = *old_;
  if (!may_have_changed(slot, bit)) {
    ++old_;
    const std::size_t moved = offset(out) - run_;
    *new_++ = {old.begin + moved, old.end + moved};
    return out;
  }
  if (old.end == old.begin || (slot.validity && !ArrowView::bit(slot.validity, slot.base + row))) {
    return next_other(out, slot, row, before, bit);
  }
  if (slot.kind == Kind::coded) {
    const auto code = static_cast<std::uint32_t>(slot.small[row]);
    if (code >= slot.n_codes) return next_other(out, slot, row, before, bit);
    const Slice slice = slot.cache->slices[code];
    if (slot.fetch) fetch_ahead(*slot.cache, ops_[slot.begin], slot.small + row, slot.length - row);
    if (slice.size == 0) return next_other(out, slot, row, before, bit);
    return next_coded(out, *old_++, slot.known, slot.cache->text.data() + slice.offset, slice.size);
  }
  const std::int64_t number = slot.kind == Kind::int64 ? slot.large[row] : slot.small[row];
  if (static_cast<std::uint64_t>(number) >= kSixteenDigits) return next_other(out, slot, row, before, bit);
  return next_number(out, *old_++, slot.known, static_cast<std::uint64_t>(number));
}

char* JsonWriter::next_row(char* out, std::int64_t row) {
  if (row < block_ || row >= block_ + kBlockRows) compare_block(row);
  old_ = old_spans_.data();
  run_ = std::exchange(row_begin_, offset(out));
  for (const Slot& slot : slots_) {
    out = slot.n_inner != 0 ? next_list(out, slot, row) : next_slot(out, slot, row, row - 1, row - block_);
  }
  return copy_run(out, row_begin_);
}

// Copies what is between run_ and `end` in the row before.
char* JsonWriter::copy_run(char* out, std::size_t end) {
  const std::size_t size = end - run_;
  out = room(out, size);
  const std::size_t distance = offset(out) - run_;
  char* const end_of_copy = copy(out, out_->data() + run_, size);  // the rows do not overlap
  recipe_->match(out, size, distance);
  return end_of_copy;
}

// A column at a time, for one that is read beside thirty others comes slowly. `row` has one before it.
void JsonWriter::compare_block(std::int64_t row) {
  block_ = row;
  changes_.clear();
  const std::int64_t n = std::min(kBlockRows, rows_ - row);
  for (Slot& slot : slots_) {
    if (slot.n_inner == 0) {
      slot.changes = changes_.size();
      compare(slot, row, n, 1);
      continue;
    }
    const auto [before, first] = items_of(slot, row - 1);
    slot.lag = first - before, slot.first_item = first;
    for (std::int64_t r = row; r < row + n && slot.lag > 0; ++r) {
      const auto [from, to] = items_of(slot, r);
      if (from != first + (r - row) * slot.lag || to - from != slot.lag) slot.lag = 0;
    }
    if (slot.lag > kBlockRows) slot.lag = 0;
    if (slot.lag == 0) continue;
    for (std::uint32_t i = 0; i < slot.n_inner; ++i) {
      inner_[slot.inner + i].changes = changes_.size();
      compare(inner_[slot.inner + i], first, n * slot.lag, slot.lag);
    }
  }
}

// Bits for `n` rows of the slot's operations, each against the one `lag` before.
void JsonWriter::compare(const Slot& slot, std::int64_t row, std::int64_t n, std::int64_t lag) {
  const std::size_t at = changes_.size();
  changes_.resize(at + static_cast<std::size_t>(n + 63) / 64, slot.compared ? 0 : ~std::uint64_t{0});
  if (!slot.compared) return;
  const Op& op = ops_[slot.begin];
  if (row < lag || n > op.view.length() - row) throw BadArray("a column is shorter than its rows");
  std::uint64_t* const out = changes_.data() + at;
  const auto differing = [&]<class T>(const T* values) {
    for (std::int64_t i = 0; i < n; i += 64) {
      const std::int64_t some = std::min<std::int64_t>(64, n - i);
      std::uint64_t bits = 0;
      std::int64_t k = 0;
#if defined(__SSE4_1__)
      constexpr std::int64_t kLanes = 16 / static_cast<std::int64_t>(sizeof(T));
      for (; k + kLanes <= some; k += kLanes) {
        const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values + i + k));
        const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values + i + k - lag));
        const int same = sizeof(T) == 8 ? _mm_movemask_pd(_mm_castsi128_pd(_mm_cmpeq_epi64(a, b)))
                                        : _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(a, b)));
        bits |= static_cast<std::uint64_t>(same ^ ((1 << kLanes) - 1)) << k;
      }
#endif
      for (; k < some; ++k) bits |= static_cast<std::uint64_t>(values[i + k] != values[i + k - lag]) << k;
      out[i / 64] = bits;
    }
  };
  const std::int64_t base = op.view.base() + row;
  if (op.kind == Kind::int64) {
    differing(op.view.values<std::int64_t>() + base);
  } else {
    differing(op.view.values<std::int32_t>() + base);
  }
  if (!op.validity) return;
  for (std::int64_t i = 0; i < n; ++i) {
    const bool valid = ArrowView::bit(op.validity, base + i);
    const std::uint64_t bit = std::uint64_t{1} << (i & 63);
    if (valid != ArrowView::bit(op.validity, base + i - lag)) {
      out[i / 64] |= bit;
    } else if (!valid) {
      out[i / 64] &= ~bit;
    }
  }
}

// What compare() leaves open.
bool JsonWriter::unchanged(const Op& op, std::int64_t row, std::int64_t before) const {
  const std::int64_t base = op.view.base();
  if (op.validity) {
    const bool valid = ArrowView::bit(op.validity, base + row);
    if (valid != ArrowView::bit(op.validity, base + before)) return false;
    if (!valid) return true;
  }
  switch (op.kind) {
    case Kind::coded:
    case Kind::int32: return op.view.int32(row) == op.view.int32(before);
    case Kind::int64: return op.view.int64(row) == op.view.int64(before);
    case Kind::boolean: return op.view.boolean(row) == op.view.boolean(before);
    case Kind::text:
    case Kind::json: return op.view.text(row) == op.view.text(before);
    default: return false;
  }
}

[[gnu::noinline]] char* JsonWriter::next_other(char* out, const Slot& slot, std::int64_t row, std::int64_t before, std::int64_t bit) {
  const Span old = *old_++;
  const Op& op = ops_[slot.begin];
  if (!(slot.compared && bit >= 0) && op.end == slot.end && unchanged(op, row, before)) {
    const std::size_t moved = offset(out) - run_;
    *new_++ = {old.begin + moved, old.end + moved};
    return out;
  }
  const std::size_t run = old.begin - run_;
  out = room(out, run);  // this may move what is copied from
  out = copy(out, out_->data() + run_, run);
  const std::size_t begin = offset(out);
  out = body(out, slot.begin, slot.end, row);
  char* const data = out_->data();
  const std::size_t size = offset(out) - begin, common = std::min(size, old.end - old.begin);
  if (size != 0) data[begin] = slot.first;
  *new_++ = {begin, begin + size};
  // The stretch that is copied goes on into the value, and the next one begins within it, as far as the two are the same.
  const std::size_t front = same_front(data + begin, data + old.begin, common);
  const std::size_t back = common < 8 ? 0 : same_back(out, data + old.end, common - front);
  recipe_->match(data + begin - run, run + front, begin - run - run_);
  recipe_->literals(data + begin + front, size - front - back);
  run_ = old.end - back;
  return out - back;
}

// The stretch from run_ on and what the old value and the new one, of `size` bytes, have in common in front of them. Room for the rest.
[[gnu::always_inline]] inline char* JsonWriter::new_value(char* out, Span old, std::size_t front, std::size_t size) {
  const std::size_t run = old.begin - run_;
  out = room(out, run + size);
  const std::size_t at = offset(out);
  *new_++ = {at + run, at + run + size};
  char* const end = copy(out, out_->data() + run_, run + front);
  recipe_->match(out, run + front, at - run_);
  return end;
}

[[gnu::noinline]] char* JsonWriter::next_coded(char* out, Span old, std::size_t known, const char* text, std::size_t size) {
  const char* const before = out_->data() + old.begin;
  const std::size_t common = std::min(size, old.end - old.begin);
  known = std::min(known, common);
  const std::size_t front = known + same_front(text + known, before + known, common - known);
  const std::size_t back = common < 8 ? 0 : same_back(text + size, out_->data() + old.end, common - front);
  out = new_value(out, old, front, size);
  recipe_->literals(text + front, size - front - back);
  run_ = old.end - back;
  return copy(out, text + front, size - front - back);
}

[[gnu::noinline]] char* JsonWriter::next_number(char* out, Span old, std::size_t known, std::uint64_t number) {
  const SixteenDigits digits(number);
  const std::size_t n = digits.size(), old_n = old.end - old.begin - known, common = std::min(n, old_n);
  const char* const data = out_->data();
  const std::size_t front = std::min(common, digits.same_front(data + old.begin + known));
  const std::size_t back = old.end < 16 ? 0 : std::min(common - front, digits.same_back(data + old.end));
  out = new_value(out, old, known + front, known + n);
  const std::size_t size = n - front - back;
  digits.write(out, front);
  digits.write(recipe_->more_literals(size), front);
  run_ = old.end - back;
  return out + size;
}

char* JsonWriter::next_list(char* out, const Slot& slot, std::int64_t row) {
  const auto [from, to] = items_of(slot, row);
  const auto [old_from, old_to] = items_of(slot, row - 1);
  const std::int64_t n = to - from, old_n = old_to - old_from, common = std::min(n, old_n);
  const auto spans = [&](std::int64_t items) { return static_cast<std::size_t>(items) * slot.n_inner; };
  make_spans(spans(n) + slots_.size());
  const Span old = old_[spans(old_n)];
  const std::size_t begin = offset(out) + (old.begin - run_);
  for (std::int64_t k = 0; k < common; ++k) {
    const std::int64_t bit = slot.lag != 0 ? from + k - slot.first_item : -1;
    for (std::uint32_t i = 0; i < slot.n_inner; ++i) out = next_slot(out, inner_[slot.inner + i], from + k, old_from + k, bit);
  }
  if (n != old_n) {
    out = copy_run(out, common == 0 ? old.begin : old_[-1].end + slot.tail_size);
    const std::size_t fresh = offset(out);
    if (n == 0 || n > common) out = fresh_items(out, slot, from, from + common, to);
    recipe_->literals(out_->data() + fresh, offset(out) - fresh);
    run_ = old.end;
  }
  old_ += spans(old_n - common) + 1;
  *new_++ = {begin, offset(out) + (old.end - run_)};
  return out;
}

}  // namespace lm::sink
