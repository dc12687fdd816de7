"""Flow logs of virtual networks: which field stands in which attribute, that each tuple is a row, and that none is lost. What they have in common with those of network
security groups is tested there."""
import json

import mapping
from mapping import at

SUBSCRIPTION = "99999999-0000-4000-8000-000000000009"
LOG = "/SUBSCRIPTIONS/99999999-0000-4000-8000-000000000009/RESOURCEGROUPS/NETWORKWATCHERRG/PROVIDERS/MICROSOFT.NETWORK/NETWORKWATCHERS/NETWORKWATCHER_WESTEUROPE/FLOWLOGS/FL1"
NETWORK = "/subscriptions/99999999-0000-4000-8000-000000000009/resourceGroups/rg1/providers/Microsoft.Network/virtualNetworks/vnet1"
NIC = "/subscriptions/99999999-0000-4000-8000-000000000009/resourceGroups/rg1/providers/Microsoft.Network/networkInterfaces/nic1"
ACL = "7c7c7c7c-0000-4000-8000-00000000000c"
END = "1772460003599,10.0.0.6,203.0.113.180,23956,443,6,O,E,NX,25,4096,31,88000"


def record(*tuples, rule="UserRule_web", acl=ACL, less=(), **changes):
    whole = {
        "time": "2026-03-02T14:00:52.5625085Z",
        "flowLogVersion": 4,
        "flowLogGUID": "6b6b6b6b-0000-4000-8000-00000000000b",
        "macAddress": "0022487BC205",
        "category": "FlowLogFlowEvent",
        "flowLogResourceID": LOG,
        "targetResourceID": NETWORK,
        "operationName": "FlowLogFlowEvent",
        "flowRecords": {"flows": [{"aclID": acl, "flowGroups": [{"rule": rule, "flowTuples": list(tuples)}]}]},
    } | changes
    return {key: value for key, value in whole.items() if key not in less}


