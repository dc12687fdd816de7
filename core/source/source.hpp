// Where objects come from. A Source lists objects and opens them; it knows nothing of compression or formats.
#pragma once

#include "base/result.hpp"
#include "source/layout.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lm {

struct ObjectRef {
  std::string uri;            // as the user would name it: "evidence/a.json.gz", "s3://bucket/key", "-"
  std::string key;            // what key patterns are matched against: the path or the key, of Azure with its container
  std::string etag;           // or version; for local files made from size and modification time
  std::uint64_t size = 0;     // bytes as stored; 0 if unknown (stdin)
  std::int64_t mtime_ms = 0;  // milliseconds since 1970-01-01 UTC; 0 if unknown
  bool growing = false;       // more may be put behind its end: what has no end there yet may be half of it
  std::string trouble = {};   // not empty: it cannot be opened, as the listing saw; also a directory, whose uri then ends in '/'
};

struct ObjectPage {
  std::vector<ObjectRef> objects;
  bool last = true;
};

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // Waits a moment for something to read, or for the end. False: nothing came; ask again, or give up. Pipes and terminals may be silent for ever.
  virtual bool ready() { return true; }
  // Blocks. Answers how many bytes were read, 0 at the end. One thread at a time.
  virtual Result<std::size_t> read(std::span<std::byte> out) = 0;
};

class Source {
 public:
  virtual ~Source() = default;
  // The objects behind `after` ("" for the first page), in the order of their uris, at most `limit`. Stable, so that listing can be
  // resumed; memory is bounded by the page, not by the number of objects, as far as the store allows.
  virtual Result<ObjectPage> list(std::string_view after, std::size_t limit) = 0;
  // [any] Blocks; never called in a TBB worker.
  virtual Result<std::unique_ptr<ByteStream>> open(const ObjectRef&, std::uint64_t from = 0) = 0;
  // [any] Blocks; never called in a TBB worker. What an object that was listed is by now, of the same uri.
  virtual Result<ObjectRef> look_again(const ObjectRef& object) { return object; }
  // Its objects are far away: many should be asked for at once.
  virtual bool remote() const { return false; }
  // It may list one file under two names, for there are links, and both are meant.
  virtual bool has_links() const { return false; }
};

struct SourceOptions {
  S3Options s3;
  AzureOptions azure;
  KeyFilter filter;              // of what a listing finds; what was named itself is always read
  std::function<bool()> stop;    // asked while a listing waits for a store; may be empty
  std::vector<std::string> own;  // folders that the run writes to: where one lies below an input, what is in it is no object
};

// A file, a directory (recursive), a glob (`*`, `?`, `[...]`, `**`), "-" for stdin, s3://BUCKET/PREFIX or az://ACCOUNT/CONTAINER/PREFIX. Not there:
// Errc::not_found, also for a glob that matches nothing. What is there and cannot be read, a directory or a link that leads nowhere, is listed with its trouble.
Result<std::unique_ptr<Source>> open_source(std::string_view input, const SourceOptions& = {});

// One uri of a store. What needs the stores' own clients is in object_store/.
Result<std::unique_ptr<Source>> open_remote(std::string_view input, const SourceOptions&);
namespace store {
class Bucket;
}  // namespace store
// [any] The bucket must outlive the stream.
std::unique_ptr<ByteStream> open_remote_object(store::Bucket&, std::string key, const ObjectRef&, std::uint64_t from);
// [any] Blocks. `object` as it is by now.
Result<ObjectRef> look_again_at(store::Bucket&, const std::string& key, ObjectRef object);

// A file, as sources name it. One that is not there has no etag and no size, and says so when it is opened.
ObjectRef local_object(const std::string& path);
Result<std::unique_ptr<ByteStream>> open_file(const ObjectRef&, std::uint64_t from);

}  // namespace lm
