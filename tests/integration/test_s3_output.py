"""s3:// targets, against a real S3 server (scripts/services/s3.sh): what is written there is what a local run writes, nothing of it is visible before it is published,
whatever the network and the server do, and nothing is left open. Faults are made by a proxy before the server."""
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import unittest
from collections import Counter

import pyarrow.parquet
from e2e import LOGMILL, flow_text, trail
from s3_server import Bucket, Proxy, request
from test_s3 import S3Case


def creates(request) -> bool:
    return request.method == "POST" and "uploads" in request.query


def sends(request) -> bool:
    return request.method == "PUT" and "partNumber" in request.query


def completes(request) -> bool:
    return request.method == "POST" and "uploadId" in request.query


def lose_once(request, lost: set) -> tuple:
    """The answer to a completion is lost, and the next attempt is told what S3 says then. (Ceph says that it is done, and so would hide what is to be tested.)"""
    if request.target in lost:
        return "status", 404, "NoSuchUpload"
    lost.add(request.target)
    return ("lost",)


class OutputCase(S3Case):
    def rows(self, folder: str) -> Counter:
        return Counter(line for path in (self.dir / folder).rglob("*.ndjson") for line in path.read_bytes().splitlines())

    def uids(self, folder: str) -> Counter:
        return Counter(uid for path in (self.dir / folder).rglob("*.parquet")
                       for uid in pyarrow.parquet.ParquetFile(path).read(columns=["metadata"]).column("metadata").combine_chunks().field("uid").to_pylist())

    def inputs(self) -> None:
        for i in range(12):
            self.write(f"in/{i}.json.gz", gzip.compress(json.dumps({"Records": trail(i, 20)}).encode(), 1))
        odd = trail(99, 3)
        for record in odd:
            record["recipientAccountId"] = "a+b ü/..=%"
        self.write("in/odd.json.gz", gzip.compress(json.dumps({"Records": odd}).encode(), 1))
        self.write("in/flow.log", flow_text(300, 1))

    def run_to(self, target: str, *arguments, code: int = 0, end: str = "", **more):
        return self.logmill("run", "in", "--to", f"ndjson:{target}/rows{end},compression=none", "--to", f"parquet:{target}/lake{end}", *arguments, code=code,
                            **more)

    def expect_equal(self, bucket: Bucket, prefix: str) -> None:
        """Below the prefix stands what self.dir/local holds, and nothing is open."""
        shutil.rmtree(self.dir / "fetched", ignore_errors=True)
        bucket.download(self.dir / "fetched", prefix)
        self.assertTrue(self.rows("local/rows"))
        self.assertEqual(self.rows("fetched/rows"), self.rows("local/rows"))
        self.assertEqual(self.uids("fetched/lake"), self.uids("local/lake"))
        self.assertEqual(bucket.uploads(), [])


