#include "plugin_host/isolated.hpp"

#include "base/log.hpp"

#include <fmt/format.h>
#include <simdjson.h>
#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

namespace lm {
namespace {

using isolate::Answer;
using isolate::Ask;
using isolate::Emitted;
using isolate::Process;
using isolate::Reader;

constexpr std::uint64_t kMostNotScored = 16;  // so many objects may kill who is to recognise them before a library is no longer asked
constexpr std::size_t kMostEvents = 65'536;   // of a call, and four times its records more
constexpr std::size_t kMostMessages = 1000;   // of a call, that are logged

// Text of a worker, for a terminal.
std::string shown(std::string_view text) {
  std::string out(text.substr(0, 4096));
  const bool valid = simdjson::validate_utf8(out.data(), out.size());
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte == 0x7f || (!valid && byte >= 0x80)) c = '?';
  }
  return out;
}

// What happens once may happen a million times, and the summary has it: the first few are enough to see at once that something does.
void tell(const std::string& what) {
  constexpr unsigned kMost = 20;
  static std::atomic<unsigned> told{0};
  const unsigned n = told.fetch_add(1);
  log(n < kMost ? LogLevel::warning : LogLevel::debug, what);
  if (n + 1 == kMost) log(LogLevel::warning, "further failures of isolated parsers are told at --log-level debug, and in the summary");
}

}  // namespace

// ---- A library ----

Result<std::shared_ptr<WorkerLibrary>> WorkerLibrary::open(const std::filesystem::path& program, const std::filesystem::path& file,
                                                           const isolate::Limits& limits) {
  auto out = std::shared_ptr<WorkerLibrary>(new WorkerLibrary(program, file, limits));
  auto worker = out->take();
  if (!worker) return tl::unexpected(worker.error());
  (*worker)->message();
  auto answer = (*worker)->ask(Ask::library, 0);
  if (!answer && answer.error().code != Errc::plugin) return tl::unexpected(answer.error());
  if (!answer) return fail(Errc::plugin, fmt::format("it cannot be loaded: {}", answer.error().what));
  if (answer->status != LM_OK) return fail(Errc::plugin, shown(Reader(answer->contents()).text()));
  auto info = isolate::read_library(answer->contents());
  if (!info) return tl::unexpected(info.error());
  out->info_ = std::move(*info);
  out->give(std::move(*worker));
  return out;
}

Result<std::unique_ptr<Process>> WorkerLibrary::take() {
  {
    const std::lock_guard lock(mutex_);
    while (!idle_.empty()) {
      auto out = std::move(idle_.back());
      idle_.pop_back();
      if (out->alive()) return out;  // what one has died of meanwhile is no fault of the next job
    }
  }
  return Process::start(supervisor_, program_, file_, limits_);
}

void WorkerLibrary::give(std::unique_ptr<Process> worker) {
  if (!worker || !worker->alive()) return;
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(worker));
}

Result<std::vector<int>> WorkerLibrary::ask_scores(Ask what, std::uint32_t parser, std::size_t count, const lm_sample& sample,
                                                   const Stop& stop) {
  auto worker = take();
  if (!worker) return tl::unexpected(worker.error());
  isolate::put_sample((*worker)->message(), sample);
  auto answer = (*worker)->ask(what, parser, stop);
  if (!answer) return tl::unexpected(answer.error());
  std::vector<int> out;
  Reader in(answer->contents());
  for (std::size_t i = 0; i < count; ++i) out.push_back(static_cast<int>(in.below(101)));
  if (in.failed()) return (*worker)->distrust("a score");
  give(std::move(*worker));
  return out;
}

Result<std::vector<int>> WorkerLibrary::scores(const lm_sample& sample, std::string& trouble, const Stop& stop) {
  const std::size_t count = info_.parsers.size();
  std::vector<int> out(count);
  if (not_scored_ >= kMostNotScored && not_scored_ > scored_) {
    trouble = fmt::format("{} is no longer asked, for it has failed too often", file_.filename().string());
    return out;
  }
  auto all = ask_scores(Ask::scores, 0, count, sample, stop);
  if (all) ++scored_;
  if (all || all.error().code != Errc::plugin) return all;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (auto one = ask_scores(Ask::score, i, 1, sample, stop)) {
      out[i] = one->front();
    } else if (one.error().code != Errc::plugin) {
      return one;
    } else {
      trouble = fmt::format("parser '{}' cannot say whether it does: {}", view(info_.parsers[i]->value().id), one.error().what);
    }
  }
  if (trouble.empty()) {
    ++scored_;
    return out;
  }
  tell(fmt::format("{}: {}", shown(view(sample.key)), trouble));
  if (++not_scored_ == kMostNotScored && not_scored_ > scored_)
    log(LogLevel::warning, fmt::format("{} is no longer asked, for it has failed too often", file_.string()));
  return out;
}

