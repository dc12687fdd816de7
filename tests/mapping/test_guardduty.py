"""What aws.guardduty makes of findings: each row of the mapping, nothing lost, and what is odd."""
import copy
import json

import mapping

DETECTOR = "12abc34d567e8fa901bc2d34e56789f0"
REMOTE = {"ipAddressV4": "198.51.100.9",
          "organization": {"asn": "64500", "asnOrg": "EXAMPLE-AS", "isp": "Example ISP", "org": "Example Org"},
          "country": {"countryName": "Exampleland"}, "city": {"cityName": "Sampletown"}, "geoLocation": {"lat": 12.5, "lon": -7.25}}
CONNECTION = {"actionType": "NETWORK_CONNECTION", "networkConnectionAction": {
    "connectionDirection": "INBOUND", "protocol": "TCP", "localIpDetails": {"ipAddressV4": "192.0.2.5"}, "localPortDetails": {"port": 22},
    "remoteIpDetails": REMOTE, "remotePortDetails": {"port": 51544}}}
INSTANCE = {"resourceType": "Instance", "instanceDetails": {
    "instanceId": "i-0a1", "availabilityZone": "eu-central-1a", "imageId": "ami-0a1", "launchTime": "2026-01-15T08:00:00.000Z",
    "networkInterfaces": [{"networkInterfaceId": "eni-0a1", "privateIpAddress": "192.0.2.5", "privateDnsName": "ip-5.example.internal",
                           "subnetId": "subnet-0a1", "vpcId": "vpc-0a1"}],
    "tags": [{"key": "env", "value": "prod"}]}}
KEY = {"accessKeyId": "ASIAEXAMPLE", "principalId": "AROAEXAMPLE:alice", "userType": "AssumedRole", "userName": "Admin"}


def finding(**more) -> dict:
    service = {"serviceName": "guardduty", "detectorId": DETECTOR, "eventFirstSeen": "2026-03-01T11:00:00.000Z",
               "eventLastSeen": "2026-03-01T12:00:00.000Z", "archived": False, "count": 3, "resourceRole": "TARGET",
               **more.pop("service", {})}
    return {"schemaVersion": "2.0", "accountId": "111122223333", "region": "eu-central-1", "partition": "aws", "id": "f-1",
            "arn": f"arn:aws:guardduty:eu-central-1:111122223333:detector/{DETECTOR}/finding/f-1",
            "type": "UnauthorizedAccess:EC2/SSHBruteForce", "resource": INSTANCE, "service": service, "severity": 5.5,
            "createdAt": "2026-03-01T11:05:00.224Z", "updatedAt": "2026-03-01T12:05:00.934Z", "title": "A title.", "description": "A description.", **more}


def upper(value):
    if isinstance(value, dict):
        return {key[0].upper() + key[1:]: upper(child) for key, child in value.items()}
    return [upper(child) for child in value] if isinstance(value, list) else value


