"""az:// inputs, against the vendor's own server of blobs, which checks signatures, SAS and tokens (scripts/services/azure.sh): every blob is read, every page listed, rows
are complete whatever the network and the server do, and a blob that is still growing is read to its last whole record. Faults are made by a proxy before the server;
the services that give tokens are small ones of these tests."""
import gzip
import json
import os
import subprocess
import time
import unittest
import urllib.parse

import az_server
from az_server import ACCOUNT, Container, proxy
from e2e import flow_text
from store_case import FaultCase, StoreCase, cloudtrail


class AzCase(StoreCase):
    def environment(self, **more: str) -> dict:
        """Nothing of whoever runs the tests reaches the program but the server's address and its key."""
        own = ("AWS_", "AZURE_", "IDENTITY_", "SSL_", "REQUESTS_")
        kept = {name: value for name, value in super().environment().items() if not name.startswith(own) and not name.lower().endswith("_proxy")}
        return {name: value for name, value in {**kept, "AZURE_STORAGE_BLOB_ENDPOINT": az_server.ENDPOINT, "AZURE_STORAGE_KEY": az_server.KEY, **more}.items() if value != ""}

    def mirror(self, objects: dict) -> Container:
        """The same objects in a container and below self.dir/local."""
        container = Container()
        container.put_all(objects)
        for key, body in objects.items():
            self.write(f"local/{key}", body)
        return container


