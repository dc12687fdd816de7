// Patterns of object keys, as plugin.h defines them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lm {

class KeyPattern {
 public:
  // Absent: braces that do not close, or "**" beside other text in a segment is fine, but an empty pattern is not.
  static std::optional<KeyPattern> compile(std::string_view pattern);

  using Captures = std::vector<std::pair<std::string, std::string>>;
  // Matches the end of `key` from a '/' on (or the whole key). Captures are filled when it matches.
  bool matches(std::string_view key, Captures* captures = nullptr) const;

  // How much of a key it names itself: of two patterns that match, the one that names more is nearer.
  std::size_t weight() const { return weight_; }

 private:
  enum class Kind { text, any, any_deep, capture };
  struct Part {
    Kind kind;
    std::string text;  // the literal, or the capture's name
  };
  // A wildcard that found no place for what follows it says that more text for those before it gives it none either: not in this segment, or nowhere in the key.
  enum class Outcome { no, not_in_segment, never, yes };
  Outcome match_here(std::size_t part, std::string_view rest, Captures* captures, unsigned& steps) const;
  std::vector<Part> parts_;
  // Its longest literal, without leading slashes: most keys do not hold it, which is told faster than that they do not match.
  std::string word_;
  std::size_t weight_ = 0;
};

}  // namespace lm
