// Chunks on their way to the cluster: several requests at once, each until every one of its rows has an answer.
//
// A row is done when it was created, or is there already (409: an earlier request, whose answer was lost, or an earlier run has created it). Rows that the cluster
// had no room for (429, 5xx) are sent again, they alone, after a pause and in smaller requests; rows that it can never take (400) are refused. A
// request without a whole answer is sent again as it was: what of it was carried out answers 409.
#pragma once

#include "common/error.hpp"
#include "elastic/bulk.hpp"
#include "elastic/client.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace lm::sink {

enum class Encoding { none, gzip, zstd };

struct SenderSettings {
  std::size_t request_bytes = 0;  // before compression, at most
  std::size_t queue_bytes = 0;    // of what waits to be sent
  unsigned in_flight = 1;
  Encoding encoding = Encoding::gzip;
  std::chrono::seconds patience{0};  // without one row being done
};

class Sender {
 public:
  using PathOf = std::function<std::string(std::uint32_t stream)>;
  using Refuse = std::function<void(const Chunk&, std::size_t item, std::string_view why)>;  // [any]
  // Both functions must outlive the sender.
  Sender(const Client&, SenderSettings, PathOf, Refuse);
  ~Sender();  // what was not sent is dropped: nobody was told that it had been
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  Result<void> put(Chunk);  // [any] blocks while too much waits
  Result<void> drain();     // until every row is done
  Result<void> check();
  void fail_with(Error);
  // How many bytes a request should have now: fewer, as long as the cluster has no room.
  std::size_t request_bytes() const { return size_.load(std::memory_order_relaxed); }

 private:
  struct Worker;  // what a thread keeps
  using Clock = std::chrono::steady_clock;

  void run();
  Result<void> deliver(Worker&, const Chunk&);
  // Ok: sleep and go on. Too long without a row being done: why.
  Result<void> pause(Worker&, unsigned attempt, std::uint32_t asked, Clock::time_point since, const std::string& why);
  void shrink(std::size_t sent);
  void grow();

  const Client& client_;
  const SenderSettings settings_;
  const PathOf path_of_;
  const Refuse refuse_;
  std::atomic<std::size_t> size_, most_;  // most_: what the server has not called too large

  std::mutex mutex_;  // guards:
  std::condition_variable changed_;
  std::deque<Chunk> queue_;
  std::size_t waiting_bytes_ = 0, busy_ = 0;
  bool stop_ = false, warned_ = false;
  std::atomic<bool> failed_{false};
  Error error_;

  std::vector<std::thread> threads_;
};

}  // namespace lm::sink
