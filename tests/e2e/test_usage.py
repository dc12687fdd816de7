"""What a person types and is told: help, exit codes, configuration, listings, the manual page and the completion."""
import json
import os
import pathlib
import pty
import re
import shutil
import subprocess
import unittest

from e2e import LOGMILL, ROOT, Case, flow_text

COMMANDS = [[], ["run"], ["plan"], ["plugins"], ["plugins", "show"], ["schema"], ["catalog"], ["state"], ["state", "show"], ["state", "objects"], ["state", "retry"], ["state", "forget"],
            ["state", "merge"]]


class Help(Case):
    def test_every_command_has_help_with_examples_in_eighty_columns(self):
        for command in COMMANDS:
            done = self.logmill(*command, "--help")
            self.assertIn("Examples:\n  ", done.stdout, command)
            self.assertEqual(done.stderr, "")
            self.assertEqual([line for line in done.stdout.splitlines() if len(line) > 80], [], command)

    def test_help_and_the_manual_page_promise_the_exit_codes(self):
        promised = re.findall(r"^  ([0-3])  \S", self.logmill("run", "--help").stdout, re.MULTILINE)
        self.assertEqual(promised, ["0", "1", "2", "3"])
        page = (ROOT / "docs/man/logmill.1").read_text().split(".SH \"EXIT STATUS\"")[1].split(".SH")[0]
        self.assertEqual(re.findall(r"^\.B ([0-9])$", page, re.MULTILINE), promised)

    def test_every_flag_is_in_the_manual_page_and_in_the_completion(self):
        page = (ROOT / "docs/man/logmill.1").read_text().replace("\\-", "-")
        completion = (ROOT / "cli/completion/logmill.bash").read_text()
        for command in COMMANDS:
            flags = set(re.findall(r"--[a-z][a-z-]+", self.logmill(*command, "--help").stdout))
            self.assertTrue(flags)
            for flag in flags:
                self.assertRegex(page, re.escape(flag) + r"\b")
                self.assertRegex(completion, re.escape(flag) + r"\b")

    def test_completion_completes(self):
        script = f"""source {ROOT}/cli/completion/logmill.bash
            complete_words() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() {{ :; }}; _logmill; printf '%s\\n' "${{COMPREPLY[@]}}"; }}
            complete_words logmill sch; complete_words logmill run --max-; complete_words logmill run --progress a
            complete_words {LOGMILL} plugins show aws.cloudtrail; complete_words {LOGMILL} schema network_a
            complete_words logmill state re; complete_words logmill state objects job.state --only par"""
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=self.environment(), check=True)
        self.assertEqual(done.stderr, "")
        words = done.stdout.split()
        self.assertEqual(words[:6], ["schema", "--max-decoded", "--max-ratio", "--max-record", "auto", "always"])
        self.assertEqual((words[6], words[-3:]), ("aws.cloudtrail", ["network_activity", "retry", "partly_read"]))

    def test_version(self):
        self.assertRegex(self.logmill("--version").stdout, r"\Alogmill \d+\.\d+\.\d+\n\Z")


class Trust(Case):
    """What is loaded runs as the user: nobody else may be able to change it."""

    def setUp(self):
        super().setUp()
        self.plugins = self.dir / "mine"
        self.plugins.mkdir(mode=0o755)
        self.library = pathlib.Path(shutil.copy(pathlib.Path(os.environ["LOGMILL_BUILD"]) / "plugins/aws_vpcflow.so", self.plugins / "copy.so"))
        self.library.chmod(0o755)

    def refused(self, what: pathlib.Path, why: str) -> None:
        done = self.logmill("plugins", "--plugin-dir", self.plugins, code=2)
        self.assertIn(str(what), done.stderr)
        self.assertIn(why, done.stderr)
        self.assertEqual(done.stdout, "")

    def test_a_library_that_others_can_write_is_refused(self):
        self.library.chmod(0o757)
        self.refused(self.library, "everybody can write to it")

    def test_a_folder_that_others_can_write_is_refused(self):
        self.plugins.chmod(0o1777)
        self.refused(self.plugins, "everybody can write to it")

    def test_what_belongs_to_somebody_else_is_refused(self):
        if os.geteuid() != 0:
            self.skipTest("only root can give files away")
        os.chown(self.library, 65534, 65534)
        self.refused(self.library, "it belongs to the user with the number 65534")

    def test_what_a_group_of_others_can_write_is_refused(self):
        if os.geteuid() != 0:
            self.skipTest("only root can give files away")
        os.chown(self.library, 0, 65534)
        self.library.chmod(0o775)
        self.refused(self.library, "its group can write to it")


