// Errors as values: lm::Result and lm::Error are part of the public interface of core.
#pragma once

#include <logmill/core.hpp>
