// The yardstick: what it takes to unzip an archive and look at its fields, and nothing else. Whatever reads these logs does at least this.
//
//   limit THREADS FILE_OR_FOLDER...      *.json.gz: 27 fields of each CloudTrail record, by simdjson On-Demand in the order of the document, with a switch over keys
//                                        *.log.gz:  the fields of each line, told apart by vector comparisons
//
// Prints megabytes decoded a second, and sums that depend on every field that was looked at. It measures: what is damaged ends it.
#include <emmintrin.h>
#include <isa-l/igzip_lib.h>
#include <simdjson.h>

#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

namespace fs = std::filesystem;
namespace od = simdjson::ondemand;

struct Totals {
  std::uint64_t decoded = 0, records = 0, fields = 0, sum = 0;
  void add(const Totals& o) { decoded += o.decoded, records += o.records, fields += o.fields, sum += o.sum; }
};

// ---- gzip ----

std::vector<std::uint8_t> read_whole(const fs::path& path) {
  std::vector<std::uint8_t> out(fs::file_size(path));
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size())))
    throw std::runtime_error(path.string() + " cannot be read");
  return out;
}

// A file's members, one after the other.
class Unzip {
 public:
  explicit Unzip(const std::vector<std::uint8_t>& stored) : next_(stored.data()), left_(stored.size()) { begin(); }
  // How many bytes were written to the front of `out`, which is filled unless the file ends.
  std::size_t read(std::uint8_t* out, std::size_t size) {
    std::size_t done = 0;
    while (done < size) {
      if (state_.block_state == ISAL_BLOCK_FINISH) {
        if (left_ == 0) break;
        begin();
      }
      constexpr std::size_t kMost = std::size_t{1} << 30;
      const auto in = static_cast<std::uint32_t>(std::min(left_, kMost)), space = static_cast<std::uint32_t>(std::min(size - done, kMost));
      state_.next_in = const_cast<std::uint8_t*>(next_), state_.avail_in = in;
      state_.next_out = out + done, state_.avail_out = space;
      if (isal_inflate(&state_) != 0) throw std::runtime_error("the compressed data is broken");
      const std::size_t taken = in - state_.avail_in, given = space - state_.avail_out;
      if (taken == 0 && given == 0) throw std::runtime_error("the compressed data ends early");
      next_ += taken, left_ -= taken, done += given;
    }
    return done;
  }

 private:
  void begin() {
    isal_inflate_init(&state_);
    state_.crc_flag = ISAL_GZIP;
  }
  inflate_state state_;
  const std::uint8_t* next_;
  std::size_t left_;
};

// ---- CloudTrail ----

constexpr std::uint64_t hash(std::string_view key) {
  std::uint64_t h = key.size();
  for (const char c : key) h = h * 131 + static_cast<unsigned char>(c);
  return h;
}

class CloudTrail {
 public:
  void read(std::uint8_t* text, std::size_t size, std::size_t capacity) {
    od::document document = parser_.iterate(text, size, capacity);
    for (od::field member : document.get_object()) {
      if (member.key() != "Records") continue;
      for (od::object record : member.value().get_array()) {
        ++totals.records;
        event(record);
      }
    }
  }
  Totals totals;

 private:
  template <class Visit>
  void members(od::object object, Visit visit) {
    for (od::field member : object) {
      const char* const raw = member.key().raw();
      visit(hash({raw, static_cast<std::size_t>(std::strchr(raw, '"') - raw)}), member.value());
    }
  }
  void touch(std::string_view text) {
    ++totals.fields;
    totals.sum += text.size() + static_cast<unsigned char>(text.front());
  }
  void scalar(od::value value) { touch(value.raw_json_token()); }
  template <class Then>
  void object(od::value value, Then then) {
    if (value.type() == od::json_type::object) then(value.get_object());
  }

  void event(od::object record) {
    members(record, [&](std::uint64_t key, od::value value) {
      switch (key) {
        case hash("eventTime"):
        case hash("eventSource"):
        case hash("eventName"):
        case hash("awsRegion"):
        case hash("sourceIPAddress"):
        case hash("userAgent"):
        case hash("requestID"):
        case hash("eventID"):
        case hash("eventType"):
        case hash("readOnly"):
        case hash("managementEvent"):
        case hash("recipientAccountId"):
        case hash("eventCategory"):
        case hash("errorCode"):
        case hash("errorMessage"): return scalar(value);
        case hash("requestParameters"):
        case hash("responseElements"): return object(value, [&](od::object o) { touch(o.raw_json()); });
        case hash("tlsDetails"):
          return object(value, [&](od::object o) {
            members(o, [&](std::uint64_t k, od::value v) {
              if (k == hash("tlsVersion")) scalar(v);
            });
          });
        case hash("userIdentity"): return object(value, [&](od::object o) { identity(o); });
        default: return;
      }
    });
  }
  void identity(od::object identity) {
    members(identity, [&](std::uint64_t key, od::value value) {
      switch (key) {
        case hash("type"):
        case hash("principalId"):
        case hash("arn"):
        case hash("accountId"):
        case hash("accessKeyId"):
        case hash("userName"): return scalar(value);
        case hash("sessionContext"):
          return object(value, [&](od::object context) {
            members(context, [&](std::uint64_t part, od::value v) {
              if (part != hash("sessionIssuer") && part != hash("attributes")) return;
              object(v, [&](od::object o) {
                members(o, [&](std::uint64_t k, od::value inner) {
                  if (part == hash("sessionIssuer") ? k == hash("arn") : k == hash("creationDate") || k == hash("mfaAuthenticated"))
                    scalar(inner);
                });
              });
            });
          });
        default: return;
      }
    });
  }

