// logmill/core.hpp -- logmill as a library: what the command line uses, and what a program that embeds it includes.
//
//   lm::Registry registry;
//   registry.load_default();                                     // or load_directory("plugins")
//   lm::RunOptions options;
//   options.inputs = {"evidence/"};
//   options.sinks = {*lm::parse_sink("parquet:lake,zstd_level=3")};
//   lm::Result<lm::Summary> summary = lm::Run(registry, options).execute();
//
// Rows instead of files: lm::open_streams(registry, options) answers an ArrowArrayStream a table (below).
//
// Errors are values (tl::expected). Unless a declaration says otherwise, an object is used by one thread at a time.
#pragma once

#include <logmill/arrow.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace lm {

enum class Errc {
  invalid,      // an argument, an option or a configuration value is wrong
  not_found,    // no such file, plugin, table
  io,           // the environment failed: disk, network
  corrupt,      // the compressed data contradicts itself (checksum, structure)
  truncated,    // the data ends before it should
  limit,        // a limit that guards against hostile input was reached
  unsupported,  // recognised, but not read
  plugin,       // a plugin broke the contract
  cancelled,    // the run is being stopped
  changed,      // an object is not what it was when it was listed
  internal,     // our bug
};

struct Error {
  Errc code = Errc::internal;
  std::string what;  // a sentence that tells a tired reader what happened; the caller adds the object's name
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Errc code, std::string what) { return tl::unexpected<Error>(Error{code, std::move(what)}); }

std::string_view version();

// ---- Plugins and sinks ----

struct ColumnInfo {
  std::string path;  // OCSF path, "[]" behind arrays
  std::string type;  // OCSF type: "string_t", "timestamp_t"
  std::string constant;
};

struct ClassInfo {
  std::uint32_t uid = 0;
  std::string name;                 // "api_activity"
  std::vector<ColumnInfo> columns;  // what the parser itself fills, in OCSF order
};

struct ParserInfo {
  std::string id, title, vendor, version, reads;
  bool set_aside = false;  // recognises objects without events
  std::string framing;     // "lines", "json"
  std::vector<std::string> keys;
  std::vector<ClassInfo> classes;
  std::filesystem::path file;
};

struct OptionInfo {
  std::string name, type, fallback, choices, help;  // type: "text", "integer", "boolean", "choice", "size"
};

struct SinkInfo {
  std::string id, title, vendor, version, target;
  std::vector<OptionInfo> options;
  std::filesystem::path file;
};

struct TableInfo {
  std::string name;  // the OCSF class
  std::uint32_t class_uid = 0;
  std::vector<ColumnInfo> columns;  // every leaf, derived ones included, in OCSF order
};

// Parsers may run in worker processes (docs/reliability.md): then none of their code runs in this one, and what kills a worker costs the object that did it. Sinks
// are never isolated. The program logmill-worker must be where the installation has it.
struct Isolation {
  bool on = false;
  std::uint64_t memory = std::uint64_t{1} << 30;  // bytes that a worker may hold
  double seconds = 60;                            // for one answer; a call has about 1 MiB of records
};

// The plugins and sinks of this process. Libraries stay loaded until the process ends. Load first, then use from any thread.
class Registry {
 public:
  Registry();
  ~Registry();
  Registry(Registry&&) noexcept;
  Registry& operator=(Registry&&) noexcept;

  // Loads every *.so of a directory. A library that is not a logmill plugin, has another ABI major, or lies about its columns is an
  // error that names the file and the reason; those before it stay loaded. So is a directory or a library that somebody else than root or
  // the user can write.
  Result<void> load_directory(const std::filesystem::path&, const Isolation& = {});
  // The directories that belong to this installation: "plugins" and "sinks" beside the program or the library, in the build tree
  // and when installed.
  Result<void> load_default(const Isolation& = {});

  std::vector<ParserInfo> parsers() const;  // by id
  std::vector<SinkInfo> sinks() const;      // by id
  std::vector<TableInfo> tables() const;    // by name; the union of what the parsers declare

