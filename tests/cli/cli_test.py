"""oslo-msg without a broker: what it accepts, what it says, and its exit statuses."""

import json
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import unittest

from interrupting import terminate_when_shown

PROGRAM = os.environ["OSLO_MSG"]
ROOT = pathlib.Path(__file__).parents[2]
PAGE = ROOT / "docs" / "command-line.md"
COMMANDS = ["demo", "serve", "call", "cast", "ping", "notify",
            "send-notification", "listen", "doctor", "config-sample", "bench"]


def run(*arguments, stdin="", url="fake://"):
    where = ["--url", url] if url else []
    return subprocess.run([PROGRAM, *where, *arguments], input=stdin, capture_output=True,
                          text=True, timeout=60)


def end_by_signal(number, stream, *arguments):
    """Sends the signal once `stream` says "ready"; returns status, and what else was printed."""
    with subprocess.Popen([PROGRAM, "--url", "fake://", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as program:
        try:
            line = getattr(program, stream).readline()
            if line != "ready\n":
                raise AssertionError(f"not ready but {line!r}")
            program.send_signal(number)
            printed = program.communicate(timeout=30)
            return (program.returncode, *printed)
        finally:
            program.kill()


class Help(unittest.TestCase):
    def test_names_every_command_and_status(self):
        shown = run("--help")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        for name in COMMANDS:
            self.assertRegex(shown.stdout, rf"\n  {name} ")
        for status in range(7):
            self.assertRegex(shown.stdout, rf"\n  {status}  \w")
        self.assertNotIn("bench-s", shown.stdout)

    def test_every_command_has_its_own(self):
        for name in COMMANDS:
            with self.subTest(name):
                shown = run(name, "--help")
                self.assertEqual(shown.returncode, 0, shown.stderr)
                self.assertIn("Example: oslo-msg", shown.stdout)

    def test_the_page_has_all_of_it(self):
        """docs/command-line.md has a section for each command, with its arguments and no others."""
        sections = re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)
        before, sections = sections[0], dict(one.split("\n", 1) for one in sections[1:])
        shown = run("--help").stdout
        commands = re.findall(r"^  ([a-z-]+) {2,}", shown.partition("\nSubcommands:\n")[2], re.MULTILINE)
        self.assertEqual(commands, COMMANDS)
        self.assertEqual(list(sections), ["Exit status", "Environment", *commands])
        self.assertEqual(re.findall(r"^  (\d)  (.*)$", shown, re.MULTILINE),
                         re.findall(r"^\| (\d) \| (.*) \|$", sections["Exit status"].replace("`", ""),
                                    re.MULTILINE))
        common = set(re.findall(r"`(--[\w-]+)", before))
        self.assertEqual(common, set(re.findall(r"^ +(?:-h,)?(--[\w-]+)", shown, re.MULTILINE)))
        for name in commands:
            with self.subTest(name):
                ours = set(re.findall(r"^\| `(--[\w-]+|[A-Z_]+)", sections[name], re.MULTILINE))
                theirs = set(re.findall(r"^  (--[\w-]+|[A-Z_]+)\b", run(name, "--help").stdout,
                                        re.MULTILINE))
                self.assertEqual(ours, theirs - {"--help-all"})

    def test_pages_type_what_there_is(self):
        """The command lines of all pages have commands and flags that exist."""
        def flags(*command):
            return set(re.findall(r"(?:^ +|-h,)(--[\w-]+)", run(*command, "--help").stdout, re.MULTILINE))

        common, known = flags(), {name: flags(name) for name in COMMANDS}
        typed = re.compile(r"^ {4}.*?\boslo-msg +(.*?)(?: +#.*|[&|].*)?$", re.MULTILINE)
        lines = {(page.name, line) for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")]
                 for line in typed.findall(page.read_text("utf-8")) if "COMMAND" not in line}
        self.assertGreater(len(lines), 15)
        for page, line in lines:
            with self.subTest(page=page, line=line):
                words = shlex.split(line)
                command = next((word for word in words if word in COMMANDS), None)
                self.assertIsNotNone(command)
                used = {word for word in words if word.startswith("--")} - {"--"}
                self.assertLessEqual(used, common | known[command])

    def test_version(self):
        self.assertRegex(run("--version").stdout, r"^\d+\.\d+\.\d+\n$")


class CommandLine(unittest.TestCase):
    def expect_usage(self, pattern, *arguments, **keywords):
        done = run(*arguments, **keywords)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        self.assertRegex(done.stderr, r"\Aoslo-msg: .*\n\Z")
        self.assertRegex(done.stderr, pattern)

    def test_bad_arguments(self):
        for pattern, arguments in [
            ("a command is missing", []),
            ("frobnicate", ["frobnicate"]),
            ("TOPIC is required", ["call"]),
            ("METHOD is required", ["call", "t"]),
            ("--server is required", ["serve", "t"]),
            ("--log-level", ["--log-level", "loud", "demo"]),
            ("--retry", ["call", "t", "m", "--retry", "-2"]),
            ("--retry", ["call", "t", "m", "--retry", "often"]),
            ("TOPIC", ["call", "", "m"]),
            ("--server", ["cast", "t", "m", "--server", ""]),
            ("--exchange", ["call", "t", "m", "--exchange", ""]),
            ("--server", ["serve", "t", "--server", ""]),
            ("--topic", ["notify", "e", "{}", "--topic", ""]),
            ("--pool", ["listen", "t", "--pool", ""]),
            ("--timeout", ["call", "t", "m", "--timeout", "-1"]),
            ("--timeout", ["call", "t", "m", "--timeout", "nan"]),
            ("--timeout", ["call", "t", "m", "--timeout", "inf"]),
            ("--drain-timeout", ["serve", "t", "--server", "s", "--drain-timeout", "nan"]),
            ("--batch-timeout", ["listen", "t", "--batch-timeout", "nan"]),
            ("--rate", ["bench", "call", "--rate", "nan"]),
            ("--executor", ["serve", "t", "--server", "s", "--executor", "eventlet"]),
            ("--workers", ["serve", "t", "--server", "s", "--workers", "0"]),
            ("--workers does not go with --executor inline",
             ["serve", "t", "--server", "s", "--executor", "inline", "--workers", "2"]),
            ("--fanout", ["call", "t", "m", "--fanout"]),
            ("--as", ["doctor", "--as", "boss"]),
            ("--timeout", ["doctor", "--timeout", "nan"]),
            ("--timeout", ["doctor", "--timeout", "0"]),
            ("MODE", ["bench", "sleep"]),
            ('"lots" is neither a number of bytes', ["bench", "call", "--body", "lots"]),
            ("--body int goes with call, not with cast", ["bench", "cast", "--body", "int"]),
            ("--body int goes with call, not with memory", ["bench", "memory", "--body", "int"]),
            ("--body", ["bench", "call", "--body", "-1"]),
            ("--body", ["bench", "call", "--body", "16777217"]),
            ("--in-flight", ["bench", "call", "--in-flight", "0"]),
            ("--count", ["bench", "call", "--count", "1"]),
            ("--rate", ["bench", "call", "--rate", "0"]),
            ("--seconds", ["bench", "call", "--seconds", "0"]),
            ("--seconds goes with .*, not with drain", ["bench", "drain", "--seconds", "1"]),
            ("--rate goes with .*, not with memory", ["bench", "memory", "--rate", "1"]),
            ("--count goes with .*, not with memory", ["bench", "memory", "--count", "10"]),
            ("--servers goes with fanout, not with cast", ["bench", "cast", "--servers", "3"]),
            ("--transports goes with call, not with cast", ["bench", "cast", "--transports", "2"]),
            ("--transports", ["bench", "call", "--transports", "0"]),
            ("--transports", ["bench", "call", "--transports", "65"]),
            ("--in-flight: 2 cannot be divided among 3 transports",
             ["bench", "call", "--in-flight", "2", "--transports", "3"]),
            ("--count: 2 cannot be divided among 3 transports",
             ["bench", "call", "--count", "2", "--transports", "3"]),
            ("--rate goes with one transport, not with 2",
             ["bench", "call", "--rate", "10", "--transports", "2"]),
            ("--callers goes with call, not with cast", ["bench", "cast", "--callers", "threads"]),
            ("--callers", ["bench", "call", "--callers", "processes"]),
            ("--rate goes with --callers completions, not with threads",
             ["bench", "call", "--callers", "threads", "--rate", "10"]),
            ("JSON is required", ["notify", "ev"]),
            ("--priority", ["notify", "ev", "1", "--priority", "warning"]),
            ("--driver", ["notify", "ev", "1", "--driver", "pigeon"]),
            ("TOPIC is required", ["listen"]),
            ("--priority", ["listen", "t", "--priority", "INFO"]),
            ("--batch-size", ["listen", "t", "--batch-size", "0"]),
            ("--count", ["listen", "t", "--count", "0"]),
            ("--requeue-first", ["listen", "t", "--requeue-first", "-1"]),
            ("version cap|Version cap|version_cap",
             ["call", "t", "m", "--version", "1.5", "--version-cap", "1.4"]),
        ]:
            with self.subTest(arguments):
                self.expect_usage(pattern, *arguments)

    def test_bad_json_names_the_place(self):
        for pattern, text in [
            ("JSON: line 1, column 7: ", '{"a": }'),
            ("JSON: line 2, column 8: ", '{"a":1,\n  "b": x}'),
            ("JSON: line 1, column 9: ", '{"a": 1 '),
            ("JSON: line 1, column 10: ", '{"a": 1} x'),
            ("expected a JSON object .* line 1, column 1", "[1, 2]"),
            ("expected a JSON object .* line 1, column 3", "  3"),
            ("JSON: cannot read /nowhere/a.json: No such file", "@/nowhere/a.json"),
            ("JSON: cannot read /: Is a directory", "@/"),
            ("JSON: longer than the limit of 134217728 bytes", "@/dev/zero"),
            ("JSON: line 1, ", '{"a": ' * 5000),
        ]:
            with self.subTest(text[:20]):
                self.expect_usage(pattern, "call", "t", "m", text)
        self.expect_usage("JSON: line 1, column 7: ", "call", "t", "m", "-", stdin='{"a": }')
        self.expect_usage("--context: line 1, column 2: ", "cast", "t", "m", "--context", "{1}")
        self.expect_usage("expected a JSON object", "cast", "t", "m", "--context", "null")


class Configuration(unittest.TestCase):
    def expect_unusable(self, pattern, *arguments, **keywords):
        done = run(*arguments, **keywords)
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertRegex(done.stderr, pattern)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertNotIn("s3cret", done.stderr)

    def test_urls(self):
        for pattern, url in [
            ("pigeon", "pigeon://user:s3cret@host/"),
            ("port", "rabbit://user:s3cret@host:many/"),
            ('no driver "user"', "user:s3cret@host"),
        ]:
            with self.subTest(url):
                self.expect_unusable(pattern, "cast", "t", "m", url=url)

    def test_config_files(self):
        self.expect_unusable("/nowhere/oslo.conf", "--config-file", "/nowhere/oslo.conf", "demo")
        with tempfile.TemporaryDirectory() as folder:
            for pattern, text in [
                (r"bad\.conf:2", "[DEFAULT]\nno value here\n"),
                ("rpc_response_timeout", "[DEFAULT]\nrpc_response_timeout = soon\n"),
                ("pigeon", "[DEFAULT]\ntransport_url = pigeon://user:s3cret@host/\n"),
            ]:
                with self.subTest(text):
                    file = pathlib.Path(folder, "bad.conf")
                    file.write_text(text)
                    self.expect_unusable(pattern, "--config-file", str(file), "cast", "t", "m",
                                         url=None)


class ConfigSample(unittest.TestCase):
    """What the library makes of it is the business of support/sample_defaults.cpp."""

    @classmethod
    def setUpClass(cls):
        shown = run("config-sample")
        assert shown.returncode == 0, shown.stderr
        cls.sample = shown.stdout
        cls.uncommented = re.sub(r"^#(\w+ =)", r"\1", cls.sample, flags=re.MULTILINE)

    def test_everything_is_commented_out(self):
        self.assertRegex(self.sample, r"(?m)^\[oslo_messaging_rabbit\]$")
        left = {line for line in self.sample.splitlines() if not line.startswith(("#", "["))}
        self.assertEqual(left, {""})
        self.assertTrue(all(len(line) < 80 for line in self.sample.splitlines()
                            if line.startswith("# ") and not line.startswith("# Deprecated")))

    def test_it_is_the_defaults(self):
        self.assertGreater(len(self.uncommented.splitlines()), 100)
        checked = subprocess.run([os.environ["OSLO_SAMPLE_DEFAULTS"]], input=self.uncommented,
                                 capture_output=True, text=True, timeout=60)
        self.assertEqual((checked.returncode, checked.stdout), (0, ""))

    def test_it_opens_a_bus_without_a_warning(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "sample.conf")
            file.write_text(self.uncommented)
            done = run("--config-file", str(file), "demo")
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Environment(unittest.TestCase):
    def test_options_of_the_environment_count(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "file.conf")
            file.write_text("[DEFAULT]\ntransport_url = pigeon://\n")
            for name, pattern in [
                ("OS_DEFAULT__TRANSPORT_URL", "albatross"),
                ("OS_DEFAULT__RPC_RESPONSE_TIMEOUT", r"environment variable OS_DEFAULT__RPC_RESP"),
            ]:
                done = subprocess.run(
                    [PROGRAM, "--config-file", str(file), "cast", "t", "m"], capture_output=True,
                    text=True, timeout=60, env={**os.environ, name: "albatross://"})
                self.assertEqual(done.returncode, 5)
                self.assertRegex(done.stderr, pattern)


class NoBroker(unittest.TestCase):
    """Nobody listens at the address: what happens depends on --retry and --timeout."""

    @classmethod
    def setUpClass(cls):
        # Bound and not listening: nobody else gets the port while the tests run.
        cls.socket = socket.socket()
        cls.addClassCleanup(cls.socket.close)
        cls.socket.bind(("127.0.0.1", 0))
        cls.url = f"rabbit://user:s3cret@127.0.0.1:{cls.socket.getsockname()[1]}/"

    def expect(self, status, command, *extra):
        done = run("--log-level", "off", command, "t", "m", *extra, url=self.url)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertRegex(done.stderr, r"^oslo-msg: .+\n$")
        self.assertNotIn("s3cret", done.stderr)

    def test_retries_used_up(self):
        for command in ("call", "cast"):
            for retries in ("0", "1"):
                with self.subTest(command=command, retries=retries):
                    self.expect(5, command, "--retry", retries, "--timeout", "30")

    def test_out_of_time(self):
        for command in ("call", "cast"):
            with self.subTest(command):
                self.expect(3, command, "--timeout", "0.3")

    def test_a_waiting_server_ends_on_a_signal(self):
        server = subprocess.Popen(
            [PROGRAM, "--url", self.url, "serve", "t", "--server", "s"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            # The first warning says that it has tried; then it waits for a broker.
            warning = server.stderr.readline()
            self.assertIn("unreachable", warning)
            self.assertNotIn("s3cret", warning)
            server.send_signal(signal.SIGTERM)
            self.assertEqual(server.communicate(timeout=30)[0], "")
            self.assertEqual(server.returncode, 0)
        finally:
            server.kill()
            server.wait()


class Messages(unittest.TestCase):
    def test_call_without_a_server_times_out(self):
        done = run("call", "nobody", "m", "--timeout", "0.1")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"^oslo-msg: .+\n$")

    def test_cast(self):
        for extra in [[], ["--fanout"], ["--server", "s"], ["--context", '{"user": "bob"}']]:
            with self.subTest(extra):
                done = run("cast", "nobody", "m", '{"a": 1}', *extra)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_arguments_from_a_file_and_from_standard_input(self):
        self.assertEqual(run("cast", "t", "m", "-", stdin='{"a":\n1}').returncode, 0)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write('{"a": 1}')
            file.flush()
            self.assertEqual(run("cast", "t", "m", "@" + file.name).returncode, 0)


class Notifications(unittest.TestCase):
    def test_notify(self):
        for extra in [[], ["--priority", "sample"], ["--topic", "a", "--topic", "b"],
                      ["--driver", "messaging"], ["--publisher-id", "me"],
                      ["--context", '{"user": "bob"}']]:
            for payload in ('{"a": 1}', "[1, 2]", '"text"', "null"):
                with self.subTest(extra=extra, payload=payload):
                    done = run("notify", "ev", payload, *extra)
                    self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertEqual(run("notify", "ev", "{a}").returncode, 2)

    def test_options_take_one_word_wherever_they_stand(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            for arguments in (["--config-file", file.name, "--topic", "a", "ev", "1"],
                              ["--topic", "a", "--topic", "b", "ev", "--config-file", file.name, "1"]):
                with self.subTest(arguments):
                    self.assertEqual(run("notify", *arguments).returncode, 0)

    def test_filters_of_listen_are_checked(self):
        for extra, status in ((["--payload", "no-expression"], 2), (["--event-type", "("], 2),
                              (["--context", "=x"], 2)):
            with self.subTest(extra):
                done = run("listen", "t", *extra)
                self.assertEqual((done.returncode, done.stdout), (status, ""))
                self.assertTrue(done.stderr)

    def test_a_listener_ends_on_a_signal(self):
        for extra in ([], ["--batch-size", "5"], ["--pool", "p", "--priority", "info"]):
            with self.subTest(extra):
                self.assertEqual(end_by_signal(signal.SIGTERM, "stderr", "listen", "t", *extra),
                                 (0, "", ""))


class SendNotification(unittest.TestCase):
    """Under its own name, and as a symlink in place of Python's tool."""

    def each(self, *arguments):
        link = pathlib.Path(PROGRAM).parent / "oslo-messaging-send-notification"
        self.assertTrue(link.is_symlink())
        for program in ([PROGRAM, "send-notification"], [link]):
            yield subprocess.run([*program, *arguments], capture_output=True, text=True, timeout=60)

    def test_sends(self):
        fake = ["--transport-url", "fake://"]
        for arguments in (["text"], ['{"a": 1}'], ["--event-type", "e", "--publisher-id", "p", "x"],
                          ["--topic", "a", "b", "--priority", "sample", "x"], ["x", "--topic", "a"],
                          ["--topic", "a", "--", "x"], ["--driver", "messaging", "x"],
                          ["--driver", "noop", "x"], ["--driver", "log", "x"],
                          ["--driver", "test", "x"]):
            for done in self.each(*fake, *arguments):
                with self.subTest(arguments):
                    self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_usage(self):
        for arguments in ([], ["--priority", "debug", "x"], ["--driver", "nosuch", "x"],
                          ["--nosuch", "x"], ["x", "y"]):
            for done in self.each(*arguments):
                with self.subTest(arguments):
                    self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
                    self.assertTrue(done.stderr)

    def test_help_has_the_flags_of_python(self):
        for done in self.each("--help"):
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            for flag in ("transport-url", "publisher-id", "event-type", "topic",
                         "priority", "driver"):
                self.assertRegex(done.stdout, rf"\n  --{flag} ")

    def test_says_what_does_not_work(self):
        for arguments, words in ((["--config-file", "/nonexistent", "x"], "/nonexistent"),
                                 (["--transport-url", "bogus://u:s3cret@h/", "x"], "bogus"),
                                 (["--transport-url", "rabbit://u:s3cret@127.0.0.1:1/", "x"],
                                  "127.0.0.1:1")):
            for done in self.each(*arguments):
                with self.subTest(arguments):
                    self.assertEqual((done.returncode, done.stdout), (5, ""))
                    self.assertIn(words, done.stderr)
                    self.assertNotIn("s3cret", done.stderr)


class Serve(unittest.TestCase):
    def test_ends_on_a_signal(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            for extra in (["--workers", "2"], ["--executor", "inline"],
                          ["--executor", "fibers", "--workers", "5"], ["--prefetch", "5"]):
                with self.subTest(number=number, extra=extra):
                    self.assertEqual(
                        end_by_signal(number, "stdout", "serve", "t", "--server", "s", *extra),
                        (0, "", ""))


class Output(unittest.TestCase):
    """What cannot be written is said, and is not success. With a broker: tests/integration."""

    WRITES = [["--version"], ["doctor"], ["doctor", "--json"], ["--help"], ["call", "--help"], ["serve", "t", "--server", "s"],
              ["demo"], ["bench", "call", "--count", "10"],
              ["bench", "call", "--count", "10", "--json", "-"]]

    def expect(self, status, lines, command, **keywords):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              timeout=60, **keywords)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertRegex(done.stderr, rf"\A{lines}\Z")

    def test_full(self):
        for arguments in self.WRITES:
            with self.subTest(arguments), open("/dev/full", "w") as full:
                self.expect(6, "oslo-msg: standard output: No space left on device\n",
                            [PROGRAM, "--url", "fake://", *arguments], stdout=full)

    def test_broken_pipe(self):
        for arguments in self.WRITES:
            reading, writing = os.pipe()
            os.close(reading)
            with self.subTest(arguments), open(writing, "w") as pipe:
                self.expect(6, "oslo-msg: standard output: Broken pipe\n",
                            [PROGRAM, "--url", "fake://", *arguments], stdout=pipe)

    def test_closed(self):
        """Its number is not given to a file or socket of the program either."""
        for arguments in self.WRITES:
            with self.subTest(arguments):
                self.expect(6, "oslo-msg: standard output: Bad file descriptor\n",
                            ["sh", "-c", 'exec "$@" >&-', "sh", PROGRAM, "--url", "fake://",
                             *arguments])

    def test_a_reader_that_leaves_in_the_middle(self):
        with subprocess.Popen([PROGRAM, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as demo:
            try:
                self.assertEqual(demo.stdout.readline(), "oslo-msg demo over fake:///\n")
                demo.stdout.close()
                demo.stdout = None
                said = demo.communicate(timeout=60)[1]
                self.assertEqual((demo.returncode, said),
                                 (6, "oslo-msg: standard output: Broken pipe\n"))
            finally:
                demo.kill()

    def test_who_writes_nothing_needs_no_output(self):
        for arguments in (["cast", "t", "m"], ["notify", "ev", "1"], ["send-notification", "x"]):
            with self.subTest(arguments), open("/dev/full", "w") as full:
                command = [PROGRAM, "--url", "fake://", *arguments]
                self.expect(0, "", command, stdout=full)
                self.expect(0, "", ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command])

    def test_figures_in_a_file(self):
        for path, why in (("/dev/full", "No space left on device"),
                          ("/nowhere/f", "No such file or directory")):
            with self.subTest(path):
                self.expect(6, f"oslo-msg: --json: {path}: {why}\n",
                            [PROGRAM, "--url", "fake://", "bench", "call", "--count", "10",
                             "--json", path], stdout=subprocess.DEVNULL)


class Doctor(unittest.TestCase):
    """Without a broker: what is wrong is found, and is the exit status. With one: tests/integration."""

    def look(self, status, *arguments, **keywords):
        done = run("doctor", *arguments, "--json", **keywords)
        self.assertEqual((done.returncode, done.stderr), (status, ""), done.stdout)
        self.assertEqual(len(done.stdout.splitlines()), 1)
        self.assertNotIn("s3cret", done.stdout)
        document = json.loads(done.stdout)
        self.assertEqual(document["ok"], status == 0)
        for finding in document["findings"]:
            self.assertEqual(list(finding), ["severity", "subject", "text", "advice"])
        return document["findings"]

    def look_at_file(self, status, text):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "service.conf")
            file.write_text(text)
            return self.look(status, "--config-file", str(file), url=None)

    def expect(self, findings, severity, *patterns):
        for pattern in patterns:
            self.assertTrue(any(f["severity"] == severity and
                                re.search(pattern, " ".join(f.values())) for f in findings),
                            f"no {severity} {pattern!r} in {findings}")

    def test_one_process_has_nothing_to_look_at(self):
        self.expect(self.look(0), "note", "fake://.*nothing to look at")

    def test_a_finding_is_a_line(self):
        done = run("doctor", url="rabbit://user:s3cret@127.0.0.1:1/")
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertRegex(done.stdout, r"\Aerror   host 127\.0\.0\.1:1: 127\.0\.0\.1:1 is unreachable: "
                                      r"Connection refused Check name and port .*\n\Z")

    def test_what_stops_others_is_a_finding(self):
        for pattern, url in [
            ('driver "pigeon"', "pigeon://user:s3cret@host/"),
            ("port", "rabbit://user:s3cret@host:many/"),
            ('no option "nosuch"', "rabbit://user:s3cret@host/?nosuch=1"),
            ("rabbit_qos_prefetch_count", "rabbit://user:s3cret@host/?rabbit_stream_fanout=true"),
            ("ssl_ca_file /nowhere", "rabbit://user:s3cret@host/?ssl=true&ssl_ca_file=/nowhere"),
        ]:
            with self.subTest(url):
                self.expect(self.look(1, url=url), "error", pattern)
        findings = self.look(1, "--config-file", "/nowhere/oslo.conf", url=None)
        self.expect(findings, "error", "/nowhere/oslo.conf")
        findings = self.look(1, "--config-file", os.fsdecode(b"/nowhere/\xff"), url=None)
        self.expect(findings, "error", "/nowhere/\ufffd")

    def test_every_host_is_looked_at(self):
        url = "rabbit://u:s3cret@127.0.0.1:1,u:s3cret@no-such-host.invalid,127.0.0.1:2/"
        findings = self.look(1, url=url)
        self.expect(findings, "error", r"host 127\.0\.0\.1:1 ", r"host no-such-host\.invalid:5672 ",
                    r"host 127\.0\.0\.1:2 ")
        self.expect(findings, "warning", "should have a user name and password, or none")

    def test_options_without_effect_and_with_former_names_hurt_nobody(self):
        findings = self.look_at_file(
            0, "[DEFAULT]\ntransport_url = fake://\nrpc_thread_pool_size = 3\n"
               "[oslo_messaging_metrics]\nmetrics_thread_stop_timeout = 3\n")
        self.expect(findings, "note", r"rpc_thread_pool_size of \[DEFAULT\] \(.*service\.conf:3\).*"
                                      "executor_thread_pool_size", "metrics_thread_stop_timeout")

    def test_a_url_of_several_lines_is_one_url(self):
        findings = self.look_at_file(
            1, "[DEFAULT]\ntransport_url = rabbit://u:s3cret@127.0.0.1:1,\n  u:s3cret@127.0.0.1:2/\n")
        self.expect(findings, "error", r"host 127\.0\.0\.1:1 ", r"host 127\.0\.0\.1:2 ")

    def test_wrong_values(self):
        findings = self.look_at_file(
            1, "[DEFAULT]\ntransport_url = fake://\nrpc_response_timeout = soon\n"
               "[oslo_messaging_notifications]\nretry = often\n")
        self.expect(findings, "error", "rpc_response_timeout.*service.conf:3", "retry.*service.conf:5")

    def test_notifications_may_have_a_bus_of_their_own(self):
        findings = self.look_at_file(
            1, "[DEFAULT]\ntransport_url = rabbit://u:s3cret@127.0.0.1:1/\n"
               "[oslo_messaging_notifications]\ntransport_url = rabbit://u:s3cret@127.0.0.1:2/\n")
        self.expect(findings, "error", r"host 127\.0\.0\.1:1 ", r"host 127\.0\.0\.1:2 ")

    def test_a_host_that_says_nothing_is_given_up(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            findings = self.look(1, "--timeout", "0.5",
                                 url=f"rabbit://u:s3cret@127.0.0.1:{silent.getsockname()[1]}/")
        self.expect(findings, "error", "did not answer in time|before the time was up")


class Demo(unittest.TestCase):
    def test_every_step_works(self):
        done = run("demo")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stderr, "")
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], "oslo-msg demo over fake:///")
        steps = [re.match(r"  (\w+) +(.*?) +[\d.]+ ms$", line).groups() for line in lines[1:-1]]
        self.assertEqual([name for name, _ in steps],
                         ["call", "call", "cast", "fanout", "error", "timeout", "notify", "drain"])
        self.assertIn("add(a=2, b=3) -> 5", steps[0][1])
        self.assertIn("-> 42", steps[1][1])
        self.assertIn("taken by one and two", steps[3][1])
        self.assertIn("demo.exception.FlavorNotFound: no flavor is named m1.huge", steps[4][1])
        self.assertEqual(lines[-1], "All 8 steps did what they should.")


class Bench(unittest.TestCase):
    def figures(self, *arguments):
        done = run("bench", *arguments, "--json", "-")
        # A busy machine may miss a rate; that is said and is no failure.
        said = re.sub(r"oslo-msg: the rate was not reached: .*\n", "", done.stderr)
        self.assertEqual((done.returncode, said), (0, ""))
        self.assertEqual(len(done.stdout.splitlines()), 1)
        return json.loads(done.stdout)

    def check(self, f, mode, **expected):
        expected = {"mode": mode, "errors": 0} | expected
        self.assertEqual({name: f[name] for name in expected}, expected)
        self.assertGreater(f["rate"], 0)
        latency = f["latency_us"]
        self.assertTrue(0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p999"]
                        <= latency["max"], latency)
        fractions, values = zip(*latency["curve"])
        self.assertEqual((sorted(fractions), sorted(values)), (list(fractions), list(values)))
        self.assertEqual(latency["curve"][-1], [1, latency["max"]])
        self.assertGreater(f["cpu_us"]["client"], 0)
        self.assertGreater(f["peak_memory_kib"]["client"], 1000)

    def test_calls_and_casts(self):
        for mode in ("call", "cast"):
            for executor in ("inline", "threads", "fibers"):
                with self.subTest(mode=mode, executor=executor):
                    f = self.figures(mode, "--in-flight", "4", "--count", "200", "--body", "10",
                                     "--executor", executor)
                    self.check(f, mode, count=200, in_flight=4, body="10", executor=executor)

    def test_callers(self):
        for callers in ("completions", "coroutines", "threads"):
            with self.subTest(callers):
                f = self.figures("call", "--in-flight", "4", "--count", "200", "--callers", callers)
                self.check(f, "call", count=200, in_flight=4, callers=callers)

    def test_typed_calls(self):
        for callers in ("completions", "coroutines", "threads"):
            for executor in ("inline", "threads"):
                with self.subTest(callers=callers, executor=executor):
                    f = self.figures("call", "--in-flight", "4", "--count", "200", "--body", "int",
                                     "--callers", callers, "--executor", executor)
                    self.check(f, "call", count=200, in_flight=4, callers=callers, body="int")
        f = self.figures("call", "--count", "100", "--rate", "1000", "--body", "int")
        self.check(f, "call", count=100, body="int")

    def test_calls_over_several_transports(self):
        for callers in ("completions", "coroutines", "threads"):
            with self.subTest(callers):
                # Neither the calls nor those in flight can be divided by three.
                f = self.figures("call", "--in-flight", "5", "--count", "200", "--transports", "3",
                                 "--callers", callers)
                self.check(f, "call", count=200, in_flight=5, transports=3, callers=callers)
        # The fewest that go: one call each.
        f = self.figures("call", "--count", "64", "--transports", "64", "--body", "int")
        self.check(f, "call", count=64, transports=64)
        self.check(self.figures("call", "--count", "10"), "call", transports=1)

    def test_a_time_holds_for_all_transports_together(self):
        f = self.figures("call", "--seconds", "0.2", "--transports", "2")
        self.check(f, "call", transports=2)
        self.assertGreaterEqual(f["seconds"], 0.2)

    def test_notifications(self):
        f = self.figures("notify", "--count", "300")
        self.check(f, "notify", count=300)
        self.assertGreater(f["taken_rate"], 0)

    def test_interrupted_notifications_are_taken_out_again(self):
        child, out, shown = terminate_when_shown(
            [PROGRAM, "--url", "fake://", "bench", "notify", "--count", "1000", "--rate", "0.5"],
            b"notifications:", limit=40)
        self.assertEqual((child.returncode, out), (-signal.SIGTERM, b""))
        self.assertIn(b"taking out:", shown)

    def test_fanout(self):
        self.check(self.figures("fanout", "--count", "100", "--servers", "3"), "fanout", count=100,
                   servers=3)

    def test_a_fixed_rate(self):
        f = self.figures("cast", "--count", "100", "--rate", "1000")
        self.check(f, "cast", count=100)
        self.assertEqual(f["open_loop"]["rate"], 1000)
        self.assertLess(f["open_loop"]["sent"], 1100)  # never faster
        self.assertGreaterEqual(f["seconds"], 0.099)

    def test_a_rate_out_of_reach_is_reported_and_its_delay_counts(self):
        done = run("bench", "call", "--count", "20000", "--rate", "10000000", "--json", "-")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, "the rate was not reached: [0-9]+ a second of 10000000")
        f = json.loads(done.stdout)
        self.assertFalse(f["open_loop"]["reached"])
        # All were due within 2 ms, so the last waited for nearly the whole run.
        self.assertGreater(f["latency_us"]["max"], 0.5e6 * f["seconds"])

    def test_for_a_time(self):
        f = self.figures("cast", "--seconds", "0.2")
        self.check(f, "cast")
        self.assertGreaterEqual(f["seconds"], 0.2)
        f = self.figures("call", "--seconds", "0.2", "--callers", "coroutines")
        self.check(f, "call")
        self.assertGreaterEqual(f["seconds"], 0.2)
        f = self.figures("call", "--seconds", "60", "--count", "50")
        self.check(f, "call", count=50)

    def test_bodies(self):
        for body in ("0", "1048576", "simulator"):
            with self.subTest(body):
                f = self.figures("call", "--count", "20", "--body", body, "--in-flight", "2")
                self.check(f, "call", count=20, body=body)

    def test_drain(self):
        f = self.figures("drain", "--count", "300")
        self.assertEqual((f["mode"], f["count"], f["errors"]), ("drain", 300, 0))
        self.assertGreater(f["rate"], 0)
        self.assertGreater(f["cpu_us"]["server"], 0)

    def test_memory(self):
        f = self.figures("memory", "--in-flight", "500")
        self.assertEqual((f["mode"], f["count"], f["errors"]), ("memory", 500, 0))
        self.assertEqual(set(f["bytes_a_call"]), {"heap", "resident"})
        # More than the arguments and less than absurd; sanitizers keep the heap from being seen.
        heap = f["bytes_a_call"]["heap"]
        self.assertTrue(heap == 0 or 100 < heap < 100_000, heap)

    def test_figures_go_to_a_file_and_to_the_operator(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "f.json")
            done = run("bench", "call", "--count", "50", "--json", str(path))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout, r"^rate +\d+ a second \(50 in [\d.]+ s, 0 errors\)\n"
                                          r"latency +p50 [\d.]+ us, p90 .*\ncpu +client .*\npeak .*\n$")
            self.assertEqual(json.loads(path.read_text())["count"], 50)


if __name__ == "__main__":
    unittest.main()
