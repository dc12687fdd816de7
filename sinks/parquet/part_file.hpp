// One Parquet file that is not published yet, written a row group at a time; what its end will say of them waits in memory.
#pragma once

#include "common/error.hpp"
#include "common/output_file.hpp"
#include "parquet/row_group.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace lm::sink::parquet {

// Belongs to one thread at a time. After a failure it can only be dropped; what is not to be kept is removed then.
class PartFile {
 public:
  // `name` is relative to the target, and safe. The schema outlives it. LM_IO if it cannot be made.
  static Result<PartFile> create(const Target& target, std::string_view name, const TableSchema& schema, Codec codec);

  Result<void> append(EncodedRowGroup group);
  // Writes the footer. What is left to do may go on behind it.
  Result<void> finish();
  // Waits until it is durable.
  Result<void> seal();
  // From now on the file stays.
  void keep() { file_.keep(); }

  const std::string& name() const { return file_.name(); }
  const std::string& token() const { return token_; }  // once it is sealed
  std::uint64_t size() const { return file_.size(); }
  std::uint64_t rows() const { return rows_; }
  // Bytes of memory, and about as many that the footer adds to the file. None once it is finished.
  std::uint64_t held() const { return footer_ ? footer_->held() : 0; }

 private:
  PartFile() = default;
  OutputFile file_;
  std::string token_;
  std::uint64_t rows_ = 0;
  std::optional<Footer> footer_;  // until it is finished
};

}  // namespace lm::sink::parquet
