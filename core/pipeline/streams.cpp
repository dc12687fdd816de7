// open_streams: a run whose only sink is a queue a table, read through Arrow's C stream interface.
//
// Producers wait while the queues together hold more than their share of memory, unless somebody waits for a table that is empty: then they go on, or a reader that
// takes one table after the other would wait for ever.
#include "pipeline/run_impl.hpp"

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <thread>

namespace lm {
namespace {

struct Shared {
  std::mutex mutex;
  std::condition_variable changed;
  struct Queue {
    std::deque<ConformedBatch> batches;
    bool released = false;
  };
  std::map<const Table*, Queue> queues;
  std::uint64_t held = 0, limit = 0;
  unsigned waiting_readers = 0, open_streams = 0;
  bool ended = false;
  std::string error;

  std::atomic<bool> cancelled{false};
  std::thread runner;

  ~Shared() {
    if (runner.joinable()) {
      if (runner.get_id() == std::this_thread::get_id()) {
        runner.detach();
      } else {
        runner.join();
      }
    }
    for (auto& [table, queue] : queues) {
      for (ConformedBatch& b : queue.batches) b.array.release(&b.array);
    }
  }
};

class QueueSink final : public BatchSink {
 public:
  explicit QueueSink(Shared& shared) : shared_(shared) {}
  Result<void> open(const Table&) override { return {}; }
  Result<void> write(const Table& table, ConformedBatch& batch) override {
    std::unique_lock lock(shared_.mutex);
    shared_.changed.wait(lock, [&] { return shared_.held < shared_.limit || shared_.waiting_readers != 0 || shared_.cancelled; });
    auto& queue = shared_.queues.at(&table);
    if (queue.released || shared_.cancelled) {
      lock.unlock();
      batch.array.release(&batch.array);
      return {};
    }
    shared_.held += batch.bytes;
    queue.batches.push_back(batch);
    batch.array.release = nullptr;
    lock.unlock();
    shared_.changed.notify_all();
    return {};
  }

 private:
  Shared& shared_;
};

struct StreamState {
  std::shared_ptr<Shared> shared;
  const Table* table;
  std::string last_error;
};

int get_schema(ArrowArrayStream* stream, ArrowSchema* out) {
  try {
    static_cast<StreamState*>(stream->private_data)->table->export_schema(out);
    return 0;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

int get_next(ArrowArrayStream* stream, ArrowArray* out) {
  auto& state = *static_cast<StreamState*>(stream->private_data);
  Shared& shared = *state.shared;
  std::unique_lock lock(shared.mutex);
  auto& queue = shared.queues.at(state.table);
  if (queue.batches.empty() && !shared.ended) {
    ++shared.waiting_readers;
    shared.changed.notify_all();
    shared.changed.wait(lock, [&] { return !queue.batches.empty() || shared.ended; });
    --shared.waiting_readers;
  }
  if (queue.batches.empty()) {
    *out = ArrowArray{};
    if (shared.error.empty()) return 0;
    state.last_error = shared.error;
    return EIO;
  }
  *out = queue.batches.front().array;
  shared.held -= queue.batches.front().bytes;
  queue.batches.pop_front();
  lock.unlock();
  shared.changed.notify_all();
  return 0;
}

const char* get_last_error(ArrowArrayStream* stream) {
  const auto& state = *static_cast<StreamState*>(stream->private_data);
  return state.last_error.empty() ? nullptr : state.last_error.c_str();
}

void release(ArrowArrayStream* stream) {
  auto* state = static_cast<StreamState*>(stream->private_data);
  stream->release = nullptr;
  Shared& shared = *state->shared;
  bool last = false;
  {
    const std::lock_guard lock(shared.mutex);
    auto& queue = shared.queues.at(state->table);
    queue.released = true;
    for (ConformedBatch& b : queue.batches) {
      shared.held -= b.bytes;
      b.array.release(&b.array);
    }
    queue.batches.clear();
    last = --shared.open_streams == 0;
    if (last) shared.cancelled = true;
  }
  shared.changed.notify_all();
  if (last && shared.runner.joinable()) shared.runner.join();
  delete state;
}

}  // namespace

Result<std::vector<TableStream>> open_streams(const Registry& registry, RunOptions options, Summary* summary) {
  if (!options.state.empty()) return fail(Errc::invalid, "a ledger is of files that are committed: streams have none");
  auto shared = std::make_shared<Shared>();
  shared->limit = share_memory(options.memory).sinks;
  const auto tables = registry.impl().tables.all();
  if (tables.empty()) return fail(Errc::not_found, "no parser is loaded");
  for (const Table* table : tables) shared->queues[table];

  struct Background {
    std::vector<std::unique_ptr<BatchSink>> sinks;
    std::unique_ptr<RejectsWriter> rejects;
    std::unique_ptr<Engine> engine;
  };
  auto background = std::make_shared<Background>();
  background->sinks.push_back(std::make_unique<QueueSink>(*shared));
  auto rejects = RejectsWriter::open(options.rejects, make_run_id());
  if (!rejects) return tl::unexpected(rejects.error());
  background->rejects = std::move(*rejects);
  background->engine = std::make_unique<Engine>(registry, std::move(options), background->sinks, shared->cancelled, *background->rejects);
  if (auto ok = background->engine->prepare(); !ok) return tl::unexpected(ok.error());

  shared->open_streams = static_cast<unsigned>(tables.size());
  shared->runner = std::thread([state = shared.get(), background, summary] {
    std::string error;
    try {
      background->engine->execute();
      auto result = background->engine->conclude();
      if (!result) {
        error = result.error().what;
      } else if (summary) {
        *summary = std::move(*result);
      }
      if (auto kept = background->rejects->finish(); !kept && error.empty()) error = kept.error().what;
    } catch (const std::exception& e) {
      error = e.what();
    }
    {
      const std::lock_guard lock(state->mutex);
      state->ended = true;
      state->error = error;
    }
    state->changed.notify_all();
  });
  std::vector<TableStream> out;
  for (const Table* table : tables) {
    TableStream t;
    t.name = table->name;
    t.stream = ArrowArrayStream{get_schema, get_next, get_last_error, release, new StreamState{shared, table, {}}};
    out.push_back(std::move(t));
  }
  return out;
}

}  // namespace lm
