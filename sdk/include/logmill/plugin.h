/* logmill/plugin.h -- all that logmill (the host) and a parser plugin must agree on. C99, nothing but <stddef.h>, <stdint.h>
 * and Arrow's structs. C++ authors include logmill/sdk.hpp instead, which is a face over this.
 *
 * Version   abi_version is (major << 16) | minor. A host of major M loads every plugin of major M. Structs begin with struct_size and
 *           grow only at the end; a reader asks LM_HAS before it reads a field that is younger than the major.
 * Strings   lm_str: UTF-8, a pointer and a length, not NUL-terminated. Ids look like "logmill.parser/1", third parties' like
 *           "com.example.thing/1", and ids are NUL-terminated.
 * Threads   [load] one thread, before or after all work. [any] concurrent. [instance] never two at once for one instance, but from any
 *           OS thread: keep no thread_local state.
 * Memory    Arrays and schemas move and carry `release`; [borrowed] is valid until the call returns; [static] lives until the process
 *           ends; no struct is freed by the other side.
 * Faults    No exception, longjmp or exit crosses this border. Plugins are trusted code in the host's process; their input is not.
 * Unloading The host never unloads a library: a release callback may run until the process ends.
 */
#ifndef LOGMILL_PLUGIN_H
#define LOGMILL_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#include <logmill/arrow.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LM_ABI_MAJOR 1u
#define LM_ABI_MINOR 1u
#define LM_ABI_VERSION ((LM_ABI_MAJOR << 16) | LM_ABI_MINOR)

/* True if the struct at p is long enough to have the field. */
#define LM_HAS(type, p, field) ((p)->struct_size >= offsetof(type, field) + sizeof((p)->field))

/* Bytes behind the end of a block's data that may be read (SIMD loads), but mean nothing. */
#define LM_PADDING 64

typedef int32_t lm_status;
enum {
  LM_OK = 0,
  LM_INVALID = 1,     /* an argument or a configuration value is wrong */
  LM_UNSUPPORTED = 2, /* understood, but not offered */
  LM_CANCELLED = 3,   /* the run is being stopped: return this at once */
  LM_IO = 4,          /* the environment failed: disk, network */
  LM_NO_MEMORY = 5,
  LM_INTERNAL = 6 /* a bug of the side that answers */
};

/* Why a record was rejected. They are stable: rejects files carry their names. */
enum {
  LM_REJECT_MALFORMED = 1, /* not what the format says: broken JSON, too few fields */
  LM_REJECT_ENCODING = 2,  /* not UTF-8 */
  LM_REJECT_TRUNCATED = 3, /* the object broke off inside this record */
  LM_REJECT_OVERSIZE = 4,  /* longer than the largest record that is read */
  LM_REJECT_FOREIGN = 5,   /* well-formed, but not a record of this source */
  LM_REJECT_DEPTH = 6,     /* nested deeper than is read */
  LM_REJECT_CORRUPT = 7    /* bytes that the decompressor could not vouch for */
};

typedef struct lm_str {
  const char* data;
  uint64_t size; /* bytes */
} lm_str;

typedef struct lm_error { /* the caller's; the callee fills it */
  uint32_t struct_size;
  lm_status code;
  char message[1016]; /* NUL-terminated */
} lm_error;

typedef struct lm_host { /* [static] */
  uint32_t struct_size;
  uint32_t abi_version;
  lm_str version;                               /* of the host, "0.1.0" */
  const void* (*get_extension)(const char* id); /* [any] NULL: not offered. "logmill.log/1" -> const lm_log* */
} lm_host;

typedef struct lm_log { /* extension "logmill.log/1" */
  uint32_t struct_size, reserved;
  void (*write)(uint32_t level, lm_str message); /* [any] level: 0 trace, 1 debug, 2 info, 3 warning, 4 error */
} lm_log;

typedef struct lm_entry { /* the only exported symbol: extern const lm_entry logmill_entry; */
  uint32_t struct_size;
  uint32_t abi_version;
  lm_status (*init)(const lm_host*, lm_error*); /* [load] cheap: listing plugins runs it. The host is [static]. */
  void (*deinit)(void);                         /* [load] after the last destroy */
  const void* (*get_factory)(const char* id);   /* [any]  NULL: not offered. LM_PARSER_FACTORY -> const lm_parser_factory* */
} lm_entry;

