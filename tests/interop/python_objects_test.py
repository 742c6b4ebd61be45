"""What Python's driver asks of a broker, seen without one: docs/wire/rabbitmq.md.

It runs over kombu's transport within a process, whose channels note what they are asked for.
"""

import contextlib
import importlib.metadata
import os
import tempfile
import types
import unittest
import uuid
from unittest import mock

import oslo_messaging
from amqp import exceptions as amqp_errors
from kombu.transport import memory, virtual
from oslo_concurrency import lockutils
from oslo_config import cfg
from oslo_messaging._drivers import amqpdriver, common, impl_rabbit

OLD = importlib.metadata.version("oslo.messaging") == "14.0.3"
METHODS = ["exchange_declare", "queue_declare", "queue_bind", "basic_qos", "basic_consume"]
EXPIRES = {"x-expires": 1_800_000}


@contextlib.contextmanager
def noting(methods):
    """A list of what channels are asked for, (method, arguments by position and by name)."""
    asked = []

    def note(name):
        real = getattr(virtual.Channel, name)

        def noted(channel, *arguments, **named):
            asked.append((name, arguments, named))
            return real(channel, *arguments, **named)

        return mock.patch.object(virtual.Channel, name, noted)

    with contextlib.ExitStack() as stack:
        for name in methods:
            stack.enter_context(note(name))
        yield asked


@contextlib.contextmanager
def driver(query=""):
    """One of its own, on a broker that has nothing yet."""
    memory.Transport.global_state.clear()
    memory.Channel.queues.clear()
    conf = cfg.ConfigOpts()
    conf([])
    transport = oslo_messaging.get_rpc_transport(conf, url=f"kombu+memory:////?{query}")
    try:
        yield transport._driver
    finally:
        transport.cleanup()


@contextlib.contextmanager
def connection(purpose, query=""):
    with driver(query) as d, d._get_connection(purpose) as pooled:
        yield pooled.connection


def listening(query=""):
    """What a server and a client declare and consume."""
    with noting(METHODS) as asked, connection(common.PURPOSE_LISTEN, query) as c:
        for queue in ("T", "T.S"):
            c.declare_topic_consumer("X", queue, print)
        c.declare_fanout_consumer("T", print)
        c.declare_direct_consumer("reply_x", print)
        with contextlib.suppress(common.Timeout):
            c.consume(timeout=0.01)
        return asked


def exchanges_of(asked):
    """name: (type, durable, auto_delete)"""
    return {
        a["exchange"]: (a["type"], a["durable"], a["auto_delete"])
        for name, _, a in asked
        if name == "exchange_declare"
    }


def queues_of(asked):
    """name: (durable, auto_delete, arguments in their order); what is random is cut off."""
    return {
        a["queue"][:9]: (a["durable"], a["auto_delete"], list((a["arguments"] or {}).items()))
        for name, _, a in asked
        if name == "queue_declare"
    }


