// Text, times and addresses: what is readable is read exactly, and nothing is guessed.
#include <logmill/plugin.h>
#include <logmill/sdk/net.hpp>
#include <logmill/sdk/text.hpp>
#include <logmill/sdk/time.hpp>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <array>
#include <ctime>
#include <optional>
#include <random>
#include <string>
#include <string_view>
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

TEST(Text, IsAbsentOrThereIfOnlyEmpty) {
  EXPECT_FALSE(lm::Text());
  EXPECT_FALSE(lm::Text(std::nullopt));
  EXPECT_TRUE(lm::Text(""));
  EXPECT_TRUE(lm::Text(std::string_view()));
  EXPECT_NE(lm::Text(""), lm::Text());
  EXPECT_EQ(lm::Text("a"), lm::Text(std::string_view("ab").substr(0, 1)));
  EXPECT_EQ(lm::Text().value_or("x"), "x");
  const std::optional<std::string_view> none = lm::Text(), one = lm::Text("a");
  EXPECT_EQ(none, std::nullopt);
  EXPECT_EQ(one, "a");
}

TEST(Maybe, IsAbsentOrThereIfOnlyZero) {
  EXPECT_FALSE(lm::Maybe<int>());
  EXPECT_TRUE(lm::Maybe<int>(0));
  EXPECT_NE(lm::Maybe<int>(0), lm::Maybe<int>());
  const std::optional<int> none = lm::Maybe<int>(), one = lm::Maybe<int>(1);
  EXPECT_EQ(none, std::nullopt);
  EXPECT_EQ(one, 1);
}

// What lies behind a field must not matter, whatever it is.
TEST(Integer, OfAFieldIsWhatItIsOfTextAlone) {
  const std::vector<std::string> texts = {"",
                                          "0",
                                          "7",
                                          "42",
                                          "999",
                                          "1234",
                                          "65535",
                                          "123456",
                                          "1234567",
                                          "12345678",
                                          "123456789",
                                          "1772352000",
                                          "12345678901",
                                          "999999999999",
                                          "1234567890123456",
                                          "12345678901234567",
                                          "-",
                                          "-1",
                                          "-12345678",
                                          "9223372036854775807",
                                          "9223372036854775808",
                                          "-9223372036854775808",
                                          "1a",
                                          "a1",
                                          "12:",
                                          "1234567/",
                                          "12345678a",
                                          "1234567890 ",
                                          " 1",
                                          "+1",
                                          "1.5",
                                          "0000000000000001"};
  for (const std::string& text : texts) {
    for (const char behind : {'0', '9', ' ', '-', '\0', '\xff'}) {
      const std::string record = text + std::string(LM_PADDING, behind);
      EXPECT_EQ(lm::integer(std::string_view(record).substr(0, text.size()), lm::in_record), lm::integer(text)) << text;
    }
  }
}

TEST(Split, GivesTheFieldsOfAnyLength) {
  std::uint64_t state = 1;
  for (std::size_t size = 0; size < 300; ++size) {
    std::string text(size, 'a');
    for (char& c : text) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      if ((state >> 40) % 4 == 0) c = ' ';
    }
    std::vector<std::string_view> expected;
    for (std::size_t at = 0; at < size;) {
      const std::size_t end = std::min(text.find(' ', at), size);
      if (end > at) expected.push_back(std::string_view(text).substr(at, end - at));
      at = end + 1;
    }
    std::vector<std::string_view> fields(expected.size());
    ASSERT_EQ(lm::split(text, ' ', fields), expected.size()) << text;
    EXPECT_EQ(fields, expected) << text;
    std::vector<std::string_view> few(expected.size() / 2);
    EXPECT_EQ(lm::split(text, ' ', few), expected.size());
    EXPECT_TRUE(std::equal(few.begin(), few.end(), expected.begin()));
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
