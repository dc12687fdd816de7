#!/usr/bin/env python3
"""Application Load Balancer access logs: which field stands where, and that a client cannot write itself into other fields."""
import mapping

KEY = ("AWSLogs/111122223333/elasticloadbalancing/eu-central-1/2026/03/01/"
       "111122223333_elasticloadbalancing_eu-central-1_app.shop.0a1b2c3d4e5f6071_20260301T0805Z_192.0.2.80_4kq1zw7x.log")
GROUP = "arn:aws-cn:elasticloadbalancing:cn-north-1:444455556666:targetgroup/shop/89abcdef01234567"
CERTIFICATE = "arn:aws-cn:acm:cn-north-1:444455556666:certificate/11112222-3333-4444-5555-666677778888"
QUOTED = {"request", "user_agent", "trace_id", "domain_name", "chosen_cert_arn", "actions_executed", "redirect_url", "error_reason", "target:port_list",
          "target_status_code_list", "classification", "classification_reason", "transformed_host", "transformed_uri", "request_transform_status"}
# Every documented field, each with a value of its own.
FULL = {
    "type": "h2",
    "time": "2026-03-01T08:00:00.186641Z",
    "elb": "app/shop/0a1b2c3d4e5f6071",
    "client:port": "203.0.113.10:2817",
    "target:port": "192.0.2.33:8080",
    "request_processing_time": "0.001",
    "target_processing_time": "0.020",
    "response_processing_time": "0.003",
    "elb_status_code": "502",
    "target_status_code": "503",
    "received_bytes": "340",
    "sent_bytes": "3660",
    "request": "GET https://www.example.com:8443/cart/7?item=9&n=2 HTTP/2.0",
    "user_agent": "ExampleBrowser/1.0 (X11; Linux)",
    "ssl_cipher": "TLS_AES_128_GCM_SHA256",
    "ssl_protocol": "TLSv1.3",
    "target_group_arn": GROUP,
    "trace_id": "Root=1-69a3f0a0-000000000000000000000001",
    "domain_name": "sni.example.com",
    "chosen_cert_arn": CERTIFICATE,
    "matched_rule_priority": "10",
    "request_creation_time": "2026-03-01T08:00:00.165789Z",
    "actions_executed": "authenticate,forward",
    "redirect_url": "https://redirect.example.com/a b",
    "error_reason": "LambdaTimeout",
    "target:port_list": "192.0.2.34:8081 2001:db8:1::33:8082",
    "target_status_code_list": "500 504",
    "classification": "Ambiguous",
    "classification_reason": "BadUri",
    "conn_trace_id": "TID_0123456789abcdef",
    "transformed_host": "host.internal.example",
    "transformed_uri": "/v2/cart/7",
    "request_transform_status": "TransformSuccess",
    "ip_address": "192.0.2.81",
}


def line(until: str = "ip_address", **changed: str) -> str:
    """The full record up to a field, with some other values; "client_port" is "client:port"."""
    names = list(FULL)[:list(FULL).index(until) + 1]
    values = FULL | {name.replace("client_port", "client:port").replace("target_port", "target:port"): value for name, value in changed.items()}
    return " ".join(f'"{values[name]}"' if name in QUOTED else values[name] for name in names) + "\n"


