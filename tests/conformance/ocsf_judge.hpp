// Judges an event by the project's own catalogue: every attribute is known, of its type and in its enum; what OCSF requires is there.
#pragma once

#include <logmill/ocsf/v1_8_0.hpp>
#include <logmill/sdk/net.hpp>
#include <logmill/sdk/time.hpp>

#include <simdjson.h>
#include <algorithm>
#include <set>
#include <string>
#include <string_view>

namespace lm::testing {

class OcsfJudge {
 public:
  // What is wrong, a line a defect; "" if nothing is.
  std::string judge(std::string_view json) {
    simdjson::dom::parser parser;
    simdjson::dom::object event;
    if (parser.parse(json).get(event) != simdjson::SUCCESS) return "the event is no JSON object\n";
    problems_.clear(), profiles_.clear();
    const ocsf::Class* type = catalogue_.find_class(static_cast<std::uint32_t>(integer(event, "class_uid")));
    if (!type) return "class_uid: no such class\n";
    simdjson::dom::array profiles;
    if (event.at_pointer("/metadata/profiles").get(profiles) == simdjson::SUCCESS) {
      for (const auto profile : profiles) {
        std::string_view name;
        if (profile.get(name) == simdjson::SUCCESS) profiles_.insert(std::string(name));
      }
    } else {
      profiles_.insert("cloud");
    }
    owner(*type, event, "");
    std::string_view version;
    if (event.at_pointer("/metadata/version").get(version) == simdjson::SUCCESS && version != catalogue_.version)
      say("metadata.version", "is not the catalogue's");
    if (integer(event, "category_uid") != type->category_uid) say("category_uid", "is not that of the class");
    if (integer(event, "type_uid") != std::int64_t{type->uid} * 100 + integer(event, "activity_id"))
      say("type_uid", "is not class_uid * 100 + activity_id");
    return problems_;
  }

 private:
  static std::int64_t integer(simdjson::dom::object object, std::string_view key) {
    std::int64_t value = -1;
    return object.at_key(key).get(value) == simdjson::SUCCESS ? value : -1;
  }

  void say(const std::string& path, std::string_view what) { problems_.append(path).append(": ").append(what).append("\n"); }

  static bool there(simdjson::dom::object object, std::string_view dotted) {
    for (;;) {
      const std::string_view step = dotted.substr(0, dotted.find('.'));
      simdjson::dom::element next;
      if (object.at_key(step).get(next) != simdjson::SUCCESS || next.is_null()) return false;
      if (step.size() == dotted.size()) return true;
      dotted.remove_prefix(step.size() + 1);
      if (next.get(object) != simdjson::SUCCESS) return false;
    }
  }

  // NOLINTNEXTLINE(misc-no-recursion): as deep as the event
  template <class Owner>
  void owner(const Owner& type, simdjson::dom::object object, const std::string& prefix) {
    const auto attributes = catalogue_.attributes_of(type);
    for (const auto& [key, value] : object) {
      if (prefix.empty() && key == "lineage") continue;  // logmill's own
      const std::string path = prefix.empty() ? std::string(key) : std::string(prefix).append(".").append(key);
      const ocsf::Attribute* attribute = catalogue_.find(attributes, key);
      if (!attribute) {
        say(path, "is no attribute");
      } else if (value.is_null()) {
        say(path, "is null");
      } else if (!attribute->array) {
        one(*attribute, value, path);
      } else if (simdjson::dom::array list; value.get(list) == simdjson::SUCCESS) {
        for (const simdjson::dom::element item : list) one(*attribute, item, path);
      } else {
        say(path, "has the wrong type");
      }
    }
    for (const ocsf::Attribute& a : attributes) {
      if (a.requirement != ocsf::Requirement::required || (!a.profile.empty() && !profiles_.contains(std::string(a.profile.view()))))
        continue;
      if (!there(object, a.name))
        say(prefix.empty() ? std::string(a.name.view()) : std::string(prefix).append(".").append(a.name.view()), "is required");
    }
    const auto some = catalogue_.at_least_one(type);
    const auto present = [&](std::string_view name) { return there(object, name); };
    if (!some.empty() && std::none_of(some.begin(), some.end(), present)) say(prefix, "needs at least one of its naming attributes");
    const auto exact = catalogue_.just_one(type);
    if (!exact.empty() && std::count_if(exact.begin(), exact.end(), present) != 1) say(prefix, "needs exactly one of its attributes");
  }

  // NOLINTNEXTLINE(misc-no-recursion)
  void one(const ocsf::Attribute& attribute, simdjson::dom::element value, const std::string& path) {
    const auto wrong = [&] { say(path, "has the wrong type"); };
    switch (attribute.kind) {
      case ocsf::Kind::object: {
        simdjson::dom::object inner;
        if (value.get(inner) != simdjson::SUCCESS) return wrong();
        if (inner.size() == 0) say(path, "is empty");
        return owner(*catalogue_.object(attribute.object), inner, path);
      }
      case ocsf::Kind::json: return;
      case ocsf::Kind::text: {
        std::string_view text;
        if (value.get(text) != simdjson::SUCCESS) return wrong();
        if (text.empty()) say(path, "is empty");
        if (attribute.type == "ip_t" && !net::is_ip(text)) say(path, "is no address");
        return;
      }
      case ocsf::Kind::boolean:
        if (!value.is_bool()) wrong();
        return;
      case ocsf::Kind::floating:
        if (!value.is_number()) wrong();
        return;
      case ocsf::Kind::integer:
      case ocsf::Kind::long_integer: {
        std::int64_t n = 0;
        if (value.get(n) != simdjson::SUCCESS) return wrong();
        if (attribute.kind == ocsf::Kind::integer && n != static_cast<std::int32_t>(n)) say(path, "is beyond 32 bits");
        if (attribute.type == "timestamp_t" && !time::plausible(n)) say(path, "is no time in milliseconds");
        if (attribute.type == "port_t" && (n < 0 || n > 65535)) say(path, "is no port");
        const auto members = catalogue_.members_of(attribute);
        if (!members.empty() && std::none_of(members.begin(), members.end(), [&](const ocsf::EnumMember& m) { return m.value == n; }))
          say(path, std::to_string(n).append(" is no member of the enum"));
        return;
      }
    }
  }

  const ocsf::Catalogue& catalogue_ = ocsf::v1_8::catalogue;
  std::set<std::string> profiles_;
  std::string problems_;
};

inline std::string judge(std::string_view json) { return OcsfJudge().judge(json); }

}  // namespace lm::testing
