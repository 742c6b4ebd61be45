#!/usr/bin/env python3
"""Python's last zmq driver, oslo.messaging 8.1.4, with the arguments of `oslo-msg`.

    zmq_peer.py --url URL serve TOPIC --server NAME    "ready" on stdout; ends with SIGTERM
    zmq_peer.py --url URL listen TOPIC --count N       "ready" on stderr, a JSON line for each
    zmq_peer.py --url URL client TOPIC                 requests and answers as JSON lines

That release is older than this Python: two things are put right before it is imported, neither of
which touches what goes over the wire.
"""

import argparse
import collections
import collections.abc
import json
import os
import signal
import sys
import threading

# 1. Names that `collections` had until Python 3.9.
for name in collections.abc.__all__:
    if not hasattr(collections, name):
        setattr(collections, name, getattr(collections.abc, name))

import oslo_messaging  # noqa: E402
from oslo_config import cfg  # noqa: E402
from oslo_messaging._drivers import impl_zmq  # noqa: E402


# 2. The RPC client has had one more argument since 6.3.0, which this driver never learned.
send = impl_zmq.ZmqDriver.send


def send_without_monitor(self, *arguments, call_monitor_timeout=None, **named):
    return send(self, *arguments, **named)


impl_zmq.ZmqDriver.send = send_without_monitor


def write(line, out=sys.stdout):
    print(line, file=out, flush=True)


class Endpoint:
    target = oslo_messaging.Target(version="1.0")

    def __init__(self):
        self.hit_count = 0
        self.lock = threading.Lock()

    def echo(self, ctxt, **arguments):
        return arguments

    def add(self, ctxt, a, b):
        return a + b

    def context(self, ctxt):
        return ctxt

    def fail(self, ctxt, message):
        raise ValueError(message)

    def hit(self, ctxt):
        with self.lock:
            self.hit_count += 1

    def hits(self, ctxt):
        return self.hit_count


class Listener:
    def __init__(self, count):
        self.left = count
        self.done = threading.Event()

    def info(self, ctxt, publisher_id, event_type, payload, metadata):
        write(json.dumps({"event_type": event_type, "payload": payload, "context": ctxt,
                          "publisher_id": publisher_id, "priority": "info"}))
        self.left -= 1
        if self.left == 0:
            self.done.set()


def wait_for_end():
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    return ended


def serve(conf, options):
    ended = wait_for_end()
    server = oslo_messaging.get_rpc_server(
        oslo_messaging.get_rpc_transport(conf, options.url),
        oslo_messaging.Target(topic=options.topic, server=options.server), [Endpoint()],
        executor="threading")
    server.start()
    write("ready")
    ended.wait()
    server.stop()


def listen(conf, options):
    endpoint = Listener(options.count)
    listener = oslo_messaging.get_notification_listener(
        oslo_messaging.get_notification_transport(conf, options.url),
        [oslo_messaging.Target(topic=options.topic)], [endpoint], executor="threading")
    listener.start()
    write("ready", sys.stderr)
    endpoint.done.wait()


def client(conf, options):
    """{"do": "call" | "cast" | "fanout" | "notify", ...} in, {"result": ...} or {"error": ...} out.

    Its replies come to a socket that several threads use, and now and then one is not noticed:
    a call is tried three times, and the answer says how often.
    """
    transport = oslo_messaging.get_rpc_transport(conf, options.url)
    target = oslo_messaging.Target(topic=options.topic, version="1.0")
    rpc = oslo_messaging.RPCClient(transport, target, timeout=10)
    notifier = oslo_messaging.Notifier(
        oslo_messaging.get_notification_transport(conf, options.url), "python.host1",
        driver="messagingv2", topics=[options.topic])
    write("ready")
    for line in sys.stdin:
        wanted = json.loads(line)
        context, name, arguments = (wanted.get(k) for k in ("context", "name", "arguments"))
        for attempt in (1, 2, 3):
            try:
                result = None
                if wanted["do"] == "call":
                    result = rpc.prepare(server=wanted.get("server")).call(
                        context or {}, name, **arguments)
                elif wanted["do"] == "notify":
                    notifier.info(context or {}, name, arguments)
                else:
                    rpc.prepare(fanout=wanted["do"] == "fanout").cast(context or {}, name,
                                                                      **arguments)
                answer = {"result": result, "attempts": attempt}
                break
            except oslo_messaging.MessagingTimeout:
                answer = {"error": "MessagingTimeout", "attempts": attempt}
            except Exception as failure:
                answer = {"error": type(failure).__name__, "message": str(failure),
                          "attempts": attempt}
                break
        write(json.dumps(answer))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in (serve, listen, client):
        commands.add_parser(command.__name__).add_argument("topic")
    commands.choices["serve"].add_argument("--server", required=True)
    commands.choices["listen"].add_argument("--count", type=int, required=True)
    options = parser.parse_args()
    conf = cfg.ConfigOpts()
    conf([], project="peer")
    oslo_messaging.get_rpc_transport(conf, options.url)  # registers the group
    for name, value in (("rpc_zmq_host", "127.0.0.1"), ("rpc_zmq_bind_address", "127.0.0.1"),
                        ("zmq_linger", 1)):
        conf.set_override(name, value, group="oslo_messaging_zmq")
    globals()[options.command](conf, options)
    os._exit(0)  # its threads do not end


if __name__ == "__main__":
    main()
