// Framing: whatever the bytes are and however they come, records and rejects count without gaps, lie where they say, and are the same. The first bytes say
// which framing and in what pieces.
#include "frame/frame.hpp"
#include "unit/feed.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

struct Piece {
  std::uint64_t record, offset, length;
  std::uint32_t code;
  std::string prologue;
  bool operator==(const Piece&) const = default;
};

std::vector<Piece> frame(const lm::FrameSpec& spec, const lm::FrameLimits& limits, std::string_view input, std::size_t chunk,
                         std::string_view torn) {
  auto framer = lm::make_framer(spec, limits);
  std::vector<Piece> out;
  std::uint64_t delivered = 0;
  const auto drain = [&] {
    while (auto block = framer->next()) {
      if (block->records.empty()) std::abort();
      for (std::size_t i = 0; i < block->records.size(); ++i) {
        const lm_record r = block->records[i];
        if (r.length == 0 || r.offset + std::size_t{r.length} > block->data.size()) std::abort();
        const std::uint64_t offset = block->offset + r.offset;
        if (offset + r.length > input.size() || std::memcmp(block->data.bytes() + r.offset, input.data() + offset, r.length) != 0)
          std::abort();
        out.push_back({block->first_record + i, offset, r.length, 0, block->prologue ? *block->prologue : ""});
        ++delivered;
      }
    }
    for (const lm::FrameReject& r : framer->take_rejects()) {
      if (r.offset + r.length > input.size() || r.bytes.size() > limits.max_record) std::abort();
      if (input.compare(r.offset, r.bytes.size(), r.bytes) != 0) std::abort();
      out.push_back({r.record, r.offset, r.length, r.code, ""});
    }
  };
  lm::testing::feed(*framer, input, chunk, drain, torn);
  if (framer->records() != delivered) std::abort();
  std::sort(out.begin(), out.end(), [](const Piece& a, const Piece& b) { return a.record < b.record; });
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i].record != i) std::abort();
    if (i != 0 && out[i].offset < out[i - 1].offset + out[i - 1].length) std::abort();
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  lm::FrameSpec spec;
  spec.framing = data[0] & 1 ? LM_FRAMING_LINES : LM_FRAMING_JSON;
  if (data[0] & 2) spec.envelope = "Records";
  spec.is_prologue = [](std::string_view line) { return line.starts_with('#'); };
  const std::string_view torn = data[0] & 4 ? "torn" : "";
  const std::size_t chunk = 1 + data[1] % 100;
  const auto whole = frame(spec, {1 << 20, 16 << 20}, input, input.size() + 1, torn);
  if (frame(spec, {1 + std::size_t{data[1]} * 5, 16 << 20}, input, chunk, torn) != whole) std::abort();
  // Lines are the same under any limit; where a JSON record is too long, what is seen of it so far decides how it is read.
  const lm::FrameLimits narrow{64, 1 + std::size_t{data[0]}};
  const auto cut = frame(spec, narrow, input, chunk, torn);
  if (spec.framing == LM_FRAMING_LINES && cut != frame(spec, narrow, input, input.size() + 1, torn)) std::abort();
  return 0;
}
