/* logmill/sink_describe.h -- an extension of sinks: what is in a file that a sink has written.
 *
 * `logmill catalog` makes tables of files for query engines. What columns a file has is known for certain by the file alone: another version, other parsers or other
 * options give others. So the host asks who knows the format. A library that can tell answers lm_entry.get_factory(LM_SINK_DESCRIBE); for one that cannot, there are no
 * catalogues of its files.
 */
#ifndef LOGMILL_SINK_DESCRIBE_H
#define LOGMILL_SINK_DESCRIBE_H

#include <logmill/sink.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LM_SINK_DESCRIBE "logmill.sink.describe/1"

typedef struct lm_file_info {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t rows;
  /* As readers see the columns: a struct, in the file's order. Text is "u", with the extension type "arrow.json" where it is JSON; times are "tsm:UTC". The host
   * releases it, if the call has succeeded. */
  struct ArrowSchema schema;
} lm_file_info;

typedef struct lm_sink_describe { /* [static] */
  uint32_t struct_size;
  uint32_t reserved;
  /* [any] index: of the sink, as in lm_sink_factory. path: a file on this machine, which need not be one of the sink's, nor whole: LM_INVALID says why. */
  lm_status (*describe)(uint32_t index, lm_str path, lm_file_info* out, lm_error*);
} lm_sink_describe;

#ifdef __cplusplus
}
#endif

#endif /* LOGMILL_SINK_DESCRIBE_H */
