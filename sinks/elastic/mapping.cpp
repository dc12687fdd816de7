#include "elastic/mapping.hpp"

#include <logmill/sdk/text.hpp>

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>
#include <utility>

namespace lm::sink {
namespace {

constexpr std::pair<std::string_view, FieldType> kTypes[] = {{"keyword", FieldType::keyword},    {"wildcard", FieldType::wildcard},
                                                             {"text", FieldType::text},          {"ip", FieldType::ip},
                                                             {"date", FieldType::date},          {"long", FieldType::integer},
                                                             {"double", FieldType::number},      {"boolean", FieldType::boolean},
                                                             {"geo_point", FieldType::point},    {"flattened", FieldType::flattened},
                                                             {"unindexed", FieldType::unindexed}};
constexpr std::pair<std::string_view, Verb::Kind> kVerbs[] = {
    {"java", Verb::Kind::java},   {"lower", Verb::Kind::lower}, {"upper", Verb::Kind::upper}, {"before", Verb::Kind::before},
    {"after", Verb::Kind::after}, {"split", Verb::Kind::split}, {"json", Verb::Kind::json},   {"starting", Verb::Kind::starting}};
constexpr std::ptrdiff_t kMostDots = 15;
constexpr std::size_t kMostExpanded = 4096;

std::string in_quotes(std::string_view text) { return "'" + std::string(text.substr(0, 100)) + "'"; }

Result<Path> parse_steps(std::string_view text) {
  Path out;
  const auto bad = [&](std::string_view why) { return fail(LM_INVALID, in_quotes(text) + " is no path: " + std::string(why)); };
  std::size_t at = 0;
  while (at < text.size()) {
    if (text[at] == '[') {
      const std::size_t end = text.find(']', at);
      if (end == std::string_view::npos) return bad("a ']' is missing");
      const std::string_view inner = text.substr(at + 1, end - at - 1);
      const std::size_t equals = inner.find('=');
      Step& step = out.emplace_back();
      if (inner.empty()) {
        step.kind = Step::Kind::each;
      } else if (equals != std::string_view::npos) {
        step.kind = Step::Kind::where;
        step.name = inner.substr(0, equals), step.value = inner.substr(equals + 1);
        if (step.name.empty()) return bad("a condition is written [NAME=VALUE]");
      } else {
        const auto index = integer<std::uint32_t>(inner);
        if (!index) return bad("in brackets there is a number, NAME=VALUE or nothing");
        step.kind = Step::Kind::index, step.index = *index;
      }
      at = end + 1;
      if (at < text.size() && text[at] == '.' && ++at == text.size()) return bad("it ends with a point");
      continue;
    }
    std::string_view name;
    if (text[at] == '"') {
      const std::size_t end = text.find('"', at + 1);
      if (end == std::string_view::npos) return bad("a quote is missing");
      name = text.substr(at + 1, end - at - 1), at = end + 1;
      if (at < text.size() && text[at] != '.' && text[at] != '[') return bad("behind a quote there is a point or a bracket");
    } else {
      const std::size_t end = std::min(text.find_first_of(".[", at), text.size());
      name = text.substr(at, end - at), at = end;
    }
    if (name.empty()) return bad("a name is missing");
    out.emplace_back().name = name;
    if (at < text.size() && text[at] == '.' && ++at == text.size()) return bad("it ends with a point");
  }
  return out;
}

// What is wrong at a place of the file; caught where the file is read.
struct Wrong {
  YAML::Mark mark;
  std::string what;
};
[[noreturn]] void wrong(const YAML::Node& at, std::string what) { throw Wrong{at.Mark(), std::move(what)}; }

std::string scalar(const YAML::Node& node, std::string_view what) {
  if (!node.IsScalar()) wrong(node, std::string(what) + ": a text is wanted");
  return node.Scalar();
}

template <class Value, std::size_t n>
Value named(const YAML::Node& node, const std::pair<std::string_view, Value> (&all)[n], std::string_view what) {
  const std::string name = scalar(node, what);
  std::string known;
  for (const auto& [text, value] : all) {
    if (text == name) return value;
    known.append(known.empty() ? "" : ", ").append(text);
  }
  wrong(node, std::string(what) + " " + in_quotes(name) + ": there are " + known);
}

void known_keys(const YAML::Node& node, std::initializer_list<std::string_view> known, std::string_view what) {
  if (!node.IsMap()) wrong(node, std::string(what) + ": names and values are wanted");
  std::set<std::string> seen;
  for (const auto& entry : node) {
    const std::string key = scalar(entry.first, what);
    if (std::find(known.begin(), known.end(), key) == known.end())
      wrong(entry.first, std::string(what) + ": " + in_quotes(key) + " is no key of it");
    if (!seen.insert(key).second) wrong(entry.first, std::string(what) + ": " + in_quotes(key) + " is there twice");
  }
}

// "a.{i:0..3}.b" with "x[{i}]": a rule for each of 0 to 3.
struct Range {
  std::string name;                                   // "i"
  std::size_t begin = 0, end = 0, low = 0, high = 0;  // begin, end: in the text
};
std::optional<Range> find_range(const YAML::Node& node, std::string_view text) {
  const std::size_t open = text.find('{');
  if (open == std::string_view::npos) return std::nullopt;
  const std::size_t close = text.find('}', open), colon = text.find(':', open), dots = text.find("..", open);
  if (close == std::string_view::npos || colon >= close || dots >= close || colon > dots) wrong(node, "a range is written {i:0..3}");
  Range out{std::string(text.substr(open + 1, colon - open - 1)), open, close + 1, 0, 0};
  const auto low = integer<std::uint32_t>(text.substr(colon + 1, dots - colon - 1)),
             high = integer<std::uint32_t>(text.substr(dots + 2, close - dots - 2));
  if (out.name.empty() || !low || !high || *low > *high || *high > 99) wrong(node, "a range is written {i:0..3}");
  out.low = *low, out.high = *high;
  return out;
}

using Variables = std::map<std::string, std::string>;
std::string substituted(std::string text, const Variables& variables) {
  for (const auto& [name, value] : variables) {
    const std::string wanted = "{" + name + "}";
    for (std::size_t at = 0; (at = text.find(wanted, at)) != std::string::npos; at += value.size()) text.replace(at, wanted.size(), value);
  }
  return text;
}

class Loader {
 public:
  Mapping load(const YAML::Node& root) {
    known_keys(root, {"event", "types", "others", "paths", "groups", "datasets"}, "the mapping");
    Mapping out;
    if (root["event"]) out.event = root["event"].IsNull() ? "" : scalar(root["event"], "event");
    if (out.event.find('.') != std::string::npos) wrong(root["event"], "event: a name without points is wanted");
    if (const YAML::Node types = root["types"]) read_types(types, types_);
    if (const YAML::Node others = root["others"]) read_types(others, out.others);
    if (const YAML::Node paths = root["paths"]) {
      if (!paths.IsMap()) wrong(paths, "paths: names and lists of paths are wanted");
      for (const auto& entry : paths) {
        for (const YAML::Node& path : as_list(entry.second))
          prefixes_[scalar(entry.first, "paths")].push_back(one_path(path, scalar(path, "paths")));
      }
    }
    if (const YAML::Node groups = root["groups"]) {
      if (!groups.IsMap()) wrong(groups, "groups: names and fields are wanted");
      for (const auto& entry : groups) read_fields(entry.second, groups_[scalar(entry.first, "groups")]);
    }
    const YAML::Node datasets = root["datasets"];
    if (!datasets || !datasets.IsSequence() || datasets.size() == 0) wrong(datasets ? datasets : root, "datasets: a list is wanted");
    for (const YAML::Node& node : datasets) out.datasets.push_back(dataset(node, out.event));
    for (std::size_t i = 0; i < out.datasets.size(); ++i) {
      if (out.datasets[i].when.empty() != (i + 1 == out.datasets.size()))
        wrong(datasets[i], "the last data set, and no other, is without conditions: every event must have one");
    }
    out.types = std::move(types_);
    return out;
  }

