#include "log.hpp"

#include "progress.hpp"
#include "text.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <mutex>

namespace lm::cli {
namespace {

// A message may quote what a hostile archive holds, so that neither form can be left to spdlog's patterns, which escape nothing.
class Sink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit Sink(LogFormat format) : format_(format) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    const std::string_view level(spdlog::level::to_string_view(message.level).data(), spdlog::level::to_string_view(message.level).size());
    const auto time = std::chrono::time_point_cast<std::chrono::milliseconds>(message.time);
    const auto milliseconds = time.time_since_epoch().count() % 1000;
    const std::tm utc = fmt::gmtime(std::chrono::system_clock::to_time_t(message.time));
    if (format_ == LogFormat::json) {
      StandardError::instance().write(fmt::format("{{\"time\":\"{:%Y-%m-%dT%H:%M:%S}.{:03}Z\",\"level\":\"{}\",\"message\":{}}}\n", utc,
                                                  milliseconds, level, json_string(text)));
    } else {
      StandardError::instance().write(fmt::format("{:%H:%M:%S} {}: {}\n", utc, level, printable(text)));
    }
  }
  void flush_() override {}

 private:
  LogFormat format_;
};

}  // namespace

void set_up_logging(const Common& common) {
  auto logger = std::make_shared<spdlog::logger>("logmill", std::make_shared<Sink>(common.log_format));
  logger->set_level(spdlog::level::from_str(common.log_level));
  spdlog::set_default_logger(std::move(logger));
}

void log_error(const std::string& text) { spdlog::error("{}", text); }
void log_warning(const std::string& text) { spdlog::warn("{}", text); }

}  // namespace lm::cli
