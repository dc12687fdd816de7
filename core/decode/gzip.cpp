// gzip by ISA-L. isal_inflate answers success on a stream that is cut off: a member is done only when its block state says so, which includes the check of the
// trailer's CRC and size. A member's header is read here: ISA-L 2.30 finds the header's own checksum wrong when the header arrives in two pieces.
#include "decode/codec.hpp"

#include <fmt/format.h>
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <algorithm>
#include <optional>

namespace lm {
namespace {

// RFC 1952, 2.3: ten fixed bytes, then what their fourth says.
class Header {
 public:
  // Takes the header's bytes from the front of `in` and answers how many; done() once all were there.
  Result<std::size_t> read(std::span<const std::byte> in) {
    std::size_t taken = 0, summed = 0;
    const auto sum = [&](std::size_t to) {
      crc_ = crc32_gzip_refl(crc_, reinterpret_cast<const unsigned char*>(in.data()) + summed, to - summed);
      summed = to;
    };
    while (field_ != Field::none && taken < in.size()) {
      if (field_ == Field::checksum && count_ == 0) sum(taken);
      const auto byte = std::to_integer<std::uint32_t>(in[taken]);
      switch (field_) {
        case Field::fixed:
          if (count_ < 3 && byte != kMagic[count_]) return fail(Errc::corrupt, "gzip: a member does not begin with a gzip header");
          if (count_ == 3 && (byte & kReserved) != 0) return fail(Errc::corrupt, "gzip: the header has flags that no gzip has");
          if (count_ == 3) flags_ = byte;
          ++taken;
          if (++count_ == 10) next(flags_ & kExtra ? Field::extra_size : Field::extra);
          break;
        case Field::extra_size:
          value_ |= byte << (8 * count_);
          ++taken;
          if (++count_ == 2) {
            left_ = value_;
            next(Field::extra);
          }
          break;
        case Field::extra: {
          const std::size_t n = std::min(left_, in.size() - taken);
          taken += n, left_ -= n;
          if (left_ == 0) next(Field::name);
          break;
        }
        case Field::name: skip_text(in, taken, kName, Field::comment); break;
        case Field::comment: skip_text(in, taken, kComment, Field::checksum); break;
        case Field::checksum:
          if (!(flags_ & kChecksum)) {
            next(Field::none);
            break;
          }
          value_ |= byte << (8 * count_);
          ++taken;
          if (++count_ == 2) {
            if (value_ != (crc_ & 0xffff)) return fail(Errc::corrupt, "gzip: the checksum of a header does not match it");
            next(Field::none);
          }
          break;
        case Field::none: break;
      }
    }
    if (field_ == Field::checksum ? count_ == 0 : field_ != Field::none) sum(taken);
    return taken;
  }
  bool done() const { return field_ == Field::none; }

 private:
  enum class Field { fixed, extra_size, extra, name, comment, checksum, none };
  static constexpr std::uint32_t kMagic[] = {0x1f, 0x8b, 8};
  static constexpr std::uint32_t kChecksum = 2, kExtra = 4, kName = 8, kComment = 16, kReserved = 0xe0;

  void next(Field field) {
    field_ = field;
    count_ = 0, value_ = 0;
  }
  // Text up to and with its NUL, if the flags say that there is one.
  void skip_text(std::span<const std::byte> in, std::size_t& taken, std::uint32_t flag, Field after) {
    if (flags_ & flag) {
      const auto from = in.begin() + static_cast<std::ptrdiff_t>(taken);
      const auto end = std::find(from, in.end(), std::byte{0});
      taken += static_cast<std::size_t>(end - from);
      if (end == in.end()) return;
      ++taken;
    }
    next(after);
  }

  Field field_ = Field::fixed;
  std::uint32_t count_ = 0, value_ = 0, flags_ = 0, crc_ = 0;
  std::size_t left_ = 0;
};

class Gzip final : public Codec {
 public:
  Gzip() { reset(); }
  void reset() override {
    header_ = {};
    stopped_.reset();
    isal_inflate_init(&state_);
    state_.crc_flag = ISAL_GZIP_NO_HDR_VER;
  }
  Step step(std::span<const std::byte> in, std::span<std::byte> out) override {
    if (stopped_) return drain(out);
    if (!header_.done()) {
      auto taken = header_.read(in);
      if (!taken) return broken(taken.error().code, taken.error().what);
      if (*taken != 0 || !header_.done()) return {*taken, 0, false, {}};
    }
    const unsigned in_size = clamp32(in.size()), out_size = clamp32(out.size());
    state_.next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(in.data()));
    state_.avail_in = in_size;
    state_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    state_.avail_out = out_size;
    const int code = isal_inflate(&state_);
    if (code < 0 && code != ISAL_INCORRECT_CHECKSUM) return stop(code, out);
    // It reads ahead and gives back what a member did not need; more than it was given cannot be.
    if (state_.avail_in > in_size || state_.avail_out > out_size)
      return broken(Errc::corrupt, "gzip: a member ends before the bytes that were read for it");
    const std::size_t consumed = in_size - state_.avail_in, produced = out_size - state_.avail_out;
    if (code < 0) {
      Step step = broken(Errc::corrupt, "gzip: the checksum or the size of a member does not match its data", consumed, produced);
      step.over = true;
      return step;
    }
    return {consumed, produced, state_.block_state == ISAL_BLOCK_FINISH, {}};
  }

 private:
  // The compressed data is broken. What was decoded before goes out first, and some of it may still wait in ISA-L's own buffer. Of all of it the last bytes are not
  // trusted: where a copy reaches back too far, ISA-L counts the bytes of the copy as written before it looks. Its avail_in and avail_out are wrong then, too.
  Step stop(int code, std::span<std::byte> out) {
    stopped_ = code;
    const std::span<const std::byte> written(out.data(), reinterpret_cast<std::byte*>(state_.next_out));
    const auto begin = static_cast<std::size_t>(state_.tmp_out_processed);
    const auto end = std::clamp(static_cast<std::size_t>(state_.tmp_out_valid), begin, sizeof state_.tmp_out_buffer);
    const std::size_t untrusted = std::min(kLongestCopy, end - begin);
    waiting_ = std::span(state_.tmp_out_buffer).subspan(begin, end - begin - untrusted);
    const std::size_t produced = std::min(written.size(), out.size());
    return {0, produced - std::min(produced, kLongestCopy - untrusted), false, error_if_drained()};
  }
  Step drain(std::span<std::byte> out) {
    const std::size_t n = std::min(waiting_.size(), out.size());
    std::copy_n(std::as_bytes(waiting_).begin(), n, out.begin());
    waiting_ = waiting_.subspan(n);
    return {0, n, false, error_if_drained()};
  }
  std::optional<Error> error_if_drained() const {
    if (!waiting_.empty()) return {};
    return Error{Errc::corrupt, fmt::format("gzip: the compressed data is broken (code {})", *stopped_)};
  }

  static constexpr std::size_t kLongestCopy = 258;  // RFC 1951, 3.2.5

  Header header_;
  inflate_state state_;
  std::optional<int> stopped_;       // by what code of ISA-L
  std::span<std::uint8_t> waiting_;  // of state_, since it stopped
};

}  // namespace

std::unique_ptr<Codec> make_gzip() { return std::make_unique<Gzip>(); }

}  // namespace lm
