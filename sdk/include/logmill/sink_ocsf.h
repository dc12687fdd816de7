/* logmill/sink_ocsf.h -- an extension of sinks: in which version of OCSF, and with which columns, a sink wants its events.
 *
 * Every sink can be given events of an older version by the option `ocsf`, which is the host's and not the sink's: the tables that it opens and the batches that it
 * writes are of that version. A sink whose readers know some versions only says so here, and the host checks the option against it when the sink is made.
 */
#ifndef LOGMILL_SINK_OCSF_H
#define LOGMILL_SINK_OCSF_H

#include <logmill/sink.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LM_SINK_OCSF "logmill.sink.ocsf/1"

/* Tables have all attributes that their class has in the version and in the profiles of its parsers, and not only those that some parser fills: the schema is
 * the same whatever parsers are installed. Timestamps have their "_dt" siblings, which are text, but for `time_dt`: milliseconds UTC ("l", ocsf.type datetime_t), as `time`. An
 * object within an object of its own type is JSON text. */
enum { LM_OCSF_ALL_COLUMNS = 1 };

typedef struct lm_sink_ocsf { /* [borrowed] as long as the sink */
  uint32_t struct_size;
  uint32_t flags;   /* LM_OCSF_* */
  lm_str preferred; /* the version where the user names none: "1.1.0"; empty: the host's */
  lm_str newest;    /* a newer one is refused; empty: none is */
  lm_str why;       /* and this says who cannot read it: "Amazon Security Lake" */
} lm_sink_ocsf;

#ifdef __cplusplus
}
#endif

#endif /* LOGMILL_SINK_OCSF_H */
