#include "plugin_host/plugin_host.hpp"

#include "base/log.hpp"
#include "plugin_host/isolated.hpp"
#include "plugin_host/library.hpp"
#include "plugin_host/shared_sample.hpp"
#include "version/projection.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <boost/dll/runtime_symbol_info.hpp>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace lm {
namespace {

constexpr std::string_view kVersion = LOGMILL_VERSION;

void write_log(std::uint32_t level, lm_str message) { log(log_level(level), view(message)); }

const void* host_extension(const char* id) {
  static const lm_log log{sizeof(lm_log), 0, write_log};
  return std::string_view(id) == "logmill.log/1" ? &log : nullptr;
}

const lm_host& host() {
  static const lm_host instance{sizeof(lm_host), LM_ABI_VERSION, str(kVersion), host_extension};
  return instance;
}

bool good_id(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
  });
}

// The group that some systems give each user, with nobody else in it.
bool is_private_group(gid_t number) {
  std::array<char, 4096> user_text{}, group_text{};
  passwd user{}, *known_user = nullptr;
  if (::getpwuid_r(::geteuid(), &user, user_text.data(), user_text.size(), &known_user) != 0 || !known_user) return false;
  using Group = struct group;
  Group group{}, *known = nullptr;
  if (::getgrgid_r(number, &group, group_text.data(), group_text.size(), &known) != 0 || !known) return false;
  return user.pw_gid == number && std::string_view(user.pw_name) == group.gr_name && (!group.gr_mem || !*group.gr_mem);
}

Result<std::filesystem::path> find_worker_program();

// What is loaded runs as the user: nobody but root and the user may be able to change it.
Result<void> check_writers(const std::filesystem::path& path) {
  using Status = struct stat;
  Status s{};
  if (::stat(path.c_str(), &s) != 0) return fail(Errc::not_found, std::error_code(errno, std::generic_category()).message());
  std::string who;
  if (s.st_uid != 0 && s.st_uid != ::geteuid()) who = fmt::format("it belongs to the user with the number {}", s.st_uid);
  if ((s.st_mode & S_IWGRP) != 0 && !is_private_group(s.st_gid)) who = "its group can write to it (chmod g-w)";
  if ((s.st_mode & S_IWOTH) != 0) who = "everybody can write to it (chmod go-w)";
  if (who.empty()) return {};
  return fail(Errc::invalid, "plugins are loaded only from what nobody but root and you can change, and " + who);
}

}  // namespace

std::string_view version() { return kVersion; }

const ParserPlugin* Registry::Impl::parser(std::string_view id) const {
  for (const auto& p : parsers) {
    if (p->id == id) return p.get();
  }
  return nullptr;
}

const SinkPlugin* Registry::Impl::sink(std::string_view id) const {
  for (const auto& s : sinks) {
    if (s->id == id) return s.get();
  }
  return nullptr;
}

Result<void> Registry::Impl::add_parsers(const lm_parser_factory* factory, const std::filesystem::path& file) {
  if (factory->struct_size < sizeof(lm_parser_factory)) return fail(Errc::plugin, "its parser factory is shorter than ABI 1.0");
  for (std::uint32_t i = 0; i < factory->count; ++i) {
    const lm_parser_descriptor* d = factory->descriptor(i);
    if (!d || d->struct_size < sizeof(lm_parser_descriptor)) return fail(Errc::plugin, fmt::format("parser {} has no descriptor", i));
    auto plugin = std::make_unique<ParserPlugin>();
    plugin->factory = factory, plugin->index = i, plugin->descriptor = d, plugin->file = file;
    if (auto ok = add_parser(std::move(plugin)); !ok) return ok;
  }
  return {};
}

