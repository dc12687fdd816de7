// logmill/sdk/columns.hpp -- the columns of a table while a block is parsed, and their export as Arrow arrays. Plugin code uses lm::Rows (sdk.hpp);
// this is what stands behind it.
//
// A table is a set of leaf columns on levels. Level 0 holds the rows; every OCSF array on the way to a column opens a level of its own, which holds that
// array's elements. Within a level a column is sized once and written by index:
//   - A column is allocated by its first value. While every row so far has one, nothing but the value is written; the bitmap, and the zeroes of the rows
//     without a value, come with the first row that is left out.
//   - Plain text keeps a length a row and becomes offsets by one prefix sum at the export; repeated text keeps a code (intern.hpp).
//   - A list keeps a length a row of the level above; its elements lie in the order of the rows.
//   - A struct is null where all of its children are; its bitmap is their OR, made at the export.
//   - Setting a value again replaces it (a repeated key: the last one stands).
//   - truncate() wipes rows at once, in every column, so that nothing of a rejected record shows up in the next row.
#pragma once

#include <logmill/arrow.h>
#include <logmill/ocsf/catalogue.hpp>
#include <logmill/sdk/arrays.hpp>
#include <logmill/sdk/intern.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace lm::detail {

enum class Store : std::uint8_t { code, text, int32, int64, float64, boolean };

constexpr std::uint16_t kItself = 0xffff;

enum class Check : std::uint8_t { none, address, port };  // what a value must be beyond its type

struct ColumnSpec {
  std::string_view path;
  Store store = Store::text;
  std::uint16_t level = 0;
  std::string_view constant;  // not empty: every row of level 0 has it, and nothing is stored
  Check check = Check::none;
  std::uint16_t same_as = kItself;  // the column whose values these are
};

// Whether a constant of a column is one of its type; numbers are whole.
constexpr bool constant_fits(std::string_view text, ocsf::Kind kind) {
  switch (kind) {
    case ocsf::Kind::text: return true;
    case ocsf::Kind::boolean: return text == "true" || text == "false";
    case ocsf::Kind::json:
    case ocsf::Kind::object: return false;
    default: break;
  }
  if (text.starts_with('-')) text.remove_prefix(1);
  constexpr std::size_t kMostDigits = 18;  // which int64_t has in any case
  if (text.empty() || text.size() > kMostDigits) return false;
  std::int64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    number = number * 10 + (c - '0');
  }
  return kind != ocsf::Kind::integer || number <= INT32_MAX;
}

struct LevelSpec {
  std::string_view path;  // "resources[]"; "" for the rows
  std::uint16_t parent = 0;
};

constexpr std::uint32_t kSparse = 0xffffffff;

struct ColumnData {
  Memory values;  // int32, int64 or double slots; int32 codes; int32 text lengths; a bitmap of booleans
  Memory valid;   // bitmap; none while rows 0 to `dense` are those that have a value
  std::uint32_t dense = kSparse;
  Memory text;  // plain text, in the order of the rows
  std::size_t text_size = 0, text_capacity = 0;
  std::size_t text_before = 0;  // of the batch before this one: what comes will be as much
  std::uint32_t text_row = 0;   // the last row whose text was written: text lies in the order of the rows
  std::unique_ptr<Interner> interner;
  const ArrowArray* exported = nullptr;  // of the batch that is being exported
};

struct LevelData {
  std::uint32_t rows = 0, capacity = 0;
  Memory lengths, valid;  // of the lists, a slot a row of the parent level
};

inline std::size_t slot_bytes(Store store) { return store == Store::int64 || store == Store::float64 ? 8 : 4; }

class Columns {
 public:
  Columns(const ColumnSpec* columns, std::size_t n_columns, const LevelSpec* levels, std::size_t n_levels)
      : column_specs_(columns, columns + n_columns), level_specs_(levels, levels + n_levels), columns_(n_columns), levels_(n_levels) {
    for (std::size_t i = 0; i < n_columns; ++i) {
      if (column_specs_[i].store == Store::code && column_specs_[i].same_as == kItself) columns_[i].interner = std::make_unique<Interner>();
    }
    for (std::size_t i = 0; i < n_columns; ++i) add_leaf(i);
  }

