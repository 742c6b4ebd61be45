"""chaos_sender and chaos_receiver on Python's oslo.messaging, for calls.

    python_load.py --url URL send TOPIC --log FILE --kind call [--count N] [--window N] [--timeout S]
    python_load.py --url URL receive TOPIC --log FILE --kind rpc [--delay SECONDS]

The sender calls without pause, in `window` threads.
"""

import argparse
import itertools
import logging
import signal
import sys
import threading
import time

import oslo_messaging
from oslo_config import cfg


class Log:
    def __init__(self, path):
        self.file = open(path, "w", buffering=1, encoding="utf-8")
        self.lock = threading.Lock()

    def write(self, event, number, text=""):
        with self.lock:
            self.file.write(f"{time.monotonic():.6f} {event} {number} {' '.join(text.split())}\n")


class Endpoint:
    def __init__(self, log, delay):
        self.log, self.delay = log, delay

    def mark(self, ctxt, id, text):
        self.log.write("began", id)
        time.sleep(self.delay)
        self.log.write("got", id)
        return id


def receive(options, transport, log):
    server = oslo_messaging.get_rpc_server(
        transport,
        oslo_messaging.Target(topic=options.topic, server="one"),
        [Endpoint(log, options.delay)],
        executor="threading",
    )
    server.start()
    print("ready", flush=True)
    signal.sigwait({signal.SIGTERM})
    server.stop()
    server.wait()
    log.write("dropped", 0)


def send(options, transport, log):
    client = oslo_messaging.get_rpc_client(
        transport, oslo_messaging.Target(topic=options.topic), timeout=options.timeout
    )
    numbers = itertools.count()
    stop = threading.Event()

    def call_on():
        for number in numbers:
            if stop.is_set() or (options.count and number >= options.count):
                return
            log.write("try", number)
            try:
                client.call({}, "mark", id=number, text="")
                log.write("ok", number)
            except oslo_messaging.MessagingTimeout as error:
                log.write("unknown", number, str(error))
            except Exception as error:
                log.write("error", number, f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=call_on) for _ in range(options.window)]
    print("ready", flush=True)
    for thread in threads:
        thread.start()
    if not options.count:
        signal.sigwait({signal.SIGTERM})
        stop.set()
    for thread in threads:
        thread.join()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("send", "receive"):
        command = commands.add_parser(name)
        command.add_argument("topic")
        command.add_argument("--log", required=True)
        command.add_argument("--kind", choices=("call", "rpc"), required=True)
        command.add_argument("--delay", type=float, default=0)
        command.add_argument("--count", type=int, default=0)
        command.add_argument("--window", type=int, default=1)
        command.add_argument("--timeout", type=int, default=60)
        command.add_argument("--rate", type=int, help="of the other sender")
    options = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    # Blocked in every thread: a handler would wait for the main thread to wake.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    cfg.CONF([], project="chaos", default_config_files=[])
    transport = oslo_messaging.get_rpc_transport(cfg.CONF, options.url)
    {"send": send, "receive": receive}[options.command](options, transport, Log(options.log))
    transport.cleanup()


if __name__ == "__main__":
    main()
