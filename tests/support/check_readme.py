#!/usr/bin/env python3
"""check_readme.py README EXAMPLE: the opening program of the README is the example, byte for byte."""

import difflib
import pathlib
import re
import sys


def main():
    readme, example = (pathlib.Path(name) for name in sys.argv[1:3])
    found = re.search(r"^```cpp\n(.*?)^```$", readme.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    if not found:
        sys.exit(f"{readme.name} has no C++ program")
    shown, compiled = found[1], example.read_text("utf-8")
    if shown != compiled:
        sys.stdout.writelines(difflib.unified_diff(
            shown.splitlines(True), compiled.splitlines(True), readme.name, example.name))
        sys.exit(f"the program in {readme.name} is not {example.name}")


if __name__ == "__main__":
    main()
