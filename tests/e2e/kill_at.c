/* Preloaded into logmill: ends the process by SIGKILL instead of its KILL_AT-th call of those that change a disk. KILL_AT_TELL: a file that gets the number of calls at the
 * end of a process that was left alone. What a kill at a random instant meets once in a thousand times is met at will. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;

static void step(void) {
  static long at = -1;
  if (at < 0) at = getenv("KILL_AT") ? atol(getenv("KILL_AT")) : 0;
  if (atomic_fetch_add(&calls, 1) + 1 == at) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
}

__attribute__((destructor)) static void tell(void) {
  const char* name = getenv("KILL_AT_TELL");
  FILE* file = name ? fopen(name, "w") : NULL;
  if (!file) return;
  fprintf(file, "%ld\n", atomic_load(&calls));
  fclose(file);
}

#define WRAP(type, name, parameters, arguments)            \
  type name parameters {                                   \
    static type(*real) parameters;                         \
    if (!real) *(void**)(&real) = dlsym(RTLD_NEXT, #name); \
    step();                                                \
    return real arguments;                                 \
  }

WRAP(int, fsync, (int fd), (fd))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, unlink, (const char* path), (path))
WRAP(int, rename, (const char* from, const char* to), (from, to))
WRAP(int, renameat2, (int from_fd, const char* from, int to_fd, const char* to, unsigned flags), (from_fd, from, to_fd, to, flags))
WRAP(int, ftruncate64, (int fd, off64_t size), (fd, size))
WRAP(ssize_t, pwrite64, (int fd, const void* data, size_t size, off64_t at), (fd, data, size, at))
