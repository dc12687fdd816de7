"""The forms in which Azure's logs are delivered: whatever a record comes in, it comes out the same, at its parser, and its lineage leads to it. The parsers are a test's, of two categories and of
all others."""
import gzip
import json
import pathlib
import struct
import unittest
import zlib

from e2e import LOGMILL, Case

PLUGINS = pathlib.Path(LOGMILL).resolve().parent / "tests/faults/category"


def record(i: int, category: str | None = None) -> dict:
    return {"time": f"2026-03-01T12:00:{i % 60:02}.1234567Z", "resourceId": f"/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.P/THINGS/{i % 3}",
            "category": category or ("Alpha", "Beta", "Gamma", "ALPHA")[i % 4], "what": f"{i} \u00e9 }}]{{\"",
            "properties": {"records": [{"category": "Beta"}]}}


def row(r: dict) -> list:
    return [r["time"], r["category"], r["what"], None, {"a": [1, 2.5]}, 7]


COLUMNS = [{"name": "TimeGenerated", "type": "datetime"}, {"name": "Type", "type": "string"}, {"name": "what", "type": "string"}, {"name": "none", "type": "string"},
           {"name": "dynamic", "type": "dynamic"}, {"name": "n", "type": "int"}]


def long(n: int) -> bytes:
    n = (n << 1) ^ (n >> 63)
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def data(b: bytes) -> bytes:
    return long(len(b)) + b


def literals(b: bytes) -> bytes:
    """Snappy without copies."""
    size, n = bytearray(), len(b)
    while n > 127:
        size.append(n & 127 | 128)
        n >>= 7
    parts = [b[i:i + 60] for i in range(0, len(b), 60)]
    return bytes([*size, n]) + b"".join(bytes([(len(p) - 1) << 2]) + p for p in parts)


CODECS = {"null": lambda b: b, "deflate": lambda b: zlib.compress(b, 6, -15), "snappy": lambda b: literals(b) + struct.pack(">I", zlib.crc32(b))}
PROPERTY = ["long", "double", "string", "bytes"]
SYNC = bytes(range(16))


def capture(bodies: list[bytes | None], codec: str = "null", a_block: int = 3, nulls: bool = False, head: dict | None = None) -> bytes:
    """As Event Hubs Capture writes."""
    kinds = ["null", *PROPERTY] if nulls else PROPERTY
    schema = {"type": "record", "name": "EventData", "namespace": "Microsoft.ServiceBus.Messaging", "fields": [
        {"name": "SequenceNumber", "type": "long"}, {"name": "Offset", "type": "string"}, {"name": "EnqueuedTimeUtc", "type": "string"},
        {"name": "SystemProperties", "type": {"type": "map", "values": kinds}}, {"name": "Properties", "type": {"type": "map", "values": kinds}}, {"name": "Body", "type": ["null", "bytes"]}]}
    shift = int(nulls)
    events = []
    for i, body in enumerate(bodies):
        properties = long(1) + data(b"x-opt") + long(2 + shift) + data(b"{}") + long(0)
        if i % 2:  # blocks that say how long they are
            inner = data(b"a") + long(0 + shift) + long(-5) + data(b"b") + long(1 + shift) + struct.pack("<d", 2.5)
            properties = long(-2) + data(inner) + long(0)
        events.append(long(i) + data(str(i).encode()) + data(b"3/1/2026 12:00:00 PM") + properties + long(0) + (long(0) if body is None else long(1) + data(body)))
    meta = head or {"avro.codec": codec.encode(), "avro.schema": json.dumps(schema).encode()}
    out = b"Obj\x01" + long(len(meta)) + b"".join(data(k.encode()) + data(v) for k, v in meta.items()) + long(0) + SYNC
    for i in range(0, len(events), a_block):
        some = events[i:i + a_block]
        out += long(len(some)) + data(CODECS[codec](b"".join(some))) + SYNC
    return out


