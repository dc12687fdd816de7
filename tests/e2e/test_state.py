"""Exactly once: what is done is not done again, what changed is done anew, and whatever stands in the way is told and costs nothing."""
import collections
import contextlib
import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import time
import unittest

import make_sample_archive
from e2e import LOGMILL, Case, flow_text, trail
from make_sample_archive import envelope


class StateCase(Case):
    OUT = ("--to", "ndjson:out,compression=none", "--state", "job.state")

    def run_job(self, *arguments, code: int | None = 0, inputs=("in",)):
        done = self.logmill("run", *inputs, *self.OUT, "--stats", "stats.json", *arguments, code=code)
        return done

    def manifest(self, folder: str = "out", name: str = "_manifest.json") -> dict:
        return json.loads((self.dir / folder / name).read_text())

    def rows(self, folder: str = "out", name: str = "_manifest.json") -> list[dict]:
        """The rows that count by the manifest."""
        manifest = self.manifest(folder, name)
        superseded = {(s["uri"], s["etag"], s["epoch"]) for s in manifest["superseded"]}
        rows = []
        for file in manifest["files"]:
            lines = (self.dir / folder / file["name"]).read_text().splitlines()
            self.assertEqual(len(lines), file["rows"])
            for row in map(json.loads, lines):
                if (row["lineage"]["uri"], row["lineage"]["etag"], file["epoch"]) not in superseded:
                    rows.append(row)
        return rows

    def rows_by_object(self) -> collections.Counter:
        """As rows(), for many rows of objects that never changed."""
        self.assertEqual(self.manifest()["superseded"], [])
        uri = re.compile(rb'"lineage":\{[^}]*"uri":"([^"]*)"')
        return collections.Counter(found for file in self.manifest()["files"] for found in uri.findall((self.dir / "out" / file["name"]).read_bytes()))

    def undisturbed(self, *inputs) -> collections.Counter:
        done = self.logmill("run", *(inputs or ("in",)), "--to", "ndjson:-", code=None)
        return collections.Counter(json.dumps(json.loads(line), sort_keys=True) for line in done.stdout.splitlines())

    def assert_rows(self, *inputs, folder: str = "out"):
        self.assertEqual(collections.Counter(json.dumps(row, sort_keys=True) for row in self.rows(folder)), self.undisturbed(*inputs))

    def files(self, folder: str = "out") -> list[str]:
        return sorted(str(p.relative_to(self.dir / folder)) for p in (self.dir / folder).rglob("*") if p.is_file())

    def ledger(self, sql: str, *values, name: str = "job.state") -> list:
        with contextlib.closing(sqlite3.connect(self.dir / name)) as ledger:
            rows = ledger.execute(sql, values).fetchall()
            ledger.commit()
            return rows

    def objects(self, count: int = 12) -> None:
        for i in range(count):
            self.write(f"in/{i:03}.log", flow_text(2 + i % 20, seed=i))


