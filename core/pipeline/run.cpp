// One run as a oneTBB flow graph.
//
//   lister thread -> object queue -> I/O threads (open, read; they may block)
//                                        | chunks of stored bytes, at most kChunks an object; small objects whole, some together
//                                        v
//   decode node: an object's strand decodes, detects, frames; one task an object at a time
//                                        | blocks of whole records, grouped until a group is worth a call
//                                        v
//   parse node: parser instance -> conform -> every sink's write()
//
// Memory: the budget counts blocks from their making to the end of their parse; sinks have a share of their own. A strand that gets no budget parks itself and is
// called again when some is given back; I/O threads wait for their object's chunks to be taken. No task ever waits.
//
// Accounts: every record that framing delivers is marked once, by a row or by a reject. What a parser leaves unmarked, or marks twice, is the parser's fault: the
// host rejects the record in its name, so that nothing is lost in silence. A record that its parser calls foreign is offered to the others (docs/adr/0015): it goes over
// to another's account, and is no reject as long as there is somebody who has not been asked.
#include "conform/conform.hpp"
#include "decode/decode.hpp"
#include "frame/frame.hpp"
#include "pipeline/budget.hpp"
#include "pipeline/rejects.hpp"
#include "pipeline/run_impl.hpp"
#include "pipeline/sink_host.hpp"
#include "plugin_host/isolated.hpp"
#include "plugin_host/later_records.hpp"
#include "plugin_host/plugin_host.hpp"
#include "plugin_host/validate.hpp"
#include "source/source.hpp"
#include "unwrap/unwrap.hpp"

#include <logmill/sdk/handover.hpp>

#include <fmt/format.h>
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_scheduler_observer.h>
#include <simdjson.h>
#include <xxhash.h>
#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <list>
#include <random>
#include <set>
#include <thread>
#include <unordered_map>

namespace lm {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kChunkBytes = 256 << 10;  // one read
constexpr std::size_t kChunks = 4;              // read ahead of the decoder, an object
constexpr std::size_t kHeadBytes = 64 << 10;    // looked at for detection
constexpr std::size_t kGroupBytes = 1 << 20;    // blocks are grouped until a parse call has this much to do,
// and, where all threads have work, so many records or bytes: its rows share what a batch costs, but its columns should stay in the cache.
constexpr std::size_t kGroupRecords = 8192, kMostGroupBytes = 8 << 20;
constexpr std::size_t kGroupBlocks = 4096;
constexpr std::size_t kListAhead = 10'000;                 // objects listed but not yet opened
constexpr int kFallback = 40;                              // what a parser is no surer of is what others have left
constexpr unsigned kMaxWrappings = 4;                      // one in another
constexpr std::size_t kMaxRefusals = 8;                    // parsers that may call a record foreign, one after the other
constexpr std::size_t kMaxRoutes = 4096;                   // kinds of records that are told apart in one wrapping, by where they come from
constexpr std::uint64_t kSmallBytes = 16 << 10;            // objects that are no larger go from thread to thread together,
constexpr std::size_t kTogether = 64;                      // so many at most, and a chunk's worth
constexpr std::uint64_t kFarLargeBytes = 2 * kChunkBytes;  // far objects that are larger are read by as many as near ones would be

// Threads of TBB outlive a run, and come to the next one's arena by ways that ThreadSanitizer does not see: told here, before they touch what was built for it.
#if defined(__SANITIZE_THREAD__)
class Arrivals final : public oneapi::tbb::task_scheduler_observer {
 public:
  explicit Arrivals(oneapi::tbb::task_arena& arena) : task_scheduler_observer(arena) { observe(true); }
  ~Arrivals() override { observe(false); }
  Arrivals(const Arrivals&) = delete;
  Arrivals& operator=(const Arrivals&) = delete;
  void on_scheduler_entry(bool) override { built.take(); }

  static inline Handover built;  // of all runs, for an entry must read nothing that is this run's
};
#endif

// The counters of one parser, updated from many threads.
struct ParserTally {
  std::atomic<std::uint64_t> objects{0}, stored_bytes{0}, decoded_bytes{0}, records_in{0}, records_out{0}, rejects{0}, nanoseconds{0};
  std::mutex mutex;  // of the maps
  std::map<std::string, TableCount> tables;
  std::map<std::string, std::uint64_t> drift;
};

// A parser, and what is known of the records that it gets from an object.
struct Target {
  const ParserPlugin* parser = nullptr;
  ParserTally* tally = nullptr;
  KeyPattern::Captures captures;
  std::vector<lm_capture> capture_views;
  lm_object object{};
  std::uint64_t decoded_bytes = 0;  // of records that were unwrapped
};

// What becomes of the records of one context of a wrapping.
struct Route {
  enum class To { parser, wrapping, set_aside, nowhere } to = To::nowhere;
  Target* target = nullptr;
  std::unique_ptr<Wrapping> wrapping;
  std::string name;           // for people
  std::uint64_t records = 0;  // that went nowhere, or were set aside
  std::vector<std::pair<WrappingContext, std::unique_ptr<Route>>> inner;
};

// One object on its way. Its strand is whoever runs pump(); everything below `strand` is the strand's.
struct ObjectRun {
  ObjectRef ref;
  std::string uri, hash;

  // Between the I/O thread and the strand.
  std::mutex mutex;
  std::condition_variable room;
  std::deque<Buffer> chunks;
  bool read_done = false;
  std::optional<Error> read_error;
  std::atomic<bool> stop{false};  // nothing more is wanted of it
  bool passed_over = false;       // by now it is what an earlier run has read; known before its strand begins
  std::atomic<std::uint64_t> stored{0};

  std::atomic<unsigned> calls{0};  // pump() is wanted this often

  // strand
  std::unique_ptr<ObjectDecoder> decoder;
  Buffer chunk;
  bool fed = false, ended = false;
  Buffer head;
  bool detected = false;
  bool lines = false;  // its records are
  std::unique_ptr<Framer> framer;
  Route root;  // its own records: to one parser, or a wrapping
  std::size_t routes = 0;
  std::uint64_t unwrapped = 0;  // records so far
  std::uint64_t control_messages = 0;
  bool finished = false;
  std::shared_ptr<ObjectRun> following;  // was read together with this one: whoever finished this one goes on with it
  bool last_together = false;            // what stands for them in in_flight is given back
  bool large = false;                    // and in large_in_flight

  // From detection on; read by parse tasks.
  std::deque<Target> targets;
  std::string reader;            // the id of the parser or of the wrapping; "" if there is none
  ParserTally* tally = nullptr;  // of records that framing or the wrapping rejects

  // Where records go that a parser of it has called foreign, and the others' share of them.
  std::mutex foreign_mutex;
  std::unordered_map<std::string, Target*> foreign_routes;
  std::list<Target> foreign_targets;

  std::atomic<std::uint64_t> records{0}, rejects{0};
  std::atomic<unsigned> open{1};  // the strand and its blocks
  std::mutex outcome_mutex;
  ObjectOutcome outcome = ObjectOutcome::read;
  std::string reason, first_reject;  // why the first in the object was rejected
  std::uint64_t first_reject_at = 0;
  std::string given_up;  // why no isolated parser is to see it any more
  std::atomic<bool> is_given_up{false};
};
using ObjectPtr = std::shared_ptr<ObjectRun>;

struct Listed {
  Source* source;
  ObjectRef ref;
  bool small() const { return ref.size != 0 && ref.size <= kSmallBytes; }
};

struct WorkBlock {
  ObjectPtr object;
  const Target* target = nullptr;
  Block block;
  std::vector<std::uint64_t> ordinals;       // only if records were taken out, or come out of a wrapping
  std::vector<Place> places;                 // only if they come out of a wrapping, or from another parser
  std::vector<const ParserPlugin*> refused;  // those that have called all of them foreign
  lm_block view{};
  std::uint64_t charged = 0;
};

struct Group {
  const ParserPlugin* parser = nullptr;
  ParserTally* tally = nullptr;
  std::vector<WorkBlock> blocks;
  std::size_t bytes = 0, records = 0;
};
using GroupPtr = std::shared_ptr<Group>;

struct Instance {
  std::unique_ptr<ParserInstance> parser;
  std::deque<ArrowSchema> schemas;
  std::vector<std::unique_ptr<Conform>> tables;
  ~Instance() {
    for (ArrowSchema& s : schemas) {
      if (s.release) s.release(&s);
    }
  }
};

}  // namespace

std::string readable(std::string_view name) {
  if (simdjson::validate_utf8(name.data(), name.size())) return std::string(name);
  std::string out;
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x80) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string make_run_id() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

struct Engine::State {
  const Registry::Impl& registry;
  RunOptions options;
  std::vector<std::unique_ptr<BatchSink>>& sinks;
  std::atomic<bool>& cancelled;
  RejectsWriter* rejects_writer;
  Journal* const journal;
  const Clock::time_point began = Clock::now();

  std::vector<std::unique_ptr<Source>> sources;
  Budget budget;
  const unsigned threads;
  const std::size_t most_group_bytes;
  FrameLimits frame_limits;
  DecodeLimits decode_limits;
  const ParserPlugin* forced = nullptr;

  // Objects that are listed and wait for an I/O thread.
  std::mutex queue_mutex;
  std::condition_variable may_read, may_list;  // for the I/O threads; for the lister
  std::deque<Listed> queue;
  bool listed = false;
  bool epoch_over = false;  // no object is taken any more in this one
  std::uint64_t epoch_objects = 0, epoch_bytes = 0;
  Clock::time_point epoch_began;
  std::thread lister;                         // goes on from epoch to epoch
  unsigned in_flight = 0, max_in_flight = 8;  // objects whose strand has not finished; those that were read together are one
  // Many requests hide that a store is far away; but each large object has chunks waiting, and a decoder.
  unsigned large_in_flight = 0, max_large = 8;
  bool far = false;  // an input is

  oneapi::tbb::task_arena arena;
  std::unique_ptr<oneapi::tbb::flow::graph> graph;
  std::unique_ptr<oneapi::tbb::flow::function_node<ObjectPtr>> decode_node;
  std::unique_ptr<oneapi::tbb::flow::function_node<GroupPtr>> parse_node;
  std::atomic<unsigned> parse_calls{0};  // put and not done
  Handover handover;                     // from node to node
  std::atomic<unsigned> live{0};         // I/O threads and strands that may still make blocks

  std::mutex group_mutex;
  std::map<const ParserPlugin*, GroupPtr> groups;

  std::mutex instances_mutex;
  std::map<const ParserPlugin*, std::vector<std::unique_ptr<Instance>>> instances;

  std::mutex tallies_mutex;
  std::map<std::string, std::unique_ptr<ParserTally>> tallies;

  std::mutex summary_mutex;
  Summary summary;
  std::atomic<std::uint64_t> objects_done{0}, objects_listed{0}, stored_done{0}, stored_listed{0}, decoded{0}, records{0}, rows{0},
      rejects{0};

  std::mutex error_mutex;
  std::optional<Error> fatal;
  std::atomic<bool> failed{false};

