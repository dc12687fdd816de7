#!/usr/bin/env python3
"""Application Load Balancer connection logs: which field stands where, and that a certificate's subject cannot be taken for other fields."""
import mapping

KEY = ("AWSLogs/111122223333/elasticloadbalancing/eu-central-1/2026/03/01/"
       "conn_log_111122223333_elasticloadbalancing_eu-central-1_app.shop.0a1b2c3d4e5f6071_20260301T0805Z_192.0.2.80_4kq1zw7x.log")
# Every documented field, each with a value of its own.
FULL = {
    "timestamp": "2026-03-01T08:00:00.514108Z",
    "client_ip": "203.0.113.1",
    "client_port": "36280",
    "listener_port": "443",
    "tls_protocol": "TLSv1.3",
    "tls_cipher": "TLS_AES_128_GCM_SHA256",
    "tls_handshake_latency": "0.036",
    "leaf_client_cert_subject": "CN=client.example.com,O=Example Org,C=US",
    "leaf_client_cert_validity": "NotBefore=2025-09-21T22:43:21Z;NotAfter=2027-06-17T22:43:21Z",
    "leaf_client_cert_serial_number": "FEF257372D5C14D4",
    "tls_verify_status": "Failed:ClientCertExpired",
    "conn_trace_id": "TID_0123456789abcdef",
    "tls_keyexchange": "X25519MLKEM768",
    "elb": "app/other/1111222233334444",
    "ip_address": "192.0.2.81",
}


def line(until: str = "ip_address", **changed: str) -> str:
    """The full record up to a field, with some other values."""
    names = list(FULL)[:list(FULL).index(until) + 1]
    values = FULL | changed
    return " ".join(f'"{values[name]}"' if name == "leaf_client_cert_subject" else values[name] for name in names) + "\n"


