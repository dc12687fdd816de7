// What Azure's logs have in common: every spelling of the same thing reads the same, and what is none stays as text.
#include <logmill/sdk/azure.hpp>

#include <gtest/gtest.h>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace azure = lm::azure;

TEST(AzureTime, IsTheSameInEveryForm) {
  constexpr std::int64_t kTime = 1772456698000;  // 2026-03-02T13:04:58Z
  for (const char* text :
       {"2026-03-02T13:04:58Z", "2026-03-02T13:04:58.0000000Z", "2026-03-02T13:04:58+00:00", "2026-03-02T15:04:58+02:00",
        "2026-03-02T13:04:58", "2026-03-02 13:04:58", "2026/03/02 13:04:58", "3/2/2026 1:04:58 PM", "03/02/2026 13:04:58",
        "3/2/2026 1:04:58 pm", "3/2/2026, 1:04:58 PM", "3/2/2026 1:04:58 PM +00:00", "3/2/2026 3:04:58 PM +02:00", "1772456698",
        "1772456698000", "1772456698000000", "1772456698000000000", "/Date(1772456698000)/", " 3/2/2026 1:04:58 PM "})
    EXPECT_EQ(azure::time(text), kTime) << text;
  EXPECT_EQ(azure::time("2026-03-02T13:04:58.1Z"), kTime + 100);
  EXPECT_EQ(azure::time("2026-03-02T13:04:58.12+00:00"), kTime + 120);
  EXPECT_EQ(azure::time("2026-03-02T13:04:58.123456Z"), kTime + 123);
  EXPECT_EQ(azure::time("2026-03-02T13:04:58.1239999Z"), kTime + 123);
  EXPECT_EQ(azure::time("2026-03-02 13:04:58.123999900"), kTime + 123);
  EXPECT_EQ(azure::time("2018/11/08 21:09:36.6900118"), 1541711376690);
  EXPECT_EQ(azure::time("2022-09-09T8:48:50.361Z"), 1662713330361);
  EXPECT_EQ(azure::time("3/2/2026, 1:04:58.123 PM"), kTime + 123);
  EXPECT_EQ(azure::time("3/2/2026 12:00:00 AM"), 1772409600000);
  EXPECT_EQ(azure::time("3/2/2026 12:00:00 PM"), 1772452800000);
  EXPECT_EQ(azure::time("3/2/2026 1:04 PM"), kTime - 58000);
}

TEST(AzureTime, GuessesNothing) {
  for (const char* text : {"",
                           "-",
                           "yesterday",
                           "2026-03-02",
                           "13/13/2026 1:04:58 PM",
                           "2/30/2026 1:04:58 PM",
                           "3/2/2026",
                           "3/2/2026 13:04:58 PM",
                           "3/2/2026 0:04:58 AM",
                           "3/2/26 1:04:58 PM",
                           "3/2/2026 1:04:58 XM",
                           "3/2/2026 1:04:58.",
                           "12345",
                           "17724566980",
                           "/Date()/",
                           "/Date(x)/",
                           "0001-01-01T00:00:00Z",
                           "1601-01-01T00:00:00",
                           "2026-03-02T:04:58Z",
                           "2026/03-02 13:04:58"})
    EXPECT_EQ(azure::time(text), std::nullopt) << text;
  EXPECT_EQ(azure::time(lm::Text()), std::nullopt);
}

TEST(AzureValues, KnowsTheTextsThatSayThatThereIsNone) {
  for (const char* text : {"", "-", "?", "N/A", "n/a", "00000000-0000-0000-0000-000000000000"}) EXPECT_FALSE(azure::present(text)) << text;
  for (const char* text : {"0", "none", "None", "false", " ", "x"}) EXPECT_TRUE(azure::present(text)) << text;
  EXPECT_FALSE(azure::present_but("None", "none", "hidden"));
  EXPECT_FALSE(azure::present_but("hidden", "none", "hidden"));
  EXPECT_EQ(azure::present_but("low", "none", "hidden"), lm::Text("low"));
}

TEST(AzureValues, FindsTheDomainOfAnAddressAlone) {
  EXPECT_EQ(azure::email_domain("joe@example.com"), "example.com");
  EXPECT_EQ(azure::email_domain("joe_other.com#EXT#@example.com"), "example.com");
  for (const char* none : {"", "joe", "@example.com", "joe@", "joe smith@example.com", "a@b@c", "00000000-aaaa-4000-8000-00000000000a"})
    EXPECT_EQ(azure::email_domain(none), "") << none;
  EXPECT_TRUE(azure::ends_ignoring_case("ADFSSignInLogs", "signinlogs"));
  EXPECT_FALSE(azure::ends_ignoring_case("Logs", "signinlogs"));
  EXPECT_TRUE(azure::contains_ignoring_case("OneWaySMS", "sms"));
  EXPECT_FALSE(azure::contains_ignoring_case("sm", "sms"));
}

