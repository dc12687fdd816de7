// What the user asked for: flags, the LOGMILL_* environment and the --config file become one Arguments. A flag wins over the environment, and
// the environment over the file. No work is done here.
#pragma once

#include "progress.hpp"

#include <logmill/core.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace lm::cli {

// Exit codes; they are promised in --help and in the manual page.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitRejected = 3;

enum class LogFormat { text, json };
enum class Isolate { automatic, always, never };  // automatic: parsers of plugin_dirs

struct Common {
  std::vector<std::filesystem::path> plugin_dirs;  // besides those of the installation
  Isolate isolate = Isolate::automatic;
  Isolation isolation;  // its limits
  std::string log_level = "info";
  LogFormat log_format = LogFormat::text;
};

struct RunArguments {
  RunOptions options;
  ProgressMode progress = ProgressMode::automatic;
  std::filesystem::path stats;  // may be empty
};

struct PlanArguments {
  RunOptions options;
  bool json = false;
};

struct PluginsArguments {
  std::string show;  // an id; empty: list them all
};

struct SchemaArguments {
  std::string table;  // empty: all
  bool json = false;
  std::optional<SinkSpec> sink;  // what its target must know, and not columns
  bool install = false;          // and tells it
};

struct CatalogArguments {
  CatalogOptions options;
  std::filesystem::path out;  // empty: standard output
};

struct StateArguments {
  enum class What { show, objects, retry, forget, merge };
  What what = What::show;
  std::filesystem::path file;
  std::vector<std::string> names;     // uris; for merge the ledgers
  std::optional<ObjectOutcome> only;  // for objects
  bool json = false;
  S3Options s3;  // of targets whose manifest is written again
};

struct Arguments {
  Common common;
  std::variant<RunArguments, PlanArguments, PluginsArguments, SchemaArguments, CatalogArguments, StateArguments> command;
};

// Answers Arguments, or the exit code when there is nothing more to do: help and version were printed to standard output (kExitDone), or what is
// wrong to standard error (kExitUsage).
std::variant<Arguments, int> parse_arguments(int argc, const char* const* argv);

}  // namespace lm::cli
