#include "source/layout.hpp"

#include <algorithm>
#include <array>
#include <chrono>

namespace lm {
namespace {

constexpr std::int64_t kDay = 24 * 3600 * std::int64_t{1000};
constexpr unsigned kMaxOthers = 3;
constexpr unsigned kMaxAzureOthers = 24;  // the names of a resource and of what it is in, each with its kind

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

bool same_letters(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

bool begins_azure(std::string_view segment) {
  constexpr std::array<std::string_view, 4> kNames{"resourceid", "tenantid", "workspaceresourceid", "flowlogresourceid"};
  const std::string_view name = segment.substr(0, segment.find('='));
  return name.size() != segment.size() &&
         std::any_of(kNames.begin(), kNames.end(), [&](std::string_view n) { return same_letters(n, name); });
}

// y=2026 m=03 d=01, in this order: m= stands there a second time, for the minute. False: what follows says nothing more.
bool add_azure_segment(KeyFacts& f, std::string_view segment, std::string_view before) {
  constexpr std::size_t kGuid = 36;
  constexpr std::string_view kWatcher = "NETWORKWATCHER_";
  std::string_view value;
  if (f.year == 0) {
    if (take_value(segment, "y=", value) && value.size() == 4 && digits(value) && number(value) >= 1990 && number(value) < 2200) {
      f.year = number(value);
    } else if (f.account.empty() && same_letters(before, "subscriptions")) {
      f.account = segment;
    } else if (f.account.empty() && segment.size() > kGuid && segment[kGuid] == '_') {  // ID_NETWORKWATCHERRG
      f.account = segment.substr(0, kGuid);
    } else if (f.region.empty() && same_letters(segment.substr(0, kWatcher.size()), kWatcher)) {  // NETWORKWATCHER_REGION[_NAME]
      f.region = segment.substr(kWatcher.size(), segment.find('_', kWatcher.size()) - kWatcher.size());
    } else {
      ++f.others;
    }
    return true;
  }
  const bool named = take_value(segment, f.month == 0 ? "m=" : "d=", value);
  const int n = named && value.size() <= 2 && digits(value) ? number(value) : 0;
  if (f.month == 0) {
    if (n >= 1 && n <= 12) f.month = n;
    return f.month != 0;
  }
  if (n >= 1 && n <= 31) f.day = n;
  return false;
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
  f.under_logs = at != std::string_view::npos;
  std::string_view rest = f.under_logs ? key.substr(at + kLogs.size()) : key, before;
  for (std::size_t slash = rest.find('/'); slash != std::string_view::npos; slash = rest.find('/')) {
    const std::string_view segment = rest.substr(0, slash);
    rest.remove_prefix(slash + 1);
    if (!f.under_logs) {
      f.under_logs = f.azure = begins_azure(segment);
    } else if (!(f.azure ? add_azure_segment(f, segment, before) : add_segment(f, segment))) {
      break;
    }
    before = segment;
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
  // Azure writes the letters of an id now large, now small.
  const auto among = [&](const std::vector<std::string>& names, std::string_view name) {
    return names.empty() || name.empty() ||
           std::any_of(names.begin(), names.end(), [&](const std::string& n) { return f.azure ? same_letters(n, name) : n == name; });
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
  if (f.day != 0) return Descend::whole;
  if (f.azure) {
    const bool unnamed = (!filter.accounts.empty() && f.account.empty()) || (!filter.regions.empty() && f.region.empty());
    const bool more = filter.since_ms || filter.until_ms || (unnamed && f.year == 0);
    return more && f.others <= kMaxAzureOthers ? Descend::step : Descend::whole;
  }
  if (f.others > kMaxOthers) return Descend::whole;
  if (f.account.empty() || f.service.empty()) return Descend::step;
  const bool by_time = filter.since_ms || filter.until_ms;
  if (f.year != 0) return by_time ? Descend::step : Descend::whole;
  if (!f.region.empty()) return by_time ? Descend::step : Descend::whole;
  return by_time || !filter.regions.empty() ? Descend::step : Descend::whole;
}

}  // namespace lm
