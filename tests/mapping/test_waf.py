"""AWS WAF logs: which field stands in which attribute, and that none is lost."""
import copy
import json

import mapping
from mapping import at

ACL = "arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/main/01234567-89ab-cdef-0123-456789abcdef"
FULL = {
    "timestamp": 1772352000123,
    "formatVersion": 1,
    "webaclId": ACL,
    "terminatingRuleId": "per-address",
    "terminatingRuleType": "RATE_BASED",
    "action": "BLOCK",
    "terminatingRuleMatchDetails": [
        {"conditionType": "SQL_INJECTION", "sensitivityLevel": "HIGH", "location": "ALL_QUERY_ARGS", "matchedData": ["10", "AND", "1"], "matchedFieldName": "q"},
        {"conditionType": "XSS", "location": "BODY"},
    ],
    "httpSourceName": "ALB",
    "httpSourceId": "111122223333-app/web/0123456789abcdef",
    "ruleGroupList": [{"ruleGroupId": "AWS#Common", "terminatingRule": {"ruleId": "inner"}, "excludedRules": ["x"]}],
    "rateBasedRuleList": [
        {"rateBasedRuleId": "r-2", "rateBasedRuleName": "per-path", "limitKey": "CUSTOMKEYS", "maxRateAllowed": 500, "evaluationWindowSec": 300,
         "customValues": [{"key": "URI_PATH", "value": "/p"}]},
        {"rateBasedRuleId": "r-1", "rateBasedRuleName": "per-address", "limitKey": "IP", "limitValue": "203.0.113.8", "maxRateAllowed": 100,
         "evaluationWindowSec": "120"},
    ],
    "nonTerminatingMatchingRules": [{"ruleId": "count-all", "action": "COUNT"}],
    "requestHeadersInserted": [{"name": "x-amzn-waf-seen", "value": "yes"}],
    "responseCodeSent": 429,
    "httpRequest": {
        "clientIp": "203.0.113.7",
        "country": "DE",
        "headers": [
            {"name": "Host", "value": "header.example.com"},
            {"name": "User-Agent", "value": "agent/1.0"},
            {"name": "Referer", "value": "https://referrer.example.com/"},
            {"name": "X-Forwarded-For", "value": "198.51.100.4, 2001:db8::4"},
            {"name": "Accept", "value": "*/*"},
        ],
        "uri": "/login",
        "args": "id=7",
        "httpVersion": "HTTP/2.0",
        "httpMethod": "POST",
        "requestId": "1-65e1-0001",
        "fragment": "top",
        "scheme": "https",
        "host": "www.example.com",
    },
    "labels": [{"name": "awswaf:a"}, {"name": "awswaf:b"}],
    "captchaResponse": {"responseCode": 405, "solveTimestamp": 1772351000, "failureReason": "TOKEN_MISSING"},
    "challengeResponse": {"responseCode": 202, "solveTimestamp": 1772351001, "failureReason": "TOKEN_EXPIRED"},
    "ja3Fingerprint": "0123456789abcdef0123456789abcdef",
    "ja4Fingerprint": "t13d1516h2_0123456789ab_0123456789ab",
    "oversizeFields": ["REQUEST_BODY"],
    "requestBodySize": 120,
    "requestBodySizeInspectedByWAF": 110,
    "clientAsn": 64496,
    "forwardedAsn": "64497",
    "cfDistributionTenantId": "dt_1",
    "monetizeVerifyResponse": {"state": "paid"},
}
KEY = "AWSLogs/444455556666/WAFLogs/eu-west-1/main/2026/03/01/08/00/444455556666_waflogs_eu-west-1_main_20260301T0800Z_a1b2c3d4.log"


def less(*names, http=None, without=(), **changes):
    """FULL without the members `names` and with `changes`; `without` and `http` likewise for httpRequest."""
    record = {key: copy.deepcopy(value) for key, value in FULL.items() if key not in names} | changes
    if "httpRequest" in record and "httpRequest" not in changes:
        record["httpRequest"] = {key: value for key, value in record["httpRequest"].items() if key not in without} | (http or {})
    return record


def headers(*pairs):
    return {"headers": [{"name": name, "value": value} for name, value in pairs]}


