"""Transports, servers and clients of oslo.messaging for the tests of its C++ driver."""

import contextlib
import os
import queue
import sys
import threading
import time
import unittest
import uuid

import oslo_messaging
from oslo_config import cfg
from oslo_messaging._metrics import client as metrics

try:
    from oslo_messaging._tracing import client as tracing
except ImportError:  # 14.0.3 has none
    tracing = None

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from broker import Broker  # noqa: E402

LIMIT = 30  # seconds until a wait has failed


def both(loader, core, upstream):
    """The cases of the core, and with OSLO_TEST_PYTHON_FULL=1 those of upstream, the control."""
    cases = [core, upstream] if os.environ.get("OSLO_TEST_PYTHON_FULL") else [core]
    return unittest.TestSuite(map(loader.loadTestsFromTestCase, cases))


def rabbit_url():
    return os.environ["OSLO_TEST_RABBIT_URL"]


def core_url():
    return "cpp+" + rabbit_url()


def unique(name):
    return f"{name}-{uuid.uuid4().hex[:12]}"


def make_conf():
    # Parts of oslo.messaging read the global configuration whatever they are given.
    cfg.CONF([], project="test", default_config_files=[])
    conf = cfg.ConfigOpts()
    conf([], project="test", default_config_files=[])
    # These are looked for in whatever configuration a transport is given.
    conf.register_opts(metrics.oslo_messaging_metrics, group="oslo_messaging_metrics")
    if tracing is not None:
        conf.register_opts(tracing.oslo_messaging_tracing, group="oslo_messaging_tracing")
    # Upstream's thread for metrics would hold up the end of each program for ten seconds.
    conf.set_override("metrics_thread_stop_timeout", 0, group="oslo_messaging_metrics")
    return conf


def rpc_transport(url, rabbit_options=None, **options):
    """`rabbit_options` are set after the transport was made, and before it is used."""
    return _make(oslo_messaging.get_rpc_transport, url, rabbit_options, options)


def notification_transport(url, rabbit_options=None, **options):
    return _make(oslo_messaging.get_notification_transport, url, rabbit_options, options)


def _make(make, url, rabbit_options, options):
    conf = make_conf()
    transport = make(conf, url, **options)
    for name, value in (rabbit_options or {}).items():
        conf.set_override(name, value, group="oslo_messaging_rabbit")
    return transport


@contextlib.contextmanager
def cleaned_up(transport):
    try:
        yield transport
    finally:
        transport.cleanup()


@contextlib.contextmanager
def rpc_server(transport, endpoint, topic, server="one", executor="threading", exchange=None):
    target = oslo_messaging.Target(topic=topic, server=server, exchange=exchange)
    running = oslo_messaging.get_rpc_server(transport, target, [endpoint], executor=executor)
    running.start()
    try:
        yield running
    finally:
        running.stop()
        running.wait()


def client(transport, topic, timeout=LIMIT, **options):
    target = {
        name: options.pop(name) for name in ("exchange", "server", "fanout") if name in options
    }
    return oslo_messaging.get_rpc_client(
        transport, oslo_messaging.Target(topic=topic, **target), timeout=timeout, **options
    )


class NotifierContext(dict):
    """Notifiers of 18.3.1 send no context that does not say what of it may be sent."""

    def redacted_copy(self):
        return dict(self)


class Collector:
    """An endpoint of notifications, batches too: what it gets is in `items`."""

    def __init__(self, answer=None):
        self.items = queue.Queue()
        self.answer = answer

    def info(self, *arguments):
        self.items.put(arguments)
        return self.answer

    def get(self):
        return self.items.get(timeout=LIMIT)


@contextlib.contextmanager
def notification_listener(transport, topic, endpoint, batch=None, **options):
    targets = [oslo_messaging.Target(topic=topic)]
    if batch is None:
        listener = oslo_messaging.get_notification_listener(
            transport, targets, [endpoint], executor="threading", **options
        )
    else:
        size, timeout = batch
        listener = oslo_messaging.get_batch_notification_listener(
            transport,
            targets,
            [endpoint],
            executor="threading",
            batch_size=size,
            batch_timeout=timeout,
            **options,
        )
    listener.start()
    try:
        yield listener
    finally:
        listener.stop()
        listener.wait()


def notifier(transport, topic, driver="messagingv2", **options):
    return oslo_messaging.Notifier(
        transport, publisher_id="test", driver=driver, topics=[topic], **options
    )


def wait_until(condition, what, limit=LIMIT):
    """For states that nothing announces."""
    changed = threading.Event()
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"It did not come to this: {what}")
        changed.wait(0.02)
