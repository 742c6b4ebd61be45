#!/usr/bin/env python3
"""Runs a command beside a private RabbitMQ: with_broker.py --dir DIR -- COMMAND...

The command finds the broker through the variables of Broker.environment(); its exit code is ours.
The broker ends with the command, on SIGINT and SIGTERM, and also when this program is killed: a
watcher process then sees its end of a pipe close. So do the private brokers of tests, whose folders
are DIR-NAME.
"""

import argparse
import contextlib
import glob
import os
import signal
import subprocess
import sys

from broker import Broker, BrokerError


def watch(broker):
    """Forks a process that stops `broker` when we are gone. Returns (pid, pipe end to keep)."""
    reading, writing = os.pipe()
    watcher = os.fork()
    if watcher:
        os.close(reading)
        return watcher, writing
    os.close(writing)
    os.setsid()
    # Holding on to our caller's output would keep a `with_broker.py | tee` alive.
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    while os.read(reading, 1):
        pass
    try:
        for folder in (broker.folder, *glob.glob(f"{glob.escape(broker.folder)}-*{os.sep}")):
            with contextlib.suppress(BrokerError, OSError):
                Broker(folder).stop()
    finally:
        os._exit(0)


def main():
    parser = argparse.ArgumentParser(description="Runs a command beside a private RabbitMQ.")
    parser.add_argument("--dir", required=True, help="folder for data, logs and state")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        parser.error("a command is missing")

    def end(number, _frame):
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    broker = Broker(options.dir)
    watcher, pipe = watch(broker)
    child = None
    try:
        broker.start()
        child = subprocess.Popen(command, env=os.environ | broker.environment())
        code = child.wait()
        return code if code >= 0 else 128 - code
    except (BrokerError, FileNotFoundError) as error:
        print(f"with_broker.py: {error}", file=sys.stderr)
        return 1
    finally:
        if child and child.poll() is None:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        os.close(pipe)
        os.waitpid(watcher, 0)


if __name__ == "__main__":
    sys.exit(main())
