#!/usr/bin/env python3
"""Notifications over Kafka by Python: one JSON line with what was produced and consumed a second.

    kafka_peer.py confluent|oslo --servers HOST:PORT --count N --size BYTES

confluent: confluent-kafka alone, with acks=all and idempotence, and a commit for each 500 that were
consumed. oslo: oslo.messaging's notifier and listener with their defaults; its notify does not wait for
the broker, so the time ends when all have been flushed.
"""

import argparse
import json
import logging
import os
import sys
import threading
import time
import warnings


def confluent(options):
    from confluent_kafka import Consumer, Producer

    producer = Producer(
        {
            "bootstrap.servers": options.servers,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 0,
            "queue.buffering.max.messages": 200_000,
        }
    )
    topic, body = f"bench-{time.time_ns()}", b"x" * options.size
    producer.produce(topic, body)
    producer.flush()
    started = time.monotonic()
    for _ in range(options.count):
        while True:
            try:
                producer.produce(topic, body)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    producer.flush()
    sent = options.count / (time.monotonic() - started)
    consumer = Consumer(
        {
            "bootstrap.servers": options.servers,
            "group.id": topic,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    got, started = 0, None
    while got <= options.count:
        batch = consumer.consume(500, 1.0)
        if batch and started is None:
            started = time.monotonic()
        got += len(batch)
        if batch:
            consumer.commit(asynchronous=False)
    taken = got / (time.monotonic() - started)
    consumer.close()
    return sent, taken


def oslo(options):
    import oslo_messaging
    from oslo_config import cfg

    cfg.CONF([], project="bench", default_config_files=[])
    topic, url = f"bench-{time.time_ns()}", f"kafka://{options.servers}/"
    transport = oslo_messaging.get_notification_transport(cfg.CONF, url=url)
    notifier = oslo_messaging.Notifier(transport, "bench", driver="messaging", topics=[topic])
    payload = {"text": "x" * max(options.size - 330, 1)}  # what the envelope adds
    notifier.info({}, "warm", payload)

    class Endpoint:
        def __init__(self):
            self.got, self.began, self.done = 0, None, threading.Event()

        def info(self, *_):
            self.began = self.began or time.monotonic()
            self.got += 1
            if self.got == options.count:
                self.done.set()

    started = time.monotonic()
    for _ in range(options.count):
        notifier.info({}, "event", payload)
    transport.cleanup()
    return options.count / (time.monotonic() - started), oslo_listener(options, topic, Endpoint())


def oslo_listener(options, topic, endpoint):
    """What waits is of no use: a new group begins with what comes after it."""
    import oslo_messaging
    from confluent_kafka import Producer
    from oslo_config import cfg

    transport = oslo_messaging.get_notification_transport(
        cfg.CONF, url=f"kafka://{options.servers}/"
    )
    listener = oslo_messaging.get_notification_listener(
        transport, [oslo_messaging.Target(topic=topic)], [endpoint], executor="threading", pool=topic
    )
    listener.start()
    inner = json.dumps(
        {
            "message_id": "0", "publisher_id": "bench", "event_type": "event", "priority": "INFO",
            "payload": {"text": "x" * max(options.size - 330, 1)},
            "timestamp": "2026-01-01 00:00:00.000001", "_context": {},
        }
    )  # fmt: skip
    body = json.dumps({"oslo.version": "2.0", "oslo.message": inner})
    producer = Producer({"bootstrap.servers": options.servers})
    while not endpoint.got:  # until it has its partition
        producer.produce(f"{topic}.info", body)
        producer.flush()
        time.sleep(0.2)
    time.sleep(1.0)  # what was sent meanwhile
    endpoint.got, endpoint.began = 0, None
    for _ in range(options.count):
        producer.produce(f"{topic}.info", body)
        producer.poll(0)
    producer.flush()
    endpoint.done.wait(300)
    return endpoint.got / (time.monotonic() - endpoint.began)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("client", choices=["confluent", "oslo"])
    parser.add_argument("--servers", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.basicConfig(stream=sys.stderr, level=logging.CRITICAL)
    sent, taken = {"confluent": confluent, "oslo": oslo}[options.client](options)
    print(json.dumps({"sent": sent, "taken": taken}), flush=True)


if __name__ == "__main__":
    main()
    os._exit(0)  # a listener of oslo.messaging does not leave
