#include "object_store/xml.hpp"

#include "object_store/sigv4.hpp"

#include <logmill/sdk/time.hpp>

#include <expat.h>
#include <fmt/format.h>
#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>

namespace lm::aws {
namespace {

constexpr std::size_t kMaxDepth = 16;
constexpr std::size_t kMaxText = 16 << 10;  // a key of 1,024 bytes, each as %XX, and room
constexpr std::size_t kMaxEntries = 10'000;

struct Reader {
  XML_Parser parser = nullptr;
  const OnElement* on_element = nullptr;
  std::string path;
  std::vector<std::size_t> lengths;  // of the paths above
  std::vector<std::string> texts;
  const char* wrong = nullptr;

  void stop(const char* why) {
    if (!wrong) wrong = why;
    ::XML_StopParser(parser, XML_FALSE);
  }
};

void XMLCALL on_start(void* self, const XML_Char* name, const XML_Char**) {
  auto& r = *static_cast<Reader*>(self);
  std::string_view local(name);
  if (const std::size_t colon = local.rfind(':'); colon != std::string_view::npos) local.remove_prefix(colon + 1);
  if (r.lengths.size() >= kMaxDepth || local.size() > 256) return r.stop("it is nested too deeply");
  r.lengths.push_back(r.path.size());
  if (!r.path.empty()) r.path += '/';
  r.path += local;
  r.texts.emplace_back();
}

void XMLCALL on_end(void* self, const XML_Char*) {
  auto& r = *static_cast<Reader*>(self);
  if (r.lengths.empty()) return r.stop("it ends what did not begin");
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

std::string without_quotes(std::string text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') return text.substr(1, text.size() - 2);
  return text;
}

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

Result<ListPage> parse_list(std::string_view xml) {
  ListPage page;
  ListedObject current;
  bool url = false, known = false, too_many = false, bad = false;
  auto done = read_xml(xml, [&](std::string_view path, const std::string& text) {
    constexpr std::string_view kRoot = "ListBucketResult", kContents = "ListBucketResult/Contents";
    if (path == kRoot) known = true;
    if (!path.starts_with(kRoot)) return;
    if (path.size() > kContents.size() && path.starts_with(kContents)) {
      const std::string_view field = path.substr(kContents.size());
      if (field == "/Key") {
        current.key = text;
      } else if (field == "/ETag") {
        current.etag = without_quotes(text);
      } else if (field == "/Size") {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), current.size);
        bad |= error != std::errc{} || end != text.data() + text.size();
      } else if (field == "/LastModified") {
        current.mtime_ms = time::rfc3339(text).value_or(0);
      } else if (field == "/StorageClass") {
        current.storage_class = text;
      }
    } else if (path == kContents) {
      bad |= current.key.empty();
      too_many |= page.objects.size() >= kMaxEntries;
      if (!too_many) page.objects.push_back(std::move(current));
      current = {};
    } else if (path == "ListBucketResult/CommonPrefixes/Prefix") {
      too_many |= page.prefixes.size() >= kMaxEntries;
      if (!too_many) page.prefixes.push_back(text);
    } else if (path == "ListBucketResult/EncodingType") {
      url = text == "url";
    } else if (path == "ListBucketResult/IsTruncated") {
      page.truncated = text == "true";
    } else if (path == "ListBucketResult/NextContinuationToken") {
      page.continuation = text;
    }
  });
  if (!done) return tl::unexpected(done.error());
  if (!known) return fail(Errc::corrupt, "the answer is no ListBucketResult");
  if (bad) return fail(Errc::corrupt, "the listing has an entry without a key or a size");
  if (too_many) return fail(Errc::limit, fmt::format("the listing has more than {} entries on a page", kMaxEntries));
  if (page.truncated && page.continuation.empty()) return fail(Errc::corrupt, "the listing goes on, but has no continuation token");
  if (url) {
    for (ListedObject& object : page.objects) object.key = percent_decode(object.key, true);
    for (std::string& prefix : page.prefixes) prefix = percent_decode(prefix, true);
  }
  return page;
}

Result<UploadPage> parse_uploads(std::string_view xml) {
  UploadPage page;
  OpenUpload current;
  bool url = false, known = false, too_many = false, bad = false;
  auto done = read_xml(xml, [&](std::string_view path, const std::string& text) {
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
  if (url) {
    for (OpenUpload& upload : page.uploads) upload.key = percent_decode(upload.key, true);
    page.next_key = percent_decode(page.next_key, true);
  }
  return page;
}

Result<std::string> parse_upload_id(std::string_view xml) {
  std::string id;
  auto done = read_xml(xml, [&](std::string_view path, const std::string& text) {
    if (path == "InitiateMultipartUploadResult/UploadId") id = text;
  });
  if (!done) return tl::unexpected(done.error());
  if (id.empty()) return fail(Errc::corrupt, "the answer has no id of an upload");
  return id;
}

Result<void> parse_completed(std::string_view xml) {
  bool known = false;
  auto done =
      read_xml(without_space(xml), [&](std::string_view path, const std::string&) { known |= path == "CompleteMultipartUploadResult"; });
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

}  // namespace lm::aws
