"""What no client of Python writes: answered by servers of both languages, or by neither."""

import json
import sys
import unittest

import kombu
from programs import Server, oslo_msg, rabbit_url, unique
from python_peer import peer_server


class Peer:
    """A client that makes its messages by hand."""

    def __init__(self):
        self.link = kombu.Connection(rabbit_url().replace("rabbit:", "amqp:", 1))
        self.channel = self.link.channel()
        self.replies = self.channel.queue_declare("", exclusive=True).queue
        self.came = []
        self.channel.basic_consume(self.replies, no_ack=True, callback=self.take)

    def close(self):
        self.link.release()

    def send(self, topic, body, encoding="utf-8"):
        """`body`: bytes."""
        message = self.channel.prepare_message(
            body, content_type="application/json", content_encoding=encoding
        )
        self.channel.basic_publish(message, exchange="", routing_key=topic)

    def request(self, arguments, msg_id="id", method="echo", **keys):
        return {
            **{"method": method, "args": arguments, "_msg_id": msg_id},
            **{"_reply_q": self.replies, "_unique_id": unique("u")},
            **keys,
        }

    def take(self, message):
        reply = json.loads(json.loads(message.body)["oslo.message"])
        if reply["failure"] is not None:
            raise AssertionError(reply["failure"])
        self.came.append(reply)

    def replies_until(self, *last):
        """Every reply and heartbeat, until those to all calls of these _msg_ids are there."""

        def is_there(msg_id):
            return any(
                reply["ending"] and (type(reply["_msg_id"]), reply["_msg_id"]) == (type(msg_id), msg_id)
                for reply in self.came
            )

        while not all(map(is_there, last)):
            self.link.drain_events(timeout=20)
        came, self.came = self.came, []
        return came


TEXT = {"text": "é"}


class OddRequests(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.peer = Peer()
        self.addCleanup(self.peer.close)

    def for_each_server(self, check):
        for program in (oslo_msg(), peer_server()):
            topic = unique("odd")
            with self.subTest(program[0]), Server(program, topic, "one"):
                check(topic)

    def check_answers(self, topic, bodies, expected):
        """`bodies`: (bytes, encoding); `expected`: results by _msg_id, in any order."""
        for body, encoding in bodies:
            self.peer.send(topic, body, encoding)
        replies = self.peer.replies_until(*(msg_id for msg_id, _ in expected))
        # What should not be answered has been seen when this one, which came behind it, is.
        self.peer.send(topic, json.dumps(self.peer.request({}, "last")).encode())
        replies += self.peer.replies_until("last")
        self.assertEqual(
            sorted(
                repr((reply["_msg_id"], reply["result"]))
                for reply in replies
                if reply["ending"] and reply["_msg_id"] != "last"
            ),
            sorted(map(repr, expected)),
        )

    def test_encodings(self):
        def body(name, codec):
            text = json.dumps(self.peer.request(TEXT, name), ensure_ascii=False)
            return text.encode(codec)

        read = [
            *[(name, name) for name in ("utf-8", "UTF-8", "latin-1", "ISO-8859-1", "utf-8-sig")],
            *[(name, name) for name in ("utf-16", "utf-16-le", "UTF-16BE", "utf_32", "utf-32-be")],
            # What cannot be read by its encoding, and an encoding that there is not.
            *[("us-ascii", "utf-8"), ("x-no-such", "utf-8"), ("", "utf-8"), (None, "utf-8")],
            ("utf-32-le", "utf-8"),
        ]
        refused = [("utf-8", "latin-1"), ("utf-8", "utf-16"), (None, "latin-1"), ("utf-8", "utf-8-sig")]

        def check(topic):
            bodies = [(body(f"{name} {codec}", codec), name) for name, codec in read]
            bodies += [(body(f"not {name} {codec}", codec), name) for name, codec in refused]
            self.check_answers(
                topic, bodies, [(f"{name} {codec}", TEXT) for name, codec in read]
            )

        self.for_each_server(check)

    def test_message_ids_that_are_no_text(self):
        answered = [7, 1.5, True, [1], {"a": "b"}, "7"]
        to_nobody = [0, False, [], {}, "", None, 0.0]

        def check(topic):
            self.check_answers(
                topic,
                [
                    (json.dumps(self.peer.request({"n": n}, n)).encode(), "utf-8")
                    for n in answered + to_nobody
                ],
                [(n, {"n": n}) for n in answered],
            )

        self.for_each_server(check)

    def test_timeouts_that_are_no_number(self):
        odd = ["10", " 10 ", "ten", "7.9", "", True, [], {}, [10], float("nan")]

        def check(topic):
            bodies = [
                (json.dumps(self.peer.request({}, f"{n}", _timeout=odd_one)).encode(), "utf-8")
                for n, odd_one in enumerate(odd)
            ]
            self.check_answers(topic, bodies, [(f"{n}", {}) for n in range(len(odd))])

        self.for_each_server(check)

    def test_a_timeout_that_is_text_asks_for_heartbeats(self):
        def check(topic):
            request = self.peer.request({"seconds": 2.5}, "slow", "sleep", _timeout="2")
            self.peer.send(topic, json.dumps(request).encode())
            replies = self.peer.replies_until("slow")
            self.assertGreaterEqual(len(replies), 2)
            self.assertEqual({reply["_msg_id"] for reply in replies}, {"slow"})

        self.for_each_server(check)

    def test_two_clients_that_number_their_messages_alike(self):
        """Python takes what comes second for a copy; here its content tells that it is none."""
        topic = unique("odd")
        with Server(oslo_msg(), topic, "one"):
            bodies = [
                (
                    json.dumps(
                        self.peer.request({"n": n}, f"{client} {n}", _unique_id=str(n))
                    ).encode(),
                    "utf-8",
                )
                for client in ("a", "b")
                for n in range(3)
            ]
            # Whole copies are copies.
            self.check_answers(
                topic,
                bodies + bodies[:2],
                [(f"{client} {n}", {"n": n}) for client in ("a", "b") for n in range(3)],
            )


if __name__ == "__main__":
    sys.exit(unittest.main())
