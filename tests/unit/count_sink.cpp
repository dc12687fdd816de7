// A sink that counts: what it was given is one output, a file with the number of rows. It cannot sweep, as a third party's may not.
#include "common/sink_glue.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>

namespace {

namespace fs = std::filesystem;
using lm::sink::Result;

constexpr lm_str text(std::string_view s) { return {s.data(), s.size()}; }
constexpr lm_sink_descriptor kDescriptor{
    sizeof(lm_sink_descriptor), 0, text("count"), text("A count"), text("test"), text("1.0.0"), text("DIR"), nullptr, 0};

class CountSink {
 public:
  static const lm_sink_descriptor& descriptor() { return kDescriptor; }
  static Result<std::unique_ptr<CountSink>> create(const lm_sink_config& config) {
    auto out = std::make_unique<CountSink>();
    out->folder_ = lm::sink::view(config.target), out->run_ = lm::sink::view(config.run_id);
    fs::create_directories(out->folder_);
    return out;
  }
  Result<std::uint32_t> open(const lm_table&) { return tables_++; }
  Result<void> write(lm::sink::Batch batch) {
    rows_ += static_cast<std::uint64_t>(batch.array().length);
    return {};
  }
  Result<void> seal(const lm::sink::Report& report) {
    if (rows_ == 0) return {};
    std::ofstream(hidden(run_)) << rows_;
    report({0, run_, run_, rows_, 0});
    return {};
  }
  Result<void> publish(std::string_view token) {
    std::error_code gone;
    fs::rename(hidden(token), folder_ / token, gone);
    return {};
  }
  Result<void> discard(std::string_view token) {
    fs::remove(hidden(token));
    return {};
  }

 private:
  fs::path hidden(std::string_view token) const { return folder_ / std::string(".").append(token); }

  fs::path folder_;
  std::string run_;
  std::uint32_t tables_ = 0;
  std::atomic<std::uint64_t> rows_{0};
};

}  // namespace

LOGMILL_SINK(CountSink)
