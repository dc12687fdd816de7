#include "arguments.hpp"

#include "config.hpp"
#include "text.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace lm::cli {
namespace {

constexpr std::string_view kExitCodes =
    "Exit codes:\n"
    "  0  all was read\n"
    "  1  the run failed: none of its files is kept; or it was stopped: what was\n"
    "     finished is kept. With --state what is committed is always kept\n"
    "  2  usage or configuration: nothing was read\n"
    "  3  finished, but some records or objects were not read";

// ---- Settings: one row a flag, from which parsing, --help, the environment and the configuration file all come ----

struct Target {
  Common* common;
  RunArguments* run;  // null for the commands that are not `run`
};

struct Setting {
  const char* name;
  const char* value;  // what --help calls it; null for a switch, which takes "true" or "false" in the environment and in a file
  bool list;          // may be given several times
  const char* help;
  Result<void> (*apply)(Target&, const std::string&);
};

template <class T, class Value>
Result<void> store(T& to, Result<Value> value) {
  if (!value) return tl::unexpected<Error>(value.error());
  to = *std::move(value);
  return {};
}

template <class T>
Result<T> number(const std::string& text, T least, T most) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
    return fail(Errc::invalid, fmt::format("'{}' is not a whole number from {} to {}", printable(text), least, most));
  }
  return value;
}

