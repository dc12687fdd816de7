// Work shared among the threads of the caller's arena.
#pragma once

#include <logmill/sdk/handover.hpp>

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <cstddef>
#include <utility>

namespace lm::sink {

// Calls each(i) for 0 <= i < n and waits for all of them. Isolated: a thread that waits here must not pick up some other write() and wait in there.
template <class Each>
void parallel(std::size_t n, Each&& each) {
  Handover handover;
  handover.give();
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_for(std::size_t{0}, n, [&](std::size_t i) {
      handover.take();
      each(i);
      handover.give();
    });
  });
  handover.take();
}

}  // namespace lm::sink
