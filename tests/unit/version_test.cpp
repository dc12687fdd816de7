// Events in an older version of OCSF: rows go in as JSON and come out as JSON, through the Arrow arrays that sinks are given, which are checked in full.
#include "common/json_writer.hpp"
#include "plugin_host/validate.hpp"
#include "version/projection.hpp"

#include <gtest/gtest.h>
#include <simdjson.h>
#include <logmill/sdk/arrays.hpp>
#include <logmill/sdk/columns.hpp>
#include <logmill/sdk/intern.hpp>

#include <atomic>
#include <deque>
#include <map>

namespace {

using namespace lm;
using simdjson::dom::element;
using Values = std::vector<std::optional<element>>;

lm_str text(std::string_view s) { return {s.data(), s.size()}; }

// A class as a parser declares it. Paths that end in '*' are dictionaries.
class Declared {
 public:
  Declared(std::uint32_t uid, std::vector<std::string> paths, std::vector<std::string> profiles = {"cloud"})
      : paths_(std::move(paths)), profile_names_(std::move(profiles)) {
    for (std::string& path : paths_) {
      const bool coded = path.ends_with('*');
      if (coded) path.pop_back();
      columns_.push_back({sizeof(lm_column), coded ? std::uint32_t{LM_TEXT_DICTIONARY} : 0, text(path), {}});
    }
    for (const std::string& profile : profile_names_) profiles_.push_back(text(profile));
    class_ = {sizeof(lm_class), uid, columns_.data(), columns_.size(), profiles_.data(), profiles_.size()};
  }
  Declared(const Declared&) = delete;
  Declared& operator=(const Declared&) = delete;
  const lm_class& get() const { return class_; }

 private:
  std::vector<std::string> paths_, profile_names_;
  std::vector<lm_column> columns_;
  std::vector<lm_str> profiles_;
  lm_class class_{};
};

// JSON to arrays. Dictionaries live as long as this does, as those of a parser instance.
class Maker {
 public:
  ConformedBatch make(const TableNode& root, const std::vector<std::string>& rows) {
    Values values;
    simdjson::dom::parser parser;
    documents_.clear();
    for (const std::string& row : rows) {
      documents_.emplace_back();
      simdjson::dom::element parsed;
      EXPECT_EQ(parser.parse_into_document(documents_.back(), row).get(parsed), simdjson::SUCCESS) << row;
      values.emplace_back(parsed);
    }
    auto arena = detail::ArrayArena::make();
    ArrowArray& a = array(*arena, root, values);
    ConformedBatch out;
    out.instance = 7, out.epoch = 1;
    detail::ArrayArena::finish(std::move(arena), a, &out.array);
    return out;
  }

