// The NDJSON sink through the C border, as the host uses it.
#include "sink_arrow.hpp"
#include "sink_storage.hpp"

#include <logmill/sink.h>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <simdjson.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

extern "C" const lm_entry logmill_entry;

namespace {

using namespace lm::test;
namespace fs = std::filesystem;

std::string_view view(lm_str s) { return {s.data, static_cast<std::size_t>(s.size)}; }
lm_str str(std::string_view s) { return {s.data(), s.size()}; }

const lm_sink_factory& factory() { return *static_cast<const lm_sink_factory*>(logmill_entry.get_factory(LM_SINK_FACTORY)); }

ColumnPtr events(int first, int n) {
  std::vector<std::optional<std::int64_t>> times;
  std::vector<std::optional<std::int32_t>> codes;
  std::vector<std::optional<std::string>> notes;
  for (int i = first; i < first + n; ++i) {
    times.push_back(i);
    codes.push_back(i % 2);
    notes.push_back(i % 3 == 0 ? std::nullopt : std::optional("line\n" + std::to_string(i)));
  }
  return structure("", {int64s("time", times), coded("region", {"eu-west-1", "us-east-1"}, codes), texts("note", notes)});
}

struct Sealed {
  std::uint32_t table;
  std::string name, token;
  std::uint64_t rows, bytes;
};

class NdjsonSink : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "logmill-ndjson-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override {
    close();
    fs::remove_all(root_);
  }

  lm_status create(std::string_view target, std::string_view options = "{}", std::uint32_t threads = 1, std::uint64_t memory = 64 << 20) {
    close();
    config_ = std::make_unique<SinkConfig>(std::string(target), std::string(options), threads, memory, "0123abcd");
    const lm_status status = factory().create(0, &config_->get(), &sink_, &error_);
    open_ = status == LM_OK;
    return status;
  }
  void close() {
    if (std::exchange(open_, false)) sink_.destroy(sink_.self);
  }
  std::uint32_t open(const std::string& name) {
    const auto columns = events(0, 1);
    columns->wire();
    const lm_table table{sizeof(lm_table), 1, str(name), &columns->schema};
    std::uint32_t handle = 99;
    last_ = sink_.open(sink_.self, &table, &handle, &error_);
    return handle;
  }
  lm_status write(std::uint32_t table, int first, int n, std::uint64_t instance = 1) {
    lm_batch batch = batch_of(events(first, n), table, instance);
    lm_error error{sizeof(lm_error), 0, {}};
    const lm_status status = sink_.write(sink_.self, &batch, &error);
    EXPECT_EQ(batch.array.release, nullptr);
    return status;
  }
  lm_status seal() {
    sealed_.clear();
    return sink_.seal(
        sink_.self, &sealed_,
        [](void* ctx, const lm_output* o) {
          static_cast<std::vector<Sealed>*>(ctx)->push_back(
              {o->table, std::string(view(o->name)), std::string(view(o->token)), o->rows, o->bytes});
        },
        &error_);
  }
  void publish_all() {
    for (const Sealed& s : sealed_) ASSERT_EQ(sink_.publish(sink_.self, str(s.token), &error_), LM_OK) << error_.message;
  }
  std::vector<std::string> files() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      if (entry.is_regular_file()) out.push_back(fs::relative(entry.path(), root_).string());
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  std::string read(const std::string& name) const {
    std::ifstream in(root_ / name, std::ios::binary);
    std::stringstream all;
    all << in.rdbuf();
    return all.str();
  }

  // Every line is one event; answers their times.
  static std::vector<std::int64_t> times_of(const std::string& text) {
    EXPECT_TRUE(text.empty() || text.back() == '\n');
    std::vector<std::int64_t> out;
    simdjson::dom::parser parser;
    std::istringstream in(text);
    std::string line;
    while (std::getline(in, line)) {
      simdjson::dom::element event;
      if (parser.parse(line).get(event)) {
        ADD_FAILURE() << "not JSON: " << line;
        break;
      }
      const std::int64_t time = event["time"];
      out.push_back(time);
      EXPECT_EQ(std::string_view(event["region"]), time % 2 == 0 ? "eu-west-1" : "us-east-1");
      std::string_view note;
      const bool has_note = event["note"].get(note) == simdjson::SUCCESS;
      EXPECT_EQ(has_note, time % 3 != 0);
      if (has_note) {
        EXPECT_EQ(note, "line\n" + std::to_string(time));
      }
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  static std::vector<std::int64_t> numbers_below(int n) {
    std::vector<std::int64_t> out;
    for (int i = 0; i < n; ++i) out.push_back(i);
    return out;
  }

  fs::path root_;
  std::unique_ptr<SinkConfig> config_;
  lm_sink sink_{};
  lm_error error_{sizeof(lm_error), 0, {}};
  lm_status last_ = LM_OK;
  bool open_ = false;
  std::vector<Sealed> sealed_;
};

std::string unzstd(const std::string& in) {
  std::string out;
  std::size_t at = 0;
  while (at < in.size()) {
    const std::size_t frame = ZSTD_findFrameCompressedSize(in.data() + at, in.size() - at);
    EXPECT_FALSE(ZSTD_isError(frame));
    if (ZSTD_isError(frame)) break;
    std::string part(ZSTD_getFrameContentSize(in.data() + at, frame), '\0');
    EXPECT_EQ(ZSTD_decompress(part.data(), part.size(), in.data() + at, frame), part.size());
    out += part, at += frame;
  }
  return out;
}

TEST_F(NdjsonSink, ExportsOneFactoryThatDescribesItsOptions) {
  EXPECT_EQ(logmill_entry.abi_version, LM_ABI_VERSION);
  EXPECT_EQ(logmill_entry.get_factory("logmill.parser/1"), nullptr);
  ASSERT_EQ(factory().count, 1u);
  const lm_sink_descriptor& d = *factory().descriptor(0);
  EXPECT_EQ(view(d.id), "ndjson");
  EXPECT_EQ(factory().descriptor(1), nullptr);
  std::set<std::string_view> names;
  for (std::uint64_t i = 0; i < d.n_options; ++i) names.insert(view(d.options[i].name));
  EXPECT_EQ(names, (std::set<std::string_view>{"compression", "zstd_level", "gzip_level", "file_size"}));
}

TEST_F(NdjsonSink, GivesFilesTheirFinalNamesOnlyAtPublish) {
  ASSERT_EQ(create(root_.string() + "/lake"), LM_OK) << error_.message;
  const std::uint32_t a = open("api_activity"), b = open("authentication"), c = open("network_activity");
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(write(a, i * 100, 100), LM_OK);
    ASSERT_EQ(write(b, i * 10, 10), LM_OK);
  }
  (void)c;
  ASSERT_EQ(seal(), LM_OK) << error_.message;
  ASSERT_EQ(sealed_.size(), 2u) << "a table without rows gives no file";
  EXPECT_EQ(sealed_[0].name, "api_activity/part-0123abcd-0.ndjson.zst");
  EXPECT_EQ(sealed_[0].rows, 2000u);
  EXPECT_EQ(sealed_[1].rows, 200u);
  for (const std::string& name : files())
    EXPECT_FALSE(name.ends_with(".zst") || name.find(".ndjson.zst.unpublished") == std::string::npos) << name;
  publish_all();
  publish_all();
  EXPECT_EQ(files(),
            (std::vector<std::string>{"lake/api_activity/part-0123abcd-0.ndjson.zst", "lake/authentication/part-0123abcd-0.ndjson.zst"}));
  EXPECT_EQ(times_of(unzstd(read(files()[0]))), numbers_below(2000));
  EXPECT_EQ(times_of(unzstd(read(files()[1]))), numbers_below(200));
  EXPECT_EQ(fs::file_size(root_ / files()[0]), sealed_[0].bytes);
  ASSERT_EQ(seal(), LM_OK);
  EXPECT_TRUE(sealed_.empty()) << "an output is reported once";
}

