#!/usr/bin/env python3
"""header_filter.py HEADER: the header as Doxygen has to read it.

In the headers one comment stands above the overloads of a function, without a blank line between
them; Doxygen would give it to the first alone, so each gets a copy. Copies, moves, comparisons and
destructors are left out where they have no comment of their own: they do what their class says.
Pages that are named become links.
"""

import re
import sys

PAGE = re.compile(r"docs/([\w/-]+)\.md")
SCOPE = re.compile(r"^\s*(template\b.*>\s*)?(namespace|class|struct|union|extern)\b")
SPECIAL = re.compile(
    r"= (default|delete);$|operator(=|==|<=>)\(|(^|\s)~\w+\(|^\s*(\w+)\((const )?\4&&?( \w+)?\)"
)


def code(line):
    """Without what could hide a bracket: strings, characters, comments."""
    line = re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])\'', "", line)
    return re.sub(r"//.*", "", line)


def function_name(statement):
    """None where it is no function."""
    text = " ".join(code(line).strip() for line in statement)
    text = re.sub(r"^template <.*?> (?=\w)", "", text)
    text = re.sub(r"^requires *(\(.*?\)\)?|[^()]*?>) ", "", text)
    name = re.search(r"(\w+)\(", text)
    return name and not text.startswith(("using", "friend", "static_assert")) and name[1]


def statements(lines):
    """Runs of lines: ("comment" | "blank" | "scope" | "code", lines)."""
    at = 0
    while at < len(lines):
        line = lines[at]
        if re.match(r"\s*($|#|//(?!/))", line):
            yield "blank", [line]
        elif line.lstrip().startswith("///"):
            yield "comment", [line]
        elif re.match(r"\s*(public|private|protected):|\s*\}", line):
            yield "blank", [line]
        else:
            begin, brackets = at, 0
            opens = False
            while at < len(lines):
                text = code(lines[at])
                brackets += sum(map(text.count, "({")) - sum(map(text.count, ")}"))
                run = lines[begin : at + 1]
                opens = SCOPE.match(" ".join(run)) and brackets == 1 and text.rstrip().endswith("{")
                if opens or (brackets == 0 and re.search(r"[;}]\s*$", text)):
                    break
                at += 1
            yield "scope" if opens else "code", run
        at += 1


def filtered(lines):
    out, comment, above, name = [], [], "blank", None
    for kind, run in statements(lines):
        if kind == "comment":
            run = [PAGE.sub(r"[\g<0>](../docs/\1.html)", line) for line in run]
            comment = [*comment, *run] if above == "comment" else run
        elif kind == "code":
            commented = above == "comment"
            if not commented and SPECIAL.search(" ".join(map(str.strip, run))):
                continue
            before, name = name, function_name(run)
            if not commented and not any("///<" in line for line in run):
                if above == "code" and name and name == before:
                    out += comment
                else:
                    comment = []
        else:
            comment = []
        out += run
        above = kind
    return out


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as header:
        print("\n".join(filtered(header.read().splitlines())))
