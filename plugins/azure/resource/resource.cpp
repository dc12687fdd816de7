// Any resource log of Azure that no other parser knows, by the schema that all have in common, and any row of a Log Analytics table that is nobody else's.
// Source: Microsoft, "Common and service-specific schemas for Azure resource logs"; Azure Monitor tables AppServiceHTTPLogs, AppServiceAuditLogs, FunctionAppLogs.
//
// One pass reads a record into views (Entry). What the members are called that are understood here is asked of every service alike; what the record then is says which class it
// belongs to, and everything else stays as it stands. Nothing is drift: no field is known that could have been joined by another.
#include <logmill/sdk.hpp>
#include <logmill/sdk/azure.hpp>
#include <logmill/sdk/fields.hpp>
#include <logmill/sdk/http.hpp>

namespace ocsf = lm::ocsf::v1_8;
namespace azure = lm::azure;

namespace {

using lm::Text;
using lm::json::Field;
using lm::json::Type;
using lm::json::Value;

constexpr auto kCommon = azure::kEvery + lm::columns({{"metadata.product.name"},
                                                      {"activity_name"},
                                                      {"severity"},
                                                      {"status"},
                                                      {"status_id"},
                                                      {"status_code"},
                                                      {"status_detail"},
                                                      {"duration"},
                                                      {"cloud.region"},
                                                      lm::plain("message")});
constexpr auto kSource =
    lm::columns({{"src_endpoint.ip"}, {"src_endpoint.port"}, {"src_endpoint.svc_name"}, {"src_endpoint.intermediate_ips[]"}});

constexpr auto kApi = lm::table(ocsf::api_activity, lm::profiles("cloud"),
                                kCommon + kSource +
                                    lm::columns({{"api.operation"},
                                                 {"api.version"},
                                                 {"api.service.name"},
                                                 {"api.response.code"},
                                                 lm::same("http_response.code", "api.response.code"),
                                                 {"http_request.user_agent"},
                                                 {"actor.user.name"},
                                                 {"actor.user.uid"},
                                                 {"actor.user.email_addr"},
                                                 {"actor.app_uid"},
                                                 {"actor.app_name"},
                                                 {"actor.idp.tenant_uid"},
                                                 {"resources[].uid"},
                                                 {"resources[].uid_alt"},
                                                 {"resources[].name"},
                                                 {"resources[].type"},
                                                 {"resources[].group.name"},
                                                 {"resources[].role_id"}}));
constexpr auto kError = lm::table(ocsf::application_error, lm::profiles("cloud"), kCommon);
constexpr auto kBase = lm::table(ocsf::base_event, lm::profiles("cloud"), kCommon);
constexpr auto kHttp = lm::table(ocsf::http_activity, lm::profiles("cloud", "host"),  // the latter has the actor
                                 kCommon + kSource +
                                     lm::columns({{"http_request.http_method"},
                                                  {"http_request.user_agent"},
                                                  {"http_request.referrer"},
                                                  {"http_request.version"},
                                                  {"http_request.url.hostname"},
                                                  {"http_request.url.path"},
                                                  lm::plain("http_request.url.query_string"),
                                                  {"http_response.code"},
                                                  {"dst_endpoint.hostname"},
                                                  {"dst_endpoint.port"},
                                                  {"traffic.bytes_in"},
                                                  {"traffic.bytes_out"},
                                                  {"actor.user.name"}}));
constexpr auto kLogin = lm::table(ocsf::authentication, lm::profiles("cloud"),
                                  kCommon + kSource +
                                      lm::columns({{"user.name"},
                                                   {"user.display_name"},
                                                   {"user.email_addr"},
                                                   {"auth_protocol"},
                                                   {"auth_protocol_id"},
                                                   {"service.name"},
                                                   {"service.uid"}}));

// A value, and where it goes if it turns out to have no place. The first one holds; another one of the same meaning stays where it is.
struct Member {
  Text value;
  std::string_view key;
  lm::json::ObjectWriter* rest = nullptr;
  bool spelled = false;  // a number or boolean: it goes back without quotes

