// Parquet files read back by their footers and headers, page by page, and their indexes against what the pages hold: decoded here as the format's text has it.
#pragma once

#include "parquet/page_index.hpp"
#include "parquet/part_file.hpp"

#include "parquet_decode.hpp"
#include "parquet_format_types.h"
#include "sink_storage.hpp"

#include <gtest/gtest.h>
#include <thrift/protocol/TCompactProtocol.h>
#include <thrift/transport/TBufferTransports.h>
#include <unistd.h>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace lm::sink::parquet {

// The bytes of a file of these row groups, which nothing compresses.
inline std::string file_of(const TableSchema& schema, std::vector<EncodedRowGroup> groups) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / ("logmill-file-" + std::to_string(::getpid()));
  std::ostringstream out;
  {
    const test::SinkConfig config(folder.string(), "{}", 1, 0, "00ff");
    const auto target = Target::open(config.get());
    EXPECT_TRUE(target);
    auto part = PartFile::create(*target, "file.parquet", schema, Codec::none);
    EXPECT_TRUE(part) << part.error().message;
    for (EncodedRowGroup& group : groups) EXPECT_TRUE(part->append(std::move(group)));
    EXPECT_TRUE(part->finish());
    EXPECT_TRUE(part->seal());
    part->keep();
    EXPECT_TRUE(target->publish(part->token()));
    out << std::ifstream(folder / "file.parquet", std::ios::binary).rdbuf();
  }
  fs::remove_all(folder);
  return out.str();
}

// One page as it lies in the file.
struct Page {
  std::int64_t at = 0;
  std::int32_t bytes = 0;
  format::PageHeader header;
  std::vector<std::string> values;  // plain-encoded, without those that are null
};

struct ChunkPages {
  LeafKind kind = LeafKind::text;
  format::ColumnChunk chunk;
  std::vector<Page> pages;
};

class ReadFile {
 public:
  ReadFile(std::string bytes, const TableSchema& schema) : bytes_(std::move(bytes)), schema_(schema) {
    std::uint32_t length = 0;
    std::memcpy(&length, bytes_.data() + bytes_.size() - 8, 4);
    read(bytes_.size() - 8 - length, meta);
  }

  // Answers the bytes that it took.
  template <class Struct>
  std::size_t read(std::size_t at, Struct& out) {
    using apache::thrift::transport::TMemoryBuffer;
    const auto left = static_cast<std::uint32_t>(bytes_.size() - at);
    auto buffer = std::make_shared<TMemoryBuffer>(reinterpret_cast<std::uint8_t*>(bytes_.data()) + at, left, TMemoryBuffer::OBSERVE);
    apache::thrift::protocol::TCompactProtocolT<TMemoryBuffer> protocol(buffer);
    out.read(&protocol);
    return left - buffer->available_read();
  }

  ChunkPages pages(std::size_t group, std::size_t leaf) {
    const Leaf& column = schema_.leaves[leaf];
    ChunkPages out{column.kind, meta.row_groups[group].columns[leaf], {}};
    const format::ColumnMetaData& chunk = out.chunk.meta_data;
    const bool coded = chunk.__isset.dictionary_page_offset;
    const std::int64_t begin = coded ? chunk.dictionary_page_offset : chunk.data_page_offset;
    std::vector<std::string> dictionary;
    for (std::int64_t at = begin; at < begin + chunk.total_compressed_size;) {
      Page page;
      page.at = at;
      const std::size_t header = read(static_cast<std::size_t>(at), page.header);
      const std::size_t size = static_cast<std::size_t>(page.header.compressed_page_size);
      const std::span body(reinterpret_cast<const std::uint8_t*>(bytes_.data()) + at + header, size);
      page.bytes = static_cast<std::int32_t>(header + size);
      at += page.bytes;
      if (page.header.__isset.dictionary_page_header) {
        EXPECT_EQ(page.at, begin);
        Reader in(body);
        dictionary = plain(in, column.kind, static_cast<std::size_t>(page.header.dictionary_page_header.num_values));
        continue;
      }
      decode(column, body, dictionary, page);
      out.pages.push_back(std::move(page));
    }
    return out;
  }

  format::FileMetaData meta;

 private:
  static std::vector<std::string> plain(Reader& in, LeafKind kind, std::size_t n) {
    std::vector<std::string> out(n);
    for (std::string& value : out) {
      std::uint32_t size = kind == LeafKind::int32 ? 4 : 8;
      if (kind == LeafKind::coded || kind == LeafKind::text || kind == LeafKind::json) {
        size = 0;
        for (unsigned i = 0; i < 4; ++i) size |= static_cast<std::uint32_t>(in.byte()) << (8 * i);
      }
      for (std::uint32_t i = 0; i < size; ++i) value += static_cast<char>(in.byte());
    }
    return out;
  }
  template <class T>
  static std::vector<std::string> plain_of(const std::vector<T>& values) {
    std::vector<std::string> out;
    for (const T value : values) out.emplace_back(reinterpret_cast<const char*>(&value), sizeof value);
    return out;
  }

