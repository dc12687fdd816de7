// Patterns of object keys, as plugin.h defines them.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
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

  // Its longest literal, without leading slashes: most keys do not hold it, which is told faster than that they do not match.
  const std::string& word() const { return word_; }

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
  std::string word_;
  std::size_t weight_ = 0;
  std::optional<std::size_t> slashes_;  // in what it matches; none where "**" leaves that open
};

// The words of many patterns: one look at a key tells which of them it holds, so that a key costs hardly more where there are more parsers.
class KeyWords {
 public:
  // `number` is the caller's, for the pattern that has the word.
  void add(std::string_view word, std::uint32_t number);
  // The numbers of the words that are in the key, ascending.
  std::vector<std::uint32_t> in(std::string_view key) const;

 private:
  static constexpr std::size_t kBegin = 4;  // bytes of a word by which it is found
  struct Word {
    std::string text;
    std::uint32_t number;
  };
  static std::uint32_t begin_of(std::string_view text);
  static std::size_t bit_of(std::uint32_t begin) { return begin * 0x9e3779b1u >> 20; }

  std::unordered_map<std::uint32_t, std::vector<Word>> words_;  // by how they begin
  std::bitset<1 << 12> begins_;                                 // those of words_, so that most places in a key need no look-up
  std::vector<Word> short_;                                     // too short for that
};

}  // namespace lm
