// Arrow arrays by hand, for tests of sinks: a tree of columns that owns its memory.
#pragma once

#include <logmill/arrow.h>
#include <logmill/sink.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lm::test {

struct Column;
using ColumnPtr = std::shared_ptr<Column>;

struct Column {
  std::string format, name, metadata;
  std::int64_t length = 0;  // slots, those before `offset` included
  std::int64_t offset = 0;
  std::int64_t null_count = 0;
  std::vector<std::vector<std::uint8_t>> buffers;
  std::vector<const void*> buffer_pointers;
  std::vector<ColumnPtr> children;
  ColumnPtr dictionary;
  ArrowSchema schema{};
  ArrowArray array{};
  std::vector<ArrowSchema*> schema_pointers;
  std::vector<ArrowArray*> array_pointers;

  // Points the C structs at the rest.
  void wire() {
    buffer_pointers.clear(), schema_pointers.clear(), array_pointers.clear();
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      const bool absent = buffers[i].empty() && i == 0;
      buffer_pointers.push_back(absent ? nullptr : static_cast<const void*>(buffers[i].data()));
    }
    for (const ColumnPtr& child : children) {
      child->wire();
      schema_pointers.push_back(&child->schema), array_pointers.push_back(&child->array);
    }
    schema = ArrowSchema{}, array = ArrowArray{};
    schema.format = format.c_str(), schema.name = name.c_str();
    schema.metadata = metadata.empty() ? nullptr : metadata.data();
    schema.flags = ARROW_FLAG_NULLABLE;
    schema.n_children = static_cast<std::int64_t>(children.size());
    schema.children = schema_pointers.data();
    schema.release = [](ArrowSchema* s) { s->release = nullptr; };
    array.length = length - offset, array.offset = offset, array.null_count = null_count;
    array.n_buffers = static_cast<std::int64_t>(buffers.size());
    array.buffers = buffer_pointers.data();
    array.n_children = schema.n_children, array.children = array_pointers.data();
    array.release = [](ArrowArray* a) { a->release = nullptr; };
    if (dictionary) {
      dictionary->wire();
      schema.dictionary = &dictionary->schema, array.dictionary = &dictionary->array;
    }
  }
};

inline ColumnPtr make_column(std::string format, std::string name, std::size_t length, std::size_t buffers) {
  auto c = std::make_shared<Column>();
  c->format = std::move(format), c->name = std::move(name);
  c->length = static_cast<std::int64_t>(length);
  c->buffers.resize(buffers);
  return c;
}

inline void set_validity(Column& c, const std::vector<bool>& valid) {
  std::int64_t nulls = 0;
  for (const bool v : valid) nulls += v ? 0 : 1;
  c.null_count = nulls;
  if (nulls == 0) return;
  c.buffers[0].assign((valid.size() + 7) / 8, 0);
  for (std::size_t i = 0; i < valid.size(); ++i) {
    if (valid[i]) c.buffers[0][i / 8] = static_cast<std::uint8_t>(c.buffers[0][i / 8] | (1u << (i % 8)));
  }
}

template <class T>
void fill(std::vector<std::uint8_t>& buffer, const std::vector<T>& values) {
  buffer.resize(std::max<std::size_t>(values.size(), 1) * sizeof(T));
  if (!values.empty()) std::memcpy(buffer.data(), values.data(), values.size() * sizeof(T));
}

template <class T>
std::vector<bool> validity_of(const std::vector<std::optional<T>>& values) {
  std::vector<bool> out;
  for (const auto& v : values) out.push_back(v.has_value());
  return out;
}

template <class T>
ColumnPtr numbers(std::string format, std::string name, const std::vector<std::optional<T>>& values) {
  auto c = make_column(std::move(format), std::move(name), values.size(), 2);
  std::vector<T> plain;
  for (const auto& v : values) plain.push_back(v.value_or(T(7)));  // what stands in a null's slot must not show
  fill(c->buffers[1], plain);
  set_validity(*c, validity_of(values));
  return c;
}
inline ColumnPtr int32s(std::string name, const std::vector<std::optional<std::int32_t>>& v) {
  return numbers<std::int32_t>("i", std::move(name), v);
}
inline ColumnPtr int64s(std::string name, const std::vector<std::optional<std::int64_t>>& v) {
  return numbers<std::int64_t>("l", std::move(name), v);
}
inline ColumnPtr doubles(std::string name, const std::vector<std::optional<double>>& v) { return numbers<double>("g", std::move(name), v); }