 private:
  template <class T, class Get>
  static void numbers(detail::ArrayArena& arena, ArrowArray& a, const Values& values, Get&& get) {
    detail::Memory memory = detail::allocate_zeroed(values.size() * sizeof(T));
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i]) detail::slots<T>(memory)[i] = get(*values[i]);
    }
    a.buffers[1] = arena.keep(std::move(memory), values.size() * sizeof(T));
  }

  ArrowArray& array(detail::ArrayArena& arena, const TableNode& node, const Values& values) {
    const bool plain = node.kind == TableNode::Kind::leaf && (node.type == LeafType::text || node.type == LeafType::json);
    ArrowArray& a = arena.add(static_cast<std::int64_t>(values.size()), node.kind == TableNode::Kind::structure ? 1 : plain ? 3 : 2);
    detail::Memory valid = detail::allocate_zeroed(detail::bitmap_bytes(values.size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i]) {
        detail::slots<std::uint8_t>(valid)[i >> 3] |= static_cast<std::uint8_t>(1u << (i & 7));
      } else {
        ++a.null_count;
      }
    }
    if (a.null_count) a.buffers[0] = arena.keep(std::move(valid), detail::bitmap_bytes(values.size()));
    if (node.kind == TableNode::Kind::structure) {
      std::vector<ArrowArray*> children;
      for (const auto& child : node.children) {
        Values inner;
        for (const auto& value : values) {
          element found;
          inner.push_back(value && value->at_key(child->name).get(found) == simdjson::SUCCESS ? std::optional(found) : std::nullopt);
        }
        children.push_back(&array(arena, *child, inner));
      }
      arena.set_children(a, std::move(children));
    } else if (node.kind == TableNode::Kind::list) {
      Values inner;
      detail::Memory offsets = detail::allocate_zeroed((values.size() + 1) * 4);
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (values[i]) {
          for (const element item : values[i]->get_array()) inner.push_back(item.is_null() ? std::nullopt : std::optional(item));
        }
        detail::slots<std::int32_t>(offsets)[i + 1] = static_cast<std::int32_t>(inner.size());
      }
      a.buffers[1] = arena.keep(std::move(offsets), (values.size() + 1) * 4);
      arena.set_children(a, {&array(arena, *node.children[0], inner)});
    } else {
      leaf(arena, a, node, values);
    }
    return a;
  }

  void leaf(detail::ArrayArena& arena, ArrowArray& a, const TableNode& node, const Values& values) {
    const auto string = [&](const element& value) {
      return node.type != LeafType::json ? std::string(value.get_string().value())
             : value.is_string()         ? std::string(value.get_string().value())
                                         : simdjson::minify(value);
    };
    switch (node.type) {
      case LeafType::int32:
        return numbers<std::int32_t>(arena, a, values, [](const element& v) { return static_cast<std::int32_t>(v.get_int64().value()); });
      case LeafType::int64: return numbers<std::int64_t>(arena, a, values, [](const element& v) { return v.get_int64().value(); });
      case LeafType::float64: return numbers<double>(arena, a, values, [](const element& v) { return v.get_double().value(); });
      case LeafType::dictionary: {
        detail::Interner& dictionary = dictionaries_[node.path];
        numbers<std::int32_t>(arena, a, values, [&](const element& v) { return dictionary.intern(string(v)); });
        a.dictionary = &dictionary.export_dictionary(arena);
        return;
      }
      case LeafType::boolean: {
        detail::Memory bits = detail::allocate_zeroed(detail::bitmap_bytes(values.size()));
        for (std::size_t i = 0; i < values.size(); ++i) {
          if (values[i] && values[i]->get_bool().value())
            detail::slots<std::uint8_t>(bits)[i >> 3] |= static_cast<std::uint8_t>(1u << (i & 7));
        }
        a.buffers[1] = arena.keep(std::move(bits), detail::bitmap_bytes(values.size()));
        return;
      }
      default: break;
    }
    std::string all;
    detail::Memory offsets = detail::allocate_zeroed((values.size() + 1) * 4);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i]) all += string(*values[i]);
      detail::slots<std::int32_t>(offsets)[i + 1] = static_cast<std::int32_t>(all.size());
    }
    a.buffers[1] = arena.keep(std::move(offsets), (values.size() + 1) * 4);
    detail::Memory bytes = detail::allocate_zeroed(all.size());
    std::memcpy(bytes.get(), all.data(), all.size());
    a.buffers[2] = arena.keep(std::move(bytes), all.size());
  }

  std::deque<simdjson::dom::document> documents_;
  std::map<std::string, detail::Interner> dictionaries_;
};

struct Version {
  Version(std::string_view version, TableColumns columns, std::initializer_list<const Declared*> classes) {
    for (const Declared* d : classes) {
      if (auto ok = made.add(d->get()); !ok) ADD_FAILURE() << ok.error().what;
    }
    auto out = VersionedTables::make(made, version, columns);
    if (!out) throw std::runtime_error(out.error().what);
    tables = std::move(*out);
  }

