// Arrow batches of one table as JSON, one object a line.
//
//   JsonWriter writer(std::move(field), 8 << 20);
//   writer.begin(batch.array(), batch.instance(), batch.epoch());
//   for (std::int64_t row = 0; row < writer.rows();) { row = writer.render(row, out, 1 << 20); use(out); }
//   writer.end();
//
// What is absent is left out: null values, NaN and infinities (JSON has no word for them), and structs with nothing in them. Empty lists
// stay. In a list every element keeps its place: an absent one is null, an empty struct {}. JSON text stands as it is, but for raw line
// breaks: between JSON tokens they mean nothing, and within texts they cannot be, so that a space may stand for each and an event is one
// line. Doubles are the shortest text that reads back as the same number.
//
// How it is fast: begin() makes a list of operations from what the batch holds. A column without values has none; what is the same in every
// row (a constant, a struct of constants) melts with its neighbours into one piece of text that is copied; a dictionary's value is escaped
// when it is first met and kept with key and quotes. Every member is written with a comma in front, and a struct's brace overwrites its
// first one: no operation asks whether it is the first, and a struct that stayed empty is taken back by one comparison.
#pragma once

#include "common/arrow_view.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lm::sink {

// Text under construction: not zeroed, and with kSlack bytes behind its end that may be read and written, so that short pieces are copied
// in whole vectors.
class TextBuffer {
 public:
  static constexpr std::size_t kSlack = 64;

  TextBuffer() = default;
  TextBuffer(TextBuffer&& other) noexcept
      : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)), capacity_(std::exchange(other.capacity_, 0)) {}
  TextBuffer& operator=(TextBuffer&& other) noexcept {
    std::swap(data_, other.data_), std::swap(size_, other.size_), std::swap(capacity_, other.capacity_);
    return *this;
  }

  char* data() { return data_.get(); }
  const char* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  std::string_view view() const { return {data_.get(), size_}; }
  void clear() { size_ = 0; }
  void free() { data_.reset(), size_ = capacity_ = 0; }
  // `size` at most capacity().
  void set_size(std::size_t size) { size_ = size; }
  void reserve(std::size_t capacity) {
    if (capacity <= capacity_) return;
    std::unique_ptr<char[]> fresh(new char[capacity + kSlack]);
    if (size_ != 0) std::memcpy(fresh.get(), data_.get(), size_);
    data_ = std::move(fresh), capacity_ = capacity;
  }
  void append(std::string_view text) {
    if (text.size() > capacity_ - size_) reserve(std::max(size_ + text.size(), capacity_ * 2));
    if (!text.empty()) std::memcpy(data_.get() + size_, text.data(), text.size());
    size_ += text.size();
  }

 private:
  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0, capacity_ = 0;
};

// Belongs to one thread at a time. Throws BadArray and std::bad_alloc; after that, begin() starts afresh.
class JsonWriter {
 public:
  // `cache_bytes` bounds what is kept of dictionaries from batch to batch.
  JsonWriter(Field field, std::size_t cache_bytes);
  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;

  // The array must live until end(). `instance` and `epoch` name its dictionaries as lm_batch says.
  void begin(const ArrowArray& array, std::uint64_t instance, std::uint64_t epoch);
  std::int64_t rows() const { return rows_; }
  // Appends rows from `row` on, at least one, until `out` holds `stop` bytes or the batch ends; answers the row to go on with.
  std::int64_t render(std::int64_t row, TextBuffer& out, std::size_t stop);
  void end();

  std::size_t cached_bytes() const { return cached_; }

 private:
  // A rendered dictionary value, with key and quotes: `size` bytes at `offset`. A value that is not kept has size 0.
  struct Slice {
    std::uint32_t offset = 0, size = 0;
  };
  struct ValueCache {
    std::vector<Slice> slices;  // by code
    TextBuffer text;
  };
  struct Instance {
    std::uint64_t epoch = 0;
    std::vector<ValueCache> columns;  // by Node::cache
  };

  struct Node {
    const Field* field = nullptr;
    TextBuffer prefix;  // ,"key": or for an element a comma
    bool element = false;
    std::size_t cache = 0;  // coded
    std::vector<Node> children;
  };

  enum class Kind : std::uint8_t { piece, coded, text, json, int32, int64, float64, boolean, structure, list };
  // Operations stand in the order of their output; the body of a struct or of a list's element follows its head.
  struct Op {
    Kind kind = Kind::piece;
    std::uint32_t end = 0;                   // the operation behind this one and its body
    const Node* node = nullptr;              // null for a piece
    const std::uint8_t* validity = nullptr;  // null: every row is valid
    ArrowView view;
    ValueCache* cache = nullptr;      // coded; null: not kept
    std::int64_t first = 0;           // list: the item that is row 0 of the body
    std::size_t piece = 0, size = 0;  // piece: where in pieces_
  };
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  Node make_node(const Field& field, bool element);
  void compile(const Node& node, const ArrowView& view);
  void compile_structure(const Node& node, const ArrowView& view, bool nulls);
  void compile_list(const Node& node, const ArrowView& view, bool nulls);
  std::size_t add_op(Kind kind, const Node* node);
  void add_piece(std::string_view text);  // not from pieces_
  // The text if the operations from `begin` on are one piece; else empty.
  std::string_view single_piece(std::size_t begin) const;
  static bool constant(const ArrowView& view);
  ValueCache* cache_for(const Node& node, const ArrowView& view);

  // These write at `out` and answer where they stopped; they may move the buffer.
  char* body(char* out, std::uint32_t begin, std::uint32_t end, std::int64_t row);
  char* value(char* out, const Op& op, std::int64_t row);
  char* coded(char* out, const Op& op, std::int64_t row);
  char* quoted(char* out, const Op& op, std::string_view from);
  char* inlined(char* out, const Op& op, std::string_view from);
  char* structure(char* out, std::uint32_t at, std::int64_t row);
  char* list(char* out, std::uint32_t at, std::int64_t row);
  char* prefix(char* out, const Op& op, std::size_t more);  // with room for `more` behind it
  char* absent(char* out, const Op& op);
  template <bool json>
  char* text(char* out, std::string_view from);
  char* start(std::size_t size);
  char* room(char* out, std::size_t bytes) { return static_cast<std::size_t>(limit_ - out) >= bytes ? out : grow(out, bytes); }
  char* grow(char* out, std::size_t bytes);

  std::size_t cache_bytes_, cached_ = 0, n_caches_ = 0;
  Field field_;
  Node root_;
  std::unordered_map<std::uint64_t, Instance> instances_;
  Instance* instance_ = nullptr;

  std::int64_t rows_ = 0;
  std::vector<Op> ops_;
  std::size_t sibling_ = kNone;  // while compiling: the last operation of the body that is being made
  TextBuffer pieces_, scratch_;
  TextBuffer* out_ = nullptr;
  char* limit_ = nullptr;  // of out_: kSlack bytes more may be written
};

}  // namespace lm::sink
