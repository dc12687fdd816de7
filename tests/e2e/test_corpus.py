"""Logs of real systems, judged by someone else's checker. Only run where both are at hand, in ../shared."""
import subprocess
import sys
import unittest

from e2e import ROOT, Case

SHARED = ROOT.parent / "shared"


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

    def test_vpc_flow_logs_are_valid_ocsf(self):
        self.logmill("run", SHARED / "corpus/aws.vpcflow", "--to", "ndjson:out,compression=none", "--raw-data", code=None)
        self.check_ocsf()

    def test_cloudtrail_is_valid_ocsf_and_every_record_is_a_row(self):
        for path in sorted((SHARED / "corpus/aws.cloudtrail").iterdir()):
            # Expected events of other programs stand beside their inputs.
            if "_OCSF_" in path.name or path.suffix == ".md":
                continue
            self.logmill("run", path, "--to", "ndjson:out,compression=none", "--raw-data", "--stats", "stats.json", code=None)
            counts = self.stats()["parsers"].get("aws.cloudtrail")
            if counts:
                rows = sum(table["rows_out"] for table in counts["tables"].values())
                self.assertEqual((rows, counts["rejects"]), (counts["records_in"], 0), path.name)
        self.check_ocsf()


if __name__ == "__main__":
    unittest.main()
