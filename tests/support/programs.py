"""Serving programs as processes, and `oslo-msg` as a client."""

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
import uuid

import forked

START_LIMIT = 30.0
# Python's amqp1 driver gives its connection 30 s to end.
STOP_LIMIT = 60.0


def rabbit_url():
    return os.environ["OSLO_TEST_RABBIT_URL"]


def oslo_msg_program():
    return os.environ["OSLO_TEST_OSLO_MSG"]


def oslo_msg(url=None):
    return [oslo_msg_program(), "--url", url or rabbit_url()]


def unique(name):
    return f"{name}-{uuid.uuid4().hex[:12]}"


class RemoteFailure(Exception):
    """The method at the other end raised."""

    def __init__(self, type, module, message, traceback):
        super().__init__(f"{module}.{type}: {message}")
        self.type, self.module, self.message, self.traceback = type, module, message, traceback


class TimedOut(Exception):
    pass


class VersionRefused(Exception):
    """The client's version cap forbids the call."""


class Undeliverable(Exception):
    """`at_least_once` was asked for, and no queue took the message."""


class Unreachable(Exception):
    """No broker was reached in as many attempts as `retry` allows."""


class Server:
    """A serving program, from its line "ready" until SIGTERM, after which it has to exit 0."""

    def __init__(self, program, topic, server, **options):
        command = [*program, "serve", topic, "--server", server]
        for name, value in options.items():
            if value is True:
                command.append(f"--{name}")
            elif value is not None:
                command += [f"--{name}", str(value)]
        self.server = server
        self.killed = False
        self.errors = tempfile.TemporaryFile()
        self.process = forked.popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors, text=True
        )
        try:
            self.wait_until_ready()
        except BaseException:
            self.process.kill()
            self.process.wait()
            self.close()
            raise

    def wait_until_ready(self):
        readable, _, _ = select.select([self.process.stdout], [], [], START_LIMIT)
        line = self.process.stdout.readline() if readable else "nothing"
        if line != "ready\n":
            raise AssertionError(
                f"The server printed {line!r} in place of its line 'ready'.\n{self.stderr()}"
            )

    def stderr(self):
        """What it has written to its standard error."""
        # The program writes where this description of the file is: it may not be moved.
        size = os.fstat(self.errors.fileno()).st_size
        return os.pread(self.errors.fileno(), size, 0).decode(errors="backslashreplace")

    def close(self):
        self.process.stdout.close()
        self.errors.close()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def kill(self):
        """Ends it without a word; `stop` then has nothing left to do."""
        self.process.kill()
        self.process.wait()
        self.killed = True

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        """Ends the server, which has to exit 0."""
        if self.killed:
            self.close()
            return
        self.resume()
        self.process.terminate()
        try:
            code = self.process.wait(STOP_LIMIT)
            if code != 0:
                raise AssertionError(f"The server ended with exit code {code}.\n{self.stderr()}")
        except subprocess.TimeoutExpired:
            # With PYTHONFAULTHANDLER=1 a Python server then says where it hangs.
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()
            raise AssertionError(
                f"The server did not end after SIGTERM.\n{self.stderr()}"
            ) from None
        finally:
            self.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class CommandClient:
    """A run of `oslo-msg` for each call."""

    def __init__(self, url=None, config_file=None):
        if config_file is None:
            self.program = oslo_msg(url)
        else:
            self.program = [oslo_msg()[0], "--config-file", config_file]

    def close(self):
        pass

    def run(self, command, words, arguments=None, **options):
        line = [*self.program, command, *words]
        text = ""
        if arguments is not None:
            # Through a pipe: one argument of a program may not be longer than 128 KiB.
            line.append("-")
            text = json.dumps(arguments)
        for name, value in options.items():
            option = f"--{name.replace('_', '-')}"
            if value is True:
                line.append(option)
            elif value is not None and value is not False:
                line += [option, json.dumps(value) if name == "context" else str(value)]
        return subprocess.run(
            line, input=text, capture_output=True, text=True, timeout=60, check=False
        )

    @staticmethod
    def result(done):
        if done.returncode == 0:
            return done.stdout
        if done.returncode == 1:
            lines = [line for line in done.stderr.splitlines() if line.startswith("{")]
            if len(lines) != 1:
                raise AssertionError(f"one JSON line was expected on stderr: {done.stderr!r}")
            found = json.loads(lines[0])
            raise RemoteFailure(
                found["type"], found["module"], found["message"], found["traceback"]
            )
        if done.returncode == 3:
            raise TimedOut(done.stderr)
        if "version cap" in done.stderr:
            raise VersionRefused(done.stderr)
        if done.returncode == 4:
            raise Undeliverable(done.stderr)
        if done.returncode == 5:
            raise Unreachable(done.stderr)
        raise AssertionError(
            f"oslo-msg ended with {done.returncode}: {done.stdout!r} {done.stderr!r}"
        )

    def call(self, topic, method, arguments=None, **options):
        options.setdefault("timeout", 20)
        output = self.result(self.run("call", [topic, method], arguments, **options))
        if output.count("\n") != 1 or not output.endswith("\n"):
            raise AssertionError(f"one line was expected on stdout: {output!r}")
        return json.loads(output)

    def cast(self, topic, method, arguments=None, **options):
        self.result(self.run("cast", [topic, method], arguments, **options))

    def ping(self, topic, **options):
        self.result(self.run("ping", [topic], **options))
        return "pong"


def read_line(pipe, limit=20.0):
    """The next line of a program that writes one when it is asked to."""
    readable, _, _ = select.select([pipe], [], [], limit)
    if not readable:
        raise AssertionError(f"no line came within {limit} s")
    return pipe.readline()


def tcp_ports(pid, peers=False):
    """Local ports of the established TCP connections of a process, or those at their other end."""
    sockets = set()
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            sockets.add(os.readlink(f"/proc/{pid}/fd/{descriptor}"))
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in list(table)[1:]]
    return {
        int(row[2 if peers else 1].split(":")[1], 16)
        for row in rows
        if row[3] == "01" and f"socket:[{row[9]}]" in sockets
    }


def poll(question, expected, limit=15.0):
    """Asks until the answer is `expected`; each question is a call and waits for its reply."""
    deadline = time.monotonic() + limit
    while True:
        answer = question()
        if answer == expected or time.monotonic() > deadline:
            return answer


@contextlib.contextmanager
def servers(program, topic, *names, **options):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Server(program, topic, name, **options)) for name in names]
