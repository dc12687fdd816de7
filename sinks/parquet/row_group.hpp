// Encodes a row group: rows of Arrow batches into finished Parquet column chunks. Knows nothing of partitions and files.
//
// The order of work of the whole sink:
//   1. the Arrow schema becomes schema elements, leaves and anchors (schema.hpp; once a table);
//   2. per list: repetition and definition levels of its slots, shared by the leaves below it; per leaf column: levels from bitmaps and offsets, values,
//      codes straight from the batch's dictionary;
//   3. per leaf column: encode pages, compress;
//   4. chunks are placed in a file and the footer is written (part_file.hpp, footer.hpp).
// 2 and 3 run in parallel over the columns, in the caller's arena; 4 is serial, because the compact protocol's numbers have no fixed width and a position
// is known only when all before it is.
#pragma once

#include "common/error.hpp"
#include "parquet/encode.hpp"
#include "parquet/footer.hpp"
#include "parquet/schema.hpp"
#include "parquet/slots.hpp"

#include <logmill/arrow.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace lm::sink::parquet {

// Rows of one batch, which outlives the encoding. Ranges ascend and are not empty.
struct Rows {
  const ArrowArray* array = nullptr;
  std::uint64_t instance = 0, epoch = 0;
  std::span<const Range> ranges;
};

struct EncodeOptions {
  bool zstd = true;
  int zstd_level = 1;
  std::size_t page_bytes = std::size_t{1} << 20;        // of values, before compression
  std::size_t dictionary_bytes = std::size_t{4} << 20;  // a larger dictionary is given up
};

struct EncodedRowGroup {
  RowGroupInfo info;          // positions relative to each chunk
  std::vector<Bytes> chunks;  // one a leaf
  std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const Bytes& chunk : chunks) sum += chunk.size();
    return sum;
  }
};

// What encoding one column needs besides its input, kept for the next column: compression contexts and buffers. Shared by all threads.
class ScratchPool {
 public:
  struct Scratch;
  ScratchPool();
  ~ScratchPool();
  std::unique_ptr<Scratch> take();
  void give(std::unique_ptr<Scratch> scratch);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Scratch>> free_;
};

class ColumnDictionary;

// The row groups of one table. Thread-safe: several may be encoded at once.
class RowGroupEncoder {
 public:
  // All three outlive it.
  RowGroupEncoder(const TableSchema& schema, const EncodeOptions& options, ScratchPool& pool);
  ~RowGroupEncoder();

  // LM_INVALID if an array contradicts itself; LM_UNSUPPORTED if a value is too large for a page; LM_NO_MEMORY. Throws nothing.
  Result<EncodedRowGroup> encode(std::span<const Rows> slices);

 private:
  EncodedRowGroup encode_all(std::span<const Rows> slices);

  const TableSchema& schema_;
  const EncodeOptions& options_;
  ScratchPool& pool_;
  std::vector<std::unique_ptr<ColumnDictionary>> dictionaries_;  // one a leaf; null where there are no codes
};

}  // namespace lm::sink::parquet
