// The options of a sink, as lm_sink_config.options_json gives them: a flat JSON object of texts, numbers and booleans.
#pragma once

#include "common/error.hpp"

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

namespace lm::sink {

class Options {
 public:
  // LM_INVALID if it is not such an object or has a member that is not in `known`; the message names the member. Empty text is an empty
  // object.
  static Result<Options> parse(std::string_view json, std::initializer_list<std::string_view> known);

  // The option's value, or the fallback if it is not there. LM_INVALID, with the name, if it is not what is wanted.
  Result<std::string> choice(std::string_view name, std::initializer_list<std::string_view> choices, std::string_view fallback) const;
  Result<std::int64_t> integer(std::string_view name, std::int64_t smallest, std::int64_t largest, std::int64_t fallback) const;
  Result<bool> boolean(std::string_view name, bool fallback) const;
  // Bytes: a number, or a text such as "64M" (K, M, G, T: powers of 1024; "iB" or "B" may follow).
  Result<std::uint64_t> size(std::string_view name, std::uint64_t smallest, std::uint64_t fallback) const;
  std::string text(std::string_view name, std::string_view fallback) const;

 private:
  const std::string* find(std::string_view name) const;
  std::map<std::string, std::string, std::less<>> values_;  // scalars as text
};

}  // namespace lm::sink
