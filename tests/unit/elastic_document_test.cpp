// Documents that a mapping makes of rows: the built-in one for ECS by literal documents, one for each thing that Elastic's detection rules trip over; mappings of users; index templates.
#include "elastic/document.hpp"
#include "elastic/templates.hpp"
#include "sink_arrow.hpp"

#include <logmill/ocsf/v1_8_0.hpp>

#include <gtest/gtest.h>
#include <simdjson.h>
#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <variant>

namespace {

using namespace lm::sink;
using lm::test::ColumnPtr;

// An event by its paths: text is text, but below these it is JSON.
struct Event {
  std::map<std::string, std::variant<std::string, std::int64_t, bool, double>> values;
  std::vector<std::pair<std::int64_t, std::string>> observables;
  std::vector<std::string> resources;  // uids

  Event& operator()(const std::string& path, std::string value) { return values[path] = std::move(value), *this; }
  Event& operator()(const std::string& path, const char* value) { return values[path] = std::string(value), *this; }
  Event& operator()(const std::string& path, int value) { return values[path] = std::int64_t{value}, *this; }
  Event& operator()(const std::string& path, bool value) { return values[path] = value, *this; }
  Event& operator()(const std::string& path, double value) { return values[path] = value, *this; }
};

Event trail(const std::string& operation = "AttachRolePolicy", const std::string& service = "iam.amazonaws.com") {
  Event out;
  out("metadata.product.name", "CloudTrail")("metadata.uid", "u-0")("class_uid", 6003)("category_uid", 6)("type_uid", 600303);
  out("api.operation", operation)("api.service.name", service)("cloud.account.uid", "111122223333")("cloud.provider", "AWS");
  return out;
}

Event azure(const std::string& product, int class_uid) {
  Event out;
  out("metadata.product.name", product)("metadata.uid", "u-0")("class_uid", class_uid)("cloud.provider", "Azure");
  return out;
}

ColumnPtr tree(const std::string& name, const std::map<std::string, std::variant<std::string, std::int64_t, bool, double>>& values) {
  std::map<std::string, std::map<std::string, std::variant<std::string, std::int64_t, bool, double>>> below;
  std::vector<ColumnPtr> children;
  for (const auto& [path, value] : values) {
    const std::size_t dot = path.find('.');
    if (dot != std::string::npos) {
      below[path.substr(0, dot)][path.substr(dot + 1)] = value;
      continue;
    }
    const bool json = path == "unmapped" || path == "data";
    if (const auto* text = std::get_if<std::string>(&value))
      children.push_back(json ? lm::test::as_json(lm::test::texts(path, {*text})) : lm::test::texts(path, {*text}));
    if (const auto* number = std::get_if<std::int64_t>(&value)) children.push_back(lm::test::int64s(path, {*number}));
    if (const auto* real = std::get_if<double>(&value)) children.push_back(lm::test::doubles(path, {*real}));
    if (const auto* boolean = std::get_if<bool>(&value)) children.push_back(lm::test::booleans(path, {*boolean}));
  }
  for (const auto& [child, inner] : below) children.push_back(tree(child, inner));
  return lm::test::structure(name, std::move(children));
}

class Document {
 public:
  Document(const Event& event, std::string_view yaml, const std::string& json) {
    auto values = event.values;
    values["time"] = std::int64_t{1772352000000};
    const ColumnPtr root = tree("", values);
    std::vector<std::optional<std::int64_t>> types;
    std::vector<std::optional<std::string>> texts, uids(event.resources.begin(), event.resources.end());
    for (const auto& [type, value] : event.observables) types.emplace_back(type), texts.emplace_back(value);
    root->children.push_back(
        lm::test::list("observables", {static_cast<int>(texts.size())},
                       lm::test::structure("item", {lm::test::int64s("type_id", types), lm::test::texts("value", texts)})));
    root->children.push_back(
        lm::test::list("resources", {static_cast<int>(uids.size())}, lm::test::structure("item", {lm::test::texts("uid", uids)})));
    root->wire();
    const auto field = Field::parse(root->schema);
    const DocumentPlan plan(mapping(yaml), *field, "some_class", "default");
    DocumentMaker maker(plan);
    maker.begin(root->array);
    const std::size_t chosen = maker.dataset(0);
    dataset = plan.dataset(chosen);
    maker.render(0, chosen, json, text);
    EXPECT_EQ(text.find('\n'), std::string::npos) << "a document is one line";
    lm::json::Reader reader;
    EXPECT_TRUE(reader.valid(text)) << text;
    readable_ = !parser_.parse(text).get(root_);
  }

