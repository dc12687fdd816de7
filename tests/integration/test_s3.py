"""s3:// inputs, against a real S3 server that checks signatures (scripts/services/s3.sh): every key is read, every page listed, and rows are complete whatever
the network and the server do. Faults are made by a proxy before the server; the services that give credentials are small ones of this file."""
import contextlib
import gzip
import hashlib
import json
import os
import random
import subprocess
import threading
import time
import unittest

import s3_server
from e2e import LOGMILL, flow_text
from s3_server import Bucket, Proxy
from store_case import FaultCase, StoreCase, cloudtrail

ENDPOINT = s3_server.ENDPOINT


class S3Case(StoreCase):
    def environment(self, **more: str) -> dict:
        """Nothing of whoever runs the tests reaches the program but the server's address and its key."""
        kept = {name: value for name, value in super().environment().items() if not name.startswith("AWS_") and not name.lower().endswith("_proxy")}
        own = {"AWS_ENDPOINT_URL_S3": ENDPOINT, "AWS_ACCESS_KEY_ID": s3_server.KEY, "AWS_SECRET_ACCESS_KEY": s3_server.SECRET, "AWS_REGION": "us-east-1",
               "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(self.dir)}
        return {name: value for name, value in {**kept, **own, **more}.items() if value != ""}

    def mirror(self, objects: dict) -> Bucket:
        """The same objects in a bucket and below self.dir/local."""
        bucket = Bucket()
        bucket.put_all(objects)
        for key, body in objects.items():
            self.write(f"local/{key}", body)
        return bucket


class Reading(S3Case):
    def test_a_bucket_gives_the_rows_of_the_same_files(self):
        objects = {f"AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/0{i % 9 + 1}/t{i}.json.gz": cloudtrail(i) for i in range(40)}
        objects |= {f"AWSLogs/111122223333/vpcflowlogs/eu-west-1/2026/03/01/f{i}.log.gz": gzip.compress(flow_text(30, i)) for i in range(10)}
        objects["plain/flow.log"] = flow_text(8_000, 7)  # more than a chunk
        objects["empty"] = b""
        objects["notes.txt"] = b"nothing that a parser knows\n"
        bucket = self.mirror(objects)
        local, local_stats = self.counted("local", code=3)
        remote, stats = self.counted(bucket.uri(), code=3)
        self.assertGreater(len(local), 8_000)
        self.same_rows(remote, local)
        for name in ("objects", "stored_bytes", "decoded_bytes", "rows_out", "rejects", "not_read_whole"):
            self.assertEqual(stats[name], local_stats[name], name)
        lineage = {event["lineage"]["uri"] for event in remote}
        self.assertIn(bucket.uri("plain/flow.log"), lineage)
        self.assertTrue(all(event["lineage"]["etag"] for event in remote))

    def test_every_key_that_is_legal_is_read(self):
        keys = ["a b", "a+b", "a=b&c", "a%2Fb", "ünïcödé/日本", "a//b", "/abs", "../../x", "a/./b", "a/../b", "new\nline", "tab\there", "q?x=1#f", "~-_.!*'()",
                "semi;colon,comma", "back\\slash", "quote\"'<>&", "\u202egnp.exe", "trailing ", " leading", "k" * 1024, "é" * 512]
        bucket = Bucket()
        bucket.put_all({key: cloudtrail(i, 2) for i, key in enumerate(keys)})
        events, stats = self.counted(bucket.uri())
        self.assertEqual({event["lineage"]["uri"] for event in events}, {bucket.uri(key) for key in keys})
        self.assertEqual(stats["objects"], len(keys))
        self.assertEqual(sorted(path.name for path in self.dir.iterdir()), ["stats.json"], "no key is a local path")
        for key in ("a b", "a+b", "ünïcödé/日本", "/abs", "../../x", "new\nline", "q?x=1#f"):
            with self.subTest(prefix=key):
                self.assertEqual({event["lineage"]["uri"] for event in self.events(bucket.uri(key))}, {bucket.uri(key)})

    def test_names_of_hostile_keys_reach_no_terminal_raw(self):
        bucket = Bucket()
        bucket.put("evil\x1b[2J\nname", b"no logs\n")
        done = self.logmill("run", bucket.uri(), "--to", "ndjson:-", code=3)
        self.assertNotIn("\x1b", done.stderr)
        self.assertIn("\\x1b[2J\\x0aname", done.stderr)

    def test_a_listing_of_many_pages_is_read_whole_and_once(self):
        body = cloudtrail(1, 1)
        bucket = Bucket()
        bucket.put_all({f"p+ {i % 7}/{i:05d}.json.gz": body for i in range(2345)})
        events, stats = self.counted(bucket.uri())
        self.assertEqual(stats["objects"], 2345)
        self.assertEqual(len({event["lineage"]["uri"] for event in events}), 2345)
        self.assertEqual(len(self.events(bucket.uri("p+ 3/"))), 335)

    def test_two_inputs_that_overlap_are_read_once(self):
        bucket = self.mirror({"a/1.gz": cloudtrail(1), "a/2.gz": cloudtrail(2)})
        _, stats = self.counted(bucket.uri(), bucket.uri("a/"), "local")
        self.assertEqual(stats["objects"], 4)

    def test_an_object_that_is_gone_is_its_own_result(self):
        bucket = Bucket()
        bucket.put_all({f"{i}.gz": cloudtrail(i) for i in range(5)})
        gone = []

        def fault(request):
            if not request.listing and not gone:
                gone.append(request.key)
                bucket.delete(request.key)

        with Proxy(fault) as proxy:
            _, stats = self.counted(bucket.uri(), "--s3-endpoint", proxy.endpoint, code=3)
        self.assertEqual(stats["objects"], 5)
        self.assertEqual(stats["not_read_whole"]["failed"], 1)
        self.assertEqual([report["uri"] for report in stats["reports"]], [bucket.uri(gone[0])])
        self.assertIn("404 NoSuchKey", stats["reports"][0]["reason"])

    def test_an_object_that_changed_since_it_was_listed_is_read_as_it_is_now(self):
        bucket = Bucket()
        bucket.put_all({f"{i}.gz": cloudtrail(i) for i in range(3)})
        changed, new = [], cloudtrail(99, 7)

        def fault(request):
            if not request.listing and not changed:
                changed.append(request.key)
                bucket.put(request.key, new)

        with Proxy(fault) as proxy:
            events, _ = self.counted(bucket.uri(), "--s3-endpoint", proxy.endpoint)
        rows = [event["lineage"]["etag"] for event in events if event["lineage"]["uri"] == bucket.uri(changed[0])]
        self.assertEqual(rows, [hashlib.md5(new).hexdigest()] * 7, "rows never say an ETag that their bytes did not have")
        self.assertEqual(len(events), 7 + 2 * 5)

    def test_an_object_that_is_again_what_it_was_is_not_read_twice(self):
        bucket, before = Bucket(), cloudtrail(1)
        bucket.put_all({"a.gz": before, "b.gz": cloudtrail(2)})
        command = ["run", bucket.uri(), "--to", "ndjson:out", "--state", "job.state", "--stats", "stats.json"]
        self.logmill(*command)
        bucket.put("a.gz", cloudtrail(99, 7))

        def fault(request):
            if request.method == "GET" and request.key == "a.gz":
                bucket.put("a.gz", before)

        with Proxy(fault) as proxy:
            self.logmill(*command, "--s3-endpoint", proxy.endpoint)
        self.assertEqual(self.stats()["objects"], 0)
        manifest = json.loads((self.dir / "out/_manifest.json").read_bytes())
        self.assertEqual((len(manifest["epochs"]), manifest["superseded"]), (1, []))

    def test_many_requests_are_in_flight_and_connections_are_used_again(self):
        bucket = Bucket()
        bucket.put_all({f"{i:04d}.gz": cloudtrail(1, 1) for i in range(600)})
        busy, most, lock = [0], [0], threading.Lock()

        def fault(request):
            if request.listing:
                return
            with lock:
                busy[0] += 1
                most[0] = max(most[0], busy[0])
            time.sleep(0.02)
            with lock:
                busy[0] -= 1

        with Proxy(fault) as proxy:
            proxy.lock = contextlib.nullcontext()
            _, stats = self.counted(bucket.uri(), "--s3-endpoint", proxy.endpoint, "--requests", "32")
            self.assertEqual(stats["objects"], 600)
            self.assertGreater(most[0], 8)
            self.assertLessEqual(most[0], 32)
            self.assertLess(proxy.connections, 100, "600 objects were read")


class Errors(S3Case):
    def refused(self, *arguments, code: int = 2, env: dict | None = None) -> str:
        done = self.logmill("run", *arguments, "--to", "ndjson:-", code=code, env=env)
        self.assertEqual(done.stdout, "")
        return done.stderr

    def test_what_cannot_be_listed_is_said_before_anything_is_read(self):
        bucket = Bucket()
        bucket.put("a", b"x")
        self.assertIn("403 SignatureDoesNotMatch", self.refused(bucket.uri(), env={"AWS_SECRET_ACCESS_KEY": "wrong"}))
        self.assertIn("403 InvalidAccessKeyId", self.refused(bucket.uri(), env={"AWS_ACCESS_KEY_ID": "AKIANOBODY"}))
        self.assertIn("404 NoSuchBucket", self.refused("s3://no-such-bucket-of-ours/"))
        self.assertIn("nothing begins with this", self.refused(bucket.uri("b")))
        self.assertIn("s3://BUCKET/PREFIX", self.refused("s3://a b/c"))
        self.assertIn("no URL", self.refused(bucket.uri(), "--s3-endpoint", ENDPOINT.removeprefix("http://")))
        self.assertIn("no AWS credentials", self.refused(bucket.uri(), env={"AWS_ACCESS_KEY_ID": ""}))
        self.assertIn("no profile 'nobody'", self.refused(bucket.uri(), "--s3-profile", "nobody"))
        for text in (self.refused(bucket.uri(), env={"AWS_SECRET_ACCESS_KEY": "hunter2"}),):
            self.assertNotIn("hunter2", text)

    def test_a_server_that_is_not_there_ends_the_run(self):
        text = self.refused("s3://bucket/", "--s3-endpoint", "http://127.0.0.1:1", code=1, env={"AWS_MAX_ATTEMPTS": "2"})
        self.assertIn("2 attempts", text)

    def test_public_buckets_are_read_without_credentials(self):
        bucket = Bucket()
        bucket.put("a.gz", cloudtrail(1))
        public = Bucket(x_amz_acl="public-read")
        public.put("a.gz", cloudtrail(1), x_amz_acl="public-read")
        self.assertEqual(len(self.events(public.uri(), "--no-sign-request", env={"AWS_ACCESS_KEY_ID": ""})), 5)
        with Proxy(lambda request: None) as proxy:
            self.assertIn("not signed", self.refused(bucket.uri(), "--no-sign-request", "--s3-endpoint", proxy.endpoint, env={"AWS_ACCESS_KEY_ID": ""}))
            self.assertNotIn("authorization", proxy.requests[0].headers)

    def test_requester_pays_is_said_with_every_request(self):
        bucket = Bucket()
        bucket.put("a.gz", cloudtrail(1))
        with Proxy(lambda request: None) as proxy:
            self.events(bucket.uri(), "--requester-pays", "--s3-endpoint", proxy.endpoint)
            self.assertEqual({request.headers.get("x-amz-request-payer") for request in proxy.requests}, {"requester"})

    def test_an_object_that_is_forbidden_is_its_own_result(self):
        bucket = Bucket()
        bucket.put_all({f"{i}.gz": cloudtrail(i) for i in range(3)})
        with Proxy(lambda request: ("status", 403, "InvalidObjectState") if request.key == "1.gz" else None) as proxy:
            _, stats = self.counted(bucket.uri(), "--s3-endpoint", proxy.endpoint, code=3)
            self.assertEqual(len([request for request in proxy.requests if request.key == "1.gz"]), 1)
        self.assertEqual([report["uri"] for report in stats["reports"]], [bucket.uri("1.gz")])
        self.assertIn("it is archived", stats["reports"][0]["reason"])

    def test_a_bucket_of_another_region_is_found(self):
        bucket = Bucket()
        bucket.put_all({f"{i}.gz": cloudtrail(i) for i in range(3)})

        def fault(request):
            if "/eu-west-9/" not in request.headers["authorization"]:
                return "status", 301, "PermanentRedirect", {"x-amz-bucket-region": "eu-west-9"}

        with Proxy(fault) as proxy:
            _, stats = self.counted(bucket.uri(), "--s3-endpoint", proxy.endpoint)
            self.assertEqual(stats["objects"], 3)
            self.assertEqual(len([r for r in proxy.requests if "/us-east-1/" in r.headers["authorization"]]), 1, "it is asked once")

    def test_a_clock_that_is_wrong_is_set_by_the_servers(self):
        bucket = Bucket()
        bucket.put("a.gz", cloudtrail(1))
        said = []

        def fault(request):
            if not said:
                said.append(request.headers["x-amz-date"])
                return "status", 403, "RequestTimeTooSkewed", {"Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 300))}
            said.append(request.headers["x-amz-date"])

        with Proxy(fault) as proxy:
            self.events(bucket.uri(), "--s3-endpoint", proxy.endpoint)
        self.assertGreater(int(said[1][9:13]), int(said[0][9:13]) if said[1][:8] == said[0][:8] else -1)


class Tls(S3Case):
    def certificate(self, name: str, days: int = 2) -> str:
        path = self.dir / f"{name}-{days}.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", str(days), "-subj", "/CN=test",
                        "-addext", f"subjectAltName={name}", "-keyout", path, "-out", path.with_suffix(".crt")], check=True, capture_output=True)
        path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
        return str(path)

    def test_a_certificate_is_believed_only_if_it_is_trusted_and_names_the_server(self):
        bucket = Bucket()
        bucket.put_all({f"{i}.gz": cloudtrail(i, 1) for i in range(5)})
        good, other = self.certificate("IP:127.0.0.1"), self.certificate("DNS:s3.example.com")
        for certificate, bundle, works in ((good, good, True), (good, "", False), (good, other, False), (other, other, False)):
            with self.subTest(certificate=certificate, bundle=bundle), Proxy(lambda request: None, certificate) as proxy:
                arguments = (bucket.uri(), "--s3-endpoint", proxy.endpoint)
                if works:
                    self.assertEqual(len(self.events(*arguments, env={"AWS_CA_BUNDLE": bundle})), 5)
                else:
                    done = self.logmill("run", *arguments, "--to", "ndjson:-", code=2, env={"AWS_CA_BUNDLE": bundle})
                    self.assertIn("SSL", done.stderr)
                    self.assertEqual(proxy.requests, [], "nothing is said to a server that is not known, and it is not asked twice")


    def test_aws_itself_is_asked_by_the_name_of_the_bucket_through_a_proxy(self):
        bucket, dotted = Bucket(), Bucket(f"{Bucket().name}.dotted")
        for each in (bucket, dotted):
            each.put_all({"a b+c=é.gz": cloudtrail(1), "../x.gz": cloudtrail(2)})
        certificate = self.certificate("DNS:s3.eu-west-1.amazonaws.com,DNS:*.s3.eu-west-1.amazonaws.com")
        with Proxy(lambda request: None, certificate, connect=True) as proxy:
            env = {"AWS_ENDPOINT_URL_S3": "", "AWS_REGION": "eu-west-1", "HTTPS_PROXY": "http://" + proxy.host, "AWS_CA_BUNDLE": certificate}
            self.assertEqual(len(self.events(bucket.uri(), env=env)), 10)
            self.assertEqual(set(proxy.connected), {f"{bucket.name}.s3.eu-west-1.amazonaws.com:443"})
            proxy.connected.clear()
            self.assertEqual(len(self.events(dotted.uri(), env=env)), 10)
            self.assertEqual(set(proxy.connected), {"s3.eu-west-1.amazonaws.com:443"}, "no certificate names a bucket with a dot")


