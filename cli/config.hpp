// The --config file: YAML whose keys are the long flag names, plus `input:` (a list) and `plugins:` (a map from parser id to that parser's
// own configuration). Reads only; what a value means is decided where flags are (arguments.cpp).
#pragma once

#include <logmill/core.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lm::cli {

struct ConfigEntry {
  std::string key;
  std::vector<std::string> values;  // one, but for lists
  std::string origin;               // "logmill.yaml:3: memory", for messages
};

struct Config {
  std::vector<ConfigEntry> entries;
  std::map<std::string, std::string> plugins;  // parser id -> JSON object
};

// A key for which `known` is false, a key that stands twice, and anything that is not YAML are Errc::invalid; the message names the file and
// the line. An alias counts as what it stands for, up to a size that no honest file needs.
Result<Config> read_config(const std::filesystem::path&, const std::function<bool(std::string_view key)>& known);

}  // namespace lm::cli
