"""What aws.securityhub makes of findings in ASFF: each row of the mapping, nothing lost, and what is odd."""
import json

import mapping

PRODUCT = "arn:aws:securityhub:eu-central-1::product/aws/securityhub"
COMPLIANCE = {"Status": "FAILED", "SecurityControlId": "S3.8", "RelatedRequirements": ["NIST AC-3", "PCI 1.2.1"],
              "AssociatedStandards": [{"StandardsId": "standards/a"}, {"StandardsId": "standards/b"}], "StatusReasons": [{"ReasonCode": "REASON"}]}
PACKAGE = {"Name": "openssl", "Version": "3.0.8", "Epoch": "1", "Release": "r3", "Architecture": "X86_64", "PackageManager": "OS", "FixedInVersion": "3.0.9",
           "FilePath": "/usr/lib/libssl.so", "Remediation": "apk upgrade"}
VULNERABILITY = {"Id": "CVE-2026-11111", "Cvss": [{"BaseScore": 7.5, "BaseVector": "CVSS:3.1/AV:N", "Version": "3.1", "Source": "NVD"}], "EpssScore": 0.00066,
                 "ExploitAvailable": "YES", "FixAvailable": "YES", "LastKnownExploitAt": "2026-02-20T00:00:00Z", "ReferenceUrls": ["https://example.com/r"],
                 "RelatedVulnerabilities": ["CVE-2026-22222"], "VulnerablePackages": [PACKAGE],
                 "Vendor": {"Name": "NVD", "Url": "https://nvd.example.com/1", "VendorSeverity": "HIGH", "VendorCreatedAt": "2026-01-01T00:00:00Z", "VendorUpdatedAt": "2026-01-02T00:00:00Z"}}
REMOTE = {"IpAddressV4": "198.51.100.9", "Organization": {"Asn": 64500, "AsnOrg": "EXAMPLE-AS", "Isp": "Example ISP", "Org": "Example Org"},
          "Country": {"CountryName": "Exampleland"}, "City": {"CityName": "Sampletown"}, "GeoLocation": {"Lat": 12.5, "Lon": -7.25}}
CONNECTION = {"ConnectionDirection": "INBOUND", "Protocol": "TCP", "LocalIpDetails": {"IpAddressV4": "192.0.2.5"}, "LocalPortDetails": {"Port": 22},
              "RemoteIpDetails": REMOTE, "RemotePortDetails": {"Port": 51544}}


def finding(**more) -> dict:
    record = {"SchemaVersion": "2018-10-08", "Id": "finding-1", "ProductArn": PRODUCT, "ProductName": "Security Hub", "CompanyName": "AWS", "Region": "eu-central-1",
              "GeneratorId": "generator-1", "AwsAccountId": "111122223333", "Types": ["Type/One", "Type/Two"], "FirstObservedAt": "2026-02-01T00:00:00.000Z",
              "LastObservedAt": "2026-03-01T11:59:00.000Z", "CreatedAt": "2026-02-01T00:00:00.5Z", "UpdatedAt": "2026-03-01T11:59:59.123456789Z",
              "Severity": {"Label": "HIGH"}, "Title": "A title", "Description": "A description",
              "Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::b", "Partition": "aws", "Region": "eu-west-1"}], "Workflow": {"Status": "NEW"}, **more}
    return {key: value for key, value in record.items() if value is not None}


