// A run with a ledger: epochs of seal, commit, publish. docs/adr/0010-epochs-and-the-ledger.md says why so.
//
// An epoch has sinks of its own, under an id of its own, and the pipeline is drained at its end: what the sinks hold then is what the objects gave that the journal has
// noted down, neither more nor less. Whenever the process dies, an epoch is committed, and its outputs are only to be renamed, or it never was.
#include "base/log.hpp"
#include "ledger/ledger.hpp"
#include "pipeline/manifest.hpp"
#include "pipeline/run_impl.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <set>

namespace lm {
namespace {

constexpr std::string_view kRejects = "rejects";  // no sink, but kept in the ledger as one

// The working directory of the next run may be another one.
std::string absolute(const std::string& target) { return Storages::absolute(target); }

// One a line; a value may hold anything else.
std::string options_text(const SinkSpec& spec) {
  std::string out;
  for (const auto& [name, value] : spec.options) out += fmt::format("{}={}\n", name, value);
  return out;
}

SinkSpec spec_of(const LedgerTarget& target) {
  SinkSpec spec{target.sink, target.target, {}};
  for (std::string_view rest = target.options; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    const std::size_t equals = line.find('=');
    if (equals != std::string_view::npos) spec.options[std::string(line.substr(0, equals))] = line.substr(equals + 1);
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  }
  return spec;
}

std::string number_text(const std::optional<std::int64_t>& value) { return value ? std::to_string(*value) : ""; }

Ledger::Job job_of(const RunOptions& options) {
  std::vector<std::string> sinks;
  for (const SinkSpec& spec : options.sinks) sinks.push_back(spec.id + ":" + absolute(spec.target));
  std::sort(sinks.begin(), sinks.end());
  Ledger::Job job;
  for (const std::string& sink : sinks) job["to"] += (job["to"].empty() ? "" : " ") + sink;
  job["since_ms"] = number_text(options.since_ms), job["until_ms"] = number_text(options.until_ms);
  job["plugin"] = options.plugin;
  job["raw_data"] = options.raw_data ? "true" : "";
  job["shard"] = options.shards > 1 ? fmt::format("{}/{}", options.shard, options.shards) : "";
  return job;
}

class LedgerJournal final : public Journal {
 public:
  LedgerJournal(Ledger& ledger, const RunOptions& options) : ledger_(ledger) {
    const std::string file = absolute(options.state.string());
    for (const char* suffix : {"", "-wal", "-shm", ".lock"}) own_files_.insert(file + suffix);
    for (const SinkSpec& spec : options.sinks) own_folders_.push_back(absolute(spec.target) + "/");
    if (!options.rejects.empty()) own_folders_.push_back(absolute(options.rejects.string()) + "/");
  }

  Result<bool> wanted(const ObjectRef& ref) override {
    if (is_own(ref.uri)) return false;
    if (ref.etag.empty() && ref.trouble.empty())
      return fail(Errc::invalid, fmt::format("{}: it cannot be told from others that have stood there, and so not be read with --state",
                                             readable(ref.uri)));
    auto known = ledger_.find(ref.uri);
    if (!known) return tl::unexpected(known.error());
    if (!*known || (*known)->again || (*known)->etag != ref.etag || (*known)->size != ref.size) return true;
    ++skipped_;
    const ObjectOutcome outcome = (*known)->outcome;
    if (outcome == ObjectOutcome::partly_read || outcome == ObjectOutcome::unrecognised || outcome == ObjectOutcome::failed ||
        (*known)->rejects != 0)
      ++skipped_not_whole_;
    return false;
  }

  Result<void> done(const ObjectRef& ref, ObjectOutcome outcome, const std::string& reason, std::uint64_t records,
                    std::uint64_t rejects) override {
    ++done_;
    return ledger_.done({ref.uri, ref.etag, ref.size, outcome, reason, records, rejects, 0, false});
  }

  void wrote(const Table& table, const TimeRange& times) override {
    const std::lock_guard lock(mutex_);
    auto [at, fresh] = times_.try_emplace(table.name, times);
    if (fresh) return;
    TimeRange& all = at->second;
    all.rows += times.rows, all.first = std::min(all.first, times.first), all.last = std::max(all.last, times.last);
  }

  // What came since it was asked before.
  std::uint64_t take_done() { return done_.exchange(0); }
  std::vector<LedgerTable> take_tables() {
    const std::lock_guard lock(mutex_);
    std::vector<LedgerTable> out;
    for (const auto& [name, times] : times_) out.push_back({name, times.rows, times.first, times.last});
    times_.clear();
    return out;
  }
  std::uint64_t skipped() const { return skipped_; }
  std::uint64_t skipped_not_whole() const { return skipped_not_whole_; }

