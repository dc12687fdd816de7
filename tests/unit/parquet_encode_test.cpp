// The encoders against decoders that are as plain as the format's text: a bit at a time, a value at a time.
#include "parquet/encode.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace lm::sink::parquet {
namespace {

struct Reader {
  const Bytes& bytes;
  std::size_t at = 0;

  std::uint8_t byte() {
    if (at >= bytes.size()) throw std::out_of_range("past the end");
    return bytes[at++];
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const std::uint8_t b = byte();
      value |= static_cast<std::uint64_t>(b & 0x7f) << shift;
      if ((b & 0x80) == 0) return value;
    }
  }
  std::int64_t zigzag() {
    const std::uint64_t v = varint();
    return static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1);
  }
  // `n` values, packed from the lowest bit on; whole bytes are consumed.
  std::vector<std::uint64_t> packed(std::size_t n, unsigned width) {
    std::vector<std::uint64_t> out(n, 0);
    for (std::size_t bit = 0; bit < n * width; ++bit) {
      if (at + bit / 8 >= bytes.size()) throw std::out_of_range("past the end");
      out[bit / width] |= static_cast<std::uint64_t>(bytes[at + bit / 8] >> (bit % 8) & 1) << (bit % width);
    }
    at += (n * width + 7) / 8;
    return out;
  }
};

std::vector<std::uint64_t> read_hybrid(const Bytes& bytes, std::size_t n, unsigned width) {
  Reader in{bytes};
  std::vector<std::uint64_t> out;
  while (in.at < bytes.size()) {
    const std::uint64_t header = in.varint();
    if (header & 1) {
      for (const std::uint64_t v : in.packed((header >> 1) * 8, width)) out.push_back(v);
    } else {
      std::uint64_t value = 0;
      for (unsigned i = 0; i < (width + 7) / 8; ++i) value |= static_cast<std::uint64_t>(in.byte()) << (8 * i);
      out.insert(out.end(), header >> 1, value);
    }
  }
  // Only the last group may be filled up, with zeroes.
  EXPECT_LT(out.size() - n, 8u);
  for (std::size_t i = n; i < out.size(); ++i) EXPECT_EQ(out[i], 0u);
  out.resize(n);
  return out;
}

template <class T>
std::vector<T> read_delta(Reader& in) {
  using U = std::make_unsigned_t<T>;
  const std::uint64_t block = in.varint(), minis = in.varint(), total = in.varint();
  EXPECT_EQ(block, 128u);
  EXPECT_EQ(minis, 4u);
  std::vector<T> out;
  T value = static_cast<T>(in.zigzag());
  if (total > 0) out.push_back(value);
  while (out.size() < total) {
    const auto smallest = static_cast<U>(in.zigzag());
    std::uint8_t widths[4];
    for (auto& width : widths) {
      width = in.byte();
      EXPECT_LE(width, 8 * sizeof(T));
    }
    for (std::size_t m = 0; m < 4 && out.size() < total; ++m) {
      for (const std::uint64_t delta : in.packed(32, widths[m])) {
        if (out.size() == total) break;
        value = static_cast<T>(static_cast<U>(value) + smallest + static_cast<U>(delta));
        out.push_back(value);
      }
    }
  }
  return out;
}

std::vector<std::string> read_delta_length(Reader& in) {
  std::vector<std::string> out;
  for (const std::int32_t length : read_delta<std::int32_t>(in)) {
    std::string value;
    for (std::int32_t i = 0; i < length; ++i) value += static_cast<char>(in.byte());
    out.push_back(value);
  }
  return out;
}

template <class T>
void expect_hybrid(const std::vector<T>& values, unsigned width) {
  Bytes out;
  put_hybrid(std::span<const T>(values), width, out);
  const auto read = read_hybrid(out, values.size(), width);
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
  EXPECT_EQ(read_hybrid(out, 1000003, 2), std::vector<std::uint64_t>(1000003, 3));
  Bytes run;
  put_run(3, 1000003, 2, run);
  EXPECT_EQ(read_hybrid(run, 1000003, 2), std::vector<std::uint64_t>(1000003, 3));
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
    const auto shared = read_delta<std::int32_t>(in);
    const auto rest = read_delta_length(in);
    ASSERT_EQ(in.at, out.size());
    ASSERT_EQ(shared.size(), texts.values.size());
    std::string before;
    for (std::size_t i = 0; i < texts.values.size(); ++i) {
      before = before.substr(0, static_cast<std::size_t>(shared[i])) + rest[i];
      ASSERT_EQ(before, texts.values[i]);
    }
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
    const TextBounds all = bounds_of(texts.lengths, texts.all);
    ASSERT_EQ(all.smallest, smallest);
    ASSERT_EQ(all.largest, largest);
    std::string plain;
    for (const std::string& value : values) {
      const auto n = static_cast<std::uint32_t>(value.size());
      plain.append(reinterpret_cast<const char*>(&n), 4);
      plain += value;
    }
    const TextBounds of_plain = bounds_of_plain(plain);
    ASSERT_EQ(of_plain.smallest, smallest);
    ASSERT_EQ(of_plain.largest, largest);
    Pod<std::int32_t> prefixes, suffixes;
    Bytes out;
    put_delta_text(texts.lengths, texts.all, prefixes, suffixes, out);
    const TextBounds turns = bounds_of(texts.lengths, texts.all, prefixes.span());
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
