// logmill-worker: the process in which an isolated parser runs. Only the host starts it, with what it needs: LIBRARY, the host's pid, and the bytes that it may hold.
// It answers one question after the other (core/isolate/message.hpp) until the host lets go of it, or kills it. Nothing is cleaned up at its end but by the kernel.
#include "isolate/transfer.hpp"
#include "plugin_host/library.hpp"
#include "plugin_host/shared_sample.hpp"
#include "plugin_host/validate.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LOGMILL_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOGMILL_SANITIZED
#endif

#if defined(LOGMILL_SANITIZED)
// The host tells how a worker has ended: signals stay what they are.
extern "C" const char* __asan_default_options();
extern "C" const char* __tsan_default_options();
extern "C" const char* __asan_default_options() {
  return "handle_segv=0:handle_sigbus=0:handle_abort=0:detect_leaks=0:allocator_may_return_null=1";
}
extern "C" const char* __tsan_default_options() { return "handle_segv=0:handle_sigbus=0:handle_abort=0"; }
#endif

namespace lm::isolate {
namespace {

std::string_view view(lm_str s) { return {s.data, static_cast<std::size_t>(s.size)}; }
lm_str str(std::string_view s) { return {s.data(), s.size()}; }

void limit(int what, std::uint64_t most) {
  const rlimit both{most, most};
  ::setrlimit(static_cast<__rlimit_resource>(what), &both);
}

// Whatever is not needed is given up before anything of the plugin runs.
bool confine(pid_t host, [[maybe_unused]] std::uint64_t memory) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != host) return false;  // it was gone before that
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  limit(RLIMIT_CORE, 0);
#if !defined(LOGMILL_SANITIZED)  // they reserve terabytes
  limit(RLIMIT_DATA, memory);
#endif
  // If memory runs out, this process is to go, not the host.
  if (const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); fd >= 0) {
    [[maybe_unused]] const ssize_t written = ::write(fd, "1000", 4);
    ::close(fd);
  }
  // Batches come and go: what they need stays ours between two calls.
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 256 << 20);
  ::mallopt(M_TOP_PAD, 16 << 20);
  return true;
}

class Worker {
 public:
  // All of the memory for both.
  Worker(const std::filesystem::path& file, std::span<const std::byte> requests, std::span<std::byte> replies)
      : requests_(requests), replies_(replies) {
    self = this;
    static const lm_log log{sizeof(lm_log), 0, [](std::uint32_t level, lm_str text) noexcept { self->log(level, view(text)); }};
    static const lm_host host{sizeof(lm_host), LM_ABI_VERSION, str(LOGMILL_VERSION), [](const char* id) noexcept -> const void* {
                                return std::string_view(id) == "logmill.log/1" ? &log : nullptr;
                              }};
    library_ = open_library(file, host);
  }

  int serve() {
    for (;;) {
      Request request{};
      const ssize_t n = ::recv(kSocket, &request, sizeof request, 0);
      if (n < 0 && errno == EINTR) continue;
      if (n != sizeof request || request.size > requests_.size()) return 0;  // the host has let go
      Writer out(replies_);
      Reply reply{};
      try {
        reply.status = static_cast<std::uint32_t>(answer(request, out));
      } catch (const std::bad_alloc&) {
        out.clear();
        reply.status = LM_NO_MEMORY;
      } catch (const std::length_error&) {
        out.clear();
        reply.status = LM_NO_MEMORY;
      }
      reply.size = out.size();
      if (::send(kSocket, &reply, sizeof reply, MSG_NOSIGNAL) != sizeof reply) return 0;
    }
  }

 private:
  static inline Worker* self;

  lm_status say(Writer& out, lm_status status, std::string_view why) {
    out.clear();
    out.text(why);
    return status;
  }

  lm_status answer(const Request& request, Writer& out) {
    if (!library_) return say(out, LM_INTERNAL, library_.error().what);
    const lm_parser_factory* const factory = library_->parsers;
    Reader in(requests_.first(request.size));
    switch (request.ask) {
      case Ask::library: {
        if (factory && factory->struct_size < sizeof(lm_parser_factory))
          return say(out, LM_INTERNAL, "its parser factory is shorter than ABI 1.0");
        auto put = put_library(out, factory, library_->sinks != nullptr);
        return put ? LM_OK : say(out, LM_INTERNAL, put.error().what);
      }
      case Ask::scores:
      case Ask::score: {
        const SharedSample sample(read_sample(in));
        const bool all = request.ask == Ask::scores;
        for (std::uint32_t i = all ? 0 : request.index; i < (all ? factory->count : request.index + 1); ++i)
          out.number(static_cast<std::uint64_t>(std::clamp(factory->score(i, &sample), 0, 100)));
        return LM_OK;
      }
      case Ask::prologues: {
        const std::string_view text = in.text();
        const std::uint64_t count = in.number();
        const auto* const lines = reinterpret_cast<const lm_record*>(in.raw(count * sizeof(lm_record)));
        std::string is(count, '\0');
        for (std::uint64_t i = 0; i < count; ++i)
          is[i] = factory->prologue(request.index, str(text.substr(lines[i].offset, lines[i].length))) != 0 ? '\1' : '\0';
        out.raw(is.data(), is.size());
        return LM_OK;
      }
      case Ask::create: return create(request.index, in.text(), out);
      case Ask::schema: {
        if (request.index >= schemas_.size()) return say(out, LM_INVALID, "no such table");
        put_schema(out, schemas_[request.index]);
        return LM_OK;
      }
      case Ask::parse: return parse(in, out);
    }
    return LM_INVALID;
  }

