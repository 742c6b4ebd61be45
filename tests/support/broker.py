#!/usr/bin/env python3
"""A private RabbitMQ for the tests, controlled by one folder.

    broker.py start   --dir DIR     start it (or use the one that runs), wait until it answers AMQP;
                                    each --setting LINE goes to its rabbitmq.conf
    broker.py kill    --dir DIR     kill -9; keeps ports and data
    broker.py pause   --dir DIR     SIGSTOP: it keeps its sockets and does nothing
    broker.py resume  --dir DIR     SIGCONT
    broker.py restart --dir DIR     start again on the same ports with the same data
    broker.py stop    --dir DIR     end it and everything that was started with it
    broker.py url     --dir DIR     print its transport URL
    broker.py name    --dir DIR     print the name of its node
    broker.py ctl     --dir DIR ... run rabbitmqctl against it
    broker.py exec    --dir DIR ... run a command with the variables of environment()

Node name, cookie, epmd and all ports are its own, so no other node of the machine is touched.
Works as root and as an ordinary user.
"""

import argparse
import contextlib
import fcntl
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

RABBITMQ_BIN = "/usr/lib/rabbitmq/bin"
START_LIMIT = 90.0
STOP_LIMIT = 20.0


class BrokerError(Exception):
    pass


def start_time(pid):
    """When `pid` started, or None if it is gone. With the pid it names one process for good."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        # The first thread may be gone while others, and their sockets, are not.
        over = fields[0] in "ZX" and len(os.listdir(f"/proc/{pid}/task")) <= 1
    except OSError:
        return None
    return None if over else fields[19]


def all_stopped(pid):
    """Whether every thread of `pid` is stopped by a signal."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{pid}/task/{task}/stat", encoding="ascii", errors="replace") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] != "T":
                    return False
    return True


def wait_for_exit(pid, started, limit):
    """True when the process ended within `limit` seconds."""
    if start_time(pid) != started:
        return True
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], limit)[0])
    finally:
        os.close(handle)


