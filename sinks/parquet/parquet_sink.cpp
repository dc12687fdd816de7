#include "parquet/parquet_sink.hpp"

#include "common/options.hpp"
#include "common/parallel.hpp"
#include "parquet/chain.hpp"

#include <logmill/sdk/intern.hpp>

#include <algorithm>
#include <chrono>
#include <limits>
#include <string_view>
#include <utility>

namespace lm::sink::parquet {
namespace {

constexpr std::int64_t kDay = 86400000;
constexpr std::int64_t kNoDay = std::numeric_limits<std::int64_t>::min();

constexpr lm_str text(std::string_view s) { return {s.data(), s.size()}; }

constexpr lm_option kOptions[] = {
    {sizeof(lm_option), LM_OPTION_CHOICE, text("compression"), text("zstd"), text("zstd|none"), text("How pages are compressed.")},
    {sizeof(lm_option), LM_OPTION_INTEGER, text("zstd_level"), text("1"), text("1..19"), text("Higher is smaller and slower.")},
    {sizeof(lm_option), LM_OPTION_INTEGER, text("row_group_rows"), text("262144"), text("1..16777216"),
     text("Rows in a row group, at most.")},
    {sizeof(lm_option), LM_OPTION_SIZE, text("row_group_size"), text("64M"), text(""),
     text("Bytes of a row group in memory, about; a row group is written when it has reached them.")},
    {sizeof(lm_option), LM_OPTION_SIZE, text("file_size"), text("256M"), text(""),
     text("A file that is larger is finished, and another one begun.")},
    {sizeof(lm_option), LM_OPTION_CHOICE, text("layout"), text("lake"), text("lake|flat"),
     text("lake: TABLE/region=R/accountId=A/eventDay=YYYYMMDD/, as Amazon Security Lake has it; flat: TABLE/.")},
};

constexpr lm_sink_descriptor kDescriptor{
    sizeof(lm_sink_descriptor), 0, text("parquet"), text("Apache Parquet files"), text("logmill"), text("0.1.0"), text("DIR"), kOptions,
    std::size(kOptions)};

// "20260301" for days since 1970-01-01, in the proleptic Gregorian calendar.
std::string day_text(std::int64_t day) {
  if (day == kNoDay) return "unknown";
  // Howard Hinnant's idea: years that begin in March, in eras of 400 years.
  const std::int64_t shifted = day + 719468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  const std::int64_t of_era = shifted - era * 146097;
  const std::int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const std::int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_index = (5 * of_year + 2) / 153;
  const std::int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
  const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  const std::string digits = std::to_string(year < 0 ? -year : year);
  std::string out = year < 0 ? "-" : "";
  for (std::size_t i = digits.size(); i < 4; ++i) out.push_back('0');
  out += digits;
  for (const std::int64_t part : {month, of_year - (153 * month_index + 2) / 5 + 1}) {
    out.push_back(static_cast<char>('0' + part / 10));
    out.push_back(static_cast<char>('0' + part % 10));
  }
  return out;
}

std::int64_t day_of(std::int64_t time) { return time >= 0 ? time / kDay : -((-(time + 1)) / kDay) - 1; }

// A column that partitions are made by: the way to it, or that the table has none.
struct KeyColumn {
  bool there = false, coded = false;
  std::vector<std::int32_t> steps;

