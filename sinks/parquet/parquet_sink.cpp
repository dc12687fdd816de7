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
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lm::sink::parquet {
namespace {

constexpr std::uint64_t kMostLakeGroup = std::uint64_t{256} << 20;
// However little memory there is, so many row groups may grow.
constexpr std::size_t kFewOpen = 32;
// Rows that are worth a row group by themselves.
constexpr std::int64_t kMany = 1024;

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
    {sizeof(lm_option), LM_OPTION_TEXT, text("layout"), text("lake"), text(""),
     text("The folders of files. lake: TABLE/region=R/accountId=A/eventDay=YYYYMMDD/; flat: TABLE/; or a template of columns, such as "
          "{table}/account={cloud.account.uid}/day={time:%Y-%m-%d}.")},
    {sizeof(lm_option), LM_OPTION_CHOICE, text("profile"), text("none"), text("none|security-lake"),
     text("security-lake: what a custom source of Amazon Security Lake has to be: OCSF 1.1.0 (or ocsf=1.3.0), all columns of a class, "
          "ext/SOURCE/region=R/accountId=A/eventDay=YYYYMMDD/, rows in the order of time.")},
    {sizeof(lm_option), LM_OPTION_TEXT, text("source"), text(""), text(""),
     text("With profile=security-lake, the name of the custom source. A source has one class: {class_uid} in it makes one of each class.")},
    {sizeof(lm_option), LM_OPTION_TEXT, text("region"), text(""), text(""),
     text("With profile=security-lake, the region of the lake; else each event's own.")},
};

constexpr lm_sink_descriptor kDescriptor{
    sizeof(lm_sink_descriptor), 0,        text("parquet"),    text("Apache Parquet files"), text("logmill"), text("0.1.0"),
    text("DIR or s3://..."),    kOptions, std::size(kOptions)};

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

// Of custom sources of Amazon Security Lake: "{class_uid}" may stand in it once.
Result<void> check_source(std::string_view source) {
  constexpr std::size_t kLongest = 20, kLongestClass = 6;
  constexpr std::string_view kClass = "{class_uid}";
  std::string name(source);
  std::size_t longest = name.size();
  if (const std::size_t at = name.find(kClass); at != std::string::npos) {
    name.erase(at, kClass.size());
    longest = name.size() + kLongestClass;
  }
  if (source.empty()) return fail(LM_INVALID, "profile=security-lake needs source=NAME, the name of the custom source");
  if (longest > kLongest ||
      !std::all_of(
          name.begin(), name.end(),
          [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }) ||
      name.starts_with('-') || name.starts_with('_'))
    return fail(LM_INVALID, "option source=" + std::string(source) +
                                ": wanted at most 20 letters, digits, '-' and '_', and maybe {class_uid}, which counts for six");
  return {};
}

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
  std::uint32_t number = 0;  // in the order in which they are met
  std::mutex mutex;          // guards:
  std::shared_ptr<Growing> growing;
  std::vector<Batch> waiting;  // rows to be ordered
  std::uint64_t waiting_bytes = 0;
  std::vector<std::vector<std::string>> runs;  // packed pieces of rows in order
  std::uint64_t packed_bytes = 0;
  std::mutex file_mutex;  // guards:
  std::optional<PartFile> file;
  std::int64_t last_time = 0;  // of the file, where rows are ordered
  std::uint32_t parts = 0;
  std::uint64_t footer = 0;  // bytes of the file's, as they were counted
};