  std::uint32_t rows() const { return levels_[0].rows; }

  // Room for `rows` rows; more grow by doubling. Only while the table is empty.
  void reserve(std::uint32_t rows) { levels_[0].capacity = std::max(rows, std::uint32_t{1}); }

  std::uint32_t add_row(std::size_t level) {
    LevelData& l = levels_[level];
    if (l.rows == l.capacity) grow(level);
    return l.rows++;
  }

  // A new element of the list at `level` for the last row of its parent; answers the element's row.
  std::uint32_t push(std::size_t level, std::uint32_t parent_row) {
    mark_list(level, parent_row);
    slots<std::int32_t>(levels_[level].lengths)[parent_row] += 1;
    return add_row(level);
  }

  // The list is there, if only empty.
  void mark_list(std::size_t level, std::uint32_t parent_row) {
    LevelData& l = levels_[level];
    if (parent_row + 1 != levels_[level_specs_[level].parent].rows)
      throw std::logic_error("an element was pushed to a row that is not the last one");
    if (!l.lengths) {
      const std::uint32_t capacity = levels_[level_specs_[level].parent].capacity;
      l.lengths = allocate_zeroed((std::size_t{capacity} + 1) * sizeof(std::int32_t));
      l.valid = allocate_zeroed(bitmap_bytes(capacity));
    }
    set_bit(l.valid, parent_row);
  }

  template <class T>
  [[gnu::always_inline]] void put(std::size_t column, std::uint32_t row, T value) {
    ColumnData& c = columns_[column];
    mark(column, c, row);
    slots<T>(c.values)[row] = value;
  }

  void put_boolean(std::size_t column, std::uint32_t row, bool value) {
    ColumnData& c = columns_[column];
    mark(column, c, row);
    if (value) {
      set_bit(c.values, row);
    } else {
      clear_bit(c.values, row);
    }
  }

  [[gnu::always_inline]] void put_code(std::size_t column, std::uint32_t row, std::string_view text) {
    put(column, row, columns_[column].interner->intern(text));
  }

  std::int32_t code(std::size_t column, std::string_view text) { return columns_[column].interner->intern(text); }

  // Only what `may` accepts, which is asked once for each value that it accepts: what stands in a dictionary passed. False: not put.
  template <class May>
  [[gnu::always_inline]] bool put_checked(std::size_t column, std::uint32_t row, std::string_view text, May&& may) {
    const std::int32_t code = columns_[column].interner->intern(text, may);
    if (code == Interner::kRefused) [[unlikely]]
      return false;
    put(column, row, code);
    return true;
  }

  [[gnu::always_inline]] void expect_code(std::size_t column, std::string_view text) const { columns_[column].interner->expect(text); }

  void put_text(std::size_t column, std::uint32_t row, std::string_view text) {
    ColumnData& c = columns_[column];
    if (row < c.text_row) throw std::logic_error("text was set in a row before the last one");
    // A value that is set again was the last one in the buffer: it gives its bytes back first.
    if (is_set(column, row)) [[unlikely]]
      c.text_size -= static_cast<std::size_t>(slots<std::int32_t>(c.values)[row]);
    mark(column, c, row);
    c.text_row = row;
    if (c.text_size + text.size() > c.text_capacity) [[unlikely]]
      grow_text(c, text.size());
    if (!text.empty()) std::memcpy(c.text.get() + c.text_size, text.data(), text.size());
    c.text_size += text.size();
    slots<std::int32_t>(c.values)[row] = static_cast<std::int32_t>(text.size());
  }

