"""parquet:DIR,profile=security-lake: every rule of security_lake.py holds for what is written, and each is found broken where it is."""
import json
import pathlib
import shutil
import unittest

import ocsf_versions
import pyarrow as pa
import pyarrow.parquet as pq
import security_lake
from e2e import ROOT, Case

SHARED = ROOT.parent / "shared"


class SecurityLake(Case):
    def inputs(self):
        inputs = sorted((ROOT / "tests/golden").glob("*/input"))
        return inputs + ([SHARED / "corpus"] if (SHARED / "corpus").exists() else [])

    def test_what_is_written_keeps_every_rule_and_has_every_row(self):
        for version in ("", ",ocsf=1.3.0"):
            lake, flat = self.dir / f"lake{version[6:]}", self.dir / f"flat{version[6:]}"
            self.logmill("run", *self.inputs(), "--to", f"parquet:{lake},profile=security-lake,source=logmill-{{class_uid}}{version}",
                         "--to", f"ndjson:{flat},compression=none{version or ',ocsf=1.1.0'}", code=3)
            self.assertEqual(security_lake.problems(lake), [])
            names = ("time", "class_uid", "type_uid", "severity_id")
            rows = {row["metadata"]["uid"]: row for path in lake.rglob("*.parquet") for row in pq.ParquetFile(path).read(columns=[*names, "metadata", "unmapped"]).to_pylist()}
            events = ocsf_versions.read(flat.rglob("*.ndjson"))
            self.assertEqual(rows.keys(), events.keys())
            for uid, event in events.items():
                row = rows[uid]
                for name in names:
                    self.assertEqual(row[name], event[name], uid)
                self.assertEqual(json.loads(row["unmapped"] or "{}"), event.get("unmapped", {}) | {k: v for k, v in json.loads(row["unmapped"] or "{}").items() if k == "time_dt"}, uid)

    def test_rows_are_in_order_however_they_come(self):
        records = [self.flow(start) for start in (50, 10, 90, 30, 70, 20, 80, 0, 60, 40)]
        for i, record in enumerate(records):
            self.write(f"in/{i}.log", "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n" + record)
        self.logmill("run", "in", "--to", "parquet:lake,profile=security-lake,source=flows,region=eu-west-1")
        files = list((self.dir / "lake").rglob("*.parquet"))
        self.assertEqual([f.parent.relative_to(self.dir / "lake").as_posix() for f in files], ["ext/flows/region=eu-west-1/accountId=111122223333/eventDay=20260301"])
        self.assertEqual(security_lake.problems(self.dir / "lake"), [])
        self.assertEqual(pq.ParquetFile(files[0]).metadata.num_rows, 10)

    @staticmethod
    def flow(start: int) -> str:
        return f"2 111122223333 eni-1 192.0.2.1 198.51.100.2 443 50000 6 1 {start} {1772352000 + start} {1772352005 + start} ACCEPT OK\n"

    def test_a_large_value_has_a_page_of_its_own_and_pages_stay_small(self):
        lines = [self.flow(i) for i in range(20000)]
        self.write("in.log", "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n" + "".join(lines))
        self.logmill("run", "in.log", "--raw-data", "--to", "parquet:lake,profile=security-lake,source=flows")
        self.assertEqual(security_lake.problems(self.dir / "lake"), [])

    def test_each_planted_violation_is_found(self):
        self.write("in.log", "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n" + "".join(map(self.flow, range(20))))
        self.logmill("run", "in.log", "--to", "parquet:good,profile=security-lake,source=flows")
        good = next((self.dir / "good").rglob("*.parquet"))
        name = good.relative_to(self.dir / "good")
        table = pq.ParquetFile(good).read()
        options = {"compression": "zstd", "use_dictionary": False}

        def found(write, at: pathlib.Path = name, **more) -> str:
            shutil.rmtree(self.dir / "bad", ignore_errors=True)
            path = self.dir / "bad" / at
            path.parent.mkdir(parents=True)
            write(path)
            return "\n".join(security_lake.problems(self.dir / "bad", **more))

        def as_table(changed, **other):
            return lambda path: pq.write_table(changed, path, **{**options, **other})

        def with_column(column: str, array):
            return table.set_column(table.schema.get_field_index(column), column, array)

        self.assertEqual(found(as_table(table)), "", "the table itself is good")
        n = table.num_rows
        noise = pa.array(["x" * 200000] * n)
        for wanted, planted in (
                ("not in the order of time", as_table(table.take(list(range(n))[::-1]))),
                ("compressed with GZIP", as_table(table, compression="gzip")),
                ("severity_id is int64, not int32", as_table(with_column("severity_id", table["severity_id"].cast(pa.int64())))),
                ("time is timestamp[ms], not int64", as_table(with_column("time", table["time"].cast(pa.timestamp("ms"))))),
                ("the column time_dt is no timestamp", as_table(with_column("time_dt", pa.array(["2026"] * n)))),
                ("the column message is null, not string", as_table(with_column("message", pa.nulls(n)))),
                ("the column proxy is missing", as_table(table.drop_columns(["proxy"]))),
                ("the column more is not OCSF's", as_table(table.append_column("more", pa.array([1] * n)))),
                ("the classes [0, 4001]", as_table(with_column("class_uid", pa.array([0] + [4001] * (n - 1), pa.int32())))),
                ("a page larger than 1 MB", as_table(with_column("message", noise), data_page_size=1 << 24, write_batch_size=n)),
        ):
            self.assertIn(wanted, found(planted), wanted)
        self.assertIn("a row group is larger", found(as_table(table), most_group=1000))
        for wanted, at in (("is in eventDay=20200101", str(name).replace("20260301", "20200101")), ("is in accountId=external", str(name).replace("111122223333", "external")),
                           ("the folders are not", "flows/x.parquet"), ("is no name of a source", str(name).replace("flows", "f" * 21))):
            self.assertIn(wanted, found(as_table(table), pathlib.Path(at)))
        shutil.copytree(self.dir / "good", self.dir / "two")
        other = self.dir / "two" / str(name).replace("20260301", "20260302")
        other.parent.mkdir(parents=True)
        pq.write_table(with_column("class_uid", pa.array([4002] * n, pa.int32())), other, **options)
        self.assertIn("the source flows has the classes [4001, 4002]", "\n".join(security_lake.problems(self.dir / "two")))


if __name__ == "__main__":
    unittest.main()
