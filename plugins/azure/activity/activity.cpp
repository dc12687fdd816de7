// The Activity log of Azure subscriptions: what Azure Resource Manager was asked to do, by whom, and what Azure says of health, alerts, policies and recommendations.
// Source: Microsoft, "Azure Activity Log event schema"; "Activity Logs - List" of the Azure Monitor REST API; Azure Monitor table AzureActivity.
//
// Four forms of one record end in the same views (Event): resource logs, what the REST API and the portal give, rows of the table, and those of the portal's CSV. Objects within, which the table also has as
// texts, are put aside in the first pass; the category then says the class, and what that class has no place for stays as it stands.
#include <logmill/sdk.hpp>
#include <logmill/sdk/azure.hpp>
#include <logmill/sdk/fields.hpp>

#include <vector>

namespace ocsf = lm::ocsf::v1_8;
namespace azure = lm::azure;

namespace {

using lm::Text;
using lm::azure::Named;
using lm::json::Field;
using lm::json::Type;
using lm::json::Value;

constexpr std::string_view kManager = "Azure Resource Manager";  // who answered, where a record does not name the provider

constexpr auto kCommon = azure::kEvery + lm::columns({lm::constant("metadata.product.name", "Azure Activity Log"),
                                                      {"activity_name"},
                                                      {"severity"},
                                                      {"duration"},
                                                      {"status"},
                                                      {"status_id"},
                                                      {"status_code"},
                                                      {"status_detail"},
                                                      {"cloud.region"}});
constexpr auto kResources = lm::columns({{"resources[].uid"},
                                         {"resources[].uid_alt"},
                                         {"resources[].name"},
                                         {"resources[].type"},
                                         {"resources[].group.name"},
                                         {"resources[].role_id"}});
constexpr auto kFindingInfo =
    lm::columns({lm::plain("finding_info.uid"), {"finding_info.title"}, {"finding_info.desc"}, {"finding_info.types[]"}});

constexpr auto kApi = lm::table(ocsf::api_activity, lm::profiles("cloud"),
                                kCommon + kResources +
                                    lm::columns({{"api.operation"},
                                                 {"api.service.name"},
                                                 lm::plain("api.request.uid"),
                                                 {"api.request.data"},
                                                 {"api.response.code"},
                                                 {"api.response.data"},
                                                 {"api.response.message"},
                                                 {"api.response.error"},
                                                 {"api.response.error_message"},
                                                 {"actor.user.name"},
                                                 {"actor.user.uid"},
                                                 {"actor.user.display_name"},
                                                 {"actor.user.email_addr"},
                                                 {"actor.user.type_id"},
                                                 {"actor.app_uid"},
                                                 {"actor.app_name"},
                                                 {"actor.idp.issuer"},
                                                 {"actor.idp.tenant_uid"},
                                                 lm::plain("actor.session.uid_alt"),
                                                 {"actor.session.created_time"},
                                                 {"actor.session.expiration_time"},
                                                 {"actor.session.is_mfa"},
                                                 {"actor.authorizations[].decision"},
                                                 {"actor.authorizations[].policy.name"},
                                                 {"actor.authorizations[].policy.uid"},
                                                 {"src_endpoint.ip"},
                                                 {"src_endpoint.port"},
                                                 {"src_endpoint.intermediate_ips[]"},
                                                 {"src_endpoint.uid"},
                                                 {"src_endpoint.svc_name"},
                                                 {"http_request.http_method"},
                                                 lm::plain("http_request.uid"),
                                                 lm::plain("http_request.url.url_string")}));

constexpr auto kDetection = lm::table(ocsf::detection_finding, lm::profiles("cloud"),
                                      kCommon + kResources + kFindingInfo + lm::columns({lm::constant("is_alert", "true")}));

constexpr auto kCompliance =
    lm::table(ocsf::compliance_finding, lm::profiles("cloud"),
              kCommon + kResources + kFindingInfo +
                  lm::columns({{"compliance.status_id"}, {"compliance.control"}, {"compliance.category"}, {"compliance.standards[]"}}));

constexpr auto kBase = lm::table(ocsf::base_event, lm::profiles("cloud"), kCommon + lm::columns({{"message"}}));

enum class Class { none, api, detection, compliance, base };

// The verbs are what older exports have instead of a category; the portal's CSV has names for people.
constexpr auto kCategories = azure::keys("Administrative", "ServiceHealth", "ResourceHealth", "Service Health", "Resource Health",
                                         "Autoscale", "Recommendation", "Security", "Alert", "Policy", "Write", "Delete", "Action");

Class class_of(std::string_view category) {
  switch (kCategories.find(category)) {
    case kCategories.at("Administrative"):
    case kCategories.at("Write"):
    case kCategories.at("Delete"):
    case kCategories.at("Action"): return Class::api;
    case kCategories.at("Security"):
    case kCategories.at("Alert"): return Class::detection;
    case kCategories.at("Policy"):
    case kCategories.at("Recommendation"): return Class::compliance;
    case kCategories.at("ServiceHealth"):
    case kCategories.at("ResourceHealth"):
    case kCategories.at("Service Health"):
    case kCategories.at("Resource Health"):
    case kCategories.at("Autoscale"): return Class::base;
    default: return Class::none;
  }
}

// Others have categories of these names too.
bool is_generic(std::string_view category) { return kCategories.find(category) >= kCategories.at("Security"); }
bool is_verb(std::string_view category) { return kCategories.find(category) >= kCategories.at("Write"); }

// "Microsoft.Storage/storageAccounts/listKeys/action"
bool is_operation(Text text) { return text && text->find('/') != std::string_view::npos; }

bool is_id(std::string_view text) { return text.size() == 36 && text[8] == '-' && text[23] == '-'; }

bool begins(std::string_view text, std::string_view with) { return lm::equals_ignoring_case(text.substr(0, with.size()), with); }

// An object, or what was the text of one. A column that ends in "_d" has the object, and its namesake the same as text.
struct Part {
  Text json;
  std::string_view key;
  bool of_identity = false;

