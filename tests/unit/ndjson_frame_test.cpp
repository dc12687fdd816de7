// Frames made from recipes: any zstd decoder reads them back, and what they are not for is refused.
#include "ndjson/compress.hpp"
#include "ndjson/frame.hpp"

#include <gtest/gtest.h>
#include <zstd.h>
#include <random>
#include <string>

namespace lm::sink {
namespace {

// A text and how it was made.
struct Made {
  TextBuffer text;
  Recipe recipe;

  void literals(std::string_view some) {
    text.append(some);
    recipe.literals(text.data() + text.size() - some.size(), some.size());
  }
  void match(std::size_t length, std::size_t distance) {
    for (std::size_t i = 0; i < length; ++i) {
      const char c = text.data()[text.size() - distance];
      text.append({&c, 1});
    }
    recipe.match(text.data() + text.size() - length, length, distance);
  }
};

std::string unzstd(std::string_view frame) {
  const auto size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  EXPECT_LT(size, std::uint64_t{1} << 30);
  std::string out(size, '\0');
  const std::size_t n = ZSTD_decompress(out.data(), out.size(), frame.data(), frame.size());
  EXPECT_FALSE(ZSTD_isError(n)) << ZSTD_getErrorName(n);
  return out;
}

void expect_read_back(const Made& made) {
  FrameWriter writer;
  TextBuffer out;
  for (int again = 0; again < 2; ++again) {
    ASSERT_TRUE(writer.write(made.text.view(), made.recipe, out));
    ASSERT_TRUE(unzstd(out.view()) == made.text.view());
  }
}

std::string letters(std::mt19937& random, std::size_t n, unsigned kinds = 40) {
  std::string out;
  for (std::size_t i = 0; i < n; ++i) out.push_back(static_cast<char>('0' + random() % kinds));
  return out;
}

// Rows of one shape, with values of many lengths.
Made rows(std::size_t n, unsigned seed, unsigned kinds) {
  std::mt19937 random(seed);
  Made made;
  const std::size_t first = 200 + random() % 500;
  made.literals(letters(random, first, kinds));
  std::size_t distance = first;
  made.match(1000, distance);
  while (made.text.size() < n) {
    const std::string value = letters(random, random() % 12, kinds);
    made.literals(value);
    if (random() % 3 == 0) distance = 1 + random() % made.text.size();
    if (random() % 4 == 0) distance = std::min(made.text.size(), distance + random() % 5);
    made.match(5 + random() % 160, distance);
  }
  return made;
}

TEST(FrameWriter, WritesWhatZstdReads) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    for (const std::size_t size : {3000u, 60000u, 66000u, 131072u, 400000u}) {
      expect_read_back(rows(size, seed, 2 + seed % 70));
    }
  }
}

TEST(FrameWriter, CutsMatchesAndLiteralsAtTheEndsOfBlocks) {
  constexpr std::size_t kBlock = 128 << 10;
  std::mt19937 random(1);
  for (std::size_t near = kBlock - 12; near < kBlock + 12; ++near) {
    Made made;
    made.literals(letters(random, 50));
    made.match(near - 50, 50);
    made.literals("0123456789");
    made.match(3 * kBlock + near % 7, 17);
    made.literals(letters(random, near % 9));
    expect_read_back(made);
    Made exact;
    exact.literals(letters(random, 100));
    exact.match(near - 100, 1);
    expect_read_back(exact);
  }
}

TEST(FrameWriter, WritesLengthsOfEveryCode) {
  std::mt19937 random(2);
  Made made;
  made.literals(letters(random, 1000));
  for (std::size_t n = 1; n < 90000; n = n * 3 / 2 + 1) {
    made.literals(letters(random, n));
    made.match(n * 2 + 5, n);
    made.match(n * 2 + 5, made.text.size() - n);
  }
  expect_read_back(made);
}