  bool is_set(std::size_t column, std::uint32_t row) const {
    const ColumnData& c = columns_[column];
    if (!c.valid) return c.dense != kSparse && row < c.dense;
    return (static_cast<unsigned>(c.valid.get()[row >> 3]) >> (row & 7) & 1u) != 0;
  }

  // Forgets all rows and their memory, as after an error in the middle of a block.
  void reset() {
    for (ColumnData& c : columns_) {
      c.values.reset(), c.valid.reset(), c.text.reset();
      c.dense = kSparse;
      c.text_row = 0, c.text_size = c.text_capacity = 0;
    }
    for (LevelData& l : levels_) l = LevelData{};
  }

  // Wipes the rows of level 0 from `rows` on.
  void truncate(std::uint32_t rows) { truncate_level(0, rows); }

  // Moves all rows out as a struct array; the table is empty afterwards and keeps its dictionaries. `bytes` is what the array holds.
  void export_rows(ArrowArray* out, std::uint64_t* bytes);

  void export_schema(ArrowSchema* out) const;

  std::size_t dictionary_bytes() const {
    std::size_t sum = 0;
    for (const ColumnData& c : columns_) sum += c.interner ? c.interner->bytes() : 0;
    return sum;
  }
  // Between batches; a new epoch begins.
  void clear_dictionaries() {
    for (ColumnData& c : columns_) {
      if (c.interner) c.interner->clear();
    }
  }

 private:
  enum class NodeKind : std::uint8_t { structure, list, leaf };
  struct Node {
    NodeKind kind = NodeKind::structure;
    std::string name;
    std::vector<std::uint32_t> children;
    std::size_t index = 0;  // list: the level; leaf: the column
    bool element = false;   // the struct of a list: an element that was pushed is there, whatever it holds
  };

  static void set_bit(Memory& bitmap, std::uint32_t row) {
    auto& byte = reinterpret_cast<std::uint8_t*>(bitmap.get())[row >> 3];
    byte = static_cast<std::uint8_t>(byte | 1u << (row & 7));
  }
  static void clear_bit(Memory& bitmap, std::uint32_t row) {
    auto& byte = reinterpret_cast<std::uint8_t*>(bitmap.get())[row >> 3];
    byte = static_cast<std::uint8_t>(byte & ~(1u << (row & 7)));
  }
  static std::uint32_t count_bits(const Memory& bitmap, std::uint32_t rows) {
    int n = 0;
    for (std::size_t w = 0; w < bitmap_bytes(rows) / 8; ++w) n += __builtin_popcountll(slots<std::uint64_t>(bitmap)[w]);
    return static_cast<std::uint32_t>(n);
  }
  // The first `rows` bits.
  static void fill_bits(Memory& bitmap, std::uint32_t rows) {
    std::memset(bitmap.get(), 0xff, rows / 8);
    for (std::uint32_t row = rows & ~7u; row < rows; ++row) set_bit(bitmap, row);
  }

  // Notes that `row` has a value, and sees to it that there is a slot for it.
  [[gnu::always_inline]] void mark(std::size_t column, ColumnData& c, std::uint32_t row) {
    if (row == c.dense) [[likely]] {
      c.dense = row + 1;
    } else if (c.valid) {
      set_bit(c.valid, row);
    } else {
      mark_slowly(column, row);
    }
  }
  [[gnu::noinline]] void mark_slowly(std::size_t column, std::uint32_t row) {
    ColumnData& c = columns_[column];
    if (!c.values) {
      const Store store = column_specs_[column].store;
      const std::size_t bytes = value_bytes(store, levels_[column_specs_[column].level].capacity);
      c.values = store == Store::boolean ? allocate_zeroed(bytes) : allocate(bytes);
      c.dense = 0;
    }
    if (row == c.dense) {
      ++c.dense;
    } else if (row > c.dense) {
      make_sparse(column);
      set_bit(c.valid, row);
    }
  }
  void make_sparse(std::size_t column) {
    ColumnData& c = columns_[column];
    const std::uint32_t capacity = levels_[column_specs_[column].level].capacity;
    c.valid = allocate_zeroed(bitmap_bytes(capacity));
    fill_bits(c.valid, c.dense);
    zero_slots(column, c.dense, capacity + 1);
    c.dense = kSparse;
  }
  void zero_slots(std::size_t column, std::uint32_t from, std::uint32_t to) {
    const Store store = column_specs_[column].store;
    if (store != Store::boolean) std::memset(columns_[column].values.get() + from * slot_bytes(store), 0, (to - from) * slot_bytes(store));
  }

