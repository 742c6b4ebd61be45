"""A few rows of `make chaos`, once each: nothing that was confirmed is lost. Stalls have no bound
here, where other tests run beside it."""

import os
import shutil
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "chaos"))

import hostile_rows
import link_rows
import refusal_rows
from bench import Bench

bench = None


def setUpModule():
    global bench
    prefix = f"{os.environ['OSLO_TEST_BROKER_DIR']}-chaos"
    shutil.rmtree(prefix, ignore_errors=True)
    os.makedirs(prefix)
    programs = os.path.dirname(os.environ["OSLO_TEST_OSLO_MSG"])
    bench = unittest.enterModuleContext(Bench(prefix, prefix, 1, programs))


class Chaos(unittest.TestCase):
    def assert_holds(self, row, **options):
        bench.logs = os.path.join(bench.folder, row.__name__)
        os.makedirs(bench.logs)
        self.addCleanup(bench.bring_back)
        outcome = row(bench, **options)
        self.assertEqual(outcome.problems, [])
        self.assertGreater(outcome.sent, 0)

    def test_kill_in_mid_publish(self):
        self.assert_holds(link_rows.kill_in_mid_publish, count=5_000)

    def test_frame_size_abuse(self):
        self.assert_holds(hostile_rows.frame_size_abuse)

    def test_deep_nesting(self):
        self.assert_holds(hostile_rows.deep_nesting)

    @unittest.skipIf(
        "undefined" in os.environ.get("OSLO_TEST_SANITIZER", ""),
        "to look at an object the sanitizer opens a pipe, and finds none without descriptors",
    )
    def test_no_descriptors(self):
        self.assert_holds(refusal_rows.client_descriptors)


if __name__ == "__main__":
    unittest.main()
