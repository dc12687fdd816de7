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
//
// With a recipe, rows are made from the row before: what did not change is a stretch of the text that is copied as a whole, and only what did
// change is rendered. For this the operations are lined up as slots, which stand in every row in the same order, with fixed text between them.
// A value is a slot; so is a part of a row whose commas depend on what is absent, as a whole. A list of structs has slots within.
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

// How a text was made, in the terms of a compressor: what stands in it for the first time, and what it repeats from before.
class Recipe {
 public:
  // `literals` bytes as they are; then `length` bytes that stand `distance` bytes before. Matches are kShortest long or longer.
  struct Step {
    std::uint32_t literals = 0, length = 0, distance = 0;
  };
  static constexpr std::size_t kShortest = 5;
  static constexpr std::size_t kLongestText = std::size_t{1} << 30;

  const std::vector<Step>& steps() const { return steps_; }
  // What stands as it is, of all steps and behind the last.
  std::string_view literals() const { return literals_.view(); }
  // The lengths of all matches.
  std::size_t copied() const { return copied_; }
  std::size_t capacity() const { return steps_.capacity() * sizeof(Step) + literals_.capacity(); }

  // What is added stands at `at` in the text, which has TextBuffer::kSlack readable behind it.
  void literals(const char* at, std::size_t n) {
    char* const out = more_literals(n);
    for (std::size_t i = 0; i < n; i += 16) std::memcpy(out + i, at + i, 16);
  }
  void match(const char* at, std::size_t length, std::size_t distance) {
    if (length < kShortest || pending_ > kLongestText || distance > kLongestText) return literals(at, length);
    steps_.push_back({static_cast<std::uint32_t>(pending_), static_cast<std::uint32_t>(length), static_cast<std::uint32_t>(distance)});
    pending_ = 0, copied_ += length;
  }
  void clear() { steps_.clear(), literals_.clear(), pending_ = copied_ = 0, row_ = -1; }
  void free() { clear(), steps_.shrink_to_fit(), literals_.free(); }

 private:
  friend class JsonWriter;
  // Room for `n` literals and the slack; they are counted already.
  char* more_literals(std::size_t n) {
    if (n >= literals_.capacity() - literals_.size()) literals_.reserve((literals_.size() + n) * 2 + TextBuffer::kSlack);
    char* const out = literals_.data() + literals_.size();
    literals_.set_size(literals_.size() + n);
    pending_ += n;
    return out;
  }

  std::vector<Step> steps_;
  TextBuffer literals_;
  std::size_t pending_ = 0, copied_ = 0;  // pending: literals behind the last step
  // The row that the text ends with, and the begin() that it is of; -1: none.
  std::int64_t row_ = -1;
  std::uint64_t batch_ = 0;
};

// Belongs to one thread at a time. Throws BadArray and std::bad_alloc; after that, begin() starts afresh.
class JsonWriter {
 public:
  // `cache_bytes` bounds what is kept of dictionaries from batch to batch. A new bound holds from the next begin() on.
  JsonWriter(Field field, std::size_t cache_bytes);
  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;

  // The array must live until end(). `instance` and `epoch` name its dictionaries as lm_batch says.
  void begin(const ArrowArray& array, std::uint64_t instance, std::uint64_t epoch);
  std::int64_t rows() const { return rows_; }
  // Appends rows from `row` on, at least one, until `out` holds `stop` bytes or the batch ends; answers the row to go on with.
  std::int64_t render(std::int64_t row, TextBuffer& out, std::size_t stop);
  // The same, and says in `recipe` how the text was made. The recipe is of all that is in `out`: they are cleared together. Where what a row
  // has in common with the row before is a small part of it, this takes longer.
  std::int64_t render(std::int64_t row, TextBuffer& out, std::size_t stop, Recipe& recipe);
  void end();

