"""Peers and queues full of nonsense: what can be read is served, the rest harms nobody."""

import bz2
import contextlib
import json
import socket
import threading
import time
import unittest
import zlib

import kombu
from error_case import (
    DONE,
    NOT_DELIVERED,
    REMOTE,
    TIMED_OUT,
    UNUSABLE,
    ErrorCase,
    call_in_progress,
    call_once,
    url_at,
)
from programs import CommandClient, Server, oslo_msg, poll, rabbit_url, unique


class GarbageFromThePeer(ErrorCase):
    """A TCP server in the broker's place."""

    START = (
        b"\x01\x00\x00\x00\x00\x00\x30"
        b"\x00\x0a\x00\x0a"
        b"\x00\x09"
        b"\x00\x00\x00\x00"
        b"\x00\x00\x00\x14AMQPLAIN PLAIN      "
        b"\x00\x00\x00\x0aen_US     "
        b"\xce"
    )
    ANSWERS = {
        "text of another protocol": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        "another protocol version": b"AMQP\x00\x01\x00\x00",
        "nothing, and the end": b"",
        "noise": bytes((i * 197 + 91) % 256 for i in range(4096)),
        "a frame of 4 GiB": b"\x01\x00\x00\xff\xff\xff\xff" + b"x" * 65536,
        "a wrong frame end": b"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x0a\x00",
        "a method nobody knows": b"\x01\x00\x00\x00\x00\x00\x04\x0f\xff\x0f\xff\xce",
        "zeros": bytes(100_000),
        "a start, then noise": START + bytes((i * 31 + 7) % 256 for i in range(4096)),
        "a start, then a body frame": START + b"\x03\x00\x01\x00\x00\x00\x04body\xce",
    }

    @contextlib.contextmanager
    def peer(self, answer):
        listener = socket.create_server(("127.0.0.1", 0))
        links = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    link, _ = listener.accept()
                    links.append(link)
                    link.recv(4096)
                    with contextlib.suppress(OSError):
                        link.sendall(answer)
                        link.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield url_at(listener.getsockname()[1])
        finally:
            # close() alone would leave accept() waiting.
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            listener.close()
            for link in links:
                link.close()

    def test_garbage(self):
        for name, answer in self.ANSWERS.items():
            with self.subTest(name), self.peer(answer) as url:
                done = self.run_program(*call_once(), url=url)
                self.assertEqual(done.returncode, UNUSABLE, done.stderr)
                self.assertTrue(done.stderr.strip())

    def test_the_doctor_finds_garbage(self):
        for name, answer in self.ANSWERS.items():
            with self.subTest(name), self.peer(answer) as url:
                done = self.run_program("doctor", "--timeout", "10", url=url)
                self.assertEqual((done.returncode, done.stderr), (1, ""), done.stdout)
                self.assertRegex(done.stdout, r"\Aerror +host 127[^\n]+\n\Z")

    def test_garbage_and_endless_retries_end_at_the_deadline(self):
        with self.peer(self.ANSWERS["noise"]) as url:
            started = time.monotonic()
            done = self.run_program("call", "topic", "echo", "--timeout", "2", url=url)
            self.assertIn(done.returncode, (TIMED_OUT, UNUSABLE), done.stderr)
            self.assertLess(time.monotonic() - started, 6)

    def test_a_peer_that_says_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            started = time.monotonic()
            url = url_at(listener.getsockname()[1])
            done = self.run_program("call", "topic", "echo", "--timeout", "2", url=url)
            self.assertEqual(done.returncode, TIMED_OUT, done.stderr)
            self.assertLess(time.monotonic() - started, 6)


def envelope(message):
    return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message)})