TEST_F(NdjsonSink, PublishesAndDiscardsInALaterProcess) {
  ASSERT_EQ(create(root_.string(), R"({"compression":"none"})"), LM_OK);
  const std::uint32_t a = open("a"), b = open("b");
  ASSERT_EQ(write(a, 0, 3), LM_OK);
  ASSERT_EQ(write(b, 0, 3), LM_OK);
  ASSERT_EQ(seal(), LM_OK);
  const auto sealed = sealed_;
  ASSERT_EQ(sealed.size(), 2u);
  ASSERT_EQ(create(root_.string()), LM_OK);  // destroys the first
  EXPECT_EQ(sink_.publish(sink_.self, str(sealed[0].token), &error_), LM_OK);
  EXPECT_EQ(sink_.discard(sink_.self, str(sealed[1].token), &error_), LM_OK);
  EXPECT_EQ(sink_.discard(sink_.self, str(sealed[1].token), &error_), LM_OK);
  EXPECT_EQ(files(), std::vector<std::string>{"a/part-0123abcd-0.ndjson"});
  EXPECT_EQ(sink_.publish(sink_.self, str(sealed[1].token), &error_), LM_IO);
  EXPECT_EQ(sink_.publish(sink_.self, str("../../etc/passwd"), &error_), LM_INVALID);
  EXPECT_EQ(times_of(read(files()[0])), numbers_below(3));
}

