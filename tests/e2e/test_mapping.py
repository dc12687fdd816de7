"""What the plugins make of their sources: class, activity and attributes of known records, and that no field is lost on the way."""
import json
import unittest

from e2e import Case

ACCOUNT = "111122223333"
IDENTITY = {"type": "IAMUser", "principalId": "AIDAEXAMPLEUSERID001", "arn": f"arn:aws:iam::{ACCOUNT}:user/alice", "accountId": ACCOUNT,
            "accessKeyId": "AKIAEXAMPLEKEY000001", "userName": "alice"}


def record(**more) -> dict:
    base = {"eventVersion": "1.09", "userIdentity": IDENTITY, "eventTime": "2026-03-01T12:00:00Z", "eventSource": "ec2.amazonaws.com", "eventName": "DescribeInstances",
            "awsRegion": "eu-central-1", "sourceIPAddress": "198.51.100.7", "userAgent": "aws-cli/2.30", "requestParameters": {"a": 1}, "responseElements": None,
            "requestID": "r-1", "eventID": "e-1", "readOnly": True, "eventType": "AwsApiCall", "managementEvent": True, "recipientAccountId": ACCOUNT,
            "eventCategory": "Management"}
    return {**base, **more}


def at(event: dict, path: str):
    value = event
    for step in path.split("."):
        if isinstance(value, list):
            value = value[int(step)]
        else:
            value = value.get(step)
        if value is None:
            return None
    return value


def leaves(value) -> list:
    if isinstance(value, dict):
        return [leaf for child in value.values() for leaf in leaves(child)]
    if isinstance(value, list):
        return [leaf for child in value for leaf in leaves(child)]
    return [value]


