// Multipart uploads. (Amazon S3 User Guide, "Uploading and copying objects using multipart upload".)
#include "object_store/s3.hpp"
#include "object_store/xml.hpp"

#include <fmt/format.h>

namespace lm::s3 {
namespace {

constexpr unsigned kAbortAttempts =
    3;  // a run that ends waits for them; what they leave is found by the next one, or by the bucket's own rules

// Not every server says that it is still at it, as S3 does.
constexpr std::chrono::minutes kCompletion{5};

using store::Content, store::without_quotes;

Result<void> any(const http::Answer&) { return {}; }

}  // namespace

store::Pairs Bucket::encryption() const {
  store::Pairs out;
  const S3Options& options = service_->options_;
  if (!options.sse.empty()) out.emplace_back("x-amz-server-side-encryption", options.sse);
  if (!options.sse_kms_key_id.empty()) out.emplace_back("x-amz-server-side-encryption-aws-kms-key-id", options.sse_kms_key_id);
  return out;
}

Result<std::string> Bucket::create_upload(const std::string& key, bool* repeated) {
  Call call{"POST", key, {{"uploads", ""}}, encryption()};
  call.headers.emplace_back("content-type", "application/octet-stream");
  std::string id;
  unsigned tries = 0;
  const auto answer = ask(
      call,
      [&](const http::Answer& a) -> Result<void> {
        auto read = aws::parse_upload_id(a.body);
        if (!read) return tl::unexpected(read.error());
        id = std::move(*read);
        return {};
      },
      &tries);
  if (repeated) *repeated = tries > 1;
  if (!answer) return tl::unexpected(answer.error());
  return id;
}

Result<std::string> Bucket::put_part(const std::string& key, const std::string& upload, unsigned number, const Content& content,
                                     const Stop& stop) {
  Call call{"PUT", key, {{"partNumber", std::to_string(number)}, {"uploadId", upload}}};
  call.content = &content;
  call.stop = stop;
  const auto answer = ask(call, [](const http::Answer& a) -> Result<void> {
    if (without_quotes(a.header("etag")).empty()) return fail(Errc::corrupt, "the answer has no ETag");
    return {};
  });
  if (!answer) return tl::unexpected(answer.error());
  return std::string(without_quotes(answer->header("etag")));
}

Result<void> Bucket::complete_upload(const std::string& key, const std::string& upload, const std::vector<std::string>& etags,
                                     std::uint64_t size, const std::string& before) {
  Call call{"POST", key, {{"uploadId", upload}}, {{"content-type", "application/xml"}}, aws::completion(etags)};
  call.idle_timeout = kCompletion;
  const auto answer = ask(call, [](const http::Answer& a) { return aws::parse_completed(a.body); });
  if (answer) return {};
  if (answer.error().code != Errc::not_found) return tl::unexpected(answer.error());
  // The answer to an earlier attempt, of this process or of one that was killed, may have been lost.
  const auto there = look_up(key, size);
  if (there && there->size == size && (before.empty() || there->etag != before)) return {};
  if (!there && there.error().code != Errc::not_found) return tl::unexpected(there.error());
  return fail(Errc::not_found,
              fmt::format("{}. Somebody has aborted the upload, or a rule of the bucket's life cycle, before it was published",
                          answer.error().what));
}

Result<store::Head> Bucket::look_up(const std::string& key, std::uint64_t size) {
  auto there = head(key);
  if (there || there.error().code != Errc::invalid) return there;
  // Whoever may write need not be allowed to read: then a listing knows.
  const auto page = list({key, "", "", "", 1});
  if (!page)
    return fail(
        Errc::invalid,
        fmt::format(
            "the upload is not open any more, and whether it was completed cannot be told: the answer was lost, and neither may the "
            "object be asked for (HEAD, s3:GetObject: {}) nor its name be listed (s3:ListBucket: {}). If an object of {} bytes stands "
            "there, it is complete; allow one of the two to find out",
            there.error().what, page.error().what, size));
  if (page->objects.empty() || page->objects.front().key != key) return fail(Errc::not_found, "404");  // it would be the first
  const store::ListedObject& found = page->objects.front();
  return store::Head{found.etag, found.size, found.mtime_ms, found.growing};
}

Result<bool> Bucket::abort_upload(const std::string& key, const std::string& upload) {
  Call call{"DELETE", key, {{"uploadId", upload}}};
  call.most_attempts = kAbortAttempts;
  const auto answer = ask(call, any);
  if (answer) return true;
  if (answer.error().code == Errc::not_found) return false;
  return tl::unexpected(answer.error());
}

Result<aws::UploadPage> Bucket::list_uploads(const std::string& prefix, const aws::UploadPage& after) {
  store::Pairs query{{"uploads", ""}, {"prefix", prefix}};
  if (!after.next_key.empty()) query.emplace_back("key-marker", after.next_key);
  if (!after.next_id.empty()) query.emplace_back("upload-id-marker", after.next_id);
  // With encoding-type=url only where it must be: servers differ in what they encode then, and whether they say so. But somebody else's key may have characters in
  // it that XML cannot hold.
  aws::UploadPage page;
  for (const bool encoded : {false, true}) {
    if (encoded) query.emplace_back("encoding-type", "url");
    bool readable = false;
    const auto answer = ask({"GET", {}, query}, [&](const http::Answer& a) -> Result<void> {
      auto read = aws::parse_uploads(a.body, encoded);
      readable = read.has_value();
      if (!readable && encoded) return tl::unexpected(read.error());
      if (readable) page = std::move(*read);
      return {};
    });
    if (!answer) return tl::unexpected(answer.error());
    if (readable) break;
  }
  return page;
}

Result<void> Bucket::put(const std::string& key, const Content& content) {
  Call call{"PUT", key, {}, encryption()};
  call.content = &content;
  const auto answer = ask(call, any);
  if (!answer) return tl::unexpected(answer.error());
  return {};
}

Result<void> Bucket::remove(const std::string& key) {
  const auto answer = ask({"DELETE", key}, any);
  if (!answer && answer.error().code != Errc::not_found) return tl::unexpected(answer.error());
  return {};
}

}  // namespace lm::s3
