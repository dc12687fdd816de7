"""Risks that ID Protection tells of: which field stands in which attribute, whichever way the record came, and that none is lost."""
import copy
import json

import mapping
from mapping import outer

TENANT = "11111111-2222-3333-4444-555555555555"
BOB = "00000000-bbbb-4000-8000-00000000000b"
EVENT = {
    "time": "8/22/2026 6:07:16 PM",
    "resourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam",
    "operationName": "User Risk Detection",
    "operationVersion": "1.0",
    "category": "UserRiskEvents",
    "tenantId": TENANT,
    "resultSignature": "None",
    "durationMs": 0,
    "callerIpAddress": "198.51.100.7",
    "correlationId": "c0000000-0000-4000-8000-000000000001",
    "identity": "Bob Example",
    "Level": 4,
    "location": "nl",
    "properties": {
        "id": "a0000000-0000-4000-8000-000000000001",
        "requestId": "b0000000-0000-4000-8000-000000000001",
        "correlationId": "c0000000-0000-4000-8000-000000000001",
        "riskType": "anonymizedIPAddress",
        "riskEventType": "anonymizedIPAddress",
        "riskState": "atRisk",
        "riskLevel": "medium",
        "riskDetail": "userPassedMFADrivenByRiskBasedPolicy",
        "source": "IdentityProtection",
        "detectionTimingType": "realtime",
        "activity": "signin",
        "tokenIssuerType": "AzureAD",
        "ipAddress": "198.51.100.7",
        "location": {"city": "Utrecht", "state": "Utrecht (province)", "countryOrRegion": "NL", "geoCoordinates": {"latitude": 52.09, "longitude": 5.12}},
        "activityDateTime": "2026-08-22T18:05:16.2345678Z",
        "detectedDateTime": "2026-08-22T18:05:20.1234567Z",
        "lastUpdatedDateTime": "2026-08-22T8:07:16.361Z",
        "userId": BOB,
        "userDisplayName": "Bob Example",
        "userPrincipalName": "bob@example.com",
        "additionalInfo": "[{\"Key\":\"userAgent\",\"Value\":\"Mozilla/5.0\"},{\"Key\":\"riskReasons\",\"Value\":[\"x\"]}]",
        "homeTenantId": "22222222-2222-3333-4444-555555555555",
        "userType": "member",
    },
}
USER = {
    **{key: EVENT[key] for key in ("time", "resourceId", "operationVersion", "tenantId", "correlationId", "Level")},
    "operationName": "Risky user", "category": "RiskyUsers",
    "properties": {"id": BOB, "userDisplayName": "Bob Example", "userPrincipalName": "bob@example.com", "riskLastUpdatedDateTime": "2026-08-22T18:06:16.361Z",
                   "riskState": "atRisk", "riskDetail": "none", "riskLevel": "high", "isGuest": False, "isDeleted": False, "isProcessing": True},
}


def event(base=None, **changes):
    record = copy.deepcopy(base or EVENT)
    record["properties"] |= changes
    return record


def row(record, table):
    columns = {key[0].upper() + key[1:]: json.dumps(value) if isinstance(value, (dict, list)) else value for key, value in record["properties"].items()}
    return {"TenantId": "99999999-0000-4000-8000-000000000000", "TimeGenerated": record["time"], **columns, "OperationName": record["operationName"],
            "CorrelationId": record["correlationId"], "Type": table}


