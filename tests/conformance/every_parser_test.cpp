// What holds for every parser of the build, whatever it reads: its samples are tests/golden/ID/input. A parser without samples fails.
#include "ocsf_judge.hpp"
#include "plugin_host/plugin_host.hpp"
#include "unit/parser_harness.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <random>

namespace lm {
// In the message of a test that fails.
void PrintTo(const ParserInfo& parser, std::ostream* out) {
  *out << parser.id;
}  // NOLINT(misc-use-internal-linkage): found by its argument
}  // namespace lm

namespace {

namespace fs = std::filesystem;
using lm::ParserInfo;
using lm::testing::Blocks;
using lm::testing::content;
using lm::testing::Event;
using lm::testing::Harness;
using lm::testing::Outcome;

struct Sample {
  std::string key, text;
};

std::vector<Sample> samples_of(const std::string& id) {
  std::vector<Sample> out;
  const fs::path folder = fs::path(GOLDEN) / id / "input";
  if (!fs::exists(folder)) return out;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream stream(entry.path(), std::ios::binary);
    out.push_back({fs::relative(entry.path(), folder).generic_string(), {std::istreambuf_iterator<char>(stream), {}}});
  }
  std::sort(out.begin(), out.end(), [](const Sample& a, const Sample& b) { return a.key < b.key; });
  return out;
}

std::vector<ParserInfo> load_parsers() {
  lm::Registry registry;
  const auto loaded = registry.load_directory(PLUGINS);
  if (!loaded) throw std::runtime_error(loaded.error().what);
  return registry.parsers();
}

const std::vector<ParserInfo>& parsers_of_the_build() {
  static const std::vector<ParserInfo> parsers = load_parsers();
  return parsers;
}

const lm_entry& entry_of(const ParserInfo& parser) {
  void* library = ::dlopen(parser.file.c_str(), RTLD_NOW | RTLD_LOCAL);
  const void* entry = library ? ::dlsym(library, "logmill_entry") : nullptr;
  if (!entry) throw std::runtime_error(::dlerror());
  return *static_cast<const lm_entry*>(entry);
}

class EveryParser : public ::testing::TestWithParam<ParserInfo> {
 protected:
  const lm_entry& entry = entry_of(GetParam());
  const std::vector<Sample> samples = samples_of(GetParam().id);

  std::unique_ptr<Harness> harness() const { return std::make_unique<Harness>(entry, GetParam().id); }

  static Outcome run(Harness& harness, const Sample& sample, std::size_t block_size = std::size_t{1} << 20) {
    Blocks blocks(harness);
    blocks.add(sample.text, sample.key, block_size);
    return harness.run(blocks);
  }
  static std::vector<std::string> contents(const Outcome& out) {
    std::vector<std::string> texts;
    for (const Event& e : out.events) texts.push_back(content(e.json));
    return texts;
  }
};

// ---- What a parser says of itself ----

TEST_P(EveryParser, HasSamplesThatFillEachOfItsTables) {
  ASSERT_FALSE(samples.empty()) << "tests/golden/" << GetParam().id << "/input has no sample";
  if (GetParam().set_aside) return;
  std::set<std::string> reached;
  const auto h = harness();
  for (const Sample& sample : samples) {
    for (const Event& e : run(*h, sample).events) reached.insert(e.table);
  }
  for (const lm::ClassInfo& c : GetParam().classes) EXPECT_TRUE(reached.contains(c.name)) << "no sample gives " << c.name;
}

TEST_P(EveryParser, DeclaresColumnsThatOcsfHas) {
  const auto& ocsf = lm::ocsf::v1_8::catalogue;
  EXPECT_EQ(GetParam().classes.empty(), GetParam().set_aside);
  for (const lm::ClassInfo& c : GetParam().classes) {
    const lm::ocsf::Class* known = ocsf.find_class(c.uid);
    ASSERT_NE(known, nullptr) << c.uid;
    EXPECT_FALSE(known->deprecated) << c.name;
    EXPECT_FALSE(c.columns.empty()) << c.name;
    for (const lm::ColumnInfo& column : c.columns) {
      const auto path = ocsf.resolve(c.uid, column.path);
      ASSERT_TRUE(path.ok()) << c.name << " " << column.path << ": " << path.message();
      EXPECT_FALSE(path.leaf->deprecated) << c.name << " " << column.path;
      if (column.constant.empty() || ocsf.members_of(*path.leaf).empty()) continue;
      EXPECT_FALSE(ocsf.caption(*path.leaf, std::stoi(column.constant)).empty()) << column.path << " = " << column.constant;
    }
  }
}

