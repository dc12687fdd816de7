// The whole engine, through its public interface: what goes in comes out or is rejected, whatever the input is and whatever a plugin does.
#include <logmill/core.hpp>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

namespace {

namespace fs = std::filesystem;

class Pipeline : public testing::Test {
 protected:
  Pipeline() : folder_(fs::temp_directory_path() / ("logmill-pipeline-" + std::to_string(::getpid()) + "-" + std::to_string(counter_++))) {
    fs::create_directories(folder_);
  }
  ~Pipeline() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& content) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return (folder_ / name).string();
  }

  struct Outcome {
    lm::Summary summary;
    std::map<std::string, std::uint64_t> rows;
    std::string error;
  };

  Outcome run(const std::string& fault, lm::RunOptions options, bool parallel_readers = true) {
    Outcome out;
    lm::Registry registry;
    const auto loaded = registry.load_directory(fs::path(FAULTS) / fault, isolation_);
    if (!loaded) {
      out.error = loaded.error().what;
      return out;
    }
    if (loaded_) loaded_();
    if (options.inputs.empty()) options.inputs = {folder_.string()};
    auto streams = lm::open_streams(registry, options, &out.summary);
    if (!streams) {
      out.error = streams.error().what;
      return out;
    }
    std::vector<std::thread> readers;
    std::mutex mutex;
    const auto read = [&](lm::TableStream& t) {
      for (;;) {
        ArrowArray batch{};
        if (t.stream.get_next(&t.stream, &batch) != 0) {
          const std::lock_guard lock(mutex);
          out.error = t.stream.get_last_error(&t.stream);
          break;
        }
        if (!batch.release) break;
        {
          const std::lock_guard lock(mutex);
          out.rows[t.name] += static_cast<std::uint64_t>(batch.length);
        }
        batch.release(&batch);
      }
    };
    for (lm::TableStream& t : *streams) {
      if (parallel_readers) {
        readers.emplace_back([&] { read(t); });
      } else {
        read(t);
      }
    }
    for (std::thread& t : readers) t.join();
    for (lm::TableStream& t : *streams) t.stream.release(&t.stream);
    return out;
  }

  static const lm::ParserCount& count(const Outcome& o) { return o.summary.parsers.at("test.fault"); }

  fs::path folder_;
  lm::Isolation isolation_;
  std::function<void()> loaded_;  // once the library is
  static inline int counter_ = 0;
};

std::string gzip(const std::string& text) {
  z_stream s{};
  deflateInit2(&s, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&s, text.size()) + 64, '\0');
  s.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data())), s.avail_in = static_cast<uInt>(text.size());
  s.next_out = reinterpret_cast<Bytef*>(out.data()), s.avail_out = static_cast<uInt>(out.size());
  deflate(&s, Z_FINISH);
  out.resize(s.total_out);
  deflateEnd(&s);
  return out;
}

std::string lines(int n) {
  std::string out = "1772352000 fault begins\n";
  for (int i = 1; i < n; ++i) out += std::to_string(1772352000 + i) + " event number " + std::to_string(i) + "\n";
  return out;
}

