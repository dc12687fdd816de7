"""Killed at any instant, any number of times, and run again: no row is missing, none is doubled, no half file is ever visible."""
import unittest

import killing
import make_sample_archive
from e2e import LOGMILL, SANITIZED, Case


class Kill(Case):
    def test_thirty_killed_jobs_give_the_rows_of_an_undisturbed_one(self):
        make_sample_archive.build_many(self.dir / "archive", 120, 12)
        figures = killing.rounds(LOGMILL, self.dir, self.dir / "archive", 4 if SANITIZED else 30, 20260301, "24K", self.environment())
        self.assertGreater(figures["commits"], 3)
        self.assertGreaterEqual(figures["kills"], figures["rounds"])


if __name__ == "__main__":
    unittest.main()
