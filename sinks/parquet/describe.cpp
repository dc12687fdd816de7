// What is in a Parquet file, from its footer: the way back from the schema elements to an Arrow schema, of the types that this sink writes. The bytes are anybody's.
#include "parquet/parquet_sink.hpp"

#include "parquet_format_types.h"

#include <logmill/sdk/columns.hpp>

#include <thrift/protocol/TCompactProtocol.h>
#include <thrift/transport/TBufferTransports.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace lm::sink::parquet {
namespace {

using apache::thrift::protocol::TCompactProtocolT;
using apache::thrift::transport::TMemoryBuffer;

constexpr std::uint32_t kMostFooter = std::uint32_t{64} << 20;
constexpr std::int32_t kMostElements = 1 << 16;  // of a list in it: columns, row groups
constexpr int kDeepest = 64;
constexpr std::size_t kTail = 8;  // the footer's length and the magic number

tl::unexpected<Error> corrupt(std::string why) { return fail(LM_INVALID, "it is no Parquet file that can be read: " + std::move(why)); }

Result<std::string> read_footer(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = file ? std::streamoff{file.tellg()} : -1;
  if (size < 0) return fail_io("read", path, errno);
  std::array<char, kTail> tail{};
  if (size < static_cast<std::streamoff>(kTail + 4)) return corrupt("it is too short");
  if (!file.seekg(size - static_cast<std::streamoff>(kTail)).read(tail.data(), tail.size())) return fail_io("read", path, errno);
  if (std::string_view(tail.data() + 4, 4) != "PAR1") return corrupt("it does not end in PAR1");
  std::uint32_t length = 0;
  std::memcpy(&length, tail.data(), sizeof length);
  if (length > kMostFooter || length > size - static_cast<std::streamoff>(kTail)) return corrupt("its footer is longer than it can be");
  std::string footer(length, '\0');
  if (!file.seekg(size - static_cast<std::streamoff>(kTail) - static_cast<std::streamoff>(length)).read(footer.data(), length))
    return fail_io("read", path, errno);
  return footer;
}

// Arrow schemas of the elements, which stand depth first.
class Columns {
 public:
  explicit Columns(const std::vector<format::SchemaElement>& elements) : elements_(elements) {}

  Result<void> root(ArrowSchema& out) {
    if (elements_.empty()) return corrupt("it has no schema");
    auto children = group(elements_[at_++].num_children, 0);
    if (!children) return tl::make_unexpected(children.error());
    if (at_ != elements_.size()) {
      release(*children);
      return corrupt("its schema does not add up");
    }
    lm::detail::SchemaOwner::make(&out, "+s", "", std::move(*children));
    return {};
  }

 private:
  using Children = std::vector<ArrowSchema>;

  static void release(Children& children) {
    for (ArrowSchema& child : children) child.release(&child);
  }

  Result<Children> group(std::int32_t count, int depth) {
    Children out;
    Result<void> ok;
    if (count < 1 || depth > kDeepest) ok = corrupt("its schema cannot be");
    for (std::int32_t i = 0; ok && i < count; ++i) {
      ArrowSchema child{};
      ok = node(child, depth + 1);
      if (ok) out.push_back(child);
    }
    if (ok) return out;
    release(out);
    return tl::make_unexpected(ok.error());
  }

  const format::SchemaElement* next() { return at_ < elements_.size() ? &elements_[at_++] : nullptr; }

  Result<void> node(ArrowSchema& out, int depth) {
    const format::SchemaElement* element = next();
    if (!element) return corrupt("its schema ends too soon");
    const std::string& name = element->name;
    if (element->__isset.repetition_type && is(element->repetition_type, format::FieldRepetitionType::REPEATED)) return unknown(name);
    if (!element->__isset.num_children || element->num_children == 0) return leaf(*element, out);
    const bool list = element->__isset.converted_type && is(element->converted_type, format::ConvertedType::LIST);
    if (list) {
      const format::SchemaElement* repeated = next();
      if (element->num_children != 1 || !repeated || repeated->num_children != 1) return unknown(name);
    }
    auto children = group(list ? 1 : element->num_children, depth);
    if (!children) return tl::make_unexpected(children.error());
    lm::detail::SchemaOwner::make(&out, list ? "+l" : "+s", name, std::move(*children));
    return {};
  }

  static Result<void> leaf(const format::SchemaElement& element, ArrowSchema& out) {
    const format::LogicalType& logical = element.logicalType;
    const bool annotated = element.__isset.logicalType;
    const bool time = element.__isset.converted_type && is(element.converted_type, format::ConvertedType::TIMESTAMP_MILLIS);
    const char* type = nullptr;
    if (!element.__isset.type) return unknown(element.name);
    switch (number(element.type)) {
      case format::Type::BOOLEAN: type = "b"; break;
      case format::Type::INT32: type = "i"; break;
      case format::Type::INT64: type = time ? "tsm:UTC" : annotated && logical.__isset.TIMESTAMP ? nullptr : "l"; break;
      case format::Type::DOUBLE: type = "g"; break;
      case format::Type::BYTE_ARRAY: type = "u"; break;
      default: break;
    }
    if (!type) return unknown(element.name);
    const bool json = annotated && logical.__isset.JSON;
    lm::detail::SchemaOwner::make(
        &out, type, element.name, {}, false,
        json ? lm::detail::SchemaOwner::encode_metadata({{"ARROW:extension:name", "arrow.json"}}) : std::string());
    return {};
  }

  // Thrift reads any number into an enumeration; one that names none may not be loaded as such.
  template <class Enum>
  static std::int32_t number(const Enum& value) {
    static_assert(sizeof(Enum) == sizeof(std::int32_t));
    std::int32_t out;
    std::memcpy(&out, &value, sizeof out);
    return out;
  }
  template <class Enum>
  static bool is(const Enum& value, Enum wanted) {
    return number(value) == static_cast<std::int32_t>(wanted);
  }

  static tl::unexpected<Error> unknown(const std::string& name) {
    return fail(LM_UNSUPPORTED, "the column '" + name + "' has a type that this sink does not write");
  }

  const std::vector<format::SchemaElement>& elements_;
  std::size_t at_ = 0;
};

}  // namespace

Result<void> ParquetSink::describe(std::string_view path, lm_file_info& out) {
  auto footer = read_footer(std::string(path));
  if (!footer) return tl::make_unexpected(footer.error());
  format::FileMetaData meta;
  try {
    auto* const data = reinterpret_cast<std::uint8_t*>(footer->data());  // Thrift's observing buffer does not write
    auto buffer = std::make_shared<TMemoryBuffer>(data, static_cast<std::uint32_t>(footer->size()), TMemoryBuffer::OBSERVE);
    TCompactProtocolT<TMemoryBuffer> protocol(buffer, static_cast<std::int32_t>(kMostFooter), kMostElements);
    meta.read(&protocol);
  } catch (const apache::thrift::TException& e) {
    return corrupt(e.what());
  }
  if (meta.num_rows < 0) return corrupt("it has less than no rows");
  if (auto ok = Columns(meta.schema).root(out.schema); !ok) return ok;
  out.rows = static_cast<std::uint64_t>(meta.num_rows);
  return {};
}

}  // namespace lm::sink::parquet
