#include "isolate/transfer.hpp"

#include "base/passes.hpp"

#include <fmt/format.h>
#include <simdjson.h>
#include <algorithm>
#include <limits>

namespace lm::isolate {
namespace {

constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();  // instead of a place: there is no such buffer
constexpr std::uint64_t kMostRows = INT32_MAX;
constexpr unsigned kDeepest = 64;           // levels of a schema
constexpr std::size_t kMostArrays = 65536;  // of a schema

std::string_view view(lm_str s) { return {s.data, static_cast<std::size_t>(s.size)}; }
lm_str str(std::string_view s) { return {s.data(), s.size()}; }

// Names and sentences for people and for JSON.
bool is_text(std::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size()) &&
         std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
}

}  // namespace

// ---- What a library says of its parsers ----

namespace {

void put_strings(Writer& out, const lm_str* strings, std::uint64_t count) {
  out.number(count);
  for (std::uint64_t i = 0; i < count; ++i) out.text(view(strings[i]));
}

}  // namespace

Result<void> put_library(Writer& out, const lm_parser_factory* factory, bool sinks) {
  const std::uint32_t count = factory ? factory->count : 0;
  out.number(sinks);
  out.number(factory && factory->prologue);
  out.number(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const lm_parser_descriptor* d = factory->descriptor(i);
    if (!d || d->struct_size < sizeof(lm_parser_descriptor)) return fail(Errc::plugin, fmt::format("parser {} has no descriptor", i));
    for (const lm_str& text : {d->id, d->title, d->vendor, d->version, d->reads, d->envelope}) out.text(view(text));
    out.number(d->kind);
    out.number(d->framing);
    put_strings(out, d->keys, d->n_keys);
    out.number(d->n_classes);
    for (std::uint64_t c = 0; c < d->n_classes; ++c) {
      const lm_class& cls = d->classes[c];
      if (cls.struct_size < sizeof(lm_class))
        return fail(Errc::plugin, fmt::format("parser '{}' has a class that is too short", view(d->id)));
      out.number(cls.class_uid);
      put_strings(out, cls.profiles, cls.n_profiles);
      out.number(cls.n_columns);
      for (std::uint64_t k = 0; k < cls.n_columns; ++k) {
        out.number(cls.columns[k].flags);
        out.text(view(cls.columns[k].path));
        out.text(view(cls.columns[k].constant));
      }
    }
  }
  return {};
}

lm_str Descriptor::text(Reader& in) {
  const std::string& kept = texts_.emplace_back(in.text());
  if (!is_text(kept)) in.fail();
  return str(kept);
}

bool Descriptor::read(Reader& in) {
  const auto strings = [&](const lm_str*& list, std::uint64_t& count) {
    count = in.count(sizeof(std::uint64_t));
    auto& kept = lists_.emplace_back(count);
    for (lm_str& s : kept) s = text(in);
    list = kept.data();
  };
  value_.struct_size = sizeof value_;
  for (lm_str* s : {&value_.id, &value_.title, &value_.vendor, &value_.version, &value_.reads, &value_.envelope}) *s = text(in);
  value_.kind = static_cast<std::uint32_t>(in.number());
  value_.framing = static_cast<std::uint32_t>(in.number());
  strings(value_.keys, value_.n_keys);
  classes_.resize(in.count(3 * sizeof(std::uint64_t)));
  for (lm_class& c : classes_) {
    c.struct_size = sizeof c;
    c.class_uid = static_cast<std::uint32_t>(in.number());
    strings(c.profiles, c.n_profiles);
    auto& columns = columns_.emplace_back(in.count(3 * sizeof(std::uint64_t)));
    for (lm_column& column : columns) {
      column.struct_size = sizeof column;
      column.flags = static_cast<std::uint32_t>(in.number());
      column.path = text(in);
      column.constant = text(in);
    }
    c.columns = columns.data(), c.n_columns = columns.size();
  }
  value_.classes = classes_.data(), value_.n_classes = classes_.size();
  return !in.failed();
}

Result<LibraryInfo> read_library(std::span<const std::byte> message) {
  Reader in(message);
  LibraryInfo out;
  out.sinks = in.below(2) != 0;
  out.prologue = in.below(2) != 0;
  for (std::uint64_t left = in.count(6 * sizeof(std::uint64_t)); left != 0; --left) {
    if (!out.parsers.emplace_back(std::make_unique<Descriptor>())->read(in)) break;
  }
  if (in.failed()) return fail(Errc::plugin, "what it says of its parsers cannot be read");
  return out;
}

