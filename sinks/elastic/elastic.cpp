// The sink for Elasticsearch and OpenSearch: every event as a document that is created under the event's own id, as OCSF or by a mapping (mapping.hpp) in another schema.
//
//   elastic:https://HOST:PORT,schema=ecs
//
// A cluster has no place where documents wait unseen, so nothing is staged: what a batch holds is searchable as soon as it was sent. That no event is
// there twice comes from its id, metadata.uid, which the host derives of the object and the record's place in it: a run that repeats what a killed one
// has sent is told that the document exists, and that is success. Seal waits until every document is acknowledged, which the cluster does
// once it has written it down (index.translog.durability=request, the default); publish and discard have nothing left to do.
//
// The way of a batch: the thread that calls write takes a slot, renders the rows and puts them with their ids into their index's chunk. A chunk goes
// to the sender when it is as large as a request should be, or is `flush` seconds old.
#include "common/arrow_view.hpp"
#include "common/json_writer.hpp"
#include "common/options.hpp"
#include "common/sink_glue.hpp"
#include "common/slot.hpp"
#include "elastic/bulk.hpp"
#include "elastic/client.hpp"
#include "elastic/document.hpp"
#include "elastic/mapping.hpp"
#include "elastic/sender.hpp"
#include "elastic/templates.hpp"

#include <logmill/sink.h>
#include <logmill/sdk/json.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace lm::sink {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kRequestSize = std::uint64_t{5} << 20, kSmallestSize = std::uint64_t{16} << 10,
                        kLargestSize = std::uint64_t{90} << 20;
constexpr std::uint64_t kDefaultMemory = std::uint64_t{64} << 20;
constexpr std::string_view kRestOfEvent = "ocsf_text";  // of OCSF documents: what would have them refused
constexpr std::size_t kSmallestCache = std::size_t{64} << 10, kRendered = std::size_t{256} << 10;

constexpr lm_str text(std::string_view s) { return {s.data(), s.size()}; }
constexpr lm_option option(std::uint32_t type, std::string_view name, std::string_view fallback, std::string_view choices,
                           std::string_view help) {
  return {sizeof(lm_option), type, text(name), text(fallback), text(choices), text(help)};
}

constexpr lm_option kOptions[] = {
    option(LM_OPTION_TEXT, "index", "logs-{dataset}-{namespace}", "",
           "The index or data stream; {table} is the OCSF class, such as api_activity; {dataset} is that of ECS, such as aws.cloudtrail, "
           "and with OCSF the class, too."),
    option(LM_OPTION_TEXT, "namespace", "default", "", "What {namespace} is, and data_stream.namespace."),
    option(LM_OPTION_CHOICE, "schema", "ocsf", "ocsf|ecs",
           "What documents look like: OCSF events, or Elastic Common Schema 8.11.0 with the event in ocsf.*."),
    option(LM_OPTION_TEXT, "mapping", "", "",
           "A table from OCSF to ECS (YAML) instead of the one that is built in, which share/logmill/ecs.yaml is a copy of."),
    option(LM_OPTION_TEXT, "pipeline", "", "",
           "The ingest pipeline that documents go through; else that of the index, and of ECS documents, which need none, _none."),
    option(LM_OPTION_CHOICE, "engine", "auto", "auto|elasticsearch|opensearch",
           "For whom index templates are; auto asks the cluster, and is elasticsearch where none is named."),
    option(LM_OPTION_BOOLEAN, "data_stream", "true", "", "Whether index templates make data streams, and not plain indices."),
    option(LM_OPTION_CHOICE, "auth", "auto", "auto|none|basic|api_key|sigv4",
           "Who asks; auto is api_key or basic if there is one, sigv4 is for Amazon OpenSearch Service."),
    option(LM_OPTION_TEXT, "username", "", "", "For basic; else LOGMILL_ELASTIC_USERNAME."),
    option(LM_OPTION_TEXT, "password_file", "", "", "A file whose first line is the password; else LOGMILL_ELASTIC_PASSWORD."),
    option(LM_OPTION_TEXT, "api_key_file", "", "", "A file whose first line is the API key; else LOGMILL_ELASTIC_API_KEY."),
    option(LM_OPTION_TEXT, "region", "", "", "For sigv4: the AWS region; else where users of the AWS CLI have it."),
    option(LM_OPTION_TEXT, "ca_file", "", "", "Certificates (PEM) to trust instead of the system's."),
    option(LM_OPTION_CHOICE, "compression", "gzip", "none|gzip|zstd",
           "How requests are compressed; OpenSearch takes zstd, Elasticsearch does not."),
    option(LM_OPTION_SIZE, "request_size", "5M", "", "A request holds this much at most, before compression."),
    option(LM_OPTION_INTEGER, "in_flight", "4", "1..64", "So many requests are on their way at once."),
    option(LM_OPTION_INTEGER, "flush", "5", "1..3600", "Events wait so many seconds at most before they are sent."),
    option(LM_OPTION_INTEGER, "retry_time", "300", "0..86400",
           "The run stops when the cluster has taken nothing of a request for so many seconds."),
};
constexpr lm_sink_descriptor kDescriptor{
    sizeof(lm_sink_descriptor), 0,        text("elastic"),    text("Elasticsearch and OpenSearch"), text("logmill"), text("1.0.0"),
    text("https://HOST:PORT"),  kOptions, std::size(kOptions)};

