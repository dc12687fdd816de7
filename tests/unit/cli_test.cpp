// The parts of the command line that have no process of their own: numbers for people, hostile names, the summary, the bar, the configuration file.
#include "config.hpp"
#include "listing.hpp"
#include "progress.hpp"
#include "summary.hpp"
#include "text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

namespace lm::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(HumanNumbers, AreGroupedAndHaveUnits) {
  EXPECT_EQ(count(0), "0");
  EXPECT_EQ(count(999), "999");
  EXPECT_EQ(count(1000), "1,000");
  EXPECT_EQ(count(1234567), "1,234,567");
  EXPECT_EQ(count(std::numeric_limits<std::uint64_t>::max()), "18,446,744,073,709,551,615");
  EXPECT_EQ(bytes(999), "999 B");
  EXPECT_EQ(bytes(1000), "1.0 kB");
  EXPECT_EQ(bytes(999'999), "1.0 MB");
  EXPECT_EQ(bytes(4.2e9), "4.2 GB");
  EXPECT_EQ(rate(12.3e6), "12.3 MB/s");
}

TEST(HumanNumbers, DurationsHaveTwoUnitsAtMost) {
  EXPECT_EQ(duration(0), "0.0 s");
  EXPECT_EQ(duration(9.94), "9.9 s");
  EXPECT_EQ(duration(9.96), "10 s");
  EXPECT_EQ(duration(59.6), "1 min 00 s");
  EXPECT_EQ(duration(125), "2 min 05 s");
  EXPECT_EQ(duration(3725), "1 h 02 min");
  EXPECT_EQ(duration(3.0 * 86400), "3 d 00 h");
}

TEST(HumanNumbers, SurviveWhatDivisionsGive) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinite = std::numeric_limits<double>::infinity();
  EXPECT_EQ(rate(nan), "0.0 MB/s");
  EXPECT_EQ(rate(infinite), "0.0 MB/s");
  EXPECT_EQ(bytes(nan), "0 B");
  EXPECT_EQ(duration(nan), "0.0 s");
  EXPECT_FALSE(duration(infinite).empty());
}

TEST(HostileNames, CannotReachTheTerminal) {
  EXPECT_EQ(printable("plain/pr\xC3\xBC"
                      "fung \xE2\x82\xAC"),
            "plain/pr\xC3\xBC"
            "fung \xE2\x82\xAC");
  EXPECT_EQ(printable("a\x1b[2J\r\n\x7f"), "a\\x1b[2J\\x0d\\x0a\\x7f");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "\\xc2\\x9b31m")
      << "C1 control sequence introducer";
  EXPECT_EQ(printable("x\xE2\x80\xAEgnp.exe"), "x\\xe2\\x80\\xaegnp.exe") << "right-to-left override";
  EXPECT_EQ(printable("\xFF\xC3"), "\\xff\\xc3");
  EXPECT_EQ(printable("\xED\xA0\x80"), "\\xed\\xa0\\x80") << "a surrogate is not UTF-8";
  EXPECT_EQ(printable("\xC0\xAF"), "\\xc0\\xaf") << "overlong";
}

TEST(HostileNames, AreValidJson) {
  simdjson::dom::parser parser;
  for (const std::string& text : {std::string("\"\\\n\t\x01\x7f"), std::string("\xFF\xED\xA0\x80\xF4\x90\x80\x80"),
                                  std::string("\xE2\x80\xA8 end"), std::string("nul\0byte", 8)}) {
    EXPECT_EQ(parser.parse(json_string(text)).error(), simdjson::SUCCESS) << json_string(text);
  }
  EXPECT_EQ(json_string("a\"b\xFF"), "\"a\\\"b\xEF\xBF\xBD\"");
}

TEST(Wrap, BreaksAtSpacesAndIndents) {
  EXPECT_EQ(wrap("one two three four", 9, 2), "one two\n  three\n  four");
  EXPECT_EQ(wrap("", 9, 2), "");
  EXPECT_EQ(wrap("averyveryverylongword x", 9, 0), "averyveryverylongword\nx");
}

