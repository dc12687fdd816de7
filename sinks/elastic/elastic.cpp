// The sink for Elasticsearch and OpenSearch: every event as a document that is created under the event's own id.
//
//   elastic:https://HOST:PORT,index=logs-{table}-default
//
// A cluster has no place where documents wait unseen, so nothing is staged: what a batch holds is searchable as soon as it was sent. That no event is
// there twice comes from its id, metadata.uid, which the host derives of the object and the record's place in it: a run that repeats what a killed one
// has sent is told that the document exists, and that is success. Seal waits until every document is acknowledged, which the cluster does
// once it has written it down (index.translog.durability=request, the default); publish and discard have nothing left to do.
//
// The way of a batch: the thread that calls write takes a slot, renders the rows and puts them with their ids into the table's chunk. A chunk goes
// to the sender when it is as large as a request should be, or is `flush` seconds old.
#include "common/arrow_view.hpp"
#include "common/json_writer.hpp"
#include "common/options.hpp"
#include "common/sink_glue.hpp"
#include "common/slot.hpp"
#include "elastic/bulk.hpp"
#include "elastic/client.hpp"
#include "elastic/sender.hpp"

#include <logmill/sink.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <mutex>
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
constexpr std::size_t kSmallestCache = std::size_t{64} << 10, kRendered = std::size_t{256} << 10;

constexpr lm_str text(std::string_view s) { return {s.data(), s.size()}; }
constexpr lm_option option(std::uint32_t type, std::string_view name, std::string_view fallback, std::string_view choices,
                           std::string_view help) {
  return {sizeof(lm_option), type, text(name), text(fallback), text(choices), text(help)};
}

