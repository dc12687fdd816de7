#include "decode/codec.hpp"

#include <fmt/format.h>
#include <zstd.h>
#include <zstd_errors.h>

namespace lm {
namespace {

constexpr int kMostWindowLog = 27;  // 128 MiB: what zstd's own program accepts without being told more

class Zstd final : public Codec {
 public:
  Zstd() : context_(ZSTD_createDCtx()) {
    if (!context_) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kMostWindowLog);
  }
  ~Zstd() override { ZSTD_freeDCtx(context_); }
  void reset() override { ZSTD_DCtx_reset(context_, ZSTD_reset_session_only); }
  Result<Step> step(std::span<const std::byte> in, std::span<std::byte> out) override {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const std::size_t code = ZSTD_decompressStream(context_, &to, &from);
    if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge) {
      return fail(Errc::limit, fmt::format("zstd: the frame needs a window of more than {} bytes", std::uint64_t{1} << kMostWindowLog));
    }
    if (ZSTD_isError(code)) return fail(Errc::corrupt, fmt::format("zstd: {}", ZSTD_getErrorName(code)));
    return Step{from.pos, to.pos, code == 0};
  }

 private:
  ZSTD_DCtx* context_;
};

}  // namespace

std::unique_ptr<Codec> make_zstd() { return std::make_unique<Zstd>(); }

}  // namespace lm
