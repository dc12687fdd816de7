#include "source/layout.hpp"

#include <algorithm>
#include <chrono>

namespace lm {
namespace {

constexpr std::int64_t kDay = 24 * 3600 * std::int64_t{1000};
constexpr unsigned kMaxOthers = 3;

bool digits(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos; }

int number(std::string_view text) {
  int value = 0;
  for (const char c : text) value = value * 10 + (c - '0');
  return value;
}

// "us-east-1", "us-gov-west-1", "ap-southeast-2".
bool region_shaped(std::string_view text) {
  if (text.size() < 8 || text.size() > 24) return false;
  const std::size_t dash = text.rfind('-');
  if (dash == std::string_view::npos || dash + 2 != text.size() || text.back() < '0' || text.back() > '9') return false;
  const std::string_view name = text.substr(0, dash);
  return name.size() >= 5 && name[2] == '-' && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string_view::npos;
}

bool account_shaped(std::string_view text) { return text.size() == 12 && digits(text); }

bool take_value(std::string_view segment, std::string_view name, std::string_view& value) {
  if (!segment.starts_with(name)) return false;
  value = segment.substr(name.size());
  return true;
}

// False: what follows says nothing more.
bool add_segment(KeyFacts& f, std::string_view segment) {
  std::string_view value;
  if (f.account.empty()) {
    if (f.organization.empty() && segment.starts_with("o-")) {
      f.organization = segment;
    } else if (account_shaped(segment)) {
      f.account = segment;
    } else if (!take_value(segment, "aws-account-id=", f.account)) {
      ++f.others;
    }
    return true;
  }
  if (f.service.empty()) {
    if (!take_value(segment, "aws-service=", f.service)) f.service = segment;
    return true;
  }
  const bool dated = f.year != 0;
  if (!dated && f.region.empty() && (take_value(segment, "aws-region=", f.region) || region_shaped(segment))) {
    if (f.region.empty()) f.region = segment;
    return true;
  }
  if (!dated) {
    value = segment;
    take_value(segment, "year=", value);
    if (value.size() == 4 && digits(value) && number(value) >= 1990 && number(value) < 2200) {
      f.year = number(value);
    } else {
      ++f.others;
    }
    return true;
  }
  value = segment;
  take_value(segment, f.month == 0 ? "month=" : "day=", value);
  const int n = value.size() <= 2 && digits(value) ? number(value) : 0;
  if (f.month == 0) {
    if (n >= 1 && n <= 12) f.month = n;
    return f.month != 0;
  }
  if (n >= 1 && n <= 31) f.day = n;
  return false;
}

std::int64_t begin_of(int year, int month, int day) {
  using namespace std::chrono;
  const sys_days month_begins{std::chrono::year(year) / std::chrono::month(static_cast<unsigned>(month)) / 1};
  return duration_cast<milliseconds>((month_begins + days(day - 1)).time_since_epoch()).count();
}

}  // namespace

KeyFacts facts_of(std::string_view key) {
  constexpr std::string_view kLogs = "AWSLogs/";
  KeyFacts f;
  // The last one counts: what stands in front of it is a prefix of the user's.
  std::size_t at = key.rfind(kLogs);
  while (at != std::string_view::npos && at != 0 && key[at - 1] != '/') at = key.rfind(kLogs, at - 1);
  if (at == std::string_view::npos) return f;
  f.under_logs = true;
  for (std::string_view rest = key.substr(at + kLogs.size());;) {
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) break;
    if (!add_segment(f, rest.substr(0, slash))) break;
    rest.remove_prefix(slash + 1);
  }
  if (f.year != 0) {
    f.first_ms = begin_of(f.year, std::max(f.month, 1), std::max(f.day, 1));
    if (f.day != 0) {
      f.behind_ms = *f.first_ms + kDay;
    } else if (f.month != 0) {
      f.behind_ms = f.month == 12 ? begin_of(f.year + 1, 1, 1) : begin_of(f.year, f.month + 1, 1);
    } else {
      f.behind_ms = begin_of(f.year + 1, 1, 1);
    }
  }
  return f;
}

namespace {

bool wanted(const KeyFacts& f, const KeyFilter& filter) {
  const auto among = [](const std::vector<std::string>& names, std::string_view name) {
    return names.empty() || name.empty() || std::find(names.begin(), names.end(), name) != names.end();
  };
  if (!among(filter.accounts, f.account) || !among(filter.regions, f.region)) return false;
  if (filter.since_ms && f.behind_ms && *f.behind_ms <= *filter.since_ms - kDay) return false;
  return !(filter.until_ms && f.first_ms && *f.first_ms >= *filter.until_ms + kDay);
}

}  // namespace

bool KeyFilter::wants(std::string_view key) const { return !active() || wanted(facts_of(key), *this); }

Descend descend(std::string_view prefix, const KeyFilter& filter) {
  const KeyFacts f = facts_of(prefix);
  if (!wanted(f, filter)) return Descend::no;
  if (!f.under_logs) return Descend::unknown;
  if (f.others > kMaxOthers || f.day != 0) return Descend::whole;
  if (f.account.empty() || f.service.empty()) return Descend::step;
  const bool by_time = filter.since_ms || filter.until_ms;
  if (f.year != 0) return by_time ? Descend::step : Descend::whole;
  if (!f.region.empty()) return by_time ? Descend::step : Descend::whole;
  return by_time || !filter.regions.empty() ? Descend::step : Descend::whole;
}

}  // namespace lm
