"""Shapes that break programs: one document of 300 MB on a single line, a line of 100 MB, ten thousand tiny objects."""
import gzip
import json
import os
import resource
import unittest

from e2e import SANITIZED, Case, flow_text, trail
from make_sample_archive import envelope


class Big(Case):
    def peak_mb(self) -> float:
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024

    def test_a_document_of_300_mb_on_one_line_stays_within_the_memory_budget(self):
        size = (30 if SANITIZED else 300) << 20
        part = ",".join(json.dumps(r, separators=(",", ":")) for r in trail(count=1000)).encode()
        times = size // (len(part) + 1) + 1
        path = self.dir / "one-line.json.gz"
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.write(b'{"Records":[' + part)
            for _ in range(times - 1):
                file.write(b"," + part)
            file.write(b"]}")
        self.logmill("run", path.name, "--to", "parquet:lake", "--stats", "stats.json", "--memory", "384M")
        stats = self.stats()
        self.assertEqual(stats["parsers"]["aws.cloudtrail"]["records_in"], 1000 * times)
        self.assertEqual(stats["rejects"], 0)
        if not SANITIZED:
            self.assertLess(self.peak_mb(), 600)

    def test_a_line_of_100_mb_is_one_reject(self):
        text = flow_text(10)
        size = (20 if SANITIZED else 100) << 20
        self.write("long.log", text + b"x" * size + b"\n" + text.split(b"\n", 1)[1])
        self.logmill("run", "long.log", "--to", "ndjson:out", "--rejects", "rejects", "--stats", "stats.json", code=3)
        counts = self.stats()["parsers"]["aws.vpcflow"]
        self.assertEqual((counts["records_in"], counts["rejects"]), (21, 1))
        (reject,) = self.rejects()
        self.assertEqual((reject["code"], reject["length"]), ("oversize", size))

    def test_ten_thousand_tiny_objects_do_not_become_ten_thousand_files(self):
        one = self.write("objects/0.json", envelope(trail(count=2)))
        count = 1000 if SANITIZED else 10_000
        for i in range(1, count):
            os.link(one, self.dir / f"objects/{i}.json")
        self.logmill("run", "objects", "--to", "parquet:lake", "--stats", "stats.json")
        stats = self.stats()
        self.assertEqual(stats["parsers"]["aws.cloudtrail"]["records_in"], 2 * count)
        self.assertLess(len(list((self.dir / "lake").rglob("*.parquet"))), 50)


if __name__ == "__main__":
    unittest.main()
