"""Notifications between `oslo-msg` and Python's oslo.messaging over RabbitMQ, in every pair."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

import kombu
from programs import oslo_msg, rabbit_url, unique

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = 60
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


class Listener:
    """A listening program, from its line "ready" on."""

    def __init__(self, program, *topics, **options):
        self.process = subprocess.Popen(
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
        return [json.loads(line) for line in out.splitlines()]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def notify(program, topic, event, payload, **options):
    done = subprocess.run(
        [*program, "notify", event, json.dumps(payload), "--topic", topic, *flags(options)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(done.stderr)


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


class SameOptions(unittest.TestCase):
    """Programs that declare the same properties share queues, whatever language they are in."""

    def check(self, sender, receiver, *options):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write(f"[DEFAULT]\ncontrol_exchange = {unique('exchange')}\n")
            file.write("[oslo_messaging_rabbit]\n" + "".join(f"{o} = true\n" for o in options))
            file.flush()
            more = ["--config-file", file.name]
            topic = unique("notify")
            with Listener([*receiver(), *more], topic, count=2, priority="info") as listener:
                for program in (sender, receiver):
                    notify([*program(), *more], topic, "event", {"x": 1})
                self.assertEqual([line["payload"] for line in listener.lines()], [{"x": 1}] * 2)

    def test_durable(self):
        self.check(cpp, python, "amqp_durable_queues")
        self.check(python, cpp, "amqp_durable_queues")

    def test_auto_delete(self):
        self.check(cpp, python, "amqp_auto_delete")
        self.check(python, cpp, "amqp_auto_delete")

    def test_both(self):
        self.check(cpp, python, "amqp_durable_queues", "amqp_auto_delete")
        self.check(python, cpp, "amqp_durable_queues", "amqp_auto_delete")


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


class OddMessages(unittest.TestCase):
    """What no notifier writes must not stop a listener."""

    def test_are_survived(self):
        topic = unique("notify")
        with Listener(cpp(), topic, count=2) as listener, kombu.Connection(
            rabbit_url().replace("rabbit://", "amqp://")
        ) as connection:
            exchange = kombu.Exchange("openstack", type="topic", durable=False)
            producer = connection.Producer(exchange=exchange, routing_key=f"{topic}.info")

            def publish(body, content_type="application/json"):
                producer.publish(body, content_type=content_type, content_encoding="utf-8")

            publish("not JSON at all")
            publish("[1, 2]")
            publish('{"oslo.version": "2.0", "oslo.message": "{"}')
            publish('{"priority": "LOUD", "event_type": "odd"}')
            publish('{"event_type": "no priority"}')
            publish('{"priority": "INFO"}')
            publish('{"priority": "INFO", "event_type": "plain"}', content_type="text/plain")
            publish('{"priority": "INFO", "event_type": "last", "payload": 5}')
            lines = listener.lines()
        self.assertEqual(
            [(line["event_type"], line["publisher_id"], line["payload"]) for line in lines],
            [(None, None, None), ("last", None, 5)],
        )


if __name__ == "__main__":
    unittest.main()
