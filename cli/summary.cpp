#include "summary.hpp"

#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

namespace lm::cli {
namespace {

constexpr std::size_t kShownDrift = 10;    // fields named for a parser
constexpr std::size_t kShownOutputs = 10;  // outputs named, if there are no more than that

double per_second(std::uint64_t amount, double seconds) { return seconds > 0 ? static_cast<double>(amount) / seconds : 0; }

std::string_view outcome_text(ObjectOutcome outcome) {
  switch (outcome) {
    case ObjectOutcome::read: return "read";
    case ObjectOutcome::partly_read: return "partly read";
    case ObjectOutcome::set_aside: return "set aside";
    case ObjectOutcome::unrecognised: return "unrecognised";
    case ObjectOutcome::empty: return "empty";
    case ObjectOutcome::failed: return "failed";
  }
  return "failed";
}

std::uint64_t not_whole(const Summary& s) { return s.set_aside + s.unrecognised + s.empty + s.failed + s.partly_read; }

std::uint64_t filtered(const Summary& s) {
  std::uint64_t sum = 0;
  for (const auto& [id, parser] : s.parsers) {
    for (const auto& [name, table] : parser.tables) sum += table.rows_filtered;
  }
  return sum;
}

std::string plural(std::uint64_t n, std::string_view noun) { return fmt::format("{} {}{}", count(n), noun, n == 1 ? "" : "s"); }

// Cells become columns as wide as their widest cell; which columns are numbers, and so stand to the right, the first row (the titles) says by
// a leading '>'.
class Table {
 public:
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string text() const {
    std::vector<std::size_t> width(rows_.front().size());
    std::vector<bool> right(width.size());
    for (std::size_t c = 0; c < width.size(); ++c) right[c] = rows_.front()[c].starts_with('>');
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      for (std::size_t c = 0; c < width.size(); ++c) width[c] = std::max(width[c], cell(r, c).size());
    }
    std::string out;
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      std::string line;
      for (std::size_t c = 0; c < width.size(); ++c) {
        line += "  ";
        const std::string pad(width[c] - cell(r, c).size(), ' ');
        line += right[c] ? pad : "";
        line += cell(r, c);
        line += right[c] ? "" : pad;
      }
      line.erase(line.find_last_not_of(' ') + 1);
      out += line + "\n";
    }
    return out;
  }

 private:
  std::string_view cell(std::size_t r, std::size_t c) const {
    const std::string_view text = rows_[r][c];
    return r == 0 && text.starts_with('>') ? text.substr(1) : text;
  }
  std::vector<std::vector<std::string>> rows_;
};

std::string parser_table(const Summary& s) {
  const bool with_filtered = filtered(s) > 0;
  Table table;
  std::vector<std::string> titles = {"parser", ">objects", ">records", ">rejects", ">MB/s/core", "table", ">rows"};
  if (with_filtered) titles.emplace_back(">outside time");
  table.row(titles);
  for (const auto& [id, p] : s.parsers) {
    std::vector<std::string> cells = {printable(id), count(p.objects), count(p.records_in), count(p.rejects),
                                      fmt::format("{:.1f}", per_second(p.decoded_bytes, p.seconds) / 1e6)};
    if (p.tables.empty()) {
      cells.resize(titles.size());
      table.row(cells);
    }
    for (const auto& [name, rows] : p.tables) {
      cells.emplace_back(printable(name));
      cells.emplace_back(count(rows.rows_out));
      if (with_filtered) cells.emplace_back(count(rows.rows_filtered));
      table.row(std::exchange(cells, std::vector<std::string>(5)));
    }
  }
  return table.text();
}

