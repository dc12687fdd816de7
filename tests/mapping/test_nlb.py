#!/usr/bin/env python3
"""Network Load Balancer access logs: which field stands where."""
import mapping

KEY = ("AWSLogs/111122223333/elasticloadbalancing/eu-central-1/2026/03/01/"
       "111122223333_elasticloadbalancing_eu-central-1_net.edge.c6e77e28c25b2234_20260301T0805Z_1a2b3c4d.log")
CERTIFICATE = "arn:aws-us-gov:acm:us-gov-west-1:444455556666:certificate/11112222-3333-4444-5555-666677778888"
# Every documented field, each with a value of its own.
FULL = {
    "type": "tls",
    "version": "2.0",
    "time": "2026-03-01T08:00:40",
    "elb": "net/edge/c6e77e28c25b2234",
    "listener": "0123456789abcdef",
    "client:port": "203.0.113.154:51341",
    "destination:port": "192.0.2.185:443",
    "connection_time": "5012",
    "tls_handshake_time": "21",
    "received_bytes": "98",
    "sent_bytes": "246",
    "incoming_tls_alert": "48",
    "chosen_cert_arn": CERTIFICATE,
    "chosen_cert_serial": "0A1B",
    "tls_cipher": "ECDHE-RSA-AES128-GCM-SHA256",
    "tls_protocol_version": "tlsv12",
    "tls_keyexchange": "X25519MLKEM768",
    "domain_name": "api.example.com",
    "alpn_fe_protocol": "h2",
    "alpn_be_protocol": "http/1.1",
    "alpn_client_preference_list": '"h2","http/1.0"',
    "tls_connection_creation_time": "2026-03-01T08:00:35",
}


def line(until: str = "tls_connection_creation_time", **changed: str) -> str:
    names = list(FULL)[:list(FULL).index(until) + 1]
    values = FULL | {name.replace("_port", ":port"): value for name, value in changed.items()}
    return " ".join(values[name] for name in names) + "\n"