  struct Impl;
  Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// ---- A run ----

struct SinkSpec {
  std::string id;      // "parquet"
  std::string target;  // "lake", "-"
  std::map<std::string, std::string> options;
};

// "parquet:DIR,zstd_level=3,row_group_rows=262144". Checked against the sink's options when the run starts.
Result<SinkSpec> parse_sink(std::string_view text);

// "512M", "2G", "1048576" -> bytes.
Result<std::uint64_t> parse_size(std::string_view text);

// "2026-03-01", "2026-03-01T12:00:00Z" (offsets and fractions allowed) -> milliseconds since 1970-01-01 UTC.
Result<std::int64_t> parse_time(std::string_view text);

// How s3:// inputs and outputs are reached. What is empty here is looked for where users of the AWS CLI expect it: environment, profile, instance.
struct S3Options {
  std::string endpoint;         // "https://s3.example.com", "http://127.0.0.1:9000"; AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL
  std::string region;           // AWS_REGION, AWS_DEFAULT_REGION; a bucket in another region is found by what the server answers
  std::string profile;          // AWS_PROFILE
  bool no_sign = false;         // anonymous, for public buckets
  bool requester_pays = false;  // whoever asks pays
  std::string sse;              // of what is written: "AES256", "aws:kms", "aws:kms:dsse"; empty: as the bucket has it
  std::string sse_kms_key_id;
};

// How az:// inputs are reached. What is empty here is looked for where users of the Azure CLI and SDKs expect it: environment, managed identity.
struct AzureOptions {
  std::string endpoint;  // of the account's blobs: "http://127.0.0.1:10000/devstoreaccount1"; AZURE_STORAGE_BLOB_ENDPOINT
  bool no_sign = false;  // anonymous, for public containers
};

struct RunOptions {
  std::vector<std::string> inputs;  // a file, a directory, a glob, "-", s3://BUCKET/PREFIX, az://ACCOUNT/CONTAINER/PREFIX
  std::string
      objects_from;  // a list of objects, also an S3 Inventory manifest or event notifications: a file, "-", s3:// or az:// and a key
  S3Options s3;
  AzureOptions azure;
  unsigned requests = 64;                      // in flight at once, for s3:// and az:// inputs
  std::vector<std::string> accounts, regions;  // empty: all; only objects whose key names one of them, or names none
  std::vector<SinkSpec> sinks;
  std::string plugin;                                  // not empty: this parser reads every object, without detection
  std::map<std::string, std::string> plugin_config;    // parser id -> JSON object
  unsigned threads = 0;                                // 0: as many as the machine has
  std::uint64_t memory = std::uint64_t{448} << 20;     // bytes that the process may hold, about
  std::optional<std::int64_t> since_ms, until_ms;      // event time: since <= time < until; rows outside are counted, not written,
                                                       // and objects whose key names a day outside, by a day at least, are not read
  std::filesystem::path rejects;                       // empty: rejects are counted only
  bool raw_data = false;                               // fill raw_data with the record's text
  bool validate_full = false;                          // check every array of every plugin in full
  std::uint64_t max_decoded = std::uint64_t{1} << 40;  // bytes an object may decode to
  std::uint64_t max_ratio = 250;                       // decoded : stored, once 64 MiB were decoded
  std::uint64_t max_record = std::uint64_t{16} << 20;  // bytes of one record

