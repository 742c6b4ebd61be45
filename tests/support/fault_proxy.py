"""A TCP proxy before a broker that misbehaves on command."""

import contextlib
import ctypes
import socket
import struct
import threading

# basic.publish: class 60, method 40, at the start of a method frame's payload.
PUBLISH = b"\x00\x3c\x00\x28"


def disconnect(link):
    """Resets a connection. Python's connect() cannot be given the address family "none"."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.connect(link.fileno(), struct.pack("H", socket.AF_UNSPEC) + bytes(14), 16)


class Passage:
    """One connection through the proxy."""

    def __init__(self, proxy, client, faults):
        self.proxy, self.client, self.faults = proxy, client, faults
        self.broker = socket.create_connection(("127.0.0.1", proxy.target), timeout=20)
        self.broker.settimeout(None)
        self.room = threading.Condition()
        self.holding = False
        self.ended = False
        self.threads = [
            threading.Thread(target=self.pump, args=(self.to_broker,)),
            threading.Thread(target=self.pump, args=(self.to_client,)),
        ]
        for thread in self.threads:
            thread.start()

    def pump(self, work):
        with contextlib.suppress(OSError):
            work()
        self.end()

    def to_broker(self):
        passed = 0
        seen = b""
        limit = self.faults.get("client_bytes")
        while data := self.client.recv(65536):
            if limit is not None and passed + len(data) > limit:
                self.broker.sendall(data[: limit - passed])
                return
            passed += len(data)
            seen = seen[-len(PUBLISH) :] + data
            if self.faults.get("hold_confirms") and PUBLISH in seen:
                self.holding = True
                self.proxy.held.set()
            self.broker.sendall(data)

    def to_client(self):
        passed = 0
        limit = self.faults.get("broker_bytes")
        while data := self.broker.recv(65536):
            if limit is not None and passed + len(data) > limit:
                self.client.sendall(data[: limit - passed])
                return
            with self.room:
                # Whoever holds the answers back lets them through, or ends the connection.
                self.room.wait_for(lambda: not self.holding or self.ended)
                if self.ended:
                    return
            passed += len(data)
            self.client.sendall(data)

    def end(self):
        with self.room:
            if self.ended:
                return
            self.ended = True
            self.room.notify_all()
        if self.faults.get("reset"):
            with contextlib.suppress(OSError):
                # connect() to no address resets at once, while another thread still reads it.
                disconnect(self.client)
        # recv() of the other thread returns only after a shutdown.
        for link in (self.client, self.broker):
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def join(self):
        self.end()
        for thread in self.threads:
            thread.join()
        self.client.close()
        self.broker.close()


class FaultProxy:
    """A context manager. `faults` is for connections that come from now on:

    client_bytes, broker_bytes: the connection ends when that many bytes have passed in this
        direction; with `reset` by a reset instead of an orderly end
    hold_confirms: what the broker says after the first publish stays here; `held` is then set

    With `first`, only so many connections get them.
    """

    def __init__(self, target, first=None, **faults):
        self.target = target
        self.first = first
        self.faults = faults
        self.held = threading.Event()
        self.accepted = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.passages = []
        self.thread = threading.Thread(target=self.accept)
        self.thread.start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.accepted += 1
                try:
                    sick = self.first is None or self.accepted <= self.first
                    faults = dict(self.faults) if sick else {}
                    self.passages.append(Passage(self, client, faults))
                except OSError:  # the broker is not there
                    client.close()

    def cut(self):
        """Ends every connection."""
        for passage in list(self.passages):
            passage.end()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # close() alone would leave accept() waiting.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        for passage in self.passages:
            passage.join()
