/* The log of "ExampleWall", an invented packet filter, read by a plugin in bare C99: no SDK, nothing but logmill/plugin.h. A C++
 * author would rather use logmill/sdk.hpp (examples/plugin-cpp); this file is for those who bind another language to the ABI, and shows all
 * that crosses it.
 *
 *   1772352000250 ALLOW tcp 192.0.2.10 51000 203.0.113.5 443 1420
 *   ms since 1970, ALLOW or DENY, tcp udp or icmp, source and its port, destination and its port, bytes or '-'; one space between them
 *
 * Each line becomes a row of OCSF network_activity.
 *
 * Who owns what
 *   - Descriptors, names and formats are static data. The host never unloads a library, so that they may be pointed at for ever.
 *   - Blocks, records and the emit table are the host's and valid until parse() returns: text is copied into our arrays, never pointed at.
 *   - Arrays and schemas are ours until we hand them over, and the host's afterwards. It calls `release` when it pleases: from any thread,
 *     and after destroy() too. So an array here owns every byte that it points at and refers to nothing of the instance.
 *   - The host may move a child out of its parent (copy the struct, set the original's release to NULL) and release it later than the
 *     parent. So each child has its own release and its own memory; a parent only releases the children that are still in it.
 */
#include <logmill/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STR(literal) {(literal), sizeof(literal) - 1}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- What the parser says of itself: data alone. The host checks every path against OCSF when it loads the library. ---- */

static const lm_column columns[] = {
    {sizeof(lm_column), 0, STR("activity_id"), {NULL, 0}},
    {sizeof(lm_column), 0, STR("time"), {NULL, 0}},
    {sizeof(lm_column), 0, STR("severity_id"), {NULL, 0}},
    {sizeof(lm_column), LM_TEXT_DICTIONARY, STR("connection_info.protocol_name"), {NULL, 0}},
    {sizeof(lm_column), 0, STR("src_endpoint.ip"), {NULL, 0}},
    {sizeof(lm_column), 0, STR("src_endpoint.port"), {NULL, 0}},
    {sizeof(lm_column), 0, STR("dst_endpoint.ip"), {NULL, 0}},
    {sizeof(lm_column), 0, STR("dst_endpoint.port"), {NULL, 0}},
    {sizeof(lm_column), 0, STR("traffic.bytes"), {NULL, 0}},
    {sizeof(lm_column), LM_TEXT_DICTIONARY, STR("metadata.product.name"), STR("ExampleWall")},
};
static const lm_class classes[] = {{sizeof(lm_class), 4001, columns, COUNT(columns), NULL, 0}};
static const lm_parser_descriptor wall = {
    sizeof(lm_parser_descriptor), LM_KIND_EVENTS,    STR("example.wall"), STR("ExampleWall log"), STR("Example"), STR("1.0.0"),
    STR("Packets allowed and denied, a line each"), LM_FRAMING_LINES, 0, {NULL, 0}, NULL, 0, classes, COUNT(classes)};

static const lm_parser_descriptor* descriptor(uint32_t index) { return index == 0 ? &wall : NULL; }

/* ---- Text to values. Lines are not NUL-terminated: everything goes by pointer and length. ---- */

typedef struct text {
  const char* data;
  size_t size;
} text;

static int equals(text t, const char* literal) { return t.size == strlen(literal) && memcmp(t.data, literal, t.size) == 0; }

/* Exactly `wanted` fields with one space between them. */
static int split(text line, text* out, size_t wanted) {
  size_t begin = 0, count = 0, i;
  for (i = 0; i <= line.size; ++i) {
    if (i < line.size && line.data[i] != ' ') continue;
    if (i == begin || count == wanted) return 0;
    out[count].data = line.data + begin;
    out[count++].size = i - begin;
    begin = i + 1;
  }
  return count == wanted;
}

