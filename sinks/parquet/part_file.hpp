// One Parquet file under its temporary name, written a row group at a time. The file is open only while something is written to it, so that thousands of
// partitions cost no file descriptors; the metadata of its row groups waits in memory for the footer.
#pragma once

#include "common/error.hpp"
#include "common/output_file.hpp"
#include "parquet/row_group.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace lm::sink::parquet {

// Belongs to one thread at a time. After a failure it can only be dropped.
class PartFile {
 public:
  // `name` is relative to the target, and safe. LM_IO if it cannot be made.
  static Result<PartFile> create(const Target& target, std::string name);
  PartFile(PartFile&& other) noexcept { swap(other); }
  PartFile& operator=(PartFile&& other) noexcept {
    PartFile moved(std::move(other));
    swap(moved);
    return *this;
  }
  // Removes the file, unless it was to be kept, and the folders that it leaves empty.
  ~PartFile();

  Result<void> append(EncodedRowGroup group);
  // Writes the footer and makes the file durable; its name is once folders() are synced.
  Result<void> finish(const TableSchema& schema, bool zstd);
  // From now on the file stays.
  void keep() { keep_ = true; }

  const std::string& name() const { return name_; }
  // Every folder from the file's up to the target: each may be new.
  std::vector<std::string> folders() const;
  std::uint64_t size() const { return size_; }
  std::uint64_t rows() const { return rows_; }

 private:
  PartFile() = default;
  void swap(PartFile& other) noexcept {
    std::swap(name_, other.name_), std::swap(path_, other.path_), std::swap(groups_, other.groups_);
    std::swap(size_, other.size_), std::swap(rows_, other.rows_), std::swap(keep_, other.keep_);
  }
  std::string name_, path_;
  std::uint64_t size_ = 0, rows_ = 0;
  bool keep_ = false;
  std::vector<RowGroupInfo> groups_;
};

// Makes the names in a folder durable.
Result<void> sync_folder(const std::string& path);

}  // namespace lm::sink::parquet
