// Text, times and addresses: what is readable is read exactly, and nothing is guessed.
#include <logmill/plugin.h>
#include <logmill/sdk/aws.hpp>
#include <logmill/sdk/dns.hpp>
#include <logmill/sdk/fields.hpp>
#include <logmill/sdk/http.hpp>
#include <logmill/sdk/net.hpp>
#include <logmill/sdk/outline.hpp>
#include <logmill/sdk/quoted.hpp>
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
  EXPECT_EQ(lm::time::of_event("2026-03-01T08:00:00Z"), 1772352000000);
  EXPECT_EQ(lm::time::of_event("2026-03-01T08:00:00", true), 1772352000000);
  for (const lm::Text none :
       {lm::Text(), lm::Text("2026-03-01T08:00:00"), lm::Text("1989-12-31T23:59:59Z"), lm::Text("2100-01-01T00:00:01Z")})
    EXPECT_EQ(lm::time::of_event(none), std::nullopt);
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

TEST(Time, ReadsTheCommonLogFormat) {
  EXPECT_EQ(lm::time::clf("01/Mar/2026:08:00:00 +0000"), 1772352000000);
  EXPECT_EQ(lm::time::clf("01/Mar/2026:10:30:00 +0230"), 1772352000000);
  EXPECT_EQ(lm::time::clf("01/Mar/2026:05:30:00 -0230"), 1772352000000);
  for (const char* text : {"", "01/Mar/2026:08:00:00", "[01/Mar/2026:08:00:00 +0000]", "30/Feb/2026:08:00:00 +0000",
                           "01/mar/2026:08:00:00 +0000", "01/Mar/2026:24:00:00 +0000", "01/arA/2026:08:00:00 +0000"}) {
    EXPECT_EQ(lm::time::clf(text), std::nullopt) << text;
  }
}