  State(const Registry::Impl& r, RunOptions o, std::vector<std::unique_ptr<BatchSink>>& s, std::atomic<bool>& c, RejectsWriter& w,
        Journal* j)
      : registry(r),
        options(std::move(o)),
        sinks(s),
        cancelled(c),
        rejects_writer(&w),
        journal(j),
        budget(share_memory(options.memory).in_flight),
        threads(options.threads ? options.threads : std::max(1u, std::thread::hardware_concurrency())),
        most_group_bytes(std::clamp<std::size_t>(share_memory(options.memory).in_flight / 5, kGroupBytes, kMostGroupBytes)) {
    frame_limits.max_record = options.max_record;
    decode_limits.max_decoded = options.max_decoded;
    decode_limits.max_ratio = options.max_ratio;
  }

  ~State() { give_up(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // No object is begun any more; and what was begun is given up.
  bool ending() const { return cancelled.load(std::memory_order_relaxed) || failed.load(std::memory_order_relaxed); }
  bool stopping() const { return failed.load(std::memory_order_relaxed) || (!journal && cancelled.load(std::memory_order_relaxed)); }

  void fail_run(Error error) {
    if (stored_done != 0) error = not_usage(std::move(error));
    const std::lock_guard lock(error_mutex);
    if (!fatal) fatal = std::move(error);
    failed = true;
    may_read.notify_all();
    may_list.notify_all();
  }

  ParserTally* tally_of(const std::string& id) {
    const std::lock_guard lock(tallies_mutex);
    auto& slot = tallies[id];
    if (!slot) slot = std::make_unique<ParserTally>();
    return slot.get();
  }

  // ---- Listing and reading: threads that may block ----

  void list() {
    Seen seen;
    for (const auto& source : sources) {
      std::string after;
      for (bool last = false; !last && !ending();) {
        auto page = source->list(after, 1000);
        if (!page) {
          if (!ending()) fail_run(page.error());  // a stop ends what waits for a store
          break;
        }
        last = page->last;
        if (!page->objects.empty()) after = page->objects.back().uri;
        if (!choose(*source, page->objects, seen)) break;
        std::unique_lock lock(queue_mutex);
        while (!may_list.wait_for(lock, std::chrono::milliseconds(100), [&] { return queue.size() < kListAhead || ending(); })) {}
        if (ending()) break;
        for (ObjectRef& ref : page->objects) {
          ++objects_listed;
          stored_listed += ref.size;
          queue.push_back({source.get(), std::move(ref)});
        }
        lock.unlock();
        may_read.notify_all();
      }
    }
    {
      const std::lock_guard lock(queue_mutex);
      listed = true;
    }
    may_read.notify_all();
  }

  // Leaves the objects that this run is to read.
  bool choose(const Source& source, std::vector<ObjectRef>& objects, Seen& seen) {
    const bool overlap = sources.size() > 1 || !options.objects_from.empty();
    std::size_t kept = 0;
    for (ObjectRef& ref : objects) {
      // Before the shards are looked at, for each goes by the name that came first.
      if (overlap && !seen.is_new(source, ref)) continue;
      if (options.shards > 1 && XXH64(ref.key.data(), ref.key.size(), 0) % options.shards != options.shard) continue;
      if (journal) {
        auto wanted = journal->wanted(ref);
        if (!wanted) {
          fail_run(wanted.error());
          return false;
        }
        if (!*wanted) continue;
      }
      if (&objects[kept] != &ref) objects[kept] = std::move(ref);
      ++kept;
    }
    objects.resize(kept);
    return true;
  }

  void read_objects() {
    for (std::vector<Listed> taken; take_listed(taken);) {
      ObjectPtr first, last;
      for (std::size_t i = 0; i < taken.size(); ++i) {
        auto object = std::make_shared<ObjectRun>();
        object->ref = std::move(taken[i].ref);
        object->uri = readable(object->ref.uri);
        object->large = is_large(object->ref);
        live.fetch_add(1);
        (last ? last->following : first) = object;
        last = object;
        std::unique_ptr<ByteStream> stream;
        const bool more = begin_reading(*taken[i].source, *object, stream);
        object->hash = object_hash(object->ref.uri, object->ref.etag);
        if (!more) continue;
        // Large, or larger than it was when it was listed: its strand begins while it is read on.
        object->last_together = true;
        if (first != object) schedule(first);
        do {
          schedule(object);
        } while (read_chunk(*stream, *object));
        schedule(object);
        first = last = nullptr;
        if (i + 1 == taken.size()) break;
        const std::lock_guard lock(queue_mutex);
        ++in_flight;
      }
      if (!last) continue;
      last->last_together = true;
      schedule(first);
    }
    leave();
  }

  // Opens an object and reads its first chunk. What has changed since it was listed is begun again as it is now, for nothing of it is on its way yet; what
  // changes later cannot be: its rows would be of two versions.
  bool begin_reading(Source& source, ObjectRun& object, std::unique_ptr<ByteStream>& stream) {
    constexpr unsigned kMostChanges = 4;
    for (unsigned changes = 0;; ++changes) {
      auto opened = source.open(object.ref);
      if (!opened) return end_reading(object, opened.error());
      stream = std::move(*opened);
      if (read_chunk(*stream, object)) return true;
      if (!object.read_error || object.read_error->code != Errc::changed || changes == kMostChanges) return false;
      auto now = source.look_again(object.ref);
      if (!now) return end_reading(object, now.error());
      if (now->etag == object.ref.etag) return false;
      stored_listed += now->size - object.ref.size;
      object.ref = std::move(*now);
      object.read_error.reset();
      object.read_done = false;
      // What it is again may be what was read long ago: its rows are there.
      if (!journal) continue;
      const auto wanted = journal->wanted(object.ref);
      if (!wanted) fail_run(wanted.error());
      if (wanted && *wanted) continue;
      object.passed_over = true;
      return end_reading(object, std::nullopt);
    }
  }

  bool is_large(const ObjectRef& ref) const { return far && (ref.size == 0 || ref.size > kFarLargeBytes); }

  // So many small objects go together: what waits is shared by all that may ask.
  std::size_t together() const { return far ? std::clamp<std::size_t>(queue.size() / (2 * max_in_flight), 1, kTogether) : kTogether; }

  // The next object, or the next few if they are small. False: there are no more.
  bool take_listed(std::vector<Listed>& taken) {
    taken.clear();
    std::unique_lock lock(queue_mutex);
    // A cancel comes from a signal handler, which cannot notify: look again now and then.
    while (!may_read.wait_for(lock, std::chrono::milliseconds(100), [&] {
      return ending() || epoch_over || (queue.empty() && listed) ||
             (!queue.empty() && in_flight < max_in_flight && (large_in_flight < max_large || !is_large(queue.front().ref)));
    })) {}
    if (ending() || epoch_over || queue.empty()) return false;
    std::uint64_t bytes = 0;
    const std::size_t most = together();
    do {
      bytes += queue.front().ref.size;
      taken.push_back(std::move(queue.front()));
      queue.pop_front();
    } while (taken.front().small() && taken.size() < most && !queue.empty() && queue.front().small() &&
             bytes + queue.front().ref.size <= kChunkBytes && (!journal || epoch_bytes + bytes < options.checkpoint_bytes));
    ++in_flight;
    large_in_flight += is_large(taken.front().ref);
    if (journal) end_epoch_in_time(taken.size(), bytes);
    const bool through = (queue.empty() && listed) || epoch_over, room = queue.size() < kListAhead;
    lock.unlock();
    if (through) may_read.notify_all();
    if (room) may_list.notify_one();
    return true;
  }

  // Under queue_mutex. An epoch has at least one object.
  void end_epoch_in_time(std::size_t objects, std::uint64_t bytes) {
    epoch_objects += objects, epoch_bytes += bytes;
    epoch_over = epoch_bytes >= options.checkpoint_bytes ||
                 std::chrono::duration<double>(Clock::now() - epoch_began).count() >= options.checkpoint_seconds;
  }

  // Reads once, as much as a chunk holds. False: that was the last.
  bool read_chunk(ByteStream& stream, ObjectRun& object) {
    if (object.stop || stopping()) return end_reading(object, std::nullopt);
    // An object of a known size is read and seen to end at once.
    Buffer chunk(object.ref.size != 0 ? std::min<std::uint64_t>(object.ref.size + 1, kChunkBytes) : kChunkBytes);
    bool end = false;
    while (chunk.size() < chunk.capacity() && !end) {
      if (!stream.ready()) {
        if (object.stop || stopping()) break;
        continue;
      }
      auto n = stream.read(chunk.free_space());
      if (!n) return end_reading(object, n.error());
      end = *n == 0;
      chunk.resize(chunk.size() + *n);
    }
    object.stored += chunk.size();
    stored_done += chunk.size();
    if (end) return end_reading(object, std::nullopt, std::move(chunk));
    std::unique_lock lock(object.mutex);
    while (!object.room.wait_for(lock, std::chrono::milliseconds(100),
                                 [&] { return object.chunks.size() < kChunks || object.stop || stopping(); })) {}
    object.chunks.push_back(std::move(chunk));
    return true;
  }

  // Answers that there is no more to read.
  bool end_reading(ObjectRun& object, std::optional<Error> error, Buffer last = {}) {
    const std::lock_guard lock(object.mutex);
    if (last.size() != 0) object.chunks.push_back(std::move(last));
    object.read_error = std::move(error);
    object.read_done = true;
    return false;
  }

  // ---- Strands ----

  template <class Node, class Message>
  void put(Node& node, const Message& message) {
    handover.give();
    node.try_put(message);
  }

  void schedule(const ObjectPtr& object) {
    if (object->calls.fetch_add(1) == 0) put(*decode_node, object);
  }

  void run_strand(ObjectPtr object) {
    while (object) {
      const ObjectPtr next = run_calls(object);
      object = next && next->calls.fetch_add(1) == 0 ? next : nullptr;
    }
  }

  // Answers the object that is to be gone on with, once.
  ObjectPtr run_calls(const ObjectPtr& object) {
    ObjectPtr next;
    for (;;) {
      const unsigned calls = object->calls.load();
      if (!object->finished) {
        try {
          pump(object);
        } catch (const std::exception& e) {
          finish_strand(object, ObjectOutcome::failed, fmt::format("internal error: {}", e.what()));
        }
      }
      if (object->finished && object->following) next = std::move(object->following);
      if (object->calls.fetch_sub(calls) == calls) return next;
    }
  }

  // Takes the object as far as it goes now: until it needs input, budget, or is done.
  void pump(const ObjectPtr& object) {
    ObjectRun& o = *object;
    while (!o.finished) {
      if (o.passed_over) return finish_strand(object, ObjectOutcome::read, "");
      if (stopping()) return finish_strand(object, ObjectOutcome::partly_read, "the run was stopped");
      // A block's worth is taken from the budget before anything is decoded towards it; it goes over to the block, or back.
      const std::uint64_t wanted = o.detected ? frame_limits.block_size : kHeadBytes;
      if (!budget.take(wanted, [this, object] { schedule(object); })) return flush_groups();
      const bool more = o.detected ? pull_into_framer(object) : pull_head(object);
      budget.give(wanted);
      // What it leaves in a group may be all that the budget has: who waits for that has looked through the groups before.
      if (o.finished && budget.somebody_waits()) flush_groups();
      if (!more) return;
    }
  }

  // Feeds the decoder if it can. False: there is nothing to feed yet.
  bool feed(ObjectRun& o) {
    const std::lock_guard lock(o.mutex);
    if (!o.chunks.empty()) {
      o.chunk = std::move(o.chunks.front());
      o.chunks.pop_front();
      o.room.notify_one();
      o.decoder->feed(o.chunk.contents());
      return true;
    }
    if (!o.read_done || o.ended) return false;
    o.ended = true;
    o.decoder->end_of_input();
    return true;
  }

  // The first bytes, for detection. False: the strand has nothing to do now.
  bool pull_head(const ObjectPtr& object) {
    ObjectRun& o = *object;
    if (!o.decoder) o.decoder = make_object_decoder(decode_limits, o.ref.size);
    o.head.reserve(kHeadBytes);
    bool whole = false;
    std::string torn;
    while (o.head.size() < kHeadBytes) {
      if (!o.fed) {
        if (!feed(o)) return false;
        o.fed = true;
      }
      auto pulled = o.decoder->pull(o.head.free_space());
      if (!pulled) {
        torn = pulled.error().what;
        break;
      }
      o.head.resize(o.head.size() + pulled->produced);
      if (pulled->state == Pull::end) {
        whole = true;
        break;
      }
      if (pulled->state == Pull::need_input) o.fed = false;
    }
    if (o.ended && o.read_error) torn = o.read_error->what;
    if (o.head.size() == 0) {
      // Some are known by their names: a service writes them to see whether it may.
      const ParserPlugin* const known = torn.empty() ? recognise(o.ref.key, {}, true).parser : nullptr;
      if (known && known->descriptor->kind == LM_KIND_SET_ASIDE) {
        o.reader = known->id;
        finish_strand(object, ObjectOutcome::set_aside, title_of(*known));
      } else if (torn.empty()) {
        finish_strand(object, ObjectOutcome::empty, "the object is empty");
      } else {
        finish_strand(object, ObjectOutcome::failed, torn);
      }
      return true;
    }
    decoded += o.head.size();
    std::span<const std::byte> head = o.head.contents();
    if (head.size() >= 3 && std::memcmp(head.data(), "\xef\xbb\xbf", 3) == 0) head = head.subspan(3);
    o.detected = true;
    FrameSpec spec;
    Match match = recognise(o.ref.key, head, whole);
    if (stopping()) return true;  // and what it is, is not known
    if (match.score <= kFallback) o.root.wrapping = Wrapping::recognise(text_of(head));
    if (match.score > 1 && o.root.wrapping && (forced || !o.root.wrapping->mixes())) o.root.wrapping.reset();
    if (!forced && !match.parser && !o.root.wrapping) {
      look_further(o, head, match);
      if (stopping()) return true;
    }
    if (!o.root.wrapping) {
      const ParserPlugin* const parser = forced ? forced : match.parser;
      if (!parser) {
        std::string why = torn.empty() ? "no parser knows this content" : torn + "; no parser knows what was decoded before";
        if (!match.trouble.empty()) why += "; " + match.trouble;
        finish_strand(object, torn.empty() ? ObjectOutcome::unrecognised : ObjectOutcome::failed, std::move(why));
        return true;
      }
      o.reader = parser->id;
      if (parser->descriptor->kind == LM_KIND_SET_ASIDE) {
        finish_strand(object, ObjectOutcome::set_aside, title_of(*parser));
        return true;
      }
      o.root.to = Route::To::parser;
      o.root.target = target_of(o, *parser, captures_of(*parser, o.ref.key));
      o.tally = o.root.target->tally;
      spec.framing = parser->descriptor->framing;
      spec.envelope = view(parser->descriptor->envelope);
      if (parser->workers) {
        if (parser->workers->info().prologue) spec.are_prologues = asks_workers(o, *parser);
      } else if (parser->factory->prologue) {
        spec.is_prologue = [prologue = parser->factory->prologue, index = parser->index](std::string_view line) {
          return prologue(index, str(line)) != 0;
        };
      }
    } else {
      o.root.to = Route::To::wrapping;
      o.reader = o.root.wrapping->id();
      spec = o.root.wrapping->framing();
    }
    o.lines = spec.framing == LM_FRAMING_LINES;
    o.framer = make_framer(std::move(spec), frame_limits);
    for (std::span<const std::byte> rest = o.head.contents(); !rest.empty();) {
      const std::span<std::byte> space = o.framer->space();
      const std::size_t n = std::min(space.size(), rest.size());
      std::memcpy(space.data(), rest.data(), n);
      o.framer->commit(n);
      rest = rest.subspan(n);
      take_blocks(object);
    }
    o.head = Buffer();
    if (whole || !torn.empty()) end_object(object, torn);
    return true;
  }

  // The first record says nothing: maybe one behind it does. No object is set aside for that: whoever may write a record must not be able to hide the others.
  void look_further(ObjectRun& o, std::span<const std::byte> head, Match& match) {
    const auto tried = later_records(text_of(head));
    for (const LaterRecord& later : tried) {
      Match found = recognise(o.ref.key, std::as_bytes(std::span(later.rest)), false);
      if (stopping()) return;
      if (found.score <= 1 || found.parser->descriptor->kind == LM_KIND_SET_ASIDE) continue;
      if (!later.envelope.empty() && !equals_but_first_case(later.envelope, view(found.parser->descriptor->envelope))) continue;
      match = std::move(found);
      return;
    }
    for (const LaterRecord& later : tried) {
      const bool document = later.envelope.empty() && later.rest.starts_with('{');
      if (document && (o.root.wrapping = Wrapping::recognise(later.rest))) return;
    }
  }

  // That nobody could be asked is nothing to be said of an object: the run fails, or is being stopped.
  Match recognise(std::string_view key, std::span<const std::byte> head, bool whole, std::span<const ParserPlugin* const> but = {}) {
    auto match = detect(
        registry, key, head, whole, [this] { return stopping(); }, but);
    if (match) return std::move(*match);
    if (match.error().code != Errc::cancelled) fail_run(match.error());
    return {};
  }

  // Header lines, as an isolated parser knows them. If that kills its workers, all lines are records, of an object that is given up.
  decltype(FrameSpec::are_prologues) asks_workers(ObjectRun& o, const ParserPlugin& parser) {
    return [this, &o, &parser](std::string_view text, std::span<const lm_record> lines, std::vector<std::uint8_t>& are) {
      if (o.is_given_up || stopping()) return;
      auto asked = parser.workers->prologues(parser.index, text, lines, are, [this] { return stopping(); });
      if (asked || asked.error().code == Errc::cancelled) return;
      if (asked.error().code != Errc::plugin) return fail_run(asked.error());
      give_up_object(
          o, fmt::format("parser '{}' failed twice at header lines, each time in a fresh process: {}", parser.id, asked.error().what));
    };
  }

  static std::string_view text_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

  static std::string title_of(const ParserPlugin& parser) {
    return fmt::format("{}: {}", view(parser.descriptor->title), view(parser.descriptor->reads));
  }

  static KeyPattern::Captures captures_of(const ParserPlugin& parser, std::string_view key) {
    KeyPattern::Captures captures;
    for (const KeyPattern& pattern : parser.keys) {
      if (pattern.matches(key, &captures)) break;
      captures.clear();
    }
    return captures;
  }

  // The object's records of that parser about which the same is known.
  Target* target_of(ObjectRun& o, const ParserPlugin& parser, KeyPattern::Captures captures) {
    return target_among(o.targets, o, parser, std::move(captures));
  }
  template <class Targets>
  Target* target_among(Targets& targets, const ObjectRun& o, const ParserPlugin& parser, KeyPattern::Captures captures) {
    for (auto& [name, value] : captures) value = readable(value);
    for (Target& t : targets) {
      if (t.parser == &parser && t.captures == captures) return &t;
    }
    Target& t = targets.emplace_back();
    t.parser = &parser;
    t.tally = tally_of(parser.id);
    t.captures = std::move(captures);
    for (const auto& [name, value] : t.captures) t.capture_views.push_back({str(name), str(value)});
    t.object = lm_object{sizeof(lm_object),     0, str(o.uri), str(o.ref.etag), o.ref.size, o.ref.mtime_ms, t.capture_views.data(),
                         t.capture_views.size()};
    return &t;
  }

  // One step of decoding. False: the strand has nothing to do now.
  bool pull_into_framer(const ObjectPtr& object) {
    ObjectRun& o = *object;
    // About a block a time, so that the budget is looked at in between.
    for (std::size_t produced = 0; produced < frame_limits.block_size;) {
      if (!o.fed) {
        if (!feed(o)) return false;
        o.fed = true;
      }
      auto pulled = o.decoder->pull(o.framer->space());
      if (!pulled) {
        end_object(object, o.ended && o.read_error ? o.read_error->what : pulled.error().what);
        return true;
      }
      produced += pulled->produced;
      decoded += pulled->produced;
      if (pulled->produced) {
        o.framer->commit(pulled->produced);
        take_blocks(object);
      }
      if (pulled->state == Pull::end) {
        end_object(object, o.ended && o.read_error ? o.read_error->what : std::string());
        return true;
      }
      if (pulled->state == Pull::need_input) o.fed = false;
    }
    return true;
  }

  void end_object(const ObjectPtr& object, const std::string& torn) {
    ObjectRun& o = *object;
    // A JSON record is known to be whole by itself; a line only by its end.
    const bool open_end = torn.empty() && o.lines && o.ref.growing;
    o.framer->finish(open_end ? "more may still be appended to this object" : torn);
    take_blocks(object);
    if (o.root.wrapping) {
      Unwrapped last;
      o.root.wrapping->finish(last);
      take_unwrapped(object, last, o.root, 1);
    }
    // Contexts that nobody was asked about any more are not unknown.
    auto [outcome, reason] =
        o.root.wrapping && stopping() ? std::pair(ObjectOutcome::partly_read, std::string("the run was stopped")) : outcome_of(o);
    if (torn.empty()) {
      finish_strand(object, outcome, std::move(reason));
    } else {
      finish_strand(object, ObjectOutcome::partly_read, reason.empty() ? torn : torn + "; " + reason);
    }
  }

  void take_blocks(const ObjectPtr& object) {
    ObjectRun& o = *object;
    while (auto block = o.framer->next()) {
      if (o.root.wrapping) {
        Unwrapped inner;
        o.root.wrapping->unwrap(*block, inner);
        take_unwrapped(object, inner, o.root, 1);
      } else {
        WorkBlock work;
        work.target = o.root.target;
        work.block = std::move(*block);
        send(object, std::move(work));
      }
    }
    for (FrameReject& r : o.framer->take_rejects()) {
      if (r.code == LM_REJECT_TRUNCATED) {
        // Nobody may have said that the object is torn: a cut within its JSON is seen here only.
        set_outcome(o, ObjectOutcome::partly_read, r.why);
        if (o.root.wrapping) take_whole_of(object, r);
      }
      reject_frame(o, r, r.record);
    }
  }

  // Leaves of a record of the wrapping that was cut off what is behind the last whole one in it.
  void take_whole_of(const ObjectPtr& object, FrameReject& r) {
    Unwrapped inner;
    object->root.wrapping->unwrap_cut(r, inner);
    if (inner.records.empty()) return;
    const Place last = inner.records.back().place;
    take_unwrapped(object, inner, object->root, 1);
    const std::uint64_t whole = std::min(last.offset + last.length - r.offset, r.length);
    r.offset += whole, r.length -= whole;
    r.bytes.erase(0, whole);
  }

  void send(const ObjectPtr& object, WorkBlock work) {
    object->records += work.block.records.size();
    charge(object, work);
    add_to_group(std::move(work));
  }
  void charge(const ObjectPtr& object, WorkBlock& work) {
    work.object = object;
    work.charged = work.block.data.capacity() + work.block.records.capacity() * sizeof(lm_record) +
                   work.ordinals.capacity() * sizeof(std::uint64_t) + work.places.capacity() * sizeof(Place);
    budget.adjust(static_cast<std::int64_t>(work.charged));
    work.target->tally->records_in += work.block.records.size();
    object->open.fetch_add(1);
  }

  // What framing or a wrapping could not deliver.
  void reject_frame(ObjectRun& o, const FrameReject& r, std::uint64_t ordinal) {
    if (!o.tally) o.tally = tally_of(o.reader);
    ++o.records, ++o.tally->records_in, ++records;
    count_reject(o, *o.tally, r.offset, r.why);
    rejects_writer->add({o.uri, o.ref.etag, o.reader, reject_name(r.code), r.why, true, r.offset, r.length, ordinal, r.bytes});
  }

  // ---- Wrappings ----

  // What came out of a wrapping, on its way: to a parser, or into the next wrapping.
  void take_unwrapped(const ObjectPtr& object, const Unwrapped& inner, Route& route, unsigned depth) {
    ObjectRun& o = *object;
    o.control_messages += inner.control_messages;
    std::map<const Target*, WorkBlock> blocks;
    std::vector<Route*> routes;
    for (std::uint32_t c = 0; c < inner.contexts.size(); ++c) routes.push_back(&route_of(o, inner, c, route, depth));
    std::vector<std::pair<Route*, Unwrapped>> deeper;
    for (std::uint32_t i = 0; i < inner.records.size(); ++i) {
      const Unwrapped::Record& r = inner.records[i];
      Route& to = *routes[r.context];
      switch (to.to) {
        case Route::To::parser: put_unwrapped(o, inner, i, *to.target, blocks); break;
        case Route::To::wrapping: {
          auto found = std::find_if(deeper.begin(), deeper.end(), [&](const auto& d) { return d.first == &to; });
          if (found == deeper.end()) {
            found = deeper.emplace(deeper.end(), &to, Unwrapped());
            found->second.below = &inner;
          }
          to.wrapping->unwrap_again(inner, i, found->second);
          break;
        }
        case Route::To::set_aside:
        case Route::To::nowhere: ++to.records; break;
      }
    }
    for (auto& [target, work] : blocks) {
      work.block.data.resize(work.block.data.size());
      send(object, std::move(work));
    }
    blocks.clear();
    for (auto& [to, unwrapped] : deeper) take_unwrapped(object, unwrapped, *to, depth + 1);
    for (const FrameReject& r : inner.rejects) reject_frame(o, r, o.unwrapped++);
  }

  void put_unwrapped(ObjectRun& o, const Unwrapped& inner, std::uint32_t record, Target& target,
                     std::map<const Target*, WorkBlock>& blocks) {
    const auto put = [&](std::string_view text, const Place& place) {
      WorkBlock& work = blocks[&target];
      work.target = &target;
      const std::size_t at = work.block.data.size();
      work.block.data.append(std::as_bytes(std::span(text)));
      work.block.records.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(text.size())});
      work.ordinals.push_back(o.unwrapped++);
      work.places.push_back(place);
      target.decoded_bytes += text.size();
    };
    const Unwrapped::Record& r = inner.records[record];
    const std::string_view text = inner.text(r);
    if (const std::string_view envelope = view(target.parser->descriptor->envelope);
        !envelope.empty() && inner.contexts[r.context].documents && text.find(envelope.substr(1)) != std::string_view::npos) {
      Unwrapped elements;
      elements.below = &inner;
      if (open_envelope(inner, record, envelope, elements)) {
        for (const Unwrapped::Record& e : elements.records) put(elements.text(e), e.place);
        return;
      }
    }
    put(text, r.place);
  }

