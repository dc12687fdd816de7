// The XML that S3 and STS answer, read by expat within bounds: depth, length of a text, number of entries; a document type is refused. Pure.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lm::aws {

struct ListedObject {
  std::string key, etag;  // the etag without its quotes
  std::uint64_t size = 0;
  std::int64_t mtime_ms = 0;  // 0 if it cannot be read
  std::string storage_class;
};

struct ListPage {
  std::vector<ListedObject> objects;
  std::vector<std::string> prefixes;  // of a listing with a delimiter
  std::string continuation;           // for the next page
  bool truncated = false;             // there is one
};

// ListBucketResult of ListObjectsV2. Names are decoded where the answer says that they are encoded.
Result<ListPage> parse_list(std::string_view xml);

struct OpenUpload {
  std::string key, id;
};

struct UploadPage {
  std::vector<OpenUpload> uploads;
  std::string next_key, next_id;  // where the next page begins
  bool truncated = false;         // there is one
};

// ListMultipartUploadsResult.
Result<UploadPage> parse_uploads(std::string_view xml);
// The id in InitiateMultipartUploadResult.
Result<std::string> parse_upload_id(std::string_view xml);
// CompleteMultipartUploadResult, which may have white space before it.
Result<void> parse_completed(std::string_view xml);
// <CompleteMultipartUpload>, of parts from 1 on.
std::string completion(const std::vector<std::string>& etags);

struct ServiceError {
  std::string code, message, region;
};
// <Error> of S3, <ErrorResponse> of STS; fields that are not there, or all if it is neither, stay empty.
ServiceError parse_error(std::string_view xml);

// Calls back for every element when it ends: its path of local names ("ListBucketResult/Contents/Key") and the text directly in it.
using OnElement = std::function<void(std::string_view path, const std::string& text)>;
Result<void> read_xml(std::string_view xml, const OnElement&);

}  // namespace lm::aws
