// Reading of Arrow arrays that came over the sink border, with every index checked.
//
//   auto field = Field::parse(*table->schema);           // once a table; the schema may go afterwards
//   ArrowView rows(*field, batch.array());
//   ArrowView region = rows.child("cloud").child("region");
//   if (region.valid(row)) use(region.dictionary_text(region.code(row)));
//
// A view is a value; the field and the array must outlive it. Row numbers are relative to the view: offsets of the array and of its parents
// are added inside. What an array lacks or contradicts throws BadArray: the host has validated it, so that it is a bug and not an input.
#pragma once

#include "common/error.hpp"

#include <logmill/arrow.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lm::sink {

struct BadArray : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The types that tables have. A coded column holds int32 codes into a dictionary of text.
enum class Type : std::uint8_t { structure, list, text, coded, int32, int64, float64, boolean };

struct Field {
  Type type = Type::structure;
  bool json = false;            // the text is JSON (extension type arrow.json)
  std::string name, path;       // path: "resources[].uid"
  std::vector<Field> children;  // one for a list

  // LM_UNSUPPORTED, with the path, if a column has another type.
  static Result<Field> parse(const ArrowSchema& schema);
};

// The value of a key in a schema's metadata; empty if there is none.
inline std::string_view metadata_value(const ArrowSchema& schema, std::string_view wanted) {
  const char* at = schema.metadata;
  if (!at) return {};
  const auto number = [&at] {
    std::int32_t n = 0;
    std::memcpy(&n, at, sizeof n);
    at += sizeof n;
    return n < 0 ? 0 : n;
  };
  const auto text = [&] {
    const auto n = static_cast<std::size_t>(number());
    const std::string_view out(at, n);
    at += n;
    return out;
  };
  // The encoding has no total length: the counts in it are the only bound there is, and the host made them.
  for (std::int32_t left = number(); left > 0; --left) {
    const std::string_view key = text(), value = text();
    if (key == wanted) return value;
  }
  return {};
}

class ArrowView {
 public:
  ArrowView() = default;  // of nothing: to be assigned to
  ArrowView(const Field& field, const ArrowArray& array) : ArrowView(field, array, array.offset, array.length) {}

  const Field& field() const { return *field_; }
  const ArrowArray& array() const { return *array_; }
  std::int64_t length() const { return length_; }
  // The place of row 0 in the buffers.
  std::int64_t base() const { return base_; }

  // The bitmap, in which row i is bit base() + i; null: every row is valid.
  const std::uint8_t* validity() const { return array_->null_count == 0 ? nullptr : static_cast<const std::uint8_t*>(array_->buffers[0]); }
  bool valid(std::int64_t row) const {
    check_row(row);
    const std::uint8_t* bits = validity();
    return !bits || bit(bits, base_ + row);
  }
  // Of the rows of this view, counted where the array does not say.
  std::int64_t null_count() const {
    const std::uint8_t* bits = validity();
    if (!bits) return 0;
    if (array_->null_count > 0 && base_ == array_->offset && length_ == array_->length) return array_->null_count;
    if (array_->null_count == array_->length) return length_;
    std::int64_t present = 0, row = base_;
    const std::int64_t end = base_ + length_;
    for (; row < end && (row & 7) != 0; ++row) present += bit(bits, row);
    for (; row + 64 <= end; row += 64) {
      std::uint64_t word = 0;
      std::memcpy(&word, bits + row / 8, 8);
      present += std::popcount(word);
    }
    for (; row < end; ++row) present += bit(bits, row);
    return length_ - present;
  }
  bool all_null() const { return length_ != 0 && null_count() == length_; }

  // A struct's child; the row numbers are the struct's.
  ArrowView child(std::size_t i) const {
    if (field_->type != Type::structure || i >= field_->children.size()) throw BadArray("no such child: " + field_->path);
    const ArrowArray& below = *array_->children[i];
    if (base_ > below.length || length_ > below.length - base_)
      throw BadArray("a child is shorter than its struct: " + field_->children[i].path);
    return ArrowView(field_->children[i], below, below.offset + base_, length_);
  }
  ArrowView child(std::string_view name) const {
    for (std::size_t i = 0; i < field_->children.size(); ++i) {
      if (field_->children[i].name == name) return child(i);
    }
    throw BadArray("no such child: " + field_->path + "." + std::string(name));
  }

