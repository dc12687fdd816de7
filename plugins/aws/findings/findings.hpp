// What happened, as GuardDuty's findings (`service.action`) and Security Hub's (`Action`, the same in UpperCamel) tell it, and the evidences that become of it.
#pragma once

#include <logmill/sdk.hpp>
#include <logmill/sdk/aws.hpp>
#include <logmill/sdk/fields.hpp>

#include <vector>

namespace findings {

using lm::Text;
using lm::json::Field;
using lm::json::Type;
using lm::json::Value;

// The number of a key whose first letter may be a capital: files have "accountId" where the API answers "AccountId".
template <std::size_t N>
int find_small(const lm::Keys<N>& keys, std::string_view key) {
  if (key.empty() || key[0] < 'A' || key[0] > 'Z') return keys.find(key);
  std::array<char, 64> small;
  if (key.size() > small.size()) return -1;
  std::copy(key.begin(), key.end(), small.begin());
  small[0] = lm::lower(small[0]);
  return keys.find({small.data(), key.size()});
}

// A name as its object spells it: with a capital, if the object's own name has one.
class Spelled {
 public:
  Spelled(std::string_view name, std::string_view like) : size_(name.size()) {
    std::copy(name.begin(), name.end(), text_.begin());
    if (!like.empty() && like[0] >= 'A' && like[0] <= 'Z') text_[0] = static_cast<char>(text_[0] - 'a' + 'A');
  }
  operator std::string_view() const { return {text_.data(), size_}; }  // NOLINT(google-explicit-constructor): it is a name

 private:
  std::array<char, 32> text_{};
  std::size_t size_;
};

struct Remote {
  Text ip, as_name, isp, isp_org, country, city;
  lm::Maybe<std::int64_t> as_number;
  lm::Maybe<double> lat, lon;
};

// The two ends of a connection, as the finding's own resource sees it.
struct Ends {
  Remote remote;
  Text local_ip, local_interface;
  lm::Maybe<std::int64_t> local_port, remote_port;
};

struct Action {
  Text direction, protocol, domain, operation, service, error, user_agent, caller, path;
  lm::Maybe<std::int64_t> status_code;
  Ends ends;
  std::vector<Ends> probes;

