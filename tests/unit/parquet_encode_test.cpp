// The encoders against decoders that are as plain as the format's text: a bit at a time, a value at a time.
#include "parquet_decode.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace lm::sink::parquet {
namespace {

template <class T>
void expect_hybrid(const std::vector<T>& values, unsigned width) {
  Bytes out;
  put_hybrid(std::span<const T>(values), width, out);
  const auto read = read_hybrid(out.span(), values.size(), width);
  ASSERT_EQ(std::vector<std::uint64_t>(values.begin(), values.end()), read) << values.size() << " values of width " << width;
}

template <class T>
void expect_delta(const std::vector<T>& values) {
  Bytes out;
  put_delta(std::span<const T>(values), out);
  Reader in{out};
  ASSERT_EQ(read_delta<T>(in), values);
  ASSERT_EQ(in.at, out.size()) << "bytes are left";
}

TEST(Hybrid, GivesBackWordsOfEveryWidth) {
  std::mt19937_64 random(1);
  for (unsigned width = 1; width <= 32; ++width) {
    for (const std::size_t n : {0, 1, 7, 8, 9, 31, 32, 33, 64, 100, 1000}) {
      std::vector<std::uint32_t> values(n);
      for (auto& v : values) v = static_cast<std::uint32_t>(random() & ((std::uint64_t{1} << width) - 1));
      expect_hybrid(values, width);
    }
  }
}

TEST(Hybrid, GivesBackLevelsOfEveryWidth) {
  std::mt19937_64 random(2);
  for (unsigned width = 1; width <= 8; ++width) {
    for (std::size_t n = 0; n < 200; ++n) {
      std::vector<std::uint8_t> values(n);
      for (auto& v : values) v = static_cast<std::uint8_t>(random() & ((1u << width) - 1));
      expect_hybrid(values, width);
    }
  }
}

TEST(Hybrid, GivesBackRunsBetweenNoise) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::uint8_t> levels;
    while (levels.size() < 500) {
      const auto value = static_cast<std::uint8_t>(random() % 4);
      levels.insert(levels.end(), random() % (random() % 3 == 0 ? 60 : 4), value);
    }
    levels.resize(random() % 500);
    expect_hybrid(levels, 2);
    expect_hybrid(std::vector<std::uint32_t>(levels.begin(), levels.end()), 17);
  }
}

TEST(Hybrid, StoresOneValueAsOneRun) {
  Bytes out;
  put_hybrid(std::span<const std::uint8_t>(std::vector<std::uint8_t>(1000003, 3)), 2, out);
  EXPECT_EQ(out.size(), 4u);
  EXPECT_EQ(read_hybrid(out.span(), 1000003, 2), std::vector<std::uint64_t>(1000003, 3));
  Bytes run;
  put_run(3, 1000003, 2, run);
  EXPECT_EQ(read_hybrid(run.span(), 1000003, 2), std::vector<std::uint64_t>(1000003, 3));
}

TEST(Delta, GivesBackRandomNumbersOfEverySize) {
  std::mt19937_64 random(4);
  for (unsigned bits = 0; bits <= 64; ++bits) {
    for (const std::size_t n : {0, 1, 2, 32, 33, 128, 129, 130, 257, 1000}) {
      std::vector<std::int64_t> values(n);
      for (auto& v : values) v = static_cast<std::int64_t>(bits == 0 ? 42 : random() >> (64 - bits));
      expect_delta(values);
      expect_delta(std::vector<std::int32_t>(values.begin(), values.end()));
    }
  }
}

