// Loads parser and sink libraries with Boost.DLL and holds what they say of themselves, checked. The one place that calls into a library's entry.
#pragma once

#include "base/result.hpp"
#include "conform/table.hpp"
#include "plugin_host/key_pattern.hpp"

#include <logmill/sink.h>
#include <logmill/sink_describe.h>
#include <logmill/sink_schema.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lm {

inline lm_str str(std::string_view s) { return {s.data(), s.size()}; }

class WorkerLibrary;
struct Library;

struct ParserPlugin {
  std::string id;
  const lm_parser_factory* factory = nullptr;  // null: its code runs in workers alone
  std::shared_ptr<WorkerLibrary> workers;      // else null (isolated.hpp)
  std::uint32_t index = 0;
  const lm_parser_descriptor* descriptor = nullptr;
  std::vector<KeyPattern> keys;
  std::filesystem::path file;
};

// The option that every sink has, because the host gives it: the OCSF version of its events.
inline constexpr std::string_view kOcsfOption = "ocsf";

struct SinkPlugin {
  std::string id;
  const lm_sink_factory* factory = nullptr;
  std::uint32_t index = 0;
  const lm_sink_descriptor* descriptor = nullptr;
  const lm_sink_describe* describe = nullptr;  // null: it cannot tell what is in its files
  const lm_sink_schema* schema = nullptr;      // null: its target need not know of tables
  std::filesystem::path file;
};

struct Registry::Impl {
  std::vector<std::unique_ptr<ParserPlugin>> parsers;  // by id
  std::vector<std::unique_ptr<SinkPlugin>> sinks;      // by id
  TableSet tables;

  // Of the parsers that have a pattern that the key matches, the first one that names most of it. By id. [any]
  struct Named {
    const ParserPlugin* parser;
    const KeyPattern* pattern;
  };
  std::vector<Named> named_by(std::string_view key) const;

  const ParserPlugin* parser(std::string_view id) const;
  const SinkPlugin* sink(std::string_view id) const;
  std::filesystem::path worker_program;  // empty: not looked for yet
  Result<void> load(const std::filesystem::path& file, const Isolation&);
  Result<void> load_isolated(const std::filesystem::path& file, const Isolation&);
  Result<void> add_parsers(const lm_parser_factory* factory, const std::filesystem::path& file);
  Result<void> add_parser(std::unique_ptr<ParserPlugin>);
  Result<void> add_sinks(const Library&, const std::filesystem::path& file);

 private:
  std::vector<Named> patterns_;  // of all parsers, by their numbers in words_
  KeyWords words_;
};

struct Match {
  const ParserPlugin* parser = nullptr;
  int score = 0;
  std::string tied_with;  // the id of another parser that scored the same; the smaller id won
  std::string trouble;    // what isolated parsers that could not be asked have died of
};

// The parser that is surest of this content; where two are equally sure, the one whose key pattern matches. Null: no parser knows it. [any]
// Where the key is a parser's own and its score at least kCertain, those whose key it is not are not asked: what an object costs must not grow with the number
// of parsers that are installed.
inline constexpr int kCertain = 95;
// `stop` is asked while isolated parsers are. Errc::cancelled: it answered true; Errc::io: the environment failed. Those in `but` are not asked.
Result<Match> detect(const Registry::Impl&, std::string_view key, std::span<const std::byte> head, bool whole,
                     const std::function<bool()>& stop = {}, std::span<const ParserPlugin* const> but = {});

// The parser whose key pattern matches, for plans that do not read; of several the one whose pattern names most of the key. Null: none, or several that name as much. [any]
const ParserPlugin* detect_by_key(const Registry::Impl&, std::string_view key);

// An instance of a parser, in this process or in a worker: [instance] of plugin.h.
class ParserInstance {
 public:
  static Result<std::unique_ptr<ParserInstance>> create(const ParserPlugin&, std::string_view config_json);
  virtual ~ParserInstance() = default;

  // Whether the run is being stopped; may be asked at any time.
  using Stop = std::function<bool()>;
  // Blocks that the parser has not read, and why; of isolated parsers alone. The objects of those that are given up kill whoever reads them.
  struct Losses {
    struct Loss {
      std::uint32_t block;
      bool give_up;
      std::string why;
    };
    std::vector<Loss> blocks;
  };

  // The struct schema of one table, checked against the descriptor.
  virtual Result<ArrowSchema> schema(std::uint32_t table) = 0;
  // Errc::plugin: the parser has failed, and what it has left out is lost. Errc::io: the environment has.
  virtual Result<void> parse(std::span<const lm_block* const> blocks, const lm_emit&, const Stop&, Losses&) = 0;
  // What it gave was not to be believed: its process, if it has one, ends with it.
  virtual void distrust() {}
};

}  // namespace lm
