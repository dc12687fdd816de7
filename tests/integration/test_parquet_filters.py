"""A filter costs readers that nobody here wrote only the row groups that statistics and bloom filters leave: their own counters say so, and no row is lost."""
import json
import unittest

import pyarrow
import pyarrow.compute
import pyarrow.parquet

import readers
from e2e import Case, trail

GROUPS, ROWS = 6, 500


class Filters(Case):
    def setUp(self):
        super().setUp()
        self.write("trail.json", json.dumps({"Records": [self.record(i, record) for i, record in enumerate(trail(count=GROUPS * ROWS))]}))

    @staticmethod
    def record(i: int, record: dict) -> dict:
        """Addresses come five times each, which makes a dictionary, messages once, which makes none; the bounds of either hold whatever is looked up in every row group."""
        count = GROUPS * ROWS
        address, message = i // 5 * 1009 % count, i * 1009 % count
        kept = {name: record[name] for name in ("eventVersion", "userIdentity", "eventTime", "awsRegion", "userAgent", "requestID", "eventID", "eventType", "recipientAccountId") if name in record}
        return {**kept, "eventSource": "s3.amazonaws.com", "eventName": "GetObject" if i % 2 else "PutObject", "sourceIPAddress": f"10.0.{address // 250}.{address % 250}", "errorCode": "AccessDenied",
                "errorMessage": f"denied for the {message:05}th time", "eventTime": f"2026-03-01T{i // 3600:02}:{i // 60 % 60:02}:{i % 60:02}Z"}

    def lake(self, options: str = "") -> tuple:
        """The one file of the table, and the events that NDJSON has."""
        self.logmill("run", "trail.json", "--threads", "1", "--to", f"parquet:lake,layout=flat,row_group_rows={ROWS}{options}", "--to", "ndjson:out,compression=none")
        (file,) = (self.dir / "lake/api_activity").iterdir()
        events = [json.loads(line) for path in (self.dir / "out/api_activity").iterdir() for line in path.read_text().splitlines()]
        self.assertEqual(len(events), GROUPS * ROWS)
        return file, events

    def uids(self, events: list, wanted) -> list:
        found = sorted(event["metadata"]["uid"] for event in events if wanted(event))
        self.assertTrue(found)
        return found

    def groups(self, file, value_of) -> dict:
        """For each value the row groups that it is in."""
        opened, out = pyarrow.parquet.ParquetFile(file), {}
        self.assertEqual(opened.num_row_groups, GROUPS)
        for group in range(GROUPS):
            for row in opened.read_row_group(group).to_pylist():
                out.setdefault(value_of(row), set()).add(group)
        return out

    def test_bloom_filters_find_an_address(self):
        file, events = self.lake()
        addresses = self.groups(file, lambda row: row["src_endpoint"]["ip"])
        # A filter may say of what is absent that it could be there, one time in a hundred: of an address and group that is no such case.
        address = next(value for value, groups in addresses.items()
                       if groups == {3} and readers.duckdb_row_groups(file, f"src_endpoint.ip = '{value}'", self.dir)[0] == 1)
        expected = self.uids(events, lambda event: event["src_endpoint"]["ip"] == address)
        where = f"src_endpoint.ip = '{address}'"
        self.assertEqual(readers.duckdb_row_groups(file, where, self.dir), (1, GROUPS, expected))
        self.assertEqual(readers.hyparquet_row_groups(file, {"src_endpoint.ip": {"$eq": address}}), (1, GROUPS, expected))
        self.assertEqual(readers.spark_scanned(file, where, by="none"), (GROUPS * ROWS, expected), "the counter counts")
        self.assertEqual(readers.spark_scanned(file, where, by="stats"), (GROUPS * ROWS, expected), "bounds do not help")
        self.assertEqual(readers.spark_scanned(file, where, by="bloom"), (ROWS, expected))
        absent = {where: readers.duckdb_row_groups(file, where, self.dir)
                  for where in (f"src_endpoint.ip = '10.0.3.{last}'" for last in range(251, 231, -1)) if where.split("'")[1] not in addresses}
        self.assertEqual({(groups, tuple(found)) for _, groups, found in absent.values()}, {(GROUPS, ())})
        self.assertLess(sum(read for read, _, _ in absent.values()), len(absent) * GROUPS * 0.1)
        nowhere = next(where for where, (read, _, _) in absent.items() if read == 0)
        self.assertEqual(readers.spark_scanned(file, nowhere, by="bloom"), (0, []))

    def test_without_them_every_row_group_is_read(self):
        file, events = self.lake(",bloom_filters=none")
        where = f"src_endpoint.ip = '{events[1700]['src_endpoint']['ip']}'"
        self.assertEqual(readers.duckdb_row_groups(file, where, self.dir)[:2], (GROUPS, GROUPS))
        self.assertEqual(readers.spark_scanned(file, where, by="bloom")[0], GROUPS * ROWS)

    def test_bloom_filters_of_a_column_that_is_asked_for(self):
        file, events = self.lake(",bloom_filters=lookup+status_detail")
        messages = self.groups(file, lambda row: row["status_detail"])
        # As above: one that no filter takes for one of its own.
        message = next(value for value, groups in messages.items()
                       if groups == {3} and readers.duckdb_row_groups(file, f"status_detail = '{value}'", self.dir)[0] == 1)
        self.assertIn("denied for the ", message)
        expected = self.uids(events, lambda event: event["status_detail"] == message)
        self.assertEqual(readers.hyparquet_row_groups(file, {"status_detail": {"$eq": message}}), (1, GROUPS, expected))
        self.assertEqual(readers.duckdb_row_groups(file, f"status_detail = '{message}'", self.dir), (1, GROUPS, expected))
        for group in range(GROUPS):
            value = next(value for value, groups in messages.items() if groups == {group})
            found = self.uids(events, lambda event, value=value: event["status_detail"] == value)
            self.assertEqual(readers.duckdb_row_groups(file, f"status_detail = '{value}'", self.dir)[2], found)

    def test_duckdb_probes_a_filter(self):
        """Its function takes the number of a top-level column for the number of a leaf: it is right only for what stands before the first struct."""
        file, events = self.lake(",bloom_filters=activity_name")
        names = self.groups(file, lambda row: row["activity_name"])
        self.assertEqual(set(names), {event["activity_name"] for event in events})
        self.assertGreater(len(names), 1)
        for name, groups in names.items():
            self.assertEqual(groups, set(range(GROUPS)))
            self.assertEqual(readers.duckdb_bloom(file, "activity_name", name), [False] * GROUPS, "what is there is never said to be absent")
        absent = [readers.duckdb_bloom(file, "activity_name", f"Nothing {number}") for number in range(50)]
        self.assertGreater(sum(map(sum, absent)), 50 * GROUPS * 0.95)

    def test_statistics_find_an_hour(self):
        file, events = self.lake()
        times = self.groups(file, lambda row: row["time"])
        # The rows of neighbouring row groups may overlap by a second or a block.
        bounds = {group: [value for value, groups in times.items() if group in groups] for group in range(GROUPS)}
        reading = {value: sum(min(values) <= value <= max(values) for values in bounds.values()) for value in times}
        moment = min(times, key=reading.get)
        time, read = round(moment.timestamp() * 1000), reading[moment]
        self.assertLess(read, GROUPS / 2)
        expected = self.uids(events, lambda event: event["time"] == time)
        self.assertEqual(readers.duckdb_row_groups(file, f"time = make_timestamp_ms({time})::TIMESTAMPTZ", self.dir), (read, GROUPS, expected))
        self.assertEqual(readers.polars_row_groups(file, f"pl.col('time') == pl.lit({time}).cast(pl.Datetime('ms', 'UTC'))"), (read, GROUPS, expected))
        self.assertEqual(readers.hyparquet_row_groups(file, {"time": {"$eq": {"$date": time}}}), (read, GROUPS, expected))
        self.assertEqual(readers.spark_scanned(file, f"time = timestamp_millis({time})", by="stats"), (read * ROWS, expected))
        value = pyarrow.scalar(time, pyarrow.timestamp("ms", "UTC"))
        self.assertEqual(readers.pyarrow_row_groups(file, pyarrow.compute.field("time") == value), (read, GROUPS, expected))

    def test_row_groups_are_said_to_be_sorted_if_they_are(self):
        """Rows of one thread come in the order of time, block by block; those of a record that is moved do not."""
        said = {}
        for name, order in (("ascending", 1), ("descending", -1)):
            records = json.loads((self.dir / "trail.json").read_text())["Records"][:800]
            (self.dir / f"{name}.json").write_text(json.dumps({"Records": records[::order]}))
            self.logmill("run", f"{name}.json", "--threads", "1", "--to", f"parquet:{name},layout=flat")
            (path,) = (self.dir / name / "api_activity").iterdir()
            file = pyarrow.parquet.ParquetFile(path)
            times = [row["time"] for row in file.read(columns=["time"]).to_pylist()]
            columns = file.metadata.row_group(0).sorting_columns
            said[name] = bool(columns)
            self.assertEqual(said[name], times == sorted(times))
            if columns:
                (column,) = columns
                self.assertEqual(file.metadata.row_group(0).column(column.column_index).path_in_schema, "time")
                self.assertFalse(column.descending)
        self.assertEqual(said, {"ascending": True, "descending": False})

    def test_a_column_that_is_not_there_is_an_error_that_names_it(self):
        for value, said in (("lookup+no.such", "no table has the column 'no.such'"), ("activity_id", "the column 'activity_id' is no text"), ("none+lookup", "none stands alone"),
                            ("lookup+", "has an empty part")):
            with self.subTest(value=value):
                done = self.logmill("run", "trail.json", "--to", f"parquet:lake,bloom_filters={value}", code=None)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(said, done.stderr)
                self.assertEqual([path for path in (self.dir / "lake").rglob("*.parquet")], [])


if __name__ == "__main__":
    unittest.main()
