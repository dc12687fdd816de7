#include "frame/frame.hpp"

#include "frame/json_scan.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cstring>
#include <deque>
#include <string>

namespace lm {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);
constexpr std::size_t kFirstBuffer = 128 << 10;  // objects of 2 kB stay cheap
constexpr std::size_t kLeastSpace = 64 << 10;

// What both framings share: the buffer that the decoder writes into, the records found in it, and cutting.
// Positions are indices into the buffer; stream offsets are base_ + index.
class FramerBase : public Framer {
 public:
  FramerBase(FrameSpec spec, const FrameLimits& limits) : spec_(std::move(spec)), limits_(limits) { buffer_.reserve(kFirstBuffer); }

  std::span<std::byte> space() override {
    if (buffer_.capacity() - buffer_.size() < kLeastSpace) buffer_.reserve(std::max(buffer_.capacity() * 2, buffer_.size() + kLeastSpace));
    return buffer_.free_space();
  }
  void commit(std::size_t bytes) override {
    buffer_.resize(buffer_.size() + bytes);
    if (!started_ && (buffer_.size() >= 3 || bytes == 0)) start();
    if (started_) scan();
  }
  std::optional<Block> next() override {
    if (ready_.empty()) return std::nullopt;
    std::optional<Block> out = std::move(ready_.front());
    ready_.pop_front();
    return out;
  }
  std::vector<FrameReject> take_rejects() override { return std::exchange(rejects_, {}); }
  std::uint64_t records() const override { return delivered_; }

 protected:
  virtual void scan() = 0;
  // `count` bytes went from the buffer's front: indices move down.
  virtual void shift(std::size_t count) = 0;

  // A byte order mark is not content.
  void start() {
    started_ = true;
    if (buffer_.size() >= 3 && std::memcmp(buffer_.data(), "\xef\xbb\xbf", 3) == 0) first_ = 3;
  }

  char at(std::size_t i) const { return static_cast<char>(buffer_.data()[i]); }
  std::string_view text(std::size_t from, std::size_t to) const {
    return {reinterpret_cast<const char*>(buffer_.data()) + from, to - from};
  }

