"""Upstream's driver at one end and the core at the other, calls and notifications, both ways."""

import unittest

import oslo_messaging
from buses import (
    Collector,
    NotifierContext,
    cleaned_up,
    client,
    core_url,
    notification_listener,
    notification_transport,
    notifier,
    rabbit_url,
    rpc_server,
    rpc_transport,
    unique,
)


class Endpoint:
    def echo(self, ctxt, value):
        return [value, ctxt["user"]]

    def fail(self, ctxt):
        raise ValueError("on purpose")


class Mixed:
    def test_calls(self):
        topic = unique("mixed")
        with cleaned_up(rpc_transport(self.here())) as near, cleaned_up(
            rpc_transport(self.there())
        ) as far:
            with rpc_server(far, Endpoint(), topic):
                one = client(near, topic)
                for value in (1, "\ud800", {"a": [None, 1.5]}, "x" * 100_000):
                    self.assertEqual(one.call({"user": "ada"}, "echo", value=value), [value, "ada"])
                with self.assertRaisesRegex(ValueError, "on purpose"):
                    one.call({}, "fail")
                with self.assertRaises(oslo_messaging.RemoteError):
                    one.call({}, "nothing")

    def test_notifications(self):
        topic = unique("mixed")
        with cleaned_up(notification_transport(self.here())) as near, cleaned_up(
            notification_transport(self.there())
        ) as far:
            collector = Collector()
            with notification_listener(far, topic, collector):
                for driver in ("messaging", "messagingv2"):
                    sent = NotifierContext(user="ada")
                    notifier(near, topic, driver).info(sent, "happened", {"n": 1})
                    context, _, event, payload, _ = collector.get()
                    self.assertEqual(
                        (context["user"], event, payload), ("ada", "happened", {"n": 1})
                    )


class CoreToUpstream(Mixed, unittest.TestCase):
    here, there = staticmethod(core_url), staticmethod(rabbit_url)


class UpstreamToCore(Mixed, unittest.TestCase):
    here, there = staticmethod(rabbit_url), staticmethod(core_url)


if __name__ == "__main__":
    unittest.main()