class Nlb(mapping.Mapping):
    PARSER = "aws.nlb"

    def test_every_field_stands_where_the_table_says(self):
        self.check(self.one(line(), KEY), {
            "class_uid": 4001,
            "activity_id": 6,
            "time": 1772352035000,  # the creation
            "start_time": 1772352035000,
            "end_time": 1772352040000,
            "duration": 5012,
            "src_endpoint": {"ip": "203.0.113.154", "port": 51341},
            "dst_endpoint": {"uid": "net/edge/c6e77e28c25b2234", "ip": "192.0.2.185", "port": 443},
            "load_balancer": {"uid": "net/edge/c6e77e28c25b2234", "name": "edge"},
            "traffic": {"bytes_out": 98, "bytes_in": 246, "bytes": 344},
            "tls": {"version": "TLSv1.2", "cipher": "ECDHE-RSA-AES128-GCM-SHA256", "sni": "api.example.com", "handshake_dur": 21, "alert": 48},
            "app_protocol_name": "h2",
            "connection_info": {"direction_id": 1, "direction": "Inbound", "protocol_num": 6},
            "status_id": 1,
            "unmapped": {
                "type": "tls",
                "listener": "0123456789abcdef",
                "chosen_cert_arn": CERTIFICATE,
                "chosen_cert_serial": "0A1B",
                "tls_keyexchange": "X25519MLKEM768",
                "alpn_be_protocol": "http/1.1",
                "alpn_client_preference_list": '"h2","http/1.0"',
            },
        })

    def test_what_every_aws_event_has(self):
        e = self.one(line(), "AWSLogs/o-exampleorg1/" + KEY.removeprefix("AWSLogs/"))
        self.check(e, {
            "severity_id": 1,
            "cloud": {"provider": "AWS", "account": {"uid": "444455556666", "type_id": 10, "type": "AWS Account"}, "region": "us-gov-west-1",
                      "cloud_partition": "aws-us-gov", "org": {"uid": "o-exampleorg1"}},
            "metadata.product": {"vendor_name": "AWS", "name": "Elastic Load Balancing", "feature": {"name": "NLB Access Logs"}},
            "metadata.log_provider": "Elastic Load Balancing",
            "metadata.log_version": "2.0",
            "metadata.original_time": "2026-03-01T08:00:35",
            "metadata.profiles": ["cloud", "load_balancer"],
        })
        self.check(self.one(line(chosen_cert_arn="-"), KEY), {"cloud.account.uid": "111122223333", "cloud.region": "eu-central-1", "cloud.cloud_partition": None})

    def test_nothing_of_a_full_record_is_lost(self):
        source = {name: value for name, value in FULL.items() if ":" not in name}
        source |= {"client": ["203.0.113.154", "51341"], "destination": ["192.0.2.185", "443"]}
        self.nothing_lost(source, self.one(line(), KEY), {"time": "as end_time, to the second", "tls_protocol_version": "as TLSv1.2"})

    def test_a_failed_handshake_is_a_failure(self):
        e = self.one("tls 2.0 2026-03-01T08:00:41 net/edge/c6e77e28c25b2234 0123456789abcdef 2001:db8::154:51342 192.0.2.185:443 0 - 0 0 - - - - - - - - - - "
                     "2026-03-01T08:00:41\n")
        self.check(e, {"activity_id": 4, "status_id": 2, "tls": None, "src_endpoint": {"ip": "2001:db8::154", "port": 51342}, "duration": 0,
                       "app_protocol_name": None, "traffic": {"bytes": 0, "bytes_in": 0, "bytes_out": 0},
                       "unmapped": {"type": "tls", "listener": "0123456789abcdef"}})
        self.check(self.one(line(tls_protocol_version="-")), {"activity_id": 6, "status_id": 1, "tls": None, "unmapped.tls_cipher": FULL["tls_cipher"],
                                                             "unmapped.domain_name": "api.example.com", "unmapped.tls_handshake_time": "21",
                                                             "unmapped.incoming_tls_alert": "48"})

    def test_versions_of_tls_have_one_spelling(self):
        for logged, usual in (("tlsv10", "TLSv1"), ("tlsv11", "TLSv1.1"), ("tlsv12", "TLSv1.2"), ("tlsv13", "TLSv1.3"), ("tlsv14", "tlsv14")):
            self.check(self.one(line(tls_protocol_version=logged)), {"tls.version": usual})

    def test_server_names_are_url_decoded(self):
        self.check(self.one(line(domain_name="api%2Eexample%2ecom")), {"tls.sni": "api.example.com"})
        for text in ("%", "a%zz", "a%ff"):
            self.check(self.one(line(domain_name=text)), {"tls.sni": text})

    def test_short_lines_end_in_their_creation_time_if_it_is_one(self):
        short = line("domain_name", version="1.0")
        self.check(self.one(short), {"time": 1772352040000, "start_time": None, "end_time": 1772352040000, "metadata.log_version": "1.0", "tls.sni": "api.example.com",
                                     "metadata.original_time": "2026-03-01T08:00:40"})
        self.check(self.one(short.rstrip() + " 2026-03-01T08:00:35\n"), {"time": 1772352035000, "app_protocol_name": None, "tls.sni": "api.example.com"})

    def test_quotes_are_text(self):
        for text in ('"h2', '"h2","h', '"', "%22h2%22", "\u4e2d"):
            self.check(self.one(line(alpn_client_preference_list=text)), {"unmapped.alpn_client_preference_list": text, "time": 1772352035000})

    def test_fields_that_aws_appends_are_kept_and_no_error(self):
        for extra, kept in (("-", None), ("- new", "- new")):
            self.check(self.one(line().rstrip() + f" {extra}\n"), {"unmapped.extra": kept, "time": 1772352035000})
            self.assertEqual(self.stats()["parsers"][self.PARSER].get("drift", {}), {} if kept is None else {"extra": 1})

    def test_what_cannot_be_read_costs_the_field_alone(self):
        e = self.one(line(client_port="nobody", destination_port="192.0.2.185:70000", connection_time="-1", tls_handshake_time="3000000000", received_bytes="x",
                          sent_bytes="99999999999999999999", incoming_tls_alert="bad", tls_connection_creation_time="2026-02-30T08:00:35"))
        self.check(e, {
            "src_endpoint": None, "unmapped.client:port": "nobody",
            "dst_endpoint": {"uid": "net/edge/c6e77e28c25b2234"}, "unmapped.destination:port": "192.0.2.185:70000",
            "duration": None, "unmapped.connection_time": "-1",
            "tls.handshake_dur": None, "unmapped.tls_handshake_time": "3000000000",
            "traffic": None, "unmapped.received_bytes": "x", "unmapped.sent_bytes": "99999999999999999999",
            "tls.alert": None, "unmapped.incoming_tls_alert": "bad",
            "time": 1772352040000, "start_time": None, "unmapped.tls_connection_creation_time": "2026-02-30T08:00:35",
        })
        e = self.one(line(client_port="[2001:db8::1]:443", received_bytes="5000000000"))
        self.check(e, {"src_endpoint": {"ip": "2001:db8::1", "port": 443}, "traffic.bytes": 5000000246})

    def test_a_line_that_is_none_is_rejected_and_costs_no_other(self):
        cut = line()[:60] + "\n"
        events = self.read(line() + "none\n" + cut + line(time="soon", tls_connection_creation_time="later") + line(), code=3)
        self.assertEqual([e["lineage"]["record"] for e in events], [0, 4])


if __name__ == "__main__":
    mapping.unittest.main()
