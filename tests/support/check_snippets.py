#!/usr/bin/env python3
"""check_snippets.py DOC SOURCE...: every snippet of a page stands in one of the sources.

A snippet is a run of lines of a program that is run as a test; only its indentation may differ. A
line with nothing but "// ..." stands for lines left out. C++ snippets, and the files that programs
have in them (ini), are looked for in the .cpp sources, Python ones in the .py sources, CMake ones in
the CMakeLists.txt.
"""

import pathlib
import re
import sys
import textwrap

LANGUAGES = {"cpp": ".cpp", "ini": ".cpp", "python": ".py", "cmake": ".txt"}


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
    sources = {language: [] for language in LANGUAGES}
    for name in map(pathlib.Path, sys.argv[2:]):
        for language, ending in LANGUAGES.items():
            if name.suffix == ending:
                sources[language].append(name.read_text("utf-8").splitlines())
    snippets = re.findall(
        rf"^```({'|'.join(LANGUAGES)})\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    if not any(language == "cpp" for language, _ in snippets):
        sys.exit(f"{page.name} has no C++ snippet")
    for language, snippet in snippets:
        for run in runs(snippet):
            if not any(stands_in(run, lines) for lines in sources[language]):
                sys.exit(f"{page.name}: this stands in none of the sources:\n{run}")


if __name__ == "__main__":
    main()
