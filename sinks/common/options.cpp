#include "common/options.hpp"

#include <simdjson.h>
#include <algorithm>
#include <charconv>
#include <limits>

namespace lm::sink {
namespace {

tl::unexpected<Error> wrong(std::string_view name, std::string_view value, std::string_view wanted) {
  return fail(LM_INVALID, "option " + std::string(name) + ": '" + std::string(value) + "' is not " + std::string(wanted));
}

}  // namespace

Result<Options> Options::parse(std::string_view json, std::initializer_list<std::string_view> known) {
  Options out;
  if (json.empty()) return out;
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  const simdjson::padded_string padded(json);
  if (const auto error = parser.parse(padded).get(object))
    return fail(LM_INVALID, std::string("the options are not a JSON object: ") + error_message(error));
  for (const auto& [key, value] : object) {
    if (std::find(known.begin(), known.end(), key) == known.end()) return fail(LM_INVALID, "there is no option '" + std::string(key) + "'");
    std::string text;
    if (value.is_string()) {
      text = std::string(std::string_view(value));
    } else if (value.is_array() || value.is_object()) {
      return fail(LM_INVALID, "option " + std::string(key) + " is not a text, a number or a boolean");
    } else if (!value.is_null()) {
      text = simdjson::minify(value);
    }
    out.values_[std::string(key)] = std::move(text);
  }
  return out;
}

const std::string* Options::find(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() || found->second.empty() ? nullptr : &found->second;
}

std::string Options::text(std::string_view name, std::string_view fallback) const {
  const std::string* value = find(name);
  return value ? *value : std::string(fallback);
}

Result<std::string> Options::choice(std::string_view name, std::initializer_list<std::string_view> choices,
                                    std::string_view fallback) const {
  const std::string* value = find(name);
  if (!value) return std::string(fallback);
  if (std::find(choices.begin(), choices.end(), *value) != choices.end()) return *value;
  std::string wanted = "one of";
  for (const std::string_view choice : choices) wanted.append(" ").append(choice);
  return wrong(name, *value, wanted);
}

Result<std::int64_t> Options::integer(std::string_view name, std::int64_t smallest, std::int64_t largest, std::int64_t fallback) const {
  const std::string* value = find(name);
  if (!value) return fallback;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (error != std::errc() || end != value->data() + value->size() || number < smallest || number > largest) {
    return wrong(name, *value, "a number from " + std::to_string(smallest) + " to " + std::to_string(largest));
  }
  return number;
}

Result<bool> Options::boolean(std::string_view name, bool fallback) const {
  const std::string* value = find(name);
  if (!value) return fallback;
  if (*value == "true") return true;
  if (*value == "false") return false;
  return wrong(name, *value, "true or false");
}

Result<std::uint64_t> Options::size(std::string_view name, std::uint64_t smallest, std::uint64_t fallback) const {
  const std::string* value = find(name);
  if (!value) return fallback;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
  std::string_view unit(end, static_cast<std::size_t>(value->data() + value->size() - end));
  int shift = 0;
  if (!unit.empty()) {
    static constexpr std::string_view kUnits = "BKMGT";
    const char letter = unit[0] >= 'a' ? static_cast<char>(unit[0] - 'a' + 'A') : unit[0];
    const std::size_t at = kUnits.find(letter);
    shift = at == std::string_view::npos ? -1 : static_cast<int>(at) * 10;
    unit.remove_prefix(1);
    if (shift > 0 && !unit.empty() && unit != "B" && unit != "iB") shift = -1;
    if (shift == 0 && !unit.empty()) shift = -1;
  }
  if (error != std::errc() || shift < 0 || number > (std::numeric_limits<std::uint64_t>::max() >> shift)) {
    return wrong(name, *value, "a size such as 64M");
  }
  if ((number << shift) < smallest) return wrong(name, *value, "at least " + std::to_string(smallest) + " bytes");
  return number << shift;
}

}  // namespace lm::sink
