"""A real Kafka broken under load: nothing that was confirmed is lost, and what comes twice is counted.

The table of docs/kafka.md has what these cases print.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("tests/chaos", "tests/interop", "examples/ceilometer"):
    sys.path.append(os.path.join(HERE, "..", "..", folder))

from check import check as telemetry_check
from load import Process, let_pass, wait_until
from own_kafka import OwnKafka
from programs import read_line, unique
from total_queue import check, read

COUNT = int(os.environ.get("OSLO_TEST_NOTIFICATIONS", "5000"))
RATE = 5_000
#: A topic that is new is seen soon.
QUICK = "?cpp_rdkafka_consumer.topic.metadata.refresh.interval.ms=300"
#: So is a member of a group that has died.
SHORT_SESSION = "&cpp_rdkafka_consumer.session.timeout.ms=6000"

kafka = None


def setUpModule():
    global kafka
    kafka = unittest.enterModuleContext(
        OwnKafka("faults", "num.partitions=4")
    )


class Faults(unittest.TestCase):
    def setUp(self):
        if not kafka.broker.running():
            kafka.broker.restart()
        self.topic, self.group = unique("faults"), unique("group")
        self.folder = os.path.join(kafka.broker.folder, "logs", self.topic)
        os.makedirs(self.folder)
        self.receivers, self.senders = [], []

    def program(self, name, command, more="", **options):
        one = Process(
            self.folder,
            [os.path.join(os.environ["OSLO_TEST_BIN"], name)],
            command,
            self.topic,
            kafka.url(f"{QUICK}&consumer_group={self.group}{more}"),
            kind="notify",
            **options,
        )
        self.addCleanup(one.close)
        one.wait_until_ready()
        return one

    def receive(self, more="", **options):
        self.receivers.append(self.program("chaos_receiver", "receive", more, **options))
        return self.receivers[-1]

    def send(self, more="", **options):
        options = {"count": COUNT, "rate": RATE} | options
        self.senders.append(self.program("chaos_sender", "send", more, **options))
        return self.senders[-1]

    def verdict(self, name):
        """Waits for the last message that is to come, and says what became of all."""
        for sender in self.senders:
            sender.wait()
        sent = [event for sender in self.senders for event in read(sender.log.path)]
        confirmed = {event.number for event in sent if event.what == "ok"}
        for _ in range(3_000):
            got = [event for receiver in self.receivers for event in read(receiver.log.path)]
            if confirmed <= {event.number for event in got if event.what == "got"}:
                break
            let_pass(0.02)
        for receiver in self.receivers:
            if receiver.process.poll() is None:
                receiver.signal(signal.SIGTERM)
                receiver.wait()
        got = [event for receiver in self.receivers for event in read(receiver.log.path)]
        found = check(sent, got)
        print(
            f"{name}: {found.sent} sent, {found.confirmed} confirmed, {found.unknown} unknown, "
            f"{found.failed} failed, {len(found.lost)} lost, {len(found.doubled)} handled twice",
            flush=True,
        )
        self.assertEqual(found.complaints(), [])
        shutil.rmtree(self.folder)
        return found

    # ---- the broker ------------------------------------------------------------------------------

    def test_the_broker_is_killed(self):
        self.receive()
        sender = self.send()
        for part in (1, 2):
            sender.wait_for("ok", part * COUNT // 3)
            kafka.broker.kill()
            kafka.broker.restart()
        found = self.verdict("broker killed twice")
        self.assertEqual(found.confirmed, COUNT)

    def test_the_broker_hangs(self):
        self.receive()
        sender = self.send("&cpp_rdkafka.socket.timeout.ms=3000")
        sender.wait_for("ok", COUNT // 3)
        kafka.broker.pause()
        let_pass(8)  # longer than a request may take
        kafka.broker.resume()
        self.assertEqual(self.verdict("broker silent for 8 s").confirmed, COUNT)

    def test_files_of_the_broker_are_full(self):
        """As a full disk: what it writes fails, and Kafka ends itself over it."""
        self.receive()
        sender = self.send(timeout=20)
        sender.wait_for("ok", COUNT // 3)
        pid = kafka.broker.state()["node"][0]
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
        wait_until(
            lambda: sender.log.count("unknown") + sender.log.count("error") > 0, 60, "a failure"
        )
        kafka.broker.restart()
        self.verdict("no room for the broker's files")

    def test_a_quota(self):
        """The broker answers late, and nobody fails over it."""
        clients = ["--entity-type", "clients", "--entity-default"]
        kafka.configure([*clients, "--add-config", "producer_byte_rate=200000"])
        self.addCleanup(kafka.configure, [*clients, "--delete-config", "producer_byte_rate"])
        self.receive()
        self.send(size=1_000)
        self.assertEqual(self.verdict("quota of 200 kB/s").confirmed, COUNT)

    def test_the_topic_is_deleted(self):
        """What was in it is gone with it; what is sent afterwards is in its successor."""
        receiver = self.receive()
        sender = self.send(count=400)
        sender.wait()
        receiver.wait_for("got", 400)
        kafka.delete_topic(f"{self.topic}.info")
        # Fewer than there were: more than that, and readers go on in the middle of them.
        self.send(first=1_000, count=40, timeout=60)
        found = self.verdict("topic deleted")
        self.assertEqual(found.confirmed, 440)

    # ---- listeners -------------------------------------------------------------------------------

    def test_listeners_come_and_go(self):
        kafka.make_topics(f"{self.topic}.info", partitions=4)
        self.receive()
        sender = self.send(rate=COUNT // 10)
        for part in range(1, 4):
            sender.wait_for("ok", part * COUNT // 5)
            other = self.receive()
            sender.wait_for("ok", part * COUNT // 5 + COUNT // 10)
            other.signal(signal.SIGTERM)
            other.wait()
        found = self.verdict("three more listeners came and went")
        self.assertEqual(found.confirmed, COUNT)

    def test_a_listener_is_killed_between_handler_and_commit(self):
        kafka.make_topics(f"{self.topic}.info", partitions=4)
        doomed = self.receive(SHORT_SESSION)
        self.receive(SHORT_SESSION)
        sender = self.send(rate=COUNT // 5)
        sender.wait_for("ok", COUNT // 2)
        doomed.process.kill()
        doomed.process.wait()
        found = self.verdict("listener killed")
        self.assertEqual(found.confirmed, COUNT)


class Telemetry(unittest.TestCase):
    def test_the_example_over_kafka(self):
        """What agents have sent is there for a collector that comes later."""
        topic, programs = unique("telemetry"), os.environ["OSLO_TEST_BIN"]
        with tempfile.TemporaryDirectory() as folder:
            ledger, store = os.path.join(folder, "ledger"), os.path.join(folder, "store")
            bus = ["--url", kafka.url(QUICK), "--topic", topic]
            subprocess.run(
                [f"{programs}/ceilometer_agent", *bus, "--count", "500", "--ledger", ledger],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=120, check=True,
            )  # fmt: skip
            with subprocess.Popen(
                [f"{programs}/ceilometer_collector", *bus, "--pool", topic, "--db", store],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            ) as collector:  # fmt: skip
                try:
                    while read_line(collector.stdout, 60) != "500\n":
                        pass
                    collector.send_signal(signal.SIGTERM)
                    self.assertEqual(collector.wait(30), 0)
                finally:
                    collector.kill()
            found = telemetry_check([ledger], [store])
            self.assertEqual((found["confirmed"], found["missing"]), (500, 0))


if __name__ == "__main__":
    unittest.main()
