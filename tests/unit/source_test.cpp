// Sources: what is there is listed once, in the order of the uris, and can be resumed anywhere; what is not there is said.
#include "source/source.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace {

using namespace lm;
namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

class SourceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "logmill-source-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    home_ = name;
    fs::permissions(home_, fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec | fs::perms::others_read);
    before_ = fs::current_path();
    fs::current_path(home_);
  }
  void TearDown() override {
    fs::current_path(before_);
    fs::remove_all(home_);
  }

  static void write(const fs::path& path, std::string_view text = "x") {
    if (path.has_parent_path()) fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }

  static Strings uris(Source& source, std::size_t limit = 1000, std::string after = "") {
    Strings out;
    for (;;) {
      auto page = source.list(after, limit);
      if (!page) {
        ADD_FAILURE() << page.error().what;
        return out;
      }
      EXPECT_LE(page->objects.size(), limit);
      for (const ObjectRef& object : page->objects) out.push_back(object.uri);
      if (page->last || page->objects.empty()) return out;
      after = out.back();
    }
  }
  static Strings listed(std::string_view input) {
    auto source = open_source(input);
    if (!source) return {"error: " + source.error().what};
    return uris(**source);
  }

  fs::path home_, before_;
};

TEST_F(SourceTest, ATreeIsListedInTheOrderOfItsUris) {
  for (const char* name : {"t/b/2", "t/b/1", "t/a", "t/b.gz", "t/b-x", "t/c/d/e/f", "t/b0"}) write(name);
  write("t/empty", "");
  Strings all = listed("t");
  EXPECT_EQ(all, (Strings{"t/a", "t/b-x", "t/b.gz", "t/b/1", "t/b/2", "t/b0", "t/c/d/e/f", "t/empty"}));
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  EXPECT_EQ(listed("t/"), all);
}

TEST_F(SourceTest, ListingGoesOnBehindAnyUri) {
  Strings all;
  for (int i = 0; i < 50; ++i) {
    const std::string name = "t/d" + std::to_string(i % 7) + (i % 2 ? "/x/" : "/") + std::to_string(i);
    write(name);
    all.push_back(name);
  }
  std::sort(all.begin(), all.end());
  for (const std::size_t limit : {1ul, 3ul, 50ul, 51ul}) {
    auto source = open_source("t");
    ASSERT_TRUE(source);
    EXPECT_EQ(uris(**source, limit), all);
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto source = open_source("t");
    const Strings rest(all.begin() + static_cast<std::ptrdiff_t>(i) + 1, all.end());
    EXPECT_EQ(uris(**source, 4, all[i]), rest);
    // What was shown last may be gone by now.
    EXPECT_EQ(uris(**source, 4, all[i] + "!"), rest);
  }
}

TEST_F(SourceTest, GlobsMatchAcrossDirectoriesOnlyWithTwoStars) {
  for (const char* name : {"a.gz", "b.log", "t/a.gz", "t/u/a.gz", "t/u/v/c.gz", "t/u/v/c.log", "t/w/a1.gz"}) write(name);
  EXPECT_EQ(listed("*.gz"), (Strings{"a.gz"}));
  EXPECT_EQ(listed("./*.gz"), (Strings{"./a.gz"}));
  EXPECT_EQ(listed("t/*.gz"), (Strings{"t/a.gz"}));
  EXPECT_EQ(listed("t/*/*.gz"), (Strings{"t/u/a.gz", "t/w/a1.gz"}));
  EXPECT_EQ(listed("t/**/*.gz"), (Strings{"t/a.gz", "t/u/a.gz", "t/u/v/c.gz", "t/w/a1.gz"}));
  EXPECT_EQ(listed("**/c.*"), (Strings{"t/u/v/c.gz", "t/u/v/c.log"}));
  EXPECT_EQ(listed("t/**"), (Strings{"t/a.gz", "t/u/a.gz", "t/u/v/c.gz", "t/u/v/c.log", "t/w/a1.gz"}));
  EXPECT_EQ(listed("t/?/[ab]?.gz"), (Strings{"t/w/a1.gz"}));
  EXPECT_EQ(listed(home_.string() + "/t/*.gz"), (Strings{home_.string() + "/t/a.gz"}));
  EXPECT_EQ(open_source("t/*.xz").error().code, Errc::not_found);
  EXPECT_EQ(open_source("nowhere/*.gz").error().code, Errc::not_found);
}