Result<void> Registry::Impl::add_parser(std::unique_ptr<ParserPlugin> plugin) {
  const lm_parser_descriptor* const d = plugin->descriptor;
  plugin->id = view(d->id);
  if (!good_id(plugin->id))
    return fail(Errc::plugin,
                fmt::format("parser {} has the id '{}': lower-case letters, digits, '.', '-' and '_' make one", plugin->index, plugin->id));
  if (const ParserPlugin* other = parser(plugin->id)) {
    return fail(Errc::plugin, fmt::format("the parser '{}' is already there, from {}", plugin->id, other->file.string()));
  }
  if (d->framing != LM_FRAMING_LINES && d->framing != LM_FRAMING_JSON)
    return fail(Errc::plugin, fmt::format("parser '{}' wants a framing that is unknown here", plugin->id));
  for (std::uint64_t k = 0; k < d->n_keys; ++k) {
    auto pattern = KeyPattern::compile(view(d->keys[k]));
    if (!pattern)
      return fail(Errc::plugin, fmt::format("parser '{}' has the key pattern '{}', which cannot be read", plugin->id, view(d->keys[k])));
    plugin->keys.push_back(std::move(*pattern));
  }
  if (d->kind == LM_KIND_EVENTS && d->n_classes == 0) return fail(Errc::plugin, fmt::format("parser '{}' fills no class", plugin->id));
  for (std::uint64_t c = 0; c < d->n_classes; ++c) {
    if (d->classes[c].struct_size < sizeof(lm_class))
      return fail(Errc::plugin, fmt::format("parser '{}' has a class that is too short", plugin->id));
    if (auto ok = tables.add(d->classes[c]); !ok) return fail(ok.error().code, fmt::format("parser '{}': {}", plugin->id, ok.error().what));
  }
  const auto at =
      std::lower_bound(parsers.begin(), parsers.end(), plugin->id, [](const auto& p, const std::string& id) { return p->id < id; });
  for (const KeyPattern& pattern : plugin->keys) {
    words_.add(pattern.word(), static_cast<std::uint32_t>(patterns_.size()));
    patterns_.push_back({plugin.get(), &pattern});
  }
  parsers.insert(at, std::move(plugin));
  return {};
}

std::vector<Registry::Impl::Named> Registry::Impl::named_by(std::string_view key) const {
  std::vector<Named> out;
  for (const std::uint32_t number : words_.in(key)) {
    const Named& found = patterns_[number];
    const bool again = !out.empty() && out.back().parser == found.parser;  // a parser's patterns are numbered one after the other
    if ((again && out.back().pattern->weight() >= found.pattern->weight()) || !found.pattern->matches(key)) continue;
    if (again) {
      out.back() = found;
    } else {
      out.push_back(found);
    }
  }
  std::sort(out.begin(), out.end(), [](const Named& a, const Named& b) { return a.parser->id < b.parser->id; });
  return out;
}

Result<void> Registry::Impl::add_sinks(const Library& library, const std::filesystem::path& file) {
  const lm_sink_factory* factory = library.sinks;
  if (factory->struct_size < sizeof(lm_sink_factory)) return fail(Errc::plugin, "its sink factory is shorter than ABI 1.0");
  for (std::uint32_t i = 0; i < factory->count; ++i) {
    const lm_sink_descriptor* d = factory->descriptor(i);
    if (!d || d->struct_size < sizeof(lm_sink_descriptor)) return fail(Errc::plugin, fmt::format("sink {} has no descriptor", i));
    auto plugin = std::make_unique<SinkPlugin>();
    plugin->id = view(d->id);
    plugin->factory = factory, plugin->index = i, plugin->descriptor = d, plugin->file = file;
    if (library.describe && LM_HAS(lm_sink_describe, library.describe, describe)) plugin->describe = library.describe;
    if (library.schema && LM_HAS(lm_sink_schema, library.schema, schema)) plugin->schema = library.schema;
    if (!good_id(plugin->id)) return fail(Errc::plugin, fmt::format("sink {} has the id '{}'", i, plugin->id));
    for (std::uint64_t o = 0; o < d->n_options; ++o) {
      if (view(d->options[o].name) == kOcsfOption)
        return fail(Errc::plugin, fmt::format("the sink '{}' has an option '{}', which is the host's", plugin->id, kOcsfOption));
    }
    if (const SinkPlugin* other = sink(plugin->id)) {
      return fail(Errc::plugin, fmt::format("the sink '{}' is already there, from {}", plugin->id, other->file.string()));
    }
    const auto at =
        std::lower_bound(sinks.begin(), sinks.end(), plugin->id, [](const auto& s, const std::string& id) { return s->id < id; });
    sinks.insert(at, std::move(plugin));
  }
  return {};
}

Result<void> Registry::Impl::load(const std::filesystem::path& file, const Isolation& isolation) {
  if (isolation.on) return load_isolated(file, isolation);
  auto library = open_library(file, host());
  if (!library) return tl::unexpected(library.error());
  if (library->parsers) {
    if (auto ok = add_parsers(library->parsers, file); !ok) return ok;
  }
  return library->sinks ? add_sinks(*library, file) : Result<void>{};
}