// ---- Schemas ----

void put_schema(Writer& out, const ArrowSchema& schema) {
  out.text(schema.format ? schema.format : "");
  out.text(schema.name ? schema.name : "");
  out.number(static_cast<std::uint64_t>(schema.flags));
  out.number(schema.dictionary != nullptr);
  if (schema.dictionary) put_schema(out, *schema.dictionary);
  out.number(static_cast<std::uint64_t>(schema.n_children));
  for (std::int64_t i = 0; i < schema.n_children; ++i) put_schema(out, *schema.children[i]);
}

namespace {

struct SchemaMemory {
  std::deque<std::string> texts;
  std::deque<ArrowSchema> schemas;
  std::deque<std::vector<ArrowSchema*>> children;

  void read(Reader& in, ArrowSchema& schema, unsigned depth) {
    if (depth == kDeepest || schemas.size() > kMostArrays) return in.fail();
    schema = ArrowSchema{};
    for (const char** text : {&schema.format, &schema.name}) {
      const std::string& kept = texts.emplace_back(in.text());
      if (!is_text(kept)) in.fail();
      *text = kept.c_str();
    }
    schema.flags = static_cast<std::int64_t>(in.number());
    if (in.below(2) != 0) {
      schema.dictionary = &schemas.emplace_back();
      read(in, *schema.dictionary, depth + 1);
      // Codes are read as such before anybody asks what an array is.
      const ArrowSchema& values = *schema.dictionary;
      if (in.failed() || std::string_view(schema.format) != "i" || std::string_view(values.format) != "u" || values.dictionary ||
          values.n_children)
        return in.fail();
    }
    // Said before room is made for them: each level could promise as many again.
    const std::uint64_t count = in.count(5 * sizeof(std::uint64_t));
    if (count > kMostArrays - std::min(schemas.size(), kMostArrays)) return in.fail();
    auto& below = children.emplace_back(count);
    for (ArrowSchema*& child : below) {
      if (in.failed()) return;
      child = &schemas.emplace_back();
      read(in, *child, depth + 1);
    }
    schema.n_children = static_cast<std::int64_t>(below.size());
    schema.children = below.empty() ? nullptr : below.data();
    schema.release = [](ArrowSchema* s) { s->release = nullptr; };
  }
};

}  // namespace

Result<ArrowSchema> read_schema(std::span<const std::byte> message) {
  Reader in(message);
  auto memory = std::make_unique<SchemaMemory>();
  ArrowSchema out{};
  memory->read(in, out, 0);
  if (in.failed()) return fail(Errc::plugin, "its schema cannot be read");
  out.private_data = memory.release();
  out.release = [](ArrowSchema* s) {
    s->release = nullptr;
    delete static_cast<SchemaMemory*>(s->private_data);
  };
  return out;
}

// ---- What a parser is given ----

void put_sample(Writer& out, const lm_sample& sample) {
  out.text(view(sample.key));
  out.number(sample.whole);
  out.number(sample.head_size);
  out.raw(sample.head, sample.head_size, LM_PADDING);
}

lm_sample read_sample(Reader& in) {
  lm_sample out{};
  out.struct_size = sizeof out;
  out.key = str(in.text());
  out.whole = static_cast<std::uint32_t>(in.number());
  out.head_size = in.number();
  out.head = reinterpret_cast<const std::uint8_t*>(in.raw(out.head_size, LM_PADDING));
  return out;
}

void put_blocks(Writer& out, std::span<const lm_block* const> blocks) {
  std::unordered_map<const lm_object*, std::uint64_t> numbers;
  std::vector<const lm_object*> objects;
  for (const lm_block* b : blocks) {
    if (numbers.emplace(b->object, objects.size()).second) objects.push_back(b->object);
  }
  out.number(objects.size());
  for (const lm_object* o : objects) {
    out.text(view(o->uri));
    out.text(view(o->etag));
    out.number(o->size);
    out.number(static_cast<std::uint64_t>(o->mtime_ms));
    out.number(o->n_captures);
    for (std::uint64_t i = 0; i < o->n_captures; ++i) {
      out.text(view(o->captures[i].name));
      out.text(view(o->captures[i].value));
    }
  }
  out.number(blocks.size());
  for (const lm_block* b : blocks) {
    out.number(numbers[b->object]);
    out.number(b->offset);
    out.number(b->first_record);
    out.text({reinterpret_cast<const char*>(b->prologue), static_cast<std::size_t>(b->prologue_size)});
    out.number(b->n_records);
    out.raw(b->records, b->n_records * sizeof(lm_record));
    out.number(b->size);
    out.raw(b->data, b->size, LM_PADDING);
  }
}

