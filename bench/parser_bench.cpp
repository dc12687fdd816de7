// One core of every parser of the build, of conform and of the checks at the border, on blocks of 1 MB as in a run. A line a parser, with the median of its rounds in
// processor time; MB are bytes of records. The input is generated records of sources whose samples are mostly odd cases or all alike, and else what
// tests/golden/ID/input has and the parser takes, repeated. Dictionaries stay warm.
//
//   parser_bench [--rounds N] [--megabytes N] [--plugins DIR] [ID...]      without an id: all that make events
//   valgrind --tool=callgrind --toggle-collect=measured_parse parser_bench --rounds 1 --megabytes 4 ID      instructions of parsing that once
//
// Exit code 1: a parser rejects what it took before, or allocates for every record.
#include "allocations.hpp"
#include "samples.hpp"
#include "unit/parser_harness.hpp"

#include <dlfcn.h>
#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <span>

namespace fs = std::filesystem;
using lm::ParserInfo;
using lm::testing::Blocks;
using lm::testing::Harness;
using lm::testing::require;

namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20;
constexpr double kMostAllocations = 0.5;
// Of less input, columns that double once are much beside the records.
constexpr std::size_t kLeastJudged = std::size_t{16} << 20;

// What services write repeats less than samples do, and has fewer odd cases; where there is a generator, it stands for them.
struct Generator {
  std::string_view id, key, header;
  std::string (*record)(std::mt19937&);
};
constexpr Generator kGenerators[] = {
    {"aws.alb",
     "AWSLogs/111122223333/elasticloadbalancing/eu-central-1/2026/03/01/"
     "111122223333_elasticloadbalancing_eu-central-1_app.shop.0a1b2c3d4e5f6071_20260301T0805Z_192.0.2.80_4kq1zw7x.log",
     "", lm::bench::alb_line},
    {"aws.clb",
     "AWSLogs/111122223333/elasticloadbalancing/eu-central-1/2026/03/01/"
     "111122223333_elasticloadbalancing_eu-central-1_legacy_20260301T0805Z_192.0.2.90_5zc3kw7x.log",
     "", lm::bench::clb_line},
    {"aws.s3_access", "logs/2026-03-02-00-00-00-FEDCBA9876543210", "", lm::bench::s3_access_line},
    {"aws.cloudtrail", "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/01/x.json.gz", "", lm::bench::cloudtrail_event},
    {"aws.vpcflow", "AWSLogs/111122223333/vpcflowlogs/eu-central-1/2026/03/01/x.log.gz",
     "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n",
     lm::bench::flow_line}};

const lm_entry& entry_of(const ParserInfo& parser) {
  void* library = ::dlopen(parser.file.c_str(), RTLD_NOW | RTLD_LOCAL);
  const void* entry = library ? ::dlsym(library, "logmill_entry") : nullptr;
  require(entry != nullptr, entry ? "" : ::dlerror());
  return *static_cast<const lm_entry*>(entry);
}

// By key and header, the records that the parser takes.
using Objects = std::map<std::pair<std::string, std::string>, std::string>;

Objects taken_samples(const lm_entry& entry, const std::string& id) {
  Objects out;
  Harness harness(entry, id);
  const fs::path folder = fs::path(GOLDEN) / id / "input";
  require(fs::exists(folder), "no samples of " + id);
  for (const auto& file : fs::recursive_directory_iterator(folder)) {
    if (!file.is_regular_file()) continue;
    std::ifstream stream(file.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(stream), {}}, key = fs::relative(file.path(), folder).generic_string();
    Blocks blocks(harness);
    blocks.add(text, key);
    std::set<std::pair<std::size_t, std::size_t>> rejected;
    for (const auto& r : harness.run(blocks).rejects) rejected.emplace(r.block, r.record);
    for (std::size_t b = 0; b < blocks.pointers().size(); ++b) {
      const lm_block& block = *blocks.pointers()[b];
      std::string header(reinterpret_cast<const char*>(block.prologue), block.prologue_size);
      if (!header.empty()) header += '\n';
      for (std::size_t i = 0; i < block.n_records; ++i) {
        if (rejected.contains({b, i})) continue;
        const lm_record& r = block.records[i];
        out[{key, header}].append(reinterpret_cast<const char*>(block.data) + r.offset, r.length) += '\n';
      }
    }
  }
  return out;
}