  static KeyColumn find(const ArrowSchema& root, std::initializer_list<std::string_view> path) {
    KeyColumn out;
    const ArrowSchema* at = &root;
    for (const std::string_view name : path) {
      std::int64_t i = 0;
      while (i < at->n_children && name != (at->children[i]->name ? at->children[i]->name : "")) ++i;
      if (i == at->n_children || std::string_view(at->format) != "+s") return {};
      out.steps.push_back(static_cast<std::int32_t>(i));
      at = at->children[i];
    }
    out.coded = at->dictionary != nullptr;
    out.there = out.coded || std::string_view(at->format) == "u" || std::string_view(at->format) == "l";
    return out;
  }
};

// The values of a key column in one batch, as small numbers; -1: null. Equal numbers are equal values; different ones need not differ.
class KeyCodes {
 public:
  KeyCodes(const KeyColumn& column, const ArrowArray& rows) {
    if (!column.there || rows.length == 0) return;
    chain_ = resolve(rows, false, column.steps, rows.length);
    if (chain_.dead) return;
    const ArrowArray& array = *chain_.last;
    if (array.n_buffers < 2 || !array.buffers[1]) throw BadColumn("a key column lacks its values");
    const auto length = static_cast<std::size_t>(rows.length);
    if (column.coded) {
      const auto* codes = static_cast<const std::int32_t*>(array.buffers[1]) + chain_.base;
      dictionary_ = array.dictionary;
      codes_ = codes;
      if (chain_.count == 0) {
        const auto [smallest, largest] = std::minmax_element(codes, codes + length);
        constant_ = *smallest == *largest;
        value_ = *smallest;
      } else {
        constant_ = false;
      }
    } else {
      // Plain text, which another parser's declaration may make of the column: numbered here.
      for (std::size_t i = 0; i < length; ++i)
        interned_.push_back(valid(i) ? interner_.intern(text_in(array, chain_.base + static_cast<std::int64_t>(i))) : -1);
      codes_ = interned_.data();
      chain_.count = 0;
      constant_ = std::all_of(interned_.begin(), interned_.end(), [&](std::int32_t c) { return c == interned_[0]; });
      value_ = interned_[0];
    }
  }

  bool constant() const { return constant_; }
  std::int32_t at(std::size_t row) const { return constant_ ? value_ : valid(row) ? codes_[row] : -1; }
  std::string component(std::int32_t code) const {
    if (code < 0) return "unknown";
    if (dictionary_ && code >= dictionary_->length) throw BadColumn("a code is not in its dictionary");
    const std::string_view value = dictionary_ ? text_in(*dictionary_, dictionary_->offset + code) : interner_.at(code);
    return value.empty() ? "unknown" : safe_component(value);
  }

 private:
  static std::string_view text_in(const ArrowArray& array, std::int64_t at) {
    const auto* offsets = static_cast<const std::int32_t*>(array.buffers[1]) + at;
    if (offsets[0] < 0 || offsets[1] < offsets[0]) throw BadColumn("text offsets are out of range");
    const auto n = static_cast<std::size_t>(offsets[1] - offsets[0]);
    return n == 0 ? std::string_view() : std::string_view(static_cast<const char*>(array.buffers[2]) + offsets[0], n);
  }
  bool valid(std::size_t row) const {
    for (unsigned c = 0; c < chain_.count; ++c) {
      const auto bit = chain_.nodes[c].base + static_cast<std::int64_t>(row);
      if ((chain_.nodes[c].bits[bit >> 3] >> (bit & 7) & 1) == 0) return false;
    }
    return true;
  }

