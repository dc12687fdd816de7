#include "parquet/footer.hpp"

#include "parquet_format_types.h"

#include <thrift/protocol/TCompactProtocol.h>
#include <thrift/transport/TBufferTransports.h>
#include <algorithm>

namespace lm::sink::parquet {
namespace {

using apache::thrift::protocol::TCompactProtocolT;
using apache::thrift::transport::TMemoryBuffer;
using Protocol = TCompactProtocolT<TMemoryBuffer>;

constexpr const char* kCreatedBy = "logmill version 0.1.0";

format::Encoding::type encoding_of(Encoding encoding) { return static_cast<format::Encoding::type>(encoding); }

format::Type::type type_of(LeafKind kind) {
  switch (kind) {
    case LeafKind::int32: return format::Type::INT32;
    case LeafKind::int64:
    case LeafKind::timestamp: return format::Type::INT64;
    case LeafKind::float64: return format::Type::DOUBLE;
    case LeafKind::boolean: return format::Type::BOOLEAN;
    case LeafKind::coded:
    case LeafKind::text:
    case LeafKind::json: break;
  }
  return format::Type::BYTE_ARRAY;
}

void annotate(LeafKind kind, format::SchemaElement& out) {
  format::LogicalType logical;
  const auto integer = [&](std::int8_t bits) {
    format::IntType type;
    type.__set_bitWidth(bits);
    type.__set_isSigned(true);
    logical.__set_INTEGER(type);
  };
  switch (kind) {
    case LeafKind::coded:
    case LeafKind::text:
      logical.__set_STRING({});
      out.__set_converted_type(format::ConvertedType::UTF8);
      break;
    case LeafKind::json:
      logical.__set_JSON({});
      out.__set_converted_type(format::ConvertedType::JSON);
      break;
    case LeafKind::int32:
      integer(32);
      out.__set_converted_type(format::ConvertedType::INT_32);
      break;
    case LeafKind::int64:
      integer(64);
      out.__set_converted_type(format::ConvertedType::INT_64);
      break;
    case LeafKind::timestamp: {
      format::TimestampType type;
      format::TimeUnit unit;
      unit.__set_MILLIS({});
      type.__set_isAdjustedToUTC(true);
      type.__set_unit(unit);
      logical.__set_TIMESTAMP(type);
      out.__set_converted_type(format::ConvertedType::TIMESTAMP_MILLIS);
      break;
    }
    case LeafKind::float64:
    case LeafKind::boolean: return;
  }
  out.__set_logicalType(logical);
}

format::SchemaElement element_of(const Element& from) {
  format::SchemaElement out;
  out.__set_name(from.name);
  if (from.kind != ElementKind::root) {
    out.__set_repetition_type(from.kind == ElementKind::repeated ? format::FieldRepetitionType::REPEATED
                                                                 : format::FieldRepetitionType::OPTIONAL);
  }
  if (from.kind == ElementKind::leaf) {
    out.__set_type(type_of(from.leaf));
    annotate(from.leaf, out);
  } else {
    out.__set_num_children(from.children);
  }
  if (from.kind == ElementKind::list) {
    format::LogicalType logical;
    logical.__set_LIST({});
    out.__set_logicalType(logical);
    out.__set_converted_type(format::ConvertedType::LIST);
  }
  return out;
}

format::PageEncodingStats pages_of(format::PageType::type type, format::Encoding::type encoding, std::int32_t count) {
  format::PageEncodingStats out;
  out.__set_page_type(type);
  out.__set_encoding(encoding);
  out.__set_count(count);
  return out;
}

format::ColumnChunk chunk_of(const Leaf& leaf, const ChunkInfo& from, Codec codec) {
  format::ColumnMetaData meta;
  meta.__set_type(type_of(leaf.kind));
  std::vector<format::Encoding::type> encodings;
  std::vector<format::PageEncodingStats> pages;
  if (from.dictionary_at >= 0) {
    encodings.push_back(format::Encoding::PLAIN);
    pages.push_back(pages_of(format::PageType::DICTIONARY_PAGE, format::Encoding::PLAIN, 1));
    meta.__set_dictionary_page_offset(from.dictionary_at);
  }
  const auto list = [&](format::Encoding::type encoding) {
    if (std::find(encodings.begin(), encodings.end(), encoding) == encodings.end()) encodings.push_back(encoding);
  };
  for (const ChunkInfo::Pages& of : from.pages) {
    pages.push_back(pages_of(format::PageType::DATA_PAGE_V2, encoding_of(of.encoding), of.count));
    list(encoding_of(of.encoding));
  }
  list(format::Encoding::RLE);  // the levels
  meta.__set_encodings(encodings);
  meta.__set_encoding_stats(pages);
  meta.__set_path_in_schema(leaf.path);
  meta.__set_codec(static_cast<format::CompressionCodec::type>(codec));
  meta.__set_num_values(from.slots);
  meta.__set_total_uncompressed_size(from.plain_bytes);
  meta.__set_total_compressed_size(from.stored_bytes);
  meta.__set_data_page_offset(from.data_at);
  format::Statistics statistics;
  statistics.__set_null_count(from.nulls);
  if (from.has_bounds) {
    statistics.__set_min_value(from.smallest);
    statistics.__set_max_value(from.largest);
    statistics.__set_is_min_value_exact(true);
    statistics.__set_is_max_value_exact(true);
  }
  meta.__set_statistics(statistics);
  if (from.bloom_bytes != 0) {
    meta.__set_bloom_filter_offset(from.bloom_at);
    meta.__set_bloom_filter_length(from.bloom_bytes);
  }
  format::ColumnChunk out;
  out.__set_file_offset(0);  // the metadata stands in the footer alone
  out.__set_meta_data(meta);
  if (from.offset_index.bytes != 0) {
    out.__set_offset_index_offset(from.offset_index.at);
    out.__set_offset_index_length(from.offset_index.bytes);
  }
  if (from.column_index.bytes != 0) {
    out.__set_column_index_offset(from.column_index.at);
    out.__set_column_index_length(from.column_index.bytes);
  }
  return out;
}

format::ColumnIndex column_index_of(const PageIndex& from) {
  format::ColumnIndex out;
  out.__isset.null_counts = true;
  for (const PageIndex::Page& page : from.pages()) {
    out.null_pages.push_back(!page.has_values);
    out.min_values.emplace_back(from.smallest(page));
    out.max_values.emplace_back(from.largest(page));
    out.null_counts.push_back(page.nulls);
  }
  out.__set_boundary_order(static_cast<format::BoundaryOrder::type>(from.order()));
  return out;
}

format::OffsetIndex offset_index_of(const ChunkInfo& from) {
  format::OffsetIndex out;
  for (const PageIndex::Page& page : from.index.pages()) {
    format::PageLocation& location = out.page_locations.emplace_back();
    location.__set_offset(from.data_at + page.at);
    location.__set_compressed_page_size(page.bytes);
    location.__set_first_row_index(page.first_row);
  }
  return out;
}

class Writer {
 public:
  explicit Writer(std::uint32_t room) : buffer_(std::make_shared<TMemoryBuffer>(room)) {}

