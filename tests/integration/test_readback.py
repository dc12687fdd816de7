"""The Parquet files of a run hold the rows and values of its NDJSON, read back by readers that nobody here wrote (readers.py), nested columns included."""
import datetime
import json
import shutil
import unittest

import pyarrow.parquet

import readers
from e2e import ROOT, Case

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
CORPUS = [path for path in (ROOT.parent / "shared/corpus" / name for name in ("aws.cloudtrail", "aws.vpcflow")) if path.is_dir()]


def plain(value, json_paths: set, path: str = ""):
    """A value as the NDJSON has it: no attribute is null, times are milliseconds, JSON text is JSON."""
    if isinstance(value, dict):
        members = {key: plain(member, json_paths, f"{path}.{key}".lstrip(".")) for key, member in value.items() if member is not None}  # most are
        return {key: member for key, member in members.items() if member is not None} or None
    if isinstance(value, (list, tuple)):
        return [plain(element, json_paths, path + "[]") for element in value]
    if isinstance(value, datetime.datetime):
        value = value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
        return round((value - EPOCH) / datetime.timedelta(milliseconds=1))
    return json.loads(value) if isinstance(value, (str, bytes)) and path in json_paths else value


def without_empty(value):
    """An object all of whose attributes are absent is absent in a column; NDJSON may show it as {}."""
    if isinstance(value, dict):
        return {key: without_empty(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [without_empty(element) for element in value]
    return value


class Readback(Case):
    def compare(self, *inputs, parquet_options: str = "", code: int) -> int:
        self.logmill("run", *inputs, "--to", "ndjson:out,compression=none", "--to", f"parquet:lake{parquet_options}", "--stats", "stats.json", code=code)
        tables = json.loads(self.logmill("schema", "--format", "json").stdout)
        total = 0
        for folder in sorted((self.dir / "out").iterdir()):
            expected = {}
            for file in folder.glob("*.ndjson"):
                for line in file.read_text().splitlines():
                    event = json.loads(line)
                    expected[event["metadata"]["uid"]] = without_empty(event)
            total += len(expected)
            json_paths = {column["path"] for column in tables[folder.name]["columns"] if column["type"] in ("json_t", "object_t") or column["path"] == "unmapped"}
            files = [str(path) for path in (self.dir / "lake" / folder.name).rglob("*.parquet")]
            self.assertTrue(files, folder.name)
            for reader, rows_of in readers.WHOLE.items():
                with self.subTest(reader=reader, table=folder.name):
                    self.assert_rows(rows_of(files), expected, json_paths)
        self.assertEqual(total, self.stats()["rows_out"])
        return total

    def assert_rows(self, rows: list, expected: dict, json_paths: set) -> None:
        self.assertEqual(len(rows), len(expected))
        for row in rows:
            row = plain(row, json_paths)
            self.assertEqual(row, expected[row["metadata"]["uid"]])

    def test_the_sample_archive(self):
        self.archive(records=60)
        self.assertGreater(self.compare("evidence", code=3), 1000)

    def test_small_row_groups_change_nothing(self):
        self.archive(records=60)
        self.compare("evidence", parquet_options=",row_group_rows=1000", code=3)

    def test_every_codec_is_read_by_every_reader(self):
        self.archive(records=20)
        for codec in ("lz4_raw", "snappy", "gzip", "none"):
            with self.subTest(codec=codec):
                self.compare("evidence", parquet_options=f",layout=flat,compression={codec}", code=3)
                for file in (self.dir / "lake").rglob("*.parquet"):
                    group = pyarrow.parquet.ParquetFile(file).metadata.row_group(0)
                    names = {group.column(column).compression for column in range(group.num_columns)}
                    self.assertEqual(names, {{"lz4_raw": "LZ4", "none": "UNCOMPRESSED"}.get(codec, codec.upper())})
                for folder in ("lake", "out"):
                    shutil.rmtree(self.dir / folder)

    if CORPUS:

        def test_the_corpus(self):
            self.compare(*CORPUS, code=None)


if __name__ == "__main__":
    unittest.main()
