"""What oslo-msg has received and cannot write is an error, and no notification is lost by it."""

import fcntl
import json
import os
import signal
import subprocess
import tempfile
import termios
import unittest
import urllib.parse

from fault_proxy import FaultProxy
from programs import CommandClient, Server, oslo_msg, poll, rabbit_url, unique

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


def waiting(pipe):
    """Bytes in it that nobody has read."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), "little")


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

    def test_the_first_signal_ends_a_listener_whose_reader_stalls(self):
        """What stands in the pipe as a whole line was taken; everything else comes again."""
        client = CommandClient()
        topic = unique("output")
        payloads = [f"{n:02}" + "x" * 20_000 for n in range(10)]
        for payload in payloads:
            client.result(client.run("notify", ["event", "--topic", topic], payload))
        listen = ["listen", topic, "--priority", "info"]
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 65536)
        with open(reading, "rb") as pipe:
            with subprocess.Popen(
                [*oslo_msg(), *listen],
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=subprocess.PIPE,
                text=True,
            ) as listener:
                try:
                    os.close(writing)
                    self.assertEqual(poll(lambda: waiting(pipe) > 60_000, True), True)
                    listener.send_signal(signal.SIGTERM)
                    said = listener.communicate(timeout=40)[1]
                finally:
                    listener.kill()
            self.assertEqual(
                (listener.returncode, said),
                (UNWRITTEN, "ready\noslo-msg: standard output: it takes nothing any more\n"),
            )
            *taken, cut = pipe.read().split(b"\n")
        self.assertTrue(taken and cut)
        taken = [json.loads(line)["payload"] for line in taken]
        left = str(len(payloads) - len(taken))
        with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
            self.assertEqual(run(file, *listen, "--count", left), (0, "ready\n"))
            file.seek(0)
            taken += [json.loads(line)["payload"] for line in file]
        self.assertEqual(sorted(taken), payloads)

    def test_a_reader_of_both_outputs_that_stalls(self):
        """What is to be said about it has no room either."""
        client = CommandClient()
        topic = unique("output")
        for n in range(10):
            client.result(client.run("notify", ["event", "--topic", topic], f"{n}" + "x" * 20_000))
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 65536)
        with open(reading, "rb") as pipe:
            with subprocess.Popen(
                [*oslo_msg(), "listen", topic, "--priority", "info"],
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
            ) as listener:
                try:
                    os.close(writing)
                    # Three lines, and the beginning of one that it cannot write to its end.
                    self.assertEqual(poll(lambda: waiting(pipe) > 62_000, True), True)
                    listener.send_signal(signal.SIGTERM)
                    self.assertEqual(listener.wait(timeout=40), UNWRITTEN)
                finally:
                    listener.kill()

    def test_a_broker_that_falls_silent_does_not_hold_up_a_listener(self):
        """It is no fault of whoever reads the lines."""
        broker = urllib.parse.urlsplit(rabbit_url())
        with FaultProxy(broker.port) as proxy:
            url = rabbit_url().replace(f":{broker.port}", f":{proxy.port}")
            with subprocess.Popen(
                [*oslo_msg(url), "--log-level", "off", "listen", unique("output")],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as listener:
                try:
                    self.assertEqual(listener.stderr.readline(), "ready\n")
                    proxy.afflict(drop=True)
                    listener.send_signal(signal.SIGTERM)
                    said = listener.communicate(timeout=40)
                finally:
                    listener.kill()
            self.assertEqual((listener.returncode, *said), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
