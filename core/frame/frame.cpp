#include "frame/frame.hpp"

#include "frame/json_scan.hpp"
#include "frame/line_scan.hpp"

#include <logmill/sdk/json.hpp>
#include <logmill/sdk/text.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <string>

namespace lm {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);
constexpr std::size_t kFirstBuffer = 128 << 10;  // objects of 2 kB stay cheap
constexpr std::size_t kLeastSpace = 64 << 10;
constexpr std::size_t kMostBytes = std::size_t{1} << 30;  // of a block or record: lm_record counts in 32 bits

// What both framings share: the buffer that the decoder writes into, the records found in it, and cutting.
// Positions are indices into the buffer; stream offsets are base_ + index.
class FramerBase : public Framer {
 public:
  FramerBase(FrameSpec spec, const FrameLimits& limits) : spec_(std::move(spec)), limits_(limits) {
    limits_.block_size = std::min(limits_.block_size, kMostBytes);
    limits_.max_record = std::clamp(limits_.max_record, std::size_t{1}, kMostBytes);
    buffer_.reserve(kFirstBuffer);
  }

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
    const std::size_t expected = records_.size() + records_.size() / 4;
    if (keep < buffer_.capacity() / 2) {
      // Many small objects wait for their parse together: what goes out is of the right size, and the large buffer stays.
      block.data.reserve(keep);
      block.data.append(buffer_.contents().first(keep));
      std::memmove(buffer_.data(), buffer_.data() + keep, buffer_.size() - keep);
      buffer_.resize(buffer_.size() - keep);
    } else {
      // The first full block shows that the object is large: the next buffer need not grow step by step.
      const std::size_t capacity = keep >= limits_.block_size ? limits_.block_size + kFirstBuffer : kFirstBuffer;
      Buffer rest(std::max(capacity, buffer_.size() - keep + kLeastSpace));
      rest.append(buffer_.contents().subspan(keep));
      buffer_.resize(keep);
      block.data = std::exchange(buffer_, std::move(rest));
    }
    deliver(std::move(block));
    records_.reserve(expected);
    base_ += keep;
    first_ -= std::min(first_, keep);
    shift(keep);
  }

  // As cut, but the bytes of a block that must leave now are copied, so that every index stays. Only the records' own bytes are: input that asks for this at
  // every record must not cost its square.
  void cut_records() {
    if (records_.empty()) return;
    Block block;
    const std::uint32_t from = records_.front().offset, end = records_.back().offset + records_.back().length;
    block.data.reserve(end - from);
    block.data.append(buffer_.contents().subspan(from, end - from));
    for (lm_record& r : records_) r.offset -= from;
    deliver(std::move(block), from);
  }

  // `from`: where in the buffer the block's bytes begin.
  void deliver(Block block, std::size_t from = 0) {
    block.records = std::exchange(records_, {});
    block.offset = base_ + from;
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
        if (spec_.are_prologues) ask(line_, std::array{static_cast<std::uint32_t>(end)});
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
    find_line_ends(buffer_.bytes(), scanned_, buffer_.size(), ends_);
    scanned_ = buffer_.size();
    if (spec_.are_prologues && !ends_.empty()) ask(line_, ends_);
    for (const std::size_t end : ends_) {  // a prologue cuts records off, but moves no byte
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

  [[gnu::always_inline]] void take_line(std::size_t from, std::size_t to) {
    if (to > from && at(to - 1) == '\r') --to;
    if (to == from || (static_cast<unsigned char>(at(from)) <= ' ' && blank(from, to))) return;
    if (spec_.are_prologues ? asked_[next_asked_++] != 0 : spec_.is_prologue && spec_.is_prologue(text(from, to)))
      return take_prologue(from, to);
    if (in_prologue_) end_prologue();
    add_record(from, to);
  }

  // Asks at once for the lines that take_line will look at: those that begin at `from` and end there.
  [[gnu::noinline]] void ask(std::size_t from, std::span<const std::uint32_t> ends) {
    lines_.clear();
    next_asked_ = 0;
    const std::size_t begin = from;
    bool skipping = skipping_;
    for (const std::size_t end : ends) {
      const std::size_t at = std::exchange(from, end + 1);
      if (std::exchange(skipping, false) || end - at > limits_.max_record) continue;
      std::size_t to = end;
      if (to > at && this->at(to - 1) == '\r') --to;
      if (to != at && !blank(at, to)) lines_.push_back({static_cast<std::uint32_t>(at - begin), static_cast<std::uint32_t>(to - at)});
    }
    asked_.assign(lines_.size(), 0);
    if (!lines_.empty()) spec_.are_prologues(text(begin, ends.back()), lines_, asked_);
  }

  [[gnu::noinline]] void take_prologue(std::size_t from, std::size_t to) {
    cut_records();
    if (!in_prologue_) header_.clear();
    in_prologue_ = true;
    // Headers of a size that no format has are as little held whole as records are.
    if (!header_.empty() && header_.size() < limits_.max_record) header_ += '\n';
    header_.append(text(from, to).substr(0, limits_.max_record - std::min(limits_.max_record, header_.size())));
  }
  [[gnu::noinline]] void end_prologue() {
    prologue_ = std::make_shared<const std::string>(header_);
    in_prologue_ = false;
  }

  std::size_t line_ = 0, scanned_ = 0;  // where the line at hand begins; how far we looked for its end
  std::vector<std::uint32_t> ends_;     // of the lines in what came last
  std::vector<lm_record> lines_;        // that were asked for together, with the answers, and the next of them
  std::vector<std::uint8_t> asked_;
  std::size_t next_asked_ = 0;
  bool in_prologue_ = false;
  std::string header_;  // the header lines so far; they become the prologue with the first record below them
};

// ---- JSON ----

// Where the scan stands:
//   top       between documents
//   array     among the elements of a top-level array or of the envelope's
//   document  in a top-level object that is small enough to be looked at whole
//   object    among the members of a top-level object that may turn out to be an envelope; key, colon, value and member are within such a member
//   record    in a value that is a record: element or document
//   closing   behind a record in an array, until it shows that the array goes on
//   scalar    in something else than an object or an array, where a record could be
//   lost      in a record that is broken, on the way to the next one
// A top-level object is a record itself unless it has the envelope's member, whose first letter may be small or a capital; its members are looked at one by one for that. Where a parser has no envelope,
// they are not. An element of an array is an envelope too if it begins with that member: collectors put batches into arrays, and batches into batches.
//
// What was cut out of such a document is read as well: elements with commas between them and in front, and the end of the array and of the object around it behind them.
//
// A record that lacks a quote or a bracket would swallow what follows. Mostly the scan proves it at once (json_scan.hpp); otherwise it shows by how the record
// ends, by the size limit, or by the end of the stream. Then we go back and look for the next place where a record begins; what lies before it is
// a record of its own, which its parser will reject. How often the same bytes may be scanned again is bounded: input made of broken records must not cost its
// square. Beyond that bound the search begins where the scan stands.
class JsonFramer final : public FramerBase {
 public:
  using FramerBase::FramerBase;

  void finish(std::string_view torn) override {
    if (!started_) start();
    finishing_ = true;
    for (;;) {
      scan();
      if (open_ == kNone || skipping_ || state_ == State::lost || state_ == State::scalar) break;
      if (state_ == State::document) {
        by_member();
      } else if (torn.empty()) {
        unfinished_ = get_lost();
        if (!unfinished_) break;
      } else if (beginnings_.empty() || !swallowed(size())) {  // that the record is unfinished is no proof that it is broken
        break;
      }
    }
    const std::size_t end = size();
    if (skipping_) {
      end_oversize();
    } else if (open_ != kNone) {
      const std::size_t to = trimmed(open_, end, false);
      if ((state_ == State::scalar || (state_ == State::lost && !unfinished_)) && torn.empty()) {
        add_record(open_, to);
      } else {
        add_reject(open_, to, LM_REJECT_TRUNCATED,
                   torn.empty() ? std::string("the JSON ends inside this record") : fmt::format("the record is cut off: {}", torn));
      }
    } else if ((state_ == State::array || nested_ != 0) && torn.empty()) {
      // Nothing of a record is left over, but more may have followed: that must not go unsaid.
      add_reject(end, end, LM_REJECT_TRUNCATED, "the JSON ends inside the array of records: there may have been more of them");
    } else if (enveloped_ && state_ != State::top && torn.empty()) {
      add_reject(end, end, LM_REJECT_TRUNCATED, "the JSON ends inside the object that the array of records is in");
    }
    open_ = kNone;
    pos_ = end;
    cut(end);
  }

 private:
  enum class State { top, array, document, object, key, colon, value, member, member_scalar, record, closing, scalar, lost };
  static constexpr std::size_t kContext = 256;             // how far around its brace the beginning of a record is looked at
  static constexpr std::size_t kWholeDocument = 64 << 10;  // a larger document is looked at member by member
  static constexpr std::size_t kMostSpace = 4096;          // white space behind a record that we wait through
  static constexpr std::size_t kMostBeginnings = 16;
  static constexpr unsigned kMostLearned = 1000;
  static constexpr std::uint64_t kRescanBase = 64 << 20, kRescanFactor = 8;

  static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
  std::size_t size() const { return buffer_.size(); }

  void shift(std::size_t count) override {
    pos_ -= count;
    if (open_ != kNone) open_ -= std::min(open_, count);
    lost_at_ -= std::min(lost_at_, count);
    closed_at_ -= std::min(closed_at_, count);
  }

  void scan() override {
    if (pos_ < first_) pos_ = first_;
    for (;;) {
      step_from_ = pos_;
      // At the end what waited for more is decided without.
      const bool more = (pos_ < size() || (finishing_ && (state_ == State::lost || state_ == State::closing))) && step();
      if (skipping_) oversize_.length += pos_ - step_from_;
      if (more) continue;
      if (!skipping_ && open_ != kNone && state_ != State::closing && size() - open_ > limits_.max_record) {
        // In a sound record of this size nothing looks like the beginning of another, as far as those before it tell.
        if (state_ != State::lost && !spec_.holds_others && (knows_beginnings(pos_) || back_ == State::top) && may_rescan()) {
          if (const std::size_t found = find_beginning(open_ + 1, size(), true); found != kNone) {
            cut_off(found);
            continue;
          }
        }
        begin_oversize(open_, pos_);
      }
      break;
    }
    if (skipping_) {
      open_ = pos_;
      // What a beginning is told by stays.
      const std::size_t keep = pos_ - std::min(pos_, kContext);
      if (keep >= kLeastSpace || keep > limits_.max_record) drop(keep);
    } else if (const std::size_t keep = open_ != kNone ? open_ : pos_; keep >= limits_.block_size) {
      cut(keep);
    }
  }

  // One step forward; false: more bytes are needed.
  bool step() {
    switch (state_) {
      case State::top: return step_between(State::top);
      case State::array: return step_between(State::array);
      case State::document: return step_document();
      case State::object: return step_object();
      case State::key: return step_key();
      case State::colon: return step_colon();
      case State::value: return step_value();
      case State::member: return step_member();
      case State::member_scalar: return step_member_scalar();
      case State::record: return step_record();
      case State::closing: return step_closing();
      case State::scalar: return step_scalar();
      case State::lost: return step_lost();
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
      behind_ = Behind::records;
      array_ended_ = true;
      return true;
    }
    if (here == State::array && c == '{' && !spec_.envelope.empty()) {
      const Envelope there = envelope_at(pos_);
      if (there.open) return false;
      if (there.records != kNone) {
        pos_ = there.records;
        ++nested_;
        in_envelope_ = enveloped_ = true;
        return true;
      }
    }
    if (here == State::top && c == '[') {
      ++pos_;
      in_envelope_ = false;
      in_array_ = true;
      nested_ = 0;
      state_ = State::array;
      return true;
    }
    if (here == State::top && c == ']' && ordinal_ != 0) {
      // The end of what others have the beginning of.
      const std::size_t most = std::min(size(), pos_ + 1 + kMostSpace);
      const std::size_t next = after_space(pos_ + 1, most);
      if (next == size() && !finishing_) return false;
      if (next == most || at(next) == '}') {
        pos_ = next == most ? next : next + 1;
        return true;
      }
    }
    open_ = pos_;
    back_ = here;
    scan_ = {};
    text_ = c == '"';
    if (here == State::top && c == '{' && !spec_.envelope.empty()) {
      enveloped_ = false;
      state_ = State::document;
    } else {
      // What is neither object nor array is no record, but must not be lost: its parser will reject it.
      state_ = c == '{' || c == '[' ? State::record : State::scalar;
    }
    return true;
  }

  // Whether the object at `i` begins as an envelope does, and where its records begin.
  struct Envelope {
    bool open = false;  // not enough of it is there
    std::size_t records = kNone;
  };
  Envelope envelope_at(std::size_t i) const {
    const std::size_t end = std::min(size(), i + kContext);
    const auto ends = [&] { return Envelope{end == size() && !finishing_, kNone}; };
    const std::size_t n = spec_.envelope.size();
    i = after_space(i + 1, end);
    if (i < end && at(i) != '"') return {};
    if (i < end && i + 1 < end && lower(at(i + 1)) != lower(spec_.envelope[0])) return {};
    if (i + n + 2 > end) return ends();
    if (at(i + n + 1) != '"' || !equals_but_first_case(text(i + 1, i + n + 1), spec_.envelope)) return {};
    i = after_space(i + n + 2, end);
    if (i == end) return ends();
    if (at(i) != ':') return {};
    i = after_space(i + 1, end);
    if (i == end) return ends();
    if (at(i) != '[') return {};
    // A list without elements is all of an empty batch; with members behind it, a record's own.
    const Envelope found{false, i + 1}, unsure = ends().open ? ends() : found;
    std::size_t next = after_space(i + 1, end);
    if (next == end) return unsure;
    if (at(next) != ']') return found;
    next = after_space(next + 1, end);
    if (next == end) return unsure;
    return at(next) == '}' ? found : Envelope{};
  }

  enum class Scanned { more, closed, broken };

  // Moves pos_ on through the value at hand.
  Scanned scan_value() {
    bool broken = false;
    const std::size_t left = size() - pos_;
    const std::size_t before = open_ == kNone ? 0 : skipping_ ? std::min<std::uint64_t>({pos_, kContext, oversize_.length}) : pos_ - open_;
    const std::size_t n = scan_json(scan_, reinterpret_cast<const std::uint8_t*>(buffer_.data()) + pos_, left, before, &broken);
    if (broken) {
      pos_ += n;
      return Scanned::broken;
    }
    pos_ += std::min(n, left);
    return n > left ? Scanned::more : Scanned::closed;
  }

  // A document that closes soon and does not name the envelope is a record; any other is looked at member by member, from its beginning.
  bool step_document() {
    const Scanned scanned = scan_value();
    if (scanned == Scanned::more && size() - open_ <= std::min(kWholeDocument, limits_.max_record)) return false;
    if (scanned == Scanned::closed && at(pos_ - 1) == '}' && scan_.braces == 0 &&
        text(open_, pos_).find(std::string_view(spec_.envelope).substr(1)) == std::string_view::npos) {
      end_record(pos_);
      return true;
    }
    by_member();
    return true;
  }
  void by_member() {
    pos_ = open_ + 1;
    scan_ = {};
    state_ = State::object;
  }

  bool step_record() {
    switch (scan_value()) {
      case Scanned::more: return false;
      case Scanned::broken: return get_lost() || more_to_skip();
      case Scanned::closed: break;
    }
    if (skipping_) {
      end_record(pos_);
      return true;
    }
    const bool matches = (at(open_) == '{') == (at(pos_ - 1) == '}') && scan_.braces == 0;
    if (matches && back_ == State::array) {
      closed_at_ = pos_;
      state_ = State::closing;
      return true;
    }
    if (!matches) {
      if (swallowed(pos_)) return true;
      // The bracket that closed it was the array's.
      if (back_ == State::array && at(open_) == '{' && at(pos_ - 1) == ']') --pos_;
    }
    end_record(pos_);
    return true;
  }

  // A record that lost a quote may seem to end at any bracket; but what follows will hardly be what follows an element.
  bool step_closing() {
    while (pos_ < size() && is_space(at(pos_)) && pos_ - closed_at_ < kMostSpace) ++pos_;
    if (pos_ == size() && !finishing_) return false;
    if (pos_ == size()) {
      // The array's end may be in it, if it is not an object that is sound by itself.
      if (may_rescan() && !is_sound_object() && swallowed(closed_at_)) return true;
    } else {
      const char c = at(pos_);
      if (!is_space(c) && c != ',' && c != ']' && c != '{' && swallowed(closed_at_)) return true;
    }
    end_record(closed_at_);
    return true;
  }

  bool is_sound_object() {
    rescanned_ += closed_at_ - open_;
    return at(open_) == '{' && json::Reader().valid(text(open_, closed_at_));
  }

  // The record at hand, which ends at `end`, shows the beginning of another inside: it is cut off there.
  bool swallowed(std::size_t end) {
    if (spec_.holds_others || !may_rescan()) return false;
    if (!knows_beginnings(end)) return breaks_before(end);
    const std::size_t found = find_beginning(open_ + 1, end, true);
    if (found == kNone) return guessed_ && breaks_before(end);
    cut_off(found);
    return true;
  }
  // Nobody knows how others begin: then the next one is looked for behind the place where this one is no JSON any more.
  bool breaks_before(std::size_t end) {
    if (back_ != State::array || skipping_) return false;
    json::Reader reader;
    rescanned_ += 2 * (end - open_);
    if (reader.valid(text(open_, end)) || reader.too_deep() || reader.error_offset() >= end - open_) return false;
    if (at(open_ + reader.error_offset()) == ']') return false;  // the array's own, where a brace is missing
    if (std::exchange(guessed_, false)) beginnings_.clear();
    lost_at_ = pos_ = open_ + std::max<std::size_t>(reader.error_offset(), 1);
    state_ = State::lost;
    return true;
  }

  // A scalar ends where something else may begin. In an array only text has quotes, two of them, and nothing behind the second: with any other quote, what is text and what
  // is structure would change places in all that follows. Between documents the line's end, or a record that begins as others did, ends it as well.
  bool step_scalar() {
    const bool element = back_ == State::array;
    for (; pos_ < size(); ++pos_) {
      const char c = at(pos_);
      if (scan_.escaped) {
        scan_.escaped = false;
      } else if (c == '\n') {
        break;
      } else if (scan_.in_string) {
        if (c == '{' && !text_) {
          if (size() - pos_ < kContext && !finishing_) return false;
          if (known(pos_, size())) break;
        }
        if (c == '\\') scan_.escaped = true;
        if (c == '"') scan_.in_string = false;
      } else if (c == '"' && (!element || (pos_ == open_ && !skipping_))) {
        scan_.in_string = true;
      } else if (pos_ != open_ || skipping_) {
        if (c == '{' || c == '[' || (element && (c == ',' || c == ']'))) break;
        if (element && text_ && !is_space(c) && get_lost()) return true;
      }
    }
    if (pos_ == size()) return false;
    end_record(pos_);
    return true;
  }

  // `to` without the white space (and commas) before it.
  std::size_t trimmed(std::size_t from, std::size_t to, bool commas) const {
    while (to > from + 1 && (is_space(at(to - 1)) || (commas && at(to - 1) == ','))) --to;
    return to;
  }

  void end_record(std::size_t to) {
    if (skipping_) {
      oversize_.length += pos_ - step_from_;
      end_oversize();
    } else {
      to = trimmed(open_, to, false);
      if (to - open_ > limits_.max_record) {
        begin_oversize(open_, to);
        end_oversize();
      } else {
        add_record(open_, to);
        if (guessed_ && text(open_, to).starts_with(beginnings_.front().first_key)) {
          beginnings_.erase(beginnings_.begin());
          guessed_ = false;
        }
        learn(open_, to);
      }
    }
    open_ = kNone;
    state_ = back_;
    if (pos_ >= limits_.block_size) cut(pos_);
  }

  // Whether a record's first two keys stand here.
  bool are_known_keys(std::size_t from) const {
    const std::string_view there = text(from, std::min(size(), from + kContext));
    return std::any_of(beginnings_.begin(), beginnings_.end(), [&](const Beginning& b) {
      const std::string_view key = std::string_view(b.first_key).substr(b.first_key.find('"'));
      return !b.second_key.empty() && there.starts_with(key) && b.goes_on(there.substr(key.size()));
    });
  }

  // How records of this object begin.
  void learn(std::size_t from, std::size_t to) {
    if (learned_ == kMostLearned || beginnings_.size() == kMostBeginnings || at(from) != '{') return;
    ++learned_;
    if (known(from, to)) return;
    std::size_t i = from + 1;
    const std::size_t end = std::min(to, from + kContext);
    while (i < end && is_space(at(i))) ++i;
    if (i == end || at(i) != '"') return;
    while (++i < end && at(i) != '"' && at(i) != '\\') {}
    if (i == end || at(i) != '"') return;
    const std::size_t key_end = i + 1;
    while (++i < end && is_space(at(i))) {}
    if (i < end && at(i) == ':') beginnings_.push_back({std::string(text(from, key_end)), std::string(next_key(text(i + 1, end)))});
  }
  // From a record that may be broken, until there is a sound one like it.
  void guess(std::size_t to) {
    learn(open_, to);
    guessed_ = !beginnings_.empty();
  }
  // The first element of an array, which ends at `to` or beyond, says itself how they begin; if by two keys, for objects within it may have the first one, too.
  bool knows_beginnings(std::size_t to) {
    if (!beginnings_.empty() || back_ != State::array) return !beginnings_.empty();
    guess(to);
    if (guessed_ && beginnings_.front().second_key.empty()) beginnings_.clear(), guessed_ = false;
    return !beginnings_.empty();
  }
  // Behind a key and its colon: the next key with its quotes, if there is but a string, a number or a word between them; else "".
  static std::string_view next_key(std::string_view text) {
    std::size_t i = 0;
    const auto pass = [&](auto&& is) {
      while (i < text.size() && is(text[i])) ++i;
    };
    const auto pass_string = [&] {
      for (++i; i < text.size() && text[i] != '"'; ++i) i += text[i] == '\\';
      return ++i <= text.size();
    };
    pass(is_space);
    if (i == text.size()) return {};
    if (text[i] != '"') {
      pass([](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' || c == 'E'; });
    } else if (!pass_string()) {
      return {};
    }
    pass(is_space);
    if (i == text.size() || text[i] != ',') return {};
    ++i;
    pass(is_space);
    const std::size_t begin = i;
    if (i == text.size() || text[i] != '"' || !pass_string()) return {};
    return text.substr(begin, i - begin);
  }
  bool known(std::size_t from, std::size_t to) const {
    const std::string_view there = text(from, std::min(to, from + kContext));
    return std::any_of(beginnings_.begin(), beginnings_.end(),
                       [&](const Beginning& b) { return there.starts_with(b.first_key) && b.goes_on(there.substr(b.first_key.size())); });
  }

  bool may_rescan() const { return rescanned_ < kRescanBase + kRescanFactor * (base_ + size()); }

  // The record at hand is broken: from here on we look for the next one. False: nothing to look in.
  bool get_lost() {
    if (open_ == kNone || spec_.holds_others) return false;
    if (skipping_) {
      lost_at_ = pos_;
    } else {
      if (beginnings_.empty() && back_ == State::array) {
        guess(pos_);
        if (guessed_) beginnings_.front().second_key.clear();  // it may be the broken one
      }
      const std::size_t proven_at = std::max(pos_, open_ + 1);
      lost_at_ = may_rescan() ? open_ + 1 : proven_at;
      rescanned_ += 2 * (proven_at - lost_at_);  // searched, and then perhaps scanned again
      pos_ = lost_at_;
    }
    state_ = State::lost;
    return true;
  }
  bool more_to_skip() const { return pos_ < size(); }

  bool step_lost() {
    const std::size_t found = find_beginning(lost_at_, size(), false);
    if (found != kNone) {
      cut_off(found);
      return true;
    }
    if (finishing_ && guessed_ && !unfinished_ && !skipping_ && may_rescan()) {
      // None begins as the broken one does: then any is taken.
      beginnings_.clear();
      guessed_ = false;
      rescanned_ += 2 * (size() - open_);
      lost_at_ = pos_ = open_ + 1;
      return true;
    }
    // Near the end of what is there a beginning cannot be told yet.
    lost_at_ = std::max(lost_at_, finishing_ ? size() : size() - std::min(size(), kContext));
    pos_ = lost_at_;
    return false;
  }

  // The first '{' in [from, to) at which a record begins, judged by what stands around it. `strict`: the record at hand is not proven to be broken; then only
  // what begins as a record before did counts, or a line of its own between documents. Sets next_state_.
  std::size_t find_beginning(std::size_t from, std::size_t to, bool strict) {
    // A record that is proven broken waits until enough of what follows is there; otherwise what is there is all that counts.
    const std::size_t end = finishing_ || strict ? to : std::min(to, size() - std::min(size(), kContext));
    look_to_ = strict ? to : size();
    for (std::size_t i = from; i < end; ++i) {
      const void* brace = std::memchr(buffer_.data() + i, '{', end - i);
      if (!brace) return kNone;
      i = static_cast<std::size_t>(static_cast<const std::byte*>(brace) - buffer_.data());
      if (begins_record(i, strict)) return i;
    }
    return kNone;
  }

  bool begins_record(std::size_t i, bool strict) {
    const std::size_t least = i - std::min(i, kContext);
    std::size_t back = i;
    while (back > least && is_space(at(back - 1))) --back;
    if (back == least) return false;
    const char last = at(back - 1);
    if (at(i - 1) == '\n') {
      const std::size_t key = after_space(i + 1);
      const std::string_view name = text(key, std::min(look_to_, key + spec_.envelope.size() + 2));
      const bool envelope = !spec_.envelope.empty() && name.size() == spec_.envelope.size() + 2 && name.front() == '"' &&
                            name.back() == '"' && equals_but_first_case(name.substr(1, name.size() - 2), spec_.envelope);
      if (envelope || back_ == State::top) {
        // Between an object's members nothing but a broken line ends so; within an array of the record an object may well begin a line.
        if (strict && (last == ',' || last == '[' || last == ':')) return false;
        next_state_ = State::top;
        return true;
      }
      if (!strict || known(i, look_to_)) {
        next_state_ = State::array;
        return true;
      }
    }
    if (beginnings_.empty() ? strict : !known(i, look_to_)) return false;
    std::size_t before = back - 1;
    while (before > least && is_space(at(before - 1))) --before;
    if (back_ == State::top) {
      next_state_ = State::top;
      if (beginnings_.empty()) return false;
      return last == '}' || (array_ended_ && last == ',' && before > least && at(before - 1) == '}');
    }
    if (last != ',') return false;
    const std::size_t key = after_space(i + 1);
    next_state_ = State::array;
    // A record that broke off may have lost its brace; one that begins as others do is told without it.
    return before > least && (at(before - 1) == '}' || text_ || !beginnings_.empty()) && key < look_to_ && at(key) == '"';
  }
  std::size_t after_space(std::size_t i) const { return after_space(i, std::max(i, std::min(look_to_, i + kContext / 2))); }
  std::size_t after_space(std::size_t i, std::size_t end) const {
    while (i < end && is_space(at(i))) ++i;
    return i;
  }

  // The next record begins at `next`; what is before it is a record of its own.
  void cut_off(std::size_t next) {
    if (skipping_) {
      pos_ = std::max(next, step_from_);
      oversize_.length += pos_ - step_from_;
      end_oversize();
    } else {
      if (pos_ > next) rescanned_ += 2 * (pos_ - next);
      const std::size_t to = trimmed(open_, next, true);
      if (to - open_ > limits_.max_record) {
        begin_oversize(open_, to);
        end_oversize();
      } else if (back_ == State::array && next_state_ == State::top && at(to - 1) != '}' && at(to - 1) != ']') {
        add_reject(open_, to, LM_REJECT_TRUNCATED,
                   "the record is cut off, and the array of records with it: another document begins behind it");
      } else {
        add_record(open_, to);
      }
      pos_ = next;
    }
    open_ = kNone;
    unfinished_ = false;
    state_ = next_state_;
    if (state_ == State::top) nested_ = 0;
    if (pos_ >= limits_.block_size) cut(pos_);
  }

  bool step_object() {
    const char c = at(pos_);
    if (is_space(c) || c == ',') {
      if (c == ',' && behind_ == Behind::records) behind_ = Behind::comma;
      ++pos_;
    } else if (c == '"' && behind_ != Behind::others) {
      if (size() - pos_ < kContext && !finishing_) return false;
      if (enveloped_ && (behind_ == Behind::records || are_known_keys(pos_))) {
        state_ = State::array;  // it has not ended: a record lacks its brace
      } else {
        behind_ = Behind::others;
      }
    } else if (c == '}') {
      ++pos_;
      if (nested_ != 0) {
        --nested_;
        in_envelope_ = enveloped_ = nested_ != 0 || !in_array_;
        state_ = State::array;
      } else if (enveloped_) {
        state_ = State::top;
      } else {
        end_record(pos_);
      }
    } else if (c == '"') {
      ++pos_;
      key_matched_ = 0;
      key_matches_ = true;
      scan_ = {};
      state_ = State::key;
    } else {
      return no_object();
    }
    return true;
  }

  // A key may be of any length: it is compared as it comes.
  bool step_key() {
    for (; pos_ < size(); ++pos_) {
      const char c = at(pos_);
      if (scan_.escaped) {
        scan_.escaped = false;
      } else if (c == '"') {
        key_matches_ = key_matches_ && key_matched_ == spec_.envelope.size();
        ++pos_;
        state_ = State::colon;
        return true;
      } else if (c == '\n') {
        return no_object();
      } else if (c == '\\') {
        scan_.escaped = true;
        key_matches_ = false;
      } else {
        key_matches_ = key_matches_ && key_matched_ < spec_.envelope.size() &&
                       (key_matched_ == 0 ? lower(spec_.envelope[0]) == lower(c) : spec_.envelope[key_matched_] == c);
        key_matched_ += key_matches_;
      }
    }
    return false;
  }

  bool step_colon() {
    const char c = at(pos_);
    if (c != ':' && !is_space(c)) return no_object();
    if (c == ':') state_ = State::value;
    ++pos_;
    return true;
  }

  bool step_value() {
    const char v = at(pos_);
    if (is_space(v)) {
      ++pos_;
      return true;
    }
    if (key_matches_ && (v == '[' || v == 'n')) {
      // The document is an envelope: what was passed over are members without records.
      enveloped_ = in_envelope_ = true;
      if (nested_ == 0) in_array_ = false;
      skipping_ = false;
      oversize_ = {};
      open_ = kNone;
      if (v == '[') {
        ++pos_;
        state_ = State::array;
        return true;
      }
    }
    scan_ = {};
    state_ = v == '{' || v == '[' ? State::member : State::member_scalar;
    return true;
  }

  // What looked like an object is none. It is read on as a record, by its brackets alone, so that its parser can reject it.
  bool no_object() {
    if (enveloped_) {
      enveloped_ = false;
      nested_ = 0;
      state_ = State::top;
      return true;
    }
    if (skipping_) return get_lost();
    state_ = State::record;
    scan_ = {};
    pos_ = open_;
    return true;
  }

  bool step_member() {
    switch (scan_value()) {
      case Scanned::more: return false;
      // In a member of an envelope other than the records nothing is a record.
      case Scanned::broken: return (!enveloped_ && get_lost()) || more_to_skip();
      case Scanned::closed: break;
    }
    state_ = State::object;
    return true;
  }

  // A string, a number or a word: up to the ',' or '}' behind it.
  bool step_member_scalar() {
    for (; pos_ < size(); ++pos_) {
      const char c = at(pos_);
      if (scan_.escaped) {
        scan_.escaped = false;
      } else if (scan_.in_string) {
        if (c == '\n' && !enveloped_) return get_lost();
        if (c == '\\') scan_.escaped = true;
        if (c == '"') scan_.in_string = false;
      } else if (c == '"') {
        scan_.in_string = true;
      } else if (c == ',' || c == '}') {
        state_ = State::object;
        return true;
      } else if ((c == '{' || c == '[') && !enveloped_) {
        return no_object();
      }
    }
    return false;
  }

  State state_ = State::top, back_ = State::top;  // back_: where a record lies, and where we are behind it
  State next_state_ = State::top;                 // where the beginning lies that was found
  JsonScan scan_;
  std::size_t pos_ = 0, step_from_ = 0;
  std::size_t open_ = kNone;  // where the record at hand begins; for a top-level object, as long as it may be one
  std::size_t closed_at_ = 0, lost_at_ = 0;
  std::size_t look_to_ = 0;      // where the search for a beginning has to stop looking
  std::size_t key_matched_ = 0;  // bytes of the key that agree with the envelope's name
  bool key_matches_ = false;
  bool enveloped_ = false;                                                // the top-level object at hand has shown its records
  bool in_envelope_ = false;                                              // the array at hand is the envelope's
  bool in_array_ = false;                                                 // the outermost is no envelope's
  std::size_t nested_ = 0;                                                // envelopes around the array at hand, less the outermost
  enum class Behind { records, comma, others } behind_ = Behind::others;  // what a member of the envelope stands behind
  bool text_ = false;                                                     // the scalar at hand, or that broke, began with a quote
  bool finishing_ = false;
  bool unfinished_ = false;  // lost only because the stream ended
  struct Beginning {
    std::string first_key;   // from the brace to the closing quote
    std::string second_key;  // with its quotes; empty: not known
    bool goes_on(std::string_view behind_first) const {
      if (second_key.empty()) return true;
      const std::size_t colon = behind_first.find(':');
      return colon != std::string_view::npos && next_key(behind_first.substr(colon + 1)) == second_key;
    }
  };
  std::vector<Beginning> beginnings_;
  unsigned learned_ = 0;      // records that were looked at for them
  bool guessed_ = false;      // the first is of a record that may be broken
  bool array_ended_ = false;  // or seemed to: elements may stand where documents do
  std::uint64_t rescanned_ = 0;
};

}  // namespace

std::unique_ptr<Framer> make_framer(FrameSpec spec, const FrameLimits& limits) {
  if (spec.framing == LM_FRAMING_LINES) return std::make_unique<LineFramer>(std::move(spec), limits);
  return std::make_unique<JsonFramer>(std::move(spec), limits);
}

}  // namespace lm
