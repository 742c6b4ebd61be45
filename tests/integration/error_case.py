"""Runs of oslo-msg that end in an error."""

import contextlib
import json
import socket
import subprocess
import time
import unittest
import urllib.parse

import kombu
from programs import oslo_msg, oslo_msg_program, unique

DONE, REMOTE, USAGE, TIMED_OUT, NOT_DELIVERED, UNUSABLE = range(6)
PASSWORD = "s3cr3t-Pässword"
# Far above what any case needs: a run that takes longer hangs.
LIMIT = 90


def url_at(port, host="127.0.0.1", user="user"):
    """A URL with a password that must never be seen again."""
    return f"rabbit://{user}:{urllib.parse.quote(PASSWORD)}@{host}:{port}/"


def closed_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def full_listener():
    """Neither takes nor refuses connections."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


class ErrorCase(unittest.TestCase):
    def run_program(self, *arguments, url=None):
        command = [oslo_msg_program()]
        if url is not None:
            command += ["--url", url]
        done = subprocess.run(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        output = done.stdout + done.stderr
        for secret in (PASSWORD, urllib.parse.quote(PASSWORD)):
            self.assertNotIn(secret, output)
        self.assertGreaterEqual(done.returncode, 0, f"ended by a signal: {done.stderr}")
        return done

    def assert_ends(self, status, pattern, *arguments, url=None):
        done = self.run_program(*arguments, url=url)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, pattern)
        return done


def call_once(*more):
    """A call that does not try again."""
    return ["call", "nobody", "echo", "--timeout", "10", "--retry", "0", *more]


def call_in_progress(channel, timeout):
    """A call made by oslo-msg, and its request, to be answered by the test through `channel`."""
    topic = unique("topic")
    exchange = kombu.Exchange("openstack", type="topic", durable=False, channel=channel)
    exchange.declare()
    queue = kombu.Queue(topic, exchange, topic, durable=False, auto_delete=False, channel=channel)
    queue.declare()
    caller = subprocess.Popen(
        [*oslo_msg(), "call", topic, "anything", "--timeout", str(timeout)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    request = None
    deadline = time.monotonic() + 20
    while request is None and caller.poll() is None and time.monotonic() < deadline:
        request = queue.get(no_ack=True)
    queue.delete()
    if request is None:
        caller.kill()
        raise AssertionError(f"no request came: {caller.communicate()}")
    return caller, json.loads(json.loads(request.body)["oslo.message"])