class Reading(AzCase):
    def test_a_container_gives_the_rows_of_the_same_files(self):
        objects = {f"AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/0{i % 9 + 1}/t{i}.json.gz": cloudtrail(i) for i in range(20)}
        objects |= {"plain/flow.log": flow_text(4_000, 7), "empty": b"", "notes.txt": b"nothing that a parser knows\n"}
        container = self.mirror(objects)
        local, local_stats = self.counted("local", code=3)
        remote, stats = self.counted(container.uri(), code=3)
        self.assertGreater(len(local), 4_000)
        self.same_rows(remote, local)
        for name in ("objects", "stored_bytes", "decoded_bytes", "rows_out", "rejects", "not_read_whole"):
            self.assertEqual(stats[name], local_stats[name], name)
        lineage = {(event["lineage"]["uri"], event["lineage"]["etag"]) for event in remote}
        self.assertIn(container.uri("plain/flow.log"), {uri for uri, _ in lineage})
        self.assertTrue(all(etag for _, etag in lineage))

    def test_every_key_that_is_legal_is_read(self):
        keys = ["a b", "a+b", "a=b&c", "a%2Fb", "ünïcödé/日本", "a//b", "q?x=1#f", "~-_.!*'()", "semi;colon,comma", "quote\"'<>&", "k" * 1024,
                "resourceId=/SUBSCRIPTIONS/A/y=2026/m=03/d=01/h=00/m=00/PT1H.json"]
        container = Container()
        container.put_all({key: cloudtrail(i, 2) for i, key in enumerate(keys)})
        events, stats = self.counted(container.uri())
        self.assertEqual({event["lineage"]["uri"] for event in events}, {container.uri(key) for key in keys})
        self.assertEqual(stats["objects"], len(keys))
        for key in ("a b", "a+b", "ünïcödé/日本", "q?x=1#f"):
            with self.subTest(prefix=key):
                self.assertEqual({event["lineage"]["uri"] for event in self.events(container.uri(key))}, {container.uri(key)})

    def test_a_listing_of_many_pages_is_read_whole_and_once(self):
        container = Container()
        container.put_all({f"{i:05d}.json.gz": cloudtrail(1, 1) for i in range(110)})
        # A SAS signs no query: the server is asked for shorter pages than logmill wants.
        with proxy(lambda request: ("target", request.target.replace("maxresults=1000", "maxresults=25")) if request.listing else None) as through:
            events, stats = self.counted(container.uri(), "--az-endpoint", az_server.endpoint(through), env={"AZURE_STORAGE_KEY": "", "AZURE_STORAGE_SAS_TOKEN": az_server.sas()})
            self.assertEqual(len({request.query["marker"] for request in through.requests if "marker" in request.query}), 4)
        self.assertEqual(stats["objects"], 110)
        self.assertEqual(len({event["lineage"]["uri"] for event in events}), 110)

    def test_a_listing_goes_on_behind_any_uri(self):
        keys = [f"resourceId=/SUBSCRIPTIONS/A/R/{r}/y=2026/m=03/d={day:02}/{i}" for r in "xy" for day in (1, 2) for i in range(12)]
        keys += [name for i in range(30) for name in (f"many{i}/a/b", f"flat-{i}", f"x/{i}.y")]
        container = Container()
        container.put_all({key: b"x" for key in keys})
        done = subprocess.run([os.environ["LOGMILL_BUILD"] + "/tests/source_resume", container.uri(), "61"], env=self.environment(), capture_output=True, text=True, check=False)
        self.assertEqual((done.stdout, done.stderr), (f"{len(keys)}\n", ""))

    def test_a_blob_that_is_gone_or_forbidden_is_its_own_result(self):
        container = Container()
        container.put_all({f"{i}.gz": cloudtrail(i) for i in range(5)})
        gone = []

        def fault(request):
            if request.key == "4.gz":
                return "status", 403, "AuthorizationPermissionMismatch"
            if not request.listing and not gone:
                gone.append(request.key)
                container.delete(request.key)

        with proxy(fault) as through:
            _, stats = self.counted(container.uri(), "--az-endpoint", az_server.endpoint(through), code=3)
        self.assertEqual(stats["objects"], 5)
        reports = {report["uri"]: report["reason"] for report in stats["reports"]}
        self.assertIn("404 BlobNotFound", reports[container.uri(gone[0])])
        self.assertIn("403 AuthorizationPermissionMismatch", reports[container.uri("4.gz")])
        self.assertEqual(len(reports), 2)

    def test_uris_in_a_list_are_read(self):
        container = Container()
        container.put_all({key: cloudtrail(i) for i, key in enumerate(("a b.gz", "é.gz", "not in the list.gz"))})
        uris = {container.uri(key) for key in ("a b.gz", "é.gz")}
        self.write("list", "\n".join([*uris, container.uri("gone")]))
        events, stats = self.counted("--objects-from", "list", code=3)
        self.assertEqual({event["lineage"]["uri"] for event in events}, uris)
        self.assertTrue(all(event["lineage"]["etag"] for event in events))
        self.assertEqual([report["uri"] for report in stats["reports"]], [container.uri("gone")])


