"""What the Python peers share: bodies, CPU time, memory, connections, and the line they print."""

import json
import os
import random
import string
import time

CURVE = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995,
         0.9999, 1.0]


def simulator_length(fraction):
    """The formula of oslo-msg bench: straight lines in the logarithm."""
    points = [(0, 806), (0.5, 2450), (0.95, 6576), (1, 11292)]
    for (start, low), (end, high) in zip(points, points[1:]):
        if fraction <= end:
            return int(low * (high / low) ** ((fraction - start) / (end - start)))
    raise ValueError(fraction)


def bodies(kind):
    """Texts to send in turn: one of that many bytes, or 1,000 for "simulator"."""
    if kind != "simulator":
        return ["x" * int(kind)]
    letters = string.ascii_letters + string.digits + "-_"
    source = random.Random(2450)
    return ["".join(source.choices(letters, k=simulator_length((i * 389 % 1000 + 0.5) / 1000)))
            for i in range(1000)]


def cpu_seconds(pid):
    """User and system time of a process."""
    return time.clock_gettime(((~pid) << 3) | 2)


def peak_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def connections(pid):
    """Established TCP connections of a process."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}", encoding="ascii") as lines:
            next(lines)
            inodes.update(w[9] for w in map(str.split, lines) if w[3] == "01")
    found = 0
    for entry in os.listdir(f"/proc/{pid}/fd"):
        try:
            link = os.readlink(f"/proc/{pid}/fd/{entry}")
        except OSError:
            continue
        found += link.startswith("socket:[") and link[8:-1] in inodes
    return found


class Meter:
    """CPU time, memory and connections of all who take part, from its making to `read`."""

    def __init__(self, server=None, broker=None):
        self.pids = {"client": os.getpid(), "server": server, "broker": broker}
        self.pids = {name: pid for name, pid in self.pids.items() if pid}
        self.before = {name: cpu_seconds(pid) for name, pid in self.pids.items()}

    def read(self, count):
        ours = {name: pid for name, pid in self.pids.items() if name != "broker"}
        return {
            "cpu_us": {name: 1e6 * (cpu_seconds(pid) - self.before[name]) / count
                       for name, pid in self.pids.items()},
            "peak_memory_kib": {name: peak_kib(pid) for name, pid in ours.items()},
            "connections": {name: connections(pid) for name, pid in ours.items()},
        }


def latency_us(seconds):
    if not seconds:
        return {}
    ordered = sorted(seconds)

    def at(fraction):
        return 1e6 * ordered[min(int(fraction * len(ordered)), len(ordered) - 1)]

    return {"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999), "max": at(1),
            "curve": [[fraction, at(fraction)] for fraction in CURVE]}


def print_line(mode, in_flight, count, seconds, latencies=(), **more):
    print(json.dumps({"mode": mode, "in_flight": in_flight, "count": count, "seconds": seconds,
                      "rate": count / seconds, "latency_us": latency_us(latencies), "errors": 0,
                      **more}), flush=True)
