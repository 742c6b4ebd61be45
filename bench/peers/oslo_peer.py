#!/usr/bin/env python3
"""Python's oslo.messaging doing the work of `oslo-msg bench`; prints one JSON line.

    oslo_peer.py call|cast|fanout|notify|drain --url URL [--in-flight N] [--count N]
                 [--rate R] [--body BYTES|simulator] [--context KEYS]
                 [--executor threading|eventlet] [--servers N] [--broker-pid P]

N threads (green ones with eventlet) make the calls, each one at a time, as an application of
oslo.messaging does. With --rate (call only) each takes the next call that is due and waits for its
time, from which the latency counts, also when all were busy then. The server is another process
with the same executor and its defaults (64 threads). For drain the queue is filled by kombu, which
is faster; only the server is timed, from its start on: with green threads it reads all that waits
before it handles the first message.
"""

import sys

if "eventlet" in sys.argv:
    import eventlet

    eventlet.monkey_patch()

# pylint: disable=wrong-import-position
import argparse
import itertools
import json
import logging
import os
import signal
import subprocess
import threading
import time
import uuid
import warnings

import figures
import filling
import kombu
import oslo_messaging
from oslo_config import cfg


def set_up(url, kept):
    """URL and configuration; with `kept` queues stay when their reader goes."""
    warnings.simplefilter("ignore")
    logging.basicConfig(stream=sys.stderr, level=logging.CRITICAL)
    cfg.CONF([], project="bench", default_config_files=[])
    return url if kept or is_amqp1(url) else url + "?amqp_auto_delete=true"


def is_amqp1(url):
    """An AMQP 1.0 broker, which kombu does not speak with."""
    return url.startswith("amqp://")


def broker_channel(url):
    connection = kombu.Connection(filling.amqp_url(url))
    return connection, connection.channel()


# ---- server -------------------------------------------------------------------------------------


def clocks(broker):
    """Now, and the CPU time of this process and of the broker so far."""
    return {"now": time.monotonic(), "cpu": figures.cpu_seconds(os.getpid()),
            "broker_cpu": figures.cpu_seconds(broker) if broker else 0}


class Endpoint:
    """Says when it has had as many hits as `expected`, each of them in turn."""

    def __init__(self, expected, broker):
        self.lock = threading.Lock()
        self.hits = 0
        self.expected = set(expected)
        self.broker = broker

    def echo(self, ctxt, **arguments):
        return arguments

    def hit(self, ctxt, **arguments):
        with self.lock:
            self.hits += 1
            if self.hits in self.expected:
                pid = os.getpid()
                print(json.dumps({"hits": self.hits, **clocks(self.broker),
                                  "peak_kib": figures.peak_kib(pid),
                                  "connections": figures.connections(pid)}), flush=True)


def wait_for_end_of_input(executor):
    if executor == "eventlet":  # green threads run only while this one waits in the hub
        eventlet.hubs.trampoline(sys.stdin.fileno(), read=True)
    sys.stdin.read()


def serve(options):
    url = set_up(options.url, options.kept)
    transport = oslo_messaging.get_rpc_transport(cfg.CONF, url)
    endpoint = Endpoint(options.expect, options.broker_pid)
    servers = []
    begin = clocks(options.broker_pid)
    for number in range(options.servers):
        target = oslo_messaging.Target(exchange=options.topic, topic=options.topic,
                                       server=f"bench-{number}")
        servers.append(oslo_messaging.get_rpc_server(transport, target, [endpoint],
                                                     executor=options.executor))
        servers[-1].start()
    print(json.dumps({"hits": 0, **begin}), flush=True)
    wait_for_end_of_input(options.executor)  # the client closes it when it is done
    # Stopping 64 threads and draining says nothing about speed.
    os._exit(0)


class Server:
    """The server process, ready. `begin`: its clocks before it connected."""

    def __init__(self, options, topic, expect=(), kept=False):
        command = [sys.executable, os.path.abspath(__file__), "serve", "--url", options.url,
                   "--topic", topic, "--executor", options.executor,
                   "--servers", str(options.servers if options.mode == "fanout" else 1),
                   "--expect", *map(str, expect)]
        if options.broker_pid:
            command += ["--broker-pid", str(options.broker_pid)]
        self.process = subprocess.Popen(command + ["--kept"] * kept, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.begin = self.reached(0)

    def reached(self, hits):
        """Waits until there were so many, and returns what the server said about it."""
        said = json.loads(self.process.stdout.readline() or "null")
        if not said or said["hits"] != hits:
            sys.exit(f"The server did not have {hits} messages but said {said}.")
        return said

    def stop(self):
        self.process.stdin.close()
        if self.process.wait(60) != 0:
            sys.exit("The server failed.")


# ---- client -------------------------------------------------------------------------------------


def in_threads(number, count, work, rate=None):
    """`work(n)` for n below `count` by `number` threads, each of which takes the next when it is
    free; with a rate, n is due n/rate seconds after the begin. Latencies, seconds of all, and how
    many a second were begun."""
    numbers = itertools.count()
    latencies, begun, errors = [], [], []
    starting = threading.Lock()

    def one():
        with starting:
            pass
        try:
            while (n := next(numbers)) < count:
                now = time.perf_counter()
                since = begin + n / rate if rate else now
                if since > now:
                    time.sleep(since - now)
                begun.append(time.perf_counter())
                work(n)
                latencies.append(time.perf_counter() - since)
        except Exception as error:  # pylint: disable=broad-except
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(number)]
    with starting:
        for thread in threads:
            thread.start()
        begin = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    if errors:
        raise errors[0]
    return latencies, seconds, (count - 1) / (max(begun) - begin)


