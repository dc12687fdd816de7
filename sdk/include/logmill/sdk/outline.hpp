// logmill/sdk/outline.hpp -- what a sample of JSON is made of, for score(): the members of its document and of its first record, by name. A text somewhere within the
// content decides nothing: whoever may write a tag into a record must not be able to hide the object that it stands in.
//
//   static int score(lm::Sample s) {
//     const lm::json::Outline outline(s, "Records");             // as the descriptor's envelope ("records" is the same); "" if there is none
//     return outline.record("eventSource") && outline.record("eventName") ? 95 : 0;
//   }
//
// The document is the first JSON object of the sample. The record is the first element of the array in the envelope's member, or of a top-level array, or the
// document itself where it is neither; a record that begins with the envelope's member is an envelope again (batches in an array, or in batches). Commas in front are passed over: a block
// out of the midst of an array begins so. Lines that are no JSON are passed over, a few of them: one bad record must not cost the object. The sample may end anywhere:
// what was seen until then counts. Views point into the sample. That of a whole sample is made once, however many parsers ask for it: by the host, if it is of 1.1, and it
// is good for as long as score() runs. Allocates a little; never throws but std::bad_alloc. One thread at a time.
#pragma once

#include <logmill/sdk/json.hpp>
#include <logmill/sdk/sample.hpp>

#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

namespace lm::json {

class Outline {
 public:
  explicit Outline(const Sample& sample, std::string_view envelope = {}) {
    const lm_sample* const from = sample.from;
    // Of a part of it another one would have to be made.
    const bool all = from && reinterpret_cast<const char*>(from->head) == sample.head.data() && from->head_size == sample.head.size();
    const lm_outline* const made =
        all && LM_HAS(lm_sample, from, outline) && from->outline ? from->outline(from, {envelope.data(), envelope.size()}) : nullptr;
    if (made) {
      document_ = {made->document, static_cast<std::size_t>(made->n_document)};
      record_ = {made->record, static_cast<std::size_t>(made->n_record)};
      clean_ = made->clean != 0;
    } else {
      make(sample.head, envelope);
    }
  }
  explicit Outline(std::string_view head, std::string_view envelope = {}) { make(head, envelope); }
  // Views of itself.
  Outline(const Outline&) = delete;
  Outline& operator=(const Outline&) = delete;

  // As the host hands it to plugins; valid as long as this is.
  lm_outline view() const { return {sizeof(lm_outline), clean_, document_.data(), document_.size(), record_.data(), record_.size()}; }

  // Whether a member of that name is there.
  bool document(std::string_view name) const { return find(document_, name) != nullptr; }
  bool record(std::string_view name) const { return find(record_, name) != nullptr; }
  // The same, whatever its case and with '-' for '_'.
  bool record_like(std::string_view name) const {
    return std::any_of(record_.begin(), record_.end(), [&](const lm_member& m) { return same_name(text(m.name), name); });
  }
  std::size_t record_members() const { return record_.size(); }
  // Its text, as it stands in the sample; absent if it is no string.
  Text document_text(std::string_view name) const { return text_of(find(document_, name)); }
  Text record_text(std::string_view name) const { return text_of(find(record_, name)); }
  // The record's member as it stands in the sample, which may end within it; for an Outline of its own. "" if it is not there.
  std::string_view record_raw(std::string_view name) const {
    const lm_member* const m = find(record_, name);
    return m ? text(m->raw) : std::string_view();
  }

  // True if no line was passed over.
  bool clean() const { return clean_; }

 private:
  static constexpr int kMostLines = 8, kMostEnvelopes = 8;
  static constexpr std::size_t kMostMembers = 256;
  using Members = std::span<const lm_member>;

  static std::string_view text(lm_str s) { return {s.data, static_cast<std::size_t>(s.size)}; }
  static lm_str str(std::string_view s) { return {s.data(), s.size()}; }
  static const lm_member* find(Members members, std::string_view name) {
    for (const lm_member& m : members) {
      if (text(m.name) == name) return &m;
    }
    return nullptr;
  }
  static Text text_of(const lm_member* m) { return m && m->text.data ? Text(text(m->text)) : Text(); }