  // The rows as the sink sees them.
  std::vector<std::string> rows(std::uint32_t class_uid, const std::vector<std::string>& in, std::size_t most = std::size_t{256} << 20) {
    const Table& from = *made.find(class_uid);
    ArrowSchema schema{};
    from.export_schema(&schema);
    ConformedBatch batch = maker.make(from.root, in);
    EXPECT_TRUE(validate(schema, batch.array, Validation::full)) << "the test's own batch";
    schema.release(&schema);
    // The source's arrays are gone when the last of what was made of them is.
    auto batches = tables->project(from, batch, most);
    EXPECT_EQ(batch.array.release, nullptr);
    std::vector<std::string> out;
    if (!batches) return {batches.error().what};
    pieces = batches->size();
    tables->of(from).export_schema(&schema);
    for (ConformedBatch& b : *batches) {
      const auto ok = validate(schema, b.array, Validation::full);
      EXPECT_TRUE(ok) << ok.error().what;
      sink::JsonWriter writer(*sink::Field::parse(schema), 1 << 20);
      sink::TextBuffer buffer;
      writer.begin(b.array, b.instance, b.epoch);
      for (std::int64_t row = 0; row < writer.rows();) row = writer.render(row, buffer, 1);
      writer.end();
      std::string_view all = buffer.view();
      while (!all.empty()) {
        out.emplace_back(all.substr(0, all.find('\n')));
        all.remove_prefix(out.back().size() + 1);
      }
      b.array.release(&b.array);
    }
    schema.release(&schema);
    return out;
  }
  std::string row(std::uint32_t class_uid, const std::string& in) {
    const auto out = rows(class_uid, {in});
    return out.size() == 1 ? out[0] : "";
  }

  TableSet made;
  std::unique_ptr<VersionedTables> tables;
  Maker maker;
  std::size_t pieces = 0;
};

// One attribute of a row, as text; "" if it is not there. `pointer` is a JSON pointer.
std::string get(const std::string& row, std::string_view pointer) {
  simdjson::dom::parser parser;
  element found;
  if (parser.parse(row).at_pointer(pointer).get(found) != simdjson::SUCCESS) return "";
  return simdjson::minify(found);
}

const Declared& api() {
  static const Declared out(6003, {"activity_id",
                                   "time",
                                   "severity_id",
                                   "actor.app_name*",
                                   "actor.app_uid",
                                   "actor.invoked_by*",
                                   "actor.user.name*",
                                   "actor.user.display_name",
                                   "actor.user.type_id",
                                   "api.operation*",
                                   "duration",
                                   "resources[].uid",
                                   "resources[].role*",
                                   "resources[].role_id",
                                   "resources[].owner.display_name",
                                   "metadata.product.name*",
                                   "metadata.product.vendor_name*",
                                   "is_alert",
                                   "src_endpoint.ip",
                                   "cloud.provider*"});
  return out;
}

TEST(Version, WhatAnOlderOneHasStaysAndWhatItLacksIsInUnmappedUnderItsPath) {
  Version v("1.1.0", TableColumns::filled, {&api()});
  const std::string row = v.row(
      6003, R"({"activity_id":1,"time":5,"actor":{"app_uid":"u","user":{"name":"n","display_name":"N \"x\"\n"}},"api":{"operation":"Op"},)"
            R"("is_alert":false,"metadata":{"version":"1.8.0","log_source":"s"},"unmapped":{"field":[1]}})");
  EXPECT_EQ(get(row, "/actor"), R"({"user":{"name":"n"}})");
  EXPECT_EQ(get(row, "/api"), R"({"operation":"Op"})");
  EXPECT_EQ(get(row, "/time"), "5");
  EXPECT_EQ(get(row, "/metadata/version"), R"("1.1.0")");
  EXPECT_EQ(get(row, "/unmapped"),
            R"({"field":[1],"actor.app_uid":"u","actor.user.display_name":"N \"x\"\n","is_alert":false,"metadata.log_source":"s"})");
}

