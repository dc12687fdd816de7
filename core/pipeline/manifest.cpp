#include "pipeline/manifest.hpp"

#include "pipeline/run_impl.hpp"

#include <logmill/sdk/json.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace lm {
namespace {

namespace fs = std::filesystem;

bool is_local(const LedgerTarget& target) {
  std::error_code failed;
  return target.target.find("://") == std::string::npos && fs::is_directory(target.target, failed);
}

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

// A file that appears whole or not at all.
class Writer {
 public:
  explicit Writer(const fs::path& path) : path_(path), temporary_(path.parent_path() / fmt::format(".{}.tmp", path.filename().string())) {
    file_ = std::fopen(temporary_.c_str(), "wbe");
    if (!file_) error_ = errno;
  }
  ~Writer() {
    if (!file_) return;
    std::fclose(file_);
    ::unlink(temporary_.c_str());
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void put(std::string_view text) {
    if (file_ && error_ == 0 && std::fwrite(text.data(), 1, text.size(), file_) != text.size()) error_ = errno;
  }
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
  Result<void> finish() {
    if (file_) {
      if (error_ == 0 && (std::fflush(file_) != 0 || ::fsync(::fileno(file_)) != 0)) error_ = errno;
      if (std::fclose(std::exchange(file_, nullptr)) != 0 && error_ == 0) error_ = errno;
      if (error_ == 0 && ::rename(temporary_.c_str(), path_.c_str()) != 0) error_ = errno;
      if (error_ != 0) ::unlink(temporary_.c_str());
    }
    if (error_ != 0) return fail(Errc::io, fmt::format("{}: {}", path_.string(), std::strerror(error_)));
    if (const int folder = ::open(path_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); folder >= 0) {
      ::fsync(folder);  // a manifest that is lost is made again by the next run
      ::close(folder);
    }
    return {};
  }

 private:
  fs::path path_, temporary_;
  std::FILE* file_ = nullptr;
  int error_ = 0;
  bool first_ = true;
};

Result<void> write_manifest(Ledger& ledger, const LedgerTarget& target, const Ledger::Job& job) {
  Writer out(fs::path(target.target) / name_of(job));
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
  return out.finish();
}

}  // namespace

Result<void> write_manifests(Ledger& ledger) {
  auto targets = ledger.targets();
  if (!targets) return tl::unexpected(targets.error());
  auto job = ledger.job();
  if (!job) return tl::unexpected(job.error());
  for (const LedgerTarget& target : *targets) {
    if (!is_local(target)) continue;
    if (auto ok = write_manifest(ledger, target, *job); !ok) return ok;
  }
  return {};
}

Result<void> check_manifest(Ledger& ledger, const LedgerTarget& target) {
  auto job = ledger.job();
  if (!job) return tl::unexpected(job.error());
  const fs::path path = fs::path(target.target) / name_of(*job);
  std::FILE* file = std::fopen(path.c_str(), "rbe");
  if (!file) return {};
  const std::string wanted = heading(ledger);
  std::string text(wanted.size(), '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  if (text == wanted) return {};
  return fail(
      Errc::invalid,
      fmt::format("{} says that the files there belong to another ledger than {}: objects could be written twice. Go on with that one, or "
                  "write to another folder",
                  path.string(), ledger.path().string()));
}

}  // namespace lm
