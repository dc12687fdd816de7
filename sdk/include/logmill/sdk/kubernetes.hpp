// logmill/sdk/kubernetes.hpp -- audit events of Kubernetes API servers (Event of audit.k8s.io/v1) as rows of OCSF's API Activity, whoever runs the cluster and delivers its log.
//
//   constexpr auto kApi = lm::table(ocsf::api_activity, lm::profiles("cloud"), lm::kubernetes::kAudit + lm::columns({...}));   // what every table has, and the provider's own
//
//   event_.clear(), rest_.clear();
//   const bool read = json_.read(text, [&](std::string_view key, lm::json::Value& value) {
//     event_.member(record, lm::json::Field{rest_, key, value}, [](const lm::json::Field& m) { m.keep(); });   // of user.extra, where what authenticated the caller adds its own
//   });
//   if (read && event_.is_event()) {                                 // a row is begun, and set by times(), actor(), authorization(), call(), proxies(), object() and url()
//     event_.close(rest_);                                           // what is left joins the rest of the event
//   }
//
// One pass reads an event into views, which hold until its reader reads again. Requests and responses pass as JSON text. What is left of an object within gathers in a writer of its
// own, for of some members it is known only at the end that they have no place.
// Source: Kubernetes, "kube-apiserver Audit Configuration (v1)". Allocates what it keeps for the next event; never throws but std::bad_alloc.
#pragma once

#include <logmill/sdk.hpp>
#include <logmill/sdk/fields.hpp>
#include <logmill/sdk/http.hpp>

#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lm::kubernetes {

// What AuditEvent sets, but for what tables have anyway: activity_id, time, metadata.log_level, metadata.log_version, metadata.original_time, metadata.original_event_uid.
inline constexpr auto kAudit = columns({{"activity_name"},
                                        {"start_time"},
                                        {"status_id"},
                                        {"status_code"},
                                        {"api.operation"},
                                        {"api.group.name"},
                                        {"api.version"},
                                        same("api.request.uid", "metadata.original_event_uid"),
                                        {"api.request.data"},
                                        {"api.response.data"},
                                        {"api.response.code"},
                                        {"api.response.error"},
                                        {"api.response.error_message"},
                                        same("status_detail", "api.response.error_message"),
                                        {"actor.app_name"},
                                        {"actor.user.name"},
                                        {"actor.user.uid"},
                                        {"actor.user.uid_alt"},
                                        {"actor.user.type_id"},
                                        {"actor.user.groups[].name"},
                                        {"actor.authorizations[].decision"},
                                        {"actor.authorizations[].policy.name"},
                                        {"src_endpoint.ip"},
                                        {"src_endpoint.svc_name"},
                                        {"src_endpoint.intermediate_ips[]"},
                                        {"http_request.user_agent"},
                                        {"http_request.url.path"},
                                        plain("http_request.url.query_string"),
                                        {"resources[].name"},
                                        {"resources[].namespace"},
                                        {"resources[].uid"},
                                        {"resources[].version"},
                                        {"resources[].type"},
                                        {"resources[].group.name"}});

namespace detail {
inline constexpr auto kVerbs = keys("create", "connect", "get", "list", "watch", "head", "update", "patch", "delete", "deletecollection");
}

// Of OCSF's API Activity. A request that is for no resource has the method of HTTP as its verb.
constexpr int activity_id(Text verb) {
  using detail::kVerbs;
  if (!verb) return 0;
  switch (kVerbs.find(*verb)) {
    case kVerbs.at("create"):
    case kVerbs.at("connect"): return 1;
    case kVerbs.at("get"):
    case kVerbs.at("list"):
    case kVerbs.at("watch"):
    case kVerbs.at("head"): return 2;  // Read
    case kVerbs.at("update"):
    case kVerbs.at("patch"): return 3;
    case kVerbs.at("delete"):
    case kVerbs.at("deletecollection"): return 4;
    default: return 99;
  }
}

// Service, System, User.
constexpr int user_type_id(std::string_view name) {
  return name.starts_with("system:serviceaccount:") ? 4 : name.starts_with("system:") ? 3 : 1;
}

