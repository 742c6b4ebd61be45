"""Notifications between `oslo-msg` and Python's oslo.messaging over Kafka, both ways."""

import json
import os
import queue
import sys
import threading
import unittest

from confluent_kafka.admin import AdminClient, NewTopic
from notify_test import LIMIT, Listener, notify
from programs import oslo_msg, unique

HERE = os.path.dirname(os.path.abspath(__file__))
PRIORITIES = ["audit", "debug", "info", "warn", "error", "critical", "sample"]
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def url(more=""):
    return os.environ["OSLO_TEST_KAFKA_URL"] + more


def cpp(more=""):
    return oslo_msg(url(more))


def python(more=""):
    return [sys.executable, os.path.join(HERE, "peer_notify.py"), "--url", url(more)]


def make_topics(*names, partitions=1):
    """Python's listener misses what comes before a topic exists, and what makes it."""
    servers = os.environ["OSLO_TEST_KAFKA_URL"].removeprefix("kafka://").rstrip("/")
    admin = AdminClient({"bootstrap.servers": servers})  # what it has begun ends with it
    made = admin.create_topics([NewTopic(name, partitions, 1) for name in names])
    for future in made.values():
        future.result(30)


class KafkaCases:
    sender = None
    receiver = None

    def setUp(self):
        self.topic = unique("notify")

    def listener(self, program, **options):
        """In a group of its own: a listener of Python never leaves its group, and the next member
        waits until the broker has missed it."""
        return Listener(program, self.topic, pool=unique("pool"), **options)

    def test_every_priority_in_both_formats(self):
        make_topics(*(f"{self.topic}.{p}" for p in PRIORITIES))
        with self.listener(self.receiver(), count=14) as listener:
            for driver in ("messaging", "messagingv2"):
                for priority in PRIORITIES:
                    notify(
                        self.sender(),
                        self.topic,
                        f"{driver}.{priority}",
                        {"n": [1, None, "ü"]},
                        priority=priority,
                        driver=driver,
                        publisher_id="compute.host1",
                        context=json.dumps({"user_id": "u", "roles": ["a"]}),
                    )
            lines = listener.lines()
        expected = {f"{d}.{p}": p for d in ("messaging", "messagingv2") for p in PRIORITIES}
        self.assertEqual({line["event_type"]: line["priority"] for line in lines}, expected)
        for line in lines:
            self.assertEqual(line["payload"], {"n": [1, None, "ü"]})
            self.assertEqual(line["publisher_id"], "compute.host1")
            self.assertEqual(line["context"], {"user_id": "u", "roles": ["a"]})
            self.assertEqual(set(line["metadata"]), {"message_id", "timestamp"})

    def test_every_codec(self):
        make_topics(f"{self.topic}.info")
        with self.listener(self.receiver(), count=5, priority="info") as listener:
            for codec in CODECS:
                sender = self.sender(f"?compression_codec={codec}")
                notify(sender, self.topic, codec, {"text": codec * 500})
            lines = listener.lines()
        self.assertEqual([line["event_type"] for line in lines], CODECS)


class PythonToCpp(KafkaCases, unittest.TestCase):
    sender = staticmethod(python)
    receiver = staticmethod(cpp)

    def test_the_virtual_host_is_a_part_of_the_topic(self):
        with self.listener(cpp("prod"), count=2, priority="info") as listener:
            for sender in (python, cpp):
                notify(sender("prod"), self.topic, "event", {})
            self.assertEqual([line["event_type"] for line in listener.lines()], ["event"] * 2)

    def test_what_was_sent_before_anybody_listened_waits(self):
        notify(python(), self.topic, "early", {})
        with self.listener(cpp(), count=1, priority="info") as listener:
            (line,) = listener.lines()
        self.assertEqual(line["event_type"], "early")


class CppToPython(KafkaCases, unittest.TestCase):
    sender = staticmethod(cpp)
    receiver = staticmethod(python)


def first_lines(count, *listeners):
    """What they print, whoever it is, until it is so much."""
    lines = queue.Queue()

    def read(listener):
        for line in listener.process.stdout:
            lines.put(json.loads(line))

    for listener in listeners:
        threading.Thread(target=read, args=[listener], daemon=True).start()
    return [lines.get(timeout=LIMIT) for _ in range(count)]


class Groups(unittest.TestCase):
    def test_a_pool_of_both_languages_shares_one_copy(self):
        topic, pool, other = unique("notify"), unique("pool"), unique("pool")
        make_topics(f"{topic}.info", partitions=2)
        options = {"priority": "info", "pool": pool}
        with Listener(cpp(), topic, **options) as one, Listener(
            python(), topic, **options
        ) as two, Listener(cpp(), topic, priority="info", pool=other, count=20) as whole:
            for number in range(20):
                notify((cpp, python)[number % 2](), topic, f"event.{number}", number)
            self.assertEqual(sorted(line["payload"] for line in whole.lines()), list(range(20)))
            shared = first_lines(20, one, two)
        self.assertEqual(sorted(line["payload"] for line in shared), list(range(20)))


if __name__ == "__main__":
    unittest.main()
