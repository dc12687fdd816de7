// The OCSF catalogue: that its tables say what OCSF 1.8.0 says, and that paths lead where they should, at compile time and at run time.
#include <logmill/ocsf/v1_8_0.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using lm::ocsf::Attribute;
using lm::ocsf::Kind;
using lm::ocsf::PathEnd;
using lm::ocsf::Requirement;
using lm::ocsf::Resolution;
using Problem = lm::ocsf::Resolution::Problem;
namespace v1_8 = lm::ocsf::v1_8;
constexpr const lm::ocsf::Catalogue& kCatalogue = v1_8::catalogue;

// The same lookups, done by the compiler.
static_assert(v1_8::api_activity.uid == 6003);
static_assert(kCatalogue.version == "1.8.0");
static_assert(kCatalogue.classes.size() == 83);
static_assert(kCatalogue.resolve(6003, "resources[].owner.account.uid").ok());
static_assert(kCatalogue.resolve(6003, "resources[].owner.account.uid").leaf->observable == 35);
static_assert(kCatalogue.resolve(4001, "src_endpoint.ip").leaf->type == "ip_t");
static_assert(kCatalogue.resolve(4001, "start_time_dt").datetime);
static_assert(kCatalogue.resolve(1007, "process.parent_process.parent_process.parent_process.cmd_line").ok());
static_assert(!kCatalogue.resolve(6003, "api.operatoin").ok());
static_assert(kCatalogue.caption(*kCatalogue.resolve(6003, "activity_id").leaf, 2) == "Read");
static_assert(kCatalogue.sibling_of(*kCatalogue.resolve(6003, "status_id").leaf)->name == "status");

const Attribute& attribute(std::uint32_t class_uid, std::string_view path) {
  const Resolution found = kCatalogue.resolve(class_uid, path);
  if (!found.ok()) throw std::runtime_error(std::string(path) + ": " + found.message());
  return *found.leaf;
}

std::string sibling(std::uint32_t class_uid, std::string_view path) {
  const Attribute* found = kCatalogue.sibling_of(attribute(class_uid, path));
  return found ? std::string(found->name) : "";
}

TEST(Catalogue, KnowsEveryClassByUidAndByName) {
  EXPECT_EQ(kCatalogue.classes.size(), 83u);
  std::set<std::uint32_t> uids;
  for (const auto& c : kCatalogue.classes) {
    EXPECT_TRUE(uids.insert(c.uid).second) << c.name;
    EXPECT_EQ(kCatalogue.find_class(c.uid), &c);
    EXPECT_EQ(kCatalogue.find_class(c.name), &c);
    EXPECT_FALSE(c.caption.empty()) << c.name;
  }
  EXPECT_EQ(kCatalogue.find_class(std::uint32_t{4242}), nullptr);
  EXPECT_EQ(kCatalogue.find_class("no_such_class"), nullptr);
}

TEST(Catalogue, NamesClassAndCategory) {
  const auto* c = kCatalogue.find_class("group_management");
  ASSERT_NE(c, nullptr);
  EXPECT_EQ(c->uid, 3006u);
  EXPECT_EQ(c->caption, "Group Management");
  EXPECT_EQ(c->category_uid, 3u);
  EXPECT_EQ(c->category_name, "Identity & Access Management");
  EXPECT_FALSE(c->deprecated);
  EXPECT_TRUE(kCatalogue.find_class("security_finding")->deprecated);
  EXPECT_EQ(kCatalogue.find_class(std::uint32_t{0})->category_name, "Uncategorized");
}

TEST(Catalogue, KeepsAttributesInTheOrderOfTheirNames) {
  const auto before = [](const Attribute& a, const Attribute& b) { return a.name.view() < b.name.view(); };
  const auto ordered = [&](auto attributes) { return std::is_sorted(attributes.begin(), attributes.end(), before); };
  for (const auto& c : kCatalogue.classes) EXPECT_TRUE(ordered(kCatalogue.attributes_of(c))) << c.name;
  for (const auto& o : kCatalogue.objects) EXPECT_TRUE(ordered(kCatalogue.attributes_of(o))) << o.name;
}