void Blocks::read(Reader& in) {
  captures.clear();
  objects.resize(in.number());
  for (lm_object& o : objects) {
    o = lm_object{};
    o.struct_size = sizeof o;
    o.uri = str(in.text());
    o.etag = str(in.text());
    o.size = in.number();
    o.mtime_ms = static_cast<std::int64_t>(in.number());
    auto& own = captures.emplace_back(in.number());
    for (lm_capture& c : own) {
      c.name = str(in.text());
      c.value = str(in.text());
    }
    o.captures = own.data(), o.n_captures = own.size();
  }
  blocks.resize(in.number());
  views.clear();
  for (lm_block& b : blocks) {
    b = lm_block{};
    b.struct_size = sizeof b;
    b.object = &objects[in.number()];
    b.offset = in.number();
    b.first_record = in.number();
    const std::string_view prologue = in.text();
    b.prologue = reinterpret_cast<const std::uint8_t*>(prologue.data()), b.prologue_size = prologue.size();
    b.n_records = in.number();
    b.records = reinterpret_cast<const lm_record*>(in.raw(b.n_records * sizeof(lm_record)));
    b.size = in.number();
    b.data = reinterpret_cast<const std::uint8_t*>(in.raw(b.size, LM_PADDING));
    views.push_back(&b);
  }
}

// ---- Batches: the worker's side ----

namespace {

constexpr std::size_t bits(std::uint64_t rows) { return static_cast<std::size_t>((rows + 7) / 8); }

// Bytes of the values of such an array, text and lists aside; 0: it is none of this interface.
std::size_t value_size(std::string_view format, std::uint64_t rows) {
  if (format == "i") return rows * 4;
  if (format == "l" || format == "g") return rows * 8;
  if (format == "b") return bits(rows);
  return 0;
}

}  // namespace

Result<void> BatchWriter::put(Writer& out, const ArrowSchema& schema, const lm_batch& batch) {
  table_ = &tables_[batch.table];
  if (batch.dictionary_epoch != table_->epoch) table_->sent.clear();
  table_->epoch = batch.dictionary_epoch;
  next_dictionary_ = 0;
  written_.clear();
  numbers_.clear();
  out.number(static_cast<std::uint64_t>(Emitted::batch));
  const std::size_t extent = out.later(), begin = out.size();
  const std::size_t origins = out.raw(batch.origins, static_cast<std::size_t>(batch.array.length) * sizeof(lm_origin));
  if (auto ok = put_array(out, schema, batch.array); !ok) return ok;
  out.patch(extent, out.size() - begin);
  out.number(batch.table);
  out.number(batch.dictionary_epoch);
  out.number(origins);
  for (const std::uint64_t n : numbers_) out.number(n);
  return {};
}

void BatchWriter::put_buffer(Writer& out, const void* data, std::size_t size) {
  if (!data) return numbers_.push_back(kNone);
  auto [known, fresh] = written_.try_emplace(data, Written{0, 0});
  if (fresh || known->second.size < size) known->second = {out.raw(data, size), size};
  numbers_.push_back(known->second.at);
}

Result<void> BatchWriter::put_array(Writer& out, const ArrowSchema& schema, const ArrowArray& a) {
  const std::string_view format = schema.format;
  const auto rows = static_cast<std::uint64_t>(a.length);
  numbers_.push_back(rows);
  numbers_.push_back(static_cast<std::uint64_t>(a.null_count));
  put_buffer(out, a.buffers[0], bits(rows));  // also where it says that nothing is null: the host looks
  if (format == "u" || format == "+l") {
    const auto* const offsets = static_cast<const std::int32_t*>(a.buffers[1]);
    put_buffer(out, offsets, (rows + 1) * sizeof(std::int32_t));
    if (format == "u") {
      const auto size = static_cast<std::size_t>(offsets ? offsets[rows] : 0);
      put_buffer(out, size ? a.buffers[2] : nullptr, size);
    }
  } else if (format != "+s") {
    if (rows != 0 && value_size(format, rows) == 0)
      return fail(Errc::plugin, fmt::format("it has an array of the format '{}', which this interface does not use", format));
    put_buffer(out, rows ? a.buffers[1] : nullptr, value_size(format, rows));
  }
  if (a.dictionary) {
    if (auto ok = put_dictionary(out, *a.dictionary); !ok) return ok;
  }
  for (std::int64_t i = 0; i < a.n_children; ++i) {
    if (auto ok = put_array(out, *schema.children[i], *a.children[i]); !ok) return ok;
  }
  return {};
}

