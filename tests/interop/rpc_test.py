"""RPC between `oslo-msg` and Python's oslo.messaging over RabbitMQ, both ways.

The same cases also run from Python to Python: what they demand is what the original does.
"""

import concurrent.futures
import importlib.metadata
import json
import math
import os
import threading
import time
import unittest

import interop_errors
import oslo_messaging
from programs import (
    CommandClient,
    RemoteFailure,
    Server,
    TimedOut,
    VersionRefused,
    oslo_msg,
    poll,
    rabbit_url,
    servers,
    unique,
)
from python_peer import PythonClient, peer_server

# Every kind of value that JSON and Python share. Names are for messages only.
VALUES = {
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "negative": -1,
    "int32": 2**31,
    "above double": 2**53 + 1,
    "int64 max": 2**63 - 1,
    "int64 min": -(2**63),
    "uint64 max": 2**64 - 1,
    "fraction": 0.1,
    "huge": 1e300,
    "tiny": 5e-324,
    "empty text": "",
    "text": "plain",
    "quotes and controls": '"\\/\b\f\n\r\t\x00\x1f\x7f',
    "latin and greek": "zażółć gęślą jaźń ΑΒΓ",
    "cjk": "日本語テスト",
    "astral": "😀𝄞 \U0010ffff",
    "line separators": "\u2028\u2029\ufeff",
    "empty list": [],
    "empty object": {},
    "list": [1, "two", None, [3.5, {"x": False}]],
    "object": {"a": {"b": {"c": [{"d": "😀"}]}}, "": "empty key", "ключ": "значение"},
    "deep": json.loads("[" * 100 + "]" * 100),
}


def setUpModule():
    version = importlib.metadata.version("oslo.messaging")
    expected = os.environ["OSLO_TEST_PEER_VERSION"]
    if version != expected:
        raise AssertionError(f"This is oslo.messaging {version}, not {expected}.")


