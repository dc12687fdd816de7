#include "listing.hpp"

#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace lm::cli {
namespace {

constexpr std::size_t kColumns = 80;
constexpr std::size_t kLabel = 13;  // columns before what a label labels

std::string labelled(std::string_view label, std::string_view text) {
  return text.empty() ? "" : fmt::format("  {:<{}}{}\n", label, kLabel - 2, wrap(printable(text), kColumns - kLabel, kLabel));
}

std::string head(std::string_view id, std::string_view title, std::string_view vendor, std::string_view version) {
  return fmt::format("{}  {}, {} (version {})\n", printable(id), printable(title), printable(vendor), printable(version));
}

std::string join(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : " ") + item;
  return out;
}

std::string parser_head(const ParserInfo& p) {
  std::vector<std::string> classes;
  for (const ClassInfo& c : p.classes) classes.push_back(c.name);
  std::string out = head(p.id, p.title, p.vendor, p.version);
  out += labelled(p.set_aside ? "sets aside" : "reads", p.reads);
  out += labelled("classes", join(classes));
  return out + labelled("file", p.file.string());
}

std::string columns_text(const std::vector<ColumnInfo>& columns) {
  std::size_t width = 0;
  for (const ColumnInfo& c : columns) width = std::max(width, c.path.size());
  width = std::min<std::size_t>(width, 60);
  std::string out;
  for (const ColumnInfo& c : columns) {
    out += fmt::format("  {:<{}}  {}", printable(c.path), width, printable(c.type));
    if (!c.constant.empty()) out += fmt::format("  = {}", json_string(c.constant));
    out += '\n';
  }
  return out;
}

}  // namespace

std::string plan_text(const Plan& plan) {
  std::vector<std::array<std::string, 6>> rows{{"source", "account", "region", "day", "objects", "bytes"}};
  const auto said = [](const std::string& text) { return text.empty() ? std::string("-") : printable(text); };
  for (const PlanGroup& g : plan.groups)
    rows.push_back({said(g.parser), said(g.account), said(g.region), said(g.day), count(g.objects), bytes(static_cast<double>(g.bytes))});
  rows.push_back({"all", "", "", "", count(plan.objects), bytes(static_cast<double>(plan.bytes))});
  std::array<std::size_t, 6> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i != 0) out += "  ";
      out += i < 4 ? fmt::format("{:<{}}", row[i], widths[i]) : fmt::format("{:>{}}", row[i], widths[i]);
    }
    out += '\n';
  }
  return out;
}

std::string plan_json(const Plan& plan) {
  const auto said = [](const std::string& text) { return text.empty() ? std::string("null") : json_string(text); };
  std::string out = fmt::format("{{\"objects\":{},\"bytes\":{},\"groups\":[", plan.objects, plan.bytes);
  for (const PlanGroup& g : plan.groups) {
    out += fmt::format("{}\n{{\"parser\":{},\"account\":{},\"region\":{},\"day\":{},\"objects\":{},\"bytes\":{}}}",
                       out.back() == '[' ? "" : ",", said(g.parser), said(g.account), said(g.region), said(g.day), g.objects, g.bytes);
  }
  out += "\n],\"unreadable\":[";
  for (const ObjectReport& r : plan.unreadable)
    out += fmt::format("{}\n{{\"uri\":{},\"reason\":{}}}", out.back() == '[' ? "" : ",", json_string(r.uri), json_string(r.reason));
  return out + (plan.unreadable.empty() ? "]}\n" : "\n]}\n");
}

std::string plugins_text(const std::vector<ParserInfo>& parsers, const std::vector<SinkInfo>& sinks) {
  std::string out = fmt::format("Parsers: {}\n\n", parsers.size());
  for (const ParserInfo& p : parsers) out += parser_head(p) + "\n";
  out += fmt::format("Sinks: {}\n\n", sinks.size());
  for (const SinkInfo& s : sinks) {
    out +=
        head(s.id, s.title, s.vendor, s.version) + labelled("write to", s.id + ":" + s.target) + labelled("file", s.file.string()) + "\n";
  }
  return out + "'logmill plugins show ID' tells more of one.\n";
}

std::string parser_text(const ParserInfo& p) {
  std::string out = parser_head(p);
  out += labelled("framing", p.framing);
  out += labelled("keys", join(p.keys));
  for (const ClassInfo& c : p.classes) out += fmt::format("\n{} ({})\n", printable(c.name), c.uid) + columns_text(c.columns);
  return out;
}

std::string sink_text(const SinkInfo& s) {
  std::string out =
      head(s.id, s.title, s.vendor, s.version) + labelled("write to", s.id + ":" + s.target) + labelled("file", s.file.string());
  if (!s.options.empty()) out += fmt::format("\nOptions, as in {}:{},{}={}\n", s.id, s.target, s.options[0].name, s.options[0].fallback);
  for (const OptionInfo& o : s.options) {
    out += fmt::format("  {}={}\n", printable(o.name), printable(o.fallback));
    const std::string kind = o.choices.empty() ? o.type : fmt::format("{}, {}", o.type, o.choices);
    out += fmt::format("      {}\n", wrap(printable(fmt::format("{} ({})", o.help, kind)), kColumns - 6, 6));
  }
  return out;
}

std::string schema_text(const std::vector<TableInfo>& tables) {
  std::string out;
  for (const TableInfo& t : tables) {
    out += fmt::format("{}{} (class {}, {} columns)\n", out.empty() ? "" : "\n", printable(t.name), t.class_uid, t.columns.size());
    out += columns_text(t.columns);
  }
  return out;
}

std::string schema_json(const std::vector<TableInfo>& tables) {
  std::string out = "{";
  for (const TableInfo& t : tables) {
    if (out.size() > 1) out += ',';
    out += fmt::format("\n{}:{{\"class_uid\":{},\"columns\":[", json_string(t.name), t.class_uid);
    for (std::size_t i = 0; i < t.columns.size(); ++i) {
      const ColumnInfo& c = t.columns[i];
      out += fmt::format("{}\n  {{\"path\":{},\"type\":{}{}}}", i == 0 ? "" : ",", json_string(c.path), json_string(c.type),
                         c.constant.empty() ? "" : ",\"constant\":" + json_string(c.constant));
    }
    out += "]}";
  }
  return out + "\n}\n";
}

}  // namespace lm::cli