/* Decimal digits alone, at most `most`. */
static int number(text t, int64_t most, int64_t* out) {
  int64_t value = 0;
  size_t i;
  if (t.size == 0) return 0;
  for (i = 0; i < t.size; ++i) {
    const int digit = t.data[i] - '0';
    if (digit < 0 || digit > 9 || value > (most - digit) / 10) return 0;
    value = value * 10 + digit;
  }
  *out = value;
  return 1;
}

#define MOST_IP 15 /* bytes of "255.255.255.255" */

static int is_ipv4(text t) {
  size_t begin = 0, i;
  int octets = 0;
  if (t.size > MOST_IP) return 0;
  for (i = 0; i <= t.size; ++i) {
    int64_t octet;
    text part;
    if (i < t.size && t.data[i] != '.') continue;
    part.data = t.data + begin;
    part.size = i - begin;
    if (!number(part, 255, &octet) || (part.size > 1 && part.data[0] == '0')) return 0;
    ++octets;
    begin = i + 1;
  }
  return octets == 4;
}

static const char* const protocols[] = {"tcp", "udp", "icmp"}; /* the dictionary of connection_info.protocol_name */

typedef struct packet {
  int64_t time, bytes, source_port, destination_port;
  int32_t protocol; /* index into protocols */
  int allowed, has_bytes;
  text source, destination;
} packet;

/* NULL, or why the line is no record. */
static const char* read_packet(text line, packet* out) {
  text f[8];
  if (!split(line, f, COUNT(f))) return "a line has 8 fields";
  if (!number(f[0], INT64_C(4102444800000), &out->time)) return "the line does not begin with a time";
  out->allowed = equals(f[1], "ALLOW");
  if (!out->allowed && !equals(f[1], "DENY")) return "the verdict is neither ALLOW nor DENY";
  for (out->protocol = 0; out->protocol < (int32_t)COUNT(protocols); ++out->protocol) {
    if (equals(f[2], protocols[out->protocol])) break;
  }
  if (out->protocol == (int32_t)COUNT(protocols)) return "the protocol is none of tcp, udp and icmp";
  if (!is_ipv4(f[3]) || !is_ipv4(f[5])) return "an address is no IPv4 address";
  if (!number(f[4], 65535, &out->source_port) || !number(f[6], 65535, &out->destination_port)) return "a port is none";
  out->has_bytes = !equals(f[7], "-");
  if (out->has_bytes && !number(f[7], INT64_MAX, &out->bytes)) return "the bytes are no number";
  out->source = f[3];
  out->destination = f[5];
  return NULL;
}

/* ---- Arrow, by hand ---- */

#define MOST_CHILDREN 8

/* What one array owns. The structs of its children lie in it; what those own is their own. */
typedef struct holding {
  const void* buffers[3];
  struct ArrowArray children[MOST_CHILDREN];
  struct ArrowArray* child_pointers[MOST_CHILDREN];
  struct ArrowArray dictionary;
} holding;

static void release_array(struct ArrowArray* array) {
  holding* own = (holding*)array->private_data;
  size_t i;
  for (i = 0; i < MOST_CHILDREN; ++i) {
    if (own->children[i].release) own->children[i].release(&own->children[i]); /* NULL: never made, or moved out */
  }
  if (own->dictionary.release) own->dictionary.release(&own->dictionary);
  for (i = 0; i < COUNT(own->buffers); ++i) free((void*)own->buffers[i]);
  free(own);
  array->release = NULL; /* says "released"; the struct itself belongs to whoever holds it */
}

/* An array that can be released from the start on, however little of it is made: one call cleans up after any failure. */
static int make_array(struct ArrowArray* out, int64_t n_buffers, int64_t n_children) {
  holding* own = (holding*)calloc(1, sizeof *own);
  int64_t i;
  memset(out, 0, sizeof *out);
  if (!own) return 0;
  for (i = 0; i < n_children; ++i) own->child_pointers[i] = &own->children[i];
  out->n_buffers = n_buffers;
  out->buffers = own->buffers;
  out->n_children = n_children;
  out->children = n_children ? own->child_pointers : NULL;
  out->release = release_array;
  out->private_data = own;
  return 1;
}