class RpcCases:
    """Cases for one pair. `server_program` serves, `make_client` calls."""

    server_program = None
    make_client = None

    @classmethod
    def setUpClass(cls):
        cls.topic = unique("topic")
        cls.client = cls.make_client()
        cls.addClassCleanup(cls.client.close)
        cls.one = cls.enterClassContext(Server(cls.server_program(), cls.topic, "one", ping=True))

    def call(self, *arguments, **options):
        return self.client.call(self.topic, *arguments, **options)

    def assert_remote_failure(self, type, message, *arguments, module=None, **options):
        with self.assertRaises(RemoteFailure) as caught:
            self.client.call(*arguments, **options)
        self.assertEqual(caught.exception.type, type)
        self.assertEqual(caught.exception.message, message)
        # A Python client learns the module only when it may rebuild the exception.
        if module and caught.exception.module is not None:
            self.assertEqual(caught.exception.module, module)
        return caught.exception

    # -- calls and values ----------------------------------------------------------------------

    def test_call(self):
        self.assertEqual(self.call("add", {"a": 2, "b": 3}), 5)
        self.assertEqual(self.call("add", {"a": -7, "b": 3}), -4)

    def test_result_null(self):
        self.assertIsNone(self.call("hit"))

    def test_values_return_unchanged(self):
        answer = self.call("echo", VALUES)
        for name, value in VALUES.items():
            with self.subTest(name):
                self.assertEqual(answer[name], value)
                self.assertIs(type(answer[name]), type(value))
        self.assertEqual(answer.keys(), VALUES.keys())

    def test_no_arguments(self):
        self.assertEqual(self.call("echo"), {})

    def test_not_a_number_and_infinities(self):
        answer = self.call("echo", {"nan": math.nan, "up": math.inf, "down": -math.inf})
        self.assertTrue(math.isnan(answer["nan"]))
        self.assertEqual((answer["up"], answer["down"]), (math.inf, -math.inf))

    def test_integers_beyond_64_bits(self):
        big = {"up": 2**64, "down": -(2**63) - 1, "huge": 10**40}
        self.assertEqual(self.call("echo", big), big)

    def test_one_mebibyte_argument(self):
        text = ("0123456789abcdef" * 63 + "zażółć 日本 😀\n") * 1100
        self.assertGreater(len(text.encode()), 1 << 20)
        self.assertEqual(self.call("echo", {"text": text}), {"text": text})

    # -- context -------------------------------------------------------------------------------

    def test_context(self):
        context = {
            "user": "bob",
            "request_id": "req-1",
            "is_admin": False,
            "nothing": None,
            "roles": ["a", {"b": 1}],
            "name": "Zoë 😀",
        }
        seen = self.call("context", context=context)
        # Servers of both languages add what the call monitor asks for.
        self.assertIsNone(seen.pop("client_timeout", None))
        self.assertEqual(seen, context)

    # -- casts and addresses -------------------------------------------------------------------

    def test_cast(self):
        topic = unique("cast")
        with servers(self.server_program(), topic, "one"):
            for number in range(3):
                self.client.cast(topic, "hit", {"n": number, "text": "😀"})
            self.assertEqual(poll(lambda: self.client.call(topic, "hits"), 3), 3)

    def test_fanout_reaches_every_server(self):
        topic = unique("fanout")
        with servers(self.server_program(), topic, "one", "two"):
            self.client.cast(topic, "hit", {}, fanout=True)
            for server in ("one", "two"):
                hits = poll(lambda: self.client.call(topic, "hits", server=server), 1)
                self.assertEqual(hits, 1, server)

    def test_server_directed(self):
        topic = unique("directed")
        with servers(self.server_program(), topic, "one", "two"):
            for _ in range(3):
                self.client.call(topic, "hit", server="two")
            self.client.cast(topic, "hit", {}, server="two")
            self.assertEqual(poll(lambda: self.client.call(topic, "hits", server="two"), 4), 4)
            self.assertEqual(self.client.call(topic, "hits", server="one"), 0)

    def test_exchange(self):
        topic, exchange = unique("topic"), unique("exchange")
        with servers(self.server_program(), topic, "one", exchange=exchange):
            self.assertEqual(self.client.call(topic, "add", {"a": 1, "b": 1}, exchange=exchange), 2)
            with self.assertRaises(TimedOut):
                self.client.call(topic, "hits", timeout=1)

    # -- namespaces and versions ---------------------------------------------------------------

    def test_namespace_and_version(self):
        topic = unique("versions")
        unsupported = "Endpoint does not support RPC version {}. Attempted method: add"
        dispatcher = "oslo_messaging.rpc.dispatcher"
        with servers(self.server_program(), topic, "one", namespace="math", version="1.2"):
            arguments = {"a": 1, "b": 2}
            for version in (None, "1.0", "1.1", "1.2"):
                options = {"version": version} if version else {}
                with self.subTest(version=version):
                    self.assertEqual(
                        self.client.call(topic, "add", arguments, namespace="math", **options), 3
                    )
            for version in ("1.3", "2.0"):
                with self.subTest(version=version):
                    self.assert_remote_failure(
                        "UnsupportedVersion",
                        unsupported.format(version),
                        topic,
                        "add",
                        arguments,
                        namespace="math",
                        version=version,
                        module=dispatcher,
                    )
            for options in ({}, {"namespace": "other"}):
                with self.subTest(**options):
                    self.assert_remote_failure(
                        "UnsupportedVersion",
                        unsupported.format("1.0"),
                        topic,
                        "add",
                        arguments,
                        module=dispatcher,
                        **options,
                    )

    def test_version_cap(self):
        arguments = {"a": 1, "b": 2}
        self.assertEqual(self.call("add", arguments, version="1.0", version_cap="1.5"), 3)
        with self.assertRaises(VersionRefused) as caught:
            self.call("add", arguments, version="1.6", version_cap="1.5")
        self.assertIn("1.6", str(caught.exception))
        self.assertIn("1.5", str(caught.exception))

    # -- errors --------------------------------------------------------------------------------

    def test_remote_exception(self):
        message = 'bad: zażółć 😀 "quoted"'
        failure = self.assert_remote_failure(
            "ValueError",
            message,
            self.topic,
            "fail",
            {"module": "builtins", "type": "ValueError", "message": message},
            module="builtins",
        )
        self.check_traceback(failure)

    def test_remote_exception_of_an_application(self):
        failure = self.assert_remote_failure(
            "InstanceNotFound",
            "Instance 7 could not be found.",
            self.topic,
            "fail",
            {
                "module": "nova.exception",
                "type": "InstanceNotFound",
                "message": "Instance 7 could not be found.",
            },
            module="nova.exception",
        )
        self.check_traceback(failure)

    def check_traceback(self, failure):
        """Servers written in Python send one."""

    def test_unknown_method(self):
        self.assert_remote_failure(
            "NoSuchMethod",
            "Endpoint does not support RPC method nothing_here",
            self.topic,
            "nothing_here",
            {"a": 1},
            module="oslo_messaging.rpc.dispatcher",
        )

    def test_server_survives_errors(self):
        for _ in range(3):
            with self.assertRaises(RemoteFailure):
                self.call("fail", {"module": "builtins", "type": "KeyError", "message": "k"})
        self.assertEqual(self.call("add", {"a": 1, "b": 1}), 2)

    # -- time ----------------------------------------------------------------------------------

    def test_timeout(self):
        started = time.monotonic()
        with self.assertRaises(TimedOut):
            self.call("sleep", {"seconds": 4}, timeout=1)
        self.assertLess(time.monotonic() - started, 3.5)
        # The late reply harms nobody.
        self.assertEqual(self.call("add", {"a": 1, "b": 1}), 2)

    def test_timeout_without_a_server(self):
        with self.assertRaises(TimedOut):
            self.client.call(unique("nobody"), "echo", timeout=1)

    def test_monitored_call_outlives_the_monitor_interval(self):
        # More than three of them, so that heartbeats have to keep coming.
        answer = self.call("sleep", {"seconds": 6.5}, timeout=30, call_monitor_timeout=2)
        self.assertEqual(answer, 6.5)

    def test_monitored_call_fails_when_the_server_falls_silent(self):
        topic = unique("silent")
        with servers(self.server_program(), topic, "one") as (server,):
            self.assertEqual(self.client.call(topic, "hits"), 0)
            stopper = threading.Timer(3, server.pause)
            stopper.start()
            started = time.monotonic()
            try:
                with self.assertRaises(TimedOut):
                    self.client.call(
                        topic, "sleep", {"seconds": 8}, timeout=40, call_monitor_timeout=2
                    )
            finally:
                stopper.join()
                server.resume()
            # Heartbeats carried it beyond the interval, and it ended long before its timeout.
            elapsed = time.monotonic() - started
            self.assertGreater(elapsed, 3)
            self.assertLess(elapsed, 7.5)

    # -- operation -----------------------------------------------------------------------------

    def test_ping(self):
        self.assertEqual(self.client.ping(self.topic, timeout=10), "pong")
        self.assertEqual(self.client.ping(self.topic, server="one", timeout=10), "pong")

    def test_queued_casts_wait_for_the_server(self):
        topic = unique("early")
        with servers(self.server_program(), topic, "one"):
            self.client.cast(topic, "hit", {})
            self.assertEqual(poll(lambda: self.client.call(topic, "hits"), 1), 1)
        # The queue outlives its server, so this one waits there.
        self.client.cast(topic, "hit", {})
        with servers(self.server_program(), topic, "one"):
            self.assertEqual(poll(lambda: self.client.call(topic, "hits"), 1), 1)


