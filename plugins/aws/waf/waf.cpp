// AWS WAF logs: what a web ACL did with a request, of WAF v2 and of WAF Classic.
// Source: AWS, "AWS WAF Developer Guide", "Log fields for protection pack (web ACL) traffic".
//
// A record is one JSON object a request. One pass reads it into views (Evaluation); headers wait in a list, for which of them are the request's own attributes is known only when
// all were seen. What is left of the request gathers beside and joins `unmapped` last.
#include <logmill/sdk.hpp>
#include <logmill/sdk/aws.hpp>
#include <logmill/sdk/fields.hpp>
#include <logmill/sdk/http.hpp>

namespace ocsf = lm::ocsf::v1_8;

namespace {

using lm::Text;
using lm::json::Field;
using lm::json::Type;
using lm::json::Value;

constexpr auto kHttp = lm::table(ocsf::http_activity, lm::profiles("cloud", "security_control"),
                                 {{"activity_id"},
                                  {"activity_name"},
                                  {"time"},
                                  lm::constant("severity_id", "1"),
                                  {"status_id"},
                                  {"action_id"},
                                  {"action"},
                                  {"disposition_id"},
                                  {"disposition"},
                                  {"firewall_rule.uid"},
                                  {"firewall_rule.type"},
                                  {"firewall_rule.name"},
                                  {"firewall_rule.rate_limit"},
                                  {"firewall_rule.condition"},
                                  {"firewall_rule.match_location"},
                                  {"firewall_rule.match_details[]"},
                                  {"firewall_rule.sensitivity"},
                                  {"src_endpoint.ip"},
                                  {"src_endpoint.location.country"},
                                  {"src_endpoint.autonomous_system.number"},
                                  {"dst_endpoint.uid"},
                                  {"dst_endpoint.svc_name"},
                                  {"http_request.http_method"},
                                  {"http_request.version"},
                                  lm::plain("http_request.uid"),
                                  lm::plain("http_request.args"),
                                  {"http_request.url.path"},
                                  lm::plain("http_request.url.query_string"),
                                  {"http_request.url.hostname"},
                                  {"http_request.url.port"},
                                  {"http_request.url.scheme"},
                                  {"http_request.user_agent"},
                                  {"http_request.referrer"},
                                  {"http_request.x_forwarded_for[]"},
                                  {"http_request.http_headers[].name"},
                                  {"http_request.http_headers[].value"},
                                  {"http_request.body_length"},
                                  {"http_response.code"},
                                  {"ja4_fingerprint_list[].type_id"},
                                  {"ja4_fingerprint_list[].value"},
                                  {"cloud.account.uid"},
                                  {"cloud.account.type_id"},
                                  lm::constant("cloud.provider", "AWS"),
                                  {"cloud.region"},
                                  {"cloud.org.uid"},
                                  {"cloud.cloud_partition"},
                                  {"metadata.labels[]"},
                                  {"metadata.log_version"},
                                  lm::constant("metadata.log_provider", "AWS WAF"),
                                  lm::constant("metadata.product.name", "AWS WAF"),
                                  lm::constant("metadata.product.vendor_name", "AWS"),
                                  lm::constant("metadata.product.feature.name", "Web ACL Logs"),
                                  {"metadata.product.feature.uid"},
                                  {"unmapped"}});

using HttpRow = lm::Row<kHttp>;

struct Evaluation {
  lm::Maybe<std::int64_t> time, response_code, body_size, client_asn;
  Text version, acl, rule, rule_type, action, source_name, source_id, ja4, rate_rules;
  bool matched = false, labelled = false;  // the lists were read
  bool request = false;
  Text client, country, uri, args, http_version, method, request_id, scheme, host;  // of httpRequest
};

// What a rule found, of the first of terminatingRuleMatchDetails.
struct Match {
  Text condition, location, sensitivity;
};

struct Header {
  Text name, value;
};

}  // namespace

