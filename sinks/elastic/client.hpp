// The way to a cluster: its address, who asks, and requests by what the host offers (logmill/http.h).
#pragma once

#include "common/error.hpp"
#include "common/options.hpp"

#include <logmill/http.h>
#include <logmill/plugin.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lm::sink {

struct HttpReply {
  int status = 0;  // 0: no whole answer; `failure` says why
  std::string body, failure;
  bool hopeless = false;
  std::uint32_t retry_after = 0;  // seconds; 0: not said
};

class Client {
 public:
  // Secrets come from the environment or from files: options are written down in ledgers and shown in process lists.
  static Result<std::unique_ptr<Client>> open(const lm_http&, std::string_view url, const Options&);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // [any] `path` begins with '/'. Not a reply: there is nothing to sign with.
  Result<HttpReply> send(std::string_view method, std::string_view path, std::string_view body, std::string_view encoding) const;
  // [any] Whether the run is being stopped.
  bool stopping() const { return LM_HAS(lm_http, http_, stopping) && http_->stopping(http_->self) != 0; }
  const std::string& url() const { return url_; }

 private:
  Client(const lm_http* http, std::string url) : http_(http), url_(std::move(url)) {}
  const lm_http* http_;
  lm_http_client* handle_ = nullptr;
  std::string url_, authorization_;
};

}  // namespace lm::sink
