// Counts what the process allocates, so that a benchmark can tell allocations a record. Include once an executable.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace lm::bench {
inline std::atomic<std::uint64_t> allocations{0};
}

extern "C" {
// glibc's own names, which its malloc, calloc and realloc are other names of.
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);

void* malloc(std::size_t size) {
  lm::bench::allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}
void* calloc(std::size_t n, std::size_t size) {
  lm::bench::allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(n, size);
}
void* realloc(void* from, std::size_t size) {
  lm::bench::allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(from, size);
}
}
