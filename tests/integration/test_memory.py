"""A listing of 1,000,000 keys and an object of 5 GB stay within --memory 512M: peak resident memory, as the kernel counts it. Sanitizers hold what was freed: with them, less is asked."""
import json
import subprocess
import sys
import unittest

from e2e import LOGMILL, SANITIZED, Case, flow_text
from s3_stub import DAYS, Stub

MB = 1 << 20
# A process is charged with what its parent held when it was begun: a small one in between measures.
MEASURE = """import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as f: print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, file=f)
sys.exit(code)"""


class Memory(Case):
    def peak(self, stub: Stub, *arguments: str) -> tuple[int, str]:
        """The peak resident memory of a command, in bytes, and its standard output."""
        env = {**self.environment(), "AWS_ENDPOINT_URL_S3": stub.endpoint, "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(self.dir)}
        with open(self.dir / "stdout", "wb") as out, open(self.dir / "stderr", "wb") as err:
            code = subprocess.call([sys.executable, "-c", MEASURE, self.dir / "peak", LOGMILL, *arguments, "--no-sign-request"], cwd=self.dir, env=env,
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        self.assertEqual(code, 0, (self.dir / "stderr").read_text()[-2000:])
        return int((self.dir / "peak").read_text()), (self.dir / "stdout").read_text()

    def test_a_listing_costs_the_pages_in_flight(self):
        for name, command in (("plan", ("plan", "s3://b/", "--format", "json")), ("by days", ("plan", "s3://b/", "--format", "json", "--since", "2026-01-01")),
                              ("run", ("run", "s3://b/", "--shard", "7/1000000", "--to", "ndjson:out", "--memory", "512M"))):
            with self.subTest(name):
                peaks = []
                for keys in (20_000, 100_000 if SANITIZED else 1_000_000):
                    with Stub(keys, flow_text(2)) as stub:
                        peak, out = self.peak(stub, *command)
                        if name != "run":
                            self.assertEqual(json.loads(out)["objects"], keys)
                        self.assertGreaterEqual(stub.pages, keys // 1000)
                    peaks.append(peak)
                self.assertLess(peaks[1], 512 * MB, f"{peaks}")
                self.assertLess(peaks[1] - peaks[0], 24 * MB, f"a longer listing costs {peaks}")

    @unittest.skipIf(SANITIZED, "sanitizers hold what was freed")
    def test_an_object_costs_what_is_on_its_way(self):
        header, *lines = flow_text(20_000, 1).splitlines(keepends=True)
        piece = b"".join(lines)
        peaks = []
        for pieces in (8, -(-5_000_000_000 // len(piece))):
            body_size = len(header) + pieces * len(piece)

            def body(begin: int, pieces=pieces):
                whole = (header, *(piece for _ in range(pieces)))
                for part in whole:
                    if begin < len(part):
                        yield part[begin:]
                    begin = max(0, begin - len(part))

            with Stub(large=body, size=body_size) as stub:
                peak, _ = self.peak(stub, "run", "s3://b/large", "--to", f"parquet:out{pieces}", "--memory", "512M", "--stats", "stats.json")
            self.assertEqual(self.stats()["rows_out"], 20_000 * pieces)
            peaks.append(peak)
        self.assertLess(peaks[1], 512 * MB, f"{peaks}")
        self.assertLess(peaks[1] - peaks[0], 200 * MB, f"{peaks}")


if __name__ == "__main__":
    unittest.main()