  od::parser parser_;
};

// ---- Flow logs ----

class Flow {
 public:
  // Whole lines. 64 bytes behind them can be read.
  void read(const std::uint8_t* text, std::size_t size) {
    const __m128i space = _mm_set1_epi8(' '), newline = _mm_set1_epi8('\n');
    std::size_t begin = 0;
    for (std::size_t at = 0; at < size; at += 64) {
      std::uint64_t ends = 0, lines = 0;
      for (unsigned i = 0; i < 4; ++i) {
        const __m128i part = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + at + std::size_t{16} * i));
        const __m128i is_line = _mm_cmpeq_epi8(part, newline);
        lines |= static_cast<std::uint64_t>(_mm_movemask_epi8(is_line)) << (16 * i);
        ends |= static_cast<std::uint64_t>(_mm_movemask_epi8(_mm_or_si128(is_line, _mm_cmpeq_epi8(part, space)))) << (16 * i);
      }
      if (size - at < 64) {
        const std::uint64_t there = (std::uint64_t{1} << (size - at)) - 1;
        ends &= there, lines &= there;
      }
      totals.records += static_cast<std::uint64_t>(std::popcount(lines));
      totals.fields += static_cast<std::uint64_t>(std::popcount(ends));
      for (; ends != 0; ends &= ends - 1) {
        const std::size_t end = at + static_cast<std::size_t>(std::countr_zero(ends));
        totals.sum += end - begin + text[begin];
        begin = end + 1;
      }
    }
  }
  Totals totals;
};

// ---- The whole ----

class Worker {
 public:
  void read(const fs::path& path) {
    const std::vector<std::uint8_t> stored = read_whole(path);
    Unzip unzip(stored);
    const bool json = path.string().ends_with(".json.gz");
    std::size_t used = 0;
    for (;;) {
      // A document is read whole; lines as far as stays in the cache.
      if (buffer_.size() - kPadding - used < (json ? kWindow : 1)) buffer_.resize(2 * buffer_.size());
      const std::size_t n =
          unzip.read(buffer_.data() + used, json ? buffer_.size() - kPadding - used : std::min(kWindow, buffer_.size() - kPadding - used));
      used += n;
      totals_.decoded += n;
      if (json && n != 0) continue;
      if (json) break;
      std::size_t lines = used;
      while (n != 0 && lines != 0 && buffer_[lines - 1] != '\n') --lines;
      flow_.read(buffer_.data(), lines);
      std::memmove(buffer_.data(), buffer_.data() + lines, used - lines);
      used -= lines;
      if (n == 0) break;
    }
    if (json) trail_.read(buffer_.data(), used, buffer_.size());
  }
  Totals totals() const {
    Totals out = totals_;
    out.add(trail_.totals);
    out.add(flow_.totals);
    return out;
  }

 private:
  static constexpr std::size_t kPadding = simdjson::SIMDJSON_PADDING, kWindow = 256 << 10;
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(4 * kWindow);
  CloudTrail trail_;
  Flow flow_;
  Totals totals_;
};

int run(unsigned threads, const std::vector<fs::path>& files) {
  const auto began = std::chrono::steady_clock::now();
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<std::thread> pool;
  std::atomic<std::size_t> next{0};
  for (unsigned t = 0; t < threads; ++t) {
    workers.push_back(std::make_unique<Worker>());
    pool.emplace_back([&, worker = workers.back().get()] {
      try {
        for (std::size_t i; (i = next.fetch_add(1)) < files.size();) worker->read(files[i]);
      } catch (const std::exception& e) {
        std::fprintf(stderr, "limit: %s\n", e.what());
        std::exit(1);
      }
    });
  }
  for (std::thread& t : pool) t.join();
  Totals all;
  for (const auto& worker : workers) all.add(worker->totals());
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::printf("%.0f MB/s: %.1f MB decoded in %.2f s, %zu objects, %llu records, %llu fields, sum %llu\n",
              static_cast<double>(all.decoded) / seconds / 1e6, static_cast<double>(all.decoded) / 1e6, seconds, files.size(),
              static_cast<unsigned long long>(all.records), static_cast<unsigned long long>(all.fields),
              static_cast<unsigned long long>(all.sum));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const unsigned threads = argc > 2 ? static_cast<unsigned>(std::strtoul(argv[1], nullptr, 10)) : 0;
  std::vector<fs::path> files;
  try {
    for (int i = 2; i < argc; ++i) {
      if (!fs::is_directory(argv[i])) {
        files.emplace_back(argv[i]);
        continue;
      }
      for (const auto& entry : fs::recursive_directory_iterator(argv[i])) {
        if (entry.path().extension() == ".gz") files.push_back(entry.path());
      }
    }
    if (threads == 0 || files.empty()) {
      std::fputs("usage: limit THREADS FILE_OR_FOLDER...\n", stderr);
      return 2;
    }
    return run(threads, files);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "limit: %s\n", e.what());
    return 1;
  }
}
