"""The checker of docs/troubleshooting.md notices what the code does not say."""

import unittest

from check_error_texts import errc, faults, literals

CODE = """
#include "not/said.hpp"
  throw_failure({errc::unreachable, host + " is unreachable: " + why});  // "nor a comment"
  log("Queue " + name + " has no consumer, "
      "and holds \\"" + n);
"""
TABLE = "## By code\n| `one`, `two` | |\n"


class ErrorTexts(unittest.TestCase):
    def check(self, page, table=TABLE):
        return list(faults(page + table, [list(literals(CODE)), ["elsewhere"]], ["one", "two"]))

    def test_what_the_code_says_passes(self):
        for text in (
            "… is unreachable: …",
            'Queue … has no consumer, and holds "…',
            "Queue: is unreachable",
        ):
            with self.subTest(text):
                self.assertEqual(self.check(f"| `{text}` | `not a text` |\n"), [])

    def test_what_it_does_not_say_is_named(self):
        for text in (
            "… is not reachable: …",
            "not/said",
            "nor a comment",
            "Queue elsewhere",
            "Queue … elsewhere",
        ):
            with self.subTest(text):
                found = self.check(f"| word | \n| `{text}` | |\n")
                self.assertEqual(found, [f"line 2: the code does not say: {text}"])

    def test_a_text_needs_words(self):
        self.assertEqual(
            self.check("| `…: …` | |\n"), ["line 1: …: … has nothing to look for"]
        )

    def test_codes_are_complete_and_known(self):
        self.assertEqual(
            self.check("", "## By code\n| `one`, `three` | |\n"),
            ['"By code": three is no errc', '"By code": two is missing'],
        )

    def test_codes_are_read_from_the_header(self):
        header = "enum class errc {\n  // a, b\n  one = 1,  ///< so\n\n  two,\n};\nenum class other { x };"
        self.assertEqual(errc(header), ["one", "two"])


if __name__ == "__main__":
    unittest.main()