  std::size_t value_bytes(Store store, std::size_t rows) const {
    return store == Store::boolean ? bitmap_bytes(rows) : (rows + 1) * slot_bytes(store);
  }

  // The new part is zeroed.
  static void grow_memory(Memory& memory, std::size_t from, std::size_t to) {
    if (!memory) return;
    auto* p = static_cast<std::byte*>(std::realloc(memory.get(), to + 8));
    if (!p) throw std::bad_alloc();
    (void)memory.release();
    memory.reset(p);
    std::memset(p + from, 0, to + 8 - from);
  }

  static void grow_text(ColumnData& c, std::size_t more) {
    const std::size_t capacity = std::max({(c.text_size + more) * 2, c.text ? 0 : c.text_before + c.text_before / 8, std::size_t{4096}});
    if (c.text_size + more > static_cast<std::size_t>(INT32_MAX))
      throw std::length_error("the text of a column outgrew 2 GiB in one batch");
    auto* p = static_cast<std::byte*>(std::realloc(c.text.get(), capacity));
    if (!p) throw std::bad_alloc();
    (void)c.text.release();
    c.text.reset(p);
    c.text_capacity = capacity;
  }

  // A batch may wait in a sink for a while: it gives back what its text did not use.
  static void shrink_text(ColumnData& c) {
    if (!c.text || c.text_size == 0) return;
    auto* p = static_cast<std::byte*>(std::realloc(c.text.get(), c.text_size + 8));
    if (!p) return;
    (void)c.text.release();
    c.text.reset(p);
    c.text_capacity = c.text_size + 8;
  }

  void grow(std::size_t level) {
    LevelData& l = levels_[level];
    const std::size_t from = l.capacity, to = std::max<std::size_t>(from * 2, 64);
    if (to > static_cast<std::size_t>(INT32_MAX)) throw std::length_error("a table outgrew 2^31 rows in one batch");
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (column_specs_[i].level != level) continue;
      grow_memory(columns_[i].values, value_bytes(column_specs_[i].store, from), value_bytes(column_specs_[i].store, to));
      grow_memory(columns_[i].valid, bitmap_bytes(from), bitmap_bytes(to));
    }
    for (std::size_t i = 1; i < levels_.size(); ++i) {
      if (level_specs_[i].parent != level) continue;
      grow_memory(levels_[i].lengths, (from + 1) * sizeof(std::int32_t), (to + 1) * sizeof(std::int32_t));
      grow_memory(levels_[i].valid, bitmap_bytes(from), bitmap_bytes(to));
    }
    l.capacity = static_cast<std::uint32_t>(to);
  }

  void truncate_level(std::size_t level, std::uint32_t rows) {
    LevelData& l = levels_[level];
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      ColumnData& c = columns_[i];
      const Store store = column_specs_[i].store;
      if (column_specs_[i].level != level || !c.values) continue;
      const std::uint32_t end = c.valid ? l.rows : std::min(l.rows, c.dense);  // rows behind it have no slot to wipe
      for (std::uint32_t row = rows; row < end; ++row) {
        if (c.valid) clear_bit(c.valid, row);
        if (store == Store::boolean) clear_bit(c.values, row);
        if (store == Store::text) c.text_size -= static_cast<std::size_t>(slots<std::int32_t>(c.values)[row]);
      }
      if (rows < end) zero_slots(i, rows, end);
      if (!c.valid) c.dense = std::min(c.dense, rows);
      c.text_row = std::min(c.text_row, rows);
    }
    for (std::size_t i = 1; i < levels_.size(); ++i) {
      LevelData& child = levels_[i];
      if (level_specs_[i].parent != level || !child.lengths) continue;
      std::uint32_t elements = 0;
      for (std::uint32_t row = rows; row < l.rows; ++row) {
        elements += static_cast<std::uint32_t>(slots<std::int32_t>(child.lengths)[row]);
        slots<std::int32_t>(child.lengths)[row] = 0;
        clear_bit(child.valid, row);
      }
      truncate_level(i, child.rows - elements);
    }
    l.rows = rows;
  }

  void add_leaf(std::size_t column);
  std::uint32_t child_of(std::uint32_t node, std::string_view name, NodeKind kind, std::size_t index);
  ArrowArray& export_node(ArrayArena& arena, std::uint32_t node, std::uint32_t rows);
  void export_node_schema(const Node& node, ArrowSchema* out) const;

  std::vector<ColumnSpec> column_specs_;
  std::vector<LevelSpec> level_specs_;
  std::vector<ColumnData> columns_;
  std::vector<LevelData> levels_;
  Zeroes zeroes_;
  std::vector<Node> nodes_{Node{}};
};

