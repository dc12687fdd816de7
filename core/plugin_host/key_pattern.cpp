#include "plugin_host/key_pattern.hpp"

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
  return out;
}

std::size_t KeyPattern::weight() const {
  std::size_t out = 0;
  for (const Part& p : parts_) out += p.text.size() * (p.kind == Kind::text);
  return out;
}

// Backtracking over at most a few wildcards; `steps` bounds it, for keys are hostile and may be long.
bool KeyPattern::match_here(std::size_t part, std::string_view rest, Captures* captures, unsigned& steps) const {
  if (++steps > 100'000) return false;
  if (part == parts_.size()) return rest.empty();
  const Part& p = parts_[part];
  if (p.kind == Kind::text) return rest.starts_with(p.text) && match_here(part + 1, rest.substr(p.text.size()), captures, steps);
  const Part* const next = part + 1 < parts_.size() ? &parts_[part + 1] : nullptr;
  const std::size_t least = p.kind == Kind::capture ? 1 : 0;
  for (std::size_t n = 0; n <= rest.size(); ++n) {
    if (n != 0 && rest[n - 1] == '/' && p.kind != Kind::any_deep) return false;
    if (n < least) continue;
    // What stands behind a wildcard is looked at before anything is remembered: mostly it is text, or nothing more may come.
    if (next ? next->kind == Kind::text && !rest.substr(n).starts_with(next->text) : n != rest.size()) {
      if (++steps > 100'000) return false;
      continue;
    }
    const std::size_t mark = captures ? captures->size() : 0;
    if (captures && p.kind == Kind::capture) captures->emplace_back(p.text, rest.substr(0, n));
    if (match_here(part + 1, rest.substr(n), captures, steps)) return true;
    if (captures) captures->resize(mark);
  }
  return false;
}

bool KeyPattern::matches(std::string_view key, Captures* captures) const {
  unsigned steps = 0;
  const Part& first = parts_.front();
  for (std::size_t from = 0;;) {
    if (captures) captures->clear();
    const std::string_view rest = key.substr(from);
    // Nearly every place in a key shows at a glance that a pattern does not begin there.
    if (first.kind != Kind::text || rest.starts_with(first.text)) {
      if (match_here(0, rest, captures, steps)) return true;
    }
    const std::size_t slash = key.find('/', from);
    if (slash == std::string_view::npos) return false;
    from = slash + 1;
  }
}

}  // namespace lm
