#include "plugin_host/key_pattern.hpp"

#include <algorithm>
#include <cstring>

namespace lm {

std::optional<KeyPattern> KeyPattern::compile(std::string_view pattern) {
  if (pattern.empty()) return std::nullopt;
  KeyPattern out;
  std::string literal;
  const auto flush = [&] {
    if (!literal.empty()) out.parts_.push_back({Kind::text, std::exchange(literal, {})});
  };
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '*') {
      flush();
      const bool deep = i + 1 < pattern.size() && pattern[i + 1] == '*';
      out.parts_.push_back({deep ? Kind::any_deep : Kind::any, {}});
      i += deep;
    } else if (pattern[i] == '{') {
      flush();
      const std::size_t end = pattern.find('}', i);
      if (end == std::string_view::npos || end == i + 1) return std::nullopt;
      out.parts_.push_back({Kind::capture, std::string(pattern.substr(i + 1, end - i - 1))});
      i = end;
    } else {
      literal.push_back(pattern[i]);
    }
  }
  flush();
  out.slashes_ = 0;
  for (const Part& p : out.parts_) {
    if (p.kind == Kind::any_deep) out.slashes_.reset();
    if (p.kind != Kind::text) continue;
    out.weight_ += p.text.size();
    if (out.slashes_) *out.slashes_ += static_cast<std::size_t>(std::count(p.text.begin(), p.text.end(), '/'));
    const std::string_view word = std::string_view(p.text).substr(std::min(p.text.find_first_not_of('/'), p.text.size()));
    if (word.size() > out.word_.size()) out.word_ = word;
  }
  return out;
}

// Backtracking over at most a few wildcards; `steps` bounds it, for keys are hostile and may be long.
KeyPattern::Outcome KeyPattern::match_here(std::size_t part, std::string_view rest, Captures* captures, unsigned& steps) const {
  if (++steps > 100'000) return Outcome::never;
  if (part == parts_.size()) return rest.empty() ? Outcome::yes : Outcome::no;
  const Part& p = parts_[part];
  if (p.kind == Kind::text)
    return rest.starts_with(p.text) ? match_here(part + 1, rest.substr(p.text.size()), captures, steps) : Outcome::no;
  const Part* const next = part + 1 < parts_.size() ? &parts_[part + 1] : nullptr;
  const bool deep = p.kind == Kind::any_deep;
  const std::size_t most = deep ? rest.size() : std::min(rest.find('/'), rest.size());
  for (std::size_t n = p.kind == Kind::capture ? 1 : 0;; ++n) {
    // The next place where what stands behind the wildcard may begin: mostly that is text, or the end.
    if (!next) n = std::max(n, rest.size());
    if (next && next->kind == Kind::text) n = rest.find(next->text, n);
    if (n > most) return deep ? Outcome::never : Outcome::not_in_segment;
    const std::size_t mark = captures ? captures->size() : 0;
    if (captures && p.kind == Kind::capture) captures->emplace_back(p.text, rest.substr(0, n));
    const Outcome outcome = match_here(part + 1, rest.substr(n), captures, steps);
    if (outcome == Outcome::yes) return outcome;
    if (captures) captures->resize(mark);
    if (outcome == Outcome::never || (outcome == Outcome::not_in_segment && !deep)) return outcome;
  }
}

// The end of a key that has `slashes` of them, from behind another one on; the whole key if it has no more.
static std::string_view last_segments(std::string_view key, std::size_t slashes) {
  std::size_t from = key.size();
  do {
    const std::size_t slash = from == 0 ? std::string_view::npos : key.rfind('/', from - 1);
    if (slash == std::string_view::npos) return key;
    from = slash;
  } while (slashes-- != 0);
  return key.substr(from + 1);
}

bool KeyPattern::matches(std::string_view key, Captures* captures) const {
  if (key.find(word_) == std::string_view::npos) return false;
  unsigned steps = 0;
  const Part& first = parts_.front();
  if (slashes_) {
    if (captures) captures->clear();
    return match_here(0, last_segments(key, *slashes_), captures, steps) == Outcome::yes;
  }
  for (std::size_t from = 0;;) {
    if (captures) captures->clear();
    const std::string_view rest = key.substr(from);
    // Nearly every place in a key shows at a glance that a pattern does not begin there.
    if (first.kind != Kind::text || rest.starts_with(first.text)) {
      const Outcome outcome = match_here(0, rest, captures, steps);
      if (outcome == Outcome::yes) return true;
      if (outcome == Outcome::never) return false;
    }
    const std::size_t slash = key.find('/', from);
    if (slash == std::string_view::npos) return false;
    from = slash + 1;
  }
}

std::uint32_t KeyWords::begin_of(std::string_view text) {
  std::uint32_t out = 0;
  static_assert(sizeof out == kBegin);
  std::memcpy(&out, text.substr(0, kBegin).data(), kBegin);
  return out;
}

void KeyWords::add(std::string_view word, std::uint32_t number) {
  if (word.size() < kBegin) return short_.push_back({std::string(word), number});
  const std::uint32_t begin = begin_of(word);
  words_[begin].push_back({std::string(word), number});
  begins_.set(bit_of(begin));
}

std::vector<std::uint32_t> KeyWords::in(std::string_view key) const {
  std::vector<std::uint32_t> out;
  for (const Word& word : short_) {
    if (key.find(word.text) != std::string_view::npos) out.push_back(word.number);
  }
  for (std::size_t at = 0; at + kBegin <= key.size(); ++at) {
    const std::uint32_t begin = begin_of(key.substr(at));
    if (!begins_.test(bit_of(begin))) continue;
    const auto found = words_.find(begin);
    if (found == words_.end()) continue;
    for (const Word& word : found->second) {
      if (key.substr(at).starts_with(word.text)) out.push_back(word.number);
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace lm
