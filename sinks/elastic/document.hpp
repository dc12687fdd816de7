// Documents of another schema, made of the rows of a table by a mapping.
//
//   DocumentPlan plan(mapping, field, "api_activity", "default");      // once a table
//   DocumentMaker maker(plan);                                         // a thread
//   maker.begin(array);
//   const std::size_t dataset = maker.dataset(row);                    // plan.dataset(dataset) is its name
//   maker.render(row, dataset, event, out);                            // appends {"@timestamp":..., ..., "ocsf":{...}}
//
// What a field's type cannot hold is left out of that field, whatever the event says: no document is refused for what somebody wrote into a log. Nothing is lost by
// that, for the whole event is in the document, too. Fields are resolved to columns once; JSON within columns is read in one pass a row, for all fields at once.
#pragma once

#include "common/arrow_view.hpp"
#include "elastic/mapping.hpp"

#include <logmill/sdk/json.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lm::sink {

// A flattened field holds so many bytes at most: Lucene takes no longer term.
inline constexpr std::size_t kLongestTerm = 32'766;

// What stands at a path: text as it is, everything else as JSON writes it.
struct Found {
  enum class Kind : std::uint8_t { text, number, boolean, object, array };
  Kind kind = Kind::text;
  std::string_view text;
};

// JSON as Java prints its maps and lists: {a=1, b=[x, null], c={}}.
void append_java(std::string_view json, std::string& out);
// Whether engines take the JSON within a flattened field: not nested too deep, no text that is too long, no key that they have no name for.
bool is_within_limits(std::string_view json);
// The same of the whole of a field: an object, or a list of them.
bool is_tame(std::string_view json);

// Behind the name of the event's field: the field with what is not in it, JSON as text. Of OCSF documents it is "ocsf_text", too.
inline constexpr std::string_view kRest = "_text";

// Paths, resolved to the columns of a table.
class Sources {
 public:
  explicit Sources(const Field& root) : root_(&root) {}
  // Nothing: the table has no such column.
  std::optional<std::size_t> add(const Path&);

 private:
  friend class SourceReader;
  struct Place {  // a column below structs
    std::vector<std::size_t> children;
    const Field* field = nullptr;
  };
  struct Hop {
    enum class Kind : std::uint8_t { child, index, each, where };
    Kind kind = Kind::child;
    std::size_t number = 0;  // of the child; index
    std::string value;
  };
  struct JsonNode {
    std::string key;
    std::vector<std::unique_ptr<JsonNode>> members;
    std::vector<std::pair<std::size_t, std::unique_ptr<JsonNode>>> elements;
    std::unique_ptr<JsonNode> every;
    std::size_t slot = kNone;
    bool many = false;  // below `every`
  };
  struct Document {  // JSON in a column
    Place place;
    JsonNode root;
    std::size_t slots = 0;
  };
  enum class Kind : std::uint8_t { column, nested, json };
  struct Access {
    Path path;
    Kind kind = Kind::column;
    Place place;
    std::vector<Hop> hops;                   // nested: from the list on
    std::size_t document = 0, slot = kNone;  // json
  };
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  std::optional<std::size_t> add_json(Access access, const Path& path, std::size_t at);
  bool add_hops(Access& access, const Path& path, std::size_t at) const;

  const Field* root_;
  std::vector<Access> accesses_;
  std::vector<Document> documents_;
};

// Reads what Sources has found in the rows of a batch. Belongs to one thread at a time.
class SourceReader {
 public:
  explicit SourceReader(const Sources&);
  void begin(const ArrowView& rows);
  // Appends what stands there; views are valid until the next row is asked for, or `scratch` goes.
  void collect(std::size_t access, std::int64_t row, std::pmr::memory_resource& scratch, std::vector<Found>& out);

 private:
  struct Column {
    std::vector<ArrowView> parents;  // that may be null
    ArrowView leaf;
  };
  struct Slot {
    std::vector<Found> found;
    bool exact = false;  // the key was written as the path has it
  };
  struct Parsed {
    std::int64_t row = -1;
    std::vector<Slot> slots;
    std::deque<json::Reader> readers;
    std::size_t used = 0;  // of readers
  };

  static Column bind(const Sources::Place&, const ArrowView& rows);
  static bool valid(const Column&, std::int64_t row);
  static std::string_view text_of(const ArrowView&, std::int64_t row);
  static void put(const ArrowView&, std::int64_t row, std::pmr::memory_resource& scratch, std::vector<Found>& out);
  void walk(const ArrowView&, std::int64_t row, const std::vector<Sources::Hop>&, std::size_t at, std::pmr::memory_resource& scratch,
            std::vector<Found>& out);
  void parse(std::size_t document, std::int64_t row);
  // Of an array: all that is asked of its elements, or, where some are asked for by number and all of them as well, one of both at a time: a value is taken once.
  enum class Asked : std::uint8_t { all, every, numbered };
  static bool asks_twice(const Sources::JsonNode& node) { return node.every && !node.elements.empty(); }
  void read(Parsed&, const Sources::JsonNode&, std::string_view text, Asked asked = Asked::all);
  void visit_member(Parsed&, const Sources::JsonNode&, std::string_view key, json::Value&);
  void visit_element(Parsed&, const Sources::JsonNode&, std::size_t index, json::Value&, Asked asked);
  void visit(Parsed&, const Sources::JsonNode&, bool exact, json::Value&);