class GarbageInQueues(unittest.TestCase):
    """Messages that no oslo.messaging would send, put into the queues by a plain AMQP client."""

    BODIES = {
        "not JSON": "not json {",
        "empty": "",
        "half an object": '{"oslo.version": "2.0", "oslo.mess',
        "a list": "[1, 2]",
        "a number": "17",
        "null": "null",
        "not UTF-8": b'{"oslo.version": "2.0", "oslo.message": "\xff\xfe"}',
        "an envelope of the future": json.dumps({"oslo.version": "9.0", "oslo.message": "{}"}),
        "no message": json.dumps({"oslo.version": "2.0"}),
        "a message that is no text": json.dumps({"oslo.version": "2.0", "oslo.message": 5}),
        "a message that is no object": json.dumps({"oslo.version": "2.0", "oslo.message": "[]"}),
        "no method": envelope({"args": {}}),
        "a method that is no text": envelope({"method": 5, "args": {}}),
        "arguments that are no object": envelope({"method": "echo", "args": [1]}),
        "a reply queue that is gone": envelope(
            {
                "method": "echo",
                "args": {},
                "_msg_id": "0" * 32,
                "_reply_q": "reply_gone",
                "_timeout": None,
                "_unique_id": "1" * 32,
            }
        ),
        "a message id that is no text": envelope(
            {"method": "echo", "args": {}, "_msg_id": 7, "_reply_q": ["x"], "_unique_id": {}}
        ),
        "100,000 levels": '{"oslo.version": "2.0", "oslo.message": '
        + json.dumps('{"method": "echo", "args": {"x": ' + "[" * 100_000 + "]" * 100_000 + "}}")
        + "}",
        "nesting outside": "[" * 100_000 + "]" * 100_000,
    }

    def setUp(self):
        link = kombu.Connection(rabbit_url().replace("rabbit://", "amqp://"))
        self.addCleanup(link.release)
        self.channel = link.default_channel
        self.client = CommandClient()

    def publish(self, queue, body, content_type="application/json", headers=None):
        message = self.channel.prepare_message(
            body.encode() if isinstance(body, str) else body,
            content_type=content_type,
            content_encoding="utf-8",
            headers=headers,
        )
        self.channel.basic_publish(message, exchange="", routing_key=queue)

    def messages_left(self, queue):
        return self.channel.queue_declare(queue, passive=True).message_count

    def test_server_survives(self):
        topic = unique("garbage")
        # As in Python, a reply whose queue is gone would keep the server from ending for a minute.
        url = f"{rabbit_url()}?kombu_missing_consumer_retry_timeout=2"
        with Server([oslo_msg()[0], "--url", url], topic, "one") as server:
            for name, body in self.BODIES.items():
                with self.subTest(name):
                    self.publish(topic, body)
                    self.assertEqual(self.client.call(topic, "add", {"a": 1, "b": 2}), 3)
            with self.subTest("another content type"):
                self.publish(
                    topic, envelope({"method": "hit", "args": {}}), content_type="text/plain"
                )
                self.assertEqual(self.client.call(topic, "add", {"a": 1, "b": 2}), 3)
            # Each was taken or rejected, none goes round and round.
            self.assertEqual(poll(lambda: self.messages_left(topic), 0), 0)
            self.assertIsNone(server.process.poll())
            self.assertRegex(server.stderr(), "(?i)message")

    def test_compressed_garbage(self):
        topic = unique("garbage")
        hit = envelope({"method": "hit", "args": {}})
        with Server(oslo_msg(), topic, "one") as server:
            for how, body in (
                ("application/x-gzip", hit),
                ("application/x-gzip", zlib.compress(hit.encode())[:-1]),
                ("application/x-gzip", zlib.compress(bytes(129 << 20))),
                ("application/x-bz2", zlib.compress(hit.encode())),
                ("application/x-bz2", bz2.compress(bytes(129 << 20))),
                ("application/zstd", hit),
                (7, hit),
            ):
                with self.subTest(f"{how}, {len(body)} bytes"):
                    self.publish(topic, body, headers={"compression": how})
                    self.assertEqual(self.client.call(topic, "hits"), 0)
            self.publish(
                topic, zlib.compress(hit.encode()), headers={"compression": "application/x-gzip"}
            )
            self.assertEqual(poll(lambda: self.client.call(topic, "hits"), 1), 1)
            self.assertEqual(poll(lambda: self.messages_left(topic), 0), 0)
            self.assertIsNone(server.process.poll())

    def test_client_survives(self):
        """Replies that mean nothing, before the one that counts."""
        caller, request = call_in_progress(self.channel, timeout=20)
        reply = {"result": None, "failure": None, "ending": True, "_msg_id": request["_msg_id"]}
        for answer in [
            *self.BODIES.values(),
            envelope({"result": 1, "failure": None, "ending": True}),
            envelope({"result": 1, "failure": None, "ending": True, "_msg_id": 5}),
            envelope(reply | {"_msg_id": "f" * 32, "result": "for another call"}),
            envelope(reply | {"ending": False, "_unique_id": "a" * 32}),
            envelope(reply | {"result": "ok", "_unique_id": "b" * 32}),
            envelope(reply | {"result": "too late", "_unique_id": "c" * 32}),
        ]:
            self.publish(request["_reply_q"], answer)
        output, errors = caller.communicate(timeout=30)
        self.assertEqual((caller.returncode, output), (DONE, '"ok"\n'), errors)

    def test_failures_that_make_no_sense(self):
        """What cannot be read as a failure is still an error of the call, never a success."""
        for failure in (
            "not json {",
            "[]",
            "{}",
            '{"class": 5}',
            '{"class": "X", "module": null}',
            17,
        ):
            with self.subTest(failure=failure):
                caller, request = call_in_progress(self.channel, timeout=5)
                reply = {"result": 1, "failure": failure, "ending": True}
                reply |= {"_msg_id": request["_msg_id"], "_unique_id": "d" * 32}
                self.publish(request["_reply_q"], envelope(reply))
                output, errors = caller.communicate(timeout=30)
                self.assertIn(caller.returncode, (REMOTE, TIMED_OUT, NOT_DELIVERED), errors)
                self.assertEqual(output, "")
                self.assertTrue(errors.strip())


if __name__ == "__main__":
    unittest.main()