  // The JSON of a field; empty: there is none.
  std::string operator[](std::string_view field) const {
    if (!readable_) return "not read";  // numbers that simdjson has no type for
    simdjson::dom::element at = root_;
    for (;;) {
      const std::size_t dot = field.find('.');
      if (at[field.substr(0, dot)].get(at)) return {};
      if (dot == std::string_view::npos) return simdjson::minify(at);
      field.remove_prefix(dot + 1);
    }
  }

  std::string text, dataset;

 private:
  static const Mapping& mapping(std::string_view yaml) {
    static std::map<std::string_view, Mapping> read;
    const auto known = read.find(yaml);
    if (known != read.end()) return known->second;
    auto fresh = Mapping::parse(yaml);
    if (!fresh) throw std::runtime_error(fresh.error().message);
    return read.emplace(yaml, *std::move(fresh)).first->second;
  }

  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
  bool readable_ = false;
};

Document ecs(const Event& event, const std::string& json = R"({"class_uid":6003})") { return {event, Mapping::ecs(), json}; }

TEST(Ecs, TheDatasetIsInEveryFieldThatRulesAndIndicesKnowItBy) {
  const Document d = ecs(trail());
  EXPECT_EQ(d.dataset, "aws.cloudtrail");
  EXPECT_EQ(d["data_stream"], R"({"dataset":"aws.cloudtrail","namespace":"default","type":"logs"})");
  EXPECT_EQ(d["event.dataset"], R"("aws.cloudtrail")");
  EXPECT_EQ(d["event.module"], R"("aws")");
  EXPECT_EQ(d["ecs.version"], R"("8.11.0")");
  EXPECT_EQ(d["@timestamp"], "1772352000000");
  EXPECT_EQ(d["event.action"], R"("AttachRolePolicy")");
  EXPECT_EQ(d["event.provider"], R"("iam.amazonaws.com")");
}

TEST(Ecs, ParametersAreTheTextThatJavaMakesOfThem) {
  const Document d = ecs(trail()(
      "api.request.data",
      R"({"policyArn":"arn:aws:iam::aws:policy/AdministratorAccess", "n":null,"l":["a", {"b":1.50}],"t":true,"e":{},"q":"\"x\", y"})"));
  EXPECT_EQ(d["aws.cloudtrail.request_parameters"],
            R"x("{policyArn=arn:aws:iam::aws:policy/AdministratorAccess, n=null, l=[a, {b=1.50}], t=true, e={}, q=\"x\", y}")x");
}

TEST(Ecs, NumbersThatNoMachineHoldsDoNotHideParameters) {
  const Document d = ecs(trail()("api.request.data", R"({"policyArn":"x","n":123456789012345678901234567890,"r":1e999})"));
  EXPECT_NE(d.text.find(R"("request_parameters":"{policyArn=x, n=123456789012345678901234567890, r=1e999}")"), std::string::npos) << d.text;
}

TEST(Ecs, WhatIsTooLongForATermIsTextAndNotFlattened) {
  const std::string most = R"({"a":")" + std::string(19'000, 'x') + R"("})", more = R"({"a":["b",")" + std::string(32'766, 'x') + R"("]})";
  EXPECT_EQ(ecs(trail()("api.request.data", most))["aws.cloudtrail.flattened.request_parameters"], most);
  const Document d = ecs(trail()("api.request.data", more));
  EXPECT_EQ(d["aws.cloudtrail.flattened"], "");
  EXPECT_EQ(d["aws.cloudtrail.request_parameters"].size(), more.size() - 3) << "it is all there as text";
}

TEST(Ecs, KeysAndDepthsThatEnginesRefuseAreNotFlattened) {
  std::string deep = "1";
  for (int i = 0; i < 40; ++i) deep = R"({"a":)" + deep + "}";
  for (const std::string& json : {std::string(R"({"":1})"), std::string(R"({"a\u0000b":1})"), std::string(R"([1,2])"), deep}) {
    const Document d = ecs(trail()("api.request.data", json));
    EXPECT_EQ(d["aws.cloudtrail.flattened"], "") << json;
    EXPECT_NE(d["aws.cloudtrail.request_parameters"], "") << json;
  }
}

TEST(Ecs, TheUserOfAnAssumedRoleIsTheRole) {
  const Document d = ecs(trail()("actor.user.name", "j.doe@example.com")("actor.user.type", "AssumedRole")(
      "actor.user.uid", "arn:aws:sts::111122223333:assumed-role/Admin/j.doe@example.com")(
      "actor.user.uid_alt", "AROAEXAMPLE:j.doe@example.com")("actor.session.issuer", "arn:aws:iam::111122223333:role/Admin")(
      "unmapped", R"({"userIdentity":{"sessionContext":{"sessionIssuer":{"type":"Role","userName":"Admin"}}}})"));
  EXPECT_EQ(d["user.name"], R"("Admin")");
  EXPECT_EQ(d["user.id"], R"("AROAEXAMPLE:j.doe@example.com")");
  EXPECT_EQ(d["related.user"], R"(["Admin","j.doe@example.com"])");
  EXPECT_EQ(d["aws.cloudtrail.user_identity.type"], R"("AssumedRole")");
  EXPECT_EQ(d["aws.cloudtrail.user_identity.arn"], R"("arn:aws:sts::111122223333:assumed-role/Admin/j.doe@example.com")");
  EXPECT_EQ(d["aws.cloudtrail.user_identity.session_context.session_issuer.arn"], R"("arn:aws:iam::111122223333:role/Admin")");
  EXPECT_EQ(ecs(trail()("actor.user.name", "alice")("actor.user.type", "IAMUser"))["user.name"], R"("alice")");
}

TEST(Ecs, AnOutcomeIsFailureIfThereIsAnErrorOrTheConsoleSaysSo) {
  EXPECT_EQ(ecs(trail())["event.outcome"], R"("success")");
  EXPECT_EQ(ecs(trail()("api.response.error", "AccessDenied"))["event.outcome"], R"("failure")");
  EXPECT_EQ(ecs(trail()("api.response.error_message", "no"))["event.outcome"], R"("failure")");
  const auto login = [](const char* said) { return trail("ConsoleLogin", "signin.amazonaws.com")("api.response.data", said); };
  EXPECT_EQ(ecs(login(R"({"ConsoleLogin":"Failure"})"))["event.outcome"], R"("failure")");
  EXPECT_EQ(ecs(login(R"({"ConsoleLogin":"Success"})")("api.response.error", "x"))["event.outcome"], R"("success")");
  EXPECT_EQ(ecs(trail("Other")("api.response.data", R"({"ConsoleLogin":"Failure"})"))["event.outcome"], R"("success")") << "only of logons";
}

TEST(Ecs, OnlyAddressesAreSourceIp) {
  const Document address = ecs(trail()("src_endpoint.ip", "203.0.113.20"));
  EXPECT_EQ(address["source"], R"({"address":"203.0.113.20","ip":"203.0.113.20"})");
  const Document service = ecs(trail()("src_endpoint.svc_name", "cloudtrail.amazonaws.com"));
  EXPECT_EQ(service["source"], R"({"address":"cloudtrail.amazonaws.com"})");
  const Document odd = ecs(trail()("src_endpoint.ip", "203.0.113.256"));
  EXPECT_EQ(odd["source"], R"({"address":"203.0.113.256"})");
}

TEST(Ecs, TheAccountIsTheCallersAndTheRecipientIsBesideIt) {
  const Document d = ecs(trail()("actor.user.account.uid", "444455556666"));
  EXPECT_EQ(d["cloud.account.id"], R"("444455556666")");
  EXPECT_EQ(d["aws.cloudtrail.recipient_account_id"], R"("111122223333")");
  EXPECT_EQ(ecs(trail())["cloud.account.id"], R"("111122223333")");
}

TEST(Ecs, ListsOfTheEventAreReached) {
  Event event = trail();
  event.resources = {"arn:aws:s3:::payroll", "arn:aws:s3:::payroll/x", "arn:aws:s3:::payroll"};
  event.observables = {{2, "203.0.113.20"}, {4, "alice"}, {2, "203.0.113.21"}, {2, "no address"}};
  const Document d = ecs(event);
  EXPECT_EQ(d["aws.cloudtrail.resources.arn"], R"(["arn:aws:s3:::payroll","arn:aws:s3:::payroll/x"])");
  EXPECT_EQ(d["related.ip"], R"(["203.0.113.20","203.0.113.21"])");
}

TEST(Ecs, SignInsHaveTheFieldsThatRulesAskFor) {
  const Document d = ecs(azure("Microsoft Entra ID", 3002)("metadata.log_name", "NonInteractiveUserSignInLogs")(
      "metadata.tenant_uid", "t-1")("user.name", "Bob@example.com")("user.type", "Guest")("user.type_id", 1)("status_code", "50126")(
      "actor.app_uid", "a-1")("service.uid", "r-1")("is_mfa", false)("action_id", 2)("risk_details", "none, atRisk, x")(
      "session.uid", "s-1")("src_endpoint.location.lat", 52.09)("src_endpoint.location.long", 5.12)(
      "unmapped",
      R"({"properties":{"isInteractive":"False","deviceDetail":{"isCompliant":true,"browser":"Edge"},"tokenProtectionStatusDetails":{"signInSessionStatus":"unbound"},
"appliedConditionalAccessPolicies":"[{\"id\":\"p-1\"}]"}})"));
  EXPECT_EQ(d.dataset, "azure.signinlogs");
  EXPECT_EQ(d["event.outcome"], R"("failure")");
  EXPECT_EQ(d["user.name"], R"("Bob")");
  EXPECT_EQ(d["user.domain"], R"("example.com")");
  EXPECT_EQ(d["azure.tenant_id"], R"("t-1")");
  EXPECT_EQ(d["azure.signinlogs.category"], R"("NonInteractiveUserSignInLogs")");
  const std::string in = "azure.signinlogs.properties.";
  for (const auto& [field, value] :
       std::map<std::string, std::string>{{"user_principal_name", R"("Bob@example.com")"},
                                          {"user_type", R"("Guest")"},
                                          {"app_id", R"("a-1")"},
                                          {"resource_id", R"("r-1")"},
                                          {"authentication_requirement", R"("singleFactorAuthentication")"},
                                          {"conditional_access_status", R"("failure")"},
                                          {"risk_state", R"("atRisk")"},
                                          {"session_id", R"("s-1")"},
                                          {"status.error_code", "50126"},
                                          {"is_interactive", "false"},
                                          {"device_detail", R"({"browser":"Edge","is_compliant":true})"},
                                          {"token_protection_status_details.sign_in_session_status", R"("unbound")"}})
    EXPECT_EQ(d[in + field], value) << field;
  EXPECT_EQ(d["source.geo.location"], R"("52.09,5.12")");
  EXPECT_EQ(d[in + "applied_conditional_access_policies"], "") << "a text is nothing that can be flattened";
}

TEST(Ecs, AuditsHaveTheirTargetsByNumberAndValuesWithAndWithoutTheirQuotes) {
  const Document d = ecs(azure("Microsoft Entra ID", 3005)("metadata.event_code", "Add member to role")(
      "actor.user.name", "ada@example.com")("actor.user.type_id", 1)(
      "unmapped",
      R"({"properties":{"category":"RoleManagement","targetResources":[{"type":"User","userPrincipalName":"bob@example.com","modifiedProperties":[
{"displayName":"Role.ObjectID"},{"displayName":"Role.DisplayName","newValue":"Global Administrator"},{"displayName":"Enabled","newValue":[true]}]},{"type":"Role"}]}})"));
  EXPECT_EQ(d.dataset, "azure.auditlogs");
  const std::string in = "azure.auditlogs.properties.";
  EXPECT_EQ(d["azure.auditlogs.operation_name"], R"("Add member to role")");
  EXPECT_EQ(d[in + "initiated_by.user.userPrincipalName"], R"("ada@example.com")");
  EXPECT_EQ(d[in + "target_resources.0.user_principal_name"], R"("bob@example.com")");
  EXPECT_EQ(d[in + "target_resources.0.modified_properties.1.new_value"], R"(["\"Global Administrator\"","Global Administrator"])");
  EXPECT_EQ(d[in + "target_resources.0.modified_properties.2.new_value"], R"(["[true]","true"])");
  EXPECT_EQ(d[in + "target_resources.1.type"], R"("Role")");
}

