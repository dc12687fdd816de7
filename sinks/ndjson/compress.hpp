// Compression of chunks that are whole by themselves: each becomes a zstd frame or a gzip member of its own, and any number of them in a
// row is a file of that format. So threads compress without waiting for each other.
#pragma once

#include "common/error.hpp"
#include "common/json_writer.hpp"

#include <memory>
#include <string_view>

struct ZSTD_CCtx_s;
struct z_stream_s;

namespace lm::sink {

enum class Compression { none, gzip, zstd };

// Belongs to one thread at a time.
class Compressor {
 public:
  Compressor(Compression compression, int level) : compression_(compression), level_(level) {}
  // The compressed chunk, valid until the next call; without compression it is `chunk` itself.
  Result<std::string_view> run(std::string_view chunk);

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
  TextBuffer out_;
};

}  // namespace lm::sink