  Chain chain_;
  const ArrowArray* dictionary_ = nullptr;
  const std::int32_t* codes_ = nullptr;
  std::vector<std::int32_t> interned_;
  lm::detail::Interner interner_;
  bool constant_ = true;
  std::int32_t value_ = -1;
};

}  // namespace

struct ParquetSink::Held {
  Held(Batch from, std::atomic<std::uint64_t>& held_by_all) : batch(std::move(from)), held(held_by_all) { held += batch.bytes(); }
  ~Held() { held -= batch.bytes(); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  Batch batch;
  std::uint64_t number = 0;  // batches are numbered as they come
  std::atomic<std::uint64_t>& held;
};

struct ParquetSink::Slice {
  std::shared_ptr<const Held> held;
  std::vector<Range> ranges;
  std::int64_t rows = 0;
  std::uint64_t bytes() const {
    const auto all = static_cast<double>(held->batch.array().length);
    return static_cast<std::uint64_t>(static_cast<double>(held->batch.bytes()) * static_cast<double>(rows) / all);
  }
};

struct ParquetSink::Partition {
  Table* table = nullptr;
  std::string folder;
  // Under the sink's mutex.
  std::vector<Slice> waiting;
  std::int64_t rows = 0;
  std::uint64_t bytes = 0;
  // Under its own.
  std::mutex file_mutex;
  std::optional<PartFile> file;
  std::uint32_t parts = 0;
};

struct ParquetSink::Table {
  std::uint32_t handle = 0;
  std::string name;
  TableSchema schema;
  std::optional<RowGroupEncoder> encoder;
  KeyColumn region, account, time;
  std::unordered_map<std::string, std::unique_ptr<Partition>> partitions;  // by folder
};

// Counts as being flushed, with what its encoding needs, as long as it lives: whatever happens to it, those who wait for room see the end of it.
struct ParquetSink::Flush {
  Flush() = default;
  Flush(ParquetSink& owner, Partition& from) : sink(&owner), partition(&from) {}
  Flush(Flush&& other) noexcept
      : sink(std::exchange(other.sink, nullptr)),
        partition(std::exchange(other.partition, nullptr)),
        slices(std::move(other.slices)),
        bytes(other.bytes) {}
  Flush& operator=(Flush&&) = delete;
  ~Flush() {
    if (!sink) return;
    slices.clear();
    sink->flushing_ -= bytes;
    sink->held_ -= bytes / kOverhead;
    sink->released_.notify_all();
  }
  void begin() {
    for (const Slice& slice : slices) bytes += slice.bytes();
    sink->flushing_ += bytes;
    sink->held_ += bytes / kOverhead;
  }
  static constexpr std::uint64_t kOverhead = 4;  // buffers and finished chunks take about a fourth of the rows
  ParquetSink* sink = nullptr;
  Partition* partition = nullptr;
  std::vector<Slice> slices;
  std::uint64_t bytes = 0;
};

struct ParquetSink::Placed {
  Partition* partition = nullptr;
  std::vector<Range> ranges;
  std::int64_t rows = 0;
};

const lm_sink_descriptor& ParquetSink::descriptor() { return kDescriptor; }

ParquetSink::ParquetSink(Target target, std::string run_id, const Options& options)
    : target_(std::move(target)), run_id_(std::move(run_id)), options_(options) {}

// Files that were not sealed remove themselves.
ParquetSink::~ParquetSink() = default;

Result<std::unique_ptr<ParquetSink>> ParquetSink::create(const lm_sink_config& config) {
  auto parsed = sink::Options::parse(view(config.options_json),
                                     {"compression", "zstd_level", "row_group_rows", "row_group_size", "file_size", "layout"});
  if (!parsed) return tl::make_unexpected(parsed.error());
  const auto compression = parsed->choice("compression", {"zstd", "none"}, "zstd");
  const auto layout = parsed->choice("layout", {"lake", "flat"}, "lake");
  const auto level = parsed->integer("zstd_level", 1, 19, 1);
  const auto rows = parsed->integer("row_group_rows", 1, 1 << 24, 262144);
  const auto group = parsed->size("row_group_size", 1, std::uint64_t{64} << 20);
  const auto file = parsed->size("file_size", 1, std::uint64_t{256} << 20);
  for (const Error* error :
       {compression ? nullptr : &compression.error(), layout ? nullptr : &layout.error(), level ? nullptr : &level.error(),
        rows ? nullptr : &rows.error(), group ? nullptr : &group.error(), file ? nullptr : &file.error()}) {
    if (error) return tl::make_unexpected(*error);
  }
  std::string run_id(view(config.run_id));
  if (run_id.empty() || run_id.find_first_not_of("0123456789abcdef") != std::string::npos)
    return fail(LM_INVALID, "the run id is not hexadecimal");
  Options options;
  options.lake = *layout == "lake";
  options.encode.zstd = *compression == "zstd";
  options.encode.zstd_level = static_cast<int>(*level);
  options.row_group_rows = *rows;
  options.memory_bytes = config.memory_bytes;
  // Whatever is asked for: one row group that fills, one that is encoded and what that needs must fit together.
  options.row_group_bytes = std::min(*group, std::max<std::uint64_t>(config.memory_bytes / 4, 1));
  options.file_bytes = *file;
  auto target = Target::create(view(config.target));
  if (!target) return tl::make_unexpected(target.error());
  return std::unique_ptr<ParquetSink>(new ParquetSink(std::move(*target), std::move(run_id), options));
}

Result<std::uint32_t> ParquetSink::open(const lm_table& from) {
  auto schema = TableSchema::make(*from.schema);
  if (!schema)
    return tl::make_unexpected(Error{schema.error().code, "table " + std::string(view(from.name)) + ": " + schema.error().message, {}, 0});
  auto table = std::make_unique<Table>();
  table->name = safe_component(view(from.name));
  table->schema = std::move(*schema);
  table->encoder.emplace(table->schema, options_.encode, scratch_);
  table->region = KeyColumn::find(*from.schema, {"cloud", "region"});
  table->account = KeyColumn::find(*from.schema, {"cloud", "account", "uid"});
  table->time = KeyColumn::find(*from.schema, {"time"});
  const std::lock_guard lock(mutex_);
  table->handle = static_cast<std::uint32_t>(tables_.size());
  tables_.push_back(std::move(table));
  return tables_.back()->handle;
}

ParquetSink::Partition& ParquetSink::partition(Table& table, const std::string& folder) {
  const std::lock_guard lock(mutex_);
  auto& slot = table.partitions[folder];
  if (!slot) {
    slot = std::make_unique<Partition>();
    slot->table = &table;
    slot->folder = folder;
  }
  return *slot;
}

// Which rows belong where. Neighbours mostly belong together: a row costs three comparisons, and only where one differs a look-up, by numbers; a
// partition's folder is spelt once a batch.
std::vector<ParquetSink::Placed> ParquetSink::place(Table& table, const ArrowArray& rows) {
  std::vector<Placed> out;
  const auto n = static_cast<std::size_t>(rows.length);
  if (!options_.lake) {
    out.push_back({&partition(table, table.name), {{0, rows.length}}, rows.length});
    return out;
  }
  const KeyCodes regions(table.region, rows), accounts(table.account, rows);
  const std::int64_t* times = nullptr;
  Chain time;
  if (table.time.there && !table.time.coded) {
    time = resolve(rows, false, table.time.steps, rows.length);
    if (!time.dead) times = static_cast<const std::int64_t*>(time.last->buffers[1]) + time.base;
  }
  const auto has_time = [&](std::size_t i) {
    for (unsigned c = 0; c < time.count; ++c) {
      if (load_bits(time.nodes[c].bits, time.nodes[c].base + static_cast<std::int64_t>(i), 1) == 0) return false;
    }
    return times != nullptr;
  };
  const auto folder = [&](std::int32_t region, std::int32_t account, std::int64_t day) {
    return table.name + "/region=" + regions.component(region) + "/accountId=" + accounts.component(account) + "/eventDay=" + day_text(day);
  };
  if (regions.constant() && accounts.constant() && (!times || time.count == 0)) {
    std::int64_t day = kNoDay;
    bool one_day = true;
    if (times) {
      std::int64_t first = times[0], last = times[0];
      for (std::size_t i = 1; i < n; ++i) first = std::min(first, times[i]), last = std::max(last, times[i]);
      day = day_of(first);
      one_day = day == day_of(last);
    }
    if (one_day) {
      out.push_back({&partition(table, folder(regions.at(0), accounts.at(0), day)), {{0, rows.length}}, rows.length});
      return out;
    }
  }
  struct Key {
    std::int32_t region, account;
    std::int64_t day;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& k) const {
      const auto pair = static_cast<std::uint64_t>(static_cast<std::uint32_t>(k.region)) << 32 | static_cast<std::uint32_t>(k.account);
      return static_cast<std::size_t>(lm::detail::mix(pair ^ 0x9e3779b97f4a7c15u, static_cast<std::uint64_t>(k.day) ^ 0xd6e8feb86659fd93u));
    }
  };
  std::unordered_map<Key, std::size_t, Hash> known;      // to out
  std::unordered_map<const Partition*, std::size_t> by;  // different codes may be one partition
  Key current{};
  std::size_t place = 0, begin = 0;
  const auto close = [&](std::size_t end) {
    if (end == begin) return;
    out[place].ranges.push_back({static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end)});
    out[place].rows += static_cast<std::int64_t>(end - begin);
    begin = end;
  };
  for (std::size_t i = 0; i < n; ++i) {
    const Key key{regions.at(i), accounts.at(i), has_time(i) ? day_of(times[i]) : kNoDay};
    if (i != 0 && key == current) continue;
    close(i);
    current = key;
    const auto [at, fresh] = known.try_emplace(key, 0);
    if (fresh) {
      Partition* to = &partition(table, folder(key.region, key.account, key.day));
      const auto [where, first] = by.try_emplace(to, out.size());
      if (first) out.push_back({to, {}, 0});
      at->second = where->second;
    }
    place = at->second;
  }
  close(n);
  return out;
}

