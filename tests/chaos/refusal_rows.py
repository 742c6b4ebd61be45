"""Rows of the fault table: no descriptors left, TLS that is not to be trusted, and refusals."""

import contextlib
import resource
import socket
import ssl
import threading

from bench import Outcome, row
from certificates import Authority
from fault_proxy import FaultProxy
from load import Fault, let_pass

PASSWORDS = ("s3cr3t-one", "s3cr3t-two")


@contextlib.contextmanager
def no_descriptors(pid, limit=0):
    """Every further descriptor has a number above the limit, of which those below are in use."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


@row("16", "no descriptors left, in the sender")
def client_descriptors(bench):
    outcome = Outcome(bound=2.0)
    with FaultProxy(bench.port(0)) as proxy:
        with bench.load("notify", bench.url([proxy.port]), bench.url(), rate=500) as load:
            load.sender.wait_for("ok", 500)
            had = load.sender.descriptors()
            with load.outage(), no_descriptors(load.sender.pid):
                proxy.cut(reset=True)
                used = load.sender.processor_seconds()
                let_pass(5)
                used = load.sender.processor_seconds() - used
            outcome.expect(used < 2.5, f"it spins: {used:.1f} s of 5 s")
            load.wait_for_more(1_000)
            outcome.expect(load.sender.descriptors() == had, "descriptors are lost")
            load.stop_sending()
            outcome.add(load.verdict())
    return outcome


class BrokerDamaged(Exception):
    """What is measured then is no client."""


@row("16", "no descriptors left, in the broker")
def broker_descriptors(bench):
    """It is to run short of connections. Where it wants a file just then, parts of RabbitMQ crash, and
    some do not come back before it is started again: then it is, and the whole is repeated."""
    for _ in range(8):
        try:
            return run_out_of_descriptors(bench)
        except BrokerDamaged:
            continue
        finally:
            bench.node.restart()
    raise Fault("RabbitMQ did not survive it once")


def run_out_of_descriptors(bench):
    outcome = Outcome(bound=2.0)
    with bench.own_host() as host, FaultProxy(bench.port(0)) as proxy:
        # A durable queue would have a file.
        urls = [
            bench.url(ports, host=host, amqp_durable_queues="false")
            for ports in ([proxy.port], None)
        ]
        with bench.load("cast", *urls, rate=500) as load:
            load.sender.wait_for("ok", 500)
            # poll(2) takes no more descriptors than the limit: with 0 the VM does not get far.
            with load.outage(), no_descriptors(bench.node.state()["node"][0], limit=16):
                proxy.cut(reset=True)
                let_pass(3)
            if "cancelled a consumer" in load.receiver.words():
                raise BrokerDamaged("its queue has crashed")
            load.wait_for_more(1_000)
            load.stop_sending()
            outcome.add(load.verdict())
    return outcome


class TlsPeer:
    """A context manager: serves TLS with that certificate, and keeps what is said to it."""

    def __init__(self, certificate, key, version=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        if version:
            self.context.set_ciphers("ALL:@SECLEVEL=0")
            self.context.minimum_version = self.context.maximum_version = version
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.heard = b""
        self.thread = threading.Thread(target=self.accept)

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                link, _ = self.listener.accept()
                link.settimeout(2)
                with link, contextlib.suppress(OSError):
                    with self.context.wrap_socket(link, server_side=True) as secure:
                        self.heard += secure.recv(4096)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


def tls_url(bench, port, host="localhost"):
    return bench.url([port], ssl="true", ssl_ca_file=bench.files.authority.file).replace(
        "127.0.0.1", host
    )


def refused(bench, outcome, name, url):
    """Every cast fails for good; returns the words of the log."""
    with bench.load("cast", url, bench.url(), count=20, timeout=4) as load:
        verdict = load.verdict()
        words = load.sender.words()
    outcome.add(verdict, all_confirmed=False)
    outcome.expect(verdict.failed == 20, f"{name}: {verdict.failed} of 20 failed")
    outcome.expect(words.strip(), f"{name}: nothing in the log")
    return words


@row("17", "TLS: name, authority, age, version, no TLS at all")
def tls(bench):
    outcome = Outcome(timed=False)
    secure = bench.node.state()["tls_port"]
    with bench.load("cast", tls_url(bench, secure), bench.url(), count=200, rate=500) as load:
        outcome.add(load.verdict())
    stranger = Authority(bench.logs, "stranger")
    mine = bench.files.authority
    peers = {
        "another name": mine.sign("another", "DNS:elsewhere.example"),
        "unknown authority": stranger.sign("stranger-broker", "DNS:localhost"),
        "expired": mine.sign("old", "DNS:localhost", days=-1),
        "TLS 1.1": (bench.files.certificate, bench.files.key, ssl.TLSVersion.TLSv1_1),
    }
    reasons = {}
    for name, files in peers.items():
        with TlsPeer(*files) as peer:
            reasons[name] = refused(bench, outcome, name, tls_url(bench, peer.port))
        outcome.expect(not peer.heard, f"{name}: it was told {peer.heard[:40]}")
    reasons["no TLS"] = refused(bench, outcome, "no TLS", tls_url(bench, bench.port(0)))
    # Without the first words (time, purpose, host and port), which differ anyway.
    texts = {name: words.splitlines()[0].rpartition(" failed")[2] for name, words in reasons.items()}
    outcome.expect(len(set(texts.values())) == len(texts), f"the same reason twice: {texts}")
    return outcome


@row("18", "password changed, permissions and virtual host taken away, live")
def refusals(bench):
    # A verdict is tried again after 5 to 10 s.
    outcome = Outcome(bound=12.0)
    with bench.own_user(PASSWORDS[0]) as user, FaultProxy(bench.port(0)) as proxy:
        url = bench.url([proxy.port], user=f"{user}:{PASSWORDS[0]}")
        with bench.load("notify", url, bench.url(), rate=50, timeout=60) as load:
            load.sender.wait_for("ok", 50)
            with load.outage():
                bench.node.ask("change_password", user, PASSWORDS[1])
                proxy.cut(reset=True)
                load.sender.wait_for("error", 10)
                before = proxy.accepted
                let_pass(11)
                tries = proxy.accepted - before
                outcome.expect(1 <= tries <= 3, f"{tries} attempts in 11 s")
                bench.node.ask("change_password", user, PASSWORDS[0])
            load.wait_for_more(50)
            for take, give in (
                (("clear_permissions", user), ("set_permissions", user, ".*", ".*", ".*")),
                (("set_permissions", user, ".*", "", ".*"),)
                + (("set_permissions", user, ".*", ".*", ".*"),),
            ):
                with load.outage():
                    bench.node.ask(*take)
                    proxy.cut(reset=True)
                    load.sender.wait_for("error", load.sender.log.count("error") + 10)
                    bench.node.ask(*give)
                load.wait_for_more(50)
            load.stop_sending()
            verdict = load.verdict()
            words = load.sender.words()
            with open(load.sender.log.path, encoding="utf-8") as file:
                words += file.read()
    outcome.add(verdict, all_confirmed=False)
    for password in PASSWORDS:
        outcome.expect(password not in words, "the password is in the log")
    outcome.expect("ACCESS_REFUSED" in words, "the broker's words are missing")
    return outcome


