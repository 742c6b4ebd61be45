"""retry, at_least_once and the end of watched calls, in every pair of languages."""

import contextlib
import socket
import threading
import time
import unittest

from programs import (
    CommandClient,
    TimedOut,
    Undeliverable,
    Unreachable,
    oslo_msg,
    poll,
    servers,
    unique,
)
from python_peer import PythonClient, peer_server


class RefusingBroker:
    """Takes connections, counts them and ends each at once."""

    def __enter__(self):
        self.attempts = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"rabbit://guest:guest@127.0.0.1:{self.listener.getsockname()[1]}/"
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.attempts += 1
            connection.close()

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()


class Cases:
    make_client = None

    @classmethod
    def setUpClass(cls):
        cls.client = cls.make_client()
        cls.addClassCleanup(cls.client.close)


class ClientCases(Cases):
    """What a client does alone."""

    def test_retries_are_attempts_after_the_first(self):
        for retry in (0, 1):
            with self.subTest(retry=retry), RefusingBroker() as broker:
                with contextlib.closing(self.make_client(broker.url)) as client:
                    with self.assertRaises(Unreachable):
                        client.cast("nobody", "hit", {}, retry=retry)
                    self.assertEqual(broker.attempts, retry + 1)

    def test_at_least_once_without_a_queue_fails_at_once(self):
        for send in (self.client.call, self.client.cast):
            for server in (None, "one"):
                where = {"server": server} if server else {}
                with self.subTest(send=send.__name__, **where):
                    started = time.monotonic()
                    with self.assertRaises(Undeliverable):
                        send(unique("nobody"), "hit", {}, at_least_once=True, timeout=30, **where)
                    self.assertLess(time.monotonic() - started, 10)

    def test_without_it_casts_are_lost_and_calls_time_out(self):
        self.client.cast(unique("nobody"), "hit", {}, at_least_once=False)
        with self.assertRaises(TimedOut):
            self.client.call(unique("nobody"), "hit", {}, timeout=1, at_least_once=False)


class PairCases(Cases):
    """What a client does with a server."""

    server_program = None

    def test_retries_do_not_disturb_a_broker_that_is_there(self):
        topic = unique("retry")
        with servers(self.server_program(), topic, "one"):
            for hits, retry in enumerate((0, 1, -1), 1):
                with self.subTest(retry=retry):
                    self.client.cast(topic, "hit", {}, retry=retry)
                    count = poll(lambda: self.client.call(topic, "hits", retry=retry), hits)
                    self.assertEqual(count, hits)

    def test_at_least_once_reaches_a_server(self):
        topic = unique("served")
        with servers(self.server_program(), topic, "one"):
            options = {"at_least_once": True}
            self.assertEqual(self.client.call(topic, "add", {"a": 1, "b": 2}, **options), 3)
            self.client.cast(topic, "hit", {}, **options)
            self.client.cast(topic, "hit", {}, server="one", **options)
            self.assertEqual(poll(lambda: self.client.call(topic, "hits", **options), 2), 2)
            with self.assertRaises(Undeliverable):
                self.client.call(topic, "hits", server="two", **options)

    def test_a_watched_call_fails_soon_when_its_server_is_killed(self):
        topic = unique("killed")
        with servers(self.server_program(), topic, "one") as (server,):
            self.assertEqual(self.client.call(topic, "hits"), 0)
            # Later than one interval: a caller that is still there was kept by heartbeats.
            killer = threading.Timer(3, server.kill)
            killer.start()
            started = time.monotonic()
            try:
                with self.assertRaises(TimedOut):
                    self.client.call(
                        topic, "sleep", {"seconds": 20}, timeout=40, call_monitor_timeout=2
                    )
            finally:
                killer.join()
            elapsed = time.monotonic() - started
            self.assertGreater(elapsed, 3)
            self.assertLess(elapsed, 7.5)


class PythonAlone(ClientCases, unittest.TestCase):
    make_client = PythonClient


class CppAlone(ClientCases, unittest.TestCase):
    make_client = CommandClient

    def test_a_call_without_a_broker_ends_with_its_retries(self):
        # A call of Python never ends there: its second connection is tried for ever.
        for retry in (0, 1):
            with self.subTest(retry=retry), RefusingBroker() as broker:
                with self.assertRaises(Unreachable) as caught:
                    CommandClient(broker.url).call("nobody", "hit", {}, retry=retry, timeout=30)
                self.assertIn(f" after {retry + 1} tries: ", str(caught.exception))


class PythonToPython(PairCases, unittest.TestCase):
    make_client = PythonClient
    server_program = staticmethod(peer_server)


class PythonToCpp(PairCases, unittest.TestCase):
    make_client = PythonClient
    server_program = staticmethod(oslo_msg)


class CppToPython(PairCases, unittest.TestCase):
    make_client = CommandClient
    server_program = staticmethod(peer_server)


class CppToCpp(PairCases, unittest.TestCase):
    make_client = CommandClient
    server_program = staticmethod(oslo_msg)


if __name__ == "__main__":
    unittest.main()
