#!/usr/bin/env python3
"""check_upstream_tests.py PROJECT: every test that docs/upstream-tests.md names exists.

Every row of its tables names a test of this project, or says "Cannot apply".
"""

import pathlib
import re
import sys

NAME = re.compile(r"([\w/]+_test\.(?:cpp|py))::(\w+)\.(\w+)")

# A test of upstream: one of a class.
ROW = re.compile(r"\| [A-Z]\w*\.\w+ \|")


def tests_of(path):
    """The names "suite.test" that a file defines."""
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        found, suite = set(), None
        for line in text.splitlines():
            if match := re.match(r"class (\w+)", line):
                suite = match[1]
            elif match := re.match(r"    def (test_\w+)", line):
                found.add(f"{suite}.{match[1]}")
        return found
    cases = re.findall(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", text, re.MULTILINE)
    return {f"{suite}.{name}" for suite, name in cases}


def faults(page, tests):
    """What is wrong with a page, a sentence each."""
    known = {}
    for number, line in enumerate(page.splitlines(), 1):
        if not ROW.match(line):
            continue
        names = NAME.findall(line)
        if not names and "Cannot apply: " not in line:
            yield f"line {number} names no test and gives no reason"
        for file, suite, name in names:
            path = tests / file
            if path not in known:
                known[path] = tests_of(path) if path.is_file() else set()
            if f"{suite}.{name}" not in known[path]:
                yield f"line {number}: tests/{file} has no test {suite}.{name}"


def main():
    project = pathlib.Path(sys.argv[1])
    page = (project / "docs" / "upstream-tests.md").read_text("utf-8")
    if len(re.findall(ROW, page)) < 150:
        sys.exit("docs/upstream-tests.md has lost its tables")
    found = list(faults(page, project / "tests"))
    for fault in found:
        print(f"docs/upstream-tests.md: {fault}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
