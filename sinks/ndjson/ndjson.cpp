// The NDJSON sink: every event as one JSON object on one line.
//
//   ndjson:DIR   DIR/TABLE/part-RUN-N.ndjson.zst, a new file when one is full; DIR may be s3://BUCKET/PREFIX
//   ndjson:-     every event on stdout and nothing else
//
// The way of a batch: the thread that calls write takes a slot (there are as many as threads, so that one is free; the instance's own slot
// first, whose caches know its dictionaries), renders the rows behind those of the table that the slot still holds, and at about 1 MiB
// compresses them as a frame of their own and appends it to the table's file. Only the append is under the file's lock. Seal empties the
// slots.
#include "common/arrow_view.hpp"
#include "common/json_writer.hpp"
#include "common/options.hpp"
#include "common/output_file.hpp"
#include "common/sink_glue.hpp"
#include "common/slot.hpp"
#include "ndjson/compress.hpp"

#include <logmill/sink.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lm::sink {
namespace {

constexpr std::size_t kSmallestChunk = std::size_t{64} << 10, kLargestChunk = std::size_t{1} << 20;
constexpr std::size_t kSmallestCache = std::size_t{64} << 10;
constexpr std::uint64_t kDefaultMemory = std::uint64_t{64} << 20, kDefaultFileSize = std::uint64_t{256} << 20;

constexpr lm_str text(std::string_view s) { return {s.data(), s.size()}; }
constexpr lm_option option(std::uint32_t type, std::string_view name, std::string_view fallback, std::string_view choices,
                           std::string_view help) {
  return {sizeof(lm_option), type, text(name), text(fallback), text(choices), text(help)};
}

constexpr lm_option kOptions[] = {
    option(LM_OPTION_CHOICE, "compression", "auto", "auto|none|gzip|zstd",
           "How files are compressed; auto is zstd for files and none for stdout."),
    option(LM_OPTION_INTEGER, "zstd_level", "0", "0..19",
           "Higher levels make smaller files and take longer; 0 is fastest and takes repeats from the row before."),
    option(LM_OPTION_INTEGER, "gzip_level", "1", "1..9", "Higher levels make smaller files and take longer."),
    option(LM_OPTION_SIZE, "file_size", "256M", "", "A file that holds this much, before compression, is full and the next one begins."),
};
constexpr lm_sink_descriptor kDescriptor{
    sizeof(lm_sink_descriptor), 0,        text("ndjson"),     text("NDJSON files, or events on stdout"), text("logmill"), text("1.0.0"),
    text("DIR, s3://... or -"), kOptions, std::size(kOptions)};

constexpr std::string_view kStdout = "-";

struct Settings {
  Compression compression = Compression::zstd;
  int level = 1;
  std::uint64_t file_size = kDefaultFileSize;
  std::string suffix;
};

Result<Settings> read_settings(std::string_view json, bool to_stdout) {
  const auto options = Options::parse(json, {"compression", "zstd_level", "gzip_level", "file_size"});
  if (!options) return tl::make_unexpected(options.error());
  const auto compression = options->choice("compression", {"auto", "none", "gzip", "zstd"}, "auto");
  if (!compression) return tl::make_unexpected(compression.error());
  const auto zstd_level = options->integer("zstd_level", 0, 19, 0), gzip_level = options->integer("gzip_level", 1, 9, 1);
  if (!zstd_level) return tl::make_unexpected(zstd_level.error());
  if (!gzip_level) return tl::make_unexpected(gzip_level.error());
  const auto file_size = options->size("file_size", 1, kDefaultFileSize);
  if (!file_size) return tl::make_unexpected(file_size.error());

  Settings out;
  out.file_size = *file_size;
  const bool none = *compression == "none" || (*compression == "auto" && to_stdout);
  if (none) {
    out.compression = Compression::none, out.suffix = ".ndjson";
  } else if (*compression == "gzip") {
    out.compression = Compression::gzip, out.suffix = ".ndjson.gz", out.level = static_cast<int>(*gzip_level);
  } else {
    out.compression = Compression::zstd, out.suffix = ".ndjson.zst", out.level = static_cast<int>(*zstd_level);
  }
  return out;
}

class NdjsonSink {
 public:
  static const lm_sink_descriptor& descriptor() { return kDescriptor; }