  void read(const Field& f, bool within = false) {
    Text found;
    if (f.value.type() == Type::object) {
      found = f.value.raw();
    } else if (const Text text = f.value.text(); text && lm::trim(*text).starts_with('{')) {
      found = text;
    }
    if (!found) return f.keep();
    if (lm::json::says_nothing(lm::trim(*found))) return;
    if (json && key.ends_with("_d")) return;
    if (json && !f.key.ends_with("_d")) return f.keep();
    json = found, key = f.key, of_identity = within;
  }
};

// {"value": .., "localizedValue": ..}, or the value itself.
struct Choice {
  Text value, told;
  std::string_view key, raw;
  bool column = false;     // what is told has a column of its own
  bool says_more = false;  // than these two
};

struct Event {
  Choice operation, category, status, substatus, event, provider, type;
  Named at, submitted, caller, group, subscription, description, id;
  Part identity, claims, authorization, request, properties;
  // of properties
  Text event_category, request_id, status_code, region, request_data, response_data, status_message, error, error_message;
  std::string_view status_message_key;
  Text title, severity, policy, policy_title, assignment, recommendation;
  bool portal = false;  // a row of the portal's CSV
};

}  // namespace

struct Activity {
  static constexpr lm::Descriptor descriptor{.id = "azure.activity",
                                             .title = "Azure Activity log",
                                             .vendor = "Microsoft",
                                             .version = "1.0.0",
                                             .reads =
                                                 "The subscription's Activity log as resource logs (JSON lines, records), as the REST API "
                                                 "and the portal give it (JSON and CSV), or rows of AzureActivity",
                                             .framing = lm::Framing::json,
                                             .envelope = "records"};
  static constexpr auto keys =
      lm::strings("insights-logs-administrative/**", "insights-logs-security/**", "insights-logs-servicehealth/**",
                  "insights-logs-alert/**", "insights-logs-recommendation/**", "insights-logs-policy/**", "insights-logs-autoscale/**",
                  "insights-logs-resourcehealth/**", "insights-operational-logs/**", "am-azureactivity/**");

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "records");
    const int sure = outline.clean() ? 95 : 85;
    const auto text = [&](std::initializer_list<std::string_view> names) {
      Text value;
      for (const std::string_view name : names) {
        if (!value) value = outline.record_text(name);
      }
      return value;
    };
    if (const Text table = outline.record_text("Type")) return *table == "AzureActivity" ? sure : 0;
    if (outline.record("OperationNameValue") && outline.record("ActivityStatusValue")) return sure;
    if (outline.record_like("Event category") && outline.record_like("Operation name") && outline.record_like("Event initiated by"))
      return sure;
    if (outline.record("eventTimestamp") && outline.record("operationName") && (outline.record("eventDataId") || outline.record("claims")))
      return sure;
    const Text category = text({"category", "Category", "CATEGORY"});
    if (!category || class_of(*category) == Class::none || outline.record("activityDisplayName")) return 0;
    return !is_generic(*category) || is_operation(text({"operationName", "OperationName", "OPERATIONNAME"})) ? sure : 0;
  }

  void parse(lm::Record record, lm::Rows<kApi>& calls, lm::Rows<kDetection>& detections, lm::Rows<kCompliance>& compliance,
             lm::Rows<kBase>& others) {
    Event e;
    envelope_.clear(), inner_.clear(), unknown_.clear();
    for (auto* writer : {&rest_, &identity_rest_, &claims_rest_, &authorization_rest_, &evidence_rest_, &request_rest_, &properties_rest_})
      writer->clear();
    constexpr std::string_view kForeign = "'category' is none of the Activity log's: not a record of it";
    if (!read(record, e)) {
      const bool anothers = envelope_.category && class_of(*envelope_.category) == Class::none;
      return anothers ? record.reject(lm::foreign, kForeign) : record.reject(json_);
    }
    const Class of = settle(e);
    if (of == Class::none) return record.reject(lm::foreign, kForeign);
    for (const std::string_view key : unknown_) record.drift(key);
    const azure::Times times(e.at.value, envelope_.time);
    if (!times.event) return record.reject(lm::malformed, "neither 'time' nor 'eventTimestamp' is a time");
    if (times.own_unread) e.at.keep(rest_);
    if (times.envelope_unread) envelope_.keep(rest_, envelope_.is_row() ? "TimeGenerated" : "time", envelope_.time);
    envelope_.finish(rest_);
    switch (of) {
      case Class::api: return call(calls.begin(record), e, times);
      case Class::detection: {
        auto row = detections.begin(record);
        return finding(row, record, e, times);
      }
      case Class::compliance: {
        auto row = compliance.begin(record);
        return finding(row, record, e, times);
      }
      default: return other(others.begin(record), e, times);
    }
  }

 private:
  // ---- Reading ----

  bool read(lm::Record record, Event& e) {
    static constexpr auto kKeys = azure::keys(
        "operationName", "OperationNameValue", "category", "CategoryValue", "status", "ActivityStatus", "ActivityStatusValue", "subStatus",
        "ActivitySubstatus", "ActivitySubstatusValue", "eventName", "resourceProviderName", "ResourceProviderValue", "resourceType",
        "eventTimestamp", "submissionTimestamp", "EventSubmissionTimestamp", "caller", "resourceGroupName", "subscriptionId", "description",
        "eventDataId", "identity", "claims", "Claims_d", "authorization", "Authorization_d", "httpRequest", "properties", "Properties_d",
        // of the portal's CSV
        "Correlation id", "Operation name", "Event category", "Event initiated by", "Resource type", "Resource group", "Resource",
        "Subscription",
        // Known, and without a place.
        "operationId", "channels", "id", "relatedEvents", "hierarchy", "roleLocation", "ReleaseVersion");
    return json_.read(record.text(), [&](std::string_view key, Value& value) {
      const Field f{rest_, key, value};
      const bool object = value.type() == Type::object;
      switch (kKeys.find(key)) {
        case kKeys.at("operationName"): object ? choice(f, e.operation) : take(f); break;
        case kKeys.at("OperationNameValue"): choice(f, e.operation); break;
        case kKeys.at("category"): object ? choice(f, e.category) : take(f); break;
        case kKeys.at("CategoryValue"): choice(f, e.category); break;
        case kKeys.at("status"):
        case kKeys.at("ActivityStatusValue"): choice(f, e.status); break;
        case kKeys.at("subStatus"):
        case kKeys.at("ActivitySubstatusValue"): choice(f, e.substatus); break;
        case kKeys.at("ActivityStatus"): told(f, e.status); break;
        case kKeys.at("ActivitySubstatus"): told(f, e.substatus); break;
        case kKeys.at("eventName"): name(f, e.event); break;
        case kKeys.at("resourceProviderName"):
        case kKeys.at("ResourceProviderValue"): name(f, e.provider); break;
        case kKeys.at("Resource type"):
        case kKeys.at("resourceType"): name(f, e.type); break;
        case kKeys.at("eventTimestamp"): e.at.read_scalar(f); break;
        case kKeys.at("submissionTimestamp"):
        case kKeys.at("EventSubmissionTimestamp"): e.submitted.read_scalar(f); break;
        case kKeys.at("Event initiated by"):
        case kKeys.at("caller"): e.caller.read(f); break;
        case kKeys.at("Resource group"):
        case kKeys.at("resourceGroupName"): e.group.read(f); break;
        case kKeys.at("subscriptionId"): e.subscription.read(f); break;
        case kKeys.at("description"): e.description.read(f); break;
        case kKeys.at("eventDataId"): e.id.read(f); break;
        case kKeys.at("identity"): e.identity.read(f); break;
        case kKeys.at("claims"):
        case kKeys.at("Claims_d"): e.claims.read(f); break;
        case kKeys.at("authorization"):
        case kKeys.at("Authorization_d"): e.authorization.read(f); break;
        case kKeys.at("httpRequest"): e.request.read(f); break;
        case kKeys.at("properties"):
        case kKeys.at("Properties_d"): e.properties.read(f); break;
        case kKeys.at("Event category"):
          e.portal = true;
          take({rest_, "category", value});
          break;
        case kKeys.at("Operation name"): take({rest_, "operationName", value}); break;
        case kKeys.at("Correlation id"): take({rest_, "correlationId", value}); break;
        case kKeys.at("Resource"): e.portal ? take({rest_, "resourceId", value}) : take(f); break;
        case kKeys.at("Subscription"): {
          Named subscription;
          subscription.read(f);
          if (subscription.value && is_id(*subscription.value) && !e.subscription.value) {
            e.subscription = subscription;
          } else {
            subscription.keep(rest_);  // the portal may have its name
          }
          break;
        }
        case -1: take(f); break;
        default: f.keep();
      }
    });
  }

  void take(const Field& f) {
    if (envelope_.take(f)) return;
    unknown_.push_back(f.key);
    f.keep();
  }

  void choice(const Field& f, Choice& out) {
    if (f.value.type() != Type::object) {
      Text value;
      azure::scalar(f, value);
      if (out.value && value) f.rest.add_text(f.key, *value);
      if (!out.value) out.value = value, out.key = f.key;
      return;
    }
    out.key = f.key;
    f.object([&](const Field& m) {
      if (lm::equals_ignoring_case(m.key, "value") && !out.value) {
        azure::scalar(m, out.value);
      } else if (lm::equals_ignoring_case(m.key, "localizedValue") && !out.told) {
        azure::text(m, out.told);
        if (out.told && !(out.value && lm::equals_ignoring_case(*out.value, *out.told))) m.keep();
      } else {
        m.keep();
      }
    });
  }

  // The same of a name that other members may say as well: it is kept whole, or not at all.
  static void name(const Field& f, Choice& out) {
    if (out.raw.data()) return f.keep();
    out.key = f.key;
    if (f.value.type() == Type::object) {
      f.value.object([&](std::string_view key, Value& v) {
        const bool value = lm::equals_ignoring_case(key, "value");
        if ((value || lm::equals_ignoring_case(key, "localizedValue")) && v.type() == Type::string) {
          (value ? out.value : out.told) = azure::present(v.text());
        } else {
          out.says_more = out.says_more || !lm::json::says_nothing(v.raw());
        }
      });
    } else if (f.value.type() == Type::string) {
      out.value = azure::present(f.value.text());
    } else {
      return f.keep();
    }
    out.raw = f.value.raw();
  }
  void said_otherwise(const Choice& c, std::string_view said) {
    const auto is_new = [&](Text text, std::string_view known) { return text && !lm::equals_ignoring_case(*text, known); };
    if (c.says_more || is_new(c.value, said) || is_new(c.told, c.value.value_or(""))) rest_.add(c.key, c.raw);
  }

  // A column for people, which old rows have instead of the value.
  static void told(const Field& f, Choice& out) {
    if (!out.told) {
      azure::text(f, out.told);
      out.column = true;
    } else {
      f.keep();
    }
  }

  // What the record is, whatever its form; none: it is not of this source.
  Class settle(Event& e) {
    if (envelope_.table && !envelope_.is_row()) {
      rest_.add_text("type", *envelope_.table);  // no name of a table
      envelope_.table = {};
    }
    if (envelope_.table && !lm::equals_ignoring_case(*envelope_.table, "AzureActivity")) return Class::none;
    prefer(envelope_.operation, e.operation.value, "operationName");
    prefer(envelope_.category, e.category.value, "category");
    for (Choice* c : {&e.status, &e.substatus}) {
      if (c->value && c->column && c->told && !lm::equals_ignoring_case(*c->value, *c->told))
        rest_.add_text(c == &e.status ? "ActivityStatus" : "ActivitySubstatus", *c->told);
      if (!c->value) c->value = c->told;
    }
    prefer(envelope_.result_type, e.status.value, "resultType");
    prefer(envelope_.result_signature, e.substatus.value, "resultSignature");
    if (!envelope_.result_description) {
      envelope_.result_description = e.description.value;
    } else {
      e.description.keep_unless(rest_, envelope_.result_description);
    }
    const bool own = envelope_.table || e.id.value || e.identity.json || e.claims.json || e.authorization.json || e.portal;
    if (!envelope_.category) return own && is_operation(envelope_.operation) ? Class::api : Class::none;
    const std::string_view category = *envelope_.category;
    if (is_generic(category) && !own && !is_operation(envelope_.operation)) return Class::none;
    if (is_verb(category)) {
      if (const Text said = event_category(e); said && class_of(*said) != Class::none) return class_of(*said);
    }
    return class_of(category);
  }

  // The form's own member goes before the envelope's, of which something is left only if it says something else.
  void prefer(Text& envelope, Text own, std::string_view name) {
    if (!own) return;
    if (envelope && !lm::equals_ignoring_case(*envelope, *own)) envelope_.keep(rest_, name, envelope);
    envelope = own;
  }

  Text event_category(const Event& e) {
    Text out;
    if (e.properties.json) {
      inner_.next().read(*e.properties.json, [&](std::string_view key, Value& value) {
        if (lm::equals_ignoring_case(key, "eventCategory")) out = value.text();
      });
    }
    return out;
  }

  // Gives on_member the members of a part; what they keep gathers in `inner`, which goes where the part stood. A text that is no JSON stays one.
  template <class OnMember>
  void members(const Part& part, lm::json::ObjectWriter& outer, lm::json::ObjectWriter& inner, OnMember&& on_member) {
    if (!part.json) return;
    lm::json::Reader& reader = inner_.next();
    if (!reader.valid(*part.json)) return outer.add_text(part.key, *part.json);
    reader.read(*part.json, [&](std::string_view key, Value& value) { on_member(Field{inner, key, value}); });
  }

  // As it stands.
  void keep(const Part& part, lm::json::ObjectWriter& outer) {
    if (!part.json) return;
    if (inner_.next().valid(*part.json)) {
      outer.add(part.key, *part.json);
    } else {
      outer.add_text(part.key, *part.json);
    }
  }

  // JSON as it stands, or that a text holds, or the text; absent if that says nothing.
  Text json_of(const Field& f) {
    const Text text = f.value.text();
    if (lm::json::says_nothing(f.value.raw())) return {};
    if (!text) return f.value.raw();
    const std::string_view trimmed = lm::trim(*text);
    return inner_.open(trimmed, '{') || inner_.open(trimmed, '[') ? Text(trimmed) : Text(f.value.raw());
  }

  // ---- Properties ----

  // They are of the category, and of whoever wrote them: no member is news.
  void properties(Event& e, Class of) {
    members(e.properties, rest_, properties_rest_, [&](const Field& f) { property(e, f, of, false); });
  }

  void property(Event& e, const Field& f, Class of, bool within) {
    static constexpr auto kKeys =
        azure::keys("eventCategory", "eventProperties", "statusCode", "statusMessage", "serviceRequestId", "requestbody", "responseBody",
                    "resourceLocation", "title", "alertDisplayName", "AlertName", "RuleName", "severity", "description", "ruleDescription",
                    "policies", "policyDefinitionDisplayName", "policyDefinitionName", "recommendationName", "recommendationCategory");
    const bool call = of == Class::api, finding = of == Class::detection || of == Class::compliance;
    const auto first = [&](bool wanted, Text& out) {
      if (!wanted || out) return f.keep();
      azure::scalar(f, out);
    };
    switch (kKeys.find(f.key)) {
      case kKeys.at("eventCategory"):
        azure::text(f, e.event_category);
        if (e.event_category && !(envelope_.category && lm::equals_ignoring_case(*e.event_category, *envelope_.category))) f.keep();
        break;
      case kKeys.at("eventProperties"):
        if (within) return f.keep();
        azure::object(f, inner_, [&](const Field& m) { property(e, m, of, true); });
        break;
      case kKeys.at("statusCode"): first(call, e.status_code); break;
      case kKeys.at("serviceRequestId"): first(call, e.request_id); break;
      case kKeys.at("resourceLocation"): first(true, e.region); break;
      case kKeys.at("requestbody"): data(call, f, e.request_data); break;
      case kKeys.at("responseBody"): data(call, f, e.response_data); break;
      case kKeys.at("statusMessage"): data(call, f, e.status_message); break;
      case kKeys.at("title"): first(finding || of == Class::base, e.title); break;
      case kKeys.at("alertDisplayName"):
      case kKeys.at("AlertName"):
      case kKeys.at("RuleName"): first(finding, e.title); break;
      case kKeys.at("severity"): first(finding, e.severity); break;
      case kKeys.at("description"):
      case kKeys.at("ruleDescription"):
        if (!finding || envelope_.result_description) return f.keep();
        azure::text(f, envelope_.result_description);
        break;
      case kKeys.at("policies"):
        if (of == Class::compliance) policies(e, f);
        f.keep();
        break;
      case kKeys.at("policyDefinitionDisplayName"): first(of == Class::compliance, e.policy_title); break;
      case kKeys.at("policyDefinitionName"): first(of == Class::compliance, e.policy); break;
      case kKeys.at("recommendationName"): first(of == Class::compliance, e.title); break;
      case kKeys.at("recommendationCategory"): first(of == Class::compliance, e.recommendation); break;
      default: f.keep();
    }
  }

  void data(bool wanted, const Field& f, Text& out) {
    const Text json = wanted && !out ? json_of(f) : Text();
    if (!json) return f.keep();
    out = json;
  }

  // A list of the policies that had a say, as text; the first is the row's.
  void policies(Event& e, const Field& f) {
    const Text json = json_of(f);
    if (!json || !json->starts_with('[')) return;
    bool done = false;
    lm::json::Reader* const reader = inner_.open(*json, '[');
    if (!reader) return;
    reader->read_array(*json, [&](Value& policy) {
      if (done) return;
      done = true;
      policy.object([&](std::string_view key, Value& v) {
        static constexpr auto kKeys = azure::keys("policyDefinitionName", "policyDefinitionDisplayName", "policyAssignmentName");
        switch (kKeys.find(key)) {
          case kKeys.at("policyDefinitionName"): e.policy = azure::present(v.text()); break;
          case kKeys.at("policyDefinitionDisplayName"): e.policy_title = azure::present(v.text()); break;
          case kKeys.at("policyAssignmentName"): e.assignment = azure::present(v.text()); break;
          default: break;
        }
      });
    });
  }

  // ---- What rows have in common ----

  template <class Row>
  void common(Row& row, Event& e, const azure::Times& times) {
    times.set(row);
    if (const auto submitted = azure::time(e.submitted.value)) {
      row.template set<"metadata.logged_time">(submitted);
    } else {
      e.submitted.keep(rest_);
    }
    envelope_.set(row, envelope_.table ? envelope_.table : envelope_.category);
    // The table's rows are of all categories.
    if (envelope_.table && envelope_.category) rest_.add_text(e.category.key.empty() ? "Category" : e.category.key, *envelope_.category);
    row.template set<"metadata.original_event_uid">(e.id.value);
    const auto took = envelope_.milliseconds();
    row.template set<"duration">(took);
    if (!took && envelope_.duration && lm::number(*envelope_.duration).value_or(1) != 0)
      envelope_.keep(rest_, "durationMs", envelope_.duration);
    envelope_.keep(rest_, "location", envelope_.location);
    envelope_.keep(rest_, e.portal ? "Resource" : "resourceId", envelope_.other_resource);
    if (envelope_.resource.subscription().empty() && e.subscription.value) {
      row.template set<"cloud.account.uid">(azure::lower_case(*e.subscription.value, lowered_));
      row.template set<"cloud.account.type_id">(azure::kSubscriptionType);
    } else {
      e.subscription.keep_unless(rest_, Text(envelope_.resource.subscription()));
    }
    e.group.keep_unless(rest_, Text(envelope_.resource.group()));
    said_otherwise(e.provider, envelope_.resource.provider());
    said_otherwise(e.type, envelope_.resource.type());
    said_otherwise(e.event, {});
    row.template set<"status_code">(envelope_.result_signature);
    row.template set<"status_detail">(envelope_.result_description);
    if (e.region) row.template set<"cloud.region">(azure::region(*e.region, region_));
  }

  // Whose severity the record says, or else its level.
  template <class Row>
  void severity(Row& row, Text own) {
    static constexpr auto kWords = azure::keys("Informational", "Low", "Medium", "High", "Critical");
    const int word = own ? kWords.find(*own) : -1;
    const int id = own ? (word < 0 ? 99 : word + 1) : azure::severity_id(envelope_.level);
    row.template set<"severity_id">(id);
    if (id == 99) row.template set<"severity">(own ? own : envelope_.level);
  }

  template <class Row>
  void resource(Row& row) {
    const azure::ResourceId& id = envelope_.resource;
    if (id.empty()) return;
    auto resource = row.template push<"resources">();
    resource.template set<"uid">(id.text());
    resource.template set<"uid_alt">(id.lower());
    resource.template set<"name">(lm::present(id.name()));
    resource.template set<"type">(lm::present(id.type()));
    resource.template set<"group.name">(lm::present(id.group()));
    resource.template set<"role_id">(1);  // Target
  }

  template <class Row>
  void close(Row& row, const Event& e) {
    if (!identity_rest_.empty()) rest_.add(e.identity.key, identity_rest_.finish());
    if (!claims_rest_.empty() && !e.claims.of_identity) rest_.add(e.claims.key, claims_rest_.finish());
    if (!authorization_rest_.empty() && !e.authorization.of_identity) rest_.add(e.authorization.key, authorization_rest_.finish());
    if (!request_rest_.empty()) rest_.add(e.request.key, request_rest_.finish());
    if (!properties_rest_.empty()) rest_.add(e.properties.key, properties_rest_.finish());
    if (const auto rest = rest_.finish(); !rest.empty()) row.template set<"unmapped">(rest);
  }

  // Who called has no place in the class.
  void keep_caller(const Event& e) {
    keep(e.identity, rest_), keep(e.claims, rest_), keep(e.authorization, rest_), keep(e.request, rest_);
    e.caller.keep(rest_);
    envelope_.keep(rest_, "callerIpAddress", envelope_.caller);
  }

  // ---- Calls ----

  struct Claims {
    Text upn, uri_name, name, id, tenant, issuer, app, token, issued, expires, device, methods;
    Named address;
    std::string_view uri_name_key, issued_key, expires_key;
  };

  // Names are short, or URIs that end in the short name.
  static void claim(Claims& c, const Field& f) {
    static constexpr auto kKeys = azure::keys("upn", "name", "objectidentifier", "oid", "tenantid", "tid", "iss", "appid", "uti", "iat",
                                              "exp", "identifier", "ipaddr", "authnmethodsreferences", "amr");
    const bool uri = f.key.find("://") != std::string_view::npos;
    const auto first = [&](Text& out) {
      if (out) return f.keep();
      azure::scalar(f, out);
      if (out) out = lm::present(lm::trim(*out));
    };
    switch (kKeys.find(uri ? lm::after_last(f.key, '/') : f.key)) {
      case kKeys.at("upn"): first(c.upn); break;
      case kKeys.at("name"):
        if (uri) c.uri_name_key = f.key;
        first(uri ? c.uri_name : c.name);
        break;
      case kKeys.at("objectidentifier"):
      case kKeys.at("oid"): first(c.id); break;
      case kKeys.at("tenantid"):
      case kKeys.at("tid"): first(c.tenant); break;
      case kKeys.at("iss"): first(c.issuer); break;
      case kKeys.at("appid"): first(c.app); break;
      case kKeys.at("uti"): first(c.token); break;
      case kKeys.at("iat"): c.issued_key = f.key, first(c.issued); break;
      case kKeys.at("exp"): c.expires_key = f.key, first(c.expires); break;
      case kKeys.at("identifier"): uri ? first(c.device) : f.keep(); break;
      case kKeys.at("ipaddr"): c.address.read(f); break;
      case kKeys.at("authnmethodsreferences"):
      case kKeys.at("amr"):
        if (f.value.type() == Type::array) {
          c.methods = f.value.raw();
        } else {
          first(c.methods);
        }
        f.keep();  // mfa is only one of them
        break;
      default: f.keep();
    }
  }

  struct Evidence {
    Text role, definition;
    Named principal, principal_type;
  };

  void evidence(Evidence& out, const Field& f) {
    if (!lm::equals_ignoring_case(f.key, "evidence")) return f.keep();
    azure::object(f, inner_, evidence_rest_, [&](const Field& m) {
      static constexpr auto kKeys = azure::keys("role", "roleDefinitionId", "principalId", "principalType");
      switch (kKeys.find(m.key)) {
        case kKeys.at("role"): azure::text(m, out.role); break;
        case kKeys.at("roleDefinitionId"): azure::text(m, out.definition); break;
        case kKeys.at("principalId"): out.principal.read(m); break;
        case kKeys.at("principalType"): out.principal_type.read(m), m.keep(); break;
        default: m.keep();
      }
    });
    evidence_key_ = f.key;
  }

  static int activity_of(std::string_view operation, bool created, std::string_view& word) {
    const std::string_view verb = lm::after_last(operation, '/');
    word = verb;
    if (lm::equals_ignoring_case(verb, "read")) return 2;
    if (lm::equals_ignoring_case(verb, "delete")) return 4;
    if (lm::equals_ignoring_case(verb, "write")) return created ? 1 : 3;
    if (lm::equals_ignoring_case(verb, "action") && verb.size() < operation.size())
      word = lm::after_last(operation.substr(0, operation.size() - verb.size() - 1), '/');
    const auto any = [&](std::initializer_list<std::string_view> words) {
      for (const std::string_view w : words) {
        if (begins(word, w)) return true;
      }
      return false;
    };
    if (any({"regenerate", "update", "set", "reset", "move", "restart"})) return 3;
    if (any({"list", "get", "read", "export", "download", "query"})) return 2;
    if (any({"create", "add", "generate", "new"})) return 1;
    if (any({"remove", "delete", "purge", "revoke"})) return 4;
    return 99;
  }

  // 0: the record does not say.
  static int status_of(Text word) {
    if (!word) return 0;
    for (const std::string_view w : {"Success", "Succeeded", "Accept", "Accepted"}) {
      if (lm::equals_ignoring_case(*word, w)) return 1;
    }
    return lm::equals_ignoring_case(*word, "Failure") || lm::equals_ignoring_case(*word, "Failed") ? 2 : 99;
  }

  template <class Row>
  void status(Row& row) {
    const Text word = envelope_.result_type;
    const int id = status_of(word);
    if (id == 0) return;
    row.template set<"status_id">(id);
    if (id == 99) {
      row.template set<"status">(word);
    } else if (begins(*word, "Accept")) {
      envelope_.keep(rest_, "resultType", word);  // it is not done yet
    }
  }

  void call(lm::Row<kApi> row, Event& e, const azure::Times& times) {
    properties(e, Class::api);
    common(row, e, times);
    severity(row, {});
    status(row);
    resource(row);

    const Text operation = envelope_.operation;
    const std::string_view signature = envelope_.result_signature.value_or(""),
                           reason = signature.substr(std::min(signature.size(), signature.find('.') + 1));
    const bool bare = signature.find('.') == std::string_view::npos && lm::integer(signature);
    const Text outcome = e.status_code ? e.status_code : bare ? Text() : lm::present(reason);
    const auto says = [&](std::string_view name, std::string_view number) {
      return (outcome && (lm::equals_ignoring_case(*outcome, name) || *outcome == number)) || lm::equals_ignoring_case(reason, name) ||
             signature == number;
    };
    std::string_view word;
    const int activity = operation ? activity_of(*operation, says("Created", "201"), word) : 0;
    row.set<"activity_id">(activity);
    if (activity == 99) row.set<"activity_name">(lm::present(word));
    const std::string_view provider = is_operation(operation) ? lm::before(*operation, '/') : envelope_.resource.provider();
    row.set<"api.operation">(operation.value_or("Unknown"));
    row.set<"api.service.name">(lm::present(provider));
    exchange(row, e, outcome, signature);

    members(e.identity, rest_, identity_rest_, [&](const Field& f) {
      if (lm::equals_ignoring_case(f.key, "claims")) return e.claims.read(f, true);
      if (lm::equals_ignoring_case(f.key, "authorization")) return e.authorization.read(f, true);
      f.keep();
    });
    Claims c;
    members(e.claims, e.claims.of_identity ? identity_rest_ : rest_, claims_rest_, [&](const Field& f) { claim(c, f); });
    Evidence v;
    members(e.authorization, e.authorization.of_identity ? identity_rest_ : rest_, authorization_rest_,
            [&](const Field& f) { evidence(v, f); });
    const std::string_view service = provider.empty() ? kManager : provider;
    actor(row, e, c, v, service);
    if (v.role || v.definition) {
      auto authorization = row.push<"actor.authorizations">();
      authorization.set<"policy.name">(v.role);
      authorization.set<"policy.uid">(v.definition);
      const bool denied = says("Forbidden", "403") || begins(reason, "Forbidden") ||
                          (e.error && (*e.error == "AuthorizationFailed" || *e.error == "LinkedAuthorizationFailed"));
      authorization.set<"decision">(denied ? "Denied" : "Allowed");
    }
    source(row, e, c, service);
    if (!evidence_rest_.empty()) authorization_rest_.add(evidence_key_, evidence_rest_.finish());
    if (!claims_rest_.empty() && e.claims.of_identity) identity_rest_.add(e.claims.key, claims_rest_.finish());
    if (!authorization_rest_.empty() && e.authorization.of_identity) identity_rest_.add(e.authorization.key, authorization_rest_.finish());
    close(row, e);
  }

  // Request and answer.
  void exchange(lm::Row<kApi>& row, Event& e, Text outcome, std::string_view signature) {
    const Text uid = e.request_id ? e.request_id : envelope_.correlation;
    row.set<"api.request.uid">(uid);
    if (uid) {
      row.set<"api.request.data">(e.request_data);
    } else if (e.request_data) {
      properties_rest_.add("requestbody", *e.request_data);  // a request needs an id in OCSF
    }
    const auto code = lm::integer(outcome ? *outcome : signature);
    if (code && *code >= 100 && *code < 600) row.set<"api.response.code">(*code);
    row.set<"api.response.message">(outcome);
    row.set<"api.response.data">(e.response_data ? e.response_data : e.status_message);
    if (!e.status_message) return;
    if (e.response_data) properties_rest_.add("statusMessage", *e.status_message);
    if (!e.status_message->starts_with('{')) return;
    const auto error = [&](std::string_view key, Value& v) {
      if (key == "code" && !e.error) e.error = azure::present(v.text());
      if (key == "message" && !e.error_message) e.error_message = azure::present(v.text());
    };
    inner_.next().read(*e.status_message, [&](std::string_view key, Value& v) {
      if (key == "error" && v.type() == Type::object) {
        v.object(error);
      } else {
        error(key, v);
      }
    });
    row.set<"api.response.error">(e.error);
    row.set<"api.response.error_message">(e.error_message);
  }

  void actor(lm::Row<kApi>& row, Event& e, const Claims& c, const Evidence& v, std::string_view service) {
    // A caller is a user's name, or the object id of a service.
    const Text caller = e.caller.value && !lm::trim(*e.caller.value).empty() ? Text(lm::trim(*e.caller.value)) : Text();
    const bool caller_is_id = caller && is_id(*caller);
    const Text own_name = c.upn ? c.upn : c.uri_name ? c.uri_name : c.name;
    const Text name = own_name ? own_name : caller_is_id ? Text() : caller;
    // Who has a role by a group is no group.
    const bool group = v.principal_type.value && lm::equals_ignoring_case(*v.principal_type.value, "Group");
    const Text uid = c.id ? c.id : v.principal.value && !group ? v.principal.value : caller_is_id ? caller : Text();
    row.set<"actor.user.name">(name);
    row.set<"actor.user.uid">(uid);
    if (name || uid) {
      const bool mail = name && !azure::email_domain(*name).empty();
      const bool person = c.upn || mail || (v.principal_type.value && lm::equals_ignoring_case(*v.principal_type.value, "User"));
      row.set<"actor.user.type_id">(person ? 1 : 4);  // User, Service
      row.set<"actor.user.display_name">(c.name);
      if (mail) row.set<"actor.user.email_addr">(name);
    } else if (c.name) {
      claims_rest_.add_text("name", *c.name);
    }
    if (c.uri_name && c.uri_name != name) claims_rest_.add_text(c.uri_name_key, *c.uri_name);
    if (v.principal.value && v.principal.value != uid) v.principal.keep(evidence_rest_);
    if (caller && caller != name && caller != uid) e.caller.keep(rest_);
    row.set<"actor.app_uid">(c.app);
    row.set<"actor.idp.issuer">(c.issuer);
    row.set<"actor.idp.tenant_uid">(c.tenant);
    row.set<"actor.session.uid_alt">(c.token);
    moment<"actor.session.created_time">(row, c.issued, c.issued_key);
    moment<"actor.session.expiration_time">(row, c.expires, c.expires_key);
    if (c.methods) row.set<"actor.session.is_mfa">(azure::contains_ignoring_case(*c.methods, "mfa"));
    if (!name && !uid && !c.app && !c.token) row.set<"actor.app_name">(service);
  }

  template <lm::detail::FixedString Path>
  void moment(lm::Row<kApi>& row, Text text, std::string_view key) {
    if (!text) return;
    const auto t = lm::time::seconds(*text);
    const bool there = t && lm::time::plausible(*t);
    if (there) {
      row.set<Path>(*t);
    } else {
      claims_rest_.add_text(key, *text);
    }
  }

  void source(lm::Row<kApi>& row, Event& e, const Claims& c, std::string_view service) {
    Named address;
    members(e.request, rest_, request_rest_, [&](const Field& f) {
      static constexpr auto kKeys = azure::keys("clientIpAddress", "method", "clientRequestId", "uri");
      Text text;
      switch (kKeys.find(f.key)) {
        case kKeys.at("clientIpAddress"): address.read(f); break;
        case kKeys.at("method"): azure::text(f, text), row.set<"http_request.http_method">(text); break;
        case kKeys.at("clientRequestId"): azure::text(f, text), row.set<"http_request.uid">(text); break;
        case kKeys.at("uri"): azure::text(f, text), row.set<"http_request.url.url_string">(text); break;
        default: f.keep();
      }
    });
    const Text from = envelope_.caller ? envelope_.caller : address.value ? address.value : c.address.value;
    if (from && !azure::source_endpoint(row, *from)) envelope_.keep(rest_, "callerIpAddress", from);
    if (envelope_.caller) address.keep_unless(request_rest_, from);
    if (envelope_.caller || address.value) c.address.keep_unless(claims_rest_, from);
    row.set<"src_endpoint.uid">(c.device);
    if (!row.is_set<"src_endpoint.ip">()) row.set<"src_endpoint.svc_name">(service);
  }

  // ---- Findings ----

  template <class Row>
  void finding(Row& row, lm::Record record, Event& e, const azure::Times& times) {
    constexpr bool kIsCompliance = Row::template has<"compliance.control">;
    properties(e, kIsCompliance ? Class::compliance : Class::detection);
    common(row, e, times);
    severity(row, e.severity);
    resource(row);
    keep_caller(e);
    const Text word = envelope_.result_type;
    const auto is = [&](std::string_view name) { return word && lm::equals_ignoring_case(*word, name); };
    const bool resolved = is("Resolved") || is("Dismissed");
    row.template set<"activity_id">(!kIsCompliance && resolved ? 3 : !kIsCompliance && is("Updated") ? 2 : 1);  // Close, Update, Create
    if (word) {
      const int id = is("Active") || is("Activated") ? 1 : is("In Progress") || is("InProgress") ? 2 : is("Resolved") ? 4 : 99;
      row.template set<"status_id">(id);
      if (id == 99) row.template set<"status">(word);
      if (is("Activated") || is("InProgress")) envelope_.keep(rest_, "resultType", word);
    }
    const Text uid = e.id.value ? e.id.value : envelope_.correlation;
    row.template set<"finding_info.uid">(uid ? *uid : hash(record.text()));
    const Text policy = e.policy_title ? e.policy_title : e.policy;
    row.template set<"finding_info.title">(e.title ? e.title : policy ? policy : e.event.value ? e.event.value : envelope_.operation);
    row.template set<"finding_info.desc">(envelope_.result_description);
    if (envelope_.category) row.template push<"finding_info.types">(*envelope_.category);
    if constexpr (kIsCompliance) {
      row.template set<"compliance.status_id">(compliance_of(envelope_.operation.value_or("")));
      row.template set<"compliance.control">(e.policy);
      row.template set<"compliance.category">(e.recommendation);
      row.template push<"compliance.standards">(e.assignment);
    }
    close(row, e);
  }

  // By the effect: "Microsoft.Authorization/policies/deny/action".
  static int compliance_of(std::string_view operation) {
    static constexpr auto kEffects = azure::keys("deny", "audit", "auditIfNotExists", "append", "modify", "deployIfNotExists");
    constexpr std::string_view kEnd = "/action";
    if (!azure::ends_ignoring_case(operation, kEnd)) return 0;
    operation.remove_suffix(kEnd.size());
    const int effect = kEffects.find(lm::after_last(operation, '/'));
    return effect < 0 ? 0 : effect < kEffects.at("append") ? 3 : 2;  // Fail, Warning
  }

  // Names a record that has no id.
  std::string_view hash(std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::uint64_t h = lm::detail::hash_text(text, 0);
    for (std::size_t i = hash_.size(); i != 0; h >>= 4) hash_[--i] = kHex[h & 15];
    return {hash_.data(), hash_.size()};
  }

  // ---- Health and scale ----

  void other(lm::Row<kBase> row, Event& e, const azure::Times& times) {
    properties(e, Class::base);
    common(row, e, times);
    severity(row, {});
    status(row);
    keep_caller(e);
    envelope_.keep(rest_, "resourceId", lm::present(envelope_.resource.text()));
    row.set<"activity_id">(99);
    std::string_view operation = envelope_.operation.value_or(""), word = lm::after_last(operation, '/');
    if (lm::equals_ignoring_case(word, "action") && word.size() < operation.size())
      word = lm::after_last(operation.substr(0, operation.size() - word.size() - 1), '/');
    row.set<"activity_name">(word.empty() ? envelope_.category.value_or("Other") : word);
    row.set<"message">(e.title);
    close(row, e);
  }

  lm::json::Reader json_;
  azure::Inner inner_;
  azure::Envelope envelope_;
  lm::json::ObjectWriter rest_, identity_rest_, claims_rest_, authorization_rest_, evidence_rest_, request_rest_, properties_rest_;
  std::string_view evidence_key_;
  std::vector<std::string_view> unknown_;  // members, until it is known whose record it is
  std::string lowered_, region_;
  std::array<char, 16> hash_{};
};

LOGMILL_PARSERS(Activity)
