"""Layouts of Parquet files: templates of columns, values that want to leave their folder, and catalogues of what comes out."""
import json
import unittest

from e2e import Case

HOSTILE = ["../../up", "..", ".hidden", "_hidden", "a/b", "a\\b", "c:d", "nul\x01", "ümlaut", "=", "a=b", "%2F", "x" * 4000, " ", "~", "*?", "eu-west-1"]


def record(i: int, region: str | None) -> dict:
    return {"eventVersion": "1.08", "userIdentity": {"type": "IAMUser", "accountId": "111122223333", "userName": "ada"}, "eventTime": f"2026-03-0{1 + i % 2}T08:{i % 60:02}:00Z",
            "eventSource": "s3.amazonaws.com", "eventName": "ListBuckets", "awsRegion": region, "sourceIPAddress": "192.0.2.1", "userAgent": "x", "requestParameters": None,
            "responseElements": None, "eventID": f"00000000-0000-4000-8000-{i:012}", "eventType": "AwsApiCall", "recipientAccountId": "111122223333"}


class Layouts(Case):
    def run_with(self, layout: str, records: list, code: int = 0, name: str = "lake"):
        self.write("in/111122223333_CloudTrail_eu-west-1_20260301T0805Z_x.json", json.dumps({"Records": records}))
        return self.logmill("run", "in", "--to", f"parquet:{name},layout={layout}", "--stats", "stats.json", code=code)

    def folders(self, name: str = "lake") -> list[str]:
        return sorted({p.parent.relative_to(self.dir / name).as_posix() for p in (self.dir / name).rglob("*.parquet")})

    def test_a_template_names_folders_after_columns(self):
        records = [record(i, "eu-west-1") for i in range(4)]
        for layout, wanted in (
                ("class={class_name}/account={cloud.account.uid}/day={time:%Y-%m-%d}",
                 ["class=API%20Activity/account=111122223333/day=2026-03-01", "class=API%20Activity/account=111122223333/day=2026-03-02"]),
                ("{table}/y={time:%Y}/m={time:%m}/h={time:%H}", ["api_activity/y=2026/m=03/h=08"]),
                ("events/{class_uid}/severity={severity_id}", ["events/6003/severity=1"]),
                ("{table}/user={actor.user.name}-x", ["api_activity/user=ada-x"]),
                ("flat", ["api_activity"]),
                ("lake", [f"api_activity/region=eu-west-1/accountId=111122223333/eventDay=2026030{d}" for d in (1, 2)])):
            name = f"out{abs(hash(layout))}"
            self.run_with(layout, records, name=name)
            self.assertEqual(self.folders(name), wanted, layout)
            self.assertEqual(self.stats()["parsers"]["aws.cloudtrail"]["records_out"], 4)

    def test_no_value_leaves_its_folder_or_makes_a_name_that_stores_refuse(self):
        records = [record(i, region) for i, region in enumerate([*HOSTILE, None])]
        for n, (layout, prefix) in enumerate((("{table}/region={cloud.region}", "api_activity/region="), ("{table}/{cloud.region}", "api_activity/"), ("{cloud.region}/{table}", ""))):
            name = f"out{n}"
            self.run_with(layout, records, name=name)
            folders = self.folders(name)
            self.assertEqual(len(folders), len(records), folders)
            self.assertEqual([p for p in self.dir.iterdir() if p.name not in ("in", "stats.json") and not p.name.startswith("out")], [])
            for folder in folders:
                self.assertTrue(folder.startswith(prefix), folder)
                for part in folder.split("/"):
                    self.assertLessEqual(len(part), 255)
                    self.assertRegex(part, r"^[A-Za-z0-9%][A-Za-z0-9%~._=-]*$")
            self.assertEqual(sum("unknown" in folder for folder in folders), 1, "what is null has a name")

    def test_what_is_no_template_is_a_usage_error(self):
        for layout, why in (("day={time:%Y}", "it needs {table}, {class_name} or {class_uid}"), ("{table}//x", "a part between slashes is empty"), ("{table}/", "a part between slashes is empty"),
                            ("{table}/{time:%Q}", "'%Q' is no format"), ("{table}/{time:x}", "'x' is no format"), ("{table}/{a", "a brace has no other one"), ("{table}/a}", "a brace has no other one"),
                            ("{table}/{a}{b}", "has one value at most"), ("{table}/..", "begin with '.' or '_'"), ("{table}/_x={cloud.region}", "begin with '.' or '_'"), ("{table}/a b", "folders have letters"),
                            ("{table}/{a b}", "is no column"), ("hive", "wanted lake, flat or a template"), ("{table}/{cloud.nothing}", "no table has the column 'cloud.nothing'"),
                            ("{table}/{cloud}", "the column 'cloud' is no text"), ("{table}/{cloud.region:%Y}", "has a format and is no time"), ("{table}/{resources.uid}", "is below a list"),
                            ("{table}/" + "x" * 60, "more than 48 characters")):
            done = self.run_with(layout, [record(0, "eu-west-1")], code=None)
            self.assertIn(done.returncode, (1, 2), layout)
            self.assertIn(why, done.stderr, layout)
            self.assertEqual(list((self.dir / "lake").rglob("*.parquet")), [], layout)

    def test_catalogues_of_templates(self):
        records = [record(i, "eu-west-1") for i in range(4)]
        self.run_with("{table}/account={cloud.account.uid}/day={time:%Y-%m-%d}", records)
        self.run_with("class={class_name}/day={time:%Y-%m-%d}", records, name="by_class")
        for engine in ("athena", "glue", "duckdb", "spark", "clickhouse"):
            location = ["--location", "s3://example-bucket/lake"] if engine in ("athena", "glue") else []
            made = self.logmill("catalog", "lake", "--for", engine, *location).stdout
            self.assertIn("api_activity", made)
            if engine != "clickhouse":
                self.assertIn("day", made)
            self.assertIn("by_class", self.logmill("catalog", "by_class", "--for", engine, *location).stdout)
        self.run_with("{table}/time={time:%Y-%m-%d}", records, name="twice")
        self.assertIn("the partition key 'time' is the name of another column", self.logmill("catalog", "twice", "--for", "duckdb", code=None).stderr)


