// Loads parser and sink libraries with Boost.DLL and holds what they say of themselves, checked. The one place that calls into a library's entry.
#pragma once

#include "base/result.hpp"
#include "conform/table.hpp"
#include "plugin_host/key_pattern.hpp"

#include <logmill/sink.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lm {

inline lm_str str(std::string_view s) { return {s.data(), s.size()}; }

struct ParserPlugin {
  std::string id;
  const lm_parser_factory* factory = nullptr;
  std::uint32_t index = 0;
  const lm_parser_descriptor* descriptor = nullptr;
  std::vector<KeyPattern> keys;
  std::filesystem::path file;
};

struct SinkPlugin {
  std::string id;
  const lm_sink_factory* factory = nullptr;
  std::uint32_t index = 0;
  const lm_sink_descriptor* descriptor = nullptr;
  std::filesystem::path file;
};

struct Registry::Impl {
  std::vector<std::unique_ptr<ParserPlugin>> parsers;  // by id
  std::vector<std::unique_ptr<SinkPlugin>> sinks;      // by id
  TableSet tables;

  const ParserPlugin* parser(std::string_view id) const;
  const SinkPlugin* sink(std::string_view id) const;
  Result<void> load(const std::filesystem::path& file);
  Result<void> add_parsers(const lm_parser_factory* factory, const std::filesystem::path& file);
  Result<void> add_sinks(const lm_sink_factory* factory, const std::filesystem::path& file);
};

struct Match {
  const ParserPlugin* parser = nullptr;
  int score = 0;
  std::string tied_with;  // the id of another parser that scored the same; the smaller id won
};

// The parser that is surest of this content; where two are equally sure, the one whose key pattern matches. Null: no parser knows it. [any]
// Where the key is a parser's own and its score at least kCertain, those whose key it is not are not asked: what an object costs must not grow with the number
// of parsers that are installed.
inline constexpr int kCertain = 95;
Match detect(const Registry::Impl&, std::string_view key, std::span<const std::byte> head, bool whole);

// The parser whose key pattern matches, for plans that do not read; of several the one whose pattern names most of the key. Null: none, or several that name as much. [any]
const ParserPlugin* detect_by_key(const Registry::Impl&, std::string_view key);

// An instance of a parser: [instance] of plugin.h.
class ParserInstance {
 public:
  static Result<std::unique_ptr<ParserInstance>> create(const ParserPlugin&, std::string_view config_json);
  ~ParserInstance();
  ParserInstance(const ParserInstance&) = delete;
  ParserInstance& operator=(const ParserInstance&) = delete;

  const ParserPlugin& plugin() const { return plugin_; }
  // The struct schema of one table, checked against the descriptor.
  Result<ArrowSchema> schema(std::uint32_t table);
  Result<void> parse(std::span<const lm_block* const> blocks, const lm_emit&);

 private:
  explicit ParserInstance(const ParserPlugin& plugin) : plugin_(plugin) {}
  const ParserPlugin& plugin_;
  lm_parser parser_{};
};

}  // namespace lm
