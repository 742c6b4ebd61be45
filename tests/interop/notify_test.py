"""Notifications between `oslo-msg` and Python's oslo.messaging over RabbitMQ, in every pair."""

import json
import os
import selectors
import subprocess
import sys
import threading
import unittest
import uuid

import forked
import kombu
from programs import oslo_msg, rabbit_url, unique

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = 60
forked.prepare(os.path.join(HERE, "prepared.py"))
PRIORITIES = ["audit", "debug", "info", "warn", "error", "critical", "sample"]
PAYLOADS = [{"x": 1}, {}, [], [1, "two", None], "text", 0, 1.5, True, None, {"ä": {"b": ["😀"]}}]


def cpp():
    return oslo_msg()


def python():
    return [sys.executable, os.path.join(HERE, "peer_notify.py"), "--url", rabbit_url()]


def flags(options):
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            yield from (f"--{name.replace('_', '-')}", str(one))


def without_additions(value):
    """Python's driver puts a key of its own into each context."""
    if value.get("client_timeout", "") is None:
        del value["client_timeout"]
    return value


class Listener:
    """A listening program, from its line "ready" on."""

    def __init__(self, program, *topics, **options):
        self.process = forked.popen(
            [*program, "listen", *topics, *flags(options)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for line in self.process.stderr:
            if line == "ready\n":
                return
        raise AssertionError(f"{program} did not begin to listen")

    def lines(self):
        """All it prints until it ends by itself."""
        out, errors = self.process.communicate(timeout=LIMIT)
        if self.process.returncode != 0:
            raise AssertionError(f"exit code {self.process.returncode}: {errors}")
        return [json.loads(line, object_hook=without_additions) for line in out.splitlines()]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def notify(program, topic, event, payload, **options):
    with forked.popen(
        [*program, "notify", event, json.dumps(payload), "--topic", topic, *flags(options)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            _, errors = process.communicate(timeout=LIMIT)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise AssertionError(errors)


class NotifyCases:
    sender = None
    receiver = None

    def setUp(self):
        self.topic = unique("notify")

    def listener(self, **options):
        return Listener(self.receiver(), self.topic, **options)

    def notify(self, event, payload=None, **options):
        notify(self.sender(), self.topic, event, payload, **options)

    def test_every_priority_in_both_formats(self):
        with self.listener(count=14) as listener:
            for driver in ("messaging", "messagingv2"):
                for priority in PRIORITIES:
                    self.notify(
                        f"{driver}.{priority}",
                        {"n": [1, None, "ü"]},
                        priority=priority,
                        driver=driver,
                        publisher_id="compute.host1",
                        context=json.dumps({"user_id": "u", "roles": ["a"]}),
                    )
            lines = listener.lines()
        expected = {f"{d}.{p}": p for d in ("messaging", "messagingv2") for p in PRIORITIES}
        self.assertEqual({line["event_type"]: line["priority"] for line in lines}, expected)
        for line in lines:
            self.assertEqual(line["payload"], {"n": [1, None, "ü"]})
            self.assertEqual(line["publisher_id"], "compute.host1")
            self.assertEqual(line["context"]["user_id"], "u")
            self.assertEqual(line["context"]["roles"], ["a"])
            self.assertEqual(set(line["metadata"]), {"message_id", "timestamp"})
            self.assertEqual(len(line["metadata"]["message_id"]), 36)
            self.assertRegex(
                line["metadata"]["timestamp"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?$"
            )

    def test_payloads_of_every_kind_wait_for_their_listener(self):
        for number, payload in enumerate(PAYLOADS):
            self.notify(f"event.{number}", payload)
        with self.listener(count=len(PAYLOADS)) as listener:
            lines = listener.lines()
        got = {line["event_type"]: line["payload"] for line in lines}
        self.assertEqual(got, {f"event.{n}": payload for n, payload in enumerate(PAYLOADS)})

    def test_only_the_priorities_that_are_wanted(self):
        with self.listener(count=2, priority=["error", "info"]) as listener:
            for priority in ("warn", "info", "error"):
                self.notify(priority, priority=priority)
            self.assertEqual(
                {line["event_type"] for line in listener.lines()}, {"info", "error"}
            )

    def test_requeue(self):
        with self.listener(count=2, requeue_first=1) as listener:
            self.notify("again")
            first, second = listener.lines()
        self.assertEqual(first["event_type"], "again")
        self.assertEqual(first, second)

    def test_batches(self):
        for number in range(10):
            self.notify(f"event.{number}", number)
        with self.listener(count=10, batch_size=5, batch_timeout=2) as listener:
            self.assertEqual(
                sorted(line["payload"] for line in listener.lines()), list(range(10))
            )

    def test_a_pool_of_both_languages_shares_one_copy(self):
        pool, other = unique("pool"), unique("pool")
        with Listener(cpp(), self.topic, pool=pool, count=1) as one, Listener(
            python(), self.topic, pool=pool, count=1
        ) as two, self.listener(pool=other, count=2) as all_of_it:
            self.notify("first")
            self.notify("second")
            shared = [line["event_type"] for listener in (one, two) for line in listener.lines()]
            whole = [line["event_type"] for line in all_of_it.lines()]
        self.assertEqual(sorted(shared), ["first", "second"])
        self.assertEqual(sorted(whole), ["first", "second"])


class PythonToPython(NotifyCases, unittest.TestCase):
    sender = staticmethod(python)
    receiver = staticmethod(python)


class PythonToCpp(NotifyCases, unittest.TestCase):
    sender = staticmethod(python)
    receiver = staticmethod(cpp)


class CppToPython(NotifyCases, unittest.TestCase):
    sender = staticmethod(cpp)
    receiver = staticmethod(python)


class CppToCpp(NotifyCases, unittest.TestCase):
    sender = staticmethod(cpp)
    receiver = staticmethod(cpp)


class SendNotification(unittest.TestCase):
    """The two programs oslo-messaging-send-notification."""

    def programs(self):
        ours = os.path.join(os.path.dirname(oslo_msg()[0]), "oslo-messaging-send-notification")
        # A console script is named by its package; its code may be in no folder of PATH.
        theirs = "import sys, oslo_messaging.notify.notifier as n; sys.exit(n._send_notification())"
        return [ours], [sys.executable, "-c", theirs]

    def test_write_the_same(self):
        for driver in ("messaging", "messagingv2"):
            with self.subTest(driver):
                ours, theirs = (self.message_of(program, driver) for program in self.programs())
                self.assertEqual(ours, theirs)
                self.assertEqual(ours["priority"], "sample")
                self.assertEqual(ours["payload"], '{"a": "ü"}')

    def message_of(self, program, driver):
        """What a listener would take from the queue, without what differs each time."""
        topics = [unique("send"), unique("send")]
        done = subprocess.run(
            [*program, "--transport-url", rabbit_url(), "--publisher-id", "me", "--driver", driver,
             "--event-type", "ev", "--priority", "sample", "--topic", *topics, "--",
             '{"a": "ü"}'],
            capture_output=True, text=True, timeout=LIMIT, check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        url = rabbit_url().replace("rabbit://", "amqp://")
        messages = []
        with kombu.Connection(url) as connection:
            for topic in topics:
                got = connection.default_channel.basic_get(f"{topic}.sample", no_ack=True)
                message = json.loads(got.body)
                if driver == "messagingv2":
                    self.assertEqual(message["oslo.version"], "2.0")
                    message = json.loads(message["oslo.message"])
                for name, length in (("message_id", 36), ("timestamp", 26), ("_unique_id", 32)):
                    self.assertEqual(len(message.pop(name)), length)
                messages.append(message)
        self.assertEqual(*messages)
        return messages[0]

    def test_reach_listeners_of_both_languages(self):
        for program in self.programs():
            for receiver in (cpp, python):
                topic = unique("send")
                with Listener(receiver(), topic, count=1) as listener:
                    subprocess.run(
                        [*program, "--transport-url", rabbit_url(), "--topic", topic, "--", "text"],
                        timeout=LIMIT, check=True,
                    )  # fmt: skip
                    (line,) = listener.lines()
                self.assertEqual(
                    (line["priority"], line["event_type"], line["payload"], line["publisher_id"]),
                    ("info", "test", "text", None),
                )


class Filters(unittest.TestCase):
    def test_of_listen(self):
        topic = unique("filter")
        rules = {
            "publisher_id": "compute",
            "event_type": "instance",
            "payload": ["state=act", "id=1$"],
            "context": "user_id=u",
        }
        with Listener(cpp(), topic, count=1, **rules) as listener:
            good = {"publisher_id": "compute.1", "context": '{"user_id": "u1"}'}
            payload = {"state": "active", "id": "1"}
            for program in (python, cpp):
                for event, what, options in (
                    ("volume.create", payload, good),
                    ("instance.create", {**payload, "id": "12"}, good),
                    ("instance.create", payload, {**good, "publisher_id": "host.compute"}),
                    ("instance.create", payload, {**good, "context": "{}"}),
                ):
                    notify(program(), topic, event, what, **options)
            notify(cpp(), topic, "instance.delete", payload, **good)
            (line,) = listener.lines()
        self.assertEqual(line["event_type"], "instance.delete")


def cpp_service():
    return [os.environ["OSLO_TEST_NOTIFY"], "--url", rabbit_url()]


class Bus:
    """Messages as no notifier writes them."""

    def __enter__(self):
        self.connection = kombu.Connection(rabbit_url().replace("rabbit://", "amqp://"))
        exchange = kombu.Exchange("openstack", type="topic", durable=False)
        self.producer = self.connection.Producer(exchange=exchange)
        return self

    def publish(self, topic, body, content_type="application/json"):
        body = body if isinstance(body, str) else json.dumps(body)
        self.producer.publish(
            body,
            routing_key=f"{topic}.info",
            content_type=content_type,
            content_encoding="utf-8",
        )

    def __exit__(self, *_):
        self.connection.release()


def notification(**fields):
    """A notification whose fields are given, or None to leave one out."""
    whole = {
        "message_id": "m1",
        "publisher_id": "p1",
        "event_type": "ev",
        "priority": "INFO",
        "payload": {"x": 1},
        "timestamp": "2026-01-02 03:04:05.000006",
        "_unique_id": uuid.uuid4().hex,
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not MISSING}


MISSING = object()


class OddMessages(unittest.TestCase):
    """What no notifier writes: handled as Python does, and nothing else is lost."""

    def lines_of_both(self, messages, count):
        """What a listener in each language prints of the same messages."""
        topic = unique("notify")
        with Listener(cpp(), topic, pool=unique("cpp"), count=count) as ours, Listener(
            python(), topic, pool=unique("python"), count=count
        ) as theirs, Bus() as bus:
            for message in messages:
                bus.publish(topic, *message) if isinstance(message, tuple) else bus.publish(
                    topic, message
                )
            ours, theirs = ours.lines(), theirs.lines()
        # The threads of a listener may overtake each other.
        self.assertEqual(
            *(sorted(json.dumps(line, sort_keys=True) for line in lines) for lines in (ours, theirs))
        )
        return ours

    def test_missing_keys(self):
        names = ["message_id", "publisher_id", "event_type", "payload", "timestamp"]
        messages = [notification(**{name: MISSING}, _context_missing=name) for name in names]
        messages.append(notification(priority=MISSING, event_type="without priority"))
        messages.append(notification(event_type="last"))
        lines = self.lines_of_both(messages, 6)
        self.assertEqual(
            {
                line["context"].get("missing"): (
                    line["metadata"]["message_id"],
                    line["publisher_id"],
                    line["event_type"],
                    line["payload"],
                    line["metadata"]["timestamp"],
                ).index(None)
                for line in lines
                if line["context"]
            },
            {name: place for place, name in enumerate(names)},
        )
        self.assertNotIn("without priority", [line["event_type"] for line in lines])

    def test_nulls(self):
        names = ["message_id", "publisher_id", "event_type", "payload", "timestamp"]
        lines = self.lines_of_both([notification(**{name: None}) for name in names], 5)
        self.assertEqual(sum(line["publisher_id"] is None for line in lines), 1)

    def test_what_is_no_notification(self):
        lines = self.lines_of_both(
            [
                "not JSON at all",
                "[1, 2]",
                "",
                '{"oslo.version": "2.0", "oslo.message": "{"}',
                notification(priority="LOUD", event_type="loud"),
                notification(priority="", event_type="silent"),
                (json.dumps(notification(event_type="plain")), "text/plain"),
                (json.dumps(notification(event_type="binary")), "application/octet-stream"),
                notification(event_type="last", payload=5),
            ],
            1,
        )
        self.assertEqual([(line["event_type"], line["payload"]) for line in lines], [("last", 5)])

    def test_a_null_priority_is_an_unknown_one(self):
        # Python's dispatcher raises, so that the message is lost, or comes for ever with
        # allow_requeue.
        topic = unique("notify")
        with Listener(cpp(), topic, count=1) as listener, Bus() as bus:
            bus.publish(topic, notification(priority=None, event_type="odd"))
            bus.publish(topic, notification(priority=5, event_type="odd"))
            bus.publish(topic, notification(event_type="last"))
            self.assertEqual([line["event_type"] for line in listener.lines()], ["last"])


class SharedPools(unittest.TestCase):
    def test_each_message_exactly_once(self):
        topic, pool, total = unique("notify"), unique("pool"), 200
        with Listener(cpp(), topic, pool=pool) as ours, Listener(
            python(), topic, pool=pool
        ) as theirs, Listener(cpp(), topic, pool=unique("pool"), count=total) as all_of_it:
            with Bus() as bus:
                for number in range(total):
                    bus.publish(topic, notification(payload=number))
            self.assertEqual(len(all_of_it.lines()), total)
            got = {ours: b"", theirs: b""}
            with selectors.DefaultSelector() as waiting:
                for listener in got:
                    waiting.register(listener.process.stdout, selectors.EVENT_READ, listener)
                while sum(text.count(b"\n") for text in got.values()) < total:
                    ready = waiting.select(LIMIT)
                    self.assertTrue(ready, "nothing more comes")
                    for key, _ in ready:
                        got[key.data] += os.read(key.fd, 1 << 16)
            for listener in got:
                listener.process.terminate()
                rest, _ = listener.process.communicate(timeout=LIMIT)
                self.assertEqual(rest, "")
            payloads = []
            for text in got.values():
                self.assertNotEqual(text, b"", "a listener had no share")
                payloads += [json.loads(line)["payload"] for line in text.splitlines()]
            self.assertEqual(sorted(payloads), list(range(total)))

    def check_requeue(self, giver, taker):
        """What one gives back again and again is the other's to handle."""
        topic, pool = unique("notify"), unique("pool")
        with Listener(giver(), topic, pool=pool, requeue_first=1_000_000_000) as gives, Bus() as bus:
            bus.publish(topic, notification(message_id="given back"))
            first = json.loads(gives.process.stdout.readline(), object_hook=without_additions)
            with Listener(taker(), topic, pool=pool, count=1) as takes:
                # The giver would block on a full pipe.
                drained = threading.Thread(target=gives.process.stdout.read)
                drained.start()
                lines = takes.lines()
            gives.process.kill()
            drained.join()
        self.assertEqual(first, lines[0])
        self.assertEqual(first["metadata"]["message_id"], "given back")

    def test_requeue_from_python_to_cpp(self):
        self.check_requeue(python, cpp)

    def test_requeue_from_cpp_to_python(self):
        self.check_requeue(cpp, python)


class SameFilters(unittest.TestCase):
    """The same rules let the same notifications through in both languages."""

    TEXTS = ["compute.start", "compute", "Compute.start", "a compute.start", "", "größe", "x\ny"]
    RULES = [
        {"event_type": "compute\\."},
        {"event_type": "^compute\\.start$"},
        {"event_type": ""},
        {"event_type": "(?i)compute"},
        {"event_type": ".*start"},
        {"event_type": "gr..e$"},
        {"event_type": "gr\u00f6\u00dfe"},
        {"event_type": "x.y"},
        {"event_type": "(?s)x.y$"},
        {"event_type": "[a-z]{7}\\.s"},
        {"event_type": "compute|a"},
        {"publisher_id": "compute"},
        {"publisher_id": ".*"},
        {"publisher_id": "compute", "event_type": "compute"},
        {"context": {"tenant": "t1"}},
        {"context": {"tenant": ".*", "n": "[0-9]+$"}},
        {"context": {"roles": "admin"}},
        {"metadata": {"message_id": "m1$"}},
        {"metadata": {"timestamp": "2026-01"}},
        {"metadata": {"message_id": "m", "timestamp": "2026"}},
        {"metadata": {"other": ".*"}},
        {"payload": {"state": "active"}},
        {"payload": {"state": "active$", "host": "h"}},
        {"payload": {"state": ".*"}},
        {"payload": {"größe": "ä+"}},
        {"event_type": "compute", "payload": {"state": "act"}, "metadata": {"message_id": "m"}},
        {},
    ]
    PAYLOADS = [
        {"state": "active"},
        {"state": "activex", "host": "h1"},
        {"state": "active", "host": "h1"},
        {"state": "inactive"},
        {"state": 5},
        {"state": None},
        {"state": ["active"]},
        {"state": ""},
        {"größe": "ää"},
        {"größe": "a"},
        {},
        "text",
    ]

    def messages(self):
        for text in self.TEXTS:
            yield {"event_type": text}
            yield {"publisher_id": text}
            yield {"event_type": text, "publisher_id": text}
        for odd in (None, 5, True, [], {}, ["compute.start"], MISSING):
            yield {"event_type": odd}
            yield {"publisher_id": odd}
            yield {"message_id": odd}
            yield {"timestamp": odd}
        for payload in self.PAYLOADS:
            yield {"payload": payload}
            yield {"payload": payload, "event_type": "compute.start"}
        for context in ({"tenant": "t1"}, {"tenant": 1}, {"roles": ["admin"]}, {"roles": "admin"}):
            yield {f"_context_{name}": value for name, value in context.items()}

    def test_odd_cases_match_alike(self):
        topic = unique("notify")
        messages = [
            notification(**fields, _context_n=str(n)) for n, fields in enumerate(self.messages())
        ]
        rules, count = json.dumps(self.RULES), len(messages)
        with Listener(
            cpp_service(), topic, pool=unique("cpp"), count=count, rules=rules
        ) as ours, Listener(
            python(), topic, pool=unique("python"), count=count, rules=rules
        ) as theirs, Bus() as bus:
            for message in messages:
                bus.publish(topic, message)
            matched = [
                {(line["rule"], line["n"]) for line in listener.lines() if "rule" in line}
                for listener in (ours, theirs)
            ]
        for rule, n in sorted(matched[0] ^ matched[1]):
            where = "C++" if (rule, n) in matched[0] else "Python"
            print(f"only in {where}: {self.RULES[rule]} {messages[n]}", file=sys.stderr)
        self.assertEqual(matched[0], matched[1])
        hit = {rule for rule, _ in matched[0]}
        idle = [rules for number, rules in enumerate(self.RULES) if number not in hit]
        # No dot matches a line break, and there is no such key.
        self.assertEqual(idle, [{"event_type": "x.y"}, {"metadata": {"other": ".*"}}])


class DeadLetters(unittest.TestCase):
    def test_python_reads_them_as_notifications(self):
        topic, graveyard = unique("notify"), unique("dead")
        with Listener(
            cpp_service(),
            topic,
            pool=unique("pool"),
            fail="poison",
            after=3,
            dead_letters=graveyard,
            count=4,
        ) as listener, Listener(python(), graveyard, count=1) as theirs:
            notify(
                python(),
                topic,
                "poison",
                {"x": [1, None, "ü"]},
                publisher_id="p",
                context=json.dumps({"user_id": "u"}),
            )
            line = theirs.lines()[0]
            notify(cpp(), topic, "good", {})
            events = [line["event_type"] for line in listener.lines()]
        self.assertEqual(line["event_type"], "poison")
        self.assertEqual(line["priority"], "info")
        self.assertEqual(line["publisher_id"], "p")
        self.assertEqual(line["payload"], {"x": [1, None, "ü"]})
        self.assertEqual(line["context"]["user_id"], "u")
        self.assertEqual(len(line["metadata"]["message_id"]), 36)
        self.assertEqual(events, ["poison"] * 3 + ["good"])

    def test_they_say_why(self):
        topic, graveyard = unique("notify"), unique("dead")
        with Listener(
            cpp_service(), topic, pool=unique("pool"), fail="poison", after=1, dead_letters=graveyard
        ), Bus() as bus:
            bus.publish(topic, notification(event_type="poison"))
            message = first_in(bus.connection, f"{graveyard}.info")
        self.assertEqual(message.headers["oslo-dead-letter-error"], "as it was told")
        self.assertEqual(message.headers["oslo-dead-letter-requeues"], "1")
        self.assertEqual(message.content_type, "application/json")


def first_in(connection, queue):
    """Waits for a message of a queue that may not exist yet."""
    got = []
    queue = kombu.Queue(
        queue, kombu.Exchange("openstack", type="topic", durable=False), queue, durable=False
    )
    with connection.Consumer(queue, callbacks=[lambda _, message: got.append(message)]):
        while not got:
            connection.drain_events(timeout=LIMIT)
    got[0].ack()
    return got[0]


if __name__ == "__main__":
    unittest.main()
