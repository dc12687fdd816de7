// Completes what a parser emitted: adds what every event carries (class and type, captions, version, profiles, ids, lineage), derives observables from the
// schema's own observable types, and fits the batch to its table. No value is copied that can be pointed at.
#pragma once

#include "base/place.hpp"
#include "base/result.hpp"
#include "conform/table.hpp"

#include <logmill/plugin.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lm {

// What conform must know of a block that rows point at.
struct BlockOrigin {
  const lm_block* block = nullptr;
  const std::vector<std::uint64_t>* ordinals = nullptr;  // of block.records in the object; null: first_record + index
  std::string_view object_hash;                          // 32 hexadecimal digits that identify the object
  const std::vector<Place>* places = nullptr;  // of block.records, if they come out of a wrapping; null: block.offset + record.offset
};

struct ConformOptions {
  std::optional<std::int64_t> since_ms, until_ms;
  bool raw_data = false;
  std::size_t most_bytes = std::size_t{256} << 20;  // of a column that is made here, unless it is one row's: Arrow's offsets reach to 2 GiB
};

struct ConformedBatch {
  ArrowArray array{};  // the caller's to release; length 0 (and nothing to release) if all rows were filtered
  std::uint64_t bytes = 0, instance = 0, epoch = 0, rows_filtered = 0;
  bool too_large = false;  // nothing was made; the rows that were not filtered are in the parser's batch, to be given again in pieces
};

// One table of one parser instance. Belongs to the thread that has the instance.
class Conform {
 public:
  // `schema` is what the parser says of the arrays; checked against the declared columns (Errc::plugin).
  static Result<std::unique_ptr<Conform>> create(const Table&, const lm_class& declared, const ArrowSchema& schema,
                                                 std::string_view parser_label, const ConformOptions&);
  virtual ~Conform() = default;
  virtual const Table& table() const = 0;
  // Takes the batch's array over, unless what is made of it is too large. The array was checked (plugin_host/validate.hpp). Text that the parser has once may be
  // wanted in many rows: that of a record that gives many (raw_data), or of a dictionary's entry. One row is too large only if it has more than offsets reach.
  virtual Result<ConformedBatch> run(lm_batch& batch, std::span<const BlockOrigin> blocks) = 0;
  // The path of a column of such an array that says it is JSON and has text that is none; "" if there is none.
  virtual std::string not_json(const ArrowArray& rows) = 0;
};

// 32 hexadecimal digits that identify an object by its uri and etag.
std::string object_hash(std::string_view uri, std::string_view etag);

// The rows at `indices` (ascending) of a struct array with this schema, as new arrays. Dictionaries are shared by reference: `source` is taken over and lives
// as long as the result.
void take_rows(const ArrowSchema& schema, ArrowArray* source, std::span<const std::uint32_t> indices, ArrowArray* out,
               std::uint64_t* bytes);

// The rows before `at`, and the others, as new arrays in the same way.
void split_rows(const ArrowSchema& schema, ArrowArray* source, std::size_t at, ArrowArray* first, ArrowArray* second);

}  // namespace lm
