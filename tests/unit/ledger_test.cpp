// The ledger: what was committed is there, what was not is not, and nobody else writes to it meanwhile.
#include "ledger/ledger.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <filesystem>
#include <fstream>

namespace {

namespace fs = std::filesystem;
using lm::Ledger;

class LedgerTest : public testing::Test {
 protected:
  LedgerTest() : folder_(fs::temp_directory_path() / ("logmill-ledger-" + std::to_string(::getpid()))), path_(folder_ / "job.state") {
    fs::create_directories(folder_);
  }
  ~LedgerTest() override { fs::remove_all(folder_); }

  std::unique_ptr<Ledger> open() {
    auto ledger = Ledger::open(path_, Ledger::Access::change, true);
    EXPECT_TRUE(ledger) << ledger.error().what;
    return ledger ? std::move(*ledger) : nullptr;
  }

  static lm::LedgerObject object(std::string uri, std::string etag = "e1", lm::ObjectOutcome outcome = lm::ObjectOutcome::read) {
    return {std::move(uri), std::move(etag), 7, outcome, outcome == lm::ObjectOutcome::read ? "" : "because", 3, 1, 0, false};
  }

  static void commit(Ledger& ledger, const std::vector<lm::LedgerObject>& objects) {
    const auto epoch = ledger.begin_epoch("run");
    ASSERT_TRUE(epoch);
    for (const auto& o : objects) ASSERT_TRUE(ledger.done(o));
    ASSERT_TRUE(
        ledger.commit_epoch({{1, "token" + std::to_string(*epoch), "name", "api_activity", 3, 100, 0}}, {{"api_activity", 3, -5, 9}}));
  }

  static std::vector<std::string> superseded(Ledger& ledger) {
    std::vector<std::string> out;
    EXPECT_TRUE(ledger.each_superseded(
        [&](const auto& uri, const auto& etag, std::uint64_t epoch) { out.push_back(uri + " " + etag + " " + std::to_string(epoch)); }));
    return out;
  }

