"""Requests to Microsoft Graph: which field stands in which attribute, whichever way the record came, and that none is lost."""
import copy
import json

import mapping
from mapping import core, outer

TENANT = "11111111-2222-3333-4444-555555555555"
FULL = {
    "time": "2026-03-02T11:00:02.6442361Z",
    "resourceId": f"/TENANTS/{TENANT}/PROVIDERS/MICROSOFT.AADIAM",
    "operationName": "Microsoft Graph Activity",
    "operationVersion": "v1.0",
    "category": "MicrosoftGraphActivityLogs",
    "resultSignature": "200",
    "durationMs": 846544,
    "callerIpAddress": "198.51.100.8",
    "correlationId": "c0000000-0000-4000-8000-000000000001",
    "Level": 4,
    "location": "West Europe",
    "tenantId": TENANT,
    "properties": {
        "timeGenerated": "2026-03-02T11:00:00.6442361Z",
        "requestId": "a0000000-0000-4000-8000-000000000001",
        "operationId": "b0000000-0000-4000-8000-000000000001",
        "clientRequestId": "d0000000-0000-4000-8000-000000000001",
        "apiVersion": "v1.0",
        "requestMethod": "GET",
        "requestUri": "https://graph.microsoft.com/v1.0/users/00000000-bbbb-4000-8000-00000000000b?$select=id&$top=30",
        "responseStatusCode": 200,
        "responseSizeBytes": 364,
        "durationMs": 846544,
        "location": "West Europe",
        "ipAddress": "198.51.100.7",
        "userAgent": "python-requests/2.28.1",
        "appId": "00000000-0001-4000-8000-000000000001",
        "userId": "00000000-aaaa-4000-8000-00000000000a",
        "servicePrincipalId": None,
        "clientAuthMethod": "0",
        "identityProvider": "https://sts.windows.net/11111111-2222-3333-4444-555555555555/",
        "scopes": "User.Read Directory.Read.All",
        "roles": None,
        "wids": "62e90394-69f5-4237-9190-012177145e10",
        "signInActivityId": "dG9rZW4",
        "tokenIssuedAt": "2026-03-02T10:55:00Z",
        "tenantId": TENANT,
        "atContent": "content",
        "C_DeviceId": "d-1",
        "c_Sid": "s-1",
    },
}


def full(**changes):
    record = copy.deepcopy(FULL)
    record["properties"] |= changes
    return record


def row(record):
    p = record["properties"]
    columns = {key[0].upper() + key[1:]: value for key, value in p.items()}
    columns |= {"IPAddress": columns.pop("IpAddress"), "AadTenantId": columns.pop("TenantId"), "DeviceId": columns.pop("C_DeviceId"), "SessionId": columns.pop("C_Sid")}
    return {"TenantId": "99999999-0000-4000-8000-000000000000", **columns, "_ResourceId": record["resourceId"].lower(), "Type": "MicrosoftGraphActivityLogs"}


