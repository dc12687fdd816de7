#include "object_store/http.hpp"

#include "object_store/curl.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>

namespace lm::http {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t kBuffered = 256 << 10;  // taken in before curl is told to wait
constexpr std::size_t kHeaderBytes = 64 << 10;
constexpr std::size_t kIdleSlots = 256;  // connections that are kept open
constexpr long kReceiveBytes = 128 << 10;
constexpr long kSendBytes = 128 << 10;

// A connection lives in its multi handle: whoever has the slot has the connection.
struct Slot {
  CURLM* multi = curl().multi_init();
  CURL* easy = curl().easy_init();
  Slot() = default;
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot() {
    curl().easy_cleanup(easy);
    curl().multi_cleanup(multi);
  }
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_hopeless(CURLcode code) {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_URL_MALFORMAT:
    case CURLE_OUT_OF_MEMORY: return true;
    default: return false;
  }
}

}  // namespace

struct Client::Pool {
  std::mutex mutex;
  std::vector<std::unique_ptr<Slot>> idle;
  std::string ca_file;

  // Names that were resolved, and TLS sessions, are shared by all connections.
  CURLSH* share = curl().failure.empty() ? curl().share_init() : nullptr;
  std::mutex share_mutexes[CURL_LOCK_DATA_LAST];