TEST_F(NdjsonSink, RemovesWhatWasNotSealed) {
  ASSERT_EQ(create(root_.string(), R"({"file_size":"1K","compression":"none"})", 1, 1 << 20), LM_OK);
  const std::uint32_t a = open("a");
  for (int i = 0; i < 100; ++i) ASSERT_EQ(write(a, i * 100, 100), LM_OK);
  EXPECT_FALSE(files().empty());
  close();
  EXPECT_TRUE(files().empty());
}

TEST_F(NdjsonSink, WritesTheSameLinesAtEveryLevel) {
  std::string first;
  for (const std::string_view options :
       {"{}", R"({"zstd_level":0})", R"({"zstd_level":1})", R"({"zstd_level":3})", R"({"compression":"none"})"}) {
    ASSERT_EQ(create(root_.string(), options, 1, 8 << 20), LM_OK);
    const std::uint32_t a = open("a");
    for (int i = 0; i < 400; ++i) ASSERT_EQ(write(a, i * 250, 250), LM_OK);
    ASSERT_EQ(seal(), LM_OK);
    publish_all();
    std::string all;
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      if (!entry.is_regular_file()) continue;
      const std::string text = read(fs::relative(entry.path(), root_).string());
      all += entry.path().extension() == ".zst" ? unzstd(text) : text;
    }
    if (first.empty()) first = all;
    EXPECT_EQ(all, first) << options;
    EXPECT_EQ(times_of(all), numbers_below(100000));
    close();
    for (const auto& entry : fs::directory_iterator(root_)) fs::remove_all(entry.path());
  }
  EXPECT_EQ(create(root_.string(), R"({"zstd_level":20})"), LM_INVALID);
  EXPECT_EQ(create(root_.string(), R"({"zstd_level":-1})"), LM_INVALID);
}

TEST_F(NdjsonSink, BeginsANewFileWhenOneIsFull) {
  ASSERT_EQ(create(root_.string(), R"({"file_size":100000})", 1, 1 << 20), LM_OK);
  const std::uint32_t a = open("a");
  for (int i = 0; i < 100; ++i) ASSERT_EQ(write(a, i * 100, 100), LM_OK);
  ASSERT_EQ(seal(), LM_OK);
  EXPECT_GT(sealed_.size(), 3u);
  publish_all();
  std::string all;
  std::uint64_t rows = 0;
  for (const Sealed& s : sealed_) all += unzstd(read(s.name)), rows += s.rows;
  EXPECT_EQ(rows, 10000u);
  EXPECT_EQ(times_of(all), numbers_below(10000));
}