struct ParquetSink::Table {
  std::uint32_t handle = 0;
  std::string name;
  TableSchema schema;
  std::optional<RowGroupPlans> plans;
  TableLayout layout;
  Field field;                 // for gather()
  std::size_t most_open = 0;   // row groups that grow, before rows of partitions that get few wait
  std::optional<FewRows> few;  // those
  std::int64_t time = 0;       // security lake: the column, among the table's
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
  std::int64_t first_time = 0, last_time = 0;  // where rows are ordered
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

const lm_sink_ocsf ParquetSink::kSecurityLake{sizeof(lm_sink_ocsf), LM_OCSF_ALL_COLUMNS, text("1.1.0"), text("1.3.0"),
                                              text("Amazon Security Lake")};

ParquetSink::ParquetSink(Target target, std::string run_id, const Options& options)
    : target_(target),
      run_id_(std::move(run_id)),
      options_(options),
      missing_keys_(options.layout.columns()),
      missing_(options.encode.bloom.names) {
  // Not every source is of a cloud.
  if (options_.security_lake || options_.lake) missing_keys_.clear();
}

// Files that were not sealed remove themselves.
ParquetSink::~ParquetSink() = default;

Result<std::unique_ptr<ParquetSink>> ParquetSink::create(const lm_sink_config& config) {
  auto parsed = sink::Options::parse(view(config.options_json), {"compression", "zstd_level", "row_group_rows", "row_group_size",
                                                                 "file_size", "bloom_filters", "layout", "profile", "source", "region"});
  if (!parsed) return tl::make_unexpected(parsed.error());
  const auto compression = parsed->choice("compression", {"zstd", "lz4_raw", "snappy", "gzip", "none"}, "zstd");
  const auto bloom = parse_bloom(parsed->text("bloom_filters", "lookup"));
  const auto profile = parsed->choice("profile", {"none", "security-lake"}, "none");
  const auto layout = Layout::parse(parsed->text("layout", "lake"));
  const auto level = parsed->integer("zstd_level", 1, 19, 1);
  const auto rows = parsed->integer("row_group_rows", 1, 1 << 24, 1 << 20);
  const auto group = parsed->size("row_group_size", 1, std::uint64_t{128} << 20);
  const auto file = parsed->size("file_size", 1, std::uint64_t{256} << 20);
  for (const Error* error : {compression ? nullptr : &compression.error(), bloom ? nullptr : &bloom.error(),
                             layout ? nullptr : &layout.error(), profile ? nullptr : &profile.error(), level ? nullptr : &level.error(),
                             rows ? nullptr : &rows.error(), group ? nullptr : &group.error(), file ? nullptr : &file.error()}) {
    if (error) return tl::make_unexpected(*error);
  }
  std::string run_id(view(config.run_id));
  if (run_id.empty() || run_id.find_first_not_of("0123456789abcdef") != std::string::npos)
    return fail(LM_INVALID, "the run id is not hexadecimal");
  Options options;
  options.layout = *layout;
  options.lake = parsed->text("layout", "lake") == "lake";
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
  const std::string source = parsed->text("source", ""), region = parsed->text("region", "");
  if (*profile == "security-lake") {
    if (auto ok = check_source(source); !ok) return tl::make_unexpected(ok.error());
    if (parsed->text("layout", "lake") != "lake")
      return fail(LM_INVALID, "profile=security-lake has a layout of its own: leave out layout=");
    if (*group > kMostLakeGroup) return fail(LM_INVALID, "option row_group_size: Amazon Security Lake takes row groups of 256M at most");
    if (!std::all_of(region.begin(), region.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }))
      return fail(LM_INVALID, "option region=" + region + ": wanted a region such as eu-west-1");
    options.security_lake = true;
    // Rows in order are held in three forms.
    options.row_group_bytes = std::min(options.row_group_bytes, std::max<std::uint64_t>(config.memory_bytes / 3, 1));
    options.one_class = source.find("{class_uid}") == std::string::npos;
    options.layout = Layout::security_lake(source, region);
    // What is written as a page has a row more at most, and 1 MB is the limit.
    options.encode.page_bytes = std::min<std::size_t>(options.encode.page_bytes, std::size_t{512} << 10);
  } else if (!source.empty() || !region.empty()) {
    return fail(LM_INVALID, "the options source and region are those of profile=security-lake");
  }
  auto target = Target::open(config);
  if (!target) return tl::make_unexpected(target.error());
  return std::unique_ptr<ParquetSink>(new ParquetSink(*target, std::move(run_id), options));
}

Result<std::uint32_t> ParquetSink::open(const lm_table& from) {
  auto schema = TableSchema::make(*from.schema, options_.security_lake ? Annotations::plain : Annotations::all);
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
  auto layout = TableLayout::make(options_.layout, *from.schema, view(from.name), from.class_uid);
  if (!layout) return tl::make_unexpected(layout.error());
  table->layout = std::move(*layout);
  std::erase_if(missing_keys_, [&](const std::string& name) { return table->layout.has(name); });
  auto field = Field::parse(*from.schema);
  if (!field) return tl::make_unexpected(field.error());
  table->field = std::move(*field);
  // About what a column of a few rows costs.
  constexpr std::uint64_t kColumn = 512;
  table->most_open = std::max<std::uint64_t>(kFewOpen, options_.memory_bytes / 4 / (table->schema.leaves.size() * kColumn));
  table->few.emplace(table->field, account_, few_);
  if (options_.security_lake) {
    while (table->time < from.schema->n_children && std::string_view(from.schema->children[table->time]->name) != "time") ++table->time;
    if (table->time == from.schema->n_children) return fail(LM_INVALID, "table " + table->name + " has no time");
  }
  const std::lock_guard lock(mutex_);
  table->handle = static_cast<std::uint32_t>(tables_.size());
  tables_.push_back(std::move(table));
  tables_n_ = tables_.size();
  return tables_.back()->handle;
}

