// The sink as the host uses it: what has which name when, and what is left after a failure. What is in the files is for other readers to say:
// tests/integration/parquet_readback.py.
#include "parquet/parquet_sink.hpp"

#include "parquet_batches.hpp"
#include "parquet_read_file.hpp"
#include "sink_storage.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace lm::sink::parquet {
namespace {

namespace fs = std::filesystem;

struct Sealed {
  std::string name, token;
  std::uint64_t rows, bytes;
};

class ParquetSinkTest : public testing::Test {
 protected:
  ParquetSinkTest() : folder_(fs::temp_directory_path() / ("logmill-parquet-" + std::to_string(::getpid()))) { fs::remove_all(folder_); }
  ~ParquetSinkTest() override { fs::remove_all(folder_); }

  std::unique_ptr<ParquetSink> make(std::string options, std::uint64_t memory = 64 << 20) {
    configs_.push_back(std::make_unique<lm::test::SinkConfig>(folder_.string(), std::move(options), 2, memory, "00ff"));
    auto sink = ParquetSink::create(configs_.back()->get());
    EXPECT_TRUE(sink) << sink.error().message;
    const std::string name = "api_activity";
    lm_table table{sizeof(lm_table), 6003, str(name), schema_.get()};
    EXPECT_EQ((*sink)->open(table), 0u);
    return std::move(*sink);
  }

  Batch batch(std::size_t rows, std::uint64_t instance = 1) {
    std::vector<std::string> json;
    lm_batch b{};
    b.struct_size = sizeof b;
    b.array = maker_.make(rows, instance, json);
    b.bytes = rows * 600;
    b.instance = instance;
    return Batch(b);
  }

  // So many batches each.
  void write_from_two_threads(ParquetSink& sink, int times, std::size_t rows) {
    const auto bring = [&](std::uint64_t instance) {
      for (int i = 0; i < times; ++i) {
        Batch mine;
        {
          const std::lock_guard lock(making_);
          mine = batch(rows, instance);
        }
        ASSERT_TRUE(sink.write(std::move(mine)));
      }
    };
    std::thread other([&] { bring(2); });
    bring(1);
    other.join();
  }

  static Result<std::vector<Sealed>> seal(ParquetSink& sink) {
    std::vector<Sealed> out;
    const Report report(&out, [](void* ctx, const lm_output* o) {
      static_cast<std::vector<Sealed>*>(ctx)->push_back({std::string(view(o->name)), std::string(view(o->token)), o->rows, o->bytes});
    });
    return sink.seal(report).map([&] { return out; });
  }