TEST(AzureValues, TakesOffColumnsWhatExportsPutBehindThem) {
  EXPECT_EQ(azure::column("TimeGenerated [UTC]"), "TimeGenerated");
  EXPECT_EQ(azure::column("Application ID "), "Application ID");
  for (const char* name : {"", "TimeGenerated", "[UTC]", "Date (UTC)"}) EXPECT_EQ(azure::column(name), name);
}

TEST(AzureDiagnostics, NamesColumnsByMembersAndTheirTypes) {
  EXPECT_EQ(azure::member("clientInfo_s"), "clientInfo");
  EXPECT_EQ(azure::member("httpStatusCode_d"), "httpStatusCode");
  EXPECT_EQ(azure::member("isRbacAuthorized_b"), "isRbacAuthorized");
  EXPECT_EQ(azure::member("event_time_t [UTC]"), "event_time");
  EXPECT_EQ(azure::member("session_id_g"), "session_id");
  EXPECT_EQ(azure::member("TimeGenerated [UTC]"), "TimeGenerated");
  for (const char* name : {"", "_s", "s", "clientInfo", "error_info", "Category", "C_DeviceId", "a_x", "a_S"})
    EXPECT_EQ(azure::member(name), name);
}

TEST(AzureDiagnostics, FindsWhatWasNested) {
  EXPECT_EQ(azure::within("identity_claim_oid_g", "identity_claim"), "oid");
  EXPECT_EQ(azure::within("Identity_Claim_appid_g", "identity_claim"), "appid");
  EXPECT_EQ(azure::within("details_message_s", "details"), "message");
  EXPECT_EQ(azure::within("identity_claim_xms_mirid_s", "identity"), "claim_xms_mirid");
  for (const char* none : {"", "identity", "identity_", "identityclaim_oid_g", "ident_oid_g"})
    EXPECT_EQ(azure::within(none, "identity"), "") << none;
}

TEST(AzureDiagnostics, WritesWholeNumbersAsFractions) {
  const auto read = [](const std::string& value, std::string& left) {
    lm::json::Reader json;
    lm::json::ObjectWriter rest;
    lm::Maybe<std::int64_t> out;
    const std::string text = R"({"n_d":)" + value + "}";
    json.read(text, [&](std::string_view key, lm::json::Value& v) { azure::whole({rest, key, v}, out, 0, 999); });
    left = rest.finish();
    return out;
  };
  std::string left;
  for (const char* value : {"200", "200.0", "200.000", "\"200\"", "\"200.0\""}) {
    EXPECT_EQ(read(value, left), 200) << value;
    EXPECT_EQ(left, "") << value;
  }
  for (const char* value : {"200.5", "-1.0", "1000.0", "2e2", "\"200.\"", "\"x.0\"", "\".0\"", "true"}) {
    EXPECT_FALSE(read(value, left)) << value;
    EXPECT_EQ(left, std::string(R"({"n_d":)") + value + "}");
  }
}

TEST(AzureValues, NamesRegionsAsResourcesDo) {
  std::string scratch;
  EXPECT_EQ(azure::region("West Europe", scratch), "westeurope");
  EXPECT_EQ(azure::region("eastus2", scratch), "eastus2");
  EXPECT_EQ(azure::region("", scratch), "");
}

TEST(AzureValues, ReadsLevelsByNameAndNumber) {
  for (const char* text : {"4", "Informational", "Information", "informational", "Verbose", "5", ""})
    EXPECT_EQ(azure::severity_id(text), 1) << text;
  EXPECT_EQ(azure::severity_id(lm::Text()), 1);
  EXPECT_EQ(azure::severity_id("Warning"), 3);
  EXPECT_EQ(azure::severity_id("3"), 3);
  EXPECT_EQ(azure::severity_id("ERROR"), 4);
  EXPECT_EQ(azure::severity_id("2"), 4);
  EXPECT_EQ(azure::severity_id("Critical"), 5);
  EXPECT_EQ(azure::severity_id("1"), 5);
  EXPECT_EQ(azure::severity_id("Loud"), 99);
}

