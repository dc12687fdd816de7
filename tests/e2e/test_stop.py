"""Ctrl-C, SIGTERM, and a reader that goes away: what is finished is kept, and nothing half-written has a final name."""
import gzip
import os
import signal
import subprocess
import threading
import time
import unittest

from e2e import LOGMILL, Case, flow_text


class Stop(Case):
    def start(self, *arguments: str) -> subprocess.Popen:
        process = subprocess.Popen([LOGMILL, "run", *arguments], cwd=self.dir, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   env=self.environment())
        self.addCleanup(process.stderr.close)
        return process

    def endless_input(self, process: subprocess.Popen) -> None:
        """Feeds flows until the other side closes: a run that is never over by itself."""
        lines = flow_text(5000)
        records = lines.split(b"\n", 1)[1]

        def feed():
            try:
                process.stdin.write(lines)
                while True:
                    process.stdin.write(records)
            except (BrokenPipeError, ValueError):
                pass
            finally:
                try:
                    process.stdin.close()
                except BrokenPipeError:
                    pass

        thread = threading.Thread(target=feed, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 30)

    def assert_whole(self, folder: str) -> int:
        """Every file that has a final name is whole; answers how many rows there are."""
        rows = 0
        for path in (self.dir / folder).rglob("*"):
            if not path.is_file():
                continue
            self.assertRegex(path.name, r"\A[^.].*\.(ndjson\.zst|parquet)\Z", "a temporary file was left behind")
            if path.suffix == ".zst":
                rows += subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True).stdout.count(b"\n")
            else:
                data = path.read_bytes()
                self.assertEqual((data[:4], data[-4:]), (b"PAR1", b"PAR1"))
        return rows

    def test_the_first_signal_seals_what_is_finished(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.start("-", "--to", "ndjson:out", "--to", "parquet:lake", "--stats", "stats.json")
            self.endless_input(process)
            time.sleep(2)
            process.send_signal(number)
            stderr = process.stderr.read().decode()
            self.assertEqual(process.wait(60), 1, stderr)
            self.assertIn("stopped; what was finished is kept", stderr)
            stats = self.stats()
            self.assertTrue(stats["cancelled"])
            self.assertGreater(stats["rows_out"], 0)
            self.assertEqual(self.assert_whole("out"), stats["rows_out"])
            self.assert_whole("lake")
            for path in (self.dir / "out").rglob("*.zst"):
                path.unlink()

    def test_many_objects_are_left_where_they_are_when_stopped(self):
        one = self.write("objects/0.log.gz", gzip.compress(flow_text(20_000), 1))
        for i in range(1, 3000):
            os.link(one, self.dir / f"objects/{i}.log.gz")
        process = self.start("objects", "--to", "ndjson:out", "--stats", "stats.json")
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        stderr = process.stderr.read().decode()
        self.assertEqual(process.wait(60), 1, stderr)
        stats = self.stats()
        self.assertLess(stats["objects"], 3000)
        self.assertEqual(self.assert_whole("out"), stats["rows_out"])

    def test_an_input_that_is_silent_does_not_keep_a_run_from_stopping(self):
        os.mkfifo(self.dir / "silent")
        for name in ("-", "silent"):
            process = self.start(name, "--to", "ndjson:out")
            self.addCleanup(process.stdin.close)
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(30), 1, name)
            self.assertIn("stopped; what was finished is kept", process.stderr.read().decode())

    def test_the_second_signal_leaves_at_once(self):
        # Nobody reads what the run writes, so that it cannot come to its end by itself.
        self.write("a.log", flow_text(50_000))
        process = subprocess.Popen([LOGMILL, "run", "a.log", "--to", "ndjson:-"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   cwd=self.dir, env=self.environment())
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        self.assertIsNone(process.poll(), "one signal was enough; this test needs an output that keeps the run waiting")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(10), 130)

    def test_a_reader_that_goes_away_ends_the_run_with_a_message(self):
        self.write("a.log", flow_text(50_000))
        done = subprocess.run(["bash", "-c", f"{LOGMILL} run a.log --to ndjson:- | head -n 1 >first; exit ${{PIPESTATUS[0]}}"], cwd=self.dir,
                              env=self.environment(), capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("the reader has gone", done.stderr)


if __name__ == "__main__":
    unittest.main()
