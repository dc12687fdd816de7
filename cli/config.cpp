#include "config.hpp"

#include "text.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <stdexcept>

namespace lm::cli {
namespace {

constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxJson = std::size_t{1} << 20;  // bytes: aliases of aliases grow without bound

// Caught in read_config, where every fault of the file becomes a value.
[[noreturn]] void refuse(const std::string& file, const YAML::Mark& mark, const std::string& what) {
  if (mark.is_null()) throw std::runtime_error(fmt::format("{}: {}", file, what));
  throw std::runtime_error(fmt::format("{}:{}: {}", file, mark.line + 1, what));
}

std::string scalar_json(const YAML::Node& node) {
  static const std::regex number("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][-+]?[0-9]+)?");
  const std::string& text = node.Scalar();
  // yaml-cpp tags quoted text with "!", so that `"8080"` stays text and `8080` is a number.
  if (node.Tag() == "!") return json_string(text);
  if (text == "true" || text == "false" || std::regex_match(text, number)) return text;
  return json_string(text);
}

void append_json(std::string& out, const YAML::Node& node, const std::string& file, int depth) {
  if (depth > kMaxDepth || out.size() > kMaxJson) refuse(file, node.Mark(), "the configuration of a plugin is too deep or too large");
  if (node.IsMap()) {
    out += '{';
    std::set<std::string> seen;
    for (const auto& member : node) {
      if (!member.first.IsScalar()) refuse(file, member.first.Mark(), "a key is a word");
      if (!seen.insert(member.first.Scalar()).second) {
        refuse(file, member.first.Mark(), fmt::format("'{}' stands here twice", printable(member.first.Scalar())));
      }
      if (out.back() != '{') out += ',';
      out += json_string(member.first.Scalar()) + ":";
      append_json(out, member.second, file, depth + 1);
    }
    out += '}';
  } else if (node.IsSequence()) {
    out += '[';
    for (const auto& element : node) {
      if (out.back() != '[') out += ',';
      append_json(out, element, file, depth + 1);
    }
    out += ']';
  } else {
    out += node.IsScalar() ? scalar_json(node) : "null";
  }
}

std::vector<std::string> values_of(const YAML::Node& node, const std::string& file, const std::string& key) {
  std::vector<std::string> values;
  if (node.IsScalar()) return {node.Scalar()};
  if (!node.IsSequence()) refuse(file, node.Mark(), fmt::format("{}: a value or a list of values is expected", key));
  for (const auto& element : node) {
    if (!element.IsScalar()) refuse(file, element.Mark(), fmt::format("{}: a list of plain values is expected", key));
    values.push_back(element.Scalar());
  }
  return values;
}

Config convert(const YAML::Node& root, const std::string& file, const std::function<bool(std::string_view)>& known) {
  Config config;
  if (root.IsNull()) return config;
  if (!root.IsMap()) refuse(file, root.Mark(), "a map of flag names to values is expected");
  std::set<std::string> seen;
  for (const auto& member : root) {
    const YAML::Mark mark = member.first.Mark();
    if (!member.first.IsScalar()) refuse(file, mark, "a key is a word");
    const std::string key = member.first.Scalar();
    if (!seen.insert(key).second) refuse(file, mark, fmt::format("'{}' stands here twice", printable(key)));
    if (key == "plugins") {
      if (!member.second.IsMap()) refuse(file, mark, "plugins: a map from plugin ids to their configuration is expected");
      for (const auto& plugin : member.second) {
        if (!plugin.first.IsScalar() || !plugin.second.IsMap()) {
          refuse(file, plugin.first.Mark(), "plugins: a map from plugin ids to maps is expected");
        }
        std::string json;
        append_json(json, plugin.second, file, 0);
        if (!config.plugins.emplace(plugin.first.Scalar(), std::move(json)).second) {
          refuse(file, plugin.first.Mark(), fmt::format("plugins: '{}' stands here twice", printable(plugin.first.Scalar())));
        }
      }
    } else if (known(key)) {
      config.entries.push_back({key, values_of(member.second, file, key), fmt::format("{}:{}: {}", file, mark.line + 1, key)});
    } else {
      refuse(file, mark, fmt::format("unknown key '{}'; keys are the long names of the flags of 'logmill run'", printable(key)));
    }
  }
  return config;
}

}  // namespace

Result<Config> read_config(const std::filesystem::path& path, const std::function<bool(std::string_view key)>& known) {
  const std::string file = printable(path.string());
  const auto unreadable = [&] { return fail(Errc::invalid, fmt::format("{}: the configuration file cannot be read", file)); };
  std::error_code ignored;
  std::ifstream stream(path);
  if (!stream.is_open() || std::filesystem::is_directory(path, ignored)) return unreadable();
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (stream.bad()) return unreadable();
  try {
    YAML::Node root;
    for (const YAML::Node& document : YAML::LoadAll(text)) {
      if (document.IsNull()) continue;
      if (!root.IsNull()) refuse(file, document.Mark(), "a second document begins here: a configuration is one");
      root.reset(document);
    }
    return convert(root, file, known);
  } catch (const YAML::Exception& e) {
    return fail(Errc::invalid,
                e.mark.is_null() ? fmt::format("{}: {}", file, e.msg) : fmt::format("{}:{}: {}", file, e.mark.line + 1, e.msg));
  } catch (const std::exception& e) {
    return fail(Errc::invalid, e.what());
  }
}

}  // namespace lm::cli
