// One Parquet file that is not published yet, written a row group at a time; the metadata of its row groups waits in memory for the footer.
#pragma once

#include "common/error.hpp"
#include "common/output_file.hpp"
#include "parquet/row_group.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace lm::sink::parquet {

// Belongs to one thread at a time. After a failure it can only be dropped; what is not to be kept is removed then.
class PartFile {
 public:
  // `name` is relative to the target, and safe. LM_IO if it cannot be made.
  static Result<PartFile> create(const Target& target, std::string_view name);

  Result<void> append(EncodedRowGroup group);
  // Writes the footer. What is left to do may go on behind it.
  Result<void> finish(const TableSchema& schema, Codec codec);
  // Waits until it is durable.
  Result<void> seal();
  // From now on the file stays.
  void keep() { file_.keep(); }

  const std::string& name() const { return file_.name(); }
  const std::string& token() const { return token_; }  // once it is sealed
  std::uint64_t size() const { return file_.size(); }
  std::uint64_t rows() const { return rows_; }

 private:
  PartFile() = default;
  OutputFile file_;
  std::string token_;
  std::uint64_t rows_ = 0;
  std::vector<RowGroupInfo> groups_;
};

}  // namespace lm::sink::parquet
