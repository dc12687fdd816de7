"""Logs that other logs carry: what is inside comes out as if it had been delivered by itself, and its lineage leads to where it stands in the outer object."""
import base64
import csv
import gzip
import io
import json
import unittest

from e2e import Case, flow_text, trail

ACCOUNT = "111122223333"
FLOW = "2 111122223333 eni-0123456789abcdef0 192.0.2.1 198.51.100.7 443 50000 6 10 840 1772366400 1772366460 ACCEPT OK"


def subscription(messages: list[str], group: str = "trail", stream: str = "s", **more) -> dict:
    return {"messageType": "DATA_MESSAGE", "owner": ACCOUNT, "logGroup": group, "logStream": stream, "subscriptionFilters": ["all"],
            "logEvents": [{"id": str(i), "timestamp": 1772366400000 + i, "message": m} for i, m in enumerate(messages)], **more}


def logged(message: str, stream: str = "s") -> dict:
    return {"logStreamName": stream, "timestamp": 1772366400000, "message": message, "ingestionTime": 1772366400100, "eventId": "1"}


def bus_event(record: dict, kind: str = "AWS API Call via CloudTrail") -> dict:
    return {"version": "0", "id": "b-1", "detail-type": kind, "source": "aws.ec2", "account": ACCOUNT, "time": "2026-03-01T12:00:00Z", "region": "us-east-1",
            "resources": [], "detail": record}


def table(header: list[str], rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *rows])
    return out.getvalue()


def content(event: dict) -> str:
    """What a record says, whatever it came in."""
    metadata = {k: v for k, v in event["metadata"].items() if k not in ("uid", "log_source", "log_name")}
    return json.dumps({**{k: v for k, v in event.items() if k != "lineage"}, "metadata": metadata}, sort_keys=True)


