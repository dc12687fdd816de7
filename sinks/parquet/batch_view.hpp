// What is found out about a batch once, however many partitions its rows go to: for every column the way to its values, which columns are the same arrays,
// and which hold one value only.
#pragma once

#include "common/sink_glue.hpp"
#include "parquet/chain.hpp"
#include "parquet/schema.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace lm::sink::parquet {

// A chain (chain.hpp) at rest.
struct Path {
  const Chain::Node* nodes = nullptr;
  unsigned count = 0, lead = 0;
  bool dead = false;  // no slot has the last node
  const ArrowArray* last = nullptr;
  std::int64_t base = 0;  // slot 0 in the last array's buffers

  bool same_level() const { return dead && count == 0; }
};

struct LeafView {
  Path path;
  std::int32_t same_as = -1;      // the first leaf with the very same arrays; itself if there is none before
  bool constant = false;          // every slot is there and has this value:
  std::int64_t value = 0;         // a code or a number
  std::int64_t dictionary_n = 0;  // its length
};

struct ListView {
  Path path;
  const std::int32_t* offsets = nullptr;  // of slot 0; null: no slot has a list
  const ArrowArray* element = nullptr;
};

class BatchView {
 public:
  // Throws BadColumn if the arrays contradict each other. The schema outlives it.
  BatchView(const TableSchema& schema, Batch batch);
  // Of an array that outlives it.
  BatchView(const TableSchema& schema, const ArrowArray& array, std::uint64_t instance, std::uint64_t epoch);
  BatchView(const BatchView&) = delete;
  BatchView& operator=(const BatchView&) = delete;

  std::int64_t rows() const { return rows_; }
  std::uint64_t instance() const { return instance_; }
  std::uint64_t epoch() const { return epoch_; }
  const LeafView& leaf(std::size_t i) const { return leaves_[i]; }
  const ListView& list(std::size_t i) const { return lists_[i]; }
  std::size_t leaf_count() const { return leaves_.size(); }

  // True if two leaves hold the same slots in this batch.
  bool same(std::size_t a, std::size_t b) const {
    const LeafView &x = leaves_[a], &y = leaves_[b];
    return x.same_as == y.same_as || (x.path.same_level() && y.path.same_level() && x.path.lead == y.path.lead);
  }

 private:
  void look(const TableSchema& schema, const ArrowArray& array);
  Path keep(const Chain& chain);
  static void look_at_values(const Leaf& leaf, std::int64_t slots, LeafView& out);
  static bool same_arrays(const Leaf& a, const LeafView& x, const Leaf& b, const LeafView& y);
  void find_same(const TableSchema& schema);

  Batch batch_;
  std::uint64_t instance_ = 0, epoch_ = 0;
  std::int64_t rows_ = 0;
  std::vector<LeafView> leaves_;
  std::vector<ListView> lists_;
  std::vector<Chain::Node> nodes_;
};

}  // namespace lm::sink::parquet
