// A sink's config as the host makes it, with the storage of its target.
#pragma once

#include "storage/storage.hpp"

#include <logmill/sink.h>

#include <memory>
#include <string>

namespace lm::test {

class SinkConfig {
 public:
  SinkConfig(std::string target, std::string options, std::uint32_t threads, std::uint64_t memory, std::string run)
      : target_(std::move(target)), options_(std::move(options)), run_(std::move(run)), storages_(S3Options{}) {
    storage_ = std::make_unique<HostStorage>(storages_.make(target_, run_, 0));
    config_ = {sizeof(lm_sink_config), threads, text(target_), text(options_), memory, text(run_), storage_->get(), nullptr, nullptr};
  }
  const lm_sink_config& get() const { return config_; }

 private:
  static lm_str text(const std::string& s) { return {s.data(), s.size()}; }
  std::string target_, options_, run_;
  Storages storages_;
  std::unique_ptr<HostStorage> storage_;
  lm_sink_config config_{};
};

}  // namespace lm::test
