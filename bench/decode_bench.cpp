// Decoding speed, in bytes of decoded text a second, of synthetic CloudTrail-like JSON.
#include "decode/decode.hpp"

#include <benchmark/benchmark.h>
#include <zlib.h>
#include <zstd.h>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace {

std::string text() {
  std::mt19937 random(1);
  std::string out = "{\"Records\":[";
  while (out.size() < (32 << 20)) {
    out += "{\"eventVersion\":\"1.08\",\"userIdentity\":{\"type\":\"AssumedRole\",\"principalId\":\"AROA" +
           std::to_string(random() % 5000) + "\",\"arn\":\"arn:aws:sts::111122223333:assumed-role/app/" + std::to_string(random() % 300) +
           "\",\"accountId\":\"111122223333\"},\"eventTime\":\"2026-03-01T08:" + std::to_string(10 + random() % 50) + ":" +
           std::to_string(10 + random() % 50) +
           "Z\",\"eventSource\":\"s3.amazonaws.com\",\"eventName\":\"GetObject\",\"awsRegion\":\"eu-central-1\"," +
           "\"sourceIPAddress\":\"192.0.2." + std::to_string(random() % 256) + "\",\"requestParameters\":{\"bucketName\":\"data-" +
           std::to_string(random() % 50) + "\",\"key\":\"part-" + std::to_string(random()) + "\"},\"eventID\":\"" +
           std::to_string(random()) + "-" + std::to_string(random()) + "\"},";
  }
  out.back() = ']';
  return out + "}";
}

std::string gzip(const std::string& from) {
  z_stream s{};
  deflateInit2(&s, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&s, from.size()) + 64, '\0');
  s.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(from.data())), s.avail_in = static_cast<uInt>(from.size());
  s.next_out = reinterpret_cast<Bytef*>(out.data()), s.avail_out = static_cast<uInt>(out.size());
  deflate(&s, Z_FINISH);
  out.resize(s.total_out);
  deflateEnd(&s);
  return out;
}

std::string zstd(const std::string& from) {
  std::string out(ZSTD_compressBound(from.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), from.data(), from.size(), 3));
  return out;
}

void run(benchmark::State& state, const std::string& stored, std::uint64_t decoded) {
  std::vector<std::byte> out(1 << 20);
  for (auto _ : state) {
    auto decoder = lm::make_object_decoder({});
    decoder->feed({reinterpret_cast<const std::byte*>(stored.data()), stored.size()});
    for (;;) {
      auto pulled = decoder->pull(out);
      if (!pulled) std::abort();
      benchmark::DoNotOptimize(out.data());
      if (pulled->state == lm::Pull::need_input) decoder->end_of_input();
      if (pulled->state == lm::Pull::end) break;
    }
    // A speed only counts if the work was done.
    if (decoder->decoded_bytes() != decoded) std::abort();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(decoded) * static_cast<std::int64_t>(state.iterations()));
}

void gzip_member(benchmark::State& state) {
  const std::string from = text();
  run(state, gzip(from), from.size());
}
// As load balancers write it: a member every few kilobytes.
void gzip_many_members(benchmark::State& state) {
  const std::string from = text();
  std::string stored;
  for (std::size_t at = 0; at < from.size(); at += 8192) stored += gzip(from.substr(at, 8192));
  run(state, stored, from.size());
}
void zstd_frame(benchmark::State& state) {
  const std::string from = text();
  run(state, zstd(from), from.size());
}
void plain(benchmark::State& state) {
  const std::string from = text();
  run(state, from, from.size());
}

BENCHMARK(gzip_member)->Unit(benchmark::kMillisecond);
BENCHMARK(gzip_many_members)->Unit(benchmark::kMillisecond);
BENCHMARK(zstd_frame)->Unit(benchmark::kMillisecond);
BENCHMARK(plain)->Unit(benchmark::kMillisecond);

}  // namespace