class FromPython(RpcCases):
    """What a Python client can see more."""

    make_client = PythonClient

    def test_exceptions_as_python_sees_them(self):
        arguments = {"module": "builtins", "type": "ValueError", "message": "bad input"}
        with self.assertRaises(ValueError) as caught:
            self.client.raw_call(self.topic, "fail", arguments, timeout=20)
        self.assertTrue(caught.exception.args[0].startswith("bad input\n"), caught.exception.args)

        arguments = {"module": "interop_errors", "type": "InstanceNotFound", "message": "no 7"}
        with self.assertRaises(oslo_messaging.RemoteError) as caught:
            self.client.raw_call(self.topic, "fail", arguments, timeout=20)
        self.assertEqual(caught.exception.exc_type, "InstanceNotFound")
        self.assertEqual(caught.exception.value, "no 7")

        allowing = PythonClient(allowed_remote_exmods=["interop_errors"])
        self.addCleanup(allowing.close)
        with self.assertRaises(interop_errors.InstanceNotFound) as caught:
            allowing.raw_call(self.topic, "fail", arguments, timeout=20)
        self.assertEqual(type(caught.exception).__name__, "InstanceNotFound_Remote")
        self.assertEqual(type(caught.exception).__module__, "interop_errors_Remote")
        self.assertTrue(str(caught.exception).startswith("no 7\n"))

        allowing = PythonClient(allowed_remote_exmods=["oslo_messaging.rpc.dispatcher"])
        self.addCleanup(allowing.close)
        with self.assertRaises(oslo_messaging.NoSuchMethod):
            allowing.raw_call(self.topic, "nothing_here", timeout=20)
        with self.assertRaises(oslo_messaging.UnsupportedVersion):
            allowing.raw_call(self.topic, "echo", version="3.0", timeout=20)

    def test_many_threads(self):
        def one(number):
            return self.client.raw_call(self.topic, "add", {"a": number, "b": 1}, timeout=30)

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            self.assertEqual(list(pool.map(one, range(400))), [n + 1 for n in range(400)])