class GraphActivity(mapping.Mapping):
    PARSER = "azure.graph_activity"

    # ---- Every row of the mapping ----

    def test_the_method_chooses_the_activity(self):
        for method, activity in {"GET": 2, "HEAD": 2, "POST": 1, "PUT": 3, "PATCH": 3, "DELETE": 4, "get": 2, "OPTIONS": 99}.items():
            self.check(self.one(full(requestMethod=method)), {"class_uid": 6003, "activity_id": activity, "type_uid": 600300 + activity,
                                                              "http_request.http_method": method.upper(), "severity_id": 1})
        self.check(self.one(full(requestMethod="OPTIONS")), {"activity_name": "OPTIONS"})
        self.check(self.one(full(requestMethod="POST", requestUri="https://graph.microsoft.com/v1.0/$batch")), {"activity_id": 99, "activity_name": "$batch"})
        self.check(self.one(full(requestMethod=None, requestUri=None)), {"activity_id": 0, "api.operation": "unknown", "http_request.url": None})

    def test_the_time_is_that_of_the_request(self):
        self.check(self.one(FULL), {"time": 1772449200644, "metadata.original_time": "2026-03-02T11:00:00.6442361Z", "metadata.logged_time": 1772449202644,
                                    "duration": None})
        self.check(self.one(full(timeGenerated=None)), {"time": 1772449202644, "metadata.logged_time": None})

    def test_what_every_azure_event_has(self):
        self.check(self.one(FULL), {
            "metadata.product.name": "Microsoft Graph", "metadata.product.vendor_name": "Microsoft", "metadata.profiles": ["cloud"],
            "metadata.log_name": "MicrosoftGraphActivityLogs", "metadata.log_provider": "MICROSOFT.AADIAM", "metadata.log_level": "4", "metadata.log_version": "v1.0",
            "metadata.correlation_uid": FULL["correlationId"], "metadata.tenant_uid": TENANT, "metadata.event_code": "Microsoft Graph Activity",
            "cloud.provider": "Azure", "cloud.org.uid": TENANT, "cloud.account": None, "cloud.region": None})

    def test_the_call(self):
        self.check(self.one(FULL), {
            "api.operation": "GET /v1.0/users/00000000-bbbb-4000-8000-00000000000b", "api.version": "v1.0", "api.service.name": "Microsoft Graph",
            "api.request.uid": FULL["properties"]["requestId"], "metadata.original_event_uid": FULL["properties"]["requestId"], "api.response.code": 200,
            "http_response.code": 200, "http_response.length": 364, "http_request.uid": FULL["properties"]["clientRequestId"],
            "http_request.user_agent": "python-requests/2.28.1", "http_request.url.url_string": FULL["properties"]["requestUri"],
            "http_request.url.hostname": "graph.microsoft.com", "http_request.url.path": "/v1.0/users/00000000-bbbb-4000-8000-00000000000b",
            "http_request.url.query_string": "$select=id&$top=30"})
        self.check(self.one(outer(FULL, category="AADGraphActivityLogs")), {"api.service.name": "Azure AD Graph", "metadata.log_name": "AADGraphActivityLogs"})

    def test_addresses_that_were_escaped_twice_or_have_two_slashes(self):
        event = self.one(full(requestUri="https://graph.microsoft.com//beta/devices?$select=id\\u0026$filter=name eq \\u0027x\\u0027"))
        self.check(event, {"http_request.url.query_string": "$select=id&$filter=name eq 'x'", "http_request.url.path": "//beta/devices",
                           "api.operation": "GET /beta/devices"})
        for text in ("https://h/a?\\u00", "https://h/a?\\u00zz", "https://h/a?\\u0007", "https://h/a?\\\\u0"):
            self.check(self.one(full(requestUri=text)), {"http_request.url.url_string": text})

    def test_the_result(self):
        for code, status in ((200, 1), (204, 1), (302, 1), (400, 2), (403, 2), (503, 2), (100, 0)):
            self.check(self.one(outer(full(responseStatusCode=code), resultSignature=str(code))),
                       {"status_id": status, "status_code": str(code), "api.response.code": code, "unmapped.resultSignature": None})
        self.check(self.one(full(responseStatusCode=None)), {"status_code": "200", "http_response.code": 200})
        self.check(self.one(full(responseStatusCode=404)), {"status_code": "404", "unmapped.resultSignature": "200"})
        self.check(self.one(outer(full(responseStatusCode=None), resultSignature=None)),
                   {"status_id": 0, "status_code": None, "http_response": None, "unmapped.properties.responseSizeBytes": 364})

    def test_who_asked(self):
        self.check(self.one(FULL), {
            "actor.user.uid": FULL["properties"]["userId"], "actor.user.type_id": 1, "actor.app_uid": FULL["properties"]["appId"],
            "actor.idp.issuer": FULL["properties"]["identityProvider"], "actor.session.uid": "s-1", "actor.session.uid_alt": "dG9rZW4",
            "actor.session.created_time": 1772448900000, "actor.app_name": None})
        self.check(self.one(full(userId=None, servicePrincipalId="sp-9")), {"actor.user.uid": "sp-9", "actor.user.type_id": 4})
        self.check(self.one(full(servicePrincipalId="sp-9")), {"actor.user.type_id": 1, "unmapped.properties.servicePrincipalId": "sp-9"})
        self.check(self.one(full(tokenIssuedAt="once")), {"actor.session.created_time": None, "unmapped.properties.tokenIssuedAt": "once"})

    def test_without_a_caller_there_is_the_provider(self):
        nobody = full(userId=None, appId=None, C_DeviceId=None, c_Sid=None, signInActivityId=None, tokenIssuedAt=None, identityProvider=None, ipAddress="")
        self.check(self.one(outer(nobody, callerIpAddress=None)), {"actor": {"app_name": "MICROSOFT.AADIAM"}, "src_endpoint": {"svc_name": "MICROSOFT.AADIAM"}})
        self.check(self.one(outer(nobody, callerIpAddress=None, resourceId=None)), {"actor.app_name": "Microsoft Graph"})

    def test_where_from(self):
        self.check(self.one(FULL), {"src_endpoint.ip": "198.51.100.7", "src_endpoint.uid": "d-1", "unmapped.callerIpAddress": "198.51.100.8"})
        for text, ip, port, kept in (("2001:db8:1::5", "2001:db8:1::5", None, None), ("198.51.100.7:443", "198.51.100.7", 443, None),
                                     ("127.0.0.0/8", None, None, "127.0.0.0/8")):
            self.check(self.one(full(ipAddress=text)), {"src_endpoint.ip": ip, "src_endpoint.port": port, "unmapped.properties.ipAddress": kept})
        self.check(self.one(full(ipAddress=None)), {"src_endpoint.ip": "198.51.100.8", "unmapped.callerIpAddress": None})

    def test_scopes_and_roles_are_lists(self):
        self.check(self.one(full(roles="Device.Read.All")), {"unmapped.properties.scopes": ["User.Read", "Directory.Read.All"],
                                                             "unmapped.properties.roles": ["Device.Read.All"]})
        self.check(self.one(full(scopes="")), {"unmapped.properties.scopes": None})

    def test_the_duration_is_no_number_of_milliseconds(self):
        self.check(self.one(FULL), {"duration": None, "unmapped.properties.durationMs": 846544, "unmapped.durationMs": None})
        self.check(self.one(outer(FULL, durationMs="7")), {"unmapped.properties.durationMs": 846544, "unmapped.durationMs": "7"})

    # ---- Nothing is lost ----

    def test_nothing_is_lost(self):
        said = {"time": "metadata.logged_time", "resourceId": "the tenant, and metadata.log_provider", "properties.tokenIssuedAt": "actor.session.created_time",
                "properties.scopes": "split"}
        self.nothing_lost(FULL, self.one(FULL), said)
        record = row(FULL)
        self.nothing_lost(record, self.one(record), {"TokenIssuedAt": "actor.session.created_time", "Scopes": "split", "_ResourceId": "the tenant",
                                                     })

    def test_an_unknown_field_is_kept_and_told(self):
        event = self.one(outer(full(newThing={"a": [1]}), outerThing="x"))
        self.check(event, {"unmapped.properties.newThing": {"a": [1]}, "unmapped.outerThing": "x"})
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {"newThing": 1, "outerThing": 1})

    def test_a_field_of_another_type_is_kept(self):
        event = self.one(full(requestUri=7, responseStatusCode="many", userId={"x": 1}, timeGenerated="soon", scopes=["a"]))
        self.check(event, {"unmapped.properties.requestUri": 7, "unmapped.properties.responseStatusCode": "many", "unmapped.properties.userId": {"x": 1},
                           "unmapped.properties.timeGenerated": "soon", "unmapped.properties.scopes": ["a"], "time": 1772449202644})

    # ---- The ways that records come ----

    def test_every_way_gives_the_same(self):
        wanted = core(self.one(FULL))
        for record in (outer(FULL, properties=json.dumps(FULL["properties"])), {k.upper(): v for k, v in FULL.items()}):
            self.assertEqual(core(self.one(record)), wanted)
        self.assertEqual(core(self.one(json.dumps({"records": [FULL]}))), wanted)
        flat = core(self.one(row(FULL)))
        for event in (wanted, flat):
            for name in ("logged_time", "log_level", "log_version", "correlation_uid", "event_code", "log_provider"):
                event["metadata"].pop(name, None)
        self.assertEqual(flat, wanted)

    # ---- What is no request ----

    def test_a_record_of_another_category_is_foreign(self):
        others = [outer(FULL, category="SignInLogs"), outer(FULL, category=None), {"a": 1}]
        events = self.read("".join(json.dumps(record) + "\n" for record in [FULL, *others]), code=3, alone=True)
        self.assertEqual(len(events), 1)
        self.assertEqual(self.stats()["parsers"][self.PARSER]["rejects"], 3)

    def test_a_cut_last_line_costs_itself(self):
        line = json.dumps(FULL)
        self.assertEqual(len(self.read(line + "\n" + line[:-40], code=3)), 1)

    def test_a_record_without_a_time_is_rejected(self):
        self.assertEqual(len(self.read(json.dumps(FULL) + "\n" + json.dumps(outer(full(timeGenerated=None), time="?")) + "\n", code=3)), 1)


if __name__ == "__main__":
    mapping.unittest.main()
