/* logmill/storage.h -- what the host offers to sinks (since ABI 1.1): a place for outputs that readers see whole or not at all.
 *
 * The place is what lm_sink_config.target names: a folder, or s3://BUCKET/PREFIX with all that the run was told of credentials and endpoints. A sink
 * that writes by it has both, and what comes later; it knows neither temporary names nor uploads:
 *
 *   open                                                    once; what is wrong with the place is said here
 *   create, append, append, ..., finish, seal -> a token    an output; it is durable then, and nobody sees it
 *   publish(token) or discard(token)                        also in a later process, any number of times
 *
 * The id of the run (lm_sink_config.run_id) belongs into the last component of every name, behind a '-': by that sweep finds what a run that was
 * killed has left, and two runs never mean the same name.
 */
#ifndef LOGMILL_STORAGE_H
#define LOGMILL_STORAGE_H

#include <logmill/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lm_storage_output lm_storage_output; /* the host's */

typedef struct lm_storage { /* [borrowed] until lm_sink.destroy returns */
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  /* [load] Before everything else; idempotent. LM_INVALID: the target names no place, or one that cannot be written to. */
  lm_status (*open)(void* self, lm_error*);
  /* [any] `name` is relative to the target: components with '/' between them, none empty, "." or "..", no control characters (else LM_INVALID).
   * LM_IO if it cannot be made, or is there already. Many may be there at once: an output costs neither a descriptor nor, for long, memory. */
  lm_status (*create)(void* self, lm_str name, lm_storage_output** output, lm_error*);
  /* [instance] of the output, as are finish, seal and close. Writes the pieces one behind the other, all or not. May block while too much is on
   * its way. After a failure the output can only be closed. */
  lm_status (*append)(void* self, lm_storage_output*, const lm_str* pieces, uint64_t n, lm_error*);
  /* Nothing comes any more. What is left to do may go on behind it: of many outputs, finish all before the first is sealed. */
  lm_status (*finish)(void* self, lm_storage_output*, lm_error*);
  /* Waits until it is durable. `take` gets the token, [borrowed]: text without NUL. */
  lm_status (*seal)(void* self, lm_storage_output*, void* ctx, void (*take)(void* ctx, lm_str token), lm_error*);
  /* Gives the output back. keep = 1: it is sealed and was told to the host, by lm_sink.seal, which may publish or discard it. Else what there is of
   * it is removed. */
  void (*close)(void* self, lm_storage_output*, uint32_t keep);
  /* [load] As in lm_sink, and what these call. They may go on behind it; the host waits, and knows how they ended, before it relies on them. */
  lm_status (*publish)(void* self, lm_str token, lm_error*); /* never replaces what a folder has there */
  lm_status (*discard)(void* self, lm_str token, lm_error*);
  /* [load] What lm_sink_sweep.sweep calls: removes what was not published and has "-RUN_ID" in the last component of its name. */
  lm_status (*sweep)(void* self, lm_str run_id, lm_error*);
} lm_storage;

#ifdef __cplusplus
}
#endif

#endif /* LOGMILL_STORAGE_H */