ParquetSink::Partition& ParquetSink::partition(Table& table, const std::string& folder) {
  const std::lock_guard lock(mutex_);
  auto& slot = table.partitions[folder];
  if (!slot) {
    slot = std::make_unique<Partition>();
    slot->table = &table;
    slot->folder = folder;
    slot->number = static_cast<std::uint32_t>(by_number_.size());
    by_number_.push_back(slot.get());
  }
  return *slot;
}

// Which rows belong where. Neighbours mostly belong together: a row costs a comparison a key, and only where one differs a look-up, by numbers; a partition's folder is spelt once a batch.
std::vector<ParquetSink::Placed> ParquetSink::place(Table& table, const ArrowArray& rows) {
  std::vector<Placed> out;
  const auto n = static_cast<std::size_t>(rows.length);
  const Keys keys(table.layout, rows);
  if (keys.all_constant()) {
    out.push_back({&partition(table, keys.folder(0)), {{0, rows.length}}, rows.length});
    return out;
  }
  using Key = std::vector<std::int64_t>;
  struct Hash {
    std::size_t operator()(const Key& key) const {
      std::uint64_t hash = 0x9e3779b97f4a7c15u;
      for (const std::int64_t k : key) hash = lm::detail::mix(hash ^ static_cast<std::uint64_t>(k), 0xd6e8feb86659fd93u);
      return static_cast<std::size_t>(hash);
    }
  };
  std::unordered_map<Key, std::size_t, Hash> known;      // to out
  std::unordered_map<const Partition*, std::size_t> by;  // different keys may be one partition
  Key current(keys.count());
  std::size_t place = 0, begin = 0;
  const auto close = [&](std::size_t end) {
    if (end == begin) return;
    out[place].ranges.push_back({static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end)});
    out[place].rows += static_cast<std::int64_t>(end - begin);
    begin = end;
  };
  for (std::size_t i = 0; i < n; ++i) {
    bool same = i != 0;
    for (std::size_t k = 0; same && k < current.size(); ++k) same = current[k] == keys.at(k, i);
    if (same) continue;
    close(i);
    for (std::size_t k = 0; k < current.size(); ++k) current[k] = keys.at(k, i);
    const auto [at, fresh] = known.try_emplace(current, 0);
    if (fresh) {
      Partition* to = &partition(table, keys.folder(i));
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
  std::vector<std::uint32_t> open;
  {
    const std::lock_guard lock(open_mutex_);
    open.assign(open_.begin(), open_.end());
  }
  for (const std::uint32_t number : open) {
    Partition& partition = numbered(number);
    const std::lock_guard own(partition.mutex);
    const std::shared_ptr<Growing>& growing = partition.growing;
    if (!growing) continue;
    const std::uint64_t held = growing->group->held(), waits = growing->group->waiting();
    waiting += waits;
    if (waits >= most_waiting) waits_most = growing, most_waiting = waits;
    if (held >= most_held) holds_most = growing, most_held = held;
  }
  if (waiting > options_.memory_bytes / 2 && most_waiting >= kWorthPages) return {waits_most, true};
  return {holds_most, false};
}

// The partition that holds the most of what `bytes` counts; null: none has any.
ParquetSink::Partition* ParquetSink::has_most(std::uint64_t Partition::*bytes) {
  Partition* out = nullptr;
  std::uint64_t most = 0;
  const std::lock_guard lock(mutex_);
  for (const auto& table : tables_) {
    for (const auto& [folder, partition] : table->partitions) {
      const std::lock_guard own(partition->mutex);
      if ((*partition).*bytes > most) out = partition.get(), most = (*partition).*bytes;
    }
  }
  return out;
}

// Rows that are to be in the order of time wait twice: as they came, until there are enough to be put in order, and then packed, until there are enough of
// those runs to be merged into a file.
Result<void> ParquetSink::write_ordered(Table& table, Batch batch, Scratch& scratch) {
  std::vector<Partition*> full;
  const auto wait = [&](Partition& partition, Batch rows) {
    const std::uint64_t bytes = rows.bytes();
    waiting_ += bytes;
    const std::lock_guard lock(partition.mutex);
    partition.waiting.push_back(std::move(rows));
    partition.waiting_bytes += bytes;
    if (partition.waiting_bytes >= options_.memory_bytes / 8) full.push_back(&partition);
  };
  auto places = place(table, batch.array());
  if (places.size() == 1) {
    wait(*places.front().partition, std::move(batch));
  } else {
    for (const Placed& placed : places) {
      std::vector<RowRef> rows;
      for (const Range& range : placed.ranges) {
        for (std::int64_t row = range.begin; row < range.end; ++row) rows.push_back({0, 0, static_cast<std::uint32_t>(row)});
      }
      Batch own = gather(table.field, {&batch, 1}, rows, scratch.zeroes);
      account_.change(static_cast<std::int64_t>(own.bytes()));
      wait(*placed.partition, std::move(own));
    }
    account_.change(-static_cast<std::int64_t>(batch.bytes()));
  }
  for (Partition* partition : full) {
    if (auto ok = put_in_order(*partition, scratch); !ok) return ok;
  }
  return {};
}

Result<void> ParquetSink::put_in_order(Partition& partition, Scratch& scratch) {
  constexpr std::uint64_t kPieceBytes = std::uint64_t{256} << 10;  // as many pieces are unpacked at once as there are runs
  constexpr std::size_t kMostRuns = 48;
  std::vector<Batch> batches;
  std::uint64_t bytes = 0;
  {
    const std::lock_guard lock(partition.mutex);
    batches.swap(partition.waiting);
    bytes = std::exchange(partition.waiting_bytes, 0);
  }
  if (batches.empty()) return {};
  const Table& table = *partition.table;
  std::vector<RowRef> rows;
  for (std::size_t b = 0; b < batches.size(); ++b) {
    const ArrowView times = ArrowView(table.field, batches[b].array()).child(static_cast<std::size_t>(table.time));
    for (std::int64_t row = 0; row < times.length(); ++row)
      rows.push_back({times.int64(row), static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(row)});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const RowRef& a, const RowRef& b) { return a.key < b.key; });
  const auto piece =
      static_cast<std::size_t>(std::clamp<std::uint64_t>(rows.size() * kPieceBytes / std::max<std::uint64_t>(bytes, 1), 16, 1 << 16));
  std::vector<std::string> run;
  std::uint64_t packed = 0;
  for (std::size_t begin = 0; begin < rows.size(); begin += piece) {
    const auto some = std::span<const RowRef>(rows).subspan(begin, std::min(rows.size() - begin, piece));
    run.push_back(pack(table.field, gather(table.field, batches, some, scratch.zeroes)));
    packed += run.back().size();
  }
  batches.clear();
  waiting_ -= bytes;
  packed_ += packed;
  account_.change(static_cast<std::int64_t>(packed) - static_cast<std::int64_t>(bytes));
  released_.notify_all();
  bool enough = false;
  {
    const std::lock_guard lock(partition.mutex);
    partition.runs.push_back(std::move(run));
    partition.packed_bytes += packed;
    enough = partition.runs.size() >= kMostRuns || partition.packed_bytes >= std::min(options_.file_bytes, options_.memory_bytes / 3);
  }
  return enough ? merge(partition, scratch) : Result<void>{};
}