  // A list's row, as positions in items().
  struct Range {
    std::int64_t begin, end;
  };
  Range range(std::int64_t row) const {
    check_row(row);
    const auto* offsets = values<std::int32_t>();
    const Range r{offsets[base_ + row], offsets[base_ + row + 1]};
    if (r.begin < 0 || r.end < r.begin || r.end > array_->children[0]->length) bad("list offsets are out of range");
    return r;
  }
  ArrowView items() const {
    if (field_->type != Type::list) throw BadArray("not a list: " + field_->path);
    return ArrowView(field_->children[0], *array_->children[0]);
  }
  ArrowView slice(std::int64_t begin, std::int64_t end) const {
    if (begin < 0 || end < begin || end > length_) throw BadArray("no such rows: " + field_->path);
    return ArrowView(*field_, *array_, base_ + begin, end - begin);
  }

  std::int32_t int32(std::int64_t row) const { return check_row(row), values<std::int32_t>()[base_ + row]; }
  std::int64_t int64(std::int64_t row) const { return check_row(row), values<std::int64_t>()[base_ + row]; }
  double float64(std::int64_t row) const { return check_row(row), values<double>()[base_ + row]; }
  bool boolean(std::int64_t row) const { return check_row(row), bit(values<std::uint8_t>(), base_ + row); }
  std::string_view text(std::int64_t row) const { return check_row(row), text_in(*array_, base_ + row); }

  // A valid row's code, which is in the dictionary.
  std::int64_t code(std::int64_t row) const {
    check_row(row);
    const std::int32_t code = values<std::int32_t>()[base_ + row];
    if (code < 0 || code >= array_->dictionary->length) bad("a code is out of range");
    return code;
  }
  std::int64_t dictionary_length() const { return array_->dictionary ? array_->dictionary->length : 0; }
  bool dictionary_valid(std::int64_t code) const {
    const ArrowArray& d = *array_->dictionary;
    return d.null_count == 0 || !d.buffers[0] || bit(static_cast<const std::uint8_t*>(d.buffers[0]), d.offset + code);
  }
  // `code` is one that code() answered.
  std::string_view dictionary_text(std::int64_t code) const {
    const ArrowArray& d = *array_->dictionary;
    if (code < 0 || code >= d.length) bad("a code is out of range");
    return text_in(d, d.offset + code);
  }

  // For what dictionary_text() will read a little later: its place and, once that is there, the text. These judge nothing, neither codes nor offsets: a row without a value
  // may have any.
  void fetch_dictionary_offset(std::int64_t code) const {
    const ArrowArray& d = *array_->dictionary;
    if (code >= 0 && code < d.length) __builtin_prefetch(static_cast<const std::int32_t*>(d.buffers[1]) + d.offset + code);
  }
  void fetch_dictionary_text(std::int64_t code) const {
    const ArrowArray& d = *array_->dictionary;
    if (code < 0 || code >= d.length) return;
    // An address of the offsets' making, which is fetched from and never read.
    const auto offset = static_cast<std::uintptr_t>(static_cast<const std::int32_t*>(d.buffers[1])[d.offset + code]);
    __builtin_prefetch(reinterpret_cast<const char*>(reinterpret_cast<std::uintptr_t>(d.buffers[2]) + offset));
  }

  // Buffer 1 as it lies in memory; row i of the view is at base() + i.
  template <class T>
  const T* values() const {
    return static_cast<const T*>(array_->buffers[1]);
  }
  static bool bit(const std::uint8_t* bits, std::int64_t at) { return (bits[at >> 3] >> (at & 7) & 1) != 0; }