  void decode(const Leaf& column, std::span<const std::uint8_t> body, const std::vector<std::string>& dictionary, Page& out) {
    const format::DataPageHeaderV2& page = out.header.data_page_header_v2;
    const auto slots = static_cast<std::size_t>(page.num_values);
    const auto repetition_bytes = static_cast<std::size_t>(page.repetition_levels_byte_length);
    const auto definition_bytes = static_cast<std::size_t>(page.definition_levels_byte_length);
    std::vector<std::uint64_t> repetition(slots), definition(slots, column.max_definition);
    if (column.max_repetition != 0) repetition = read_hybrid(body.first(repetition_bytes), slots, bit_width(column.max_repetition));
    if (column.max_definition != 0)
      definition = read_hybrid(body.subspan(repetition_bytes, definition_bytes), slots, bit_width(column.max_definition));
    EXPECT_GT(page.num_rows, 0);
    EXPECT_EQ(repetition.front(), 0u) << "a page begins with a row";
    EXPECT_EQ(std::count(repetition.begin(), repetition.end(), 0u), page.num_rows);
    const auto n = static_cast<std::size_t>(std::count(definition.begin(), definition.end(), column.max_definition));
    EXPECT_EQ(slots - n, static_cast<std::size_t>(page.num_nulls));
    EXPECT_FALSE(page.is_compressed) << "these tests compress nothing";
    const auto rest = body.subspan(repetition_bytes + definition_bytes);
    Reader in(rest);
    switch (page.encoding) {
      case format::Encoding::PLAIN: out.values = plain(in, column.kind, n); break;
      case format::Encoding::BYTE_STREAM_SPLIT: out.values = plain_of(read_split(in, n)); break;
      case format::Encoding::DELTA_BINARY_PACKED:
        out.values = column.kind == LeafKind::int32 ? plain_of(read_delta<std::int32_t>(in)) : plain_of(read_delta<std::int64_t>(in));
        break;
      case format::Encoding::DELTA_LENGTH_BYTE_ARRAY: out.values = read_delta_length(in); break;
      case format::Encoding::DELTA_BYTE_ARRAY: out.values = read_delta_text(in); break;
      case format::Encoding::RLE:
        for (const std::uint64_t value : read_hybrid(rest.subspan(4), n, 1)) out.values.emplace_back(1, static_cast<char>(value));
        break;
      case format::Encoding::RLE_DICTIONARY:
        for (const std::uint64_t id : read_hybrid(rest.subspan(1), n, rest[0])) out.values.push_back(dictionary.at(id));
        break;
      default: FAIL() << "encoding " << page.encoding;
    }
    EXPECT_EQ(out.values.size(), n);
  }

  std::string bytes_;
  const TableSchema& schema_;
};

// The order of a column's type, from the format's text once more.
inline bool less(LeafKind kind, const std::string& a, const std::string& b) {
  const auto as = [&]<class T>(T x) {
    T y = x;
    std::memcpy(&x, a.data(), sizeof x), std::memcpy(&y, b.data(), sizeof y);
    return x < y;
  };
  switch (kind) {
    case LeafKind::int32: return as(std::int32_t{});
    case LeafKind::int64:
    case LeafKind::timestamp: return as(std::int64_t{});
    case LeafKind::float64: return as(double{});
    case LeafKind::boolean: return as(std::uint8_t{});
    default:
      return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                          [](char x, char y) { return static_cast<unsigned char>(x) < static_cast<unsigned char>(y); });
  }
}

inline bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || i + n > text.size()) return false;
    for (std::size_t k = 1; k < n; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    if (lead == 0xed && static_cast<unsigned char>(text[i + 1]) >= 0xa0) return false;
    i += n;
  }
  return true;
}

struct Seen {
  std::size_t chunks = 0, column_indexes = 0, null_pages = 0, cut_bounds = 0, ascending = 0, coded_then_spelt = 0, leading_nulls = 0;
};