class Growing(AzCase):
    """Append blobs, as Azure Monitor writes them."""
    KEY = "resourceId=/SUBSCRIPTIONS/A/y=2026/m=03/d=01/h=00/m=00/PT1H.json"

    def job(self, container: Container, code: int = 0) -> dict:
        self.logmill("run", container.uri(), "--to", "ndjson:out", "--state", "job.state", "--rejects", "rejects", "--stats", "stats.json", code=code)
        return self.stats()

    def rows(self) -> list[dict]:
        """What counts: rows of files that the manifest names, less what it says is superseded."""
        manifest = json.loads((self.dir / "out/_manifest.json").read_text())
        superseded = {(s["uri"], s["etag"], s["epoch"]) for s in manifest["superseded"]}
        rows = []
        for file in manifest["files"]:
            data = subprocess.run(["zstd", "-dc", self.dir / "out" / file["name"]], capture_output=True, check=True).stdout if file["name"].endswith("zst") else (
                self.dir / "out" / file["name"]).read_bytes()
            found = [json.loads(line) for line in data.splitlines()]
            rows += [row for row in found if (row["lineage"]["uri"], row["lineage"]["etag"], file["epoch"]) not in superseded]
        return rows

    def test_a_blob_that_grows_between_two_runs_is_read_again_and_counts_once(self):
        container, lines = Container(), flow_text(60).splitlines(keepends=True)
        container.append(self.KEY, b"".join(lines[:31]), create=True)
        self.assertEqual(self.job(container)["rows_out"], 30)
        self.assertEqual(self.job(container)["objects"], 0, "it has not grown")
        etag = container.append(self.KEY, b"".join(lines[31:]))
        self.assertEqual(self.job(container)["objects"], 1)
        rows = self.rows()
        self.assertEqual(len(rows), 60)
        self.assertEqual({row["lineage"]["etag"] for row in rows}, {etag})
        self.write("local/flow.log", b"".join(lines))
        self.same_rows(rows, self.events("local"))

    def test_a_line_that_is_not_whole_yet_is_told_and_read_when_it_is(self):
        container, lines = Container(), flow_text(20).splitlines(keepends=True)
        # Cut so that what is there would pass for a line: its last field is shorter.
        container.append(self.KEY, b"".join(lines[:11])[:-2], create=True)
        stats = self.job(container, code=3)
        self.assertEqual((stats["rows_out"], stats["rejects"], stats["not_read_whole"]["partly_read"]), (9, 1, 1))
        self.assertEqual({reject["code"] for reject in self.rejects()}, {"truncated", "partly_read"})
        for reject in self.rejects():
            self.assertIn("more may still be appended", reject["message"])
        container.append(self.KEY, lines[10][-2:] + b"".join(lines[11:]))
        self.job(container)
        self.write("local/flow.log", b"".join(lines))
        self.same_rows(self.rows(), self.events("local"))

    def test_a_json_record_that_is_not_whole_yet_is_told_too(self):
        container = Container()
        whole = json.dumps({"Records": json.loads(gzip.decompress(cloudtrail(1, 3)))["Records"]}).encode() + b"\n"
        container.append(self.KEY, whole + whole[:-400], create=True)
        events, stats = self.counted(container.uri(), "--rejects", "rejects", code=3)
        self.assertGreaterEqual(len(events), 5)
        self.assertEqual(stats["rejects"], 1)
        self.assertEqual([reject["code"] for reject in self.rejects()], ["truncated", "partly_read"])

    def test_a_block_blob_ends_where_it_ends(self):
        container = Container()
        container.put("flow.log", flow_text(20)[:-1])
        self.assertEqual(len(self.counted(container.uri())[0]), 20)

    def test_a_blob_that_grew_since_it_was_listed_is_read_as_it_is_now(self):
        container, lines = Container(), flow_text(60).splitlines(keepends=True)
        container.append(self.KEY, b"".join(lines[:31]), create=True)
        etags = []

        def fault(request):
            if not request.listing and request.method == "GET" and len(etags) < 2:  # it grows again before it is asked for the second time
                etags.append(container.append(self.KEY, b"".join(lines[31 + 10 * len(etags) : 41 + 10 * len(etags)])))

        with proxy(fault) as through:
            self.logmill("run", container.uri(), "--to", "ndjson:out", "--state", "job.state", "--az-endpoint", az_server.endpoint(through))
            self.assertTrue(all(request.headers.get("if-match") for request in through.requests if request.method == "GET" and not request.listing))
        rows = self.rows()
        self.assertEqual(len(rows), 50)
        self.assertEqual({row["lineage"]["etag"] for row in rows}, {etags[1]}, "rows and ledger say what was read")
        self.assertEqual(self.job(container)["objects"], 0, "the ledger knows it by its new ETag")

    def test_a_blob_that_grows_while_it_is_read_is_not_spliced(self):
        container = Container()
        container.append(self.KEY, flow_text(8_000), create=True)
        ended = []

        def fault(request):
            if request.listing or len(ended) == 2:
                return None
            ended.append(1)
            if len(ended) == 1:
                return "end", 900_000
            container.append(self.KEY, b"x\n")

        with proxy(fault) as through:
            events, stats = self.counted(container.uri(), "--az-endpoint", az_server.endpoint(through), code=3)
        self.assertEqual(len({event["lineage"]["etag"] for event in events}), 1)
        self.assertGreater(len(events), 1000)
        self.assertIn("changed since it was listed", stats["reports"][0]["reason"])