// Nothing of it runs in this process, unless it has sinks: they are never isolated.
Result<void> Registry::Impl::load_isolated(const std::filesystem::path& file, const Isolation& isolation) {
  if (worker_program.empty()) {
    auto found = find_worker_program();
    if (!found) return tl::unexpected(found.error());
    worker_program = std::move(*found);
  }
  auto workers = WorkerLibrary::open(worker_program, file, {isolation.memory, isolation.seconds});
  if (!workers) return tl::unexpected(workers.error());
  for (std::uint32_t i = 0; i < (*workers)->info().parsers.size(); ++i) {
    auto plugin = std::make_unique<ParserPlugin>();
    plugin->workers = *workers, plugin->index = i, plugin->descriptor = &(*workers)->info().parsers[i]->value(), plugin->file = file;
    if (auto ok = add_parser(std::move(plugin)); !ok) return ok;
  }
  if (!(*workers)->info().sinks) return {};
  auto library = open_library(file, host());
  if (!library) return tl::unexpected(library.error());
  return library->sinks ? add_sinks(*library, file) : Result<void>{};
}

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;
Registry::Registry(Registry&&) noexcept = default;
Registry& Registry::operator=(Registry&&) noexcept = default;

Result<void> Registry::load_directory(const std::filesystem::path& directory, const Isolation& isolation) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".so") files.push_back(entry.path());
  }
  if (error) return fail(Errc::not_found, fmt::format("plugin directory {}: {}", directory.string(), error.message()));
  if (files.empty()) log(LogLevel::warning, fmt::format("plugin directory {}: there is no *.so in it", directory.string()));
  std::sort(files.begin(), files.end());
  if (auto ok = check_writers(directory); !ok)
    return fail(ok.error().code, fmt::format("plugin directory {}: {}", directory.string(), ok.error().what));
  for (const auto& file : files) {
    auto ok = check_writers(file);
    if (ok) ok = impl_->load(file, isolation);
    if (!ok) return fail(ok.error().code, fmt::format("{}: {}", file.string(), ok.error().what));
  }
  return {};
}

namespace {

// Where the folders of this installation may be. In the build tree they stand beside the program; installed, under the library folder, found from the program or from
// this library.
Result<std::vector<std::filesystem::path>> roots() {
  std::vector<std::filesystem::path> out;
  try {
    const std::filesystem::path program(boost::dll::program_location().string()), library(boost::dll::this_line_location().string());
    for (const auto& base : {program.parent_path(), library.parent_path()}) {
      out.push_back(base);
      out.push_back(base / "logmill");
      out.push_back(base / LOGMILL_PLUGIN_ROOT);
      out.push_back(base.parent_path());
    }
  } catch (const std::exception& e) {
    return fail(Errc::internal, fmt::format("cannot tell where the program is: {}", e.what()));
  }
  return out;
}

Result<std::filesystem::path> find_worker_program() {
  std::error_code error;
  auto all = roots();
  if (!all) return tl::unexpected(all.error());
  for (const auto& root : *all) {
    auto program = root / "logmill-worker";
    if (!std::filesystem::is_regular_file(program, error)) continue;
    for (const auto& path : {program, root}) {
      if (auto ok = check_writers(path); !ok) return fail(ok.error().code, fmt::format("{}: {}", path.string(), ok.error().what));
    }
    return program;
  }
  return fail(Errc::not_found, "the program logmill-worker, in which isolated parsers run, is not where this installation has it");
}

}  // namespace

Result<void> Registry::load_default(const Isolation& isolation) {
  std::error_code error;
  auto all = roots();
  if (!all) return tl::unexpected(all.error());
  for (const auto& root : *all) {
    if (!std::filesystem::is_directory(root / "plugins", error) || !std::filesystem::is_directory(root / "sinks", error)) continue;
    if (auto ok = load_directory(root / "plugins", isolation); !ok) return ok;
    return load_directory(root / "sinks");
  }
  return fail(Errc::not_found, "no folders 'plugins' and 'sinks' beside the program");
}

