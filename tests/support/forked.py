"""Python programs as forks of one process that has imported what all of them need: the import of
oslo.messaging takes most of a second of a core, and tests start hundreds of such programs.

`prepare` names a script that makes that process ready. From then on `popen` forks it for Python
files of this interpreter, and otherwise is subprocess.Popen.
"""

import ctypes
import json
import os
import runpy
import socket
import subprocess
import sys
import threading

CHILD_SUBREAPER = 36  # of prctl(2)
LIMIT = 60

script = origin = None
prepared_for = {}


def prepare(path):
    global script, prepared_for
    script, prepared_for = path, environment()


def environment():
    """What an import may depend on. Variables of the tests only become arguments."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OSLO_TEST_")}


class Origin:
    """The process that is forked."""

    def __init__(self):
        # A process whose parent has ended becomes ours, so that we can wait for it.
        if ctypes.CDLL(None).prctl(CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError("prctl refuses PR_SET_CHILD_SUBREAPER")
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.link.settimeout(LIMIT)
        self.lock = threading.Lock()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, os.path.abspath(__file__), str(theirs.fileno()), script],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def start(self, command, files):
        """The new process. `files`: its standard input, output and error."""
        with self.lock:
            socket.send_fds(self.link, [json.dumps(command).encode()], files)
            pid = self.link.recv(64)
        if not pid:
            raise AssertionError(f"{script} ended with {self.process.wait(LIMIT)}.")
        return int(pid)


class ForkedProgram(subprocess.Popen):
    # The part of Popen that makes the process; pipes, waiting and signals stay as they are.
    def _execute_child(self, args, *rest):
        pipes = rest[9:15]
        given = (pipes[0], pipes[3], pipes[5])
        files = [own if own != -1 else standard for standard, own in enumerate(given)]
        self.pid = origin.start([str(word) for word in args], files)
        self._child_created = True
        self._close_pipe_fds(*pipes)


def popen(command, **options):
    global origin
    if script is None or command[0] != sys.executable or not str(command[1]).endswith(".py"):
        return subprocess.Popen(command, **options)
    if environment() != prepared_for:
        return subprocess.Popen(command, **options)
    if origin is None:
        origin = Origin()
    return ForkedProgram(command, **options)


# -- in the process that is forked ---------------------------------------------------------------


def fork(link, pids):
    """Returns as the new program, with its command and files."""
    while True:
        data, files, _, _ = socket.recv_fds(link, 1 << 20, 3)
        if not data:
            sys.exit(0)
        if threading.active_count() != 1:
            raise AssertionError("a fork would lose a thread")
        between = os.fork()
        if between == 0:
            program = os.fork()
            if program == 0:
                return json.loads(data), files
            os.write(pids[1], f"{program}\n".encode())
            os._exit(0)
        # Now the program has lost its parent, and the process that asked for it can wait for it.
        os.waitpid(between, 0)
        link.send(os.read(pids[0], 64))
        for file in files:
            os.close(file)


def main():
    folder = os.path.dirname(sys.argv[2])
    sys.path[0] = folder
    runpy.run_path(sys.argv[2], run_name="prepared")
    pids = os.pipe()
    link = socket.socket(fileno=int(sys.argv[1]))
    command, files = fork(link, pids)
    link.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
    for file in (*files, *pids):
        os.close(file)
    sys.argv = command[1:]
    sys.path[0] = os.path.dirname(sys.argv[0])
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