Summary example() {
  Summary s;
  s.objects = 4, s.stored_bytes = 4'200'000, s.decoded_bytes = 35'200'000, s.seconds = 2;
  ParserCount& trail = s.parsers["aws.cloudtrail"];
  trail.objects = 3, trail.decoded_bytes = 30'000'000, trail.seconds = 0.5;
  trail.records_in = 1'234'567, trail.records_out = 1'234'565, trail.rejects = 2;
  trail.tables["api_activity"].rows_out = 1'234'000;
  trail.tables["authentication"].rows_out = 565;
  trail.drift["newField"] = 12;
  s.partly_read = 1;
  s.reports.push_back({"e/a\x1b[2J.gz", ObjectOutcome::partly_read, "aws.cloudtrail", "gzip stream ends early; 812 records kept", 813, 1});
  s.with_rejects = 1;
  s.rejecting.push_back({"e/b.gz", ObjectOutcome::read, "aws.cloudtrail", "at offset 12: malformed", 40, 1});
  s.outputs = {"parquet:lake/api_activity/part-0.parquet"};
  s.outputs_total = 1;
  return s;
}

TEST(SummaryText, IsWhatATiredReaderNeeds) {
  EXPECT_EQ(summary_text(example(), {}),
            "4 objects: 4.2 MB stored, 35.2 MB decoded, 1,234,565 rows in 2.0 s (17.6 MB/s)\n"
            "\n"
            "  parser          objects    records  rejects  MB/s/core  table                rows\n"
            "  aws.cloudtrail        3  1,234,567        2       60.0  api_activity    1,234,000\n"
            "                                                          authentication        565\n"
            "\n"
            "Fields that the parsers do not know, kept in unmapped (records):\n"
            "  aws.cloudtrail: newField (12)\n"
            "\n"
            "Rejected: 2 records; --rejects DIR keeps them, with the reason\n"
            "  1 of 40       e/b.gz\n"
            "                at offset 12: malformed\n"
            "\n"
            "Not read whole: 1 object\n"
            "  partly read   e/a\\x1b[2J.gz\n"
            "                gzip stream ends early; 812 records kept\n"
            "\n"
            "Outputs: 1\n"
            "  parquet:lake/api_activity/part-0.parquet\n");
}

TEST(SummaryText, SaysWhereRejectsAre) {
  EXPECT_THAT(summary_text(example(), {"rejects/", "", ""}), HasSubstr("2 records; kept in rejects/\n"));
}

TEST(SummaryText, NamesEveryObjectThatWasNotReadWholeUpToTenThousand) {
  Summary s;
  s.unrecognised = 20'000;
  for (std::size_t i = 0; i < Summary::kMaxReports; ++i)
    s.reports.push_back({"o" + std::to_string(i), ObjectOutcome::unrecognised, "", "no parser knows it", 0, 0});
  const std::string text = summary_text(s, {});
  EXPECT_THAT(text, HasSubstr("o50\n"));
  EXPECT_THAT(text, HasSubstr("o9999\n                no parser knows it\n  ... and 10,000 more; --rejects DIR has all of them\n"));
  EXPECT_THAT(summary_text(s, {"kept", "", ""}), HasSubstr("... and 10,000 more; kept has all of them\n"));
}

TEST(SummaryText, ShowsRowsOutsideOfTheTimeOnlyIfThereAreAny) {
  Summary s = example();
  EXPECT_THAT(summary_text(s, {}), Not(HasSubstr("outside time")));
  s.parsers["aws.cloudtrail"].tables["authentication"].rows_filtered = 7;
  EXPECT_THAT(summary_text(s, {}), HasSubstr("outside time"));
}

TEST(SummaryText, SaysThatAStoppedRunKeepsWhatIsFinished) {
  Summary s = example();
  s.cancelled = true;
  EXPECT_THAT(summary_text(s, {}), HasSubstr("stopped; what was finished is kept\n"));
}