class Faults(FaultCase, S3Case):
    BUSY = ((503, "SlowDown"), (500, "InternalError"), (502, ""), (503, "ServiceUnavailable"), (429, "TooManyRequests"), (400, "RequestTimeout"))

    def proxy(self, fault) -> Proxy:
        return Proxy(fault)

    def flags(self, proxy: Proxy) -> tuple:
        return "--s3-endpoint", proxy.endpoint

    def changes_when_it_ends_at(self, at: int, code: int) -> tuple[list, dict]:
        steps = []
        self.bucket.put("flow.log", flow_text(4_000, 3))

        def fault(request):
            if request.key == "flow.log" and len(steps) < 2:
                steps.append(1)
                if len(steps) == 1:
                    return "end", at
                self.bucket.put("flow.log", flow_text(4_000, 4))

        with Proxy(fault) as proxy:
            return self.counted(self.bucket.uri("flow.log"), "--s3-endpoint", proxy.endpoint, code=code)

    def test_an_object_that_changes_while_it_is_read_is_not_spliced(self):
        self.write("new/flow.log", flow_text(4_000, 4))
        events, _ = self.changes_when_it_ends_at(50_000, 0)
        self.same_rows(events, self.events("new"))  # begun again: nothing of it was on its way
        _, stats = self.changes_when_it_ends_at(300_000, 3)
        self.assertIn("changed since it was listed", stats["reports"][0]["reason"])
        self.assertEqual(stats["not_read_whole"]["partly_read"], 1)

    def test_a_server_that_stays_broken_costs_its_objects_only(self):
        with Proxy(lambda request: ("status", 500, "InternalError") if request.key == "004.json.gz" else None) as proxy:
            _, stats = self.counted(self.bucket.uri(), "--s3-endpoint", proxy.endpoint, code=3, env={"AWS_MAX_ATTEMPTS": "3"})
            self.assertEqual(len([request for request in proxy.requests if request.key == "004.json.gz"]), 3)
        self.assertEqual([report["uri"] for report in stats["reports"]], [self.bucket.uri("004.json.gz")])
        self.assertIn("500 InternalError: injected (3 attempts)", stats["reports"][0]["reason"])

    def test_a_listing_that_fails_in_its_middle_fails_the_run(self):
        body = cloudtrail(1, 1)
        bucket = Bucket()
        bucket.put_all({f"{i:05d}": body for i in range(1500)})
        with Proxy(lambda request: ("status", 403, "AccessDenied") if "continuation-token" in request.query else None) as proxy:
            done = self.logmill("run", bucket.uri(), "--to", "ndjson:out", "--s3-endpoint", proxy.endpoint, code=1)
        self.assertIn("403 AccessDenied", done.stderr)

    def test_a_stop_is_heard_while_a_server_is_silent(self):
        for name, fault in (("objects", lambda request: None if request.listing else ("stall", 10)), ("listing", lambda request: ("stall", 10)),
                            ("answers", lambda request: None if request.listing else ("status", 503, "SlowDown"))):
            with self.subTest(name), Proxy(fault) as proxy:
                process = subprocess.Popen([LOGMILL, "run", self.bucket.uri(), "--to", "ndjson:out", "--s3-endpoint", proxy.endpoint], cwd=self.dir,
                                           env=self.environment(AWS_MAX_ATTEMPTS="100"), stderr=subprocess.PIPE)
                while not proxy.requests or name != "listing" and len(proxy.requests) < 5:
                    time.sleep(0.01)
                process.terminate()
                self.assertEqual(process.wait(timeout=20), 1)
                process.stderr.close()