Result<void> BatchWriter::put_dictionary(Writer& out, const ArrowArray& d) {
  if (d.null_count != 0 || d.n_buffers != 3 || d.dictionary) return fail(Errc::plugin, "it has a dictionary of something else than text");
  if (table_->sent.size() == next_dictionary_) table_->sent.push_back(0);
  std::size_t& sent = table_->sent[next_dictionary_++];
  const std::size_t size = std::max(static_cast<std::size_t>(d.length), sent), count = size - sent;
  numbers_.push_back(sent);
  numbers_.push_back(count);
  if (count == 0) return {};
  const auto* const offsets = static_cast<const std::int32_t*>(d.buffers[1]) + sent;
  const auto bytes = static_cast<std::size_t>(offsets[count] - offsets[0]);
  numbers_.push_back(out.raw(offsets, (count + 1) * sizeof(std::int32_t)));
  numbers_.push_back(bytes);
  numbers_.push_back(out.raw(bytes ? static_cast<const char*>(d.buffers[2]) + offsets[0] : nullptr, bytes));
  sent = size;
  return {};
}

// ---- Batches: the host's side ----

void BatchReader::forget(Table& table) {
  for (const Dictionary& d : table.dictionaries) held_ -= d.bytes + d.size * sizeof(std::int32_t);
  table.dictionaries.clear();
  ++table.epoch;
}

void BatchReader::fresh() {
  for (Table& table : tables_) {
    forget(table);
    table.begun = false;
  }
}

Result<lm_batch> BatchReader::read(Reader& in, const std::shared_ptr<const std::byte>& message) {
  const auto lies = [] { return fail(Errc::plugin, "a batch cannot be read"); };
  const std::uint64_t extent = in.number();
  const std::size_t begin = in.position();
  if (!in.raw(extent) && extent != 0) return lies();
  in.only(begin, in.position());  // no two batches share bytes: what they hold together is bounded by the message
  lm_batch out{};
  out.struct_size = sizeof out;
  out.table = static_cast<std::uint32_t>(in.below(tables_.size()));
  const std::uint64_t epoch = in.number(), origins = in.number();
  if (in.failed()) return lies();
  table_ = &tables_[out.table];
  if (!table_->begun || table_->their_epoch != epoch) forget(*table_);
  table_->begun = true, table_->their_epoch = epoch;
  out.dictionary_epoch = table_->epoch;
  next_dictionary_ = 0;
  auto arena = detail::ArrayArena::make();
  arena->keep(std::shared_ptr<const void>(message));
  ArrowArray* const root = read_array(in, *table_->schema, *arena);
  if (!root || in.failed()) return lies();
  const std::byte* const from = in.at(origins, static_cast<std::uint64_t>(root->length) * sizeof(lm_origin));
  if (!from) return lies();
  out.origins = reinterpret_cast<const lm_origin*>(from);
  out.bytes = extent;
  detail::ArrayArena::finish(std::move(arena), *root, &out.array);
  return out;
}

namespace {

// Nobody asks what the code of a null is, but somebody may look it up before he asks whether it is one.
void clean_codes(ArrowArray& a, std::size_t dictionary_size, detail::ArrayArena& arena) {
  const auto rows = static_cast<std::size_t>(a.length);
  const auto* const codes = static_cast<const std::uint32_t*>(a.buffers[1]);
  const auto* const valid = static_cast<const std::uint8_t*>(a.buffers[0]);
  if (!codes || !valid || rows == 0) return;
  const std::uint32_t most = passes::most(codes, rows);
  if (most == 0 || most < dictionary_size) return;
  detail::Memory clean = detail::allocate(rows * sizeof(std::uint32_t));
  auto* const to = detail::slots<std::uint32_t>(clean);
  for (std::size_t i = 0; i < rows; ++i) to[i] = (valid[i >> 3] >> (i & 7) & 1) ? codes[i] : 0;
  a.buffers[1] = arena.keep(std::move(clean), rows * sizeof(std::uint32_t));
}

}  // namespace

const void* BatchReader::read_buffer(Reader& in, std::uint64_t size) {
  const std::uint64_t at = in.number();
  return at == kNone ? nullptr : in.at(at, size);
}

