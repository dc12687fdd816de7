// Errors as they cross the C ABI.
#pragma once

#include <logmill/plugin.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace lm::detail {

// [any] Puts code and message into `error`, which may be null, and answers the code. A message that is too long is cut between characters, never within one.
inline lm_status tell(lm_error* error, lm_status code, std::string_view message) noexcept {
  if (error) {
    error->code = code;
    std::size_t length = std::min(message.size(), sizeof error->message - 1);
    while (length < message.size() && length > 0 && (static_cast<unsigned char>(message[length]) & 0xC0) == 0x80) --length;
    if (length != 0) std::memcpy(error->message, message.data(), length);
    error->message[length] = '\0';
  }
  return code;
}

}  // namespace lm::detail