class SecurityHub(mapping.Mapping):
    PARSER = "aws.securityhub"

    # ---- The class ----

    def test_what_a_finding_has_chooses_its_class(self):
        software = "Software and Configuration Checks/Vulnerabilities/CVE"
        for more, uid in (({"Compliance": COMPLIANCE}, 2003), ({"Compliance": COMPLIANCE, "Vulnerabilities": [VULNERABILITY]}, 2003), ({"Vulnerabilities": [VULNERABILITY]}, 2002),
                          ({"Types": [software], "Title": "i-1 has CVE-2026-33333."}, 2002), ({}, 2004), ({"Vulnerabilities": []}, 2004), ({"Compliance": {}}, 2004)):
            with self.subTest(more=more):
                self.check(self.one(finding(**more)), {"class_uid": uid})

    def test_a_vulnerability_without_an_id_makes_no_vulnerability_finding(self):
        software = "Software and Configuration Checks/Vulnerabilities/CVE"
        self.check(self.one(finding(Types=[software], Title="No number, CVE-20 and CVE-2026-1 are none")), {"class_uid": 2004})
        nameless = [{"FixAvailable": "YES"}]
        self.check(self.one(finding(Vulnerabilities=nameless)), {"class_uid": 2004, "unmapped.Vulnerabilities": nameless})
        self.check(self.one(finding(Types=[software], Title="x", Id="a/CVE-2026-44444/b")), {"vulnerabilities": [{"cve": {"uid": "CVE-2026-44444"}}]})

    # ---- The table, row by row ----

    def test_what_every_class_has(self):
        for more in ({"Compliance": {"Status": "PASSED"}}, {"Vulnerabilities": [{"Id": "CVE-2026-11111"}]}, {}):
            event = self.one(finding(Confidence=80, SourceUrl="https://example.com/s", Note={"Text": "A note"}, AwsAccountName="prod", ProcessedAt="2026-03-01T12:00:00Z", **more))
            self.check(event, {
                "time": 1772366399123, "metadata.original_time": "2026-03-01T11:59:59.123456789Z", "severity_id": 4, "status_id": 1, "activity_id": 2,
                "finding_info.uid": "finding-1", "metadata.original_event_uid": "finding-1", "finding_info.title": "A title", "message": "A title",
                "finding_info.desc": "A description", "finding_info.types": ["Type/One", "Type/Two"], "finding_info.analytic.uid": "generator-1",
                "finding_info.analytic.type_id": 1, "finding_info.product.uid": PRODUCT, "finding_info.product.name": "Security Hub",
                "finding_info.product.vendor_name": "AWS", "finding_info.created_time": 1769904000500, "finding_info.modified_time": 1772366399123,
                "finding_info.first_seen_time": 1769904000000, "finding_info.last_seen_time": 1772366340000, "finding_info.src_url": "https://example.com/s",
                "confidence_score": 80, "cloud.account.uid": "111122223333", "cloud.account.type_id": 10, "cloud.account.name": "prod", "cloud.region": "eu-central-1",
                "cloud.cloud_partition": "aws", "cloud.provider": "AWS", "comment": "A note", "metadata.processed_time": 1772366400000,
                "metadata.log_version": "2018-10-08", "metadata.log_provider": "Security Hub", "metadata.product.name": "Security Hub", "metadata.product.vendor_name": "AWS",
                "metadata.product.feature.name": "Security Hub", "metadata.profiles": ["cloud"], "resources.0.uid": "arn:aws:s3:::b", "resources.0.type": "AwsS3Bucket",
                "resources.0.region": "eu-west-1", "resources.0.cloud_partition": "aws", "unmapped": None})

    def test_severity_is_the_label_or_else_the_number(self):
        for severity, wanted in (({"Label": "INFORMATIONAL"}, 1), ({"Label": "LOW"}, 2), ({"Label": "MEDIUM"}, 3), ({"Label": "HIGH"}, 4), ({"Label": "CRITICAL", "Normalized": 0}, 5),
                                 ({"Normalized": 0}, 1), ({"Normalized": 1}, 2), ({"Normalized": 39}, 2), ({"Normalized": 40}, 3), ({"Normalized": 69}, 3), ({"Normalized": 70}, 4),
                                 ({"Normalized": 89}, 4), ({"Normalized": 90}, 5), ({"Normalized": 100}, 5), ({"Normalized": 101}, 0), ({"Normalized": "70"}, 0), ({}, 0)):
            with self.subTest(severity=severity):
                event = self.one(finding(Severity=severity))
                self.check(event, {"severity_id": wanted})
                if "Normalized" in severity:
                    self.check(event, {"unmapped.Severity.Normalized": severity["Normalized"]})
        self.check(self.one(finding(Severity={"Label": "DIRE"})), {"severity_id": 99, "severity": "DIRE"})

    def test_status_and_activity(self):
        for more, status, activity in (({"Workflow": {"Status": "NOTIFIED"}}, 2, 2), ({"Workflow": {"Status": "SUPPRESSED"}}, 3, 2), ({"Workflow": {"Status": "RESOLVED"}}, 4, 3),
                                       ({"RecordState": "ARCHIVED"}, 5, 3), ({"UpdatedAt": "2026-02-01T00:00:00.5Z"}, 1, 1), ({"Workflow": None}, None, 2), ({"RecordState": "ACTIVE"}, 1, 2)):
            with self.subTest(more=more):
                self.check(self.one(finding(**more)), {"status_id": status, "activity_id": activity})
        self.check(self.one(finding(Workflow={"Status": "PONDERED"})), {"status_id": 99, "status": "PONDERED"})
        self.assertEqual(self.one(finding(RecordState="ARCHIVED"))["unmapped"], {"Workflow.Status": "NEW"})

    def test_compliance(self):
        self.check(self.one(finding(Compliance=COMPLIANCE)), {
            "compliance.status_id": 3, "compliance.control": "S3.8", "compliance.standards": ["standards/a", "standards/b"],
            "compliance.requirements": ["NIST AC-3", "PCI 1.2.1"], "compliance.status_details": ["REASON"], "unmapped": None})
        for status, wanted in (("PASSED", 1), ("WARNING", 2), ("FAILED", 3), ("NOT_AVAILABLE", 0), ("ODD", 99)):
            event = self.one(finding(Compliance={"Status": status}))
            self.check(event, {"compliance.status_id": wanted})
            if wanted in (0, 99):
                self.check(event, {"compliance.status": status})
        self.check(self.one(finding(Compliance={"SecurityControlParameters": [{"Name": "days", "Value": ["90", "91"]}, {"Name": "none"}]})), {
            "compliance.status_id": 0, "compliance.control_parameters": [{"name": "days", "values": ["90", "91"]}, {"name": "none", "values": []}], "unmapped": None})

    def test_remediation(self):
        advice = {"Remediation": {"Recommendation": {"Text": "Do it.", "Url": "https://example.com/d"}}}
        for more in ({"Compliance": {"Status": "PASSED"}}, {}):
            self.check(self.one(finding(**advice, **more)), {"remediation.desc": "Do it.", "remediation.references": ["https://example.com/d"], "unmapped": None})
        self.check(self.one(finding(**advice, Vulnerabilities=[{"Id": "CVE-2026-11111"}, {"Id": "CVE-2026-11112"}])), {
            "vulnerabilities.0.remediation.desc": "Do it.", "vulnerabilities.1.remediation.references": ["https://example.com/d"], "unmapped": None})
        self.check(self.one(finding(Remediation={"Recommendation": {"Url": "https://example.com/d"}})), {"remediation": None, "unmapped.Remediation": {"Recommendation.Url": "https://example.com/d"}})

    def test_resources(self):
        resource = {"Type": "AwsEc2Instance", "Id": "arn:i", "Partition": "aws-cn", "Region": "cn-north-1", "ResourceRole": "Actor", "ApplicationName": "shop", "ApplicationArn": "arn:shop",
                    "Tags": {"env": "prod", "empty": ""}, "Details": {"AwsEc2Instance": {"VpcId": "vpc-1", "deep": [{"a": None}]}}}
        self.check(self.one(finding(Resources=[resource, {"Id": "two", "ResourceRole": "Witness"}])), {"resources": [
            {"type": "AwsEc2Instance", "uid": "arn:i", "cloud_partition": "aws-cn", "region": "cn-north-1", "role_id": 2, "role": "Actor", "group": {"name": "shop", "uid": "arn:shop"},
             "tags": [{"name": "env", "value": "prod"}, {"name": "empty", "values": []}], "data": resource["Details"]}, {"uid": "two", "role_id": 99, "role": "Witness"}], "unmapped": None})
        odd = [{"Id": "x", "DataClassification": {"Result": {}}}]
        self.check(self.one(finding(Resources=odd)), {"resources": [{"uid": "x"}], "unmapped.Resources": odd})
        self.check(self.one(finding(Resources=[{}, {"Id": ""}])), {"resources": None})

    def test_vulnerabilities(self):
        self.check(self.one(finding(Vulnerabilities=[VULNERABILITY])), {"unmapped": None, "vulnerabilities": [{
            "cve": {"uid": "CVE-2026-11111", "cvss": [{"base_score": 7.5, "version": "3.1", "vector_string": "CVSS:3.1/AV:N", "vendor_name": "NVD"}], "epss": {"score": "0.00066"},
                    "created_time": 1767225600000, "modified_time": 1767312000000, "references": ["https://nvd.example.com/1"]},
            "affected_packages": [{"name": "openssl", "version": "3.0.8", "epoch": 1, "release": "r3", "architecture": "X86_64", "package_manager": "OS", "fixed_in_version": "3.0.9",
                                   "path": "/usr/lib/libssl.so", "remediation": {"desc": "apk upgrade"}}],
            "is_fix_available": True, "is_exploit_available": True, "exploit_last_seen_time": 1771545600000, "references": ["https://example.com/r"],
            "related_vulnerabilities": ["CVE-2026-22222"], "vendor_name": "NVD", "severity": "HIGH"}]})

    def test_what_is_no_cve_is_an_advisory(self):
        vulnerability = [{"Id": "GHSA-x", "FixAvailable": "NO", "ExploitAvailable": "NO", "Vendor": {"Url": "https://example.com/g", "VendorUpdatedAt": "2026-01-02T00:00:00Z"}},
                         {"Id": "GHSA-y", "FixAvailable": "PARTIAL", "Cvss": VULNERABILITY["Cvss"]}]
        self.check(self.one(finding(Vulnerabilities=vulnerability)), {
            "vulnerabilities.0.advisory": {"uid": "GHSA-x", "src_url": "https://example.com/g", "modified_time": 1767312000000}, "vulnerabilities.0.is_fix_available": False,
            "vulnerabilities.0.is_exploit_available": False, "vulnerabilities.1.fix_coverage_id": 2, "vulnerabilities.1.advisory.uid": "GHSA-y",
            "unmapped.Vulnerabilities": vulnerability})

    def test_parts_of_vulnerabilities_that_ocsf_cannot_hold_keep_the_list(self):
        for part in ({"Cvss": [{"BaseVector": "no score"}]}, {"Cvss": [{"BaseScore": "high", "Version": "3.1"}]}, {"VulnerablePackages": [{"Name": "no version"}]}, {"FixAvailable": "MAYBE"},
                     {"ExploitAvailable": "MAYBE"}, {"CodeVulnerabilities": [{"Cwes": ["CWE-1"]}]}, {"VulnerablePackages": [{**PACKAGE, "SourceLayerHash": "sha256:1"}]}, {"ReferenceUrls": [1]}):
            with self.subTest(part=part):
                self.check(self.one(finding(Vulnerabilities=[{"Id": "CVE-2026-11111", **part}])), {"vulnerabilities.0.cve.uid": "CVE-2026-11111",
                                                                                                 "unmapped.Vulnerabilities": [{"Id": "CVE-2026-11111", **part}]})

    def test_actions_are_evidences(self):
        self.check(self.one(finding(Action={"ActionType": "NETWORK_CONNECTION", "NetworkConnectionAction": CONNECTION})), {
            "evidences.0.src_endpoint.ip": "198.51.100.9", "evidences.0.src_endpoint.port": 51544, "evidences.0.src_endpoint.autonomous_system.number": 64500,
            "evidences.0.src_endpoint.location.lat": 12.5, "evidences.0.dst_endpoint.ip": "192.0.2.5", "evidences.0.dst_endpoint.port": 22,
            "evidences.0.connection_info.direction_id": 1, "unmapped": {"Action": {"ActionType": "NETWORK_CONNECTION"}}, "is_alert": True})
        self.check(self.one(finding(Action={"AwsApiCallAction": {"Api": "DeleteTrail", "ServiceName": "cloudtrail.amazonaws.com", "DomainDetails": {"Domain": "caller.example.com"}}})), {
            "evidences": [{"api": {"operation": "DeleteTrail", "service": {"name": "cloudtrail.amazonaws.com"}}, "src_endpoint": {"hostname": "caller.example.com"}}]})
        self.check(self.one(finding(Action={"DnsRequestAction": {"Domain": "c2.example.org", "Protocol": "UDP"}})), {"evidences.0.query.hostname": "c2.example.org"})
        probes = [{"LocalPortDetails": {"Port": 80}, "LocalIpDetails": {"IpAddressV4": "192.0.2.5"}, "RemoteIpDetails": {"IpAddressV4": "198.51.100.1"}}] * 2
        self.assertEqual(len(self.one(finding(Action={"PortProbeAction": {"PortProbeDetails": probes}}))["evidences"]), 2)

    def test_networks_processes_and_malware(self):
        self.check(self.one(finding(
            Network={"Direction": "OUT", "Protocol": "TCP", "SourceIpV4": "192.0.2.5", "SourcePort": 40404, "SourceMac": "00:0d:83:b1:c0:8e", "DestinationIpV6": "2001:db8::9",
                     "DestinationPort": 443, "DestinationDomain": "c2.example.org"},
            Process={"Name": "sshd", "Path": "/usr/sbin/sshd", "Pid": 77, "ParentPid": 1, "LaunchedAt": "2026-03-01T00:00:00Z", "TerminatedAt": "2026-03-01T00:00:01Z"},
            Malware=[{"Name": "Coin", "Path": "/tmp/c", "Type": "COIN_MINER"}, {"Name": "New", "Type": "TELEPATHY"}, {"Name": "Plain"}],
            RelatedFindings=[{"ProductArn": PRODUCT, "Id": "other"}])), {
            "evidences": [
                {"src_endpoint": {"ip": "192.0.2.5", "port": 40404, "mac": "00:0d:83:b1:c0:8e"}, "dst_endpoint": {"ip": "2001:db8::9", "port": 443, "hostname": "c2.example.org"},
                 "connection_info": {"direction": "Outbound", "direction_id": 2, "protocol_name": "TCP"}},
                {"process": {"name": "sshd", "path": "/usr/sbin/sshd", "pid": 77, "parent_process": {"pid": 1}, "created_time": 1772323200000, "terminated_time": 1772323201000}}],
            "malware": [{"name": "Coin", "files": [{"name": "c", "path": "/tmp/c", "type_id": 0, "type": "Unknown"}], "classification_ids": [13], "classifications": ["COIN_MINER"]},
                        {"name": "New", "classification_ids": [99], "classifications": ["TELEPATHY"]}, {"name": "Plain", "classification_ids": [0]}],
            "finding_info.related_events": [{"uid": "other", "product": {"uid": PRODUCT}}], "unmapped": None})

    # ---- Nothing is lost ----

    def full(self, **more) -> dict:
        return finding(
            Confidence=77, Criticality=66, SourceUrl="https://url-1", AwsAccountName="name-1", ProcessedAt="2026-03-01T12:00:00Z", RecordState="ACTIVE", WorkflowState="state-1",
            VerificationState="verification-1", Sample=True, Later={"x": ["later-1"]}, Severity={"Label": "HIGH", "Normalized": 71, "Original": "original-1", "Product": 7.5},
            Note={"Text": "note-1", "UpdatedBy": "by-1", "UpdatedAt": "2026-02-02T00:00:01Z"}, ProductFields={"a/b": "product-1"}, UserDefinedFields={"u": "user-1"},
            FindingProviderFields={"Types": ["provider-1"]}, NetworkPath=[{"ComponentId": "path-1"}], Threats=[{"Name": "threat-1"}], ThreatIntelIndicators=[{"Value": "indicator-1"}],
            PatchSummary={"Id": "patch-1"}, RelatedFindings=[{"ProductArn": "arn:related", "Id": "related-1"}], Remediation={"Recommendation": {"Text": "advice-1", "Url": "https://advice-1"}, "M": "m-1"},
            Resources=[{"Type": "type-1", "Id": "id-1", "Partition": "aws", "Region": "eu-1", "ResourceRole": "role-1", "Tags": {"tag": "value-1"}, "Details": {"d": "details-1"},
                        "DataClassification": {"r": "classified-1"}}],
            Malware=[{"Name": "malware-1", "Path": "mpath-1", "State": "mstate-1", "Type": "mtype-1"}], Network={"Protocol": "proto-1", "SourceIpV4": "192.0.2.7", "SourcePort": 4711, "OpenPortRange": {"Begin": 12}},
            Process={"Name": "pname-1", "Pid": 4712}, Action={"ActionType": "atype-1", "AwsApiCallAction": {"Api": "api-1", "CallerType": "caller-1", "RemoteIpDetails": REMOTE}}, **more)

    TIMES = {path: "as a time" for path in ("CreatedAt", "FirstObservedAt", "LastObservedAt", "ProcessedAt")}
    IDS = {"Severity.Label": "as severity_id", "Workflow.Status": "as status_id"}

    def test_nothing_of_a_full_finding_is_lost_whatever_its_class(self):
        vulnerable = {"Vendor.VendorCreatedAt": 0, "Vendor.VendorUpdatedAt": 0, "LastKnownExploitAt": 0, "ExploitAvailable": 0, "FixAvailable": 0}
        for more, told in (({"Compliance": {**COMPLIANCE, "More": "more-1"}}, {"Compliance.Status": "as status_id"}),
                           ({"Vulnerabilities": [VULNERABILITY]}, {f"Vulnerabilities[].{path}": "typed" for path in vulnerable}), ({}, {})):
            source = self.full(**more)
            self.nothing_lost(source, self.one(source), self.TIMES | self.IDS | told)

    def test_forms(self):
        record = finding()
        for name, text in (("capital", json.dumps({"Findings": [record, record], "NextToken": "x"})), ("small", json.dumps({"findings": [record, record]})),
                           ("array", json.dumps([record, record], indent=1)), ("lines", f"{json.dumps(record)}\n{json.dumps(record)}\n")):
            with self.subTest(form=name):
                self.assertEqual(len(self.read(text, name)), 2)

    def test_events_of_findings_are_opened(self):
        event = {"version": "0", "id": "e", "detail-type": "Security Hub Findings - Custom Action", "source": "aws.securityhub", "account": "111122223333", "time": "2026-03-01T12:00:00Z",
                 "region": "eu-central-1", "resources": [], "detail": {"actionName": "Contain", "findings": [finding(Compliance=COMPLIANCE), finding(Id="finding-2")]}}
        events = self.read(json.dumps(event))
        self.assertEqual([e["finding_info"]["uid"] for e in events], ["finding-1", "finding-2"])
        self.assertEqual([e["class_uid"] for e in events], [2003, 2004])
        for each in events:
            self.check(each, {"unmapped": {"detail": {"actionName": "Contain"}}})

    def test_an_answer_without_findings_is_set_aside(self):
        self.write("a/empty.json", '{"Findings": [], "NextToken": null}')
        self.write("a/small.json", '{"findings":[]}')
        self.assertEqual(self.events("a", "--stats", "stats.json"), [])
        self.assertEqual(self.stats()["not_read_whole"]["set_aside"], 2)

    # ---- What is odd ----

    def test_without_a_region_the_product_says_where(self):
        self.check(self.one(finding(Region=None, ProductArn="arn:aws-us-gov:securityhub:us-gov-west-1::product/aws/x")), {"cloud.region": "us-gov-west-1", "cloud.cloud_partition": "aws-us-gov"})

    def test_times_that_cannot_be_read(self):
        self.check(self.one(finding(UpdatedAt="soon")), {"time": 1769904000500, "metadata.original_time": "soon"})
        self.check(self.one(finding(CreatedAt="once", FirstObservedAt=5)), {"unmapped": {"CreatedAt": "once", "FirstObservedAt": 5}})
        self.check(self.one(finding(UpdatedAt="2026-03-01T13:59:59+02:00")), {"time": 1772366399000})

    def test_a_finding_without_time_or_id_is_rejected(self):
        good = json.dumps(finding())
        for bad in (finding(UpdatedAt="x", CreatedAt="y", LastObservedAt=None), finding(Id=None), finding(ProductArn="")):
            self.assertEqual(len(self.read(f"{good}\n{json.dumps(bad)}\n", code=3)), 1)

    def test_a_cut_off_last_line_costs_that_line(self):
        good = json.dumps(finding())
        self.assertEqual(len(self.read(f"{good}\n{good[:300]}", code=3)), 1)

    def test_values_of_the_wrong_type_cost_no_more_than_themselves(self):
        odd = {"Severity": "HIGH", "Workflow": "NEW", "Resources": {"Id": "x"}, "Compliance": "FAILED", "Vulnerabilities": {"Id": "CVE-2026-1111"}, "Note": [1], "Remediation": "no",
               "Action": 5, "Network": [1], "Process": "x", "Malware": {"Name": "x"}, "RelatedFindings": "x", "Confidence": "sure", "Title": 7, "ProductName": ["x"], "Types": "One"}
        self.check(self.one(finding(**odd)), {"class_uid": 2004, "unmapped": odd, "severity_id": 0, "status_id": None, "resources": None})
        self.check(self.one(finding(Confidence="55", Types=["Fine", 5])), {"confidence_score": 55, "finding_info.types": ["Fine"], "unmapped": {"Types": ["Fine", 5]}})
        self.check(self.one(finding(Confidence=99999999999999999999)), {"confidence_score": None, "unmapped.Confidence": 99999999999999999999})
        self.check(self.one(finding(Compliance={"Status": 5, "RelatedRequirements": "x", "AssociatedStandards": [5], "StatusReasons": {}})), {
            "compliance": {"status_id": 0, "status": "Unknown"}, "unmapped.Compliance": {"Status": 5, "RelatedRequirements": "x", "AssociatedStandards": [5]}})
        self.check(self.one(finding(Network={"SourceIpV4": "300.1.1.1", "SourcePort": 70000})), {"evidences": None, "unmapped.Network": {"SourceIpV4": "300.1.1.1", "SourcePort": 70000}})

    def test_unicode_and_escapes_pass(self):
        title = "qu\"ote \\ back \n line \u2603 \U0001f600"
        self.check(self.one(finding(Title=title, Remediation={"Recommendation": {"Text": title}}, Vulnerabilities=[{"Id": "CVE-2026-11111", "Vendor": {"Name": title}}])), {
            "finding_info.title": title, "vulnerabilities.0.remediation.desc": title, "vulnerabilities.0.vendor_name": title})

    def test_new_fields_are_kept_and_counted(self):
        self.check(self.one(finding(BrandNew={"a": [1]})), {"unmapped": {"BrandNew": {"a": [1]}}})
        self.assertEqual(self.stats()["parsers"]["aws.securityhub"]["drift"], {"BrandNew": 1})


if __name__ == "__main__":
    mapping.unittest.main()
