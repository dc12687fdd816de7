#include "ledger/ledger.hpp"

#include <fmt/format.h>
#include <sqlite3.h>
#include <algorithm>
#include <chrono>
#include <random>
#include <system_error>

namespace lm {
namespace {

constexpr std::int64_t kApplication = 0x6c6d6c67;  // "lmlg"
constexpr std::int64_t kVersion = 1;

constexpr const char* kSchema = R"(
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE runs(run TEXT PRIMARY KEY, began INTEGER NOT NULL, owner TEXT NOT NULL, ended INTEGER) WITHOUT ROWID;
CREATE TABLE targets(id INTEGER PRIMARY KEY, sink TEXT NOT NULL, target TEXT NOT NULL, options TEXT NOT NULL, UNIQUE(sink, target));
CREATE TABLE epochs(epoch INTEGER PRIMARY KEY, run TEXT NOT NULL, committed INTEGER NOT NULL, objects INTEGER NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL);
CREATE TABLE epoch_tables(epoch INTEGER, tbl TEXT, row_count INTEGER NOT NULL, time_min INTEGER NOT NULL, time_max INTEGER NOT NULL, PRIMARY KEY(epoch, tbl)) WITHOUT ROWID;
CREATE TABLE epoch_objects(epoch INTEGER, uri TEXT, PRIMARY KEY(epoch, uri)) WITHOUT ROWID;
CREATE TABLE objects(uri TEXT PRIMARY KEY, etag TEXT NOT NULL, size INTEGER NOT NULL, state INTEGER NOT NULL, epoch INTEGER NOT NULL, records INTEGER NOT NULL,
  rejects INTEGER NOT NULL, again INTEGER NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX objects_not_whole ON objects(state) WHERE state IN (1, 3, 5);
CREATE TABLE outputs(epoch INTEGER, target INTEGER, token TEXT, name TEXT NOT NULL, tbl TEXT NOT NULL, row_count INTEGER NOT NULL, bytes INTEGER NOT NULL,
  published INTEGER NOT NULL, PRIMARY KEY(target, epoch, token)) WITHOUT ROWID;
CREATE INDEX outputs_unpublished ON outputs(published) WHERE published = 0;
CREATE TABLE superseded(uri TEXT, etag TEXT, epoch INTEGER, PRIMARY KEY(uri, etag, epoch)) WITHOUT ROWID;
)";

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string random_id() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

// Whether anything of it may stand in an output.
bool gave_output(const LedgerObject& o) {
  return o.records != 0 || o.outcome == ObjectOutcome::partly_read || o.outcome == ObjectOutcome::unrecognised ||
         o.outcome == ObjectOutcome::failed;
}

constexpr std::string_view kObjectColumns = "uri, etag, size, state, epoch, records, rejects, again, reason";

LedgerObject object_at(const Query& q) {
  LedgerObject o;
  o.uri = q.text(0), o.etag = q.text(1), o.size = q.count(2);
  o.outcome = static_cast<ObjectOutcome>(std::clamp<std::int64_t>(q.integer(3), 0, 5));
  o.epoch = q.count(4), o.records = q.count(5), o.rejects = q.count(6), o.again = q.integer(7) != 0, o.reason = q.text(8);
  return o;
}

LedgerOutput output_at(const Query& q) { return {q.integer(0), q.text(1), q.text(2), q.text(3), q.count(4), q.count(5), q.count(6)}; }

}  // namespace

template <class Call>
auto Ledger::guarded(Call&& call) -> Result<decltype(std::declval<Call>()())> {
  const std::lock_guard lock(mutex_);
  try {
    if constexpr (std::is_void_v<decltype(call())>) {
      call();
      return {};
    } else {
      return call();
    }
  } catch (const SqlError& e) {
    return tl::unexpected(error_of(e));
  }
}

Error Ledger::error_of(const SqlError& e) const {
  const std::string name = path_.string();
  switch (e.code) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Errc::corrupt, fmt::format("the ledger {} is damaged: {}. It was left as it is, and so were the outputs: what is there is "
                                         "whole. Put a copy of it back; without "
                                         "one, begin again with a new ledger and empty output folders",
                                         name, e.what())};
    case SQLITE_FULL: return {Errc::io, fmt::format("the ledger {}: the disk is full. What was committed before is kept", name)};
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM: return {Errc::io, fmt::format("the ledger {} cannot be opened or written: {}", name, e.what())};
    default: return {Errc::io, fmt::format("the ledger {}: {}", name, e.what())};
  }
}

