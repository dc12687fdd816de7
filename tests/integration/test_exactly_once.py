"""Readers from outside Debian see what the manifest promises: superseded rows are left out by the query of docs/reliability.md, and Parquet rows survive kills."""
import os
import re
import unittest

import duckdb

import killing
import make_sample_archive
from e2e import LOGMILL, ROOT, Case, trail
from make_sample_archive import envelope


class ExactlyOnce(Case):
    def test_the_query_of_the_documentation_leaves_out_what_was_superseded(self):
        for i in range(4):
            self.write(f"in/{i}.json", envelope(trail(seed=i, count=20)))
        command = ["run", "in", "--to", "parquet:lake", "--state", "job.state"]
        self.logmill(*command)
        os.utime(self.dir / "in/2.json", ns=(1, 1))
        self.logmill(*command)
        query = re.search(r"```sql\n(.*?);\n```", (ROOT / "docs/reliability.md").read_text(), re.S)[1].replace("'lake/", f"'{self.dir}/lake/")
        counted = duckdb.sql(f"SELECT lineage.uri, metadata.uid FROM ({query})").fetchall()
        there = duckdb.sql(f"SELECT lineage.uri, metadata.uid FROM read_parquet('{self.dir}/lake/api_activity/**/*.parquet')").fetchall()
        self.assertGreater(len(there), len(counted))
        self.assertEqual({uri for uri, _ in counted}, {f"in/{i}.json" for i in range(4)})
        self.assertEqual(len(counted), len(set(counted)))

    def test_the_view_of_the_documentation_tells_which_row_repeats_which(self):
        events = trail(seed=1, count=12)
        self.write("in/a.json", envelope(events))
        self.write("in/b.json", envelope(events[6:]))
        self.logmill("run", "in", "--to", "parquet:lake")
        view = re.search(r"```sql\n(.*?);\n```", (ROOT / "docs/questions.md").read_text(), re.S)[1].replace("'lake/", f"'{self.dir}/lake/")
        base = duckdb.connect()
        base.sql(view)
        rows = base.sql("SELECT metadata.uid, lineage.uri, metadata.original_event_uid, duplicate_of FROM api_activity").fetchall()
        first = {event: uid for uid, uri, event, _ in rows if uri == "in/a.json"}
        self.assertGreater(len(rows), len(first))
        for uid, uri, event, of in rows:
            self.assertEqual(of, first[event] if uri == "in/b.json" else None)

    def test_rows_in_parquet_survive_kills(self):
        make_sample_archive.build_many(self.dir / "archive", 60, 8)
        self.assertTrue(killing.pyarrow)
        killing.rounds(LOGMILL, self.dir, self.dir / "archive", 5, 7, "24K", self.environment())


if __name__ == "__main__":
    unittest.main()