  // This process reads the part `shard` (from 0) of `shards`, by a stable hash of each object's key: together they read every object once.
  std::uint64_t shard = 0, shards = 1;
  // Not empty: the ledger of the job (docs/reliability.md). What it has done is not done again, and what is written is committed to it: when so many stored
  // bytes were read, when so many seconds have passed, and at the end.
  std::filesystem::path state;
  std::uint64_t checkpoint_bytes = std::uint64_t{8} << 30;
  double checkpoint_seconds = 900;
};

// All counters only grow during a run. records_in = records_out + rejects, and rows = rows_out + rows_filtered: a run that does not
// balance fails.
struct TableCount {
  std::uint64_t rows_out = 0, rows_filtered = 0;
};

struct ParserCount {
  std::uint64_t objects = 0, stored_bytes = 0, decoded_bytes = 0;
  std::uint64_t records_in = 0;   // as framed, rejects included
  std::uint64_t records_out = 0;  // gave at least one row
  std::uint64_t rejects = 0;
  double seconds = 0;  // from the call of the parser until sinks have taken its rows, summed over threads
  std::map<std::string, TableCount> tables;
  std::map<std::string, std::uint64_t> drift;  // field that the parser does not know -> records
};

enum class ObjectOutcome { read, partly_read, set_aside, unrecognised, empty, failed };

struct ObjectReport {  // only for objects that were not read whole, or have rejects
  std::string uri;
  ObjectOutcome outcome = ObjectOutcome::failed;
  std::string parser;  // may be empty
  std::string reason;
  std::uint64_t records_in = 0, rejects = 0;
};

// Rows that the target of a sink has refused for good, as a search engine does whose mappings they contradict.
struct RefusedCount {
  std::string sink;  // "elastic:https://..."
  std::uint64_t rows = 0;
  std::string first;  // what was said of the first of them
};

struct Summary {
  std::uint64_t objects = 0, stored_bytes = 0, decoded_bytes = 0;
  double seconds = 0;  // wall clock
  std::map<std::string, ParserCount> parsers;
  std::uint64_t set_aside = 0, unrecognised = 0, empty = 0, failed = 0, partly_read = 0;
  std::vector<ObjectReport> reports;  // the first kMaxReports of them; the counts above are complete
  // Objects that were read to their end, but for records that were rejected. A reason says what is wrong with the first of these.
  std::uint64_t with_rejects = 0;
  std::vector<ObjectReport> rejecting;  // the first kMaxReports of them
  std::vector<std::string> outputs;     // final names, sink id and target in front: "parquet:lake/api_activity/..."; at most kMaxReports
  std::uint64_t outputs_total = 0;
  std::vector<RefusedCount> refused;
  bool cancelled = false;
  // With a ledger only: objects that were done before, and how many of them were not read whole; how often something was committed.
  std::uint64_t skipped = 0, skipped_not_whole = 0, checkpoints = 0;