class Listening(unittest.TestCase):
    def test_defaults(self):
        asked = listening()
        self.assertEqual(
            exchanges_of(asked),
            {"X": ("topic", False, False), "T_fanout": ("fanout", False, True)},
        )
        self.assertEqual(
            queues_of(asked),
            {
                "T": (False, False, []),
                "T.S": (False, False, []),
                "T_fanout_": (False, False, list(EXPIRES.items())),
                "reply_x": (False, False, list(EXPIRES.items())),
            },
        )
        for name, _, named in asked:
            for flag in ("passive", "exclusive", "nowait", "no_ack"):
                self.assertFalse(named.get(flag), f"{name} {flag}")

    def test_names_and_bindings(self):
        asked = listening()
        fanout = next(a["queue"] for name, _, a in asked if a.get("queue", "").startswith("T_f"))
        self.assertRegex(fanout, "^T_fanout_[0-9a-f]{32}$")
        bound = [
            (a["queue"], a["exchange"], a["routing_key"])
            for name, _, a in asked
            if name == "queue_bind"
        ]
        self.assertEqual(bound, [("T", "X", "T"), ("T.S", "X", "T.S"), (fanout, "T_fanout", "T")])
        with driver() as d:
            reply_queue = d._get_reply_q()
            self.assertRegex(reply_queue, "^reply_[0-9a-f]{32}$")
            self.assertEqual(d._get_reply_q(), reply_queue)

    def test_everything_is_declared_before_the_first_is_consumed(self):
        asked = listening()
        order = [name for name, _, _ in asked]
        one = ["exchange_declare", "queue_declare", "queue_bind"]
        self.assertEqual(order, one * 3 + ["queue_declare"] + ["basic_consume"] * 4)
        tags = [a["consumer_tag"] for name, _, a in asked if name == "basic_consume"]
        self.assertEqual(tags, ["1", "2", "3", "4"])

    def test_durable_and_auto_delete_reach_shared_objects_only(self):
        asked = listening("amqp_durable_queues=true&amqp_auto_delete=true")
        self.assertEqual(
            exchanges_of(asked), {"X": ("topic", True, True), "T_fanout": ("fanout", False, True)}
        )
        queues = queues_of(asked)
        for name in ("T", "T.S"):
            self.assertEqual(queues[name], (True, True, []))
        for name in ("T_fanout_", "reply_x"):
            self.assertEqual(queues[name], (False, False, list(EXPIRES.items())))

    def test_quorum(self):
        letters = "quroum" if OLD else "quorum"
        limits = (
            f"rabbit_quorum_queue=true&rabbit_quorum_delivery_limit=3"
            f"&rabbit_{letters}_max_memory_length=100&rabbit_{letters}_max_memory_bytes=1000"
        )
        kind = [
            ("x-queue-type", "quorum"),
            ("x-delivery-limit", 3),
            ("x-max-in-memory-length", 100),
            ("x-max-in-memory-bytes", 1000),
        ]
        asked = listening(limits)
        self.assertEqual(
            exchanges_of(asked), {"X": ("topic", True, False), "T_fanout": ("fanout", False, True)}
        )
        queues = queues_of(asked)
        self.assertEqual(queues["T"], (True, False, kind))
        self.assertEqual(queues["reply_x"], (False, False, list(EXPIRES.items())))
        if OLD:
            return
        asked = listening(limits + "&rabbit_transient_quorum_queue=true")
        self.assertEqual(exchanges_of(asked)["T_fanout"], ("fanout", True, True))
        for name in ("T_fanout_", "reply_x"):
            self.assertEqual(queues_of(asked)[name], (True, False, kind + list(EXPIRES.items())))

    def test_mirrored(self):
        queues = queues_of(listening("rabbit_ha_queues=true"))
        everywhere = [("x-ha-policy", "all")]
        self.assertEqual(queues["T"], (False, False, everywhere))
        self.assertEqual(queues["reply_x"], (False, False, everywhere + list(EXPIRES.items())))

    def test_prefetch_and_cancel_on_failover(self):
        asked = listening("rabbit_qos_prefetch_count=7&enable_cancel_on_failover=true")
        self.assertEqual(asked[0], ("basic_qos", (0, 7, False), {}))
        arguments = [a["arguments"] for name, _, a in asked if name == "basic_consume"]
        self.assertEqual(arguments, [{"x-cancel-on-ha-failover": True}] * 4)
        self.assertNotIn("basic_qos", [name for name, _, _ in listening()])


class NewIn18(unittest.TestCase):
    """Streams and stable names."""

    OPTIONS = {"rabbit_transient_quorum_queue", "rabbit_stream_fanout", "use_queue_manager"}

    def test_are_options_of_18_only(self):
        names = {option.name for option in impl_rabbit.rabbit_opts}
        self.assertEqual(names & self.OPTIONS, set() if OLD else self.OPTIONS)

    def test_the_time_to_live_may_be_nought_in_18(self):
        option = next(
            o for o in impl_rabbit.rabbit_opts if o.name == "rabbit_transient_queues_ttl"
        )
        self.assertEqual(option.type.min, 1 if OLD else 0)
        if not OLD:
            queues = queues_of(listening("rabbit_transient_queues_ttl=0"))
            self.assertEqual(queues["reply_x"], (False, False, []))

    @unittest.skipIf(OLD, "14.0.3 has no streams")
    def test_streams(self):
        query = (
            "rabbit_stream_fanout=true&rabbit_transient_quorum_queue=true"
            "&rabbit_qos_prefetch_count=1"
        )
        asked = listening(query)
        self.assertEqual(exchanges_of(asked)["T_fanout"], ("fanout", True, True))
        self.assertEqual(
            queues_of(asked)["T_fanout"],
            (True, False, [("x-queue-type", "stream"), ("x-max-age", "1800s")]),
        )
        self.assertEqual(
            queues_of(listening(query + "&rabbit_transient_queues_ttl=0"))["T_fanout"],
            (True, False, [("x-queue-type", "stream")]),
        )
        consumed = [a for name, _, a in asked if name == "basic_consume"]
        self.assertEqual(
            [a["arguments"] for a in consumed if a["queue"] == "T_fanout"],
            [{"x-stream-offset": "last"}],
        )
        with connection(common.PURPOSE_LISTEN, query) as c:
            c.declare_fanout_consumer("T", lambda message: None)
            (consumer,) = c._consumers
            message = types.SimpleNamespace(headers={"x-stream-offset": 41}, payload={})
            with mock.patch.object(consumer.queue.channel, "message_to_python", lambda m: m):
                consumer._callback(message)
            self.assertEqual(consumer.next_stream_offset, 42)

    @unittest.skipIf(OLD, "14.0.3 has no such names")
    def test_stable_names(self):
        host = "wire-" + uuid.uuid4().hex
        counter = f"/dev/shm/{host}_p_qmanager"
        self.addCleanup(os.remove, counter)
        with tempfile.TemporaryDirectory() as folder:
            lockutils.set_defaults(folder)
            managers = [amqpdriver.QManager(host, "p") for _ in range(2)]
            names = [m.get() for m in managers for _ in range(2)]
            with open(counter, "w", encoding="utf-8") as file:
                file.write("1:4:1")  # of a service that ran before
            names.append(managers[0].get())
        self.assertEqual(names, [f"{host}:p:{n}" for n in (1, 2, 3, 4, 1)])


