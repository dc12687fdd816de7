// libcurl, loaded for the first request: with the thirty libraries that it brings it takes 10 ms to load, which whoever reads files only need not wait for
// (docs/adr/0025-libcurl-is-loaded-when-needed.md).
#pragma once

#include <curl/curl.h>
#include <memory>
#include <string>

namespace lm::http {

// Its functions, by their names without "curl_". Where `failure` says why there are none, none may be called. Of any thread.
struct Curl {
  decltype(&::curl_easy_cleanup) easy_cleanup = nullptr;
  decltype(&::curl_easy_init) easy_init = nullptr;
  decltype(&::curl_easy_pause) easy_pause = nullptr;
  decltype(&::curl_easy_reset) easy_reset = nullptr;
  decltype(&::curl_easy_setopt) easy_setopt = nullptr;
  decltype(&::curl_easy_strerror) easy_strerror = nullptr;
  decltype(&::curl_getdate) getdate = nullptr;
  decltype(&::curl_multi_add_handle) multi_add_handle = nullptr;
  decltype(&::curl_multi_cleanup) multi_cleanup = nullptr;
  decltype(&::curl_multi_info_read) multi_info_read = nullptr;
  decltype(&::curl_multi_init) multi_init = nullptr;
  decltype(&::curl_multi_perform) multi_perform = nullptr;
  decltype(&::curl_multi_poll) multi_poll = nullptr;
  decltype(&::curl_multi_remove_handle) multi_remove_handle = nullptr;
  decltype(&::curl_share_cleanup) share_cleanup = nullptr;
  decltype(&::curl_share_init) share_init = nullptr;
  decltype(&::curl_share_setopt) share_setopt = nullptr;
  decltype(&::curl_slist_append) slist_append = nullptr;
  decltype(&::curl_slist_free_all) slist_free_all = nullptr;
  std::string failure;
  std::shared_ptr<const void> library;  // which goes with the last copy
};

// `library`: as the system's loader knows it. Never throws: see `failure`.
Curl load_curl(const std::string& library);
// [any] The system's, loaded the first time.
const Curl& curl();

}  // namespace lm::http
