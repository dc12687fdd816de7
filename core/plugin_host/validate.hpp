// Checks of what a plugin hands over, at the border: an array must be what its schema says before anything reads through its pointers.
#pragma once

#include "base/result.hpp"

#include <logmill/plugin.h>

namespace lm {

enum class Validation {
  standard,  // structure: lengths, buffers, null counts, first and last offsets, dictionary codes within their dictionary
  full,      // also every offset, the count of every bitmap, and that text is UTF-8
};

// `array` against `schema`, recursively; null_count -1 is replaced by the true count. Arrays must have offset 0. Errc::plugin names the column.
// `own_dictionaries`: the host has made them, and only codes are looked at.
Result<void> validate(const ArrowSchema& schema, ArrowArray& array, Validation level, bool own_dictionaries = false);

}  // namespace lm
