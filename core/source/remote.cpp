// s3://bucket/prefix and az://account/container/prefix as sources.
//
// The listing is a line of prefixes in the order of their names. The first few are asked for at once, each a page, and shown in their order: memory is so
// many pages, whatever the bucket holds, and what the names say (layout.hpp) is used to leave out whole prefixes.
#include "object_store/stores.hpp"
#include "source/source.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <deque>
#include <future>

namespace lm {
namespace {

constexpr std::size_t kPages = 8;          // asked for at once
constexpr unsigned kUnknownSteps = 2;      // levels that are looked at for a layout that we know, below the input
constexpr std::size_t kUnknownNames = 64;  // more names side by side: no layout that we know
constexpr std::size_t kMostPerRequest = 1000;

class RemoteStream final : public ByteStream {
 public:
  explicit RemoteStream(std::unique_ptr<store::Download> download) : download_(std::move(download)) {}
  bool ready() override { return download_->ready(); }
  Result<std::size_t> read(std::span<std::byte> out) override { return download_->read(out); }

 private:
  std::unique_ptr<store::Download> download_;
};

}  // namespace

std::unique_ptr<ByteStream> open_remote_object(store::Bucket& bucket, std::string key, const ObjectRef& object, std::uint64_t from) {
  return std::make_unique<RemoteStream>(bucket.get({std::move(key), object.etag, object.size, from}));
}

Result<ObjectRef> look_again_at(store::Bucket& bucket, const std::string& key, ObjectRef object) {
  auto head = bucket.head(key);
  if (!head) return tl::unexpected(head.error());
  object.etag = std::move(head->etag), object.size = head->size, object.mtime_ms = head->mtime_ms, object.growing = head->growing;
  return object;
}

namespace {

class RemoteSource final : public Source {
 public:
  RemoteSource(store::Place place, const SourceOptions& options)
      : bucket_(std::move(place.bucket)), prefix_(std::move(place.key)), filter_(options.filter) {
    for (std::string own : options.own) {
      if (!own.starts_with(bucket_->base())) continue;
      while (own.ends_with('/')) own.pop_back();
      own.erase(0, bucket_->base().size());
      own += '/';
      // What was named itself is read, also where it is the run's own.
      if (own.size() > 1 && !(prefix_ + '/').starts_with(own)) own_.push_back(std::move(own));
    }
  }

  Result<ObjectPage> list(std::string_view after, std::size_t limit) override {
    const std::string& base = bucket_->base();
    if (first_ && after.empty() && first_->objects.size() <= limit) {
      ObjectPage page = std::move(*first_);
      first_.reset();
      return page;
    }
    if (first_ || after.empty() || after != last_) {
      first_.reset();
      after_.clear();
      if (after.starts_with(base)) after_ = after.substr(base.size());
      line_.clear();
      line_.push_back({prefix_, first_descent(), {}, {}, {}, 0, 0});
    }
    ObjectPage page;
    page.last = false;
    while (page.objects.size() < limit) {
      if (line_.empty()) {
        page.last = true;
        break;
      }
      ask_ahead();
      Part& part = line_.front();
      if (part.asked) {
        auto answer = part.page.get();
        part.asked = false;
        if (!answer) {
          line_.clear();
          last_.clear();
          // What was found out before the run began is the user's to put right; what comes later, the run's end.
          return fail(looked_ ? Errc::io : answer.error().code, fmt::format("{}{}: {}", base, prefix_, answer.error().what));
        }
        open_up(std::move(*answer));
        continue;
      }
      if (part.shown == part.objects.size()) {
        line_.pop_front();
        continue;
      }
      page.objects.push_back(std::move(part.objects[part.shown++]));
    }
    if (!page.objects.empty()) last_ = page.objects.back().uri;
    return page;
  }

  Result<std::unique_ptr<ByteStream>> open(const ObjectRef& object, std::uint64_t from) override {
    return open_remote_object(*bucket_, key_of(object), object, from);
  }

  Result<ObjectRef> look_again(const ObjectRef& object) override { return look_again_at(*bucket_, key_of(object), object); }

  bool remote() const override { return true; }

  // Whether it is there and may be read is found out before a run begins; what was listed for it is kept.
  Result<void> look() {
    auto page = list("", kMostPerRequest);
    if (!page) return tl::unexpected(page.error());
    if (page->objects.empty() && page->last && !filter_.active())
      return fail(Errc::not_found, fmt::format("{}{}: nothing begins with this", bucket_->base(), prefix_));
    first_ = std::move(*page);
    looked_ = true;
    return {};
  }

