#include "common/output_file.hpp"

#include "common/sink_glue.hpp"

#include <poll.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>

namespace lm::sink {
namespace {

constexpr std::size_t kMaxComponent = 200;
constexpr std::size_t kMaxWrite = std::size_t{64} << 20;

// Blocks SIGPIPE for this thread and swallows the one that its own write raised, so that no handler of the process is touched.
class NoSigpipe {
 public:
  NoSigpipe() {
    sigemptyset(&pipe_), sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoSigpipe() {
    if (!was_pending_) {
      const timespec now{};
      while (sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {}
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;

 private:
  sigset_t pipe_{}, before_{};
  bool was_pending_ = false;
};

// Calls a function of the storage, whose last argument is the error.
template <class Call>
Result<void> asked(Call&& call) {
  lm_error error{};
  error.struct_size = sizeof error;
  const lm_status status = call(&error);
  if (status == LM_OK) return {};
  error.message[sizeof error.message - 1] = '\0';
  return fail(status, error.message);
}

}  // namespace

std::string safe_component(std::string_view value) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  if (value.empty()) return "%";
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto c = static_cast<unsigned char>(value[i]);
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || (c == '.' && i != 0);
    if (plain) {
      out.push_back(value[i]);
    } else {
      out.push_back('%'), out.push_back(kHex[c >> 4]), out.push_back(kHex[c & 15]);
    }
  }
  if (out.size() <= kMaxComponent) return out;
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char c : value) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  char hex[20];
  std::snprintf(hex, sizeof hex, "%%~%016llx", static_cast<unsigned long long>(hash));  // "%~" stands in no encoded text
  out.resize(kMaxComponent - 18);
  return out + hex;
}

Result<Target> Target::open(const lm_sink_config& config) {
  // NOLINTNEXTLINE(bugprone-sizeof-expression): the size of a field that is a pointer
  if (!LM_HAS(lm_sink_config, &config, storage) || !config.storage || !LM_HAS(lm_storage, config.storage, sweep))
    return fail(LM_UNSUPPORTED, "this sink needs a host that offers a storage: plugin ABI 1.1");
  if (view(config.target) == "-") return fail(LM_INVALID, "this sink writes files, which standard output cannot hold; a folder '-' is ./-");
  const lm_storage& storage = *config.storage;
  if (auto ok = asked([&](lm_error* error) { return storage.open(storage.self, error); }); !ok) return tl::make_unexpected(ok.error());
  return Target(storage);
}

Result<void> Target::publish(std::string_view token) const {
  return asked([&](lm_error* error) { return storage_->publish(storage_->self, str(token), error); });
}
Result<void> Target::discard(std::string_view token) const {
  return asked([&](lm_error* error) { return storage_->discard(storage_->self, str(token), error); });
}
Result<void> Target::sweep(std::string_view run) const {
  return asked([&](lm_error* error) { return storage_->sweep(storage_->self, str(run), error); });
}

Result<OutputFile> OutputFile::create(const Target& target, std::string_view name) {
  OutputFile file;
  file.storage_ = target.storage_;
  file.name_ = name;
  auto ok = asked([&](lm_error* error) { return file.storage_->create(file.storage_->self, str(name), &file.output_, error); });
  if (!ok) return tl::make_unexpected(ok.error());
  return file;
}

OutputFile::~OutputFile() {
  if (output_) storage_->close(storage_->self, output_, keep_ ? 1 : 0);
}

Result<void> OutputFile::append(std::span<const lm_str> pieces) {
  auto ok = asked([&](lm_error* error) { return storage_->append(storage_->self, output_, pieces.data(), pieces.size(), error); });
  if (ok) {
    for (const lm_str& piece : pieces) size_ += piece.size;
  }
  return ok;
}

Result<void> OutputFile::finish() {
  return asked([&](lm_error* error) { return storage_->finish(storage_->self, output_, error); });
}

Result<std::string> OutputFile::seal() {
  std::string token;
  const auto take = [](void* ctx, lm_str text) { static_cast<std::string*>(ctx)->assign(text.data, text.size); };
  auto ok = asked([&](lm_error* error) { return storage_->seal(storage_->self, output_, &token, take, error); });
  if (!ok) return tl::make_unexpected(ok.error());
  return token;
}

int write_fully(int fd, std::span<const std::byte> bytes) {
  const NoSigpipe guard;
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), std::min(bytes.size(), kMaxWrite));
    if (written > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    } else if (written == 0) {
      return EIO;  // a write of some bytes that writes none and says nothing would loop for ever
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      pollfd wait{fd, POLLOUT, 0};
      if (::poll(&wait, 1, -1) < 0 && errno != EINTR) return errno;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

}  // namespace lm::sink
