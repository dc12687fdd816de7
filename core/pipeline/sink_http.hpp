// Requests as sinks get them (logmill/http.h), by the client and the signer of object_store.
#pragma once

#include <logmill/http.h>

namespace lm {

// [static] It keeps nothing: what is kept belongs to the clients that it opens.
const lm_http& sink_http();

}  // namespace lm
