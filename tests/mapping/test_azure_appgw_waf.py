"""Application Gateway: which field of its access and firewall logs stands in which attribute, and that none is lost."""
import copy
import json

import mapping
from mapping import at

SUBSCRIPTION = "99999999-0000-4000-8000-000000000009"
GATEWAY = f"/SUBSCRIPTIONS/{SUBSCRIPTION}/RESOURCEGROUPS/RG1/PROVIDERS/MICROSOFT.NETWORK/APPLICATIONGATEWAYS/AGW1"
POLICY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/RG1/providers/Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies/p1"
ACCESS = {
    "timeStamp": "2026-03-02T19:00:11+00:00", "resourceId": GATEWAY, "listenerName": "l1", "ruleName": "r1", "backendPoolName": "pool-1", "backendSettingName": "setting-1",
    "operationName": "ApplicationGatewayAccess", "category": "ApplicationGatewayAccessLog",
    "properties": {"instanceId": "appgw_2", "clientIP": "198.51.100.24", "clientPort": 45057, "httpMethod": "GET", "originalRequestUriWithArgs": "/login?u=a", "requestUri": "/login", "requestQuery": "u=a",
                   "userAgent": "curl/8", "httpStatus": 200, "httpVersion": "HTTP/1.1", "receivedBytes": 184, "sentBytes": 466, "clientResponseTime": 0, "timeTaken": 0.034, "WAFEvaluationTime": "0.000",
                   "WAFMode": "Detection", "transactionId": "4d1f0a", "sslEnabled": "on", "sslCipher": "ECDHE-RSA-AES256-GCM-SHA384", "sslProtocol": "TLSv1.2", "sslClientVerify": "NONE",
                   "sslClientCertificateFingerprint": "", "sslClientCertificateIssuerName": "", "serverRouted": "192.0.2.4:443", "serverStatus": "200", "serverResponseLatency": "0.028",
                   "upstreamSourcePort": "46792", "originalHost": "www.example.com", "host": "backend.example.com", "error_info": "ERRORINFO_NO_ERROR", "contentType": "text/html"},
}
FIRST = {
    "time": "2026-03-02T19:00:11.1234567Z", "resourceId": GATEWAY, "operationName": "ApplicationGatewayAccess", "category": "ApplicationGatewayAccessLog",
    "properties": {"instanceId": "ApplicationGatewayRole_IN_0", "clientIP": "198.51.100.24", "clientPort": 46886, "httpMethod": "GET", "requestUri": "/phpmyadmin/setup.php",
                   "requestQuery": "a=b&X-AzureApplicationGateway-CACHE-HIT=0&SERVER-ROUTED=192.0.2.4&X-AzureApplicationGateway-LOG-ID=874f1f0f-0000-4000-8000-000000000001&SERVER-STATUS=404",
                   "userAgent": "-", "httpStatus": 404, "httpVersion": "HTTP/1.0", "receivedBytes": 65, "sentBytes": 553, "timeTaken": 205, "sslEnabled": "off"},
}
WAF = {
    "timeStamp": "2026-03-02T19:00:12+00:00", "resourceId": GATEWAY, "operationName": "ApplicationGatewayFirewall", "category": "ApplicationGatewayFirewallLog",
    "properties": {"instanceId": "appgw_2", "clientIp": "198.51.100.24", "clientPort": "4835", "requestUri": "/?a=%3Cscript%3E", "ruleSetType": "OWASP", "ruleSetVersion": "3.0", "ruleId": "941320",
                   "ruleGroup": "REQUEST-941-APPLICATION-ATTACK-XSS", "message": "Possible XSS Attack Detected", "action": "Blocked", "site": "Global",
                   "details": {"message": "Warning. Pattern match \"<(a|abbr)\" at ARGS:a.", "data": "Matched Data: <script> found within ARGS:a", "file": "rules/REQUEST-941.conf", "line": "865"},
                   "hostname": "www.example.com:8443", "transactionId": "4d1f0a", "policyId": POLICY, "policyScope": "Global", "policyScopeName": "Default Policy", "engine": "Azwaf"},
}
ACCESS_ROW = {
    "TenantId": "aaaaaaaa-0000-4000-8000-00000000000b", "TimeGenerated": "2026-03-02T19:00:11Z", "OperationName": "ApplicationGatewayAccess", "Category": "ApplicationGatewayAccessLog",
    "ListenerName": "l1", "RuleName": "r1", "ClientIp": "198.51.100.24", "ClientPort": 45057, "HttpMethod": "GET", "OriginalRequestUriWithArgs": "/login?u=a", "RequestUri": "/login", "UserAgent": "curl/8",
    "HttpStatus": 200, "HttpVersion": "HTTP/1.1", "ReceivedBytes": 184, "SentBytes": 466, "TimeTaken": 0.034, "TransactionId": "4d1f0a", "SslEnabled": "on", "SslProtocol": "TLSv1.2",
    "SslCipher": "ECDHE-RSA-AES256-GCM-SHA384", "ServerRouted": "192.0.2.4:443", "OriginalHost": "www.example.com", "ErrorInfo": "ERRORINFO_NO_ERROR", "Type": "AGWAccessLogs", "_ResourceId": GATEWAY.lower(),
}
WAF_ROW = {
    "TimeGenerated": "2026-03-02T19:00:12Z", "OperationName": "ApplicationGatewayFirewall", "Category": "ApplicationGatewayFirewallLog", "ClientIp": "198.51.100.24", "RequestUri": "/?a=%3Cscript%3E",
    "RuleSetType": "OWASP", "RuleSetVersion": "3.0", "RuleId": "941320", "Message": "Possible XSS Attack Detected", "Action": "Matched", "Site": "Global", "DetailedMessage": "Warning.",
    "DetailedData": "Matched Data", "FileDetails": "rules/x.conf", "LineDetails": "865", "Hostname": "www.example.com", "TransactionId": "4d1f0a", "PolicyId": POLICY, "PolicyScope": "Global",
    "PolicyScopeName": "Default Policy", "Type": "AGWFirewallLogs", "_ResourceId": GATEWAY.lower(),
}
PERFORMANCE = {
    "time": "2026-03-02T19:00:00Z", "resourceId": GATEWAY, "operationName": "ApplicationGatewayPerformance", "category": "ApplicationGatewayPerformanceLog",
    "properties": {"instanceId": "ApplicationGatewayRole_IN_1", "healthyHostCount": "4", "unHealthyHostCount": "0", "requestCount": "185", "latency": "0", "failedRequestCount": "0", "throughput": "119427"},
}