TEST(Catalogue, FindsEveryAttributeOfEveryOwner) {
  const auto check = [](const auto& owner) {
    const auto attributes = kCatalogue.attributes_of(owner);
    for (const Attribute& a : attributes) {
      ASSERT_EQ(kCatalogue.find(attributes, a.name), &a) << owner.name << "." << a.name.view();
      EXPECT_EQ(a.kind == Kind::object, kCatalogue.object(a.object) != nullptr);
      if (a.kind == Kind::object) {
        EXPECT_EQ(kCatalogue.object(a.object)->name, a.type.view());
      }
    }
    EXPECT_EQ(kCatalogue.find(attributes, "zzz"), nullptr);
    EXPECT_EQ(kCatalogue.find(attributes, ""), nullptr);
  };
  for (const auto& c : kCatalogue.classes) check(c);
  for (const auto& o : kCatalogue.objects) check(o);
}

TEST(Catalogue, GivesEveryClassALineage) {
  for (const auto& c : kCatalogue.classes) {
    EXPECT_EQ(attribute(c.uid, "lineage.uri").kind, Kind::text);
    EXPECT_EQ(attribute(c.uid, "lineage.etag").kind, Kind::text);
    EXPECT_EQ(attribute(c.uid, "lineage.offset").kind, Kind::long_integer);
    EXPECT_EQ(attribute(c.uid, "lineage.length").kind, Kind::long_integer);
    EXPECT_EQ(attribute(c.uid, "lineage.record").kind, Kind::long_integer);
    EXPECT_EQ(attribute(c.uid, "lineage.item").kind, Kind::integer);
    EXPECT_EQ(attribute(c.uid, "lineage.parser").kind, Kind::text);
  }
}

TEST(Catalogue, ResolvesPathsToTheirKinds) {
  struct {
    std::uint32_t uid;
    std::string_view path, type;
    Kind kind;
  } const cases[] = {
      {6003, "time", "timestamp_t", Kind::long_integer},
      {6003, "class_uid", "integer_t", Kind::integer},
      {6003, "type_uid", "long_t", Kind::long_integer},
      {6003, "metadata.profiles[]", "string_t", Kind::text},
      {6003, "unmapped", "object", Kind::json},
      {6003, "api.request.data", "json_t", Kind::json},
      {6003, "resources[].owner.account.uid", "string_t", Kind::text},
      {6003, "actor.user.account.type_id", "integer_t", Kind::integer},
      {6003, "observables[].type_id", "integer_t", Kind::integer},
      {3002, "is_mfa", "boolean_t", Kind::boolean},
      {4001, "src_endpoint.port", "port_t", Kind::integer},
      {4001, "src_endpoint.ip", "ip_t", Kind::text},
      {4001, "src_endpoint.location.lat", "float_t", Kind::floating},
      {4001, "src_endpoint.intermediate_ips[]", "ip_t", Kind::text},
      {4001, "traffic.bytes", "long_t", Kind::long_integer},
  };
  for (const auto& c : cases) {
    const Resolution found = kCatalogue.resolve(c.uid, c.path);
    ASSERT_TRUE(found.ok()) << c.path << ": " << found.message();
    EXPECT_EQ(found.leaf->type, c.type) << c.path;
    EXPECT_EQ(found.leaf->kind, c.kind) << c.path;
    EXPECT_FALSE(found.datetime) << c.path;
  }
}

TEST(Catalogue, SaysWhyAPathLeadsNowhere) {
  struct {
    std::string_view path;
    Problem problem;
    std::string_view message;
  } const cases[] = {
      {"api.operatoin", Problem::unknown, "'operatoin' is no attribute there"},
      {"nothing[]", Problem::unknown, "'nothing[]' is no attribute there"},
      {"resources.uid", Problem::is_array, "'resources' is an array: write 'resources[]'"},
      {"metadata.profiles", Problem::is_array, "'profiles' is an array: write 'profiles[]'"},
      {"api[].operation", Problem::is_no_array, "'api' is no array"},
      {"time[]", Problem::is_no_array, "'time' is no array"},
      {"actor.user", Problem::is_object, "'user' is an object: name one of its attributes"},
      {"resources[]", Problem::is_object, "'resources[]' is an object: name one of its attributes"},
      {"time.hour", Problem::is_no_object, "'time' is no object"},
      {"unmapped.field", Problem::is_no_object, "'unmapped' is no object"},
      {"message_dt", Problem::unknown, "'message_dt' is no attribute there"},
      {"_dt", Problem::unknown, "'_dt' is no attribute there"},
      {"[]", Problem::unknown, "'[]' is no attribute there"},
      {"", Problem::empty, "an empty segment"},
      {".time", Problem::empty, "an empty segment"},
      {"actor..user", Problem::empty, "an empty segment"},
      {"actor.user.", Problem::empty, "an empty segment"},
  };
  for (const auto& c : cases) {
    const Resolution found = kCatalogue.resolve(6003, c.path);
    EXPECT_FALSE(found.ok()) << c.path;
    EXPECT_EQ(found.leaf, nullptr) << c.path;
    EXPECT_EQ(found.problem, c.problem) << c.path;
    EXPECT_EQ(found.message(), c.message) << c.path;
  }
  EXPECT_EQ(kCatalogue.resolve(4242, "time").message(), "no such class");
}