TEST_F(NdjsonSink, WritesGzipThatZlibReads) {
  ASSERT_EQ(create(root_.string(), R"({"compression":"gzip","gzip_level":6})", 1, 1 << 20), LM_OK);
  const std::uint32_t a = open("a");
  for (int i = 0; i < 50; ++i) ASSERT_EQ(write(a, i * 100, 100), LM_OK);
  ASSERT_EQ(seal(), LM_OK);
  publish_all();
  ASSERT_EQ(files(), std::vector<std::string>{"a/part-0123abcd-0.ndjson.gz"});
  gzFile file = gzopen((root_ / files()[0]).c_str(), "rb");
  std::string all(1 << 22, '\0');
  const int n = gzread(file, all.data(), static_cast<unsigned>(all.size()));
  EXPECT_EQ(gzclose(file), Z_OK);
  ASSERT_GT(n, 0);
  all.resize(static_cast<std::size_t>(n));
  EXPECT_EQ(times_of(all), numbers_below(5000));
}

TEST_F(NdjsonSink, GivesWholeLinesWhenManyThreadsWrite) {
  for (const std::string_view options : {R"({"compression":"none","file_size":"200K"})", R"({"compression":"zstd"})"}) {
    constexpr int kThreads = 4, kBatches = 60, kRows = 50;
    ASSERT_EQ(create(root_.string() + "/" + std::to_string(options.size()), options, kThreads, 2 << 20), LM_OK);
    const std::uint32_t tables[] = {open("a"), open("b")};
    std::atomic<int> next{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = next++; i < kBatches; i = next++) {
          // Instances wander from thread to thread, as parsers do.
          for (const std::uint32_t table : tables)
            EXPECT_EQ(write(table, i * kRows, kRows, static_cast<std::uint64_t>((i + t) % 5)), LM_OK);
        }
      });
    }
    for (std::thread& t : threads) t.join();
    ASSERT_EQ(seal(), LM_OK);
    publish_all();
    for (const std::uint32_t table : tables) {
      std::string all;
      std::uint64_t rows = 0;
      for (const Sealed& s : sealed_) {
        const std::string text = read(std::to_string(options.size()) + "/" + s.name);
        if (s.table == table) all += s.name.ends_with(".zst") ? unzstd(text) : text, rows += s.rows;
      }
      EXPECT_EQ(rows, static_cast<std::uint64_t>(kBatches * kRows));
      EXPECT_EQ(times_of(all), numbers_below(kBatches * kRows));
    }
  }
}

TEST_F(NdjsonSink, RefusesATargetThatIsAFile) {
  std::ofstream(root_ / "f") << "x";
  EXPECT_EQ(create((root_ / "f").string()), LM_INVALID);
  EXPECT_EQ(std::string(error_.message), (root_ / "f").string() + " exists and is not a folder");
}

TEST_F(NdjsonSink, RefusesOptionsAndTablesThatAreWrong) {
  EXPECT_EQ(create(root_.string(), R"({"compression":"lzma"})"), LM_INVALID);
  EXPECT_STREQ(error_.message, "option compression: 'lzma' is not one of auto none gzip zstd");
  EXPECT_EQ(create(root_.string(), R"({"colour":"red"})"), LM_INVALID);
  EXPECT_EQ(create(""), LM_INVALID);
  ASSERT_EQ(create(root_.string()), LM_OK);
  open("../a");
  EXPECT_EQ(last_, LM_INVALID);
  open("a");
  EXPECT_EQ(last_, LM_OK);
  open("a");
  EXPECT_EQ(last_, LM_INVALID);
  EXPECT_EQ(write(7, 0, 1), LM_INVALID);
}

