"""The S3 server of these tests, started by scripts/services/s3.sh, as they fill it: a client of its own, with a signer that shares nothing with logmill's.
Also a proxy that does to answers what networks and busy servers do. Standard library only."""
import concurrent.futures
import datetime
import hashlib
import hmac
import http.client
import os
import shutil
import socket
import socketserver
import ssl
import threading
import urllib.parse
import uuid
import xml.etree.ElementTree

import killing

ENDPOINT = os.environ.get("LOGMILL_S3_ENDPOINT", "")
KEY = os.environ.get("AWS_ACCESS_KEY_ID", "")
SECRET = os.environ.get("AWS_SECRET_ACCESS_KEY", "")
HOST = ENDPOINT.removeprefix("http://")


def request(*arguments, **more) -> tuple[int, bytes]:
    answer, body = ask(*arguments, **more)
    return answer.status, body


def ask(method: str, path: str, query: str = "", body: bytes = b"", **more: str) -> tuple[http.client.HTTPResponse, bytes]:
    """`path` and `query` as they are sent, encoded; `more`: headers, with _ for -."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    signed = {"host": HOST, "x-amz-content-sha256": digest, "x-amz-date": now}
    signed |= {name.replace("_", "-"): value for name, value in more.items()}
    signed = dict(sorted(signed.items()))
    names = ";".join(signed)
    canonical = "\n".join([method, path, query, *(f"{name}:{value}" for name, value in signed.items()), "", names, digest])
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    key = ("AWS4" + SECRET).encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    headers = {**signed, "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/{scope},SignedHeaders={names},Signature={signature}"}
    # A busy machine may keep the server from answering for a minute; what is asked here can be asked again.
    for attempt in range(5):
        _local.connection = getattr(_local, "connection", None) or http.client.HTTPConnection(HOST, timeout=60)
        try:
            _local.connection.request(method, path + ("?" + query if query else ""), body or None, headers)
            answer = _local.connection.getresponse()
            return answer, answer.read()
        except (OSError, http.client.HTTPException):
            _local.connection = None
            if attempt == 4:
                raise
    raise AssertionError("not reached")


_local = threading.local()


class Bucket:
    def __init__(self, name: str = "", **headers: str):
        self.name = name or f"logs-{uuid.uuid4().hex[:12]}"
        self.must(request("PUT", f"/{self.name}", **headers))

    def must(self, answer: tuple[int, bytes]) -> None:
        assert answer[0] < 300, answer

    def path(self, key: str | bytes) -> str:
        return f"/{self.name}/" + urllib.parse.quote(key, safe="/~")

    def put(self, key: str | bytes, body: bytes, **headers: str) -> None:
        self.must(request("PUT", self.path(key), body=body, **headers))

    def put_all(self, objects: dict, threads: int = 8) -> None:
        items = list(objects.items())

        def some(part: list) -> None:
            for key, body in part:
                self.put(key, body)
            if connection := getattr(_local, "connection", None):
                connection.close()

        workers = [threading.Thread(target=some, args=(items[i::threads],)) for i in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def get(self, key: str) -> bytes:
        answer = request("GET", self.path(key))
        self.must(answer)
        return answer[1]

    def encryption(self, key: str) -> tuple[str, str]:
        """How the server says that the object is encrypted, and by which key."""
        answer, body = ask("GET", self.path(key))
        self.must((answer.status, body))
        return answer.headers["x-amz-server-side-encryption"], answer.headers["x-amz-server-side-encryption-aws-kms-key-id"]

    def listed(self, what: str, query: dict) -> list[str]:
        """Every text of the elements named `what`, on all pages of a listing by keys."""
        found, more = [], {}
        while True:
            asked = "&".join(f"{name}={urllib.parse.quote(value, safe='')}" for name, value in sorted({**query, **more}.items()))
            answer = request("GET", f"/{self.name}", asked)
            self.must(answer)
            root = xml.etree.ElementTree.fromstring(answer[1])
            texts = {}
            for element in root.iter():
                texts.setdefault(element.tag.rpartition("}")[2], []).append(element.text or "")
            found += texts.get(what, [])
            if texts.get("IsTruncated") != ["true"]:
                return found
            more = {"continuation-token": texts["NextContinuationToken"][0]} if "list-type" in query else {
                "key-marker": texts["NextKeyMarker"][0], "upload-id-marker": texts["NextUploadIdMarker"][0]}

    def keys(self, prefix: str = "") -> list[str]:
        return self.listed("Key", {"list-type": "2", "prefix": prefix})

    def uploads(self) -> list[str]:
        """The keys of multipart uploads that are open."""
        return self.listed("Key", {"uploads": ""})

    def download(self, folder, prefix: str = "") -> None:
        keys = self.keys(prefix)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for key, body in zip(keys, pool.map(self.get, keys)):
                path = folder / key.removeprefix(prefix).lstrip("/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(body)

    def delete(self, key: str) -> None:
        self.must(request("DELETE", self.path(key)))

    def uri(self, prefix: str = "") -> str:
        return f"s3://{self.name}/{prefix}"


class S3Job(killing.Job):
    """Writes to a bucket of its own."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.bucket = Bucket()
        self.env = {**self.env, "AWS_ENDPOINT_URL_S3": ENDPOINT, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_EC2_METADATA_DISABLED": "true"}

    def target(self, folder: str) -> str:
        return self.bucket.uri(f"a b/{folder}")

    def fetch(self) -> None:
        for folder in ("rows", "lake"):
            shutil.rmtree(self.folder / folder, ignore_errors=True)
        self.bucket.download(self.folder, "a b/")

    def remove(self) -> None:
        """From the server too, which holds everything in memory."""
        super().remove()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(self.bucket.delete, self.bucket.keys()))

    def check_nothing_open(self) -> None:
        killing.expect(not self.bucket.uploads(), f"uploads are open: {self.bucket.uploads()}")


