"""The elastic sink against a strict stub (elastic_stub.py): no event is lost and none is there twice, whatever the server does, and who asks is told to nobody else."""
import gzip
import hashlib
import hmac
import json
import signal
import subprocess
import threading
import time
import unittest
import urllib.parse

from e2e import LOGMILL, Case, flow_text, trail
from elastic_stub import Stub, basic


class ElasticCase(Case):
    def setUp(self):
        super().setUp()
        for i in range(3):
            self.write(f"in/{i}.json.gz", gzip.compress(json.dumps({"Records": trail(i, 40)}).encode(), 1))
        self.write("in/flow.log", flow_text(400, 1))

    def stub(self, *arguments, **more) -> Stub:
        stub = Stub(*arguments, **more)
        self.addCleanup(stub.stop)
        return stub

    def expected(self) -> dict:
        return {event["metadata"]["uid"]: event for event in self.events("in")}

    def send(self, stub, *arguments, options="request_size=16K", code=0, **more):
        return self.logmill("run", "in", "--to", f"elastic:{stub.url}{',' if options else ''}{options}", *arguments, code=code, **more)

    def expect_all(self, stub, expected=None) -> None:
        """Each event once, and as NDJSON has it, but for the times of processing."""
        expected = expected if expected is not None else self.expected()
        self.assertEqual(stub.wrong, [])
        found = {name: row for index in stub.documents.values() for name, row in index.items()}
        self.assertEqual(set(found), set(expected))
        self.assertEqual(set(stub.created.values()), {1})
        for name, event in expected.items():
            row = {key: value for key, value in found[name].items() if key != "@timestamp"}
            for one in (row, event):
                one["metadata"].pop("processed_time", None), one["metadata"].pop("logged_time", None)
            self.assertEqual(row, event)


