// The progress bar on standard error, and the one door through which everything else reaches standard error while the bar stands there.
#pragma once

#include <logmill/core.hpp>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace lm::cli {

// Speeds over the last seconds, so that the time left follows what the run does now and not what it did an hour ago.
class RateMeter {
 public:
  static constexpr double kWindowSeconds = 10;
  // Snapshots in the order of their seconds.
  void add(const Progress&);
  double decoded_per_second() const { return per_second(&Progress::decoded_bytes); }
  double records_per_second() const { return per_second(&Progress::records); }
  double stored_per_second() const { return per_second(&Progress::stored_bytes_done); }

 private:
  double per_second(std::uint64_t Progress::*member) const;
  std::deque<Progress> snapshots_;
};

// One line of at most `width` columns, without a line end: bar, objects, bytes, MB/s, records/s, time left; what does not fit is left out
// from the end.
std::string progress_line(const Progress&, const RateMeter&, std::size_t width, bool colour);

// Writes to standard error, whole lines at a time. [any]
class StandardError {
 public:
  static StandardError& instance();
  void write(std::string_view text);       // erases the bar first; it comes back with its next show()
  void show(const std::string& bar_line);  // in place of the bar before
  void erase();

 private:
  std::mutex mutex_;
  bool bar_shown_ = false;
};

enum class ProgressMode { automatic, always, never };

// Draws from a thread of its own until it is destroyed. On a terminal the bar is redrawn in place; elsewhere ("always") it is a line every ten
// seconds. NO_COLOR and TERM=dumb are respected.
class ProgressBar {
 public:
  ProgressBar(ProgressMode, std::function<Progress()> snapshot);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

 private:
  void draw(bool terminal, bool colour);
  std::function<Progress()> snapshot_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace lm::cli