class Waf(mapping.Mapping):
    PARSER = "aws.waf"

    # ---- Every row of the mapping ----

    def test_time_and_what_every_event_gets(self):
        self.check(self.one(FULL), {
            "class_uid": 4002, "time": 1772352000123, "severity_id": 1, "cloud.provider": "AWS", "cloud.account.uid": "111122223333",
            "cloud.account.type_id": 10, "cloud.region": "eu-central-1", "cloud.cloud_partition": "aws", "metadata.log_version": "1",
            "metadata.log_provider": "AWS WAF", "metadata.product.name": "AWS WAF", "metadata.product.vendor_name": "AWS",
            "metadata.product.feature.name": "Web ACL Logs", "metadata.product.feature.uid": ACL, "metadata.labels": ["awswaf:a", "awswaf:b"],
            "metadata.profiles": ["cloud", "security_control"],
        })

    def test_the_action(self):
        for action, wanted in {
            "ALLOW": (1, "Allowed", 1, 1), "BLOCK": (2, "Denied", 2, 2), "CAPTCHA": (2, "Denied", 22, 2), "CHALLENGE": (2, "Denied", 23, 2),
            "COUNT": (3, "Observed", 20, 1), "MONETIZE": (99, "MONETIZE", 99, 2),
        }.items():
            event = self.one(less(action=action))
            self.check(event, {"action_id": wanted[0], "action": wanted[1], "disposition_id": wanted[2], "status_id": wanted[3]})
        self.check(event, {"disposition": "MONETIZE"})
        self.check(self.one(less("action")), {"action_id": None, "disposition_id": None, "status_id": None})

    def test_client_and_protected_resource(self):
        self.check(self.one(FULL), {
            "src_endpoint.ip": "203.0.113.7", "src_endpoint.location.country": "DE", "src_endpoint.autonomous_system.number": 64496,
            "dst_endpoint.uid": "111122223333-app/web/0123456789abcdef", "dst_endpoint.svc_name": "ALB",
        })

    def test_the_request(self):
        self.check(self.one(FULL), {
            "activity_id": 6, "http_request.http_method": "POST", "http_request.version": "HTTP/2.0", "http_request.uid": "1-65e1-0001",
            "http_request.args": "id=7", "http_request.url.path": "/login", "http_request.url.query_string": "id=7",
            "http_request.url.hostname": "www.example.com", "http_request.url.scheme": "https", "http_request.body_length": 120,
            "http_response.code": 429,
        })

    def test_the_method_chooses_the_activity(self):
        for method, activity in (("GET", 3), ("HEAD", 4), ("CONNECT", 1), ("PATCH", 9), ("PURGE", 99)):
            self.check(self.one(less(http={"httpMethod": method})), {"activity_id": activity, "http_request.http_method": method})
        self.check(self.one(less(http={"httpMethod": "PURGE"})), {"activity_name": "PURGE"})
        self.check(self.one(less(without=["httpMethod"])), {"activity_id": 0, "http_request.http_method": None})

    def test_headers_that_have_an_attribute(self):
        event = self.one(less(without=["host"]))
        self.check(event, {
            "http_request.url.hostname": "header.example.com", "http_request.user_agent": "agent/1.0",
            "http_request.referrer": "https://referrer.example.com/", "http_request.x_forwarded_for": ["198.51.100.4", "2001:db8::4"],
            "http_request.http_headers": [{"name": "Accept", "value": "*/*"}],
        })
        # The member host goes before the header, which then is one of the others.
        self.assertIn({"name": "Host", "value": "header.example.com"}, self.one(FULL)["http_request"]["http_headers"])

    def test_the_terminating_rule(self):
        self.check(self.one(FULL), {
            "firewall_rule.uid": "per-address", "firewall_rule.type": "RATE_BASED", "firewall_rule.condition": "SQL_INJECTION",
            "firewall_rule.match_location": "ALL_QUERY_ARGS", "firewall_rule.match_details": ["10", "AND", "1"], "firewall_rule.sensitivity": "HIGH",
        })

    def test_the_rate_based_rule_that_terminated(self):
        self.check(self.one(FULL), {"firewall_rule.name": "per-address", "firewall_rule.rate_limit": 100})
        self.check(self.one(less(terminatingRuleId="r-2")), {"firewall_rule.name": "per-path", "firewall_rule.rate_limit": 500})
        self.check(self.one(less(terminatingRuleId="r-3")), {"firewall_rule.name": None, "firewall_rule.rate_limit": None})
        only = FULL["rateBasedRuleList"][:1]
        self.check(self.one(less(terminatingRuleId="r-3", rateBasedRuleList=only)), {"firewall_rule.name": "per-path"})
        self.check(self.one(less(terminatingRuleType="REGULAR")), {"firewall_rule.name": None, "firewall_rule.rate_limit": None})

    def test_fingerprints(self):
        self.check(self.one(FULL), {
            "ja4_fingerprint_list": [{"type_id": 1, "type": "JA4", "value": "t13d1516h2_0123456789ab_0123456789ab"}],
            "unmapped.ja3Fingerprint": "0123456789abcdef0123456789abcdef", "tls": None,
        })

    # ---- Nothing is lost ----

    def test_every_field_of_a_full_record_is_somewhere(self):
        event = self.one(FULL)
        self.nothing_lost(FULL, event, {
            "action": "as ids", "httpRequest.headers[].name": "of a header that has an attribute", "httpRequest.headers[].value": "see the next test",
        })
        for name in ("ruleGroupList", "rateBasedRuleList", "nonTerminatingMatchingRules", "requestHeadersInserted", "captchaResponse", "challengeResponse",
                     "oversizeFields", "requestBodySizeInspectedByWAF", "forwardedAsn", "cfDistributionTenantId", "monetizeVerifyResponse",
                     "terminatingRuleMatchDetails"):
            self.assertEqual(event["unmapped"][name], FULL[name])
        self.check(event, {"unmapped.httpRequest": {"fragment": "top"}})

    def test_no_header_is_lost(self):
        pairs = [("Host", "a.example.com:8443"), ("host", "b.example.com"), ("User-Agent", "one"), ("user-agent", "two"), ("Referer", "r"), ("referer", "s"),
                 ("Cookie", "REDACTED"), ("x", "\u00fc \"q\" \\ \u0001"), ("X-Forwarded-For", "198.51.100.4, unknown, 198.51.100.5:80, [2001:db8::1]:443")]
        event = self.one(less(without=["host"], http=headers(*pairs)))
        self.check(event, {
            "http_request.url.hostname": "a.example.com", "http_request.url.port": 8443, "http_request.user_agent": "one", "http_request.referrer": "r",
            "http_request.x_forwarded_for": ["198.51.100.4", "198.51.100.5", "2001:db8::1"],
            "http_request.http_headers": headers(pairs[1], pairs[3], *pairs[5:])["headers"],
        })

    def test_a_header_without_a_value_stays_in_a_list_of_its_own(self):
        odd = [{"name": "a", "value": ""}, {"name": "b"}, {"name": "c", "value": 1}, {"name": "d", "value": "e", "more": True}, "text"]
        event = self.one(less(http={"headers": [*odd, {"name": "Accept", "value": "*/*"}]}))
        self.check(event, {"unmapped.httpRequest.headers": odd, "http_request.http_headers": [{"name": "Accept", "value": "*/*"}]})

    def test_fields_that_came_later_are_kept_and_counted(self):
        event = self.one(less(later={"x": 1}, http={"tls": "y"}))
        self.check(event, {"unmapped.later": {"x": 1}, "unmapped.httpRequest.tls": "y"})
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {"later": 1, "httpRequest.tls": 1})

    def test_labels_and_matches_with_more_than_is_documented_are_kept_whole_besides(self):
        labels = [{"name": "a", "weight": 1}, "b"]
        self.check(self.one(less(labels=labels)), {"metadata.labels": ["a"], "unmapped.labels": labels})
        self.check(self.one(less(labels=FULL["labels"])), {"unmapped.labels": None})
        one = [{"conditionType": "XSS", "sensitivityLevel": "", "location": "BODY", "matchedData": ["<"]}]
        self.check(self.one(less(terminatingRuleMatchDetails=one)), {"firewall_rule.condition": "XSS", "unmapped.terminatingRuleMatchDetails": None})

    # ---- What is absent or odd ----

    def test_absent_markers_leave_the_attribute_out(self):
        event = self.one(less(terminatingRuleMatchDetails=None, httpSourceId="-", ruleGroupList=None, rateBasedRuleList=[], nonTerminatingMatchingRules=[],
                              requestHeadersInserted=None, responseCodeSent=None, labels=[], ja4Fingerprint="",
                              http={"country": "-", "args": "", "headers": [], "fragment": None}))
        self.check(event, {"dst_endpoint": {"svc_name": "ALB"}, "http_response": None, "metadata.labels": None, "ja4_fingerprint_list": None,
                           "src_endpoint.location": None, "http_request.args": None, "http_request.url.query_string": None, "http_request.http_headers": None,
                           "unmapped.ruleGroupList": None, "unmapped.nonTerminatingMatchingRules": None, "unmapped.httpRequest": None})

    def test_account_and_region_of_the_key_where_the_acl_has_no_arn(self):
        classic = less(webaclId="01234567-89ab-cdef-0123-456789abcdef")
        self.check(self.one(classic, KEY), {"cloud.account.uid": "444455556666", "cloud.region": "eu-west-1"})
        self.check(self.one(FULL, KEY.replace("AWSLogs/", "AWSLogs/o-exampleorg1/", 1)), {"cloud.org.uid": "o-exampleorg1", "cloud.account.uid": "111122223333"})
        self.check(self.one(classic, KEY.replace("eu-west-1", "cloudfront")), {"cloud.account.uid": "444455556666", "cloud.region": None})
        self.check(self.one(FULL, KEY), {"cloud.account.uid": "111122223333", "cloud.region": "eu-central-1"})
        self.check(self.one(classic), {"cloud.account": None, "cloud.region": None, "cloud.cloud_partition": None})

    def test_only_the_first_question_mark_is_no_part_of_the_query(self):
        self.check(self.one(less(http={"args": "?a=?b"})), {"http_request.args": "?a=?b", "http_request.url.query_string": "a=?b"})

    def test_a_url_without_a_path_is_none(self):
        event = self.one(less(http={"uri": ""}))
        self.check(event, {"http_request.url": None, "http_request.args": "id=7", "unmapped.httpRequest.scheme": "https",
                           "unmapped.httpRequest.host": "www.example.com"})

    def test_a_client_that_is_no_address_stays_text(self):
        event = self.one(less(http={"clientIp": "203.0.113.999"}))
        self.check(event, {"src_endpoint": None, "unmapped.httpRequest.clientIp": "203.0.113.999", "unmapped.httpRequest.country": "DE",
                           "unmapped.clientAsn": 64496})
        self.check(self.one(less(http={"clientIp": "2001:db8::7"})), {"src_endpoint.ip": "2001:db8::7"})

    def test_numbers_as_text_count_and_what_is_none_stays(self):
        self.check(self.one(less(responseCodeSent="403", clientAsn="64500", timestamp="1772352000123")),
                   {"http_response.code": 403, "src_endpoint.autonomous_system.number": 64500, "time": 1772352000123})
        for odd in ("many", -1, 1.5, 99999999999999999999, 4294967295, [1]):
            self.check(self.one(less(responseCodeSent=odd, requestBodySize=odd, clientAsn=odd)),
                       {"http_response": None, "unmapped.responseCodeSent": odd, "unmapped.requestBodySize": odd, "unmapped.clientAsn": odd})

    def test_values_of_another_type_stay_as_they_were(self):
        odd = less(webaclId=ACL, action=["BLOCK"], labels={"name": "a"}, httpSourceName=1, terminatingRuleMatchDetails="x")
        event = self.one(odd)
        for name in ("action", "labels", "httpSourceName", "terminatingRuleMatchDetails"):
            self.assertEqual(at(event, f"unmapped.{name}"), odd[name])
        self.check(self.one(less(http={"headers": {"a": 1}, "uri": 5})), {"unmapped.httpRequest.headers": {"a": 1}, "unmapped.httpRequest.uri": 5})

    def test_of_a_list_that_occurs_twice_the_second_is_kept(self):
        text = json.dumps(FULL)[:-1] + ',"labels":[{"name":"again"}]}'
        self.check(self.one(text), {"metadata.labels": ["awswaf:a", "awswaf:b"], "unmapped.labels": [{"name": "again"}]})

    def test_one_bad_record_costs_that_record(self):
        good = json.dumps(FULL)
        for bad in (json.dumps(less(timestamp="soon")), json.dumps(less(timestamp=1)), '{"a":1}', good[:-9],
                    json.dumps(less("responseCodeSent", "requestBodySize", httpRequest={}))):
            events = self.read(f"{good}\n{bad}\n{good}\n", code=3)
            self.assertEqual([e["lineage"]["record"] for e in events], [0, 2])
        self.assertEqual(len(self.read(f"{good}\n{good[:300]}", code=3)), 1)

    def test_lines_arrays_and_documents_back_to_back_are_read(self):
        for content in (f"{json.dumps(FULL)}\n{json.dumps(FULL)}\n", json.dumps([FULL, FULL]), json.dumps(FULL) * 2, json.dumps(FULL, indent=4) * 2):
            self.assertEqual(len(self.read(content)), 2)


if __name__ == "__main__":
    mapping.unittest.main()