  void add_record(std::size_t from, std::size_t to) {
    records_.push_back({static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to - from)});
    ++ordinal_;
  }

  // A reject takes the ordinal between the records before and behind it: those before must leave first.
  void add_reject(std::size_t from, std::size_t to, std::uint32_t code, std::string why, std::uint64_t length = 0) {
    cut_records();
    FrameReject r;
    r.offset = base_ + from;
    r.length = length ? length : to - from;
    r.record = ordinal_++;
    r.code = code;
    r.why = std::move(why);
    r.bytes = text(from, std::min(to, from + limits_.max_record));
    first_record_ = ordinal_;
    rejects_.push_back(std::move(r));
  }

  // The records so far become a block; bytes from `keep` on stay.
  void cut(std::size_t keep) {
    if (records_.empty()) {
      // Nothing in front of `keep` is wanted any more. Moving is only worth it if it is much.
      if (keep >= kLeastSpace) drop(keep);
      return;
    }
    Block block;
    // The first full block shows that the object is large: the next buffer need not grow step by step.
    const std::size_t capacity = keep >= limits_.block_size ? limits_.block_size + kFirstBuffer : kFirstBuffer;
    Buffer rest(std::max(capacity, buffer_.size() - keep + kLeastSpace));
    rest.append(buffer_.contents().subspan(keep));
    const std::size_t expected = records_.size() + records_.size() / 4;
    buffer_.resize(keep);
    if (buffer_.size() < buffer_.capacity() / 2) {  // many small objects wait for their parse together
      Buffer small(buffer_.size());
      small.append(buffer_.contents());
      buffer_ = std::move(small);
    }
    block.data = std::exchange(buffer_, std::move(rest));
    deliver(std::move(block));
    records_.reserve(expected);
    base_ += keep;
    first_ -= std::min(first_, keep);
    shift(keep);
  }

  // As cut, but the bytes of a block that must leave now are copied, so that every index stays.
  void cut_records() {
    if (records_.empty()) return;
    Block block;
    const std::size_t end = records_.back().offset + records_.back().length;
    Buffer copy(end);
    copy.append(buffer_.contents().first(end));
    block.data = std::move(copy);
    deliver(std::move(block));
  }

  void deliver(Block block) {
    block.records = std::exchange(records_, {});
    block.offset = base_;
    block.first_record = first_record_;
    block.prologue = prologue_;
    delivered_ += block.records.size();
    first_record_ = ordinal_;
    ready_.push_back(std::move(block));
  }

  // A record that is too long is counted to its end without being kept; its first bytes are.
  void begin_oversize(std::size_t from, std::size_t counted_to) {
    cut_records();
    oversize_ = FrameReject{base_ + from,
                            counted_to - from,
                            0,
                            LM_REJECT_OVERSIZE,
                            {},
                            std::string(text(from, std::min(buffer_.size(), from + limits_.max_record)))};
    skipping_ = true;
  }
  void end_oversize() {
    oversize_.record = ordinal_++;
    oversize_.why = fmt::format("a record of {} bytes; at most {} are read (--max-record)", oversize_.length, limits_.max_record);
    first_record_ = ordinal_;
    rejects_.push_back(std::exchange(oversize_, {}));
    skipping_ = false;
  }

  void drop(std::size_t count) {
    Buffer rest(std::max(kFirstBuffer, buffer_.size() - count + kLeastSpace));
    rest.append(buffer_.contents().subspan(count));
    buffer_ = std::move(rest);
    base_ += count;
    first_ -= std::min(first_, count);
    shift(count);
  }

  FrameSpec spec_;
  FrameLimits limits_;
  Buffer buffer_;
  std::uint64_t base_ = 0;          // stream offset of buffer_[0]
  std::uint64_t ordinal_ = 0;       // of the next record or reject
  std::uint64_t first_record_ = 0;  // ordinal of records_[0]
  std::uint64_t delivered_ = 0;
  std::vector<lm_record> records_;
  std::shared_ptr<const std::string> prologue_;
  std::deque<Block> ready_;
  std::vector<FrameReject> rejects_;
  bool started_ = false;
  std::size_t first_ = 0;  // where content begins
  bool skipping_ = false;
  FrameReject oversize_;
};

// ---- Lines ----

class LineFramer final : public FramerBase {
 public:
  using FramerBase::FramerBase;

  void finish(std::string_view torn) override {
    if (!started_) start(), scan();
    const std::size_t end = buffer_.size();
    if (skipping_) {
      end_oversize();
    } else if (line_ < end) {
      if (torn.empty()) {
        take_line(line_, end);
      } else if (!blank(line_, end)) {
        add_reject(line_, end, LM_REJECT_TRUNCATED, fmt::format("the line is cut off: {}", torn));
      }
    }
    line_ = scanned_ = end;
    cut(end);
  }

 private:
  void scan() override {
    if (line_ < first_) line_ = scanned_ = first_;
    const auto* data = reinterpret_cast<const char*>(buffer_.data());
    while (scanned_ < buffer_.size()) {
      const auto* found = static_cast<const char*>(std::memchr(data + scanned_, '\n', buffer_.size() - scanned_));
      if (!found) {
        scanned_ = buffer_.size();
        break;
      }
      const auto end = static_cast<std::size_t>(found - data);
      scanned_ = end + 1;
      const std::size_t from = std::exchange(line_, end + 1);
      if (skipping_) {
        oversize_.length += end - from;
        end_oversize();
      } else if (end - from > limits_.max_record) {
        begin_oversize(from, end);
        end_oversize();
      } else {
        take_line(from, end);
      }
      data = reinterpret_cast<const char*>(buffer_.data());  // a prologue may have cut the buffer
    }
    if (!skipping_ && buffer_.size() - line_ > limits_.max_record) {
      begin_oversize(line_, buffer_.size());
      line_ = buffer_.size();
    } else if (skipping_) {
      oversize_.length += buffer_.size() - line_;
      line_ = buffer_.size();
    }
    if (skipping_) {
      cut(line_);
      if (line_ != 0) drop(line_);
      return;
    }
    if (line_ >= limits_.block_size) cut(line_);
  }

