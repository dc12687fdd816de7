// The engine of a run: everything between sources and sinks. Run (files) and open_streams (an embedder's arrays) put sinks around it.
#pragma once

#include "pipeline/rejects.hpp"
#include "pipeline/sink_host.hpp"
#include "source/source.hpp"

#include <atomic>
#include <memory>
#include <vector>

namespace lm {

// How `--memory` is shared out. Measured: the program itself, its decoders, dictionaries and allocator hold about 200 MiB, and a byte that is accounted for
// costs a little more than two while it is parsed, conformed and encoded.
struct MemoryShares {
  std::uint64_t in_flight, sinks;
};
inline MemoryShares share_memory(std::uint64_t memory) {
  constexpr std::uint64_t kFixed = std::uint64_t{208} << 20;
  const std::uint64_t usable = memory > kFixed + kFixed / 2 ? memory - kFixed : memory / 3;
  return {usable / 6, usable / 4};
}

// The inputs of a run, all of which are there. `stop` is asked while a listing waits.
Result<std::vector<std::unique_ptr<Source>>> open_sources(const RunOptions&, std::function<bool()> stop);

class Engine {
 public:
  // All references must outlive the engine. `cancelled` may be set by anyone at any time.
  Engine(const Registry&, RunOptions, std::vector<std::unique_ptr<BatchSink>>& sinks, std::atomic<bool>& cancelled, RejectsWriter&);
  ~Engine();
  Result<void> prepare();      // inputs, configuration, tables of the sinks
  void execute();              // blocks until every object is through; what failed the run is told by conclude()
  Result<Summary> conclude();  // once, after execute(); the sinks' outputs are not in it
  Progress progress() const;   // [any]

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lm
