// Everything that is Thrift: page headers and file footers as bytes. What goes in are plain structs, so that no other file sees generated code.
#pragma once

#include "parquet/codec.hpp"
#include "parquet/encode.hpp"
#include "parquet/page_index.hpp"
#include "parquet/schema.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lm::sink::parquet {

enum class Encoding : std::uint8_t {
  plain = 0,
  rle = 3,
  delta_binary_packed = 5,
  delta_length_byte_array = 6,
  delta_byte_array = 7,
  rle_dictionary = 8,
  byte_stream_split = 9
};

struct DictionaryPage {
  std::int32_t values = 0, plain_bytes = 0, stored_bytes = 0;
  std::uint32_t crc = 0;
};

struct DataPage {
  std::int32_t slots = 0, nulls = 0, rows = 0;  // slots: values and nulls
  Encoding encoding = Encoding::plain;
  std::int32_t definition_bytes = 0, repetition_bytes = 0;
  std::int32_t plain_bytes = 0, stored_bytes = 0;  // with the levels
  bool compressed = false;
  std::uint32_t crc = 0;
};

// What the footer says of one column chunk. Positions are relative to the chunk until it is placed in a file.
struct ChunkInfo {
  // Data pages by encoding; a column may change it on the way.
  struct Pages {
    Encoding encoding = Encoding::plain;
    std::int32_t count = 0;
  };
  std::vector<Pages> pages;
  std::int64_t slots = 0, nulls = 0;
  std::int64_t plain_bytes = 0, stored_bytes = 0;  // with page headers
  std::int64_t dictionary_at = -1;                 // -1: no dictionary page
  std::int64_t data_at = 0;
  bool has_bounds = false;
  std::string smallest, largest;  // plain-encoded
  bool ascending = false;         // of times: no value is null or less than the one before
  std::int64_t bloom_at = 0;
  std::int32_t bloom_bytes = 0;  // with its header; 0: no bloom filter
  PageIndex index;
};

struct RowGroupInfo {
  std::int64_t rows = 0;
  std::vector<ChunkInfo> chunks;  // one a leaf, in order
};

// Belongs to one thread at a time; keeps its buffers.
class PageHeaders {
 public:
  PageHeaders();
  ~PageHeaders();
  PageHeaders(const PageHeaders&) = delete;
  PageHeaders& operator=(const PageHeaders&) = delete;
  void put(const DictionaryPage&, Bytes& out);
  void put(const DataPage&, Bytes& out);
  void put_bloom(std::size_t bytes, Bytes& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The end of a file while its row groups come: each is kept as the bytes that it will be there, because there may be many.
class Footer {
 public:
  // The schema outlives it.
  Footer(const TableSchema& schema, Codec codec) : schema_(&schema), codec_(codec) {}

  // The row group behind the last one. Positions are absolute.
  void add(const RowGroupInfo& group);
  // Bytes of memory, and about as many of the file.
  std::size_t held() const;

  // The column indexes of all chunks, then their offset indexes, the metadata, its length and the closing magic number. `at`: where in the file they begin.
  // There are no indexes if every chunk has one page: the metadata says as much.
  void put(std::uint64_t at, Bytes& out);

 private:
  // Of a chunk: bytes of its indexes, 0 if it has none (yet), and its first page.
  struct Indexes {
    std::uint32_t column_bytes = 0, offset_bytes = 0;
    std::int64_t page_at = 0;
    std::int32_t page_bytes = 0;
  };

  const TableSchema* schema_;
  Codec codec_;
  std::int64_t rows_ = 0;
  Bytes row_groups_, column_indexes_, offset_indexes_;
  Pod<std::uint32_t> row_group_bytes_;
  Pod<Indexes> indexes_;  // a chunk each
};

}  // namespace lm::sink::parquet
