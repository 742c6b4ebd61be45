#!/usr/bin/env python3
"""Runs ctest and says how many tests ran on which bus.

    run_tests.py --build DIR [--jobs N] [--label REGEX] [-- CTEST ARGUMENTS...]

One ctest entry is one program. Programs that leave a report DIR/reports/NAME.xml (GoogleTest and
tests/support/unittest_report.py do) are counted case by case, all others as one test each. The
counts also go to DIR/summary.json.
"""

import argparse
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as xml

from artemis_broker import ArtemisBroker
from broker import Broker
from qpid_broker import QpidBroker

BUSES = [
    ("bus_none", "no bus"),
    ("bus_fake", "fake://"),
    ("bus_rabbitmq", "RabbitMQ"),
    ("bus_kafka", "Kafka"),
    ("bus_qpid", "Qpid Broker-J"),
    ("bus_artemis", "ActiveMQ Artemis"),
]
JAVA_BROKERS = [QpidBroker, ArtemisBroker]


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.seconds = 0.0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.seconds += other.seconds

    @property
    def tests(self):
        return self.passed + self.failed + self.skipped


def count_cases(report):
    """The cases of one GoogleTest or JUnit report; None when there is none to read."""
    try:
        root = xml.parse(report).getroot()
    except (OSError, xml.ParseError):
        return None
    count = Count()
    for case in root.iter("testcase"):
        if case.get("status") == "notrun":
            continue
        if case.find("failure") is not None or case.find("error") is not None:
            count.failed += 1
        elif case.find("skipped") is not None or case.get("result") == "skipped":
            count.skipped += 1
        else:
            count.passed += 1
    return count


def labels_by_test(build, selection):
    text = subprocess.check_output(
        ["ctest", "--test-dir", build, "--show-only=json-v1", *selection], text=True
    )
    labels = {}
    for test in json.loads(text)["tests"]:
        properties = {one["name"]: one["value"] for one in test.get("properties", [])}
        labels[test["name"]] = properties.get("LABELS", [])
    return labels


def counts(build, labels):
    """Yields (name, labels, Count) for every ctest entry that ran."""
    for case in xml.parse(os.path.join(build, "ctest.xml")).getroot().iter("testcase"):
        name = case.get("name")
        own = labels.get(name, [])
        if "fixture" in own and case.get("status") == "run":
            continue
        count = count_cases(os.path.join(build, "reports", f"{name}.xml")) or Count()
        if case.get("status") in ("disabled", "notrun"):
            count.skipped += 1
        elif case.get("status") == "fail":
            # Also when the report shows no failure: the program may have crashed at its end.
            count.failed += 0 if count.failed else 1
        elif not count.tests:
            count.passed += 1
        count.seconds = float(case.get("time", "0"))
        yield name, own, count


def print_summary(results, version):
    rows = []
    for label, title in BUSES:
        total = Count()
        for _, own, count in results:
            bus = next((one for one in own if one.startswith("bus_")), "bus_none")
            if bus == label:
                total.add(count)
        if total.tests:
            if label == "bus_rabbitmq" and version:
                title += f" {version}"
            rows.append((title, total))
    peers = {}
    for _, own, count in results:
        for peer in (one[5:] for one in own if one.startswith("peer_")):
            peers.setdefault(peer, Count()).add(count)
    rows += [(f"  with oslo.messaging {peer}", peers[peer]) for peer in sorted(peers)]
    total = Count()
    for _, _, count in results:
        total.add(count)
    width = max(30, *(len(title) for title, _ in rows)) if rows else 30
    print(
        f"\n{'Tests by bus':{width}} {'tests':>7} {'passed':>7} {'failed':>7} "
        f"{'skipped':>8} {'time':>9}"
    )
    for title, count in rows:
        print(
            f"{title:{width}} {count.tests:7} {count.passed:7} {count.failed:7} "
            f"{count.skipped:8} {count.seconds:7.1f} s"
        )
    broken = [name for name, _, count in results if count.failed]
    if broken:
        print(f"\nFailed: {' '.join(broken)}")
    tail = f", {total.skipped} skipped" if total.skipped else ""
    print(f"\n{total.passed} passed, {total.failed} failed{tail}", flush=True)
    return total


def main():
    parser = argparse.ArgumentParser(description="Runs the tests and counts them by bus.")
    parser.add_argument("--build", required=True)
    parser.add_argument("--jobs", default="1")
    parser.add_argument("--label", default="")
    options, rest = parser.parse_known_args()
    rest = [one for one in rest if one != "--"]
    build = os.path.abspath(options.build)
    selection = rest + (["-L", options.label] if options.label else [])

    summary = os.path.join(build, "summary.json")
    if os.path.exists(summary):
        os.remove(summary)
    shutil.rmtree(os.path.join(build, "reports"), ignore_errors=True)
    os.makedirs(os.path.join(build, "reports"))
    labels = labels_by_test(build, selection)

    def end(number, _frame):
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    version_file = os.path.join(build, "broker", "version")
    try:
        code = subprocess.call(
            [
                "ctest",
                "--test-dir",
                build,
                "--output-on-failure",
                "--no-tests=error",
                "-j",
                options.jobs,
                "--no-label-summary",
                "--output-junit",
                os.path.join(build, "ctest.xml"),
                *selection,
            ],
            stdin=subprocess.DEVNULL,
        )
    finally:
        # Fixtures and tests stop theirs, but not when they or ctest were ended.
        for folder in glob.glob(os.path.join(build, "broker*", "")):
            Broker(folder).stop()
        for kind in JAVA_BROKERS:
            for folder in glob.glob(os.path.join(build, f"{kind.name}*", "")):
                kind(folder).stop()
    version = ""
    if os.path.exists(version_file):
        with open(version_file, encoding="ascii") as file:
            version = file.read().strip()
    for kind in JAVA_BROKERS:
        missing = kind(os.path.join(build, kind.name)).why_missing()
        if missing and any(f"bus_{kind.name}" in own for own in labels.values()):
            print(f"\nTests on {kind.title} were skipped: {missing}")
    results = list(counts(build, labels))
    total = print_summary(results, version)
    with open(summary, "w", encoding="utf-8") as file:
        json.dump(
            {"total": {"passed": total.passed, "failed": total.failed, "skipped": total.skipped}},
            file,
        )
    return 1 if code or total.failed or not total.tests else 0


if __name__ == "__main__":
    sys.exit(main())
