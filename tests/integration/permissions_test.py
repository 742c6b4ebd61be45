"""The permissions of docs/security.md are enough for what each user is for, and for nothing else."""

import pathlib
import re
import shlex
import unittest

import oslo_messaging
from oslo_config import cfg

from error_case import DONE, TIMED_OUT, UNUSABLE, ErrorCase
from own_broker import OwnBroker
from programs import Server, oslo_msg

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "security.md"
TOPIC, EVENTS = "store", "store-events"

own = None
passwords = {}


def commands():
    """What the page types, in its order: the topic permissions come last."""
    return [
        shlex.split(line)
        for line in re.findall(r"^ {4,}rabbitmqctl (.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    ]


def setUpModule():
    global own
    own = unittest.enterModuleContext(OwnBroker("permissions"))
    for command in commands():
        if command[0] == "add_user":
            passwords[command[1]] = command[2]
        if command[0] != "set_topic_permissions":
            own.ctl(*command)


def url(user):
    return own.url(user, passwords[user])


def python_transport(user):
    cfg.CONF([])
    # A call leaves a thread behind that holds up the end of this program for that long.
    cfg.CONF.set_override("metrics_thread_stop_timeout", 1, "oslo_messaging_metrics")
    return oslo_messaging.get_rpc_transport(cfg.CONF, url(user))


class Adder:
    def subtract(self, ctxt, a, b):
        return a - b


class Permissions(ErrorCase):
    @classmethod
    def setUpClass(cls):
        program = [oslo_msg()[0], "--url", url("store-server")]
        cls.enterClassContext(Server(program, TOPIC, "host1", ping=True))

    def assert_done(self, user, *arguments):
        done = self.run_program(*arguments, url=url(user))
        self.assertEqual(done.returncode, DONE, done.stderr)
        return done.stdout

    def assert_refused(self, user, *arguments):
        self.assert_ends(UNUSABLE, "(?i)access.+refused", *arguments, url=url(user))

    def test_a_client_calls_casts_and_reaches_all_servers(self):
        client = "store-client"
        for extra in ([], ["--server", "host1"]):
            done = self.assert_done(client, "call", TOPIC, "add", '{"a": 1, "b": 2}', *extra)
            self.assertEqual(done, "3\n")
            self.assert_done(client, "cast", TOPIC, "hit", "--timeout", "20", *extra)
        self.assert_done(client, "cast", TOPIC, "hit", "--timeout", "20", "--fanout")
        self.assert_done(client, "ping", TOPIC)

    def test_python_needs_the_same(self):
        target = oslo_messaging.Target(topic=TOPIC, server="python")
        transport = python_transport("store-server")
        self.addCleanup(transport.cleanup)
        server = oslo_messaging.get_rpc_server(transport, target, [Adder()], executor="threading")
        server.start()
        try:
            transport = python_transport("store-client")
            self.addCleanup(transport.cleanup)
            client = oslo_messaging.get_rpc_client(transport, target, timeout=20)
            self.assertEqual(client.call({}, "subtract", a=3, b=2), 1)
        finally:
            server.stop()
            server.wait()

    def test_notifications_go_from_the_notifier_to_the_listener(self):
        self.assert_done("store-notifier", "notify", "store.reserved", "1", "--topic", EVENTS)
        heard = self.assert_done("store-listener", "listen", EVENTS, "--count", "1")
        self.assertIn('"event_type": "store.reserved"', heard)

    def test_nobody_does_what_is_not_theirs(self):
        limit = ["--timeout", "20"]
        self.assert_refused("store-client", "serve", TOPIC, "--server", "host2")
        self.assert_refused("store-client", "listen", EVENTS)
        self.assert_refused("store-server", "serve", "other", "--server", "host1")
        self.assert_refused("store-notifier", "call", TOPIC, "hits", *limit)
        self.assert_refused("store-notifier", "notify", "e", "1", "--topic", "other")
        self.assert_refused("store-listener", "notify", "e", "1", "--topic", EVENTS)

    def test_topic_permissions_keep_a_client_to_its_service(self):
        (narrowed,) = (c for c in commands() if c[0] == "set_topic_permissions")
        other = ["call", "other", "hits", "--timeout", "1"]
        self.assert_ends(TIMED_OUT, "no queue is bound there", *other, url=url(narrowed[1]))
        own.ctl(*narrowed)
        self.assert_refused(narrowed[1], "call", "other", "hits", "--timeout", "20")
        self.assertEqual(self.assert_done(narrowed[1], "call", TOPIC, "echo"), "{}\n")


if __name__ == "__main__":
    unittest.main()
