// What a job has done, in one SQLite file: which objects, which outputs, and which of those are visible yet. It knows nothing of sources and sinks.
//
//   begin_run            a row with the run's id, before anything is written under that id
//   begin_epoch          opens the transaction
//   done, done, ...      objects, as they get through
//   commit_epoch         these objects are done, and these outputs exist, sealed: from here on they are only to be published
//   published            they all are visible
//   end_run              nothing of it is left under a temporary name
//
// What a killed run leaves is told by unpublished() (to be published) and unfinished_runs() (whatever else has their ids is to be removed).
//
// An object's uri is its row; beside it stand some 60 bytes. Times are for people: nothing is decided by a clock, only by the order of epochs.
#pragma once

#include "base/result.hpp"
#include "ledger/owner_lock.hpp"
#include "ledger/sqlite.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lm {

struct LedgerTarget {
  std::int64_t id = 0;
  std::string sink, target, options;  // "parquet", an absolute path, JSON
};

struct LedgerObject {
  std::string uri, etag;
  std::uint64_t size = 0;
  ObjectOutcome outcome = ObjectOutcome::read;  // its number is stored
  std::string reason;
  std::uint64_t records = 0, rejects = 0, epoch = 0;
  bool again = false;  // is to be read again
};

struct LedgerOutput {
  std::int64_t target = 0;
  std::string token, name, table;
  std::uint64_t rows = 0, bytes = 0, epoch = 0;
};

struct LedgerTable {  // of one epoch
  std::string name;
  std::uint64_t rows = 0;
  std::int64_t time_min = 0, time_max = 0;  // of its rows, in every output of the epoch together
};

struct LedgerEpoch {
  std::uint64_t epoch = 0, objects = 0;
  std::string run, first, last;     // of the objects' uris
  std::vector<std::string> uris;    // all of them, or none where there are more than kMaxNamed
  std::vector<LedgerTable> tables;  // by name
};

class Ledger {
 public:
  static constexpr std::size_t kMaxNamed = 1000;
  enum class Access { look, change };
  using Job = std::map<std::string, std::string>;

  // `change` takes the owner's lock: Errc::io if somebody has it. A file that is not there is made if `create`. Errc::corrupt: damaged; Errc::invalid: no ledger.
  static Result<std::unique_ptr<Ledger>> open(const std::filesystem::path&, Access, bool create);

  const std::string& id() const { return id_; }  // made with the file
  const std::filesystem::path& path() const { return path_; }

  // What decides which rows an object gives and where they go: stored by the first run, and the same for every later one (Errc::invalid says what is not).
  Result<void> bind(const Job&);
  Result<Job> job();
  Result<std::int64_t> target(std::string_view sink, std::string_view target, std::string_view options);
  Result<std::vector<LedgerTarget>> targets();

  Result<std::vector<LedgerOutput>> unpublished();
  Result<std::vector<std::string>> unfinished_runs();

  Result<void> begin_run(std::string_view run);
  Result<void> end_run(std::string_view run);
  Result<std::uint64_t> begin_epoch(std::string_view run);
  // [any] also within an epoch, of which it knows what was done.
  Result<std::optional<LedgerObject>> find(const std::string& uri);
  // [any] Within an epoch. What the object gave in an earlier one is superseded.
  Result<void> done(const LedgerObject&);
  Result<void> commit_epoch(const std::vector<LedgerOutput>&, const std::vector<LedgerTable>&);
  void abandon_epoch();
  Result<void> published(std::uint64_t epoch);

  // Objects that were not read whole (uris empty) or these: to be read again. Answers how many.
  Result<std::uint64_t> retry(const std::vector<std::string>& uris);
  // As if they had never been read: what they gave is superseded. Answers how many were known.
  Result<std::uint64_t> forget(const std::vector<std::string>& uris);
  // Takes over what another ledger of the same job, but of other objects, has done.
  Result<void> absorb(Ledger& part);

  Result<StateInfo> info();
  // By uri; the callback answers whether to go on.
  Result<void> each_object(const std::function<bool(const LedgerObject&)>&);
  Result<void> each_epoch(const std::function<void(const LedgerEpoch&)>&);
  Result<void> each_output(std::int64_t target, const std::function<void(const LedgerOutput&)>&);
  Result<void> each_superseded(const std::function<void(const std::string& uri, const std::string& etag, std::uint64_t epoch)>&);

 private:
  Ledger() = default;
  template <class Call>
  auto guarded(Call&&) -> Result<decltype(std::declval<Call>()())>;
  Error error_of(const SqlError&) const;
  void prepare(bool create);
  void supersede(const LedgerObject& old);
  std::optional<LedgerObject> look_up(const std::string& uri);

  std::filesystem::path path_;
  std::string id_;
  OwnerLock lock_;
  std::mutex mutex_;  // of all below
  std::unique_ptr<Database> database_;
  Query find_, put_, supersede_;
  std::uint64_t epoch_ = 0;
  LedgerEpoch current_;  // of the open epoch
  std::string run_;
};

}  // namespace lm
