// A page of a listing, as every store gives it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lm::store {

struct ListedObject {
  std::string key, etag;  // the etag without its quotes
  std::uint64_t size = 0;
  std::int64_t mtime_ms = 0;  // 0 if it cannot be read
  std::string storage_class;
  bool growing = false;  // more may be put behind its end
};

struct ListPage {
  std::vector<ListedObject> objects;
  std::vector<std::string> prefixes;  // of a listing with a delimiter
  std::string continuation;           // for the next page
  bool truncated = false;             // there is one
};

}  // namespace lm::store