class Alb(mapping.Mapping):
    PARSER = "aws.alb"

    def after_a_good_one(self, text: str) -> dict:
        """The event of a line that alone would not tell what log it is of."""
        return self.read(line() + text)[1]

    def test_every_field_stands_where_the_table_says(self):
        e = self.one(line(), KEY)
        self.check(e, {
            "class_uid": 4002,
            "activity_id": 3,
            "time": 1772352000165,  # request_creation_time
            "start_time": 1772352000165,
            "end_time": 1772352000186,  # time
            "duration": 24,
            "app_protocol_name": "h2",
            "src_endpoint.ip": "203.0.113.10",
            "src_endpoint.port": 2817,
            "dst_endpoint.uid": "app/shop/0a1b2c3d4e5f6071",
            "dst_endpoint.ip": "192.0.2.81",
            "dst_endpoint.port": 8443,
            "load_balancer.uid": "app/shop/0a1b2c3d4e5f6071",
            "load_balancer.name": "shop",
            "load_balancer.ip": "192.0.2.81",
            "load_balancer.dst_endpoint.ip": "192.0.2.33",
            "load_balancer.dst_endpoint.port": 8080,
            "load_balancer.dst_endpoint.uid": GROUP,
            "load_balancer.endpoint_connections.0.network_endpoint.ip": "192.0.2.34",
            "load_balancer.endpoint_connections.0.network_endpoint.port": 8081,
            "load_balancer.endpoint_connections.0.code": 500,
            "load_balancer.endpoint_connections.1.network_endpoint.ip": "2001:db8:1::33",
            "load_balancer.endpoint_connections.1.network_endpoint.port": 8082,
            "load_balancer.endpoint_connections.1.code": 504,
            "load_balancer.code": 502,
            "load_balancer.classification": "Ambiguous",
            "load_balancer.status_detail": "BadUri",
            "load_balancer.error_message": "LambdaTimeout",
            "status_detail": "LambdaTimeout",
            "http_response.code": 502,
            "http_response.length": 3660,
            "http_response.latency": 24,
            "http_request.http_method": "GET",
            "http_request.version": "HTTP/2.0",
            "http_request.url.url_string": "https://www.example.com:8443/cart/7?item=9&n=2",
            "http_request.url.scheme": "https",
            "http_request.url.hostname": "www.example.com",
            "http_request.url.port": 8443,
            "http_request.url.path": "/cart/7",
            "http_request.url.query_string": "item=9&n=2",
            "http_request.user_agent": "ExampleBrowser/1.0 (X11; Linux)",
            "http_request.uid": "Root=1-69a3f0a0-000000000000000000000001",
            "http_request.length": 340,
            "traffic.bytes_out": 340,
            "traffic.bytes_in": 3660,
            "traffic.bytes": 4000,
            "tls.version": "TLSv1.3",
            "tls.cipher": "TLS_AES_128_GCM_SHA256",
            "tls.sni": "sni.example.com",
            "connection_info.uid": "TID_0123456789abcdef",
            "connection_info.direction_id": 1,
            "connection_info.protocol_num": 6,
            "status_id": 2,
            "status_code": "502",
            "action_id": None,
            "raw_data": None,
            "unmapped": {
                "time": "2026-03-01T08:00:00.186641Z",  # finer than end_time
                "request_processing_time": "0.001",
                "target_processing_time": "0.020",
                "response_processing_time": "0.003",
                "target_status_code": "503",
                "chosen_cert_arn": CERTIFICATE,
                "matched_rule_priority": "10",
                "actions_executed": "authenticate,forward",
                "redirect_url": "https://redirect.example.com/a b",
                "transformed_host": "host.internal.example",
                "transformed_uri": "/v2/cart/7",
                "request_transform_status": "TransformSuccess",
            },
        })

    def test_what_every_aws_event_has(self):
        e = self.one(line(), "AWSLogs/o-exampleorg1/" + KEY.removeprefix("AWSLogs/"))
        self.check(e, {
            "severity_id": 1,
            "cloud.provider": "AWS",
            "cloud.account.uid": "444455556666",  # of the ARN: the record wins
            "cloud.account.type_id": 10,
            "cloud.region": "cn-north-1",
            "cloud.cloud_partition": "aws-cn",
            "cloud.org.uid": "o-exampleorg1",
            "metadata.product.vendor_name": "AWS",
            "metadata.product.name": "Elastic Load Balancing",
            "metadata.product.feature.name": "ALB Access Logs",
            "metadata.log_provider": "Elastic Load Balancing",
            "metadata.original_time": "2026-03-01T08:00:00.165789Z",
            "metadata.profiles": ["cloud", "load_balancer", "security_control"],
        })

    def test_the_key_says_account_region_and_node_where_the_record_does_not(self):
        e = self.one(line("ssl_protocol"), KEY)
        self.check(e, {
            "cloud.account.uid": "111122223333",
            "cloud.region": "eu-central-1",
            "dst_endpoint.ip": "192.0.2.80",
            "load_balancer.ip": "192.0.2.80",
            "dst_endpoint.uid": "app/shop/0a1b2c3d4e5f6071",
        })
        self.check(self.one(line("ssl_protocol")), {"cloud.account": None, "cloud.region": None, "dst_endpoint.ip": None})

    def test_nothing_of_a_full_record_is_lost(self):
        source = {name: value for name, value in FULL.items() if ":" not in name and name not in ("request", "target_status_code_list")}
        source |= {"client": ["203.0.113.10", "2817"], "target": ["192.0.2.33", "8080"], "targets": ["192.0.2.34", "8081", "2001:db8:1::33", "8082"],
                   "codes": ["500", "504"], "request": ["GET", "https://www.example.com:8443/cart/7?item=9&n=2", "HTTP/2.0"]}
        self.nothing_lost(source, self.one(line(), KEY))

    def test_the_short_lines_of_earlier_years_are_read(self):
        for until in ("sent_bytes", "user_agent", "ssl_protocol", "target_group_arn", "trace_id", "chosen_cert_arn", "matched_rule_priority",
                      "request_creation_time", "redirect_url", "error_reason", "target_status_code_list", "classification_reason", "conn_trace_id"):
            with self.subTest(until=until):
                e = self.one(line(until))
                self.check(e, {"src_endpoint.port": 2817, "http_response.code": 502, "metadata.debug": None, "unmapped.extra": None})
                self.assertEqual(e["time"], 1772352000165 if "redirect" in until or list(FULL).index(until) > 20 else 1772352000186)

    def test_fields_that_aws_appends_are_kept_and_no_error(self):
        for extra, kept in (("-", None), ('"-"', None), ('- "-" -', None), ('new "one more"', 'new "one more"'), ('"a\\"b"', '"a\\"b"')):
            with self.subTest(extra=extra):
                e = self.one(line().rstrip() + f" {extra}\n")
                self.check(e, {"unmapped.extra": kept, "http_request.user_agent": FULL["user_agent"], "load_balancer.ip": "192.0.2.81", "metadata.debug": None})
                self.assertEqual(self.stats()["parsers"]["aws.alb"].get("drift", {}), {} if kept is None else {"extra": 1})
        # What AWS announced before conn_trace_id was there, without quotes or with.
        for extra in ("-", '"-"'):
            self.check(self.one(line("classification_reason").rstrip() + f" {extra}\n"), {"metadata.debug": None, "unmapped.extra": None})

    def test_absent_is_absent(self):
        e = self.one('http 2026-03-01T08:00:02.748149Z app/shop/0a1b2c3d4e5f6071 2001:db8::77:57273 - -1 -1 -1 400 - - 272 "- http://www.example.com:80- " "-" - - '
                     '- "-" "-" "-" - - "-" "-" "-" "-" "-" "-" "-" - "-" "-" "-" -\n')
        self.check(e, {
            "activity_id": 0,
            "time": 1772352002748,
            "start_time": None,
            "end_time": 1772352002748,
            "duration": None,
            "src_endpoint": {"ip": "2001:db8::77", "port": 57273},
            "http_request": {"url": {"url_string": "http://www.example.com:80", "scheme": "http", "hostname": "www.example.com", "port": 80}},
            "http_response": {"code": 400, "length": 272},
            "tls": None,
            "traffic": {"bytes_in": 272},
            "connection_info.uid": None,
            "cloud": {"provider": "AWS"},
            "load_balancer": {"uid": "app/shop/0a1b2c3d4e5f6071", "name": "shop", "code": 400},
            "unmapped": {"request_processing_time": "-1", "target_processing_time": "-1", "response_processing_time": "-1"},
        })

    def test_the_method_is_the_activity(self):
        for method, activity, name in (("CONNECT", 1, "Connect"), ("DELETE", 2, "Delete"), ("GET", 3, "Get"), ("HEAD", 4, "Head"), ("OPTIONS", 5, "Options"),
                                       ("POST", 6, "Post"), ("PUT", 7, "Put"), ("TRACE", 8, "Trace"), ("PATCH", 9, "Patch"), ("PROPFIND", 99, "PROPFIND")):
            self.check(self.one(line(request=f"{method} http://h.example:80/ HTTP/1.1")), {"activity_id": activity, "activity_name": name})

    def test_the_status_says_success_or_failure(self):
        for code, status in (("101", 1), ("200", 1), ("304", 1), ("404", 2), ("503", 2), ("-", 0), ("000", 0)):
            self.check(self.one(line(elb_status_code=code)), {"status_id": status})
        self.check(self.one(line(elb_status_code="-")), {"http_response": None, "traffic.bytes_in": 3660, "status_code": None})

    def test_only_a_last_action_of_waf_means_denied(self):
        self.check(self.one(line(actions_executed="waf")), {"action_id": 2, "disposition_id": 2})
        self.check(self.one(line(actions_executed="authenticate,waf")), {"action_id": 2, "disposition_id": 2})
        self.check(self.one(line(actions_executed="waf,forward")), {"action_id": None, "disposition_id": None})
        self.check(self.one(line(actions_executed="waf-failed")), {"action_id": None, "disposition_id": None})

    def test_times_of_steps_that_did_not_happen_do_not_count(self):
        e = self.one(line(response_processing_time="-1", target_processing_time="-1", request_processing_time="0.0015"))
        self.check(e, {"duration": 2, "http_response.latency": None, "unmapped.response_processing_time": "-1"})

    def test_what_cannot_be_read_costs_the_field_alone(self):
        e = self.after_a_good_one(line(client_port="someone:1", target_port="192.0.2.33:70000", elb_status_code="20x", received_bytes="99999999999999999999", sent_bytes="3000000000",
                          request_creation_time="2026-02-30T08:00:00.000000Z", ip_address="node"))
        self.check(e, {
            "src_endpoint": None,
            "load_balancer.dst_endpoint": {"uid": GROUP},
            "status_id": 0,
            "http_response": None,
            "traffic": {"bytes_in": 3000000000},
            "http_request.length": None,
            "time": 1772352000186,
            "unmapped.client:port": "someone:1",
            "unmapped.target:port": "192.0.2.33:70000",
            "unmapped.elb_status_code": "20x",
            "unmapped.received_bytes": "99999999999999999999",
            "unmapped.request_creation_time": "2026-02-30T08:00:00.000000Z",
            "unmapped.ip_address": "node",
        })
        lists = self.one(line().replace('"500 504"', '"500 x"'))
        self.check(lists, {"load_balancer.endpoint_connections": None, "unmapped.target_status_code_list": "500 x",
                           "unmapped.target:port_list": FULL["target:port_list"]})
        e = self.one(line(sent_bytes="3000000000"))
        self.check(e, {"http_response": {"code": 502, "latency": 24}, "traffic.bytes_in": 3000000000})

    def test_lists_of_different_length_lose_nothing(self):
        e = self.one(line().replace('"500 504"', '"500 504 - 505"'))
        self.assertEqual([c.get("code") for c in e["load_balancer"]["endpoint_connections"]], [500, 504, 505])

    def test_a_line_that_is_none_is_rejected_and_costs_no_other(self):
        events = self.read(line() + "none of these twelve fields is what it ought to be at all\n" + line().replace("2026-", "20x6-") + "short\n" + line(), code=3)
        self.assertEqual([e["lineage"]["record"] for e in events], [0, 4])

    def test_a_line_that_is_cut_off_says_so(self):
        whole = line()
        for end in (whole.index("ExampleBrowser") + 4, whole.index("Root=") + 3, whole.index("https://www") + 20):
            e = self.after_a_good_one(whole[:end])
            self.assertEqual(e["metadata"]["debug"], ["truncated: the line ends within quotes"])
            self.assertEqual(e["raw_data"], whole[:end])
            self.check(e, {"src_endpoint.ip": "203.0.113.10", "http_response.code": 502})

    def test_spaces_quotes_and_unicode_of_a_client_stay_in_its_fields(self):
        for target, agent, read in (
                ("http://h.example:80/a b;wget+ x/j", "-", None),
                ('http://h.example:80/a"b', "agent", "agent"),
                ('http://h.example:80/a" b', "agent", "agent"),
                ('http://h.example:80/"', "agent", "agent"),
                ("http://h.example:80/\u00e4\U0001f600", "\u4e2d\u6587 agent", "\u4e2d\u6587 agent"),
                ("http://h.example:80/a", r"say \"hi\"", 'say "hi"'),
                ("http://h.example:80/a", r"say \x22hi\x22", 'say "hi"'),
                ("http://h.example:80/a", r"C:\dir\\", r"C:\dir\\"),
                ("http://h.example:80/a", r"x\" - - - \"Root=1", 'x" - - - "Root=1'),
                (r"http://h.example:80/\x00\n", 'a"b', 'a"b')):
            with self.subTest(target=target, agent=agent):
                e = self.one(line(request=f"GET {target} HTTP/1.1", user_agent=agent))
                self.check(e, {"http_request.url.url_string": target, "http_request.user_agent": read, "http_request.version": "HTTP/1.1",
                               "http_request.uid": FULL["trace_id"], "unmapped.extra": None, "metadata.debug": None, "raw_data": None})

    def test_fields_that_a_client_wrote_are_not_taken_for_the_load_balancers(self):
        tail = line().split(FULL["user_agent"] + '" ', 1)[1].strip()
        fake = tail.replace("TLSv1.3", "TLSv1.2").replace("Root=1-69a3f0a0", "Root=1-00000000").replace("192.0.2.81", "203.0.113.99").replace("sni.", "fake.")
        for until in ("ip_address", "conn_trace_id", "classification_reason", "error_reason"):
            real = line(until).split(FULL["user_agent"] + '" ', 1)[1].strip()
            for target in (f'/a" "x" {fake} "', f'/a HTTP/1.1" "x" {fake} "x', '/a" "x" - - - "', '/a" "x" - - ', f'/a HTTP/1.1" "x" {fake[:-20]}', '/" "'):
                with self.subTest(until=until, target=target):
                    text = line(until, request=f"GET http://h.example:80{target} HTTP/1.1")
                    e = self.one(text)
                    self.check(e, {
                        "tls.version": "TLSv1.3",
                        "tls.sni": "sni.example.com",
                        "http_request.uid": FULL["trace_id"],
                        "http_request.user_agent": FULL["user_agent"],
                        "http_request.url.url_string": f"http://h.example:80{target}",
                        "load_balancer.ip": "192.0.2.81" if until == "ip_address" else None,
                        "raw_data": text.rstrip("\n"),
                    })
                    self.assertTrue(e["metadata"]["debug"][0].startswith("ambiguous: "))
                    self.assertTrue(text.rstrip().endswith(real))

    def test_an_agent_with_quotes_that_were_not_escaped_is_doubted(self):
        for agent in ('x" "y', 'x" - - - "Root=1" "-" "-', 'x HTTP/1.1" "y'):
            text = line(user_agent=agent)
            e = self.one(text)
            self.check(e, {"tls.version": "TLSv1.3", "http_request.uid": FULL["trace_id"], "raw_data": text.rstrip("\n")})
            self.assertTrue(e["metadata"]["debug"][0].startswith("ambiguous: "))
            self.assertTrue((e["http_request"]["url"]["url_string"] + e["http_request"]["user_agent"]).endswith(agent.split('"')[-1]))

    def test_a_line_of_quotes_takes_no_longer_than_another(self):
        hostile = line(request="GET http://h.example:80/" + '" - - - "x' * 20000 + " HTTP/1.1", user_agent='" "' * 20000)
        e = self.one(hostile)
        self.assertEqual(e["http_request"]["uid"], FULL["trace_id"])
        self.assertTrue(e["metadata"]["debug"][0].startswith("ambiguous: "))


if __name__ == "__main__":
    mapping.unittest.main()
