#include "plugin_host/key_pattern.hpp"

#include <algorithm>

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
  for (const Part& p : out.parts_) {
    if (p.kind != Kind::text) continue;
    out.weight_ += p.text.size();
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

bool KeyPattern::matches(std::string_view key, Captures* captures) const {
  if (key.find(word_) == std::string_view::npos) return false;
  unsigned steps = 0;
  const Part& first = parts_.front();
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

}  // namespace lm
