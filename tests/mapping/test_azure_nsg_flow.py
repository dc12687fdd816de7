"""Flow logs of network security groups: which field stands in which attribute, that each tuple is a row, and that none is lost."""
import json

import mapping
from mapping import at

SUBSCRIPTION = "99999999-0000-4000-8000-000000000009"
GROUP = "/SUBSCRIPTIONS/99999999-0000-4000-8000-000000000009/RESOURCEGROUPS/RG1/PROVIDERS/MICROSOFT.NETWORK/NETWORKSECURITYGROUPS/NSG1"
END = "1772456430,198.51.100.17,10.1.0.4,61771,443,T,I,A,E,25,4096,31,88000"


def record(*tuples, rule="UserRule_web", mac="000D3AF8801A", less=(), **changes):
    whole = {
        "time": "2026-03-02T13:00:32.8950000Z",
        "systemId": "5a5a5a5a-0000-4000-8000-00000000000a",
        "macAddress": "000D3AF8801A",
        "category": "NetworkSecurityGroupFlowEvent",
        "resourceId": GROUP,
        "operationName": "NetworkSecurityGroupFlowEvents",
        "properties": {"Version": 2, "flows": [{"rule": rule, "flows": [{"mac": mac, "flowTuples": list(tuples)}]}]},
    } | changes
    return {key: value for key, value in whole.items() if key not in less}