TEST(Catalogue, EndsAtAnObjectOnlyWhenAsked) {
  EXPECT_EQ(kCatalogue.resolve(6003, "actor.user").problem, Problem::is_object);
  const Resolution found = kCatalogue.resolve(6003, "actor.user", PathEnd::anywhere);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.leaf->type, "user");
  EXPECT_TRUE(kCatalogue.resolve(6003, "resources[]", PathEnd::anywhere).ok());
  EXPECT_TRUE(kCatalogue.resolve(6003, "time", PathEnd::anywhere).ok());
  EXPECT_EQ(kCatalogue.resolve(6003, "resources", PathEnd::anywhere).problem, Problem::is_array);
}

TEST(Catalogue, GivesEveryTimestampADatetime) {
  for (const std::string_view path : {"time_dt", "start_time_dt", "metadata.logged_time_dt", "actor.session.created_time_dt"}) {
    const Resolution found = kCatalogue.resolve(6003, path);
    ASSERT_TRUE(found.ok()) << path;
    EXPECT_TRUE(found.datetime) << path;
    EXPECT_EQ(found.leaf->type, "timestamp_t") << path;
  }
  EXPECT_FALSE(kCatalogue.resolve(6003, "time_dt[]").ok());
  EXPECT_FALSE(kCatalogue.resolve(6003, "time_dt_dt").ok());
}

TEST(Catalogue, KnowsWhereTheCaptionOfAnIdStands) {
  EXPECT_EQ(sibling(6003, "activity_id"), "activity_name");
  EXPECT_EQ(sibling(6003, "severity_id"), "severity");
  EXPECT_EQ(sibling(6003, "status_id"), "status");
  EXPECT_EQ(sibling(6003, "class_uid"), "class_name");
  EXPECT_EQ(sibling(6003, "category_uid"), "category_name");
  EXPECT_EQ(sibling(6003, "type_uid"), "type_name");
  EXPECT_EQ(sibling(6003, "actor.user.type_id"), "type");
  EXPECT_EQ(sibling(6003, "observables[].type_id"), "type");
  EXPECT_EQ(sibling(4001, "connection_info.direction_id"), "direction");
  EXPECT_EQ(sibling(4001, "action_id"), "action");
  EXPECT_EQ(sibling(4001, "src_endpoint.uid"), "");
  EXPECT_EQ(sibling(4001, "time"), "");
}

TEST(Catalogue, KeepsACaptionInTheOwnerOfItsId) {
  const auto check = [](const auto& owner) {
    const auto attributes = kCatalogue.attributes_of(owner);
    for (const Attribute& a : attributes) {
      const Attribute* caption = kCatalogue.sibling_of(a);
      if (!caption) continue;
      EXPECT_TRUE(caption >= &attributes.front() && caption <= &attributes.back()) << owner.name << "." << a.name.view();
      EXPECT_EQ(caption->kind, Kind::text) << owner.name << "." << a.name.view();
      EXPECT_FALSE(caption->array) << owner.name << "." << a.name.view();
    }
  };
  for (const auto& c : kCatalogue.classes) {
    check(c);
    for (const char* id : {"activity_id", "class_uid", "category_uid", "type_uid", "severity_id", "status_id"}) {
      EXPECT_NE(sibling(c.uid, id), "") << c.name << "." << id;
    }
  }
  for (const auto& o : kCatalogue.objects) check(o);
}

