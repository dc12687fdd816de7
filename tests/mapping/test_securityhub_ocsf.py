"""What aws.securityhub_ocsf makes of findings that are OCSF already: attributes pass unchanged, what has no column or is not valid stays, nothing is lost."""
import copy
import json

import mapping

NAMES = {2002: "Vulnerability Finding", 2003: "Compliance Finding", 2004: "Detection Finding", 2006: "Data Security Finding"}
PASSES = {  # by class: what passes unchanged, beyond what every finding has
    2002: {"vulnerabilities": [{
        "affected_packages": [{"epoch": 0, "fixed_in_version": "0.17.0", "name": "n", "package_manager": "GOBINARY", "path": "opt/cni", "version": "v0.1.0", "release": "r", "architecture": "a",
                               "purl": "pkg:x", "vendor_name": "v", "remediation": {"desc": "d"}}],
        "cve": {"created_time": 1772323200000, "cvss": [{"base_score": 7.5, "severity": "HIGH", "vector_string": "CVSS:3.1/AV:N", "vendor_name": "NVD", "version": "3.1"}],
                "desc": "A flaw.", "epss": {"score": "0.94", "percentile": 0.5}, "modified_time": 1772323200001, "references": ["r"], "title": "t", "type": "CVE", "uid": "CVE-2026-11111",
                "related_cwes": [{"uid": "CWE-79", "caption": "XSS"}]},
        "exploit_last_seen_time": 1771545600000, "fix_coverage": "Complete", "fix_coverage_id": 1, "is_exploit_available": True, "is_fix_available": True, "references": ["u"],
        "related_vulnerabilities": ["CVE-2026-22222"], "remediation": {"desc": "d", "references": ["x"]}, "severity": "HIGH", "title": "t", "vendor_name": "v", "desc": "d"},
        {"advisory": {"uid": "GHSA-x", "src_url": "https://example.com"}}]},
    2003: {"compliance": {"category": "c", "control": "S3.1", "control_parameters": [{"name": "days", "values": ["90"]}], "desc": "d", "requirements": ["PCI 1"], "standards": ["standards/a"],
                          "status": "Fail", "status_code": "FAILED", "status_details": ["x"], "status_id": 3},
           "remediation": {"desc": "Do it.", "references": ["https://docs.example.com"]}},
    2004: {"is_alert": True, "risk_score": 90, "impact_id": 4, "impact": "Critical", "remediation": {"desc": "Do it."},
           "evidences": [{"src_endpoint": {"ip": "198.51.100.9", "port": 51544, "location": {"city": "S", "country": "XX", "lat": 1.5, "long": 2.5}, "autonomous_system": {"number": 64500, "name": "E"}},
                          "dst_endpoint": {"ip": "2001:db8::5", "port": 22}, "connection_info": {"direction_id": 1, "direction": "Inbound", "protocol_name": "TCP"},
                          "actor": {"user": {"name": "alice", "uid": "AIDAEXAMPLE"}, "session": {"uid": "s"}}, "api": {"operation": "GetObject", "service": {"name": "s3.amazonaws.com"}},
                          "process": {"pid": 5, "name": "sh", "user": {"name": "root"}}, "query": {"hostname": "c2.example.org"},
                          "file": {"name": "f", "type_id": 1, "type": "Regular File", "hashes": [{"algorithm_id": 3, "algorithm": "SHA-256", "value": "ab"}]}, "data": {"signal": [None, {"x": 1}]}}],
           "malware": [{"classification_ids": [18], "classifications": ["Trojan"], "name": "T", "files": [{"name": "t", "type_id": 1, "type": "Regular File", "path": "/tmp/t"}]}]},
    2006: {"databucket": {"name": "b", "uid": "arn:aws:s3:::b", "type": "S3", "type_id": 1, "is_public": False, "is_encrypted": True, "region": "eu-central-1",
                          "file": {"name": "k", "type_id": 1, "type": "Regular File", "data_classifications": [
                              {"category": "Personal", "category_id": 1, "discovery_details": [{"count": 3, "type": "NAME"}], "status": "Partial", "status_id": 2}]}}}}


