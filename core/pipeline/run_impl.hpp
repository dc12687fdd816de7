// The engine of a run: everything between sources and sinks. Run (files) and open_streams (an embedder's arrays) put sinks around it.
#pragma once

#include "pipeline/rejects.hpp"
#include "pipeline/sink_host.hpp"

#include <atomic>
#include <memory>
#include <vector>

namespace lm {

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
