"""A URL with two hosts, one of which is no use: the other one serves. And what is known of a
message when the broker refuses us after the link was lost."""

import concurrent.futures
import contextlib
import socket
import subprocess
import threading
import time
import unittest
import urllib.parse

import kombu
from error_case import DONE, NOT_DELIVERED, TIMED_OUT, UNUSABLE, ErrorCase, full_listener
from fault_proxy import FaultProxy
from own_broker import OwnBroker
from programs import Server, oslo_msg, rabbit_url, unique

own = None


def setUpModule():
    global own
    own = unittest.enterModuleContext(OwnBroker("two-hosts"))


def healthy_port():
    return urllib.parse.urlsplit(rabbit_url()).port


def hosts(*parts):
    """A URL of hosts, each "user:password@host:port" or a port of guest."""
    return "rabbit://" + ",".join(
        part if isinstance(part, str) else f"guest:guest@127.0.0.1:{part}" for part in parts
    )


@contextlib.contextmanager
def silent_listener():
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


class OneOfTwoHosts(ErrorCase):
    """The sick host comes first and last."""

    def setUp(self):
        self.topic = unique("hosts")
        self.server = self.enterContext(Server(oslo_msg(), self.topic, "one"))

    def assert_served(self, sick):
        """Several programs at once: each begins with either host."""
        urls = [hosts(sick, healthy_port()), hosts(healthy_port(), sick)]
        commands = [
            (command, url) for command in ("call", "cast", "call", "cast") for url in urls
        ]
        with concurrent.futures.ThreadPoolExecutor(len(commands) + 1) as threads:
            serving = threads.submit(self.serve, urls[0])
            started = time.monotonic()
            for done in threads.map(
                lambda one: self.run_program(
                    one[0], self.topic, "hit", "--timeout", "25", url=one[1]
                ),
                commands,
            ):
                self.assertEqual(done.returncode, DONE, done.stderr)
            self.assertLess(time.monotonic() - started, 20)
            serving.result()

    def serve(self, url):
        topic = unique("hosts")
        with Server([oslo_msg()[0], "--url", url], topic, "two") as server:
            done = self.run_program(
                "call", topic, "hits", "--timeout", "25", url=rabbit_url()
            )
            self.assertEqual(done.returncode, DONE, done.stderr + server.stderr())

    def test_one_is_silent(self):
        with silent_listener() as port:
            self.assert_served(port)

    def test_one_takes_no_connections(self):
        with full_listener() as port:
            self.assert_served(port)

    def test_one_does_not_know_the_password(self):
        self.assert_served(f"guest:wrong@127.0.0.1:{own.port}")

    def test_one_has_no_room(self):
        with full_vhost():
            self.assert_served(own.port)


@contextlib.contextmanager
def full_vhost():
    own.ctl("set_vhost_limits", "-p", "/", '{"max-connections": 0}')
    try:
        yield
    finally:
        own.ctl("clear_vhost_limits", "-p", "/")


class BothHostsRefuse(ErrorCase):
    def test_words_of_the_broker(self):
        url = hosts(*(f"guest:wrong@127.0.0.1:{port}" for port in (own.port, healthy_port())))
        for command in ("call", "cast"):
            with self.subTest(command):
                started = time.monotonic()
                done = self.run_program(command, "nobody", "echo", "--timeout", "25", url=url)
                self.assertEqual(done.returncode, UNUSABLE, done.stderr)
                self.assertRegex(done.stderr, "ACCESS_REFUSED")
                self.assertLess(time.monotonic() - started, 15)

    def test_no_room_anywhere(self):
        """There may be room again before the time of the call is over."""
        topic = unique("hosts")
        url = hosts(own.port, own.port)
        with Server([oslo_msg()[0], "--url", own.url()], topic, "one"):
            with full_vhost():
                done = self.run_program("call", topic, "hits", "--timeout", "1", url=url)
                self.assertEqual(done.returncode, TIMED_OUT, done.stderr)
                self.assertRegex(done.stderr, "(?i)connection limit")
                call = subprocess.Popen(
                    [oslo_msg()[0], "--url", url, "call", topic, "hits", "--timeout", "60"],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
                self.assertRegex(call.stderr.readline(), "(?i)connection limit")
            output, errors = call.communicate(timeout=90)
        self.assertEqual((call.returncode, output), (DONE, "0\n"), errors)


class RefusedAfterALoss(ErrorCase):
    """The broker took the message, its confirm was lost, and then it lets us in no more."""

    def assert_unknown(self, command, queue):
        """`command`: words of oslo-msg after which the broker puts a message into `queue`."""
        user = unique("user")
        own.ctl("add_user", user, "secret-1")
        own.ctl("set_permissions", "-p", "/", user, ".*", ".*", ".*")
        with FaultProxy(own.port, hold_confirms=True) as proxy, kombu.Connection(
            own.url().replace("rabbit://", "amqp://")
        ) as link:
            kombu.Queue(
                queue,
                kombu.Exchange("openstack", type="topic", durable=False),
                queue,
                durable=False,
                auto_delete=False,
                channel=link.default_channel,
            ).declare()
            outcome = []
            url = f"rabbit://{user}:secret-1@127.0.0.1:{proxy.port}/"
            sender = threading.Thread(
                target=lambda: outcome.append(self.run_program(*command, url=url))
            )
            sender.start()
            try:
                self.assertTrue(proxy.held.wait(20))
                channel = link.default_channel
                deadline = time.monotonic() + 20
                while channel.queue_declare(queue, passive=True).message_count == 0:
                    self.assertLess(time.monotonic(), deadline, "the broker got no message")
                own.ctl("change_password", user, "secret-2")
                proxy.faults.clear()
            finally:
                proxy.cut()
                sender.join()
        self.assertEqual(len(outcome), 1)
        self.assertEqual(outcome[0].returncode, NOT_DELIVERED, outcome[0].stderr)
        self.assertRegex(outcome[0].stderr, "(?i)never confirmed|unknown")
        self.assertRegex(outcome[0].stderr, "ACCESS_REFUSED")

    def test_cast(self):
        topic = unique("lost")
        self.assert_unknown(["cast", topic, "hit", "--timeout", "60"], topic)

    def test_notification(self):
        topic = unique("lost")
        self.assert_unknown(["notify", "event", "1", "--topic", topic], f"{topic}.info")


if __name__ == "__main__":
    unittest.main()
