#include "object_store/curl.hpp"

#include <boost/dll/shared_library.hpp>
#include <exception>
#include <memory>
#include <type_traits>

namespace lm::http {

Curl load_curl(const std::string& name) {
  Curl curl;
  try {
    const auto library =
        std::make_shared<boost::dll::shared_library>(name, boost::dll::load_mode::search_system_folders | boost::dll::load_mode::rtld_lazy);
    const auto find = [&library](const char* symbol, auto*& function) {
      function = &library->get<std::remove_reference_t<decltype(*function)>>(symbol);
    };
    find("curl_easy_cleanup", curl.easy_cleanup);
    find("curl_easy_init", curl.easy_init);
    find("curl_easy_pause", curl.easy_pause);
    find("curl_easy_reset", curl.easy_reset);
    find("curl_easy_setopt", curl.easy_setopt);
    find("curl_easy_strerror", curl.easy_strerror);
    find("curl_getdate", curl.getdate);
    find("curl_multi_add_handle", curl.multi_add_handle);
    find("curl_multi_cleanup", curl.multi_cleanup);
    find("curl_multi_info_read", curl.multi_info_read);
    find("curl_multi_init", curl.multi_init);
    find("curl_multi_perform", curl.multi_perform);
    find("curl_multi_poll", curl.multi_poll);
    find("curl_multi_remove_handle", curl.multi_remove_handle);
    find("curl_share_cleanup", curl.share_cleanup);
    find("curl_share_init", curl.share_init);
    find("curl_share_setopt", curl.share_setopt);
    find("curl_slist_append", curl.slist_append);
    find("curl_slist_free_all", curl.slist_free_all);
    if (library->get<decltype(::curl_global_init)>("curl_global_init")(CURL_GLOBAL_DEFAULT) != CURLE_OK)
      curl.failure = "libcurl cannot start";
    curl.library = library;
  } catch (const std::exception& error) {
    curl = {};
    curl.failure = "the network needs " + name + ", which cannot be loaded: " + error.what();
  }
  return curl;
}

const Curl& curl() {
  static const Curl* const loaded = new Curl(load_curl("libcurl.so.4"));  // never unloaded: its threads may outlive main
  return *loaded;
}

}  // namespace lm::http