TEST(Ecs, OperationsOfResourceManagerAreInCapitals) {
  const Document d = ecs(azure("Azure Activity Log", 6003)("category_uid", 6)("status_id", 2)(
      "api.operation", "Microsoft.Storage/storageAccounts/listKeys/action")("actor.user.email_addr", "ada@example.com")(
      "unmapped", R"({"Authorization_d":{"evidence":{"principalId":"p-1"}}})"));
  EXPECT_EQ(d.dataset, "azure.activitylogs");
  EXPECT_EQ(d["azure.activitylogs.operation_name"], R"("MICROSOFT.STORAGE/STORAGEACCOUNTS/LISTKEYS/ACTION")");
  EXPECT_EQ(d["event.outcome"], R"("failure")");
  EXPECT_EQ(d["azure.activitylogs.identity.claims_initiated_by_user.name"], R"("ada@example.com")");
  EXPECT_EQ(d["azure.activitylogs.identity.authorization.evidence.principal_id"], R"("p-1")");
}

TEST(Ecs, AuditsOfKubernetesAreTheEventThatRulesKnow) {
  const Document d = ecs(azure("Azure Kubernetes Service", 6003)("metadata.log_name", "AKSAudit")("api.operation", "create pods/exec")(
      "actor.user.name", "ada@example.com")("api.response.code", 101)("api.request.data", R"({"kind":"Pod"})")("src_endpoint.ip",
                                                                                                               "203.0.113.9"));
  EXPECT_EQ(d.dataset, "azure.platformlogs");
  EXPECT_EQ(d["azure.platformlogs.category"], R"("kube-audit")");
  const std::string log = "azure.platformlogs.properties.log.";
  EXPECT_EQ(d[log + "verb"], R"("create")");
  EXPECT_EQ(d[log + "objectRef"], R"({"resource":"pods","subresource":"exec"})");
  EXPECT_EQ(d[log + "user.username"], R"("ada@example.com")");
  EXPECT_EQ(d[log + "responseStatus.code"], R"("101")");
  EXPECT_EQ(d[log + "requestObject"], R"({"kind":"Pod"})");
  EXPECT_EQ(d[log + "sourceIPs"], R"("203.0.113.9")");
}

