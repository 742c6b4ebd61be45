"""oslo-msg bench leaves nothing on the broker, however it ends."""

import os
import pty
import signal
import subprocess
import unittest

import kombu
from programs import oslo_msg, rabbit_url

LIMIT = 60


class Interrupted(unittest.TestCase):
    def test_notifications_are_taken_out_again(self):
        for pace in (["--count", "100000", "--in-flight", "600"],
                     ["--count", "5000", "--rate", "10"]):
            with self.subTest(pace):
                self.interrupt(pace)

    def interrupt(self, pace):
        screen, terminal = pty.openpty()
        with subprocess.Popen([*oslo_msg(), "bench", "notify", *pace], stdout=subprocess.PIPE,
                              stderr=terminal) as child:
            try:
                os.close(terminal)
                shown = b""
                while b"notifications:" not in shown:
                    shown += os.read(screen, 4096)
                child.send_signal(signal.SIGTERM)
                out, _ = child.communicate(timeout=LIMIT)
            finally:
                child.kill()
        os.close(screen)
        self.assertEqual((child.returncode, out), (-signal.SIGTERM, b""))
        url = rabbit_url().replace("rabbit:", "amqp:", 1)
        with kombu.Connection(url) as connection:
            queue = kombu.Queue(f"oslo-msg-bench-{child.pid}.info", channel=connection.channel())
            with self.assertRaises(connection.channel_errors):
                queue.queue_declare(passive=True)


if __name__ == "__main__":
    unittest.main()