  void shift(std::size_t count) override { line_ -= count, scanned_ -= count; }

  bool blank(std::size_t from, std::size_t to) const { return text(from, to).find_first_not_of(" \t\r") == std::string_view::npos; }

  void take_line(std::size_t from, std::size_t to) {
    if (to > from && at(to - 1) == '\r') --to;
    if (blank(from, to)) return;
    if (spec_.is_prologue && spec_.is_prologue(text(from, to))) {
      auto fresh = std::make_shared<std::string>(prologue_ && in_prologue_ ? *prologue_ + '\n' : std::string());
      fresh->append(text(from, to));
      if (!records_.empty()) cut_records();
      prologue_ = std::move(fresh);
      in_prologue_ = true;
      return;
    }
    in_prologue_ = false;
    add_record(from, to);
  }

  std::size_t line_ = 0, scanned_ = 0;  // where the line at hand begins; how far we looked for its end
  bool in_prologue_ = false;
};

// ---- JSON ----

// Where the scan stands:
//   top       between documents
//   array     among the elements of a top-level array or of the envelope's
//   object    among the members of a top-level object that may turn out to be an envelope
//   record    in a value that is a record: element or document
//   member    in the value of a member that is not the envelope's
// A top-level object is a record itself unless it has the envelope's member; its members are looked at one by one for that. Where a parser has no envelope,
// they are not.
//
// A record that never ends (an unbalanced quote or bracket) would swallow the rest. When that shows, by a line feed inside a string, by the size limit or by
// the end of the stream, we go back and look for the next place where a record begins as the first one of this object did: its brace and first key.
// What lies before is a record of its own, which its parser will reject.
class JsonFramer final : public FramerBase {
 public:
  using FramerBase::FramerBase;

  void finish(std::string_view torn) override {
    if (!started_) start();
    finishing_ = true;
    do {
      scan();
    } while (open_ != kNone && resync());
    const std::size_t end = buffer_.size();
    if (skipping_) {
      oversize_.length += end - pos_;
      end_oversize();
    } else if (open_ != kNone) {
      std::size_t to = end;
      while (to > open_ + 1 && is_space(at(to - 1))) --to;
      if (state_ == State::scalar && torn.empty()) {
        add_record(open_, to);
      } else {
        add_reject(open_, to, LM_REJECT_TRUNCATED,
                   torn.empty() ? std::string("the JSON ends inside this record") : fmt::format("the record is cut off: {}", torn));
      }
    }
    open_ = kNone;
    pos_ = end;
    cut(end);
  }

 private:
  enum class State { top, array, object, record, member, scalar };
  enum class Resync { done, none, wait };

  static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
  std::size_t size() const { return buffer_.size(); }

  void shift(std::size_t count) override {
    pos_ -= count;
    if (open_ != kNone) open_ -= std::min(open_, count);
  }

  void scan() override {
    if (pos_ < first_) pos_ = first_;
    for (;;) {
      step_from_ = pos_;
      const bool more = pos_ < size() && step();
      if (skipping_) oversize_.length += pos_ - step_from_;
      if (more) continue;
      if (!skipping_ && open_ != kNone && size() - open_ > limits_.max_record) {
        if (resync()) continue;
        begin_oversize(open_, pos_);
      }
      break;
    }
    if (skipping_) {
      open_ = pos_;
      if (pos_ != 0) drop(pos_);
    } else if (const std::size_t keep = open_ != kNone ? open_ : pos_; keep >= limits_.block_size) {
      cut(keep);
    }
  }

  // One step forward; false: more bytes are needed.
  bool step() {
    switch (state_) {
      case State::top: return step_between(State::top);
      case State::array: return step_between(State::array);
      case State::object: return step_object();
      case State::record: return step_record();
      case State::member: return member_scalar_ ? step_scalar_member() : step_member();
      case State::scalar: return step_scalar();
    }
    return false;
  }

