#include "progress.hpp"

#include "text.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <vector>

namespace lm::cli {
namespace {

constexpr std::size_t kBarCells = 20;

std::size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool set_and_not_empty(const char* variable) {
  const char* value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): nothing here changes the environment
  return value != nullptr && *value != '\0';
}

bool dumb_terminal() {
  const char* term = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe)
  return term == nullptr || std::string_view(term) == "dumb";
}

void write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // Nobody is left who could be told.
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

void RateMeter::add(const Progress& snapshot) {
  snapshots_.push_back(snapshot);
  while (snapshots_.size() > 2 && snapshot.seconds - snapshots_.front().seconds > kWindowSeconds) snapshots_.pop_front();
}

double RateMeter::per_second(std::uint64_t Progress::*member) const {
  if (snapshots_.empty()) return 0;
  // The first seconds have one snapshot only; what was done since the start is then the best guess.
  const Progress start;
  const Progress& from = snapshots_.size() > 1 ? snapshots_.front() : start;
  const Progress& to = snapshots_.back();
  const double seconds = to.seconds - from.seconds;
  return seconds > 0 && to.*member >= from.*member ? static_cast<double>(to.*member - from.*member) / seconds : 0;
}

std::string progress_line(const Progress& p, const RateMeter& meter, std::size_t width, bool colour) {
  // Only a finished listing gives a whole to take a part of. Standard input has no size: its bytes would be 0 of 0.
  const bool known = p.listing_done && p.stored_bytes_listed > 0;
  const double part = known ? std::min(1.0, static_cast<double>(p.stored_bytes_done) / static_cast<double>(p.stored_bytes_listed)) : 0;
  std::vector<std::string> fields;
  fields.push_back(known ? fmt::format("{:3.0f}%", std::floor(part * 100)) : "listing");
  if (p.listing_done && !known) fields.back() = "reading";
  fields.push_back(fmt::format("{}/{}{} objects", count(p.objects_done), count(p.objects_listed), p.listing_done ? "" : "+"));
  fields.push_back(bytes(static_cast<double>(p.decoded_bytes)));
  fields.push_back(rate(meter.decoded_per_second()));
  fields.push_back(fmt::format("{} rec/s", count(static_cast<std::uint64_t>(meter.records_per_second()))));
  if (const double speed = meter.stored_per_second(); known && speed > 0) {
    fields.push_back(duration(static_cast<double>(p.stored_bytes_listed - std::min(p.stored_bytes_done, p.stored_bytes_listed)) / speed) +
                     " left");
  }
  if (p.rejects > 0) fields.push_back(count(p.rejects) + " rejects");

  std::string bar;
  std::size_t used = 0;
  if (width >= kBarCells + 2 + 2 + fields[0].size()) {
    const auto filled = static_cast<std::size_t>(part * kBarCells);
    const std::string done(filled, '=');
    const std::string rest(kBarCells - filled, ' ');
    bar = colour ? fmt::format("[\x1b[32m{}\x1b[0m{}]", done, rest) : fmt::format("[{}{}]", done, rest);
    used = kBarCells + 2;
  }
  for (const std::string& field : fields) {
    const std::size_t gap = used == 0 ? 0 : 2;
    if (used + gap + field.size() > width) break;
    bar.append(gap, ' ');
    bar += field;
    used += gap + field.size();
  }
  return bar;
}

StandardError& StandardError::instance() {
  static StandardError only;
  return only;
}

void StandardError::write(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (bar_shown_) write_all("\r\x1b[K");
  bar_shown_ = false;
  write_all(text);
}

void StandardError::show(const std::string& bar_line) {
  const std::lock_guard lock(mutex_);
  write_all("\r" + bar_line + "\x1b[K");
  bar_shown_ = true;
}

void StandardError::erase() { write({}); }

ProgressBar::ProgressBar(ProgressMode mode, std::function<Progress()> snapshot) : snapshot_(std::move(snapshot)) {
  const bool terminal = isatty(STDERR_FILENO) != 0 && !dumb_terminal();
  if (mode == ProgressMode::never || (mode == ProgressMode::automatic && !terminal)) return;
  const bool colour = terminal && !set_and_not_empty("NO_COLOR");
  thread_ = std::thread([this, terminal, colour] { draw(terminal, colour); });
}

void ProgressBar::draw(bool terminal, bool colour) {
  const auto pause = terminal ? std::chrono::milliseconds(200) : std::chrono::milliseconds(10'000);
  RateMeter meter;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, pause, [this] { return done_; })) {
    const Progress now = snapshot_();
    meter.add(now);
    // The last column stays free: a terminal that wraps there would leave half a bar behind.
    const std::string line = progress_line(now, meter, terminal ? terminal_width() - 1 : 200, colour);
    if (terminal) {
      StandardError::instance().show(line);
    } else {
      StandardError::instance().write(line + "\n");
    }
  }
}

ProgressBar::~ProgressBar() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  wake_.notify_one();
  thread_.join();
  StandardError::instance().erase();
}

}  // namespace lm::cli
