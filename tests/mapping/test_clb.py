#!/usr/bin/env python3
"""Classic Load Balancer access logs: requests and connections, which field stands where, and that a client cannot write itself into other fields."""
import mapping

KEY = ("AWSLogs/111122223333/elasticloadbalancing/eu-central-1/2026/03/01/"
       "111122223333_elasticloadbalancing_eu-central-1_legacy_20260301T0805Z_192.0.2.90_5zc3kw7x.log")
# Every documented field, each with a value of its own.
FULL = {
    "timestamp": "2026-03-01T08:00:43.945958Z",
    "elb": "legacy",
    "client:port": "203.0.113.39:2817",
    "backend:port": "192.0.2.41:80",
    "request_processing_time": "0.000086",
    "backend_processing_time": "0.001048",
    "response_processing_time": "0.001337",
    "elb_status_code": "502",
    "backend_status_code": "503",
    "received_bytes": "12",
    "sent_bytes": "57",
    "request": "GET https://www.example.com:8443/index.html?a=b HTTP/1.1",
    "user_agent": "curl/8.5.0",
    "ssl_cipher": "DHE-RSA-AES128-SHA",
    "ssl_protocol": "TLSv1.2",
}
TCP = {"elb_status_code": "-", "backend_status_code": "-", "request": "- - - ", "user_agent": "-"}


def line(until: str = "ssl_protocol", **changed: str) -> str:
    names = list(FULL)[:list(FULL).index(until) + 1]
    values = FULL | {name.replace("client_port", "client:port").replace("backend_port", "backend:port"): value for name, value in changed.items()}
    return " ".join(f'"{values[name]}"' if name in ("request", "user_agent") else values[name] for name in names) + "\n"


