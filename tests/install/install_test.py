"""An installed tree is complete: its program finds its plugins, and the examples build against it and run."""
import ctypes
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from installed import ROOT, build_example, cached, install

FLOWS = """version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status
2 111122223333 eni-0a1b2c3d 192.0.2.10 198.51.100.7 51000 443 6 10 8400 1772352000 1772352060 ACCEPT OK
2 111122223333 eni-0a1b2c3d 203.0.113.9 192.0.2.10 40022 22 6 1 40 1772352000 1772352060 REJECT OK
2 111122223333 eni-0a1b2c3d - - - - - - - 1772352060 1772352120 - NODATA
"""


class ArrowArray(ctypes.Structure):
    pass


ArrowArray._fields_ = [("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64), ("n_buffers", ctypes.c_int64),
                       ("n_children", ctypes.c_int64), ("buffers", ctypes.c_void_p), ("children", ctypes.c_void_p), ("dictionary", ctypes.c_void_p),
                       ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(ArrowArray))), ("private_data", ctypes.c_void_p)]


class ArrowArrayStream(ctypes.Structure):
    pass


ArrowArrayStream._fields_ = [("get_schema", ctypes.c_void_p),
                             ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ArrowArrayStream), ctypes.POINTER(ArrowArray))),
                             ("get_last_error", ctypes.c_void_p), ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(ArrowArrayStream))),
                             ("private_data", ctypes.c_void_p)]


