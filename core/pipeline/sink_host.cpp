#include "pipeline/sink_host.hpp"

#include "conform/arrays.hpp"
#include "pipeline/sink_http.hpp"
#include "version/projection.hpp"

#include <logmill/sink_ocsf.h>
#include <logmill/sink_sweep.h>
#include <logmill/sdk/arrays.hpp>
#include <logmill/sdk/json.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <map>

namespace lm {
namespace {

lm_error empty_error() {
  lm_error error{};
  error.struct_size = sizeof error;
  return error;
}

std::string message_of(const lm_error& error) { return {error.message, strnlen(error.message, sizeof error.message)}; }

// The JSON value of one option, checked.
Result<std::string> option_json(const lm_option& option, std::string_view text) {
  const auto bad = [&](std::string_view wanted) {
    return fail(Errc::invalid, fmt::format("option {}={}: wanted {}", view(option.name), text, wanted));
  };
  std::string quoted;
  switch (option.type) {
    case LM_OPTION_INTEGER: {
      const auto value = integer<std::int64_t>(text);
      const std::string_view range = view(option.choices);
      const std::size_t dots = range.find("..");
      if (!value) return bad("a number");
      if (dots != std::string_view::npos) {
        const auto low = integer<std::int64_t>(range.substr(0, dots)), high = integer<std::int64_t>(range.substr(dots + 2));
        if ((low && *value < *low) || (high && *value > *high)) return bad(fmt::format("a number in {}", range));
      }
      return std::to_string(*value);
    }
    case LM_OPTION_BOOLEAN:
      if (text != "true" && text != "false") return bad("true or false");
      return std::string(text);
    case LM_OPTION_SIZE: {
      const auto value = parse_size(text);
      if (!value) return bad("a size such as 64M");
      return std::to_string(*value);
    }
    case LM_OPTION_CHOICE: {
      std::string_view choices = view(option.choices);
      for (;;) {
        const std::size_t bar = choices.find('|');
        if (choices.substr(0, bar) == text) break;
        if (bar == std::string_view::npos) return bad(fmt::format("one of {}", view(option.choices)));
        choices.remove_prefix(bar + 1);
      }
      [[fallthrough]];
    }
    default: json::append_quoted(quoted, text); return quoted;
  }
}

Result<std::string> options_json(const lm_sink_descriptor& d, const SinkSpec& spec) {
  std::map<std::string, std::string> values;
  for (std::uint64_t i = 0; i < d.n_options; ++i) {
    // An option without a default is left to the sink while nobody names it.
    if (d.options[i].fallback.size == 0 && !spec.options.contains(std::string(view(d.options[i].name)))) continue;
    auto value = option_json(d.options[i], view(d.options[i].fallback));
    if (!spec.options.contains(std::string(view(d.options[i].name)))) {
      if (!value) return value;
      values[std::string(view(d.options[i].name))] = *value;
    }
  }
  for (const auto& option : spec.options) {
    const std::string &name = option.first, &text = option.second;
    if (name == kOcsfOption) {
      if (!ocsf_catalogue(text))
        return fail(Errc::invalid,
                    fmt::format("sink '{}': option {}={}: wanted one of {}", spec.id, name, text, fmt::join(ocsf_versions(), "|")));
      continue;
    }
    const lm_option* found =
        std::find_if(d.options, d.options + d.n_options, [&wanted = name](const lm_option& o) { return view(o.name) == wanted; });
    if (found == d.options + d.n_options) {
      std::string known;
      for (std::uint64_t i = 0; i < d.n_options; ++i) known += fmt::format("{}, ", view(d.options[i].name));
      known += kOcsfOption;
      return fail(Errc::invalid, fmt::format("sink '{}' has no option '{}'; it has: {}", spec.id, name, known));
    }
    auto value = option_json(*found, text);
    if (!value) return fail(Errc::invalid, fmt::format("sink '{}': {}", spec.id, value.error().what));
    values[name] = *value;
  }
  std::string out = "{";
  for (const auto& [name, value] : values) {
    if (out.size() > 1) out += ',';
    json::append_quoted(out, name);
    out += ':' + value;
  }
  return out + "}";
}

// Refusals as a sink gets them.
class RefusalsFace {
 public:
  RefusalsFace(Refusals& refusals, std::string label) : refusals_(refusals), label_(std::move(label)) {}
  RefusalsFace(const RefusalsFace&) = delete;
  RefusalsFace& operator=(const RefusalsFace&) = delete;
  const lm_refusals* get() const { return &face_; }