ArrowArray* BatchReader::read_array(Reader& in, const ArrowSchema& schema, detail::ArrayArena& arena) {
  const std::string_view format = schema.format;
  const std::uint64_t rows = in.below(kMostRows), nulls = in.below(rows + 1);
  const bool text = format == "u", list = format == "+l", structure = format == "+s";
  ArrowArray& a = arena.add(static_cast<std::int64_t>(rows), text ? 3 : structure ? 1 : 2);
  a.null_count = static_cast<std::int64_t>(nulls);
  a.buffers[0] = read_buffer(in, bits(rows));
  if (text || list) {
    a.buffers[1] = read_buffer(in, (rows + 1) * sizeof(std::int32_t));
    if (text) {
      const std::int32_t size = a.buffers[1] && !in.failed() ? static_cast<const std::int32_t*>(a.buffers[1])[rows] : 0;
      if (size < 0) in.fail();
      a.buffers[2] = read_buffer(in, static_cast<std::uint64_t>(std::max(size, 0)));
    }
  } else if (!structure) {
    if (rows != 0 && value_size(format, rows) == 0) in.fail();
    a.buffers[1] = read_buffer(in, value_size(format, rows));
  }
  if (in.failed()) return nullptr;
  if (schema.dictionary) {
    if (table_->dictionaries.size() == next_dictionary_) table_->dictionaries.emplace_back();
    Dictionary& d = table_->dictionaries[next_dictionary_++];
    if (!read_dictionary(in, d)) return nullptr;
    a.dictionary = &arena.add(static_cast<std::int64_t>(d.size), 3);
    a.dictionary->buffers[1] = d.storage->offsets.get();
    a.dictionary->buffers[2] = d.storage->bytes.get();
    arena.keep(d.storage);
    clean_codes(a, d.size, arena);
  }
  std::vector<ArrowArray*> children;
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    children.push_back(read_array(in, *schema.children[i], arena));
    if (!children.back()) return nullptr;
  }
  if (!children.empty()) arena.set_children(a, std::move(children));
  return &a;
}

// Appends what is new. What stands already never changes, so that batches which hold the storage may be read meanwhile.
bool BatchReader::read_dictionary(Reader& in, Dictionary& d) {
  if (!d.storage) d.storage = std::make_shared<detail::Interner::Storage>(64, 1024);
  const std::uint64_t sent = in.number(), count = in.below(kMostRows);
  if (in.failed() || sent != d.size || count > kMostRows - d.size) return false;
  if (count == 0) return true;
  const auto* const offsets = reinterpret_cast<const std::int32_t*>(in.at(in.number(), (count + 1) * sizeof(std::int32_t)));
  const std::uint64_t size = in.number();
  const auto* const bytes = reinterpret_cast<const char*>(in.at(in.number(), size));
  if (in.failed() || size > static_cast<std::uint64_t>(INT32_MAX) - d.bytes) return false;
  const std::int64_t first = offsets[0];
  if (first < 0 || !std::is_sorted(offsets, offsets + count + 1) || static_cast<std::uint64_t>(offsets[count] - first) != size)
    return false;
  // Each of them must be text by itself, not only all of them in a row: none may begin inside a character.
  if (!simdjson::validate_utf8(bytes, size)) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::int64_t at = offsets[i] - first;
    if (at < static_cast<std::int64_t>(size) && (static_cast<unsigned char>(bytes[at]) & 0xc0) == 0x80) return false;
  }
  const std::uint64_t more = size + count * sizeof(std::int32_t);
  if (held_ > memory_ || more > memory_ - held_) return false;
  held_ += more;
  detail::Interner::Storage& old = *d.storage;
  if (d.size + count > old.entries || d.bytes + size > old.capacity) {
    const std::size_t entries = std::max<std::size_t>(old.entries, (d.size + count) * 2),
                      capacity = std::max<std::size_t>(old.capacity, (d.bytes + size) * 2);
    auto larger = std::make_shared<detail::Interner::Storage>(entries, capacity);
    std::memcpy(larger->offsets.get(), old.offsets.get(), (d.size + 1) * sizeof(std::int32_t));
    std::memcpy(larger->bytes.get(), old.bytes.get(), d.bytes);
    d.storage = std::move(larger);
  }
  if (size) std::memcpy(d.storage->bytes.get() + d.bytes, bytes, size);
  for (std::uint64_t i = 1; i <= count; ++i)
    d.storage->offsets[d.size + i] = static_cast<std::int32_t>(static_cast<std::int64_t>(d.bytes) + offsets[i] - first);
  d.size += count, d.bytes += size;
  return true;
}

}  // namespace lm::isolate
