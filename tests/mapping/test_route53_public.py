"""Amazon Route 53 public DNS query logs: which column of a line stands in which attribute."""
import mapping

COLUMNS = {"version": "1.0", "time": "2026-03-01T12:00:03.983Z", "zone": "Z0EXAMPLEZONE", "name": "www.example.com", "type": "AAAA", "rcode": "NXDOMAIN",
           "protocol": "TCP", "edge": "IAD89-C1", "resolver": "2001:db8::53", "subnet": "203.0.113.0/24"}


def line(**changed: str) -> str:
    return " ".join({**COLUMNS, **changed}.values()) + "\n"


class Route53Public(mapping.Mapping):
    PARSER = "aws.route53_public"

    def test_every_column_stands_where_the_mapping_says(self):
        event = self.one(line())
        self.check(event, {
            "class_uid": 4003, "activity_id": 6, "type_uid": 400306, "severity_id": 1,
            "metadata.log_version": "1.0",  # 1
            "time": 1772366403983, "response_time": 1772366403983, "metadata.original_time": "2026-03-01T12:00:03.983Z",  # 2
            "unmapped.hosted_zone_id": "Z0EXAMPLEZONE", "metadata.product.feature.uid": "Z0EXAMPLEZONE",  # 3
            "query.hostname": "www.example.com",  # 4
            "query.type": "AAAA",  # 5
            "rcode": "NXDomain", "rcode_id": 3, "status_id": 2, "status_code": "NXDOMAIN",  # 6
            "connection_info.protocol_name": "tcp", "connection_info.protocol_num": 6, "connection_info.direction_id": 1,  # 7
            "dst_endpoint.name": "IAD89-C1", "dst_endpoint.svc_name": "route53.amazonaws.com",  # 8
            "src_endpoint": {"ip": "2001:db8::53"},  # 9
            "unmapped.edns_client_subnet": "203.0.113.0/24",  # 10
            "cloud": {"provider": "AWS"}, "metadata.product.name": "Route 53", "metadata.product.feature.name": "Public DNS Query Logs",
            "metadata.product.vendor_name": "AWS", "metadata.log_provider": "Route 53", "metadata.profiles": ["cloud"]})

    def test_nothing_of_a_full_line_is_lost(self):
        self.nothing_lost(COLUMNS, self.one(line()), {"protocol": "in lower case"})

    def test_response_codes_have_their_ids(self):
        wanted = {"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "NOTIMPL": 4, "REFUSED": 5, "YXDOMAIN": 6, "YXRRSET": 7, "NXRRSET": 8, "NOTAUTH": 9,
                  "NOTZONE": 10, "BADVERS": 16, "BADSIG": 16, "SOMENEWCODE": 99, "noerror": 99}
        events = self.read("".join(line(rcode=code) for code in wanted))
        for event, (code, number) in zip(events, wanted.items(), strict=True):
            with self.subTest(code):
                self.assertEqual((event["rcode_id"], event["status_code"], event["status_id"]), (number, code, 1 if number == 0 else 2))
        self.assertEqual(events[-2]["rcode"], "SOMENEWCODE")

    def test_names_lose_one_point_and_keep_case_and_escapes(self):
        names = {"www.example.com.": "www.example.com", "WwW.eXample.COM": "WwW.eXample.COM", "\\052.example.com": "\\052.example.com", ".": ".", "a..": "a.",
                 "_dmarc.b\\303\\274cher.example": "_dmarc.b\\303\\274cher.example", "bücher.example": "bücher.example"}
        events = self.read("".join(line(name=n) for n in names))
        self.assertEqual([e["query"]["hostname"] for e in events], list(names.values()))

    def test_transports_have_their_numbers_and_unknown_ones_their_name(self):
        udp, doq = self.read(line(protocol="UDP") + line(protocol="DOQ"))
        self.check(udp, {"connection_info.protocol_name": "udp", "connection_info.protocol_num": 17})
        self.check(doq, {"connection_info.protocol_name": "doq", "connection_info.protocol_num": None})

    def test_dashes_are_absent(self):
        event = self.read(line() + line(zone="-", name="-", type="-", rcode="-", protocol="-", edge="-", resolver="-", subnet="-"))[1]
        self.check(event, {"query": None, "rcode_id": None, "rcode": None, "status_id": 0, "status_code": None, "connection_info": {"direction": "Inbound", "direction_id": 1},
                           "dst_endpoint": {"svc_name": "route53.amazonaws.com"}, "src_endpoint": None, "unmapped": None, "metadata.product.feature.uid": None})

    def test_a_type_without_a_name_and_what_is_no_address_are_kept(self):
        event = self.read(line() + line(name="-", resolver="198.51.100.300"))[1]
        self.check(event, {"query": None, "unmapped.query_type": "AAAA", "src_endpoint": None, "unmapped.resolver_ip": "198.51.100.300"})

    def test_columns_that_came_later_are_kept_and_counted(self):
        event = self.one(line(version="1.1").rstrip("\n") + " new and  newer \n")
        self.check(event, {"unmapped.column_11": "new and  newer", "unmapped.edns_client_subnet": "203.0.113.0/24", "metadata.log_version": "1.1"})
        self.assertEqual(self.stats()["parsers"]["aws.route53_public"]["drift"], {"column_11": 1})

    def test_a_line_that_is_cut_off_and_what_is_no_time_cost_the_record(self):
        whole = line().rstrip("\n")
        bad = [whole[:whole.rindex(" ")], whole[:20], line(time="2026-02-30T12:00:00Z").rstrip("\n"), line(time="1826-02-20T12:00:00Z").rstrip("\n"), line(version="x").rstrip("\n")]
        self.write("x", "\n".join([whole, *bad]) + "\n")
        events = self.events("x", "--stats", "stats.json", "--rejects", "rejects", code=3)
        self.assertEqual(len(events), 1)
        self.assertEqual([r["code"] for r in self.rejects()], ["malformed"] * 4 + ["foreign"])

    def test_lines_of_other_logs_are_not_taken(self):
        for content in ("2 111122223333 eni-0123456789abcdef0 192.0.2.1 192.0.2.2 1 2 6 1 1 1772366403 1772366404 ACCEPT OK\n", "1.0 2026-03-01T12:00:03.983Z Zone a b c d e f g\n",
                        '{"message": "' + line().strip() + '"}\n'):
            self.write("y", content)
            self.logmill("run", "y", "--to", "ndjson:-", "--stats", "stats.json", code=None)
            self.assertNotIn("aws.route53_public", self.stats()["parsers"])


if __name__ == "__main__":
    mapping.unittest.main()
