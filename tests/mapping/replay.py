"""usage: replay.py TEST_FILE...   Every object of these mapping tests in one run of the program, for builds with sanitizers.

What becomes of a record, the tests assert where nothing slows the program down; with a sanitizer, starting it for each record takes longer than all that it does. Here the tests
are run for what they write: the program does not run, whatever they assert holds."""
import importlib.util
import pathlib
import shutil
import sys
import tempfile
import unittest
from unittest import mock

import e2e


def keep_files(file: str, folder: pathlib.Path) -> int:
    """The files that the program would have read, a folder of `folder` for each run; answers their number."""
    runs = 0

    def keep(case: e2e.Case, *_, **__):
        nonlocal runs
        runs += 1
        shutil.copytree(case.dir, folder / f"{pathlib.Path(file).stem}.{runs}")
        return mock.MagicMock()

    spec = importlib.util.spec_from_file_location(pathlib.Path(file).stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    assertions = [name for name in dir(unittest.TestCase) if name.startswith("assert")]
    with mock.patch.multiple(e2e.Case, logmill=keep, events=keep, stats=mock.MagicMock(), rejects=mock.MagicMock()), \
            mock.patch.multiple(unittest.TestCase, **{name: mock.MagicMock() for name in assertions}):
        suite.run(unittest.TestResult())  # what is raised for want of real events is of no interest
    return runs


class EveryObject(e2e.Case):
    def test_no_object_of_a_mapping_test_upsets_a_sanitizer(self):
        for file in FILES:
            self.assertGreater(keep_files(file, self.dir / "objects"), 0, f"{file} has no object")
        done = self.logmill("run", "objects", "--to", "ndjson:out", "--validate", "full", "--stats", "stats.json", code=None)
        self.assertIn(done.returncode, (0, 3), done.stderr[-4000:])
        self.assertGreater(sum(parser["records_out"] for parser in self.stats()["parsers"].values()), 0)


FILES = sys.argv[1:]
if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