class NsgFlow(mapping.Mapping):
    PARSER = "azure.nsg_flow"

    # ---- Every row of the mapping ----

    def test_a_flow_and_its_time(self):
        self.check(self.one(record(END)), {
            "class_uid": 4001, "severity_id": 1, "time": 1772456430000, "metadata.original_time": "1772456430", "metadata.logged_time": 1772456432895,
            "is_src_dst_assignment_known": True,
        })

    def test_times_are_seconds_or_milliseconds_by_their_digits(self):
        self.assertEqual(self.one(record(END.replace("1772456430", "1772456430123")))["time"], 1772456430123)

    def test_the_endpoints(self):
        self.check(self.one(record(END)), {"src_endpoint.ip": "198.51.100.17", "src_endpoint.port": 61771, "dst_endpoint.ip": "10.1.0.4", "dst_endpoint.port": 443})

    def test_the_protocol(self):
        self.check(self.one(record(END)), {"connection_info.protocol_num": 6, "connection_info.protocol_name": "tcp", "connection_info.protocol_ver_id": 4})
        self.check(self.one(record("1772456430,2001:db8::1,2001:db8::2,50000,53,U,O,A,E,1,2,3,4")),
                   {"connection_info.protocol_num": 17, "connection_info.protocol_name": "udp", "connection_info.protocol_ver_id": 6})

    def test_the_direction_and_the_interface_on_its_side(self):
        self.check(self.one(record(END)), {"connection_info.direction_id": 1, "dst_endpoint.mac": "00:0d:3a:f8:80:1a", "src_endpoint.mac": None})
        self.check(self.one(record(END.replace(",I,", ",O,"))), {"connection_info.direction_id": 2, "dst_endpoint.mac": None, "src_endpoint.mac": "00:0d:3a:f8:80:1a"})

    def test_decision_and_state_are_activity_action_and_status(self):
        for letters, activity, action, disposition in (("A,B", 1, 1, 1), ("A,C", 6, 1, 1), ("A,E", 2, 1, 1), ("D,B", 5, 2, 2), ("D,E", 5, 2, 2)):
            self.check(self.one(record(END.replace("A,E", letters))),
                       {"activity_id": activity, "type_uid": 400100 + activity, "action_id": action, "disposition_id": disposition, "status_id": action,
                        "unmapped.flowTuple.state": letters[-1]})

    def test_version_1_has_no_state_and_no_counters(self):
        self.check(self.one(record("1772456482,192.0.2.50,10.1.0.4,65078,3389,T,I,A")), {"activity_id": 1, "action_id": 1, "traffic": None, "unmapped.flowTuple": None})
        self.check(self.one(record("1772456482,192.0.2.50,10.1.0.4,65078,3389,T,I,D")), {"activity_id": 5, "action_id": 2})

    def test_the_number_of_fields_counts_not_the_version(self):
        event = self.one(record(END, properties={"Version": 1, "flows": [{"rule": "r", "flows": [{"mac": "000D3AF8801A", "flowTuples": [END]}]}]}))
        self.check(event, {"activity_id": 2, "traffic.bytes": 92096, "metadata.log_version": "1"})

    def test_traffic_out_is_from_the_source(self):
        self.check(self.one(record(END)), {"traffic.packets_out": 25, "traffic.bytes_out": 4096, "traffic.packets_in": 31, "traffic.bytes_in": 88000,
                                           "traffic.packets": 56, "traffic.bytes": 92096})

    def test_empty_counters_are_absent_and_there_is_no_sum_of_one_part(self):
        self.check(self.one(record("1772456421,203.0.113.95,10.1.0.4,51529,5358,T,I,D,B,,,,")), {"traffic": None})
        self.check(self.one(record("1772456421,203.0.113.95,10.1.0.4,51529,5358,T,I,A,C,1,,,9")),
                   {"traffic.packets_out": 1, "traffic.bytes_in": 9, "traffic.packets": None, "traffic.bytes": None})

    def test_the_rule(self):
        self.check(self.one(record(END)), {"firewall_rule.name": "UserRule_web", "firewall_rule.type": "UserRule", "firewall_rule.uid": GROUP})
        self.check(self.one(record(END, rule="DefaultRule_DenyAllInBound")), {"firewall_rule.type": "DefaultRule"})
        self.check(self.one(record(END, rule="other")), {"firewall_rule.name": "other", "firewall_rule.type": None})

    def test_the_cloud_and_the_product(self):
        self.check(self.one(record(END)), {
            "cloud.provider": "Azure", "cloud.account.uid": SUBSCRIPTION, "cloud.account.type_id": 13, "metadata.product.name": "Azure Network Watcher",
            "metadata.product.vendor_name": "Microsoft", "metadata.log_name": "NetworkSecurityGroupFlowEvent", "metadata.event_code": "NetworkSecurityGroupFlowEvents",
            "metadata.log_version": "2", "metadata.log_provider": "Microsoft.Network", "metadata.profiles": ["cloud", "security_control"],
        })

    def test_what_has_no_attribute_is_in_unmapped(self):
        self.assertEqual(self.one(record(END))["unmapped"],
                         {"systemId": "5a5a5a5a-0000-4000-8000-00000000000a", "properties": {"Version": 2}, "flowTuple": {"state": "E"}})

    # ---- A record is a tuple ----

    def test_each_tuple_is_a_row_with_its_rule(self):
        flows = [{"rule": "UserRule_a", "flows": [{"mac": "000D3AF8801A", "flowTuples": [END, END]}, {"mac": "000D3AF8801B", "flowTuples": [END]}]},
                 {"rule": "UserRule_b", "flows": [{"mac": "000D3AF8801A", "flowTuples": [END]}]}]
        events = self.read(json.dumps({"records": [record(properties={"Version": 2, "flows": flows}), record(END)]}))
        self.assertEqual([(e["lineage"]["record"], e["lineage"].get("item", 0), at(e, "firewall_rule.name"), at(e, "dst_endpoint.mac")[-2:]) for e in events],
                         [(0, 0, "UserRule_a", "1a"), (0, 1, "UserRule_a", "1a"), (0, 2, "UserRule_a", "1b"), (0, 3, "UserRule_b", "1a"), (1, 0, "UserRule_web", "1a")])

    def test_the_order_of_members_does_not_matter(self):
        flows = [{"flows": [{"flowTuples": [END], "mac": "000D3AF8801B"}], "rule": "UserRule_late"}]
        event = self.one(dict(reversed(record(properties={"flows": flows, "Version": 2}).items())))
        self.check(event, {"firewall_rule.name": "UserRule_late", "dst_endpoint.mac": "00:0d:3a:f8:80:1b", "firewall_rule.uid": GROUP, "metadata.log_version": "2"})

    def test_a_record_without_flows_proves_coverage(self):
        for flows in ([], [{"rule": "UserRule_web", "flows": []}]):
            event = self.one(record(properties={"Version": 2, "flows": flows}))
            self.check(event, {"class_uid": 0, "activity_id": 99, "activity_name": "No flows", "time": 1772456432895, "unmapped.resourceId": GROUP,
                               "unmapped.macAddress": "000D3AF8801A", "cloud.account.uid": SUBSCRIPTION})
        self.assertEqual(at(event, "unmapped.properties.flows"), [{"rule": "UserRule_web", "flows": []}])

    def test_a_rule_without_flows_beside_others_is_told_once(self):
        flows = [{"rule": "UserRule_web", "flows": [{"mac": "000D3AF8801A", "flowTuples": [END, END]}]}, {"rule": "UserRule_empty", "flows": []}]
        first, second = self.read(json.dumps(record(properties={"Version": 2, "flows": flows})))
        self.assertEqual(at(first, "unmapped.properties.flows"), [{"rule": "UserRule_empty", "flows": []}])
        self.assertIsNone(at(second, "unmapped.properties.flows"))

    def test_a_tuple_that_is_none_costs_itself_alone_and_is_kept(self):
        for bad in ("not a tuple", "1772456430,198.51.100.17", "1772456430,x,y,1,2,T,I,A", "", 7):
            events = self.read(json.dumps(record(END, bad, END)))
            self.assertEqual([e["class_uid"] for e in events], [4001, 0, 4001])
            self.check(events[1], {"activity_name": "Unreadable flow", "time": 1772456432895, "unmapped.flowTuple": bad, "unmapped.rule": "UserRule_web",
                                   "unmapped.mac": "000D3AF8801A", "unmapped.resourceId": GROUP})
            self.assertIn("flowTuples", json.dumps(self.stats()))

    def test_a_field_that_is_none_costs_itself_alone_and_is_kept(self):
        event = self.one(record("soon,198.51.100.17,house,70000,443,X,S,Q,Z,few,1,2,3"))
        self.check(event, {
            "time": 1772456432895, "metadata.original_time": "2026-03-02T13:00:32.8950000Z", "src_endpoint.ip": "198.51.100.17", "src_endpoint.port": None,
            "dst_endpoint": None, "connection_info.direction_id": 99, "connection_info.direction": "S", "connection_info.protocol_num": None,
            "activity_id": 99, "activity_name": "Z", "action_id": 99, "action": "Q", "disposition_id": None, "status_id": None, "traffic.bytes_out": 1,
        })
        self.assertEqual(at(event, "unmapped.flowTuple"), {"time": "soon", "protocol": "X", "sourcePort": "70000", "destinationIP": "house", "destinationPort": 443,
                                                           "mac": "000D3AF8801A", "state": "Z", "packetsSent": "few"})

    def test_more_fields_than_known_are_kept_and_counted(self):
        event = self.one(record(END + ",new,newer"))
        self.check(event, {"traffic.bytes_in": 88000, "unmapped.flowTuple.more": "new,newer"})
        self.assertIn("flowTuples", json.dumps(self.stats()))

    def test_without_any_time_the_record_is_rejected(self):
        self.assertEqual(self.read(json.dumps(record("soon," + END.split(",", 1)[1], time="later")), code=3), [])
        self.assertEqual(self.read(json.dumps(record(less=("properties",))), code=3), [])

    # ---- Nothing is lost ----

    def test_every_field_has_its_place(self):
        source = record(END, mac="000D3AF8801B", newField="new")
        source["properties"]["more"] = {"a": [1, "two"]}
        source["properties"]["flows"][0]["hint"] = "h"
        event = self.one(source)
        self.nothing_lost(source, event, {
            "time": "as logged_time", "properties.flows[].flows[].flowTuples[]": "as attributes", "properties.flows[].flows[].mac": "as dst_endpoint.mac",
        })
        self.assertEqual(at(event, "unmapped.macAddress"), "000D3AF8801A")
        for name in ("newField", "more", "hint"):
            self.assertIn(name, json.dumps(self.stats()))

    def test_an_address_of_an_interface_that_is_none_is_kept(self):
        self.check(self.one(record(END, mac="zz")), {"dst_endpoint.mac": None, "unmapped.mac": "zz"})
        self.check(self.one(record(END, mac="00-0D-3A-F8-80-1A")), {"dst_endpoint.mac": "00:0d:3a:f8:80:1a", "unmapped.mac": None})

    # ---- Forms ----

    def test_properties_may_be_json_in_a_text(self):
        whole = record(END)
        event = self.one(record(END, properties=json.dumps(whole["properties"])))
        self.check(event, {"firewall_rule.name": "UserRule_web", "traffic.bytes": 92096, "unmapped.properties": {"Version": 2}})

    def test_case_of_members_and_categories_does_not_count(self):
        changed = {key[:1].upper() + key[1:]: value for key, value in record(END, category="NETWORKSECURITYGROUPFLOWEVENT").items()}
        self.check(self.one(changed), {"firewall_rule.uid": GROUP, "metadata.logged_time": 1772456432895, "cloud.account.uid": SUBSCRIPTION})

    def test_names_in_capitals_are_the_same_names(self):
        self.assertEqual(len(self.read(json.dumps({key.upper(): value for key, value in record(END).items()}))), 1)

    def test_a_block_of_the_blob_is_read_without_the_others(self):
        text = json.dumps(record(END))
        self.assertEqual(len(self.read("," + text)), 1)
        self.assertEqual(len(self.read(text + "," + text)), 2)
        self.assertEqual(len(self.read('{"records":[' + text, code=3)), 1)  # the end is missed
        self.assertEqual(len(self.read("," + text + "," + text + "]}")), 2)

    def test_a_record_that_is_cut_off_costs_itself_alone(self):
        text = json.dumps(record(END))
        self.assertEqual(len(self.read('{"records":[' + text + "," + text[:300], code=3)), 1)


if __name__ == "__main__":
    mapping.unittest.main()
