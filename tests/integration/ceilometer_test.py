"""The telemetry programs of examples/ceilometer, with a broker and a collector that are killed."""

import os
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench")]
import ceilometer  # noqa: E402


class Telemetry(unittest.TestCase):
    def test_what_was_confirmed_is_stored_whatever_dies(self):
        with tempfile.TemporaryDirectory() as folder:
            f = ceilometer.run(
                os.environ["OSLO_TEST_BIN"], folder, agents=2, messages=1500, restart=True
            )
        self.assertEqual(f["messages"], 3000)
        for name, queue in f["queues"].items():
            with self.subTest(name):
                self.assertEqual((queue["confirmed"], queue["missing"]), (3000, 0))
                self.assertEqual(queue["stored"], 3000)
        # The rule of the agent's outbox is 0.1 s; the rest is a machine that starts a broker.
        self.assertLess(f["longest_post_ms"], 5000)
        # What the bodies are said to be.
        self.assertTrue(2000 < f["mean_bytes"] < 4000, f["mean_bytes"])


if __name__ == "__main__":
    unittest.main()
