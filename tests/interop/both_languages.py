"""Programs of both languages that read one configuration file, whichever of them comes first."""

import contextlib
import os
import sys
import tempfile
import unittest

import kombu
from notify_test import Listener, notify
from programs import CommandClient, Server, oslo_msg, poll, rabbit_url, unique
from python_peer import HERE, PythonClient

LARGE = {"text": "zażółć 日本 😀\n" * 1_000}
# A reply whose caller is gone keeps a server of Python busy for a minute by default, also when it
# stops.
REPLY_LIMIT = "kombu_missing_consumer_retry_timeout = 2\n"


@contextlib.contextmanager
def file_of(options, exchange=None, url=None):
    """A file that both read. Nothing is shared with other tests of the broker. `options`: lines of
    [oslo_messaging_rabbit], and whatever groups follow."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(f"[DEFAULT]\ntransport_url = {url or rabbit_url()}\n")
        file.write(f"control_exchange = {exchange or unique('exchange')}\n")
        file.write(f"[oslo_messaging_rabbit]\n{REPLY_LIMIT}{options}")
        file.flush()
        yield file.name


def cpp_program(file):
    return [oslo_msg()[0], "--config-file", file]


def python_program(file):
    return [sys.executable, os.path.join(HERE, "peer_server.py"), "--config-file", file]


def python_notify_program(file):
    return [sys.executable, os.path.join(HERE, "peer_notify.py"), "--config-file", file]


def check_declared(queue, properties):
    """The broker refuses other properties than those that the queue has."""
    with kombu.Connection(rabbit_url().replace("rabbit:", "amqp:", 1)) as connection:
        connection.channel().queue_declare(queue, auto_delete=False, **properties)


class BothLanguages(unittest.TestCase):
    """Servers of both languages on one topic, clients of both, and the same with notifications."""

    def check_rpc(self, options, url=None, queue=None):
        """`queue`: properties that the topic's queue has to have."""
        for first, second in (
            (cpp_program, python_program),
            (python_program, cpp_program),
        ):
            with self.subTest(first.__name__), file_of(options, url=url) as file:
                topic = unique("topic")
                self.check_servers(file, topic, first(file), second(file), queue)

    def check_servers(self, file, topic, first, second, queue):
        python, cpp = PythonClient(config_files=[file]), CommandClient(config_file=file)
        with contextlib.ExitStack() as stack:
            stack.callback(python.close)
            for name, program in (("one", first), ("two", second)):
                stack.enter_context(Server(program, topic, name))
            if queue is not None:
                check_declared(topic, queue)
            for client in (python, cpp):
                self.assertEqual(client.call(topic, "add", {"a": 2, "b": 3}), 5)
                for server in ("one", "two"):
                    self.assertEqual(client.call(topic, "echo", LARGE, server=server), LARGE)
            for count, client in enumerate((python, cpp), 1):
                client.cast(topic, "hit", fanout=True)
                for server in ("one", "two"):
                    hits = poll(lambda s=server: python.call(topic, "hits", server=s), count)
                    self.assertEqual(hits, count, server)

    def check_notifications(self, options, url=None):
        for first, second in (
            (cpp_program, python_notify_program),
            (python_notify_program, cpp_program),
        ):
            with self.subTest(first.__name__), file_of(options, url=url) as file:
                topic = unique("notify")
                notify(first(file), topic, "event", LARGE)
                with Listener(second(file), topic, count=2, priority="info") as listener:
                    notify(second(file), topic, "event", LARGE)
                    lines = listener.lines()
                self.assertEqual([line["payload"] for line in lines], [LARGE] * 2)
                # The other one reads them, too.
                with Listener(first(file), topic, count=2, priority="info") as listener:
                    for program in (first, second):
                        notify(program(file), topic, "event", {"x": 1})
                    lines = listener.lines()
                self.assertEqual([line["payload"] for line in lines], [{"x": 1}] * 2)
