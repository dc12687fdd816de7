// A C++ face over logmill/sink.h: a sink is a class, and LOGMILL_SINK makes the plugin of it.
//
//   class MySink {
//    public:
//     static const lm_sink_descriptor& descriptor();                                        // [static]
//     static Result<std::unique_ptr<MySink>> create(const lm_sink_config&);                 // the config is [borrowed]
//     Result<std::uint32_t> open(const lm_table&);                                          // [load]
//     Result<void> write(Batch);                                                            // [any]
//     Result<void> seal(const Report&);                                                     // [load]
//     Result<void> publish(std::string_view token);                                         // [load]
//     Result<void> discard(std::string_view token);                                         // [load]
//     Result<void> sweep(std::string_view run_id);                                          // [load] may be left out: logmill/sink_sweep.h
//     const lm_sink_ocsf* ocsf() const;                                                     // [load] may be left out: logmill/sink_ocsf.h
//     static Result<void> describe(std::string_view path, lm_file_info& out);               // [any] may be left out: logmill/sink_describe.h
//     static Result<std::string> schema(const lm_sink_config&, std::span<const lm_table* const>, bool install);  // [load] likewise: logmill/sink_schema.h
//   };                                                                                      // the destructor is destroy
//   LOGMILL_SINK(MySink)
//
// No exception leaves: std::bad_alloc becomes LM_NO_MEMORY, any other LM_INTERNAL with its text.
#pragma once

#include "common/error.hpp"

#include <logmill/sink.h>
#include <logmill/sink_describe.h>
#include <logmill/sink_ocsf.h>
#include <logmill/sink_schema.h>
#include <logmill/sink_sweep.h>
#include <logmill/sdk/error.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace lm::sink {

inline std::string_view view(lm_str s) { return {s.data ? s.data : "", s.data ? static_cast<std::size_t>(s.size) : 0}; }
inline lm_str str(std::string_view s) { return {s.data(), s.size()}; }

