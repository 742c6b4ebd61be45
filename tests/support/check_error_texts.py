#!/usr/bin/env python3
"""check_error_texts.py PROJECT: docs/troubleshooting.md quotes what the code says.

The first column of its tables has texts in backticks. What stands between two "…" of a text is
looked for in the string literals of src/ and tools/ (literals that follow one another are one), all
of it in the same file; what is in none of them may be put together from several at its punctuation.
The table "By code" names every value of `errc`, and nothing else.
"""

import pathlib
import re
import sys

LITERALS = re.compile(r'(?:"(?:[^"\\\n]|\\.)*"\s*)+')
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
BY_CODE = "## By code\n"


def literals(source):
    """The texts of a source, without the names of its includes."""
    source = re.sub(r"^\s*#.*$|//.*$", "", source, flags=re.MULTILINE)
    for run in LITERALS.findall(source):
        text = "".join(LITERAL.findall(run))
        yield text.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")


def first_column(page):
    """(line number, text) of what the tables quote."""
    for number, line in enumerate(page.splitlines(), 1):
        if line.startswith("| `"):
            for text in re.findall(r"`([^`]+)`", line.split(" | ")[0]):
                yield number, text


def pieces(text, marks="…"):
    """What the code has to say word for word; punctuation alone says nothing."""
    found = (piece.strip(" .:;,()[]\"'") for piece in re.split(f"[{marks}]", text))
    return [piece for piece in found if re.search(r"\w{2}", piece)]


def stands_in(text, texts):
    def said(piece):
        return any(piece in one for one in texts)

    return all(said(p) or all(map(said, pieces(p, ":.,;()\"'\\[\\]"))) for p in pieces(text))


def faults(page, files, codes):
    page, _, table = page.partition(BY_CODE)
    for number, text in first_column(page):
        if not pieces(text):
            yield f"line {number}: {text} has nothing to look for"
        elif not any(stands_in(text, texts) for texts in files):
            yield f"line {number}: the code does not say: {text}"
    named = [text for _, text in first_column(table)]
    for code in sorted(set(codes) ^ set(named)):
        yield f'"By code": {code} is ' + ("no errc" if code in named else "missing")


def errc(header):
    body = re.search(r"enum class errc \{(.*?)\};", header, re.DOTALL)[1]
    return re.findall(r"^\s*(\w+)(?: = 1)?,", re.sub(r"//.*", "", body), re.MULTILINE)


def main():
    project = pathlib.Path(sys.argv[1])
    files = [
        list(literals(path.read_text("utf-8")))
        for folder in ("src", "tools")
        for path in sorted((project / folder).rglob("*.[ch]pp"))
    ]
    page = (project / "docs" / "troubleshooting.md").read_text("utf-8")
    codes = errc((project / "include/oslo/messaging/error.hpp").read_text("utf-8"))
    if len(list(first_column(page))) < 60 or len(codes) < 20:
        sys.exit("docs/troubleshooting.md or error.hpp is not as this checker reads it")
    found = list(faults(page, files, codes))
    for fault in found:
        print(f"docs/troubleshooting.md: {fault}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
