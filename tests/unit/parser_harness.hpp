// Drives the parsers of one library through the C ABI as the host does: cuts text into blocks, takes out what is not UTF-8, parses, checks every batch at the
// border, conforms it and writes its rows as JSON. For unit tests, fuzz targets and the conformance tests; the library is linked in or loaded.
//
//   lm::testing::Harness harness(logmill_entry, "aws.vpcflow");
//   lm::testing::Blocks blocks(harness);
//   blocks.add("version account-id ...\n2 111122223333 ...\n", "AWSLogs/111122223333/vpcflowlogs/eu-central-1/x.log");
//   const auto out = harness.run(blocks);
//   out.events[0].json, out.rejects[0].why
#pragma once

#include "common/json_writer.hpp"
#include "conform/conform.hpp"
#include "frame/frame.hpp"
#include "plugin_host/plugin_host.hpp"
#include "plugin_host/validate.hpp"

#include "feed.hpp"

#include <logmill/sdk/json.hpp>

#include <simdjson.h>
#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace lm::testing {

// What does not hold is a defect of the parser or of the host, never of the input.
inline void require(bool holds, const std::string& what) {
  if (!holds) throw std::logic_error(what);
}

struct ReleaseSchema {
  void operator()(ArrowSchema* s) const {
    if (s->release) s->release(s);
    delete s;
  }
};
using Schema = std::unique_ptr<ArrowSchema, ReleaseSchema>;

inline const lm_parser_factory& factory_of(const lm_entry& entry) {
  static const lm_host host{sizeof(lm_host), LM_ABI_VERSION, {"test", 4}, [](const char*) -> const void* { return nullptr; }};
  lm_error error{};
  error.struct_size = sizeof error;
  require(entry.init(&host, &error) == LM_OK, error.message);
  const auto* factory = static_cast<const lm_parser_factory*>(entry.get_factory(LM_PARSER_FACTORY));
  require(factory != nullptr, "the library has no parsers");
  return *factory;
}

struct Event {
  std::uint32_t block, record, item;
  std::string table, json;
  std::uint64_t offset, length;  // of its record, in the text of its object
};

struct Rejected {
  std::uint32_t block, record, code;
  std::string why, text;
};

struct Outcome {
  std::vector<Event> events;  // ascending by block, record and item
  std::vector<Rejected> rejects;
  std::map<std::string, std::uint64_t> drift;

  std::size_t count(std::string_view table) const {
    return static_cast<std::size_t>(std::count_if(events.begin(), events.end(), [&](const Event& e) { return e.table == table; }));
  }
};

class Blocks;

// One instance of one parser.
class Harness {
 public:
  Harness(const lm_entry& entry, std::string_view id, std::string_view config = "{}") : factory_(factory_of(entry)) {
    while (index_ < factory_.count && view(factory_.descriptor(index_)->id) != id) ++index_;
    require(index_ < factory_.count, "the library has no parser " + std::string(id));
    lm_error error{};
    error.struct_size = sizeof error;
    // An input: tests give wrong ones on purpose.
    if (factory_.create(index_, str(config), &parser_, &error) != LM_OK) throw std::invalid_argument(error.message);
    const lm_parser_descriptor& d = descriptor();
    for (std::uint64_t i = 0; i < d.n_keys; ++i) {
      keys_.push_back(KeyPattern::compile(view(d.keys[i])).value());
    }
    for (std::uint64_t i = 0; i < d.n_classes; ++i) {
      const auto added = set_.add(d.classes[i]);
      require(added.has_value(), added ? "" : added.error().what);
    }
    for (std::uint32_t i = 0; i < d.n_classes; ++i) {
      const lm::Table& table = *set_.find(d.classes[i].class_uid);
      Schema schema(new ArrowSchema{}), whole(new ArrowSchema{});
      require(parser_.schema(parser_.self, i, schema.get(), &error) == LM_OK, error.message);
      auto conform = Conform::create(table, d.classes[i], *schema, std::string(id) + " test", {});
      require(conform.has_value(), conform ? "" : conform.error().what);
      table.export_schema(whole.get());
      auto field = sink::Field::parse(*whole);
      require(field.has_value(), field ? "" : field.error().message);
      tables_.push_back(
          {std::move(schema), std::move(whole), std::move(*conform), std::make_unique<sink::JsonWriter>(std::move(*field), 1 << 20)});
    }
  }
  ~Harness() {
    if (parser_.destroy) parser_.destroy(parser_.self);
  }
  Harness(const Harness&) = delete;
  Harness& operator=(const Harness&) = delete;

