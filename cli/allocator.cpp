// The program's allocator is jemalloc, which keeps what a run frees for the run: see docs/adr/0005-jemalloc-in-the-program.md.
extern "C" {
// Read by jemalloc when it starts; MALLOC_CONF in the environment wins. Buffers of some MB come and go all the time: they are neither set apart from others nor
// given back to the kernel, which would have to clear them again.
extern const char* malloc_conf;
const char* malloc_conf = "oversize_threshold:0,dirty_decay_ms:-1";
}