// ---- Schemas ----

// Builds an ArrowSchema that owns its strings and children.
struct SchemaOwner {
  std::string format, name, metadata;
  std::vector<ArrowSchema> children;
  std::vector<ArrowSchema*> pointers;
  ArrowSchema dictionary{};

  static void release(ArrowSchema* schema) {
    auto* owner = static_cast<SchemaOwner*>(schema->private_data);
    for (ArrowSchema& child : owner->children) {
      if (child.release) child.release(&child);
    }
    if (owner->dictionary.release) owner->dictionary.release(&owner->dictionary);
    schema->release = nullptr;
    delete owner;
  }

  // Arrow's metadata encoding: int32 count, then for each pair int32 length and bytes of key and value, in native byte order.
  static std::string encode_metadata(const std::vector<std::pair<std::string_view, std::string_view>>& pairs) {
    std::string out;
    const auto number = [&](std::size_t n) {
      const auto v = static_cast<std::int32_t>(n);
      out.append(reinterpret_cast<const char*>(&v), sizeof v);
    };
    number(pairs.size());
    for (const auto& [key, value] : pairs) {
      number(key.size()), out.append(key);
      number(value.size()), out.append(value);
    }
    return out;
  }

  static void make(ArrowSchema* out, std::string format, std::string name, std::vector<ArrowSchema> children = {}, bool dictionary = false,
                   std::string metadata = {}) {
    auto owner = std::make_unique<SchemaOwner>();
    owner->format = std::move(format), owner->name = std::move(name), owner->metadata = std::move(metadata);
    owner->children = std::move(children);
    for (ArrowSchema& child : owner->children) owner->pointers.push_back(&child);
    if (dictionary) make(&owner->dictionary, "u", "");
    *out = ArrowSchema{};
    out->format = owner->format.c_str();
    out->name = owner->name.c_str();
    out->metadata = owner->metadata.empty() ? nullptr : owner->metadata.data();
    out->flags = ARROW_FLAG_NULLABLE;
    out->n_children = static_cast<std::int64_t>(owner->pointers.size());
    out->children = owner->pointers.empty() ? nullptr : owner->pointers.data();
    out->dictionary = dictionary ? &owner->dictionary : nullptr;
    out->release = release;
    out->private_data = owner.release();
  }
};

// ---- Definitions ----

inline std::uint32_t Columns::child_of(std::uint32_t node, std::string_view name, NodeKind kind, std::size_t index) {
  for (const std::uint32_t child : nodes_[node].children) {
    if (nodes_[child].name == name) return child;
  }
  nodes_.push_back(Node{kind, std::string(name), {}, index});
  const auto id = static_cast<std::uint32_t>(nodes_.size() - 1);
  nodes_[node].children.push_back(id);
  return id;
}

