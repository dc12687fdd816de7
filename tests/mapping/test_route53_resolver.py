"""Route 53 Resolver query logs: which field stands in which attribute, and that none is lost."""
import json

import mapping
from mapping import at

FULL = {
    "version": "1.100000",
    "account_id": "111122223333",
    "region": "eu-central-1",
    "vpc_id": "vpc-0123456789abcdef0",
    "resource_id": "rp-0123456789abcdef",
    "query_timestamp": "2026-03-01T08:00:00Z",
    "query_name": "www.example.com.",
    "query_type": "AAAA",
    "query_class": "IN",
    "rcode": "NOERROR",
    "answers": [
        {"Rdata": "alias.example.com.", "Type": "CNAME", "Class": "CH"},
        {"Rdata": "2001:db8::20", "Type": "A6", "Class": "HS"},
    ],
    "srcaddr": "192.0.2.10",
    "srcport": "40001",
    "transport": "UDP",
    "srcids": {
        "instance": "i-0123456789abcdef0",
        "resolver_endpoint": "rslvr-in-0123456789abcdef0",
        "resolver_network_interface": "rni-0123456789abcdef0",
    },
    "firewall_rule_action": "ALERT",
    "firewall_rule_group_id": "rslvr-frg-0123456789abcde",
    "firewall_domain_list_id": "rslvr-fdl-0123456789abcde",
    "additional_properties": {"is_delayed": "yes"},
}
KEY = "AWSLogs/444455556666/vpcdnsquerylogs/vpc-0123456789abcdef0/2026/03/01/vpc-0123456789abcdef0_vpcdnsquerylogs_444455556666_20260301T0800Z_a1b2c3d4.log"


def less(*names, **changes):
    return {key: value for key, value in FULL.items() if key not in names} | changes


