#!/usr/bin/env python3
"""Writes a small archive of synthetic logs: the first hour of an incident, for the demo and the end-to-end tests.

usage: make_sample_archive.py DIR [--records N] [--objects N] [--manifest FILE]

Everything in it is made up: documentation addresses, account 111122223333. The same arguments give the same bytes. It holds CloudTrail
(IAM users, roles, console sign-ins, IAM changes, S3 data events, Insights, service events, one digest), VPC flow logs (gzip, zstd, a gzip file
of several members), a few records that are broken, one object that breaks off, and one that is no log at all. The manifest says, as JSON, what
each object holds. With --objects it holds so many small ones of all these kinds instead: for tests that need many.
"""
import argparse
import gzip
import json
import pathlib
import random
import shutil
import subprocess
import uuid

ACCOUNT = "111122223333"
INTRUDER = "203.0.113.66"
OFFICE = ["198.51.100.10", "198.51.100.11", "198.51.100.27", "2001:db8::25"]
START = 1772323200  # 2026-03-01T00:00:00Z
FLOW_FIELDS = ("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status "
               "vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id flow-direction traffic-path")
DEFAULT_FLOW_FIELDS = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"


def timestamp(second: int) -> str:
    day, rest = divmod(second - START, 86400)
    return f"2026-03-{1 + day:02}T{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}Z"