 private:
  using Rules = std::map<std::string, Rule>;

  static std::vector<YAML::Node> as_list(const YAML::Node& node) {
    if (!node.IsSequence()) return {node};
    return {node.begin(), node.end()};
  }

  static void read_types(const YAML::Node& node, std::map<std::string, FieldType>& out) {
    if (!node.IsMap()) wrong(node, "types: fields and types are wanted");
    for (const auto& entry : node) out[scalar(entry.first, "types")] = named(entry.second, kTypes, "the type");
  }

  static Path one_path(const YAML::Node& node, std::string_view text) {
    auto path = parse_path(text);
    if (!path) wrong(node, path.error().message);
    return *std::move(path);
  }

  // A path that begins with a name of `paths` is several.
  std::vector<Path> paths(const YAML::Node& node, const std::string& text) const {
    if (!text.starts_with('$')) return {one_path(node, text)};
    const std::size_t end = std::min(text.find_first_of(".["), text.size());
    const auto found = prefixes_.find(text.substr(0, end));
    if (found == prefixes_.end()) wrong(node, in_quotes(text.substr(0, end)) + " is not in paths");
    std::vector<Path> out = found->second;
    if (end == text.size()) return out;
    const auto rest = parse_steps(std::string_view(text).substr(end + (text[end] == '.' ? 1 : 0)));
    if (!rest) wrong(node, rest.error().message);
    for (Path& path : out) path.insert(path.end(), rest->begin(), rest->end());
    return out;
  }

