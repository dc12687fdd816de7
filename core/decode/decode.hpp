// From stored bytes to decoded bytes, told apart by magic number, never by name: gzip (all members), zstd (all frames), bzip2, xz, lz4, Avro (the
// bodies that Event Hubs Capture has stored, a line each), or as they stand. Layers are peeled until the bytes are no longer compressed (gzip in gzip is real), at most kMaxLayers.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace lm {

inline constexpr int kMaxLayers = 3;

struct DecodeLimits {
  std::uint64_t max_decoded = std::uint64_t{1} << 40;  // bytes an object may decode to
  std::uint64_t max_ratio = 250;                       // decoded : stored, looked at once ratio_from bytes were decoded
  std::uint64_t ratio_from = std::uint64_t{64} << 20;
};

enum class Pull {
  more,        // bytes were produced, and there may be more without further input
  need_input,  // give more input (feed), or say that there is none (end_of_input)
  end,         // the object is decoded whole
};

struct Pulled {
  std::size_t produced = 0;
  Pull state = Pull::more;
};

// One object's decoder: fed with what was read, asked for decoded bytes. Never blocks, so that it can run in a task.
// An error (corrupt, truncated, limit) is final; what was produced before it is good. One thread at a time.
class ObjectDecoder {
 public:
  virtual ~ObjectDecoder() = default;
  // [borrowed] until the next pull answers need_input. Only called when the last pull answered need_input, or first.
  virtual void feed(std::span<const std::byte> stored) = 0;
  virtual void end_of_input() = 0;
  // Writes into `out` (not empty).
  virtual Result<Pulled> pull(std::span<std::byte> out) = 0;
  // "gzip", "zstd", "gzip+gzip", "none"; known after the first pull that produced bytes.
  virtual std::string format() const = 0;
  virtual std::uint64_t decoded_bytes() const = 0;
};

// `stored_size`: bytes of the object as stored, for errors to say how many were not read; 0 if unknown.
std::unique_ptr<ObjectDecoder> make_object_decoder(const DecodeLimits&, std::uint64_t stored_size = 0);

}  // namespace lm
