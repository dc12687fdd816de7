#include "decode/codec.hpp"

#include <fmt/format.h>
#include <lz4frame.h>
#include <algorithm>
#include <string_view>

namespace lm {
namespace {

class Lz4 final : public Codec {
 public:
  Lz4() {
    if (LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION))) throw std::bad_alloc();
  }
  ~Lz4() override { LZ4F_freeDecompressionContext(context_); }
  void reset() override {
    LZ4F_resetDecompressionContext(context_);
    wanted_ = kFirst, full_ = false;
  }
  // No more than it asks for is given to the library: a call that fails does not tell what it produced before, and a checksum comes in a call of its own.
  Step step(std::span<const std::byte> in, std::span<std::byte> out) override {
    Step done;
    do {
      const std::size_t offered = full_ ? 0 : std::min(wanted_, in.size() - done.consumed);
      std::size_t produced = out.size() - done.produced, consumed = offered;
      const std::size_t code =
          LZ4F_decompress(context_, out.data() + done.produced, &produced, in.data() + done.consumed, &consumed, nullptr);
      if (LZ4F_isError(code)) {
        const std::string_view name = LZ4F_getErrorName(code);
        done.error = Error{Errc::corrupt, fmt::format("lz4: {}", name)};
        done.over = name == "ERROR_contentChecksum_invalid";
        if (done.over) done.consumed += offered;  // the checksum is the last of a frame
        return done;
      }
      const std::size_t room = out.size() - done.produced;
      done.consumed += consumed, done.produced += produced;
      done.member_end = code == 0;
      wanted_ = std::max<std::size_t>(code, 1);
      if (consumed == 0 && produced == 0 && !full_) break;
      full_ = produced == room;  // what is left over goes out before more is taken
    } while (!done.member_end && done.consumed < in.size() && done.produced < out.size());
    return done;
  }

 private:
  static constexpr std::size_t kFirst = 7;  // the least header of a frame
  LZ4F_dctx* context_ = nullptr;
  std::size_t wanted_ = kFirst;
  bool full_ = false;  // the last call filled its output
};

}  // namespace

std::unique_ptr<Codec> make_lz4() { return std::make_unique<Lz4>(); }

}  // namespace lm
