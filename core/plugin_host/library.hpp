// Loads a shared library and takes what it offers through its entry: in the host, and in a worker.
#pragma once

#include "base/result.hpp"

#include <logmill/plugin.h>
#include <logmill/sink.h>
#include <logmill/sink_describe.h>
#include <logmill/sink_schema.h>

#include <string>

namespace lm {

struct Library {
  const lm_parser_factory* parsers = nullptr;  // null: it has none
  const lm_sink_factory* sinks = nullptr;      // likewise
  const lm_sink_describe* describe = nullptr;  // likewise
  const lm_sink_schema* schema = nullptr;      // likewise
};

// Errc::plugin says why it is no plugin of this ABI, or does not start. It is never unloaded.
Result<Library> open_library(const std::filesystem::path& file, const lm_host&);

inline lm_error empty_error() {
  lm_error error{};
  error.struct_size = sizeof error;
  return error;
}
std::string message_of(const lm_error&);

}  // namespace lm