  // Appends a struct, and answers its size.
  template <class Struct>
  std::uint32_t put(const Struct& what, Bytes& out) {
    buffer_->resetBuffer();
    what.write(&protocol_);
    std::uint8_t* data = nullptr;
    std::uint32_t size = 0;
    buffer_->getBuffer(&data, &size);
    out.append(data, size);
    return size;
  }

 private:
  std::shared_ptr<TMemoryBuffer> buffer_;
  Protocol protocol_{buffer_};
};

}  // namespace

struct PageHeaders::State : Writer {
  State() : Writer(256) {}
};

PageHeaders::PageHeaders() : state_(std::make_unique<State>()) {}
PageHeaders::~PageHeaders() = default;

void PageHeaders::put(const DictionaryPage& page, Bytes& out) {
  format::DictionaryPageHeader dictionary;
  dictionary.__set_num_values(page.values);
  dictionary.__set_encoding(format::Encoding::PLAIN);
  format::PageHeader header;
  header.__set_type(format::PageType::DICTIONARY_PAGE);
  header.__set_uncompressed_page_size(page.plain_bytes);
  header.__set_compressed_page_size(page.stored_bytes);
  header.__set_crc(static_cast<std::int32_t>(page.crc));
  header.__set_dictionary_page_header(dictionary);
  state_->put(header, out);
}

void PageHeaders::put(const DataPage& page, Bytes& out) {
  format::DataPageHeaderV2 data;
  data.__set_num_values(page.slots);
  data.__set_num_nulls(page.nulls);
  data.__set_num_rows(page.rows);
  data.__set_encoding(encoding_of(page.encoding));
  data.__set_definition_levels_byte_length(page.definition_bytes);
  data.__set_repetition_levels_byte_length(page.repetition_bytes);
  data.__set_is_compressed(page.compressed);
  format::PageHeader header;
  header.__set_type(format::PageType::DATA_PAGE_V2);
  header.__set_uncompressed_page_size(page.plain_bytes);
  header.__set_compressed_page_size(page.stored_bytes);
  header.__set_crc(static_cast<std::int32_t>(page.crc));
  header.__set_data_page_header_v2(data);
  state_->put(header, out);
}

void PageHeaders::put_bloom(std::size_t bytes, Bytes& out) {
  format::BloomFilterAlgorithm algorithm;
  algorithm.__set_BLOCK({});
  format::BloomFilterHash hash;
  hash.__set_XXHASH({});
  format::BloomFilterCompression compression;
  compression.__set_UNCOMPRESSED({});
  format::BloomFilterHeader header;
  header.__set_numBytes(static_cast<std::int32_t>(bytes));
  header.__set_algorithm(algorithm);
  header.__set_hash(hash);
  header.__set_compression(compression);
  state_->put(header, out);
}

void put_page_indexes(std::uint64_t at, std::vector<RowGroupInfo>& row_groups, Bytes& out) {
  const auto one_page = [](const ChunkInfo& chunk) { return chunk.index.pages().size() <= 1; };
  const auto nothing_to_say = [&](const RowGroupInfo& group) { return std::all_of(group.chunks.begin(), group.chunks.end(), one_page); };
  if (std::all_of(row_groups.begin(), row_groups.end(), nothing_to_say)) return;
  Writer writer(4096);
  const std::size_t before = out.size();
  const auto put = [&](const auto& index, ChunkInfo::Placed& placed) {
    placed.at = static_cast<std::int64_t>(at + out.size() - before);
    placed.bytes = static_cast<std::int32_t>(writer.put(index, out));
  };
  for (RowGroupInfo& group : row_groups) {
    for (ChunkInfo& chunk : group.chunks) {
      if (!one_page(chunk) && chunk.index.bounded()) put(column_index_of(chunk.index), chunk.column_index);
    }
  }
  // Of all chunks: a reader that leaves out pages of one column must find the rows in the others.
  for (RowGroupInfo& group : row_groups) {
    for (ChunkInfo& chunk : group.chunks) put(offset_index_of(chunk), chunk.offset_index);
  }
}

void put_footer(const TableSchema& schema, Codec codec, const std::vector<RowGroupInfo>& row_groups, Bytes& out) {
  format::FileMetaData file;
  file.__set_version(2);
  file.__set_created_by(kCreatedBy);
  std::int64_t rows = 0;
  for (const Element& element : schema.elements) file.schema.push_back(element_of(element));
  for (const RowGroupInfo& from : row_groups) {
    format::RowGroup& group = file.row_groups.emplace_back();
    std::int64_t plain = 0, stored = 0;
    group.columns.reserve(from.chunks.size());
    for (std::size_t i = 0; i < from.chunks.size(); ++i) {
      group.columns.push_back(chunk_of(schema.leaves[i], from.chunks[i], codec));
      plain += from.chunks[i].plain_bytes;
      stored += from.chunks[i].stored_bytes;
    }
    const ChunkInfo& first = from.chunks.front();
    group.__set_num_rows(from.rows);
    for (std::size_t i = 0; i < from.chunks.size(); ++i) {
      if (schema.leaves[i].name != "time" || !from.chunks[i].ascending) continue;
      format::SortingColumn column;
      column.__set_column_idx(static_cast<std::int32_t>(i));
      column.__set_descending(false);
      column.__set_nulls_first(false);
      group.__set_sorting_columns({column});
    }
    group.__set_total_byte_size(plain);
    group.__set_total_compressed_size(stored);
    group.__set_file_offset(first.dictionary_at >= 0 ? first.dictionary_at : first.data_at);
    rows += from.rows;
  }
  file.__set_num_rows(rows);
  format::ColumnOrder order;
  order.__set_TYPE_ORDER({});
  file.__set_column_orders(std::vector<format::ColumnOrder>(schema.leaves.size(), order));

  const std::uint32_t size = Writer(64 * 1024).put(file, out);
  std::memcpy(out.extend(4), &size, 4);
  std::memcpy(out.extend(4), "PAR1", 4);
}

}  // namespace lm::sink::parquet