// Takes what a row with these columns takes.
template <bool Ports>
struct Row {
  std::map<std::string, std::string> values;
  std::vector<std::string> hops;

  template <lm::detail::FixedString Path>
  static constexpr bool has = Path.view() != "src_endpoint.port" || Ports;
  template <lm::detail::FixedString Path>
  static constexpr bool has_list = Ports;
  template <lm::detail::FixedString Path, class V>
  bool set(const V& value) {
    if constexpr (std::is_integral_v<V>) {
      values[std::string(Path.view())] = std::to_string(value);
    } else {
      values[std::string(Path.view())] = std::string(value);
    }
    return true;
  }
  template <lm::detail::FixedString Path>
  bool push(std::string_view value) {
    return hops.emplace_back(value), true;
  }
};

struct Endpoint {
  bool whole;
  std::string ip, port, hops;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};
template <bool Ports = true>
Endpoint endpoint(std::string_view text) {
  Row<Ports> row;
  Endpoint out{azure::source_endpoint(row, text), row.values["src_endpoint.ip"], row.values["src_endpoint.port"], ""};
  for (const std::string& hop : row.hops) out.hops += hop + " ";
  return out;
}

TEST(AzureAddress, ReadsWhatServicesWriteOfTheCaller) {
  EXPECT_EQ(endpoint("192.0.2.1"), (Endpoint{true, "192.0.2.1", "", ""}));
  EXPECT_EQ(endpoint(" 192.0.2.1 "), (Endpoint{true, "192.0.2.1", "", ""}));
  EXPECT_EQ(endpoint("192.0.2.1:443"), (Endpoint{true, "192.0.2.1", "443", ""}));
  EXPECT_EQ(endpoint("2001:db8::1"), (Endpoint{true, "2001:db8::1", "", ""}));
  EXPECT_EQ(endpoint("2001:DB8::A"), (Endpoint{true, "2001:db8::a", "", ""}));
  EXPECT_EQ(endpoint("2001:db8::1:443"), (Endpoint{true, "2001:db8::1:443", "", ""}));  // an address, whatever was meant
  EXPECT_EQ(endpoint("[2001:db8::1]:443"), (Endpoint{true, "2001:db8::1", "443", ""}));
  EXPECT_EQ(endpoint("[2001:db8::1]"), (Endpoint{true, "2001:db8::1", "", ""}));
  EXPECT_EQ(endpoint("::FFFF:192.0.2.1"), (Endpoint{true, "::ffff:192.0.2.1", "", ""}));
  EXPECT_EQ(endpoint("10.1.2.3"), (Endpoint{true, "10.1.2.3", "", ""}));
  EXPECT_EQ(endpoint("192.0.2.1, 198.51.100.2:80"), (Endpoint{true, "192.0.2.1", "", "192.0.2.1 198.51.100.2 "}));
  EXPECT_EQ(endpoint(""), (Endpoint{true, "", "", ""}));
}

TEST(AzureAddress, SaysWhenSomethingOfTheTextIsLeft) {
  for (const char* text :
       {"127.0.0.0/8", "localhost", "host.example.com", "host.example.com:80", "1.2.3", "unknown", ",", "[", "[]", "[x]:1", "%eth0"})
    EXPECT_EQ(endpoint(text), (Endpoint{false, "", "", ""})) << text;
  EXPECT_EQ(endpoint("fe80::1%eth0"), (Endpoint{false, "fe80::1", "", ""}));
  EXPECT_EQ(endpoint("[2001:db8::1]:http"), (Endpoint{false, "2001:db8::1", "", ""}));
  EXPECT_EQ(endpoint("192.0.2.1, proxy"), (Endpoint{false, "192.0.2.1", "", "192.0.2.1 "}));
  EXPECT_EQ(endpoint<false>("192.0.2.1:443"), (Endpoint{false, "192.0.2.1", "", ""}));
  EXPECT_EQ(endpoint<false>("192.0.2.1,198.51.100.2"), (Endpoint{false, "192.0.2.1", "", ""}));
}

TEST(AzureAddress, HasNoHostWhereSomethingWouldBeLost) {
  const auto host = [](std::string_view text) {
    const auto place = azure::host(text);
    return std::string(place.host) + " " + (place.port ? std::to_string(*place.port) : "");
  };
  EXPECT_EQ(host("www.example.com:443"), "www.example.com 443");
  EXPECT_EQ(host("[2001:db8::1]:443"), "2001:db8::1 443");
  EXPECT_EQ(host("[2001:db8::1]"), "2001:db8::1 ");
  for (const char* text : {"[evil.example]secret", "[evil.example]:port", "[evil.example]x]", "[evil", "a[b]:443"})
    EXPECT_EQ(host(text), " ") << text;
}

