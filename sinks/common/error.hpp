// Errors of sinks, as values. What the user may read stands in `message`; `code` is what crosses the plugin border.
#pragma once

#include <logmill/plugin.h>

#include <cstring>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace lm::sink {

struct Error {
  lm_status code = LM_INTERNAL;
  std::string message;
  std::string path;      // of the file or folder at fault; may be empty
  int system_error = 0;  // errno; 0: not the operating system's error
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(lm_status code, std::string message) {
  return tl::make_unexpected(Error{code, std::move(message), {}, 0});
}

// "cannot write lake/api_activity/x: No space left on device". LM_IO.
inline tl::unexpected<Error> fail_io(std::string_view what, std::string path, int system_error) {
  std::string message = "cannot ";
  message.append(what).append(" ").append(path).append(": ").append(std::strerror(system_error));
  return tl::make_unexpected(Error{LM_IO, std::move(message), std::move(path), system_error});
}

}  // namespace lm::sink
