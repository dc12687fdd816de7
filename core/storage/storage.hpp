// Where outputs go: a folder, or s3://BUCKET/PREFIX. Readers see each of them whole or not at all.
//
//   Storages storages(options.s3);                                     // what the places of a run share: connections, credentials
//   auto place = storages.make("s3://acme-lake/ocsf", run_id, memory);
//   place->open();                                                     // what is wrong with it is said here
//   auto output = place->create("api_activity/part-RUN-0.parquet");
//   output->append(pieces), output->finish();
//   auto token = output->seal();                                       // durable, not yet visible
//   output->keep();
//   place->publish(*token), place->settle();                           // visible; possible in a later process too
//
// The contract is that of logmill/storage.h, by which sinks have it too. What is added for the host: settle, abandon, replace and head.
#pragma once

#include "base/result.hpp"

#include <logmill/storage.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lm {
namespace s3 {
class Service;
}

using Pieces = std::span<const std::string_view>;

// One thread at a time. What is not to be kept is removed by the destructor.
class StorageOutput {
 public:
  virtual ~StorageOutput() = default;
  virtual Result<void> append(Pieces) = 0;
  virtual Result<void> finish() = 0;
  virtual Result<std::string> seal() = 0;
  virtual void keep() = 0;  // it is sealed, and publish or discard will be called for it
};

class Storage {
 public:
  virtual ~Storage() = default;  // waits for what is on its way
  // Makes the folder and its parents; or asks the bucket whether it lets itself be written to. Errc::invalid: the user can put it right.
  virtual Result<void> open() = 0;
  virtual Result<std::unique_ptr<StorageOutput>> create(std::string_view name) = 0;  // [any] must not outlive the storage
  virtual Result<void> publish(std::string_view token) = 0;
  virtual Result<void> discard(std::string_view token) = 0;
  virtual Result<void> sweep(std::string_view run_id) = 0;
  // Waits for what publish and discard have begun; the first failure of any of them.
  virtual Result<void> settle() = 0;
  // What was kept and could not be published is nobody's any more: it is removed, as far as possible.
  virtual void abandon() = 0;

  using Put = std::function<void(std::string_view)>;
  // Writes a file as a whole in place of the one of that name. `write` puts its text, and may fail.
  virtual Result<void> replace(std::string_view name, const std::function<Result<void>(const Put&)>& write) = 0;
  // The first bytes of a file, so many at most; nothing, if there is none.
  virtual Result<std::optional<std::string>> head(std::string_view name, std::size_t bytes) = 0;
};

// True for a path below a folder that cannot leave it: no empty, "." or ".." component, no leading '/'; nor control characters.
bool is_safe_relative(std::string_view name);

// Both know their target; whether it is there is found out by open. `memory`: what outputs hold at once, and a little more.
std::unique_ptr<Storage> make_local_storage(std::string target);
using GetService = std::function<Result<std::shared_ptr<s3::Service>>()>;
std::unique_ptr<Storage> make_s3_storage(std::string target, S3Options, GetService, std::string run_id, std::uint64_t memory);

// [any]
class Storages {
 public:
  explicit Storages(S3Options options) : options_(std::move(options)) {}
  static bool is_remote(std::string_view target) { return target.starts_with("s3://"); }
  // Errc::invalid: an address of some other store, which would become a folder of that name.
  static Result<void> check_folder(std::string_view target);
  // One name for one place: an absolute path, or an address without '/' at its end.
  static std::string absolute(const std::string& target);
  // Whether it is such a place, and no stream or service, which are their sinks' own; and the same name for all that lead to it, by links too.
  static bool is_place(std::string_view target) {
    return is_remote(target) || (target != "-" && target.find("://") == std::string_view::npos);
  }
  static std::string place(const std::string& target);
  std::unique_ptr<Storage> make(const std::string& target, std::string run_id, std::uint64_t memory);

 private:
  Result<std::shared_ptr<s3::Service>> service();
  S3Options options_;
  std::mutex mutex_;
  std::shared_ptr<s3::Service> service_;
};

// A storage as sinks get it.
class HostStorage {
 public:
  explicit HostStorage(std::unique_ptr<Storage>);
  HostStorage(const HostStorage&) = delete;
  HostStorage& operator=(const HostStorage&) = delete;
  const lm_storage* get() const { return &face_; }
  Storage& storage() { return *storage_; }

 private:
  std::unique_ptr<Storage> storage_;
  lm_storage face_;
};

}  // namespace lm
