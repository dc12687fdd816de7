// Parsers whose code runs in worker processes (core/isolate). To those who detect, frame and parse they are parsers like others, except that they may die of what
// they are given; what then becomes of it is decided here:
//
//   parse      A parser has no state between calls but its dictionaries (plugin.h: header lines come with every block), and nothing of an answer is used before the
//              answer is whole. So a call that has failed is made again, in a fresh worker, and no row comes twice. If it had blocks of several objects, each
//              object has a call of its own then, for it is not known which one was to blame. The object that fails a second time is given up.
//   scores     Asked again once, each parser by itself; one that fails again does not know the object.
//   prologues  Asked again once; then the object is given up.
//
// What is no parser's doing, but the environment's (Errc::io: a worker cannot be started), or a stop's (Errc::cancelled), is nothing that an object has done: it
// comes back as it is.
#pragma once

#include "isolate/transfer.hpp"
#include "plugin_host/plugin_host.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace lm {

// A library, and the processes that have it loaded. [any]
class WorkerLibrary {
 public:
  // Errc::plugin: it cannot be loaded, or it kills the worker that loads it.
  static Result<std::shared_ptr<WorkerLibrary>> open(const std::filesystem::path& program, const std::filesystem::path& file,
                                                     const isolate::Limits&);

  const isolate::LibraryInfo& info() const { return info_; }
  const isolate::Limits& limits() const { return limits_; }

  // A worker that has nothing to do, or a new one. What still lives is given back.
  Result<std::unique_ptr<isolate::Process>> take();
  void give(std::unique_ptr<isolate::Process>);

  using Stop = ParserInstance::Stop;
  // How sure each of its parsers is. `trouble`: what those have died of that could not be asked, and count as 0. Never Errc::plugin.
  Result<std::vector<int>> scores(const lm_sample&, std::string& trouble, const Stop&);
  // For each line whether it is a header. Errc::plugin: two workers have died of the question.
  Result<void> prologues(std::uint32_t parser, std::string_view text, std::span<const lm_record> lines, std::vector<std::uint8_t>& is,
                         const Stop&);

 private:
  WorkerLibrary(std::filesystem::path program, std::filesystem::path file, const isolate::Limits& limits)
      : program_(std::move(program)), file_(std::move(file)), limits_(limits), supervisor_(isolate::Supervisor::get()) {}
  Result<std::vector<int>> ask_scores(isolate::Ask, std::uint32_t parser, std::size_t count, const lm_sample&, const Stop&);

  const std::filesystem::path program_, file_;
  const isolate::Limits limits_;
  const std::shared_ptr<isolate::Supervisor> supervisor_;
  isolate::LibraryInfo info_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<isolate::Process>> idle_;
  std::atomic<std::uint64_t> scored_{0}, not_scored_{0};
};

Result<std::unique_ptr<ParserInstance>> create_isolated(const ParserPlugin&, std::string_view config_json);

// The scores of isolated parsers for one sample: a library is asked once, for all of its parsers.
class IsolatedScores {
 public:
  IsolatedScores(const lm_sample& sample, const WorkerLibrary::Stop& stop) : sample_(sample), stop_(stop) {}
  int score(const ParserPlugin&);
  const std::string& trouble() const { return trouble_; }
  const std::optional<Error>& failure() const { return failure_; }  // nobody is asked any more

 private:
  const lm_sample& sample_;
  const WorkerLibrary::Stop& stop_;
  std::optional<Error> failure_;
  std::vector<std::pair<const WorkerLibrary*, std::vector<int>>> known_;
  std::string trouble_;
};

}  // namespace lm