int IsolatedScores::score(const ParserPlugin& parser) {
  if (failure_) return 0;
  for (const auto& [library, scores] : known_) {
    if (library == parser.workers.get()) return scores[parser.index];
  }
  std::string trouble;
  auto scores = parser.workers->scores(sample_, trouble, stop_);
  if (!scores) {
    failure_ = scores.error();
    return 0;
  }
  known_.emplace_back(parser.workers.get(), std::move(*scores));
  if (!trouble.empty()) trouble_ += (trouble_.empty() ? "" : "; ") + trouble;
  return known_.back().second[parser.index];
}

Result<void> WorkerLibrary::prologues(std::uint32_t parser, std::string_view text, std::span<const lm_record> lines,
                                      std::vector<std::uint8_t>& is, const Stop& stop) {
  is.assign(lines.size(), 0);
  Result<void> out;
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto worker = take();
    if (!worker) return tl::unexpected(worker.error());
    auto& message = (*worker)->message();
    message.text(text);
    message.number(lines.size());
    message.raw(lines.data(), lines.size_bytes());
    auto answer = (*worker)->ask(Ask::prologues, parser, stop);
    if (!answer) {
      out = tl::unexpected(answer.error());
      if (answer.error().code != Errc::plugin) return out;
      continue;
    }
    Reader in(answer->contents());
    const std::byte* const told = in.raw(lines.size());
    if (!told || !in.at_end()) {
      out = (*worker)->distrust("another number of lines");
      continue;
    }
    std::transform(told, told + lines.size(), is.begin(), [](std::byte b) { return static_cast<std::uint8_t>(b != std::byte{0}); });
    give(std::move(*worker));
    return {};
  }
  return out;
}

// ---- An instance ----

namespace {

class IsolatedParser final : public ParserInstance {
 public:
  IsolatedParser(const ParserPlugin& plugin, std::string_view config)
      : plugin_(plugin), library_(plugin.workers), config_(config), schemas_(plugin.descriptor->n_classes) {}
  ~IsolatedParser() override {
    for (ArrowSchema& s : schemas_) {
      if (s.release) s.release(&s);
    }
    library_->give(std::move(worker_));
  }
  void distrust() override { worker_.reset(); }
  IsolatedParser(const IsolatedParser&) = delete;
  IsolatedParser& operator=(const IsolatedParser&) = delete;

  // A worker with an instance of the parser; the second, if the first dies of it.
  Result<void> start() {
    auto out = start_once();
    if (!out && out.error().code == Errc::plugin && !worker_) out = start_once();
    return out;
  }

  Result<ArrowSchema> schema(std::uint32_t table) override {
    if (table >= schemas_.size()) return fail(Errc::plugin, fmt::format("parser '{}' has no table {}", plugin_.id, table));
    return isolate::read_schema(std::as_bytes(std::span(schema_texts_[table])));
  }