  Route& route_of(ObjectRun& o, const Unwrapped& inner, std::uint32_t context, Route& from, unsigned depth) {
    const WrappingContext& wanted = inner.contexts[context];
    for (auto& [known, route] : from.inner) {
      if (known == wanted) return *route;
    }
    // So many log streams are not told apart: what one of the same log group holds, others hold, too. Else a parser is taken, which calls foreign what is not its own.
    const bool full = o.routes >= kMaxRoutes;
    if (full) {
      for (auto& [known, route] : from.inner) {
        if (known.log_group == wanted.log_group && known.account == wanted.account && known.region == wanted.region &&
            known.kind == wanted.kind)
          return *route;
      }
      if (wanted.log_group.empty()) {
        for (auto& [known, route] : from.inner) {
          if (route->to == Route::To::parser) return *route;
        }
      }
    }
    std::string sample;
    for (const Unwrapped::Record& r : inner.records) {
      if (r.context != context) continue;
      const std::string_view text = inner.text(r);
      sample.append(text.substr(0, kHeadBytes - sample.size()));
      if (sample.size() == kHeadBytes) break;
      sample += '\n';
    }
    auto route = std::make_unique<Route>();
    route->name = !wanted.log_group.empty() ? fmt::format("log group '{}'", readable(wanted.log_group))
                  : !wanted.kind.empty()    ? fmt::format("'{}'", readable(wanted.kind))
                                            : "what it holds";
    const ParserPlugin* const parser = forced ? forced : recognise("", std::as_bytes(std::span(sample)), false).parser;
    if (parser && parser->descriptor->kind == LM_KIND_SET_ASIDE) {
      route->to = Route::To::set_aside;
      route->name = title_of(*parser);
    } else if (parser) {
      route->to = Route::To::parser;
      KeyPattern::Captures captures;
      for (const auto& [name, value] :
           {std::pair{"account", &wanted.account}, {"region", &wanted.region}, {"log_group", &wanted.log_group}}) {
        if (!value->empty()) captures.emplace_back(name, *value);
      }
      route->target = target_of(o, *parser, std::move(captures));
    } else if (depth < kMaxWrappings && (route->wrapping = Wrapping::recognise(sample)) &&
               route->wrapping->framing().framing == LM_FRAMING_JSON) {
      route->to = Route::To::wrapping;
    }
    if (full && wanted.log_group.empty() && route->to == Route::To::nowhere && !from.inner.empty()) return *from.inner.front().second;
    ++o.routes;
    from.inner.emplace_back(wanted, std::move(route));
    return *from.inner.back().second;
  }