#define LM_PARSER_FACTORY "logmill.parser/1"

/* ---- What a parser says of itself: data alone, readable without running it. All of it is [static]. ---- */

enum { LM_TEXT_DICTIONARY = 1 }; /* lm_column.flags: the text repeats; the array is dictionary-encoded */

typedef struct lm_column {
  uint32_t struct_size;
  uint32_t flags;
  lm_str path;     /* OCSF path in the class, "[]" behind every array: "resources[].owner.account.uid" */
  lm_str constant; /* not empty: every row has this text here */
} lm_column;

typedef struct lm_class { /* one table that the parser fills */
  uint32_t struct_size;
  uint32_t class_uid; /* OCSF, such as 6003 */
  const lm_column* columns;
  uint64_t n_columns;
  const lm_str* profiles; /* OCSF profiles whose attributes the rows use: metadata.profiles */
  uint64_t n_profiles;
} lm_class;

enum {
  LM_FRAMING_LINES = 1, /* a record a line; LF or CRLF; blank lines are not records */
  LM_FRAMING_JSON = 2   /* a record a JSON object: one document, documents back to back or a line, elements of a top-level
                           array, or of the array in the member `envelope` of a top-level object */
};

enum {
  LM_KIND_EVENTS = 0,
  LM_KIND_SET_ASIDE = 1 /* recognises objects that hold no events (digests, notifications), so that a run can say so */
};

typedef struct lm_parser_descriptor {
  uint32_t struct_size;
  uint32_t kind;
  lm_str id;    /* "aws.cloudtrail" */
  lm_str title; /* "AWS CloudTrail" */
  lm_str vendor;
  lm_str version; /* of the plugin, "1.0.0" */
  lm_str reads;   /* a sentence: formats and versions; for LM_KIND_SET_ASIDE: why it is set aside */
  uint32_t framing;
  uint32_t reserved;
  lm_str envelope; /* LM_FRAMING_JSON: the member whose array holds the records, "Records" as well as "records"; may be empty */
  /* Patterns of object keys, '/' separated, matched against the end of the key from a '/' on: '*' is any text without '/', "**" any
   * text, "{name}" as '*' but captured, anything else is itself. "AWSLogs/{account}/CloudTrail/{region}/" "**" */
  const lm_str* keys;
  uint64_t n_keys;
  const lm_class* classes;
  uint64_t n_classes;
} lm_parser_descriptor;

/* ---- What a parser is given. ---- */

typedef struct lm_capture {
  lm_str name, value;
} lm_capture;

typedef struct lm_object { /* [borrowed] the object that records were read from */
  uint32_t struct_size;
  uint32_t reserved;
  lm_str uri;  /* as the user would name it: "s3://bucket/key", "evidence/a.json.gz" */
  lm_str etag; /* or version; empty if the store has none */
  uint64_t size;
  int64_t mtime_ms;           /* milliseconds since 1970-01-01 UTC, 0 if unknown */
  const lm_capture* captures; /* of the first of the parser's key patterns that matches */
  uint64_t n_captures;
} lm_object;

typedef struct lm_member { /* of a JSON object, as it stands in the sample */
  lm_str name;
  lm_str text; /* of a string, between its quotes, with its escapes; data is NULL if it is none, or if the sample ends within it */
  lm_str raw;  /* of what is no string; the sample may end within it */
} lm_member;

typedef struct lm_outline { /* what a sample of JSON is made of; sdk/outline.hpp says which document and which record are meant */
  uint32_t struct_size;
  uint32_t clean; /* 1: no line was passed over */
  const lm_member* document;
  uint64_t n_document;
  const lm_member* record;
  uint64_t n_record;
} lm_outline;

typedef struct lm_sample { /* [borrowed] for detection */
  uint32_t struct_size;
  uint32_t whole; /* 1: `head` is the whole decoded object */
  lm_str key;     /* its key or path */
  const uint8_t* head;
  uint64_t head_size; /* up to 64 KiB of decoded bytes; LM_PADDING more may be read. Without a byte order mark. */
  /* Since 1.1; may be NULL. The outline of `head` whose records stand in that envelope, made once for all parsers that ask: [borrowed], until score() returns.
   * NULL: there was no memory for it, or too many were asked for. */
  const lm_outline* (*outline)(const struct lm_sample*, lm_str envelope);
} lm_sample;

