"""Amazon CloudFront standard logs: which field of a line or a JSON record stands in which attribute, whatever their order and number."""
import json

import mapping

KEY = "AWSLogs/aws-account-id=111122223333/CloudFront/E2EXAMPLE1234.2026-03-01-12.4a5b6c7d.gz"

FIELDS = {
    "date": "2026-03-01", "time": "12:02:31", "x-edge-location": "LAX1", "sc-bytes": "392", "c-ip": "192.0.2.100", "cs-method": "GET",
    "cs(Host)": "d111111abcdef8.cloudfront.net", "cs-uri-stem": "/a%2520b", "sc-status": "206", "cs(Referer)": "https://www.example.com/%C3%BC",
    "cs(User-Agent)": "Mozilla/5.0%20(X11)", "cs-uri-query": "q=%2522x%2522&r=1", "cs(Cookie)": "id=1;%20name=a", "x-edge-result-type": "RefreshHit",
    "x-edge-request-id": "SOX4xwEXAMPLE==", "x-host-header": "www.example.com", "cs-protocol": "https", "cs-bytes": "23", "time-taken": "1.234",
    "x-forwarded-for": "198.51.100.4,%202001:db8::4", "ssl-protocol": "TLSv1.3", "ssl-cipher": "TLS_AES_128_GCM_SHA256", "x-edge-response-result-type": "Miss",
    "cs-protocol-version": "HTTP/2.0", "fle-status": "Processed", "fle-encrypted-fields": "2", "c-port": "11040", "time-to-first-byte": "0.567",
    "x-edge-detailed-result-type": "MissGeneratedResponse", "sc-content-type": "text/html;%20charset=utf-8", "sc-content-len": "78", "sc-range-start": "17", "sc-range-end": "94",
    "distribution-tenant-id": "dt_EXAMPLE", "connection-id": "connEXAMPLE", "timestamp(ms)": "1772366551814", "origin-fbl": "0.100", "origin-lbl": "0.200", "asn": "64500",
    "c-country": "BG", "cache-behavior-path-pattern": "/a*", "viewer-request-log-data": "k=v", "viewer-response-log-data": "l=w"}
LEGACY = {k: v for k, v in list(FIELDS.items())[:33]}

WANTED = {
    "class_uid": 4002, "severity_id": 1,
    "time": 1772366551814, "metadata.original_time": "2026-03-01 12:02:31",  # timestamp(ms), date, time
    "duration": 1234,  # time-taken
    "http_response.latency": 567,  # time-to-first-byte
    "src_endpoint.ip": "192.0.2.100", "src_endpoint.port": 11040,  # c-ip, c-port
    "src_endpoint.location.country": "BG",  # c-country
    "src_endpoint.autonomous_system.number": 64500,  # asn
    "dst_endpoint.name": "LAX1",  # x-edge-location
    "dst_endpoint.hostname": "d111111abcdef8.cloudfront.net",  # cs(Host)
    "dst_endpoint.uid": "E2EXAMPLE1234",  # the name of the file
    "dst_endpoint.svc_name": "cloudfront.amazonaws.com",
    "http_request.http_method": "GET", "activity_id": 3, "type_uid": 400203,  # cs-method
    "http_request.version": "HTTP/2.0",  # cs-protocol-version
    "http_request.url.hostname": "www.example.com",  # x-host-header
    "http_request.url.path": "/a%20b", "http_request.url.query_string": "q=%22x%22&r=1",  # cs-uri-stem, cs-uri-query
    "http_request.url.scheme": "https",  # cs-protocol
    "http_request.referrer": "https://www.example.com/ü", "http_request.user_agent": "Mozilla/5.0 (X11)",  # cs(Referer), cs(User-Agent)
    "http_request.x_forwarded_for": ["198.51.100.4", "2001:db8::4"],  # x-forwarded-for
    "http_request.uid": "SOX4xwEXAMPLE==", "metadata.original_event_uid": "SOX4xwEXAMPLE==",  # x-edge-request-id
    "http_request.length": 23, "traffic.bytes_out": 23,  # cs-bytes
    "traffic.bytes_in": 392, "http_response.length": 392,  # sc-bytes
    "http_response.code": 206, "status_id": 1,  # sc-status
    "http_response.content_type": "text/html; charset=utf-8", "http_response.body_length": 78,  # sc-content-type, sc-content-len
    "tls": {"version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256"},  # ssl-protocol, ssl-cipher
    "status_detail": "MissGeneratedResponse",  # x-edge-detailed-result-type
    "connection_info.uid": "connEXAMPLE", "connection_info.direction_id": 1,  # connection-id
    "unmapped": {k: FIELDS[k] for k in ["cs(Cookie)", "x-edge-result-type", "x-edge-response-result-type", "fle-status", "fle-encrypted-fields", "sc-range-start", "sc-range-end",
                                        "distribution-tenant-id", "origin-fbl", "origin-lbl", "cache-behavior-path-pattern", "viewer-request-log-data",
                                        "viewer-response-log-data"]},
    "cloud.provider": "AWS", "cloud.account.uid": "111122223333", "cloud.account.type_id": 10, "cloud.region": None,
    "metadata.product.name": "Amazon CloudFront", "metadata.product.feature.name": "Standard Logs", "metadata.product.vendor_name": "AWS", "metadata.log_provider": "CloudFront",
    "metadata.profiles": ["cloud"]}

