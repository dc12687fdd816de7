"""`logmill catalog`: the Parquet files of a run as tables for query engines. What engines make of it is in tests/integration/test_catalog.py, every dialect to the letter in tests/unit."""
import json
import unittest

from e2e import Case, flow_text

LOCATION = "s3://acme-lake/ocsf"


class Catalog(Case):
    def setUp(self):
        super().setUp()
        self.write("a.log", flow_text(50))
        self.logmill("run", "a.log", "--to", "parquet:lake")

    def catalog(self, engine: str, *more) -> str:
        done = self.logmill("catalog", "lake", "--for", engine, *more)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def test_columns_are_those_of_the_files(self):
        text = self.catalog("athena", "--location", LOCATION)
        table = text.split("`network_activity` (\n")[1].split("\n)\n")[0]
        columns = [line.split("`")[1] for line in table.splitlines()]
        declared = json.loads(self.logmill("schema", "network_activity", "--format", "json").stdout)["network_activity"]["columns"]
        self.assertEqual(columns, list(dict.fromkeys(c["path"].split(".")[0].removesuffix("[]") for c in declared)))
        self.assertRegex(table, r"(?m)^  `time` timestamp,?$")
        self.assertRegex(table, r"(?m)^  `src_endpoint` struct<.*`ip`:string.*`port`:int.*>,?$")
        self.assertRegex(table, r"(?m)^  `observables` array<struct<.*>>,?$")
        self.assertIn(f"'storage.location.template' = '{LOCATION}/network_activity/region=${{region}}/accountId=${{accountid}}/eventDay=${{eventday}}/'", text)

    def test_every_engine_is_told_of_every_table(self):
        tables = sorted(folder.name for folder in (self.dir / "lake").iterdir())
        self.assertIn("network_activity", tables)
        for engine in ("athena", "glue", "duckdb", "spark", "clickhouse"):
            text = self.catalog(engine, "--location", LOCATION)
            for table in tables:
                self.assertRegex(text, rf"[`\"]{table}[`\"]", engine)
        for line in self.catalog("glue", "--location", LOCATION, "--database", "soc").splitlines():
            self.assertEqual(json.loads(line)["DatabaseName"], "soc")

    def test_a_catalogue_goes_to_a_file_as_to_standard_output(self):
        text = self.catalog("duckdb")
        self.assertEqual(self.catalog("duckdb", "--out", "lake.sql"), "")
        self.assertEqual((self.dir / "lake.sql").read_text(), text)
        self.assertIn(f"'{self.dir.resolve()}/lake/network_activity/region=*/accountId=*/eventDay=*/*.parquet'", text)

    def test_iceberg_metadata_is_written_beside_the_data(self):
        tables = dict(line.split("\t") for line in self.catalog("iceberg", "--location", LOCATION).splitlines())
        self.assertEqual(tables["network_activity"], f"{LOCATION}/_iceberg/network_activity/metadata/v1.metadata.json")
        folder = self.dir / "lake/_iceberg/network_activity/metadata"
        for version in (1, 2):
            metadata = json.loads((folder / f"v{version}.metadata.json").read_text())
            self.assertEqual((folder / "version-hint.text").read_text(), str(version))
            self.assertEqual((metadata["format-version"], metadata["last-sequence-number"]), (2, version))
            names = [field["name"] for field in metadata["schemas"][0]["fields"]]
            self.assertEqual(names[-3:], ["region", "accountId", "eventDay"])
            mapping = json.loads(metadata["properties"]["schema.name-mapping.default"])
            self.assertEqual([field["names"][0] for field in mapping], names[:-3])
            snapshot = metadata["snapshots"][0]
            self.assertEqual(snapshot["summary"]["total-data-files"], str(len(list((self.dir / "lake/network_activity").rglob("*.parquet")))))
            for file in (snapshot["manifest-list"], f"{snapshot['snapshot-id']}-m0.avro"):
                self.assertTrue((folder / file.rsplit("/", 1)[-1]).read_bytes().startswith(b"Obj\x01"))
            self.catalog("iceberg", "--location", LOCATION)
        self.assertEqual([file for file in folder.iterdir() if file.name.startswith(".")], [])

    def test_what_cannot_be_meant_is_refused(self):
        for more, why in ((["lake", "--for", "athena"], "--location"), (["lake", "--for", "oracle"], "none of athena, glue"),
                          (["missing", "--for", "duckdb"], "missing is no folder"), (["lake"], "--for"), (["--for", "duckdb"], "DIR"),
                          (["lake", "--for", "duckdb", "--location", "a\nb"], "one line"), (["lake", "--for", "spark", "--database", "x"], "no database")):
            done = self.logmill("catalog", *more, code=2)
            self.assertIn(why, done.stderr)
            self.assertEqual(done.stdout, "")

    def test_files_that_are_damaged_are_named(self):
        file = next((self.dir / "lake").rglob("*.parquet"))
        whole = file.read_bytes()
        length = int.from_bytes(whole[-8:-4], "little")
        for damaged in (b"", whole[:-1], whole[:100], whole[: -8 - length] + b"\xff" * length + whole[-8:], whole[:-8] + b"\xff\xff\xff\xffPAR1",
                        whole[:-8] + b"\xff\xff\xff\x03PAR1"):
            file.write_bytes(damaged)
            self.assertIn(str(file.relative_to(self.dir)), self.logmill("catalog", "lake", "--for", "duckdb", code=2).stderr)
        # Whatever byte of the footer is another one: a catalogue, or an error.
        for at in range(len(whole) - 8 - length, len(whole) - 8, max(length // 60, 1)):
            for byte in (0, 0xFF, 0x7C, 0x19):
                file.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
                done = self.logmill("catalog", "lake", "--for", "duckdb", code=None)
                self.assertIn(done.returncode, (0, 2))

    def test_superseded_rows_are_told_of(self):
        self.logmill("run", "a.log", "--to", "parquet:exact", "--state", "job.state")
        self.assertEqual(self.logmill("catalog", "exact", "--for", "duckdb").stderr, "")
        self.write("a.log", flow_text(51))
        self.logmill("run", "a.log", "--to", "parquet:exact", "--state", "job.state")
        done = self.logmill("catalog", "exact", "--for", "duckdb")
        self.assertIn("exact/_manifest.json has superseded objects", done.stderr)


if __name__ == "__main__":
    unittest.main()