Result<std::unique_ptr<Ledger>> Ledger::open(const std::filesystem::path& path, Access access, bool create) {
  auto out = std::unique_ptr<Ledger>(new Ledger);
  out->path_ = path;
  std::error_code failed;
  const auto kind = std::filesystem::status(path, failed).type();
  if (kind == std::filesystem::file_type::not_found && !create)
    return fail(Errc::not_found, fmt::format("{}: there is no such ledger", path.string()));
  if (kind != std::filesystem::file_type::not_found && kind != std::filesystem::file_type::regular)
    return fail(Errc::invalid, fmt::format("{} is no file: a ledger is one", path.string()));
  if (access == Access::change) {
    auto lock = OwnerLock::take(path.string() + ".lock", fmt::format("the ledger {}", path.string()));
    if (!lock) return tl::unexpected(lock.error());
    out->lock_ = std::move(*lock);
  }
  bool foreign = false;
  auto ok = out->guarded([&] {
    out->database_ = std::make_unique<Database>(path.string(), access == Access::change);
    Database& d = *out->database_;
    const auto pragma = [&](std::string_view sql) {
      Query q = d.query(sql);
      return q.next() ? q.integer(0) : 0;
    };
    const std::int64_t application = pragma("PRAGMA application_id"), version = pragma("PRAGMA user_version");
    const bool fresh = pragma("SELECT count(*) FROM sqlite_master") == 0 && application == 0;
    foreign = fresh ? !create : application != kApplication || version != kVersion;
    if (foreign) return;
    if (access == Access::change) {
      // A power cut must not take back what was committed and published: FULL.
      d.run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-8192");
    }
    if (fresh) {
      Transaction all(d);
      d.run(kSchema);
      d.query("INSERT INTO meta VALUES('id', ?)").with(random_id()).run();
      d.run(fmt::format("PRAGMA application_id={}; PRAGMA user_version={}", kApplication, kVersion).c_str());
      all.commit();
    } else {
      Query check = d.query("PRAGMA quick_check(1)");
      if (check.next() && check.text(0) != "ok") throw SqlError(SQLITE_CORRUPT, check.text(0));
    }
    Query id = d.query("SELECT value FROM meta WHERE name = 'id'");
    if (!id.next()) throw SqlError(SQLITE_CORRUPT, "it has no id");
    out->id_ = id.text(0);
    out->find_ = d.query(fmt::format("SELECT {} FROM objects WHERE uri = ?", kObjectColumns));
    if (access != Access::change) return;
    out->put_ = d.query("INSERT OR REPLACE INTO objects VALUES(?, ?, ?, ?, ?, ?, ?, 0, ?)");
    out->supersede_ = d.query("INSERT OR IGNORE INTO superseded VALUES(?, ?, ?)");
  });
  if (!ok) return tl::unexpected(ok.error());
  if (foreign)
    return fail(Errc::invalid, fmt::format("{} is not a ledger of this version of logmill. It was left as it is", path.string()));
  return out;
}

Result<void> Ledger::bind(const Job& job) {
  auto known = this->job();
  if (!known) return tl::unexpected(known.error());
  if (known->empty()) {
    return guarded([&] {
      Transaction all(*database_);
      Query put = database_->query("INSERT INTO meta VALUES('job.' || ?, ?)");
      for (const auto& [name, value] : job) put.with(name, value).run();
      all.commit();
    });
  }
  std::string differs;
  for (const auto& [name, value] : job) {
    const auto found = known->find(name);
    const std::string before = found == known->end() ? "" : found->second;
    if (before != value)
      differs += fmt::format("; {} was {}, and is now {}", name, before.empty() ? "not given" : "'" + before + "'",
                             value.empty() ? "not given" : "'" + value + "'");
  }
  if (differs.empty()) return {};
  return fail(
      Errc::invalid,
      fmt::format("the ledger {} belongs to another job, whose objects would be missing in this one{}. A job has one ledger: name another "
                  "file for --state, or say the same",
                  path_.string(), differs));
}

Result<Ledger::Job> Ledger::job() {
  return guarded([&] {
    Job job;
    Query q = database_->query("SELECT substr(name, 5), value FROM meta WHERE name LIKE 'job.%'");
    while (q.next()) job[q.text(0)] = q.text(1);
    return job;
  });
}

