// What of an s3:// storage can be looked at without a server. The storage itself is in storage.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lm {

// All that completes an upload, as one line of text: words that are percent-encoded, and a space between them.
struct UploadToken {
  std::string bucket, key, upload;
  std::uint64_t size = 0;
  std::vector<std::string> etags;  // of the parts

  std::string text() const;
  static std::optional<UploadToken> parse(std::string_view text);
  bool operator==(const UploadToken&) const = default;
};

}  // namespace lm