TEST(AzureInner, HasReadersForWhatLooksLikeJsonAloneAndForSoManyOfARecord) {
  azure::Inner inner;
  for (int i = 0; i < 1000; ++i)
    EXPECT_FALSE(inner.open("x", '{') || inner.open("", '{') || inner.open("[1]", '{') || inner.open("{x", '{'));
  for (std::size_t i = 0; i < azure::Inner::kMost; ++i) EXPECT_TRUE(inner.open(" {\"a\":1}", '{')) << i;
  EXPECT_FALSE(inner.open("{}", '{'));
  inner.clear();
  EXPECT_TRUE(inner.open("[1]", '['));
}

TEST(AzureResourceId, IsTheSameInAnyCase) {
  azure::ResourceId mixed, upper;
  mixed.read("/subscriptions/AAAA-bbbb/resourceGroups/Rg-1/providers/Microsoft.Sql/servers/Srv/databases/Db");
  upper.read("/SUBSCRIPTIONS/AAAA-BBBB/RESOURCEGROUPS/RG-1/PROVIDERS/MICROSOFT.SQL/SERVERS/SRV/DATABASES/DB");
  EXPECT_EQ(mixed.lower(), upper.lower());
  EXPECT_EQ(mixed.subscription(), "aaaa-bbbb");
  EXPECT_EQ(upper.subscription(), "aaaa-bbbb");
  EXPECT_EQ(mixed.group(), "Rg-1");
  EXPECT_EQ(mixed.provider(), "Microsoft.Sql");
  EXPECT_EQ(mixed.type(), "Microsoft.Sql/servers/databases");
  EXPECT_EQ(mixed.name(), "Srv/Db");
  EXPECT_EQ(mixed.text(), "/subscriptions/AAAA-bbbb/resourceGroups/Rg-1/providers/Microsoft.Sql/servers/Srv/databases/Db");
}

TEST(AzureResourceId, HasThePartsThatAreThere) {
  azure::ResourceId id;
  id.read("/subscriptions/S-1");
  EXPECT_EQ(id.subscription(), "s-1");
  EXPECT_EQ(id.provider(), "");
  EXPECT_EQ(id.type(), "");
  id.read("/TENANTS/T-1/PROVIDERS/MICROSOFT.AADIAM");
  EXPECT_EQ(id.tenant(), "t-1");
  EXPECT_EQ(id.subscription(), "");
  EXPECT_EQ(id.provider(), "MICROSOFT.AADIAM");
  EXPECT_EQ(id.type(), "MICROSOFT.AADIAM");
  EXPECT_EQ(id.name(), "");
  id.read("/providers/Microsoft.Management/managementGroups/mg-1");
  EXPECT_EQ(id.type(), "Microsoft.Management/managementGroups");
  EXPECT_EQ(id.name(), "mg-1");
  id.read("/subscriptions/s/resourceGroups/g/providers/A.B/c/d/providers/E.F/g/h");
  EXPECT_EQ(id.type(), "E.F/g");
  EXPECT_EQ(id.name(), "h");
  EXPECT_EQ(id.group(), "g");
  id.read("");
  EXPECT_TRUE(id.empty());
  EXPECT_EQ(id.subscription(), "");
  for (const char* text : {"/", "//", "/subscriptions/", "/subscriptions", "/providers/", "x", "/subscriptions/s//providers//a//b"})
    id.read(text);
}

TEST(AzureKeys, DoNotRegardCase) {
  static constexpr auto kKeys = azure::keys("operationName", "c_DeviceId", "Id", "durationMs");
  EXPECT_EQ(kKeys.find("operationName"), kKeys.at("operationName"));
  EXPECT_EQ(kKeys.find("OPERATIONNAME"), kKeys.at("operationName"));
  EXPECT_EQ(kKeys.find("C_DeviceId"), kKeys.at("c_DeviceId"));
  EXPECT_EQ(kKeys.find("ID"), kKeys.at("Id"));
  for (const char* none : {"", "i", "ix", "operationNames", "durationM", "duration_s"}) EXPECT_EQ(kKeys.find(none), -1) << none;
}

// A record's own members, and what the envelope leaves.
struct Read {
  lm::json::Reader json;
  lm::json::ObjectWriter rest, properties;
  azure::Inner inner;
  azure::Envelope envelope;
  std::map<std::string, std::string> own;