// The runs of a partition, read a piece of each at a time.
struct ParquetSink::Merge {
  struct Run {
    std::vector<std::string> pieces;
    std::size_t next = 0;
    ArrowView times;
    std::int64_t row = 0;
  };
  struct Head {
    std::int64_t time;
    std::uint32_t run;
    bool operator<(const Head& other) const { return time != other.time ? time > other.time : run > other.run; }  // the earliest is on top
  };

  Merge(ParquetSink& owner, const Table& of, std::vector<std::vector<std::string>> from, Scratch& of_thread)
      : sink(owner), table(of), scratch(of_thread), runs(from.size()), batches(from.size()) {
    for (std::size_t r = 0; r < runs.size(); ++r) {
      runs[r].pieces = std::move(from[r]);
      load(static_cast<std::uint32_t>(r));
    }
  }
  ~Merge() {
    for (const Batch& batch : batches) sink.account_.change(-static_cast<std::int64_t>(batch.bytes()));
  }
  Merge(const Merge&) = delete;
  Merge& operator=(const Merge&) = delete;

  // The next piece of a run in place of the one before. The last one stays: gather() wants a batch of each.
  void load(std::uint32_t r) {
    Run& run = runs[r];
    if (run.next == run.pieces.size()) return;
    sink.account_.change(-static_cast<std::int64_t>(batches[r].bytes()));
    std::string& piece = run.pieces[run.next++];
    batches[r] = unpack(table.field, piece, scratch.zeroes);
    sink.packed_ -= piece.size();
    sink.account_.change(static_cast<std::int64_t>(batches[r].bytes()) - static_cast<std::int64_t>(piece.size()));
    std::string().swap(piece);
    run.times = ArrowView(table.field, batches[r].array()).child(static_cast<std::size_t>(table.time));
    run.row = 0;
    heads.push({run.times.int64(0), r});
  }