// What both engines allow in the name of an index, less what would have to be encoded in a path.
bool is_index(std::string_view name) {
  return !name.empty() && name.size() <= 255 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") == std::string_view::npos && name.front() != '_' &&
         name.front() != '-' && name.front() != '.';
}

struct IndexName {
  std::string pattern, name_space;

  std::string of(std::string_view table, std::string_view dataset, std::string_view in) const {
    std::string out = pattern;
    const std::pair<std::string_view, std::string_view> all[] = {{"{table}", table}, {"{dataset}", dataset}, {"{namespace}", in}};
    for (const auto& [name, value] : all) {
      for (std::size_t at = 0; (at = out.find(name, at)) != std::string::npos; at += value.size()) out.replace(at, name.size(), value);
    }
    return out;
  }
  // Empty if it is no name of an index.
  std::string of(std::string_view table, std::string_view dataset) const {
    std::string out = of(table, dataset, name_space);
    return is_index(out) ? out : std::string();
  }
};

struct Settings {
  IndexName index;
  std::optional<Mapping> mapping;  // none: documents are OCSF
  std::string pipeline;
  std::optional<Engine> engine;  // none: the cluster is asked
  bool data_stream = true;
  std::chrono::seconds flush{};
  SenderSettings sender;
};

Result<std::string> read_file(const std::string& path) {
  constexpr std::size_t kLargest = std::size_t{16} << 20;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), [](std::FILE* f) { return std::fclose(f); });
  if (!file) return fail_io("read the mapping", path, errno);
  std::string out(kLargest, '\0');
  out.resize(std::fread(out.data(), 1, out.size(), file.get()));
  if (std::ferror(file.get()) != 0) return fail_io("read the mapping", path, errno);
  if (out.size() == kLargest) return fail(LM_INVALID, path + " is too large to be a mapping");
  return out;
}

Result<Mapping> read_mapping(const std::string& path) {
  if (path.empty()) return Mapping::parse(Mapping::ecs());
  const auto text = read_file(path);
  if (!text) return tl::make_unexpected(text.error());
  auto mapping = Mapping::parse(*text);
  if (!mapping) return fail(LM_INVALID, "option mapping: " + path + ": " + mapping.error().message);
  return mapping;
}

bool only_of(std::string_view text, std::string_view characters) { return text.find_first_not_of(characters) == std::string_view::npos; }