TEST(SummaryText, OfNothingIsShort) { EXPECT_THAT(summary_text({}, {}), HasSubstr("0 objects: 0 B stored, 0 B decoded, 0 rows")); }

TEST(SummaryJson, IsOneValidLineWithEveryCount) {
  const std::string text = summary_json(example());
  EXPECT_EQ(text.find('\n'), std::string::npos);
  simdjson::dom::parser parser;
  const simdjson::dom::element json = parser.parse(text);
  EXPECT_EQ(std::uint64_t(json["objects"]), 4U);
  EXPECT_EQ(std::uint64_t(json["rows_out"]), 1'234'565U);
  EXPECT_EQ(std::uint64_t(json["rejects"]), 2U);
  EXPECT_FALSE(bool(json["complete"]));
  EXPECT_DOUBLE_EQ(double(json["mb_per_second"]), 17.6);
  const simdjson::dom::element trail = json["parsers"]["aws.cloudtrail"];
  EXPECT_EQ(std::uint64_t(trail["records_in"]), 1'234'567U);
  EXPECT_EQ(std::uint64_t(trail["tables"]["authentication"]["rows_out"]), 565U);
  EXPECT_EQ(std::uint64_t(trail["drift"]["newField"]), 12U);
  EXPECT_EQ(std::string_view(json["reports"].at(0)["outcome"]), "partly_read");
  EXPECT_EQ(std::string_view(json["reports"].at(0)["uri"]), "e/a\x1b[2J.gz");
  EXPECT_EQ(std::uint64_t(json["with_rejects"]), 1u);
  EXPECT_EQ(std::string_view(json["rejecting"].at(0)["uri"]), "e/b.gz");
  EXPECT_EQ(std::string_view(json["outputs"].at(0)), "parquet:lake/api_activity/part-0.parquet");
}

Progress halfway() {
  Progress p;
  p.objects_done = 1234, p.objects_listed = 2870, p.listing_done = true;
  p.stored_bytes_done = 50'000'000, p.stored_bytes_listed = 100'000'000, p.decoded_bytes = 400'000'000;
  p.records = 1'000'000, p.seconds = 10;
  return p;
}

TEST(ProgressLine, HasObjectsBytesSpeedsAndTimeLeft) {
  RateMeter meter;
  meter.add(halfway());
  EXPECT_EQ(progress_line(halfway(), meter, 120, false),
            "[==========          ]   50%  1,234/2,870 objects  400.0 MB  40.0 MB/s  100,000 rec/s  10 s left");
}

TEST(ProgressLine, NeverIsWiderThanTheTerminal) {
  RateMeter meter;
  meter.add(halfway());
  for (std::size_t width = 0; width < 130; ++width) EXPECT_LE(progress_line(halfway(), meter, width, false).size(), width);
}

TEST(ProgressLine, ColoursOnlyWhenAsked) {
  RateMeter meter;
  meter.add(halfway());
  EXPECT_THAT(progress_line(halfway(), meter, 120, false), Not(HasSubstr("\x1b")));
  EXPECT_THAT(progress_line(halfway(), meter, 120, true), HasSubstr("\x1b[32m"));
}

TEST(ProgressLine, DoesNotGuessAWholeBeforeTheListingIsDone) {
  Progress p = halfway();
  p.listing_done = false;
  RateMeter meter;
  meter.add(p);
  const std::string line = progress_line(p, meter, 120, false);
  EXPECT_THAT(line, HasSubstr("listing  1,234/2,870+ objects"));
  EXPECT_THAT(line, Not(HasSubstr("left")));
}

TEST(RateMeter, ForgetsWhatWasLongAgo) {
  RateMeter meter;
  Progress p;
  for (int second = 1; second <= 100; ++second) {
    p.seconds = second;
    p.decoded_bytes += second <= 50 ? 1'000'000 : 5'000'000;
    meter.add(p);
  }
  EXPECT_DOUBLE_EQ(meter.decoded_per_second(), 5'000'000);
}