  // Between documents, or between the elements of an array.
  bool step_between(State here) {
    const char c = at(pos_);
    if (is_space(c) || c == ',') {
      ++pos_;
      return true;
    }
    if (here == State::array && c == ']') {
      ++pos_;
      state_ = in_envelope_ ? State::object : State::top;
      return true;
    }
    if (here == State::top && c == '[') {
      ++pos_;
      in_envelope_ = false;
      state_ = State::array;
      return true;
    }
    open_ = pos_;
    back_ = here;
    scan_ = {};
    if (here == State::top && c == '{' && !spec_.envelope.empty()) {
      ++pos_;
      enveloped_ = false;
      state_ = State::object;
    } else {
      // What is neither object nor array is no record, but must not be lost: its parser will reject it.
      state_ = c == '{' || c == '[' ? State::record : State::scalar;
    }
    return true;
  }

  bool step_record() {
    bool line = false;
    const std::size_t left = size() - pos_;
    const std::size_t n = scan_json(scan_, reinterpret_cast<const std::uint8_t*>(buffer_.data()) + pos_, left, &line);
    if (line) {
      pos_ += n;
      return line_in_string();
    }
    if (n > left) {
      pos_ = size();
      return false;
    }
    pos_ += n;
    // A '{' that a ']' closed: the record lacks a bracket and ran on into its neighbours.
    if (scan_.braces != 0 && resync()) return true;
    end_record();
    return true;
  }

  // A scalar ends where something else may begin.
  bool step_scalar() {
    for (; pos_ < size(); ++pos_) {
      const char c = at(pos_);
      if (scan_.escaped) {
        scan_.escaped = false;
      } else if (c == '\n') {
        break;
      } else if (scan_.in_string) {
        if (c == '\\') scan_.escaped = true;
        if (c == '"') scan_.in_string = false;
      } else if (c == '"') {
        scan_.in_string = true;
      } else if (pos_ != open_ || skipping_) {
        if (c == '{' || c == '[' || (back_ == State::array && (c == ',' || c == ']'))) break;
      }
    }
    if (pos_ == size()) return false;
    end_record();
    return true;
  }

  void end_record() {
    if (skipping_) {
      oversize_.length += pos_ - step_from_;
      end_oversize();
    } else {
      std::size_t to = pos_;
      while (to > open_ + 1 && is_space(at(to - 1))) --to;
      if (to - open_ > limits_.max_record) {
        begin_oversize(open_, to);
        end_oversize();
      } else {
        add_record(open_, to);
        learn(open_);
      }
    }
    open_ = kNone;
    state_ = back_;
    if (pos_ >= limits_.block_size) cut(pos_);
  }

  // How records of this object begin: '{', the first key, its closing quote.
  void learn(std::size_t from) {
    if (!beginning_.empty() || at(from) != '{') return;
    std::size_t i = from + 1;
    const std::size_t end = std::min(pos_, from + 256);
    while (i < end && is_space(at(i))) ++i;
    if (i == end || at(i) != '"') return;
    while (++i < end && at(i) != '"' && at(i) != '\\') {}
    if (i < end && at(i) == '"') beginning_ = text(from, i + 1);
  }

  // Goes back to the open record and cuts it off before the next beginning of a record. False: there is none. What may be scanned again is bounded, or input
  // made of broken records would cost its square.
  bool resync() {
    constexpr std::uint64_t kMostRescanned = std::uint64_t{1} << 30;
    if (open_ == kNone || beginning_.empty() || skipping_ || rescanned_ > kMostRescanned) return false;
    const std::size_t found = text(0, size()).find(beginning_, open_ + 1);
    if (found == std::string_view::npos) return false;
    cut_off(found);
    return true;
  }

  // pos_ stands on a line feed inside a string, which no JSON has. In text with a record a line, the next line is the next record.
  bool line_in_string() {
    if (!skipping_ && !enveloped_value()) {
      std::size_t next = pos_;
      while (next < size() && is_space(at(next))) ++next;
      if (next == size() && !finishing_ && size() - open_ <= limits_.max_record) return false;
      if (back_ == State::top && next < size() && at(next) == '{') {
        cut_off(next);
        return true;
      }
      if (resync()) return true;
    }
    ++pos_;
    return true;
  }

  // In a member of an envelope other than the records: nothing there is a record.
  bool enveloped_value() const { return state_ == State::member && enveloped_; }

