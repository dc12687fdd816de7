// The fields of a line of an HTTP access log in which two that follow each other, the request and the user agent, are what a client sent. A client may have sent quotes:
// `GET /" "x" - - - HTTP/1.1`. So a line is read from the left only if every field is what its column has; otherwise, from both ends: the fields in front of the request
// have no quotes, those behind the agent are the service's, and of the quotes between them some are boundaries. Where more than one reading of the line is possible,
// doubt() says so.
#pragma once

#include <logmill/sdk/quoted.hpp>
#include <logmill/sdk/text.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace elb {

// Fields that AWS announces before they have values: `-` or `"-"`.
inline bool are_placeholders(std::string_view fields) {
  std::array<std::string_view, 8> words;
  const std::size_t n = lm::split(fields, ' ', words);
  return n <= words.size() && std::all_of(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(n),
                                          [](std::string_view word) { return word == "-" || word == "\"-\""; });
}

// `Format` has: request, the column of the request; known, the number of columns; quoted, a bit for each column that stands in quotes; fits(column, field), whether it
// can be one of that column; Tail tail(n), what n fields behind the agent are.
enum class Tail { none, possible, usual };

template <class Format>
class AccessLine {
 public:
  static constexpr std::size_t kRequest = Format::request, kAgent = kRequest + 1, kTail = kRequest + 2, kKnown = Format::known;

  // False: there are fewer fields than stand in front of the request.
  bool read(std::string_view line) {
    const lm::QuotedFields got = lm::split_quoted(line, fields_);
    if (got.count < kRequest) return false;
    doubt_ = surplus_ = {};
    std::size_t count = std::min(got.count, kKnown);
    const std::size_t fitting = fitting_fields(fields_.data(), 0, count, got.quoted, got.count);
    if (!got.closed || fitting != count || (got.count > kKnown && !are_placeholders(behind(line, fields_[kKnown - 1])))) [[unlikely]]
      count = read_from_both_ends(line, got, fitting);
    std::fill(fields_.begin() + static_cast<std::ptrdiff_t>(count), fields_.end(), std::string_view());
    return true;
  }

  // By column; "" where the line ends before it.
  const std::string_view* data() const { return fields_.data(); }
  // What stands behind the fields that are known, as it stands.
  std::string_view surplus() const { return surplus_; }
  // "" if there is one reading of the line; otherwise what is wrong with it, for people.
  std::string_view doubt() const { return doubt_; }

 private:
  using Fields = std::array<std::string_view, kKnown>;

  // How many of `count` fields, the first of which would stand in the column `first`, are what the columns have. Of all fields of the line only the last may lack its quotes
  // or have some, if it is "-": so AWS marks a column that is yet to come.
  static std::size_t fitting_fields(const std::string_view* fields, std::size_t first, std::size_t count, std::uint64_t quoted,
                                    std::size_t all) {
    std::uint64_t wrong = quoted ^ Format::quoted >> first;
    if (count < 64) wrong &= (std::uint64_t{1} << count) - 1;
    std::size_t fitting = wrong == 0 ? count : static_cast<std::size_t>(std::countr_zero(wrong));
    if (fitting + 1 == all && fitting + 1 == count && first + fitting > kTail + 2 && fields[fitting] == "-") fitting = count;
    for (std::size_t i = first < kTail ? kTail - first : 0; i < fitting; ++i) {
      if (!Format::fits(first + i, fields[i])) return i;
    }
    return fitting;
  }

  // Answers how many fields there are now.
  std::size_t read_from_both_ends(std::string_view line, const lm::QuotedFields& got, std::size_t fitting) {
    const bool request = got.count > kRequest && fitting > kRequest;  // it stands in quotes, and nothing in front of it does
    if (request) {
      const std::string_view rest = line.substr(static_cast<std::size_t>(fields_[kRequest].data() - line.data()));
      for (const bool escaped : {false, true}) {
        if (const std::size_t count = find_reading(rest, escaped)) return count;
      }
      if (Format::tail(0) != Tail::none && rest.ends_with('"')) {
        fields_[kRequest] = rest.substr(0, rest.size() - 1);
        if (rest.find("\" \"") != rest.npos) doubt_ = kManyReadings;
        return kAgent;
      }
    }
    // No reading is right as a whole: what fits of the one from the left, and the rest as it stands.
    doubt_ = got.closed ? "ambiguous: the fields do not fit the columns of this log" : "truncated: the line ends within quotes";
    if (fitting < got.count && fitting < fields_.size()) {
      const char* begin = fields_[fitting].data() - (got.quoted >> fitting & 1);
      surplus_ = line.substr(static_cast<std::size_t>(begin - line.data()));
    } else if (got.count > kKnown) {
      surplus_ = behind(line, fields_[kKnown - 1]);
    }
    return std::min(fitting, kKnown);
  }

