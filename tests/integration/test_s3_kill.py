"""Jobs that write to a real S3 server, killed at any instant: no row is missing there, none is doubled, no object is half, no upload stays open."""
import unittest

import killing
import make_sample_archive
from e2e import LOGMILL, Case
from s3_server import S3Job


class Kill(Case):
    def test_thirty_killed_jobs_give_the_rows_of_an_undisturbed_one(self):
        make_sample_archive.build_many(self.dir / "archive", 60, 10)
        figures = killing.rounds(LOGMILL, self.dir, self.dir / "archive", 30, 20260301, "32K", self.environment(), kind=S3Job)
        self.assertGreater(figures["commits"], 1)
        self.assertGreaterEqual(figures["kills"], figures["rounds"])


if __name__ == "__main__":
    unittest.main()