struct Input {
  Harness harness;
  Blocks blocks{harness};
  std::uint64_t records = 0, bytes = 0;

  // At least `wanted` bytes of records.
  Input(const lm_entry& entry, const std::string& id, std::size_t wanted) : harness(entry, id) {
    const auto* generator = std::find_if(std::begin(kGenerators), std::end(kGenerators), [&](const Generator& g) { return g.id == id; });
    if (generator != std::end(kGenerators)) {
      std::mt19937 random(1);
      std::string text(generator->header);
      while (text.size() < wanted) text += generator->record(random) + "\n";
      blocks.add(text, generator->key, kBlock);
    } else {
      const Objects objects = taken_samples(entry, id);
      std::size_t once = 0;
      for (const auto& [place, text] : objects) once += text.size();
      require(once != 0, id + " takes none of its samples");
      for (const auto& [place, text] : objects) {
        std::string whole = place.second;
        for (std::size_t size = 0; size < wanted; size += once) whole += text;
        blocks.add(whole, place.first, kBlock);
      }
    }
    for (const lm_block* block : blocks.pointers()) {
      records += block->n_records;
      for (std::uint64_t i = 0; i < block->n_records; ++i) bytes += block->records[i].length;
    }
  }
};

struct Batches {
  std::vector<lm_batch> batches;
  bool rejected = false;
  ~Batches() { clear(); }
  void clear() {
    for (lm_batch& batch : batches) {
      if (batch.array.release) batch.array.release(&batch.array);
    }
    batches.clear();
  }
};

void parse(const lm_parser& parser, const lm_block* const* blocks, std::size_t n, Batches& out) {
  lm_emit emit{};
  emit.struct_size = sizeof emit;
  emit.ctx = &out;
  emit.batch = [](void* ctx, lm_batch* batch) -> lm_status {
    static_cast<Batches*>(ctx)->batches.push_back(*batch);
    return LM_OK;
  };
  emit.reject = [](void* ctx, std::uint32_t, std::uint32_t, std::uint32_t, lm_str) { static_cast<Batches*>(ctx)->rejected = true; };
  emit.drift = [](void*, lm_str, std::uint64_t) {};
  lm_error error{};
  error.struct_size = sizeof error;
  if (parser.parse(parser.self, blocks, n, &emit, &error) != LM_OK) out.rejected = true;
}

double now() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

// A name that callgrind can be told.
extern "C" [[gnu::noipa]] void measured_parse(const lm_parser& parser, const lm_block* const* blocks, std::size_t n, Batches& out) {
  parse(parser, blocks, n, out);
}