class CloudTrail(Case):
    def rows(self, *records: dict, code: int = 0) -> list[dict]:
        self.write("in.json", json.dumps({"Records": list(records)}))
        return self.events("in.json", code=code)

    def test_class_and_activity_come_from_source_and_name(self):
        wanted = [
            ("ec2.amazonaws.com", "RunInstances", {"readOnly": False}, 600301), ("ec2.amazonaws.com", "DescribeInstances", {}, 600302),
            ("lambda.amazonaws.com", "UpdateFunctionCode20150331v2", {"readOnly": False}, 600303), ("s3.amazonaws.com", "DeleteBucket", {"readOnly": False}, 600304),
            ("kms.amazonaws.com", "Encrypt", {"readOnly": False}, 600399), ("iam.amazonaws.com", "GenerateCredentialReport", {"readOnly": True}, 600302),
            ("transfer.amazonaws.com", "CreateUser", {"readOnly": False}, 600301), ("signin.amazonaws.com", "ConsoleLogin", {}, 300201),
            ("signin.amazonaws.com", "CheckMfa", {}, 300206), ("sts.amazonaws.com", "AssumeRole", {}, 300201), ("sso.amazonaws.com", "Logout", {}, 300202),
            ("iam.amazonaws.com", "CreateUser", {}, 300101), ("iam.amazonaws.com", "UpdateAccessKey", {"requestParameters": {"status": "Inactive"}}, 300105),
            ("iam.amazonaws.com", "UpdateAccessKey", {"requestParameters": {"status": "Active"}}, 300102), ("iam.amazonaws.com", "AttachUserPolicy", {}, 300107),
            ("iam.amazonaws.com", "AddUserToGroup", {"requestParameters": {"groupName": "admins", "userName": "bob"}}, 300603)]
        events = self.rows(*[record(eventSource=source, eventName=name, eventID=f"e-{i}", **more) for i, (source, name, more, _) in enumerate(wanted)])
        got = {e["metadata"]["original_event_uid"]: e["type_uid"] for e in events}
        self.assertEqual([got[f"e-{i}"] for i in range(len(wanted))], [uid for *_, uid in wanted])

    def test_a_call_fills_the_attributes_that_an_investigator_reads(self):
        event = self.rows(record(errorCode="AccessDenied", errorMessage="no", sharedEventID="s-1", apiVersion="2016", vpcEndpointId="vpce-1",
                                 tlsDetails={"tlsVersion": "TLSv1.3", "clientProvidedHostHeader": "ec2.example.com"},
                                 resources=[{"ARN": f"arn:aws:s3:eu-west-1:{ACCOUNT}:bucket/x", "accountId": ACCOUNT, "type": "AWS::S3::Bucket"}]))[0]
        for path, value in {
                "time": 1772366400000, "metadata.original_time": "2026-03-01T12:00:00Z", "metadata.log_version": "1.09", "metadata.type": "AwsApiCall",
                "metadata.event_code": "DescribeInstances", "metadata.correlation_uid": "s-1", "metadata.product.feature.name": "Management",
                "cloud.account.uid": ACCOUNT, "cloud.region": "eu-central-1", "cloud.cloud_partition": "aws", "api.operation": "DescribeInstances",
                "api.service.name": "ec2.amazonaws.com", "api.version": "2016", "api.request.uid": "r-1", "api.request.data": {"a": 1}, "api.response.error": "AccessDenied",
                "api.response.error_message": "no", "status_code": "AccessDenied", "status_detail": "no", "status_id": 2, "status": "Failure",
                "http_request.user_agent": "aws-cli/2.30", "src_endpoint.ip": "198.51.100.7", "src_endpoint.uid": "vpce-1", "dst_endpoint.svc_name": "ec2.amazonaws.com",
                "dst_endpoint.hostname": "ec2.example.com", "actor.user.name": "alice", "actor.user.uid": IDENTITY["arn"], "actor.user.uid_alt": IDENTITY["principalId"],
                "actor.user.type": "IAMUser", "actor.user.type_id": 1, "actor.user.account.uid": ACCOUNT,
                "actor.user.programmatic_credentials.0.uid": IDENTITY["accessKeyId"], "resources.0.uid": f"arn:aws:s3:eu-west-1:{ACCOUNT}:bucket/x",
                "resources.0.name": "x", "resources.0.region": "eu-west-1", "resources.0.owner.account.uid": ACCOUNT, "unmapped.tlsDetails.tlsVersion": "TLSv1.3"}.items():
            self.assertEqual(at(event, path), value, path)
        observables = {(o["name"], o["value"]) for o in event["observables"]}
        self.assertLessEqual({("src_endpoint.ip", "198.51.100.7"), ("actor.user.uid", IDENTITY["arn"])}, observables)

    def test_every_kind_of_caller_has_its_name_and_type(self):
        role = {"sessionIssuer": {"arn": f"arn:aws:iam::{ACCOUNT}:role/Admin", "userName": "Admin"}, "attributes": {"creationDate": "2026-03-01T11:00:00Z", "mfaAuthenticated": "true"}}
        for identity, name, type_id in [
                ({"type": "Root", "principalId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT}, "root", 2),
                ({"type": "AssumedRole", "principalId": "AROAEXAMPLE:j.doe", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/j.doe", "sessionContext": role}, "j.doe", 99),
                ({"type": "FederatedUser", "principalId": f"{ACCOUNT}:fed", "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/fed"}, "fed", 1),
                ({"type": "IdentityCenterUser", "accountId": ACCOUNT, "onBehalfOf": {"userId": "u-1"}}, None, 1),
                ({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, "ec2.amazonaws.com", 4),
                ({"type": "AWSAccount", "principalId": "AIDAX", "accountId": "444455556666"}, None, 99)]:
            event = self.rows(record(userIdentity=identity))[0]
            self.assertEqual(at(event, "actor.user.name"), name, identity)
            self.assertEqual(at(event, "actor.user.type_id"), type_id, identity)
        event = self.rows(record(userIdentity={"accountId": ACCOUNT, "invokedBy": "ec2.amazonaws.com"}, sourceIPAddress="AWS Internal/3"))[0]
        self.assertEqual((at(event, "actor.app_name"), at(event, "src_endpoint.svc_name")), ("ec2.amazonaws.com", "AWS Internal/3"))

    def test_sign_ins_and_roles_are_authentication(self):
        failed = record(eventSource="signin.amazonaws.com", eventName="ConsoleLogin", errorMessage="No username found", responseElements={"ConsoleLogin": "Failure"},
                        additionalEventData={"LoginTo": "https://console.example.com/x?y", "MFAUsed": "No"},
                        userIdentity={"type": "IAMUser", "accountId": ACCOUNT, "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"})
        denied = record(eventSource="sts.amazonaws.com", eventName="AssumeRole", requestParameters=None, errorCode="AccessDenied", eventID="e-2",
                        errorMessage=f"not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::{ACCOUNT}:role/Audit")
        events = {e["metadata"]["original_event_uid"]: e for e in self.rows(failed, denied)}
        self.assertEqual([at(events["e-1"], p) for p in ("status_id", "is_mfa", "dst_endpoint.hostname", "logon_type_id", "actor.user.name")],
                         [2, False, "console.example.com", 2, None])
        self.assertEqual(at(events["e-1"], "unmapped.userIdentity.userName"), "HIDDEN_DUE_TO_SECURITY_REASONS")
        self.assertEqual([at(events["e-2"], p) for p in ("user.uid", "status_id")], [f"arn:aws:iam::{ACCOUNT}:role/Audit", 2])

    def test_insights_are_findings_and_aggregates_base_events(self):
        details = {"state": "Start", "eventSource": "ec2.amazonaws.com", "eventName": "RunInstances", "insightType": "ApiCallRateInsight",
                   "insightContext": {"statistics": {"baseline": {"average": 9.8E-5}, "insight": {"average": 5.0}},
                                      "attributions": [{"attribute": "userIdentityArn", "insight": [{"value": IDENTITY["arn"], "average": 5.0}], "baseline": []}]}}
        insight = {"eventVersion": "1.08", "eventTime": "2026-03-01T12:10:00Z", "awsRegion": "us-east-1", "eventID": "i-1", "eventType": "AwsCloudTrailInsight",
                   "recipientAccountId": ACCOUNT, "sharedEventID": "s-1", "insightDetails": details, "eventCategory": "Insight"}
        aggregated = {"eventVersion": "1.0", "accountId": ACCOUNT, "eventId": "a-1", "eventCategory": "Aggregated", "eventType": "AwsAggregatedEvent", "awsRegion": "us-west-2",
                      "eventSource": "s3.amazonaws.com", "timeWindow": {"windowStart": "2026-03-01T12:00:00Z", "windowEnd": "2026-03-01T12:05:00Z"},
                      "summary": {"primaryDimension": {"dimension": "eventName", "statistics": [{"name": "PutObject", "value": 1000}], "aggregationType": "Count"}}}
        events = {e["metadata"]["original_event_uid"]: e for e in self.rows(insight, aggregated)}
        self.assertEqual([at(events["i-1"], p) for p in ("type_uid", "finding_info.uid", "finding_info.title", "evidences.0.actor.user.uid")],
                         [200401, "s-1", "ApiCallRateInsight: RunInstances", IDENTITY["arn"]])
        self.assertEqual([at(events["a-1"], p) for p in ("type_uid", "count", "end_time")], [99, 1000, 1772366700000])

    def test_nothing_of_a_record_is_lost(self):
        whole = record(additionalEventData={"bytesTransferredIn": 375.0, "x": {"y": ["z1", "z2"]}}, serviceEventDetails={"k": "v1"}, addendum={"reason": "DELIVERY_DELAY"},
                       brandNewField={"deep": "news"}, sessionCredentialFromConsole="true", vpcEndpointAccountId="444455556666",
                       userIdentity={**IDENTITY, "inScopeOf": {"sourceArn": "arn:in-scope"}, "newMember": "new-1",
                                     "sessionContext": {"sourceIdentity": "sid-1", "ec2RoleDelivery": "2.0", "sessionIssuer": {"type": "Role", "userName": "issuer-1"}}})
        event = self.rows(whole)[0]
        text = {json.dumps(leaf) for leaf in leaves({k: v for k, v in event.items() if k != "lineage"})}
        for leaf in leaves(whole):
            # Two are told in OCSF's own words: the time in milliseconds beside the original text, and null, which is absent.
            if leaf is not None:
                self.assertIn(json.dumps(leaf), text)

    def test_a_bad_record_costs_itself(self):
        good, other = json.dumps(record()), json.dumps(record(eventID="e-2"))
        for bad in ('{"eventVersion":"1.08","eventName":', '{"a":1}', "{" + '"x":[' * 3000 + "]" * 3000 + "}", '{"eventName":"A","eventSource":"b","eventTime":"never"}', "5"):
            self.write("in.json", '{"Records":[' + good + "," + bad + "," + other + "]}")
            events = self.events("in.json", code=3)
            self.assertEqual([e["metadata"]["original_event_uid"] for e in events], ["e-1", "e-2"], bad[:60])

    def test_strange_values_stay_readable(self):
        event = self.rows(record(userAgent=12345678901234567890, sourceIPAddress="\ud83d\ude00 host", requestParameters="text", errorCode={"a": 1}))[0]
        self.assertEqual(at(event, "unmapped.userAgent"), 12345678901234567890)
        self.assertEqual(at(event, "unmapped.errorCode"), {"a": 1})
        self.assertEqual(at(event, "api.request.data"), "text")
        self.assertEqual(at(event, "src_endpoint.name"), "\U0001f600 host")


class VpcFlow(Case):
    HEADER = ("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status vpc-id tcp-flags type pkt-srcaddr "
              "pkt-dstaddr flow-direction traffic-path reject-reason")
    EGRESS = f"8 {ACCOUNT} eni-0aaa 10.0.0.220 203.0.113.5 44321 443 6 12 3456 1772366400 1772366455 ACCEPT OK vpc-0abc 3 IPv4 10.0.1.5 203.0.113.5 egress 8 -"
    INGRESS = f"8 {ACCOUNT} eni-0aaa 2001:db8::9 2001:db8:1::22  51515 22 6 1 80 1772366401 1772366401 REJECT OK vpc-0abc 2 IPv6 2001:db8::9 2001:db8:1::22 ingress - BPA"
    NODATA = f"8 {ACCOUNT} eni-0aaa - - - - - - - 1772366460 1772366519 - NODATA vpc-0abc - - - - - - -"

    def rows(self, *lines: str, code: int = 0) -> list[dict]:
        self.write("flow.log", "\n".join(lines) + "\n")
        return self.events("flow.log", code=code)

    def test_a_flow_fills_its_attributes(self):
        out, back, window = sorted(self.rows(self.HEADER, self.EGRESS, self.INGRESS, self.NODATA), key=lambda e: e["lineage"]["record"])
        for event, wanted in ((out, {
                "type_uid": 400106, "metadata.log_version": "8", "cloud.account.uid": ACCOUNT, "time": 1772366400000, "end_time": 1772366455000, "duration": 55000,
                "src_endpoint.ip": "10.0.1.5", "src_endpoint.intermediate_ips.0": "10.0.0.220", "dst_endpoint.ip": "203.0.113.5", "src_endpoint.port": 44321,
                "dst_endpoint.port": 443, "src_endpoint.vpc_uid": None, "src_endpoint.interface_uid": None, "network_observation_point.interface_uid": "eni-0aaa",
                "observation_point_id": 1, "connection_info.direction_id": 2, "connection_info.protocol_num": 6, "connection_info.protocol_name": "tcp",
                "connection_info.protocol_ver_id": 4, "connection_info.tcp_flags": 3, "connection_info.boundary_id": 11, "traffic.bytes": 3456, "traffic.bytes_out": 3456,
                "traffic.packets": 12, "action_id": 1, "disposition_id": 1, "status_code": "OK", "status_id": 1, "is_src_dst_assignment_known": False}),
                (back, {"type_uid": 400105, "src_endpoint.ip": "2001:db8::9", "connection_info.protocol_ver_id": 6, "status_detail": "BPA", "observation_point_id": 2,
                        "dst_endpoint.vpc_uid": "vpc-0abc", "connection_info.direction_id": 1, "action_id": 2}),
                (window, {"class_uid": 0, "status_code": "NODATA", "start_time": 1772366460000, "end_time": 1772366519000, "unmapped.interface-id": "eni-0aaa"})):
            for path, value in wanted.items():
                self.assertEqual(at(event, path), value, path)

    def test_the_default_format_needs_no_header(self):
        flow, export = (self.rows(line)[0] for line in (f"2 unknown eni-0a 198.51.100.7 10.0.0.5 0 0 1 4 336 1772366400 1772366460 ACCEPT OK",
                                                        f"2026-03-01T12:00:00.000Z 2 {ACCOUNT} eni-0a 198.51.100.7 10.0.0.5 1 2 6 4 336 1772366400 1772366460 ACCEPT OK"))
        self.assertEqual([at(flow, p) for p in ("connection_info.protocol_name", "src_endpoint.port", "cloud.account.uid", "unmapped.account-id")], ["icmp", None, None, "unknown"])
        self.assertEqual(at(export, "dst_endpoint.port"), 2)

    def test_a_header_in_the_middle_changes_the_order_below_it(self):
        events = self.rows("start end srcaddr dstaddr log-status interface-id", "1772366400 1772366401 192.0.2.1 192.0.2.2 OK eni-1",
                           "interface-id dstaddr srcaddr end start log-status colour", "eni-2 192.0.2.4 192.0.2.3 1772366403 1772366402 OK blue")
        self.assertEqual([at(e, "src_endpoint.ip") for e in events], ["192.0.2.1", "192.0.2.3"])
        self.assertEqual(at(events[1], "unmapped.colour"), "blue")

    def test_a_header_with_bytes_that_are_no_text_costs_its_word_only(self):
        self.write("flow.log", b"start end srcaddr dstaddr log-status caf\xe9\n1772366400 1772366401 192.0.2.1 192.0.2.2 OK x\n")
        event = self.events("flow.log")[0]
        self.assertEqual([at(event, "src_endpoint.ip"), event["unmapped"]], ["192.0.2.1", {"caf%E9": "x"}])

    def test_transit_gateways_have_their_own_product(self):
        line = (f"6 TransitGateway {ACCOUNT} tgw-0a tgw-attach-0aa {ACCOUNT} 444455556666 vpc-0aaa vpc-0bbb subnet-0aaa subnet-0bbb eni-0aaa eni-0bbb use1-az1 use1-az2 "
                "tgw-attach-0bb 10.1.0.5 10.2.0.9 40000 5432 6 10 5200 1772366400 1772366460 OK IPv4 0 0 0 0 19 us-east-1 ingress - -")
        event = self.rows(line)[0]
        for path, value in {"metadata.product.name": "AWS Transit Gateway", "network_observation_point.uid": "tgw-0a", "src_endpoint.vpc_uid": "vpc-0aaa",
                            "dst_endpoint.owner.account.uid": "444455556666", "connection_info.tcp_flags": 19, "cloud.region": "us-east-1",
                            "unmapped.tgw-pair-attachment-id": "tgw-attach-0bb"}.items():
            self.assertEqual(at(event, path), value, path)

    def test_what_cannot_be_converted_is_kept_and_what_cannot_be_read_is_rejected(self):
        default = f"2 {ACCOUNT} eni-0a 192.0.2.1 192.0.2.2 1 2 6 4 336 1772366400 1772366460 ACCEPT OK"
        odd = default.replace(" 1 2 6 4 336 ", " 99999 2 6 4 99999999999999999999 ").replace("192.0.2.2", "not-an-ip")
        events = self.rows(default, odd, default.rsplit(" ", 1)[0], default.replace("1772366400", "never"), code=3)
        self.assertEqual(len(events), 2)
        self.assertEqual(events[1]["unmapped"], {"srcport": "99999", "bytes": "99999999999999999999", "dstaddr": "not-an-ip", "dstport": "2"})


if __name__ == "__main__":
    unittest.main()