def finding(uid: int = 2004, **more) -> dict:
    """One that passes whole, but for what the host writes itself."""
    record = {
        "activity_id": 2, "activity_name": "Update", "category_name": "Findings", "category_uid": 2, "class_name": NAMES[uid], "class_uid": uid, "type_name": f"{NAMES[uid]}: Update", "type_uid": uid * 100 + 2,
        "cloud": {"account": {"name": "prod", "type": "AWS Account", "type_id": 10, "uid": "111122223333"}, "provider": "AWS", "region": "eu-central-1"}, "comment": "c", "count": 3, "message": "m",
        "confidence_score": 80, "severity": "High", "severity_id": 4, "status": "Resolved", "status_id": 4, "time": 1772366400123, "start_time": 1772366400000, "end_time": 1772366400001,
        "vendor_attributes": {"severity": "High", "severity_id": 4},
        "finding_info": {"analytic": {"category": "AWS::Config::ConfigRule", "name": "rule", "type": "Rule", "type_id": 1, "uid": "a"}, "attacks": [{"tactic": {"name": "Impact", "uid": "TA0040"}}, {"technique": {"name": "T1"}}],
                         "created_time": 1772323200123, "desc": "d", "first_seen_time": 1772323200000, "last_seen_time": 1772366399500, "modified_time": 1772366400000,
                         "related_events": [{"title": "Backdoor", "type": "FINDING", "uid": "arn:x", "product": {"uid": "arn:p"}, "tags": [{"name": "V", "values": ["A", "B"]}]}], "related_events_count": 1,
                         "src_url": "https://example.com", "tags": [{"name": "k", "value": "v"}], "title": "t", "traits": [{"name": "D", "values": ["x"]}], "types": ["a", "b"], "uid": "finding-1", "uid_alt": "alt"},
        "metadata": {"log_provider": "provider", "product": {"feature": {"name": "f"}, "name": "Security Hub", "uid": "arn:aws:securityhub:eu-central-1::productv2/aws/securityhub", "vendor_name": "AWS", "version": "2"},
                     "original_time": "once", "version": "1.6.0", "uid": "their-uid"},
        "resources": [{"cloud_partition": "aws", "criticality": "high", "data": {"awsEc2InstanceDetails": {"type": "t3.medium"}}, "labels": ["l"], "name": "n", "owner": {"account": {"uid": "111122223333"}, "name": "o"},
                       "provider": "AWS", "region": "eu-central-1", "role": "Target", "role_id": 1, "tags": [{"name": "env", "value": "prod"}], "type": "AWS::S3::Bucket", "uid": "b", "uid_alt": "arn:b", "zone": "z"}],
        **copy.deepcopy(PASSES[uid]), **more}
    return {key: value for key, value in record.items() if value is not None}


