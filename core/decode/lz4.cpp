#include "decode/codec.hpp"

#include <fmt/format.h>
#include <lz4frame.h>

namespace lm {
namespace {

class Lz4 final : public Codec {
 public:
  Lz4() {
    if (LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION))) throw std::bad_alloc();
  }
  ~Lz4() override { LZ4F_freeDecompressionContext(context_); }
  void reset() override { LZ4F_resetDecompressionContext(context_); }
  Result<Step> step(std::span<const std::byte> in, std::span<std::byte> out) override {
    std::size_t produced = out.size(), consumed = in.size();
    const std::size_t code = LZ4F_decompress(context_, out.data(), &produced, in.data(), &consumed, nullptr);
    if (LZ4F_isError(code)) return fail(Errc::corrupt, fmt::format("lz4: {}", LZ4F_getErrorName(code)));
    return Step{consumed, produced, code == 0};
  }

 private:
  LZ4F_dctx* context_ = nullptr;
};

}  // namespace

std::unique_ptr<Codec> make_lz4() { return std::make_unique<Lz4>(); }

}  // namespace lm