// The first `rows` rows that wait. Under the mutex.
ParquetSink::Flush ParquetSink::take(Partition& from, std::int64_t rows) {
  Flush out(*this, from);
  if (rows >= from.rows) {
    out.slices = std::exchange(from.waiting, {});
    from.rows = 0;
    from.bytes = 0;
    out.begin();
  } else {
    std::size_t whole = 0;
    std::int64_t left = rows;
    while (left > 0 && from.waiting[whole].rows <= left) left -= from.waiting[whole++].rows;
    const auto end = from.waiting.begin() + static_cast<std::ptrdiff_t>(whole);
    out.slices.assign(std::make_move_iterator(from.waiting.begin()), std::make_move_iterator(end));
    from.waiting.erase(from.waiting.begin(), end);
    if (left > 0) {
      Slice& rest = from.waiting.front();
      Slice part{rest.held, {}, left};
      std::size_t r = 0;
      while (left > 0) {
        Range& range = rest.ranges[r];
        const std::int64_t n = std::min(left, range.end - range.begin);
        part.ranges.push_back({range.begin, range.begin + n});
        range.begin += n;
        left -= n;
        if (range.begin == range.end) ++r;
      }
      rest.ranges.erase(rest.ranges.begin(), rest.ranges.begin() + static_cast<std::ptrdiff_t>(r));
      rest.rows -= part.rows;
      out.slices.push_back(std::move(part));
    }
    from.rows -= rows;
    from.bytes = 0;
    for (const Slice& slice : from.waiting) from.bytes += slice.bytes();
    out.begin();
  }
  return out;
}