 private:
  static void add(void* self, const lm_refused_row* row) {
    auto& face = *static_cast<RefusalsFace*>(self);
    face.refusals_.add({face.label_, view(row->uid), view(row->why), view(row->row)});
  }
  Refusals& refusals_;
  const std::string label_;
  const lm_refusals face_{sizeof(lm_refusals), 0, this, add};
};

class PluginSink final : public OutputSink {
 public:
  PluginSink(lm_sink sink, const SinkSpec& spec, std::unique_ptr<HostStorage> storage, std::unique_ptr<SinkHttp> http,
             std::unique_ptr<RefusalsFace> refusals)
      : storage_(std::move(storage)),
        http_(std::move(http)),
        refusals_(std::move(refusals)),
        sink_(sink),
        label_(spec.id + ":" + spec.target) {}

  // Which version its events are of, and what of it: the option, or what the sink wants.
  Result<void> choose_version(const SinkSpec& spec, const TableSet& tables) {
    std::string_view version = catalogue().version;
    TableColumns columns = TableColumns::filled;
    const auto* wants = sink_.get_extension ? static_cast<const lm_sink_ocsf*>(sink_.get_extension(sink_.self, LM_SINK_OCSF)) : nullptr;
    if (wants && LM_HAS(lm_sink_ocsf, wants, why)) {
      if (wants->preferred.size != 0) version = view(wants->preferred);
      if ((wants->flags & LM_OCSF_ALL_COLUMNS) != 0) columns = TableColumns::all;
    } else {
      wants = nullptr;
    }
    if (const auto option = spec.options.find(std::string(kOcsfOption)); option != spec.options.end()) version = option->second;
    const auto known = ocsf_versions();
    const auto place = [&](std::string_view v) { return std::find(known.begin(), known.end(), v); };
    if (wants && wants->newest.size != 0 && place(version) < place(view(wants->newest))) {
      return fail(Errc::invalid, fmt::format("sink '{}': option {}={}: {} takes versions up to {}", spec.id, kOcsfOption, version,
                                             view(wants->why), view(wants->newest)));
    }
    if (version == catalogue().version && columns == TableColumns::filled) return {};
    auto made = VersionedTables::make(tables, version, columns);
    if (!made) return tl::unexpected(made.error());
    versioned_ = std::move(*made);
    return {};
  }

  ~PluginSink() override {
    if (sink_.destroy) sink_.destroy(sink_.self);
  }

  Result<void> open(const Table& made) override {
    const Table& table = versioned_ ? versioned_->of(made) : made;
    if (const auto opened = opened_.find(&table); opened != opened_.end()) {
      handles_[&made] = opened->second.handle;
      opened->second.shared = true;
      return {};
    }
    ArrowSchema schema{};
    table.export_schema(&schema);
    const lm_table t{sizeof(lm_table), table.class_uid, str(table.name), &schema};
    lm_error error = empty_error();
    std::uint32_t handle = 0;
    const lm_status status = sink_.open(sink_.self, &t, &handle, &error);
    schema.release(&schema);
    if (status != LM_OK) return failed(status, error);
    handles_[&made] = handle;
    opened_[&table] = {handle, false};
    return {};
  }

  Result<void> write(const Table& made, ConformedBatch& batch) override {
    if (!versioned_) return hand_over(made, batch);
    auto batches = versioned_->project(made, batch);
    if (!batches) return fail(batches.error().code, fmt::format("sink {}: {}", label_, batches.error().what));
    Result<void> ok;
    for (ConformedBatch& b : *batches) {
      if (ok) {
        ok = hand_over(made, b);
      } else {
        b.array.release(&b.array);
      }
    }
    return ok;
  }

  Result<std::vector<SealedOutput>> seal() override {
    struct Context {
      const PluginSink* sink;
      std::vector<SealedOutput> outputs;
    } context{this, {}};
    lm_error error = empty_error();
    const lm_status status = sink_.seal(
        sink_.self, &context,
        [](void* ctx, const lm_output* o) {
          auto& [sink, outputs] = *static_cast<Context*>(ctx);
          outputs.push_back({std::string(view(o->name)), std::string(view(o->token)), sink->name_of(o->table), o->rows, o->bytes});
        },
        &error);
    if (status != LM_OK) return failed(status, error);
    return std::move(context.outputs);
  }