  ParquetSink& sink;
  const Table& table;
  Scratch& scratch;
  std::vector<Run> runs;
  std::vector<Batch> batches;  // the piece of each run
  std::priority_queue<Head> heads;
};

Result<void> ParquetSink::merge(Partition& partition, Scratch& scratch) {
  constexpr std::size_t kMostRows = 4096;
  std::vector<std::vector<std::string>> runs;
  {
    const std::lock_guard lock(partition.mutex);
    runs.swap(partition.runs);
    partition.packed_bytes = 0;
  }
  if (runs.empty()) return {};
  const Table& table = *partition.table;
  Merge merge(*this, table, std::move(runs), scratch);
  std::vector<RowRef> rows;
  std::shared_ptr<Growing> growing;
  const auto finish_group = [&]() -> Result<void> {
    if (!growing) return {};
    {
      const std::lock_guard lock(partition.mutex);
      growing->end();
    }
    return work(*std::exchange(growing, nullptr), scratch);
  };
  const auto emit = [&]() -> Result<void> {
    if (rows.empty()) return {};
    Batch ordered = gather(table.field, merge.batches, rows, scratch.zeroes);
    account_.change(static_cast<std::int64_t>(ordered.bytes()));
    auto held = std::make_shared<Held>(*this, table.schema, std::move(ordered));
    const std::shared_ptr<const BatchView> view(held, &*held->view);
    held.reset();
    if (!growing) {
      growing = std::make_shared<Growing>(*this, partition, *view);
      growing->first_time = rows.front().key;
    }
    growing->last_time = rows.back().key;
    const auto n = static_cast<std::int64_t>(rows.size());
    rows.clear();
    {
      const std::lock_guard lock(partition.mutex);
      growing->group->push(view, {{0, n}}, n);
    }
    if (auto ok = work(*growing, scratch); !ok) return ok;
    const RowGroup& group = *growing->group;
    return group.rows() >= options_.row_group_rows || group.held() >= options_.row_group_bytes ? finish_group() : Result<void>{};
  };
  while (!merge.heads.empty()) {
    const Merge::Head head = merge.heads.top();
    merge.heads.pop();
    Merge::Run& run = merge.runs[head.run];
    rows.push_back({head.time, head.run, static_cast<std::uint32_t>(run.row++)});
    const bool over = run.row == run.times.length();
    const std::size_t room = static_cast<std::size_t>(options_.row_group_rows - (growing ? growing->group->rows() : 0));
    if (over || rows.size() >= std::min(kMostRows, room)) {
      if (auto ok = emit(); !ok) return ok;
    }
    if (over) {
      merge.load(head.run);
    } else {
      merge.heads.push({run.times.int64(run.row), head.run});
    }
  }
  if (auto ok = emit(); !ok) return ok;
  released_.notify_all();
  return finish_group();
}

