"""What the brokers of AMQP 1.0 of the tests have in common: Java programs whose jars Maven brings.

    X_broker.py start   --dir DIR [--jars DIR]   start it (or use the one that runs), wait until it
                                                 answers; brings its jars there when they are missing
    X_broker.py kill    --dir DIR     kill -9; keeps its ports
    X_broker.py restart --dir DIR     start again on the same ports, with nothing in it
    X_broker.py stop    --dir DIR     end it
    X_broker.py url     --dir DIR     print its transport URL
    X_broker.py exec    --dir DIR ... run a command with the variables of environment()
    X_broker.py run     --dir DIR [--jars DIR] ... start it, run a command with them, end it

Where Java or the jars cannot be had, `start` says so and succeeds, and `exec` and `run` end with 77:
such tests are skipped.
"""

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

from broker import Broker, BrokerError, end_process, free_ports, start_time
from kafka_broker import SKIPPED, Unavailable, fetch

HERE = os.path.dirname(os.path.abspath(__file__))
START_LIMIT = 90.0
SASL = b"AMQP\x03\x01\x00\x00"
JAVA = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]


def speaks_amqp10(port):
    """Whether a SASL header is answered by one."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as link:
            link.sendall(SASL)
            return link.recv(8) == SASL
    except OSError:
        return False


class JavaBroker(Broker):
    """State and lock as of the RabbitMQ of the tests."""

    title = ""  # for people
    name = ""  # of its folder here, of its variables, and of its program
    ready = ""  # what its log says once it is
    ports = 1  # how many it listens on

    def command(self, state):
        raise NotImplementedError

    @property
    def parts(self):
        return os.path.join(HERE, self.name)

    @property
    def log(self):
        return os.path.join(self.folder, "broker.log")

    @property
    def missing_file(self):
        return os.path.join(self.folder, "missing")

    def why_missing(self):
        """Why this machine has none; None when it has one, or nobody has tried."""
        try:
            with open(self.missing_file, encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def start(self, jars):
        """Throws Unavailable, and remembers why."""
        with self.locked():
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.missing_file)
            state = self.state()
            if state.get("process") and start_time(state["process"][0]) == state["process"][1]:
                return
            try:
                fetch(jars, os.path.join(self.parts, "pom.xml"))
            except Unavailable as why:
                with open(self.missing_file, "w", encoding="utf-8") as file:
                    file.write(str(why))
                raise
            self.launch({"ports": free_ports(self.ports), "jars": os.path.abspath(jars)})

    def restart(self):
        with self.locked():
            self.launch(self.state())

    def launch(self, state):
        with open(self.log, "wb") as log:
            process = subprocess.Popen(
                self.command(state), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True
            )
        state["process"] = [process.pid, start_time(process.pid)]
        self.save(state)
        try:
            self.wait_until_ready(state, process)
        except BaseException:
            end_process(state["process"], signal.SIGKILL)
            raise

    def wait_until_ready(self, state, process):
        """The ports open early, and even when all else has failed: the log has to say so, too."""
        deadline = time.monotonic() + START_LIMIT
        while True:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                said = file.read()
            if self.ready in said and all(speaks_amqp10(port) for port in state["ports"]):
                return
            if " ERROR " in said or process.poll() is not None or time.monotonic() > deadline:
                raise BrokerError(f"{self.title} did not start:\n" + said[-4000:])
            time.sleep(0.05)

    def kill(self):
        with self.locked():
            end_process(self.state().get("process"), signal.SIGKILL)

    def stop(self):
        if not os.path.exists(self.state_file):
            return
        with self.locked():
            end_process(self.state().get("process"), signal.SIGTERM)
            os.remove(self.state_file)

    def url(self):
        if not self.state():
            raise BrokerError(f"No {self.title} was started in {self.folder}.")
        return f"amqp://127.0.0.1:{self.state()['ports'][0]}/"

    def environment(self):
        upper = self.name.upper()
        return {
            f"OSLO_TEST_{upper}_URL": self.url(),
            f"OSLO_TEST_{upper}_JARS": self.state()["jars"],
            # As of the RabbitMQ of the tests: private_broker of broker.hpp starts one of these then.
            "OSLO_TEST_BROKER_CONTROL": f"{sys.executable} {HERE}/{self.name}_broker.py",
            "OSLO_TEST_BROKER_DIR": self.folder,
        }


def run_beside(broker, jars, command):
    """Runs the command while the broker is there; its exit code is ours."""
    child = None
    try:
        broker.start(jars)
        child = subprocess.Popen(command, env=os.environ | broker.environment())
        code = child.wait()
        return code if code >= 0 else 128 - code
    finally:
        if child and child.poll() is None:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(10)
            if child.poll() is None:
                child.kill()
                child.wait()
        broker.stop()


def main(kind, actions=()):
    """`actions`: more that print something."""
    parser = argparse.ArgumentParser(description=f"A private {kind.title} for tests.")
    known = ["start", "kill", "restart", "stop", "url", "exec", "run", *actions]
    parser.add_argument("action", choices=known)
    parser.add_argument("--dir", required=True, help="folder for its log and state")
    parser.add_argument("--jars", help="folder of its jars; DIR-jars when it is not given")
    options, command = parser.parse_known_args()
    command = command[1:] if command[:1] == ["--"] else command
    jars = options.jars or os.environ.get(f"OSLO_TEST_{kind.name.upper()}_JARS")
    jars = jars or os.path.abspath(options.dir) + "-jars"
    broker = kind(options.dir)

    def end(number, _frame):
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        if options.action == "start":
            with contextlib.suppress(Unavailable):
                broker.start(jars)
            if broker.why_missing():
                print(f"No {kind.title} here: {broker.why_missing()}")
        elif options.action == "exec":
            if broker.why_missing():
                raise Unavailable(broker.why_missing())
            os.environ.update(broker.environment())
            os.execvp(command[0], command)
        elif options.action == "run":
            return run_beside(broker, jars, command)
        elif options.action == "url" or options.action in actions:
            print(getattr(broker, options.action)())
        else:
            getattr(broker, options.action)()
    except Unavailable as why:
        print(f"Skipped, because there is no {kind.title} here: {why}")
        return SKIPPED
    except (BrokerError, FileNotFoundError) as error:
        print(f"{kind.name}_broker.py: {error}", file=sys.stderr)
        return 1
    return 0
