"""A transport URL of two hosts, one of which is dead, in one file for both languages."""

import sys
import unittest

import both_languages
import kombu
import oslo_messaging
from amqp.exceptions import NotFound
from both_languages import file_of
from hosts import RETRY, dead_host, live_host, python_transport, url_of
from programs import rabbit_url, unique


class TwoHosts(both_languages.BothLanguages):
    """Each program begins with either of them."""

    def test_one_is_dead(self):
        with dead_host() as dead:
            url = url_of(dead, live_host())
            self.check_rpc("", url)
            self.check_notifications(RETRY, url)


class PythonAlone(unittest.TestCase):
    """A fault of Python's library that docs/deployment.md tells how to avoid."""

    def is_sent(self, options):
        topic = unique("notify")
        with dead_host() as dead, file_of(options, url=url_of(dead, live_host())) as file:
            with python_transport(file) as transport:
                notifier = oslo_messaging.Notifier(
                    transport, driver="messagingv2", topics=[topic]
                )
                notifier.info({}, "event", 1)
        with kombu.Connection(rabbit_url().replace("rabbit:", "amqp:", 1)) as connection:
            try:
                return connection.channel().basic_get(f"{topic}.info", no_ack=True) is not None
            except NotFound:
                return False

    def test_a_notification_is_lost_when_the_first_host_of_several_is_dead(self):
        with self.assertLogs("oslo_messaging.notify.messaging", "ERROR") as log:
            self.assertFalse(self.is_sent(""))
        self.assertIn("Could not send notification", log.output[0])

    def test_with_retries_it_is_sent(self):
        self.assertTrue(self.is_sent(RETRY))


if __name__ == "__main__":
    sys.exit(unittest.main())
