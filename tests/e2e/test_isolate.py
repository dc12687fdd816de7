"""--isolate: a plugin that crashes, hangs or leaks costs the object that did it; workers see no secrets and never outlive the run."""
import os
import pathlib
import re
import signal
import subprocess
import time
import unittest

from e2e import LOGMILL, Case, flow_text

BUILD = pathlib.Path(os.environ["LOGMILL_BUILD"])
FAULTS = BUILD / "tests/faults"


def lines(count: int, odd: bool = False) -> str:
    return "1772352000 fault begins\n" + "".join(f"{1772352000 + i} event {i}\n" for i in range(1, count)) + ("1772352100 odd\n" if odd else "")


def alive(pid: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def processor_time(pid: int) -> float:
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return int(words[11]) / os.sysconf("SC_CLK_TCK")


def workers_of(pid: int) -> list[int]:
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"/logmill-worker") and words[2] == str(pid).encode():
            found.append(int(path.name))
    return found


class Isolate(Case):
    def fault(self, name: str, *more) -> list:
        return ["--plugin-dir", FAULTS / name, "--plugin", "test.fault", *more]

    def start(self, *arguments) -> subprocess.Popen:
        process = subprocess.Popen([LOGMILL, "run", *map(str, arguments)], cwd=self.dir, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, env=self.environment())
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def busy_workers(self, process: subprocess.Popen) -> list[int]:
        """Those of a run with a parser that hangs, as soon as one of them is at it."""
        for _ in range(600):
            workers = workers_of(process.pid)
            if any(processor_time(worker) > 0.2 for worker in workers):
                return workers
            self.assertIsNone(process.poll())
            time.sleep(0.05)
        self.fail("no worker was started")

    def assert_gone(self, workers: list[int]) -> None:
        for _ in range(400):
            if not any(map(alive, workers)):
                return
            time.sleep(0.05)
        self.fail("a worker has outlived its run")

    def test_the_object_that_kills_its_worker_twice_is_rejected_and_the_run_goes_on(self):
        for i in range(30):
            self.write(f"in/{i:02}.log", lines(10, odd=i == 7))
        # What is loaded from --plugin-dir is isolated unless somebody says otherwise.
        events = self.events("in", *self.fault("crash"), "--rejects", "rejects", "--stats", "stats.json", code=3)
        self.assertEqual(len(events), 29 * 10)
        stats = self.stats()
        self.assertEqual(stats["parsers"]["test.fault"]["records_in"], 30 * 10 + 1)
        self.assertEqual([report["uri"] for report in stats["reports"]], ["in/07.log"])
        self.assertIn("killed by SIGSEGV", stats["reports"][0]["reason"])
        records = [r for r in self.rejects() if "bytes" in r]
        self.assertEqual(len(records), 11)
        for reject in records:
            self.assertEqual((reject["uri"], reject["parser"], reject["code"]), ("in/07.log", "test.fault", "plugin"))
            self.assertIn("killed by SIGSEGV", reject["message"])
        self.assertEqual(sorted(r["offset"] for r in records)[:2], [0, len("1772352000 fault begins\n")])

    def test_without_isolation_the_same_plugin_takes_the_run_along(self):
        self.write("a.log", lines(10, odd=True))
        done = self.logmill("run", "a.log", *self.fault("exit"), "--to", "ndjson:out", "--isolate", "never", code=0)
        self.assertNotIn("rows", done.stderr)

    def test_limits_are_what_is_said(self):
        self.write("a.log", lines(10, odd=True))
        hung = self.logmill("run", "a.log", *self.fault("hang"), "--to", "ndjson:out", "--isolate-time", "1", code=3)
        self.assertIn("no answer within 1 s", " ".join(hung.stderr.split()))
        leaked = self.logmill("run", "a.log", *self.fault("leak"), "--to", "ndjson:out", "--isolate-memory", "300M", code=3)
        self.assertIn("memory limit", " ".join(leaked.stderr.split()))
        for wrong in (["--isolate", "maybe"], ["--isolate-memory", "1M"], ["--isolate-time", "0"]):
            self.logmill("run", "a.log", "--to", "ndjson:out", *wrong, code=2)

    def test_a_library_that_dies_when_it_is_loaded_is_refused_with_the_reason(self):
        for command in (["plugins"], ["schema"], ["run", "a.log", "--to", "ndjson:out"]):
            self.assertIn("it cannot be loaded: killed by SIGSEGV", self.logmill(*command, "--plugin-dir", FAULTS / "load", code=2).stderr)

    def test_listings_are_the_same(self):
        for command in (["plugins"], ["schema"], ["plugins", "show", "aws.cloudtrail"]):
            self.assertEqual(self.logmill(*command, "--isolate", "always").stdout, self.logmill(*command).stdout)

    def test_rows_are_the_same_where_objects_are_large(self):
        self.archive(4000)
        self.write("evidence/flows.log", flow_text(60_000))
        here, there = (sorted(self.logmill("run", "evidence", "--to", "ndjson:-", "--isolate", when, code=None).stdout.splitlines())
                       for when in ("never", "always"))
        self.assertGreater(len(here), 60_000)
        self.assertEqual(here, there)

    def test_no_worker_is_left_after_ctrl_c(self):
        self.write("a.log", lines(10, odd=True))
        process = self.start("a.log", *self.fault("hang"), "--to", "ndjson:out")
        workers = self.busy_workers(process)
        process.send_signal(signal.SIGINT)
        stderr = process.stderr.read().decode()
        self.assertEqual(process.wait(30), 1, stderr)
        self.assertIn("stopped; what was finished is kept", stderr)
        self.assert_gone(workers)

    def test_ctrl_c_is_heard_while_a_parser_is_asked_whether_it_knows_the_object(self):
        self.write("a.log", lines(10, odd=True))
        process = self.start("a.log", *self.fault("slow"), "--to", "ndjson:out", "--isolate-time", "1000")
        workers = self.busy_workers(process)
        process.send_signal(signal.SIGINT)
        self.assertIn("stopped; what was finished is kept", process.stderr.read().decode())
        self.assertEqual(process.wait(), 1)
        self.assert_gone(workers)

    def test_a_worker_that_grows_while_it_is_idle_is_ended_and_costs_no_record(self):
        process = subprocess.Popen([LOGMILL, "run", "-", *map(str, self.fault("grow")), "--to", "ndjson:out,compression=none", "--isolate-memory", "300M",
                                    "--threads", "1"], cwd=self.dir, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.environment())
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        count = 200_000  # more than a block
        process.stdin.write(lines(10, odd=True).encode() + lines(count).encode())
        process.stdin.flush()
        while not (workers := workers_of(process.pid)):
            self.assertIsNone(process.poll())
        self.assert_gone(workers)
        self.assertIsNone(process.poll())
        process.stdin.write(lines(count).encode())
        error = process.communicate()[1].decode()
        self.assertEqual(process.returncode, 0, error)
        rows = sum(path.read_bytes().count(b"\n") for path in (self.dir / "out").rglob("*.ndjson"))
        self.assertEqual(rows, 11 + 2 * count)

    def test_no_worker_is_left_after_a_kill(self):
        self.write("a.log", lines(10, odd=True))
        process = self.start("a.log", *self.fault("hang"), "--to", "ndjson:out")
        workers = self.busy_workers(process)
        process.kill()
        process.wait()
        self.assert_gone(workers)

    def test_a_worker_has_nothing_of_the_run_but_its_work(self):
        self.write("a.log", lines(10, odd=True))
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_CLIENT_SECRET",
                 "IDENTITY_HEADER", "HTTPS_PROXY", "https_proxy", "my_token", "PGPASSWORD")
        secrets = {name: "http://user:example-secret@127.0.0.1" for name in names}
        with open(self.dir / "a.log", "rb") as inherited:
            os.set_inheritable(inherited.fileno(), True)
            process = subprocess.Popen([LOGMILL, "run", "a.log", *map(str, self.fault("hang")), "--to", "ndjson:out"], cwd=self.dir, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False,
                                       env=self.environment(**secrets, TZ="UTC", LC_ALL="C.UTF-8"))
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            for worker in self.busy_workers(process):
                place = pathlib.Path(f"/proc/{worker}")
                environment = (place / "environ").read_bytes()
                self.assertNotIn(b"example-", environment)
                seen = {variable.partition(b"=")[0].decode() for variable in environment.split(b"\0")[:-1]}
                self.assertLessEqual({"TZ", "LC_ALL"}, seen)
                self.assertEqual({name for name in seen if not re.fullmatch("PATH|HOME|LANG|LANGUAGE|TZ|TZDIR|TMPDIR|(LC|LD)_.*|.*SAN_OPTIONS", name)}, set())
                opened = [os.readlink(fd) for fd in (place / "fd").iterdir()]
                self.assertEqual([name for name in opened if name.startswith(str(self.dir))], [])
                status = (place / "status").read_text()
                self.assertIn("NoNewPrivs:\t1", status)


if __name__ == "__main__":
    unittest.main()
