// The command line of logmill: arguments, progress, summary. What is done with logs is done in core.
#include "arguments.hpp"
#include "listing.hpp"
#include "log.hpp"
#include "progress.hpp"
#include "state.hpp"
#include "stop.hpp"
#include "summary.hpp"
#include "text.hpp"
#include "whole_file.hpp"

#include <logmill/core.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <type_traits>
#include <variant>

namespace lm::cli {
namespace {

int fail_with(int code, const std::string& what) {
  log_error(what);
  return code;
}

int refuse(const Error& error) {
  const bool usage = error.code == Errc::invalid || error.code == Errc::not_found;
  return fail_with(usage ? kExitUsage : kExitFailed, error.what);
}

int print(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (!written && errno == EPIPE) return kExitDone;  // whoever reads has seen enough
  return written ? kExitDone : fail_with(kExitFailed, "standard output cannot be written");
}

Result<Registry> load(const Common& common) {
  Registry registry;
  Isolation isolation = common.isolation;
  isolation.on = common.isolate == Isolate::always;
  if (Result<void> loaded = registry.load_default(isolation); !loaded) return tl::unexpected<Error>(loaded.error());
  isolation.on = common.isolate != Isolate::never;
  for (const std::filesystem::path& directory : common.plugin_dirs) {
    if (Result<void> loaded = registry.load_directory(directory, isolation); !loaded) return tl::unexpected<Error>(loaded.error());
  }
  return registry;
}

template <class Info>
std::string ids(const std::vector<Info>& all) {
  std::string out;
  for (const Info& one : all) out += (out.empty() ? "" : ", ") + one.id;
  return out.empty() ? "none" : out;
}

template <class Info>
const Info* find(const std::vector<Info>& all, const std::string& id) {
  const auto at = std::find_if(all.begin(), all.end(), [&](const Info& one) { return one.id == id; });
  return at == all.end() ? nullptr : &*at;
}

// Names that no plugin answers to, told apart from a failing run: nothing was read yet.
Result<void> check_names(const Registry& registry, const RunOptions& options) {
  // All that is known of parsers takes milliseconds to tell: only where one is named.
  const bool named = !options.plugin.empty() || !options.plugin_config.empty();
  const std::vector<ParserInfo> parsers = named ? registry.parsers() : std::vector<ParserInfo>();
  const std::vector<SinkInfo> sinks = registry.sinks();
  if (!options.plugin.empty()) {
    const ParserInfo* parser = find(parsers, options.plugin);
    if (!parser) return fail(Errc::invalid, fmt::format("--plugin {}: no such parser; installed: {}", options.plugin, ids(parsers)));
    if (parser->set_aside)
      return fail(Errc::invalid, fmt::format("--plugin {}: it only recognises objects without events, and reads none", options.plugin));
  }
  for (const auto& [id, json] : options.plugin_config) {
    if (find(parsers, id) == nullptr)
      return fail(Errc::invalid, fmt::format("plugins: {}: no such parser; installed: {}", id, ids(parsers)));
  }
  std::size_t to_stdout = 0;
  for (const SinkSpec& sink : options.sinks) {
    const SinkInfo* info = find(sinks, sink.id);
    if (!info) return fail(Errc::invalid, fmt::format("--to {}: no such sink; installed: {}", sink.id, ids(sinks)));
    to_stdout += sink.target == "-";
    // A target may hold commas, but an option's bare name behind one is an option that lacks its value.
    for (const OptionInfo& option : info->options) {
      if (fmt::format("{},", sink.target).find(fmt::format(",{},", option.name)) != std::string::npos)
        return fail(Errc::invalid, fmt::format("--to {}:{}: the option '{}' has no value: write {}={}", sink.id, sink.target, option.name,
                                               option.name, option.fallback));
    }
  }
  if (to_stdout > 1) return fail(Errc::invalid, "--to: only one sink can write to standard output");
  return {};
}

int exit_code(const Summary& summary) {
  if (summary.cancelled) return kExitFailed;
  return summary.complete() ? kExitDone : kExitRejected;
}

// That nothing is lost by writing the statistics: no log that is read, however it is found, and nothing that the run goes by or writes.
Result<void> check_spare(const RunArguments& arguments) {
  namespace fs = std::filesystem;
  const RunOptions& options = arguments.options;
  const auto refused = [&](std::string_view why) {
    return fail(Errc::invalid, fmt::format("--stats {}: {}", printable(arguments.stats.string()), why));
  };
  std::error_code ignored;
  const auto place = [&](const fs::path& path) { return path.empty() ? path : fs::weakly_canonical(fs::absolute(path, ignored), ignored); };
  const fs::path mine = place(arguments.stats);
  const auto is = [&](const fs::path& path) { return !mine.empty() && mine == place(path); };
  if (is(options.state)) return refused("it is the ledger");
  if (is(options.rejects)) return refused("it is the folder of the rejects");
  for (const SinkSpec& sink : options.sinks) {
    if (sink.target == "-" && is_standard_output(arguments.stats))
      return refused("standard output is for the events, and for nothing else");
    if (is(sink.target)) return refused("events are written there");
  }
  if (!fs::is_regular_file(arguments.stats, ignored) || is_open(arguments.stats)) return {};
  std::string head;
  std::ifstream stream(arguments.stats, std::ios::binary);
  if (std::getline(stream, head, ':') && head != "{\"logmill\"") return refused("what stands there are no statistics, and would be lost");
  return {};
}

int refuse_run(const Error& error, const RunArguments& arguments) {
  const int code = refuse(error);
  if (code == kExitUsage) return code;  // an input that is not there is found out before anything is read
  log_error(arguments.options.state.empty()
                ? "the run failed: no file of it is kept; with --state FILE what is committed stays, and the next run goes on"
                : "the run failed: what was committed is kept, and the same command goes on");
  // What stands there of a run before must not be taken for this one's.
  if (!arguments.stats.empty()) {
    if (Result<void> written = write_whole(arguments.stats, failure_json(error.what) + "\n"); !written)
      log_error("--stats " + written.error().what);
  }
  return code;
}

int command(const Registry& registry, const Common& common, const RunArguments& arguments) {
  if (Result<void> known = check_names(registry, arguments.options); !known) return fail_with(kExitUsage, known.error().what);
  if (!arguments.stats.empty()) {
    if (Result<void> spare = check_spare(arguments); !spare) return refuse(spare.error());
    if (Result<void> can = check_writable(arguments.stats); !can) return refuse({can.error().code, "--stats " + can.error().what});
  }

  Run run(registry, arguments.options);
  Result<Summary> summary = [&] {
    const StopOnSignal stop(run);
    const ProgressBar bar(arguments.progress, [&] { return run.progress(); });
    return run.execute();
  }();
  if (!summary) return refuse_run(summary.error(), arguments);

  if (common.log_format == LogFormat::json) {
    StandardError::instance().write(fmt::format("{{\"summary\":{}}}\n", summary_json(*summary, kShownReports)));
  } else {
    StandardError::instance().write(
        summary_text(*summary, {arguments.options.rejects.string(), arguments.stats.string(), arguments.options.state.string()}));
  }
  if (!arguments.stats.empty()) {
    Result<void> written = write_whole(arguments.stats, summary_json(*summary) + "\n");
    if (!written) return fail_with(kExitFailed, "--stats " + written.error().what + "; what the run wrote is kept");
  }
  return exit_code(*summary);
}

int command(const Registry& registry, const Common&, const PlanArguments& arguments) {
  std::atomic<bool> cancelled{false};
  const StopOnSignal stop(cancelled);
  const Result<Plan> found = plan(registry, arguments.options, cancelled);
  if (!found) {
    const bool usage = found.error().code == Errc::invalid || found.error().code == Errc::not_found;
    return fail_with(usage ? kExitUsage : kExitFailed, found.error().what);
  }
  for (const ObjectReport& report : found->unreadable) log_warning(fmt::format("{}: {}", printable(report.uri), report.reason));
  const int printed = print(arguments.json ? plan_json(*found) : plan_text(*found));
  return printed == kExitDone && !found->unreadable.empty() ? kExitRejected : printed;
}

int command(const Registry& registry, const Common&, const PluginsArguments& arguments) {
  const std::vector<ParserInfo> parsers = registry.parsers();
  const std::vector<SinkInfo> sinks = registry.sinks();
  if (arguments.show.empty()) return print(plugins_text(parsers, sinks));
  if (const ParserInfo* parser = find(parsers, arguments.show)) return print(parser_text(*parser));
  if (const SinkInfo* sink = find(sinks, arguments.show)) return print(sink_text(*sink));
  return fail_with(kExitUsage, fmt::format("{}: no such parser or sink; parsers: {}; sinks: {}", arguments.show, ids(parsers), ids(sinks)));
}

int command(const Registry& registry, const Common&, const SchemaArguments& arguments) {
  std::vector<TableInfo> tables = registry.tables();
  if (!arguments.table.empty()) {
    std::string names;
    for (const TableInfo& table : tables) names += (names.empty() ? "" : ", ") + table.name;
    tables.erase(std::remove_if(tables.begin(), tables.end(), [&](const TableInfo& table) { return table.name != arguments.table; }),
                 tables.end());
    if (tables.empty()) return fail_with(kExitUsage, fmt::format("{}: no such table; there are: {}", arguments.table, names));
  }
  if (!arguments.sink) return print(arguments.json ? schema_json(tables) : schema_text(tables));
  const Result<std::string> schema = sink_schema(registry, *arguments.sink, arguments.table, arguments.install);
  return schema ? print(*schema) : refuse({schema.error().code, printable(schema.error().what)});
}

int command(const Registry& registry, const Common&, const CatalogArguments& arguments) {
  if (!arguments.out.empty()) {
    if (Result<void> can = check_writable(arguments.out); !can) return refuse({can.error().code, "--out " + can.error().what});
  }
  const Result<Catalog> made = make_catalog(registry, arguments.options);
  if (!made) return refuse({made.error().code, printable(made.error().what)});
  for (const std::string& warning : made->warnings) log_warning(printable(warning));
  if (arguments.out.empty()) return print(made->text);
  const Result<void> written = write_whole(arguments.out, made->text);
  return written ? kExitDone : fail_with(kExitFailed, "--out " + written.error().what);
}

int command(const StateArguments& arguments) {
  using What = StateArguments::What;
  switch (arguments.what) {
    case What::show: {
      const Result<StateInfo> info = state_info(arguments.file);
      if (!info) return refuse(info.error());
      return print(arguments.json ? state_json(*info) + "\n" : state_text(*info));
    }
    case What::objects: {
      int printed = kExitDone;
      const Result<void> all = state_objects(arguments.file, [&](const StateObject& object) {
        if (arguments.only && object.outcome != *arguments.only) return true;
        const std::string line = arguments.json ? object_json(object) : object_text(object);
        if (std::fwrite(line.data(), 1, line.size(), stdout) == line.size()) return true;
        printed = errno == EPIPE ? kExitDone : fail_with(kExitFailed, "standard output cannot be written");
        return false;
      });
      if (!all) return refuse(all.error());
      return printed != kExitDone ? printed : print("");
    }
    case What::retry:
    case What::forget: {
      const bool retry = arguments.what == What::retry;
      const Result<std::uint64_t> changed =
          retry ? state_retry(arguments.file, arguments.names, arguments.s3) : state_forget(arguments.file, arguments.names, arguments.s3);
      if (!changed) return refuse(changed.error());
      return print(fmt::format("{} object{} {}\n", count(*changed), *changed == 1 ? "" : "s",
                               retry ? "will be read again by the next run" : "forgotten; what was written of them is superseded"));
    }
    case What::merge: {
      const Result<void> merged = state_merge(arguments.file, {arguments.names.begin(), arguments.names.end()}, arguments.s3);
      return merged ? kExitDone : refuse(merged.error());
    }
  }
  return kExitFailed;
}

int run_program(int argc, const char* const* argv) {
  install_signal_handlers();
  const std::variant<Arguments, int> parsed = parse_arguments(argc, argv);
  if (const int* code = std::get_if<int>(&parsed)) return *code;
  const auto& arguments = std::get<Arguments>(parsed);
  set_up_logging(arguments.common);
  if (const auto* state = std::get_if<StateArguments>(&arguments.command)) return command(*state);  // needs no plugins
  const Result<Registry> registry = load(arguments.common);
  if (!registry) return fail_with(kExitUsage, registry.error().what);
  return std::visit(
      [&](const auto& chosen) {
        if constexpr (std::is_same_v<std::decay_t<decltype(chosen)>, StateArguments>) {
          return command(chosen);
        } else {
          return command(*registry, arguments.common, chosen);
        }
      },
      arguments.command);
}

}  // namespace
}  // namespace lm::cli

int main(int argc, char** argv) {
  try {
    return lm::cli::run_program(argc, argv);
  } catch (const std::exception& e) {
    // Only bugs and the end of memory come here; both are told without asking for more memory than a line.
    std::fprintf(stderr, "logmill: internal error: %s\n", e.what());
  } catch (...) {
    std::fputs("logmill: internal error\n", stderr);
  }
  return lm::cli::kExitFailed;
}
