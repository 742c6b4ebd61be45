#!/usr/bin/env python3
"""Measures oslo-msg bench beside what a user would pick instead, on one broker, in one run.

    bench/run.py --bin build/bench/bin [--quick] [--only PATTERN] [--rounds N] [--json FILE]
                 [--html FILE --plot-python PYTHON]

The programs take turns within each round; figures are medians of the rounds. It measures and never
judges: the exit status is 0 unless a program fails. docs/benchmarks.md says how to read it.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time

from harness import cases, environment, running, table, targets

ROOT = pathlib.Path(__file__).resolve().parent.parent
FULL = {"rounds": 5, "seconds": 1.0}
QUICK = {"rounds": 1, "seconds": 0.3}


def broker_pid(folder):
    """The broker that with_broker.py has started for us."""
    if not folder:
        return None
    state = json.loads(pathlib.Path(folder, "state.json").read_text(encoding="utf-8"))
    return state["node"][0]


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default=os.environ.get("OSLO_TEST_RABBIT_URL"),
                        help="rabbit:// URL of a broker without other work "
                             "[$OSLO_TEST_RABBIT_URL]")
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the programs")
    parser.add_argument("--python-18", type=pathlib.Path,
                        default=ROOT / "build/venv/18.3.1/bin/python3",
                        help="a Python that has oslo.messaging 18.3.1")
    parser.add_argument("--python-site", type=pathlib.Path, default=ROOT / "build/python/site",
                        help="where the wheel of oslo-messaging-cpp is installed")
    parser.add_argument("--quick", action="store_true",
                        help="one short round: to see that all works, not for figures")
    parser.add_argument("--rounds", type=int, help="[5; quick: 1]")
    parser.add_argument("--seconds", type=float,
                        help="what a program should take, roughly [1; quick: 0.3]")
    parser.add_argument("--only", metavar="PATTERN",
                        help="cases whose name contains this regular expression; 'call-1\\b' is "
                             "not call-1024")
    parser.add_argument("--programs", metavar="PATTERN",
                        help="programs whose whole name matches, e.g. 'ours|rabbitmq-c'; the first "
                             "of a case is what ratios are of")
    parser.add_argument("--list", action="store_true", help="print the cases and end")
    parser.add_argument("--json", type=pathlib.Path, help="write all figures to this file")
    parser.add_argument("--html", type=pathlib.Path, help="write a page with plots to this file")
    parser.add_argument("--plot-python", type=pathlib.Path, default=sys.executable,
                        help="a Python that has matplotlib, for --html")
    options = parser.parse_args()
    if not options.url:
        parser.error("--url is missing")
    profile = QUICK if options.quick else FULL
    options.rounds = options.rounds or profile["rounds"]
    options.seconds = options.seconds or profile["seconds"]
    return options


def choose(options):
    context = cases.Context(bin=options.bin, url=options.url,
                            broker_pid=broker_pid(os.environ.get("OSLO_TEST_BROKER_DIR")),
                            python_18=options.python_18, python_site=options.python_site,
                            seconds=options.seconds)
    chosen = cases.all_cases(context)
    if options.only:
        chosen = [case for case in chosen if re.search(options.only, case.name)]
    for case in chosen:
        left_out = set(case.quick) if options.quick else set()
        if not options.python_18.exists():
            left_out |= {cases.OSLO_18, cases.ON_OURS_18}
        if not options.python_site.exists():
            left_out |= {*cases.ON_OURS, cases.ON_OURS_EVENTLET}
        case.programs = {k: v for k, v in case.programs.items() if k not in left_out
                         and (not options.programs or re.fullmatch(options.programs, k))}
    return [case for case in chosen if case.programs]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main():
    options = read_arguments()
    chosen = choose(options)
    if options.list or not chosen:
        print("\n".join(f"{case.name:16} {case.title}: {', '.join(case.programs)}"
                        for case in chosen))
        return 0 if chosen else "no case or program has such a name; --list shows them"
    if not options.python_18.exists():
        print(f"{options.python_18} is missing: oslo.messaging 18.3.1 is left out.",
              file=sys.stderr)
    if not options.python_site.exists():
        print(f"{options.python_site} is missing (make python-wheel): oslo.messaging on ours is "
              "left out.", file=sys.stderr)
    about = environment.describe(options.bin, options.python_18, ROOT)
    begin = time.monotonic()
    try:
        results = running.run_cases(chosen, options.rounds, running.progress)
    except running.ProgramFailed as error:
        running.progress("")
        return str(error)
    except KeyboardInterrupt:
        return 130
    running.progress("")
    about["load average after"] = environment.load()
    about["minutes"] = round((time.monotonic() - begin) / 60, 1)
    report = {
        "environment": about,
        "profile": "quick" if options.quick else "full",
        "rounds": options.rounds,
        "work": cases.WORK,
        "targets": targets.check(results),
        "cases": {case.name: {"title": case.title, "in_flight": case.in_flight,
                              "programs": results[case.name]} for case in chosen},
    }
    print(table.report(report))
    if options.json:
        write(options.json, json.dumps(report, indent=1) + "\n")
    if options.html:
        page = pathlib.Path(__file__).with_name("page.py")
        done = subprocess.run([options.plot_python, page, options.html], input=json.dumps(report),
                              text=True, check=False)
        if done.returncode != 0:
            return "The page could not be made."
    return 0


if __name__ == "__main__":
    sys.exit(main())
