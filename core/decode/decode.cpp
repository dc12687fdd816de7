// An object's decoder is a chain of layers. A layer looks at the first bytes that reach it: compressed, it decodes member after member and a further layer looks
// at what comes out; otherwise it is the last and passes its bytes on.
#include "decode/decode.hpp"

#include "decode/codec.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

namespace lm {
namespace {

using Bytes = std::span<const std::byte>;

// How a stream of the format begins. In `magic`, '.' is any byte, so that no magic number may hold one.
struct Format {
  std::string_view name;
  std::string_view magic;
  std::unique_ptr<Codec> (*make)();
  std::string_view part;  // what a stream has one or more of; "" where there is but one
};

// A format may have several rows. "BZh" alone could begin a line of text; the first block's mark, or that of an empty stream, could not. Parallel zstd
// programs begin with a frame that is to be skipped, one of sixteen magic numbers of which they use the first.
constexpr Format kFormats[] = {
    {"gzip", "\x1f\x8b\x08", make_gzip, "member"},
    {"zstd", "\x28\xb5\x2f\xfd", make_zstd, "frame"},
    {"zstd", "\x50\x2a\x4d\x18", make_zstd, "frame"},
    {"bzip2", "BZh.1AY&SY", make_bzip2, "stream"},
    {"bzip2", "BZh.\x17\x72\x45\x38\x50\x90", make_bzip2, "stream"},
    {"xz", {"\xfd\x37zXZ\0", 6}, make_xz, "stream"},
    {"lz4", "\x04\x22\x4d\x18", make_lz4, "frame"},
    {"avro", "Obj\x01", make_avro, ""},
};
constexpr std::size_t kLongestMagic = 10;

bool matches(std::string_view magic, std::string_view text) {
  return std::equal(magic.begin(), magic.end(), text.begin(), text.end(), [](char want, char have) { return want == '.' || want == have; });
}

std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

const Format* sniff(Bytes head) {
  const std::string_view text = as_text(head);
  for (const Format& f : kFormats) {
    if (matches(f.magic, text.substr(0, f.magic.size()))) return &f;
  }
  return nullptr;
}

// The whole of a stream is the beginning of a magic number: it was cut off there. Text may be whole, unless the layer below broke off: what it then takes its bytes
// for must not depend on how many of them came before the damage was seen.
const Format* sniff_cut_off(Bytes whole, bool torn) {
  const std::string_view text = as_text(whole);
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (text.empty() || (printable && !torn)) return nullptr;
  for (const Format& f : kFormats) {
    if (text.size() < f.magic.size() && matches(f.magic.substr(0, text.size()), text)) return &f;
  }
  return nullptr;
}

// Bytes that wait to be decoded: what was put back in front of what was fed.
class Input {
 public:
  void feed(Bytes bytes) { fed_ = bytes; }
  bool empty() const { return front().empty(); }
  Bytes front() const { return held_at_ < held_ ? held().subspan(held_at_) : fed_; }
  void consume(std::size_t n) {
    if (held_at_ < held_) {
      held_at_ += n;
    } else {
      fed_ = fed_.subspan(n);
    }
    taken_ += n;
  }
  // Gathers the first bytes, which may come one by one. True: there are as many as are looked at.
  bool hold() {
    const std::size_t more = std::min(missing(), fed_.size());
    std::copy_n(fed_.begin(), more, first_.begin() + static_cast<std::ptrdiff_t>(held_));
    held_ += more;
    fed_ = fed_.subspan(more);
    return missing() == 0;
  }
  std::size_t missing() const { return first_.size() - held_; }
  Bytes held() const { return Bytes(first_).first(held_); }
  std::uint64_t taken() const { return taken_; }

 private:
  std::array<std::byte, kLongestMagic> first_;
  std::size_t held_ = 0, held_at_ = 0;
  Bytes fed_;
  std::uint64_t taken_ = 0;
};

class Layer {
 public:
  Input input;
  bool ended = false;         // nothing more will be fed
  std::optional<Error> torn;  // with `ended`: because the layer below failed
  bool inner = false;         // its input is what another layer gives
  std::uint64_t stored = 0;   // bytes that its input is in all; 0 if unknown

  bool decided() const { return decided_; }
  const Format* format() const { return format_; }

  // Looks at the first bytes. False: more are needed. `may_decode` false: passed on as they stand.
  bool decide(bool may_decode) {
    if (decided_) return true;
    if (!input.hold() && !ended) return false;
    decided_ = true;
    if (!may_decode) return true;
    format_ = sniff(input.held());
    if (!format_) format_ = sniff_cut_off(input.held(), torn.has_value());
    if (format_) codec_ = format_->make();
    return true;
  }