  Result<void> parse(std::span<const lm_block* const> blocks, const lm_emit& emit, const Stop& stop, Losses& losses) override {
    std::vector<std::uint32_t> all(blocks.size());
    std::iota(all.begin(), all.end(), 0);
    if (worker_ && !worker_->alive()) worker_.reset();  // as in WorkerLibrary::take
    if (!worker_) {
      if (auto started = start(); !started) return started;
    }
    auto done = call(blocks, all, emit, stop);
    if (done || !died(done.error())) return done;
    auto objects = by_object(blocks);
    const bool alone = objects.size() == 1;
    for (const auto& numbers : objects) {
      const lm_object& object = *blocks[numbers.front()]->object;
      for (int deaths = alone ? 1 : 0;;) {
        if (deaths != 0)
          tell(fmt::format("{}: parser '{}': {}; its records are tried again", shown(view(object.uri)), plugin_.id, done.error().what));
        if (!worker_) {
          if (auto started = start(); !started) return started;
        }
        done = call(blocks, numbers, emit, stop);
        if (done) break;
        if (!died(done.error())) {
          if (done.error().code != Errc::plugin) return done;
          for (const std::uint32_t b : numbers) losses.blocks.push_back({b, false, done.error().what});
          worker_.reset();  // an instance that failed is not trusted again
          break;
        }
        if (++deaths < 2) continue;
        const std::string why =
            fmt::format("parser '{}' failed twice at this object, each time in a fresh process: {}", plugin_.id, done.error().what);
        for (const std::uint32_t b : numbers) losses.blocks.push_back({b, true, why});
        break;
      }
    }
    return {};
  }

 private:
  // What is left of a call whose worker has died is nothing: it may be made again.
  bool died(const Error& error) const { return error.code == Errc::plugin && !worker_; }

  Result<Answer> ask(Ask what, std::uint32_t index, const Stop& stop = {}) {
    auto answer = worker_->ask(what, index, stop);
    if (!answer) worker_.reset();
    return answer;
  }

  tl::unexpected<Error> distrust(std::string_view what) {
    auto error = worker_->distrust(what);
    worker_.reset();
    return error;
  }

  Result<void> start_once() {
    auto taken = library_->take();
    if (!taken) return tl::unexpected(taken.error());
    worker_ = std::move(*taken);
    worker_->message().text(config_);
    auto created = ask(Ask::create, plugin_.index);
    if (!created && created.error().code != Errc::plugin) return tl::unexpected(created.error());
    if (!created) return fail(Errc::plugin, fmt::format("parser '{}' cannot start: {}", plugin_.id, created.error().what));
    if (created->status != LM_OK)
      return fail(created->status == LM_INVALID ? Errc::invalid : Errc::plugin,
                  fmt::format("parser '{}': {}", plugin_.id, shown(Reader(created->contents()).text())));
    for (std::uint32_t t = 0; t < schemas_.size(); ++t) {
      worker_->message();
      auto answer = ask(Ask::schema, t);
      if (!answer) return tl::unexpected(answer.error());
      if (answer->status != LM_OK)
        return fail(Errc::plugin, fmt::format("parser '{}' gives no schema of its table {}: {}", plugin_.id, t,
                                              shown(Reader(answer->contents()).text())));
      if (auto ok = know_schema(t, *answer); !ok) return ok;
    }
    if (batches_) {
      batches_->fresh();
      return {};
    }
    std::vector<const ArrowSchema*> schemas;
    for (const ArrowSchema& s : schemas_) schemas.push_back(&s);
    batches_.emplace(std::move(schemas), library_->limits().memory);
    return {};
  }

  // It is the same in every worker, for what was made by it is so.
  Result<void> know_schema(std::uint32_t table, const Answer& answer) {
    const std::string_view text(reinterpret_cast<const char*>(answer.bytes.get()), answer.size);
    if (schemas_[table].release)
      return schema_texts_[table] == text ? Result<void>{} : Result<void>(distrust("another schema than before"));
    auto read = isolate::read_schema(answer.contents());
    if (!read) return distrust(read.error().what);
    schemas_[table] = *read;
    schema_texts_.resize(schemas_.size());
    schema_texts_[table] = text;
    return {};
  }

  static std::vector<std::vector<std::uint32_t>> by_object(std::span<const lm_block* const> blocks) {
    std::map<std::pair<std::string_view, std::string_view>, std::size_t> known;
    std::vector<std::vector<std::uint32_t>> out;
    for (std::uint32_t b = 0; b < blocks.size(); ++b) {
      const auto [at, fresh] = known.emplace(std::pair(view(blocks[b]->object->uri), view(blocks[b]->object->etag)), out.size());
      if (fresh) out.emplace_back();
      out[at->second].push_back(b);
    }
    return out;
  }

  // What a parser has emitted in one call.
  struct Event {
    Emitted kind = Emitted::log;
    lm_batch batch{};
    std::vector<lm_origin> origins;
    std::uint64_t a = 0, b = 0, c = 0;
    std::string_view text;
  };
  struct Events {
    std::vector<Event> all;
    Events() = default;
    Events(const Events&) = delete;
    Events& operator=(const Events&) = delete;
    ~Events() {
      for (Event& e : all) {
        if (e.batch.array.release) e.batch.array.release(&e.batch.array);
      }
    }
  };

