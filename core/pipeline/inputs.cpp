// The inputs of a run: what the user named, and lists of objects. A list is one uri a line, an S3 Inventory manifest (manifest.json with its CSV files),
// or event notifications of S3, as S3 itself, EventBridge, SQS or SNS write them into a file.
// (Amazon S3 User Guide, "Locating your inventory list", "Event message structure".)
#include "decode/decode.hpp"
#include "object_store/s3.hpp"
#include "object_store/stores.hpp"
#include "pipeline/run_impl.hpp"

#include <fmt/format.h>
#include <simdjson.h>
#include <sys/stat.h>
#include <charconv>
#include <cstdlib>
#include <deque>
#include <future>

namespace lm {
namespace {

constexpr std::size_t kMaxDocument = std::size_t{256} << 20;  // of JSON, which is read whole
constexpr std::size_t kMaxLine = 64 << 10;
constexpr std::size_t kAsked = 32;  // objects that are asked for their ETag at once
constexpr unsigned kMaxInner = 4;   // messages in messages

// The decoded bytes of a stream, a line at a time.
class Lines {
 public:
  explicit Lines(std::unique_ptr<ByteStream> stream) : stream_(std::move(stream)), decoder_(make_object_decoder(DecodeLimits{})) {}

  // False at the end. The line is without its end; in CSV a quoted field may go over several lines.
  Result<bool> next(std::string& line, bool csv) {
    line.clear();
    bool quoted = false;
    for (;;) {
      for (; at_ < decoded_.size(); ++at_) {
        const char c = decoded_[at_];
        if (csv && c == '"') quoted = !quoted;
        if (c == '\n' && !quoted) {
          ++at_;
          if (line.ends_with('\r')) line.pop_back();
          return true;
        }
        if (line.size() == kMaxLine) return fail(Errc::limit, fmt::format("a line of more than {} bytes", kMaxLine));
        line += c;
      }
      auto more = fill();
      if (!more) return tl::unexpected(more.error());
      if (!*more) return !line.empty();
    }
  }

  // All that is left, from the first byte that is no space on, if that is one of `first`.
  Result<std::optional<std::string>> document(std::string_view first) {
    for (;;) {
      const std::size_t begin = decoded_.find_first_not_of(" \t\r\n", at_);
      if (begin != std::string::npos) {
        if (first.find(decoded_[begin]) == std::string_view::npos) return std::optional<std::string>();
        std::string out = decoded_.substr(begin);
        for (;;) {
          auto more = fill();
          if (!more) return tl::unexpected(more.error());
          if (!*more) return std::optional(std::move(out));
          out += decoded_;
          if (out.size() > kMaxDocument) return fail(Errc::limit, fmt::format("a document of more than {} bytes", kMaxDocument));
        }
      }
      if (decoded_.size() > kMaxLine) return std::optional<std::string>();
      auto more = fill();
      if (!more) return tl::unexpected(more.error());
      if (!*more) return std::optional<std::string>();
    }
  }

 private:
  // The next decoded bytes in place of those before.
  Result<bool> fill() {
    decoded_.resize(64 << 10);
    at_ = 0;
    while (!ended_) {
      if (!fed_) {
        stored_.resize(64 << 10);
        auto n = stream_->read(stored_);
        if (!n) return tl::unexpected(n.error());
        if (*n == 0) {
          decoder_->end_of_input();
        } else {
          decoder_->feed(std::span(stored_).first(*n));
        }
        fed_ = true;
      }
      auto pulled = decoder_->pull(std::as_writable_bytes(std::span(decoded_)));
      if (!pulled) return tl::unexpected(pulled.error());
      ended_ = pulled->state == Pull::end;
      fed_ = pulled->state != Pull::need_input;
      if (pulled->produced != 0) {
        decoded_.resize(pulled->produced);
        return true;
      }
    }
    decoded_.clear();
    return false;
  }

  std::unique_ptr<ByteStream> stream_;
  std::unique_ptr<ObjectDecoder> decoder_;
  std::vector<std::byte> stored_;
  std::string decoded_;
  std::size_t at_ = 0;
  bool fed_ = false, ended_ = false;
};

ObjectRef s3_object(std::string bucket, std::string key, std::string etag, std::uint64_t size) {
  return {fmt::format("s3://{}/{}", bucket, key), std::move(key), std::move(etag), size, 0};
}

std::vector<std::string> csv_fields(std::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') {
      if (quoted && i + 1 < line.size() && line[i + 1] == '"') {
        fields.back() += '"';
        ++i;
      } else {
        quoted = !quoted;
      }
    } else if (line[i] == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += line[i];
    }
  }
  return fields;
}

struct Inventory {
  std::string bucket, destination;
  std::vector<std::string> files;
  std::size_t key = 0, size = 0, etag = 0, bucket_column = 0;  // columns, from 1; 0: there is none
  std::size_t latest = 0, marker = 0;
};