  static Result<std::unique_ptr<NdjsonSink>> create(const lm_sink_config& config) {
    const std::string_view where = view(config.target);
    auto settings = read_settings(view(config.options_json), where == kStdout);
    if (!settings) return tl::make_unexpected(settings.error());
    std::optional<Target> target;
    if (where == kStdout) {
      if (::fcntl(STDOUT_FILENO, F_GETFD) < 0) return fail(LM_IO, "stdout is closed: events cannot be written to it");
    } else {
      auto made = Target::open(config);
      if (!made) return tl::make_unexpected(made.error());
      target = *made;
    }
    return std::unique_ptr<NdjsonSink>(new NdjsonSink(std::move(*settings), target, config));
  }

  // What was not sealed as a whole removes itself.
  ~NdjsonSink() = default;
  NdjsonSink(const NdjsonSink&) = delete;
  NdjsonSink& operator=(const NdjsonSink&) = delete;

  Result<std::uint32_t> open(const lm_table& table) {
    const std::string name(view(table.name));
    if (safe_component(name) != name) return fail(LM_INVALID, "not a table's name: " + safe_component(name));
    for (const auto& other : tables_) {
      if (other->name == name) return fail(LM_INVALID, "the table is open already: " + name);
    }
    auto field = Field::parse(*table.schema);
    if (!field) return tl::make_unexpected(field.error());
    auto fresh = std::make_unique<Table>();
    fresh->name = name, fresh->field = std::move(*field);
    tables_.push_back(std::move(fresh));
    return static_cast<std::uint32_t>(tables_.size() - 1);
  }

  Result<void> write(Batch batch) {
    if (batch.table() >= tables_.size()) return fail(LM_INVALID, "no such table");
    if (failed_.load(std::memory_order_acquire)) return tl::make_unexpected(first_error());
    const auto [slot, lock] = take_slot(slots_, batch.instance());
    Pending& pending = pending_of(*slot, batch.table());
    JsonWriter& writer = pending.writer;
    const struct End {
      JsonWriter& writer;
      ~End() { writer.end(); }  // before the batch goes
    } end{writer};
    writer.begin(batch.array(), batch.instance(), batch.epoch());
    for (std::int64_t row = 0; row < writer.rows();) {
      const std::size_t before = pending.text.size();
      std::int64_t next = row;
      try {
        // A chunk has a recipe from its first row on or none.
        if (before == 0) pending.has_recipe = fast_ && pending.choice.wants_recipe();
        next = pending.has_recipe ? writer.render(row, pending.text, chunk_, pending.recipe) : writer.render(row, pending.text, chunk_);
      } catch (const std::exception& e) {
        pending.clear();  // no torn line stays behind, and a batch of which only a part was written is not sealed
        (void)remember(Error{
            LM_INTERNAL, std::string("a batch of table ") + tables_[batch.table()]->name + " could not be written: " + e.what(), {}, 0});
        throw;
      }
      pending.rows += static_cast<std::uint64_t>(next - row);
      row = next;
      if (pending.text.size() >= chunk_) {
        if (auto ok = flush(*slot, batch.table()); !ok) return ok;
      }
    }
    return trim(*slot);
  }

