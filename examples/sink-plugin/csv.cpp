// A sink: the time and type of every event as CSV, a file a table. docs/sinks.md goes through it.
#include <logmill/sdk/error.hpp>
#include <logmill/sink.h>
#include <logmill/sink_sweep.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <iterator>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace {

using lm::detail::tell;

constexpr lm_str text(std::string_view s) { return {s.data(), s.size()}; }
std::string_view view(lm_str s) { return s.size == 0 ? std::string_view() : std::string_view(s.data, static_cast<std::size_t>(s.size)); }

constexpr lm_option kOptions[] = {
    {sizeof(lm_option), LM_OPTION_BOOLEAN, text("header"), text("true"), text(""), text("Begin each file with the names of its columns.")},
};
constexpr lm_sink_descriptor kDescriptor{sizeof(lm_sink_descriptor), 0,        text("example.csv"), text("Time and type of events as CSV"),
                                         text("Example"),            text("1.0.0"), text("DIR or s3://..."), kOptions, std::size(kOptions)};

// A number of each row, from a column of the table itself ("l": 64 bits). Absent is empty.
struct Column {
  const ArrowArray* array = nullptr;

  void append(std::int64_t row, std::string& out) const {
    if (!array || array->n_buffers != 2 || !array->buffers[1]) return;
    const std::int64_t at = array->offset + row;
    const auto* valid = static_cast<const std::uint8_t*>(array->buffers[0]);
    if (valid && (valid[at / 8] >> (at % 8) & 1) == 0) return;
    out += std::to_string(static_cast<const std::int64_t*>(array->buffers[1])[at]);
  }
};

struct Table {
  std::uint32_t handle = 0;
  std::string name;
  std::int64_t time = -1, type = -1;  // which columns they are; -1: none
  std::mutex mutex;                   // guards what follows: write is called from many threads
  lm_storage_output* output = nullptr;
  std::uint64_t rows = 0, bytes = 0;
};

class CsvSink {
 public:
  explicit CsvSink(const lm_sink_config& config)
      : storage_(config.storage), run_(view(config.run_id)), header_(view(config.options_json).find("\"header\":true") != std::string_view::npos) {}
  ~CsvSink() {
    for (Table& table : tables_) close(table, 0);  // what was not sealed is removed
  }
  CsvSink(const CsvSink&) = delete;
  CsvSink& operator=(const CsvSink&) = delete;

  lm_status start(lm_error* error) { return storage_->open(storage_->self, error); }

  lm_status open(const lm_table& from, std::uint32_t* handle) {
    Table& table = tables_.emplace_back();
    table.handle = *handle = static_cast<std::uint32_t>(tables_.size() - 1);
    table.name = std::string(view(from.name)) + "/part-" + run_ + ".csv";
    for (std::int64_t i = 0; i < from.schema->n_children; ++i) {
      const ArrowSchema& column = *from.schema->children[i];
      if (column.dictionary || std::string_view(column.format) != "l") continue;
      if (std::string_view(column.name) == "time") table.time = i;
      if (std::string_view(column.name) == "type_uid") table.type = i;
    }
    return LM_OK;
  }

  lm_status write(std::uint32_t handle, const ArrowArray& batch, lm_error* error) {
    if (handle >= tables_.size()) return tell(error, LM_INVALID, "no such table");
    if (batch.length == 0) return LM_OK;
    Table& table = tables_[handle];
    const auto column = [&](std::int64_t i) { return Column{i >= 0 && i < batch.n_children ? batch.children[i] : nullptr}; };
    const Column time = column(table.time), type = column(table.type);
    std::string lines;
    for (std::int64_t row = 0; row < batch.length; ++row) {
      const std::int64_t at = batch.offset + row;
      time.append(at, lines), lines += ',', type.append(at, lines), lines += '\n';
    }
    const std::lock_guard lock(table.mutex);
    if (!table.output) {
      if (const lm_status made = storage_->create(storage_->self, text(table.name), &table.output, error); made != LM_OK) return made;
      if (header_) lines.insert(0, "time,type_uid\n");
    }
    const lm_str piece = text(lines);
    if (const lm_status done = storage_->append(storage_->self, table.output, &piece, 1, error); done != LM_OK) return done;
    table.rows += static_cast<std::uint64_t>(batch.length), table.bytes += lines.size();
    return LM_OK;
  }

