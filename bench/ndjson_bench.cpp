// The speed of JSON rendering, alone and with compression, on rows like those of VPC flow logs: about 40 fields and 1.5 kB of JSON a row.
// Bytes are those of the JSON.
#include "../tests/unit/sink_arrow.hpp"
#include "common/json_writer.hpp"
#include "ndjson/compress.hpp"

#include <benchmark/benchmark.h>
#include <random>

namespace {

using namespace lm::test;
using namespace lm::sink;

ColumnPtr flow_rows(std::size_t rows) {
  std::mt19937_64 random(1);
  const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
  const auto fixed = [&](std::string name, std::string value) {
    return coded(std::move(name), {std::move(value)}, std::vector<std::optional<std::int32_t>>(rows, 0));
  };
  const auto words = [&](std::string name, std::string stem, std::size_t distinct) {
    std::vector<std::string> dictionary;
    for (std::size_t i = 0; i < distinct; ++i) dictionary.push_back(stem + std::to_string(i));
    std::vector<std::optional<std::int32_t>> codes;
    for (std::size_t i = 0; i < rows; ++i) codes.push_back(static_cast<std::int32_t>(below(distinct)));
    return coded(std::move(name), dictionary, codes);
  };
  const auto longs = [&](std::string name, std::int64_t from, std::uint64_t span) {
    std::vector<std::optional<std::int64_t>> out;
    for (std::size_t i = 0; i < rows; ++i) out.push_back(from + below(span));
    return int64s(std::move(name), out);
  };
  const auto ints = [&](std::string name, std::uint64_t span) {
    std::vector<std::optional<std::int32_t>> out;
    for (std::size_t i = 0; i < rows; ++i) out.push_back(static_cast<std::int32_t>(below(span)));
    return int32s(std::move(name), out);
  };
  const auto plain = [&](std::string name, std::string stem) {
    std::vector<std::optional<std::string>> out;
    for (std::size_t i = 0; i < rows; ++i) out.push_back(stem + std::to_string(random()));
    return texts(std::move(name), out);
  };
  const auto nothing = [&](std::string name) { return texts(std::move(name), std::vector<std::optional<std::string>>(rows)); };
  const auto endpoint = [&](std::string name) {
    return structure(std::move(name),
                     {words("hostname", "ip-192-0-2-", 200), words("instance_uid", "i-0123456789abcdef", 300),
                      words("interface_uid", "eni-0123456789abcdef", 300), words("ip", "192.0.2.", 256), nothing("name"),
                      ints("port", 65536), words("subnet_uid", "subnet-0123456789ab", 20), words("vpc_uid", "vpc-0123456789ab", 5)});
  };
  const auto observable = structure("item", {[&] {
                                               std::vector<std::optional<std::int32_t>> codes;
                                               for (std::size_t i = 0; i < rows * 2; ++i) codes.push_back(static_cast<std::int32_t>(i % 2));
                                               return coded("name", {"src_endpoint.ip", "dst_endpoint.ip"}, codes);
                                             }(),
                                             coded("type", {"IP Address"}, std::vector<std::optional<std::int32_t>>(rows * 2, 0)),
                                             int32s("type_id", std::vector<std::optional<std::int32_t>>(rows * 2, 2)),
                                             [&] {
                                               std::vector<std::string> dictionary;
                                               std::vector<std::optional<std::int32_t>> codes;
                                               for (int i = 0; i < 256; ++i) dictionary.push_back("192.0.2." + std::to_string(i));
                                               for (std::size_t i = 0; i < rows * 2; ++i)
                                                 codes.push_back(static_cast<std::int32_t>(below(256)));
                                               return coded("value", dictionary, codes);
                                             }()});
  return structure(
      "", {words("action", "Allow", 2),
           ints("action_id", 3),
           fixed("activity_name", "Traffic"),
           fixed("category_name", "Network Activity"),
           int32s("category_uid", std::vector<std::optional<std::int32_t>>(rows, 4)),
           fixed("class_name", "Network Activity"),
           int32s("class_uid", std::vector<std::optional<std::int32_t>>(rows, 4001)),
           structure("cloud", {structure("account", {words("uid", "11112222333", 4)}), fixed("provider", "AWS"),
                               words("region", "eu-west-", 3), words("zone", "euw1-az", 3)}),
           structure("connection_info", {words("direction", "Inbound", 2), ints("direction_id", 3), words("protocol_name", "tcp", 3),
                                         ints("protocol_num", 50), ints("tcp_flags", 64)}),
           endpoint("dst_endpoint"),
           longs("end_time", 1772352000000, 1000000),
           structure("lineage", {words("etag", "0123456789abcdef0123456789abcdef-", 8), ints("item", 1), longs("length", 100, 80),
                                 longs("offset", 0, 100000000), fixed("parser", "aws.vpcflow 1.0.0"), longs("record", 0, 1000000),
                                 words("uri", "s3://acme-flow/AWSLogs/111122223333/vpcflowlogs/eu-west-1/2026/03/01/", 8)}),
           structure("metadata",
                     {fixed("log_name", "vpcflow"), structure("product", {fixed("name", "VPC Flow Logs"), fixed("vendor_name", "AWS")}),
                      list("profiles", std::vector<std::optional<int>>(rows, 1),
                           coded("item", {"cloud"}, std::vector<std::optional<std::int32_t>>(rows, 0))),
                      plain("uid", "0123456789abcdef0123456789abcdef-"), fixed("version", "1.8.0")}),
           list("observables", std::vector<std::optional<int>>(rows, 2), observable),
           fixed("severity", "Informational"),
           int32s("severity_id", std::vector<std::optional<std::int32_t>>(rows, 1)),
           endpoint("src_endpoint"),
           longs("start_time", 1772352000000, 1000000),
           words("status_code", "OK", 2),
           longs("time", 1772352000000, 1000000),
           structure("traffic", {longs("bytes", 40, 1000000), longs("packets", 1, 1000)}),
           fixed("type_name", "Network Activity: Traffic"),
           longs("type_uid", 400106, 1),
           nothing("unmapped")});
}

void render(benchmark::State& state, Compression compression, int level) {
  const auto root = flow_rows(8192);
  root->wire();
  JsonWriter writer(*Field::parse(root->schema), 16 << 20);
  Compressor compressor(compression, level);
  TextBuffer out;
  std::uint64_t bytes = 0, compressed = 0;
  for (auto _ : state) {
    writer.begin(root->array, 1, 1);
    for (std::int64_t row = 0; row < writer.rows();) {
      out.clear();
      row = writer.render(row, out, 1 << 20);
      bytes += out.size();
      compressed += compressor.run(out.view())->size();
    }
    writer.end();
  }
  const auto rows = static_cast<double>(state.iterations()) * 8192;
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
  state.counters["bytes_a_row"] = static_cast<double>(bytes) / rows;
  state.counters["ratio"] = static_cast<double>(bytes) / static_cast<double>(compressed);
}

BENCHMARK_CAPTURE(render, json, Compression::none, 1);
BENCHMARK_CAPTURE(render, json_zstd_1, Compression::zstd, 1);
BENCHMARK_CAPTURE(render, json_zstd_3, Compression::zstd, 3);
BENCHMARK_CAPTURE(render, json_gzip_1, Compression::gzip, 1);

void escape(benchmark::State& state) {
  std::vector<std::optional<std::string>> values(1000, std::string(300, 'x') + "\"y\"" + std::string(300, 'z'));
  values[1] = "another";  // so that the column is not constant
  const auto root = structure("", {texts("t", values)});
  root->wire();
  JsonWriter writer(*Field::parse(root->schema), 1 << 20);
  TextBuffer out;
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    out.clear();
    writer.begin(root->array, 1, 1);
    for (std::int64_t row = 0; row < writer.rows();) row = writer.render(row, out, 1 << 30);
    writer.end();
    bytes += out.size();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(escape);

}  // namespace