namespace detail {
struct AuditTexts {
  Text kind, version, level, id, uri, verb, agent, received, staged;
  Text request, response;  // JSON
  // of user
  Text user, user_id;
  // of objectRef
  Text resource, subresource, space, name, uid, api_group, api_version, resource_version;
  // of responseStatus and annotations
  Maybe<std::int64_t> code;
  Text reason, message, decision, decision_reason;
};
}  // namespace detail

// What the members are called that may be left after they were read: Kubernetes' names, or those of a table's columns.
struct AuditNames {
  std::string_view staged = "stageTimestamp", received = "requestReceivedTimestamp", request = "requestObject", uri = "requestURI",
                   addresses = "sourceIPs", user = "user", object = "objectRef", status = "responseStatus", annotations = "annotations";
};

struct AuditEvent : detail::AuditTexts {
  AuditNames names;  // stay as they are set
  std::vector<Text> groups, addresses;
  json::ObjectWriter user_rest, extra_rest, object_rest, status_rest, annotations_rest;

  void clear() {
    static_cast<detail::AuditTexts&>(*this) = {};
    groups.clear(), addresses.clear();
    has_groups_ = has_addresses_ = false;
    for (auto* writer : {&user_rest, &extra_rest, &object_rest, &status_rest, &annotations_rest}) writer->clear();
  }

  bool is_event() const { return (!version || version->starts_with("audit.k8s.io/")) && (!kind || *kind == "Event") && (version || verb); }

  // ---- Reading ----

  // What Kubernetes added since is kept and counted as drift. `on_extra` is given the members of user.extra; each is a list, see first().
  template <class OnExtra>
  void member(Record record, const json::Field& f, OnExtra&& on_extra) {
    member(record, f, f.key, on_extra);
  }
  // The same of a column that has the member of that name.
  template <class OnExtra>
  void member(Record record, const json::Field& f, std::string_view called, OnExtra&& on_extra) {
    static constexpr auto kKeys =
        keys("kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "user", "impersonatedUser", "sourceIPs", "userAgent",
             "objectRef", "responseStatus", "requestObject", "responseObject", "requestReceivedTimestamp", "stageTimestamp", "annotations");
    switch (kKeys.find(called)) {
      case kKeys.at("kind"): f.text(kind); break;
      case kKeys.at("apiVersion"): f.text(version); break;
      case kKeys.at("level"): f.text(level); break;
      case kKeys.at("auditID"): f.text(id); break;
      case kKeys.at("requestURI"): f.text(uri); break;
      case kKeys.at("verb"): f.text(verb); break;
      case kKeys.at("user"): f.object(user_rest, [&](const json::Field& m) { of_user(record, m, on_extra); }); break;
      case kKeys.at("sourceIPs"): has_addresses_ = texts(f, addresses, has_addresses_); break;
      case kKeys.at("userAgent"): f.text(agent); break;
      case kKeys.at("objectRef"): f.object(object_rest, [&](const json::Field& m) { of_object(record, m); }); break;
      case kKeys.at("responseStatus"): f.object(status_rest, [&](const json::Field& m) { of_status(record, m); }); break;
      case kKeys.at("requestObject"): f.json(request); break;
      case kKeys.at("responseObject"): f.json(response); break;
      case kKeys.at("requestReceivedTimestamp"): f.text(received); break;
      case kKeys.at("stageTimestamp"): f.text(staged); break;
      case kKeys.at("annotations"): f.object(annotations_rest, [&](const json::Field& m) { of_annotations(m); }); break;
      case kKeys.at("stage"):
      case kKeys.at("impersonatedUser"): f.keep(); break;
      default: record.drift(f.key); f.keep();
    }
  }

  // The one text of a list; of a list that has more, the first, and the whole is kept besides.
  static void first(const json::Field& m, Text& out) {
    if (m.value.type() != json::Type::array || out) return m.keep();
    bool whole = true;
    m.value.array([&](json::Value& item) {
      const Text text = item.text();
      if (!out && text && present(*text)) {
        out = text;
      } else {
        whole = whole && json::says_nothing(item.raw());
      }
    });
    if (!whole) m.keep();
  }

  // ---- The row ----
  // A row of any table that has kAudit's columns, or those of them that a function sets. `rest` is the event's own.