TEST(Version, BelowAListTheMovedValuesHaveThePlacesOfTheirElements) {
  Version v("1.1.0", TableColumns::filled, {&api()});
  const std::string row = v.row(
      6003,
      R"({"activity_id":1,"time":5,"resources":[{"uid":"a"},{"uid":"b","role":"Target","role_id":1,"owner":{"display_name":"O"}},null]})");
  EXPECT_EQ(get(row, "/resources"), R"([{"uid":"a"},{"uid":"b"},null])");
  EXPECT_EQ(get(row, "/unmapped/resources[].role"), R"([null,"Target",null])");
  EXPECT_EQ(get(row, "/unmapped/resources[].role_id"), "[null,1,null]");
  EXPECT_EQ(get(row, "/unmapped/resources[].owner"), R"([null,{"display_name":"O"},null])")
      << "an object of which nothing stays goes as a whole";
}

TEST(Version, ANumberThatTheOlderEnumLacksIsOtherAndIsKept) {
  Version v("1.1.0", TableColumns::filled, {&api()});
  const auto rows = v.rows(6003, {R"({"activity_id":1,"time":5,"actor":{"user":{"name":"n","type":"Service","type_id":4}}})",
                                  R"({"activity_id":1,"time":5,"actor":{"user":{"name":"n","type":"Admin","type_id":2}}})",
                                  R"({"activity_id":1,"time":5,"actor":{"user":{"name":"n"}}})"});
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(get(rows[0], "/actor/user"), R"({"name":"n","type":"Service","type_id":99})") << "the caption says which";
  EXPECT_EQ(get(rows[0], "/unmapped"), R"({"actor.user.type_id":4})");
  EXPECT_EQ(get(rows[1], "/actor/user/type_id"), "2");
  EXPECT_EQ(get(rows[1], "/unmapped"), "") << "nothing was replaced in that row";
  EXPECT_EQ(get(rows[2], "/actor/user/type_id"), "");
}

TEST(Version, AnActivityThatIsReplacedChangesTheTypeOfTheEvent) {
  const Declared datastore(6005, {"activity_id", "time", "actor.user.name"});
  Version v("1.1.0", TableColumns::filled, {&datastore});
  const auto rows = v.rows(
      6005,
      {R"({"activity_id":8,"activity_name":"Decrypt","time":5,"type_uid":600508,"type_name":"Datastore Activity: Decrypt","actor":{"user":{"name":"n"}}})",
       R"({"activity_id":1,"activity_name":"Read","time":5,"type_uid":600501,"type_name":"Datastore Activity: Read","actor":{"user":{"name":"n"}}})"});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(get(rows[0], "/activity_id") + get(rows[0], "/activity_name") + get(rows[0], "/type_uid") + get(rows[0], "/type_name"),
            R"(99"Decrypt"600599"Datastore Activity: Other")");
  EXPECT_EQ(get(rows[0], "/unmapped"), R"({"activity_id":8,"type_name":"Datastore Activity: Decrypt","type_uid":600508})");
  EXPECT_EQ(get(rows[1], "/type_uid") + get(rows[1], "/type_name"), R"(600501"Datastore Activity: Read")");
  EXPECT_EQ(get(rows[1], "/unmapped"), "");
}

