#include "decode/codec.hpp"

#include <fmt/format.h>
#include <lzma.h>

namespace lm {
namespace {

constexpr std::uint64_t kMostMemory = std::uint64_t{256} << 20;  // xz -9 needs 65 MiB

class Xz final : public Codec {
 public:
  Xz() { start(); }
  ~Xz() override { lzma_end(&stream_); }
  void reset() override {
    lzma_end(&stream_);
    start();
  }
  Step step(std::span<const std::byte> in, std::span<std::byte> out) override {
    stream_.next_in = reinterpret_cast<const std::uint8_t*>(in.data());
    stream_.avail_in = in.size();
    stream_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    stream_.avail_out = out.size();
    const lzma_ret code = lzma_code(&stream_, LZMA_RUN);
    const std::size_t consumed = in.size() - stream_.avail_in, produced = out.size() - stream_.avail_out;
    if (code == LZMA_MEMLIMIT_ERROR) return broken(Errc::limit, fmt::format("xz: needs more than {} bytes of memory", kMostMemory));
    if (code != LZMA_OK && code != LZMA_STREAM_END && code != LZMA_BUF_ERROR)
      return broken(Errc::corrupt, fmt::format("xz: the compressed data is broken (code {})", static_cast<int>(code)), consumed, produced);
    return {consumed, produced, code == LZMA_STREAM_END, {}};
  }

 private:
  void start() {
    stream_ = LZMA_STREAM_INIT;
    if (lzma_stream_decoder(&stream_, kMostMemory, 0) != LZMA_OK) throw std::bad_alloc();
  }
  lzma_stream stream_ = LZMA_STREAM_INIT;
};

}  // namespace

std::unique_ptr<Codec> make_xz() { return std::make_unique<Xz>(); }

}  // namespace lm