class Documents(ElasticCase):
    def test_every_event_is_created_once_under_its_uid_in_the_index_of_its_class(self):
        stub = self.stub()
        done = self.send(stub, options="request_size=16K,index=x-{table}")
        self.expect_all(stub)
        self.assertIn("x-network_activity", stub.documents)
        for index, documents in stub.documents.items():
            self.assertEqual({f"x-{row['class_name'].lower().replace(' ', '_')}" for row in documents.values()}, {index})
        self.assertIn(f"elastic:{stub.url}/x-network_activity", done.stdout + done.stderr)
        self.assertTrue(all(size <= 16 << 10 or len(ids) == 1 for _, ids, size in stub.requests), "a request is larger than request_size")
        self.assertTrue(all(h.get("Content-Encoding") == "gzip" for h in stub.headers if "Content-Length" in h))
        self.assertLess(stub.connections, len(stub.requests), "connections are kept")

    def test_a_run_again_adds_nothing(self):
        stub = self.stub()
        self.send(stub)
        before = len(stub.requests)
        self.send(stub)
        self.assertGreater(len(stub.requests), before)
        self.expect_all(stub)

    def test_several_requests_are_on_their_way_at_once(self):
        two = threading.Barrier(2)

        def fault(_stub, number, _ids):
            if number < 2:
                two.wait(30)  # broken, if the second request waits for the first one's answer

        stub = self.stub(fault)
        self.send(stub)
        self.assertFalse(two.broken)
        self.expect_all(stub)

    def test_events_do_not_wait_for_a_request_to_be_full(self):
        stub = self.stub()
        command = [LOGMILL, "run", "-", "--memory", "2G", "--to", f"elastic:{stub.url},request_size=90M,in_flight=1,flush=1"]
        with subprocess.Popen(command, cwd=self.dir, env=self.environment(), stdin=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            run.stdin.write(flow_text(12_000, 1))
            run.stdin.flush()
            for _ in range(600):
                if stub.created:
                    break
                time.sleep(0.1)
            early = len(stub.created)
            run.stdin.close()
            self.assertEqual(run.wait(120), 0, run.stderr.read().decode())
        self.assertGreater(early, 0, "nothing was sent while the input was open")
        self.assertEqual(len(stub.created), 12_000)


class Faults(ElasticCase):
    def test_a_server_without_room_gets_the_request_again(self):
        for status in (429, 503):
            with self.subTest(status):
                stub = self.stub(lambda _stub, number, _ids: ("status", status) if number in (0, 1, 3) else None)
                self.send(stub)
                self.expect_all(stub)

    def test_rows_without_room_are_sent_again_and_they_alone(self):
        refused = []

        def fault(_stub, number, ids):
            if number != 0:
                return None
            refused.extend(ids[1::2])
            return "items", {name: (429 if i % 2 else 503, "es_rejected_execution_exception", "no room") for i, name in enumerate(refused)}

        stub = self.stub(fault)
        self.send(stub, options="request_size=16K,in_flight=1")
        self.expect_all(stub)
        sent = [name for _, ids, _ in stub.requests for name in ids]
        self.assertEqual(len(sent), len(set(sent)) + len(refused))
        self.assertLess(stub.requests[1][2], stub.requests[0][2], "requests become smaller where there is no room")

    def test_a_request_that_is_too_large_is_split(self):
        stub = self.stub(largest=5000)
        self.send(stub, options="")
        self.expect_all(stub)
        self.assertTrue(any(size > 5000 for _, _, size in stub.requests))

    def test_a_row_that_is_too_large_for_the_server_is_refused_by_name(self):
        sizes = sorted(len(json.dumps(event)) for event in self.expected().values())
        stub = self.stub(largest=sizes[len(sizes) // 2])
        self.send(stub, "--rejects", "rejects", options="", code=3)
        self.assertEqual({line["uid"] for line in self.rejects()} | set(stub.created), set(self.expected()))
        self.assertTrue(all(line["message"].startswith("413") for line in self.rejects()))

    def test_answers_that_are_cut_or_lost_lose_and_double_nothing(self):
        for kind in ("cut", "short", "lost"):
            with self.subTest(kind):
                stub = self.stub(lambda _stub, number, _ids: (kind,) if number in (0, 2) else None)
                self.send(stub)
                self.expect_all(stub)

    def test_rows_that_the_mapping_contradicts_are_in_the_rejects_with_the_servers_reason(self):
        bad = set(sorted(self.expected())[::7])
        stub = self.stub(lambda _stub, _number, ids: ("items", {name: (400, "mapper_parsing_exception", "failed to parse field [x]") for name in ids if name in bad}))
        done = self.send(stub, "--rejects", "rejects", "--stats", "stats.json", code=3)
        lines = self.rejects()
        self.assertEqual({line["uid"] for line in lines}, bad)
        self.assertEqual(len(lines), len(bad))
        for line in lines:
            self.assertEqual((line["message"], line["code"]), ("mapper_parsing_exception: failed to parse field [x]", "refused"))
            self.assertEqual(line["sink"], f"elastic:{stub.url}")
            self.assertEqual((line["row"]["metadata"]["uid"], line["row"]["lineage"]["uri"]), (line["uid"], line["uri"]))
        self.assertEqual(set(stub.created), set(self.expected()) - bad)
        self.assertEqual([(r["sink"], r["rows"]) for r in self.stats()["refused"]], [(f"elastic:{stub.url}", len(bad))])
        self.assertIn("failed to parse field [x]", done.stdout + done.stderr)
        self.assertFalse(self.stats()["complete"])

    def test_what_is_wrong_with_the_index_stops_the_run_with_the_reason(self):
        stub = self.stub(lambda _stub, _number, ids: ("items", {ids[0]: (403, "cluster_block_exception", "index [x] blocked by: read-only")}))
        self.assertIn("read-only", self.send(stub, code=1).stderr)

    def test_a_cluster_that_is_away_stops_the_run_and_the_ledger_is_true(self):
        gone = threading.Event()

        def fault(_stub, number, _ids):
            if number >= 3 and not gone.is_set():
                return ("status", 503)
            return None

        stub = self.stub(fault)
        options = "request_size=16K,retry_time=1"
        failed = self.send(stub, "--state", "job.state", options=options, code=1)
        self.assertIn("retry_time", failed.stderr)
        self.assertLess(len(stub.created), len(self.expected()))
        info = json.loads(self.logmill("state", "show", "--format", "json", "job.state").stdout)
        self.assertEqual(info["epochs"], 0, "nothing is committed that is not there")
        gone.set()
        self.send(stub, "--state", "job.state", options=options)
        self.expect_all(stub)
        before = len(stub.requests)
        self.send(stub, "--state", "job.state", options=options)
        self.assertEqual(len(stub.requests), before, "what is done is not sent again")

    def test_a_signal_does_not_wait_for_a_cluster_that_is_away_and_the_ledger_is_true(self):
        away = threading.Event()
        # It says that there is no room, or nothing at all.
        for what in (("status", 503), None):
            with self.subTest(what):
                away.set()
                asked = threading.Event()
                back = threading.Event()

                def fault(_stub, number, _ids):
                    if number < 3 or not away.is_set():
                        return None
                    asked.set()
                    if what is None:
                        back.wait(120)
                    return what

                stub = self.stub(fault)
                options = "request_size=16K,retry_time=86400"
                state = f"{what is None}.state"
                command = [LOGMILL, "run", "in", "--to", f"elastic:{stub.url},{options}", "--state", state]
                with subprocess.Popen(command, cwd=self.dir, env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
                    self.assertTrue(asked.wait(60))
                    run.send_signal(signal.SIGINT)
                    try:
                        code, said = run.wait(90), run.stderr.read().decode()
                    finally:
                        back.set(), away.clear(), run.kill()
                self.assertEqual(code, 1, said)
                self.assertIn("stopped", said)
                self.assertEqual(json.loads(self.logmill("state", "show", "--format", "json", state).stdout)["epochs"], 0)
                self.send(stub, "--state", state, options=options)
                self.expect_all(stub)

    def test_a_host_that_cannot_be_reached_is_named_at_once(self):
        stub = Stub()
        stub.stop()
        self.assertIn(stub.url, self.send(stub, code=1).stderr)


class Schemas(ElasticCase):
    def test_documents_of_ecs_go_to_the_index_of_their_dataset_and_past_its_pipeline(self):
        stub = self.stub()
        self.send(stub, options="schema=ecs,namespace=case42,request_size=16K")
        expected = self.expected()
        self.assertEqual(stub.wrong, [])
        self.assertEqual(set(stub.documents), {"logs-aws.cloudtrail-case42", "logs-aws.vpcflow-case42"})
        self.assertEqual(stub.pipelines, {"_none"})
        found = {name: row for index in stub.documents.values() for name, row in index.items()}
        self.assertEqual(set(found), set(expected))
        for index, documents in stub.documents.items():
            for row in documents.values():
                self.assertEqual("-".join((row["data_stream"]["type"], row["data_stream"]["dataset"], row["data_stream"]["namespace"])), index)
        for name, event in expected.items():
            for one in (found[name]["ocsf"], event):
                one["metadata"].pop("processed_time", None), one["metadata"].pop("logged_time", None)
            self.assertEqual(found[name]["ocsf"], event)
            if event["class_uid"] == 6003:
                self.assertEqual((found[name]["event"]["action"], found[name]["event"]["provider"]), (event["api"]["operation"], event["api"]["service"]["name"]))

    def test_a_users_mapping_goes_in_place_of_the_built_in_one(self):
        self.write("own.yaml", "event:\ndatasets:\n  - dataset: own.data\n    fields: {what: class_uid, in: {value: \"{table}\"}}\n")
        stub = self.stub()
        stub.expect = lambda *_: True  # these documents have no event
        stub.parse = lambda handler, body: ([(json.loads(a)["create"]["_id"], json.loads(d)) for a, d in zip(*[iter(body.splitlines())] * 2)], len(body))
        self.send(stub, options="schema=ecs,mapping=own.yaml,pipeline=geo,compression=none")
        rows = list(stub.documents["logs-own.data-default"].values())
        self.assertEqual(len(rows), len(self.expected()))
        self.assertEqual({(row["what"], row["in"]) for row in rows}, {(str(e["class_uid"]), e["class_name"].lower().replace(" ", "_")) for e in self.expected().values()})
        self.assertEqual(stub.pipelines, {"geo"})
        self.write("own.yaml", "datasets:\n  - dataset: x\n    field: {}\n")
        wrong = self.send(stub, options="schema=ecs,mapping=own.yaml", code=2).stderr
        self.assertIn("own.yaml: line 3: a data set: 'field' is no key of it", wrong)
        self.assertIn("nowhere.yaml", self.send(stub, options="schema=ecs,mapping=nowhere.yaml", code=1).stderr)
        self.assertIn("schema=ecs", self.send(stub, options="mapping=own.yaml", code=2).stderr)

    def test_templates_are_shown_and_put(self):
        stub = self.stub()
        for options in ("", ",schema=ecs", ",index=evidence-{table},data_stream=false"):
            shown = json.loads(self.logmill("schema", "--format", f"elastic{options}").stdout)
            stub.templates.clear()
            told = json.loads(self.logmill("schema", "--install-templates", f"elastic:{stub.url}{options}").stdout)
            self.assertEqual(stub.templates, shown)
            self.assertEqual(set(told), set(shown))
            for body in shown.values():
                self.assertEqual("data_stream" in body, "false" not in options)
                self.assertIs(body["template"]["mappings"]["dynamic"], False)
        self.assertEqual(shown["logmill-evidence-network_activity"]["index_patterns"], ["evidence-network_activity"])
        fields = shown["logmill-evidence-network_activity"]["template"]["mappings"]["properties"]
        self.assertEqual((fields["src_endpoint"]["properties"]["ip"]["type"], fields["time"]["type"], fields["unmapped"]["type"]), ("ip", "date", "flattened"))
        one = json.loads(self.logmill("schema", "api_activity", "--format", "elastic,engine=opensearch").stdout)
        self.assertEqual(set(one), {"logmill-logs-api_activity-default"})
        self.assertEqual(one["logmill-logs-api_activity-default"]["template"]["mappings"]["properties"]["unmapped"]["type"], "flat_object")
        # In the default name space integrations go first (200), in one of our own we do.
        self.assertEqual(one["logmill-logs-api_activity-default"]["priority"], 150)
        own = json.loads(self.logmill("schema", "--format", "elastic,schema=ecs,namespace=case42").stdout)
        self.assertEqual({body["priority"] for body in own.values()}, {250})
        self.assertEqual(own["logmill-logs-aws.cloudtrail-case42"]["index_patterns"], ["logs-aws.cloudtrail-case42"])
        self.assertEqual(own["logmill-logs-logmill-case42"]["index_patterns"], ["logs-logmill.*-case42"])
        self.assertEqual(stub.wrong, [])
        self.assertIn("parquet", self.logmill("schema", "--format", "parquet", code=2).stderr)
        self.assertIn("go together", self.logmill("schema", "--format", "json", "--install-templates", f"elastic:{stub.url}", code=2).stderr)


class Access(ElasticCase):
    SECRET = "s3cr3t-of-the-test"

    def certificate(self, name="IP:127.0.0.1"):
        self.write("c/x", "")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=test",
                        "-addext", f"subjectAltName={name}", "-keyout", "c/key.pem", "-out", "c/ca.pem"], cwd=self.dir, check=True, capture_output=True)
        (self.dir / "c/both.pem").write_bytes((self.dir / "c/key.pem").read_bytes() + (self.dir / "c/ca.pem").read_bytes())
        return self.dir / "c/both.pem"

    def test_basic_and_api_keys_from_environment_and_file(self):
        self.write("key", f"id:{self.SECRET}\n")
        self.write("password", f"{self.SECRET}\n")
        for wanted, options, env in (
            (basic("eve", self.SECRET), ",username=eve", {"LOGMILL_ELASTIC_PASSWORD": self.SECRET}),
            (basic("eve", self.SECRET), ",username=eve,password_file=password", {}),
            ("ApiKey " + self.SECRET, "", {"LOGMILL_ELASTIC_API_KEY": self.SECRET}),
            ("ApiKey " + basic("id", self.SECRET).split()[1], ",api_key_file=key", {}),
        ):
            with self.subTest(wanted + options):
                stub = self.stub(allow=lambda headers, *_: headers.get("Authorization") == wanted)
                done = self.send(stub, "--state", f"{stub.port}.state", options="request_size=16K" + options, env=env)
                self.expect_all(stub)
                self.assertNotIn(self.SECRET, done.stdout + done.stderr)
                self.assertFalse(any(self.SECRET.encode() in path.read_bytes() for path in self.dir.glob(f"{stub.port}.state*")))

    def test_a_wrong_key_is_said_at_once_and_not_shown(self):
        stub = self.stub(allow=lambda headers, *_: False)
        done = self.send(stub, code=2, env={"LOGMILL_ELASTIC_API_KEY": self.SECRET})
        self.assertIn("401", done.stderr)
        self.assertNotIn(self.SECRET, done.stderr)
        self.assertEqual(stub.requests, [])

    def test_what_would_show_a_secret_is_refused(self):
        for target, env in (("http://192.0.2.1:9200", {"LOGMILL_ELASTIC_API_KEY": self.SECRET}), (f"https://eve:{self.SECRET}@127.0.0.1", {})):
            done = self.logmill("run", "in", "--to", f"elastic:{target}", code=2, env=env)
            self.assertIn("https://", done.stderr)

    def test_tls_is_verified_by_the_systems_certificates_or_those_that_are_named(self):
        stub = self.stub(certificate=self.certificate())
        self.send(stub, code=1)
        self.send(stub, options="request_size=16K,ca_file=c/ca.pem")
        self.expect_all(stub)
        other = self.stub(certificate=self.certificate("DNS:elsewhere.example"))
        self.send(other, options="ca_file=c/ca.pem", code=1)
        self.assertEqual(other.requests, [])

    def test_sigv4_as_amazon_opensearch_service_checks_it(self):
        def allow(headers, method, target, body) -> bool:
            """By the rules of the AWS reference, and no code of the program."""
            scheme, _, rest = headers["Authorization"].partition(" ")
            fields = dict(part.strip().split("=", 1) for part in rest.split(","))
            key_id, day, region, service, end = fields["Credential"].split("/")
            if (scheme, key_id, region, service, end) != ("AWS4-HMAC-SHA256", "AKID", "eu-west-1", "es", "aws4_request"):
                return False
            path, _, query = target.partition("?")
            pairs = sorted(pair.partition("=")[::2] for pair in query.split("&") if pair)
            canonical_query = "&".join(f"{urllib.parse.quote(urllib.parse.unquote(n), safe='-._~')}={urllib.parse.quote(urllib.parse.unquote(v), safe='-._~')}" for n, v in pairs)
            names = fields["SignedHeaders"].split(";")
            canonical = "\n".join([method, path, canonical_query, *(f"{name}:{headers[name]}" for name in names), "", ";".join(names),
                                   hashlib.sha256(body).hexdigest()])
            text = "\n".join([scheme, headers["x-amz-date"], f"{day}/{region}/es/aws4_request", hashlib.sha256(canonical.encode()).hexdigest()])
            key = ("AWS4" + self.SECRET).encode()
            for part in (day, region, "es", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            return "host" in names and hmac.compare_digest(hmac.new(key, text.encode(), "sha256").hexdigest(), fields["Signature"])

        keys = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": self.SECRET, "AWS_REGION": "eu-west-1"}
        stub = self.stub(allow=allow)
        self.send(stub, options="request_size=16K,auth=sigv4", env=keys)
        self.expect_all(stub)
        self.send(self.stub(allow=allow), options="auth=sigv4", env={**keys, "AWS_SECRET_ACCESS_KEY": "another"}, code=2)


if __name__ == "__main__":
    unittest.main()