/* Zeroed memory as buffer number `index`. Readers may load a bitmap a 64-bit word at a time, hence some bytes to spare. */
static void* make_buffer(struct ArrowArray* array, int index, size_t bytes) {
  void* memory = calloc(bytes + 64, 1);
  ((holding*)array->private_data)->buffers[index] = memory;
  return memory;
}

static size_t bitmap_bytes(int64_t rows) { return (size_t)((rows + 63) / 64 * 8); }

/* A column of numbers without nulls: no bitmap is needed, buffer 0 stays NULL. */
static void* make_numbers(struct ArrowArray* out, int64_t rows, size_t width) {
  return make_array(out, 2, 0) ? make_buffer(out, 1, (size_t)rows * width) : NULL;
}

/* A column of text: rows + 1 offsets into the bytes; text i is bytes[offsets[i]] to bytes[offsets[i + 1]]. */
typedef struct text_column {
  int32_t* offsets;
  char* bytes;
} text_column;

static int make_text(struct ArrowArray* out, int64_t rows, size_t most_bytes, text_column* column) {
  if (!make_array(out, 3, 0)) return 0;
  column->offsets = (int32_t*)make_buffer(out, 1, (size_t)(rows + 1) * sizeof(int32_t));
  column->bytes = (char*)make_buffer(out, 2, most_bytes);
  return column->offsets && column->bytes;
}

static void put_text(text_column* column, int64_t row, text value) {
  memcpy(column->bytes + column->offsets[row], value.data, value.size);
  column->offsets[row + 1] = column->offsets[row] + (int32_t)value.size;
}

/* A dictionary column: 32-bit codes, zero at first, and an array of the `count` texts that they stand for. */
static int32_t* make_codes(struct ArrowArray* out, int64_t rows, const char* const* values, size_t count) {
  int32_t* codes = (int32_t*)make_numbers(out, rows, sizeof(int32_t));
  struct ArrowArray* dictionary;
  text_column column;
  size_t bytes = 0, i;
  if (!codes) return NULL;
  for (i = 0; i < count; ++i) bytes += strlen(values[i]);
  dictionary = &((holding*)out->private_data)->dictionary;
  if (!make_text(dictionary, (int64_t)count, bytes, &column)) return NULL;
  out->dictionary = dictionary;
  dictionary->length = (int64_t)count;
  for (i = 0; i < count; ++i) {
    text value;
    value.data = values[i];
    value.size = strlen(values[i]);
    put_text(&column, (int64_t)i, value);
  }
  return codes;
}

/* The children of the row, in the order of the schema below. */
enum { ACTIVITY, TIME, SEVERITY, CONNECTION, SOURCE, DESTINATION, TRAFFIC, METADATA, ROW_CHILDREN };
enum { IP, PORT, ENDPOINT_CHILDREN };

typedef struct table {
  struct ArrowArray row;
  int64_t rows, nulls;
  int32_t *activity, *severity, *protocol, *source_port, *destination_port;
  int64_t *time, *bytes;
  uint8_t *bytes_valid, *traffic_valid;
  text_column source, destination;
} table;

