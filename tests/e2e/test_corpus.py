"""Logs of real systems, judged by someone else's checker. Only run where both are at hand, in ../shared."""
import pathlib
import re
import subprocess
import sys
import unittest

from e2e import ROOT, Case

SHARED = ROOT.parent / "shared"


def stated() -> list[tuple[pathlib.Path, int]]:
    """The inputs that the corpus' README lists, of sources that logmill reads, and how many records each has."""
    found, source = [], ""
    for line in (SHARED / "corpus/README.md").read_text().splitlines():
        if heading := re.match(r"### (\S+)", line):
            source = heading[1]
        row = re.match(r"\| `([^`]+)` \|.*\| (\d+) \| [^|]*\|$", line)
        if row and source.startswith(("aws.", "azure.")):
            found.append((SHARED / "corpus" / source / row[1], int(row[2])))
    return found


@unittest.skipUnless((SHARED / "corpus").exists(), "there is no corpus")
class Corpus(Case):
    def check_ocsf(self) -> None:
        files = sorted(map(str, (self.dir / "out").rglob("*.ndjson")))
        self.assertTrue(files)
        done = subprocess.run([sys.executable, SHARED / "ocsf/check_ocsf.py", *files], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_sample_archive_is_valid_ocsf(self):
        self.archive()
        self.logmill("run", "evidence", "--to", "ndjson:out,compression=none", code=3)
        self.check_ocsf()

    def test_the_corpus_states_how_many_records_it_has(self):
        sources = {path.parent.name for path, _ in stated()}
        self.assertLessEqual({"aws.cloudtrail", "aws.vpcflow"}, sources)

    def test_every_record_is_a_row_or_a_reject_and_the_rows_are_valid_ocsf(self):
        for path, records in stated():
            with self.subTest(file=path.name):
                done = self.logmill("run", path, "--to", "ndjson:out,compression=none", "--raw-data", "--stats", "stats.json", code=None)
                parsers = self.stats()["parsers"].values()
                rows = sum(table["rows_out"] for counts in parsers for table in counts["tables"].values())
                rejects = sum(counts["rejects"] for counts in parsers)
                self.assertEqual((rows + rejects, done.returncode), (records, 3 if rejects else 0), done.stderr)
                # Authors of these cut records down to the fields that their tests needed.
                if not path.name.startswith("panther--"):
                    self.assertEqual(rejects, 0)
        self.check_ocsf()


if __name__ == "__main__":
    unittest.main()