// All of the partition whose rows wait longest; none if nothing waits. Under the mutex.
ParquetSink::Flush ParquetSink::take_oldest() {
  Partition* oldest = nullptr;
  for (const auto& table : tables_) {
    for (const auto& [folder, partition] : table->partitions) {
      if (partition->waiting.empty()) continue;
      if (!oldest || partition->waiting.front().held->number < oldest->waiting.front().held->number) oldest = partition.get();
    }
  }
  return oldest ? take(*oldest, std::min(oldest->rows, options_.row_group_rows)) : Flush{};
}

Result<void> ParquetSink::make_room(std::uint64_t bytes) {
  std::unique_lock lock(mutex_);
  if (held_ + bytes <= options_.memory_bytes) return {};
  for (;;) {
    if (failed_) return tl::make_unexpected(*failed_);
    const std::uint64_t held = held_;
    // What is being encoded goes anyway; a row group more would not make it go sooner.
    const std::uint64_t waiting = held - std::min<std::uint64_t>(held, flushing_);
    if (waiting + bytes > options_.memory_bytes / 2) {
      Flush oldest = take_oldest();
      if (oldest.partition) {
        lock.unlock();
        if (auto ok = flush(std::move(oldest)); !ok) return ok;
        lock.lock();
        continue;
      }
    }
    // A batch that exceeds the budget by itself is taken when nothing else is held.
    if (held_ + bytes <= options_.memory_bytes || flushing_ == 0) return {};
    // A notification may fall between looking and waiting: it is sent without the lock.
    released_.wait_for(lock, std::chrono::milliseconds(20));
  }
}

