#!/usr/bin/env python3
"""sharded.py COUNT PROGRAM [ARGUMENTS]: runs a GoogleTest program as so many processes at once, each with
its share of the tests. For tests that mostly wait for something else than the processor.

Writes one report with all cases to $OSLO_TEST_REPORT. Shows the output of the processes that failed.
"""

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml


def report_of(shard):
    return os.path.join(shard, "report.xml")


def start(shard, index, count, command):
    os.mkdir(shard)
    environment = {
        **os.environ,
        "GTEST_OUTPUT": f"xml:{report_of(shard)}",
        "GTEST_TOTAL_SHARDS": str(count),
        "GTEST_SHARD_INDEX": str(index),
    }
    with open(os.path.join(shard, "output"), "wb") as output:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )


def merge(shards, target):
    suites = xml.Element("testsuites")
    for shard in shards:
        try:
            suites.extend(xml.parse(report_of(shard)).getroot())
        except (OSError, xml.ParseError):
            pass  # it crashed, and its exit code says so
    xml.ElementTree(suites).write(target, encoding="utf-8", xml_declaration=True)
    return any(True for _ in suites.iter("testcase"))


def main():
    count, command = int(sys.argv[1]), sys.argv[2:]
    failed = False
    with tempfile.TemporaryDirectory(prefix="sharded-") as folder:
        shards = [os.path.join(folder, str(index)) for index in range(count)]
        running = [start(shard, index, count, command) for index, shard in enumerate(shards)]
        try:
            for shard, process in zip(shards, running):
                if process.wait() != 0:
                    failed = True
                    print(f"A share of the tests ended with {process.returncode}:", flush=True)
                    with open(os.path.join(shard, "output"), "rb") as output:
                        sys.stdout.buffer.write(output.read())
        finally:
            for process in running:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        report = os.environ.get("OSLO_TEST_REPORT", os.path.join(folder, "all.xml"))
        if not merge(shards, report):
            print("No test ran.")
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
