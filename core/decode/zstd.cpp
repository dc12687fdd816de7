#include "decode/codec.hpp"

#include <fmt/format.h>
#include <zstd.h>
#include <zstd_errors.h>
#include <algorithm>

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
  void reset() override {
    ZSTD_DCtx_reset(context_, ZSTD_reset_session_only);
    wanted_ = kFirst, full_ = false;
  }
  // A call that fails does not tell what it produced before. Given no more than it asks for, the library comes to a checksum in a call of its own, when all that
  // the checksum is of was given out.
  Step step(std::span<const std::byte> in, std::span<std::byte> out) override {
    Step done;
    do {
      ZSTD_inBuffer from{in.data() + done.consumed, full_ ? 0 : std::min(wanted_, in.size() - done.consumed), 0};
      ZSTD_outBuffer to{out.data() + done.produced, out.size() - done.produced, 0};
      const std::size_t code = ZSTD_decompressStream(context_, &to, &from);
      if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge) {
        done.error =
            Error{Errc::limit, fmt::format("zstd: the frame needs a window of more than {} bytes", std::uint64_t{1} << kMostWindowLog)};
      } else if (ZSTD_isError(code)) {
        done.error = Error{Errc::corrupt, fmt::format("zstd: {}", ZSTD_getErrorName(code))};
        done.over = ZSTD_getErrorCode(code) == ZSTD_error_checksum_wrong;
        if (done.over) done.consumed += from.size;  // the checksum is the last of a frame
      }
      if (done.error) return done;
      done.consumed += from.pos, done.produced += to.pos;
      done.member_end = code == 0;
      wanted_ = std::max<std::size_t>(code, 1);
      if (from.pos == 0 && to.pos == 0 && !full_) break;
      full_ = to.pos == to.size;  // what is left over goes out before more is taken
    } while (!done.member_end && done.consumed < in.size() && done.produced < out.size());
    return done;
  }

 private:
  static constexpr std::size_t kFirst = 5;  // the least header of a frame
  ZSTD_DCtx* context_;
  std::size_t wanted_ = kFirst;
  bool full_ = false;  // the last call filled its output
};

}  // namespace

std::unique_ptr<Codec> make_zstd() { return std::make_unique<Zstd>(); }

}  // namespace lm