TEST(Time, ReadsHowManySecondsPassed) {
  EXPECT_EQ(lm::time::elapsed("0.623"), 623);
  EXPECT_EQ(lm::time::elapsed("12"), 12'000);
  EXPECT_EQ(lm::time::elapsed("3.5"), 3'500);
  EXPECT_EQ(lm::time::elapsed("0.0019999"), 1);
  EXPECT_EQ(lm::time::elapsed("999999999999999.999"), 999'999'999'999'999'999);
  for (const char* text : {"", "-", "-1", ".5", "1.", "1.2.3", "1e3", "0.12x", " 1", "9999999999999999", "nan"}) {
    EXPECT_EQ(lm::time::elapsed(text), std::nullopt) << text;
  }
}

TEST(Net, HostsAndPortsAreToldApart) {
  const struct {
    const char *text, *host;
    std::int64_t port;  // -1: none
  } kCases[] = {{"203.0.113.10:2817", "203.0.113.10", 2817},
                {"[2001:db8::1]:443", "2001:db8::1", 443},
                {"[2001:db8::1]", "2001:db8::1", -1},
                {"2001:db8::77:57273", "2001:db8::77", 57273},
                {"2001:db8::1", "2001:db8::1", -1},
                {"www.example.com:80", "www.example.com", 80},
                {"www.example.com", "www.example.com", -1},
                {"www.example.com:99999", "www.example.com:99999", -1},
                {"", "", -1},
                {"[", "[", -1},
                {":80", "", 80}};
  for (const auto& c : kCases) {
    const auto out = lm::net::host_port(c.text);
    EXPECT_EQ(out.host, c.host) << c.text;
    EXPECT_EQ(out.port.value_or(-1), c.port) << c.text;
  }
  EXPECT_EQ(lm::net::protocol_name(17), "udp");
  EXPECT_EQ(lm::net::protocol_name(-1), "");
  EXPECT_EQ(lm::net::protocol_name(256), "");
  EXPECT_EQ(lm::net::protocol_number("IPv6-ICMP"), 58);
  EXPECT_EQ(lm::net::protocol_number("carrier pigeon"), std::nullopt);
}

TEST(Http, RequestLinesAndUrlsAreTakenApart) {
  const auto usual = lm::http::request_line("GET https://www.example.com:443/a?b=c HTTP/2.0");
  EXPECT_EQ(usual.method, lm::Text("GET"));
  EXPECT_EQ(usual.target, lm::Text("https://www.example.com:443/a?b=c"));
  EXPECT_EQ(usual.version, lm::Text("HTTP/2.0"));
  EXPECT_EQ(lm::http::request_line("GET /a b\" c HTTP/1.1").target, lm::Text("/a b\" c"));
  EXPECT_EQ(lm::http::request_line("- http://www.example.com:80- ").method, std::nullopt);
  EXPECT_EQ(lm::http::request_line("- http://www.example.com:80- ").target, lm::Text("http://www.example.com:80-"));
  const auto none = lm::http::request_line("- - - ");
  EXPECT_TRUE(!none.method && !none.target && !none.version);
  EXPECT_EQ(lm::http::request_line("GET").method, lm::Text("GET"));
  EXPECT_EQ(lm::http::request_line("").method, std::nullopt);

  const auto url = lm::http::url("https://joe@[2001:db8::1]:8443/a/b?c=d&e=/");
  EXPECT_EQ(url.scheme, lm::Text("https"));
  EXPECT_EQ(url.hostname, lm::Text("2001:db8::1"));
  EXPECT_EQ(url.port.value_or(0), 8443);
  EXPECT_EQ(url.path, lm::Text("/a/b"));
  EXPECT_EQ(url.query_string, lm::Text("c=d&e=/"));
  EXPECT_EQ(lm::http::url("/?next=https://example.com/").path, lm::Text("/"));
  EXPECT_EQ(lm::http::url("/?next=https://example.com/").scheme, std::nullopt);
  EXPECT_EQ(lm::http::url("https://www.example.com?a").query_string, lm::Text("a"));
  EXPECT_EQ(lm::http::url("*").path, lm::Text("*"));
  EXPECT_EQ(lm::http::url("a b://c/d").scheme, std::nullopt);
  EXPECT_EQ(lm::http::url("://c/d").scheme, std::nullopt);
  EXPECT_EQ(lm::http::url("a:b://c/d").path, lm::Text("a:b://c/d"));
  EXPECT_EQ(lm::http::url("http://").hostname, std::nullopt);
  EXPECT_EQ(lm::http::url("http://h#f").hostname, lm::Text("h"));

  EXPECT_EQ(lm::http::activity_id("PATCH"), 9);
  EXPECT_EQ(lm::http::activity_id("PROPFIND"), 99);
  EXPECT_EQ(lm::http::activity_id(""), 0);
  EXPECT_EQ(lm::http::status_id(304), 1);
  EXPECT_EQ(lm::http::status_id(503), 2);
  EXPECT_EQ(lm::http::status_id(std::nullopt), 0);
  EXPECT_EQ(lm::http::tls_version("tlsv12"), "TLSv1.2");
  EXPECT_EQ(lm::http::tls_version("SSLv3"), "SSLv3");
  EXPECT_EQ(lm::http::tls_version("TLSv1.3"), "TLSv1.3");
  EXPECT_EQ(lm::http::tls_version("TLSv1.0"), "TLSv1");
}

// Promise: a part of a URL ends at its first end, wherever that stands.
TEST(Http, PartsOfAUrlMayHaveAnyLength) {
  for (std::size_t length = 1; length < 70; ++length) {
    const std::string host(length, 'h');
    for (const char* end : {"/p", "?q", "#f"}) {
      const std::string text = "https://" + host + ":8443" + end;
      const auto url = lm::http::url(text);
      ASSERT_EQ(url.scheme, "https") << text;
      ASSERT_EQ(url.hostname, std::string_view(host)) << text;
      ASSERT_EQ(url.port, 8443) << text;
    }
    const std::string only = host + "://x";
    EXPECT_EQ(lm::http::url(only).scheme, std::string_view(host));
  }
}

TEST(Http, WhatClientsSentIsDecodedOnce) {
  std::string scratch;
  EXPECT_EQ(lm::http::percent_decoded("/index.html", scratch), "/index.html");
  EXPECT_EQ(lm::http::percent_decoded("Mozilla/5.0%20(X11;%20Linux)", scratch), "Mozilla/5.0 (X11; Linux)");
  EXPECT_EQ(lm::http::percent_decoded("%41%62%2Fc", scratch), "Ab/c");
  EXPECT_EQ(lm::http::percent_decoded("a%2520b", scratch), "a%20b");
  EXPECT_EQ(lm::http::percent_decoded("%C3%A4%e2%82%ac%F0%9F%98%80", scratch), "\u00e4\u20ac\U0001f600");
  EXPECT_EQ(lm::http::percent_decoded("100%", scratch), "100%");
  EXPECT_EQ(lm::http::percent_decoded("%4", scratch), "%4");
  EXPECT_EQ(lm::http::percent_decoded("%zz%20%%41", scratch), "%zz %A");
  EXPECT_EQ(lm::http::percent_decoded("", scratch), "");
}

TEST(Http, WhatIsNoUtf8WhenItIsDecodedStaysAsItStands) {
  std::string scratch;
  for (const char* text :
       {"%FF", "%80", "a%20%C3", "%C3%28", "%C0%AF", "%E0%80%80", "%ED%A0%80", "%F4%90%80%80", "%F8%88%80%80%80", "%E2%82"}) {
    EXPECT_EQ(lm::http::percent_decoded(text, scratch), text);
  }
}

TEST(Dns, NamesAndCodes) {
  EXPECT_EQ(lm::dns::rcode_id("NXDOMAIN"), 3);
  EXPECT_EQ(lm::dns::rcode_id("TEAPOT"), 99);
  EXPECT_EQ(lm::dns::hostname("www.example.com."), "www.example.com");
  EXPECT_EQ(lm::dns::hostname("."), ".");
}

TEST(Aws, NamesAreTakenApart) {
  EXPECT_EQ(lm::aws::arn_part("arn:aws-cn:iam::111122223333:user/joe", 1), "aws-cn");
  EXPECT_EQ(lm::aws::arn_part("arn:aws:iam::111122223333:user/joe", 4), "111122223333");
  EXPECT_EQ(lm::aws::arn_part("arn:aws:iam", 4), "");
  EXPECT_EQ(lm::aws::arn_part("joe", 1), "");
  EXPECT_EQ(lm::aws::arn_name("arn:aws:s3:::bucket/"), "bucket");
  EXPECT_TRUE(lm::aws::is_account("111122223333"));
  EXPECT_FALSE(lm::aws::is_account("11112222333"));
  EXPECT_TRUE(lm::aws::is_service("sts.amazonaws.com"));
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

TEST(Text, NamesAreTheSameHoweverTheyAreSpelt) {
  EXPECT_TRUE(lm::same_name("Remote-IP", "remote_ip"));
  EXPECT_TRUE(lm::same_name("", ""));
  EXPECT_FALSE(lm::same_name("remote_ip", "remote_ips"));
  EXPECT_FALSE(lm::same_name("remote.ip", "remote_ip"));
  EXPECT_TRUE(lm::json::Outline(R"([{"Remote-IP":1}])").record_like("remote_ip"));
  EXPECT_FALSE(lm::json::Outline(R"([{"a":{"Remote-IP":1}}])").record_like("remote_ip"));
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

TEST(Text, FirstLettersMayDifferInCase) {
  EXPECT_TRUE(lm::equals_but_first_case("findings", "Findings"));
  EXPECT_TRUE(lm::equals_but_first_case("Findings", "Findings"));
  EXPECT_TRUE(lm::equals_but_first_case("", ""));
  for (const char* other : {"", "finding", "findingS", "Xindings", "FindingS"})
    EXPECT_FALSE(lm::equals_but_first_case("findings", other)) << other;
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

// What was taken is not read again: behind it stand its neighbours.
TEST(JsonValue, ThatWasTakenIsAbsentAndKeepsItsText) {
  lm::json::Reader reader;
  const char* const record = R"({"a":"1","b":{"c":2},"d":[3],"e":"5"})";
  std::string seen;
  EXPECT_TRUE(reader.read(record, [&](std::string_view key, lm::json::Value& value) {
    seen.append(key).append(value.raw());
    EXPECT_FALSE(value.text()) << key;
    value.object([&](std::string_view, lm::json::Value&) { ADD_FAILURE() << key; });
    value.array([&](lm::json::Value&) { ADD_FAILURE() << key; });
    seen.append(value.raw());
  }));
  EXPECT_EQ(seen, R"(a"1""1"b{"c":2}{"c":2}d[3][3]e"5""5")");
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

TEST(Aws, TellsTheRegionOfAnAvailabilityZone) {
  EXPECT_EQ(lm::aws::region_of_zone("us-east-1b"), "us-east-1");
  EXPECT_EQ(lm::aws::region_of_zone("us-gov-west-1a"), "us-gov-west-1");
  EXPECT_EQ(lm::aws::region_of_zone("ap-southeast-12c"), "ap-southeast-12");
  for (const char* other :
       {"", "a", "us-east-1", "use1-az1", "us-west-2-lax-1a", "us-east-1-wl1-bos-wlz-1", "us-east-b", "us-east-1B", "b"})
    EXPECT_EQ(lm::aws::region_of_zone(other), "") << other;
}

// A record of the given members, read as `read` says; what is left of it.
template <class Read>
std::string left_of(std::string_view json, Read&& read) {
  lm::json::Reader reader;
  lm::json::ObjectWriter rest;
  EXPECT_TRUE(reader.read(json, [&](std::string_view key, lm::json::Value& value) { read(lm::json::Field{rest, key, value}); })) << json;
  return std::string(rest.finish());
}

TEST(Fields, TakeWhatTheyAreAskedForAndKeepWhatIsOfAnotherType) {
  lm::Text text, scalar, json;
  lm::Maybe<std::int64_t> number, digits;
  const std::string left = left_of(R"({"a":"x","b":1.5,"c":7,"d":"443","e":[1, 2],"f":{"g":true}})", [&](const lm::json::Field& f) {
    if (f.key == "a") return f.text(text);
    if (f.key == "b") return f.scalar(scalar);
    if (f.key == "c") return f.integer(number);
    if (f.key == "d") return f.integer(digits);
    if (f.key == "e") return f.json(json);
    f.keep();
  });
  EXPECT_EQ(text, "x");
  EXPECT_EQ(scalar, "1.5");
  EXPECT_EQ(json, "[1, 2]");
  EXPECT_EQ(number, 7);
  EXPECT_EQ(digits, 443);
  EXPECT_EQ(left, R"({"f":{"g":true}})");

  lm::Maybe<std::int64_t> none;
  lm::Text no_text;
  for (const char* value : {"\"x\"", "1.5", "-1", "99999999999999999999", "{\"a\":1}", "true", "70000"}) {
    const std::string record = std::string("{\"k\":") + value + "}";
    EXPECT_EQ(left_of(record, [&](const lm::json::Field& f) { f.integer(none, 0, 65535); }), record);
    EXPECT_EQ(none, std::nullopt) << value;
  }
  for (const char* value : {"1", "true", "[\"x\"]", "{\"a\":1}"}) {
    const std::string record = std::string("{\"k\":") + value + "}";
    EXPECT_EQ(left_of(record, [&](const lm::json::Field& f) { f.text(no_text); }), record);
    EXPECT_FALSE(no_text) << value;
  }
}

TEST(Fields, LeaveOutWhatSaysThatThereIsNothing) {
  for (const char* nothing : {"null", "\"\"", "\"-\"", "{}", "[]", "{ }", "[\n\t]"}) {
    const std::string record = std::string("{\"k\":") + nothing + "}";
    lm::Text text, json;
    lm::Maybe<std::int64_t> number;
    EXPECT_EQ(left_of(record, [&](const lm::json::Field& f) { f.text(text); }), "") << nothing;
    EXPECT_EQ(left_of(record, [&](const lm::json::Field& f) { f.integer(number); }), "") << nothing;
    EXPECT_EQ(left_of(record, [&](const lm::json::Field& f) { f.json(json); }), "") << nothing;
    EXPECT_EQ(left_of(record, [&](const lm::json::Field& f) { f.keep(); }), "") << nothing;
    EXPECT_FALSE(text);
    EXPECT_FALSE(json);
    EXPECT_FALSE(number);
  }
  for (const char* something : {"\"--\"", "\" \"", "0", "false", "[{}]", "{\"\":null}"})
    EXPECT_FALSE(lm::json::says_nothing(something)) << something;
}

TEST(Fields, OfAKeyThatOccursTwiceTheLastHoldsAndTheEarlierIsKept) {
  lm::Text text, json;
  lm::Maybe<std::int64_t> number;
  const std::string left = left_of(R"({"t":"a","n":1,"j":[1],"t":"b","n":2,"j":[2],"t":null})", [&](const lm::json::Field& f) {
    f.key == "t" ? f.text(text) : f.key == "n" ? f.integer(number) : f.json(json);
  });
  EXPECT_EQ(text, "b");
  EXPECT_EQ(number, 2);
  EXPECT_EQ(json, "[2]");
  EXPECT_EQ(left, R"({"t":"a","n":1,"j":[1]})");
}

TEST(Fields, TakeAddressesFractionsBooleansAndTimes) {
  lm::Text address, list;
  lm::Maybe<double> number;
  lm::Maybe<bool> boolean;
  lm::Maybe<std::int64_t> time;
  const auto read = [&](const lm::json::Field& f) {
    if (f.key == "a") return f.address(address);
    if (f.key == "n") return f.number(number);
    if (f.key == "b") return f.boolean(boolean);
    if (f.key == "t") return f.time(time);
    f.json(list, lm::json::Type::array);
  };
  const auto clear = [&] { address = list = {}, number = {}, boolean = {}, time = {}; };
  EXPECT_EQ(left_of(R"({"a":"192.0.2.1","n":-1.5,"b":true,"t":"2026-03-01T08:00:00Z","l":[1]})", read), "");
  EXPECT_EQ(address, "192.0.2.1");
  EXPECT_EQ(number, -1.5);
  EXPECT_EQ(boolean, true);
  EXPECT_EQ(time, 1772352000000);
  EXPECT_EQ(list, "[1]");
  clear();
  EXPECT_EQ(left_of(R"({"a":"2001:db8::1","n":"3","b":"false","t":"2026-03-01 08:00:00"})", read), "");
  EXPECT_EQ(address, "2001:db8::1");
  EXPECT_EQ(number, 3.0);
  EXPECT_EQ(boolean, false);
  EXPECT_EQ(time, 1772352000000);
  clear();
  EXPECT_EQ(left_of(R"({"a":null,"n":"-","b":"","t":{},"l":[ ]})", read), "");
  for (const char* record : {R"({"a":"192.0.2.256","n":"x","b":"yes","t":"0001-01-01T00:00:00Z","l":"[1]"})",
                             R"({"a":1,"n":true,"b":1,"t":1772352000000,"l":{"k":1}})", R"({"n":"inf","n":"nan","n":"1e999"})"})
    EXPECT_EQ(left_of(record, read), record);
  EXPECT_FALSE(address || list || number || boolean || time);
}

TEST(Fields, OfAnAddressAFractionABooleanAndATimeThatOccurTwiceTheFirstHolds) {
  lm::Text address;
  lm::Maybe<double> number;
  lm::Maybe<bool> boolean;
  lm::Maybe<std::int64_t> time;
  const std::string left = left_of(
      R"({"a":"192.0.2.1","n":1,"b":true,"t":"2026-03-01T08:00:00Z","a":"192.0.2.2","n":2.50,"b":false,"t":"2026-03-01T09:00:00Z"})",
      [&](const lm::json::Field& f) {
        f.key == "a" ? f.address(address) : f.key == "n" ? f.number(number) : f.key == "b" ? f.boolean(boolean) : f.time(time);
      });
  EXPECT_EQ(address, "192.0.2.1");
  EXPECT_EQ(number, 1.0);
  EXPECT_EQ(boolean, true);
  EXPECT_EQ(time, 1772352000000);
  EXPECT_EQ(left, R"({"a":"192.0.2.2","n":2.50,"b":false,"t":"2026-03-01T09:00:00Z"})");
}

TEST(Fields, GatherWhatIsLeftOfAnObjectUnderItsName) {
  lm::json::ObjectWriter inner;
  lm::Text host;
  const auto read = [&](const lm::json::Field& f) {
    host = {};
    f.object(inner, [&](const lm::json::Field& m) { m.key == "host" ? m.text(host) : m.keep(); });
    f.close(inner);
  };
  EXPECT_EQ(left_of(R"({"http":{"host":"h","x":1,"y":null}})", read), R"({"http":{"x":1}})");
  EXPECT_EQ(host, "h");
  EXPECT_EQ(left_of(R"({"http":{"host":"h"}})", read), "");
  EXPECT_EQ(left_of(R"({"http":"none of it"})", read), R"({"http":"none of it"})");
  EXPECT_EQ(left_of(R"({"http":{"x":1},"http":{"x":2}})", read), R"({"http":{"x":1},"http":{"x":2}})");

  const auto read_at_once = [&](const lm::json::Field& f) {
    host = {};
    f.object([&](const lm::json::Field& m) { m.key == "host" ? m.text(host) : m.keep(); });
  };
  EXPECT_EQ(left_of(R"({"http":{"host":"h","x":1,"y":null}})", read_at_once), R"({"http":{"x":1}})");
  EXPECT_EQ(host, "h");
  EXPECT_EQ(left_of(R"({"http":{"host":"h"}})", read_at_once), "");
  EXPECT_EQ(left_of(R"({"http":"none of it"})", read_at_once), R"({"http":"none of it"})");
}

TEST(Fields, OfColumnsAreReadByNumber) {
  lm::json::Reader reader;
  lm::json::ObjectWriter rest;
  std::array<std::string_view, 2> values{};
  std::string others;
  const auto field_of = [](std::string_view key) { return key == "a" ? 0 : key == "b" || key == "B" ? 1 : -1; };
  const auto read = [&](std::string_view record) {
    return lm::json::read_values(reader, record, values, rest, field_of, [&](std::string_view key) { others += key; });
  };
  EXPECT_TRUE(read(R"({"a":"x","b":1.50,"c":[1],"d":"-","a":null,"b":{"k":1},"B":"2","e":""})"));
  EXPECT_EQ(values[0], "x");
  EXPECT_EQ(values[1], "2");
  EXPECT_EQ(others, "cde");
  EXPECT_EQ(rest.finish(), R"({"c":[1],"b":{"k":1},"B":"1.50"})");
  EXPECT_FALSE(read("{"));
}

TEST(Fields, OfLinesAreTakenOrKept) {
  const std::string text = "443 70000 x -1 - ";
  std::array<std::string_view, 5> words;
  lm::split(text, ' ', words);
  lm::json::ObjectWriter rest;
  EXPECT_EQ(lm::integer_or_keep(rest, "a", words[0], 65535), 443);
  for (const std::size_t i : {1u, 2u, 3u, 4u}) EXPECT_EQ(lm::integer_or_keep(rest, "b", words[i], 65535), std::nullopt);
  lm::keep(rest, "c", words[0]);
  lm::keep(rest, "d", words[4]);
  lm::keep(rest, "e", "");
  EXPECT_EQ(rest.finish(), R"({"b":"70000","b":"x","b":"-1","c":"443"})");
}

TEST(Text, FixedPointIsExact) {
  EXPECT_EQ(lm::fixed("0.0105", 6), 10500);
  EXPECT_EQ(lm::fixed("4.036", 3), 4036);
  EXPECT_EQ(lm::fixed("-1", 6), -1000000);
  EXPECT_EQ(lm::fixed("12", 0), 12);
  EXPECT_EQ(lm::fixed("0.9999999", 6), 999999);
  EXPECT_EQ(lm::fixed("9223372036854.775807", 6), INT64_MAX);
  EXPECT_EQ(lm::fixed("99999999.99", 6), 99999999990000);   // as many digits as never overflow
  EXPECT_EQ(lm::fixed("99999999.999", 6), 99999999999000);  // one more
  for (const std::string_view text : {"1.2x", "1x.2", "1.2345678x", "1.+2"}) EXPECT_EQ(lm::fixed(text, 3), std::nullopt) << text;
  for (const char* text :
       {"", "-", ".", ".5", "5.", "1e3", "1.2.3", "+1", " 1", "1,5", "--1", "0.1x", "9223372036855", "99999999999999999999"})
    EXPECT_EQ(lm::fixed(text, 6), std::nullopt) << text;
}

// Promise: short text is read in one piece, and gives what long text gives, which is read digit by digit.
TEST(Text, FixedPointOfShortTextIsThatOfLongText) {
  constexpr std::string_view kCharacters = "019.-x";
  const std::string zeroes(12, '0');
  for (std::size_t length = 1; length <= 6; ++length) {
    std::vector<std::size_t> at(length);
    for (bool more = true; more;) {
      std::string text;
      for (const std::size_t i : at) text += kCharacters[i];
      if (text[0] != '.' && text[0] != '-') {
        for (const int places : {0, 1, 3, 6}) {
          ASSERT_EQ(lm::fixed(text, places), lm::fixed(zeroes + text, places)) << text << " " << places;
          ASSERT_EQ(lm::fixed('-' + text, places), lm::fixed('-' + zeroes + text, places)) << text << " " << places;
        }
      }
      more = false;
      for (std::size_t i = 0; i < length && !more; ++i) {
        at[i] = (at[i] + 1) % kCharacters.size();
        more = at[i] != 0;
      }
    }
  }
  EXPECT_EQ(lm::fixed(".5", 3), std::nullopt);
  EXPECT_EQ(lm::fixed("123456.7", 9), 123456700000000);
}

TEST(Quoted, FieldsAreTakenApart) {
  std::array<std::string_view, 8> f;
  const auto usual = lm::split_quoted(R"(a  "b c" "" - "say \"hi\" there" x"y )", f);
  EXPECT_EQ(usual.count, 6u);
  EXPECT_EQ(usual.quoted, 0b010110u);
  EXPECT_TRUE(usual.closed);
  EXPECT_EQ(f[1], "b c");
  EXPECT_EQ(f[2], "");
  EXPECT_EQ(f[3], "-");
  EXPECT_EQ(f[4], R"(say \"hi\" there)");
  EXPECT_EQ(f[5], "x\"y");

  EXPECT_EQ(lm::split_quoted(R"("a"b" "c\\" "d\\\" e")", f).count, 3u);
  EXPECT_EQ(f[0], "a\"b");
  EXPECT_EQ(f[1], R"(c\\)");
  EXPECT_EQ(f[2], R"(d\\\" e)");

  const auto open = lm::split_quoted(R"(a "b c)", f);
  EXPECT_EQ(open.count, 2u);
  EXPECT_FALSE(open.closed);
  EXPECT_EQ(f[1], "b c");
  EXPECT_FALSE(lm::split_quoted("\"", f).closed);
  EXPECT_EQ(lm::split_quoted("", f).count, 0u);
  EXPECT_EQ(lm::split_quoted("   ", f).count, 0u);
  EXPECT_EQ(lm::split_quoted("a b c d e f g h i \"j\"", f).count, 10u);
  EXPECT_EQ(f[7], "h");
}

TEST(Quoted, OnlyEscapedQuotesAreTakenBack) {
  std::string buffer;
  EXPECT_EQ(lm::unquoted("curl/8.5.0", buffer), "curl/8.5.0");
  EXPECT_EQ(lm::unquoted(R"(Hello, \"world\")", buffer), R"(Hello, "world")");
  EXPECT_EQ(lm::unquoted(R"(\x22a\x22)", buffer), R"("a")");
  for (const char* text : {R"(C:\dir\x2)", R"(a\\)", R"(\)", R"(a\\"b)", R"(\x5c)", ""}) EXPECT_EQ(lm::unquoted(text, buffer), text);
}

// Against a reading of one character after the other, of texts that are mostly what matters: quotes, backslashes and spaces.
TEST(Quoted, AgreesWithASlowReadingOfAnyText) {
  std::mt19937 random(1);
  constexpr std::string_view kLetters = "ab-  \"\"\\\xc3";
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 150, ' ');
    const unsigned letters = 2 + random() % (kLetters.size() - 1);
    for (char& c : text) c = kLetters[random() % letters];

    std::vector<std::string> expected;
    std::uint64_t quoted = 0;
    bool closed = true;
    for (std::size_t i = 0; i < text.size();) {
      if (text[i] == ' ') {
        ++i;
        continue;
      }
      std::string field;
      if (text[i] == '"') {
        if (expected.size() < 64) quoted |= std::uint64_t{1} << expected.size();
        closed = false;
        bool escaped = false;
        for (++i; i < text.size(); ++i) {
          if (text[i] == '"' && !escaped && (i + 1 == text.size() || text[i + 1] == ' ')) {
            closed = true;
            ++i;
            break;
          }
          escaped = text[i] == '\\' && !escaped;
          field += text[i];
        }
      } else {
        for (; i < text.size() && text[i] != ' '; ++i) field += text[i];
      }
      expected.push_back(field);
    }

    // On the heap and without a byte behind it, so that a sanitizer sees whoever reads too far.
    const std::vector<char> exact(text.begin(), text.end());
    std::vector<std::string_view> fields(expected.size());
    const auto got = lm::split_quoted({exact.data(), exact.size()}, fields);
    ASSERT_EQ(got.count, expected.size()) << text;
    ASSERT_EQ(got.quoted, quoted) << text;
    ASSERT_EQ(got.closed, closed) << text;
    ASSERT_TRUE(std::equal(fields.begin(), fields.end(), expected.begin())) << text;
    std::vector<std::string_view> few(expected.size() / 2);
    ASSERT_EQ(lm::split_quoted({exact.data(), exact.size()}, few).count, expected.size());
    ASSERT_TRUE(std::equal(few.begin(), few.end(), expected.begin())) << text;
  }
}

}  // namespace
