// Places where threads write beside each other: what one instance of a parser made meets its own place again where that is free.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace lm::sink {

// The instance's own slot or, while that is taken, one that is free; waits where none is. `Slot` has a `mutex`, which is locked. At least one slot is there.
template <class Slot>
std::pair<Slot*, std::unique_lock<std::mutex>> take_slot(const std::vector<std::unique_ptr<Slot>>& slots, std::uint64_t instance) {
  const std::size_t own = instance % slots.size();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    Slot& slot = *slots[(own + i) % slots.size()];
    std::unique_lock lock(slot.mutex, std::try_to_lock);
    if (lock.owns_lock()) return {&slot, std::move(lock)};
  }
  return {slots[own].get(), std::unique_lock(slots[own]->mutex)};
}

}  // namespace lm::sink
