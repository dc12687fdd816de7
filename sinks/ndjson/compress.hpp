// Compression of chunks that are whole by themselves: each becomes a zstd frame or a gzip member of its own, and any number of them in a
// row is a file of that format. So threads compress without waiting for each other.
//
// zstd at level 0 is the fast way: where rows are much like the rows before them, frames are made from their recipe (frame.hpp); where they are
// not, they are compressed at level 1. Which of the two it is, is found by doing both with one chunk in many.
#pragma once

#include "common/error.hpp"
#include "common/json_writer.hpp"
#include "ndjson/frame.hpp"

#include <cstdint>
#include <memory>
#include <string_view>

struct ZSTD_CCtx_s;
struct z_stream_s;

namespace lm::sink {

enum class Compression { none, gzip, zstd };

// Whether chunks of one kind are made from recipes.
class RowChoice {
 public:
  // Both are done with one chunk in so many; where it was in vain more and more seldom.
  static constexpr std::uint32_t kProbe = 64, kSeldom = 1024;
  // A frame from a recipe may be so much larger than one of level 1.
  static constexpr double kLarger = 1.4;

  // Whether the next chunk is to come with a recipe.
  bool wants_recipe() const { return rows_ || left_ == 0; }

 private:
  friend class Compressor;
  bool rows_ = false;
  std::uint32_t left_ = 0, interval_ = kProbe;  // chunks until both are tried again
};

// Belongs to one thread at a time.
class Compressor {
 public:
  Compressor(Compression compression, int level) : compression_(compression), level_(level) {}
  // The compressed chunk, valid until the next call; without compression it is `chunk` itself.
  Result<std::string_view> run(std::string_view chunk);
  // The same, at level 0; `choice` is of the chunks that this one is like.
  Result<std::string_view> run(std::string_view chunk, const Recipe& recipe, RowChoice& choice);

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
    void operator()(z_stream_s* stream) const;
  };
  Result<std::string_view> run_zstd(std::string_view chunk);
  Result<std::string_view> run_gzip(std::string_view chunk);

  Compression compression_;
  int level_;
  std::unique_ptr<ZSTD_CCtx_s, Free> zstd_;
  std::unique_ptr<z_stream_s, Free> gzip_;
  TextBuffer out_, frame_;
  FrameWriter frame_writer_;
};

}  // namespace lm::sink