constexpr lm_option kOptions[] = {
    option(LM_OPTION_TEXT, "index", "logs-{table}-default", "",
           "The index or data stream; {table} is the OCSF class, such as api_activity."),
    option(LM_OPTION_CHOICE, "schema", "ocsf", "ocsf", "What documents look like: OCSF events, with @timestamp in front."),
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

// The name of the table's index; empty if it is none.
std::string index_of(std::string pattern, std::string_view table) {
  constexpr std::string_view kTable = "{table}";
  for (std::size_t at = 0; (at = pattern.find(kTable, at)) != std::string::npos; at += table.size())
    pattern.replace(at, kTable.size(), table);
  return is_index(pattern) ? pattern : std::string();
}

struct Settings {
  std::string index;
  std::chrono::seconds flush{};
  SenderSettings sender;
};

class ElasticSink {
 public:
  static const lm_sink_descriptor& descriptor() { return kDescriptor; }

  static Result<std::unique_ptr<ElasticSink>> create(const lm_sink_config& config) {
    const auto options =
        Options::parse(view(config.options_json), {"index", "schema", "auth", "username", "password_file", "api_key_file", "region",
                                                   "ca_file", "compression", "request_size", "in_flight", "flush", "retry_time"});
    if (!options) return tl::make_unexpected(options.error());
    Settings settings;
    settings.index = options->text("index", "logs-{table}-default");
    if (index_of(settings.index, "table").empty())
      return fail(LM_INVALID, "option index: '" + one_line(settings.index, 100) +
                                  "' is no name of an index: lower-case letters, digits, '.', '_', '-' and {table} are");
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
      if (auto ok = greet(); !ok) return tl::make_unexpected(ok.error());
    }
    auto fresh = std::make_unique<Table>();
    fresh->name = view(table.name);
    fresh->index = index_of(settings_.index, fresh->name);
    if (fresh->index.empty()) return fail(LM_INVALID, "not a table's name: " + one_line(fresh->name, 100));
    auto field = Field::parse(*table.schema);
    if (!field) return tl::make_unexpected(field.error());
    fresh->field = std::move(*field);
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
      for (const auto& pending : slot->pending) {
        if (!pending) continue;
        if (auto ok = flush(*pending); !ok) return ok;
      }
    }
    if (auto ok = sender_->drain(); !ok) return ok;
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      Table& table = *tables_[i];
      const std::uint64_t refused = table.refused.exchange(0), rows = table.rows.exchange(0) - refused, bytes = table.bytes.exchange(0);
      if (rows != 0) report(Output{static_cast<std::uint32_t>(i), table.index, table.index, rows, bytes});
    }
    return {};
  }

  Result<void> publish(std::string_view) { return {}; }
  // They stay, under ids that whoever reads the same objects again gives them too.
  Result<void> discard(std::string_view) { return {}; }

 private:
  struct Table {
    std::string name, index;
    Field field;
    std::atomic<std::uint64_t> rows{0}, bytes{0}, refused{0};  // since the last seal
  };
  struct Pending {
    Pending(const Field& field, std::size_t cache, std::uint32_t table) : writer(field, cache), chunk(table) {}
    JsonWriter writer;
    Chunk chunk;
    Clock::time_point began{};  // its first row was put in
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
        *client_, settings_.sender,
        [this](std::uint32_t table) { return "/" + tables_[table]->index + "/_bulk?filter_path=errors,items.*.status,items.*.error"; },
        [this](const Chunk& chunk, std::size_t item, std::string_view why) {
          ++tables_[chunk.table()]->refused;
          const std::string uid(chunk.id(item)), row(chunk.row(item));
          const lm_refused_row refused{sizeof(lm_refused_row), chunk.table(), str(uid), str(why), str(row)};
          refusals_.row(refusals_.self, &refused);
        });
  }

  // Whether it is a cluster that knows us. What a user may not ask need not be an error: keys that may only write are good practice.
  Result<void> greet() {
    const auto reply = client_->send("GET", "/", {}, {});
    if (!reply) return tl::make_unexpected(reply.error());
    if (reply->status == 0) return fail(LM_IO, "the cluster cannot be reached: " + one_line(reply->failure));
    if (reply->status == 401) return fail(LM_INVALID, "the cluster does not know who asks (status 401): " + reason_of(reply->body));
    if (reply->status >= 300 && reply->status < 400)
      return fail(LM_INVALID, "the server sends to another address (status " + std::to_string(reply->status) + "): say that one");
    return {};
  }

  Pending& pending_of(Slot& slot, std::uint32_t table) {
    if (slot.pending.size() < tables_.size()) slot.pending.resize(tables_.size());
    auto& pending = slot.pending[table];
    if (!pending) pending = std::make_unique<Pending>(tables_[table]->field, std::max(kSmallestCache, share_ / tables_.size()), table);
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
        if (pending.chunk.items() == 0) pending.began = Clock::now();
        pending.chunk.add(uid, times.int64(row), left.substr(0, line));
        left.remove_prefix(line + 1);
        if (pending.chunk.bytes() >= sender_->request_bytes()) {
          if (auto ok = flush(pending); !ok) return ok;
        }
      }
    }
    return {};
  }

  // Keeps what the slot holds below its share: the largest chunks go first.
  Result<void> trim(Slot& slot) {
    for (;;) {
      std::size_t held = 0;
      Pending* largest = nullptr;
      for (const auto& pending : slot.pending) {
        if (!pending) continue;
        held += pending->chunk.held();
        if (!largest || pending->chunk.held() > largest->chunk.held()) largest = pending.get();
      }
      if (held <= share_ || !largest || largest->chunk.items() == 0) return {};
      if (auto ok = flush(*largest); !ok) return ok;
    }
  }

  Result<void> flush(Pending& pending) {
    const std::uint32_t handle = pending.chunk.table();
    Chunk full = std::exchange(pending.chunk, Chunk(handle));
    tables_[handle]->rows += full.items(), tables_[handle]->bytes += full.bytes();
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
        for (const auto& pending : slot->pending) {
          if (pending && pending->chunk.items() != 0 && pending->began <= old) static_cast<void>(flush(*pending));  // what fails is kept
        }
      }
      lock.lock();
    }
  }

  const Settings settings_;
  const std::unique_ptr<Client> client_;
  const lm_refusals& refusals_;
  std::size_t share_ = 0;  // of a slot, for its chunks
  std::vector<std::unique_ptr<Table>> tables_;
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