  Result<void> publish(const std::string& token) override {
    lm_error error = empty_error();
    if (const lm_status status = sink_.publish(sink_.self, str(token), &error); status != LM_OK) return failed(status, error);
    return {};
  }

  Result<void> discard(const std::string& token) override {
    lm_error error = empty_error();
    if (const lm_status status = sink_.discard(sink_.self, str(token), &error); status != LM_OK) return failed(status, error);
    return {};
  }

  Result<void> settle() override {
    auto ok = storage_->storage().settle();
    if (!ok) return fail(ok.error().code, fmt::format("sink {}: {}", label_, ok.error().what));
    return ok;
  }

  void abandon() override { storage_->storage().abandon(); }

  Result<void> sweep(std::string_view run_id) override {
    const auto* able = sink_.get_extension ? static_cast<const lm_sink_sweep*>(sink_.get_extension(sink_.self, LM_SINK_SWEEP)) : nullptr;
    if (!able || !LM_HAS(lm_sink_sweep, able, sweep)) return {};
    lm_error error = empty_error();
    if (const lm_status status = able->sweep(sink_.self, str(run_id), &error); status != LM_OK) return failed(status, error);
    return {};
  }

  std::string shown(const std::string& name) const override { return name.empty() ? label_ : fmt::format("{}/{}", label_, name); }

 private:
  Result<void> hand_over(const Table& made, ConformedBatch& batch) {
    lm_batch b{};
    b.struct_size = sizeof b;
    b.table = handles_.at(&made);
    b.array = batch.array;
    batch.array.release = nullptr;
    b.bytes = batch.bytes;
    b.instance = batch.instance;
    b.dictionary_epoch = batch.epoch;
    lm_error error = empty_error();
    const lm_status status = sink_.write(sink_.self, &b, &error);
    if (status != LM_OK) return failed(status, error);
    return {};
  }

