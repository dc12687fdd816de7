#include "conform/arrays.hpp"
#include "conform/conform.hpp"

#include <logmill/sdk/arrays.hpp>

#include <memory>
#include <numeric>
#include <utility>

namespace lm {
namespace {

using detail::allocate_zeroed;
using detail::ArrayArena;
using detail::bitmap_bytes;
using detail::Memory;
using detail::slots;
using detail::Zeroes;

bool bit(const void* bitmap, std::size_t i) { return static_cast<const std::uint8_t*>(bitmap)[i >> 3] >> (i & 7) & 1; }

void set_bit(Memory& bitmap, std::size_t i) {
  auto& byte = slots<std::uint8_t>(bitmap)[i >> 3];
  byte = static_cast<std::uint8_t>(byte | (1u << (i & 7)));
}

void point_at(ArrowArray& to, const ArrowArray& from) {
  for (std::int64_t i = 0; i < from.n_buffers; ++i) to.buffers[i] = from.buffers[i];
  to.null_count = from.null_count;
}

ArrowArray& take(ArrayArena& arena, const ArrowSchema& schema, const ArrowArray& in, std::span<const std::uint32_t> rows) {
  ArrowArray& out = arena.add(static_cast<std::int64_t>(rows.size()), in.n_buffers);
  if (in.null_count != 0 && in.buffers[0]) {
    Memory valid = allocate_zeroed(bitmap_bytes(rows.size()));
    std::int64_t nulls = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (bit(in.buffers[0], rows[i])) {
        set_bit(valid, i);
      } else {
        ++nulls;
      }
    }
    out.null_count = nulls;
    if (nulls) out.buffers[0] = arena.keep(std::move(valid), bitmap_bytes(rows.size()));
  }
  const auto gather = [&]<class T>(const T* from) {
    Memory values = allocate_zeroed((rows.size() + 1) * sizeof(T));
    for (std::size_t i = 0; i < rows.size(); ++i) slots<T>(values)[i] = from[rows[i]];
    out.buffers[1] = arena.keep(std::move(values), rows.size() * sizeof(T));
  };
  switch (schema.format[0]) {
    case 'i': gather(static_cast<const std::int32_t*>(in.buffers[1])); break;
    case 'l': gather(static_cast<const std::int64_t*>(in.buffers[1])); break;
    case 'g': gather(static_cast<const double*>(in.buffers[1])); break;
    case 'b': {
      Memory values = allocate_zeroed(bitmap_bytes(rows.size()));
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (bit(in.buffers[1], rows[i])) set_bit(values, i);
      }
      out.buffers[1] = arena.keep(std::move(values), bitmap_bytes(rows.size()));
      break;
    }
    case 'u': {
      const auto* offsets = static_cast<const std::int32_t*>(in.buffers[1]);
      const auto* text = static_cast<const char*>(in.buffers[2]);
      std::size_t size = 0;
      for (const std::uint32_t row : rows) size += static_cast<std::size_t>(offsets[row + 1] - offsets[row]);
      Memory fresh = allocate_zeroed((rows.size() + 1) * sizeof(std::int32_t)), bytes = allocate_zeroed(size);
      std::size_t at = 0;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto length = static_cast<std::size_t>(offsets[rows[i] + 1] - offsets[rows[i]]);
        if (length) std::memcpy(bytes.get() + at, text + offsets[rows[i]], length);
        at += length;
        slots<std::int32_t>(fresh)[i + 1] = static_cast<std::int32_t>(at);
      }
      out.buffers[1] = arena.keep(std::move(fresh), (rows.size() + 1) * sizeof(std::int32_t));
      out.buffers[2] = arena.keep(std::move(bytes), size);
      break;
    }
    default: {
      std::vector<ArrowArray*> children;
      if (schema.format[1] == 's') {
        for (std::int64_t i = 0; i < in.n_children; ++i) children.push_back(&take(arena, *schema.children[i], *in.children[i], rows));
      } else {  // "+l"
        const auto* offsets = static_cast<const std::int32_t*>(in.buffers[1]);
        Memory fresh = allocate_zeroed((rows.size() + 1) * sizeof(std::int32_t));
        std::vector<std::uint32_t> elements;
        for (std::size_t i = 0; i < rows.size(); ++i) {
          for (std::int32_t e = offsets[rows[i]]; e < offsets[rows[i] + 1]; ++e) elements.push_back(static_cast<std::uint32_t>(e));
          slots<std::int32_t>(fresh)[i + 1] = static_cast<std::int32_t>(elements.size());
        }
        out.buffers[1] = arena.keep(std::move(fresh), (rows.size() + 1) * sizeof(std::int32_t));
        children.push_back(&take(arena, *schema.children[0], *in.children[0], elements));
      }
      arena.set_children(out, std::move(children));
    }
  }
  if (in.dictionary) {
    ArrowArray& dictionary = arena.add(in.dictionary->length, in.dictionary->n_buffers);
    point_at(dictionary, *in.dictionary);
    out.dictionary = &dictionary;
  }
  return out;
}

}  // namespace