Result<std::int64_t> Ledger::target(std::string_view sink, std::string_view target, std::string_view options) {
  return guarded([&] {
    database_
        ->query(
            "INSERT INTO targets(sink, target, options) VALUES(?, ?, ?) ON CONFLICT(sink, target) DO UPDATE SET options = excluded.options")
        .with(sink, target, options)
        .run();
    Query q = database_->query("SELECT id FROM targets WHERE sink = ? AND target = ?");
    return q.with(sink, target).next() ? q.integer(0) : 0;
  });
}

Result<std::vector<LedgerTarget>> Ledger::targets() {
  return guarded([&] {
    std::vector<LedgerTarget> out;
    Query q = database_->query("SELECT id, sink, target, options FROM targets ORDER BY id");
    while (q.next()) out.push_back({q.integer(0), q.text(1), q.text(2), q.text(3)});
    return out;
  });
}

Result<std::vector<LedgerOutput>> Ledger::unpublished() {
  return guarded([&] {
    std::vector<LedgerOutput> out;
    Query q = database_->query("SELECT target, token, name, tbl, row_count, bytes, epoch FROM outputs WHERE published = 0");
    while (q.next()) out.push_back(output_at(q));
    return out;
  });
}

Result<std::vector<std::string>> Ledger::unfinished_runs() {
  return guarded([&] {
    std::vector<std::string> out;
    Query q = database_->query("SELECT run FROM runs WHERE ended IS NULL");
    while (q.next()) out.push_back(q.text(0));
    return out;
  });
}

Result<void> Ledger::begin_run(std::string_view run) {
  return guarded([&] { database_->query("INSERT INTO runs VALUES(?, ?, ?, NULL)").with(run, now_ms(), describe_owner()).run(); });
}

Result<void> Ledger::end_run(std::string_view run) {
  return guarded([&] { database_->query("UPDATE runs SET ended = ? WHERE run = ?").with(now_ms(), run).run(); });
}

Result<std::uint64_t> Ledger::begin_epoch(std::string_view run) {
  return guarded([&] {
    database_->run("BEGIN IMMEDIATE");
    Query q = database_->query("SELECT coalesce(max(epoch), 0) + 1 FROM epochs");
    epoch_ = q.next() ? q.count(0) : 1;
    current_ = {};
    run_ = run;
    return epoch_;
  });
}

std::optional<LedgerObject> Ledger::look_up(const std::string& uri) {
  if (!find_.with(uri).next()) return std::nullopt;
  LedgerObject found = object_at(find_);
  find_.reset();
  return found;
}

Result<std::optional<LedgerObject>> Ledger::find(const std::string& uri) {
  return guarded([&] { return look_up(uri); });
}

void Ledger::supersede(const LedgerObject& old) {
  if (gave_output(old)) supersede_.with(old.uri, old.etag, old.epoch).run();
}

Result<void> Ledger::done(const LedgerObject& o) {
  return guarded([&] {
    if (const auto old = look_up(o.uri); old && old->epoch != epoch_) supersede(*old);
    put_.with(o.uri, o.etag, o.size, static_cast<int>(o.outcome), epoch_, o.records, o.rejects, o.reason).run();
    if (current_.objects == 0 || o.uri < current_.first) current_.first = o.uri;
    if (current_.objects == 0 || o.uri > current_.last) current_.last = o.uri;
    if (++current_.objects <= kMaxNamed) {
      current_.uris.push_back(o.uri);
    } else {
      current_.uris = {};
    }
  });
}

Result<void> Ledger::commit_epoch(const std::vector<LedgerOutput>& outputs, const std::vector<LedgerTable>& tables) {
  auto ok = guarded([&] {
    database_->query("INSERT INTO epochs VALUES(?, ?, ?, ?, ?, ?)")
        .with(epoch_, run_, now_ms(), current_.objects, current_.first, current_.last)
        .run();
    Query name = database_->query("INSERT OR IGNORE INTO epoch_objects VALUES(?, ?)");
    for (const std::string& uri : current_.uris) name.with(epoch_, uri).run();
    Query table = database_->query("INSERT INTO epoch_tables VALUES(?, ?, ?, ?, ?)");
    for (const LedgerTable& t : tables) table.with(epoch_, t.name, t.rows, t.time_min, t.time_max).run();
    Query output = database_->query("INSERT INTO outputs VALUES(?, ?, ?, ?, ?, ?, ?, 0)");
    for (const LedgerOutput& o : outputs) output.with(epoch_, o.target, o.token, o.name, o.table, o.rows, o.bytes).run();
    database_->run("COMMIT");
  });
  if (!ok) abandon_epoch();
  return ok;
}