class ExitCodes(Case):
    def test_two_for_wrong_usage_and_nothing_is_read(self):
        self.write("a.log", flow_text(5))
        for arguments in ([], ["frob"], ["run"], ["run", "a.log"], ["run", "--to", "ndjson:out"], ["run", "a.log", "--to", "nowhere:out"],
                          ["run", "a.log", "--to", "ndjson"], ["run", "a.log", "--to", "ndjson:out", "--nope"],
                          ["run", "a.log", "--to", "ndjson:out", "--memory", "much"], ["run", "a.log", "--to", "ndjson:out", "--threads", "-1"],
                          ["run", "a.log", "--to", "ndjson:out", "--since", "yesterday"], ["run", "a.log", "--to", "ndjson:out", "--plugin", "no.such"],
                          ["run", "a.log", "--to", "ndjson:out,nonsense=1"], ["run", "a.log", "--to", "ndjson:out,compression=rar"],
                          ["run", "a.log", "--to", "ndjson:out", "--since", "2026-03-02", "--until", "2026-03-01"],
                          ["run", "a.log", "--to", "ndjson:out", "--plugin-dir", "missing"], ["plugins", "show", "no.such"], ["schema", "no_such"],
                          ["schema", "--format", "xml"], ["catalog", "out"], ["state"], ["state", "show"], ["state", "show", "missing"], ["state", "forget", "job.state"],
                          ["state", "objects", "missing", "--only", "good"], ["run", "a.log", "--to", "ndjson:out", "--checkpoint", "often"],
                          ["run", "a.log", "--to", "ndjson:out", "--shard", "2/2"]):
            done = self.logmill(*arguments, code=2)
            self.assertEqual(done.stdout, "", arguments)
            self.assertNotEqual(done.stderr, "", arguments)
        self.assertFalse((self.dir / "out").exists())
        # A file where a folder is to be is the same mistake in all of them.
        for arguments in (["--to", "ndjson:a.log"], ["--to", "ndjson:a.log/out"], ["--to", "ndjson:out", "--rejects", "a.log"],
                          ["--to", "ndjson:out", "--rejects", "a.log/rejects"]):
            self.assertIn("a.log", self.logmill("run", "a.log", *arguments, code=2).stderr, arguments)

    def test_two_when_what_was_asked_for_cannot_be_meant(self):
        self.write("a.log", flow_text(5))
        self.assertIn("missing", self.logmill("run", "missing", "--to", "ndjson:out", code=2).stderr)
        self.assertIn("nothing*", self.logmill("run", "nothing*", "--to", "ndjson:out", code=2).stderr)
        # What would be written to a folder of another name, or twice, is not what was meant.
        self.assertIn("zstd_level=", self.logmill("run", "a.log", "--to", "parquet:out,zstd_level", code=2).stderr)
        self.assertIn("standard output", self.logmill("run", "a.log", "--to", "ndjson:-", "--to", "ndjson:-", code=2).stderr)
        self.assertIn("no command", self.logmill("frob", code=2).stderr)
        self.assertIn("reads none", self.logmill("run", "a.log", "--to", "ndjson:out", "--plugin", "aws.cloudtrail_digest", code=2).stderr)

    def test_one_when_the_run_fails(self):
        self.write("a.log", flow_text(5))
        with open("/dev/full", "wb") as full:
            done = subprocess.run([LOGMILL, "run", "a.log", "--to", "ndjson:-"], stdout=full, stderr=subprocess.PIPE, cwd=self.dir,
                                  env=self.environment(), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"ndjson:-", done.stderr)

    def test_a_run_that_fails_keeps_no_file_and_its_statistics_say_so(self):
        self.write("a.log", flow_text(5))
        self.write("stats.json", '{"logmill":"0","complete":true}\n')
        with open("/dev/full", "wb") as full:
            done = subprocess.run([LOGMILL, "run", "a.log", "--to", "parquet:lake", "--to", "ndjson:-", "--rejects", "rejects", "--stats", "stats.json"],
                                  stdout=full, stderr=subprocess.PIPE, cwd=self.dir, env=self.environment(), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"no file of it is kept", done.stderr)
        stats = json.loads((self.dir / "stats.json").read_text())
        self.assertFalse(stats["complete"])
        self.assertIn("stdout", stats["error"])
        self.assertEqual([path for folder in ("lake", "rejects") for path in (self.dir / folder).rglob("*") if path.is_file()], [])

    def test_a_run_of_which_not_all_can_be_published_keeps_nothing(self):
        process = subprocess.Popen([LOGMILL, "run", "-", "--to", "parquet:lake", "--to", "ndjson:out", "--rejects", "rejects"], stdin=subprocess.PIPE,
                                   stderr=subprocess.PIPE, cwd=self.dir, env=self.environment())
        process.stdin.write(flow_text(20) + b"2 bad\n")
        process.stdin.flush()
        while not list((self.dir / "rejects").glob(".*")):
            self.assertIsNone(process.poll())
        shutil.rmtree(self.dir / "rejects")
        self.assertIn(b"no file of it is kept", process.communicate()[1])
        self.assertEqual(process.returncode, 1)
        self.assertEqual([path for folder in ("lake", "out") for path in (self.dir / folder).rglob("*") if path.is_file()], [])

    def test_one_for_what_shows_only_when_something_was_read(self):
        self.write("a.log", flow_text(5))
        self.write("out/network_activity", "no folder")
        self.write("stats.json", '{"logmill":"0","complete":true}\n')
        self.logmill("run", "a.log", "--to", "ndjson:out", "--stats", "stats.json", code=1)
        self.assertIn("network_activity", json.loads((self.dir / "stats.json").read_text())["error"])

    def test_two_when_it_shows_before_reading_that_nothing_can_be_written(self):
        self.write("a.log", flow_text(5))
        (self.dir / "folder").mkdir()
        for arguments, why in ((["--to", "ndjson:out", "--stats", "no/such/folder/stats.json"], "No such file"), (["--to", "ndjson:out", "--stats", "folder"], "directory"),
                               (["--to", "ndjson:out", "--stats", "./a.log"], "would be lost"),
                               (["--to", "ndjson:later", "--stats", "later"], "events are written there"),
                               (["--to", "ndjson:out", "--rejects", "later", "--stats", "./later"], "the folder of the rejects"),
                               (["--to", "ndjson:out", "--state", "new.state", "--stats", "./new.state"], "it is the ledger"),
                               (["--to", "parquet:/proc/lake"], "/proc/lake"), (["--to", "ndjson:out", "--rejects", "/proc/rejects"], "/proc/rejects"),
                               (["--to", "ndjson:out", "--rejects", "/dev/null"], "/dev/null"), (["--to", "parquet:-"], "standard output"),
                               (["--to", "parquet:lake,,"], "an option is missing")):
            done = self.logmill("run", "a.log", *arguments, code=2)
            self.assertIn(why, done.stderr, arguments)
        self.assertEqual((self.dir / "a.log").read_bytes(), flow_text(5))
        somebody = self.shut_out()
        (self.dir / "shut").mkdir(mode=0o555)
        for arguments in (["--to", "ndjson:shut"], ["--to", "ndjson:shut/out"], ["--to", "ndjson:-", "--rejects", "shut"]):
            self.assertIn("Permission denied", self.logmill("run", "a.log", *arguments, code=2, **somebody).stderr, arguments)

    def test_one_place_is_not_taken_for_two_sinks(self):
        self.write("a.log", flow_text(5))
        (self.dir / "two").mkdir()
        (self.dir / "link").symlink_to("two")
        for other in ("./two/", "two", "link", "out/../two", str(self.dir / "two")):
            done = self.logmill("run", "a.log", "--to", "ndjson:two", "--to", f"ndjson:{other}", code=2)
            self.assertIn("the same place", done.stderr, other)
        self.assertEqual(list((self.dir / "two").iterdir()), [])
        self.logmill("run", "a.log", "--to", "ndjson:two", "--to", "parquet:two")
        self.assertEqual(sorted(path.suffix for path in (self.dir / "two").rglob("part-*")), [".parquet", ".zst"])

    def test_zero_when_all_was_read_and_three_when_something_was_not(self):
        self.write("a.log", flow_text(5))
        self.logmill("run", "a.log", "--to", "ndjson:out", code=0)
        self.write("b.log", flow_text(5) + b"not a flow\n")
        self.logmill("run", "b.log", "--to", "ndjson:out", code=3)
        self.write("c.log", "no log at all\n")
        self.logmill("run", "c.log", "--to", "ndjson:out", code=3)

    def test_a_wrong_value_is_told_with_the_flag_and_the_choices(self):
        done = self.logmill("run", "x", "--to", "ndjson:-", "--progress", "often", code=2)
        self.assertIn("--progress: 'often' is none of auto, always, never", done.stderr)
        self.assertIn("installed: ", self.logmill("run", "x", "--to", "ndjson:-", "--plugin", "no.such", code=2).stderr)