TEST_P(EveryParser, KnowsItsSamplesBetterThanAnyOtherParserDoes) {
  std::vector<std::int32_t> own;
  for (const Sample& sample : samples) {
    own.push_back(harness()->score(sample.text, sample.key));
    EXPECT_GT(own.back(), 0) << sample.key;
  }
  for (const ParserInfo& other : parsers_of_the_build()) {
    if (other.id == GetParam().id) continue;
    Harness theirs(entry_of(other), other.id);
    for (std::size_t i = 0; i < samples.size(); ++i)
      EXPECT_LT(theirs.score(samples[i].text, samples[i].key), own[i]) << samples[i].key << " against " << other.id;
  }
}

TEST_P(EveryParser, RefusesSettingsThatItDoesNotKnow) {
  EXPECT_THROW(Harness(entry, GetParam().id, R"({"no-such-setting":1})"), std::invalid_argument);
  EXPECT_THROW(Harness(entry, GetParam().id, "no JSON"), std::invalid_argument);
}

// ---- What it gives ----

TEST_P(EveryParser, FillsWhatOcsfRequires) {
  const auto h = harness();
  for (const Sample& sample : samples) {
    if (GetParam().set_aside) break;
    for (const Event& e : run(*h, sample).events) EXPECT_EQ(lm::testing::judge(e.json), "") << e.json;
  }
}

TEST_P(EveryParser, GivesTheSameRowsHoweverTheStreamIsCut) {
  const auto whole = harness(), cut = harness();
  for (const Sample& sample : samples) {
    if (GetParam().set_aside) break;
    const Outcome wanted = run(*whole, sample);
    for (const std::size_t block_size : {std::size_t{1}, std::size_t{700}, std::size_t{5000}}) {
      const Outcome got = run(*cut, sample, block_size);
      EXPECT_EQ(contents(got), contents(wanted)) << sample.key << " in blocks of " << block_size;
      EXPECT_EQ(got.rejects.size(), wanted.rejects.size());
      EXPECT_EQ(got.drift, wanted.drift);
    }
  }
}

TEST_P(EveryParser, GivesTheSameRowsWhateverElseIsInTheCall) {
  if (GetParam().set_aside) return;
  const auto h = harness();
  std::vector<std::string> wanted;
  Blocks blocks(*h);
  for (const Sample& sample : samples) {
    for (std::string& text : contents(run(*h, sample))) wanted.push_back(std::move(text));
    blocks.add(sample.text, sample.key, 1000);
  }
  EXPECT_EQ(contents(h->run(blocks)), wanted);
}

TEST_P(EveryParser, SaysWhereEachRecordIs) {
  const auto h = harness();
  for (const Sample& sample : samples) {
    if (GetParam().set_aside) break;
    Blocks blocks(*h);
    blocks.add(sample.text, sample.key, 1000);
    for (const Event& e : h->run(blocks).events) {
      const std::string place = "{\"lineage\":{\"uri\":\"archive/" + sample.key + "\",\"offset\":" + std::to_string(e.offset) +
                                ",\"length\":" + std::to_string(e.length) + "}}";
      EXPECT_EQ(lm::testing::difference(place, e.json), "");
      // What lies there, under the header that held for it, is the record: alone it gives the same rows.
      const lm_block& block = *blocks.pointers()[e.block];
      ASSERT_LE(e.offset + e.length, sample.text.size());
      std::string alone(reinterpret_cast<const char*>(block.prologue), block.prologue_size);
      if (!alone.empty()) alone += '\n';
      alone += sample.text.substr(e.offset, e.length);
      const Outcome again = run(*harness(), {sample.key, alone});
      ASSERT_GT(again.events.size(), e.item) << alone;
      EXPECT_EQ(content(again.events[e.item].json), content(e.json)) << alone;
    }
  }
}

// ---- Under broken input ----