void Ledger::abandon_epoch() {
  const std::lock_guard lock(mutex_);
  try {
    if (database_->in_transaction()) database_->run("ROLLBACK");
  } catch (const SqlError&) {  // what was not committed is gone when the file is opened next
  }
}

Result<void> Ledger::published(std::uint64_t epoch) {
  return guarded([&] { database_->query("UPDATE outputs SET published = 1 WHERE published = 0 AND epoch = ?").with(epoch).run(); });
}

Result<std::uint64_t> Ledger::retry(const std::vector<std::string>& uris) {
  return guarded([&] {
    std::uint64_t changed = 0;
    Transaction all(*database_);
    if (uris.empty()) {
      database_->run("UPDATE objects SET again = 1 WHERE state IN (1, 3, 5) AND again = 0");
      changed = database_->changed();
    }
    Query one = database_->query("UPDATE objects SET again = 1 WHERE uri = ?");
    for (const std::string& uri : uris) one.with(uri).run(), changed += database_->changed();
    all.commit();
    return changed;
  });
}

Result<std::uint64_t> Ledger::forget(const std::vector<std::string>& uris) {
  return guarded([&] {
    std::uint64_t changed = 0;
    Transaction all(*database_);
    Query remove = database_->query("DELETE FROM objects WHERE uri = ?");
    for (const std::string& uri : uris) {
      const auto old = look_up(uri);
      if (!old) continue;
      supersede(*old);
      remove.with(uri).run();
      ++changed;
    }
    all.commit();
    return changed;
  });
}

Result<StateInfo> Ledger::info() {
  auto job = this->job();
  if (!job) return tl::unexpected(job.error());
  return guarded([&] {
    StateInfo info;
    info.id = id_, info.job = std::move(*job);
    Query states =
        database_->query("SELECT state, count(*), sum(size), sum(records), sum(rejects), sum(again) FROM objects GROUP BY state");
    while (states.next()) {
      const auto state = static_cast<std::size_t>(std::clamp<std::int64_t>(states.integer(0), 0, 5));
      info.objects[state] += states.count(1);
      info.stored_bytes += states.count(2), info.records += states.count(3), info.rejects += states.count(4), info.again += states.count(5);
    }
    Query outputs = database_->query(
        "SELECT count(*), coalesce(sum(row_count), 0), coalesce(sum(bytes), 0), coalesce(sum(published = 0), 0) FROM outputs");
    if (outputs.next())
      info.outputs = outputs.count(0), info.output_rows = outputs.count(1), info.output_bytes = outputs.count(2),
      info.unpublished = outputs.count(3);
    Query epochs = database_->query("SELECT count(*) FROM epochs");
    if (epochs.next()) info.epochs = epochs.count(0);
    Query superseded = database_->query("SELECT count(*) FROM superseded");
    if (superseded.next()) info.superseded = superseded.count(0);
    Query targets = database_->query("SELECT sink || ':' || target FROM targets ORDER BY id");
    while (targets.next()) info.targets.push_back(targets.text(0));
    Query run = database_->query("SELECT owner, ended IS NULL FROM runs ORDER BY ended IS NULL DESC, began DESC LIMIT 1");
    if (run.next()) info.last_run = run.text(0), info.last_run_ended = run.integer(1) == 0;
    return info;
  });
}

Result<void> Ledger::each_object(const std::function<bool(const LedgerObject&)>& call) {
  return guarded([&] {
    Query q = database_->query(fmt::format("SELECT {} FROM objects ORDER BY uri", kObjectColumns));
    while (q.next()) {
      if (!call(object_at(q))) return;
    }
  });
}

Result<void> Ledger::each_epoch(const std::function<void(const LedgerEpoch&)>& call) {
  return guarded([&] {
    Query q = database_->query("SELECT epoch, run, objects, first, last FROM epochs ORDER BY epoch");
    Query tables = database_->query("SELECT tbl, row_count, time_min, time_max FROM epoch_tables WHERE epoch = ? ORDER BY tbl");
    Query uris = database_->query("SELECT uri FROM epoch_objects WHERE epoch = ? ORDER BY uri");
    while (q.next()) {
      LedgerEpoch e;
      e.epoch = q.count(0), e.run = q.text(1), e.objects = q.count(2), e.first = q.text(3), e.last = q.text(4);
      tables.with(e.epoch);
      while (tables.next()) e.tables.push_back({tables.text(0), tables.count(1), tables.integer(2), tables.integer(3)});
      uris.with(e.epoch);
      while (uris.next()) e.uris.push_back(uris.text(0));
      call(e);
    }
  });
}

