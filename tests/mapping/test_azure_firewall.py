"""Azure Firewall: which field stands in which attribute, of structured logs and of the older texts, and that none is lost."""
import json

import mapping
from mapping import at

SUBSCRIPTION = "99999999-0000-4000-8000-000000000009"
FIREWALL = f"/SUBSCRIPTIONS/{SUBSCRIPTION}/RESOURCEGROUPS/RG1/PROVIDERS/MICROSOFT.NETWORK/AZUREFIREWALLS/FW1"
TIME = "2026-03-02T18:00:01.8623870Z"
TUPLE = {"Protocol": "TCP", "SourceIp": "192.0.2.4", "SourcePort": 49680, "DestinationIp": "203.0.113.20", "DestinationPort": 1688}
RULE = {"Policy": "policy-1", "RuleCollectionGroup": "group-1", "RuleCollection": "collection-1", "Rule": "Azure-to-Allowed, RDP v1.2"}
NETWORK = TUPLE | RULE | {"Action": "Allow", "ActionReason": "Rule matched"}
APPLICATION = RULE | {"Protocol": "HTTPS", "SourceIp": "192.0.2.4", "SourcePort": 50001, "DestinationPort": 8443, "Fqdn": "www.example.com", "TargetUrl": "www.example.com/a/b?c=d",
                      "WebCategory": "ComputersAndTechnology", "IsTlsInspected": True, "IsExplicitProxyRequest": False, "Action": "Deny", "ActionReason": "No rule matched"}
NAT = TUPLE | RULE | {"TranslatedIp": "192.0.2.200", "TranslatedPort": 3389}
THREAT = TUPLE | {"Action": "Alert", "ThreatDescription": "Bot Networks", "Fqdn": "bad.example.net", "Url": "bad.example.net/x", "IsTlsInspected": False}
INTRUSION = TUPLE | {"Action": "Deny", "SignatureId": "2028816", "Category": "Attempted User Privilege Gain", "Description": "SQL service_name overflow attempt", "Severity": 1}
QUERY = {"DnssecOkBit": False, "EDNS0BufferSize": 512, "ErrorMessage": "", "ErrorNumber": 0, "Protocol": "udp", "QueryClass": "IN", "QueryId": 35817, "QueryName": "c2.example.net.",
         "QueryType": "A", "RequestDurationSecs": 0.0025, "RequestSize": 32, "ResponseCode": "NXDOMAIN", "ResponseFlags": "qr,aa,rd,ra", "ResponseSize": 152, "SourceIp": "192.0.2.4",
         "SourcePort": 47785}


def log(category, properties, **changes):
    return mapping.outer({"category": category, "properties": properties, "resourceId": FIREWALL, "time": TIME}, **changes)


def line(msg, category="AzureFirewallNetworkRule"):
    return log(category, {"msg": msg}, operationName=category + "Log")


def table(name, columns, **changes):
    return mapping.outer({"TenantId": "aaaaaaaa-0000-4000-8000-00000000000b", "TimeGenerated": TIME, **columns, "SourceSystem": "Azure", "Type": name, "_ResourceId": FIREWALL.lower()}, **changes)