  explicit Pool(std::string ca) : ca_file(std::move(ca)) {
    if (!share) return;
    curl().share_setopt(
        share, CURLSHOPT_LOCKFUNC,
        +[](CURL*, curl_lock_data data, curl_lock_access, void* self) { static_cast<Pool*>(self)->share_mutexes[data].lock(); });
    curl().share_setopt(
        share, CURLSHOPT_UNLOCKFUNC,
        +[](CURL*, curl_lock_data data, void* self) { static_cast<Pool*>(self)->share_mutexes[data].unlock(); });
    curl().share_setopt(share, CURLSHOPT_USERDATA, this);
    curl().share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    curl().share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() {
    idle.clear();
    if (share) curl().share_cleanup(share);
  }

  std::unique_ptr<Slot> take() {
    const std::lock_guard lock(mutex);
    if (idle.empty()) return std::make_unique<Slot>();
    auto slot = std::move(idle.back());
    idle.pop_back();
    return slot;
  }
  void give(std::unique_ptr<Slot> slot) {
    const std::lock_guard lock(mutex);
    if (idle.size() < kIdleSlots) idle.push_back(std::move(slot));
  }
};

namespace {

class CurlTransfer final : public Transfer {
 public:
  CurlTransfer(Client::Pool& pool, const Request& request)
      : pool_(pool), body_(request.body), upload_(request.upload), idle_timeout_(request.idle_timeout) {
    if (!curl().failure.empty()) {
      fail(curl().failure, true);
      return;
    }
    slot_ = pool.take();
    CURL* const easy = slot_->easy;
    if (!easy || !slot_->multi) {
      fail("libcurl cannot start", true);
      return;
    }
    curl().easy_reset(easy);
    for (const std::string& header : request.headers) {
      if (!send_header(header.c_str())) return;
    }
    // Not asked for leave to send a body: who refuses it says so soon enough, and servers that give none would be waited for.
    if ((upload_ || !body_.empty()) && !send_header("Expect:")) return;
    error_[0] = '\0';
    curl().easy_setopt(easy, CURLOPT_ERRORBUFFER, error_);
    curl().easy_setopt(easy, CURLOPT_URL, request.url.c_str());
    curl().easy_setopt(easy, CURLOPT_HTTPHEADER, headers_sent_);
    // Keys are what they are: "a/../b" and "a//b" name other objects than "b" and "a/b".
    curl().easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl().easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl().easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl().easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl().easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl().easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout.count()));
    curl().easy_setopt(easy, CURLOPT_BUFFERSIZE, kReceiveBytes);
    curl().easy_setopt(easy, CURLOPT_USERAGENT, "logmill");
    curl().easy_setopt(easy, CURLOPT_SHARE, pool.share);
    curl().easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl().easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!pool.ca_file.empty()) curl().easy_setopt(easy, CURLOPT_CAINFO, pool.ca_file.c_str());
    if (!request.proxy) curl().easy_setopt(easy, CURLOPT_NOPROXY, "*");
    if (request.method == "HEAD") curl().easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (upload_) {
      curl().easy_setopt(easy, CURLOPT_UPLOAD, 1L);
      curl().easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(upload_->size));
      curl().easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, kSendBytes);
      curl().easy_setopt(easy, CURLOPT_READFUNCTION, &CurlTransfer::on_send);
      curl().easy_setopt(easy, CURLOPT_READDATA, this);
      curl().easy_setopt(easy, CURLOPT_SEEKFUNCTION, &CurlTransfer::on_seek);
      curl().easy_setopt(easy, CURLOPT_SEEKDATA, this);
    } else if (request.method == "POST" || !body_.empty()) {
      curl().easy_setopt(easy, CURLOPT_POST, 1L);
      curl().easy_setopt(easy, CURLOPT_POSTFIELDS, body_.c_str());
      curl().easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(body_.size()));
    }
    if (request.method != "GET" && request.method != "HEAD" && (upload_ || request.method != "POST"))
      curl().easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    curl().easy_setopt(easy, CURLOPT_HEADERFUNCTION, &CurlTransfer::on_header);
    curl().easy_setopt(easy, CURLOPT_HEADERDATA, this);
    curl().easy_setopt(easy, CURLOPT_WRITEFUNCTION, &CurlTransfer::on_body);
    curl().easy_setopt(easy, CURLOPT_WRITEDATA, this);
    if (curl().multi_add_handle(slot_->multi, easy) != CURLM_OK) {
      fail("libcurl cannot start a request", true);
      return;
    }
    added_ = true;
  }
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;
  ~CurlTransfer() override {
    if (added_) curl().multi_remove_handle(slot_->multi, slot_->easy);
    if (!slot_) return;
    curl().slist_free_all(headers_sent_);
    pool_.give(std::move(slot_));
  }

  State wait(milliseconds longest) override {
    const auto deadline = Clock::now() + longest;
    for (;;) {
      if (at_ < buffer_.size()) return State::data;
      if (done_) return failure_.empty() ? State::ended : State::failed;
      moved_ = false;
      int running = 0;
      curl().multi_perform(slot_->multi, &running);
      look_for_end();
      if (at_ < buffer_.size() || done_) continue;
      const auto now = Clock::now();
      if (moved_) idle_ = milliseconds(0);
      if (idle_ >= idle_timeout_) {
        fail(fmt::format("nothing came for {} s", std::chrono::duration_cast<std::chrono::seconds>(idle_timeout_).count()), false);
        continue;
      }
      if (now >= deadline) return State::waiting;
      const auto rest = std::chrono::duration_cast<milliseconds>(deadline - now) + milliseconds(1);
      curl().multi_poll(slot_->multi, nullptr, 0, static_cast<int>(rest.count()), nullptr);
      // Only time that was spent waiting here counts: the reader may be away for long.
      idle_ += std::chrono::duration_cast<milliseconds>(Clock::now() - now);
    }
  }

  std::size_t take(std::span<std::byte> out) override {
    const std::size_t n = std::min(out.size(), buffer_.size() - at_);
    if (n != 0) std::memcpy(out.data(), buffer_.data() + at_, n);
    at_ += n;
    if (at_ == buffer_.size()) {
      buffer_.clear(), at_ = 0;
      if (paused_) {
        paused_ = false;
        curl().easy_pause(slot_->easy, CURLPAUSE_CONT);
      }
    }
    return n;
  }

  int status() const override { return status_; }
  const Headers& headers() const override { return headers_; }
  const std::string& failure() const override { return failure_; }
  bool hopeless() const override { return hopeless_; }

 private:
  bool send_header(const char* header) {
    curl_slist* const longer = curl().slist_append(headers_sent_, header);
    if (longer) {
      headers_sent_ = longer;
    } else {
      fail("libcurl has no memory", true);
    }
    return longer != nullptr;
  }

  void fail(std::string why, bool hopeless) {
    failure_ = std::move(why);
    hopeless_ = hopeless;
    done_ = true;
  }

  void look_for_end() {
    int left = 0;
    while (const CURLMsg* const message = curl().multi_info_read(slot_->multi, &left)) {
      if (message->msg != CURLMSG_DONE || done_) continue;
      done_ = true;
      const CURLcode code = message->data.result;
      if (code == CURLE_OK) continue;
      fail(cannot_read_        ? "what is to be sent cannot be read"
           : too_many_headers_ ? "its headers are too long"
           : error_[0] != '\0' ? std::string(error_)
                               : std::string(curl().easy_strerror(code)),
           cannot_read_ || is_hopeless(code));
    }
  }

  static std::size_t on_header(char* data, std::size_t, std::size_t n, void* self) {
    auto& t = *static_cast<CurlTransfer*>(self);
    t.moved_ = true;
    std::string_view line(data, n);
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
    if (line.starts_with("HTTP/")) {  // also those of a proxy, and of an answer that only asks to go on
      t.headers_.clear();
      t.header_bytes_ = 0;
      const std::size_t space = line.find(' ');
      t.status_ = 0;
      for (std::size_t i = space == std::string_view::npos ? line.size() : space + 1; i < line.size() && i < space + 4; ++i) {
        if (line[i] < '0' || line[i] > '9') break;
        t.status_ = t.status_ * 10 + (line[i] - '0');
      }
      return n;
    }
    t.header_bytes_ += line.size();
    if (t.header_bytes_ > kHeaderBytes) {
      t.too_many_headers_ = true;
      return 0;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return n;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), lower);
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    t.headers_[std::move(name)] = std::string(value);
    return n;
  }

  static std::size_t on_send(char* to, std::size_t, std::size_t room, void* self) {
    auto& t = *static_cast<CurlTransfer*>(self);
    t.moved_ = true;
    const std::uint64_t left = t.upload_->size - t.sent_;
    if (left == 0) return 0;
    const std::size_t n = t.upload_->read(t.sent_, {to, static_cast<std::size_t>(std::min<std::uint64_t>(room, left))});
    if (n == 0) {
      t.cannot_read_ = true;
      return CURL_READFUNC_ABORT;
    }
    t.sent_ += n;
    return n;
  }

  static int on_seek(void* self, curl_off_t at, int origin) {
    auto& t = *static_cast<CurlTransfer*>(self);
    if (origin != SEEK_SET || at < 0 || static_cast<std::uint64_t>(at) > t.upload_->size) return CURL_SEEKFUNC_FAIL;
    t.sent_ = static_cast<std::uint64_t>(at);
    return CURL_SEEKFUNC_OK;
  }

  static std::size_t on_body(char* data, std::size_t, std::size_t n, void* self) {
    auto& t = *static_cast<CurlTransfer*>(self);
    if (t.buffer_.size() - t.at_ >= kBuffered) {
      t.paused_ = true;
      return CURL_WRITEFUNC_PAUSE;
    }
    t.moved_ = true;
    t.buffer_.append(data, n);
    return n;
  }

  Client::Pool& pool_;
  std::unique_ptr<Slot> slot_;
  curl_slist* headers_sent_ = nullptr;
  std::string body_, buffer_, failure_;
  std::optional<Upload> upload_;
  std::uint64_t sent_ = 0;
  std::size_t at_ = 0, header_bytes_ = 0;
  milliseconds idle_timeout_, idle_{0};
  Headers headers_;
  int status_ = 0;
  bool added_ = false, paused_ = false, done_ = false, moved_ = false, hopeless_ = false, too_many_headers_ = false, cannot_read_ = false;
  char error_[CURL_ERROR_SIZE];
};

}  // namespace