typedef struct lm_record {
  uint32_t offset, length; /* in block.data, without the line end; length > 0 */
} lm_record;

typedef struct lm_block { /* [borrowed] whole records of one object */
  uint32_t struct_size;
  uint32_t reserved;
  const uint8_t* data; /* LM_PADDING bytes behind `size` may be read, not trusted */
  uint64_t size;       /* bytes, below 4 GiB */
  const lm_record* records;
  uint64_t n_records;
  uint64_t offset;         /* of data[0] in the decoded stream */
  uint64_t first_record;   /* ordinal of records[0] in the object */
  const uint8_t* prologue; /* the header lines that hold for these records, without the last line end; empty if none */
  uint64_t prologue_size;
  const lm_object* object;
} lm_block;

/* ---- What a parser gives. ---- */

typedef struct lm_origin { /* where a row comes from */
  uint32_t block;          /* index into the blocks of this parse call */
  uint32_t record;         /* index into block.records */
  uint32_t item;           /* 0, 1, ... where one record gives several rows */
  uint32_t reserved;
} lm_origin;

typedef struct lm_batch { /* rows of one table */
  uint32_t struct_size;
  uint32_t table;            /* index into the descriptor's classes */
  struct ArrowArray array;   /* a struct array, moved: release == NULL afterwards */
  uint64_t bytes;            /* held by array: ArrowArray cannot say, the byte budget must know */
  uint64_t instance;         /* set by the host: names the dictionaries' owner */
  uint64_t dictionary_epoch; /* same instance, table and epoch: a code means the same value in every batch */
  const lm_origin* origins;  /* [borrowed] one a row, ascending by (block, record, item) */
} lm_batch;

typedef struct lm_emit { /* the host's side of parse()  [borrowed] */
  uint32_t struct_size;
  uint32_t reserved;
  void* ctx;
  /* Takes the array whatever it answers. LM_CANCELLED: stop and return it. */
  lm_status (*batch)(void* ctx, lm_batch*);
  /* The record gave no row and gives none later. */
  void (*reject)(void* ctx, uint32_t block, uint32_t record, uint32_t code, lm_str why);
  /* `count` records had a field that the parser does not know; it is in `unmapped`. The host sums by field. */
  void (*drift)(void* ctx, lm_str field, uint64_t count);
} lm_emit;

typedef struct lm_parser { /* filled by create */
  uint32_t struct_size;
  uint32_t reserved;
  void* self;
  /* [instance] The struct schema of the batches of one table; it never changes for an instance. Text is "u" (utf8), with a dictionary
   * and "i" indices where the column says LM_TEXT_DICTIONARY or is constant; OCSF integers "i", longs and timestamps "l", booleans "b", floats "g",
   * JSON text "u"; objects are structs and arrays are lists, nested as OCSF nests them. */
  lm_status (*schema)(void* self, uint32_t table, struct ArrowSchema* out, lm_error*);
  /* [instance] Every record of every block either gives at least one row or is rejected once. Answers LM_OK even if all records are
   * bad; anything else is the plugin's own fault and fails the objects of these blocks. */
  lm_status (*parse)(void* self, const lm_block* const* blocks, uint64_t n_blocks, const lm_emit*, lm_error*);
  const void* (*get_extension)(void* self, const char* id); /* [any] NULL: not offered */
  void (*destroy)(void* self);                              /* [instance] batches that it emitted live on */
} lm_parser;

typedef struct lm_parser_factory { /* [static] */
  uint32_t struct_size;
  uint32_t count;                                            /* parsers in this library */
  const lm_parser_descriptor* (*descriptor)(uint32_t index); /* [any] */
  /* [any] 0: not this source. 1 to 100: how sure. The best score of all parsers wins. */
  int32_t (*score)(uint32_t index, const lm_sample*);
  /* [any] May be NULL. 1: this line (LM_FRAMING_LINES, without its end) is not a record but a header for the lines below it. */
  int32_t (*prologue)(uint32_t index, lm_str line);
  /* [any] config_json: an object, "{}" if nothing is configured. An unknown member is LM_INVALID with its name. */
  lm_status (*create)(uint32_t index, lm_str config_json, lm_parser* out, lm_error*);
} lm_parser_factory;

#if defined(_WIN32)
#define LM_EXPORT __declspec(dllexport)
#else
#define LM_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
}
#endif

#endif /* LOGMILL_PLUGIN_H */