std::vector<ParserInfo> Registry::parsers() const {
  std::vector<ParserInfo> out;
  for (const auto& p : impl_->parsers) {
    const lm_parser_descriptor& d = *p->descriptor;
    ParserInfo info{p->id,
                    std::string(view(d.title)),
                    std::string(view(d.vendor)),
                    std::string(view(d.version)),
                    std::string(view(d.reads)),
                    d.kind == LM_KIND_SET_ASIDE,
                    d.framing == LM_FRAMING_LINES ? "lines" : "json",
                    {},
                    {},
                    p->file};
    for (std::uint64_t i = 0; i < d.n_keys; ++i) info.keys.emplace_back(view(d.keys[i]));
    for (std::uint64_t c = 0; c < d.n_classes; ++c) {
      const auto& catalogue = ocsf::v1_8::catalogue;
      ClassInfo cls{d.classes[c].class_uid, std::string(catalogue.find_class(d.classes[c].class_uid)->name), {}};
      for (std::uint64_t i = 0; i < d.classes[c].n_columns; ++i) {
        const lm_column& column = d.classes[c].columns[i];
        const auto resolved = catalogue.resolve(cls.uid, view(column.path));
        cls.columns.push_back({std::string(view(column.path)), resolved.datetime ? "datetime_t" : std::string(resolved.leaf->type),
                               std::string(view(column.constant))});
      }
      std::sort(cls.columns.begin(), cls.columns.end(), [](const ColumnInfo& a, const ColumnInfo& b) { return a.path < b.path; });
      info.classes.push_back(std::move(cls));
    }
    out.push_back(std::move(info));
  }
  return out;
}

std::vector<SinkInfo> Registry::sinks() const {
  static constexpr const char* kTypes[] = {"text", "text", "integer", "boolean", "choice", "size"};
  std::vector<SinkInfo> out;
  for (const auto& s : impl_->sinks) {
    const lm_sink_descriptor& d = *s->descriptor;
    SinkInfo info{
        s->id,  std::string(view(d.title)), std::string(view(d.vendor)), std::string(view(d.version)), std::string(view(d.target)), {},
        s->file};
    for (std::uint64_t i = 0; i < d.n_options; ++i) {
      const lm_option& o = d.options[i];
      info.options.push_back({std::string(view(o.name)), kTypes[std::min<std::uint32_t>(o.type, 5)], std::string(view(o.fallback)),
                              std::string(view(o.choices)), std::string(view(o.help))});
    }
    std::string versions;
    for (const std::string_view version : ocsf_versions()) versions.append(versions.empty() ? "" : "|").append(version);
    info.options.push_back({std::string(kOcsfOption), "choice", std::string(catalogue().version), std::move(versions),
                            "The OCSF version of the events. What an older one lacks goes to `unmapped`."});
    out.push_back(std::move(info));
  }
  return out;
}

namespace {
void collect(const TableNode& node, std::vector<ColumnInfo>& out) {
  if (node.kind == TableNode::Kind::leaf) out.push_back({node.path, node.ocsf_type, {}});
  for (const auto& child : node.children) collect(*child, out);
}
}  // namespace

std::vector<TableInfo> Registry::tables() const {
  std::vector<TableInfo> out;
  for (const Table* table : impl_->tables.all()) {
    TableInfo info{table->name, table->class_uid, {}};
    collect(table->root, info.columns);
    out.push_back(std::move(info));
  }
  return out;
}

namespace {

// Whether the content begins as the parser's framing does: no binary format, and JSON where JSON is wanted.
bool may_be(const ParserPlugin& parser, std::span<const std::byte> head) {
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  if (text.find('\0') != std::string_view::npos) return false;
  const std::size_t first = text.find_first_not_of(" \t\r\n,");
  const bool json = first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
  return json == (parser.descriptor->framing == LM_FRAMING_JSON);
}

// The parser that may be it and whose pattern names most of the key; none where two name as much.
template <class MayBe>
Registry::Impl::Named nearest(const std::vector<Registry::Impl::Named>& named, MayBe&& may_be) {
  Registry::Impl::Named best{};
  for (const auto& n : named) {
    const std::size_t most = best.pattern ? best.pattern->weight() : 0;
    if (n.pattern->weight() < most || n.pattern->weight() == 0 || !may_be(*n.parser)) continue;
    best = {n.pattern->weight() == most ? nullptr : n.parser, n.pattern};
  }
  return best;
}

}  // namespace