// Harness::run throws where a record is lost or counted twice, or an array is not what its schema says.
TEST_P(EveryParser, AccountsForEveryRecordOfBrokenInput) {
  if (GetParam().set_aside) return;
  std::mt19937 random(1);
  const auto h = harness();
  std::size_t rejects = 0;
  for (int i = 0; i < 600; ++i) {
    Sample broken = samples[random() % samples.size()];
    for (unsigned flips = 1 + random() % 3; flips != 0; --flips)
      broken.text[random() % broken.text.size()] ^= static_cast<char>(1u << random() % 7);
    if (i % 3 == 0) broken.text.resize(random() % broken.text.size());
    ASSERT_NO_THROW(rejects += run(*h, broken, 1 + random() % 4000).rejects.size()) << broken.text;
  }
  EXPECT_GT(rejects, 0u);
}

TEST_P(EveryParser, IsAsNewAfterBrokenInput) {
  if (GetParam().set_aside) return;
  std::mt19937 random(2);
  for (const Sample& sample : samples) {
    const auto fresh = contents(run(*harness(), sample));
    const auto used = harness();
    for (int i = 0; i < 20; ++i) {
      Sample broken = sample;
      for (int flips = 0; flips < 20; ++flips) broken.text[random() % broken.text.size()] ^= static_cast<char>(1u << random() % 7);
      run(*used, broken);
    }
    EXPECT_EQ(contents(run(*used, sample)), fresh) << sample.key;
  }
}

INSTANTIATE_TEST_SUITE_P(Build, EveryParser, ::testing::ValuesIn(parsers_of_the_build()), [](const auto& parser) {
  std::string name = parser.param.id;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

// ---- The judge itself ----

TEST(OcsfJudge, FindsWhatIsWrong) {
  const std::string good =
      R"({"activity_id":6,"category_uid":4,"class_uid":4001,"type_uid":400106,"severity_id":1,"time":1772352000000,"src_endpoint":{"ip":"192.0.2.1"},"cloud":{"provider":"AWS"},)"
      R"("metadata":{"version":"1.8.0","profiles":["cloud"],"product":{"name":"x","vendor_name":"y"}},"connection_info":{"direction_id":0},"lineage":{"uri":"a"}})";
  EXPECT_EQ(lm::testing::judge(good), "");
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, text.npos) << from;
    return lm::testing::judge(text.replace(at, from.size(), to));
  };
  EXPECT_EQ(with("4001", "4999"), "class_uid: no such class\n");
  EXPECT_EQ(with("\"severity_id\":1,", ""), "severity_id: is required\n");
  EXPECT_EQ(with("\"severity_id\":1", "\"severity_id\":77"), "severity_id: 77 is no member of the enum\n");
  EXPECT_EQ(with("\"severity_id\":1", "\"severity_id\":\"1\""), "severity_id: has the wrong type\n");
  EXPECT_EQ(with("\"time\":1772352000000", "\"time\":1772352000"), "time: is no time in milliseconds\n");
  EXPECT_EQ(with("400106", "400105"), "type_uid: is not class_uid * 100 + activity_id\n");
  EXPECT_EQ(with("\"category_uid\":4", "\"category_uid\":5"), "category_uid: is not that of the class\n");
  EXPECT_EQ(with("{\"ip\":\"192.0.2.1\"}", "{\"port\":1}"), "src_endpoint: needs at least one of its naming attributes\n");
  EXPECT_EQ(with("192.0.2.1", "192.0.2.300"), "src_endpoint.ip: is no address\n");
  EXPECT_EQ(with("{\"ip\":\"192.0.2.1\"}", "[]"), "src_endpoint: has the wrong type\n");
  EXPECT_EQ(with("{\"direction_id\":0}", "{\"protocol_num\":6}"), "connection_info.direction_id: is required\n");
  EXPECT_EQ(with("{\"provider\":\"AWS\"}", "{\"region\":\"r\"}"), "cloud.provider: is required\n");
  EXPECT_EQ(with("\"cloud\":{\"provider\":\"AWS\"},", ""), "cloud: is required\n");
  EXPECT_EQ(with("\"ip\":", "\"colour\":1,\"ip\":"), "src_endpoint.colour: is no attribute\n");
  EXPECT_EQ(with("\"AWS\"", "null"), "cloud.provider: is null\ncloud.provider: is required\n");
  EXPECT_EQ(with("\"AWS\"", "\"\""), "cloud.provider: is empty\n");
  EXPECT_EQ(with("[\"cloud\"]", "\"cloud\""), "metadata.profiles: has the wrong type\n");
  EXPECT_EQ(with("1.8.0", "1.7.0"), "metadata.version: is not the catalogue's\n");
}

}  // namespace
