// Decoding: whatever the bytes are and however they are fed, the decoder ends, and gives the same. The first byte says in what pieces.
#include "decode/decode.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

namespace {

struct Outcome {
  std::string text;
  std::optional<lm::Errc> error;
  bool operator==(const Outcome&) const = default;
};

Outcome decode(std::span<const std::byte> stored, std::size_t chunk, std::size_t out_size) {
  lm::DecodeLimits limits;
  limits.max_decoded = 1 << 20;
  auto decoder = lm::make_object_decoder(limits);
  std::vector<std::byte> out(out_size);
  Outcome outcome;
  bool ended = false;
  for (;;) {
    auto pulled = decoder->pull(out);
    if (!pulled) {
      outcome.error = pulled.error().code;
      break;
    }
    if (pulled->produced > out.size()) std::abort();
    outcome.text.append(reinterpret_cast<const char*>(out.data()), pulled->produced);
    if (pulled->state == lm::Pull::end) break;
    if (pulled->state == lm::Pull::more) {
      if (pulled->produced == 0) std::abort();  // no progress
      continue;
    }
    if (stored.empty()) {
      if (ended && pulled->produced == 0) std::abort();  // asks for more than there is
      decoder->end_of_input();
      ended = true;
      continue;
    }
    const std::size_t n = std::min(chunk, stored.size());
    // A copy of its own size, which is gone once the decoder asks for more: a late or long read shows.
    static std::vector<std::byte> piece;
    piece = std::vector<std::byte>(stored.begin(), stored.begin() + static_cast<std::ptrdiff_t>(n));
    decoder->feed(piece);
    stored = stored.subspan(n);
  }
  if (decoder->decoded_bytes() != outcome.text.size()) std::abort();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::byte> stored(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  const Outcome whole = decode(stored, stored.size() + 1, 1 << 16);
  const Outcome pieces = decode(stored, 1 + data[0] % 16, 1 + data[0] / 16 * 97u);
  if (whole.error.has_value() != pieces.error.has_value()) std::abort();
  if (!whole.error && whole.text != pieces.text) std::abort();
  // In damaged data codecs may see the damage earlier or later, depending on what they were given at once; what they gave before it agrees.
  const std::size_t common = std::min(whole.text.size(), pieces.text.size());
  if (whole.text.compare(0, common, pieces.text, 0, common) != 0) std::abort();
  return 0;
}