namespace {

// What one more record costs: a block costs the memory of its columns however many records it has, and growing them is no cost of a record.
double allocations_per_record(Input& in) {
  const auto& blocks = in.blocks.pointers();
  const auto allocated = [&](std::size_t n) {
    Batches out;
    parse(in.harness.parser(), blocks.data(), n, out);
    out.clear();
    const std::uint64_t before = lm::bench::allocations;
    parse(in.harness.parser(), blocks.data(), n, out);
    return static_cast<double>(lm::bench::allocations - before);
  };
  std::uint64_t records = 0;
  const std::size_t half = blocks.size() / 2;
  for (std::size_t b = half; b < blocks.size(); ++b) records += blocks[b]->n_records;
  const double few = allocated(half), many = allocated(blocks.size());
  return std::max(0.0, many - few) / static_cast<double>(records);
}

bool measure(const ParserInfo& info, std::size_t rounds, std::size_t wanted) {
  Input in(entry_of(info), info.id, wanted);
  const lm_parser& parser = in.harness.parser();
  const auto& blocks = in.blocks.pointers();
  Batches out;
  for (const lm_block* const& block : blocks) parse(parser, &block, 1, out), out.clear();  // dictionaries are warm

  std::vector<double> parsing, conforming, validating;
  std::uint64_t allocated = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    double parsed = 0, conformed = 0, validated = 0;
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      const std::uint64_t before = lm::bench::allocations;
      double start = now();
      measured_parse(parser, &blocks[b], 1, out);
      parsed += now() - start;
      allocated += lm::bench::allocations - before;

      start = now();
      for (lm_batch& batch : out.batches) {
        const auto valid = lm::validate(in.harness.schema(batch.table), batch.array, lm::Validation::standard);
        require(valid.has_value(), valid ? "" : valid.error().what);
      }
      validated += now() - start;

      start = now();
      for (lm_batch& batch : out.batches) {
        auto whole = in.harness.conform(batch.table).run(batch, std::span(in.blocks.origins()).subspan(b, 1));
        require(whole.has_value(), whole ? "" : whole.error().what);
        whole->array.release(&whole->array);
      }
      conformed += now() - start;
      out.batches.clear();
    }
    parsing.push_back(parsed), conforming.push_back(conformed), validating.push_back(validated);
  }

  const double megabytes = static_cast<double>(in.bytes) * 1e-6, records = static_cast<double>(in.records);
  const double marginal = allocations_per_record(in);
  const bool allocates = marginal > kMostAllocations && wanted >= kLeastJudged;
  std::printf("%-24s %8.0f %10.0f %10.0f %10.0f %10.0f %12.2f %12.2f%s%s\n", info.id.c_str(), static_cast<double>(in.bytes) / records,
              megabytes / median(parsing), median(parsing) * 1e9 / records, megabytes / median(conforming), megabytes / median(validating),
              static_cast<double>(allocated) / static_cast<double>(rounds * blocks.size()), marginal, allocates ? "  ALLOCATES" : "",
              out.rejected ? "  REJECTS" : "");
  std::fflush(stdout);
  return !out.rejected && !allocates;
}

}  // namespace

int main(int argc, char** argv) try {
  std::string plugins = PLUGINS;
  std::size_t rounds = 7, megabytes = 16;
  std::set<std::string> ids;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--plugins" && i + 1 < argc) {
      plugins = argv[++i];
    } else if (argument == "--rounds" && i + 1 < argc) {
      rounds = std::max(1ul, std::stoul(argv[++i]));
    } else if (argument == "--megabytes" && i + 1 < argc) {
      megabytes = std::max(2ul, std::stoul(argv[++i]));  // of one block there is no half
    } else {
      ids.emplace(argument);
    }
  }
  lm::Registry registry;
  const auto loaded = registry.load_directory(plugins);
  require(loaded.has_value(), loaded ? "" : loaded.error().what);
  std::printf("%-24s %8s %10s %10s %10s %10s %12s %12s\n", "", "bytes/", "parse", "parse", "conform", "validate", "allocations",
              "allocations");
  std::printf("%-24s %8s %10s %10s %10s %10s %12s %12s\n", "parser", "record", "MB/s", "ns/record", "MB/s", "MB/s", "/block", "/record");
  bool good = true;
  const bool all = ids.empty();
  for (const ParserInfo& parser : registry.parsers()) {
    if (all ? parser.set_aside : ids.erase(parser.id) == 0) continue;
    good &= measure(parser, rounds, megabytes << 20);
  }
  for (const std::string& id : ids) std::cerr << "parser_bench: " << plugins << " has no parser " << id << "\n";
  return good && ids.empty() ? 0 : 1;
} catch (const std::exception& e) {
  std::cerr << "parser_bench: " << e.what() << "\n";
  return 1;
}