def end_process(record, first_signal):
    """Ends the recorded process: `first_signal`, then SIGKILL when that takes too long."""
    if not record:
        return
    pid, started = record
    for number in (first_signal, signal.SIGKILL):
        if start_time(pid) != started:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if wait_for_exit(pid, started, STOP_LIMIT):
            return
    raise BrokerError(f"Process {pid} did not end.")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def amqp_version(port, limit=2.0):
    """Asks for connection.start and returns the broker's version; None when it does not answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=limit) as link:
            link.sendall(b"AMQP\x00\x00\x09\x01")
            data = b""
            while len(data) < 7 or len(data) < 8 + int.from_bytes(data[3:7], "big"):
                more = link.recv(4096)
                if not more:
                    return None
                data += more
    except OSError:
        return None
    found = re.search(rb"\x07versionS\x00\x00\x00.([0-9.]+)", data)
    return found.group(1).decode() if found else "unknown"


class Broker:
    ports = 3

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.state_file = os.path.join(self.folder, "state.json")

    # -- state ---------------------------------------------------------------------------------

    def state(self):
        try:
            with open(self.state_file, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return {}

    def save(self, state):
        temporary = self.state_file + ".new"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(state, file, indent=1)
        os.replace(temporary, self.state_file)

    @contextlib.contextmanager
    def locked(self):
        """One control command at a time for a folder."""
        os.makedirs(self.folder, exist_ok=True)
        with open(os.path.join(self.folder, "lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @staticmethod
    def alive(record):
        return bool(record) and start_time(record[0]) == record[1]

    def running(self):
        return self.alive(self.state().get("node"))

    def url(self):
        state = self.state()
        if not state:
            raise BrokerError(f"No broker was started in {self.folder}.")
        return f"rabbit://guest:guest@127.0.0.1:{state['port']}/"

    def environment(self):
        """What tests need to find and to control the broker."""
        control = f"{sys.executable} {os.path.abspath(__file__)}"
        return {
            "OSLO_TEST_RABBIT_URL": self.url(),
            "OSLO_TEST_RABBIT_VERSION": self.state().get("version", "unknown"),
            "OSLO_TEST_BROKER_DIR": self.folder,
            "OSLO_TEST_BROKER_CONTROL": control,
            "OSLO_TEST_RABBITMQCTL": f"{control} ctl --dir {self.folder}",
            "OSLO_TEST_CLUSTER_CONTROL": control.replace("broker.py", "cluster.py"),
        }

    def node_environment(self, state):
        base = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("RABBITMQ_", "ERL_"))
        }
        base.pop("NOTIFY_SOCKET", None)
        base.update(
            HOME=self.folder,
            # The start script then becomes the node itself, so that its pid is ours to signal.
            RUNNING_UNDER_SYSTEMD="true",
            ERL_EPMD_PORT=str(state["epmd_port"]),
            ERL_EPMD_ADDRESS="127.0.0.1",
            RABBITMQ_CONF_ENV_FILE="/dev/null",
            RABBITMQ_NODENAME=state["name"],
            RABBITMQ_NODE_IP_ADDRESS="127.0.0.1",
            RABBITMQ_NODE_PORT=str(state["port"]),
            RABBITMQ_DIST_PORT=str(state["dist_port"]),
            RABBITMQ_CONFIG_FILE=os.path.join(self.folder, "rabbitmq.conf"),
            RABBITMQ_ADVANCED_CONFIG_FILE=os.path.join(self.folder, "advanced.config"),
            RABBITMQ_GENERATED_CONFIG_DIR=os.path.join(self.folder, "generated"),
            RABBITMQ_SCHEMA_DIR=os.path.join(self.folder, "schema"),
            RABBITMQ_ENABLED_PLUGINS_FILE=os.path.join(self.folder, "plugins"),
            RABBITMQ_MNESIA_BASE=os.path.join(self.folder, "data"),
            RABBITMQ_LOG_BASE=os.path.join(self.folder, "log"),
            # Two cores are shared by broker, clients and servers: idle schedulers must not spin.
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+sbwt none +sbwtdcpu none +sbwtdio none",
        )
        return base

    # -- commands ------------------------------------------------------------------------------

    def start(self, settings=(), plugins=()):
        """`settings`: lines for rabbitmq.conf. `plugins`: names of those that are enabled."""
        with self.locked():
            if self.running():
                return
            self.end_all(self.state())
            for attempt in range(3):
                state = self.fresh_state(*free_ports(self.ports))
                self.prepare(settings, plugins)
                try:
                    self.launch(state)
                    return
                except BrokerError:
                    # Another process may have taken one of the ports in the meantime.
                    self.end_all(self.state())
                    if attempt == 2:
                        raise

    def restart(self):
        with self.locked():
            state = self.state()
            if not state:
                raise BrokerError(f"No broker was started in {self.folder}.")
            end_process(state.get("node"), signal.SIGTERM)
            self.launch(state)

    def kill(self):
        with self.locked():
            self.end_node()

    def end_node(self):
        end_process(self.state().get("node"), signal.SIGKILL)

    def pause(self):
        self.signal(signal.SIGSTOP)
        # The kernel stops the threads one by one, and a broker is quick. It tells nobody but the
        # parent when it is done.
        pid = self.state()["node"][0]
        deadline = time.monotonic() + STOP_LIMIT
        while not all_stopped(pid):
            if time.monotonic() > deadline:
                raise BrokerError(f"The broker in {self.folder} does not stop.")
            time.sleep(0.001)

    def resume(self):
        self.signal(signal.SIGCONT)

    def signal(self, number):
        with self.locked():
            node = self.state().get("node")
            if not self.alive(node):
                raise BrokerError(f"No broker runs in {self.folder}.")
            os.kill(node[0], number)

    def stop(self):
        with self.locked():
            self.end_all(self.state())
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.state_file)

    def end_all(self, state):
        end_process(state.get("node"), signal.SIGTERM)
        end_process(state.get("epmd"), signal.SIGTERM)

    @staticmethod
    def fresh_state(port, dist_port, epmd_port):
        return {
            "name": f"oslo-test-{port}@localhost",
            "port": port,
            "dist_port": dist_port,
            "epmd_port": epmd_port,
        }

    def prepare(self, settings, plugins=()):
        """Nothing of an earlier node but its logs stays."""
        shutil.rmtree(os.path.join(self.folder, "data"), ignore_errors=True)
        lines = ["disk_free_limit.absolute = 1MB", "log.file.level = info", *settings]
        texts = {
            "rabbitmq.conf": "".join(f"{line}\n" for line in lines),
            "advanced.config": "[].\n",
            "plugins": f"[{','.join(plugins)}].\n",
        }
        for name, text in texts.items():
            with open(os.path.join(self.folder, name), "w", encoding="ascii") as file:
                file.write(text)

    def launch_epmd(self, state):
        if not self.alive(state.get("epmd")):
            state["epmd"] = self.spawn(
                ["epmd", "-port", str(state["epmd_port"]), "-address", "127.0.0.1"],
                self.node_environment(state),
            )

    def launch(self, state):
        os.makedirs(os.path.join(self.folder, "log"), exist_ok=True)
        environment = self.node_environment(state)
        self.launch_epmd(state)
        state["node"] = self.spawn([f"{RABBITMQ_BIN}/rabbitmq-server"], environment)
        self.save(state)
        state["version"] = self.wait_until_it_answers(state)
        self.save(state)
        # Stays behind for the summary, when the broker itself is gone.
        with open(os.path.join(self.folder, "version"), "w", encoding="ascii") as file:
            file.write(state["version"])

    def spawn(self, command, environment):
        with open(os.path.join(self.folder, "console.log"), "ab") as log:
            try:
                process = subprocess.Popen(
                    command,
                    env=environment,
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except FileNotFoundError as error:
                raise BrokerError(f"{error.filename} is missing: run tools/setup.sh test.") from error
        # It outlives this process on purpose; the state file knows it.
        process.returncode = 0
        return [process.pid, start_time(process.pid)]

    def wait_until_it_answers(self, state):
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline:
            version = amqp_version(state["port"])
            if version:
                return version
            if wait_for_exit(*state["node"], 0.05):
                break
        with open(
            os.path.join(self.folder, "console.log"), encoding="utf-8", errors="replace"
        ) as log:
            tail = "".join(log.readlines()[-25:])
        raise BrokerError(
            f"RabbitMQ did not start on port {state['port']}. Its last words:\n{tail}"
        )

    def ctl(self, arguments, run=subprocess.call, **options):
        """`run`: a function of subprocess, which gets the `options`."""
        state = self.state()
        if not state:
            raise BrokerError(f"No broker was started in {self.folder}.")
        command = [f"{RABBITMQ_BIN}/rabbitmqctl", "-n", state["name"], *arguments]
        return run(command, env=self.node_environment(state), cwd=self.folder, **options)

    def ask(self, *arguments):
        """What rabbitmqctl prints."""
        done = self.ctl(
            arguments,
            run=subprocess.run,
            capture_output=True,
            text=True,
            timeout=START_LIMIT,
            check=False,
        )
        if done.returncode != 0:
            raise BrokerError(f"rabbitmqctl {arguments}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def evaluate(self, expression):
        """The value of an Erlang expression, as text."""
        return self.ask("eval", expression)

    def raise_alarm(self):
        """A memory alarm: from now on it blocks whoever publishes."""
        self.ask("set_vm_memory_high_watermark", "absolute", "1MB")

    def clear_alarm(self):
        self.ask("set_vm_memory_high_watermark", "0.4")


def main():
    parser = argparse.ArgumentParser(description="Controls the private RabbitMQ of the tests.")
    parser.add_argument(
        "action", choices="start kill pause resume restart stop url name ctl exec".split()
    )
    parser.add_argument("--dir", required=True)
    parser.add_argument("--setting", action="append", default=[], help="line of rabbitmq.conf")
    options, rest = parser.parse_known_args()
    rest = rest[1:] if rest[:1] == ["--"] else rest
    broker = Broker(options.dir)
    try:
        if options.action == "url":
            print(broker.url())
        elif options.action == "name":
            print(broker.state()["name"])
        elif options.action == "ctl":
            return broker.ctl(rest)
        elif options.action == "start":
            broker.start(options.setting)
        elif options.action == "exec":
            os.environ.update(broker.environment())
            os.execvp(rest[0], rest)
        else:
            getattr(broker, options.action)()
    except BrokerError as error:
        print(f"broker.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
