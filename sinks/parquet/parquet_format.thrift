// The metadata of a Parquet file, as far as this writer fills it, in our own words. Field ids, types and enum numbers are the format's
// (Apache Parquet, "File Format", parquet-format 2.10); what is left out here is optional there.
namespace cpp lm.sink.parquet.format

// How values are stored, before any meaning.
enum Type {
  BOOLEAN = 0
  INT32 = 1
  INT64 = 2
  DOUBLE = 5
  BYTE_ARRAY = 6
}

// The meaning as readers from before logical types know it.
enum ConvertedType {
  UTF8 = 0
  LIST = 3
  TIMESTAMP_MILLIS = 9
  INT_32 = 17
  INT_64 = 18
  JSON = 19
}

enum FieldRepetitionType {
  REQUIRED = 0
  OPTIONAL = 1
  REPEATED = 2
}

enum Encoding {
  PLAIN = 0
  RLE = 3
  DELTA_BINARY_PACKED = 5
  DELTA_LENGTH_BYTE_ARRAY = 6
  DELTA_BYTE_ARRAY = 7
  RLE_DICTIONARY = 8
  BYTE_STREAM_SPLIT = 9
}

enum CompressionCodec {
  UNCOMPRESSED = 0
  SNAPPY = 1
  GZIP = 2
  ZSTD = 6
  LZ4_RAW = 7
}

enum PageType {
  DATA_PAGE = 0
  DICTIONARY_PAGE = 2
  DATA_PAGE_V2 = 3
}

// Markers without content: which one is set is all they say.
struct StringType {}
struct ListType {}
struct JsonType {}
struct MilliSeconds {}

union TimeUnit {
  1: MilliSeconds MILLIS
}

struct TimestampType {
  1: required bool isAdjustedToUTC
  2: required TimeUnit unit
}

struct IntType {
  1: required i8 bitWidth
  2: required bool isSigned
}

union LogicalType {
  1: StringType STRING
  3: ListType LIST
  8: TimestampType TIMESTAMP
  10: IntType INTEGER
  12: JsonType JSON
}

// One node of the schema tree, which is stored depth first.
struct SchemaElement {
  1: optional Type type                          // leaves only
  3: optional FieldRepetitionType repetition_type // all but the root
  4: required string name
  5: optional i32 num_children                   // inner nodes only
  6: optional ConvertedType converted_type
  10: optional LogicalType logicalType
}

// The bounds are in the column's plain encoding, without a length in front.
struct Statistics {
  3: optional i64 null_count
  5: optional binary max_value
  6: optional binary min_value
  7: optional bool is_max_value_exact
  8: optional bool is_min_value_exact
}

struct DictionaryPageHeader {
  1: required i32 num_values
  2: required Encoding encoding
  3: optional bool is_sorted
}

// The levels lie in front of the values, uncompressed.
struct DataPageHeaderV2 {
  1: required i32 num_values // nulls included
  2: required i32 num_nulls
  3: required i32 num_rows
  4: required Encoding encoding
  5: required i32 definition_levels_byte_length
  6: required i32 repetition_levels_byte_length
  7: optional bool is_compressed = true
  8: optional Statistics statistics
}

struct PageHeader {
  1: required PageType type
  2: required i32 uncompressed_page_size
  3: required i32 compressed_page_size
  4: optional i32 crc // of the page as stored, without this header
  7: optional DictionaryPageHeader dictionary_page_header
  8: optional DataPageHeaderV2 data_page_header_v2
}

struct SortingColumn {
  1: required i32 column_idx
  2: required bool descending
  3: required bool nulls_first
}

struct PageEncodingStats {
  1: required PageType page_type
  2: required Encoding encoding
  3: required i32 count
}

struct SplitBlockAlgorithm {}
union BloomFilterAlgorithm {
  1: SplitBlockAlgorithm BLOCK
}

struct XxHash {}
union BloomFilterHash {
  1: XxHash XXHASH
}

struct Uncompressed {}
union BloomFilterCompression {
  1: Uncompressed UNCOMPRESSED
}

// Stands in front of a filter's bits.
struct BloomFilterHeader {
  1: required i32 numBytes
  2: required BloomFilterAlgorithm algorithm
  3: required BloomFilterHash hash
  4: required BloomFilterCompression compression
}

struct PageLocation {
  1: required i64 offset // in the file, of the page's header
  2: required i32 compressed_page_size // its header included
  3: required i64 first_row_index // in the row group
}

// The data pages of a chunk, in order.
struct OffsetIndex {
  1: required list<PageLocation> page_locations
}

// Of the bounds of pages; those without values do not count.
enum BoundaryOrder {
  UNORDERED = 0
  ASCENDING = 1
  DESCENDING = 2
}

// An entry a data page. Bounds are plain-encoded and need be no values of the page; those of a page without values are empty.
struct ColumnIndex {
  1: required list<bool> null_pages
  2: required list<binary> min_values
  3: required list<binary> max_values
  4: required BoundaryOrder boundary_order
  5: optional list<i64> null_counts
}

struct ColumnMetaData {
  1: required Type type
  2: required list<Encoding> encodings
  3: required list<string> path_in_schema
  4: required CompressionCodec codec
  5: required i64 num_values
  6: required i64 total_uncompressed_size // page headers included
  7: required i64 total_compressed_size
  9: required i64 data_page_offset
  11: optional i64 dictionary_page_offset
  12: optional Statistics statistics
  13: optional list<PageEncodingStats> encoding_stats
  14: optional i64 bloom_filter_offset
  15: optional i32 bloom_filter_length // its header included
}

struct ColumnChunk {
  2: required i64 file_offset = 0
  3: optional ColumnMetaData meta_data
  4: optional i64 offset_index_offset
  5: optional i32 offset_index_length
  6: optional i64 column_index_offset
  7: optional i32 column_index_length
}

struct RowGroup {
  1: required list<ColumnChunk> columns
  2: required i64 total_byte_size
  3: required i64 num_rows
  4: optional list<SortingColumn> sorting_columns
  5: optional i64 file_offset
  6: optional i64 total_compressed_size
}

struct TypeDefinedOrder {}

union ColumnOrder {
  1: TypeDefinedOrder TYPE_ORDER
}

struct KeyValue {
  1: required string key
  2: optional string value
}

struct FileMetaData {
  1: required i32 version
  2: required list<SchemaElement> schema
  3: required i64 num_rows
  4: required list<RowGroup> row_groups
  5: optional list<KeyValue> key_value_metadata
  6: optional string created_by
  7: optional list<ColumnOrder> column_orders
}