class ListedSource final : public Source {
 public:
  ListedSource(std::string name, const RunOptions& options, std::function<bool()> stop)
      : name_(std::move(name)),
        options_{options.s3, options.azure, {options.since_ms, options.until_ms, options.accounts, options.regions}, std::move(stop), {}},
        stores_(options_.s3, options_.azure, options_.stop) {}

  Result<void> open_list() {
    auto source = open_source(name_, {options_.s3, options_.azure, {}, options_.stop, {}});
    if (!source) return tl::unexpected(source.error());
    auto page = (*source)->list("", 1);
    if (!page) return tl::unexpected(page.error());
    if (page->objects.empty() || (store::Stores::names_one(name_) && page->objects[0].uri != name_))
      return fail(Errc::not_found, fmt::format("{}: there is no such list", name_));
    auto stream = (*source)->open(page->objects[0]);
    if (!stream) return tl::unexpected(stream.error());
    list_source_ = std::move(*source);
    lines_ = std::make_unique<Lines>(std::move(*stream));
    auto document = lines_->document("{[");
    if (!document) return wrong(document.error());
    if (*document) return read_json(**document);
    return {};
  }

  // In the order of the list: it is read once.
  Result<ObjectPage> list(std::string_view after, std::size_t limit) override {
    ObjectPage page;
    page.last = false;
    if (after != last_) return fail(Errc::unsupported, fmt::format("{}: a list of objects is read from its beginning", name_));
    while (page.objects.size() < limit) {
      auto object = next();
      if (!object) return tl::unexpected(object.error());
      if (!*object) {
        page.last = true;
        break;
      }
      if (!options_.filter.wants((*object)->key)) continue;
      page.objects.push_back(std::move(**object));
    }
    look_up(page.objects);
    if (!page.objects.empty()) last_ = page.objects.back().uri;
    return page;
  }

  Result<std::unique_ptr<ByteStream>> open(const ObjectRef& object, std::uint64_t from) override {
    if (!store::Stores::names_one(object.uri)) return open_file(object, from);
    auto place = stores_.find(object.uri);
    if (!place) return tl::unexpected(place.error());
    return open_remote_object(*place->bucket, std::move(place->key), object, from);
  }

  Result<ObjectRef> look_again(const ObjectRef& object) override {
    if (!store::Stores::names_one(object.uri)) return local_object(object.uri);
    auto place = stores_.find(object.uri);
    if (!place) return tl::unexpected(place.error());
    return look_again_at(*place->bucket, place->key, object);
  }

  bool remote() const override { return true; }

 private:
  tl::unexpected<Error> wrong(const Error& error) const { return fail(error.code, fmt::format("{}: {}", name_, error.what)); }

  Result<std::optional<ObjectRef>> next() {
    for (;;) {
      if (!named_.empty()) {
        std::optional<ObjectRef> object = std::move(named_.front());
        named_.pop_front();
        return object;
      }
      if (inventory_ && !lines_) {
        if (inventory_->files.empty()) return std::optional<ObjectRef>();
        auto opened = open_inventory_file();
        if (!opened) return tl::unexpected(opened.error());
      }
      if (!lines_) return std::optional<ObjectRef>();
      std::string line;
      auto more = lines_->next(line, inventory_.has_value());
      if (!more) return wrong(more.error());
      if (!*more) {
        lines_.reset();
        continue;
      }
      if (inventory_) {
        auto object = inventory_row(line);
        if (!object) return tl::unexpected(object.error());
        if (*object) return object;
        continue;
      }
      if (line.find_first_not_of(" \t") == std::string::npos) continue;
      if (!store::Stores::names_one(line)) return std::optional(local_object(line));
      auto place = stores_.find(line);
      if (!place) return wrong(place.error());
      return std::optional(ObjectRef{std::move(line), place->bucket->key_base() + place->key, {}, 0, 0});
    }
  }

  // Identity is the ETag: objects that were only named are asked for it, many at once. One that does not answer says why when it is read.
  void look_up(std::vector<ObjectRef>& objects) {
    std::deque<std::pair<ObjectRef*, std::future<Result<ObjectRef>>>> asked;
    const auto take = [&] {
      auto& [object, answer] = asked.front();
      if (auto known = answer.get()) *object = std::move(*known);
      asked.pop_front();
    };
    for (ObjectRef& object : objects) {
      if (!object.etag.empty() || !store::Stores::names_one(object.uri)) continue;
      if (asked.size() == kAsked) take();
      asked.emplace_back(&object, std::async(std::launch::async, [this, &object] { return look_again(object); }));
    }
    while (!asked.empty()) take();
  }

  // ---- JSON: a manifest, or notifications ----

