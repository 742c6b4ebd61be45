"""What the services of these tests share: options, the line "ready", and an end by SIGTERM."""

import argparse
import logging
import signal
import sys

import polls  # noqa: F401
from oslo_config import cfg


def parser():
    """The options of every service, and those of `serve` to add to."""
    whole = argparse.ArgumentParser()
    whole.add_argument("--url", help="default: that of the configuration files")
    whole.add_argument("--config-file", action="append", default=[])
    serve = whole.add_subparsers(dest="command", required=True).add_parser("serve")
    serve.add_argument("topic")
    serve.add_argument("--server", required=True)
    return whole, serve


def prepare(project, config_files=()):
    """The configuration of a service. Call it before any thread starts."""
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR)
    # Blocked in every thread and fetched below: a Python handler would wait for the main thread,
    # which a signal that reaches another thread does not wake.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    cfg.CONF([], project=project, default_config_files=list(config_files))
    return cfg.CONF


def serve_until_told(server, transport):
    server.start()
    print("ready", flush=True)
    signal.sigwait({signal.SIGTERM})
    server.stop()
    server.wait()
    transport.cleanup()
    return 0
