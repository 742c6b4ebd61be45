"""Options that change what is on the wire, from one configuration file for both languages."""

import contextlib
import importlib.metadata
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import both_languages
import kombu
from both_languages import LARGE, cpp_program, file_of, python_notify_program, python_program
from notify_test import Listener, notify
from programs import CommandClient, Server, poll, rabbit_url, unique
from python_peer import PythonClient

IS_18 = importlib.metadata.version("oslo.messaging") != "14.0.3"

DURABLE = "amqp_durable_queues = true\n"
AUTO_DELETE = "amqp_auto_delete = true\n"
# 14.0.3 has misspelt two of them, and knows no other kind of reply and fanout queues.
QUORUM = """
rabbit_quorum_queue = true
rabbit_quorum_delivery_limit = 3
rabbit_quorum_max_memory_length = 1000
rabbit_quroum_max_memory_length = 1000
rabbit_quorum_max_memory_bytes = 1000000
rabbit_quroum_max_memory_bytes = 1000000
"""
QUORUM_ARGUMENTS = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 3,
    "x-max-in-memory-length": 1000,
    "x-max-in-memory-bytes": 1_000_000,
}
TRANSIENT_QUORUM = "rabbit_transient_quorum_queue = true\n"
STREAM = TRANSIENT_QUORUM + "rabbit_stream_fanout = true\nrabbit_qos_prefetch_count = 2\n"


def compressed_by(name):
    return f"kombu_compression = {name}\n"


class Shared(both_languages.BothLanguages):
    def check_both(self, options, **what):
        self.check_rpc(options, **what)
        self.check_notifications(options)

    def test_durable_queues(self):
        self.check_both(DURABLE, queue={"durable": True})

    def test_queues_that_delete_themselves(self):
        self.check_both(AUTO_DELETE)
        self.check_both(DURABLE + AUTO_DELETE)

    def test_quorum_queues(self):
        self.check_both(QUORUM, queue={"durable": True, "arguments": QUORUM_ARGUMENTS})

    def test_a_listener_that_ends_leaves_nothing_in_a_quorum_queue(self):
        """Such a queue forgets acknowledgements that came right before a connection broke off."""
        for _ in range(8):
            topic = unique("notify")
            with file_of(QUORUM) as file:
                notify(cpp_program(file), topic, "event", 1)
                with Listener(cpp_program(file), topic, count=1, priority="info") as listener:
                    self.assertEqual([line["payload"] for line in listener.lines()], [1])
            with kombu.Connection(rabbit_url().replace("rabbit:", "amqp:", 1)) as connection:
                left = connection.channel().basic_get(f"{topic}.info", no_ack=True)
            self.assertIsNone(left)

    @unittest.skipUnless(IS_18, "14.0.3 has no such option")
    def test_nothing_but_quorum_queues(self):
        self.check_rpc(QUORUM + TRANSIENT_QUORUM)
        self.check_rpc(TRANSIENT_QUORUM)

    @unittest.skipUnless(IS_18, "14.0.3 has no such option")
    def test_streams(self):
        self.check_rpc(STREAM)
        self.check_rpc(QUORUM + STREAM)

    def test_mirrored_queues(self):
        self.check_both("rabbit_ha_queues = true\n")

    def test_consumers_that_are_cancelled_on_failover(self):
        self.check_rpc("enable_cancel_on_failover = true\n")

    def test_gzip(self):
        self.check_both(compressed_by("gzip"))

    def test_bzip2(self):
        self.check_both(compressed_by("bzip2"))

    def test_compressed_quorum_queues(self):
        self.check_rpc(QUORUM + compressed_by("gzip"))