TEST(Version, AClassThatTheOlderOneLacksIsABaseEventAndAllOfThemShareATable) {
  const Declared error(6008, {"activity_id", "time", "message"}), script(1009, {"activity_id", "time", "script.name"});
  const Declared base(0, {"activity_id", "time", "message*"});
  Version v("1.1.0", TableColumns::filled, {&error, &script, &base, &api()});
  const Table& shared = v.tables->of(*v.made.find(6008));
  EXPECT_EQ(shared.name, "base_event");
  EXPECT_EQ(&shared, &v.tables->of(*v.made.find(1009)));
  EXPECT_EQ(&shared, &v.tables->of(*v.made.find(0)));
  EXPECT_NE(&shared, &v.tables->of(*v.made.find(6003)));
  const std::string in =
      R"({"activity_id":1,"activity_name":"General Error","time":5,"class_uid":6008,"class_name":"Application Error","category_uid":6,"category_name":"Application Activity",)"
      R"("type_uid":600801,"type_name":"Application Error: General Error","message":"m"})";
  const std::string row = v.row(6008, in);
  for (const auto& [name, value] : std::map<std::string, std::string>{{"class_uid", "0"},
                                                                      {"class_name", "\"Base Event\""},
                                                                      {"category_uid", "0"},
                                                                      {"category_name", "\"Uncategorized\""},
                                                                      {"type_uid", "99"},
                                                                      {"type_name", "\"Base Event: Other\""},
                                                                      {"activity_id", "99"},
                                                                      {"activity_name", "\"General Error\""},
                                                                      {"message", "\"m\""}}) {
    EXPECT_EQ(get(row, "/" + name), value) << name;
    const std::string before = get(in, "/" + name);
    EXPECT_EQ(get(row, "/unmapped/" + name), before == value ? "" : before) << name;
  }
  EXPECT_EQ(get(v.row(1009, R"({"activity_id":1,"time":5,"script":{"name":"x"}})"), "/unmapped/script"), R"({"name":"x"})");
  EXPECT_EQ(get(v.row(0, R"({"activity_id":0,"time":5,"message":"m"})"), "/message"), R"("m")")
      << "with a dictionary in one table, without in the other";
}

TEST(Version, ALongerNumberStaysIfItFits) {
  Version v("1.1.0", TableColumns::filled, {&api()});
  const auto rows = v.rows(6003, {R"({"activity_id":1,"time":5,"duration":2147483647})",
                                  R"({"activity_id":1,"time":5,"duration":2147483648})", R"({"activity_id":1,"time":5})"});
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(get(rows[0], "/duration") + get(rows[0], "/unmapped"), "2147483647");
  EXPECT_EQ(get(rows[1], "/duration") + get(rows[1], "/unmapped"), R"({"duration":2147483648})");
  EXPECT_EQ(get(rows[2], "/duration") + get(rows[2], "/unmapped"), "");
}

