"""The checker of docs/upstream-tests.md notices what is wrong."""

import pathlib
import tempfile
import unittest

from check_upstream_tests import faults


class Faults(unittest.TestCase):
    def check(self, page):
        with tempfile.TemporaryDirectory() as folder:
            tests = pathlib.Path(folder)
            (tests / "a_test.cpp").write_text(
                "TEST_F(suite, one) {}\nTEST_P(\n    suite,\n    long_name) {}\n"
            )
            (tests / "b_test.py").write_text("class Case:\n    def test_it(self):\n        pass\n")
            return list(faults(page, tests))

    def test_existing_tests_and_reasons_pass(self):
        page = (
            "| Test.a | 1 | a_test.cpp::suite.one, a_test.cpp::suite.long_name |\n"
            "| Test.b | 1 | b_test.py::Case.test_it |\n"
            "| TestCase.c | 1 | Cannot apply: no such thing |\n"
            "| test | scenarios | here |\n"
        )
        self.assertEqual(self.check(page), [])

    def test_what_is_missing_is_named(self):
        page = "| Test.a | 1 | a_test.cpp::suite.two |\n| RpcCase.b | 1 | |\n| Test.c | 1 | c_test.cpp::x.y |\n"
        self.assertEqual(
            self.check(page),
            [
                "line 1: tests/a_test.cpp has no test suite.two",
                "line 2 names no test and gives no reason",
                "line 3: tests/c_test.cpp has no test x.y",
            ],
        )


if __name__ == "__main__":
    unittest.main()