  // Of the stage, else of the request, as the provider read them. Texts that are no times go to `rest`. False: neither is one, and the row has no time yet.
  template <class Row>
  bool times(Row& row, Maybe<std::int64_t> staged_at, Maybe<std::int64_t> received_at, json::ObjectWriter& rest) const {
    const bool any = staged_at || received_at;
    if (any) {
      row.template set<"time">(staged_at ? staged_at : received_at);
      row.template set<"metadata.original_time">(staged_at ? staged : received);
    }
    row.template set<"start_time">(received_at);
    if (staged && !staged_at) rest.add_text(names.staged, *staged);
    if (received && !received_at) rest.add_text(names.received, *received);
    return any;
  }

  // False: nobody was authenticated, and what the list of groups says is in user_rest; the class wants another actor.
  template <class Row>
  bool actor(Row& row) {
    row.template set<"actor.user.name">(user);
    row.template set<"actor.user.uid">(user_id);
    if (user || user_id) {
      row.template set<"actor.user.type_id">(user_type_id(user.value_or("")));
      for (const Text& group : groups) row.template push<"actor.user.groups">().template set<"name">(*group);
      return true;
    }
    // Groups do not make a user without a name.
    if (!groups.empty()) keep_list(user_rest, "groups", groups, 0);
    return false;
  }

  template <class Row>
  void authorization(Row& row) const {
    if (!decision && !decision_reason) return;
    auto authorization = row.template push<"actor.authorizations">();
    authorization.template set<"decision">(decision);
    authorization.template set<"policy.name">(decision_reason);
  }

  // What was asked for and answered, but for the operation.
  template <class Row>
  void call(Row& row, int activity, json::ObjectWriter& rest) {
    row.template set<"activity_id">(activity);
    if (activity == 99) row.template set<"activity_name">(verb);
    row.template set<"api.group.name">(api_group);
    row.template set<"api.version">(api_version);
    row.template set<"metadata.original_event_uid">(id);
    if (id) {
      row.template set<"api.request.data">(request);
    } else if (request) {
      rest.add(names.request, *request);  // a request needs an id in OCSF
    }
    row.template set<"api.response.data">(response);
    const bool failed = code && *code >= 400;
    row.template set<"status_id">(code ? (failed ? 2 : 1) : 0);  // Failure, Success, Unknown
    if (code) {
      row.template set<"api.response.code">(*code);
      const auto end = std::to_chars(digits_.data(), digits_.data() + digits_.size(), *code).ptr;
      row.template set<"status_code">(std::string_view(digits_.data(), static_cast<std::size_t>(end - digits_.data())));
    }
    if (failed) {
      row.template set<"api.response.error">(reason);
    } else if (reason) {
      status_rest.add_text("reason", *reason);
    }
    row.template set<"api.response.error_message">(message);
  }

  // Of the addresses the first is the caller's, which the provider has set; those behind it are the proxies' that it came through. `first`: the first has its place.
  template <class Row>
  void proxies(Row& row, json::ObjectWriter& rest, bool first = true) {
    bool whole = first || addresses.empty();
    for (std::size_t i = 1; i < addresses.size(); ++i) whole &= row.template push<"src_endpoint.intermediate_ips">(addresses[i]);
    if (!whole) keep_list(rest, names.addresses, addresses, first ? 1 : 0);
  }

  // `group` is the cluster's name, "" if it is not known.
  template <class Row>
  void object(Row& row, std::string_view group) {
    if (!resource && !name && !space && !uid && !resource_version) {
      if (subresource) object_rest.add_text("subresource", *subresource);
      return;
    }
    auto resource_row = row.template push<"resources">();
    resource_row.template set<"name">(name);
    resource_row.template set<"namespace">(space);
    resource_row.template set<"uid">(uid);
    resource_row.template set<"version">(resource_version);
    if (resource && subresource) {
      resource_row.template set<"type">(type());
    } else {
      resource_row.template set<"type">(resource);
      if (subresource) object_rest.add_text("subresource", *subresource);
    }
    if (!group.empty()) resource_row.template set<"group.name">(group);
  }

