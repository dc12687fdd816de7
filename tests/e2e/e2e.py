"""What the end-to-end tests share: running the program in a folder of its own, and reading what it wrote. Standard library only."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import make_sample_archive

LOGMILL = os.environ["LOGMILL"]
SANITIZED = bool(os.environ.get("LOGMILL_SANITIZE"))
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="logmill-e2e-"))
        self.addCleanup(shutil.rmtree, self.dir)

    def environment(self, **more: str) -> dict:
        clean = {name: value for name, value in os.environ.items() if name == "LOGMILL" or not name.startswith("LOGMILL_")}
        return {**clean, "TERM": "xterm", **more}

    def logmill(self, *arguments, code: int | None = 0, stdin: bytes = b"", env: dict | None = None, **more) -> subprocess.CompletedProcess:
        """Runs the program in self.dir; stdout and stderr are text. `code`: the exit code that is expected, None for any. `more` is for subprocess.run."""
        done = subprocess.run([LOGMILL, *map(str, arguments)], input=stdin, capture_output=True, cwd=self.dir, env=self.environment(**(env or {})),
                              timeout=300, check=False, **more)
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        if code is not None:
            self.assertEqual(done.returncode, code, f"logmill {' '.join(map(str, arguments))}\nstdout: {done.stdout[-2000:]}\nstderr: {done.stderr[-4000:]}")
        return done

    def events(self, *arguments, code: int = 0, **more) -> list[dict]:
        """Events of a run with --to ndjson:-; fails if standard output has anything but JSON objects, one a line."""
        done = self.logmill("run", *arguments, "--to", "ndjson:-", code=code, **more)
        self.assertTrue(done.stdout == "" or done.stdout.endswith("\n"))
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertTrue(all(isinstance(event, dict) for event in events))
        return events

    def stats(self, name: str = "stats.json") -> dict:
        stats = json.loads((self.dir / name).read_text())
        for parser, counts in stats["parsers"].items():
            self.assertEqual(counts["records_in"], counts["records_out"] + counts["rejects"], parser)
        return stats

    def rejects(self, folder: str = "rejects") -> list[dict]:
        lines = [line for path in sorted((self.dir / folder).glob("*.ndjson")) for line in path.read_text().splitlines()]
        return [json.loads(line) for line in lines]

    def write(self, name: str, data: bytes | str) -> pathlib.Path:
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def shut_out(self) -> dict:
        """For logmill(**...): as somebody to whom modes apply, for nothing is shut to root. self.dir is open to them."""
        if os.geteuid() != 0:
            return {}
        self.dir.chmod(0o777)
        somebody = {"user": 65534, "group": 65534, "extra_groups": []}
        try:
            subprocess.run([LOGMILL, "--version"], capture_output=True, check=True, **somebody)
        except OSError:
            self.skipTest("others than root do not reach the program")
        return somebody

    def archive(self, records: int = 40) -> list[dict]:
        """The sample archive as self.dir/evidence; answers its manifest."""
        return make_sample_archive.build(self.dir / "evidence", records)


def trail(seed: int = 1, count: int = 20) -> list[dict]:
    maker = make_sample_archive.CloudTrail(seed, "us-east-1")
    return [maker.any(make_sample_archive.START + i) for i in range(count)]


def flow_text(count: int, seed: int = 1) -> bytes:
    fields = make_sample_archive.FLOW_FIELDS
    return ("\n".join([fields, *make_sample_archive.flow_lines(seed, fields, count, "us-east-1")]) + "\n").encode()
