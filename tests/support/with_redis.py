#!/usr/bin/env python3
"""Runs a program with a Redis of its own, on a free port of loopback.

    with_redis.py PROGRAM [ARGUMENT...]     sets OSLO_TEST_REDIS, "127.0.0.1:PORT"

The server keeps nothing, and ends with the program. 77 (skipped) where there is no redis-server.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
            s.sendall(b"PING\r\n")
            return s.recv(7) == b"+PONG\r\n"
    except OSError:
        return False


def start(folder):
    """Another process may take the port first: then the next one."""
    for _ in range(20):
        port = free_port()
        server = subprocess.Popen(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "",
             "--appendonly", "no", "--dir", folder],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while server.poll() is None and time.monotonic() < deadline:
            if answers(port):
                return server, port
            time.sleep(0.02)  # there is no event for "listens"
        stop(server)
    sys.exit("with_redis.py: redis-server does not start")


def stop(server):
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def main():
    if shutil.which("redis-server") is None:
        print("with_redis.py: redis-server is not installed", file=sys.stderr)
        return 77
    with tempfile.TemporaryDirectory(prefix="oslo-redis-") as folder:
        server, port = start(folder)
        try:
            return subprocess.call(sys.argv[1:],
                                   env={**os.environ, "OSLO_TEST_REDIS": f"127.0.0.1:{port}"})
        finally:
            stop(server)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