TOLD = {**{name: "decoded" for name in ("cs-uri-stem", "cs(Referer)", "cs(User-Agent)", "cs-uri-query", "x-forwarded-for", "sc-content-type")},
        "date": "with the time, as metadata.original_time", "time": "with the date, as metadata.original_time", "time-taken": "in milliseconds",
        "time-to-first-byte": "in milliseconds"}


def line(fields: dict = LEGACY, **changed: str) -> str:
    return "\t".join({**fields, **{k.replace("_", "-"): v for k, v in changed.items()}}.values()) + "\n"


def log(*lines: str, fields: dict = LEGACY, separator: str = " ") -> str:
    return f"#Version: 1.0\n#Fields: {separator.join(fields)}\n" + "".join(lines or [line(fields)])


class CloudFront(mapping.Mapping):
    PARSER = "aws.cloudfront"

    def test_every_field_stands_where_the_mapping_says(self):
        self.check(self.one(log(fields=FIELDS), KEY), {**WANTED, "metadata.log_version": "1.0"})
        self.assertEqual(self.stats()["parsers"]["aws.cloudfront"].get("drift", {}), {})

    def test_nothing_of_a_full_line_is_lost(self):
        self.nothing_lost(FIELDS, self.one(log(fields=FIELDS), KEY), TOLD)

    def test_fields_may_stand_in_any_order_and_number(self):
        backwards = dict(reversed(FIELDS.items()))
        self.check(self.one(log(fields=backwards), KEY), WANTED)
        some = {k: FIELDS[k] for k in ("sc-status", "time", "x-edge-location", "date")}
        self.check(self.one(log(fields=some), "y"), {"time": 1772366551000, "http_response": {"code": 206}, "http_request": None, "traffic": None, "tls": None, "activity_id": 0,
                                                    "src_endpoint": None, "dst_endpoint": {"name": "LAX1", "svc_name": "cloudfront.amazonaws.com"}, "unmapped": None})

    def test_the_header_may_be_fields_alone_and_its_words_apart_by_tabs(self):
        event = self.one("#Fields: " + "\t".join(FIELDS) + "\n" + line(FIELDS), KEY)
        self.check(event, {**WANTED, "metadata.log_version": None})

    def test_values_may_be_apart_by_spaces(self):
        self.check(self.one(log(line(FIELDS).replace("\t", " "), fields=FIELDS), KEY), WANTED)

    def test_values_that_are_empty_have_their_place(self):
        event = self.one(log(line(cs_bytes="", fle_status="", sc_range_end="")))
        self.check(event, {"traffic.bytes_out": None, "duration": 1234, "unmapped.fle-status": None, "unmapped.sc-range-start": "17"})

    def test_a_header_holds_until_the_next_one(self):
        few = {k: FIELDS[k] for k in ("date", "time", "x-edge-location", "sc-status", "cs-method")}
        events = self.read(log() + log(fields=few) + log())
        self.assertEqual([len(e["unmapped"]) if "unmapped" in e else 0 for e in events], [7, 0, 7])

    def test_lines_end_as_on_any_system(self):
        self.check(self.one(log(fields=FIELDS).replace("\n", "\r\n"), KEY), {**WANTED, "metadata.log_version": "1.0"})

    def test_dashes_are_absent(self):
        event = self.one(log("\t".join(["2026-03-01", "12:02:31", "-", "-", "-", "GET"] + ["-"] * 27) + "\n"))
        self.check(event, {"http_request": {"http_method": "GET"}, "http_response": None, "traffic": None, "tls": None, "src_endpoint": None, "unmapped": None, "duration": None,
                           "dst_endpoint": {"svc_name": "cloudfront.amazonaws.com"}, "status_id": 0, "connection_info": {"direction": "Inbound", "direction_id": 1}})

    def test_a_client_that_went_away_got_no_response(self):
        self.check(self.one(log(line(sc_status="000"))), {"http_response": None, "status_id": 2, "unmapped.sc-status": "000", "unmapped.time-to-first-byte": "0.567",
                                                           "unmapped.sc-content-type": "text/html;%20charset=utf-8", "unmapped.sc-content-len": "78", "traffic.bytes_in": 392})

    def test_the_status_says_success_or_failure(self):
        events = self.read(log(*(line(sc_status=s) for s in ("200", "304", "404", "502", "999"))))
        self.assertEqual([e["status_id"] for e in events], [1, 1, 2, 2, 0])

    def test_a_method_that_ocsf_does_not_name_is_other_by_its_name(self):
        methods = {"CONNECT": 1, "DELETE": 2, "GET": 3, "HEAD": 4, "OPTIONS": 5, "POST": 6, "PUT": 7, "TRACE": 8, "PATCH": 9, "PROPFIND": 99, "-": 0}
        events = self.read(log(*(line(cs_method=m) for m in methods)))
        self.assertEqual([e["activity_id"] for e in events], list(methods.values()))
        self.assertEqual(events[-2]["activity_name"], "PROPFIND")

    def test_text_is_decoded_once_and_never_into_what_is_no_utf8(self):
        sent = {"%2520": "%20", "%22%5C%7B%E2%82%AC": '"\\{€', "100%25": "100%", "%": "%", "%zz": "%zz", "%FF%20": "%FF%20", "%ED%A0%80": "%ED%A0%80", "ä": "ä", "%F0%9F%98%80": "😀"}
        events = self.read(log(*(line(LEGACY | {"cs(User-Agent)": s}) for s in sent)))
        self.assertEqual([e["http_request"]["user_agent"] for e in events], list(sent.values()))

    def test_what_is_no_number_or_address_is_kept_as_it_stands(self):
        bad = {"sc-bytes": "x", "c-port": "70000", "cs-bytes": "-5", "time-taken": "fast", "time-to-first-byte": "1e3", "sc-content-len": "9" * 30, "asn": "4294967296",
               "x-forwarded-for": "unknown,%20198.51.100.4", "timestamp(ms)": "99"}
        event = self.one(log(line(FIELDS | bad), fields=FIELDS))
        self.check(event, {f"unmapped.{k}": v for k, v in bad.items()})
        self.check(event, {"traffic": None, "src_endpoint.port": None, "src_endpoint.autonomous_system": None, "duration": None, "http_request.x_forwarded_for": ["198.51.100.4"],
                           "time": 1772366551000, "http_response.latency": None})

    def test_without_an_address_there_is_no_source(self):
        event = self.one(log(line(FIELDS | {"c-ip": "host.example.com"}), fields=FIELDS))
        self.check(event, {"src_endpoint": None, "unmapped.c-ip": "host.example.com", "unmapped.c-port": "11040", "unmapped.c-country": "BG", "unmapped.asn": "64500"})

    def test_more_than_32_bits_are_kept(self):
        event = self.one(log(line(sc_bytes="5368709120", cs_bytes="5368709121", sc_content_len="5368709122")))
        self.check(event, {"traffic.bytes_in": 5368709120, "traffic.bytes_out": 5368709121, "unmapped.sc-content-len": "5368709122", "http_response.length": None})

    def test_without_a_path_the_rest_of_the_url_is_kept(self):
        event = self.one(log(line(cs_uri_stem="-")))
        self.check(event, {"http_request.url": None, "unmapped.cs-uri-query": "q=%2522x%2522&r=1", "unmapped.cs-protocol": "https", "unmapped.x-host-header": "www.example.com"})

    def test_without_a_tls_version_the_cipher_is_kept(self):
        self.check(self.one(log(line(ssl_protocol="-"))), {"tls": None, "unmapped.ssl-cipher": "TLS_AES_128_GCM_SHA256"})

    def test_a_host_header_may_have_a_port_and_brackets(self):
        port, brackets = self.read(log(line(x_host_header="www.example.com:8443"), line(x_host_header="[2001:db8::1]:444")))
        self.check(port, {"http_request.url.hostname": "www.example.com", "http_request.url.port": 8443})
        self.check(brackets, {"http_request.url.hostname": "2001:db8::1", "http_request.url.port": 444})

    def test_fields_that_nobody_knows_or_that_come_twice_are_kept_and_counted(self):
        event = self.one("#Fields: " + " ".join(LEGACY) + " x-new c-ip\n" + line().rstrip("\n") + "\tvalue\t203.0.113.9\n")
        self.check(event, {"unmapped.x-new": "value", "unmapped.c-ip": "203.0.113.9", "src_endpoint.ip": "192.0.2.100"})
        self.assertEqual(self.stats()["parsers"]["aws.cloudfront"]["drift"], {"x-new": 1, "c-ip": 1})

    def test_a_line_that_is_cut_off_or_has_no_time_costs_the_record(self):
        bad = [line()[:100] + "\n", line().rstrip("\n") + "\textra\n", line(date="2026-02-30"), line(time="-"), "2026-03-01\n"]
        self.write("x", log(line(), *bad, line()))
        self.assertEqual(len(self.events("x", "--stats", "stats.json", "--rejects", "rejects", code=3)), 2)
        self.assertEqual([r["code"] for r in self.rejects()], ["malformed"] * 5)

    def test_the_distribution_is_in_the_name_of_the_file_or_of_a_folder(self):
        for key, wanted in {"logs/E2EXAMPLE1234.2026-03-01-12.4a5b6c7d.gz": "E2EXAMPLE1234", "AWSLogs/111122223333/CloudFront/DistributionId=E3EXAMPLE1234/2026/x.log": "E3EXAMPLE1234",
                            "AWSLogs/111122223333/CloudFront/E4EXAMPLE1234/2026/x.log": "E4EXAMPLE1234", "logs/example.2026-03-01-12.4a5b6c7d.gz": None}.items():
            self.check(self.one(log(), key), {"dst_endpoint.uid": wanted, "cloud.account.uid": "111122223333" if "AWSLogs" in key else None})

    def test_lines_without_a_header_are_read_with_configured_names(self):
        self.write("conf.json", json.dumps({"plugins": {"aws.cloudfront": {"fields": " ".join(FIELDS)}}}))
        self.write(KEY, line(FIELDS))
        (event,) = self.events(KEY, "--config", "conf.json", "--plugin", "aws.cloudfront")
        self.check(event, WANTED)
        self.write("conf.json", json.dumps({"plugins": {"aws.cloudfront": {"fields": "a b c"}}}))
        self.assertIn("wanted the field names", self.logmill("run", KEY, "--config", "conf.json", "--to", "ndjson:-", code=None).stderr)

    def test_other_logs_with_a_header_of_fields_are_not_taken(self):
        for header in ("#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status time-taken",
                       "#Fields: date time x-edge-location c-ip x-event sc-bytes x-cf-status"):
            self.write("y", header + "\n" + "\t".join("a" * len(header.split())) + "\n")
            self.logmill("run", "y", "--to", "ndjson:-", "--stats", "stats.json", code=None)
            self.assertNotIn("aws.cloudfront", self.stats()["parsers"])