  // Of an object that was read to its end.
  static std::pair<ObjectOutcome, std::string> outcome_of(const ObjectRun& o) {
    if (!o.root.wrapping) return {ObjectOutcome::read, ""};
    std::uint64_t set_aside = 0, lost = 0;
    std::string aside_name, lost_names;
    std::size_t names = 0;
    const auto visit = [&](const auto& self, const Route& route) -> void {
      for (const auto& [context, inner] : route.inner) {
        if (inner->to == Route::To::set_aside) set_aside += inner->records, aside_name = inner->name;
        if (inner->to == Route::To::nowhere) {
          lost += inner->records;
          if (lost_names.find(inner->name) == std::string::npos && names++ < 8)
            lost_names += (lost_names.empty() ? "" : ", ") + inner->name;
        }
        self(self, *inner);
      }
    };
    visit(visit, o.root);
    const std::string_view title = o.root.wrapping->title();
    if (lost != 0) {
      std::string why =
          fmt::format("{}: no parser knows {} record{} of {}{}", title, lost, lost == 1 ? "" : "s", lost_names, names > 8 ? ", ..." : "");
      return {o.records == 0 ? ObjectOutcome::unrecognised : ObjectOutcome::partly_read, std::move(why)};
    }
    if (o.records != 0) return {ObjectOutcome::read, ""};
    if (set_aside != 0) return {ObjectOutcome::set_aside, fmt::format("{}: {}", title, aside_name)};
    return {ObjectOutcome::set_aside, fmt::format("{}: {}", title, o.control_messages != 0 ? "control messages, no events" : "no events")};
  }

  void count_reject(ObjectRun& o, ParserTally& tally, std::uint64_t offset, std::string_view why) {
    ++tally.rejects, ++rejects;
    const std::lock_guard lock(o.outcome_mutex);
    if (o.rejects++ != 0 && offset >= o.first_reject_at) return;
    o.first_reject_at = offset;
    o.first_reject = why;
  }

  void add_to_group(WorkBlock work) {
    GroupPtr ready;
    {
      const std::lock_guard lock(group_mutex);
      GroupPtr& group = groups[work.target->parser];
      if (!group) {
        group = std::make_shared<Group>();
        group->parser = work.target->parser;
        group->tally = work.target->tally;
      }
      group->bytes += work.block.data.size();
      group->records += work.block.records.size();
      group->blocks.push_back(std::move(work));
      const bool enough = group->records >= kGroupRecords || parse_calls.load(std::memory_order_relaxed) < threads;
      if (group->bytes >= (enough ? kGroupBytes : most_group_bytes) || group->blocks.size() >= kGroupBlocks) ready = std::move(group);
    }
    if (ready) put_group(ready);
  }

  void put_group(const GroupPtr& group) {
    ++parse_calls;
    put(*parse_node, group);
  }

  void flush_groups() {
    std::map<const ParserPlugin*, GroupPtr> ready;
    {
      const std::lock_guard lock(group_mutex);
      ready.swap(groups);
    }
    for (auto& [parser, group] : ready) {
      if (group) put_group(group);
    }
  }

  void finish_strand(const ObjectPtr& object, ObjectOutcome outcome, std::string reason) {
    ObjectRun& o = *object;
    if (o.finished) return;
    o.finished = true;
    o.stop = true;
    {
      const std::lock_guard lock(o.mutex);
      o.chunks.clear();
    }
    o.room.notify_all();
    set_outcome(o, outcome, std::move(reason));
    std::set<ParserTally*> counted;
    for (Target& t : o.targets) {
      if (counted.insert(t.tally).second) ++t.tally->objects;
      t.tally->decoded_bytes += o.root.wrapping ? t.decoded_bytes : o.decoder->decoded_bytes();
    }
    if (o.tally && counted.insert(o.tally).second) ++o.tally->objects;
    // Its blocks may wait for long: what decoding needed does not.
    o.framer.reset();
    o.decoder.reset();
    o.head = Buffer();
    o.chunk = Buffer();
    close(object);
    if (o.last_together) {
      {
        const std::lock_guard lock(queue_mutex);
        --in_flight;
        large_in_flight -= o.large;
      }
      may_read.notify_one();
    }
    leave();
  }