class StatsFile(Case):
    def setUp(self):
        super().setUp()
        self.write("a.log", flow_text(5))

    def stats_to(self, name) -> None:
        self.logmill("run", "a.log", "--to", "ndjson:out", "--stats", name)

    def test_a_link_stays_and_what_it_leads_to_is_written(self):
        (self.dir / "folder").mkdir()
        (self.dir / "link").symlink_to("folder/first")
        (self.dir / "folder/first").symlink_to("second")
        for _ in range(2):  # what it leads to is not there at first
            self.stats_to("link")
            self.assertTrue((self.dir / "link").is_symlink() and (self.dir / "folder/first").is_symlink())
            self.assertTrue(json.loads((self.dir / "folder/second").read_text())["complete"])
        self.assertEqual(sorted(path.name for path in (self.dir / "folder").iterdir()), ["first", "second"])
        (self.dir / "loop").symlink_to("loop")
        self.assertIn("symbolic links", self.logmill("run", "a.log", "--to", "ndjson:out", "--stats", "loop", code=2).stderr)

    def test_what_standard_output_goes_to_is_not_replaced(self):
        for redirected in ("> both", "| cat > both", ">> both"):
            script = f"(echo first; {LOGMILL} run a.log --to ndjson:out --stats /dev/stdout; echo last) {redirected}"
            self.write("both", "before\n")
            subprocess.run(["bash", "-c", script], cwd=self.dir, env=self.environment(), stderr=subprocess.DEVNULL, check=True)
            lines = (self.dir / "both").read_text().splitlines()[1 if redirected == ">> both" else 0:]
            self.assertEqual((lines[0], lines[2:]), ("first", ["last"]), redirected)
            self.assertTrue(json.loads(lines[1])["complete"])
        for name in ("/dev/fd/5", "/proc/self/fd/5"):
            subprocess.run(["bash", "-c", f"exec 5>fifth; {LOGMILL} run a.log --to ndjson:out --stats {name}; echo last >&5"], cwd=self.dir,
                           env=self.environment(), stderr=subprocess.DEVNULL, check=True)
            lines = (self.dir / "fifth").read_text().splitlines()
            self.assertTrue(json.loads(lines[0])["complete"], name)
            self.assertEqual(lines[1:], ["last"], name)
        with open(self.dir / "rows", "wb") as rows:
            done = subprocess.run([LOGMILL, "run", "a.log", "--to", "ndjson:-", "--stats", "/dev/stdout"], cwd=self.dir, env=self.environment(), stdout=rows,
                                  stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"standard output is for the events", done.stderr)

    def test_no_file_that_is_needed_is_overwritten(self):
        log = flow_text(5)
        self.write("in/b.log", log)
        self.write("list.txt", "a.log\n")
        self.write("job.yaml", "to: [ndjson:out]\n")
        self.logmill("run", "a.log", "--to", "ndjson:own", "--state", "job.state")
        ledger = (self.dir / "job.state").read_bytes()
        self.write("empty.json", "")
        (self.dir / "tree").mkdir()
        (self.dir / "tree/link").symlink_to("../in")
        for arguments in (["in", "--to", "ndjson:out", "--stats", "in/b.log"], ["in/*.log", "--to", "ndjson:out", "--stats", "in/b.log"],
                          ["tree", "--to", "ndjson:out", "--stats", "in/b.log"],
                          ["in/b.log", "--to", "ndjson:out", "--stats", "in/../in/b.log"],
                          ["--objects-from", "list.txt", "--to", "ndjson:out", "--stats", "list.txt"], ["a.log", "--config", "job.yaml", "--stats", "job.yaml"],
                          ["a.log", "--to", "ndjson:own", "--state", "job.state", "--stats", "job.state"]):
            self.assertRegex(self.logmill("run", *arguments, code=2).stderr, "would be lost|it is the ledger", arguments)
        self.assertEqual(((self.dir / "in/b.log").read_bytes(), (self.dir / "list.txt").read_text(), (self.dir / "job.state").read_bytes()), (log, "a.log\n", ledger))
        for _ in range(2):  # what a run has written there itself, the next one may
            self.logmill("run", "in", "--to", "ndjson:out", "--stats", "in/stats.json", code=None)
            self.logmill("run", "*.log", "--to", "ndjson:out", "--stats", "empty.json")
        self.assertEqual(json.loads((self.dir / "in/stats.json").read_text())["objects"], 2)

    def test_a_pipe_gets_the_text_and_stays_a_pipe(self):
        os.mkfifo(self.dir / "pipe")
        with subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE, cwd=self.dir) as reader:
            self.stats_to("pipe")
            self.assertTrue(json.loads(reader.stdout.read())["complete"])
        self.assertTrue((self.dir / "pipe").is_fifo())
        self.stats_to("/dev/null")
        self.assertTrue(pathlib.Path("/dev/null").is_char_device())


