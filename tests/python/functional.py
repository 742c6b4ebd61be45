#!/usr/bin/env python3
"""functional.py cpp|replaced: oslo.messaging's own functional tests, unmodified, over the core.

cpp: over cpp+rabbit://. replaced: over rabbit://, with the core in place of upstream's driver.
A choice of them; all of them with OSLO_TEST_PYTHON_FULL=1.
"""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))

import unittest_report  # noqa: E402

SUITE = "oslo_messaging.tests.functional.test_functional"
ALL = (SUITE, "oslo_messaging.tests.functional.notify.test_logger")
CHOICE = {
    "cpp": (
        f"{SUITE}.CallTestCase.test_specific_server",
        f"{SUITE}.CallTestCase.test_exception",
        f"{SUITE}.CallTestCase.test_timeout",
        f"{SUITE}.CastTestCase.test_fanout",
        f"{SUITE}.NotifyTestCase.test_all_categories",
    ),
    "replaced": (
        f"{SUITE}.CallTestCase.test_mandatory_call",
        f"{SUITE}.CallTestCase.test_monitor_long_call",
    ),
}
# They ask for a URL that begins with rabbit://.
MAY_SKIP = {"cpp": {"test_mandatory_call", "test_monitor_long_call"}, "replaced": set()}


def main():
    how = sys.argv[1]
    url = os.environ["OSLO_TEST_RABBIT_URL"]
    if how == "cpp":
        url = "cpp+" + url
    else:
        import oslo_messaging_cpp

        oslo_messaging_cpp.replace_rabbit()
    os.environ.update(RPC_TRANSPORT_URL=url, NOTIFY_TRANSPORT_URL=url, TRANSPORT_DRIVER="rabbit")
    # One of them starts `python3 -m oslo_metrics`.
    os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]

    names = ALL if os.environ.get("OSLO_TEST_PYTHON_FULL") else CHOICE[how]
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    runner = unittest.TextTestRunner(resultclass=unittest_report.RecordingResult, verbosity=2)
    result = runner.run(suite)
    if report := os.environ.get("OSLO_TEST_REPORT"):
        unittest_report.write_report(report, result.records)
    skipped = {test.id().split("(")[0].rpartition(".")[2] for test, _ in result.skipped}
    if skipped - MAY_SKIP[how]:
        print(f"Skipped, and should not be: {sorted(skipped - MAY_SKIP[how])}")
        return 1
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
