#include "parquet/part_file.hpp"

#include <utility>
#include <vector>

namespace lm::sink::parquet {
namespace {

lm_str piece_of(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace

Result<PartFile> PartFile::create(const Target& target, std::string_view name, const TableSchema& schema, Codec codec) {
  PartFile part;
  auto file = OutputFile::create(target, name);
  if (!file) return tl::make_unexpected(file.error());
  part.file_ = std::move(*file);
  part.footer_.emplace(schema, codec);
  if (auto ok = part.file_.append("PAR1"); !ok) return tl::make_unexpected(ok.error());
  return part;
}

Result<void> PartFile::append(EncodedRowGroup group) {
  std::vector<lm_str> pieces;
  std::uint64_t at = size();
  for (std::size_t i = 0; i < group.chunks.size(); ++i) {
    ChunkInfo& info = group.info.chunks[i];
    if (info.dictionary_at >= 0) info.dictionary_at += static_cast<std::int64_t>(at);
    info.data_at += static_cast<std::int64_t>(at);
    // A chunk that is the same as another one's is written once more: readers expect that no two share their bytes.
    const Chunk& chunk = group.chunks[group.same_as[i] >= 0 ? static_cast<std::size_t>(group.same_as[i]) : i];
    at += chunk.size();
    for (const Bytes& bytes : chunk.parts) pieces.push_back(piece_of(bytes));
  }
  // Together, behind the row group: who looks for a value reads them at once.
  for (std::size_t i = 0; i < group.chunks.size(); ++i) {
    ChunkInfo& info = group.info.chunks[i];
    if (info.bloom_bytes == 0) continue;
    const Bytes& bloom = group.chunks[group.same_as[i] >= 0 ? static_cast<std::size_t>(group.same_as[i]) : i].bloom;
    info.bloom_at = static_cast<std::int64_t>(at);
    at += bloom.size();
    pieces.push_back(piece_of(bloom));
  }
  if (auto ok = file_.append(pieces); !ok) return ok;
  rows_ += static_cast<std::uint64_t>(group.info.rows);
  footer_->add(group.info);
  return {};
}

Result<void> PartFile::finish() {
  Bytes footer;
  footer_->put(size(), footer);
  footer_.reset();
  const lm_str piece = piece_of(footer);
  if (auto ok = file_.append({&piece, 1}); !ok) return ok;
  return file_.finish();
}

Result<void> PartFile::seal() {
  return file_.seal().map([&](std::string token) { token_ = std::move(token); });
}

}  // namespace lm::sink::parquet