class VnetFlow(mapping.Mapping):
    PARSER = "azure.vnet_flow"

    # ---- Every row of the mapping ----

    def test_a_flow_and_its_time(self):
        self.check(self.one(record(END)), {
            "class_uid": 4001, "severity_id": 1, "time": 1772460003599, "metadata.original_time": "1772460003599", "metadata.logged_time": 1772460052562,
            "is_src_dst_assignment_known": True, "src_endpoint.ip": "10.0.0.6", "src_endpoint.port": 23956, "dst_endpoint.ip": "203.0.113.180", "dst_endpoint.port": 443,
        })
        self.assertEqual(self.one(record(END.replace("1772460003599", "1772460003")))["time"], 1772460003000)

    def test_protocols_are_numbers_with_names(self):
        for number, name in (("1", "icmp"), ("6", "tcp"), ("17", "udp"), ("47", "gre"), ("50", "esp"), ("58", "ipv6-icmp"), ("251", None)):
            self.check(self.one(record(END.replace(",6,", f",{number},"))), {"connection_info.protocol_num": int(number), "connection_info.protocol_name": name})

    def test_ports_of_protocols_without_any_are_left_out(self):
        self.check(self.one(record("1772460003,2001:db8::6,2001:db8:ffff::1,0,0,58,O,E,NX,2,128,2,128")),
                   {"src_endpoint.port": None, "dst_endpoint.port": None, "connection_info.protocol_ver_id": 6, "unmapped.flowTuple": {"state": "E", "encryption": "NX"}})
        self.assertEqual(at(self.one(record(END.replace(",6,", ",1,"))), "unmapped.flowTuple.sourcePort"), 23956)

    def test_the_state_is_activity_action_and_status(self):
        for state, activity, action, disposition in (("B", 1, 1, 1), ("C", 6, 1, 1), ("E", 2, 1, 1), ("D", 5, 2, 2)):
            self.check(self.one(record(END.replace(",E,", f",{state},"))), {"activity_id": activity, "action_id": action, "disposition_id": disposition, "status_id": action,
                                                                           "unmapped.flowTuple.state": state})
        self.check(self.one(record(END.replace(",E,", ",Q,"))), {"activity_id": 99, "activity_name": "Q", "action_id": None, "status_id": None})

    def test_what_encryption_dropped_is_told_from_what_a_rule_blocked(self):
        for word, disposition in (("X", 2), ("NX", 2), ("NX_HW_NOT_SUPPORTED", 2), ("NX_SW_NOT_READY", 6), ("NX_NOT_ACCEPTED", 6), ("NX_NOT_SUPPORTED", 6),
                                  ("NX_LOCAL_DST", 2), ("NX_FALLBACK", 2)):
            self.check(self.one(record(END.replace(",E,NX,", f",D,{word},"))), {"activity_id": 5, "disposition_id": disposition, "unmapped.flowTuple.encryption": word})
            self.check(self.one(record(END.replace(",E,NX,", f",E,{word},"))), {"activity_id": 2, "disposition_id": 1, "unmapped.flowTuple.encryption": word})

    def test_counters_may_be_zero_or_empty(self):
        self.check(self.one(record(END.replace("25,4096,31,88000", "0,0,0,0"))), {"traffic.bytes": 0, "traffic.packets_in": 0})
        self.check(self.one(record(END.replace("25,4096,31,88000", ",,,"))), {"traffic": None})
        self.check(self.one(record(END)), {"traffic.packets_out": 25, "traffic.bytes_out": 4096, "traffic.packets_in": 31, "traffic.bytes_in": 88000,
                                           "traffic.packets": 56, "traffic.bytes": 92096})

    def test_the_rule_and_what_has_it(self):
        self.check(self.one(record(END)), {"firewall_rule.name": "UserRule_web", "firewall_rule.type": "UserRule", "firewall_rule.uid": ACL})
        self.check(self.one(record(END, rule="unspecified", acl="unspecified")), {"firewall_rule": None, "unmapped.rule": "unspecified", "unmapped.aclID": "unspecified"})

    def test_the_target_stands_on_the_side_of_the_direction(self):
        inbound = END.replace(",O,", ",I,")
        self.check(self.one(record(END)), {"src_endpoint.vpc_uid": NETWORK, "dst_endpoint.vpc_uid": None, "src_endpoint.mac": "00:22:48:7b:c2:05", "dst_endpoint.mac": None})
        self.check(self.one(record(inbound)), {"dst_endpoint.vpc_uid": NETWORK, "src_endpoint.vpc_uid": None, "dst_endpoint.mac": "00:22:48:7b:c2:05", "src_endpoint.mac": None})
        self.check(self.one(record(END, targetResourceID=NETWORK + "/subnets/web")), {"src_endpoint.subnet_uid": NETWORK + "/subnets/web", "src_endpoint.vpc_uid": None})
        self.check(self.one(record(END, targetResourceID=NIC)), {"src_endpoint.interface_uid": NIC, "src_endpoint.vpc_uid": None})
        self.check(self.one(record(END.replace(",O,", ",?,"))), {"src_endpoint.vpc_uid": None, "unmapped.flowTuple.targetResourceID": NETWORK,
                                                                "unmapped.flowTuple.macAddress": "0022487BC205"})

    def test_the_cloud_and_the_product(self):
        self.check(self.one(record(END)), {
            "cloud.provider": "Azure", "cloud.account.uid": SUBSCRIPTION, "cloud.account.type_id": 13, "cloud.region": "westeurope",
            "metadata.product.name": "Azure Network Watcher", "metadata.product.vendor_name": "Microsoft", "metadata.log_name": "FlowLogFlowEvent",
            "metadata.event_code": "FlowLogFlowEvent", "metadata.log_version": "4", "metadata.log_provider": "Microsoft.Network",
        })
        self.check(self.one(record(END, flowLogResourceID=LOG.replace("NETWORKWATCHER_WESTEUROPE", "MINE"))), {"cloud.region": None})

    def test_resource_ids_in_any_case_are_of_one_subscription(self):
        self.check(self.one(record(END, targetResourceID=NETWORK.upper())), {"cloud.account.uid": SUBSCRIPTION, "src_endpoint.vpc_uid": NETWORK.upper()})

    def test_what_has_no_attribute_is_in_unmapped(self):
        self.assertEqual(self.one(record(END))["unmapped"], {
            "flowLogGUID": "6b6b6b6b-0000-4000-8000-00000000000b", "flowLogResourceID": LOG, "flowTuple": {"state": "E", "encryption": "NX"}})

    # ---- A record is a tuple ----

    def test_each_tuple_is_a_row_with_its_rule(self):
        flows = [{"aclID": "a-1", "flowGroups": [{"rule": "r1", "flowTuples": [END, END]}, {"rule": "r2", "flowTuples": [END]}]},
                 {"aclID": "a-2", "flowGroups": [{"rule": "r3", "flowTuples": [END]}]}]
        events = self.read(json.dumps({"records": [record(flowRecords={"flows": flows}), record(END)]}))
        self.assertEqual([(e["lineage"]["record"], e["lineage"].get("item", 0), at(e, "firewall_rule.uid"), at(e, "firewall_rule.name")) for e in events],
                         [(0, 0, "a-1", "r1"), (0, 1, "a-1", "r1"), (0, 2, "a-1", "r2"), (0, 3, "a-2", "r3"), (1, 0, ACL, "UserRule_web")])

    def test_a_record_without_flows_proves_coverage(self):
        self.check(self.one(record(flowRecords={"flows": []})), {"class_uid": 0, "activity_name": "No flows", "time": 1772460052562, "unmapped.targetResourceID": NETWORK,
                                                                "cloud.region": "westeurope", "unmapped.macAddress": "0022487BC205"})

    def test_a_tuple_that_is_none_costs_itself_alone_and_is_kept(self):
        events = self.read(json.dumps(record(END, "1772460003599,10.0.0.6", END)))
        self.assertEqual([e["class_uid"] for e in events], [4001, 0, 4001])
        self.check(events[1], {"activity_name": "Unreadable flow", "unmapped.flowTuple": "1772460003599,10.0.0.6", "unmapped.aclID": ACL, "unmapped.rule": "UserRule_web",
                               "unmapped.targetResourceID": NETWORK})

    def test_every_field_has_its_place(self):
        source = record(END, newField="new", resourceId=NIC)
        source["flowRecords"]["more"] = 5
        source["flowRecords"]["flows"][0]["flowGroups"][0]["hint"] = "h"
        event = self.one(source)
        self.nothing_lost(source, event, {"time": "as logged_time", "macAddress": "as src_endpoint.mac", "flowRecords.flows[].flowGroups[].flowTuples[]": "as attributes"})
        for name in ("newField", "more", "hint"):
            self.assertIn(name, json.dumps(self.stats()))

    # ---- Forms ----

    def test_the_three_forms_of_keys(self):
        for middle in ("/SUBSCRIPTIONS/S/RESOURCEGROUPS/NETWORKWATCHERRG/PROVIDERS/MICROSOFT.NETWORK/NETWORKWATCHERS/NETWORKWATCHER_WESTEUROPE/FLOWLOGS/FL1",
                       "/S_NETWORKWATCHERRG/NETWORKWATCHER_WESTEUROPE_VNET1-RG1-FLOWLOGS", "/S_NETWORKWATCHERRG/NETWORKWATCHER_WESTEUROPE_FL1"):
            key = f"insights-logs-flowlogflowevent/flowLogResourceID={middle}/y=2026/m=03/d=02/h=14/m=00/macAddress=0022487BC205/PT1H.json"
            self.check(self.one(json.dumps({"records": [record(END)]}), key), {"activity_id": 2})

    def test_one_record_a_line(self):
        text = json.dumps(record(END))
        self.assertEqual(len(self.read(text + "\r\n" + text + "\n")), 2)


if __name__ == "__main__":
    mapping.unittest.main()