  fs::path folder_, path_;
};

TEST_F(LedgerTest, KeepsWhatWasCommittedAndNothingElse) {
  {
    const auto ledger = open();
    commit(*ledger, {object("a"), object("b", "e1", lm::ObjectOutcome::failed)});
    ASSERT_TRUE(ledger->begin_epoch("run"));
    ASSERT_TRUE(ledger->done(object("c")));
    EXPECT_TRUE(ledger->find("c")->has_value());
  }
  const auto ledger = open();
  EXPECT_FALSE(ledger->find("c")->has_value());
  const auto b = *ledger->find("b");
  ASSERT_TRUE(b);
  EXPECT_EQ(b->reason, "because");
  EXPECT_EQ(b->outcome, lm::ObjectOutcome::failed);
  EXPECT_EQ(b->epoch, 1u);
  const auto info = ledger->info();
  ASSERT_TRUE(info);
  EXPECT_EQ(info->objects[0], 1u);
  EXPECT_EQ(info->objects[5], 1u);
  EXPECT_EQ(info->outputs, 1u);
  ASSERT_EQ(ledger->unpublished()->size(), 1u);
  ASSERT_TRUE(ledger->published(1));
  EXPECT_TRUE(ledger->unpublished()->empty());
}

TEST_F(LedgerTest, SupersedesWhatIsDoneAnewInTheEpochThatHadIt) {
  const auto ledger = open();
  commit(*ledger, {object("a"), object("b")});
  commit(*ledger, {object("a", "e2")});
  EXPECT_EQ(superseded(*ledger), std::vector<std::string>{"a e1 1"});
  EXPECT_EQ(*ledger->retry({"b", "unknown"}), 1u);
  EXPECT_TRUE((*ledger->find("b"))->again);
  commit(*ledger, {object("b")});
  EXPECT_FALSE((*ledger->find("b"))->again);
  EXPECT_EQ(superseded(*ledger), (std::vector<std::string>{"a e1 1", "b e1 1"}));
  EXPECT_EQ(*ledger->forget({"b"}), 1u);
  EXPECT_FALSE(ledger->find("b")->has_value());
  EXPECT_EQ(superseded(*ledger), (std::vector<std::string>{"a e1 1", "b e1 1", "b e1 3"}));
}

TEST_F(LedgerTest, RetriesWhatWasNotReadWhole) {
  const auto ledger = open();
  commit(*ledger, {object("read"), object("torn", "e", lm::ObjectOutcome::partly_read), object("empty", "e", lm::ObjectOutcome::empty),
                   object("text", "e", lm::ObjectOutcome::unrecognised), object("gone", "e", lm::ObjectOutcome::failed)});
  EXPECT_EQ(*ledger->retry({}), 3u);
  EXPECT_EQ(*ledger->retry({}), 0u);
}

TEST_F(LedgerTest, NamesTheObjectsOfAnEpochUnlessTheyAreTooMany) {
  const auto ledger = open();
  std::vector<lm::LedgerObject> many;
  for (std::size_t i = 0; i <= Ledger::kMaxNamed; ++i) many.push_back(object(std::to_string(100'000 + i)));
  commit(*ledger, many);
  commit(*ledger, {object("z"), object("y")});
  std::vector<lm::LedgerEpoch> epochs;
  ASSERT_TRUE(ledger->each_epoch([&](const lm::LedgerEpoch& e) { epochs.push_back(e); }));
  ASSERT_EQ(epochs.size(), 2u);
  EXPECT_EQ(epochs[0].objects, Ledger::kMaxNamed + 1);
  EXPECT_TRUE(epochs[0].uris.empty());
  EXPECT_EQ(epochs[0].first, "100000");
  EXPECT_EQ(epochs[0].last, std::to_string(100'000 + Ledger::kMaxNamed));
  EXPECT_EQ(epochs[1].uris, (std::vector<std::string>{"y", "z"}));
  ASSERT_EQ(epochs[1].tables.size(), 1u);
  EXPECT_EQ(epochs[1].tables[0].time_min, -5);
}

TEST_F(LedgerTest, HoldsAnObjectInSomeSixtyBytesBesideItsUri) {
  {
    const auto ledger = open();
    std::vector<lm::LedgerObject> many;
    const std::string etag(34, 'e');
    for (int i = 0; i < 50'000; ++i) many.push_back(object("s3://bucket/AWSLogs/111122223333/" + std::to_string(1'000'000 + i), etag));
    commit(*ledger, many);
  }
  const double uri = 40, etag = 34;
  EXPECT_LT(static_cast<double>(fs::file_size(path_)) / 50'000 - uri - etag, 40);
}

TEST_F(LedgerTest, HasOneOwnerAndTakesADeadOnesPlace) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = Ledger::open(path_, Ledger::Access::change, true);
    [[maybe_unused]] const auto told = ::write(ready[1], "x", 1);
    ::pause();
    ::_exit(held ? 0 : 1);
  }
  char x = 0;
  ASSERT_EQ(::read(ready[0], &x, 1), 1);
  const auto refused = Ledger::open(path_, Ledger::Access::change, true);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("process " + std::to_string(child) + " on "), std::string::npos) << refused.error().what;
  EXPECT_TRUE(Ledger::open(path_, Ledger::Access::look, false));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(Ledger::open(path_, Ledger::Access::change, true));
  ::close(ready[0]), ::close(ready[1]);
}

TEST_F(LedgerTest, SaysThatItIsDamagedWhereverItIs) {
  {
    const auto ledger = open();
    std::vector<lm::LedgerObject> many;
    for (int i = 0; i < 2'000; ++i) many.push_back(object("object " + std::to_string(i)));
    commit(*ledger, many);
  }
  std::string whole(fs::file_size(path_), '\0');
  std::ifstream(path_, std::ios::binary).read(whole.data(), static_cast<std::streamsize>(whole.size()));
  ASSERT_GT(whole.size(), 20u * 4096);
  for (std::size_t page = 0; page < whole.size() / 4096; page += 3) {
    std::string damaged = whole;
    for (std::size_t i = 0; i < 4096; ++i) damaged[page * 4096 + i] = static_cast<char>(i * 31 + page);
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << damaged;
    const auto ledger = Ledger::open(path_, Ledger::Access::change, true);
    ASSERT_FALSE(ledger) << page;
    EXPECT_TRUE(ledger.error().code == lm::Errc::corrupt || ledger.error().code == lm::Errc::invalid) << ledger.error().what;
  }
}

TEST_F(LedgerTest, BelongsToOneJob) {
  const auto ledger = open();
  ASSERT_TRUE(ledger->bind({{"to", "parquet:/lake"}, {"shard", ""}}));
  EXPECT_TRUE(ledger->bind({{"to", "parquet:/lake"}, {"shard", ""}}));
  const auto refused = ledger->bind({{"to", "parquet:/lake"}, {"shard", "0/2"}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("shard was not given, and is now '0/2'"), std::string::npos) << refused.error().what;
}

}  // namespace
