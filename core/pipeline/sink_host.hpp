// Where conformed batches go: a sink plugin, or the streams of an embedder. The pipeline knows no other difference.
#pragma once

#include "base/result.hpp"
#include "conform/conform.hpp"
#include "pipeline/rejects.hpp"
#include "plugin_host/plugin_host.hpp"
#include "storage/storage.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace lm {

class BatchSink {
 public:
  virtual ~BatchSink() = default;
  // Before the first write, once a table.
  virtual Result<void> open(const Table&) = 0;
  // [any] Takes the array.
  virtual Result<void> write(const Table&, ConformedBatch&) = 0;
};

struct SealedOutput {
  std::string name;   // the final one, relative to the target; "" is the target itself
  std::string token;  // for publish and discard, also in a later process
  std::string table;
  std::uint64_t rows = 0, bytes = 0;
};

// A sink plugin, whose outputs are durable before they are visible.
class OutputSink : public BatchSink {
 public:
  virtual Result<std::vector<SealedOutput>> seal() = 0;        // after the last write
  virtual Result<void> publish(const std::string& token) = 0;  // idempotent, as is discard: done once settle says so
  virtual Result<void> discard(const std::string& token) = 0;
  virtual Result<void> settle() = 0;
  virtual void abandon() = 0;                               // what was sealed and could not be published is nobody's any more
  virtual Result<void> sweep(std::string_view run_id) = 0;  // removes what instances of that run have left; nothing, where the sink cannot
  virtual std::string shown(const std::string& name) const = 0;  // "parquet:lake/api_activity/..."
};

// Where sinks tell of rows that their targets refuse. It outlives the sinks.
class Refusals {
 public:
  // Before the first row of the sinks that stand now.
  void keep_in(RejectsWriter* rejects) { rejects_ = rejects; }
  void add(const RefusedRow&);  // [any]
  std::vector<RefusedCount> take();

 private:
  std::mutex mutex_;
  RejectsWriter* rejects_ = nullptr;
  std::map<std::string, RefusedCount, std::less<>> counts_;
};

// Options are checked against the descriptor; Errc::invalid names the option and what it takes. `cancelled` must outlive the sink.
Result<std::unique_ptr<OutputSink>> make_plugin_sink(const SinkPlugin&, const SinkSpec&, const TableSet&, unsigned threads,
                                                     std::uint64_t memory, std::string_view run_id, Storages&, Refusals&,
                                                     const std::atomic<bool>& cancelled);

// A second holder of the same arrays: `out` shares every buffer of `batch`, and either may be released first.
void share_batch(ConformedBatch& batch, ConformedBatch* out);

}  // namespace lm
