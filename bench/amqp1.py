#!/usr/bin/env python3
"""Measures amqp:// over Qpid Broker-J beside oslo.messaging 14.0.3 and the examples of Qpid Proton.

    bench/amqp1.py --bin build/bench/bin --jars build/qpid-jars --dir build/bench/qpid
                   [--rounds N] [--seconds S] [--only PATTERN] [--json FILE]

It starts a broker of its own, with a new one for each case: what nobody has taken goes with it. The
programs take turns within each round; figures are medians of the rounds, ratios those of each round.
"""

import argparse
import json
import pathlib
import re
import sys

from harness import running, table
from harness.cases import OSLO_14, OURS, Case, Context, Programs

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from kafka_broker import Unavailable, fetch  # noqa: E402
from qpid_broker import QpidBroker  # noqa: E402

PROTON = "Proton's C example"
# As docs/amqp1.md has it for Broker-J. The second is for Python, which makes no exchange.
OPTIONS = "?addressing_mode=legacy&broadcast_prefix=amq.direct/broadcast"


class Amqp1Programs(Programs):
    def proton(self, program, rate):
        return ["/usr/bin/python3", self.peers / "proton_peer.py", program, "--bin", self.c.bin,
                "--url", self.c.url, "--count", self.count(rate), *self.broker]


def all_cases(p, has_proton):
    for flight, rate in ((1, 1_000), (8, 5_000), (64, 9_000)):
        at = ("--in-flight", flight)
        yield Case(f"call-{flight}", f"{flight} calls in flight", {
            OURS: p.ours("call", *at, rate=rate),
            OSLO_14: p.oslo(OSLO_14, "call", *at, rate=500 if flight == 1 else 1_500),
        })
    for mode, example, rate in (("cast", "send", 30_000), ("drain", "receive", 30_000),
                                ("notify", "send", 30_000)):
        at = ("--in-flight", 1024)
        programs = {
            OURS: p.ours(mode, *at, rate=rate),
            OSLO_14: p.oslo(OSLO_14, mode, "--in-flight", 8, rate=1_500),
        }
        if has_proton:
            programs[PROTON] = p.proton(example, rate)
        yield Case(mode, f"{mode}, 1,024 not yet settled (Python: 8 threads)", programs)


def targets(results):
    """Rows of (what, wanted, measured)."""
    def ratio(case, other, beside=None):
        if case not in results or other not in results.get(beside or case, {}):
            return None
        return running.ratio(results[case][OURS]["rates"], results[beside or case][other]["rates"])

    return [
        ("calls/s: 64 in flight, ours / Python one at a time", 15,
         ratio("call-64", OSLO_14, "call-1")),
        ("calls/s, ours 64 in flight / Python with 64 threads", 4, ratio("call-64", OSLO_14)),
        ("notifications/s, ours / Proton's send", 0.8, ratio("notify", PROTON)),
        ("casts drained/s, ours / Proton's receive", 0.8, ratio("drain", PROTON)),
    ]


def measure(options):
    broker = QpidBroker(options.dir)
    has_proton = (options.bin / "proton_send").exists()
    results, titles = {}, {}
    names = [case.name for case in all_cases(programs(options, "amqp://", None), has_proton)
             if not options.only or re.search(options.only, case.name)]
    for name in names:
        broker.start(options.jars)
        try:
            p = programs(options, broker.url() + OPTIONS, broker.state()["process"][0])
            case = next(c for c in all_cases(p, has_proton) if c.name == name)
            results |= running.run_cases([case], options.rounds, running.progress)
            titles[name] = case.title
        finally:
            broker.stop()
    running.progress("")
    return results, titles


def programs(options, url, pid):
    return Amqp1Programs(Context(bin=options.bin, url=url, broker_pid=pid, python_18=pathlib.Path(),
                                 python_site=pathlib.Path(), seconds=options.seconds))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--dir", required=True, help="folder of the broker")
    parser.add_argument("--jars", required=True, help="its programs; filled when they are missing")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0,
                        help="what a program should take, roughly [1]")
    parser.add_argument("--only", metavar="PATTERN", help="cases whose name contains this")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    try:
        fetch(options.jars, str(ROOT / "tests" / "support" / "qpid" / "pom.xml"))
        results, titles = measure(options)
    except Unavailable as error:
        print(f"amqp:// was not measured. {error}")
        return 0
    except running.ProgramFailed as error:
        return str(error)
    for name, programs_of_case in results.items():
        print("\n".join(table.case_lines(f"{name}: {titles[name]}", programs_of_case)))
    rows = [{"what": what, "target": f">= {wanted}", "measured": got,
             "reached": None if got is None else got >= wanted}
            for what, wanted, got in targets(results)]
    print("\n".join(table.target_lines(rows)))
    if options.json:
        options.json.write_text(json.dumps({"cases": results, "targets": rows}, indent=1),
                                encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
