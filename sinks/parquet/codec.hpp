// Compression of pages, by any of Parquet's codecs that readers still want.
#pragma once

#include "parquet/encode.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>

struct ZSTD_CCtx_s;
struct z_stream_s;

namespace lm::sink::parquet {

// Numbers as the format has them.
enum class Codec : std::uint8_t { none = 0, snappy = 1, gzip = 2, zstd = 6, lz4_raw = 7 };

// Contexts that are kept for the next page. Belongs to one thread at a time.
class Compressor {
 public:
  // Replaces what is in `out`. The level is zstd's. Not for Codec::none. Throws std::bad_alloc and std::runtime_error.
  void run(Codec codec, int level, const std::uint8_t* from, std::size_t n, Bytes& out);

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
    void operator()(z_stream_s* stream) const;
  };
  void zstd(int level, const std::uint8_t* from, std::size_t n, Bytes& out);
  void gzip(const std::uint8_t* from, std::size_t n, Bytes& out);

  std::unique_ptr<ZSTD_CCtx_s, Free> zstd_;
  int level_ = 0;
  std::unique_ptr<z_stream_s, Free> gzip_;
};

}  // namespace lm::sink::parquet
