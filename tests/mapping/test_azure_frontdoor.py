"""Front Door: which field of its access, firewall and probe logs stands in which attribute, and that none is lost."""
import copy
import json

import mapping
from mapping import at

SUBSCRIPTION = "99999999-0000-4000-8000-000000000009"
CLASSIC = f"/SUBSCRIPTIONS/{SUBSCRIPTION}/RESOURCEGROUPS/RG1/PROVIDERS/MICROSOFT.NETWORK/FRONTDOORS/FD1"
PROFILE = f"/SUBSCRIPTIONS/{SUBSCRIPTION}/RESOURCEGROUPS/RG1/PROVIDERS/MICROSOFT.CDN/PROFILES/FD2"
ACCESS = {
    "category": "FrontDoorAccessLog", "operationName": "Microsoft.Cdn/Profiles/AccessLog/Write", "resourceId": PROFILE, "time": "2026-03-02T20:03:09.8128356Z",
    "properties": {"trackingReference": "0abc", "httpMethod": "POST", "httpVersion": "2.0.0.0", "requestUri": "https://www.example.com:443/a/b?x=1", "requestBytes": "2545", "responseBytes": "1205",
                   "userAgent": "curl/8", "clientIp": "198.51.100.142", "clientPort": "50382", "socketIp": "198.51.100.142", "timeTaken": "0.384", "timeToFirstByte": "0.380", "requestProtocol": "HTTPS",
                   "securityProtocol": "TLS 1.2", "securityCipher": "ECDHE-RSA-AES256-GCM-SHA384", "securityCurves": "0x001d", "httpStatusCode": "200", "httpStatusDetails": "200", "pop": "SIN",
                   "cacheStatus": "CONFIG_NOCACHE", "errorInfo": "NoError", "originUrl": "https://origin.example.com:443/a/b?x=1", "originIp": "192.0.2.4:443", "originName": "origin.example.com:443",
                   "originStatusCode": "200", "hostName": "www.example.com", "endpoint": "e1.z01.azurefd.net", "sni": "sni.example.com", "routingRuleName": "erp", "rulesEngineMatchNames": [],
                   "matchedRulesSetName": "set-1", "isReceivedFromClient": True, "referer": "https://app.example.com/", "clientCountry": "NZ", "clientJA4FingerPrint": "t13d1516h2_8daaf6152771_e5627efa2ab1",
                   "result": "N/A"},
}
OLD = {
    "category": "FrontdoorAccessLog", "operationName": "Microsoft.Network/FrontDoor/AccessLog/Write", "resourceId": CLASSIC, "time": "2026-03-02T20:03:09.8128356Z",
    "properties": {"ErrorInfo": "NoError", "backendHostname": "backend.example.net:443", "cacheStatus": "CONFIG_NOCACHE", "clientIp": "198.51.100.128", "clientPort": "50382", "httpMethod": "GET",
                   "httpStatusCode": "200", "httpVersion": "1.1.0.0", "isReceivedFromClient": True, "pop": "SIN", "requestBytes": "25", "requestProtocol": "HTTPS",
                   "requestUri": "https://erp.example.com:443/a", "responseBytes": "12", "routingRuleName": "erp", "rulesEngineMatchNames": ["m1"], "securityProtocol": "TLS 1.2",
                   "socketIp": "203.0.113.9", "timeTaken": "0.0004", "timeToFirstByte": "0.0", "trackingReference": "0def", "userAgent": ""},
}
WAF = {
    "category": "FrontdoorWebApplicationFirewallLog", "operationName": "Microsoft.Network/FrontDoor/WebApplicationFirewallLog/Write", "resourceId": CLASSIC, "time": "2026-03-02T20:03:09.8128356Z",
    "properties": {"action": "Block", "clientIP": "198.51.100.142", "clientPort": "59781", "details": {"data": "Matched Data: {\"a\":\"b\" found within CookieValue:x", "msg": "SQL injection probing",
                   "matches": [{"matchVariableName": "CookieValue:x", "matchVariableValue": "{\"a\":\"b\""}]}, "host": "erp.example.com", "policy": "waf2", "policyMode": "prevention",
                   "requestUri": "https://erp.example.com:443/a?x=1", "ruleName": "DefaultRuleSet-1.0-SQLI-942330", "socketIP": "203.0.113.142", "trackingReference": "0abc"},
}
PROBE = {
    "category": "FrontDoorHealthProbeLog", "operationName": "Microsoft.Cdn/Profiles/FrontDoorHealthProbeLog/Write", "resourceId": PROFILE, "time": "2026-03-02T20:03:09Z",
    "properties": {"healthProbeId": "259ffc38", "pop": "AMS", "httpVerb": "HEAD", "result": "OriginError", "httpStatusCode": "404", "probeUrl": "http://origin.example.com:80/health",
                   "originName": "origin.example.com", "originIP": "192.0.2.4", "totalLatencyMilliseconds": "142", "connectionLatencyMilliseconds": "71", "DNSLatencyMicroseconds": "2000"},
}