  tl::unexpected<Error> failed(lm_status status, const lm_error& error) const {
    const Errc code = status == LM_INVALID     ? Errc::invalid
                      : status == LM_CANCELLED ? Errc::cancelled
                      : status == LM_INTERNAL  ? Errc::internal
                                               : Errc::io;
    return fail(code, fmt::format("sink {}: {}", label_, message_of(error)));
  }
  // Empty where rows of several classes are in it: of what the run knows of one of them nothing holds for the whole.
  std::string name_of(std::uint32_t handle) const {
    for (const auto& [table, known] : opened_) {
      if (known.handle == handle) return known.shared ? std::string() : table->name;
    }
    return {};
  }
  std::unique_ptr<HostStorage> storage_;  // these outlive the sink
  std::unique_ptr<SinkHttp> http_;
  std::unique_ptr<RefusalsFace> refusals_;
  lm_sink sink_;
  std::string label_;
  struct Opened {
    std::uint32_t handle = 0;
    bool shared = false;
  };
  std::unique_ptr<VersionedTables> versioned_;     // null: events are as they were made
  std::map<const Table*, std::uint32_t> handles_;  // of what was made
  std::map<const Table*, Opened> opened_;          // what the sink knows of
};

}  // namespace

Result<std::unique_ptr<OutputSink>> make_plugin_sink(const SinkPlugin& plugin, const SinkSpec& spec, const TableSet& tables,
                                                     unsigned threads, std::uint64_t memory, std::string_view run_id, Storages& storages,
                                                     Refusals& refusals, const std::atomic<bool>& cancelled) {
  auto options = options_json(*plugin.descriptor, spec);
  if (!options) return tl::unexpected(options.error());
  // What waits to be sent to a store has a part of what the sink may hold.
  const std::uint64_t waiting = Storages::is_remote(spec.target) ? memory / 4 : 0;
  auto storage = std::make_unique<HostStorage>(storages.make(spec.target, std::string(run_id), waiting));
  auto refused = std::make_unique<RefusalsFace>(refusals, spec.id + ":" + spec.target);
  auto http = std::make_unique<SinkHttp>(cancelled);
  const lm_sink_config config{sizeof(lm_sink_config), threads,     str(spec.target), str(*options), memory - waiting, str(run_id),
                              storage->get(),         http->get(), refused->get()};
  lm_sink sink{};
  lm_error error = empty_error();
  const lm_status status = plugin.factory->create(plugin.index, &config, &sink, &error);
  if (status != LM_OK)
    return fail(status == LM_INVALID ? Errc::invalid : Errc::io, fmt::format("sink {}:{}: {}", spec.id, spec.target, message_of(error)));
  auto out = std::make_unique<PluginSink>(sink, spec, std::move(storage), std::move(http), std::move(refused));
  if (auto ok = out->choose_version(spec, tables); !ok) return tl::unexpected(ok.error());
  return out;
}

Result<std::string> sink_schema(const Registry& registry, const SinkSpec& spec, std::string_view only, bool install) {
  const SinkPlugin* plugin = registry.impl().sink(spec.id);
  if (!plugin) {
    std::string known;
    for (const SinkInfo& s : registry.sinks()) known += fmt::format("{}{}", known.empty() ? "" : ", ", s.id);
    return fail(Errc::invalid, fmt::format("no sink is called '{}'; there are: {}", spec.id, known));
  }
  if (!plugin->schema)
    return fail(Errc::invalid, fmt::format("the sink '{}' has no schema of its own: its target need not know of tables", spec.id));
  auto options = options_json(*plugin->descriptor, spec);
  if (!options) return tl::unexpected(options.error());
  std::vector<lm_table> tables;
  std::vector<ArrowSchema> schemas;
  const auto wanted = registry.impl().tables.all();
  schemas.reserve(wanted.size()), tables.reserve(wanted.size());
  std::vector<const lm_table*> pointers;
  for (const Table* table : wanted) {
    if (!only.empty() && table->name != only) continue;
    table->export_schema(&schemas.emplace_back());
    pointers.push_back(&tables.emplace_back(lm_table{sizeof(lm_table), table->class_uid, str(table->name), &schemas.back()}));
  }
  const std::atomic<bool> never{false};
  const SinkHttp http(never);
  const lm_sink_config config{sizeof(lm_sink_config), 1, str(spec.target), str(*options), 0, {}, nullptr, http.get(), nullptr};
  lm_error error = empty_error();
  std::string out;
  const auto take = [](void* to, lm_str text) { static_cast<std::string*>(to)->append(view(text)); };
  const lm_status status =
      plugin->schema->schema(plugin->index, &config, pointers.data(), pointers.size(), install ? 1 : 0, &out, take, &error);
  for (ArrowSchema& schema : schemas) schema.release(&schema);
  if (status == LM_OK) return out;
  const std::string where = spec.target == "-" ? spec.id : spec.id + ":" + spec.target;
  return fail(status == LM_INVALID || status == LM_UNSUPPORTED ? Errc::invalid : Errc::io,
              fmt::format("sink {}: {}", where, message_of(error)));
}

void Refusals::add(const RefusedRow& row) {
  {
    const std::lock_guard lock(mutex_);
    RefusedCount& count = counts_[std::string(row.sink)];
    if (count.rows++ == 0) count.sink = row.sink, count.first = fmt::format("{}: {}", row.uid, row.message);
  }
  if (rejects_) rejects_->add(row);
}

std::vector<RefusedCount> Refusals::take() {
  const std::lock_guard lock(mutex_);
  std::vector<RefusedCount> out;
  for (auto& [sink, count] : counts_) out.push_back(std::move(count));
  counts_.clear();
  return out;
}

void share_batch(ConformedBatch& batch, ConformedBatch* out) {
  const auto shared = std::shared_ptr<ArrowArray>(new ArrowArray(batch.array), [](ArrowArray* a) {
    a->release(a);
    delete a;
  });
  for (ConformedBatch* holder : {&batch, out}) {
    auto arena = detail::ArrayArena::make();
    arena->keep(shared);
    ArrowArray& root = share_array(*arena, *shared);
    if (holder == out) out->bytes = batch.bytes, out->instance = batch.instance, out->epoch = batch.epoch;
    detail::ArrayArena::finish(std::move(arena), root, &holder->array);
  }
}

}  // namespace lm