/* 0: out of memory; the row is to be released all the same. */
static int make_table(table* t, int64_t capacity) {
  static const char* const product[] = {"ExampleWall"};
  struct ArrowArray *child, *metadata;
  memset(t, 0, sizeof *t);
  if (!make_array(&t->row, 1, ROW_CHILDREN)) return 0;
  child = *t->row.children;
  if (!(t->activity = (int32_t*)make_numbers(&child[ACTIVITY], capacity, sizeof(int32_t)))) return 0;
  if (!(t->time = (int64_t*)make_numbers(&child[TIME], capacity, sizeof(int64_t)))) return 0;
  if (!(t->severity = (int32_t*)make_numbers(&child[SEVERITY], capacity, sizeof(int32_t)))) return 0;

  if (!make_array(&child[CONNECTION], 1, 1)) return 0;
  if (!(t->protocol = make_codes(child[CONNECTION].children[0], capacity, protocols, COUNT(protocols)))) return 0;

  if (!make_array(&child[SOURCE], 1, ENDPOINT_CHILDREN)) return 0;
  if (!make_text(child[SOURCE].children[IP], capacity, (size_t)capacity * MOST_IP, &t->source)) return 0;
  if (!(t->source_port = (int32_t*)make_numbers(child[SOURCE].children[PORT], capacity, sizeof(int32_t)))) return 0;

  if (!make_array(&child[DESTINATION], 1, ENDPOINT_CHILDREN)) return 0;
  if (!make_text(child[DESTINATION].children[IP], capacity, (size_t)capacity * MOST_IP, &t->destination)) return 0;
  if (!(t->destination_port = (int32_t*)make_numbers(child[DESTINATION].children[PORT], capacity, sizeof(int32_t)))) return 0;

  /* The only attribute that may be absent. Where all members of an object are absent, the object is: both have a bitmap, 1 is "there". */
  if (!make_array(&child[TRAFFIC], 1, 1)) return 0;
  if (!(t->traffic_valid = (uint8_t*)make_buffer(&child[TRAFFIC], 0, bitmap_bytes(capacity)))) return 0;
  if (!(t->bytes = (int64_t*)make_numbers(child[TRAFFIC].children[0], capacity, sizeof(int64_t)))) return 0;
  if (!(t->bytes_valid = (uint8_t*)make_buffer(child[TRAFFIC].children[0], 0, bitmap_bytes(capacity)))) return 0;

  /* metadata.product.name: a constant column. Its codes are 0 already. */
  metadata = &child[METADATA];
  if (!make_array(metadata, 1, 1) || !make_array(metadata->children[0], 1, 1)) return 0;
  return make_codes(metadata->children[0]->children[0], capacity, product, COUNT(product)) != NULL;
}

static void add_row(table* t, const packet* p) {
  const int64_t i = t->rows++;
  t->activity[i] = p->allowed ? 6 : 5; /* Traffic, Refuse */
  t->time[i] = p->time;
  t->severity[i] = 1; /* Informational */
  t->protocol[i] = p->protocol;
  put_text(&t->source, i, p->source);
  t->source_port[i] = (int32_t)p->source_port;
  put_text(&t->destination, i, p->destination);
  t->destination_port[i] = (int32_t)p->destination_port;
  if (p->has_bytes) {
    t->bytes[i] = p->bytes;
    t->bytes_valid[i >> 3] = (uint8_t)(t->bytes_valid[i >> 3] | 1u << (i & 7));
    t->traffic_valid[i >> 3] = (uint8_t)(t->traffic_valid[i >> 3] | 1u << (i & 7));
  } else {
    ++t->nulls;
  }
}

/* The buffers were made for as many rows as there are records; the lengths say how many there are. Dictionaries have their own. */
static void set_length(struct ArrowArray* array, int64_t rows) {
  int64_t i;
  array->length = rows;
  for (i = 0; i < array->n_children; ++i) set_length(array->children[i], rows);
}

/* ---- The schema, once an instance: the same nesting, with names and formats. ---- */

typedef struct schema_holding {
  struct ArrowSchema children[MOST_CHILDREN];
  struct ArrowSchema* child_pointers[MOST_CHILDREN];
  struct ArrowSchema dictionary;
} schema_holding;

static void release_schema(struct ArrowSchema* schema) {
  schema_holding* own = (schema_holding*)schema->private_data;
  size_t i;
  for (i = 0; i < COUNT(own->children); ++i) {
    if (own->children[i].release) own->children[i].release(&own->children[i]);
  }
  if (own->dictionary.release) own->dictionary.release(&own->dictionary);
  free(own);
  schema->release = NULL;
}

