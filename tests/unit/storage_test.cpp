// Places for outputs: in a folder nothing has its final name before it is published, and what is sent to a store is what was written. Uploads themselves are tested
// by tests/integration/test_s3_output.py, with a server.
#include "storage/s3.hpp"

#include "storage/parts.hpp"
#include "storage/storage.hpp"

#include <gtest/gtest.h>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <thread>

namespace lm {
namespace {

namespace fs = std::filesystem;

class LocalStorage : public testing::Test {
 protected:
  LocalStorage() {
    std::string pattern = (fs::temp_directory_path() / "logmill-storage-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    target_ = folder_ / "a/b";
    storage_ = make_local_storage(target_.string());
    EXPECT_TRUE(storage_->open());
  }
  ~LocalStorage() override { fs::remove_all(folder_); }

  std::unique_ptr<StorageOutput> output(std::string_view name, std::string_view text = "hello") {
    auto made = storage_->create(name);
    EXPECT_TRUE(made) << made.error().what;
    if (!made) return nullptr;
    EXPECT_TRUE((*made)->append({&text, 1}));
    return std::move(*made);
  }
  std::string sealed(std::string_view name) {
    const auto made = output(name);
    EXPECT_TRUE(made->finish());
    std::string token = *made->seal();
    made->keep();
    return token;
  }
  std::set<std::string> files() const {
    std::set<std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(target_)) {
      if (!entry.is_directory()) out.insert(fs::relative(entry.path(), target_).string());
    }
    return out;
  }
  using Names = std::set<std::string>;

  fs::path folder_, target_;
  std::unique_ptr<Storage> storage_;
};

TEST_F(LocalStorage, HasFinalNamesOnlyOncePublished) {
  const std::string token = sealed("t/part-1.parquet");
  EXPECT_EQ(files(), Names{"t/.part-1.parquet.unpublished"});
  EXPECT_TRUE(storage_->publish(token));
  EXPECT_TRUE(storage_->publish(token)) << "publish is idempotent";
  EXPECT_EQ(files(), Names{"t/part-1.parquet"});
  EXPECT_EQ(fs::file_size(target_ / "t/part-1.parquet"), 5u);
}

TEST_F(LocalStorage, TakesNoAddressOfAnotherStoreForAFolder) {
  for (const char* target : {"az://account/container", "gs://bucket", "S3://bucket", "s3:/bucket", "http://host/x"}) {
    const auto opened = make_local_storage(target)->open();
    ASSERT_FALSE(opened) << target;
    EXPECT_EQ(opened.error().code, Errc::invalid);
  }
}

TEST_F(LocalStorage, WritesPiecesOneBehindTheOther) {
  const auto made = output("x", "1");
  std::vector<std::string> texts;
  for (int i = 0; i < 1000; ++i) texts.push_back(std::to_string(i));
  const std::vector<std::string_view> pieces(texts.begin(), texts.end());
  std::string wanted = "1";
  for (const std::string& text : texts) wanted += text;
  ASSERT_TRUE(made->append(pieces));
  ASSERT_TRUE(made->append({}));
  ASSERT_TRUE(made->finish());
  ASSERT_TRUE(storage_->publish(*made->seal()));
  made->keep();
  std::ifstream in(target_ / "x");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), wanted);
}

TEST_F(LocalStorage, RemovesWhatIsNotKeptAndWhatIsDiscarded) {
  output("t/u/x").reset();
  ASSERT_TRUE(output("t/u/x")->seal()) << "of many outputs one may fail, and none is told to the host";
  EXPECT_EQ(files(), Names{});
  EXPECT_FALSE(fs::exists(target_ / "t")) << "empty folders go, too";
  const std::string token = sealed("x");
  EXPECT_EQ(files(), Names{".x.unpublished"});
  EXPECT_TRUE(storage_->discard(token));
  EXPECT_TRUE(storage_->discard(token)) << "discard is idempotent";
  EXPECT_EQ(files(), Names{});
  EXPECT_EQ(storage_->publish(token).error().code, Errc::io);
}

TEST_F(LocalStorage, SweepsWhatARunHasLeftAndNothingElse) {
  for (const char* name : {"t/region=x/part-aa11-0.parquet", "part-aa1100000002-7.ndjson", "t/part-bb22-0.parquet"}) sealed(name);
  ASSERT_TRUE(storage_->publish(sealed("t/part-aa11-1.parquet")));
  EXPECT_TRUE(storage_->sweep("aa11"));
  EXPECT_TRUE(storage_->sweep("aa11"));
  EXPECT_EQ(files(), (Names{"t/.part-bb22-0.parquet.unpublished", "t/part-aa11-1.parquet"}));
}