  explicit Read(std::string_view text) {
    envelope.clear();
    EXPECT_TRUE(json.read(text, [&](std::string_view key, lm::json::Value& value) {
      const lm::json::Field f{rest, key, value};
      const auto member = [&](const lm::json::Field& m) { own[std::string(m.key)] = std::string(m.value.raw()); };
      if (lm::equals_ignoring_case(key, "properties")) return azure::object(f, inner, properties, member);
      if (!envelope.take(f)) member(f);
    }));
    envelope.finish(rest);
  }
};

TEST(AzureInner, LeavesTextsBeyondThatAsTheyAre) {
  std::string text = "{";
  for (std::size_t i = 0; i <= azure::Inner::kMost; ++i) text.append(R"("properties":"{\"a\":1}",)");
  text.append(R"("properties":"x"})");
  Read read(text);
  EXPECT_EQ(read.own["a"], "1");
  EXPECT_EQ(read.rest.finish(), R"({"properties":"{\"a\":1}","properties":"x"})");
}

TEST(AzureEnvelope, ReadsItsMembersInAnyCaseAndType) {
  for (
      const char* text :
      {R"({"time":"2026-03-02T10:00:00Z","resourceId":"/tenants/T-1/providers/Microsoft.aadiam","operationName":"O","category":"C","tenantId":"T-1",)"
       R"("resultType":0,"resultSignature":"None","durationMs":"78","Level":4,"callerIpAddress":"192.0.2.1","correlationId":"","properties":{"id":"x"}})",
       R"({"TIME":"2026-03-02T10:00:00Z","RESOURCEID":"/tenants/T-1/providers/Microsoft.aadiam","OPERATIONNAME":"O","CATEGORY":"C","TENANTID":"t-1",)"
       R"("RESULTTYPE":"0","RESULTSIGNATURE":"none","DURATIONMS":78,"level":"4","CALLERIPADDRESS":"192.0.2.1","Properties":"{\"id\":\"x\"}"})"}) {
    Read read(text);
    EXPECT_EQ(read.envelope.time, lm::Text("2026-03-02T10:00:00Z"));
    EXPECT_EQ(read.envelope.operation, lm::Text("O"));
    EXPECT_EQ(read.envelope.category, lm::Text("C"));
    EXPECT_EQ(read.envelope.result_type, lm::Text("0"));
    EXPECT_FALSE(read.envelope.result_signature);
    EXPECT_FALSE(read.envelope.correlation);
    EXPECT_EQ(read.envelope.milliseconds(), 78);
    EXPECT_EQ(read.envelope.level, lm::Text("4"));
    EXPECT_EQ(read.envelope.tenant(), "t-1");
    EXPECT_EQ(read.envelope.resource.provider(), "Microsoft.aadiam");
    EXPECT_EQ(read.own, (std::map<std::string, std::string>{{"id", "\"x\""}}));
    EXPECT_EQ(read.rest.finish(), "");
  }
}

TEST(AzureEnvelope, KeepsAResourceThatIsNoTenantsWhereRowsHaveNone) {
  Read other(R"({"time":"2026-03-02T10:00:00Z","resourceId":"/SUBSCRIPTIONS/S-1/resourceGroups/g","category":"C"})");
  other.envelope.keep_resource(other.rest);
  EXPECT_EQ(other.rest.finish(), R"({"resourceId":"/SUBSCRIPTIONS/S-1/resourceGroups/g"})");
  Read tenant(R"({"time":"2026-03-02T10:00:00Z","resourceId":"/tenants/T-1/providers/Microsoft.aadiam","category":"C"})");
  tenant.envelope.keep_resource(tenant.rest);
  EXPECT_EQ(tenant.rest.finish(), "");
}

TEST(AzureEnvelope, KnowsTheWorkspaceFromTheTenant) {
  Read row(
      R"({"TenantId":"w-1","TimeGenerated":"2026-03-02T10:00:00Z","Type":"SigninLogs","AADTenantId":"T-1","_Internal_X":1,"SourceSystem":"Azure AD"})");
  EXPECT_TRUE(row.envelope.is_row());
  EXPECT_EQ(row.envelope.tenant(), "t-1");
  EXPECT_EQ(row.envelope.table, lm::Text("SigninLogs"));
  EXPECT_EQ(row.rest.finish(), R"({"_Internal_X":1,"SourceSystem":"Azure AD","TenantId":"w-1"})");
  EXPECT_TRUE(Read(R"({"TimeGenerated [UTC]":"3/2/2026, 1:04:58.123 PM"})").envelope.is_row());
  Read workspace(R"({"TenantId":"w-1","TimeGenerated":"2026-03-02T10:00:00Z","_ResourceId":"/tenants/t-2/providers/microsoft.aadiam"})");
  EXPECT_EQ(workspace.envelope.tenant(), "t-2");
}

TEST(AzureEnvelope, SaysWhoseRecordItIs) {
  const auto source = [](std::string_view text) { return Read(text).envelope.source(); };
  EXPECT_EQ(source(R"({"category":"AuditEvent"})"), lm::Text("AuditEvent"));
  EXPECT_EQ(source(R"({"TimeGenerated":"2026-03-02T10:00:00Z","Type":"AKSAudit"})"), lm::Text("AKSAudit"));
  EXPECT_EQ(source(R"({"TimeGenerated":"2026-03-02T10:00:00Z","Type":"AzureDiagnostics","Category":"kube-audit"})"),
            lm::Text("kube-audit"));
  EXPECT_EQ(source(R"({"TimeGenerated":"2026-03-02T10:00:00Z","Category":"kube-audit","Type":"AZUREDIAGNOSTICS"})"),
            lm::Text("kube-audit"));
  EXPECT_FALSE(source(R"({"TimeGenerated":"2026-03-02T10:00:00Z","Type":"AzureDiagnostics"})"));
  EXPECT_FALSE(source(R"({"time":"2026-03-02T10:00:00Z"})"));

  Read row(R"({"TimeGenerated":"2026-03-02T10:00:00Z","Type":"AzureDiagnostics","Category":"AuditEvent"})");
  EXPECT_TRUE(row.envelope.is_diagnostics());
  row.envelope.keep_table(row.rest);
  EXPECT_EQ(row.rest.finish(), R"({"Type":"AzureDiagnostics"})");
  Read own(R"({"TimeGenerated":"2026-03-02T10:00:00Z","Type":"AKSAudit"})");
  EXPECT_FALSE(own.envelope.is_diagnostics());
  own.envelope.keep_table(own.rest);
  EXPECT_EQ(own.rest.finish(), "");
}

TEST(AzureEnvelope, LeavesMembersOfAnotherTypeAndAnotherSourcesResource) {
  Read read(
      R"({"identity":{"claims":{}},"location":{"city":"Utrecht"},"operationName":{"value":"x"},"resourceId":"00000003-0000-0000-c000-000000000000"})");
  EXPECT_EQ(read.own.size(), 3u);
  EXPECT_EQ(read.envelope.other_resource, lm::Text("00000003-0000-0000-c000-000000000000"));
  EXPECT_TRUE(read.envelope.resource.empty());
}

TEST(AzureEnvelope, KeepsATenantsIdThatSaysMore) {
  EXPECT_EQ(Read(R"({"resourceId":"/TENANTS/T-1/PROVIDERS/MICROSOFT.AADIAM"})").rest.finish(), "");
  EXPECT_EQ(Read(R"({"tenantId":"t-2","resourceId":"/tenants/t-1/providers/Microsoft.aadiam"})").rest.finish(),
            R"({"resourceId":"/tenants/t-1/providers/Microsoft.aadiam"})");
}

TEST(AzureEnvelope, KeepsPropertiesThatAreNoObject) {
  for (const char* text : {R"({"properties":"no JSON"})", R"({"properties":"{'a':1}"})", R"({"properties":[1]})", R"({"properties":7})"}) {
    Read read(text);
    EXPECT_TRUE(read.own.empty());
    EXPECT_EQ(read.rest.finish(), text);
  }
}

TEST(AzureTimes, PrefersTheEventsOwn) {
  const azure::Times both("2026-03-02T09:59:58.12+00:00", "2026-03-02T10:00:01.1234567Z");
  EXPECT_EQ(both.event, 1772445598120);
  EXPECT_EQ(both.logged, 1772445601123);
  EXPECT_EQ(both.original, lm::Text("2026-03-02T09:59:58.12+00:00"));
  const azure::Times envelope(lm::Text(), "2026-03-02T10:00:01Z");
  EXPECT_EQ(envelope.event, 1772445601000);
  EXPECT_FALSE(envelope.logged);
  const azure::Times unreadable("soon", "2026-03-02T10:00:01Z");
  EXPECT_EQ(unreadable.event, 1772445601000);
  EXPECT_TRUE(unreadable.own_unread);
  EXPECT_FALSE(azure::Times("soon", "later").event);
}

}  // namespace