/* `name` and `format` are static. */
static struct ArrowSchema* make_schema(struct ArrowSchema* out, const char* name, const char* format, int64_t n_children) {
  schema_holding* own = (schema_holding*)calloc(1, sizeof *own);
  int64_t i;
  memset(out, 0, sizeof *out);
  if (!own) return NULL;
  for (i = 0; i < n_children; ++i) own->child_pointers[i] = &own->children[i];
  out->name = name;
  out->format = format;
  out->flags = ARROW_FLAG_NULLABLE;
  out->n_children = n_children;
  out->children = n_children ? own->child_pointers : NULL;
  out->release = release_schema;
  out->private_data = own;
  return out;
}

static int make_coded_schema(struct ArrowSchema* out, const char* name) {
  if (!make_schema(out, name, "i", 0)) return 0;
  if (!make_schema(&((schema_holding*)out->private_data)->dictionary, NULL, "u", 0)) return 0;
  out->dictionary = &((schema_holding*)out->private_data)->dictionary;
  return 1;
}

static int make_row_schema(struct ArrowSchema* row) {
  struct ArrowSchema* child;
  int end;
  if (!make_schema(row, "", "+s", ROW_CHILDREN)) return 0;
  child = *row->children;
  if (!make_schema(&child[ACTIVITY], "activity_id", "i", 0)) return 0;
  if (!make_schema(&child[TIME], "time", "l", 0)) return 0;
  if (!make_schema(&child[SEVERITY], "severity_id", "i", 0)) return 0;
  if (!make_schema(&child[CONNECTION], "connection_info", "+s", 1)) return 0;
  if (!make_coded_schema(child[CONNECTION].children[0], "protocol_name")) return 0;
  for (end = SOURCE; end <= DESTINATION; ++end) {
    if (!make_schema(&child[end], end == SOURCE ? "src_endpoint" : "dst_endpoint", "+s", ENDPOINT_CHILDREN)) return 0;
    if (!make_schema(child[end].children[IP], "ip", "u", 0)) return 0;
    if (!make_schema(child[end].children[PORT], "port", "i", 0)) return 0;
  }
  if (!make_schema(&child[TRAFFIC], "traffic", "+s", 1)) return 0;
  if (!make_schema(child[TRAFFIC].children[0], "bytes", "l", 0)) return 0;
  if (!make_schema(&child[METADATA], "metadata", "+s", 1)) return 0;
  if (!make_schema(child[METADATA].children[0], "product", "+s", 1)) return 0;
  return make_coded_schema(child[METADATA].children[0]->children[0], "name");
}

/* ---- The parser ---- */

static lm_status failed(lm_error* error, lm_status code, const char* why) {
  if (error) {
    error->code = code;
    snprintf(error->message, sizeof error->message, "%s", why);
  }
  return code;
}

static lm_status schema(void* self, uint32_t index, struct ArrowSchema* out, lm_error* error) {
  (void)self;
  if (index != 0) return failed(error, LM_INVALID, "no such table");
  if (make_row_schema(out)) return LM_OK;
  if (out->release) out->release(out);
  return failed(error, LM_NO_MEMORY, "out of memory");
}