TEST(Catalogue, LooksUpEnumMembers) {
  const Attribute& severity = attribute(6003, "severity_id");
  EXPECT_EQ(kCatalogue.caption(severity, 1), "Informational");
  EXPECT_EQ(kCatalogue.caption(severity, 99), "Other");
  EXPECT_EQ(kCatalogue.caption(severity, 7), "");
  EXPECT_EQ(kCatalogue.caption(severity, -1), "");
  EXPECT_EQ(kCatalogue.caption(attribute(6003, "message"), 0), "");
  EXPECT_EQ(kCatalogue.members_of(severity).size(), 8u);
  // An enum is the class's own where the class narrows it.
  EXPECT_EQ(kCatalogue.caption(attribute(3002, "activity_id"), 1), "Logon");
  EXPECT_EQ(kCatalogue.caption(attribute(4001, "activity_id"), 6), "Traffic");
  EXPECT_TRUE(kCatalogue.members_of(attribute(6003, "time")).empty());
}

TEST(Catalogue, MarksObservables) {
  struct {
    std::uint32_t uid;
    std::string_view path;
    int type_id;
  } const cases[] = {
      {4001, "src_endpoint.hostname", 1},
      {4001, "src_endpoint.ip", 2},
      {4001, "src_endpoint.intermediate_ips[]", 2},
      {4001, "src_endpoint.mac", 3},
      {6003, "actor.user.name", 4},
      {6003, "actor.user.email_addr", 5},
      {6003, "http_request.url.url_string", 6},
      {1001, "file.name", 7},
      {1001, "file.hashes[].value", 8},
      {1007, "process.name", 9},
      {6003, "resources[].uid", 10},
      {1007, "process.cmd_line", 13},
      {4001, "src_endpoint.location.country", 14},
      {6003, "http_request.user_agent", 16},
      {2002, "vulnerabilities[].cve.uid", 18},
      {6003, "actor.user.credential_uid", 19},
      {6003, "actor.session.credential_uid", 19},
      {6003, "actor.user.uid", 31},
      {3006, "group.name", 32},
      {3006, "group.uid", 33},
      {6003, "cloud.account.name", 34},
      {6003, "cloud.account.uid", 35},
      {6003, "resources[].name", 38},
      {1007, "process.uid", 39},
      {4009, "email.subject", 40},
      {4009, "email.uid", 41},
      {1001, "file.path", 45},
      {6003, "device.uid", 47},
      {4001, "src_endpoint.uid", 48},
      {4001, "src_endpoint.port", 0},
      {1007, "process.pid", 0},
      {6003, "message", 0},
      {6003, "metadata.uid", 0},
  };
  const Attribute& type_id = attribute(6003, "observables[].type_id");
  for (const auto& c : cases) {
    EXPECT_EQ(int{attribute(c.uid, c.path).observable}, c.type_id) << c.path;
    EXPECT_FALSE(kCatalogue.caption(type_id, c.type_id).empty()) << c.path;
  }
}

TEST(Catalogue, MarksOnlyTextAsObservable) {
  for (const Attribute& a : kCatalogue.attributes) {
    if (a.observable != 0) {
      EXPECT_EQ(a.kind, Kind::text) << a.name.view();
    }
  }
}

TEST(Catalogue, KnowsRequirementProfileAndDeprecation) {
  EXPECT_EQ(attribute(6003, "time").requirement, Requirement::required);
  EXPECT_EQ(attribute(6003, "status_id").requirement, Requirement::recommended);
  EXPECT_EQ(attribute(6003, "count").requirement, Requirement::optional);
  EXPECT_EQ(attribute(6003, "action_id").profile, "security_control");
  EXPECT_TRUE(attribute(6003, "time").profile.empty());
  EXPECT_TRUE(attribute(6003, "actor.user.credential_uid").deprecated);
  EXPECT_FALSE(attribute(6003, "actor.user.uid").deprecated);
}

TEST(Catalogue, KnowsConstraints) {
  const auto* actor = kCatalogue.find_object("actor");
  ASSERT_NE(actor, nullptr);
  const auto names = kCatalogue.at_least_one(*actor);
  EXPECT_EQ(std::vector<std::string_view>(names.begin(), names.end()),
            (std::vector<std::string_view>{"process", "user", "invoked_by", "session", "app_name", "app_uid"}));
  EXPECT_TRUE(kCatalogue.just_one(*actor).empty());
  const auto one = kCatalogue.just_one(*kCatalogue.find_class("authorize_session"));
  ASSERT_EQ(one.size(), 2u);
  EXPECT_EQ(one[1], "group");
  EXPECT_TRUE(kCatalogue.at_least_one(*kCatalogue.find_class("api_activity")).empty());
  EXPECT_EQ(kCatalogue.at_least_one(*kCatalogue.find_class("patch_state"))[0], "device.os.sp_name");
}

}  // namespace
