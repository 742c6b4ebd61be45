"""What a sender of oslo.messaging sees: the same cases over upstream's driver and over the core."""

import datetime
import math
import threading
import unittest
from unittest import mock

import oslo_messaging
from buses import (
    LIMIT,
    both,
    cleaned_up,
    client,
    core_url,
    rabbit_url,
    rpc_server,
    rpc_transport,
    unique,
)
from oslo_messaging._drivers import base
from oslo_messaging.rpc import dispatcher


class Unlisted(Exception):
    pass


class Endpoint:
    def __init__(self):
        self.heard = []
        self.called = threading.Event()
        self.release = threading.Event()

    def echo(self, ctxt, value):
        return value

    def context(self, ctxt):
        return ctxt

    def fail(self, ctxt, kind, argument):
        raise {"ValueError": ValueError, "KeyError": KeyError, "Unlisted": Unlisted}[kind](argument)

    def expected(self, ctxt):
        try:
            raise ValueError("expected")
        except ValueError:
            raise dispatcher.ExpectedException()

    def hear(self, ctxt, value):
        self.heard.append(value)
        self.called.set()

    def hold(self, ctxt):
        self.called.set()
        self.release.wait(LIMIT)
        return "released"


class WithToDict:
    def __init__(self, entries):
        self.entries = entries

    def to_dict(self):
        return self.entries