class Faults(FaultCase, AzCase):
    BUSY = ((503, "ServerBusy"), (500, "InternalError"), (502, ""), (429, "TooManyRequests"))
    OBJECTS = 12

    def proxy(self, fault):
        return proxy(fault)

    def flags(self, through) -> tuple:
        return "--az-endpoint", az_server.endpoint(through)


class Errors(AzCase):
    def refused(self, *arguments, code: int = 2, env: dict | None = None) -> str:
        done = self.logmill("run", *arguments, "--to", "ndjson:-", code=code, env=env)
        self.assertEqual(done.stdout, "")
        return done.stderr

    def test_what_cannot_be_listed_is_said_before_anything_is_read(self):
        container = Container()
        container.put("a", b"x")
        self.assertIn("403 Auth", self.refused(container.uri(), env={"AZURE_STORAGE_KEY": "aHVudGVyMg=="}))
        self.assertIn("404 ContainerNotFound", self.refused(f"az://{ACCOUNT}/no-such-container/"))
        self.assertIn("nothing begins with this", self.refused(container.uri("b")))
        self.assertIn("az://ACCOUNT/CONTAINER/PREFIX", self.refused("az://a b/c"))
        self.assertIn("no URL", self.refused(container.uri(), "--az-endpoint", "127.0.0.1:10000"))
        self.assertIn("no Base64", self.refused(container.uri(), env={"AZURE_STORAGE_KEY": "hunter2"}))
        nobody = {"AZURE_STORAGE_KEY": "", "AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:1"}
        text = self.refused(container.uri(), env=nobody | {"AZURE_STORAGE_ACCOUNT": "other", "AZURE_STORAGE_BLOB_ENDPOINT": ""})
        self.assertIn("no Azure credentials", text)
        self.assertIn("AZURE_STORAGE_ACCOUNT is 'other'", text)
        self.assertIn("--no-sign-request", text)
        self.assertIn("a token is not sent over http://", self.refused(container.uri(), "--az-endpoint", "http://192.0.2.1/x", env=nobody))

    def test_what_is_secret_is_in_no_message(self):
        container = Container()
        container.put_all({f"{i}.gz": cloudtrail(i) for i in range(3)})
        good = az_server.sas()
        signature = urllib.parse.parse_qs(good)["sig"][0]
        hidden = [signature, urllib.parse.quote(signature, safe=""), az_server.KEY, "hunter2"]
        env = {"AZURE_STORAGE_KEY": "", "AZURE_STORAGE_SAS_TOKEN": good}

        def echo(request):
            if request.key == "1.gz":
                return "status", 403, "AuthenticationFailed", {"x-ms-error-code": "Sent " + request.query["sig"] + " and " + urllib.parse.quote(request.query["sig"], safe="")}

        with proxy(echo) as through:
            done = self.logmill("run", container.uri(), "--to", "ndjson:out", "--az-endpoint", az_server.endpoint(through), "--stats", "stats.json", "--log-level", "trace",
                                "--rejects", "rejects", code=3, env=env)
            said = done.stdout + done.stderr + (self.dir / "stats.json").read_text() + json.dumps(self.rejects())
        said += self.refused(container.uri(), env={**env, "AZURE_STORAGE_SAS_TOKEN": az_server.sas(expires=-3600)})
        said += self.refused(container.uri(), env={**env, "AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=hunter2 x"})
        said += self.refused(container.uri() + "?sv=1&sig=hunter2")
        said += self.refused(f"az://{ACCOUNT}?sv=1&sig=hunter2")
        said += self.refused(container.uri(), "--az-endpoint", "https://127.0.0.1:1/x?sv=1&sig=hunter2")
        said += self.refused(container.uri(), env={"AZURE_STORAGE_CONNECTION_STRING": "AccountKey=hunter2"})
        self.write("list", container.uri() + "?sv=1&sig=hunter2\n")
        said += self.logmill("run", "--objects-from", "list", "--to", "ndjson:-", code=None).stderr
        self.assertIn("Sent (hidden) and (hidden)", said)
        for secret in hidden:
            self.assertNotIn(secret, said)


