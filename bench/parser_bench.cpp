// One core of a parser, and of conform behind it, on blocks of 1 MB as in a run; the library is linked in. MB are bytes of records.
#include "allocations.hpp"
#include "samples.hpp"
#include "unit/parser_harness.hpp"

#include <benchmark/benchmark.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

extern "C" const lm_entry logmill_entry;

namespace {

constexpr std::size_t kSize = std::size_t{16} << 20;
constexpr std::size_t kBlock = std::size_t{1} << 20;

struct Kind {
  std::string_view id, key, header;
  std::string (*record)(std::mt19937&);
};
constexpr Kind kKinds[] = {
    {"aws.cloudtrail", "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/01/x.json.gz", "", lm::bench::cloudtrail_event},
    {"aws.vpcflow", "AWSLogs/111122223333/vpcflowlogs/eu-central-1/2026/03/01/x.log.gz",
     "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n",
     lm::bench::flow_line}};

// The first parser of the library.
struct Input {
  const Kind& kind;
  lm::testing::Harness harness;
  std::string text;
  lm::testing::Blocks blocks;
  std::uint64_t records = 0, bytes = 0;

  static const Kind& kind_of_library() {
    const std::string_view id = lm::view(lm::testing::factory_of(logmill_entry).descriptor(0)->id);
    for (const Kind& kind : kKinds) {
      if (kind.id == id) return kind;
    }
    throw std::logic_error("no samples of " + std::string(id));
  }

  Input() : kind(kind_of_library()), harness(logmill_entry, kind.id), text(kind.header), blocks(harness) {
    std::mt19937 random(1);
    while (text.size() < kSize) text += kind.record(random) + "\n";
    blocks.add(text, kind.key, kBlock);
    for (const lm_block* block : blocks.pointers()) {
      records += block->n_records;
      for (std::uint64_t i = 0; i < block->n_records; ++i) bytes += block->records[i].length;
    }
  }
};

Input& input() {
  static Input value;
  return value;
}

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

// A block a call, as a run does.
void parse(const lm_parser& parser, const lm_block* block, Batches& out) {
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
  if (parser.parse(parser.self, &block, 1, &emit, &error) != LM_OK) out.rejected = true;
}

void count(benchmark::State& state) {
  const auto rounds = static_cast<double>(state.iterations());
  state.SetBytesProcessed(static_cast<std::int64_t>(rounds * static_cast<double>(input().bytes)));
  state.counters["ns/record"] =
      benchmark::Counter(static_cast<double>(input().records) * 1e-9 * rounds, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void parse(benchmark::State& state) {
  Input& in = input();
  Batches out;
  for (const lm_block* block : in.blocks.pointers()) parse(in.harness.parser(), block, out), out.clear();  // dictionaries are warm
  std::uint64_t allocated = 0;
  for (auto _ : state) {
    const std::uint64_t before = lm::bench::allocations;
    for (const lm_block* block : in.blocks.pointers()) {
      parse(in.harness.parser(), block, out);
      out.clear();
    }
    allocated += lm::bench::allocations - before;
  }
  if (out.rejected) state.SkipWithError("a record was rejected");
  count(state);
  state.counters["allocations/record"] =
      static_cast<double>(allocated) / static_cast<double>(in.records) / static_cast<double>(state.iterations());
}
BENCHMARK(parse)->Unit(benchmark::kMillisecond);

void conform(benchmark::State& state) {
  Input& in = input();
  Batches out;
  for (auto _ : state) {
    for (std::size_t b = 0; b < in.blocks.pointers().size(); ++b) {
      state.PauseTiming();
      parse(in.harness.parser(), in.blocks.pointers()[b], out);
      state.ResumeTiming();
      for (lm_batch& batch : out.batches) {
        auto conformed = in.harness.conform(batch.table).run(batch, std::span(in.blocks.origins()).subspan(b, 1));
        if (!conformed) return state.SkipWithError(conformed.error().what.c_str());
        conformed->array.release(&conformed->array);
      }
      out.batches.clear();
    }
  }
  count(state);
}
BENCHMARK(conform)->Unit(benchmark::kMillisecond);

// What the host checks of every batch at the border.
void validate(benchmark::State& state) {
  Input& in = input();
  Batches out;
  for (const lm_block* block : in.blocks.pointers()) parse(in.harness.parser(), block, out);
  for (auto _ : state) {
    for (lm_batch& batch : out.batches) {
      const auto valid = lm::validate(in.harness.schema(batch.table), batch.array, lm::Validation::standard);
      if (!valid) return state.SkipWithError(valid.error().what.c_str());
    }
  }
  count(state);
}
BENCHMARK(validate)->Unit(benchmark::kMillisecond);

}  // namespace
