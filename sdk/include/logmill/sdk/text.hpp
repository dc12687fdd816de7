// logmill/sdk/text.hpp -- text into fields and numbers. All functions are pure, allocate nothing and never throw; what is unreadable is absent.
//   lm::integer("443")                     -> 443           the whole text, decimal, no sign but '-', no spaces; overflow is absent
//   lm::split(line, ' ', fields)           -> fields used    runs of the separator count as one
//   lm::present("-")                       -> nullopt        "-" and "" mean absent in AWS's text formats
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace lm {

template <class Integer = std::int64_t>
constexpr std::optional<Integer> integer(std::string_view text) {
  Integer value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

inline std::optional<double> number(std::string_view text) {
  double value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

constexpr std::optional<std::string_view> present(std::string_view text) {
  if (text.empty() || text == "-") return std::nullopt;
  return text;
}

// Fields between runs of `separator`; leading and trailing runs give none. Answers how many there are, which may be more than `out`
// holds: the first out.size() of them are in `out`.
inline std::size_t split(std::string_view text, char separator, std::span<std::string_view> out) {
  std::size_t count = 0, begin = 0;
  const std::size_t size = text.size();
  while (begin < size) {
    if (text[begin] == separator) {
      ++begin;
      continue;
    }
    std::size_t end = text.find(separator, begin);
    if (end == std::string_view::npos) end = size;
    if (count < out.size()) out[count] = text.substr(begin, end - begin);
    ++count;
    begin = end + 1;
  }
  return count;
}

constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

constexpr std::string_view before(std::string_view text, char separator) { return text.substr(0, text.find(separator)); }
constexpr std::string_view after_last(std::string_view text, char separator) {
  const std::size_t at = text.rfind(separator);
  return at == std::string_view::npos ? text : text.substr(at + 1);
}

}  // namespace lm
