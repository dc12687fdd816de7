// The parts of the SDK that a parser calls for every field.
#include "samples.hpp"

#include <logmill/sdk/intern.hpp>
#include <logmill/sdk/net.hpp>
#include <logmill/sdk/text.hpp>
#include <logmill/sdk/time.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t kValues = 1 << 16;

// Makes kValues texts and calls each(text) for one after the other.
template <class Make, class Each>
void over(benchmark::State& state, Make make, Each each) {
  std::mt19937 random(1);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < kValues; ++i) texts.push_back(make(random));
  for (auto _ : state) {
    for (const std::string& text : texts) each(text);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kValues));
}

// Values that are met again and again, of so many different ones.
void dictionary(benchmark::State& state) {
  lm::detail::Interner interner;
  const auto distinct = static_cast<std::uint32_t>(state.range(0));
  const std::string tail(static_cast<std::size_t>(state.range(1)), 'x');
  over(
      state, [&](std::mt19937& random) { return std::to_string(10000000 + random() % distinct) + tail; },
      [&](std::string_view text) { benchmark::DoNotOptimize(interner.intern(text)); });
}
BENCHMARK(dictionary)->ArgNames({"distinct", "tail"})->ArgsProduct({{1, 400, 60000}, {4, 40}});

// Values none of which repeats: every one is added.
void dictionary_of_unique_values(benchmark::State& state) {
  std::mt19937 random(1);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < kValues; ++i) texts.push_back(std::to_string(random()) + "-" + std::to_string(i));
  for (auto _ : state) {
    lm::detail::Interner interner;
    for (const std::string& text : texts) benchmark::DoNotOptimize(interner.intern(text));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kValues));
}
BENCHMARK(dictionary_of_unique_values);

void integer(benchmark::State& state) {
  over(
      state, [](std::mt19937& random) { return std::to_string(random() >> random() % 24); },
      [](std::string_view text) { benchmark::DoNotOptimize(lm::integer(text)); });
}
BENCHMARK(integer);

void is_ip(benchmark::State& state) {
  over(
      state, [](std::mt19937& random) { return "198.51." + std::to_string(random() % 256) + "." + std::to_string(random() % 256); },
      [](std::string_view text) { benchmark::DoNotOptimize(lm::net::is_ip(text)); });
}
BENCHMARK(is_ip);

void rfc3339(benchmark::State& state) {
  over(
      state, [](std::mt19937& random) { return "2026-03-01T08:00:" + std::to_string(10 + random() % 50) + "Z"; },
      [](std::string_view text) { benchmark::DoNotOptimize(lm::time::rfc3339(text)); });
}
BENCHMARK(rfc3339);

void split(benchmark::State& state) {
  std::array<std::string_view, 32> fields;
  over(
      state, [](std::mt19937& random) { return lm::bench::flow_line(random); },
      [&](std::string_view text) { benchmark::DoNotOptimize(lm::split(text, ' ', fields)); });
}
BENCHMARK(split);

}  // namespace
