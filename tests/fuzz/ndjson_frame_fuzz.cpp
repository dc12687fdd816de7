// Frames that are made from recipes, against zstd's decoder: what was written reads back as the text, to the byte, and no recipe, however false,
// makes the writer read or write where it must not. The input is a program that makes a text and its recipe, three bytes a step.
#include "ndjson/frame.hpp"

#include <zstd.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using lm::sink::FrameWriter;
using lm::sink::Recipe;
using lm::sink::TextBuffer;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

constexpr std::size_t kMost = std::size_t{1} << 20;

void round_trip(std::string_view text, const Recipe& recipe) {
  FrameWriter writer;
  TextBuffer out;
  if (!writer.write(text, recipe, out)) return;
  require(ZSTD_getFrameContentSize(out.data(), out.size()) == text.size(), "the frame does not say how long its text is");
  std::string back(text.size(), '\0');
  const std::size_t n = ZSTD_decompress(back.data(), back.size(), out.data(), out.size());
  require(!ZSTD_isError(n), "zstd does not read the frame");
  require(n == text.size() && back == text, "the frame reads back as another text");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool honest = (data[0] & 1) == 0;
  TextBuffer text;
  Recipe recipe;
  std::size_t repeats = 0;
  for (std::size_t i = 1; i + 3 <= size && text.size() < kMost; i += 3) {
    const std::size_t a = data[i], b = data[i + 1], c = data[i + 2];
    // Literals of one letter or of a few; matches short or long, near or far, some that overlap themselves.
    std::string literals(a % 8 == 7 ? a * c * 4 : a % 32, ' ');
    for (std::size_t k = 0; k < literals.size(); ++k)
      literals[k] = static_cast<char>(' ' + (k * (b % 7) + c + a) % (a % 64 == 63 ? 200 : 90));
    text.append(literals);
    recipe.literals(text.data() + text.size() - literals.size(), literals.size());
    const std::size_t length = b % 16 == 15 ? b * c * 8 : b, distance = c % 4 == 0 ? repeats : c * c + 1 + a;
    const std::size_t at = text.size();
    if (honest && (distance == 0 || distance > at)) continue;
    for (std::size_t k = 0; k < (honest ? length : b); ++k) {
      const char letter = honest ? text.data()[text.size() - distance] : 'x';
      text.append({&letter, 1});
    }
    // A false match may be longer than the text: one that is too short is taken for literals, which must be there.
    if (honest || length >= Recipe::kShortest) recipe.match(text.data() + at, length, distance);
    repeats = distance;
  }
  if (honest) {
    round_trip(text.view(), recipe);
  } else {
    FrameWriter writer;
    TextBuffer out;
    (void)writer.write(text.view(), recipe, out);
  }
  return 0;
}