Result<void> ParquetSink::write(Batch batch) {
  Table* table = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (failed_) return tl::make_unexpected(*failed_);
    if (batch.table() >= tables_.size()) return fail(LM_INVALID, "no such table");
    table = tables_[batch.table()].get();
  }
  if (batch.array().length == 0) return {};
  if (batch.array().length < 0 || batch.array().offset < 0) return fail(LM_INVALID, "a batch of a negative length");
  if (auto ok = make_room(batch.bytes()); !ok) return remember(ok);
  std::vector<Placed> places;
  try {
    places = place(*table, batch.array());
  } catch (const BadColumn& e) {
    return remember(fail(LM_INVALID, std::string("a batch contradicts itself: ") + e.what()));
  }
  auto held = std::make_shared<Held>(std::move(batch), held_);
  std::vector<Flush> flushes;
  {
    const std::lock_guard lock(mutex_);
    held->number = ++batches_;
    for (Placed& placed : places) {
      Partition& to = *placed.partition;
      to.waiting.push_back({held, std::move(placed.ranges), placed.rows});
      to.rows += placed.rows;
      to.bytes += to.waiting.back().bytes();
      while (to.rows >= options_.row_group_rows) flushes.push_back(take(to, options_.row_group_rows));
      if (to.bytes >= options_.row_group_bytes) flushes.push_back(take(to, to.rows));
    }
  }
  held.reset();
  Result<void> result;
  // After a failure the others are flushed all the same: what they hold must be given back.
  for (Flush& rows : flushes) {
    if (auto ok = flush(std::move(rows)); !ok && result) result = std::move(ok);
  }
  return result;
}

Result<void> ParquetSink::flush(Flush rows) {
  Result<EncodedRowGroup> group = [&] {
    std::vector<Rows> slices;
    slices.reserve(rows.slices.size());
    for (const Slice& slice : rows.slices) {
      const Batch& batch = slice.held->batch;
      slices.push_back({&batch.array(), batch.instance(), batch.epoch(), slice.ranges});
    }
    return rows.partition->table->encoder->encode(slices);
  }();
  rows.slices.clear();  // gives batches back
  released_.notify_all();
  return remember(group ? append(*rows.partition, std::move(*group)) : Result<void>(tl::make_unexpected(group.error())));
}

Result<void> ParquetSink::append(Partition& to, EncodedRowGroup group) {
  const std::lock_guard lock(to.file_mutex);
  if (!to.file) {
    auto file = PartFile::create(target_, to.folder + "/part-" + run_id_ + "-" + std::to_string(to.parts) + ".parquet");
    if (!file) return tl::make_unexpected(file.error());
    ++to.parts;
    to.file.emplace(std::move(*file));
  }
  if (auto ok = to.file->append(std::move(group)); !ok) return ok;
  if (to.file->size() < options_.file_bytes) return {};
  if (auto ok = to.file->finish(to.table->schema, options_.encode.zstd); !ok) return ok;
  const std::lock_guard all(mutex_);
  full_.emplace_back(to.table->handle, std::move(*to.file));
  to.file.reset();
  return {};
}

// The first failure is the sink's: what was written before it is not whole any more.
Result<void> ParquetSink::remember(Result<void> result) {
  if (!result) {
    const std::lock_guard lock(mutex_);
    if (!failed_) failed_ = result.error();
  }
  return result;
}

Result<void> ParquetSink::seal(const Report& report) {
  std::vector<Partition*> partitions;
  std::vector<Flush> rest;
  {
    const std::lock_guard lock(mutex_);
    if (failed_) return tl::make_unexpected(*failed_);
    for (const auto& table : tables_) {
      for (const auto& [folder, partition] : table->partitions) partitions.push_back(partition.get());
    }
    for (Partition* partition : partitions) {
      if (!partition->waiting.empty()) rest.push_back(take(*partition, partition->rows));
    }
  }
  parallel(rest.size(), [&](std::size_t i) { static_cast<void>(flush(std::move(rest[i]))); });
  parallel(partitions.size(), [&](std::size_t i) {
    Partition& partition = *partitions[i];
    if (!partition.file) return;
    if (auto ok = partition.file->finish(partition.table->schema, options_.encode.zstd); !ok) {
      static_cast<void>(remember(std::move(ok)));
      return;
    }
    const std::lock_guard lock(mutex_);
    full_.emplace_back(partition.table->handle, std::move(*partition.file));
    partition.file.reset();
  });
  if (failed_) return tl::make_unexpected(*failed_);
  std::sort(full_.begin(), full_.end(), [](const auto& a, const auto& b) { return a.second.name() < b.second.name(); });
  for (auto& [table, file] : full_) {
    file.keep();
    // The final name alone is enough to publish or to discard.
    report({table, file.name(), file.name(), file.rows(), file.size()});
  }
  full_.clear();
  return {};
}

}  // namespace lm::sink::parquet