 private:
  struct Part {
    std::string prefix;
    bool step = false;  // by '/', for what is below is looked at first
    std::string continuation;
    std::future<Result<store::ListPage>> page;
    std::vector<ObjectRef> objects;
    std::size_t shown = 0;
    unsigned unknown = 0;  // levels that were no layout yet
    bool asked = false, answered = false;
  };

  std::string key_of(const ObjectRef& object) const { return object.uri.substr(bucket_->base().size()); }

  bool is_own(std::string_view key) const {
    return std::any_of(own_.begin(), own_.end(), [&](const std::string& own) { return key.starts_with(own); });
  }

  bool first_descent() const { return descend(prefix_, filter_) != Descend::whole; }

  void ask_ahead() {
    std::size_t asked = 0;
    for (Part& part : line_) {
      if (asked == kPages) return;
      ++asked;
      if (part.asked || part.answered) continue;
      part.asked = part.answered = true;
      store::ListRequest request{part.prefix, part.step ? "/" : "", part.step ? "" : after_, part.continuation, kMostPerRequest};
      part.page = std::async(std::launch::async, [this, request = std::move(request)] { return bucket_->list(request); });
    }
  }

  // The first part becomes what its page holds, in the order of the names, and what is behind the page.
  void open_up(store::ListPage page) {
    Part part = std::move(line_.front());
    line_.pop_front();
    std::vector<Part> parts;
    if (part.step && part.unknown >= 1 && page.prefixes.size() > kUnknownNames && descend(part.prefix, filter_) == Descend::unknown) {
      line_.push_front({part.prefix, false, {}, {}, {}, 0, 0});
      return;
    }
    std::size_t object = 0;
    const auto objects_before = [&](const std::string* prefix) {
      Part found;
      found.answered = true;
      for (; object < page.objects.size() && (!prefix || page.objects[object].key < *prefix); ++object) {
        store::ListedObject& o = page.objects[object];
        if (o.size == 0 && o.key.ends_with('/')) continue;  // consoles make them, to show a folder
        if (o.key <= after_ || !o.key.starts_with(part.prefix) || !filter_.wants(o.key) || is_own(o.key)) continue;
        found.objects.push_back({bucket_->base() + o.key, bucket_->key_base() + o.key, std::move(o.etag), o.size, o.mtime_ms, o.growing});
      }
      if (!found.objects.empty()) parts.push_back(std::move(found));
    };
    for (const std::string& prefix : page.prefixes) {
      objects_before(&prefix);
      if (!prefix.starts_with(part.prefix) || prefix.size() == part.prefix.size()) continue;  // it would never end
      // Servers differ in what start-after does to names that stand for many: it is never sent with a delimiter.
      if ((prefix < after_ && !after_.starts_with(prefix)) || is_own(prefix)) continue;
      const Descend way = descend(prefix, filter_);
      if (way == Descend::no) continue;
      const unsigned unknown = part.unknown + (way == Descend::unknown);
      const bool step = way == Descend::step || (way == Descend::unknown && unknown <= kUnknownSteps);
      parts.push_back({prefix, step, {}, {}, {}, 0, unknown});
    }
    objects_before(nullptr);
    if (page.truncated) parts.push_back({part.prefix, part.step, page.continuation, {}, {}, 0, part.unknown});
    line_.insert(line_.begin(), std::make_move_iterator(parts.begin()), std::make_move_iterator(parts.end()));
  }

  std::shared_ptr<store::Bucket> bucket_;
  std::string prefix_;
  KeyFilter filter_;
  std::vector<std::string> own_;  // what the keys begin with that the run itself writes
  std::optional<ObjectPage> first_;
  bool looked_ = false;
  std::string after_, last_;
  std::deque<Part> line_;
};

}  // namespace

Result<std::unique_ptr<Source>> open_remote(std::string_view input, const SourceOptions& options) {
  auto place = store::Stores(options.s3, options.azure, options.stop).find(input);
  if (!place) return tl::unexpected(place.error());
  auto source = std::make_unique<RemoteSource>(std::move(*place), options);
  if (auto there = source->look(); !there) return tl::unexpected(there.error());
  return source;
}

}  // namespace lm
