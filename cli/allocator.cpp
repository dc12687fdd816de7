// The program's allocator is jemalloc, which keeps what a run frees together: see docs/adr/0005-jemalloc-in-the-program.md.
extern "C" {
// Read by jemalloc when it starts; MALLOC_CONF in the environment wins. Buffers of some MB come and go all the time: they are not set apart from others, and what is
// free stays so, for the kernel would have to clear it again. That is bounded because there is one arena: each has a peak of its own. What stays may lie in large pages.
extern const char* malloc_conf;
const char* malloc_conf = "oversize_threshold:0,narenas:1,dirty_decay_ms:-1,thp:always";
}
