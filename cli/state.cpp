#include "state.hpp"

#include "summary.hpp"
#include "text.hpp"

#include <fmt/format.h>

#include <numeric>

namespace lm::cli {

std::string state_text(const StateInfo& info) {
  std::string out = fmt::format("ledger      {}\n", printable(info.id));
  for (const std::string& target : info.targets) out += fmt::format("writes to   {}\n", printable(target));
  for (const auto& [name, value] : info.job) {
    if (name != "to" && !value.empty()) out += fmt::format("{:<12}{}\n", name, printable(value));
  }
  if (!info.last_run.empty())
    out += fmt::format("last run    {}{}\n", printable(info.last_run), info.last_run_ended ? "; over" : "; goes on, or was broken off");
  out += fmt::format("objects     {} ({} stored, {} records, {} rejects)\n",
                     count(std::accumulate(info.objects.begin(), info.objects.end(), std::uint64_t{0})),
                     bytes(static_cast<double>(info.stored_bytes)), count(info.records), count(info.rejects));
  for (std::size_t i = 0; i < info.objects.size(); ++i) {
    if (info.objects[i] != 0) out += fmt::format("  {:<12}{}\n", outcome_name(static_cast<ObjectOutcome>(i)), count(info.objects[i]));
  }
  if (info.again != 0) out += fmt::format("  to be read again by the next run: {}\n", count(info.again));
  out += fmt::format("outputs     {} in {} commits ({}, {} rows)\n", count(info.outputs), count(info.epochs),
                     bytes(static_cast<double>(info.output_bytes)), count(info.output_rows));
  if (info.unpublished != 0) out += fmt::format("  committed and not yet visible: {}\n", count(info.unpublished));
  if (info.superseded != 0)
    out += fmt::format("superseded  {} (objects whose earlier rows do not count; the manifests name them)\n", count(info.superseded));
  return out;
}

std::string state_json(const StateInfo& info) {
  std::string job, targets, objects;
  for (const auto& [name, value] : info.job) job += fmt::format("{}{}:{}", job.empty() ? "" : ",", json_string(name), json_string(value));
  for (const std::string& target : info.targets) targets.append(targets.empty() ? "" : ",").append(json_string(target));
  for (std::size_t i = 0; i < info.objects.size(); ++i)
    objects += fmt::format("{}\"{}\":{}", i == 0 ? "" : ",", outcome_name(static_cast<ObjectOutcome>(i)), info.objects[i]);
  return fmt::format(
      R"({{"id":{},"job":{{{}}},"targets":[{}],"objects":{{{}}},"stored_bytes":{},"records":{},"rejects":{},"again":{},"epochs":{},)"
      R"("superseded":{},"outputs":{},"output_rows":{},"output_bytes":{},"unpublished":{},"last_run":{},"last_run_ended":{}}})",
      json_string(info.id), job, targets, objects, info.stored_bytes, info.records, info.rejects, info.again, info.epochs, info.superseded,
      info.outputs, info.output_rows, info.output_bytes, info.unpublished, json_string(info.last_run), info.last_run_ended);
}

std::string object_text(const StateObject& o) {
  return fmt::format("{:<12}  {:>12}  {:>9} records  {:>6} rejects  {}{}{}{}\n", outcome_name(o.outcome),
                     bytes(static_cast<double>(o.size)), count(o.records), count(o.rejects), printable(o.uri), o.reason.empty() ? "" : ": ",
                     printable(o.reason), o.again ? " (to be read again)" : "");
}

std::string object_json(const StateObject& o) {
  return fmt::format(R"({{"uri":{},"etag":{},"size":{},"outcome":"{}","records":{},"rejects":{},"epoch":{},"again":{},"reason":{}}})"
                     "\n",
                     json_string(o.uri), json_string(o.etag), o.size, outcome_name(o.outcome), o.records, o.rejects, o.epoch, o.again,
                     json_string(o.reason));
}

}  // namespace lm::cli
