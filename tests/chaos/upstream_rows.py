"""oslo.messaging's own failover test: the one node that both are connected to dies in mid-call, and
the next one that is there, three times; each call has to return, and every connection to move."""

from bench import RECONNECT, Outcome, row
from load import kill, wait_until
from programs import tcp_ports

HANDLER = 0.5  # seconds that each handler takes


def upstream_failover(bench, languages, bound):
    outcome = Outcome(bound=bound)
    nodes = bench.cluster.nodes
    with bench.own_host() as host:
        # What it sets: quick heartbeats, few connections, transient queues.
        url = bench.url(
            host=host,
            rabbit_quorum_queue="false",
            heartbeat_timeout_threshold=1,
            rpc_conn_pool_size=1,
            conn_pool_min_size=1,
            kombu_reconnect_delay="0.0",
        )
        for node in nodes[1:]:
            node.kill()
        sender = {"window": 1, "rate": 1_000, "timeout": 30}
        receiver = {"delay": HANDLER}
        with bench.load("call", url, receiver=receiver, languages=languages, **sender) as load:
            load.sender.wait_for("ok", 2)
            for current, following in ((0, 1), (1, 2), (2, 0)):
                nodes[following].restart()
                began, got = load.receiver.log.count("began"), load.receiver.log.count("got")
                load.receiver.wait_for("began", max(began, got) + 1)
                kill(load, nodes[current])
                load.wait_for_more(3)
                for program in (load.sender, load.receiver):
                    wait_until(
                        lambda: tcp_ports(program.pid, peers=True) == {bench.port(following)},
                        20,
                        f"all its connections at node {following + 1}",
                    )
            load.stop_sending()
            outcome.add(load.verdict())
        bench.bring_back()
    return outcome


@row("2", "oslo's failover test: C++ to C++", nodes=(3,))
def cpp_to_cpp(bench):
    return upstream_failover(bench, ("C++", "C++"), HANDLER + RECONNECT)


@row("2", "oslo's failover test: Python to C++", nodes=(3,))
def python_to_cpp(bench):
    return upstream_failover(bench, ("Python", "C++"), None)


@row("2", "oslo's failover test: C++ to Python", nodes=(3,))
def cpp_to_python(bench):
    return upstream_failover(bench, ("C++", "Python"), None)
