// Credentials that expire: kept while they hold, and fetched again five minutes before they no longer do.
#pragma once

#include "base/result.hpp"
#include "object_store/http.hpp"

#include <cstdint>
#include <ctime>
#include <functional>
#include <mutex>
#include <optional>

namespace lm::store {

// T has `expires`: seconds since 1970-01-01 UTC, or nothing.
template <class T>
class Renewed {
 public:
  // [any] May block: one fetches for all.
  Result<T> get(const std::function<Result<T>()>& fetch) {
    constexpr std::int64_t kEarly = 5 * 60;
    const std::lock_guard lock(mutex_);
    const std::int64_t now = std::time(nullptr);
    if (current_ && (!current_->expires || *current_->expires - kEarly > now)) return *current_;
    auto found = fetch();
    if (found) {
      current_ = *found;
    } else if (current_ && current_->expires && *current_->expires > now) {
      return *current_;  // they hold a little longer
    }
    return found;
  }
  // [any] The service refused those as expired: the next get() fetches others, unless somebody did so already.
  void drop_if(const std::function<bool(const T&)>& refused) {
    const std::lock_guard lock(mutex_);
    if (current_ && refused(*current_)) current_.reset();
  }

 private:
  std::mutex mutex_;
  std::optional<T> current_;
};

// A service that gives credentials, asked again where that may help. `passing`: of an answer that is one.
http::Answer ask_for_credentials(http::Client&, const http::Request&, unsigned attempts, const std::function<bool()>& stop,
                                 const std::function<bool(int status)>& passing = {});

}  // namespace lm::store