class Credentials(S3Case):
    """Each place that users of the AWS CLI know gives the key that the server accepts; nothing else would be answered."""

    def setUp(self):
        super().setUp()
        self.bucket = Bucket()
        self.bucket.put_all({f"{i}.gz": cloudtrail(i, 1) for i in range(5)})

    NONE = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}

    def reads(self, **env: str) -> None:
        self.assertEqual(len(self.events(self.bucket.uri(), env={**self.NONE, **env})), 5)

    def answer(self, expires: float = 3600, token: str = "Token", secret: str = s3_server.SECRET) -> dict:
        return {"Version": 1, "AccessKeyId": s3_server.KEY, "SecretAccessKey": secret,
                "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + expires))}

    def test_profiles(self):
        keys = f"aws_access_key_id = {s3_server.KEY}\naws_secret_access_key = {s3_server.SECRET}\n"
        self.write(".aws/credentials", f"[default]\n{keys}[other]\naws_access_key_id=x\naws_secret_access_key=y\n")
        self.write(".aws/config", "[profile process]\ncredential_process = cat 'the keys.json'\n[profile loop]\nrole_arn = r\nsource_profile = loop2\n"
                                  "[profile loop2]\nrole_arn = r\nsource_profile = loop\n[profile sso]\nsso_session = x\n")
        self.write("the keys.json", json.dumps(self.answer()))
        self.reads()
        self.reads(AWS_PROFILE="default")
        self.reads(AWS_PROFILE="process")
        self.reads(HOME=str(self.dir / "nowhere"), AWS_SHARED_CREDENTIALS_FILE=str(self.dir / ".aws/credentials"))
        for profile, why in (("other", "InvalidAccessKeyId"), ("loop", "leads back"), ("sso", "export-credentials"), ("nobody", "no profile")):
            with self.subTest(profile=profile):
                done = self.logmill("run", self.bucket.uri(), "--to", "ndjson:-", code=2, env={**self.NONE, "AWS_PROFILE": profile})
                self.assertIn(why, done.stderr)
        # A profile that was named by a flag wins over keys in the environment; one that the environment names does not.
        self.assertEqual(len(self.events(self.bucket.uri(), "--s3-profile", "default", env={"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"})), 5)
        self.assertEqual(len(self.events(self.bucket.uri(), env={"AWS_PROFILE": "other"})), 5)

    def sts(self, expires: float = 3600) -> str:
        a = self.answer(expires)
        return ("<R xmlns='x'><AssumeRoleResult><Credentials>" + "".join(f"<{name}>{a[name]}</{name}>" for name in ("AccessKeyId", "SecretAccessKey", "Expiration"))
                + "</Credentials></AssumeRoleResult></R>")

    def test_roles(self):
        self.write("token", "the token\n")
        self.write(".aws/config", "[profile r]\nrole_arn = arn:aws:iam::111122223333:role/R\nsource_profile = base\nexternal_id = 7 =\n")
        self.write(".aws/credentials", "[base]\naws_access_key_id = BASE\naws_secret_access_key = z\n")

        def respond(method, path, headers, body):
            signed = "AWS4-HMAC-SHA256 Credential=BASE/" in headers.get("Authorization", "")
            if "Action=AssumeRoleWithWebIdentity" in body:
                return (200, self.sts().replace("AssumeRole", "AssumeRoleWithWebIdentity")) if "WebIdentityToken=the%20token" in body and not signed else (400, "")
            return (200, self.sts()) if signed and "ExternalId=7%20%3D" in body else (403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")

        with self.service(respond) as address:
            self.reads(AWS_PROFILE="r", AWS_ENDPOINT_URL_STS=address)
            self.reads(AWS_WEB_IDENTITY_TOKEN_FILE=str(self.dir / "token"), AWS_ROLE_ARN="arn:aws:iam::111122223333:role/R", AWS_ENDPOINT_URL_STS=address)
            self.assertTrue(all(method == "POST" for method, _, _ in self.asked))
            self.write(".aws/credentials", "[base]\naws_access_key_id = OTHER\naws_secret_access_key = z\n")
            done = self.logmill("run", self.bucket.uri(), "--to", "ndjson:-", code=2, env={**self.NONE, "AWS_PROFILE": "r", "AWS_ENDPOINT_URL_STS": address})
            self.assertIn("STS answered 403 AccessDenied", done.stderr)

    def test_a_container(self):
        self.write("auth", "secret token\n")

        def respond(method, path, headers, body):
            return (200, json.dumps(self.answer())) if headers.get("Authorization") == "secret token" and path == "/creds?x=1" else (403, "")

        with self.service(respond) as address:
            self.reads(AWS_CONTAINER_CREDENTIALS_FULL_URI=address + "/creds?x=1", AWS_CONTAINER_AUTHORIZATION_TOKEN="secret token")
            self.reads(AWS_CONTAINER_CREDENTIALS_FULL_URI=address + "/creds?x=1", AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(self.dir / "auth"))
        for uri in ("http://example.com/creds", "http://127.0.0.1.example.com/", "http://127.0.0.1@example.com/", "ftp://127.0.0.1/"):
            done = self.logmill("run", self.bucket.uri(), "--to", "ndjson:-", code=2, env={**self.NONE, "AWS_CONTAINER_CREDENTIALS_FULL_URI": uri})
            self.assertIn("addresses of this machine", done.stderr, uri)

    def test_a_machine_by_imdsv2(self):
        def respond(method, path, headers, body):
            if method == "PUT" and path == "/latest/api/token" and headers.get("X-aws-ec2-metadata-token-ttl-seconds"):
                return 200, "the-token"
            if headers.get("X-aws-ec2-metadata-token") != "the-token":
                return 401, ""
            return 200, "the-role" if path.endswith("/security-credentials/") else json.dumps(self.answer()) if path.endswith("/the-role") else ""

        with self.service(respond) as address:
            self.reads(AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=address + "/")
        done = self.logmill("run", self.bucket.uri(), "--to", "ndjson:-", code=2,
                            env={**self.NONE, "AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"})
        self.assertIn("no AWS credentials", done.stderr)
        self.assertIn("--no-sign-request", done.stderr)

    def test_keys_are_fetched_again_before_they_expire(self):
        with self.service(lambda *_: (200, json.dumps(self.answer(expires=200)))) as address:
            self.reads(AWS_CONTAINER_CREDENTIALS_FULL_URI=address + "/")
            self.assertGreater(len(self.asked), 1, "those that hold for minutes only are not kept")
            self.asked.clear()
        with self.service(lambda *_: (200, json.dumps(self.answer()))) as address:
            self.reads(AWS_CONTAINER_CREDENTIALS_FULL_URI=address + "/")
            self.assertEqual(len(self.asked), 1, "those that hold are asked for once")

    def test_keys_that_expired_are_fetched_once_more(self):
        said = []

        def fault(request):
            if request.key == "3.gz" and not said:
                said.append(1)
                return "status", 400, "ExpiredToken"

        with self.service(lambda *_: (200, json.dumps(self.answer()))) as address, Proxy(fault) as proxy:
            events = self.events(self.bucket.uri(), "--s3-endpoint", proxy.endpoint, env={**self.NONE, "AWS_CONTAINER_CREDENTIALS_FULL_URI": address + "/"})
            self.assertEqual(len(events), 5)
            self.assertEqual(len(self.asked), 2)


class Listing(S3Case):
    DAYS = ("2025/12/31", "2026/02/27", "2026/02/28", "2026/03/01", "2026/03/02", "2026/03/03", "2026/03/09", "2027/01/01")

    def layout(self) -> Bucket:
        objects = {}
        for account in ("111122223333", "444455556666"):
            for region in ("eu-west-1", "us-east-1"):
                for day in self.DAYS:
                    for kind in ("CloudTrail", "vpcflowlogs"):
                        objects[f"org/AWSLogs/{account}/{kind}/{region}/{day}/x.gz"] = cloudtrail(len(objects), 1) if kind == "CloudTrail" else flow_text(2)
        objects["org/AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=us-east-1/year=2026/month=03/day=09/x"] = flow_text(2)
        objects["org/AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=us-east-1/year=2026/month=03/day=01/x"] = flow_text(2)
        objects["other/2020/01/01/x.gz"] = cloudtrail(1, 1)
        return self.mirror(objects)

    def read(self, proxy: Proxy) -> set:
        return {request.key for request in proxy.requests if not request.listing}

    def test_names_that_rule_themselves_out_are_neither_read_nor_listed(self):
        bucket = self.layout()
        flags = ("--since", "2026-03-01T00:00:00Z", "--until", "2026-03-02T00:00:00Z", "--account", "111122223333", "--region", "us-east-1")
        with Proxy(lambda request: None) as proxy:
            self.logmill("run", bucket.uri(), "--to", "ndjson:out", "--s3-endpoint", proxy.endpoint, *flags, code=None)
            base = "org/AWSLogs/111122223333"
            days = ("2026/02/28", "2026/03/01", "2026/03/02")  # the day, and one for what is late
            expected = {f"{base}/{kind}/us-east-1/{day}/x.gz" for kind in ("CloudTrail", "vpcflowlogs") for day in days}
            expected |= {"org/AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=us-east-1/year=2026/month=03/day=01/x", "other/2020/01/01/x.gz"}
            self.assertEqual(self.read(proxy), expected)
            listed = [request.query.get("prefix", "") for request in proxy.requests if request.listing]
            self.assertFalse([prefix for prefix in listed if "444455556666" in prefix or "eu-west-1" in prefix or "2025" in prefix or "/03/09" in prefix])
        # The same names rule the same files out.
        self.logmill("run", "local", "--to", "ndjson:near", "--stats", "stats.json", *flags, code=None)
        self.assertEqual(self.stats()["objects"], len(expected))

    def test_without_a_filter_all_is_read_in_few_requests(self):
        bucket = self.layout()
        with Proxy(lambda request: None) as proxy:
            self.logmill("run", bucket.uri(), "--to", "ndjson:out", "--stats", "stats.json", "--s3-endpoint", proxy.endpoint, code=None)
            self.assertEqual(len(self.read(proxy)), 2 * 2 * 2 * len(self.DAYS) + 3)
            self.assertLess(len([request for request in proxy.requests if request.listing]), 20)

    def test_processing_begins_while_the_listing_goes_on(self):
        body = cloudtrail(1, 1)
        bucket = Bucket()
        bucket.put_all({f"{i:05d}": body for i in range(2100)})
        read_before = []

        def fault(request):
            if request.listing and len([1 for other in proxy.requests if other.listing]) == 3:
                deadline = time.monotonic() + 30
                while not self.read(proxy) and time.monotonic() < deadline:
                    time.sleep(0.01)
                read_before.append(len(self.read(proxy)))

        proxy = Proxy(fault)
        proxy.lock = contextlib.nullcontext()
        with proxy:
            _, stats = self.counted(bucket.uri(), "--s3-endpoint", proxy.endpoint)
        self.assertEqual(stats["objects"], 2100)
        self.assertTrue(read_before and read_before[0] > 0)

    def test_a_listing_goes_on_behind_any_uri(self):
        keys = [f"x/AWSLogs/{account}/{kind}/{region}/2026/03/{day:02}/{i}" for account in ("111122223333", "444455556666") for kind in ("CloudTrail", "vpcflowlogs")
                for region in ("eu-west-1", "us-east-1") for day in (1, 2) for i in range(12)]
        keys += [name for i in range(80) for name in (f"many{i}/a/b", f"flat-{i}", f"x/{i}.y")]
        bucket = Bucket()
        bucket.put_all({key: b"x" for key in keys})
        done = subprocess.run([os.environ["LOGMILL_BUILD"] + "/tests/source_resume", bucket.uri(), "61"], env=self.environment(), capture_output=True, text=True, check=False)
        self.assertEqual((done.stdout, done.stderr), (f"{len(keys)}\n", ""))

    def test_a_plan_opens_no_object(self):
        bucket = self.layout()
        with Proxy(lambda request: None) as proxy:
            done = self.logmill("plan", bucket.uri("org/"), "--account", "444455556666", "--since", "2026-03-01", "--format", "json", "--s3-endpoint", proxy.endpoint)
            self.assertEqual(self.read(proxy), set())
        plan = json.loads(done.stdout)
        groups = {(group["parser"], group["region"], group["day"]): group["objects"] for group in plan["groups"]}
        days = [day.replace("/", "-") for day in self.DAYS if day >= "2026/02/28"]
        self.assertEqual(groups, {(parser, region, day): 1 for parser in ("aws.cloudtrail", "aws.vpcflow") for region in ("eu-west-1", "us-east-1") for day in days})
        self.assertEqual(plan["objects"], len(groups))
        self.assertEqual({group["account"] for group in plan["groups"]}, {"444455556666"})
        self.assertEqual(plan["bytes"], sum(group["bytes"] for group in plan["groups"]))


class Lists(S3Case):
    def setUp(self):
        super().setUp()
        self.objects = {key: cloudtrail(i) for i, key in enumerate(("a b.gz", "a+b.gz", "c,d\"e.gz", "é.gz", "not in the list.gz"))}
        self.bucket = self.mirror(self.objects)
        self.wanted = {self.bucket.uri(key) for key in self.objects if not key.startswith("not")}

    def read(self, *arguments, code: int = 0, **more) -> set:
        events, _ = self.counted(*arguments, code=code, **more)
        self.assertTrue(all(event["lineage"].get("etag") for event in events), "an object is told by its ETag, however it was named")
        return {event["lineage"]["uri"] for event in events}

    def test_a_uri_a_line(self):
        text = "\n".join(sorted(self.wanted, reverse=True)) + "\r\n\n"
        self.write("list", text)
        self.write("list.gz", gzip.compress(text.encode()))
        self.bucket.put("lists/1", text.encode())
        self.assertEqual(self.read("--objects-from", "list"), self.wanted)
        self.assertEqual(self.read("--objects-from", "list.gz"), self.wanted)
        self.assertEqual(self.read("--objects-from", "-", stdin=text.encode()), self.wanted)
        self.assertEqual(self.read("--objects-from", self.bucket.uri("lists/1")), self.wanted)
        self.write("mixed", f"local/é.gz\n{self.bucket.uri('é.gz')}\nlocal/gone\n{self.bucket.uri('gone')}\n")
        self.assertEqual(self.read("--objects-from", "mixed", code=3), {"local/é.gz", self.bucket.uri("é.gz")})
        self.assertEqual(sorted(report["uri"] for report in self.stats()["reports"]), sorted(["local/gone", self.bucket.uri("gone")]))
        self.write("bad", "s3:/bucket/key\n")
        self.assertIn("an S3 address is s3://", self.logmill("run", "--objects-from", "bad", "--to", "ndjson:-", code=None).stderr)
        self.assertIn("nowhere", self.logmill("run", "--objects-from", "nowhere", "--to", "ndjson:-", code=2).stderr)

    def test_an_inventory(self):
        inventory = Bucket()
        rows = "".join('"%s","%s","%d","false"\r\n' % (self.bucket.name, s3_server.urllib.parse.quote_plus(uri.removeprefix(self.bucket.uri())), 7) for uri in self.wanted)
        rows += f'"{self.bucket.name}","gone+marker","0","true"\n"{self.bucket.name}","folder%2F","0","false"\n'
        data = "inv/src/daily/data/11.csv.gz"
        inventory.put(data, gzip.compress(rows.encode()))
        manifest = json.dumps({"sourceBucket": self.bucket.name, "destinationBucket": f"arn:aws:s3:::{inventory.name}", "version": "2016-11-30", "fileFormat": "CSV",
                               "fileSchema": "Bucket, Key, Size, IsDeleteMarker", "files": [{"key": data, "size": 1, "MD5checksum": "x"}]}, indent=1)
        inventory.put("inv/src/daily/2026-03-01T01-00Z/manifest.json", manifest.encode())
        self.assertEqual(self.read("--objects-from", inventory.uri("inv/src/daily/2026-03-01T01-00Z/manifest.json")), self.wanted)
        self.write("daily/2026-03-01T01-00Z/manifest.json", manifest)
        self.assertEqual(self.read("--objects-from", "daily/2026-03-01T01-00Z/manifest.json"), self.wanted)
        self.write("daily/data/11.csv.gz", gzip.compress(rows.splitlines()[0].encode()))
        self.assertEqual(len(self.read("--objects-from", "daily/2026-03-01T01-00Z/manifest.json")), 1, "what lies beside the manifest comes first")
        self.write("orc.json", manifest.replace("CSV", "ORC"))
        self.assertIn("ORC", self.logmill("run", "--objects-from", "orc.json", "--to", "ndjson:-", code=None).stderr)

    def test_notifications(self):
        def record(key: str, event: str = "ObjectCreated:Put") -> dict:
            return {"eventSource": "aws:s3", "eventName": event, "s3": {"bucket": {"name": self.bucket.name}, "object": {"key": s3_server.urllib.parse.quote_plus(key)}}}

        keys = [uri.removeprefix(self.bucket.uri()) for uri in sorted(self.wanted)]
        whole = {"Records": [record(key) for key in keys] + [record("gone", "ObjectRemoved:Delete")]}
        self.write("s3.json", json.dumps(whole, indent=1))
        self.write("lines.json", "".join(json.dumps({"Records": [record(key)]}) + "\n" for key in keys))
        self.write("eventbridge.json", "".join(json.dumps({"detail-type": "Object Created", "source": "aws.s3", "detail": {"bucket": {"name": self.bucket.name}, "object": {"key": key}}})
                                               for key in keys))
        self.write("sqs.json", json.dumps({"Messages": [{"Body": json.dumps({"Type": "Notification", "Message": json.dumps(whole)})}]}))
        for name in ("s3.json", "lines.json", "eventbridge.json", "sqs.json"):
            with self.subTest(name):
                self.assertEqual(self.read("--objects-from", name), self.wanted)
        self.write("other.json", '{"Records": []}')
        self.assertIn("neither", self.logmill("run", "--objects-from", "other.json", "--to", "ndjson:-", code=2).stderr)


if __name__ == "__main__":
    unittest.main()
