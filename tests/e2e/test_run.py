"""What a run promises: every record is an event or a reject, one bad record costs that record only, and nothing is lost in silence."""
import base64
import bz2
import gzip
import json
import lzma
import os
import subprocess
import unittest

from e2e import Case, flow_text, trail
from make_sample_archive import START, DEFAULT_FLOW_FIELDS, envelope, flow_lines


class Archive(Case):
    def test_every_record_of_the_sample_archive_is_accounted_for(self):
        manifest = self.archive()
        self.logmill("run", "evidence", "--to", "ndjson:out", "--rejects", "rejects", "--stats", "stats.json", code=3)
        stats = self.stats()
        self.assertEqual(stats["objects"], len(manifest))
        for parser in ("aws.cloudtrail", "aws.vpcflow"):
            objects = [o for o in manifest if o["parser"] == parser]
            torn = next((r["records_in"] for r in stats["reports"] if r["outcome"] == "partly_read" and r["parser"] == parser), 0)
            self.assertEqual(stats["parsers"][parser]["objects"], len(objects), parser)
            self.assertEqual(stats["parsers"][parser]["records_in"], sum(o["records"] for o in objects if o["records"] >= 0) + torn, parser)
            self.assertEqual(stats["parsers"][parser]["rejects"], sum(o["rejects"] for o in objects), parser)
        for outcome in ("partly_read", "set_aside", "unrecognised"):
            self.assertEqual(stats["not_read_whole"][outcome], sum(o["outcome"] == outcome for o in manifest), outcome)
        self.assertFalse(stats["complete"])

    def test_the_parser_is_found_by_content_not_by_name(self):
        self.write("a", gzip.compress(envelope(trail())))
        self.write("b.json.gz", flow_text(10))
        events = self.events("a", "b.json.gz")
        parsers = {(e["lineage"]["uri"], e["lineage"]["parser"].split()[0].split("@")[0].split("/")[0]) for e in events}
        self.assertEqual({uri for uri, _ in parsers}, {"a", "b.json.gz"})
        self.assertEqual({e["class_uid"] for e in events if e["lineage"]["uri"] == "b.json.gz"} & {6003}, set())

    def test_lineage_points_at_the_record(self):
        text = flow_text(50)
        self.write("a.log.gz", gzip.compress(text))
        events = self.events("a.log.gz")
        self.assertTrue(events)
        lines = text.decode().splitlines()
        for event in events:
            place = event["lineage"]
            record = text[place["offset"]:place["offset"] + place["length"]].decode()
            self.assertEqual(record, lines[1 + place["record"]])
        self.assertEqual(len({e["metadata"]["uid"] for e in events}), len(events))

    def test_the_same_input_gives_the_same_events(self):
        self.archive()
        runs = [sorted(json.dumps(e, sort_keys=True) for e in self.events("evidence", "--threads", str(n), code=3)) for n in (1, 2, 4)]
        self.assertEqual(runs[0], runs[1])
        self.assertEqual(runs[0], runs[2])

    def test_a_forced_parser_reads_what_detection_would_not(self):
        headless = "\n".join(flow_lines(3, DEFAULT_FLOW_FIELDS, 20, "us-east-1", 2)) + "\n"
        self.write("export.txt", headless)
        self.logmill("run", "export.txt", "--plugin", "aws.vpcflow", "--to", "ndjson:out", "--stats", "stats.json")
        self.assertEqual(self.stats()["parsers"]["aws.vpcflow"]["records_in"], 20)
        self.write("prose.txt", "this is\nnot a flow log\n")
        self.logmill("run", "prose.txt", "--plugin", "aws.vpcflow", "--to", "ndjson:out2", "--stats", "stats.json", code=3)
        self.assertEqual(self.stats()["rejects"], 2)


