#include "decode/decode.hpp"

#include <algorithm>
#include <bzlib.h>
#include <cstring>
#include <fmt/format.h>
#include <isa-l/igzip_lib.h>
#include <lz4frame.h>
#include <lzma.h>
#include <optional>
#include <vector>
#include <zstd.h>

namespace lm {
namespace {
using Bytes = std::span<const std::byte>;

struct Step {
  std::size_t consumed = 0, produced = 0;
  bool member_end = false;
};

class Codec {
 public:
  virtual ~Codec() = default;
  virtual Result<Step> step(Bytes in, std::span<std::byte> out) = 0;
  virtual void reset() = 0;
};

class Gzip final : public Codec {
 public:
  Gzip() { reset(); }
  void reset() override {
    isal_inflate_init(&state_);
    state_.crc_flag = ISAL_GZIP;
  }
  Result<Step> step(Bytes in, std::span<std::byte> out) override {
    state_.next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(in.data()));
    state_.avail_in = static_cast<std::uint32_t>(std::min<std::size_t>(in.size(), 1u << 30));
    const std::uint32_t had = state_.avail_in;
    state_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    state_.avail_out = static_cast<std::uint32_t>(std::min<std::size_t>(out.size(), 1u << 30));
    const std::uint32_t room = state_.avail_out;
    const int code = isal_inflate(&state_);
    if (code < 0) return fail(Errc::corrupt, code == ISAL_INCORRECT_CHECKSUM ? "gzip: the checksum does not match" : fmt::format("gzip: broken deflate data ({})", code));
    return Step{had - state_.avail_in, room - state_.avail_out, state_.block_state == ISAL_BLOCK_FINISH};
  }

 private:
  inflate_state state_;
};

class Zstd final : public Codec {
 public:
  Zstd() : context_(ZSTD_createDCtx()) { ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, 27); }
  ~Zstd() override { ZSTD_freeDCtx(context_); }
  void reset() override { ZSTD_DCtx_reset(context_, ZSTD_reset_session_only); }
  Result<Step> step(Bytes in, std::span<std::byte> out) override {
    ZSTD_inBuffer i{in.data(), in.size(), 0};
    ZSTD_outBuffer o{out.data(), out.size(), 0};
    const std::size_t code = ZSTD_decompressStream(context_, &o, &i);
    if (ZSTD_isError(code)) return fail(Errc::corrupt, fmt::format("zstd: {}", ZSTD_getErrorName(code)));
    return Step{i.pos, o.pos, code == 0};
  }

 private:
  ZSTD_DCtx* context_;
};

class Bzip2 final : public Codec {
 public:
  Bzip2() { BZ2_bzDecompressInit(&stream_, 0, 0); }
  ~Bzip2() override { BZ2_bzDecompressEnd(&stream_); }
  void reset() override {
    BZ2_bzDecompressEnd(&stream_);
    stream_ = {};
    BZ2_bzDecompressInit(&stream_, 0, 0);
  }
  Result<Step> step(Bytes in, std::span<std::byte> out) override {
    stream_.next_in = reinterpret_cast<char*>(const_cast<std::byte*>(in.data()));
    stream_.avail_in = static_cast<unsigned>(std::min<std::size_t>(in.size(), 1u << 30));
    stream_.next_out = reinterpret_cast<char*>(out.data());
    stream_.avail_out = static_cast<unsigned>(std::min<std::size_t>(out.size(), 1u << 30));
    const unsigned had = stream_.avail_in, room = stream_.avail_out;
    const int code = BZ2_bzDecompress(&stream_);
    if (code != BZ_OK && code != BZ_STREAM_END) return fail(Errc::corrupt, fmt::format("bzip2: broken data ({})", code));
    return Step{had - stream_.avail_in, room - stream_.avail_out, code == BZ_STREAM_END};
  }

 private:
  bz_stream stream_{};
};

class Xz final : public Codec {
 public:
  Xz() { start(); }
  ~Xz() override { lzma_end(&stream_); }
  void reset() override {
    lzma_end(&stream_);
    stream_ = LZMA_STREAM_INIT;
    start();
  }
  Result<Step> step(Bytes in, std::span<std::byte> out) override {
    stream_.next_in = reinterpret_cast<const std::uint8_t*>(in.data());
    stream_.avail_in = in.size();
    stream_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    stream_.avail_out = out.size();
    const lzma_ret code = lzma_code(&stream_, LZMA_RUN);
    if (code != LZMA_OK && code != LZMA_STREAM_END && code != LZMA_BUF_ERROR) return fail(Errc::corrupt, fmt::format("xz: broken data ({})", static_cast<int>(code)));
    return Step{in.size() - stream_.avail_in, out.size() - stream_.avail_out, code == LZMA_STREAM_END};
  }

 private:
  void start() { (void)lzma_stream_decoder(&stream_, 256u << 20, 0); }
  lzma_stream stream_ = LZMA_STREAM_INIT;
};

class Lz4 final : public Codec {
 public:
  Lz4() { (void)LZ4F_createDecompressionContext(&context_, LZ4F_VERSION); }
  ~Lz4() override { LZ4F_freeDecompressionContext(context_); }
  void reset() override { LZ4F_resetDecompressionContext(context_); }
  Result<Step> step(Bytes in, std::span<std::byte> out) override {
    std::size_t produced = out.size(), consumed = in.size();
    const std::size_t code = LZ4F_decompress(context_, out.data(), &produced, in.data(), &consumed, nullptr);
    if (LZ4F_isError(code)) return fail(Errc::corrupt, fmt::format("lz4: {}", LZ4F_getErrorName(code)));
    return Step{consumed, produced, code == 0};
  }