inline void Columns::add_leaf(std::size_t column) {
  const std::string_view path = column_specs_[column].path;
  std::uint32_t node = 0;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    std::size_t end = path.find('.', begin);
    if (end == std::string_view::npos) end = path.size();
    std::string_view name = path.substr(begin, end - begin);
    const bool last = end == path.size();
    const bool list = name.size() > 2 && name.substr(name.size() - 2) == "[]";
    if (list) {
      name.remove_suffix(2);
      std::size_t level = 0;
      while (level_specs_[level].path != path.substr(0, end)) ++level;
      node = child_of(node, name, NodeKind::list, level);
      node = child_of(node, "item", last ? NodeKind::leaf : NodeKind::structure, column);
      nodes_[node].element = !last;
    } else {
      node = child_of(node, name, last ? NodeKind::leaf : NodeKind::structure, column);
    }
    begin = end + 1;
  }
}

inline ArrowArray& Columns::export_node(ArrayArena& arena, std::uint32_t id, std::uint32_t rows) {
  const Node& node = nodes_[id];
  ArrowArray& a = arena.add(rows, 1);
  const auto set = [&](std::size_t buffer, Memory&& memory, std::size_t bytes) {
    a.buffers[buffer] = memory ? arena.keep(std::move(memory), bytes) : zeroes_.get(arena, bytes);
  };

  if (node.kind == NodeKind::leaf) {
    // Columns that are the same share their buffers, whichever of them comes first.
    const std::uint16_t same_as = column_specs_[node.index].same_as;
    const std::size_t source = same_as == kItself ? node.index : same_as;
    const ColumnSpec& spec = column_specs_[source];
    ColumnData& c = columns_[source];
    if (c.exported) {
      a.n_buffers = c.exported->n_buffers;
      a.null_count = c.exported->null_count;
      for (std::int64_t i = 0; i < a.n_buffers; ++i) a.buffers[i] = c.exported->buffers[i];
      if (c.interner) a.dictionary = &c.interner->export_dictionary(arena);
      return a;
    }
    c.exported = &a;
    const bool constant = !spec.constant.empty();
    a.n_buffers = spec.store == Store::text ? 3 : 2;
    if (!constant && c.values && !c.valid && c.dense < rows) make_sparse(source);
    const std::uint32_t present = constant || (c.values && !c.valid) ? rows : c.values ? count_bits(c.valid, rows) : 0;
    a.null_count = static_cast<std::int64_t>(rows) - present;
    if (constant && rows != 0 && spec.store != Store::code) {  // a constant number or boolean
      const long long value = std::strtoll(std::string(spec.constant).c_str(), nullptr, 10);
      c.values = allocate_zeroed(value_bytes(spec.store, rows));
      for (std::uint32_t row = 0; row < rows; ++row) {
        if (spec.store == Store::int32) slots<std::int32_t>(c.values)[row] = static_cast<std::int32_t>(value);
        if (spec.store == Store::int64) slots<std::int64_t>(c.values)[row] = value;
        if (spec.store == Store::float64) slots<double>(c.values)[row] = static_cast<double>(value);
        if (spec.store == Store::boolean && spec.constant == "true") set_bit(c.values, row);
      }
    }
    // What counts is what was allocated.
    const std::uint32_t capacity = std::max(rows, levels_[spec.level].capacity);
    const std::size_t bytes = value_bytes(spec.store, capacity);
    if (a.null_count != 0) {
      set(0, std::move(c.valid), bitmap_bytes(capacity));
    }
    c.valid.reset();
    if (spec.store == Store::text) {
      if (c.values) {  // lengths become offsets
        auto* offsets = slots<std::int32_t>(c.values);
        std::int32_t sum = 0;
        for (std::uint32_t row = 0; row < rows; ++row) {
          const std::int32_t length = offsets[row];
          offsets[row] = sum;
          sum += length;
        }
        offsets[rows] = sum;
      }
      c.text_before = c.text_size;
      if (c.text_capacity > c.text_size + c.text_size / 4) shrink_text(c);
      set(2, std::move(c.text), std::max<std::size_t>(c.text_capacity, 1));
    }
    set(1, std::move(c.values), bytes);
    c.values.reset(), c.text.reset();
    c.text_size = c.text_capacity = 0, c.text_row = 0, c.dense = kSparse;
    if (spec.store == Store::code) {
      if (constant && c.interner->size() == 0) c.interner->intern(spec.constant);
      a.dictionary = &c.interner->export_dictionary(arena);
    }
    return a;
  }

  std::vector<ArrowArray*> children;
  if (node.kind == NodeKind::list) {
    LevelData& l = levels_[node.index];
    const std::size_t bytes = (std::size_t{rows} + 1) * sizeof(std::int32_t);
    const std::uint32_t elements = l.rows;
    a.n_buffers = 2;
    a.null_count = static_cast<std::int64_t>(rows) - (l.valid ? count_bits(l.valid, rows) : 0);
    if (a.null_count != 0) set(0, std::move(l.valid), bitmap_bytes(rows));
    if (l.lengths) {
      auto* offsets = slots<std::int32_t>(l.lengths);
      std::int32_t sum = 0;
      for (std::uint32_t row = 0; row < rows; ++row) {
        const std::int32_t length = offsets[row];
        offsets[row] = sum;
        sum += length;
      }
      offsets[rows] = sum;
    }
    set(1, std::move(l.lengths), bytes);
    children.push_back(&export_node(arena, node.children[0], elements));
    l = LevelData{};
  } else {
    for (const std::uint32_t child : node.children) children.push_back(&export_node(arena, child, rows));
    bool all = node.element;
    for (const ArrowArray* child : children) all = all || child->null_count == 0;
    if (!all && rows != 0 && id != 0) {
      const std::size_t words = bitmap_bytes(rows) / 8;
      Memory valid = allocate_zeroed(words * 8);
      auto* out = slots<std::uint64_t>(valid);
      for (const ArrowArray* child : children) {
        const auto* in = static_cast<const std::byte*>(child->buffers[0]);
        for (std::size_t w = 0; w < words; ++w) {
          std::uint64_t v;
          std::memcpy(&v, in + w * 8, 8);
          out[w] |= v;
        }
      }
      std::int64_t present = 0;
      for (std::size_t w = 0; w < words; ++w) present += __builtin_popcountll(out[w]);
      a.null_count = static_cast<std::int64_t>(rows) - present;
      if (a.null_count != 0) set(0, std::move(valid), words * 8);
    }
  }
  arena.set_children(a, std::move(children));
  return a;
}

inline void Columns::export_rows(ArrowArray* out, std::uint64_t* bytes) {
  auto arena = ArrayArena::make();
  for (ColumnData& c : columns_) c.exported = nullptr;
  ArrowArray& root = export_node(*arena, 0, levels_[0].rows);
  *bytes = arena->bytes();
  levels_[0] = LevelData{};
  ArrayArena::finish(std::move(arena), root, out);
}

inline void Columns::export_node_schema(const Node& node, ArrowSchema* out) const {
  if (node.kind == NodeKind::leaf) {
    const Store store = column_specs_[node.index].store;
    static constexpr const char* kFormats[] = {"i", "u", "i", "l", "g", "b"};
    return SchemaOwner::make(out, kFormats[static_cast<std::size_t>(store)], node.name, {}, store == Store::code);
  }
  std::vector<ArrowSchema> children(node.children.size());
  for (std::size_t i = 0; i < children.size(); ++i) export_node_schema(nodes_[node.children[i]], &children[i]);
  SchemaOwner::make(out, node.kind == NodeKind::list ? "+l" : "+s", node.name, std::move(children));
}

inline void Columns::export_schema(ArrowSchema* out) const { export_node_schema(nodes_[0], out); }

}  // namespace lm::detail
