/* logmill/sink.h -- what logmill (the host) and a sink plugin must agree on. The rules of logmill/plugin.h (versions, strings, threads, memory,
 * faults) hold here too; the library exports the same lm_entry and offers LM_SINK_FACTORY.
 *
 * The order of calls: create, then open once a table, then write (from many threads), then seal, then publish or discard for each output, then
 * destroy. A sink may finish outputs on its own before seal (a file that is full), but nothing gets its final name before publish:
 * readers never see half an output, nor a row that a restart would take back.
 */
#ifndef LOGMILL_SINK_H
#define LOGMILL_SINK_H

#include <logmill/http.h>
#include <logmill/plugin.h>
#include <logmill/storage.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LM_SINK_FACTORY "logmill.sink/1"

enum { LM_OPTION_TEXT = 1, LM_OPTION_INTEGER = 2, LM_OPTION_BOOLEAN = 3, LM_OPTION_CHOICE = 4, LM_OPTION_SIZE = 5 /* bytes: 64M, 1G */ };

typedef struct lm_option { /* [static] the host parses, checks and documents options from this */
  uint32_t struct_size;
  uint32_t type;
  lm_str name;
  lm_str fallback; /* the default, as text */
  lm_str choices;  /* LM_OPTION_CHOICE: "none|gzip|zstd"; LM_OPTION_INTEGER: "1..22"; else empty */
  lm_str help;     /* one sentence */
} lm_option;

typedef struct lm_sink_descriptor { /* [static] */
  uint32_t struct_size;
  uint32_t reserved;
  lm_str id; /* the word before ':' in --to, "parquet" */
  lm_str title;
  lm_str vendor;
  lm_str version;
  lm_str target; /* what stands behind ':', "DIR" */
  const lm_option* options;
  uint64_t n_options;
} lm_sink_descriptor;

typedef struct lm_table { /* [borrowed] */
  uint32_t struct_size;
  uint32_t class_uid;
  lm_str name; /* the OCSF class, "api_activity"; a safe file name */
  /* A struct schema; every batch of the table has it. Text that repeats is dictionary-encoded ("i" indices, "u" values). JSON text
   * has the extension type "arrow.json" in its metadata. Always there, never null: time ("l", milliseconds UTC). */
  const struct ArrowSchema* schema;
} lm_table;

typedef struct lm_output { /* [borrowed] what was sealed */
  uint32_t struct_size;
  uint32_t table;
  /* Where readers will find it, relative to the target: "api_activity/region=eu-west-1/part-0.parquet"; "" is the target itself, as a stream is. */
  lm_str name;
  lm_str token; /* the sink's own: publish and discard get it back, also in a later process */
  uint64_t rows, bytes;
} lm_output;

typedef struct lm_refused_row { /* [borrowed] */
  uint32_t struct_size;
  uint32_t table; /* the handle */
  lm_str uid;     /* metadata.uid */
  lm_str why;     /* what the target says of it */
  lm_str row;     /* the row as a JSON object, lineage included */
} lm_refused_row;

typedef struct lm_refusals { /* since 1.1 */
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  /* [any] until seal returns. The target will never take the row: it is counted, kept in the rejects of the same epoch, and the run is not complete. */
  void (*row)(void* self, const lm_refused_row*);
} lm_refusals;

typedef struct lm_sink_config {
  uint32_t struct_size;
  uint32_t threads;      /* that call write at once, at most */
  lm_str target;         /* what stood behind ':' */
  lm_str options_json;   /* every option of the descriptor with its value: {"compression":"zstd","zstd_level":3} */
  uint64_t memory_bytes; /* the sink's share of the memory budget: what it holds stays below */
  lm_str run_id;         /* unique a run, [0-9a-f]: for temporary and final names */
  /* Since 1.1: the target as a place for outputs, which a sink may use or not. What it holds is not the sink's to count. */
  const lm_storage* storage;
  /* Since 1.1, for targets that are services: requests, and where rows go that the service refuses. [borrowed] until lm_sink.destroy returns. */
  const lm_http* http;
  const lm_refusals* refusals;
} lm_sink_config;

typedef struct lm_sink {
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  /* [load] Answers the handle that write gets. */
  lm_status (*open)(void* self, const lm_table*, uint32_t* table, lm_error*);
  /* [any] Takes the array whatever it answers, and may hold it. `table` in the batch is the handle; `origins` is NULL. */
  lm_status (*write)(void* self, lm_batch*, lm_error*);
  /* [load] After the last write. All written so far is durable, not yet visible; `each` is called for every output. */
  lm_status (*seal)(void* self, void* ctx, void (*each)(void* ctx, const lm_output*), lm_error*);
  lm_status (*publish)(void* self, lm_str token, lm_error*); /* [load] visible; idempotent */
  lm_status (*discard)(void* self, lm_str token, lm_error*); /* [load] gone; idempotent */
  const void* (*get_extension)(void* self, const char* id);
  void (*destroy)(void* self); /* [load] What was written and not sealed is removed. */
} lm_sink;

typedef struct lm_sink_factory { /* [static] */
  uint32_t struct_size;
  uint32_t count;
  const lm_sink_descriptor* (*descriptor)(uint32_t index);
  lm_status (*create)(uint32_t index, const lm_sink_config*, lm_sink* out, lm_error*);
} lm_sink_factory;

#ifdef __cplusplus
}
#endif

#endif /* LOGMILL_SINK_H */
