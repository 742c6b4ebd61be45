"""Ceilometer, a real consumer of notifications, and what its own tests take for notifications."""

import ast
import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

import oslo_messaging
from notify_test import LIMIT, Listener, cpp
from oslo_config import cfg
from programs import rabbit_url, unique

HERE = pathlib.Path(__file__).resolve().parent
MESSAGES = 150


def driver_url():
    """OSLO_TEST_PYTHON_DRIVER: what stands before the URL, "cpp+" for the driver of python/."""
    return os.environ.get("OSLO_TEST_PYTHON_DRIVER", "") + rabbit_url()


class Ceilometer:
    """Its notification service, as a process."""

    def __init__(self, exchange, topic):
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [sys.executable, HERE / "ceilometer_peer.py", "--url", driver_url(), "--exchange",
             exchange, "--topic", topic, "--folder", self.folder.name],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait_until_ready(self):
        """A library of its prints something, too."""
        for line in self.process.stdout:
            if line == "ready\n":
                return
        raise AssertionError(f"Ceilometer ended with {self.process.wait(LIMIT)}.")

    def next(self):
        """The next sample or event."""
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"Ceilometer ended with {self.process.wait(LIMIT)}.")
        return json.loads(line)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(LIMIT)
        self.close()
        return code

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()


class CppToCeilometer(unittest.TestCase):
    """What our agent sends is what Ceilometer's pipelines make samples and events of."""

    def test_samples_and_events(self):
        exchange, topic = unique("exchange"), unique("topic")
        durable = tempfile.NamedTemporaryFile("w", suffix=".conf")
        self.addCleanup(durable.close)
        durable.write("[oslo_messaging_rabbit]\namqp_durable_queues = true\n")
        durable.flush()
        ceilometer = Ceilometer(exchange, topic)
        self.addCleanup(ceilometer.close)
        ceilometer.wait_until_ready()
        with tempfile.TemporaryDirectory() as folder, Listener(
            [*cpp(), "--config-file", durable.name],
            topic, exchange=exchange, pool=unique("pool"), count=MESSAGES,
        ) as witness:  # fmt: skip
            subprocess.run(
                [os.environ["OSLO_TEST_AGENT"], "--url", rabbit_url(), "--exchange", exchange,
                 "--topic", topic, "--count", str(MESSAGES), "--ledger", f"{folder}/ledger"],
                check=True, timeout=LIMIT, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            sent = witness.lines()
        samples = {s["message_id"]: s
                   for m in sent if m["event_type"] == "telemetry.polling"
                   for s in m["payload"]["samples"]}  # fmt: skip
        events = {m["metadata"]["message_id"]: m
                  for m in sent
                  if m["priority"] == "info" and m["event_type"] != "telemetry.polling"}  # fmt: skip
        errors = [m for m in sent if m["priority"] == "error"]
        self.assertGreater(min(len(samples), len(events), len(errors)), 5)

        # Its meter definitions make further samples of the events: they have ids of their own.
        got_samples, got_events, derived = {}, {}, 0
        while len(got_samples) < len(samples) or len(got_events) < len(events) + len(errors):
            one = ceilometer.next()
            if "traits" in one:
                got_events[one["message_id"]] = one
            elif one["id"] in samples:
                got_samples[one["id"]] = one
            else:
                derived += 1
        self.assertGreater(derived, 0)
        for key, sample in samples.items():
            got = got_samples[key]
            for ours, theirs in (("counter_name", "name"), ("counter_type", "type"),
                                 ("counter_unit", "unit"), ("counter_volume", "volume"),
                                 ("resource_id", "resource_id"), ("project_id", "project_id"),
                                 ("timestamp", "timestamp"),
                                 ("resource_metadata", "resource_metadata")):  # fmt: skip
                self.assertEqual(got[theirs], sample[ours])
        for key, event in events.items():
            got = got_events[key]
            self.assertEqual(got["event_type"], event["event_type"])
            self.assertEqual(got["generated"], event["metadata"]["timestamp"])
            traits = {t["name"]: t["value"] for t in got["traits"]}
            payload = event["payload"]
            if event["event_type"].startswith("compute.instance"):
                for name in ("instance_id", "tenant_id", "display_name", "state", "memory_mb"):
                    self.assertEqual(traits[name], payload[name])
            elif event["event_type"].startswith("network."):
                self.assertEqual(traits["resource_id"], payload["network"]["id"])
        self.assertEqual(ceilometer.stop(), 0)


def notifications_of_its_tests():
    """Literals in its tests that look like notifications as an endpoint gets them."""
    package = pathlib.Path(importlib.util.find_spec("ceilometer").origin).parent
    for file in sorted((package / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Dict):
                continue
            try:
                found = ast.literal_eval(node)
            except (ValueError, TypeError):
                continue
            if {"event_type", "payload", "publisher_id"} <= found.keys():
                yield f"{file.relative_to(package)}:{node.lineno}", found


class PythonToCpp(unittest.TestCase):
    def test_notifications_of_its_tests_arrive_unchanged(self):
        found = list(notifications_of_its_tests())
        self.assertGreater(len(found), 5)
        topic = unique("topic")
        conf = cfg.ConfigOpts()
        conf([], project="peer", default_config_files=[])
        transport = oslo_messaging.get_notification_transport(conf, driver_url())
        self.addCleanup(transport.cleanup)
        with Listener(cpp(), topic, count=len(found)) as listener:
            notifier = oslo_messaging.Notifier(transport, driver="messagingv2", topics=[topic])
            for _, message in found:
                one = notifier.prepare(publisher_id=message["publisher_id"])
                one.info({}, message["event_type"], message["payload"])
            lines = listener.lines()
        for (place, sent), got in zip(found, lines):
            with self.subTest(place):
                for key in ("event_type", "publisher_id", "payload"):
                    # As JSON has it: tuples are lists there.
                    self.assertEqual(got[key], json.loads(json.dumps(sent[key])))


if __name__ == "__main__":
    unittest.main()
