#!/usr/bin/env python3
"""Runs oslo-msg bench beside a tight rabbitmq-c program on one broker and prints ratios.

    bench/run.py --url rabbit://guest:guest@127.0.0.1:5672/ --bin build/bench/bin [--json FILE]

The programs take turns within each round, so that whatever else the machine does hits all of them.
Figures are medians of the rounds. It measures and never judges: the exit status is 0 unless a
program fails.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import urllib.parse

# The bodies that oslo-msg bench makes of 100 bytes of argument.
CALL_BYTES = 376
REPLY_BYTES = 315
CAST_BYTES = 246

CASES = [
    # name, kind, in flight, count
    ("1 call in flight", "call", 1, 5000),
    ("8 calls in flight", "call", 8, 20000),
    ("64 calls in flight", "call", 64, 40000),
    ("50,000 casts drained", "drain", 0, 50000),
]


def amqp_url(url):
    """rabbit://… as rabbitmq-c reads it: an empty virtual host means "/"."""
    parts = urllib.parse.urlsplit(url)
    vhost = urllib.parse.unquote(parts.path[1:]) or "/"
    return f"amqp://{parts.netloc}/{urllib.parse.quote(vhost, safe='')}"


def commands(options, kind, in_flight, count):
    """The programs that do one case, by the column they fill."""
    def ours(executor):
        flight = ["--in-flight", str(in_flight)] if kind == "call" else []
        return [str(options.bin / "oslo-msg"), "--url", options.url, "bench", kind, "--count",
                str(count), "--executor", executor, "--body", "100", "--json", "-"] + flight

    def peer(acks):
        program = "rabbitmqc_rpc" if kind == "call" else "rabbitmqc_drain"
        command = [str(options.bin / program), "--url", amqp_url(options.url), "--count",
                   str(count), "--acks", acks, "--request-bytes",
                   str(CALL_BYTES if kind == "call" else CAST_BYTES)]
        if kind == "call":
            command += ["--in-flight", str(in_flight), "--reply-bytes", str(REPLY_BYTES)]
        return command

    return {
        "ours": ours("inline"),
        "ours, threads": ours("threads"),
        "rabbitmq-c": peer("each"),
        "rabbitmq-c, folded acks": peer("folded"),
    }


def run_once(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300)
    if done.returncode != 0:
        sys.exit(f"{pathlib.Path(command[0]).name} ended with status {done.returncode}")
    figures = json.loads(done.stdout)
    if figures["errors"]:
        sys.exit(f"{pathlib.Path(command[0]).name} reports {figures['errors']} errors")
    return figures


def median(runs, *path):
    def dig(run):
        for key in path:
            run = run.get(key, {})
        return run if isinstance(run, (int, float)) else None
    values = [v for v in map(dig, runs) if v is not None]
    return statistics.median(values) if values else None


def summarise(kind, runs):
    client, server = median(runs, "cpu_us", "client"), median(runs, "cpu_us", "server")
    if kind == "drain":  # the client only filled the queue
        client = None
    return {
        "rate": median(runs, "rate"),
        "cpu_us": {"client": client, "server": server,
                   "total": (client or 0) + (server or 0)},
        "latency_us": {p: median(runs, "latency_us", p) for p in ("p50", "p99", "p999")},
    }


def print_table(results):
    columns = f"{'':24}{'rate/s':>10}{'of ours':>9}{'CPU us':>9}{'of ours':>9}{'p50 us':>9}{'p99 us':>9}"
    for name, by_program in results.items():
        print(f"\n{name}\n{columns}")
        ours = by_program["ours"]
        for program, r in by_program.items():
            line = f"  {program:22}{r['rate']:10,.0f}{r['rate'] / ours['rate']:9.2f}"
            line += f"{r['cpu_us']['total']:9.1f}{r['cpu_us']['total'] / ours['cpu_us']['total']:9.2f}"
            for p in ("p50", "p99"):
                latency = r["latency_us"][p]
                line += f"{latency:9,.0f}" if latency is not None else f"{'-':>9}"
            print(line)
    print("\nours / rabbitmq-c")
    for name, by_program in results.items():
        ours = by_program["ours"]
        for program in ("rabbitmq-c", "rabbitmq-c, folded acks"):
            peer = by_program[program]
            print(f"  {name:24}{program:26}rate {ours['rate'] / peer['rate']:5.2f}"
                  f"   CPU {ours['cpu_us']['total'] / peer['cpu_us']['total']:5.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default=os.environ.get("OSLO_TEST_RABBIT_URL"),
                        help="rabbit:// URL of a broker without other work "
                             "[$OSLO_TEST_RABBIT_URL]")
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the programs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path, help="write all figures to this file")
    options = parser.parse_args()
    if not options.url:
        parser.error("--url is missing")

    results = {}
    for name, kind, in_flight, count in CASES:
        runs = {}
        for round_number in range(options.rounds):
            for program, command in commands(options, kind, in_flight, count).items():
                if sys.stderr.isatty():
                    print(f"\r\x1b[K{name}: round {round_number + 1}, {program}", end="",
                          file=sys.stderr, flush=True)
                runs.setdefault(program, []).append(run_once(command))
        results[name] = {program: summarise(kind, r) for program, r in runs.items()}
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)

    print(f"medians of {options.rounds} rounds, {os.cpu_count()} cores for broker, client and server; "
          f"bodies of {CALL_BYTES} (call), {REPLY_BYTES} (reply) and {CAST_BYTES} (cast) bytes")
    print_table(results)
    if options.json:
        options.json.write_text(json.dumps({"rounds": options.rounds, "cases": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
