#include "pipeline/rejects.hpp"

#include <logmill/plugin.h>
#include <logmill/sdk/json.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

namespace lm {
namespace {

void append_base64(std::string& out, std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto at = [&](std::size_t i) { return i < bytes.size() ? static_cast<unsigned>(static_cast<unsigned char>(bytes[i])) : 0u; };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const unsigned word = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    out.push_back(kDigits[word >> 18]);
    out.push_back(kDigits[word >> 12 & 63]);
    out.push_back(i + 1 < bytes.size() ? kDigits[word >> 6 & 63] : '=');
    out.push_back(i + 2 < bytes.size() ? kDigits[word & 63] : '=');
  }
}

std::filesystem::path final_name(const std::filesystem::path& directory, std::string_view run_id) {
  return directory / fmt::format("rejects-{}.ndjson", run_id);
}
std::filesystem::path temporary_name(const std::filesystem::path& directory, std::string_view run_id) {
  return directory / fmt::format(".rejects-{}.tmp", run_id);
}

// A name is durable only when its folder is. Some file systems cannot sync folders and say so.
int sync_folder(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  const int failed = ::fsync(fd) != 0 && errno != EINVAL ? errno : 0;
  ::close(fd);
  return failed;
}

}  // namespace

std::string_view reject_name(std::uint32_t code) {
  switch (code) {
    case LM_REJECT_MALFORMED: return "malformed";
    case LM_REJECT_ENCODING: return "encoding";
    case LM_REJECT_TRUNCATED: return "truncated";
    case LM_REJECT_OVERSIZE: return "oversize";
    case LM_REJECT_FOREIGN: return "foreign";
    case LM_REJECT_DEPTH: return "depth";
    case LM_REJECT_CORRUPT: return "corrupt";
    default: return "other";
  }
}

Result<std::unique_ptr<RejectsWriter>> RejectsWriter::open(const std::filesystem::path& directory, std::string_view run_id) {
  auto out = std::unique_ptr<RejectsWriter>(new RejectsWriter);
  if (directory.empty()) return out;
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return fail(Errc::invalid, fmt::format("rejects folder {}: {}", directory.string(), error.message()));
  out->directory_ = directory, out->run_id_ = run_id;
  out->final_ = final_name(directory, run_id);
  out->temporary_ = temporary_name(directory, run_id);
  out->file_ = std::fopen(out->temporary_.c_str(), "wbx");
  if (!out->file_) return fail(Errc::invalid, fmt::format("{}: {}", out->temporary_.string(), std::strerror(errno)));
  return out;
}

RejectsWriter::~RejectsWriter() {
  if (!file_) return;
  std::fclose(file_);
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

void RejectsWriter::add(const RejectLine& line) {
  if (final_.empty()) return;
  std::string out = "{\"uri\":";
  json::append_quoted(out, line.uri);
  if (!line.etag.empty()) {
    out += ",\"etag\":";
    json::append_quoted(out, line.etag);
  }
  if (!line.parser.empty()) {
    out += ",\"parser\":";
    json::append_quoted(out, line.parser);
  }
  if (line.record) out += fmt::format(",\"offset\":{},\"length\":{},\"record\":{}", line.offset, line.length, line.ordinal);
  out += ",\"code\":";
  json::append_quoted(out, line.code);
  out += ",\"message\":";
  json::append_quoted(out, line.message);
  if (line.record) {
    out += ",\"bytes\":\"";
    append_base64(out, line.bytes);
    out += '"';
    if (!line.whole && line.bytes.size() < line.length) out += ",\"bytes_truncated\":true";
  }
  out += "}\n";
  write(out);
}

void RejectsWriter::add(const RefusedRow& refused) {
  if (final_.empty()) return;
  // The object that the row is of stands in the row itself.
  std::string uri, etag;
  json::Reader reader;
  static constexpr auto kRow = keys("lineage");
  static constexpr auto kLineage = keys("uri", "etag");
  const bool good = reader.read(refused.row, [&](std::string_view key, json::Value& value) {
    if (kRow.find(key) != kRow.at("lineage")) return;
    value.object([&](std::string_view name, json::Value& inner) {
      const auto text = inner.text();
      if (!text) return;
      if (kLineage.find(name) == kLineage.at("uri")) uri = *text;
      if (kLineage.find(name) == kLineage.at("etag")) etag = *text;
    });
  });
  std::string out = "{";
  const auto member = [&](std::string_view name, std::string_view text) {
    if (text.empty()) return;
    if (out.size() > 1) out += ',';
    json::append_quoted(out, name);
    out += ':';
    json::append_quoted(out, text);
  };
  member("uri", uri), member("etag", etag), member("sink", refused.sink), member("uid", refused.uid), member("code", "refused");
  member("message", refused.message);
  out += ",\"row\":";
  if (good) {
    out += refused.row;
  } else {
    json::append_quoted(out, refused.row);
  }
  out += "}\n";
  write(out);
}

void RejectsWriter::write(const std::string& out) {
  const std::lock_guard lock(mutex_);
  ++lines_, bytes_ += out.size();
  if (error_.empty() && std::fwrite(out.data(), 1, out.size(), file_) != out.size()) error_ = std::strerror(errno);
}

Result<bool> RejectsWriter::seal() {
  const std::lock_guard lock(mutex_);
  if (!file_) return false;
  std::FILE* file = std::exchange(file_, nullptr);
  if (error_.empty() && (std::fflush(file) != 0 || ::fsync(::fileno(file)) != 0)) error_ = std::strerror(errno);
  if (std::fclose(file) != 0 && error_.empty()) error_ = std::strerror(errno);
  std::error_code ignored;
  if (!error_.empty() || lines_ == 0) std::filesystem::remove(temporary_, ignored);
  if (!error_.empty()) return fail(Errc::io, fmt::format("{}: {}", final_.string(), error_));
  return lines_ != 0;
}

Result<std::string> RejectsWriter::finish() {
  auto sealed = seal();
  if (!sealed) return tl::unexpected(sealed.error());
  return *sealed ? publish(directory_, run_id_) : Result<std::string>(std::string());
}

Result<std::string> RejectsWriter::publish(const std::filesystem::path& directory, std::string_view run_id) {
  const std::filesystem::path from = temporary_name(directory, run_id), to = final_name(directory, run_id);
  int failed = ::rename(from.c_str(), to.c_str()) != 0 ? errno : 0;
  if (failed == ENOENT && ::access(to.c_str(), F_OK) == 0) failed = 0;
  if (failed == 0) failed = sync_folder(directory);
  if (failed != 0) return fail(Errc::io, fmt::format("{}: {}", to.string(), std::strerror(failed)));
  return to.string();
}

Result<void> RejectsWriter::discard(const std::filesystem::path& directory, std::string_view run_id) {
  for (const auto& path : {temporary_name(directory, run_id), final_name(directory, run_id)}) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail(Errc::io, fmt::format("{}: {}", path.string(), std::strerror(errno)));
  }
  return {};
}

Result<void> RejectsWriter::sweep(const std::filesystem::path& directory, std::string_view run_id) {
  std::error_code error;
  const std::string prefix = fmt::format(".rejects-{}", run_id);
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    if (const std::string name = at->path().filename().string(); !name.starts_with(prefix) || !name.ends_with(".tmp")) continue;
    std::error_code failed;
    if (std::filesystem::remove(at->path(), failed); failed)
      return fail(Errc::io, fmt::format("{}: {}", at->path().string(), failed.message()));
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(Errc::io, fmt::format("{}: {}", directory.string(), error.message()));
  return {};
}

}  // namespace lm