// Stdout as something else for a while.
class StdoutAs {
 public:
  explicit StdoutAs(int fd) : saved_(::dup(STDOUT_FILENO)) { ::fflush(stdout), ::dup2(fd, STDOUT_FILENO); }
  ~StdoutAs() { ::dup2(saved_, STDOUT_FILENO), ::close(saved_); }

 private:
  int saved_;
};

TEST_F(NdjsonSink, WritesEveryEventToStdoutAndNothingElse) {
  for (const std::string_view options : {"{}", R"({"compression":"auto"})", R"({"compression":"zstd"})"}) {
    const std::string path = (root_ / "out").string();
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    {
      const StdoutAs redirected(fd);
      ASSERT_EQ(create("-", options), LM_OK) << error_.message;
      const std::uint32_t a = open("a"), b = open("b");
      open("c");
      ASSERT_EQ(write(a, 0, 1000), LM_OK);
      ASSERT_EQ(write(b, 1000, 500), LM_OK);
      ASSERT_EQ(seal(), LM_OK);
    }
    ::close(fd);
    ASSERT_EQ(sealed_.size(), 2u);
    EXPECT_EQ(sealed_[0].name, "");
    EXPECT_EQ(sealed_[0].rows + sealed_[1].rows, 1500u);
    EXPECT_EQ(sealed_[0].bytes + sealed_[1].bytes, fs::file_size(path));
    publish_all();
    EXPECT_EQ(sink_.discard(sink_.self, str("-"), &error_), LM_OK);
    const std::string text = read("out");
    EXPECT_EQ(times_of(options.find("zstd") == std::string_view::npos ? text : unzstd(text)), numbers_below(1500));
  }
}

TEST_F(NdjsonSink, SaysThatTheReaderOfStdoutHasGone) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  ::close(pipe[0]);
  {
    const StdoutAs redirected(pipe[1]);
    ASSERT_EQ(create("-", "{}", 1, 1 << 20), LM_OK);
    const std::uint32_t a = open("a");
    ASSERT_EQ(write(a, 0, 10), LM_OK);
    EXPECT_EQ(seal(), LM_IO);
    EXPECT_STREQ(error_.message, "stdout: the reader has gone before the last event was written");
    EXPECT_TRUE(sealed_.empty());
    EXPECT_EQ(write(a, 0, 10000), LM_IO) << "nothing is written behind what was torn";
    EXPECT_EQ(seal(), LM_IO);
  }
  ::close(pipe[1]);
}

TEST_F(NdjsonSink, SaysThatTheDeviceIsFull) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  {
    const StdoutAs redirected(full);
    ASSERT_EQ(create("-"), LM_OK);
    const std::uint32_t a = open("a");
    ASSERT_EQ(write(a, 0, 10), LM_OK);
    EXPECT_EQ(seal(), LM_IO);
    EXPECT_STREQ(error_.message, "cannot write to stdout: No space left on device");
  }
  ::close(full);
}

TEST_F(NdjsonSink, SaysThatAFileCannotBeWritten) {
  ASSERT_EQ(create(root_.string()), LM_OK);
  const std::uint32_t a = open("a");
  std::ofstream(root_ / "a") << "in the way";
  ASSERT_EQ(write(a, 0, 10), LM_OK);
  EXPECT_EQ(seal(), LM_INVALID);
  EXPECT_EQ(std::string(error_.message), (root_ / "a").string() + " exists and is not a folder");
}

TEST_F(NdjsonSink, SaysThatStdoutIsClosed) {
  const int saved = ::dup(STDOUT_FILENO);
  ::fflush(stdout);
  ::close(STDOUT_FILENO);
  const lm_status status = create("-");
  ::dup2(saved, STDOUT_FILENO);
  ::close(saved);
  EXPECT_EQ(status, LM_IO);
  EXPECT_STREQ(error_.message, "stdout is closed: events cannot be written to it");
}

}  // namespace