class Wrappings(Case):
    def setUp(self):
        super().setUp()
        self.records = trail(count=30)
        self.records[0]["userAgent"] = 'quotes " and \\ and \u00e9 \U0001f600 and \n'
        self.write("plain.json", json.dumps({"Records": self.records}))
        self.wanted = sorted(map(content, self.events("plain.json")))

    def unwrapped(self, text: str, code: int = 0) -> list[dict]:
        self.write("x", text)
        events = self.events("x", "--stats", "stats.json", "--validate", "full", code=code)
        self.stats()
        return sorted(events, key=lambda e: (e["lineage"]["record"], e["lineage"]["item"]))

    def test_every_wrapping_gives_what_the_records_give_by_themselves(self):
        dumped = [json.dumps(r) for r in self.records]
        for name, text in {
                "CloudWatch subscription, back to back as Firehose writes it": "".join(json.dumps(subscription(dumped[i:i + 7])) for i in range(0, 30, 7)),
                "CloudWatch subscription, a line each": "\n".join(json.dumps(subscription([d])) for d in dumped),
                "CloudWatch export": "".join(f"2026-03-01T12:00:00.{i:03}Z {d}\n" for i, d in enumerate(dumped)),
                "get-log-events": json.dumps({"events": [{"timestamp": 1, "message": d, "ingestionTime": 2} for d in dumped], "nextForwardToken": "f/1"}, indent=2),
                "filter-log-events, a line each": "\n".join(json.dumps(logged(d)) for d in dumped),
                "filter-log-events, an array": json.dumps([logged(d) for d in dumped]),
                "filter-log-events, an array over many lines": json.dumps([logged(d) for d in dumped], indent=2),
                "Logs Insights": json.dumps({"results": [[{"field": "@timestamp", "value": "2026-03-01 12:00:00.000"}, {"field": "@message", "value": d}] for d in dumped],
                                             "statistics": {"recordsMatched": 30.0}, "status": "Complete"}),
                "EventBridge, a line each": "\n".join(json.dumps(bus_event(r)) for r in self.records),
                "EventBridge, back to back": "".join(json.dumps(bus_event(r)) for r in self.records),
                "EventBridge, an array": json.dumps([bus_event(r) for r in self.records]),
                "lookup-events": json.dumps({"Events": [{"EventId": r["eventID"], "EventName": r["eventName"], "ReadOnly": "true", "CloudTrailEvent": d}
                                                        for r, d in zip(self.records, dumped)], "NextToken": "t"}),
                "lookup-events, a line each": "\n".join(json.dumps({"EventId": "e", "CloudTrailEvent": d}) for d in dumped),
                "SQS": json.dumps({"Messages": [{"MessageId": "m", "ReceiptHandle": "h", "Body": d} for d in dumped]}),
                "SNS in SQS": json.dumps({"Messages": [{"MessageId": "m", "Body": json.dumps({"Type": "Notification", "MessageId": "n", "Message": d})} for d in dumped]}),
                "EventBridge in CloudWatch": json.dumps(subscription([json.dumps(bus_event(r)) for r in self.records])),
                "whole CloudTrail objects in SQS": json.dumps({"Messages": [{"MessageId": "m", "Body": json.dumps({"Records": self.records[i:i + 10]})} for i in range(0, 30, 10)]}),
                "CloudTrail Lake": table(["eventid", "eventjson"], [[r["eventID"], d] for r, d in zip(self.records, dumped)]),
                "CloudWatch console": table(["timestamp", "message"], [["1772366400000", d] for d in dumped]),
        }.items():
            with self.subTest(name):
                events = self.unwrapped(text)
                self.assertEqual(sorted(map(content, events)), self.wanted)
                self.assertEqual(len({e["metadata"]["uid"] for e in events}), 30)
                self.assertEqual([e["lineage"]["record"] for e in events], list(range(30)))

    def test_lineage_leads_to_the_text_in_the_outer_object(self):
        nested = json.dumps(subscription([json.dumps(bus_event(r)) for r in self.records[:5]]))
        for text, unescapes in (("\n".join(json.dumps(bus_event(r)) for r in self.records), 0), (json.dumps(subscription(list(map(json.dumps, self.records)))), 1),
                                (nested, 1), (json.dumps({"Messages": [{"MessageId": "m", "Body": nested}]}), 2)):
            outer = text.encode()
            for event in self.unwrapped(text):
                at = event["lineage"]
                inner = outer[at["offset"]:at["offset"] + at["length"]].decode()
                for _ in range(unescapes):
                    inner = json.loads(f'"{inner}"')
                self.assertIn(json.loads(inner), self.records)

    def test_each_log_group_goes_to_its_own_parser(self):
        flows = flow_text(20).decode().splitlines()[1:]
        mixed = "".join(map(json.dumps, [subscription([FLOW] * 3, "/vpc"), subscription([json.dumps(self.records[0])], "trail"), subscription([FLOW], "/vpc", "eni-2")]))
        events = self.unwrapped(mixed)
        self.assertEqual(sorted((e["class_uid"], e["metadata"]["log_name"]) for e in events if e["class_uid"] == 4001), [(4001, "/vpc")] * 4)
        self.assertEqual([e["metadata"]["log_name"] for e in events if e["class_uid"] != 4001], ["trail"])
        self.assertEqual({e["cloud"]["account"]["uid"] for e in events}, {ACCOUNT})
        self.assertTrue(flows)

    def test_log_events_by_themselves_are_opened_stream_by_stream(self):
        header_less = [FLOW, FLOW.replace("192.0.2.1 198.51.100.7 443 50000 6 10 840", "- - - - - - -").replace("ACCEPT OK", "- NODATA")]
        items = [logged(header_less[0], "eni-1"), logged(header_less[1], "eni-1"), logged(json.dumps(self.records[0]), "trail")]
        for text in ("\n".join(map(json.dumps, items)), json.dumps(items)):
            events = self.unwrapped(text)
            self.assertEqual([e["class_uid"] == 4001 for e in events], [True, False, False])
            self.assertEqual(content(events[2]) in self.wanted, True)
            self.assertEqual(len(self.events("x", "--plugin", "aws.vpcflow", code=3)), 2)

    def test_what_no_parser_knows_is_said_by_its_log_group(self):
        self.write("x", json.dumps(subscription(["hello", "world"], "/app")) + json.dumps(subscription([FLOW], "/vpc")))
        done = self.logmill("run", "x", "--to", "ndjson:-", code=3)
        self.assertIn("no parser knows 2 records of log group '/app'", done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 1)
        self.write("x", json.dumps(subscription(["hello"], "/app")))
        done = self.logmill("run", "x", "--to", "ndjson:-", code=3)
        self.assertIn("unrecognised", done.stderr)

    def test_control_messages_hold_no_events(self):
        control = json.dumps(subscription(["CWL CONTROL MESSAGE: Checking health of destination Firehose."], "", "", messageType="CONTROL_MESSAGE"))
        self.write("x", control * 2)
        done = self.logmill("run", "x", "--to", "ndjson:-", code=0)
        self.assertIn("control messages, no events", done.stderr)
        self.assertEqual(len(self.unwrapped(control + json.dumps(subscription([FLOW])))), 1)

    def test_a_bad_record_costs_itself_and_keeps_its_place(self):
        good = json.dumps(self.records[1])
        cut = good[:-20]
        text = json.dumps(subscription([good, cut, good])) + '{"messageType": "DATA_MESSAGE", "logEvents": 5}' + json.dumps(subscription([good]))
        self.write("x", text)
        self.assertEqual(len(self.events("x", "--rejects", "rejects", "--stats", "stats.json", code=3)), 3)
        self.stats()
        bad = [r for r in self.rejects() if "offset" in r]
        self.assertEqual(len(bad), 2)
        for reject in bad:
            stands = text.encode()[reject["offset"]:reject["offset"] + reject["length"]].decode()
            self.assertTrue(json.loads(f'"{stands}"') == cut if reject["parser"] == "aws.cloudtrail" else stands.endswith('"logEvents": 5}'), stands)

    def test_lines_that_belong_together_are_one_record(self):
        pretty = json.dumps(self.records[1], indent=1)
        events = self.unwrapped(f"2026-03-01T12:00:00.000Z {pretty}\n2026-03-01T12:00:01.000Z {json.dumps(self.records[2])}\n")
        self.assertEqual(len(events), 2)
        self.assertEqual(len(self.unwrapped(table(["a", "message"], [["x\ny", pretty], ["z", json.dumps(self.records[2])]]))), 2)

    def test_records_may_lie_in_any_block(self):
        dumped = [json.dumps(r) for r in self.records]
        big = "".join(json.dumps(subscription(dumped)) for _ in range(120))
        self.assertGreater(len(big), 3 << 20)
        self.write("x.gz", gzip.compress(big.encode(), 1))
        self.assertEqual(len(self.events("x.gz")), 3600)
        export = "".join(f"2026-03-01T12:00:00.000Z {json.dumps(r, indent=1)}\n" for _ in range(80) for r in self.records)
        self.assertGreater(len(export), 2 << 20)
        events = self.unwrapped(export)
        self.assertEqual(len(events), 2400)
        self.assertEqual(len({e["metadata"]["uid"] for e in events}), 2400)

    def test_columns_of_a_query_engine_are_read_by_their_names(self):
        event = self.unwrapped(table(["eventversion", "eventtime", "eventsource", "eventname", "awsregion", "sourceipaddress", "useridentity", "readonly"],
                                     [["1.09", "2026-03-01T12:00:00Z", "ec2.amazonaws.com", "DescribeInstances", "us-east-1", "198.51.100.7", "{type=IAMUser, arn=x}", "true"]]))[0]
        self.assertEqual((event["type_uid"], event["src_endpoint"]["ip"], event["unmapped"]["useridentity"]), (600302, "198.51.100.7", "{type=IAMUser, arn=x}"))

    def test_a_lookup_without_the_record_gives_what_it_says(self):
        for time in (1772366400.0, "2026-03-01T12:00:00Z"):
            event = self.unwrapped(json.dumps({"Events": [{"EventId": "e-9", "EventName": "StopLogging", "ReadOnly": "false", "EventTime": time,
                                                           "EventSource": "cloudtrail.amazonaws.com", "Username": "alice", "CloudTrailEvent": None}]}))[0]
            self.assertEqual((event["time"], event["api"]["operation"], event["metadata"]["original_event_uid"], event["actor"]["user"]["name"]),
                             (1772366400000, "StopLogging", "e-9", "alice"))

    def test_a_parser_can_be_forced_on_what_is_inside(self):
        self.write("x", json.dumps(subscription([FLOW])))
        self.assertEqual(len(self.events("x", "--plugin", "aws.vpcflow")), 1)

    def test_a_record_of_another_source_goes_to_its_parser_with_its_own_place(self):
        finding = {"schemaVersion": "2.0", "accountId": ACCOUNT, "region": "us-east-1", "partition": "aws", "id": "f-1", "arn": f"arn:aws:guardduty:us-east-1:{ACCOUNT}:detector/d/finding/f-1",
                   "type": "Recon:EC2/Portscan", "resource": {"resourceType": "Instance"}, "service": {"serviceName": "guardduty", "count": 1}, "severity": 5,
                   "createdAt": "2026-03-01T12:00:00.000Z", "updatedAt": "2026-03-01T12:00:00.000Z", "title": "t", "description": "d"}
        self.write("alone", json.dumps(finding))
        alone = content(self.events("alone")[0])
        nobodys = {"hello": "world"}
        for text in (json.dumps({"Records": [*self.records[:3], finding, nobodys, *self.records[3:], finding]}),
                     "\n".join(map(json.dumps, [*self.records[:3], finding, nobodys, *self.records[3:], finding])),
                     json.dumps(subscription([json.dumps(r) for r in [*self.records[:3], finding, nobodys, *self.records[3:], finding]]))):
            self.write("x", text)
            events = self.events("x", "--stats", "stats.json", "--rejects", "rejects", code=3)
            findings = [e for e in events if e["class_uid"] == 2004]
            self.assertEqual([{k: v for k, v in json.loads(content(e)).items() if k != "lineage"} for e in findings], [json.loads(alone)] * 2)
            self.assertEqual(sorted(map(content, (e for e in events if e["class_uid"] != 2004))), self.wanted)
            self.assertEqual(sorted(e["lineage"]["record"] for e in events), [*range(4), *range(5, 33)])
            self.assertEqual(len({e["metadata"]["uid"] for e in events}), 32)
            for e in findings:
                stands = text.encode()[e["lineage"]["offset"]:e["lineage"]["offset"] + e["lineage"]["length"]].decode()
                self.assertEqual(json.loads(stands if stands[1] == '"' else json.loads(f'"{stands}"')), finding)
            self.assertEqual({p: (c["records_in"], c["rejects"]) for p, c in self.stats()["parsers"].items()}, {"aws.cloudtrail": (31, 1), "aws.guardduty": (2, 0)})
            [reject] = [r for r in self.rejects() if "offset" in r]
            self.assertEqual((reject["code"], reject["parser"], reject["record"]), ("foreign", "aws.cloudtrail", 4))
            self.assertEqual(json.loads(base64.b64decode(reject["bytes"])), nobodys)
            for kept in (self.dir / "rejects").glob("*"):
                kept.unlink()

    def test_what_is_cut_off_gives_what_came_before(self):
        whole = gzip.compress("".join(json.dumps(subscription([FLOW] * 100)) for _ in range(50)).encode())
        self.write("x.gz", whole[:-30])
        events = self.events("x.gz", "--stats", "stats.json", code=3)
        self.assertGreater(len(events), 4800)
        self.stats()

    def test_what_is_cut_off_still_says_what_no_parser_knows(self):
        self.write("x", json.dumps(subscription(["hello"], "/app")) + json.dumps(subscription([FLOW]))[:-30])
        done = self.logmill("run", "x", "--to", "ndjson:-", code=3)
        self.assertIn("log group '/app'", done.stderr)
        self.write("y.gz", gzip.compress((json.dumps(subscription(["hello"], "/app")) * 400).encode())[:-9])
        self.assertIn("log group '/app'", self.logmill("run", "y.gz", "--to", "ndjson:-", code=3).stderr)


if __name__ == "__main__":
    unittest.main()
