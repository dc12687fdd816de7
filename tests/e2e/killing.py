"""A run that is killed at any instant and run again gives what an undisturbed one gives. Used by test_kill.py, and with more rounds by `make soak`."""
import collections
import contextlib
import hashlib
import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import tempfile
import time

try:
    import pyarrow.parquet  # with it the rows of the Parquet files are compared too
except ImportError:
    pyarrow = None


class Broken(AssertionError):
    pass


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise Broken(what)


class Job:
    """One job in a folder of its own: its inputs, its ledger, its two outputs."""

    def __init__(self, logmill: str, folder: pathlib.Path, archive: pathlib.Path, checkpoint: str, env: dict):
        self.logmill, self.folder, self.archive, self.checkpoint, self.env = logmill, folder, archive, checkpoint, env
        folder.mkdir(parents=True)

    def target(self, folder: str) -> str:
        return folder

    def fetch(self) -> None:
        """Has self.folder/rows and self.folder/lake hold what stands where the job writes to."""

    def remove(self) -> None:
        shutil.rmtree(self.folder)

    def check_nothing_open(self) -> None:
        """Nothing is left of what was not published, where it does not show in files."""

    def start(self, **env: str) -> subprocess.Popen:
        command = [self.logmill, "run", self.archive, "--to", f"ndjson:{self.target('rows')},compression=none,file_size=64K",
                   "--to", f"parquet:{self.target('lake')},row_group_size=64K",
                   "--rejects", "rejects", "--state", "job.state", "--checkpoint", self.checkpoint, "--log-level", "warn"]
        return subprocess.Popen(command, cwd=self.folder, env={**self.env, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def finish(self, **env: str) -> float:
        began = time.monotonic()
        process = self.start(**env)
        error = process.communicate(timeout=600)[1].decode(errors="replace")
        # 3: the archive holds broken objects, and they are told whenever a run passes over them.
        expect(process.returncode in (0, 3), f"the run that is left alone ends with {process.returncode}: {error[-3000:]}")
        return time.monotonic() - began

    def kill_after(self, seconds: float) -> bool:
        """Answers whether there was still something to kill."""
        process = self.start()
        try:
            process.communicate(timeout=seconds)
            expect(process.returncode in (0, 3), f"a run ended with {process.returncode}")
            return False
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return True

    def kill_at(self, library: pathlib.Path, call: int) -> None:
        """kill_at.c says which calls."""
        process = self.start(LD_PRELOAD=str(library), KILL_AT=str(call))
        process.communicate(timeout=600)

    def files(self, folder: str) -> list[pathlib.Path]:
        return sorted(p for p in (self.folder / folder).rglob("*") if p.is_file())

    def manifest(self, folder: str) -> dict:
        return json.loads((self.folder / folder / "_manifest.json").read_text())

    def committed(self) -> set:
        """(folder, name) of every output that the ledger knows. Read from a copy: whoever opens a ledger recovers it, and that is what logmill is to do."""
        if not (self.folder / "job.state").exists():
            return set()
        with tempfile.TemporaryDirectory() as copy:
            for suffix in ("", "-wal"):
                if (self.folder / f"job.state{suffix}").exists():
                    shutil.copy(self.folder / f"job.state{suffix}", copy)
            with contextlib.closing(sqlite3.connect(pathlib.Path(copy) / "job.state")) as ledger:
                if not ledger.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    return set()
                return {(pathlib.Path(target).name, name)
                        for target, name in ledger.execute("SELECT t.target, o.name FROM outputs o JOIN targets t ON t.id = o.target")}

    def check_visible(self) -> None:
        """At any instant: what has a final name is whole, and the ledger knows it."""
        self.fetch()
        known = self.committed()
        for folder in ("rows", "lake", "rejects"):
            for path in self.files(folder):
                if path.name.startswith("."):
                    continue
                data = path.read_bytes()
                if path.name == "_manifest.json":
                    json.loads(data)
                    continue
                expect((folder, str(path.relative_to(self.folder / folder))) in known, f"{path} has its final name and is not in the ledger")
                if path.suffix == ".parquet":
                    expect(data[:4] == b"PAR1" and data[-4:] == b"PAR1", f"{path} is not whole")
                else:
                    expect(data.endswith(b"\n"), f"{path} is not whole")

    def check_finished(self) -> None:
        self.check_visible()
        for folder in ("rows", "lake"):
            there = {str(p.relative_to(self.folder / folder)) for p in self.files(folder)} - {"_manifest.json"}
            expect(there == {f["name"] for f in self.manifest(folder)["files"]}, f"{folder} holds other files than its manifest names")
        left = [p for folder in ("rows", "lake", "rejects") for p in self.files(folder) if p.name.startswith(".")]
        expect(not left, f"left behind: {left}")
        self.check_nothing_open()

    def rows(self) -> collections.Counter:
        """The rows that count, by their hash: those of the NDJSON files, the rejects, and, where it can be read, the Parquet files."""
        out = collections.Counter()
        for folder in ("rows", "rejects"):
            for path in self.files(folder):
                if path.suffix == ".ndjson":
                    for line in path.read_bytes().splitlines():
                        out[folder + hashlib.blake2b(line, digest_size=12).hexdigest()] += 1
        for file in self.manifest("lake")["files"]:
            path = self.folder / "lake" / file["name"]
            if not pyarrow:
                out["lake rows"] += file["rows"]
                continue
            table = pyarrow.parquet.ParquetFile(path).read(columns=["metadata"])
            expect(table.num_rows == file["rows"], f"{path} has {table.num_rows} rows, its manifest says {file['rows']}")
            for uid in table.column("metadata").combine_chunks().field("uid").to_pylist():
                out["lake" + uid] += 1
        return out


def rounds(logmill: str, folder: pathlib.Path, archive: pathlib.Path, count: int, seed: int, checkpoint: str, env: dict | None = None, tell=None,
           kind: type = Job) -> dict:
    """`count` times: kill one to three runs of a new job, let the next one end, compare. Answers figures."""
    env = env if env is not None else dict(os.environ)
    reference = kind(logmill, folder / "undisturbed", archive, checkpoint, env)
    whole = reference.finish()
    reference.check_finished()
    wanted = reference.rows()
    expect(bool(wanted), "the archive gives no rows")
    randomness = random.Random(seed)
    kills = 0
    for number in range(count):
        job = kind(logmill, folder / f"round-{number}", archive, checkpoint, env)
        try:
            for attempt in range(randomness.choice((1, 1, 2, 3))):
                # The instant may lie behind the end of a run that is faster than the one before: every round kills at least one.
                while True:
                    began = time.monotonic()
                    killed = job.kill_after(randomness.uniform(0, whole))
                    job.check_visible()
                    kills += killed
                    if killed or attempt > 0:
                        break
                    whole = min(whole, time.monotonic() - began)
                    job.remove()
                    job = kind(logmill, folder / f"round-{number}", archive, checkpoint, env)
            job.finish()
            job.check_finished()
            rows = job.rows()
            missing, doubled = wanted - rows, rows - wanted
            expect(not missing and not doubled, f"{sum(missing.values())} rows are missing and {sum(doubled.values())} are there that should not be")
        except Broken as broken:
            raise Broken(f"round {number} of seed {seed} ({job.folder}): {broken}") from broken
        job.remove()
        if tell:
            tell(f"round {number + 1} of {count}: {kills} runs killed")
    return {"rounds": count, "kills": kills, "rows": sum(wanted.values()), "commits": len(reference.manifest("rows")["epochs"]),
            "seconds_a_run": round(whole, 2)}


def every_step(logmill: str, folder: pathlib.Path, archive: pathlib.Path, library: pathlib.Path, checkpoint: str, steps: int, env: dict) -> int:
    """Kills a new job instead of each call that changes the disk (of `steps` of them, evenly, the first and the last included). Answers how many calls there are."""
    reference = Job(logmill, folder / "undisturbed", archive, checkpoint, env)
    reference.finish(LD_PRELOAD=str(library), KILL_AT_TELL=str(folder / "calls"))
    calls = int((folder / "calls").read_text())
    wanted = reference.rows()
    for step in range(steps):
        call = 1 + step * (calls - 1) // max(1, steps - 1)
        job = Job(logmill, folder / f"call-{call}", archive, checkpoint, env)
        try:
            job.kill_at(library, call)
            job.check_visible()
            job.finish()
            job.check_finished()
            expect(job.rows() == wanted, "the rows are not those of an undisturbed run")
        except Broken as broken:
            raise Broken(f"killed at call {call} of {calls} ({job.folder}): {broken}") from broken
        shutil.rmtree(job.folder)
    return calls
