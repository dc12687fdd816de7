// Small parts of core: key patterns, sizes, times, sink specifications, the byte budget.
#include "pipeline/budget.hpp"
#include "plugin_host/key_pattern.hpp"

#include <gtest/gtest.h>
#include <logmill/core.hpp>

namespace {

using namespace lm;

TEST(KeyPattern, MatchesTheEndOfAKeyAndCaptures) {
  const auto p = KeyPattern::compile("AWSLogs/{account}/CloudTrail/{region}/**");
  ASSERT_TRUE(p);
  KeyPattern::Captures captures;
  EXPECT_TRUE(p->matches("bucket/prefix/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/x.json.gz", &captures));
  EXPECT_EQ(captures, (KeyPattern::Captures{{"account", "111122223333"}, {"region", "eu-west-1"}}));
  EXPECT_FALSE(p->matches("AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/x"));
  EXPECT_FALSE(p->matches("myAWSLogs/1/CloudTrail/eu-west-1/x")) << "from a '/' on";
  EXPECT_FALSE(KeyPattern::compile("a/{b"));
  EXPECT_FALSE(KeyPattern::compile(""));
}

TEST(KeyPattern, HostileKeysDoNotCostTheirPower) {
  const auto p = KeyPattern::compile("**a**a**a**a**b");
  EXPECT_FALSE(p->matches(std::string(100'000, 'a')));
}

TEST(Config, SizesAndTimesAreReadAsPeopleWriteThem) {
  EXPECT_EQ(parse_size("512M"), 512u << 20);
  EXPECT_EQ(parse_size("2GiB"), std::uint64_t{2} << 30);
  EXPECT_EQ(parse_size("100"), 100u);
  for (const char* bad : {"", "M", "-1", "1.5G", "99999999999G", "1Q"}) EXPECT_FALSE(parse_size(bad)) << bad;
  EXPECT_EQ(parse_time("2026-03-01"), 1772323200000);
  EXPECT_EQ(parse_time("2026-03-01T12:00:00+01:00"), 1772362800000);
  for (const char* bad : {"", "yesterday", "2026-02-30", "2026-3-1"}) EXPECT_FALSE(parse_time(bad)) << bad;
}

TEST(Config, ASinkIsKindTargetAndOptions) {
  const auto s = parse_sink("parquet:out,dir,zstd_level=3,layout=flat");
  ASSERT_TRUE(s);
  EXPECT_EQ(s->id, "parquet");
  EXPECT_EQ(s->target, "out,dir") << "a comma without name=value belongs to the target";
  EXPECT_EQ(s->options, (std::map<std::string, std::string>{{"zstd_level", "3"}, {"layout", "flat"}}));
  for (const char* bad : {"parquet", ":x", "parquet:", "parquet:x,a=1,a=2"}) EXPECT_FALSE(parse_sink(bad)) << bad;
}

TEST(Budget, WhoGetsNothingIsCalledWhenSomethingIsGivenBack) {
  Budget budget(100);
  int called = 0;
  EXPECT_TRUE(budget.take(1000, [] {})) << "something passes when nothing is out, or nothing ever would";
  EXPECT_FALSE(budget.take(1, [&] { ++called; }));
  budget.give(1000);
  EXPECT_EQ(called, 1);
  EXPECT_TRUE(budget.take(60, [] {}));
  EXPECT_FALSE(budget.take(60, [&] { ++called; }));
  budget.give(60);
  EXPECT_EQ(called, 2);
}

}  // namespace