  lm_status seal(void* ctx, void (*each)(void*, const lm_output*), lm_error* error) {
    // All are finished before the first is waited for: most of it is done then.
    for (Table& table : tables_) {
      if (!table.output) continue;
      if (const lm_status done = storage_->finish(storage_->self, table.output, error); done != LM_OK) return done;
    }
    for (Table& table : tables_) {
      if (!table.output) continue;
      std::string token;
      const auto take = [](void* to, lm_str given) { *static_cast<std::string*>(to) = view(given); };
      if (const lm_status done = storage_->seal(storage_->self, table.output, &token, take, error); done != LM_OK) return done;
      const lm_output output{sizeof(lm_output), table.handle, text(table.name), text(token), table.rows, table.bytes};
      each(ctx, &output);
      close(table, 1);  // from now on it is the host's to publish or discard
    }
    return LM_OK;
  }

  const lm_storage& storage() const { return *storage_; }

 private:
  void close(Table& table, std::uint32_t keep) {
    if (table.output) storage_->close(storage_->self, table.output, keep);
    table.output = nullptr;
  }

  const lm_storage* storage_;
  const std::string run_;
  const bool header_;
  std::deque<Table> tables_;
};

// ---- The border: no exception leaves ----

template <class Call>
lm_status guarded(lm_error* error, Call&& call) noexcept {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return tell(error, LM_NO_MEMORY, "out of memory");
  } catch (const std::exception& e) {
    return tell(error, LM_INTERNAL, e.what());
  }
}

CsvSink& sink(void* self) { return *static_cast<CsvSink*>(self); }

lm_status open(void* self, const lm_table* table, std::uint32_t* handle, lm_error* error) noexcept {
  return guarded(error, [&] { return sink(self).open(*table, handle); });
}

lm_status write(void* self, lm_batch* batch, lm_error* error) noexcept {
  // The array is taken, whatever happens.
  ArrowArray array = batch->array;
  batch->array.release = nullptr;
  const std::uint32_t table = batch->table;
  const lm_status done = guarded(error, [&] { return sink(self).write(table, array, error); });
  array.release(&array);
  return done;
}

lm_status seal(void* self, void* ctx, void (*each)(void*, const lm_output*), lm_error* error) noexcept {
  return guarded(error, [&] { return sink(self).seal(ctx, each, error); });
}

lm_status publish(void* self, lm_str token, lm_error* error) noexcept {
  const lm_storage& storage = sink(self).storage();
  return storage.publish(storage.self, token, error);
}

lm_status discard(void* self, lm_str token, lm_error* error) noexcept {
  const lm_storage& storage = sink(self).storage();
  return storage.discard(storage.self, token, error);
}

lm_status sweep(void* self, lm_str run_id, lm_error* error) noexcept {
  const lm_storage& storage = sink(self).storage();
  return storage.sweep(storage.self, run_id, error);
}

constexpr lm_sink_sweep kSweep{sizeof(lm_sink_sweep), 0, sweep};

const void* get_extension(void*, const char* id) noexcept { return std::string_view(id) == LM_SINK_SWEEP ? &kSweep : nullptr; }

void destroy(void* self) noexcept { delete static_cast<CsvSink*>(self); }

const lm_sink_descriptor* descriptor(std::uint32_t index) noexcept { return index == 0 ? &kDescriptor : nullptr; }

lm_status create(std::uint32_t, const lm_sink_config* config, lm_sink* out, lm_error* error) noexcept {
  return guarded(error, [&] {
    if (!LM_HAS(lm_sink_config, config, storage) || !config->storage) return tell(error, LM_UNSUPPORTED, "this logmill is older than its storage (ABI 1.1)");
    auto made = std::make_unique<CsvSink>(*config);
    if (const lm_status started = made->start(error); started != LM_OK) return started;
    *out = lm_sink{sizeof(lm_sink), 0, made.release(), open, write, seal, publish, discard, get_extension, destroy};
    return lm_status{LM_OK};
  });
}

constexpr lm_sink_factory kFactory{sizeof(lm_sink_factory), 1, descriptor, create};

lm_status init(const lm_host*, lm_error*) noexcept { return LM_OK; }
void deinit() noexcept {}
const void* get_factory(const char* id) noexcept { return std::string_view(id) == LM_SINK_FACTORY ? &kFactory : nullptr; }

}  // namespace

extern "C" {
extern LM_EXPORT const lm_entry logmill_entry;
const lm_entry logmill_entry = {sizeof(lm_entry), LM_ABI_VERSION, init, deinit, get_factory};
}
