"""Rows of the fault table: brokers and peers that break the protocol, and slow or large messages."""

import json
import os
import signal
import struct
import subprocess

from bench import HEARTBEAT, RECONNECT, Outcome, row
from fault_proxy import FaultProxy
from impostor import Impostor
from load import wait_until
from programs import tcp_ports, unique
from raw_publish import CONTENT_TYPE, HEADERS, RawPublisher, nested_table, short_string
from total_queue import check, read

# Numbers of messages that a row sends beside the load.
ASIDE = 10**6
# The properties of a message of JSON.
JSON = struct.pack(">H", CONTENT_TYPE | 1 << 14 | HEADERS) + (
    short_string("application/json") + short_string("utf-8") + bytes(4)
)
# Pauses between attempts end here, so that a row does not take minutes.
SHORT_PAUSES = {"rabbit_interval_max": 1}


def peak_memory(process):
    """The most that it has ever had, in bytes."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) << 10


@row("7", "a slow consumer: handlers of 1 s, 20,000 waiting, prefetch 100")
def slow_consumer(bench):
    outcome = Outcome(bound=RECONNECT)
    url = bench.url(heartbeat_timeout_threshold=HEARTBEAT)
    other_topic = unique("other")
    slow = {"delay": 1, "prefetch": 100, "also": other_topic}
    with bench.load("cast", url, receiver=slow, rate=20_000, count=20_000, window=5_000) as load:
        load.sender.wait()
        connections = tcp_ports(load.receiver.pid)
        memory = load.receiver.memory()
        quick = {"kind": "call", "rate": 100, "count": 1_000, "first": ASIDE, "timeout": 30}
        other = load.start("sender", url, quick, other_topic)
        unsettled = []
        while other.process.poll() is None:
            lines = bench.node.ask("list_queues", "--silent", "name", "messages_unacknowledged")
            words = dict(line.split() for line in lines.splitlines())
            unsettled.append(int(words[load.topic]))
        other.wait()
        outcome.expect(max(unsettled) <= 100, f"{max(unsettled)} are not acknowledged")
        grown = load.receiver.memory() - memory
        outcome.expect(grown < 20 << 20, f"{grown >> 20} MiB more in 10 s")
        # The one for its answers has joined the one that it had.
        outcome.expect(connections <= tcp_ports(load.receiver.pid), "it lost a connection")
        load.receiver.signal(signal.SIGUSR1)
        verdict = load.verdict()
    got = read(load.receiver.log.path)
    aside = check(read(other.log.path), [e for e in got if e.number >= ASIDE])
    outcome.add(aside)
    verdict.unexpected = [n for n in verdict.unexpected if n < ASIDE]
    outcome.add(verdict, stall=aside.longest_stall)
    return outcome


@row("8", "a broker that abuses frame and body sizes")
def frame_size_abuse(bench):
    outcome = Outcome(bound=2.0)
    with Impostor(bench.port(0)) as impostor:
        url = bench.url([impostor.port], heartbeat_timeout_threshold=HEARTBEAT, **SHORT_PAUSES)
        with bench.load("notify", url, bench.url(), rate=50) as load:
            memory = load.sender.memory()
            with load.outage():
                wait_until(impostor.is_done, 120, "a connection for each script")
            load.sender.wait_for("ok", load.sender.log.count("try"))
            grown = peak_memory(load.sender) - memory
            outcome.expect(grown < 32 << 20, f"{grown >> 20} MiB more")
            load.stop_sending()
            outcome.add(load.verdict())
    return outcome


@row("9", "streams cut or turned over at a byte")
def broken_streams(bench):
    """In the opening of a connection, where most of the grammar is: a turned bit of a confirm could
    not be told from a confirm. `replay_test.cpp` has every byte of a whole session."""
    outcome = Outcome(bound=2.0)
    plan = [{"broker_bytes": n, "reset": n % 2 == 0} for n in range(1, 760, 41)]
    plan += [{"client_bytes": n, "reset": n % 2 == 0} for n in range(3, 760, 83)]
    plan += [{"broker_flip": n, "broker_bytes": 900} for n in range(2, 560, 31)]
    with FaultProxy(bench.port(0), plan=plan) as proxy:
        url = bench.url([proxy.port], heartbeat_timeout_threshold=HEARTBEAT, **SHORT_PAUSES)
        with bench.load("notify", url, bench.url(), rate=50) as load:
            with load.outage():
                wait_until(lambda: proxy.accepted > len(plan), 240, "a connection for each break")
            load.wait_for_more(100)
            load.stop_sending()
            # What a broker says that is turned over may be a refusal.
            outcome.add(load.verdict(), all_confirmed=False)
    return outcome


def nested(levels):
    return "[" * levels + "]" * levels


@row("10", "deep nesting: JSON of 100,000 levels, headers of 20,000")
def deep_nesting(bench):
    outcome = Outcome(bound=RECONNECT)
    depths = (33, 1_000, 1_200, 100_000)
    with bench.load("cast", rate=500) as load:
        connections = tcp_ports(load.receiver.pid)
        raw = RawPublisher(bench.url([bench.port(0)]).partition("?")[0])
        load.sender.wait_for("ok", 500)
        for number, depth in enumerate(depths):
            arguments = f'{{"id": {ASIDE + number}, "text": {nested(depth)}}}'
            message = f'{{"method": "mark", "args": {arguments}}}'
            text = json.dumps({"oslo.version": "2.0", "oslo.message": message})
            raw.publish(load.topic, JSON, text.encode())
        for depth in (33, 1_000, 20_000):
            raw.publish(load.topic, struct.pack(">H", HEADERS) + nested_table(depth), b"{}")
        load.wait_for_more(500)
        outcome.expect(tcp_ports(load.receiver.pid) == connections, "it lost a connection")
        load.stop_sending()
        verdict = load.verdict()
        outcome.expect(raw.messages_in(load.topic) == 0, "messages are left in the queue")
        raw.close()
    understood = [n - ASIDE for n in verdict.unexpected]
    outcome.expect(understood == [0, 1], f"understood: {understood} of {depths}")
    verdict.unexpected = []
    outcome.add(verdict)
    return outcome


@row("11", "a reply of 128 MB, and one above the broker's limit")
def huge_reply(bench):
    # The broker takes the large message in one piece, and what goes the same way waits for it.
    outcome = Outcome(bound=2 * HEARTBEAT)
    with bench.load("call", rate=100, timeout=60) as load:
        load.sender.wait_for("ok", 100)
        for size, code in ((134_000_000, 0), (134_217_728, 1)):
            arguments = json.dumps({"id": ASIDE + size, "bytes": size})
            program = os.path.join(bench.bin, "oslo-msg")
            done = subprocess.run(
                [program, "--url", load.url, "call", load.topic, "big", arguments]
                + ["--timeout", "120"],
                capture_output=True,
                timeout=180,
                check=False,
            )
            words = done.stderr[-400:].decode(errors="replace")
            outcome.expect(done.returncode == code, f"exit code {done.returncode}: {words}")
            if code == 0:
                outcome.expect(len(done.stdout) == size + 3, f"{len(done.stdout)} bytes came")
            else:
                outcome.expect("MessageDeliveryFailure" in words, words)
        load.wait_for_more(100)
        load.stop_sending()
        verdict = load.verdict()
    verdict.unexpected = [n for n in verdict.unexpected if n < ASIDE]
    outcome.add(verdict)
    return outcome
