"""Values that break readers: a text of 100 MB among short ones, and nothing at all. What is nested, null or empty at random: test_parquet_samples.py."""
import json
import unittest

import readers
from e2e import Case, trail


class Shapes(Case):
    def test_a_text_of_100_mb_comes_back(self):
        records = trail(count=9)
        long = "".join(chr(0x61 + i % 26) for i in range(1021)) * (100 * 1024)
        records[4].update(userAgent=long, requestParameters={"note": long[::-1]})
        self.write("trail.json", json.dumps({"Records": records}))
        for options in ("", ",compression=none", ",bloom_filters=all"):
            with self.subTest(options=options):
                self.logmill("run", "trail.json", "--max-record", "512M", "--memory", "4G", "--to", f"parquet:lake{options}", "--stats", "stats.json")
                stats = self.stats()
                self.assertEqual(stats["rejects"], 0)
                files = [str(path) for path in (self.dir / "lake/api_activity").rglob("*.parquet")]
                for reader in ("pyarrow", "duckdb", "polars", "hyparquet"):
                    with self.subTest(reader=reader):
                        agents = [(row["http_request"] or {}).get("user_agent") or "" for row in readers.WHOLE[reader](files)]
                        self.assertTrue(any(agent == long for agent in agents))
                        self.assertLess(sorted(map(len, agents))[-2], 1000)
                for path in files:
                    (self.dir / path).unlink()


if __name__ == "__main__":
    unittest.main()
