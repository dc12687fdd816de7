#include "object_store/xml.hpp"

#include "object_store/text.hpp"

#include <logmill/sdk/time.hpp>

#include <expat.h>
#include <fmt/format.h>
#include <limits>
#include <memory>
#include <utility>

namespace lm::store {
namespace {

constexpr std::size_t kMaxDepth = 16;
constexpr std::size_t kMaxText = 16 << 10;  // a key of 1,024 bytes, each as %XX, and room

struct Reader {
  XML_Parser parser = nullptr;
  const OnElement* on_element = nullptr;
  std::string path;
  std::vector<std::size_t> lengths;  // of the paths above
  std::vector<std::string> texts;
  bool encoded = false;  // the innermost element
  const char* wrong = nullptr;

  void stop(const char* why) {
    if (!wrong) wrong = why;
    ::XML_StopParser(parser, XML_FALSE);
  }
};

void XMLCALL on_start(void* self, const XML_Char* name, const XML_Char** attributes) {
  auto& r = *static_cast<Reader*>(self);
  std::string_view local(name);
  if (const std::size_t colon = local.rfind(':'); colon != std::string_view::npos) local.remove_prefix(colon + 1);
  if (r.lengths.size() >= kMaxDepth || local.size() > 256) return r.stop("it is nested too deeply");
  r.lengths.push_back(r.path.size());
  if (!r.path.empty()) r.path += '/';
  r.path += local;
  r.texts.emplace_back();
  r.encoded = false;
  for (; attributes[0]; attributes += 2)
    r.encoded |= std::string_view(attributes[0]) == "Encoded" && std::string_view(attributes[1]) == "true";
}

void XMLCALL on_end(void* self, const XML_Char*) {
  auto& r = *static_cast<Reader*>(self);
  if (r.lengths.empty()) return r.stop("it ends what did not begin");
  if (std::exchange(r.encoded, false)) r.texts.back() = percent_decode(r.texts.back(), false);
  (*r.on_element)(r.path, r.texts.back());
  r.path.resize(r.lengths.back());
  r.lengths.pop_back();
  r.texts.pop_back();
}

void XMLCALL on_text(void* self, const XML_Char* text, int size) {
  auto& r = *static_cast<Reader*>(self);
  if (r.texts.empty() || size <= 0) return;
  std::string& to = r.texts.back();
  if (static_cast<std::size_t>(size) > kMaxText - to.size()) return r.stop("a text in it is too long");
  to.append(text, static_cast<std::size_t>(size));
}

void XMLCALL on_doctype(void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) {
  static_cast<Reader*>(self)->stop("it declares a document type");
}

// What is sent to keep a connection alive while the answer is made.
std::string_view without_space(std::string_view xml) { return xml.substr(std::min(xml.find_first_not_of(" \t\r\n"), xml.size())); }

}  // namespace

Result<void> read_xml(std::string_view xml, const OnElement& on_element) {
  if (xml.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return fail(Errc::limit, "XML of more than 2 GiB");
  const std::unique_ptr<XML_ParserStruct, void (*)(XML_Parser)> parser(::XML_ParserCreate(nullptr), ::XML_ParserFree);
  if (!parser) throw std::bad_alloc();
  Reader reader;
  reader.parser = parser.get();
  reader.on_element = &on_element;
  ::XML_SetUserData(parser.get(), &reader);
  ::XML_SetElementHandler(parser.get(), on_start, on_end);
  ::XML_SetCharacterDataHandler(parser.get(), on_text);
  ::XML_SetStartDoctypeDeclHandler(parser.get(), on_doctype);
  if (::XML_Parse(parser.get(), xml.data(), static_cast<int>(xml.size()), XML_TRUE) == XML_STATUS_OK) return {};
  return fail(Errc::corrupt, fmt::format("XML, line {}: {}", ::XML_GetCurrentLineNumber(parser.get()),
                                         reader.wrong ? reader.wrong : ::XML_ErrorString(::XML_GetErrorCode(parser.get()))));
}

ServiceError parse_error(std::string_view xml) {
  xml = without_space(xml);
  ServiceError out;
  // What was read before it broke is still the best that is known.
  static_cast<void>(read_xml(xml, [&](std::string_view path, const std::string& text) {
    const std::string_view field = path.starts_with("ErrorResponse/Error/") ? path.substr(20)
                                   : path.starts_with("Error/")             ? path.substr(6)
                                                                            : "";
    if (field == "Code") out.code = text;
    if (field == "Message") out.message = text;
    if (field == "Region") out.region = text;
  }));
  return out;
}

}  // namespace lm::store

namespace lm {
namespace {

constexpr std::size_t kMaxEntries = 10'000;

// A page on its way, within bounds.
struct PageReader {
  store::ListPage page;
  store::ListedObject current;
  bool known = false, too_many = false, bad = false;

