"""What `logmill catalog` writes is run by the engines that it is for, and every table has the rows of the same run's NDJSON."""
import collections
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import unittest

import duckdb

from e2e import Case

# Of one event, as every engine can spell it.
VALUES = "metadata.uid, class_uid, region, accountId, eventDay"


class Catalog(Case):
    layout = "lake"

    def setUp(self):
        super().setUp()
        self.archive(records=40)
        # Characters that mean something to SQL and to paths.
        self.lake = self.dir / "it's a lake"
        self.logmill("run", "evidence", "--to", "ndjson:out,compression=none", "--to", f"parquet:{self.lake},layout={self.layout}", code=3)
        self.expected = {}
        for folder in (self.dir / "out").iterdir():
            events = [json.loads(line) for file in folder.glob("*.ndjson") for line in file.read_text().splitlines()]
            self.expected[folder.name] = {event["metadata"]["uid"]: event for event in events}
        self.assertGreater(sum(map(len, self.expected.values())), 500)

    def sql(self, engine: str, *more) -> str:
        return self.logmill("catalog", self.lake, "--for", engine, *more).stdout

    def check(self, table: str, rows: list) -> None:
        """Rows of VALUES."""
        expected = self.expected[table]
        self.assertEqual(collections.Counter(row[0] for row in rows), collections.Counter(expected.keys()))
        for uid, class_uid, region, account, day in rows:
            event = expected[uid]
            cloud = event.get("cloud", {})
            self.assertEqual((class_uid, region, account), (event["class_uid"], cloud.get("region", "unknown"), cloud.get("account", {}).get("uid", "unknown")))
            self.assertRegex(day, r"\A\d{8}\Z")

    def test_duckdb(self):
        database = duckdb.connect()
        database.execute(self.sql("duckdb", "--database", "logs"))
        for table in self.expected:
            self.check(table, database.execute(f"SELECT {VALUES} FROM logs.{table}").fetchall())

    @unittest.skipUnless(importlib.util.find_spec("chdb"), "chdb is not there")
    def test_clickhouse(self):
        from chdb import session  # pylint: disable=import-error,import-outside-toplevel

        clickhouse = session.Session(str(self.dir / "clickhouse"))
        self.addCleanup(clickhouse.close)
        clickhouse.query("CREATE DATABASE logs")
        for statement in self.sql("clickhouse", "--database", "logs").split(";\n"):
            if statement.strip():
                clickhouse.query(statement)
        for table in self.expected:
            text = str(clickhouse.query(f"SELECT {VALUES} FROM logs.{table}", "JSONCompactEachRow"))
            self.check(table, [json.loads(line) for line in text.splitlines()])
            last = max(event["time"] for event in self.expected[table].values())
            self.assertEqual(str(clickhouse.query(f"SELECT toUnixTimestamp64Milli(max(time)) FROM logs.{table}")).strip(), str(last))

    @unittest.skipUnless(importlib.util.find_spec("pyiceberg"), "pyiceberg is not there")
    def test_iceberg(self):
        from pyiceberg.table import StaticTable  # pylint: disable=import-error,import-outside-toplevel

        for version in (1, 2):  # what is there already is no hindrance
            tables = dict(line.split("\t") for line in self.sql("iceberg").splitlines())
            self.assertEqual(set(tables), set(self.expected))
            for name, metadata in tables.items():
                self.assertTrue(metadata.endswith(f"/_iceberg/{name}/metadata/v{version}.metadata.json"))
                table = StaticTable.from_metadata(metadata)
                scan = table.scan(selected_fields=("metadata.uid", "class_uid", "region", "accountId", "eventDay"))
                self.check(name, [(row["metadata"]["uid"], row["class_uid"], row["region"], row["accountId"], row["eventDay"]) for row in scan.to_arrow().to_pylist()])
                # A filter by a partition leaves the files of the others out.
                day = max(row["eventDay"] for row in scan.to_arrow().to_pylist())
                files = list((self.lake / name).rglob("*.parquet"))
                planned = list(table.scan(row_filter=f"eventDay = '{day}'").plan_files())
                self.assertEqual(len(planned), len([file for file in files if f"eventDay={day}" in str(file)]))
        # None of it is data to those who look at folders.
        self.test_duckdb()

    @unittest.skipUnless(os.environ.get("LOGMILL_DUCKDB_ICEBERG"), "a DuckDB with its Iceberg extension is not there")
    def test_iceberg_by_duckdb(self):
        for line in self.sql("iceberg").splitlines():
            name, metadata = line.split("\t")
            program = pathlib.Path(__file__).with_name("duckdb_iceberg.py")
            done = subprocess.run([os.environ["LOGMILL_DUCKDB_ICEBERG"], program, VALUES, metadata], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.check(name, [json.loads(row) for row in done.stdout.splitlines()])

    @unittest.skipUnless(importlib.util.find_spec("pyspark") and shutil.which("java"), "pyspark or Java is not there")
    def test_spark(self):
        from pyspark.sql import SparkSession  # pylint: disable=import-error,import-outside-toplevel

        spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
        self.addCleanup(spark.stop)
        for statement in self.sql("spark").split(";\n"):
            if statement.strip():
                spark.sql(statement)
        for table in self.expected:
            self.check(table, [tuple(row) for row in spark.sql(f"SELECT {VALUES} FROM {table}").collect()])


class Flat(Case):
    def test_a_flat_lake_of_two_runs_with_other_columns(self):
        self.archive(records=20)
        self.logmill("run", "evidence", "--to", "ndjson:out,compression=none", "--to", "parquet:lake,layout=flat", code=3)
        self.logmill("run", "evidence", "--to", "parquet:lake,layout=flat", "--raw-data", code=3)
        events = sum(len(file.read_text().splitlines()) for file in (self.dir / "out").rglob("*.ndjson"))
        database = duckdb.connect()
        database.execute(self.logmill("catalog", "lake", "--for", "duckdb").stdout)
        rows = sum(database.execute(f"SELECT count(metadata.uid) FROM {folder.name}").fetchone()[0] for folder in (self.dir / "lake").iterdir())
        self.assertEqual(rows, 2 * events)


if __name__ == "__main__":
    unittest.main()
