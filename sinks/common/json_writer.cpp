#include "common/json_writer.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace lm::sink {
namespace {

constexpr std::size_t kMaxCachedValue = std::size_t{64} << 10;
constexpr std::size_t kTextStep = 4096;  // texts are escaped so many bytes at a time: room is made for the worst case
constexpr std::size_t kNumber = 32;      // enough for any number

// With the slack behind it that copy() reads.
constexpr char kNullText[64] = ",null";
constexpr std::string_view kNull(kNullText, 5);

// Copies `size` bytes in whole vectors: up to 31 bytes more are read and written, which TextBuffer::kSlack allows on both sides.
inline char* copy(char* out, const char* from, std::size_t size) {
  std::size_t at = 0;
  do {
    std::memcpy(out + at, from + at, 32);
    at += 32;
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
  const ArrowView view(field_, array);
  rows_ = view.length();
  if (rows_ == 0) return;
  for (std::size_t i = 0; i < root_.children.size(); ++i) compile(root_.children[i], view.child(i));
}

void JsonWriter::end() {
  ops_.clear(), pieces_.clear();
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
  if (kind == Kind::coded) ops_[at].cache = cache_for(node, view);
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
    case Kind::int32: out = prefix(out, op, kNumber); return std::to_chars(out, out + kNumber, op.view.int32(row)).ptr;
    case Kind::int64: out = prefix(out, op, kNumber); return std::to_chars(out, out + kNumber, op.view.int64(row)).ptr;
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

}  // namespace lm::sink