  std::vector<std::string> files() const {
    std::vector<std::string> out;
    if (!fs::exists(folder_)) return out;
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
      if (!entry.is_directory()) out.push_back(fs::relative(entry.path(), folder_).string());
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  fs::path folder_;
  test::Column table_ = test::sample_table();
  test::Schema schema_{table_};
  test::BatchMaker maker_{table_, 7};
  std::mutex making_;
  std::vector<std::unique_ptr<lm::test::SinkConfig>> configs_;  // outlive the sinks
};

TEST_F(ParquetSinkTest, GivesFinalNamesOnlyWhenPublished) {
  auto sink = make(R"({"layout":"flat"})");
  ASSERT_TRUE(sink->write(batch(500)));
  const auto sealed = seal(*sink);
  ASSERT_TRUE(sealed);
  ASSERT_EQ(sealed->size(), 1u);
  EXPECT_EQ(sealed->front().name, "api_activity/part-00ff-0.parquet");
  EXPECT_EQ(sealed->front().rows, 500u);
  EXPECT_EQ(files(), std::vector<std::string>{"api_activity/.part-00ff-0.parquet.unpublished"});
  ASSERT_TRUE(sink->publish(sealed->front().token));
  ASSERT_TRUE(sink->publish(sealed->front().token)) << "publishing twice is publishing once";
  EXPECT_EQ(files(), std::vector<std::string>{"api_activity/part-00ff-0.parquet"});
  EXPECT_EQ(fs::file_size(folder_ / sealed->front().name), sealed->front().bytes);
}

TEST_F(ParquetSinkTest, KeepsWhatIsSealedForALaterProcess) {
  auto sink = make(R"({"layout":"flat"})");
  ASSERT_TRUE(sink->write(batch(10)));
  const auto sealed = seal(*sink);
  ASSERT_TRUE(sealed);
  sink.reset();
  EXPECT_EQ(files().size(), 1u);
  sink = make(R"({"layout":"flat"})");
  ASSERT_TRUE(sink->discard(sealed->front().token));
  ASSERT_TRUE(sink->discard(sealed->front().token));
  EXPECT_TRUE(files().empty());
}

TEST_F(ParquetSinkTest, RemovesWhatWasNotSealed) {
  auto sink = make(R"({"row_group_rows":100,"file_size":1})");
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(sink->write(batch(1000)));
  EXPECT_FALSE(files().empty());
  sink.reset();
  EXPECT_TRUE(files().empty());
  EXPECT_FALSE(fs::exists(folder_ / "api_activity")) << "empty folders go, too";
}

TEST_F(ParquetSinkTest, WritesNothingForNoRows) {
  auto sink = make("{}");
  ASSERT_TRUE(sink->write(batch(0)));
  const auto sealed = seal(*sink);
  ASSERT_TRUE(sealed);
  EXPECT_TRUE(sealed->empty());
  EXPECT_TRUE(files().empty());
}

TEST_F(ParquetSinkTest, CountsEveryRowWhateverTheLimits) {
  for (const char* options : {R"({"row_group_rows":1})", R"({"row_group_rows":333})", R"({"row_group_size":1})", R"({"file_size":1})",
                              R"({"compression":"none"})"}) {
    for (const std::uint64_t memory : {std::uint64_t{1}, std::uint64_t{100000}, std::uint64_t{1} << 30}) {
      fs::remove_all(folder_);
      auto sink = make(options, memory);
      std::thread other([&] {
        for (int i = 0; i < 3; ++i) {
          Batch mine;
          {
            const std::lock_guard lock(making_);
            mine = batch(100, 2);
          }
          EXPECT_TRUE(sink->write(std::move(mine)));
        }
      });
      for (int i = 0; i < 3; ++i) {
        Batch mine;
        {
          const std::lock_guard lock(making_);
          mine = batch(150);
        }
        EXPECT_TRUE(sink->write(std::move(mine)));
      }
      other.join();
      const auto sealed = seal(*sink);
      ASSERT_TRUE(sealed);
      std::uint64_t rows = 0;
      for (const Sealed& output : *sealed) rows += output.rows;
      EXPECT_EQ(rows, 750u) << options << " " << memory;
      for (const Sealed& output : *sealed) ASSERT_TRUE(sink->publish(output.token));
    }
  }
}

TEST_F(ParquetSinkTest, HoldsNoMoreThanItsShareHoweverManyThePartitions) {
  constexpr std::uint64_t kMemory = 6 << 20;
  auto sink = make(R"({"layout":"lake"})", kMemory);
  write_from_two_threads(*sink, 40, 500);
  const auto sealed = seal(*sink);
  ASSERT_TRUE(sealed);
  EXPECT_GT(sealed->size(), 30u) << "of " << 40000 << " rows";
  std::uint64_t rows = 0;
  for (const Sealed& output : *sealed) rows += output.rows;
  EXPECT_EQ(rows, 40000u);
  // What two batches become while they are taken apart comes on top, twice their size where buffers grow.
  EXPECT_LT(sink->most_held(), kMemory + 2 * 2 * 500 * 600);
  EXPECT_GT(sink->most_held(), kMemory / 2) << "and uses its share";
}

// Rows of partitions that get a few at a time wait for the others of their partition, so that thousands of partitions are neither thousands of row groups that grow at once nor many files each.
TEST_F(ParquetSinkTest, MakesOneFileOfEachPartitionHoweverManyAreMixed) {
  constexpr std::uint64_t kMemory = 12 << 20;
  auto sink = make(R"({"layout":"{table}/{many}"})", kMemory);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(sink->write(batch(400)));
  const auto sealed = seal(*sink);
  ASSERT_TRUE(sealed);
  EXPECT_GT(sealed->size(), 300u) << "or it proves nothing";
  std::uint64_t rows = 0;
  for (const Sealed& output : *sealed) {
    EXPECT_TRUE(output.name.ends_with("/part-00ff-0.parquet")) << output.name;
    rows += output.rows;
    ASSERT_TRUE(sink->publish(output.token));
  }
  EXPECT_EQ(rows, 1200u);
  EXPECT_LE(sink->most_open(), 200u);
  EXPECT_LT(sink->most_held(), kMemory);
  const TableSchema table = *TableSchema::make(*schema_.get());
  for (const std::string& name : files()) {
    std::ostringstream text;
    text << std::ifstream(folder_ / name, std::ios::binary).rdbuf();
    ReadFile read(text.str(), table);
    EXPECT_EQ(read.meta.row_groups.size(), 1u) << name;
  }
}

// With little memory there are several files of a partition, but each batch has not one of its own.
TEST_F(ParquetSinkTest, GathersRowsOfManyPartitionsWithinItsShare) {
  constexpr std::uint64_t kMemory = 1 << 20;
  auto sink = make(R"({"layout":"{table}/{cloud.region}/{many}"})", kMemory);
  write_from_two_threads(*sink, 6, 200);
  const auto sealed = seal(*sink);
  ASSERT_TRUE(sealed);
  std::set<std::string> folders;
  std::uint64_t rows = 0;
  for (const Sealed& output : *sealed) {
    folders.insert(output.name.substr(0, output.name.rfind('/')));
    rows += output.rows;
  }
  EXPECT_EQ(rows, 2400u);
  EXPECT_GT(folders.size(), 300u) << "or it proves nothing";
  EXPECT_LT(sealed->size(), 4 * folders.size()) << "of 12 batches";
  EXPECT_LT(sink->most_open(), 100u);
  EXPECT_LT(sink->most_held(), kMemory + 2 * 2 * 200 * 600);
}

// Shelves are judged by what they will be unpacked: the same rows again and again take a tenth when they are packed, and a shelf of them must not wait until that is much.
TEST_F(ParquetSinkTest, CountsRowsOnShelvesUnpacked) {
  const Field table = *Field::parse(*schema_.get());
  Account account;
  std::atomic<std::uint64_t> held{0};
  lm::detail::Zeroes zeroes;
  {
    FewRows few(table, account, held);
    const Batch rows = batch(64);
    constexpr std::uint64_t kTimes = 1000;
    for (std::uint64_t i = 0; i < kTimes; ++i) few.add(rows, {{7, {{0, 64}}}}, 1 << 20, zeroes);
    few.pack_rest(zeroes);
    EXPECT_EQ(account.held(), held);
    EXPECT_LT(held * 5, few.fullest()) << "or it proves nothing";
    const std::uint64_t fullest = few.fullest();
    const FewRows::Shelf shelf = few.take_fullest();
    std::uint64_t n = 0;
    for (const FewRows::Piece& piece : shelf.pieces) {
      const Batch again = unpack(table, piece.packed, zeroes);
      n += static_cast<std::uint64_t>(again.array().length);
      EXPECT_NEAR(static_cast<double>(piece.unpacked), static_cast<double>(again.bytes()), 0.2 * static_cast<double>(again.bytes()));
    }
    EXPECT_EQ(n, 64 * kTimes);
    EXPECT_EQ(shelf.unpacked, fullest);
    EXPECT_EQ(few.fullest(), 0u);
    EXPECT_EQ(held, 0u);
    EXPECT_EQ(account.held(), shelf.held) << "until whoever took it has no more of it";
    account.change(-static_cast<std::int64_t>(shelf.held));
    few.add(rows, {{7, {{0, 64}}}}, 1 << 20, zeroes);
  }
  EXPECT_EQ(account.held(), 0u);
  EXPECT_EQ(held, 0u);
}

// A batch has arrays and dictionaries of some kilobytes, so that few rows of many batches are put together while they wait. None is lost, and each stays in its partition.
TEST_F(ParquetSinkTest, PutsRowsThatComeOneByOneTogether) {
  const Field table = *Field::parse(*schema_.get());
  Account account;
  std::atomic<std::uint64_t> held{0};
  lm::detail::Zeroes zeroes;
  FewRows few(table, account, held);
  const Batch rows = batch(50);
  constexpr std::uint32_t kTimes = 3000;
  few.add(rows, {{0, {{0, 1}}}}, 1 << 30, zeroes);
  const std::uint64_t alone = held;
  for (std::uint32_t i = 1; i < kTimes; ++i) few.add(rows, {{i % 3, {{i % 50, i % 50 + 1}}}}, 1 << 30, zeroes);
  EXPECT_LT(held, alone * kTimes / 4);
  few.pack_rest(zeroes);
  std::map<std::uint32_t, std::uint32_t> parts;
  for (FewRows::Shelf shelf = few.take_fullest(); !shelf.pieces.empty(); shelf = few.take_fullest()) {
    for (const FewRows::Piece& piece : shelf.pieces) {
      for (const FewRows::Piece::Part& part : piece.parts) parts[part.partition] += part.rows;
    }
  }
  EXPECT_EQ(parts, (std::map<std::uint32_t, std::uint32_t>{{0, 1000}, {1, 1000}, {2, 1000}}));
}

// What the footers of open files will say is held, too: row groups of a few rows each, in many partitions, for which no file would ever be large enough.
TEST_F(ParquetSinkTest, HoldsNoMoreThanItsShareHoweverManyTheRowGroups) {
  constexpr std::uint64_t kMemory = 6 << 20;
  auto sink = make(R"({"layout":"lake","row_group_rows":5})", kMemory);
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(sink->write(batch(1000)));
  const auto sealed = seal(*sink);
  ASSERT_TRUE(sealed);
  std::uint64_t rows = 0, bytes = 0;
  for (const Sealed& output : *sealed) rows += output.rows, bytes += output.bytes;
  EXPECT_EQ(rows, 30000u);
  EXPECT_GT(bytes, 3 * kMemory) << "or it proves nothing";
  EXPECT_LT(sink->most_held(), kMemory + 2 * 1000 * 600);
}

// Whatever the options and the data, files, row groups and pages are no larger than was said, and not much smaller.
TEST_F(ParquetSinkTest, KeepsFilesRowGroupsAndPagesInBounds) {
  constexpr std::uint64_t kMemory = 24 << 20, kPage = 64 << 10;  // the least that a page is
  auto sink =
      make(R"({"layout":"flat","row_group_rows":50000,"row_group_size":"2M","file_size":"3M","compression":"none","bloom_filters":"none"})",
           kMemory);
  // A batch that is far larger than a page in every column, and a row group's worth of small ones.
  std::uint64_t batch_rows = 60000;
  ASSERT_TRUE(sink->write(batch(batch_rows)));
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(sink->write(batch(1000)));
  const auto sealed = seal(*sink);
  ASSERT_TRUE(sealed);
  for (const Sealed& output : *sealed) ASSERT_TRUE(sink->publish(output.token));
  const TableSchema table = *TableSchema::make(*schema_.get());
  std::uint64_t largest_page = 0, most_rows = 0, groups = 0;
  for (const std::string& name : files()) {
    std::ostringstream text;
    text << std::ifstream(folder_ / name, std::ios::binary).rdbuf();
    ReadFile read(text.str(), table);
    std::uint64_t before_last = 0;
    for (std::size_t g = 0; g < read.meta.row_groups.size(); ++g, ++groups) {
      const format::RowGroup& group = read.meta.row_groups[g];
      EXPECT_LE(group.num_rows, 50000);
      most_rows = std::max(most_rows, static_cast<std::uint64_t>(group.num_rows));
      if (g + 1 < read.meta.row_groups.size()) before_last += static_cast<std::uint64_t>(group.total_compressed_size);
      for (std::size_t leaf = 0; leaf < table.leaves.size(); ++leaf) {
        for (const Page& page : read.pages(g, leaf).pages) {
          largest_page = std::max(largest_page, static_cast<std::uint64_t>(page.header.uncompressed_page_size));
        }
      }
    }
    EXPECT_LT(before_last, std::uint64_t{3} << 20) << name << ": it was large enough before its last row group";
  }
  EXPECT_EQ(most_rows, 50000u);
  EXPECT_GT(groups, 3u);
  EXPECT_GE(files().size(), 2u);
  // Text counts as a quarter, and no page is more than twice the size, and as much again for levels.
  EXPECT_LT(largest_page, 2 * 4 * kPage + 2 * kPage);
  EXPECT_GT(largest_page, kPage);
}

TEST_F(ParquetSinkTest, KeepsHostileValuesInsideTheTarget) {
  auto sink = make(R"({"layout":"lake"})");
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(sink->write(batch(200, static_cast<std::uint64_t>(i))));  // regions are "..", quotes and worse
  const auto sealed = seal(*sink);
  ASSERT_TRUE(sealed);
  EXPECT_GT(sealed->size(), 5u);
  for (const Sealed& output : *sealed) {
    EXPECT_TRUE(is_safe_relative(output.name));
    EXPECT_EQ(std::count(output.name.begin(), output.name.end(), '/'), 4) << output.name;
    EXPECT_EQ(output.name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-%~=/"), std::string::npos)
        << output.name;
    EXPECT_NE(output.name.find("/eventDay=202603"), std::string::npos) << output.name;
  }
}

TEST_F(ParquetSinkTest, SaysWhichFileCouldNotBeWritten) {
  auto sink = make(R"({"layout":"flat","row_group_rows":1000})");
  // A file larger than this is refused, as on a full disk.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{2000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto written = sink->write(batch(5000));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, LM_IO);
  EXPECT_NE(written.error().message.find(".part-00ff-0.parquet.unpublished: File too large"), std::string::npos) << written.error().message;
  EXPECT_FALSE(sink->write(batch(10))) << "what is missing cannot be made good by going on";
  EXPECT_FALSE(seal(*sink));
  sink.reset();
  EXPECT_TRUE(files().empty());
}

TEST_F(ParquetSinkTest, RefusesATableThatParquetCannotHold) {
  auto sink = make("{}");
  ArrowSchema leaf{}, root{};
  leaf.format = "U", leaf.name = "wide";
  ArrowSchema* children[] = {&leaf};
  root.format = "+s", root.n_children = 1, root.children = children;
  const std::string name = "t";
  const lm_table table{sizeof(lm_table), 1, str(name), &root};
  const auto opened = sink->open(table);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, LM_UNSUPPORTED);
  EXPECT_EQ(opened.error().message, "table t: column 'wide' has the Arrow type 'U'");
}

}  // namespace
}  // namespace lm::sink::parquet
