// The XML that S3, STS and Azure Blob Storage answer, read by expat within bounds: depth, length of a text, number of entries; a document type is refused. Pure.
#pragma once

#include "base/result.hpp"
#include "object_store/listing.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace lm::store {

// Calls back for every element when it ends: its path of local names ("ListBucketResult/Contents/Key") and the text directly in it, decoded if the element
// says Encoded="true", as Azure does of names that XML cannot hold.
using OnElement = std::function<void(std::string_view path, const std::string& text)>;
Result<void> read_xml(std::string_view xml, const OnElement&);

struct ServiceError {
  std::string code, message, region;
};
// <Error> of S3 and Azure, <ErrorResponse> of STS; fields that are not there, or all if it is neither, stay empty.
ServiceError parse_error(std::string_view xml);

}  // namespace lm::store

namespace lm::aws {

// ListBucketResult of ListObjectsV2. Names are decoded where the answer says that they are encoded.
Result<store::ListPage> parse_list(std::string_view xml);

struct OpenUpload {
  std::string key, id;
};

struct UploadPage {
  std::vector<OpenUpload> uploads;
  std::string next_key, next_id;  // where the next page begins
  bool truncated = false;         // there is one
};

// ListMultipartUploadsResult. Names are decoded where the answer says that they are encoded. `asked`: that was asked for, and keys are, also if nothing is said (Ceph).
Result<UploadPage> parse_uploads(std::string_view xml, bool asked = false);
// The id in InitiateMultipartUploadResult.
Result<std::string> parse_upload_id(std::string_view xml);
// CompleteMultipartUploadResult, which may have white space before it.
Result<void> parse_completed(std::string_view xml);
// <CompleteMultipartUpload>, of parts from 1 on.
std::string completion(const std::vector<std::string>& etags);

}  // namespace lm::aws

namespace lm::azure {

// EnumerationResults of List Blobs. Directories of a hierarchical namespace are left out.
// (Azure Storage REST API, "List Blobs".)
Result<store::ListPage> parse_list(std::string_view xml);

}  // namespace lm::azure
