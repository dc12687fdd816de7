// Rows of several batches of one table, put together as one.
#pragma once

#include "common/arrow_view.hpp"
#include "common/sink_glue.hpp"

#include <logmill/sdk/arrays.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lm::sink::parquet {

struct RowRef {
  std::int64_t key = 0;  // what they are ordered by
  std::uint32_t batch = 0, row = 0;
};

// The rows in this order, as a batch that owns its memory. Each dictionary has the values that occur, once. Throws BadArray if a batch contradicts itself, and std::length_error where
// text outgrows 2 GiB. `zeroes` stand for what is absent; batches share them.
Batch gather(const Field& table, std::span<const Batch> batches, std::span<const RowRef> rows, lm::detail::Zeroes& zeroes);

// Rows of a table in a tenth of their size or less, to wait for what comes before them.
std::string pack(const Field& table, const Batch& rows);
// What pack() made, as a batch.
Batch unpack(const Field& table, std::string_view packed, lm::detail::Zeroes& zeroes);

}  // namespace lm::sink::parquet
