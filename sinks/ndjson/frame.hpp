// zstd frames of text whose repeats are known: whoever made the text says what it copied from where (Recipe), so that nothing is searched and
// only the coding of literals, lengths and distances is left to do. The frames are plain zstd (RFC 8878) with size and checksum.
//
//   FrameWriter writer;
//   if (!writer.write(text, recipe, out)) ...   // not for this text: compress it some other way
//
// How it is fast: the statistics of a whole frame make one Huffman table and three FSE tables, which its first block carries and the others
// use again. So a table is made once a frame, and a block is a walk over its sequences.
#pragma once

#include "common/json_writer.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace lm::sink {

// Belongs to one thread at a time.
class FrameWriter {
 public:
  static constexpr std::size_t kMaxText = std::size_t{1} << 25;

  // Puts the frame into `out`, in place of what is there. False if the frame would not be much smaller than the text, if what is not copied
  // holds bytes that are not ASCII, if the text is longer than kMaxText, or if the recipe does not cover the text: `out` is of no use then.
  bool write(std::string_view text, const Recipe& recipe, TextBuffer& out);

 private:
  // The codes, and the bits that say where within them the values are: of literals, length and offset, the first in the lowest.
  struct Sequence {
    std::uint64_t extra;
    std::uint8_t literals, match, offset, n_extra;
  };
  struct Block {
    std::size_t text = 0, literals = 0, sequences = 0;  // how much of each
  };
  struct Cut;
  struct HuffmanCode {
    std::uint32_t bits = 0, length = 0;
  };
  // How symbols of one kind are coded, and the table's own description.
  struct FseTable {
    struct Symbol {
      std::int32_t find = 0;
      std::uint32_t bits = 0;
    };
    std::uint32_t log = 0;  // 0: there is one symbol
    std::array<Symbol, 64> symbols{};
    std::array<std::uint16_t, 512> states{};
    std::array<std::uint8_t, 160> description{};
    std::size_t description_size = 0;

    void make(const std::uint32_t* counts, std::size_t n, std::uint32_t max_log);
    std::uint32_t first(std::uint8_t symbol) const;
  };

  bool cut(std::size_t text_size, const Recipe& recipe);
  bool make_huffman(std::string_view literals);
  char* write_block(char* out, const Block& block, const char* literals, const Sequence* sequences, bool last);
  char* write_literals(char* out, const char* literals, std::size_t n);
  char* write_sequences(char* out, const Sequence* sequences, std::size_t n);
  char* huffman_stream(char* out, const char* begin, const char* end) const;

  std::vector<Sequence> sequences_;  // the first n_sequences_
  std::size_t n_sequences_ = 0;
  std::vector<Block> blocks_;
  std::array<HuffmanCode, 128> codes_{};
  std::array<std::uint8_t, 72> weights_{};
  std::size_t weights_size_ = 0;
  bool huffman_ = false, huffman_sent_ = false, tables_sent_ = false;
  FseTable literals_table_, match_table_, offset_table_;
};

}  // namespace lm::sink