class Writing(OutputCase):
    def test_a_bucket_gets_what_a_folder_gets(self):
        self.inputs()
        self.run_to("local")
        for prefix in ("", "lake", "a b/c+d=é/100%25 'x'/日本/"):
            with self.subTest(prefix=prefix):
                bucket = Bucket()
                done = self.run_to(bucket.uri(prefix.rstrip("/")).rstrip("/"))
                self.assertIn("Outputs:", done.stderr)
                self.expect_equal(bucket, prefix)
                below = {key.removeprefix(prefix).lstrip("/").rpartition("/")[0] for key in bucket.keys()}
                self.assertEqual(below, {str(path.parent.relative_to(self.dir / "local")) for path in (self.dir / "local").rglob("*") if path.is_file()})
                self.assertTrue(any("accountId=a%2Bb%20%C3%BC%2F..%3D%25/" in key for key in bucket.keys()))

    def test_nothing_is_visible_before_it_is_published(self):
        self.inputs()
        bucket, seen = Bucket(), []

        def fault(request):
            if completes(request) and not seen:
                seen.append(bucket.keys())
                seen.append(len(bucket.uploads()))

        with Proxy(fault) as proxy:
            self.run_to(bucket.uri("x"), "--state", "job.state", "--s3-endpoint", proxy.endpoint)
            self.assertEqual(seen[0], [])
            self.assertEqual(seen[1], len([r for r in proxy.requests if completes(r)]), "all of them wait for the commit")
            order = ["complete" if completes(r) else "manifest" for r in proxy.requests if completes(r) or (r.method == "PUT" and not sends(r))]
            self.assertEqual(order, sorted(order), "a manifest names what is there")
        manifest = json.loads(bucket.get("x/rows/_manifest.json"))
        self.assertEqual({f"x/rows/{file['name']}" for file in manifest["files"]} | {"x/rows/_manifest.json"}, set(bucket.keys("x/rows/")))

    def test_what_is_large_goes_in_parts_and_needs_no_memory(self):
        self.write("in/flow.log", flow_text(60_000, 3))
        command = ["run", "in", "--memory", "256M", "--threads", "2", "--to"]
        self.logmill(*command, "ndjson:local/rows,compression=none")
        bucket = Bucket()
        with Proxy(lambda request: None) as proxy:
            self.logmill(*command, f"ndjson:{bucket.uri('rows')},compression=none", "--s3-endpoint", proxy.endpoint)
            sizes = [int(request.headers["content-length"]) for request in proxy.requests if sends(request)]
        self.assertGreater(len(sizes), 3 + len(bucket.keys()))
        self.assertEqual(sum(size == 8 << 20 for size in sizes), len(sizes) - len(bucket.keys()), "S3 takes no smaller ones before the last")
        bucket.download(self.dir / "fetched")
        self.assertEqual(self.rows("fetched"), self.rows("local"))

    def test_what_is_wrong_with_a_target_is_said_before_anything_is_read(self):
        self.inputs()
        bucket = Bucket()
        for target, env, text in (("s3://no-such-bucket-of-ours/x", {}, "404 NoSuchBucket"), (bucket.uri("a/../b"), {}, "do not make a prefix"),
                                  ("s3://b d/x", {}, "s3://BUCKET/PREFIX"), (bucket.uri(), {"AWS_SECRET_ACCESS_KEY": "hunter2"}, "403 SignatureDoesNotMatch"),
                                  (bucket.uri(), {"AWS_ACCESS_KEY_ID": ""}, "no AWS credentials")):
            with self.subTest(target=target, text=text):
                done = self.logmill("run", "in", "--to", f"parquet:{target}", code=2, env=env)
                self.assertIn(text, done.stderr)
                self.assertNotIn("hunter2", done.stderr)
        self.assertIn("a local folder", self.logmill("run", "in", "--to", "ndjson:-", "--rejects", bucket.uri("r"), code=2).stderr)
        self.assertEqual(bucket.keys(), [])
        self.assertEqual(sorted(path.name for path in self.dir.iterdir()), ["in"], "an address is never a local path")

    def test_encryption_and_who_pays_are_said_to_the_server(self):
        self.inputs()
        bucket = Bucket()
        with Proxy(lambda request: ("status", 403, "AccessDenied") if creates(request) else None) as proxy:
            self.logmill("run", "in", "--to", f"parquet:{bucket.uri()}", "--s3-endpoint", proxy.endpoint, "--requester-pays", "--s3-sse", "aws:kms",
                         "--s3-sse-kms-key-id", "alias/logs", code=2)
            headers = proxy.requests[0].headers
        self.assertEqual(headers["x-amz-server-side-encryption"], "aws:kms")
        self.assertEqual(headers["x-amz-server-side-encryption-aws-kms-key-id"], "alias/logs")
        self.assertEqual(headers["x-amz-request-payer"], "requester")
        self.assertIn("--s3-sse", self.logmill("run", "in", "--to", f"parquet:{bucket.uri()}", "--s3-sse-kms-key-id", "x", code=2).stderr)

    def test_what_a_key_encrypts_is_written_and_read_again(self):
        self.inputs()
        bucket = Bucket()
        to = ["--to", f"ndjson:{bucket.uri('lake')},compression=none", "--s3-sse", "aws:kms", "--s3-sse-kms-key-id"]
        refused = self.logmill("run", "in", *to, "of nobody", code=2)
        self.assertIn("of nobody", refused.stderr)
        self.logmill("run", "in", *to, "logs")
        keys = [key for key in bucket.keys("lake/") if key.endswith(".ndjson")]
        self.assertTrue(keys)
        for key in keys:
            self.assertEqual(bucket.encryption(key), ("aws:kms", "logs"))
        bucket.put("trail.json", json.dumps({"Records": trail(1, 3)}).encode(), x_amz_server_side_encryption="aws:kms", x_amz_server_side_encryption_aws_kms_key_id="logs")
        self.assertEqual(len(self.events(bucket.uri("trail.json"))), 3)