TEST_F(LocalStorage, DiscardsNothingOfSomebodyElse) {
  const std::string token = sealed("x");
  std::ofstream(target_ / "x") << "somebody else's";
  EXPECT_FALSE(storage_->publish(token));
  EXPECT_TRUE(storage_->discard(token));
  EXPECT_EQ(files(), Names{"x"});
}

TEST_F(LocalStorage, SaysBeforeAnythingIsReadThatNothingCanBeWritten) {
  const auto opened = make_local_storage("/proc/lake")->open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::invalid) << "whoever named it can name another";
}

TEST_F(LocalStorage, NeverReplacesAFileUnlessThatIsAskedFor) {
  const std::string token = sealed("x");
  std::ofstream(target_ / "x") << "somebody else's";
  EXPECT_NE(storage_->publish(token).error().what.find("File exists"), std::string::npos);
  EXPECT_FALSE(storage_->create("x"));
  EXPECT_EQ(fs::file_size(target_ / "x"), 15u);
  const auto write = [](const Storage::Put& put) -> Result<void> {
    for (int i = 0; i < 100'000; ++i) put("0123456789");
    return {};
  };
  EXPECT_TRUE(storage_->replace("x", write));
  EXPECT_EQ(fs::file_size(target_ / "x"), 1'000'000u);
  const auto broken = [](const Storage::Put& put) -> Result<void> {
    put("half");
    return fail(Errc::io, "broken");
  };
  EXPECT_EQ(storage_->replace("x", broken).error().what, "broken");
  EXPECT_EQ(**storage_->head("x", 12), "012345678901");
  EXPECT_FALSE(*storage_->head("y", 12));
  EXPECT_EQ(files(), (Names{"x", ".x.unpublished"}));
}

TEST_F(LocalStorage, StaysBelowItsTarget) {
  for (const std::string_view name : {"../x", "a/../../x", "/x", "", ".", "a//b", "a/"}) {
    EXPECT_EQ(storage_->create(name).error().code, Errc::invalid) << name;
    EXPECT_EQ(storage_->publish(name).error().code, Errc::invalid) << name;
    EXPECT_EQ(storage_->discard(name).error().code, Errc::invalid) << name;
  }
  EXPECT_FALSE(is_safe_relative(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_safe_relative("a\r"));
  EXPECT_TRUE(is_safe_relative("a/..b/c.d"));
}

TEST_F(LocalStorage, RefusesAFileInItsPlace) {
  std::ofstream(folder_ / "f") << "x";
  const std::string file = (folder_ / "f").string();
  EXPECT_EQ(make_local_storage(file)->open().error().code, Errc::invalid);
  EXPECT_EQ(make_local_storage(file)->open().error().what, file + " exists and is not a folder");
  EXPECT_EQ(make_local_storage(file + "/g")->open().error().code, Errc::invalid);
  EXPECT_EQ(make_local_storage("")->open().error().code, Errc::invalid);
}

TEST(Storages, KnowOnePlaceByOneName) {
  EXPECT_EQ(Storages::absolute("s3://b/lake//"), "s3://b/lake");
  EXPECT_EQ(Storages::absolute("s3://b/a/../lake"), "s3://b/a/../lake") << "is refused later, and never taken for another";
  EXPECT_EQ(Storages::absolute("/x/./y/"), "/x/y");
  EXPECT_EQ(Storages::absolute("es://host/"), "es://host/");
}

TEST(S3Storage, RefusesAddressesThatMeanNothing) {
  Storages storages(S3Options{});
  for (const char* target : {"s3://", "s3:///x", "s3://b/../x", "s3://b/a/./c", "s3://b/a//c", "s3://b/a\nb", "s3://b c/x"})
    EXPECT_EQ(storages.make(target, "00ff", 0)->open().error().code, Errc::invalid) << target;
  S3Options options;
  options.sse_kms_key_id = "alias/logs";
  Storages keyed(options);
  EXPECT_EQ(keyed.make("s3://b/x", "00ff", 0)->open().error().what, "a KMS key is named, and --s3-sse does not say aws:kms");
}

TEST(UploadToken, SurvivesAsText) {
  const UploadToken token{"acme-lake", "a b/ü=1+2%/\n\"x\"", "2~x y/+=", 1234567890123, {"d41d8cd98f00b204e9800998ecf8427e", "odd tag"}};
  EXPECT_EQ(UploadToken::parse(token.text()), token);
  EXPECT_EQ(token.text().find('\n'), std::string::npos);
  for (const char* text :
       {"", "x", "s3-upload b k u 1", "s3-upload b k u x e", "s3-upload b  u 1 e", "s3-upload b k u 1 ", "other b k u 1 e"})
    EXPECT_FALSE(UploadToken::parse(text)) << text;
}

TEST(UploadToken, LeadsNowhereButBelowItsTarget) {
  Storages storages(S3Options{});
  const auto place = storages.make("s3://b/lake", "00ff", 0);
  for (const char* key : {"lakes/x", "x", "lake/", "lake/../x", "lake//x"}) {
    const std::string text = UploadToken{"b", key, "u", 1, {"e"}}.text();
    EXPECT_EQ(place->publish(text).error().code, Errc::invalid) << key;
    EXPECT_EQ(place->discard(text).error().code, Errc::invalid) << key;
  }
  EXPECT_EQ(place->publish(UploadToken{"c", "lake/x", "u", 1, {"e"}}.text()).error().code, Errc::invalid);
}

TEST(Parts, AreAsManyAsS3TakesForTheLargestObject) {
  std::uint64_t all = 0;
  for (unsigned number = 1; number <= 10'000; ++number) {
    EXPECT_GE(part_bytes(number), std::uint64_t{5} << 20);
    EXPECT_LE(part_bytes(number), std::uint64_t{5} << 30);
    all += part_bytes(number);
  }
  EXPECT_GE(all, std::uint64_t{5} << 40);
  EXPECT_EQ(part_bytes(1), std::uint64_t{8} << 20);
  EXPECT_EQ(part_bytes(1000), std::uint64_t{8} << 20);
  EXPECT_EQ(part_bytes(1001), std::uint64_t{16} << 20);
}

// From several threads: in memory as far as it goes, then in the file.
TEST(Parts, GiveBackWhatWasPutIn) {
  PartRoom room(std::uint64_t{1} << 20);
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int round = 0; round < 20; ++round) {
      std::string wanted;
      Part part(room);
      while (wanted.size() < 700'000) {
        const std::string piece(random() % (round % 2 ? 100'000 : 900), static_cast<char>('a' + random() % 26));
        ASSERT_TRUE(part.append(piece));
        wanted += piece;
      }
      ASSERT_EQ(part.size(), wanted.size());
      for (int i = 0; i < 50; ++i) {
        const std::size_t at = random() % wanted.size();
        std::string got(std::min<std::size_t>(random() % 200'000 + 1, wanted.size() - at), '\0');
        ASSERT_EQ(part.read(at, got), got.size());
        ASSERT_EQ(got, wanted.substr(at, got.size()));
      }
      ASSERT_EQ(part.read(wanted.size(), std::span(wanted).first(1)), 0u);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 4; ++seed) threads.emplace_back(work, seed);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(room.held, 0u);
}

// As a thousand partitions that are written side by side do it, with no memory left.
TEST(Parts, JoinSmallPiecesAlsoInTheFile) {
  PartRoom room(0);
  std::vector<std::unique_ptr<Part>> parts;
  for (int i = 0; i < 50; ++i) parts.push_back(std::make_unique<Part>(room));
  const auto letter = [](int part, int piece) { return static_cast<char>('a' + (part + piece) % 26); };
  for (int piece = 0; piece < 5'000; ++piece) {
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(parts[static_cast<std::size_t>(i)]->append(std::string(100, letter(i, piece))));
  }
  for (int i = 0; i < 50; ++i) {
    const Part& part = *parts[static_cast<std::size_t>(i)];
    ASSERT_EQ(part.size(), 500'000u);
    EXPECT_LE(part.stretches(), 10u);
    std::string all(part.size(), '\0');
    ASSERT_EQ(part.read(0, all), all.size());
    for (int piece = 0; piece < 5'000; ++piece) ASSERT_EQ(all[static_cast<std::size_t>(piece) * 100 + 99], letter(i, piece));
  }
}

}  // namespace
}  // namespace lm
