// The store that a uri names, of whichever kind: s3://BUCKET/KEY, az://ACCOUNT/CONTAINER/KEY.
#pragma once

#include "object_store/store.hpp"

#include <memory>
#include <mutex>

namespace lm::store {

struct Place {
  std::shared_ptr<Bucket> bucket;
  std::string key;
};

// The buckets of a run. What can be shared between them is.
class Stores {
 public:
  // `stop` is asked now and then while something waits; may be empty.
  Stores(S3Options, AzureOptions, std::function<bool()> stop);
  ~Stores();
  // Whether it names a store at all, rightly or not.
  static bool names_one(std::string_view uri);
  // [any] Asks nothing of the store yet. Errc::invalid: it is no address, or what is set up for the store is wrong.
  Result<Place> find(std::string_view uri);

 private:
  struct Services;
  std::mutex mutex_;
  std::unique_ptr<Services> services_;
};

}  // namespace lm::store