TEST(FrameWriter, WritesOneKindOfSequenceAndOneLetter) {
  Made made;
  made.literals("aaaaaaaa");
  for (int i = 0; i < 1000; ++i) made.literals("a"), made.match(20, 3);
  expect_read_back(made);
  Made one;
  one.literals("b");
  one.match(100000, 1);
  expect_read_back(one);
  Made tiny;
  tiny.literals("abcdefgh");
  tiny.match(80, 8);
  expect_read_back(tiny);
}

TEST(FrameWriter, ChecksTheTextOfAFrame) {
  const Made made = rows(5000, 3, 40);
  FrameWriter writer;
  TextBuffer out;
  ASSERT_TRUE(writer.write(made.text.view(), made.recipe, out));
  out.data()[out.size() - 1] = static_cast<char>(out.data()[out.size() - 1] ^ 1);
  std::string back(made.text.size(), '\0');
  EXPECT_TRUE(ZSTD_isError(ZSTD_decompress(back.data(), back.size(), out.data(), out.size())));
}

TEST(FrameWriter, RefusesWhatItIsNotFor) {
  FrameWriter writer;
  TextBuffer out;
  Made all_new;
  all_new.literals(std::string(1000, 'x'));
  EXPECT_FALSE(writer.write(all_new.text.view(), all_new.recipe, out));
  Made not_ascii;
  not_ascii.literals("na\xC3\xAFve text");
  not_ascii.match(1000, 8);
  EXPECT_FALSE(writer.write(not_ascii.text.view(), not_ascii.recipe, out));
  EXPECT_FALSE(writer.write({}, Recipe(), out));
}

TEST(FrameWriter, RefusesARecipeOfAnotherText) {
  FrameWriter writer;
  TextBuffer out;
  const Made made = rows(5000, 4, 40);
  EXPECT_FALSE(writer.write(made.text.view().substr(0, 4000), made.recipe, out));
  EXPECT_FALSE(writer.write(std::string(made.text.view()) + "more", made.recipe, out));
  TextBuffer text;
  text.append(std::string(1000, 'x'));
  Recipe before;
  before.literals(text.data(), 10), before.match(text.data() + 10, 990, 11);
  EXPECT_FALSE(writer.write(text.view(), before, out));
  Recipe nowhere;
  nowhere.literals(text.data(), 10), nowhere.match(text.data() + 10, 990, 0);
  EXPECT_FALSE(writer.write(text.view(), nowhere, out));
}

TEST(Compressor, TakesRecipesOnlyWhereTheyGiveSmallFrames) {
  Compressor compressor(Compression::zstd, 0);
  // What level 1 finds and the recipe does not say: the literals are the same each time.
  std::mt19937 random(5);
  const std::string same = letters(random, 400);
  Made missed;
  missed.literals(same);
  for (int i = 0; i < 200; ++i) missed.match(500, 400), missed.literals(same);
  RowChoice choice;
  ASSERT_TRUE(choice.wants_recipe());
  EXPECT_EQ(unzstd(*compressor.run(missed.text.view(), missed.recipe, choice)), missed.text.view());
  EXPECT_FALSE(choice.wants_recipe());
  for (std::uint32_t i = 1; i < RowChoice::kProbe; ++i) {
    EXPECT_FALSE(choice.wants_recipe());
    EXPECT_EQ(unzstd(*compressor.run("without a recipe", Recipe(), choice)), "without a recipe");
  }
  EXPECT_TRUE(choice.wants_recipe()) << "both are tried again";
  const Made good = rows(100000, 6, 40);
  EXPECT_EQ(unzstd(*compressor.run(good.text.view(), good.recipe, choice)), good.text.view());
  EXPECT_TRUE(choice.wants_recipe());
  // One chunk that is not for a recipe is compressed otherwise, and so are those behind it.
  EXPECT_EQ(unzstd(*compressor.run("another", Recipe(), choice)), "another");
  EXPECT_FALSE(choice.wants_recipe());
}

}  // namespace
}  // namespace lm::sink
