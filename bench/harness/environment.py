"""What the figures depend on: commit, versions, machine."""

import datetime
import os
import platform
import subprocess


def output(*command):
    try:
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def python_versions(python):
    script = ("import importlib.metadata as m, platform\n"
              "print(', '.join(f'{n} {m.version(n)}' for n in "
              "('oslo.messaging', 'kombu', 'amqp', 'eventlet')) + ', Python ' "
              "+ platform.python_version())")
    return output(python, "-c", script)


def processor():
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()


def load():
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def describe(binaries, python_18, root):
    commit = output("git", "-C", root, "describe", "--always", "--dirty", "--abbrev=12")
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit or "unknown",
        "oslo-msg": output(binaries / "oslo-msg", "--version"),
        "RabbitMQ": os.environ.get("OSLO_TEST_RABBIT_VERSION", "unknown"),
        "rabbitmq-c": output("pkg-config", "--modversion", "librabbitmq"),
        "gRPC": output("pkg-config", "--modversion", "grpc++"),
        "Debian's Python": python_versions("/usr/bin/python3"),
        "newest from PyPI": python_versions(python_18),
        "compiler": (output("c++", "--version") or "unknown").splitlines()[0],
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "processor": processor(),
        "load average before": load(),
    }