class Firewall(mapping.Mapping):
    PARSER = "azure.firewall"

    # ---- Rules ----

    def test_a_network_rule(self):
        self.check(self.one(log("AZFWNetworkRule", NETWORK)), {
            "class_uid": 4001, "activity_id": 1, "time": 1772474401862, "metadata.original_time": TIME, "severity_id": 1, "src_endpoint": {"ip": "192.0.2.4", "port": 49680},
            "dst_endpoint": {"ip": "203.0.113.20", "port": 1688}, "connection_info": {"protocol_name": "tcp", "protocol_num": 6, "direction_id": 0, "direction": "Unknown"}, "action_id": 1, "disposition_id": 1,
            "status_id": 1, "firewall_rule": {"name": RULE["Rule"], "category": "collection-1", "type": "group-1"}, "policy.name": "policy-1", "status_detail": "Rule matched",
            "metadata.log_name": "AZFWNetworkRule", "metadata.product.name": "Azure Firewall", "metadata.log_provider": "MICROSOFT.NETWORK", "cloud.account.uid": SUBSCRIPTION,
            "cloud.account.type_id": 13, "network_observation_point": {"uid": FIREWALL.lower(), "name": "FW1"}, "unmapped": {"resourceId": FIREWALL}})

    def test_actions(self):
        for word, action, disposition, status, activity in (("Allow", 1, 1, 1, 1), ("deny", 2, 2, 2, 5), ("drop", 2, 6, 2, 5), ("Alert", 3, 19, None, 6), ("Log", 3, 17, None, 6)):
            self.check(self.one(log("AZFWNetworkRule", NETWORK | {"Action": word})), {"action_id": action, "disposition_id": disposition, "status_id": status, "activity_id": activity})
        self.check(self.one(log("AZFWNetworkRule", NETWORK | {"Action": "Odd"})), {"action_id": 99, "action": "Odd", "disposition_id": 99, "disposition": "Odd", "activity_id": 99, "activity_name": "Odd"})
        for kind in ("Network", "Application", "Nat"):
            self.check(self.one(log(f"AZFW{kind}RuleAggregation", TUPLE | {f"{kind}RuleCount": 17})), {"class_uid": 4001, "action_id": None, "activity_id": 6, "count": 17, "unmapped.properties": None})
        self.check(self.one(log("AZFWNetworkRule", {})), {"activity_id": 0, "connection_info": {"direction_id": 0, "direction": "Unknown"}})

    def test_nat_is_inbound_and_has_the_target_behind(self):
        self.check(self.one(log("AZFWNatRule", NAT)), {
            "class_uid": 4001, "activity_id": 1, "connection_info.direction_id": 1, "dst_endpoint": {"ip": "203.0.113.20", "port": 1688, "proxy_endpoint": {"ip": "192.0.2.200", "port": 3389}},
            "firewall_rule.name": RULE["Rule"], "action_id": None})
        self.check(self.one(log("AZFWNatRule", NAT | {"DestinationIp": ""})), {"dst_endpoint": None, "unmapped.properties": {"DestinationPort": 1688, "TranslatedIp": "192.0.2.200", "TranslatedPort": 3389}})

    def test_an_application_rule_of_the_web_is_a_request(self):
        self.check(self.one(log("AZFWApplicationRule", APPLICATION)), {
            "class_uid": 4002, "activity_id": 99, "activity_name": "Request", "app_protocol_name": "https", "connection_info.protocol_name": "tcp", "connection_info.direction_id": 0,
            "dst_endpoint": {"hostname": "www.example.com", "port": 8443}, "action_id": 2, "status_id": 2, "status_detail": "No rule matched", "firewall_rule.name": RULE["Rule"],
            "http_request.url": {"url_string": "www.example.com/a/b?c=d", "scheme": "https", "hostname": "www.example.com", "port": 8443, "path": "/a/b", "query_string": "c=d",
                                 "categories": ["ComputersAndTechnology"]},
            "unmapped.properties": {"IsTlsInspected": True, "IsExplicitProxyRequest": False}})

    def test_of_a_request_without_an_url_the_host_is_one(self):
        for port, protocol, wanted in ((443, "HTTPS", "https://www.example.com"), (8443, "HTTPS", "https://www.example.com:8443"), (80, "http", "http://www.example.com")):
            event = self.one(log("AZFWApplicationRule", APPLICATION | {"TargetUrl": "", "DestinationPort": port, "Protocol": protocol}))
            self.check(event, {"class_uid": 4002, "http_request.url.url_string": wanted, "http_request.url.hostname": "www.example.com", "http_request.url.port": port, "http_request.url.path": None})
        event = self.one(log("AZFWApplicationRule", APPLICATION | {"TargetUrl": "https://x.example.com/p"}))
        self.check(event, {"http_request.url.url_string": "https://x.example.com/p", "http_request.url.hostname": "x.example.com", "http_request.url.path": "/p"})

    def test_an_url_without_a_protocol_has_no_scheme(self):
        event = self.one(log("AZFWApplicationRule", APPLICATION | {"Protocol": ""}))
        self.check(event, {"class_uid": 4002, "http_request.url.scheme": None, "http_request.url.hostname": "www.example.com", "http_request.url.path": "/a/b",
                           "http_request.url.url_string": "www.example.com/a/b?c=d"})
        self.check(self.one(log("AZFWApplicationRule", APPLICATION | {"Protocol": "", "TargetUrl": "ftp://x.example.com/p"})), {"http_request.url.scheme": "ftp"})

    def test_addresses_with_ports_and_brackets(self):
        event = self.one(log("AZFWNetworkRule", NETWORK | {"SourceIp": "192.0.2.4:55", "SourcePort": None, "DestinationIp": "[2001:DB8::1]"}))
        self.check(event, {"src_endpoint": {"ip": "192.0.2.4", "port": 55}, "dst_endpoint": {"ip": "2001:db8::1", "port": 1688}, "unmapped.properties": None})
        event = self.one(log("AZFWNetworkRule", NETWORK | {"SourceIp": "192.0.2.4:55", "DestinationIp": "::FFFF:192.0.2.9"}))
        self.check(event, {"src_endpoint": {"ip": "192.0.2.4", "port": 49680}, "dst_endpoint.ip": "::ffff:192.0.2.9", "unmapped.properties": {"SourceIp": "192.0.2.4:55"}})
        event = self.one(log("AZFWNatRule", NAT | {"DestinationIp": "203.0.113.20:1688", "DestinationPort": None, "TranslatedIp": "192.0.2.200:3389", "TranslatedPort": None}))
        self.check(event, {"dst_endpoint": {"ip": "203.0.113.20", "port": 1688, "proxy_endpoint": {"ip": "192.0.2.200", "port": 3389}}, "unmapped.properties": None})
        event = self.one(log("AZFWIdpsSignature", INTRUSION | {"SourceIp": "192.0.2.4:55", "SourcePort": None}))
        self.check(event["evidences"][0], {"src_endpoint": {"ip": "192.0.2.4", "port": 55}})

    def test_an_application_rule_of_another_protocol_is_a_connection(self):
        self.check(self.one(log("AZFWApplicationRule", APPLICATION | {"TargetUrl": "", "Protocol": "MSSQL"})), {
            "class_uid": 4001, "app_protocol_name": "mssql", "connection_info.protocol_name": "tcp", "dst_endpoint.hostname": "www.example.com", "unmapped.properties.WebCategory": "ComputersAndTechnology"})
        self.check(self.one(log("AZFWApplicationRule", APPLICATION | {"TargetUrl": "", "Fqdn": ""})), {"class_uid": 4001, "dst_endpoint": None, "unmapped.properties.DestinationPort": 8443})

    def test_flow_traces_and_fat_flows(self):
        for flag, activity, bits in (("SYN-ACK", 1, 18), ("FIN", 2, 1), ("FIN-ACK", 2, 17), ("RST", 3, 4), ("INVALID", 4, None)):
            event = self.one(log("AZFWFlowTrace", TUPLE | {"Flag": flag, "Action": "Log", "ActionReason": "Additional TCP Log"}))
            self.check(event, {"class_uid": 4001, "activity_id": activity, "connection_info.tcp_flags": bits, "status_detail": "Additional TCP Log", "action_id": 3})
        self.check(self.one(log("AZFWFlowTrace", TUPLE | {"Flag": "URG"})), {"activity_id": 99, "activity_name": "URG"})
        self.check(self.one(log("AZFWFatFlow", TUPLE | {"FlowRate": 12.5})), {"class_uid": 4001, "activity_id": 6, "unmapped.properties.FlowRate": 12.5})

    # ---- Findings ----

    def test_threat_intelligence_is_a_finding(self):
        event = self.one(log("AZFWThreatIntel", THREAT))
        self.check(event, {
            "class_uid": 2004, "activity_id": 1, "severity_id": 3, "is_alert": True, "finding_info.title": "Bot Networks", "finding_info.analytic": None, "action_id": 3, "disposition_id": 19,
            "evidences": [{"src_endpoint": {"ip": "192.0.2.4", "port": 49680}, "dst_endpoint": {"ip": "203.0.113.20", "port": 1688, "hostname": "bad.example.net"}, "url": {"url_string": "bad.example.net/x"},
                           "connection_info": {"protocol_name": "tcp", "protocol_num": 6, "direction_id": 0, "direction": "Unknown"}}],
            "resources": [{"uid": FIREWALL, "uid_alt": FIREWALL.lower(), "name": "FW1", "type": "MICROSOFT.NETWORK/AZUREFIREWALLS"}]})
        self.assertRegex(at(event, "finding_info.uid"), "^[0-9a-f]{16}$")
        other = self.one(log("AZFWThreatIntel", THREAT | {"SourcePort": 49681}))
        self.assertNotEqual(at(event, "finding_info.uid"), at(other, "finding_info.uid"))

    def test_intrusions_are_findings_of_a_signature(self):
        event = self.one(log("AZFWIdpsSignature", INTRUSION))
        self.check(event, {"class_uid": 2004, "finding_info.title": "SQL service_name overflow attempt", "finding_info.analytic": {"uid": "2028816", "type_id": 1, "type": "Rule"},
                           "finding_info.types": ["Attempted User Privilege Gain"], "severity_id": 4, "action_id": 2, "disposition_id": 2})
        self.assertRegex(at(event, "finding_info.uid"), "^2028816-[0-9a-f]{16}$")
        for severity, wanted in ((1, 4), (2, 3), (3, 2), ("2", 3), (4, 3), (None, 3)):
            self.check(self.one(log("AZFWIdpsSignature", INTRUSION | {"Severity": severity})), {"severity_id": wanted, "unmapped.properties.Severity": 4 if severity == 4 else None})

    # ---- Queries ----

    def test_a_query(self):
        self.check(self.one(log("AZFWDnsQuery", QUERY)), {
            "class_uid": 4003, "activity_id": 2, "query": {"hostname": "c2.example.net", "type": "A", "class": "IN", "packet_uid": 35817}, "rcode_id": 3, "rcode": "NXDOMAIN",
            "src_endpoint": {"ip": "192.0.2.4", "port": 47785}, "traffic": {"bytes_out": 32, "bytes_in": 152}, "connection_info.protocol_name": "udp", "connection_info.direction_id": 2,
            "duration": 2, "status_id": 2, "unmapped.properties": {"DnssecOkBit": False, "EDNS0BufferSize": 512, "ErrorNumber": 0, "ResponseFlags": "qr,aa,rd,ra"}})
        for rcode, rcode_id, status in (("NOERROR", 0, 1), ("FORMERR", 1, 2), ("SERVFAIL", 2, 2), ("NOTIMP", 4, 2), ("REFUSED", 5, 2), ("ODD", 99, 2)):
            self.check(self.one(log("AZFWDnsQuery", QUERY | {"ResponseCode": rcode})), {"rcode_id": rcode_id, "rcode": rcode, "status_id": status})
        self.check(self.one(log("AZFWDnsQuery", QUERY | {"RequestDurationSecs": 0.0000286})), {"duration": None, "unmapped.properties.RequestDurationSecs": 0.0000286})

    def test_codes_of_any_case(self):
        for code, number, status in (("NoError", 0, 1), ("noerror", 0, 1), ("NXDomain", 3, 2), ("Odd", 99, 2)):
            self.check(self.one(log("AZFWDnsQuery", QUERY | {"ResponseCode": code})), {"rcode_id": number, "status_id": status})

    def test_a_query_that_failed(self):
        event = self.one(log("AZFWDnsQuery", {"ErrorMessage": "read udp 192.0.2.4:53: i/o timeout", "ErrorNumber": 2, "QueryName": "x.example.net.", "QueryType": "A"}))
        self.check(event, {"class_uid": 4003, "activity_id": 6, "status_id": 2, "status_detail": "read udp 192.0.2.4:53: i/o timeout", "query.hostname": "x.example.net", "unmapped.properties": {"ErrorNumber": 2}})

    def test_a_name_of_a_rule_that_was_not_resolved(self):
        event = self.one(log("AZFWFqdnResolveFailure", RULE | {"Fqdn": "gone.example.net", "ServerIp": "192.0.2.53", "ServerPort": 53, "Error": "no such host"}))
        self.check(event, {"class_uid": 4003, "activity_id": 6, "status_id": 2, "status_detail": "no such host", "query.hostname": "gone.example.net", "dst_endpoint": {"ip": "192.0.2.53", "port": 53},
                           "unmapped.properties": RULE})

    # ---- The older texts ----

    def test_lines_of_rules(self):
        end = "192.0.2.4:49680 to 203.0.113.20:1688"
        both = {"src_endpoint": {"ip": "192.0.2.4", "port": 49680}, "dst_endpoint": {"ip": "203.0.113.20", "port": 1688}, "message": None, "unmapped": {"resourceId": FIREWALL}}
        self.check(self.one(line(f"TCP request from {end}. Action: Deny. ")), both | {"class_uid": 4001, "action_id": 2, "activity_id": 5, "connection_info.protocol_name": "tcp", "status_detail": None,
                                                                                      "metadata.event_code": "AzureFirewallNetworkRuleLog"})
        self.check(self.one(line(f"UDP  request from {end}. Action: Allow")), both | {"action_id": 1, "connection_info.protocol_num": 17})
        self.check(self.one(line("ICMP Type=8 request from 192.0.2.4 to 203.0.113.20. Action: Deny. ")), {
            "src_endpoint": {"ip": "192.0.2.4"}, "dst_endpoint": {"ip": "203.0.113.20"}, "connection_info.protocol_name": "icmp", "unmapped.properties": {"Type": "8"}, "message": None})
        self.check(self.one(line(f"47 request from {end}. Action: Deny")), {"connection_info.protocol_num": 47, "message": None})
        nat = self.one(line(f"TCP request from {end} was DNAT'ed to 192.0.2.200:3389. Policy: p-1. Rule Collection Group: G. Rule Collection: DNAT. Rule: r"))
        self.check(nat, {"dst_endpoint.proxy_endpoint": {"ip": "192.0.2.200", "port": 3389}, "connection_info.direction_id": 1, "activity_id": 1, "policy.name": "p-1",
                         "firewall_rule": {"name": "r", "category": "DNAT", "type": "G"}, "message": None})
        self.check(self.one(line(f"TCP request from {end} was DNAT'ed to 192.0.2.200:3389")), {"dst_endpoint.proxy_endpoint.port": 3389, "message": None})

    def test_names_of_rules_may_have_points_and_commas(self):
        event = self.one(line("TCP request from 192.0.2.4:1 to 203.0.113.20:3389. Action: Allow.. Rule Collection: Permit_RFC1918. v2. Rule: Azure-to-Allowed, RDP v1.2"))
        self.check(event, {"action_id": 1, "firewall_rule": {"name": "Azure-to-Allowed, RDP v1.2", "category": "Permit_RFC1918. v2"}, "status_detail": None, "message": None})

    def test_lines_of_intrusions_and_threats(self):
        event = self.one(line("TCP request from 192.0.2.4:51890 to 203.0.113.9:443. Action: drop. Signature: 2028816. IDS: JA3 Hash - [x.y] Possible: Z. Priority: 3. Classification: Unknown Traffic"))
        self.check(event, {"class_uid": 2004, "action_id": 2, "disposition_id": 6, "finding_info.title": "JA3 Hash - [x.y] Possible: Z", "finding_info.analytic.uid": "2028816",
                           "finding_info.types": ["Unknown Traffic"], "severity_id": 2, "evidences.0.dst_endpoint": {"ip": "203.0.113.9", "port": 443}, "unmapped": None, "message": None})
        event = self.one(line("ICMP request from 192.0.2.4: to 203.0.113.9:. Action: alert. Signature: 2100366. IDS: PING *NIX. Priority: 3. Classification: Misc activity"))
        self.check(event, {"class_uid": 2004, "evidences.0.src_endpoint": {"ip": "192.0.2.4"}, "evidences.0.dst_endpoint": {"ip": "203.0.113.9"}, "disposition_id": 19, "message": None})
        event = self.one(line("HTTP request from 192.0.2.4:54314 to bad.example.net:80. Url: bad.example.net/a. Action: Deny. ThreatIntel: Bot Networks"))
        self.check(event, {"class_uid": 2004, "finding_info.title": "Bot Networks", "evidences.0.dst_endpoint": {"hostname": "bad.example.net", "port": 80},
                           "evidences.0.url.url_string": "bad.example.net/a", "action_id": 2, "severity_id": 3, "message": None})

    def test_lines_of_applications(self):
        def application(msg):
            event = self.one(line(msg, "AzureFirewallApplicationRule"))
            self.check(event, {"message": None})
            return event
        event = application("HTTPS request from 192.0.2.4:49553 to www.example.com:443. Action: Allow. Policy: p-1. Rule Collection Group: G. Rule Collection: C. Rule: Allowed Business. Web Category: Technology")
        self.check(event, {"class_uid": 4002, "http_request.url.url_string": "https://www.example.com", "http_request.url.categories": ["Technology"], "firewall_rule.name": "Allowed Business",
                           "policy.name": "p-1", "dst_endpoint": {"hostname": "www.example.com", "port": 443}})
        event = application("HTTP  request from 192.0.2.4:50776 to ocsp.example.com:80. Url: ocsp.example.com/MFQ=. Action: Allow. Rule Collection: C. Rule: Services, HTTP")
        self.check(event, {"http_request.url.url_string": "ocsp.example.com/MFQ=", "http_request.url.path": "/MFQ=", "http_request.url.scheme": "http", "firewall_rule.name": "Services, HTTP"})
        event = application("HTTPS request from 192.0.2.4:6065. Action: Deny. Reason: SNI TLS extension was missing.")
        self.check(event, {"class_uid": 4001, "dst_endpoint": None, "src_endpoint.port": 6065, "status_detail": "SNI TLS extension was missing.", "app_protocol_name": "https"})
        event = application("HTTPS request from 192.0.2.4:56029 to a.example.com:443. Action: Deny. No rule matched. Proceeding with default action")
        self.check(event, {"class_uid": 4002, "action_id": 2, "status_detail": "No rule matched. Proceeding with default action"})
        event = application("HTTPS request from 192.0.2.4:59060 to a.example.com:443. Action: Deny. Failed to resolve address a.example.com:443: lookup a.example.com on 192.0.2.53:53: no such host")
        self.check(event, {"status_detail": "Failed to resolve address a.example.com:443: lookup a.example.com on 192.0.2.53:53: no such host"})

    def test_an_url_does_not_say_what_the_firewall_did(self):
        event = self.one(line("HTTP request from 192.0.2.4:1 to a.example.com:80. Url: a.example.com/x. Action: Allow. Rule: fake. Action: Deny. Rule: real", "AzureFirewallApplicationRule"))
        self.check(event, {"action_id": 2, "firewall_rule.name": "real", "http_request.url.url_string": "a.example.com/x. Action: Allow. Rule: fake", "message": None})

    def test_lines_of_the_dns_proxy(self):
        for dash in ("-", "\u2013"):
            event = self.one(line(f"DNS Request: 192.0.2.4:61248 {dash} 6513 A IN wpad.example.com. udp 43 false 512 NXDOMAIN qr,rd,ra 145 0.002846368s", "AzureFirewallDnsProxy"))
            self.check(event, {"class_uid": 4003, "activity_id": 2, "src_endpoint": {"ip": "192.0.2.4", "port": 61248}, "query": {"hostname": "wpad.example.com", "type": "A", "class": "IN", "packet_uid": 6513},
                               "rcode_id": 3, "traffic": {"bytes_out": 43, "bytes_in": 145}, "duration": 2, "connection_info.protocol_name": "udp", "status_id": 2, "message": None,
                               "unmapped.properties": {"DnssecOkBit": "false", "EDNS0BufferSize": "512", "ResponseFlags": "qr,rd,ra"}})
        event = self.one(line("DNS Request: 192.0.2.4:61248 - 1 AAAA IN . tcp 43 true 4096 NOERROR - 0 1.5s", "AzureFirewallDnsProxy"))
        self.check(event, {"query.hostname": ".", "rcode_id": 0, "status_id": 1, "duration": 1500, "message": None})
        event = self.one(line(" Error: 2 gone.example.com. A: read udp 192.0.2.4:57155->192.0.2.53:53: i/o timeout", "AzureFirewallDnsProxy"))
        self.check(event, {"activity_id": 6, "status_id": 2, "query": {"hostname": "gone.example.com", "type": "A"}, "status_detail": "read udp 192.0.2.4:57155->192.0.2.53:53: i/o timeout",
                           "unmapped.properties": {"ErrorNumber": "2"}, "message": None})

    def test_a_line_that_cannot_be_read_is_the_message_and_nothing_is_guessed(self):
        for msg in ("something else happened.", "TCP request from 192.0.2.4:1 to nowhere at all. Action: Deny", "TCP request from here:1 to 203.0.113.1:2. Action: Deny",
                    "TCP request from 192.0.2.4:1 to 203.0.113.1:2. Action: Deny. Action: Allow", "TCP request from 192.0.2.4:1 to 203.0.113.1:2. Verdict: Deny", "TCP request from"):
            self.check(self.one(line(msg)), {"class_uid": 4001, "activity_id": 0, "message": msg, "src_endpoint": None, "action_id": None})
        msg = "DNS Request: 192.0.2.4:61248 - 6513 A IN wpad.example.com. udp 43"
        self.check(self.one(line(msg, "AzureFirewallDnsProxy")), {"class_uid": 4003, "activity_id": 0, "message": msg, "query": None})

    # ---- Forms ----

    def test_rows_of_tables_are_the_same_events(self):
        for name, properties in (("AZFWNetworkRule", NETWORK), ("AZFWApplicationRule", APPLICATION), ("AZFWNatRule", NAT), ("AZFWThreatIntel", THREAT), ("AZFWIdpsSignature", INTRUSION), ("AZFWDnsQuery", QUERY)):
            event, wanted = self.one(table(name, properties)), self.one(log(name, properties, resourceId=FIREWALL.lower()))
            self.assertEqual(mapping.core(event), mapping.core(wanted))
            self.nothing_lost(table(name, properties), event, self.told(properties))

    def test_rows_of_azure_diagnostics(self):
        row = table("AzureDiagnostics", {"Category": "AzureFirewallNetworkRule", "OperationName": "AzureFirewallNetworkRuleLog", "msg_s": "TCP request from 192.0.2.4:1 to 203.0.113.1:2. Action: Deny."})
        event = self.one(row)
        self.check(event, {"class_uid": 4001, "metadata.log_name": "AzureFirewallNetworkRule", "src_endpoint": {"ip": "192.0.2.4", "port": 1}, "dst_endpoint.port": 2, "action_id": 2, "unmapped.Type": "AzureDiagnostics"})
        row = table("AzureDiagnostics", {"Category": "AZFWNetworkRule", "Protocol_s": "TCP", "SourceIp_s": "192.0.2.4", "SourcePort_d": 1.0, "Action_s": "Allow", "AdditionalFields": {"DestinationIp": "203.0.113.1"}})
        self.check(self.one(row), {"src_endpoint": {"ip": "192.0.2.4", "port": 1}, "action_id": 1, "dst_endpoint.ip": "203.0.113.1"})

    def test_properties_may_be_a_text_and_names_of_any_case(self):
        wanted = mapping.core(self.one(log("AZFWNetworkRule", NETWORK)))
        self.assertEqual(mapping.core(self.one(log("AZFWNetworkRule", json.dumps(NETWORK)))), wanted)
        upper = {key.upper(): value for key, value in log("AZFWNetworkRule", {key.lower(): value for key, value in NETWORK.items()}).items()}
        self.assertEqual(mapping.core(self.one(upper)), wanted)

    def test_resource_ids_in_any_case_have_one_form(self):
        for form in (FIREWALL, FIREWALL.lower(), FIREWALL.replace("RESOURCEGROUPS", "resourceGroups")):
            self.check(self.one(log("AZFWNetworkRule", NETWORK, resourceId=form)), {"network_observation_point.uid": FIREWALL.lower()})

    def test_times_of_every_form(self):
        for text, wanted in (("2026-03-02T18:00:00.992099+00:00", 1772474400992), ("2026-03-02T18:00:00.9Z", 1772474400900), ("3/2/2026 6:00:00 PM", 1772474400000)):
            self.check(self.one(log("AZFWNetworkRule", NETWORK, time=text)), {"time": wanted, "metadata.original_time": text})

    def test_a_bad_field_costs_itself_alone(self):
        event = self.one(log("AZFWNetworkRule", NETWORK | {"SourceIp": "here", "DestinationPort": 99999, "TranslatedPort": "x"}))
        self.check(event, {"src_endpoint": None, "dst_endpoint": {"ip": "203.0.113.20"}, "unmapped.properties": {"SourceIp": "here", "SourcePort": 49680, "DestinationPort": 99999, "TranslatedPort": "x"}})
        event = self.one(log("AZFWNetworkRule", {"Protocol": ["TCP"], "SourceIp": "", "Action": None, "Rule": {}}))
        self.check(event, {"activity_id": 0, "unmapped.properties": {"Protocol": ["TCP"]}})

    def test_a_record_that_is_cut_costs_itself_alone(self):
        whole = json.dumps(log("AZFWNetworkRule", NETWORK))
        self.assertEqual(len(self.read(whole + "\n" + whole[:-30], code=3)), 1)

    # ---- Nothing is lost ----

    @staticmethod
    def told(properties, prefix=""):
        reasons = {"Action": "as ids", "QueryName": "less its point", "Protocol": "in small letters", "RequestDurationSecs": "as duration", "Severity": "as severity_id"}
        return {prefix + key: reason for key, reason in reasons.items() if key in properties}

    def test_every_field_has_its_place(self):
        for category, properties in (("AZFWNetworkRule", NETWORK), ("AZFWApplicationRule", APPLICATION), ("AZFWNatRule", NAT), ("AZFWThreatIntel", THREAT), ("AZFWIdpsSignature", INTRUSION),
                                     ("AZFWDnsQuery", QUERY), ("AZFWNewThing", NETWORK)):
            properties = properties | {"newProperty": {"a": 1}, "FlowRate": 2.5}
            source = log(category, properties, newField="n", level="Informational", operationName="Op", operationVersion="1.0", resultType="Success", resultSignature="OK", resultDescription="described",
                         durationMs="5x", callerIpAddress="198.51.100.1", correlationId="c-1", identity="me", location="westeurope", tenantId="11111111-2222-3333-4444-555555555555")
            self.nothing_lost(source, self.one(source), self.told(properties, "properties."))
            for name in ("newField", "newProperty"):
                self.assertIn(name, json.dumps(self.stats()))

    def test_known_fields_are_no_news(self):
        known = NETWORK | {"FlowRate": 1.5, "IsDefaultRule": True}
        self.read("\n".join(json.dumps(log(category, properties)) for category, properties in (("AZFWNetworkRule", known), ("AZFWApplicationRule", APPLICATION), ("AZFWDnsQuery", QUERY))))
        self.assertEqual(self.stats()["parsers"][self.PARSER].get("drift", {}), {})

    def test_others_are_foreign_and_what_has_no_time_is_rejected(self):
        self.write("mixed", "\n".join(json.dumps(r) for r in (log("AZFWNetworkRule", NETWORK), log("Administrative", {}), log("AZFWNetworkRule", NETWORK, time="soon"))))
        self.logmill("run", "mixed", "--plugin", self.PARSER, "--to", "ndjson:-", "--rejects", "rejects", code=None)
        self.assertEqual({"foreign", "malformed"}, {reject["code"] for reject in self.rejects()})


if __name__ == "__main__":
    mapping.unittest.main()