class Resume(StateCase):
    def test_what_is_done_is_not_done_again(self):
        self.objects()
        self.run_job()
        first, files = self.stats(), self.files()
        self.assertEqual((first["objects"], first["skipped"], first["checkpoints"]), (12, 0, 1))
        self.assert_rows()
        done = self.run_job()
        again = self.stats()
        self.assertEqual((again["objects"], again["skipped"], again["checkpoints"], again["rows_out"]), (0, 12, 0, 0))
        self.assertIn("Skipped: 12 objects, done before", done.stderr)
        self.assertEqual(self.files(), files)

    def test_new_objects_are_read_and_nothing_else(self):
        self.objects(4)
        self.run_job()
        self.objects(9)
        # The four were written once more, with other times: they count as changed.
        for i in range(4):
            os.utime(self.dir / f"in/{i:03}.log", ns=(1, 1))
        self.run_job()
        self.write("in/z.log", flow_text(30, seed=99))
        self.run_job()
        self.assertEqual((self.stats()["objects"], self.stats()["skipped"]), (1, 9))
        self.assert_rows()

    def test_the_working_directory_of_the_next_run_does_not_matter(self):
        self.objects(3)
        self.run_job(inputs=(self.dir / "in",))
        (self.dir / "elsewhere").mkdir()
        self.logmill("run", self.dir / "in", "--to", f"ndjson:{self.dir}/out", "--state", self.dir / "job.state", "--stats", "stats.json")
        self.assertEqual(self.stats()["skipped"], 3)

    def test_a_changed_object_is_done_anew_and_its_old_rows_are_superseded(self):
        self.objects(5)
        self.run_job()
        self.write("in/002.log", flow_text(33, seed=77))
        self.run_job()
        self.assertEqual((self.stats()["objects"], self.stats()["skipped"]), (1, 4))
        superseded = self.manifest()["superseded"]
        self.assertEqual([(s["uri"], s["epoch"]) for s in superseded], [("in/002.log", 1)])
        self.assert_rows()

    def test_checkpoints_in_the_middle_change_nothing(self):
        make_sample_archive.build_many(self.dir / "in", 60, 10)
        self.run_job("--checkpoint", "4K", "--rejects", "rejects", code=3)
        self.assertGreater(self.stats()["checkpoints"], 2)
        self.assert_rows()
        stats, commits = self.stats(), self.manifest()["epochs"]
        self.assertEqual(sum(e["objects"]["count"] for e in commits), stats["objects"])
        self.assertEqual(len(self.rejects()), stats["rejects"] + sum(stats["not_read_whole"][o] for o in ("partly_read", "unrecognised", "failed")))

    def test_objects_that_were_not_read_whole_are_told_every_time(self):
        self.objects(2)
        self.write("in/notes.txt", "no log\n")
        self.write("in/torn.log.gz", gzip.compress(flow_text(400))[:-30])
        self.run_job(code=3)
        done = self.run_job(code=3)
        self.assertEqual((self.stats()["skipped"], self.stats()["skipped_not_whole"]), (4, 2))
        self.assertIn("state retry job.state", done.stderr)
        listed = [json.loads(line) for line in self.logmill("state", "objects", "job.state", "--format", "json").stdout.splitlines()]
        self.assertEqual({o["uri"]: o["outcome"] for o in listed},
                         {"in/000.log": "read", "in/001.log": "read", "in/notes.txt": "unrecognised", "in/torn.log.gz": "partly_read"})
        self.assertTrue(all(o["reason"] for o in listed if o["outcome"] != "read"))

    def test_a_retry_leaves_no_doubles(self):
        self.objects(2)
        self.write("in/torn.log.gz", gzip.compress(flow_text(400))[:-30])
        self.run_job(code=3)
        self.assertIn("1 object will be read again", self.logmill("state", "retry", "job.state").stdout)
        self.run_job(code=3)
        self.assertEqual((self.stats()["objects"], self.stats()["skipped"]), (1, 2))
        self.assert_rows()
        self.assertEqual(len(self.manifest()["superseded"]), 1)
        self.run_job(code=3)
        self.assertEqual(self.stats()["skipped"], 3)
        self.logmill("state", "retry", "job.state", "in/000.log")
        self.run_job(code=3)
        self.assertEqual(self.stats()["objects"], 1)
        self.assert_rows()

    def test_what_is_forgotten_does_not_count_and_is_read_again_if_it_is_there(self):
        self.objects(3)
        self.run_job()
        (self.dir / "in/001.log").unlink()
        self.assertIn("1 object forgotten", self.logmill("state", "forget", "job.state", "in/001.log", "in/never.log").stdout)
        self.assert_rows()
        self.logmill("state", "forget", "job.state", "in/000.log")
        self.run_job()
        self.assertEqual(self.stats()["objects"], 1)
        self.assert_rows()

    def test_the_manifest_says_what_is_there(self):
        self.write("in/a.json", envelope(trail(count=20)))
        self.logmill("run", "in", "--to", "parquet:lake", "--to", "ndjson:out,compression=none", "--state", "job.state")
        for folder in ("lake", "out"):
            manifest = self.manifest(folder)
            self.assertEqual({f["name"] for f in manifest["files"]} | {"_manifest.json"}, set(self.files(folder)))
            self.assertEqual(sum(f["rows"] for f in manifest["files"]), 20)
            for file in manifest["files"]:
                self.assertEqual(file["bytes"], (self.dir / folder / file["name"]).stat().st_size)
                self.assertTrue(file["name"].startswith(file["table"] + "/"))
            self.assertEqual(manifest["epochs"][0]["objects"], {"count": 1, "first": "in/a.json", "last": "in/a.json", "uris": ["in/a.json"]})
            times = [t for f in manifest["files"] for t in (f["time_min"], f["time_max"])]
            rows = [row["time"] for row in self.rows()]
            self.assertEqual((min(times), max(times)), (min(rows), max(rows)))

    def test_one_ledger_is_one_job(self):
        self.objects(1)
        self.run_job()
        for more in (("--to", "parquet:lake"), ("--since", "2026-03-01"), ("--raw-data",), ("--shard", "0/2")):
            self.assertIn("another job", self.run_job(*more, code=2).stderr, more)
        other = self.logmill("run", "in", "--to", "ndjson:out", "--state", "other.state", code=2)
        self.assertIn("belong to another ledger", other.stderr)
        self.assertEqual(self.stats()["objects"], 1)

    def test_what_cannot_be_taken_back_or_read_again_is_refused(self):
        self.objects(1)
        self.assertIn("standard output", self.logmill("run", "in", "--to", "ndjson:-", "--state", "job.state", code=2).stderr)
        self.assertIn("standard input", self.logmill("run", "-", "--to", "ndjson:out", "--state", "job.state", code=2).stderr)
        self.assertIn("folder of its own", self.logmill("run", "in", "--to", "ndjson:out", "--to", "parquet:./out/", "--state", "job.state", code=2).stderr)
        self.assertFalse((self.dir / "job.state").exists())

    def test_a_job_does_not_read_what_it_wrote_itself(self):
        self.objects(3)
        for _ in range(2):
            self.logmill("run", ".", "--to", "ndjson:out,compression=none", "--rejects", "rejects", "--state", "job.state")
        self.assertEqual(self.manifest()["epochs"][0]["objects"]["count"], 3)
        # What would leave nothing to read is no job.
        for to, rejects in (("in", "rejects"), (".", "rejects"), ("out2", "in"), ("out2", ".")):
            done = self.logmill("run", "in", "--to", f"ndjson:{to}", "--rejects", rejects, "--state", "other.state", code=2)
            self.assertIn("the job's own", done.stderr)
        self.assertFalse((self.dir / "other.state").exists())

    def test_the_first_signal_commits_what_was_begun_and_the_next_run_goes_on(self):
        one = self.write("in/00000.log.gz", gzip.compress(flow_text(2_000), 1))
        for i in range(1, 300):
            shutil.copy(one, self.dir / f"in/{i:05}.log.gz")
        process = subprocess.Popen([LOGMILL, "run", "in", *self.OUT, "--stats", "stats.json"], cwd=self.dir, stderr=subprocess.PIPE, env=self.environment())
        self.addCleanup(process.stderr.close)
        while not list((self.dir / "out").rglob("*.unpublished")):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        error = process.stderr.read().decode()
        self.assertEqual(process.wait(120), 1, error)
        self.assertIn("the same command goes on", error)
        stopped = self.stats()
        self.assertEqual(stopped["not_read_whole"]["partly_read"], 0)
        self.assertEqual(sum(f["rows"] for f in self.manifest()["files"]), stopped["rows_out"])
        self.assertGreater(stopped["objects"], 0)
        for path in sorted((self.dir / "in").iterdir())[stopped["objects"] + 3:]:
            path.unlink()
        self.run_job()
        self.assertEqual(self.stats()["skipped"], stopped["objects"])
        per_object = self.rows_by_object()
        self.assertEqual(len(set(per_object.values())), 1)
        self.assertEqual(len(per_object), self.stats()["skipped"] + self.stats()["objects"])