class AlbConnection(mapping.Mapping):
    PARSER = "aws.alb_connection"

    def test_every_field_stands_where_the_table_says(self):
        self.check(self.one(line(), KEY), {
            "class_uid": 4001,
            "activity_id": 4,
            "time": 1772352000514,
            "src_endpoint": {"ip": "203.0.113.1", "port": 36280},
            "dst_endpoint": {"uid": "app/other/1111222233334444", "ip": "192.0.2.81", "port": 443},
            "load_balancer": {"uid": "app/other/1111222233334444", "ip": "192.0.2.81", "name": "other"},
            "tls": {"version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "handshake_dur": 36},
            "status_id": 2,
            "status_code": "ClientCertExpired",
            "connection_info.uid": "TID_0123456789abcdef",
            "connection_info.direction_id": 1,
            "connection_info.protocol_num": 6,
            "unmapped": {
                "leaf_client_cert_subject": "CN=client.example.com,O=Example Org,C=US",
                "leaf_client_cert_validity": "NotBefore=2025-09-21T22:43:21Z;NotAfter=2027-06-17T22:43:21Z",
                "leaf_client_cert_serial_number": "FEF257372D5C14D4",
                "tls_keyexchange": "X25519MLKEM768",
            },
            "metadata.debug": None,
            "raw_data": None,
        })

    def test_what_every_aws_event_has(self):
        self.check(self.one(line(), "AWSLogs/o-exampleorg1/" + KEY.removeprefix("AWSLogs/")), {
            "severity_id": 1,
            "cloud": {"provider": "AWS", "account": {"uid": "111122223333", "type_id": 10, "type": "AWS Account"}, "region": "eu-central-1",
                      "org": {"uid": "o-exampleorg1"}},
            "metadata.product": {"vendor_name": "AWS", "name": "Elastic Load Balancing", "feature": {"name": "ALB Connection Logs"}},
            "metadata.log_provider": "Elastic Load Balancing",
            "metadata.original_time": "2026-03-01T08:00:00.514108Z",
            "metadata.profiles": ["cloud", "load_balancer"],
        })

    def test_nothing_of_a_full_record_is_lost(self):
        self.nothing_lost(FULL, self.one(line(), KEY), {
            "tls_handshake_latency": "seconds, as milliseconds in tls.handshake_dur",
            "tls_verify_status": "in two: status_id and status_code",
        })

    def test_the_status_says_whether_the_connection_opened(self):
        for status, activity, wanted in (("Success", 1, {"status_id": 1, "unmapped.tls_verify_status": "Success"}),
                                         ("-", 1, {"status_id": 1, "unmapped.tls_verify_status": None}),
                                         ("Failed:ClientCertCrlHit", 4, {"status_id": 2, "status_code": "ClientCertCrlHit"}),
                                         ("Failed", 4, {"status_id": 2, "status_code": None}),
                                         ("Deferred", 1, {"status_id": 99, "status": "Deferred"})):
            self.check(self.one(line(tls_verify_status=status)), wanted | {"activity_id": activity})

    def test_the_objects_name_says_load_balancer_and_node_where_the_record_does_not(self):
        for key in (KEY, KEY.replace("conn_log_", "conn_log.")):
            self.check(self.one(line("conn_trace_id"), key), {
                "dst_endpoint": {"uid": "app/shop/0a1b2c3d4e5f6071", "ip": "192.0.2.80", "port": 443},
                "load_balancer": {"uid": "app/shop/0a1b2c3d4e5f6071", "ip": "192.0.2.80", "name": "shop"},
            })

    def test_a_port_alone_is_no_endpoint(self):
        self.check(self.one(line("tls_verify_status")), {"dst_endpoint": None, "load_balancer": None, "unmapped.listener_port": "443"})

    def test_absent_is_absent(self):
        self.check(self.one('2026-03-01T08:00:01.599544Z 2001:db8::26 58206 80 - - - "-" - - - -\n', KEY), {
            "src_endpoint": {"ip": "2001:db8::26", "port": 58206},
            "dst_endpoint.port": 80,
            "activity_id": 1,
            "tls": None,
            "connection_info": {"direction_id": 1, "direction": "Inbound", "protocol_num": 6},
            "unmapped": None,
        })
        self.check(self.one('2026-03-01T08:00:01.599544Z 2001:db8::26 58206 80 - - - - - - -\n'), {"unmapped": {"listener_port": "80"}})

    def test_handshakes_are_logged_in_seconds(self):
        self.check(self.one(line(tls_handshake_latency="4.036")), {"tls.handshake_dur": 4036})
        for text in ("-1", "soon", "99999999.000"):
            self.check(self.one(line(tls_handshake_latency=text)), {"tls.handshake_dur": None, "unmapped.tls_handshake_latency": text})

    def test_without_a_version_there_is_no_tls_and_nothing_of_it_is_lost(self):
        self.check(self.one(line(tls_protocol="-")), {"tls": None, "unmapped.tls_cipher": "TLS_AES_128_GCM_SHA256", "unmapped.tls_handshake_latency": "0.036"})

    def test_a_subject_may_have_quotes_spaces_and_unicode(self):
        tail = line().split('C=US" ', 1)[1].strip()
        for subject in (r'CN=a,O=Example \"Quoted\" Org', 'CN="a b"', 'CN=a" b', 'CN=a" - - Success TID_1', f'CN=a" {tail}', f'CN=a" {tail} "x', 'CN=\u4e2d\u6587', '"', "\\"):
            with self.subTest(subject=subject):
                self.check(self.one(line(leaf_client_cert_subject=subject)), {
                    "unmapped.leaf_client_cert_subject": subject,
                    "status_code": "ClientCertExpired",
                    "load_balancer.ip": "192.0.2.81",
                    "metadata.debug": None,
                    "unmapped.extra": None,
                })

    def test_fields_that_aws_appends_are_kept_and_no_error(self):
        for extra, kept in (("-", None), ("new", "new"), ('"one more"', '"one more"'), ('"-"', None)):
            self.check(self.one(line().rstrip() + f" {extra}\n"), {"unmapped.extra": kept, "load_balancer.ip": "192.0.2.81", "status_code": "ClientCertExpired",
                                                                 "unmapped.leaf_client_cert_subject": FULL["leaf_client_cert_subject"]})
            self.assertEqual(self.stats()["parsers"][self.PARSER].get("drift", {}), {} if kept is None else {"extra": 1})

    def test_what_cannot_be_read_costs_the_field_alone(self):
        bad = line(client_ip="nobody", tls_cipher="\u00e4", ip_address="node") + line(client_port="70000", listener_port="99999999999999999999")
        _, first, second = self.read(line() + bad)
        self.check(first, {"src_endpoint": None, "unmapped.client_ip": "nobody", "unmapped.client_port": "36280", "unmapped.ip_address": "node", "tls.cipher": "\u00e4",
                           "dst_endpoint": {"uid": "app/other/1111222233334444", "port": 443}})
        self.check(second, {"src_endpoint": {"ip": "203.0.113.1"}, "unmapped.client_port": "70000", "unmapped.listener_port": "99999999999999999999"})

    def test_a_line_that_is_none_is_rejected_and_costs_no_other(self):
        events = self.read(line() + "none\n" + line(timestamp="2026-02-30T00:00:00Z") + line("tls_handshake_latency") + line(), code=3)
        self.assertEqual([e["lineage"]["record"] for e in events], [0, 4])

    def test_a_line_that_is_cut_off_says_so(self):
        whole = line()
        e = self.read(whole + whole[:whole.index("Example Org")])[1]
        self.check(e, {"metadata.debug": ["truncated: the line ends within quotes"], "unmapped.leaf_client_cert_subject": "CN=client.example.com,O=", "status_id": 0,
                       "raw_data": whole[:whole.index("Example Org")]})


if __name__ == "__main__":
    mapping.unittest.main()