class CloudTrail:
    """Makes records of many kinds; one in fifty belongs to the intruder, once there is one."""

    def __init__(self, seed: int, region: str):
        self.rng = random.Random(seed)
        self.region = region

    def guid(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def iam_user(self, name: str) -> dict:
        return {"type": "IAMUser", "principalId": f"AIDAEXAMPLE{sum(map(ord, name)):09}", "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
                "accountId": ACCOUNT, "accessKeyId": f"AKIAEXAMPLE{sum(map(ord, name)):09}", "userName": name}

    def assumed_role(self, role: str, session: str) -> dict:
        principal = f"AROAEXAMPLE{sum(map(ord, role)):09}"
        return {"type": "AssumedRole", "principalId": f"{principal}:{session}", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}",
                "accountId": ACCOUNT, "accessKeyId": f"ASIAEXAMPLE{self.rng.randrange(10**9):09}",
                "sessionContext": {"sessionIssuer": {"type": "Role", "principalId": principal, "arn": f"arn:aws:iam::{ACCOUNT}:role/{role}",
                                                     "accountId": ACCOUNT, "userName": role},
                                   "webIdFederationData": {},
                                   "attributes": {"creationDate": timestamp(START), "mfaAuthenticated": self.rng.choice(["true", "false"])}}}

    def event(self, second: int, source: str, name: str, identity: dict | None, **more) -> dict:
        record = {"eventVersion": "1.11", "userIdentity": identity, "eventTime": timestamp(second), "eventSource": f"{source}.amazonaws.com",
                  "eventName": name, "awsRegion": self.region, "sourceIPAddress": self.rng.choice(OFFICE),
                  "userAgent": self.rng.choice(["aws-cli/2.30.0 md/prompt#off", "Boto3/1.34.0", "Terraform/1.9.5", "[aws-sdk-go/1.44]"]),
                  "requestParameters": None, "responseElements": None, "requestID": self.guid(), "eventID": self.guid(), "readOnly": True,
                  "eventType": "AwsApiCall", "managementEvent": True, "recipientAccountId": ACCOUNT, "eventCategory": "Management",
                  "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256",
                                 "clientProvidedHostHeader": f"{source}.{self.region}.amazonaws.com"}}
        record.update(more)
        return {key: value for key, value in record.items() if value is not ...}

    def console_login(self, second: int, user: str, address: str, success: bool) -> dict:
        more = {"errorMessage": "Failed authentication"} if not success else {}
        return self.event(second, "signin", "ConsoleLogin", self.iam_user(user), sourceIPAddress=address, userAgent="Mozilla/5.0 (X11; Linux x86_64)",
                          responseElements={"ConsoleLogin": "Success" if success else "Failure"}, requestID=..., readOnly=False,
                          additionalEventData={"LoginTo": "https://console.aws.amazon.com/console/home?state=hashArgs%23",
                                               "MobileVersion": "No", "MFAUsed": "No"},
                          eventType="AwsConsoleSignIn", **more)

    def intrusion(self, second: int) -> list[dict]:
        mallory = {"sourceIPAddress": INTRUDER, "userAgent": "python-requests/2.31", "readOnly": False}
        user = self.iam_user("deploy-bot")
        return [*(self.console_login(second + i, "deploy-bot", INTRUDER, success=False) for i in range(5)),
                self.console_login(second + 9, "deploy-bot", INTRUDER, success=True),
                self.event(second + 30, "iam", "CreateUser", user, requestParameters={"userName": "backup-svc"},
                           responseElements={"user": {"userName": "backup-svc", "userId": "AIDAEXAMPLE000000666", "path": "/",
                                                      "arn": f"arn:aws:iam::{ACCOUNT}:user/backup-svc"}}, **mallory),
                self.event(second + 35, "iam", "AddUserToGroup", user, requestParameters={"userName": "backup-svc", "groupName": "admins"}, **mallory),
                self.event(second + 41, "iam", "CreateAccessKey", user, requestParameters={"userName": "backup-svc"},
                           responseElements={"accessKey": {"userName": "backup-svc", "accessKeyId": "AKIAEXAMPLE000000666", "status": "Active"}},
                           **mallory),
                *(self.s3_read(second + 60 + i, INTRUDER, f"export/customers-{i:03}.csv") for i in range(8)),
                self.event(second + 90, "cloudtrail", "StopLogging", user, requestParameters={"name": "main"}, errorCode="AccessDenied",
                           errorMessage=f"User: arn:aws:iam::{ACCOUNT}:user/deploy-bot is not authorized to perform: cloudtrail:StopLogging",
                           **mallory)]

    def s3_read(self, second: int, address: str, key: str) -> dict:
        return self.event(second, "s3", "GetObject", self.assumed_role("Reader", "batch-7"), sourceIPAddress=address,
                          requestParameters={"bucketName": "acme-lake", "key": key, "Host": "acme-lake.s3.amazonaws.com"},
                          additionalEventData={"SignatureVersion": "SigV4", "CipherSuite": "TLS_AES_128_GCM_SHA256", "bytesTransferredIn": 0.0,
                                               "bytesTransferredOut": float(self.rng.randrange(10**6)), "AuthenticationMethod": "AuthHeader"},
                          resources=[{"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::acme-lake/{key}"},
                                     {"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::acme-lake"}],
                          managementEvent=False, eventCategory="Data")

    def any(self, second: int) -> dict:
        user = self.rng.choice(["alice", "bob", "deploy-bot"])
        kind = self.rng.randrange(8)
        if kind == 0:
            return self.console_login(second, user, self.rng.choice(OFFICE), success=self.rng.random() > 0.2)
        if kind == 1:
            return self.s3_read(second, self.rng.choice(OFFICE), f"daily/{self.rng.randrange(365)}.parquet")
        if kind == 2:
            return self.event(second, "ec2", "SharedSnapshotVolumeCreated", {"accountId": ACCOUNT, "invokedBy": "ec2.amazonaws.com"},
                              sourceIPAddress="ec2.amazonaws.com", userAgent="ec2.amazonaws.com", requestID=..., tlsDetails=..., readOnly=False,
                              eventType="AwsServiceEvent", sharedEventID=self.guid(), serviceEventDetails={"snapshotId": "snap-0example"})
        if kind == 3:
            return self.event(second, "sts", "AssumeRole", {"type": "AWSService", "invokedBy": "lambda.amazonaws.com"},
                              sourceIPAddress="lambda.amazonaws.com", userAgent="lambda.amazonaws.com", tlsDetails=...,
                              requestParameters={"roleArn": f"arn:aws:iam::{ACCOUNT}:role/Worker", "roleSessionName": f"worker-{self.rng.randrange(99)}"},
                              responseElements={"credentials": {"accessKeyId": f"ASIAEXAMPLE{self.rng.randrange(10**9):09}", "expiration": "Mar 1, 2026, 1:00:00 PM"},
                                                "assumedRoleUser": {"assumedRoleId": "AROAEXAMPLE000000001:worker", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Worker/worker"}})
        if kind == 4:
            return self.event(second, "ec2", "RunInstances", self.assumed_role("Admin", f"{user}@example.com"), readOnly=False,
                              requestParameters={"instancesSet": {"items": [{"imageId": "ami-0example", "minCount": 1, "maxCount": 1}]}, "instanceType": "m7i.large"},
                              errorCode="Client.UnauthorizedOperation", errorMessage="You are not authorized to perform this operation.")
        return self.event(second, "ec2", self.rng.choice(["DescribeInstances", "DescribeSecurityGroups", "DescribeVolumes"]),
                          self.assumed_role("Admin", f"{user}@example.com") if kind > 5 else self.iam_user(user),
                          requestParameters={"maxResults": self.rng.randrange(5, 1000), "filterSet": {}})

    def insight(self, second: int, state: str) -> dict:
        return {"eventVersion": "1.08", "eventTime": timestamp(second), "awsRegion": self.region, "eventID": self.guid(), "eventType": "AwsCloudTrailInsight",
                "recipientAccountId": ACCOUNT, "sharedEventID": "20000000-0000-0000-0000-000000000001", "eventCategory": "Insight",
                "insightDetails": {"state": state, "eventSource": "s3.amazonaws.com", "eventName": "GetObject", "insightType": "ApiCallRateInsight",
                                   "insightContext": {"statistics": {"baseline": {"average": 9.8E-5}, "insight": {"average": 5.0}, "insightDuration": 1,
                                                                     "baselineDuration": 10181},
                                                      "attributions": [{"attribute": "userIdentityArn", "baseline": [],
                                                                        "insight": [{"value": f"arn:aws:iam::{ACCOUNT}:user/deploy-bot", "average": 5.0}]}]}}}


def flow_lines(seed: int, fields: str, count: int, region: str, version: int = 5) -> list[str]:
    rng = random.Random(seed)
    lines = []
    for i in range(count):
        outside = INTRUDER if rng.randrange(50) == 0 else f"198.51.100.{rng.randrange(1, 255)}"
        inside, egress = f"192.0.2.{rng.randrange(1, 30)}", rng.random() < 0.5
        src, dst = (inside, outside) if egress else (outside, inside)
        status = rng.choice(["OK"] * 40 + ["NODATA", "SKIPDATA"])
        packets = rng.randrange(1, 5000)
        second = START + rng.randrange(3600)
        value = {"version": version, "account-id": ACCOUNT, "interface-id": f"eni-0example{rng.randrange(20):02}", "srcaddr": src, "dstaddr": dst,
                 "srcport": rng.randrange(1024, 65536), "dstport": rng.choice([22, 53, 80, 443, 3389]), "protocol": rng.choice([6, 6, 6, 17, 1]),
                 "packets": packets, "bytes": packets * rng.randrange(40, 1500), "start": second, "end": second + rng.randrange(1, 60),
                 "action": rng.choice(["ACCEPT"] * 4 + ["REJECT"]), "log-status": status, "vpc-id": "vpc-0example1", "subnet-id": "subnet-0example1",
                 "instance-id": f"i-0example{rng.randrange(20):02}", "tcp-flags": rng.choice([0, 2, 3, 18, 19]), "type": "IPv4", "pkt-srcaddr": src,
                 "pkt-dstaddr": dst, "region": region, "az-id": "use1-az2", "flow-direction": "egress" if egress else "ingress",
                 "traffic-path": 8 if egress else "-"}
        if i % 97 == 5:
            value.update({"srcaddr": "2001:db8::10", "dstaddr": "2001:db8::20", "pkt-srcaddr": "2001:db8::10", "pkt-dstaddr": "2001:db8::20", "type": "IPv6"})
        if status != "OK":
            kept = ("version", "account-id", "interface-id", "start", "end", "log-status", "vpc-id", "subnet-id", "region", "az-id")
            value = {field: value[field] if field in kept else "-" for field in value}
        lines.append(" ".join(str(value[field]) for field in fields.split()))
    return lines


def gz(data: bytes) -> bytes:
    return gzip.compress(data, 6, mtime=0)


def zst(data: bytes) -> bytes:
    program = shutil.which("zstd")
    if program is None:
        raise SystemExit("make_sample_archive.py: the program zstd is missing")
    return subprocess.run([program, "-q", "-3", "--single-thread", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


class Archive:
    def __init__(self, root: pathlib.Path):
        self.root = root
        self.objects: list[dict] = []

    def add(self, name: str, data: bytes, parser: str, records: int, rejects: int = 0, outcome: str = "read") -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.objects.append({"name": name, "parser": parser, "records": records, "rejects": rejects, "outcome": outcome})


def envelope(records: list) -> bytes:
    """Records that are text stand in the file as they are: that is how a broken one gets in."""
    return ('{"Records":[' + ",".join(r if isinstance(r, str) else json.dumps(r, separators=(",", ":")) for r in records) + "]}").encode()


def build(root: pathlib.Path, records: int) -> list[dict]:
    archive = Archive(root)
    for region_number, region in enumerate(["us-east-1", "eu-west-1"]):
        base = f"AWSLogs/{ACCOUNT}/CloudTrail/{region}/2026/03/01/{ACCOUNT}_CloudTrail_{region}_20260301T"
        for part in range(4):
            trail = CloudTrail(100 * region_number + part, region)
            second = START + 900 * part
            made: list = [trail.any(second + i * 900 // records) for i in range(records)]
            if (region, part) == ("us-east-1", 1):
                made[records // 2:records // 2] = trail.intrusion(second + 450)
            bad = 0
            if (region, part) == ("us-east-1", 2):
                made[records // 3:records // 3] = ['{"eventVersion":"1.11","eventTime":"2026-03-01T00:35:00Z","eventName":tru}', "[1,2,3]"]
                bad = 2
            archive.add(f"{base}{part * 15:04}Z_Sample{region_number}{part}AbCdEfGh.json.gz", gz(envelope(made)), "aws.cloudtrail", len(made), bad)
    trail = CloudTrail(900, "us-east-1")
    whole = gz(envelope([trail.any(START + 3500 + i % 90) for i in range(records)]))
    archive.add(f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2026/03/01/{ACCOUNT}_CloudTrail_us-east-1_20260301T0100Z_SampleTornAbCdEf.json.gz",
                whole[:len(whole) * 3 // 5], "aws.cloudtrail", -1, 1, "partly_read")
    archive.add(f"AWSLogs/{ACCOUNT}/CloudTrail-Insight/us-east-1/2026/03/01/{ACCOUNT}_CloudTrail-Insight_us-east-1_20260301T0040Z_SampleInsightAbC.json.gz",
                gz(envelope([trail.insight(START + 1900, "Start"), trail.insight(START + 2500, "End")])), "aws.cloudtrail", 2)
    digest = {"awsAccountId": ACCOUNT, "digestStartTime": "2026-03-01T00:00:00Z", "digestEndTime": "2026-03-01T01:00:00Z", "digestS3Bucket": "acme-trail",
              "digestS3Object": "AWSLogs/x", "digestPublicKeyFingerprint": "00", "digestSignatureAlgorithm": "SHA256withRSA",
              "newestEventTime": "2026-03-01T00:59:00Z", "oldestEventTime": "2026-03-01T00:00:00Z", "previousDigestS3Bucket": None,
              "previousDigestS3Object": None, "previousDigestHashValue": None, "previousDigestHashAlgorithm": None, "previousDigestSignature": None,
              "logFiles": []}
    archive.add(f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/us-east-1/2026/03/01/{ACCOUNT}_CloudTrail-Digest_us-east-1_main_us-east-1_20260301T010000Z.json.gz",
                gz(json.dumps(digest).encode()), "", 0, 0, "set_aside")

    base = f"AWSLogs/{ACCOUNT}/vpcflowlogs/us-east-1/2026/03/01/{ACCOUNT}_vpcflowlogs_us-east-1_fl-0example00000001_20260301T"
    flows = records * 5

    def flow_text(seed: int, fields: str = FLOW_FIELDS, version: int = 5, extra: tuple[str, ...] = ()) -> bytes:
        lines = flow_lines(seed, fields, flows, "us-east-1", version)
        lines[flows // 2:flows // 2] = extra
        return ("\n".join([fields, *lines]) + "\n").encode()

    for part in range(3):
        archive.add(f"{base}{part * 5:04}Z_sample{part}.log.gz", gz(flow_text(part)), "aws.vpcflow", flows)
    archive.add(f"{base}0015Z_sample3.log.zst", zst(flow_text(3)), "aws.vpcflow", flows)
    archive.add(f"{base}0020Z_sample4.log.gz", gz(flow_text(4, extra=("5 111122223333 eni-0example01 192.0.2.7", "this is not a flow"))), "aws.vpcflow",
                flows + 2, 2)
    # As load balancers and `cat a.gz b.gz` write them: members of one gzip file, cut at no particular place.
    text = flow_text(5, DEFAULT_FLOW_FIELDS, 2)
    cuts = [0, len(text) // 3, len(text) // 2 + 7, len(text)]
    archive.add(f"{base}0025Z_sample5.log.gz", b"".join(gz(text[a:b]) for a, b in zip(cuts, cuts[1:])), "aws.vpcflow", flows)
    archive.add("notes.txt", b"Seized 2026-03-02 from the log bucket. Chain of custody: see the case file.\n", "", 0, 0, "unrecognised")
    return archive.objects


def build_many(root: pathlib.Path, objects: int, records: int) -> list[dict]:
    """Small objects of mixed kinds in a few folders. Of twenty, one is torn, one empty, one no log, and two hold broken records."""
    archive = Archive(root)
    for i in range(objects):
        region = ("us-east-1", "eu-west-1", "ap-southeast-2")[i % 3]
        kind = i % 20
        name = f"AWSLogs/{ACCOUNT}/{{}}/{region}/2026/03/01/{i:06}"
        trail = CloudTrail(7000 + i, region)
        events: list = [trail.any(START + (i * 37 + j) % 7200) for j in range(1 + i % records)]
        flows = flow_lines(9000 + i, FLOW_FIELDS, 1 + i % (records * 3), region)
        text = ("\n".join([FLOW_FIELDS, *flows]) + "\n").encode()
        if kind == 0:
            archive.add(name.format("CloudTrail") + ".torn.json.gz", gz(envelope(events * 8))[:-20], "aws.cloudtrail", -1, 1, "partly_read")
        elif kind == 1:
            archive.add(name.format("other") + ".txt", f"note {i}: not a log\n".encode(), "", 0, 0, "unrecognised")
        elif kind == 2:
            archive.add(name.format("vpcflowlogs") + ".empty.log", b"", "", 0, 0, "empty")
        elif kind == 3:
            archive.add(name.format("CloudTrail") + ".json.gz", gz(envelope([*events, "[1,2,3]"])), "aws.cloudtrail", len(events) + 1, 1)
        elif kind == 4:
            archive.add(name.format("vpcflowlogs") + ".log.gz", gz(text + b"this is not a flow\n"), "aws.vpcflow", len(flows) + 1, 1)
        elif kind == 5:
            archive.add(name.format("vpcflowlogs") + ".log.gz", gz(text[:len(text) // 2]) + gz(text[len(text) // 2:]), "aws.vpcflow", len(flows))
        elif kind < 9:
            archive.add(name.format("vpcflowlogs") + ".log", text, "aws.vpcflow", len(flows))
        elif kind < 14:
            archive.add(name.format("vpcflowlogs") + ".log.gz", gz(text), "aws.vpcflow", len(flows))
        else:
            archive.add(name.format("CloudTrail") + ".json.gz", gz(envelope(events)), "aws.cloudtrail", len(events))
    return archive.objects


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a small synthetic log archive.")
    parser.add_argument("dir", type=pathlib.Path)
    parser.add_argument("--records", type=int, default=400, help="CloudTrail records an object; five times as many flows")
    parser.add_argument("--objects", type=int, help="so many objects of up to --records CloudTrail records, three times as many flows")
    parser.add_argument("--manifest", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.objects:
        objects = build_many(arguments.dir, arguments.objects, arguments.records)
    else:
        objects = build(arguments.dir, arguments.records)
    if arguments.manifest:
        arguments.manifest.write_text(json.dumps(objects, indent=1) + "\n")
    print(f"{len(objects)} objects in {arguments.dir}")


if __name__ == "__main__":
    main()