class Cases:
    @classmethod
    def setUpClass(cls):
        cls.transport = rpc_transport(cls.url(), allowed_remote_exmods=[__name__])
        cls.addClassCleanup(cls.transport.cleanup)
        cls.topic = unique("send")
        cls.endpoint = Endpoint()
        server = rpc_server(cls.transport, cls.endpoint, cls.topic)
        cls.server = server.__enter__()
        cls.addClassCleanup(server.__exit__, None, None, None)

    def setUp(self):
        self.client = client(self.transport, self.topic)
        self.endpoint.called.clear()

    # -- values ----------------------------------------------------------------------------------

    def test_odd_values_come_back_as_upstream_brings_them(self):
        now = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)
        for sent, expected in (
            (None, None),
            ("", ""),
            ("\x00 \u20ac \U0001f600", "\x00 \u20ac \U0001f600"),
            ("\ud800 alone", "\ud800 alone"),
            (2**200, 2**200),
            (-(2**63) - 1, -(2**63) - 1),
            (1e308, 1e308),
            (math.inf, math.inf),
            (0.1, 0.1),
            ({"1": [True, False, None]}, {"1": [True, False, None]}),
            ((1, 2), [1, 2]),
            ({"when": now}, {"when": "2024-02-29T12:30:15.123456"}),
            ({1: "key"}, {"1": "key"}),
            ([[[[[[]]]]]], [[[[[[]]]]]]),
        ):
            with self.subTest(sent=sent):
                self.assertEqual(self.client.call({}, "echo", value=sent), expected)
        self.assertTrue(math.isnan(self.client.call({}, "echo", value=math.nan)))

    def test_what_is_no_json_is_an_error_before_it_is_sent(self):
        loop = []
        loop.append(loop)
        for value in (object(), loop):
            with self.subTest(value=type(value)):
                try:
                    result = self.client.call({}, "echo", value=value)
                except (TypeError, ValueError, RecursionError):
                    continue
                self.fail(f"It came back as {result!r}")

    def test_contexts_are_dicts_or_have_to_dict(self):
        for context in ({"user": "ada", "roles": ["a"]}, WithToDict({"user": "ada", "roles": ["a"]})):
            got = self.client.call(context, "context")
            self.assertEqual(got["user"], "ada")
            self.assertEqual(got["roles"], ["a"])
            self.assertIn("client_timeout", got)
            self.assertIsNone(got["client_timeout"])

    def test_a_context_holds_the_call_monitor_timeout(self):
        watched = client(self.transport, self.topic, call_monitor_timeout=20)
        self.assertEqual(watched.call({}, "context")["client_timeout"], 20)

    # -- exceptions ------------------------------------------------------------------------------

    def test_builtin_exceptions_are_raised_as_themselves(self):
        with self.assertRaises(ValueError) as raised:
            self.client.call({}, "fail", kind="ValueError", argument="no such thing")
        self.assertTrue(str(raised.exception).startswith("no such thing\nTraceback"))
        with self.assertRaises(KeyError):
            self.client.call({}, "fail", kind="KeyError", argument="k")

    def test_listed_modules_give_their_classes(self):
        with self.assertRaises(Unlisted) as raised:
            self.client.call({}, "fail", kind="Unlisted", argument="x")
        self.assertEqual(type(raised.exception).__name__, "Unlisted_Remote")

    def test_others_are_a_remote_error(self):
        with cleaned_up(rpc_transport(self.url())) as other:
            with self.assertRaises(oslo_messaging.RemoteError) as raised:
                client(other, self.topic).call({}, "fail", kind="Unlisted", argument="x")
            self.assertEqual(raised.exception.exc_type, "Unlisted")
            self.assertEqual(raised.exception.value, "x")

    def test_expected_exceptions_and_those_of_the_dispatcher(self):
        with self.assertRaises(ValueError):
            self.client.call({}, "expected")
        with self.assertRaises(oslo_messaging.RemoteError) as raised:
            self.client.call({}, "no_such_method")
        self.assertEqual(raised.exception.exc_type, "NoSuchMethod")

    def test_nobody_listens(self):
        nobody = client(self.transport, unique("nobody"), timeout=1)
        with self.assertRaises(oslo_messaging.MessagingTimeout):
            nobody.call({}, "echo", value=1)
        nobody.cast({}, "hear", value=1)

    def test_at_least_once_says_that_no_queue_took_it(self):
        topic = unique("nobody")
        options = oslo_messaging.TransportOptions(at_least_once=True)
        nobody = client(self.transport, topic, transport_options=options)
        for send in (nobody.call, nobody.cast):
            with self.assertRaises(oslo_messaging.MessageUndeliverable) as raised:
                send({}, "echo", value=1)
            self.assertEqual(raised.exception.exchange, "openstack")
            self.assertEqual(raised.exception.routing_key, topic)
            self.assertIsNotNone(raised.exception.exception)
            self.assertIsNotNone(raised.exception.message)

    def test_a_target_without_a_topic(self):
        for send in (
            lambda target: self.transport._send(target, {}, {}),
            lambda target: self.transport._send_notification(target, {}, {}, 2.0),
        ):
            with self.assertRaises(oslo_messaging.InvalidTarget):
                send(oslo_messaging.Target())

    def test_a_call_that_takes_too_long(self):
        with self.assertRaises(oslo_messaging.MessagingTimeout):
            client(self.transport, self.topic, timeout=0.5).call({}, "hold")
        self.endpoint.release.set()

    # -- where to --------------------------------------------------------------------------------

    def test_retry_none_and_minus_one_are_for_ever(self):
        for retry in (None, -1, 0, 3):
            prepared = client(self.transport, self.topic, retry=retry)
            self.assertEqual(prepared.call({}, "echo", value=retry), retry)

    def test_casts_fanouts_and_servers(self):
        second = Endpoint()
        with rpc_server(self.transport, second, self.topic, "two"):
            client(self.transport, self.topic, server="two").cast({}, "hear", value="by name")
            self.assertTrue(second.called.wait(LIMIT))
            self.assertEqual(second.heard, ["by name"])
            second.called.clear()
            self.assertIsNone(
                client(self.transport, self.topic, fanout=True).cast({}, "hear", value="all")
            )
            self.assertTrue(second.called.wait(LIMIT))
            self.assertTrue(self.endpoint.called.wait(LIMIT))
            self.assertEqual(second.heard, ["by name", "all"])
            self.assertEqual(self.endpoint.heard[-1], "all")

    def test_exchanges_are_apart(self):
        second, topic, exchange = Endpoint(), unique("apart"), unique("exchange")
        with rpc_server(self.transport, second, topic, exchange=exchange):
            client(self.transport, topic, exchange=exchange).call({}, "hear", value="there")
            self.assertEqual(second.heard, ["there"])
            elsewhere = client(
                self.transport,
                topic,
                transport_options=oslo_messaging.TransportOptions(at_least_once=True),
            )
            with self.assertRaises(oslo_messaging.MessageUndeliverable):
                elsewhere.call({}, "hear", value="here")

    def test_many_threads_get_their_own_answers(self):
        wrong = []

        def run(number):
            for i in range(20):
                value = f"{number}/{i}"
                if self.client.call({}, "echo", value=value) != value:
                    wrong.append(value)

        threads = [threading.Thread(target=run, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
        self.assertEqual(wrong, [])

    def test_the_call_monitor_keeps_a_long_call_alive(self):
        watched = client(self.transport, self.topic, timeout=LIMIT, call_monitor_timeout=2)
        self.endpoint.release.clear()
        # The work of a slow method: longer than without heartbeats.
        timer = threading.Timer(3.5, self.endpoint.release.set)
        timer.start()
        self.assertEqual(watched.call({}, "hold"), "released")
        timer.join()


class Upstream(Cases, unittest.TestCase):
    url = staticmethod(rabbit_url)


class Core(Cases, unittest.TestCase):
    url = staticmethod(core_url)

    def test_the_message_of_the_caller_stays_as_it_is(self):
        """Upstream writes its own keys into it."""
        message = {"method": "echo", "args": {"value": 1}}
        context = {"user": "ada"}
        target = oslo_messaging.Target(topic=self.topic)
        result = self.transport._send(target, context, message, wait_for_reply=True, timeout=LIMIT)
        self.assertEqual(result, 1)
        self.assertEqual(message, {"method": "echo", "args": {"value": 1}})
        self.assertEqual(context, {"user": "ada"})

    def test_keys_of_the_transport_in_a_message_are_not_the_transports(self):
        message = {"method": "echo", "args": {"value": 1}, "_msg_id": "x", "_reply_q": "y"}
        target = oslo_messaging.Target(topic=self.topic)
        result = self.transport._send(target, {}, message, wait_for_reply=True, timeout=LIMIT)
        self.assertEqual(result, 1)

    def test_fractions_of_a_call_monitor_timeout(self):
        """Upstream's servers send no heartbeat below two seconds."""
        watched = client(self.transport, self.topic, timeout=LIMIT, call_monitor_timeout=0.5)
        self.endpoint.release.clear()
        with self.assertRaises(oslo_messaging.MessagingTimeout):
            watched.call({}, "hold")
        self.endpoint.release.set()
        longer = client(self.transport, self.topic, call_monitor_timeout=20.5)
        self.assertEqual(longer.call({}, "context")["client_timeout"], 20.5)

    def test_nobody_answers_at_the_port(self):
        """Upstream raises an exception of kombu's, which no caller of oslo.messaging knows."""
        with cleaned_up(rpc_transport("cpp+rabbit://guest:guest@127.0.0.1:1/")) as nowhere:
            for retry in (0, 1):
                cast = client(nowhere, self.topic, retry=retry).cast
                with self.assertRaises(oslo_messaging.MessageDeliveryFailure) as raised:
                    cast({}, "hear", value=1)
                self.assertNotIsInstance(raised.exception, base.TransportDriverError)
            with self.assertRaises(oslo_messaging.MessagingTimeout):
                client(nowhere, self.topic, timeout=1).call({}, "echo", value=1)

    def test_a_wrong_password_is_a_delivery_failure(self):
        """Upstream goes on trying."""
        bad = core_url().replace("guest:guest", "guest:wrong")
        with cleaned_up(rpc_transport(bad)) as transport:
            with self.assertRaises(oslo_messaging.MessageDeliveryFailure) as raised:
                client(transport, self.topic).call({}, "echo", value=1)
            self.assertNotIn("wrong", str(raised.exception))

    def test_after_cleanup_nothing_is_sent(self):
        transport = rpc_transport(core_url())
        transport.cleanup()
        transport.cleanup()
        with self.assertRaises(oslo_messaging.MessageDeliveryFailure):
            client(transport, self.topic).cast({}, "hear", value=1)

    def test_cleanup_while_the_transport_is_first_used(self):
        """Just before the core is opened, and just after: nothing is sent, nothing stays open."""
        from oslo_messaging_cpp import driver

        def cleaned_up_before(*arguments):
            transport.cleanup()
            return real_open(*arguments)

        def cleaned_up_after(*arguments):
            bus = real_open(*arguments)
            transport.cleanup()
            return bus

        real_open = driver._core.open
        for opened in (cleaned_up_before, cleaned_up_after):
            with self.subTest(opened.__name__):
                transport = rpc_transport(core_url())
                with mock.patch.object(driver._core, "open", opened):
                    with self.assertRaises(oslo_messaging.MessageDeliveryFailure):
                        client(transport, self.topic).cast({}, "hear", value=1)
                self.assertIsNone(transport._driver.health())

    def test_cleanup_ends_calls_that_wait(self):
        transport = rpc_transport(core_url())
        ended = []

        def call():
            try:
                client(transport, self.topic).call({}, "hold")
            except oslo_messaging.MessageDeliveryFailure as failure:
                ended.append(failure)

        self.endpoint.release.clear()
        thread = threading.Thread(target=call)
        thread.start()
        self.assertTrue(self.endpoint.called.wait(LIMIT))
        transport.cleanup()
        thread.join(LIMIT)
        self.endpoint.release.set()
        self.assertEqual(len(ended), 1)


def load_tests(loader, _tests, _pattern):
    return both(loader, Core, Upstream)


if __name__ == "__main__":
    unittest.main()