template <class T, std::size_t N>
Result<T> choice(const std::string& text, const std::array<std::pair<std::string_view, T>, N>& choices) {
  std::string names;
  for (const auto& [name, value] : choices) {
    if (text == name) return value;
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return fail(Errc::invalid, fmt::format("'{}' is none of {}", printable(text), names));
}

Result<bool> boolean(const std::string& text) {
  return choice<bool, 4>(text, {{{"true", true}, {"false", false}, {"1", true}, {"0", false}}});
}

Result<void> shard(RunOptions& options, const std::string& text) {
  const std::size_t slash = text.find('/');
  const Result<std::uint64_t> parts =
      slash == std::string::npos ? fail(Errc::invalid, "") : number<std::uint64_t>(text.substr(slash + 1), 1, 1'000'000);
  const Result<std::uint64_t> part = parts ? number<std::uint64_t>(text.substr(0, slash), 0, *parts - 1) : parts;
  if (!part) return fail(Errc::invalid, fmt::format("'{}' is no shard: the first of four is 0/4, the last 3/4", printable(text)));
  options.shard = *part, options.shards = *parts;
  return {};
}

Result<std::uint64_t> worker_memory(const std::string& text) {
  Result<std::uint64_t> size = parse_size(text);
  if (size && (*size < std::uint64_t{64} << 20 || *size > std::uint64_t{1} << 40))
    return fail(Errc::invalid, fmt::format("'{}': a worker needs 64M at least, and gets 1T at most", printable(text)));
  return size;
}

const std::array kCommonSettings = {
    Setting{"plugin-dir", "DIR", true, "Load plugins and sinks from here as well",
            [](Target& t, const std::string& text) -> Result<void> {
              t.common->plugin_dirs.emplace_back(text);
              return {};
            }},
    Setting{"isolate", "WHEN", false, "Run parsers in worker processes: auto, always, never (auto: those of --plugin-dir)",
            [](Target& t, const std::string& text) {
              return store(
                  t.common->isolate,
                  choice<Isolate, 3>(text, {{{"auto", Isolate::automatic}, {"always", Isolate::always}, {"never", Isolate::never}}}));
            }},
    Setting{"isolate-memory", "SIZE", false, "What a worker process may hold: 512M, 2G (1G)",
            [](Target& t, const std::string& text) { return store(t.common->isolation.memory, worker_memory(text)); }},
    Setting{"isolate-time", "SECONDS", false, "How long a worker process may take for one answer (60)",
            [](Target& t, const std::string& text) { return store(t.common->isolation.seconds, number<unsigned>(text, 1, 86'400)); }},
    Setting{"log-level", "LEVEL", false, "trace, debug, info, warn, error, off (info)",
            [](Target& t, const std::string& text) {
              return store(
                  t.common->log_level,
                  choice<std::string, 6>(
                      text,
                      {{{"trace", "trace"}, {"debug", "debug"}, {"info", "info"}, {"warn", "warn"}, {"error", "error"}, {"off", "off"}}}));
            }},
    Setting{"log-format", "FORMAT", false, "Messages on stderr: text or json lines (text)",
            [](Target& t, const std::string& text) {
              return store(t.common->log_format, choice<LogFormat, 2>(text, {{{"text", LogFormat::text}, {"json", LogFormat::json}}}));
            }},
};

// What is read: of `run` and of `plan`.
const std::array kInputSettings = {
    Setting{"objects-from", "FILE", false,
            "Read the objects that FILE lists: a uri a line, an S3 Inventory manifest, S3 notifications; - for stdin",
            [](Target& t, const std::string& text) -> Result<void> {
              t.run->options.objects_from = text;
              return {};
            }},
    Setting{"since", "TIME", false, "Only events at or after TIME: 2026-03-01, 2026-03-01T12:00:00Z",
            [](Target& t, const std::string& text) { return store(t.run->options.since_ms, parse_time(text)); }},
    Setting{"until", "TIME", false, "Only events before TIME",
            [](Target& t, const std::string& text) { return store(t.run->options.until_ms, parse_time(text)); }},
    Setting{"account", "ID", true, "Only objects of this AWS account or Azure subscription, where their key names one",
            [](Target& t, const std::string& text) -> Result<void> {
              t.run->options.accounts.push_back(text);
              return {};
            }},
    Setting{"region", "NAME", true, "Only objects of this region, where their key names one",
            [](Target& t, const std::string& text) -> Result<void> {
              t.run->options.regions.push_back(text);
              return {};
            }},
    Setting{"requests", "N", false, "Requests in flight at once, for s3:// and az:// (64)",
            [](Target& t, const std::string& text) { return store(t.run->options.requests, number<unsigned>(text, 1, 1024)); }},
};

// How stores are reached: also of commands that write a manifest again.
const std::array kStoreSettings = {
    Setting{"s3-endpoint", "URL", false, "The S3 server, where it is not AWS; http:// only if said",
            [](Target& t, const std::string& text) -> Result<void> {
              t.run->options.s3.endpoint = text;
              return {};
            }},
    Setting{"s3-region", "NAME", false, "The region to ask first; buckets elsewhere are found",
            [](Target& t, const std::string& text) -> Result<void> {
              t.run->options.s3.region = text;
              return {};
            }},
    Setting{"s3-profile", "NAME", false, "The AWS profile to use",
            [](Target& t, const std::string& text) -> Result<void> {
              t.run->options.s3.profile = text;
              return {};
            }},
    Setting{"az-endpoint", "URL", false, "Where the blobs of the Azure account are; http:// only if said",
            [](Target& t, const std::string& text) -> Result<void> {
              t.run->options.azure.endpoint = text;
              return {};
            }},
    Setting{"no-sign-request", nullptr, false, "Ask for s3:// and az:// objects without credentials",
            [](Target& t, const std::string& text) {
              const auto value = boolean(text);
              if (value) t.run->options.azure.no_sign = *value;
              return store(t.run->options.s3.no_sign, value);
            }},
    Setting{"requester-pays", nullptr, false, "Pay for requests to s3:// buckets that ask for it",
            [](Target& t, const std::string& text) { return store(t.run->options.s3.requester_pays, boolean(text)); }},
};

// How what is written there is encrypted.
const std::array kEncryptionSettings = {
    Setting{"s3-sse", "HOW", false, "Encryption of what is written to s3://: AES256, aws:kms, aws:kms:dsse",
            [](Target& t, const std::string& text) {
              return store(
                  t.run->options.s3.sse,
                  choice<std::string, 3>(text, {{{"AES256", "AES256"}, {"aws:kms", "aws:kms"}, {"aws:kms:dsse", "aws:kms:dsse"}}}));
            }},
    Setting{"s3-sse-kms-key-id", "ID", false, "The KMS key for it: an id, an ARN or an alias",
            [](Target& t, const std::string& text) -> Result<void> {
              t.run->options.s3.sse_kms_key_id = text;
              return {};
            }},
};

const std::array kRunSettings = {
    Setting{
        "to", "SINK", true,
        "Where events go: parquet:DIR, ndjson:DIR, ndjson:-, parquet:s3://BUCKET/PREFIX, elastic:https://HOST:PORT; options behind commas",
        [](Target& t, const std::string& text) -> Result<void> {
          Result<SinkSpec> sink = parse_sink(text);
          if (!sink) return tl::unexpected<Error>(sink.error());
          t.run->options.sinks.push_back(*std::move(sink));
          return {};
        }},
    Setting{"plugin", "ID", false, "Read every object with this parser, without detection",
            [](Target& t, const std::string& text) -> Result<void> {
              t.run->options.plugin = text;
              return {};
            }},
    Setting{"rejects", "DIR", false, "Keep what could not be read here, with the reason",
            [](Target& t, const std::string& text) -> Result<void> {
              t.run->options.rejects = text;
              return {};
            }},
    Setting{"stats", "FILE", false, "Write all counts here as JSON when the run is over",
            [](Target& t, const std::string& text) -> Result<void> {
              t.run->stats = text;
              return {};
            }},
    Setting{"state", "FILE", false, "Keep a ledger of what is done here, and go on from where it stands",
            [](Target& t, const std::string& text) -> Result<void> {
              t.run->options.state = text;
              return {};
            }},
    Setting{"checkpoint", "SIZE", false, "With --state: commit whenever so much was read (8G)",
            [](Target& t, const std::string& text) { return store(t.run->options.checkpoint_bytes, parse_size(text)); }},
    Setting{"shard", "I/N", false, "Read the part I, from 0, of N that the objects fall into",
            [](Target& t, const std::string& text) { return shard(t.run->options, text); }},
    Setting{"progress", "WHEN", false, "A progress bar on stderr: auto, always, never (auto: on a terminal)",
            [](Target& t, const std::string& text) {
              return store(
                  t.run->progress,
                  choice<ProgressMode, 3>(
                      text, {{{"auto", ProgressMode::automatic}, {"always", ProgressMode::always}, {"never", ProgressMode::never}}}));
            }},
    Setting{"threads", "N", false, "Worker threads; 0: as many as the machine has (0)",
            [](Target& t, const std::string& text) { return store(t.run->options.threads, number<unsigned>(text, 0, 1024)); }},
    Setting{"memory", "SIZE", false, "What the run may hold at once: 512M, 2G (448M)",
            [](Target& t, const std::string& text) { return store(t.run->options.memory, parse_size(text)); }},
    Setting{"raw-data", nullptr, false, "Fill raw_data with the text of each record",
            [](Target& t, const std::string& text) { return store(t.run->options.raw_data, boolean(text)); }},
    Setting{"validate", "LEVEL", false, "How closely the arrays of plugins are checked: default or full",
            [](Target& t, const std::string& text) {
              return store(t.run->options.validate_full, choice<bool, 2>(text, {{{"default", false}, {"full", true}}}));
            }},
    Setting{"max-decoded", "SIZE", false, "Give an object up that decodes to more (1T)",
            [](Target& t, const std::string& text) { return store(t.run->options.max_decoded, parse_size(text)); }},
    Setting{
        "max-ratio", "N", false, "Give an object up that decodes to N times its size (250)",
        [](Target& t, const std::string& text) { return store(t.run->options.max_ratio, number<std::uint64_t>(text, 1, 1'000'000'000)); }},
    Setting{"max-record", "SIZE", false, "Reject records that are longer (16M)",
            [](Target& t, const std::string& text) { return store(t.run->options.max_record, parse_size(text)); }},
};

// A positional argument on the command line, but a key like the others in a configuration file.
const Setting kInput{"input", nullptr, true, "", [](Target& t, const std::string& text) -> Result<void> {
                       t.run->options.inputs.push_back(text);
                       return {};
                     }};

std::string environment_name(std::string_view setting) {
  std::string name = "LOGMILL_";
  for (const char c : setting) name += c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return name;
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(at), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// ---- The command line ----

constexpr std::size_t kColumns = 80;
constexpr std::size_t kHelpColumn = 23;

class Formatter : public CLI::Formatter {
 public:
  Formatter() { column_width(kHelpColumn); }
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_size() == 0 || option->get_type_name().empty() ? "" : " " + option->get_type_name();
  }
};

std::string help_text(std::string_view text) {
  // The formatter indents the lines behind a '\n' on its own.
  return wrap(text, kColumns - kHelpColumn, 0);
}

struct Given {  // what the command line said of one setting
  const Setting* setting;
  CLI::Option* option;
  std::vector<std::string> values;
};

// A command's settings; the addresses of `values` are held by CLI11, so it neither moves nor grows once the flags are added.
class Flags {
 public:
  Flags(CLI::App& app, std::initializer_list<std::span<const Setting>> own) {
    std::vector<std::span<const Setting>> all(own);
    all.emplace_back(kCommonSettings);
    std::size_t count = 0;
    for (const std::span<const Setting> settings : all) count += settings.size();
    given_.reserve(count);
    for (const std::span<const Setting> settings : all) {
      for (const Setting& setting : settings) add(app, setting);
    }
  }
  std::span<const Given> given() const { return given_; }

 private:
  void add(CLI::App& app, const Setting& setting) {
    Given& given = given_.emplace_back(Given{&setting, nullptr, {}});
    const std::string name = fmt::format("--{}", setting.name);
    if (setting.value == nullptr) {
      const std::string help = help_text(setting.help);  // CLI11 2.1 takes a temporary for a variable to fill
      given.option = app.add_flag(name, help);
      return;
    }
    given.option = app.add_option(name, given.values, help_text(setting.help))->type_name(setting.value)->allow_extra_args(false);
    if (!setting.list) given.option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  std::vector<Given> given_;
};

Result<void> apply(Target& target, const Setting& setting, const std::vector<std::string>& values, const std::string& origin) {
  if (!setting.list && values.size() != 1) return fail(Errc::invalid, fmt::format("{}: one value is expected", origin));
  for (const std::string& value : values) {
    if (Result<void> done = setting.apply(target, value); !done)
      return fail(done.error().code, fmt::format("{}: {}", origin, done.error().what));
  }
  return {};
}

// Flag, else environment, else file: the first that says anything decides, also for lists.
Result<void> merge(Target target, const Flags& flags, const Config& config) {
  for (const Given& given : flags.given()) {
    const Setting& setting = *given.setting;
    const std::string variable = environment_name(setting.name);
    const char* value = std::getenv(variable.c_str());  // NOLINT(concurrency-mt-unsafe): no other thread runs yet
    Result<void> done;
    if (given.option->count() > 0) {
      done = apply(target, setting, setting.value == nullptr ? std::vector<std::string>{"true"} : given.values,
                   fmt::format("--{}", setting.name));
    } else if (value != nullptr && *value != '\0') {
      done = apply(target, setting, setting.list ? split(value, ';') : std::vector<std::string>{value}, variable);
    } else {
      for (const ConfigEntry& entry : config.entries) {
        if (entry.key == setting.name) done = apply(target, setting, entry.values, entry.origin);
      }
    }
    if (!done) return done;
  }
  return {};
}

struct StateCommand {
  StateArguments::What what;
  const char* name;
  const char* help;
  const char* names;  // of what stands behind the file; null: nothing
  bool json;
  const char* examples;
};

constexpr std::array kStateCommands = {
    StateCommand{StateArguments::What::show, "show", "What is done, and what is not", nullptr, true,
                 "  logmill state show job.state\n"
                 "  logmill state show job.state --format json"},
    StateCommand{StateArguments::What::objects, "objects", "Every object with its outcome and the reason", nullptr, true,
                 "  logmill state objects job.state --only partly_read\n"
                 "  logmill state objects job.state --format json | jq .reason"},
    StateCommand{StateArguments::What::retry, "retry", "Have objects read again by the next run",
                 "Objects; without any, those that were not read whole", false,
                 "  logmill state retry job.state\n"
                 "  logmill state retry job.state evidence/a.json.gz"},
    StateCommand{StateArguments::What::forget, "forget", "Withdraw what objects gave", "Objects", false,
                 "  logmill state forget job.state evidence/a.json.gz"},
    StateCommand{StateArguments::What::merge, "merge", "Make one ledger of those of shards", "The ledgers of the shards", false,
                 "  logmill state merge job.state shard-*.state"},
};

// The whole of the command line, as CLI11 sees it.
struct CommandLine {
  CLI::App app{"Turns archives of compressed cloud logs into OCSF 1.8.0.", "logmill"};
  CLI::App* run = app.add_subcommand("run", "Read objects, write events");
  CLI::App* plan = app.add_subcommand("plan", "Show what a run would read, without reading it");
  CLI::App* plugins = app.add_subcommand("plugins", "List the parsers and sinks that are installed");
  CLI::App* show = plugins->add_subcommand("show", "Show one of them: columns as OCSF paths, or options");
  CLI::App* schema = app.add_subcommand("schema", "Show the tables that events are written to");
  CLI::App* catalog = app.add_subcommand("catalog", "Make DDL or views of what a run wrote");
  CLI::App* state = app.add_subcommand("state", "Look into a ledger (run --state), or correct it");

  std::vector<std::string> inputs;
  std::string config;
  std::string schema_format = "text", schema_install, plan_format = "text";
  PluginsArguments plugins_arguments;
  SchemaArguments schema_arguments;
  std::string catalog_directory, catalog_engine, catalog_location, catalog_database, catalog_out;
  std::string state_file, state_format = "text", state_only;
  std::vector<std::string> state_names;
  std::array<CLI::App*, kStateCommands.size()> state_commands{};
  std::unique_ptr<Flags> run_flags, plan_flags, plugins_flags, show_flags, schema_flags, catalog_flags;
  std::array<std::unique_ptr<Flags>, kStateCommands.size()> state_flags;

  CommandLine() {
    app.formatter(std::make_shared<Formatter>());
    for (std::size_t i = 0; i < kStateCommands.size(); ++i)
      state_commands[i] = state->add_subcommand(kStateCommands[i].name, kStateCommands[i].help);
    std::vector<CLI::App*> commands{run, plan, plugins, show, schema, catalog, state};
    commands.insert(commands.end(), state_commands.begin(), state_commands.end());
    for (CLI::App* command : commands) {
      command->formatter(std::make_shared<Formatter>());
      command->get_help_ptr()->description("Print this");
    }
    app.get_help_ptr()->description("Print this");
    app.set_version_flag("--version", fmt::format("logmill {}", version()), "Print the version");
    app.require_subcommand(1);
    app.footer(
        fmt::format("Examples:\n"
                    "  logmill run evidence/ --to parquet:lake/\n"
                    "  logmill run evidence/ --to ndjson:- | jq .api.operation\n"
                    "  logmill plan s3://acme-trail/AWSLogs --since 2026-03-01\n"
                    "  logmill plugins\n"
                    "  logmill schema api_activity\n\n"
                    "{}\n\n'logmill COMMAND --help' tells more; so does 'man logmill'.",
                    kExitCodes));

    for (CLI::App* command : {run, plan}) {
      command
          ->add_option("INPUT", inputs,
                       help_text("A file, a directory (with all below it), a glob in quotes, - for stdin, "
                                 "s3://BUCKET/PREFIX, or az://ACCOUNT/CONTAINER/PREFIX; compression and format are "
                                 "recognised by content"))
          ->type_name("");
    }
    run_flags = std::make_unique<Flags>(
        *run, std::initializer_list<std::span<const Setting>>{kRunSettings, kInputSettings, kStoreSettings, kEncryptionSettings});
    run->add_option("--config", config, help_text("YAML with the long flag names as keys; flags win"))->type_name("FILE");
    run->footer(
        fmt::format("Examples:\n"
                    "  logmill run evidence/ --to parquet:lake/ --rejects rejects/\n"
                    "  logmill run 'logs/**/*.gz' --to parquet:lake,zstd_level=3 --to ndjson:out\n"
                    "  zcat flows.gz | logmill run - --plugin aws.vpcflow --to ndjson:-\n"
                    "  logmill run evidence/ --to parquet:lake --since 2026-03-01 --until 2026-03-08\n"
                    "  logmill run s3://acme-trail/AWSLogs --to parquet:s3://acme-lake/ocsf\n"
                    "  logmill run archive/ --to parquet:lake --state job.state --shard 0/4\n\n"
                    "Every flag can also be set in the environment (LOGMILL_THREADS=4; several\n"
                    "values with ';' between them) or in the --config file (threads: 4). The flag\n"
                    "wins, then the environment.\n\n{}",
                    kExitCodes));

    plan_flags = std::make_unique<Flags>(*plan, std::initializer_list<std::span<const Setting>>{kInputSettings, kStoreSettings});
    plan->add_option("--format", plan_format, help_text("text or json (text)"))->type_name("FORMAT");
    plan->footer(
        "Examples:\n"
        "  logmill plan s3://acme-trail/AWSLogs --since 2026-03-01\n"
        "  logmill plan evidence/ --format json\n\n"
        "Lists and reads nothing: source, account, region and day are what names say.");

    plugins->require_subcommand(0, 1);
    plugins_flags = std::make_unique<Flags>(*plugins, std::initializer_list<std::span<const Setting>>{});
    plugins->footer(
        "Examples:\n"
        "  logmill plugins\n"
        "  logmill plugins show aws.cloudtrail\n"
        "  logmill plugins --plugin-dir ./build/plugins");
    show->add_option("ID", plugins_arguments.show, help_text("A parser or a sink"))->type_name("")->required();
    show_flags = std::make_unique<Flags>(*show, std::initializer_list<std::span<const Setting>>{});
    show->footer(
        "Examples:\n"
        "  logmill plugins show aws.vpcflow\n"
        "  logmill plugins show parquet");

    schema->add_option("TABLE", schema_arguments.table, help_text("An OCSF class, such as api_activity; all if left out"))->type_name("");
    schema
        ->add_option(
            "--format", schema_format,
            help_text("text or json (text); or a sink, for what its target must know: elastic[:URL][,OPTION=VALUE]... for index templates"))
        ->type_name("FORMAT");
    schema
        ->add_option("--install-templates", schema_install,
                     help_text("Put index templates into the cluster that elastic:URL[,OPTION=VALUE]... names"))
        ->type_name("SINK");
    schema_flags = std::make_unique<Flags>(*schema, std::initializer_list<std::span<const Setting>>{});
    schema->footer(
        "Examples:\n"
        "  logmill schema\n"
        "  logmill schema network_activity --format json\n"
        "  logmill schema --format elastic,schema=ecs\n"
        "  logmill schema --install-templates elastic:https://HOST:9200,schema=ecs");
    add_catalog();
    add_state();
  }

  void add_catalog() {
    catalog->add_option("DIR", catalog_directory, help_text("A folder that --to parquet:DIR has written, or a copy of one"))
        ->type_name("")
        ->required();
    catalog
        ->add_option("--for", catalog_engine,
                     help_text("athena, glue, duckdb, spark, clickhouse: to standard output; iceberg: metadata in DIR/_iceberg"))
        ->type_name("ENGINE")
        ->required();
    catalog
        ->add_option("--location", catalog_location,
                     help_text("Where the engine finds DIR, such as s3://BUCKET/PREFIX (DIR itself; athena and glue need one)"))
        ->type_name("URI");
    catalog
        ->add_option("--database", catalog_database,
                     help_text("The database, or schema, of the tables (athena, glue: logmill; else: none)"))
        ->type_name("NAME");
    catalog->add_option("--out", catalog_out, help_text("Write here, not to standard output"))->type_name("FILE");
    catalog_flags = std::make_unique<Flags>(*catalog, std::initializer_list<std::span<const Setting>>{});
    catalog->footer(
        "Examples:\n"
        "  logmill catalog lake --for duckdb | duckdb lake.db\n"
        "  logmill catalog lake --for athena --location s3://acme-lake/ocsf > lake.sql\n"
        "  logmill catalog lake --for glue --location s3://acme-lake --out tables.json\n"
        "  logmill catalog lake --for iceberg");
  }

  void add_state() {
    state->require_subcommand(1);
    state->footer(
        "Examples:\n"
        "  logmill state show job.state\n"
        "  logmill state objects job.state --only failed\n"
        "  logmill state retry job.state && logmill run ... --state job.state");
    for (std::size_t i = 0; i < kStateCommands.size(); ++i) {
      CLI::App& command = *state_commands[i];
      const StateCommand& own = kStateCommands[i];
      const bool merge = own.what == StateArguments::What::merge;
      command.add_option(merge ? "OUT" : "FILE", state_file, help_text(merge ? "The ledger to make" : "A ledger"))
          ->type_name("")
          ->required();
      if (own.names) {
        CLI::Option* names = command.add_option(merge ? "IN" : "URI", state_names, help_text(own.names))->type_name("");
        if (own.what != StateArguments::What::retry) names->required();
      }
      if (own.what == StateArguments::What::objects)
        command
            .add_option("--only", state_only,
                        help_text("Those with this outcome: read, partly_read, set_aside, unrecognised, empty, failed"))
            ->type_name("OUTCOME");
      if (own.json) command.add_option("--format", state_format, help_text("text or json (text)"))->type_name("FORMAT");
      state_flags[i] =
          own.json ? std::make_unique<Flags>(command, std::initializer_list<std::span<const Setting>>{})
                   : std::make_unique<Flags>(command, std::initializer_list<std::span<const Setting>>{kStoreSettings, kEncryptionSettings});
      command.footer(fmt::format("Examples:\n{}", own.examples));
    }
  }

  std::string command() const {
    if (run->parsed()) return "logmill run";
    if (plan->parsed()) return "logmill plan";
    if (show->parsed()) return "logmill plugins show";
    if (plugins->parsed()) return "logmill plugins";
    for (std::size_t i = 0; i < kStateCommands.size(); ++i) {
      if (state_commands[i]->parsed()) return fmt::format("logmill state {}", kStateCommands[i].name);
    }
    if (state->parsed()) return "logmill state";
    if (catalog->parsed()) return "logmill catalog";
    return schema->parsed() ? "logmill schema" : "logmill";
  }
};

bool known_key(std::string_view key) {
  const auto named = [&](const Setting& setting) { return key == setting.name; };
  return named(kInput) || std::any_of(kInputSettings.begin(), kInputSettings.end(), named) ||
         std::any_of(kStoreSettings.begin(), kStoreSettings.end(), named) || std::any_of(kRunSettings.begin(), kRunSettings.end(), named) ||
         std::any_of(kCommonSettings.begin(), kCommonSettings.end(), named);
}

Result<void> check_inputs(const RunOptions& options) {
  if (options.inputs.empty() && options.objects_from.empty())
    return fail(Errc::invalid,
                "no INPUT: name a file, a directory, a glob, s3://BUCKET/PREFIX, az://ACCOUNT/CONTAINER/PREFIX, or - for stdin");
  if (options.since_ms && options.until_ms && *options.since_ms >= *options.until_ms)
    return fail(Errc::invalid, "--since is not before --until: no event could pass");
  return {};
}

Result<bool> json_format(const std::string& text) {
  Result<bool> json = choice<bool, 2>(text, {{{"text", false}, {"json", true}}});
  if (!json) return fail(Errc::invalid, "--format: " + json.error().what);
  return json;
}

// "elastic", "elastic,schema=ecs", "elastic:https://HOST:9200,schema=ecs"
Result<SinkSpec> sink_without_target(const std::string& text) {
  const std::size_t colon = text.find(':'), comma = text.find(',');
  if (colon < comma) return parse_sink(text);
  const std::size_t end = std::min(comma, text.size());
  return parse_sink(text.substr(0, end) + ":-" + text.substr(end));
}

Result<SchemaArguments> schema_arguments(CommandLine& line, Common& common) {
  SchemaArguments schema = line.schema_arguments;
  if (auto done = merge({&common, nullptr}, *line.schema_flags, {}); !done) return tl::unexpected<Error>(done.error());
  schema.install = !line.schema_install.empty();
  if (schema.install && line.schema_format != "text") return fail(Errc::invalid, "--install-templates and --format do not go together");
  if (schema.install) {
    Result<SinkSpec> sink = parse_sink(line.schema_install);
    if (!sink) return fail(Errc::invalid, "--install-templates: " + sink.error().what);
    schema.sink = *std::move(sink);
  } else if (line.schema_format == "text" || line.schema_format == "json") {
    schema.json = line.schema_format == "json";
  } else {
    Result<SinkSpec> sink = sink_without_target(line.schema_format);
    if (!sink) return fail(Errc::invalid, "--format: " + sink.error().what);
    schema.sink = *std::move(sink);
  }
  return schema;
}

Result<PlanArguments> plan_arguments(CommandLine& line, Common& common) {
  RunArguments run;
  PlanArguments plan;
  if (auto done = merge({&common, &run}, *line.plan_flags, {}); !done) return tl::unexpected<Error>(done.error());
  plan.options = std::move(run.options);
  plan.options.inputs = line.inputs;
  if (auto known = check_inputs(plan.options); !known) return tl::unexpected<Error>(known.error());
  if (auto done = store(plan.json, json_format(line.plan_format)); !done) return tl::unexpected<Error>(done.error());
  return plan;
}

Result<RunArguments> run_arguments(CommandLine& line, Common& common) {
  RunArguments run;
  Target target{&common, &run};
  Config config;
  if (const char* file = std::getenv("LOGMILL_CONFIG"); line.config.empty() && file != nullptr)
    line.config = file;  // NOLINT(concurrency-mt-unsafe)
  if (!line.config.empty()) {
    Result<Config> read = read_config(line.config, known_key);
    if (!read) return tl::unexpected<Error>(read.error());
    config = *std::move(read);
  }
  run.options.plugin_config = config.plugins;
  run.options.inputs = line.inputs;
  for (const ConfigEntry& entry : config.entries) {
    if (!line.inputs.empty() || entry.key != kInput.name) continue;
    if (Result<void> done = apply(target, kInput, entry.values, entry.origin); !done) return tl::unexpected<Error>(done.error());
  }
  if (Result<void> done = merge(target, *line.run_flags, config); !done) return tl::unexpected<Error>(done.error());

  if (auto known = check_inputs(run.options); !known) return tl::unexpected<Error>(known.error());
  if (run.options.sinks.empty()) return fail(Errc::invalid, "no sink: say where events go, such as --to parquet:lake/ or --to ndjson:-");
  return run;
}

constexpr std::array<std::pair<std::string_view, ObjectOutcome>, 6> kOutcomes = {{{"read", ObjectOutcome::read},
                                                                                  {"partly_read", ObjectOutcome::partly_read},
                                                                                  {"set_aside", ObjectOutcome::set_aside},
                                                                                  {"unrecognised", ObjectOutcome::unrecognised},
                                                                                  {"empty", ObjectOutcome::empty},
                                                                                  {"failed", ObjectOutcome::failed}}};

Result<StateArguments> state_arguments(const CommandLine& line, Common& common) {
  StateArguments state;
  RunArguments run;
  const Target target{&common, &run};
  state.file = line.state_file;
  state.names = line.state_names;
  if (!line.state_only.empty()) {
    Result<ObjectOutcome> only = choice(line.state_only, kOutcomes);
    if (!only) return fail(Errc::invalid, "--only: " + only.error().what);
    state.only = *only;
  }
  const Result<bool> json = choice<bool, 2>(line.state_format, {{{"text", false}, {"json", true}}});
  if (!json) return fail(Errc::invalid, "--format: " + json.error().what);
  state.json = *json;
  for (std::size_t i = 0; i < kStateCommands.size(); ++i) {
    if (!line.state_commands[i]->parsed()) continue;
    state.what = kStateCommands[i].what;
    if (Result<void> done = merge(target, *line.state_flags[i], {}); !done) return tl::unexpected<Error>(done.error());
  }
  state.s3 = std::move(run.options.s3);
  return state;
}

constexpr std::array<std::pair<std::string_view, CatalogEngine>, 6> kEngines = {{{"athena", CatalogEngine::athena},
                                                                                 {"glue", CatalogEngine::glue},
                                                                                 {"duckdb", CatalogEngine::duckdb},
                                                                                 {"spark", CatalogEngine::spark},
                                                                                 {"clickhouse", CatalogEngine::clickhouse},
                                                                                 {"iceberg", CatalogEngine::iceberg}}};

Result<CatalogArguments> catalog_arguments(const CommandLine& line, Common& common) {
  CatalogArguments catalog;
  const Result<CatalogEngine> engine = choice(line.catalog_engine, kEngines);
  if (!engine) return fail(Errc::invalid, "--for: " + engine.error().what);
  if (auto done = merge({&common, nullptr}, *line.catalog_flags, {}); !done) return tl::unexpected<Error>(done.error());
  catalog.options = {*engine, line.catalog_directory, line.catalog_location, line.catalog_database};
  catalog.out = line.catalog_out;
  return catalog;
}

Result<Arguments> arguments(CommandLine& line) {
  Arguments result;
  if (line.run->parsed()) {
    Result<RunArguments> run = run_arguments(line, result.common);
    if (!run) return tl::unexpected<Error>(run.error());
    result.command = *std::move(run);
    return result;
  }
  if (line.plan->parsed()) {
    Result<PlanArguments> plan = plan_arguments(line, result.common);
    if (!plan) return tl::unexpected<Error>(plan.error());
    result.command = *std::move(plan);
    return result;
  }
  if (line.catalog->parsed()) {
    Result<CatalogArguments> catalog = catalog_arguments(line, result.common);
    if (!catalog) return tl::unexpected<Error>(catalog.error());
    result.command = *std::move(catalog);
    return result;
  }
  const Target target{&result.common, nullptr};
  Result<void> done;
  if (line.state->parsed()) {
    Result<StateArguments> state = state_arguments(line, result.common);
    if (!state) return tl::unexpected<Error>(state.error());
    result.command = *std::move(state);
  } else if (line.plugins->parsed()) {
    result.command = line.plugins_arguments;
    done = merge(target, *line.plugins_flags, {});
    if (done && line.show->parsed()) done = merge(target, *line.show_flags, {});
  } else {
    Result<SchemaArguments> schema = schema_arguments(line, result.common);
    if (!schema) return tl::unexpected<Error>(schema.error());
    result.command = *std::move(schema);
  }
  if (!done) return tl::unexpected<Error>(done.error());
  return result;
}

}  // namespace

std::variant<Arguments, int> parse_arguments(int argc, const char* const* argv) {
  CommandLine line;
  std::string wrong;
  try {
    line.app.parse(argc, argv);
    Result<Arguments> result = arguments(line);
    if (result) return *std::move(result);
    wrong = result.error().what;
  } catch (const CLI::Success& success) {
    line.app.exit(success);  // prints the help or the version
    return std::fflush(stdout) == 0 ? kExitDone : kExitFailed;
  } catch (const CLI::ParseError& error) {
    wrong = printable(error.what());
    const std::string_view first = argc > 1 ? argv[1] : "";
    if (line.command() == "logmill" && !first.empty() && first[0] != '-')
      wrong = fmt::format("'{}' is no command; there are run, plan, plugins, schema, catalog and state", printable(first));
  }
  StandardError::instance().write(fmt::format("{}: {}\n'{} --help' tells more.\n", line.command(), wrong, line.command()));
  return kExitUsage;
}

}  // namespace lm::cli