class Configuration(Case):
    def setUp(self):
        super().setUp()
        self.write("a.log", flow_text(5))

    def stats_files(self) -> list[str]:
        return sorted(path.name for path in self.dir.glob("*.json"))

    def test_flags_win_over_the_environment_and_the_environment_over_the_file(self):
        self.write("logmill.yaml", "input: [a.log]\nto: [ndjson:out]\nstats: file.json\nthreads: 1\n")
        self.logmill("run", "--config", "logmill.yaml")
        self.assertEqual(self.stats_files(), ["file.json"])
        self.logmill("run", "--config", "logmill.yaml", env={"LOGMILL_STATS": "environment.json"})
        self.assertEqual(self.stats_files(), ["environment.json", "file.json"])
        self.logmill("run", "--config", "logmill.yaml", "--stats", "flag.json", env={"LOGMILL_STATS": "again.json"})
        self.assertEqual(self.stats_files(), ["environment.json", "file.json", "flag.json"])

    def test_the_environment_alone_is_enough(self):
        self.logmill("run", "a.log", env={"LOGMILL_TO": "ndjson:one;ndjson:two,compression=none", "LOGMILL_CONFIG": ""})
        self.assertTrue(list((self.dir / "one").rglob("*.ndjson.zst")))
        self.assertTrue(list((self.dir / "two").rglob("*.ndjson")))

    def test_an_unknown_key_is_named_with_its_line(self):
        self.write("logmill.yaml", "threads: 1\n\nthread: 2\n")
        done = self.logmill("run", "a.log", "--to", "ndjson:out", "--config", "logmill.yaml", code=2)
        self.assertIn("logmill.yaml:3: unknown key 'thread'", done.stderr)

    def test_a_wrong_value_in_the_file_is_named_with_its_line(self):
        self.write("logmill.yaml", "to: [ndjson:out]\nmemory: plenty\n")
        self.assertIn("logmill.yaml:2: memory: ", self.logmill("run", "a.log", "--config", "logmill.yaml", code=2).stderr)

    def test_a_wrong_value_in_the_environment_names_the_variable(self):
        done = self.logmill("run", "a.log", "--to", "ndjson:out", env={"LOGMILL_MAX_RATIO": "0"}, code=2)
        self.assertIn("LOGMILL_MAX_RATIO: '0' is not a whole number", done.stderr)

    def test_a_file_that_is_not_yaml_or_not_there_is_an_error(self):
        self.write("logmill.yaml", "threads: [1\nto: {")
        self.assertIn("logmill.yaml:", self.logmill("run", "a.log", "--to", "ndjson:out", "--config", "logmill.yaml", code=2).stderr)
        self.assertIn("missing.yaml", self.logmill("run", "a.log", "--to", "ndjson:out", "--config", "missing.yaml", code=2).stderr)
        self.assertIn("cannot be read", self.logmill("run", "a.log", "--to", "ndjson:out", "--config", ".", code=2).stderr)
        self.write("logmill.yaml", "threads: 1\n---\nto: [ndjson:out]\n")
        self.assertIn("a second document", self.logmill("run", "a.log", "--to", "ndjson:out", "--config", "logmill.yaml", code=2).stderr)
        self.write("logmill.yaml", "---\nto: [ndjson:out]\n---\n")
        self.logmill("run", "a.log", "--config", "logmill.yaml")

    def test_plugin_settings_reach_the_plugin(self):
        self.write("logmill.yaml", "plugins:\n  aws.vpcflow:\n    no_such_setting: 1\n")
        done = self.logmill("run", "a.log", "--to", "ndjson:out", "--config", "logmill.yaml", code=None)
        self.assertIn(done.returncode, (1, 2))
        self.assertIn("no_such_setting", done.stderr)
        self.write("logmill.yaml", "plugins:\n  no.such: {}\n")
        self.assertIn("no.such", self.logmill("run", "a.log", "--to", "ndjson:out", "--config", "logmill.yaml", code=2).stderr)


