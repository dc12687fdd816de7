// gzip by ISA-L. isal_inflate answers success on a stream that is cut off: a member is done only when its block state says so, which includes the check of the
// trailer's CRC and size.
#include "decode/codec.hpp"

#include <fmt/format.h>
#include <isa-l/igzip_lib.h>

namespace lm {
namespace {

class Gzip final : public Codec {
 public:
  Gzip() { reset(); }
  void reset() override {
    isal_inflate_init(&state_);
    state_.crc_flag = ISAL_GZIP;
  }
  Result<Step> step(std::span<const std::byte> in, std::span<std::byte> out) override {
    const unsigned in_size = clamp32(in.size()), out_size = clamp32(out.size());
    state_.next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(in.data()));
    state_.avail_in = in_size;
    state_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    state_.avail_out = out_size;
    const int code = isal_inflate(&state_);
    if (code == ISAL_INCORRECT_CHECKSUM) return fail(Errc::corrupt, "gzip: the checksum or the size of a member does not match its data");
    if (code < 0) return fail(Errc::corrupt, fmt::format("gzip: the compressed data is broken (code {})", code));
    return Step{in_size - state_.avail_in, out_size - state_.avail_out, state_.block_state == ISAL_BLOCK_FINISH};
  }

 private:
  inflate_state state_;
};

}  // namespace

std::unique_ptr<Codec> make_gzip() { return std::make_unique<Gzip>(); }

}  // namespace lm