class Publishing(unittest.TestCase):
    def sent(self, send, query=""):
        """Requests before the message, exchange, routing key, mandatory, message."""
        with connection(common.PURPOSE_SEND, query) as c:
            with noting(METHODS + ["basic_publish"]) as asked:
                send(c)
        *before, (_, (message,), how) = asked
        before = [(name, a.get("exchange"), a.get("queue")) for name, _, a in before]
        return before, how["exchange"], how["routing_key"], how["mandatory"], message

    def test_ways(self):
        declared = [("exchange_declare", "X", None)]
        strict = oslo_messaging.TransportOptions(at_least_once=True)
        for send, expected in (
            (lambda c: c.topic_send("X", "T", {}), (declared, "X", "T", False)),
            (
                lambda c: c.topic_send("X", "T.S", {}, transport_options=strict),
                (declared, "X", "T.S", True),
            ),
            (
                lambda c: c.fanout_send("T", {}),
                ([("exchange_declare", "T_fanout", None)], "T_fanout", "", False),
            ),
            (lambda c: c.direct_send("reply_x", {}), ([], "", "reply_x", True)),
        ):
            self.assertEqual(self.sent(send)[:4], expected)
        lenient = self.sent(lambda c: c.direct_send("reply_x", {}), "direct_mandatory_flag=false")
        self.assertFalse(lenient[3])

    def test_a_notifier_declares_its_queue(self):
        before, *where, _ = self.sent(lambda c: c.notify_send("X", "N.info", {}))
        self.assertEqual(where, ["X", "N.info", False])
        self.assertEqual(
            [step for step in before if step[0] != "exchange_declare"],
            [("queue_declare", None, "N.info"), ("queue_bind", "X", "N.info")],
        )

    def test_properties(self):
        message = self.sent(lambda c: c.topic_send("X", "T", {}, timeout=1.5))[4]
        self.assertEqual(message["content-type"], "application/json")
        self.assertEqual(message["content-encoding"], "utf-8")
        self.assertEqual(message["headers"], {})
        transport_of_kombu = {"delivery_info", "body_encoding", "delivery_tag"}
        properties = {k: v for k, v in message["properties"].items() if k not in transport_of_kombu}
        self.assertEqual(properties, {"delivery_mode": 2, "priority": 0, "expiration": "1500"})
        message = self.sent(lambda c: c.topic_send("X", "T", {}))[4]
        self.assertNotIn("expiration", message["properties"])

    def test_an_exchange_is_declared_once(self):
        def twice(c):
            for _ in range(2):
                c.topic_send("X", "T", {})

        with connection(common.PURPOSE_SEND) as c, noting(["exchange_declare"]) as asked:
            twice(c)
        self.assertEqual(len(asked), 1)


class Disagreement(unittest.TestCase):
    """The broker refuses a declaration."""

    def declared(self, error):
        """What a consumer asks for when the first queue.declare fails: durable, or "deleted"."""
        asked = []

        class Queue:
            def __init__(self, durable, **_):
                self.durable = durable

            def declare(self):
                asked.append(self.durable)
                if len(asked) == 1:
                    raise error

            def delete(self):
                asked.append("deleted")

        consumer = impl_rabbit.Consumer("X", "T", "T", "topic", True, False, False, print)
        conn = mock.Mock()
        conn.connection.channel_errors = (amqp_errors.ChannelError,)
        with mock.patch.object(impl_rabbit.kombu.entity, "Queue", Queue):
            try:
                consumer.declare(conn)
            except amqp_errors.ChannelError:
                asked.append("failed")
        return asked

    def test_about_durable(self):
        text = "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'T'"
        self.assertEqual(
            self.declared(amqp_errors.PreconditionFailed(text)),
            [True, "failed"] if OLD else [True, False],
        )
        other = text.replace("durable", "auto_delete")
        self.assertEqual(self.declared(amqp_errors.PreconditionFailed(other)), [True, "failed"])

    def test_of_a_publisher_about_durable(self):
        asked = []

        def refuse(channel, *_, durable=False, **__):
            asked.append(durable)
            if durable:
                raise amqp_errors.PreconditionFailed(
                    "PRECONDITION_FAILED - inequivalent arg 'durable' for exchange 'X'"
                )

        with connection(common.PURPOSE_SEND, "amqp_durable_queues=true") as c:
            with mock.patch.object(virtual.Channel, "exchange_declare", refuse):
                if OLD:
                    with self.assertRaises(Exception):
                        c.topic_send("X", "T", {}, retry=0)
                else:
                    c.topic_send("X", "T", {}, retry=0)
        self.assertEqual(asked, [True] if OLD else [True, False])

    def test_a_queue_whose_node_is_away(self):
        self.assertEqual(
            self.declared(amqp_errors.NotFound("home node of durable queue is down")),
            [True, True] if OLD else [True, "deleted", True],
        )


if __name__ == "__main__":
    unittest.main()