 private:
  ArrowView(const Field& field, const ArrowArray& array, std::int64_t base, std::int64_t length)
      : field_(&field), array_(&array), base_(base), length_(length) {
    const auto need = [&](bool ok, const char* what) {
      if (!ok) throw BadArray(std::string(what) + ": " + field.path);
    };
    need(array.length >= 0 && array.offset >= 0 && base >= 0, "a negative length or offset");
    const std::int64_t buffers = field.type == Type::structure ? 1 : field.type == Type::text ? 3 : 2;
    need(array.n_buffers == buffers && array.buffers, "a wrong number of buffers");
    need(array.null_count <= 0 || array.buffers[0], "nulls without a bitmap");
    need(buffers == 1 || length == 0 || array.buffers[1], "values are missing");
    const bool nested = field.type == Type::structure || field.type == Type::list;
    need(!nested || (array.n_children == static_cast<std::int64_t>(field.children.size()) && (array.n_children == 0 || array.children)),
         "a wrong number of children");
    if (field.type == Type::coded) {
      need(array.dictionary && array.dictionary->n_buffers == 3 && array.dictionary->buffers && array.dictionary->length >= 0 &&
               array.dictionary->offset >= 0,
           "the dictionary is missing");
      need(array.dictionary->length == 0 || array.dictionary->buffers[1], "the dictionary's offsets are missing");
    }
  }

  // Not inlined: what calls it is on the way of every value.
  [[noreturn, gnu::noinline, gnu::cold]] void bad(const char* what) const {
    throw BadArray(std::string(what) + (field_ ? ": " + field_->path : ""));
  }

  void check_row(std::int64_t row) const {
    if (row < 0 || row >= length_) bad("no such row");
  }

  std::string_view text_in(const ArrowArray& array, std::int64_t at) const {
    const auto* offsets = static_cast<const std::int32_t*>(array.buffers[1]);
    const std::int32_t begin = offsets[at], end = offsets[at + 1];
    if (begin < 0 || end < begin || (end != begin && !array.buffers[2])) bad("text offsets are out of range");
    return begin == end ? std::string_view()
                        : std::string_view(static_cast<const char*>(array.buffers[2]) + begin, static_cast<std::size_t>(end - begin));
  }

  const Field* field_ = nullptr;
  const ArrowArray* array_ = nullptr;
  std::int64_t base_ = 0, length_ = 0;
};

namespace detail {

inline constexpr int kMaxDepth = 64;

inline Result<Field> parse_field(const ArrowSchema& schema, std::string path, int depth) {
  Field out;
  out.name = schema.name ? schema.name : "";
  out.path = std::move(path);
  const std::string_view format = schema.format ? schema.format : "";
  const auto unsupported = [&] {
    return fail(LM_UNSUPPORTED, "column '" + out.path + "' has the Arrow type '" + std::string(format) + "'");
  };
  if (depth > kMaxDepth) return fail(LM_UNSUPPORTED, "column '" + out.path + "' is nested too deep");
  out.json = metadata_value(schema, "ARROW:extension:name") == "arrow.json";
  if (schema.dictionary) {
    const std::string_view values = schema.dictionary->format ? schema.dictionary->format : "";
    if (format != "i" || values != "u") return unsupported();
    out.type = Type::coded;
    return out;
  }
  static constexpr std::pair<std::string_view, Type> kTypes[] = {{"+s", Type::structure}, {"+l", Type::list}, {"u", Type::text},
                                                                 {"i", Type::int32},      {"l", Type::int64}, {"g", Type::float64},
                                                                 {"b", Type::boolean}};
  bool known = false;
  for (const auto& [text, type] : kTypes) {
    if (format == text) out.type = type, known = true;
  }
  if (!known || (out.type == Type::list && schema.n_children != 1)) return unsupported();
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    const ArrowSchema& child = *schema.children[i];
    const std::string name = child.name ? child.name : "";
    auto parsed = parse_field(child, out.type == Type::list ? out.path + "[]" : out.path.empty() ? name : out.path + "." + name, depth + 1);
    if (!parsed) return parsed;
    out.children.push_back(std::move(*parsed));
  }
  return out;
}

}  // namespace detail

inline Result<Field> Field::parse(const ArrowSchema& schema) {
  auto out = detail::parse_field(schema, "", 0);
  if (out && out->type != Type::structure) return fail(LM_INVALID, "a table's schema is not a struct");
  return out;
}

}  // namespace lm::sink
