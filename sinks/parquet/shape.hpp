// The slots of list columns over some rows of a batch: their repetition and definition levels, shared by all leaves below a list, and the elements.
#pragma once

#include "parquet/batch_view.hpp"
#include "parquet/levels.hpp"
#include "parquet/schema.hpp"
#include "parquet/slots.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lm::sink::parquet {

// Reused from piece to piece for its memory.
struct Shape {
  Levels repetition, definition;
  std::vector<Range> dense;  // the elements, in order
  bool all_full = false;     // every slot has an element
  Selection elements;        // those of `dense`

  std::size_t slots() const { return definition.size(); }
};

class ShapeMaker {
 public:
  // Of the lists that lie in rows. Throws BadColumn.
  void rows(const Anchor& anchor, const ListView& list, const Selection& rows, Shape& out);
  // Of those that lie in elements of another list.
  void nested(const Anchor& anchor, const ListView& list, const Anchor& parent_anchor, const Shape& parent, Shape& out);

 private:
  struct Lists;
  static void all_there(const Lists& lists, Range range, Shape& out);
  static void slot(const Lists& lists, std::uint8_t repetition, std::uint8_t level, std::int64_t i, Shape& out);
  static void finish(Shape& out);

  Levels levels_;
  Pod<std::uint64_t> words_;
};

}  // namespace lm::sink::parquet
