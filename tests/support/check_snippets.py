#!/usr/bin/env python3
"""check_snippets.py DOC SOURCE...: every C++ snippet of a page stands in one of the sources.

A snippet is a run of lines of a program that is compiled and run as a test; only its indentation
may differ. A line with nothing but "// ..." stands for lines left out.
"""

import pathlib
import re
import sys
import textwrap


def runs(snippet):
    """The pieces of a snippet between lines that are left out."""
    return [run for run in re.split(r"^\s*// \.\.\.\n", snippet, flags=re.MULTILINE) if run.strip()]


def stands_in(run, lines):
    wanted = textwrap.dedent(run).splitlines()
    for start in range(len(lines) - len(wanted) + 1):
        window = "\n".join(lines[start : start + len(wanted)])
        if textwrap.dedent(window).splitlines() == wanted:
            return True
    return False


def main():
    page = pathlib.Path(sys.argv[1])
    sources = [pathlib.Path(name).read_text("utf-8").splitlines() for name in sys.argv[2:]]
    snippets = re.findall(r"^```cpp\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    if not snippets:
        sys.exit(f"{page.name} has no C++ snippet")
    for snippet in snippets:
        for run in runs(snippet):
            if not any(stands_in(run, lines) for lines in sources):
                sys.exit(f"{page.name}: this stands in none of the sources:\n{run}")


if __name__ == "__main__":
    main()
