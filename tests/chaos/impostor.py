"""A broker that abuses the sizes of AMQP, and then lets everybody through to a real one."""

import contextlib
import struct
import threading

from fault_proxy import FaultProxy

METHOD, HEADER, BODY = 1, 2, 3
# Answers that need no thought, by class and method of the question.
ANSWERS = {
    (10, 40): (10, 41, b"\x00"),  # connection.open
    (20, 10): (20, 11, bytes(4)),  # channel.open
    (85, 10): (85, 11, b""),  # confirm.select
    (40, 10): (40, 11, b""),  # exchange.declare
    (50, 10): (50, 11, b"\x01q" + bytes(8)),  # queue.declare
    (50, 20): (50, 21, b""),  # queue.bind
}
PUBLISH = (60, 40)


def frame(kind, channel, payload, size=None):
    size = len(payload) if size is None else size
    return struct.pack(">BHI", kind, channel, size) + payload + b"\xce"


def method(channel, klass, number, arguments=b""):
    return frame(METHOD, channel, struct.pack(">HH", klass, number) + arguments)


def returned(channel, size):
    """basic.return of a message, up to its content header, which says that size."""
    arguments = struct.pack(">H", 312) + b"\x00\x00\x01q"
    header = frame(HEADER, channel, struct.pack(">HHQH", 60, 0, size, 0))
    return method(channel, 60, 50, arguments) + header


def start():
    mechanisms = b"AMQPLAIN PLAIN"
    arguments = b"\x00\x09" + bytes(4) + struct.pack(">I", len(mechanisms)) + mechanisms
    return method(0, 10, 10, arguments + struct.pack(">I", 5) + b"en_US")


# The largest frame that it grants, and what it says to the first message.
HUGE_FRAME = frame(BODY, 1, b"x" * 1000, size=2**31 - 1)
SCRIPTS = {
    "frame_max 1": (1, HUGE_FRAME),
    "frame_max 4,095": (4095, HUGE_FRAME),
    "frame_max 2^31, a frame of 2 GiB": (2**31, HUGE_FRAME),
    "frame_max 0, a frame of 2 GiB": (0, HUGE_FRAME),
    "frame_max 0, a body of 2^63 bytes": (0, returned(1, 2**63) + frame(BODY, 1, b"x" * 1000)),
    "a frame above the limit": (4096, returned(1, 10**7) + frame(BODY, 1, b"x" * 10**6)),
}


def serve(link, frame_max, mischief):
    """One connection, until the client has had enough; at the latest after 3 s of its silence."""
    link.settimeout(3)
    file = link.makefile("rb")
    file.read(8)
    link.sendall(start())
    while head := file.read(7):
        kind, channel, size = struct.unpack(">BHI", head)
        payload = file.read(size)
        file.read(1)
        if kind != METHOD:
            continue
        question = struct.unpack(">HH", payload[:4])
        if question == (10, 11):
            link.sendall(method(0, 10, 30, struct.pack(">HIH", 100, frame_max, 60)))
        elif question == PUBLISH:
            link.sendall(mischief)
            mischief = b""
        elif question in ANSWERS:
            klass, number, arguments = ANSWERS[question]
            link.sendall(method(channel, klass, number, arguments))


class Impostor(FaultProxy):
    """A context manager: the first connections get one script each, all others the broker."""

    def __init__(self, target):
        self.threads = []
        super().__init__(target)

    def is_done(self):
        return self.accepted > len(SCRIPTS)

    def serve(self, client, faults):
        if self.is_done():
            super().serve(client, faults)
            return
        script = list(SCRIPTS.values())[self.accepted - 1]
        self.threads.append(threading.Thread(target=self.play, args=(client, *script)))
        self.threads[-1].start()

    @staticmethod
    def play(client, frame_max, mischief):
        with client, contextlib.suppress(OSError, struct.error):
            serve(client, frame_max, mischief)

    def __exit__(self, *_):
        super().__exit__(*_)
        for thread in self.threads:
            thread.join()
