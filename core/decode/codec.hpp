// One compression format (and Avro containers, which are opened as if they were one), a member (gzip), frame (zstd, lz4) or stream (xz, bzip2) at a time.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace lm {

struct Step {
  std::size_t consumed = 0, produced = 0;
  bool member_end = false;     // all of the member's output was given and its checksum holds
  std::optional<Error> error;  // final; what was produced before it is as the stream has it
  bool over = false;           // with an error: it is of the member as a whole, which ends where it was consumed to
};

inline Step broken(Errc code, std::string what, std::size_t consumed = 0, std::size_t produced = 0) {
  return {consumed, produced, false, Error{code, std::move(what)}};
}

class Codec {
 public:
  virtual ~Codec() = default;
  // Decodes what it can. `out` is not empty; `in` may be, to get what the codec still holds. A checksum that does not hold must not cost what was decoded.
  virtual Step step(std::span<const std::byte> in, std::span<std::byte> out) = 0;
  // Ready for the next member.
  virtual void reset() = 0;
  // Bytes that were decoded on the way to what was given, where these may be more; of all members.
  virtual std::uint64_t worked() const { return 0; }
};

std::unique_ptr<Codec> make_gzip();
std::unique_ptr<Codec> make_zstd();
std::unique_ptr<Codec> make_bzip2();
std::unique_ptr<Codec> make_xz();
std::unique_ptr<Codec> make_lz4();
std::unique_ptr<Codec> make_avro();

// The libraries count in 32 bits.
inline unsigned clamp32(std::size_t n) { return n < (1u << 30) ? static_cast<unsigned>(n) : 1u << 30; }

}  // namespace lm