class PythonToPython(FromPython, unittest.TestCase):
    server_program = staticmethod(peer_server)

    def check_traceback(self, failure):
        self.assertIn("peer_server.py", "".join(failure.traceback))


class PythonToCpp(FromPython, unittest.TestCase):
    server_program = staticmethod(oslo_msg)


class CppToPython(RpcCases, unittest.TestCase):
    make_client = CommandClient
    server_program = staticmethod(peer_server)

    def check_traceback(self, failure):
        self.assertEqual(failure.traceback[0], "Traceback (most recent call last):\n")
        self.assertIn("peer_server.py", "".join(failure.traceback))
        self.assertTrue(
            failure.traceback[-1].startswith(("ValueError: ", "nova.exception.InstanceNotFound: ")),
            failure.traceback[-1],
        )

    def test_results_that_are_no_object(self):
        for name, value in VALUES.items():
            if isinstance(value, (bool, str, list, float)):
                with self.subTest(name):
                    self.assertEqual(self.call("identity", {"value": value}), value)


class SameOptions(unittest.TestCase):
    """Programs that declare the same properties share exchanges and queues."""

    def test_both_ways(self):
        for query in ("amqp_durable_queues=true", "amqp_auto_delete=true"):
            url = f"{rabbit_url()}?{query}"
            python_server = [url if word == rabbit_url() else word for word in peer_server()]
            for server, client in (
                (python_server, CommandClient(url)),
                (oslo_msg(url), PythonClient(url)),
            ):
                with self.subTest(f"{query}: {type(client).__name__}"):
                    self.addCleanup(client.close)
                    topic, exchange = unique("topic"), unique("exchange")
                    with servers(server, topic, "one", exchange=exchange):
                        for options in ({}, {"server": "one"}):
                            got = client.call(
                                topic, "add", {"a": 1, "b": 1}, exchange=exchange, **options
                            )
                            self.assertEqual(got, 2)


if __name__ == "__main__":
    unittest.main()
