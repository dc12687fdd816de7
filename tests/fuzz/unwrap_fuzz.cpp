// Wrappings: whatever the bytes are, what comes out of them lies within them.
#include "unit/feed.hpp"
#include "unwrap/unwrap.hpp"

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void check(const lm::Unwrapped& out, std::size_t size) {
  for (const auto& r : out.records) {
    require(r.context < out.contexts.size(), "a context that there is not");
    require(r.offset + r.length <= out.bytes.size(), "a record beyond what was unwrapped");
    require(r.place.offset <= size && r.place.length <= size - r.place.offset, "a place outside the object");
  }
  for (const auto& r : out.rejects) require(r.offset <= size && r.length <= size - r.offset, "a reject outside the object");
}

// Wrappings within, as a run opens them.
void open(const lm::Unwrapped& from, std::size_t size, int depth) {
  check(from, size);
  if (depth == 4) return;
  for (std::uint32_t i = 0; i < from.records.size(); ++i) {
    lm::Unwrapped again;
    again.below = &from;
    const auto inner = lm::Wrapping::recognise(from.text(from.records[i]));
    if (inner && inner->framing().framing == LM_FRAMING_JSON) inner->unwrap_again(from, i, again);
    open(again, size, depth + 1);
    lm::Unwrapped elements;
    elements.below = &from;
    lm::open_envelope(from, i, "Records", elements);
    check(elements, size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto wrapping = lm::Wrapping::recognise(text);
  if (!wrapping) return 0;
  lm::FrameLimits limits;
  limits.block_size = std::size_t{data[0]} * 16 + 1;
  const auto framer = lm::make_framer(wrapping->framing(), limits);
  const auto take = [&] {
    while (const auto block = framer->next()) {
      lm::Unwrapped out;
      wrapping->unwrap(*block, out);
      open(out, text.size(), 0);
    }
  };
  lm::testing::feed(*framer, text, text.size(), take);
  for (const auto& reject : framer->take_rejects()) {
    lm::Unwrapped whole;
    wrapping->unwrap_cut(reject, whole);
    open(whole, text.size(), 0);
  }
  lm::Unwrapped last;
  wrapping->finish(last);
  open(last, text.size(), 0);
  return 0;
}
