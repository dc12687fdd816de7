// AWS Signature Version 4 for requests of S3 and STS, over libcrypto. The URL and what is signed are made from the same decoded parts, so that they
// cannot differ. (Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header".)
//
//   SigningRequest r{.method = "GET", .host = "examplebucket.s3.amazonaws.com", .path = "/a b", .query = {{"list-type", "2"}}};
//   sign(r, {"AKID", "secret", ""}, "us-east-1", "s3", now);      -> r.headers to send; url_of("https", r)
#pragma once

#include "object_store/text.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace lm::aws {

struct Keys {
  std::string access_key, secret_key, session_token;
};

using store::Pairs;
using store::percent_decode;
using store::percent_encode;

struct SigningRequest {
  std::string method = "GET";
  std::string host;  // with the port, where it is not the scheme's own
  std::string path;  // decoded, begins with '/'
  Pairs query;       // decoded
  Pairs headers;     // names in lower case; `host` is added
  std::string body;
  std::string body_sha256;  // in hexadecimal, of a body that is not here; "": that of `body`
};

std::string sha256_hex(std::string_view);

// Adds host, x-amz-date, x-amz-content-sha256 (s3), x-amz-security-token and authorization. `now`: seconds since 1970-01-01 UTC.
void sign(SigningRequest&, const Keys&, std::string_view region, std::string_view service, std::int64_t now);

std::string url_of(std::string_view scheme, const SigningRequest&);

}  // namespace lm::aws
