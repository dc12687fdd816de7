"""A filter costs readers that use page indexes only the pages that the bounds of pages leave: their own counters say so, and no row is lost, there or elsewhere."""
import datetime
import json
import unittest

import pyarrow.compute
import pyarrow.parquet

import readers
from e2e import Case

ROWS = 40_000
EPOCH = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)


def record(i: int) -> dict:
    """Times ascend; user agents do, a thousand at a time, and are longer than a bound may be, of characters of three bytes."""
    return {"eventVersion": "1.09", "userIdentity": {"type": "IAMUser", "userName": f"user{i % 7}", "accountId": "111122223333"}, "eventTime": (EPOCH + datetime.timedelta(seconds=i)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": "s3.amazonaws.com", "eventName": "GetObject", "awsRegion": "us-east-1", "sourceIPAddress": f"10.0.0.{i % 250}", "userAgent": f"agent {i // 1000:03} {'日' * 20} {i * 7919 % ROWS:05}",
            "eventID": f"{i:032x}", "eventType": "AwsApiCall", "recipientAccountId": "111122223333"}


class Pages(Case):
    def setUp(self):
        super().setUp()
        self.write("trail.json", json.dumps({"Records": [record(i) for i in range(ROWS)]}))
        # Each sink gets 30 MB of it, and a page a 384th of that: 82 KB.
        self.logmill("run", "trail.json", "--threads", "1", "--memory", "388M", "--to", "parquet:lake,layout=flat", "--to", "ndjson:out,compression=none")
        (self.file,) = (self.dir / "lake/api_activity").iterdir()
        self.events = [json.loads(line) for path in (self.dir / "out/api_activity").iterdir() for line in path.read_text().splitlines()]
        self.assertEqual(len(self.events), ROWS)
        self.assertEqual(pyarrow.parquet.ParquetFile(self.file).metadata.num_row_groups, 1)

    def uids(self, wanted) -> list:
        found = sorted(event["metadata"]["uid"] for event in self.events if wanted(event))
        self.assertTrue(found)
        return found

    def test_a_moment_is_in_one_page(self):
        # Blocks of rows may change places; only the page that holds the first moment has bounds that it is in.
        time = min(event["time"] for event in self.events)
        expected = self.uids(lambda event: event["time"] == time)
        sql = f"time = arrow_cast({time}, 'Timestamp(Millisecond, Some(\"UTC\"))')"
        read, rows = readers.datafusion_scanned(self.file, sql)
        self.assertEqual(rows, expected)
        # 82 KB of times, 10,240 of them, and a batch of 8,192 more: a page is finished between two batches.
        self.assertLess(read, ROWS / 2)
        # Readers that know nothing of each other find the same page.
        self.assertEqual(readers.spark_scanned(self.file, f"time = timestamp_millis({time})", by="columnindex"), (read, expected))
        self.assertEqual(readers.hyparquet_scanned(self.file, {"time": {"$eq": {"$date": time}}}), (read, expected))
        self.assertEqual(readers.datafusion_scanned(self.file, sql, page_index=False), (ROWS, expected), "the counter counts")
        self.assertEqual(readers.spark_scanned(self.file, f"time = timestamp_millis({time})", by="none"), (ROWS, expected))

    def test_bounds_of_long_texts_are_cut_and_hold(self):
        agent = min(event["http_request"]["user_agent"] for event in self.events)
        self.assertGreater(len(agent.encode()), 64)
        expected = self.uids(lambda event: event["http_request"]["user_agent"] == agent)
        read, rows = readers.spark_scanned(self.file, f"http_request.user_agent = '{agent}'", by="columnindex")
        self.assertEqual(rows, expected)
        self.assertLess(read, ROWS / 2)
        # It reads what lies between two pages, too, if it is in one page of another column.
        kept, rows = readers.hyparquet_scanned(self.file, {"http_request.user_agent": {"$eq": agent}})
        self.assertEqual(rows, expected)
        self.assertTrue(read <= kept < ROWS / 2, kept)
        self.assertEqual(readers.spark_scanned(self.file, f"http_request.user_agent = '{agent}'", by="none"), (ROWS, expected))
        absent = agent[:-1] + "x"
        self.assertEqual(readers.spark_scanned(self.file, f"http_request.user_agent = '{absent}'", by="columnindex"), (read, []))

    def test_a_stretch_of_time_is_the_same_rows_to_everybody(self):
        """Rows of several columns whose pages end at different rows, nested ones and lists among them."""
        times = sorted(event["time"] for event in self.events)
        for first, last in ((0, 10), (ROWS // 3, ROWS // 2), (ROWS - 3, ROWS - 1)):
            low, high = times[first], times[last]
            with self.subTest(first=first, last=last):
                expected = self.uids(lambda event: low <= event["time"] <= high)  # noqa: B023  called here
                value = [pyarrow.scalar(time, pyarrow.timestamp("ms", "UTC")) for time in (low, high)]
                field = pyarrow.compute.field("time")
                self.assertEqual(readers.pyarrow_row_groups(self.file, (field >= value[0]) & (field <= value[1]))[2], expected)
                self.assertEqual(readers.duckdb_row_groups(self.file, f"time BETWEEN make_timestamp_ms({low})::TIMESTAMPTZ AND make_timestamp_ms({high})::TIMESTAMPTZ", self.dir)[2], expected)
                polars_time = "pl.lit({}).cast(pl.Datetime('ms', 'UTC'))"
                self.assertEqual(readers.polars_row_groups(self.file, f"pl.col('time').is_between({polars_time.format(low)}, {polars_time.format(high)})")[2], expected)
                spark = f"time BETWEEN timestamp_millis({low}) AND timestamp_millis({high})"
                kept, rows = readers.spark_scanned(self.file, spark, by="columnindex")
                self.assertEqual(rows, expected)
                if first == 0 or last == ROWS - 1:  # one in the middle may be within the bounds of every page, for blocks of rows may change places
                    self.assertLess(kept, ROWS)
                arrow_time = "arrow_cast({}, 'Timestamp(Millisecond, Some(\"UTC\"))')"
                self.assertEqual(readers.datafusion_scanned(self.file, f"time BETWEEN {arrow_time.format(low)} AND {arrow_time.format(high)}"), (kept, expected))
                self.assertEqual(readers.hyparquet_scanned(self.file, {"time": {"$gte": {"$date": low}, "$lte": {"$date": high}}})[1], expected)
                whole = readers.spark().read.parquet(str(self.file)).where(spark).collect()
                by_uid = {row["metadata"]["uid"]: row.asDict(recursive=True) for row in whole}
                self.assertEqual(sorted(by_uid), expected)
                for event in self.events:
                    if (row := by_uid.get(event["metadata"]["uid"])) is not None:
                        self.assertEqual(row["http_request"]["user_agent"], event["http_request"]["user_agent"])
                        self.assertEqual([o["value"] for o in row["observables"]], [o.get("value") for o in event["observables"]])


if __name__ == "__main__":
    unittest.main()
