"""No S3 server: a stub that makes up a listing of any number of keys, and objects of any size, which no server could be filled with in a test's time. What S3 is, test_s3.py
asks of a real one; here only memory counts. Standard library only."""
import http.server
import re
import threading
import urllib.parse
import zlib

BASE = "AWSLogs/111122223333/vpcflowlogs/us-east-1/2026"
DAYS = [f"{BASE}/{month:02}/{day:02}/" for month in (1, 2, 3, 4) for day in range(1, 26)]


class Stub:
    """`keys`: how many the bucket has, spread over 100 days; each is `small`. `large(from)`: the bytes, from there on, in pieces, of the object `large`, which has `size`."""

    def __init__(self, keys: int = 0, small: bytes = b"", large=None, size: int = 0):
        self.per_day, self.small, self.pages = keys // len(DAYS), small, 0
        # What stands behind the day in a listing, which is the same each day: making it for every page is most of a test's time.
        self.rows = [f'111122223333_vpcflowlogs_us-east-1_fl-0a1b2c3d_{i:07}.log</Key><LastModified>2026-05-01T00:00:00.000Z</LastModified>'
                     f'<ETag>"{zlib.crc32(b"%d" % i):032x}"</ETag><Size>{len(small)}</Size><StorageClass>STANDARD</StorageClass></Contents>' for i in range(self.per_day)]
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path, _, query = self.path.partition("?")
                asked = dict(urllib.parse.parse_qsl(query))
                if "list-type" in asked:
                    return self.answer(stub.page(asked, size), {"Content-Type": "application/xml"})
                if not path.endswith("/large"):
                    return self.answer(stub.small, {"ETag": '"e"'})
                begin = int((re.match(r"bytes=(\d+)-", self.headers.get("Range", "")) or [0, 0])[1])
                self.send_response(206 if begin else 200)
                self.send_header("ETag", '"e"')
                self.send_header("Content-Length", str(size - begin))
                if begin:
                    self.send_header("Content-Range", f"bytes {begin}-{size - 1}/{size}")
                self.end_headers()
                for piece in large(begin):
                    self.wfile.write(piece)
                return None

            def answer(self, body: bytes, headers: dict) -> None:
                self.send_response(200)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_):
                pass  # a client that went away

        self.server = Server(("127.0.0.1", 0), Handler)
        self.endpoint = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def page(self, asked: dict, size: int) -> bytes:
        self.pages += 1
        prefix, most = asked.get("prefix", ""), int(asked["max-keys"])
        rows, token = [], ""
        if size and prefix == "large":
            rows.append(f'<Contents><Key>large</Key><ETag>"e"</ETag><Size>{size}</Size></Contents>')
        elif asked.get("delimiter") and prefix not in DAYS:
            names = {day[: day.index("/", len(prefix)) + 1] for day in DAYS if day.startswith(prefix)}
            rows += [f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>" for name in sorted(names)]
        else:
            days = [day for day in DAYS if day.startswith(prefix)]
            day, at = map(int, asked.get("continuation-token", "0-0").split("-"))
            while day < len(days) and len(rows) < most:
                end = min(self.per_day, at + most - len(rows))
                rows += [f"<Contents><Key>{days[day]}{row}" for row in self.rows[at:end]]
                day, at = (day + 1, 0) if end == self.per_day else (day, end)
            if day < len(days):
                token = f"<NextContinuationToken>{day}-{at}</NextContinuationToken>"
        return f"<ListBucketResult><IsTruncated>{'true' if token else 'false'}</IsTruncated>{token}{''.join(rows)}</ListBucketResult>".encode()
