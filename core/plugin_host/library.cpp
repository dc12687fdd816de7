#include "plugin_host/library.hpp"

#include <fmt/format.h>
#include <boost/dll/shared_library.hpp>
#include <cstring>
#include <deque>
#include <mutex>

namespace lm {

std::string message_of(const lm_error& error) {
  const std::size_t size = strnlen(error.message, sizeof error.message);
  return size ? std::string(error.message, size) : "no reason given";
}

namespace {

// What dlopen said, without what Boost.DLL says around it.
std::string reason_of(const std::exception& e) {
  constexpr std::string_view kBegin = "(dlerror system message: ", kEnd = "): ";
  const std::string_view what = e.what();
  const std::size_t begin = what.find(kBegin), end = what.rfind(kEnd);
  if (begin == what.npos || end == what.npos || end < begin + kBegin.size()) return std::string(what);
  return std::string(what.substr(begin + kBegin.size(), end - begin - kBegin.size()));
}

}  // namespace

Result<Library> open_library(const std::filesystem::path& file, const lm_host& host) {
  // Never unloaded: release callbacks of arrays may run until the process ends, so this list is never destroyed.
  static auto* const loaded = new std::deque<boost::dll::shared_library>;
  static std::mutex loading;
  const std::lock_guard lock(loading);
  boost::dll::shared_library* const library = &loaded->emplace_back();
  try {
    library->load(file.string(), boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
    if (!library->has("logmill_entry")) return fail(Errc::plugin, "it is not a logmill plugin: it does not export logmill_entry");
    const auto& entry = library->get<const lm_entry>("logmill_entry");
    if (entry.struct_size < sizeof(lm_entry)) return fail(Errc::plugin, "its entry is shorter than ABI 1.0");
    if ((entry.abi_version >> 16) != LM_ABI_MAJOR) {
      return fail(Errc::plugin, fmt::format("it was built for ABI {}, this is ABI {}", entry.abi_version >> 16, LM_ABI_MAJOR));
    }
    lm_error error = empty_error();
    if (entry.init && entry.init(&host, &error) != LM_OK)
      return fail(Errc::plugin, fmt::format("it refuses to start: {}", message_of(error)));
    Library out;
    out.parsers = static_cast<const lm_parser_factory*>(entry.get_factory(LM_PARSER_FACTORY));
    out.sinks = static_cast<const lm_sink_factory*>(entry.get_factory(LM_SINK_FACTORY));
    if (out.sinks) {
      out.describe = static_cast<const lm_sink_describe*>(entry.get_factory(LM_SINK_DESCRIBE));
      out.schema = static_cast<const lm_sink_schema*>(entry.get_factory(LM_SINK_SCHEMA));
    }
    if (!out.parsers && !out.sinks) return fail(Errc::plugin, "it offers neither parsers nor sinks");
    return out;
  } catch (const std::exception& e) {
    return fail(Errc::plugin, reason_of(e));
  }
}

}  // namespace lm
