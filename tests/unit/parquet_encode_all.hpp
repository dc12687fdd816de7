// A row group made at once of batches that stay where they are.
#pragma once

#include "parquet/row_group.hpp"
#include "parquet/scratch.hpp"

#include <memory>
#include <span>

namespace lm::sink::parquet {

// Rows of one batch. Ranges ascend and are not empty.
struct Rows {
  const ArrowArray* array = nullptr;
  std::uint64_t instance = 0, epoch = 0;
  std::span<const Range> ranges;
};

inline Result<EncodedRowGroup> encode_all(RowGroupPlans& plans, std::span<const Rows> slices, Scratch& scratch) {
  Account account;
  std::unique_ptr<RowGroup> group;
  try {
    for (const Rows& slice : slices) {
      auto view = std::make_shared<const BatchView>(plans.schema(), *slice.array, slice.instance, slice.epoch);
      if (!group) group = std::make_unique<RowGroup>(plans, *view, account);
      std::int64_t rows = 0;
      for (const Range& range : slice.ranges) rows += range.end - range.begin;
      group->push(std::move(view), {slice.ranges.begin(), slice.ranges.end()}, rows);
      group->work(scratch);
    }
  } catch (const BadColumn& e) {
    return fail(LM_INVALID, std::string("a batch contradicts itself: ") + e.what());
  }
  group->push_end();
  group->work(scratch);
  return group->take();
}

}  // namespace lm::sink::parquet