  void read_size(const std::string& text) {
    const auto size = store::number(text);
    bad |= !size;
    current.size = size.value_or(0);
  }
  void end_object() {
    bad |= current.key.empty();
    too_many |= page.objects.size() >= kMaxEntries;
    if (!too_many) page.objects.push_back(std::move(current));
    current = {};
  }
  void add_prefix(const std::string& prefix) {
    too_many |= page.prefixes.size() >= kMaxEntries;
    if (!too_many) page.prefixes.push_back(prefix);
  }
  Result<void> check(std::string_view root) const {
    if (!known) return fail(Errc::corrupt, fmt::format("the answer is no {}", root));
    if (bad) return fail(Errc::corrupt, "the listing has an entry without a key or a size");
    if (too_many) return fail(Errc::limit, fmt::format("the listing has more than {} entries on a page", kMaxEntries));
    if (page.truncated && page.continuation.empty()) return fail(Errc::corrupt, "the listing goes on, but has no continuation token");
    return {};
  }
};

}  // namespace
}  // namespace lm

namespace lm::aws {

Result<store::ListPage> parse_list(std::string_view xml) {
  constexpr std::string_view kRoot = "ListBucketResult", kContents = "ListBucketResult/Contents";
  PageReader r;
  bool url = false;
  auto done = store::read_xml(xml, [&](std::string_view path, const std::string& text) {
    if (path == kRoot) r.known = true;
    if (!path.starts_with(kRoot)) return;
    if (path.size() > kContents.size() && path.starts_with(kContents)) {
      const std::string_view field = path.substr(kContents.size());
      if (field == "/Key") r.current.key = text;
      if (field == "/ETag") r.current.etag = store::without_quotes(text);
      if (field == "/Size") r.read_size(text);
      if (field == "/LastModified") r.current.mtime_ms = time::rfc3339(text).value_or(0);
      if (field == "/StorageClass") r.current.storage_class = text;
    } else if (path == kContents) {
      r.end_object();
    } else if (path == "ListBucketResult/CommonPrefixes/Prefix") {
      r.add_prefix(text);
    } else if (path == "ListBucketResult/EncodingType") {
      url = text == "url";
    } else if (path == "ListBucketResult/IsTruncated") {
      r.page.truncated = text == "true";
    } else if (path == "ListBucketResult/NextContinuationToken") {
      r.page.continuation = text;
    }
  });
  if (done) done = r.check(kRoot);
  if (!done) return tl::unexpected(done.error());
  if (url) {
    for (store::ListedObject& object : r.page.objects) object.key = store::percent_decode(object.key, true);
    for (std::string& prefix : r.page.prefixes) prefix = store::percent_decode(prefix, true);
  }
  return std::move(r.page);
}

Result<UploadPage> parse_uploads(std::string_view xml, bool asked) {
  UploadPage page;
  OpenUpload current;
  bool url = false, known = false, too_many = false, bad = false;
  auto done = store::read_xml(xml, [&](std::string_view path, const std::string& text) {
    constexpr std::string_view kRoot = "ListMultipartUploadsResult";
    if (path == kRoot) known = true;
    if (path.size() <= kRoot.size() || !path.starts_with(kRoot)) return;
    const std::string_view field = path.substr(kRoot.size());
    if (field == "/Upload/Key") {
      current.key = text;
    } else if (field == "/Upload/UploadId") {
      current.id = text;
    } else if (field == "/Upload") {
      bad |= current.key.empty() || current.id.empty();
      too_many |= page.uploads.size() >= kMaxEntries;
      if (!too_many) page.uploads.push_back(std::move(current));
      current = {};
    } else if (field == "/EncodingType") {
      url = text == "url";
    } else if (field == "/IsTruncated") {
      page.truncated = text == "true";
    } else if (field == "/NextKeyMarker") {
      page.next_key = text;
    } else if (field == "/NextUploadIdMarker") {
      page.next_id = text;
    }
  });
  if (!done) return tl::unexpected(done.error());
  if (!known) return fail(Errc::corrupt, "the answer is no ListMultipartUploadsResult");
  if (bad) return fail(Errc::corrupt, "the listing has an upload without a key or an id");
  if (too_many) return fail(Errc::limit, fmt::format("the listing has more than {} uploads on a page", kMaxEntries));
  if (page.truncated && page.next_key.empty()) return fail(Errc::corrupt, "the listing goes on, but does not say where");
  if (url || asked) {
    for (OpenUpload& upload : page.uploads) upload.key = store::percent_decode(upload.key, true);
  }
  if (url) page.next_key = store::percent_decode(page.next_key, true);
  return page;
}

Result<std::string> parse_upload_id(std::string_view xml) {
  std::string id;
  auto done = store::read_xml(xml, [&](std::string_view path, const std::string& text) {
    if (path == "InitiateMultipartUploadResult/UploadId") id = text;
  });
  if (!done) return tl::unexpected(done.error());
  if (id.empty()) return fail(Errc::corrupt, "the answer has no id of an upload");
  return id;
}

Result<void> parse_completed(std::string_view xml) {
  bool known = false;
  auto done = store::read_xml(store::without_space(xml),
                              [&](std::string_view path, const std::string&) { known |= path == "CompleteMultipartUploadResult"; });
  if (!done) return done;
  if (!known) return fail(Errc::corrupt, "the answer is no CompleteMultipartUploadResult");
  return {};
}

std::string completion(const std::vector<std::string>& etags) {
  std::string out = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  unsigned number = 0;
  for (const std::string& etag : etags) {
    out += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>&quot;", ++number);
    for (const char c : etag) {
      if (c == '&' || c == '<' || c == '>' || c == '"') {
        out += fmt::format("&#{};", static_cast<int>(c));
      } else {
        out += c;
      }
    }
    out += "&quot;</ETag></Part>";
  }
  return out + "</CompleteMultipartUpload>";
}

}  // namespace lm::aws

namespace lm::azure {

Result<store::ListPage> parse_list(std::string_view xml) {
  constexpr std::string_view kRoot = "EnumerationResults", kBlob = "EnumerationResults/Blobs/Blob";
  PageReader r;
  bool appended = false, sealed = false, directory = false;
  auto done = store::read_xml(xml, [&](std::string_view path, const std::string& text) {
    if (path == kRoot) r.known = true;
    if (path == kBlob) {
      r.current.growing = appended && !sealed;
      if (directory) {
        r.current = {};
      } else {
        r.end_object();
      }
      appended = sealed = directory = false;
    } else if (path == "EnumerationResults/Blobs/BlobPrefix/Name") {
      r.add_prefix(text);
    } else if (path == "EnumerationResults/NextMarker") {
      r.page.continuation = text;
      r.page.truncated = !text.empty();
    }
    if (!path.starts_with(kBlob) || path.size() == kBlob.size()) return;
    const std::string_view field = path.substr(kBlob.size());
    if (field == "/Name") r.current.key = text;
    if (field == "/Properties/Etag") r.current.etag = store::without_quotes(text);
    if (field == "/Properties/Content-Length") r.read_size(text);
    if (field == "/Properties/Last-Modified") r.current.mtime_ms = store::http_date_ms(text);
    if (field == "/Properties/AccessTier") r.current.storage_class = text;
    if (field == "/Properties/BlobType") appended = text == "AppendBlob";
    if (field == "/Properties/Sealed") sealed = text == "true";
    if (field == "/Properties/ResourceType") directory = text == "directory";
  });
  if (done) done = r.check(kRoot);
  if (!done) return tl::unexpected(done.error());
  return std::move(r.page);
}

}  // namespace lm::azure
