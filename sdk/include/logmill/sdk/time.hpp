// logmill/sdk/time.hpp -- text to OCSF time. All functions are pure, allocate nothing and never throw.
//   lm::time::rfc3339("2026-03-01T08:00:00.25Z")        -> 1772352000250    milliseconds since 1970-01-01 UTC
//   lm::time::rfc3339("2026-02-30T08:00:00Z")           -> nullopt          no such day; nothing is guessed
//   lm::time::of_event("2026-03-01T08:00:00Z")          -> 1772352000000    as rfc3339, of the years 1990 to 2099: others are no time of an event
//   lm::time::seconds("1772352000")                     -> 1772352000000
//   lm::time::clf("01/Mar/2026:08:00:00 +0000")         -> 1772352000000    the common log format, without its brackets
//   lm::time::elapsed("0.623")                          -> 623              milliseconds of a number of seconds, as access logs have it
// A leap second (":60") counts as the last millisecond before it: OCSF timestamp_t cannot name it. Fractions beyond milliseconds are cut off.
#pragma once

#include <logmill/sdk/text.hpp>

#include <cstdint>
#include <string_view>

namespace lm::time {

// Days since 1970-01-01 of a proleptic Gregorian date; years 0 to 9999. (The era method: an era is 400 years, and the year begins in March.)
constexpr std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month + (month > 2 ? -3u : 9u)) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<std::int64_t>(day_of_era) - 719468;
}

struct Date {
  std::int64_t year;
  unsigned month, day;
};

constexpr Date civil_from_days(std::int64_t days) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146097);
  const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted = (5 * day_of_year + 2) / 153;
  const unsigned month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) / 5 + 1};
}

constexpr unsigned days_in_month(std::int64_t year, unsigned month) {
  constexpr unsigned kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : kDays[month - 1];
}

// Milliseconds of a checked date and time of day; absent if there is no such moment.
constexpr Maybe<std::int64_t> moment(std::int64_t year, unsigned month, unsigned day, unsigned hour, unsigned minute, unsigned second,
                                     unsigned millisecond = 0) {
  if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 60)
    return std::nullopt;
  if (second == 60) second = 59, millisecond = 999;
  return ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60'000 + second * 1000 + millisecond;
}