Result<void> Ledger::each_output(std::int64_t target, const std::function<void(const LedgerOutput&)>& call) {
  return guarded([&] {
    Query q = database_->query(
        "SELECT target, token, name, tbl, row_count, bytes, epoch FROM outputs WHERE target = ? AND published = 1 ORDER BY epoch, token");
    q.with(target);
    while (q.next()) call(output_at(q));
  });
}

Result<void> Ledger::each_superseded(const std::function<void(const std::string&, const std::string&, std::uint64_t)>& call) {
  return guarded([&] {
    Query q = database_->query("SELECT uri, etag, epoch FROM superseded ORDER BY uri, etag, epoch");
    while (q.next()) call(q.text(0), q.text(1), q.count(2));
  });
}

Result<void> Ledger::absorb(Ledger& part) {
  auto theirs = part.job();
  if (!theirs) return tl::unexpected(theirs.error());
  theirs->erase("shard");
  if (auto ok = bind(*theirs); !ok) return ok;
  auto open = part.unfinished_runs();
  if (!open) return tl::unexpected(open.error());
  auto hidden = part.unpublished();
  if (!hidden) return tl::unexpected(hidden.error());
  if (!open->empty() || !hidden->empty())
    return fail(Errc::invalid,
                fmt::format("the last run of {} was broken off: run it once more with its own --state first", part.path_.string()));
  return guarded([&] {
    Database& d = *database_;
    d.query("ATTACH ? AS part").with(part.path_.string()).run();
    struct Detach {
      Database& d;
      ~Detach() {
        try {
          d.run("DETACH part");
        } catch (const SqlError&) {  // it goes with the connection
        }
      }
    } const detach{d};
    Transaction all(d);
    Query last = d.query("SELECT coalesce(max(epoch), 0) FROM main.epochs");
    const std::uint64_t offset = last.next() ? last.count(0) : 0;
    last.reset();
    // Parts do not overlap where they are shards; where they do, one of the two counts: the one that was read whole, or else that which came first.
    constexpr std::string_view kWins = "(p.state = 0 AND m.state <> 0)", kGave = "(x.records > 0 OR x.state IN (1, 3, 5))";
    d.run("INSERT OR IGNORE INTO main.runs SELECT * FROM part.runs");
    d.run("INSERT OR IGNORE INTO main.targets(sink, target, options) SELECT sink, target, options FROM part.targets");
    const auto add = [&](const std::string& sql) { d.query(sql).with(offset).run(); };
    add("INSERT INTO main.epochs SELECT epoch + ?, run, committed, objects, first, last FROM part.epochs");
    add("INSERT INTO main.epoch_tables SELECT epoch + ?, tbl, row_count, time_min, time_max FROM part.epoch_tables");
    add("INSERT INTO main.epoch_objects SELECT epoch + ?, uri FROM part.epoch_objects");
    add("INSERT OR IGNORE INTO main.superseded SELECT uri, etag, epoch + ? FROM part.superseded");
    add("INSERT INTO main.outputs SELECT o.epoch + ?, t.id, o.token, o.name, o.tbl, o.row_count, o.bytes, o.published FROM part.outputs o "
        "JOIN part.targets s ON s.id = o.target JOIN main.targets t ON t.sink = s.sink AND t.target = s.target");
    d.run(fmt::format(
              "INSERT OR IGNORE INTO main.superseded SELECT x.uri, x.etag, x.epoch FROM main.objects x JOIN main.objects m USING(uri) "
              "JOIN part.objects p USING(uri) WHERE {} AND {}",
              kWins, kGave)
              .c_str());
    add(fmt::format(
        "INSERT OR IGNORE INTO main.superseded SELECT x.uri, x.etag, x.epoch + ? FROM part.objects x JOIN main.objects m USING(uri) "
        "JOIN part.objects p USING(uri) WHERE NOT {} AND {}",
        kWins, kGave));
    add(fmt::format(
        "INSERT OR REPLACE INTO main.objects SELECT p.uri, p.etag, p.size, p.state, p.epoch + ?, p.records, p.rejects, p.again, p.reason "
        "FROM part.objects p LEFT JOIN main.objects m ON m.uri = p.uri WHERE m.uri IS NULL OR {}",
        kWins));
    all.commit();
  });
}

}  // namespace lm
