"""The wall clock may jump: waits are on the monotonic one."""

import os
import subprocess
import tempfile
import time
import unittest

from programs import oslo_msg, unique

HOUR = 3_600_000


class Clock(unittest.TestCase):
    """Of the program under test only; nothing else of the machine notices."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.offset_file = os.path.join(self.folder.name, "offset")
        self.set_offset(0)

    def set_offset(self, milliseconds):
        fresh = self.offset_file + ".new"
        with open(fresh, "w") as out:
            out.write(str(milliseconds))
        os.replace(fresh, self.offset_file)

    def start(self, *arguments):
        environment = dict(
            os.environ,
            LD_PRELOAD=os.environ["OSLO_TEST_WALL_CLOCK_LIBRARY"],
            OSLO_TEST_WALL_CLOCK=self.offset_file,
        )
        process = subprocess.Popen(
            [*oslo_msg(), *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.wait, 30)
        self.addCleanup(process.kill)
        return process

    def jump_during_a_call(self, offset):
        topic = unique("clock")
        server = self.start("serve", topic, "--server", "s1")
        self.assertEqual(server.stdout.readline(), "ready\n")
        started = time.monotonic()
        call = self.start("call", topic, "sleep", '{"seconds": 3600}', "--timeout", "3")
        self.set_offset(offset)
        _, errors = call.communicate(timeout=60)
        took = time.monotonic() - started
        self.assertEqual(call.returncode, 3, errors)
        self.assertGreater(took, 2.9, "a jump must not end a call early")
        self.assertLess(took, 30)
        again = self.start("call", topic, "echo", '{"x": 1}', "--timeout", "20")
        out, errors = again.communicate(timeout=60)
        self.assertEqual((again.returncode, out), (0, '{"x": 1}\n'), errors)

    def test_the_clock_of_the_program_moves(self):
        self.set_offset(-24 * 365 * 30 * HOUR)
        program = self.start("--log-level", "debug", "call", unique("clock"), "x", "--timeout", "0")
        _, errors = program.communicate(timeout=60)
        self.assertRegex(errors, "(?m)^199")

    def test_an_hour_ahead(self):
        self.jump_during_a_call(HOUR)

    def test_an_hour_back(self):
        self.jump_during_a_call(-HOUR)

    def test_hosts_that_disagree_by_an_hour_drop_no_request(self):
        topic = unique("clock")
        self.set_offset(HOUR)
        server = self.start("serve", topic, "--server", "s1")
        self.assertEqual(server.stdout.readline(), "ready\n")
        done = subprocess.run(
            [*oslo_msg(), "call", topic, "echo", '{"x": 2}', "--timeout", "20"],
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual((done.returncode, done.stdout), (0, '{"x": 2}\n'), done.stderr)


if __name__ == "__main__":
    unittest.main()