  void read(const Field& f) {
    if (!value) {
      azure::scalar(f, value);
      key = f.key, rest = &f.rest, spelled = f.value.type() != Type::string;
    } else if (Text again; f.value.type() != Type::string || !(again = f.value.text()) || *again != *value) {
      f.keep();
    }
  }
  void keep() const {
    if (value) spelled ? rest->add(key, *value) : rest->add_text(key, *value);
  }
  explicit operator bool() const { return value.has_value(); }
  std::string_view operator*() const { return *value; }
};

struct Entry {
  Member user, display, address, status, message, agent;
  // of App Service
  Member method, path, query, host, port, protocol, referrer, sent, received, took, site_user;

  void keep_all() const {
    for (const Member* m : {&user, &display, &address, &status, &message, &agent, &method, &path, &query, &host, &port, &protocol,
                            &referrer, &sent, &received, &took, &site_user})
      m->keep();
  }
};

enum class Class { api, error, base, http, login };

constexpr auto kSites =
    azure::keys("AppServiceHTTPLogs", "AppServiceAuditLogs", "AppServiceConsoleLogs", "AppServiceAppLogs", "FunctionAppLogs");

// ---- Text that is nearly JSON ----

// What some services write for objects, with single quotes around keys and texts, as JSON. Quotes within such a text are not escaped: the one that closes it stands in front of
// what comes behind a text. False: it is none.
bool requote(std::string_view text, std::string& out) {
  out.clear();
  const auto closes = [&](std::size_t at) {
    at = text.find_first_not_of(" \t\r\n", at + 1);
    if (at == std::string_view::npos) return true;
    if (text[at] == '}' || text[at] == ']' || text[at] == ':') return true;
    if (text[at] != ',') return false;
    at = text.find_first_not_of(" \t\r\n", at + 1);
    return at != std::string_view::npos && (text[at] == '\'' || text[at] == '"');
  };
  bool any = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == 0) {
      if (c == '\'' || c == '"') quote = c;
      any = any || c == '\'';
      out.push_back(c == '\'' ? '"' : c);
    } else if (c == '\\' && i + 1 < text.size()) {
      const char next = text[++i];
      if (next == '\'') {
        out.push_back(next);
      } else {
        if (quote == '\'' && std::string_view("\"\\/bfnrtu").find(next) == std::string_view::npos) out.push_back('\\');
        out.push_back('\\'), out.push_back(next);
      }
    } else if (c == quote && (quote == '"' || closes(i))) {
      quote = 0;
      out.push_back('"');
    } else if (quote == '\'' && c == '"') {
      out.append("\\\"");
    } else if (quote == '\'' && static_cast<unsigned char>(c) < 0x20) {
      constexpr char kHex[] = "0123456789abcdef";
      out.append("\\u00").push_back(kHex[(c >> 4) & 1]);
      out.push_back(kHex[c & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.reserve(out.size() + LM_PADDING);
  return any && quote == 0;
}

// ---- What a log says ----

// 0: nothing. 99: something else.
int status_of(Text word) {
  if (!word) return 0;
  static constexpr auto kWords =
      azure::keys("Success", "Succeeded", "Successful", "Succeed", "OK", "Completed", "Accepted", "Created", "True", "Failure", "Failed",
                  "Fail", "Error", "Denied", "Unauthorized", "Forbidden", "ClientError", "ServerError", "Rejected", "TimedOut", "False");
  if (const int known = kWords.find(*word); known >= 0) return known < kWords.at("Failure") ? 1 : 2;
  const auto code = lm::integer(*word);
  if (code == 0) return 1;
  return code && *code >= 100 && *code < 600 ? (*code < 400 ? 1 : 2) : 99;
}

constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

// "Microsoft.X/y/read", "Microsoft.X/y/list/action", "ListKeys", "Delete EventHub", "Indexes.Get": what the last part is, or begins or ends with.
int activity_of(std::string_view operation, std::string_view& word) {
  struct Verb {
    std::string_view word;
    int activity;
  };
  constexpr Verb kVerbs[] = {{"Read", 2},   {"List", 2},  {"Get", 2}, {"Write", 1},  {"Create", 1}, {"Put", 1},
                             {"Update", 3}, {"Patch", 3}, {"Set", 3}, {"Delete", 4}, {"Remove", 4}};
  word = lm::after_last(operation, '/');
  if (lm::equals_ignoring_case(word, "action") && word.size() < operation.size())
    word = lm::after_last(operation.substr(0, operation.size() - word.size() - 1), '/');
  for (const Verb& v : kVerbs) {
    if (lm::equals_ignoring_case(word, v.word)) return v.activity;
  }
  for (const Verb& v : kVerbs) {
    if (word.size() <= v.word.size()) continue;
    // A capital begins a word where the one before has small letters: "ListKeys", but not "LISTENERS".
    const char next = word[v.word.size()];
    const bool ends = !is_lower(next) && !(is_upper(next) && !is_lower(word[v.word.size() - 1]));
    if (ends && lm::equals_ignoring_case(word.substr(0, v.word.size()), v.word)) return v.activity;
    if (word.ends_with(v.word)) return v.activity;
  }
  return 99;
}

// A GUID, which is nobody's name.
bool is_id(std::string_view text) { return text.size() == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-'; }

}  // namespace

struct Resource {
  static constexpr lm::Descriptor descriptor{
      .id = "azure.resource",
      .title = "Azure resource logs of any service",
      .vendor = "Microsoft",
      .version = "1.0.0",
      .reads =
          "Resource logs and rows of Log Analytics that no other parser knows, by what all have in common; "
          "App Service and Functions",
      .framing = lm::Framing::json,
      .envelope = "records"};
  static constexpr auto keys = lm::strings("insights-logs-*/**", "am-*/**");

  // Not more than 40: of a batch of many categories each is told apart, and whoever knows it is asked first. So little that also another parser of the rest goes before it.
  static constexpr int kSure = 20;

  static int score(lm::Sample s) {
    if (is_azure(lm::json::Outline(s, "records"))) return kSure;
    // A line that is no JSON for the single quotes in it.
    const std::string_view line = lm::before(s.head, '\n');
    std::string quoted;
    return line.starts_with('{') && line.find('\'') != std::string_view::npos && requote(line, quoted) &&
                   is_azure(lm::json::Outline(quoted))
               ? kSure
               : 0;
  }

  void parse(lm::Record record, lm::Rows<kApi>& calls, lm::Rows<kError>& errors, lm::Rows<kBase>& others, lm::Rows<kHttp>& requests,
             lm::Rows<kLogin>& logins) {
    Entry e;
    if (!read(record.text(), e)) {
      if (record.text().find('\'') == std::string_view::npos || !requote(record.text(), line_)) return record.reject(json_);
      e = {};
      if (!read(line_, e)) return record.reject(json_);
    }
    if (!envelope_.time || (!envelope_.source() && !envelope_.operation && !envelope_.is_diagnostics()))
      return record.reject(lm::foreign,
                           "neither a resource log nor a row of Log Analytics: 'time' with 'category', 'Type' or 'operationName'");
    const auto time = azure::time(envelope_.time);
    if (!time) return record.reject(lm::malformed, "'time' is not a time");
    envelope_.finish(rest_);
    switch (class_of(e)) {
      case Class::api: return call(calls.begin(record), e, *time);
      case Class::error: return plain(errors.begin(record), e, *time, 1);  // General Error
      case Class::http: return request(requests.begin(record), e, *time);
      case Class::login: return login(logins.begin(record), e, *time);
      default: return plain(others.begin(record), e, *time, 99);
    }
  }

 private:
  static bool is_azure(const lm::json::Outline& o) {
    const auto text = [&](std::initializer_list<std::string_view> names) {
      Text found;
      for (const std::string_view name : names) found = found ? found : o.record_text(name);
      return found;
    };
    if (o.record("TimeGenerated") || o.record("TimeGenerated [UTC]")) return text({"Type", "Category"}) || o.record("_ResourceId");
    if (!o.record_like("time") && !o.record_like("timestamp")) return false;
    const Text id = text({"resourceId", "ResourceId", "resourceID", "RESOURCEID"});
    const bool of_azure = id && id->starts_with('/') && id->size() > 1;
    const bool operation = o.record_like("operationName");
    return (of_azure && (operation || o.record_like("category"))) || (operation && o.record_like("category"));
  }

  // ---- Reading ----

  bool read(std::string_view text, Entry& e) {
    envelope_.clear(), inner_.clear(), object_.clear();
    properties_key_ = identity_key_ = {};
    identity_raw_ = {};
    for (auto* writer : {&rest_, &properties_rest_, &identity_rest_, &claims_rest_}) writer->clear();
    return json_.read(text, [&](std::string_view key, Value& value) {
      const Field f{rest_, key, value};
      static constexpr auto kParts = azure::keys("properties", "AdditionalFields", "identity");
      switch (kParts.find(key)) {
        case kParts.at("properties"):
        case kParts.at("AdditionalFields"): return properties(f, e);
        case kParts.at("identity"):
          if (!identity(f)) break;
          return;
        default: break;
      }
      if (!envelope_.take(f)) member(e, f);
    });
  }

  // An object, or a text, which may hold one. Of two the first one stays as it stood.
  bool identity(const Field& f) {
    const bool is_text = f.value.type() == Type::string;
    if (!is_text && f.value.type() != Type::object) return false;
    const Text said = is_text ? f.value.text() : Text(f.value.raw());
    if (!said) return true;
    if (is_text && !inner_.open(*said, '{')) {
      if (!azure::present(said)) return true;
      envelope_.keep(rest_, "identity", envelope_.identity);
      envelope_.identity = said;
      return true;
    }
    keep_object();
    identity_key_ = f.key, identity_raw_ = *said, identity_is_text_ = is_text;
    return true;
  }
  void keep_object() {
    if (identity_raw_.empty() || lm::json::says_nothing(identity_raw_)) return;
    identity_is_text_ ? rest_.add_text(identity_key_, identity_raw_) : rest_.add(identity_key_, identity_raw_);
  }

  void open_properties(const Field& f) {
    if (!properties_key_.empty() && properties_key_ != f.key) Field::close(rest_, properties_key_, properties_rest_);
    properties_key_ = f.key;
  }
  void properties(const Field& f, Entry& e) {
    if (f.value.type() == Type::object) {
      open_properties(f);
      return f.object(properties_rest_, [&](const Field& m) { member(e, m); });
    }
    if (f.value.type() != Type::string) return f.keep();
    const Text text = f.value.text();
    if (!text) return;
    std::string_view json = lm::trim(*text);
    if (!json.starts_with('{')) return f.keep();
    lm::json::Reader* reader = inner_.open(json, '{');
    if (!reader) {
      // One text of a record: what was read of it is looked at again.
      if (!object_.empty() || !requote(json, object_)) return f.keep();
      json = object_;
      reader = inner_.open(json, '{');
      if (!reader) return f.keep();
    }
    open_properties(f);
    f.close(properties_rest_);
    reader->read(json, [&](std::string_view name, Value& v) { member(e, Field{properties_rest_, name, v}); });
  }

  static void member(Entry& e, const Field& f) {
    static constexpr auto kKeys =
        azure::keys("user", "userName", "upn", "caller", "principal", "email", "userPrincipalName", "clientIp", "callerIp", "ipAddress",
                    "remoteAddr", "sourceIp", "CIp", "clientIpAddress", "callerIpAddress", "UserAddress", "statusCode", "httpStatusCode",
                    "ScStatus", "message", "msg", "log", "text", "userAgent", "UserDisplayName", "CsMethod", "CsUriStem", "CsUriQuery",
                    "CsHost", "SPort", "Protocol", "Referer", "ScBytes", "CsBytes", "TimeTaken", "CsUsername");
    switch (kKeys.find(azure::member(f.key))) {
      case kKeys.at("user"):
      case kKeys.at("userName"):
      case kKeys.at("upn"):
      case kKeys.at("caller"):
      case kKeys.at("principal"):
      case kKeys.at("email"):
      case kKeys.at("userPrincipalName"): e.user.read(f); break;
      case kKeys.at("clientIp"):
      case kKeys.at("callerIp"):
      case kKeys.at("ipAddress"):
      case kKeys.at("remoteAddr"):
      case kKeys.at("sourceIp"):
      case kKeys.at("CIp"):
      case kKeys.at("clientIpAddress"):
      case kKeys.at("callerIpAddress"):
      case kKeys.at("UserAddress"):
        // What is no address makes way for what may be one.
        if (e.address && azure::address(lm::before(*e.address, ',')).ip.empty()) {
          e.address.keep();
          e.address = {};
        }
        e.address.read(f);
        break;
      case kKeys.at("statusCode"):
      case kKeys.at("httpStatusCode"):
      case kKeys.at("ScStatus"): e.status.read(f); break;
      case kKeys.at("message"):
      case kKeys.at("msg"):
      case kKeys.at("log"):
      case kKeys.at("text"): e.message.read(f); break;
      case kKeys.at("userAgent"): e.agent.read(f); break;
      case kKeys.at("UserDisplayName"): e.display.read(f); break;
      case kKeys.at("CsMethod"): e.method.read(f); break;
      case kKeys.at("CsUriStem"): e.path.read(f); break;
      case kKeys.at("CsUriQuery"): e.query.read(f); break;
      case kKeys.at("CsHost"): e.host.read(f); break;
      case kKeys.at("SPort"): e.port.read(f); break;
      case kKeys.at("Protocol"): e.protocol.read(f); break;
      case kKeys.at("Referer"): e.referrer.read(f); break;
      case kKeys.at("ScBytes"): e.received.read(f); break;
      case kKeys.at("CsBytes"): e.sent.read(f); break;
      case kKeys.at("TimeTaken"): e.took.read(f); break;
      case kKeys.at("CsUsername"): e.site_user.read(f); break;
      default: f.keep();
    }
  }

  Class class_of(const Entry& e) const {
    const Text source = envelope_.source();
    switch (source ? kSites.find(*source) : -1) {
      case kSites.at("AppServiceHTTPLogs"):
        if (e.method || e.path || http_code(e.status.value)) return Class::http;
        break;
      case kSites.at("AppServiceAuditLogs"):
        if (e.user) return Class::login;
        break;
      case -1: break;
      default: return Class::base;
    }
    const bool identity = envelope_.identity || (!identity_raw_.empty() && !lm::json::says_nothing(identity_raw_));
    if (envelope_.operation && (envelope_.caller || e.address || e.user || identity)) return Class::api;
    const int severity = azure::severity_id(envelope_.level);
    return (severity == 4 || severity == 5) && (e.message || envelope_.result_description) ? Class::error : Class::base;
  }

  // ---- Filling ----

  std::string_view product() const { return lm::present(envelope_.resource.provider()).value_or("Azure"); }

  static lm::Maybe<std::int64_t> http_code(Text text) {
    text = azure::whole(text);
    const auto code = text ? lm::integer(*text) : lm::Maybe<std::int64_t>();
    return code && *code >= 100 && *code < 600 ? code : std::nullopt;
  }

  template <class Row>
  void common(Row& row, Entry& e, std::int64_t time) {
    row.template set<"time">(time);
    row.template set<"metadata.original_time">(envelope_.time);
    row.template set<"metadata.product.name">(product());
    envelope_.set(row, envelope_.source());
    envelope_.keep_table(rest_);
    envelope_.keep(rest_, "resourceId", envelope_.other_resource);
    const int severity = azure::severity_id(envelope_.level);
    row.template set<"severity_id">(severity);
    if (severity == 99) row.template set<"severity">(envelope_.level);
    if (e.message) {
      row.template set<"message">(e.message.value);
      row.template set<"status_detail">(envelope_.result_description);
    } else {
      row.template set<"message">(envelope_.result_description);
    }
    if (!envelope_.resource.tenant().empty()) {
      envelope_.keep(rest_, "location", envelope_.location);  // of a tenant it is a country
    } else if (envelope_.location) {
      row.template set<"cloud.region">(azure::region(*envelope_.location, region_));
    }
    duration(row, e);
    status(row, e);
  }

  template <class Row>
  void duration(Row& row, Entry& e) {
    const auto took = envelope_.milliseconds();
    row.template set<"duration">(took);
    if (!took && envelope_.duration && lm::number(*envelope_.duration).value_or(1) != 0)
      envelope_.keep(rest_, "durationMs", envelope_.duration);
    if (!e.took) return;
    const auto own = Row::template has<"http_response.code"> && !Row::template has<"api.operation"> && !took ? lm::fixed(*e.took, 0)
                                                                                                             : lm::Maybe<std::int64_t>();
    if (own && *own > 0) {
      row.template set<"duration">(own);
    } else if (!own || *own != 0) {
      e.took.keep();
    }
  }

  // By the word for it; where that says nothing plain, or calls a success what was refused, by the code of HTTP.
  template <class Row>
  void status(Row& row, Entry& e) {
    const Text word = envelope_.result_type, signature = envelope_.result_signature;
    e.status.value = azure::whole(e.status.value);
    const auto code = http_code(e.status.value);
    const Text digits = code ? e.status.value : http_code(signature) ? signature : Text();
    int id = status_of(word);
    const bool by_code = digits && (id == 0 || id == 99 || (id == 1 && status_of(digits) == 2));
    if (by_code) id = status_of(digits);
    if (id != 0) row.template set<"status_id">(id);
    if (id == 99) {
      row.template set<"status">(word);
    } else if (word && (by_code || lm::integer(*word))) {
      envelope_.keep(rest_, "resultType", word);
    }
    row.template set<"status_code">(signature ? signature : e.status.value);
    bool told = !signature || signature == e.status.value;
    if constexpr (Row::template has<"api.response.code">) {
      told = row.template set<"api.response.code">(code) || told;
    } else if constexpr (Row::template has<"http_response.code">) {
      told = row.template set<"http_response.code">(code) || told;
    }
    if (!told) e.status.keep();
  }

  template <class Row>
  void close(Row& row) {
    Field::close(rest_, identity_key_, identity_rest_);
    Field::close(rest_, properties_key_, properties_rest_);
    if (const auto rest = rest_.finish(); !rest.empty()) row.template set<"unmapped">(rest);
  }

  // Of classes that have no place for who called, from where, and for the resource.
  void keep_caller() {
    envelope_.keep(rest_, "callerIpAddress", envelope_.caller);
    keep_identity();
    envelope_.keep_resource(rest_);
  }
  void keep_identity() {
    envelope_.keep(rest_, "identity", envelope_.identity);
    keep_object();
  }

  template <class Row>
  void plain(Row row, Entry& e, std::int64_t time, int activity) {
    common(row, e, time);
    row.template set<"activity_id">(activity);
    if (activity == 99) row.template set<"activity_name">(envelope_.operation ? envelope_.operation : envelope_.source());
    e.message = e.status = e.took = {};
    e.keep_all();
    keep_caller();
    close(row);
  }

  // ---- Calls ----

  struct Claims {
    Text uid, upn, name, app, tenant;
  };

  void claim(Claims& c, const Field& f) {
    static constexpr auto kKeys =
        azure::keys("objectidentifier", "oid", "objectId", "upn", "name", "appid", "tid", "tenantid", "claim", "claims");
    const auto first = [&](Text& out) {
      if (!out) return azure::scalar(f, out);
      const Text again = f.value.text();
      if (!(again && *again == *out)) f.keep();
    };
    switch (kKeys.find(f.key.find("://") == std::string_view::npos ? f.key : lm::after_last(f.key, '/'))) {
      case kKeys.at("objectidentifier"):
      case kKeys.at("oid"):
      case kKeys.at("objectId"): first(c.uid); break;
      case kKeys.at("upn"): first(c.upn); break;
      case kKeys.at("name"): first(c.name); break;
      case kKeys.at("appid"): first(c.app); break;
      case kKeys.at("tid"):
      case kKeys.at("tenantid"): first(c.tenant); break;
      case kKeys.at("claim"):
      case kKeys.at("claims"):
        if (&f.rest == &claims_rest_) return f.keep();
        azure::object(f, inner_, claims_rest_, [&](const Field& m) { claim(c, m); });
        Field::close(identity_rest_, f.key, claims_rest_);
        break;
      default: f.keep();
    }
  }

  void call(lm::Row<kApi> row, Entry& e, std::int64_t time) {
    common(row, e, time);
    e.message = e.status = e.took = {};
    std::string_view word;
    const int activity = activity_of(*envelope_.operation, word);
    row.set<"activity_id">(activity);
    if (activity == 99) row.set<"activity_name">(lm::present(word).value_or(*envelope_.operation));
    row.set<"api.operation">(envelope_.operation);
    row.set<"api.version">(envelope_.operation_version);
    row.set<"api.service.name">(product());
    row.set<"http_request.user_agent">(e.agent.value);
    e.agent = {};

    Claims c;
    if (!identity_raw_.empty())
      inner_.next().read(identity_raw_, [&](std::string_view key, Value& v) { claim(c, Field{identity_rest_, key, v}); });
    Text name = c.upn ? c.upn : c.name, uid = c.uid;
    if (c.upn && c.name && c.upn != c.name) identity_rest_.add_text("name", *c.name);
    // Others say by a text who it was; it may be a text of JSON, which says more than a name.
    const auto other = [&](Text said) {
      Text& place = is_id(*said) ? uid : name;
      if (place || said->starts_with('{') || said->starts_with('[')) return place && lm::equals_ignoring_case(*place, *said);
      place = said;
      return true;
    };
    if (envelope_.identity && !other(envelope_.identity)) envelope_.keep(rest_, "identity", envelope_.identity);
    if (e.user && other(e.user.value)) e.user = {};
    row.set<"actor.user.name">(name);
    row.set<"actor.user.uid">(uid);
    if (name && !azure::email_domain(*name).empty()) row.set<"actor.user.email_addr">(name);
    row.set<"actor.app_uid">(c.app);
    row.set<"actor.idp.tenant_uid">(c.tenant);
    if (!name && !uid && !c.app) row.set<"actor.app_name">(product());  // the class wants an actor
    source(row, e);
    if (!row.is_set<"src_endpoint.ip">()) row.set<"src_endpoint.svc_name">(product());  // and an endpoint
    if (const azure::ResourceId& id = envelope_.resource; !id.empty() && id.tenant().empty()) {
      auto resource = row.push<"resources">();
      resource.set<"uid">(id.text());
      resource.set<"uid_alt">(id.lower());
      resource.set<"name">(lm::present(id.name()));
      resource.set<"type">(lm::present(id.type()));
      resource.set<"group.name">(lm::present(id.group()));
      resource.set<"role_id">(1);  // Target
    }
    e.keep_all();
    close(row);
  }

  template <class Row>
  void source(Row& row, Entry& e) {
    const Text caller = envelope_.caller;
    if (caller && !azure::source_endpoint(row, *caller)) envelope_.keep(rest_, "callerIpAddress", caller);
    if (!e.address) return;
    const bool taken = (caller && lm::equals_ignoring_case(*caller, *e.address)) ||
                       (!row.template is_set<"src_endpoint.ip">() && azure::source_endpoint(row, *e.address));
    if (!taken) e.address.keep();
    e.address = {};
  }

  // ---- App Service ----

  void request(lm::Row<kHttp> row, Entry& e, std::int64_t time) {
    common(row, e, time);
    e.message = e.status = e.took = {};
    method_.assign(e.method.value.value_or(""));
    for (char& c : method_) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    const int activity = lm::http::activity_id(method_);
    row.set<"activity_id">(activity);
    if (activity == 99) row.set<"activity_name">(std::string_view(method_));
    if (!method_.empty()) row.set<"http_request.http_method">(std::string_view(method_));
    // Without a path it is no URL.
    if (e.path) {
      row.set<"http_request.url.path">(e.path.value);
      row.set<"http_request.url.query_string">(e.query.value);
    } else {
      e.query.keep();
    }
    row.set<"http_request.user_agent">(e.agent.value);
    row.set<"http_request.referrer">(e.referrer.value);
    if (e.protocol) row.set<"http_request.version">(e.protocol.value->starts_with("HTTP/") ? e.protocol.value->substr(5) : *e.protocol);
    const auto number = [](const Member& m) { return m ? lm::integer(*m) : lm::Maybe<std::int64_t>(); };
    // A port alone is no endpoint.
    const auto port = number(e.port);
    const bool has_port = e.host && row.set<"dst_endpoint.port">(port);
    if (!has_port) e.port.keep();
    if (e.host) {
      const lm::net::HostPort host = lm::net::host_port(*e.host);
      if (e.path) row.set<"http_request.url.hostname">(host.host);
      row.set<"dst_endpoint.hostname">(host.host);
      if (host.port && !has_port) {
        row.set<"dst_endpoint.port">(host.port);
      } else if (host.port && *host.port != *port) {
        e.host.keep();
      }
    }
    if (!row.set<"traffic.bytes_out">(number(e.sent))) e.sent.keep();
    if (!row.set<"traffic.bytes_in">(number(e.received))) e.received.keep();
    if (!row.set<"actor.user.name">(e.site_user.value)) e.site_user.keep();
    source(row, e);
    e.user.keep(), e.display.keep();
    keep_identity();
    envelope_.keep_resource(rest_);
    close(row);
  }

  // Who publishes logs in by FTP or at the site's console.
  void login(lm::Row<kLogin> row, Entry& e, std::int64_t time) {
    common(row, e, time);
    e.message = e.status = e.took = {};
    row.set<"activity_id">(1);  // Logon
    row.set<"user.name">(e.user.value);
    if (!azure::email_domain(*e.user).empty()) row.set<"user.email_addr">(e.user.value);
    row.set<"user.display_name">(e.display.value);
    if (e.protocol) {
      row.set<"auth_protocol_id">(99);
      row.set<"auth_protocol">(e.protocol.value);
    }
    const azure::ResourceId& site = envelope_.resource;
    row.set<"service.name">(lm::present(site.name()).value_or("App Service"));
    row.set<"service.uid">(lm::present(site.text()));
    source(row, e);
    e.user = e.display = e.protocol = {};
    e.keep_all();
    keep_identity();
    close(row);
  }

  lm::json::Reader json_;
  azure::Inner inner_;
  azure::Envelope envelope_;
  lm::json::ObjectWriter rest_, properties_rest_, identity_rest_, claims_rest_;
  std::string_view properties_key_, identity_key_, identity_raw_;
  std::string region_, method_, line_, object_;
  bool identity_is_text_ = false;
};

LOGMILL_PARSERS(Resource)
