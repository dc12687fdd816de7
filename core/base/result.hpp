// Errors as values. Input and environment fail with Result; exceptions are bugs or out-of-memory, caught at the borders.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace lm {

enum class Errc {
  invalid,      // an argument, an option or a configuration value is wrong
  not_found,    // no such file, plugin, table
  io,           // the environment failed: disk, network
  corrupt,      // the compressed data contradicts itself (checksum, structure)
  truncated,    // the data ends before it should
  limit,        // a limit that guards against hostile input was reached
  unsupported,  // recognised, but not read
  plugin,       // a plugin broke the contract
  cancelled,    // the run is being stopped
  internal,     // our bug
};

struct Error {
  Errc code = Errc::internal;
  std::string what;    // a sentence that tells a tired reader what happened; the caller adds the object's name
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Errc code, std::string what) { return tl::unexpected<Error>(Error{code, std::move(what)}); }

}  // namespace lm
