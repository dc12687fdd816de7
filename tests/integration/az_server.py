"""The servers of Azure's blobs of these tests, started by scripts/services/azure.sh, as they fill them: a client of its own, with a signer that shares nothing with
logmill's. Standard library only."""
import base64
import datetime
import email.utils
import hashlib
import hmac
import http.client
import json
import os
import ssl
import threading
import time
import urllib.parse
import uuid

from s3_server import Proxy

ACCOUNT = "devstoreaccount1"
ENDPOINT = os.environ.get("LOGMILL_AZ_ENDPOINT", "")
TLS_ENDPOINT = os.environ.get("LOGMILL_AZ_TLS_ENDPOINT", "")
CA = os.environ.get("LOGMILL_AZ_CA", "")
KEY = os.environ.get("LOGMILL_AZ_KEY", "")
HOST = urllib.parse.urlsplit(ENDPOINT).netloc
TLS_HOST = urllib.parse.urlsplit(TLS_ENDPOINT).netloc
VERSION = "2021-12-02"

_local = threading.local()


def hmac_of(text: str) -> str:
    return base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)).decode()


def tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=CA)


def request(method: str, path: str, query: dict | None = None, body: bytes = b"", secure: bool = False, **more: str) -> tuple[int, bytes, dict]:
    """`path` as it is sent, encoded, behind the account; `more`: headers, with _ for -."""
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    headers |= {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": VERSION}
    query = query or {}
    path = f"/{ACCOUNT}{path}"
    standard = ["", "", str(len(body)) if body else "", "", "application/octet-stream" if body else "", "", "", headers.get("if-match", ""), "", "", ""]
    own = [f"{name}:{value}" for name, value in sorted(headers.items()) if name.startswith("x-ms-")]
    text = "\n".join([method, *standard, *own, f"/{ACCOUNT}{path}", *(f"{name}:{value}" for name, value in sorted(query.items()))])
    if body:
        headers["Content-Type"] = "application/octet-stream"
    if method == "PUT":
        headers["Content-Length"] = str(len(body))
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{hmac_of(text)}"
    name = "tls" if secure else "plain"
    connection = getattr(_local, name, None) or (http.client.HTTPSConnection(TLS_HOST, timeout=60, context=tls()) if secure else http.client.HTTPConnection(HOST, timeout=60))
    setattr(_local, name, connection)
    for last in (False, True):
        try:
            connection.request(method, path + ("?" + urllib.parse.urlencode(query) if query else ""), body or None, headers)
            answer = connection.getresponse()
            break
        except http.client.RemoteDisconnected:  # it was idle for long
            if last:
                raise
            connection.close()
    return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}


class Container:
    def __init__(self, secure: bool = False, **headers: str):
        self.name, self.secure = f"logs-{uuid.uuid4().hex[:12]}", secure
        self.must("PUT", f"/{self.name}", {"restype": "container"}, **headers)

    def must(self, *arguments, **more) -> dict:
        status, body, headers = request(*arguments, secure=self.secure, **more)
        assert status < 300, (status, body)
        return headers

    def path(self, key: str) -> str:
        return f"/{self.name}/" + urllib.parse.quote(key, safe="/~")

    def put(self, key: str, body: bytes) -> str:
        """Answers the ETag, as the rest does."""
        return self.must("PUT", self.path(key), body=body, x_ms_blob_type="BlockBlob")["etag"].strip('"')

    def append(self, key: str, body: bytes, create: bool = False) -> str:
        if create:
            self.must("PUT", self.path(key), x_ms_blob_type="AppendBlob")
        return self.must("PUT", self.path(key), {"comp": "appendblock"}, body=body)["etag"].strip('"')

    def put_all(self, objects: dict, threads: int = 4) -> None:
        items = list(objects.items())

        def some(part: list) -> None:
            for key, body in part:
                self.put(key, body)
            for name in ("plain", "tls"):
                if connection := getattr(_local, name, None):
                    connection.close()

        workers = [threading.Thread(target=some, args=(items[i::threads],)) for i in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def delete(self, key: str) -> None:
        self.must("DELETE", self.path(key))

    def uri(self, prefix: str = "") -> str:
        return f"az://{ACCOUNT}/{self.name}/{prefix}"


def sas(expires: float = 3600, permissions: str = "rl") -> str:
    """An account's SAS. (Azure Storage REST API, "Create an account SAS".)"""
    end = datetime.datetime.fromtimestamp(time.time() + expires, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    fields = {"sp": permissions, "ss": "b", "srt": "sco", "st": "", "se": end, "sip": "", "spr": "https,http", "sv": VERSION, "ses": ""}
    text = "".join(f"{value}\n" for value in (ACCOUNT, *fields.values()))
    return urllib.parse.urlencode({**{name: value for name, value in fields.items() if value}, "sig": hmac_of(text)})


def token(expires: float = 3600) -> str:
    """What Azurite believes: who issued it, for whom and when, and no signature."""
    now = time.time()
    claims = {"aud": "https://storage.azure.com/", "iss": "https://sts.windows.net/01234567-89ab-cdef-0123-456789abcdef/", "nbf": int(now - 60), "iat": int(now - 60),
              "exp": int(now + expires), "jti": uuid.uuid4().hex}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    return ".".join([*parts, "c2lnbmF0dXJl"])


def proxy(fault, secure: bool = False) -> Proxy:
    return Proxy(fault, upstream=TLS_HOST if secure else HOST, upstream_tls=tls() if secure else None, depth=3)


def endpoint(through: Proxy) -> str:
    return f"{through.endpoint}/{ACCOUNT}"