TEST(Version, NoKeyOfUnmappedStandsTwice) {
  Version v("1.1.0", TableColumns::filled, {&api()});
  const auto with = [](const std::string& unmapped) { return R"({"activity_id":1,"time":5,"is_alert":true,"unmapped":)" + unmapped + "}"; };
  EXPECT_EQ(get(v.row(6003, with(R"({"is_alert":"mine"})")), "/unmapped"), R"({"is_alert":"mine","1.8.0:is_alert":true})");
  EXPECT_EQ(get(v.row(6003, with(R"({"1.8.0:is_alert":1,"is_alert":2})")), "/unmapped"),
            R"({"1.8.0:is_alert":1,"is_alert":2,"1.8.0:1.8.0:is_alert":true})");
  EXPECT_EQ(get(v.row(6003, with("{}")), "/unmapped"), R"({"is_alert":true})");
  // A key may be escaped: here it has to be passed as text, or the test's own reader would unescape it.
  EXPECT_EQ(get(v.row(6003, with(R"("{\"is\\u005falert\":3} ")")), "/unmapped"), R"({"is_alert":3,"1.8.0:is_alert":true})");
  EXPECT_EQ(get(v.row(6003, with(R"("{\"a\":{\"is_alert\":3}}")")), "/unmapped"), R"({"a":{"is_alert":3},"is_alert":true})")
      << "a key further down is another";
  EXPECT_EQ(get(v.row(6003, with(R"("no json")")), "/unmapped"), R"({"is_alert":true,"unmapped":"no json"})");
}

TEST(Version, AnAttributeThatTookAnothersPlaceIsWhereItWas) {
  Version v("1.1.0", TableColumns::filled, {&api()});
  const auto rows = v.rows(6003, {R"({"activity_id":1,"time":5,"actor":{"app_name":"kubectl"}})",
                                  R"({"activity_id":1,"time":5,"actor":{"app_name":"kubectl","invoked_by":"x"}})",
                                  R"({"activity_id":1,"time":5,"actor":{"invoked_by":"x"}})"});
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(get(rows[0], "/actor/invoked_by") + get(rows[0], "/unmapped"), R"("kubectl")");
  EXPECT_EQ(get(rows[1], "/actor/invoked_by") + get(rows[1], "/unmapped"), R"("x"{"actor.app_name":"kubectl"})");
  EXPECT_EQ(get(rows[2], "/actor/invoked_by") + get(rows[2], "/unmapped"), R"("x")");
}

TEST(Version, WhatTheOlderOneRequiresAndNobodyKnowsIsUnknown) {
  const Declared http(4002, {"activity_id", "time", "dst_endpoint.ip", "http_response.code", "metadata.product.name*"},
                      {"cloud", "security_control"});
  const Declared compliance(2003, {"activity_id", "time", "compliance.control", "compliance.standards[]*"});
  const Declared group(3006, {"activity_id", "time", "actor.app_uid*", "group.name"});
  Version v("1.1.0", TableColumns::filled, {&http, &compliance, &group, &api()});
  const auto rows = v.rows(
      4002,
      {R"({"activity_id":3,"time":5,"metadata":{"profiles":["cloud","security_control"],"product":{"name":"p"}}})",
       R"({"activity_id":3,"time":5,"metadata":{"profiles":["cloud","security_control"]},"dst_endpoint":{"ip":"192.0.2.1"},"http_response":{"code":200}})"});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(get(rows[0], "/action_id") + get(rows[0], "/http_response") + get(rows[0], "/dst_endpoint") + get(rows[0], "/src_endpoint"),
            R"(0{"code":0}{"name":"Unknown"}{"name":"Unknown"})");
  EXPECT_EQ(get(rows[0], "/metadata/product"), R"({"name":"p","vendor_name":"Unknown"})");
  EXPECT_EQ(get(rows[1], "/dst_endpoint") + get(rows[1], "/http_response"), R"({"ip":"192.0.2.1"}{"code":200})");
  const auto lists = v.rows(2003, {R"({"activity_id":1,"time":5,"compliance":{"control":"c"}})",
                                   R"({"activity_id":1,"time":5,"compliance":{"control":"c","standards":["a",null,"b"]}})"});
  ASSERT_EQ(lists.size(), 2u);
  EXPECT_EQ(get(lists[0], "/compliance/standards"), R"(["Unknown"])");
  EXPECT_EQ(get(lists[1], "/compliance/standards"), R"(["a",null,"b"])");
  const std::string changed = v.row(3006, R"({"activity_id":1,"time":5,"actor":{"app_uid":"i-1"},"group":{"name":"g"}})");
  EXPECT_EQ(get(changed, "/user"), R"({"uid":"Unknown"})") << "at least one of privileges and user";
  EXPECT_EQ(get(v.row(6003, R"({"activity_id":1,"time":5,"actor":{"app_uid":"i-1"}})"), "/actor"), R"({"invoked_by":"Unknown"})")
      << "nothing else was left of it";
  EXPECT_EQ(get(v.row(3006, R"({"activity_id":1,"time":5,"actor":{"app_uid":"i-1"},"group":{"name":"g"}})"), "/actor"), "")
      << "and it is not required";
}

TEST(Version, ProfilesThatTheOlderOneLacksAreInUnmapped) {
  const Declared api(6003, {"activity_id", "time"}, {"cloud", "trace"});
  Version v("1.1.0", TableColumns::filled, {&api});
  const std::string row = v.row(6003, R"({"activity_id":1,"time":5,"metadata":{"profiles":["cloud","trace"]}})");
  EXPECT_EQ(get(row, "/metadata/profiles"), R"(["cloud"])");
  EXPECT_EQ(get(row, "/unmapped"), R"({"metadata.profiles":["trace"]})");
}

TEST(Version, RowsWhoseTextOutgrowsAColumnComeInPieces) {
  Version v("1.1.0", TableColumns::filled, {&api()});
  std::vector<std::string> in;
  for (int i = 0; i < 9; ++i)
    in.push_back(R"({"activity_id":1,"time":)" + std::to_string(i) + R"(,"actor":{"app_uid":")" + std::string(100, 'x') + R"("}})");
  const auto whole = v.rows(6003, in);
  EXPECT_EQ(v.pieces, 1u);
  EXPECT_EQ(v.rows(6003, in, 300), whole) << "in the same order";
  EXPECT_GT(v.pieces, 4u);
  EXPECT_EQ(v.rows(6003, in, 1), whole) << "a row alone may have more";
  EXPECT_EQ(v.pieces, 9u);
}

TEST(Version, TheVersionThatEventsAreMadeInChangesNothing) {
  Version v("1.8.0", TableColumns::filled, {&api()});
  const std::string in =
      R"({"activity_id":1,"actor":{"app_name":"a","user":{"name":"n","type_id":4}},"metadata":{"version":"1.8.0"},"resources":[{"role_id":1}],"severity_id":1,"time":5})";
  EXPECT_EQ(v.row(6003, in), in);
}

TEST(Version, ATableOfAllColumnsIsTheSameWhateverParsersThereAre) {
  const Declared few(6003, {"activity_id", "time"});
  Version some("1.1.0", TableColumns::all, {&api()}), others("1.1.0", TableColumns::all, {&few});
  const auto leaves = [](const TableNode& node, const auto& self) -> std::string {
    std::string out = node.name +
                      (node.kind == TableNode::Kind::leaf
                           ? ":" + node.ocsf_type + (node.type == LeafType::dictionary ? "" : std::to_string(static_cast<int>(node.type)))
                           : "") +
                      "(";
    for (const auto& child : node.children) out += self(*child, self);
    return out + ")";
  };
  const auto without_text = [](std::string s) {
    for (std::size_t at = s.find("_t1("); at != std::string::npos; at = s.find("_t1(")) s.erase(at + 2, 1);
    return s;
  };
  EXPECT_EQ(without_text(leaves(some.tables->of(*some.made.find(6003)).root, leaves)),
            without_text(leaves(others.tables->of(*others.made.find(6003)).root, leaves)));
  const std::string row =
      some.row(6003, R"({"activity_id":1,"time":1772352000123,"metadata":{"version":"1.8.0"},"actor":{"user":{"name":"n"}}})");
  EXPECT_EQ(get(row, "/time_dt"), "1772352000123");
  EXPECT_EQ(get(row, "/metadata/profiles"), R"(["datetime"])");
}

TEST(Version, AnObjectWithinOneOfItsOwnTypeIsJsonTextInATableOfAllColumns) {
  const Declared finding(2004, {"activity_id", "time", "evidences[].process.name", "evidences[].process.parent_process.name",
                                "evidences[].process.parent_process.parent_process.pid"});
  Version v("1.1.0", TableColumns::all, {&finding});
  const std::string row = v.row(
      2004,
      R"({"activity_id":1,"time":5,"evidences":[{"process":{"name":"a","parent_process":{"name":"b","parent_process":{"pid":1}}}},{"process":{"name":"c"}}]})");
  EXPECT_EQ(get(row, "/evidences/0/process/parent_process"), R"({"name":"b","parent_process":{"pid":1}})");
  EXPECT_EQ(get(row, "/evidences/1/process/parent_process"), "");
}

TEST(Version, AnUnknownVersionIsRefusedByName) {
  TableSet made;
  const auto out = VersionedTables::make(made, "1.2.0", TableColumns::filled);
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().what, "there is no OCSF 1.2.0 here; there are: 1.8.0, 1.3.0, 1.1.0");
}

}  // namespace
