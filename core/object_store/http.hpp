// HTTP over libcurl, pulled rather than pushed: whoever reads says when. Connections are kept and used again; TLS is always verified.
// It knows nothing of stores, signatures or repeated attempts.
//
//   http::Client client;
//   auto transfer = client.start({.url = "https://example.com/a"});
//   while (transfer->wait(100ms) != http::Transfer::State::ended) n = transfer->take(buffer);
//
// What a server sends is hostile: headers are bounded here, bodies by whoever takes them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lm::http {

// What is sent, where it is more than a text: read piece by piece, and from the beginning again where a connection that was kept turns out to be closed.
struct Upload {
  std::uint64_t size = 0;
  std::function<std::size_t(std::uint64_t at, std::span<char> out)> read;  // 0: it cannot be read
};

struct Request {
  std::string method = "GET";
  std::string url;                   // sent as it stands: "..", "//" and what is percent-encoded stay
  std::vector<std::string> headers;  // "name: value"
  std::string body;
  std::optional<Upload> upload;  // instead of `body`
  bool proxy = true;             // false: never through a proxy, as for what is only known on this machine
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds idle_timeout{30'000};  // nothing came or went for so long
};

using Headers = std::map<std::string, std::string, std::less<>>;  // names in lower case

// One request on its way. Used by one thread at a time; to destroy it before its end closes its connection.
class Transfer {
 public:
  enum class State { waiting, data, ended, failed };
  virtual ~Transfer() = default;
  // Blocks for `longest` at most, until there is something to take, or the answer is over. The status and the headers are there from the first
  // state that is not `waiting` or `failed`.
  virtual State wait(std::chrono::milliseconds longest) = 0;
  virtual std::size_t take(std::span<std::byte> out) = 0;
  virtual int status() const = 0;
  virtual const Headers& headers() const = 0;
  virtual const std::string& failure() const = 0;  // why there is no answer, or no whole one
  virtual bool hopeless() const = 0;  // it will not go better another time: a certificate that does not hold, an address that is none
};

struct Answer {
  int status = 0;  // 0: there is none, `failure` says why
  Headers headers;
  std::string body;
  std::string failure;
  bool hopeless = false;
  std::string_view header(std::string_view name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
  }
};

class Client {
 public:
  // `ca_file`: certificates to trust instead of the system's; may be empty.
  explicit Client(std::string ca_file = {});
  ~Client();
  // [any] The transfer must not outlive the client.
  std::unique_ptr<Transfer> start(const Request&);
  // [any] The whole answer. A body of more than `most` bytes is a failure; so is that `stop` answers true, which it is asked now and then.
  Answer fetch(const Request&, std::size_t most, const std::function<bool()>& stop);

  struct Pool;

 private:
  std::unique_ptr<Pool> pool_;
};

}  // namespace lm::http
