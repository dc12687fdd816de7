// Writes random batches through the Parquet sink plugin, as the host would, and the rows that were written as JSON lines beside them:
//   parquet_samples PLUGIN FOLDER SEED BATCHES ROWS MEMORY OPTIONS_JSON
// gives FOLDER/lake/sample_activity/... and FOLDER/expected.ndjson, which parquet_readback.py compares.
#include "../unit/parquet_batches.hpp"
#include "../unit/sink_storage.hpp"

#include <logmill/sink.h>

#include <dlfcn.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

lm_str str(const std::string& s) { return {s.data(), s.size()}; }

int fail(const char* what, const lm_error& error) {
  std::cerr << what << ": " << error.message << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) {
    std::cerr << "usage: parquet_samples PLUGIN FOLDER SEED BATCHES ROWS MEMORY OPTIONS_JSON\n";
    return 2;
  }
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    std::cerr << dlerror() << "\n";
    return 1;
  }
  const auto* entry = static_cast<const lm_entry*>(dlsym(library, "logmill_entry"));
  const auto* factory = static_cast<const lm_sink_factory*>(entry->get_factory(LM_SINK_FACTORY));
  const std::string folder = argv[2], options = argv[7], target = folder + "/lake", run_id = "0123abcd";
  const auto seed = std::strtoull(argv[3], nullptr, 10), batches = std::strtoull(argv[4], nullptr, 10),
             rows = std::strtoull(argv[5], nullptr, 10);
  std::filesystem::create_directories(folder);
  lm_error error{sizeof(lm_error), LM_OK, {}};
  const lm::test::SinkConfig config(target, options, 2, std::strtoull(argv[6], nullptr, 10), run_id);
  lm_sink sink{};
  if (factory->create(0, &config.get(), &sink, &error) != LM_OK) return fail("create", error);

  const lm::test::Column table = lm::test::sample_table();
  const lm::test::Schema schema(table);
  const std::string name = "sample_activity";
  const lm_table t{sizeof(lm_table), 9999, str(name), schema.get()};
  std::uint32_t handle = 0;
  if (sink.open(sink.self, &t, &handle, &error) != LM_OK) return fail("open", error);

  std::vector<std::string> expected;
  std::mutex mutex;
  lm::test::BatchMaker maker(table, seed);
  std::uint64_t made = 0;
  int failures = 0;
  const auto work = [&] {
    for (;;) {
      lm_batch batch{};
      {
        const std::lock_guard lock(mutex);
        if (made == batches) return;
        batch.instance = made++ % 3;
        // Sizes around one bitmap word and one miniblock, too.
        batch.array = maker.make(made % 5 == 0 ? made % 70 : rows, batch.instance, expected);
      }
      batch.struct_size = sizeof batch;
      batch.table = handle;
      batch.bytes = static_cast<std::uint64_t>(batch.array.length) * 600 + 1000;
      lm_error own{sizeof(lm_error), LM_OK, {}};
      if (sink.write(sink.self, &batch, &own) != LM_OK) {
        const std::lock_guard lock(mutex);
        failures += fail("write", own);
        return;
      }
    }
  };
  std::thread other(work);
  work();
  other.join();
  if (failures) return 1;

  std::vector<std::string> tokens;
  const auto each = [](void* ctx, const lm_output* output) {
    static_cast<std::vector<std::string>*>(ctx)->emplace_back(output->token.data, output->token.size);
  };
  if (sink.seal(sink.self, &tokens, each, &error) != LM_OK) return fail("seal", error);
  for (const std::string& token : tokens) {
    if (sink.publish(sink.self, str(token), &error) != LM_OK) return fail("publish", error);
    if (sink.publish(sink.self, str(token), &error) != LM_OK) return fail("publish again", error);
  }
  sink.destroy(sink.self);
  std::ofstream out(folder + "/expected.ndjson");
  for (const std::string& row : expected) out << row << "\n";
  std::cout << expected.size() << " rows in " << tokens.size() << " files\n";
  return out.good() ? 0 : 1;
}
