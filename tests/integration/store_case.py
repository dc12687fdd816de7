"""What the tests of object stores share: the same rows from far and near, and small services that give credentials."""
import contextlib
import gzip
import http.server
import json
import random
import threading
from collections import Counter

from e2e import Case, flow_text, trail
from s3_server import Proxy


def cloudtrail(seed: int, count: int = 5) -> bytes:
    return gzip.compress(json.dumps({"Records": trail(seed, count)}).encode(), 1)


class StoreCase(Case):
    def setUp(self):
        super().setUp()
        self.asked: list[tuple] = []  # of service()

    def counted(self, *arguments, code: int = 0, **more) -> tuple[list[dict], dict]:
        events = self.events(*arguments, "--stats", "stats.json", code=code, **more)
        return events, self.stats()

    def same_rows(self, remote: list[dict], local: list[dict]) -> None:
        """But for the uri, the ETag and what is made of them."""

        def plain(event: dict) -> str:
            event = json.loads(json.dumps(event))
            event["metadata"].pop("uid", None), event["metadata"].pop("log_source", None)
            event["lineage"].pop("uri", None), event["lineage"].pop("etag", None)
            return json.dumps(event, sort_keys=True)

        there, here = Counter(map(plain, remote)), Counter(map(plain, local))
        lost, new = here - there, there - here
        self.assertTrue(not lost and not new, f"{lost.total()} rows lost, {new.total()} new:\n{next(iter(lost), '')}\n{next(iter(new), '')}")

    @contextlib.contextmanager
    def service(self, respond):
        """respond(method, path, headers, body) -> (status, text). Answers its address."""
        case = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                case.asked.append((self.command, self.path, body))
                status, text = respond(self.command, self.path, self.headers, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            do_PUT = do_POST = do_GET

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield "http://127.0.0.1:%d" % server.server_address[1]
        finally:
            server.shutdown()
            server.server_close()


class FaultCase:
    """Beside a StoreCase: what networks and busy servers do. The class below has mirror(), proxy(fault), flags(proxy), and BUSY: answers that pass."""
    OBJECTS = 30

    def setUp(self):
        super().setUp()
        self.objects = {f"{i:03d}.json.gz": cloudtrail(i, 8) for i in range(self.OBJECTS)}
        self.objects["flow.log"] = flow_text(4_000, 3)
        self.bucket = self.mirror(self.objects)
        self.local = self.events("local")

    def survives(self, fault, **more) -> Proxy:
        with self.proxy(fault) as proxy:
            remote, stats = self.counted(self.bucket.uri(), *self.flags(proxy), **more)
            self.same_rows(remote, self.local)
            self.assertEqual(stats["objects"], len(self.objects))
            return proxy

    def each_first(self, *fault):
        """The fault at the first request of each object and at the first listing."""
        seen, lock = set(), threading.Lock()

        def decide(request):
            with lock:
                if request.key in seen:
                    return None
                seen.add(request.key)
                return fault

        return decide

    def test_answers_of_a_busy_server_are_tried_again(self):
        for status, code in self.BUSY:
            with self.subTest(status=status, code=code):
                self.survives(self.each_first("status", status, code))

    def test_connections_that_break_before_an_answer(self):
        self.survives(self.each_first("reset"))

    def test_bodies_that_are_cut_go_on_where_they_broke_and_of_the_same_etag(self):
        proxy = self.survives(self.each_first("cut", 333))
        ranges = [request for request in proxy.requests if "range" in request.headers]
        self.assertGreaterEqual(len(ranges), len(self.objects))
        self.assertEqual({request.headers["range"] for request in ranges}, {"bytes=333-"})
        self.assertTrue(all(request.headers["if-match"].strip('"') for request in ranges))

    def test_a_long_body_is_cut_again_and_again(self):
        cuts = [0]

        def fault(request):
            if request.key == "flow.log" and cuts[0] < 12:
                cuts[0] += 1
                return "cut", 50_000

        self.survives(fault)
        self.assertEqual(cuts[0], 12)

    def test_lengths_that_are_wrong_lose_nothing(self):
        self.survives(self.each_first("length", 100))
        self.survives(self.each_first("length", -100))

    def test_slow_bodies_are_waited_for(self):
        self.survives(lambda request: ("slow", 2000))

    def test_one_fault_in_five_of_all_kinds(self):
        rng, lock = random.Random(7), threading.Lock()

        def fault(request):
            with lock:
                if rng.random() < 0.2:
                    return rng.choice([("status", 503, self.BUSY[0][1]), ("status", 500, ""), ("reset",), ("cut", 50), ("cut", 0), ("length", 10), ("length", -10)])

        self.survives(fault)