class Listings(Case):
    def test_plugins_are_listed_with_what_they_read_and_where_they_are(self):
        text = self.logmill("plugins").stdout
        for word in ("aws.cloudtrail", "aws.vpcflow", "parquet", "ndjson", "reads", "classes", "network_activity", "version ", ".so"):
            self.assertIn(word, text)

    def test_a_plugin_shows_its_columns_as_ocsf_paths_and_types(self):
        text = self.logmill("plugins", "show", "aws.vpcflow").stdout
        self.assertRegex(text, r"(?m)^network_activity \(4001\)$")
        self.assertRegex(text, r"(?m)^  src_endpoint\.ip +ip_t$")
        self.assertRegex(text, r"(?m)^  time +timestamp_t$")

    def test_a_sink_shows_its_options(self):
        self.assertIn("compression=", self.logmill("plugins", "show", "ndjson").stdout)

    def test_the_schema_is_the_same_as_text_and_as_json(self):
        tables = json.loads(self.logmill("schema", "--format", "json").stdout)
        self.assertEqual(tables["network_activity"]["class_uid"], 4001)
        text = self.logmill("schema", "network_activity").stdout
        columns = [line.split()[:2] for line in text.splitlines()[1:]]
        self.assertEqual(columns, [[c["path"], c["type"]] for c in tables["network_activity"]["columns"]])
        paths = [path for path, _ in columns]
        for derived in ("type_uid", "class_name", "lineage.offset", "observables[].type_id", "metadata.uid"):
            self.assertIn(derived, paths)
        self.assertEqual(list(json.loads(self.logmill("schema", "network_activity", "--format", "json").stdout)), ["network_activity"])


