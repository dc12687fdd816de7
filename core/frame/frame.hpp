// Cuts a decoded stream into blocks of whole records. Invariant: every byte of a record is in exactly one block or one reject.
#pragma once

#include "base/buffer.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lm {

struct FrameLimits {
  std::size_t block_size = std::size_t{1} << 20;   // a block is cut when it holds at least this much, at a record's end
  std::size_t max_record = std::size_t{16} << 20;  // a longer record is one reject; we resynchronise behind it
};

// A record that framing itself could not deliver. `bytes` is what is kept of it: all, or the first max_record bytes.
struct FrameReject {
  std::uint64_t offset = 0, length = 0;  // in the decoded stream; length is the true one
  std::uint64_t record = 0;              // ordinal in the object
  std::uint32_t code = 0;                // LM_REJECT_*
  std::string why;
  std::string bytes;
};

// Whole records. The buffer is at least as large as the records span; padding as Buffer promises.
struct Block {
  Buffer data;
  std::vector<lm_record> records;               // ascending, not overlapping, without line ends
  std::uint64_t offset = 0;                     // of data[0] in the decoded stream
  std::uint64_t first_record = 0;               // ordinal of records[0]; ordinals count records and rejects alike
  std::shared_ptr<const std::string> prologue;  // may be null
};

struct FrameSpec {
  std::uint32_t framing = 0;                               // LM_FRAMING_*
  std::string envelope;                                    // LM_FRAMING_JSON
  std::function<bool(std::string_view line)> is_prologue;  // LM_FRAMING_LINES; may be empty
  // The same, for who is far away and is asked for many lines at once: they lie in `text`, and a byte for each is the answer. May be empty; wins over is_prologue.
  std::function<void(std::string_view text, std::span<const lm_record> lines, std::vector<std::uint8_t>& are)> are_prologues = nullptr;
  // LM_FRAMING_JSON: what a record holds may look like a record. Then none is looked for in one that is broken; it goes on to its last bracket.
  bool holds_others = false;
};

// One object's framer. The decoder writes straight into its buffer:
//   while (...) { auto out = framer.space(); n = decoder.pull(out); framer.commit(n); while (auto b = framer.next()) ...; }
//   framer.finish(torn);  while (auto b = framer.next()) ...;
// One thread at a time.
class Framer {
 public:
  virtual ~Framer() = default;
  virtual std::span<std::byte> space() = 0;    // never empty; at least 64 KiB
  virtual void commit(std::size_t bytes) = 0;  // that many were written to the front of space()
  // The stream ends here. `torn` empty: as it should; otherwise why it broke off, and an unfinished record is a LM_REJECT_TRUNCATED.
  virtual void finish(std::string_view torn) = 0;
  virtual std::optional<Block> next() = 0;  // a block that is ready
  virtual std::vector<FrameReject> take_rejects() = 0;
  virtual std::uint64_t records() const = 0;  // delivered in blocks so far
};

std::unique_ptr<Framer> make_framer(FrameSpec, const FrameLimits&);

}  // namespace lm