def less(base, *names, **properties):
    whole = {key: value for key, value in copy.deepcopy(base).items() if key not in names}
    whole["properties"] = {key: value for key, value in (whole["properties"] | properties).items() if value is not None}
    return whole


class AppgwWaf(mapping.Mapping):
    PARSER = "azure.appgw_waf"

    # ---- Every row of the mapping ----

    def test_who_asked_whom(self):
        self.check(self.one(ACCESS), {
            "class_uid": 4002, "activity_id": 3, "time": 1772478011000, "metadata.original_time": "2026-03-02T19:00:11+00:00", "severity_id": 1, "src_endpoint": {"ip": "198.51.100.24", "port": 45057},
            "dst_endpoint": {"uid": GATEWAY.lower(), "hostname": "www.example.com", "proxy_endpoint": {"ip": "192.0.2.4", "port": 443}}, "connection_info.direction_id": 1, "unmapped.resourceId": GATEWAY,
            "unmapped.properties.host": "backend.example.com"})

    def test_the_request_and_the_response(self):
        event = self.one(ACCESS)
        self.check(event, {
            "http_request": {"http_method": "GET", "version": "1.1", "user_agent": "curl/8", "uid": "4d1f0a", "length": 184,
                             "url": {"path": "/login", "query_string": "u=a", "scheme": "https", "hostname": "www.example.com"}},
            "http_response": {"code": 200, "length": 466, "content_type": "text/html"}, "traffic": {"bytes_out": 184, "bytes_in": 466}, "tls": {"version": "TLSv1.2", "cipher": "ECDHE-RSA-AES256-GCM-SHA384"},
            "status_id": 1, "status_detail": None, "duration": 34})
        self.check(event, {f"unmapped.properties.{name}": None for name in ("requestUri", "requestQuery", "sslEnabled", "error_info", "timeTaken")})

    def test_methods_are_activities(self):
        for method, activity in (("CONNECT", 1), ("DELETE", 2), ("GET", 3), ("HEAD", 4), ("OPTIONS", 5), ("POST", 6), ("PUT", 7), ("TRACE", 8), ("PATCH", 9), ("PROPFIND", 99), (None, 0)):
            self.check(self.one(less(ACCESS, httpMethod=method)), {"activity_id": activity, "http_request.http_method": method})
        self.check(self.one(less(ACCESS, httpMethod="PROPFIND")), {"activity_name": "PROPFIND"})

    def test_statuses(self):
        for code, status in ((200, 1), (399, 1), ("404", 2), (502, 2), (200.0, 1)):
            self.check(self.one(less(ACCESS, httpStatus=code)), {"status_id": status, "http_response.code": int(code)})
        self.check(self.one(less(ACCESS, httpStatus=0)), {"status_id": 2, "http_response": None, "unmapped.properties.httpStatus": 0, "unmapped.properties.contentType": "text/html"})
        self.check(self.one(less(ACCESS, error_info="ERRORINFO_UPSTREAM_TIMED_OUT", httpStatus=504)), {"status_detail": "ERRORINFO_UPSTREAM_TIMED_OUT", "status_id": 2})

    def test_the_first_version_counts_milliseconds_the_second_seconds(self):
        self.check(self.one(FIRST), {"duration": 205})
        for marks, wanted in (({}, 2), ({"transactionId": "t"}, 2000), ({"clientResponseTime": 0}, 2000), ({"instanceId": "appgw_0"}, 2000)):
            base = less(FIRST, transactionId=None, clientResponseTime=None, instanceId="ApplicationGatewayRole_IN_0", timeTaken=2)
            base["properties"] |= marks
            self.check(self.one(base), {"duration": wanted})
        self.check(self.one(less(ACCESS, timeTaken=0)), {"duration": None, "unmapped.properties.timeTaken": 0})
        self.check(self.one(less(ACCESS, timeTaken="1.5")), {"duration": 1500})
        self.check(self.one(ACCESS | {"durationMs": 7}), {"duration": 7, "unmapped.properties.timeTaken": 0.034})

    def test_the_first_version_hides_members_in_the_query(self):
        self.check(self.one(FIRST), {
            "http_request.url": {"path": "/phpmyadmin/setup.php", "query_string": "a=b", "scheme": "http"}, "http_request.uid": "874f1f0f-0000-4000-8000-000000000001",
            "dst_endpoint.proxy_endpoint": {"ip": "192.0.2.4"}, "http_request.user_agent": None, "status_id": 2, "tls": None,
            "unmapped.properties": {"instanceId": "ApplicationGatewayRole_IN_0", "X-AzureApplicationGateway-CACHE-HIT": "0", "SERVER-STATUS": "404"}})

    def test_a_client_cannot_put_words_in_the_gateway_s_mouth(self):
        forged = "X-AzureApplicationGateway-CACHE-HIT=0&SERVER-ROUTED=203.0.113.66"
        event = self.one(less(ACCESS, originalRequestUriWithArgs=None, requestQuery=forged, serverRouted=None))
        self.check(event, {"http_request.url.query_string": forged, "dst_endpoint.proxy_endpoint": None})
        event = self.one(less(FIRST, requestQuery=forged + "&" + FIRST["properties"]["requestQuery"][4:]))
        self.check(event, {"http_request.url.query_string": forged, "dst_endpoint.proxy_endpoint.ip": "192.0.2.4"})

    def test_without_the_original_the_rewritten_one_counts(self):
        self.check(self.one(less(ACCESS, originalRequestUriWithArgs=None, originalHost=None)), {
            "http_request.url.path": "/login", "http_request.url.query_string": "u=a", "http_request.url.hostname": "backend.example.com", "dst_endpoint.hostname": "backend.example.com"})
        self.check(self.one(less(ACCESS, requestUri="/new", requestQuery="other=1")), {"http_request.url.path": "/login", "unmapped.properties.requestUri": "/new", "unmapped.properties.requestQuery": "other=1"})

    def test_backends(self):
        for text, ip, port, kept in (("192.0.2.4", "192.0.2.4", None, None), ("[2001:db8::4]:443", "2001:db8::4", 443, None), ("192.0.2.4:80, 192.0.2.5:80", "192.0.2.4", 80, "192.0.2.4:80, 192.0.2.5:80"),
                                     ("nowhere", None, None, "nowhere")):
            event = self.one(less(ACCESS, serverRouted=text))
            self.check(event, {"dst_endpoint.proxy_endpoint.ip": ip, "dst_endpoint.proxy_endpoint.port": port, "unmapped.properties.serverRouted": kept})

    def test_a_backend_is_behind_something(self):
        nameless = less(ACCESS, "resourceId", originalHost=None, host=None)
        self.check(self.one(nameless), {"dst_endpoint": None, "unmapped.properties.serverRouted": "192.0.2.4:443"})
        self.check(self.one(less(nameless, originalHost=":443")), {"dst_endpoint": None, "unmapped.properties.originalHost": ":443"})

    def test_a_cipher_without_a_version_is_no_tls(self):
        self.check(self.one(less(ACCESS, sslProtocol="")), {"tls": None, "unmapped.properties.sslCipher": "ECDHE-RSA-AES256-GCM-SHA384"})

    # ---- The firewall ----

    def test_what_the_firewall_found(self):
        self.check(self.one(WAF), {
            "class_uid": 4002, "activity_id": 0, "severity_id": 3, "action_id": 2, "disposition_id": 2, "status_id": 2, "src_endpoint": {"ip": "198.51.100.24", "port": 4835},
            "dst_endpoint": {"uid": GATEWAY.lower(), "hostname": "www.example.com", "port": 8443}, "http_request.uid": "4d1f0a",
            "http_request.url": {"path": "/", "query_string": "a=%3Cscript%3E", "hostname": "www.example.com", "port": 8443},
            "firewall_rule": {"uid": "941320", "name": "Possible XSS Attack Detected", "category": "REQUEST-941-APPLICATION-ATTACK-XSS", "type": "OWASP", "version": "3.0",
                              "condition": "Warning. Pattern match \"<(a|abbr)\" at ARGS:a.", "match_details": ["Matched Data: <script> found within ARGS:a"]},
            "policy.uid": POLICY, "unmapped.properties.details": {"file": "rules/REQUEST-941.conf", "line": "865"}})

    def test_what_the_firewall_did(self):
        for word, action, disposition, severity, status in (("Blocked", 2, 2, 3, 2), ("allowed", 1, 1, 1, 1), ("Detected", 3, 15, 3, None), ("Matched", 3, 17, 2, None)):
            self.check(self.one(less(WAF, action=word)), {"action_id": action, "disposition_id": disposition, "severity_id": severity, "status_id": status})
        self.check(self.one(less(WAF, action="Odd")), {"action_id": 99, "action": "Odd", "disposition_id": 99, "disposition": "Odd"})

    def test_ports_that_are_none(self):
        for port in ("0", "", "x"):
            self.check(self.one(less(WAF, clientPort=port)), {"src_endpoint": {"ip": "198.51.100.24"}, "unmapped.properties.clientPort": port or None})

    def test_counters_of_instances_are_no_requests(self):
        event = self.one(PERFORMANCE)
        self.check(event, {"class_uid": 0, "activity_id": 99, "activity_name": "Performance", "unmapped.properties": PERFORMANCE["properties"], "metadata.log_name": "ApplicationGatewayPerformanceLog"})
        self.nothing_lost(PERFORMANCE, event)

    def test_the_cloud_and_the_product(self):
        self.check(self.one(ACCESS), {
            "cloud.provider": "Azure", "cloud.account.uid": SUBSCRIPTION, "cloud.account.type_id": 13, "metadata.product.name": "Azure Application Gateway", "metadata.product.vendor_name": "Microsoft",
            "metadata.log_name": "ApplicationGatewayAccessLog", "metadata.log_provider": "MICROSOFT.NETWORK", "metadata.event_code": "ApplicationGatewayAccess"})

    # ---- Forms ----

    def test_rows_of_tables_are_the_same_requests(self):
        event, wanted = self.one(ACCESS_ROW), self.one(ACCESS)
        self.check(event, {path: at(wanted, path) for path in ("class_uid", "activity_id", "time", "src_endpoint", "dst_endpoint", "tls", "traffic", "status_id", "duration", "cloud")})
        self.check(event, {path: at(wanted, path) for path in ("http_request.url", "http_request.uid", "http_response.code", "metadata.event_code")})
        self.nothing_lost(ACCESS_ROW, event, self.told(ACCESS_ROW))
        event = self.one(WAF_ROW)
        self.check(event, {"action_id": 3, "disposition_id": 17, "firewall_rule": {"uid": "941320", "name": "Possible XSS Attack Detected", "type": "OWASP", "version": "3.0", "condition": "Warning.",
                                                                                 "match_details": ["Matched Data"]}, "policy.uid": POLICY, "unmapped.FileDetails": "rules/x.conf"})
        self.nothing_lost(WAF_ROW, event, self.told(WAF_ROW))

    def test_rows_of_azure_diagnostics_are_the_same_requests(self):
        row = {"TimeGenerated": "2026-03-02T19:00:12Z", "ResourceId": GATEWAY, "Category": "ApplicationGatewayFirewallLog", "OperationName": "ApplicationGatewayFirewall", "Type": "AzureDiagnostics",
               "clientIp_s": "198.51.100.24", "clientPort_s": "4835", "requestUri_s": "/?a=%3Cscript%3E", "ruleSetType_s": "OWASP", "ruleSetVersion_s": "3.0", "ruleId_s": "941320",
               "ruleGroup_s": WAF["properties"]["ruleGroup"], "Message": "Possible XSS Attack Detected", "action_s": "Blocked", "details_message_s": WAF["properties"]["details"]["message"],
               "details_data_s": WAF["properties"]["details"]["data"], "details_file_s": "f", "hostname_s": "www.example.com:8443", "transactionId_g": "4d1f0a", "policyId_s": POLICY, "odd_s": "o"}
        event, wanted = self.one(row), self.one(WAF)
        self.check(event, {path: at(wanted, path) for path in ("class_uid", "time", "src_endpoint", "dst_endpoint", "http_request", "firewall_rule", "policy", "action_id", "severity_id")})
        self.check(event, {"metadata.log_name": "ApplicationGatewayFirewallLog", "unmapped.odd_s": "o", "unmapped.details_file_s": "f", "unmapped.Type": "AzureDiagnostics"})
        self.nothing_lost(row, event, {"hostname_s": "in parts", "requestUri_s": "in parts", "action_s": "as ids"})
        row = {"TimeGenerated": "2026-03-02T19:00:12Z", "ResourceId": GATEWAY, "Category": "ApplicationGatewayAccessLog", "Type": "AzureDiagnostics", "clientIP_s": "198.51.100.24", "clientPort_d": 45057.0,
               "httpMethod_s": "GET", "requestUri_s": "/a", "httpStatus_d": 200.0, "sentBytes_d": 466.0, "timeTaken_d": 0.034, "transactionId_g": "t", "AdditionalFields": {"receivedBytes": 184}}
        self.check(self.one(row), {"src_endpoint.port": 45057, "http_response.code": 200, "traffic": {"bytes_out": 184, "bytes_in": 466}, "duration": 34})

    def test_rows_of_the_first_version_are_as_its_records(self):
        column = {str: "s", int: "d"}
        row = {"TimeGenerated": FIRST["time"], "ResourceId": GATEWAY, "Category": "ApplicationGatewayAccessLog", "Type": "AzureDiagnostics",
               **{f"{name}_{column[type(value)]}": float(value) if isinstance(value, int) else value for name, value in FIRST["properties"].items()}}
        event, wanted = self.one(row), self.one(FIRST)
        self.check(event, {path: at(wanted, path) for path in ("duration", "src_endpoint", "dst_endpoint", "http_request", "http_response", "traffic", "status_id")})
        self.check(event, {"duration": 205, "http_request.uid": "874f1f0f-0000-4000-8000-000000000001", "http_request.url.query_string": "a=b", "dst_endpoint.proxy_endpoint.ip": "192.0.2.4"})
        self.check(self.one(row | {"instanceId_s": "appgw_1", "timeTaken_d": 0.2}), {"duration": 200})
        self.check(self.one(row | {"Type": "AGWAccessLogs", "timeTaken_d": 0.2}), {"duration": 200})

    def test_a_client_may_have_its_port_in_its_address(self):
        for text, client_port, wanted, kept in (
                ("203.0.113.4:8080", None, {"ip": "203.0.113.4", "port": 8080}, None), ("203.0.113.4:8080", 8080, {"ip": "203.0.113.4", "port": 8080}, None),
                ("203.0.113.4:8080", 99, {"ip": "203.0.113.4", "port": 99}, "203.0.113.4:8080"), ("[2001:DB8::1]:443", None, {"ip": "2001:db8::1", "port": 443}, None),
                ("[2001:db8::1]", 7, {"ip": "2001:db8::1", "port": 7}, None), ("::FFFF:192.0.2.4", None, {"ip": "::ffff:192.0.2.4"}, None),
                ("fe80::1%eth0", None, {"ip": "fe80::1"}, "fe80::1%eth0")):
            self.check(self.one(less(ACCESS, clientIP=text, clientPort=client_port)), {"src_endpoint": wanted, "unmapped.properties.clientIP": kept})

    def test_a_host_with_something_behind_its_bracket_stays_whole(self):
        event = self.one(less(ACCESS, originalHost="[evil.example]secret"))
        self.check(event, {"dst_endpoint.hostname": None, "http_request.url.hostname": None, "unmapped.properties.originalHost": "[evil.example]secret"})
        self.check(self.one(less(ACCESS, originalHost="[2001:db8::1]:8443")), {"dst_endpoint.hostname": "2001:db8::1", "dst_endpoint.port": 8443, "unmapped.properties.originalHost": None})

    def test_a_verdict_without_a_request_is_kept(self):
        verdict = {"clientIp": "198.51.100.24", "action": "Blocked", "ruleId": "941320", "message": "Possible XSS Attack Detected"}
        event = self.one(WAF | {"properties": verdict})
        self.check(event, {"class_uid": 0, "activity_id": 99, "activity_name": "Firewall", "severity_id": 3, "unmapped.properties": verdict, "metadata.log_name": "ApplicationGatewayFirewallLog",
                           "unmapped.resourceId": GATEWAY})
        self.nothing_lost(WAF | {"properties": verdict}, event)

    def test_what_had_no_place_in_the_table_stays_apart_from_properties(self):
        event = self.one(less(ACCESS, odd="o") | {"AdditionalFields": {"odder": 1}})
        self.check(event, {"unmapped.properties.odd": "o", "unmapped.properties.odder": None, "unmapped.AdditionalFields": {"odder": 1}})

    def test_properties_may_be_a_text_and_names_of_any_case(self):
        for base in (ACCESS, WAF):
            wanted = mapping.core(self.one(base))
            self.assertEqual(mapping.core(self.one(base | {"properties": json.dumps(base["properties"])})), wanted)
            upper = {key.upper(): value for key, value in (base | {"properties": {key.upper(): value for key, value in base["properties"].items()}}).items()}
            self.assertEqual(mapping.core(self.one(upper)), wanted)

    def test_times_of_every_form(self):
        for name in ("time", "timeStamp", "timestamp", "Time"):
            self.check(self.one(less(ACCESS, "timeStamp") | {name: "2026-03-02T19:00:11.1234567Z"}), {"time": 1772478011123})

    def test_a_bad_field_costs_itself_alone(self):
        event = self.one(less(ACCESS, clientIP="10.0.0.0/8", httpStatus="OK", sentBytes="many", httpMethod={"a": 1}, timeTaken="long"))
        self.check(event, {"src_endpoint": None, "http_response": None, "status_id": 0, "activity_id": 0, "duration": None, "http_request.url.path": "/login"})
        self.check(event, {f"unmapped.properties.{name}": value for name, value in (("clientIP", "10.0.0.0/8"), ("clientPort", 45057), ("httpStatus", "OK"), ("sentBytes", "many"), ("httpMethod", {"a": 1}),
                                                                                    ("timeTaken", "long"))})

    # ---- Nothing is lost ----

    @staticmethod
    def told(record, prefix=""):
        reasons = {"originalrequesturiwithargs": "in parts", "requesturi": "in parts", "requestquery": "in parts", "httpversion": "less its name", "serverrouted": "in parts", "timetaken": "as duration",
                   "sslenabled": "as scheme", "error_info": "no error", "errorinfo": "no error", "hostname": "in parts", "action": "as ids"}
        return {prefix + key: reasons[key.lower()] for key in record if key.lower() in reasons}

    def test_every_field_has_its_place(self):
        for base in (ACCESS, FIRST, WAF):
            source = less(base, newProperty={"a": 1}) | {"newField": "n", "level": "Informational", "resultType": "x", "correlationId": "c-1", "location": "westeurope", "callerIpAddress": "192.0.2.77"}
            self.nothing_lost(source, self.one(source), self.told(source["properties"], "properties."))
            for name in ("newField", "newProperty"):
                self.assertIn(name, json.dumps(self.stats()))

    def test_known_fields_are_no_news(self):
        self.read("\n".join(json.dumps(record) for record in (ACCESS, FIRST, WAF, ACCESS_ROW, WAF_ROW, PERFORMANCE)))
        self.assertEqual(self.stats()["parsers"][self.PARSER].get("drift", {}), {})

    def test_others_are_foreign_and_what_cannot_be_read_is_rejected(self):
        records = (ACCESS, ACCESS | {"category": "Administrative"}, ACCESS | {"timeStamp": "soon"}, ACCESS | {"properties": {"instanceId": "x"}})
        self.write("mixed", "\n".join(map(json.dumps, records)) + "\n" + json.dumps(ACCESS)[:-40])
        self.logmill("run", "mixed", "--plugin", self.PARSER, "--to", "ndjson:-", "--rejects", "rejects", code=None)
        self.assertEqual({"foreign", "malformed"}, {reject["code"] for reject in self.rejects()} - {"truncated", "partly_read"})


if __name__ == "__main__":
    mapping.unittest.main()
