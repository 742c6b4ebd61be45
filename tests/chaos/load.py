"""A sender and a receiver under load, and what they noted."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

from programs import read_line, unique
from total_queue import check, read

START_LIMIT = 60.0
SETTLE_LIMIT = 120.0


class Fault(Exception):
    """What was to hold did not."""


class Log:
    """The events of a file that still grows, by their kind."""

    def __init__(self, path):
        self.path = path
        self.place = 0
        self.counts = {}

    def count(self, what):
        with contextlib.suppress(FileNotFoundError), open(self.path, "rb") as file:
            file.seek(self.place)
            data = file.read()
            whole = data.rfind(b"\n") + 1
            self.place += whole
            for line in data[:whole].splitlines():
                kind = line.split(b" ", 2)[1].decode()
                self.counts[kind] = self.counts.get(kind, 0) + 1
        return self.counts.get(what, 0)


class Process:
    """A sender or a receiver."""

    def __init__(self, folder, program, command, topic, url, **options):
        name = unique(command)
        self.log = Log(os.path.join(folder, f"{name}.log"))
        self.errors = os.path.join(folder, f"{name}.err")
        line = [*program, "--url", url, command, topic, "--log", self.log.path]
        for key, value in options.items():
            line += [f"--{key}", str(value)]
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                line,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    @property
    def pid(self):
        return self.process.pid

    def wait_until_ready(self):
        if read_line(self.process.stdout, START_LIMIT) != "ready\n":
            raise Fault(f"{self.process.args[0]} is not ready: {self.words()}")

    def words(self):
        with open(self.errors, encoding="utf-8", errors="backslashreplace") as file:
            return file.read()

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, limit=SETTLE_LIMIT):
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.close()
            raise Fault(f"{self.process.args[0]} did not end: {self.words()}") from None
        if code != 0:
            raise Fault(f"{self.process.args[0]} ended with {code}: {self.words()}")

    def wait_for(self, what, count, limit=60.0):
        """Until it has noted so many events of that kind."""
        wait_until(
            lambda: self.log.count(what) >= count or self.process.poll() is not None,
            limit,
            f"{count} times {what!r} of {self.log.counts}: {self.words()}",
        )
        if self.log.count(what) < count:
            raise Fault(f"it ended early: {self.log.counts} {self.words()}")

    def memory(self):
        """Resident, in bytes."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def processor_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Load:
    """A context manager: both programs, from "ready" on. `sender`, `receiver`: their options.
    `languages`: in which they are written."""

    def __init__(
        self, bench, kind, url, receiver_url, sender, receiver, languages=("C++", "C++")
    ):
        self.bench, self.kind = bench, kind
        self.languages = dict(zip(("sender", "receiver"), languages))
        self.topic = unique("chaos")
        self.url, self.receiver_url = url, receiver_url or url
        self.options = {"kind": kind} | (sender or {})
        self.receiver_options = {"kind": "notify" if kind == "notify" else "rpc"} | (
            receiver or {}
        )
        self.away = []

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        with self.stack:
            self.receiver = self.start("receiver", self.receiver_url, self.receiver_options)
            self.bench.prepared()
            self.sender = self.start("sender", self.url, self.options)
            self.stack = self.stack.pop_all()
        return self

    def start(self, role, url, options, topic=None):
        command = {"sender": "send", "receiver": "receive"}[role]
        program = self.bench.program(role, self.languages[role])
        one = Process(self.bench.logs, program, command, topic or self.topic, url, **options)
        self.stack.callback(one.close)
        one.wait_until_ready()
        return one

    def __exit__(self, *_):
        self.stack.close()

    def wait_for_more(self, count):
        """Until the sender has had so many more confirmations."""
        self.sender.wait_for("ok", self.sender.log.count("ok") + count)

    def survive(self, break_it, times, every, then):
        """The verdict on a load that is broken `times` times, after `every` confirmations each, and
        has `then` more after the last time."""
        for _ in range(times):
            self.wait_for_more(every)
            break_it()
        self.wait_for_more(then)
        self.stop_sending()
        return self.verdict()

    def stop_sending(self):
        self.sender.signal(signal.SIGTERM)

    def verdict(self):
        """Waits until all is sent and received, ends both, and compares."""
        self.sender.wait()
        confirmed = {e.number for e in read(self.sender.log.path) if e.what == "ok"}
        with contextlib.suppress(Fault):  # then it is lost, and the verdict says so
            self.receiver.wait_for("got", len(confirmed), 30.0)
            wait_until(
                lambda: confirmed
                <= {e.number for e in read(self.receiver.log.path) if e.what == "got"},
                30.0,
                "all that was confirmed",
            )
        self.receiver.signal(signal.SIGTERM)
        self.receiver.wait()
        return check(read(self.sender.log.path), read(self.receiver.log.path), self.away)

    @contextlib.contextmanager
    def outage(self):
        """Time that does not count."""
        span = [time.monotonic(), None]
        yield
        span[1] = time.monotonic()
        self.away.append(tuple(span))


def wait_until(holds, limit, what):
    """Asks again and again; `what` names it when it does not come true."""
    deadline = time.monotonic() + limit
    while not holds():
        if time.monotonic() > deadline:
            raise Fault(f"not within {limit:.0f} s: {what}")
        time.sleep(0.01)


def let_pass(seconds):
    """For faults that are to last, and for what must not happen in this time."""
    began = time.monotonic()
    while (left := began + seconds - time.monotonic()) > 0:
        time.sleep(left)


def wait_for_port(port, limit=90.0):
    """Until somebody takes connections there; returns when."""
    deadline = time.monotonic() + limit
    # From another address: from the same one it may, by chance, get that port and connect to itself.
    source = ("127.0.0.2", 0)
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(
            ("127.0.0.1", port), 1, source
        ):
            return time.monotonic()
        time.sleep(0.002)
    raise Fault(f"nobody listens on port {port}")


def restart(load, node):
    """Starts a node that was killed; the time until its port is open does not count."""
    since = load.killed_at
    opened = []
    prober = threading.Thread(
        target=lambda: opened.append(wait_for_port(node.state()["port"]))
    )
    prober.start()
    node.restart()
    prober.join()
    load.away.append((since, opened[0]))


def kill(load, node):
    load.killed_at = time.monotonic()
    node.kill()