 private:
  LZ4F_dctx* context_ = nullptr;
};

struct Format {
  std::string_view name, magic;
  std::unique_ptr<Codec> (*make)();
};
template <class T>
std::unique_ptr<Codec> make() {
  return std::make_unique<T>();
}
constexpr Format kFormats[] = {
    {"gzip", "\x1f\x8b\x08", make<Gzip>}, {"zstd", "\x28\xb5\x2f\xfd", make<Zstd>}, {"bzip2", "BZh", make<Bzip2>},
    {"xz", std::string_view("\xfd" "7zXZ\0", 6), make<Xz>}, {"lz4", "\x04\x22\x4d\x18", make<Lz4>},
};

const Format* sniff(Bytes b) {
  const std::string_view text(reinterpret_cast<const char*>(b.data()), b.size());
  for (const Format& f : kFormats) {
    if (text.starts_with(f.magic)) return &f;
  }
  return nullptr;
}

// stdin: simple single layer (+ nested layers by recursion through a second decoder).
class Decoder final : public ObjectDecoder {
 public:
  explicit Decoder(const DecodeLimits& limits) : limits_(limits) {}
  void feed(Bytes stored) override {
    input_ = stored;
    stored_ += stored.size();
  }
  void end_of_input() override { ended_ = true; }
  std::string format() const override { return format_ ? std::string(format_->name) : "none"; }
  std::uint64_t decoded_bytes() const override { return decoded_; }

  Result<Pulled> pull(std::span<std::byte> out) override {
    if (!decided_) {
      // the magic may come in pieces
      const std::size_t want = std::min<std::size_t>(8 - head_.size(), input_.size());
      head_.insert(head_.end(), input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(want));
      input_ = input_.subspan(want);
      if (head_.size() < 8 && !ended_) return Pulled{0, Pull::need_input};
      decided_ = true;
      format_ = sniff(head_);
      if (format_) codec_ = format_->make();
    }
    std::size_t produced = 0;
    while (produced < out.size()) {
      Bytes& in = head_at_ < head_.size() ? (pending_ = Bytes(head_).subspan(head_at_)) : input_;
      const bool from_head = head_at_ < head_.size();
      if (in.empty()) {
        if (!ended_) return Pulled{produced, produced ? Pull::need_input : Pull::need_input};
        if (codec_ && mid_member_) {
          // what the codec still holds back comes out without input
          auto s = codec_->step({}, out.subspan(produced));
          if (s && s->produced) {
            produced += s->produced;
            if (auto ok = count(s->produced); !ok) return tl::unexpected(ok.error());
            if (s->member_end) mid_member_ = false;
            continue;
          }
          if (s && s->member_end) {
            mid_member_ = false;
            continue;
          }
          if (produced) return Pulled{produced, Pull::more};
          return fail(Errc::truncated, fmt::format("{} stream ends after {} bytes stored, {} decoded", format_->name, stored_, decoded_));
        }
        return Pulled{produced, Pull::end};
      }
      Step s;
      if (!codec_) {
        s.consumed = s.produced = std::min(in.size(), out.size() - produced);
        std::memcpy(out.data() + produced, in.data(), s.consumed);
      } else if (!mid_member_ && members_ != 0 && in[0] == std::byte{0}) {
        s.consumed = 1;  // padding
      } else {
        if (!mid_member_) {
          if (members_ != 0 && format_->name == "gzip" && in[0] != std::byte{0x1f}) {
            if (produced) return Pulled{produced, Pull::more};
            return fail(Errc::corrupt, fmt::format("{} bytes of something else behind the last gzip member", in.size()));
          }
          if (members_ != 0) codec_->reset();
          mid_member_ = true;
        }
        auto r = codec_->step(in, out.subspan(produced));
        if (!r) {
          if (produced) {
            error_ = r.error();
            return Pulled{produced, Pull::more};
          }
          return tl::unexpected(r.error());
        }
        s = *r;
        if (s.member_end) ++members_, mid_member_ = false;
        if (s.consumed == 0 && s.produced == 0 && !s.member_end) {
          if (produced) return Pulled{produced, Pull::more};
          return fail(Errc::corrupt, fmt::format("{}: no progress", format_->name));
        }
      }
      if (from_head) {
        head_at_ += s.consumed;
      } else {
        input_ = input_.subspan(s.consumed);
      }
      produced += s.produced;
      if (auto ok = count(s.produced); !ok) return tl::unexpected(ok.error());
    }
    return Pulled{produced, Pull::more};
  }

 private:
  Result<void> count(std::size_t n) {
    decoded_ += n;
    if (decoded_ > limits_.max_decoded) return fail(Errc::limit, fmt::format("decodes to more than {} bytes (--max-decoded)", limits_.max_decoded));
    if (decoded_ > limits_.ratio_from && stored_ != 0 && decoded_ / stored_ > limits_.max_ratio) {
      return fail(Errc::limit, fmt::format("decodes to more than {} times its size (--max-ratio)", limits_.max_ratio));
    }
    return {};
  }
  DecodeLimits limits_;
  std::vector<std::byte> head_;
  std::size_t head_at_ = 0, members_ = 0;
  Bytes input_, pending_;
  bool ended_ = false, decided_ = false, mid_member_ = false;
  std::uint64_t stored_ = 0, decoded_ = 0;
  const Format* format_ = nullptr;
  std::unique_ptr<Codec> codec_;
  std::optional<Error> error_;
};

}  // namespace

std::unique_ptr<ObjectDecoder> make_object_decoder(const DecodeLimits& limits) { return std::make_unique<Decoder>(limits); }

}  // namespace lm