TEST_F(SourceTest, AFileNamedLikeAGlobIsTheFile) {
  write("a[1].gz");
  write("a1.gz");
  EXPECT_EQ(listed("a[1].gz"), (Strings{"a[1].gz"}));
}

TEST_F(SourceTest, WhatIsNotThereIsSaid) {
  const auto source = open_source("nowhere.gz");
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code, Errc::not_found);
  EXPECT_NE(source.error().what.find("nowhere.gz"), std::string::npos);
  EXPECT_EQ(open_source("").error().code, Errc::invalid);
}

TEST_F(SourceTest, LinksAreFollowedAndLoopsAreNot) {
  write("outside/file");
  write("t/d/x");
  fs::create_symlink("../outside/file", "t/link");
  fs::create_directory_symlink("..", "t/d/up");
  fs::create_symlink("nowhere", "t/dangling");
  fs::create_symlink("self", "t/self");
  EXPECT_EQ(listed("t"), (Strings{"t/d/x", "t/dangling", "t/link", "t/self"}));
}

TEST_F(SourceTest, ALinkThatLeadsNowhereIsListedAndCannotBeOpened) {
  fs::create_directories("t");
  fs::create_symlink("nowhere", "t/dangling");
  fs::create_symlink("self", "t/self");
  auto source = open_source("t");
  ASSERT_TRUE(source);
  auto page = (*source)->list("", 10);
  ASSERT_EQ(page->objects.size(), 2u);
  for (const auto& [object, why] : {std::pair(page->objects[0], "No such file"), std::pair(page->objects[1], "Too many levels")}) {
    auto stream = (*source)->open(object);
    ASSERT_FALSE(stream);
    EXPECT_NE(stream.error().what.find(why), std::string::npos) << stream.error().what;
  }
  EXPECT_EQ(listed("t/d*"), (Strings{"t/dangling"}));
}