class Route53Resolver(mapping.Mapping):
    PARSER = "aws.route53_resolver"

    # ---- Every row of the mapping ----

    def test_the_query_and_its_time(self):
        self.check(self.one(FULL), {
            "class_uid": 4003, "activity_id": 6, "type_uid": 400306, "severity_id": 1,
            "time": 1772352000000, "query_time": 1772352000000, "metadata.original_time": "2026-03-01T08:00:00Z",
            "query.hostname": "www.example.com", "query.type": "AAAA", "query.class": "IN",
        })

    def test_the_result(self):
        for rcode, wanted in {
            "NOERROR": (0, "NoError", 1), "FORMERR": (1, "FormError", 2), "SERVFAIL": (2, "ServError", 2), "NXDOMAIN": (3, "NXDomain", 2),
            "REFUSED": (5, "Refused", 2), "RCODE4095": (99, "RCODE4095", 2),
        }.items():
            self.check(self.one(less(rcode=rcode)), {"rcode_id": wanted[0], "rcode": wanted[1], "status_id": wanted[2], "status_code": rcode})
        self.check(self.one(less("rcode")), {"rcode_id": None, "rcode": None, "status_id": None, "status_code": None})

    def test_the_answers(self):
        self.check(self.one(FULL), {
            "answers.0.rdata": "alias.example.com.", "answers.0.type": "CNAME", "answers.0.class": "CH",
            "answers.1.rdata": "2001:db8::20", "answers.1.type": "A6", "answers.1.class": "HS",
            "unmapped.answers": None,
        })

    def test_who_asked_and_who_was_asked(self):
        self.check(self.one(FULL), {
            "src_endpoint.ip": "192.0.2.10", "src_endpoint.port": 40001, "src_endpoint.vpc_uid": "vpc-0123456789abcdef0",
            "src_endpoint.instance_uid": "i-0123456789abcdef0",
            "dst_endpoint.svc_name": "route53resolver.amazonaws.com", "dst_endpoint.uid": "rslvr-in-0123456789abcdef0",
            "dst_endpoint.interface_uid": "rni-0123456789abcdef0", "connection_info.direction_id": 2,
        })

    def test_the_transport(self):
        for transport, name, number in (("UDP", "udp", 17), ("TCP", "tcp", 6), ("DOH", "doh", None)):
            self.check(self.one(less(transport=transport)), {"connection_info.protocol_name": name, "connection_info.protocol_num": number})

    def test_the_firewall(self):
        for action, wanted in {"ALERT": (3, 19, True), "BLOCK": (2, 2, True), "ALLOW": (1, 1, None)}.items():
            self.check(self.one(less(firewall_rule_action=action)), {
                "action_id": wanted[0], "disposition_id": wanted[1], "is_alert": wanted[2], "firewall_rule.uid": "rslvr-frg-0123456789abcde",
                "unmapped.firewall_domain_list_id": "rslvr-fdl-0123456789abcde",
            })
        self.check(self.one(less(firewall_rule_action="REWRITE")),
                   {"action_id": 99, "action": "REWRITE", "disposition_id": 99, "disposition": "REWRITE", "is_alert": None})
        self.check(self.one(less("firewall_rule_action", "firewall_rule_group_id", "firewall_domain_list_id")),
                   {"action_id": None, "disposition_id": None, "is_alert": None, "firewall_rule": None})

    def test_what_every_event_gets(self):
        self.check(self.one(FULL), {
            "cloud.provider": "AWS", "cloud.account.uid": "111122223333", "cloud.account.type_id": 10, "cloud.region": "eu-central-1",
            "metadata.log_version": "1.100000", "metadata.log_provider": "Route 53 Resolver", "metadata.product.name": "Route 53",
            "metadata.product.vendor_name": "AWS", "metadata.product.feature.name": "Resolver Query Logs",
            "metadata.profiles": ["cloud", "security_control"],
        })

    # ---- Nothing is lost ----

    def test_every_field_of_a_full_record_is_somewhere(self):
        self.nothing_lost(FULL, self.one(FULL), {
            "query_name": "without the point at its end", "transport": "in lower case", "firewall_rule_action": "as ids",
        })

    def test_a_field_that_came_later_is_kept_and_counted(self):
        event = self.one(less(new={"a": [1, None]}, srcids={"instance": "i-0", "lambda": "f"}))
        self.check(event, {"unmapped.new": {"a": [1, None]}, "unmapped.srcids": {"lambda": "f"}, "src_endpoint.instance_uid": "i-0"})
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {"new": 1, "srcids.lambda": 1})

    def test_an_answer_with_more_than_is_documented_is_kept_whole_besides(self):
        answers = [{"Rdata": "192.0.2.1", "Type": "A", "Class": "IN", "TTL": 60}, {"Type": "A"}, "text"]
        event = self.one(less(answers=answers))
        self.check(event, {"unmapped.answers": answers, "answers": [{"rdata": "192.0.2.1", "type": "A", "class": "IN"}]})

    # ---- What is absent or odd ----

    def test_absent_markers_leave_the_attribute_out(self):
        event = self.one(less(query_class="-", query_type="", rcode=None, answers=[], srcids={}, firewall_rule_action="", region=None))
        self.check(event, {"query": {"hostname": "www.example.com"}, "rcode_id": None, "answers": None, "action_id": None, "cloud.region": None,
                           "src_endpoint.instance_uid": None, "dst_endpoint": {"svc_name": "route53resolver.amazonaws.com"}})

    def test_account_of_the_key_where_the_record_says_none(self):
        self.check(self.one(less("account_id"), KEY), {"cloud.account.uid": "444455556666", "cloud.account.type_id": 10})
        self.check(self.one(FULL, KEY), {"cloud.account.uid": "111122223333"})
        self.check(self.one(FULL, KEY.replace("AWSLogs/", "AWSLogs/o-exampleorg1/", 1)), {"cloud.org.uid": "o-exampleorg1"})
        self.check(self.one(less("account_id"), "x"), {"cloud.account": None})

    def test_the_root_stays_a_point_and_only_one_point_is_cut(self):
        for name, hostname in ((".", "."), ("example.com", "example.com"), ("a..", "a."), ("\\052.example.com.", "\\052.example.com")):
            self.check(self.one(less(query_name=name)), {"query.hostname": hostname})

    def test_quotes_and_unicode_in_answers_stay_as_they_are(self):
        text = "\"v=spf1 -all\" \"two\tparts\" \u00fc \U0001f600"
        event = self.one(less(answers=[{"Rdata": text, "Type": "TXT", "Class": "IN"}], query_name="b\u00fccher.example.com."))
        self.check(event, {"answers.0.rdata": text, "query.hostname": "b\u00fccher.example.com"})

    def test_ipv6_asks_too(self):
        self.check(self.one(less(srcaddr="2001:db8::a", transport="TCP")), {"src_endpoint.ip": "2001:db8::a"})

    def test_an_address_that_is_none_stays_text(self):
        event = self.one(less("srcids", srcaddr="192.0.2.256"))
        self.check(event, {"src_endpoint": None, "unmapped.srcaddr": "192.0.2.256", "unmapped.srcport": 40001,
                           "unmapped.vpc_id": "vpc-0123456789abcdef0"})

    def test_a_port_that_is_none_stays_as_it_was(self):
        for port in ("70000", "-1", "x", 1.5, 99999999999999999999, {"a": 1}, True):
            event = self.one(less(srcport=port))
            self.check(event, {"src_endpoint.port": None, "unmapped.srcport": port})
        self.check(self.one(less(srcport=40001)), {"src_endpoint.port": 40001})

    def test_values_of_another_type_stay_as_they_were(self):
        odd = less(account_id=111122223333, query_type=["A"], answers={"Rdata": "x"}, srcids="i-0", transport=17)
        event = self.one(odd)
        for name in ("account_id", "query_type", "answers", "srcids", "transport"):
            self.assertEqual(at(event, f"unmapped.{name}"), odd[name])

    def test_a_query_without_a_name_is_an_event_without_a_query(self):
        event = self.read(f"{json.dumps(FULL)}\n{json.dumps(less('query_name'))}\n")[1]
        self.check(event, {"query": None, "unmapped.query_type": "AAAA", "unmapped.query_class": "IN", "rcode_id": 0})

    def test_one_bad_record_costs_that_record(self):
        good = json.dumps(FULL)
        for bad in (json.dumps(less(query_timestamp="2026-02-30T08:00:00Z")), '{"a":1}', good[:-9], json.dumps(less("query_timestamp"))):
            events = self.read(f"{good}\n{bad}\n{good}\n", code=3)
            self.assertEqual([e["lineage"]["record"] for e in events], [0, 2])
        self.assertEqual(len(self.read(f"{good}\n{good[:200]}", code=3)), 1)

    def test_lines_arrays_and_documents_back_to_back_are_read(self):
        for content in (f"{json.dumps(FULL)}\n{json.dumps(FULL)}\n", json.dumps([FULL, FULL]), json.dumps(FULL) * 2, json.dumps(FULL, indent=4) * 2):
            self.assertEqual(len(self.read(content)), 2)


if __name__ == "__main__":
    mapping.unittest.main()