class Faults(OutputCase):
    def injected(self, fault, *arguments) -> tuple[Bucket, Proxy]:
        self.inputs()
        self.run_to("local")
        bucket = Bucket()
        with Proxy(fault) as proxy:
            self.run_to(bucket.uri("x"), "--s3-endpoint", proxy.endpoint, *arguments)
        self.expect_equal(bucket, "x/")
        return bucket, proxy

    def test_requests_of_every_kind_may_fail_in_every_way(self):
        randomness = random.Random(5)
        faults = [("status", 503, "SlowDown"), ("status", 500, "InternalError"), ("reset",), ("early", 1000), ("lost",), ("cut", 20), ("status", 200, "InternalError")]
        kinds = Counter()

        def fault(request):
            if randomness.random() < 0.3:
                chosen = randomness.choice(faults)
                if chosen[0] == "status" and chosen[1] == 200 and not completes(request):
                    return None
                kinds[chosen[0]] += 1
                return chosen

        self.injected(fault, "--state", "job.state")
        self.assertEqual(set(kinds), {"status", "reset", "early", "lost", "cut"})

    def test_a_lost_answer_to_a_completion_is_found_out(self):
        lost = set()
        self.injected(lambda request: lose_once(request, lost) if completes(request) else None)
        self.assertTrue(lost)

    def test_whether_a_completion_whose_answer_was_lost_was_one_is_found_out_by_a_listing_or_told_to_be_unknown(self):
        for listed in (True, False):
            lost = set()

            def fault(request):
                if completes(request):
                    return lose_once(request, lost)
                if request.method == "HEAD" or request.listing and not listed:
                    return "status", 403, "" if request.method == "HEAD" else "AccessDenied"

            with self.subTest(listed=listed):
                if listed:
                    self.injected(fault)
                    continue
                with Proxy(fault) as proxy:
                    done = self.run_to(Bucket().uri("x"), "--s3-endpoint", proxy.endpoint, code=1)
                text = " ".join(done.stderr.split())
                self.assertIn("whether it was completed cannot be told", text)
                self.assertIn("s3:GetObject: 403", text)
                self.assertIn("s3:ListBucket: 403 AccessDenied", text)

    def test_keys_of_others_that_xml_cannot_hold_do_not_hinder_the_sweep(self):
        self.inputs()
        self.run_to("local")
        bucket, lost = Bucket(), set()
        foreign = bucket.path("x/rows/a\x01+b")
        status, answer = request("POST", foreign, "uploads=")
        self.assertEqual(status, 200)

        def fault(asked):
            if creates(asked) and asked.key not in lost:
                lost.add(asked.key)
                return ("lost",)

        with Proxy(fault) as proxy:
            self.run_to(bucket.uri("x"), "--s3-endpoint", proxy.endpoint)
        upload = answer.partition(b"<UploadId>")[2].partition(b"<")[0].decode()
        self.assertEqual(request("DELETE", foreign, "uploadId=" + upload)[0], 204, "it is still there")
        self.expect_equal(bucket, "x/")

    def test_an_upload_that_nobody_knows_is_aborted_at_the_end(self):
        lost = set()

        def fault(request):
            if creates(request) and request.key not in lost:
                lost.add(request.key)
                return ("lost",)

        self.injected(fault)
        self.assertGreater(len(lost), 2)

    def test_a_run_that_fails_leaves_nothing(self):
        self.inputs()
        bucket, parts = Bucket(), []

        def fault(request):
            if sends(request):
                parts.append(request.key)
                if len(parts) == 3:
                    return "status", 403, "AccessDenied"

        with Proxy(fault) as proxy:
            done = self.run_to(bucket.uri("x"), "--s3-endpoint", proxy.endpoint, code=1)
        self.assertIn("cannot write s3://", done.stderr)
        self.assertIn("403 AccessDenied", done.stderr)
        self.assertEqual(bucket.keys(), [])
        self.assertEqual(bucket.uploads(), [])

    def test_a_server_that_goes_away_before_publishing_costs_nothing_with_a_ledger(self):
        self.inputs()
        self.run_to("local")
        bucket = Bucket()
        with Proxy(lambda request: ("reset",) if completes(request) else None) as proxy:
            done = self.run_to(bucket.uri("x"), "--state", "job.state", "--s3-endpoint", proxy.endpoint, code=1, env={"AWS_MAX_ATTEMPTS": "2"})
        self.assertIn("is published by the next run", done.stderr)
        self.assertEqual(bucket.keys(), [])
        self.run_to(bucket.uri("x"), "--state", "job.state")
        self.expect_equal(bucket, "x/")

    def test_an_upload_that_was_aborted_by_others_is_told(self):
        self.inputs()
        bucket = Bucket()
        with Proxy(lambda request: ("status", 404, "NoSuchUpload") if completes(request) else None) as proxy:
            done = self.run_to(bucket.uri("x"), "--s3-endpoint", proxy.endpoint, code=1)
        self.assertIn("Somebody has aborted the upload", done.stderr)
        self.assertEqual(bucket.uploads(), [])

    def test_a_stopped_run_publishes_what_it_has_and_leaves_nothing_open(self):
        bucket = Bucket()
        process = subprocess.Popen([LOGMILL, "run", "-", "--plugin", "aws.vpcflow", "--to", f"ndjson:{bucket.uri('x')},compression=none"], cwd=self.dir,
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.environment())
        process.stdin.write(flow_text(40_000, 1))
        process.stdin.flush()
        while not bucket.uploads():
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=60)[1].decode()
        self.assertEqual(process.returncode, 1, error)
        self.assertEqual(bucket.uploads(), [])
        self.assertTrue(bucket.keys())