TEST_F(SourceTest, WhatIsNoFileIsLeftOutButReadWhenNamed) {
  write("t/a");
  ASSERT_EQ(::mkfifo("t/pipe", 0600), 0);
  EXPECT_EQ(listed("t"), (Strings{"t/a"}));
  auto source = open_source("t/pipe");
  ASSERT_TRUE(source);
  auto page = (*source)->list("", 10);
  ASSERT_EQ(page->objects.size(), 1u);
  EXPECT_TRUE(page->objects[0].etag.empty());
  std::thread writer([] {
    std::ofstream pipe("t/pipe");
    for (int i = 0; i < 5; ++i) {
      pipe << "part" << i << std::flush;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  auto stream = (*source)->open(page->objects[0]);
  ASSERT_TRUE(stream);
  std::string text;
  std::vector<std::byte> buffer(7);
  for (;;) {
    auto n = (*stream)->read(buffer);
    ASSERT_TRUE(n);
    if (*n == 0) break;
    text.append(reinterpret_cast<const char*>(buffer.data()), *n);
  }
  writer.join();
  EXPECT_EQ(text, "part0part1part2part3part4");
}

// A signal without SA_RESTART ends a blocked read early.
TEST_F(SourceTest, ASignalDoesNotEndARead) {
  ASSERT_EQ(::mkfifo("pipe", 0600), 0);
  struct sigaction action {
  }, previous{};
  action.sa_handler = [](int) {};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &previous), 0);
  const pthread_t reader = ::pthread_self();
  std::thread writer([reader] {
    std::ofstream pipe("pipe");
    for (int i = 0; i < 5; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      ::pthread_kill(reader, SIGUSR1);
    }
    pipe << "after the signals";
  });
  auto source = open_source("pipe");
  auto stream = (*source)->open((*source)->list("", 1)->objects[0]);
  ASSERT_TRUE(stream) << stream.error().what;
  std::vector<std::byte> buffer(100);
  auto n = (*stream)->read(buffer);
  writer.join();
  ::sigaction(SIGUSR1, &previous, nullptr);
  ASSERT_TRUE(n) << n.error().what;
  EXPECT_EQ(*n, 17u);
}

TEST_F(SourceTest, ADirectoryThatCannotBeReadIsListedAndCostsOnlyWhatIsInIt) {
  for (const char* name : {"t/open/a.gz", "t/shut/b.gz", "t/names-only/c.gz", "t/z"}) write(name);
  fs::permissions("t/shut", fs::perms::none);
  fs::permissions("t/names-only", static_cast<fs::perms>(0444));
  for (const char* name : {".", "t", "t/open"}) fs::permissions(name, static_cast<fs::perms>(0755));
  // Nothing is shut to root.
  const uid_t me = ::geteuid();
  if (me == 0) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  auto source = open_source("t");
  auto page = source ? (*source)->list("", 10) : tl::unexpected(source.error());
  const Strings by_one = source ? uris(**source, 1) : Strings();
  const Strings behind = source ? uris(**source, 10, "t/shut/") : Strings();
  const Strings beside = listed("t/open/*.gz"), wild = listed("t/o*/*.gz"), root = listed("t/shut"), shut_wild = listed("t/shut/*.gz");
  if (me == 0) {
    ASSERT_EQ(::seteuid(me), 0);
  }
  for (const char* name : {"t/shut", "t/names-only"}) fs::permissions(name, fs::perms::owner_all);
  ASSERT_TRUE(page) << page.error().what;
  const Strings all{"t/names-only/c.gz", "t/open/a.gz", "t/shut/", "t/z"};
  Strings found;
  for (const ObjectRef& object : page->objects) {
    found.push_back(object.uri);
    const bool troubled = object.uri == all[0] || object.uri == all[2];
    EXPECT_EQ(object.trouble.find("Permission denied") != std::string::npos, troubled) << object.uri << ": " << object.trouble;
    EXPECT_EQ(!(*source)->open(object), troubled) << object.uri;
  }
  EXPECT_EQ(found, all);
  EXPECT_EQ(by_one, all);
  EXPECT_EQ(behind, (Strings{"t/z"}));
  EXPECT_EQ(root, (Strings{"t/shut/"})) << "as a file that was named and cannot be read";
  EXPECT_EQ(shut_wild, (Strings{"t/shut/"})) << "what is in it might match";
  EXPECT_EQ(beside, (Strings{"t/open/a.gz"}));
  EXPECT_EQ(wild, (Strings{"t/open/a.gz"})) << "what cannot match is not entered";
}

// As by sinks, which make their folders when they have something to write.
TEST_F(SourceTest, WhatTheRunWritesBelowAnInputIsNoObject) {
  for (const char* name : {"t/a", "t/b/c", "elsewhere/d"}) write(name);
  fs::create_directory_symlink("../elsewhere", "t/link");
  SourceOptions options;
  options.own = {"t/out", "./t/b/../rejects/", "elsewhere"};
  auto source = open_source("t", options), above = open_source("elsewhere", options), wild = open_source("t/*/*", options),
       named = open_source("t/b/../b/c", options);
  ASSERT_TRUE(source && above && wild && named);
  for (const char* name : {"t/out/x/1", "t/rejects/2", "t/out-too/3"}) write(name);
  EXPECT_EQ(uris(**source), (Strings{"t/a", "t/b/c", "t/out-too/3"}));
  EXPECT_EQ(uris(**above), (Strings{"elsewhere/d"})) << "what was named itself is read";
  EXPECT_EQ(uris(**wild), (Strings{"t/b/c", "t/out-too/3"}));
  EXPECT_EQ(uris(**named), (Strings{"t/b/../b/c"}));
}

TEST_F(SourceTest, TheEtagChangesWithTheFile) {
  write("a", "one");
  const auto etag = [] { return (*open_source("a"))->list("", 1)->objects[0].etag; };
  const std::string first = etag();
  EXPECT_FALSE(first.empty());
  EXPECT_EQ(etag(), first);
  fs::last_write_time("a", fs::last_write_time("a") + std::chrono::milliseconds(1));
  const std::string second = etag();
  EXPECT_NE(second, first);
  const auto time = fs::last_write_time("a");
  write("a", "four");
  fs::last_write_time("a", time);
  EXPECT_NE(etag(), second);
}

TEST_F(SourceTest, AnObjectIsReadFromWhereItIsAskedFor) {
  write("a", "0123456789");
  auto source = open_source("a");
  const ObjectRef object = (*source)->list("", 1)->objects[0];
  EXPECT_EQ(object.size, 10u);
  auto stream = (*source)->open(object, 7);
  std::vector<std::byte> buffer(100);
  EXPECT_EQ((*stream)->read(buffer).value(), 3u);
  EXPECT_EQ(static_cast<char>(buffer[0]), '7');
  EXPECT_EQ((*stream)->read(buffer).value(), 0u);
  fs::remove("a");
  EXPECT_FALSE((*source)->open(object)) << "gone in the meantime";
}

}  // namespace
