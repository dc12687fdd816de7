#include "decode/codec.hpp"

#include <bzlib.h>
#include <fmt/format.h>

namespace lm {
namespace {

class Bzip2 final : public Codec {
 public:
  Bzip2() { start(); }
  ~Bzip2() override { BZ2_bzDecompressEnd(&stream_); }
  void reset() override {
    BZ2_bzDecompressEnd(&stream_);
    start();
  }
  Step step(std::span<const std::byte> in, std::span<std::byte> out) override {
    const unsigned in_size = clamp32(in.size()), out_size = clamp32(out.size());
    stream_.next_in = reinterpret_cast<char*>(const_cast<std::byte*>(in.data()));
    stream_.avail_in = in_size;
    stream_.next_out = reinterpret_cast<char*>(out.data());
    stream_.avail_out = out_size;
    const int code = BZ2_bzDecompress(&stream_);
    const std::size_t consumed = in_size - stream_.avail_in, produced = out_size - stream_.avail_out;
    if (code != BZ_OK && code != BZ_STREAM_END)
      return broken(Errc::corrupt, fmt::format("bzip2: the compressed data is broken (code {})", code), consumed, produced);
    return {consumed, produced, code == BZ_STREAM_END, {}};
  }

 private:
  void start() {
    stream_ = {};
    if (BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK) throw std::bad_alloc();
  }
  bz_stream stream_{};
};

}  // namespace

std::unique_ptr<Codec> make_bzip2() { return std::make_unique<Bzip2>(); }

}  // namespace lm