  void cut_off(std::size_t next) {
    rescanned_ += size() - open_;
    std::size_t to = next;
    while (to > open_ + 1 && (is_space(at(to - 1)) || at(to - 1) == ',')) --to;
    add_record(open_, to);
    open_ = kNone;
    pos_ = next;
    state_ = back_;
  }

  bool step_object() {
    const char c = at(pos_);
    if (is_space(c) || c == ',') {
      ++pos_;
      return true;
    }
    if (c == '}') {
      ++pos_;
      if (enveloped_) {
        state_ = State::top;
      } else {
        end_record();
      }
      return true;
    }
    if (c != '"') return no_object();
    // The key, its colon and the first byte of the value must be there together.
    std::size_t end = pos_ + 1;
    while (end < size() && at(end) != '"' && at(end) != '\n') end += at(end) == '\\' ? 2 : 1;
    if (end >= size()) return size() - pos_ > limits_.max_record ? no_object() : false;
    if (at(end) == '\n') return no_object();
    std::size_t value = end + 1;
    while (value < size() && is_space(at(value))) ++value;
    if (value < size() && at(value) != ':') return no_object();
    ++value;
    while (value < size() && is_space(at(value))) ++value;
    if (value >= size()) return size() - pos_ > limits_.max_record ? no_object() : false;
    const char v = at(value);
    if (text(pos_ + 1, end) == spec_.envelope && (v == '[' || v == 'n')) {
      // The document is an envelope: what was passed over are members without records.
      enveloped_ = in_envelope_ = true;
      skipping_ = false;
      oversize_ = {};
      open_ = kNone;
      if (v == '[') {
        pos_ = value + 1;
        state_ = State::array;
        return true;
      }
    }
    pos_ = value;
    scan_ = {};
    state_ = State::member;
    member_scalar_ = v != '{' && v != '[';
    return true;
  }

  // What looked like an object is none. It is read on as a record, by its brackets alone, so that its parser can reject it.
  bool no_object() {
    if (enveloped_) {
      enveloped_ = false;
      state_ = State::top;
      return true;
    }
    state_ = State::record;
    scan_ = {};
    if (skipping_) {
      scan_.depth = 1;
    } else {
      pos_ = open_;
    }
    return true;
  }

  bool step_member() {
    bool line = false;
    const std::size_t left = size() - pos_;
    const std::size_t n = scan_json(scan_, reinterpret_cast<const std::uint8_t*>(buffer_.data()) + pos_, left, &line);
    if (line) {
      pos_ += n;
      return line_in_string();
    }
    if (n > left) {
      pos_ = size();
      return false;
    }
    pos_ += n;
    state_ = State::object;
    return true;
  }

  // A string, a number or a word: up to the ',' or '}' behind it.
  bool step_scalar_member() {
    while (pos_ < size()) {
      const char c = at(pos_);
      if (scan_.escaped) {
        scan_.escaped = false;
      } else if (scan_.in_string) {
        if (c == '\n') return line_in_string();
        if (c == '\\') scan_.escaped = true;
        if (c == '"') scan_.in_string = false;
      } else if (c == '"') {
        scan_.in_string = true;
      } else if (c == ',' || c == '}') {
        state_ = State::object;
        return true;
      }
      ++pos_;
    }
    return false;
  }

  State state_ = State::top, back_ = State::top;  // back_: where a record lies, and where we are behind it
  JsonScan scan_;
  std::size_t pos_ = 0, step_from_ = 0;
  std::size_t open_ = kNone;  // where the record at hand begins; for a top-level object, as long as it may be one
  bool enveloped_ = false;    // the top-level object at hand has shown its records
  bool in_envelope_ = false;  // the array at hand is the envelope's
  bool member_scalar_ = false, finishing_ = false;
  std::string beginning_;
  std::uint64_t rescanned_ = 0;
};

}  // namespace

std::unique_ptr<Framer> make_framer(FrameSpec spec, const FrameLimits& limits) {
  if (spec.framing == LM_FRAMING_LINES) return std::make_unique<LineFramer>(std::move(spec), limits);
  return std::make_unique<JsonFramer>(std::move(spec), limits);
}

}  // namespace lm