  // Its records are rejected from here on, without being parsed.
  static void give_up_object(ObjectRun& o, const std::string& why) {
    set_outcome(o, ObjectOutcome::partly_read, why);
    const std::lock_guard lock(o.outcome_mutex);
    if (o.is_given_up) return;
    o.given_up = why;
    o.is_given_up = true;
  }

  // The worse outcome stands.
  static void set_outcome(ObjectRun& o, ObjectOutcome outcome, std::string reason) {
    const std::lock_guard lock(o.outcome_mutex);
    if (o.outcome != ObjectOutcome::read && outcome == ObjectOutcome::read) return;
    o.outcome = outcome;
    if (!reason.empty()) o.reason = std::move(reason);
  }

  // A block or the strand is through; the last of them reports.
  void close(const ObjectPtr& object) {
    ObjectRun& o = *object;
    if (o.open.fetch_sub(1) != 1) return;
    ++objects_done;
    if (o.passed_over) return;
    std::set<const ParserTally*> counted{o.tally};
    for (const Target& t : o.targets) counted.insert(t.tally);
    for (Target& t : o.foreign_targets) {
      if (counted.insert(t.tally).second) ++t.tally->objects;
    }
    // What was given up with the run is not done.
    if (journal && !failed) {
      const std::lock_guard lock(o.outcome_mutex);
      if (auto ok = journal->done(o.ref, o.outcome, o.reason, o.records, o.rejects); !ok) fail_run(ok.error());
    }
    const std::uint64_t stored = o.stored.load();
    if (!o.targets.empty()) o.targets.front().tally->stored_bytes += stored;
    const std::lock_guard outcome_lock(o.outcome_mutex);
    const std::lock_guard lock(summary_mutex);
    ++summary.objects;
    summary.stored_bytes += stored;
    switch (o.outcome) {
      case ObjectOutcome::read:
        if (o.rejects == 0) return;
        ++summary.with_rejects;
        if (summary.rejecting.size() < Summary::kMaxReports)
          summary.rejecting.push_back(
              {o.uri, o.outcome, o.reader, fmt::format("at offset {}: {}", o.first_reject_at, o.first_reject), o.records, o.rejects});
        return;
      case ObjectOutcome::partly_read: ++summary.partly_read; break;
      case ObjectOutcome::set_aside: ++summary.set_aside; break;
      case ObjectOutcome::unrecognised: ++summary.unrecognised; break;
      case ObjectOutcome::empty: ++summary.empty; break;
      case ObjectOutcome::failed: ++summary.failed; break;
    }
    if (summary.reports.size() < Summary::kMaxReports) {
      summary.reports.push_back({o.uri, o.outcome, o.reader, o.reason, o.records, o.rejects});
    }
    if (o.outcome == ObjectOutcome::unrecognised || o.outcome == ObjectOutcome::failed || o.outcome == ObjectOutcome::partly_read) {
      static constexpr std::string_view kCodes[] = {"read", "partly_read", "set_aside", "unrecognised", "empty", "failed"};
      rejects_writer->add({o.uri, o.ref.etag, o.reader, kCodes[static_cast<std::size_t>(o.outcome)], o.reason, false});
    }
  }

  // One of those who make blocks is through; with the last of them, what waits in groups goes.
  void leave() {
    if (live.fetch_sub(1) != 1) return;
    flush_groups();
    graph->release_wait();
  }

  // ---- Parsing ----

  // Rows that follow each other and come from the same block.
  struct Stretch {
    std::uint32_t block;
    std::size_t begin, end;  // the first row, the row behind the last
  };

  struct ParseCall {
    State* state;
    Group* group;
    Instance* instance;
    std::vector<std::size_t> first;  // of each block's records among `seen`
    std::vector<std::uint8_t> seen;  // kNotYet, kRows, ...
    std::vector<BlockOrigin> origins;
    std::string contract;  // how the parser broke it, if it did
    struct Foreign {
      std::uint32_t block, record;
      std::string why;
    };
    std::vector<Foreign> foreign;                             // records that it has called so
    std::vector<Stretch> stretches;                           // of the batch at hand
    std::vector<std::pair<std::uint32_t, std::string>> lost;  // of records that have rows, others: the block, and why
    bool has_refused = false;
  };
  // What has become of a record: the parser may reject it, and the host does if it has no row that an event can be made of.
  static constexpr std::uint8_t kNotYet = 0, kRows = 1, kRejected = 2, kRefused = 3;

  Result<std::unique_ptr<Instance>> take_instance(const ParserPlugin& plugin) {
    {
      const std::lock_guard lock(instances_mutex);
      auto& pool = instances[&plugin];
      if (!pool.empty()) {
        auto out = std::move(pool.back());
        pool.pop_back();
        return out;
      }
    }
    const auto config = options.plugin_config.find(plugin.id);
    auto parser = ParserInstance::create(plugin, config == options.plugin_config.end() ? "{}" : config->second);
    if (!parser) return tl::unexpected(parser.error());
    auto out = std::make_unique<Instance>();
    out->parser = std::move(*parser);
    const ConformOptions conform_options{options.since_ms, options.until_ms, options.raw_data};
    for (std::uint32_t t = 0; t < plugin.descriptor->n_classes; ++t) {
      auto schema = out->parser->schema(t);
      if (!schema) return tl::unexpected(schema.error());
      out->schemas.push_back(*schema);
      const lm_class& declared = plugin.descriptor->classes[t];
      auto conform = Conform::create(*registry.tables.find(declared.class_uid), declared, out->schemas.back(),
                                     fmt::format("{} {}", plugin.id, view(plugin.descriptor->version)), conform_options);
      if (!conform) return fail(conform.error().code, fmt::format("parser '{}': {}", plugin.id, conform.error().what));
      out->tables.push_back(std::move(*conform));
    }
    return out;
  }

  void give_instance(const ParserPlugin& plugin, std::unique_ptr<Instance> instance) {
    const std::lock_guard lock(instances_mutex);
    instances[&plugin].push_back(std::move(instance));
  }

  void reject_record(ParseCall& call, std::uint32_t block, std::uint32_t record, std::string_view code, std::string_view why) {
    const WorkBlock& work = call.group->blocks[block];
    const Place place = place_of(work, record);
    count_reject(*work.object, *call.group->tally, place.offset, why);
    rejects_writer->add({work.object->uri, work.object->ref.etag, call.group->parser->id, code, why, true, place.offset, place.length,
                         ordinal_of(work, record), text_of(work, record), true});
  }

  static std::uint64_t ordinal_of(const WorkBlock& work, std::uint32_t record) {
    return work.ordinals.empty() ? work.block.first_record + record : work.ordinals[record];
  }
  static Place place_of(const WorkBlock& work, std::uint32_t record) {
    const lm_record& r = work.block.records[record];
    return work.places.empty() ? Place{work.block.offset + r.offset, r.length} : work.places[record];
  }
  static std::string_view text_of(const WorkBlock& work, std::uint32_t record) {
    const lm_record& r = work.block.records[record];
    return {reinterpret_cast<const char*>(work.block.data.bytes()) + r.offset, r.length};
  }

  static void on_reject(void* ctx, std::uint32_t block, std::uint32_t record, std::uint32_t code, lm_str why) noexcept {
    auto& call = *static_cast<ParseCall*>(ctx);
    if (block >= call.group->blocks.size() || record >= call.group->blocks[block].block.records.size()) {
      call.contract = "it rejected a record that does not exist";
      return;
    }
    std::uint8_t& seen = call.seen[call.first[block] + record];
    if (seen == kRefused) return;  // which is said already
    if (seen != kNotYet) {
      call.contract = seen == kRows ? "it rejected a record that it had given a row" : "it rejected a record twice";
      return;
    }
    seen = kRejected;
    try {
      std::string text = readable(view(why));
      if (code == LM_REJECT_FOREIGN && !call.state->forced) {
        call.foreign.push_back({block, record, std::move(text)});
      } else {
        call.state->reject_record(call, block, record, reject_name(code), text);
      }
    } catch (const std::exception& e) {
      call.state->fail_run({Errc::internal, e.what()});
    }
  }

  static void on_drift(void* ctx, lm_str field, std::uint64_t count) noexcept {
    auto& call = *static_cast<ParseCall*>(ctx);
    try {
      ParserTally& tally = *call.group->tally;
      const std::lock_guard lock(tally.mutex);
      constexpr std::size_t kMost = 10'000, kLongest = 256;
      const std::string name = readable(view(field).substr(0, kLongest));
      const auto found = tally.drift.find(name);
      if (found != tally.drift.end()) {
        found->second += count;
      } else {
        tally.drift[tally.drift.size() < kMost ? name : "(others)"] += count;
      }
    } catch (const std::exception& e) {
      call.state->fail_run({Errc::internal, e.what()});
    }
  }

  static lm_status on_batch(void* ctx, lm_batch* batch) noexcept {
    auto& call = *static_cast<ParseCall*>(ctx);
    try {
      return call.state->take_batch(call, *batch);
    } catch (const std::exception& e) {
      call.state->fail_run({Errc::internal, e.what()});
      if (batch->array.release) batch->array.release(&batch->array);
      return LM_CANCELLED;
    }
  }

  lm_status take_batch(ParseCall& call, lm_batch& batch) {
    const auto refuse = [&](std::string why) {
      call.contract = std::move(why);
      if (batch.array.release) batch.array.release(&batch.array);
      return lm_status{LM_OK};
    };
    if (!batch.array.release) return refuse("it emitted a released array");
    if (batch.table >= call.instance->tables.size()) return refuse("it emitted a table that it did not declare");
    // What comes from a worker may be anything, and what is counted by here is relied upon.
    const bool isolated = call.group->parser->workers != nullptr;
    const Validation level = isolated || options.validate_full ? Validation::full : Validation::standard;
    if (auto ok = validate(call.instance->schemas[batch.table], batch.array, level, isolated); !ok) {
      return refuse(ok.error().what);
    }
    if (level == Validation::full) {
      if (const std::string path = call.instance->tables[batch.table]->not_json(batch.array); !path.empty())
        return refuse(fmt::format("it emitted text in '{}' that is not JSON", path));
    }
    if (batch.array.length == 0) return refuse("");
    if (!batch.origins) return refuse("it emitted rows without origins");
    if (auto why = check_origins(call, batch); !why.empty()) return refuse(std::move(why));
    // Marked before conform takes the batch: the origins are borrowed, and conform may filter.
    const std::vector<const char*> faults = faults_of(call, batch);
    if (!faults.empty()) return complete_others(call, batch, faults);
    mark_origins(call, batch);
    return complete_rows(call, batch);
  }

