// One C function in front of logmill, for whoever loads a shared library and speaks Arrow's C stream interface. In Python:
//
//   embed = ctypes.CDLL("libembed_stream.so")
//   stream = ctypes.create_string_buffer(5 * ctypes.sizeof(ctypes.c_void_p))                       # struct ArrowArrayStream
//   inputs = (ctypes.c_char_p * 1)(b"evidence/")
//   if embed.embed_open(None, inputs, 1, b"api_activity", stream) == 0:
//       table = pyarrow.RecordBatchReader._import_from_c(ctypes.addressof(stream)).read_all()
#include <logmill/core.hpp>

#include <cerrno>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace {

thread_local std::string last_error;

int fail(int code, std::string why) {
  last_error = std::move(why);
  return code;
}

// A registry must outlive the runs that use it, and plugins stay loaded anyway: one a folder, kept until the process ends.
lm::Result<const lm::Registry*> registry_of(const std::string& plugin_dir) {
  static std::mutex mutex;
  static auto& registries = *new std::map<std::string, std::unique_ptr<lm::Registry>>;
  const std::lock_guard lock(mutex);
  auto& kept = registries[plugin_dir];
  if (!kept) {
    auto made = std::make_unique<lm::Registry>();
    if (auto loaded = made->load_default(); !loaded) return tl::unexpected(loaded.error());
    if (!plugin_dir.empty()) {
      if (auto loaded = made->load_directory(plugin_dir); !loaded) return tl::unexpected(loaded.error());
    }
    kept = std::move(made);
  }
  return kept.get();
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) int embed_open(const char* plugin_dir_or_null, const char* const* inputs, int n, const char* table,
                                                      ArrowArrayStream* out);
__attribute__((visibility("default"))) const char* embed_last_error();

// Reads the `n` inputs in the background and answers the rows of one table in *out, which the caller releases. The rows of other tables are
// dropped. 0, or an errno value; embed_last_error() then says why, until the next call of this thread.
int embed_open(const char* plugin_dir_or_null, const char* const* inputs, int n, const char* table, ArrowArrayStream* out) try {
  if (!out || !table || n < 0 || (n > 0 && !inputs)) return fail(EINVAL, "an argument is missing");
  auto registry = registry_of(plugin_dir_or_null ? plugin_dir_or_null : "");
  if (!registry) return fail(ENOENT, registry.error().what);
  lm::RunOptions options;
  options.inputs.assign(inputs, inputs + n);
  auto streams = lm::open_streams(**registry, options);
  if (!streams) return fail(EINVAL, streams.error().what);
  bool found = false;
  for (lm::TableStream& each : *streams) {
    if (each.name == table) {
      *out = each.stream;  // moved: an Arrow struct may be copied if the original is forgotten
      each.stream.release = nullptr;
      found = true;
    }
  }
  // The wanted stream is out of the list: what is left is not waited for.
  for (lm::TableStream& each : *streams) {
    if (each.stream.release) each.stream.release(&each.stream);
  }
  return found ? 0 : fail(ENOENT, std::string("no table '") + table + "'; 'logmill schema' lists them");
} catch (const std::exception& e) {
  return fail(EIO, e.what());  // nothing is thrown into C
}

const char* embed_last_error() { return last_error.c_str(); }
}