class Clb(mapping.Mapping):
    PARSER = "aws.clb"

    def test_every_field_of_a_request_stands_where_the_table_says(self):
        self.check(self.one(line(), KEY), {
            "class_uid": 4002,
            "activity_id": 3,
            "time": 1772352043945,
            "start_time": 1772352043945,
            "duration": 2,
            "src_endpoint": {"ip": "203.0.113.39", "port": 2817},
            "dst_endpoint": {"name": "legacy", "ip": "192.0.2.90", "port": 8443},
            "load_balancer": {
                "name": "legacy",
                "ip": "192.0.2.90",
                "code": 502,
                "dst_endpoint": {"ip": "192.0.2.41", "port": 80},
                "endpoint_connections": [{"code": 503, "network_endpoint": {"ip": "192.0.2.41", "port": 80}}],
            },
            "http_response": {"code": 502, "length": 57, "latency": 2},
            "http_request": {
                "http_method": "GET",
                "version": "HTTP/1.1",
                "length": 12,
                "user_agent": "curl/8.5.0",
                "url": {"url_string": "https://www.example.com:8443/index.html?a=b", "scheme": "https", "hostname": "www.example.com", "port": 8443,
                        "path": "/index.html", "query_string": "a=b"},
            },
            "traffic": {"bytes_out": 12, "bytes_in": 57, "bytes": 69},
            "tls": {"version": "TLSv1.2", "cipher": "DHE-RSA-AES128-SHA"},
            "connection_info": {"direction_id": 1, "direction": "Inbound", "protocol_num": 6},
            "status_id": 2,
            "status_code": "502",
            "unmapped": {"request_processing_time": "0.000086", "backend_processing_time": "0.001048", "response_processing_time": "0.001337"},
        })

    def test_every_field_of_a_connection_stands_where_the_table_says(self):
        self.check(self.one(line(**TCP), KEY), {
            "class_uid": 4001,
            "activity_id": 6,
            "time": 1772352043945,
            "start_time": 1772352043945,
            "duration": 2,
            "src_endpoint": {"ip": "203.0.113.39", "port": 2817},
            "dst_endpoint": {"name": "legacy", "ip": "192.0.2.90"},
            "load_balancer": {"name": "legacy", "ip": "192.0.2.90", "dst_endpoint": {"ip": "192.0.2.41", "port": 80}},
            "traffic": {"bytes_out": 12, "bytes_in": 57, "bytes": 69},
            "tls": {"version": "TLSv1.2", "cipher": "DHE-RSA-AES128-SHA"},
            "connection_info": {"direction_id": 1, "direction": "Inbound", "protocol_num": 6},
            "unmapped": {"request_processing_time": "0.000086", "backend_processing_time": "0.001048", "response_processing_time": "0.001337"},
        })

    def test_what_every_aws_event_has(self):
        for text in (line(), line(**TCP)):
            self.check(self.one(text, "AWSLogs/o-exampleorg1/" + KEY.removeprefix("AWSLogs/")), {
                "severity_id": 1,
                "cloud": {"provider": "AWS", "account": {"uid": "111122223333", "type_id": 10, "type": "AWS Account"}, "region": "eu-central-1",
                          "org": {"uid": "o-exampleorg1"}},
                "metadata.product": {"vendor_name": "AWS", "name": "Elastic Load Balancing", "feature": {"name": "CLB Access Logs"}},
                "metadata.log_provider": "Elastic Load Balancing",
                "metadata.original_time": "2026-03-01T08:00:43.945958Z",
                "metadata.profiles": ["cloud", "load_balancer"],
            })

    def test_nothing_of_a_full_record_is_lost(self):
        for text, request in ((line(), ["GET", "https://www.example.com:8443/index.html?a=b", "HTTP/1.1"]), (line(**TCP), "-")):
            source = {name: value for name, value in FULL.items() if ":" not in name} | (TCP if request == "-" else {})
            source |= {"request": request, "client": ["203.0.113.39", "2817"], "backend": ["192.0.2.41", "80"]}
            self.nothing_lost(source, self.one(text, KEY))
        e = self.one(line(**TCP | {"user_agent": "agent", "backend_status_code": "200"}))
        self.check(e, {"class_uid": 4001, "unmapped.user_agent": "agent", "unmapped.backend_status_code": "200"})

    def test_what_was_no_request_but_has_a_status_is_http(self):
        self.check(self.one(line(request="- - - ", elb_status_code="400")), {"class_uid": 4002, "activity_id": 0, "http_response.code": 400})
        self.check(self.one(line(request="GET http://h.example:80/ HTTP/1.1", elb_status_code="-")), {"class_uid": 4002, "http_response": None, "status_id": 0})

    def test_absent_is_absent(self):
        self.check(self.one("2026-03-01T08:00:44.945958Z legacy 198.51.100.39:2817 - -1 -1 -1 - - 82 305 \"- - - \" \"-\" - -\n"), {
            "class_uid": 4001, "duration": None, "tls": None, "dst_endpoint": {"name": "legacy"}, "load_balancer": {"name": "legacy"}, "cloud": {"provider": "AWS"},
            "unmapped": {"request_processing_time": "-1", "backend_processing_time": "-1", "response_processing_time": "-1"},
        })
        self.check(self.one(line(backend_port="-", backend_status_code="-", ssl_protocol="-", ssl_cipher="-")), {
            "load_balancer": {"name": "legacy", "code": 502}, "tls": None})

    def test_old_lines_end_behind_the_request(self):
        self.check(self.one(line("request")), {"http_request.url.path": "/index.html", "http_request.user_agent": None, "tls": None, "metadata.debug": None})
        for target in ('/a"b', '/a" b', '/"'):
            self.check(self.one(line("request", request=f"GET http://h.example:80{target} HTTP/1.1")), {"http_request.url.path": target, "metadata.debug": None})

    def test_spaces_quotes_and_unicode_of_a_client_stay_in_its_fields(self):
        for target, agent, read in (("/a b", "-", None), ('/a"b', "agent", "agent"), ('/a" b', "agent", "agent"), ("/\u4e2d", "\U0001f600", "\U0001f600"),
                                    ("/", r"say \"hi\"", 'say "hi"'), ("/", r"x\" - - ", 'x" - - ')):
            with self.subTest(target=target, agent=agent):
                self.check(self.one(line(request=f"GET http://h.example:80{target} HTTP/1.1", user_agent=agent)), {
                    "http_request.url.path": target, "http_request.user_agent": read, "tls.version": "TLSv1.2", "metadata.debug": None, "raw_data": None})

    def test_fields_that_a_client_wrote_are_not_taken_for_the_load_balancers(self):
        for target in ('/" "x" - - HTTP/1.1" "y', '/ HTTP/1.1" "x" - TLSv1 "', '/" "', '/ HTTP/1.1" "x" - - '):
            with self.subTest(target=target):
                text = line(request=f"GET http://h.example:80{target} HTTP/1.1")
                e = self.one(text)
                self.check(e, {"http_request.url.url_string": f"http://h.example:80{target}", "http_request.user_agent": "curl/8.5.0", "tls.version": "TLSv1.2",
                               "tls.cipher": "DHE-RSA-AES128-SHA", "raw_data": text.rstrip("\n"), "unmapped.extra": None})
                self.assertTrue(e["metadata"]["debug"][0].startswith("ambiguous: "))
        text = line(**TCP | {"user_agent": 'x" "y'})
        e = self.one(text)
        self.check(e, {"class_uid": 4001, "raw_data": text.rstrip("\n")})
        self.assertTrue(e["metadata"]["debug"][0].startswith("ambiguous: "))

    def test_fields_that_aws_appends_are_kept_and_no_error(self):
        for extra, kept in (("-", None), ("new", "new"), ('"one more"', '"one more"')):
            self.check(self.one(line().rstrip() + f" {extra}\n"), {"unmapped.extra": kept, "tls.version": "TLSv1.2", "http_request.user_agent": "curl/8.5.0",
                                                                 "metadata.debug": None})

    def test_what_cannot_be_read_costs_the_field_alone(self):
        bad = line(client_port="nobody", backend_port="192.0.2.41:70000", request_processing_time="x", elb_status_code="abc", backend_status_code="99999999999",
                   received_bytes="-5", sent_bytes="99999999999999999999")
        self.check(self.read(line() + bad)[1], {
            "class_uid": 4002,
            "src_endpoint": None, "unmapped.client:port": "nobody",
            "load_balancer": {"name": "legacy"}, "unmapped.backend:port": "192.0.2.41:70000",
            "duration": 2, "unmapped.request_processing_time": "x",
            "http_response": None, "status_id": 0, "unmapped.elb_status_code": "abc",
            "unmapped.backend_status_code": "99999999999",
            "traffic": None, "unmapped.received_bytes": "-5", "unmapped.sent_bytes": "99999999999999999999",
        })

    def test_a_line_that_is_none_is_rejected_and_costs_no_other(self):
        events = self.read(line() + "none\n" + line("backend:port") + line(timestamp="2026-02-30T08:00:00Z") + line(), code=3)
        self.assertEqual([e["lineage"]["record"] for e in events], [0, 4])

    def test_a_line_that_is_cut_off_says_so(self):
        whole = line()
        e = self.read(whole + whole[:whole.index("index.html")])[1]
        self.check(e, {"metadata.debug": ["truncated: the line ends within quotes"], "raw_data": whole[:whole.index("index.html")], "src_endpoint.port": 2817})


class OfTheFamily(mapping.Case):
    def test_the_content_decides_and_not_the_key(self):
        import test_alb
        import test_alb_connection
        import test_nlb
        health = "http 2026-03-01T08:00:00.000000Z 0.001 192.0.2.33:8080 targetgroup/shop/89abcdef01234567 PASS 200 - app/shop/0a1b2c3d4e5f6071 192.0.2.80\n"
        lines = {"aws.alb": test_alb.line(), "aws.alb_connection": test_alb_connection.line(), "aws.nlb": test_nlb.line(), "aws.clb": line(),
                 "aws.alb_health_check": health}
        for key in (test_alb.KEY, test_alb_connection.KEY, test_nlb.KEY, KEY, "x"):
            for parser, text in lines.items():
                for damaged in ("", "\x01 damaged\n"):
                    self.write(key, damaged + text)
                    self.logmill("run", key, "--to", "ndjson:-", "--stats", "stats.json", code=None)
                    stats = self.stats()
                    set_aside = [report["parser"] for report in stats["reports"] if report["outcome"] == "set_aside"]
                    self.assertEqual([*stats["parsers"], *set_aside], [parser], key)


if __name__ == "__main__":
    mapping.unittest.main()