class Installed(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.dir = pathlib.Path(tempfile.mkdtemp(prefix="logmill-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        cls.prefix = cls.dir / "prefix"
        install(cls.prefix)
        cls.built = {name: build_example(name, cls.prefix, cls.dir / name) for name in ("plugin-cpp", "plugin-c", "sink-plugin", "embed")}

    def run_program(self, program, *arguments, code: int = 0) -> subprocess.CompletedProcess:
        done = subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True, cwd=self.dir, timeout=300, check=False)
        self.assertEqual(done.returncode, code, f"{program} {arguments}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return done

    def events(self, example: str, code: int) -> list[dict]:
        done = self.run_program(self.prefix / "bin/logmill", "run", ROOT / "examples" / example / "sample", "--plugin-dir", self.built[example],
                                "--to", "ndjson:-", "--validate", "full", "--stats", "stats.json", "--rejects", f"rejects-{example}", code=code)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def rejects(self, example: str) -> list[dict]:
        return [json.loads(line) for file in (self.dir / f"rejects-{example}").glob("*.ndjson") for line in file.read_text().splitlines()]

    def test_its_program_finds_its_plugins(self):
        listed = self.run_program(self.prefix / "bin/logmill", "plugins").stdout
        for name in ("aws.cloudtrail", "aws.vpcflow", "ndjson", "parquet"):
            self.assertIn(f"\n{name}  ", listed)
        self.assertNotIn(str(ROOT), listed)

    def test_it_works_where_it_is_moved_to(self):
        moved = self.dir / "elsewhere"
        shutil.copytree(self.prefix, moved, symlinks=True)
        self.addCleanup(shutil.rmtree, moved)
        listed = self.run_program(moved / "bin/logmill", "plugins").stdout
        self.assertIn("\naws.cloudtrail  ", listed)
        self.assertNotIn(f"{self.prefix}/", listed)

    def test_its_package_names_nothing_of_the_build(self):
        for file in self.prefix.rglob("*.cmake"):
            text = file.read_text()
            for path in (str(ROOT), str(self.built["embed"])):
                self.assertNotIn(path, text, file.name)

    def test_plugins_need_headers_alone(self):
        cache = (self.built["plugin-cpp"] / "CMakeCache.txt").read_text()
        for name in ("TBB_DIR", "simdjson_DIR", "spdlog_DIR", "fmt_DIR"):
            self.assertNotIn(name, cache)
        files = {file.name for file in (self.prefix / "include/logmill").iterdir()}
        self.assertEqual(files, {"arrow.h", "core.hpp", "http.h", "ocsf", "plugin.h", "sdk", "sdk.hpp", "sink.h", "sink_describe.h", "sink_ocsf.h", "sink_schema.h", "sink_sweep.h", "storage.h"})

    def test_plugins_export_their_entry_alone(self):
        for file in (self.built["plugin-cpp"] / "example_gate.so", self.built["plugin-c"] / "example_wall.so", self.built["sink-plugin"] / "example_csv.so"):
            names = subprocess.run(["nm", "-D", "--defined-only", str(file)], capture_output=True, text=True, check=True).stdout.split("\n")
            names = [name.split()[-1] for name in names if name and " __" not in name]  # "__": what sanitizers add
            self.assertEqual(names, ["logmill_entry"], file.name)

    def test_the_plugin_in_cpp_reads_its_sample(self):
        events = self.events("plugin-cpp", code=3)
        self.assertEqual([event["class_uid"] for event in events], [3002] * 5)
        self.assertEqual([event["user"]["name"] for event in events], ["alice", "bob", "carol", "alice", "dave"])
        self.assertEqual([event["status_id"] for event in events], [1, 2, 1, 1, 1])
        self.assertEqual([event["type_name"] for event in events], ["Authentication: Logon"] * 3 + ["Authentication: Logoff", "Authentication: Logon"])
        self.assertEqual(events[0]["user"]["groups"], [{"name": "staff"}, {"name": "admins"}])
        self.assertEqual(events[1]["time"], 1772352007250)
        self.assertEqual(events[1]["src_endpoint"], {"ip": "198.51.100.7", "port": 40022})
        self.assertEqual([event.get("unmapped") for event in events],
                         [None, None, {"client": "ExampleClient/4.2"}, {"bytes": "1048576"}, {"src": "unknown"}])
        counts = json.loads((self.dir / "stats.json").read_text())["parsers"]["example.gate"]
        self.assertEqual((counts["records_in"], counts["records_out"], counts["rejects"]), (6, 5, 1))
        self.assertEqual(counts["drift"], {"client": 1})
        self.assertEqual([(reject["record"], reject["code"]) for reject in self.rejects("plugin-cpp")], [(3, "malformed")])

    def test_the_plugin_in_c_reads_its_sample(self):
        events = self.events("plugin-c", code=3)
        self.assertEqual([event["class_uid"] for event in events], [4001] * 4)
        self.assertEqual([event["activity_name"] for event in events], ["Traffic", "Refuse", "Traffic", "Refuse"])
        self.assertEqual([event["connection_info"]["protocol_name"] for event in events], ["tcp", "tcp", "udp", "icmp"])
        self.assertEqual([event.get("traffic") for event in events], [{"bytes": 1420}, None, {"bytes": 76}, {"bytes": 84}])
        self.assertEqual(events[0]["src_endpoint"], {"ip": "192.0.2.10", "port": 51000})
        self.assertEqual(events[3]["dst_endpoint"], {"ip": "192.0.2.11", "port": 0})
        self.assertEqual({event["metadata"]["product"]["name"] for event in events}, {"ExampleWall"})
        self.assertEqual([(reject["record"], reject["message"]) for reject in self.rejects("plugin-c")], [(3, "the protocol is none of tcp, udp and icmp")])

    def test_the_plugin_in_c_says_that_it_has_no_settings(self):
        (self.dir / "settings.yaml").write_text("plugins:\n  example.wall:\n    depth: 3\n")
        done = self.run_program(self.prefix / "bin/logmill", "run", ROOT / "examples/plugin-c/sample", "--plugin-dir", self.built["plugin-c"],
                                "--to", "ndjson:-", "--config", "settings.yaml", code=2)
        self.assertIn("this parser has no settings", done.stderr)

    def test_the_manual_quotes_code_that_is_compiled(self):
        for code, manual in (("plugin-cpp/gate.cpp", "plugins.md"), ("sink-plugin/csv.cpp", "sinks.md")):
            compiled = (ROOT / "examples" / code).read_text()
            quotes = re.findall(r"```cpp\n(.*?)```", (ROOT / "docs" / manual).read_text(), re.DOTALL)
            self.assertGreater(len(quotes), 4)
            for quote in quotes:
                self.assertIn(quote, compiled)

    def test_a_sink_out_of_tree_writes_what_ndjson_has(self):
        (self.dir / "csv.log").write_text(FLOWS)
        run = [self.prefix / "bin/logmill", "run", self.dir / "csv.log", "--plugin-dir", self.built["sink-plugin"]]
        self.run_program(*run, "--to", "example.csv:csv", "--to", "ndjson:lines,compression=none")
        for folder in (self.dir / "lines").iterdir():
            events = [json.loads(line) for file in folder.iterdir() for line in file.read_text().splitlines()]
            (file,) = (self.dir / "csv" / folder.name).iterdir()
            head, *rows = file.read_text().splitlines()
            self.assertEqual(head, "time,type_uid")
            self.assertEqual(sorted(rows), sorted(f"{event['time']},{event['type_uid']}" for event in events))
        self.run_program(*run, "--to", "example.csv:bare,header=false")
        self.assertEqual({line.count(",") for file in (self.dir / "bare").rglob("*.csv") for line in file.read_text().splitlines() if line[0].isdigit()}, {1})
        self.assertNotIn("time", "".join(file.read_text() for file in (self.dir / "bare").rglob("*.csv")))
        self.assertIn("header", self.run_program(*run, "--to", "example.csv:bad,header=maybe", code=2).stderr)

    def test_a_sink_out_of_tree_writes_once(self):
        (self.dir / "once.log").write_text(FLOWS)
        run = [self.prefix / "bin/logmill", "run", self.dir / "once.log", "--plugin-dir", self.built["sink-plugin"], "--to", "example.csv:once", "--state", "once.state"]
        rows = []
        for _ in range(2):
            self.run_program(*run)
            rows.append(sum(len(file.read_text().splitlines()) - 1 for file in (self.dir / "once").rglob("*.csv")))
        self.assertEqual(rows, [3, 3])
        self.assertEqual([file for file in (self.dir / "once").rglob(".*")], [])

    def test_an_embedding_program_counts_rows_by_table(self):
        flows = self.dir / "flows.log"
        flows.write_text(FLOWS)
        (self.dir / "more.log").write_text(FLOWS)
        done = self.run_program(self.built["embed"] / "embed_rows", flows, self.dir / "more.log")
        self.assertEqual(done.stdout, "base_event 2\nnetwork_activity 4\n")
        done = self.run_program(self.built["embed"] / "embed_rows", self.dir / "absent.log", code=1)
        self.assertIn("absent.log", done.stderr)

    @unittest.skipIf(cached("LOGMILL_SANITIZE"), "a sanitizer's runtime must be the first library of a process, and Python was started without it")
    def test_a_stream_crosses_the_c_border(self):
        flows = self.dir / "stream.log"
        flows.write_text(FLOWS)
        embed = ctypes.CDLL(str(self.built["embed"] / "libembed_stream.so"))
        embed.embed_last_error.restype = ctypes.c_char_p
        inputs = (ctypes.c_char_p * 1)(str(flows).encode())
        stream, batch = ArrowArrayStream(), ArrowArray()
        self.assertEqual(embed.embed_open(None, inputs, 1, b"network_activity", ctypes.byref(stream)), 0, embed.embed_last_error())
        rows = 0
        while True:
            self.assertEqual(stream.get_next(ctypes.byref(stream), ctypes.byref(batch)), 0)
            if not batch.release:
                break
            rows += batch.length
            batch.release(ctypes.byref(batch))
        stream.release(ctypes.byref(stream))
        self.assertEqual(rows, 2)
        self.assertNotEqual(embed.embed_open(None, inputs, 1, b"no_such_table", ctypes.byref(stream)), 0)
        self.assertIn(b"no_such_table", embed.embed_last_error())


if __name__ == "__main__":
    unittest.main()
