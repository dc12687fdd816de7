// The way from a row (or a list's element) down to a column in Arrow arrays: which bitmaps matter, and where slot 0 lies.
#pragma once

#include <logmill/arrow.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace lm::sink::parquet {

// An array that contradicts itself. The host has validated it, so that it is a bug and not an input.
struct BadColumn : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// n (1 to 64) bits of a bitmap from bit `at` on; reads no byte that holds none of them.
inline std::uint64_t load_bits(const std::uint8_t* bits, std::int64_t at, unsigned n) {
  const std::uint8_t* from = bits + (at >> 3);
  const auto shift = static_cast<unsigned>(at & 7);
  const unsigned bytes = (shift + n + 7) / 8;
  std::uint64_t word = 0;
  if (bytes >= 8) {
    std::memcpy(&word, from, 8);
  } else {
    std::memcpy(&word, from, bytes);
  }
  word >>= shift;
  if (bytes > 8) word |= static_cast<std::uint64_t>(from[8]) << (64 - shift);
  return n == 64 ? word : word & ((std::uint64_t{1} << n) - 1);
}

// The nodes from a row or list element down to an array, by what their bitmaps mean for levels. Nodes without nulls need no bitmap; behind one that is
// all null nothing matters. What remains is a few bitmaps, each with the number of levels that it opens.
struct Chain {
  // Nodes are written when they are counted.
  Chain() {}  // NOLINT(modernize-use-equals-default): `= default` would clear two kilobytes

  struct Node {
    const std::uint8_t* bits;
    std::int64_t base;  // bit of slot 0
    unsigned weight;
  };
  std::array<Node, 80> nodes;  // as many as `count` says
  unsigned count = 0;
  unsigned lead = 0;  // levels that every slot has
  bool dead = false;  // no slot has the last node
  const ArrowArray* last = nullptr;
  std::int64_t base = 0;  // slot 0 in the last array's buffers

  void visit(const ArrowArray& array, std::int64_t at) {
    const auto* bits = array.n_buffers > 0 && array.buffers ? static_cast<const std::uint8_t*>(array.buffers[0]) : nullptr;
    last = &array;
    base = at;
    if (array.length > 0 && array.null_count == array.length) {
      dead = true;
    } else if (array.null_count == 0 || !bits) {
      ++(count == 0 ? lead : nodes[count - 1].weight);
    } else {
      if (count == nodes.size()) throw BadColumn("nested too deep");
      nodes[count++] = {bits, at, 1};
    }
  }
};

// `slots`: how many slots the caller is going to look at, at most. Checked here, once, so that loops over slots need not.
inline Chain resolve(const ArrowArray& root, bool check_root, const std::vector<std::int32_t>& steps, std::int64_t slots) {
  Chain chain;
  const ArrowArray* at = &root;
  std::int64_t base = root.offset;
  if (slots > root.length) throw BadColumn("an array is shorter than its rows");
  if (check_root) chain.visit(root, base);
  for (const std::int32_t step : steps) {
    if (chain.dead) break;
    if (step >= at->n_children) throw BadColumn("an array lacks a child");
    const ArrowArray& child = *at->children[step];
    if (base > child.length - slots) throw BadColumn("a child is shorter than its struct");
    base += child.offset;
    at = &child;
    chain.visit(child, base);
  }
  return chain;
}

}  // namespace lm::sink::parquet
