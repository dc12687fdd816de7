"""The elastic sink against a real OpenSearch (scripts/services/opensearch.sh): documents, mappings, queries, what it refuses, and a run again."""
import gzip
import ipaddress
import json
import os
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
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"{}")


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


if __name__ == "__main__":
    unittest.main()
