#!/usr/bin/env python3
"""check_wire_pages.py PROJECT: the statements of docs/wire are numbered, proven and referred to.

A statement begins a line with its number (`**RPC-7**`) and ends before the next one or a heading.
A paragraph of it, "Proof: ", names tests as `file::suite.test` below tests/, or says
"Proof: unproven: " and why. Other files refer to it as `docs/wire/rpc.md, RPC-7`.
"""

import pathlib
import re
import sys

from check_upstream_tests import NAME, tests_of

STATEMENT = re.compile(r"^\*\*([A-Z]+)-(\d+)\*\* ")
LINK = re.compile(r"\]\(([^)\s]+)\)")
REFERENCE = re.compile(r"docs/wire/([\w-]+\.md)((?:(?:, | and | to )[A-Z]+-\d+)*)")
READERS = ["include", "src", "tests", "examples", "bench", "tools", "docs"]
WORDS = {".cpp", ".hpp", ".py", ".md", ".inc"}


class Statement:
    def __init__(self, page, line, prefix, number):
        self.page, self.line, self.prefix, self.number = page, line, prefix, number
        self.text = ""

    def name(self):
        return f"{self.prefix}-{self.number}"

    def proofs(self):
        return re.findall(r"^Proof: (.*?)(?:\n\n|\Z)", self.text, re.MULTILINE | re.DOTALL)

    def is_unproven(self):
        return any(p.startswith("unproven: ") for p in self.proofs())


def statements_of(page, text):
    found, current = [], None
    for line_number, line in enumerate(text.splitlines(), 1):
        if match := STATEMENT.match(line):
            current = Statement(page, line_number, match[1], int(match[2]))
            found.append(current)
        elif line.startswith("#"):
            current = None
        if current:
            current.text += line + "\n"
    return found


def anchors_of(text):
    """The headings as GitHub names them in links."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def numbering_faults(statements):
    """A number is for good, so that a statement that comes later may stand before others."""
    pages, lines = {}, {}
    for s in statements:
        where = f"{s.page}:{s.line}: {s.name()}"
        if pages.setdefault(s.prefix, s.page) != s.page:
            yield f"{where} has the letters of {pages[s.prefix]}"
        elif lines.setdefault(s.name(), s.line) != s.line:
            yield f"{where} is the name of line {lines[s.name()]}, too"
    for prefix, page in pages.items():
        numbers = {s.number for s in statements if s.prefix == prefix}
        for missing in sorted(set(range(1, max(numbers) + 1)) - numbers):
            yield f"{page} has no {prefix}-{missing}, but later ones"


def proof_faults(statements, tests, known):
    for s in statements:
        where = f"{s.page}:{s.line}: {s.name()}"
        if len(s.proofs()) != 1:
            yield f"{where} has {len(s.proofs())} proofs, not one"
            continue
        (proof,) = s.proofs()
        names = NAME.findall(proof)
        if s.is_unproven():
            continue
        if not names or len(names) != proof.count("::"):
            yield f"{where} names no test, or one that cannot be read"
        for file, suite, name in names:
            path = tests / file
            if path not in known:
                known[path] = tests_of(path) if path.is_file() else set()
            if f"{suite}.{name}" not in known[path]:
                yield f"{where}: tests/{file} has no test {suite}.{name}"


def link_faults(page, path, text, numbers):
    for target in LINK.findall(text):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        there = path.parent / file if file else path
        if not there.exists():
            yield f"{page}: there is no {target}"
        elif anchor and anchor not in anchors_of(there.read_text("utf-8")):
            yield f"{page}: {target} names no heading"
    letters = "|".join(sorted({n.split("-")[0] for n in numbers}))
    for name in sorted(set(re.findall(rf"\b(?:{letters})-\d+\b", text)) - numbers):
        yield f"{page}: there is no statement {name}"


def reference_faults(project, statements):
    """What comments and other pages say of these pages."""
    places = {(s.page, s.name()) for s in statements}
    pages = {p.name for p in (project / "docs" / "wire").glob("*.md")}
    for folder in READERS:
        for path in sorted((project / folder).rglob("*")):
            if path.suffix not in WORDS or path.name.startswith("check_wire_pages"):
                continue
            text = path.read_text("utf-8", errors="replace")
            name = path.relative_to(project)
            for number, line in enumerate(text.splitlines(), 1):
                if re.search(r"\bspec sections?\b", line, re.IGNORECASE):
                    yield f"{name}:{number}: speaks of a spec that no reader has"
                for page, numbers in REFERENCE.findall(line):
                    if page not in pages:
                        yield f"{name}:{number}: there is no docs/wire/{page}"
                    for statement in re.findall(r"[A-Z]+-\d+", numbers):
                        if page in pages and (page, statement) not in places:
                            yield f"{name}:{number}: docs/wire/{page} has no {statement}"


def check(project):
    """All statements, and what is wrong, a sentence each."""
    paths = sorted((project / "docs" / "wire").glob("*.md"))
    texts = {p: p.read_text("utf-8") for p in paths}
    statements = [s for p in paths for s in statements_of(p.name, texts[p])]
    found = [*numbering_faults(statements), *proof_faults(statements, project / "tests", {})]
    numbers = {s.name() for s in statements}
    for path in paths:
        found += link_faults(path.name, path, texts[path], numbers)
    return statements, found + list(reference_faults(project, statements))


def main():
    statements, found = check(pathlib.Path(sys.argv[1]))
    if len(statements) < 120:
        sys.exit("docs/wire has lost its statements")
    unproven = [s.name() for s in statements if s.is_unproven()]
    print(f"docs/wire: {len(statements)} statements, {len(unproven)} unproven", *unproven)
    for fault in found:
        print(f"docs/wire: {fault}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