  static Constant constant(const YAML::Node& node) {
    Constant out;
    for (const YAML::Node& one : as_list(node)) out.texts.push_back(scalar(one, "a constant"));
    return out;
  }

  std::vector<Condition> conditions(const YAML::Node& node, const Variables& variables) const {
    if (!node.IsMap()) wrong(node, "when: paths and values are wanted");
    std::vector<Condition> out;
    for (const auto& entry : node) {
      Condition& condition = out.emplace_back();
      condition.paths = paths(entry.first, substituted(scalar(entry.first, "when"), variables));
      condition.kind = Condition::Kind::one_of;
      if (entry.second.IsNull()) {
        condition.kind = Condition::Kind::absent;
      } else if (entry.second.IsScalar() && entry.second.Scalar() == "*") {
        condition.kind = Condition::Kind::present;
      } else {
        condition.values = constant(entry.second).texts;
      }
    }
    return out;
  }

  static Verb verb(const YAML::Node& node) {
    Verb out;
    YAML::Node name(node);
    if (node.IsMap() && node.size() == 1) {
      name.reset(node.begin()->first);  // to assign would change the document
      out.argument = scalar(node.begin()->second, "as");
    }
    out.kind = named(name, kVerbs, "as");
    const bool takes = out.kind >= Verb::Kind::before;
    if (takes == out.argument.empty())
      wrong(node, takes ? "as: " + name.Scalar() + " is written {" + name.Scalar() + ": TEXT}" : "as: " + name.Scalar() + " takes no text");
    return out;
  }

  Alternative alternative(const YAML::Node& node, const Variables& variables) const {
    Alternative out;
    if (node.IsScalar()) {
      out.from.push_back(paths(node, substituted(node.Scalar(), variables)));
      return out;
    }
    known_keys(node, {"from", "join", "value", "as", "map", "when"}, "a field");
    if (static_cast<bool>(node["from"]) == static_cast<bool>(node["value"])) wrong(node, "a field has either from or value");
    if (node["join"]) out.join = scalar(node["join"], "join");
    if (node["value"]) {
      if (node["as"] || node["map"] || node["join"]) wrong(node, "a value is as it is: as, map and join are for what is from the event");
      out.constant = constant(node["value"]);
    } else {
      for (const YAML::Node& from : as_list(node["from"])) {
        std::vector<Path> more = paths(from, substituted(scalar(from, "from"), variables));
        if (out.from.empty() || node["join"]) out.from.emplace_back();
        out.from.back().insert(out.from.back().end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
      }
      if (out.from.empty()) wrong(node, "from: a path is wanted");
    }
    if (node["as"]) {
      for (const YAML::Node& one : as_list(node["as"])) out.verbs.push_back(verb(one));
    }
    if (const YAML::Node map = node["map"]) {
      if (!map.IsMap() || map.size() == 0) wrong(map, "map: texts and what becomes of them are wanted");
      for (const auto& entry : map) out.map[scalar(entry.first, "map")] = constant(entry.second);
    }
    if (node["when"]) out.when = conditions(node["when"], variables);
    return out;
  }

  FieldType type_of(const std::string& field) const {
    if (const auto type = types_.find(field); type != types_.end()) return type->second;
    for (std::size_t dot = field.find('.'); dot != std::string::npos; dot = field.find('.', dot + 1)) {
      const auto parent = types_.find(field.substr(0, dot));
      if (parent != types_.end() && parent->second == FieldType::flattened) return FieldType::inner;
    }
    return FieldType::keyword;
  }

  Rule rule(const std::string& field, const YAML::Node& node, const Variables& variables) const {
    Rule out;
    out.field = field;
    out.type = type_of(field);
    YAML::Node alternatives(node);
    if (node.IsMap() && node["all"]) {
      known_keys(node, {"all"}, "a field");
      out.all = true;
      alternatives.reset(node["all"]);
    }
    for (const YAML::Node& one : as_list(alternatives)) out.alternatives.push_back(alternative(one, variables));
    return out;
  }

  void add_rules(const YAML::Node& key, const std::string& field, const YAML::Node& node, Variables variables, Rules& out) {
    if (const auto range = find_range(key, field)) {
      for (std::size_t i = range->low; i <= range->high; ++i) {
        variables[range->name] = std::to_string(i);
        add_rules(key, field.substr(0, range->begin) + std::to_string(i) + field.substr(range->end), node, variables, out);
      }
      return;
    }
    if (field.empty() || field.starts_with('.') || field.ends_with('.') || field.find("..") != std::string::npos)
      wrong(key, in_quotes(field) + " is no name of a field");
    if (std::count(field.begin(), field.end(), '.') > kMostDots) wrong(key, in_quotes(field) + ": so deep no engine nests fields");
    if (field == "@timestamp") wrong(key, "@timestamp is the event's time, always");
    if (++expanded_ > kMostExpanded) wrong(key, "too many fields");
    out[field] = rule(field, node, variables);
  }

  void read_fields(const YAML::Node& node, Rules& out) {
    if (!node.IsMap()) wrong(node, "fields: names and paths are wanted");
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const std::string field = scalar(entry.first, "fields");
      if (!seen.insert(field).second) wrong(entry.first, in_quotes(field) + " is there twice");
      if (entry.second.IsNull()) {
        out[field] = Rule{field, FieldType::keyword, {}, false};  // not this field, whatever a group says
      } else {
        add_rules(entry.first, field, entry.second, {}, out);
      }
    }
  }

