"""kafka_broker.py on a machine that cannot run Kafka. That it runs is what the tests with Kafka show."""

import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kafka_broker.py")


class WithoutKafka(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = os.path.join(place.name, "broker")
        self.jars = os.path.join(place.name, "jars")
        self.bin = os.path.join(place.name, "bin")
        os.mkdir(self.bin)

    def program(self, name, text):
        path = os.path.join(self.bin, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\n{text}\n")
        os.chmod(path, 0o755)

    def control(self, *arguments):
        done = subprocess.run(
            [sys.executable, PROGRAM, *arguments],
            env={**os.environ, "PATH": self.bin},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.strip()

    def check(self, reason):
        self.assertEqual(
            self.control("fetch", "--jars", self.jars),
            (0, f"Tests with Kafka will be skipped. {reason}"),
        )
        started = self.control("start", "--dir", self.folder, "--jars", self.jars)
        self.assertEqual(started, (0, f"Tests with Kafka will be skipped. {reason}"))
        ran = self.control("exec", "--dir", self.folder, "--", sys.executable, "-c", "print(1)")
        self.assertEqual(ran, (77, f"Skipped without Kafka. {reason}"))
        self.assertEqual(self.control("stop", "--dir", self.folder), (0, ""))

    def test_tests_are_skipped_without_java(self):
        self.check("java is missing: run tools/setup.sh test.")

    def test_tests_are_skipped_when_maven_fails(self):
        self.program("java", "exit 1")
        self.program("mvn", "echo '[ERROR] no such host'; echo more; exit 1")
        self.check("Maven cannot fetch it: [ERROR] no such host")
        self.assertFalse(os.path.exists(os.path.join(self.jars, "made-from")))

    def test_one_that_was_never_started_is_an_error(self):
        self.assertEqual(self.control("exec", "--dir", self.folder, "--", "true")[0], 1)


if __name__ == "__main__":
    unittest.main()