Result<Match> detect(const Registry::Impl& registry, std::string_view key, std::span<const std::byte> head, bool whole,
                     const std::function<bool()>& stop, std::span<const ParserPlugin* const> but) {
  const SharedSample sample(
      lm_sample{sizeof(lm_sample), whole, str(key), reinterpret_cast<const std::uint8_t*>(head.data()), head.size(), nullptr});
  Match best;
  IsolatedScores isolated(sample, stop);
  // Asked in the order of their ids: the first of those that are equally sure stands.
  const auto ask = [&](const ParserPlugin& p, bool tie) {
    const int score = std::clamp(p.factory ? p.factory->score(p.index, &sample) : isolated.score(p), 0, 100);
    if (score > best.score) {
      best.parser = &p, best.score = score, best.tied_with.clear();
    } else if (score != 0 && score == best.score && tie) {
      best.tied_with = p.id;
    }
  };
  const auto meant = [&](const ParserPlugin& p) { return std::find(but.begin(), but.end(), &p) == but.end(); };
  const auto named = registry.named_by(key);
  for (const auto& n : named) {
    if (meant(*n.parser)) ask(*n.parser, true);
  }
  if (isolated.failure()) return tl::unexpected(*isolated.failure());
  if (best.score >= kCertain) return best;
  const ParserPlugin* const by_key = best.parser;
  for (const auto& p : registry.parsers) {
    const bool asked = std::any_of(named.begin(), named.end(), [&](const auto& n) { return n.parser == p.get(); });
    if (!asked && meant(*p)) ask(*p, best.parser != by_key);
  }
  if (isolated.failure()) return tl::unexpected(*isolated.failure());
  // Content that says nothing (an array without records, a first record that is longer than what is looked at) is what its key says, if it can be, and if the key says it
  // plainly: a few numbers and hyphens do not.
  constexpr std::size_t kPlainly = 16;
  if (!best.parser) {
    const auto by = nearest(named, [&](const ParserPlugin& p) { return may_be(p, head) && meant(p); });
    if (by.parser && by.pattern->weight() >= kPlainly) best.parser = by.parser, best.score = 1;
  }
  best.trouble = isolated.trouble();
  return best;
}

const ParserPlugin* detect_by_key(const Registry::Impl& registry, std::string_view key) {
  return nearest(registry.named_by(key), [](const ParserPlugin&) { return true; }).parser;
}

// ---- Instances ----

namespace {

class LoadedParser final : public ParserInstance {
 public:
  explicit LoadedParser(const ParserPlugin& plugin) : plugin_(plugin) {}
  ~LoadedParser() override {
    if (parser_.destroy) parser_.destroy(parser_.self);
  }
  LoadedParser(const LoadedParser&) = delete;
  LoadedParser& operator=(const LoadedParser&) = delete;

  Result<void> create(std::string_view config_json) {
    lm_error error = empty_error();
    const lm_status status = plugin_.factory->create(plugin_.index, str(config_json), &parser_, &error);
    if (status == LM_OK) return {};
    parser_ = {};
    return fail(status == LM_INVALID ? Errc::invalid : Errc::plugin, fmt::format("parser '{}': {}", plugin_.id, message_of(error)));
  }

  Result<ArrowSchema> schema(std::uint32_t table) override {
    ArrowSchema out{};
    lm_error error = empty_error();
    if (parser_.schema(parser_.self, table, &out, &error) != LM_OK || !out.release) {
      return fail(Errc::plugin, fmt::format("parser '{}' gives no schema of its table {}: {}", plugin_.id, table, message_of(error)));
    }
    return out;
  }

  Result<void> parse(std::span<const lm_block* const> blocks, const lm_emit& emit, const Stop&, Losses&) override {
    lm_error error = empty_error();
    const lm_status status = parser_.parse(parser_.self, blocks.data(), blocks.size(), &emit, &error);
    if (status == LM_OK) return {};
    if (status == LM_CANCELLED) return fail(Errc::cancelled, "the run is being stopped");
    return fail(Errc::plugin, fmt::format("parser '{}' failed: {}", plugin_.id, message_of(error)));
  }

 private:
  const ParserPlugin& plugin_;
  lm_parser parser_{};
};

}  // namespace

Result<std::unique_ptr<ParserInstance>> ParserInstance::create(const ParserPlugin& plugin, std::string_view config_json) {
  if (config_json.empty()) config_json = "{}";
  if (plugin.workers) return create_isolated(plugin, config_json);
  auto out = std::make_unique<LoadedParser>(plugin);
  if (auto ok = out->create(config_json); !ok) return tl::unexpected(ok.error());
  return out;
}

}  // namespace lm
