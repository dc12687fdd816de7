"""AWS Network Firewall logs: which field stands in which attribute, and that none is lost."""
import copy
import json

import mapping
from mapping import at

RULES = "arn:aws:network-firewall:eu-central-1:111122223333:stateful-rulegroup/example"
ALERT = {
    "firewall_name": "edge-fw",
    "availability_zone": "eu-central-1b",
    "event_timestamp": "1772352009",
    "aws_category": "[\"Malware\"]",
    "event": {
        "timestamp": "2026-03-01T08:00:01.006481+0000",
        "flow_id": 9007199254740993,
        "event_type": "alert",
        "src_ip": "203.0.113.4",
        "src_port": 55555,
        "dest_ip": "192.0.2.16",
        "dest_port": 8080,
        "proto": "TCP",
        "app_proto": "http",
        "icmp_type": 201,
        "icmp_code": 202,
        "tx_id": 203,
        "direction": "to_server",
        "pkt_src": "geneve encapsulation",
        "tls_inspected": True,
        "alert": {"action": "blocked", "signature_id": 2001, "gid": 204, "rev": 205, "signature": "Example request", "category": "Misc activity", "severity": 2,
                  "metadata": {"attack_target": ["Server"]}},
        "verdict": {"action": "reject", "reject_target": "to_client"},
        "tcp": {"tcp_flags": "1b", "syn": True, "state": "established"},
        "http": {"hostname": "www.example.com", "url": "/a?b=c", "http_user_agent": "curl/8", "http_method": "GET", "protocol": "HTTP/1.1", "status": 206,
                 "length": 207, "http_content_type": "text/html", "http_refer": "https://r.example.com/", "request_headers": [{"name": "n", "value": "v"}]},
        "tls": {"sni": "tls.example.com", "version": "TLS 1.2", "subject": "CN=s", "issuerdn": "CN=i", "fingerprint": "aa:bb", "ja3": {"hash": "3"},
                "ja4": "t13d"},
        "dns": {"query": [{"rrname": "example.com"}]},
        "aws_metadata": {"resource_arn": RULES, "more": "m"},
        "metadata": {"flowbits": ["fb"]},
    },
}
FLOW = {
    "firewall_name": "edge-fw",
    "availability_zone": "eu-central-1b",
    "event_timestamp": 1772352010,
    "event": {
        "timestamp": "2026-03-01T08:00:10.000001+0000",
        "flow_id": 10,
        "event_type": "netflow",
        "src_ip": "2001:db8::1",
        "src_port": 44000,
        "dest_ip": "2001:db8::2",
        "dest_port": 443,
        "proto": "TCP",
        "app_proto": "tls",
        "netflow": {"pkts": 23, "bytes": 6482, "start": "2026-03-01T07:59:00.000000+0000", "end": "2026-03-01T07:59:03.500000+0000", "age": 3, "min_ttl": 61,
                    "max_ttl": 62},
        "tcp": {"tcp_flags": "13", "fin": True},
    },
}
TLS = {
    "firewall_name": "edge-fw",
    "availability_zone": "eu-central-1b",
    "event_timestamp": 1772352020,
    "event": {
        "timestamp": "2026-03-01T08:00:20.441824Z",
        "src_ip": "192.0.2.53",
        "src_port": "55930",
        "dest_ip": "198.51.100.72",
        "dest_port": "443",
        "sni": "revoked.example.com",
        "tls_error": {"error_message": "SSL error", "code": "c"},
        "revocation_check": {"leaf_cert_fpr": "1234EXAMPLE", "status": "REVOKED", "action": "DROP"},
    },
}
KEY = "AWSLogs/444455556666/network-firewall/{}/eu-west-1/edge-fw/2026/03/01/08/444455556666_network-firewall_{}_eu-west-1_edge-fw_202603010800_a1b2c3d4.log"


def less(base, *names, **changes):
    """`base` without members of its event, and with changes there; an object is changed member by member."""
    record = copy.deepcopy(base)
    event = {key: value for key, value in record["event"].items() if key not in names}
    for name, value in changes.items():
        event[name] = event[name] | value if isinstance(value, dict) and isinstance(event.get(name), dict) else value
    return record | {"event": event}