inline ColumnPtr booleans(std::string name, const std::vector<std::optional<bool>>& values) {
  auto c = make_column("b", std::move(name), values.size(), 2);
  c->buffers[1].assign(values.size() / 8 + 1, 0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i].value_or(true)) c->buffers[1][i / 8] = static_cast<std::uint8_t>(c->buffers[1][i / 8] | (1u << (i % 8)));
  }
  set_validity(*c, validity_of(values));
  return c;
}

inline ColumnPtr texts(std::string name, const std::vector<std::optional<std::string>>& values) {
  auto c = make_column("u", std::move(name), values.size(), 3);
  std::vector<std::int32_t> offsets{0};
  for (const auto& v : values) {
    const std::string& text = v ? *v : "garbage";
    c->buffers[2].insert(c->buffers[2].end(), text.begin(), text.end());
    offsets.push_back(static_cast<std::int32_t>(c->buffers[2].size()));
  }
  fill(c->buffers[1], offsets);
  set_validity(*c, validity_of(values));
  return c;
}

inline ColumnPtr with_metadata(ColumnPtr c, const std::vector<std::pair<std::string_view, std::string_view>>& entries) {
  const auto number = [&](std::int32_t n) { c->metadata.append(reinterpret_cast<const char*>(&n), sizeof n); };
  const auto text = [&](std::string_view s) { number(static_cast<std::int32_t>(s.size())), c->metadata.append(s); };
  number(static_cast<std::int32_t>(entries.size()));
  for (const auto& [key, value] : entries) text(key), text(value);
  return c;
}

inline ColumnPtr as_json(ColumnPtr c) {
  return with_metadata(std::move(c), {{"ocsf.type", "json_t"}, {"ARROW:extension:name", "arrow.json"}});
}

inline ColumnPtr as_time(ColumnPtr c) { return with_metadata(std::move(c), {{"ocsf.type", "timestamp_t"}}); }

inline ColumnPtr coded(std::string name, const std::vector<std::string>& dictionary,
                       const std::vector<std::optional<std::int32_t>>& codes) {
  auto c = int32s(std::move(name), codes);
  c->dictionary = texts("", std::vector<std::optional<std::string>>(dictionary.begin(), dictionary.end()));
  return c;
}

inline ColumnPtr structure(std::string name, std::vector<ColumnPtr> children, const std::vector<bool>& valid = {}, std::size_t length = 0) {
  auto c = make_column("+s", std::move(name),
                       children.empty() ? length : static_cast<std::size_t>(children[0]->length - children[0]->offset), 1);
  if (!valid.empty()) set_validity(*c, valid);
  c->children = std::move(children);
  return c;
}

// nullopt: an absent list; its items are none.
inline ColumnPtr list(std::string name, const std::vector<std::optional<int>>& lengths, ColumnPtr item) {
  auto c = make_column("+l", std::move(name), lengths.size(), 2);
  std::vector<std::int32_t> offsets{0};
  for (const auto& n : lengths) offsets.push_back(offsets.back() + n.value_or(0));
  fill(c->buffers[1], offsets);
  set_validity(*c, validity_of(lengths));
  c->children.push_back(std::move(item));
  return c;
}

// The column from slot n on: the slots before it stay in memory and must not show.
inline ColumnPtr from(std::int64_t n, ColumnPtr c) {
  c->offset = n;
  if (c->null_count != 0) c->null_count = -1;
  return c;
}

// The whole as what crosses the border; the memory goes when the array is released.
inline ArrowArray exported(const ColumnPtr& root) {
  root->wire();
  ArrowArray out = root->array;
  out.private_data = new ColumnPtr(root);
  out.release = [](ArrowArray* a) {
    delete static_cast<ColumnPtr*>(a->private_data);
    a->release = nullptr;
  };
  return out;
}

inline lm_batch batch_of(const ColumnPtr& root, std::uint32_t table, std::uint64_t instance = 1, std::uint64_t epoch = 1) {
  lm_batch out{};
  out.struct_size = sizeof out;
  out.table = table;
  out.array = exported(root);
  out.bytes = 1;
  out.instance = instance, out.dictionary_epoch = epoch;
  return out;
}

}  // namespace lm::test
