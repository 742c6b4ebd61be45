"""oslo-msg bench leaves nothing on the broker, however it ends."""

import signal
import unittest
import urllib.parse

import kombu
from fault_proxy import FaultProxy
from interrupting import terminate_when_shown
from own_broker import OwnBroker
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

    def test_a_bus_that_dies_while_it_is_emptied_does_not_hold_up_the_end(self):
        broker = urllib.parse.urlsplit(rabbit_url())
        with FaultProxy(broker.port) as proxy:

            def die():
                proxy.faults["drop"] = True
                proxy.afflict(drop=True)

            child, out, shown = terminate_when_shown(
                [oslo_msg()[0], "--log-level", "off", "--url",
                 rabbit_url().replace(f":{broker.port}", f":{proxy.port}"),
                 "bench", "notify", "--count", "20000", "--in-flight", "600"],
                b"taking out:", limit=40, before=die)
            self.assertEqual((child.returncode, out), (-signal.SIGTERM, b""), shown)
            self.assertRegex(shown, rb"oslo-msg: (The bus did not say whether|Only \d+ of \d+ notif)")

    def test_a_broker_that_confirms_nothing_does_not_hold_up_the_end(self):
        """An alarm: it reads nothing of who publishes."""
        with OwnBroker("bench-alarm") as own:
            own.ctl("set_vm_memory_high_watermark", "0.0000001")
            child, out, shown = terminate_when_shown(
                [oslo_msg()[0], "--log-level", "off", "--url", own.url(), "bench", "notify"],
                b"warming up: 0", limit=40)
            self.assertEqual((child.returncode, out), (-signal.SIGTERM, b""), shown)


if __name__ == "__main__":
    unittest.main()
