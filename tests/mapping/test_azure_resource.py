"""Any resource log that no other parser knows: what all have in common stands in attributes, everything else stays, and nobody else's record is taken."""
import copy
import json

import mapping
import test_azure_activity as activity
import test_azure_aks_audit as aks
import test_azure_appgw_waf as gateway
import test_azure_entra_audit as audit
import test_azure_entra_provisioning as provisioning
import test_azure_entra_risk as risk
import test_azure_entra_signin as signin
import test_azure_firewall as firewall
import test_azure_frontdoor as frontdoor
import test_azure_graph_activity as graph
import test_azure_keyvault as keyvault
import test_azure_sql_audit as sql
import test_azure_storage as storage
from mapping import core, outer

PROVIDERS = "/SUBSCRIPTIONS/99999999-0000-4000-8000-000000000009/RESOURCEGROUPS/RG1/PROVIDERS/"
SERVICE, SITE = PROVIDERS + "MICROSOFT.SEARCH/SEARCHSERVICES/S1", PROVIDERS + "MICROSOFT.WEB/SITES/APP1"
OID, UPN = "00000000-aaaa-4000-8000-00000000000a", "ada@example.com"
CALL = {
    "time": "2026-03-02T17:10:00.1234567Z", "resourceId": SERVICE, "operationName": "Microsoft.Search/searchServices/indexes/read", "operationVersion": "2024-07-01",
    "category": "OperationLogs", "resultType": "Success", "resultSignature": "200", "resultDescription": "as asked", "durationMs": 41,
    "callerIpAddress": "203.0.113.9:51000", "correlationId": "c0000000-0000-4000-8000-000000000011", "level": "Informational", "location": "West Europe",
    "identity": {"claims": {"http://schemas.microsoft.com/identity/claims/objectidentifier": OID, "upn": UPN, "name": "Ada", "appid": "app-1", "tid": "t-1",
                            "aud": "https://search.azure.com"}, "authorization": {"scope": "/x"}},
    "properties": {"Description": "GET /indexes", "userAgent": "azsdk", "Documents": 7, "deep": {"er": [1, {"text": "x"}]}},
}
# Neither an operation nor anybody who asked.
STRANGE = {"time": "2026-03-02T17:12:00Z", "resourceId": PROVIDERS + "CONTOSO.STRANGE/THINGS/T1", "category": "StrangeLog", "eventIndex": 7,
           "properties": {"a": 1, "deep": {"er": {"text": "x", "zero": 0, "no": False}}, "clientIp": "203.0.113.9", "user": UPN, "list": [1, "two"]}}
HTTP = {"time": "2026-03-02T17:00:00Z", "resourceId": SITE, "category": "AppServiceHTTPLogs", "EventStampName": "waws-1", "Host": "rd0",
        "properties": {"CsHost": "app1.example.com:443", "CIp": "203.0.113.5", "CsBytes": 815, "CsMethod": "GET", "CsUriQuery": "u=a", "CsUriStem": "/login",
                       "CsUsername": UPN, "Referer": "https://www.example.com/", "ScBytes": 3100, "ScStatus": 200, "ScSubStatus": "0", "SPort": "443", "TimeTaken": 31,
                       "UserAgent": "curl/8", "Protocol": "HTTP/1.1", "ComputerName": "lw0"}}
LOGIN = {"time": "2026-03-02T17:05:00Z", "resourceId": SITE, "category": "AppServiceAuditLogs", "operationName": "Authorization",
         "properties": {"User": UPN, "UserDisplayName": "Ada", "UserAddress": "198.51.100.24", "Protocol": "FTP"}}
FUNCTION = {"time": "2026-03-02T17:06:00.5Z", "resourceId": SITE, "category": "FunctionAppLogs", "operationName": "Microsoft.Web/sites/functions/log",
            "level": "Informational"}


def within(record, **changes):
    record = copy.deepcopy(record)
    record["properties"] = outer(record["properties"], **changes)
    return record