class Recovery(StateCase):
    def break_off(self) -> str:
        """The state of a run that was killed between commit and publish, with a file of the next epoch half written."""
        name = self.manifest()["files"][0]["name"]
        path = self.dir / "out" / name
        path.rename(path.with_name(f".{path.name}.unpublished"))
        run = self.ledger("SELECT run FROM runs")[0][0]
        (path.parent / f".part-{run}0000000f-0.ndjson.unpublished").write_text("half a li")
        (self.dir / "rejects").mkdir(exist_ok=True)
        (self.dir / "rejects" / f".rejects-{run}0000000f.tmp").write_text("half a li")
        self.ledger("UPDATE runs SET ended = NULL")
        self.ledger("UPDATE outputs SET published = 0")
        return name

    def test_what_was_committed_is_published_and_what_was_not_is_removed(self):
        self.objects(4)
        self.run_job("--rejects", "rejects")
        before = self.files()
        name = self.break_off()
        foreign = self.write("out/network_activity/.part-0123456789abcdef00000001-0.ndjson.unpublished", "of somebody else")
        self.assertNotIn(name, self.files())
        done = self.run_job("--rejects", "rejects")
        self.assertIn("did not come to its end", done.stderr)
        self.assertEqual(self.stats()["skipped"], 4)
        foreign.unlink()
        self.assertEqual(self.files(), before)
        self.assertEqual(self.files("rejects"), ["_manifest.json"])
        self.assert_rows()

    def test_a_clock_that_jumps_back_changes_nothing(self):
        self.objects(3)
        self.run_job()
        self.break_off()
        far = 4102444800000  # 2100: everything that was noted down lies in the future now
        self.ledger("UPDATE runs SET began = ?", far)
        self.ledger("UPDATE epochs SET committed = ?", far)
        self.write("in/002.log", flow_text(40, seed=5))
        os.utime(self.dir / "in/002.log", ns=(1, 1))  # 1970
        self.run_job()
        self.assertEqual((self.stats()["objects"], self.stats()["skipped"]), (1, 2))
        self.assert_rows()

    def test_a_second_run_is_refused_while_the_first_one_lives(self):
        self.objects(2)
        one = gzip.compress(flow_text(40), 1)
        for i in range(300):
            self.write(f"many/{i}.log.gz", one)
        first = subprocess.Popen([LOGMILL, "run", "many", *self.OUT, "--checkpoint", "1"], cwd=self.dir, stderr=subprocess.DEVNULL, env=self.environment())
        self.addCleanup(first.wait)
        self.addCleanup(first.kill)
        while not (self.dir / "out/_manifest.json").exists():
            time.sleep(0.02)
        os.kill(first.pid, signal.SIGSTOP)
        try:
            second = self.run_job(code=1)
            self.assertIn(f"process {first.pid} on ", second.stderr)
            self.assertIn("in use by another run", second.stderr)
            for command in (["retry", "job.state"], ["forget", "job.state", "x"], ["merge", "new.state", "job.state"]):
                self.assertIn("in use", self.logmill("state", *command, code=1).stderr)
            self.assertFalse((self.dir / "new.state").exists())
            self.assertIn(f"process {first.pid}", self.logmill("state", "show", "job.state").stdout)
        finally:
            os.kill(first.pid, signal.SIGCONT)
        # A dead owner is no owner.
        first.kill()
        first.wait()
        self.run_job(inputs=("many",))
        self.assertGreater(self.stats()["skipped"], 0)
        self.assertEqual(self.stats()["skipped"] + self.stats()["objects"], 300)
        self.assertEqual(set(self.rows_by_object().values()), {40})

    def test_a_damaged_ledger_is_told_and_left_alone(self):
        self.objects(300)
        self.run_job()
        whole, files = (self.dir / "job.state").read_bytes(), self.files()
        self.assertGreater(len(whole), 3 * 4096)
        middle = whole[:8192] + b"\xa5" * 4096 + whole[12288:]
        for name, damaged in {"cut": whole[:len(whole) // 2 // 4096 * 4096], "overwritten": middle, "header": b"\0" * 100 + whole[100:]}.items():
            (self.dir / "job.state").write_bytes(damaged)
            done = self.run_job(code=None)
            self.assertIn(done.returncode, (1, 2), name)
            self.assertRegex(done.stderr, "damaged|not a ledger", name)
            self.assertEqual((self.dir / "job.state").read_bytes(), damaged, name)
            self.assertEqual(self.files(), files, name)
            self.logmill("state", "retry", "job.state", code=done.returncode)
        # Its copy, put back, goes on.
        (self.dir / "job.state").write_bytes(whole)
        self.run_job()
        self.assertEqual(self.stats()["skipped"], 300)

    def test_a_ledger_that_was_lost_does_not_lead_to_doubles(self):
        self.objects(3)
        self.run_job()
        for emptied in (True, False):
            for path in self.dir.glob("job.state*"):
                path.unlink()
            if emptied:
                self.write("job.state", b"")
            self.assertIn("belong to another ledger", self.run_job(code=2).stderr)

    def test_a_file_that_is_no_ledger_is_left_alone(self):
        self.objects(1)
        with contextlib.closing(sqlite3.connect(self.dir / "other.db")) as other:
            other.execute("CREATE TABLE precious(x)")
        self.write("text", "not even SQLite, but long enough to have a header\n" * 40)
        for name in ("other.db", "text", "in"):
            before = (self.dir / name).read_bytes() if name != "in" else b""
            done = self.logmill("run", "in", "--to", "ndjson:new", "--state", name, code=None)
            self.assertIn(done.returncode, (1, 2), name)
            self.assertFalse((self.dir / "new").exists())
            if name != "in":
                self.assertEqual((self.dir / name).read_bytes(), before)
        self.assertIn("no such ledger", self.logmill("state", "show", "missing.state", code=2).stderr)


class FullDisk(StateCase):
    def mount(self, name: str, options: str) -> pathlib.Path:
        path = self.dir / name
        path.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.skipTest(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", path], check=False)
        return path

    def objects(self, count: int = 30) -> None:
        for i in range(count):
            self.write(f"in/{i:03}.log", flow_text(100, seed=i))

    def fail_then_recover(self, small: pathlib.Path, outputs: list, state: pathlib.Path) -> None:
        command = ["run", "in", *outputs, "--state", state, "--checkpoint", "64K", "--stats", "stats.json"]
        done = self.logmill(*command, code=1)
        self.assertRegex(done.stderr, "No space left on device|disk is full|disk I/O")
        out = pathlib.Path(outputs[1].split(":", 1)[1].split(",")[0])
        if (out / "_manifest.json").exists():  # what was committed before counts, and is all there is
            there = {str(p.relative_to(out)) for p in out.rglob("*.ndjson") if not p.name.startswith(".")}
            self.assertEqual(there, {f["name"] for f in json.loads((out / "_manifest.json").read_text())["files"]} | (there if small == state.parent else set()))
        subprocess.run(["mount", "-o", "remount,size=256m", small], check=True)
        self.logmill(*command)
        shutil.rmtree(self.dir / "out", ignore_errors=True)
        shutil.copytree(out, self.dir / "out")
        self.assert_rows()
        self.assertEqual([p for p in out.rglob(".*")], [])

    def test_an_output_disk_that_fills_up_costs_nothing_that_was_committed(self):
        self.objects()
        small = self.mount("small", "size=2m")
        self.fail_then_recover(small, ["--to", f"ndjson:{small}/out,compression=none"], self.dir / "job.state")

    def test_a_ledger_disk_that_fills_up_costs_nothing_that_was_committed(self):
        self.objects()
        small = self.mount("small", "size=200k")
        self.fail_then_recover(small, ["--to", f"ndjson:{self.dir}/lake,compression=none"], small / "job.state")

    def test_an_output_folder_that_cannot_be_written_is_told_and_costs_nothing(self):
        self.objects(3)
        if os.geteuid() == 0:
            small = self.mount("small", "size=16m")
            lock, unlock = ["mount", "-o", "remount,ro", small], ["mount", "-o", "remount,rw", small]
        else:
            small = self.dir / "small"
            small.mkdir()
            lock, unlock = ["chmod", "555", small], ["chmod", "755", small]
        command = ["run", "in", "--to", f"ndjson:{small}/out,compression=none", "--state", "job.state", "--stats", "stats.json"]
        subprocess.run(lock, check=True)
        done = self.logmill(*command, code=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, "Read-only file system|Permission denied")
        subprocess.run(unlock, check=True)
        self.logmill(*command)
        self.assertEqual(self.stats()["objects"], 3)
        shutil.copytree(small / "out", self.dir / "out")
        self.assert_rows()


class Shards(StateCase):
    def test_shards_share_the_listing_without_gap_or_overlap(self):
        self.objects(50)
        whole = collections.Counter(row["lineage"]["uri"] for row in self.events("in"))
        for count in (1, 2, 7):
            parts = [collections.Counter(row["lineage"]["uri"] for row in self.events("in", "--shard", f"{i}/{count}", code=None)) for i in range(count)]
            self.assertEqual(sum(parts, collections.Counter()), whole)
            self.assertEqual(sum(len(part) for part in parts), len(whole))
            if count == 2:
                self.assertTrue(all(parts))
        # The hash is part of the promise: machines with other versions share the work with this one.
        self.assertEqual(sorted({row["lineage"]["uri"] for row in self.events("in", "--shard", "0/16")}),
                         sorted({row["lineage"]["uri"] for row in self.events("in", "--shard", "0/16", "--threads", "1")}))

    def test_a_shard_that_is_none_is_refused(self):
        for wrong in ("4/4", "1", "-1/2", "0/0", "a/b", "1/"):
            self.assertIn("is no shard", self.logmill("run", "in", "--to", "ndjson:out", f"--shard={wrong}", code=2).stderr)

    def test_shards_write_side_by_side_and_their_ledgers_become_one(self):
        self.objects(30)
        self.write("in/torn.log.gz", gzip.compress(flow_text(400))[:-30])
        for i in range(3):
            self.logmill("run", "in", "--to", "ndjson:out,compression=none", "--state", f"{i}.state", "--shard", f"{i}/3", code=None)
            self.assertTrue((self.dir / f"out/_manifest.{i}-of-3.json").exists())
        self.logmill("state", "merge", "job.state", "0.state", "1.state", "2.state")
        self.assert_rows()
        self.run_job(code=3)
        self.assertEqual((self.stats()["objects"], self.stats()["skipped"]), (0, 31))
        self.write("in/007.log", flow_text(44, seed=3))
        self.logmill("state", "retry", "job.state")
        self.run_job(code=3)
        self.assertEqual(self.stats()["objects"], 2)
        self.assert_rows()
        self.assertIn("exists", self.logmill("state", "merge", "job.state", "0.state", code=2).stderr)
        self.logmill("run", "in", "--to", "ndjson:other", "--state", "other.state", code=3)
        self.assertIn("another job", self.logmill("state", "merge", "new.state", "0.state", "other.state", code=2).stderr)
        self.assertFalse((self.dir / "new.state").exists())

    def test_state_show_says_what_there_is(self):
        self.objects(4)
        self.write("in/notes.txt", "no log\n")
        self.run_job(code=3)
        shown = json.loads(self.logmill("state", "show", "job.state", "--format", "json").stdout)
        self.assertEqual((shown["objects"]["read"], shown["objects"]["unrecognised"], shown["epochs"], shown["unpublished"]), (4, 1, 1, 0))
        self.assertTrue(shown["last_run_ended"])
        text = self.logmill("state", "show", "job.state").stdout
        for word in ("unrecognised", "ndjson:", "over"):
            self.assertIn(word, text)


if __name__ == "__main__":
    unittest.main()
