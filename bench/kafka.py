#!/usr/bin/env python3
"""Measures notifications over Kafka beside rdkafka_performance, confluent-kafka and oslo.messaging.

    bench/kafka.py --bin build/bench/bin --jars build/kafka --dir build/bench/kafka
                   [--count N] [--rounds N] [--size BYTES] [--json FILE]

It starts a Kafka of its own with topics of one partition. The programs take turns within each round;
figures are medians of the rounds. All write with acks=all and idempotence (oslo.messaging: with its own
defaults, and does not wait for the broker) and records of the same size. rdkafka_floor is what librdkafka
itself takes for what the driver does: a report for each record, commits behind the reader. Readers are
timed from their first record on.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from kafka_broker import KafkaBroker, Unavailable, fetch  # noqa: E402

#: What an envelope of ours adds to the argument of `oslo-msg bench notify`, in bytes.
ENVELOPE = 290
LIMIT = 600
#: Records without a report of their delivery.
WINDOW = 50_000


def new_topic():
    return f"bench-{uuid.uuid4().hex[:12]}"


def run(command, **options):
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=LIMIT, check=False, **options)
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with status {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


class Programs:
    def __init__(self, options, servers):
        self.o, self.servers = options, servers

    def ours(self):
        figures = json.loads(run([
            self.o.bin / "oslo-msg", "--url", f"kafka://{self.servers}/", "bench", "notify",
            "--in-flight", WINDOW, "--count", self.o.count, "--body", self.o.size - ENVELOPE,
            "--json", "-",
        ]))  # fmt: skip
        return figures["rate"], figures["taken_rate"]

    def rdkafka_floor(self):
        figures = run([self.o.bin / "rdkafka_floor", self.servers, new_topic(), self.o.count,
                       self.o.size, WINDOW])  # fmt: skip
        sent, taken = re.findall(r"(\d+) msgs/s", figures)
        return float(sent), float(taken)

    def rdkafka_performance(self):
        topic = new_topic()
        program = [self.o.bin / "rdkafka_performance", "-b", self.servers, "-t", topic, "-q"]
        settings = []
        for setting in ("enable.idempotence=true", "linger.ms=0", "batch.num.messages=16384"):
            settings += ["-X", setting]
        run([*program, "-P", "-a", -1, "-s", self.o.size, "-c", 1, *settings])
        sent = run([*program, "-P", "-a", -1, "-s", self.o.size, "-c", self.o.count, *settings])
        taken = run([*program, "-C", "-p", 0, "-o", "beginning", "-c", self.o.count])
        return rate_in(sent), rate_in(taken)

    def python(self, client, python):
        figures = json.loads(run([
            python, ROOT / "bench" / "peers" / "kafka_peer.py", client, "--servers", self.servers,
            "--count", max(self.o.count // 10, 1_000), "--size", self.o.size,
        ], env={**os.environ, "PYTHONWARNINGS": "ignore"}))  # fmt: skip
        return figures["sent"], figures["taken"]

    def all(self):
        found = {
            "ours": self.ours,
            "rdkafka_floor": self.rdkafka_floor,
            "rdkafka_performance": self.rdkafka_performance,
        }
        venv = ROOT / "build/venv/confluent-kafka-2.16.1/bin/python3"
        if venv.exists():
            found["confluent-kafka"] = lambda: self.python("confluent", venv)
            found["oslo.messaging 18.3.1"] = lambda: self.python("oslo", venv)
        found["oslo.messaging 14.0.3"] = lambda: self.python("oslo", "/usr/bin/python3")
        return found


def rate_in(text):
    """Of the last line of a summary: "... 123456 msgs/s ..."."""
    return float(re.findall(r"(\d+) msgs/s", text)[-1])


def measure(options, servers):
    programs = Programs(options, servers).all()
    rounds = {name: [] for name in programs}
    for number in range(options.rounds):
        for name, program in programs.items():
            print(f"round {number + 1}: {name}", file=sys.stderr, flush=True)
            rounds[name].append(program())
    return {
        name: {"sent": statistics.median(s for s, _ in found),
               "taken": statistics.median(t for _, t in found)}
        for name, found in rounds.items()
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--dir", required=True, help="folder of the broker")
    parser.add_argument("--jars", required=True, help="its programs; filled when they are missing")
    parser.add_argument("--count", type=int, default=200_000, help="[200,000; Python: a tenth]")
    parser.add_argument("--size", type=int, default=512, help="bytes of a record [512]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    broker = KafkaBroker(options.dir, options.jars)
    try:
        fetch(options.jars)
    except Unavailable as error:
        print(f"Kafka was not measured. {error}")
        return 0
    broker.start()
    try:
        results = measure(options, f"127.0.0.1:{broker.state()['port']}")
    finally:
        broker.stop()
    print(f"{'notifications over Kafka':26} {'sent/s':>12} {'taken/s':>12}")
    for name, found in results.items():
        print(f"{name:26} {found['sent']:12,.0f} {found['taken']:12,.0f}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
