// Encoding of row groups shaped like VPC flow logs in OCSF: 45 leaf columns, of which most are constant, a few repeat, some are counters, one is a unique
// text, and four lie in a list of structs.
#include "parquet_encode_all.hpp"

#include <logmill/sdk/arrays.hpp>

#include <benchmark/benchmark.h>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace lm::sink::parquet;
using lm::detail::ArrayArena;

constexpr std::size_t kRows = 10000, kBatches = 26;

// Arrays and their schema, column by column.
class Flows {
 public:
  Flows() : random_(1) {
    for (std::size_t b = 0; b < kBatches; ++b) {
      auto arena = ArrayArena::make();
      arena_ = arena.get();
      ArrowArray& root = structure(schema_, b == 0, kRows, [&](auto&& add) { fill(add, b); });
      arrays_.emplace_back();
      ArrayArena::finish(std::move(arena), root, &arrays_.back());
    }
    schema_.name = "";
    table_ = std::make_unique<TableSchema>(*TableSchema::make(schema_));
  }
  ~Flows() {
    for (ArrowArray& array : arrays_) array.release(&array);
  }

  const TableSchema& table() const { return *table_; }
  std::vector<Rows> rows() const {
    std::vector<Rows> out;
    for (std::size_t i = 0; i < arrays_.size(); ++i) out.push_back({&arrays_[i], i % 2, 0, {&all_, 1}});
    return out;
  }

 private:
  template <class Fill>
  ArrowArray& structure(ArrowSchema& schema, bool first, std::size_t rows, Fill&& fill_children) {
    ArrowArray& out = arena_->add(static_cast<std::int64_t>(rows), 1);
    std::vector<ArrowArray*> children;
    std::vector<ArrowSchema*> schemas;
    fill_children([&](const char* name, const char* format, bool dictionary, ArrowArray& array) {
      children.push_back(&array);
      if (!first) return;
      auto* s = new ArrowSchema{};  // lives as long as the process
      s->name = name;
      s->format = format;
      if (dictionary) {
        s->dictionary = new ArrowSchema{};
        s->dictionary->format = "u";
      }
      if (pending_) *s = *pending_, s->name = name, pending_ = nullptr;
      schemas.push_back(s);
    });
    arena_->set_children(out, std::move(children));
    if (first) {
      schema.format = "+s";
      auto* kept = new std::vector<ArrowSchema*>(std::move(schemas));
      schema.n_children = static_cast<std::int64_t>(kept->size());
      schema.children = kept->data();
    }
    return out;
  }

