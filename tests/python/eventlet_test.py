"""The driver under eventlet: one hub, green threads, and threads of the system beside it."""

import eventlet

eventlet.monkey_patch()

import os  # noqa: E402
import queue  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
import unittest  # noqa: E402

import oslo_messaging  # noqa: E402
from buses import (  # noqa: E402
    LIMIT,
    Broker,
    Collector,
    cleaned_up,
    client,
    core_url,
    notification_listener,
    notification_transport,
    notifier,
    rabbit_url,
    rpc_server,
    rpc_transport,
    unique,
    wait_until,
)
from eventlet import tpool  # noqa: E402
from oslo_messaging_cpp import waiting  # noqa: E402

real_time = eventlet.patcher.original("time")


class Endpoint:
    def __init__(self):
        self.threads = set()

    def echo(self, ctxt, value):
        self.threads.add(threading.get_ident())
        return value

    def sleep(self, ctxt, seconds):
        time.sleep(seconds)
        return seconds


class Green(unittest.TestCase):
    def setUp(self):
        eventlet.hubs.get_hub()
        self.transport = rpc_transport(core_url())
        self.addCleanup(self.transport.cleanup)
        self.topic = unique("green")
        self.endpoint = Endpoint()
        server = rpc_server(self.transport, self.endpoint, self.topic, executor="eventlet")
        server.__enter__()
        self.addCleanup(server.__exit__, None, None, None)
        self.client = client(self.transport, self.topic)

    def test_client_and_server_share_one_thread(self):
        self.assertEqual(self.client.call({}, "echo", value=1), 1)

    def test_many_green_threads_call_at_once(self):
        pool = eventlet.GreenPool(200)
        got = list(pool.imap(lambda n: self.client.call({}, "echo", value=n), range(500)))
        self.assertEqual(got, list(range(500)))

    def test_others_run_while_one_waits(self):
        ticks = []

        def tick():
            while True:
                ticks.append(1)
                eventlet.sleep(0.01)

        ticking = eventlet.spawn(tick)
        self.client.call({}, "sleep", seconds=0.5)
        ticking.kill()
        self.assertGreater(len(ticks), 10)

    def test_timeouts_of_calls(self):
        with self.assertRaises(oslo_messaging.MessagingTimeout):
            client(self.transport, self.topic, timeout=0.3).call({}, "sleep", seconds=2)

    def test_timeouts_of_eventlet_and_kills(self):
        with self.assertRaises(eventlet.Timeout):
            with eventlet.Timeout(0.3):
                self.client.call({}, "sleep", seconds=2)
        calling = eventlet.spawn(self.client.call, {}, "sleep", seconds=2)
        eventlet.sleep(0.1)
        calling.kill()
        self.assertEqual(self.client.call({}, "echo", value="after"), "after")

    def test_two_drivers_share_the_reader_of_the_hub(self):
        with cleaned_up(rpc_transport(core_url())) as second:
            self.assertEqual(client(second, self.topic).call({}, "echo", value=2), 2)
            self.assertEqual(self.client.call({}, "echo", value=1), 1)
            hub = eventlet.hubs.get_hub()
            reader = getattr(hub, waiting._ATTRIBUTE)
            descriptor = reader._announcer.descriptor
            links = os.listdir("/proc/self/fd")
            ours = [n for n in links if "eventfd" in _target(n) and int(n) in hub.listeners["read"]]
            self.assertEqual(ours, [str(descriptor)])

    def test_threads_of_the_system_may_call(self):
        got = tpool.execute(self.client.call, {}, "echo", value="from a thread")
        self.assertEqual(got, "from a thread")
        pool = eventlet.GreenPool(10)
        values = list(
            pool.imap(lambda n: tpool.execute(self.client.call, {}, "echo", value=n), range(50))
        )
        self.assertEqual(values, list(range(50)))

    def test_notifications_and_batches(self):
        with cleaned_up(notification_transport(core_url())) as transport:
            topic = unique("green")
            collector = Collector()
            collector.items = queue.Queue()
            # Where they wait.
            with notification_listener(transport, topic, Collector()):
                pass
            for number in range(12):
                notifier(transport, topic).info({}, "happened", number)
            with notification_listener(transport, topic, collector, (5, 1)):
                sizes = [len(collector.get()[0]) for _ in range(3)]
            self.assertEqual(sizes, [5, 5, 2])

    def test_upstream_and_the_core_in_one_process(self):
        with cleaned_up(rpc_transport(rabbit_url())) as upstream:
            self.assertEqual(client(upstream, self.topic).call({}, "echo", value=1), 1)
            other = Endpoint()
            topic = unique("upstream")
            with rpc_server(upstream, other, topic, executor="eventlet"):
                self.assertEqual(client(self.transport, topic).call({}, "echo", value=2), 2)

    def test_a_busy_hub_keeps_its_connection(self):
        """A green thread that never yields, for three heartbeat intervals of one second."""
        url = core_url() + "?heartbeat_timeout_threshold=2"
        with cleaned_up(rpc_transport(url)) as transport:
            one = client(transport, self.topic)
            self.assertEqual(one.call({}, "echo", value=1), 1)
            before = connections()
            end = real_time.monotonic() + 6
            while real_time.monotonic() < end:
                pass
            self.assertEqual(one.call({}, "echo", value=2), 2)
            self.assertEqual(connections(), before)

    def test_the_log_of_the_core_comes_out(self):
        with self.assertLogs("oslo_messaging_cpp", "WARNING") as logs:
            with cleaned_up(rpc_transport("cpp+rabbit://guest:guest@127.0.0.1:1/")) as nowhere:
                with self.assertRaises(oslo_messaging.MessagingTimeout):
                    client(nowhere, "t", timeout=1).call({}, "echo", value=1)
                wait_until(lambda: any("127.0.0.1:1" in line for line in logs.output), "a line")


def _target(descriptor):
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


def connections():
    """Names of this process's connections at the broker, with the ports."""
    broker = Broker(os.environ["OSLO_TEST_BROKER_DIR"])
    rows = tpool.execute(
        broker.ask, "list_connections", "--silent", "--no-table-headers", "name", "client_properties"
    )
    return sorted(row.split("\t")[0] for row in rows.splitlines() if f":{os.getpid()}:" in row)


if __name__ == "__main__":
    unittest.main()
