"""A stream of an embedded logmill, imported by pyarrow through the C stream interface, holds the rows and values of the NDJSON of the same input."""
import ctypes
import json
import os
import pathlib
import sys
import unittest

import pyarrow

from e2e import ROOT, Case

sys.path.insert(0, str(ROOT / "tests/install"))
from installed import build_example, install  # noqa: E402: found by the line above


def without_absent(value, json_paths: set, read_json, path: str = ""):
    """What is null is not there, nor is an object of which nothing is there. Lists keep their places. Values that are JSON go through `read_json`."""
    if value is not None and path in json_paths:
        return read_json(value)
    if isinstance(value, dict):
        members = {key: without_absent(member, json_paths, read_json, f"{path}.{key}".lstrip(".")) for key, member in value.items()}
        return {key: member for key, member in members.items() if member is not None} or None
    if isinstance(value, list):
        return [without_absent(element, json_paths, read_json, path + "[]") for element in value]
    return value


def plain(array: pyarrow.Array) -> list:
    """Values, timestamps as milliseconds whatever their depth."""
    kind = array.type
    if pyarrow.types.is_timestamp(kind):
        return array.cast(pyarrow.int64()).to_pylist()
    if pyarrow.types.is_struct(kind):
        members = [(kind[i].name, plain(array.field(i))) for i in range(kind.num_fields)]
        there = array.is_valid().to_pylist()
        return [{name: values[row] for name, values in members} if there[row] else None for row in range(len(array))]
    if pyarrow.types.is_list(kind):
        values, offsets, there = plain(array.values), array.offsets.to_pylist(), array.is_valid().to_pylist()
        return [values[offsets[row]:offsets[row + 1]] if there[row] else None for row in range(len(array))]
    return array.to_pylist()


class EmbedPyarrow(Case):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(os.environ["LOGMILL_BUILD"]) / "integration-embed"
        install(cls.work / "prefix")
        built = build_example("embed", cls.work / "prefix", cls.work / "embed")
        cls.embed = ctypes.CDLL(str(built / "libembed_stream.so"))
        cls.embed.embed_last_error.restype = ctypes.c_char_p

    def open(self, table: str) -> pyarrow.RecordBatchReader:
        stream = ctypes.create_string_buffer(5 * ctypes.sizeof(ctypes.c_void_p))
        inputs = (ctypes.c_char_p * 1)(str(self.dir / "evidence").encode())
        code = self.embed.embed_open(None, inputs, 1, table.encode(), stream)
        self.assertEqual(code, 0, self.embed.embed_last_error())
        return pyarrow.RecordBatchReader._import_from_c(ctypes.addressof(stream))

    def test_every_table_has_the_rows_of_its_ndjson(self):
        self.archive(400)
        self.logmill("run", "evidence", "--to", "ndjson:out,compression=none", code=None)
        tables = json.loads(self.logmill("schema", "--format", "json").stdout)
        compared = 0
        for name, table in tables.items():
            json_paths = {column["path"] for column in table["columns"] if column["type"] in ("json_t", "object_t") or column["path"] == "unmapped"}
            expected = {}
            for file in (self.dir / "out" / name).glob("*.ndjson"):
                for event in map(json.loads, file.read_text().splitlines()):
                    # The objects are named here by their whole path, which is a part of their identity.
                    expected[(event["lineage"]["uri"].rpartition("evidence/")[2], event["lineage"]["record"], event["lineage"]["item"])] = event
            found = {}
            for batch in self.open(name):
                batch.validate(full=True)
                for row in plain(batch.to_struct_array()):
                    row = without_absent(row, json_paths, json.loads)
                    found[(row["lineage"]["uri"].rpartition("evidence/")[2], row["lineage"]["record"], row["lineage"]["item"])] = row
            with self.subTest(table=name):
                self.assertEqual(found.keys(), expected.keys())
                for key, event in expected.items():
                    for each in (event, found[key]):
                        each["lineage"].pop("uri"), each["metadata"].pop("log_source"), each["metadata"].pop("uid")
                    self.assertEqual(found[key], without_absent(event, json_paths, lambda already_read: already_read))
            compared += len(expected)
        self.assertGreater(compared, 1000)

    def test_a_stream_may_be_left_unread(self):
        self.archive(400)
        reader = self.open("api_activity")
        reader.read_next_batch()
        del reader
        rows = self.open("api_activity").read_all().num_rows
        self.assertGreater(rows, 0)


if __name__ == "__main__":
    unittest.main()