class AzureForms(Case):
    def setUp(self):
        super().setUp()
        self.records = [record(i) for i in range(40)]

    def read(self, text: str | bytes, code: int = 0, *more) -> list[dict]:
        for kept in (self.dir / "rejects").glob("*"):
            kept.unlink()
        self.write("x", text)
        events = self.events("x", "--plugin-dir", PLUGINS, "--isolate", "never", "--rejects", "rejects", "--stats", "stats.json", *more, code=code)
        self.parsers = {id: (c["records_in"], c["records_out"]) for id, c in self.stats()["parsers"].items() if c["records_in"]}
        self.assertEqual(sum(c for _, c in self.parsers.values()), len({e["metadata"]["uid"] for e in events}))
        for e in events if isinstance(text, str) else []:
            at = e["lineage"]
            self.assertIn(json.dumps(e["message"]), text.encode()[at["offset"]:at["offset"] + at["length"]].decode())
        return events

    def whats(self, events: list[dict]) -> list[str]:
        return sorted(e["message"] for e in events)

    def wanted(self, records: list[dict]) -> list[str]:
        return sorted(r["what"] for r in records)

    def test_every_form_gives_every_record_to_the_parser_of_its_category(self):
        r = self.records
        batches = [{"records": r[i:i + 7]} for i in range(0, 40, 7)]
        for name, text in {
                "JSON lines": "\r\n".join(map(json.dumps, r)) + "\r\n",
                "one batch": json.dumps({"records": r}),
                "a batch a line": "\n".join(map(json.dumps, batches)),
                "batches, one behind the other": "".join(map(json.dumps, batches)),
                "an array of batches": json.dumps(batches),
                "an array of batches, for people": json.dumps(batches, indent=2),
                "batches in a batch": json.dumps({"records": batches}),
                "batches in a batch, among records": json.dumps({"records": [*r[:5], {"records": [*r[5:20], {"records": r[20:30]}]}, *r[30:]]}),
                "an array": json.dumps(r, indent=1),
                "arrays, one a line": "\n".join(json.dumps(r[i:i + 7]) for i in range(0, 40, 7)),
                "a first block": '{"records":[' + ",".join(map(json.dumps, r)) + "]}",
                "a block from the midst": "".join("," + json.dumps(x) for x in r),
                "a block from the midst, and the last": "".join("," + json.dumps(x) for x in r) + "]}",
                "blocks without a comma in front": ",\n".join(map(json.dumps, r)) + "\n]}\n",
        }.items():
            with self.subTest(name):
                self.assertEqual(self.whats(self.read(text)), self.wanted(r))
                self.assertEqual(self.parsers, {"test.alpha": (20, 20), "test.beta": (10, 10), "test.rest": (10, 10)})

    def test_what_a_parser_of_the_rest_would_take_is_not_taken_from_those_who_know_it(self):
        first = [record(2), *self.records]
        for text in (json.dumps({"records": first}), "\n".join(map(json.dumps, first)), json.dumps([{"records": first}]), "".join("," + json.dumps(x) for x in first) + "]}"):
            self.assertEqual(self.whats(self.read(text)), self.wanted(first))
            self.assertEqual(self.parsers, {"test.alpha": (20, 20), "test.beta": (10, 10), "test.rest": (11, 11)})

    def test_pages_of_graph_are_opened(self):
        users = [{"id": str(i), "createdDateTime": "2026-03-01T12:00:00Z", ("alphaId", "betaId")[i % 2]: i, "what": f"w{i}"} for i in range(20)]
        page = {"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#auditLogs/signIns", "@odata.nextLink": "https://graph.microsoft.com/v1.0/auditLogs/signIns?$skiptoken=1"}
        for text in (json.dumps({**page, "value": users}), json.dumps({"value": users, **page}), "\n".join(json.dumps({**page, "value": users[i:i + 6]}) for i in range(0, 20, 6)),
                     "".join(json.dumps({**page, "value": users[i:i + 6]}, indent=2) for i in range(0, 20, 6)), json.dumps([{**page, "value": users[i:i + 6]} for i in range(0, 20, 6)]),
                     json.dumps(users)):
            self.assertEqual(self.whats(self.read(text)), self.wanted(users))
            self.assertEqual(self.parsers, {"test.alpha": (10, 10), "test.beta": (10, 10)})
        self.write("none", json.dumps({**page, "value": []}))
        self.assertIn("no events", self.logmill("run", "none", "--to", "ndjson:-", code=0).stderr)

    def test_a_row_of_a_query_result_is_an_object(self):
        rows = [row(r) for r in self.records]
        for text in (json.dumps({"tables": [{"name": "PrimaryResult", "columns": COLUMNS, "rows": rows}], "statistics": {"query": {}}}),
                     json.dumps({"Tables": [{"TableName": "Table_0", "Columns": [{"ColumnName": c["name"], "DataType": "String"} for c in COLUMNS], "Rows": rows}]}, indent=1)):
            events = self.read(text, 0, "--raw-data")
            self.assertEqual(self.whats(events), self.wanted(self.records))
            self.assertEqual(self.parsers, {"test.alpha": (20, 20), "test.beta": (10, 10), "test.rest": (10, 10)})
            raw = json.loads(next(e for e in events if e["message"].startswith("7 "))["raw_data"])
            self.assertEqual(raw, {"TimeGenerated": self.records[7]["time"], "Type": "ALPHA", "what": self.records[7]["what"], "dynamic": {"a": [1, 2.5]}, "n": 7})

    def test_what_is_cut_gives_what_is_whole_and_one_reject_that_says_so(self):
        r = self.records
        batch = json.dumps({"records": r[:10]})
        table = json.dumps({"tables": [{"name": "PrimaryResult", "columns": COLUMNS, "rows": [row(x) for x in r]}]})
        lines = [json.dumps({"records": r[10:20]}), json.dumps({"records": r[20:]})]
        inside = batch.index('"what": "8 ') + 12
        between = batch.index(', {"time"', inside) + 1
        for name, text, wanted in (
                ("inside a record", batch[:inside], r[:8]), ("between records", batch[:between], r[:9]), ("inside a record, in a line", "\n".join([batch[:inside], *lines]), r[:8] + r[10:]),
                ("between records, in a line", "\n".join([batch[:between], *lines]), r[:9] + r[10:]), ("without its end", batch[:-2], r[:10]),
                ("in an array", json.dumps([{"records": r[10:20]}])[:-1] + "," + batch[:inside], r[10:20] + r[:8]),
                ("in a batch", '{"records":[' + batch[:inside], r[:8]), ("in a block", "".join("," + json.dumps(x) for x in r)[:-40], r[:39]),
                ("in a table", table[:table.index('"30 ') + 5], r[:30]), ("a page", '{"@odata.context":"x","value":[' + json.dumps(r[1]) + "," + json.dumps(r[2])[:40], r[1:2])):
            with self.subTest(name):
                self.assertEqual(self.whats(self.read(text, 3)), self.wanted(wanted))
                [reject] = [x for x in self.rejects() if "offset" in x]
                self.assertEqual(reject["code"], "truncated")
                if not name.startswith("between"):
                    self.assertLessEqual(reject["length"], len(json.dumps(r[0])) + 20)

    def test_a_bad_row_costs_itself(self):
        rows = [row(r) for r in self.records]
        rows[3] = rows[3][:-1]
        rows[4] = "no row"
        events = self.read(json.dumps({"tables": [{"name": "t", "columns": COLUMNS, "rows": rows}]}), 3)
        self.assertEqual(self.whats(events), self.wanted(self.records[:3] + self.records[5:]))
        self.assertEqual([x["code"] for x in self.rejects() if "offset" in x], ["malformed"] * 2)

    def test_names_of_columns_do_not_make_much_of_little(self):
        columns = [{"name": "c" * 1000 + str(i), "type": "int"} for i in range(1000)]
        text = json.dumps({"tables": [{"name": "t", "columns": columns, "rows": [[1] * 1000] * 1000}]})
        self.write("x", text)
        self.logmill("run", "x", "--to", "ndjson:-", "--plugin-dir", PLUGINS, "--isolate", "never", "--rejects", "rejects", code=3)
        self.assertIn("too small for the names", self.rejects()[0]["message"])

    def test_kinds_that_nobody_knows_are_rejects_and_cost_little(self):
        odd = [{"time": "2026-03-01T12:00:00Z", f"k{i}": i} for i in range(300)]
        self.assertEqual(self.whats(self.read("\n".join(map(json.dumps, [*self.records, *odd])), 3)), self.wanted(self.records))
        self.assertEqual({x["code"] for x in self.rejects() if "offset" in x}, {"foreign"})
        self.assertEqual(len(self.rejects()), 300)

    def test_kinds_without_end_do_not_hide_what_comes_behind_them(self):
        odd = [{"time": "2026-03-01T12:00:00Z", "category": f"k{i}"} for i in range(4200)]
        known = [{"time": "2026-03-01T12:00:00Z", "category": "Administrative", "operationName": "Microsoft.P/things/write", "correlationId": str(i),
                  "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.P/THINGS/T"} for i in range(10)]
        self.write("x", json.dumps({"records": [*odd, *known]}))
        self.assertEqual(len(self.events("x", code=3)), 10)

    def test_what_lies_in_a_message_of_a_queue_has_its_own_place_each(self):
        users = [{"id": str(i), "createdDateTime": "2026-03-01T12:00:00Z", ("alphaId", "betaId")[i % 2]: i, "what": f"w{i}"} for i in range(6)]
        bodies = [{"@odata.context": "c", "value": users}, {"records": self.records[:8]},
                  {"tables": [{"name": n, "columns": COLUMNS, "rows": [row(r) for r in part]} for n, part in (("a", self.records[8:12]), ("b", self.records[12:16]))]}]
        for body in bodies:
            text = json.dumps({"Messages": [{"MessageId": "m", "Body": json.dumps(body)}]})
            events = self.read(text.encode(), None)
            self.assertGreaterEqual(len(events), 6)
            self.assertEqual(len({e["metadata"]["uid"] for e in events}), len(events))
            for e in events:
                place = text.encode()[e["lineage"]["offset"]:e["lineage"]["offset"] + e["lineage"]["length"]].decode()
                self.assertIn(json.dumps(json.dumps(e["message"]))[1:-1], place)

    def bodies(self, size: int = 7) -> list[bytes]:
        return [json.dumps({"records": self.records[i:i + size]}).encode() for i in range(0, 40, size)]

    def test_what_event_hubs_capture_has_stored_is_read_in_every_codec(self):
        bodies = self.bodies()
        plain = sorted((e["metadata"]["uid"].split("-")[1], e["message"]) for e in self.read(b"\n".join(bodies)))
        for codec in CODECS:
            for nulls in (False, True):
                with self.subTest(codec=codec, nulls=nulls):
                    events = self.read(capture([None, *bodies[:2], b"", *bodies[2:]], codec, nulls=nulls))
                    # The decoded stream is the bodies, a line each.
                    self.assertEqual(sorted((e["metadata"]["uid"].split("-")[1], e["message"]) for e in events), plain)
                    self.assertEqual(self.parsers, {"test.alpha": (20, 20), "test.beta": (10, 10), "test.rest": (10, 10)})
        mixed = [gzip.compress(b) if i % 2 else json.dumps(json.loads(b), indent=2).encode() for i, b in enumerate(bodies)]
        self.assertEqual(self.whats(self.read(capture(mixed, "deflate"))), self.wanted(self.records))
        self.assertEqual(self.whats(self.read(gzip.compress(capture(bodies[:3]) + capture(bodies[3:], "snappy")))), self.wanted(self.records))
        large = [json.dumps({"records": [{**r, "more": "x" * 20_000} for r in self.records[i:i + 7]]}).encode() for i in range(0, 40, 7)]
        self.assertEqual(self.whats(self.read(capture(large, "deflate", 100))), self.wanted(self.records))

    def test_a_window_without_events_is_empty_and_no_failure(self):
        for codec in CODECS:
            for some in ([], [None, b""]):
                self.write("x", capture(some, codec))
                self.assertIn("empty", self.logmill("run", "x", "--to", "ndjson:-", code=0).stderr)

    def test_a_damaged_capture_gives_what_came_before_the_damage_and_says_so(self):
        bodies = self.bodies(4)
        for codec in CODECS:
            whole = capture(bodies, codec)
            for name, damaged, least in (("cut", whole[:-300], 30), ("cut in the last marker", whole[:-5], 40), ("no marker", whole[:-16] + bytes(16), 40),
                                         ("noise behind", whole + b"noise", 40)):
                with self.subTest(codec=codec, name=name):
                    events = self.read(damaged, 3)
                    self.assertGreaterEqual(len(events), least if codec == "null" else least - 8)
                    self.assertIn("avro", [r for r in self.rejects() if "offset" not in r][0]["message"])
        broken = bytearray(capture(bodies, "snappy", 100))
        broken[-18] ^= 1
        self.assertEqual(len(self.read(bytes(broken), 3)), 40)
        self.assertIn("checksum", self.rejects()[-1]["message"])
        odd = [bodies[0], gzip.compress(bodies[1])[:-3], *bodies[2:]]
        self.assertEqual(len(self.read(capture(odd), 3)), 40)
        self.assertIn("gzip stream of a body", self.rejects()[-1]["message"])

    def test_an_avro_file_that_is_no_capture_is_said_to_be_none(self):
        schema = json.dumps({"type": "record", "name": "r", "fields": [{"name": "x", "type": "long"}]}).encode()
        for head, why in (({"avro.schema": schema}, "not what Event Hubs Capture writes"), ({"avro.schema": b"{"}, "schema"), ({"avro.schema": schema, "avro.codec": b"zstandard"}, "zstandard")):
            self.write("x", capture([], head=head))
            self.assertIn(why, self.logmill("run", "x", "--to", "ndjson:-", code=3).stderr)


if __name__ == "__main__":
    unittest.main()