class Inputs(Case):
    def count(self, *arguments, **more) -> int:
        return len({(e["lineage"]["uri"], e["lineage"]["record"]) for e in self.events(*arguments, **more)})

    def test_files_directories_globs_and_standard_input(self):
        records = [r for r in trail(count=10)]
        for name in ("d/1.json", "d/sub/2.json", "d/sub/deeper/3.json", "e/4.json"):
            self.write(name, envelope(records))
        self.assertEqual(self.count("d/1.json"), 10)
        self.assertEqual(self.count("d"), 30)
        self.assertEqual(self.count("d", "e"), 40)
        self.assertEqual(self.count("d/*.json"), 10)
        self.assertEqual(self.count("d/**/*.json"), 30)
        self.assertEqual(self.count("?/[34].json"), 10)
        self.assertEqual(self.count("-", stdin=envelope(records)), 10)
        self.assertEqual(self.count("-", stdin=gzip.compress(envelope(records))), 10)

    def test_what_is_given_twice_is_read_once_however_it_is_spelt(self):
        self.write("in/a.log", flow_text(5))
        self.write("in/sub/b.log", flow_text(7, seed=2))
        self.write("aside/deep/c.log", flow_text(4, seed=3))
        self.write("aside/a.log", flow_text(2, seed=4))
        (self.dir / "in/link").symlink_to("../aside/deep")
        (self.dir / "other name.log").symlink_to("in/a.log")
        self.write("list", "in/a.log\nin//a.log\n./in/../in/a.log\n")
        for inputs, records in ((["in/a.log", "./in/a.log", "in//a.log", "in/sub/../a.log", self.dir / "in/a.log"], 5), (["in/a.log", "other name.log"], 5),
                                (["in/sub", "./in//sub/"], 7), (["in/s*/*.log", "./in/**/b.log", "in/sub/b.log"], 7), (["in", "in/sub", "aside"], 18),
                                (["in/a.log", "in/link/../a.log"], 7), (["--objects-from", "list"], 5)):
            self.logmill("run", *inputs, "--to", "ndjson:written", "--stats", "stats.json")
            self.assertEqual(self.stats()["parsers"]["aws.vpcflow"]["records_in"], records, inputs)
            plan = json.loads(self.logmill("plan", *inputs, "--format", "json").stdout)
            self.assertEqual(plan["objects"], self.stats()["objects"], inputs)
        # Names decide to which shard an object goes: the first name.
        records = 0
        for shard in range(3):
            self.logmill("run", "in/sub", "in/a.log", "./in/a.log", "./in", "--to", "ndjson:written", "--stats", "stats.json", "--shard", f"{shard}/3")
            records += sum(parser["records_in"] for parser in self.stats()["parsers"].values())
        self.assertEqual(records, 16)

    def test_two_names_of_a_file_in_one_directory_are_two_objects(self):
        self.write("in/a.log", flow_text(5))
        (self.dir / "in/b.log").symlink_to("a.log")
        self.write("else/c.log", flow_text(3))
        self.assertEqual(self.count("in"), 10)
        self.assertEqual(self.count("in", "else"), 13)

    def test_a_run_does_not_read_what_it_writes(self):
        self.write("a.log", flow_text(5) + b"not a flow\n")
        self.write("d/b.log", flow_text(7, seed=2))
        for where in (".", "**", "d/.."):
            for _ in range(2):
                done = self.logmill("run", where, "--to", "parquet:d/lake", "--to", "ndjson:out,compression=none", "--rejects", "./d/rejects",
                                    "--log-format", "json", code=3)
                summary = json.loads(done.stderr.splitlines()[-1])["summary"]
                self.assertEqual((summary["objects"], summary["rejects"], sum(summary["not_read_whole"].values())), (2, 1, 0), where)
        self.assertTrue(list((self.dir / "d/rejects").glob("rejects-*")))
        # What is named itself is read.
        self.assertTrue(list((self.dir / "out").rglob("*.ndjson")))
        self.logmill("run", "out", "--to", "ndjson:out", "--stats", "stats.json", code=3)
        self.assertGreater(self.stats()["objects"], 0)

    def test_every_compression_is_told_by_its_content(self):
        text = flow_text(30)
        forms = {"plain": text, "gz": gzip.compress(text), "members": gzip.compress(text[:500]) + gzip.compress(text[500:]), "bz2": bz2.compress(text),
                 "xz": lzma.compress(text)}
        for name, command in (("zst", ["zstd", "-q", "-c"]), ("lz4", ["lz4", "-q", "-c"])):
            forms[name] = subprocess.run(command, input=text, stdout=subprocess.PIPE, check=True).stdout
        forms["frames"] = b"".join(subprocess.run(["zstd", "-q", "-c"], input=part, stdout=subprocess.PIPE, check=True).stdout for part in (text[:777], text[777:]))
        expected = None
        for name, data in forms.items():
            self.write("object", data)
            events = self.events("object")
            for event in events:
                event.pop("lineage"), event.pop("metadata")
            events.sort(key=lambda e: json.dumps(e, sort_keys=True))
            expected = expected or events
            self.assertTrue(events)
            self.assertEqual(events, expected, name)

    def test_crlf_and_a_byte_order_mark_change_nothing(self):
        text = flow_text(20)
        self.write("plain.log", text)
        self.write("dos.log", b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
        self.assertEqual(self.count("plain.log"), self.count("dos.log"))

    def test_since_and_until_cut_by_event_time(self):
        self.write("a.json", envelope(trail(count=20)))
        times = sorted(e["time"] for e in self.events("a.json"))
        self.assertEqual(times, [1000 * (START + i) for i in range(20)])
        cut = self.events("a.json", "--since", "2026-03-01T00:00:05Z", "--until", "2026-03-01T01:00:15+01:00", "--stats", "stats.json")
        self.assertEqual(sorted(e["time"] for e in cut), times[5:15])
        stats = self.stats()
        self.assertEqual((stats["rows_out"], stats["rows_filtered"]), (10, 10))

    def test_an_empty_object_is_no_failure_and_is_told(self):
        self.write("empty.log", b"")
        self.write("a.log", flow_text(5))
        self.logmill("run", ".", "--to", "ndjson:out", "--stats", "stats.json", code=None)
        self.assertEqual(self.stats()["not_read_whole"]["empty"], 1)


class Ndjson(Case):
    """A line that a strict reader refuses hides the whole file from whoever reads it: no byte of input may make one."""

    def strict(self) -> list[dict]:
        self.logmill("run", "object", "--to", "ndjson:out,compression=none", "--rejects", "rejects", code=None)
        events = []
        for path in sorted((self.dir / "out").rglob("*.ndjson")):
            for line in path.read_bytes().split(b"\n")[:-1]:
                event = json.loads(line.decode("utf-8", "strict"), parse_constant=lambda text: self.fail(f"{text} is no JSON"))
                json.dumps(event, ensure_ascii=False).encode()  # raises for half a surrogate pair
                events.append(event)
        return events

    def test_every_byte_wherever_text_may_stand(self):
        lines = [line.encode().split(b" ") for line in flow_lines(9, DEFAULT_FLOW_FIELDS, 256, "us-east-1", 2)]
        for byte, line in enumerate(lines[:256]):
            line[2] = b"eni-" + bytes([byte]) + b"\\\""
        self.write("object", b"\n".join([DEFAULT_FLOW_FIELDS.encode(), *(b" ".join(line) for line in lines)]) + b"\n")
        kept = {json.dumps(event) for event in self.strict()}
        for byte in range(33, 127):
            wanted = json.dumps("eni-" + chr(byte) + "\\\"")
            self.assertTrue(any(wanted in text for text in kept), wanted)

    def test_every_escape_of_json_that_passes_through(self):
        record = json.dumps(trail(count=1)[0])
        units = ["\\u%04x" % unit for unit in (0, 1, 8, 0x1f, 0x22, 0x5c, 0x7f, 0x2028, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xfffe, 0xffff)]
        pairs = [first + second for first in units for second in [*units, "", "\\\\", "\\n"]]
        self.write("object", envelope([f'{record[:-1]}, "new{pair}": {{"deep": [{{"a{pair}": "a{pair}"}}]}}, "other": "a{pair}"}}' for pair in pairs]))
        events = self.strict()
        self.assertEqual(len(events), len(pairs))
        kept = {event["unmapped"]["other"] for event in events}
        for text in ("a\u0000\u0001", "a\U00010000", "a\ufffd\ufffd", "a\ufffd\n", "a\ufffd\\", "a\ue000\uffff", "a\u2028\u2028"):
            self.assertIn(text, kept)


class BadInput(Case):
    def run_on(self, data: bytes, *more: str, code: int = 3) -> tuple[dict, list[dict]]:
        self.write("object", data)
        self.logmill("run", "object", "--to", "ndjson:out", "--rejects", "rejects", "--stats", "stats.json", *more, code=code)
        return self.stats(), self.rejects()

    def test_one_bad_record_costs_that_record_only(self):
        good = trail(count=6)
        bad = '{"eventVersion":"1.11","eventName":tru}'
        stats, rejects = self.run_on(envelope([*good[:3], bad, *good[3:]]))
        self.assertEqual(stats["parsers"]["aws.cloudtrail"]["records_out"], 6)
        self.assertEqual(stats["not_read_whole"]["failed"], 0)
        self.assertEqual(len(rejects), 1)
        reject = rejects[0]
        self.assertEqual(base64.b64decode(reject["bytes"]).decode(), bad)
        self.assertEqual((reject["uri"], reject["parser"], reject["length"], reject["code"]), ("object", "aws.cloudtrail", len(bad), "malformed"))
        data = (self.dir / "object").read_bytes()
        self.assertEqual(data[reject["offset"]:reject["offset"] + reject["length"]].decode(), bad)
        self.assertTrue(reject["message"])

    def test_a_bad_record_in_front_does_not_hide_what_the_object_is(self):
        good = trail(count=6)
        text = [json.dumps(record) for record in good]
        for bad in ('{"eventVersion":"1.11","eventName":tru}', '{"x":1}', "{}", "null", "17", '"s"', "garbage", 'garbage"', '"unclosed',
                    '{"eventVersion":"1.11","x":"abc}', "[" * 5000 + "]" * 5000):
            for data in (envelope([bad, *good]), ("[" + ",".join([bad, *text]) + "]").encode(), "\n".join([bad, *text, ""]).encode()):
                stats, rejects = self.run_on(data)
                self.assertEqual(stats["parsers"]["aws.cloudtrail"]["records_out"], 6, data[:60])
                self.assertGreaterEqual(stats["parsers"]["aws.cloudtrail"]["rejects"], 1, data[:60])

    def test_what_only_a_later_record_says_sets_no_object_aside(self):
        digest = {"digestStartTime": "2026-03-01T00:00:00Z", "digestS3Object": "x", "awsAccountId": "111122223333"}
        self.write("object", "\n".join(['{"x":1}', json.dumps(digest), '{"x":2}', ""]))
        self.logmill("run", "object", "--to", "ndjson:out", "--stats", "stats.json", code=3)
        self.assertEqual(self.stats()["not_read_whole"]["unrecognised"], 1)

    def test_a_stray_quote_between_records_costs_no_other_record(self):
        good = trail(count=40)
        stats, rejects = self.run_on(envelope([*good[:5], 'garbage"', *good[5:20], '"unclosed', *good[20:]]))
        self.assertEqual(stats["parsers"]["aws.cloudtrail"]["records_out"], 40)
        self.assertEqual([base64.b64decode(r["bytes"]).decode() for r in rejects if "offset" in r], ['garbage"', '"unclosed'])

    def test_a_torn_object_gives_its_good_records_and_a_reject_for_the_tear(self):
        for name, whole in (("gzip", gzip.compress(envelope(trail(count=200)))),
                            ("zstd", subprocess.run(["zstd", "-q", "-c"], input=envelope(trail(count=3000)), stdout=subprocess.PIPE, check=True).stdout),
                            ("none", envelope(trail(count=200)))):
            for path in (self.dir / "rejects").glob("*"):
                path.unlink()
            stats, rejects = self.run_on(whole[:len(whole) * 4 // 5])
            counts = stats["parsers"]["aws.cloudtrail"]
            self.assertGreater(counts["records_out"], 20, name)
            self.assertEqual(counts["rejects"], 1, name)
            self.assertEqual([r["code"] for r in rejects if "offset" in r], ["truncated"], name)
            self.assertEqual(stats["not_read_whole"]["partly_read"], 1, name)
            self.assertEqual(stats["reports"][0]["outcome"], "partly_read", name)
            self.assertTrue(stats["reports"][0]["reason"], name)

    def test_an_array_that_never_ends_is_told_though_every_record_is_whole(self):
        whole = envelope(trail(count=4))
        for cut in (whole[:whole.rindex(b"}")], whole[:whole.rindex(b"]")]):
            for data in (cut, gzip.compress(cut)):
                stats, _ = self.run_on(data)
                self.assertEqual((stats["rows_out"], stats["not_read_whole"]["partly_read"]), (4, 1), cut[-20:])
                self.assertIn("the JSON ends inside", stats["reports"][0]["reason"])

    def test_objects_with_rejects_are_named_with_the_first_of_them(self):
        self.write("in/bad.log", flow_text(3) + b"2 111122223333\n2 bad\n")
        self.write("in/good.log", flow_text(3))
        done = self.logmill("run", "in", "--to", "ndjson:out", "--stats", "stats.json", code=3)
        stats = self.stats()
        self.assertEqual((stats["reports"], stats["with_rejects"], len(stats["rejecting"])), ([], 1, 1))
        named = stats["rejecting"][0]
        self.assertEqual((named["uri"], named["outcome"], named["records_in"], named["rejects"]), ("in/bad.log", "read", 5, 2))
        self.assertRegex(named["reason"], r"^at offset [0-9]+: ")
        self.assertIn("  2 of 5        in/bad.log\n                at offset ", done.stderr)

    def test_the_reject_that_is_named_is_the_first_in_the_object(self):
        text = flow_text(3)
        self.write("bad.log", text + b"2 bad\n" + b"x" * 5000 + b"\n")  # framing is done with the second before the parser sees the first
        self.logmill("run", "bad.log", "--to", "ndjson:out", "--max-record", "4K", "--stats", "stats.json", code=3)
        self.assertTrue(self.stats()["rejecting"][0]["reason"].startswith(f"at offset {len(text)}: "), self.stats()["rejecting"])

    def test_flipped_bits_are_noticed(self):
        data = bytearray(gzip.compress(flow_text(2000)))
        data[-6] ^= 1  # in the CRC
        stats, _ = self.run_on(bytes(data))
        self.assertEqual(stats["not_read_whole"]["partly_read"] + stats["not_read_whole"]["failed"], 1)

    def test_a_damaged_object_of_which_nothing_is_known_is_failed_with_what_the_decoder_says(self):
        data = bytearray(bz2.compress(b"\x01\x02" * 5000 + os.urandom(40_000)))
        data[len(data) // 2] ^= 8
        stats, _ = self.run_on(bytes(data))
        self.assertEqual(stats["reports"][0]["outcome"], "failed")
        self.assertIn("bzip2", stats["reports"][0]["reason"])

    def test_a_bad_member_is_told_with_its_place_and_with_what_was_not_read_behind_it(self):
        head, *lines = flow_text(400).splitlines(keepends=True)
        parts = [b"".join(lines[i:i + 100]) for i in range(0, 400, 100)]
        members = [bytearray(gzip.compress(part)) for part in [head + parts[0], *parts[1:]]]
        members[1][-6] ^= 1  # in the CRC
        stats, _ = self.run_on(b"".join(members))
        self.assertEqual((stats["parsers"]["aws.vpcflow"]["records_in"], stats["rejects"]), (200, 0))
        reason = f"member 2, which begins at stored byte {len(members[0])}; the {len(members[2]) + len(members[3])} stored bytes behind it were not read"
        self.assertTrue(stats["reports"][0]["reason"].endswith(reason), stats["reports"])

    def test_hostile_bytes_cost_their_records_only(self):
        lines = flow_lines(9, DEFAULT_FLOW_FIELDS, 10, "us-east-1", 2)
        bad = [b"2 \xff\xfe\xfd eni-1", b"\x00\x00\x00", b"2 111122223333", b"A" * 100_000]
        text = b"\n".join([DEFAULT_FLOW_FIELDS.encode(), *(line.encode() for line in lines[:5]), *bad, *(line.encode() for line in lines[5:])]) + b"\n"
        stats, rejects = self.run_on(text)
        self.assertEqual(stats["parsers"]["aws.vpcflow"]["records_out"], 10)
        self.assertEqual(sorted(base64.b64decode(r["bytes"]) for r in rejects), sorted(bad))

    def test_hostile_json_costs_its_records_only(self):
        good = trail(count=4)
        deep = '{"eventVersion":"1.11","eventTime":"2026-03-01T00:00:00Z","requestParameters":' + "[" * 10_000 + "]" * 10_000 + "}"
        wide = '{"eventVersion":"1.11","eventTime":99999999999999999999999999,"eventName":{},"eventSource":[],"userIdentity":"x"}'
        stats, rejects = self.run_on(envelope([good[0], deep, good[1], wide, good[2], "17", good[3]]))
        counts = stats["parsers"]["aws.cloudtrail"]
        self.assertEqual(counts["records_in"], 7)
        self.assertGreaterEqual(counts["records_out"], 4)
        self.assertIn("17", [base64.b64decode(r["bytes"]).decode() for r in rejects])

    def test_a_bomb_is_given_up_and_what_was_read_is_kept(self):
        text = flow_text(1) + b"\n".join(flow_text(2).splitlines()[1:2] * 40_000) + b"\n"
        stats, _ = self.run_on(gzip.compress(text, 9), "--max-decoded", "1M")
        self.assertEqual(stats["not_read_whole"]["partly_read"] + stats["not_read_whole"]["failed"], 1)
        self.assertLess(stats["decoded_bytes"], 4 << 20)

    def test_a_record_that_is_too_long_is_one_reject(self):
        records = trail(count=4)
        records[1]["requestParameters"] = {"x": "y" * 300_000}
        stats, rejects = self.run_on(envelope(records), "--max-record", "100000")
        self.assertEqual((stats["parsers"]["aws.cloudtrail"]["records_out"], [r["code"] for r in rejects]), (3, ["oversize"]))

    def test_names_of_objects_cannot_reach_the_terminal(self):
        name = "evil\x1b[2J\r.log"
        self.write(name, b"nothing that is known\n")
        done = self.logmill("run", ".", "--to", "ndjson:out", code=3)
        self.assertIn("evil\\x1b[2J\\x0d.log", done.stderr)
        self.assertNotIn("\x1b", done.stderr)


class NotReadable(Case):
    """What is there and cannot be read costs itself, and is told: 0 means that all was read."""

    def run_on(self, *inputs, **more) -> dict:
        self.logmill("run", *inputs, "--to", "ndjson:out", "--rejects", "rejects", "--stats", "stats.json", code=3, **more)
        return {r["uri"]: (r["outcome"], r["reason"]) for r in self.stats()["reports"]}

    def test_a_link_that_leads_nowhere_is_told_and_a_loop_ends(self):
        self.write("in/deep/a.log", flow_text(5))
        (self.dir / "in/gone.log").symlink_to("nowhere.log")
        (self.dir / "in/self").symlink_to("self")
        (self.dir / "in/deep/up").symlink_to("..")
        reports = self.run_on("in")
        self.assertEqual(reports, {"in/gone.log": ("failed", "is a link that leads nowhere: No such file or directory"),
                                   "in/self": ("failed", "is a link that leads nowhere: Too many levels of symbolic links")})
        self.assertEqual({r["uri"] for r in self.rejects()}, set(reports))
        self.assertEqual(self.stats()["objects"], 3)
        plan = self.logmill("plan", "in", "--format", "json", code=3)
        self.assertEqual([u["uri"] for u in json.loads(plan.stdout)["unreadable"]], ["in/gone.log", "in/self"])
        self.assertIn("in/gone.log: is a link that leads nowhere", plan.stderr)

    def test_what_is_no_file_is_left_out_and_told(self):
        self.write("in/a.log", flow_text(5))
        os.mkfifo(self.dir / "in/pipe")
        done = self.logmill("run", "in", "--to", "ndjson:out")
        self.assertIn("in/pipe: neither a file nor a directory: not read", done.stderr)

    def test_a_directory_that_is_shut_costs_what_is_in_it_only(self):
        for i in range(20):
            self.write(f"in/{i:02}.log", flow_text(3, seed=i))
        self.write("in/05-shut/a.log", flow_text(3))
        self.write("named/a.log", flow_text(3))
        somebody = self.shut_out()
        for name in ("in/05-shut", "named"):
            (self.dir / name).chmod(0)
            self.addCleanup((self.dir / name).chmod, 0o755)
        denied = ("failed", "the directory cannot be read: Permission denied")
        self.assertEqual(self.run_on("in", "named", **somebody), {"in/05-shut/": denied, "named/": denied})
        self.assertEqual(self.stats()["parsers"]["aws.vpcflow"]["records_in"], 60)
        for _ in range(2):
            self.logmill("run", "in", "--to", "ndjson:kept", "--state", "job.state", "--stats", "stats.json", code=3, **somebody)
        self.assertEqual((self.stats()["skipped"], self.stats()["skipped_not_whole"]), (21, 1))
        # Once it is open, what is in it is new.
        (self.dir / "in/05-shut").chmod(0o755)
        self.logmill("run", "in", "--to", "ndjson:kept", "--state", "job.state", "--stats", "stats.json", **somebody)
        self.assertEqual((self.stats()["objects"], self.stats()["skipped"]), (1, 20))


class Reports(Case):
    def test_the_summary_names_what_was_not_read_whole(self):
        self.archive()
        done = self.logmill("run", "evidence", "--to", "ndjson:out", code=3)
        self.assertEqual(done.stdout, "")
        for text in ("aws.cloudtrail", "network_activity", "Not read whole: 3 objects", "set aside", "partly read", "unrecognised", "notes.txt",
                     "--rejects DIR keeps them", "Outputs: "):
            self.assertIn(text, done.stderr)

    def test_as_json_every_line_is_json_and_the_last_is_the_summary(self):
        self.archive()
        done = self.logmill("run", "evidence", "--to", "ndjson:out", "--log-format", "json", "--log-level", "debug", "--stats", "stats.json", code=3)
        lines = [json.loads(line) for line in done.stderr.splitlines()]
        self.assertEqual(lines[-1]["summary"]["rows_out"], self.stats()["rows_out"])
        done = self.logmill("run", "evidence", "--to", "ndjson:out", "--plugin", "no.such", "--log-format", "json", code=2)
        self.assertEqual(json.loads(done.stderr.splitlines()[-1])["level"], "error")

    def test_the_stats_file_appears_whole_and_leaves_nothing_beside_it(self):
        self.archive()
        self.write("stats.json", '{"logmill":"what was here before"}')
        self.logmill("run", "evidence", "--to", "ndjson:out", "--stats", "stats.json", code=3)
        stats = self.stats()
        tables = {}
        for counts in stats["parsers"].values():
            for table, rows in counts["tables"].items():
                tables[table] = tables.get(table, 0) + rows["rows_out"]
        self.assertEqual(sum(tables.values()), stats["rows_out"])
        self.assertEqual([p.name for p in self.dir.glob("stats*")], ["stats.json"])
        for key in ("seconds", "mb_per_second", "stored_bytes", "decoded_bytes"):
            self.assertIn(key, stats["parsers"]["aws.vpcflow"])

    def test_what_a_run_writes_is_what_it_names(self):
        self.archive()
        self.logmill("run", "evidence", "--to", "ndjson:out,compression=none", "--to", "parquet:lake", "--stats", "stats.json", code=3)
        stats = self.stats()
        named = sorted(name.split(":", 1)[1] for name in stats["outputs"])
        found = sorted(os.path.relpath(p, self.dir) for folder in ("out", "lake") for p in (self.dir / folder).rglob("*") if p.is_file())
        self.assertEqual(named, found)
        lines = sum(len(p.read_text().splitlines()) for p in (self.dir / "out").rglob("*.ndjson"))
        self.assertEqual(lines, stats["rows_out"])
        for path in (self.dir / "lake").rglob("*.parquet"):
            data = path.read_bytes()
            self.assertEqual((data[:4], data[-4:]), (b"PAR1", b"PAR1"))

    def test_raw_data_is_the_record(self):
        records = trail(count=3)
        self.write("a.json", envelope(records))
        events = self.events("a.json", "--raw-data")
        self.assertEqual({e["raw_data"] for e in events}, {json.dumps(r, separators=(",", ":")) for r in records})
        self.assertFalse(any("raw_data" in e for e in self.events("a.json")))


if __name__ == "__main__":
    unittest.main()
