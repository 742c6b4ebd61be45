"""oslo-msg bench leaves nothing on the broker, however it ends."""

import signal
import unittest

import kombu
from interrupting import terminate_when_shown
from programs import oslo_msg, rabbit_url


class Interrupted(unittest.TestCase):
    def test_notifications_are_taken_out_again(self):
        for pace in (["--count", "100000", "--in-flight", "600"],
                     ["--count", "5000", "--rate", "10"]):
            with self.subTest(pace):
                self.interrupt(pace)

    def interrupt(self, pace):
        child, out, _ = terminate_when_shown([*oslo_msg(), "bench", "notify", *pace],
                                             b"notifications:", limit=60)
        self.assertEqual((child.returncode, out), (-signal.SIGTERM, b""))
        url = rabbit_url().replace("rabbit:", "amqp:", 1)
        with kombu.Connection(url) as connection:
            queue = kombu.Queue(f"oslo-msg-bench-{child.pid}.info", channel=connection.channel())
            with self.assertRaises(connection.channel_errors):
                queue.queue_declare(passive=True)


if __name__ == "__main__":
    unittest.main()