class ExactlyOnce(OutputCase):
    def test_manifests_are_kept_in_the_bucket(self):
        self.inputs()
        bucket = Bucket()
        self.run_to(bucket.uri("x"), "--state", "job.state", end="/")
        self.assertIn("another ledger", self.run_to(bucket.uri("x"), "--state", "other.state", code=2).stderr)
        keys = bucket.keys()
        self.run_to(bucket.uri("x"), "--state", "job.state")
        self.assertEqual(bucket.keys(), keys, "nothing is done twice")
        self.logmill("state", "forget", "job.state", "in/3.json.gz")
        self.assertEqual([gone["uri"] for gone in json.loads(bucket.get("x/lake/_manifest.json"))["superseded"]], ["in/3.json.gz"])
        self.run_to(bucket.uri("x"), "--state", "job.state")
        self.assertEqual(len(json.loads(bucket.get("x/rows/_manifest.json"))["epochs"]), 2)

    def test_a_manifest_of_more_than_a_part_is_replaced_whatever_is_answered(self):
        for i in range(16_000):
            self.write(f"in/{'d' * 200}/{'e' * 200}/{'f' * 100}{i:05}", b"1 2\n")
        bucket, lost = Bucket(), set()

        def fault(asked):
            if completes(asked) and asked.key.endswith("_manifest.json"):
                return lose_once(asked, lost)

        with Proxy(fault) as proxy:
            for _ in range(2):
                self.logmill("run", "in", "--plugin", "aws.vpcflow", "--to", f"ndjson:{bucket.uri('x')}", "--state", "job.state", "--s3-endpoint", proxy.endpoint,
                             code=None)
                for path in (self.dir / "in").rglob("*[0-9]"):
                    os.utime(path, (0, 0))
        manifest = bucket.get("x/_manifest.json")
        self.assertGreater(len(manifest), 8 << 20)
        self.assertEqual(len(json.loads(manifest)["superseded"]), 16_000)
        self.assertTrue(lost)
        self.assertEqual(bucket.uploads(), [])

    def test_a_job_may_write_below_what_it_reads(self):
        bucket = Bucket()
        bucket.put_all({f"in/{i}.gz": gzip.compress(json.dumps({"Records": trail(i, 5)}).encode(), 1) for i in range(3)})
        command = ["run", bucket.uri(), "--to", f"ndjson:{bucket.uri('out/')}", "--state", "job.state", "--stats", "stats.json"]
        for objects in (3, 0):
            self.logmill(*command)
            self.assertEqual(self.stats()["objects"], objects)
        # Without a ledger, too; but what was named itself is read.
        for _ in range(2):
            self.logmill("run", bucket.uri(), "--to", f"ndjson:{bucket.uri('out')}", "--stats", "stats.json")
            self.assertEqual(self.stats()["objects"], 3)
        self.logmill("run", bucket.uri("in/"), "--to", f"ndjson:{bucket.uri()}", "--stats", "stats.json")
        self.assertEqual(self.stats()["objects"], 3)
        done = self.logmill("run", bucket.uri("in/"), "--to", f"ndjson:{bucket.uri()}", "--state", "other.state", code=2)
        self.assertIn("lies below", done.stderr)


if __name__ == "__main__":
    unittest.main()
