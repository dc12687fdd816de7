// What a store answers: listings, uploads and errors, be they what they may. Nothing but bounds is promised of them, and that a listing which goes on says where.
#include "object_store/azure_credentials.hpp"
#include "object_store/credentials.hpp"
#include "object_store/xml.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lm;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& page : {aws::parse_list(text), azure::parse_list(text)}) {
    if (!page) continue;
    if (page->truncated && page->continuation.empty()) std::abort();
    for (const store::ListedObject& object : page->objects) {
      if (object.key.size() > 16 << 10) std::abort();
    }
  }
  if (const auto page = aws::parse_uploads(text)) {
    if (page->truncated && page->next_key.empty()) std::abort();
  }
  if (const auto id = aws::parse_upload_id(text); id && id->empty()) std::abort();
  static_cast<void>(aws::parse_completed(text));
  static_cast<void>(store::parse_error(text));
  if (const auto connection = azure::parse_connection_string(text); connection && connection->key.empty() && connection->sas.empty())
    std::abort();
  const std::size_t half = size / 2;
  static_cast<void>(aws::Profiles::parse(text.substr(0, half), text.substr(half)));
  if (aws::percent_decode(aws::percent_encode(text), true) != text) std::abort();
  return 0;
}
