"""docs/ten-minutes.md, as a newcomer follows it: an empty folder, the installation, a broker.

Files are what follows "`NAME`:" in a fence; the fences `sh` run one after the other in one shell,
and a fence `text` behind one is its output. Two things of the page differ here: the installation
is the one of the build under test, and the broker has an address of its own.
"""

import os
import pathlib
import re
import shlex
import signal
import subprocess
import tempfile
import unittest
import uuid

PAGE = pathlib.Path(os.environ["OSLO_TEST_PAGE"]).read_text("utf-8")
MAKEFILE = pathlib.Path(os.environ["OSLO_TEST_PAGE"]).parents[1].joinpath("Makefile")
PREFIX = pathlib.Path(os.environ["OSLO_TEST_PREFIX"])
PRINTED_URL = "rabbit://guest:guest@127.0.0.1:5672/"
END_OF_STEP = "\x1e"

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w.-]+)`[^\n`]*:\n\n\Z")


def parts():
    """The files of the page by name, and its steps: pairs of commands and output or None."""
    files, steps = {}, []
    for fence in FENCE.finditer(PAGE):
        language, text = fence.groups()
        if language == "sh":
            steps.append((text, None))
        elif language == "text":
            commands, _ = steps.pop()
            steps.append((commands, text))
        else:
            files[FILE.search(PAGE[: fence.start()])[1]] = text
    return files, steps


def pattern(output):
    return ".*".join(re.escape(piece) for piece in output.split("…"))


class VirtualHost:
    """One of its own, so that nobody else's queues have the names of the page."""

    def __init__(self):
        self.name = f"ten-minutes-{uuid.uuid4().hex[:12]}"
        self.control("add_vhost", self.name)
        self.control("set_permissions", "-p", self.name, "guest", ".*", ".*", ".*")
        self.url = os.environ["OSLO_TEST_RABBIT_URL"] + self.name

    def control(self, *arguments):
        command = [*shlex.split(os.environ["OSLO_TEST_RABBITMQCTL"]), "--", *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=120)

    def delete(self):
        self.control("delete_vhost", self.name)


class TenMinutes(unittest.TestCase):
    def test_make_knows_what_is_typed(self):
        wanted = re.findall(r"^    (?:sudo )?make (\w+)", PAGE, re.MULTILINE)
        self.assertTrue(wanted)
        rules = MAKEFILE.read_text("utf-8")
        for target in wanted:
            self.assertRegex(rules, rf"(?m)^{target}(?: \w+)*:")

    def test_the_page_does_what_it_says(self):
        files, steps = parts()
        self.assertIn(PRINTED_URL, files["calc.conf"])
        bus = VirtualHost()
        self.addCleanup(bus.delete)
        files["calc.conf"] = files["calc.conf"].replace(PRINTED_URL, bus.url)
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name, "work")
            folder.mkdir()
            for file, text in files.items():
                folder.joinpath(file).write_text(text, "utf-8")
            outputs = self.run_in(folder, [commands for commands, _ in steps])
        for (commands, expected), output in zip(steps, outputs, strict=True):
            if expected is not None:
                self.assertRegex(output, rf"\A{pattern(expected)}\Z", commands)

    def run_in(self, folder, steps):
        """What each step wrote to standard output."""
        programs = folder.parent / "bin"
        programs.mkdir()
        python = programs / "python3"  # a link would lose the packages of a virtual environment
        # A call of 14.0.3 leaves a thread behind that holds up the end of the program, for 10 s.
        option = "OS_OSLO_MESSAGING_METRICS__METRICS_THREAD_STOP_TIMEOUT=1"
        interpreter = shlex.quote(os.environ["OSLO_TEST_PEER_PYTHON"])
        python.write_text(f'#!/bin/sh\nexec env {option} {interpreter} "$@"\n')
        python.chmod(0o755)
        script = "set -e\n" + "".join(f"{step}printf '{END_OF_STEP}'\n" for step in steps)
        shell = subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=os.environ
            | {
                "PATH": f"{programs}:{PREFIX / 'bin'}:{os.environ['PATH']}",
                "CMAKE_PREFIX_PATH": str(PREFIX),
                "PYTHONWARNINGS": "ignore",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            output, errors = shell.communicate(timeout=500)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            output, errors = shell.communicate()
            self.fail(f"The page takes too long:\n{output}\n{errors}")
        finally:
            try:  # a step that failed leaves the server of the page behind
                os.killpg(shell.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.assertEqual(shell.returncode, 0, f"{output}\n{errors}")
        *outputs, rest = output.split(END_OF_STEP)
        self.assertEqual(rest, "")
        return outputs


if __name__ == "__main__":
    unittest.main()
