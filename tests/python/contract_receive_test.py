"""What servers and listeners see: the same cases over upstream's driver and over the core."""

import os
import threading
import unittest

import kombu
import oslo_messaging
from buses import (
    LIMIT,
    Broker,
    Collector,
    NotifierContext,
    both,
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
from oslo_messaging._drivers import base


def queue_state(*columns):
    """Columns of each queue of the broker, by name."""
    text = Broker(os.environ["OSLO_TEST_BROKER_DIR"]).ask(
        "list_queues", "--no-table-headers", "--silent", "name", *columns
    )
    return {row.split("\t")[0]: row.split("\t")[1:] for row in text.splitlines()}


class Slow:
    """An endpoint whose requests wait."""

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.release = threading.Event()
        self.done = []

    def work(self, ctxt, number):
        self.begun.release()
        self.release.wait(LIMIT)
        self.done.append(number)


class Cases:
    def rpc(self, **options):
        transport = rpc_transport(self.url(), **options)
        self.addCleanup(transport.cleanup)
        return transport

    def notifications(self, **options):
        transport = notification_transport(self.url(), **options)
        self.addCleanup(transport.cleanup)
        return transport

    def incoming_request(self, transport, topic, send):
        """The message that `send` sends, as a server gets it."""
        target = oslo_messaging.Target(topic=topic, server="one")
        listener = transport._listen(target, 1, None)
        got = []
        arrived = threading.Event()

        def on_incoming(batch):
            got.extend(batch)
            arrived.set()

        listener.start(on_incoming)
        self.addCleanup(listener.cleanup)
        self.addCleanup(listener.stop)
        send()
        self.assertTrue(arrived.wait(LIMIT))
        return got[0]

    # -- requests --------------------------------------------------------------------------------

    def test_the_conf_of_a_transport_is_that_of_its_driver(self):
        transport = self.rpc()
        self.assertIs(transport.conf, transport._driver.conf)
        self.assertEqual(transport.conf.oslo_messaging_rabbit.rabbit_qos_prefetch_count, 0)

    def test_attributes_of_a_request(self):
        transport = self.rpc()
        topic = unique("attributes")
        message = self.incoming_request(
            transport, topic, lambda: client(transport, topic).cast({"user": "ada"}, "work", number=1)
        )
        self.assertEqual(message.message["method"], "work")
        self.assertEqual(message.message["args"], {"number": 1})
        self.assertEqual([k for k in message.message if k.startswith("_")], [])
        self.assertEqual(message.ctxt["user"], "ada")
        self.assertIsNone(message.ctxt["client_timeout"])
        self.assertIsNone(message.client_timeout)
        self.assertEqual(len({message, message}), 1)
        # A cast wants no answer.
        message.reply("nobody")
        message.reply(failure=None)
        message.acknowledge()
        message.requeue()

    def test_a_request_is_acknowledged_when_it_arrives(self):
        transport = self.rpc()
        topic = unique("acknowledged")
        slow = Slow()
        with rpc_server(transport, slow, topic):
            client(transport, topic).cast({}, "work", number=1)
            self.assertTrue(slow.begun.acquire(timeout=LIMIT))
            wait_until(
                lambda: queue_state("messages_unacknowledged")[topic] == ["0"],
                "the queue holds nothing",
            )
            slow.release.set()

    def test_what_a_stopped_server_took_it_works_on(self):
        transport = self.rpc()
        topic = unique("drain")
        slow = Slow()
        with rpc_server(transport, slow, topic) as server:
            for number in range(100):
                client(transport, topic).cast({}, "work", number=number)
            self.assertTrue(slow.begun.acquire(timeout=LIMIT))
            server.stop()
            slow.release.set()
            server.wait()
        first = list(slow.done)
        # The rest is where another server finds it, each once.
        other = Slow()
        other.release.set()
        with rpc_server(transport, other, topic):
            wait_until(lambda: len(other.done) + len(first) >= 100, "all are done")
        self.assertEqual(sorted(first + other.done), list(range(100)))

    def test_a_server_starts_again(self):
        transport = self.rpc()
        topic = unique("again")
        slow = Slow()
        slow.release.set()
        target = oslo_messaging.Target(topic=topic, server="one")
        server = oslo_messaging.get_rpc_server(transport, target, [slow], executor="threading")
        for number in range(2):
            server.start()
            client(transport, topic).call({}, "work", number=number)
            server.stop()
            server.wait()
        self.assertEqual(slow.done, [0, 1])

    def test_options_are_read_when_they_are_needed(self):
        transport = self.rpc(rabbit_options={"amqp_auto_delete": True})
        topic = unique("late")
        # An exchange of its own: it has that property, too.
        with rpc_server(transport, Slow(), topic, exchange=unique("exchange")):
            self.assertEqual(queue_state("auto_delete")[topic], ["true"])

    def test_options_of_the_url_come_first(self):
        transport = rpc_transport(self.url() + "?amqp_auto_delete=true")
        topic = unique("url")
        with cleaned_up(transport), rpc_server(
            transport, Slow(), topic, exchange=unique("exchange")
        ):
            self.assertEqual(queue_state("auto_delete")[topic], ["true"])

    def test_what_cannot_be_loaded_is_a_load_failure(self):
        with self.assertRaises(oslo_messaging.DriverLoadFailure):
            rpc_transport(self.url() + "?rpc_conn_pool_size=1&conn_pool_min_size=2")

    # -- notifications ---------------------------------------------------------------------------

    def test_notifications_of_both_formats(self):
        transport = self.notifications()
        for driver in ("messaging", "messagingv2"):
            topic = unique("formats")
            collector = Collector()
            with notification_listener(transport, topic, collector):
                sent = NotifierContext(user="ada")
                notifier(transport, topic, driver).info(sent, "happened", {"n": 1})
                context, publisher, event, payload, metadata = collector.get()
            self.assertEqual((publisher, event, payload), ("test", "happened", {"n": 1}))
            self.assertEqual(context["user"], "ada")
            self.assertIn("client_timeout", context)
            self.assertEqual(set(metadata), {"message_id", "timestamp"})

    def test_the_envelope_is_for_version_2_and_nothing_else(self):
        transport = self.notifications()
        for version, wrapped in ((2.0, True), (2, True), (1.0, False), (3.0, False), (None, False)):
            topic = unique("envelope")
            with kombu.Connection(rabbit_url().replace("rabbit", "amqp") + "/") as link:
                exchange = kombu.Exchange("openstack", "topic", durable=False)
                queue = kombu.Queue(topic, exchange, topic, durable=False)(link.channel())
                queue.declare()
                target = oslo_messaging.Target(topic=topic)
                transport._send_notification(target, {}, {"payload": 1}, version)
                arrived = []
                wait_until(lambda: arrived.append(queue.get()) or arrived[-1], "it came")
                self.assertEqual("oslo.version" in arrived[-1].payload, wrapped, version)
                arrived[-1].ack()

    def test_requeue_brings_it_again(self):
        transport = self.notifications()
        transport._require_driver_features(requeue=True)
        topic = unique("requeue")
        collector = Collector(oslo_messaging.NotificationResult.REQUEUE)
        with notification_listener(transport, topic, collector, allow_requeue=True):
            notifier(transport, topic).info({}, "happened", 1)
            collector.get()
            collector.answer = oslo_messaging.NotificationResult.HANDLED
            self.assertEqual(collector.get()[3], 1)

    def test_pools_get_a_copy_each(self):
        transport = self.notifications()
        topic = unique("pools")
        ends = [Collector() for _ in range(3)]
        with notification_listener(transport, topic, ends[0]):
            with notification_listener(transport, topic, ends[1], pool=unique("a")):
                with notification_listener(transport, topic, ends[2], pool=unique("b")):
                    notifier(transport, topic).info({}, "happened", 1)
                    for end in ends:
                        self.assertEqual(end.get()[3], 1)

    def test_what_a_listener_did_not_settle_comes_to_the_next(self):
        topic = unique("unsettled")
        first = notification_transport(self.url())
        released = threading.Event()

        class Waiting(Collector):
            def info(self, *arguments):
                self.items.put(arguments)
                released.wait(LIMIT)
                raise RuntimeError("not handled")

        waiting = Waiting()
        with cleaned_up(first):
            with notification_listener(first, topic, waiting, allow_requeue=True):
                notifier(first, topic).info({}, "happened", 1)
                waiting.get()
                second = self.notifications()
                collector = Collector()
                with notification_listener(second, topic, collector):
                    released.set()
                    self.assertEqual(collector.get()[3], 1)

    # -- batches ---------------------------------------------------------------------------------

    def sizes(self, batch, count, **options):
        """Sizes of the batches in which so many notifications come."""
        transport = self.notifications(**options)
        topic = unique("batch")
        sender = notifier(transport, topic)
        collector = Collector()
        # Where they wait.
        with notification_listener(transport, topic, Collector()):
            pass
        for number in range(count):
            sender.info({}, "happened", number)
        sizes, payloads = [], []
        with notification_listener(transport, topic, collector, batch):
            while sum(sizes) < count:
                (messages,) = collector.get()
                sizes.append(len(messages))
                payloads += [m["payload"] for m in messages]
        self.assertEqual(payloads, list(range(count)))
        return sizes

    def test_full_batches_come_at_once(self):
        self.assertEqual(self.sizes((20, LIMIT), 60), [20, 20, 20])

    def test_batches_of_a_thousand(self):
        self.assertEqual(self.sizes((1000, LIMIT), 1000), [1000])

    def test_an_incomplete_batch_comes_after_its_time(self):
        sizes = self.sizes((20, 1), 50)
        self.assertEqual(sizes, [20, 20, 10])

    def test_a_batch_without_a_limit_ends_with_its_time(self):
        self.assertEqual(self.sizes((None, 2), 300), [300])

    def test_prefetch_cuts_a_batch(self):
        sizes = self.sizes((20, 2), 15, rabbit_options={})
        self.assertEqual(sizes, [15])
        transport = notification_transport(self.url() + "?rabbit_qos_prefetch_count=5")
        with cleaned_up(transport):
            listener = transport._listen_for_notifications(
                [(oslo_messaging.Target(topic=unique("cut")), "info")], None, 20, 2
            )
            self.assertEqual(listener.batch_size, 5)
            listener.cleanup()

    def test_a_batch_that_fails_is_given_back_whole(self):
        """Messages are put into a set for that."""
        transport = self.notifications()
        topic = unique("again")

        class Failing(Collector):
            def info(self, messages):
                self.items.put([m["payload"] for m in messages])
                if self.items.qsize() == 1:
                    raise RuntimeError("not this time")

        failing = Failing()
        with notification_listener(transport, topic, failing, (3, LIMIT), allow_requeue=True):
            for number in range(3):
                notifier(transport, topic).info({}, "happened", number)
            wait_until(lambda: failing.items.qsize() >= 2, "the second round")
            self.assertEqual(sorted(failing.get()), sorted(failing.get()))


class Upstream(Cases, unittest.TestCase):
    url = staticmethod(rabbit_url)


class Core(Cases, unittest.TestCase):
    url = staticmethod(core_url)

    def test_a_batch_without_limit_and_time_is_what_is_there(self):
        """Upstream delivers nothing before it is stopped."""
        sizes = self.sizes((None, None), 10)
        self.assertEqual(sum(sizes), 10)

    def test_no_limit_goes_with_a_prefetch(self):
        """Upstream compares None with a number."""
        transport = notification_transport(self.url() + "?rabbit_qos_prefetch_count=5")
        topic = unique("none")
        collector = Collector()
        with cleaned_up(transport):
            with notification_listener(transport, topic, collector, (None, 1)):
                notifier(transport, topic).info({}, "happened", 1)
                (messages,) = collector.get()
        self.assertEqual(len(messages), 1)

    def test_a_listener_that_is_refused_says_so(self):
        """Upstream goes on trying. No TransportDriverError: server.py cannot report one."""
        bad = core_url().rstrip("/") + "/no-such-vhost"
        with cleaned_up(rpc_transport(bad)) as transport:
            target = oslo_messaging.Target(topic="t", server="s")
            server = oslo_messaging.get_rpc_server(transport, target, [Slow()], executor="threading")
            with self.assertRaises(oslo_messaging.MessageDeliveryFailure) as raised:
                server.start()
            self.assertNotIsInstance(raised.exception, base.TransportDriverError)
            self.assertIn("no-such-vhost", str(raised.exception))

    def test_a_heartbeat_says_that_the_caller_is_gone(self):
        """What upstream does then differs from version to version."""
        caller = rpc_transport(self.url())
        topic = unique("gone")

        def call():
            with self.assertRaises(oslo_messaging.MessagingTimeout):
                client(caller, topic, timeout=1, call_monitor_timeout=20).call({}, "work", number=1)

        message = self.incoming_request(self.rpc(), topic, call)
        self.assertEqual(message.client_timeout, 20)
        message.heartbeat()
        caller.cleanup()

        def is_gone():
            try:
                message.heartbeat()
            except oslo_messaging.MessageDeliveryFailure:
                return True
            return False

        wait_until(is_gone, "the heartbeat fails")

    def test_a_driver_that_the_core_does_not_have(self):
        for url in ("cpp+carrier-pigeon://h/", "cpp://h/"):
            with self.assertRaises(oslo_messaging.DriverLoadFailure):
                rpc_transport(url)

    def test_an_option_that_the_core_refuses_is_named(self):
        with self.assertRaises(oslo_messaging.DriverLoadFailure) as raised:
            rpc_transport(core_url() + "?rabbit_login_method=RABBIT-CR-DEMO")
        self.assertIn("rabbit_login_method", str(raised.exception))

    def test_own_options_can_be_set(self):
        transport = rpc_transport(core_url() + "?cpp_unacknowledged_replies=true")
        with cleaned_up(transport):
            self.assertTrue(transport.conf.oslo_messaging_rabbit.cpp_unacknowledged_replies)
            topic = unique("own")
            slow = Slow()
            slow.release.set()
            with rpc_server(transport, slow, topic):
                client(transport, topic).call({}, "work", number=1)

    def test_messages_outlive_their_transport(self):
        transport = rpc_transport(self.url())
        topic = unique("outlive")
        message = self.incoming_request(
            transport, topic, lambda: client(transport, topic).cast({}, "work", number=1)
        )
        transport.cleanup()
        message.acknowledge()
        message.requeue()
        message.reply("late")

    def test_in_one_process_without_a_broker(self):
        with cleaned_up(rpc_transport("cpp+fake://")) as transport:
            slow = Slow()
            slow.release.set()
            with rpc_server(transport, slow, "local"):
                client(transport, "local").call({}, "work", number=7)
            self.assertEqual(slow.done, [7])


def load_tests(loader, _tests, _pattern):
    return both(loader, Core, Upstream)


if __name__ == "__main__":
    unittest.main()