  Result<void> seal(const Report& report) {
    if (failed_.load(std::memory_order_acquire)) return tl::make_unexpected(first_error());
    for (const auto& slot : slots_) {
      const std::lock_guard lock(slot->mutex);
      for (std::size_t i = 0; i < slot->pending.size(); ++i) {
        if (!slot->pending[i]) continue;
        if (auto ok = flush(*slot, static_cast<std::uint32_t>(i)); !ok) return ok;
        slot->pending[i]->free();
      }
    }
    if (!target_) return seal_stdout(report);
    // Everything is durable before the first output is reported: the host gets all or nothing.
    for (const auto& table : tables_) {
      const std::lock_guard lock(table->mutex);
      if (!table->file) continue;
      Finished last{std::move(table->file), table->rows};
      table->rows = table->bytes = 0;
      if (auto ok = last.file.finish(); !ok) return remember(ok.error());
      table->finished.push_back(std::move(last));
    }
    for (const auto& table : tables_) {
      for (Finished& f : table->finished) {
        auto token = f.file.seal();
        if (!token) return remember(token.error());
        f.token = std::move(*token);
      }
    }
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      for (Finished& f : tables_[i]->finished) {
        f.file.keep();
        report(Output{static_cast<std::uint32_t>(i), f.file.name(), f.token, f.rows, f.file.size()});
      }
      tables_[i]->finished.clear();
    }
    return {};
  }

  // On stdout there is nothing to show or to take back.
  Result<void> publish(std::string_view token) { return target_ ? target_->publish(token) : Result<void>(); }
  Result<void> discard(std::string_view token) { return target_ ? target_->discard(token) : Result<void>(); }
  Result<void> sweep(std::string_view run_id) { return target_ ? target_->sweep(run_id) : Result<void>(); }

 private:
  struct Finished {
    OutputFile file;
    std::uint64_t rows = 0;
    std::string token{};
  };
  struct Table {
    std::string name;
    Field field;
    std::mutex mutex;  // guards what follows
    OutputFile file;
    std::uint64_t rows = 0, bytes = 0;  // in `file`, before compression; on stdout: rows and bytes written
    std::uint64_t parts = 0;
    std::vector<Finished> finished;
  };
  // Rows of a table that a slot has rendered and not yet written.
  struct Pending {
    explicit Pending(const Field& field) : writer(field, kSmallestCache) {}
    std::size_t held() const { return text.capacity() + recipe.capacity(); }
    void clear() { text.clear(), recipe.clear(), rows = 0; }
    void free() { text.free(), recipe.free(), rows = 0; }
    JsonWriter writer;
    TextBuffer text;
    Recipe recipe;
    RowChoice choice;
    bool has_recipe = false;
    std::uint64_t rows = 0;
  };
  struct Slot {
    Slot(Compression compression, int level) : compressor(compression, level) {}
    std::mutex mutex;
    std::vector<std::unique_ptr<Pending>> pending;  // by table
    Compressor compressor;
  };

  NdjsonSink(Settings settings, std::optional<Target> target, const lm_sink_config& config)
      : settings_(std::move(settings)), target_(target), run_(safe_component(view(config.run_id))) {
    const std::size_t threads = std::max<std::uint32_t>(config.threads, 1);
    const std::uint64_t memory = config.memory_bytes != 0 ? config.memory_bytes : kDefaultMemory * threads;
    share_ = static_cast<std::size_t>(memory / threads);
    chunk_ = std::clamp(share_ / 8, kSmallestChunk, kLargestChunk);
    fast_ = settings_.compression == Compression::zstd && settings_.level == 0;
    for (std::size_t i = 0; i < threads; ++i) slots_.push_back(std::make_unique<Slot>(settings_.compression, settings_.level));
  }

  // Half of a slot's share is for what dictionaries look like, a quarter for pending rows, the rest for compression.
  Pending& pending_of(Slot& slot, std::uint32_t table) {
    if (slot.pending.size() < tables_.size()) slot.pending.resize(tables_.size());
    auto& pending = slot.pending[table];
    if (!pending) pending = std::make_unique<Pending>(tables_[table]->field);
    pending->writer.set_cache_bytes(cache_share(slot.pending, table, std::max(share_ / 2, kSmallestCache * tables_.size())));
    return *pending;
  }

  // Keeps what the slot holds below its share: the longest texts go first.
  Result<void> trim(Slot& slot) {
    for (;;) {
      std::size_t held = 0, largest = 0, at = 0;
      for (std::size_t i = 0; i < slot.pending.size(); ++i) {
        const std::size_t size = slot.pending[i] ? slot.pending[i]->held() : 0;
        held += size;
        if (size > largest) largest = size, at = i;
      }
      if (held <= std::max(share_ / 4, kSmallestChunk)) return {};
      if (auto ok = flush(slot, static_cast<std::uint32_t>(at)); !ok) return ok;
      slot.pending[at]->free();
    }
  }