static lm_status parse(void* self, const lm_block* const* blocks, uint64_t n_blocks, const lm_emit* emit, lm_error* error) {
  const uint64_t most = INT32_MAX / (MOST_IP + 1); /* offsets of text are 32 bits wide */
  uint64_t records = 0, b, r;
  lm_origin* origins;
  lm_status status = LM_OK;
  lm_batch batch;
  table t;
  (void)self;
  for (b = 0; b < n_blocks; ++b) records += blocks[b]->n_records;
  if (records > most) return failed(error, LM_INTERNAL, "too many records in one call");

  origins = (lm_origin*)calloc((size_t)records + 1, sizeof *origins);
  if (!make_table(&t, (int64_t)records) || !origins) {
    if (t.row.release) t.row.release(&t.row);
    free(origins);
    return failed(error, LM_NO_MEMORY, "out of memory");
  }
  for (b = 0; b < n_blocks; ++b) {
    for (r = 0; r < blocks[b]->n_records; ++r) {
      packet p;
      text line;
      const char* why;
      line.data = (const char*)blocks[b]->data + blocks[b]->records[r].offset;
      line.size = blocks[b]->records[r].length;
      why = read_packet(line, &p);
      if (why) {
        lm_str reason;
        reason.data = why;
        reason.size = strlen(why);
        emit->reject(emit->ctx, (uint32_t)b, (uint32_t)r, LM_REJECT_MALFORMED, reason);
      } else {
        origins[t.rows].block = (uint32_t)b; /* every row says which record it is of */
        origins[t.rows].record = (uint32_t)r;
        add_row(&t, &p);
      }
    }
  }

  if (t.rows == 0) {
    t.row.release(&t.row);
  } else {
    set_length(&t.row, t.rows);
    t.row.children[TRAFFIC]->null_count = t.nulls;
    t.row.children[TRAFFIC]->children[0]->null_count = t.nulls;
    memset(&batch, 0, sizeof batch);
    batch.struct_size = sizeof batch;
    batch.array = t.row; /* moved: from here on the host releases it, whatever batch() answers */
    /* What the array holds, for the host's memory budget: seven columns of 32 bits, two of 64, two of text, and two bitmaps. */
    batch.bytes = records * (7 * 4 + 2 * 8 + 2 * (4 + MOST_IP) + 1);
    batch.dictionary_epoch = 0; /* codes never change their meaning here; who lets a dictionary forget values counts this up when it does */
    batch.origins = origins;    /* borrowed for the call */
    status = emit->batch(emit->ctx, &batch);
  }
  free(origins);
  return status; /* LM_CANCELLED is handed on */
}

static const void* get_extension(void* self, const char* id) {
  (void)self;
  (void)id;
  return NULL;
}

static void destroy(void* self) { (void)self; /* an instance keeps nothing between calls */ }

/* This parser has no settings: all but an empty object is refused, with what stands in it. */
static lm_status create(uint32_t index, lm_str config, lm_parser* out, lm_error* error) {
  char compact[64];
  size_t n = 0;
  uint64_t i;
  if (index != 0) return failed(error, LM_INVALID, "no such parser");
  for (i = 0; i < config.size && n + 1 < sizeof compact; ++i) {
    if (!strchr(" \t\r\n", config.data[i])) compact[n++] = config.data[i];
  }
  compact[n] = '\0';
  if (strcmp(compact, "{}") != 0) {
    failed(error, LM_INVALID, "");
    if (error) snprintf(error->message, sizeof error->message, "this parser has no settings, but was given %s", compact);
    return LM_INVALID;
  }
  memset(out, 0, sizeof *out);
  out->struct_size = sizeof *out;
  out->schema = schema;
  out->parse = parse;
  out->get_extension = get_extension;
  out->destroy = destroy;
  return LM_OK;
}

/* How sure: is the first line one of ours? */
static int32_t score(uint32_t index, const lm_sample* sample) {
  const char* end;
  text line;
  packet p;
  if (index != 0 || sample->head_size == 0) return 0;
  end = (const char*)memchr(sample->head, '\n', (size_t)sample->head_size);
  line.data = (const char*)sample->head;
  line.size = end ? (size_t)(end - line.data) : (size_t)sample->head_size;
  if (line.size > 0 && line.data[line.size - 1] == '\r') --line.size;
  return read_packet(line, &p) == NULL ? 90 : 0;
}

static const lm_parser_factory factory = {sizeof(lm_parser_factory), 1, descriptor, score, NULL, create};

/* ---- The library: logmill_entry is all that it exports. ---- */

static lm_status init(const lm_host* host, lm_error* error) {
  if (host && host->abi_version >> 16 == LM_ABI_MAJOR) return LM_OK;
  return failed(error, LM_UNSUPPORTED, "the host has another ABI");
}

static void deinit(void) {}

static const void* get_factory(const char* id) { return strcmp(id, LM_PARSER_FACTORY) == 0 ? &factory : NULL; }

extern LM_EXPORT const lm_entry logmill_entry;
const lm_entry logmill_entry = {sizeof(lm_entry), LM_ABI_VERSION, init, deinit, get_factory};