TEST(Delta, GivesBackDifferencesThatOverflow) {
  constexpr auto kLow = std::numeric_limits<std::int64_t>::min(), kHigh = std::numeric_limits<std::int64_t>::max();
  constexpr auto kLow32 = std::numeric_limits<std::int32_t>::min(), kHigh32 = std::numeric_limits<std::int32_t>::max();
  expect_delta(std::vector<std::int64_t>{kLow, kHigh, kLow, 0, kHigh, -1, kLow, kLow, kHigh, kHigh, 1});
  expect_delta(std::vector<std::int32_t>{kLow32, kHigh32, kLow32, 0, kHigh32, -1, kLow32, kLow32, kHigh32, kHigh32, 1});
  std::mt19937_64 random(5);
  std::vector<std::int64_t> values(3000);
  for (auto& v : values)
    v = random() % 2 ? kLow + static_cast<std::int64_t>(random() % 3) : kHigh - static_cast<std::int64_t>(random() % 3);
  expect_delta(values);
}

TEST(Delta, StoresARunAsTheLongWayDoes) {
  for (const std::size_t n : {0, 1, 2, 128, 129, 130, 1000}) {
    const std::vector<std::int64_t> values(n, -77);
    Bytes run, all;
    put_delta_run(-77, n, run);
    put_delta(std::span<const std::int64_t>(values), all);
    ASSERT_EQ(std::vector<std::uint8_t>(run.span().begin(), run.span().end()),
              std::vector<std::uint8_t>(all.span().begin(), all.span().end()))
        << n;
  }
}

TEST(Delta, StoresARampInAlmostNothing) {
  std::vector<std::int64_t> values(100000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 1772352000000 + static_cast<std::int64_t>(i) * 250;
  expect_delta(values);
  Bytes out;
  put_delta(std::span<const std::int64_t>(values), out);
  EXPECT_LT(out.size(), values.size() / 16);
}

struct Texts {
  std::vector<std::string> values;
  std::vector<std::int32_t> lengths;
  std::string all;
  void add(std::string value) {
    lengths.push_back(static_cast<std::int32_t>(value.size()));
    all += value;
    values.push_back(std::move(value));
  }
};

Texts random_texts(std::size_t n, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Texts out;
  std::string before;
  for (std::size_t i = 0; i < n; ++i) {
    std::string value = before.substr(0, random() % (before.size() + 1));
    for (std::size_t more = random() % 30; more > 0; --more) value += static_cast<char>(random() % 3 ? 'a' : random());
    if (random() % 10 == 0) value.clear();
    if (random() % 10 == 0) value = before;
    out.add(value);
    before = value;
  }
  return out;
}

TEST(Split, GivesBackDoubles) {
  std::mt19937_64 random(12);
  for (std::size_t n = 0; n < 100; ++n) {
    std::vector<double> values(n);
    for (double& value : values) value = static_cast<double>(random()) / 977;
    Bytes out;
    put_split(values, out);
    ASSERT_EQ(out.size(), n * 8);
    Reader in{out};
    ASSERT_EQ(read_split(in, n), values);
  }
}

TEST(DeltaLength, GivesBackTexts) {
  for (std::size_t n = 0; n < 300; ++n) {
    const Texts texts = random_texts(n, n);
    Bytes out;
    put_delta_length(texts.lengths, texts.all, out);
    Reader in{out};
    ASSERT_EQ(read_delta_length(in), texts.values);
    ASSERT_EQ(in.at, out.size());
  }
}

TEST(DeltaText, GivesBackTextsThatShareBeginnings) {
  Pod<std::int32_t> prefixes, suffixes;
  for (std::size_t n = 0; n < 300; ++n) {
    const Texts texts = random_texts(n, n + 1000);
    Bytes out;
    put_delta_text(texts.lengths, texts.all, prefixes, suffixes, out);
    Reader in{out};
    ASSERT_EQ(read_delta_text(in), texts.values);
    ASSERT_EQ(in.at, out.size());
  }
}

TEST(TextBounds, AreThoseOfAComparisonOfAll) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 2000; ++round) {
    Texts texts;
    std::vector<std::string> values(1 + random() % 12);
    for (std::string& value : values) {
      // Few letters, some above 127, and beginnings in common.
      value = std::string(random() % 3 == 0 ? "0123456789abcdef" : "");
      for (std::size_t i = random() % 12; i > 0; --i) value.push_back("ab\x00\x7f\xe2"[random() % 5]);
    }
    if (round % 5 == 0) std::sort(values.begin(), values.end());
    if (round % 5 == 1) std::sort(values.rbegin(), values.rend());
    for (const std::string& value : values) texts.add(value);
    const std::string smallest = *std::min_element(values.begin(), values.end()), largest = *std::max_element(values.begin(), values.end());
    const Bounds all = bounds_of(texts.lengths, texts.all);
    ASSERT_EQ(all.smallest, smallest);
    ASSERT_EQ(all.largest, largest);
    std::string plain;
    std::vector<std::uint32_t> starts;
    for (const std::string& value : values) {
      const auto n = static_cast<std::uint32_t>(value.size());
      starts.push_back(static_cast<std::uint32_t>(plain.size()));
      plain.append(reinterpret_cast<const char*>(&n), 4);
      plain += value;
    }
    std::vector<std::string> some;
    std::vector<std::uint8_t> wanted((values.size() + 7) / 8 * 8);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i != 0 && random() % 2) continue;
      some.push_back(values[i]), wanted[i] = 1;
    }
    const Bounds of_some = bounds_of_plain(plain, starts, wanted);
    ASSERT_EQ(of_some.smallest, *std::min_element(some.begin(), some.end()));
    ASSERT_EQ(of_some.largest, *std::max_element(some.begin(), some.end()));
    const Bounds of_plain = bounds_of_plain(plain);
    ASSERT_EQ(of_plain.smallest, smallest);
    ASSERT_EQ(of_plain.largest, largest);
    Pod<std::int32_t> prefixes, suffixes;
    Bytes out;
    put_delta_text(texts.lengths, texts.all, prefixes, suffixes, out);
    const Bounds turns = bounds_of(texts.lengths, texts.all, prefixes.span());
    ASSERT_EQ(turns.smallest, smallest);
    ASSERT_EQ(turns.largest, largest);
  }
}

