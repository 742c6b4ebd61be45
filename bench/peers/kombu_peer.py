#!/usr/bin/env python3
"""Plain kombu doing the work of `oslo-msg bench`; prints one JSON line.

    kombu_peer.py drain|publish --url URL [--count N] [--body BYTES|simulator] [--broker-pid P]

drain: fills a queue, then times a consumer that parses the JSON of each message and acknowledges
it, from the first message to the last. publish: persistent messages with publisher confirms;
py-amqp waits for each one's.
"""

import argparse
import json
import os
import sys
import time

import figures
import filling
import kombu


def connect(options, **transport_options):
    connection = kombu.Connection(filling.amqp_url(options.url),
                                  transport_options=transport_options)
    connection.ensure_connection(max_retries=3)
    return connection


def message(text):
    inner = {"method": "hit", "args": {"data": text}, "namespace": None, "version": "1.0"}
    return {"oslo.version": "2.0", "oslo.message": json.dumps(inner)}


def drain(options, name):
    connection = connect(options)
    exchange = kombu.Exchange(name, type="topic", durable=False)
    queue = kombu.Queue(name, exchange, name, durable=False)(connection.default_channel)
    queue.declare()
    texts = figures.bodies(options.body)
    filling.fill(options.url, name, name,
                 [message(texts[n % len(texts)]) for n in range(options.count)])

    taken, begin, broker = 0, (0.0, 0.0), 0.0
    pid = os.getpid()

    def take(body, delivered):
        nonlocal taken, begin, broker
        if taken == 0:
            begin = (time.perf_counter(), figures.cpu_seconds(pid))
            broker = figures.cpu_seconds(options.broker_pid) if options.broker_pid else 0
        json.loads(body["oslo.message"])
        delivered.ack()
        taken += 1

    # The prefetch bounds what the broker sends ahead of the clock, so it comes before the consumer.
    connection.default_channel.basic_qos(0, 256, False)
    with connection.Consumer(queue, callbacks=[take]):
        while taken < options.count:
            connection.drain_events(timeout=30)
    seconds = time.perf_counter() - begin[0]
    cpu = {"server": 1e6 * (figures.cpu_seconds(pid) - begin[1]) / options.count}
    if options.broker_pid:
        cpu["broker"] = 1e6 * (figures.cpu_seconds(options.broker_pid) - broker) / options.count
    found = figures.connections(pid)
    queue.delete()
    exchange(connection.default_channel).delete()
    figures.print_line("drain", 0, options.count, seconds, cpu_us=cpu,
                       peak_memory_kib={"server": figures.peak_kib(pid)},
                       connections={"server": found})


def publish(options, name):
    connection = connect(options, confirm_publish=True)
    exchange = kombu.Exchange(name, type="topic", durable=False)
    key = f"{name}.info"  # of two words, as that of a notification
    queue = kombu.Queue(key, exchange, key, durable=False)(connection.default_channel)
    queue.declare()
    producer = connection.Producer(connection.default_channel)
    texts = figures.bodies(options.body)

    def send(count):
        latencies = []
        for n in range(count):
            begin = time.perf_counter()
            producer.publish(message(texts[n % len(texts)]), exchange=name, routing_key=key,
                             delivery_mode=2)
            latencies.append(time.perf_counter() - begin)
        return latencies

    warm_up = options.count // 10 + 1
    send(warm_up)
    meter = figures.Meter(None, options.broker_pid)
    begin = time.perf_counter()
    latencies = send(options.count)
    seconds = time.perf_counter() - begin
    read = meter.read(options.count)
    waiting = queue.queue_declare(passive=True).message_count
    queue.delete()
    exchange(connection.default_channel).delete()
    if waiting != warm_up + options.count:
        sys.exit(f"{waiting} of {warm_up + options.count} messages are in the queue.")
    figures.print_line("publish", 1, options.count, seconds, latencies, **read)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["drain", "publish"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--body", default="100")
    parser.add_argument("--broker-pid", type=int)
    options = parser.parse_args()
    {"drain": drain, "publish": publish}[options.mode](options, f"bench-kombu-{os.getpid()}")


if __name__ == "__main__":
    main()