Client::Client(std::string ca_file) { pool_ = std::make_unique<Pool>(std::move(ca_file)); }
Client::~Client() = default;

std::unique_ptr<Transfer> Client::start(const Request& request) { return std::make_unique<CurlTransfer>(*pool_, request); }

Answer Client::fetch(const Request& request, std::size_t most, const std::function<bool()>& stop) {
  constexpr milliseconds kMoment{100};
  const auto transfer = start(request);
  Answer answer;
  std::vector<std::byte> piece(16 << 10);
  for (;;) {
    switch (transfer->wait(kMoment)) {
      case Transfer::State::waiting:
        if (!stop || !stop()) continue;
        answer.failure = "the run was stopped";
        answer.hopeless = true;
        return answer;
      case Transfer::State::data: {
        const std::size_t n = transfer->take(piece);
        if (n > most - answer.body.size()) {
          answer.failure = fmt::format("the answer is longer than {} bytes", most);
          answer.hopeless = true;
          return answer;
        }
        answer.body.append(reinterpret_cast<const char*>(piece.data()), n);
        continue;
      }
      case Transfer::State::ended:
        answer.status = transfer->status();
        answer.headers = transfer->headers();
        if (answer.status == 0) answer.failure = "the answer is no HTTP";
        return answer;
      case Transfer::State::failed:
        answer.failure = transfer->failure();
        answer.hopeless = transfer->hopeless();
        return answer;
    }
  }
}

}  // namespace lm::http