  template <class T, class Value>
  ArrowArray& numbers(std::size_t n, Value&& value) {
    ArrowArray& a = arena_->add(static_cast<std::int64_t>(n), 2);
    auto memory = lm::detail::allocate_zeroed(n * sizeof(T));
    for (std::size_t i = 0; i < n; ++i) lm::detail::slots<T>(memory)[i] = static_cast<T>(value(i));
    a.buffers[1] = arena_->keep(std::move(memory), n * sizeof(T));
    return a;
  }
  ArrowArray& texts(const std::vector<std::string>& values) {
    ArrowArray& a = arena_->add(static_cast<std::int64_t>(values.size()), 3);
    std::size_t total = 0;
    for (const auto& v : values) total += v.size();
    auto offsets = lm::detail::allocate_zeroed((values.size() + 1) * 4), bytes = lm::detail::allocate_zeroed(total);
    std::size_t at = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::memcpy(bytes.get() + at, values[i].data(), values[i].size());
      at += values[i].size();
      lm::detail::slots<std::int32_t>(offsets)[i + 1] = static_cast<std::int32_t>(at);
    }
    a.buffers[1] = arena_->keep(std::move(offsets), 0);
    a.buffers[2] = arena_->keep(std::move(bytes), 0);
    return a;
  }
  template <class Value>
  ArrowArray& coded(std::size_t n, const std::vector<std::string>& dictionary, Value&& value) {
    ArrowArray& a = numbers<std::int32_t>(n, value);
    a.dictionary = &texts(dictionary);
    return a;
  }

  template <class Add>
  void fill(Add&& add, std::size_t batch) {
    const auto below = [this](std::size_t n) { return random_() % n; };
    if (addresses_.empty()) {
      for (std::size_t i = 0; i < 6000; ++i)
        addresses_.push_back("10." + std::to_string(i % 7) + "." + std::to_string(i / 250) + "." + std::to_string(i % 250));
    }
    static const char* const constants[] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10", "c11", "c12", "c13"};
    for (const char* name : constants) add(name, "i", true, coded(kRows, {"the same text in every row"}, [](std::size_t) { return 0; }));
    static const char* const ids[] = {"i0", "i1", "i2", "i3", "i4"};
    for (const char* name : ids) add(name, "i", false, numbers<std::int32_t>(kRows, [](std::size_t) { return 400101; }));
    static const char* const nothing[] = {"n0", "n1", "n2", "n3", "n4"};
    for (const char* name : nothing) {
      ArrowArray& a = coded(kRows, {}, [](std::size_t) { return 0; });
      a.null_count = kRows;
      a.buffers[0] = a.buffers[1];
      add(name, "i", true, a);
    }
    static const char* const few[] = {"action", "disposition", "protocol", "direction", "interface"};
    for (const char* name : few)
      add(name, "i", true,
          coded(kRows, {"ACCEPT", "REJECT", "eni-0a", "eni-0b", "eni-0c"}, [&](std::size_t) { return below(10) < 8 ? 0 : below(5); }));
    for (const char* name : {"src", "dst"})
      add(name, "i", true, coded(kRows, addresses_, [&](std::size_t) { return below(addresses_.size()); }));
    add("src_port", "i", false, numbers<std::int32_t>(kRows, [&](std::size_t) { return 1024 + below(64000); }));
    add("dst_port", "i", false, numbers<std::int32_t>(kRows, [&](std::size_t) { return below(3) ? 443 : below(65536); }));
    add("bytes", "l", false, numbers<std::int64_t>(kRows, [&](std::size_t) { return 40 + below(100000); }));
    add("packets", "l", false, numbers<std::int64_t>(kRows, [&](std::size_t) { return 1 + below(60); }));
    const std::size_t first = batch * kRows;
    add("time", "l", false, numbers<std::int64_t>(kRows, [&](std::size_t i) { return 1772352000000 + (first + i) / 50 * 1000; }));
    add("end", "l", false,
        numbers<std::int64_t>(kRows, [&](std::size_t i) { return 1772352000000 + (first + i) / 50 * 1000 + below(60) * 1000; }));
    add("offset", "l", false, numbers<std::int64_t>(kRows, [&](std::size_t i) { return (first + i) * 100 + below(10); }));
    add("length", "i", false, numbers<std::int32_t>(kRows, [&](std::size_t) { return 95 + below(10); }));
    add("record", "l", false, numbers<std::int64_t>(kRows, [&](std::size_t i) { return first + i; }));
    std::vector<std::string> uids;
    for (std::size_t i = 0; i < kRows; ++i) {
      char uid[64];
      std::snprintf(uid, sizeof uid, "4f1c0d9a7be2468f91c3d5e7f0a2b4c6-%zx", (first + i) * 100);
      uids.emplace_back(uid);
    }
    add("uid", "u", false, texts(uids));
    // Four observables a row: both addresses and both interfaces, say.
    ArrowArray& list = numbers<std::int32_t>(kRows + 1, [](std::size_t i) { return i * 4; });
    list.length = kRows;
    auto* item = new ArrowSchema{};
    ArrowArray& element = structure(*item, batch == 0, kRows * 4, [&](auto&& child) {
      child(
          "name", "i", true,
          coded(kRows * 4, {"src_endpoint.ip", "dst_endpoint.ip", "src_endpoint.interface_uid", "x"}, [](std::size_t i) { return i % 4; }));
      child("type", "i", true, coded(kRows * 4, {"IP Address", "Resource UID"}, [](std::size_t i) { return i % 4 / 2; }));
      child("type_id", "i", false, numbers<std::int32_t>(kRows * 4, [](std::size_t i) { return i % 4 < 2 ? 2 : 10; }));
      child("value", "i", true, coded(kRows * 4, addresses_, [&](std::size_t i) { return i % 4 < 2 ? below(addresses_.size()) : 7; }));
    });
    arena_->set_children(list, {&element});
    if (batch == 0) {
      auto* s = new ArrowSchema{};
      s->format = "+l";
      s->n_children = 1;
      s->children = new ArrowSchema* [1] { item };
      pending_ = s;
    }
    add("observables", "+l", false, list);
  }

  std::mt19937_64 random_;
  ArrayArena* arena_ = nullptr;
  ArrowSchema schema_{};
  const ArrowSchema* pending_ = nullptr;
  std::vector<std::string> addresses_;
  std::vector<ArrowArray> arrays_;
  std::unique_ptr<TableSchema> table_;
  Range all_{0, kRows};
};

const Flows& flows() {
  static const Flows made;
  return made;
}

// Zstd level (0: none).
void encode_flows(benchmark::State& state) {
  const Flows& input = flows();
  const auto rows = input.rows();
  EncodeOptions options;
  options.codec = state.range(0) != 0 ? Codec::zstd : Codec::none;
  options.zstd_level = static_cast<int>(state.range(0));
  RowGroupPlans plans(input.table(), options);
  Scratch scratch;
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    auto group = encode_all(plans, rows, scratch);
    if (!group) return state.SkipWithError(group.error().message.c_str());
    bytes = 0;
    for (const Chunk& chunk : group->chunks) bytes += chunk.size();
  }
  const double all = static_cast<double>(kRows * kBatches);
  state.counters["ns/row"] =
      benchmark::Counter(all * 1e-9 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["bytes/row"] = static_cast<double>(bytes) / all;
  state.counters["leaves"] = static_cast<double>(input.table().leaves.size());
}
BENCHMARK(encode_flows)->Arg(0)->Arg(1)->Arg(3)->Unit(benchmark::kMillisecond)->UseRealTime();

// One column of the row group at a time: where the time goes.
void encode_column(benchmark::State& state) {
  const Flows& input = flows();
  TableSchema one;
  one.elements = input.table().elements;
  one.anchors = input.table().anchors;
  one.leaves = {input.table().leaves[static_cast<std::size_t>(state.range(0))]};
  std::string name;
  for (const auto& part : one.leaves[0].path) name += (name.empty() ? "" : ".") + part;
  if (one.leaves[0].anchor < 0) one.anchors.clear();
  state.SetLabel(name);
  const auto rows = input.rows();
  const EncodeOptions options;
  RowGroupPlans plans(one, options);
  Scratch scratch;
  for (auto _ : state) benchmark::DoNotOptimize(encode_all(plans, rows, scratch));
  state.counters["ns/row"] = benchmark::Counter(kRows * kBatches * 1e-9 * static_cast<double>(state.iterations()),
                                                benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(encode_column)->DenseRange(0, 44)->Unit(benchmark::kMillisecond);

}  // namespace
