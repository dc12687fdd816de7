// The engine of a run: everything between sources and sinks. Run (files) and open_streams (an embedder's arrays) put sinks around it.
#pragma once

#include "pipeline/rejects.hpp"
#include "pipeline/sink_host.hpp"
#include "source/source.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace lm {

// How `--memory` is shared out. Measured: the program itself, its decoders, dictionaries and allocator hold about 200 MiB, and a byte that is accounted for
// costs two at most while it is parsed, conformed and encoded.
struct MemoryShares {
  std::uint64_t in_flight, sinks;
};
inline MemoryShares share_memory(std::uint64_t memory) {
  constexpr std::uint64_t kFixed = std::uint64_t{208} << 20;
  const std::uint64_t usable = memory > kFixed + kFixed / 2 ? memory - kFixed : memory / 3;
  return {usable / 6, usable / 3};
}

// The inputs of a run, all of which are there. `stop` is asked while a listing waits.
Result<std::vector<std::unique_ptr<Source>>> open_sources(const RunOptions&, std::function<bool()> stop);

// Inputs may overlap: what several of them lead to is read once, however they spell it.
class Seen {
 public:
  bool is_new(const Source&, const ObjectRef&);

 private:
  std::string place_of(const std::string& uri);
  std::unordered_map<std::string, const Source*> seen_;
  std::string folder_, real_folder_;  // of the object before, which most have in common
};

// What is known of objects beyond one run. With a journal a run has epochs: it stops when enough was read, everything on its way is through, and goes on when
// what was written has been committed. A cancelled run then finishes the objects that it has begun, because half of one cannot be committed.
class Journal {
 public:
  struct TimeRange {
    std::uint64_t rows = 0;
    std::int64_t first = 0, last = 0;  // milliseconds
  };
  virtual ~Journal() = default;
  virtual Result<bool> wanted(const ObjectRef&) = 0;  // [any]
  virtual Result<void> done(const ObjectRef&, ObjectOutcome, const std::string& reason, std::uint64_t records,
                            std::uint64_t rejects) = 0;    // [any]
  virtual void wrote(const Table&, const TimeRange&) = 0;  // [any]
};

class Engine {
 public:
  // All references must outlive the engine. `cancelled` may be set by anyone at any time.
  Engine(const Registry&, RunOptions, std::vector<std::unique_ptr<BatchSink>>& sinks, std::atomic<bool>& cancelled, RejectsWriter&,
         Journal* = nullptr);
  ~Engine();
  Result<void> prepare();             // inputs, configuration, tables of the sinks
  Result<void> next(RejectsWriter&);  // another epoch begins: other sinks stand where the first ones stood
  // Blocks until every object is through, or every object of the epoch; what failed the run is told by check(). Answers whether there may be more.
  bool execute();
  void give_up();              // ends what goes on between epochs; idempotent
  Result<void> check();        // that nothing has failed, and that the accounts balance
  Result<Summary> conclude();  // once, after execute(); the sinks' outputs are not in it
  Progress progress() const;   // [any]

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Of a run that has read something: it was not asked in the wrong way.
inline Error not_usage(Error error) {
  if (error.code == Errc::invalid || error.code == Errc::not_found) error.code = Errc::io;
  return error;
}

std::string make_run_id();

// Names come from file systems, stores and header lines: what is not UTF-8 is percent-encoded, so that every output stays valid.
std::string readable(std::string_view name);

// Errc::invalid: there is no such sink.
Result<std::unique_ptr<OutputSink>> make_sink(const Registry&, const SinkSpec&, const RunOptions&, std::string_view run_id, Storages&,
                                              Refusals&, const std::atomic<bool>& cancelled);

// Run::execute() for options with a ledger. `started` gets the engine, for progress.
Result<Summary> run_with_ledger(const Registry&, const RunOptions&, std::atomic<bool>& cancelled,
                                const std::function<void(std::unique_ptr<Engine>)>& started);

}  // namespace lm