  std::size_t cached_bytes() const { return cached_; }
  void set_cache_bytes(std::size_t bytes) { cache_bytes_ = bytes; }
  // Keeps nothing of dictionaries. Between end() and begin().
  void forget() { instances_.clear(), instance_ = nullptr, cached_ = 0; }

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
    bool fetch = false;               // coded: the dictionary is large
    std::int64_t first = 0;           // list: the item that is row 0 of the body
    std::size_t piece = 0, size = 0;  // piece: where in pieces_
  };
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  static constexpr std::int64_t kBlockRows = 64;

  // A part of every row that may change, and the fixed text in front of it.
  struct Slot {
    std::uint32_t begin = 0, end = 0;       // operations; one but for a part as a whole
    std::size_t fixed = 0, fixed_size = 0;  // in fixed_
    char first = ',';                       // what stands in place of its first comma
    std::uint32_t inner = 0, n_inner = 0;   // a list of structs: its slots in inner_
    std::size_t tail = 0, tail_size = 0;    // and the fixed text behind the last of an element
    // What is compared a block at a time: numbers and codes, and where they are.
    bool compared = false;
    Kind kind = Kind::piece;
    std::uint32_t n_codes = 0;  // below which slices are this dictionary's
    std::int64_t base = 0, length = 0;
    const std::int32_t* small = nullptr;  // of coded and int32, from row 0 on
    const std::int64_t* large = nullptr;  // of int64
    const std::uint8_t* validity = nullptr;
    const ValueCache* cache = nullptr;
    bool fetch = false;
    std::size_t known = 0;        // so many bytes are the same in all texts of a value
    std::size_t changes = 0;      // where in changes_
    std::int64_t lag = 0;         // a list of structs: the items of every row of the block, if they are as many
    std::int64_t first_item = 0;  // the item that the first bit of its slots is of
  };
  struct Span {
    std::size_t begin, end;
  };

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

  void line_up();
  void line_up(std::uint32_t begin, std::uint32_t end, char first, std::vector<Slot>& slots, std::string& fixed);
  void add_slot(std::uint32_t begin, std::uint32_t end, char first, std::vector<Slot>& slots, std::string& fixed);
  bool always(std::uint32_t at) const;
  std::size_t keep_fixed(std::string_view text);

  // These make a row from the row before. The stretch from run_ on is to be copied to where `out` is, as far as nothing changes.
  char* first_row(char* out, std::int64_t row);
  char* next_row(char* out, std::int64_t row);
  void make_spans(std::size_t more);
  char* fresh_slot(char* out, const Slot& slot, std::int64_t row);
  char* fresh_items(char* out, const Slot& slot, std::int64_t from, std::int64_t begin, std::int64_t end);
  char* next_slot(char* out, const Slot& slot, std::int64_t row, std::int64_t before, std::int64_t bit);
  char* next_other(char* out, const Slot& slot, std::int64_t row, std::int64_t before, std::int64_t bit);
  char* next_list(char* out, const Slot& slot, std::int64_t row);
  char* next_coded(char* out, Span old, std::size_t known, const char* text, std::size_t size);
  char* next_number(char* out, Span old, std::size_t known, std::uint64_t number);
  char* new_value(char* out, Span old, std::size_t front, std::size_t size);
  char* copy_run(char* out, std::size_t end);
  void compare_block(std::int64_t row);
  void compare(const Slot& slot, std::int64_t row, std::int64_t n, std::int64_t lag);
  bool may_have_changed(const Slot& slot, std::int64_t bit) const {
    return (changes_[slot.changes + static_cast<std::size_t>(bit >> 6)] >> (bit & 63) & 1) != 0;
  }
  bool unchanged(const Op& op, std::int64_t row, std::int64_t before) const;
  ArrowView::Range items_of(const Slot& slot, std::int64_t row) const;
  std::size_t offset(const char* out) const { return static_cast<std::size_t>(out - out_->data()); }

  // These write at `out` and answer where they stopped; they may move the buffer.
  char* body(char* out, std::uint32_t begin, std::uint32_t end, std::int64_t row);
  char* value(char* out, const Op& op, std::int64_t row);
  char* coded(char* out, const Op& op, std::int64_t row);
  static void fetch_ahead(const ValueCache& cache, const Op& op, const std::int32_t* codes, std::int64_t left);
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

  // The slots of a row, whether there are any, and the fixed text behind the last.
  bool lined_up_ = false, has_slots_ = false;
  std::vector<Slot> slots_, inner_;
  TextBuffer fixed_;
  std::size_t row_tail_ = 0, row_tail_size_ = 0;
  // Where the slots were in the row before, and are in this one: those of lists within, then the list's end.
  std::vector<Span> old_spans_, new_spans_;
  const Span* old_ = nullptr;
  Span* new_ = nullptr;
  // Whether slots differ from those of the row before, for the rows from block_ on: bits, by slot.
  std::vector<std::uint64_t> changes_;
  std::int64_t block_ = 0;
  std::size_t run_ = 0, row_begin_ = 0;
  Recipe* recipe_ = nullptr;
  std::uint64_t batch_ = 0;

  TextBuffer* out_ = nullptr;
  char* limit_ = nullptr;  // of out_: kSlack bytes more may be written
};

// What the writer of `all[at]`, one of several that share `bytes`, may keep of dictionaries: what the others leave. Of those that have come so far each is left an even part, which is
// an all.size()th; when one comes to a place that is taken, the one that holds most gives up what it has, once. `Holder` has a `writer` that is between end() and begin(); null: none
// has come.
template <class Holder>
std::size_t cache_share(const std::vector<std::unique_ptr<Holder>>& all, std::size_t at, std::size_t bytes) {
  const std::size_t even = bytes / all.size();
  for (;;) {
    std::size_t taken = 0;
    JsonWriter* largest = nullptr;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i == at || !all[i]) continue;
      JsonWriter& writer = all[i]->writer;
      taken += std::max(writer.cached_bytes(), even);
      if (!largest || writer.cached_bytes() > largest->cached_bytes()) largest = &writer;
    }
    if (taken <= bytes - even) return bytes - taken;
    largest->forget();
  }
}

}  // namespace lm::sink
