/* logmill/sink_sweep.h -- an extension of sinks: removing what a run that was killed has left behind.
 *
 * A run tells its id to the sinks that it makes (lm_sink_config.run_id), and notes it down before. When a later run finds that it did not come to its end, it
 * first publishes what was committed, and then asks a sink of the same target, by lm_sink.get_extension(self, LM_SINK_SWEEP), to remove whatever else instances of that
 * run have left: temporary files, open multipart uploads. Nothing that has its final name is touched. A sink without this extension leaves them where they are.
 */
#ifndef LOGMILL_SINK_SWEEP_H
#define LOGMILL_SINK_SWEEP_H

#include <logmill/sink.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LM_SINK_SWEEP "logmill.sink.sweep/1"

typedef struct lm_sink_sweep { /* [static] */
  uint32_t struct_size;
  uint32_t reserved;
  /* [load] `self` was created and not yet opened for a table. run_id: what the ids of those instances begin with. Idempotent. */
  lm_status (*sweep)(void* self, lm_str run_id, lm_error*);
} lm_sink_sweep;

#ifdef __cplusplus
}
#endif

#endif /* LOGMILL_SINK_SWEEP_H */
