// Text of users to values: sizes, times, sinks.
#include <logmill/core.hpp>

#include <logmill/sdk/text.hpp>
#include <logmill/sdk/time.hpp>

#include <fmt/format.h>
#include <limits>

namespace lm {

Result<std::uint64_t> parse_size(std::string_view text) {
  std::string_view digits = text;
  std::uint64_t unit = 1;
  if (digits.ends_with('B') || digits.ends_with('b')) digits.remove_suffix(1);
  if (digits.ends_with('i')) digits.remove_suffix(1);
  if (!digits.empty()) {
    const std::size_t power = std::string_view("KMGT").find(static_cast<char>(digits.back() & ~0x20));
    if (power != std::string_view::npos) {
      unit <<= 10 * (power + 1);
      digits.remove_suffix(1);
    }
  }
  const auto value = integer<std::uint64_t>(digits);
  if (!value || *value > std::numeric_limits<std::uint64_t>::max() / unit)
    return fail(Errc::invalid, fmt::format("'{}' is no size: write 64M, 2G or bytes", text));
  return *value * unit;
}

Result<std::int64_t> parse_time(std::string_view text) {
  auto value = time::rfc3339(text, true);
  if (!value && text.size() == 10) value = time::rfc3339(std::string(text) + "T00:00:00Z");
  if (!value) return fail(Errc::invalid, fmt::format("'{}' is no time: write 2026-03-01 or 2026-03-01T12:00:00Z", text));
  return *value;
}

Result<SinkSpec> parse_sink(std::string_view text) {
  const std::size_t colon = text.find(':');
  SinkSpec out;
  out.id = text.substr(0, colon);
  if (colon == std::string_view::npos || out.id.empty())
    return fail(Errc::invalid, fmt::format("'{}' is no sink: write KIND:TARGET, for instance parquet:lake", text));
  std::string_view rest = text.substr(colon + 1);
  // Options stand behind the target; a comma that is not followed by name=value belongs to the target.
  for (;;) {
    const std::size_t comma = rest.rfind(',');
    if (comma == std::string_view::npos) break;
    const std::string_view option = rest.substr(comma + 1);
    const std::size_t equals = option.find('=');
    const std::string_view name = option.substr(0, equals);
    if (equals == std::string_view::npos || name.empty() ||
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string_view::npos)
      break;
    if (!out.options.emplace(name, option.substr(equals + 1)).second)
      return fail(Errc::invalid, fmt::format("sink '{}': the option '{}' is given twice", text, name));
    rest = rest.substr(0, comma);
  }
  out.target = rest;
  if (out.target.empty()) return fail(Errc::invalid, fmt::format("sink '{}' has no target", text));
  if (out.target.ends_with(',')) return fail(Errc::invalid, fmt::format("sink '{}': an option is missing behind its last ','", text));
  return out;
}

}  // namespace lm
