"""Messages that RabbitMQ passes on although no client would write them: a receiver loses that one
message, and neither its connection nor its other messages."""

import contextlib
import json
import struct
import subprocess
import unittest

from error_case import DONE, call_in_progress
from programs import (
    CommandClient,
    Server,
    oslo_msg,
    poll,
    rabbit_url,
    read_line,
    tcp_ports,
    unique,
)
from raw_publish import (
    CONTENT_TYPE,
    HEADERS,
    RawPublisher,
    nested_table,
    short_string,
    table,
)

POISONS = {
    "a reserved property flag": struct.pack(">H", 2),
    "a second word of flags that is missing": struct.pack(">H", 1),
    "a reserved flag beside headers": struct.pack(">H", HEADERS | 2) + table(("a", b"V")),
    "headers 1,000 levels deep": struct.pack(">H", HEADERS) + nested_table(1000),
    "30,000 headers": struct.pack(">H", HEADERS) + table(*[("", b"V")] * 30_000),
    "a header name that is not UTF-8": struct.pack(">HI", HEADERS, 4) + b"\x02\xff\xfeV",
    "a truth value of 7": struct.pack(">H", HEADERS) + table(("a", b"t\x07")),
    "a content type that is not UTF-8": struct.pack(">H", CONTENT_TYPE) + b"\x02\xff\xfe",
}
# Of these no reader can say what they mean.
UNREADABLE = list(POISONS)[:4]


def envelope(message):
    text = json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message)})
    return text.encode()


class Poison(unittest.TestCase):
    def setUp(self):
        self.raw = RawPublisher(rabbit_url())
        self.addCleanup(self.raw.close)
        self.client = CommandClient()

    def test_requests(self):
        """Other messages of the queue are served over the same connections."""
        for name, property_list in POISONS.items():
            topic = unique("poison")
            with self.subTest(name), Server(oslo_msg(), topic, "one") as server:
                self.assertEqual(self.client.call(topic, "hits"), 0)
                connections = tcp_ports(server.process.pid)
                self.raw.publish(topic, property_list, envelope({"method": 5}))
                self.assertEqual(self.client.call(topic, "hits", timeout=10), 0)
                self.assertEqual(tcp_ports(server.process.pid), connections)
                self.assertEqual(len(server.stderr().splitlines()), 1, server.stderr())
                # Whatever it had not settled comes back to the queue.
                server.kill()
                self.assertEqual(poll(lambda: self.raw.messages_in(topic), 0), 0)

    def test_streams(self):
        """A stream takes nothing back, and RabbitMQ before 3.13 ends the connection over it."""
        topic = unique("poison")
        url = (
            f"{rabbit_url()}?rabbit_stream_fanout=true&rabbit_transient_quorum_queue=true"
            "&rabbit_qos_prefetch_count=10"
        )
        with Server(oslo_msg(url), topic, "one") as server:
            self.addCleanup(self.raw.channel.queue_delete, f"{topic}_fanout")
            self.assertEqual(self.client.call(topic, "hits"), 0)
            connections = tcp_ports(server.process.pid)
            json_type = struct.pack(">H", CONTENT_TYPE) + short_string("application/json")
            many = [("a", b"V")] * 20_000
            poisons = [
                (json_type, b"[]"),
                (struct.pack(">H", CONTENT_TYPE) + short_string("text/plain"), b"x"),
                (struct.pack(">H", HEADERS) + table(*many), envelope({"method": "hit"})),
            ]
            for count, (property_list, body) in enumerate(poisons, 1):
                self.raw.publish(f"{topic}_fanout", property_list, body)
                lines = poll(lambda: len(server.stderr().splitlines()), count)
                self.assertEqual(lines, count, server.stderr())
            self.assertEqual(self.client.call(topic, "hits", timeout=10), 0)
            self.assertEqual(tcp_ports(server.process.pid), connections)
            self.assertEqual(len(server.stderr().splitlines()), len(poisons), server.stderr())

    def test_what_cannot_be_read_is_not_served(self):
        """However well its body looks."""
        for name in UNREADABLE:
            topic = unique("poison")
            with self.subTest(name), Server(oslo_msg(), topic, "one"):
                self.raw.publish(topic, POISONS[name], envelope({"method": "hit", "args": {}}))
                self.assertEqual(self.client.call(topic, "hits", timeout=10), 0)

    def test_replies(self):
        """The call goes on waiting for the one that counts."""
        for name, property_list in POISONS.items():
            with self.subTest(name):
                caller, request = call_in_progress(self.raw.channel, timeout=15)
                self.raw.publish(request["_reply_q"], property_list, b"[]")
                reply = {"failure": None, "ending": True, "_msg_id": request["_msg_id"]}
                reply |= {"result": "ok", "_unique_id": "b" * 32}
                plain = struct.pack(">H", HEADERS) + table()
                self.raw.publish(request["_reply_q"], plain, envelope(reply))
                output, errors = caller.communicate(timeout=30)
                self.assertEqual((caller.returncode, output), (DONE, '"ok"\n'), errors)
                self.assertEqual(len(errors.splitlines()), 1, errors)

    @contextlib.contextmanager
    def listener(self, topic):
        with subprocess.Popen(
            [*oslo_msg(), "listen", topic],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
        ) as process:
            try:
                self.assertEqual(read_line(process.stderr), "ready\n")
                yield process
            finally:
                process.kill()

    def test_notifications(self):
        for name, property_list in POISONS.items():
            topic = unique("poison")
            with self.subTest(name):
                with self.listener(topic) as process:
                    connections = tcp_ports(process.pid)
                    self.raw.publish(f"{topic}.info", property_list, b"[]")
                    self.client.result(self.client.run("notify", ["event", "--topic", topic], name))
                    line = read_line(process.stdout, 10)
                    self.assertEqual(json.loads(line)["payload"], name)
                    self.assertEqual(tcp_ports(process.pid), connections)
                    process.terminate()
                    self.assertEqual(process.wait(20), DONE)
                    self.assertEqual(len(process.stderr.readlines()), 1)
                self.assertEqual(self.raw.messages_in(f"{topic}.info"), 0)


if __name__ == "__main__":
    unittest.main()
