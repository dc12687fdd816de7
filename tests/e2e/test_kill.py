"""Killed at any instant, any number of times, and run again: no row is missing, none is doubled, no half file is ever visible."""
import os
import pathlib
import tempfile
import unittest

import killing
import make_sample_archive
from e2e import LOGMILL, SANITIZED, Case


class Kill(Case):
    def setUp(self):
        # In memory where that can be had: what is tested is the order of steps, and hundreds of runs that wait for a disk test it no better.
        before, tempfile.tempdir = tempfile.tempdir, "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        try:
            super().setUp()
        finally:
            tempfile.tempdir = before

    def test_thirty_killed_jobs_give_the_rows_of_an_undisturbed_one(self):
        make_sample_archive.build_many(self.dir / "archive", 80, 10)
        figures = killing.rounds(LOGMILL, self.dir, self.dir / "archive", 4 if SANITIZED else 30, 20260301, "24K", self.environment())
        self.assertGreater(figures["commits"], 3)
        self.assertGreaterEqual(figures["kills"], figures["rounds"])

    @unittest.skipIf(SANITIZED, "one sanitizer run of all this is enough")
    def test_no_step_between_two_changes_of_the_disk_is_a_wrong_one_to_die_at(self):
        make_sample_archive.build_many(self.dir / "archive", 10, 6)
        library = pathlib.Path(os.environ["LOGMILL_BUILD"]) / "tests/e2e/kill_at.so"
        calls = killing.every_step(LOGMILL, self.dir, self.dir / "archive", library, "3K", 32, self.environment())
        self.assertGreater(calls, 40)


if __name__ == "__main__":
    unittest.main()