  static constexpr std::size_t kMaxReports = 10'000;
  bool complete() const;  // everything was read, now or before, and nothing was rejected or refused
  std::uint64_t rejects() const;
  std::uint64_t rows() const;
};

struct Progress {  // a snapshot for a progress bar
  std::uint64_t objects_done = 0, objects_listed = 0;
  bool listing_done = false;
  std::uint64_t stored_bytes_done = 0, stored_bytes_listed = 0, decoded_bytes = 0;
  std::uint64_t records = 0, rows = 0, rejects = 0;
  double seconds = 0;
};

class Run {
 public:
  Run(const Registry&, RunOptions);
  ~Run();
  // Blocks until all is read, sealed and published, or until the run fails: no sink, a sink that cannot write, accounts that do not
  // balance. Objects and records that cannot be read do not fail a run; the summary has them.
  Result<Summary> execute();
  Progress progress() const;  // [any]
  void cancel();              // [any], also from a signal handler: stops reading; what was finished is sealed and published
 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// ---- What a run would read ----

// Objects of one source, as far as their names say; what a name does not say is empty.
struct PlanGroup {
  std::string parser;  // whose key pattern matches: what the content is, a run finds out
  std::string account, region;
  std::string day;  // "2026-03-01"
  std::uint64_t objects = 0, bytes = 0;
};

struct Plan {
  std::vector<PlanGroup> groups;  // by parser, account, region, day
  std::uint64_t objects = 0, bytes = 0;
  // The first Summary::kMaxReports objects and directories that the listing could not look into; what else cannot be read, a run finds out.
  std::vector<ObjectReport> unreadable;
};

// Lists the inputs of a run, and reads no object. Sinks are not looked at. Memory grows with the groups, not with the objects of one input.
Result<Plan> plan(const Registry&, const RunOptions&, const std::atomic<bool>& cancelled);

// ---- Catalogues: what query engines must be told of the files of the Parquet sink ----

enum class CatalogEngine { athena, glue, duckdb, spark, clickhouse, iceberg };

struct CatalogOptions {
  CatalogEngine engine = CatalogEngine::duckdb;
  std::filesystem::path directory;  // on this machine; its files are asked for their columns
  std::string location;             // what engines find there: "s3://acme-lake/ocsf"; empty: the directory itself
  std::string database;             // empty: the engine's default; "logmill" for Athena and Glue
};

struct Catalog {
  std::string text;  // SQL; for Glue, an input of create-table a line; for Iceberg, a table a line: its name, a tab, its metadata
  std::vector<std::string> warnings;  // sentences
};

// A table for every folder that has files. For Iceberg it writes below directory/_iceberg, for the others nothing. Errc::invalid names what cannot be said in the engine's language, or files that contradict each other.
Result<Catalog> make_catalog(const Registry&, const CatalogOptions&);

// ---- What the target of a sink must know of tables before it gets rows ----

// Of the elastic sink its index templates, as a JSON object by their names. `table`: one of Registry::tables(); empty: all. With `install` the target is told, and the answer says what; else nobody
// is asked but who is named: the target may be "-". Errc::invalid: there is no such sink, or its target need not know anything.
Result<std::string> sink_schema(const Registry&, const SinkSpec&, std::string_view table, bool install);

// ---- Ledgers: what a job has done ----

struct StateInfo {
  std::string id;
  std::map<std::string, std::string> job;  // what every run of it must say again; values may be empty
  std::vector<std::string> targets;        // "parquet:/data/lake"
  std::array<std::uint64_t, 6> objects{};  // by ObjectOutcome
  std::uint64_t stored_bytes = 0, records = 0, rejects = 0;
  std::uint64_t again = 0;  // of the objects: are to be read again
  std::uint64_t epochs = 0, superseded = 0;
  std::uint64_t outputs = 0, output_rows = 0, output_bytes = 0, unpublished = 0;
  std::string last_run;  // "process 4711 on ir-box, since 2026-03-01T09:30:00Z"; empty: none
  bool last_run_ended = false;
};

struct StateObject {
  std::string uri, etag;
  std::uint64_t size = 0, records = 0, rejects = 0, epoch = 0;
  ObjectOutcome outcome = ObjectOutcome::read;
  std::string reason;
  bool again = false;
};

// Looking works while a run goes on; the others take the ledger for themselves (Errc::io: somebody has it), and write the manifests of its targets again.
// Errc::not_found: no such file.
Result<StateInfo> state_info(const std::filesystem::path&);
Result<void> state_objects(const std::filesystem::path&, const std::function<bool(const StateObject&)>& each);  // by uri; false: enough
// The next run reads these again (none named: those that were not read whole). Answers how many there are.
Result<std::uint64_t> state_retry(const std::filesystem::path&, const std::vector<std::string>& uris, const S3Options& = {});
// Their rows do not count any more, and the next run reads them if it finds them. Answers how many were known.
Result<std::uint64_t> state_forget(const std::filesystem::path&, const std::vector<std::string>& uris, const S3Options& = {});
// Makes one ledger of those of the shards of a job. `out` must not exist.
Result<void> state_merge(const std::filesystem::path& out, const std::vector<std::filesystem::path>& parts, const S3Options& = {});

// ---- Embedding: rows without files ----

struct TableStream {
  std::string name;              // the OCSF class
  ArrowArrayStream stream = {};  // the caller's to release
};

// Starts a run in the background and answers a stream for every table of the registry; options.sinks is ignored, options.state is Errc::invalid. A stream ends when the
// run is over; a failed run is the error of every stream. Streams may be read one after the other or each by a thread of its own; only the
// latter keeps the run within options.memory, for what nobody reads yet must wait somewhere. The run is cancelled when all
// streams are released. `summary`, if given, is filled before the last stream answers its end, and must live until then.
Result<std::vector<TableStream>> open_streams(const Registry&, RunOptions, Summary* summary = nullptr);

}  // namespace lm