std::string drift_text(const Summary& s) {
  std::string out;
  for (const auto& [id, p] : s.parsers) {
    if (p.drift.empty()) continue;
    std::vector<std::pair<std::string, std::uint64_t>> fields(p.drift.begin(), p.drift.end());
    std::stable_sort(fields.begin(), fields.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    std::string list;
    for (std::size_t i = 0; i < std::min(fields.size(), kShownDrift); ++i) {
      list += fmt::format("{}{} ({})", i == 0 ? "" : ", ", printable(fields[i].first), count(fields[i].second));
    }
    if (fields.size() > kShownDrift) list += fmt::format(", and {} more", count(fields.size() - kShownDrift));
    out += fmt::format("  {}\n", wrap(fmt::format("{}: {}", printable(id), list), 98, 4));
  }
  return out.empty() ? out : fmt::format("\nFields that the parsers do not know, kept in unmapped (records):\n{}", out);
}

// The objects that are named, each with what `mark` says of it in front, of `total`.
template <class Mark>
std::string named_text(const std::vector<ObjectReport>& reports, std::uint64_t total, const SummaryContext& context, Mark mark) {
  std::string out;
  const std::size_t shown = std::min(reports.size(), kShownReports);
  for (std::size_t i = 0; i < shown; ++i) {
    out += fmt::format("  {:<12}  {}\n", mark(reports[i]), printable(reports[i].uri));
    if (!reports[i].reason.empty()) out += fmt::format("{:16}{}\n", "", wrap(printable(reports[i].reason), 98, 16));
  }
  if (total > shown) {
    out += fmt::format("  ... and {} more; {} has all of them\n", count(total - shown),
                       context.rejects.empty() ? "--rejects DIR" : printable(context.rejects));
  }
  return out;
}

std::string rejects_text(const Summary& s, const SummaryContext& context) {
  const std::uint64_t rejects = s.rejects();
  if (rejects == 0) return {};
  return fmt::format("\nRejected: {}; {}\n", plural(rejects, "record"),
                     context.rejects.empty() ? "--rejects DIR keeps them, with the reason" : "kept in " + printable(context.rejects)) +
         named_text(s.rejecting, s.with_rejects, context,
                    [](const ObjectReport& r) { return fmt::format("{} of {}", count(r.rejects), count(r.records_in)); });
}

std::string reports_text(const Summary& s, const SummaryContext& context) {
  const std::uint64_t total = not_whole(s);
  if (total == 0) return {};
  return fmt::format("\nNot read whole: {}\n", plural(total, "object")) +
         named_text(s.reports, total, context, [](const ObjectReport& r) { return outcome_text(r.outcome); });
}

std::string outputs_text(const Summary& s) {
  std::string out = fmt::format("\nOutputs: {}\n", count(s.outputs_total));
  if (s.outputs_total <= kShownOutputs) {
    for (const std::string& name : s.outputs) out += fmt::format("  {}\n", printable(name));
  }
  return out;
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  if (out.back() != '{') out += ',';
  out += json_string(name) + ":";
  out += value;
}
void append_member(std::string& out, std::string_view name, std::uint64_t value) { append_member(out, name, std::to_string(value)); }
void append_seconds(std::string& out, double seconds, std::uint64_t decoded) {
  append_member(out, "seconds", fmt::format("{:.3f}", seconds));
  append_member(out, "mb_per_second", fmt::format("{:.3f}", per_second(decoded, seconds) / 1e6));
}

std::string parser_json(const ParserCount& p) {
  std::string out = "{";
  append_member(out, "objects", p.objects);
  append_member(out, "stored_bytes", p.stored_bytes);
  append_member(out, "decoded_bytes", p.decoded_bytes);
  append_member(out, "records_in", p.records_in);
  append_member(out, "records_out", p.records_out);
  append_member(out, "rejects", p.rejects);
  append_seconds(out, p.seconds, p.decoded_bytes);
  std::string tables = "{";
  for (const auto& [name, rows] : p.tables) {
    append_member(tables, name, fmt::format(R"({{"rows_out":{},"rows_filtered":{}}})", rows.rows_out, rows.rows_filtered));
  }
  append_member(out, "tables", tables + "}");
  std::string drift = "{";
  for (const auto& [field, records] : p.drift) append_member(drift, field, records);
  append_member(out, "drift", drift + "}");
  return out + "}";
}

std::string report_json(const ObjectReport& report) {
  std::string out = "{";
  append_member(out, "uri", json_string(report.uri));
  append_member(out, "outcome", json_string(outcome_name(report.outcome)));
  if (!report.parser.empty()) append_member(out, "parser", json_string(report.parser));
  append_member(out, "reason", json_string(report.reason));
  append_member(out, "records_in", report.records_in);
  append_member(out, "rejects", report.rejects);
  return out + "}";
}

template <class Items, class ToJson>
std::string array_json(const Items& items, std::size_t limit, ToJson to_json) {
  std::string out = "[";
  for (std::size_t i = 0; i < std::min(items.size(), limit); ++i) {
    if (i != 0) out += ',';
    out += to_json(items[i]);
  }
  return out + "]";
}

std::string skipped_text(const Summary& s, const SummaryContext& context) {
  if (s.skipped == 0) return {};
  std::string out = fmt::format("Skipped: {}, done before", plural(s.skipped, "object"));
  if (s.skipped_not_whole > 0) {
    const std::string state = printable(context.state);
    out += fmt::format(
        "; {} of them not whole, or with rejects: 'logmill state objects {}' names them, 'logmill state retry {}' has those read again "
        "that "
        "were not read whole",
        count(s.skipped_not_whole), state, state);
  }
  return wrap(out, 98, 2) + "\n";
}

}  // namespace

