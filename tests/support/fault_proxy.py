"""A TCP proxy before a broker that misbehaves on command."""

import contextlib
import ctypes
import queue
import socket
import struct
import threading
import time

# basic.publish: class 60, method 40, at the start of a method frame's payload.
PUBLISH = b"\x00\x3c\x00\x28"


def disconnect(link):
    """Resets a connection. Python's connect() cannot be given the address family "none"."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.connect(link.fileno(), struct.pack("H", socket.AF_UNSPEC) + bytes(14), 16)


class Stream:
    """One direction of a connection: one thread reads, one writes, so that a delay is no limit of
    speed. `side`: who sends, "client" or "broker"."""

    def __init__(self, passage, side, source, sink):
        self.passage, self.side = passage, side
        self.source, self.sink = source, sink
        self.waiting = queue.Queue(64)
        self.passed = 0
        self.seen = b""
        self.threads = [
            threading.Thread(target=self.run, args=(work,)) for work in (self.read, self.write)
        ]

    def fault(self, name):
        faults = self.passage.faults
        return faults.get(f"{self.side}_{name}", faults.get(name))

    def run(self, work):
        with contextlib.suppress(OSError):
            work()
        self.passage.end()

    def read(self):
        data = b"-"
        while data:
            try:
                data = self.source.recv(65536)
            except OSError:
                data = b""
            self.waiting.put((time.monotonic(), data))
        # What was read is still to be passed on.
        self.passage.over.wait()

    def write(self):
        while True:
            at, data = self.waiting.get()
            if delay := self.fault("delay"):
                self.passage.over.wait(max(0.0, at + delay - time.monotonic()))
            if self.side == "broker":
                self.passage.wait_for_release()
            elif self.fault("hold_confirms"):
                self.seen = self.seen[-len(PUBLISH) :] + data
                if PUBLISH in self.seen:
                    self.passage.hold()
            if self.passage.over.is_set():
                return
            if self.fault("drop"):
                if not data:  # its end does not come through either
                    self.passage.over.wait()
                continue
            if not data or not self.pass_on(data):
                return

    def pass_on(self, data):
        """False when the connection is to end here."""
        flip = self.fault("flip")
        if flip is not None and self.passed <= flip < self.passed + len(data):
            place = flip - self.passed
            data = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
        limit = self.fault("bytes")
        last = limit is not None and self.passed + len(data) > limit
        if last:
            data = data[: limit - self.passed]
        self.passed += len(data)
        rate = self.fault("rate")
        size = self.fault("piece") or (max(1, rate // 100) if rate else len(data))
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self.sink.sendall(piece)
            if rate:
                self.passage.over.wait(len(piece) / rate)
        return not last


class Passage:
    """One connection through the proxy. `faults` may change at any time."""

    def __init__(self, proxy, client, faults):
        self.proxy, self.client, self.faults = proxy, client, faults
        self.broker = socket.create_connection(("127.0.0.1", proxy.target), timeout=20)
        self.broker.settimeout(None)
        for link in (self.client, self.broker):
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.room = threading.Condition()
        self.holding = False
        self.over = threading.Event()
        self.streams = [
            Stream(self, "client", self.client, self.broker),
            Stream(self, "broker", self.broker, self.client),
        ]
        for stream in self.streams:
            for thread in stream.threads:
                thread.start()

    def hold(self):
        self.holding = True
        self.proxy.held.set()

    def wait_for_release(self):
        """Whoever holds the answers back lets them through, or ends the connection."""
        with self.room:
            self.room.wait_for(lambda: not self.holding or self.over.is_set())

    def end(self, reset=False):
        with self.room:
            if self.over.is_set():
                return
            self.over.set()
            self.room.notify_all()
        if reset or self.faults.get("reset"):
            with contextlib.suppress(OSError):
                # connect() to no address resets at once, while another thread still reads it.
                disconnect(self.client)
        # recv() of the other threads returns only after a shutdown.
        for link in (self.client, self.broker):
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        for stream in self.streams:
            with contextlib.suppress(queue.Full):
                stream.waiting.put_nowait((0.0, b""))

    def join(self):
        self.end()
        for stream in self.streams:
            for thread in stream.threads:
                while thread.is_alive():
                    # A reader may wait for room, a writer for something to write.
                    with contextlib.suppress(queue.Empty):
                        stream.waiting.get_nowait()
                    with contextlib.suppress(queue.Full):
                        stream.waiting.put_nowait((0.0, b""))
                    thread.join(0.01)
        self.client.close()
        self.broker.close()


class FaultProxy:
    """A context manager. `faults` is for connections that come from now on; each holds for both
    directions, or with `client_` or `broker_` before its name for what that side sends:

    delay: seconds that everything comes later
    rate: bytes a second
    piece: bytes of each write
    bytes: the connection ends when that many have passed
    flip: all bits of the byte at this place are turned over
    drop: nothing comes through, the end of the connection neither
    reset: when the connection ends, it does so by a reset (to the client)
    hold_confirms: what the broker says after the first publish stays here; `held` is then set

    With `first`, only so many connections get them. `plan`: faults of the first connections, one
    after the other, before `faults` count.
    """

    def __init__(self, target, first=None, plan=(), **faults):
        self.target = target
        self.first = first
        self.plan = list(plan)
        self.faults = faults
        self.held = threading.Event()
        self.accepted = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.passages = []
        # Whoever is connected through us is among the passages for all that takes it.
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.accept)
        self.thread.start()

    def faults_of(self, number):
        """Of connection `number`, which counts from 1."""
        if number <= len(self.plan):
            return dict(self.plan[number - 1])
        sick = self.first is None or number - len(self.plan) <= self.first
        return dict(self.faults) if sick else {}

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.accepted += 1
                try:
                    with self.lock:
                        self.serve(client, self.faults_of(self.accepted))
                except OSError:  # the broker is not there
                    client.close()

    def serve(self, client, faults):
        self.passages.append(Passage(self, client, faults))

    def afflict(self, **faults):
        """Gives faults to the connections that there are."""
        with self.lock:
            for passage in self.passages:
                passage.faults.update(faults)

    def cut(self, reset=False):
        """Ends every connection."""
        with self.lock:
            for passage in self.passages:
                passage.end(reset)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # close() alone would leave accept() waiting.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        for passage in self.passages:
            passage.join()