TEST_F(Pipeline, EveryRecordOfManyObjectsGivesItsRow) {
  for (int i = 0; i < 300; ++i) write("small/" + std::to_string(i), i % 2 ? lines(7) : gzip(lines(7)));
  write("large.gz", gzip(lines(200'000)));
  const Outcome o = run("none", {});
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.rows.at("base_event"), 300u * 7 + 200'000);
  EXPECT_EQ(count(o).records_in, count(o).records_out);
  EXPECT_EQ(o.summary.objects, 301u);
  EXPECT_TRUE(o.summary.complete());
}

TEST_F(Pipeline, TheRowsDoNotDependOnThreadsOrMemory) {
  write("a.gz", gzip(lines(100'000)));
  for (const unsigned threads : {1u, 2u, 8u}) {
    lm::RunOptions options;
    options.threads = threads;
    options.memory = 8 << 20;
    const Outcome o = run("none", options);
    EXPECT_EQ(o.error, "");
    EXPECT_EQ(o.rows.at("base_event"), 100'000u) << threads;
  }
}

TEST_F(Pipeline, AReaderThatTakesOneTableAfterTheOtherIsNotStuck) {
  write("a", lines(100'000));
  lm::RunOptions options;
  options.memory = 1 << 20;
  EXPECT_EQ(run("none", options, false).rows.at("base_event"), 100'000u);
}

TEST_F(Pipeline, BadRecordsCostThemselves) {
  write("a",
        lines(3) + "broken\n" + "1772352001 \xff\xfe not text\n" + std::string("1772352002 nul \0 inside\n", 24) + "1772352003 good\r\n");
  lm::RunOptions options;
  options.rejects = folder_ / "rejects";
  options.inputs = {(folder_ / "a").string()};
  const Outcome o = run("none", options);
  EXPECT_EQ(count(o).records_in, 7u);
  EXPECT_EQ(count(o).rejects, 2u);
  EXPECT_EQ(o.rows.at("base_event"), 5u);
  EXPECT_FALSE(o.summary.complete());
  std::stringstream kept;
  for (const auto& entry : fs::directory_iterator(options.rejects)) kept << std::ifstream(entry.path()).rdbuf();
  EXPECT_NE(kept.str().find("\"code\":\"malformed\",\"message\":\"no time\",\"bytes\":\"YnJva2Vu\""), std::string::npos) << kept.str();
  EXPECT_NE(kept.str().find("\"record\":4,\"code\":\"encoding\""), std::string::npos) << kept.str();
}

std::string mixed(int n) {
  std::string out;
  for (int i = 0; i < n; ++i)
    out += std::to_string(1772352000 + i) + (i % 3 == 1 ? " beta " : i % 3 == 2 ? " gamma " : " alpha ") + "text\n";
  return out;
}

TEST_F(Pipeline, WhatOneParserCallsForeignIsAnothersAndOnlyWhatNobodyKnowsIsRejected) {
  write("a", mixed(30) + "1772352000 nobody knows this\n" + "1772352000 nobody knows this\n" + "broken\n");
  lm::RunOptions options;
  options.rejects = folder_ / "rejects";
  options.inputs = {(folder_ / "a").string()};
  const Outcome o = run("foreign", options);
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.rows.at("base_event"), 30u);
  const auto& parsers = o.summary.parsers;
  EXPECT_EQ(parsers.at("test.alpha").records_in, 11u);
  EXPECT_EQ(parsers.at("test.alpha").rejects, 1u);
  EXPECT_EQ(parsers.at("test.beta").records_in, 10u);
  // The greedy one was the last to be asked about what nobody knows.
  EXPECT_EQ(parsers.at("test.greedy").records_in, 12u);
  EXPECT_EQ(parsers.at("test.greedy").rejects, 2u);
  EXPECT_EQ(parsers.at("test.greedy").objects, 1u);
  EXPECT_EQ(parsers.at("test.alpha").decoded_bytes + parsers.at("test.beta").decoded_bytes + parsers.at("test.greedy").decoded_bytes,
            o.summary.decoded_bytes);
  std::stringstream kept;
  for (const auto& entry : fs::directory_iterator(options.rejects)) kept << std::ifstream(entry.path()).rdbuf();
  const auto place = mixed(30).size();
  EXPECT_NE(kept.str().find("\"parser\":\"test.greedy\",\"offset\":" + std::to_string(place) +
                            ",\"length\":28,\"record\":30,\"code\":\"foreign\",\"message\":\"not gamma\""),
            std::string::npos)
      << kept.str();
}

TEST_F(Pipeline, ForeignRecordsFindTheirParserInAnyBlockAndOnAnyThread) {
  write("large.gz", gzip(mixed(300'000)));
  for (int i = 0; i < 100; ++i) write("small/" + std::to_string(i), mixed(9));
  for (const unsigned threads : {1u, 4u}) {
    for (const bool isolated : {false, true}) {
      isolation_.on = isolated;
      lm::RunOptions options;
      options.threads = threads;
      options.memory = 8 << 20;
      const Outcome o = run("foreign", options);
      EXPECT_EQ(o.error, "");
      EXPECT_EQ(o.rows.at("base_event"), 300'900u);
      for (const auto& [id, p] : o.summary.parsers) EXPECT_EQ(p.records_in, 100'300u) << id;
      EXPECT_TRUE(o.summary.complete());
    }
  }
}

TEST_F(Pipeline, AParserThatIsForcedHasNoOthersBesideIt) {
  write("a", mixed(30));
  lm::RunOptions options;
  options.plugin = "test.beta";
  const Outcome o = run("foreign", options);
  EXPECT_EQ(o.rows.at("base_event"), 10u);
  EXPECT_EQ(o.summary.parsers.at("test.beta").rejects, 20u);
}

TEST_F(Pipeline, AnObjectThatBreaksOffGivesItsGoodRecords) {
  const std::string whole = gzip(lines(50'000));
  write("torn.gz", whole.substr(0, whole.size() / 2));
  write("flipped.gz", [&] {
    std::string s = whole;
    s[s.size() - 6] = static_cast<char>(s[s.size() - 6] ^ 1);
    return s;
  }());
  const Outcome o = run("none", {});
  EXPECT_EQ(o.summary.partly_read, 2u);
  EXPECT_EQ(count(o).records_in, count(o).records_out + count(o).rejects);
  EXPECT_GT(o.rows.at("base_event"), 60'000u);
  for (const auto& report : o.summary.reports) EXPECT_NE(report.reason, "");
}

TEST_F(Pipeline, ObjectsWithoutEventsAreNamedAndNothingElseSuffers) {
  write("empty", "");
  write("other", "nobody knows this\n");
  write("good", lines(5));
  const Outcome o = run("none", {});
  EXPECT_EQ(o.summary.empty, 1u);
  EXPECT_EQ(o.summary.unrecognised, 1u);
  EXPECT_EQ(o.rows.at("base_event"), 5u);
}

TEST_F(Pipeline, ObjectsThatAreReadTogetherShareNothingElse) {
  const std::string whole = gzip(lines(50));
  for (int i = 0; i < 500; ++i) {
    const std::string name = "small/" + std::to_string(1000 + i);
    switch (i % 5) {
      case 0: write(name, ""); break;
      case 1: write(name, "nobody knows this\n"); break;
      case 2: write(name, whole.substr(0, whole.size() - 4)); break;
      default: write(name, whole); break;
    }
  }
  for (const unsigned threads : {1u, 4u}) {
    lm::RunOptions options;
    options.threads = threads;
    options.memory = 1 << 20;
    const Outcome o = run("none", options);
    EXPECT_EQ(o.error, "");
    EXPECT_EQ(o.summary.objects, 500u);
    EXPECT_EQ(o.summary.empty, 100u);
    EXPECT_EQ(o.summary.unrecognised, 100u);
    EXPECT_EQ(o.summary.partly_read, 100u);
    EXPECT_EQ(o.rows.at("base_event"), 300u * 50);
  }
}

TEST_F(Pipeline, AnObjectThatIsLargerThanWhenItWasListedIsReadToItsEnd) {
  const std::string text = lines(300), more(400'000, ' ');
  std::vector<std::string> names;
  for (int i = 0; i < 60; ++i) names.push_back(write(std::to_string(i), text));
  std::thread growing([&] {
    for (const std::string& name : names) std::ofstream(name, std::ios::binary | std::ios::app) << more << "\n1772352000 the last\n";
  });
  const Outcome o = run("none", {});
  growing.join();
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.summary.objects, 60u);
  EXPECT_EQ(count(o).records_in, count(o).records_out + count(o).rejects);
  EXPECT_GE(o.rows.at("base_event"), 60u * 300);
}

TEST_F(Pipeline, RowsOutsideTheWindowAreCountedNotWritten) {
  write("a", lines(100));
  lm::RunOptions options;
  options.since_ms = 1772352010000, options.until_ms = 1772352020000;
  const Outcome o = run("none", options);
  EXPECT_EQ(o.rows.at("base_event"), 10u);
  EXPECT_EQ(count(o).tables.at("base_event").rows_filtered, 90u);
  EXPECT_EQ(count(o).records_in, count(o).records_out);
}

// The text of one record in the many rows that it gives is more than one batch may have.
TEST_F(Pipeline, RowsWhoseTextIsTooMuchForOneBatchComeInSeveral) {
  write("a", lines(10) + "1772352100 odd " + std::string(8 << 20, 'x') + "\n" + "1772352101 good\n");
  lm::RunOptions options;
  options.raw_data = true;
  const Outcome o = run("many", options);
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.rows.at("base_event"), 10u + 40 + 1);
  EXPECT_EQ(count(o).records_out, 12u);
  EXPECT_TRUE(o.summary.complete());
}

TEST_F(Pipeline, ARecordThatAParserForgetsIsRejectedInItsName) {
  write("a", lines(10) + "1772352100 odd\n" + "1772352101 good\n");
  for (const char* fault : {"silent"}) {
    const Outcome o = run(fault, {});
    EXPECT_EQ(o.error, "");
    EXPECT_EQ(count(o).rejects, 1u);
    EXPECT_EQ(o.rows.at("base_event"), 11u);
    ASSERT_EQ(o.summary.reports.size(), 1u);
    EXPECT_NE(o.summary.reports[0].reason.find("test.fault"), std::string::npos);
  }
}

TEST_F(Pipeline, APluginThatLiesFailsItsRecordsWithItsNameAndLosesNone) {
  write("a", lines(10) + "1772352100 odd\n");
  for (const char* fault : {"twice", "short_array", "bad_code"}) {
    const Outcome o = run(fault, {});
    EXPECT_EQ(o.error, "") << fault;
    EXPECT_EQ(count(o).records_in, 11u) << fault;
    EXPECT_EQ(count(o).records_in, count(o).records_out + count(o).rejects) << fault;
    EXPECT_GT(count(o).rejects, 0u) << fault;
    ASSERT_FALSE(o.summary.reports.empty()) << fault;
    EXPECT_NE(o.summary.reports[0].reason.find("test.fault"), std::string::npos) << o.summary.reports[0].reason;
  }
}

// A row that no event can be made of, and what a parser throws, cost the record, and no other one.
TEST_F(Pipeline, ARowWithoutATimeCostsItsRecord) {
  write("a", lines(10) + "1772352100 odd\n1772352101 good\n");
  for (const char* fault : {"no_time", "far", "throws"}) {
    const Outcome o = run(fault, {});
    EXPECT_EQ(o.error, "") << fault;
    EXPECT_EQ(count(o).records_out, 11u) << fault;
    EXPECT_EQ(count(o).rejects, 1u) << fault;
    EXPECT_EQ(o.rows.at("base_event"), 11u) << fault;
    EXPECT_FALSE(o.summary.complete()) << fault;
  }
}

// Records in are rows out and rejects also where a record has lost one row of several, or a call has failed when it had given a row of each: that something may be missing is said
// all the same.
TEST_F(Pipeline, RowsThatAreLostBesideOthersOfTheirRecordAreTold) {
  write("a", lines(10) + "1772352100 odd\n1772352101 good\n");
  for (const auto& [fault, why] : {std::pair{"half", "a row of record 10 was lost"}, std::pair{"late", "it stopped half way"}}) {
    const Outcome o = run(fault, {});
    EXPECT_EQ(o.error, "") << fault;
    EXPECT_EQ(count(o).records_out, 12u) << fault;
    EXPECT_EQ(count(o).rejects, 0u) << fault;
    EXPECT_EQ(o.rows.at("base_event"), 12u) << fault;
    EXPECT_FALSE(o.summary.complete()) << fault;
    ASSERT_EQ(o.summary.reports.size(), 1u) << fault;
    EXPECT_NE(o.summary.reports[0].reason.find(why), std::string::npos) << o.summary.reports[0].reason;
  }
}

// Sinks write JSON as it stands: what is none would spoil the lines around it.
TEST_F(Pipeline, TextThatIsNotJsonIsFoundWhereArraysAreCheckedInFull) {
  write("a", lines(10) + "1772352100 odd\n");
  lm::RunOptions options;
  EXPECT_EQ(count(run("no_json", options)).rejects, 0u) << "a plugin that is trusted";
  options.validate_full = true;
  const Outcome o = run("no_json", options);
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(count(o).records_in, count(o).records_out + count(o).rejects);
  EXPECT_EQ(count(o).rejects, 11u);
  ASSERT_FALSE(o.summary.reports.empty());
  EXPECT_NE(o.summary.reports[0].reason.find("'unmapped' that is not JSON"), std::string::npos) << o.summary.reports[0].reason;
}

TEST_F(Pipeline, ALibraryThatLiesOfItselfIsRefusedWithTheReason) {
  EXPECT_NE(run("unknown_column", {}).error.find("'mesage' is not OCSF"), std::string::npos);
  EXPECT_NE(run("derived_column", {}).error.find("'class_name'"), std::string::npos);
  EXPECT_NE(run("constant", {}).error.find("the constant 'low' of column 'severity_id' is no integer_t"), std::string::npos);
  EXPECT_NE(run("profile_twice", {}).error.find("'cloud' is named twice"), std::string::npos);
  EXPECT_NE(run("foreign_abi", {}).error.find("built for ABI 2"), std::string::npos);
}

TEST_F(Pipeline, ReleasingTheStreamsEndsTheRun) {
  write("a.gz", gzip(lines(300'000)));
  lm::Registry registry;
  ASSERT_TRUE(registry.load_directory(fs::path(FAULTS) / "none"));
  lm::RunOptions options;
  options.inputs = {folder_.string()};
  options.memory = 1 << 20;
  auto streams = lm::open_streams(registry, options);
  ASSERT_TRUE(streams);
  for (lm::TableStream& t : *streams) t.stream.release(&t.stream);
}

TEST_F(Pipeline, RejectsOfARunBeforeStayBesideThoseOfTheNext) {
  lm::RunOptions options;
  options.inputs = {write("notes.txt", "no log at all\n")};
  options.rejects = folder_ / "rejects";
  for (unsigned runs = 1; runs <= 2; ++runs) {
    EXPECT_EQ(run("none", options).summary.unrecognised, 1u);
    EXPECT_EQ(std::distance(fs::directory_iterator(options.rejects), fs::directory_iterator()), runs);
  }
  options.state = folder_ / "job.state";
  EXPECT_NE(run("none", options).error.find("ledger"), std::string::npos);
}

TEST_F(Pipeline, WrongOptionsAreRefusedBeforeAnythingIsRead) {
  lm::RunOptions options;
  options.inputs = {(folder_ / "missing").string()};
  EXPECT_NE(run("none", options).error.find("missing"), std::string::npos);
  options.inputs = {folder_.string()};
  options.plugin = "nobody";
  EXPECT_NE(run("none", options).error.find("nobody"), std::string::npos);
  options.plugin = "";
  options.plugin_config["test.fault"] = "{\"colour\":\"red\"}";
  EXPECT_NE(run("none", options).error.find("colour"), std::string::npos);
}

// ---- In worker processes ----

// Processes of ours that have not been waited for.
int children() {
  int n = 0;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "children");
    for (std::string pid; file >> pid;) ++n;
  }
  return n;
}

class Isolated : public Pipeline {
 protected:
  Isolated() {
    isolation_.on = true;
    isolation_.memory = std::uint64_t{512} << 20;
    isolation_.seconds = 60;
  }
  ~Isolated() override { EXPECT_EQ(children(), 0); }

  // Objects of 7 records each; in every tenth is one that the parser does not survive.
  void write_objects(int n) {
    for (int i = 0; i < n; ++i) write("o" + std::to_string(1000 + i), lines(7) + (i % 10 == 3 ? "1772352100 odd\n" : ""));
  }
  static void balances(const Outcome& o) {
    EXPECT_EQ(o.error, "");
    EXPECT_EQ(count(o).records_in, count(o).records_out + count(o).rejects);
  }
};

// There is one worker, which the first parse call keeps, and no room for another one that is to recognise the next object.
TEST_F(Isolated, ARunForWhichNoWorkerCanBeStartedFailsAndNoObjectIsToBlame) {
  for (int i = 0; i < 20; ++i) write(std::to_string(i), lines(60'000));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_AS, &before), 0);
  loaded_ = [&] {
    std::uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit little = before;
    little.rlim_cur = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) + (std::uint64_t{3} << 30);
    ::setrlimit(RLIMIT_AS, &little);
  };
  lm::RunOptions options;
  options.threads = 1;
  const Outcome o = run("none", options);
  ::setrlimit(RLIMIT_AS, &before);
  EXPECT_NE(o.error.find("a worker process cannot be started"), std::string::npos) << o.error;
  EXPECT_EQ(o.summary.unrecognised, 0u);
}

TEST_F(Isolated, GivesWhatItGivesInThisProcess) {
  for (int i = 0; i < 50; ++i) write("small/" + std::to_string(i), lines(7) + "broken\n");
  write("large.gz", gzip(lines(100'000)));
  for (const unsigned threads : {1u, 4u}) {
    lm::RunOptions options;
    options.threads = threads;
    const Outcome o = run("none", options);
    balances(o);
    EXPECT_EQ(o.rows.at("base_event"), 50u * 7 + 100'000);
    EXPECT_EQ(count(o).rejects, 50u);
    EXPECT_EQ(o.summary.partly_read, 0u);
  }
}

TEST_F(Isolated, AnObjectThatKillsItsWorkerTwiceIsRejectedWithTheReasonAndNothingElseIs) {
  write_objects(40);
  const std::pair<const char*, const char*> deaths[] = {{"crash", "killed by SIGSEGV"},
                                                        {"abort", "killed by SIGABRT"},
                                                        {"exit", "it ended by itself, with exit code 0"},
                                                        {"lie", "its answer cannot be: what it has emitted cannot be read"}};
  for (const auto& [fault, reason] : deaths) {
    lm::RunOptions options;
    options.inputs = {folder_.string() + "/o*"};
    options.rejects = folder_ / fault;
    const Outcome o = run(fault, options);
    balances(o);
    EXPECT_EQ(o.rows.at("base_event"), 36u * 7) << fault;
    EXPECT_EQ(count(o).rejects, 4u * 8) << fault;
    EXPECT_EQ(o.summary.partly_read, 4u) << fault;
    for (const auto& report : o.summary.reports) {
      EXPECT_EQ(report.uri.back(), '3');
      EXPECT_NE(report.reason.find(reason), std::string::npos) << report.reason;
      EXPECT_NE(report.reason.find("test.fault"), std::string::npos) << report.reason;
    }
    std::stringstream kept;
    for (const auto& entry : fs::directory_iterator(options.rejects)) kept << std::ifstream(entry.path()).rdbuf();
    EXPECT_NE(kept.str().find("\"record\":7,\"code\":\"plugin\""), std::string::npos) << kept.str();
    EXPECT_NE(kept.str().find(reason), std::string::npos);
  }
}

TEST_F(Isolated, WhatHangsOrLeaksIsEndedAtItsLimit) {
  write("a", lines(100));
  write("b", lines(7) + "1772352100 odd\n");
  isolation_.seconds = 2;
  isolation_.memory = std::uint64_t{256} << 20;
  const Outcome hung = run("hang", {});
  balances(hung);
  EXPECT_EQ(hung.rows.at("base_event"), 100u);
  ASSERT_EQ(hung.summary.reports.size(), 1u);
  EXPECT_NE(hung.summary.reports[0].reason.find("no answer within 2 s"), std::string::npos) << hung.summary.reports[0].reason;
  isolation_.seconds = 60;
  const Outcome leaked = run("leak", {});
  balances(leaked);
  EXPECT_EQ(leaked.rows.at("base_event"), 100u);
  ASSERT_EQ(leaked.summary.reports.size(), 1u);
  EXPECT_NE(leaked.summary.reports[0].reason.find("memory limit"), std::string::npos) << leaked.summary.reports[0].reason;
}

// The first blocks are rows when the object is given up: they stay, and every record behind is a reject.
TEST_F(Isolated, WhatALargeObjectGaveBeforeItsBadRecordStays) {
  write("a.gz", gzip(lines(100'000) + "1772352100 odd\n" + lines(100'000)));
  lm::RunOptions options;
  options.threads = 1;
  const Outcome o = run("crash", options);
  balances(o);
  EXPECT_EQ(count(o).records_in, 200'001u);
  EXPECT_GT(o.rows.at("base_event"), 10'000u);
  EXPECT_GT(count(o).rejects, 100'000u);
  EXPECT_EQ(o.summary.partly_read, 1u);
}

// Whoever dies of the work of many objects, and not of one of them, costs nothing.
TEST_F(Isolated, AWorkerThatWearsOutIsReplaced) {
  for (int i = 0; i < 200; ++i) write(std::to_string(i), lines(100));
  const Outcome o = run("tired", {});
  balances(o);
  EXPECT_EQ(o.rows.at("base_event"), 200u * 100);
  EXPECT_TRUE(o.summary.complete());
}

TEST_F(Isolated, WhatKillsDetectionOrFramingIsNamedAndNothingElseSuffers) {
  write("a", lines(10));
  write("b", lines(10) + "1772352100 odd\n");
  const Outcome scored = run("score", {});
  EXPECT_EQ(scored.rows.at("base_event"), 10u);
  ASSERT_EQ(scored.summary.unrecognised, 1u);
  EXPECT_NE(scored.summary.reports[0].reason.find("parser 'test.fault' cannot say whether it does: killed by SIGSEGV"), std::string::npos)
      << scored.summary.reports[0].reason;
  const Outcome framed = run("prologue", {});
  balances(framed);
  EXPECT_EQ(framed.rows.at("base_event"), 10u);
  EXPECT_EQ(count(framed).rejects, 11u);
  EXPECT_NE(framed.summary.reports[0].reason.find("killed by SIGSEGV"), std::string::npos) << framed.summary.reports[0].reason;
}

TEST_F(Isolated, APluginThatCannotStartCostsWhatItWasToRead) {
  write("a", lines(10));
  EXPECT_NE(run("load", {}).error.find("it cannot be loaded: killed by SIGSEGV"), std::string::npos) << run("load", {}).error;
  for (const auto& [fault, reason] :
       {std::pair{"create", "cannot start: killed by SIGSEGV"}, {"refuse", "it wants another configuration"}}) {
    const Outcome o = run(fault, {});
    balances(o);
    EXPECT_EQ(count(o).rejects, 10u);
    EXPECT_NE(o.summary.reports[0].reason.find(reason), std::string::npos) << o.summary.reports[0].reason;
  }
  // One that was given is tried before anything is read, as in this process.
  lm::RunOptions options;
  options.plugin_config["test.fault"] = "{\"colour\":\"red\"}";
  EXPECT_NE(run("refuse", options).error.find("it wants another configuration"), std::string::npos);
}

TEST_F(Isolated, APluginThatBreaksTheContractIsToldFromOneThatDies) {
  write("a", lines(10) + "1772352100 odd\n");
  for (const char* fault : {"twice", "short_array", "bad_code", "no_time", "half", "far", "late", "throws", "silent"}) {
    isolation_.on = false;
    const Outcome here = run(fault, {});
    isolation_.on = true;
    const Outcome o = run(fault, {});
    balances(o);
    EXPECT_EQ(count(o).rejects, count(here).rejects) << fault;
    EXPECT_EQ(count(o).records_out, count(here).records_out) << fault;
    ASSERT_EQ(o.summary.reports.size(), here.summary.reports.size()) << fault;
    if (!o.summary.reports.empty()) EXPECT_EQ(o.summary.reports[0].reason, here.summary.reports[0].reason);
  }
  EXPECT_NE(run("unknown_column", {}).error.find("'mesage' is not OCSF"), std::string::npos);
  EXPECT_NE(run("foreign_abi", {}).error.find("built for ABI 2"), std::string::npos);
}

// Nulls that are not counted would become zeroes, and text that is no JSON would spoil the lines around it.
TEST_F(Isolated, WhatOnlyAFullCheckFindsComesToNoSink) {
  write("a", lines(10) + "1772352100 odd\n");
  for (const auto& [fault, why] : {std::pair{"no_nulls", "says 0 nulls and has 1"}, std::pair{"no_json", "'unmapped' that is not JSON"}}) {
    const Outcome o = run(fault, {});
    balances(o);
    EXPECT_EQ(count(o).rejects, 11u) << fault;
    ASSERT_EQ(o.summary.reports.size(), 1u) << fault;
    EXPECT_NE(o.summary.reports[0].reason.find(why), std::string::npos) << o.summary.reports[0].reason;
  }
}

TEST_F(Isolated, WorkersEndWithTheRun) {
  write("a.gz", gzip(lines(300'000)));
  {
    lm::Registry registry;
    ASSERT_TRUE(registry.load_directory(fs::path(FAULTS) / "none", isolation_));
    lm::RunOptions options;
    options.inputs = {folder_.string()};
    options.memory = 1 << 20;
    auto streams = lm::open_streams(registry, options);
    ASSERT_TRUE(streams);
    EXPECT_GE(children(), 1);
    for (lm::TableStream& t : *streams) t.stream.release(&t.stream);
  }
  EXPECT_EQ(children(), 0);
}

// ---- With a ledger ----

class Ledgered : public Pipeline {
 protected:
  // The objects of "in", by a new run on the same ledger, which is cancelled after so many rows.
  lm::Result<lm::Summary> go_on(std::uint64_t checkpoint, std::uint64_t cancel_after = ~std::uint64_t{0}) {
    lm::Registry registry;
    EXPECT_TRUE(registry.load_directory(fs::path(FAULTS) / "none"));
    EXPECT_TRUE(registry.load_directory(fs::path(FAULTS) / "sink"));
    lm::RunOptions options;
    options.inputs = {(folder_ / "in").string()};
    options.sinks = {*lm::parse_sink("count:" + (folder_ / "out").string())};
    options.state = folder_ / "job.state";
    options.rejects = folder_ / "rejects";
    options.checkpoint_bytes = checkpoint;
    options.threads = 4;
    lm::Run run(registry, options);
    std::atomic<bool> over{false};
    std::thread watch([&] {
      while (!over && run.progress().rows < cancel_after) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (!over) run.cancel();
    });
    auto summary = run.execute();
    over = true;
    watch.join();
    return summary;
  }

  std::uint64_t visible_rows() {
    std::uint64_t sum = 0;
    for (const auto& entry : fs::directory_iterator(folder_ / "out")) {
      if (entry.path().filename().string().find_first_of("._") == 0) continue;
      std::uint64_t rows = 0;
      std::ifstream(entry.path()) >> rows;
      sum += rows;
    }
    return sum;
  }
};

TEST_F(Ledgered, CommitsOnTheWayAndDoesNothingTwice) {
  for (int i = 0; i < 200; ++i) write("in/small/" + std::to_string(i), lines(5) + (i % 50 == 0 ? "broken\n" : ""));
  write("in/large.gz", gzip(lines(100'000)));
  const auto first = go_on(2'000);
  ASSERT_TRUE(first) << first.error().what;
  EXPECT_GT(first->checkpoints, 5u);
  EXPECT_EQ(first->objects, 201u);
  EXPECT_EQ(first->rejects(), 4u);
  EXPECT_EQ(visible_rows(), 200u * 5 + 100'000);
  write("in/one more", lines(7));
  const auto second = go_on(2'000);
  ASSERT_TRUE(second) << second.error().what;
  EXPECT_EQ(second->objects, 1u);
  EXPECT_EQ(second->skipped, 201u);
  EXPECT_EQ(second->skipped_not_whole, 4u);
  EXPECT_FALSE(second->complete());
  EXPECT_EQ(visible_rows(), 200u * 5 + 100'000 + 7);
}

TEST_F(Ledgered, ACancelledRunCommitsWholeObjects) {
  for (int i = 0; i < 40; ++i) write("in/" + std::to_string(i) + ".gz", gzip(lines(3'000)));
  std::uint64_t objects = 0, runs = 0;
  while (objects < 40) {
    const auto part = go_on(100'000, 1 + 5'000 * runs);
    ASSERT_TRUE(part) << part.error().what;
    if (!part->cancelled) {
      EXPECT_EQ(part->skipped, objects);
    }
    objects += part->objects;
    EXPECT_EQ(part->partly_read, 0u);
    EXPECT_EQ(visible_rows(), objects * 3'000) << "after run " << runs;
    ASSERT_LT(++runs, 100u);
  }
}

}  // namespace
