"""Events in older versions of OCSF (`ocsf=` of every sink): valid there, as many as before, and nothing lost."""
import copy
import json
import subprocess
import sys
import unittest

import ocsf_judge
import ocsf_versions
from e2e import ROOT, Case

SHARED = ROOT.parent / "shared"
OLDER = ("1.3.0", "1.1.0")
INPUTS = sorted((ROOT / "tests/golden").glob("*/input"))
if (SHARED / "corpus").exists():
    INPUTS.append(SHARED / "corpus")


class Versions(Case):
    def test_two_older_versions_beside_the_own_one_lose_nothing_and_are_valid(self):
        to = ["--to", "ndjson:1.8.0,compression=none"]
        for version in OLDER:
            to += ["--to", f"ndjson:{version},compression=none,ocsf={version}"]
        self.logmill("run", *INPUTS, *to, "--stats", "stats.json", code=3)
        self.stats()
        made = ocsf_versions.read((self.dir / "1.8.0").rglob("*.ndjson"))
        self.assertGreater(len(made), 300)
        self.assertTrue(any(event["class_uid"] in (6008, 2006) for event in made.values()), "no class that 1.1.0 lacks")
        for version in OLDER:
            files = list((self.dir / version).rglob("*.ndjson"))
            older = ocsf_versions.read(files)
            self.assertEqual(older.keys(), made.keys())
            judge = ocsf_judge.Judge(version)
            for uid, event in older.items():
                self.assertEqual(judge.problems(event), [], event)
                self.assertEqual(list(ocsf_versions.lost(made[uid], event)), [], uid)
            if (SHARED / "ocsf").exists():
                done = subprocess.run([sys.executable, SHARED / "ocsf/check_ocsf.py", "--ocsf", version, *files], capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_what_judges_them_finds_what_is_planted(self):
        trail = ROOT / "tests/golden/aws.cloudtrail/input"
        self.logmill("run", trail, "--to", "ndjson:now,compression=none", "--to", "ndjson:then,compression=none,ocsf=1.1.0", code=None)
        now, then = (ocsf_versions.read((self.dir / name).rglob("*.ndjson")) for name in ("now", "then"))
        uid, event = next((uid, e) for uid, e in then.items() if e["class_uid"] == 6003 and "cloud.cloud_partition" in e["unmapped"] and "src_endpoint" in e)
        judge = ocsf_judge.Judge("1.1.0")

        def judged(change) -> str:
            bad = copy.deepcopy(event)
            change(bad)
            return "\n".join(judge.problems(bad)) + "\n" + "\n".join(path for path, _ in ocsf_versions.lost(now[uid], bad))

        for change, wanted in (
                (lambda e: e["cloud"].update(cloud_partition="aws"), "cloud.cloud_partition: is no attribute"),
                (lambda e: e.update(activity_id=77), "activity_id: 77 is not in the enum"),
                (lambda e: e.update(duration=2**40), "duration: 1099511627776 has more than 32 bits"),
                (lambda e: e.pop("severity_id"), "(event): lacks severity_id"),
                (lambda e: e.update(actor={}), "actor: has none of"),
                (lambda e: e.update(type_uid=1), "type_uid: is 1"),
                (lambda e: e.update(observables={}), "observables: is no array"),
                (lambda e: e["metadata"].update(version="1.8.0"), "metadata.version: is another"),
                (lambda e: e["metadata"].update(profiles=["trace"]), "trace is no profile"),
                (lambda e: e["src_endpoint"].update(ip="Unknown"), "src_endpoint.ip: Unknown is no address"),
                (lambda e: e["unmapped"].pop("cloud.cloud_partition"), "\ncloud.cloud_partition"),
                (lambda e: e["unmapped"].pop("observables[].type_id"), "\nobservables[].type_id"),
                (lambda e: e["api"].pop("operation"), "\napi.operation")):
            self.assertIn(wanted, judged(change))
        self.assertEqual(judged(lambda e: None).strip(), "")

    def test_the_option_is_every_sinks_and_the_hosts(self):
        for sink in ("parquet", "ndjson", "elastic"):
            shown = self.logmill("plugins", "show", sink).stdout
            self.assertIn("ocsf=1.8.0\n      The OCSF version of the events.", shown)
            self.assertIn("1.8.0|1.3.0|1.1.0", shown)
        self.write("in.json", "{}")
        for bad in ("1.2.0", "", "1.1"):
            done = self.logmill("run", "in.json", "--to", f"ndjson:out,ocsf={bad}", code=2)
            self.assertIn(f"option ocsf={bad}: wanted one of 1.8.0|1.3.0|1.1.0", done.stderr)
        self.assertFalse((self.dir / "out").exists())

    def test_parquet_has_the_tables_of_the_version(self):
        self.archive()
        self.logmill("run", "evidence", "--to", "parquet:lake,ocsf=1.1.0", "--stats", "stats.json", code=3)
        self.stats()
        made = self.logmill("catalog", "lake", "--for", "duckdb").stdout
        self.assertIn("api_activity", made)

    def test_a_ledger_goes_on_in_the_same_version(self):
        self.archive()
        run = ["run", "evidence", "--to", "ndjson:out,compression=none,ocsf=1.1.0", "--state", "job.state", "--checkpoint", "1"]
        self.logmill(*run, code=3)
        first = ocsf_versions.read((self.dir / "out").rglob("*.ndjson"))
        self.assertEqual({event["metadata"]["version"] for event in first.values()}, {"1.1.0"})
        self.logmill(*run, code=None)
        self.assertEqual(ocsf_versions.read((self.dir / "out").rglob("*.ndjson")).keys(), first.keys())
        files = json.loads((self.dir / "out/_manifest.json").read_text())["files"]
        self.assertEqual(sum(f["rows"] for f in files), len(first))


if __name__ == "__main__":
    unittest.main()
