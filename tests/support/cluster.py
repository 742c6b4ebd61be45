#!/usr/bin/env python3
"""A private cluster of RabbitMQ nodes, each of them a broker of broker.py.

    cluster.py start --dir DIR [--nodes N]   start it, wait until every node knows the others
    cluster.py stop  --dir DIR [--nodes N]

The nodes are in DIR-1, DIR-2, ...: `broker.py kill --dir DIR-2` and the like treat one of them.
"""

import argparse
import concurrent.futures
import contextlib
import os
import subprocess
import sys
import time

from broker import START_LIMIT, Broker, BrokerError, free_ports

COOKIE = "oslo-messaging-test-cluster"


class Cluster:
    def __init__(self, folder, size=3):
        self.nodes = [Broker(f"{os.path.abspath(folder)}-{i + 1}") for i in range(size)]

    def start(self):
        with contextlib.ExitStack() as locks:
            for node in self.nodes:
                locks.enter_context(node.locked())
            for attempt in range(3):
                self.end_all()
                try:
                    self.launch()
                    return
                except BrokerError:
                    # Another process may have taken one of the ports in the meantime.
                    self.end_all()
                    if attempt == 2:
                        raise

    def launch(self):
        epmd_port, *ports = free_ports(1 + 2 * len(self.nodes))
        states = [
            Broker.fresh_state(ports[2 * i], ports[2 * i + 1], epmd_port)
            for i in range(len(self.nodes))
        ]
        settings = ["cluster_formation.peer_discovery_backend = classic_config"] + [
            f"cluster_formation.classic_config.nodes.{i + 1} = {state['name']}"
            for i, state in enumerate(states)
        ]
        self.nodes[0].launch_epmd(states[0])
        for node, state in zip(self.nodes, states):
            state["epmd"] = states[0]["epmd"]
            node.prepare(settings)
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
            known = self.nodes[0].ctl(
                ["eval", "length(rabbit_nodes:all_running())."],
                run=subprocess.run,
                stdout=subprocess.PIPE,
                text=True,
                timeout=START_LIMIT,
                check=False,
            )
            if known.stdout.strip() == str(len(self.nodes)):
                return
        raise BrokerError("The nodes did not become one cluster.")

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
    options = parser.parse_args()
    try:
        getattr(Cluster(options.dir, options.nodes), options.action)()
    except BrokerError as error:
        print(f"cluster.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