 private:
  // A job that writes below a folder that it reads: its own files are no objects of it, and would be new ones in every run.
  bool is_own(const std::string& uri) const {
    // A key is what it is, also with "//" in it or at its end.
    const std::string path = uri.find("://") == std::string::npos ? absolute(uri) : uri;
    return own_files_.contains(path) ||
           std::any_of(own_folders_.begin(), own_folders_.end(), [&](const std::string& folder) { return path.starts_with(folder); });
  }

  Ledger& ledger_;
  std::set<std::string> own_files_;
  std::vector<std::string> own_folders_;
  std::atomic<std::uint64_t> skipped_{0}, skipped_not_whole_{0}, done_{0};
  std::mutex mutex_;  // guards:
  std::map<std::string, TimeRange> times_;
};

// What a run that was broken off has left: what was committed is published, everything else is removed.
Result<void> recover(const Registry& registry, const RunOptions& options, Ledger& ledger, Storages& storages) {
  Refusals none;  // nothing is written here
  const std::atomic<bool> never{false};
  auto runs = ledger.unfinished_runs();
  if (!runs) return tl::unexpected(runs.error());
  if (runs->empty()) return {};
  auto outputs = ledger.unpublished();
  if (!outputs) return tl::unexpected(outputs.error());
  auto targets = ledger.targets();
  if (!targets) return tl::unexpected(targets.error());
  log(LogLevel::info,
      fmt::format("the run before did not come to its end: {} of its outputs were committed and are published now, the rest is done again",
                  outputs->size()));
  std::vector<std::unique_ptr<OutputSink>> sinks;
  for (const LedgerTarget& target : *targets) {
    std::unique_ptr<OutputSink>& sink = sinks.emplace_back();
    if (target.sink != kRejects) {
      // Under an id that the ledger has already: also what this leaves, if it is killed, is found by the next one.
      auto made = make_sink(registry, spec_of(target), options, runs->front(), storages, none, never);
      if (!made) return tl::unexpected(made.error());
      sink = std::move(*made);
    }
    for (const LedgerOutput& o : *outputs) {
      if (o.target != target.id) continue;
      if (sink) {
        if (auto ok = sink->publish(o.token); !ok) return ok;
      } else if (auto ok = RejectsWriter::publish(target.target, o.token); !ok) {
        return tl::unexpected(ok.error());
      }
    }
    if (sink) {
      if (auto ok = sink->settle(); !ok) return ok;
    }
  }
  // Behind the last publish: a target may lie below another one, where a sweep finds what was committed there.
  for (std::size_t i = 0; i < sinks.size(); ++i) {
    for (const std::string& run : *runs) {
      if (auto ok = sinks[i] ? sinks[i]->sweep(run) : RejectsWriter::sweep((*targets)[i].target, run); !ok) return ok;
    }
  }
  std::set<std::uint64_t> epochs;
  for (const LedgerOutput& o : *outputs) epochs.insert(o.epoch);
  for (const std::uint64_t epoch : epochs) {
    if (auto ok = ledger.published(epoch); !ok) return ok;
  }
  if (auto ok = write_manifests(ledger, storages); !ok) return ok;
  for (const std::string& run : *runs) {
    if (auto ok = ledger.end_run(run); !ok) return ok;
  }
  return {};
}

// The sinks of one epoch, and the file of its rejects.
struct Epoch {
  std::unique_ptr<RejectsWriter> rejects;         // outlives the sinks, which may tell it of rows
  std::vector<std::unique_ptr<BatchSink>> sinks;  // all are OutputSinks
  std::string id;
  std::vector<LedgerOutput> outputs;

  OutputSink& sink(std::size_t i) { return static_cast<OutputSink&>(*sinks[i]); }
};

class CheckpointedRun {
 public:
  CheckpointedRun(const Registry& registry, const RunOptions& options, Ledger& ledger, std::atomic<bool>& cancelled)
      : registry_(registry),
        options_(options),
        ledger_(ledger),
        cancelled_(cancelled),
        storages_(options.s3),
        journal_(ledger, options),
        run_id_(make_run_id()) {}
  ~CheckpointedRun() {
    if (engine_) engine_->give_up();
    ledger_.abandon_epoch();
  }
  CheckpointedRun(const CheckpointedRun&) = delete;
  CheckpointedRun& operator=(const CheckpointedRun&) = delete;

