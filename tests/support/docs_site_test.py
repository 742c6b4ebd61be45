"""The documentation site has every page, and its makers change only what they have to."""

import collections
import pathlib
import sys
import tempfile
import unittest

PROJECT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "tools/docs"))

import build_site  # noqa: E402
import header_filter  # noqa: E402


class Nav(unittest.TestCase):
    def test_names_each_page_once(self):
        named = collections.Counter(build_site.paths(build_site.nav(PROJECT)))
        self.assertEqual([name for name, times in named.items() if times > 1], [])
        pages = {page.relative_to(PROJECT).as_posix() for page in PROJECT.glob("docs/**/*.md")}
        self.assertEqual(pages - named.keys(), set())
        missing = [name for name in named if not (PROJECT / name).is_file()]
        self.assertEqual(missing, [build_site.API, build_site.EXAMPLES])


class Staging(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.project = pathlib.Path(folder.name, "project")
        self.out = pathlib.Path(folder.name, "out")
        for name in ("docs", "tests", "include/oslo/messaging"):
            (self.project / name).mkdir(parents=True)
        (self.project / "tests/one.py").write_text("print(1)\n")

    def staged(self, text):
        (self.project / "docs/page.md").write_text(text)
        build_site.stage(self.project, self.out).page("docs/page.md")
        return (self.out / "docs/page.md").read_text()

    def test_a_source_becomes_a_page(self):
        self.assertEqual(self.staged("See [it](../tests/one.py)."), "See [it](../tests/one.py.md).")
        page = (self.out / "tests/one.py.md").read_text()
        self.assertEqual(page, "# tests/one.py\n\n````python\nprint(1)\n````\n")

    def test_public_headers_are_the_reference(self):
        text = self.staged("[headers](../include/oslo/messaging)")
        self.assertEqual(text, "[headers](../api/index.html)")

    def test_what_is_not_there_is_text(self):
        self.assertEqual(self.staged("in [tests](../tests)"), "in tests")

    def test_all_else_stays(self):
        text = "[a](b.md#c) [d](#e) [f](https://g/)\n```\n[tests](../tests)\n```\n"
        self.assertEqual(self.staged(text), text)

    def test_finds_links_that_lead_nowhere(self):
        self.out.mkdir()
        page = self.out / "a.html"
        page.write_text('<h1 id="b"></h1><a href="#b"></a><a href="c.html"></a><a href="a.html#d"></a>')
        self.assertEqual(
            list(build_site.bad_links(self.out)),
            ["a.html: there is no c.html", "a.html: a.html#d leads to no heading"],
        )

    def test_finds_what_comes_from_the_network(self):
        self.out.mkdir()
        (self.out / "a.html").write_text('<script src="https://b/c.js"></script><a href="https://b/">')
        self.assertEqual(list(build_site.bad_links(self.out)), ["a.html loads https://b/c.js"])


class HeaderFilter(unittest.TestCase):
    def filtered(self, *lines):
        return header_filter.filtered(list(lines))

    def test_overloads_share_one(self):
        self.assertEqual(
            self.filtered("/// F.", "void f(int a);", "template <class T>", "void f(T a) {", "  g();", "}"),
            ["/// F.", "void f(int a);", "/// F.", "template <class T>", "void f(T a) {", "  g();", "}"],
        )

    def test_others_do_not(self):
        for lines in (
            ["/// F.", "void f();", "void g();"],
            ["/// F.", "void f();", "", "void f(int);"],
            ["/// F.", "void f();", "void f(int);  ///< Its own."],
            ["// F.", "void f();", "void f(int);"],
        ):
            self.assertEqual(self.filtered(*lines), lines)

    def test_pages_are_links(self):
        self.assertEqual(
            self.filtered("/// As docs/wire/rpc.md, RPC-1, says."),
            ["/// As [docs/wire/rpc.md](../docs/wire/rpc.html), RPC-1, says."],
        )

    def test_copies_and_the_like_are_left_out(self):
        lines = ["/// A.", "class a {", " public:", "  /// Makes it.", "  a();", "  a(a&&) noexcept;"]
        rest = ["  a& operator=(a&&) noexcept;", "  ~a();", "  bool operator==(const a&) const = default;"]
        self.assertEqual(self.filtered(*lines, *rest, "};"), [*lines[:5], "};"])
        own = ["  /// Waits.", "  ~a();"]
        self.assertEqual(self.filtered(*lines[:5], *own, "};"), [*lines[:5], *own, "};"])


if __name__ == "__main__":
    unittest.main()
