#include "parquet/codec.hpp"

#include <lz4.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>

namespace lm::sink::parquet {
namespace {

char* chars(std::uint8_t* bytes) { return reinterpret_cast<char*>(bytes); }
const char* chars(const std::uint8_t* bytes) { return reinterpret_cast<const char*>(bytes); }

void lz4(const std::uint8_t* from, std::size_t n, Bytes& out) {
  // Pages are below 2 GiB; LZ4 takes 16 MiB less than that.
  if (n > LZ4_MAX_INPUT_SIZE) throw std::runtime_error("lz4: a page of " + std::to_string(n) + " bytes is too large");
  const int room = LZ4_compressBound(static_cast<int>(n));
  std::uint8_t* to = out.extend(static_cast<std::size_t>(room));
  const int written = LZ4_compress_default(chars(from), chars(to), static_cast<int>(n), room);
  if (written <= 0) throw std::runtime_error("lz4: a page could not be compressed");
  out.cut(static_cast<std::size_t>(written));
}

void snappy_raw(const std::uint8_t* from, std::size_t n, Bytes& out) {
  std::size_t written = 0;
  snappy::RawCompress(chars(from), n, chars(out.extend(snappy::MaxCompressedLength(n))), &written);
  out.cut(written);
}

}  // namespace

void Compressor::Free::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }
void Compressor::Free::operator()(z_stream_s* stream) const {
  deflateEnd(stream);
  delete stream;
}

void Compressor::run(Codec codec, int level, const std::uint8_t* from, std::size_t n, Bytes& out) {
  out.clear();
  switch (codec) {
    case Codec::none: return;
    case Codec::snappy: return snappy_raw(from, n, out);
    case Codec::gzip: return gzip(from, n, out);
    case Codec::zstd: return zstd(level, from, n, out);
    case Codec::lz4_raw: return lz4(from, n, out);
  }
}

void Compressor::zstd(int level, const std::uint8_t* from, std::size_t n, Bytes& out) {
  if (!zstd_) {
    zstd_.reset(ZSTD_createCCtx());
    if (!zstd_) throw std::bad_alloc();
  }
  if (level_ != level) {
    ZSTD_CCtx_setParameter(zstd_.get(), ZSTD_c_compressionLevel, level);
    level_ = level;
  }
  const std::size_t room = ZSTD_compressBound(n);
  const std::size_t written = ZSTD_compress2(zstd_.get(), out.extend(room), room, from, n);
  if (ZSTD_isError(written)) throw std::runtime_error(std::string("zstd: ") + ZSTD_getErrorName(written));
  out.cut(written);
}

void Compressor::gzip(const std::uint8_t* from, std::size_t n, Bytes& out) {
  constexpr int kGzip = 15 + 16;  // the largest window, and gzip's header and trailer, which the format asks for
  if (!gzip_) {
    auto fresh = std::make_unique<z_stream>();
    if (deflateInit2(fresh.get(), Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
    gzip_.reset(fresh.release());
  }
  z_stream& stream = *gzip_;
  if (deflateReset(&stream) != Z_OK) throw std::runtime_error("gzip: cannot begin a member");
  const std::size_t room = deflateBound(&stream, n);
  if (room > std::numeric_limits<uInt>::max()) throw std::runtime_error("gzip: a page of " + std::to_string(n) + " bytes is too large");
  stream.next_in = const_cast<Bytef*>(from);
  stream.avail_in = static_cast<uInt>(n);
  stream.next_out = out.extend(room);
  stream.avail_out = static_cast<uInt>(room);
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) throw std::runtime_error("gzip: the member did not end");
  out.cut(room - stream.avail_out);
}

}  // namespace lm::sink::parquet