class Resource(mapping.Mapping):
    PARSER = "azure.resource"

    # ---- Every row of the mapping ----

    def test_what_every_azure_event_has(self):
        self.check(self.one(CALL), {
            "time": 1772471400123, "metadata.original_time": CALL["time"], "metadata.product.name": "MICROSOFT.SEARCH", "metadata.product.vendor_name": "Microsoft",
            "metadata.profiles": ["cloud"], "metadata.log_name": "OperationLogs", "metadata.log_provider": "MICROSOFT.SEARCH", "metadata.log_level": "Informational",
            "metadata.log_version": "2024-07-01", "metadata.correlation_uid": CALL["correlationId"], "metadata.event_code": CALL["operationName"],
            "cloud.provider": "Azure", "cloud.account.uid": "99999999-0000-4000-8000-000000000009", "cloud.account.type_id": 13, "cloud.region": "westeurope",
            "duration": 41})
        self.check(self.one(outer(CALL, resourceId=None)), {"metadata.product.name": "Azure", "cloud.account": None, "resources": None})

    def test_an_operation_with_somebody_who_asked_is_a_call(self):
        bare = outer(CALL, callerIpAddress=None, identity=None)
        self.check(self.one(CALL), {"class_uid": 6003})
        for record in (outer(bare, callerIpAddress="203.0.113.9"), outer(bare, identity={"x": 1}), outer(bare, identity=UPN), within(bare, userName=UPN),
                       within(bare, clientIp="203.0.113.9"), outer(bare, caller=UPN)):
            self.check(self.one(record), {"class_uid": 6003})
        for record in (bare, outer(bare, identity={}), outer(bare, identity=""), outer(CALL, operationName=None)):
            self.check(self.one(record), {"class_uid": 0, "activity_id": 99, "type_uid": 99})

    def test_an_error_with_a_message_is_an_application_error(self):
        for level, of in (("Error", 6008), ("Critical", 6008), ("2", 6008), (1, 6008), ("Warning", 0), ("Informational", 0), (None, 0)):
            event = self.one(outer(within(STRANGE, message="it broke"), level=level))
            self.check(event, {"class_uid": of, "activity_id": 1 if of else 99, "message": "it broke"})
        self.check(self.one(outer(STRANGE, level="Error")), {"class_uid": 0, "severity_id": 4})

    def test_the_last_part_of_the_operation_chooses_the_activity(self):
        for operation, activity in {"Microsoft.X/y/read": 2, "Microsoft.X/y/List": 2, "Get": 2, "Microsoft.X/y/write": 1, "Create": 1, "x/Put": 1, "Update": 3, "Patch": 3,
                                    "Set": 3, "Microsoft.X/y/DELETE": 4, "Remove": 4, "ListKeys": 2, "Delete EventHub": 4, "Indexes.Get": 2,
                                    "Microsoft.X/y/list/action": 2}.items():
            self.check(self.one(outer(CALL, operationName=operation)), {"activity_id": activity, "api.operation": operation})
        for operation in ("MICROSOFT.X/SETTINGS", "MICROSOFT.X/LISTENERS", "MICROSOFT.X/GETAWAY/ACTION"):
            self.check(self.one(outer(CALL, operationName=operation)), {"activity_id": 99})
        for operation in ("MICROSOFT.X/LIST", "LIST KEYS", "listKeys"):
            self.check(self.one(outer(CALL, operationName=operation)), {"activity_id": 2})
        for operation, word in {"Job": "Job", "Microsoft.X/y/run/action": "run", "Setup": "Setup", "Listen": "Listen"}.items():
            self.check(self.one(outer(CALL, operationName=operation)), {"activity_id": 99, "activity_name": word})

    def test_the_result(self):
        for word, status in (("Success", 1), ("Succeeded", 1), ("completed", 1), ("OK", 1), ("200", 1), (204, 1), (0, 1), ("Failure", 2), ("FAILED", 2), ("Error", 2),
                             ("404", 2), (500, 2)):
            self.check(self.one(outer(CALL, resultType=word, resultSignature=None)), {"status_id": status, "status_code": None})
        self.check(self.one(outer(CALL, resultType="Started", resultSignature=None)), {"status_id": 99, "status": "Started"})
        self.check(self.one(outer(CALL, resultType="Started", resultSignature="403")), {"status_id": 2, "status_code": "403", "unmapped.resultType": "Started"})
        self.check(self.one(outer(within(CALL, statusCode=404), resultType=None, resultSignature=None)),
                   {"status_id": 2, "status_code": "404", "api.response.code": 404, "http_response.code": 404})
        self.check(self.one(outer(within(CALL, httpStatusCode="many"), resultType=None, resultSignature="Forbidden")),
                   {"status_id": None, "status_code": "Forbidden", "api.response": None, "unmapped.properties.httpStatusCode": "many"})

    def test_a_code_of_failure_beats_a_word_of_success(self):
        for record in (outer(CALL, resultSignature="403"), outer(within(CALL, statusCode=403), resultSignature=None)):
            self.check(self.one(record), {"status_id": 2, "status_code": "403", "unmapped.resultType": "Success"})
        self.check(self.one(outer(within(CALL, statusCode=200), resultType="Failed")), {"status_id": 2, "unmapped.resultType": None})

    def test_levels(self):
        for level, severity in (("Informational", 1), ("Verbose", 1), (4, 1), ("4", 1), (None, 1), ("Warning", 3), ("Error", 4), ("Critical", 5)):
            self.check(self.one(outer(CALL, level=level)), {"severity_id": severity})
        self.check(self.one(outer(CALL, level="Loud")), {"severity_id": 99, "severity": "Loud"})

    def test_the_message(self):
        self.check(self.one(CALL), {"message": "as asked", "status_detail": None})
        for name in ("message", "Msg", "log", "Text"):
            self.check(self.one(within(CALL, **{name: "hello"})), {"message": "hello", "status_detail": "as asked"})
        self.check(self.one(within(CALL, message="hello", log="again", msg="hello")), {"unmapped.properties.log": "again", "unmapped.properties.msg": None})

    def test_who_asked(self):
        self.check(self.one(CALL), {"actor.user.uid": OID, "actor.user.name": UPN, "actor.user.email_addr": UPN, "actor.app_uid": "app-1", "actor.idp.tenant_uid": "t-1",
                                    "unmapped.identity.claims.aud": "https://search.azure.com", "unmapped.identity.authorization.scope": "/x",
                                    "unmapped.identity.name": "Ada"})
        self.assertEqual(self.one(outer(CALL, identity=json.dumps(CALL["identity"])))["actor"], self.one(CALL)["actor"])
        event = self.one(outer(CALL, identity=json.dumps(CALL["identity"])))
        self.check(event, {"unmapped.identity.authorization.scope": "/x", "actor.user.name": UPN})
        self.check(self.one(outer(STRANGE, identity='{"claims":{"upn":"x"}}')), {"unmapped.identity": '{"claims":{"upn":"x"}}'})
        bare = outer(CALL, identity=None)
        for name in ("user", "UserName", "UPN", "caller", "principal", "email"):
            self.check(self.one(within(bare, **{name: UPN})), {"actor.user.name": UPN, "actor.user.email_addr": UPN, f"unmapped.properties.{name}": None})
        self.check(self.one(within(bare, user=OID)), {"actor.user.uid": OID, "actor.user.name": None})
        self.check(self.one(outer(bare, identity="joan")), {"actor.user.name": "joan", "actor.user.email_addr": None})
        self.check(self.one(within(CALL, user="joan")), {"actor.user.name": UPN, "unmapped.properties.user": "joan"})
        self.check(self.one(bare), {"actor": {"app_name": "MICROSOFT.SEARCH"}})

    def test_an_identity_that_stands_there_twice_is_kept(self):
        line = json.dumps(outer(CALL, identity={"claims": {"upn": "joan@example.com"}}))
        self.check(self.one(line[:-1] + ', "identity": {"claims": {"upn": "ada@example.com"}}}'),
                   {"actor.user.name": UPN, "unmapped.identity": {"claims": {"upn": "joan@example.com"}}})

    def test_where_from(self):
        self.check(self.one(CALL), {"src_endpoint.ip": "203.0.113.9", "src_endpoint.port": 51000})
        bare = outer(CALL, callerIpAddress=None)
        for name in ("clientIp", "callerIp", "IPAddress", "remoteAddr", "sourceIP", "CIp"):
            self.check(self.one(within(bare, **{name: "2001:db8::1"})), {"src_endpoint.ip": "2001:db8::1", f"unmapped.properties.{name}": None})
        self.check(self.one(within(bare, clientIp="somewhere")), {"src_endpoint": {"svc_name": "MICROSOFT.SEARCH"}, "unmapped.properties.clientIp": "somewhere"})
        self.check(self.one(outer(within(CALL, clientIp="198.51.100.1"), callerIpAddress="unknown")),
                   {"src_endpoint": {"ip": "198.51.100.1"}, "unmapped.callerIpAddress": "unknown", "unmapped.properties.clientIp": None})
        self.check(self.one(within(bare, clientIp="unknown", remoteAddr="198.51.100.1")), {"src_endpoint.ip": "198.51.100.1", "unmapped.properties.clientIp": "unknown"})
        self.check(self.one(within(CALL, clientIp="198.51.100.1")), {"src_endpoint.ip": "203.0.113.9", "unmapped.properties.clientIp": "198.51.100.1"})

    def test_the_resource(self):
        self.check(self.one(CALL), {"resources.0.uid": SERVICE, "resources.0.uid_alt": SERVICE.lower(), "resources.0.name": "S1",
                                    "resources.0.type": "MICROSOFT.SEARCH/SEARCHSERVICES", "resources.0.group.name": "RG1"})
        self.check(self.one(outer(CALL, resourceId=SERVICE.lower())), {"resources.0.uid_alt": SERVICE.lower()})
        self.check(self.one(STRANGE), {"unmapped.resourceId": STRANGE["resourceId"]})

    # ---- App Service ----

    def test_a_request_to_a_site(self):
        self.check(self.one(HTTP), {
            "class_uid": 4002, "activity_id": 3, "http_request.http_method": "GET", "http_request.url.path": "/login", "http_request.url.query_string": "u=a",
            "http_request.url.hostname": "app1.example.com", "http_request.user_agent": "curl/8", "http_request.referrer": "https://www.example.com/",
            "http_request.version": "1.1", "http_response.code": 200, "src_endpoint.ip": "203.0.113.5", "dst_endpoint.hostname": "app1.example.com",
            "dst_endpoint.port": 443, "traffic.bytes_out": 815, "traffic.bytes_in": 3100, "duration": 31, "actor.user.name": UPN, "status_id": 1, "status_code": "200",
            "severity_id": 1, "unmapped.EventStampName": "waws-1", "unmapped.properties.ScSubStatus": "0"})
        for method, activity in {"HEAD": 4, "post": 6, "DELETE": 2, "PROPFIND": 99}.items():
            self.check(self.one(within(HTTP, CsMethod=method)), {"activity_id": activity, "http_request.http_method": method.upper()})
        self.check(self.one(within(HTTP, ScStatus=503)), {"status_id": 2})
        self.check(self.one(within(HTTP, CsHost=None)), {"dst_endpoint": None, "unmapped.properties.SPort": "443"})
        self.check(self.one(within(HTTP, CsMethod=None, CsUriStem=None, ScStatus=None)), {"class_uid": 0})
        flat = outer({k: v for k, v in HTTP.items() if k not in ("time", "category", "properties", "resourceId")} | HTTP["properties"], TimeGenerated=HTTP["time"],
                     Type="AppServiceHTTPLogs", _ResourceId=SITE)
        self.assertEqual(core(self.one(flat)), core(self.one(HTTP)))

    def test_a_request_without_a_path_has_no_url(self):
        event = self.one(within(HTTP, CsUriStem=None))
        self.check(event, {"class_uid": 4002, "http_request.url": None, "dst_endpoint.hostname": "app1.example.com", "unmapped.properties.CsUriQuery": "u=a"})

    def test_two_ports_that_differ_are_both_kept(self):
        self.check(self.one(within(HTTP, CsHost="h.example.com:8080")), {"dst_endpoint.port": 443, "dst_endpoint.hostname": "h.example.com",
                                                                          "unmapped.properties.CsHost": "h.example.com:8080"})
        self.check(self.one(within(HTTP, CsHost="h.example.com:8080", SPort=None)), {"dst_endpoint.port": 8080, "unmapped.properties.CsHost": None})

    def test_what_stays_is_of_the_type_it_was(self):
        properties = {"SPort": 443, "user": True, "clientIp": 7, "TimeTaken": 1.5, "CsHost": "443"}
        self.assertEqual(self.one(outer(STRANGE, properties=properties))["unmapped"]["properties"], properties)

    def test_the_location_of_a_tenant_is_no_region(self):
        self.check(self.one(outer(CALL, resourceId="/tenants/11111111-2222-3333-4444-555555555555/providers/Microsoft.X", location="DE")),
                   {"cloud.region": None, "unmapped.location": "DE"})

    def test_a_login_to_publish(self):
        self.check(self.one(LOGIN), {"class_uid": 3002, "activity_id": 1, "user.name": UPN, "user.email_addr": UPN, "user.display_name": "Ada",
                                     "src_endpoint.ip": "198.51.100.24", "auth_protocol": "FTP", "auth_protocol_id": 99, "service.name": "APP1", "service.uid": SITE,
                                     "status_id": None})
        self.check(self.one(within(LOGIN, User=None)), {"class_uid": 6003})

    def test_what_a_site_writes_is_a_message(self):
        for category in ("AppServiceConsoleLogs", "AppServiceAppLogs"):
            self.check(self.one(outer(STRANGE, category=category, level="Error", resultDescription="Listening on port 80", operationName="Microsoft.Web/sites/log")),
                       {"class_uid": 0, "message": "Listening on port 80", "activity_name": "Microsoft.Web/sites/log", "severity_id": 4})

    def test_functions_write_single_quotes(self):
        wanted = {"class_uid": 0, "message": "Executing 'Functions.F' (Reason='it was \"called\"', Id=1)", "unmapped.properties.appName": "app1",
                  "unmapped.properties.levelId": 2}
        inner = "{'appName':'app1', 'message':'Executing 'Functions.F' (Reason='it was \"called\"', Id=1)','levelId':2,'none':null}"
        line = json.dumps(FUNCTION)[:-1] + f', "properties": {inner}}}'
        self.check(self.one(outer(FUNCTION, properties=inner)), wanted)
        self.check(self.one(line), wanted)
        self.check(self.one(outer(FUNCTION, properties={"appName": "app1", "message": wanted["message"], "levelId": 2})), wanted)
        self.check(self.one(outer(FUNCTION, properties="{'message':'it\\'s \\d\\n',\"appName\":'app1','levelId':2}")), wanted | {"message": "it's \\d\n"})
        self.check(self.one(outer(FUNCTION, properties="{'message':'a\nb','appName':'app1','levelId':2}")), wanted | {"message": "a\nb"})
        # What is none even so stays text.
        for text in ("{'a': broken", "{'a':'b'", "no object", "{\"a\":1", "['a']"):
            self.check(self.one(outer(FUNCTION, properties=text)), {"unmapped.properties": text, "message": None})
        # A second such text does not take what was read of the first one.
        second = "{'appName':'" + "y" * 500 + "'}"
        self.check(self.one(outer(FUNCTION, properties=inner, AdditionalFields=second)), wanted | {"unmapped.AdditionalFields": second})
        # In the midst of others, too.
        events = self.read("".join(text + "\n" for text in (json.dumps(STRANGE), line, json.dumps(HTTP))))
        self.check(events[1], wanted)
        self.read(line[:-1] + "\n" + json.dumps(STRANGE) + "\n", code=3, alone=True)

    # ---- Nothing is lost ----

    def test_an_unknown_category_keeps_every_field(self):
        event = self.one(STRANGE)
        self.check(event, {"class_uid": 0, "type_uid": 99, "activity_name": "StrangeLog", "unmapped": {
            "eventIndex": 7, "resourceId": STRANGE["resourceId"], "properties": STRANGE["properties"]}})
        self.nothing_lost(STRANGE, event)
        self.assertFalse([value for _, value in mapping.leaves(event) if value in ("", "-", None)])
        self.assertFalse(self.stats()["parsers"][self.PARSER].get("drift"))
        none = {"time": STRANGE["time"], "resourceId": STRANGE["resourceId"], "category": "X", "a": "", "b": None, "c": "-", "d": {}, "e": [], "properties": {}}
        self.assertEqual(set(self.one(none)["unmapped"]), {"resourceId"})

    def test_nothing_is_lost(self):
        self.nothing_lost(CALL, self.one(CALL), {"location": "cloud.region", "resultType": "status_id", "callerIpAddress": "split"})
        self.nothing_lost(HTTP, self.one(HTTP), {"properties.CsHost": "split", "properties.Protocol": "http_request.version"})
        self.nothing_lost(LOGIN, self.one(LOGIN))
        full = within(STRANGE, **{k: f"IS {k.upper()}" for k in ("user", "UserDisplayName", "clientIp", "statusCode", "userAgent", "CsMethod", "CsUriStem", "CsUriQuery", "CsHost",
                                                         "SPort", "Protocol", "Referer", "ScBytes", "CsBytes", "TimeTaken", "CsUsername", "message")})
        record = outer(full, operationVersion="v1", resultType="Paused", resultSignature="sig", resultDescription="desc", durationMs="long", callerIpAddress="203.0.113.1",
                       correlationId="c-1", level="Loud", identity={"a": 1}, tenantId="t-1", type="thing")
        for category in ("StrangeLog", "AppServiceHTTPLogs", "AppServiceAuditLogs", "AppServiceAppLogs"):
            for operation in (None, "Do"):
                for level in ("Loud", "Error"):
                    one = outer(record, category=category, operationName=operation, level=level)
                    self.nothing_lost(one, self.one(one))
        text = outer(record, identity="somebody")
        self.nothing_lost(text, self.one(text))

    # ---- The ways that records come ----

    def test_every_way_gives_the_same(self):
        wanted = core(self.one(CALL))
        for record in (outer(CALL, properties=json.dumps(CALL["properties"])), {k.upper(): v for k, v in CALL.items()},
                       outer({k: v for k, v in CALL.items() if k != "time"}, timeStamp=CALL["time"])):
            self.assertEqual(core(self.one(record)), wanted)
        self.assertEqual(core(self.one(json.dumps({"records": [CALL]}))), wanted)
        self.assertEqual(core(self.one(json.dumps([{"records": [CALL]}]))), wanted)

    def test_times(self):
        for text, time in (("2026-03-02T17:10:00Z", 1772471400000), ("2026-03-02T17:10:00.12+00:00", 1772471400120), ("2026-03-02T19:10:00+02:00", 1772471400000),
                           ("3/2/2026 5:10:00 PM", 1772471400000), (1772471400000, 1772471400000)):
            self.check(self.one(outer(CALL, time=text)), {"time": time, "metadata.original_time": str(text)})

    def test_a_row_of_any_table_is_read(self):
        row = {"TimeGenerated": "2026-03-02T17:20:00.868Z", "Computer": "vm1", "Direction": "outbound", "SourceIp": "10.0.0.5", "BytesSent": 129, "TenantId": "w-1",
               "Type": "VMConnection", "_ResourceId": "/subscriptions/s/resourcegroups/g/providers/microsoft.compute/virtualmachines/vm1"}
        event = self.one(row)
        self.check(event, {"class_uid": 0, "metadata.log_name": "VMConnection", "metadata.log_provider": "microsoft.compute", "cloud.account.uid": "s",
                           "cloud.org": None, "unmapped.TenantId": "w-1", "unmapped.SourceIp": "10.0.0.5"})
        self.nothing_lost(row, event)

    def test_a_row_of_azurediagnostics_is_its_categorys(self):
        row = {"TimeGenerated": "2026-03-02T17:21:00Z", "ResourceId": SERVICE, "Category": "JobLogs", "ResourceProvider": "MICROSOFT.AUTOMATION", "OperationName": "Job",
               "ResultType": "Completed", "RunbookName_s": "rb1", "Caller_s": UPN, "statusCode_d": 200.0, "clientIp_s": "203.0.113.9", "TenantId": "w-1",
               "AdditionalFields": {"message": "hello", "x": 1}, "Type": "AzureDiagnostics", "_ResourceId": SERVICE.lower()}
        event = self.one(row)
        self.check(event, {"class_uid": 6003, "metadata.log_name": "JobLogs", "actor.user.name": UPN, "api.response.code": 200, "status_code": "200",
                           "src_endpoint.ip": "203.0.113.9", "message": "hello", "unmapped.Type": "AzureDiagnostics", "unmapped.RunbookName_s": "rb1",
                           "unmapped.AdditionalFields": {"x": 1}})
        self.nothing_lost(row, event, {"ResultType": "status_id", "statusCode_d": "api.response.code"})

    # ---- Whose records are whose ----

    def mixed(self, records):
        self.write("mixed", records)
        events = self.events("mixed", "--stats", "stats.json", "--validate", "full")
        return {event["metadata"]["log_name"]: event["lineage"]["parser"].split()[0] for event in events}

    def test_what_others_know_is_theirs_whoever_comes_first(self):
        theirs = [signin.full(), graph.FULL, keyvault.FULL, storage.TOKEN]
        wanted = {"SignInLogs": "azure.entra_signin", "MicrosoftGraphActivityLogs": "azure.graph_activity", "AuditEvent": "azure.keyvault",
                  "StorageRead": "azure.storage", "OperationLogs": "azure.resource", "StrangeLog": "azure.resource"}
        for records in ([CALL, *theirs, STRANGE], [*theirs, CALL, STRANGE], [theirs[0], STRANGE, CALL, *theirs[1:]]):
            for content in (json.dumps({"records": records}), "".join(json.dumps(r) + "\n" for r in records), json.dumps([{"records": [r]} for r in records])):
                self.assertEqual(self.mixed(content), wanted)

    def test_single_quotes_in_the_midst_of_another_source(self):
        line = json.dumps(FUNCTION)[:-1] + ', "properties": {\'message\':\'hello\'}}'
        for record in (keyvault.FULL, signin.full(), graph.FULL, storage.TOKEN, activity.CALL, audit.FULL, provisioning.FULL, risk.event(), gateway.ACCESS, frontdoor.ACCESS,
                       firewall.log("AZFWNetworkRule", firewall.NETWORK), sql.RECORD, aks.record()):
            for content in (json.dumps(record) + "\n" + line + "\n", f'{{"records":[{json.dumps(record)},{line}]}}'):
                self.assertEqual(self.mixed(content)["FunctionAppLogs"], "azure.resource")

    def test_a_category_of_another_provider_is_no_key_vaults(self):
        self.check(self.one(outer(CALL, category="AuditEvent")), {"metadata.log_name": "AuditEvent", "metadata.product.name": "MICROSOFT.SEARCH"})

    def test_what_is_no_resource_log_is_nobodys(self):
        for record in ({"a": 1}, {"time": CALL["time"], "level": "Error", "category": "db", "message": "not of Azure"}, {"time": CALL["time"], "properties": {}},
                       {"category": "X", "operationName": "Y", "resourceId": SERVICE}):
            self.write("x", json.dumps(record) + "\n")
            self.events("x", "--stats", "stats.json", code=3)
            self.assertNotIn(self.PARSER, self.stats()["parsers"])
        self.read(json.dumps(CALL) + "\n" + json.dumps({"a": 1}) + "\n", code=3, alone=True)
        self.assertEqual(self.stats()["parsers"][self.PARSER]["rejects"], 1)

    def test_a_record_without_a_time_is_rejected(self):
        self.assertEqual(len(self.read(json.dumps(CALL) + "\n" + json.dumps(outer(CALL, time="?")) + "\n", code=3)), 1)


if __name__ == "__main__":
    mapping.unittest.main()