class ConfigFile : public ::testing::Test {
 protected:
  Result<Config> read(const std::string& text) {
    std::ofstream(path_) << text;
    return read_config(path_, [](std::string_view key) { return key == "threads" || key == "to"; });
  }
  std::string error(const std::string& text) {
    const Result<Config> config = read(text);
    return config ? "none" : config.error().what.substr(path_.string().size());
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::filesystem::path path_ = std::filesystem::path(::testing::TempDir()) /
                                ("logmill-" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()) + ".yaml");
};

TEST_F(ConfigFile, GivesEntriesWithTheirOrigin) {
  const Result<Config> config = read("threads: 4\n\nto: [a:b, 'c:d']\n");
  ASSERT_TRUE(config) << config.error().what;
  ASSERT_EQ(config->entries.size(), 2U);
  EXPECT_EQ(config->entries[0].values, std::vector<std::string>{"4"});
  EXPECT_EQ(config->entries[1].values, (std::vector<std::string>{"a:b", "c:d"}));
  EXPECT_EQ(config->entries[1].origin, path_.string() + ":3: to");
}

TEST_F(ConfigFile, NamesAnUnknownKeyAndItsLine) { EXPECT_THAT(error("threads: 4\nthread: 5\n"), HasSubstr(":2: unknown key 'thread'")); }

TEST_F(ConfigFile, RefusesAKeyThatStandsTwice) {
  EXPECT_THAT(error("threads: 4\nthreads: 5\n"), HasSubstr(":2: 'threads' stands here twice"));
}

TEST_F(ConfigFile, RefusesWhatIsNotYaml) {
  EXPECT_THAT(error("threads: [1\nto: {"), HasSubstr(":"));
  EXPECT_THAT(error("just words"), HasSubstr("a map of flag names"));
  EXPECT_THAT(error("threads: {a: b}"), HasSubstr("a value or a list of values"));
}

TEST_F(ConfigFile, MayBeEmpty) { EXPECT_TRUE(read("")); }

TEST_F(ConfigFile, ThatIsMissingIsAnError) {
  const Result<Config> config = read_config("/nonexistent/logmill.yaml", [](std::string_view) { return true; });
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().what, "/nonexistent/logmill.yaml: the configuration file cannot be read");
}

TEST_F(ConfigFile, TurnsPluginSettingsIntoJson) {
  const Result<Config> config =
      read("plugins:\n  aws.vpcflow:\n    format: a b\n    port: 8080\n    text: \"8080\"\n    on: true\n    list: [1.5, x, null]\n");
  ASSERT_TRUE(config) << config.error().what;
  EXPECT_EQ(config->plugins.at("aws.vpcflow"), R"({"format":"a b","port":8080,"text":"8080","on":true,"list":[1.5,"x",null]})");
}

TEST_F(ConfigFile, DoesNotGrowWithoutBoundOnAliases) {
  std::string text = "plugins:\n  p:\n    a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "    a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 0; j < 9; ++j) text += ", " + before;
    text += "]\n";
  }
  EXPECT_THAT(error(text), HasSubstr("too deep or too large"));
}

TEST(Listing, OfTheSchemaIsValidJson) {
  const std::vector<TableInfo> tables = {{"api_activity", 6003, {{"time", "timestamp_t", ""}, {"class_uid", "integer_t", "6003"}}}};
  simdjson::dom::parser parser;
  const std::string text = schema_json(tables);
  const simdjson::dom::element json = parser.parse(text);
  EXPECT_EQ(std::string_view(json["api_activity"]["columns"].at(1)["constant"]), "6003");
  EXPECT_EQ(parser.parse(schema_json({})).error(), simdjson::SUCCESS);
}

TEST(Listing, FitsIntoEightyColumns) {
  ParserInfo parser;
  parser.id = "aws.cloudtrail", parser.title = "AWS CloudTrail", parser.vendor = "AWS", parser.version = "1.0.0";
  for (int i = 0; i < 40; ++i) parser.reads += "some words ";
  std::string text = plugins_text({parser}, {});
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) EXPECT_LE(text.find('\n', at) - at, 80U);
}

}  // namespace
}  // namespace lm::cli
