#!/usr/bin/env python3
"""Breaks brokers and links under load, and counts what was lost.

    run.py --bin DIR --dir DIR [--json FILE] [--only 1,2,12] [--nodes 1|3] [--runs N] [--list]
    run.py --bin DIR --dir DIR --soak [--minutes N]

Prints a row for each fault. Exit code 1 when what is stated for one did not hold. Run it under
tests/support/with_broker.py --dir DIR/broker, which ends the brokers when this is killed.
"""

import argparse
import json
import os
import shutil
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from bench import ROWS, Bench, Outcome  # noqa: E402
from load import Fault  # noqa: E402
from soak import soak  # noqa: E402

import link_rows  # noqa: E402,F401  (rows register themselves)
import hostile_rows  # noqa: E402,F401
import refusal_rows  # noqa: E402,F401
import upstream_rows  # noqa: E402,F401

TITLES = ("fault", "nodes", "runs", "sent", "confirmed", "lost", "doubled", "stall s", "bound s")
LINE = "{:<62} {:>5} {:>4} {:>8} {:>9} {:>5} {:>7} {:>8} {:>7}"


def run_once(row, bench, number):
    began = time.monotonic()
    bench.logs = os.path.join(bench.folder, f"logs-{row.run.__name__}-{row.nodes}-{number}")
    shutil.rmtree(bench.logs, ignore_errors=True)
    os.makedirs(bench.logs)
    try:
        outcome = row.run(bench)
    except Exception as error:  # the other rows go on
        outcome = Outcome()
        outcome.problems.append(f"{type(error).__name__}: {error}")
        if not isinstance(error, Fault):
            traceback.print_exc()
    bench.bring_back()
    return outcome, time.monotonic() - began


def run_row(row, bench, runs):
    """An entry of the report."""
    whole = Outcome()
    for number in range(runs):
        outcome, took = run_once(row, bench, number)
        whole.merge(outcome)
        if not sys.stdout.isatty():
            print(f"# {row.key} {row.fault}, {row.nodes}: run {number + 1} took {took:.0f} s")
    seconds = whole.longest_stall
    return {
        "fault": f"{row.key} {row.fault}",
        "nodes": row.nodes,
        "runs": runs,
        "sent": whole.sent,
        "confirmed": whole.confirmed,
        "lost": whole.lost,
        "doubled": whole.doubled,
        "longest_stall_s": None if seconds is None else round(seconds, 3),
        "bound_s": whole.bound,
        "problems": whole.problems + whole.late,
    }


def show(entry):
    values = list(entry.values())[:9]
    texts = ["-" if value is None else value for value in values]
    if isinstance(texts[7], float):
        texts[7] = f"{texts[7]:.2f}"
    print(LINE.format(*texts), flush=True)
    for problem in entry["problems"][:5]:
        print(f"    {problem}", flush=True)


def save(entries, path):
    if path:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(entries, file, indent=1)


def chosen(options):
    keys = options.only.split(",") if options.only else None
    rows = [
        row
        for row in ROWS
        if (keys is None or row.key in keys or row.run.__name__ in keys)
        and options.nodes in (None, row.nodes)
    ]
    return sorted(rows, key=lambda row: int(row.key))


def make_bench(options, nodes):
    brokers = os.path.join(options.dir, "broker")
    return Bench(options.dir, brokers, nodes, options.bin, options.python)


def main():
    parser = argparse.ArgumentParser(description="Breaks brokers and links under load.")
    parser.add_argument("--bin", required=True, help="folder of chaos_sender and chaos_receiver")
    parser.add_argument("--dir", required=True, help="folder for brokers and logs")
    parser.add_argument("--python", help="an interpreter with oslo.messaging")
    parser.add_argument("--json", help="the table as a list of objects")
    parser.add_argument("--only", help="numbers of faults, or names of rows, with commas")
    parser.add_argument("--nodes", type=int, choices=(1, 3))
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="only say which rows there are")
    parser.add_argument("--soak", action="store_true", help="half an hour with a restart a minute")
    parser.add_argument("--minutes", type=int, default=30, help="of --soak")
    options = parser.parse_args()
    os.makedirs(options.dir, exist_ok=True)
    if options.soak:
        with make_bench(options, 1) as bench:
            return soak(bench, options.minutes)
    rows = chosen(options)
    if options.list:
        for row in rows:
            print(f"{row.key:>3} {row.run.__name__:22} {row.nodes}  {row.fault}")
        return 0
    if not rows:
        parser.error("there is no such fault")

    entries = []
    print(LINE.format(*TITLES), flush=True)
    for nodes in (1, 3):
        of_these = [row for row in rows if row.nodes == nodes]
        if of_these:
            with make_bench(options, nodes) as bench:
                for row in of_these:
                    entries.append(run_row(row, bench, options.runs))
                    show(entries[-1])
                    save(entries, options.json)
    bad = [entry for entry in entries if entry["problems"]]
    lost = sum(entry["lost"] for entry in entries)
    print(f"\n{len(entries)} rows, {len(bad)} failed; {lost} confirmed messages lost")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