class Credentials(AzCase):
    """Each place that users of the Azure CLI and SDKs know gives what the server accepts; nothing else would be answered."""
    NONE = {"AZURE_STORAGE_KEY": ""}

    def setUp(self):
        super().setUp()
        self.container = Container()
        self.container.put_all({f"{i}.gz": cloudtrail(i, 1) for i in range(5)})

    def reads(self, *flags: str, **env: str) -> None:
        self.assertEqual(len(self.events(self.container.uri(), *flags, env={**self.NONE, **env})), 5)

    def test_a_sas(self):
        self.reads(AZURE_STORAGE_SAS_TOKEN=az_server.sas())
        self.reads(AZURE_STORAGE_SAS_TOKEN="?" + az_server.sas(), AZURE_STORAGE_ACCOUNT=ACCOUNT)

    def test_a_connection_string(self):
        key = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={az_server.KEY};BlobEndpoint={az_server.ENDPOINT};"
        self.reads(AZURE_STORAGE_CONNECTION_STRING=key, AZURE_STORAGE_BLOB_ENDPOINT="")
        self.reads(AZURE_STORAGE_CONNECTION_STRING=f"BlobEndpoint={az_server.ENDPOINT};SharedAccessSignature={az_server.sas()}", AZURE_STORAGE_BLOB_ENDPOINT="")
        self.reads(AZURE_STORAGE_CONNECTION_STRING="AccountName=other;AccountKey=aHVudGVyMg==", AZURE_STORAGE_KEY=az_server.KEY)

    def test_public_containers_are_read_without_credentials(self):
        public = Container(x_ms_blob_public_access="container")
        public.put("a.gz", cloudtrail(1))
        self.assertEqual(len(self.events(public.uri(), "--no-sign-request", env=self.NONE)), 5)
        with proxy(lambda request: None) as through:
            done = self.logmill("run", self.container.uri(), "--no-sign-request", "--az-endpoint", az_server.endpoint(through), "--to", "ndjson:-", code=2)
            self.assertIn("not signed", done.stderr)
            self.assertTrue(all("authorization" not in request.headers and "sig" not in request.query for request in through.requests))

    # Tokens are believed by the server that speaks TLS.
    def secure(self) -> dict:
        self.container = Container(secure=True)
        self.container.put_all({f"{i}.gz": cloudtrail(i, 1) for i in range(5)})
        return {"AZURE_STORAGE_BLOB_ENDPOINT": az_server.TLS_ENDPOINT, "SSL_CERT_FILE": az_server.CA}

    def test_tls_is_verified(self):
        env = self.secure()
        self.reads(**env, AZURE_STORAGE_KEY=az_server.KEY)
        done = self.logmill("run", self.container.uri(), "--to", "ndjson:-", code=2, env={**env, "SSL_CERT_FILE": ""})
        self.assertIn("SSL", done.stderr)

    def test_a_machine_by_imds(self):
        def respond(method, path, headers, body):
            query = dict(urllib.parse.parse_qsl(path.partition("?")[2]))
            if headers.get("Metadata") != "true" or query.get("resource") != "https://storage.azure.com/" or query.get("api-version") != "2018-02-01":
                return 400, ""
            if len(self.asked) == 1:
                return 404, '{"error":"not_ready"}'  # while it is being set up
            return 200, json.dumps({"access_token": az_server.token(), "expires_in": "3600", "expires_on": str(int(time.time()) + 3600), "client_id": query.get("client_id", "")})

        env = self.secure()
        with self.service(respond) as address:
            self.reads(**env, AZURE_POD_IDENTITY_AUTHORITY_HOST=address + "/", AZURE_CLIENT_ID="the-client")
            self.assertTrue(all("client_id=the-client" in path for _, path, _ in self.asked))
            self.assertEqual(len(self.asked), 2, "a token that holds is asked for once")

    def test_app_service_and_container_apps(self):
        def respond(method, path, headers, body):
            good = headers.get("X-IDENTITY-HEADER") == "the secret" and "resource=https%3A%2F%2Fstorage.azure.com%2F" in path and "api-version=2019-08-01" in path
            return (200, json.dumps({"access_token": az_server.token(), "expires_on": int(time.time()) + 3600})) if good and path.startswith("/msi/token?") else (403, "")

        env = self.secure()
        with self.service(respond) as address:
            self.reads(**env, IDENTITY_ENDPOINT=address + "/msi/token", IDENTITY_HEADER="the secret")
        done = self.logmill("run", self.container.uri(), "--to", "ndjson:-", code=2,
                            env={**self.NONE, **env, "IDENTITY_ENDPOINT": "http://example.com/msi/token", "IDENTITY_HEADER": "the secret"})
        self.assertIn("addresses of this machine", done.stderr)

    def test_a_workload_and_an_application(self):
        self.write("token", "the assertion\n")

        def respond(method, path, headers, body):
            fields = dict(urllib.parse.parse_qsl(body))
            good = (method == "POST" and path == "/the-tenant/oauth2/v2.0/token" and fields["scope"] == "https://storage.azure.com/.default"
                    and fields["grant_type"] == "client_credentials" and fields["client_id"] == "the-client")
            by = fields.get("client_secret") == "the secret" or (fields.get("client_assertion") == "the assertion" and fields.get("client_assertion_type", "").endswith("jwt-bearer"))
            return (200, json.dumps({"token_type": "Bearer", "access_token": az_server.token(), "expires_in": 3599})) if good and by else (
                401, json.dumps({"error": "invalid_client", "error_description": "no such client"}))

        env = self.secure()
        with self.service(respond) as address:
            who = {**env, "AZURE_TENANT_ID": "the-tenant", "AZURE_CLIENT_ID": "the-client", "AZURE_AUTHORITY_HOST": address + "/"}
            self.reads(**who, AZURE_FEDERATED_TOKEN_FILE=str(self.dir / "token"))
            self.reads(**who, AZURE_CLIENT_SECRET="the secret")
            done = self.logmill("run", self.container.uri(), "--to", "ndjson:-", code=2, env={**self.NONE, **who, "AZURE_CLIENT_SECRET": "hunter2"})
            self.assertIn("401 invalid_client: no such client", done.stderr)
            self.assertNotIn("hunter2", done.stderr)
            done = self.logmill("run", self.container.uri(), "--to", "ndjson:-", code=2, env={**self.NONE, **who, "AZURE_FEDERATED_TOKEN_FILE": "/nowhere"})
            self.assertIn("cannot be read", done.stderr)

    def test_tokens_are_fetched_again_before_they_expire_and_when_they_are_refused(self):
        holds = [200]
        env = self.secure()

        def respond(*_):
            return 200, json.dumps({"access_token": az_server.token(), "expires_in": holds[0]})

        with self.service(respond) as address:
            self.reads(**env, AZURE_POD_IDENTITY_AUTHORITY_HOST=address)
            self.assertGreater(len(self.asked), 1, "those that hold for minutes only are not kept")
            holds[0] = 3600
            self.asked.clear()
            said = []

            def fault(request):
                if request.key == "3.gz" and not said:
                    said.append(1)
                    return "status", 401, "InvalidAuthenticationInfo"

            with proxy(fault, secure=True) as through:
                self.reads(AZURE_POD_IDENTITY_AUTHORITY_HOST=address, AZURE_STORAGE_BLOB_ENDPOINT=az_server.endpoint(through))
            self.assertEqual(len(self.asked), 2)


