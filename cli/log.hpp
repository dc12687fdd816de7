// Where messages go: standard error, by spdlog's default logger, as text or as JSON lines. Core logs by the same logger.
#pragma once

#include "arguments.hpp"

#include <string>

namespace lm::cli {

void set_up_logging(const Common&);
void log_error(const std::string& text);
void log_warning(const std::string& text);

}  // namespace lm::cli
