#!/usr/bin/env python3
"""Qpid Proton's examples doing the work of `oslo-msg bench`; prints one JSON line.

    proton_peer.py send|receive --bin DIR --url amqp://HOST:PORT/… [--count N] [--broker-pid P]

`send` waits until the broker has accepted every message. `receive` takes what `send` has sent before
its clock starts. The clock has the whole process, some milliseconds of start included.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import time
import urllib.parse

import figures


def run(program, options, address):
    parts = urllib.parse.urlsplit(options.url)
    command = [options.bin / f"proton_{program}", parts.hostname, str(parts.port), address,
               str(options.count)]
    begin = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300, check=True)
    seconds = time.monotonic() - begin
    if not done.stdout.splitlines()[-1].startswith(f"{options.count} messages"):
        sys.exit(f"{command[0]} says: {done.stdout[-200:]}")
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", choices=["send", "receive"])
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--broker-pid", type=int)
    options = parser.parse_args()
    address = f"unicast.bench-proton-{os.getpid()}"
    seconds = run("send", options, address)
    if options.program == "receive":
        seconds = run("receive", options, address)
    figures.print_line(options.program, 0, options.count, seconds, cpu_us={})


if __name__ == "__main__":
    main()
