#!/usr/bin/env python3
"""check_options_page.py PROGRAM PAGE [--write]: the tables of the page are those of the program.

They begin with the first heading of a group. With --write they replace those of the page.
"""

import pathlib
import subprocess
import sys


def main():
    program, page, *rest = sys.argv[1:]
    wanted = subprocess.run([program], capture_output=True, check=True, encoding="utf-8").stdout
    page = pathlib.Path(page)
    text, mark, tables = page.read_text("utf-8").partition("\n## [")
    if rest == ["--write"]:
        page.write_text(text + wanted, "utf-8")
    elif mark + tables != wanted:
        sys.exit(
            f"{page.name} is not what the library reads; "
            f"run: {sys.executable} {sys.argv[0]} {program} {page} --write"
        )


if __name__ == "__main__":
    main()