// Reserves so many bytes.
Result<void> ParquetSink::make_room(std::uint64_t bytes, Scratch& scratch) {
  for (;;) {
    if (waiting_ != 0 && waiting_ + bytes > options_.memory_bytes / 4) {
      if (Partition* const most = has_most(&Partition::waiting_bytes)) {
        if (auto ok = put_in_order(*most, scratch); !ok) return ok;
        continue;
      }
    }
    if (packed_ > options_.memory_bytes / 3) {
      if (Partition* const most = has_most(&Partition::packed_bytes)) {
        if (auto ok = merge(*most, scratch); !ok) return ok;
        continue;
      }
    }
    if (auto ok = relieve_few(scratch); !ok) return ok;
    const std::uint64_t limit = options_.memory_bytes - (few_ != 0 ? 2 * most_unpacked() : 0);
    if (account_.reserve(bytes, limit)) return {};
    const std::uint64_t held = account_.held();
    // What is being finished goes anyway; a row group more would not make it go sooner.
    const std::uint64_t closing = closing_ + unpacked_;
    if (held - std::min(held, closing) + bytes > limit - options_.memory_bytes / 8) {
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
    if (writing_ == 0 && closing_ == 0 && unpacked_ == 0) {
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
    if (!partition.growing) set_growing(partition, std::make_shared<Growing>(*this, partition, *view));
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
    set_growing(partition, nullptr);
  }
}

// With the partition's mutex.
void ParquetSink::set_growing(Partition& partition, std::shared_ptr<Growing> growing) {
  const std::lock_guard lock(open_mutex_);
  if (growing) {
    open_.insert(partition.number);
  } else {
    open_.erase(partition.number);
  }
  open_n_ = open_.size();
  most_open_ = std::max<std::size_t>(most_open_, open_n_);
  partition.growing = std::move(growing);
}

// A shelf has little more, and is copied once while it is unpacked; nor is more text put together than a column may have.
std::uint64_t ParquetSink::most_unpacked() const { return std::min(options_.memory_bytes / 12, std::uint64_t{1} << 30); }

// Takes out the rows that had better wait for more of their partition.
std::vector<FewRows::Of> ParquetSink::take_few(const Table& table, const Batch& batch, std::vector<Placed>& places) {
  std::vector<FewRows::Of> out;
  std::size_t open = open_n_;
  if (open + places.size() <= table.most_open) return out;
  // Rows that are worth a row group by themselves.
  const std::uint64_t row = std::max<std::uint64_t>(1, batch.bytes() / static_cast<std::uint64_t>(batch.array().length));
  const std::int64_t many = std::min({kMany, options_.row_group_rows, static_cast<std::int64_t>(most_unpacked() / 4 / row)});
  std::vector<Placed> stay;
  for (Placed& placed : places) {
    const auto grows = [&] {
      const std::lock_guard lock(placed.partition->mutex);
      return placed.partition->growing != nullptr;
    };
    const bool stays = placed.rows >= many || grows();
    if (stays || open < table.most_open) {
      open += stays ? 0 : 1;
      stay.push_back(std::move(placed));
    } else {
      out.push_back({placed.partition->number, std::move(placed.ranges)});
    }
  }
  places = std::move(stay);
  return out;
}

ParquetSink::Partition& ParquetSink::numbered(std::uint32_t number) {
  const std::lock_guard lock(mutex_);
  return *by_number_[number];
}

// A row group for the rows of each partition of the shelf, one after the other.
Result<void> ParquetSink::drain(Table& table, FewRows::Shelf shelf, bool last, Scratch& scratch) {
  constexpr std::size_t kGathered = 4096;
  struct Part {
    std::uint32_t partition, batch, begin, rows;
  };
  // What is held of the shelf, packed or not; it goes, however this ends.
  struct OfShelf {
    OfShelf(ParquetSink& owner, std::uint64_t held) : sink(owner), bytes(held) { sink.unpacked_ += held; }
    ~OfShelf() {
      change(-static_cast<std::int64_t>(bytes));
      sink.released_.notify_all();
    }
    void change(std::int64_t by) {
      sink.account_.change(by), sink.unpacked_ += static_cast<std::uint64_t>(by), bytes += static_cast<std::uint64_t>(by);
    }
    OfShelf(const OfShelf&) = delete;
    OfShelf& operator=(const OfShelf&) = delete;
    ParquetSink& sink;
    std::uint64_t bytes;
  };
  OfShelf of_shelf(*this, shelf.held);
  std::vector<Part> parts;
  std::vector<Batch> batches;
  for (FewRows::Piece& piece : shelf.pieces) {
    std::uint32_t begin = 0;
    for (const FewRows::Piece::Part& part : piece.parts) {
      parts.push_back({part.partition, static_cast<std::uint32_t>(batches.size()), begin, part.rows});
      begin += part.rows;
    }
    batches.push_back(unpack(table.field, piece.packed, scratch.zeroes));
    of_shelf.change(static_cast<std::int64_t>(batches.back().bytes()));
    of_shelf.change(-static_cast<std::int64_t>(piece.held()));
    piece = {};
  }
  std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.partition < b.partition; });
  Result<void> result;
  for (std::size_t p = 0; p < parts.size() && result;) {
    std::vector<RowRef> rows;
    std::vector<Placed> places;
    while (p < parts.size() && (places.empty() || rows.size() < kGathered)) {
      Placed& placed = places.emplace_back();
      placed.partition = &numbered(parts[p].partition);
      const std::uint32_t partition = parts[p].partition;
      const std::size_t first = rows.size();
      for (; p < parts.size() && parts[p].partition == partition; ++p) {
        for (std::uint32_t i = 0; i < parts[p].rows; ++i) rows.push_back({0, parts[p].batch, parts[p].begin + i});
      }
      placed.ranges = {{static_cast<std::int64_t>(first), static_cast<std::int64_t>(rows.size())}};
      placed.rows = static_cast<std::int64_t>(rows.size() - first);
    }
    Batch gathered = gather(table.field, batches, rows, scratch.zeroes);
    account_.change(static_cast<std::int64_t>(gathered.bytes()));
    auto held = std::make_shared<Held>(*this, table.schema, std::move(gathered));
    const std::shared_ptr<const BatchView> view(held, &*held->view);
    held.reset();
    for (Placed& placed : places) {
      std::vector<std::shared_ptr<Growing>> to;
      bool fresh = false;
      {
        const std::lock_guard lock(placed.partition->mutex);
        fresh = !placed.partition->growing;
      }
      Partition& partition = *placed.partition;
      // One that gets many after all goes on growing.
      const bool whole = fresh && (last || placed.rows < kMany);
      push(std::move(placed), view, to);
      if (whole) end(to.back());
      result = work(to, scratch);
      if (!last || !whole || !result) continue;
      // Its footer need not wait until another one has no room.
      const std::lock_guard lock(partition.file_mutex);
      if (partition.file) result = finish_file(partition);
    }
  }
  return result;
}

