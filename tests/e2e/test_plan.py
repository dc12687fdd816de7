"""logmill plan: what a run would read, by what names say, without an object being opened."""
import json
import unittest

from e2e import Case, flow_text


class Plan(Case):
    def test_local_objects_are_counted_by_source_account_region_and_day(self):
        base = "evidence/AWSLogs/111122223333"
        for name in ("us-east-1/2026/03/01/a", "us-east-1/2026/03/01/b", "eu-west-1/2026/03/02/c"):
            self.write(f"{base}/vpcflowlogs/{name}.log.gz", b"12345")
        self.write(f"{base}/CloudTrail/us-east-1/2026/03/01/t.json.gz", b"123")
        self.write("evidence/who knows", b"1")
        (self.dir / "evidence/who knows").chmod(0)
        plan = json.loads(self.logmill("plan", "evidence", "--format", "json").stdout)
        groups = [(g["parser"], g["account"], g["region"], g["day"], g["objects"], g["bytes"]) for g in plan["groups"]]
        self.assertEqual(groups, [(None, None, None, None, 1, 1), ("aws.cloudtrail", "111122223333", "us-east-1", "2026-03-01", 1, 3),
                                  ("aws.vpcflow", "111122223333", "eu-west-1", "2026-03-02", 1, 5), ("aws.vpcflow", "111122223333", "us-east-1", "2026-03-01", 2, 10)])
        self.assertEqual((plan["objects"], plan["bytes"]), (5, 19))
        table = [line.split() for line in self.logmill("plan", "evidence").stdout.splitlines()]
        self.assertEqual(table[0], ["source", "account", "region", "day", "objects", "bytes"])
        self.assertIn(["aws.vpcflow", "111122223333", "us-east-1", "2026-03-01", "2", "10", "B"], table)
        self.assertEqual(table[-1], ["all", "5", "19", "B"])

    def test_names_that_rule_themselves_out_are_left_out_of_a_plan_and_of_a_run(self):
        base = "evidence/AWSLogs/111122223333/vpcflowlogs"
        for day in ("02/27", "02/28", "03/01", "03/02", "03/03"):
            self.write(f"{base}/us-east-1/2026/{day}/f.log", flow_text(2))
        self.write(f"{base}/eu-west-1/2026/03/01/f.log", flow_text(2))
        self.write("evidence/elsewhere/2020/01/01/f.log", flow_text(2))
        flags = ("--since", "2026-03-01", "--until", "2026-03-02", "--region", "us-east-1")
        plan = json.loads(self.logmill("plan", "evidence", "--format", "json", *flags).stdout)
        self.assertEqual([g["day"] for g in plan["groups"]], [None, "2026-02-28", "2026-03-01", "2026-03-02"])
        self.logmill("run", "evidence", "--to", "ndjson:out", "--stats", "stats.json", *flags)
        self.assertEqual(self.stats()["objects"], 4)
        # What was named itself is read.
        self.logmill("run", f"{base}/eu-west-1/2026/03/01/f.log", "--to", "ndjson:out2", "--stats", "stats.json", *flags)
        self.assertEqual(self.stats()["objects"], 1)

    def test_usage(self):
        self.write("a", "x")
        for arguments in (["plan"], ["plan", "nowhere"], ["plan", "a", "--format", "xml"], ["plan", "a", "--since", "2026-03-02", "--until", "2026-03-01"]):
            done = self.logmill(*arguments, code=2)
            self.assertEqual(done.stdout, "", arguments)
            self.assertNotEqual(done.stderr, "", arguments)

    def test_a_list_of_local_objects(self):
        for name in ("b", "a", "c d"):
            self.write(f"logs/{name}.log", flow_text(3))
        self.write("list", "logs/c d.log\nlogs/a.log\n")
        self.assertEqual({event["lineage"]["uri"] for event in self.events("--objects-from", "list")}, {"logs/c d.log", "logs/a.log"})
        self.assertEqual(json.loads(self.logmill("plan", "--objects-from", "-", "--format", "json", stdin=b"logs/a.log\n").stdout)["objects"], 1)


if __name__ == "__main__":
    unittest.main()