TEST(Codes, BecomeWhatStandsInTheirPlaces) {
  std::mt19937_64 random(12);
  for (const std::size_t n : {0, 1, 7, 8, 9, 64, 1001}) {
    std::vector<std::int32_t> places(100), codes(n);
    std::vector<std::uint32_t> out(n), expected;
    for (auto& place : places) place = static_cast<std::int32_t>(random() % 5000);
    for (auto& code : codes) code = static_cast<std::int32_t>(random() % places.size());
    for (const std::int32_t code : codes) expected.push_back(static_cast<std::uint32_t>(places[static_cast<std::size_t>(code)]));
    EXPECT_TRUE(replace_codes(places.data(), codes, out.data()));
    EXPECT_EQ(out, expected);
    if (n == 0) continue;
    EXPECT_EQ(min_max(std::span<const std::int32_t>(codes)).first, *std::min_element(codes.begin(), codes.end()));
    EXPECT_EQ(min_max(std::span<const std::int32_t>(codes)).second, *std::max_element(codes.begin(), codes.end()));
    places[static_cast<std::size_t>(codes[random() % n])] = -1;
    EXPECT_FALSE(replace_codes(places.data(), codes, out.data())) << "one is missing";
  }
}

TEST(CommonPrefix, IsWhatBothBeginWith) {
  EXPECT_EQ(common_prefix("", "abc"), 0u);
  EXPECT_EQ(common_prefix("abc", "abc"), 3u);
  EXPECT_EQ(common_prefix("0123456789abcdefX", "0123456789abcdefY"), 16u);
  EXPECT_EQ(common_prefix("01234567x", "01234567"), 8u);
  EXPECT_EQ(common_prefix("0123X567", "0123Y567"), 4u);
}

}  // namespace
}  // namespace lm::sink::parquet
