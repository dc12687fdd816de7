// Framing speed, in bytes of the stream a second. The copy into the framer's buffer, which the decoder does in a run, is measured with it; "copy" is that alone.
#include "frame/frame.hpp"

#include "frame/json_scan.hpp"
#include "samples.hpp"

#include <benchmark/benchmark.h>
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <random>

namespace {

constexpr std::size_t kSize = 32 << 20;

std::string envelope() {
  std::mt19937 random(1);
  std::string out = "{\"Records\":[";
  while (out.size() < kSize) out += lm::bench::cloudtrail_event(random) + ",";
  out.back() = ']';
  return out + "}";
}
std::string json_lines() {
  std::mt19937 random(1);
  std::string out;
  while (out.size() < kSize) out += lm::bench::cloudtrail_event(random) + "\n";
  return out;
}
std::string flow_lines() {
  std::mt19937 random(1);
  std::string out = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n";
  while (out.size() < kSize) {
    out += "2 111122223333 eni-0123456789abcdef0 192.0.2." + std::to_string(random() % 256) + " 198.51.100." +
           std::to_string(random() % 256) + " " + std::to_string(random() % 65536) + " 443 6 " + std::to_string(random() % 1000) + " " +
           std::to_string(random() % 100000) + " 1772352000 1772352060 ACCEPT OK\n";
  }
  return out;
}

void run(benchmark::State& state, const std::string& input, const lm::FrameSpec& spec) {
  std::uint64_t expected = 0;
  for (auto _ : state) {
    auto framer = lm::make_framer(spec, {});
    for (std::size_t at = 0; at < input.size();) {
      const auto space = framer->space();
      // As a decoder gives it.
      const std::size_t n = std::min({space.size(), input.size() - at, std::size_t{256} << 10});
      std::memcpy(space.data(), input.data() + at, n);
      framer->commit(n);
      at += n;
      while (auto block = framer->next()) benchmark::DoNotOptimize(block->records.data());
    }
    framer->finish("");
    while (auto block = framer->next()) benchmark::DoNotOptimize(block->records.data());
    if (framer->records() == 0 || (expected != 0 && expected != framer->records())) std::abort();
    expected = framer->records();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(input.size()) * static_cast<std::int64_t>(state.iterations()));
}

void json_envelope(benchmark::State& state) { run(state, envelope(), {LM_FRAMING_JSON, "Records", {}}); }
void json_line_each(benchmark::State& state) { run(state, json_lines(), {LM_FRAMING_JSON, "Records", {}}); }
void lines(benchmark::State& state) {
  run(state, flow_lines(), {LM_FRAMING_LINES, "", [](std::string_view line) { return line.starts_with("version"); }});
}

void copy(benchmark::State& state) {
  const std::string input = flow_lines();
  std::vector<std::byte> block(1 << 20);
  for (auto _ : state) {
    for (std::size_t at = 0; at < input.size();) {
      const std::size_t n = std::min(block.size(), input.size() - at);
      std::memcpy(block.data(), input.data() + at, n);
      benchmark::DoNotOptimize(block.data());
      at += n;
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(input.size()) * static_cast<std::int64_t>(state.iterations()));
}

template <std::size_t (*kScan)(lm::JsonScan&, const std::uint8_t*, std::size_t, std::size_t, bool*)>
void scan(benchmark::State& state) {
  std::string input = envelope();
  const std::size_t size = input.size();
  input.append(LM_PADDING, '\0');
  for (auto _ : state) {
    lm::JsonScan json;
    bool broken = false;
    if (kScan(json, reinterpret_cast<const std::uint8_t*>(input.data()), size, 0, &broken) != size || broken) std::abort();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(size) * static_cast<std::int64_t>(state.iterations()));
}

BENCHMARK(json_envelope)->Unit(benchmark::kMillisecond);
BENCHMARK(json_line_each)->Unit(benchmark::kMillisecond);
BENCHMARK(lines)->Unit(benchmark::kMillisecond);
BENCHMARK(copy)->Unit(benchmark::kMillisecond);
BENCHMARK(scan<lm::scan_json>)->Unit(benchmark::kMillisecond);
BENCHMARK(scan<lm::scan_json_scalar>)->Unit(benchmark::kMillisecond);

}  // namespace
