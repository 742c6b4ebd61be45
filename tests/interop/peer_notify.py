#!/usr/bin/env python3
"""Python's oslo.messaging as `oslo-msg notify` and `oslo-msg listen`.

The same words and options, as far as Python has them, and the same lines.
"""

import argparse
import json
import signal
import sys
import threading

import oslo_messaging
import polls  # noqa: F401
from oslo_config import cfg

PRIORITIES = ["audit", "debug", "info", "warn", "error", "critical", "sample"]


OUTPUT = threading.Lock()


def print_line(line):
    """Lines of several threads must not mix."""
    with OUTPUT:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


class RequestContext(dict):
    """Something that every version lets through: a dict that knows what of it may be seen."""

    def redacted_copy(self):
        return self

    def to_dict(self):
        return dict(self)

    @classmethod
    def from_dict(cls, values):
        return cls(values)


def send(transport, options):
    notifier = oslo_messaging.Notifier(
        transport,
        publisher_id=options.publisher_id,
        driver=options.driver,
        topics=options.topic or None,
        retry=options.retry,
    )
    method = getattr(notifier, options.priority)
    method(
        RequestContext(json.loads(options.context)), options.event_type, json.loads(options.payload)
    )


class Printer:
    """Endpoint of all priorities that are wanted, single or in batches."""

    def __init__(self, options):
        self.left, self.requeue = options.count, options.requeue_first
        self.done = threading.Event()
        self.lock = threading.Lock()
        for priority in options.priority or PRIORITIES:
            if options.batch_size:
                setattr(self, priority, lambda batch, p=priority: self.take(p, batch))
            else:
                setattr(self, priority, self.single(priority))

    def single(self, priority):
        def handler(ctxt, publisher_id, event_type, payload, metadata):
            return self.take(
                priority,
                [
                    {
                        "ctxt": ctxt,
                        "publisher_id": publisher_id,
                        "event_type": event_type,
                        "payload": payload,
                        "metadata": metadata,
                    }
                ],
            )

        return handler

    def take(self, priority, batch):
        with self.lock:
            for message in batch:
                line = {"priority": priority, "context": message.pop("ctxt"), **message}
                print_line(line)
            if self.left is not None:
                self.left -= len(batch)
                if self.left <= 0:
                    self.done.set()
            if self.requeue > 0:
                self.requeue -= len(batch)
                return oslo_messaging.NotificationResult.REQUEUE
            return oslo_messaging.NotificationResult.HANDLED


class Matches:
    """Endpoint with a filter: prints the context's key n of what it gets."""

    def __init__(self, number, rules):
        self.number = number
        self.filter_rule = oslo_messaging.NotificationFilter(**rules)
        for priority in PRIORITIES:
            setattr(self, priority, self.matched)

    def matched(self, ctxt, publisher_id, event_type, payload, metadata):
        print_line({"rule": self.number, "n": int(ctxt["n"])})


def listen(transport, options):
    targets = [
        oslo_messaging.Target(topic=topic, exchange=options.exchange) for topic in options.topic
    ]
    endpoint = Printer(options)
    endpoints = [Matches(*rules) for rules in enumerate(json.loads(options.rules))] + [endpoint]
    arguments = {"executor": "threading", "allow_requeue": True, "pool": options.pool}
    if options.batch_size:
        listener = oslo_messaging.get_batch_notification_listener(
            transport,
            targets,
            endpoints,
            batch_size=options.batch_size,
            batch_timeout=options.batch_timeout,
            **arguments,
        )
    else:
        listener = oslo_messaging.get_notification_listener(
            transport, targets, endpoints, **arguments
        )
    listener.start()
    print("ready", file=sys.stderr, flush=True)
    if options.count is not None:
        endpoint.done.wait(60)
    else:
        signal.sigwait({signal.SIGTERM})
    listener.stop()
    listener.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url")
    parser.add_argument("--config-file", action="append", default=[])
    commands = parser.add_subparsers(dest="command", required=True)
    notify = commands.add_parser("notify")
    notify.add_argument("event_type")
    notify.add_argument("payload")
    notify.add_argument("--topic", action="append")
    notify.add_argument("--priority", default="info")
    notify.add_argument("--publisher-id")
    notify.add_argument("--driver", default="messagingv2")
    notify.add_argument("--retry", type=int)
    notify.add_argument("--context", default="{}")
    listener = commands.add_parser("listen")
    listener.add_argument("topic", nargs="+")
    listener.add_argument("--priority", action="append")
    listener.add_argument("--exchange")
    listener.add_argument("--pool")
    listener.add_argument("--batch-size", type=int)
    listener.add_argument("--batch-timeout", type=float)
    listener.add_argument("--requeue-first", type=int, default=0)
    listener.add_argument("--count", type=int)
    listener.add_argument("--rules", default="[]")
    options = parser.parse_args()

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    conf = cfg.CONF
    conf([], project="peer", default_config_files=options.config_file)
    transport = oslo_messaging.get_notification_transport(conf, options.url)
    try:
        (send if options.command == "notify" else listen)(transport, options)
    finally:
        transport.cleanup()
    return 0


if __name__ == "__main__":
    sys.exit(main())