  Result<Summary> execute(const std::function<void(std::unique_ptr<Engine>)>& started) {
    if (auto ok = take_targets(); !ok) return tl::unexpected(ok.error());
    if (auto ok = recover(registry_, options_, ledger_, storages_); !ok) return tl::unexpected(ok.error());
    if (auto ok = ledger_.begin_run(run_id_); !ok) return tl::unexpected(ok.error());
    for (bool more = true; more;) {
      auto number = ledger_.begin_epoch(run_id_);
      if (!number) return tl::unexpected(number.error());
      if (auto ok = begin(*number); !ok) return tl::unexpected(engine_ ? not_usage(ok.error()) : ok.error());
      if (!engine_) {
        auto engine = std::make_unique<Engine>(registry_, options_, epoch_.sinks, cancelled_, *epoch_.rejects, &journal_);
        if (auto ok = engine->prepare(); !ok) return tl::unexpected(ok.error());
        engine_ = engine.get();
        started(std::move(engine));
      } else if (auto ok = engine_->next(*epoch_.rejects); !ok) {
        return tl::unexpected(ok.error());
      }
      more = engine_->execute();
      if (auto ok = engine_->check(); !ok) return tl::unexpected(ok.error());
      if (auto ok = end(*number); !ok) return tl::unexpected(not_usage(ok.error()));
    }
    auto summary = engine_->conclude();
    if (!summary) return summary;
    // A run that found nothing to do leaves a manifest all the same.
    if (checkpoints_ == 0) {
      if (auto ok = write_manifests(ledger_, storages_); !ok) return tl::unexpected(ok.error());
    }
    if (auto ok = ledger_.end_run(run_id_); !ok) return tl::unexpected(ok.error());
    summary->outputs = std::move(names_);
    summary->outputs_total = outputs_total_;
    summary->skipped = journal_.skipped(), summary->skipped_not_whole = journal_.skipped_not_whole();
    summary->checkpoints = checkpoints_;
    summary->refused = refusals_.take();
    return summary;
  }

 private:
  Result<void> take_targets() {
    if (auto ok = ledger_.bind(job_of(options_)); !ok) return ok;
    for (const SinkSpec& spec : options_.sinks) {
      auto id = ledger_.target(spec.id, absolute(spec.target), options_text(spec));
      if (!id) return tl::unexpected(id.error());
      targets_.push_back(*id);
      if (auto ok = check_manifest(ledger_, {*id, spec.id, absolute(spec.target), ""}, storages_); !ok) return ok;
    }
    if (options_.rejects.empty()) return {};
    auto id = ledger_.target(kRejects, absolute(options_.rejects.string()), "");
    if (!id) return tl::unexpected(id.error());
    targets_.push_back(*id);
    return {};
  }

  Result<void> begin(std::uint64_t number) {
    epoch_.sinks.clear();  // the files of the epoch before are published: nothing is removed with them
    epoch_.rejects.reset();
    epoch_.outputs.clear();
    epoch_.id = fmt::format("{}{:08x}", run_id_, number);
    auto rejects = RejectsWriter::open(options_.rejects, epoch_.id);
    if (!rejects) return tl::unexpected(rejects.error());
    epoch_.rejects = std::move(*rejects);
    refusals_.keep_in(epoch_.rejects.get());
    for (const SinkSpec& spec : options_.sinks) {
      auto sink = make_sink(registry_, spec, options_, epoch_.id, storages_, refusals_, cancelled_);
      if (!sink) return tl::unexpected(sink.error());
      epoch_.sinks.push_back(std::move(*sink));
    }
    return {};
  }

  Result<void> end(std::uint64_t number) {
    const std::uint64_t objects = journal_.take_done();
    if (auto ok = seal(); !ok) return discard(ok.error());
    if (objects == 0 && epoch_.outputs.empty()) {
      ledger_.abandon_epoch();
      return {};
    }
    if (auto ok = ledger_.commit_epoch(epoch_.outputs, journal_.take_tables()); !ok) return discard(ok.error());
    ++checkpoints_;
    Result<void> ok;
    for (std::size_t i = 0; ok && i < epoch_.outputs.size(); ++i) ok = publish(epoch_.outputs[i]);
    for (std::size_t i = 0; ok && i < epoch_.sinks.size(); ++i) ok = epoch_.sink(i).settle();
    if (!ok)
      return fail(ok.error().code, fmt::format("{}. What was committed is there, and is published by the next run", ok.error().what));
    if (ok = ledger_.published(number); !ok) return ok;
    return write_manifests(ledger_, storages_);
  }

