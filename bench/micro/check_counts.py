#!/usr/bin/env python3
"""Counts instructions and allocations of each micro-benchmark and compares them with counts.json.

    check_counts.py --program build/bench/bin/oslo_micro [--update] [--only PATTERN]

Counts do not depend on how fast or how busy the machine is: callgrind runs an operation 500 and
1,500 times, and the difference is what 1,000 of them cost. The exit status is 1 when an operation
needs more than the tolerance above its recorded count. --update records what was found.
"""

import argparse
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

FEW, MANY = 500, 1500
# Threads that wait for each other do not always take the same way.
TOLERANCE = {"default": 0.03, "thread": 0.3}
RECORD = pathlib.Path(__file__).with_name("counts.json")


def tolerance(name):
    return TOLERANCE["thread" if "thread" in name else "default"]


def run(program, name, times):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out",
             str(program), "--run", name, "--times", str(times)],
            capture_output=True, text=True, timeout=600)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f"{name}: the program failed under callgrind:\n{done.stderr[-2000:]}")
    return int(found[1]), int(done.stdout)


def count(program, name):
    few, many = run(program, name, FEW), run(program, name, MANY)
    instructions, allocations = ((b - a) / (MANY - FEW) for a, b in zip(few, many))
    return {"instructions": round(instructions), "allocations": round(allocations, 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--update", action="store_true", help="record the counts")
    parser.add_argument("--only", default="*", help="a shell pattern of names")
    options = parser.parse_args()

    listed = subprocess.run([str(options.program), "--list"], capture_output=True, text=True,
                            check=True, timeout=60).stdout.split()
    recorded = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    chosen = [name for name in listed if fnmatch.fnmatch(name, options.only)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = dict(zip(chosen, pool.map(lambda name: count(options.program, name), chosen)))

    worse = []
    print(f"{'an operation':38}{'instructions':>14}{'recorded':>11}{'':>9}{'allocations':>13}"
          f"{'recorded':>10}")
    for name, now in counts.items():
        then = recorded.get(name)
        line = f"{name:38}{now['instructions']:14,}"
        if then is None:
            print(line + f"{'-':>11}{'':>9}{now['allocations']:13}{'-':>10}")
            worse.append(f"{name} has no recorded count")
            continue
        change = now["instructions"] / then["instructions"] - 1
        print(line + f"{then['instructions']:11,}{change:+9.1%}{now['allocations']:13}"
                     f"{then['allocations']:10}")
        if change > tolerance(name):
            worse.append(f"{name} needs {change:.1%} more instructions")
        if now["allocations"] > then["allocations"] + 0.5:
            worse.append(f"{name} makes {now['allocations']} allocations, not "
                         f"{then['allocations']}")
    gone = sorted(set(recorded) - set(listed))
    if options.update:
        kept = {name: c for name, c in recorded.items() if name not in gone}
        RECORD.write_text(json.dumps({**kept, **counts}, indent=2) + "\n")
        return
    for complaint in worse + [f"{name} is recorded and does not exist" for name in gone]:
        print(f"bench-check: {complaint}", file=sys.stderr)
    sys.exit(1 if worse or gone else 0)


if __name__ == "__main__":
    main()