  const lm_parser_descriptor& descriptor() const { return *factory_.descriptor(index_); }
  const lm_parser& parser() const { return parser_; }
  const ArrowSchema& schema(std::uint32_t table) const { return *tables_[table].schema; }
  Conform& conform(std::uint32_t table) { return *tables_[table].conform; }
  bool is_prologue(std::string_view line) const { return factory_.prologue && factory_.prologue(index_, str(line)) != 0; }
  KeyPattern::Captures captures(std::string_view key) const {
    KeyPattern::Captures out;
    for (const KeyPattern& pattern : keys_) {
      if (pattern.matches(key, &out)) break;
      out.clear();
    }
    return out;
  }

  // How sure the parser is of an object that begins with `head`; the host gives 64 KiB at most.
  std::int32_t score(std::string_view head, std::string_view key = "object") const {
    head = head.substr(0, 65536);
    const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[head.size() + LM_PADDING]());
    std::copy(head.begin(), head.end(), exact.get());
    const lm_sample sample{sizeof(lm_sample), 1, str(key), exact.get(), head.size(), nullptr};
    const std::int32_t score = factory_.score(index_, &sample);
    require(score >= 0 && score <= 100, "a score outside of 0 to 100");
    return score;
  }

  // Parses and checks: every record gives rows or one reject, every array is what its schema says before and after conform, and every row is JSON.
  Outcome run(const Blocks& blocks);

 private:
  struct Table {
    Schema schema, whole;
    std::unique_ptr<Conform> conform;
    std::unique_ptr<sink::JsonWriter> writer;
  };
  struct Context;
  void take(lm_batch& batch, Context& context);

  const lm_parser_factory& factory_;
  std::uint32_t index_ = 0;
  lm_parser parser_{};
  std::vector<KeyPattern> keys_;
  TableSet set_;
  std::vector<Table> tables_;
};

// The blocks of one call, of one object or of several. Each is in memory of just its size and the padding that plugin.h promises, so that
// AddressSanitizer sees a read behind it.
class Blocks {
 public:
  explicit Blocks(const Harness& harness) : harness_(harness) {}
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;

  // The whole text of an object. Blocks are cut behind the record with which they have `block_size` bytes.
  Blocks& add(std::string_view text, std::string_view key = "object", std::size_t block_size = std::size_t{1} << 20) {
    const lm_parser_descriptor& d = harness_.descriptor();
    FrameSpec spec;
    spec.framing = d.framing;
    spec.envelope = std::string(view(d.envelope));
    spec.is_prologue = [this](std::string_view line) { return harness_.is_prologue(line); };
    const auto framer = make_framer(spec, {block_size, std::size_t{1} << 20});
    Object& object = objects_.emplace_back(harness_, key);
    feed(*framer, text, text.size(), [&] {
      while (auto block = framer->next()) take(*block, object);
    });
    for (FrameReject& r : framer->take_rejects()) frame_rejects_.push_back(std::move(r));
    return *this;
  }

  const std::vector<const lm_block*>& pointers() const { return pointers_; }
  const std::vector<BlockOrigin>& origins() const { return origins_; }
  // What the parser never sees: records that framing rejected, and how many were not UTF-8.
  const std::vector<FrameReject>& frame_rejects() const { return frame_rejects_; }
  std::size_t not_utf8() const { return not_utf8_; }

 private:
  struct Object {
    Object(const Harness& harness, std::string_view key) : uri("archive/" + std::string(key)), captures(harness.captures(key)) {
      hash = object_hash(uri, "etag");
      for (const auto& [name, value] : captures) views.push_back({str(name), str(value)});
      object = {sizeof(lm_object), 0, str(uri), str("etag"), 0, 0, views.data(), views.size()};
    }
    Object(const Object&) = delete;
    Object& operator=(const Object&) = delete;
    std::string uri, hash;
    KeyPattern::Captures captures;
    std::vector<lm_capture> views;
    lm_object object{};
  };
  struct Held {
    std::unique_ptr<std::uint8_t[]> data;
    std::unique_ptr<lm_record[]> records;
    std::unique_ptr<std::uint8_t[]> prologue;
    std::vector<std::uint64_t> ordinals;
    lm_block block{};
  };