  template <class Row>
  void url(Row& row, json::ObjectWriter& rest) const {
    row.template set<"http_request.user_agent">(agent);
    if (!uri) return;
    const http::Url parts = http::url(*uri);
    row.template set<"http_request.url.path">(parts.path);
    if (parts.path) {
      row.template set<"http_request.url.query_string">(parts.query_string);
    } else {
      rest.add_text(names.uri, *uri);
    }
  }

  // What is left of the objects joins `rest`.
  void close(json::ObjectWriter& rest) {
    json::Field::close(user_rest, "extra", extra_rest);
    json::Field::close(rest, names.user, user_rest);
    json::Field::close(rest, names.object, object_rest);
    json::Field::close(rest, names.status, status_rest);
    json::Field::close(rest, names.annotations, annotations_rest);
  }

  // "pods/exec"; of an event that has both.
  std::string_view type() { return scratch_.assign(*resource).append("/").append(*subresource); }

 private:
  template <class OnExtra>
  void of_user(Record record, const json::Field& f, OnExtra&& on_extra) {
    static constexpr auto kKeys = keys("username", "uid", "groups", "extra");
    switch (kKeys.find(f.key)) {
      case kKeys.at("username"): f.text(user); break;
      case kKeys.at("uid"): f.text(user_id); break;
      case kKeys.at("groups"): has_groups_ = texts(f, groups, has_groups_); break;
      case kKeys.at("extra"): f.object(extra_rest, on_extra); break;
      default: record.drift("user", f.key); f.keep();
    }
  }

  void of_object(Record record, const json::Field& f) {
    static constexpr auto kKeys = keys("resource", "subresource", "namespace", "name", "uid", "apiGroup", "apiVersion", "resourceVersion");
    switch (kKeys.find(f.key)) {
      case kKeys.at("resource"): f.text(resource); break;
      case kKeys.at("subresource"): f.text(subresource); break;
      case kKeys.at("namespace"): f.text(space); break;
      case kKeys.at("name"): f.text(name); break;
      case kKeys.at("uid"): f.text(uid); break;
      case kKeys.at("apiGroup"): f.text(api_group); break;
      case kKeys.at("apiVersion"): f.text(api_version); break;
      case kKeys.at("resourceVersion"): f.text(resource_version); break;
      default: record.drift("objectRef", f.key); f.keep();
    }
  }

  void of_status(Record record, const json::Field& f) {
    static constexpr auto kKeys = keys("code", "reason", "message", "status", "details", "metadata", "kind", "apiVersion");
    switch (kKeys.find(f.key)) {
      case kKeys.at("code"): f.integer(code, 0, INT32_MAX); break;
      case kKeys.at("reason"): f.text(reason); break;
      case kKeys.at("message"): f.text(message); break;
      default:
        if (kKeys.find(f.key) < 0) record.drift("responseStatus", f.key);
        f.keep();
    }
  }

  void of_annotations(const json::Field& f) {
    if (f.key == "authorization.k8s.io/decision") return f.text(decision);
    if (f.key == "authorization.k8s.io/reason") return f.text(decision_reason);
    f.keep();
  }

  // A list of texts; anything else in it, and a second list of the same name, stays as it stands. Answers that the list was read.
  static bool texts(const json::Field& f, std::vector<Text>& out, bool read_before) {
    if (f.value.type() != json::Type::array || read_before) {
      f.keep();
      return read_before;
    }
    bool whole = true;
    f.value.array([&](json::Value& item) {
      if (const Text text = item.text(); text && present(*text)) {
        out.push_back(text);
      } else {
        whole = whole && json::says_nothing(item.raw());
      }
    });
    if (!whole) f.keep();
    return true;
  }

  // Not of an empty list.
  void keep_list(json::ObjectWriter& rest, std::string_view key, const std::vector<Text>& list, std::size_t from) {
    scratch_.assign("[");
    for (std::size_t i = from; i < list.size(); ++i) {
      if (i > from) scratch_.push_back(',');
      json::append_quoted(scratch_, *list[i]);
    }
    scratch_.push_back(']');
    rest.add(key, scratch_);
  }

  std::string scratch_;
  std::array<char, 16> digits_{};
  bool has_groups_ = false, has_addresses_ = false;
};

}  // namespace lm::kubernetes