  // What every event must have and no host can derive: for each row why no event can be made of it, or null; empty if there is no such row.
  static std::vector<const char*> faults_of(const ParseCall& call, const lm_batch& batch) {
    // Of a time, the years 1 to 9999: beyond them neither RFC 3339 nor a folder of days can say it.
    constexpr std::int64_t kFirst = -62'135'596'800'000, kLast = 253'402'300'799'999;
    const auto rows = static_cast<std::size_t>(batch.array.length);
    std::vector<const char*> out;
    const auto note = [&](std::size_t row, const char* why) {
      out.resize(rows, nullptr);
      if (!out[row]) out[row] = why;
    };
    const ArrowSchema& schema = call.instance->schemas[batch.table];
    for (std::int64_t c = 0; c < schema.n_children; ++c) {
      const std::string_view name = schema.children[c]->name;
      const bool time = name == "time";
      if (!time && name != "activity_id") continue;
      const ArrowArray& column = *batch.array.children[c];
      if (column.null_count != 0) {
        const auto* const valid = static_cast<const std::uint8_t*>(column.buffers[0]);
        for (std::size_t i = 0; i < rows; ++i) {
          if ((valid[i / 8] >> (i % 8) & 1) == 0)
            note(i, time ? "the parser gave its row no time" : "the parser gave its row no activity_id");
        }
      }
      if (!time) continue;
      const std::span times(static_cast<const std::int64_t*>(column.buffers[1]), rows);
      const auto is_outside = [](std::int64_t t) {
        return static_cast<std::uint64_t>(t) - static_cast<std::uint64_t>(kFirst) > static_cast<std::uint64_t>(kLast - kFirst);
      };
      bool outside = false;
      for (const std::int64_t t : times) outside |= is_outside(t);
      for (std::size_t i = 0; outside && i < rows; ++i) {
        if (is_outside(times[i])) note(i, "the parser gave its row a time that no calendar has");
      }
    }
    // Nor of one whose record was refused for another row.
    for (const auto& s : call.has_refused ? std::span<const Stretch>(call.stretches) : std::span<const Stretch>()) {
      const std::uint8_t* const seen = call.seen.data() + call.first[s.block];
      for (std::size_t i = s.begin; i < s.end; ++i) {
        if (seen[batch.origins[i].record] == kRefused) note(i, "its record was refused");
      }
    }
    return out;
  }

  // The rows without a fault. A record that has none but faulty ones is rejected; of one that has others, that rows were lost is told of its object.
  lm_status complete_others(ParseCall& call, lm_batch& batch, const std::vector<const char*>& faults) {
    const std::span<const lm_origin> origins(batch.origins, faults.size());
    const auto seen = [&](const lm_origin& o) -> std::uint8_t& { return call.seen[call.first[o.block] + o.record]; };
    for (std::size_t i = 0; i < faults.size(); ++i) {
      if (!faults[i]) seen(origins[i]) = kRows;
    }
    for (std::size_t i = 0; i < faults.size(); ++i) {
      const lm_origin& o = origins[i];
      if (!faults[i] || seen(o) == kRefused) continue;
      if (seen(o) == kRows) {
        call.lost.emplace_back(o.block, fmt::format("a row of record {} was lost, though it has others: {}",
                                                    ordinal_of(call.group->blocks[o.block], o.record), faults[i]));
      } else {
        refuse_record(call, o, LM_REJECT_MALFORMED, faults[i]);
      }
    }
    std::vector<std::uint32_t> good;
    std::vector<lm_origin> good_origins;
    for (std::size_t i = 0; i < faults.size(); ++i) {
      if (!faults[i]) good.push_back(static_cast<std::uint32_t>(i)), good_origins.push_back(origins[i]);
    }
    if (good.empty()) {
      batch.array.release(&batch.array);
      return LM_OK;
    }
    Owned rest{batch};
    rest.batch.array.release = nullptr;
    take_rows(call.instance->schemas[batch.table], &batch.array, good, &rest.batch.array, &rest.batch.bytes);
    rest.batch.origins = good_origins.data();
    return complete_rows(call, rest.batch);
  }

  // Once, whatever else is wrong with its rows.
  void refuse_record(ParseCall& call, const lm_origin& o, std::uint32_t code, const char* why) {
    if (std::exchange(call.seen[call.first[o.block] + o.record], kRefused) == kRefused) return;
    call.has_refused = true;
    reject_record(call, o.block, o.record, reject_name(code), why);
  }

  // A batch whose array is released with it, if nobody has taken it.
  struct Owned {
    lm_batch batch;
    explicit Owned(const lm_batch& b) : batch(b) {}
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    ~Owned() {
      if (batch.array.release) batch.array.release(&batch.array);
    }
  };

  // Rows that are checked and marked.
  lm_status complete_rows(ParseCall& call, lm_batch& batch) {
    Conform& conform = *call.instance->tables[batch.table];
    const auto rows_in = static_cast<std::uint64_t>(batch.array.length);
    auto out = conform.run(batch, call.origins);
    if (!out) {
      fail_run(out.error());
      return LM_CANCELLED;
    }
    const std::uint64_t rows_out = out->too_large ? 0 : rows_in - out->rows_filtered;
    {
      ParserTally& tally = *call.group->tally;
      const std::lock_guard lock(tally.mutex);
      TableCount& count = tally.tables[conform.table().name];
      count.rows_out += rows_out;
      count.rows_filtered += out->rows_filtered;
    }
    rows += rows_out;
    if (out->too_large) return complete_pieces(call, batch);
    if (!out->array.release) return LM_OK;
    if (journal) tell_times(conform.table(), out->array);
    if (sinks.empty()) out->array.release(&out->array);
    for (std::size_t s = 0; s < sinks.size(); ++s) {
      ConformedBatch mine = *out;
      if (s + 1 < sinks.size()) share_batch(*out, &mine);
      if (auto ok = sinks[s]->write(conform.table(), mine); !ok) {
        fail_run(ok.error());
        if (s + 1 < sinks.size()) out->array.release(&out->array);
        return LM_CANCELLED;
      }
    }
    return stopping() && failed ? LM_CANCELLED : LM_OK;
  }

  // What is made of these rows is too large for one batch.
  lm_status complete_pieces(ParseCall& call, lm_batch& batch) {
    const auto count = static_cast<std::size_t>(batch.array.length);
    if (count == 1) {
      const lm_origin& o = batch.origins[0];
      refuse_record(call, o, LM_REJECT_OVERSIZE, "its row has more than 2 GiB in one column");
      batch.array.release(&batch.array);
      return LM_OK;
    }
    std::array<Owned, 2> pieces{Owned{batch}, Owned{batch}};
    for (Owned& p : pieces) p.batch.array.release = nullptr, p.batch.bytes /= 2;
    pieces[1].batch.origins += count / 2;
    split_rows(call.instance->schemas[batch.table], &batch.array, count / 2, &pieces[0].batch.array, &pieces[1].batch.array);
    for (Owned& p : pieces) {
      if (const lm_status status = complete_rows(call, p.batch); status != LM_OK) return status;
    }
    return LM_OK;
  }

  void tell_times(const Table& table, const ArrowArray& array) {
    for (std::size_t c = 0; c < table.root.children.size(); ++c) {
      if (table.root.children[c]->name != "time") continue;
      const ArrowArray& time = *array.children[c];
      const auto* const first = static_cast<const std::int64_t*>(time.buffers[1]) + time.offset;
      const auto [least, most] = std::minmax_element(first, first + time.length);
      return journal->wrote(table, {static_cast<std::uint64_t>(array.length), *least, *most});
    }
  }

  // Origins are used as indices from here on. Fills call.stretches.
  static std::string check_origins(ParseCall& call, const lm_batch& batch) {
    static constexpr const char* kNoRecord = "it emitted a row of a record that does not exist";
    const std::span<const lm_origin> origins(batch.origins, static_cast<std::size_t>(batch.array.length));
    call.stretches.clear();
    std::uint32_t last_block = 0;
    for (std::size_t begin = 0, i = 0; begin < origins.size(); begin = i) {
      const std::uint32_t block = origins[begin].block;
      if (block >= call.group->blocks.size()) return kNoRecord;
      const std::size_t records = call.group->blocks[block].block.records.size();
      if (origins[begin].record >= records) return kNoRecord;
      if (block < std::exchange(last_block, block)) return "its rows are out of order";
      const std::uint8_t* const seen = call.seen.data() + call.first[block];
      std::uint32_t last = 0;
      for (; i < origins.size() && origins[i].block == block; ++i) {
        const std::uint32_t record = origins[i].record;
        if (record >= records) return kNoRecord;
        if (record < std::exchange(last, record)) return "its rows are out of order";
        if (seen[record] == kRejected) return "it emitted a row of a record that it had rejected";
      }
      call.stretches.push_back({block, begin, i});
    }
    return {};
  }

  static void mark_origins(ParseCall& call, const lm_batch& batch) {
    for (const auto& s : call.stretches) {
      std::uint8_t* const seen = call.seen.data() + call.first[s.block];
      const lm_origin* const origins = batch.origins;
      for (std::size_t i = s.begin; i < s.end; ++i) seen[origins[i].record] = kRows;
    }
  }

  void run_parse(const GroupPtr& group) {
    std::uint64_t charged = 0;
    for (const WorkBlock& work : group->blocks) charged += work.charged;
    try {
      parse_group(*group);
    } catch (const std::exception& e) {
      fail_run({Errc::internal, e.what()});
    }
    for (WorkBlock& work : group->blocks) close(work.object);
    group->blocks.clear();
    budget.give(charged);
  }

  // Every parser may rely on UTF-8: records that are not are taken out of their block here. Header lines stay, for the records below need them.
  void check_encoding(ParseCall& call) {
    for (std::uint32_t b = 0; b < call.group->blocks.size(); ++b) {
      WorkBlock& work = call.group->blocks[b];
      if (const auto& prologue = work.block.prologue; prologue && !simdjson::validate_utf8(prologue->data(), prologue->size()))
        work.block.prologue = std::make_shared<const std::string>(readable(*prologue));
      const auto* data = reinterpret_cast<const char*>(work.block.data.bytes());
      if (simdjson::validate_utf8(data, work.block.data.size())) continue;
      std::vector<lm_record> good;
      std::vector<std::uint64_t> ordinals;
      std::vector<Place> places;
      for (std::uint32_t r = 0; r < work.block.records.size(); ++r) {
        const lm_record& record = work.block.records[r];
        if (simdjson::validate_utf8(data + record.offset, record.length)) {
          good.push_back(record);
          ordinals.push_back(work.ordinals.empty() ? work.block.first_record + r : work.ordinals[r]);
          if (!work.places.empty()) places.push_back(work.places[r]);
        } else {
          reject_record(call, b, r, reject_name(LM_REJECT_ENCODING), "the record is not UTF-8");
        }
      }
      work.places = std::move(places);
      work.block.records = std::move(good);
      work.ordinals = std::move(ordinals);
    }
  }

