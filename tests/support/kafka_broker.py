#!/usr/bin/env python3
"""A private Apache Kafka for the tests, controlled by one folder as broker.py controls a RabbitMQ.

    kafka_broker.py fetch   --jars DIR            get it from Maven, unless it is there
    kafka_broker.py start   --dir DIR --jars DIR  start it (or use the one that runs), wait until it is
                                                  ready; each --setting LINE goes to its server.properties
    kafka_broker.py kill | pause | resume | restart | stop | url   --dir DIR
    kafka_broker.py exec    --dir DIR ...         run a command with the variables of environment()

Where neither Java nor the artefact can be had, `fetch` and `start` say so and succeed, and `exec` says why
it runs nothing and returns 77, which ctest takes for a skipped test.

One node, which is its own controller (KRaft), on loopback, with ports and data of its own. Topics have one
partition, and are made when something is sent to them.
"""

import argparse
import base64
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
import uuid

from broker import START_LIMIT, Broker, BrokerError, wait_for_exit

HERE = os.path.dirname(os.path.abspath(__file__))
READY = "Kafka Server started"
FETCH_LIMIT = 240.0
SKIPPED = 77
POM = os.path.join(HERE, "kafka_pom.xml")
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners={listeners},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners={listeners}
listener.security.protocol.map={protocols},CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
num.partitions=1
default.replication.factor=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
num.recovery.threads.per.data.dir=1
log.cleaner.dedupe.buffer.size=4194304
log.segment.bytes=67108864
controlled.shutdown.enable=false
"""


class Unavailable(BrokerError):
    """This machine cannot run it."""


def fetch(jars, pom=POM):
    """Fills the folder, once for each content of the POM."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise Unavailable(f"{program} is missing: run tools/setup.sh test.")
    with open(pom, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    stamp = os.path.join(jars, "made-from")
    if os.path.exists(stamp):
        with open(stamp, encoding="ascii") as file:
            if file.read() == digest:
                return
    shutil.rmtree(jars, ignore_errors=True)
    os.makedirs(jars)
    run_maven(
        "--file", pom, "dependency:copy-dependencies",
        f"-DoutputDirectory={os.path.abspath(jars)}", "-DincludeScope=runtime",
    )  # fmt: skip
    with open(stamp, "w", encoding="ascii") as file:
        file.write(digest)


def run_maven(*arguments):
    try:
        done = subprocess.run(
            ["mvn", "--batch-mode", "--quiet", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=FETCH_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise Unavailable(f"Maven has not fetched it within {FETCH_LIMIT:.0f} s.") from late
    if done.returncode != 0:
        why = next((line for line in done.stdout.splitlines() if "ERROR" in line), done.stdout[-300:])
        raise Unavailable(f"Maven cannot fetch it: {why}")


def random_id():
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


class KafkaBroker(Broker):
    #: Name, protocol and host of each listener; the first one is that of `url`.
    listeners = [("PLAINTEXT", "PLAINTEXT", "127.0.0.1")]

    def __init__(self, folder, jars=None):
        super().__init__(folder)
        self.jars = jars and os.path.abspath(jars)
        self.ports = 1 + len(self.listeners)
        self.reason_file = os.path.join(self.folder, "unavailable")

    def start_if_available(self, settings):
        """Raises Unavailable, and lets `exec` know, where it cannot run at all."""
        os.makedirs(self.folder, exist_ok=True)
        try:
            fetch(self.jars)
        except Unavailable as error:
            with open(self.reason_file, "w", encoding="utf-8") as file:
                file.write(str(error))
            raise
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.reason_file)
        self.start(settings)

    def unavailable(self):
        """Why it cannot run; empty when it can."""
        with contextlib.suppress(FileNotFoundError):
            with open(self.reason_file, encoding="utf-8") as file:
                return file.read()
        return ""

    def url(self):
        state = self.state()
        if not state:
            raise BrokerError(f"No broker was started in {self.folder}.")
        return f"kafka://127.0.0.1:{state['port']}/"

    def environment(self):
        """What tests need to find and to control the broker."""
        control = f"{sys.executable} {os.path.abspath(__file__)}"
        return {
            "OSLO_TEST_KAFKA_URL": self.url(),
            "OSLO_TEST_KAFKA_DIR": self.folder,
            "OSLO_TEST_KAFKA_JARS": self.state()["jars"],
            "OSLO_TEST_KAFKA_CONTROL": control,
        }

    @staticmethod
    def fresh_state(controller_port, port, *others):
        return {"controller_port": controller_port, "port": port, "others": others}

    def port_of(self, listener):
        state = self.state()
        names = [name for name, *_ in self.listeners]
        return [state["port"], *state["others"]][names.index(listener)]

    def prepare(self, settings, plugins=()):
        """Nothing of an earlier node stays. The settings are written once the ports are known."""
        shutil.rmtree(os.path.join(self.folder, "data"), ignore_errors=True)
        self.settings = settings

    def write_properties(self, state):
        data = os.path.join(self.folder, "data")
        if os.path.exists(os.path.join(data, "meta.properties")):
            return
        os.makedirs(data, exist_ok=True)
        # What Kafka's own tool would write, without a JVM for it.
        with open(os.path.join(data, "meta.properties"), "w", encoding="ascii") as file:
            file.write(
                f"version=1\ncluster.id={random_id()}\nnode.id=1\ndirectory.id={random_id()}\n"
            )
        with open(os.path.join(self.folder, "server.properties"), "w", encoding="ascii") as file:
            ports = [state["port"], *state["others"]]
            file.write(
                PROPERTIES.format(
                    data=data,
                    controller_port=state["controller_port"],
                    listeners=",".join(
                        f"{name}://{host}:{port}"
                        for (name, _, host), port in zip(self.listeners, ports)
                    ),
                    protocols=",".join(f"{name}:{kind}" for name, kind, _ in self.listeners),
                )
            )
            file.write("".join(f"{line}\n" for line in self.settings))

    def launch(self, state):
        state["jars"] = state.get("jars") or self.jars
        if not state["jars"]:
            raise BrokerError("It needs --jars, the folder that `fetch` has filled.")
        self.write_properties(state)
        log = os.path.join(self.folder, "console.log")
        before = os.path.getsize(log) if os.path.exists(log) else 0
        state["node"] = self.spawn(
            [
                "java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=INFO",
                "-cp", os.path.join(state["jars"], "*"), "kafka.Kafka", "server.properties",
            ],
            dict(os.environ),
        )  # fmt: skip
        self.save(state)
        self.wait_until_ready(state, log, before)

    def wait_until_ready(self, state, log, before):
        deadline = time.monotonic() + START_LIMIT
        text = ""
        while time.monotonic() < deadline:
            with open(log, encoding="utf-8", errors="replace") as file:
                file.seek(before)
                text = file.read()
            if READY in text:
                return
            if wait_for_exit(*state["node"], 0.05):
                break
        tail = "\n".join(text.splitlines()[-25:])
        raise BrokerError(f"Kafka did not start on port {state['port']}. Its last words:\n{tail}")


def main():
    parser = argparse.ArgumentParser(description="Controls the private Kafka of the tests.")
    parser.add_argument("action", choices="fetch start kill pause resume restart stop url exec".split())
    parser.add_argument("--dir", help="folder for data, logs and state")
    parser.add_argument("--jars", help="folder of the broker's programs")
    parser.add_argument("--setting", action="append", default=[], help="line of server.properties")
    options, rest = parser.parse_known_args()
    rest = rest[1:] if rest[:1] == ["--"] else rest
    try:
        if options.action == "fetch":
            fetch(options.jars)
            return 0
        broker = KafkaBroker(options.dir, options.jars)
        if options.action == "url":
            print(broker.url())
        elif options.action == "start":
            broker.start_if_available(options.setting)
        elif options.action == "exec":
            if broker.unavailable():
                print(f"Skipped without Kafka. {broker.unavailable()}")
                return SKIPPED
            os.environ.update(broker.environment())
            os.execvp(rest[0], rest)
        else:
            getattr(broker, options.action)()
    except Unavailable as error:
        print(f"Tests with Kafka will be skipped. {error}")
    except BrokerError as error:
        print(f"kafka_broker.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