  // `rest` begins behind the quote that opens the request. Of the quotes that may end the user agent the last one counts, for what a client sent stands in front of it.
  std::size_t find_reading(std::string_view rest, bool escaped) {
    constexpr int kMostTails = 32;  // so that no line takes long
    Tail best = Tail::none;
    std::size_t readings = 0, count = 0;
    Fields tail;
    int tails = 0;
    for (std::size_t quote = rest.rfind('"'); quote != rest.npos && quote != 0 && tails < kMostTails; quote = rest.rfind('"', quote - 1)) {
      if (!ends(rest, quote, escaped) || quote + 2 >= rest.size()) continue;
      const std::string_view behind_it = rest.substr(quote + 2);
      if (!may_be_tail(behind_it)) continue;
      ++tails;
      const lm::QuotedFields got = lm::split_quoted(behind_it, tail);
      const Tail kind = Format::tail(got.count);
      const std::size_t n = std::min(got.count, kKnown - kTail);
      if (!got.closed || kind == Tail::none || fitting_fields(tail.data(), kTail, n, got.quoted, got.count) != n || kind < best) continue;
      std::size_t boundary = 0;
      const std::size_t boundaries = find_agent(rest.substr(0, quote), escaped, boundary);
      if (boundaries == 0) continue;
      if (kind > best) {
        best = kind, readings = 0;
        fields_[kRequest] = rest.substr(0, boundary);
        fields_[kAgent] = rest.substr(boundary + 3, quote - boundary - 3);
        std::copy_n(tail.begin(), n, fields_.begin() + kTail);
        count = kTail + n;
        surplus_ = got.count > n ? behind(behind_it, tail[n - 1]) : std::string_view();
      }
      readings += boundaries;
    }
    if (count != 0 && (readings > 1 || escaped)) doubt_ = kManyReadings;
    return count;
  }

  // The quote that ends the request, in what is request, `" "`, and agent. Answers how many there are to choose from.
  static std::size_t find_agent(std::string_view text, bool escaped, std::size_t& boundary) {
    std::size_t found = 0;
    bool complete = false;
    for (std::size_t at = text.find("\" \""); at != text.npos; at = text.find("\" \"", at + 1)) {
      if (!ends(text, at, escaped)) continue;
      ++found;
      const bool now = is_complete(text.substr(0, at));
      if (now || !complete) boundary = at, complete = now;
    }
    return found;
  }

  static bool ends(std::string_view text, std::size_t quote, bool escaped) {
    return escaped ? quote + 1 == text.size() || text[quote + 1] == ' ' : lm::ends_quoted(text, quote);
  }

  // A request line has a version at its end, or what stands there if there was none.
  static bool is_complete(std::string_view request) {
    return lm::after_last(request, ' ').starts_with("HTTP/") || request.ends_with("- ") || request == "-";
  }

  static bool may_be_tail(std::string_view text) {
    const std::string_view cipher = lm::before(text, ' ');
    if (cipher.size() >= text.size() || !Format::fits(kTail, cipher)) return false;
    return Format::fits(kTail + 1, lm::before(text.substr(cipher.size() + 1), ' '));
  }

  // The text behind a field of it and its quote.
  static std::string_view behind(std::string_view text, std::string_view field) {
    std::string_view rest = text.substr(static_cast<std::size_t>(field.data() + field.size() - text.data()));
    if (rest.starts_with('"')) rest.remove_prefix(1);
    return lm::trim(rest);
  }

  static constexpr std::string_view kManyReadings =
      "ambiguous: the request or the user agent may have quotes in it that the log did not escape";

  Fields fields_;
  std::string_view surplus_, doubt_;
};

}  // namespace elb