class EntraRisk(mapping.Mapping):
    PARSER = "azure.entra_risk"

    # ---- Every row of the mapping ----

    def test_a_detection(self):
        self.check(self.one(EVENT), {
            "class_uid": 2004, "activity_id": 1, "type_uid": 200401, "is_alert": True, "time": 1787421920123, "metadata.logged_time": 1787422036000,
            "metadata.original_time": "2026-08-22T18:05:20.1234567Z", "finding_info.uid": EVENT["properties"]["id"], "finding_info.title": "anonymizedIPAddress",
            "finding_info.types": ["anonymizedIPAddress"], "finding_info.data_sources": ["IdentityProtection"], "finding_info.first_seen_time": 1787421916234,
            "finding_info.modified_time": 1787386036361, "risk_details": "userPassedMFADrivenByRiskBasedPolicy",
            "metadata.original_event_uid": EVENT["properties"]["id"]})
        self.check(self.one(event(detectedDateTime=None)), {"time": 1787422036000, "metadata.original_time": "8/22/2026 6:07:16 PM"})
        self.check(self.one(event(riskEventType=None)), {"finding_info.title": "anonymizedIPAddress"})

    def test_a_risky_user(self):
        self.check(self.one(USER), {
            "class_uid": 2004, "activity_id": 2, "type_uid": 200402, "is_alert": None, "time": 1787421976361, "finding_info.uid": BOB,
            "finding_info.title": "Risky user", "finding_info.types": None, "risk_details": None, "severity_id": 4, "risk_level_id": 3,
            "evidences": [{"user": {"uid": BOB, "name": "bob@example.com", "display_name": "Bob Example", "email_addr": "bob@example.com", "type_id": 1,
                                    "type": "User"}}], "unmapped.properties": {"isGuest": False, "isDeleted": False, "isProcessing": True}})

    def test_what_every_azure_event_has(self):
        self.check(self.one(EVENT), {
            "metadata.product.name": "Microsoft Entra ID", "metadata.product.vendor_name": "Microsoft", "metadata.profiles": ["cloud"],
            "metadata.log_name": "UserRiskEvents", "metadata.log_provider": "Microsoft.aadiam", "metadata.log_level": "4", "metadata.log_version": "1.0",
            "metadata.correlation_uid": EVENT["correlationId"], "metadata.tenant_uid": TENANT, "metadata.event_code": "User Risk Detection",
            "cloud.provider": "Azure", "cloud.org.uid": TENANT, "cloud.account": None})

    def test_the_state_is_the_status_and_closes_a_finding(self):
        for state, status, detected, known in (("atRisk", 1, 1, 2), ("confirmedCompromised", 2, 1, 2), ("dismissed", 3, 3, 3), ("remediated", 4, 3, 3),
                                               ("confirmedSafe", 4, 1, 2), ("none", 0, 1, 2), ("future", 99, 1, 2)):
            self.check(self.one(event(riskState=state)), {"status_id": status, "activity_id": detected})
            self.check(self.one(event(USER, riskState=state)), {"status_id": status, "activity_id": known})
        self.check(self.one(event(riskState="future")), {"status": "future"})

    def test_the_level(self):
        for level, severity, risk in (("low", 2, 1), ("medium", 3, 2), ("high", 4, 3), ("none", 1, 0), ("hidden", 0, None), ("future", 99, 99), (None, 0, None)):
            self.check(self.one(event(riskLevel=level)), {"severity_id": severity, "risk_level_id": risk})
        self.check(self.one(event(riskLevel="future")), {"severity": "future", "risk_level": "future"})

    def test_one_evidence_holds_the_user_and_the_place(self):
        self.check(self.one(EVENT), {"evidences": [{
            "user": {"uid": BOB, "name": "bob@example.com", "display_name": "Bob Example", "email_addr": "bob@example.com", "type_id": 1, "type": "User"},
            "src_endpoint": {"ip": "198.51.100.7", "location": {"city": "Utrecht", "region": "Utrecht (province)", "country": "NL"}},
            "http_request": {"user_agent": "Mozilla/5.0"}}],
            "unmapped.properties.additionalInfo": EVENT["properties"]["additionalInfo"], "unmapped.location": None})
        self.check(self.one(event(additionalInfo="[{\"Key\":\"userAgent\",\"Value\":\"x\"}]")),
                   {"evidences.0.http_request.user_agent": "x", "unmapped.properties.additionalInfo": None})
        self.check(self.one(event(location=None)), {"evidences.0.src_endpoint.location": {"country": "NL"}})
        self.check(self.one(event(location="de")), {"evidences.0.src_endpoint.location": {"country": "DE"}, "unmapped.location": "nl"})

    def test_addresses_in_all_their_forms(self):
        for text, ip, port, kept in (("2001:db8::25", "2001:db8::25", None, None), ("198.51.100.7:443", "198.51.100.7", 443, None),
                                     ("127.0.0.0/8", None, None, "127.0.0.0/8")):
            self.check(self.one(event(ipAddress=text)), {"evidences.0.src_endpoint.ip": ip, "evidences.0.src_endpoint.port": port,
                                                         "unmapped.properties.ipAddress": kept})

    def test_a_place_without_an_address_is_kept(self):
        self.check(self.one(outer(event(ipAddress=""), callerIpAddress=None)),
                   {"evidences.0.src_endpoint": None, "unmapped.properties.location.city": "Utrecht", "unmapped.location": "nl"})
        nobody = event(ipAddress="", userId=None, userPrincipalName=None, additionalInfo="[{\"Key\":\"userAgent\",\"Value\":\"x\"}]")
        self.check(self.one(outer(nobody, callerIpAddress=None)),
                   {"evidences": None, "unmapped.properties.userAgent": "x", "unmapped.properties.userDisplayName": "Bob Example", "unmapped.identity": "Bob Example"})

    def test_service_principals(self):
        detection = outer(event(userId=None, userPrincipalName=None, userDisplayName=None, servicePrincipalId="sp-1", servicePrincipalDisplayName="exporter",
                                appId="app-1"), category="ServicePrincipalRiskEvents", identity=None)
        self.check(self.one(detection), {"evidences.0.user": {"uid": "sp-1", "name": "exporter", "type_id": 4, "type": "Service"}, "activity_id": 1,
                                         "unmapped.properties.appId": "app-1"})
        risky = outer(event(USER, id="sp-1", userPrincipalName=None, userDisplayName=None, displayName="exporter"), category="RiskyServicePrincipals")
        self.check(self.one(risky), {"finding_info.title": "Risky service principal", "evidences.0.user.uid": "sp-1", "evidences.0.user.name": "exporter",
                                     "evidences.0.user.type_id": 4})

    # ---- Nothing is lost ----

    SAID = {"time": "metadata.logged_time", "resourceId": "the tenant, and metadata.log_provider", "location": "the country", "resultSignature": "says that there is none",
            "durationMs": "0 says nothing", "properties.riskState": "status_id", "properties.riskLevel": "risk_level_id",
            "properties.activityDateTime": "finding_info.first_seen_time", "properties.lastUpdatedDateTime": "finding_info.modified_time"}

    def test_nothing_is_lost(self):
        self.nothing_lost(EVENT, self.one(EVENT), self.SAID)
        self.nothing_lost(USER, self.one(USER), {"time": "metadata.logged_time", "resourceId": "the tenant", "properties.riskState": "status_id",
                                                 "properties.riskLevel": "risk_level_id", "properties.riskDetail": "none"})

    def test_an_unknown_field_is_kept_and_told(self):
        record = outer(event(newThing={"a": [1]}), outerThing="x")
        self.check(self.one(record), {"unmapped.properties.newThing": {"a": [1]}, "unmapped.outerThing": "x"})
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {"newThing": 1, "outerThing": 1})
        self.one(event(location={"city": "c", "a": 1}))
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {"location.a": 1})

    def test_a_field_of_another_type_is_kept(self):
        record = event(id={"x": 1}, ipAddress=7, location=[1], additionalInfo="text", detectedDateTime="soon", activityDateTime="once")
        self.check(self.one(record), {"unmapped.properties.id": {"x": 1}, "unmapped.properties.ipAddress": 7, "unmapped.properties.location": [1],
                                      "unmapped.properties.additionalInfo": "text", "unmapped.properties.detectedDateTime": "soon",
                                      "unmapped.properties.activityDateTime": "once", "finding_info.uid": BOB, "time": 1787422036000})

    # ---- The ways that records come ----

    def test_every_way_gives_the_same(self):
        def core(of):
            of = copy.deepcopy(of)
            for name in ("lineage", "unmapped"):
                of.pop(name, None)
            for name in ("uid", "log_source", "log_name", "log_provider", "log_level", "log_version", "logged_time", "tenant_uid", "event_code"):
                of["metadata"].pop(name, None)
            of["cloud"].pop("org", None)
            return of
        for record, table in ((EVENT, "AADUserRiskEvents"), (USER, "AADRiskyUsers")):
            wanted = self.one(record)
            whole = dict(wanted)
            for other in (outer(record, properties=json.dumps(record["properties"])), {k.upper(): v for k, v in record.items()}, row(record, table)):
                self.assertEqual(core(self.one(other)), core(whole))
            graph = record["properties"] if record is EVENT else record["properties"] | {"correlationId": record["correlationId"]}
            self.assertEqual(core(self.one(graph)), core(whole))
        self.assertEqual(core(self.one(json.dumps({"records": [EVENT]}))), core(self.one(EVENT)))

    def test_every_category(self):
        for category in ("UserRiskEvents", "RiskyUsers", "ServicePrincipalRiskEvents", "RiskyServicePrincipals", "userriskevents"):
            self.check(self.one(outer(EVENT, category=category)), {"metadata.log_name": category})

    # ---- What is no risk ----

    def test_a_record_of_another_category_is_foreign(self):
        others = [outer(EVENT, category="SignInLogs"), {"a": 1}]
        events = self.read("".join(json.dumps(record) + "\n" for record in [EVENT, *others]), code=3, alone=True)
        self.assertEqual(len(events), 1)
        self.assertEqual(self.stats()["parsers"][self.PARSER]["rejects"], 2)

    def test_a_cut_last_line_costs_itself(self):
        line = json.dumps(EVENT)
        self.assertEqual(len(self.read(line + "\n" + line[:-40], code=3)), 1)

    def test_a_record_without_a_time_is_rejected(self):
        self.assertEqual(len(self.read(json.dumps(EVENT) + "\n" + json.dumps(outer(event(detectedDateTime=None), time="?")) + "\n", code=3)), 1)


if __name__ == "__main__":
    mapping.unittest.main()