  Result<void> seal() {
    for (std::size_t i = 0; i < epoch_.sinks.size(); ++i) {
      auto sealed = epoch_.sink(i).seal();
      if (!sealed) return tl::unexpected(sealed.error());
      for (SealedOutput& o : *sealed)
        epoch_.outputs.push_back({targets_[i], std::move(o.token), std::move(o.name), std::move(o.table), o.rows, o.bytes, 0});
    }
    auto kept = epoch_.rejects->seal();
    if (!kept) return tl::unexpected(kept.error());
    if (*kept)
      epoch_.outputs.push_back({targets_.back(), epoch_.id, fmt::format("rejects-{}.ndjson", epoch_.id), "", epoch_.rejects->lines(),
                                epoch_.rejects->bytes(), 0});
    return {};
  }

  std::size_t place_of(const LedgerOutput& o) const {
    return static_cast<std::size_t>(std::find(targets_.begin(), targets_.end(), o.target) - targets_.begin());
  }

  // What was sealed and cannot be committed. Where that fails too, the next run removes it.
  Result<void> discard(Error why) {
    for (const LedgerOutput& o : epoch_.outputs) {
      if (const std::size_t i = place_of(o); i < epoch_.sinks.size()) {
        static_cast<void>(epoch_.sink(i).discard(o.token));
      } else {
        static_cast<void>(RejectsWriter::discard(options_.rejects, o.token));
      }
    }
    for (std::size_t i = 0; i < epoch_.sinks.size(); ++i) static_cast<void>(epoch_.sink(i).settle());
    return tl::unexpected(std::move(why));
  }

  Result<void> publish(const LedgerOutput& o) {
    std::string name;
    if (const std::size_t i = place_of(o); i < epoch_.sinks.size()) {
      if (auto ok = epoch_.sink(i).publish(o.token); !ok) return ok;
      name = epoch_.sink(i).shown(o.name);
    } else {
      auto kept = RejectsWriter::publish(options_.rejects, o.token);
      if (!kept) return tl::unexpected(kept.error());
      name = "rejects:" + *kept;
    }
    ++outputs_total_;
    if (names_.size() < Summary::kMaxReports) names_.push_back(std::move(name));
    return {};
  }

  const Registry& registry_;
  const RunOptions& options_;
  Ledger& ledger_;
  std::atomic<bool>& cancelled_;
  Storages storages_;
  Refusals refusals_;
  LedgerJournal journal_;
  const std::string run_id_;
  std::vector<std::int64_t> targets_;  // of the sinks, and behind them that of the rejects
  Epoch epoch_;
  Engine* engine_ = nullptr;
  std::vector<std::string> names_;
  std::uint64_t outputs_total_ = 0, checkpoints_ = 0;
};

}  // namespace

Result<Summary> run_with_ledger(const Registry& registry, const RunOptions& options, std::atomic<bool>& cancelled,
                                const std::function<void(std::unique_ptr<Engine>)>& started) {
  for (const SinkSpec& spec : options.sinks) {
    if (spec.target == "-")
      return fail(Errc::invalid,
                  fmt::format("{}:- and --state do not go together: what was written to standard output cannot be taken back", spec.id));
  }
  for (const std::string& input : options.inputs) {
    if (input == "-") return fail(Errc::invalid, "standard input and --state do not go together: it cannot be read again");
  }
  std::set<std::string> folders;
  for (const SinkSpec& spec : options.sinks) folders.insert(Storages::place(spec.target));
  if (!options.rejects.empty()) folders.insert(Storages::place(options.rejects.string()));
  for (const std::string& folder : folders) {
    for (const std::string& input : options.inputs) {
      const std::string place = Storages::place(input);
      if ((place + "/").starts_with(folder + "/"))
        return fail(Errc::invalid, fmt::format("{} {} {}: what stands there is the job's own, and is not read", input,
                                               place == folder ? "is the same as" : "lies below", folder));
    }
  }
  if (folders.size() != options.sinks.size() + (options.rejects.empty() ? 0 : 1))
    return fail(Errc::invalid, "with --state every sink, and --rejects, needs a folder of its own: a folder has one manifest");
  for (const std::string& outer : folders) {
    for (const std::string& inner : folders) {
      if (Storages::is_remote(inner) && inner != outer && inner.starts_with(outer + "/"))
        return fail(Errc::invalid, fmt::format("{} lies below {}: with --state each needs a place of its own", inner, outer));
    }
  }
  auto ledger = Ledger::open(options.state, Ledger::Access::change, true);
  if (!ledger) return tl::unexpected(ledger.error());
  return CheckpointedRun(registry, options, **ledger, cancelled).execute(started);
}

}  // namespace lm
