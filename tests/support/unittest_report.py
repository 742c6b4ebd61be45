#!/usr/bin/env python3
"""unittest_report.py FILE [ARGUMENTS]: runs the unittest cases of one file.

Writes a JUnit report to $OSLO_TEST_REPORT, so that run_tests.py can count the cases. Arguments are
names of cases, as for `python3 -m unittest`.
"""

import importlib.util
import os
import sys
import time
import unittest
import xml.etree.ElementTree as xml


class RecordingResult(unittest.TextTestResult):
    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        # By the name of the case: those of older releases of testtools have no hash.
        self.records = {}
        self.started = {}

    def startTest(self, test):
        super().startTest(test)
        self.started[test.id()] = time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        kind, text = self.records.get(test.id(), ("passed", ""))
        self.records[test.id()] = (kind, text, time.monotonic() - self.started[test.id()])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.records[test.id()] = ("failure", self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.records[test.id()] = ("error", self.errors[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.records[test.id()] = ("failure", f"{subtest}: {err[1]}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.records[test.id()] = ("skipped", reason)


def write_report(path, records):
    suite = xml.Element("testsuite", tests=str(len(records)))
    for name, record in records.items():
        # Errors of setUpClass and setUpModule come without a start and an end.
        kind, text, seconds = (*record, 0.0)[:3]
        group, _, name = name.rpartition(".")
        case = xml.SubElement(suite, "testcase", classname=group, name=name, time=f"{seconds:.3f}")
        if kind != "passed":
            xml.SubElement(case, kind, message=text.splitlines()[-1] if text else "").text = text
    xml.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def main():
    path = os.path.abspath(sys.argv[1])
    sys.path.insert(0, os.path.dirname(path))
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    loader = unittest.TestLoader()
    if sys.argv[2:]:
        suite = loader.loadTestsFromNames(sys.argv[2:], module)
    else:
        suite = loader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(resultclass=RecordingResult, verbosity=2).run(suite)
    report = os.environ.get("OSLO_TEST_REPORT")
    if report:
        write_report(report, result.records)
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
