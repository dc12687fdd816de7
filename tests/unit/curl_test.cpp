// libcurl is loaded for the first request, not before, and where there is none, whoever asks for one is told.
#include "object_store/curl.hpp"
#include "object_store/http.hpp"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace lm;

bool loaded() {
  void* const library = ::dlopen("libcurl.so.4", RTLD_LAZY | RTLD_NOLOAD);
  if (library) ::dlclose(library);
  return library != nullptr;
}

const bool kLoadedBeforeMain = loaded();

TEST(Curl, IsLoadedForTheFirstRequest) {
  EXPECT_FALSE(kLoadedBeforeMain);
  ASSERT_EQ(http::curl().failure, "");
  EXPECT_TRUE(loaded());
  http::Client client;
  http::Request request;
  request.url = "http://127.0.0.1:1/";
  EXPECT_THAT(client.fetch(request, 1000, {}).failure, testing::HasSubstr("127.0.0.1"));
}

TEST(Curl, SaysWhatIsMissing) {
  const http::Curl none = http::load_curl("libthere-is-none.so.4");
  EXPECT_THAT(none.failure, testing::StartsWith("the network needs libthere-is-none.so.4, which cannot be loaded: "));
  EXPECT_EQ(none.easy_init, nullptr);
  const http::Curl other = http::load_curl("libc.so.6");
  EXPECT_THAT(other.failure, testing::HasSubstr("curl_easy_cleanup"));
  EXPECT_EQ(other.easy_cleanup, nullptr);
}

}  // namespace
