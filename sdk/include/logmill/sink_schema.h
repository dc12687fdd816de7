/* logmill/sink_schema.h -- an extension of sinks (since ABI 1.1): what their target must know of tables before it gets the first row of them, such as the index templates of a search
 * engine.
 *
 * `logmill schema --format SINK` shows it and `--install-templates` tells the target. A library that can answers lm_entry.get_factory(LM_SINK_SCHEMA).
 */
#ifndef LOGMILL_SINK_SCHEMA_H
#define LOGMILL_SINK_SCHEMA_H

#include <logmill/sink.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LM_SINK_SCHEMA "logmill.sink.schema/1"

typedef struct lm_sink_schema { /* [static] */
  uint32_t struct_size;
  uint32_t reserved;
  /* [load] index: of the sink, as in lm_sink_factory. config: as for create, but without storage and refusals; the target is "-" where none is named. `take` gets a text for people
   * and tools: the schema, or, with `install` 1, what the target was told. LM_UNSUPPORTED: with these options there is nothing to know. */
  lm_status (*schema)(uint32_t index, const lm_sink_config* config, const lm_table* const* tables, uint64_t n_tables, uint32_t install,
                      void* ctx, void (*take)(void* ctx, lm_str text), lm_error*);
} lm_sink_schema;

#ifdef __cplusplus
}
#endif

#endif /* LOGMILL_SINK_SCHEMA_H */
