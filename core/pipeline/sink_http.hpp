// Requests as sinks get them (logmill/http.h), by the client and the signer of object_store.
#pragma once

#include <logmill/http.h>

#include <atomic>

namespace lm {

// Requests of one sink. Once `cancelled` is set, what hangs is given up. It must outlive the clients that it opens, and the flag must outlive it.
class SinkHttp {
 public:
  explicit SinkHttp(const std::atomic<bool>& cancelled);
  SinkHttp(const SinkHttp&) = delete;
  SinkHttp& operator=(const SinkHttp&) = delete;
  const lm_http* get() const { return &face_; }

 private:
  const lm_http face_;
};

}  // namespace lm
