#!/usr/bin/env python3
"""build_site.py PROJECT OUT: the pages and the API reference as one folder of HTML, OUT/site.

Pages keep their places, so that links between them stay as they are. A source that a page links to
becomes a page of its own, the folder of the public headers the API reference, and a link to what is
not part of the site its text. Every link of the result is looked up.
"""

import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
LINK = re.compile(r"\[([^\]\n]*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
PAGE = re.compile(r"[^#:]+\.md")
API = "api/index.html"
EXAMPLES = "examples/README.md"  # made here
LANGUAGES = {".cpp": "cpp", ".hpp": "cpp", ".py": "python", ".txt": "cmake"}


def title(page):
    return re.search(r"^# (.*)$", page.read_text("utf-8"), re.MULTILINE)[1]


def linked_pages(page):
    """The pages of its folder and below that a page links to, in order, each once."""
    links = [to for _, to in LINK.findall(page.read_text("utf-8")) if PAGE.fullmatch(to)]
    return [page.parent / to for to in dict.fromkeys(links) if not to.startswith("..")]


def nav(project):
    """The order of docs/README.md."""
    docs = project / "docs"

    def entry(page):
        name = page.relative_to(project).as_posix()
        if page.name != "README.md":
            return {title(page): name}
        own = [{"Overview": name}]
        return {title(page): own + [entry(other) for other in linked_pages(page)]}

    entries = [{title(project / "README.md"): "README.md"}, {"All pages": "docs/README.md"}]
    index = (docs / "README.md").read_text("utf-8")
    for heading, text in re.findall(r"^## (.*)\n((?:(?!## ).*\n?)*)", index, re.MULTILINE):
        pages = [to for _, to in LINK.findall(text) if PAGE.fullmatch(to)]
        entries.append({heading: [entry((docs / to).resolve()) for to in dict.fromkeys(pages)]})
        if heading == "Reference":
            entries[-1][heading] += [{"API": API}, {"Examples": EXAMPLES}]
    entries[-1][heading].append({"Changelog": "CHANGELOG.md"})
    return entries


def paths(entries):
    for entry in entries:
        for to in entry.values():
            yield from [to] if isinstance(to, str) else paths(to)


def first_comment(source):
    first = source.read_text("utf-8").split("\n", 1)[0]
    return first.removeprefix("//").strip() if first.startswith("//") else ""


class stage:
    """Fills a folder with what MkDocs renders."""

    def __init__(self, project, out):
        self.project, self.out, self.sources = project, out, set()

    def write(self, name, text):
        to = self.out / name
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(text, "utf-8")

    def page(self, name):
        parts = FENCE.split((self.project / name).read_text("utf-8"))
        for i in range(0, len(parts), 2):
            parts[i] = LINK.sub(lambda m: self.link(name, m), parts[i])
        self.write(name, "".join(parts))

    def link(self, name, match):
        text, to = match.groups()
        at = (self.project / name).parent / to
        if re.match(r"\w+:|#", to) or PAGE.fullmatch(to.partition("#")[0]) or not at.exists():
            return match[0]
        at = pathlib.PurePosixPath(os.path.relpath(at, self.project))
        if str(at) == "include/oslo/messaging":
            to = API
        elif str(at) == "examples":
            to = EXAMPLES
        elif (self.project / at).is_file():
            self.source(at)
            to = f"{at}.md"
        elif at.parts[0] == "examples":
            self.folder(at)
            to = f"{at}/README.md"
        else:
            return text
        return f"[{text}]({os.path.relpath(to, pathlib.PurePosixPath(name).parent)})"

    def source(self, name):
        if name not in self.sources:
            self.sources.add(name)
            text = (self.project / name).read_text("utf-8")
            language = LANGUAGES.get(name.suffix, "")
            self.write(f"{name}.md", f"# {name}\n\n````{language}\n{text.rstrip()}\n````\n")

    def folder(self, name):
        """A page with its sources, and what each is about by its first comment."""
        lines = [f"# {name}\n"]
        for source in sorted((self.project / name).iterdir()):
            at = pathlib.PurePosixPath(name, source.name)
            if source.suffix in (".cpp", ".hpp", ".py"):
                self.source(at)
                about = first_comment(source)
                lines.append(f"- [{source.name}]({source.name}.md)" + (f": {about}" if about else ""))
            elif source.is_dir():
                self.folder(at)
                lines.append(f"- [{source.name}]({source.name}/README.md)")
        self.write(f"{name}/README.md", "\n".join(lines) + "\n")


class anchors_and_links(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.ids, self.links, self.loaded = set(), [], []
        self.feed(page.read_text("utf-8", errors="replace"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids.update(given[key] for key in ("id", "name") if given.get(key))
        to = given.get("href") or given.get("src")
        if to:
            (self.links if tag == "a" else self.loaded).append(to)


def bad_links(site):
    """Of every page: links that lead nowhere, and what would come from the network."""
    pages = {page: anchors_and_links(page) for page in site.rglob("*.html")}
    for page, found in sorted(pages.items()):
        name = page.relative_to(site)
        for to in found.loaded:
            if re.match(r"(\w+:)?//", to):
                yield f"{name} loads {to}"
        for to in found.links + found.loaded:
            if re.match(r"\w+:|//", to):
                continue
            path, _, anchor = to.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists():
                yield f"{name}: there is no {to}"
            elif name.parts[0] == "api":
                continue  # Doxygen names headings that it then leaves out
            elif anchor and target in pages and anchor not in pages[target].ids:
                yield f"{name}: {to} leads to no heading"


def run(*command, **options):
    if subprocess.run(command, **options).returncode:
        sys.exit(1)


def main():
    project, out = (pathlib.Path(name).resolve() for name in sys.argv[1:])
    shutil.rmtree(out, ignore_errors=True)
    pages = out / "pages"
    pages.mkdir(parents=True)

    version = re.search(
        r'VERSION "([\d.]+)"', (project / "include/oslo/messaging/version.hpp").read_text("utf-8")
    )[1]
    doxyfile = (HERE / "Doxyfile").read_text("utf-8")
    doxyfile += f'PROJECT_NUMBER = {version}\nOUTPUT_DIRECTORY = "{pages}"\n'
    run("doxygen", "-", cwd=project, input=doxyfile, text=True)

    site_nav = nav(project)
    staged = stage(project, pages)
    staged.folder(pathlib.PurePosixPath("examples"))
    for name in paths(site_nav):
        if name not in (API, EXAMPLES):
            staged.page(name)
    with open(pages / "code.css", "w", encoding="utf-8") as css:
        run("pygmentize", "-f", "html", "-S", "default", "-a", ".codehilite", stdout=css)
    config = {"INHERIT": os.path.relpath(HERE / "mkdocs.yml", out), "nav": site_nav}
    (out / "mkdocs.yml").write_text(json.dumps(config), "utf-8")
    run("mkdocs", "--quiet", "build", "--strict", "--config-file", str(out / "mkdocs.yml"))

    (out / "site/404.html").unlink()  # for web servers, from whose root it counts
    bad = list(bad_links(out / "site"))
    for fault in bad:
        print(fault)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