// `size` decimal digits at `at`, or absent. The text must be that long.
[[gnu::always_inline]] constexpr Maybe<unsigned> digits(std::string_view text, std::size_t at, std::size_t size) {
  unsigned value = 0;
  for (std::size_t i = at; i < at + size; ++i) {
    const unsigned digit = static_cast<unsigned char>(text[i]) - unsigned{'0'};
    if (digit > 9) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

namespace detail {

// "2026-03-01T08:00:00": the numbers of the first 19 characters, of which the eleventh is not looked at. Month 0: they are none.
struct Civil {
  unsigned year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

constexpr Civil civil_digit_by_digit(std::string_view text) {
  if (text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':') return {};
  const auto year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2), hour = digits(text, 11, 2),
             minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return {};
  return {*year, *month, *day, *hour, *minute, *second};
}

// Eight characters at a time: a difference to the pattern is a digit's value where the pattern has a digit, and nothing elsewhere. `allowed` is 0x7f less what
// a byte of the difference may be, so that adding it shows in the highest bit what is too large.
inline Civil civil(std::string_view text) {
  constexpr std::uint64_t kHigh = 0x8080808080808080u, kAny = 0xff0000;                             // of the second word: the 'T'
  const std::uint64_t date = lm::detail::load64(text.data()) ^ 0x2d30302d30303030u;                 // "0000-00-"
  const std::uint64_t clock = (lm::detail::load64(text.data() + 8) ^ 0x30303a3030003030u) & ~kAny;  // "00T00:00"
  std::uint32_t tail;
  std::memcpy(&tail, text.data() + 15, 4);
  const std::uint64_t seconds = tail ^ 0x30303a30u;  // "0:00"
  const std::uint64_t wrong =
      ((date + 0x7f76767f76767676u) | date) | ((clock + 0x76767f7676007676u) | clock) | ((seconds + 0x76767f76u) | seconds);
  if ((wrong & kHigh) != 0) return {};
  const auto pair = [](std::uint64_t word, unsigned at) { return static_cast<unsigned>((word * 10 + (word >> 8)) >> (8 * at) & 0xff); };
  return {pair(date, 0) * 100 + pair(date, 2), pair(date, 5), pair(clock, 0), pair(clock, 3), pair(clock, 6), pair(seconds, 2)};
}

}  // namespace detail

// RFC 3339 as logs write it: 'T' or a space between date and time, any number of fraction digits, 'Z' or an offset with or without a colon.
// Without a zone it is read as UTC only if `zone_optional`.
constexpr Maybe<std::int64_t> rfc3339(std::string_view text, bool zone_optional = false) {
  if (text.size() < 19 || (text[10] != 'T' && text[10] != 't' && text[10] != ' ')) return std::nullopt;
  const detail::Civil c = std::is_constant_evaluated() ? detail::civil_digit_by_digit(text) : detail::civil(text);
  if (c.month == 0) return std::nullopt;  // no digits, or no month
  std::size_t at = 19;
  unsigned millisecond = 0;
  if (at < text.size() && text[at] == '.') {
    unsigned scale = 100;
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10)
      millisecond += static_cast<unsigned>(text[at] - '0') * scale;
    if (at == first) return std::nullopt;
  }
  std::int64_t offset_minutes = 0;
  if (at == text.size()) {
    if (!zone_optional) return std::nullopt;
  } else if (text[at] == 'Z' || text[at] == 'z') {
    if (++at != text.size()) return std::nullopt;
  } else if (text[at] == '+' || text[at] == '-') {
    const bool west = text[at++] == '-';
    std::string_view zone = text.substr(at);
    const bool colon = zone.size() == 5 && zone[2] == ':';
    if (!colon && zone.size() != 4) return std::nullopt;
    const auto hours = digits(zone, 0, 2), minutes = digits(zone, colon ? 3 : 2, 2);
    if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
    offset_minutes = static_cast<std::int64_t>(*hours * 60 + *minutes) * (west ? -1 : 1);
  } else {
    return std::nullopt;
  }
  const auto utc = moment(c.year, c.month, c.day, c.hour, c.minute, c.second, millisecond);
  if (!utc) return std::nullopt;
  return *utc - offset_minutes * 60'000;
}

// ISO 8601 basic form, "20131102T010628Z".
constexpr Maybe<std::int64_t> iso_basic(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  const auto year = digits(text, 0, 4), month = digits(text, 4, 2), day = digits(text, 6, 2), hour = digits(text, 9, 2),
             minute = digits(text, 11, 2), second = digits(text, 13, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  return moment(*year, *month, *day, *hour, *minute, *second);
}

constexpr Maybe<std::int64_t> clf(std::string_view text) {
  if (text.size() != 26 || text[2] != '/' || text[6] != '/' || text[11] != ':' || text[14] != ':' || text[17] != ':' || text[20] != ' ' ||
      (text[21] != '+' && text[21] != '-'))
    return std::nullopt;
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  unsigned month = 0;
  for (unsigned i = 0; i < 12 && month == 0; ++i) {
    if (kMonths[3 * i + 2] == text[5] && kMonths[3 * i + 1] == text[4] && kMonths[3 * i] == text[3]) month = i + 1;
  }
  const auto day = digits(text, 0, 2), year = digits(text, 7, 4), hour = digits(text, 12, 2), minute = digits(text, 15, 2),
             second = digits(text, 18, 2), zone_hours = digits(text, 22, 2), zone_minutes = digits(text, 24, 2);
  if (!day || !year || !hour || !minute || !second || !zone_hours || !zone_minutes || *zone_hours > 23 || *zone_minutes > 59)
    return std::nullopt;
  const auto utc = moment(*year, month, *day, *hour, *minute, *second);
  if (!utc) return std::nullopt;
  const auto offset = static_cast<std::int64_t>(*zone_hours * 60 + *zone_minutes) * 60'000;
  return text[21] == '-' ? *utc + offset : *utc - offset;
}

// The range that OCSF readers take as a time: 1990 to 2099. What lies outside is no event time but a defect of the source.
constexpr bool plausible(std::int64_t milliseconds) { return milliseconds >= 631'152'000'000 && milliseconds <= 4'102'444'800'000; }

// The time of an event: as rfc3339, but absent outside that range.
constexpr Maybe<std::int64_t> of_event(Text text, bool zone_optional = false) {
  const auto t = text ? rfc3339(*text, zone_optional) : std::nullopt;
  return t && plausible(*t) ? t : std::nullopt;
}

// Epoch seconds as decimal text.
constexpr Maybe<std::int64_t> from_seconds(Maybe<std::int64_t> value) {
  if (!value || *value < -62'135'596'800 || *value > 253'402'300'799) return std::nullopt;  // years 1 to 9999
  return *value * 1000;
}
[[gnu::always_inline]] constexpr Maybe<std::int64_t> seconds(std::string_view text) { return from_seconds(integer(text)); }
[[gnu::always_inline]] inline Maybe<std::int64_t> seconds(std::string_view text, InRecord) {
  return from_seconds(integer(text, in_record));
}

// A time that passed: decimal seconds with or without a fraction, without a sign.
constexpr Maybe<std::int64_t> elapsed(std::string_view text) {
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point), fraction = point == std::string_view::npos ? "0" : text.substr(point + 1);
  if (whole.empty() || whole.size() > 15 || fraction.empty()) return std::nullopt;
  const auto all_digits = [](std::string_view t) {
    for (const char c : t) {
      if (c < '0' || c > '9') return false;
    }
    return true;
  };
  if (!all_digits(whole) || !all_digits(fraction)) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : whole) value = value * 10 + (c - '0');
  for (std::size_t i = 0; i < 3; ++i) value = value * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
  return value;
}

}  // namespace lm::time