  Result<void> read_json(const std::string& text) {
    lines_.reset();
    simdjson::dom::parser parser;
    simdjson::dom::document_stream documents;
    const simdjson::padded_string padded(text);
    const auto no_json = [&] { return fail(Errc::invalid, fmt::format("{}: it begins as JSON, but is none", name_)); };
    if (parser.parse_many(padded, padded.size() + 64).get(documents) != simdjson::SUCCESS) return no_json();
    for (auto document : documents) {
      simdjson::dom::element element;
      if (document.get(element) != simdjson::SUCCESS) return no_json();
      std::string_view schema;
      if (element["fileSchema"].get(schema) == simdjson::SUCCESS) return read_manifest(element, schema);
      find_notifications(element, 0);
    }
    if (documents.truncated_bytes() != 0) return no_json();
    if (named_.empty())
      return fail(Errc::invalid, fmt::format("{}: neither an S3 Inventory manifest nor S3 notifications of new objects", name_));
    return {};
  }

  static std::string_view text_of(simdjson::simdjson_result<simdjson::dom::element> element) {
    std::string_view text;
    return element.get(text) == simdjson::SUCCESS ? text : std::string_view();
  }

  Result<void> read_manifest(simdjson::dom::element manifest, std::string_view schema) {
    Inventory out;
    if (text_of(manifest["fileFormat"]) != "CSV")
      return fail(Errc::unsupported, fmt::format("{}: an S3 Inventory as {}; CSV is read", name_, text_of(manifest["fileFormat"])));
    out.bucket = text_of(manifest["sourceBucket"]);
    out.destination = text_of(manifest["destinationBucket"]);
    if (const std::size_t colon = out.destination.rfind(':'); colon != std::string::npos) out.destination.erase(0, colon + 1);
    std::size_t column = 0;
    for (std::string field : csv_fields(schema)) {
      ++column;
      field.erase(0, field.find_first_not_of(' '));
      if (field == "Bucket") out.bucket_column = column;
      if (field == "Key") out.key = column;
      if (field == "Size") out.size = column;
      if (field == "ETag") out.etag = column;
      if (field == "IsLatest") out.latest = column;
      if (field == "IsDeleteMarker") out.marker = column;
    }
    simdjson::dom::array files;
    if (out.key == 0 || manifest["files"].get(files) != simdjson::SUCCESS)
      return fail(Errc::invalid, fmt::format("{}: the manifest names no keys", name_));
    for (const simdjson::dom::element file : files) out.files.emplace_back(text_of(file["key"]));
    inventory_ = std::move(out);
    return {};
  }

  // Beside a local manifest, as the inventory lies in its bucket, or else in the bucket.
  Result<void> open_inventory_file() {
    const std::string key = inventory_->files.front();
    inventory_->files.erase(inventory_->files.begin());
    Result<std::unique_ptr<ByteStream>> stream = fail(Errc::not_found, "");
    if (!store::Stores::names_one(name_) && key.find("/data/") != std::string::npos) {
      const std::string file = key.substr(key.rfind('/') + 1);
      const std::string folder = name_.substr(0, name_.rfind('/') == std::string::npos ? 0 : name_.rfind('/') + 1);
      for (const char* data : {"../data/", "data/", ""}) {
        if (stream || file.empty() || file == "..") break;
        stream = open_file(local_object(fmt::format("{}{}{}", folder, data, file)), 0);
      }
    }
    if (!stream) {
      auto place = stores_.find(fmt::format("s3://{}/{}", inventory_->destination, key));
      if (!place) return wrong(place.error());
      stream = open_remote_object(*place->bucket, std::move(place->key), {}, 0);
    }
    if (!stream) return wrong(stream.error());
    lines_ = std::make_unique<Lines>(std::move(*stream));
    return {};
  }

  Result<std::optional<ObjectRef>> inventory_row(const std::string& line) {
    const std::vector<std::string> fields = csv_fields(line);
    const auto field = [&](std::size_t column) { return column != 0 && column <= fields.size() ? fields[column - 1] : std::string(); };
    if (line.empty()) return std::optional<ObjectRef>();
    if (field(inventory_->key).empty()) return fail(Errc::invalid, fmt::format("{}: a row of the inventory has no key", name_));
    if (field(inventory_->latest) == "false" || field(inventory_->marker) == "true") return std::optional<ObjectRef>();
    std::uint64_t size = 0;
    const std::string text = field(inventory_->size);
    std::from_chars(text.data(), text.data() + text.size(), size);
    std::string key = aws::percent_decode(field(inventory_->key), true);
    if (size == 0 && key.ends_with('/')) return std::optional<ObjectRef>();
    const std::string bucket = field(inventory_->bucket_column);
    return std::optional(s3_object(bucket.empty() ? inventory_->bucket : bucket, std::move(key), field(inventory_->etag), size));
  }

