#!/usr/bin/env python3
"""A server on Python's oslo.messaging with the methods and arguments of `oslo-msg serve`.

    peer_server.py [--url URL] [--config-file FILE] serve TOPIC --server NAME [--exchange X]
                   [--namespace N] [--version V] [--ping]

Prints one line "ready" on stdout once it consumes. SIGTERM drains and exits 0.
"""

import builtins
import sys
import threading
import time

import oslo_messaging
import service
from oslo_messaging.rpc import dispatcher

REPLY_LIMIT = "kombu_missing_consumer_retry_timeout=2"


def exception_of(module, name, message):
    """An exception whose class has that module and name."""
    if module == "builtins":
        return getattr(builtins, name)(message)
    return type(name, (Exception,), {"__module__": module})(message)


class Endpoint:
    def __init__(self, namespace, version):
        self.target = oslo_messaging.Target(namespace=namespace, version=version)
        self.lock = threading.Lock()
        self.count = 0

    def echo(self, ctxt, **arguments):
        return arguments

    def add(self, ctxt, a, b):
        return a + b

    def sleep(self, ctxt, seconds):
        # The work of a slow method, not a wait for a state.
        time.sleep(seconds)
        return seconds

    def fail(self, ctxt, module, type, message):
        raise exception_of(module, type, message)

    def context(self, ctxt):
        return ctxt

    def hit(self, ctxt, **arguments):
        with self.lock:
            self.count += 1

    def hits(self, ctxt):
        return self.count

    # Results that are no object, which `echo` cannot give.
    def identity(self, ctxt, value):
        return value


def main():
    parser, serve = service.parser()
    serve.add_argument("--exchange")
    serve.add_argument("--namespace")
    serve.add_argument("--version")
    serve.add_argument("--ping", action="store_true")
    options = parser.parse_args()

    conf = service.prepare("peer", options.config_file)
    # A reply whose caller is gone keeps a server busy for a minute by default, also when it stops.
    url = options.url
    if url and not url.startswith("amqp:"):
        url += ("&" if "?" in url else "?") + REPLY_LIMIT
    transport = oslo_messaging.get_rpc_transport(conf, url)
    # The dispatcher registers its options only when the first one is made, which is too late here.
    conf.register_opts(dispatcher._dispatcher_opts)
    conf.set_override("rpc_ping_enabled", options.ping)
    server = oslo_messaging.get_rpc_server(
        transport,
        oslo_messaging.Target(
            exchange=options.exchange, topic=options.topic, server=options.server
        ),
        [Endpoint(options.namespace, options.version)],
    )
    return service.serve_until_told(server, transport)


if __name__ == "__main__":
    sys.exit(main())
