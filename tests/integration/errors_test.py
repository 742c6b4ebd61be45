"""Every fault ends in an exit status and a sentence: no crash, no hang, no password."""

import os
import tempfile
import time
import unittest
import urllib.parse

import kombu
from error_case import (
    PASSWORD,
    TIMED_OUT,
    UNUSABLE,
    USAGE,
    ErrorCase,
    call_once,
    closed_port,
    full_listener,
    url_at,
)
from programs import rabbit_url, unique


class Errors(ErrorCase):
    def assert_never_connects(self, port):
        started = time.monotonic()
        self.assert_ends(
            TIMED_OUT,
            "(?i)connect",
            "call",
            "nobody",
            "echo",
            "--timeout",
            "2",
            url=url_at(port),
        )
        self.assertLess(time.monotonic() - started, 6)

    # -- where the broker should be ------------------------------------------------------------

    def test_wrong_port(self):
        port = closed_port()
        self.assert_ends(UNUSABLE, f"127.0.0.1:{port}", *call_once(), url=url_at(port))

    def test_wrong_port_and_endless_retries_end_at_the_deadline(self):
        self.assert_never_connects(closed_port())

    def test_unknown_host(self):
        url = url_at(5672, host="no-such-host.invalid")
        self.assert_ends(UNUSABLE, r"no-such-host\.invalid", *call_once(), url=url)

    def test_silent_host(self):
        """Connections to it are neither taken nor refused."""
        with full_listener() as port:
            self.assert_never_connects(port)

    # -- what the broker says ------------------------------------------------------------------

    def test_wrong_password(self):
        url = url_at(urllib.parse.urlsplit(rabbit_url()).port, user="guest")
        for arguments in (
            call_once(),
            ["call", "topic", "echo", "--timeout", "10"],
            ["cast", "topic", "echo"],
            ["serve", "topic", "--server", "one"],
            ["ping", "topic", "--timeout", "10"],
        ):
            with self.subTest(arguments[0]):
                self.assert_ends(
                    UNUSABLE, "(?i)ACCESS_REFUSED|password|credentials", *arguments, url=url
                )

    def test_wrong_virtual_host(self):
        for arguments in (call_once(), ["serve", "topic", "--server", "one"]):
            with self.subTest(arguments[0]):
                self.assert_ends(
                    UNUSABLE, "no-such-vhost", *arguments, url=f"{rabbit_url()}no-such-vhost"
                )

    def test_precondition_failed(self):
        """Another program declared the topic's queue with other arguments."""
        topic = unique("topic")
        with kombu.Connection(rabbit_url().replace("rabbit://", "amqp://")) as link:
            queue = kombu.Queue(
                topic, channel=link.default_channel, durable=True, auto_delete=False
            )
            queue.declare()
            done = self.run_program("serve", topic, "--server", "one", url=rabbit_url())
            queue.delete()
        self.assertEqual(done.returncode, UNUSABLE, done.stderr)
        self.assertRegex(done.stderr, "PRECONDITION_FAILED")
        self.assertIn(topic, done.stderr)

    # -- what the user wrote -------------------------------------------------------------------

    def test_malformed_url(self):
        for url in (
            f"rabbit://user:{PASSWORD}@127.0.0.1:port/",
            f"rabbit://user:{PASSWORD}@127.0.0.1:99999/",
            f"user:{PASSWORD}@127.0.0.1",
            f"rabbit://user:{PASSWORD}@[::1/",
        ):
            with self.subTest(url):
                self.assert_ends(UNUSABLE, "(?i)url|driver", *call_once(), url=url)

    def test_unknown_scheme(self):
        url = f"bogus://user:{PASSWORD}@127.0.0.1/"
        self.assert_ends(UNUSABLE, "bogus", *call_once(), url=url)

    def test_unknown_option_in_url(self):
        url = f"{rabbit_url()}?no_such_option=1"
        self.assert_ends(UNUSABLE, "no_such_option", *call_once(), url=url)

    def test_bad_value_in_url(self):
        url = f"{rabbit_url()}?rabbit_qos_prefetch_count=many"
        self.assert_ends(
            UNUSABLE,
            "rabbit_qos_prefetch_count.*many|many.*rabbit_qos_prefetch_count",
            *call_once(),
            url=url,
        )

    def test_bad_config_value(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "service.conf")
            with open(path, "w", encoding="utf-8") as file:
                file.write(
                    f"[DEFAULT]\ntransport_url = rabbit://user:{PASSWORD}@127.0.0.1/\n\n"
                    "[oslo_messaging_rabbit]\n# how many\nrabbit_qos_prefetch_count = many\n"
                )
            done = self.assert_ends(
                UNUSABLE, "rabbit_qos_prefetch_count", "--config-file", path, *call_once()
            )
            self.assertIn("service.conf:6", done.stderr)

    def test_missing_config_file(self):
        done = self.run_program("--config-file", "/nonexistent/service.conf", *call_once())
        self.assertIn(done.returncode, (USAGE, UNUSABLE))
        self.assertIn("/nonexistent/service.conf", done.stderr)

    def test_usage(self):
        for arguments in (
            [],
            ["no-such-command"],
            ["call"],
            ["call", "topic"],
            ["call", "topic", "echo", "{not json"],
            ["call", "topic", "echo", "[1]"],
            ["call", "topic", "echo", "{}", "--timeout", "soon"],
            ["call", "topic", "echo", "{}", "--version", "one"],
            ["call", "topic", "echo", "--context", "3"],
            ["serve", "topic"],
        ):
            with self.subTest(" ".join(arguments)):
                done = self.run_program(*arguments, url=rabbit_url())
                self.assertEqual(done.returncode, USAGE, done.stderr)
                self.assertTrue(done.stderr)


if __name__ == "__main__":
    unittest.main()