std::string_view outcome_name(ObjectOutcome outcome) {
  switch (outcome) {
    case ObjectOutcome::partly_read: return "partly_read";
    case ObjectOutcome::set_aside: return "set_aside";
    default: return outcome_text(outcome);
  }
}

std::string summary_text(const Summary& s, const SummaryContext& context) {
  std::string out = fmt::format("{}: {} stored, {} decoded, {} rows in {} ({})\n", plural(s.objects, "object"),
                                bytes(static_cast<double>(s.stored_bytes)), bytes(static_cast<double>(s.decoded_bytes)), count(s.rows()),
                                duration(s.seconds), rate(per_second(s.decoded_bytes, s.seconds)));
  out += skipped_text(s, context);
  if (!s.parsers.empty()) out.append("\n").append(parser_table(s));
  out += drift_text(s);
  out += rejects_text(s, context);
  for (const RefusedCount& r : s.refused) {
    out += fmt::format("\nRefused by {}: {}; {}\n  the first is {}\n", printable(r.sink), plural(r.rows, "row"),
                       context.rejects.empty() ? "--rejects DIR keeps them, with the reason" : "kept in " + printable(context.rejects),
                       wrap(printable(r.first), 98, 4));
  }
  out += reports_text(s, context);
  out += outputs_text(s);
  if (s.cancelled)
    out += context.state.empty() ? "\nstopped; what was finished is kept\n"
                                 : "\nstopped; what was finished is kept, and the same command goes on\n";
  return out;
}

std::string summary_json(const Summary& s, std::size_t max_reports) {
  std::string out = "{";
  append_member(out, "logmill", json_string(version()));
  append_member(out, "complete", s.complete() ? "true" : "false");
  append_member(out, "cancelled", s.cancelled ? "true" : "false");
  append_member(out, "objects", s.objects);
  append_member(out, "skipped", s.skipped);
  append_member(out, "skipped_not_whole", s.skipped_not_whole);
  append_member(out, "checkpoints", s.checkpoints);
  append_member(out, "stored_bytes", s.stored_bytes);
  append_member(out, "decoded_bytes", s.decoded_bytes);
  append_member(out, "rows_out", s.rows());
  append_member(out, "rows_filtered", filtered(s));
  append_member(out, "rejects", s.rejects());
  if (!s.refused.empty()) {
    std::string refused;
    for (const RefusedCount& r : s.refused) {
      std::string one = "{";
      append_member(one, "sink", json_string(r.sink));
      append_member(one, "rows", r.rows);
      append_member(one, "first", json_string(r.first));
      refused += (refused.empty() ? "" : ",") + one + "}";
    }
    append_member(out, "refused", "[" + refused + "]");
  }
  append_seconds(out, s.seconds, s.decoded_bytes);
  std::string outcomes = "{";
  append_member(outcomes, "partly_read", s.partly_read);
  append_member(outcomes, "set_aside", s.set_aside);
  append_member(outcomes, "unrecognised", s.unrecognised);
  append_member(outcomes, "empty", s.empty);
  append_member(outcomes, "failed", s.failed);
  append_member(out, "not_read_whole", outcomes + "}");
  std::string parsers = "{";
  for (const auto& [id, parser] : s.parsers) append_member(parsers, id, parser_json(parser));
  append_member(out, "parsers", parsers + "}");
  append_member(out, "reports", array_json(s.reports, max_reports, report_json));
  append_member(out, "with_rejects", s.with_rejects);
  append_member(out, "rejecting", array_json(s.rejecting, max_reports, report_json));
  append_member(out, "outputs_total", s.outputs_total);
  append_member(out, "outputs", array_json(s.outputs, max_reports, [](const std::string& name) { return json_string(name); }));
  return out + "}";
}

std::string failure_json(std::string_view error) {
  std::string out = "{";
  append_member(out, "logmill", json_string(version()));
  append_member(out, "complete", "false");
  append_member(out, "error", json_string(error));
  return out + "}";
}

}  // namespace lm::cli