class Request:
    def __init__(self, method: str, target: str, headers: dict, number: int, depth: int):
        self.method, self.target, self.headers, self.number = method, target, headers, number
        path, _, query = target.partition("?")
        self.key = urllib.parse.unquote(path).split("/", depth)[-1]
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.listing = "list-type" in self.query or self.query.get("comp") == "list"


class Proxy:
    """Between logmill and the server. `fault(request)` answers None, or what goes wrong, as a tuple:
    ("status", 503, "SlowDown"[, headers])  instead of the server's answer;  ("reset",)  before there is one;  ("cut", n) after n bytes of the body, by a
    reset, which may take some of them with it;  ("end", n) after n bytes, in good order;
    ("lost",) the server has answered, and the connection breaks;  ("early", n) it breaks after n bytes of what is sent;
    ("length", +n) the header says n more, or fewer, than there are;  ("slow", n) in pieces of n bytes;  ("stall", n) silence after n bytes;
    ("target", text) the server is asked for something else."""

    def __init__(self, fault, certificate=None, connect=False, upstream=HOST, upstream_tls=None, depth=2):
        """`certificate`: a file with a key and its certificate; the proxy then speaks TLS. `connect`: as one that clients ask to CONNECT them.
        `upstream`: the server, by its host and port, and `upstream_tls` how it is believed. `depth`: names in a path up to the key, and one."""
        self.depth = depth
        self.dial = lambda: http.client.HTTPSConnection(upstream, timeout=60, context=upstream_tls) if upstream_tls else http.client.HTTPConnection(upstream, timeout=60)
        self.requests: list[Request] = []
        self.connections = 0
        self.connected: list[str] = []
        self.lock = threading.Lock()
        self.fault = fault
        proxy = self
        tls = None
        if certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with proxy.lock:
                    proxy.connections += 1
                client = self.request
                if connect:
                    asked = b""
                    while not asked.endswith(b"\r\n\r\n"):
                        asked += client.recv(1)
                    proxy.connected.append(asked.split()[1].decode())
                    client.sendall(b"HTTP/1.1 200 x\r\n\r\n")
                proxy.serve(tls.wrap_socket(client, server_side=True) if tls else client)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 256
            allow_reuse_address = True

            def handle_error(self, *_):
                pass  # a client that went away

        self.server = Server(("127.0.0.1", 0), Handler)
        self.host = "127.0.0.1:%d" % self.server.server_address[1]
        self.endpoint = ("https://" if tls else "http://") + self.host
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def serve(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = client.makefile("rb")
        upstream = self.dial()
        while line := reader.readline():
            method, target, _ = line.decode("latin-1").split(" ", 2)
            headers = http.client.parse_headers(reader)
            with self.lock:
                asked = Request(method, target, {name.lower(): value for name, value in headers.items()}, len(self.requests), self.depth)
                self.requests.append(asked)
                fault = self.fault(asked) or ("none",)
            length = int(headers.get("Content-Length") or 0)
            sent = reader.read(min(length, fault[1]) if fault[0] == "early" else length)
            if fault[0] in ("reset", "early"):
                return reset(client)
            if fault[0] == "status":
                body = f"<Error><Code>{fault[2]}</Code><Message>injected</Message></Error>".encode() if fault[2] else b""
                extra = "".join(f"{name}: {value}\r\n" for name, value in (fault[3] if len(fault) > 3 else {}).items())
                client.sendall(f"HTTP/1.1 {fault[1]} x\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body)
                continue
            upstream.putrequest(method, fault[1] if fault[0] == "target" else target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                upstream.putheader(name, value)
            upstream.endheaders(sent or None)
            answer = upstream.getresponse()
            body = answer.read()
            if fault[0] == "lost":
                return reset(client)
            length = int(answer.getheader("Content-Length") or 0) if method == "HEAD" else len(body) + (fault[1] if fault[0] == "length" else 0)
            kept = [f"{name}: {value}" for name, value in answer.getheaders() if name.lower() not in ("content-length", "transfer-encoding", "connection")]
            client.sendall("\r\n".join([f"HTTP/1.1 {answer.status} x", f"Content-Length: {length}", *kept, "", ""]).encode("latin-1"))
            if fault[0] == "cut":
                client.sendall(body[: fault[1]])
                return reset(client)
            if fault[0] == "end":
                client.sendall(body[: fault[1]])
                return None
            if fault[0] == "stall":
                client.sendall(body[: fault[1]])
                client.settimeout(60)
                reader.read(1)  # until the client gives up
                return None
            if fault[0] == "slow":
                for at in range(0, len(body), fault[1]):
                    client.sendall(body[at : at + fault[1]])
                    threading.Event().wait(0.001)
            else:
                client.sendall(body)
            if fault[0] == "length" and fault[1] > 0:
                return None  # and the connection ends
        return None


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    client.close()