  Result<Pulled> pull(std::span<std::byte> out) {
    if (error_) return tl::unexpected(*error_);
    std::size_t produced = 0;
    // What was produced before an error is good and goes out first; the error is the next answer.
    const auto failed = [&](Error error) -> Result<Pulled> {
      error_ = std::move(error);
      given_ += produced;
      if (produced) return Pulled{produced, Pull::more};
      return tl::unexpected(*error_);
    };
    const auto done = [&](Pull state) -> Result<Pulled> {
      if (state == Pull::end && torn) return failed(*torn);
      given_ += produced;
      return Pulled{produced, state};
    };
    while (produced < out.size()) {
      const Bytes in = input.front();
      if (in.empty() && !ended) return done(Pull::need_input);
      if (!codec_) {
        if (in.empty()) return done(Pull::end);
        const std::size_t n = std::min(in.size(), out.size() - produced);
        std::memcpy(out.data() + produced, in.data(), n);
        input.consume(n);
        produced += n;
        continue;
      }
      if (!in_member_) {
        if (in.empty()) return done(Pull::end);
        if (members_ != 0) {
          if (in[0] == std::byte{0}) {  // padding, as tapes and some exporters leave it
            input.consume(1);
            continue;
          }
          if (!begins_member(in[0])) {
            return failed({Errc::corrupt,
                           fmt::format("something else than {} from stored byte {} on, behind {} good member{} with {} decoded bytes{}",
                                       format_->name, input.taken(), members_, members_ == 1 ? "" : "s", given_ + produced,
                                       not_read_from(input.taken()))});
          }
          codec_->reset();
        }
        in_member_ = true;
        member_at_ = input.taken();
      }
      const Step step = codec_->step(in, out.subspan(produced));
      input.consume(step.consumed);
      produced += step.produced;
      if (step.error) return failed(placed(step));
      if (step.member_end) {
        in_member_ = false;
        ++members_;
      } else if (step.consumed == 0 && step.produced == 0) {
        if (in.empty() && torn) return failed(*torn);
        if (in.empty()) {
          return failed({Errc::truncated, fmt::format("the {} stream ends in the middle, after {} bytes stored, {} decoded", format_->name,
                                                      input.taken(), given_ + produced)});
        }
        return failed({Errc::corrupt, fmt::format("{}: the decoder makes no progress", format_->name)});
      }
    }
    return done(Pull::more);
  }

  std::uint64_t worked() const { return codec_ ? codec_->worked() : 0; }
  std::uint64_t decoded() const { return std::max(given_, worked()); }

 private:
  // zstd and lz4 share the magic numbers of frames that are to be skipped, 0x184d2a50 to 0x184d2a5f.
  bool begins_member(std::byte first) const {
    if ((format_->name == "zstd" || format_->name == "lz4") && (first & std::byte{0xf0}) == std::byte{0x50}) return true;
    return std::any_of(std::begin(kFormats), std::end(kFormats),
                       [&](const Format& f) { return f.name == format_->name && static_cast<std::byte>(f.magic[0]) == first; });
  }

  // The error of a member with its place, and what of the input is lost with it: the members behind it may be whole.
  Error placed(const Step& step) const {
    Error error = *step.error;
    if (format_->part.empty()) return error;
    if (member_at_ != 0) {
      error.what += fmt::format(": {} {}, which begins at {} byte {}", format_->part, members_ + 1, inner ? "inner" : "stored", member_at_);
    }
    if (error.code == Errc::limit) {
      error.what += not_read_from(member_at_);
    } else if (!step.over) {
      error.what += "; nothing behind the break was read";
      if (stored > member_at_)
        error.what += fmt::format(", of {} stored bytes{}", stored - member_at_, member_at_ == 0 ? "" : " from there on");
    } else if (stored == 0) {
      error.what += "; nothing behind it was read";
    } else if (stored > input.taken()) {
      error.what += fmt::format("; the {} stored bytes behind it were not read", stored - input.taken());
    }
    return error;
  }
  std::string not_read_from(std::uint64_t at) const {
    return stored > at ? fmt::format("; {} stored bytes were not read", stored - at) : std::string();
  }

  const Format* format_ = nullptr;
  std::unique_ptr<Codec> codec_;
  bool decided_ = false, in_member_ = false;
  std::uint64_t members_ = 0, member_at_ = 0, given_ = 0;
  std::optional<Error> error_;
};

class Chain final : public ObjectDecoder {
 public:
  Chain(const DecodeLimits& limits, std::uint64_t stored_size) : limits_(limits), layers_(1) {
    layers_.reserve(kMaxLayers + 1);
    layers_[0].stored = stored_size;
    between_.reserve(kMaxLayers);
  }