def measure_rpc(options, topic):
    warm_up = options.count // 10 + 1
    readers = options.servers if options.mode == "fanout" else 1
    both = [warm_up * readers, (warm_up + options.count) * readers]
    counted = options.mode != "call"
    server = Server(options, topic, both if counted else ())
    transport = oslo_messaging.get_rpc_transport(cfg.CONF, set_up(options.url, False))
    target = oslo_messaging.Target(exchange=topic, topic=topic,
                                   fanout=options.mode == "fanout" or None)
    client = oslo_messaging.get_rpc_client(transport, target, timeout=60)
    texts = figures.bodies(options.body)
    context = {f"key_{n}": f"{n:032x}" for n in range(options.context)}

    def call(n):
        text = texts[n % len(texts)]
        if client.call(context, "echo", data=text) != {"data": text}:
            raise ValueError("An echo differs from what was sent.")

    def cast(n):
        client.cast(context, "hit", data=texts[n % len(texts)])

    work = cast if counted else call
    in_threads(options.in_flight, warm_up, work)
    if counted:
        server.reached(both[0])
    meter = figures.Meter(server.process.pid, options.broker_pid)
    begin = time.perf_counter()
    latencies, _, sent = in_threads(options.in_flight, options.count, work, options.rate)
    if counted:
        server.reached(both[1])
    seconds = time.perf_counter() - begin
    read = meter.read(options.count)
    server.stop()
    if options.rate:
        read["open_loop"] = {"rate": options.rate, "sent": sent,
                             "reached": sent >= 0.99 * options.rate}
    figures.print_line(options.mode, options.in_flight, options.count, seconds, latencies, **read)


def count_notifications(url, topic, sent):
    connection, channel = broker_channel(url)
    waiting = channel.queue_declare(f"{topic}.info", passive=True).message_count
    channel.queue_delete(f"{topic}.info")
    channel.exchange_delete(topic)
    connection.release()
    if waiting != sent:
        sys.exit(f"{waiting} of {sent} notifications are in the queue.")


def measure_notify(options, topic):
    url = set_up(options.url, True)
    oslo_messaging.set_transport_defaults(control_exchange=topic)
    transport = oslo_messaging.get_notification_transport(cfg.CONF, url)
    notifier = oslo_messaging.Notifier(transport, publisher_id="bench", driver="messagingv2",
                                       topics=[topic])
    texts = figures.bodies(options.body)

    def work(n):
        notifier.info({}, "bench.event", {"data": texts[n % len(texts)]})

    warm_up = options.count // 10 + 1
    in_threads(options.in_flight, warm_up, work)
    meter = figures.Meter(None, options.broker_pid)
    latencies, seconds, _ = in_threads(options.in_flight, options.count, work)
    read = meter.read(options.count)
    if not is_amqp1(options.url):
        count_notifications(options.url, topic, warm_up + options.count)
    figures.print_line("notify", options.in_flight, options.count, seconds, latencies, **read)


def request(text):
    inner = {"method": "hit", "args": {"data": text}, "namespace": None, "version": "1.0",
             "options": {}, "_unique_id": uuid.uuid4().hex}
    return {"oslo.version": "2.0", "oslo.message": json.dumps(inner)}


def fill_by_casts(options, topic, texts):
    transport = oslo_messaging.get_rpc_transport(cfg.CONF, set_up(options.url, True))
    target = oslo_messaging.Target(exchange=topic, topic=topic)
    client = oslo_messaging.get_rpc_client(transport, target)
    in_threads(8, options.count, lambda n: client.cast({}, "hit", data=texts[n % len(texts)]))


def measure_drain(options, topic):
    Server(options, topic, kept=True).stop()  # leaves the queue behind
    texts = figures.bodies(options.body)
    if is_amqp1(options.url):
        fill_by_casts(options, topic, texts)
    else:
        filling.fill(options.url, topic, topic,
                     [request(texts[n % len(texts)]) for n in range(options.count)])
    server = Server(options, topic, [options.count], kept=True)
    last = server.reached(options.count)
    took = {name: last[name] - value for name, value in server.begin.items()}
    cpu = {"server": 1e6 * took["cpu"] / options.count}
    if options.broker_pid:
        cpu["broker"] = 1e6 * took["broker_cpu"] / options.count
    server.stop()
    if not is_amqp1(options.url):
        connection, channel = broker_channel(options.url)
        for queue in (topic, f"{topic}.bench-0"):
            channel.queue_delete(queue)
        channel.exchange_delete(topic)
        connection.release()
    figures.print_line("drain", 0, options.count, took["now"], cpu_us=cpu,
                       peak_memory_kib={"server": last["peak_kib"]},
                       connections={"server": last["connections"]})


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["call", "cast", "fanout", "notify", "drain", "serve"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--body", default="100")
    parser.add_argument("--context", type=int, default=0)
    parser.add_argument("--executor", choices=["threading", "eventlet"], default="threading")
    parser.add_argument("--servers", type=int, default=10)
    parser.add_argument("--broker-pid", type=int)
    parser.add_argument("--topic", help=argparse.SUPPRESS)
    parser.add_argument("--expect", type=int, nargs="*", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--kept", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rate is not None and (options.mode != "call" or options.rate <= 0
                                     or options.count < 2):
        parser.error("--rate goes with call and a --count of at least 2, and is above 0")
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if options.mode == "serve":
        serve(options)
    topic = f"bench-python-{os.getpid()}"
    run = {"notify": measure_notify, "drain": measure_drain}.get(options.mode, measure_rpc)
    run(options, topic)
    sys.stdout.flush()
    os._exit(0)  # stopping connections and threads says nothing about speed


if __name__ == "__main__":
    main()
