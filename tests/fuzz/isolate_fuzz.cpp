// What a worker may answer, whoever has taken it over: what a library says of itself, or a schema and batches of it. It is refused, or every value of it can be read.
// The first two bytes say how long the schema is, 0 that there is none.
#include "isolate/transfer.hpp"
#include "plugin_host/validate.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace {

std::uint64_t sum = 0;

void look_at(const ArrowSchema& schema, const ArrowArray& a) {
  const std::string_view format = schema.format;
  const auto rows = static_cast<std::size_t>(a.length);
  const auto* const valid = static_cast<const std::uint8_t*>(a.buffers[0]);
  for (std::size_t i = 0; i < rows && format != "+s"; ++i) {
    if (valid && !(valid[i >> 3] >> (i & 7) & 1)) continue;
    if (format == "u") {
      const auto* const offsets = static_cast<const std::int32_t*>(a.buffers[1]);
      for (std::int32_t at = offsets[i]; at < offsets[i + 1]; ++at) sum += static_cast<const std::uint8_t*>(a.buffers[2])[at];
    } else if (format == "+l") {
      const auto* const offsets = static_cast<const std::int32_t*>(a.buffers[1]);
      if (offsets[i + 1] > a.children[0]->length) std::abort();
    } else if (format == "b") {
      sum += static_cast<const std::uint8_t*>(a.buffers[1])[i >> 3];
    } else if (format == "l" || format == "g") {
      sum += static_cast<const std::uint64_t*>(a.buffers[1])[i];
    } else if (format == "i") {
      const std::uint32_t value = static_cast<const std::uint32_t*>(a.buffers[1])[i];
      sum += value;
      if (a.dictionary && value >= static_cast<std::uint64_t>(a.dictionary->length)) std::abort();
    }
  }
  for (std::int64_t i = 0; i < a.n_children; ++i) {
    if (format == "+s" && a.children[i]->length < a.length) std::abort();
    look_at(*schema.children[i], *a.children[i]);
  }
  if (a.dictionary) look_at(*schema.dictionary, *a.dictionary);
}

void read_batches(const ArrowSchema& schema, const std::shared_ptr<const std::byte>& message, std::size_t size) {
  lm::isolate::BatchReader reader({&schema}, 1 << 20);
  for (lm::isolate::Reader in({message.get(), size}); !in.at_end();) {
    in.number();  // what it is
    auto batch = reader.read(in, message);
    if (!batch) return;
    for (std::int64_t i = 0; i < batch->array.length; ++i) sum += batch->origins[i].record;
    if (lm::validate(schema, batch->array, lm::Validation::full, true)) look_at(schema, batch->array);
    batch->array.release(&batch->array);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t length = std::min<std::size_t>(data[0] | data[1] << 8, size - 2), rest = size - 2 - length;
  // In memory of exactly its length, so that it shows who looks behind it.
  const auto copy = [](const std::uint8_t* from, std::size_t n) {
    auto* const memory = static_cast<std::byte*>(std::malloc(n));
    if (n) std::memcpy(memory, from, n);
    return std::shared_ptr<const std::byte>(memory, [](const std::byte* p) { std::free(const_cast<std::byte*>(p)); });
  };
  const auto first = copy(data + 2, length), second = copy(data + 2 + length, rest);
  if (length == 0) {
    (void)lm::isolate::read_library({second.get(), rest});
  } else if (auto schema = lm::isolate::read_schema({first.get(), length})) {
    read_batches(*schema, second, rest);
    schema->release(&*schema);
  }
  return 0;
}
