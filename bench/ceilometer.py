#!/usr/bin/env python3
"""Runs the telemetry programs of examples/ceilometer at full load and proves that nothing is lost.

    bench/ceilometer.py --bin build/bench/bin [--agents 4] [--messages 25000] [--restart]

Agents send samples and events to durable queues; a collector takes them from the queue of the topic,
two others share a pool that gets a copy. With --restart the broker is killed and started again in
the middle, and one of the pool with it. At the end every message that was confirmed to an agent has
to be stored by the collector, and by one of the pool. It starts a RabbitMQ of its own.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "examples" / "ceilometer"), str(ROOT / "tests" / "support")]
from broker import Broker  # noqa: E402
from check import check  # noqa: E402

LIMIT = 300  # seconds for any step


class Program:
    """A process, the lines it prints, and the CPU time it took."""

    def __init__(self, changed, *command):
        self.changed, self.lines, self.cpu, self.status = changed, [], 0.0, None
        self.process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                                        stdin=subprocess.DEVNULL, text=True)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.strip())
                self.changed.notify_all()
        _, status, used = os.wait4(self.process.pid, 0)
        with self.changed:
            self.process.returncode = self.status = os.waitstatus_to_exitcode(status)
            self.cpu = used.ru_utime + used.ru_stime
            self.changed.notify_all()

    def end(self, number):
        with self.changed:
            if self.status is None:
                os.kill(self.process.pid, number)
        self.reader.join()
        self.process.stdout.close()


class Scenario:
    """Agents and collectors on one broker."""

    def __init__(self, binaries, broker, folder, agents, messages):
        self.bin, self.broker, self.folder = pathlib.Path(binaries), broker, pathlib.Path(folder)
        self.count, self.messages = agents, messages
        self.changed = threading.Condition()
        self.agents, self.collectors, self.ended = [], {}, []
        self.started = None

    # -- steps ---------------------------------------------------------------------------------

    def collect(self, name, *more):
        """Starts a collector, or starts it again on what it has."""
        if name in self.collectors:
            self.ended.append(self.collectors[name])
        self.collectors[name] = Program(
            self.changed, self.bin / "ceilometer_collector", "--url", self.broker.url(), "--db",
            self.folder / f"{name}.db", *more)
        program = self.collectors[name]
        self.wait(lambda: program.lines or program.status is not None, f"{name} to listen")
        if program.lines[:1] != ["ready"]:
            raise RuntimeError(f"{name} ended with status {program.status}")

    def start(self):
        self.collect("topic")
        for name in ("pool1", "pool2"):
            self.collect(name, "--pool", "audit")
        self.started = time.monotonic()
        for number in range(self.count):
            self.agents.append(Program(
                self.changed, self.bin / "ceilometer_agent", "--url", self.broker.url(), "--count",
                self.messages, "--seed", number + 1, "--ledger", self.folder / f"{number}.ledger"))

    def kill_broker_and_a_collector(self, part=0.3):
        """When that part of the messages is stored; returns how long the broker was away."""
        goal = int(self.count * self.messages * part)
        self.wait(lambda: self.stored("topic") >= goal, f"{goal} messages")
        began = time.monotonic()
        self.collectors["pool1"].end(signal.SIGKILL)
        self.broker.kill()
        self.broker.restart()
        away = time.monotonic() - began
        self.collect("pool1", "--pool", "audit")
        return away

    def finish(self):
        """Waits for agents and collectors; the figures."""
        self.wait(lambda: all(a.status is not None for a in self.agents), "the agents")
        sent = time.monotonic() - self.started
        for agent in self.agents:
            agent.end(signal.SIGTERM)
            if agent.status != 0:
                raise RuntimeError(f"an agent ended with status {agent.status}: {agent.lines}")
        queues = {"topic": ["topic"], "pool": ["pool1", "pool2"]}
        self.wait(lambda: all(self.found(names)["missing"] == 0 for names in queues.values()),
                  "everything to be stored")
        stored = time.monotonic() - self.started
        self.stop()
        total = self.count * self.messages
        reports = [json.loads(a.lines[-1]) for a in self.agents]
        collectors = [*self.collectors.values(), *self.ended]
        return {
            "messages": total,
            "mean_bytes": sum(r["mean_bytes"] for r in reports) / len(reports),
            "rate_sent": total / sent,
            "rate_stored": total / stored,
            "longest_post_ms": max(r["longest_post_ms"] for r in reports),
            "cpu_us": {"agent": sum(a.cpu for a in self.agents) / total * 1e6,
                       # Two copies of each message are stored.
                       "collector": sum(c.cpu for c in collectors) / total / 2 * 1e6},
            "queues": {name: self.found(names) for name, names in queues.items()},
        }

    def stop(self):
        for program in [*self.collectors.values(), *self.agents]:
            program.end(signal.SIGTERM)

    # -- questions -----------------------------------------------------------------------------

    def wait(self, question, what):
        """Asks again whenever a program has printed something or ended."""
        with self.changed:
            if not self.changed.wait_for(question, LIMIT):
                raise RuntimeError(f"waited in vain for {what}")

    def stored(self, name):
        lines = self.collectors[name].lines
        return int(lines[-1]) if len(lines) > 1 else 0

    def found(self, names):
        return check([self.folder / f"{n}.ledger" for n in range(self.count)],
                     [self.folder / f"{name}.db" for name in names])


def run(binaries, folder, agents, messages, restart):
    """The figures of one run in that folder, which gets the broker, too."""
    broker = Broker(os.path.join(folder, "broker"))
    broker.start()
    try:
        scenario = Scenario(binaries, broker, folder, agents, messages)
        try:
            scenario.start()
            away = scenario.kill_broker_and_a_collector() if restart else 0.0
            figures = scenario.finish()
        finally:
            scenario.stop()
    finally:
        broker.stop()
    return {**figures, "broker_away_s": away}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the programs")
    parser.add_argument("--agents", type=int, default=4)
    parser.add_argument("--messages", type=int, default=25000, help="of each agent")
    parser.add_argument("--restart", action="store_true", help="kill the broker in the middle")
    parser.add_argument("--json", action="store_true", help="the figures as one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ceilometer-") as folder:
        f = run(options.bin, folder, options.agents, options.messages, options.restart)
    if options.json:
        print(json.dumps(f))
    else:
        print(f"{f['messages']:,} notifications of {f['mean_bytes']:,.0f} bytes from "
              f"{options.agents} agents, stored twice; broker away for {f['broker_away_s']:.1f} s")
        print(f"  sent and confirmed  {f['rate_sent']:8,.0f} a second")
        print(f"  stored              {f['rate_stored']:8,.0f} a second")
        print(f"  CPU a message       {f['cpu_us']['agent']:8.0f} us agent, "
              f"{f['cpu_us']['collector']:.0f} us collector")
        print(f"  longest post        {f['longest_post_ms']:8.1f} ms")
        for name, q in f["queues"].items():
            print(f"  {name:18}  {q['confirmed']:8,} confirmed, {q['missing']} missing, "
                  f"{q['came_again']} came again")
    return 1 if any(q["missing"] for q in f["queues"].values()) else 0


if __name__ == "__main__":
    sys.exit(main())