  void feed(Bytes stored) override {
    layers_[0].input.feed(stored);
    stored_ += stored.size();
  }
  void end_of_input() override { layers_[0].ended = true; }
  std::uint64_t decoded_bytes() const override { return decoded_; }

  std::string format() const override {
    std::string out;
    for (const Layer& layer : layers_) {
      if (layer.format()) out += fmt::format("{}{}", out.empty() ? "" : "+", layer.format()->name);
    }
    return out.empty() ? "none" : out;
  }

  Result<Pulled> pull(std::span<std::byte> out) override {
    if (error_) return tl::unexpected(*error_);
    auto pulled = pull_from(layers_.size() - 1, out);
    // A layer that turned out to be compressed has another one on top.
    while (pulled && pulled->produced == 0 && pulled->state == Pull::more) pulled = pull_from(layers_.size() - 1, out);
    if (!pulled) {
      error_ = pulled.error();
      return pulled;
    }
    if (pulled->produced > limits_.max_decoded - decoded_) {
      // What the limit allows is given; the error is the next answer.
      error_ = Error{Errc::limit, fmt::format("it decodes to more than {} bytes (--max-decoded)", limits_.max_decoded)};
      pulled->produced = static_cast<std::size_t>(limits_.max_decoded - decoded_);
      pulled->state = Pull::more;
      if (pulled->produced == 0) return tl::unexpected(*error_);
    }
    decoded_ += pulled->produced;
    return pulled;
  }

 private:
  // What comes out on top of layer `index`.
  Result<Pulled> pull_from(std::size_t index, std::span<std::byte> out) {
    for (;;) {
      Layer& layer = layers_[index];
      // The layer that passes on steps out of the way once it has passed on what it looked at.
      if (index != 0 && layer.decided() && !layer.format() && layer.input.empty() && !layer.ended) return pull_from(index - 1, out);
      const bool was_decided = layer.decided();
      if (layer.decide(index < kMaxLayers)) {
        if (!was_decided && layer.format() && index + 1 == layers_.size()) {
          between_.emplace_back();
          layers_.emplace_back().inner = true;
          return Pulled{0, Pull::more};
        }
        if (auto ok = check(layer); !ok) return tl::unexpected(ok.error());
        auto pulled = layer.pull(out);
        if (!pulled || pulled->state != Pull::need_input) return pulled;
        // What this layer lacks, the one below may have: whether the object needs input is for the lowest to say.
        if (pulled->produced != 0) return Pulled{pulled->produced, index == 0 ? Pull::need_input : Pull::more};
      }
      if (index == 0) return Pulled{0, Pull::need_input};
      // Input of this layer is what the one below gives: at first no more than shows what it is, for most layers above a compressed one only pass on.
      std::vector<std::byte>& between = between_[index - 1];
      between.resize(layer.decided() ? kBetween : layer.input.missing());
      auto below = pull_from(index - 1, between);
      if (!below) {
        // What this layer still holds was good: it goes out before the error does.
        layer.ended = true;
        layer.torn = below.error();
        continue;
      }
      if (below->produced != 0) layer.input.feed(Bytes(between).first(below->produced));
      if (below->state == Pull::end) layer.ended = true;
      if (below->state == Pull::need_input && below->produced == 0) return Pulled{0, Pull::need_input};
    }
  }

  // Looked at in every layer: one that decodes to nothing but what the next one swallows must not run for days.
  Result<void> check(const Layer& layer) const {
    if (!layer.format()) return {};
    if (layer.decoded() > limits_.ratio_from && layer.decoded() / std::max<std::uint64_t>(stored_, 1) > limits_.max_ratio) {
      return fail(Errc::limit, fmt::format("it decodes to more than {} times its size (--max-ratio)", limits_.max_ratio));
    }
    const std::uint64_t inner = &layer == &layers_.back() ? layer.worked() : layer.decoded();
    if (inner > limits_.max_decoded && inner - limits_.max_decoded > kBetween) {
      return fail(Errc::limit, fmt::format("a layer of it decodes to more than {} bytes (--max-decoded)", limits_.max_decoded));
    }
    return {};
  }

  static constexpr std::size_t kBetween = 128 << 10;
  DecodeLimits limits_;
  std::optional<Error> error_;
  std::vector<Layer> layers_;
  std::vector<std::vector<std::byte>> between_;
  std::uint64_t stored_ = 0, decoded_ = 0;
};

}  // namespace

std::unique_ptr<ObjectDecoder> make_object_decoder(const DecodeLimits& limits, std::uint64_t stored_size) {
  return std::make_unique<Chain>(limits, stored_size);
}

}  // namespace lm