  Dataset dataset(const YAML::Node& node, const std::string& event) {
    known_keys(node, {"dataset", "when", "groups", "fields"}, "a data set");
    if (!node["dataset"]) wrong(node, "a data set has a name: dataset");
    Dataset out;
    out.name = scalar(node["dataset"], "dataset");
    const std::string shown = substituted(out.name, {{"table", "table"}});
    if (shown.empty() || shown.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._") != std::string::npos)
      wrong(node["dataset"], in_quotes(out.name) + " is no name of a data set: lower-case letters, digits, '.', '_' and {table} are");
    if (node["when"]) out.when = conditions(node["when"], {});
    Rules rules;
    if (node["groups"]) {
      for (const YAML::Node& group : as_list(node["groups"])) {
        const auto found = groups_.find(scalar(group, "groups"));
        if (found == groups_.end()) wrong(group, in_quotes(group.Scalar()) + " is not in groups");
        for (const auto& [field, rule] : found->second) rules[field] = rule;
      }
    }
    if (node["fields"]) read_fields(node["fields"], rules);
    for (const auto& [field, rule] : rules) {
      if (rule.alternatives.empty()) continue;
      for (std::size_t dot = field.find('.'); dot != std::string::npos; dot = field.find('.', dot + 1)) {
        const auto parent = rules.find(field.substr(0, dot));
        if (parent != rules.end() && !parent->second.alternatives.empty())
          wrong(node, in_quotes(field) + " is within " + in_quotes(parent->first) + ", which has a value itself");
      }
      if (!event.empty() && (field == event || field.starts_with(event + ".")))
        wrong(node, in_quotes(field) + ": there the event itself is");
      out.rules.push_back(rule);
    }
    return out;
  }

  std::map<std::string, FieldType> types_;
  std::map<std::string, std::vector<Path>> prefixes_;
  std::map<std::string, Rules> groups_;
  std::size_t expanded_ = 0;
};

}  // namespace

Result<Path> parse_path(std::string_view text) {
  auto out = parse_steps(text);
  if (out && (out->empty() || out->front().kind != Step::Kind::member))
    return fail(LM_INVALID, in_quotes(text) + " is no path: it begins with an attribute of the event");
  return out;
}

Result<Mapping> Mapping::parse(std::string_view yaml) {
  const auto at_line = [](const YAML::Mark& mark, const std::string& what) {
    return fail(LM_INVALID, mark.is_null() ? what : "line " + std::to_string(mark.line + 1) + ": " + what);
  };
  try {
    return Loader().load(YAML::Load(std::string(yaml)));
  } catch (const Wrong& e) {
    return at_line(e.mark, e.what);
  } catch (const YAML::Exception& e) {
    return at_line(e.mark, e.msg);
  }
}

}  // namespace lm::sink
