#include "base/log.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace lm {

void log(LogLevel level, std::string_view text) {
  static constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::trace, spdlog::level::debug, spdlog::level::info,
                                                          spdlog::level::warn, spdlog::level::err};
  spdlog::log(kLevels[static_cast<std::size_t>(level)], "{}", text);
}

LogLevel log_level(std::uint64_t number) {
  return static_cast<LogLevel>(std::min<std::uint64_t>(number, static_cast<std::uint64_t>(LogLevel::error)));
}

}  // namespace lm