class Terminal(Case):
    def on_terminal(self, *arguments: str, **env: str) -> str:
        """What standard error gets to see when it is a terminal."""
        ours, theirs = pty.openpty()
        with open(self.dir / "stdout", "wb") as stdout:
            process = subprocess.Popen([LOGMILL, *arguments], stdin=subprocess.PIPE, stdout=stdout, stderr=theirs, cwd=self.dir,
                                       env=self.environment(**env))
        os.close(theirs)
        # The bar comes every fifth of a second: the input is held open for as long as it takes to see it.
        text = b""
        process.stdin.write(flow_text(200))
        process.stdin.flush()
        while b"objects" not in text:
            text += os.read(ours, 4096)
        process.stdin.close()
        while True:
            try:
                more = os.read(ours, 4096)
            except OSError:
                break
            if not more:
                break
            text += more
        os.close(ours)
        self.assertEqual(process.wait(), 0, text)
        return text.decode()

    def test_the_bar_is_drawn_on_a_terminal_and_never_on_standard_output(self):
        text = self.on_terminal("run", "-", "--to", "ndjson:-")
        self.assertIn("\r[", text)
        self.assertIn("rec/s", text)
        self.assertIn("\x1b[32m", text)
        for line in (self.dir / "stdout").read_text().splitlines():
            json.loads(line)

    def test_no_color_is_respected(self):
        text = self.on_terminal("run", "-", "--to", "ndjson:out", NO_COLOR="1")
        self.assertIn("\r[", text)
        self.assertNotRegex(text, r"\x1b\[\d*m")

    def test_no_bar_where_there_is_no_terminal_or_none_is_wanted(self):
        self.write("a.log", flow_text(5))
        for more in ([], ["--progress", "never"]):
            self.assertNotIn("\r", self.logmill("run", "a.log", "--to", "ndjson:out", *more).stderr)


if __name__ == "__main__":
    unittest.main()