inline void check_chunk(ReadFile& file, std::size_t group, std::size_t leaf, Seen& seen) {
  const ChunkPages column = file.pages(group, leaf);
  const format::ColumnChunk& chunk = column.chunk;
  const std::vector<Page>& pages = column.pages;
  ++seen.chunks;

  // A chunk is stored by number from its first page on or not at all, and once it is not it never is again.
  const auto coded = [](const Page& page) { return page.header.data_page_header_v2.encoding == format::Encoding::RLE_DICTIONARY; };
  EXPECT_TRUE(std::is_partitioned(pages.begin(), pages.end(), coded));
  if (coded(pages.front()) && !coded(pages.back())) ++seen.coded_then_spelt;
  if (coded(pages.front()) && pages.front().values.empty()) ++seen.leading_nulls;

  ASSERT_TRUE(chunk.__isset.offset_index_offset && chunk.__isset.offset_index_length);
  format::OffsetIndex offsets;
  EXPECT_EQ(file.read(static_cast<std::size_t>(chunk.offset_index_offset), offsets), static_cast<std::size_t>(chunk.offset_index_length));
  ASSERT_EQ(offsets.page_locations.size(), pages.size());
  std::int64_t row = 0;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const format::PageLocation& location = offsets.page_locations[i];
    EXPECT_EQ(location.offset, pages[i].at);
    EXPECT_EQ(location.compressed_page_size, pages[i].bytes);
    EXPECT_EQ(location.first_row_index, row);
    row += pages[i].header.data_page_header_v2.num_rows;
  }
  EXPECT_EQ(row, file.meta.row_groups[group].num_rows);

  const bool text = column.kind == LeafKind::coded || column.kind == LeafKind::text;
  const auto before = [&](const std::string& a, const std::string& b) { return less(column.kind, a, b); };
  const auto ordered = [&](const Page& page) {
    std::vector<std::string> values = page.values;
    std::erase_if(values, [&](const std::string& value) {
      double number = 0;
      if (column.kind == LeafKind::float64) std::memcpy(&number, value.data(), sizeof number);
      return std::isnan(number);
    });
    return values;
  };
  bool possible = pages.size() > 1;
  for (const Page& page : pages) {
    const std::vector<std::string> values = ordered(page);
    if (!page.values.empty() && (column.kind == LeafKind::json || values.empty())) possible = false;
    if (text && !values.empty() && !round_up(*std::max_element(values.begin(), values.end(), before), kLongestBound)) possible = false;
  }
  ASSERT_EQ(chunk.__isset.column_index_offset, possible);
  if (!possible) return;
  ++seen.column_indexes;
  format::ColumnIndex index;
  EXPECT_EQ(file.read(static_cast<std::size_t>(chunk.column_index_offset), index), static_cast<std::size_t>(chunk.column_index_length));
  ASSERT_EQ(index.null_pages.size(), pages.size());
  ASSERT_EQ(index.min_values.size(), pages.size());
  ASSERT_EQ(index.max_values.size(), pages.size());
  ASSERT_TRUE(index.__isset.null_counts);
  ASSERT_EQ(index.null_counts.size(), pages.size());
  bool ascending = true, descending = true;
  const std::string *last_low = nullptr, *last_high = nullptr;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const std::string &low = index.min_values[i], &high = index.max_values[i];
    EXPECT_EQ(index.null_counts[i], pages[i].header.data_page_header_v2.num_nulls);
    EXPECT_EQ(index.null_pages[i], pages[i].values.empty());
    if (pages[i].values.empty()) {
      EXPECT_TRUE(low.empty() && high.empty());
      ++seen.null_pages;
      continue;
    }
    const std::vector<std::string> values = ordered(pages[i]);
    const std::string smallest = *std::min_element(values.begin(), values.end(), before);
    const std::string largest = *std::max_element(values.begin(), values.end(), before);
    if (text && smallest.size() > kLongestBound) {
      EXPECT_TRUE(smallest.starts_with(low) && low.size() > kLongestBound - 4) << low;
      EXPECT_TRUE(is_utf8(low));
      ++seen.cut_bounds;
    } else {
      EXPECT_FALSE(before(low, smallest) || before(smallest, low));
    }
    if (text && largest.size() > kLongestBound) {
      EXPECT_TRUE(before(largest, high) && high.size() <= kLongestBound) << high;
      EXPECT_TRUE(is_utf8(high));
      ++seen.cut_bounds;
    } else {
      EXPECT_FALSE(before(high, largest) || before(largest, high));
    }
    if (last_low) {
      ascending = ascending && !before(low, *last_low) && !before(high, *last_high);
      descending = descending && !before(*last_low, low) && !before(*last_high, high);
    }
    last_low = &low, last_high = &high;
  }
  EXPECT_EQ(index.boundary_order, ascending    ? format::BoundaryOrder::ASCENDING
                                  : descending ? format::BoundaryOrder::DESCENDING
                                               : format::BoundaryOrder::UNORDERED);
  seen.ascending += ascending;
}

}  // namespace lm::sink::parquet
