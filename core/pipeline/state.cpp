// The state_* functions of core.hpp: a ledger, looked into and corrected by people.
#include "ledger/ledger.hpp"
#include "pipeline/manifest.hpp"

#include <fmt/format.h>

namespace lm {
namespace {

// Nobody is in the way, and the manifests say what the ledger says.
Result<std::uint64_t> change(const std::filesystem::path& path, const S3Options& s3,
                             const std::function<Result<std::uint64_t>(Ledger&)>& how) {
  auto ledger = Ledger::open(path, Ledger::Access::change, false);
  if (!ledger) return tl::unexpected(ledger.error());
  auto changed = how(**ledger);
  if (!changed || *changed == 0) return changed;
  Storages storages(s3);
  if (auto ok = write_manifests(**ledger, storages); !ok) return tl::unexpected(ok.error());
  return changed;
}

}  // namespace

Result<StateInfo> state_info(const std::filesystem::path& path) {
  auto ledger = Ledger::open(path, Ledger::Access::look, false);
  if (!ledger) return tl::unexpected(ledger.error());
  return (*ledger)->info();
}

Result<void> state_objects(const std::filesystem::path& path, const std::function<bool(const StateObject&)>& each) {
  auto ledger = Ledger::open(path, Ledger::Access::look, false);
  if (!ledger) return tl::unexpected(ledger.error());
  return (*ledger)->each_object([&](const LedgerObject& o) {
    return each({o.uri, o.etag, o.size, o.records, o.rejects, o.epoch, o.outcome, o.reason, o.again});
  });
}

Result<std::uint64_t> state_retry(const std::filesystem::path& path, const std::vector<std::string>& uris, const S3Options& s3) {
  return change(path, s3, [&](Ledger& ledger) { return ledger.retry(uris); });
}

Result<std::uint64_t> state_forget(const std::filesystem::path& path, const std::vector<std::string>& uris, const S3Options& s3) {
  return change(path, s3, [&](Ledger& ledger) { return ledger.forget(uris); });
}

Result<void> state_merge(const std::filesystem::path& out, const std::vector<std::filesystem::path>& parts, const S3Options& s3) {
  std::error_code ignored;
  if (std::filesystem::exists(out, ignored))
    return fail(Errc::invalid, fmt::format("{} exists; a merged ledger is a new one", out.string()));
  std::vector<std::unique_ptr<Ledger>> open;
  for (const std::filesystem::path& part : parts) {
    auto ledger = Ledger::open(part, Ledger::Access::change, false);
    if (!ledger) return tl::unexpected(ledger.error());
    open.push_back(std::move(*ledger));
  }
  const auto merge = [&]() -> Result<void> {
    auto whole = Ledger::open(out, Ledger::Access::change, true);
    if (!whole) return tl::unexpected(whole.error());
    for (const auto& part : open) {
      if (auto ok = (*whole)->absorb(*part); !ok) return ok;
    }
    Storages storages(s3);
    return write_manifests(**whole, storages);
  };
  auto ok = merge();
  if (!ok) {
    for (const char* suffix : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(out.string() + suffix, ignored);
  }
  return ok;
}

}  // namespace lm