ArrowArray& null_array(ArrayArena& arena, Zeroes& zeroes, const TableNode& node, std::size_t rows) {
  const bool text = node.kind == TableNode::Kind::leaf && (node.type == LeafType::text || node.type == LeafType::json);
  ArrowArray& a = arena.add(static_cast<std::int64_t>(rows), node.kind == TableNode::Kind::structure ? 1 : text ? 3 : 2);
  a.null_count = static_cast<std::int64_t>(rows);
  const void* zero = zeroes.get(arena, (rows + 1) * 8);
  if (rows) a.buffers[0] = zero;
  if (a.n_buffers > 1) a.buffers[1] = zero;
  if (a.n_buffers > 2) a.buffers[2] = zero;
  if (node.kind == TableNode::Kind::leaf) {
    if (node.type == LeafType::dictionary) {
      ArrowArray& dictionary = arena.add(0, 3);
      dictionary.buffers[1] = dictionary.buffers[2] = zero;
      a.dictionary = &dictionary;
    }
    return a;
  }
  std::vector<ArrowArray*> children;
  for (const auto& child : node.children)
    children.push_back(&null_array(arena, zeroes, *child, node.kind == TableNode::Kind::list ? 0 : rows));
  arena.set_children(a, std::move(children));
  return a;
}

ArrowArray& share_array(ArrayArena& arena, const ArrowArray& from) {
  ArrowArray& to = arena.add(from.length, from.n_buffers);
  to.null_count = from.null_count;
  to.offset = from.offset;
  for (std::int64_t i = 0; i < from.n_buffers; ++i) to.buffers[i] = from.buffers[i];
  std::vector<ArrowArray*> children;
  for (std::int64_t i = 0; i < from.n_children; ++i) children.push_back(&share_array(arena, *from.children[i]));
  if (!children.empty()) arena.set_children(to, std::move(children));
  if (from.dictionary) to.dictionary = &share_array(arena, *from.dictionary);
  return to;
}

void take_rows(const ArrowSchema& schema, ArrowArray* source, std::span<const std::uint32_t> indices, ArrowArray* out,
               std::uint64_t* bytes) {
  auto arena = ArrayArena::make();
  const ArrowArray& held = arena->hold(source);
  ArrowArray& root = take(*arena, schema, held, indices);
  *bytes = arena->bytes();
  ArrayArena::finish(std::move(arena), root, out);
}

void split_rows(const ArrowSchema& schema, ArrowArray* source, std::size_t at, ArrowArray* first, ArrowArray* second) {
  const auto shared = std::shared_ptr<ArrowArray>(new ArrowArray(*source), [](ArrowArray* a) {
    a->release(a);
    delete a;
  });
  source->release = nullptr;
  std::vector<std::uint32_t> rows(static_cast<std::size_t>(shared->length));
  std::iota(rows.begin(), rows.end(), 0);
  const std::span<const std::uint32_t> all(rows);
  for (const auto& [out, some] : {std::pair{first, all.first(at)}, {second, all.subspan(at)}}) {
    auto arena = ArrayArena::make();
    arena->keep(shared);
    ArrowArray& root = take(*arena, schema, *shared, some);
    ArrayArena::finish(std::move(arena), root, out);
  }
}

}  // namespace lm
