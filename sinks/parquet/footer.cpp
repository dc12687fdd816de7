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

format::PageLocation location_of(std::int64_t at, std::int32_t bytes, std::int64_t first_row) {
  format::PageLocation out;
  out.__set_offset(at);
  out.__set_compressed_page_size(bytes);
  out.__set_first_row_index(first_row);
  return out;
}

format::OffsetIndex offset_index_of(const ChunkInfo& from) {
  format::OffsetIndex out;
  for (const PageIndex::Page& page : from.index.pages()) {
    out.page_locations.push_back(location_of(from.data_at + page.at, page.bytes, page.first_row));
  }
  return out;
}

format::RowGroup row_group_of(const TableSchema& schema, Codec codec, const RowGroupInfo& from) {
  format::RowGroup out;
  std::int64_t plain = 0, stored = 0;
  out.columns.reserve(from.chunks.size());
  for (std::size_t i = 0; i < from.chunks.size(); ++i) {
    const ChunkInfo& chunk = from.chunks[i];
    out.columns.push_back(chunk_of(schema.leaves[i], chunk, codec));
    plain += chunk.plain_bytes;
    stored += chunk.stored_bytes;
    if (schema.leaves[i].name != "time" || !chunk.ascending) continue;
    format::SortingColumn column;
    column.__set_column_idx(static_cast<std::int32_t>(i));
    column.__set_descending(false);
    column.__set_nulls_first(false);
    out.__set_sorting_columns({column});
  }
  const ChunkInfo& first = from.chunks.front();
  out.__set_num_rows(from.rows);
  out.__set_total_byte_size(plain);
  out.__set_total_compressed_size(stored);
  out.__set_file_offset(first.dictionary_at >= 0 ? first.dictionary_at : first.data_at);
  return out;
}

class Writer {
 public:
  explicit Writer(std::uint32_t room) : buffer_(std::make_shared<TMemoryBuffer>(room)) {}

  // Appends what `write` gives to the protocol, and answers the number of bytes.
  template <class Write>
  std::uint32_t put_by(Write&& write, Bytes& out) {
    buffer_->resetBuffer();
    write(protocol_);
    std::uint8_t* data = nullptr;
    std::uint32_t size = 0;
    buffer_->getBuffer(&data, &size);
    out.append(data, size);
    return size;
  }
  template <class Struct>
  std::uint32_t put(const Struct& what, Bytes& out) {
    return put_by([&](Protocol& protocol) { what.write(&protocol); }, out);
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

void Footer::add(const RowGroupInfo& group) {
  Writer writer(16 * 1024);
  row_group_bytes_.push(writer.put(row_group_of(*schema_, codec_, group), row_groups_));
  rows_ += group.rows;
  for (const ChunkInfo& chunk : group.chunks) {
    Indexes of;
    const auto pages = chunk.index.pages();
    if (pages.size() > 1) {
      if (chunk.index.bounded()) of.column_bytes = writer.put(column_index_of(chunk.index), column_indexes_);
      of.offset_bytes = writer.put(offset_index_of(chunk), offset_indexes_);
    } else if (!pages.empty()) {
      of.page_at = chunk.data_at, of.page_bytes = pages[0].bytes;
    }
    indexes_.push(of);
  }
}

std::size_t Footer::held() const {
  return row_groups_.capacity() + column_indexes_.capacity() + offset_indexes_.capacity() + row_group_bytes_.capacity() * 4 +
         indexes_.capacity() * sizeof(Indexes);
}

void Footer::put(std::uint64_t at, Bytes& out) {
  using apache::thrift::protocol::T_I32, apache::thrift::protocol::T_I64, apache::thrift::protocol::T_LIST,
      apache::thrift::protocol::T_STRING, apache::thrift::protocol::T_STRUCT;
  const bool indexed = !offset_indexes_.empty();
  Writer writer(64 * 1024);
  std::uint64_t column_at = at, offset_at = at + column_indexes_.size();
  if (indexed) {
    out.append(column_indexes_.data(), column_indexes_.size());
    // Of all chunks: a reader that leaves out pages of one column must find the rows in the others.
    std::size_t from = 0;
    for (std::size_t i = 0; i < indexes_.size(); ++i) {
      Indexes& of = indexes_[i];
      if (of.offset_bytes != 0) {
        out.append(offset_indexes_.data() + from, of.offset_bytes);
        from += of.offset_bytes;
      } else {
        format::OffsetIndex one;
        one.page_locations.push_back(location_of(of.page_at, of.page_bytes, 0));
        of.offset_bytes = writer.put(one, out);
      }
    }
  }

  // FileMetaData, a row group at a time.
  const auto put_group = [&](std::size_t group, std::uint8_t* bytes, Protocol& protocol) {
    const std::uint32_t size = row_group_bytes_[group];
    if (!indexed) return protocol.getTransport()->write(bytes, size);
    format::RowGroup columns;
    Protocol reader(std::make_shared<TMemoryBuffer>(bytes, size, TMemoryBuffer::OBSERVE));
    columns.read(&reader);
    const Indexes* of = indexes_.data() + group * schema_->leaves.size();
    for (format::ColumnChunk& chunk : columns.columns) {
      if (of->column_bytes != 0) {
        chunk.__set_column_index_offset(static_cast<std::int64_t>(column_at));
        chunk.__set_column_index_length(static_cast<std::int32_t>(of->column_bytes));
      }
      chunk.__set_offset_index_offset(static_cast<std::int64_t>(offset_at));
      chunk.__set_offset_index_length(static_cast<std::int32_t>(of->offset_bytes));
      column_at += of->column_bytes, offset_at += of->offset_bytes;
      ++of;
    }
    columns.write(&protocol);
  };
  const auto put_metadata = [&](Protocol& protocol) {
    const auto list = [&](const char* name, std::int16_t id, std::size_t n, const auto& element) {
      protocol.writeFieldBegin(name, T_LIST, id);
      protocol.writeListBegin(T_STRUCT, static_cast<std::uint32_t>(n));
      for (std::size_t i = 0; i < n; ++i) element(i);
      protocol.writeListEnd();
      protocol.writeFieldEnd();
    };
    format::ColumnOrder order;
    order.__set_TYPE_ORDER({});
    std::uint8_t* bytes = row_groups_.data();
    protocol.writeStructBegin("FileMetaData");
    protocol.writeFieldBegin("version", T_I32, 1);
    protocol.writeI32(2);
    protocol.writeFieldEnd();
    list("schema", 2, schema_->elements.size(), [&](std::size_t i) { element_of(schema_->elements[i]).write(&protocol); });
    protocol.writeFieldBegin("num_rows", T_I64, 3);
    protocol.writeI64(rows_);
    protocol.writeFieldEnd();
    list("row_groups", 4, row_group_bytes_.size(), [&](std::size_t i) {
      put_group(i, bytes, protocol);
      bytes += row_group_bytes_[i];
    });
    protocol.writeFieldBegin("created_by", T_STRING, 6);
    protocol.writeString(std::string(kCreatedBy));
    protocol.writeFieldEnd();
    list("column_orders", 7, schema_->leaves.size(), [&](std::size_t) { order.write(&protocol); });
    protocol.writeFieldStop();
    protocol.writeStructEnd();
  };
  const std::uint32_t size = writer.put_by(put_metadata, out);
  std::memcpy(out.extend(4), &size, 4);
  std::memcpy(out.extend(4), "PAR1", 4);
}

}  // namespace lm::sink::parquet
