#include "parquet/parquet_sink.hpp"

#include "common/options.hpp"
#include "common/parallel.hpp"
#include "parquet/chain.hpp"
#include "parquet/scratch.hpp"

#include <logmill/sdk/intern.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lm::sink::parquet {
namespace {

constexpr std::int64_t kDay = 86400000;
constexpr std::int64_t kNoDay = std::numeric_limits<std::int64_t>::min();

constexpr lm_str text(std::string_view s) { return {s.data(), s.size()}; }

constexpr lm_option kOptions[] = {
    {sizeof(lm_option), LM_OPTION_CHOICE, text("compression"), text("zstd"), text("zstd|lz4_raw|snappy|gzip|none"),
     text("How pages are compressed: zstd is small and fast; the others are for readers that lack it.")},
    {sizeof(lm_option), LM_OPTION_INTEGER, text("zstd_level"), text("1"), text("1..19"), text("Higher is smaller and slower.")},
    {sizeof(lm_option), LM_OPTION_INTEGER, text("row_group_rows"), text("1048576"), text("1..16777216"),
     text("Rows in a row group, at most.")},
    {sizeof(lm_option), LM_OPTION_SIZE, text("row_group_size"), text("128M"), text(""),
     text("Bytes of a row group in memory, encoded for the most part; one is written when it has reached them, or two thirds of the sink's "
          "memory.")},
    {sizeof(lm_option), LM_OPTION_SIZE, text("file_size"), text("256M"), text(""),
     text("A file that is larger is finished, and another one begun.")},
    {sizeof(lm_option), LM_OPTION_TEXT, text("bloom_filters"), text("lookup"), text(""),
     text("Columns that get bloom filters, with + between them: lookup (addresses, users, ARNs, access keys, hosts, hashes, "
          "observables.value), "
          "all (all text), none, or a column of `logmill schema`, as in lookup+policy.uid.")},
    {sizeof(lm_option), LM_OPTION_CHOICE, text("layout"), text("lake"), text("lake|flat"),
     text("lake: TABLE/region=R/accountId=A/eventDay=YYYYMMDD/, as Amazon Security Lake has it; flat: TABLE/.")},
};

constexpr lm_sink_descriptor kDescriptor{
    sizeof(lm_sink_descriptor), 0,        text("parquet"),    text("Apache Parquet files"), text("logmill"), text("0.1.0"),
    text("DIR or s3://..."),    kOptions, std::size(kOptions)};

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

// "lookup+policy.uid"; what stands between the signs may be spelt as `logmill schema` does, with [] behind lists.
Result<BloomColumns> parse_bloom(std::string_view value) {
  BloomColumns out;
  out.looked_up = false;
  bool none = false;
  for (std::size_t at = 0; at <= value.size();) {
    const std::size_t end = std::min(value.find('+', at), value.size());
    std::string name(value.substr(at, end - at));
    at = end + 1;
    for (std::size_t list = name.find("[]"); list != std::string::npos; list = name.find("[]")) name.erase(list, 2);
    if (name.empty()) return fail(LM_INVALID, "option bloom_filters: '" + std::string(value) + "' has an empty part");
    if (name == "lookup") {
      out.looked_up = true;
    } else if (name == "all") {
      out.all = true;
    } else if (name == "none") {
      none = true;
    } else {
      out.names.push_back(std::move(name));
    }
  }
  if (none && (out.looked_up || out.all || !out.names.empty())) return fail(LM_INVALID, "option bloom_filters: none stands alone");
  return out;
}

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

// Its bytes were reserved; it gives them back.
struct ParquetSink::Held {
  Held(ParquetSink& owner, const TableSchema& schema, Batch batch)
      : sink(owner), bytes(batch.bytes()), view(std::in_place, schema, std::move(batch)) {}
  ~Held() {
    view.reset();
    sink.account_.change(-static_cast<std::int64_t>(bytes));
    sink.released_.notify_all();
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ParquetSink& sink;
  const std::uint64_t bytes;
  std::optional<BatchView> view;
};

struct ParquetSink::Partition {
  Table* table = nullptr;
  std::string folder;
  std::mutex mutex;  // guards:
  std::shared_ptr<Growing> growing;
  std::mutex file_mutex;  // guards:
  std::optional<PartFile> file;
  std::uint32_t parts = 0;
  std::atomic<std::uint64_t> footer{0};  // bytes of the file's, as they were counted
};

struct ParquetSink::Table {
  std::uint32_t handle = 0;
  std::string name;
  TableSchema schema;
  std::optional<RowGroupPlans> plans;
  KeyColumn region, account, time;
  std::unordered_map<std::string, std::unique_ptr<Partition>> partitions;  // by folder
};

// Lives until the last call that works on it is done; whatever happens to it, those who wait for room see the end of it.
struct ParquetSink::Growing {
  Growing(ParquetSink& owner, Partition& of, const BatchView& first)
      : sink(owner), partition(of), group(std::in_place, *of.table->plans, first, owner.account_) {}
  ~Growing() {
    group.reset();
    sink.closing_ -= closing;
    sink.released_.notify_all();
  }
  Growing(const Growing&) = delete;
  Growing& operator=(const Growing&) = delete;
  // Under the partition's mutex. Nothing comes any more.
  void end() {
    closing = group->held();
    sink.closing_ += closing;
    group->push_end();
  }
  ParquetSink& sink;
  Partition& partition;
  std::optional<RowGroup> group;
  std::uint64_t closing = 0;
};

struct ParquetSink::Placed {
  Partition* partition = nullptr;
  std::vector<Range> ranges;
  std::int64_t rows = 0;
};

struct ParquetSink::Relief {
  std::shared_ptr<Growing> growing;
  bool squeeze = false;
};

const lm_sink_descriptor& ParquetSink::descriptor() { return kDescriptor; }

ParquetSink::ParquetSink(Target target, std::string run_id, const Options& options)
    : target_(target), run_id_(std::move(run_id)), options_(options), missing_(options.encode.bloom.names) {}

// Files that were not sealed remove themselves.
ParquetSink::~ParquetSink() = default;

Result<std::unique_ptr<ParquetSink>> ParquetSink::create(const lm_sink_config& config) {
  auto parsed = sink::Options::parse(
      view(config.options_json), {"compression", "zstd_level", "row_group_rows", "row_group_size", "file_size", "bloom_filters", "layout"});
  if (!parsed) return tl::make_unexpected(parsed.error());
  const auto compression = parsed->choice("compression", {"zstd", "lz4_raw", "snappy", "gzip", "none"}, "zstd");
  const auto bloom = parse_bloom(parsed->text("bloom_filters", "lookup"));
  const auto layout = parsed->choice("layout", {"lake", "flat"}, "lake");
  const auto level = parsed->integer("zstd_level", 1, 19, 1);
  const auto rows = parsed->integer("row_group_rows", 1, 1 << 24, 1 << 20);
  const auto group = parsed->size("row_group_size", 1, std::uint64_t{128} << 20);
  const auto file = parsed->size("file_size", 1, std::uint64_t{256} << 20);
  for (const Error* error : {compression ? nullptr : &compression.error(), bloom ? nullptr : &bloom.error(),
                             layout ? nullptr : &layout.error(), level ? nullptr : &level.error(), rows ? nullptr : &rows.error(),
                             group ? nullptr : &group.error(), file ? nullptr : &file.error()}) {
    if (error) return tl::make_unexpected(*error);
  }
  std::string run_id(view(config.run_id));
  if (run_id.empty() || run_id.find_first_not_of("0123456789abcdef") != std::string::npos)
    return fail(LM_INVALID, "the run id is not hexadecimal");
  Options options;
  options.lake = *layout == "lake";
  options.encode.codec = *compression == "none"     ? Codec::none
                         : *compression == "snappy" ? Codec::snappy
                         : *compression == "gzip"   ? Codec::gzip
                         : *compression == "zstd"   ? Codec::zstd
                                                    : Codec::lz4_raw;
  options.encode.zstd_level = static_cast<int>(*level);
  options.row_group_rows = *rows;
  options.memory_bytes = config.memory_bytes;
  // Whatever is asked for: one row group that is being finished and the next that grows must fit together.
  options.row_group_bytes = std::min(*group, std::max<std::uint64_t>(config.memory_bytes / 3 * 2, 1));
  // A hundred columns wait for a full page each.
  options.encode.page_bytes = std::clamp<std::uint64_t>(config.memory_bytes / 384, std::uint64_t{64} << 10, std::uint64_t{1} << 20);
  options.encode.dictionary_bytes =
      std::clamp<std::uint64_t>(options.row_group_bytes / 4, std::uint64_t{64} << 10, std::uint64_t{16} << 20);
  options.encode.bloom = *bloom;
  // Twenty columns have filters that are full, and they are a sixth of what is held.
  options.encode.bloom_bytes =
      std::bit_floor(std::clamp<std::uint64_t>(options.row_group_bytes / 128, std::uint64_t{4} << 10, std::uint64_t{1} << 20));
  options.file_bytes = *file;
  auto target = Target::open(config);
  if (!target) return tl::make_unexpected(target.error());
  return std::unique_ptr<ParquetSink>(new ParquetSink(*target, std::move(run_id), options));
}

Result<std::uint32_t> ParquetSink::open(const lm_table& from) {
  auto schema = TableSchema::make(*from.schema);
  if (!schema)
    return tl::make_unexpected(Error{schema.error().code, "table " + std::string(view(from.name)) + ": " + schema.error().message, {}, 0});
  for (const std::string& name : options_.encode.bloom.names) {
    const auto found = std::find_if(schema->leaves.begin(), schema->leaves.end(), [&](const Leaf& leaf) { return leaf.name == name; });
    if (found == schema->leaves.end()) continue;
    if (!options_.encode.bloom.has(*found)) return fail(LM_INVALID, "option bloom_filters: the column '" + name + "' is no text");
    std::erase(missing_, name);
  }
  auto table = std::make_unique<Table>();
  table->name = safe_component(view(from.name));
  table->schema = std::move(*schema);
  table->plans.emplace(table->schema, options_.encode);
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

// Which row group gives the most memory back. Many that have little waiting each are better finished: pages of a few rows are of no use to anybody.
ParquetSink::Relief ParquetSink::find_relief() {
  constexpr std::uint64_t kWorthPages = std::uint64_t{128} << 10;
  std::shared_ptr<Growing> waits_most, holds_most;
  std::uint64_t waiting = 0, most_waiting = 0, most_held = 0;
  const std::lock_guard lock(mutex_);
  for (const auto& table : tables_) {
    for (const auto& [folder, partition] : table->partitions) {
      const std::lock_guard own(partition->mutex);
      const std::shared_ptr<Growing>& growing = partition->growing;
      if (!growing) continue;
      const std::uint64_t held = growing->group->held(), waits = growing->group->waiting();
      waiting += waits;
      if (waits >= most_waiting) waits_most = growing, most_waiting = waits;
      if (held >= most_held) holds_most = growing, most_held = held;
    }
  }
  if (waiting > options_.memory_bytes / 2 && most_waiting >= kWorthPages) return {waits_most, true};
  return {holds_most, false};
}

// Reserves so many bytes.
Result<void> ParquetSink::make_room(std::uint64_t bytes, Scratch& scratch) {
  for (;;) {
    if (account_.reserve(bytes, options_.memory_bytes)) return {};
    const std::uint64_t held = account_.held();
    // What is being finished goes anyway; a row group more would not make it go sooner.
    const std::uint64_t closing = closing_;
    if (held - std::min(held, closing) + bytes > options_.memory_bytes - options_.memory_bytes / 8) {
      if (const Relief relief = find_relief(); relief.growing) {
        Growing& growing = *relief.growing;
        if (relief.squeeze) {
          const std::lock_guard lock(growing.partition.mutex);
          if (growing.partition.growing == relief.growing) growing.group->push_squeeze();
        } else {
          end(relief.growing);
        }
        if (auto ok = work(growing, scratch); !ok) return ok;
        continue;
      }
    }
    std::unique_lock lock(mutex_);
    if (failed_) return tl::make_unexpected(*failed_);
    // A batch that exceeds the budget by itself is taken when nothing else is held.
    if (writing_ == 0 && closing_ == 0) {
      account_.change(static_cast<std::int64_t>(bytes));
      return {};
    }
    // A notification may fall between looking and waiting: it is sent without the lock.
    released_.wait_for(lock, std::chrono::milliseconds(20));
  }
}

// Rows go to the row group that grows, and to the next where that is full. Those that got some are told once each.
void ParquetSink::push(Placed placed, const std::shared_ptr<const BatchView>& view, std::vector<std::shared_ptr<Growing>>& to) {
  Partition& partition = *placed.partition;
  const std::lock_guard lock(partition.mutex);
  while (placed.rows > 0) {
    if (!partition.growing) partition.growing = std::make_shared<Growing>(*this, partition, *view);
    RowGroup& group = *partition.growing->group;
    std::int64_t left = std::min(placed.rows, options_.row_group_rows - group.rows());
    std::vector<Range> ranges;
    if (left == placed.rows) {
      ranges = std::move(placed.ranges);
    } else {
      std::size_t r = 0;
      for (std::int64_t missing = left; missing > 0;) {
        Range& range = placed.ranges[r];
        const std::int64_t n = std::min(missing, range.end - range.begin);
        ranges.push_back({range.begin, range.begin + n});
        range.begin += n;
        missing -= n;
        if (range.begin == range.end) ++r;
      }
      placed.ranges.erase(placed.ranges.begin(), placed.ranges.begin() + static_cast<std::ptrdiff_t>(r));
    }
    placed.rows -= left;
    group.push(view, std::move(ranges), left);
    to.push_back(partition.growing);
    if (group.rows() < options_.row_group_rows) continue;
    partition.growing->end();
    partition.growing.reset();
  }
}

void ParquetSink::end(const std::shared_ptr<Growing>& growing) {
  const std::lock_guard lock(growing->partition.mutex);
  if (growing->partition.growing != growing) return;  // somebody else did
  growing->end();
  growing->partition.growing.reset();
}

Result<void> ParquetSink::work(Growing& growing, Scratch& scratch) {
  const bool last = growing.group->work(scratch);
  if (auto failed = growing.group->error()) return remember(tl::make_unexpected(std::move(*failed)));
  return last ? append(growing) : Result<void>{};
}

Result<void> ParquetSink::write(Batch batch) {
  Table* table = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (failed_) return tl::make_unexpected(*failed_);
    if (batch.table() >= tables_.size()) return fail(LM_INVALID, "no such table");
    if (!missing_.empty()) return fail(LM_INVALID, "option bloom_filters: no table has the column '" + missing_.front() + "'");
    table = tables_[batch.table()].get();
  }
  if (batch.array().length == 0) return {};
  if (batch.array().length < 0 || batch.array().offset < 0) return fail(LM_INVALID, "a batch of a negative length");
  auto scratch = scratch_.take();
  auto result = write(*table, std::move(batch), *scratch);
  scratch_.give(std::move(scratch));
  return result;
}

Result<void> ParquetSink::write(Table& table, Batch batch, Scratch& scratch) {
  if (auto ok = make_room(batch.bytes(), scratch); !ok) return remember(std::move(ok));
  struct Writing {
    Writing(ParquetSink& owner, std::uint64_t bytes) : sink(owner), reserved(bytes) { ++sink.writing_; }
    ~Writing() {
      sink.account_.change(-static_cast<std::int64_t>(reserved));
      --sink.writing_;
      sink.released_.notify_all();
    }
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;
    ParquetSink& sink;
    std::uint64_t reserved;  // until the batch has it
  };
  std::vector<std::shared_ptr<Growing>> to;
  Writing writing(*this, batch.bytes());
  try {
    auto places = place(table, batch.array());
    auto held = std::make_shared<Held>(*this, table.schema, std::move(batch));
    writing.reserved = 0;
    const std::shared_ptr<const BatchView> view(held, &*held->view);
    held.reset();
    for (Placed& placed : places) push(std::move(placed), view, to);
  } catch (const BadColumn& e) {
    return remember(fail(LM_INVALID, std::string("a batch contradicts itself: ") + e.what()));
  }
  Result<void> result;
  // After a failure the others go on all the same: what they hold must be given back.
  for (const std::shared_ptr<Growing>& growing : to) {
    auto ok = work(*growing, scratch);
    if (ok && growing->group->held() >= options_.row_group_bytes) {
      end(growing);
      ok = work(*growing, scratch);
    }
    if (!ok && result) result = std::move(ok);
  }
  return result;
}

Result<void> ParquetSink::append(Growing& growing) {
  Partition& to = growing.partition;
  auto group = growing.group->take();
  if (!group) return remember(tl::make_unexpected(group.error()));
  const auto place = [&]() -> Result<void> {
    const std::lock_guard lock(to.file_mutex);
    if (!to.file) {
      auto file = PartFile::create(target_, to.folder + "/part-" + run_id_ + "-" + std::to_string(to.parts) + ".parquet", to.table->schema,
                                   options_.encode.codec);
      if (!file) return tl::make_unexpected(file.error());
      ++to.parts;
      to.file.emplace(std::move(*file));
    }
    if (auto ok = to.file->append(std::move(*group)); !ok) return ok;
    const std::uint64_t footer = to.file->held(), more = footer - to.footer;
    to.footer = footer;
    footers_ += more;
    account_.change(static_cast<std::int64_t>(more));
    // Readers take a footer whole.
    constexpr std::uint64_t kLongestFooter = std::uint64_t{16} << 20;
    return to.file->size() + footer >= options_.file_bytes || footer >= kLongestFooter ? finish_file(to) : Result<void>{};
  };
  if (auto ok = place(); !ok) return remember(std::move(ok));
  return remember(relieve_footers());
}

// With the mutex of the partition's file, which it has.
Result<void> ParquetSink::finish_file(Partition& partition) {
  PartFile file = std::move(*partition.file);
  partition.file.reset();
  auto ok = file.finish();
  const std::uint64_t footer = partition.footer.exchange(0);
  footers_ -= footer;
  account_.change(-static_cast<std::int64_t>(footer));
  if (!ok) return ok;
  const std::lock_guard lock(mutex_);
  full_.emplace_back(partition.table->handle, std::move(file));
  return {};
}

Result<void> ParquetSink::relieve_footers() {
  while (footers_ > options_.memory_bytes / 8) {
    Partition* largest = nullptr;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& table : tables_) {
        for (const auto& [folder, partition] : table->partitions) {
          if (partition->footer != 0 && (!largest || partition->footer > largest->footer)) largest = partition.get();
        }
      }
    }
    if (!largest) return {};
    const std::lock_guard lock(largest->file_mutex);
    if (largest->footer == 0) continue;  // somebody else was faster
    if (auto ok = finish_file(*largest); !ok) return ok;
  }
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
  struct Rest {
    std::shared_ptr<Growing> growing;
    std::size_t unit;
  };
  std::vector<Rest> rest;
  {
    const std::lock_guard lock(mutex_);
    if (failed_) return tl::make_unexpected(*failed_);
    for (const auto& table : tables_) {
      for (const auto& [folder, partition] : table->partitions) partitions.push_back(partition.get());
    }
  }
  for (Partition* partition : partitions) {
    const std::lock_guard lock(partition->mutex);
    const auto growing = std::exchange(partition->growing, nullptr);
    if (!growing) continue;
    growing->end();
    for (std::size_t unit = 0; unit < growing->group->units(); ++unit) rest.push_back({growing, unit});
  }
  parallel(rest.size(), [&](std::size_t i) {
    const auto growing = std::exchange(rest[i].growing, nullptr);
    auto scratch = scratch_.take();
    const bool last = growing->group->work(rest[i].unit, *scratch);
    scratch_.give(std::move(scratch));
    if (last) static_cast<void>(append(*growing));
  });
  parallel(partitions.size(), [&](std::size_t i) {
    const std::lock_guard lock(partitions[i]->file_mutex);
    if (partitions[i]->file) static_cast<void>(remember(finish_file(*partitions[i])));
  });
  if (failed_) return tl::make_unexpected(*failed_);
  // All are finished before the first is waited for: most of it is done then.
  parallel(full_.size(), [&](std::size_t i) { static_cast<void>(remember(full_[i].second.seal())); });
  if (failed_) return tl::make_unexpected(*failed_);
  std::sort(full_.begin(), full_.end(), [](const auto& a, const auto& b) { return a.second.name() < b.second.name(); });
  for (auto& [table, file] : full_) {
    file.keep();
    report({table, file.name(), file.token(), file.rows(), file.size()});
  }
  full_.clear();
  return {};
}

}  // namespace lm::sink::parquet
