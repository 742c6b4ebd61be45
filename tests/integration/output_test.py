"""What oslo-msg has received and cannot write is an error, and no notification is lost by it."""

import json
import os
import subprocess
import tempfile
import unittest

from programs import CommandClient, Server, oslo_msg, unique

UNWRITTEN = 6


def run(stdout, *arguments):
    done = subprocess.run(
        [*oslo_msg(), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def broken_pipe():
    reading, writing = os.pipe()
    os.close(reading)
    return open(writing, "w", encoding="utf-8")


OUTPUTS = [
    ("No space left on device", lambda: open("/dev/full", "w", encoding="utf-8")),
    ("Broken pipe", broken_pipe),
]


class Output(unittest.TestCase):
    def test_answers(self):
        topic = unique("output")
        with Server(oslo_msg(), topic, "one", ping=True):
            for why, output in OUTPUTS:
                for arguments in (["call", topic, "hits"], ["ping", topic]):
                    with self.subTest(why=why, command=arguments[0]), output() as full:
                        self.assertEqual(
                            run(full, *arguments), (UNWRITTEN, f"oslo-msg: standard output: {why}\n")
                        )

    def test_notifications_that_were_not_written_come_again(self):
        client = CommandClient()
        for why, output in OUTPUTS:
            for batch in ([], ["--batch-size", "3"]):
                topic = unique("output")
                # It makes the queues, where the notifications wait for the one that cannot write.
                client.result(client.run("notify", ["event", "--topic", topic], 0))
                listen = ["listen", topic, "--priority", "info", *batch]
                for n in (1, 2):
                    client.result(client.run("notify", ["event", "--topic", topic], n))
                with self.subTest(why=why, batch=batch):
                    with output() as full:
                        self.assertEqual(
                            run(full, *listen),
                            (UNWRITTEN, f"ready\noslo-msg: standard output: {why}\n"),
                        )
                    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
                        self.assertEqual(run(file, *listen, "--count", "3"), (0, "ready\n"))
                        file.seek(0)
                        payloads = sorted(json.loads(line)["payload"] for line in file)
                    self.assertEqual(payloads, [0, 1, 2])


if __name__ == "__main__":
    unittest.main()
