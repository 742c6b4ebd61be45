#!/usr/bin/env python3
"""A private cluster of RabbitMQ nodes, each of them a broker of broker.py.

    cluster.py start --dir DIR [--nodes N]   start it, wait until every node knows the others;
                                             each --setting LINE goes to every rabbitmq.conf
    cluster.py stop  --dir DIR [--nodes N]

The nodes are in DIR-1, DIR-2, ...: `broker.py kill --dir DIR-2` and the like treat one of them.
"""

import argparse
import concurrent.futures
import contextlib
import os
import sys
import time

from broker import START_LIMIT, Broker, BrokerError, free_ports

COOKIE = "oslo-messaging-test-cluster"


def look_up(queue):
    """Erlang: binds Q to that queue of the default virtual host."""
    return f'{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"{queue}">>)),'


class Cluster:
    def __init__(self, folder, size=3):
        self.nodes = [Broker(f"{os.path.abspath(folder)}-{i + 1}") for i in range(size)]

    def start(self, settings=(), tls=None):
        """`settings`: lines for every rabbitmq.conf. `tls`: `certificates.Files`; each node then
        has a port for TLS, too."""
        with contextlib.ExitStack() as locks:
            for node in self.nodes:
                locks.enter_context(node.locked())
            for attempt in range(3):
                self.end_all()
                try:
                    self.launch(settings, tls)
                    return
                except BrokerError:
                    # Another process may have taken one of the ports in the meantime.
                    self.end_all()
                    if attempt == 2:
                        raise

    def launch(self, own_settings, tls):
        epmd_port, *ports = free_ports(1 + 3 * len(self.nodes))
        states = [
            Broker.fresh_state(ports[3 * i], ports[3 * i + 1], epmd_port)
            for i in range(len(self.nodes))
        ]
        settings = [
            *own_settings,
            "cluster_formation.peer_discovery_backend = classic_config",
            # Before it founds the cluster a node asks the others ten times, and they wait for it.
            "cluster_formation.discovery_retry_interval = 50",
        ] + [
            f"cluster_formation.classic_config.nodes.{i + 1} = {state['name']}"
            for i, state in enumerate(states)
        ]
        self.nodes[0].launch_epmd(states[0])
        for node, state, tls_port in zip(self.nodes, states, ports[2::3]):
            state["epmd"] = states[0]["epmd"]
            if tls:
                state["tls_port"] = tls_port
            node.prepare(settings + (tls.settings(tls_port) if tls else []))
            cookie = os.path.join(node.folder, ".erlang.cookie")
            with contextlib.suppress(FileNotFoundError):
                os.remove(cookie)
            with open(os.open(cookie, os.O_WRONLY | os.O_CREAT, 0o400), "w") as file:
                file.write(COOKIE)
        # All at once: a node waits for the others to agree who founds the cluster.
        with concurrent.futures.ThreadPoolExecutor(len(states)) as threads:
            list(threads.map(lambda pair: pair[0].launch(pair[1]), zip(self.nodes, states)))
        self.wait_until_joined()

    def wait_until_joined(self):
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline:
            with contextlib.suppress(BrokerError):
                known = self.nodes[0].evaluate("length(rabbit_nodes:all_running()).")
                if known == str(len(self.nodes)):
                    return
        raise BrokerError("The nodes did not become one cluster.")

    def url(self, nodes=None, query="", tls=False):
        """With these nodes as hosts (default: all), by their numbers."""
        chosen = self.nodes if nodes is None else [self.nodes[i] for i in nodes]
        ports = [node.state()["tls_port" if tls else "port"] for node in chosen]
        hosts = ",".join(f"guest:guest@127.0.0.1:{port}" for port in ports)
        return f"rabbit://{hosts}/{query}"

    def find(self, text):
        """The number of the node whose name is in `text`."""
        for number, node in enumerate(self.nodes):
            if node.state()["name"] in text:
                return number
        raise BrokerError(f"No node of the cluster is in: {text}")

    def leader_of(self, queue, asked=0):
        """The node that leads a queue, by its number. `asked`: one that runs."""
        return self.find(self.nodes[asked].evaluate(f"{look_up(queue)} amqqueue:get_pid(Q)."))

    def move_leader(self, queue, to):
        """Makes that node lead a quorum queue; returns when it does."""
        name = self.nodes[to].state()["name"]
        moved = self.nodes[to].evaluate(
            f"{look_up(queue)} rabbit_quorum_queue:transfer_leadership(Q, '{name}')."
        )
        deadline = time.monotonic() + START_LIMIT
        while self.leader_of(queue, to) != to:
            if time.monotonic() > deadline:
                raise BrokerError(f"Node {to} does not lead {queue}: {moved}")

    def stop(self):
        with contextlib.ExitStack() as locks:
            for node in self.nodes:
                locks.enter_context(node.locked())
            self.end_all()
            for node in self.nodes:
                with contextlib.suppress(FileNotFoundError):
                    os.remove(node.state_file)

    def end_all(self):
        # At once: a node that ends alone hands its work to the others first.
        with concurrent.futures.ThreadPoolExecutor(len(self.nodes)) as threads:
            list(threads.map(lambda node: node.end_node(), self.nodes))
        for node in self.nodes:
            node.end_all(node.state())


def main():
    parser = argparse.ArgumentParser(description="Controls a private cluster of RabbitMQ nodes.")
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("--dir", required=True)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--setting", action="append", default=[], help="line of rabbitmq.conf")
    options = parser.parse_args()
    cluster = Cluster(options.dir, options.nodes)
    try:
        if options.action == "start":
            cluster.start(options.setting)
        else:
            cluster.stop()
    except BrokerError as error:
        print(f"cluster.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
