#include "storage/storage.hpp"

#include "object_store/s3.hpp"

#include <logmill/sdk/error.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <exception>
#include <filesystem>
#include <new>
#include <vector>

namespace lm {
namespace {

using detail::tell;

std::string_view view(lm_str s) { return {s.data ? s.data : "", s.data ? static_cast<std::size_t>(s.size) : 0}; }

lm_status status_of(Errc code) {
  switch (code) {
    case Errc::invalid: return LM_INVALID;
    case Errc::unsupported: return LM_UNSUPPORTED;
    case Errc::cancelled: return LM_CANCELLED;
    case Errc::internal: return LM_INTERNAL;
    default: return LM_IO;
  }
}

template <class Call>
lm_status guarded(lm_error* error, Call&& call) noexcept {
  try {
    const Result<void> done = call();
    return done ? LM_OK : tell(error, status_of(done.error().code), done.error().what);
  } catch (const std::bad_alloc&) {
    return tell(error, LM_NO_MEMORY, "out of memory");
  } catch (const std::exception& e) {
    return tell(error, LM_INTERNAL, e.what());
  }
}

Storage& storage_of(void* self) { return *static_cast<Storage*>(self); }
// The opaque struct of the C header is the C++ object itself.
StorageOutput& output_of(lm_storage_output* output) { return *reinterpret_cast<StorageOutput*>(output); }

lm_status open(void* self, lm_error* error) {
  return guarded(error, [&] { return storage_of(self).open(); });
}
lm_status create(void* self, lm_str name, lm_storage_output** output, lm_error* error) {
  return guarded(error, [&]() -> Result<void> {
    auto made = storage_of(self).create(view(name));
    if (!made) return tl::unexpected(made.error());
    *output = reinterpret_cast<lm_storage_output*>(made->release());
    return {};
  });
}
lm_status append(void*, lm_storage_output* output, const lm_str* pieces, std::uint64_t n, lm_error* error) {
  return guarded(error, [&] {
    std::vector<std::string_view> views(n);
    std::transform(pieces, pieces + n, views.begin(), view);
    return output_of(output).append(views);
  });
}
lm_status finish(void*, lm_storage_output* output, lm_error* error) {
  return guarded(error, [&] { return output_of(output).finish(); });
}
lm_status seal(void*, lm_storage_output* output, void* ctx, void (*take)(void*, lm_str), lm_error* error) {
  return guarded(error, [&]() -> Result<void> {
    const auto token = output_of(output).seal();
    if (!token) return tl::unexpected(token.error());
    take(ctx, {token->data(), token->size()});
    return {};
  });
}
void close(void*, lm_storage_output* output, std::uint32_t keep) {
  const std::unique_ptr<StorageOutput> ended(&output_of(output));
  lm_error error{};
  // What cannot be kept is dropped, and not there when it is to be published.
  static_cast<void>(guarded(&error, [&]() -> Result<void> {
    if (keep == 1) ended->keep();
    return {};
  }));
}
lm_status publish(void* self, lm_str token, lm_error* error) {
  return guarded(error, [&] { return storage_of(self).publish(view(token)); });
}
lm_status discard(void* self, lm_str token, lm_error* error) {
  return guarded(error, [&] { return storage_of(self).discard(view(token)); });
}
lm_status sweep(void* self, lm_str run_id, lm_error* error) {
  return guarded(error, [&] { return storage_of(self).sweep(view(run_id)); });
}

}  // namespace

HostStorage::HostStorage(std::unique_ptr<Storage> storage)
    : storage_(std::move(storage)),
      face_{sizeof(lm_storage), 0, storage_.get(), open, create, append, finish, seal, close, publish, discard, sweep} {}

bool is_safe_relative(std::string_view name) {
  if (name.empty() || std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
    return false;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view component = name.substr(begin, end - begin);
    if (component.empty() || component == "." || component == "..") return false;
    begin = end + 1;
  }
  return true;
}

Result<void> Storages::check_folder(std::string_view target) {
  constexpr std::array<std::string_view, 6> kSchemes{"s3:/", "S3:/", "az:/", "gs:/", "gcs:/", "file:/"};
  if (target.find("://") == std::string_view::npos &&
      std::none_of(kSchemes.begin(), kSchemes.end(), [&](std::string_view scheme) { return target.starts_with(scheme); }))
    return {};
  return fail(Errc::invalid, fmt::format("'{}' is neither a folder nor s3://BUCKET/PREFIX, which is what can be written to", target));
}

std::string Storages::absolute(const std::string& target) {
  std::string path = target;
  if (target.empty()) return path;
  if (target.find("://") == std::string::npos) {
    path = std::filesystem::absolute(target).lexically_normal().string();
  } else if (!is_remote(target)) {
    return target;  // a sink's own
  }
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string Storages::place(const std::string& target) {
  std::string path = absolute(target);
  if (is_remote(path) || !is_place(path)) return path;
  std::error_code failed;
  const auto real = std::filesystem::weakly_canonical(path, failed);
  return failed ? path : real.string();
}

std::unique_ptr<Storage> Storages::make(const std::string& target, std::string run_id, std::uint64_t memory) {
  if (!is_remote(target)) return make_local_storage(target);
  return make_s3_storage(
      target, options_, [this] { return service(); }, std::move(run_id), memory);
}

Result<std::shared_ptr<s3::Service>> Storages::service() {
  const std::lock_guard lock(mutex_);
  if (service_) return service_;
  // What was begun is brought to its end also when a run is stopped: nothing asks for a stop here.
  auto made = s3::Service::make(options_, {});
  if (made) service_ = *made;
  return made;
}

}  // namespace lm