  // One call with these blocks.
  Result<void> call(std::span<const lm_block* const> blocks, std::span<const std::uint32_t> numbers, const lm_emit& emit,
                    const Stop& stop) {
    std::vector<const lm_block*> chosen;
    for (const std::uint32_t b : numbers) chosen.push_back(blocks[b]);
    isolate::put_blocks(worker_->message(), chosen);
    auto answer = ask(Ask::parse, 0, stop);
    if (!answer) return tl::unexpected(answer.error());
    if (answer->status == LM_NO_MEMORY) {
      worker_.reset();
      return fail(Errc::plugin, fmt::format("memory limit: it has no more than {} MiB", library_->limits().memory >> 20));
    }
    Events events;
    std::string reason;
    if (!read_events(*answer, blocks, numbers, events, reason)) return distrust("what it has emitted cannot be read");
    for (Event& e : events.all) {
      switch (e.kind) {
        case Emitted::batch:
          if (emit.batch(emit.ctx, &e.batch) == LM_CANCELLED) return fail(Errc::cancelled, "the run is being stopped");
          break;
        case Emitted::reject:
          emit.reject(emit.ctx, static_cast<std::uint32_t>(e.a), static_cast<std::uint32_t>(e.b), static_cast<std::uint32_t>(e.c),
                      str(e.text));
          break;
        case Emitted::drift: emit.drift(emit.ctx, str(e.text), e.a); break;
        case Emitted::log: log(log_level(e.a), shown(e.text)); break;
        case Emitted::reason: break;
      }
    }
    if (answer->status == LM_OK) return {};
    return fail(Errc::plugin, fmt::format("parser '{}' {}", plugin_.id, reason.empty() ? "failed" : reason));
  }

  // All of it is read before any of it counts.
  bool read_events(const Answer& answer, std::span<const lm_block* const> blocks, std::span<const std::uint32_t> numbers, Events& events,
                   std::string& reason) {
    const auto number_of = [&](std::uint64_t block) { return block < numbers.size() ? numbers[block] : UINT32_MAX; };
    std::size_t messages = 0, records = 0;
    for (const std::uint32_t b : numbers) records += blocks[b]->n_records;
    const std::size_t most = kMostEvents + 4 * records;
    Reader in(answer.contents());
    while (!in.at_end()) {
      Event e;
      e.kind = static_cast<Emitted>(in.number());
      switch (e.kind) {
        case Emitted::batch: {
          auto batch = batches_->read(in, answer.bytes);
          if (!batch) return false;
          e.batch = *batch;
          e.origins.assign(batch->origins, batch->origins + batch->array.length);
          for (lm_origin& o : e.origins) o.block = number_of(o.block);
          e.batch.origins = e.origins.data();
          break;
        }
        case Emitted::reject:
          e.a = number_of(in.number()), e.b = in.below(UINT32_MAX), e.c = in.below(UINT32_MAX), e.text = in.text();
          break;
        case Emitted::drift:
        case Emitted::log: e.a = in.number(), e.text = in.text(); break;
        case Emitted::reason: reason = shown(in.text()); break;
        default: in.fail();
      }
      if (e.kind == Emitted::log && ++messages > kMostMessages) continue;
      events.all.push_back(std::move(e));
      if (events.all.size() > most) return false;
    }
    return !in.failed();
  }

  const ParserPlugin& plugin_;
  const std::shared_ptr<WorkerLibrary> library_;
  const std::string config_;
  std::unique_ptr<Process> worker_;  // null: the one before has died
  std::vector<ArrowSchema> schemas_;
  std::vector<std::string> schema_texts_;
  std::optional<isolate::BatchReader> batches_;
};

}  // namespace

Result<std::unique_ptr<ParserInstance>> create_isolated(const ParserPlugin& plugin, std::string_view config_json) {
  auto out = std::make_unique<IsolatedParser>(plugin, config_json);
  if (auto started = out->start(); !started) return tl::unexpected(started.error());
  return out;
}

}  // namespace lm