@unittest.skipUnless(IS_18, "14.0.3 has no such names")
class LastingNames(both_languages.BothLanguages):
    """Both count in one file, under one lock."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        # The global configuration of this process is that of Python's client.
        environment = mock.patch.dict(os.environ, OSLO_LOCK_PATH=folder.name)
        environment.start()
        self.addCleanup(environment.stop)
        from oslo_concurrency import lockutils  # which 14.0.3 comes without

        lockutils.set_defaults(folder.name)

    def options_of(self, host):
        counter = f"/dev/shm/{host}_service_qmanager"
        self.addCleanup(lambda: os.path.exists(counter) and os.remove(counter))
        return f"use_queue_manager = true\nhostname = {host}\nprocessname = service\n"

    def numbers(self, host, *kinds):
        """Of the queues of this host."""
        listed = subprocess.run(
            [*shlex.split(os.environ["OSLO_TEST_RABBITMQCTL"]), "-q", "list_queues", "name"],
            capture_output=True,
            check=True,
            encoding="utf-8",
        ).stdout
        found = re.findall(rf"^(.+)_{host}:service:(\d+)$", listed, re.MULTILINE)
        return {kind: sorted(int(n) for k, n in found if k.endswith(kind)) for kind in kinds}

    def test_both_count_in_one_file(self):
        for first, second in ((cpp_program, python_program), (python_program, cpp_program)):
            with self.subTest(first.__name__):
                self.check_numbers(first, second)

    def check_numbers(self, first, second):
        topic, host = unique("topic"), unique("host")
        with file_of(self.options_of(host)) as file, contextlib.ExitStack() as stack:
            # One process group, as the workers of a service.
            for program, name in ((first, "one"), (second, "two")):
                stack.enter_context(Server(program(file), topic, name))
            python = PythonClient(config_files=[file])
            stack.callback(python.close)
            cpp = CommandClient(config_file=file)
            for client in (python, cpp):
                for server in ("one", "two"):
                    self.assertEqual(client.call(topic, "add", {"a": 2, "b": 3}, server=server), 5)
            python.cast(topic, "hit", fanout=True)
            for server in ("one", "two"):
                hits = poll(lambda s=server: python.call(topic, "hits", server=s), 1)
                self.assertEqual(hits, 1, server)
            numbers = self.numbers(host, "fanout", "reply")
        everything = numbers["fanout"] + numbers["reply"]
        self.assertEqual(len(numbers["fanout"]), 2, numbers)
        self.assertEqual(sorted(everything), list(range(1, len(everything) + 1)))

    def test_with_streams(self):
        self.check_rpc(self.options_of(unique("host")) + STREAM)


class OnTheWire(unittest.TestCase):
    """What a notifier leaves in its queue."""

    def left_by(self, program, options):
        """The message, as kombu sees it."""
        topic = unique("notify")
        with file_of(options) as file:
            notify(program(file), topic, "event", LARGE)
        with kombu.Connection(rabbit_url().replace("rabbit:", "amqp:", 1)) as connection:
            channel = connection.channel()
            message = channel.basic_get(f"{topic}.info", no_ack=True)
            self.assertIsNotNone(message)
            return channel.message_to_python(message)

    def test_compressed_alike(self):
        for name, header in (("gzip", "application/x-gzip"), ("bzip2", "application/x-bz2")):
            with self.subTest(name):
                ours, theirs = (
                    self.left_by(program, compressed_by(name))
                    for program in (cpp_program, python_notify_program)
                )
                for message in (ours, theirs):
                    self.assertEqual(message.headers, {"compression": header})
                    self.assertEqual(message.content_type, "application/json")
                    self.assertEqual(message.content_encoding, "utf-8")
                    self.assertEqual(message.decode()["oslo.version"], "2.0")

    def test_only_one_side_compresses(self):
        for sender, receiver in (
            (cpp_program, python_notify_program),
            (python_notify_program, cpp_program),
        ):
            for name in ("gzip", "bzip2"):
                with self.subTest(f"{sender.__name__} {name}"):
                    topic, exchange = unique("notify"), unique("exchange")
                    with file_of(compressed_by(name), exchange) as file:
                        notify(sender(file), topic, "event", LARGE)
                    with file_of("", exchange) as file:
                        with Listener(receiver(file), topic, count=1) as listener:
                            lines = listener.lines()
                    self.assertEqual([line["payload"] for line in lines], [LARGE])


if __name__ == "__main__":
    sys.exit(unittest.main())
