#include "pipeline/manifest.hpp"

#include "pipeline/run_impl.hpp"

#include <logmill/sdk/json.hpp>

#include <fmt/format.h>

namespace lm {
namespace {

// A sink may have targets of another kind.
bool has_manifest(const LedgerTarget& target) {
  std::error_code failed;
  return Storages::is_remote(target.target) ||
         (target.target.find("://") == std::string::npos && std::filesystem::is_directory(target.target, failed));
}

constexpr std::uint64_t kHeld = std::uint64_t{4} << 20;  // of a manifest that waits to be sent

// "_manifest.json"; for the third of sixteen shards, which may share the folder with the others, "_manifest.3-of-16.json".
std::string name_of(const Ledger::Job& job) {
  const auto shard = job.find("shard");
  if (shard == job.end() || shard->second.empty()) return "_manifest.json";
  std::string part = shard->second;
  if (const std::size_t slash = part.find('/'); slash != std::string::npos) part.replace(slash, 1, "-of-");
  return fmt::format("_manifest.{}.json", part);
}

std::string json_text(std::string_view text) {
  std::string out;
  json::append_quoted(out, readable(text));
  return out;
}

std::string heading(const Ledger& ledger) { return fmt::format("{{\"ledger\":\"{}\"", ledger.id()); }

// Text with lists in it.
class Writer {
 public:
  explicit Writer(const Storage::Put& put) : put_(put) {}
  void put(std::string_view text) { put_(text); }
  // An item of the list that is open.
  void item(std::string_view text) {
    put(first_ ? "\n  " : ",\n  ");
    first_ = false;
    put(text);
  }
  void list(std::string_view name) {
    put(fmt::format(",\n\"{}\":[", name));
    first_ = true;
  }

 private:
  const Storage::Put& put_;
  bool first_ = true;
};

Result<void> write_manifest(Ledger& ledger, const LedgerTarget& target, const Ledger::Job& job, const Storage::Put& put) {
  Writer out(put);
  out.put(heading(ledger));
  out.put(fmt::format(",\n\"logmill\":{},\n\"sink\":{}", json_text(version()), json_text(target.sink)));
  out.put(",\n\"job\":{");
  bool first = true;
  for (const auto& [name, value] : job)
    out.put(fmt::format("{}{}:{}", std::exchange(first, false) ? "" : ",", json_text(name), json_text(value)));
  out.put("}");

  std::map<std::uint64_t, std::map<std::string, std::pair<std::int64_t, std::int64_t>>> times;  // a few tables an epoch
  out.list("epochs");
  auto ok = ledger.each_epoch([&](const LedgerEpoch& e) {
    std::string text = fmt::format("{{\"epoch\":{},\"run\":{},\"objects\":{{\"count\":{},\"first\":{},\"last\":{}", e.epoch,
                                   json_text(e.run), e.objects, json_text(e.first), json_text(e.last));
    if (e.uris.size() == e.objects) {
      text += ",\"uris\":[";
      for (std::size_t i = 0; i < e.uris.size(); ++i) text.append(i == 0 ? "" : ",").append(json_text(e.uris[i]));
      text += ']';
    }
    text += "},\"tables\":{";
    for (std::size_t i = 0; i < e.tables.size(); ++i) {
      const LedgerTable& t = e.tables[i];
      text += fmt::format("{}{}:{{\"rows\":{},\"time_min\":{},\"time_max\":{}}}", i == 0 ? "" : ",", json_text(t.name), t.rows, t.time_min,
                          t.time_max);
      times[e.epoch][t.name] = {t.time_min, t.time_max};
    }
    out.item(text + "}}");
  });
  if (!ok) return ok;
  out.put("\n]");
  out.list("files");
  ok = ledger.each_output(target.id, [&](const LedgerOutput& o) {
    std::string text = fmt::format("{{\"name\":{},\"epoch\":{},\"rows\":{},\"bytes\":{}", json_text(o.name), o.epoch, o.rows, o.bytes);
    if (!o.table.empty()) text += fmt::format(",\"table\":{}", json_text(o.table));
    const auto epoch = times.find(o.epoch);
    if (epoch != times.end()) {
      if (const auto time = epoch->second.find(o.table); time != epoch->second.end())
        text += fmt::format(",\"time_min\":{},\"time_max\":{}", time->second.first, time->second.second);
    }
    out.item(text + "}");
  });
  if (!ok) return ok;
  out.put("\n]");
  out.list("superseded");
  ok = ledger.each_superseded([&](const std::string& uri, const std::string& etag, std::uint64_t epoch) {
    out.item(fmt::format("{{\"uri\":{},\"etag\":{},\"epoch\":{}}}", json_text(uri), json_text(etag), epoch));
  });
  if (!ok) return ok;
  out.put("\n]}\n");
  return {};
}

}  // namespace

Result<void> write_manifests(Ledger& ledger, Storages& storages) {
  auto targets = ledger.targets();
  if (!targets) return tl::unexpected(targets.error());
  auto job = ledger.job();
  if (!job) return tl::unexpected(job.error());
  for (const LedgerTarget& target : *targets) {
    if (!has_manifest(target)) continue;
    const auto write = [&](const Storage::Put& put) { return write_manifest(ledger, target, *job, put); };
    if (auto ok = storages.make(target.target, {}, kHeld)->replace(name_of(*job), write); !ok) return ok;
  }
  return {};
}

Result<void> check_manifest(Ledger& ledger, const LedgerTarget& target, Storages& storages) {
  auto job = ledger.job();
  if (!job) return tl::unexpected(job.error());
  if (!has_manifest(target)) return {};
  const std::string wanted = heading(ledger);
  const auto text = storages.make(target.target, {}, 0)->head(name_of(*job), wanted.size());
  if (!text) return tl::unexpected(text.error());
  if (!*text || **text == wanted) return {};
  return fail(
      Errc::invalid,
      fmt::format("{} says that the files there belong to another ledger than {}: objects could be written twice. Go on with that one, or "
                  "write to another folder",
                  fmt::format("{}/{}", target.target, name_of(*job)), ledger.path().string()));
}

}  // namespace lm
