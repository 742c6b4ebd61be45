#!/usr/bin/env python3
"""check_pages.py PROJECT: the pages fit together, and what they count is counted.

- Every relative link of README.md, CONTRIBUTING.md and docs/ leads to a file, or a heading of one.
- docs/README.md names every page of docs/.
- README.md says how many examples there are; docs/versions.md which version this is, and which
  Pythons the tests have at the other end.
- Options in the configuration files that pages show stand in docs/options.md.
"""

import pathlib
import re
import sys

LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OURS = re.compile(r"DEFAULT|oslo_messaging_\w+")


def anchor(heading):
    """As GitHub makes it of a heading."""
    text = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return text.replace(" ", "-")


def anchors(page):
    text = FENCE.sub("", page.read_text("utf-8"))
    return {anchor(h) for h in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


def bad_links(page):
    text = FENCE.sub("", page.read_text("utf-8"))
    for link in LINK.findall(text):
        if re.match(r"\w+:", link):
            continue
        path, _, heading = link.partition("#")
        to = page.parent / path if path else page
        if not to.exists():
            yield f"there is no {link}"
        elif heading and heading not in anchors(to):
            yield f"{link} leads to no heading"


def unknown_options(page, known):
    for language, text in FENCE.findall(page.read_text("utf-8")):
        if language != "ini":
            continue
        group = None
        for line in text.splitlines():
            if match := re.match(r"\[(\w+)\]$", line):
                group = match[1]
            elif match := re.match(r"(\w+) *=", line):
                if group and OURS.fullmatch(group) and match[1] not in known.get(group, ()):
                    yield f"[{group}] has no option {match[1]}"


def options(page):
    """Names by group, as docs/options.md has them."""
    sections = re.split(r"^## \[(\w+)\]$", page, flags=re.MULTILINE)[1:]
    return {
        group: set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
        for group, table in zip(sections[::2], sections[1::2])
    }


def miscounted(project):
    def text(name):
        return project.joinpath(name).read_text("utf-8")

    examples = len(list(project.joinpath("examples").glob("*.cpp")))
    if f"[examples](examples): {examples} programs" not in text("README.md"):
        yield f"README.md does not say that there are {examples} examples"
    header = text("include/oslo/messaging/version.hpp")
    version = re.search(r'define OSLO_MESSAGING_VERSION "([\d.]+)"', header)[1]
    page = text("docs/versions.md")
    if f"The version of this library is {version}." not in page:
        yield f"docs/versions.md does not say that this is {version}"
    peers = re.findall(r'"(\d+\.\d+\.\d+) \$\{', text("tests/interop/CMakeLists.txt"))
    if not peers:
        yield "tests/interop/CMakeLists.txt names no peer as this checker reads it"
    for peer in peers:
        if peer not in page:
            yield f"docs/versions.md does not name oslo.messaging {peer}"


def faults(project):
    docs = project / "docs"
    known = options((docs / "options.md").read_text("utf-8"))
    pages = [project / "README.md", project / "CONTRIBUTING.md", *sorted(docs.rglob("*.md"))]
    for page in pages:
        for fault in (*bad_links(page), *unknown_options(page, known)):
            yield f"{page.relative_to(project)}: {fault}"
    named = LINK.findall((docs / "README.md").read_text("utf-8"))
    for page in sorted(docs.glob("*.md")):
        if page.name != "README.md" and page.name not in named:
            yield f"docs/README.md does not name {page.name}"
    yield from miscounted(project)


def main():
    found = list(faults(pathlib.Path(sys.argv[1])))
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