class SecurityHubOcsf(mapping.Mapping):
    PARSER = "aws.securityhub_ocsf"

    def test_every_class_passes_unchanged(self):
        for uid in NAMES:
            source = finding(uid)
            event = self.one(source)
            self.check(event, {"metadata.version": "1.8.0", "metadata.log_version": "1.6.0", "metadata.original_event_uid": "their-uid", "unmapped": None})
            for key, value in source.items():
                if key == "metadata":
                    for name in ("product", "log_provider", "original_time"):
                        self.assertEqual(event["metadata"][name], value[name])
                else:
                    self.assertEqual(event[key], value, f"{uid} {key}")

    def test_nothing_of_a_finding_is_lost(self):
        for uid in NAMES:
            source = finding(uid, novel={"a": ["novel-1"]}, unmapped={"their": "own-1"}, observables=[{"name": "n-1", "type_id": 10, "value": "v-1"}], raw_data="raw-1", timezone_offset=60)
            source["metadata"] |= {"profiles": ["profile-1"], "extensions": [{"name": "e-1", "uid": "998", "version": "1.0.0"}], "sequence": 12}
            source["finding_info"]["new"] = "new-1"
            source["resources"][0]["new"] = "new-2"
            event = self.one(source)
            self.nothing_lost(source, event)
            self.check(event["unmapped"], {"novel": {"a": ["novel-1"]}, "unmapped": {"their": "own-1"}, "metadata.profiles": ["profile-1"], "finding_info": {"new": "new-1"}, "resources": source["resources"]})
            self.assertNotIn("new", event["resources"][0])

    def test_times_may_be_texts_alone(self):
        source = finding(2003, time=None, time_dt="2026-03-01T12:00:00.123Z")
        for name in ("created_time", "modified_time"):
            del source["finding_info"][name]
        source["finding_info"] |= {"created_time_dt": "2026-03-01T00:00:00Z", "modified_time_dt": "2026-03-01T02:00:00+02:00"}
        del source["metadata"]["original_time"]
        self.check(self.one(source), {"time": 1772366400123, "metadata.original_time": "2026-03-01T12:00:00.123Z", "finding_info.created_time": 1772323200000,
                                      "finding_info.modified_time": 1772323200000, "unmapped": {"finding_info": {"modified_time_dt": "2026-03-01T02:00:00+02:00"}}})

    def test_texts_beside_the_same_times_are_not_kept_twice(self):
        source = finding(2002, time_dt="2026-03-01T12:00:00.123Z")
        source["vulnerabilities"][0]["cve"]["created_time_dt"] = "2026-03-01T00:00:00.000Z"
        self.check(self.one(source), {"unmapped": None})

    def test_whose_findings_they_are(self):
        hub = "arn:aws:securityhub:eu-central-1::productv2/aws/"
        for product, ours in (({"name": "Security Hub"}, True), ({"name": "Security Hub Exposure Detection"}, True), ({"name": "GuardDuty", "uid": hub + "guardduty"}, True),
                              ({"name": "Macie", "uid": hub + "macie"}, True), ({"name": "CloudTrail", "uid": "arn:aws:cloudtrail"}, False), ({"name": "GuardDuty"}, False),
                              ({"name": "x", "uid": "arn:aws:securityhub:eu-central-1::product/aws/guardduty"}, False)):
            with self.subTest(product=product):
                source = finding()
                source["metadata"]["product"] = product
                self.write("one.json", json.dumps(source))
                self.events("one.json", "--stats", "stats.json", code=0 if ours else 3)
                self.assertEqual(list(self.stats()["parsers"]), [self.PARSER] if ours else [])

    def test_an_event_that_only_speaks_of_security_hub_is_not_recognised(self):
        for odd in ({"class_uid": 2004, "metadata": {"version": "1.6.0", "product": {"name": "Other"}}, "finding_info": {"uid": "Security Hub"}, "note": {"product": {"name": "Security Hub"}}},
                    {"metadata": {"version": "1.6.0", "product": {"name": "Security Hub"}}}):
            self.write("one.json", json.dumps(odd))
            self.events("one.json", "--stats", "stats.json", code=3)
            self.assertEqual(self.stats()["not_read_whole"]["unrecognised"], 1)

    def test_forms(self):
        record = finding()
        for name, text in (("capital", json.dumps({"Findings": [record, record], "NextToken": "x"})), ("small", json.dumps({"findings": [record, record]})),
                           ("array", json.dumps([record, record], indent=1)), ("lines", f"{json.dumps(record)}\n{json.dumps(record)}\n")):
            with self.subTest(form=name):
                self.assertEqual(len(self.read(text, name)), 2)

    def test_events_of_findings_are_opened(self):
        event = {"version": "0", "id": "e", "detail-type": "Findings Imported V2", "source": "aws.securityhub", "account": "111122223333", "time": "2026-03-01T12:00:00Z",
                 "region": "eu-central-1", "resources": [], "detail": {"findings": [finding(2003), finding(2002)]}}
        self.assertEqual([e["class_uid"] for e in self.read(json.dumps(event))], [2003, 2002])

    def test_what_is_not_valid_stays_as_it_stands(self):
        source = finding(2004, severity_id="4", count=99999999999, is_alert="yes", time_dt=[1])
        source["evidences"].append({"src_endpoint": {"port": 5}})
        source["cloud"]["account"] = "prod"
        del source["finding_info"]["analytic"]["type_id"]
        event = self.one(source)
        self.check(event, {"severity_id": 0, "count": None, "is_alert": None, "cloud.account": None, "finding_info.analytic": None, "cloud.region": "eu-central-1"})
        self.assertEqual(len(event["evidences"]), 1)
        self.check(event["unmapped"], {"severity_id": "4", "count": 99999999999, "is_alert": "yes", "time_dt": [1], "cloud": {"account": "prod"}, "evidences": source["evidences"],
                                       "finding_info.analytic.name": "rule"})

    def test_a_member_of_an_enum_that_came_later_is_other(self):
        source = finding(2004, severity_id=42, severity="Unheard of", activity_id=17, activity_name="New", type_uid=200417, type_name="Detection Finding: New")
        self.check(self.one(source), {"severity_id": 99, "severity": "Unheard of", "activity_id": 99, "activity_name": "New", "type_uid": 200499, "unmapped": {"severity_id": 42, "activity_id": 17}})

    def test_what_contradicts_the_class_stays(self):
        source = finding(2004, class_name="Another", category_uid=3, category_name="Other", type_uid=300102, type_name="Another: Update")
        self.check(self.one(source), {"class_name": "Detection Finding", "unmapped": {key: source[key] for key in ("class_name", "category_uid", "category_name", "type_uid", "type_name")}})
        self.check(self.one(finding(2004, activity_id=None, activity_name=None, type_uid=200403)), {"activity_id": 3})

    def test_defaults_where_the_finding_says_nothing(self):
        source = finding(2004, cloud=None, severity_id=None, severity=None, activity_id=None, activity_name=None, type_uid=None, type_name=None)
        del source["metadata"]["log_provider"]
        self.check(self.one(source), {"cloud": {"provider": "AWS"}, "severity_id": 0, "activity_id": 0, "metadata.log_provider": "Security Hub"})
        self.check(self.one(finding(2004, cloud={"provider": "AWS", "account": {"uid": "111122223333"}})), {"cloud.account.type_id": 10})

    def test_what_makes_no_event_is_rejected(self):
        good = json.dumps(finding())
        for bad in (finding(class_uid=6003), finding(class_uid="2004"), finding(time=None), finding(time=5), finding(finding_info={"title": "t"}), finding(2002, vulnerabilities=[{"title": "t"}]),
                    finding(2002, vulnerabilities=None)):
            self.assertEqual(len(self.read(f"{good}\n{json.dumps(bad)}\n", code=3)), 1)

    def test_the_class_is_the_record_s_own(self):
        source = {"note": {"class_uid": 2002}, "text": "\"class_uid\":2003", **finding(2006)}
        self.check(self.one(source), {"class_uid": 2006, "databucket.name": "b"})

    def test_a_cut_off_last_line_costs_that_line(self):
        good = json.dumps(finding())
        self.assertEqual(len(self.read(f"{good}\n{good[:700]}", code=3)), 1)

    def test_unicode_and_escapes_pass(self):
        title = "qu\"ote \\ back \n line \u2603 \U0001f600"
        source = finding(2004, message=title, time_dt="2026-03-01T12:00:00.123\u005a")
        source["resources"][0]["data"] = {"k\"": title}
        self.check(self.one(source), {"message": title, "resources.0.data": {"k\"": title}})


if __name__ == "__main__":
    mapping.unittest.main()
