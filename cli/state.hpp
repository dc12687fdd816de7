// What `logmill state show` and `logmill state objects` print. Nothing here reads or writes anything.
#pragma once

#include <logmill/core.hpp>

#include <string>

namespace lm::cli {

std::string state_text(const StateInfo&);
std::string state_json(const StateInfo&);     // one object on one line, without a line end
std::string object_text(const StateObject&);  // one line
std::string object_json(const StateObject&);  // one line

}  // namespace lm::cli
