"""Rows of the fault table: brokers that die, and links that are lost or silent."""

import contextlib
import time

from bench import HEARTBEAT, RECONNECT, Outcome, row
from fault_proxy import FaultProxy
from load import kill, let_pass, restart
from programs import tcp_ports, unique

SILENCE = 2 * HEARTBEAT  # the new connection included


@row("1", "kill -9 of the broker in mid-publish", nodes=(1, 3))
def kill_in_mid_publish(bench, count=20_000):
    # One node: from its open port on, and the last pause between two attempts may have just begun.
    # Three: RabbitMQ takes about half a second to elect another leader of a quorum queue.
    outcome = Outcome(bound=2.0)
    for kind in ("notify", "cast"):
        with bench.load(kind, rate=10_000, count=count, window=5_000) as load:
            load.sender.wait_for("ok", count // 4)
            victim = bench.cluster.nodes[bench.number_of(load.sender)]
            kill(load, victim)
            if bench.nodes == 1:
                restart(load, victim)
            verdict = load.verdict()
        outcome.add(verdict)
        # One receiver that lives on: it knows second copies by their _unique_id.
        outcome.expect(not verdict.doubled, f"handled twice: {len(verdict.doubled)}")
        bench.bring_back()
    return outcome


@row("2", "the connected node dies in mid-call, twice", nodes=(3,))
def failover(bench):
    outcome = Outcome(bound=2.0)
    with bench.load("call", rate=200, window=200, timeout=15) as load:
        load.sender.wait_for("ok", 300)
        for _ in range(2):
            victim = bench.cluster.nodes[bench.number_of(load.sender)]
            kill(load, victim)
            load.wait_for_more(600)
            for program in (load.sender, load.receiver):
                bench.number_of(program)  # it is connected to one that lives
            victim.restart()
            # A queue that loses another member before this one has caught up has no quorum.
            bench.wait_until_spare()
            load.wait_for_more(600)
        load.stop_sending()
        verdict = load.verdict()
    # An answer that was in the queue that died is lost with it: that call times out.
    outcome.add(verdict, all_confirmed=False)
    outcome.expect(not verdict.failed, f"{verdict.failed} calls failed for good")
    return outcome


@row("2", "the leader of the queue moves, three times", nodes=(3,))
def move_leader(bench):
    outcome = Outcome(bound=RECONNECT)
    with bench.load("notify", rate=1_000) as load:
        queue = f"{load.topic}.info"

        def move():
            bench.cluster.move_leader(queue, (bench.cluster.leader_of(queue) + 1) % bench.nodes)

        outcome.add(load.survive(move, times=3, every=1_000, then=1_000))
    return outcome


@row("3", "memory alarm, three heartbeats long", nodes=(1, 3))
def memory_alarm(bench):
    # What the broker says about the end of its alarm takes as long as it likes; 1 s is usual.
    outcome = Outcome(bound=2.0)
    url = bench.url(heartbeat_timeout_threshold=HEARTBEAT)
    with bench.load("notify", url, rate=2_000, window=100_000) as load:
        load.sender.wait_for("ok", 2_000)
        connections = tcp_ports(load.sender.pid), tcp_ports(load.receiver.pid)
        memory = load.sender.memory()
        with load.outage():
            bench.node.raise_alarm()
            impatient = {"kind": "cast", "count": 20, "timeout": 2}
            one = load.start("sender", url, impatient, unique("nobody"))
            one.wait()
            outcome.expect(one.log.count("unknown") == 20, f"while blocked: {one.log.counts}")
            with open(one.log.path, encoding="utf-8") as file:
                outcome.expect("blocked" in file.read(), "nothing says that the broker blocks")
            let_pass(3 * HEARTBEAT)
            grown = load.sender.memory() - memory
            bench.node.clear_alarm()
        outcome.expect(grown < 150 << 20, f"{grown >> 20} MiB more while blocked")
        load.sender.wait_for("ok", load.sender.log.count("try"))
        now = tcp_ports(load.sender.pid), tcp_ports(load.receiver.pid)
        outcome.expect(connections == now, "a connection was given up")
        load.stop_sending()
        outcome.add(load.verdict())
    return outcome


@contextlib.contextmanager
def behind_proxies(bench, kind, **sender):
    """A load that reaches each node through a proxy. Yields it and the proxies."""
    with contextlib.ExitStack() as stack:
        proxies = [stack.enter_context(FaultProxy(bench.port(i))) for i in range(bench.nodes)]
        url = bench.url(
            [proxy.port for proxy in proxies], heartbeat_timeout_threshold=HEARTBEAT
        )
        yield stack.enter_context(bench.load(kind, url, **sender)), proxies


def silenced(bench, bound, **faults):
    """What becomes of connections that get these faults; new ones are well."""
    outcome = Outcome(bound=bound)
    for kind in ("notify", "call"):
        with behind_proxies(bench, kind, rate=500, timeout=30) as (load, proxies):
            load.sender.wait_for("ok", 500)
            for proxy in proxies:
                proxy.afflict(**faults)
            before, began = load.sender.processor_seconds(), time.monotonic()
            load.wait_for_more(1_000)
            share = (load.sender.processor_seconds() - before) / (time.monotonic() - began)
            outcome.expect(share < 0.7, f"the sender spins: {share:.0%} of a core")
            load.stop_sending()
            outcome.add(load.verdict())
    return outcome


@row("4", "half-open: both directions silent", nodes=(1, 3))
def half_open(bench):
    return silenced(bench, SILENCE, drop=True)


@row("5", "silent from the broker to us", nodes=(1, 3))
def deaf(bench):
    return silenced(bench, SILENCE, broker_drop=True)


@row("5", "silent from us to the broker", nodes=(1, 3))
def mute(bench):
    return silenced(bench, SILENCE, client_drop=True)


@row("6", "the broker stands still (SIGSTOP) for three heartbeats")
def standstill(bench):
    outcome = Outcome(bound=SILENCE)
    url = bench.url(heartbeat_timeout_threshold=HEARTBEAT)
    with bench.load("notify", url, rate=500) as load:

        def stand_still():
            with load.outage():
                bench.node.pause()
                let_pass(3 * HEARTBEAT)
                bench.node.resume()

        outcome.add(load.survive(stand_still, times=1, every=500, then=1_000))
    return outcome


@row("13", "connections reset, five times", nodes=(1, 3))
def resets(bench):
    outcome = Outcome(bound=RECONNECT)
    for kind in ("notify", "cast", "call"):
        with behind_proxies(bench, kind, rate=500, timeout=30) as (load, proxies):

            def reset(proxies=proxies):
                for proxy in proxies:
                    proxy.cut(reset=True)

            # About a second apart: none of these links lives for the two that make one good anyway.
            outcome.add(load.survive(reset, times=5, every=500, then=500))
    return outcome


@row("12", "the reply queue vanishes, three times", nodes=(1, 3))
def reply_queue_vanishes(bench):
    outcome = Outcome(bound=RECONNECT)
    def delete_reply_queue():
        for name in bench.node.ask("list_queues", "--silent", "name").split():
            if name.startswith("reply_"):
                bench.node.ask("delete_queue", name)

    with bench.load("call", rate=300, timeout=5) as load:
        verdict = load.survive(delete_reply_queue, times=3, every=300, then=300)
    # Answers that were in the queue are gone: these calls time out.
    outcome.add(verdict, all_confirmed=False)
    outcome.expect(not verdict.failed, f"{verdict.failed} calls failed for good")
    return outcome