  const Sources& sources_;
  std::vector<Column> columns_;    // by access; of json those of documents_
  std::vector<Column> documents_;  // by document
  std::vector<Parsed> parsed_;
};

// Takes out of an event what would have an engine refuse it: JSON, or, where the whole event is flattened, anything that is not within limits. Belongs to one thread at a time.
class EventTamer {
 public:
  // The field must outlive it.
  EventTamer(const Field&, bool flattened);
  EventTamer(const EventTamer&) = delete;
  EventTamer& operator=(const EventTamer&) = delete;

  // The array must live until the last call of tame.
  void begin(const ArrowArray&);
  // `event`: the row as JSON. True: `out` is the event without it, and `rest` what was taken out, members of an object by their paths. False: all of it may stay.
  bool tame(std::int64_t row, std::string_view event, std::string& out, std::string& rest);

 private:
  bool may_stay(std::int64_t row, std::string_view event);

  const Field& field_;
  const bool flattened_;
  Sources sources_;
  std::vector<std::size_t> columns_;  // that are JSON
  std::optional<SourceReader> reader_;
  std::vector<Found> found_;
};

class DocumentPlan {
 public:
  // All must outlive the plan. `name_space` is what {namespace} stands for.
  DocumentPlan(const Mapping&, const Field&, std::string table, std::string name_space);
  DocumentPlan(const DocumentPlan&) = delete;
  DocumentPlan& operator=(const DocumentPlan&) = delete;

  std::size_t datasets() const { return datasets_.size(); }
  const std::string& dataset(std::size_t i) const { return datasets_.at(i)->name; }

 private:
  friend class DocumentMaker;
  struct Check {
    const Condition* condition;
    std::vector<std::size_t> paths;
  };
  struct Way {  // an alternative that the table's columns allow
    const Alternative* alternative;
    std::vector<std::vector<std::size_t>> from;
    std::vector<std::string> constant;
    std::vector<Check> when;
  };
  struct Op {
    enum class Kind : std::uint8_t { open, close, field };
    Kind kind = Kind::field;
    std::string prefix;  // ,"name":
    const Rule* rule = nullptr;
    std::vector<Way> ways;
  };
  struct Compiled {
    explicit Compiled(const Field& field) : sources(field) {}
    Sources sources;
    std::vector<Op> ops;
  };
  struct OfDataset {
    std::string name;
    bool possible = true;
    std::vector<Check> when;
    std::once_flag once;
    std::unique_ptr<const Compiled> compiled;  // when the first row of it comes
  };

  // Nothing: it can never hold. A check without paths always does.
  static std::optional<std::vector<Check>> checks(const std::vector<Condition>&, Sources&);
  const Compiled& compiled(std::size_t dataset) const;
  std::string substituted(std::string text, const std::string& dataset) const;

  const Mapping& mapping_;
  const Field& field_;
  const std::string table_, name_space_;
  Sources choosing_;
  std::vector<std::unique_ptr<OfDataset>> datasets_;
};

// Belongs to one thread at a time. Throws BadArray and std::bad_alloc.
class DocumentMaker {
 public:
  explicit DocumentMaker(const DocumentPlan&);

  // The array must live until the last render.
  void begin(const ArrowArray&);
  std::size_t dataset(std::int64_t row);
  // `event`: the row as a JSON object, in one line.
  void render(std::int64_t row, std::size_t dataset, std::string_view event, std::string& out);

 private:
  struct OfDataset {
    const DocumentPlan::Compiled* compiled = nullptr;
    std::optional<SourceReader> reader;
    std::uint64_t batch = 0;
  };
  bool holds(const DocumentPlan::Check&, SourceReader&, std::int64_t row);
  void values(const DocumentPlan::Way&, const Rule&, SourceReader&, std::int64_t row);
  void first_of(const std::vector<std::size_t>& paths, SourceReader&, std::int64_t row, std::vector<Found>& out);
  void apply(const Verb&, const Found&, std::vector<Found>& out);
  void expand(std::string_view array, std::vector<Found>& out);
  std::string_view keep(std::string_view);
  void field(const DocumentPlan::Op&, SourceReader&, std::int64_t row, std::string& out);

  const DocumentPlan& plan_;
  SourceReader choosing_;
  EventTamer tamer_;
  std::vector<OfDataset> datasets_;
  const ArrowArray* array_ = nullptr;
  std::uint64_t batch_ = 0;
  ArrowView times_;

  std::array<std::byte, 8192> first_scratch_;
  std::pmr::monotonic_buffer_resource scratch_{first_scratch_.data(), first_scratch_.size()};
  std::vector<Found> found_, more_;
  std::vector<std::pair<std::size_t, std::size_t>> written_;  // of a field with several values: where they stand
  std::vector<std::pair<std::size_t, std::size_t>> open_;     // objects: where they begin, and their first member
  json::Reader elements_;
  std::string text_, tamed_, rest_;
};

}  // namespace lm::sink