class CloudFrontJson(mapping.Mapping):
    PARSER = "aws.cloudfront_json"

    def test_every_field_stands_where_that_of_a_line_does(self):
        event = self.one(FIELDS, KEY)
        self.check(event, {**WANTED, "metadata.log_version": None})
        self.nothing_lost(FIELDS, event, TOLD)

    def test_numbers_are_read_as_well_as_text(self):
        event = self.one({**FIELDS, "sc-status": 404, "timestamp(ms)": 1772366551815, "time-taken": 0.25, "sc-bytes": 10})
        self.check(event, {"http_response.code": 404, "time": 1772366551815, "duration": 250, "traffic.bytes_in": 10})

    def test_any_fields_are_enough_that_say_when_and_what(self):
        event = self.one({"timestamp(ms)": "1772366551814", "cs(Host)": "d111111abcdef8.cloudfront.net", "cs-method": "GET"})
        self.check(event, {"time": 1772366551814, "metadata.original_time": "1772366551814", "http_request": {"http_method": "GET"}})

    def test_null_is_absent_and_another_type_is_kept(self):
        event = self.one({**FIELDS, "cs(Cookie)": None, "c-port": {"a": [1]}, "fle-status": True, "asn": 1.5})
        self.check(event, {"unmapped.cs(Cookie)": None, "src_endpoint.port": None, "unmapped.c-port": {"a": [1]}, "unmapped.fle-status": True, "unmapped.asn": "1.5"})

    def test_an_unknown_field_is_kept_and_counted(self):
        event = self.one({**FIELDS, "x-new": {"a": ["ä", 1]}})
        self.check(event, {"unmapped.x-new": {"a": ["ä", 1]}})
        self.assertEqual(self.stats()["parsers"]["aws.cloudfront_json"]["drift"], {"x-new": 1})

    def test_of_a_name_that_comes_twice_the_last_counts_and_the_first_is_kept(self):
        event = self.one(json.dumps(FIELDS)[:-1] + ', "sc-status": "404"}')
        self.check(event, {"http_response.code": 404, "unmapped.sc-status": "206"})

    def test_escapes_of_json_and_of_urls_are_both_undone(self):
        self.check(self.one({**FIELDS, "cs(User-Agent)": 'a"\\%20\u20ac'}), {"http_request.user_agent": 'a"\\ €'})

    def test_what_is_no_record_is_rejected(self):
        bad = [{"date": "2026-03-01", "time": "12:02:31", "x-edge-location": "LAX1"}, {**FIELDS, "date": "x", "timestamp(ms)": "-"}, {}]
        text = "\n".join(json.dumps(r) for r in [FIELDS, *bad]) + "\n" + json.dumps(FIELDS)[:300] + "\n"
        self.write("x", text)
        self.assertEqual(len(self.events("x", "--stats", "stats.json", "--rejects", "rejects", code=3)), 1)
        self.assertEqual(len(self.rejects()), 4)


if __name__ == "__main__":
    mapping.unittest.main()