class NetworkFirewall(mapping.Mapping):
    PARSER = "aws.network_firewall"

    # ---- Every row of the mapping ----

    def test_time_and_what_every_event_gets(self):
        self.check(self.one(ALERT), {
            "class_uid": 4001, "time": 1772352001006, "metadata.original_time": "2026-03-01T08:00:01.006481+0000", "cloud.provider": "AWS",
            "cloud.zone": "eu-central-1b", "cloud.region": "eu-central-1", "cloud.account.uid": "111122223333", "cloud.account.type_id": 10,
            "cloud.cloud_partition": "aws", "network_observation_point.name": "edge-fw", "metadata.log_provider": "Network Firewall",
            "metadata.product.name": "AWS Network Firewall", "metadata.product.vendor_name": "AWS", "metadata.product.feature.name": "alert",
            "metadata.profiles": ["cloud", "security_control"], "unmapped.event_timestamp": "1772352009",
        })

    def test_time_of_the_envelope_where_the_event_has_none(self):
        for stamp in ("1772352009", 1772352009):
            event = self.one(less(ALERT, "timestamp") | {"event_timestamp": stamp})
            self.check(event, {"time": 1772352009000, "metadata.original_time": "1772352009", "unmapped.event_timestamp": None})
        self.check(self.one(less(ALERT, timestamp="soon")), {"time": 1772352009000, "unmapped.event.timestamp": "soon"})

    def test_an_alert_and_what_became_of_the_packet(self):
        for action, verdict, wanted in (
            ("allowed", None, (6, 1, 19)), ("blocked", None, (5, 2, 6)), ("allowed", "alert", (6, 1, 19)), ("allowed", "pass", (6, 1, 1)),
            ("blocked", "drop", (5, 2, 6)), ("blocked", "reject", (5, 2, 21)),
        ):
            record = less(ALERT, *([] if verdict else ["verdict"]), alert={"action": action}, **({"verdict": {"action": verdict}} if verdict else {}))
            self.check(self.one(record), {"activity_id": wanted[0], "action_id": wanted[1], "disposition_id": wanted[2], "is_alert": True,
                                          "metadata.product.feature.name": "alert"})

    def test_actions_that_nobody_knows_are_told_by_their_text(self):
        self.check(self.one(less(ALERT, "verdict", alert={"action": "held"})),
                   {"action_id": 99, "action": "held", "disposition_id": 99, "disposition": "held", "activity_id": 6})
        self.check(self.one(less(ALERT, verdict={"action": "hold"})), {"disposition_id": 6, "unmapped.event.verdict.action": "hold"})

    def test_the_severity(self):
        for severity, wanted in ((1, 4), (2, 3), (3, 2), (4, 1), (255, 1)):
            event = self.one(less(ALERT, alert={"severity": severity}))
            self.check(event, {"severity_id": wanted, "unmapped.event.alert.severity": 255 if severity == 255 else None})
        self.check(self.one(FLOW), {"severity_id": 1})

    def test_the_rule(self):
        self.check(self.one(ALERT), {
            "firewall_rule.uid": "2001", "firewall_rule.name": "Example request", "firewall_rule.category": "Misc activity", "firewall_rule.version": "205",
            "policy.uid": RULES,
        })

    def test_the_connection(self):
        self.check(self.one(ALERT), {
            "src_endpoint.ip": "203.0.113.4", "src_endpoint.port": 55555, "dst_endpoint.ip": "192.0.2.16", "dst_endpoint.port": 8080,
            "connection_info.protocol_name": "tcp", "connection_info.protocol_num": 6, "connection_info.uid": "9007199254740993",
            "connection_info.direction_id": 0, "connection_info.tcp_flags": 0x1b, "app_protocol_name": "http",
        })

    def test_the_protocol(self):
        for proto, name, number in (("UDP", "udp", 17), ("ICMP", "icmp", 1), ("IPv6-ICMP", "ipv6-icmp", 58), (50, "esp", 50), ("132", "sctp", 132), (253, None, 253),
                                    ("XNS-IDP", "xns-idp", None)):
            self.check(self.one(less(ALERT, proto=proto)), {"connection_info.protocol_name": name, "connection_info.protocol_num": number})
        for proto in ("999", "-1", "x" * 40):
            self.check(self.one(less(ALERT, proto=proto)), {"connection_info.protocol_name": None, "unmapped.event.proto": proto})

    def test_a_flow(self):
        self.check(self.one(FLOW), {
            "activity_id": 6, "metadata.product.feature.name": "flow", "start_time": 1772351940000, "end_time": 1772351943500, "duration": 3500,
            "traffic.bytes": 6482, "traffic.bytes_out": 6482, "traffic.packets": 23, "traffic.packets_out": 23, "is_alert": None, "action_id": None,
            "disposition_id": None, "status_id": None, "src_endpoint.ip": "2001:db8::1",
        })

    def test_the_url(self):
        self.check(self.one(ALERT), {"url.url_string": "www.example.com/a?b=c", "url.hostname": "www.example.com", "url.path": "/a", "url.query_string": "b=c"})
        self.check(self.one(less(ALERT, http={"url": "http://other.example.com/x"})), {"url.url_string": "http://other.example.com/x", "url.path": "/x"})
        for member, wanted in (("url", "www.example.com"), ("hostname", "/a?b=c")):
            record = copy.deepcopy(ALERT)
            del record["event"]["http"][member]
            self.check(self.one(record), {"url.url_string": wanted})

    def test_tls(self):
        self.check(self.one(ALERT), {"tls.version": "TLSv1.2", "tls.sni": "tls.example.com"})
        self.check(self.one(less(ALERT, tls={"version": "UNDETERMINED"})), {"tls.version": "unknown", "unmapped.event.tls.version": "UNDETERMINED"})
        self.check(self.one(less(ALERT, tls={"version": "UNDETERMINED", "sni": ""})), {"tls": None, "unmapped.event.tls.version": "UNDETERMINED"})
        self.check(self.one(less(ALERT, tls={"version": "TLS 1.3", "sni": None})), {"tls": {"version": "TLSv1.3"}})

    def test_an_error_of_tls_inspection(self):
        self.check(self.one(TLS), {
            "activity_id": 4, "status_id": 2, "status_detail": "SSL error", "metadata.product.feature.name": "tls", "tls.sni": "revoked.example.com",
            "tls.version": "unknown", "src_endpoint.port": 55930, "dst_endpoint.port": 443, "time": 1772352020441,
            "unmapped.event.revocation_check": TLS["event"]["revocation_check"], "unmapped.event.tls_error": TLS["event"]["tls_error"],
        })
        self.check(self.one(less(TLS, "tls_error")), {"activity_id": 4, "status_detail": "REVOKED"})
        self.check(self.one(less(FLOW, tls_error=None)), {"activity_id": 6, "metadata.product.feature.name": "flow", "status_id": None})

    # ---- Nothing is lost ----

    def test_every_field_of_full_records_is_somewhere(self):
        self.nothing_lost(ALERT, self.one(ALERT), {
            "event.proto": "in lower case", "event.alert.action": "as ids", "event.alert.severity": "as severity_id", "event.verdict.action": "as disposition_id",
            "event.tcp.tcp_flags": "as a number", "event.tls.version": "as others spell it", "event.http.url": "as path and query, and in url_string",
        })
        self.nothing_lost(FLOW, self.one(FLOW), {
            "event.proto": "in lower case", "event.event_type": "as feature name", "event.netflow.start": "as start_time", "event.netflow.end": "as end_time",
            "event.tcp.tcp_flags": "as a number",
        })
        self.nothing_lost(TLS, self.one(TLS))

    def test_what_is_left_keeps_its_nesting(self):
        source, event = ALERT["event"], self.one(ALERT)
        for name, members in {"http": ("http_user_agent", "http_method", "protocol", "status", "length", "http_content_type", "http_refer", "request_headers"),
                              "tls": ("subject", "issuerdn", "fingerprint", "ja3", "ja4"), "alert": ("gid", "metadata"), "verdict": ("reject_target",),
                              "tcp": ("syn", "state"), "aws_metadata": ("more",)}.items():
            self.assertEqual(event["unmapped"]["event"][name], {member: source[name][member] for member in members})
        for name in ("dns", "metadata", "icmp_type", "icmp_code", "tx_id", "direction", "pkt_src", "tls_inspected"):
            self.assertEqual(event["unmapped"]["event"][name], source[name])
        self.assertEqual(event["unmapped"]["aws_category"], ALERT["aws_category"])

    def test_fields_that_came_later_are_kept_and_counted(self):
        event = self.one(less(ALERT, later={"x": [1]}) | {"account": "a"})
        self.check(event, {"unmapped.event.later": {"x": [1]}, "unmapped.account": "a"})
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {"later": 1, "account": 1})

    def test_an_event_of_another_type_is_an_event(self):
        self.check(self.one(less(ALERT, "alert", "verdict", event_type="stats")),
                   {"activity_id": 99, "activity_name": "stats", "metadata.product.feature.name": "stats", "is_alert": None})
        self.check(self.one(less(FLOW, "event_type"), "x"), {"activity_id": 0, "metadata.product.feature": None})

    # ---- What is absent or odd ----

    def test_absent_markers_leave_the_attribute_out(self):
        event = self.one(less(ALERT, "http", "tls", "dns", alert={"category": ""}, src_ip="-", src_port=None, app_proto="", aws_metadata={}, verdict={}))
        self.check(event, {"firewall_rule.category": None, "src_endpoint": None, "app_protocol_name": None, "url": None, "tls": None})

    def test_account_and_region_of_the_key_go_before_those_of_the_rules(self):
        managed = less(ALERT, aws_metadata={"resource_arn": RULES.replace("111122223333", "aws-managed")})
        self.check(self.one(ALERT, KEY.format("alert", "alert")), {"cloud.account.uid": "444455556666", "cloud.region": "eu-west-1"})
        self.check(self.one(FLOW, KEY.format("flow", "flow").replace("AWSLogs/", "AWSLogs/o-exampleorg1/", 1)),
                   {"cloud.org.uid": "o-exampleorg1", "cloud.account.uid": "444455556666"})
        self.check(self.one(managed), {"cloud.account": None, "cloud.region": "eu-central-1"})
        self.check(self.one(FLOW), {"cloud.account": None, "cloud.region": "eu-central-1", "cloud.cloud_partition": None})
        self.check(self.one(FLOW | {"availability_zone": "us-west-2-lax-1a"}), {"cloud.region": None, "cloud.zone": "us-west-2-lax-1a"})

    def test_the_key_says_which_log_it_is_where_the_event_does_not(self):
        bare = less(TLS, "tls_error", "revocation_check")
        self.check(self.one(bare, KEY.format("tls", "tls")), {"activity_id": 4, "metadata.product.feature.name": "tls", "status_id": 2})
        self.check(self.one(bare, KEY.format("flow", "flow")), {"activity_id": 0, "metadata.product.feature.name": "flow", "status_id": None})

    def test_protocols_without_ports_have_none(self):
        self.check(self.one(less(ALERT, proto="ICMP", src_port=0, dest_port=8)),
                   {"src_endpoint": {"ip": "203.0.113.4"}, "dst_endpoint": {"ip": "192.0.2.16"}, "unmapped.event.src_port": None, "unmapped.event.dest_port": 8})

    def test_addresses_and_ports_that_are_none_stay_as_they_were(self):
        event = self.one(less(ALERT, src_ip="203.0.113.999", dest_port=70000))
        self.check(event, {"src_endpoint": None, "unmapped.event.src_ip": "203.0.113.999", "unmapped.event.src_port": 55555,
                           "dst_endpoint": {"ip": "192.0.2.16"}, "unmapped.event.dest_port": 70000})

    def test_application_protocols_that_are_none_stay(self):
        for none in ("failed", "unknown"):
            self.check(self.one(less(ALERT, app_proto=none)), {"app_protocol_name": None, "unmapped.event.app_proto": none})

    def test_flags_and_times_that_are_none_stay_as_they_were(self):
        self.check(self.one(less(FLOW, tcp={"tcp_flags": "zz"}, netflow={"start": "never", "pkts": -1, "bytes": 99999999999999999999})),
                   {"connection_info.tcp_flags": None, "unmapped.event.tcp.tcp_flags": "zz", "start_time": None, "unmapped.event.netflow.start": "never",
                    "duration": None, "traffic": None, "unmapped.event.netflow.pkts": -1, "unmapped.event.netflow.bytes": 99999999999999999999})

    def test_values_of_another_type_stay_as_they_were(self):
        odd = {"alert": "text", "netflow": [1], "tcp": 5, "http": "x", "tls": ["y"], "verdict": 7, "src_ip": 1, "event_type": ["alert"], "aws_metadata": "arn"}
        event = self.one(less(ALERT, **odd))
        for name, value in odd.items():
            self.assertEqual(at(event, f"unmapped.event.{name}"), value)

    def test_text_stays_as_it_is(self):
        text = "\u00fc \"quoted\" \\ \u0001 \U0001f600"
        self.check(self.one(less(ALERT, alert={"signature": text}, http={"url": "/" + text})),
                   {"firewall_rule.name": text, "url.path": "/" + text, "url.url_string": "www.example.com/" + text})

    def test_one_bad_record_costs_that_record(self):
        good = json.dumps(ALERT)
        for bad in (json.dumps(less(ALERT, "timestamp") | {"event_timestamp": "x"}), '{"a":1}', good[:-9], json.dumps(ALERT | {"event": "text"})):
            events = self.read(f"{good}\n{bad}\n{good}\n", code=3)
            self.assertEqual([e["lineage"]["record"] for e in events], [0, 2])
        self.assertEqual(len(self.read(f"{good}\n{good[:300]}", code=3)), 1)

    def test_lines_arrays_and_documents_back_to_back_are_read(self):
        for content in (f"{json.dumps(ALERT)}\n{json.dumps(FLOW)}\n", json.dumps([ALERT, TLS]), json.dumps(FLOW) * 2, json.dumps(TLS, indent=4) * 2):
            self.assertEqual(len(self.read(content)), 2)


if __name__ == "__main__":
    mapping.unittest.main()