// The rows that were written, owned. Move-only.
class Batch {
 public:
  Batch() = default;
  explicit Batch(lm_batch& from) noexcept
      : array_(from.array), table_(from.table), bytes_(from.bytes), instance_(from.instance), epoch_(from.dictionary_epoch) {
    from.array.release = nullptr;
  }
  Batch(Batch&& other) noexcept { swap(other); }
  Batch& operator=(Batch&& other) noexcept {
    Batch moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~Batch() {
    if (array_.release) array_.release(&array_);
  }

  const ArrowArray& array() const { return array_; }
  std::uint32_t table() const { return table_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t instance() const { return instance_; }
  std::uint64_t epoch() const { return epoch_; }

 private:
  void swap(Batch& other) noexcept {
    std::swap(array_, other.array_), std::swap(table_, other.table_), std::swap(bytes_, other.bytes_);
    std::swap(instance_, other.instance_), std::swap(epoch_, other.epoch_);
  }

  ArrowArray array_{};
  std::uint32_t table_ = 0;
  std::uint64_t bytes_ = 0, instance_ = 0, epoch_ = 0;
};

struct Output {
  std::uint32_t table = 0;
  std::string_view name, token;
  std::uint64_t rows = 0, bytes = 0;
};

// Tells the host of one sealed output.
class Report {
 public:
  Report(void* ctx, void (*each)(void*, const lm_output*)) : ctx_(ctx), each_(each) {}
  void operator()(const Output& output) const {
    lm_output out{};
    out.struct_size = sizeof out;
    out.table = output.table;
    out.name = str(output.name), out.token = str(output.token);
    out.rows = output.rows, out.bytes = output.bytes;
    if (each_) each_(ctx_, &out);
  }

 private:
  void* ctx_;
  void (*each_)(void*, const lm_output*);
};

template <class S>
concept Sink = requires(S& sink, const lm_sink_config& config, const lm_table& table, Batch batch, const Report& report,
                        std::string_view token) {
  { S::descriptor() } -> std::same_as<const lm_sink_descriptor&>;
  { S::create(config) } -> std::same_as<Result<std::unique_ptr<S>>>;
  { sink.open(table) } -> std::same_as<Result<std::uint32_t>>;
  { sink.write(std::move(batch)) } -> std::same_as<Result<void>>;
  { sink.seal(report) } -> std::same_as<Result<void>>;
  { sink.publish(token) } -> std::same_as<Result<void>>;
  { sink.discard(token) } -> std::same_as<Result<void>>;
};

namespace detail {

using lm::detail::tell;

inline const lm_log* host_log = nullptr;  // set by init, before all else

// Runs `call`, which answers a Result<void>.
template <class Call>
lm_status guarded(lm_error* error, Call&& call) noexcept {
  try {
    const Result<void> done = call();
    return done ? LM_OK : tell(error, done.error().code, done.error().message);
  } catch (const std::bad_alloc&) {
    return tell(error, LM_NO_MEMORY, "out of memory");
  } catch (const std::exception& e) {
    return tell(error, LM_INTERNAL, e.what());
  } catch (...) {
    return tell(error, LM_INTERNAL, "an unknown exception");
  }
}

template <class S>
struct Glue {
  static S& sink(void* self) noexcept { return *static_cast<S*>(self); }

  static lm_status open(void* self, const lm_table* table, std::uint32_t* handle, lm_error* error) noexcept {
    return guarded(error, [&]() -> Result<void> { return sink(self).open(*table).map([&](std::uint32_t h) { *handle = h; }); });
  }
  static lm_status write(void* self, lm_batch* batch, lm_error* error) noexcept {
    Batch owned(*batch);  // first, so that the array is taken whatever happens
    return guarded(error, [&] { return sink(self).write(std::move(owned)); });
  }
  static lm_status seal(void* self, void* ctx, void (*each)(void*, const lm_output*), lm_error* error) noexcept {
    return guarded(error, [&] { return sink(self).seal(Report(ctx, each)); });
  }
  static lm_status publish(void* self, lm_str token, lm_error* error) noexcept {
    return guarded(error, [&] { return sink(self).publish(view(token)); });
  }
  static lm_status discard(void* self, lm_str token, lm_error* error) noexcept {
    return guarded(error, [&] { return sink(self).discard(view(token)); });
  }
  static lm_status sweep(void* self, lm_str run_id, lm_error* error) noexcept {
    return guarded(error, [&]() -> Result<void> {
      if constexpr (kSweeps) return sink(self).sweep(view(run_id));
      return {};
    });
  }
  static constexpr bool kSweeps = requires(S & s, std::string_view run_id) { s.sweep(run_id); };
  static constexpr lm_sink_sweep kSweep{sizeof(lm_sink_sweep), 0, sweep};
  static const void* get_extension([[maybe_unused]] void* self, const char* id) noexcept {
    if constexpr (requires(const S& s) { s.ocsf(); }) {
      if (id && std::string_view(id) == LM_SINK_OCSF) return sink(self).ocsf();
    }
    return kSweeps && id && std::string_view(id) == LM_SINK_SWEEP ? &kSweep : nullptr;
  }
  static void destroy(void* self) noexcept { delete static_cast<S*>(self); }

  static lm_status create(std::uint32_t index, const lm_sink_config* config, lm_sink* out, lm_error* error) noexcept {
    return guarded(error, [&]() -> Result<void> {
      if (index != 0) return fail(LM_INVALID, "this library has one sink");
      return S::create(*config).map([&](std::unique_ptr<S> made) {
        *out = lm_sink{};
        out->struct_size = sizeof *out;
        out->self = made.release();
        out->open = open, out->write = write, out->seal = seal, out->publish = publish, out->discard = discard;
        out->get_extension = get_extension, out->destroy = destroy;
      });
    });
  }
  static constexpr bool kDescribes = requires(std::string_view path, lm_file_info& out) { S::describe(path, out); };
  static lm_status describe(std::uint32_t index, lm_str path, lm_file_info* out, lm_error* error) noexcept {
    return guarded(error, [&]() -> Result<void> {
      if (index != 0) return fail(LM_INVALID, "this library has one sink");
      if constexpr (kDescribes) return S::describe(view(path), *out);
      return {};
    });
  }
  static constexpr lm_sink_describe kDescribe{sizeof(lm_sink_describe), 0, describe};
  static constexpr bool kHasSchema = requires(const lm_sink_config& config, std::span<const lm_table* const> tables) {
    S::schema(config, tables, true);
  };
  static lm_status schema(std::uint32_t index, const lm_sink_config* config, const lm_table* const* tables, std::uint64_t n_tables,
                          std::uint32_t install, void* ctx, void (*take)(void*, lm_str), lm_error* error) noexcept {
    return guarded(error, [&]() -> Result<void> {
      if (index != 0) return fail(LM_INVALID, "this library has one sink");
      if constexpr (kHasSchema) {
        return S::schema(*config, std::span(tables, static_cast<std::size_t>(n_tables)), install != 0).map([&](const std::string& text) {
          take(ctx, str(text));
        });
      }
      return {};
    });
  }
  static constexpr lm_sink_schema kSchema{sizeof(lm_sink_schema), 0, schema};
  static const lm_sink_descriptor* descriptor(std::uint32_t index) noexcept { return index == 0 ? &S::descriptor() : nullptr; }

  static constexpr lm_sink_factory kFactory{sizeof(lm_sink_factory), 1, descriptor, create};

  static lm_status init(const lm_host* host, lm_error*) noexcept {
    host_log = host && host->get_extension ? static_cast<const lm_log*>(host->get_extension("logmill.log/1")) : nullptr;
    return LM_OK;
  }
  static void deinit() noexcept {}
  static const void* get_factory(const char* id) noexcept {
    if (id && std::string_view(id) == LM_SINK_FACTORY) return &kFactory;
    if (kHasSchema && id && std::string_view(id) == LM_SINK_SCHEMA) return &kSchema;
    return kDescribes && id && std::string_view(id) == LM_SINK_DESCRIBE ? &kDescribe : nullptr;
  }
};

}  // namespace detail

enum class LogLevel : std::uint32_t { info = 2, warning = 3 };

// [any]
inline void log(LogLevel level, std::string_view message) {
  if (detail::host_log) detail::host_log->write(static_cast<std::uint32_t>(level), str(message));
}

}  // namespace lm::sink

// Exports the sink as the library's only one.
#define LOGMILL_SINK(Class)                                                                                               \
  static_assert(::lm::sink::Sink<Class>,                                                                                  \
                "a sink has: descriptor, create, open, write, seal, publish and discard, as "                             \
                "common/sink_glue.hpp says");                                                                             \
  extern "C" {                                                                                                            \
  extern LM_EXPORT const lm_entry logmill_entry;                                                                          \
  const lm_entry logmill_entry = {sizeof(lm_entry), LM_ABI_VERSION, ::lm::sink::detail::Glue<Class>::init,                \
                                  ::lm::sink::detail::Glue<Class>::deinit, ::lm::sink::detail::Glue<Class>::get_factory}; \
  }
