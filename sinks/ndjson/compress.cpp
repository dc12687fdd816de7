#include "ndjson/compress.hpp"

#include <zlib.h>
#include <zstd.h>
#include <algorithm>
#include <limits>
#include <memory>
#include <new>
#include <string>

namespace lm::sink {

void Compressor::Free::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }
void Compressor::Free::operator()(z_stream_s* stream) const {
  deflateEnd(stream);
  delete stream;
}

Result<std::string_view> Compressor::run(std::string_view chunk) {
  switch (compression_) {
    case Compression::none: break;
    case Compression::zstd: return run_zstd(chunk);
    case Compression::gzip: return run_gzip(chunk);
  }
  return chunk;
}

Result<std::string_view> Compressor::run(std::string_view chunk, const Recipe& recipe, RowChoice& choice) {
  const bool probe = choice.left_ == 0;
  choice.left_ = probe ? choice.interval_ - 1 : choice.left_ - 1;
  const bool made = (probe || choice.rows_) && frame_writer_.write(chunk, recipe, frame_);
  if (!probe && made) return frame_.view();
  auto searched = run(chunk);
  if (!searched) return searched;
  const auto allowed = static_cast<std::size_t>(static_cast<double>(searched->size()) * RowChoice::kLarger);
  choice.rows_ = made && frame_.size() <= allowed;
  choice.interval_ = choice.rows_ ? RowChoice::kProbe : std::min(choice.interval_ * 2, RowChoice::kSeldom);
  return choice.rows_ ? frame_.view() : searched;
}

Result<std::string_view> Compressor::run_zstd(std::string_view chunk) {
  if (!zstd_) {
    zstd_.reset(ZSTD_createCCtx());
    if (!zstd_) throw std::bad_alloc();
    ZSTD_CCtx_setParameter(zstd_.get(), ZSTD_c_compressionLevel, level_ == 0 ? 1 : level_);
    ZSTD_CCtx_setParameter(zstd_.get(), ZSTD_c_checksumFlag, 1);
  }
  out_.clear();
  out_.reserve(ZSTD_compressBound(chunk.size()));
  const std::size_t size = ZSTD_compress2(zstd_.get(), out_.data(), out_.capacity(), chunk.data(), chunk.size());
  if (ZSTD_isError(size)) return fail(LM_INTERNAL, std::string("zstd: ") + ZSTD_getErrorName(size));
  out_.set_size(size);
  return out_.view();
}

Result<std::string_view> Compressor::run_gzip(std::string_view chunk) {
  constexpr int kGzip = 15 + 16;  // the largest window, and gzip's header and trailer
  if (!gzip_) {
    auto fresh = std::make_unique<z_stream>();
    if (deflateInit2(fresh.get(), level_, Z_DEFLATED, kGzip, 9, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
    gzip_.reset(fresh.release());
  }
  z_stream& stream = *gzip_;
  if (deflateReset(&stream) != Z_OK) return fail(LM_INTERNAL, "zlib: cannot begin a gzip member");
  if (chunk.size() > std::numeric_limits<uInt>::max() / 2) return fail(LM_UNSUPPORTED, "gzip: one event is longer than 2 GiB");
  out_.clear();
  out_.reserve(deflateBound(&stream, static_cast<uLong>(chunk.size())));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(chunk.data()));
  stream.avail_in = static_cast<uInt>(chunk.size());
  stream.next_out = reinterpret_cast<Bytef*>(out_.data());
  stream.avail_out = static_cast<uInt>(out_.capacity());
  const uInt offered = stream.avail_out;
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) return fail(LM_INTERNAL, "zlib: the member did not end");
  out_.set_size(offered - stream.avail_out);
  return out_.view();
}

}  // namespace lm::sink
