"""The checker of docs/wire notices what is wrong."""

import pathlib
import tempfile
import unittest

from check_wire_pages import check

GOOD = """# A page

**ABC-1** A body is an object.
It has two keys.

Proof: a_test.cpp::suite.one,
b_test.py::Case.test_it

**ABC-2** It may be long, see [above](#a-page) and ABC-1.

```
{}
```

Proof: unproven: no test makes one.

## The rest

Nothing.
"""


class Checks(unittest.TestCase):
    def check(self, page=GOOD, other="", comment=""):
        with tempfile.TemporaryDirectory() as folder:
            project = pathlib.Path(folder)
            for name, text in {
                "docs/wire/page.md": page,
                "docs/wire/second.md": other,
                "src/x.cpp": comment,
                "tests/a_test.cpp": "TEST_F(suite, one) {}\n",
                "tests/b_test.py": "class Case:\n    def test_it(self):\n        pass\n",
            }.items():
                path = project / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, "utf-8")
            return check(project)

    def faults(self, *pages, **more):
        return self.check(*pages, **more)[1]

    def test_a_good_page_passes_and_what_is_unproven_is_known(self):
        statements, found = self.check()
        self.assertEqual(found, [])
        self.assertEqual(
            [(s.name(), s.is_unproven()) for s in statements], [("ABC-1", False), ("ABC-2", True)]
        )

    def test_gaps_and_repeated_numbers(self):
        self.assertEqual(
            self.faults(GOOD.replace("**ABC-2**", "**ABC-1**")),
            ["page.md:9: ABC-1 is the name of line 3, too"],
        )
        self.assertEqual(
            self.faults(GOOD.replace("**ABC-2**", "**ABC-4**")),
            ["page.md has no ABC-2, but later ones", "page.md has no ABC-3, but later ones"],
        )

    def test_statements_may_stand_in_any_order(self):
        page = GOOD.replace("**ABC-1**", "**ABC-3**").replace("and ABC-1", "and ABC-3")
        page = page.replace("**ABC-2**", "**ABC-1**").replace("**ABC-3**", "**ABC-2**")
        self.assertEqual(self.faults(page.replace("ABC-3", "ABC-2")), [])

    def test_each_page_has_letters_of_its_own(self):
        self.assertEqual(
            self.faults(other="**ABC-1** More.\n\nProof: a_test.cpp::suite.one\n"),
            ["second.md:1: ABC-1 has the letters of page.md"],
        )

    def test_tests_that_do_not_exist(self):
        self.assertEqual(
            self.faults(GOOD.replace("suite.one", "suite.two").replace("b_test", "c_test")),
            [
                "page.md:3: ABC-1: tests/a_test.cpp has no test suite.two",
                "page.md:3: ABC-1: tests/c_test.py has no test Case.test_it",
            ],
        )

    def test_statements_without_a_proof_that_can_be_read(self):
        self.assertEqual(
            self.faults(GOOD.replace("Proof: unproven", "Unproven")),
            ["page.md:9: ABC-2 has 0 proofs, not one"],
        )
        for proof in ("unproven", "later", "a_test.cpp::suite.one, a.cpp::suite.one"):
            self.assertEqual(
                self.faults(GOOD.replace("unproven: no test makes one.", proof)),
                ["page.md:9: ABC-2 names no test, or one that cannot be read"],
            )

    def test_links_and_mentions_that_lead_nowhere(self):
        page = GOOD.replace("Nothing.", "[a](none.md) [b](second.md#x) [c](#the-rest) ABC-3, UTF-8")
        self.assertEqual(
            self.faults(page),
            [
                "page.md: there is no none.md",
                "page.md: second.md#x names no heading",
                "page.md: there is no statement ABC-3",
            ],
        )

    def test_comments_that_refer_to_what_is_not_there(self):
        good = "// docs/wire/page.md, ABC-1 and ABC-2; docs/rpc.md"
        self.assertEqual(self.faults(comment=good), [])
        bad = "// docs/wire/page.md, ABC-1, ABC-9\n// docs/wire/no.md\n// Spec section 3"
        self.assertEqual(
            self.faults(comment=bad),
            [
                "src/x.cpp:1: docs/wire/page.md has no ABC-9",
                "src/x.cpp:2: there is no docs/wire/no.md",
                "src/x.cpp:3: speaks of a spec that no reader has",
            ],
        )


if __name__ == "__main__":
    unittest.main()
