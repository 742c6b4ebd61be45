"""Each fault of the proxy, between two sockets of this process."""

import contextlib
import socket
import time
import types
import unittest

from fault_proxy import FaultProxy, Stream

TEXT = bytes(range(256)) * 4


class Pair:
    """A client and a broker with the proxy in between."""

    def __init__(self, stack, **options):
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.proxy = stack.enter_context(FaultProxy(listener.getsockname()[1], **options))
        self.stack, self.listener = stack, listener
        self.client, self.broker = self.connect()

    def connect(self):
        client = self.stack.enter_context(
            socket.create_connection(("127.0.0.1", self.proxy.port), timeout=10)
        )
        broker = self.stack.enter_context(self.listener.accept()[0])
        broker.settimeout(10)
        return client, broker


def take(link, count):
    """That many bytes, or what came until the end."""
    data = b""
    while len(data) < count and (more := link.recv(count - len(data))):
        data += more
    return data


class Proxy(unittest.TestCase):
    def pair(self, **options):
        return Pair(self.enterContext(contextlib.ExitStack()), **options)

    def assert_silent(self, link):
        """Nothing comes within a time in which everything else does."""
        link.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            link.recv(1)
        link.settimeout(10)

    def assert_passes(self, source, sink, text=TEXT):
        source.sendall(text)
        self.assertEqual(take(sink, len(text)), text)

    def test_nothing_wrong(self):
        pair = self.pair()
        self.assert_passes(pair.client, pair.broker)
        self.assert_passes(pair.broker, pair.client)
        pair.client.close()
        self.assertEqual(pair.broker.recv(1), b"")

    def test_what_was_sent_before_an_end_comes_through(self):
        pair = self.pair(delay=0.1)
        pair.client.sendall(TEXT)
        pair.client.shutdown(socket.SHUT_WR)
        self.assertEqual(take(pair.broker, len(TEXT) + 1), TEXT)

    def test_delay(self):
        pair = self.pair(broker_delay=0.3)
        started = time.monotonic()
        # The second one is on its way together with the first.
        pair.broker.sendall(TEXT)
        pair.broker.sendall(TEXT)
        self.assertEqual(take(pair.client, 2 * len(TEXT)), 2 * TEXT)
        self.assertGreaterEqual(time.monotonic() - started, 0.3)

    def test_delay_of_one_direction(self):
        pair = self.pair(broker_delay=60)
        self.assert_passes(pair.client, pair.broker)
        pair.broker.sendall(TEXT)
        self.assert_silent(pair.client)

    def test_rate(self):
        pair = self.pair(rate=10_000)
        started = time.monotonic()
        self.assert_passes(pair.client, pair.broker, TEXT * 3)
        self.assertGreaterEqual(time.monotonic() - started, 0.3)

    def test_pieces(self):
        pair = self.pair(piece=1)
        self.assert_passes(pair.broker, pair.client)
        # The kernel puts writes together, so they are counted at a sink that does not.
        written = []
        sink = types.SimpleNamespace(sendall=written.append)
        passage = types.SimpleNamespace(faults={"piece": 3})
        self.assertTrue(Stream(passage, "broker", None, sink).pass_on(b"abcdefgh"))
        self.assertEqual(written, [b"abc", b"def", b"gh"])

    def test_cut_after_so_many_bytes(self):
        for reset in (False, True):
            with self.subTest(reset=reset):
                pair = self.pair(client_bytes=300, reset=reset)
                pair.client.sendall(TEXT)
                self.assertEqual(take(pair.broker, len(TEXT)), TEXT[:300])
                if reset:
                    with self.assertRaises(ConnectionResetError):
                        pair.client.recv(1)
                else:
                    self.assertEqual(pair.client.recv(1), b"")

    def test_flip(self):
        pair = self.pair(broker_flip=700)
        pair.broker.sendall(TEXT[:500])
        pair.broker.sendall(TEXT[500:])
        got = take(pair.client, len(TEXT))
        self.assertEqual([i for i in range(len(TEXT)) if got[i] != TEXT[i]], [700])
        self.assertEqual(got[700], TEXT[700] ^ 0xFF)

    def test_one_direction_is_dropped_and_its_end_too(self):
        pair = self.pair()
        pair.proxy.afflict(broker_drop=True)
        pair.broker.sendall(TEXT)
        self.assert_passes(pair.client, pair.broker)
        pair.broker.close()
        self.assert_silent(pair.client)

    def test_black_hole_of_those_that_there_are(self):
        pair = self.pair()
        pair.proxy.afflict(drop=True)
        for source, sink in ((pair.client, pair.broker), (pair.broker, pair.client)):
            source.sendall(TEXT)
            self.assert_silent(sink)
        self.assert_passes(*pair.connect())

    def test_cut_and_reset_on_command(self):
        pair = self.pair()
        pair.proxy.cut(reset=True)
        with self.assertRaises(ConnectionResetError):
            pair.client.recv(1)
        client, _ = pair.connect()
        pair.proxy.cut()
        self.assertEqual(client.recv(1), b"")

    def test_a_plan_and_then_the_rest(self):
        pair = self.pair(plan=[{"client_drop": True}, {}], first=1, client_flip=0)
        expected = [None, TEXT, b"\xff" + TEXT[1:], TEXT]
        for number, text in enumerate(expected):
            client, broker = (pair.client, pair.broker) if number == 0 else pair.connect()
            client.sendall(TEXT)
            if text is None:
                self.assert_silent(broker)
            else:
                self.assertEqual(take(broker, len(TEXT)), text)
        self.assertEqual(pair.proxy.accepted, 4)

    def test_confirms_are_held_until_they_are_cut(self):
        pair = self.pair(hold_confirms=True)
        self.assert_passes(pair.broker, pair.client, b"before")
        self.assert_passes(pair.client, pair.broker, b"..\x00\x3c\x00\x28..")
        self.assertTrue(pair.proxy.held.wait(10))
        pair.broker.sendall(b"after")
        self.assert_silent(pair.client)
        pair.proxy.cut()
        self.assertEqual(pair.client.recv(1), b"")

    def test_no_broker(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            proxy = self.enterContext(FaultProxy(closed.getsockname()[1]))
            with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
                self.assertEqual(client.recv(1), b"")


if __name__ == "__main__":
    unittest.main()