// All but what requests look like.
Result<Settings> read_settings(const Options& options) {
  Settings out;
  out.index = {options.text("index", "logs-{dataset}-{namespace}"), options.text("namespace", "default")};
  if (out.index.of("table", "dataset").empty())
    return fail(LM_INVALID,
                "option index: '" + one_line(out.index.pattern, 100) +
                    "' is no name of an index: lower-case letters, digits, '.', '_', '-', {table}, {dataset} and {namespace} are");
  if (out.index.name_space.empty() || !only_of(out.index.name_space, "abcdefghijklmnopqrstuvwxyz0123456789._"))
    return fail(LM_INVALID,
                "option namespace: '" + one_line(out.index.name_space, 100) + "' is none: lower-case letters, digits, '.' and '_' are");
  const auto schema = options.choice("schema", {"ocsf", "ecs"}, "ocsf");
  const auto engine = options.choice("engine", {"auto", "elasticsearch", "opensearch"}, "auto");
  const auto data_stream = options.boolean("data_stream", true);
  if (!schema) return tl::make_unexpected(schema.error());
  if (!engine) return tl::make_unexpected(engine.error());
  if (!data_stream) return tl::make_unexpected(data_stream.error());
  out.data_stream = *data_stream;
  if (*engine != "auto") out.engine = *engine == "opensearch" ? Engine::opensearch : Engine::elasticsearch;
  const std::string mapping = options.text("mapping", "");
  if (*schema == "ecs") {
    auto read = read_mapping(mapping);
    if (!read) return tl::make_unexpected(read.error());
    out.mapping = *std::move(read);
  } else if (!mapping.empty()) {
    return fail(LM_INVALID, "option mapping: it is for schema=ecs");
  }
  // Elastic's integrations give their data streams pipelines that read the records that they know, and no other documents.
  out.pipeline = options.text("pipeline", out.mapping ? "_none" : "");
  if (!only_of(out.pipeline, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"))
    return fail(LM_INVALID, "option pipeline: '" + one_line(out.pipeline, 100) + "' has characters that cannot be in an address");
  return out;
}

Result<Options> read_options(const lm_sink_config& config) {
  return Options::parse(view(config.options_json), {"index", "namespace", "schema", "mapping", "pipeline", "engine", "data_stream", "auth",
                                                    "username", "password_file", "api_key_file", "region", "ca_file", "compression",
                                                    "request_size", "in_flight", "flush", "retry_time"});
}

// Whether it is a cluster that knows us. What a user may not ask need not be an error: keys that may only write are good practice.
Result<HttpReply> greet(const Client& client) {
  auto reply = client.send("GET", "/", {}, {});
  if (!reply) return reply;
  if (reply->status == 0) return fail(LM_IO, "the cluster cannot be reached: " + one_line(reply->failure));
  if (reply->status == 401) return fail(LM_INVALID, "the cluster does not know who asks (status 401): " + reason_of(reply->body));
  if (reply->status >= 300 && reply->status < 400)
    return fail(LM_INVALID, "the server sends to another address (status " + std::to_string(reply->status) + "): say that one");
  return reply;
}

// "logs-logmill.*-default" -> "logmill-logs-logmill-default"
std::string template_name(std::string pattern) {
  for (const std::string_view gone : {".*", "*"}) {
    for (std::size_t at = 0; (at = pattern.find(gone, at)) != std::string::npos;) pattern.erase(at, gone.size());
  }
  return "logmill-" + pattern;
}

Engine engine_of(std::string_view greeting) {
  return greeting.find("opensearch") != std::string_view::npos ? Engine::opensearch : Engine::elasticsearch;
}

class ElasticSink {
 public:
  static const lm_sink_descriptor& descriptor() { return kDescriptor; }

  static Result<std::unique_ptr<ElasticSink>> create(const lm_sink_config& config) {
    const auto options = read_options(config);
    if (!options) return tl::make_unexpected(options.error());
    auto read = read_settings(*options);
    if (!read) return tl::make_unexpected(read.error());
    Settings settings = *std::move(read);
    const auto compression = options->choice("compression", {"none", "gzip", "zstd"}, "gzip");
    const auto size = options->size("request_size", kSmallestSize, kRequestSize);
    const auto in_flight = options->integer("in_flight", 1, 64, 4), flush = options->integer("flush", 1, 3600, 5);
    const auto patience = options->integer("retry_time", 0, 86400, 300);
    if (!compression) return tl::make_unexpected(compression.error());
    if (!size) return tl::make_unexpected(size.error());
    if (*size > kLargestSize) return fail(LM_INVALID, "option request_size: at most 90M, since servers take no more than 100M");
    if (!in_flight) return tl::make_unexpected(in_flight.error());
    if (!flush) return tl::make_unexpected(flush.error());
    if (!patience) return tl::make_unexpected(patience.error());
    settings.flush = std::chrono::seconds(*flush);
    settings.sender.encoding = *compression == "none" ? Encoding::none : *compression == "zstd" ? Encoding::zstd : Encoding::gzip;
    settings.sender.in_flight = static_cast<unsigned>(*in_flight);
    settings.sender.patience = std::chrono::seconds(*patience);
    // A quarter of the memory is for what dictionaries look like, a quarter for chunks that grow, the rest for those that wait or are being sent.
    const std::uint64_t memory = config.memory_bytes != 0 ? config.memory_bytes : kDefaultMemory;
    settings.sender.queue_bytes = static_cast<std::size_t>(memory / 2);
    settings.sender.request_bytes =
        static_cast<std::size_t>(std::max(kSmallestSize, std::min(*size, memory / 4 / settings.sender.in_flight)));

    // NOLINTNEXTLINE(bugprone-sizeof-expression): the size of a field that is a pointer
    if (!LM_HAS(lm_sink_config, &config, refusals) || !config.http || !config.refusals)
      return fail(LM_UNSUPPORTED, "this sink needs a host that offers requests and takes what is refused: plugin ABI 1.1");
    auto client = Client::open(*config.http, view(config.target), *options);
    if (!client) return tl::make_unexpected(client.error());
    return std::unique_ptr<ElasticSink>(new ElasticSink(std::move(settings), std::move(*client), *config.refusals, config.threads, memory));
  }

  ~ElasticSink() {
    {
      const std::lock_guard lock(ticker_mutex_);
      stop_ = true;
    }
    ticked_.notify_all();
    // It may be waiting for room, which nobody makes any more.
    sender_->fail_with({LM_CANCELLED, "the run was stopped", {}, 0});
    if (ticker_.joinable()) ticker_.join();
  }
  ElasticSink(const ElasticSink&) = delete;
  ElasticSink& operator=(const ElasticSink&) = delete;

  Result<std::uint32_t> open(const lm_table& table) {
    if (tables_.empty()) {
      if (auto ok = greet(*client_); !ok) return tl::make_unexpected(ok.error());
    }
    auto fresh = std::make_unique<Table>();
    fresh->name = view(table.name);
    auto field = Field::parse(*table.schema);
    if (!field) return tl::make_unexpected(field.error());
    fresh->field = std::move(*field);
    std::vector<std::string> datasets{fresh->name};
    if (settings_.mapping) {
      fresh->plan = std::make_unique<DocumentPlan>(*settings_.mapping, fresh->field, fresh->name, settings_.index.name_space);
      datasets.clear();
      for (std::size_t i = 0; i < fresh->plan->datasets(); ++i) datasets.push_back(fresh->plan->dataset(i));
    }
    for (const std::string& dataset : datasets) {
      const std::string index = settings_.index.of(fresh->name, dataset);
      if (index.empty())
        return fail(LM_INVALID, "no name of an index can be made for table " + one_line(fresh->name, 100) + " and data set " + dataset);
      fresh->streams.push_back(static_cast<std::uint32_t>(streams_.size()));
      auto stream = std::make_unique<Stream>();
      stream->table = static_cast<std::uint32_t>(tables_.size()), stream->index = index;
      stream->path = "/" + index + "/_bulk?filter_path=errors,items.*.status,items.*.error";
      if (!settings_.pipeline.empty()) stream->path += "&pipeline=" + settings_.pipeline;
      streams_.push_back(std::move(stream));
    }
    tables_.push_back(std::move(fresh));
    if (!ticker_.joinable()) ticker_ = std::thread([this] { tick(); });
    return static_cast<std::uint32_t>(tables_.size() - 1);
  }

  Result<void> write(Batch batch) {
    if (batch.table() >= tables_.size()) return fail(LM_INVALID, "no such table");
    if (auto ok = sender_->check(); !ok) return ok;
    const auto [slot, lock] = take_slot(slots_, batch.instance());
    try {
      if (auto ok = render(*slot, batch); !ok) {
        sender_->fail_with(ok.error());
        return ok;
      }
    } catch (const std::exception& e) {
      // A batch of which only a part was written is not sealed.
      sender_->fail_with({LM_INTERNAL, "a batch of table " + tables_[batch.table()]->name + " could not be written: " + e.what(), {}, 0});
      throw;
    }
    return trim(*slot);
  }

  Result<void> seal(const Report& report) {
    for (const auto& slot : slots_) {
      const std::lock_guard lock(slot->mutex);
      for (Part* const part : parts_of(*slot)) {
        if (auto ok = flush(*part); !ok) return ok;
      }
    }
    if (auto ok = sender_->drain(); !ok) return ok;
    for (const auto& stream : streams_) {
      const std::uint64_t refused = stream->refused.exchange(0), rows = stream->rows.exchange(0) - refused,
                          bytes = stream->bytes.exchange(0);
      if (rows != 0) report(Output{stream->table, stream->index, stream->index, rows, bytes});
    }
    return {};
  }

  // Index templates, as an object by their names; with `install` they are put into the cluster.
  static Result<std::string> schema(const lm_sink_config& config, std::span<const lm_table* const> tables, bool install) {
    const auto options = read_options(config);
    if (!options) return tl::make_unexpected(options.error());
    const auto settings = read_settings(*options);
    if (!settings) return tl::make_unexpected(settings.error());
    std::unique_ptr<Client> client;
    Engine engine = settings->engine.value_or(Engine::elasticsearch);
    if (install || (!settings->engine && view(config.target) != "-")) {
      // NOLINTNEXTLINE(bugprone-sizeof-expression): the size of a field that is a pointer
      if (!LM_HAS(lm_sink_config, &config, http) || !config.http)
        return fail(LM_UNSUPPORTED, "this sink needs a host that offers requests: plugin ABI 1.1");
      auto opened = Client::open(*config.http, view(config.target), *options);
      if (!opened) return tl::make_unexpected(opened.error());
      client = *std::move(opened);
      const auto reply = greet(*client);
      if (!reply) return tl::make_unexpected(reply.error());
      if (!settings->engine) engine = engine_of(reply->body);
    }
    // Data sets may share an index: then its template has the fields of all of them.
    const IndexName& index = settings->index;
    std::map<std::string, Properties> by_pattern;
    if (settings->mapping) {
      for (const Dataset& dataset : settings->mapping->datasets) {
        const std::string name = IndexName{dataset.name, {}}.of("*", {}, {});
        by_pattern[index.of("*", name, index.name_space)].merge(properties_of(*settings->mapping, dataset, engine));
      }
    } else {
      for (const lm_table* const table : tables)
        by_pattern[index.of(view(table->name), view(table->name), index.name_space)].add_columns(*table->schema, engine);
    }
    const std::string_view what = settings->mapping ? "Events as logmill writes them in ECS" : "OCSF events of logmill";
    std::string out = "{";
    for (const auto& [pattern, properties] : by_pattern) {
      const unsigned priority = pattern.ends_with("-default") ? kPriority : kPriorityOfOwn;
      const std::string name = template_name(pattern), body = template_body(pattern, priority, properties, settings->data_stream, what);
      if (install) {
        const auto reply = client->send("PUT", "/_index_template/" + name, body, {});
        if (!reply) return tl::make_unexpected(reply.error());
        if (reply->status != 200)
          return fail(LM_IO, "the template " + name + " was not taken: " +
                                 (reply->status == 0 ? one_line(reply->failure)
                                                     : "status " + std::to_string(reply->status) + ": " + reason_of(reply->body)));
        out.append(out.size() > 1 ? ",\n\"" : "\n\"").append(name).append("\":\"").append(pattern).append("\"");
      } else {
        out.append(out.size() > 1 ? ",\n\"" : "\n\"").append(name).append("\":").append(body);
      }
    }
    return out + "\n}\n";
  }

  Result<void> publish(std::string_view) { return {}; }
  // They stay, under ids that whoever reads the same objects again gives them too.
  Result<void> discard(std::string_view) { return {}; }

 private:
  // The documents of a table that go to one index.
  struct Stream {
    std::uint32_t table = 0;
    std::string index, path;
    std::atomic<std::uint64_t> rows{0}, bytes{0}, refused{0};  // since the last seal
  };
  struct Table {
    std::string name;
    Field field;
    std::unique_ptr<DocumentPlan> plan;  // null: documents are OCSF
    std::vector<std::uint32_t> streams;  // by data set; one of OCSF
  };
  struct Part {
    explicit Part(std::uint32_t stream) : chunk(stream) {}
    Chunk chunk;
    Clock::time_point began{};  // its first row was put in
  };
  struct Pending {
    explicit Pending(const Table& table) : writer(table.field, kSmallestCache) {
      if (table.plan) {
        maker.emplace(*table.plan);
      } else {
        tamer.emplace(table.field, false);
      }
      for (const std::uint32_t stream : table.streams) parts.emplace_back(stream);
    }
    JsonWriter writer;
    std::optional<DocumentMaker> maker;  // or else, for OCSF,
    std::optional<EventTamer> tamer;
    std::vector<Part> parts;
    std::string document, rest;
  };
  struct Slot {
    std::mutex mutex;
    std::vector<std::unique_ptr<Pending>> pending;  // by table
    TextBuffer text;
  };

  ElasticSink(Settings settings, std::unique_ptr<Client> client, const lm_refusals& refusals, std::uint32_t threads, std::uint64_t memory)
      : settings_(std::move(settings)), client_(std::move(client)), refusals_(refusals) {
    const std::size_t n = std::max<std::uint32_t>(threads, 1);
    share_ = static_cast<std::size_t>(memory / 4 / n);
    for (std::size_t i = 0; i < n; ++i) slots_.push_back(std::make_unique<Slot>());
    sender_ = std::make_unique<Sender>(
        *client_, settings_.sender, [this](std::uint32_t stream) { return streams_[stream]->path; },
        [this](const Chunk& chunk, std::size_t item, std::string_view why) {
          Stream& stream = *streams_[chunk.stream()];
          ++stream.refused;
          const std::string uid(chunk.id(item)), row(chunk.row(item));
          const lm_refused_row refused{sizeof(lm_refused_row), stream.table, str(uid), str(why), str(row)};
          refusals_.row(refusals_.self, &refused);
        });
  }

  Pending& pending_of(Slot& slot, std::uint32_t table) {
    if (slot.pending.size() < tables_.size()) slot.pending.resize(tables_.size());
    auto& pending = slot.pending[table];
    if (!pending) pending = std::make_unique<Pending>(*tables_[table]);
    pending->writer.set_cache_bytes(cache_share(slot.pending, table, std::max(share_, kSmallestCache * tables_.size())));
    return *pending;
  }

  Result<void> render(Slot& slot, const Batch& batch) {
    Pending& pending = pending_of(slot, batch.table());
    const ArrowView rows(tables_[batch.table()]->field, batch.array());
    const ArrowView times = rows.child("time"), metadata = rows.child("metadata"), uids = metadata.child("uid");
    JsonWriter& writer = pending.writer;
    const struct End {
      JsonWriter& writer;
      ~End() { writer.end(); }  // before the batch goes
    } end{writer};
    writer.begin(batch.array(), batch.instance(), batch.epoch());
    if (pending.maker) pending.maker->begin(batch.array());
    if (pending.tamer) pending.tamer->begin(batch.array());
    for (std::int64_t row = 0; row < writer.rows();) {
      slot.text.clear();
      const std::int64_t next = writer.render(row, slot.text, kRendered);
      std::string_view left = slot.text.view();
      for (; row < next; ++row) {
        const std::size_t line = left.find('\n');
        if (line == std::string_view::npos || line < 3) throw BadArray("a row was rendered as no line of its own");
        if (!metadata.valid(row) || !uids.valid(row))
          return fail(LM_INTERNAL, "a row has no metadata.uid: it could not be told from others");
        const std::string_view uid = uids.field().type == Type::coded ? uids.dictionary_text(uids.code(row)) : uids.text(row);
        if (uid.empty() || uid.size() > 512 ||
            uid.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != std::string_view::npos)
          return fail(LM_INTERNAL, "metadata.uid can be no document's id: " + one_line(uid, 100));
        const std::size_t dataset = pending.maker ? pending.maker->dataset(row) : 0;
        Part& part = pending.parts[dataset];
        if (part.chunk.items() == 0) part.began = Clock::now();
        if (pending.maker) {
          pending.document.clear();
          pending.maker->render(row, dataset, left.substr(0, line), pending.document);
          part.chunk.add(uid, pending.document);
        } else {
          std::string_view event = left.substr(0, line);
          if (pending.tamer->tame(row, event, pending.document, pending.rest)) {
            // An object has other members: one that lost all of them has no id either.
            pending.document.back() = ',';
            json::append_quoted(pending.document, kRestOfEvent);
            pending.document += ':';
            json::append_quoted(pending.document, pending.rest = "{" + pending.rest + "}");
            pending.document += '}';
            event = pending.document;
          }
          part.chunk.add(uid, times.int64(row), event);
        }
        left.remove_prefix(line + 1);
        if (part.chunk.bytes() >= sender_->request_bytes()) {
          if (auto ok = flush(part); !ok) return ok;
        }
      }
    }
    return {};
  }

  // Keeps what the slot holds below its share: the largest chunks go first.
  Result<void> trim(Slot& slot) {
    for (;;) {
      std::size_t held = 0;
      Part* largest = nullptr;
      for (Part* const part : parts_of(slot)) {
        held += part->chunk.held();
        if (!largest || part->chunk.held() > largest->chunk.held()) largest = part;
      }
      if (held <= share_ || !largest || largest->chunk.items() == 0) return {};
      if (auto ok = flush(*largest); !ok) return ok;
    }
  }

  static std::vector<Part*> parts_of(const Slot& slot) {
    std::vector<Part*> out;
    for (const auto& pending : slot.pending) {
      if (!pending) continue;
      for (Part& part : pending->parts) out.push_back(&part);
    }
    return out;
  }

  Result<void> flush(Part& part) {
    const std::uint32_t stream = part.chunk.stream();
    Chunk full = std::exchange(part.chunk, Chunk(stream));
    streams_[stream]->rows += full.items(), streams_[stream]->bytes += full.bytes();
    return sender_->put(std::move(full));
  }

  // Sends what has waited for long enough, where no batch comes that would.
  void tick() {
    std::unique_lock lock(ticker_mutex_);
    while (!ticked_.wait_for(lock, std::chrono::seconds(1), [&] { return stop_; })) {
      lock.unlock();
      const auto old = Clock::now() - settings_.flush;
      for (const auto& slot : slots_) {
        const std::unique_lock taken(slot->mutex, std::try_to_lock);
        if (!taken.owns_lock()) continue;
        for (Part* const part : parts_of(*slot)) {
          if (part->chunk.items() != 0 && part->began <= old) static_cast<void>(flush(*part));  // what fails is kept
        }
      }
      lock.lock();
    }
  }

  const Settings settings_;
  const std::unique_ptr<Client> client_;
  const lm_refusals& refusals_;
  std::size_t share_ = 0;  // of a slot, for its chunks, and as much for what dictionaries look like
  std::vector<std::unique_ptr<Table>> tables_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::unique_ptr<Sender> sender_;

  std::mutex ticker_mutex_;
  std::condition_variable ticked_;
  bool stop_ = false;
  std::thread ticker_;
};

}  // namespace
}  // namespace lm::sink

LOGMILL_SINK(lm::sink::ElasticSink)