  // {"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":...},"object":{"key":...,"size":...,"eTag":...}}}]}, and EventBridge's
  // {"detail-type":"Object Created","detail":{"bucket":{"name":...},"object":{"key":...,"size":...,"etag":...}}}; in the text of a message or not.
  void find_notifications(simdjson::dom::element element, unsigned depth) {
    if (depth > 16) return;
    if (simdjson::dom::array array; element.get(array) == simdjson::SUCCESS) {
      for (const simdjson::dom::element inner : array) find_notifications(inner, depth + 1);
      return;
    }
    simdjson::dom::object object;
    if (element.get(object) != simdjson::SUCCESS) return;
    simdjson::dom::object part;
    if (element["s3"].get(part) == simdjson::SUCCESS) {
      const std::string_view event = text_of(element["eventName"]);
      if (event.find("ObjectCreated") != std::string_view::npos || event.find("ObjectRestore:Completed") != std::string_view::npos)
        add_notified(element["s3"], "eTag", true);
      return;
    }
    if (text_of(element["detail-type"]) == "Object Created") return add_notified(element["detail"], "etag", false);
    for (const char* name : {"Records", "Messages"}) {
      if (simdjson::dom::element inner; element[name].get(inner) == simdjson::SUCCESS) find_notifications(inner, depth + 1);
    }
    // A message of SQS or SNS holds it as text.
    for (const char* name : {"Body", "body", "Message"}) {
      const std::string text(text_of(element[name]));
      simdjson::dom::parser parser;
      simdjson::dom::element inner;
      if (!text.empty() && depth < kMaxInner && parser.parse(text).get(inner) == simdjson::SUCCESS) find_notifications(inner, depth + 1);
    }
  }

  void add_notified(simdjson::simdjson_result<simdjson::dom::element> from, const char* etag_name, bool encoded) {
    std::string bucket(text_of(from["bucket"]["name"]));
    std::string key(text_of(from["object"]["key"]));
    if (encoded) key = aws::percent_decode(key, true);
    std::uint64_t size = 0;
    if (from["object"]["size"].get(size) != simdjson::SUCCESS) size = 0;
    if (key.empty() || !s3::parse_uri(fmt::format("s3://{}/", bucket)) || (size == 0 && key.ends_with('/'))) return;
    named_.push_back(s3_object(std::move(bucket), std::move(key), std::string(text_of(from["object"][etag_name])), size));
  }

  std::string name_;
  SourceOptions options_;
  store::Stores stores_;  // these outlive the stream of lines_
  std::unique_ptr<Source> list_source_;
  std::unique_ptr<Lines> lines_;
  std::optional<Inventory> inventory_;
  std::deque<ObjectRef> named_;
  std::string last_;
};

std::string real_path(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
  return real ? std::string(real.get()) : std::string();
}

}  // namespace

bool Seen::is_new(const Source& source, const ObjectRef& object) {
  const auto [at, fresh] = seen_.try_emplace(place_of(object.uri), &source);
  return fresh || (at->second == &source && source.has_links());
}

// Links are followed, for "link/../a" is not what it looks like.
std::string Seen::place_of(const std::string& uri) {
  if (uri == "-" || store::Stores::names_one(uri)) return uri;
  std::string path = uri;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::size_t slash = path.rfind('/');
  const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  struct stat s {};
  if (name.empty() || name == "." || name == ".." || (::lstat(path.c_str(), &s) == 0 && S_ISLNK(s.st_mode))) {
    if (std::string real = real_path(path); !real.empty()) return real;
  }
  std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (folder != folder_) {
    real_folder_ = real_path(folder);
    folder_ = std::move(folder);
  }
  if (real_folder_.empty()) return uri;
  return real_folder_ + (real_folder_.back() == '/' ? "" : "/") + name;
}

Result<std::vector<std::unique_ptr<Source>>> open_sources(const RunOptions& options, std::function<bool()> stop) {
  std::vector<std::unique_ptr<Source>> out;
  if (options.inputs.empty() && options.objects_from.empty()) return fail(Errc::invalid, "no input");
  SourceOptions source_options{
      options.s3, options.azure, {options.since_ms, options.until_ms, options.accounts, options.regions}, stop, {}};
  for (const SinkSpec& sink : options.sinks) {
    if (sink.target != "-") source_options.own.push_back(sink.target);
  }
  if (!options.rejects.empty()) source_options.own.push_back(options.rejects.string());
  for (const std::string& input : options.inputs) {
    auto source = open_source(input, source_options);
    if (!source) return tl::unexpected(source.error());
    out.push_back(std::move(*source));
  }
  if (!options.objects_from.empty()) {
    auto source = std::make_unique<ListedSource>(options.objects_from, options, std::move(stop));
    if (auto ok = source->open_list(); !ok) return tl::unexpected(ok.error());
    out.push_back(std::move(source));
  }
  return out;
}

}  // namespace lm