  void take(const Block& framed, const Object& object) {
    std::size_t size = 0;
    for (const lm_record& r : framed.records) size = std::max<std::size_t>(size, std::size_t{r.offset} + r.length);
    Held& held = held_.emplace_back();
    held.data.reset(new std::uint8_t[size + LM_PADDING]);
    std::memcpy(held.data.get(), framed.data.bytes(), size);
    std::memset(held.data.get() + size, '"', LM_PADDING);  // what may be read there must not be believed
    std::vector<lm_record> records;
    for (std::size_t i = 0; i < framed.records.size(); ++i) {
      const lm_record& r = framed.records[i];
      if (simdjson::validate_utf8(reinterpret_cast<const char*>(held.data.get()) + r.offset, r.length)) {
        records.push_back(r), held.ordinals.push_back(framed.first_record + i);
      } else {
        ++not_utf8_;
      }
    }
    held.records.reset(new lm_record[records.size()]);
    std::copy(records.begin(), records.end(), held.records.get());
    std::string header = framed.prologue ? *framed.prologue : "";
    if (!simdjson::validate_utf8(header.data(), header.size()))
      std::replace_if(
          header.begin(), header.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
    held.prologue.reset(new std::uint8_t[header.size()]);
    std::copy(header.begin(), header.end(), held.prologue.get());
    held.block = {sizeof(lm_block),    0,
                  held.data.get(),     size,
                  held.records.get(),  records.size(),
                  framed.offset,       framed.first_record,
                  held.prologue.get(), header.size(),
                  &object.object};
    pointers_.push_back(&held.block);
    origins_.push_back({&held.block, &held.ordinals, object.hash});
  }

  const Harness& harness_;
  std::deque<Object> objects_;
  std::deque<Held> held_;
  std::vector<const lm_block*> pointers_;
  std::vector<BlockOrigin> origins_;
  std::vector<FrameReject> frame_rejects_;
  std::size_t not_utf8_ = 0;
};

struct Harness::Context {
  Harness& harness;
  const Blocks& blocks;
  Outcome& out;
  std::set<std::uint32_t> tables{};
  std::string broken{};  // the first thing that does not hold: nothing may be thrown through the plugin

