// What a run would read, by what listings and names say: nothing is opened.
#include "pipeline/run_impl.hpp"
#include "plugin_host/plugin_host.hpp"

#include <tuple>

namespace lm {
namespace {

// The parser whose key pattern names most of the key; null if none matches.
const ParserPlugin* parser_of(const Registry::Impl& registry, std::string_view key, KeyPattern::Captures& captures) {
  const ParserPlugin* best = nullptr;
  const KeyPattern* by = nullptr;
  for (const auto& named : registry.named_by(key)) {
    if (!by || named.pattern->weight() > by->weight()) best = named.parser, by = named.pattern;
  }
  captures.clear();
  if (by) by->matches(key, &captures);
  return best;
}

}  // namespace

Result<Plan> plan(const Registry& registry, const RunOptions& options, const std::atomic<bool>& cancelled) {
  const auto stop = [&] { return cancelled.load(std::memory_order_relaxed); };
  auto sources = open_sources(options, stop);
  if (!sources) return tl::unexpected(sources.error());
  Plan out;
  std::map<std::tuple<std::string, std::string, std::string, std::string>, PlanGroup> groups;
  Seen seen;
  KeyPattern::Captures captures;
  const bool overlap = sources->size() > 1 || !options.objects_from.empty();
  for (const auto& source : *sources) {
    std::string after;
    for (bool last = false; !last && !stop();) {
      auto page = source->list(after, 1000);
      if (!page) return tl::unexpected(page.error());
      last = page->last;
      if (!page->objects.empty()) after = page->objects.back().uri;
      for (const ObjectRef& object : page->objects) {
        if (overlap && !seen.is_new(*source, object)) continue;
        if (!object.trouble.empty() && out.unreadable.size() < Summary::kMaxReports)
          out.unreadable.push_back({readable(object.uri), ObjectOutcome::failed, "", object.trouble});
        const ParserPlugin* const parser = parser_of(registry.impl(), object.key, captures);
        const KeyFacts facts = facts_of(object.key);
        const auto captured = [&](std::string_view name, std::string_view known) {
          if (!known.empty()) return std::string(known);
          for (const auto& [capture, text] : captures) {
            if (capture == name) return text;
          }
          return std::string();
        };
        std::string day;
        if (facts.day != 0) {
          const auto two = [](int n) { return std::string{static_cast<char>('0' + n / 10 % 10), static_cast<char>('0' + n % 10)}; };
          day = std::to_string(facts.year) + '-' + two(facts.month) + '-' + two(facts.day);
        }
        PlanGroup found{
            parser ? parser->id : "", captured("account", facts.account), captured("region", facts.region), std::move(day), 0, 0};
        PlanGroup& group = groups[{found.parser, found.account, found.region, found.day}];
        if (group.objects == 0) group = std::move(found);
        ++group.objects, ++out.objects;
        group.bytes += object.size, out.bytes += object.size;
      }
    }
  }
  if (stop()) return fail(Errc::cancelled, "the listing was stopped");
  for (auto& [by, group] : groups) out.groups.push_back(std::move(group));
  return out;
}

}  // namespace lm
