// Core's messages. They go to spdlog's default logger, which the program that core is part of sets; its header is included in one place, for it is what a source
// takes longest to compile.
#pragma once

#include <cstdint>
#include <string_view>

namespace lm {

// As plugins number them (lm_log in plugin.h).
enum class LogLevel : std::uint8_t { trace, debug, info, warning, error };

// Any thread's. The text goes out as it is.
void log(LogLevel, std::string_view text);
// Of what a plugin or a worker says: beyond what there is, an error.
LogLevel log_level(std::uint64_t number);

}  // namespace lm
