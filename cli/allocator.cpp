// The program's allocator is jemalloc, which keeps what a run frees together: see docs/adr/0005-jemalloc-in-the-program.md.
extern "C" {
// Read by jemalloc when it starts; MALLOC_CONF in the environment wins. Buffers of some MB come and go all the time: they are not set apart from others, and what is
// free stays so for two seconds before the kernel gets it back, which would have to clear it again. Without that end every arena would keep its own peak.
extern const char* malloc_conf;
const char* malloc_conf = "oversize_threshold:0,dirty_decay_ms:2000";
}