  void clear() {
    std::vector<Ends> kept = std::move(probes);
    kept.clear();
    *this = Action{};
    probes = std::move(kept);
  }
};

inline void read_remote(const Field& whole, Remote& out) {
  static constexpr auto kKeys = lm::keys("ipAddressV4", "ipAddressV6", "organization", "country", "city", "geoLocation");
  static constexpr auto kInner = lm::keys("asn", "asnOrg", "isp", "org", "countryName", "countryCode", "cityName", "lat", "lon");
  if (whole.value.type() != Type::object) return whole.keep();
  Text v4, v6, code, name;
  const auto inner = [&](const Field& i) {
    switch (find_small(kInner, i.key)) {
      case kInner.at("asn"): i.integer(out.as_number, 0, INT32_MAX); break;
      case kInner.at("asnOrg"): i.text(out.as_name); break;
      case kInner.at("isp"): i.text(out.isp); break;
      case kInner.at("org"): i.text(out.isp_org); break;
      case kInner.at("countryName"): i.text(name); break;
      case kInner.at("countryCode"): i.text(code); break;
      case kInner.at("cityName"): i.text(out.city); break;
      case kInner.at("lat"): i.number(out.lat); break;
      case kInner.at("lon"): i.number(out.lon); break;
      default: i.keep();
    }
  };
  whole.rest.enter(whole.key);
  whole.value.object([&](std::string_view key, Value& value) {
    const Field r{whole.rest, key, value};
    switch (find_small(kKeys, key)) {
      case kKeys.at("ipAddressV4"): r.address(v4); break;
      case kKeys.at("ipAddressV6"): r.address(v6); break;
      case kKeys.at("organization"):
      case kKeys.at("country"):
      case kKeys.at("city"):
      case kKeys.at("geoLocation"): r.object(inner); break;
      default: r.keep();
    }
  });
  const std::string_view like = whole.key;
  const auto keep = [&](std::string_view key, Text& text) {
    if (text) whole.rest.add_text(Spelled(key, like), *text);
    text = {};
  };
  const auto keep_number = [&](std::string_view key, auto& n) {
    if (n) lm::json::add_number(whole.rest, Spelled(key, like), *n);
    n = {};
  };
  const auto within = [&](std::string_view group, auto&& add) {
    const Spelled name_of_group(group, like);
    whole.rest.enter(name_of_group);
    add();
    whole.rest.leave();
  };
  out.ip = v4 ? v4 : v6;
  if (v4 && v6) keep("ipAddressV6", v6);
  out.country = code ? code : name;
  // An end is named by its address, and a place by its name; 0,0 without one is how the source says that it knows none.
  if (!out.country && !out.city && out.lat.value_or(0) == 0 && out.lon.value_or(0) == 0) out.lat = out.lon = {};
  const bool no_place = !out.ip || (!out.country && !out.city);
  within("country", [&] {
    if (code || !out.ip) keep("countryName", name);
    if (!out.ip) keep("countryCode", code), out.country = {};
  });
  if (!out.ip) {
    within("organization",
           [&] { keep_number("asn", out.as_number), keep("asnOrg", out.as_name), keep("isp", out.isp), keep("org", out.isp_org); });
    within("city", [&] { keep("cityName", out.city); });
  }
  if (no_place) within("geoLocation", [&] { keep_number("lat", out.lat), keep_number("lon", out.lon); });
  whole.rest.leave();
}

inline void read_local_ip(const Field& whole, Text& out) {
  whole.object([&](const Field& r) {
    if (lm::equals_but_first_case(r.key, "ipAddressV4") || lm::equals_but_first_case(r.key, "ipAddressV6")) return r.address(out);
    r.keep();
  });
}

inline void read_port(const Field& whole, lm::Maybe<std::int64_t>& out) {
  whole.object([&](const Field& r) {
    if (lm::equals_but_first_case(r.key, "port")) return r.integer(out, 0, 65535);
    r.keep();
  });
}

// One of the objects that say what happened. `scratch` is any writer that is not in use.
inline void read_action(const Field& whole, Action& out, lm::json::ObjectWriter& scratch) {
  static constexpr auto kKeys = lm::keys("connectionDirection", "protocol", "localIpDetails", "localPortDetails", "localNetworkInterface",
                                         "remoteIpDetails", "remotePortDetails", "portProbeDetails", "domain", "api", "serviceName",
                                         "errorCode", "userAgent", "domainDetails", "requestUri", "verb", "statusCode");
  if (whole.value.type() != Type::object) return whole.keep();
  whole.rest.enter(whole.key);
  whole.value.object([&](std::string_view key, Value& value) {
    const Field r{whole.rest, key, value};
    switch (find_small(kKeys, key)) {
      case kKeys.at("connectionDirection"): r.text(out.direction); break;
      case kKeys.at("protocol"): r.text(out.protocol); break;
      case kKeys.at("localIpDetails"): read_local_ip(r, out.ends.local_ip); break;
      case kKeys.at("localPortDetails"): read_port(r, out.ends.local_port); break;
      case kKeys.at("localNetworkInterface"): r.text(out.ends.local_interface); break;
      case kKeys.at("remoteIpDetails"): read_remote(r, out.ends.remote); break;
      case kKeys.at("remotePortDetails"): read_port(r, out.ends.remote_port); break;
      case kKeys.at("portProbeDetails"): {
        bool whole_list = value.type() != Type::array;
        value.array([&](Value& probe) {
          Ends ends;
          scratch.clear();
          if (probe.type() != Type::object) whole_list = true;
          probe.object([&](std::string_view name, Value& v) {
            const Field p{scratch, name, v};
            if (lm::equals_but_first_case(name, "localIpDetails")) return read_local_ip(p, ends.local_ip);
            if (lm::equals_but_first_case(name, "localPortDetails")) return read_port(p, ends.local_port);
            if (lm::equals_but_first_case(name, "remoteIpDetails")) return read_remote(p, ends.remote);
            p.keep();
          });
          whole_list |= !scratch.empty() || !ends.local_ip;
          out.probes.push_back(ends);
        });
        if (whole_list) r.keep();  // what the list has beyond OCSF's attributes is kept with it
        break;
      }
      case kKeys.at("domain"): r.text(out.domain); break;
      case kKeys.at("api"):
      case kKeys.at("verb"): r.text(out.operation); break;
      case kKeys.at("serviceName"): r.text(out.service); break;
      case kKeys.at("errorCode"): r.text(out.error); break;
      case kKeys.at("userAgent"): r.text(out.user_agent); break;
      case kKeys.at("domainDetails"):
        r.object([&](const Field& i) {
          if (lm::equals_but_first_case(i.key, "domain")) return i.text(out.caller);
          i.keep();
        });
        break;
      case kKeys.at("requestUri"): r.text(out.path); break;
      case kKeys.at("statusCode"): r.integer(out.status_code, 0, INT32_MAX); break;
      default: r.keep();
    }
  });
  if (!out.operation) {  // what describes a call needs the call's name in OCSF
    if (out.service) whole.rest.add_text(Spelled("serviceName", whole.key), *out.service);
    if (out.error) whole.rest.add_text(Spelled("errorCode", whole.key), *out.error);
    if (out.user_agent) whole.rest.add_text(Spelled("userAgent", whole.key), *out.user_agent);
    if (out.path) whole.rest.add_text(Spelled("requestUri", whole.key), *out.path);
    out.service = out.error = out.user_agent = out.path = {};
    out.status_code = {};
  }
  if (out.caller && out.ends.remote.ip) {
    whole.rest.add_text("domainDetails.domain", *out.caller);
    out.caller = {};
  }
  if (out.ends.remote_port && !out.ends.remote.ip) {
    lm::json::add_number(whole.rest, "remotePortDetails.port", *out.ends.remote_port);
    out.ends.remote_port = {};
  }
  whole.rest.leave();
}

constexpr auto kEvidences = lm::columns({{"evidences[].src_endpoint.ip"},
                                         {"evidences[].src_endpoint.port"},
                                         {"evidences[].src_endpoint.hostname"},
                                         {"evidences[].src_endpoint.name"},
                                         {"evidences[].src_endpoint.svc_name"},
                                         {"evidences[].src_endpoint.mac"},
                                         {"evidences[].src_endpoint.instance_uid"},
                                         {"evidences[].src_endpoint.interface_uid"},
                                         {"evidences[].src_endpoint.isp"},
                                         {"evidences[].src_endpoint.isp_org"},
                                         {"evidences[].src_endpoint.autonomous_system.number"},
                                         {"evidences[].src_endpoint.autonomous_system.name"},
                                         {"evidences[].src_endpoint.location.country"},
                                         {"evidences[].src_endpoint.location.city"},
                                         {"evidences[].src_endpoint.location.lat"},
                                         {"evidences[].src_endpoint.location.long"},
                                         {"evidences[].dst_endpoint.ip"},
                                         {"evidences[].dst_endpoint.port"},
                                         {"evidences[].dst_endpoint.hostname"},
                                         {"evidences[].dst_endpoint.instance_uid"},
                                         {"evidences[].dst_endpoint.interface_uid"},
                                         {"evidences[].dst_endpoint.isp"},
                                         {"evidences[].dst_endpoint.isp_org"},
                                         {"evidences[].dst_endpoint.autonomous_system.number"},
                                         {"evidences[].dst_endpoint.autonomous_system.name"},
                                         {"evidences[].dst_endpoint.location.country"},
                                         {"evidences[].dst_endpoint.location.city"},
                                         {"evidences[].dst_endpoint.location.lat"},
                                         {"evidences[].dst_endpoint.location.long"},
                                         {"evidences[].connection_info.direction_id"},
                                         {"evidences[].connection_info.direction"},
                                         {"evidences[].connection_info.protocol_name"},
                                         {"evidences[].query.hostname"},
                                         {"evidences[].api.operation"},
                                         {"evidences[].api.service.name"},
                                         {"evidences[].api.response.error"},
                                         {"evidences[].http_request.user_agent"}});

template <class Item>
void put_tag(Item& item, std::string_view name, Text value) {
  auto tag = item.template push<"tags">();
  tag.template set<"name">(name);
  if (value && !value->empty()) {
    tag.template set<"value">(value);
  } else {
    tag.template empty<"values">();  // OCSF wants one of the two
  }
}

// The end of the finding's own resource, where the action does not name it by its address.
struct Local {
  Text ip, instance;
};

template <class Item>
void put_source(Item& item, const Remote& r, lm::Maybe<std::int64_t> port) {
  item.template set<"src_endpoint.ip">(r.ip);
  item.template set<"src_endpoint.port">(port);
  item.template set<"src_endpoint.isp">(r.isp);
  item.template set<"src_endpoint.isp_org">(r.isp_org);
  item.template set<"src_endpoint.autonomous_system.number">(r.as_number);
  item.template set<"src_endpoint.autonomous_system.name">(r.as_name);
  item.template set<"src_endpoint.location.country">(r.country);
  item.template set<"src_endpoint.location.city">(r.city);
  item.template set<"src_endpoint.location.lat">(r.lat);
  item.template set<"src_endpoint.location.long">(r.lon);
}
template <class Item>
void put_destination(Item& item, const Remote& r, lm::Maybe<std::int64_t> port) {
  item.template set<"dst_endpoint.ip">(r.ip);
  item.template set<"dst_endpoint.port">(port);
  item.template set<"dst_endpoint.isp">(r.isp);
  item.template set<"dst_endpoint.isp_org">(r.isp_org);
  item.template set<"dst_endpoint.autonomous_system.number">(r.as_number);
  item.template set<"dst_endpoint.autonomous_system.name">(r.as_name);
  item.template set<"dst_endpoint.location.country">(r.country);
  item.template set<"dst_endpoint.location.city">(r.city);
  item.template set<"dst_endpoint.location.lat">(r.lat);
  item.template set<"dst_endpoint.location.long">(r.lon);
}

// An evidence for each probe, or one for everything else. `more`: the finding has more of an evidence, which put_more(item) adds. False: a local port has no end to
// stand at.
template <class Row, class PutMore>
bool put_evidences(Row& row, const Action& a, const Local& local, bool more, PutMore&& put_more) {
  bool placed = true;
  const bool outbound = a.direction == "OUTBOUND" || a.direction == "OUT";
  const auto one = [&](const Ends& ends) {
    bool own = ends.local_ip || ends.local_interface || ends.local_port;
    const Text own_ip = ends.local_ip ? ends.local_ip : own ? local.ip : Text(), own_instance = own ? local.instance : Text();
    own = own_ip || own_instance || ends.local_interface;
    placed &= own || !ends.local_port;
    const auto& remote = ends.remote;
    if (!own && !remote.ip && !a.caller && !a.direction && !a.protocol && !a.domain && !a.operation && !more) return;
    auto item = row.template push<"evidences">();
    if (own && outbound) {
      item.template set<"src_endpoint.ip">(own_ip);
      item.template set<"src_endpoint.port">(ends.local_port);
      item.template set<"src_endpoint.instance_uid">(own_instance);
      item.template set<"src_endpoint.interface_uid">(ends.local_interface);
    } else if (own) {
      item.template set<"dst_endpoint.ip">(own_ip);
      item.template set<"dst_endpoint.port">(ends.local_port);
      item.template set<"dst_endpoint.instance_uid">(own_instance);
      item.template set<"dst_endpoint.interface_uid">(ends.local_interface);
    }
    if (remote.ip && outbound) {
      put_destination(item, remote, ends.remote_port);
    } else if (remote.ip) {
      put_source(item, remote, ends.remote_port);
    } else if (a.caller) {
      lm::aws::source_endpoint(item, *a.caller);
    }
    if (a.direction || a.protocol) {
      const std::string_view direction = a.direction.value_or("UNKNOWN");
      const int id = outbound ? 2 : direction == "INBOUND" || direction == "IN" ? 1 : direction == "UNKNOWN" ? 0 : 99;
      item.template set<"connection_info.direction_id">(id);
      if (id == 99) item.template set<"connection_info.direction">(direction);
      item.template set<"connection_info.protocol_name">(a.protocol);
    }
    item.template set<"query.hostname">(a.domain);
    item.template set<"api.operation">(a.operation);
    item.template set<"api.service.name">(a.service);
    item.template set<"api.response.error">(a.error);
    item.template set<"http_request.user_agent">(a.user_agent);
    if constexpr (std::remove_cvref_t<decltype(item)>::template has<"http_request.url.path">) {
      item.template set<"http_request.url.path">(a.path);
      item.template set<"http_response.code">(a.status_code);
    }
    put_more(item);
  };
  if (a.probes.empty()) one(a.ends);
  for (const Ends& ends : a.probes) one(ends);
  return placed;
}

}  // namespace findings