  void parse_group(Group& group) {
    const auto start = Clock::now();
    ParseCall call{this, &group, nullptr, {}, {}, {}, {}, {}, {}, {}, false};
    std::uint64_t delivered = 0;
    for (const WorkBlock& work : group.blocks) delivered += work.refused.empty() ? work.block.records.size() : 0;
    records += delivered;
    ParserTally& tally = *group.tally;
    // What is not parsed stands behind what is.
    std::size_t wanted = group.blocks.size();
    if (group.parser->workers) {
      const auto end =
          std::stable_partition(group.blocks.begin(), group.blocks.end(), [](const WorkBlock& w) { return !w.object->is_given_up; });
      wanted = static_cast<std::size_t>(end - group.blocks.begin());
    }
    check_encoding(call);

    std::size_t total = 0;
    std::vector<const lm_block*> views;
    for (WorkBlock& work : group.blocks) {
      call.first.push_back(total);
      total += work.block.records.size();
      const std::string_view prologue = work.block.prologue ? std::string_view(*work.block.prologue) : std::string_view();
      work.view = lm_block{sizeof(lm_block),
                           0,
                           work.block.data.bytes(),
                           work.block.data.size(),
                           work.block.records.data(),
                           work.block.records.size(),
                           work.block.offset,
                           work.block.first_record,
                           reinterpret_cast<const std::uint8_t*>(prologue.data()),
                           prologue.size(),
                           &work.target->object};
      if (views.size() < wanted) views.push_back(&work.view);
      call.origins.push_back(
          {&work.view, work.ordinals.empty() ? nullptr : &work.ordinals, work.object->hash, work.places.empty() ? nullptr : &work.places});
    }
    call.seen.assign(total, 0);
    std::vector<std::string> why(group.blocks.size());  // why a block was not parsed
    for (std::size_t b = wanted; b < why.size(); ++b) why[b] = group.blocks[b].object->given_up;
    if (!views.empty() && !parse_blocks(call, group, views, why)) return;
    if (!failed) account(call, group, why);
    if (!failed && !call.foreign.empty()) offer_foreign(call);
    tally.nanoseconds += static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count());
  }

  // False: the run has failed.
  bool parse_blocks(ParseCall& call, Group& group, const std::vector<const lm_block*>& views, std::vector<std::string>& why) {
    const auto all_lost = [&](const std::string& reason) {
      for (std::size_t b = 0; b < views.size(); ++b) {
        if (why[b].empty()) why[b] = reason;
      }
    };
    auto instance = take_instance(*group.parser);
    if (!instance && group.parser->workers && (instance.error().code == Errc::plugin || instance.error().code == Errc::invalid)) {
      all_lost(instance.error().what);  // isolated, it takes nothing else with it; a configuration was tried before anything was read
      return true;
    }
    if (!instance) {
      // A parser that cannot start is the run's failure: every object of it would be lost.
      fail_run(instance.error());
      return false;
    }
    call.instance = instance->get();
    const lm_emit emit{sizeof(lm_emit), 0, &call, on_batch, on_reject, on_drift};
    ParserInstance::Losses losses;
    const auto parsed = (*instance)->parser->parse(
        views, emit, [this] { return stopping(); }, losses);
    if (!parsed && parsed.error().code == Errc::io) {
      fail_run(parsed.error());
      return false;
    }
    for (const auto& [block, give_up, reason] : losses.blocks) {
      why[block] = reason;
      if (give_up) give_up_object(*group.blocks[block].object, reason);
    }
    if (!parsed) {
      const bool stopped = parsed.error().code == Errc::cancelled;
      all_lost(!stopped     ? parsed.error().what
               : stopping() ? "the run was stopped"
                            : fmt::format("parser '{}' says that the run is being stopped, which it is not", group.parser->id));
    } else if (!call.contract.empty()) {
      all_lost(fmt::format("parser '{}' broke its contract: {}", group.parser->id, call.contract));
    } else {
      give_instance(*group.parser, std::move(*instance));
      return true;
    }
    // It is not kept: an instance that failed is not trusted again.
    (*instance)->parser->distrust();
    return true;
  }

  // What a parser has called foreign goes to whoever knows it, with the place that it has in its object; what nobody else knows is rejected as that parser said.
  // In groups of their own: what waits for more might wait for ever, for the last strand may be through.
  void offer_foreign(ParseCall& call) {
    std::map<const ParserPlugin*, GroupPtr> groups_now;
    std::stable_sort(call.foreign.begin(), call.foreign.end(), [](const auto& a, const auto& b) { return a.block < b.block; });
    for (std::size_t begin = 0, end = 0; begin < call.foreign.size(); begin = end) {
      while (end < call.foreign.size() && call.foreign[end].block == call.foreign[begin].block) ++end;
      const WorkBlock& from = call.group->blocks[call.foreign[begin].block];
      std::vector<const ParserPlugin*> refused = from.refused;
      refused.push_back(call.group->parser);
      std::map<const Target*, WorkBlock> blocks;
      for (const auto& f : std::span(call.foreign).subspan(begin, end - begin)) {
        const std::string_view text = text_of(from, f.record);
        const Target* const to = foreign_target(from, text, refused);
        if (!to) {
          reject_record(call, f.block, f.record, reject_name(LM_REJECT_FOREIGN), f.why);
          continue;
        }
        WorkBlock& work = blocks[to];
        const std::size_t at = work.block.data.size();
        work.block.data.append(std::as_bytes(std::span(text)));
        work.block.records.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(text.size())});
        work.ordinals.push_back(ordinal_of(from, f.record));
        work.places.push_back(place_of(from, f.record));
      }
      for (auto& [to, work] : blocks) {
        work.target = to;
        work.refused = refused;
        work.block.data.resize(work.block.data.size());
        call.group->tally->records_in -= work.block.records.size();
        call.group->tally->decoded_bytes -= work.block.data.size();
        to->tally->decoded_bytes += work.block.data.size();
        charge(from.object, work);
        GroupPtr& group = groups_now[to->parser];
        if (!group) {
          group = std::make_shared<Group>();
          group->parser = to->parser;
          group->tally = to->tally;
        }
        group->blocks.push_back(std::move(work));
      }
    }
    for (auto& [parser, group] : groups_now) put_group(group);
  }

  // Who is to have a record of `from` that its parser does not know; null: nobody. Records of one kind go the same way, so that the parsers are asked once for each.
  const Target* foreign_target(const WorkBlock& from, std::string_view text, std::span<const ParserPlugin* const> refused) {
    if (refused.size() > kMaxRefusals || stopping()) return nullptr;
    thread_local KindTeller teller;
    WrappingContext context;
    teller.tell(text, context);
    std::string key(reinterpret_cast<const char*>(refused.data()), refused.size_bytes());
    const auto target_before = reinterpret_cast<std::uintptr_t>(from.target);
    key.append(reinterpret_cast<const char*>(&target_before), sizeof target_before);
    ((key += context.kind) += '\0') += context.likeness;
    const bool lines = text.find('\n') == std::string_view::npos;
    key += lines ? '1' : '0';
    ObjectRun& o = *from.object;
    const std::lock_guard lock(o.foreign_mutex);
    if (const auto known = o.foreign_routes.find(key); known != o.foreign_routes.end()) return known->second;
    const ParserPlugin* parser = recognise("", std::as_bytes(std::span(text.substr(0, kHeadBytes))), false, refused).parser;
    if (stopping()) return nullptr;
    if (parser && (parser->descriptor->kind == LM_KIND_SET_ASIDE || (parser->descriptor->framing == LM_FRAMING_LINES && !lines)))
      parser = nullptr;
    Target* target = nullptr;
    if (parser) {
      auto captures = captures_of(*parser, o.ref.key);
      if (captures.empty() && !from.places.empty()) captures = from.target->captures;
      target = target_among(o.foreign_targets, o, *parser, std::move(captures));
    }
    // Kinds without end are somebody's intent; they cost time, but no memory.
    if (o.foreign_routes.size() >= kMaxRoutes) o.foreign_routes.clear();
    o.foreign_routes.emplace(std::move(key), target);
    return target;
  }

  // Every record gave a row or was rejected; what is neither is rejected here.
  void account(ParseCall& call, Group& group, const std::vector<std::string>& why) {
    std::uint64_t with_rows = 0;
    for (std::uint32_t b = 0; b < group.blocks.size(); ++b) {
      const std::uint8_t* const seen = call.seen.data() + call.first[b];
      const std::size_t count = group.blocks[b].block.records.size();
      with_rows += static_cast<std::uint64_t>(std::count(seen, seen + count, kRows));
      bool lost = false;
      for (std::size_t from = 0; from < count; ++from) {
        const void* const found = std::memchr(seen + from, kNotYet, count - from);
        if (!found) break;
        from = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - seen);
        lost = true;
        reject_record(call, b, static_cast<std::uint32_t>(from), "plugin",
                      why[b].empty()
                          ? fmt::format("parser '{}' broke its contract: it gave the record neither a row nor a reject", group.parser->id)
                          : why[b]);
      }
      // Also where each record has something: what a call that failed has not given may be more of it.
      if (lost || !why[b].empty()) {
        set_outcome(
            *group.blocks[b].object, ObjectOutcome::partly_read,
            why[b].empty() ? fmt::format("parser '{}' broke its contract: records without row or reject", group.parser->id) : why[b]);
      }
    }
    for (const auto& [block, reason] : call.lost) set_outcome(*group.blocks[block].object, ObjectOutcome::partly_read, reason);
    group.tally->records_out += with_rows;
  }

  // ---- The whole ----

  void give_up() {
    if (!lister.joinable()) return;
    failed = true;
    may_list.notify_all();
    lister.join();
  }

  Result<void> prepare() {
    if (!options.plugin.empty()) {
      forced = registry.parser(options.plugin);
      if (!forced || forced->descriptor->kind == LM_KIND_SET_ASIDE)
        return fail(Errc::invalid, fmt::format("no parser has the id '{}'; `logmill plugins` lists them", options.plugin));
    }
    for (const auto& [id, config] : options.plugin_config) {
      const ParserPlugin* plugin = registry.parser(id);
      if (!plugin) return fail(Errc::invalid, fmt::format("a configuration names the parser '{}', which is not there", id));
      if (auto trial = ParserInstance::create(*plugin, config); !trial) return fail(Errc::invalid, trial.error().what);
    }
    auto opened = open_sources(options, [this] { return stopping(); });
    if (!opened) return tl::unexpected(opened.error());
    sources = std::move(*opened);
    for (const auto& source : sources) far |= source->remote();
    return open_tables();
  }

  Result<void> open_tables() {
    for (const Table* table : registry.tables.all()) {
      for (const auto& sink : sinks) {
        if (auto ok = sink->open(*table); !ok) return ok;
      }
    }
    return {};
  }

  bool execute() {
    unsigned readers = std::max(4u, 2 * threads);
    max_in_flight = max_large = std::max(8u, 4 * threads);
    if (far) readers = max_in_flight = std::max(options.requests, 1u);
    if (!arena.is_active()) arena.initialize(static_cast<int>(threads), 1);
    epoch_over = false;
    epoch_objects = epoch_bytes = 0;
    epoch_began = Clock::now();
    if (!lister.joinable()) lister = std::thread([this] { list(); });
    arena.execute([&] {
      namespace flow = oneapi::tbb::flow;
      graph = std::make_unique<flow::graph>();
      decode_node = std::make_unique<flow::function_node<ObjectPtr>>(*graph, flow::unlimited, [this](const ObjectPtr& o) {
        handover.take();
        run_strand(o);
        handover.give();
      });
      parse_node = std::make_unique<flow::function_node<GroupPtr>>(*graph, flow::unlimited, [this](const GroupPtr& g) {
        handover.take();
        run_parse(g);
        --parse_calls;
        handover.give();
      });
      graph->reserve_wait();
    });
#if defined(__SANITIZE_THREAD__)
    Arrivals::built.give();
    const Arrivals arrivals(arena);
#endif
    live = readers;
    std::vector<std::thread> io;
    for (unsigned i = 0; i < readers; ++i) io.emplace_back([this] { read_objects(); });
    arena.execute([&] { graph->wait_for_all(); });
    handover.take();
    for (std::thread& t : io) t.join();
    arena.execute([&] { parse_node.reset(), decode_node.reset(), graph.reset(); });
    if (!ending()) {
      const std::lock_guard lock(queue_mutex);
      if (!listed || !queue.empty()) return true;
    }
    lister.join();
    return false;
  }

  Progress progress() {
    Progress p;
    p.objects_done = objects_done, p.objects_listed = objects_listed;
    {
      const std::lock_guard lock(queue_mutex);
      p.listing_done = listed;
    }
    p.stored_bytes_done = stored_done, p.stored_bytes_listed = stored_listed, p.decoded_bytes = decoded;
    p.records = records, p.rows = rows, p.rejects = rejects;
    p.seconds = std::chrono::duration<double>(Clock::now() - began).count();
    return p;
  }

  Result<void> check() {
    const std::lock_guard lock(error_mutex);
    if (fatal) return tl::unexpected(*fatal);
    std::uint64_t rows_counted = 0;
    for (const auto& [id, tally] : tallies) {
      for (const auto& [name, count] : tally->tables) rows_counted += count.rows_out;
      if (tally->records_in != tally->records_out + tally->rejects) {
        return fail(
            Errc::internal,
            fmt::format(
                "the accounts do not balance: {} read {} records, {} gave rows and {} were rejected. The output is not to be trusted", id,
                tally->records_in.load(), tally->records_out.load(), tally->rejects.load()));
      }
    }
    if (rows_counted != rows)
      return fail(Errc::internal, "the accounts do not balance: rows made and rows counted differ. The output is not to be trusted");
    return {};
  }

  Result<Summary> conclude() {
    if (auto ok = check(); !ok) return tl::unexpected(ok.error());
    for (const auto& [id, tally] : tallies) {
      ParserCount& p = summary.parsers[id];
      p.objects = tally->objects, p.stored_bytes = tally->stored_bytes, p.decoded_bytes = tally->decoded_bytes;
      p.records_in = tally->records_in, p.records_out = tally->records_out, p.rejects = tally->rejects;
      p.seconds = static_cast<double>(tally->nanoseconds.load()) / 1e9;
      p.tables = tally->tables, p.drift = tally->drift;
    }
    summary.decoded_bytes = decoded;
    summary.cancelled = cancelled;
    return std::move(summary);
  }
};