  // The instance before it, if there is one, goes.
  lm_status create(std::uint32_t index, std::string_view config, Writer& out) {
    for (ArrowSchema& s : schemas_) {
      if (s.release) s.release(&s);
    }
    schemas_.clear();
    if (parser_.destroy) parser_.destroy(parser_.self);
    parser_ = {};
    lm_error error = empty_error();
    if (const lm_status status = library_->parsers->create(index, str(config), &parser_, &error); status != LM_OK) {
      parser_ = {};
      return say(out, status, message_of(error));
    }
    const std::uint64_t tables = library_->parsers->descriptor(index)->n_classes;
    for (std::uint32_t t = 0; t < tables; ++t) {
      error = empty_error();
      ArrowSchema& schema = schemas_.emplace_back();
      if (parser_.schema(parser_.self, t, &schema, &error) != LM_OK || !schema.release)
        return say(out, LM_INTERNAL, fmt::format("it gives no schema of its table {}: {}", t, message_of(error)));
    }
    batches_.emplace(tables);
    return LM_OK;
  }

  lm_status parse(Reader& in, Writer& out) {
    blocks_.read(in);
    contract_.clear();
    const lm_emit emit{sizeof(lm_emit), 0, this, on_batch, on_reject, on_drift};
    lm_error error = empty_error();
    out_ = &out;
    out_of_room_ = false;
    lm_status status = parser_.parse(parser_.self, blocks_.views.data(), blocks_.views.size(), &emit, &error);
    out_ = nullptr;
    if (out_of_room_) throw std::bad_alloc();
    std::string reason;
    if (status != LM_OK && status != LM_NO_MEMORY) reason = "failed: " + message_of(error);
    if (status == LM_OK && !contract_.empty()) status = LM_INTERNAL, reason = "broke its contract: " + contract_;
    if (!reason.empty()) {
      out.number(static_cast<std::uint64_t>(Emitted::reason));
      out.text(reason);
    }
    return status;
  }

  // Nothing may be thrown through the plugin.
  template <class Write>
  void write(Write&& what) noexcept {
    try {
      if (!out_of_room_) what();
    } catch (const std::exception&) {
      out_of_room_ = true;
    }
  }

  static lm_status on_batch(void* ctx, lm_batch* batch) noexcept {
    auto& w = *static_cast<Worker*>(ctx);
    w.write([&] { w.put_batch(*batch); });
    if (batch->array.release) batch->array.release(&batch->array);
    return w.out_of_room_ ? LM_NO_MEMORY : LM_OK;
  }

  void put_batch(lm_batch& batch) {
    const auto refuse = [&](std::string why) { contract_ = std::move(why); };
    if (!batch.array.release) return refuse("it emitted a released array");
    if (batch.table >= schemas_.size()) return refuse("it emitted a table that it did not declare");
    const ArrowSchema& schema = schemas_[batch.table];
    if (auto ok = validate(schema, batch.array, Validation::standard); !ok) return refuse(ok.error().what);
    if (batch.array.length == 0) return;
    if (!batch.origins) return refuse("it emitted rows without origins");
    if (auto ok = batches_->put(*out_, schema, batch); !ok) return refuse(ok.error().what);
  }

  static void on_reject(void* ctx, std::uint32_t block, std::uint32_t record, std::uint32_t code, lm_str why) noexcept {
    auto& w = *static_cast<Worker*>(ctx);
    w.write([&] {
      for (const std::uint64_t n :
           {static_cast<std::uint64_t>(Emitted::reject), std::uint64_t{block}, std::uint64_t{record}, std::uint64_t{code}})
        w.out_->number(n);
      w.out_->text(view(why));
    });
  }

  static void on_drift(void* ctx, lm_str field, std::uint64_t count) noexcept {
    auto& w = *static_cast<Worker*>(ctx);
    w.write([&] {
      w.out_->number(static_cast<std::uint64_t>(Emitted::drift));
      w.out_->number(count);
      w.out_->text(view(field));
    });
  }

  // What is said between calls has nowhere to go.
  void log(std::uint32_t level, std::string_view text) noexcept {
    if (!out_) return;
    write([&] {
      out_->number(static_cast<std::uint64_t>(Emitted::log));
      out_->number(level);
      out_->text(text);
    });
  }

  std::span<const std::byte> requests_;
  std::span<std::byte> replies_;
  Result<Library> library_;
  lm_parser parser_{};
  std::vector<ArrowSchema> schemas_;
  std::optional<BatchWriter> batches_;
  Blocks blocks_;
  Writer* out_ = nullptr;  // of the call at hand
  bool out_of_room_ = false;
  std::string contract_;
};

}  // namespace
}  // namespace lm::isolate

int main(int argc, char** argv) {
  using namespace lm::isolate;
  struct stat socket {
  }, questions{};
  if (argc != 4 || ::fstat(kSocket, &socket) != 0 || !S_ISSOCK(socket.st_mode) || ::fstat(kRequests, &questions) != 0) {
    std::fputs("logmill-worker: logmill starts this program where it isolates parsers; it is of no use by itself\n", stderr);
    return 2;
  }
  const std::uint64_t memory = std::strtoull(argv[3], nullptr, 10);
  if (!confine(static_cast<pid_t>(std::strtol(argv[2], nullptr, 10)), memory)) return 1;
  void* const replies = ::mmap(nullptr, memory, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, kReplies, 0);
  const auto room = static_cast<std::size_t>(questions.st_size);
  void* const requests = ::mmap(nullptr, room, PROT_READ, MAP_SHARED | MAP_NORESERVE, kRequests, 0);
  if (replies == MAP_FAILED || requests == MAP_FAILED) return 1;
  try {
    Worker worker(argv[1], {static_cast<const std::byte*>(requests), room}, {static_cast<std::byte*>(replies), memory});
    ::_exit(worker.serve());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "logmill-worker: %s\n", e.what());
  }
  ::_exit(1);
}