class SecurityLake(Case):
    def test_what_a_custom_source_cannot_be_is_a_usage_error(self):
        self.write("in.json", json.dumps({"Records": [record(0, "eu-west-1")]}))
        for options, why in (("", "needs source=NAME"), (",source=" + "x" * 21, "at most 20"), (",source=lm-{class_uid}-is-too-long", "at most 20"), (",source=a/b", "at most 20"), (",source=-a", "at most 20"),
                             (",source=a,layout=flat", "has a layout of its own"), (",source=a,row_group_size=512M", "256M at most"), (",source=a,region=EU", "wanted a region"),
                             (",source=a,ocsf=1.8.0", "Amazon Security Lake takes versions up to 1.3.0")):
            done = self.logmill("run", "in.json", "--to", f"parquet:lake,profile=security-lake{options}", code=2)
            self.assertIn(why, done.stderr, options)
        self.assertIn("those of profile=security-lake", self.logmill("run", "in.json", "--to", "parquet:lake,source=a", code=2).stderr)

    def test_the_columns_are_the_same_whatever_an_archive_holds(self):
        made = []
        for name, records in (("few", [record(0, None)]), ("more", [{**record(i, "eu-west-1"), "errorCode": "AccessDenied", "requestParameters": {"bucketName": "b"}} for i in range(9)])):
            self.write(f"{name}.json", json.dumps({"Records": records}))
            self.logmill("run", f"{name}.json", "--to", f"parquet:{name},profile=security-lake,source=trail")
            made.append(self.logmill("catalog", name, "--for", "athena", "--location", "s3://example-bucket/lake").stdout)
        columns = [text[text.index("CREATE") : text.index("PARTITIONED")] for text in made]
        self.assertEqual(columns[0], columns[1])
        for column in ("`time` bigint", "`time_dt` timestamp", "`severity_id` int", "`type_uid` bigint", "`unmapped` string", "`raw_data` string", "`message` string"):
            self.assertIn(column, columns[0])
        self.assertIn("PARTITIONED BY (`region` string, `accountid` string, `eventday`", made[0].replace("\n", " ").replace("  ", ""))

    def test_a_source_has_one_class_or_says_the_class(self):
        # A sign-in beside calls: two classes.
        records = [record(i, "eu-west-1") for i in range(3)]
        records.append({**record(3, "us-east-1"), "eventName": "ConsoleLogin", "eventSource": "signin.amazonaws.com", "eventType": "AwsConsoleSignIn", "responseElements": {"ConsoleLogin": "Success"}})
        self.write("in.json", json.dumps({"Records": records}))
        done = self.logmill("run", "in.json", "--to", "parquet:lake,profile=security-lake,source=trail", code=1)  # it shows when the second class is met
        self.assertIn("a custom source has one class", done.stderr)
        self.assertEqual(list((self.dir / "lake").rglob("*.parquet")), [])
        self.logmill("run", "in.json", "--to", "parquet:lake,profile=security-lake,source=trail-{class_uid}")
        self.assertEqual(sorted(p.name for p in (self.dir / "lake/ext").iterdir()), ["trail-3002", "trail-6003"])


if __name__ == "__main__":
    unittest.main()