// What gathering throws is an error of the sink.
template <class Do>
Result<void> ParquetSink::guarded(Do&& what) {
  try {
    return remember(what());
  } catch (const BadArray& e) {
    return remember(fail(LM_INVALID, std::string("a batch contradicts itself: ") + e.what()));
  } catch (const BadColumn& e) {
    return remember(fail(LM_INVALID, std::string("a batch contradicts itself: ") + e.what()));
  } catch (const std::length_error& e) {
    return remember(fail(LM_UNSUPPORTED, e.what()));
  } catch (const std::bad_alloc&) {
    return remember(fail(LM_NO_MEMORY, "no memory"));
  }
}

// Shelves are unpacked one at a time, whichever thread does it; the others go on meanwhile.
Result<void> ParquetSink::relieve_few(Scratch& scratch) {
  const std::unique_lock one(draining_mutex_, std::try_to_lock);
  while (one && few_ != 0) {
    Table* fullest = nullptr;
    std::uint64_t most = 0;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& table : tables_) {
        if (const std::uint64_t bytes = table->few->fullest(); bytes > most) fullest = table.get(), most = bytes;
      }
    }
    if (!fullest || (few_ <= options_.memory_bytes / 3 && most <= most_unpacked())) break;
    if (auto ok = guarded([&] { return drain(*fullest, fullest->few->take_fullest(), false, scratch); }); !ok) return ok;
  }
  return {};
}

void ParquetSink::end(const std::shared_ptr<Growing>& growing) {
  const std::lock_guard lock(growing->partition.mutex);
  if (growing->partition.growing != growing) return;  // somebody else did
  growing->end();
  set_growing(growing->partition, nullptr);
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
    if (!missing_keys_.empty()) return fail(LM_INVALID, "option layout: no table has the column '" + missing_keys_.front() + "'");
    table = tables_[batch.table()].get();
    if (options_.one_class && batch.array().length > 0) {
      if (!only_) only_ = table;
      if (only_ != table)
        return fail(LM_INVALID, "a custom source has one class, and this one has " + only_->name + " already and would have " +
                                    table->name + ": write source=NAME{class_uid}");
    }
  }
  if (batch.array().length == 0) return {};
  if (batch.array().length < 0 || batch.array().offset < 0) return fail(LM_INVALID, "a batch of a negative length");
  auto scratch = scratch_.take();
  auto result = guarded([&] { return write(*table, std::move(batch), *scratch); });
  scratch_.give(std::move(scratch));
  return result;
}