Engine::Engine(const Registry& registry, RunOptions options, std::vector<std::unique_ptr<BatchSink>>& sinks, std::atomic<bool>& cancelled,
               RejectsWriter& rejects, Journal* journal)
    : state_(std::make_unique<State>(registry.impl(), std::move(options), sinks, cancelled, rejects, journal)) {}
Engine::~Engine() = default;
Result<void> Engine::prepare() { return state_->prepare(); }
Result<void> Engine::next(RejectsWriter& rejects) {
  state_->rejects_writer = &rejects;
  return state_->open_tables();
}
bool Engine::execute() { return state_->execute(); }
void Engine::give_up() { state_->give_up(); }
Result<void> Engine::check() { return state_->check(); }
Result<Summary> Engine::conclude() { return state_->conclude(); }
Progress Engine::progress() const { return state_->progress(); }

// ---- Run: sinks around an engine ----

bool Summary::complete() const {
  return !cancelled && partly_read == 0 && unrecognised == 0 && failed == 0 && rejects() == 0 && refused.empty() && skipped_not_whole == 0;
}
std::uint64_t Summary::rejects() const {
  std::uint64_t sum = 0;
  for (const auto& [id, p] : parsers) sum += p.rejects;
  return sum;
}
std::uint64_t Summary::rows() const {
  std::uint64_t sum = 0;
  for (const auto& [id, p] : parsers) {
    for (const auto& [name, count] : p.tables) sum += count.rows_out;
  }
  return sum;
}

struct Run::Impl {
  const Registry& registry;
  RunOptions options;
  std::atomic<bool> cancelled{false};
  mutable std::mutex engine_mutex;
  std::unique_ptr<Engine> engine;
};

Run::Run(const Registry& registry, RunOptions options) : impl_(new Impl{registry, std::move(options), {}, {}, {}}) {}
Run::~Run() = default;

void Run::cancel() { impl_->cancelled.store(true, std::memory_order_relaxed); }

Progress Run::progress() const {
  const std::lock_guard lock(impl_->engine_mutex);
  return impl_->engine ? impl_->engine->progress() : Progress{};
}

Result<std::unique_ptr<OutputSink>> make_sink(const Registry& registry, const SinkSpec& spec, const RunOptions& options,
                                              std::string_view run_id, Storages& storages, Refusals& refusals,
                                              const std::atomic<bool>& cancelled) {
  const SinkPlugin* plugin = registry.impl().sink(spec.id);
  if (!plugin) {
    std::string known;
    for (const SinkInfo& s : registry.sinks()) known += fmt::format("{}{}", known.empty() ? "" : ", ", s.id);
    return fail(Errc::invalid, fmt::format("no sink is called '{}'; there are: {}", spec.id, known));
  }
  const unsigned threads = options.threads ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  const std::uint64_t memory = share_memory(options.memory).sinks / std::max<std::size_t>(options.sinks.size(), 1);
  return make_plugin_sink(*plugin, spec, registry.impl().tables, threads, memory, run_id, storages, refusals, cancelled);
}

namespace {

// Two sinks of a kind would take the same names there.
Result<void> check_places(const std::vector<SinkSpec>& sinks) {
  std::map<std::string, const SinkSpec*> places;
  for (const SinkSpec& spec : sinks) {
    if (!Storages::is_place(spec.target)) continue;
    const auto [at, fresh] = places.emplace(spec.id + ":" + Storages::place(spec.target), &spec);
    if (!fresh)
      return fail(Errc::invalid,
                  fmt::format("{0}:{1} and {0}:{2} are the same place: give each sink its own", spec.id, at->second->target, spec.target));
  }
  return {};
}

// All outputs are durable before the first is visible: mostly, what goes wrong is found out while nothing is there. Answers the final names.
Result<std::vector<std::string>> finish(const std::vector<OutputSink*>& sinks, RejectsWriter& rejects, const std::filesystem::path& folder,
                                        std::string_view run_id) {
  std::vector<std::pair<OutputSink*, SealedOutput>> sealed;
  Result<void> ok;
  for (std::size_t i = 0; ok && i < sinks.size(); ++i) {
    auto outputs = sinks[i]->seal();
    if (!outputs) ok = tl::unexpected(outputs.error());
    for (std::size_t o = 0; ok && o < outputs->size(); ++o) sealed.emplace_back(sinks[i], std::move((*outputs)[o]));
  }
  auto kept = ok ? rejects.seal() : false;
  if (!kept) ok = tl::unexpected(kept.error());
  std::vector<std::string> names;
  for (const auto& [sink, output] : sealed) {
    if (ok) ok = sink->publish(output.token);
    std::string name = sink->shown(output.name);
    if (names.empty() || names.back() != name) names.push_back(std::move(name));  // all tables may be in one stream
  }
  for (OutputSink* const sink : sinks) {
    auto settled = sink->settle();
    if (ok) ok = std::move(settled);
  }
  if (ok && *kept) {
    auto published = RejectsWriter::publish(folder, run_id);
    if (published) {
      names.push_back("rejects:" + *published);
    } else {
      ok = tl::unexpected(published.error());
    }
  }
  if (ok) return names;
  // Half of a run is not left to be taken for the whole, and nobody publishes later what is not published now.
  for (const auto& [sink, output] : sealed) static_cast<void>(sink->discard(output.token));
  for (OutputSink* const sink : sinks) {
    static_cast<void>(sink->settle());
    sink->abandon();
  }
  if (kept && *kept) static_cast<void>(RejectsWriter::discard(folder, run_id));
  return tl::unexpected(not_usage(ok.error()));
}

}  // namespace

Result<Summary> Run::execute() {
  const auto began = Clock::now();
  const RunOptions& options = impl_->options;
  if (options.sinks.empty()) return fail(Errc::invalid, "no sink: say where the events go, for instance --to parquet:DIR");
  if (Storages::is_remote(options.rejects.string()))
    return fail(Errc::invalid, "rejects are kept in a local folder: say --rejects DIR, and copy it where it is to be");
  if (auto ok = Storages::check_folder(options.rejects.string()); !ok) return tl::unexpected(ok.error());
  if (auto ok = check_places(options.sinks); !ok) return tl::unexpected(ok.error());
  const auto started = [&](std::unique_ptr<Engine> engine) {
    const std::lock_guard lock(impl_->engine_mutex);
    impl_->engine = std::move(engine);
  };
  if (!options.state.empty()) {
    auto summary = run_with_ledger(impl_->registry, options, impl_->cancelled, started);
    if (summary) summary->seconds = std::chrono::duration<double>(Clock::now() - began).count();
    return summary;
  }
  const std::string run_id = make_run_id();
  Storages storages(options.s3);
  auto rejects = RejectsWriter::open(options.rejects, run_id);
  if (!rejects) return tl::unexpected(rejects.error());
  Refusals refusals;
  refusals.keep_in(rejects->get());
  std::vector<std::unique_ptr<BatchSink>> sinks;
  std::vector<OutputSink*> outlets;  // the same ones
  for (const SinkSpec& spec : options.sinks) {
    auto sink = make_sink(impl_->registry, spec, options, run_id, storages, refusals, impl_->cancelled);
    if (!sink) return tl::unexpected(sink.error());
    outlets.push_back(sink->get());
    sinks.push_back(std::move(*sink));
  }
  auto engine = std::make_unique<Engine>(impl_->registry, options, sinks, impl_->cancelled, **rejects);
  Engine& e = *engine;
  if (auto ok = e.prepare(); !ok) return tl::unexpected(ok.error());
  started(std::move(engine));
  e.execute();
  auto summary = e.conclude();
  if (!summary) return summary;
  auto outputs = finish(outlets, **rejects, options.rejects, run_id);
  if (!outputs) return tl::unexpected(outputs.error());
  summary->outputs_total = outputs->size();
  outputs->resize(std::min(outputs->size(), Summary::kMaxReports));
  summary->outputs = std::move(*outputs);
  summary->refused = refusals.take();
  summary->seconds = std::chrono::duration<double>(Clock::now() - began).count();
  return summary;
}

}  // namespace lm