  Result<void> flush(Slot& slot, std::uint32_t handle) {
    Pending& pending = *slot.pending[handle];
    if (pending.rows == 0) return {};
    const std::uint64_t rows = pending.rows, bytes = pending.text.size();
    const auto chunk =
        fast_ ? slot.compressor.run(pending.text.view(), pending.recipe, pending.choice) : slot.compressor.run(pending.text.view());
    if (!chunk) return remember(chunk.error());
    auto ok = target_ ? append(*tables_[handle], *chunk, rows, bytes) : append_stdout(*tables_[handle], *chunk, rows);
    pending.clear();
    return ok ? Result<void>() : remember(ok.error());
  }

  Result<void> append(Table& table, std::string_view chunk, std::uint64_t rows, std::uint64_t bytes) {
    Finished full;
    {
      const std::lock_guard lock(table.mutex);
      if (!table.file) {
        const std::string name = table.name + "/part-" + run_ + "-" + std::to_string(table.parts++) + settings_.suffix;
        auto fresh = OutputFile::create(*target_, name);
        if (!fresh) return tl::make_unexpected(fresh.error());
        table.file = std::move(*fresh);
      }
      if (auto ok = table.file.append(chunk); !ok) return ok;
      table.rows += rows, table.bytes += bytes;
      if (table.bytes < settings_.file_size) return {};
      full = Finished{std::move(table.file), table.rows};
      table.rows = table.bytes = 0;
    }
    // The others write to the next file while this one goes to the disk.
    if (auto ok = full.file.finish(); !ok) return ok;
    const std::lock_guard lock(table.mutex);
    table.finished.push_back(std::move(full));
    return {};
  }

  Result<void> append_stdout(Table& table, std::string_view chunk, std::uint64_t rows) {
    const std::lock_guard lock(stdout_mutex_);
    // A chunk that came after one that failed must not follow the torn line.
    if (failed_.load(std::memory_order_acquire)) return tl::make_unexpected(first_error());
    const int failed = write_fully(STDOUT_FILENO, std::as_bytes(std::span(chunk.data(), chunk.size())));
    if (failed == EPIPE) return remember(Error{LM_IO, "stdout: the reader has gone before the last event was written", "stdout", EPIPE});
    if (failed != 0) return remember(fail_io("write to", "stdout", failed).value());
    table.rows += rows, table.bytes += chunk.size();
    return {};
  }

  Result<void> seal_stdout(const Report& report) {
    struct stat info {};
    if (::fstat(STDOUT_FILENO, &info) == 0 && S_ISREG(info.st_mode) && ::fsync(STDOUT_FILENO) != 0) {
      return remember(fail_io("sync", "stdout", errno).value());
    }
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      Table& table = *tables_[i];
      if (table.rows != 0) report(Output{static_cast<std::uint32_t>(i), {}, kStdout, table.rows, table.bytes});
      table.rows = table.bytes = 0;
    }
    return {};
  }

  // After a failure a file may end in a torn frame: nothing is written any more, and seal gives the first error.
  tl::unexpected<Error> remember(const Error& error) {
    const std::lock_guard lock(error_mutex_);
    if (!failed_.load(std::memory_order_relaxed)) {
      error_ = error;
      failed_.store(true, std::memory_order_release);
    }
    return tl::make_unexpected(error_);
  }
  Error first_error() {
    const std::lock_guard lock(error_mutex_);
    return error_;
  }

  Settings settings_;
  std::optional<Target> target_;  // empty: stdout
  std::string run_;
  std::size_t share_ = 0, chunk_ = 0;
  bool fast_ = false;  // zstd at level 0
  std::vector<std::unique_ptr<Table>> tables_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::mutex stdout_mutex_, error_mutex_;
  std::atomic<bool> failed_{false};
  Error error_;
};

}  // namespace
}  // namespace lm::sink

LOGMILL_SINK(lm::sink::NdjsonSink)