  const lm_record* record(std::uint32_t block, std::uint32_t record) const {
    if (block >= blocks.pointers().size() || record >= blocks.pointers()[block]->n_records) return nullptr;
    return &blocks.pointers()[block]->records[record];
  }
};

inline Outcome Harness::run(const Blocks& blocks) {
  Outcome out;
  Context context{*this, blocks, out};
  lm_emit emit{};
  emit.struct_size = sizeof emit;
  emit.ctx = &context;
  emit.batch = [](void* ctx, lm_batch* batch) -> lm_status {
    auto& c = *static_cast<Context*>(ctx);
    try {
      c.harness.take(*batch, c);
    } catch (const std::exception& e) {
      if (c.broken.empty()) c.broken = e.what();
    }
    if (batch->array.release) batch->array.release(&batch->array);
    return LM_OK;
  };
  emit.reject = [](void* ctx, std::uint32_t block, std::uint32_t record, std::uint32_t code, lm_str why) {
    auto& c = *static_cast<Context*>(ctx);
    const lm_record* r = c.record(block, record);
    if (!r) {
      c.broken = "a reject of a record that is not there";
      return;
    }
    const char* text = reinterpret_cast<const char*>(c.blocks.pointers()[block]->data) + r->offset;
    c.out.rejects.push_back({block, record, code, std::string(view(why)), std::string(text, r->length)});
  };
  emit.drift = [](void* ctx, lm_str field, std::uint64_t count) {
    auto& c = *static_cast<Context*>(ctx);
    const std::string_view name = view(field);
    if (!simdjson::validate_utf8(name.data(), name.size())) c.broken = "the name of a field is not UTF-8";
    c.out.drift[std::string(name)] += count;
  };
  lm_error error{};
  error.struct_size = sizeof error;
  require(parser_.parse(parser_.self, blocks.pointers().data(), blocks.pointers().size(), &emit, &error) == LM_OK, error.message);
  require(context.broken.empty(), context.broken);

  std::sort(out.events.begin(), out.events.end(),
            [](const Event& a, const Event& b) { return std::tie(a.block, a.record, a.item) < std::tie(b.block, b.record, b.item); });
  std::map<std::pair<std::uint32_t, std::uint32_t>, int> seen;  // 1: rows, 2: rejected
  for (std::size_t i = 0; i < out.events.size(); ++i) {
    const Event& e = out.events[i];
    require(i == 0 ||
                std::tie(out.events[i - 1].block, out.events[i - 1].record, out.events[i - 1].item) != std::tie(e.block, e.record, e.item),
            "two rows have one origin");
    seen[{e.block, e.record}] = 1;
  }
  for (const Rejected& r : out.rejects)
    require(seen.emplace(std::pair(r.block, r.record), 2).second, "a record was rejected twice, or has rows too");
  std::size_t records = 0;
  for (const lm_block* b : blocks.pointers()) records += b->n_records;
  require(seen.size() == records, "a record gave neither a row nor a reject");
  return out;
}

inline void Harness::take(lm_batch& batch, Context& context) {
  require(batch.table < tables_.size(), "a batch of a table that was not declared");
  require(context.tables.insert(batch.table).second, "two batches of one table");
  Table& table = tables_[batch.table];
  const auto n = static_cast<std::size_t>(batch.array.length);
  const std::vector<lm_origin> origins(batch.origins, batch.origins + n);
  for (std::size_t i = 0; i < n; ++i) {
    require(context.record(origins[i].block, origins[i].record) != nullptr, "a row comes from a record that is not there");
    require(i == 0 || std::tie(origins[i - 1].block, origins[i - 1].record, origins[i - 1].item) <
                          std::tie(origins[i].block, origins[i].record, origins[i].item),
            "rows are not in the order of their records");
  }
  const auto valid = validate(*table.schema, batch.array, Validation::full);
  require(valid.has_value(), valid ? "" : valid.error().what);
  for (std::int64_t i = 0; i < table.schema->n_children; ++i) {
    const std::string_view name = table.schema->children[i]->name;
    if (name == "activity_id" || name == "time") require(batch.array.children[i]->null_count == 0, "a row without " + std::string(name));
  }
  batch.instance = 1;
  auto conformed = table.conform->run(batch, context.blocks.origins());
  require(conformed.has_value(), conformed ? "" : conformed.error().what);
  const std::unique_ptr<ArrowArray, void (*)(ArrowArray*)> guard(&conformed->array, [](ArrowArray* a) { a->release(a); });
  require(static_cast<std::size_t>(conformed->array.length) == n, "conform changed the number of rows");
  const auto whole = validate(*table.whole, conformed->array, Validation::full);
  require(whole.has_value(), whole ? "" : whole.error().what);

  sink::TextBuffer text;
  table.writer->begin(conformed->array, conformed->instance, conformed->epoch);
  for (std::int64_t row = 0; row < table.writer->rows(); ++row) {
    text.clear();
    require(table.writer->render(row, text, 1) == row + 1, "more rows at once than were asked for");
    std::string_view line = text.view();
    require(line.ends_with('\n'), "a row is no line");
    line.remove_suffix(1);
    static thread_local json::Reader reader;
    require(reader.valid(line) || reader.too_deep(), "a row is not JSON: " + std::string(line));
    const lm_origin& o = origins[static_cast<std::size_t>(row)];
    const lm_block& block = *context.blocks.pointers()[o.block];
    context.out.events.push_back({o.block, o.record, o.item, table.conform->table().name, std::string(line),
                                  block.offset + block.records[o.record].offset, block.records[o.record].length});
  }
  table.writer->end();
}

// ---- Events against what is expected of them ----

namespace detail {
inline std::string difference(simdjson::dom::element wanted, const simdjson::dom::element* got, const std::string& path) {
  using simdjson::dom::element_type;
  if (wanted.is_null()) return got ? path + ": should be absent, is " + simdjson::minify(*got) + "\n" : "";
  if (!got) return path + ": is absent, should be " + simdjson::minify(wanted) + "\n";
  const auto other = [&] { return path + ": is " + simdjson::minify(*got) + ", should be " + simdjson::minify(wanted) + "\n"; };
  std::string out;
  if (wanted.is_object()) {
    if (!got->is_object()) return other();
    for (const auto& [key, value] : simdjson::dom::object(wanted)) {
      simdjson::dom::element below;
      const bool there = simdjson::dom::object(*got).at_key(key).get(below) == simdjson::SUCCESS;
      out += difference(value, there ? &below : nullptr, path + "." + std::string(key));
    }
    return out;
  }
  if (wanted.is_array()) {
    if (!got->is_array() || simdjson::dom::array(wanted).size() != simdjson::dom::array(*got).size()) return other();
    std::size_t i = 0;
    for (const simdjson::dom::element value : simdjson::dom::array(wanted)) {
      const simdjson::dom::element below = simdjson::dom::array(*got).at(i);
      out += difference(value, &below, path + "[" + std::to_string(i++) + "]");
    }
    return out;
  }
  return simdjson::minify(wanted) == simdjson::minify(*got) ? "" : other();
}
}  // namespace detail

// The event without what depends on where its record lay.
inline std::string content(std::string_view json) {
  simdjson::dom::parser parser;
  std::string out;
  for (const auto& [key, value] : simdjson::dom::object(parser.parse(json))) {
    if (key == "lineage") continue;
    out += std::string(key) + "=";
    if (key != "metadata") {
      out += simdjson::minify(value);
    } else {
      for (const auto& [name, member] : simdjson::dom::object(value)) {
        if (name != "uid") out += std::string(name) + ":" + std::string(simdjson::minify(member));
      }
    }
    out += "\n";
  }
  return out;
}

// What an event lacks or has otherwise; "" if nothing. Members that `wanted` does not name may be there; null means that there is none. Arrays have the
// same length. Both are JSON.
inline std::string difference(std::string_view wanted, std::string_view event) {
  simdjson::dom::parser a, b;
  simdjson::dom::element w, e;
  if (a.parse(wanted).get(w) != simdjson::SUCCESS) return "the expectation is not JSON: " + std::string(wanted);
  if (b.parse(event).get(e) != simdjson::SUCCESS) return "the event is not JSON: " + std::string(event);
  return detail::difference(w, &e, "");
}

}  // namespace lm::testing
