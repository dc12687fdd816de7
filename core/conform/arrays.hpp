// Arrays of tables that hold nothing of their own: those that are absent, and those that point at another's buffers.
#pragma once

#include "conform/table.hpp"

#include <logmill/sdk/arrays.hpp>

#include <cstddef>

namespace lm {

// Nulls, as the node of a table wants them.
ArrowArray& null_array(detail::ArrayArena&, detail::Zeroes&, const TableNode&, std::size_t rows);

// The same array once more, children and dictionary included. Whoever holds `from` must live as long.
ArrowArray& share_array(detail::ArrayArena&, const ArrowArray& from);

}  // namespace lm