class GuardDuty(mapping.Mapping):
    PARSER = "aws.guardduty"

    # ---- The table, row by row ----

    def test_the_finding_itself(self):
        self.check(self.one(finding()), {
            "class_uid": 2004, "time": 1772366700934, "metadata.original_time": "2026-03-01T12:05:00.934Z",
            "severity_id": 3, "risk_score": 55, "status_id": 1, "is_alert": True, "count": 3, "activity_id": 2,
            "finding_info.uid": "f-1", "metadata.original_event_uid": "f-1",
            "finding_info.uid_alt": f"arn:aws:guardduty:eu-central-1:111122223333:detector/{DETECTOR}/finding/f-1",
            "finding_info.title": "A title.", "message": "A title.", "finding_info.desc": "A description.",
            "finding_info.types": ["UnauthorizedAccess:EC2/SSHBruteForce"],
            "finding_info.created_time": 1772363100224, "finding_info.modified_time": 1772366700934,
            "finding_info.first_seen_time": 1772362800000, "finding_info.last_seen_time": 1772366400000,
            "finding_info.analytic.name": "UnauthorizedAccess:EC2/SSHBruteForce", "finding_info.analytic.type_id": 1,
            "finding_info.product.uid": DETECTOR, "finding_info.product.name": "GuardDuty", "finding_info.attacks": None,
            "cloud.account.uid": "111122223333", "cloud.account.type_id": 10, "cloud.region": "eu-central-1",
            "cloud.cloud_partition": "aws", "cloud.provider": "AWS", "metadata.log_version": "2.0", "metadata.log_provider": "GuardDuty",
            "metadata.product.name": "GuardDuty", "metadata.product.vendor_name": "AWS", "metadata.profiles": ["cloud"], "unmapped": None})

    def test_severity_is_banded_and_scored(self):
        for severity, severity_id, score in ((1, 2, 10), (3.9, 2, 39), (4, 3, 40), (6.9, 3, 69), (7, 4, 70), (8.9, 4, 89), (9, 5, 90),
                                             (10.0, 5, 100), ("5.5", 3, 55), (0, 2, 0)):
            with self.subTest(severity=severity):
                self.check(self.one(finding(severity=severity)), {"severity_id": severity_id, "risk_score": score, "unmapped": None})

    def test_a_severity_that_is_none_stays_as_it_was_written(self):
        for severity in ("HIGH", -1, 11, 1e300, [5], True):
            with self.subTest(severity=severity):
                self.check(self.one(finding(severity=severity)), {"severity_id": 0, "risk_score": None, "unmapped.severity": severity})
        self.check(self.one(finding(severity=5.55)), {"severity_id": 3, "unmapped.severity": 5.55})

    def test_activity_tells_new_updated_and_closed(self):
        for service, more, activity, status in (({"archived": True}, {}, 3, 5), ({"count": 1}, {}, 1, 1), ({"count": 2}, {}, 2, 1),
                                                ({}, {"updatedAt": "2026-03-01T11:05:00.224Z"}, 1, 1)):
            self.check(self.one(finding(service=service, **more)), {"activity_id": activity, "status_id": status})

    def test_the_analytic_and_the_tactic_come_from_the_type(self):
        for kind, type_id, tactic in (("Persistence:IAMUser/AnomalousBehavior", 4, "Persistence"), ("AttackSequence:S3/CompromisedData", 99, None),
                                      ("InitialAccess:IAMUser/X", 1, "Initial Access"), ("Recon:EC2/Portscan", 1, None),
                                      ("DefenseEvasion:Runtime/X", 1, "Defense Evasion")):
            event = self.one(finding(type=kind))
            self.check(event, {"finding_info.analytic.type_id": type_id, "finding_info.types.0": kind, "finding_info.analytic.name": kind})
            self.check(event, {"finding_info.attacks.0.tactic.name": tactic} if tactic else {"finding_info.attacks": None})

    def test_an_inbound_connection_comes_from_the_remote_end(self):
        self.check(self.one(finding(service={"action": CONNECTION}))["evidences"][0], {
            "src_endpoint.ip": "198.51.100.9", "src_endpoint.port": 51544, "src_endpoint.autonomous_system.number": 64500,
            "src_endpoint.autonomous_system.name": "EXAMPLE-AS", "src_endpoint.isp": "Example ISP", "src_endpoint.isp_org": "Example Org",
            "src_endpoint.location.country": "Exampleland", "src_endpoint.location.city": "Sampletown", "src_endpoint.location.lat": 12.5,
            "src_endpoint.location.long": -7.25, "dst_endpoint.ip": "192.0.2.5", "dst_endpoint.port": 22, "dst_endpoint.instance_uid": "i-0a1",
            "connection_info.direction_id": 1, "connection_info.protocol_name": "TCP"})

    def test_an_outbound_connection_goes_to_the_remote_end(self):
        action = copy.deepcopy(CONNECTION)
        action["networkConnectionAction"]["connectionDirection"] = "OUTBOUND"
        self.check(self.one(finding(service={"action": action}))["evidences"][0], {
            "dst_endpoint.ip": "198.51.100.9", "dst_endpoint.port": 51544, "dst_endpoint.autonomous_system.number": 64500,
            "dst_endpoint.location.country": "Exampleland", "src_endpoint.ip": "192.0.2.5", "src_endpoint.port": 22,
            "connection_info.direction_id": 2})
        for direction, direction_id in (("UNKNOWN", 0), ("SIDEWAYS", 99)):
            action["networkConnectionAction"]["connectionDirection"] = direction
            self.check(self.one(finding(service={"action": action}))["evidences"][0],
                       {"src_endpoint.ip": "198.51.100.9", "connection_info.direction_id": direction_id})

    def test_each_probe_is_an_evidence(self):
        probes = [{"localIpDetails": {"ipAddressV4": "192.0.2.5"}, "localPortDetails": {"port": port}, "remoteIpDetails": {"ipAddressV4": ip}}
                  for port, ip in ((80, "198.51.100.1"), (443, "198.51.100.2"))]
        event = self.one(finding(service={"action": {"actionType": "PORT_PROBE", "portProbeAction": {"blocked": False, "portProbeDetails": probes}}}))
        self.assertEqual([(e["src_endpoint"]["ip"], e["dst_endpoint"]["port"]) for e in event["evidences"]], [("198.51.100.1", 80), ("198.51.100.2", 443)])
        self.assertEqual(event["unmapped"]["service"]["action"], {"actionType": "PORT_PROBE", "portProbeAction": {"blocked": False}})

    def test_a_dns_request_is_a_query(self):
        action = {"actionType": "DNS_REQUEST", "dnsRequestAction": {"domain": "c2.example.org", "protocol": "UDP", "blocked": False}}
        self.check(self.one(finding(service={"action": action}))["evidences"][0], {"query.hostname": "c2.example.org", "connection_info.protocol_name": "UDP"})

    def test_an_api_call_has_its_caller(self):
        action = {"actionType": "AWS_API_CALL", "awsApiCallAction": {
            "api": "CreateUser", "serviceName": "iam.amazonaws.com", "errorCode": "AccessDenied", "userAgent": "cli \"x\"", "remoteIpDetails": REMOTE}}
        self.check(self.one(finding(service={"action": action}, resource={"resourceType": "AccessKey", "accessKeyDetails": KEY}))["evidences"][0], {
            "api.operation": "CreateUser", "api.service.name": "iam.amazonaws.com", "api.response.error": "AccessDenied",
            "http_request.user_agent": "cli \"x\"", "src_endpoint.ip": "198.51.100.9", "actor.user.name": "Admin",
            "actor.user.uid": "AROAEXAMPLE:alice", "actor.user.type": "AssumedRole", "actor.user.type_id": 99,
            "actor.user.programmatic_credentials.0.uid": "ASIAEXAMPLE"})
        action["awsApiCallAction"] = {"api": "X", "callerType": "Domain", "domainDetails": {"domain": "cloudformation.amazonaws.com"}}
        self.check(self.one(finding(service={"action": action})), {
            "evidences.0.src_endpoint.svc_name": "cloudformation.amazonaws.com", "unmapped.service.action.awsApiCallAction.callerType": "Domain"})

    def test_a_kubernetes_call_has_its_user(self):
        event = self.one(finding(
            service={"action": {"actionType": "KUBERNETES_API_CALL", "kubernetesApiCallAction": {
                "verb": "create", "requestUri": "/api/v1/pods", "statusCode": 201, "userAgent": "kubectl", "sourceIps": ["198.51.100.9"], "remoteIpDetails": REMOTE}}},
            resource={"resourceType": "EKSCluster", "accessKeyDetails": KEY, "eksClusterDetails": {"arn": "arn:aws:eks:::cluster/c", "name": "c"},
                      "kubernetesDetails": {"kubernetesUserDetails": {"username": "admin", "uid": "u-1", "groups": ["a", "b"]}}}))
        self.check(event["evidences"][0], {
            "api.operation": "create", "http_request.url.path": "/api/v1/pods", "http_response.code": 201, "http_request.user_agent": "kubectl",
            "actor.user.name": "admin", "actor.user.uid": "u-1", "actor.user.groups.0.name": "a", "actor.user.groups.1.name": "b",
            "actor.user.programmatic_credentials.0.uid": "ASIAEXAMPLE"})
        self.check(event["unmapped"], {"service.action.kubernetesApiCallAction.sourceIps": ["198.51.100.9"]})
        self.assertEqual(event["unmapped"]["resource.accessKeyDetails.userName"], "Admin")

    def test_a_process_in_a_container(self):
        process = {"pid": 2345, "name": "sh", "executablePath": "/bin/sh", "executableSha256": "ab" * 32, "pwd": "/srv", "startTime": 1772366390.37,
                   "uuid": "p-1", "parentUuid": "p-0", "user": "root", "userId": 0}
        self.check(self.one(finding(
            service={"action": {}, "runtimeDetails": {"process": process}, "featureName": "RuntimeMonitoring"},
            resource={"resourceType": "Container", "containerDetails": {"id": "c0ffee", "name": "app", "image": "r/app:1", "containerRuntime": "docker"}})), {
            "evidences.0.process.pid": 2345, "evidences.0.process.uid": "p-1", "evidences.0.process.name": "sh", "evidences.0.process.path": "/bin/sh",
            "evidences.0.process.created_time": 1772366390370, "evidences.0.process.user.name": "root", "evidences.0.process.user.uid": "0",
            "evidences.0.process.parent_process.uid": "p-0", "evidences.0.process.working_directory": "/srv",
            "evidences.0.process.file.hashes.0.value": "ab" * 32, "evidences.0.container.uid": "c0ffee", "evidences.0.container.name": "app",
            "evidences.0.container.image.name": "r/app:1", "evidences.0.container.image.uid": "r/app:1", "evidences.0.container.runtime": "docker",
            "resources.0.uid": "c0ffee", "resources.0.type": "Container", "metadata.product.feature.name": "RuntimeMonitoring", "unmapped": None})

    def test_a_process_without_a_number_is_none(self):
        event = self.one(finding(service={"runtimeDetails": {"process": {"name": "sh", "executablePath": "/bin/sh", "startTime": 1772366390.5, "userId": 7}}}))
        self.check(event, {"evidences": None, "unmapped.service.runtimeDetails.process": {
            "name": "sh", "executablePath": "/bin/sh", "userId": "7", "startTime": 1772366390.5}})

    def test_an_instance_is_the_device(self):
        self.check(self.one(finding()), {
            "device.uid": "i-0a1", "device.instance_uid": "i-0a1", "device.type_id": 6, "device.ip": "192.0.2.5", "device.vpc_uid": "vpc-0a1",
            "device.subnet_uid": "subnet-0a1", "device.interface_uid": "eni-0a1", "device.hostname": "ip-5.example.internal",
            "device.zone": "eu-central-1a", "device.image.uid": "ami-0a1", "device.created_time": 1768464000000})

    def test_resources_have_uid_type_role_and_tags(self):
        tags = [{"key": "k", "value": "v"}, {"key": "empty", "value": ""}]
        for details, wanted in (
                ({"resourceType": "Instance", "instanceDetails": {"instanceId": "i-1", "tags": tags}}, ("Instance", "i-1")),
                ({"resourceType": "AccessKey", "accessKeyDetails": {"accessKeyId": "AKIA1"}}, ("AccessKey", "AKIA1")),
                ({"resourceType": "S3Bucket", "s3BucketDetails": [{"arn": "arn:aws:s3:::b", "name": "b", "tags": tags}]}, ("S3Bucket", "arn:aws:s3:::b")),
                ({"resourceType": "EKSCluster", "eksClusterDetails": {"arn": "arn:eks", "tags": tags}}, ("EKSCluster", "arn:eks")),
                ({"resourceType": "ECSCluster", "ecsClusterDetails": {"arn": "arn:ecs", "tags": tags}}, ("ECSCluster", "arn:ecs")),
                ({"resourceType": "RDSDBInstance", "rdsDbInstanceDetails": {"dbInstanceArn": "arn:rds", "tags": tags}}, ("RDSDBInstance", "arn:rds")),
                ({"resourceType": "Lambda", "lambdaDetails": {"functionArn": "arn:fn", "functionVersion": "3", "tags": tags}}, ("Lambda", "arn:fn")),
                ({"resourceType": "AttackSequence"}, ("AttackSequence", None))):
            with self.subTest(wanted=wanted):
                event = self.one(finding(resource=details))
                self.assertEqual(len(event["resources"]), 1)
                self.check(event, {"resources.0.type": wanted[0], "resources.0.uid": wanted[1], "resources.0.role_id": 1, "unmapped": None})
                if "tags" in json.dumps(details):
                    self.check(event, {"resources.0.tags": [{"name": "k", "value": "v"}, {"name": "empty", "values": []}]})
        self.check(self.one(finding(service={"resourceRole": "ACTOR"})), {"resources.0.role_id": 2})
        self.check(self.one(finding(service={"resourceRole": "WITNESS"})), {"resources.0.role_id": 99, "resources.0.role": "WITNESS"})

    def test_what_ocsf_has_no_place_for_stays_where_it_was(self):
        service = {"additionalInfo": {"value": "{\"a\":{\"b\":1}}", "type": "default"}, "evidence": {"threatIntelligenceDetails": [{"threatListName": "t"}]},
                   "detection": {"anomaly": {"profiles": {}}}, "malwareScanDetails": {"threats": [{"name": "m"}]}, "userFeedback": "USEFUL"}
        self.check(self.one(finding(service=service)), {"unmapped": {"service": {
            "additionalInfo": {"value": {"a": {"b": 1}}, "type": "default"}, "evidence": service["evidence"], "detection": service["detection"],
            "malwareScanDetails": service["malwareScanDetails"], "userFeedback": "USEFUL"}}})
        self.check(self.one(finding(service={"additionalInfo": {"value": "no JSON {"}})), {"unmapped.service.additionalInfo.value": "no JSON {"})

    # ---- Nothing is lost ----

    FULL = finding(
        confidence=77, associatedAttackSequenceArn="arn:sequence", later={"x": "later-1"},
        service={"featureName": "feature-1", "userFeedback": "feedback-1", "detection": {"d": "d-1"}, "malwareScanDetails": {"m": "m-1"},
                 "ebsVolumeScanDetails": {"e": "e-1"}, "evidence": {"t": "t-1"}, "additionalInfo": {"type": "info-1", "more": 4711}, "new": "new-1",
                 "action": {**CONNECTION, "odd": "odd-1"},
                 "runtimeDetails": {"context": {"c": "c-1"}, "process": {"pid": 8, "euid": 9, "lineage": [{"name": "init-1"}], "uuid": "uuid-1"}}},
        resource={"resourceType": "Instance", "future": {"f": "f-2"}, **{k: v for k, v in INSTANCE.items() if k != "resourceType"}, "accessKeyDetails": {**KEY, "more": "more-1"},
                  "s3BucketDetails": [{"arn": "arn:b", "name": "bucket-1", "type": "Destination", "owner": {"id": "owner-1"}, "publicAccess": {"effectivePermission": "p-1"}}],
                  "eksClusterDetails": {"arn": "arn:eks", "name": "eks-1", "vpcId": "vpc-eks", "createdAt": 1767225600.25},
                  "ecsClusterDetails": {"arn": "arn:ecs", "name": "ecs-1", "taskDetails": {"arn": "arn:task"}},
                  "containerDetails": {"id": "id-1", "name": "name-1", "image": "image-1", "imagePrefix": "prefix-1", "volumeMounts": [{"name": "mount-1"}]},
                  "rdsDbInstanceDetails": {"dbInstanceArn": "arn:db", "dbInstanceIdentifier": "db-1", "engine": "engine-1"},
                  "rdsDbUserDetails": {"user": "dbuser-1"}, "lambdaDetails": {"functionArn": "arn:fn", "functionName": "fn-1", "role": "role-1"},
                  "ebsVolumeDetails": {"scannedVolumeDetails": [{"volumeArn": "arn:vol"}]},
                  "kubernetesDetails": {"kubernetesUserDetails": {"username": "user-1", "uid": "uid-1", "groups": ["group-1"], "sessionName": ["session-1"]},
                                        "kubernetesWorkloadDetails": {"name": "pod-1"}}})
    TIMES = {path: "as a time" for path in ("createdAt", "service.eventFirstSeen", "service.eventLastSeen", "resource.instanceDetails.launchTime")}
    IDS = {"severity": "as risk_score", "service.serviceName": "as the parser", "service.archived": "as status_id", "service.resourceRole": "as role_id",
           "service.action.networkConnectionAction.connectionDirection": "as direction_id"}

    def test_nothing_of_a_full_finding_is_lost(self):
        self.nothing_lost(self.FULL, self.one(self.FULL), self.TIMES | self.IDS)

    def test_findings_of_the_api_are_read_as_those_of_files(self):
        small, capital = self.read(json.dumps({"findings": [self.FULL]}), "small"), self.read(json.dumps({"Findings": [upper(self.FULL)], "NextToken": ""}), "capital")
        self.assertEqual(len(small), 1)
        for event in small + capital:
            for key in ("lineage", "metadata"):
                del event[key]
        left = [event.pop("unmapped") for event in small + capital]
        self.assertEqual(small, capital)
        self.assertEqual(sorted(map(str, (v for _, v in mapping.leaves(left[0])))), sorted(map(str, (v for _, v in mapping.leaves(left[1])))))

    def test_forms(self):
        line = json.dumps(finding())
        self.assertEqual(len(self.read(f"{line}\n{line}\n", "lines")), 2)
        self.assertEqual(len(self.read(f"[{line},{line}]", "array")), 2)
        self.assertEqual(len(self.read(json.dumps(finding(), indent=2), "pretty")), 1)

    def test_events_of_findings_are_opened(self):
        event = {"version": "0", "id": "e", "detail-type": "GuardDuty Finding", "source": "aws.guardduty", "account": "111122223333", "time": "2026-03-01T12:00:00Z",
                 "region": "eu-central-1", "resources": [], "detail": finding()}
        self.check(self.one(event), {"finding_info.uid": "f-1", "unmapped": None})

    def test_the_key_says_what_the_finding_does_not(self):
        key = "AWSLogs/o-example/444455556666/GuardDuty/eu-west-1/2026/03/01/x.jsonl"
        self.check(self.one(json.dumps(finding()), key), {"cloud.account.uid": "111122223333", "cloud.region": "eu-central-1", "cloud.org.uid": "o-example"})
        self.check(self.one(json.dumps(finding(accountId="", region=None, partition=None)), key), {
            "cloud.account.uid": "444455556666", "cloud.region": "eu-west-1", "cloud.org.uid": "o-example", "cloud.cloud_partition": "aws"})

    # ---- What is odd ----

    def test_times_without_a_zone_are_utc(self):
        self.check(self.one(finding(updatedAt="2026-03-01 12:05:00.934", createdAt="2026-03-01 11:05:00.000000000")),
                   {"time": 1772366700934, "finding_info.created_time": 1772363100000})

    def test_without_a_readable_update_the_creation_counts(self):
        self.check(self.one(finding(updatedAt="soon")), {"time": 1772363100224, "metadata.original_time": "soon", "finding_info.modified_time": None})
        self.check(self.one(finding(createdAt="once")), {"finding_info.created_time": None, "unmapped.createdAt": "once"})

    def test_a_finding_without_time_or_id_is_rejected(self):
        good = json.dumps(finding())
        for bad in (finding(updatedAt="x", createdAt="y", service={"eventLastSeen": "z"}), {k: v for k, v in finding().items() if k not in ("id", "arn")}):
            self.assertEqual(len(self.read(f"{good}\n{json.dumps(bad)}\n", code=3)), 1)

    def test_a_cut_off_last_line_costs_that_line(self):
        good = json.dumps(finding())
        self.assertEqual(len(self.read(f"{good}\n{good[:400]}", code=3)), 1)

    def test_a_place_without_a_name_is_none(self):
        action = copy.deepcopy(CONNECTION)
        remote = action["networkConnectionAction"]["remoteIpDetails"]
        remote["country"], remote["city"], remote["geoLocation"] = {}, {"cityName": ""}, {"lat": 0, "lon": 0}
        self.check(self.one(finding(service={"action": action})), {"evidences.0.src_endpoint.location": None, "unmapped.service.action.networkConnectionAction": None})
        remote["geoLocation"] = {"lat": 1.5, "lon": 0}
        self.check(self.one(finding(service={"action": action})), {
            "evidences.0.src_endpoint.location": None, "unmapped.service.action.networkConnectionAction.remoteIpDetails": {"geoLocation": {"lat": 1.5, "lon": 0}}})

    def test_ipv6_and_what_is_no_address(self):
        for remote, ip, rest in (({"ipAddressV6": "2001:db8::9"}, "2001:db8::9", None), ({"ipAddressV4": "", "ipAddressV6": "2001:db8::9"}, "2001:db8::9", None),
                                 ({"ipAddressV4": "192.0.2.999"}, None, {"ipAddressV4": "192.0.2.999"}),
                                 ({"ipAddressV4": "192.0.2.9", "ipAddressV6": "2001:db8::9"}, "192.0.2.9", {"ipAddressV6": "2001:db8::9"})):
            event = self.one(finding(service={"action": {"networkConnectionAction": {"connectionDirection": "INBOUND", "remoteIpDetails": remote}}}))
            self.check(event, {"evidences.0.src_endpoint.ip": ip} if ip else {"evidences.0.src_endpoint": None})
            self.check(event, {"unmapped.service.action.networkConnectionAction.remoteIpDetails": rest} if rest else {"unmapped": None})

    def test_values_of_the_wrong_type_cost_no_more_than_themselves(self):
        odd = {"count": "many", "archived": "perhaps", "resourceRole": 5, "detectorId": {"a": 1}, "action": "none", "runtimeDetails": [1], "additionalInfo": 7,
               "eventFirstSeen": 12, "featureName": False}
        event = self.one(finding(service=odd, resource="gone", region=["eu"], confidence=-1, title=9))
        self.check(event, {"unmapped.service": odd, "unmapped.resource": "gone", "unmapped.region": ["eu"], "unmapped.confidence": -1, "unmapped.title": 9,
                           "status_id": 1, "count": None, "cloud.region": None})
        self.check(self.one(finding(service={"count": 99999999999, "archived": "true"})), {"count": None, "unmapped.service.count": 99999999999, "status_id": 5})
        ports = copy.deepcopy(CONNECTION)
        ports["networkConnectionAction"]["localPortDetails"], ports["networkConnectionAction"]["remotePortDetails"] = {"port": 70000}, {"port": "443"}
        self.check(self.one(finding(service={"action": ports})), {
            "evidences.0.dst_endpoint.port": None, "evidences.0.src_endpoint.port": 443,
            "unmapped.service.action.networkConnectionAction": {"localPortDetails": {"port": 70000}}})

    def test_unicode_and_escapes_pass(self):
        title = "qu\"ote \\ back \n line \u2603 \U0001f600"
        self.check(self.one(finding(title=title, description="\ud83d\ude00")), {"finding_info.title": title, "finding_info.desc": "\U0001f600"})

    def test_new_fields_are_kept_and_counted(self):
        self.check(self.one(finding(brandNew={"a": [1]}, service={"fresh": 1}, resource={**INSTANCE, "novel": {"b": 2}})),
                   {"unmapped.brandNew": {"a": [1]}, "unmapped.service.fresh": 1, "unmapped.resource.novel": {"b": 2}})
        self.assertEqual(set(self.stats()["parsers"]["aws.guardduty"]["drift"]), {"brandNew", "service.fresh", "resource.novel"})

    def test_what_only_looks_like_a_finding_is_not_recognised(self):
        self.write("other/x.jsonl", json.dumps({"accountId": "111122223333", "class_uid": 2004, "type": "x", "severity": 1}) + "\n")
        self.events("other", "--stats", "stats.json", code=3)
        self.assertEqual(self.stats()["not_read_whole"]["unrecognised"], 1)


if __name__ == "__main__":
    mapping.unittest.main()