Result<void> ParquetSink::write(Table& table, Batch batch, Scratch& scratch) {
  if (auto ok = make_room(batch.bytes(), scratch); !ok) return ok;
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
  if (options_.security_lake) {
    writing.reserved = 0;
    return write_ordered(table, std::move(batch), scratch);
  }
  auto places = place(table, batch.array());
  const std::vector<FewRows::Of> few = take_few(table, batch, places);
  if (!few.empty()) {
    constexpr std::uint64_t kPacked = std::uint64_t{256} << 10;  // less is not worth packing
    table.few->add(batch, few, std::max(options_.memory_bytes / 16 / tables_n_, std::min(options_.memory_bytes / 64, kPacked)),
                   scratch.zeroes);
  }
  if (places.empty()) return {};
  auto held = std::make_shared<Held>(*this, table.schema, std::move(batch));
  writing.reserved = 0;
  const std::shared_ptr<const BatchView> view(held, &*held->view);
  held.reset();
  for (Placed& placed : places) push(std::move(placed), view, to);
  return work(to, scratch);
}

Result<void> ParquetSink::work(const std::vector<std::shared_ptr<Growing>>& all, Scratch& scratch) {
  Result<void> result;
  // After a failure the others go on all the same: what they hold must be given back.
  for (const std::shared_ptr<Growing>& growing : all) {
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
    if (options_.security_lake && to.file && growing.first_time < to.last_time) {
      // A file whose rows are in order has no room for these.
      if (auto ok = finish_file(to); !ok) return ok;
    }
    to.last_time = growing.last_time;
    if (!to.file) {
      auto file = PartFile::create(target_, to.folder + "/part-" + run_id_ + "-" + std::to_string(to.parts) + ".parquet", to.table->schema,
                                   options_.encode.codec);
      if (!file) return tl::make_unexpected(file.error());
      ++to.parts;
      to.file.emplace(std::move(*file));
    }
    if (auto ok = to.file->append(std::move(*group)); !ok) return ok;
    const std::uint64_t footer = to.file->held();
    count_footer(to, footer);
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
  count_footer(partition, 0);
  if (!ok) return ok;
  const std::lock_guard lock(mutex_);
  full_.emplace_back(partition.table->handle, std::move(file));
  return {};
}

// With the mutex of the partition's file.
void ParquetSink::count_footer(Partition& partition, std::uint64_t bytes) {
  const std::uint64_t before = std::exchange(partition.footer, bytes);
  footers_ += bytes - before;
  account_.change(static_cast<std::int64_t>(bytes - before));
  const std::lock_guard lock(by_footer_mutex_);
  if (before != 0) by_footer_.erase({before, partition.number});
  if (bytes != 0) by_footer_.insert({bytes, partition.number});
}

Result<void> ParquetSink::relieve_footers() {
  while (footers_ > options_.memory_bytes / 8) {
    Partition* largest = nullptr;
    {
      const std::lock_guard lock(mutex_);
      const std::lock_guard own(by_footer_mutex_);
      if (!by_footer_.empty()) largest = by_number_[by_footer_.rbegin()->second];
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
  std::vector<Table*> tables;
  {
    const std::lock_guard lock(mutex_);
    if (failed_) return tl::make_unexpected(*failed_);
    for (const auto& table : tables_) {
      tables.push_back(table.get());
      for (const auto& [folder, partition] : table->partitions) partitions.push_back(partition.get());
    }
  }
  if (options_.security_lake) {
    parallel(partitions.size(), [&](std::size_t i) {
      auto scratch = scratch_.take();
      static_cast<void>(guarded([&] {
        auto ok = put_in_order(*partitions[i], *scratch);
        return ok ? merge(*partitions[i], *scratch) : std::move(ok);
      }));
      scratch_.give(std::move(scratch));
    });
  }
  if (few_ != 0) {
    auto scratch = scratch_.take();
    auto ok = guarded([&]() -> Result<void> {
      for (Table* table : tables) table->few->pack_rest(scratch->zeroes);
      return {};
    });
    scratch_.give(std::move(scratch));
    if (!ok) return ok;
    // No more at once than there is memory for.
    std::atomic<std::size_t> next{0};
    parallel(2, [&](std::size_t) {
      auto mine = scratch_.take();
      for (std::size_t i = next++; i < tables.size() * FewRows::kShelves; i = next++) {
        Table& table = *tables[i / FewRows::kShelves];
        static_cast<void>(guarded([&] { return drain(table, table.few->take_fullest(), true, *mine); }));
      }
      scratch_.give(std::move(mine));
    });
  }
  for (Partition* partition : partitions) {
    const std::lock_guard lock(partition->mutex);
    const auto growing = partition->growing;
    if (!growing) continue;
    growing->end();
    set_growing(*partition, nullptr);
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