struct Waf {
  static constexpr lm::Descriptor descriptor{
      .id = "aws.waf",
      .title = "AWS WAF logs",
      .vendor = "AWS",
      .version = "1.0.0",
      .reads = "Requests that a web ACL evaluated as JSON objects, one a line, back to back, as array",
      .framing = lm::Framing::json};
  static constexpr auto keys = lm::strings("AWSLogs/{account}/WAFLogs/{region}/**", "AWSLogs/{org}/{account}/WAFLogs/{region}/**");

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s);
    if (!outline.record("webaclId") || outline.record("class_uid")) return 0;
    return outline.record("formatVersion") && outline.record("httpRequest") ? (outline.clean() ? 95 : 85) : 0;
  }

  void parse(lm::Record record, lm::Rows<kHttp>& rows) {
    if (record.starts_block()) {
      place_ = lm::aws::Place::of(record);
      if (place_.region == "cloudfront") place_.region = {};  // stands in keys where others have a region
    }
    Evaluation e;
    rest_.clear(), request_rest_.clear();
    headers_.clear(), labels_.clear(), matched_data_.clear(), left_headers_.clear();
    match_ = {};
    if (!read(record, e)) return record.reject(json_);
    if (!e.acl && !e.request) return record.reject(lm::foreign, "no webaclId and httpRequest: not a WAF record");
    if (!e.time || !lm::time::plausible(*e.time)) return record.reject(lm::malformed, "'timestamp' is not a time");

    auto row = rows.begin(record);
    if (e.client) row.expect<"src_endpoint.ip">(*e.client);
    if (e.uri) row.expect<"http_request.url.path">(*e.uri);
    row.set<"time">(*e.time);
    row.set<"metadata.log_version">(e.version);
    acl(row, e);
    decision(row, e);
    for (const Text& label : labels_) row.push<"metadata.labels">(*label);
    row.set<"dst_endpoint.uid">(e.source_id);
    row.set<"dst_endpoint.svc_name">(e.source_name);
    client(row, e);
    const bool any = request(row, e);
    row.set<"http_response.code">(e.response_code);
    if (!any && !e.response_code) return record.reject(lm::malformed, "'httpRequest' says nothing of a request");
    if (e.ja4) {
      auto fingerprint = row.push<"ja4_fingerprint_list">();
      fingerprint.set<"type_id">(1);  // JA4
      fingerprint.set<"value">(e.ja4);
    }
    Field::close(rest_, "httpRequest", request_rest_);
    if (const auto rest = rest_.finish(); !rest.empty()) row.set<"unmapped">(rest);
  }

 private:
  // ---- Reading ----

  bool read(lm::Record record, Evaluation& e) {
    static constexpr auto kKeys =
        lm::keys("timestamp", "formatVersion", "webaclId", "terminatingRuleId", "terminatingRuleType", "action",
                 "terminatingRuleMatchDetails", "httpSourceName", "httpSourceId", "ruleGroupList", "rateBasedRuleList",
                 "nonTerminatingMatchingRules", "requestHeadersInserted", "responseCodeSent", "httpRequest", "labels", "captchaResponse",
                 "challengeResponse", "ja3Fingerprint", "ja4Fingerprint", "oversizeFields", "requestBodySize",
                 "requestBodySizeInspectedByWAF", "clientAsn", "forwardedAsn", "cfDistributionTenantId", "monetizeVerifyResponse");
    return json_.read(record.text(), [&](std::string_view key, Value& value) {
      const Field f{rest_, key, value};
      switch (kKeys.find(key)) {
        case kKeys.at("timestamp"): f.integer(e.time); break;
        case kKeys.at("formatVersion"): f.scalar(e.version); break;
        case kKeys.at("webaclId"): f.text(e.acl); break;
        case kKeys.at("terminatingRuleId"): f.text(e.rule); break;
        case kKeys.at("terminatingRuleType"): f.text(e.rule_type); break;
        case kKeys.at("action"): f.text(e.action); break;
        case kKeys.at("terminatingRuleMatchDetails"): match(e, f); break;
        case kKeys.at("httpSourceName"): f.text(e.source_name); break;
        case kKeys.at("httpSourceId"): f.text(e.source_id); break;
        case kKeys.at("rateBasedRuleList"):
          if (!lm::json::says_nothing(value.raw())) e.rate_rules = value.raw();
          f.keep();
          break;
        case kKeys.at("responseCodeSent"): f.integer(e.response_code, 0, INT32_MAX); break;
        case kKeys.at("httpRequest"): http_request(record, e, f); break;
        case kKeys.at("labels"): labels(e, f); break;
        case kKeys.at("ja4Fingerprint"): f.text(e.ja4); break;
        case kKeys.at("requestBodySize"): f.integer(e.body_size, 0, INT32_MAX); break;
        case kKeys.at("clientAsn"): f.integer(e.client_asn, 0, INT32_MAX); break;
        case kKeys.at("ruleGroupList"):
        case kKeys.at("nonTerminatingMatchingRules"):
        case kKeys.at("requestHeadersInserted"):
        case kKeys.at("captchaResponse"):
        case kKeys.at("challengeResponse"):
        case kKeys.at("monetizeVerifyResponse"):
        case kKeys.at("ja3Fingerprint"):
        case kKeys.at("oversizeFields"):
        case kKeys.at("requestBodySizeInspectedByWAF"):
        case kKeys.at("forwardedAsn"):
        case kKeys.at("cfDistributionTenantId"): f.keep(); break;
        default: record.drift(key); f.keep();
      }
    });
  }

  void http_request(lm::Record record, Evaluation& e, const Field& whole) {
    static constexpr auto kKeys =
        lm::keys("clientIp", "country", "headers", "uri", "args", "httpVersion", "httpMethod", "requestId", "fragment", "scheme", "host");
    e.request = true;
    whole.object(request_rest_, [&](const Field& f) {
      switch (kKeys.find(f.key)) {
        case kKeys.at("clientIp"): f.text(e.client); break;
        case kKeys.at("country"): f.text(e.country); break;
        case kKeys.at("headers"): headers(f); break;
        case kKeys.at("uri"): f.text(e.uri); break;
        case kKeys.at("args"): f.text(e.args); break;
        case kKeys.at("httpVersion"): f.text(e.http_version); break;
        case kKeys.at("httpMethod"): f.text(e.method); break;
        case kKeys.at("requestId"): f.text(e.request_id); break;
        case kKeys.at("scheme"): f.text(e.scheme); break;
        case kKeys.at("host"): f.text(e.host); break;
        case kKeys.at("fragment"): f.keep(); break;
        default: record.drift("httpRequest", f.key); f.keep();
      }
    });
  }

  // What is no header with a name and a value, an empty one among them, is left in a list of its own.
  void headers(const Field& f) {
    if (f.value.type() != Type::array) return f.keep();
    f.value.array([&](Value& item) {
      Header h;
      bool whole = item.type() == Type::object;
      item.object([&](std::string_view key, Value& value) {
        Text* const out = key == "name" ? &h.name : key == "value" ? &h.value : nullptr;
        const Text text = value.text();
        if (out && !*out && text && lm::present(*text)) {
          *out = text;
        } else {
          whole = false;
        }
      });
      if (whole && h.name && h.value) {
        headers_.push_back(h);
      } else {
        leave_header(item.raw());
      }
    });
  }

  void leave_header(std::string_view raw) {
    if (lm::json::says_nothing(raw)) return;
    left_headers_.push_back(left_headers_.empty() ? '[' : ',');
    left_headers_.append(raw);
  }

  // A list that has more than OCSF has a place for stays whole besides.
  void match(Evaluation& e, const Field& f) {
    if (f.value.type() != Type::array || e.matched) return f.keep();
    e.matched = true;
    bool whole = true;
    int n = 0;
    f.value.array([&](Value& item) {
      if (n++ != 0 || item.type() != Type::object) return void(whole = false);
      item.object([&](std::string_view key, Value& value) {
        Text* const out = key == "conditionType"      ? &match_.condition
                          : key == "location"         ? &match_.location
                          : key == "sensitivityLevel" ? &match_.sensitivity
                                                      : nullptr;
        if (key == "matchedData" && value.type() == Type::array) {
          value.array([&](Value& data) {
            if (const Text text = data.text(); text && lm::present(*text)) {
              matched_data_.push_back(text);
            } else {
              whole = whole && text;
            }
          });
        } else if (const Text text = value.text(); out && !*out && text) {
          if (lm::present(*text)) *out = text;
        } else {
          whole = whole && lm::json::says_nothing(value.raw());
        }
      });
    });
    if (!whole) f.keep();
  }

  void labels(Evaluation& e, const Field& f) {
    if (f.value.type() != Type::array || e.labelled) return f.keep();
    e.labelled = true;
    bool whole = true;
    f.value.array([&](Value& item) {
      whole = whole && item.type() == Type::object;
      item.object([&](std::string_view key, Value& value) {
        const Text name = value.text();
        if (key == "name" && name && lm::present(*name)) {
          labels_.push_back(name);
        } else {
          whole = whole && lm::json::says_nothing(value.raw());
        }
      });
    });
    if (!whole) f.keep();
  }

  // ---- The row ----

  // The ACL's ARN says whose and where it is; WAF Classic has an id instead.
  void acl(HttpRow& row, const Evaluation& e) const {
    const std::string_view arn = e.acl.value_or("");
    const auto part = [&](int index) {
      const std::string_view text = lm::aws::arn_part(arn, index);
      return text.empty() ? Text() : Text(text);
    };
    row.set<"metadata.product.feature.uid">(e.acl);
    row.set<"cloud.cloud_partition">(part(1));
    place_.set(row, part(4), part(3));
  }

  void decision(HttpRow& row, const Evaluation& e) {
    static constexpr auto kActions = lm::keys("ALLOW", "BLOCK", "CAPTCHA", "CHALLENGE", "COUNT");
    const auto decide = [&](int action, int disposition, int status) {
      row.set<"action_id">(action), row.set<"disposition_id">(disposition), row.set<"status_id">(status);
    };
    if (e.action) {
      switch (kActions.find(*e.action)) {
        case kActions.at("ALLOW"): decide(1, 1, 1); break;       // Allowed; Success
        case kActions.at("BLOCK"): decide(2, 2, 2); break;       // Denied, Blocked; Failure
        case kActions.at("CAPTCHA"): decide(2, 22, 2); break;    // Denied, Captcha
        case kActions.at("CHALLENGE"): decide(2, 23, 2); break;  // Denied, Challenge
        case kActions.at("COUNT"): decide(3, 20, 1); break;      // Observed, Count
        default: decide(99, 99, 2); row.set<"action">(e.action), row.set<"disposition">(e.action);
      }
    }
    row.set<"firewall_rule.uid">(e.rule);
    row.set<"firewall_rule.type">(e.rule_type);
    row.set<"firewall_rule.condition">(match_.condition);
    row.set<"firewall_rule.match_location">(match_.location);
    row.set<"firewall_rule.sensitivity">(match_.sensitivity);
    for (const Text& data : matched_data_) row.push<"firewall_rule.match_details">(*data);
    if (e.rate_rules && e.rule_type == "RATE_BASED") rate_rule(row, e);
  }

  // The rate-based rule that decided, among those that had a say: the one of its name or id, or the only one.
  void rate_rule(HttpRow& row, const Evaluation& e) {
    Text name;
    lm::Maybe<std::int64_t> limit;
    int n = 0;
    bool sure = false;
    list_.assign("{\"r\":").append(*e.rate_rules).push_back('}');
    list_json_.read(list_, [&](std::string_view, Value& list) {
      list.array([&](Value& item) {
        Text id, its_name;
        lm::Maybe<std::int64_t> its_limit;
        item.object([&](std::string_view key, Value& value) {
          if (key == "rateBasedRuleId") id = value.text();
          if (key == "rateBasedRuleName") its_name = value.text();
          if (key == "maxRateAllowed") its_limit = value.integer();
        });
        const bool decided = e.rule && (its_name == e.rule || id == e.rule);
        if (n++ == 0 || (decided && !sure)) name = its_name, limit = its_limit;
        sure = sure || decided;
      });
    });
    if (!sure && n != 1) return;
    if (name) row.set<"firewall_rule.name">(lm::present(*name));
    row.set<"firewall_rule.rate_limit">(limit);
  }

  // Country and network describe an endpoint, but make none.
  void client(HttpRow& row, const Evaluation& e) {
    if (row.set<"src_endpoint.ip">(e.client)) {
      row.set<"src_endpoint.location.country">(e.country);
      row.set<"src_endpoint.autonomous_system.number">(e.client_asn);
      return;
    }
    if (e.client) request_rest_.add_text("clientIp", *e.client);
    if (e.country) request_rest_.add_text("country", *e.country);
    if (e.client_asn) lm::json::add_number(rest_, "clientAsn", *e.client_asn);
  }

  // Whether there is anything of a request.
  bool request(HttpRow& row, const Evaluation& e) {
    row.set<"activity_id">(lm::http::activity_id(e.method.value_or("")));
    if (e.method && lm::http::activity_id(*e.method) == 99) row.set<"activity_name">(e.method);
    row.set<"http_request.http_method">(e.method);
    row.set<"http_request.version">(e.http_version);
    row.set<"http_request.uid">(e.request_id);
    row.set<"http_request.args">(e.args);
    row.set<"http_request.body_length">(e.body_size);
    const bool headers = request_headers(row, e);
    if (e.uri) {
      row.set<"http_request.url.path">(e.uri);
      row.set<"http_request.url.scheme">(e.scheme);
      if (e.args) {
        const std::string_view query = e.args->starts_with('?') ? e.args->substr(1) : *e.args;
        if (!query.empty()) row.set<"http_request.url.query_string">(query);
      }
    } else if (e.scheme) {
      request_rest_.add_text("scheme", *e.scheme);  // a URL needs a path
    }
    return headers || e.uri || e.method || e.http_version || e.request_id || e.args || e.body_size;
  }

  bool request_headers(HttpRow& row, const Evaluation& e) {
    Text agent, referrer;
    bool host = false, any = false;
    if (e.host) {
      if (e.uri) host = set_host(row, *e.host);
      if (!host) request_rest_.add_text("host", *e.host);
    }
    for (const Header& h : headers_) {
      bool taken = false;
      switch (known_header(*h.name)) {
        case kHost:
          if (!host && e.uri) host = taken = set_host(row, *h.value);
          break;
        case kUserAgent:
          if (!agent) taken = row.set<"http_request.user_agent">(agent = h.value);
          break;
        case kReferer:
          if (!referrer) taken = row.set<"http_request.referrer">(referrer = h.value);
          break;
        case kForwardedFor: taken = forwarded_for(row, *h.value); break;
        case kOther: break;
      }
      any = true;
      if (taken) continue;
      auto header = row.push<"http_request.http_headers">();
      header.set<"name">(h.name);
      header.set<"value">(h.value);
    }
    if (!left_headers_.empty()) {
      left_headers_.push_back(']');
      request_rest_.add("headers", left_headers_);
    }
    return any;
  }

  // True if the host name and port are all that the text says.
  static bool set_host(HttpRow& row, std::string_view text) {
    const lm::net::HostPort place = lm::net::host_port(text);
    if (place.host.empty()) return false;
    row.set<"http_request.url.hostname">(place.host);
    row.set<"http_request.url.port">(place.port);
    return true;
  }

  // Adds the addresses of the list, and answers whether they are all that it says.
  static bool forwarded_for(HttpRow& row, std::string_view list) {
    bool all = true;
    for (;;) {
      const std::size_t comma = list.find(',');
      const std::string_view item = lm::trim(list.substr(0, comma));
      if (!row.push<"http_request.x_forwarded_for">(item)) {
        row.push<"http_request.x_forwarded_for">(lm::net::host_port(item).host);
        all = false;
      }
      if (comma == std::string_view::npos) return all;
      list.remove_prefix(comma + 1);
    }
  }

  enum KnownHeader { kOther, kHost, kUserAgent, kReferer, kForwardedFor };
  static KnownHeader known_header(std::string_view name) {
    switch (name.size()) {
      case 4: return lm::equals_ignoring_case(name, "host") ? kHost : kOther;
      case 7: return lm::equals_ignoring_case(name, "referer") ? kReferer : kOther;
      case 10: return lm::equals_ignoring_case(name, "user-agent") ? kUserAgent : kOther;
      case 15: return lm::equals_ignoring_case(name, "x-forwarded-for") ? kForwardedFor : kOther;
      default: return kOther;
    }
  }

  lm::json::Reader json_, list_json_;
  lm::json::ObjectWriter rest_, request_rest_;
  std::vector<Header> headers_;
  std::vector<Text> labels_, matched_data_;
  std::string list_, left_headers_;
  Match match_;
  lm::aws::Place place_;
};

LOGMILL_PARSERS(Waf)