def less(base, *names, **properties):
    whole = {key: value for key, value in copy.deepcopy(base).items() if key not in names}
    whole["properties"] = {key: value for key, value in (whole["properties"] | properties).items() if value is not None}
    return whole


class Frontdoor(mapping.Mapping):
    PARSER = "azure.frontdoor"

    # ---- Every row of the mapping ----

    def test_the_request_and_the_response(self):
        self.check(self.one(ACCESS), {
            "class_uid": 4002, "activity_id": 6, "time": 1772481789812, "metadata.original_time": "2026-03-02T20:03:09.8128356Z", "severity_id": 1, "status_id": 1, "status_detail": None, "duration": 384,
            "http_request": {"http_method": "POST", "version": "2.0", "user_agent": "curl/8", "referrer": "https://app.example.com/", "uid": "0abc", "length": 2545,
                             "url": {"url_string": "https://www.example.com:443/a/b?x=1", "scheme": "https", "hostname": "www.example.com", "port": 443, "path": "/a/b", "query_string": "x=1"}},
            "http_response": {"code": 200, "length": 1205, "latency": 380}, "traffic": {"bytes_out": 2545, "bytes_in": 1205},
            "tls": {"version": "TLSv1.2", "cipher": "ECDHE-RSA-AES256-GCM-SHA384", "sni": "sni.example.com"}, "unmapped.properties.requestProtocol": None,
            "ja4_fingerprint_list": [{"type_id": 1, "type": "JA4", "value": "t13d1516h2_8daaf6152771_e5627efa2ab1"}], "unmapped.properties.pop": "SIN"})

    def test_who_asked_whom(self):
        self.check(self.one(ACCESS), {
            "src_endpoint": {"ip": "198.51.100.142", "port": 50382, "location": {"country": "NZ"}}, "http_request.x_forwarded_for": None, "connection_info.direction_id": 1,
            "dst_endpoint": {"uid": PROFILE.lower(), "hostname": "www.example.com", "proxy_endpoint": {"ip": "192.0.2.4", "port": 443, "hostname": "origin.example.com"}}})
        self.check(self.one(OLD), {"dst_endpoint": {"uid": CLASSIC.lower(), "hostname": "erp.example.com", "port": 443, "proxy_endpoint": {"hostname": "backend.example.net", "port": 443}}})

    def test_a_backend_is_behind_something(self):
        event = self.one(less(OLD, "resourceId", requestUri="/a"))
        self.check(event, {"dst_endpoint": None, "http_request.url": {"path": "/a"}, "unmapped.properties.backendHostname": "backend.example.net:443"})

    def test_a_client_that_a_header_names_is_not_the_one_of_the_connection(self):
        self.check(self.one(OLD), {"src_endpoint": {"ip": "203.0.113.9"}, "http_request.x_forwarded_for": ["198.51.100.128"], "unmapped.properties.clientPort": "50382"})
        self.check(self.one(less(OLD, socketIp=None)), {"src_endpoint": {"ip": "198.51.100.128", "port": 50382}, "http_request.x_forwarded_for": None})
        self.check(self.one(less(OLD, clientIp="nobody")), {"src_endpoint": {"ip": "203.0.113.9"}, "http_request.x_forwarded_for": None, "unmapped.properties.clientIp": "nobody"})
        self.check(self.one(less(OLD, clientIp="2001:db8::1", socketIp="2001:db8::2")), {"src_endpoint.ip": "2001:db8::2", "http_request.x_forwarded_for": ["2001:db8::1"]})

    def test_an_unknown_peer_hides_no_client(self):
        self.check(self.one(less(OLD, socketIp="unknown")), {"src_endpoint": {"ip": "198.51.100.128", "port": 50382}, "http_request.x_forwarded_for": None, "unmapped.properties.socketIp": "unknown"})
        self.check(self.one(less(OLD, socketIp="203.0.113.9:77", clientIp="198.51.100.128:88")), {
            "src_endpoint": {"ip": "203.0.113.9"}, "http_request.x_forwarded_for": ["198.51.100.128"], "unmapped.properties.socketIp": "203.0.113.9:77",
            "unmapped.properties.clientIp": "198.51.100.128:88"})
        self.check(self.one(less(OLD, socketIp="2001:DB8::1", clientIp="2001:db8::1")), {"src_endpoint": {"ip": "2001:db8::1", "port": 50382}, "http_request.x_forwarded_for": None})

    def test_a_verdict_without_a_request_is_kept(self):
        verdict = {"action": "Block", "clientIP": "198.51.100.142", "details": {"msg": "m", "matches": WAF["properties"]["details"]["matches"]}, "policyMode": "detection", "ruleName": "r"}
        for properties in (verdict, json.dumps(verdict), verdict | {"socketIP": "198.51.100.142"}, verdict | {"socketIP": "unknown"}):
            event = self.one(WAF | {"properties": properties})
            verdict = properties if isinstance(properties, dict) else verdict
            self.check(event, {"class_uid": 0, "activity_id": 99, "activity_name": "Firewall", "severity_id": 3, "unmapped.properties": verdict})

    def test_of_a_match_with_two_names_both_stay(self):
        twice = json.dumps(WAF).replace('"matchVariableName": "CookieValue:x"', '"matchVariableName": "first", "matchVariableName": "second"')
        event = self.one(twice)
        self.check(event, {"firewall_rule.match_location": "second", "unmapped.properties.details.matches.0.matchVariableName": "second"})  # of the whole list, as it stands

    def test_statuses(self):
        for code, status in (("200", 1), (304, 1), ("404", 2), ("503", 2)):
            self.check(self.one(less(ACCESS, httpStatusCode=code)), {"status_id": status, "http_response.code": int(code)})
        self.check(self.one(less(ACCESS, httpStatusCode="0", errorInfo="ClientDisconnected")), {
            "status_id": 2, "status_detail": "ClientDisconnected", "http_response": None, "unmapped.properties.httpStatusCode": "0", "unmapped.properties.timeToFirstByte": "0.380"})

    def test_times_below_a_millisecond_are_no_durations(self):
        self.check(self.one(OLD), {"duration": None, "unmapped.properties.timeTaken": "0.0004", "http_response.latency": None, "unmapped.properties.timeToFirstByte": "0.0", "http_request.version": "1.1"})

    def test_an_sni_without_a_version_is_no_tls(self):
        self.check(self.one(less(ACCESS, securityProtocol="")), {"tls": None, "unmapped.properties.sni": "sni.example.com"})

    # ---- The firewall ----

    def test_what_the_firewall_did(self):
        for action, mode, wanted in (("Block", "prevention", (2, 2, 2, 3)), ("block", "detection", (3, 15, None, 3)), ("Allow", "prevention", (1, 1, 1, 1)), ("Log", "prevention", (3, 17, None, 2)),
                                     ("AnomalyScoring", "prevention", (3, 17, None, 2)), ("logandscore", "detection", (3, 17, None, 2)), ("JSChallengeIssued", "prevention", (2, 23, 2, 3)),
                                     ("JSChallengeBlock", "prevention", (2, 2, 2, 3)), ("JSChallengePass", "prevention", (1, 1, 1, 1)), ("Block", None, (2, 2, 2, 3))):
            event = self.one(less(WAF, action=action, policyMode=mode))
            self.check(event, dict(zip(("action_id", "disposition_id", "status_id", "severity_id"), wanted)))
            self.check(event, {"unmapped.properties.policyMode": mode})
        self.check(self.one(less(WAF, action="Redirect")), {"action_id": 99, "action": "Redirect", "disposition_id": 99, "disposition": "Redirect"})

    def test_what_the_firewall_found(self):
        self.check(self.one(WAF), {
            "class_uid": 4002, "activity_id": 0, "policy.name": "waf2", "firewall_rule": {"name": "DefaultRuleSet-1.0-SQLI-942330", "desc": "SQL injection probing", "match_location": "CookieValue:x",
                                                                                       "match_details": ["{\"a\":\"b\""]},
            "src_endpoint": {"ip": "203.0.113.142"}, "http_request.x_forwarded_for": ["198.51.100.142"], "http_request.uid": "0abc", "http_request.url.url_string": "https://erp.example.com:443/a?x=1",
            "dst_endpoint": {"uid": CLASSIC.lower(), "hostname": "erp.example.com"}, "unmapped.properties.details": {"data": WAF["properties"]["details"]["data"]}})

    def test_of_several_matches_all_stay(self):
        matches = [{"matchVariableName": "CookieValue:x", "matchVariableValue": "a"}, {"matchVariableName": "QueryParamValue:y", "matchVariableValue": "b"}]
        event = self.one(less(WAF, details={"msg": "m", "matches": matches}))
        self.check(event, {"firewall_rule.match_details": ["a", "b"], "firewall_rule.match_location": "CookieValue:x", "unmapped.properties.details": {"matches": matches}})
        self.check(self.one(less(WAF, details={"matches": []})), {"firewall_rule.match_details": None, "unmapped.properties.details": None})
        self.check(self.one(less(WAF, details={"matches": [{"matchVariableName": "x", "more": 1}, 7]})), {"firewall_rule.match_details": ["x"], "unmapped.properties.details.matches": [{"matchVariableName": "x", "more": 1}, 7]})

    def test_probes_ask_origins(self):
        self.check(self.one(PROBE), {
            "class_uid": 4002, "activity_id": 4, "connection_info.direction_id": 2, "src_endpoint": {"uid": PROFILE.lower(), "svc_name": "Azure Front Door"},
            "dst_endpoint": {"ip": "192.0.2.4", "hostname": "origin.example.com"}, "http_request.url.url_string": "http://origin.example.com:80/health", "http_request.uid": "259ffc38", "http_response.code": 404,
            "duration": 142, "status_id": 2, "status_detail": "OriginError"})
        self.check(self.one(less(PROBE, result="Success", httpStatusCode="200")), {"status_id": 1, "status_detail": None})
        self.check(self.one(less(PROBE, result="OriginError", httpStatusCode="200")), {"status_id": 2, "status_detail": "OriginError"})

    def test_the_cloud_and_the_product(self):
        self.check(self.one(ACCESS), {
            "cloud.provider": "Azure", "cloud.account.uid": SUBSCRIPTION, "cloud.account.type_id": 13, "metadata.product.name": "Azure Front Door", "metadata.product.vendor_name": "Microsoft",
            "metadata.log_name": "FrontDoorAccessLog", "metadata.log_provider": "MICROSOFT.CDN", "metadata.event_code": "Microsoft.Cdn/Profiles/AccessLog/Write", "unmapped.resourceId": PROFILE})

    # ---- Forms ----

    def test_rows_of_azure_diagnostics_are_the_same_requests(self):
        details = WAF["properties"]["details"]
        row = {"TimeGenerated": WAF["time"], "ResourceId": CLASSIC, "Category": WAF["category"], "OperationName": WAF["operationName"], "Type": "AzureDiagnostics", "details_msg_s": details["msg"],
               "details_data_s": details["data"], "details_matches_s": json.dumps(details["matches"])} | {key + "_s": value for key, value in WAF["properties"].items() if key != "details"}
        event, wanted = self.one(row), self.one(WAF)
        self.check(event, {path: at(wanted, path) for path in ("class_uid", "time", "src_endpoint", "dst_endpoint", "http_request", "firewall_rule", "policy", "action_id", "severity_id", "metadata.event_code")})
        self.check(event, {"metadata.log_name": WAF["category"], "unmapped.policyMode_s": "prevention", "unmapped.details_data_s": details["data"]})
        self.nothing_lost(row, event, {"action_s": "as ids", "details_matches_s": "in parts"})
        row = {"TimeGenerated": ACCESS["time"], "Category": ACCESS["category"], "Type": "AzureDiagnostics", "ResourceId": PROFILE, "OperationName": ACCESS["operationName"]}
        row |= {key + ("_b" if isinstance(value, bool) else "_s"): value for key, value in ACCESS["properties"].items() if value}
        event, wanted = self.one(row), self.one(ACCESS)
        self.check(event, {path: at(wanted, path) for path in ("class_uid", "src_endpoint", "dst_endpoint", "http_request", "http_response", "tls", "traffic", "duration", "ja4_fingerprint_list")})

    def test_properties_may_be_a_text_and_names_of_any_case(self):
        for base in (ACCESS, OLD, WAF, PROBE):
            wanted = mapping.core(self.one(base))
            self.assertEqual(mapping.core(self.one(base | {"properties": json.dumps(base["properties"])})), wanted)
            upper = {key.upper(): value for key, value in (base | {"properties": {key.upper(): value for key, value in base["properties"].items()}}).items()}
            self.assertEqual(mapping.core(self.one(upper)), wanted)

    def test_a_bad_field_costs_itself_alone(self):
        event = self.one(less(ACCESS, clientIp="nobody", socketIp="x", requestBytes="-5", httpStatusCode="OK", originIp="none", timeTaken="long", requestUri=""))
        self.check(event, {"src_endpoint": None, "http_response": None, "status_id": 0, "duration": None, "traffic.bytes_out": None, "http_request.url": None, "http_request.http_method": "POST"})
        self.check(event, {f"unmapped.properties.{name}": value for name, value in (("socketIp", "x"), ("requestBytes", "-5"), ("httpStatusCode", "OK"), ("originIp", "none"), ("timeTaken", "long"))})

    # ---- Nothing is lost ----

    def test_every_field_has_its_place(self):
        told = {"httpVersion": "less its zeros", "timeTaken": "as duration", "timeToFirstByte": "as latency", "requestProtocol": "as scheme", "securityProtocol": "as usual", "originIp": "in parts",
                "originName": "in parts", "errorInfo": "no error", "ErrorInfo": "no error", "backendHostname": "in parts", "action": "as ids", "result": "absent"}
        for base in (ACCESS, OLD, WAF, PROBE):
            source = less(base, newProperty={"a": 1}) | {"newField": "n", "level": "Informational", "resultType": "x", "correlationId": "c-1", "location": "global", "callerIpAddress": "192.0.2.77"}
            self.nothing_lost(source, self.one(source), {"properties." + key: why for key, why in told.items() if key in source["properties"]})
            for name in ("newField", "newProperty"):
                self.assertIn(name, json.dumps(self.stats()))

    def test_known_fields_are_no_news(self):
        self.read("\n".join(map(json.dumps, (ACCESS, OLD, WAF, PROBE))))
        self.assertEqual(self.stats()["parsers"][self.PARSER].get("drift", {}), {})

    def test_others_are_foreign_and_what_cannot_be_read_is_rejected(self):
        records = (ACCESS, ACCESS | {"category": "FrontDoorNewLog"}, ACCESS | {"time": "soon"}, ACCESS | {"properties": {"pop": "x"}})
        self.write("mixed", "\n".join(map(json.dumps, records)) + "\n" + json.dumps(ACCESS)[:-40])
        self.logmill("run", "mixed", "--plugin", self.PARSER, "--to", "ndjson:-", "--rejects", "rejects", code=None)
        self.assertEqual({"foreign", "malformed"}, {reject["code"] for reject in self.rejects()} - {"truncated", "partly_read"})


if __name__ == "__main__":
    mapping.unittest.main()
