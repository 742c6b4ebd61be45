"""Programs that are forks have their own files, arguments, status and signals, and no import to do."""

import os
import signal
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import forked

PREPARED = "import sys; sys.modules['prepared_before'] = sys"
PROGRAM = """
import os, sys
print(" ".join(sys.argv[1:]), __name__, "prepared_before" in sys.modules, sys.path[0])
print(sys.stdin.read(), file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""


class Forked(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.prepared, cls.program = (
            cls.file(name, text) for name, text in (("first.py", PREPARED), ("program.py", PROGRAM))
        )
        forked.prepare(cls.prepared)
        cls.addClassCleanup(cls.end)

    @classmethod
    def file(cls, name, text):
        path = os.path.join(cls.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    @classmethod
    def end(cls):
        """The process that was forked ends with the one that asks it."""
        forked.origin.link.close()
        if forked.origin.process.wait(20) != 0:
            raise AssertionError("it failed")
        forked.prepare(None)

    def start(self, *command, **options):
        return self.enterContext(
            forked.popen(
                [sys.executable, *command],
                **{
                    **dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE),
                    "text": True,
                    **options,
                },
            )
        )

    def test_arguments_files_and_status(self):
        for code in (0, 3):
            program = self.start(self.program, str(code), "b c")
            out, errors = program.communicate("given", timeout=20)
            self.assertEqual(out, f"{code} b c __main__ True {self.folder}\n")
            self.assertEqual((errors, program.returncode), ("given\n", code))

    def test_an_error_that_nobody_catches(self):
        program = self.start(self.file("broken.py", "raise KeyError('k')"))
        _, errors = program.communicate(timeout=20)
        self.assertEqual(program.returncode, 1)
        self.assertTrue(errors.endswith("KeyError: 'k'\n"), errors)

    def test_signals(self):
        waiting = self.file("waiting.py", "import signal\nprint(1, flush=True)\nsignal.pause()")
        for number in (signal.SIGTERM, signal.SIGKILL):
            program = self.start(waiting)
            self.assertEqual(program.stdout.readline(), "1\n")
            program.send_signal(number)
            self.assertEqual(program.wait(20), -number)

    def test_another_environment_is_not_that_of_the_imports(self):
        outputs = []
        for more in ({"FORKED_TEST": "x"}, {}):
            with mock.patch.dict(os.environ, more):
                outputs.append(self.start(self.program, "0").communicate(timeout=20)[0])
        self.assertEqual(
            outputs, [f"0 __main__ {was} {self.folder}\n" for was in (False, True)]
        )

    def test_other_programs_are_started_as_ever(self):
        out, _ = self.start("-c", "print(__name__, 'forked' in globals())").communicate(timeout=20)
        self.assertEqual(out, "__main__ False\n")


if __name__ == "__main__":
    unittest.main()