TEST(Ecs, RequestsToGraphAndRisksHaveDatasetsOfTheirOwn) {
  EXPECT_EQ(ecs(azure("Microsoft Graph", 6003)("metadata.log_name", "MicrosoftGraphActivityLogs")).dataset, "azure.graphactivitylogs");
  EXPECT_EQ(ecs(azure("Microsoft Graph", 6003)("metadata.log_name", "AADGraphActivityLogs")).dataset, "azure.aadgraphactivitylogs");
  EXPECT_EQ(ecs(azure("Microsoft Entra ID", 2004)("metadata.product.feature.name", "ID Protection")).dataset, "azure.identity_protection");
  EXPECT_EQ(ecs(azure("A Product of Somebody", 4001)).dataset, "logmill.some_class");
}

TEST(Ecs, TheWholeEventIsThereAndWhatCannotBeFlattenedIsText) {
  const std::string event = R"({"class_uid":6003,"unmapped":{"a":1}})";
  EXPECT_EQ(ecs(trail()("unmapped", R"({"a":1})"), event)["ocsf"], event);
  const std::string wild = R"({"":{"b":2}})", bad = R"({"class_uid":6003,"unmapped":)" + wild + "}";
  const Document d = ecs(trail()("unmapped", wild), bad);
  EXPECT_EQ(d["ocsf"], R"({"class_uid":6003})");
  EXPECT_EQ(d["ocsf_text"], R"("{\"unmapped\":{\"\":{\"b\":2}}}")");
}

// JSON as whoever is watched may write it: names that the mapping looks for in places where they are not, and all that JSON has.
class Wild {
 public:
  explicit Wild(unsigned seed) : random_(seed) {}
  std::string object(int depth = 0) {
    std::string out = "{";
    for (unsigned i = 0, n = random_() % 6; i < n; ++i) out += (i ? "," : "") + name() + (random_() % 4 ? ":" : " :\n ") + value(depth + 1);
    return out + "}";
  }

 private:
  std::string value(int depth) {
    static const char* const kValues[] = {"null",
                                          "true",
                                          "-0",
                                          "1e400",
                                          "99999999999999999999",
                                          "12",
                                          "\"\"",
                                          "\"2026-03-01T08:00:00Z\"",
                                          "\"203.0.113.1\"",
                                          "\"\\u0000\\ud800\\\"\\n\"",
                                          "\"{\\\"id\\\":[1]}\"",
                                          "\"[{\\\"id\\\":1}\"",
                                          "[]",
                                          "{}"};
    if (depth < 24 && random_() % 2) {
      if (random_() % 2) return object(depth);
      std::string out = "[";
      for (unsigned i = 0, n = random_() % 5; i < n; ++i) out += (i ? "," : "") + value(depth + 1);
      return out + "]";
    }
    return random_() % 50 ? kValues[random_() % std::size(kValues)] : "\"" + std::string(random_() % 40'000, 'x') + "\"";
  }
  std::string name() {
    static const char* const kNames[] = {"properties",
                                         "targetResources",
                                         "modifiedProperties",
                                         "newValue",
                                         "displayName",
                                         "userIdentity",
                                         "sessionContext",
                                         "sessionIssuer",
                                         "USERNAME",
                                         "userName",
                                         "additionalEventData",
                                         "MFAUsed",
                                         "isInteractive",
                                         "deviceDetail",
                                         "readOnly",
                                         "",
                                         "a.b",
                                         "\\u0000",
                                         "\\\"",
                                         "resources",
                                         "ARN"};
    return "\"" + std::string(kNames[random_() % std::size(kNames)]) + "\"";
  }
  std::minstd_rand random_;
};

TEST(Ecs, WhateverIsInJsonColumnsTheDocumentIsJsonAndHasTheWholeEvent) {
  for (unsigned seed = 1; seed <= 400; ++seed) {
    Wild wild(seed);
    const std::string data = wild.object(), unmapped = wild.object();
    Event event = seed % 2 ? trail() : azure("Microsoft Entra ID", seed % 4 ? 3002 : 3004);
    event("api.request.data", data)("unmapped", unmapped);
    std::string one_line = R"({"api":{"request":{"data":)" + data + R"(}},"unmapped":)" + unmapped + "}";
    std::replace(one_line.begin(), one_line.end(), '\n', ' ');
    const Document d = ecs(event, one_line);
    const auto has = [&](std::string_view json) {
      std::string text(json), quoted;
      std::replace(text.begin(), text.end(), '\n', ' ');
      lm::json::append_quoted(quoted, text);
      return d.text.find(text) != std::string::npos || d.text.find(quoted.substr(1, quoted.size() - 2)) != std::string::npos;
    };
    EXPECT_TRUE(has(data) && has(unmapped)) << "seed " << seed;
  }
}

TEST(EventTamer, TakesOnlyWhatAnEngineWouldRefuse) {
  const std::string leaf(25'000, 'x'), data = R"({"a":")" + leaf + R"("})";
  const auto tame = [&](bool flattened, const Event& of, const std::string& event, std::string& out, std::string& rest) {
    const ColumnPtr root = tree("", of.values);
    root->wire();
    const auto field = Field::parse(root->schema);
    EventTamer tamer(*field, flattened);
    tamer.begin(root->array);
    return tamer.tame(0, event, out, rest);
  };
  std::string out, rest;
  EXPECT_FALSE(tame(false, trail()("unmapped", R"({"a":"b"})"), R"({"api":{"operation":"x"},"unmapped":{"a":"b"}})", out, rest));
  const Event event = trail()("api.request.data", data)("message", leaf)("unmapped", "{}");
  const std::string json = R"({"api":{"operation":"x","request":{"data":)" + data + R"(}},"message":")" + leaf + R"("})";
  ASSERT_TRUE(tame(false, event, json, out, rest));
  EXPECT_EQ(out, R"({"api":{"operation":"x","request":{}},"message":")" + leaf + R"("})") << "a column that is text may be long";
  EXPECT_EQ(rest, R"("api.request.data":)" + data);
  ASSERT_TRUE(tame(true, event, json, out, rest));
  EXPECT_EQ(out, R"({"api":{"operation":"x","request":{}}})");
}

constexpr std::string_view kOwn = R"(
event:
types: {n: long, when: date, flag: boolean, at: geo_point}
paths: {$p: [unmapped.properties, unmapped]}
groups:
  some: {a: api.operation, gone: api.operation, x-y: api.operation, x.z: api.operation}
datasets:
  - dataset: own
    when: {api.operation: "*", api.error: }
    groups: some
    fields:
      gone:
      b: [nowhere, $p.Name]
      n: $p.n
      when: $p.when
      flag: $p.flag
      at: {from: [$p.lat, $p.lon], join: ","}
      t.{i:0..1}: "$p.list[{i}].v"
      all: {all: ["$p.list[].v", {value: [last, "{table}"]}]}
      quoted: 'unmapped."a.b".c'
      words: {from: $p.words, as: [{split: " "}, upper]}
  - dataset: rest.{table}
)";

TEST(Mapping, PathsVerbsAndTypesOfAUsersTable) {
  const Document d(
      {trail()("unmapped",
               R"({"NAME":"ignored","properties":{"name":"n-1","n":"12","when":"2026-03-01T08:00:00Z","flag":"TRUE","lat":1.5,"lon":-2,
"list":[{"v":"x"},{"v":5}],"words":"one two"},"a.b":{"c":"dotted"}})")},
      kOwn, "{}");
  EXPECT_EQ(
      d.text,
      R"({"@timestamp":1772352000000,"a":"AttachRolePolicy","all":["x","5","last","some_class"],"at":"1.5,-2","b":"n-1","flag":true,"n":12,"quoted":"dotted",)"
      R"("t":{"0":"x","1":"5"},"when":1772352000000,"words":["ONE","TWO"],"x":{"z":"AttachRolePolicy"},"x-y":"AttachRolePolicy"})");
  EXPECT_EQ(Document(trail()("api.error", "x"), kOwn, "{}").dataset, "rest.some_class");
}

TEST(Mapping, WhatATypeCannotHoldIsLeftOut) {
  const Document d({trail()("unmapped", R"({"properties":{"n":"12x","when":"yesterday","flag":"perhaps","lat":91,"lon":0}})")}, kOwn, "{}");
  for (const char* field : {"n", "when", "flag", "at"}) EXPECT_EQ(d[field], "") << field;
}

TEST(Mapping, OfAKeyThatComesTwiceTheLastValueCountsUnlessOneIsWrittenAsThePathIs) {
  const auto b = [](const char* json) { return Document(trail()("unmapped", json), kOwn, "{}")["b"]; };
  EXPECT_EQ(b(R"({"Name":"1","Name":"2"})"), R"("2")");
  EXPECT_EQ(b(R"({"Name":"1","NAME":"2"})"), R"("1")");
  EXPECT_EQ(b(R"({"NAME":"2","Name":"1"})"), R"("1")");
  EXPECT_EQ(b(R"({"properties":"{\"Name\":\"within a text\"}"})"), R"("within a text")");
}

TEST(Mapping, MistakesAreNamedWithTheirLine) {
  const auto why = [](std::string_view yaml) {
    const auto read = Mapping::parse(yaml);
    return read ? std::string() : read.error().message;
  };
  EXPECT_EQ(why("datasets: [{dataset: x}]"), "");
  EXPECT_EQ(why("datasets: [{dataset: x, when: {a: b}}]"),
            "line 1: the last data set, and no other, is without conditions: every event must have one");
  EXPECT_EQ(why("datasets:\n  - dataset: a-b"),
            "line 2: 'a-b' is no name of a data set: lower-case letters, digits, '.', '_' and {table} are");
  EXPECT_EQ(why("types: {a: int}\ndatasets: [{dataset: x}]").substr(0, 28), "line 1: the type 'int': ther");
  EXPECT_EQ(why("datasets:\n  - dataset: x\n    fields: {a: b, a.b: c}"), "line 2: 'a.b' is within 'a', which has a value itself");
  EXPECT_EQ(why("datasets: [{dataset: x, fields: {a: $p.b}}]"), "line 1: '$p' is not in paths");
  EXPECT_EQ(why("datasets: [{dataset: x, fields: {a: {from: b, as: trim}}}]").substr(0, 18), "line 1: as 'trim':");
  EXPECT_EQ(why("datasets: [{dataset: x, fields: {a: {from: b, as: before}}}]"), "line 1: as: before is written {before: TEXT}");
  EXPECT_EQ(why("datasets: [{dataset: x, fields: {a: 'b['}}]"), "line 1: 'b[' is no path: a ']' is missing");
  EXPECT_EQ(why("datasets: [{dataset: x, fields: {ocsf.a: b}}]"), "line 1: 'ocsf.a': there the event itself is");
  EXPECT_NE(why("a: [").find("line 1"), std::string::npos);
}

// Whether the path is one of some class, as far as OCSF says; within JSON everything may be.
bool is_ocsf(const Path& path) {
  const auto& catalogue = lm::ocsf::v1_8::catalogue;
  return std::any_of(catalogue.classes.begin(), catalogue.classes.end(), [&](const auto& of) {
    auto owner = catalogue.attributes_of(of);
    for (std::size_t i = 0; i < path.size(); ++i) {
      const auto* const attribute = path[i].kind == Step::Kind::member ? catalogue.find(owner, path[i].name) : nullptr;
      if (!attribute) return false;
      if (attribute->kind == lm::ocsf::Kind::json) return true;
      const bool in_list = i + 1 < path.size() && path[i + 1].kind != Step::Kind::member;
      if (in_list != attribute->array) return false;
      if (attribute->kind != lm::ocsf::Kind::object) return i + 1 + (in_list ? 1 : 0) == path.size();
      owner = catalogue.attributes_of(catalogue.objects[static_cast<std::size_t>(attribute->object)]);
      if (in_list && path[++i].kind == Step::Kind::where && !catalogue.find(owner, path[i].name)) return false;
    }
    return false;
  });
}

TEST(Ecs, EveryPathOfTheBuiltInMappingIsOneOfOcsf) {
  const auto mapping = Mapping::parse(Mapping::ecs());
  ASSERT_TRUE(mapping) << mapping.error().message;
  const auto check = [](const std::vector<Path>& paths, const std::string& of) {
    for (const Path& path : paths) EXPECT_TRUE(is_ocsf(path)) << of << ": " << path.front().name << " ... " << path.back().name;
  };
  for (const Dataset& dataset : mapping->datasets) {
    for (const Condition& condition : dataset.when) check(condition.paths, dataset.name);
    for (const Rule& rule : dataset.rules) {
      for (const Alternative& alternative : rule.alternatives) {
        for (const auto& paths : alternative.from) check(paths, dataset.name + ", " + rule.field);
        for (const Condition& condition : alternative.when) check(condition.paths, dataset.name + ", " + rule.field);
      }
    }
  }
  EXPECT_FALSE(is_ocsf(*parse_path("api.operations")));
  EXPECT_FALSE(is_ocsf(*parse_path("resources.uid")));
}

TEST(Templates, HaveATypeForEveryFieldThatTheBuiltInMappingMakes) {
  const auto mapping = Mapping::parse(Mapping::ecs());
  ASSERT_TRUE(mapping) << mapping.error().message;
  for (const Dataset& dataset : mapping->datasets) {
    const std::string body =
        template_body("logs-" + dataset.name + "-*", kPriority, properties_of(*mapping, dataset, Engine::elasticsearch), true, "x");
    simdjson::dom::parser parser;
    simdjson::dom::element root, properties, limit;
    ASSERT_FALSE(parser.parse(body).get(root)) << dataset.name;
    ASSERT_FALSE(root.at_pointer("/template/mappings/properties").get(properties));
    ASSERT_FALSE(root.at_pointer("/template/settings/index.mapping.total_fields.limit").get(limit));
    for (const Rule& rule : dataset.rules) {
      simdjson::dom::element at = properties, type;
      std::string_view rest = rule.field;
      for (;;) {
        const std::size_t dot = rest.find('.');
        ASSERT_FALSE(at[rest.substr(0, dot)].get(at)) << dataset.name << ": " << rule.field;
        std::string_view found;
        if (!at["type"].get(found)) {
          EXPECT_TRUE(dot == std::string_view::npos || found == "flattened") << rule.field;
          break;
        }
        ASSERT_NE(dot, std::string_view::npos) << rule.field;
        ASSERT_FALSE(at["properties"].get(at));
        rest.remove_prefix(dot + 1);
      }
    }
  }
}

TEST(Templates, TypesAreTheEnginesOwn) {
  Properties p;
  p.add("a.ip", FieldType::ip, Engine::opensearch);
  p.add("a.f", FieldType::flattened, Engine::opensearch);
  p.add("a.f.below", FieldType::keyword, Engine::opensearch);
  EXPECT_EQ(
      template_body("x-*", kPriority, p, false, "w"),
      R"({"index_patterns":["x-*"],"priority":150,"template":{"settings":{"index.mapping.total_fields.limit":1000},"mappings":{"dynamic":false,"properties":{)"
      R"("@timestamp":{"type":"date"},"a":{"properties":{"f":{"type":"flat_object"},"ip":{"type":"ip","ignore_malformed":true}}}}}},"_meta":{"description":"w"}})");
}

}  // namespace
