"""Plugins that were built against earlier minors of the ABI load and parse as they did. usage: abi_test.py MINOR=DIRECTORY..."""
import json
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT = [argument.split("=", 1) for argument in sys.argv[1:]]


class Abi(unittest.TestCase):
    def test_every_kept_plugin_loads_and_parses(self):
        self.assertTrue(KEPT)
        for minor, directory in KEPT:
            with self.subTest(minor=minor, directory=directory):
                done = subprocess.run([os.environ["LOGMILL"], "run", os.path.join(HERE, minor, "wall.log"), "--plugin-dir", directory, "--to", "ndjson:-", "--validate", "full"],
                                      capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 3, done.stderr)  # the sample has a line that is none
                events = [json.loads(line) for line in done.stdout.splitlines()]
                self.assertEqual([event["activity_name"] for event in events], ["Traffic", "Refuse", "Traffic", "Refuse"])
                self.assertEqual([event["connection_info"]["protocol_name"] for event in events], ["tcp", "tcp", "udp", "icmp"])
                self.assertEqual(events[0]["src_endpoint"], {"ip": "192.0.2.10", "port": 51000})


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
