"""A strict stub of Elasticsearch's bulk API: no search engine, but it takes only what is right to the letter, keeps documents by id, and fails as it is told.
The real server is in tests/integration. Standard library only."""
import base64
import gzip
import http.server
import json
import re
import socket
import ssl
import threading
import urllib.parse
from collections import Counter


class Stub:
    """`fault(stub, number, ids)` answers None or what to do with the bulk request of that number: ("status", 503), ("items", {id: (status, type, reason)}),
    ("cut",) for an answer that breaks off, ("short",) for one that is whole HTTP and half an answer, ("lost",) for none, all after half of the documents were stored: nobody is told which. `allow(headers, method, target, body)`: who may ask."""

    def __init__(self, fault=None, allow=None, certificate=None, largest=1 << 40, port=0):
        self.fault, self.allow, self.largest = fault, allow, largest
        self.documents: dict[str, dict[str, dict]] = {}
        self.requests: list[tuple[str, list[str], int]] = []  # index, ids, bytes
        self.created, self.wrong, self.headers = Counter(), [], []
        self.templates: dict[str, dict] = {}
        self.pipelines: set[str] = set()
        self.connections = 0
        self.lock = threading.Lock()
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self):
                super().setup()
                with stub.lock:
                    stub.connections += 1

            def log_message(self, *_):
                pass

            def reply(self, status, body, cut=False, short=False):
                text = json.dumps(body).encode()
                text = text[: len(text) // 2] if short else text
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text[: len(text) // 2] if cut else text)
                if cut:
                    self.close()

            def close(self):
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

            def do_GET(self):
                self.answer(b"")

            def do_POST(self):
                self.answer(self.rfile.read(int(self.headers["Content-Length"])))

            def do_PUT(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                match = re.fullmatch(r"/_index_template/([a-z0-9._-]+)", self.path)
                if not stub.expect(match is not None and self.headers.get("Content-Type") == "application/json", f"PUT {self.path}"):
                    return self.reply(400, {"error": "no such path"})
                with stub.lock:
                    stub.templates[match[1]] = json.loads(body)
                return self.reply(200, {"acknowledged": True})

            def answer(self, body):
                with stub.lock:
                    stub.headers.append(dict(self.headers))
                if stub.allow and not stub.allow(self.headers, self.command, self.path, body):
                    return self.reply(401, {"error": {"type": "security_exception", "reason": "missing authentication credentials"}, "status": 401})
                if self.command == "GET":
                    return self.reply(200, {"version": {"number": "0.0.0"}})
                return stub.bulk(self, body)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", port), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def expect(self, right, what):
        if not right:
            with self.lock:
                self.wrong.append(what)
        return right

    def parse(self, handler, body):
        """[(id, document)], or None; what is wrong is kept."""
        if handler.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.expect(handler.headers.get("Content-Type") == "application/x-ndjson", "content type")
        lines = body.split(b"\n")
        self.expect(lines.pop() == b"" and len(lines) % 2 == 0 and lines, "a body ends with a newline and has pairs of lines")
        out = []
        for action, row in zip(lines[::2], lines[1::2]):
            action, row = json.loads(action), json.loads(row)
            name = action.get("create", {}).get("_id", "")
            self.expect(action == {"create": {"_id": name}} and 0 < len(name) <= 512, f"action {action}")
            event = row.get("ocsf", row)
            self.expect(event["metadata"]["uid"] == name and row["@timestamp"] == event["time"], f"document {name}")
            out.append((name, row))
        self.expect(len({name for name, _ in out}) == len(out), "an id is twice in one request")
        return out, len(body)

    def bulk(self, handler, body):
        address = urllib.parse.urlsplit(handler.path)
        match = re.fullmatch(r"/([a-z0-9][a-z0-9._-]*)/_bulk", address.path)
        if not self.expect(match is not None, f"path {handler.path}"):
            return handler.reply(400, {"error": "no such path"})
        self.pipelines.update(urllib.parse.parse_qs(address.query).get("pipeline", [""]))
        rows, size = self.parse(handler, body)
        ids = [name for name, _ in rows]
        with self.lock:
            number = len(self.requests)
            self.requests.append((match[1], ids, size))
        if size > self.largest:
            return handler.reply(413, {"Message": "Request size exceeded"})
        fault = self.fault(self, number, ids) if self.fault else None
        if fault and fault[0] == "status":
            return handler.reply(fault[1], {"error": {"type": "es_rejected_execution_exception", "reason": "no room"}, "status": fault[1]})
        special = fault[1] if fault and fault[0] == "items" else {}
        if fault and fault[0] in ("cut", "short", "lost"):
            special = {name: (429, "es_rejected_execution_exception", "no room") for name in ids[len(ids) // 2 :]}
        items = []
        with self.lock:
            index = self.documents.setdefault(match[1], {})
            for name, row in rows:
                if name in special:
                    status, kind, reason = special[name]
                    items.append({"create": {"status": status, "error": {"type": kind, "reason": reason}}})
                elif name in index:
                    items.append({"create": {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "document already exists"}}})
                else:
                    index[name] = row
                    self.created[name] += 1
                    items.append({"create": {"status": 201}})
        if fault and fault[0] == "lost":
            return handler.close()
        return handler.reply(200, {"errors": any("error" in item["create"] for item in items), "items": items}, cut=bool(fault and fault[0] == "cut"),
                             short=bool(fault and fault[0] == "short"))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
