"""Kafka brokers of one test file, which may be rough with them."""

import os
import subprocess

from confluent_kafka.admin import AdminClient, NewTopic
from kafka_broker import KafkaBroker


class OwnKafka:
    """A context manager. `settings`: lines of its server.properties."""

    kind = KafkaBroker

    def __init__(self, name, *settings):
        folder = f"{os.environ['OSLO_TEST_KAFKA_DIR']}-{name}"
        self.broker = self.kind(folder, os.environ["OSLO_TEST_KAFKA_JARS"])
        # One that is killed is missed, and let in again, soon.
        self.settings = [
            "broker.session.timeout.ms=2000", "broker.heartbeat.interval.ms=500", *settings
        ]  # fmt: skip

    def __enter__(self):
        try:
            self.broker.start(self.settings)
        except BaseException:
            self.broker.stop()
            raise
        return self

    def __exit__(self, *_):
        self.broker.stop()

    def url(self, more=""):
        return self.broker.url() + more

    def admin(self):
        """What was begun with a client ends with it: keep it until then."""
        servers = f"127.0.0.1:{self.broker.state()['port']}"
        return AdminClient({"bootstrap.servers": servers, "log_level": 0})

    def make_topics(self, *names, partitions=1):
        admin = self.admin()
        for done in admin.create_topics([NewTopic(name, partitions, 1) for name in names]).values():
            done.result(30)

    def delete_topic(self, name):
        admin = self.admin()
        for done in admin.delete_topics([name], operation_timeout=30).values():
            done.result(30)

    def configure(self, *changes):
        """kafka-configs.sh, once for each list of words, all at the same time."""
        state = self.broker.state()
        command = [
            "java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", os.path.join(state["jars"], "*"),
            "kafka.admin.ConfigCommand", "--bootstrap-server", f"127.0.0.1:{state['port']}", "--alter",
        ]  # fmt: skip
        running = [
            subprocess.Popen(
                [*command, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for words in changes
        ]
        for one in running:
            text, _ = one.communicate(timeout=60)
            if one.returncode != 0:
                raise AssertionError(text)
