"""The elastic sink against a real OpenSearch (scripts/services/opensearch.sh): documents, mappings, queries, what it refuses, and a run again; index templates, and ECS documents
asked in the words of detection rules."""
import gzip
import ipaddress
import json
import os
import pathlib
import signal
import subprocess
import time
import unittest
import urllib.error
import urllib.request
import uuid

from e2e import LOGMILL, Case, flow_text, trail

URL = os.environ["LOGMILL_OPENSEARCH"]
TEMPLATE = {"mappings": {
    "properties": {"@timestamp": {"type": "date"}, "time": {"type": "date"},
                   "src_endpoint": {"properties": {"ip": {"type": "ip"}}}, "dst_endpoint": {"properties": {"ip": {"type": "ip"}}},
                   "unmapped": {"type": "object", "enabled": False}},
    "dynamic_templates": [{"texts": {"match_mapping_type": "string", "mapping": {"type": "keyword", "ignore_above": 8191}}}]}}


def ask(method: str, path: str, body=None):
    request = urllib.request.Request(URL + path, method=method, data=None if body is None else json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()[:500]}") from None


class OpenSearch(Case):
    def setUp(self):
        super().setUp()
        self.index = f"t{uuid.uuid4().hex[:12]}"
        self.template()
        self.addCleanup(ask, "DELETE", f"/_index_template/{self.index}")
        self.addCleanup(ask, "DELETE", f"/{self.index}-*")
        for i in range(4):
            self.write(f"in/{i}.json.gz", gzip.compress(json.dumps({"Records": trail(i, 100)}).encode(), 1))
        self.write("in/flow.log", flow_text(3000, 1))
        self.options = f"index={self.index}-{{table}}"

    def template(self, template=TEMPLATE, **more):
        ask("PUT", f"/_index_template/{self.index}", {"index_patterns": [f"{self.index}-*"], "template": template, **more})

    def send(self, *arguments, options="", code=0):
        return self.logmill("run", "in", "--to", f"elastic:{URL},{self.options}{options}", *arguments, code=code)

    def count(self, query=None, table="*") -> int:
        ask("POST", f"/{self.index}-*/_refresh")
        return ask("POST", f"/{self.index}-{table}/_count", {"query": query or {"match_all": {}}})["count"]

    def expected(self) -> dict:
        return {event["metadata"]["uid"]: event for event in self.events("in")}

    def test_counts_and_queries_are_those_of_the_events_and_a_run_again_adds_nothing(self):
        events = self.expected()
        for compression in ("gzip", "zstd", "none"):  # the second and the third run find everything there
            self.send(options=f",compression={compression},request_size=64K")
            self.assertEqual(self.count(), len(events), compression)
        tables = {}
        for event in events.values():
            tables.setdefault(event["class_name"].lower().replace(" ", "_"), []).append(event)
        for table, of in tables.items():
            self.assertEqual(self.count(table=table), len(of), table)

        flows = [event for event in events.values() if event["class_uid"] == 4001 and "ip" in event.get("src_endpoint", {})]
        network = ipaddress.ip_network("192.0.2.0/27")
        inside = [event for event in flows if ipaddress.ip_address(event["src_endpoint"]["ip"]) in network]
        self.assertTrue(0 < len(inside) < len(flows))
        self.assertEqual(self.count({"term": {"src_endpoint.ip": str(network)}}, "network_activity"), len(inside))
        times = sorted(event["time"] for event in events.values())
        low, high = times[len(times) // 4], times[len(times) // 2]
        between = sum(low <= t < high for t in times)
        self.assertTrue(0 < between < len(times))
        for field in ("@timestamp", "time"):
            self.assertEqual(self.count({"range": {field: {"gte": low, "lt": high}}}), between)
        operation = next(event["api"]["operation"] for event in events.values() if event["class_uid"] == 6003)
        self.assertEqual(self.count({"term": {"api.operation": operation}}, "api_activity"),
                         sum(event.get("api", {}).get("operation") == operation for event in tables["api_activity"]))
        one = next(iter(tables["api_activity"]))
        kept = ask("GET", f"/{self.index}-api_activity/_doc/{one['metadata']['uid']}")["_source"]
        self.assertEqual(kept.pop("@timestamp"), one["time"])
        for event in (kept, one):
            event["metadata"].pop("processed_time", None), event["metadata"].pop("logged_time", None)
        self.assertEqual(kept, one)

    def test_a_data_stream_takes_the_events(self):
        self.addCleanup(ask, "DELETE", f"/_data_stream/{self.index}-*")
        self.template(data_stream={})
        self.send()
        self.assertEqual(self.count(), len(self.expected()))
        self.send()
        self.assertEqual(self.count(), len(self.expected()))
        self.assertTrue(ask("GET", f"/_data_stream/{self.index}-*")["data_streams"])

    def test_what_the_mapping_contradicts_is_refused_with_the_servers_words(self):
        events = self.expected()
        mapping = json.loads(json.dumps(TEMPLATE))
        mapping["mappings"]["properties"]["api"] = {"properties": {"operation": {"type": "long"}}}
        self.template(mapping)
        bad = {uid for uid, event in events.items() if "operation" in event.get("api", {})}
        self.assertTrue(0 < len(bad) < len(events))
        done = self.send("--rejects", "rejects", "--state", "job.state", code=3)
        self.assertEqual(self.count(), len(events) - len(bad))
        lines = self.rejects()
        self.assertEqual({line["uid"] for line in lines}, bad)
        self.assertEqual(len(lines), len(bad))
        self.assertTrue(all("mapper_parsing_exception" in line["message"] and "api.operation" in line["message"] for line in lines))
        self.assertIn("mapper_parsing_exception", done.stdout + done.stderr)

    def test_a_server_without_room_gets_everything_in_smaller_requests(self):
        self.write("in/flow.log", flow_text(20_000, 2))  # more at once than the server's indexing_pressure.memory.limit
        before = self.rejections()
        self.send(options=",in_flight=8,compression=none")
        self.assertEqual(self.count(), len(self.expected()))
        self.assertGreater(self.rejections(), before, "the server was never asked for too much")

    @staticmethod
    def rejections() -> int:
        nodes = ask("GET", "/_nodes/stats/indexing_pressure")["nodes"].values()
        total = [node["indexing_pressure"]["memory"]["total"] for node in nodes]
        return sum(t["coordinating_rejections"] + t["primary_rejections"] for t in total)

    def test_a_run_that_is_killed_and_run_again_has_every_event_once(self):
        expected = len(self.expected())
        command = [LOGMILL, "run", "in", "--to", f"elastic:{URL},{self.options},request_size=16K,in_flight=1", "--state", "job.state", "--checkpoint", "1K"]
        killed = 0
        for moment in (0.1, 0.3, 0.6):
            run = subprocess.Popen(command, cwd=self.dir, env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(moment)
            run.send_signal(signal.SIGKILL)
            killed += run.wait() == -signal.SIGKILL
        self.assertGreater(killed, 0)
        done = subprocess.run(command, cwd=self.dir, env=self.environment(), capture_output=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertEqual(self.count(), expected)

    def test_installed_templates_make_data_streams_with_the_types_of_ocsf_and_refuse_nothing(self):
        self.write("in/hostile.json", json.dumps({"Records": hostile()}))
        ask("DELETE", f"/_index_template/{self.index}")
        shown = json.loads(self.logmill("schema", "--format", f"elastic,{self.options},engine=opensearch").stdout)
        told = json.loads(self.logmill("schema", "--install-templates", f"elastic:{URL},{self.options}").stdout)
        for name in told:
            self.addCleanup(ask, "DELETE", f"/_index_template/{name}")
        self.addCleanup(ask, "PUT", f"/_index_template/{self.index}", {"index_patterns": [f"{self.index}-none"]})  # for setUp's own cleaning up
        self.addCleanup(ask, "DELETE", f"/_data_stream/{self.index}-*")
        self.assertEqual(set(told), set(shown))
        self.assertEqual({name: [pattern] for name, pattern in told.items()}, {name: body["index_patterns"] for name, body in shown.items()})
        events = self.expected()
        for _ in range(2):  # the second run finds everything there
            self.send()
            self.assertEqual(self.count(), len(events))
        self.assertTrue(ask("GET", f"/_data_stream/{self.index}-*")["data_streams"])
        fields = properties(f"/{self.index}-api_activity")
        self.assertEqual([fields[f] for f in ("@timestamp", "time", "src_endpoint.ip", "class_uid", "unmapped", "api.operation")],
                         ["date", "date", "ip", "long", "flat_object", "keyword"])
        flows = [event for event in events.values() if event["class_uid"] == 4001 and "ip" in event.get("src_endpoint", {})]
        network = ipaddress.ip_network("192.0.2.0/27")
        inside = sum(ipaddress.ip_address(event["src_endpoint"]["ip"]) in network for event in flows)
        self.assertTrue(0 < inside < len(flows))
        self.assertEqual(self.count({"term": {"src_endpoint.ip": str(network)}}, "network_activity"), inside)
        self.assertEqual(self.count({"term": {"unmapped.additionalEventData.mark": "needle"}}, "api_activity"), 1)
        kept = [hit["_source"] for hit in ask("POST", f"/{self.index}-*/_search", {"size": 50, "query": {"prefix": {"metadata.original_event_uid": "hostile"}}})["hits"]["hits"]]
        self.assertEqual(len(kept), len(hostile()))
        for record in hostile()[1:]:
            source = next(k for k in kept if k["metadata"]["original_event_uid"] == record["eventID"])
            self.assertEqual(json.loads(source["ocsf_text"]), {"api.request.data": record["requestParameters"]})


def properties(index: str) -> dict[str, str]:
    """The types of an index's fields by their dotted names."""
    out = {}

    def add(of, prefix):
        for name, field in of.get("properties", {}).items():
            if "type" in field:
                out[prefix + name] = field["type"]
            add(field, prefix + name + ".")
    for mapping in ask("GET", f"{index}/_mapping").values():
        add(mapping["mappings"], "")
    return out


def record(uid: str, name: str, source: str = "iam.amazonaws.com", **more) -> dict:
    identity = {"type": "IAMUser", "principalId": "AIDAEXAMPLEUSER00001", "arn": "arn:aws:iam::111122223333:user/alice", "accountId": "111122223333", "userName": "alice"}
    return {"eventVersion": "1.11", "eventTime": "2026-03-01T08:00:00Z", "eventSource": source, "eventName": name, "awsRegion": "us-east-1", "sourceIPAddress": "203.0.113.20",
            "userAgent": "aws-cli/2.30.0", "userIdentity": identity, "requestID": f"r-{uid}", "eventID": uid, "eventType": "AwsApiCall", "recipientAccountId": "111122223333",
            "eventCategory": "Management", "readOnly": False, "managementEvent": True, **more}


def hostile() -> list[dict]:
    """What whoever is watched may write into a log: it is found, and no document is refused for it."""
    deep = {"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    for _ in range(40):
        deep = {"a": deep}
    return [record("hostile-0", "RunInstances", "ec2.amazonaws.com", additionalEventData={"mark": "needle"}),
            record("hostile-1", "RunInstances", "ec2.amazonaws.com", requestParameters={"userData": "x" * 50_000}),
            record("hostile-2", "RunInstances", "ec2.amazonaws.com", requestParameters={"": {"b": 1}}),
            record("hostile-3", "RunInstances", "ec2.amazonaws.com", requestParameters=deep)]


ROLE = {"type": "AssumedRole", "principalId": "AROAEXAMPLEROLE00001:session", "arn": "arn:aws:sts::111122223333:assumed-role/Admin/session", "accountId": "111122223333",
        "accessKeyId": "ASIAEXAMPLEKEY000001",
        "sessionContext": {"sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLEROLE00001", "arn": "arn:aws:iam::111122223333:role/Admin", "accountId": "111122223333", "userName": "Admin"},
                           "attributes": {"creationDate": "2026-03-01T07:30:00Z", "mfaAuthenticated": "false"}}}
ADMIN = {"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess", "roleName": "Backup"}
TRAIL = [
    record("admin", "AttachRolePolicy", requestParameters=ADMIN),
    record("other-policy", "AttachRolePolicy", requestParameters={"policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess", "roleName": "Backup"}),
    record("denied", "AttachRolePolicy", requestParameters=ADMIN, errorCode="AccessDenied", errorMessage="no"),
    record("by-role", "CreateUser", userIdentity=ROLE, requestParameters={"userName": "backdoor"}, responseElements={"user": {"userName": "backdoor"}}),
    record("by-service", "CreateGrant", "kms.amazonaws.com", sourceIPAddress="autoscaling.amazonaws.com",
           userIdentity={"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}),
    record("login", "ConsoleLogin", "signin.amazonaws.com", responseElements={"ConsoleLogin": "Failure"}, eventType="AwsConsoleSignIn",
           additionalEventData={"MFAUsed": "No", "LoginTo": "https://console.example.com", "MobileVersion": "No"}),
    record("open", "AuthorizeSecurityGroupIngress", "ec2.amazonaws.com",
           requestParameters={"groupId": "sg-1", "ipPermissions": {"items": [{"fromPort": 22, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]}}),
]
# In the shape of detection rules, written in Lucene's query syntax, with the events that they are to find.
RULES = [
    ("event.dataset:aws.cloudtrail AND event.provider:iam.amazonaws.com AND event.action:AttachRolePolicy AND event.outcome:success AND "
     r"aws.cloudtrail.request_parameters:*policyArn=arn\:aws\:iam\:\:aws\:policy\/AdministratorAccess*", {"admin"}),
    ("data_stream.dataset:aws.cloudtrail AND event.action:AttachRolePolicy AND event.outcome:failure AND aws.cloudtrail.error_code:AccessDenied", {"denied"}),
    ("event.action:CreateUser AND aws.cloudtrail.user_identity.type:AssumedRole AND user.name:Admin AND user.target.name:backdoor", {"by-role"}),
    ("aws.cloudtrail.user_identity.session_context.session_issuer.arn:*role*Admin AND aws.cloudtrail.flattened.request_parameters.userName:backdoor", {"by-role"}),
    ("source.address:autoscaling.amazonaws.com AND NOT _exists_:source.ip AND aws.cloudtrail.user_identity.invoked_by:autoscaling.amazonaws.com", {"by-service"}),
    ("event.action:ConsoleLogin AND event.provider:signin.amazonaws.com AND event.outcome:failure AND aws.cloudtrail.console_login.additional_eventdata.mfa_used:false", {"login"}),
    (r"event.action:AuthorizeSecurityGroupIngress AND aws.cloudtrail.request_parameters:*cidrIp=0.0.0.0\/0* AND aws.cloudtrail.request_parameters:*fromPort=22*", {"open"}),
    (r"source.ip:203.0.113.0\/28 AND cloud.account.id:111122223333", set()),
    (r"source.ip:203.0.113.16\/28 AND event.category:iam AND cloud.region:us-east-1 AND event.type:creation", {"by-role"}),
    ("aws.cloudtrail.request_parameters:*AdministratorAccess* AND event.action:RunInstances", {"hostile-3"}),
]


class Ecs(Case):
    def setUp(self):
        super().setUp()
        self.space = f"t{uuid.uuid4().hex[:12]}"
        self.sink = f"elastic:{URL},schema=ecs,namespace={self.space}"
        for name in json.loads(self.logmill("schema", "--install-templates", self.sink).stdout):
            self.addCleanup(ask, "DELETE", f"/_index_template/{name}")
        self.addCleanup(ask, "DELETE", f"/_data_stream/logs-*-{self.space}")

    def search(self, query: str, dataset: str = "*") -> list[dict]:
        ask("POST", f"/logs-*-{self.space}/_refresh")
        found = ask("POST", f"/logs-{dataset}-{self.space}/_search", {"size": 1000, "query": {"query_string": {"query": query}}})
        self.assertEqual(found["_shards"]["failed"], 0)
        return [hit["_source"] for hit in found["hits"]["hits"]]

    def test_rules_find_what_they_look_for_and_nothing_else(self):
        self.write("in/trail.json", json.dumps({"Records": TRAIL + hostile()}))
        for _ in range(2):  # the second run finds everything there
            self.logmill("run", "in", "--to", self.sink)
            self.assertEqual(len(self.search("*:*")), len(TRAIL) + len(hostile()))
        for query, expected in RULES:
            self.assertEqual({hit["event"]["id"] for hit in self.search(query)}, expected, query)
        fields = properties(f"/logs-aws.cloudtrail-{self.space}")
        self.assertEqual([fields[f] for f in ("@timestamp", "source.ip", "event.action", "aws.cloudtrail.request_parameters", "aws.cloudtrail.flattened.request_parameters", "ocsf")],
                         ["date", "ip", "keyword", "keyword", "flat_object", "flat_object"])
        body = {"query": {"range": {"@timestamp": {"gte": "2026-03-01T08:00:00Z", "lt": "2026-03-01T08:00:01Z"}}}}
        self.assertEqual(ask("POST", f"/logs-aws.cloudtrail-{self.space}/_count", body)["count"], len(TRAIL) + len(hostile()))
        self.assertEqual([hit["event"]["id"] for hit in self.search("ocsf.api.operation:CreateUser")], ["by-role"])
        events = {event["metadata"]["original_event_uid"]: event for event in self.events("in")}
        for hit in self.search("*:*"):
            whole = hit["ocsf"]
            if "ocsf_text" in hit:
                self.assertEqual(json.loads(hit["ocsf_text"]), {"api.request.data": events[hit["event"]["id"]]["api"]["request"].pop("data")})
            for event in (whole, events[hit["event"]["id"]]):
                event["metadata"].pop("processed_time", None), event["metadata"].pop("logged_time", None)
            self.assertEqual(whole, events[hit["event"]["id"]])

    def test_every_source_goes_to_its_dataset_and_nothing_is_refused(self):
        golden = pathlib.Path(__file__).resolve().parents[1] / "golden"
        inputs = [str(path) for path in sorted(golden.glob("*/input"))]
        self.logmill("run", *inputs, "--to", self.sink, "--stats", "stats.json", code=3)  # some of the samples are broken
        self.assertNotIn("refused", self.stats())
        self.assertEqual(len(self.search("*:*")), sum(sum(table["rows_out"] for table in parser["tables"].values()) for parser in self.stats()["parsers"].values()))
        for dataset, query in {
            "azure.signinlogs": 'event.outcome:failure AND azure.signinlogs.properties.status.error_code:50126 AND azure.signinlogs.category:NonInteractiveUserSignInLogs',
            "azure.auditlogs": r'azure.auditlogs.operation_name:"Add member to role" AND azure.auditlogs.properties.target_resources.0.modified_properties.0.new_value:"\"Global Administrator\""',
            "azure.activitylogs": 'azure.activitylogs.operation_name:*LISTKEYS* AND event.outcome:success',
            "azure.platformlogs": 'azure.platformlogs.category:kube-audit AND azure.platformlogs.properties.log.verb:create AND azure.platformlogs.properties.log.objectRef.subresource:exec',
            "azure.graphactivitylogs": 'http.request.method:GET AND url.path:*users* AND source.ip:"198.51.100.0/24"',
            "azure.identity_protection": 'azure.identityprotection.properties.risk_state:atRisk AND azure.identityprotection.properties.risk_level:medium',
            "aws.vpcflow": 'event.category:network AND _exists_:source.ip AND _exists_:destination.port',
        }.items():
            self.assertTrue(self.search(query, dataset), dataset)
            self.assertTrue(all(hit["data_stream"] == {"type": "logs", "dataset": dataset, "namespace": self.space} for hit in self.search(query, dataset)))


if __name__ == "__main__":
    unittest.main()