  void make(std::string_view head, std::string_view envelope) {
    for (int line = 0; line < kMostLines && !head.empty(); ++line) {
      const std::size_t begin = head.find_first_not_of(" \t\r\n,");
      if (begin == std::string_view::npos) return;
      head.remove_prefix(begin);
      if (read(head, envelope)) {
        document_ = made_document_, record_ = enveloped_ || *head.data() == '[' ? Members(made_record_) : document_;
        return;
      }
      made_document_.clear(), made_record_.clear();
      const std::size_t end = head.find('\n');
      head.remove_prefix(end == std::string_view::npos ? head.size() : end + 1);
      clean_ = false;
    }
  }

  // False: this is no JSON. A sample that ends within the JSON is none the less.
  bool read(std::string_view text, std::string_view envelope) {
    at_ = text.data(), end_ = at_ + text.size();
    if (*at_ == '[') {
      ++at_;
      return skip_space() ? at_ == end_ : *at_ != '{' || object(envelope, made_record_, 1);
    }
    return *at_ == '{' && object(envelope, made_document_);
  }

  // at_ stands on '{'. `depth`: of elements in arrays of records.
  bool object(std::string_view envelope, std::vector<lm_member>& members, int depth = 0) {
    ++at_;
    for (;;) {
      if (skip_space()) return true;
      if (*at_ == '}') return ++at_, true;
      if (*at_ == ',' && !members.empty()) {
        ++at_;
        continue;
      }
      std::string_view name;
      if (*at_ != '"') return false;
      if (!string(name)) return true;
      if (skip_space()) return true;
      if (*at_ != ':') return false;
      ++at_;
      if (skip_space()) return true;
      if (members.size() < kMostMembers) members.push_back({str(name), {}, {}});
      if (*at_ == '"') {
        std::string_view text;
        if (!string(text)) return true;
        if (members.back().name.data == name.data()) members.back().text = str(text);
      } else if (*at_ == '[' && !envelope.empty() && equals_but_first_case(name, envelope) &&
                 (depth == 0 || (members.size() == 1 && depth < kMostEnvelopes))) {
        enveloped_ = true;
        ++at_;
        made_record_.clear();
        if (skip_space()) return true;
        return *at_ != '{' || object(envelope, made_record_, depth + 1);
      } else {
        const char* const first = at_;
        const bool whole = value();
        if (members.back().name.data == name.data()) members.back().raw = {first, static_cast<std::size_t>(at_ - first)};
        if (!whole) return true;
      }
    }
  }

  // True at the end of the sample.
  bool skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r' || *at_ == '\n')) ++at_;
    return at_ == end_;
  }

  // at_ stands on the quote. False: the sample ends within.
  bool string(std::string_view& out) {
    const char* const first = ++at_;
    for (; at_ != end_ && *at_ != '"'; ++at_) {
      if (*at_ == '\\' && ++at_ == end_) return false;
    }
    if (at_ == end_) return false;
    out = {first, static_cast<std::size_t>(at_ - first)};
    ++at_;
    return true;
  }

  // Passes over a value that is no string. False: the sample ends within.
  bool value() {
    if (*at_ != '{' && *at_ != '[') {
      while (at_ != end_ && *at_ != ',' && *at_ != '}' && *at_ != ']' && static_cast<unsigned char>(*at_) > ' ') ++at_;
      return at_ != end_;
    }
    std::size_t depth = 0;
    while (at_ != end_) {
      const char c = *at_;
      if (c == '"') {
        std::string_view text;
        if (!string(text)) return false;
        continue;
      }
      ++at_;
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) return true;
    }
    return false;
  }

  const char* at_ = nullptr;
  const char* end_ = nullptr;
  std::vector<lm_member> made_document_, made_record_;
  Members document_, record_;
  bool enveloped_ = false, clean_ = true;
};

}  // namespace lm::json
