"""What the rows of the fault table share: brokers, loads, and the table itself."""

import contextlib
import dataclasses
import os
import shutil

import load as loads
from certificates import Files
from cluster import Cluster
from programs import tcp_ports, unique

# Seconds. The library gives a peer up that is silent for one and a half times as long, or answers
# nothing for one and three quarters.
HEARTBEAT = 2
# A link that is known to be dead is replaced at once; this is for the way there and a slow machine.
RECONNECT = 1.0


@dataclasses.dataclass
class Outcome:
    """What one run of a row has shown. `bound`: of the longest stall; none: there is no limit.
    `timed`: whether that stall says anything."""

    bound: float | None = None
    timed: bool = True
    sent: int = 0
    confirmed: int = 0
    lost: int = 0
    doubled: int = 0
    dropped: int = 0
    longest_stall: float | None = None
    problems: list = dataclasses.field(default_factory=list)
    late: list = dataclasses.field(default_factory=list)  # stalls above the bound

    def add(self, verdict, all_confirmed=True, stall=None):
        """`stall`: in place of that of the verdict."""
        self.sent += verdict.sent
        self.confirmed += verdict.confirmed
        self.lost += len(verdict.lost)
        self.doubled += len(verdict.doubled)
        self.dropped += verdict.dropped
        if self.timed:
            stall = verdict.longest_stall if stall is None else stall
            self.longest_stall = max(self.longest_stall or 0.0, stall)
            if self.bound is not None and stall > self.bound:
                text = f"nothing moved for {stall:.2f} s; the bound is {self.bound} s"
                self.late.append(text)
        self.problems += verdict.complaints()
        if all_confirmed:
            self.expect(
                verdict.confirmed == verdict.sent,
                f"of {verdict.sent} messages {verdict.failed} failed and"
                f" {verdict.unknown} are unknown",
            )

    def expect(self, holds, text):
        if not holds:
            self.problems.append(text)

    def merge(self, other):
        for name in ("sent", "confirmed", "lost", "doubled", "dropped"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        if other.longest_stall is not None:
            self.longest_stall = max(self.longest_stall or 0.0, other.longest_stall)
        self.bound = other.bound
        self.problems += other.problems
        self.late += other.late


@dataclasses.dataclass
class Row:
    key: str  # number of the fault
    fault: str
    nodes: int
    run: object


ROWS = []


def row(key, fault, nodes=(1,)):
    """Registers a function that gets a `Bench` and returns an `Outcome`."""

    def register(function):
        ROWS.extend(Row(key, fault, count, function) for count in nodes)
        return function

    return register


class Bench:
    """One node or three, for all rows of that number. A context manager."""

    def __init__(self, folder, brokers, nodes, bin, python=None):
        """`brokers`: their folders are this with "-1-1" and the like at the end. `python`: an
        interpreter with oslo.messaging."""
        self.folder = self.logs = os.path.abspath(folder)
        self.nodes, self.bin, self.python = nodes, os.path.abspath(bin), python
        self.cluster = Cluster(f"{brokers}-{nodes}", nodes)

    def __enter__(self):
        tls = os.path.join(self.folder, f"tls-{self.nodes}")
        shutil.rmtree(tls, ignore_errors=True)
        os.makedirs(tls)
        self.files = Files(tls, "DNS:localhost")
        self.cluster.start(tls=self.files)
        return self

    def __exit__(self, *_):
        self.cluster.stop()

    @property
    def node(self):
        return self.cluster.nodes[0]

    def port(self, number):
        return self.cluster.nodes[number].state()["port"]

    def url(self, ports=None, user="guest:guest", host="", **options):
        """Queues that outlive their node: durable with one, quorum queues with three.
        `host`: the virtual host, by default "/"."""
        durable = "rabbit_quorum_queue" if self.nodes > 1 else "amqp_durable_queues"
        options = {durable: "true"} | options
        ports = ports or [node.state()["port"] for node in self.cluster.nodes]
        hosts = ",".join(f"{user}@127.0.0.1:{port}" for port in ports)
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"rabbit://{hosts}/{host}?{query}"

    def load(self, kind, url=None, receiver_url=None, receiver=None, languages=None, **sender):
        return loads.Load(
            self,
            kind,
            url or self.url(),
            receiver_url,
            sender,
            receiver,
            languages or ("C++", "C++"),
        )

    def program(self, role, language):
        if language == "C++":
            return [os.path.join(self.bin, f"chaos_{role}")]
        if not self.python:
            raise loads.Fault("--python is needed")
        return [self.python, os.path.join(os.path.dirname(__file__), "python_load.py")]

    def prepared(self):
        """Mnesia writes with a delay: a queue that is a second old does not survive kill -9."""
        self.running()[0].evaluate("mnesia:sync_log().")

    def running(self):
        return [node for node in self.cluster.nodes if node.running()]

    def number_of(self, process):
        """The node that a program is connected to."""
        peers = tcp_ports(process.pid, peers=True)
        for number, node in enumerate(self.cluster.nodes):
            if node.state()["port"] in peers:
                return number
        raise loads.Fault(f"it is connected to {peers}, and to no node")

    def bring_back(self):
        """Starts what a row has killed."""
        for node in self.cluster.nodes:
            if not node.running():
                node.restart()

    def wait_until_spare(self):
        """Until every quorum queue can do without one more member."""
        question = "length(rabbit_quorum_queue:list_with_minimum_quorum())."
        loads.wait_until(
            lambda: all(node.evaluate(question) == "0" for node in self.running()),
            60,
            "quorum queues with a member to spare",
        )

    @contextlib.contextmanager
    def own_host(self):
        """A virtual host, whose objects may have other properties. Yields its name."""
        name = unique("host")
        self.node.ask("add_vhost", name)
        self.node.ask("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        try:
            yield name
        finally:
            self.running()[0].ask("delete_vhost", name)

    @contextlib.contextmanager
    def own_user(self, password):
        """A user who may do everything. Yields its name."""
        name = unique("user")
        self.node.ask("add_user", name, password)
        self.node.ask("set_permissions", "-p", "/", name, ".*", ".*", ".*")
        try:
            yield name
        finally:
            self.node.ask("delete_user", name)
