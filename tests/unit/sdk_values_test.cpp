// Text, times and addresses: what is readable is read exactly, and nothing is guessed.
#include <logmill/sdk/net.hpp>
#include <logmill/sdk/text.hpp>
#include <logmill/sdk/time.hpp>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <array>
#include <ctime>
#include <random>
#include <vector>

namespace {

TEST(Time, ReadsTheFormsThatLogsUse) {
  EXPECT_EQ(lm::time::rfc3339("2026-03-01T08:00:00Z"), 1772352000000);
  EXPECT_EQ(lm::time::rfc3339("2026-03-01T08:00:00.25Z"), 1772352000250);
  EXPECT_EQ(lm::time::rfc3339("2026-03-01T08:00:00.1234567Z"), 1772352000123);
  EXPECT_EQ(lm::time::rfc3339("2026-03-01T10:00:00+02:00"), 1772352000000);
  EXPECT_EQ(lm::time::rfc3339("2026-03-01T05:30:00.000-0230"), 1772352000000);
  EXPECT_EQ(lm::time::rfc3339("2026-03-01 08:00:00", true), 1772352000000);
  EXPECT_EQ(lm::time::iso_basic("20131102T010628Z"), 1383354388000);
  EXPECT_EQ(lm::time::rfc3339("2024-02-29T23:59:60Z"), *lm::time::rfc3339("2024-02-29T23:59:59.999Z"));
  EXPECT_EQ(lm::time::seconds("1772352000"), 1772352000000);
}

TEST(Time, GuessesNothing) {
  for (const char* text : {"", "2026-03-01", "2026-02-30T08:00:00Z", "2025-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-03-01T24:00:00Z",
                           "2026-03-01T08:00:00", "2026-03-01T08:00:00.Z", "2026-03-01T08:00:00Zx", "2026-03-01T08:00:00+2",
                           "2026-03-01T08:00:61Z", "2026x03-01T08:00:00Z", " 2026-03-01T08:00:00Z"}) {
    EXPECT_EQ(lm::time::rfc3339(text), std::nullopt) << text;
  }
  EXPECT_EQ(lm::time::seconds("99999999999999999999"), std::nullopt);
  EXPECT_EQ(lm::time::seconds("12a"), std::nullopt);
}

TEST(Time, AgreesWithTheSystemOnEveryDayOfFourCenturies) {
  for (std::int64_t day = lm::time::days_from_civil(1800, 1, 1); day < lm::time::days_from_civil(2200, 1, 1); ++day) {
    const std::time_t seconds = day * 86400;
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    const lm::time::Date date = lm::time::civil_from_days(day);
    ASSERT_EQ(date.year, utc.tm_year + 1900);
    ASSERT_EQ(date.month, static_cast<unsigned>(utc.tm_mon + 1));
    ASSERT_EQ(date.day, static_cast<unsigned>(utc.tm_mday));
    ASSERT_EQ(lm::time::days_from_civil(date.year, date.month, date.day), day);
  }
}

TEST(Net, AgreesWithTheSystemAboutAddresses) {
  std::mt19937 random(7);
  static constexpr char kAlphabet[] = "0123456789abcdefAF::::....";
  unsigned good = 0;
  const auto check = [&](const std::string& text) {
    in_addr v4{};
    in6_addr v6{};
    ASSERT_EQ(lm::net::is_ipv4(text), inet_pton(AF_INET, text.c_str(), &v4) == 1) << text;
    ASSERT_EQ(lm::net::is_ipv6(text), inet_pton(AF_INET6, text.c_str(), &v6) == 1) << text;
    good += lm::net::is_ip(text);
  };
  for (const char* text : {"192.0.2.1",
                           "0.0.0.0",
                           "255.255.255.255",
                           "256.1.1.1",
                           "192.0.2.01",
                           "1.2.3",
                           "1.2.3.4.5",
                           "::",
                           "::1",
                           "2001:db8::1",
                           "1::",
                           ":1",
                           "1:",
                           ":::",
                           "1:2:3:4:5:6:7:8",
                           "1:2:3:4:5:6:7:8:9",
                           "::ffff:192.0.2.1",
                           "1::2::3",
                           "12345::",
                           "fe80::1%eth0",
                           "[::1]",
                           "1:2:3:4:5:6:7::",
                           "::192.0.2.256"}) {
    check(text);
  }
  for (int i = 0; i < 200'000; ++i) {
    std::string text;
    for (unsigned n = 2 + random() % 16; n; --n) text += kAlphabet[random() % (sizeof kAlphabet - 1)];
    check(text);
  }
  EXPECT_GT(good, 100u);
}

TEST(Text, IntegersAreTakenWholeOrNotAtAll) {
  EXPECT_EQ(lm::integer("443"), 443);
  EXPECT_EQ(lm::integer("-5"), -5);
  for (const char* text : {"", "+1", " 1", "1 ", "1x", "9223372036854775808", "0x10"}) EXPECT_EQ(lm::integer(text), std::nullopt) << text;
  EXPECT_EQ(lm::integer<std::int32_t>("2147483648"), std::nullopt);
}

TEST(Text, IntegersOfEveryLengthAreReadAsWritten) {
  std::mt19937_64 random(5);
  for (std::size_t size = 1; size <= 18; ++size) {
    for (int round = 0; round < 2000; ++round) {
      std::string text;
      std::int64_t value = 0;
      for (std::size_t i = 0; i < size; ++i) {
        const auto digit = static_cast<char>(random() % 10);
        text += static_cast<char>('0' + digit);
        value = value * 10 + digit;
      }
      // In a buffer of its own size: not a byte beside it is read.
      const std::vector<char> exact(text.begin(), text.end());
      ASSERT_EQ(lm::integer(std::string_view(exact.data(), exact.size())), value) << text;
      if (value <= INT32_MAX) {
        ASSERT_EQ(lm::integer<std::int32_t>(text), value) << text;
      } else {
        ASSERT_EQ(lm::integer<std::int32_t>(text), std::nullopt) << text;
      }
      std::string spoilt = text;
      auto& c = spoilt[random() % size];
      c = static_cast<char>(random());
      if ((c < '0' || c > '9') && c != '-') {
        ASSERT_EQ(lm::integer(spoilt), std::nullopt) << spoilt;
      }
    }
  }
}

TEST(Text, SplitFoldsRunsAndCountsWhatDoesNotFit) {
  std::array<std::string_view, 3> f;
  EXPECT_EQ(lm::split("  a b   c ", ' ', f), 3u);
  EXPECT_EQ(f[2], "c");
  EXPECT_EQ(lm::split("a b c d e", ' ', f), 5u);
  EXPECT_EQ(lm::split("", ' ', f), 0u);
  EXPECT_EQ(lm::present("-"), std::nullopt);
}

}  // namespace