class Listing(AzCase):
    SUBSCRIPTIONS = ("01234567-89AB-CDEF-0123-456789ABCDEF", "11111111-89AB-CDEF-0123-456789ABCDEF")
    DAYS = ("y=2025/m=12/d=31", "y=2026/m=02/d=27", "y=2026/m=02/d=28", "y=2026/m=03/d=01", "y=2026/m=03/d=02", "y=2026/m=03/d=03", "y=2027/m=01/d=01")

    def layout(self) -> Container:
        objects = {}
        for subscription in self.SUBSCRIPTIONS:
            for vault in ("V1", "V2"):
                for day in self.DAYS:
                    objects[f"resourceId=/SUBSCRIPTIONS/{subscription}/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/{vault}/{day}/h=10/m=00/PT1H.json"] = flow_text(2)
        for day in self.DAYS:
            objects[f"flowLogResourceID=/{self.SUBSCRIPTIONS[0]}_NETWORKWATCHERRG/NETWORKWATCHER_WESTEUROPE_X/{day}/h=10/m=00/macAddress=0022487BC205/PT1H.json"] = flow_text(2)
        objects["other/2020/01/01/x.json"] = flow_text(2)
        return self.mirror(objects)

    def test_names_that_rule_themselves_out_are_neither_read_nor_listed(self):
        container = self.layout()
        flags = ("--since", "2026-03-01T00:00:00Z", "--until", "2026-03-02T00:00:00Z", "--account", self.SUBSCRIPTIONS[0].lower())
        with proxy(lambda request: None) as through:
            self.logmill("run", container.uri(), "--to", "ndjson:out", "--az-endpoint", az_server.endpoint(through), *flags, code=None)
            read = {request.key for request in through.requests if not request.listing}
            listed = [request.query.get("prefix", "") for request in through.requests if request.listing]
        self.assertEqual(len(read), 3 * 3 + 1, "the day, and one for what is late, of three resources; and what says nothing")
        self.assertEqual({day for day in self.DAYS for key in read if day in key}, {"y=2026/m=02/d=28", "y=2026/m=03/d=01", "y=2026/m=03/d=02"})
        self.assertFalse([prefix for prefix in listed if self.SUBSCRIPTIONS[1] in prefix or "y=2025" in prefix or "y=2027" in prefix or "d=27" in prefix or "d=03" in prefix])
        self.logmill("run", "local", "--to", "ndjson:near", "--stats", "stats.json", *flags, code=None)
        self.assertEqual(self.stats()["objects"], len(read), "the same names rule the same files out")

    def test_without_a_filter_nothing_is_walked(self):
        container = self.layout()
        with proxy(lambda request: None) as through:
            self.logmill("run", container.uri(), "--to", "ndjson:out", "--stats", "stats.json", "--az-endpoint", az_server.endpoint(through), code=None)
            self.assertLess(len([request for request in through.requests if request.listing]), 10)
        self.assertEqual(self.stats()["objects"], 5 * len(self.DAYS) + 1)

    def test_a_plan_groups_by_subscription_and_day_and_opens_nothing(self):
        container = self.layout()
        with proxy(lambda request: None) as through:
            done = self.logmill("plan", container.uri(), "--since", "2026-03-01", "--format", "json", "--az-endpoint", az_server.endpoint(through))
            self.assertTrue(all(request.listing for request in through.requests))
        plan = json.loads(done.stdout)
        groups = {(group["account"] or "", group["region"] or "", group["day"] or ""): group["objects"] for group in plan["groups"]}
        days = ("2026-02-28", "2026-03-01", "2026-03-02", "2026-03-03", "2027-01-01")
        expected = {(subscription, "", day): 2 for subscription in self.SUBSCRIPTIONS for day in days}
        expected |= {(self.SUBSCRIPTIONS[0], "WESTEUROPE", day): 1 for day in days} | {("", "", ""): 1}
        self.assertEqual(groups, expected)


if __name__ == "__main__":
    unittest.main()
